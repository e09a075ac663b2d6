"""ERA5 from the Climate Data Store with its own client, `cdsapi`.

The key stays in the file that `cdsapi` reads (`~/.cdsapirc`). The client waits for the queue,
retries after server errors and resumes interrupted transfers.
"""

from __future__ import annotations

import calendar
import logging
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tamflux.download.fetch import Interrupted, fetch, write_manifest
from tamflux.download.targets import era5_name, era5_statistic, era5_targets
from tamflux.errors import DownloadError, InputError
from tamflux.grid import Grid
from tamflux.readers.cds_files import check_cover, open_netcdf, read_axis
from tamflux.readers.cds_zip import unpack
from tamflux.readers.era5_variables import ACCUMULATED

log = logging.getLogger("tamflux")

DATASETS = {
    "daily_statistics": ("derived-era5-single-levels-daily-statistics", 0.25),
    "hourly": ("reanalysis-era5-single-levels", 0.25),
    "land_hourly": ("reanalysis-era5-land", 0.1),
}
"""Dataset of each type, and degrees between its nodes."""
TRIES, WAIT = 10, 120.0
"""Attempts of one call to the store, and the maximum wait in seconds between two of them."""
PERMANENT = (400, 401, 403, 404)
HOW_TO = "https://cds.climate.copernicus.eu/how-to-api"


def download_era5(
    config: Mapping[str, Any], variable: str, year: int, manifest: str | Path
) -> None:
    """Download one raw variable of a year (`targets.era5_targets`) over `grid.bbox`.

    Raises
    ------
    DownloadError
        If there is no key, the store refuses the request, or it does not deliver.
    """
    dataset_type = config["inputs"]["era5"]["kind"]
    grid = Grid.from_config(config["grid"])
    dataset, spacing = DATASETS[dataset_type]
    files = era5_targets(config, variable, year)
    client = _connect()

    def problem(path: Path) -> str | None:
        return wrong_area(path, grid)

    rows = []
    for (of_year, month), target in files.items():
        request = era5_request(dataset_type, variable, of_year, month, area_of(grid, spacing))

        def write(path: Path, request=request, target=target) -> None:
            _retrieve(client, dataset, request, path, target)

        rows.append(fetch(target, f"{dataset} {request}", write, problem))
    write_manifest(manifest, rows)


def era5_request(
    dataset_type: str, variable: str, year: int, month: int, area: list[float] | None
) -> dict:
    """Request of one file, as the store's own pages write it; month 0 is the full year."""
    months = range(1, 13) if month == 0 else [month]
    days = max(calendar.monthrange(year, m)[1] for m in months)
    request: dict[str, Any] = {
        "variable": [era5_name(variable)],
        "year": str(year),
        "month": [f"{m:02d}" for m in months],
        "day": [f"{day:02d}" for day in range(1, days + 1)],
    }
    if dataset_type != "land_hourly":
        request["product_type"] = "reanalysis"
    if dataset_type == "daily_statistics":
        request |= {
            "daily_statistic": era5_statistic(variable),
            "time_zone": "utc+00:00",
            "frequency": "1_hourly",
        }
    else:
        total = dataset_type == "land_hourly" and variable in ACCUMULATED  # 00 UTC: the day before
        hours = [0] if total else range(24)
        request |= {
            "time": [f"{hour:02d}:00" for hour in hours],
            "data_format": "netcdf",
            "download_format": "unarchived",
        }
    return request | ({} if area is None else {"area": area})


def area_of(grid: Grid, spacing: float) -> list[float] | None:
    """North, west, south, east of the nodes around a grid; None for the globe."""
    west, south, east, north = grid.bbox
    if east - west == 360:
        return None

    def out(value: float, sign: int) -> float:
        return round(sign * math.ceil(round(sign * value / spacing, 6)) * spacing, 6)

    return [
        min(out(north, 1), 90.0), max(out(west, -1), -180.0),
        max(out(south, -1), -90.0), min(out(east, 1), 180.0),
    ]  # fmt: skip


def wrong_area(path: Path, grid: Grid) -> str | None:
    """Problem of a file's structure or area, None if there is none."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            for part in unpack(path, Path(scratch)):
                with open_netcdf(part, path.name) as file:
                    lat, lon = (read_axis(file, n, path.name) for n in ("latitude", "longitude"))
                    check_cover(np.sort(lat), lon, grid, path.name)
        except InputError as error:
            return f"{error.what}: {error.details['found']}"
    return None


def _connect():
    try:
        import cdsapi
    except ImportError as error:
        raise DownloadError(
            "the client of the Climate Data Store is not installed", found=str(error),
            fix='pip install -e ".[download]"',
        ) from error  # fmt: skip
    key_file = os.environ.get("CDSAPI_RC", str(Path.home() / ".cdsapirc"))
    try:
        cdsapi.api.get_url_key_verify(None, None, None)
    except Exception as error:  # cdsapi raises no narrower one
        raise DownloadError(
            "there is no key for the Climate Data Store", file=key_file, found=str(error),
            expected="two lines:  url: https://cds.climate.copernicus.eu/api  and  key: <your key>",
            fix=f"register, accept the data set's licence, and write the file: {HOW_TO}",
        ) from error  # fmt: skip
    return cdsapi.Client(
        quiet=True, progress=False, retry_max=TRIES, sleep_max=WAIT, info_callback=log.info
    )


def _retrieve(client, dataset: str, request: dict, path: Path, target: Path) -> None:
    import requests

    try:
        client.retrieve(dataset, request, str(path))
    except (requests.RequestException, RuntimeError, AssertionError) as error:
        response = getattr(error, "response", None)
        status = None if response is None else response.status_code
        details = {"file": target, "found": str(error) or type(error).__name__}
        if status == 401:
            raise DownloadError(
                "the Climate Data Store does not know the key", **details,
                fix=f"copy the key of your profile page to ~/.cdsapirc: {HOW_TO}",
            ) from error  # fmt: skip
        if status in PERMANENT:
            page = f"https://cds.climate.copernicus.eu/datasets/{dataset}?tab=download"
            raise DownloadError(
                "the Climate Data Store refuses the request", **details,
                fix=f"follow its message; licences are accepted at the foot of {page}",
            ) from error  # fmt: skip
        raise Interrupted("the Climate Data Store did not deliver", **details) from error
