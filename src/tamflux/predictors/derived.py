"""Predictors that follow from others: vapour pressure deficit and wind speed.

Formulas of FAO-56: Allen et al. (1998), Crop evapotranspiration, FAO Irrigation and Drainage
Paper 56, https://www.fao.org/4/x0490e/x0490e07.htm
"""

from __future__ import annotations

import numpy as np

from tamflux.units import saturation_vapour_pressure


def vpd_instant(t2m: np.ndarray, d2m: np.ndarray) -> np.ndarray:
    """Vapour pressure deficit in hPa of air at one moment, from air and dew point in degC."""
    deficit = saturation_vapour_pressure(t2m) - saturation_vapour_pressure(d2m)
    return np.maximum(deficit, 0)


def vpd_daily(
    t2m_min: np.ndarray, t2m: np.ndarray, t2m_max: np.ndarray, d2m: np.ndarray
) -> np.ndarray:
    """Daily mean vapour pressure deficit in hPa from daily values in degC.

    Saturation pressure is convex in temperature: that at the mean temperature is too low for the
    day, and the mean of those at the extremes (FAO-56 eq. 12) is too high by about as much. The
    weights 1, 2, 1 of minimum, mean and maximum are the Gauss-Lobatto-Chebyshev rule of three
    nodes (the trapezoidal rule in phase: Trefethen and Weideman 2014, doi 10.1137/130932132),
    exact to third order in the amplitude of a sinusoidal day. The actual pressure follows from
    the dew point (eq. 14).
    """
    extremes = saturation_vapour_pressure(t2m_min) + saturation_vapour_pressure(t2m_max)
    saturation = (extremes + 2 * saturation_vapour_pressure(t2m)) / 4
    return np.maximum(saturation - saturation_vapour_pressure(d2m), 0)


def wind_speed(u10: np.ndarray, v10: np.ndarray) -> np.ndarray:
    """Wind speed in m s-1 from its eastward and northward parts."""
    return np.hypot(u10, v10)
