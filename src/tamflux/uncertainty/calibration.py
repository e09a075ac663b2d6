"""Prediction intervals and the index of applicability, calibrated with out-of-fold errors.

Normalised split-conformal intervals: half-width = difficulty estimate x nonconformity quantile.
The difficulty estimate is the mean absolute out-of-fold error at the towers as a function of the
predicted gross flux gpp + reco; the nonconformity score of a day is its error over that estimate.
Scores are pooled over towers, each with the same weight whatever its number of days: the pooled
distribution of Dunn, Wasserman and Ramdas (2022, J. Am. Stat. Assoc.,
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

GROSS_FLUX_KNOTS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Knots of the difficulty estimate in gross flux, g C m-2 d-1: linear between, constant beyond."""

MIN_DIFFICULTY = 0.01
"""Lower bound of the difficulty estimate, g C m-2 d-1: no interval has zero width."""

FILLED_ALLOWANCE = 1.0
"""Gross flux that filled weather may hide, in addition to a doubling of it, g C m-2 d-1."""

MAX_DISSIMILARITY = 3.0
"""Larger dissimilarity indices count as this: hardly any tower supports the fit beyond it."""


@dataclass(frozen=True)
class Calibration:
    """Coefficients that turn fluxes and dissimilarity into intervals and applicability.

    Attributes
    ----------
    gross_flux_knots : tuple of float
        Knots of `difficulty`, g C m-2 d-1.
    difficulty : mapping of flux to list of float
        Mean absolute error at the knots, g C m-2 d-1; does not decrease with gross flux.
    nonconformity_quantile : mapping of flux to mapping of level to float
        Half-width over difficulty at each level (JSON keys: text such as ``"0.9"``).
    error_coefficients : tuple of two float
        Expected error = sqrt(gross flux) x (first + second x dissimilarity), as a share of the
        standard deviation of the towers' fluxes.
    about : mapping
        Numbers of towers and days, and where the numbers come from.
    """

    gross_flux_knots: tuple[float, ...]
    difficulty: Mapping[str, list[float]]
    nonconformity_quantile: Mapping[str, Mapping[str, float]]
    error_coefficients: tuple[float, float]
    about: Mapping[str, Any] = field(default_factory=dict)

    def half_width(
        self,
        flux: str,
        gpp: np.ndarray,
        reco: np.ndarray,
        level: float = LEVEL,
        gap_memory: np.ndarray | None = None,
    ) -> np.ndarray:
        """Half-width of the interval of a daily flux, g C m-2 d-1, in the shape of `gpp`.

        Filled weather must not narrow an interval because it lowers the flux. With a share m of
        filled days in the model's memory, the interval is that of the gross flux
        g + m (g + `FILLED_ALLOWANCE`): on a filled day, that of more than twice the flux.

        Parameters
        ----------
        flux : str
            gpp, reco or nee.
        gpp, reco : numpy.ndarray
            Predicted, g C m-2 d-1; NaN gives NaN.
        level : float
            One of `LEVELS`.
        gap_memory : numpy.ndarray, optional
            Share of filled days (`tamflux.training.gaps.gap_memory`); none by default.
        """
        quantile = self.nonconformity_quantile[flux][str(level)]
        width = np.asarray(self.difficulty[flux], np.float32) * quantile
        gross_flux = gpp + reco
        if gap_memory is not None:
            gross_flux = gross_flux + gap_memory * (gross_flux + FILLED_ALLOWANCE)
        return np.interp(gross_flux, self.gross_flux_knots, width).astype(np.float32)

    def expected_error(self, gross_flux: np.ndarray, dissimilarity: np.ndarray) -> np.ndarray:
        """Expected mean absolute error of a cell's daily fluxes, as a share of their sd.

        Parameters
        ----------
        gross_flux : numpy.ndarray
            Annual mean of predicted gpp + reco, g C m-2 d-1.
        dissimilarity : numpy.ndarray
            Dissimilarity index, see `tamflux.uncertainty.feature_space`.
        """
        first, second = self.error_coefficients
        bounded = np.minimum(dissimilarity, MAX_DISSIMILARITY)
        return np.sqrt(gross_flux) * (first + second * bounded)

    def applicability(self, gross_flux: np.ndarray, dissimilarity: np.ndarray) -> np.ndarray:
        """exp(-expected error), 0 to 1: 1 is no error expected; NaN where an input is NaN."""
        return np.exp(-self.expected_error(gross_flux, dissimilarity)).astype(np.float32)

    def save(self, path: str | Path) -> None:
        """Write JSON atomically."""
        with atomic_path(path) as partial:
            Path(partial).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    def _check(self) -> None:
        """Raise ValueError where the numbers, as JSON gave them, cannot be a calibration."""
        knots = _non_negative(self.gross_flux_knots)
        if knots.ndim != 1 or len(knots) < 2 or not (np.diff(knots) > 0).all():
            raise ValueError("gross_flux_knots do not increase")
        if _non_negative(self.error_coefficients).shape != (2,):
            raise ValueError("error_coefficients are not two numbers")
        for flux in FLUXES:
            if _non_negative(self.difficulty[flux]).shape != knots.shape:
                raise ValueError(f"the difficulty of {flux} does not fit the knots")
            _non_negative([self.nonconformity_quantile[flux][str(level)] for level in LEVELS])

    @classmethod
    def load(cls, path: str | Path) -> Calibration:
        """Read a file that `save` wrote.

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


def _non_negative(numbers) -> np.ndarray:
    """Numbers as an array; ValueError unless all are finite and none is below zero."""
    array = np.asarray(numbers)
    if array.dtype.kind not in "iuf" or not (np.isfinite(array) & (array >= 0)).all():
        raise ValueError(f"{numbers!r} are not numbers of zero or more"[:200])
    return array


def fit_half_widths(
    error: np.ndarray, gross_flux: np.ndarray, site: np.ndarray
) -> tuple[list[float], dict[str, float]]:
    """Difficulty at the knots and nonconformity quantiles of one flux.

    Parameters
    ----------
    error : numpy.ndarray
        (day,) absolute out-of-fold errors, g C m-2 d-1.
    gross_flux : numpy.ndarray
        (day,) predicted gpp + reco, g C m-2 d-1.
    site : numpy.ndarray
        (day,) number of the tower.

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
    weight = 1 / np.bincount(site)[site]
    knots = np.array(GROSS_FLUX_KNOTS)
    steps = (gross_flux[:, None] - knots[:-1]) / np.diff(knots)
    # ramps with non-negative coefficients: a piecewise linear curve that does not decrease
    ramps = np.concatenate([np.ones((len(error), 1)), np.clip(steps, 0, 1)], axis=1)
    root = np.sqrt(weight)
    rises, _ = nnls(ramps * root[:, None], error * root)
    difficulty = np.maximum(np.cumsum(rises), MIN_DIFFICULTY)
    score = error / np.interp(gross_flux, knots, difficulty)
    order = np.argsort(score)
    share = np.cumsum(weight[order]) / weight.sum()
    rank = np.minimum(np.searchsorted(share, LEVELS), len(score) - 1)
    quantile = dict(zip(map(str, LEVELS), score[order][rank].tolist(), strict=True))
    return difficulty.tolist(), quantile


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
