"""Empirical coverage of the prediction intervals, and skill of the applicability in ranking cells.

Evaluated at held-out towers, which no step of the calibration used, and in the vegetated cells of
the demo Earth, where the truth is known.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import spearmanr

from tamflux.evaluation.cell_intervals import count_cells, pool_cells
from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.evaluation.scores import MIN_DAYS, MIN_QC
from tamflux.evaluation.tower_intervals import pool_sites, site_coverage
from tamflux.files import atomic_path
from tamflux.grid import Grid
from tamflux.predictors.static import land_classes, open_static, static_features
from tamflux.uncertainty.calibration import Calibration
from tamflux.variables import IGBP_CLASSES

log = logging.getLogger("tamflux")

INDICES = ("dissimilarity_index", "expected_error")
"""Indices that rank cells; the applicability is exp(-expected_error)."""


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
    without_fold: Sequence[str | Path] = (),
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
        CSV to write: `population` (towers or cells) and the columns of `pool_sites`, with groups
        by IGBP class; days and means of cells weigh by land area.
    ranking : path
        CSV to write: the columns of `rank_cells`; no rows with real data.
    cells : path
        NetCDF to write: `dissimilarity_index`, `expected_error`, `applicability` and, on the demo
        Earth, `{flux}_rmse` and `{flux}_inside` (share of days) per cell.
    without_fold : sequence of path, optional
        Calibrations that leave out a fold of towers each, which are then tested with them.
    """
    intervals = Calibration.load(calibration)
    with open_static(static) as opened:
        surface = opened.load()
    igbp = land_classes(surface)
    fields, counts = count_cells(intervals, igbp, tiles, truth, grid, tile_size)
    of_folds = [Calibration.load(path) for path in without_fold]
    tables = [_tower_table(of_folds or [intervals], predictions, sites)]
    ranks = []
    if truth:
        weight = grid.cell_area() * surface["land_fraction"].to_numpy()
        dominant = np.array(IGBP_CLASSES)[np.argmax(igbp, axis=-1)]
        tables.append(pool_cells(counts, weight, dominant, np.isfinite(fields["applicability"])))
        ranks = rank_cells(fields)
    with atomic_path(coverage) as partial:
        pd.concat(tables).to_csv(partial, index=False, float_format="%.6g")
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


def _tower_table(calibrations: Sequence[Calibration], predictions, sites) -> pd.DataFrame:
    """Coverage of the held-out towers: all years, as for the scores.

    Of several calibrations each is tested at the towers that it leaves out.
    """
    frame = pd.read_parquet(
        predictions,
        filters=[("split", "==", "test"), ("model", "==", "tamrl"), ("qc", ">=", MIN_QC)],
    )
    table = pd.read_csv(sites, keep_default_na=False, na_values=[""])
    igbp = static_features(table)[:, : len(IGBP_CLASSES)]
    predicted = frame[list(FLUX_NAMES)].to_numpy()
    error = frame[[f"{flux}_obs" for flux in FLUX_NAMES]].to_numpy() - predicted
    number = frame["site_id"].map(pd.Series(table.index, table["site_id"])).to_numpy(int)
    date = frame["date"].to_numpy("datetime64[D]")
    of_sites = []
    for each in calibrations:
        use = frame["site_id"].isin(each.about.get("left_out", table["site_id"])).to_numpy()
        days = number[use], date[use], predicted[use], error[use]
        of_sites.append(site_coverage(each, *days, igbp, MIN_DAYS))
    return pool_sites(pd.concat(of_sites), table[["igbp"]]).assign(population="towers")
