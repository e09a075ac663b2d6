"""Errors of totals over many cells, which err together, from those of monthly and annual means.

An out-of-fold error of a tower's month or year is the error of a mean. Its size follows the gross
flux, as that of a day does (`tamflux.uncertainty.conformal`). Errors of neighbours are alike:
divided by their difficulty estimates they are a random field of variance v whose correlation falls
with distance d as exp(-d / L), a share of each error being the tower's own, plus an error that is
common to all places. A total over cells i with weights w (area x days) and difficulties s then has
the error variance

    v sum_ij w_i s_i w_j s_j exp(-d_ij / L) + c (sum_i w_i s_i)^2

with two cautions, since towers are few. The share of a tower's own is not taken off: cells far
from any tower err more than towers, and nothing measures that. And c is the mean square of the
towers' mean error plus the square of its standard error, the second moment of its posterior under a
flat prior (Gelman et al. 2013, Bayesian Data Analysis, 3rd ed., ch. 2.5).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.sparse import csr_array, diags_array
from scipy.stats import norm

from tamflux.errors import ContractError
from tamflux.grid import Grid, great_circle_km
from tamflux.uncertainty.calibration import GROSS_FLUX_KNOTS, LEVEL, Calibration
from tamflux.uncertainty.conformal import fit_difficulty
from tamflux.variables import FLUXES

log = logging.getLogger("tamflux")

STEPS = {"monthly": "M", "annual": "Y"}
"""Time steps of means, with their numpy unit."""

MIN_OBSERVED = 0.5
"""Share of the days of a month or year that must be observed, for its error."""

MIN_TOWERS = 5
"""Towers with the error of a year, without which there is no interval of totals."""

LENGTH_KM, LENGTH_FACTOR = 1000.0, 2.0
"""Prior of the correlation length: log-normal, with this median and this factor as one standard
deviation. A hundred towers overrule it, a dozen cannot."""

BLOCK_DEGREES = 4.0
"""Side of the blocks within which all cells count as one place."""


@dataclass(frozen=True)
class StepError:
    """Errors of the means over one time step, each by flux.

    Attributes
    ----------
    difficulty : mapping of flux to list of float
        Mean absolute error at `GROSS_FLUX_KNOTS`, g C m-2 d-1.
    variance : mapping of flux to float
        v: mean square of the error over its difficulty.
    common : mapping of flux to float
        c: mean square of the part of it that all places share.
    """

    difficulty: Mapping[str, list[float]]
    variance: Mapping[str, float]
    common: Mapping[str, float]


@dataclass(frozen=True)
class MeanError:
    """Errors of monthly and annual means at towers, and how cells share them.

    Attributes
    ----------
    length_km : float
        Correlation length L.
    towers : int
        Number of towers it is fitted to.
    steps : mapping of step to StepError
        ``monthly`` and ``annual``.
    """

    length_km: float
    towers: int
    steps: Mapping[str, StepError]

    @classmethod
    def load(cls, path: str | Path) -> MeanError | None:
        """Read the part `mean_error` of a calibration; None where towers were too few.

        Raises
        ------
        ContractError
            If the file is not there, damaged, or another.
        """
        content = Calibration.load(path).mean_error
        try:
            return None if content is None else cls._from_json(content)
        except (ValueError, TypeError, LookupError) as error:
            raise ContractError(
                "cannot read the errors of means in the calibration",
                file=path,
                variable="mean_error",
                found=f"{type(error).__name__}: {error}",
                expected="the JSON file of the rule calibrate",
                fix="delete it and run snakemake again",
            ) from error

    @classmethod
    def _from_json(cls, content: Mapping[str, Any]) -> MeanError:
        steps = {step: StepError(**content["steps"][step]) for step in STEPS}
        numbers = [content["length_km"], content["towers"]]
        for each in steps.values():
            for flux in FLUXES:
                if len(each.difficulty[flux]) != len(GROSS_FLUX_KNOTS):
                    raise ValueError(f"the difficulty of mean {flux} does not fit the knots")
                numbers += each.difficulty[flux]
                numbers += [each.variance[flux], each.common[flux]]
        values = np.asarray(numbers)
        if values.dtype.kind not in "iuf" or not (np.isfinite(values) & (values >= 0)).all():
            raise ValueError("the errors of means are not numbers of zero or more")
        if content["length_km"] == 0:
            raise ValueError("the correlation length is zero")
        return cls(content["length_km"], content["towers"], steps)

    def difficulty(self, step: str, flux: str, gross_flux: np.ndarray) -> np.ndarray:
        """Mean absolute error of means over a step, g C m-2 d-1, in the shape of `gross_flux`."""
        knots = self.steps[step].difficulty[flux]
        return np.interp(gross_flux, GROSS_FLUX_KNOTS, knots).astype(np.float32)

    def half_width_of_totals(
        self, step: str, flux: str, weight: csr_array, gross_flux: np.ndarray, blocks: Blocks
    ) -> np.ndarray:
        """Half-width of the 90 % prediction interval of totals over one step.

        Parameters
        ----------
        step : str
            One of `STEPS`.
        flux : str
            gpp, reco or nee.
        weight : scipy.sparse.csr_array
            (region, cell) area x days of each cell in a total; 0 where a cell is left out.
        gross_flux : numpy.ndarray
            (cell,) mean predicted gpp + reco of the step, g C m-2 d-1; finite.
        blocks : Blocks
            Of the grid.

        Returns
        -------
        numpy.ndarray
            (region,) in g C.
        """
        difficulty = self.difficulty(step, flux, gross_flux)
        by_block = (weight @ diags_array(difficulty) @ blocks.of_cell).toarray()
        error = self.steps[step]
        correlation = np.exp(-blocks.distance_km / self.length_km)
        local = np.einsum("rb,rb->r", by_block @ correlation, by_block)
        variance = error.variance[flux] * local + error.common[flux] * by_block.sum(axis=1) ** 2
        return norm.ppf((1 + LEVEL) / 2) * np.sqrt(variance)


@dataclass(frozen=True)
class Blocks:
    """Blocks of the cells of a grid that have land.

    Attributes
    ----------
    of_cell : scipy.sparse.csr_array
        (cell, block) 1 where a cell lies in a block; cells are numbered row by row.
    distance_km : numpy.ndarray
        (block, block) great-circle distances between the mean places of their land cells.
    """

    of_cell: csr_array
    distance_km: np.ndarray

    @classmethod
    def of_grid(cls, grid: Grid, land: np.ndarray) -> Blocks:
        """Blocks of `BLOCK_DEGREES` of the cells where `land` (lat, lon) is true."""
        rows, cols = np.nonzero(land)
        place = np.stack([grid.lat[rows], grid.lon[cols]])
        corner = np.floor(place / BLOCK_DEGREES)
        blocks, number = np.unique(corner, axis=1, return_inverse=True)
        lat, lon = (np.bincount(number, each) / np.bincount(number) for each in place)
        cells = rows * grid.shape[1] + cols
        shape = grid.shape[0] * grid.shape[1], blocks.shape[1]
        return cls(
            csr_array((np.ones(len(cells)), (cells, number)), shape=shape), distances(lat, lon)
        )


def distances(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """(n, n) great-circle distances in km of places in degrees."""
    return great_circle_km(lat[:, None], lon[:, None], lat, lon)


def fit_mean_error(days: pd.DataFrame, lat: np.ndarray, lon: np.ndarray) -> MeanError | None:
    """Errors of means from out-of-fold errors of days.

    Parameters
    ----------
    days : DataFrame
        One row per tower-day: `site` (number), `date`, `gross_flux` (predicted gpp + reco) and the
        errors `gpp, reco, nee`, g C m-2 d-1, NaN where the flux was not observed.
    lat, lon : numpy.ndarray
        (site,) coordinates in degrees.

    Returns
    -------
    MeanError or None
        None where fewer than `MIN_TOWERS` towers have the error of a year.
    """
    means = {
        (step, flux): _step_errors(days, flux, unit)
        for step, unit in STEPS.items()
        for flux in FLUXES
    }
    towers = min(means["annual", flux]["site"].nunique() for flux in FLUXES)
    if towers < MIN_TOWERS:
        log.warning(
            "%d towers have a year with fluxes on %.0f %% of its days: too few for intervals of "
            "totals, which need %d",
            towers, 100 * MIN_OBSERVED, MIN_TOWERS,
        )  # fmt: skip
        return None
    curves = {}
    for key, table in means.items():
        given = table["error"].abs().to_numpy(), table["gross_flux"].to_numpy()
        curves[key] = fit_difficulty(*given, table["site"].to_numpy())
        table["score"] = table["error"] / np.interp(given[1], GROSS_FLUX_KNOTS, curves[key])
    at = pd.DataFrame({"lat": lat, "lon": lon})
    persistent = [means["annual", flux].groupby("site")["score"].mean() for flux in FLUXES]
    length, own = _fit_correlation(persistent, at)
    steps = {}
    for step in STEPS:
        tables = {flux: means[step, flux] for flux in FLUXES}
        moments = {flux: _moments(table, at, length, own) for flux, table in tables.items()}
        steps[step] = StepError(
            {flux: curves[step, flux] for flux in FLUXES},
            {flux: moments[flux][0] for flux in FLUXES},
            {flux: moments[flux][1] for flux in FLUXES},
        )
    return MeanError(length, towers, steps)


def _step_errors(days: pd.DataFrame, flux: str, unit: str) -> pd.DataFrame:
    """Errors of the means of well observed months or years: `site, step, error, gross_flux`."""
    step = days["date"].to_numpy().astype(f"datetime64[{unit}]")
    table = pd.DataFrame(
        {
            "site": days["site"].to_numpy(),
            "step": step.astype(int),
            "error": days[flux].to_numpy(float),
            "gross_flux": days["gross_flux"].where(days[flux].notna()).to_numpy(float),
        }
    )
    groups = table.groupby(["site", "step"])
    means = groups.mean()
    enough = groups["error"].count() >= MIN_OBSERVED * groups["error"].size()
    return means[enough].reset_index()


def _correlation(sites: np.ndarray, at: pd.DataFrame, length: float, own: float) -> np.ndarray:
    """(n, n) correlation of the errors of towers: a share `own` is not that of any neighbour."""
    distance = distances(*at.loc[sites, ["lat", "lon"]].to_numpy(float).T)
    return (1 - own) * np.exp(-distance / length) + own * np.eye(len(sites))


def _fit_correlation(scores: list[pd.Series], at: pd.DataFrame) -> tuple[float, float]:
    """Length in km and share of the towers' own, of the highest posterior density.

    Parameters
    ----------
    scores : list of Series
        Mean scores of the towers, one a flux; the index is their number.
    """

    def loss(parameters: np.ndarray) -> float:
        log_length, logit = parameters
        total = ((log_length - np.log(LENGTH_KM)) / np.log(LENGTH_FACTOR)) ** 2 / 2 + logit**2 / 8
        for score in scores:
            values = score.to_numpy() / np.sqrt(np.mean(np.square(score)))
            matrix = _correlation(
                score.index.to_numpy(), at, np.exp(log_length), 1 / (1 + np.exp(-logit))
            )
            factor, lower = cho_factor(matrix, lower=True)
            total += np.log(np.diag(factor)).sum()
            total += values @ cho_solve((factor, lower), values) / 2
        return total

    log_length, logit = minimize(loss, [np.log(LENGTH_KM), 0.0], method="Nelder-Mead").x
    return float(np.exp(log_length)), float(1 / (1 + np.exp(-logit)))


def _moments(table: pd.DataFrame, at: pd.DataFrame, length: float, own: float):
    """Variance of the scores, and mean square of the part that all towers share."""
    variance = float(np.mean(np.square(table["score"])))
    common = []
    for _, step in table.groupby("step"):
        matrix = variance * _correlation(step["site"].to_numpy(), at, length, own)
        one = np.ones(len(step))
        weight = cho_solve(cho_factor(matrix, lower=True), one)
        common.append((weight @ step["score"].to_numpy() / weight.sum()) ** 2 + 1 / weight.sum())
    return variance, float(np.mean(common))
