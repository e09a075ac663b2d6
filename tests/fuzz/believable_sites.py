"""Towers, site tables and CarbonFluxBench that are believable but wrong."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from benchmark_files import write_benchmark

from .believable import Believable, Damage, with_warnings
from .frames import RANGES
from .sites import read_benchmark, read_sites, write_sites
from .towers import read_towers, write_towers

FACTORS = (1 / 1000, 12 / 44 / 1000, 1e3, 44 / 12 * 1e3, 1e6)
"""kg and g, CO2 and C, mg and g."""
NEAR_FACTORS = (12 / 44, 44 / 12, 1 / 1.0377, 1.0377)
"""CO2 and C; µmol m-2 s-1 and g m-2 d-1."""
TARGETS, ERA5_LAND = "target_fluxes.parquet", "ERA5.parquet"
FLUXES = ("GPP_NT", "RECO_NT", "NEE")
BENCHMARK_FLUXES = ("GPP_NT_VUT_USTAR50", "RECO_NT_VUT_USTAR50", "NEE_VUT_USTAR50")


def in_zip(pattern: str, change: Callable) -> Damage:
    """Damage a table in one of the zips of a folder."""

    def apply(folder: Path, rng: np.random.Generator) -> str:
        for path in sorted(folder.glob("*.zip")):
            with zipfile.ZipFile(path) as archive:
                members = {name: archive.read(name) for name in archive.namelist()}
            for name in (name for name in members if pattern in name):
                table = pd.read_csv(io.BytesIO(members[name]))
                how = change(table, rng)
                members[name] = table.to_csv(index=False).encode()
                with zipfile.ZipFile(path, "w") as archive:
                    for other, content in members.items():
                        archive.writestr(zipfile.ZipInfo(other), content)
                return f"{name}, {how}"
        raise FileNotFoundError(pattern)

    return apply


def scale_fluxes(factors=FACTORS, columns=("NEE_", "GPP_", "RECO_")):
    def change(table: pd.DataFrame, rng) -> str:
        factor = factors[rng.integers(len(factors))]
        for column in table.columns:
            if column.startswith(columns) and not column.endswith("_QC"):
                table[column] = table[column].where(table[column] == -9999, table[column] * factor)
        return f"fluxes times {factor:g}"

    return change


def miss_flux(table: pd.DataFrame, rng) -> str:
    begin, size = int(rng.integers(0, len(table) // 2)), len(table) // 4
    column = next(c for c in table.columns if c.startswith("NEE_") and not c.endswith("_QC"))
    table.loc[begin : begin + size, column] = -9999
    return f"{size} rows of {column} missing"


def other_flag(table: pd.DataFrame, rng) -> str:
    column = next(c for c in table.columns if c.startswith("NEE_") and c.endswith("_QC"))
    table[column] = table[column] * float(rng.choice([2, 3, 100]))
    return f"{column} of another scale"


def turn_nee(table: pd.DataFrame, rng) -> str:
    column = next(c for c in table.columns if c.startswith("NEE_") and not c.endswith("_QC"))
    table[column] = -table[column]
    return f"{column} positive downward"


def in_table(name: str, change: Callable) -> Damage:
    """Damage a table of a folder: `change(frame, rng)` returns how and the other frame."""

    def apply(folder: Path, rng: np.random.Generator) -> str:
        path = folder / name
        if path.suffix == ".csv":
            how, frame = change(pd.read_csv(path), rng)
            frame.to_csv(path, index=False)
        else:
            how, frame = change(pd.read_parquet(path), rng)
            frame.to_parquet(path, index=False)
        return f"{name}, {how}"

    return apply


def scale(columns, factors):
    def change(frame: pd.DataFrame, rng):
        factor = factors[rng.integers(len(factors))]
        return f"{', '.join(columns)} times {factor:g}", frame.assign(
            **{name: frame[name] * factor for name in columns}
        )

    return change


def add(columns, changes):
    def change(frame: pd.DataFrame, rng):
        step = changes[rng.integers(len(changes))]
        return f"{', '.join(columns)} plus {step:g}", frame.assign(
            **{name: frame[name] + step for name in columns}
        )

    return change


def exchange(first: str, second: str):
    def change(frame: pd.DataFrame, rng):
        return f"{first} and {second} exchanged", frame.assign(
            **{first: frame[second], second: frame[first]}
        )

    return change


def roll_dates(columns, low: int, high: int, site: str):
    """Values of other dates under the dates of the table, at each site."""

    def change(frame: pd.DataFrame, rng):
        days = int(rng.choice([-1, 1]) * rng.integers(low, high))
        rolled = frame.groupby(site)[list(columns)].transform(lambda v: np.roll(v, days))
        return f"{', '.join(columns)} moved by {days} days", frame.assign(**rolled)

    return change


def miss(columns, site: str):
    def change(frame: pd.DataFrame, rng):
        begin, size = int(rng.integers(0, 200)), int(rng.integers(20, 100))
        hole = frame.groupby(site).cumcount().between(begin, begin + size)
        return f"{size} days missing", frame.assign(**{n: frame[n].mask(hole) for n in columns})

    return change


WEATHER = ("TA", "TA_MIN", "TA_MAX", "SW_IN")
CO2 = "within the range of real towers, and NEE still is RECO less GPP"
RADIATION_OF_ERA5 = "total_precipitation_sum", "surface_net_solar_radiation_sum"
SITES = (
    Believable("towers, zips", write_towers, read_towers, RANGES, damages={
        "scaled": in_zip("FULLSET_DD", scale_fluxes()),
        "scaled half-hours": in_zip("FULLSET_HH", scale_fluxes()),
        "CO2 and C": in_zip("FULLSET_DD", scale_fluxes(NEAR_FACTORS[:2])),
        "NEE alone scaled": in_zip("FULLSET_DD", scale_fluxes(FACTORS, ("NEE_",))),
        "another sign": in_zip("FULLSET_DD", turn_nee),
        "part missing": in_zip("FULLSET_DD", miss_flux),
        "another flag": in_zip("FULLSET_DD", other_flag),
    }, no_evidence={"CO2 and C": CO2}),
    Believable("site table", write_sites, with_warnings(read_sites), RANGES, damages={
        "scaled": in_table("days.parquet", scale(FLUXES, FACTORS)),
        "CO2 and C": in_table("days.parquet", scale(FLUXES, NEAR_FACTORS)),
        "another sign": in_table("days.parquet", scale(("NEE",), (-1,))),
        "GPP and RECO exchanged": in_table("days.parquet", exchange("GPP_NT", "RECO_NT")),
        "other dates of weather": in_table("days.parquet", roll_dates(WEATHER, 60, 300, "site_id")),
        "other dates of fluxes": in_table("days.parquet", roll_dates(FLUXES, 5, 300, "site_id")),
        "radiation of another unit": in_table(
            "days.parquet", scale(("SW_IN",), (0.0864, 1 / 24, 24, 2.1, 4.6))),
        "too warm or cold": in_table("days.parquet", add(WEATHER[:3], (-30, -20, 15, 20, 30))),
        "kPa or Pa": in_table("days.parquet", scale(("VPD",), (0.1, 100))),
        "another hemisphere": in_table("sites.csv", scale(("lat",), (-1,))),
        "latitude and longitude exchanged": in_table("sites.csv", exchange("lat", "lon")),
        "part missing": in_table("days.parquet", miss((*WEATHER, *FLUXES), "site_id")),
    }, no_evidence={
        "CO2 and C": CO2,
        "other dates of fluxes": "towers differ in the phase of their fluxes by months",
    }),
    Believable("CarbonFluxBench", lambda folder: write_benchmark(folder, 6),
               with_warnings(read_benchmark), RANGES, damages={
        "scaled": in_table(TARGETS, scale(BENCHMARK_FLUXES, FACTORS)),
        "CO2 and C": in_table(TARGETS, scale(BENCHMARK_FLUXES, NEAR_FACTORS)),
        "another sign": in_table(TARGETS, scale(BENCHMARK_FLUXES[2:], (-1,))),
        "GPP and RECO exchanged": in_table(TARGETS, exchange(*BENCHMARK_FLUXES[:2])),
        "rain or radiation scaled": in_table(
            ERA5_LAND, scale(RADIATION_OF_ERA5[:1], (1 / 24, 24, 1000, 1 / 1000))),
        "radiation scaled": in_table(
            ERA5_LAND, scale(RADIATION_OF_ERA5[1:], (1 / 24, 24, 1 / 86400, 1 / 3600))),
        "too warm or cold": in_table(ERA5_LAND, add(("temperature_2m",), (-30, -20, 15, 20, 30))),
        "other dates of weather": in_table(
            ERA5_LAND, roll_dates(("temperature_2m", *RADIATION_OF_ERA5), 60, 300, "site")),
        "another hemisphere": in_table(TARGETS, scale(("lat",), (-1,))),
        "part missing": in_table(ERA5_LAND, miss(("temperature_2m", *RADIATION_OF_ERA5), "site")),
    }, no_evidence={"CO2 and C": CO2}),
)  # fmt: skip
