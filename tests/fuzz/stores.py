"""What the readers of fields write, and the small grid on which they do."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from tamflux.grid import Grid
from tamflux.predictors.cube import Cube
from tamflux.variables import ASTRONOMY, METEOROLOGY, REFLECTANCE

YEAR, GRID, TILE = 2003, Grid(45.0), 4
CUBE = {
    name: (kind.valid_min, kind.valid_max)
    for name, kind in (METEOROLOGY | ASTRONOMY | REFLECTANCE).items()
}
"""Ranges of the arrays of a store."""


def read_cube(path: Path) -> dict[str, np.ndarray]:
    """(time, lat, lon) of each predictor of a store, as the stages after it read them."""
    cube = Cube.open(path)
    block = cube.read(slice(None), slice(None))
    return {name: block[..., i] for i, name in enumerate(cube.variables)}


def add_to_zip(archive: zipfile.ZipFile, name: str, content: str | bytes) -> None:
    """Add an entry of a fixed date: the same bytes in every run."""
    archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
