"""Readers of raw fields: ERA5, MODIS, land cover, Köppen climate, elevation, each to its store."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import netCDF4
import numpy as np
import rasterio
import xarray as xr
from era5_writer import UNITS, days_of, write_daily_year, write_era5
from hdf4_writer import write_hdf4, write_mcd43c4, write_mod09cmg
from pyhdf.SD import SD, SDC

from tamflux.grid import Grid
from tamflux.predictors.cube import Cube
from tamflux.predictors.era5_cube import prepare_era5
from tamflux.predictors.land_surface import prepare_static
from tamflux.predictors.reflectance import prepare_modis
from tamflux.predictors.static import open_static
from tamflux.sources.modis_sites import read_tile
from tamflux.variables import ASTRONOMY, IGBP_CLASSES, METEOROLOGY, REFLECTANCE, igbp_fraction

from .trial import Reader

YEAR, GRID, TILE = 2003, Grid(45.0), 4
LAT, LON = np.arange(90.0, -91, -45), np.arange(0.0, 360, 45)
HOURLY = ("t2m", "vpd", "ssrd", "tp")
STATIC = {igbp_fraction(name): (0, 1) for name in IGBP_CLASSES} | {
    "land_fraction": (0, 1), "vegetated_fraction": (0, 1), "koppen": (0, 30),
    "elevation": (-12000, 9000),
}  # fmt: skip
CUBE = {
    name: (kind.valid_min, kind.valid_max)
    for name, kind in (METEOROLOGY | ASTRONOMY | REFLECTANCE).items()
}


def read_cube(path: Path) -> dict[str, np.ndarray]:
    """(time, lat, lon) of each predictor of a store, as the stages after it read them."""
    cube = Cube.open(path)
    block = cube.read(slice(None), slice(None))
    return {name: block[..., i] for i, name in enumerate(cube.variables)}


# ERA5


def read_daily(folder: Path) -> dict[str, np.ndarray]:
    """A year of daily statistics."""
    target = folder / "out" / "2003.zarr"
    paths = sorted(folder.glob("*.nc"))
    prepare_era5(paths, "daily_statistics", YEAR, GRID, TILE, list(METEOROLOGY), target)
    return read_cube(target)


def write_hourly(folder: Path) -> None:
    """A year of hours in two zips, as the store delivers mixed requests."""
    hours = np.arange(f"{YEAR}-01-01T00", f"{YEAR + 1}-01-01T01", dtype="datetime64[h]")
    rng = np.random.default_rng(0)
    angle = 2 * np.pi * (np.arange(len(hours))[:, None] / 24 + LON / 360 - 0.5)
    warm = 285 + 5 * np.cos(angle)[:, None] + 10 * np.cos(np.radians(LAT))[:, None]
    members = {
        "instant.nc": {"t2m": warm, "d2m": warm - 6},
        "accum.nc": {
            "ssrd": 3600 * 800 * np.maximum(np.cos(angle), 0)[:, None],
            "tp": rng.gamma(0.2, 1e-3, (len(hours), 1, 1)),
        },
    }
    with zipfile.ZipFile(folder / "era5.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, fields in members.items():
            archive.write(write_era5(folder / name, fields, hours, LAT, LON), name)
            (folder / name).unlink()


def read_hourly(folder: Path) -> dict[str, np.ndarray]:
    """A year of hours, of few variables."""
    target = folder / "out" / "2003.zarr"
    prepare_era5(sorted(folder.glob("*.zip")), "hourly", YEAR, GRID, TILE, HOURLY, target)
    return read_cube(target)


def era5_fault(pattern: str, change):
    """A fault of the one file that fits `pattern`: `change(file, variable)` on its main field."""

    def apply(folder: Path) -> None:
        path = next(folder.glob(pattern))
        with netCDF4.Dataset(path, "a") as file:
            change(file, next(v for v in file.variables.values() if v.ndim == 3))

    return apply


def rewrite(pattern: str, name: str, values, units=None, lat=LAT, lon=LON, stamps=None):
    """A fault that writes a file anew with other values, unit or axes."""

    def apply(folder: Path) -> None:
        path = next(folder.glob(pattern))
        units_ = UNITS | ({name: units} if units else {})
        stamps_ = days_of(YEAR) if stamps is None else stamps
        write_era5(path, {name: values}, stamps_, lat, lon, units=units_)

    return apply


def set_values(file, variable, where=slice(None), to=np.nan) -> None:
    variable[where] = to


T2M, TMAX, TP, SP = "2m_temp*mean*", "2m_temp*maximum*", "total_prec*", "surface_pressure*"
ERA5_FAULTS = {
    "degC said to be K": rewrite(T2M, "t2m", 12.0),
    "K said to be degC": rewrite(T2M, "t2m", 285.0, "degC"),
    "degF": rewrite(T2M, "t2m", 60.0, "degF"),
    "hPa said to be Pa": rewrite(SP, "sp", 1000.0),
    "mm said to be m": rewrite(TP, "tp", 8.0),
    "W m-2 said to be J m-2": rewrite("*solar*", "ssrd", 250.0),
    "no unit": era5_fault(T2M, lambda file, v: v.delncattr("units")),
    "a day is NaN": era5_fault(T2M, lambda file, v: set_values(file, v, 100)),
    "every day is NaN": era5_fault(SP, set_values),
    "a value is out of range": era5_fault(T2M, lambda f, v: set_values(f, v, (9, 1, 1), 900.0)),
    "a value is infinite": era5_fault(T2M, lambda f, v: set_values(f, v, (9, 1, 1), np.inf)),
    "a fill value is not masked": era5_fault(T2M, lambda f, v: set_values(f, v, (9, 1, 1), -9999)),
    "negative soil water": era5_fault("vol*", lambda f, v: set_values(f, v, (0, 0, 0), -0.5)),
    "no time axis": era5_fault(T2M, lambda f, v: f.renameVariable("valid_time", "when")),
    "no latitude": era5_fault(T2M, lambda f, v: f.renameVariable("latitude", "y")),
    "variable renamed": era5_fault(T2M, lambda f, v: f.renameVariable("t2m", "skt")),
    "another calendar": era5_fault(
        T2M, lambda f, v: f["valid_time"].setncattr("calendar", "360_day")
    ),
    "unknown calendar": era5_fault(
        T2M, lambda f, v: f["valid_time"].setncattr("calendar", "lunar")
    ),
    "time without unit": era5_fault(T2M, lambda f, v: f["valid_time"].delncattr("units")),
    "time in months": era5_fault(
        T2M, lambda f, v: f["valid_time"].setncattr("units", "months since 1970-01-01")
    ),
    "another year": rewrite(T2M, "t2m", 285.0, stamps=days_of(2002)),
    "days missing": rewrite(T2M, "t2m", 285.0, stamps=days_of(YEAR)[:-3]),
    "a day twice": rewrite(T2M, "t2m", 285.0, stamps=days_of(YEAR)[[0, *range(364)]]),
    "half of the globe": rewrite(T2M, "t2m", 285.0, lat=LAT[:3]),
    "irregular latitude": rewrite(T2M, "t2m", 285.0, lat=LAT**3 / 8100),
    "NaN latitude": rewrite(T2M, "t2m", 285.0, lat=np.where(LAT > 80, np.nan, LAT)),
    "westward longitude": rewrite(T2M, "t2m", 285.0, lon=LON[::-1]),
    "scale is text": era5_fault(T2M, lambda f, v: v.setncattr("scale_factor", "big")),
    "scale is NaN": era5_fault(T2M, lambda f, v: v.setncattr("scale_factor", np.nan)),
    "minimum and maximum exchanged": lambda folder: swap(folder, "*minimum*", "*maximum*"),
    "no file of maximum": lambda folder: next(folder.glob(TMAX)).unlink(),
    "file of text": lambda folder: next(folder.glob(T2M)).write_text("<html>503</html>"),
}


def swap(folder: Path, one: str, other: str) -> None:
    """Exchange two files' content."""
    a, b = next(folder.glob(one)), next(folder.glob(other))
    spare = folder / "spare"
    a.rename(spare), b.rename(a), spare.rename(b)


# MODIS

DATES = np.datetime64(f"{YEAR}-01-05") + 45 * np.arange(8)


def counts(step: int, shape=(8, 16)) -> np.ndarray:
    """(band, row, col) plausible counts."""
    rng = np.random.default_rng(step)
    return rng.integers(300, 4000, (7, *shape)).astype(np.int16)


def modis(product: str, write_one):
    """Writer and reader of a year of one product."""

    def write(folder: Path) -> None:
        for step, date in enumerate(DATES):
            write_one(folder, date, counts(step))

    def read(folder: Path) -> dict[str, np.ndarray]:
        target = folder / "out" / "2003.zarr"
        paths = sorted(folder.glob("*.hdf"))
        prepare_modis(paths, product, YEAR, GRID, TILE, 0.1, list(REFLECTANCE), target)
        return read_cube(target)

    return write, read


def modis_fault(write_one, values=None, **options):
    """A fault that writes the file of one day anew."""

    def apply(folder: Path) -> None:
        write_one(folder, DATES[3], counts(3) if values is None else values, **options)

    return apply


def with_band(band: int, value: int) -> np.ndarray:
    """Counts with one value in the whole of a band."""
    changed = counts(3)
    changed[band - 1] = value
    return changed


def without_field(folder: Path) -> None:
    """A file of bands 1 to 6 alone."""
    path = sorted(folder.glob("*.hdf"))[3]
    names = [f"Nadir_Reflectance_Band{band}" for band in range(1, 7)]
    write_hdf4(path, dict(zip(names, counts(3), strict=False)), fill=32767)


def set_attribute(name: str, kind: int, value):
    """A fault of one attribute of band 1 of a file."""

    def apply(folder: Path) -> None:
        file = SD(str(sorted(folder.glob("*.hdf"))[3]), SDC.WRITE)
        data = file.select("Nadir_Reflectance_Band1")
        data.attr(name).set(kind, value)
        data.endaccess()
        file.end()

    return apply


MCD43C4_FAULTS = {
    "a band is fill": modis_fault(write_mcd43c4, with_band(2, 32767)),
    "a band is zero": modis_fault(write_mcd43c4, with_band(2, 0)),
    "a band is negative": modis_fault(write_mcd43c4, with_band(2, -50)),
    "a band is out of range": modis_fault(write_mcd43c4, with_band(2, 25000)),
    "fill of another product": modis_fault(write_mcd43c4, with_band(2, -28672)),
    "another scale": modis_fault(write_mcd43c4, scale=0.001),
    "another fill attribute": modis_fault(write_mcd43c4, fill=-9999),
    "an offset": set_attribute("add_offset", SDC.FLOAT64, 0.5),
    "scale is NaN": set_attribute("scale_factor", SDC.FLOAT64, float("nan")),
    "scale is text": set_attribute("scale_factor", SDC.CHAR8, "small"),
    "scale is a list": set_attribute("scale_factor", SDC.FLOAT64, [0.0001, 0.0001]),
    "a tile": modis_fault(write_mcd43c4, counts(3, (8, 8))),
    "another resolution": modis_fault(write_mcd43c4, counts(3, (10, 20))),
    "a field is missing": without_field,
    "no date in the name": lambda f: sorted(f.glob("*.hdf"))[3].rename(f / "MCD43C4.hdf"),
    "day 366": lambda f: sorted(f.glob("*.hdf"))[3].rename(f / "MCD43C4.A2003366.061.hdf"),
    "year 0": lambda f: sorted(f.glob("*.hdf"))[3].rename(f / "MCD43C4.A0000001.061.hdf"),
    "a day twice": lambda f: shutil.copy(
        sorted(f.glob("*.hdf"))[3], f / sorted(f.glob("*.hdf"))[3].name.replace("061", "006")
    ),
    "long gap": lambda f: [path.unlink() for path in sorted(f.glob("*.hdf"))[2:5]],
}


def write_sinusoidal(folder: Path) -> None:
    """A tile in a zip."""
    structure = (
        "Projection=GCTP_SNSOID UpperLeftPointMtrs=(0.0,1111950.5)\n"
        "LowerRightMtrs=(1111950.5,0.0)\n"
    )
    fields = {"sur_refl_b01": counts(0, (20, 20))[0], "state_1km": counts(1, (20, 20))[0]}
    path = write_hdf4(folder / "tile.hdf", fields, {"StructMetadata.0": structure})
    with zipfile.ZipFile(folder / "other.hdf.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, path.name)


def read_sinusoidal(folder: Path) -> dict[str, np.ndarray]:
    """Raw counts of both copies of the tile, and where it lies."""
    values = {}
    for path in sorted(folder.glob("*.hdf*")):
        tile = read_tile(path, ["sur_refl_b01", "state_1km"])
        place = np.array([tile.left, tile.top, tile.width, tile.height])
        for name, data in {**tile.fields, "place": place}.items():
            values[f"{name}@{path.name}"] = data.astype(float)
    return values


# Land surface


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

_MCD43C4, _MOD09CMG = modis("MCD43C4", write_mcd43c4), modis("MOD09CMG", write_mod09cmg)
_TILE = {name: (-32768, 32767) for name in ("sur_refl_b01", "state_1km")} | {"place": (0, 2e7)}

GRID_READERS = (
    Reader("ERA5, days", lambda f: write_daily_year(f, YEAR, 0, LAT, LON), read_daily, CUBE,
           ERA5_FAULTS),
    Reader("ERA5, hours in a zip", write_hourly, read_hourly, CUBE),
    Reader("MCD43C4", *_MCD43C4, CUBE, MCD43C4_FAULTS),
    Reader("MOD09CMG", *_MOD09CMG, CUBE),
    Reader("MODIS tile", write_sinusoidal, read_sinusoidal, _TILE),
    Reader("land cover, per cent", write_static, read_static, STATIC, LANDCOVER_FAULTS, "l*"),
    Reader("land cover, majority", write_majority, read_static, STATIC, MAJORITY_FAULTS, "l*"),
    Reader("Köppen GeoTIFF", write_static, read_static, STATIC, KOPPEN_FAULTS, "koppen*"),
    Reader("elevation GeoTIFF", write_static, read_static, STATIC, ELEVATION_FAULTS, "elev*"),
    Reader("elevation NetCDF", write_majority, read_static, STATIC, ELEVATION_NC_FAULTS, "elev*"),
)  # fmt: skip
