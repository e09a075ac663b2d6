"""Readers of tables: towers and their metadata, site tables, tables of sites, CarbonFluxBench."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from benchmark_files import write_benchmark
from tower_files import badm_text, daily_frame, half_hourly_frame

from tamflux.samples.carbonfluxbench import write_carbonfluxbench
from tamflux.samples.site_table import read_site_table
from tamflux.sources.modis_sites import read_site_reflectance
from tamflux.sources.oneflux.tables import METEOROLOGY
from tamflux.towers.harmonise import harmonise_towers
from tamflux.variables import FLUXES, IGBP_CLASSES, KOPPEN_CLASSES, PREDICTORS

from .trial import REJECTIONS, Reader

LIMITS = {"min_coverage": 0.8, "min_days": 20, "max_abs_flux": 50}
CODES = {
    "igbp": ("", *IGBP_CLASSES),
    "koppen": ("", *KOPPEN_CLASSES),
    "koppen_group": tuple("ABCDE"),
}
SIDES = {f"split_{name}": ("train", "test") for name in ("igbp", "koppen")}
RANGES = (
    {name: (kind.valid_min, kind.valid_max) for name, kind in (PREDICTORS | FLUXES).items()}
    | {name: (0, len(known) - 1) for name, known in (CODES | SIDES).items()}
    | {f"igbp_{name}": (0, 1) for name in IGBP_CLASSES}
    | {"qc": (0, 1), "filled": (0, 1), "fold": (-1, 9), "lat": (-90, 90), "lon": (-180, 180),
       "elevation": (-500, 9000), "utc_offset": (-12, 14), "date": (0, 365.25 * 131)}
)  # fmt: skip
"""Ranges of every column that later stages compute with; others are text."""
OPTIONAL = ("elevation", "utc_offset", *METEOROLOGY)
"""What a tower need not have."""


def columns(frame: pd.DataFrame, optional: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Columns by site, as numbers: days since 1970, classes as their place in the list.

    Those of `optional` that a site has not are left out.
    """
    values = {}
    for site, rows in frame.groupby("site_id"):
        for name, column in rows.items():
            known = (CODES | SIDES).get(name)
            if known:
                places = dict(zip(known, range(len(known)), strict=True))
                column = column.fillna("").map(places).fillna(-1)
            elif name == "date":
                column = (pd.to_datetime(column) - pd.Timestamp(0)) / pd.Timedelta(days=1)
            if name in optional and column.isna().all():
                continue
            if name in RANGES or str(name).startswith("climate_"):
                values[f"{name}@{site}"] = column.to_numpy(float)
    return values


# Towers


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
                info = zipfile.ZipInfo(name)  # of a fixed date: the same bytes in every run
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, text)


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
    sites = pd.read_csv(
        out[1], keep_default_na=False, na_values={"elevation": "", "utc_offset": ""}
    )
    rejected = pd.read_csv(out[2], dtype=str, keep_default_na=False).agg("; ".join, axis=1)
    fluxes = columns(pd.read_parquet(out[0]), OPTIONAL)
    return fluxes | columns(sites, OPTIONAL) | {REJECTIONS: rejected.to_numpy()}


def bare(pattern: str, change):
    """A fault of one CSV file: `change(frame)` returns the frame to write."""

    def apply(folder: Path) -> None:
        path = next(folder.glob(pattern))
        change(pd.read_csv(path, dtype=str)).to_csv(path, index=False)

    return apply


def setting(column: str, value, rows=slice(None)):
    """A change that sets rows of a column."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[frame.index[rows], column] = value
        return frame

    return change


def numbers(column: str, function):
    """A change of a whole column by a function of its numbers."""
    return lambda frame: frame.assign(**{column: function(pd.to_numeric(frame[column]))})


def fields(names: dict):
    """Columns as text, of one value."""
    return lambda frame: frame.assign(**names)


DD, HH, SITES = "*FULLSET_DD*", "*FULLSET_HH*", "sites_table.csv"
NEE, GPP = "NEE_VUT_REF", "GPP_NT_VUT_REF"
TOWER_FAULTS = {
    "kg in place of g": bare(DD, lambda f: f.assign(**{
        name: pd.to_numeric(f[name]) / 1000 for name in (NEE, GPP, "RECO_NT_VUT_REF")})),
    "mg in place of g": bare(DD, lambda f: f.assign(**{
        name: pd.to_numeric(f[name]) * 1000 for name in (NEE, GPP, "RECO_NT_VUT_REF")})),
    "NEE turned around": bare(DD, numbers(NEE, np.negative)),
    "NEE missing": bare(DD, setting(NEE, "-9999")),
    "NEE is NaN": bare(DD, setting(NEE, "nan")),
    "no column NEE": bare(DD, lambda frame: frame.drop(columns=NEE)),
    "no column GPP": bare(DD, lambda frame: frame.drop(columns=GPP)),
    "GPP missing": bare(DD, setting(GPP, "-9999")),
    "a text among numbers": bare(DD, setting(NEE, "high", slice(7, 8))),
    "a flux is infinite": bare(DD, setting(NEE, "inf", slice(7, 8))),
    "a flux is enormous": bare(DD, setting(NEE, "4e300", slice(7, 8))),
    "temperature in K": bare(DD, numbers("TA_F", lambda v: v + 273.15)),
    "flag out of range": bare(DD, setting("NEE_VUT_REF_QC", "7")),
    "no flag": bare(DD, lambda frame: frame.drop(columns="NEE_VUT_REF_QC")),
    "a day twice": bare(DD, setting("TIMESTAMP", "20010105", slice(7, 8))),
    "31 February": bare(DD, setting("TIMESTAMP", "20010231", slice(7, 8))),
    "year 9999": bare(DD, setting("TIMESTAMP", "99990101", slice(7, 8))),
    "stamp missing": bare(DD, setting("TIMESTAMP", "", slice(7, 8))),
    "no stamps": bare(DD, lambda frame: frame.drop(columns="TIMESTAMP")),
    "a row cut": lambda folder: cut_rows(folder, DD),
    "half-hours in g m-2 d-1 of mg": bare(HH, numbers(NEE, lambda v: v * 1e6)),
    "half-hours of one day a week": bare(HH, lambda frame: frame.iloc[::7]),
    "latitude of 95": bare(SITES, setting("lat", "95")),
    "no longitude": bare(SITES, setting("lon", "")),
    "unknown class": bare(SITES, setting("igbp", "Forest")),
    "site id of another form": bare(SITES, setting("site_id", "../x")),
    "elevation in mm": bare(SITES, setting("elevation", "340000")),
    "offset in seconds": bare(SITES, setting("utc_offset", "-18000")),
    "latitude is text": bare(SITES, setting("lat", "north")),
    "no column lat": bare(SITES, lambda frame: frame.drop(columns="lat")),
    "a site twice": bare(SITES, lambda frame: pd.concat([frame, frame])),
}  # fmt: skip


def cut_rows(folder: Path, pattern: str) -> None:
    """Every row behind the third loses its last columns."""
    path = next(folder.glob(pattern))
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:4], *(line.rsplit(",", 2)[0] for line in lines[4:])]))


# Tables of sites


def write_sites(folder: Path) -> None:
    """A user's site-days and sites."""
    rng = np.random.default_rng(0)
    dates = pd.date_range("2001-01-01", periods=400)
    days = []
    for site in ("AA-One", "BB-Two", "CC-Six"):
        warm = rng.uniform(0, 20, len(dates))
        gpp, reco = rng.uniform(0, 8, (2, len(dates)))
        weather = {"TA": warm, "TA_MIN": warm - 5, "TA_MAX": warm + 5, "SW_IN": 9 * warm}
        weather |= {"VPD": 6.0, "P_MONTH": 2.0, "LAI_CLIM": dates.month / 4}
        weather |= {"T2M_CLIM": 10.0, "TP_CLIM": 60.0}
        fluxes = {"GPP_NT": gpp, "RECO_NT": reco, "NEE": reco - gpp, "NEE_QC": 0.9}
        days.append(pd.DataFrame({"site_id": site, "date": dates} | fluxes | weather))
    pd.concat(days).to_parquet(folder / "days.parquet", index=False)
    sites = {"site_id": ["AA-One", "BB-Two", "CC-Six"], "IGBP": ["GRA", "ENF", "MF"]}
    sites |= {"lat": [60.0, 10, 0], "lon": [-120.0, 5, 9]}
    sites |= {"koppen": ["Dfc", "Aw", "Cfb"], "fold": [0, 1, 0]}
    pd.DataFrame(sites).to_csv(folder / "sites.csv", index=False)


def read_sites(folder: Path) -> dict[str, np.ndarray]:
    """Samples and sites."""
    samples, sites = folder / "out" / "samples.parquet", folder / "out" / "sites.csv"
    read_site_table(folder / "days.parquet", folder / "sites.csv", samples, sites, n_folds=2)
    return columns(pd.read_parquet(samples)) | columns(pd.read_csv(sites, keep_default_na=False))


def parquet(name: str, change):
    """A fault of a Parquet file: `change(frame)` returns the frame to write."""

    def apply(folder: Path) -> None:
        path = folder / name
        change(pd.read_parquet(path)).to_parquet(path, index=False)

    return apply


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
    "latitude of 95": bare("sites.csv", setting("lat", "95")),
    "longitude of 200": bare("sites.csv", setting("lon", "200")),
    "latitude is text": bare("sites.csv", setting("lat", "north")),
    "unknown class": bare("sites.csv", setting("IGBP", "Forest")),
    "unknown climate": bare("sites.csv", setting("koppen", "Xyz")),
    "a fold of 7": bare("sites.csv", setting("fold", "7", slice(0, 1))),
    "a fold missing": bare("sites.csv", setting("fold", "", slice(2, 3))),
    "a site twice": bare("sites.csv", lambda frame: pd.concat([frame, frame])),
    "no row of sites": bare("sites.csv", lambda frame: frame.iloc[:0]),
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
        found = columns(read_site_reflectance(path))
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


# CarbonFluxBench


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


TABLE_READERS = (
    Reader("towers, zips", write_towers, read_towers, RANGES, files="*.zip"),
    Reader("towers, CSV and table", write_bare_towers, read_towers, RANGES, TOWER_FAULTS, "*.csv"),
    Reader("site table", write_sites, read_sites, RANGES, SITE_FAULTS),
    Reader("reflectance at sites", write_reflectance, read_reflectance, RANGES,
           REFLECTANCE_FAULTS),
    Reader("CarbonFluxBench", lambda folder: write_benchmark(folder, 6), read_benchmark, RANGES,
           BENCHMARK_FAULTS),
)  # fmt: skip
