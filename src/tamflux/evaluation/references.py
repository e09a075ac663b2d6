"""Compare the product with reference products on one grid, one mask and the same years."""

from __future__ import annotations

import calendar
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from tamflux.evaluation.means import monthly_means
from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.files import atomic_path
from tamflux.grid import Grid
from tamflux.predictors.regrid import MIN_VALID_WEIGHT, Weights, regrid_weights
from tamflux.readers.reference_check import find_reference_problems
from tamflux.readers.reference_product import ReferenceYear, derived, open_reference

log = logging.getLogger("tamflux")

TOTALS = ("product_total", "reference_total")


def regrid_reference(
    reference: Mapping[str, Any],
    files: Mapping[int, Sequence[str | Path]],
    grid: Grid,
    output: str | Path,
) -> None:
    """Regrid a reference product to monthly means on the grid of the product.

    Parameters
    ----------
    reference : mapping
        An entry of `validation.references`.
    files : mapping of year to paths
        Files of the reference product for each product year.
    grid : Grid
        Grid of the product.
    output : path
        NetCDF file to write: `gpp, reco, nee` (month, lat, lon) in g m-2 d-1, means over the
        years; a flux that the reference lacks follows from the other two
        (attribute `derived`). What contradicts the climate is logged, and in the attribute
        `problems`.

    Raises
    ------
    InputError
        See `open_reference`.
    """
    named = [flux for flux in FLUX_NAMES if flux in reference["variables"]]
    sums = {flux: np.zeros((12, *grid.shape)) for flux in named}
    for year, paths in files.items():
        for flux in sums:
            with open_reference(reference, paths, flux, year) as opened:
                log.info("%s: %s of %d from %s", reference["name"], flux, year, opened.label)
                sums[flux] = sums[flux] + regrid_months(opened, grid)
    fields = {flux: total / len(files) for flux, total in sums.items()}
    problems = find_reference_problems(fields, grid.lat, grid.lon)
    for flux, (first, second, sign) in derived(list(fields)).items():
        fields[flux] = fields[first] + sign * fields[second]
    for problem in problems:
        log.warning("%s: %s", reference["name"], problem)
    dataset = xr.Dataset(
        {
            flux: (
                ("month", "lat", "lon"),
                fields[flux].astype(np.float32),
                {"units": "g m-2 d-1", "derived": int(flux not in sums)},
            )
            for flux in FLUX_NAMES
            if flux in fields
        },
        {"month": np.arange(1, 13), "lat": grid.lat, "lon": grid.lon},
        {"reference": reference["name"], "years": ", ".join(map(str, files)),
         "problems": "; ".join(problems)},
    )  # fmt: skip
    with atomic_path(output) as partial:
        dataset.to_netcdf(partial)


def regrid_months(reference: ReferenceYear, grid: Grid) -> np.ndarray:
    """(12, lat, lon) area means of each month over the cells of `grid`, NaN where there is none.

    Cells with a value are weighted by their area and, where the file has it, land fraction: the
    mean is taken over land, like that of the product.
    """
    with np.errstate(invalid="ignore"):  # cells beyond the source have no weight at all: 0/0
        weights = regrid_weights(reference.lat, reference.lon, grid, conservative=True)
    land = np.float32(1.0) if reference.land is None else reference.land.astype(np.float32)
    sums, days = np.zeros((12, *grid.shape)), np.zeros((12, *grid.shape))
    for step, field in reference.fields():
        here = np.isfinite(field) * land
        share = _apply(here, weights)
        total = _apply(np.nan_to_num(field) * here, weights)
        known = share >= MIN_VALID_WEIGHT
        mean = np.divide(total, share, out=np.zeros(grid.shape), where=known)
        for month in np.flatnonzero(reference.months[:, step]):
            sums[month] += mean * reference.months[month, step]
            days[month] += known * reference.months[month, step]
    return np.divide(sums, days, out=np.full(sums.shape, np.nan), where=days > 0)


def _apply(field: np.ndarray, weights: Weights) -> np.ndarray:
    return np.nan_to_num(weights.lon.apply(weights.lat.apply(field, 0), 1))


def compare_references(
    references: Sequence[str | Path],
    monthly: Sequence[str | Path],
    weight: np.ndarray,
    years: Sequence[int],
) -> tuple[pd.DataFrame, dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]]:
    """Totals and differences over the cells where both products have values.

    Parameters
    ----------
    references : sequence of path
        From `regrid_reference`.
    monthly : sequence of path
        Monthly product files of `years`.
    weight : (lat, lon) array
        Land area of the cells, m2.

    Returns
    -------
    table : DataFrame
        A row per reference and flux: `reference, flux, derived, years, area_mkm2` and
        `area_share` (of the product's land) of the compared cells; `product_total,
        reference_total` (Pg C yr-1, over the same cells and land area); `correlation` of annual
        means, `rmse` of months (g m-2 d-1), both weighted by area.
    fields : dict of reference to flux to (product, reference)
        (12, lat, lon) months on the common cells, NaN elsewhere.
    """
    product = {flux: monthly_means(monthly, flux) for flux in FLUX_NAMES}
    rows = []
    fields: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    for path in references:
        with xr.open_dataset(path) as dataset:
            name, fields[dataset.attrs["reference"]] = dataset.attrs["reference"], {}
            for flux in (f for f in FLUX_NAMES if f in dataset):
                other = dataset[flux].to_numpy().astype(float)
                both = np.isfinite(product[flux]).all(0) & np.isfinite(other).all(0) & (weight > 0)
                pair = np.where(both, product[flux], np.nan), np.where(both, other, np.nan)
                fields[name][flux] = pair
                rows.append(
                    {"reference": name, "flux": flux, "derived": int(dataset[flux].derived),
                     "years": dataset.attrs["years"], "problems": dataset.attrs["problems"],
                     **compare_months(*pair, weight, years)}
                )  # fmt: skip
    return pd.DataFrame(rows), fields


def compare_months(
    product, reference, weight: np.ndarray, years: Sequence[int]
) -> dict[str, float]:
    """Totals and scores of one flux; both (12, lat, lon) fields are finite in the same cells."""
    length = month_lengths(years)
    both = np.isfinite(product[0])
    area = weight[both]
    row = {"area_mkm2": area.sum() / 1e12, "area_share": area.sum() / weight.sum()}
    if not both.any():
        return row | dict.fromkeys((*TOTALS, "correlation", "rmse"), np.nan)
    product, reference = product[:, both], reference[:, both]
    year = [np.average(x, axis=0, weights=length) for x in (product, reference)]
    row |= {
        name: (mean * area).sum() * length.sum() * 1e-15
        for name, mean in zip(TOTALS, year, strict=True)
    }
    a, b = (mean - np.average(mean, weights=area) for mean in year)
    scale = np.sqrt(np.average(a * a, weights=area) * np.average(b * b, weights=area))
    row["correlation"] = np.average(a * b, weights=area) / scale if scale > 0 else np.nan
    square = np.average((product - reference) ** 2, axis=0, weights=length)
    return row | {"rmse": np.sqrt(np.average(square, weights=area))}


def month_lengths(years: Sequence[int]) -> np.ndarray:
    """(12,) days of each month, mean over years."""
    lengths = [[calendar.monthrange(year, m)[1] for m in range(1, 13)] for year in years]
    return np.mean(lengths, axis=0)
