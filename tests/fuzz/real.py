"""Providers' own files, where they lie beside the checkout: their real headers, damaged."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from tamflux.errors import InputError
from tamflux.readers.cds_files import open_netcdf, read_axis, read_fields, read_times
from tamflux.readers.hdf4 import open_hdf4, read_field
from tamflux.readers.oneflux.archive import list_members
from tamflux.readers.oneflux.badm import clean_fields, read_badm
from tamflux.readers.oneflux.names import parse_name
from tamflux.readers.oneflux.tables import read_table

from .frames import RANGES
from .trial import REJECTIONS, Reader

DATA = Path(__file__).parents[2].parent / "shared" / "data"
BIF = ("formats/*BIF*", 800)


def copy_of(pattern: str, rows: int | None = None):
    """Writer of one real file, of text its first `rows` lines."""

    def write(folder: Path) -> None:
        path = next(iter(sorted(DATA.glob(pattern))))
        if rows is None:
            shutil.copyfile(path, folder / path.name)
            return
        with open(path, "rb") as source, open(folder / path.name, "wb") as copy:
            copy.writelines(line for line, _ in zip(source, range(rows), strict=False))

    return write


def read_converted(folder: Path) -> dict[str, np.ndarray]:
    """Axes and temperature of the converter's NetCDF."""
    path = next(folder.glob("*.nc"))
    with open_netcdf(path, path.name) as file:
        time, stamps = read_times(file, path.name)
        axes = {n: read_axis(file, n, path.name) for n in ("latitude", "longitude")}
        values = np.zeros(1)
        if "t2m" in file.variables:
            values, (low, _) = read_fields(file, "t2m", time, slice(0, 1), path.name)
            if np.isnan(low).any():  # the stage that fills gaps refuses a year of such fields
                raise InputError("a field is missing everywhere", file=path.name)
    return axes | {"stamps": stamps.astype("datetime64[D]").astype(float), "t2m": values}


def read_hdf4(*names: str):
    """Reader of data sets of an HDF4 file."""

    def read(folder: Path) -> dict[str, np.ndarray]:
        path = next(path for path in folder.iterdir() if path.is_file())
        with open_hdf4(path) as file:
            return {name: read_field(file, path, name).astype(float) for name in names}

    return read


def read_towers(folder: Path) -> dict[str, np.ndarray]:
    """Time stamps, fluxes and meteorology of a table as it came."""
    path = next(path for path in folder.iterdir() if path.suffix == ".csv")
    frame = read_table(list_members(path)[0], parse_name(path.name)).frame
    frame = frame.drop(columns="flag")  # days without one are listed when they are checked
    days = (frame.pop("time") - pd.Timestamp(0)) / pd.Timedelta(days=1)
    return {"date": days.to_numpy()} | {n: c.to_numpy(float) for n, c in frame.items()}


@cache
def bif_sites() -> tuple[str, ...]:
    """Sites of the undamaged file, all of which the towers' zips are there for."""
    with TemporaryDirectory() as folder:
        copy_of(*BIF)(Path(folder))
        return tuple(read_badm(list_members(next(Path(folder).iterdir()))[0]))


def read_bif(folder: Path) -> dict[str, np.ndarray]:
    """Places of the sites that have one."""
    found = read_badm(list_members(next(folder.glob("*.csv")))[0])
    sites = {name: found.get(name, {}) for name in (*bif_sites(), *found)}
    cleaned = {name: clean_fields(fields) for name, fields in sites.items()}
    usable = [site for site, problem in cleaned.values() if not problem]
    places = {n: np.array([site[n] for site in usable], float) for n in ("lat", "lon")}
    problems = [f"{name}: {problem}" for name, (_, problem) in cleaned.items() if problem]
    return places | {REJECTIONS: problems}


ANY = {name: (-np.inf, np.inf) for name in ("gpp", "reco", "nee", "t2m", "vpd", "ssrd", "tp")}
TABLE = ANY | {"date": RANGES["date"]}
"""Later stages take out what is beyond its range: a table is passed on as it came."""
AXES = {"latitude": (-90.001, 90.001), "longitude": (-1e4, 1e4), "stamps": (-1e6, 1e6),
        "t2m": (-np.inf, np.inf)}  # fmt: skip
REAL_READERS = (
    Reader("real ERA5 header", copy_of("era5/cds_grib*.nc"), read_converted, AXES),
    Reader("real MCD43A3", copy_of("modis/MCD43A3*"), read_hdf4("Albedo_BSA_Band1"), {}),
    Reader("real MOD13A2", copy_of("modis/MOD13A2*"), read_hdf4("1 km 16 days NDVI"), {}),
    Reader("real FLUXNET2015 days", copy_of("oneflux/FLX_AU-Lox*", 120), read_towers, TABLE),
    Reader("real FLUXNET2015 half-hours", copy_of("formats/FLX_CH-Cha*", 120), read_towers, TABLE),
    Reader("real AmeriFlux BASE", copy_of("formats/AMF_US-CRT*", 120), read_towers, TABLE),
    Reader("real BIF", copy_of(*BIF), read_bif, RANGES),
) if DATA.is_dir() else ()  # fmt: skip
