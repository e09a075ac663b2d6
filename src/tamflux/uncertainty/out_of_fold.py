"""Calibration of the intervals with out-of-fold errors at the training towers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from tamflux.errors import ContractError
from tamflux.samples.samples import LOOKBACK_DAYS, PAD, Samples, Windows, load_samples, make_windows
from tamflux.training.ensemble import BATCH_WINDOWS, Ensemble
from tamflux.training.trainer import MIN_QC, day_weights
from tamflux.uncertainty.calibration import (
    GROSS_FLUX_KNOTS,
    LEVEL,
    Calibration,
    fit_expected_error,
    fit_half_widths,
)
from tamflux.uncertainty.feature_space import FeatureSpace, site_features
from tamflux.uncertainty.folds import assign_calibration_folds
from tamflux.variables import FLUXES

log = logging.getLogger("tamflux")

SMOOTHING_DAYS = 3
"""Length of the centred running mean of the errors. The random error of a tower is independent
from day to day (Richardson et al. 2006, Agric. For. Meteorol. 136) and is not an error of the
product, whereas the error of the model persists: a mean over three days roughly halves the former
and keeps most of the latter."""


def build_feature_space(
    year_paths: Sequence[str | Path],
    sites_path: str | Path,
    checkpoints: Sequence[str | Path],
    target: str | Path,
    *,
    train_years: Sequence[int] | None,
    predictors: Sequence[str] | None,
    split: str | None,
    folds: int,
    seed: int,
) -> None:
    """Write the feature space of the training towers for the members of the product.

    Parameters
    ----------
    year_paths, sites_path, train_years, predictors, split, folds, seed
        As for `tamflux.uncertainty.folds.train_fold`. Of a site table, years, predictors and split
        are None: all of them count, and the folds are those of the table.
    checkpoints : sequence of path
        Members of the product.
    target : path
        Safetensors file to write (`FeatureSpace`).
    """
    ensemble = Ensemble.load(checkpoints)
    samples = load_samples(year_paths, sites_path, predictors, train_years, ensemble.monthly)
    observed = day_weights(samples, MIN_QC).max(axis=1) > 0
    features = site_features(ensemble, samples, observed)
    if split is None:
        fold = samples.sites["fold"].to_numpy()
    else:
        fold = assign_calibration_folds(samples.sites, split, folds, seed)
    usable = (fold >= 0) & np.isfinite(features).any(axis=1)
    site_ids = samples.sites["site_id"][usable]
    FeatureSpace.from_towers(site_ids, fold[usable], features[usable]).save(target)


def calibrate(
    year_paths: Sequence[str | Path],
    sites_path: str | Path,
    checkpoints: Sequence[Sequence[str | Path]],
    feature_space_path: str | Path,
    target: str | Path,
    *,
    train_years: Sequence[int] | None,
    predictors: Sequence[str] | None,
    code: str,
    threads: int,
) -> None:
    """Write the calibration of intervals and applicability.

    Parameters
    ----------
    year_paths, sites_path : paths
        Samples of the training years and of their look-back windows, and the table of sites.
    checkpoints : sequence of sequences of path
        The members trained without each fold, in the order of the folds.
    feature_space_path : path
        From `build_feature_space`.
    target : path
        JSON to write.
    train_years, predictors, code, threads
        As for `tamflux.training.members.train_member`; None for all years and predictors.

    Raises
    ------
    ContractError
        If a member was trained on towers of its own fold, or no error can be computed.
    """
    torch.set_num_threads(threads)
    monthly = Ensemble.load(checkpoints[0]).monthly
    samples = load_samples(year_paths, sites_path, predictors, train_years, monthly)
    space = FeatureSpace.load(feature_space_path)
    sites = samples.sites["site_id"]
    fold = sites.map(dict(zip(space.site_ids, space.fold, strict=True))).fillna(-1).to_numpy(int)
    windows = make_windows(samples)
    windows = windows.select(fold[windows.site] >= 0)
    predicted = _predict_out_of_fold(samples, windows, fold, checkpoints)
    days = windows.rows[:, LOOKBACK_DAYS:]
    observed = (day_weights(samples, MIN_QC) > 0)[days] & (days != PAD)[..., None]
    observed &= np.isfinite(predicted)
    error = np.where(observed, samples.y[days] - predicted, 0)
    smooth, enough = smooth_errors(error, observed)
    gross_flux = np.where(days == PAD, np.nan, predicted[..., 0] + predicted[..., 1])
    site = np.broadcast_to(windows.site[:, None], gross_flux.shape)
    difficulty, quantile = {}, {}
    for k, flux in enumerate(FLUXES):
        use = enough[..., k]
        difficulty[flux], quantile[flux] = fit_half_widths(
            np.abs(smooth[..., k][use]), gross_flux[use], site[use]
        )
    of_tower = dict(zip(space.site_ids, space.out_of_fold_dissimilarity(), strict=True))
    dissimilarity = sites.map(of_tower).to_numpy()
    coefficients = _fit_applicability(
        samples, windows.site, np.abs(smooth), enough, gross_flux, dissimilarity
    )
    calibration = Calibration(GROSS_FLUX_KNOTS, difficulty, quantile, coefficients)
    about = {
        "level": LEVEL,
        "towers": len(np.unique(windows.site)),
        "folds": len(checkpoints),
        "tower_days": {flux: int(observed[..., k].sum()) for k, flux in enumerate(FLUXES)},
        "smoothing_days": SMOOTHING_DAYS,
        "share_of_single_days_inside": _share_inside(calibration, predicted, error, observed, site),
        "code": code,
    }
    replace(calibration, about=about).save(target)


def _predict_out_of_fold(
    samples: Samples,
    windows: Windows,
    fold: np.ndarray,
    checkpoints: Sequence[Sequence[str | Path]],
) -> np.ndarray:
    """(window, day, 3) fluxes of each tower by the members trained without its fold."""
    predicted = np.zeros((*windows.rows[:, LOOKBACK_DAYS:].shape, len(FLUXES)), np.float32)
    for number, paths in enumerate(checkpoints):
        ensemble = Ensemble.load(paths)
        held_out = samples.sites["site_id"][fold == number]
        trained = {site for spec in ensemble.specs for site in spec.training_sites}
        if leaked := sorted(trained.intersection(held_out)):
            raise ContractError(
                "a member of the cross-validation was trained on its held-out towers",
                file=paths[0],
                found=f"{len(leaked)} of {len(held_out)} towers, the first {leaked[0]}",
                expected=f"a member trained without fold {number}",
                fix="delete the checkpoint and run snakemake again",
            )
        window_idx = np.flatnonzero(fold[windows.site] == number)
        for start in range(0, len(window_idx), BATCH_WINDOWS):
            part = window_idx[start : start + BATCH_WINDOWS]
            predicted[part] = ensemble.predict(*samples.gather(windows.select(part))).mean
    return predicted


def smooth_errors(error: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centred running means over `SMOOTHING_DAYS` of the observed days.

    Parameters
    ----------
    error, observed : numpy.ndarray
        (window, day, flux) errors, and whether the flux was observed.

    Returns
    -------
    smooth : numpy.ndarray
        (window, day, flux) mean of the observed errors.
    enough : numpy.ndarray
        Observed days of whose window more than half was observed.
    """
    half = SMOOTHING_DAYS // 2
    edge = ((0, 0), (half, half), (0, 0))
    days = error.shape[1]
    padded, there = np.pad(np.where(observed, error, 0), edge), np.pad(observed, edge)
    total = sum(padded[:, i : i + days] for i in range(SMOOTHING_DAYS))
    number = sum(there[:, i : i + days].astype(np.int64) for i in range(SMOOTHING_DAYS))
    return total / np.maximum(number, 1), observed & (number > SMOOTHING_DAYS / 2)


def _fit_applicability(
    samples, site, error, enough, gross_flux, dissimilarity
) -> tuple[float, float]:
    """Coefficients of the expected error, one row per tower."""
    weight = day_weights(samples, MIN_QC) > 0
    sd = [samples.y[weight[:, k], k].std() for k in range(len(FLUXES))]
    rows = []
    for number in np.unique(site):
        here = site == number
        days = enough[here]
        if not days.all(axis=-1).any():
            continue
        scaled = [error[here][..., k][days[..., k]].mean() / sd[k] for k in range(len(FLUXES))]
        rows.append((np.mean(scaled), np.nanmean(gross_flux[here]), dissimilarity[number]))
    return fit_expected_error(*np.array(rows, float).T)


def _share_inside(calibration: Calibration, predicted, error, observed, site) -> dict[str, float]:
    """Share of single days inside the interval of each flux, each site counting the same."""
    inside = {}
    for k, flux in enumerate(FLUXES):
        use = observed[..., k]
        width = calibration.half_width(flux, predicted[..., 0], predicted[..., 1])
        hit = (np.abs(error[..., k]) <= width)[use]
        _, number, days = np.unique(site[use], return_inverse=True, return_counts=True)
        inside[flux] = float((np.bincount(number, weights=hit) / days).mean())
        log.info("%s: single out-of-fold days inside the interval: %.3f", flux, inside[flux])
    return inside
