"""Fit the prediction intervals to out-of-fold errors.

Scores are pooled over towers, each with the same weight whatever its number of days: the pooled
distribution of Dunn, Wasserman and Ramdas (2022, J. Am. Stat. Assoc.,
doi:10.1080/01621459.2022.2060112) for conformal prediction with groups. The distribution of a
vegetation class is its own pooled distribution mixed with that of all towers (`PRIOR_SITES`).

A conformal quantile at level p of n independent scores is the empirical one at p (1 + 1 / n) (Vovk
et al. 2005). Scores of a tower are alike: n towers are worth n / r independent scores, where r is
the variance between towers of the share of their scores below the quantile, over the largest that
it could be. It is 1 where a tower has one score, such as its mean, and small for days. Few towers
in a class therefore widen its intervals, most of all those of means.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from tamflux.errors import ContractError
from tamflux.uncertainty.calibration import (
    GROSS_FLUX_KNOTS,
    LEVELS,
    MAX_DISSIMILARITY,
    UNKNOWN,
    Calibration,
)
from tamflux.variables import FLUXES, IGBP_CLASSES

MIN_DIFFICULTY = 0.01
"""Lower bound of the difficulty estimate, g C m-2 d-1: no interval has zero width."""

PRIOR_SITES = 20
"""Number of towers of a class that count as much as the towers of all classes together. A conformal
quantile at level p is finite with p / (1 - p) towers: with 19 at the highest of `LEVELS`."""

TIE = 1e-9
"""Levels that differ by less are the same."""

SCALES = ("day", "month", "year", "site")
"""Means that have intervals; `site` is the mean of all days of a tower."""

MIN_DAYS = {"month": 15, "year": 183, "site": 365}
"""Observed days that such a mean needs to enter the fit."""


def fit_intervals(
    site: np.ndarray, date: np.ndarray, predicted: np.ndarray, error: np.ndarray, igbp: np.ndarray
) -> Calibration:
    """Calibrate the intervals of days and of means over months, years and all days of a tower.

    Parameters
    ----------
    site : numpy.ndarray
        (day,) number of the tower.
    date : numpy.ndarray
        (day,) datetime64[D], each once per tower.
    predicted : numpy.ndarray
        (day, 3) out-of-fold gpp, reco and nee, g C m-2 d-1.
    error : numpy.ndarray
        (day, 3) observed minus predicted, NaN where not observed.
    igbp : numpy.ndarray
        (tower, 17) fractions of the classes; all 0 where the class is unknown.

    Raises
    ------
    ContractError
        If a flux has no day.
    """
    order = np.lexsort([date, site])
    site, date, predicted, error = (array[order] for array in (site, date, predicted, error))
    gross_flux = predicted[:, 0] + predicted[:, 1]
    difficulty, mean_days, quantiles = {}, {}, {}
    for k, flux in enumerate(FLUXES):
        known = np.isfinite(error[:, k])
        of = site[known], date[known]
        smooth = smooth_errors(*of, error[known, k])
        enough = np.isfinite(smooth)
        curve = fit_difficulty(np.abs(smooth[enough]), gross_flux[known][enough], of[0][enough])
        estimate = np.interp(gross_flux[known], GROSS_FLUX_KNOTS, curve)
        days, tables = [1.0], [
            pool_quantiles(np.abs(smooth / estimate)[enough], of[0][enough], igbp)
        ]  # fmt: skip
        for scale, least in MIN_DAYS.items():
            number, length, means = average(scale, *of, np.stack([error[known, k], estimate], 1))
            use = length >= least
            if not use.any() or np.median(length[use]) <= days[-1]:
                continue
            days.append(float(np.median(length[use])))
            score = np.abs(means[use, 0]) / means[use, 1]
            tables.append(pool_quantiles(score, number[use], igbp))
        difficulty[flux], mean_days[flux] = curve, days
        quantiles[flux] = {name: _of_lengths(name, tables) for name in tables[0]}
    return Calibration(GROSS_FLUX_KNOTS, difficulty, mean_days, quantiles)


def _of_lengths(name: str, tables: list[dict[str, list[float]]]) -> dict[str, list[float]]:
    """Quantiles of a class by level, over the lengths of the means.

    They do not rise with the length: errors of days cannot but average out, and a larger quantile
    of the few means over a year is chance.
    """
    values = np.array([table.get(name, table[UNKNOWN]) for table in tables])  # (length, level)
    lowest = np.minimum.accumulate(values)
    return {str(level): lowest[:, i].tolist() for i, level in enumerate(LEVELS)}


def fit_difficulty(error: np.ndarray, gross_flux: np.ndarray, site: np.ndarray) -> list[float]:
    """Mean absolute error at the knots, g C m-2 d-1: a curve that does not decrease.

    Parameters
    ----------
    error : numpy.ndarray
        (day,) absolute errors, g C m-2 d-1.
    gross_flux : numpy.ndarray
        (day,) predicted gpp + reco, g C m-2 d-1.
    site : numpy.ndarray
        (day,) number of the tower; towers have equal weight.

    Raises
    ------
    ContractError
        If there is no day.
    """
    if not len(error):
        raise ContractError(
            "no out-of-fold error to calibrate with",
            found="no tower-day with a flux",
            expected="fluxes of the training towers in the training years",
            fix="add towers, or years to years.train",
        )
    root = np.sqrt(1 / np.bincount(site)[site])
    knots = np.array(GROSS_FLUX_KNOTS)
    steps = (gross_flux[:, None] - knots[:-1]) / np.diff(knots)
    # ramps with non-negative coefficients: a piecewise linear curve that does not decrease
    ramps = np.concatenate([np.ones((len(error), 1)), np.clip(steps, 0, 1)], axis=1)
    rises, _ = nnls(ramps * root[:, None], error * root)
    return np.maximum(np.cumsum(rises), MIN_DIFFICULTY).tolist()


def pool_quantiles(score: np.ndarray, site: np.ndarray, igbp: np.ndarray) -> dict[str, list[float]]:
    """Quantiles at `LEVELS` of each class with towers, and of `UNKNOWN`.

    Parameters
    ----------
    score : numpy.ndarray
        (value,) nonconformity scores.
    site : numpy.ndarray
        (value,) number of the tower; towers have equal weight within a class.
    igbp : numpy.ndarray
        (tower, 17) fractions of the classes.
    """
    number = np.bincount(site, minlength=len(igbp))
    here, levels = number > 0, np.array(LEVELS)
    order = np.argsort(score)
    ranked, site = score[order], site[order]
    of_value = 1 / number[site]

    def quantile(weight: np.ndarray, level: np.ndarray) -> np.ndarray:
        share = np.cumsum(weight[site] * of_value) / weight.sum()
        return ranked[np.minimum(np.searchsorted(share, level - TIE), len(ranked) - 1)]

    pooled = quantile(here.astype(float), levels)
    inside = [np.bincount(site, of_value * (ranked <= q), len(igbp))[here] for q in pooled]
    mean = np.mean(inside, axis=1)
    most = mean * (1 - mean)  # the variance between towers that lie inside altogether or not at all
    alike = np.divide(np.var(inside, axis=1), most, out=np.ones(len(levels)), where=most > 0)
    classes = {UNKNOWN: np.zeros(len(igbp))}
    classes |= {name: igbp[:, c] for c, name in enumerate(IGBP_CLASSES) if igbp[here, c].any()}
    quantiles = {}
    for name, fraction in classes.items():
        weight = np.where(here, fraction + PRIOR_SITES / here.sum(), 0)
        n_sites = min(weight.sum(), here.sum())
        quantiles[name] = quantile(weight, levels * (1 + alike / n_sites)).tolist()
    return quantiles


def average(
    scale: str, site: np.ndarray, date: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means of daily values over the months, years or all days of each tower.

    Parameters
    ----------
    scale : str
        One of `SCALES`.
    site, date : numpy.ndarray
        (day,) number of the tower, and datetime64[D].
    values : numpy.ndarray
        (day, column) without gaps.

    Returns
    -------
    site, days : numpy.ndarray
        (mean,) number of the tower, and of days.
    means : numpy.ndarray
        (mean, column).
    """
    period = {
        "day": date.astype("datetime64[D]"),
        "month": date.astype("datetime64[M]"),
        "year": date.astype("datetime64[Y]"),
        "site": np.zeros(len(date)),
    }[scale].astype(np.int64)
    order = np.lexsort([period, site])
    key = np.stack([site[order], period[order]])
    starts = np.flatnonzero(np.r_[True, (np.diff(key) != 0).any(axis=0)][: len(order)])
    days = np.diff(starts, append=len(order))
    sums = np.add.reduceat(values[order], starts, axis=0, dtype=np.float64)
    return key[0, starts], days, sums / days[:, None]


def smooth_errors(site: np.ndarray, date: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Means over a day and its two neighbours, as far as they were observed.

    The random error of a tower is independent from day to day (Richardson et al. 2006, Agric. For.
    Meteorol. 136) and is not an error of the product, whereas the error of the model persists: a
    mean over three days roughly halves the former and keeps most of the latter.

    Parameters
    ----------
    site, date : numpy.ndarray
        (day,) number of the tower and datetime64[D], in this order.
    error : numpy.ndarray
        (day,) observed errors.

    Returns
    -------
    numpy.ndarray
        (day,), NaN where neither neighbour was observed.
    """
    total, number = error.astype(np.float64), np.ones(len(error))
    follows = (np.diff(date).astype(int) == 1) & (np.diff(site) == 0)
    for days, others in ((np.s_[1:], np.s_[:-1]), (np.s_[:-1], np.s_[1:])):
        total[days] += np.where(follows, error[others], 0)
        number[days] += follows
    return np.where(number > 1, total / number, np.nan)


def fit_expected_error(
    error: np.ndarray, gross_flux: np.ndarray, dissimilarity: np.ndarray
) -> tuple[float, float]:
    """The two coefficients of `Calibration.expected_error`.

    Parameters
    ----------
    error : numpy.ndarray
        (tower,) mean absolute error over the flux's standard deviation, mean of the fluxes.
    gross_flux, dissimilarity : numpy.ndarray
        (tower,) mean predicted gpp + reco, g C m-2 d-1, and out-of-fold dissimilarity index.
    """
    root = np.sqrt(gross_flux)
    columns = np.stack([root, root * np.minimum(dissimilarity, MAX_DISSIMILARITY)], axis=1)
    (first, second), _ = nnls(columns, error)
    return float(first), float(second)
