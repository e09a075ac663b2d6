"""Predictions and observations at the towers.

Models are driven by the predictors of the tower's grid cell, as in inference. They are conditioned
on the tower's own IGBP class. The model ``tamrl_cell`` is conditioned on the class fractions of the
grid cell instead: its predictions equal the product at the tower's cell
(`tamflux.evaluation.scores.compare_with_product`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from tamflux.samples.splits import FOLDS, tower_roles
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
    folds: Mapping[str, Sequence[str | Path]] | None = None,
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
        Parquet table to write: `site_id, date, split` (test where the model has not seen the site,
        else train), `model` (msc, tamrl, lstm or tamrl_cell), `gpp, reco, nee`, their `_std` (NaN
        where a model has one member) and `_obs`, all g m-2 d-1, `qc`.
    split : str
        Name of the hold-out split that the checkpoints were trained with.
    threads : int
        CPU threads; more threads than idle processors slow each other down.
    folds : mapping of model to paths, optional
        With the split ``folds``: members of `tamrl` and of `lstm`, each trained without a fold.
        They predict the sites of their fold, and no other model but `tamrl_cell` is used.

    Raises
    ------
    ContractError
        If samples and sites do not fit each other, or a site is in no fold or in several.
    """
    torch.set_num_threads(threads)
    table = pd.read_csv(sites, keep_default_na=False, na_values=[""]).sort_values("site_id")
    surface = open_static(static)
    cells = np.ravel_multi_index((table["row"], table["col"]), surface["land_fraction"].shape)
    own = static_table(table)
    of_cell = static_table(surface).iloc[cells]
    bare = surface["vegetated_fraction"].to_numpy().ravel()[cells] <= 0
    role = tower_roles(table, split)
    ensembles = {
        model: Ensemble.load([Path(path) for path in paths]) for model, paths in checkpoints.items()
    }
    everywhere = np.ones(len(table), bool)
    if split == FOLDS:
        parts = _load_folds(table, folds or {})
    else:
        parts = [_Part(everywhere, (role == "train").to_numpy(), ensembles)]
    frames = [_read_year(samples[year], year, table) for year in sorted({*train_years})]
    cycles = [fit_cycle(pd.concat(frames), table[part.trained]) for part in parts]
    with atomic_path(target) as partial:
        writer = None
        for year in sorted({*train_years, *product_years}):
            frame = _read_year(samples[year], year, table)
            before = _read_year(samples[year - 1], year - 1, table) if year - 1 in samples else None
            dates = frame["date"].to_numpy()[: len(frame) // len(table)]
            found: dict[str, tuple[np.ndarray, np.ndarray | None]] = {
                "msc": (_predict_cycles(parts, cycles, table, dates), None)
            }
            for model in checkpoints:
                pairs = [(part.predicted, part.ensembles[model]) for part in parts]
                found[model] = _predict(pairs, frame, before, own)
            mean, std = _predict([(everywhere, ensembles["tamrl"])], frame, before, of_cell)
            found["tamrl_cell"] = (np.where(bare[:, None, None], 0.0, mean), std)  # as the product
            for model, (mean, std) in found.items():
                unseen = (role == "test") | ((role == "fold") & (model != "tamrl_cell"))
                rows = _rows(frame, np.where(unseen, "test", "train"), model, mean, std)
                rows = pa.Table.from_pandas(rows, preserve_index=False)
                writer = writer or pq.ParquetWriter(partial, rows.schema)
                writer.write_table(rows.cast(writer.schema))
            log.info("%d: %d sites, %d days", year, len(table), len(dates))
        if writer is not None:
            writer.close()


@dataclass(frozen=True)
class _Part:
    """Sites that the same models predict; all arrays are (site,) bool."""

    predicted: np.ndarray
    trained: np.ndarray
    ensembles: Mapping[str, Ensemble]


def _load_folds(table: pd.DataFrame, folds: Mapping[str, Sequence[str | Path]]) -> list[_Part]:
    """One part for each fold: the sites that its members were not trained on."""
    parts = []
    for paths in zip(*folds.values(), strict=True):
        members = {
            model: Ensemble.load([Path(path)]) for model, path in zip(folds, paths, strict=True)
        }
        known = {site for each in members.values() for site in each.specs[0].training_sites}
        trained = table["site_id"].isin(known).to_numpy()
        parts.append(_Part(~trained, trained, members))
    times = np.sum([part.predicted for part in parts], axis=0)
    if not parts or (times != 1).any():
        raise ContractError(
            "the members of the folds do not leave out each tower once",
            found=f"{len(parts)} folds that leave out {np.count_nonzero(times)} of {len(table)} "
            "towers",
            expected="folds of all towers, the same for each model",
            fix="delete results/models/folds and run snakemake again",
        )
    return parts


def _predict(
    pairs: Sequence[tuple[np.ndarray, Ensemble]],
    frame: pd.DataFrame,
    before: pd.DataFrame | None,
    features: pd.DataFrame,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Mean and std (site, time, 3) of a year; std is None where there is one member.

    Each pair is a mask of sites and the ensemble that predicts them.
    """
    sites = len(features)
    mean = np.full((sites, len(frame) // sites, len(FLUX_NAMES)), np.nan, np.float32)
    std = mean.copy()
    for rows, ensemble in pairs:
        x = prepend_lookback(
            _features(frame, ensemble.predictors, sites)[rows],
            None if before is None else _features(before, ensemble.predictors, sites)[rows],
            days=ensemble.lookback_days,
        )
        static = features[list(ensemble.static_features)].to_numpy()[rows]
        prediction = ensemble.predict(x, static)
        mean[rows], std[rows] = prediction.mean, prediction.std
    return mean, std if all(len(ensemble.specs) > 1 for _, ensemble in pairs) else None


def _predict_cycles(
    parts: Sequence[_Part],
    cycles: Sequence[np.ndarray],
    table: pd.DataFrame,
    dates: np.ndarray,
) -> np.ndarray:
    """(site, time, 3) of the mean seasonal cycles, each from the sites that a part trains with."""
    fractions = (table["igbp"].to_numpy()[:, None] == np.array(IGBP_CLASSES)).astype(float)
    mean = np.full((len(table), len(dates), len(FLUX_NAMES)), np.nan, np.float32)
    for part, cycle in zip(parts, cycles, strict=True):
        rows = part.predicted
        mean[rows] = predict_cycle(cycle, fractions[rows], table["lat"].to_numpy()[rows], dates)
    return mean


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


def _rows(frame, side, model, mean, std) -> pd.DataFrame:
    """Rows of predictions (site, time, 3) of one model and the observations."""
    days = len(frame) // len(side)
    rows = pd.DataFrame({"site_id": frame["site_id"], "date": frame["date"]})
    rows["split"], rows["model"] = np.repeat(side, days), model
    for k, flux in enumerate(FLUX_NAMES):
        rows[flux] = mean[..., k].ravel().astype(np.float32)
    for k, flux in enumerate(FLUX_NAMES):
        rows[f"{flux}_std"] = (
            np.float32("nan") if std is None else std[..., k].ravel().astype(np.float32)
        )
    for flux in FLUX_NAMES:
        rows[f"{flux}_obs"] = frame[flux].astype(np.float32)
    return rows.assign(qc=frame["qc"].astype(np.float32))
