"""MODIS: a year of two products to its store."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from hdf4_writer import write_hdf4, write_mcd43c4, write_mod09cmg
from pyhdf.SD import SD, SDC

from tamflux.predictors.reflectance import prepare_modis
from tamflux.variables import REFLECTANCE

from .stores import CUBE, GRID, TILE, YEAR, read_cube
from .trial import Reader

DATES = np.datetime64(f"{YEAR}-01-05") + 45 * np.arange(8)


def numbers(step: int, shape=(8, 16)) -> np.ndarray:
    """(band, row, col) plausible digital numbers."""
    rng = np.random.default_rng(step)
    return rng.integers(300, 4000, (7, *shape)).astype(np.int16)


def modis(product: str, write_one):
    """Writer and reader of a year of one product."""

    def write(folder: Path) -> None:
        for step, date in enumerate(DATES):
            write_one(folder, date, numbers(step))

    def read(folder: Path) -> dict[str, np.ndarray]:
        target = folder / "out" / "2003.zarr"
        paths = sorted(folder.glob("*.hdf"))
        prepare_modis(paths, product, YEAR, GRID, TILE, 0.1, list(REFLECTANCE), target)
        return read_cube(target)

    return write, read


def modis_fault(write_one, values=None, **options):
    """A fault that writes the file of one day anew."""

    def apply(folder: Path) -> None:
        write_one(folder, DATES[3], numbers(3) if values is None else values, **options)

    return apply


def with_band(band: int, value: int) -> np.ndarray:
    """Digital numbers with one value in the whole of a band."""
    changed = numbers(3)
    changed[band - 1] = value
    return changed


def without_field(folder: Path) -> None:
    """A file of bands 1 to 6 alone."""
    path = sorted(folder.glob("*.hdf"))[3]
    names = [f"Nadir_Reflectance_Band{band}" for band in range(1, 7)]
    write_hdf4(path, dict(zip(names, numbers(3), strict=False)), fill=32767)


def set_attribute(name: str, kind: int, value):
    """A fault of one attribute of band 1 of a file."""

    def apply(folder: Path) -> None:
        file = SD(str(sorted(folder.glob("*.hdf"))[3]), SDC.WRITE)
        data = file.select("Nadir_Reflectance_Band1")
        data.attr(name).set(kind, value)
        data.endaccess()
        file.end()

    return apply


def with_metadata(**values):
    """A fault that gives a file ECS metadata of another origin."""
    text = "".join(
        f"OBJECT = {key}\n NUM_VAL = 1\n VALUE = {value}\nEND_OBJECT = {key}\n"
        for key, value in values.items()
    )

    def apply(folder: Path) -> None:
        file = SD(str(sorted(folder.glob("*.hdf"))[3]), SDC.WRITE)
        file.attr("CoreMetadata.0").set(SDC.CHAR8, text)
        file.end()

    return apply


def scale_year(factor: float):
    """A fault that multiplies all digital numbers of the year."""

    def apply(folder: Path) -> None:
        for step, date in enumerate(DATES):
            write_mcd43c4(folder, date, (numbers(step) * factor).astype(np.int16))

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
    "a tile": modis_fault(write_mcd43c4, numbers(3, (8, 8))),
    "another resolution": modis_fault(write_mcd43c4, numbers(3, (10, 20))),
    "a field is missing": without_field,
    "no date in the name": lambda f: sorted(f.glob("*.hdf"))[3].rename(f / "MCD43C4.hdf"),
    "day 366": lambda f: sorted(f.glob("*.hdf"))[3].rename(f / "MCD43C4.A2003366.061.hdf"),
    "year 0": lambda f: sorted(f.glob("*.hdf"))[3].rename(f / "MCD43C4.A0000001.061.hdf"),
    "a day twice": lambda f: shutil.copy(
        sorted(f.glob("*.hdf"))[3], f / sorted(f.glob("*.hdf"))[3].name.replace("061", "006")
    ),
    "long gap": lambda f: [path.unlink() for path in sorted(f.glob("*.hdf"))[2:5]],
    # believable but wrong
    "a day scaled down": modis_fault(write_mcd43c4, numbers(3) // 10),
    "a year scaled down": scale_year(0.1),
    "a day of another collection": lambda f: sorted(f.glob("*.hdf"))[3].rename(
        f / sorted(f.glob("*.hdf"))[3].name.replace(".061.", ".006.")
    ),
    "collection 6 under a name of 6.1": with_metadata(VERSIONID=6),
    "another product under the name": with_metadata(SHORTNAME='"MCD43C1"', VERSIONID=61),
    "another day under the name": with_metadata(
        RANGEBEGINNINGDATE='"2003-01-01"', RANGEENDINGDATE='"2003-01-16"'
    ),
}


MODIS_READERS = (
    Reader("MCD43C4", *modis("MCD43C4", write_mcd43c4), CUBE, MCD43C4_FAULTS),
    Reader("MOD09CMG", *modis("MOD09CMG", write_mod09cmg), CUBE),
)
