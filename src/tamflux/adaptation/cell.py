"""A grid cell of a product beside the tower in it: measured days, and fluxes adapted to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from tamflux.adaptation.correction import Correction
from tamflux.adaptation.features import CONDITIONS, daily_conditions
from tamflux.adaptation.tower import MIN_QC, read_tower
from tamflux.errors import ContractError, InputError
from tamflux.predictors.cube import Cube
from tamflux.predictors.monthly import monthly_means
from tamflux.samples.samples import Samples
from tamflux.training.checkpoint import ModelSpec
from tamflux.variables import FLUXES, KOPPEN_CLASSES, VEGETATED, igbp_fraction


def add_measured(site: xr.Dataset, paths: Sequence[str | Path]) -> tuple[str, pd.DataFrame]:
    """The series of a cell with the days that a tower has measured.

    Parameters
    ----------
    site : Dataset
        From `tamflux.product.browse.read_site`, for the point where the tower stands.
    paths : sequence of path
        Files of one tower, in any of the networks' formats.

    Returns
    -------
    str, DataFrame
        The tower's id; `date`, the fluxes of the cell and their `*_pi90_halfwidth`, `*_observed`
        (all g C m-2 d-1), `qc`, and `used`, whether the day is measured well enough to score and
        to adapt (`MIN_QC`, all three fluxes).

    Raises
    ------
    InputError
        If the files are not those of one usable tower, or no such day is in the series.
    """
    names = [f"{flux}{part}" for part in ("", "_pi90_halfwidth") for flux in FLUXES]
    series = site[names].to_dataframe()[names].rename_axis("date").reset_index()
    days, row = read_tower(paths, _describe(site))
    columns = {flux: f"{flux}_observed" for flux in FLUXES}
    measured = days[["date", *FLUXES, "qc"]].rename(columns=columns)
    table = series.merge(measured, on="date", how="left", validate="one_to_one")
    used = (table["qc"] >= MIN_QC) & np.isfinite(table[[*FLUXES, *columns.values()]]).all(axis=1)
    if not used.any():
        first, last = (f"{day:%Y-%m-%d}" for day in series["date"].iloc[[0, -1]])
        raise InputError(
            "the tower has no well measured day in the years of the product",
            file=paths[0], found=f"{row['first']} to {row['last']}",
            expected=f"days from {first} to {last} with all fluxes and QC of at least {MIN_QC}",
            fix="take a product of the tower's years, or another file",
        )  # fmt: skip
    return str(row["site_id"]), table.assign(used=used)


def _describe(site: xr.Dataset) -> dict[str, object]:
    """Position of the point; class and climate are those of the cell."""
    shares = {name: float(site.get(igbp_fraction(name), 0)) for name in VEGETATED}
    koppen = site.attrs["koppen"]
    return {
        "lat": site.attrs["requested_lat"],
        "lon": site.attrs["requested_lon"],
        "igbp": max(shares, key=lambda name: shares[name]),
        "koppen": koppen if koppen in KOPPEN_CLASSES else None,
    }


def adapt_cell(
    table: pd.DataFrame,
    cubes: Sequence[str | Path],
    lat: float,
    lon: float,
    correction: Correction,
    spec: ModelSpec,
) -> pd.DataFrame:
    """Correct the fluxes of a cell with the measured days of the tower in it.

    Parameters
    ----------
    table : DataFrame
        From `add_measured`.
    cubes : sequence of path
        Predictors of the years of the series and of the year before (contract 1); without that
        one the first days stand in.
    lat, lon : float
        Centre of the cell, degrees.
    correction : Correction
        How the errors of sites differ (`Correction.load`).
    spec : ModelSpec
        Of the model that the correction was learnt with: scaling of the predictors.

    Returns
    -------
    DataFrame
        The table with `*_adapted` and `*_adapted_pi90_halfwidth`, g C m-2 d-1; missing where the
        cell's fluxes are.

    Raises
    ------
    ContractError
        If the cubes do not hold the days of the series.
    """
    samples, scaling = _read_samples(cubes, lat, lon, spec)
    rows = pd.Index(samples.date.astype("datetime64[ns]")).get_indexer(table["date"])
    if (rows < 0).any():
        raise ContractError(
            "the predictors do not hold all days of the series", file=cubes[0],
            found=f"{(rows < 0).sum()} days without predictors", expected="every day",
            fix="adapt where the run that made the product lies, with its results/predictors",
        )  # fmt: skip
    conditions = daily_conditions(samples, *scaling)[rows]
    fluxes = table[list(FLUXES)].to_numpy(float)
    observed = table[[f"{flux}_observed" for flux in FLUXES]].to_numpy(float)
    used = table["used"].to_numpy()
    own = correction.adapt(fluxes[used], observed[used], conditions[used])
    adapted, half_width = own.apply(fluxes, conditions)
    table = table.copy()
    table[[f"{flux}_adapted" for flux in FLUXES]] = adapted
    table[[f"{flux}_adapted_pi90_halfwidth" for flux in FLUXES]] = half_width
    return table


def _read_samples(
    cubes: Sequence[str | Path], lat: float, lon: float, spec: ModelSpec
) -> tuple[Samples, np.ndarray]:
    """Days of a cell with the predictors of the conditions, and (2, predictor) their scaling."""
    opened = [Cube.open(path) for path in cubes]
    cell = opened[0].grid.locate(lat, lon)
    if cell is None:
        raise ContractError(
            "the cell lies outside of the predictors", file=cubes[0], found=f"lat {lat}, lon {lon}",
            fix="take the product and the predictors of one run",
        )  # fmt: skip
    names = [
        name for name in dict.fromkeys(name for name, _ in CONDITIONS)
        if name in spec.predictors and all(name in cube.variables for cube in opened)
    ]  # fmt: skip
    row, col = (np.array([index]) for index in cell)
    averaged = [number for number, name in enumerate(names) if name in spec.monthly]
    parts = [
        monthly_means(cube.read_cells(row, col, names)[0], cube.time, averaged) for cube in opened
    ]
    x, date = np.concatenate(parts), np.concatenate([cube.time for cube in opened])
    columns = [spec.predictors.index(name) for name in names]
    samples = Samples(
        sites=pd.DataFrame({"site_id": ["cell"], "lat": [lat]}), site=np.zeros(len(x), int),
        date=date, x=x, y=np.full((len(x), len(FLUXES)), np.nan, np.float32),
        qc=np.zeros(len(x), np.float32), static=np.zeros((1, 0), np.float32),
        predictors=tuple(names), static_features=(),
    )  # fmt: skip
    return samples, np.array([spec.mean, spec.sd])[:, columns]
