"""Towers: zips and CSV files of ONEFlux layout, their metadata, and the user's table of sites."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from tower_files import NAMES, badm_text, daily_frame, half_hourly_frame, write_zip

from tamflux.readers.oneflux.tables import METEOROLOGY
from tamflux.towers.harmonise import harmonise_towers

from .frames import RANGES, columns, csv, numbers, setting
from .stores import add_to_zip
from .trial import REJECTIONS, Reader

LIMITS = {"min_coverage": 0.8, "min_days": 20, "max_abs_flux": 50}
OPTIONAL = ("elevation", "utc_offset", "day_offset", *METEOROLOGY)
"""What a tower need not have."""


def write_towers(folder: Path) -> None:
    """A zip of days, a zip of half-hours, each with its metadata."""
    days = daily_frame().to_csv(index=False, na_rep="-9999")
    steps = half_hourly_frame(25).to_csv(index=False, na_rep="-9999")
    stem = "FLX_{}_FLUXNET2015_FULLSET{}_2001-2002_1-4"
    for site, step, table in (("US-Ha1", "DD", days), ("DE-Tha", "HH", steps)):
        with zipfile.ZipFile(folder / (stem.format(site, "") + ".zip"), "w") as archive:
            members = {
                stem.format(site, f"_{step}") + ".csv": table,
                f"FLX_{site}_FLUXNET2015_BIF.csv": badm_text(site, lat=42.5 + len(step)),
            }
            for name, text in members.items():
                add_to_zip(archive, name, text)


def write_bare_towers(folder: Path) -> None:
    """The same as CSV files, the sites in a table of the user's."""
    write_towers(folder)
    for path in sorted(folder.glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
        path.unlink()
    next(folder.glob("*US-Ha1*BIF*")).unlink()
    row = "site_id,site_name,lat,lon,elevation,igbp,utc_offset\n"
    row += "US-Ha1,Harvard,42.5,-72.2,340,DBF,-5\n"
    (folder / "sites_table.csv").write_text(row)


def read_towers(folder: Path) -> dict[str, np.ndarray]:
    """Fluxes, sites and rejections."""
    out = [folder / "out" / name for name in ("fluxes.parquet", "sites.csv", "rejected.csv")]
    paths = [p for p in sorted(folder.iterdir()) if p.is_file() and p.name != "sites_table.csv"]
    table = folder / "sites_table.csv"
    harmonise_towers(paths, *out, site_table=table if table.exists() else None, **LIMITS)
    numbers_or_none = dict.fromkeys(("elevation", "utc_offset", "day_offset"), "")
    sites = pd.read_csv(out[1], keep_default_na=False, na_values=numbers_or_none)
    rejected = pd.read_csv(out[2], dtype=str, keep_default_na=False).agg("; ".join, axis=1)
    fluxes = columns(pd.read_parquet(out[0]), OPTIONAL)
    return fluxes | columns(sites, OPTIONAL) | {REJECTIONS: rejected.to_numpy()}


DD, HH, SITES = "*FULLSET_DD*", "*FULLSET_HH*", "sites_table.csv"
NEE, GPP = "NEE_VUT_REF", "GPP_NT_VUT_REF"
TOWER_FAULTS = {
    "kg in place of g": csv(DD, lambda f: f.assign(**{
        name: pd.to_numeric(f[name]) / 1000 for name in (NEE, GPP, "RECO_NT_VUT_REF")})),
    "mg in place of g": csv(DD, lambda f: f.assign(**{
        name: pd.to_numeric(f[name]) * 1000 for name in (NEE, GPP, "RECO_NT_VUT_REF")})),
    "NEE turned around": csv(DD, numbers(NEE, np.negative)),
    "NEE missing": csv(DD, setting(NEE, "-9999")),
    "NEE is NaN": csv(DD, setting(NEE, "nan")),
    "no column NEE": csv(DD, lambda frame: frame.drop(columns=NEE)),
    "no column GPP": csv(DD, lambda frame: frame.drop(columns=GPP)),
    "GPP missing": csv(DD, setting(GPP, "-9999")),
    "a text among numbers": csv(DD, setting(NEE, "high", slice(7, 8))),
    "a flux is infinite": csv(DD, setting(NEE, "inf", slice(7, 8))),
    "a flux is enormous": csv(DD, setting(NEE, "4e300", slice(7, 8))),
    "temperature in K": csv(DD, numbers("TA_F", lambda v: v + 273.15)),
    "flag out of range": csv(DD, setting("NEE_VUT_REF_QC", "7")),
    "no flag": csv(DD, lambda frame: frame.drop(columns="NEE_VUT_REF_QC")),
    "a day twice": csv(DD, setting("TIMESTAMP", "20010105", slice(7, 8))),
    "31 February": csv(DD, setting("TIMESTAMP", "20010231", slice(7, 8))),
    "year 9999": csv(DD, setting("TIMESTAMP", "99990101", slice(7, 8))),
    "stamp missing": csv(DD, setting("TIMESTAMP", "", slice(7, 8))),
    "no stamps": csv(DD, lambda frame: frame.drop(columns="TIMESTAMP")),
    "a row cut": lambda folder: cut_rows(folder, DD),
    "half-hours in g m-2 d-1 of mg": csv(HH, numbers(NEE, lambda v: v * 1e6)),
    "half-hours of one day a week": csv(HH, lambda frame: frame.iloc[::7]),
    "latitude of 95": csv(SITES, setting("lat", "95")),
    "no longitude": csv(SITES, setting("lon", "")),
    "unknown class": csv(SITES, setting("igbp", "Forest")),
    "site id of another form": csv(SITES, setting("site_id", "../x")),
    "elevation in mm": csv(SITES, setting("elevation", "340000")),
    "offset in seconds": csv(SITES, setting("utc_offset", "-18000")),
    "latitude is text": csv(SITES, setting("lat", "north")),
    "no column lat": csv(SITES, lambda frame: frame.drop(columns="lat")),
    "a site twice": csv(SITES, lambda frame: pd.concat([frame, frame])),
}  # fmt: skip


def cut_rows(folder: Path, pattern: str) -> None:
    """Every row behind the third loses its last columns."""
    path = next(folder.glob(pattern))
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:4], *(line.rsplit(",", 2)[0] for line in lines[4:])]))


def write_networks(folder: Path) -> None:
    """One zip of each network, and AmeriFlux BASE."""
    sites = ("US-Ha1", "FR-Bil", "US-MMS", "JP-Ozm", "DE-Tha")
    for number, (network, site) in enumerate(zip(NAMES, sites, strict=True)):
        frame = daily_frame(40, qc=np.linspace(2.1, 0, 40) if network == "JapanFlux" else 0.9)
        write_zip(folder, network, site, {"DD": frame}, badm_text(site, lat=42.0 + number))
    steps = half_hourly_frame(25).rename(columns={"NEE_VUT_REF": "NEE_PI"})
    base = steps[["TIMESTAMP_START", "TIMESTAMP_END", "NEE_PI"]].to_csv(index=False)
    with zipfile.ZipFile(folder / "AMF_US-CRT_BASE-BADM_2-5.zip", "w") as archive:
        add_to_zip(archive, "AMF_US-CRT_BASE_HH_2-5.csv", f"# Site: US-CRT\n{base}")
        add_to_zip(archive, "AMF_US-CRT_BIF_20230101.csv", badm_text("US-CRT", lat=41.6))


TOWER_READERS = (
    Reader("towers, zips", write_towers, read_towers, RANGES, files="*.zip"),
    Reader("towers, all networks", write_networks, read_towers, RANGES, files="*.zip"),
    Reader("towers, CSV and table", write_bare_towers, read_towers, RANGES, TOWER_FAULTS, "*.csv"),
)
