"""Calibration of the intervals with the errors at towers that a member has not seen."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from tamflux.errors import ContractError
from tamflux.samples.samples import LOOKBACK_DAYS, PAD, Samples, Windows, load_samples, make_windows
from tamflux.training.ensemble import Ensemble
from tamflux.training.trainer import MIN_QC, day_weights
from tamflux.uncertainty.calibration import (
    ACTIVITY,
    LEVEL,
    Calibration,
    fit_expected_error,
    fit_widths,
)
from tamflux.uncertainty.feature_space import FeatureSpace, describe_sites
from tamflux.uncertainty.folds import draw_folds
from tamflux.variables import FLUXES

log = logging.getLogger("tamflux")

SMOOTHING_DAYS = 3
"""Errors are means over so many days about each day. The random error of a tower is independent
from day to day (Richardson et al. 2006, Agric. For. Meteorol. 136) and no error of the product;
that of the model lasts. A mean over three days halves the one and keeps most of the other."""


def locate_towers(
    year_paths: Sequence[str | Path],
    sites_path: str | Path,
    checkpoints: Sequence[str | Path],
    target: str | Path,
    *,
    train_years: Sequence[int],
    predictors: Sequence[str],
    split: str,
    folds: int,
    seed: int,
) -> None:
    """Write the feature space of the training towers, as the members of the product see it."""
    samples = load_samples(year_paths, sites_path, predictors, train_years)
    observed = day_weights(samples, MIN_QC).max(axis=1) > 0
    features = describe_sites(Ensemble.load(checkpoints), samples, observed)
    fold = draw_folds(samples.sites, split, folds, seed)
    chosen = (fold >= 0) & np.isfinite(features).any(axis=1)
    site_ids = samples.sites["site_id"][chosen]
    FeatureSpace.of_towers(site_ids, fold[chosen], features[chosen]).save(target)


def calibrate(
    year_paths: Sequence[str | Path],
    sites_path: str | Path,
    checkpoints: Sequence[str | Path],
    places_path: str | Path,
    target: str | Path,
    *,
    train_years: Sequence[int],
    predictors: Sequence[str],
    code: str,
    threads: int,
) -> None:
    """Write the calibration of intervals and applicability.

    Parameters
    ----------
    year_paths, sites_path : paths
        Samples of the training years and of their lookback, and their sites.
    checkpoints : sequence of path
        The member of each fold, in the order of the folds.
    places_path : path
        From `locate_towers`.
    target : path
        JSON to write.
    train_years, predictors, code, threads
        As for `tamflux.training.members.train_member`.

    Raises
    ------
    ContractError
        If a member has seen the towers that it is to be judged by, or no error can be computed.
    """
    torch.set_num_threads(threads)
    samples = load_samples(year_paths, sites_path, predictors, train_years)
    places = FeatureSpace.load(places_path)
    sites = samples.sites["site_id"]
    fold = sites.map(dict(zip(places.site_ids, places.fold, strict=True))).fillna(-1).to_numpy(int)
    windows = make_windows(samples)
    windows = windows.select(fold[windows.site] >= 0)
    predicted = _predict_unseen(samples, windows, fold, checkpoints)
    days = windows.rows[:, LOOKBACK_DAYS:]
    counts = (day_weights(samples, MIN_QC) > 0)[days] & (days != PAD)[..., None]
    error = np.where(counts, samples.y[days] - predicted, 0)
    smooth, enough = smooth_errors(error, counts)
    activity = np.where(days == PAD, np.nan, predicted[..., 0] + predicted[..., 1])
    site = np.broadcast_to(windows.site[:, None], activity.shape)
    scale, multiplier = {}, {}
    for k, flux in enumerate(FLUXES):
        use = enough[..., k]
        scale[flux], multiplier[flux] = fit_widths(
            np.abs(smooth[..., k][use]), activity[use], site[use]
        )
    distance = dict(zip(places.site_ids, places.unseen_distance(), strict=True))
    coefficients = _fit_applicability(
        samples, windows.site, np.abs(smooth), enough, activity, sites.map(distance).to_numpy()
    )
    calibration = Calibration(ACTIVITY, scale, multiplier, coefficients)
    about = {
        "level": LEVEL,
        "towers": len(np.unique(windows.site)),
        "folds": len(checkpoints),
        "tower_days": {flux: int(counts[..., k].sum()) for k, flux in enumerate(FLUXES)},
        "smoothing_days": SMOOTHING_DAYS,
        "share_of_single_days_inside": _share_inside(calibration, predicted, error, counts, site),
        "code": code,
    }
    replace(calibration, about=about).save(target)


def _predict_unseen(
    samples: Samples, windows: Windows, fold: np.ndarray, checkpoints: Sequence[str | Path]
) -> np.ndarray:
    """(window, day, 3) fluxes of each tower by the member that has not seen it."""
    predicted = np.zeros((*windows.rows[:, LOOKBACK_DAYS:].shape, len(FLUXES)), np.float32)
    for number, path in enumerate(checkpoints):
        ensemble = Ensemble.load([path])
        unseen = samples.sites["site_id"][fold == number]
        if seen := sorted(set(unseen) & set(ensemble.specs[0].training_sites)):
            raise ContractError(
                "a member of the cross-validation has seen the towers left out",
                file=path,
                found=f"{len(seen)} of {len(unseen)} towers, the first {seen[0]}",
                expected=f"a member trained without fold {number}",
                fix="delete the checkpoint and run snakemake again",
            )
        chosen = np.flatnonzero(fold[windows.site] == number)
        for start in range(0, len(chosen), 64):
            part = chosen[start : start + 64]
            rows = windows.rows[part]
            x = np.where((rows == PAD)[..., None], np.float32(np.nan), samples.x[rows])
            predicted[part] = ensemble.predict(x, samples.static[windows.site[part]]).mean
    return predicted


def smooth_errors(error: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centred running means over `SMOOTHING_DAYS` of the days that count.

    Parameters
    ----------
    error, counts : numpy.ndarray
        (window, day, flux) errors, and where they count.

    Returns
    -------
    smooth : numpy.ndarray
        (window, day, flux) mean of the errors that count.
    enough : numpy.ndarray
        Days that count, with at least half of the days about them.
    """
    half = SMOOTHING_DAYS // 2
    edge = ((0, 0), (half, half), (0, 0))
    days = error.shape[1]
    padded, there = np.pad(np.where(counts, error, 0), edge), np.pad(counts, edge)
    total = sum(padded[:, i : i + days] for i in range(SMOOTHING_DAYS))
    number = sum(there[:, i : i + days].astype(np.int64) for i in range(SMOOTHING_DAYS))
    return total / np.maximum(number, 1), counts & (number > SMOOTHING_DAYS / 2)


def _fit_applicability(samples, site, error, enough, activity, distance) -> tuple[float, float]:
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
        rows.append((np.mean(scaled), np.nanmean(activity[here]), distance[number]))
    return fit_expected_error(*np.array(rows, float).T)


def _share_inside(calibration: Calibration, predicted, error, counts, site) -> dict[str, float]:
    """Share of single days inside the interval of each flux, each site counting the same."""
    inside = {}
    for k, flux in enumerate(FLUXES):
        use = counts[..., k]
        width = calibration.half_width(flux, predicted[..., 0], predicted[..., 1])
        hit = (np.abs(error[..., k]) <= width)[use]
        _, number, days = np.unique(site[use], return_inverse=True, return_counts=True)
        inside[flux] = float((np.bincount(number, weights=hit) / days).mean())
        log.info("%s: single days at unseen towers within the interval: %.3f", flux, inside[flux])
    return inside
