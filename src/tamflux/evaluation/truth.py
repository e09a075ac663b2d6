"""Compare the product with the true fluxes of the demo Earth, also far from the towers.

Every land cell and day counts, weighted by land area. Tiles are read one by one; scores follow from
sums per cell.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
import zarr
from scipy.spatial import cKDTree
from tqdm import tqdm

from tamflux.errors import ContractError
from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.evaluation.seasonal_cycle import fit_cycle, predict_cycle
from tamflux.files import atomic_path
from tamflux.grid import EARTH_RADIUS_M, Grid
from tamflux.predictors.static import open_static
from tamflux.variables import IGBP_CLASSES, KOPPEN_CLASSES, igbp_fraction

log = logging.getLogger("tamflux")

DISTANCES_KM = (0, 250, 500, 1000, 2000, np.inf)
"""Bounds of the classes of distance to the nearest training tower."""

SUMS = ("n", "t", "tt", "p", "ee")
"""Per cell: number of days, sums of truth t, t², prediction p, squared error."""


def evaluate_truth(
    truth: Mapping[int, str | Path],
    tiles: Mapping[str, Mapping[int, str | Path]],
    predictions: str | Path,
    sites: str | Path,
    static: str | Path,
    grid: Grid,
    tile_size: int,
    scores: str | Path,
    maps: str | Path,
) -> None:
    """Score every model in every land cell and write scores and maps.

    Parameters
    ----------
    truth : mapping of year to path
        True fluxes (contract 5) of the product years.
    tiles : mapping of model to mapping of year to path
        Predicted fluxes (contract 4).
    predictions, sites : path
        From `evaluate_sites`, and `results/samples/sites.csv`: the training towers give the mean
        seasonal cycle (`msc`) and the distance to the nearest tower.
    static : path
        `results/predictors/static.nc`.
    grid, tile_size : Grid, int
        The product grid and the cells along one side of a tile, read at once.
    scores : path
        CSV to write: `model, flux, group` (all, igbp, koppen or distance_km), `value` and the
        columns of `scores_from_sums`.
    maps : path
        NetCDF to write: means of truth and models, `r2`, `rmse` per cell, zonal monthly truth.

    Raises
    ------
    ContractError
        If a store does not have the fluxes on the grid.
    """
    with open_static(static) as opened:
        surface = opened.load()
    towers = pd.read_csv(sites, keep_default_na=False, na_values=[""])
    observed = _training_days(predictions)
    towers = towers[towers["site_id"].isin(observed["site_id"].unique())]
    cycle = fit_cycle(observed, towers)
    models = [*tiles, "msc"]
    sums = {model: np.zeros((len(SUMS), len(FLUX_NAMES), *grid.shape)) for model in models}
    months = np.zeros((len(FLUX_NAMES), 12, *grid.shape), np.float32)
    for year, path in truth.items():
        stores = {"truth": open_fluxes(path, grid, year)}
        stores |= {model: open_fluxes(paths[year], grid, year) for model, paths in tiles.items()}
        for tile in tqdm(grid.tiles(tile_size), desc=f"truth {year}", unit="tile", mininterval=5):
            block = surface.isel(lat=tile.rows, lon=tile.cols)
            if not (block["land_fraction"] > 0).any():
                continue
            fluxes = {name: read_fluxes(store, tile) for name, store in stores.items()}
            fluxes["msc"] = _cycle_of_cells(cycle, block, year)
            for model in models:
                n = fluxes[model].shape[1] if model in tiles else fluxes["truth"].shape[1]
                both = fluxes["truth"][:, :n], fluxes[model][:, :n]
                _add(sums[model][..., tile.rows, tile.cols], *both)
            months[..., tile.rows, tile.cols] += _monthly(fluxes["truth"], year) / len(truth)
    weight = grid.cell_area() * surface["land_fraction"].to_numpy()
    groups = _groups(surface, grid, towers)
    table = _scores_by_group(sums, weight, groups)
    with atomic_path(scores) as partial:
        table.to_csv(partial, index=False, float_format="%.6g")
    with atomic_path(maps) as partial:
        _maps(sums, months, weight, grid).to_netcdf(partial)
    log.info("%d land cells scored", int((sums["msc"][0, 0] > 0).sum()))


def scores_from_sums(sums: np.ndarray, weight: np.ndarray) -> dict[str, float]:
    """Scores of one model and flux over some cells, from the sums of each cell.

    Parameters
    ----------
    sums : (5, cell) float64 array
        `SUMS` over the days of each cell.
    weight : (cell,) array
        Land area of each cell, m2.

    Returns
    -------
    dict
        `n_cells`; `area_mkm2`; `r2_daily`, `rmse_daily`, `bias`: all days of all cells pooled,
        weighted by area; `r2_cell`, `rmse_cell`: area-weighted median over cells of the score of
        the days of one cell; `r2_between`: of the cells' means, the skill in space;
        `mean_true`, `mean_predicted`: g m-2 d-1; `total_true`, `total_predicted`: Pg C yr-1.
    """
    keep = (sums[0] > 0) & (weight > 0)
    (n, t, tt, p, ee), w = sums[:, keep], weight[keep]
    if not keep.any():
        return {}
    days = (w * n).sum()
    mean, predicted = t / n, p / n
    true_mean, predicted_mean = (w * mean).sum() / w.sum(), (w * predicted).sum() / w.sum()
    pooled = (w * tt).sum() - (w * t).sum() ** 2 / days
    within = tt - n * mean**2
    varies = within > 1e-9 * np.maximum(tt, 1e-9)
    between = (w * (mean - true_mean) ** 2).sum()
    per_year = 365.25 * 1e-15
    return {
        "n_cells": int(keep.sum()),
        "area_mkm2": w.sum() / 1e12,
        "r2_daily": 1 - (w * ee).sum() / pooled if pooled > 0 else np.nan,
        "rmse_daily": np.sqrt((w * ee).sum() / days),
        "bias": predicted_mean - true_mean,
        "r2_cell": _weighted_median(1 - ee[varies] / within[varies], w[varies]),
        "rmse_cell": _weighted_median(np.sqrt(ee / n), w),
        "r2_between": 1 - (w * (predicted - mean) ** 2).sum() / between if between > 0 else np.nan,
        "mean_true": true_mean,
        "mean_predicted": predicted_mean,
        "total_true": true_mean * w.sum() * per_year,
        "total_predicted": predicted_mean * w.sum() * per_year,
    }


def nearest_tower_km(grid: Grid, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """(lat, lon) great-circle distance of every cell centre to the nearest of some points, km."""

    def unit(lat, lon):
        lat, lon = np.radians(lat), np.radians(lon)
        return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)

    cell_lat, cell_lon = np.meshgrid(grid.lat, grid.lon, indexing="ij")
    chord, _ = cKDTree(unit(np.asarray(lat), np.asarray(lon))).query(unit(cell_lat, cell_lon))
    return 2 * np.arcsin(np.clip(chord / 2, 0, 1)) * EARTH_RADIUS_M / 1000


def _training_days(predictions: str | Path) -> pd.DataFrame:
    """Observations at the training towers: `site_id, date, gpp, reco, nee, qc`."""
    observed = [f"{flux}_obs" for flux in FLUX_NAMES]
    frame = pd.read_parquet(
        predictions,
        columns=["site_id", "date", "qc", *observed],
        filters=[("model", "==", "tamrl_cell"), ("split", "==", "train")],
    )
    return frame.rename(columns=dict(zip(observed, FLUX_NAMES, strict=True)))


def open_fluxes(path: str | Path, grid: Grid, year: int) -> zarr.Group:
    """Open a store of daily fluxes of a year, or of its days so far.

    Raises
    ------
    ContractError
        If it does not have the fluxes on the grid.
    """
    days = 366 if pd.Timestamp(year, 1, 1).is_leap_year else 365
    store = zarr.open_group(path, mode="r")
    for flux in FLUX_NAMES:
        found: tuple[int, ...] = store[flux].shape if flux in store else ()
        if found[1:] != grid.shape or not 0 < found[0] <= days:
            raise ContractError(
                "a store of fluxes does not have the grid and the days of the product",
                file=path, variable=flux, found=found or "no such array",
                expected=(days, *grid.shape), fix="delete it and run snakemake again",
            )  # fmt: skip
    return store


def read_fluxes(store: zarr.Group, tile, days: int | None = None) -> np.ndarray:
    """(3, time, row, col) float32, of the first days or of all."""
    return np.stack([store[flux][:days, tile.rows, tile.cols] for flux in FLUX_NAMES])


def _cycle_of_cells(cycle: np.ndarray, block: xr.Dataset, year: int) -> np.ndarray:
    """(3, time, row, col) baseline of a tile; 0 without vegetated land, as the product."""
    classes = [name for name in IGBP_CLASSES if name != "WAT"]
    fractions = np.zeros((*block["land_fraction"].shape, len(IGBP_CLASSES)))
    for name in classes:
        fractions[..., IGBP_CLASSES.index(name)] = block[igbp_fraction(name)].to_numpy()
    total = fractions.sum(-1, keepdims=True)
    fractions = np.divide(fractions, total, out=np.zeros_like(fractions), where=total > 0)
    fractions[block["vegetated_fraction"].to_numpy() <= 0] = 0
    rows, cols = fractions.shape[:2]
    lat = np.repeat(block["lat"].to_numpy(), cols)
    days = np.arange(f"{year}-01-01", f"{year + 1}-01-01", dtype="datetime64[D]")
    fluxes = predict_cycle(cycle, fractions.reshape(rows * cols, -1), lat, days)
    return np.moveaxis(fluxes.reshape(rows, cols, len(days), 3), (3, 2), (0, 1))


def _add(sums: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> None:
    """Add the days of a tile to its sums (5, 3, row, col)."""
    for k in range(len(FLUX_NAMES)):
        t, p = truth[k].astype(np.float64), predicted[k].astype(np.float64)
        both = np.isfinite(t) & np.isfinite(p)
        t, p = np.where(both, t, 0.0), np.where(both, p, 0.0)
        for s, values in enumerate((both, t, t * t, p, (p - t) ** 2)):
            sums[s, k] += values.sum(0)


def _monthly(fluxes: np.ndarray, year: int) -> np.ndarray:
    """(3, 12, row, col) monthly means of (3, time, row, col)."""
    starts = pd.date_range(f"{year}-01-01", periods=12, freq="MS").day_of_year.to_numpy() - 1
    length = np.diff(np.append(starts, fluxes.shape[1]))
    return np.add.reduceat(fluxes, starts, axis=1) / length[None, :, None, None]


def _groups(
    surface: xr.Dataset, grid: Grid, towers: pd.DataFrame
) -> list[tuple[str, str, np.ndarray]]:
    """(group, value, (lat, lon) mask) of the cells that are scored together."""
    groups = [("all", "all", np.ones(grid.shape, bool))]
    classes = [name for name in IGBP_CLASSES if name != "WAT"]
    dominant = np.argmax([surface[igbp_fraction(name)].to_numpy() for name in classes], axis=0)
    groups += [("igbp", name, dominant == k) for k, name in enumerate(classes)]
    koppen = surface["koppen"].to_numpy()
    main = np.array(["-", *(name[0] for name in KOPPEN_CLASSES)])[np.clip(koppen, 0, 30)]
    groups += [("koppen", name, main == name) for name in "ABCDE"]
    if len(towers):
        distance = nearest_tower_km(grid, towers["lat"], towers["lon"])
        for low, high in pairwise(DISTANCES_KM):
            value = f"{low}-{high}" if np.isfinite(high) else f">{low}"
            groups.append(("distance_km", value, (distance >= low) & (distance < high)))
    return groups


def _scores_by_group(sums: Mapping[str, np.ndarray], weight, groups) -> pd.DataFrame:
    rows = []
    for group, value, mask in groups:
        for model, values in sums.items():
            for k, flux in enumerate(FLUX_NAMES):
                row = scores_from_sums(values[:, k, mask], weight[mask])
                if row:
                    rows.append(
                        {"model": model, "flux": flux, "group": group, "value": value, **row}
                    )
    return pd.DataFrame(rows)


def _maps(sums: Mapping[str, np.ndarray], months: np.ndarray, weight, grid: Grid) -> xr.Dataset:
    data = {}
    where = np.where(np.isfinite(months), weight, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        zonal = (where * np.nan_to_num(months)).sum(-1) / where.sum(-1)
        for k, flux in enumerate(FLUX_NAMES):
            data[f"{flux}_zonal_truth"] = (("month", "lat"), zonal[k], {"units": "g m-2 d-1"})
            for model, values in sums.items():
                n, t, tt, p, ee = values[:, k]
                fields = {"": p / n, "_rmse": np.sqrt(ee / n)}
                within = tt - t**2 / n
                fields["_r2"] = np.where(
                    within > 1e-9 * np.maximum(tt, 1e-9), 1 - ee / within, np.nan
                )
                data[f"{flux}_truth"] = (
                    ("lat", "lon"),
                    (t / n).astype(np.float32),
                    {"units": "g m-2 d-1"},
                )
                for name, field in fields.items():
                    units = {"units": "1" if name == "_r2" else "g m-2 d-1"}
                    data[f"{flux}_{model}{name}"] = (
                        ("lat", "lon"),
                        field.astype(np.float32),
                        units,
                    )
    return xr.Dataset(data, {"lat": grid.lat, "lon": grid.lon, "month": np.arange(1, 13)})


def _weighted_median(values: np.ndarray, weight: np.ndarray) -> float:
    if not values.size:
        return float("nan")
    order = np.argsort(values)
    half = np.cumsum(weight[order]) / weight.sum()
    return float(values[order][np.searchsorted(half, 0.5)])
