"""Scores of the predictions at the held-out towers, and their agreement with the product."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from tamflux.evaluation.metrics import FLUX_NAMES, METRICS, quartiles, score_sites
from tamflux.files import atomic_path
from tamflux.product.netcdf import ROWS_AT_ONCE
from tamflux.variables import KOPPEN_CLASSES

log = logging.getLogger("tamflux")

MIN_QC = 0.8
"""Days count at a held-out site where at least this share was measured or well filled."""

MIN_DAYS = 30
"""A site counts for a flux with at least this many such days."""


def score_models(
    predictions: str | Path,
    sites: str | Path,
    daily: Mapping[int, str | Path],
    site_scores: str | Path,
    scores: str | Path,
    agreement: str | Path,
) -> None:
    """Score the held-out sites, each and as quartiles over all, per IGBP class and Köppen group.

    A day counts where the flux was measured and `qc` is at least `MIN_QC`, a site with at least
    `MIN_DAYS` such days; every training and product year counts, since the site was never
    trained on.

    Parameters
    ----------
    predictions : path
        From `evaluate_sites`.
    sites : path
        `results/samples/sites.csv`.
    daily : mapping of year to path
        Daily product files.
    site_scores : path
        CSV to write: one row per model, site and flux.
    scores : path
        CSV to write: `model, flux, group` (all, igbp or koppen), `value`, `n_sites` and the
        quartiles of each metric.
    agreement : path
        CSV to write: `compare_with_product`.
    """
    frame = pd.read_parquet(predictions, filters=[("split", "==", "test"), ("qc", ">=", MIN_QC)])
    frame = frame.rename(columns={flux: f"{flux}_pred" for flux in FLUX_NAMES})
    frame = frame.rename(columns={f"{flux}_obs": flux for flux in FLUX_NAMES})
    tables = []
    for model, days in frame.groupby("model", sort=False, observed=True):
        table = score_sites(days, min_days=MIN_DAYS)
        table.insert(0, "model", model)
        tables.append(table)
    table = pd.concat(tables, ignore_index=True) if tables else _no_scores()
    known = pd.read_csv(sites, keep_default_na=False, na_values=[""])
    known = known[["site_id", "igbp"]].assign(koppen=known["koppen"].map(_main_climate))
    table = table.merge(known, on="site_id", how="left")
    summary = []
    for group in ("all", "igbp", "koppen"):
        by = ["model"] if group == "all" else ["model", group]
        part = quartiles(table, by=by).rename(columns={group: "value"})
        part.insert(2, "group", group)
        summary.append(part)
    summary = pd.concat(summary, ignore_index=True)
    columns = ["model", "flux", "group", "value", "n_sites"]
    columns += [f"{metric}_q{q}" for metric in METRICS for q in (25, 50, 75)]
    summary = summary.reindex(columns=columns)
    same = compare_with_product(predictions, sites, daily)
    for path, result in ((site_scores, table), (scores, summary), (agreement, same)):
        with atomic_path(path) as partial:
            result.to_csv(partial, index=False, float_format="%.6g")
    log.info("%d held-out sites scored", table["site_id"].nunique())


def compare_with_product(
    predictions: str | Path, sites: str | Path, daily: Mapping[int, str | Path]
) -> pd.DataFrame:
    """Largest difference between the predictions at the towers and the product at their cells.

    Parameters
    ----------
    predictions, sites : path
        From `evaluate_sites`, and `results/samples/sites.csv`.
    daily : mapping of year to path
        Daily product files.

    Returns
    -------
    DataFrame
        `year, flux, n` (site-days compared), `max_abs_difference` in g m-2 d-1.
    """
    table = pd.read_csv(sites, keep_default_na=False, na_values=[""]).sort_values("site_id")
    frame = pd.read_parquet(predictions, filters=[("model", "==", "tamrl_cell")])
    row, col = (table[name].to_numpy() for name in ("row", "col"))
    rows = []
    for year, path in daily.items():
        days = frame[pd.DatetimeIndex(frame["date"]).year == year].sort_values(["site_id", "date"])
        with xr.open_dataset(path) as product:
            for flux in FLUX_NAMES:
                cells = _read_cells(product[flux], row, col)
                difference = np.abs(cells - days[flux].to_numpy().reshape(len(table), -1))
                finite = np.isfinite(difference)
                largest = float(difference[finite].max()) if finite.any() else np.nan
                rows.append((year, flux, int(finite.sum()), largest))
    return pd.DataFrame(rows, columns=["year", "flux", "n", "max_abs_difference"])


def _read_cells(flux: xr.DataArray, row: np.ndarray, col: np.ndarray) -> np.ndarray:
    """(cell, time) series of some cells, read by the bands of the product's chunks."""
    series = np.empty((len(row), flux.sizes["time"]), np.float32)
    for band in np.unique(row // ROWS_AT_ONCE):
        here = row // ROWS_AT_ONCE == band
        start = band * ROWS_AT_ONCE
        block = flux[:, start : start + ROWS_AT_ONCE].to_numpy()
        series[here] = block[:, row[here] - start, col[here]].T
    return series


def _main_climate(koppen: str | float) -> str:
    """Main group A to E of a Köppen class given by name or code, "-" where unknown."""
    if isinstance(koppen, str):
        return koppen[:1] if koppen[:1] in "ABCDE" else "-"
    return KOPPEN_CLASSES[int(koppen) - 1][0] if koppen >= 1 else "-"


def _no_scores() -> pd.DataFrame:
    columns = ["n", *METRICS]
    return pd.DataFrame(columns=["model", "site_id", "flux", *columns]).astype(
        dict.fromkeys(columns, float)
    )
