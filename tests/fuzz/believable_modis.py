"""MODIS that is believable but wrong, from the reflectance of the demo Earth."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hdf4_writer import mcd43c4_name, write_hdf4
from pyhdf.SD import SD

from tamflux.demo_earth.raw_modis import simulate_modis
from tamflux.grid import Grid
from tamflux.predictors.cube import FLAG, Cube
from tamflux.predictors.reflectance import prepare_modis

from .believable import Believable, Damage
from .stores import CUBE, YEAR, read_cube
from .trial import REJECTIONS

REGION = Grid(1.0, (-20, 0, 40, 60))
"""With desert, rain forest, ocean, and seasons of leaves and snow."""
STEP, FILL = 32, 32767
NAMES = ["refl_b1", "refl_b2", "ndvi"]
BANDS = [f"Nadir_Reflectance_Band{band}" for band in range(1, 8)]


def write(folder: Path) -> None:
    """Every 32nd day of the year, pixels of 1 degree."""
    days = range(1, 366, STEP)
    dates = [np.datetime64(f"{YEAR}-01-01") + day - 1 for day in days]
    targets = {day: str(folder / mcd43c4_name(d)) for day, d in zip(days, dates, strict=True)}
    simulate_modis(1, YEAR, 1.0, 1, targets)


def read(folder: Path) -> dict[str, np.ndarray]:
    """The store, and the number of cell-days without an observation of their own."""
    target, paths = folder / "out" / "2003.zarr", sorted(folder.glob("*.hdf"))
    prepare_modis(paths, "MCD43C4", YEAR, REGION, 60, 0.1, NAMES, target)
    flag = Cube.open(target).read_flag(slice(None), slice(None))
    return read_cube(target) | {REJECTIONS: [f"{FLAG}: {int((flag > 0).sum())}"]}


def rewrite(path: Path, change: Callable | None = None, name: str | None = None, **metadata):
    """Write a file anew: `change` of its numbers (band, row, col), another name or metadata."""
    file = SD(str(path))
    numbers = np.stack([file.select(band)[:] for band in BANDS])
    quality, text = file.select("BRDF_Quality")[:], file.attributes()["CoreMetadata.0"]
    file.end()
    for key, value in metadata.items():
        text = re.sub(rf"(OBJECT = {key}\n.*?VALUE = )[^\n]*", rf"\g<1>{value}", text, flags=re.S)
    if change:
        numbers, quality = change(numbers, quality)
    path.unlink()
    fields = dict(zip(BANDS, numbers.astype(np.int16), strict=True)) | {"BRDF_Quality": quality}
    write_hdf4(path.with_name(name or path.name), fields, {"CoreMetadata.0": text}, fill=FILL)


def files(change: Callable, number: int | None = None) -> Damage:
    """Damage so many files of the year, or all: `change(rng)` gives how and the change."""

    def apply(folder: Path, rng: np.random.Generator) -> str:
        how, arguments = change(rng)
        paths = sorted(folder.glob("*.hdf"))
        first = int(rng.integers(0, len(paths) - (number or len(paths)) + 1))
        for path in paths[first : first + (number or len(paths))]:
            rewrite(path, **arguments)
        return f"{number or 'all'} files, {how}"

    return apply


def scaled(rng):
    factor = float(rng.choice([0.01, 0.1, 10, 100]))

    def change(numbers, quality):
        product = np.clip(numbers * factor, -32767, 32766)
        return np.where(numbers == FILL, FILL, product), quality

    return f"digital numbers times {factor:g}", {"change": change}


def turned(rng):
    return "south first", {"change": lambda n, q: (n[:, ::-1], q[::-1])}


def shifted(rng):
    cols = int(rng.choice([-1, 1]) * rng.integers(20, 181))
    return f"{cols} degrees to the east", {
        "change": lambda n, q: (np.roll(n, cols, axis=2), np.roll(q, cols, axis=1))
    }


def exchanged(rng):
    return "bands 1 and 2 exchanged", {"change": lambda n, q: (n[[1, 0, *range(2, 7)]], q)}


def region_missing(rng):
    row, col, size = (
        int(rng.integers(30, 70)),
        int(rng.integers(160, 200)),
        int(rng.integers(8, 25)),
    )

    def change(numbers, quality):
        numbers[:, row : row + size, col : col + size] = FILL
        return numbers, quality

    return f"{size} x {size} degrees missing", {"change": change}


def collection(rng):
    version = int(rng.choice([5, 6, 7]))
    return f"VERSIONID {version}", {"VERSIONID": version}


def processing(rng):
    version = f"6.{rng.integers(2, 9)}.{rng.integers(0, 40)}"
    return f"PGEVERSION {version}", {"PGEVERSION": f'"{version}"'}


def another_day(folder: Path, rng: np.random.Generator) -> str:
    """A file under the date of another, the metadata as they were."""
    paths = sorted(folder.glob("*.hdf"))
    path = paths[int(rng.integers(len(paths)))]
    days = int(rng.choice([-1, 1]) * rng.integers(9, 31))
    day = int(path.name.split(".")[1][-3:]) + days
    name = path.name.replace(path.name.split(".")[1], f"A{YEAR}{min(max(day, 2), 364):03d}")
    path.rename(path.with_name(name))
    return f"{path.name} as {name}"


def another_season(folder: Path, rng: np.random.Generator) -> str:
    """Numbers of another date under sound names and metadata."""
    step = int(rng.integers(3, 9))
    paths = sorted(folder.glob("*.hdf"))
    loaded = []
    for path in paths:
        file = SD(str(path))
        loaded.append(
            (np.stack([file.select(b)[:] for b in BANDS]), file.select("BRDF_Quality")[:])
        )
        file.end()
    for number, path in enumerate(paths):
        rewrite(path, lambda n, q, m=number: loaded[(m + step) % len(paths)])
    return f"numbers of {step * STEP} days later"


MODIS = (
    Believable("MODIS", write, read, CUBE, damages={
        "scaled": files(scaled),
        "a composite scaled": files(scaled, 1),
        "shifted by days": another_day,
        "another season": another_season,
        "another collection": files(collection, 3),
        "another processing version": files(processing, 4),
        "part missing": files(region_missing, 4),
        "part missing all year": files(region_missing),
        "turned around": files(turned),
        "shifted in longitude": files(shifted),
        "bands exchanged": files(exchanged),
    }),
)  # fmt: skip
