"""Flux towers of the demo Earth as ONEFlux archives, named as by each network.

A tower measures the true flux of its class at its position, averaged over its local standard day,
with a random error that grows with the flux, outages and gap filling. The error is Laplace
distributed (Richardson et al. 2006, Agric. For. Meteorol. 136); its size for a day is chosen.
"""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from functools import cache

import numpy as np
import pandas as pd
from tqdm import tqdm

from tamflux.demo_earth.layout import ROOT, archive_name, product_of, read_towers
from tamflux.demo_earth.random_fields import TRAITS
from tamflux.demo_earth.true_fluxes import patch_fluxes
from tamflux.demo_earth.weather import LOOKBACK_DAYS, simulate_weather, year_dates
from tamflux.files import atomic_path
from tamflux.variables import IGBP_CLASSES

SITE_TRAIT = 0.35
"""Standard deviation of a site from the hidden traits of its region."""
ERROR = (0.12, 0.09)
"""Random error of a day: offset in g m-2 d-1, and share of the flux."""
LONGEST_FILLED_GAP = 14
"""Days; longer outages leave fluxes missing."""
WEATHER = ("t2m", "ssrd", "strd", "vpd", "sp", "tp", "u10", "v10")
ZIP_TIME = (2024, 1, 1, 0, 0, 0)  # the same bytes in every run


def simulate_towers(
    seed: int, count: int, years: list[int], folder: str = f"{ROOT}/towers"
) -> None:
    """Write one zip per tower and network into `folder` (names: `layout.demo_tower_files`)."""
    towers = read_towers(count)
    days, records = _observe_planet(seed, towers, years)
    for number, tower in enumerate(tqdm(towers, desc="towers")):
        rng = np.random.default_rng([seed, zlib.crc32(tower["site_id"].encode())])
        record = {name: values[:, number].astype(float) for name, values in records.items()}
        table = measure(record, days, rng)
        for network in tower["network"].split(";"):
            name = archive_name(tower, network, years)
            _write_archive(f"{folder}/{name}.zip", name, tower, network, table)


def _observe_planet(seed: int, towers: list[dict], years: list[int]):
    """Local standard days, and (day, tower) weather and true fluxes on them."""
    lat, lon, offset = (
        np.array([float(t[key]) for t in towers]) for key in ("lat", "lon", "utc_offset")
    )
    igbp = np.array([IGBP_CLASSES.index(t["igbp"]) for t in towers])
    own = np.stack([
        np.random.default_rng([seed, 5, zlib.crc32(t["site_id"].encode())])
        .standard_normal(len(TRAITS)) for t in towers
    ], axis=1) * SITE_TRAIT  # fmt: skip

    @cache
    def of_utc_days(year: int) -> dict[str, np.ndarray]:
        weather = simulate_weather(seed, year, lat, lon)
        gpp, reco = patch_fluxes(seed, year, lat, lon, igbp, 0.0, np.arange(len(lat)), own)
        fields = {name: getattr(weather, name)[LOOKBACK_DAYS:] for name in WEATHER}
        return fields | {"gpp": gpp, "reco": reco}

    parts: dict[str, list] = {}
    for year in years:
        before, after = of_utc_days(year - 1), of_utc_days(year + 1)
        for name, field in of_utc_days(year).items():
            utc = np.concatenate([before[name][-1:], field, after[name][:1]])
            parts.setdefault(name, []).append(local_days(utc, offset))
    days = np.concatenate([year_dates(year)[LOOKBACK_DAYS:] for year in years])
    return days, {name: np.concatenate(p) for name, p in parts.items()}


def local_days(field: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """(day, tower) means over local standard days; `offset` in hours ahead of UTC.

    `field` has the UTC days and one more at either end. A local day that begins `offset` hours
    early takes that share of its hours from the UTC day before it.
    """
    share = np.abs(offset) / 24
    return (1 - share) * field[1:-1] + share * np.where(offset > 0, field[:-2], field[2:])


def measure(record: dict[str, np.ndarray], days: np.ndarray, rng) -> pd.DataFrame:
    """Measurements of a tower, in units of ONEFlux; NaN is missing."""
    gpp, reco = record["gpp"], record["reco"]
    n = len(days)
    outage, missing = _outages(n, rng)
    quality = np.clip(rng.beta(7, 1.3, n) - 0.25 * (record["tp"] > 5), 0.05, 1)
    quality = np.where(outage, rng.uniform(0, 0.35, n), quality)
    nee = reco - gpp
    width = ERROR[0] + ERROR[1] * np.abs(nee)
    nee = np.where(outage, _smooth(nee), nee) + rng.laplace(0, width / np.sqrt(2), n)
    reco = reco + rng.normal(0, ERROR[0] / 2 + ERROR[1] / 2 * reco, n)
    shift = 1 + rng.normal(0, 0.03)  # another friction-velocity threshold
    table = pd.DataFrame({
        "TIMESTAMP": np.char.replace(days.astype(str), "-", ""),
        "TA_F": record["t2m"] + rng.normal(0, 0.6, n), "TA_F_QC": np.clip(quality + 0.2, 0, 1),
        "SW_IN_F": np.maximum(record["ssrd"] * rng.normal(1, 0.06, n), 0),
        "SW_IN_F_QC": np.clip(quality + 0.2, 0, 1),
        "LW_IN_F": record["strd"] + rng.normal(0, 5, n),
        "VPD_F": np.maximum(record["vpd"] * rng.normal(1, 0.08, n), 0),
        "PA_F": record["sp"] / 10, "P_F": record["tp"],
        "WS_F": np.hypot(record["u10"], record["v10"]),
        "NEE_VUT_REF": nee * shift, "NEE_VUT_REF_QC": quality, "NEE_VUT_REF_RANDUNC": width,
        "NEE_VUT_USTAR50": nee, "NEE_VUT_USTAR50_QC": quality,
        "RECO_NT_VUT_REF": reco * shift, "RECO_NT_VUT_USTAR50": reco,
        "GPP_NT_VUT_REF": (reco - nee) * shift, "GPP_NT_VUT_USTAR50": reco - nee,
    })  # fmt: skip
    table.loc[missing, [c for c in table if c.startswith(("NEE", "RECO", "GPP"))]] = np.nan
    return table


def _outages(n: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """(day,) bool: days without instruments, and those of them that are not gap-filled.

    About three outages a year of 1 to 60 days; every third tower starts late or stops early.
    """
    outage, missing = np.zeros(n, bool), np.zeros(n, bool)
    for start in np.flatnonzero(rng.random(n) < 3 / 365):
        length = int(np.clip(rng.lognormal(1.8, 1.0), 1, 60))
        outage[start : start + length] = True
        if length > LONGEST_FILLED_GAP:
            missing[start : start + length] = True
    edge = int(n * rng.uniform(0.05, 0.35))
    kind = rng.random()
    if kind < 0.17:
        missing[:edge] = True
    elif kind < 0.33:
        missing[-edge:] = True
    return outage, missing


def _smooth(values: np.ndarray) -> np.ndarray:
    """Mean over 15 days, in place of gap filling."""
    padded = np.pad(values, 7, mode="edge")
    return np.convolve(padded, np.ones(15) / 15, mode="valid")


def _write_archive(target: str, archive: str, tower: dict, network: str, table) -> None:
    """The zip of a tower: its daily table and its metadata."""
    site = tower["site_id"]
    if network == "ICOS":
        data, metadata = f"ICOSETC_{site}_FLUXNET_DD_L2.csv", f"ICOSETC_{site}_SITEINFO_L2.csv"
    elif network == "JapanFlux":
        data = archive.replace("_ALLVARS_", "_ALLVARS_DD_") + ".csv"
        metadata = f"{site}_BADM.csv"
    else:
        product = "FLUXMET" if network == "FLUXNET2026" else product_of(tower, network)
        stem, years = archive.replace(f"_{product}", "").split("_FLUXNET")[0], ""
        tail = archive[len(stem) + 1 :].replace(f"{product}_", "")
        release, years = tail.split("_", 1)
        data = f"{stem}_{release}_{product}_DD_{years}.csv"
        metadata = f"{stem}_{release}_BIF_{years}.csv"
    folder = f"{site}/DATA/ALLVARS/" if network == "JapanFlux" else ""
    with (
        atomic_path(target) as path,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file,
    ):
        text = rename_columns(table, network, product_of(tower, network)).to_csv(
            index=False, float_format="%.4f", na_rep="-9999"
        )
        file.writestr(zipfile.ZipInfo(folder + data, ZIP_TIME), text, zipfile.ZIP_DEFLATED)
        file.writestr(zipfile.ZipInfo(metadata, ZIP_TIME), badm(tower), zipfile.ZIP_DEFLATED)


def rename_columns(table: pd.DataFrame, network: str, product: str) -> pd.DataFrame:
    """Table with the column names of a network's product."""
    if network == "JapanFlux":  # one variant, mixed case, quality 0 (best) to 3
        table = table[[c for c in table if "USTAR50" not in c]].copy()
        table["NEE_VUT_REF_QC"] = (3 * (1 - table["NEE_VUT_REF_QC"])).round()
        return table.rename(columns=lambda c: c.replace("_VUT_REF", "_vUT"))
    if product == "SUBSET":  # it has percentiles in place of USTAR50
        return table.rename(columns=lambda c: c.replace("USTAR50", "50"))
    return table


def badm(tower: dict[str, str]) -> str:
    """Metadata of a tower as a BIF table."""
    groups = [
        ("GRP_HEADER", {"SITE_NAME": tower["name"]}),
        ("GRP_LOCATION", {"LOCATION_LAT": tower["lat"], "LOCATION_LONG": tower["lon"],
                          "LOCATION_ELEV": tower["elevation"]}),
        ("GRP_IGBP", {"IGBP": tower["igbp"], "IGBP_DATE_START": "19900101"}),
        ("GRP_UTC_OFFSET", {"UTC_OFFSET": tower["utc_offset"]}),
        ("GRP_CLIM_AVG", {"CLIMATE_KOEPPEN": tower["koppen"]}),
    ]  # fmt: skip
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["SITE_ID", "GROUP_ID", "VARIABLE_GROUP", "VARIABLE", "DATAVALUE"])
    for number, (group, values) in enumerate(groups, 1):
        for variable, value in values.items():
            if value:
                writer.writerow([tower["site_id"], number, group, variable, value])
    return out.getvalue()
