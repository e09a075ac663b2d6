"""Tables of sites: a user's, reflectance at sites, CarbonFluxBench."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from benchmark_files import write_benchmark

from tamflux.climatology import climatology
from tamflux.readers.modis_sites import read_site_reflectance
from tamflux.samples.benchmark import write_carbonfluxbench
from tamflux.samples.site_table import convert_site_table
from tamflux.solar import potential_radiation

from .frames import RANGES, columns, csv, fields, numbers, parquet, setting
from .trial import Reader

PLACES = {"AA-One": (60.0, -120.0), "BB-Two": (10.0, 5.0), "CC-Six": (0.5, 15.0)}


def write_sites(folder: Path) -> None:
    """A user's site-days and sites: the weather of the places, and fluxes that follow it."""
    rng = np.random.default_rng(0)
    dates = pd.date_range("2001-01-01", periods=400)
    days = []
    for site, place in PLACES.items():
        lat, lon = (np.array([x]) for x in place)
        usual, rain = (climatology(n, lat, lon, dates.to_numpy())[:, 0, 0] for n in ("t2m", "tp"))
        light = potential_radiation(lat, dates.to_numpy())[:, 0] * rng.uniform(0.25, 0.7, 400)
        warm = usual + rng.normal(0, 3, 400)
        gpp = 0.025 * light * np.clip((warm + 5) / 25, 0, 1) * np.clip(rain / 2, 0.1, 1)
        reco = 0.6 + 1.5 * 2 ** ((warm - 15) / 10)
        weather = {"TA": warm, "TA_MIN": warm - 5, "TA_MAX": warm + 5, "SW_IN": light}
        weather |= {"VPD": 6.0, "P_MONTH": rain, "LAI_CLIM": dates.month / 4}
        weather |= {"T2M_CLIM": usual, "TP_CLIM": rain * 30.4}
        fluxes = {"GPP_NT": gpp, "RECO_NT": reco, "NEE": reco - gpp, "NEE_QC": 0.9}
        days.append(pd.DataFrame({"site_id": site, "date": dates} | fluxes | weather))
    pd.concat(days).to_parquet(folder / "days.parquet", index=False)
    lat, lon = zip(*PLACES.values(), strict=True)
    sites = {"site_id": [*PLACES], "IGBP": ["GRA", "ENF", "MF"], "lat": lat, "lon": lon}
    sites |= {"koppen": ["Dfc", "Aw", "Cfb"], "fold": [0, 1, 0]}
    pd.DataFrame(sites).to_csv(folder / "sites.csv", index=False)


def read_sites(folder: Path) -> dict[str, np.ndarray]:
    """Samples and sites."""
    samples, sites = folder / "out" / "samples.parquet", folder / "out" / "sites.csv"
    convert_site_table(folder / "days.parquet", folder / "sites.csv", samples, sites, n_folds=2)
    return columns(pd.read_parquet(samples)) | columns(pd.read_csv(sites, keep_default_na=False))


SITE_FAULTS = {
    "temperature in K": parquet("days.parquet", numbers("TA", lambda v: v + 273.15)),
    "vapour pressure deficit in Pa": parquet("days.parquet", numbers("VPD", lambda v: v * 100)),
    "radiation in J": parquet("days.parquet", numbers("SW_IN", lambda v: v * 86400)),
    "a predictor is NaN": parquet("days.parquet", setting("SW_IN", np.nan)),
    "a flux is text": parquet("days.parquet", fields({"NEE": "none"})),
    "fluxes in mg": parquet("days.parquet", numbers("GPP_NT", lambda v: v * 1000)),
    "fluxes infinite": parquet("days.parquet", setting("GPP_NT", np.inf)),
    "quality in per cent": parquet("days.parquet", numbers("NEE_QC", lambda v: v * 100)),
    "no column TA": parquet("days.parquet", lambda frame: frame.drop(columns="TA")),
    "a day twice": parquet("days.parquet", lambda frame: pd.concat([frame, frame.iloc[:1]])),
    "dates are text": parquet("days.parquet", fields({"date": "soon"})),
    "dates are lists": parquet("days.parquet", lambda f: f.assign(date=[[1]] * len(f))),
    "date missing": parquet("days.parquet", setting("date", pd.NaT, slice(7, 8))),
    "a site unknown": parquet("days.parquet", setting("site_id", "ZZ-Top", slice(7, 8))),
    "site ids are numbers": parquet("days.parquet", fields({"site_id": 7})),
    "site id missing": parquet("days.parquet", setting("site_id", None, slice(7, 8))),
    "no row": parquet("days.parquet", lambda frame: frame.iloc[:0]),
    "latitude of 95": csv("sites.csv", setting("lat", "95")),
    "longitude of 200": csv("sites.csv", setting("lon", "200")),
    "latitude is text": csv("sites.csv", setting("lat", "north")),
    "unknown class": csv("sites.csv", setting("IGBP", "Forest")),
    "unknown climate": csv("sites.csv", setting("koppen", "Xyz")),
    "a fold of 7": csv("sites.csv", setting("fold", "7", slice(0, 1))),
    "a fold missing": csv("sites.csv", setting("fold", "", slice(2, 3))),
    "a site twice": csv("sites.csv", lambda frame: pd.concat([frame, frame])),
    "no row of sites": csv("sites.csv", lambda frame: frame.iloc[:0]),
    "a row too long": lambda folder: (folder / "sites.csv").write_text(
        (folder / "sites.csv").read_text() + "DD-One,1,2,GRA,Dfc,0,7,8,9\n"
    ),
}


def write_reflectance(folder: Path) -> None:
    """A table of reflectance as Parquet and as CSV."""
    rng = np.random.default_rng(0)
    dates = np.tile(pd.date_range("2003-01-01", periods=40), 2)
    rows = {"site": np.repeat(["A", "B"], 40), "date": dates}
    bands = {f"sur_refl_b{b:02d}": rng.integers(100, 5000, 80) for b in range(1, 8)}
    frame = pd.DataFrame(rows | bands | {"state_1km": rng.choice([8, 9], 80)})
    frame.to_parquet(folder / "reflectance.parquet", index=False)
    frame.to_csv(folder / "reflectance.csv", index=False)


def read_reflectance(folder: Path) -> dict[str, np.ndarray]:
    """Both tables."""
    values = {}
    for path in sorted(folder.glob("reflectance*")):
        found = columns(read_site_reflectance(path).assign(site_id="all"))
        values |= {f"{name}@{path.suffix}": column for name, column in found.items()}
    return values


def reflectance(change):
    return parquet("reflectance.parquet", change)


REFLECTANCE_FAULTS = {
    "a band out of range": reflectance(numbers("sur_refl_b02", lambda v: v * 100)),
    "a band is text": reflectance(fields({"sur_refl_b02": "bright"})),
    "a band is NaN": reflectance(setting("sur_refl_b02", np.nan)),
    "no band 7": reflectance(lambda frame: frame.drop(columns="sur_refl_b07")),
    "state is text": reflectance(fields({"state_1km": "clear"})),
    "state is negative": reflectance(fields({"state_1km": -8})),
    "every day is cloudy": reflectance(fields({"state_1km": 9})),
    "a day twice": reflectance(lambda frame: pd.concat([frame, frame.iloc[:1]])),
    "dates are text": reflectance(fields({"date": "soon"})),
    "no site": reflectance(lambda frame: frame.drop(columns="site")),
    "no row": reflectance(lambda frame: frame.iloc[:0]),
}


def read_benchmark(folder: Path) -> dict[str, np.ndarray]:
    """Samples and sites."""
    samples, sites = folder / "out" / "samples.parquet", folder / "out" / "sites.csv"
    write_carbonfluxbench(folder, samples, sites)
    return columns(pd.read_parquet(samples)) | columns(pd.read_csv(sites, keep_default_na=False))


def in_json(name: str, change):
    """A fault of a JSON file."""

    def apply(folder: Path) -> None:
        table = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(change(table)))

    return apply


T, E, M = "target_fluxes.parquet", "ERA5.parquet", "MOD09GA.parquet"
BENCHMARK_FAULTS = {
    "temperature in degC": parquet(E, numbers("temperature_2m", lambda v: v - 273.15)),
    "precipitation in mm": parquet(E, numbers("total_precipitation_sum", lambda v: v * 1e6)),
    "radiation in W m-2": parquet(
        E, numbers("surface_net_solar_radiation_sum", lambda v: v / 86400)
    ),
    "temperature is NaN": parquet(E, setting("temperature_2m", np.nan)),
    "temperature is text": parquet(E, fields({"temperature_2m": "warm"})),
    "no precipitation": parquet(E, lambda f: f.drop(columns="total_precipitation_sum")),
    "a day of weather twice": parquet(E, lambda frame: pd.concat([frame, frame.iloc[:1]])),
    "weather of other sites": parquet(E, fields({"site": "XX"})),
    "reflectance of counts": parquet(M, numbers("sur_refl_b02", lambda v: v * 1e4)),
    "reflectance is text": parquet(M, fields({"sur_refl_b02": "bright"})),
    "reflectance is NaN": parquet(M, setting("sur_refl_b02", np.nan)),
    "every day is cloudy": parquet(M, fields({"clouds": 1.0})),
    "GPP in mg": parquet(T, numbers("GPP_NT_VUT_USTAR50", lambda v: v * 1000)),
    "NEE is NaN": parquet(T, setting("NEE_VUT_USTAR50", np.nan)),
    "NEE is text": parquet(T, fields({"NEE_VUT_USTAR50": "low"})),
    "NEE is infinite": parquet(T, setting("NEE_VUT_USTAR50", np.inf)),
    "quality of 5": parquet(T, setting("NEE_VUT_USTAR50_QC", 5.0)),
    "latitude of 95": parquet(T, setting("lat", 95.0)),
    "unknown class": parquet(T, setting("IGBP", "Forest")),
    "dates are text": parquet(T, fields({"TIMESTAMP": "soon"})),
    "dates of 1900": parquet(T, fields({"TIMESTAMP": "1900-01-01"})),
    "no row": parquet(T, lambda frame: frame.iloc[:0]),
    "no file of weather": lambda folder: (folder / E).unlink(),
    "two targets": lambda folder: (folder / "target_fluxes2.parquet").write_text(""),
    "a list": in_json("koppen_sites.json", list),
    "no site": in_json("koppen_sites.json", lambda table: {}),
    "a number": in_json("koppen_sites_short.json", lambda table: table | {"FLX_S00": 7}),
    "a list as class": in_json("koppen_sites_short.json", lambda t: t | {"FLX_S00": ["Dfb"]}),
    "deep": lambda folder: (folder / "koppen_sites.json").write_text("[" * 100_000),
}  # fmt: skip


SITE_READERS = (
    Reader("site table", write_sites, read_sites, RANGES, SITE_FAULTS),
    Reader("reflectance at sites", write_reflectance, read_reflectance, RANGES,
           REFLECTANCE_FAULTS),
    Reader("CarbonFluxBench", lambda folder: write_benchmark(folder, 6), read_benchmark, RANGES,
           BENCHMARK_FAULTS),
)  # fmt: skip
