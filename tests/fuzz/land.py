"""Land cover, Köppen climate and elevation, to the land surface of the grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
import xarray as xr
from hdf4_writer import write_hdf4

from tamflux.predictors.land_surface import prepare_static
from tamflux.predictors.static import open_static
from tamflux.variables import IGBP_CLASSES, igbp_fraction

from .stores import GRID
from .trial import Reader

STATIC = {igbp_fraction(name): (0, 1) for name in IGBP_CLASSES} | {
    "land_fraction": (0, 1), "vegetated_fraction": (0, 1), "koppen": (0, 30),
    "elevation": (-12000, 9000),
}  # fmt: skip


def write_static(folder: Path) -> None:
    """Percentages, Köppen codes and elevation as GeoTIFF and as NetCDF."""
    write_percent(folder, percentages())
    codes = 1 + np.arange(128).reshape(8, 16) % 30
    write_geotiff(folder / "koppen.tif", codes.astype(np.uint8), nodata=0, compress="deflate")
    heights = np.linspace(-400, 5000, 128, dtype=np.float32).reshape(8, 16)
    write_geotiff(folder / "elevation.tif", heights, nodata=-9999)


def percentages() -> np.ndarray:
    """(row, col, class) with two classes a pixel."""
    classes = np.arange(128).reshape(8, 16) % 17
    eye = np.eye(17) * 50
    return eye[classes] + eye[(classes + 1) % 17]


def write_percent(folder: Path, values) -> None:
    fields = {"Land_Cover_Type_1_Percent": np.asarray(values, np.uint8)}
    write_hdf4(folder / "landcover.hdf", fields)


def write_majority(folder: Path, codes=None, name="Majority_Land_Cover_Type_1") -> None:
    """The static files with majority classes, and elevation as NetCDF."""
    write_static(folder)
    (folder / "elevation.tif").unlink()
    codes = np.arange(128).reshape(8, 16) % 17 if codes is None else codes
    write_hdf4(folder / "landcover.hdf", {name: np.asarray(codes, np.uint8)})
    write_elevation(folder / "elevation.nc")


def write_elevation(path: Path, values=None, units="m", lat=None, lon=None) -> None:
    lat = np.linspace(-78.75, 78.75, 8) if lat is None else lat
    lon = np.linspace(-168.75, 168.75, 16) if lon is None else lon
    values = np.linspace(-400, 5000, 128).reshape(8, 16) if values is None else values
    data = xr.Dataset(
        {"z": (("lat", "lon"), values.astype(np.float32), {"units": units})},
        {"lat": lat, "lon": lon},
    )
    data.to_netcdf(path, engine="netcdf4")


def write_geotiff(path, values, bounds=(-180, -90, 180, 90), crs="EPSG:4326", **options) -> None:
    height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=1, dtype=values.dtype,
        crs=crs, transform=rasterio.transform.from_bounds(*bounds, width, height), **options,
    ) as file:  # fmt: skip
        file.write(values, 1)


def read_static(folder: Path) -> dict[str, np.ndarray]:
    """Every variable of the land surface."""
    elevation = next(folder.glob("elevation.*"))
    target = folder / "out" / "static.nc"
    prepare_static(folder / "landcover.hdf", folder / "koppen.tif", elevation, GRID, target)
    static = open_static(target)
    return {name: static[name].to_numpy().astype(float) for name in static.data_vars}


def tif_fault(name: str, values, **options):
    return lambda folder: write_geotiff(folder / name, np.asarray(values), **options)


def set_unit(path: Path, unit: str) -> None:
    with rasterio.open(path, "r+") as file:
        file.units = (unit,)


CODES = np.full((8, 16), 3, np.uint8)
HEIGHTS = np.full((8, 16), 300, np.float32)
LANDCOVER_FAULTS = {
    "sums of 50 %": lambda folder: write_percent(folder, percentages() / 2),
    "fractions in place of per cent": lambda folder: write_percent(folder, percentages() / 100),
    "fill everywhere": lambda folder: write_percent(folder, np.full((8, 16, 17), 255)),
    "water everywhere": lambda folder: write_percent(
        folder, np.broadcast_to(100 * np.eye(17)[0], (8, 16, 17))
    ),
    "16 classes": lambda folder: write_percent(folder, np.full((8, 16, 16), 6)),
    "a tile": lambda folder: write_percent(folder, percentages()[:, :8]),
}
MAJORITY_FAULTS = {
    "codes beyond 17": lambda folder: write_majority(folder, np.full((8, 16), 60)),
    "0 and 17": lambda folder: write_majority(folder, np.arange(128).reshape(8, 16) % 18),
    "another layer": lambda folder: write_majority(folder, name="Majority_Land_Cover_Type_2"),
    "fill everywhere": lambda folder: write_majority(folder, np.full((8, 16), 255)),
    "water everywhere": lambda folder: write_majority(folder, np.zeros((8, 16))),
}
KOPPEN_FAULTS = {
    "codes beyond 30": tif_fault("koppen.tif", CODES * 20),
    "no code": tif_fault("koppen.tif", CODES * 0),
    "halves": tif_fault("koppen.tif", CODES / np.float32(2)),
    "NaN everywhere": tif_fault("koppen.tif", HEIGHTS * np.nan),
    "metres": tif_fault("koppen.tif", CODES, bounds=(0, 0, 1e6, 5e5), crs="EPSG:3857"),
    "no place": lambda folder: write_geotiff(
        folder / "koppen.tif", CODES, bounds=(0, 8, 16, 0), crs=None
    ),
    "another region": tif_fault("koppen.tif", CODES, bounds=(0, 0, 10, 5)),
    "beyond the pole": tif_fault("koppen.tif", CODES, bounds=(-180, -100, 180, 100)),
}
ELEVATION_FAULTS = {
    "fill value is not masked": tif_fault("elevation.tif", HEIGHTS * 0 - 9999),
    "millimetres": tif_fault("elevation.tif", HEIGHTS * 1000),
    "NaN everywhere": tif_fault("elevation.tif", HEIGHTS * np.nan),
    "infinite": tif_fault("elevation.tif", HEIGHTS * np.inf),
    "another region": tif_fault("elevation.tif", HEIGHTS, bounds=(0, 0, 10, 5)),
    # believable but wrong
    "nodes with the edges of pixels": tif_fault("elevation.tif", np.full((9, 17), 300, np.float32)),
    "half a pixel off the poles": tif_fault(
        "elevation.tif", np.full((9, 16), 300, np.float32), bounds=(-180, -112.5, 180, 90)
    ),
    "feet": lambda folder: set_unit(folder / "elevation.tif", "ft"),
}
ELEVATION_NC_FAULTS = {
    "no unit": lambda folder: write_elevation(folder / "elevation.nc", units=""),
    "km": lambda folder: write_elevation(folder / "elevation.nc", units="km"),
    "NaN everywhere": lambda folder: write_elevation(folder / "elevation.nc", HEIGHTS * np.nan),
    "infinite": lambda folder: write_elevation(folder / "elevation.nc", HEIGHTS * np.inf),
    "irregular": lambda folder: write_elevation(
        folder / "elevation.nc", lat=np.linspace(-8, 8, 8) ** 3 / 6
    ),
    "NaN axis": lambda folder: write_elevation(
        folder / "elevation.nc", lon=np.append(np.linspace(-168.75, 146.25, 15), np.nan)
    ),
    "westward": lambda folder: write_elevation(
        folder / "elevation.nc", lon=np.linspace(168.75, -168.75, 16)
    ),
}

LAND_READERS = (
    Reader("land cover, per cent", write_static, read_static, STATIC, LANDCOVER_FAULTS, "l*"),
    Reader("land cover, majority", write_majority, read_static, STATIC, MAJORITY_FAULTS, "l*"),
    Reader("Köppen GeoTIFF", write_static, read_static, STATIC, KOPPEN_FAULTS, "koppen*"),
    Reader("elevation GeoTIFF", write_static, read_static, STATIC, ELEVATION_FAULTS, "elev*"),
    Reader("elevation NetCDF", write_majority, read_static, STATIC, ELEVATION_NC_FAULTS, "elev*"),
)
