"""Calibration of the intervals with out-of-fold errors at the training towers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from tamflux.errors import ContractError
from tamflux.samples.samples import PAD, Samples, Windows, load_samples, make_windows
from tamflux.training.ensemble import BATCH_WINDOWS, Ensemble
from tamflux.training.trainer import MIN_QC, day_weights
from tamflux.uncertainty.calibration import LEVEL, Calibration
from tamflux.uncertainty.conformal import fit_expected_error, fit_intervals, smooth_errors
from tamflux.uncertainty.feature_space import FeatureSpace, site_features
from tamflux.uncertainty.folds import assign_calibration_folds
from tamflux.uncertainty.mean_error import fit_mean_error
from tamflux.variables import FLUXES, IGBP_CLASSES, igbp_fraction

log = logging.getLogger("tamflux")


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
    without_fold: Sequence[str | Path] = (),
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
    without_fold : sequence of path, optional
        JSON to write for each fold: intervals from the errors at the other folds, which the towers
        of the fold can test. `about` lists these towers as ``left_out``.

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
    rows = windows.year_rows
    there = rows != PAD
    rows, predicted = rows[there], predicted[there]
    site, date = samples.site[rows], samples.date[rows]
    observed = (day_weights(samples, MIN_QC) > 0)[rows] & np.isfinite(predicted)
    error = np.where(observed, samples.y[rows] - predicted, np.nan)
    columns = [samples.static_features.index(igbp_fraction(name)) for name in IGBP_CLASSES]
    igbp = samples.static[:, columns]
    intervals = fit_intervals(site, date, predicted, error, igbp)
    for number, path in enumerate(without_fold):
        use = fold[site] != number
        others = fit_intervals(site[use], date[use], predicted[use], error[use], igbp)
        left_out = {"level": LEVEL, "left_out": sites[fold == number].to_list(), "code": code}
        replace(others, about=left_out).save(path)
    of_tower = dict(zip(space.site_ids, space.out_of_fold_dissimilarity(), strict=True))
    about = {
        "level": LEVEL,
        "towers": len(np.unique(windows.site)),
        "folds": len(checkpoints),
        "tower_days": {flux: int(observed[:, k].sum()) for k, flux in enumerate(FLUXES)},
        "share_of_single_days_inside": _share_inside(intervals, predicted, error, site, igbp),
        "code": code,
    }
    coefficients = _fit_applicability(
        site, date, predicted, error, sites.map(of_tower).to_numpy(float)
    )
    mean_error = _fit_mean_error(samples.sites, site, date, predicted, error)
    intervals = replace(intervals, mean_error=mean_error)
    replace(intervals, error_coefficients=coefficients, about=about).save(target)


def _predict_out_of_fold(
    samples: Samples,
    windows: Windows,
    fold: np.ndarray,
    checkpoints: Sequence[Sequence[str | Path]],
) -> np.ndarray:
    """(window, day, 3) fluxes of each tower by the members trained without its fold."""
    predicted = np.zeros((*windows.year_rows.shape, len(FLUXES)), np.float32)
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


def _fit_mean_error(sites: pd.DataFrame, site, date, predicted, error) -> dict | None:
    """The part `mean_error` of the calibration."""
    days = pd.DataFrame({"site": site, "date": date})
    days["gross_flux"] = predicted[:, 0] + predicted[:, 1]
    days[list(FLUXES)] = error
    fitted = fit_mean_error(days, sites["lat"].to_numpy(), sites["lon"].to_numpy())
    return None if fitted is None else asdict(fitted)


def _fit_applicability(site, date, predicted, error, dissimilarity) -> tuple[float, float]:
    """Coefficients of the expected error, one row per tower with all fluxes."""
    flux_sd = np.nanstd(predicted + error, axis=0)  # of the observed
    scaled = np.full((len(dissimilarity), len(FLUXES)), np.nan)
    for k in range(len(FLUXES)):
        known = np.isfinite(error[:, k])
        smooth = np.abs(smooth_errors(site[known], date[known], error[known, k]))
        enough = np.isfinite(smooth)
        total = np.bincount(site[known][enough], smooth[enough], len(dissimilarity))
        days = np.bincount(site[known][enough], minlength=len(dissimilarity))
        np.divide(total, days * flux_sd[k], out=scaled[:, k], where=days > 0)
    gross_flux = predicted[:, 0] + predicted[:, 1]
    finite = np.isfinite(gross_flux)
    total = np.bincount(site[finite], gross_flux[finite], len(dissimilarity))
    days = np.bincount(site[finite], minlength=len(dissimilarity))
    use = np.isfinite(scaled).all(axis=1) & np.isfinite(dissimilarity)
    mean = total[use] / days[use]
    return fit_expected_error(scaled[use].mean(axis=1), mean, dissimilarity[use])


def _share_inside(intervals: Calibration, predicted, error, site, igbp) -> dict[str, float]:
    """Share of single days inside the interval of each flux, each site counting the same."""
    inside = {}
    for k, flux in enumerate(FLUXES):
        known = np.isfinite(error[:, k])
        gpp, reco = predicted[known, 0], predicted[known, 1]
        width = intervals.half_width(flux, gpp, reco, igbp[site[known]])
        hit = np.abs(error[known, k]) <= width
        _, number, days = np.unique(site[known], return_inverse=True, return_counts=True)
        inside[flux] = float((np.bincount(number, weights=hit) / days).mean())
        log.info("%s: single out-of-fold days inside the interval: %.3f", flux, inside[flux])
    return inside
