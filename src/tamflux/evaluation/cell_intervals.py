"""Share of the days, months and years of cells inside their prediction intervals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.evaluation.tower_intervals import QUANTILES
from tamflux.evaluation.truth import open_fluxes, read_fluxes
from tamflux.grid import Grid
from tamflux.product.aggregate import mean_of_days, step_means
from tamflux.product.metadata import FILLED_WEATHER, MISSING_WEATHER
from tamflux.uncertainty.calibration import LEVEL, LEVELS, Calibration
from tamflux.variables import IGBP_CLASSES

SCALES = ("day", "month", "year")


class CellCounts:
    """Sums over days, months and years of each cell.

    Attributes
    ----------
    number : numpy.ndarray
        (scale, flux, lat, lon) days or means with a truth.
    inside : numpy.ndarray
        (scale, flux, level, lat, lon) those inside the interval.
    width : numpy.ndarray
        (scale, flux, lat, lon) sum of their half-widths at `LEVEL`, g C m-2 d-1.
    """

    def __init__(self, shape: tuple[int, int]):
        self.number, self.width = (
            np.zeros((len(SCALES), len(FLUX_NAMES), *shape)) for _ in range(2)
        )
        self.inside = np.zeros((len(SCALES), len(FLUX_NAMES), len(LEVELS), *shape))

    def add(self, intervals, k, here, igbp, error, difficulty, starts, gaps) -> None:
        """Count flux number `k` of a tile; `error` and `difficulty` are (day, row, col)."""
        parts = {"day": [(1, error, difficulty)]}
        for scale, of_scale in starts.items():
            means = (step_means(values, of_scale, gaps) for values in (error, difficulty))
            lengths = np.diff(of_scale)
            parts[scale] = [(n, e[None], d[None]) for n, e, d in zip(lengths, *means, strict=True)]
        for s, scale in enumerate(SCALES):
            for days, errors, estimates in parts[scale]:
                self.number[s, k][here] += np.isfinite(errors).sum(axis=0)
                for number, level in enumerate(LEVELS):
                    width = estimates * intervals.quantile(FLUX_NAMES[k], igbp, days, level)
                    self.inside[s, k, number][here] += (np.abs(errors) <= width).sum(axis=0)
                    if level == LEVEL:
                        width = np.where(np.isfinite(errors), width, 0)
                        self.width[s, k][here] += width.sum(axis=0)


def count_cells(
    intervals: Calibration,
    igbp: np.ndarray,
    tiles: Mapping[int, str | Path],
    truth: Mapping[int, str | Path],
    grid: Grid,
    tile_size: int,
) -> tuple[dict[str, np.ndarray], CellCounts]:
    """Describe the extrapolation of each cell and count its days and means inside the intervals.

    Parameters
    ----------
    intervals : Calibration
        Of the product.
    igbp : numpy.ndarray
        (lat, lon, 17) fractions of the classes in the land.
    tiles, truth, grid, tile_size
        As for `evaluate_intervals`.

    Returns
    -------
    fields : dict
        (lat, lon) `dissimilarity_index, gross_flux, expected_error, applicability`, and with truth
        `{flux}_rmse` and `{flux}_inside`.
    counts : CellCounts
        Zero without truth.
    """
    gross, distance = np.zeros(grid.shape), np.zeros(grid.shape)
    square, counts = np.zeros((len(FLUX_NAMES), *grid.shape)), CellCounts(grid.shape)
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
            gaps = quality & MISSING_WEATHER > 0
            gross[here] += mean_of_days(gpp + reco, gaps) / len(tiles)
            if true is None:
                continue
            errors = read_fluxes(true, tile, fluxes.shape[1]) - fluxes
            filled = (quality & (FILLED_WEATHER | MISSING_WEATHER)).any()
            memory = store["gap_memory"][:, tile.rows, tile.cols] if filled else None
            classes, starts = igbp[tile.rows, tile.cols], _starts(year, len(gpp))
            for k, flux in enumerate(FLUX_NAMES):
                difficulty = intervals.difficulty_estimate(flux, gpp, reco, memory)
                counts.add(intervals, k, here, classes, errors[k], difficulty, starts, gaps)
                square[k][here] += np.nansum(np.square(errors[k], dtype=np.float64), axis=0)
    fields = {
        "dissimilarity_index": distance,
        "gross_flux": np.where(np.isfinite(distance), gross, np.nan),
        "expected_error": intervals.expected_error(gross, distance),
        "applicability": intervals.applicability(gross, distance),
    }
    if truth:
        days = counts.number[0]
        known = (days > 0) & np.isfinite(distance)
        for k, flux in enumerate(FLUX_NAMES):
            count = np.where(known[k], days[k], np.nan)
            fields[f"{flux}_rmse"] = np.sqrt(square[k] / count)
            fields[f"{flux}_inside"] = counts.inside[0, k, LEVELS.index(LEVEL)] / count
    return fields, counts


def pool_cells(
    counts: CellCounts, area: np.ndarray, igbp: np.ndarray, vegetated: np.ndarray
) -> pd.DataFrame:
    """Coverage of all vegetated cells and of those of each class, by land area.

    Parameters
    ----------
    counts : CellCounts
    area : numpy.ndarray
        (lat, lon) land area, m2.
    igbp : numpy.ndarray
        (lat, lon) name of the dominant class.
    vegetated : numpy.ndarray
        (lat, lon) bool.

    Returns
    -------
    DataFrame
        `population` (cells) and the columns of `pool_sites`.
    """
    groups = [("all", "all", vegetated)]
    groups += [("igbp", name, vegetated & (igbp == name)) for name in IGBP_CLASSES]
    rows = []
    for k, flux in enumerate(FLUX_NAMES):
        for group, value, mask in groups:
            for s, scale in enumerate(SCALES):
                use = mask & (counts.number[s, k] > 0)
                if not use.any():
                    continue
                number, weight = counts.number[s, k][use], area[use]
                for position, level in enumerate(LEVELS):
                    share = counts.inside[s, k, position][use] / number
                    half = (counts.width[s, k][use] * weight).sum() / (number * weight).sum()
                    row = {
                        "population": "cells", "flux": flux, "scale": scale, "group": group,
                        "value": value, "level": level, "n_locations": int(use.sum()),
                        "coverage": np.average(share, weights=number * weight),
                        "coverage_mean": np.average(share, weights=weight),
                        "half_width": half if level == LEVEL else np.nan,
                    }  # fmt: skip
                    quantiles = {
                        f"coverage_q{100 * q:.0f}": np.quantile(share, q) for q in QUANTILES
                    }
                    rows.append(row | quantiles)
    return pd.DataFrame(rows)


def _starts(year: int, days: int) -> dict[str, np.ndarray]:
    """First day of each complete month and of the year, and the day after the last."""
    first = np.datetime64(f"{year}-01-01")
    end = (first + days).astype("datetime64[M]")
    months = np.arange(first.astype("datetime64[M]"), end + 1).astype("datetime64[D]")
    starts = (months - first).astype(int)
    return {"month": starts, "year": starts[[0, -1]]}
