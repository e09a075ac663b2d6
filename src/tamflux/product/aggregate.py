"""Monthly and annual means of the daily file."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tamflux.predictors.static import land_classes, open_static
from tamflux.product.acdd import aggregate_attributes
from tamflux.product.metadata import (
    CELL_ATTRIBUTES,
    MIN_DAYS_SHARE,
    MISSING_DAYS,
    MISSING_WEATHER,
)
from tamflux.product.netcdf import (
    FILL,
    FILL_DAYS,
    Product,
    ProductWriter,
    create_product,
    open_product,
    row_blocks,
)
from tamflux.uncertainty.calibration import Calibration
from tamflux.variables import FLUXES, IGBP_CLASSES, igbp_fraction

HALF_WIDTH = "_pi90_halfwidth"


def aggregate_product(
    daily: str | Path,
    monthly: str | Path,
    annual: str | Path,
    *,
    static: str | Path,
    calibration: str | Path,
) -> None:
    """Write monthly and annual means of the daily rates, in g m-2 d-1.

    NEE is RECO - GPP of the means. Half-widths are those of means over as many days
    (`Calibration.half_width_of_mean`). Ensemble standard deviations are means of the daily ones, an
    upper bound of those of the mean: the standard deviation of a mean is at most the mean of the
    standard deviations. The annual file of a partial year holds the mean of its days so far. It
    also has the land cover and the climate class of the cells.

    In cells without weather on some days, a monthly mean is that of the days with fluxes and is
    missing where these are fewer than `MIN_DAYS_SHARE` of the month; an annual mean is missing
    where a monthly one is. `missing_days` counts the days without fluxes.

    Parameters
    ----------
    daily : path
        From `assemble_product`.
    monthly, annual : path
        NetCDF files to write.
    static, calibration : path
        As for `assemble_product`.

    Raises
    ------
    ContractError
        If `daily` does not cover a year, or the complete months of a partial year.
    """
    intervals = Calibration.load(calibration)
    with open_static(static) as surface:
        surface = surface.transpose("lat", "lon")
        igbp = land_classes(surface)
        classes = {
            "igbp_fraction": np.stack([surface[igbp_fraction(name)] for name in IGBP_CLASSES]),
            "koppen": surface["koppen"].to_numpy(),
        }
    with open_product(daily) as source, ExitStack() as files:
        first = np.datetime64(f"{source.year}-01-01")
        end = first + len(source.days)
        edges = {
            "monthly": np.arange(first.astype("datetime64[M]"), end.astype("datetime64[M]") + 1),
            "annual": np.array([first, end]),
        }
        targets = []
        for step, path in {"monthly": monthly, "annual": annual}.items():
            bounds = edges[step].astype("datetime64[D]")
            file = files.enter_context(
                create_product(
                    path,
                    source.grid,
                    bounds,
                    step,
                    aggregate_attributes(source.attributes, step, source.year),
                    source.land_fraction,
                    source.quality,
                    classes=classes if step == "annual" else None,
                )
            )
            targets.append((file, (bounds - bounds[0]).astype(int)))
        for rows in tqdm(list(row_blocks(source.grid)), desc="row blocks", unit="block"):
            _write_means(source, targets, rows, intervals, igbp[rows])


def _write_means(
    source: Product,
    targets: list[tuple[ProductWriter, np.ndarray]],
    rows: slice,
    intervals: Calibration,
    igbp: np.ndarray,
) -> None:
    """Write a row block of the monthly and the annual file, given with the first days of steps."""
    (monthly, months), (annual, year) = targets
    for name in CELL_ATTRIBUTES:
        values = source.file[name][rows].filled(FILL)
        for file in (monthly, annual):
            file.write(name, rows, values)
    gaps = (source.quality[rows] & MISSING_WEATHER) > 0
    land = source.land_fraction[rows] > 0
    for part in ("", "_std", HALF_WIDTH):
        means = {}
        for flux in FLUXES:
            days = source.file[f"{flux}{part}"][:, rows].filled(np.nan)
            by_month = step_means(days, months, gaps)
            of_year = step_means(days, year, gaps)
            of_year[:, np.isnan(by_month).any(axis=0)] = np.nan
            if part == HALF_WIDTH:
                by_month = _widths_of_means(intervals, flux, by_month, months, igbp)
                of_year = _widths_of_means(intervals, flux, of_year, year, igbp)
            means[flux] = by_month, of_year
        for number, file in enumerate((monthly, annual)):
            if not part:
                means["nee"][number][:] = means["reco"][number] - means["gpp"][number]
            for flux in FLUXES:
                values = means[flux][number]
                file.write(f"{flux}{part}", rows, np.where(np.isfinite(values), values, FILL))
    missing = np.isnan(days) & gaps  # of the last variable: all lack the same days
    for file, starts in targets:
        counts = np.add.reduceat(missing, starts[:-1], axis=0, dtype=np.int16)
        file.write(MISSING_DAYS, rows, np.where(land, counts, FILL_DAYS))


def _widths_of_means(intervals, flux, widths, starts, igbp) -> np.ndarray:
    """(step, row, col) half-widths of means, from the means of those of their days."""
    lengths = np.diff(starts)
    parts = [
        intervals.half_width_of_mean(flux, width, days, igbp)
        for width, days in zip(widths, lengths, strict=True)
    ]
    return np.stack(parts)


def step_means(days: np.ndarray, starts: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Means of the time steps of daily values.

    Parameters
    ----------
    days : numpy.ndarray
        (day, row, col); NaN where missing.
    starts : numpy.ndarray
        (step + 1,); step i is days starts[i]:starts[i + 1].
    gaps : numpy.ndarray
        (row, col) cells that may lack some days: the mean of the others, where they are at least
        `MIN_DAYS_SHARE` of the step.

    Returns
    -------
    numpy.ndarray
        (step, row, col) float32.
    """
    means = []
    for first, last in pairwise(starts):
        mean = days[first:last].mean(axis=0, dtype=np.float64)
        if gaps.any():
            series = days[first:last, gaps]
            known = np.isfinite(series)
            n = known.sum(axis=0)
            total = np.where(known, series, 0).sum(axis=0, dtype=np.float64)
            enough = n >= MIN_DAYS_SHARE * (last - first)
            mean[gaps] = np.divide(total, n, out=np.full(n.shape, np.nan), where=enough)
        means.append(mean.astype(np.float32))
    return np.stack(means)


def mean_of_days(values: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """(row, col) mean of (day, row, col); in cells with gaps over the days with values."""
    mean = values.mean(axis=0)
    if gaps.any():
        known = np.isfinite(values[:, gaps])
        n, total = known.sum(axis=0), np.where(known, values[:, gaps], 0).sum(axis=0)
        mean[gaps] = np.divide(total, n, out=np.full(n.shape, np.nan, mean.dtype), where=n > 0)
    return mean
