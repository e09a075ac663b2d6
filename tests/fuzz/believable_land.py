"""Rasters of the land surface that are believable but wrong, on the real map."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from hdf4_writer import write_hdf4

from tamflux.demo_earth.planet import igbp_percent, koppen_map
from tamflux.grid import Grid
from tamflux.predictors.land_surface import prepare_static
from tamflux.predictors.static import open_static

from .believable import Believable, Damage, with_warnings
from .land import STATIC, write_geotiff
from .trial import REJECTIONS

REGION = Grid(1.0, (-20, 0, 40, 60))
SIZE = 0.5
"""Degrees, of a pixel."""


def write(folder: Path) -> None:
    """Land cover, Köppen codes, and an elevation that falls off to the coast."""
    percent = igbp_percent()[:, ::-1].reshape(17, 360, 2, 720, 2)[:, :, 0, :, 0]
    write_percent(folder, np.moveaxis(percent, 0, 2))
    write_geotiff(folder / "koppen.tif", koppen_map()[::-2, ::2].copy(), nodata=0)
    land = 1 - percent[0] / 100
    north, east = np.meshgrid(np.linspace(90, -90, 360), np.linspace(-180, 180, 720), indexing="ij")
    hills = 900 + 700 * np.sin(np.radians(7 * north)) * np.cos(np.radians(5 * east))
    heights = np.where(land > 0.05, land * hills, -3000)
    write_geotiff(folder / "elevation.tif", heights.astype(np.float32), nodata=-9999)


def write_percent(folder: Path, values: np.ndarray) -> None:
    fields = {"Land_Cover_Type_1_Percent": np.ascontiguousarray(values, np.uint8)}
    write_hdf4(folder / "landcover.hdf", fields)


def read(folder: Path) -> dict[str, np.ndarray]:
    """Every variable of the land surface, and the land cells without a Köppen class."""
    target = folder / "out" / "static.nc"
    prepare_static(folder / "landcover.hdf", folder / "koppen.tif", folder / "elevation.tif",
                   REGION, target)  # fmt: skip
    with open_static(target) as static:
        filled = int((static["koppen_filled"] > 0).sum())
        names = [name for name in STATIC if name in static]
        return {n: static[n].to_numpy().astype(float) for n in names} | {
            REJECTIONS: [f"koppen_filled: {filled}"]
        }


def land_cover(change: Callable) -> Damage:
    """Damage the percentages (row, col, class): `change(values, rng)` gives how and the others."""

    def apply(folder: Path, rng: np.random.Generator) -> str:
        percent = igbp_percent()[:, ::-1].reshape(17, 360, 2, 720, 2)[:, :, 0, :, 0]
        how, values = change(np.moveaxis(percent, 0, 2).copy(), rng)
        write_percent(folder, values)
        return f"land cover, {how}"

    return apply


def geotiff(name: str, change: Callable) -> Damage:
    """Damage the pixels of a GeoTIFF: `change(values, rng)` gives how and the others."""

    def apply(folder: Path, rng: np.random.Generator) -> str:
        with rasterio.open(folder / name) as file:
            values, nodata = file.read(1), file.nodata
        how, values = change(values, rng)
        write_geotiff(folder / name, np.ascontiguousarray(values), nodata=nodata)
        return f"{name}, {how}"

    return apply


def shift_geotiff(name: str) -> Damage:
    """Edges of half a pixel beside the true ones: centres taken for edges."""

    def apply(folder: Path, rng: np.random.Generator) -> str:
        east = float(rng.choice([-1, 1]) * SIZE / 2)
        with rasterio.open(folder / name, "r+") as file:
            file.transform = rasterio.transform.from_origin(-180 + east, 90, SIZE, SIZE)
        return f"{name}, {east:g} degrees to the east"

    return apply


def roll_half(values, rng):
    """One column: half a cell of the grid."""
    cols = int(rng.choice([-1, 1]))
    return f"{cols} columns to the east", np.roll(values, cols, axis=1)


def turn(values, rng):
    return "south first", values[::-1]


def shift_far(values, rng):
    degrees = int(rng.choice([-1, 1]) * rng.integers(30, 181))
    return f"{degrees} degrees to the east", np.roll(values, int(degrees / SIZE), axis=1)


def water_last(values, rng):
    """MCD12Q1 has water last, MCD12C1 first."""
    return "water last", np.roll(values, -1, axis=2)


def other_order(values, rng):
    order = np.r_[0, rng.permutation(np.arange(1, 17))]
    return f"classes in the order {order.tolist()}", values[..., order]


def missing(fill):
    def change(values, rng):
        row, col = int(rng.integers(60, 150)), int(rng.integers(320, 430))
        size = int(rng.integers(10, 40))
        values[row : row + size, col : col + size] = fill
        return f"{size} x {size} pixels missing", values

    return change


def alphabetical(values, rng):
    """Codes of the classes sorted by name, as in other maps (Kottek et al. 2006)."""
    return "codes by the alphabet", recode(ALPHABETICAL)[values]


def main_groups(values, rng):
    """1 to 5 for A to E."""
    groups = np.searchsorted([3, 7, 16, 28], np.arange(1, 31), side="left") + 1
    return "main groups alone", np.r_[0, groups].astype(np.uint8)[values]


def recode(codes) -> np.ndarray:
    return np.r_[0, codes].astype(np.uint8)


NAMES = (
    "Af Am Aw BWh BWk BSh BSk Csa Csb Csc Cwa Cwb Cwc Cfa Cfb Cfc Dsa Dsb Dsc Dsd Dwa Dwb Dwc Dwd "
    "Dfa Dfb Dfc Dfd ET EF"
).split()
ALPHABETICAL = [sorted(NAMES).index(name) + 1 for name in NAMES]


def times(*factors: float):
    def change(values, rng):
        factor = factors[rng.integers(len(factors))]
        return f"times {factor:g}", np.where(values == -9999, values, values * np.float32(factor))

    return change


LAND = (
    Believable("land cover", write, with_warnings(read), STATIC, damages={
        "shifted by half a cell": land_cover(roll_half),
        "turned around": land_cover(turn),
        "shifted in longitude": land_cover(shift_far),
        "water last": land_cover(water_last),
        "another class scheme": land_cover(other_order),
        "part missing": land_cover(missing(255)),
    }),
    Believable("Köppen classes", write, with_warnings(read), STATIC, damages={
        "shifted by half a cell": shift_geotiff("koppen.tif"),
        "turned around": geotiff("koppen.tif", turn),
        "shifted in longitude": geotiff("koppen.tif", shift_far),
        "codes by the alphabet": geotiff("koppen.tif", alphabetical),
        "main groups alone": geotiff("koppen.tif", main_groups),
        "part missing": geotiff("koppen.tif", missing(0)),
    }),
    Believable("elevation", write, with_warnings(read), STATIC, damages={
        "shifted by half a cell": shift_geotiff("elevation.tif"),
        "turned around": geotiff("elevation.tif", turn),
        "shifted in longitude": geotiff("elevation.tif", shift_far),
        "scaled": geotiff("elevation.tif", times(1 / 1000, 0.1, 10, 1000)),
        "feet": geotiff("elevation.tif", times(1 / 0.3048)),
        "part missing": geotiff("elevation.tif", missing(-9999)),
    }, no_evidence=dict.fromkeys(("scaled", "feet"), "no height is shipped, and none is used")),
)  # fmt: skip
