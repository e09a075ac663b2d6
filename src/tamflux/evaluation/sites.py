"""Predictions and observations at the towers.

Models are driven by the predictors of the tower's grid cell, as in inference. They are conditioned
on the tower's own IGBP class. The model ``tamrl_cell`` is conditioned on the class fractions of the
grid cell instead: its predictions equal the product at the tower's cell
(`tamflux.evaluation.scores.compare_with_product`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from tamflux.errors import ContractError
from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.evaluation.seasonal_cycle import fit_cycle, predict_cycle
from tamflux.files import atomic_path
from tamflux.predictors.cube import prepend_lookback
from tamflux.predictors.static import open_static, static_table
from tamflux.training.ensemble import Ensemble
from tamflux.variables import IGBP_CLASSES

log = logging.getLogger("tamflux")


def evaluate_sites(
    samples: Mapping[int, str | Path],
    sites: str | Path,
    static: str | Path,
    checkpoints: Mapping[str, Sequence[str | Path]],
    target: str | Path,
    *,
    train_years: Sequence[int],
    product_years: Sequence[int],
    split: str,
    threads: int,
) -> None:
    """Predict every site and every day of the training and product years.

    Parameters
    ----------
    samples : mapping of year to path
        Sample tables (contract 2) of these years and of their look-back windows.
    sites : path
        `results/samples/sites.csv`.
    static : path
        `results/predictors/static.nc`: static inputs of the grid cells, for `tamrl_cell`.
    checkpoints : mapping of model to paths
        Members of `tamrl` and of `lstm`.
    target : path
        Parquet table to write: `site_id, date, split, model` (msc, tamrl, lstm or tamrl_cell),
        `gpp, reco, nee`, their `_std` (NaN where a model has one member) and `_obs`, all
        g m-2 d-1, `qc`.
    split : str
        Name of the hold-out split that the checkpoints were trained with.
    threads : int
        CPU threads; more threads than idle processors slow each other down.

    Raises
    ------
    ContractError
        If samples and sites do not fit each other.
    """
    torch.set_num_threads(threads)
    table = pd.read_csv(sites, keep_default_na=False, na_values=[""]).sort_values("site_id")
    surface = open_static(static)
    role = table[f"split_{split}"].to_numpy()
    cells = np.ravel_multi_index((table["row"], table["col"]), surface["land_fraction"].shape)
    own = static_table(table)
    of_cell = static_table(surface).iloc[cells]
    fractions = (table["igbp"].to_numpy()[:, None] == np.array(IGBP_CLASSES)).astype(float)
    bare = surface["vegetated_fraction"].to_numpy().ravel()[cells] <= 0
    ensembles = {
        model: Ensemble.load([Path(path) for path in paths]) for model, paths in checkpoints.items()
    }
    frames = [_read_year(samples[year], year, table) for year in sorted({*train_years})]
    cycle = fit_cycle(pd.concat(frames), table[role == "train"])
    schema = None
    with atomic_path(target) as partial:
        writer = None
        for year in sorted({*train_years, *product_years}):
            frame = _read_year(samples[year], year, table)
            before = _read_year(samples[year - 1], year - 1, table) if year - 1 in samples else None
            dates = frame["date"].to_numpy()[: len(frame) // len(table)]
            predictions: dict[str, tuple[np.ndarray, np.ndarray | None]] = {
                "msc": (predict_cycle(cycle, fractions, table["lat"].to_numpy(), dates), None)
            }
            described = [(model, ensembles[model], own) for model in ensembles]
            described.append(("tamrl_cell", ensembles["tamrl"], of_cell))
            for model, ensemble, features in described:
                x = prepend_lookback(
                    _features(frame, ensemble.predictors, len(table)),
                    None if before is None else _features(before, ensemble.predictors, len(table)),
                    days=ensemble.lookback_days,
                )
                prediction = ensemble.predict(
                    x, features[list(ensemble.static_features)].to_numpy()
                )
                predictions[model] = (prediction.mean, prediction.std)
            for model, (mean, std) in predictions.items():
                if std is not None and len(checkpoints[model.removesuffix("_cell")]) < 2:
                    std = None
                if model == "tamrl_cell":  # as in the product
                    mean = np.where(bare[:, None, None], 0.0, mean)
                rows = pa.Table.from_pandas(
                    _rows(frame, role, model, mean, std), schema=schema, preserve_index=False
                )
                if writer is None:
                    schema = rows.schema
                    writer = pq.ParquetWriter(partial, schema)
                writer.write_table(rows)
            log.info("%d: %d sites, %d days", year, len(table), len(dates))
        if writer is not None:
            writer.close()


def _read_year(path: str | Path, year: int, sites: pd.DataFrame) -> pd.DataFrame:
    """One year of samples, sorted by site and day; every site must have every day so far."""
    frame = pd.read_parquet(path).sort_values(["site_id", "date"], ignore_index=True)
    found = frame["date"].to_numpy().astype("datetime64[D]")
    days = np.arange(f"{year}-01-01", f"{year + 1}-01-01", dtype="datetime64[D]")
    days = days[: found.max(initial=days[0]).item().timetuple().tm_yday]
    expected = len(sites) * len(days)
    if (
        len(frame) != expected
        or not (frame["site_id"].unique() == sites["site_id"].to_numpy()).all()
        or not (found.reshape(len(sites), -1) == days).all()
    ):
        raise ContractError(
            "the sample table does not hold every day of every site", file=path,
            found=f"{len(frame)} rows, {frame['site_id'].nunique()} sites",
            expected=f"{expected} rows: {len(sites)} sites x {len(days)} days of {year}",
            fix="delete it and run snakemake again",
        )  # fmt: skip
    return frame


def _features(frame: pd.DataFrame, predictors: Sequence[str], sites: int) -> np.ndarray:
    """(site, time, feature) float32 in the order of the predictors of a model."""
    return frame[list(predictors)].to_numpy(np.float32).reshape(sites, -1, len(predictors))


def _rows(frame, role, model, mean, std) -> pd.DataFrame:
    """Rows of predictions (site, time, 3) of one model and the observations."""
    days = len(frame) // len(role)
    rows = pd.DataFrame({"site_id": frame["site_id"], "date": frame["date"]})
    rows["split"], rows["model"] = np.repeat(role, days), model
    for k, flux in enumerate(FLUX_NAMES):
        rows[flux] = mean[..., k].ravel().astype(np.float32)
    for k, flux in enumerate(FLUX_NAMES):
        rows[f"{flux}_std"] = (
            np.float32("nan") if std is None else std[..., k].ravel().astype(np.float32)
        )
    for flux in FLUX_NAMES:
        rows[f"{flux}_obs"] = frame[flux].astype(np.float32)
    return rows.assign(qc=frame["qc"].astype(np.float32))
