"""Raw variables of ERA5: names, units, daily statistics, valid ranges."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from tamflux.units import MISTAKEN, likely_units
from tamflux.variables import METEOROLOGY, Variable

DAY_SECONDS = 86400.0


@dataclass(frozen=True)
class RawVariable:
    """A raw variable: its names in files, its family of units and its valid range."""

    names: tuple[str, ...]
    family: str
    valid: tuple[float, float]


def _range(name: str) -> tuple[float, float]:
    return METEOROLOGY[name].valid_min, METEOROLOGY[name].valid_max


RAW = {
    "t2m": RawVariable(("t2m", "2t", "2m_temperature"), "temperature", _range("t2m")),
    "d2m": RawVariable(("d2m", "2d", "2m_dewpoint_temperature"), "temperature", (-130, 65)),
    "ssrd": RawVariable(("ssrd", "surface_solar_radiation_downwards"), "radiation", _range("ssrd")),
    "strd": RawVariable(
        ("strd", "surface_thermal_radiation_downwards"), "radiation", _range("strd")
    ),
    "tp": RawVariable(("tp", "total_precipitation"), "precipitation", _range("tp")),
    "swvl1": RawVariable(("swvl1", "volumetric_soil_water_layer_1"), "moisture", _range("swvl1")),
    "sp": RawVariable(("sp", "surface_pressure"), "pressure", _range("sp")),
    "u10": RawVariable(("u10", "10u", "10m_u_component_of_wind"), "speed", (-100, 100)),
    "v10": RawVariable(("v10", "10v", "10m_v_component_of_wind"), "speed", (-100, 100)),
}
_NAMES = {alias: name for name, raw in RAW.items() for alias in raw.names}
ACCUMULATED = ("ssrd", "strd", "tp")
STATISTICS = {"maximum": "max", "max": "max", "minimum": "min", "min": "min", "mean": "mean",
               "avg": "mean", "average": "mean", "sum": "sum"}  # fmt: skip


def raw_variables_of(dataset_type: str, predictor: str) -> tuple[str, ...]:
    """Raw variables that a predictor of `METEOROLOGY` is made of, for a dataset type."""
    daily = dataset_type == "daily_statistics"
    return {
        "t2m_min": ("t2m_min",) if daily else ("t2m",),
        "t2m_max": ("t2m_max",) if daily else ("t2m",),
        "vpd": ("t2m_min", "t2m", "t2m_max", "d2m") if daily else ("t2m", "d2m"),
        "wind": ("u10", "v10"),
    }.get(predictor, (predictor,))


CATALOGUE_UNITS = {"temperature": "degC", "radiation": "W m-2", "precipitation": "mm d-1",
                    "moisture": "m3 m-3", "pressure": "hPa", "speed": "m s-1"}  # fmt: skip


def known_units(variable: str, seconds: float) -> dict[str, tuple[float, float]]:
    """Known units of a raw variable, with factor and offset to the catalogue's unit.

    `seconds`: time that an accumulated value spans.
    """
    units: dict[str, dict[str, tuple[float, float]]] = {
        "temperature": {"K": (1, -273.15), "degC": (1, 0)},
        "radiation": {"J m-2": (1 / seconds, 0), "W m-2": (1, 0)},
        "precipitation": {
            "m": (1000 * DAY_SECONDS / seconds, 0),
            "mm": (DAY_SECONDS / seconds, 0),
            "kg m-2": (DAY_SECONDS / seconds, 0),
            "kg m-2 s-1": (DAY_SECONDS, 0),
        },
        "moisture": {"m3 m-3": (1, 0)},
        "pressure": {"Pa": (0.01, 0), "hPa": (1, 0)},
        "speed": {"m s-1": (1, 0)},
    }
    return units[RAW[variable.split("_")[0]].family]


_SPELLINGS = {
    "degrees C": "degC", "C": "degC", "celsius": "degC", "Celsius": "degC", "°C": "degC",
    "kelvin": "K", "Kelvin": "K", "m/s": "m s-1", "J/m2": "J m-2", "W/m2": "W m-2",
    "m of water equivalent": "m", "m3/m3": "m3 m-3", "mbar": "hPa",
}  # fmt: skip


def plain_unit(units: str) -> str:
    """Normalised spelling of a unit (`J m**-2`, `degrees C`, `m/s`)."""
    text = re.sub(r"\s+", " ", units).strip().replace("**", "").replace("^", "")
    return _SPELLINGS.get(text, text)


def guess_unit(raw: np.ndarray, variable: str, table, units: str) -> str | None:
    """Remedy naming the units of `table` (see `known_units`) that bring raw values into range.

    None if there are no such units.
    """
    family = RAW[variable.split("_")[0]].family
    low, high = RAW[variable.split("_")[0]].valid
    raw_min, raw_max = np.fmin.reduce(raw, axis=None), np.fmax.reduce(raw, axis=None)
    wanted = CATALOGUE_UNITS[family]
    foreign = [u for u in MISTAKEN[wanted] if plain_unit(units) in (u, u.removesuffix(" d-1"))]
    if foreign and plain_unit(units) not in known_units(variable, DAY_SECONDS):
        return f"convert them from {units} to {wanted}, and set the units attribute"
    fits = [u for u, (f, o) in table.items() if low <= raw_min * f + o and raw_max * f + o <= high]
    said = f" but say {units}" if units else ""
    if fits:
        return f"the values look like {' or '.join(fits)}{said}: correct the units attribute"
    other = likely_units(raw_min, raw_max, Variable(variable, wanted, "", low, high))
    return other and f"the values look like {other}{said}: convert them to {wanted}"


def raw_name(name: str) -> str:
    """Base name of a variable in a file, `t2m` for `t2m_min` or `2m_temperature`; else ""."""
    stem = re.sub(r"_(daily_)?(mean|min|minimum|max|maximum|sum)$", "", name)
    return _NAMES.get(stem, "")


def raw_variable(base: str, statistic: str | None) -> str:
    """`t2m_min` for a daily minimum; the base name for means, sums and instantaneous values."""
    return f"{base}_{statistic}" if statistic in ("min", "max") else base
