"""Where downloads go: the folders and names that the paths of `inputs` then match."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from tamflux.demo_earth.layout import ROOT
from tamflux.errors import ConfigError
from tamflux.readers.era5_variables import ACCUMULATED, RAW, raw_variables
from tamflux.variables import METEOROLOGY

MANIFESTS = "results/download"
"""What was downloaded, with sizes and checksums."""
_STATISTIC = {"min": "daily_minimum", "max": "daily_maximum"}


def cube_years(config: Mapping[str, Any]) -> list[int]:
    """Years that need ERA5 and MODIS files."""
    years = config["years"]
    return sorted({*years["train"], *years["product"], *years["lookback"]})


def era5_roles(config: Mapping[str, Any]) -> list[str]:
    """Raw variables and daily statistics (`t2m_min`) that the predictors are made of."""
    kind = config["inputs"]["era5"]["kind"]
    wanted = [name for name in config["predictors"]["variables"] if name in METEOROLOGY]
    return sorted({role for name in wanted for role in raw_variables(kind, name)})


def era5_name(role: str) -> str:
    """The Climate Data Store's name of a raw variable, `2m_temperature` for `t2m_min`."""
    return RAW[role.split("_")[0]].names[-1]


def era5_statistic(role: str) -> str:
    """The daily statistic that a raw variable is asked for."""
    extreme = role.partition("_")[2]
    return _STATISTIC.get(extreme, "daily_sum" if role in ACCUMULATED else "daily_mean")


def era5_files(config: Mapping[str, Any], role: str, year: int) -> dict[tuple[int, int], Path]:
    """Files of one raw variable and year, by year and month (month 0: the whole year).

    Daily statistics come a year a file, hours a month a file. The last accumulated hour of a year
    is stamped 00 UTC of the next one: where that year is not downloaded itself, its January is.
    """
    kind, path = config["inputs"]["era5"]["kind"], config["inputs"]["era5"]["path"]
    if kind == "daily_statistics":
        name = f"{era5_name(role)}_{era5_statistic(role)}_{year}.nc"
        return {(year, 0): _place(path, year, name, "inputs.era5.path")}
    months = [(year, month) for month in range(1, 13)]
    if role in ACCUMULATED and year + 1 not in cube_years(config):
        months.append((year + 1, 1))
    return {
        (y, m): _place(path, y, f"{era5_name(role)}_{y}_{m:02d}.nc", "inputs.era5.path")
        for y, m in months
    }


def modis_folder(config: Mapping[str, Any], year: int) -> Path:
    """Folder of a year's MODIS files; they keep the names they are delivered under."""
    modis = config["inputs"]["modis"]
    name = f"{modis['product']}.A{year}001.061.{year + 1}001000000.hdf"
    return _place(modis["path"], year, name, "inputs.modis.path").parent


def manifests(config: Mapping[str, Any]) -> list[str]:
    """Manifests of all downloads of a configuration: one a job.

    Raises
    ------
    ConfigError
        If a path names no folder to download to.
    """
    years, roles = cube_years(config), era5_roles(config)
    for year in years:
        modis_folder(config, year)
        for role in roles:
            era5_files(config, role, year)
    return [
        *(f"{MANIFESTS}/era5/{role}_{year}.csv" for role in roles for year in years),
        *(f"{MANIFESTS}/modis/{year}.csv" for year in years),
        f"{MANIFESTS}/landcover.csv",
    ]


def vanished(manifest: str | Path) -> list[str]:
    """Files of a manifest that are not there any more; empty if there is no manifest."""
    if not Path(manifest).exists():
        return []
    with open(manifest, newline="") as file:
        return [row["file"] for row in csv.DictReader(file) if not Path(row["file"]).exists()]


def _place(path: str, year: int, name: str, key: str) -> Path:
    """Path of a downloaded file, in the folder that a path of `inputs` names."""
    if path.startswith(ROOT):
        raise ConfigError(
            f"{key} leads to the demo Earth, which is simulated, not downloaded", found=path,
            fix="add --configfile with paths of your own, such as workflow/config/europe.yaml",
        )  # fmt: skip
    pattern = path.replace("{year}", str(year))
    folder = Path(pattern).parent
    if any(sign in str(folder) for sign in "*?[") or not fnmatch(str(folder / name), pattern):
        raise ConfigError(
            f"{key} names no folder to download to",
            found=path,
            expected=f"a folder without wildcards, and a name that {name} matches",
            fix=f"write it like data/{key.split('.')[1]}/{{year}}/*{Path(name).suffix}",
        )
    return folder / name
