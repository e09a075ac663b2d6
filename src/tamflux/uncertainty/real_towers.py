"""Intervals of the predictions at the towers of a site table."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from tamflux.files import atomic_path
from tamflux.samples.scored_days import scored_days
from tamflux.uncertainty.calibration import LEVEL, Calibration
from tamflux.uncertainty.conformal import fit_intervals
from tamflux.variables import FLUXES, IGBP_CLASSES, igbp_fraction

log = logging.getLogger("tamflux")

ALL_FOLDS = -1
"""Number of the calibration made with all folds, for sites outside the first table."""


def calibrate_real_towers(
    fluxes_path: str | Path,
    samples_paths: Sequence[str | Path],
    sites_paths: Sequence[str | Path],
    predictions_path: str | Path,
    calibration_paths: Mapping[int, str | Path],
    *,
    min_qc: float,
    first_day: str,
    min_days: int,
    code: str,
) -> None:
    """Calibrate intervals with the errors at held-out sites, and add them to the predictions.

    The intervals of the sites of a fold come from the out-of-fold errors at the sites of the other
    folds, those of the second table from all folds.

    Parameters
    ----------
    fluxes_path : path
        From `tamflux.training.real_towers.predict_real_towers`.
    samples_paths, sites_paths : sequences of path
        Samples and sites of the first and, if given, the second table.
    predictions_path : path
        Parquet to write: the columns of `fluxes_path` and `gpp_pi90_halfwidth`,
        `reco_pi90_halfwidth, nee_pi90_halfwidth`, g C m-2 d-1.
    calibration_paths : mapping of int to path
        JSON files to write, by the fold whose sites they leave out; `ALL_FOLDS` leaves out none.
    min_qc, first_day, min_days
        The protocol, as for `score_real_towers`: which days and sites calibrate.
    code : str
        Identity of the code.

    Raises
    ------
    ContractError
        If a scored day has no prediction, or a fold leaves no day to calibrate with.
    """
    table = pd.read_parquet(fluxes_path)
    sites = read_sites(sites_paths)
    igbp = class_fractions(sites)
    number = pd.Series(np.arange(len(sites)), sites["site_id"])
    first = table[table["fold"] != ALL_FOLDS]
    days = scored_days(first, pd.read_parquet(samples_paths[0]), min_qc, first_day)
    site, date = days["site_id"].map(number).to_numpy(int), days["date"].to_numpy("datetime64[D]")
    predicted, error = predicted_and_error(days, min_days)
    fold, calibrations = sites["fold"].to_numpy(), {}
    for left_out, path in calibration_paths.items():
        use = fold[site] != left_out
        intervals = fit_intervals(site[use], date[use], predicted[use], error[use], igbp)
        observed = np.isfinite(error[use])
        about = {
            "level": LEVEL,
            "left_out_fold": None if left_out == ALL_FOLDS else left_out,
            "towers": len(np.unique(site[use][observed.any(axis=1)])),
            "tower_days": dict(zip(FLUXES, observed.sum(axis=0).tolist(), strict=True)),
            "code": code,
        }
        calibrations[left_out] = replace(intervals, about=about)
        calibrations[left_out].save(path)
    with atomic_path(predictions_path) as path:
        _add_half_widths(table, calibrations, igbp, number).to_parquet(path, index=False)


def read_sites(sites_paths: Sequence[str | Path]) -> pd.DataFrame:
    """Sites of the site tables, one after the other; those of the second have fold -1."""
    tables = [pd.read_csv(path, keep_default_na=False, na_values=[""]) for path in sites_paths]
    return pd.concat(tables, ignore_index=True)


def class_fractions(sites: pd.DataFrame) -> np.ndarray:
    """(site, 17) fractions of the IGBP classes; all 0 where the class is unknown."""
    return sites[[igbp_fraction(name) for name in IGBP_CLASSES]].to_numpy(float)


def predicted_and_error(days: pd.DataFrame, min_days: int) -> tuple[np.ndarray, np.ndarray]:
    """Predicted fluxes (day, 3), and observed minus predicted.

    Parameters
    ----------
    days : DataFrame
        From `scored_days`.
    min_days : int
        The error of a flux is NaN at sites with fewer days of it.
    """
    predicted = days[[f"{flux}_pred" for flux in FLUXES]].to_numpy(float)
    observed = days[list(FLUXES)]
    enough = observed.groupby(days["site_id"]).transform("count") >= min_days
    return predicted, observed.where(enough).to_numpy(float) - predicted


def _add_half_widths(
    table: pd.DataFrame,
    calibrations: Mapping[int, Calibration],
    igbp: np.ndarray,
    number: pd.Series,
) -> pd.DataFrame:
    """The predictions with the half-widths of their intervals."""
    parts = []
    for fold, part in table.groupby("fold"):
        gpp, reco = part["gpp"].to_numpy(), part["reco"].to_numpy()
        of_site = igbp[part["site_id"].map(number).to_numpy(int)]
        widths = {
            f"{flux}_pi90_halfwidth": calibrations[int(fold)].half_width(flux, gpp, reco, of_site)
            for flux in FLUXES
        }
        parts.append(part.assign(**widths))
    return pd.concat(parts).sort_index()
