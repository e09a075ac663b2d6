"""Correct the fluxes of a site with the days that it has measured: a hierarchical linear model.

The error of a flux at a site is linear in the regressors of `tamflux.adaptation.features`. Sites
draw their coefficients from a normal distribution with mean 0, whose covariance is estimated from
the out-of-fold errors of the training sites (empirical Bayes by expectation maximisation: Laird and
Ware 1982, Biometrics 38, 963). With measured days of a site, the coefficients have a normal
posterior in closed form. Its mean corrects the fluxes, its covariance and the noise give the
interval: without any day the correction is 0, with many days the interval is that of the noise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tamflux.adaptation.features import N_COEFFICIENTS, design_matrix
from tamflux.errors import ContractError
from tamflux.files import atomic_path
from tamflux.model.tamrl import close_balance
from tamflux.variables import FLUXES

DAYS_PER_INDEPENDENT = 20.0
"""Days of a record that count as one: errors of a model persist for weeks."""

NOISE_OFFSET = 1.0
"""The noise variance is proportional to the gross flux plus this, g C m-2 d-1."""

HALF_WIDTH = 1.645
"""Half-width of the central 90 % of a normal distribution, in standard deviations."""

ITERATIONS = 30
MIN_VARIANCE = 1e-8


@dataclass(frozen=True)
class Correction:
    """What is known of the errors of one site: normal coefficients, and the noise.

    Attributes
    ----------
    mean, covariance : numpy.ndarray
        (flux, coefficient) and (flux, coefficient, coefficient).
    noise : numpy.ndarray
        (flux,) variance of a day's error over gross flux + `NOISE_OFFSET`, g C m-2 d-1.
    """

    mean: np.ndarray
    covariance: np.ndarray
    noise: np.ndarray

    @classmethod
    def learn(
        cls, fluxes: np.ndarray, observed: np.ndarray, conditions: np.ndarray, site: np.ndarray
    ) -> Correction:
        """The distribution of the errors over sites, from out-of-fold fluxes.

        Parameters
        ----------
        fluxes, observed : numpy.ndarray
            (day, 3) predicted without the site, and measured, g C m-2 d-1; NaN days are left out.
        conditions : numpy.ndarray
            (day, condition).
        site : numpy.ndarray
            (day,) number of the site.
        """
        usable = np.isfinite(fluxes).all(axis=1) & np.isfinite(observed).all(axis=1)
        if len(np.unique(site[usable])) < 2:
            raise ContractError(
                "too few sites to learn from how sites differ",
                found=f"{len(np.unique(site[usable]))} sites with measured days",
                expected="at least 2",
            )
        x, error = _weighted(fluxes[usable], observed[usable], conditions[usable])
        of_site = [np.flatnonzero(site[usable] == number) for number in np.unique(site[usable])]
        parts = [
            _maximise_likelihood([(x[rows, k], error[rows, k]) for rows in of_site])
            for k in range(len(FLUXES))
        ]
        covariance, noise = (np.array(part) for part in zip(*parts, strict=True))
        return cls(np.zeros(covariance.shape[:2]), covariance, noise)

    def adapt(self, fluxes: np.ndarray, observed: np.ndarray, conditions: np.ndarray) -> Correction:
        """The correction of a site, given some of its days; parameters as of `learn`."""
        usable = np.isfinite(fluxes).all(axis=1) & np.isfinite(observed).all(axis=1)
        x, error = _weighted(fluxes[usable], observed[usable], conditions[usable])
        mean, covariance = np.empty_like(self.mean), np.empty_like(self.covariance)
        for k, noise in enumerate(self.noise * DAYS_PER_INDEPENDENT):
            inverse = np.linalg.inv(self.covariance[k])
            covariance[k] = np.linalg.inv(inverse + x[:, k].T @ x[:, k] / noise)
            mean[k] = covariance[k] @ (inverse @ self.mean[k] + x[:, k].T @ error[:, k] / noise)
        return Correction(mean, covariance, self.noise)

    def apply(self, fluxes: np.ndarray, conditions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Corrected fluxes and the half-widths of their 90 % intervals.

        The three corrected fluxes become the nearest ones that balance (`close_balance`).

        Parameters
        ----------
        fluxes : numpy.ndarray
            (day, 3) predicted, g C m-2 d-1.
        conditions : numpy.ndarray
            (day, condition).

        Returns
        -------
        numpy.ndarray, numpy.ndarray
            (day, 3) each, g C m-2 d-1.
        """
        x = design_matrix(fluxes, conditions)
        corrected = torch.from_numpy(fluxes + np.einsum("dkp,kp->dk", x, self.mean))
        variance = np.einsum("dkp,kpq,dkq->dk", x, self.covariance, x)
        variance += self.noise * _noise_scale(fluxes)[:, None] ** 2
        return close_balance(corrected).numpy(), HALF_WIDTH * np.sqrt(variance)

    def save(self, path: str | Path, about: Mapping[str, Any]) -> None:
        """Write JSON atomically; `about` says where the numbers come from."""
        record = {"covariance": self.covariance.tolist(), "noise": self.noise.tolist()}
        with atomic_path(path) as partial:
            Path(partial).write_text(json.dumps({"about": dict(about), **record}) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> Correction:
        """Read a file that `save` wrote, as learnt from the training sites.

        Raises
        ------
        ContractError
            If the file is not there, damaged, or another.
        """
        try:
            record = json.loads(Path(path).read_text(encoding="utf-8"))
            covariance = np.array(record["covariance"], float)
            noise = np.array(record["noise"], float)
            shape = (len(FLUXES), N_COEFFICIENTS, N_COEFFICIENTS)
            if covariance.shape != shape or noise.shape != shape[:1] or not (noise > 0).all():
                raise ValueError(f"covariance {covariance.shape}, noise {noise}")
            if not (np.linalg.eigvalsh(covariance) > 0).all():
                raise ValueError("a covariance is not positive")
        except (OSError, ValueError, TypeError, LookupError, np.linalg.LinAlgError) as error:
            raise ContractError(
                "cannot read the distribution of the sites' errors",
                file=path, found=f"{type(error).__name__}: {error}",
                expected="the JSON file of the rule learn_correction",
                fix="delete it and run snakemake again",
            ) from error  # fmt: skip
        return cls(np.zeros(covariance.shape[:2]), covariance, noise)


def _noise_scale(fluxes: np.ndarray) -> np.ndarray:
    """(day,) standard deviation of the noise over that of a day with gross flux 0."""
    return np.sqrt(fluxes[:, 0] + fluxes[:, 1] + NOISE_OFFSET)


def _weighted(
    fluxes: np.ndarray, observed: np.ndarray, conditions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Regressors (day, flux, coefficient) and errors (day, flux), both in units of the noise."""
    scale = _noise_scale(fluxes)[:, None]
    return design_matrix(fluxes, conditions) / scale[..., None], (observed - fluxes) / scale


def _maximise_likelihood(
    sites: list[tuple[np.ndarray, np.ndarray]],
) -> tuple[np.ndarray, float]:
    """Covariance of the coefficients over sites, and variance of the noise, of one flux.

    Parameters
    ----------
    sites : list of (x, error)
        (day, coefficient) and (day,) of each site.
    """
    sums = [(x.T @ x, x.T @ error, error @ error, len(error)) for x, error in sites]
    size = len(sums[0][1])
    covariance, noise = 0.1 * np.eye(size), sum(s[2] for s in sums) / sum(s[3] for s in sums)
    for _ in range(ITERATIONS):
        inverse, of_day = np.linalg.inv(covariance), noise * DAYS_PER_INDEPENDENT
        spread, squares = np.zeros((size, size)), 0.0
        for xx, x_error, squared, _days in sums:
            posterior = np.linalg.inv(inverse + xx / of_day)
            mean = posterior @ x_error / of_day
            spread += np.outer(mean, mean) + posterior
            squares += squared - 2 * mean @ x_error + mean @ xx @ mean + np.sum(posterior * xx)
        covariance = spread / len(sums) + MIN_VARIANCE * np.eye(size)
        noise = squares / sum(s[3] for s in sums)
    return covariance, float(noise)
