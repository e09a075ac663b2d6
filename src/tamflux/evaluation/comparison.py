"""Compare models at held-out sites, and at grid cells between the towers."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tamflux.errors import ContractError
from tamflux.evaluation.metrics import FLUX_NAMES, score_sites
from tamflux.evaluation.paired import paired_differences
from tamflux.evaluation.scales import DAYTIME, score_scales, summarise
from tamflux.files import atomic_path
from tamflux.samples.splits import neighbours

log = logging.getLogger("tamflux")

WATER_SHARE = 0.25
"""Grid cells with a larger water fraction than this are water-adjacent."""


def score_comparison(
    predictions: Sequence[str | Path],
    samples_paths: Sequence[str | Path],
    sites_path: str | Path,
    scores_path: str | Path,
    summary_path: str | Path,
    differences_path: str | Path,
    *,
    min_qc: float,
    min_days: int,
    first_day: str | None,
    years: Sequence[int] | None,
    seed: int,
) -> None:
    """Score every model of every protocol, the mean of its repetitions, on the same days.

    A day counts if its `qc` is at least `min_qc`, and for a flux if that flux was observed and
    every model predicts it; a site counts for a flux with at least `min_days` such days.

    Parameters
    ----------
    predictions : sequence of path
        ``{protocol}/{model}_{seed}.parquet``: `site_id, date, fold, gpp, reco, nee`.
    samples_paths, sites_path : paths
        Samples (contract 2).
    scores_path : path
        CSV to write: `protocol, model`, the columns of `score_scales`, and those of `site_groups`.
    summary_path : path
        CSV to write: `summarise` by protocol and model; on the rows of all sites at scale ``daily``
        also the number of repetitions and the mean and standard deviation over them, each scored
        alone, of the median RMSE: `seeds, rmse_seed_mean, rmse_seed_sd`.
    differences_path : path
        CSV to write: `paired_differences`.
    min_qc, min_days, first_day, years
        Days that count: from `first_day` on and in `years`, where given.
    seed : int
        Seed of the bootstrap.

    Raises
    ------
    ContractError
        If a day to score was not predicted, or models have different numbers of repetitions.
    """
    observed = _observed(samples_paths, min_qc, first_day, years)
    tables, repetitions = [], []
    for protocol, files in group_files(predictions).items():
        days, predicted = read_predictions(files, observed)
        log.info("%s: %d days at %d sites", protocol, len(days), days["site_id"].nunique())
        for model, runs in predicted.items():
            frame = _with_predictions(days, runs.mean(axis=0, dtype=np.float64))
            of_model = {"protocol": protocol, "model": model}
            tables.append(score_scales(frame, min_days).assign(**of_model))
            single = [score_sites(_with_predictions(days, r), min_days=min_days) for r in runs]
            repetitions.append(_over_runs(single).assign(**of_model, scale="daily", group="all"))
    scores = pd.concat(tables, ignore_index=True).merge(site_groups(sites_path), on="site_id")
    keys = ["protocol", "model", "flux", "scale", "group"]
    summary = summarise(scores, keys[:2]).merge(pd.concat(repetitions), "left", keys)
    scores = scores[[*keys[:2], *scores.columns.drop(keys[:2])]]
    for path, table in (
        (scores_path, scores),
        (summary_path, summary),
        (differences_path, paired_differences(scores, seed)),
    ):
        with atomic_path(path) as partial:
            table.to_csv(partial, index=False, float_format="%.6g")


def group_files(paths: Sequence[str | Path]) -> dict[str, dict[str, list[Path]]]:
    """Files by protocol and model, from their names.

    Raises
    ------
    ContractError
        If the models of a protocol have different numbers of repetitions.
    """
    files: dict[str, dict[str, list[Path]]] = {}
    for path in map(Path, paths):
        model = path.stem.removesuffix("_cells").rpartition("_")[0]
        files.setdefault(path.parent.name, {}).setdefault(model, []).append(path)
    for protocol, models in files.items():
        numbers = {model: len(runs) for model, runs in models.items()}
        if len(set(numbers.values())) > 1:
            raise ContractError(
                "models have different numbers of repetitions, so their means do not compare",
                found=f"{protocol}: {numbers}", fix="run snakemake compare_models",
            )  # fmt: skip
    return files


def read_predictions(
    files: Mapping[str, Sequence[Path]], observed: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Align the predictions of all models with the days to score.

    Parameters
    ----------
    files : mapping of model to sequence of path
        One file per repetition.
    observed : DataFrame
        `site_id, date, gpp, reco, nee` of the days to score.

    Returns
    -------
    days : DataFrame
        The rows of `observed` at the predicted sites; a flux that a model does not predict on a
        day is NaN for all.
    predicted : dict of model to numpy.ndarray
        (repetition, row, 3) float32 gpp, reco, nee.

    Raises
    ------
    ContractError
        If a file lacks a site-day that is to be scored.
    """
    predicted: dict[str, np.ndarray] = {}
    sites = pd.unique(pd.concat(pd.read_parquet(f, columns=["site_id"])["site_id"]
                                for runs in files.values() for f in runs))  # fmt: skip
    days = observed[observed["site_id"].isin(sites)].reset_index(drop=True)
    usable = np.ones((len(days), len(FLUX_NAMES)), bool)
    for model, paths in files.items():
        predicted[model] = np.stack([_align(path, days) for path in paths])
        finite = np.isfinite(predicted[model]).all(axis=0)
        if lost := int((~finite & usable & days[list(FLUX_NAMES)].notna().to_numpy()).sum()):
            log.warning("%s does not predict %d fluxes that are to be scored", model, lost)
        usable &= finite
    masked = {flux: days[flux].where(usable[:, k]) for k, flux in enumerate(FLUX_NAMES)}
    if DAYTIME in days:
        masked[DAYTIME] = days[DAYTIME].where(usable[:, FLUX_NAMES.index("gpp")])
    return days.assign(**masked), predicted


def site_groups(sites_path: str | Path) -> pd.DataFrame:
    """`site_id, igbp, koppen` (main group), `wetland, water` (bool), `cluster` of each site."""
    sites = pd.read_csv(sites_path, keep_default_na=False, na_values=[""])
    land = sites.get(
        "land_fraction", pd.Series(1.0, sites.index)
    )  # a site table has no land fraction
    return pd.DataFrame({
        "site_id": sites["site_id"],
        "igbp": sites["igbp"].astype(object).fillna("-"),
        "koppen": sites["koppen"].astype(object).fillna("-").astype(str).str[:1],
        "wetland": sites["igbp"] == "WET",
        "water": (sites["igbp"] == "WAT") | (land < 1 - WATER_SHARE),
        "cluster": neighbours(sites["lat"].to_numpy(float), sites["lon"].to_numpy(float)),
    })  # fmt: skip


def score_cell_predictions(
    predictions: Sequence[str | Path],
    samples_paths: Sequence[str | Path],
    cells_path: str | Path,
    target: str | Path,
) -> None:
    """Score the models at grid cells between the towers, where the truth is known.

    Parameters
    ----------
    predictions : sequence of path
        ``{protocol}/{model}_{seed}_cells.parquet``.
    samples_paths, cells_path : paths
        From `samples.cells`; the cells' `weight` is proportional to land area.
    target : path
        CSV to write: `protocol, model, flux, n_cells`; `r2, rmse, bias` of all days of all cells,
        weighted by area; `between_r2` of the cells' means, weighted by area.

    Raises
    ------
    ContractError
        If a day to score was not predicted.
    """
    observed = _observed(samples_paths, 1.0, None, None)
    cells = pd.read_csv(cells_path).set_index("site_id")["weight"]
    rows = []
    for protocol, files in group_files(predictions).items():
        days, predicted = read_predictions(files, observed)
        weight = days["site_id"].map(cells).to_numpy(float)
        for model, runs in predicted.items():
            mean = runs.mean(axis=0, dtype=np.float64)
            for k, flux in enumerate(FLUX_NAMES):
                true = days[flux].to_numpy(float)
                keep = np.isfinite(true)
                table = pd.DataFrame({"true": true[keep], "predicted": mean[keep, k]})
                means = table.groupby(days["site_id"].to_numpy()[keep]).mean()
                r2, rmse, bias = _weighted(table, weight[keep])
                between = _weighted(means, cells[means.index].to_numpy(float))[0]
                rows.append((protocol, model, flux, len(means), r2, rmse, bias, between))
    columns = ["protocol", "model", "flux", "n_cells", "r2", "rmse", "bias", "between_r2"]
    with atomic_path(target) as path:
        pd.DataFrame(rows, columns=columns).to_csv(path, index=False, float_format="%.6g")


def _observed(paths, min_qc: float, first_day: str | None, years) -> pd.DataFrame:
    """`site_id, date, gpp, reco, nee` and, where known, `gpp_dt` of the days that count."""
    table = pd.concat([pd.read_parquet(path) for path in paths])
    keep = table["qc"] >= min_qc
    if first_day is not None:
        keep &= table["date"] >= pd.Timestamp(first_day)
    if years is not None:
        keep &= table["date"].dt.year.isin(years)
    columns = ["site_id", "date", *FLUX_NAMES, *[DAYTIME][: DAYTIME in table]]
    table = table.loc[keep, columns].dropna(subset=FLUX_NAMES, how="all")
    return table.sort_values(["site_id", "date"], ignore_index=True)


def _align(path: Path, days: pd.DataFrame) -> np.ndarray:
    """(row, 3) float32 predictions of a file on the days to score."""
    table = pd.read_parquet(path, columns=["site_id", "date", *FLUX_NAMES])
    table["date"] = table["date"].astype(days["date"].dtype)
    aligned = days[["site_id", "date"]].merge(
        table, "left", ["site_id", "date"], validate="one_to_one", indicator=True
    )
    absent = aligned["_merge"] != "both"
    if absent.any():
        raise ContractError(
            "days to score were not predicted", file=path,
            found=f"{int(absent.sum())} of {len(days)} site-days are absent, the first at "
            f"{aligned['site_id'][absent].iloc[0]}",
            expected="every day of every held-out site, the same sites for all models",
            fix="delete the file and run snakemake compare_models",
        )  # fmt: skip
    return aligned[list(FLUX_NAMES)].to_numpy(np.float32)


def _with_predictions(days: pd.DataFrame, predicted: np.ndarray) -> pd.DataFrame:
    return days.assign(**{f"{flux}_pred": predicted[:, k] for k, flux in enumerate(FLUX_NAMES)})


def _over_runs(runs: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Mean and standard deviation over repetitions of the median RMSE (0 for a single one)."""
    medians = pd.concat([run.groupby("flux")["rmse"].median() for run in runs], axis=1)
    return pd.DataFrame({
        "seeds": len(runs),
        "rmse_seed_mean": medians.mean(axis=1),
        "rmse_seed_sd": medians.std(axis=1, ddof=1).fillna(0),
    }).reset_index()  # fmt: skip


def _weighted(table: pd.DataFrame, weight: np.ndarray) -> tuple[float, float, float]:
    """R², RMSE and bias of `predicted` against `true`, weighted."""
    true, error = table["true"].to_numpy(), (table["predicted"] - table["true"]).to_numpy()
    variance = np.average((true - np.average(true, weights=weight)) ** 2, weights=weight)
    squared = np.average(error**2, weights=weight)
    r2 = 1 - squared / variance if variance > 0 else np.nan
    return r2, np.sqrt(squared), np.average(error, weights=weight)
