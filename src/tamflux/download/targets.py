"""Target files of downloads: folders and names that the paths of `inputs` match."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tamflux.demo_earth.layout import ROOT
from tamflux.errors import ConfigError
from tamflux.files import matches
from tamflux.readers.era5_variables import ACCUMULATED, RAW, raw_variables_of
from tamflux.variables import METEOROLOGY

MANIFESTS = "results/download"
"""Folder of the lists of downloaded files, with sizes and checksums."""
_STATISTIC = {"min": "daily_minimum", "max": "daily_maximum"}


def cube_years(config: Mapping[str, Any]) -> list[int]:
    """Years that need ERA5 and MODIS files."""
    years = config["years"]
    return sorted({*years["train"], *years["product"], *years["lookback"]})


def era5_raw_variables(config: Mapping[str, Any]) -> list[str]:
    """Raw variables that the predictors are made of, `t2m_min` for a daily minimum."""
    dataset_type = config["inputs"]["era5"]["kind"]
    wanted = [name for name in config["predictors"]["variables"] if name in METEOROLOGY]
    needed = (raw_variables_of(dataset_type, name) for name in wanted)
    return sorted({variable for names in needed for variable in names})


def era5_name(variable: str) -> str:
    """The Climate Data Store's name of a raw variable, `2m_temperature` for `t2m_min`."""
    return RAW[variable.split("_")[0]].names[-1]


def era5_statistic(variable: str) -> str:
    """Daily statistic to request for a raw variable."""
    extreme = variable.partition("_")[2]
    return _STATISTIC.get(extreme, "daily_sum" if variable in ACCUMULATED else "daily_mean")


def era5_targets(
    config: Mapping[str, Any], variable: str, year: int
) -> dict[tuple[int, int], Path]:
    """Files of one raw variable and year, by year and month (month 0: the full year).

    Daily statistics are downloaded as one file a year, hours as one file a month. The last
    accumulated hour of a year has the timestamp 00 UTC of the next year: its January is downloaded
    as well, unless the next year is downloaded anyway.
    """
    dataset_type, path = config["inputs"]["era5"]["kind"], config["inputs"]["era5"]["path"]
    if dataset_type == "daily_statistics":
        name = f"{era5_name(variable)}_{era5_statistic(variable)}_{year}.nc"
        return {(year, 0): _target(path, year, name, "inputs.era5.path")}
    months = [(year, month) for month in range(1, 13)]
    if variable in ACCUMULATED and year + 1 not in cube_years(config):
        months.append((year + 1, 1))
    return {
        (y, m): _target(path, y, f"{era5_name(variable)}_{y}_{m:02d}.nc", "inputs.era5.path")
        for y, m in months
    }


def modis_folder(config: Mapping[str, Any], year: int) -> Path:
    """Folder of a year's MODIS files, which keep NASA's names."""
    modis = config["inputs"]["modis"]
    name = f"{modis['product']}.A{year}001.061.{year + 1}001000000.hdf"
    return _target(modis["path"], year, name, "inputs.modis.path").parent


def manifests(config: Mapping[str, Any]) -> list[str]:
    """Manifests of all downloads of a configuration, one per job.

    Raises
    ------
    ConfigError
        If a path does not name a folder to download to.
    """
    years, variables = cube_years(config), era5_raw_variables(config)
    for year in years:
        modis_folder(config, year)
        for variable in variables:
            era5_targets(config, variable, year)
    return [
        *(f"{MANIFESTS}/era5/{name}_{year}.csv" for name in variables for year in years),
        *(f"{MANIFESTS}/modis/{year}.csv" for year in years),
        f"{MANIFESTS}/landcover.csv",
    ]


def missing_files(manifest: str | Path) -> list[str]:
    """Files of a manifest that no longer exist; empty if there is no manifest."""
    if not Path(manifest).exists():
        return []
    with open(manifest, newline="") as file:
        return [row["file"] for row in csv.DictReader(file) if not Path(row["file"]).exists()]


def _target(path: str, year: int, name: str, key: str) -> Path:
    """Path of a downloaded file in the folder named by a path of `inputs`."""
    if path.startswith(ROOT):
        raise ConfigError(
            f"{key} is that of the demo Earth, which is simulated, not downloaded", found=path,
            fix="add --configfile with paths of your own, such as workflow/config/europe.yaml",
        )  # fmt: skip
    pattern = path.replace("{year}", str(year))
    folder = Path(pattern).parent
    if any(sign in str(folder) for sign in "*?") or not matches(str(folder / name), pattern):
        raise ConfigError(
            f"{key} names no folder to download to", found=path,
            expected=f"a folder without wildcards, and a name that {name} matches",
            fix=f"write it like data/{key.split('.')[1]}/{{year}}/*{Path(name).suffix}",
        )  # fmt: skip
    return folder / name
