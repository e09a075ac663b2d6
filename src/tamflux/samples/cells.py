"""Land cells without towers as samples; the true fluxes of the demo Earth are the observations."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import zarr

from tamflux.errors import ContractError
from tamflux.files import atomic_path
from tamflux.grid import Grid
from tamflux.predictors.cube import Cube
from tamflux.predictors.static import IGBP_FRACTIONS, extra_statics, open_static
from tamflux.samples.extract import gather_cell_days, read_cell_series, write_samples
from tamflux.variables import FLUXES, KOPPEN_CLASSES

log = logging.getLogger("tamflux")


def draw_cells(
    static: str | Path, grid: Grid, target: str | Path, *, cells: int, seed: int
) -> None:
    """Draw cells with vegetated land at random, in proportion to their land area.

    The sample is systematic (Madow 1949, Ann. Math. Stat. 20, 333): equal steps from a random start
    along the cumulative land area of all cells, from south to north. The mean over the cells,
    weighted by `weight`, estimates the mean over land area.

    Parameters
    ----------
    static : path
        `results/predictors/static.nc`.
    grid : Grid
        Grid of the file.
    target : path
        CSV to write (contract 2): `site_id, lat, lon, row, col, igbp` (largest class on land),
        `koppen`, the class fractions, `land_fraction`, `vegetated_fraction`, `weight` (number of
        times the cell was drawn; above 1 only where most cells are drawn), `extra_*`.
    cells : int
        Number of draws.
    seed : int
        Seed of the random start.

    Raises
    ------
    ContractError
        If the file is broken, of another grid, or without vegetated land.
    """
    surface = open_static(static)
    vegetated = surface["vegetated_fraction"].to_numpy() > 0
    if vegetated.shape != grid.shape or not vegetated.any():
        raise ContractError(
            "no cells can be drawn",
            file=static,
            found=f"{vegetated.shape} cells, {int(vegetated.sum())} with vegetated land",
            expected=f"{grid.shape} cells, some with vegetated land",
            fix="make static.nc again, or set comparison.cells to 0",
        )
    area = np.where(vegetated, grid.cell_area() * surface["land_fraction"].to_numpy(), 0)
    cumulative = np.cumsum(area)
    steps = (np.arange(cells) + np.random.default_rng(seed).random()) / cells * cumulative[-1]
    drawn, weight = np.unique(np.searchsorted(cumulative, steps, "right"), return_counts=True)
    row, col = np.unravel_index(drawn, grid.shape)
    table = pd.DataFrame(
        {"site_id": [f"cell_{r:04d}_{c:04d}" for r, c in zip(row, col, strict=True)]}
    )
    table["lat"], table["lon"], table["row"], table["col"] = grid.lat[row], grid.lon[col], row, col
    columns = [*IGBP_FRACTIONS, "land_fraction", "vegetated_fraction"]
    fractions = pd.DataFrame({name: surface[name].to_numpy()[row, col] for name in columns})
    on_land = fractions[[name for name in IGBP_FRACTIONS if name != "igbp_WAT"]]
    table["igbp"] = on_land.idxmax(axis=1).str.removeprefix("igbp_")
    table["koppen"] = np.array(["", *KOPPEN_CLASSES])[surface["koppen"].to_numpy()[row, col]]
    extra = {name: surface[name].to_numpy()[row, col] for name in extra_statics(surface)}
    table = table.join(fractions).assign(**extra, weight=weight)
    with atomic_path(target) as path:
        table.sort_values("site_id").to_csv(path, index=False)
    log.info("%d of %d land cells drawn", len(table), int((area > 0).sum()))


def extract_cells(
    cube: str | Path, truth: str | Path | None, cells: str | Path, target: str | Path
) -> None:
    """Write the samples of the drawn cells in a year: every day, `qc` 1 where the truth is known.

    Parameters
    ----------
    cube : path
        Predictors of the year.
    truth : path or None
        True fluxes of the year on the same grid (contract 5); None for a year that is only
        look-back window: its fluxes are missing and its `qc` is 0.
    cells : path
        From `draw_cells`.
    target : path
        Parquet to write (contract 2).

    Raises
    ------
    ContractError
        If the cube is broken, or the truth has other days or cells.
    """
    predictors = Cube.open(cube)
    positions = pd.read_csv(cells, usecols=["site_id", "row", "col"])
    rows, cols = positions["row"].to_numpy(), positions["col"].to_numpy()
    table = gather_cell_days(predictors, positions).drop(columns="complete")
    for flux in FLUXES:
        table[flux] = np.full(len(table), np.nan, np.float32)
    if truth is not None:
        store = zarr.open_group(truth, mode="r")
        for flux in FLUXES:
            _check_shape(store, flux, truth, (len(predictors.time), *predictors.grid.shape))
            table[flux] = read_cell_series(store[flux], rows, cols).ravel()
    table["qc"] = table[list(FLUXES)].notna().all(axis=1).astype(np.float32)
    write_samples(table, predictors.units, target)
    log.info("%d cells, %d days with a flux", len(positions), int(table["qc"].sum()))


def _check_shape(store: zarr.Group, flux: str, path: str | Path, expected: tuple) -> None:
    found = store[flux].shape if flux in store else "no such array"
    if found != expected:
        raise ContractError(
            "the truth does not have the grid and the days of the predictors",
            file=path,
            variable=flux,
            found=found,
            expected=expected,
            fix="delete it and run snakemake again",
        )
