"""Empirical coverage of the prediction intervals, and skill of the applicability in ranking cells.

Evaluated at held-out towers, which no step of the calibration used, and in the vegetated cells of
the demo Earth, where the truth is known.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import spearmanr
from tqdm import tqdm

from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.evaluation.scores import MIN_DAYS, MIN_QC
from tamflux.evaluation.truth import open_fluxes, read_fluxes
from tamflux.files import atomic_path
from tamflux.grid import Grid
from tamflux.predictors.static import open_static
from tamflux.product.aggregate import mean_of_days
from tamflux.product.metadata import FILLED_WEATHER, MISSING_WEATHER
from tamflux.uncertainty.calibration import LEVEL, LEVELS, Calibration
from tamflux.variables import IGBP_CLASSES, igbp_fraction

log = logging.getLogger("tamflux")

INDICES = ("dissimilarity_index", "expected_error")
"""Indices that rank cells; the applicability is exp(-expected_error)."""

QUANTILES = (0.1, 0.5)
"""Quantiles over sites or cells of the share of days inside the interval."""


def evaluate_intervals(
    predictions: str | Path,
    sites: str | Path,
    calibration: str | Path,
    static: str | Path,
    tiles: Mapping[int, str | Path],
    truth: Mapping[int, str | Path],
    grid: Grid,
    tile_size: int,
    coverage: str | Path,
    ranking: str | Path,
    cells: str | Path,
) -> None:
    """Compute the coverage of the intervals, and rank cells by the expected error.

    Parameters
    ----------
    predictions, sites : path
        From `evaluate_sites`, and `results/samples/sites.csv`.
    calibration : path
        From `tamflux.uncertainty.out_of_fold.calibrate`.
    static : path
        `results/predictors/static.nc`.
    tiles, truth : mapping of year to path
        Predicted fluxes (contract 4) and, on the demo Earth, true ones (contract 5); empty with
        real data.
    grid, tile_size : Grid, int
        The product grid and the cells along one side of a tile.
    coverage : path
        CSV to write: `population` (towers or cells), `flux`, `group` (all or igbp), `value`,
        `level`, `n_locations` (sites or cells), `coverage` (share of all days inside; days of
        cells weighted by land area), `coverage_mean` (mean over locations of their share of days),
        its quantiles `coverage_q10, coverage_q50`, and `half_width` (mean, g m-2 d-1).
    ranking : path
        CSV to write: the columns of `rank_cells`; no rows with real data.
    cells : path
        NetCDF to write: `dissimilarity_index`, `expected_error`, `applicability` and, on the demo
        Earth, `{flux}_rmse` and `{flux}_inside` (share of days) per cell.
    """
    intervals = Calibration.load(calibration)
    with open_static(static) as opened:
        surface = opened.load()
    fields, sums = _sum_cells(intervals, tiles, truth, grid, tile_size)
    rows = _tower_rows(intervals, predictions, sites)
    ranks = []
    if truth:
        weight = grid.cell_area() * surface["land_fraction"].to_numpy()
        rows += _cell_rows(
            sums, weight, _dominant_class(surface), np.isfinite(fields["applicability"])
        )
        ranks = rank_cells(fields)
    with atomic_path(coverage) as partial:
        pd.DataFrame(rows).to_csv(partial, index=False, float_format="%.6g")
    with atomic_path(ranking) as partial:
        columns = ["index", "error", "spearman", "n_cells"]
        pd.DataFrame(ranks, columns=columns).to_csv(partial, index=False, float_format="%.6g")
    data = {name: (("lat", "lon"), values.astype(np.float32)) for name, values in fields.items()}
    with atomic_path(cells) as partial:
        xr.Dataset(data, {"lat": grid.lat, "lon": grid.lon}).to_netcdf(partial)


def rank_cells(fields: Mapping[str, np.ndarray]) -> list[tuple[str, str, float, int]]:
    """Spearman's rank correlation of each index with the true error of vegetated cells.

    Parameters
    ----------
    fields : mapping of str to numpy.ndarray
        (lat, lon) `dissimilarity_index`, `expected_error`, `gross_flux` and `{flux}_rmse`.

    Returns
    -------
    list of tuple
        `index, error, spearman, n_cells`; `error` is the RMSE of a flux, ``mean`` of the three,
        each divided by its mean over cells, or ``mean over gross flux``: that divided by
        gpp + reco.
    """
    known = np.isfinite(fields["expected_error"]) & np.isfinite(fields["gpp_rmse"])
    errors = {flux: fields[f"{flux}_rmse"][known] for flux in FLUX_NAMES}
    errors["mean"] = np.mean([error / error.mean() for error in errors.values()], axis=0)
    errors["mean over gross flux"] = errors["mean"] / np.maximum(fields["gross_flux"][known], 1e-6)
    return [
        (index, name, float(spearmanr(fields[index][known], error).statistic), int(known.sum()))
        for index in INDICES
        for name, error in errors.items()
    ]


def _sum_cells(
    intervals: Calibration,
    tiles: Mapping[int, str | Path],
    truth: Mapping[int, str | Path],
    grid: Grid,
    tile_size: int,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Fields of the cells, and per cell sums over days: `inside` per level, `width`, `days`."""
    gross, distance = np.zeros(grid.shape), np.zeros(grid.shape)
    inside = np.zeros((len(LEVELS), len(FLUX_NAMES), *grid.shape))
    width, square, days = (np.zeros((len(FLUX_NAMES), *grid.shape)) for _ in range(3))
    for year, path in tiles.items():
        store = open_fluxes(path, grid, year)
        distance += store["dissimilarity_index"][:] / len(tiles)
        true = open_fluxes(truth[year], grid, year) if truth else None
        for tile in tqdm(grid.tiles(tile_size), desc=f"intervals {year}", unit="tile"):
            here = (Ellipsis, tile.rows, tile.cols)
            if not np.isfinite(distance[here]).any():
                continue
            fluxes = read_fluxes(store, tile)
            gpp, reco = fluxes[:2]
            quality = store["quality"][tile.rows, tile.cols]
            gross[here] += mean_of_days(gpp + reco, quality & MISSING_WEATHER > 0) / len(tiles)
            if true is None:
                continue
            error = np.abs(read_fluxes(true, tile, fluxes.shape[1]) - fluxes)
            filled = (quality & (FILLED_WEATHER | MISSING_WEATHER)).any()
            memory = store["gap_memory"][:, tile.rows, tile.cols] if filled else None
            for k, flux in enumerate(FLUX_NAMES):
                widths = [
                    intervals.half_width(flux, gpp, reco, level, gap_memory=memory)
                    for level in LEVELS
                ]
                for number, values in enumerate(widths):
                    inside[number, k][here] += (error[k] <= values).sum(axis=0)
                width[k][here] += np.nan_to_num(widths[LEVELS.index(LEVEL)]).sum(axis=0)
                square[k][here] += np.nansum(np.square(error[k], dtype=np.float64), axis=0)
                days[k][here] += np.isfinite(error[k]).sum(axis=0)
    fields = {
        "dissimilarity_index": distance,
        "gross_flux": np.where(np.isfinite(distance), gross, np.nan),
        "expected_error": intervals.expected_error(gross, distance),
        "applicability": intervals.applicability(gross, distance),
    }
    if truth:
        known = (days > 0) & np.isfinite(distance)
        for k, flux in enumerate(FLUX_NAMES):
            count = np.where(known[k], days[k], np.nan)
            fields[f"{flux}_rmse"] = np.sqrt(square[k] / count)
            fields[f"{flux}_inside"] = inside[LEVELS.index(LEVEL), k] / count
    return fields, {"inside": inside, "width": width, "days": days}


def _cell_rows(sums, weight, igbp, vegetated) -> list[dict]:
    """Rows of the coverage table of the cells with vegetation."""
    rows = []
    for group, value, mask in _groups(igbp):
        for k, flux in enumerate(FLUX_NAMES):
            use = mask & vegetated & (sums["days"][k] > 0)
            if not use.any():
                continue
            days, area = sums["days"][k][use], weight[use]
            share = sums["inside"][:, k][:, use] / days
            half = (sums["width"][k][use] * area).sum() / (days * area).sum()
            rows += _rows("cells", flux, group, value, share, days * area, area, half)
    return rows


def _tower_rows(intervals: Calibration, predictions, sites) -> list[dict]:
    """Rows of the coverage table of the held-out towers: all years, as for the scores."""
    frame = pd.read_parquet(
        predictions,
        filters=[("split", "==", "test"), ("model", "==", "tamrl"), ("qc", ">=", MIN_QC)],
    )
    table = pd.read_csv(sites, keep_default_na=False, na_values=[""])
    igbp = frame["site_id"].map(table.set_index("site_id")["igbp"]).to_numpy()
    gpp, reco = frame["gpp"].to_numpy(), frame["reco"].to_numpy()
    rows = []
    for flux in FLUX_NAMES:
        error = np.abs(frame[f"{flux}_obs"].to_numpy() - frame[flux].to_numpy())
        known = np.isfinite(error)
        widths = np.stack([intervals.half_width(flux, gpp, reco, level) for level in LEVELS])
        hit = error <= widths
        for group, value, mask in _groups(igbp):
            code, names = pd.factorize(frame["site_id"][mask & known])
            days = np.bincount(code, minlength=len(names))
            if not (days >= MIN_DAYS).any():
                continue
            long = days >= MIN_DAYS
            share = np.stack([np.bincount(code, h[mask & known], len(names)) for h in hit]) / days
            half = widths[LEVELS.index(LEVEL), mask & known].mean()
            rows += _rows(
                "towers", flux, group, value, share[:, long], days[long], np.ones(long.sum()), half
            )
    return rows


def _rows(population, flux, group, value, share, days, weight, half_width) -> list[dict]:
    """One row per level, from the share (level, location) of the days of each location."""
    return [
        {
            "population": population,
            "flux": flux,
            "group": group,
            "value": value,
            "level": level,
            "n_locations": share.shape[1],
            "coverage": np.average(share[number], weights=days),
            "coverage_mean": np.average(share[number], weights=weight),
            **{f"coverage_q{100 * q:.0f}": np.quantile(share[number], q) for q in QUANTILES},
            "half_width": half_width if level == LEVEL else np.nan,
        }
        for number, level in enumerate(LEVELS)
    ]


def _groups(igbp: np.ndarray) -> list[tuple[str, str, np.ndarray]]:
    """(group, value, mask): all, and each class."""
    classes = [name for name in IGBP_CLASSES if (igbp == name).any()]
    return [("all", "all", np.ones(igbp.shape, bool))] + [("igbp", n, igbp == n) for n in classes]


def _dominant_class(surface: xr.Dataset) -> np.ndarray:
    """(lat, lon) most frequent class of the land of each cell."""
    classes = [name for name in IGBP_CLASSES if name != "WAT"]
    shares = [surface[igbp_fraction(name)].to_numpy() for name in classes]
    return np.array(classes)[np.argmax(shares, axis=0)]
