"""CarbonFluxBench as samples: gaps of its predictors filled, its splits as columns of the sites."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from tamflux.files import atomic_path
from tamflux.predictors.filling import fill_in_time
from tamflux.predictors.reflectance import compute_indices
from tamflux.readers.carbonfluxbench import ERA5_LAND, read_carbonfluxbench, split_benchmark
from tamflux.readers.modis import BANDS
from tamflux.samples.site_check import find_site_problems
from tamflux.samples.site_series import add_sun, fill_short_gaps, filled_share
from tamflux.variables import FLUXES, IGBP_CLASSES, igbp_fraction

log = logging.getLogger("tamflux")

WEATHER = [name for name, *_ in ERA5_LAND.values()]
BAND_NAMES = [f"refl_b{band}" for band in BANDS]
INDICES = ["ndvi", "evi", "nirv", "lswi"]
BENCHMARK_PREDICTORS = [*WEATHER, "ssrd_pot", "day_length", *BAND_NAMES, *INDICES]
"""Predictors of the samples, in their order."""


def write_carbonfluxbench(
    folder: str | Path, samples_path: str | Path, sites_path: str | Path
) -> None:
    """Write the benchmark as samples (contract 2 in docs/architecture.md).

    Every day from a site's first to its last gets a row. Short gaps of the weather are interpolated
    (`site_series.fill_short_gaps`); longer gaps stay missing. Reflectance is interpolated linearly
    in time between clear days and constant beyond the first and the last, as in the benchmark and
    in the cube. Indices follow from the bands, solar geometry from latitude and date.

    Parameters
    ----------
    folder : path
        The benchmark's files; see `tamflux.readers.carbonfluxbench`.
    samples_path : path
        Parquet to write: `site_id, date`, the `BENCHMARK_PREDICTORS`, `gpp, reco, nee, qc`,
        and `filled`, True on days with a filled or missing value of the weather.
    sites_path : path
        CSV to write: `site_id, lat, lon, igbp, koppen, koppen_group, igbp_*, split_igbp,
        split_koppen`.

    Raises
    ------
    InputError
        As `read_carbonfluxbench`.
    """
    days, sites = read_carbonfluxbench(folder)
    for problem in find_site_problems(days, sites, radiation="ssr"):
        log.warning("%s", problem)
    days = fill_benchmark_days(days, sites)
    sites = sites.merge(split_benchmark(sites), on="site_id")
    fractions = {igbp_fraction(c): (sites["igbp"] == c).astype(float) for c in IGBP_CLASSES}
    sites = sites.merge(filled_share(days), on="site_id")
    with atomic_path(samples_path) as path:
        days.to_parquet(path, index=False)
    with atomic_path(sites_path) as path:
        sites.assign(**fractions).to_csv(path, index=False)
    log.info("%d sites, %d days, %d with fluxes", len(sites), len(days), days["nee"].notna().sum())


def fill_benchmark_days(days: pd.DataFrame, sites: pd.DataFrame) -> pd.DataFrame:
    """Days with gaps filled as in `write_carbonfluxbench`, with solar geometry and indices.

    Parameters
    ----------
    days, sites : DataFrame
        From `read_carbonfluxbench`.
    """
    days = days.assign(filled=days[WEATHER].isna().any(axis=1))
    by_site = days.groupby("site_id", sort=False)
    days = days.assign(**{name: by_site[name].transform(fill_short_gaps) for name in WEATHER})
    bands = days[BAND_NAMES].to_numpy(np.float32)
    for rows in by_site.indices.values():
        bands[rows] = _fill_cloudy_days(bands[rows], days["date"].to_numpy("datetime64[D]")[rows])
    days[BAND_NAMES] = bands
    days = days.assign(**compute_indices(dict(zip(BANDS, bands.T, strict=True)), INDICES))
    days = add_sun(days, sites)
    numbers = [*BENCHMARK_PREDICTORS, *FLUXES, "qc"]
    return days[["site_id", "date", *numbers, "filled"]].astype(dict.fromkeys(numbers, np.float32))


def _fill_cloudy_days(bands: np.ndarray, dates: np.ndarray) -> np.ndarray:
    """(day, band) reflectance of a site, interpolated between its clear days."""
    clear = np.isfinite(bands).all(axis=1)
    if not clear.any():
        return np.full_like(bands, np.nan)
    filled, _ = fill_in_time(bands[clear].T[:, :, None], dates[clear], dates)
    return filled[:, :, 0].T
