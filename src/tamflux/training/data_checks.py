"""Checks that training data are finite, complete and not constant, before the first step."""

from __future__ import annotations

import numpy as np

from tamflux.errors import TrainingError
from tamflux.extra_predictors import PREFIX
from tamflux.samples.samples import Samples
from tamflux.training.trainer import day_weights
from tamflux.variables import FLUXES

MIN_SITES = 2
FIX = "look at results/towers/rejected.csv, and at the years, the split and the tower files"


def check_training_data(samples: Samples, train_idx: np.ndarray, min_qc: float) -> None:
    """Refuse samples that cannot train a model.

    Parameters
    ----------
    samples : Samples
    train_idx : numpy.ndarray
        (n,) numbers of the training sites.
    min_qc : float
        Smallest quality of a day that trains.

    Raises
    ------
    TrainingError
        If there are too few sites, a flux is never observed or constant, a predictor is
        infinite, constant or missing everywhere, or days are missing within a year or out of order.
    """
    rows = np.isin(samples.site, train_idx)
    _check_predictors(samples, rows)  # first: without weather no day can be used
    usable = rows[:, None] & (day_weights(samples, min_qc) > 0)
    with_flux = len(np.unique(samples.site[usable.any(axis=1)]))
    if with_flux < MIN_SITES:
        raise TrainingError(
            "too few sites with fluxes to train on",
            found=f"{with_flux} of {len(train_idx)} training sites have days with weather "
            f"and qc >= {min_qc}",
            expected=f"at least {MIN_SITES}",
            fix=FIX,
        )
    for number, flux in enumerate(FLUXES):
        values = samples.y[usable[:, number], number]
        if not len(values) or np.ptp(values) == 0:
            raise TrainingError(
                "a flux does not vary over the training days",
                variable=flux,
                found=f"{len(values)} days" + (f", all {values[0]}" if len(values) else ""),
                expected="observed days with different values",
                fix=FIX,
            )
    _check_days(samples)


def _check_days(samples: Samples) -> None:
    """Refuse days out of order and gaps within a calendar year (entire years may be absent)."""
    step = np.diff(samples.date).astype(int)
    same_site = np.diff(samples.site) == 0
    same_year = np.diff(samples.date.astype("datetime64[Y]")).astype(int) == 0
    broken = np.flatnonzero(same_site & ((step <= 0) | (same_year & (step != 1))))
    if len(broken):
        row = broken[0]
        site = samples.sites["site_id"].iloc[samples.site[row]]
        raise TrainingError(
            "the days of a site are not in order, or days are missing within a year",
            variable="date",
            found=f"{site}: {samples.date[row + 1]} after {samples.date[row]}",
            expected="every day from the first to the last of a year",
            fix="make the samples again",
        )


def _check_predictors(samples: Samples, rows: np.ndarray) -> None:
    series = {name: samples.x[rows, number] for number, name in enumerate(samples.predictors)}
    series |= {
        name: samples.static[np.unique(samples.site[rows]), number]
        for number, name in enumerate(samples.static_features)
        if name.startswith(PREFIX)
    }
    for name, values in series.items():
        finite = values[np.isfinite(values)]
        if np.isinf(values).any():
            problem = f"{int(np.isinf(values).sum())} infinite values"
        elif not len(finite):
            problem = "no value at any training site"
        elif np.ptp(finite) == 0:
            problem = f"the same value, {finite[0]}, at every training site on every day"
        else:
            continue
        raise TrainingError(
            "a predictor cannot train a model",
            variable=name,
            found=problem,
            expected="finite values that vary",
            fix="look at its raw files, or take it out of predictors.variables",
        )
