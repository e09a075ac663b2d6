"""Maps of a grid in the Robinson projection, without external files.

A field is sampled per pixel (inverse projection, nearest cell), so a map takes the same time at any
resolution. Coastlines are the 0.5 contour of the shipped land map (0.25 degree).
"""

from __future__ import annotations

from functools import cache, cached_property
from importlib.resources import files

import contourpy
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap
from matplotlib.image import AxesImage
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from pyproj import Transformer

from tamflux.figures.style import LAND, OCEAN
from tamflux.grid import EARTH_RADIUS_M, Grid
from tamflux.variables import IGBP_CLASSES

MIN_POINTS = 12
"""Coastlines with fewer points are not drawn."""

_GROUND = ListedColormap([LAND])
_GRATICULE = [60, 30, 15, 10, 5, 2, 1]


class RobinsonMap:
    """The frame of maps of one grid: oval for the globe, cut to the box of a region.

    Parameters
    ----------
    grid : Grid
        The grid of the fields; the projection is centred on its middle meridian.
    land_fraction : (lat, lon) array, optional
        Land fraction of the cells: land without data is grey.
    width : int
        Pixels across a map.
    """

    def __init__(self, grid: Grid, land_fraction=None, width: int = 1100):
        self.grid, self.width = grid, width
        west, south, east, north = grid.bbox
        self.transformer = Transformer.from_crs(
            f"+proj=longlat +R={EARTH_RADIUS_M} +no_defs",
            f"+proj=robin +lon_0={(west + east) / 2} +R={EARTH_RADIUS_M} +units=m +no_defs",
            always_xy=True,
        )
        # slightly inside the edges, or +180 and -180 would be projected to the same side
        margin = 1e-9 * (east - west)
        west, east = west + margin, east - margin
        up, along = np.linspace(south, north, 181), np.linspace(west, east, 181)
        lon_ring = np.concatenate([np.full(181, west), along, np.full(181, east), along[::-1]])
        lat_ring = np.concatenate([up, np.full(181, north), up[::-1], np.full(181, south)])
        self.ring = np.column_stack(self.project(lon_ring, lat_ring))
        (self.left, self.bottom), (self.right, self.top) = self.ring.min(0), self.ring.max(0)
        self.land = None if land_fraction is None else np.asarray(land_fraction, float)

    def project(self, lon, lat) -> tuple[np.ndarray, np.ndarray]:
        """Metres east and north on the map of points in degrees."""
        return self.transformer.transform(np.asarray(lon, float), np.asarray(lat, float))

    @property
    def aspect(self) -> float:
        """Height of the map over its width."""
        return (self.top - self.bottom) / (self.right - self.left)

    @cached_property
    def _lookup(self) -> np.ndarray:
        """(y, x) index into the raveled grid of each pixel; -1 outside the grid."""
        height = max(2, round(self.width * self.aspect))
        x = self.left + (np.arange(self.width) + 0.5) / self.width * (self.right - self.left)
        y = self.bottom + (np.arange(height) + 0.5) / height * (self.top - self.bottom)
        east, north = np.meshgrid(x, y)
        lon, lat = self.transformer.transform(east, north, direction="INVERSE")
        rows, cols = self.grid.shape
        with np.errstate(invalid="ignore"):
            row = np.floor((lat - self.grid.bbox[1]) / self.grid.resolution)
            col = np.floor((lon - self.grid.bbox[0]) / self.grid.resolution)
            inside = (row >= 0) & (row < rows) & (col >= 0) & (col < cols)
        return np.where(inside, row * cols + col, -1).astype(np.int64)

    def draw(self, ax: Axes, field=None, cmap="viridis", norm=None) -> AxesImage | None:
        """Draw frame, field (lat, lon), coastlines and graticule; returns the image."""
        frame = PathPatch(Outline(self.ring), facecolor=OCEAN, edgecolor="none", zorder=0)
        ax.add_patch(frame)
        image = None
        layers = (
            [] if self.land is None else [(np.where(self.land >= 0.5, 1, np.nan), _GROUND, None)]
        )
        for values, colours, scale in [*layers, *([] if field is None else [(field, cmap, norm)])]:
            image = ax.imshow(
                self._sample(values),
                extent=(self.left, self.right, self.bottom, self.top),
                origin="lower",
                cmap=colours,
                norm=scale,
                interpolation="nearest",
                zorder=1,
            )
            image.set_clip_path(frame)
        for lines, style in (
            (self._graticule(), {"colors": "#9aa5b1", "linewidths": 0.3, "alpha": 0.7}),
            (self.coast, {"colors": "#30363d", "linewidths": 0.45}),
        ):
            collection = LineCollection(lines, zorder=2, **style)
            ax.add_collection(collection, autolim=False)
            collection.set_clip_path(frame)
        outline = PathPatch(
            Outline(self.ring), facecolor="none", edgecolor="#6b7480", lw=0.8, zorder=4
        )
        outline.set_clip_on(False)
        ax.add_patch(outline)
        ax.set(xlim=(self.left, self.right), ylim=(self.bottom, self.top), aspect="equal")
        ax.set_axis_off()
        return image

    def _sample(self, field) -> np.ma.MaskedArray:
        """(y, x) value of the cell under each pixel."""
        values = np.append(np.ravel(np.asarray(field, np.float32)), np.nan)[self._lookup]
        return np.ma.masked_invalid(values)

    def points(self, ax: Axes, lon, lat, **style):
        """Scatter points in degrees onto a drawn map."""
        return ax.scatter(*self.project(lon, lat), zorder=5, **style)

    def _graticule(self) -> list[np.ndarray]:
        west, south, east, north = self.grid.bbox
        step = next((s for s in _GRATICULE if max(east - west, north - south) / s >= 4), 1)
        lon, lat = np.linspace(west, east, 181), np.linspace(south, north, 181)
        meridians = np.arange(np.floor(west / step) + 1, np.ceil(east / step)) * step
        parallels = np.arange(np.floor(south / step) + 1, np.ceil(north / step)) * step
        lines = [(np.full(181, x), lat) for x in meridians] + [
            (lon, np.full(181, y)) for y in parallels
        ]
        return [np.column_stack(self.project(*line)) for line in lines]

    @cached_property
    def coast(self) -> list[np.ndarray]:
        """(point, 2) coastlines in metres on the map."""
        west, south, east, north = self.grid.bbox
        lines = []
        for lon, lat in coastlines():
            inside = (lon >= west - 1) & (lon <= east + 1) & (lat >= south - 1) & (lat <= north + 1)
            if inside.any():
                # beyond ±180 from the central meridian a point would be projected to the other side
                turn = np.clip(lon, *((west + east) / 2 + np.array([-179.999, 179.999])))
                lines.append(np.column_stack(self.project(turn, lat)))
        return lines


@cache
def coastlines() -> list[tuple[np.ndarray, np.ndarray]]:
    """Longitudes and latitudes of the world's coastlines, without islands of a few cells."""
    with xr.open_dataset(str(files("tamflux") / "data" / "surface.nc")) as surface:
        count = surface["igbp_count"]
        water = count.isel(igbp=IGBP_CLASSES.index("WAT")) / count.sum("igbp")
        contours = contourpy.contour_generator(surface["lon"], surface["lat"], water)
    lines = map(np.asarray, contours.lines(0.5))
    return [(line[:, 0], line[:, 1]) for line in lines if len(line) > MIN_POINTS]


def grid_of(field: xr.DataArray | xr.Dataset) -> Grid:
    """The grid of a field with cell centres `lat` and `lon`, ascending, two or more of each."""
    lat, lon = field["lat"].to_numpy(), field["lon"].to_numpy()
    step = round(float(lat[1] - lat[0]), 6)
    south, north = (round(float(edge), 6) for edge in (lat[0] - step / 2, lat[-1] + step / 2))
    west, east = (round(float(edge), 6) for edge in (lon[0] - step / 2, lon[-1] + step / 2))
    return Grid(step, (west, south, east, north))
