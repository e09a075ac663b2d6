"""Regions that totals are summed over, as shares of the land of each grid cell.

The land of a cell is shared among polygons by their overlap with it. The coast of the polygons and
that of the land-cover map differ, and a polygon may end at the coast (a country) or reach out to
sea (a region of an inversion). The share of a polygon is therefore its area on the land of Natural
Earth in the cell, over all land of Natural Earth there; where that has no land, it is the
polygon's share of the cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import geopandas
import numpy as np
import shapely
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from scipy.sparse import csr_array
from shapely.geometry import box

from tamflux.grid import Grid
from tamflux.readers.polygons import read_polygons
from tamflux.variables import IGBP_CLASSES, KOPPEN_CLASSES

WORLD = (-180.0, -90.0, 180.0, 90.0)

LATITUDES = {
    "90S-60S": (-90.0, -60.0),
    "60S-30S": (-60.0, -30.0),
    "30S-0": (-30.0, 0.0),
    "0-30N": (0.0, 30.0),
    "30N-60N": (30.0, 60.0),
    "60N-90N": (60.0, 90.0),
    "southern extratropics": (-90.0, -23.5),
    "tropics": (-23.5, 23.5),
    "northern extratropics": (23.5, 90.0),
}
"""South and north border in degrees; a cell belongs to a zone by its centre."""

NO_CONTINENT = "Seven seas (open ocean)"
"""Natural Earth's continent of islands far from any."""


@dataclass(frozen=True)
class RegionSet:
    """Regions of one kind.

    Attributes
    ----------
    name : str
        box, latitude, igbp, koppen, continent, country, or the name of a file of polygons.
    regions : tuple of str
    share : scipy.sparse.csr_array
        (region, cell) share of the land of a cell that belongs to the region, 0 to 1; cells are
        numbered row by row from the south.
    inside_share : numpy.ndarray
        (region,) share of the area of a polygon, in degrees, inside the grid; NaN for others.
    """

    name: str
    regions: tuple[str, ...]
    share: csr_array
    inside_share: np.ndarray


def box_name(grid: Grid) -> str:
    """What a grid covers: ``global``, or its edges such as ``36N-44N 10W-4E``."""
    west, south, east, north = grid.bbox
    if (west, south, east, north) == WORLD:
        return "global"
    edges = ((south, "SN"), (north, "SN"), (west, "WE"), (east, "WE"))
    texts = [f"{abs(edge):g}{signs[edge >= 0] if edge else ''}" for edge, signs in edges]
    return f"{texts[0]}-{texts[1]} {texts[2]}-{texts[3]}"


def region_sets(
    grid: Grid, igbp: np.ndarray, koppen: np.ndarray, polygons: str | Path | None = None
) -> Iterator[RegionSet]:
    """Region sets of a product; the first is its box. Regions may lie outside of the grid.

    Parameters
    ----------
    grid : Grid
    igbp : numpy.ndarray
        (class, lat, lon) fractions of the *cell* in the order of `IGBP_CLASSES`.
    koppen : numpy.ndarray
        (lat, lon) code 0-30.
    polygons : path, optional
        The user's polygons (`tamflux.readers.polygons.read_polygons`).
    """
    cells = grid.shape[0] * grid.shape[1]
    yield box_set(grid)
    lat = np.repeat(grid.lat, grid.shape[1])
    yield _set(
        "latitude",
        {name: (lat >= south) & (lat < north) for name, (south, north) in LATITUDES.items()},
    )
    fractions = igbp.reshape(len(IGBP_CLASSES), cells)
    land = 1 - fractions[0]
    shares = np.divide(fractions[1:], land, out=np.zeros_like(fractions[1:]), where=land > 0)
    yield _set("igbp", dict(zip(IGBP_CLASSES[1:], shares, strict=True)))
    code = koppen.ravel()
    yield _set("koppen", {name: code == k for k, name in enumerate(KOPPEN_CLASSES, 1)})
    world = countries()
    for name in ("continent", "country"):
        parts = world.dissolve(name).drop(index=NO_CONTINENT, errors="ignore")
        yield _overlap(name, parts["geometry"], grid)
    if polygons is not None:
        yield polygon_set(polygons, grid)


def box_set(grid: Grid) -> RegionSet:
    """The one region that is the whole box of a grid."""
    return _set("box", {box_name(grid): np.ones(grid.shape[0] * grid.shape[1])})


def polygon_set(polygons: str | Path, grid: Grid) -> RegionSet:
    """The user's polygons (`tamflux.readers.polygons.read_polygons`), cut to land and the grid."""
    land = read_polygons(polygons).intersection(countries().union_all())
    return _overlap(Path(polygons).stem, land, grid)


@lru_cache(maxsize=1)
def countries() -> geopandas.GeoDataFrame:
    """Natural Earth's countries: `country, continent, geometry`, one row per pair of names."""
    return geopandas.read_parquet(str(files("tamflux") / "data" / "countries.parquet"))


def _set(name: str, shares: Mapping[str, np.ndarray]) -> RegionSet:
    stacked = np.stack([np.asarray(share, float) for share in shares.values()])
    return RegionSet(name, tuple(shares), csr_array(stacked), np.full(len(shares), np.nan))


def _overlap(name: str, polygons: geopandas.GeoSeries, grid: Grid) -> RegionSet:
    """Share of the land of each cell in each polygon, which are clipped to land."""
    inside = polygons.intersection(box(*grid.bbox))
    inside = inside[~inside.is_empty]
    area = _coverage(inside, grid)
    land = _coverage(geopandas.GeoSeries([countries().union_all()], crs=polygons.crs), grid)
    whole = land.toarray().ravel()
    whole = np.where(whole > 0, whole, 1)
    share = csr_array(area.multiply(1 / whole))
    share.data = np.minimum(share.data, 1)
    inside_share = shapely.area(inside.to_numpy()) / shapely.area(polygons[inside.index].to_numpy())
    return RegionSet(name, tuple(map(str, inside.index)), share, inside_share)


def _coverage(polygons: geopandas.GeoSeries, grid: Grid) -> csr_array:
    """(polygon, cell) share of the area of each cell, in degrees, that a polygon covers."""
    rows, cols = grid.shape
    west, south, east, north = grid.bbox
    raster = NumPyRasterSource(np.zeros(grid.shape), west, south, east, north)
    areas = shapely.buffer(polygons.to_numpy(), 0)  # drops points and lines, where areas touch
    frame = geopandas.GeoDataFrame({"geometry": areas}, crs=polygons.crs)
    found = exact_extract(raster, frame, ["cell_id", "coverage"])
    shares = csr_array((len(frame), rows * cols))
    if found:
        number = [np.asarray(each["properties"]["cell_id"], int) for each in found]
        region = np.repeat(np.arange(len(found)), [len(each) for each in number])
        data = np.concatenate([each["properties"]["coverage"] for each in found])
        row, col = np.divmod(np.concatenate(number), cols)  # rows of the raster from the north
        shares = csr_array((data, (region, (rows - 1 - row) * cols + col)), shape=shares.shape)
    return shares
