"""Our product beside those of others: on one grid, one mask, one year."""

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
from tamflux.readers.reference_product import ReferenceYear, derived, open_reference

log = logging.getLogger("tamflux")


def regrid_reference(
    reference: Mapping[str, Any],
    files: Mapping[int, Sequence[str | Path]],
    grid: Grid,
    output: str | Path,
) -> None:
    """Bring a product of others to the months and the grid of ours.

    Parameters
    ----------
    reference : mapping
        An entry of `validation.references`.
    files : mapping of year to paths
        The product's files of each product year.
    grid : Grid
        The grid of our product.
    output : path
        NetCDF file to write: `gpp, reco, nee` (month, lat, lon) in g m-2 d-1, means over the
        years; where the product lacks one of three it follows from the other two
        (attribute `derived`).

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
    for flux, (first, second, sign) in derived(list(fields)).items():
        fields[flux] = fields[first] + sign * fields[second]
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
        {"reference": reference["name"], "years": ", ".join(map(str, files))},
    )
    with atomic_path(output) as partial:
        dataset.to_netcdf(partial)


def regrid_months(reference: ReferenceYear, grid: Grid) -> np.ndarray:
    """(12, lat, lon) area means of each month over the cells of `grid`, NaN where there is none.

    Only cells with a value count, by their area and, where the file has it, land fraction: the
    mean is one over land, as ours is.
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
    """Totals and differences over the cells that both products have.

    Parameters
    ----------
    references : sequence of path
        From `regrid_reference`.
    monthly : sequence of path
        Our monthly files of `years`.
    weight : (lat, lon) array
        Land area of the cells, m2.

    Returns
    -------
    table : DataFrame
        A row per reference and flux: `reference, flux, derived, years, area_mkm2` and
        `area_share` (of our land) of the compared cells; `ours, theirs` (Pg C yr-1, the same
        cells and land area); `correlation` of annual means, `rmse` of months (g m-2 d-1), both
        weighted by area.
    fields : dict of reference to flux to (ours, theirs)
        (12, lat, lon) months on the common cells, NaN elsewhere.
    """
    ours = {flux: monthly_means(monthly, flux) for flux in FLUX_NAMES}
    rows = []
    fields: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    for path in references:
        with xr.open_dataset(path) as dataset:
            name, fields[dataset.attrs["reference"]] = dataset.attrs["reference"], {}
            for flux in (f for f in FLUX_NAMES if f in dataset):
                theirs = dataset[flux].to_numpy().astype(float)
                both = np.isfinite(ours[flux]).all(0) & np.isfinite(theirs).all(0) & (weight > 0)
                pair = np.where(both, ours[flux], np.nan), np.where(both, theirs, np.nan)
                fields[name][flux] = pair
                rows.append(
                    {"reference": name, "flux": flux, "derived": int(dataset[flux].derived),
                     "years": dataset.attrs["years"], **compare(*pair, weight, years)}
                )  # fmt: skip
    return pd.DataFrame(rows), fields


def compare(ours, theirs, weight: np.ndarray, years: Sequence[int]) -> dict[str, float]:
    """Numbers of one flux, see `compare_references`; both fields have the same cells."""
    length = month_lengths(years)
    both = np.isfinite(ours[0])
    area = weight[both]
    row = {"area_mkm2": area.sum() / 1e12, "area_share": area.sum() / weight.sum()}
    if not both.any():
        return row | dict.fromkeys(("ours", "theirs", "correlation", "rmse"), np.nan)
    ours, theirs = ours[:, both], theirs[:, both]
    year = [np.average(x, axis=0, weights=length) for x in (ours, theirs)]
    row |= {
        name: (mean * area).sum() * length.sum() * 1e-15
        for name, mean in zip(("ours", "theirs"), year, strict=True)
    }
    a, b = (mean - np.average(mean, weights=area) for mean in year)
    scale = np.sqrt(np.average(a * a, weights=area) * np.average(b * b, weights=area))
    row["correlation"] = np.average(a * b, weights=area) / scale if scale > 0 else np.nan
    square = np.average((ours - theirs) ** 2, axis=0, weights=length)
    return row | {"rmse": np.sqrt(np.average(square, weights=area))}


def month_lengths(years: Sequence[int]) -> np.ndarray:
    """(12,) days of each month, mean over years."""
    lengths = [[calendar.monthrange(year, m)[1] for m in range(1, 13)] for year in years]
    return np.mean(lengths, axis=0)
