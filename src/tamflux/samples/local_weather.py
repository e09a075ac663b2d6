"""Weather of local standard days at the towers, from hourly ERA5.

Hourly files hold the hours of every day, so that the daily values of a local day are computed from
its own 24 hours, by the same formulas and weights as those of the cube. Where it is not possible
(daily files, the day at the edge of a year, accumulations of ERA5-Land, which are read at midnight
alone), the two UTC days are combined instead: `tamflux.samples.local_days`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd

from tamflux.files import atomic_path, scratch_folder
from tamflux.grid import Grid
from tamflux.predictors.era5_cube import derive
from tamflux.predictors.regrid import Weights, regrid_weights
from tamflux.predictors.rounding import round_bits
from tamflux.readers.era5 import Era5Year
from tamflux.readers.era5_variables import ACCUMULATED, raw_variables_of
from tamflux.variables import METEOROLOGY

log = logging.getLogger("tamflux")

BLOCK_BYTES = 50_000_000
MAX_BLOCK_BYTES = 200_000_000
"""Sizes of the block of days of one raw variable that is read at once."""


def extract_local_weather(
    paths: Sequence[str | Path],
    dataset_type: str,
    year: int,
    grid: Grid,
    variables: Sequence[str],
    sites: str | Path,
    target: str | Path,
    may_end_early: bool = False,
    allow_gaps: bool = False,
) -> None:
    """Write the weather of local days at the sites whose days are not UTC days.

    Parameters
    ----------
    paths, dataset_type, year, grid, may_end_early, allow_gaps
        As `tamflux.predictors.era5_cube.prepare_era5`; the dataset type is an hourly one.
    variables : sequence of str
        Predictors of the cube; those that are no meteorology are ignored.
    sites : path
        From `tamflux.samples.extract.write_sample_sites`.
    target : path
        Parquet to write: `site_id, date` and the predictors; a local day that reaches beyond the
        year has no row.

    Raises
    ------
    InputError
        As `prepare_era5`.
    """
    table = pd.read_csv(sites, usecols=["site_id", "row", "col", "day_offset"])
    table = table[table["day_offset"].notna() & (table["day_offset"] != 0)]
    frames = [pd.DataFrame({"site_id": pd.Series(dtype=str), "date": pd.Series(dtype="M8[ns]")})]
    if len(table):
        weather = [name for name in variables if name in METEOROLOGY]
        with (
            scratch_folder(target) as scratch,
            closing(
                Era5Year(
                    paths, dataset_type, year, grid, weather, scratch, may_end_early, allow_gaps
                )
            ) as source,
        ):
            for problem in source.problems:
                raise problem
            hourly = [
                name
                for name in weather
                if all(source.samples_per_day(raw) == 24 for raw in _raw_of(source, name))
            ]
            frames += _read_sites(source, hourly, grid, table)
    with atomic_path(target) as path:
        pd.concat(frames, ignore_index=True).to_parquet(path, index=False)
    log.info("%d: weather of local days at %d sites", year, len(table))


def _raw_of(source: Era5Year, predictor: str) -> tuple[str, ...]:
    return tuple(raw_variables_of(source.dataset_type, predictor))


def _read_sites(
    source: Era5Year, predictors: list[str], grid: Grid, table: pd.DataFrame
) -> list[pd.DataFrame]:
    """Tables of the sites; each raw variable is read once."""
    weights: dict[str, Weights] = {}
    for name in predictors:
        nodes = source.nodes(_raw_of(source, name)[0])
        weights[name] = regrid_weights(*nodes, grid, conservative=name in ACCUMULATED)
    patches = {}
    for name in predictors:
        axes = weights[name]
        for site in table.itertuples():
            patches[name, site.site_id] = axes.lat.sources(site.row), axes.lon.sources(site.col)
    hours: dict[tuple[str, str, str], list[np.ndarray]] = {}
    raw_names = sorted({raw for name in predictors for raw in _raw_of(source, name)})
    for raw in raw_names:
        users = [key for key in patches if raw in _raw_of(source, key[0])]
        for days in source.blocks(raw, 0, BLOCK_BYTES, MAX_BLOCK_BYTES):
            values = source.read(raw, days, daily_mean=False)
            for key in users:
                (rows, _), (cols, _) = patches[key]
                part = values[:, :, rows[:, None], cols]
                hours.setdefault((*key, raw), []).append(part.reshape(-1, *part.shape[2:]))
        source.close()  # frees the chunks held in memory
    start = np.datetime64(f"{source.year}-01-01")
    frames = []
    for site in table.itertuples():
        columns, first, stop = {}, 0, source.days
        for name in predictors:
            series = {
                r: np.concatenate(hours[name, site.site_id, r]) for r in _raw_of(source, name)
            }
            (_, lat_weights), (_, lon_weights) = patches[name, site.site_id]
            weight = lat_weights[:, None] * lon_weights
            columns[name], first, stop = _local_days(name, series, site.day_offset, weight)
        dates = start + np.arange(first, stop)
        frame = pd.DataFrame({"date": dates.astype("datetime64[ns]"), **columns})
        frame.insert(0, "site_id", site.site_id)
        frames.append(frame)
    return frames


def _local_days(
    name: str, series: dict[str, np.ndarray], offset: float, weight: np.ndarray
) -> tuple[np.ndarray, int, int]:
    """(day,) predictor of one grid cell on local days, and the range of the days.

    `series` holds the raw variables (hour, lat, lon) of the UTC year, `weight` (lat, lon) the
    weights of the nodes. Offsets with a fraction of an hour are the mean of the two whole ones.
    """
    n_days = len(next(iter(series.values()))) // 24
    first, stop = (1, n_days) if offset > 0 else (0, n_days - 1)
    values = []
    for hours in sorted({int(np.floor(offset)), int(np.ceil(offset))}):
        local = {
            raw: fields[24 * first - hours : 24 * stop - hours].reshape(-1, 24, *fields.shape[1:])
            for raw, fields in series.items()
        }
        field = derive(name, "hourly", local)
        known = np.isfinite(field)
        share = (weight * known).sum(axis=(1, 2))
        total = (weight * np.where(known, field, 0)).sum(axis=(1, 2))
        with np.errstate(invalid="ignore", divide="ignore"):
            values.append(np.where(share > 1e-3, total / share, np.nan))
    mean = np.mean(values, axis=0).astype(np.float32)
    return round_bits(mean), first, stop
