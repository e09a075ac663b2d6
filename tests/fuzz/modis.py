"""MODIS: a year of two products to its store, and tiles."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
from hdf4_writer import write_hdf4, write_mcd43c4, write_mod09cmg
from pyhdf.SD import SD, SDC

from tamflux.predictors.reflectance import prepare_modis
from tamflux.readers.modis_sites import read_tile
from tamflux.variables import REFLECTANCE

from .stores import CUBE, GRID, TILE, YEAR, add_to_zip, read_cube
from .trial import Reader

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
        add_to_zip(archive, path.name, path.read_bytes())


def read_sinusoidal(folder: Path) -> dict[str, np.ndarray]:
    """Raw counts of both copies of the tile, and where it lies."""
    values = {}
    for path in sorted(folder.glob("*.hdf*")):
        tile = read_tile(path, ["sur_refl_b01", "state_1km"])
        place = np.array([tile.left, tile.top, tile.width, tile.height])
        for name, data in {**tile.fields, "place": place}.items():
            values[f"{name}@{path.name}"] = data.astype(float)
    return values


TILE_RANGES = {name: (-32768, 32767) for name in ("sur_refl_b01", "state_1km")}
MODIS_READERS = (
    Reader("MCD43C4", *modis("MCD43C4", write_mcd43c4), CUBE, MCD43C4_FAULTS),
    Reader("MOD09CMG", *modis("MOD09CMG", write_mod09cmg), CUBE),
    Reader("MODIS tile", write_sinusoidal, read_sinusoidal, TILE_RANGES),
)
