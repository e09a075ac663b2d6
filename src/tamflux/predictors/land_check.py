"""Plausibility of the land surface against the map that the package ships.

The limits are wide: maps of land cover differ between years and versions by a few per cent, maps of
climate by their periods and criteria. They catch a turned or shifted raster and other class codes.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import netCDF4
import numpy as np

from tamflux.errors import InputError
from tamflux.grid import Grid

MIN_CELLS = 30
"""Land cells, or cells of open water, that a comparison needs."""

MIN_COVER = 0.5
"""Smallest mean overlap of the class fractions of land cells with those of MCD12C1 of 2019."""

MIN_CLIMATE = 0.3
"""Smallest share of land cells with the class of Rubel et al. (2017). Beck et al. (2018) part
temperate from cold climates at 0 degC in place of -3 degC, which concerns much of Europe."""

MAX_WATER_HEIGHT, MAX_SUNKEN = 0.5, 0.2
"""Largest mean height of open water over that of land, where heights below zero count as zero, and
largest share of land cells that do not lie above zero."""

MAX_RESOLUTION = 1.0
_STEP = 0.25
"""Degrees, of the shipped map."""


def check_land_surface(
    shares: np.ndarray,
    codes: np.ndarray,
    height: np.ndarray | None,
    grid: Grid,
    paths: tuple[str | Path, str | Path, str | Path | None],
) -> None:
    """Refuse fields of the grid that contradict the shipped map, on grids of 1 degree or finer.

    Parameters
    ----------
    shares : numpy.ndarray
        (lat, lon, 17) fractions of the IGBP classes, water first.
    codes : numpy.ndarray
        (lat, lon) Köppen codes, 0 without a class.
    height : numpy.ndarray or None
        (lat, lon) m, NaN where missing.
    paths : tuple
        Files of land cover, Köppen classes and elevation.

    Raises
    ------
    InputError
        Naming the file.
    """
    if grid.resolution > MAX_RESOLUTION:
        return
    expected, climate = _shipped(grid)
    land = (shares[..., 0] < 0.5) | (expected[..., 0] < 0.5)
    overlap = np.minimum(shares, expected).sum(axis=-1)[land]
    if overlap.size >= MIN_CELLS and overlap.mean() < MIN_COVER:
        raise _contradiction(
            "the land cover", paths[0], f"an overlap of {overlap.mean():.0%}",
            f"at least {MIN_COVER:.0%}",
            "use MCD12C1 as NASA delivers it: IGBP classes, water first, first row at 90 N",
        )  # fmt: skip
    both = (codes > 0) & (climate > 0) & land
    same = (codes == climate)[both].mean() if both.sum() >= MIN_CELLS else 1.0
    if same < MIN_CLIMATE:
        raise _contradiction(
            "the Köppen raster", paths[1], f"the same class in {same:.0%} of the land cells",
            f"at least {MIN_CLIMATE:.0%}",
            "use the present-day map of Beck et al. (2018): codes 1 (Af) to 30 (EF), its own edges",
        )  # fmt: skip
    if height is None:
        return
    known, raised = np.isfinite(height), np.maximum(height, 0)
    inland = (expected[..., 0] < 0.01) & land  # bathymetry lowers the mean of coasts
    water, on_land = raised[(expected[..., 0] == 1) & known], raised[inland & known]
    if min(water.size, on_land.size) < MIN_CELLS:
        return
    sunken, ratio = (on_land == 0).mean(), water.mean() / max(on_land.mean(), 1e-9)
    if sunken > MAX_SUNKEN or ratio > MAX_WATER_HEIGHT:
        raise _contradiction(
            "the elevation", paths[2],
            f"{sunken:.0%} of the land not above zero, open water at {ratio:.0%} of its height",
            f"at most {MAX_SUNKEN:.0%} and {MAX_WATER_HEIGHT:.0%}",
            "check the order of rows and the longitudes",
        )  # fmt: skip


def _shipped(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """(lat, lon, 17) fractions of the IGBP classes, and (lat, lon) Köppen code at the centre."""
    with netCDF4.Dataset(str(files("tamflux") / "data" / "surface.nc")) as file:
        file.set_auto_maskandscale(False)
        counts, koppen = file["igbp_count"][:], file["koppen"][:]
    n = max(1, round(grid.resolution / _STEP))
    offsets = ((np.arange(n) + 0.5) / n - 0.5) * grid.resolution

    def rows(shift: float) -> np.ndarray:
        return np.clip((grid.lat + shift + 90) / _STEP, 0, counts.shape[1] - 1).astype(int)

    def cols(shift: float) -> np.ndarray:
        return ((grid.lon + shift + 180) % 360 / _STEP).astype(int) % counts.shape[2]

    shares = np.zeros((counts.shape[0], *grid.shape), np.float32)
    for north in offsets:
        for east in offsets:
            shares += counts[:, rows(north)[:, None], cols(east)]
    centre = 1e-6  # of an even number of pixels the one to the north-east
    climate = koppen[rows(centre)[:, None], cols(centre)]
    return np.moveaxis(shares / shares.sum(axis=0), 0, -1), climate


def _contradiction(
    what: str, path: str | Path | None, found: str, expected: str, fix: str
) -> InputError:
    return InputError(
        f"{what} contradicts the map that TAMFlux ships: it is turned, shifted or coded otherwise",
        file=path, found=found, expected=expected, fix=fix,
    )  # fmt: skip
