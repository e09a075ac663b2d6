"""Units that files hold by mistake, recognised from the range of the values."""

from __future__ import annotations

import numpy as np

from tamflux.variables import Variable

MISTAKEN: dict[str, dict[str, tuple[float, float]]] = {
    "degC": {"K": (1, -273.15), "degF": (5 / 9, -160 / 9)},
    "hPa": {"Pa": (0.01, 0), "kPa": (10, 0)},
    "W m-2": {"J m-2 d-1": (1 / 86400, 0), "kJ m-2 d-1": (1 / 86.4, 0),
              "MJ m-2 d-1": (1 / 0.0864, 0)},
    "mm d-1": {"m d-1": (1000, 0), "um d-1": (0.001, 0)},
    "m3 m-3": {"%": (0.01, 0), "kg m-2 of a layer of 7 cm": (1 / 70, 0)},
    "m s-1": {"cm s-1": (0.01, 0)},
    "m": {"km": (1000, 0), "ft": (0.3048, 0), "cm": (0.01, 0), "mm": (0.001, 0)},
    "1": {"counts of 0.0001": (1e-4, 0)},
    "g m-2 d-1": {"mg m-2 d-1": (1e-3, 0), "g m-2 s-1": (86400, 0)},
}  # fmt: skip
"""For each expected unit, the units found in its place, with factor and offset to it."""

MIN_DRYNESS = 0.1
"""Share of the saturation pressure that vapour pressure deficit exceeds on one day of twenty, at
every tower. At 163 towers of FLUXNET2015 it lies between 0.18 (a rain forest in Ghana, GH-Ank) and
0.98: a tenth of that, which is what kPa in place of hPa gives, never reaches 0.1."""


def likely_units(
    raw_min: float, raw_max: float, variable: Variable, floor: float = 0.0
) -> str | None:
    """Units in which the values would be plausible, such as ``K or degF``; None if there are none.

    Parameters
    ----------
    raw_min, raw_max : float
        Range of the values as they are.
    variable : Variable
        Catalogue entry whose valid range the converted values must fit.
    floor : float
        Magnitude that the converted values must reach.
    """
    fits = []
    for name, (factor, offset) in MISTAKEN.get(variable.units, {}).items():
        low, high = raw_min * factor + offset, raw_max * factor + offset
        valid = variable.valid_min <= low and high <= variable.valid_max
        if valid and max(abs(low), abs(high)) >= floor:
            fits.append(name)
    return " or ".join(fits) or None


def saturation_vapour_pressure(temperature: np.ndarray) -> np.ndarray:
    """Saturation vapour pressure over water in hPa at a temperature in degC (FAO-56 eq. 11)."""
    return 6.108 * np.exp(17.27 * temperature / (temperature + 237.3))


def is_kilopascal(vpd: np.ndarray, t2m: np.ndarray) -> bool:
    """Whether vapour pressure deficits declared in hPa are in kPa.

    Parameters
    ----------
    vpd, t2m : numpy.ndarray
        (day,) of one tower, NaN where missing; fewer than 90 days with both give False.
    """
    dryness = np.asarray(vpd) / saturation_vapour_pressure(np.asarray(t2m))
    dryness = dryness[np.isfinite(dryness)]
    return len(dryness) >= 90 and 0 < float(np.quantile(dryness, 0.95)) < MIN_DRYNESS
