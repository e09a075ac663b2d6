"""The simplest sensible baseline: the mean seasonal cycle of each IGBP class (`msc`).

Every day of every training tower of a class is averaged by time of year, the southern hemisphere
shifted by half a year, and smoothed. A tower is predicted by the cycle of its class, a cell by the
cycles of its classes in proportion to their area.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from tamflux.variables import FLUXES, IGBP_CLASSES, VEGETATED

PHASES = 365
"""Steps of the seasonal cycle."""

SMOOTHING_DAYS = 10
"""Standard deviation of the Gaussian that smooths the cycle."""


def season_phase(dates: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Step of the seasonal cycle, 0 to `PHASES` - 1, of dates at latitudes.

    Parameters
    ----------
    dates : (time,) datetime64
    lat : (location,) degrees north; south of the equator the year begins on 2 July.

    Returns
    -------
    (location, time) int array
    """
    days = np.asarray(dates, "datetime64[D]")
    years = days.astype("datetime64[Y]")
    length = ((years + 1).astype("datetime64[D]") - years.astype("datetime64[D]")).astype(float)
    share = ((days - years.astype("datetime64[D]")).astype(float) + 0.5) / length
    shift = np.where(np.asarray(lat) < 0, 0.5, 0.0)
    return ((share[None, :] + shift[:, None]) % 1.0 * PHASES).astype(np.int64)


def fit_cycle(frame: pd.DataFrame, sites: pd.DataFrame) -> np.ndarray:
    """Mean seasonal cycle of every IGBP class and flux.

    Parameters
    ----------
    frame : DataFrame
        `site_id, date, gpp, reco, nee` (g m-2 d-1) and `qc`, the weight of a day (0-1).
    sites : DataFrame
        `site_id, lat, igbp` of the training sites; other sites of `frame` are ignored.

    Returns
    -------
    (class, PHASES, 3) float64 array, in the order of `IGBP_CLASSES` and gpp, reco, nee.
        A vegetated class without towers gets the cycle of all towers; water, snow, urban and
        barren land without towers get zero.
    """
    frame = frame.merge(sites[["site_id", "lat", "igbp"]], on="site_id")
    code = pd.Categorical(frame["igbp"], categories=IGBP_CLASSES).codes.astype(np.int64)
    phase = np.empty(len(frame), np.int64)
    for south in (False, True):
        rows = (frame["lat"].to_numpy() < 0) == south
        phase[rows] = season_phase(
            frame["date"].to_numpy()[rows], np.array([-1.0 if south else 1.0])
        )[0]
    distance = np.abs(np.subtract.outer(np.arange(PHASES), np.arange(PHASES)))
    distance = np.minimum(distance, PHASES - distance)
    kernel = np.exp(-0.5 * (distance / SMOOTHING_DAYS) ** 2)
    cycle = np.zeros((len(IGBP_CLASSES), PHASES, len(FLUXES)))
    for k, flux in enumerate(FLUXES):
        values = frame[flux].to_numpy(float)
        weight = np.where(np.isfinite(values), frame["qc"].fillna(0).to_numpy(float), 0.0)
        sums, weights = (
            np.bincount(
                code[code >= 0] * PHASES + phase[code >= 0],
                weights=array[code >= 0],
                minlength=len(IGBP_CLASSES) * PHASES,
            ).reshape(-1, PHASES)
            for array in (weight * np.nan_to_num(values), weight)
        )
        if not weights.any():
            continue
        known = weights.sum(1) > 0
        cycle[known, :, k] = (sums[known] @ kernel) / (weights[known] @ kernel)
        unknown = ~known & np.isin(IGBP_CLASSES, VEGETATED)
        cycle[unknown, :, k] = (sums.sum(0) @ kernel) / (weights.sum(0) @ kernel)
    return cycle


def predict_cycle(
    cycle: np.ndarray, fractions: np.ndarray, lat: np.ndarray, dates: np.ndarray
) -> np.ndarray:
    """Fluxes of sites or cells from the cycles of their classes.

    Parameters
    ----------
    cycle : (class, PHASES, 3) array from `fit_cycle`
    fractions : (location, class) share of each class in the land of the location
    lat : (location,) degrees north
    dates : (time,) datetime64

    Returns
    -------
    (location, time, 3) float32 array, g m-2 d-1
    """
    mixed = np.tensordot(fractions, cycle, axes=1).astype(np.float32)
    return np.take_along_axis(mixed, season_phase(dates, lat)[..., None], axis=1)
