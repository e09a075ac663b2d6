"""Half-widths of intervals and the applicability of a place, from errors at unseen towers.

The half-width of an interval is a scale times a multiplier. The scale is the mean absolute error
at unseen towers as a function of the predicted activity gpp + reco; the multiplier is the quantile
of error over scale. Errors are pooled over towers, each tower counting the same whatever its
number of days: the pooled distribution of Dunn, Wasserman and Ramdas (2022, J. Am. Stat. Assoc.,
doi:10.1080/01621459.2022.2060112) for conformal prediction with groups.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from tamflux.errors import ContractError
from tamflux.files import atomic_path
from tamflux.variables import FLUXES

LEVEL = 0.9
"""Probability of the product's intervals."""

LEVELS = (0.5, 0.6, 0.7, 0.8, LEVEL, 0.95)

ACTIVITY = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Knots of the scale in gpp + reco, g m-2 d-1; straight lines between them, constant beyond."""

MIN_SCALE = 0.01
"""g m-2 d-1; the scale where no error was seen at all."""

MAX_DISTANCE = 3.0
"""Distances beyond this are counted as this: hardly any tower is so far from all others."""


@dataclass(frozen=True)
class Calibration:
    """What turns fluxes and distance into intervals and applicability.

    Attributes
    ----------
    activity : tuple of float
        Knots of `scale`.
    scale : mapping of flux to list of float
        Mean absolute error at the knots, g m-2 d-1; never falls with activity.
    multiplier : mapping of flux to mapping of level to float
        Half-width over scale at each level (JSON keys: text such as ``"0.9"``).
    error_per_activity : tuple of two float
        Expected error = sqrt(activity) x (first + second x distance), as a share of the
        standard deviation of the towers' fluxes.
    about : mapping
        Numbers of towers and days, and where the numbers come from.
    """

    activity: tuple[float, ...]
    scale: Mapping[str, list[float]]
    multiplier: Mapping[str, Mapping[str, float]]
    error_per_activity: tuple[float, float]
    about: Mapping[str, Any] = field(default_factory=dict)

    def half_width(
        self, flux: str, gpp: np.ndarray, reco: np.ndarray, level: float = LEVEL
    ) -> np.ndarray:
        """Half-width of the interval of a daily flux, g m-2 d-1, in the shape of `gpp`.

        Parameters
        ----------
        flux : str
            gpp, reco or nee.
        gpp, reco : numpy.ndarray
            Predicted, g m-2 d-1; NaN gives NaN.
        level : float
            One of `LEVELS`.
        """
        width = np.asarray(self.scale[flux], np.float32) * self.multiplier[flux][str(level)]
        return np.interp(gpp + reco, self.activity, width).astype(np.float32)

    def expected_error(self, activity: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """Expected mean absolute error of daily fluxes of a place, as a share of their sd.

        Parameters
        ----------
        activity : numpy.ndarray
            Annual mean of predicted gpp + reco, g m-2 d-1.
        distance : numpy.ndarray
            To the training towers, see `tamflux.uncertainty.feature_space`.
        """
        first, second = self.error_per_activity
        return np.sqrt(activity) * (first + second * np.minimum(distance, MAX_DISTANCE))

    def applicability(self, activity: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """exp(-expected error), 0 to 1: 1 is no error expected; NaN where an input is NaN."""
        return np.exp(-self.expected_error(activity, distance)).astype(np.float32)

    def save(self, path: str | Path) -> None:
        """Write JSON, whole or not at all."""
        with atomic_path(path) as partial:
            Path(partial).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    def _check(self) -> None:
        """Raise ValueError where the numbers, as JSON gave them, cannot be a calibration."""
        knots = _positive(self.activity)
        if knots.ndim != 1 or len(knots) < 2 or not (np.diff(knots) > 0).all():
            raise ValueError("the knots of activity do not rise")
        if _positive(self.error_per_activity).shape != (2,):
            raise ValueError("error_per_activity are not two numbers")
        for flux in FLUXES:
            if _positive(self.scale[flux]).shape != knots.shape:
                raise ValueError(f"the scale of {flux} does not fit the knots")
            _positive([self.multiplier[flux][str(level)] for level in LEVELS])

    @classmethod
    def load(cls, path: str | Path) -> Calibration:
        """Read what `save` wrote.

        Raises
        ------
        ContractError
            If the file is not there, damaged, or another.
        """
        try:
            calibration = cls(**json.loads(Path(path).read_text(encoding="utf-8")))
            calibration._check()
            return calibration
        except (
            OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError,
            OverflowError,
        ) as error:  # fmt: skip
            raise ContractError(
                "cannot read the calibration of the intervals",
                file=path,
                found=f"{type(error).__name__}: {error}",
                expected="the JSON file of the rule calibrate",
                fix="delete it and run snakemake again",
            ) from error


def _positive(numbers) -> np.ndarray:
    """Numbers as an array; ValueError unless all are finite and none is below zero."""
    array = np.asarray(numbers)
    if array.dtype.kind not in "iuf" or not (np.isfinite(array) & (array >= 0)).all():
        raise ValueError(f"{numbers!r} are not numbers of zero or more"[:200])
    return array


def fit_widths(
    error: np.ndarray, activity: np.ndarray, site: np.ndarray
) -> tuple[list[float], dict[str, float]]:
    """Scale at the knots and multipliers of one flux.

    Parameters
    ----------
    error : numpy.ndarray
        (day,) absolute errors at towers that the model had not seen, g m-2 d-1.
    activity : numpy.ndarray
        (day,) predicted gpp + reco, g m-2 d-1.
    site : numpy.ndarray
        (day,) number of the tower.

    Raises
    ------
    ContractError
        If there is no day.
    """
    if not len(error):
        raise ContractError(
            "no error at unseen towers to calibrate with",
            found="no tower-day with a flux",
            expected="fluxes of the training towers in the training years",
            fix="add towers, or years to years.train",
        )
    weight = 1 / np.bincount(site)[site]
    knots = np.array(ACTIVITY)
    steps = (activity[:, None] - knots[:-1]) / np.diff(knots)
    # ramps with coefficients that are not negative: a piecewise linear curve that never falls
    ramps = np.concatenate([np.ones((len(error), 1)), np.clip(steps, 0, 1)], axis=1)
    root = np.sqrt(weight)
    rises, _ = nnls(ramps * root[:, None], error * root)
    scale = np.maximum(np.cumsum(rises), MIN_SCALE)
    ratio = error / np.interp(activity, knots, scale)
    order = np.argsort(ratio)
    share = np.cumsum(weight[order]) / weight.sum()
    places = np.minimum(np.searchsorted(share, LEVELS), len(ratio) - 1)
    multiplier = dict(zip(map(str, LEVELS), ratio[order][places].tolist(), strict=True))
    return scale.tolist(), multiplier


def fit_expected_error(
    error: np.ndarray, activity: np.ndarray, distance: np.ndarray
) -> tuple[float, float]:
    """The two coefficients of `Calibration.expected_error`.

    Parameters
    ----------
    error : numpy.ndarray
        (tower,) mean absolute error over the flux's standard deviation, mean of the fluxes.
    activity, distance : numpy.ndarray
        (tower,) mean predicted gpp + reco, and distance to the towers that the model had seen.
    """
    root = np.sqrt(activity)
    columns = np.stack([root, root * np.minimum(distance, MAX_DISTANCE)], axis=1)
    (first, second), _ = nnls(columns, error)
    return float(first), float(second)
