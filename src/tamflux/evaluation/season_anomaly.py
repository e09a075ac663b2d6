"""Skill in the mean seasonal cycle of a site, and in the anomalies from that cycle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tamflux.evaluation.metrics import FLUX_NAMES

HARMONICS = 2
"""Harmonics of the seasonal cycle: periods of a year and half a year."""

YEAR = 365.2425


def score_seasons(frame: pd.DataFrame, fluxes: Sequence[str] = FLUX_NAMES) -> pd.DataFrame:
    """Score the mean seasonal cycle and the daily anomalies of each site and flux.

    The seasonal cycle of a series is its least-squares fit of a mean and `HARMONICS` harmonics on
    the days that count, the same for observed and predicted; the anomalies are the residuals. The
    two are orthogonal, so the squared errors of cycle and anomalies add up to those of the days.
    Unlike means per day of the year, the fit needs neither several years nor complete ones.

    Parameters
    ----------
    frame : DataFrame
        `site_id, date`, and for each flux `{flux}` (observed) and `{flux}_pred`, g m-2 d-1.
    fluxes : sequence of str
        Names of the fluxes.

    Returns
    -------
    DataFrame
        One row per site and flux: `site_id, flux, mean` (observed, of the days that count),
        `season_r2`, `anomaly_r2`; NaN where the observed cycle or anomalies do not vary.
    """
    angle = 2 * np.pi / YEAR * frame["date"].to_numpy("datetime64[D]").astype(float)
    waves = [part(k * angle) for k in range(1, HARMONICS + 1) for part in (np.cos, np.sin)]
    design = np.stack([np.ones(len(frame)), *waves], axis=1)
    codes, sites = pd.factorize(frame["site_id"], sort=True)
    order = np.argsort(codes, kind="stable")
    rows_of_site = np.split(order, np.searchsorted(codes[order], np.arange(1, len(sites))))
    scores = []
    for flux in fluxes:
        series = frame[[flux, f"{flux}_pred"]].to_numpy(float)
        finite = np.isfinite(series).all(axis=1)
        for site, rows in zip(sites, rows_of_site, strict=True):
            if finite[rows].any():
                days = rows[finite[rows]]
                scores.append((site, flux, *_scores(design[days], series[days])))
    return pd.DataFrame(scores, columns=["site_id", "flux", "mean", "season_r2", "anomaly_r2"])


def _scores(design: np.ndarray, series: np.ndarray) -> tuple[float, float, float]:
    """Observed mean, R² of the cycle, R² of the anomalies, of (day, 2) observed and predicted."""
    basis = np.linalg.qr(design)[0]
    cycle = basis @ (basis.T @ series)
    anomaly = series - cycle
    mean = series[:, 0].mean()
    return mean, _r2(cycle, mean), _r2(anomaly, 0.0)


def _r2(series: np.ndarray, mean: float) -> float:
    observed, predicted = series.T
    variance = np.mean((observed - mean) ** 2)
    # a constant series varies by rounding errors
    if variance <= 1e-12 * (1 + mean**2):
        return np.nan
    return 1 - np.mean((predicted - observed) ** 2) / variance
