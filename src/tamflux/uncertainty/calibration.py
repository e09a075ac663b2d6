"""Prediction intervals of daily fluxes and of their means, and the index of applicability.

Normalised conformal intervals: half-width = difficulty estimate x nonconformity quantile. The
difficulty estimate is the mean absolute out-of-fold error at the towers as a function of the
predicted gross flux gpp + reco. The nonconformity score of a mean over some days is its error over
the mean of the daily difficulty estimates; its quantiles are those of towers of a vegetation class
(`tamflux.uncertainty.conformal` fits them). Errors of neighbouring days are alike, so the quantile
falls slowly with the number of days.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tamflux.errors import ContractError
from tamflux.files import atomic_path
from tamflux.variables import FLUXES, IGBP_CLASSES

LEVEL = 0.9
"""Probability of the product's intervals."""

LEVELS = (0.5, 0.6, 0.7, 0.8, LEVEL, 0.95)

GROSS_FLUX_KNOTS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Knots of the difficulty estimate in gross flux, g C m-2 d-1: linear between, constant beyond."""

UNKNOWN = "unknown"
"""Name of the class of land whose class is not known, or has no tower."""

FILLED_ALLOWANCE = 1.0
"""Gross flux that filled weather may hide, in addition to a doubling of it, g C m-2 d-1."""

MAX_DISSIMILARITY = 3.0
"""Larger dissimilarity indices count as this: hardly any tower supports the fit beyond it."""


def widened(gross_flux: np.ndarray, gap_memory: np.ndarray) -> np.ndarray:
    """Gross flux g with a share m of filled days in the model's memory: g + m (g + 1 g C m-2 d-1).

    On a filled day it is more than twice the flux, so that filled weather that lowers the flux
    narrows no interval and makes no cell more applicable. The summand is `FILLED_ALLOWANCE`.
    """
    return gross_flux + gap_memory * (gross_flux + FILLED_ALLOWANCE)


@dataclass(frozen=True)
class Calibration:
    """Coefficients that turn fluxes and dissimilarity into intervals and applicability.

    Attributes
    ----------
    gross_flux_knots : tuple of float
        Knots of `difficulty`, g C m-2 d-1.
    difficulty : mapping of flux to list of float
        Mean absolute error at the knots, g C m-2 d-1; does not decrease with gross flux.
    mean_days : mapping of flux to list of float
        Numbers of days of the means that the quantiles are of, ascending from 1.
    nonconformity_quantile : mapping of flux to mapping of class to mapping of level to list
        Half-width over difficulty for each of `mean_days`, for IGBP classes with towers and for
        `UNKNOWN`, at each level (JSON keys: text such as ``"0.9"``).
    error_coefficients : tuple of two float, optional
        Expected error = sqrt(gross flux) x (first + second x dissimilarity), as a share of the
        standard deviation of the towers' fluxes. None: intervals alone.
    mean_error : mapping, optional
        Content of `tamflux.uncertainty.mean_error.MeanError`, which reads it; None with too few
        towers.
    about : mapping
        Numbers of towers and days, and where the numbers come from.
    """

    gross_flux_knots: tuple[float, ...]
    difficulty: Mapping[str, list[float]]
    mean_days: Mapping[str, list[float]]
    nonconformity_quantile: Mapping[str, Mapping[str, Mapping[str, list[float]]]]
    error_coefficients: tuple[float, float] | None = None
    mean_error: Mapping[str, Any] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    def quantile(
        self, flux: str, igbp: np.ndarray | None, days: float | np.ndarray = 1, level: float = LEVEL
    ) -> np.ndarray:
        """Nonconformity quantile of the mean of a flux over some days.

        Between `mean_days` it is linear in the logarithm of the number of days.

        Parameters
        ----------
        flux : str
            gpp, reco or nee.
        igbp : numpy.ndarray or None
            (..., 17) fractions of the land of a site or cell in the order of `IGBP_CLASSES`: they
            weigh the quantiles of the classes. What they lack to 1, or None, is `UNKNOWN`.
        days : float or numpy.ndarray
            Number of days of the mean, one or (...).
        level : float
            One of `LEVELS`.

        Returns
        -------
        numpy.ndarray
            (...).
        """
        of_class, key = self.nonconformity_quantile[flux], str(level)
        unknown = np.array(of_class[UNKNOWN][key])
        lengths = np.log(self.mean_days[flux])
        parts = [np.interp(np.log(days), lengths, unit) for unit in np.eye(len(lengths))]
        share = np.stack(parts, axis=-1)  # (..., length): each length's part of the result
        if igbp is None:
            return share @ unknown
        table = np.array([of_class.get(name, of_class[UNKNOWN])[key] for name in IGBP_CLASSES])
        return ((igbp @ (table - unknown) + unknown) * share).sum(axis=-1)

    def difficulty_estimate(
        self,
        flux: str,
        gpp: np.ndarray,
        reco: np.ndarray,
        gap_memory: np.ndarray | None = None,
    ) -> np.ndarray:
        """Expected absolute error of a daily flux, g C m-2 d-1, in the shape of `gpp`.

        Filled weather must not narrow an interval because it lowers the flux: the estimate is that
        of the `widened` gross flux.

        Parameters
        ----------
        flux : str
            gpp, reco or nee.
        gpp, reco : numpy.ndarray
            Predicted, g C m-2 d-1; NaN gives NaN.
        gap_memory : numpy.ndarray, optional
            Share of filled days (`tamflux.training.gaps.gap_memory`); none by default.
        """
        gross_flux = gpp + reco
        if gap_memory is not None:
            gross_flux = widened(gross_flux, gap_memory)
        return np.interp(gross_flux, self.gross_flux_knots, self.difficulty[flux])

    def half_width(
        self,
        flux: str,
        gpp: np.ndarray,
        reco: np.ndarray,
        igbp: np.ndarray | None = None,
        level: float = LEVEL,
        gap_memory: np.ndarray | None = None,
    ) -> np.ndarray:
        """Half-width of the interval of a daily flux, g C m-2 d-1, in the shape of `gpp`.

        Parameters
        ----------
        flux : str
            gpp, reco or nee.
        gpp, reco : numpy.ndarray
            (..., cell) predicted, g C m-2 d-1; NaN gives NaN.
        igbp : numpy.ndarray or None
            (cell, 17) fractions of the land, as in `quantile`.
        level : float
            One of `LEVELS`.
        gap_memory : numpy.ndarray, optional
            As in `difficulty_estimate`.
        """
        estimate = self.difficulty_estimate(flux, gpp, reco, gap_memory)
        return (estimate * self.quantile(flux, igbp, level=level)).astype(np.float32)

    def half_width_of_mean(
        self,
        flux: str,
        half_width: np.ndarray,
        days: float | np.ndarray,
        igbp: np.ndarray | None = None,
        level: float = LEVEL,
    ) -> np.ndarray:
        """Half-width of the interval of a mean over some days, in the units of `half_width`.

        Parameters
        ----------
        flux : str
            gpp, reco or nee.
        half_width : numpy.ndarray
            (..., cell) mean of the half-widths of the days at the same level.
        days, igbp, level
            As in `quantile`.
        """
        of_days = self.quantile(flux, igbp, level=level)
        ratio = np.divide(self.quantile(flux, igbp, days, level), of_days, where=of_days > 0,
                          out=np.ones(np.broadcast(of_days, days).shape))  # fmt: skip
        return half_width * ratio.astype(np.float32)

    def expected_error(self, gross_flux: np.ndarray, dissimilarity: np.ndarray) -> np.ndarray:
        """Expected mean absolute error of a cell's daily fluxes, as a share of their sd.

        Parameters
        ----------
        gross_flux : numpy.ndarray
            Annual mean of predicted gpp + reco, g C m-2 d-1.
        dissimilarity : numpy.ndarray
            Dissimilarity index, see `tamflux.uncertainty.feature_space`.
        """
        if self.error_coefficients is None:
            raise ContractError(
                "this calibration is of intervals alone and gives no applicability",
                expected="a calibration made with the dissimilarity of the towers",
                fix="use the calibration of a product or of a released model",
            )
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
        coefficients = self.error_coefficients
        if coefficients is not None and _non_negative(coefficients).shape != (2,):
            raise ValueError("error_coefficients are not two numbers")
        for flux in FLUXES:
            if _non_negative(self.difficulty[flux]).shape != knots.shape:
                raise ValueError(f"the difficulty of {flux} does not fit the knots")
            days = _non_negative(self.mean_days[flux])
            if days.ndim != 1 or days[:1] != 1 or not (np.diff(days) > 0).all():
                raise ValueError(f"the mean_days of {flux} do not ascend from 1")
            quantiles = dict(self.nonconformity_quantile[flux])
            if unknown := set(quantiles) - {UNKNOWN, *IGBP_CLASSES}:
                raise ValueError(f"{sorted(unknown)[0]!r} is no class")
            for of_level in (quantiles[UNKNOWN], *quantiles.values()):
                table = _non_negative([of_level[str(level)] for level in LEVELS])
                if table.shape != (len(LEVELS), len(days)):
                    raise ValueError(f"the quantiles of {flux} do not fit its mean_days")

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
