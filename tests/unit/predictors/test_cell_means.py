"""Rasters of any registration, orientation and size on the grid, against analytic fields."""

import subprocess
import sys

import netCDF4
import numpy as np
import pytest
import rasterio
import xarray as xr

from tamflux.errors import InputError
from tamflux.grid import Grid
from tamflux.predictors.cell_means import cell_class, cell_mean
from tamflux.readers.landcover import METRES, open_elevation
from tamflux.readers.raster import Raster, open_geotiff

GRID = Grid(10.0)
STEP = 1.0
NODES_LAT, NODES_LON = np.arange(-90, 90.5, STEP), np.arange(-180, 180.5, STEP)
CENTRES_LAT, CENTRES_LON = NODES_LAT[:-1] + STEP / 2, NODES_LON[:-1] + STEP / 2
EAST = NODES_LON[:-1] + 180


def field(lat, lon):
    """A smooth field in m; a shift by half a pixel changes it by up to 12 m."""
    lat, lon = np.radians(np.meshgrid(lat, lon, indexing="ij"))
    return 1000 + 800 * np.sin(2 * lat) + 1400 * np.cos(lat) * np.sin(lon)


def true_means(grid=GRID):
    """Cell means by dense point sampling, independent of any raster."""
    n = 20
    step = (np.arange(n) + 0.5) / n - 0.5
    lat = (grid.lat[:, None] + grid.resolution * step).ravel()
    lon = (grid.lon[:, None] + grid.resolution * step).ravel()
    values = field(lat, lon).reshape(len(grid.lat), n, len(grid.lon), n)
    weight = np.cos(np.radians(lat)).reshape(-1, n)
    return np.einsum("rkcl,rk->rc", values, weight) / (n * weight.sum(1))[:, None]


def geotiff(path, values, west, north, step=STEP, step_lat=None, **options):
    """A GeoTIFF by its upper left corner."""
    height, width = values.shape
    transform = rasterio.Affine(step, 0, west, 0, -(step_lat or step), north)
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=1, dtype=values.dtype,
        crs="EPSG:4326", transform=transform, **options,
    ) as file:  # fmt: skip
        file.write(values, 1)
    return path


def netcdf(path, lat, lon, values, bounds=None):
    data = xr.Dataset({"z": (("lat", "lon"), values, {"units": "m"})}, {"lat": lat, "lon": lon})
    data.to_netcdf(path, engine="netcdf4")
    if bounds is not None:
        with netCDF4.Dataset(path, "a") as file:
            file.createDimension("nv", 2)
            for name, values in bounds.items():
                file[name].bounds = f"{name}_bnds"
                file.createVariable(f"{name}_bnds", "f8", (name, "nv"))[:] = values
    return path


def point(path):
    with rasterio.open(path, "r+") as file:
        file.update_tags(AREA_OR_POINT="Point")
    return path


LAYOUTS = {
    "pixels": lambda f: geotiff(f / "z.tif", field(CENTRES_LAT[::-1], CENTRES_LON), -180, 90),
    "pixels from 0 east": lambda f: geotiff(
        f / "z.tif", field(CENTRES_LAT[::-1], CENTRES_LON + 180), 0, 90
    ),
    "southern row first": lambda f: geotiff(
        f / "z.tif", field(CENTRES_LAT, CENTRES_LON), -180, -90, step_lat=-STEP
    ),
    "nodes, 361 columns": lambda f: geotiff(
        f / "z.tif", field(NODES_LAT[::-1], NODES_LON), -180.5, 90.5
    ),
    "nodes as points": lambda f: point(
        geotiff(f / "z.tif", field(NODES_LAT[::-1], NODES_LON), -180.5, 90.5)
    ),
    "nodes, 360 columns": lambda f: geotiff(
        f / "z.tif", field(NODES_LAT[::-1], NODES_LON[:-1]), -180.5, 90.5
    ),
    "nodes from 0 to 360": lambda f: geotiff(
        f / "z.tif", field(NODES_LAT[::-1], NODES_LON + 180), -0.5, 90.5
    ),
    "scaled": lambda f: scaled(
        geotiff(f / "z.tif", (field(CENTRES_LAT[::-1], CENTRES_LON) * 4).astype("i2"), -180, 90)
    ),
    "netcdf centres": lambda f: netcdf(
        f / "z.nc", CENTRES_LAT, CENTRES_LON, field(CENTRES_LAT, CENTRES_LON)
    ),
    "netcdf nodes, southward, 0 to 359": lambda f: netcdf(
        f / "z.nc", NODES_LAT[::-1], EAST, field(NODES_LAT[::-1], EAST)
    ),
    "netcdf corners with bounds": lambda f: netcdf(
        f / "z.nc", NODES_LAT[:-1], NODES_LON[:-1], field(CENTRES_LAT, CENTRES_LON),
        {"lat": np.stack([NODES_LAT[:-1], NODES_LAT[1:]], 1),
         "lon": np.stack([NODES_LON[:-1], NODES_LON[1:]], 1)},
    ),
    "netcdf southward with descending bounds": lambda f: netcdf(
        f / "z.nc", NODES_LAT[:0:-1], CENTRES_LON, field(CENTRES_LAT[::-1], CENTRES_LON),
        {"lat": np.stack([NODES_LAT[:0:-1], NODES_LAT[-2::-1]], 1)},
    ),
}  # fmt: skip


def scaled(path):
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = (0.25,), (0.0,)
    return path


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_registration_gives_the_means_of_the_field(tmp_path, layout):
    with open_elevation(LAYOUTS[layout](tmp_path)) as raster:
        found = cell_mean(raster, GRID)[..., 0]
    np.testing.assert_allclose(found, true_means(), atol=1.2)


def test_a_fine_grid_of_nodes_on_its_borders_is_not_shifted(tmp_path):
    """Nodes of 1 degree on a grid of 1 degree: each cell has a quarter of four nodes."""
    path = LAYOUTS["nodes, 361 columns"](tmp_path)
    box = Grid(1.0, (-40, -30, 40, 60))
    with open_elevation(path) as raster:
        found = cell_mean(raster, box)[..., 0]
    np.testing.assert_allclose(found, true_means(box), atol=0.5)


BAD_LAYOUTS = {
    "nodes with the edges of pixels": lambda f: geotiff(
        f / "z.tif", field(NODES_LAT[::-1], NODES_LON), -180, 90, 360 / 361, 180 / 181
    ),
    "rows of nodes with the edges": lambda f: geotiff(
        f / "z.tif", field(NODES_LAT[::-1], NODES_LON[:-1]), -180, 90, 1.0, 180 / 181
    ),
    "y -91 to 90": lambda f: geotiff(f / "z.tif", field(NODES_LAT[::-1], NODES_LON), -180, 90),
    "longitudes are repeated": lambda f: geotiff(
        f / "z.tif", field(CENTRES_LAT[::-1], NODES_LON), -180, 90
    ),
    "are one meridian and differ": lambda f: geotiff(
        f / "z.tif", field(NODES_LAT[::-1], np.linspace(-180, 178, 361)), -180.5, 90.5
    ),
    "do not hold its values": lambda f: netcdf(
        f / "z.nc", CENTRES_LAT, CENTRES_LON, field(CENTRES_LAT, CENTRES_LON),
        {"lat": np.stack([NODES_LAT[:-1] + 5, NODES_LAT[1:] + 5], 1)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("words", BAD_LAYOUTS)
def test_a_registration_that_contradicts_itself_is_refused(tmp_path, words):
    with pytest.raises(InputError, match=words), open_elevation(BAD_LAYOUTS[words](tmp_path)):
        pass


def test_several_bands_and_another_unit_are_refused(tmp_path):
    values = np.ones((18, 36), np.float32)
    path = geotiff(tmp_path / "z.tif", 500 * values, -180, 90, 10.0)
    with rasterio.open(path, "r+") as file:
        file.units = ("ft",)
    with pytest.raises(InputError, match="another unit"), open_geotiff(path, METRES):
        pass
    with rasterio.open(
        tmp_path / "two.tif", "w", driver="GTiff", height=18, width=36, count=2, dtype="float32",
        crs="EPSG:4326", transform=rasterio.Affine(10, 0, -180, 0, -10, 90),
    ) as file:  # fmt: skip
        file.write(np.stack([values, values]))
    with pytest.raises(InputError, match="several rasters"), open_geotiff(tmp_path / "two.tif"):
        pass


def test_nodata_and_masks_are_missing(tmp_path):
    values = np.full((18, 36), 300, np.int16)
    values[:, 0] = -5
    masked = geotiff(tmp_path / "mask.tif", values, -180, 90, 10.0)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(masked, "r+") as file:
        file.write_mask(values > 0)
    nodata = geotiff(tmp_path / "nodata.tif", values, -180, 90, 10.0, nodata=-5)
    for path in (masked, nodata):
        with open_elevation(path) as raster:
            found = cell_mean(raster, GRID)[..., 0]
        assert np.isnan(found[:, 0]).all() and (found[:, 1:] == 300).all()


def test_classes_by_shared_area_are_those_of_a_loop_over_points():
    """Pixels of 0.7 degree that straddle the borders of cells of 2 degrees."""
    rng = np.random.default_rng(0)
    lat, lon = np.arange(-7, 7.01, 0.7), np.arange(-14, 14.01, 0.7)
    codes = rng.integers(1, 4, (len(lat) - 1, len(lon) - 1))
    grid = Grid(2.0, (-12, -6, 12, 6))
    found = cell_class(Raster(codes, lat, lon), grid, 3)
    n = 400
    for row, col in np.ndindex(grid.shape):
        y = grid.lat_edges[row] + 2 * (np.arange(n) + 0.5) / n
        x = grid.lon_edges[col] + 2 * (np.arange(n) + 0.5) / n
        there = codes[np.ix_(np.searchsorted(lat, y) - 1, np.searchsorted(lon, x) - 1)]
        weights = np.repeat(np.cos(np.radians(y)), n)
        covered = np.bincount(there.ravel(), weights=weights, minlength=4)
        assert covered[found[row, col]] > 0.99 * covered.max()


WRITE_AND_READ = """
import sys
from pathlib import Path
import numpy as np
from tamflux.grid import Grid
from tamflux.predictors.cell_means import cell_class, cell_mean
from tamflux.readers.landcover import open_elevation, open_koppen
kind, path = sys.argv[1:]
with (open_koppen if kind == "koppen" else open_elevation)(path) as raster:
    read = cell_class(raster, Grid(1.0), 30) if kind == "koppen" else cell_mean(raster, Grid(1.0))
np.save(path + ".npy", read)
peak = [line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line]
print(int(peak[0].split()[1]) // 1024)  # in MB; `ru_maxrss` would hold that of the parent
"""
ROWS_OF_A_CELL = 60


def write_rows(path, kind):
    """A raster of 1 km, constant in each row of cells of 1 degree; the expected (lat,) values."""
    rows = np.arange(180) % 30 + 1
    if kind == "netcdf":
        with netCDF4.Dataset(path, "w") as file:
            for name, n, half in (("lat", 10800, 90), ("lon", 21600, 180)):
                file.createDimension(name, n)
                axis = (np.arange(n) + 0.5) / 60 - half
                file.createVariable(name, "f8", (name,))[:] = axis
            z = file.createVariable("z", "f4", ("lat", "lon"), zlib=True, chunksizes=(60, 21600))
            z.units = "m"
            for row, value in enumerate(rows):
                z[60 * row : 60 * row + 60] = np.full((60, 21600), 100 * value, "f4")
        return 100 * rows
    with rasterio.open(
        path, "w", driver="GTiff", width=21600, height=10800, count=1, crs="EPSG:4326",
        dtype="uint8" if kind == "koppen" else "float32", compress="deflate", tiled=True,
        transform=rasterio.Affine(1 / 60, 0, -180, 0, -1 / 60, 90), blockxsize=512, blockysize=512,
        nodata=0,
    ) as file:  # fmt: skip
        factor = 1 if kind == "koppen" else 100
        for top in range(0, 10800, 512):
            below = 179 - np.arange(top, min(top + 512, 10800)) // 60
            values = np.broadcast_to(factor * rows[below][:, None], (len(below), 21600))
            window = rasterio.windows.Window(0, top, 21600, len(below))
            file.write(values.astype(file.dtypes[0]), 1, window=window)
    return factor * rows


@pytest.mark.parametrize(
    "kind",
    ["koppen", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("geotiff", "netcdf"))],
)
def test_a_raster_of_1_km_needs_less_than_half_a_gigabyte(tmp_path, kind):
    """233 million pixels: as 64-bit numbers they would fill 1.9 GB."""
    path = str(tmp_path / ("z.nc" if kind == "netcdf" else "z.tif"))
    expected = write_rows(path, kind)
    result = subprocess.run(
        [sys.executable, "-c", WRITE_AND_READ, kind, path], check=True, capture_output=True
    )
    assert int(result.stdout) < 500
    read = np.load(path + ".npy").reshape(180, 360)
    np.testing.assert_allclose(read, np.broadcast_to(expected[:, None], (180, 360)), rtol=1e-6)
