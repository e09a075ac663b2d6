"""Climate that is shipped with the package: annual cycles, GPP that they support, Köppen classes.

Monthly means of ERA5 2000-2025 on nodes of 0.5 degree, shipped with the package
(`data/climate.nc`, which names its source and licence).
"""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files

import netCDF4
import numpy as np

from tamflux.variables import KOPPEN_CLASSES

_STEP = {"t2m": 0.1, "tp": 1.0}
_DAYS_OF_MONTH = np.array([31, 28.2425, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])

MONTHS = np.arange("2001-01", "2002-01", dtype="datetime64[M]").astype("datetime64[D]")
"""(12,) first days of the months, for `climatology`."""


@cache
def _monthly(name: str) -> np.ndarray:
    """(month, lat, lon) monthly means, `t2m` in degC and `tp` in mm d-1."""
    with as_file(files("tamflux") / "data" / "climate.nc") as path, netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        values = np.cumsum(file[f"{name}_step"][:], axis=0, dtype=np.int32) * _STEP[name]
    return values / _DAYS_OF_MONTH[:, None, None] if name == "tp" else values


def climatology(name: str, lat: np.ndarray, lon: np.ndarray, days: np.ndarray) -> np.ndarray:
    """(day, lat, lon) climatological mean of the month of each day, at the nearest node.

    Parameters
    ----------
    name : str
        ``t2m`` (degC) or ``tp`` (mm d-1).
    lat, lon : numpy.ndarray
        Degrees; longitude of any convention.
    days : numpy.ndarray
        (day,) datetime64[D].
    """
    monthly = _monthly(name)
    row = np.clip(np.rint((np.asarray(lat) + 90) / 0.5), 0, monthly.shape[1] - 1).astype(int)
    col = np.rint(((np.asarray(lon) + 180) % 360) / 0.5).astype(int) % monthly.shape[2]
    month = np.asarray(days).astype("datetime64[M]").astype(int) % 12
    return monthly[month[:, None, None], row[:, None], col]


def climate_gpp(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """(lat, lon) GPP in g C m-2 yr-1 that the annual climate supports, at the nearest node.

    The Miami model (Lieth 1975, in: Primary Productivity of the Biosphere, Springer) gives NPP in
    g m-2 yr-1 of dry matter, min(3000 / (1 + exp(1.315 - 0.119 T)), 3000 (1 - exp(-0.000664 P))),
    from temperature T in degC and precipitation P in mm. Carbon is 0.45 of it, and NPP half of GPP
    (Waring et al. 1998, doi:10.1093/treephys/18.2.129). GPP of 161 towers of FLUXNET2015 is 1.16
    times as large in the median.
    """
    t2m, tp = (
        np.average(climatology(name, lat, lon, MONTHS), axis=0, weights=_DAYS_OF_MONTH)
        for name in ("t2m", "tp")
    )
    tp = 365.2425 * tp
    warm, wet = 3000 / (1 + np.exp(1.315 - 0.119 * t2m)), 3000 * (1 - np.exp(-0.000664 * tp))
    return 0.45 / 0.5 * np.minimum(warm, wet)


def annual_delay(
    found: np.ndarray, expected: np.ndarray, day: np.ndarray
) -> tuple[float, list[float]]:
    """Days by which the annual harmonic is late, and the amplitudes of both, by least squares.

    All (n,); `day` is that of the year.
    """
    angle = 2 * np.pi * day / 365.25
    columns = np.stack([np.ones(len(day)), np.cos(angle), np.sin(angle)], axis=1)
    fits = [np.linalg.lstsq(columns, values, rcond=None)[0] for values in (found, expected)]
    one, other = (fit[1] + 1j * fit[2] for fit in fits)
    return float(np.angle(one * np.conj(other)) / (2 * np.pi) * 365.25), [abs(one), abs(other)]


def koppen_class(lat: float, lon: float) -> str | None:
    """Köppen class of the 0.25 degree cell of a point (`data/surface.nc`); None over water."""
    with (
        as_file(files("tamflux") / "data" / "surface.nc") as path,
        netCDF4.Dataset(path) as file,
    ):
        file.set_auto_maskandscale(False)
        row = min(int((lat + 90) / 0.25), 719)  # first row in the south
        code = int(file["koppen"][row, int(((lon + 180) % 360) / 0.25) % 1440])
    return KOPPEN_CLASSES[code - 1] if code else None
