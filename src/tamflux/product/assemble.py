"""Assemble the daily product file of a year from its tiles."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from tqdm import tqdm

from tamflux.errors import ContractError
from tamflux.grid import Grid
from tamflux.predictors.static import land_classes, open_static
from tamflux.product.acdd import file_attributes
from tamflux.product.aggregate import mean_of_days
from tamflux.product.metadata import FILLED_KOPPEN, FILLED_WEATHER, MISSING_WEATHER, QUANTUM
from tamflux.product.netcdf import FILL, create_product, row_blocks
from tamflux.uncertainty.calibration import Calibration, widened
from tamflux.variables import FLUXES

log = logging.getLogger("tamflux")


def assemble_product(
    tiles: str | Path,
    static: str | Path,
    calibration: str | Path,
    output: str | Path,
    *,
    inputs: str | Path,
    config: Mapping[str, Any],
    threads: int = 1,
) -> None:
    """Write the daily product of a year, or of its days so far, from its tiles.

    GPP, RECO, standard deviations and half-widths are rounded to multiples of `QUANTUM`; NEE is
    the difference of the rounded RECO and GPP. Differences of such multiples are exact in float32,
    so the three close exactly.

    Parameters
    ----------
    tiles : path
        Tile store (contract 4).
    static : path
        Static fields, for the land fraction and the vegetation classes.
    calibration : path
        From `tamflux.uncertainty.out_of_fold.calibrate`, for half-widths and applicability.
    output : path
        NetCDF file to write.
    inputs : path
        Table of the raw files (`tamflux.product.inputs`), for the attributes.
    config : mapping
        Configuration that made the product, for the attributes.
    threads : int
        Threads that deflate the file.

    Raises
    ------
    ContractError
        If a land cell lacks a flux without the flag of missing weather, a water cell has one, or
        the grids differ.
    """
    store = zarr.open_group(Path(tiles), mode="r")
    attrs = dict(store.attrs)
    grid, year = Grid.from_config(attrs), attrs["year"]
    edges = np.datetime64(f"{year}-01-01") + np.arange(store["gpp"].shape[0] + 1)
    land_fraction, igbp, filled_class = _read_static(Path(static), grid)
    intervals = Calibration.load(calibration)
    quality = store["quality"][:] | np.where(filled_class, FILLED_KOPPEN, 0).astype(np.int8)
    gaps = (quality & MISSING_WEATHER > 0) & (land_fraction > 0)
    header = file_attributes("daily", edges, grid, attrs, config, inputs, gaps=int(gaps.sum()))
    with create_product(
        output, grid, edges, "daily", header, land_fraction, quality, threads
    ) as file:
        for rows in tqdm(list(row_blocks(grid)), desc="row blocks", unit="block"):
            land = land_fraction[rows] > 0
            known = _known_days(store, tiles, rows, land, gaps[rows])
            gpp, reco = (_read(store, tiles, name, rows, known) for name in ("gpp", "reco"))
            nee = _read(store, tiles, "nee", rows, known)
            _check_closure(nee, reco - gpp, tiles)
            for name, values in {"gpp": gpp, "reco": reco, "nee": reco - gpp}.items():
                file.write(name, rows, np.where(known, values, FILL))
            on_land = gpp[:, land], reco[:, land]
            filled = (quality[rows] & (FILLED_WEATHER | MISSING_WEATHER)).any()
            memory = store["gap_memory"][:, rows][:, land] if filled else None
            width = np.full(gpp.shape, FILL)
            for flux in FLUXES:
                on_days = intervals.half_width(flux, *on_land, igbp[rows][land], gap_memory=memory)
                width[:, land] = _quantise(on_days)
                file.write(f"{flux}_pi90_halfwidth", rows, np.where(known, width, FILL))
            distance = store["dissimilarity_index"][rows]
            gross_flux = _without_gaps(gpp + reco, gaps[rows])
            if memory is not None:
                gross_flux[:, land] = widened(gross_flux[:, land], memory)
            gross_flux = mean_of_days(gross_flux, gaps[rows])
            applicability = intervals.applicability(gross_flux, distance)
            cells = {"dissimilarity_index": distance, "applicability": applicability}
            for name, values in cells.items():
                file.write(name, rows, np.where(np.isfinite(values), values, FILL))
            del gpp, reco, nee, values, on_land, width
            spread = known & (len(attrs["members"]) > 1)  # one member has none
            for name in (f"{flux}_std" for flux in FLUXES):
                values = _read(store, tiles, name, rows, known)
                file.write(name, rows, np.where(spread, values, FILL))


def _known_days(
    store: zarr.Group, path, rows: slice, land: np.ndarray, gaps: np.ndarray
) -> np.ndarray:
    """Where a row block has fluxes: (row, lon) its land, or (time, row, lon) if days are missing.

    Every cell flagged for missing weather (`gaps`) must lack some days.
    """
    if not gaps.any():
        return land
    values = store["gpp"][:, rows]
    known = np.broadcast_to(land, values.shape).copy()
    known[:, gaps] = np.isfinite(values[:, gaps])
    if idle := np.count_nonzero(known[:, gaps].all(axis=0)):
        raise ContractError(
            "cells are flagged for missing weather and have fluxes on every day", file=path,
            variable="quality", found=f"{idle} cells in rows {rows.start} to {rows.stop - 1}",
            expected="no flux on days without weather", fix="delete the store and run again",
        )  # fmt: skip
    return known


def _without_gaps(gross_flux: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """(time, row, lon) gross flux, on missing days that of the cell's largest day.

    A missing season must not make a cell look more applicable.
    """
    if gaps.any():
        values = gross_flux[:, gaps]
        gross_flux = gross_flux.copy()
        stand_in = np.fmax.reduce(values)
        gross_flux[:, gaps] = np.where(np.isnan(values), stand_in, values)
    return gross_flux


def _read(store: zarr.Group, path, name: str, rows: slice, known: np.ndarray) -> np.ndarray:
    """(time, row, lon) values of a row block, rounded to the quantum, finite where `known`."""
    values = store[name][:, rows]
    if wrong := np.count_nonzero(np.isfinite(values) != known):
        where = f"rows {rows.start} to {rows.stop - 1}"
        raise ContractError(
            "the tiles do not cover the land", file=path, variable=name,
            found=f"{wrong} cell-days in {where}, missing on land or present on water",
            expected="a finite flux on every land cell and day, except those flagged for missing "
            "weather, and none over water",
            fix="delete the store and run snakemake again",
        )  # fmt: skip
    return _quantise(values)


def _quantise(values: np.ndarray) -> np.ndarray:
    return np.round(values * np.float32(1 / QUANTUM)) * np.float32(QUANTUM)


def _check_closure(nee: np.ndarray, difference: np.ndarray, path) -> None:
    gap = np.nanmax(np.abs(nee - difference), initial=0)
    if gap > 2 * QUANTUM:
        raise ContractError(
            "nee is not reco - gpp", file=path, found=f"a difference of {gap:.4f} g m-2 d-1",
            expected=f"at most {2 * QUANTUM:.4f}",
            fix="the model's mean must keep nee = reco - gpp",
        )  # fmt: skip


def _read_static(path: Path, grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Land fraction, classes of the land, and whether the Köppen class is not the cell's own.

    The static fields must lie on the grid of the tiles.
    """
    with open_static(path) as static:
        static = static.transpose("lat", "lon")
        land = static["land_fraction"]
        if land.shape != grid.shape or not np.allclose(land["lat"], grid.lat, atol=1e-6):
            raise ContractError(
                "the static fields lie on another grid than the tiles", file=path,
                variable="land_fraction", found=f"{land.shape} cells",
                expected=f"{grid.shape} cells of {grid}", fix="make both with one configuration",
            )  # fmt: skip
        filled = np.zeros(grid.shape, bool)
        if "koppen_filled" in static:
            filled = static["koppen_filled"].to_numpy() > 0
        return land.to_numpy(), land_classes(static), filled & (land.to_numpy() > 0)
