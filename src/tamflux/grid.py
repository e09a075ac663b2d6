"""The product grid: regular cell centres, latitude and longitude ascending, and its tiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tamflux.errors import ConfigError

EARTH_RADIUS_M = 6_371_007.181
"""Radius of the sphere with the area of WGS84, in m; the sphere of the MODIS grids."""


@dataclass(frozen=True)
class Tile:
    """A block of cells: rows and columns of the grid it belongs to."""

    id: str
    rows: slice
    cols: slice


@dataclass(frozen=True)
class Grid:
    """A regular latitude-longitude grid given by its cell size and its outer edges.

    Parameters
    ----------
    resolution : float
        Cell size in degrees; 180 must be a multiple of it.
    bbox : tuple of float
        West, south, east, north *edges* in degrees, each a multiple of `resolution`
        counted from (-180, -90).

    Raises
    ------
    ConfigError
        If the grid does not fit these rules.
    """

    resolution: float
    bbox: tuple[float, float, float, float] = (-180.0, -90.0, 180.0, 90.0)

    def __post_init__(self):
        west, south, east, north = self.bbox
        if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
            raise ConfigError(
                "grid.bbox is not a west, south, east, north box",
                found=list(self.bbox),
                expected="-180 <= west < east <= 180 and -90 <= south < north <= 90",
                fix="correct grid.bbox",
            )
        for name, value in {
            "grid.resolution": 180.0,
            "grid.bbox west": west + 180,
            "grid.bbox south": south + 90,
            "grid.bbox east": east + 180,
            "grid.bbox north": north + 90,
        }.items():
            cells = value / self.resolution
            if abs(cells - round(cells)) > 1e-9:
                raise ConfigError(
                    f"{name} does not fit a global grid of whole cells",
                    found=f"resolution {self.resolution}, bbox {list(self.bbox)}",
                    expected="180 and every edge (from -180, -90) a multiple of the resolution",
                    fix="choose a resolution such as 0.25, 0.5 or 1 and edges on its cell borders",
                )

    @classmethod
    def from_config(cls, section: Mapping[str, Any]) -> Grid:
        """The grid of a mapping with `resolution` and `bbox`: of a configuration, or of a cube."""
        return cls(section["resolution"], tuple(section["bbox"]))

    @property
    def shape(self) -> tuple[int, int]:
        """(lat, lon) number of cells."""
        west, south, east, north = self.bbox
        return round((north - south) / self.resolution), round((east - west) / self.resolution)

    @property
    def lat_edges(self) -> np.ndarray:
        """(lat + 1,) edges in degrees north, ascending."""
        return self.bbox[1] + self.resolution * np.arange(self.shape[0] + 1)

    @property
    def lon_edges(self) -> np.ndarray:
        """(lon + 1,) edges in degrees east, ascending."""
        return self.bbox[0] + self.resolution * np.arange(self.shape[1] + 1)

    @property
    def lat(self) -> np.ndarray:
        """(lat,) cell centres in degrees north, ascending."""
        return self.lat_edges[:-1] + self.resolution / 2

    @property
    def lon(self) -> np.ndarray:
        """(lon,) cell centres in degrees east, ascending."""
        return self.lon_edges[:-1] + self.resolution / 2

    def cell_area(self) -> np.ndarray:
        """(lat, lon) area of each cell in m2, on the sphere of `EARTH_RADIUS_M`."""
        band = np.diff(np.sin(np.radians(self.lat_edges)))
        row = EARTH_RADIUS_M**2 * np.radians(self.resolution) * band
        return np.repeat(row[:, None], self.shape[1], axis=1)

    def locate(self, lat: float, lon: float) -> tuple[int, int] | None:
        """(row, col) of the cell that holds a point, or None outside the grid.

        A point on an edge belongs to the cell north or east of it; the north pole to the last
        row; longitudes of either convention (-180..180, 0..360) are accepted.
        """
        west, south, _, _ = self.bbox
        turned = (lon + 180.0) % 360.0 - 180.0
        row = int(np.floor((lat - south) / self.resolution + 1e-9))
        col = int(np.floor((turned - west) / self.resolution + 1e-9))
        if lat == 90.0:
            row -= 1
        rows, cols = self.shape
        return (row, col) if 0 <= row < rows and 0 <= col < cols else None

    def tiles(self, size: int) -> list[Tile]:
        """Tiles of `size` x `size` cells (smaller at the north and east), each cell once."""
        rows, cols = self.shape
        return [
            Tile(
                f"r{row:04d}c{col:04d}",
                slice(row, min(row + size, rows)),
                slice(col, min(col + size, cols)),
            )
            for row in range(0, rows, size)
            for col in range(0, cols, size)
        ]


def great_circle_km(lat1, lon1, lat2, lon2):
    """Distance in km (haversine formula) of points in degrees, which are broadcast."""
    lat1, lon1, lat2, lon2 = (np.radians(each) for each in (lat1, lon1, lat2, lon2))
    half = np.sin((lat2 - lat1) / 2) ** 2
    half = half + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    return 2e-3 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(half, 0, 1)))
