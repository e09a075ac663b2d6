"""Conversion of carbon-flux units of reference products to g m-2 d-1 of carbon.

1 µmol m-2 s-1 is 1.0378 g m-2 d-1 of carbon. A confusion of the two would not show in a map, so the
unit is read from the file and never guessed.
"""

from __future__ import annotations

import re

CARBON_MOLAR_MASS = 12.011
"""g mol-1"""

CO2_MOLAR_MASS = 44.009
"""g mol-1"""

_PREFIXES = {"": 1.0, "k": 1e3, "m": 1e-3, "u": 1e-6, "n": 1e-9, "M": 1e6}
_DAYS = {"s": 1 / 86400, "h": 1 / 24, "d": 1.0, "8d": 8.0, "month": None, "yr": 365.25}
_TIMES = {
    "s": "s", "sec": "s", "second": "s", "h": "h", "hr": "h", "hour": "h", "d": "d", "day": "d",
    "8d": "8d", "8day": "8d", "mo": "month", "mon": "month", "month": "month", "y": "yr",
    "yr": "yr", "year": "yr", "a": "yr",
}  # fmt: skip
_MASS = re.compile(r"^(?P<prefix>[kmuM]?)g(?P<what>|(?i:c|co2|carbon))$")
_MOLES = re.compile(r"^(?P<prefix>[kmun]?)mol(?P<what>|(?i:c|co2|carbon))$")


def to_grams_per_day(units: str) -> tuple[float, bool] | None:
    """Factor from a unit of carbon flux to g m-2 d-1 of carbon.

    Parameters
    ----------
    units : str
        Such as ``gC m-2 d-1``, ``kg C m^-2 s^-1``, ``umolCO2 m-2 s-1``, ``gC/m2/day``. A mass
        without a substance is one of carbon, as in CMIP files.

    Returns
    -------
    tuple of float and bool, or None
        The factor, and whether it is per calendar month (to be divided by its days); None where
        the unit is not one of a carbon flux per area and time.
    """
    factors = _split(units)
    areas = [f for f in factors if f in ("m-2", "m2-1")]
    times = [f[:-2] for f in factors if f.endswith("-1") and f[:-2] in _TIMES]
    rest = [f for f in factors if f not in areas and f[:-2] not in times]
    if len(areas) != 1 or len(times) != 1 or not rest:
        return None
    amount = _amount("".join(rest))
    days = _DAYS[_TIMES[times[0]]]
    if amount is None:
        return None
    return (amount, True) if days is None else (amount / days, False)


def _split(units: str) -> list[str]:
    """Factors of a unit in one spelling: `gC/m²/day` is `gC`, `m-2`, `day-1`."""
    text = str(units).strip().strip("[]()").translate(str.maketrans("µμ−⁻²¹", "uu--21"))
    text = re.sub(r"\bmicro|\bmu(?=mol)", "u", text).replace("**", "").replace("^", "")
    text = re.sub(r"[()*·.]", " ", re.sub("[{}]", "", text))
    first, *below = re.split(r"\s*/\s*", text)
    factors = first.split()
    for part in below:
        name, *others = part.split()
        power = re.fullmatch(r"([a-zA-Z]+)([2]?)", name)
        factors += [f"{power[1]}-{power[2] or 1}" if power else name, *others]
    return [re.sub(r"^(8)?\s*(days?)-1$", r"\1day-1", factor) for factor in factors]


def _amount(text: str) -> float | None:
    """Grams of carbon in one unit of mass or moles."""
    text = text.replace("-", "").replace("_", "")
    if found := _MASS.match(text):
        share = CARBON_MOLAR_MASS / CO2_MOLAR_MASS if found["what"].lower() == "co2" else 1.0
    elif found := _MOLES.match(text):
        share = CARBON_MOLAR_MASS
    else:
        return None
    return _PREFIXES[found["prefix"]] * share
