"""MODIS at sites: tables of MOD09GA reflectance, and tiles of the sinusoidal grid (HDF4-EOS)."""

from __future__ import annotations

import logging
import re
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tamflux.errors import InputError
from tamflux.files import DAMAGED_TABLE, DAMAGED_ZIP
from tamflux.grid import EARTH_RADIUS_M
from tamflux.readers.hdf4 import file_attribute, open_hdf4, read_field
from tamflux.readers.modis import BANDS, SCALE, VALID_COUNTS, state_is_clear

log = logging.getLogger("tamflux")

REFLECTANCES = [f"refl_b{band}" for band in BANDS]
_OTHER_NAMES = {"site": "site_id", "TIMESTAMP": "date", "time": "date"}
_STATE = ("state_1km", "state_1km_1")
_STATE_FILL = 65535
DARKEST, MIN_SAMPLE = 0.002, 20
"""No band of `MIN_SAMPLE` site-days or more has only reflectances below `DARKEST`."""
MAX_TILE_BYTES = 2 * 1024**3
"""Largest size of an unpacked tile; one of 250 m has about 0.5 GiB."""
MAX_TILE_RATIO = 200
"""Largest ratio of it to the compressed size: HDF4 tiles are compressed inside already."""


def read_site_reflectance(path: str | Path) -> pd.DataFrame:
    """Read a table of MOD09GA (or MYD09GA) surface reflectance at sites.

    Parameters
    ----------
    path : path
        Parquet or CSV with `site_id` (or `site`), `date`, `sur_refl_b01` to `sur_refl_b07` (also
        with the files' suffix `_1`) as counts or as reflectance, and `state_1km` (or `clouds`, as
        in CarbonFluxBench).

    Returns
    -------
    DataFrame
        `site_id, date, refl_b1` to `refl_b7` (float32, reflectance), sorted by site and day. NaN
        where a value is fill or out of range or `state_1km` says cloud, shadow, high aerosol or
        high cirrus; snow stays, as in the cube.

    Raises
    ------
    InputError
        If the table cannot be read, lacks a column, or has a day of a site twice.
    """
    path = Path(path)
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except DAMAGED_TABLE as error:
        raise _refuse(
            "the table cannot be read", path, None, str(error), "Parquet or CSV"
        ) from error
    table = table.rename(columns=_OTHER_NAMES)
    bands = [_column(table, (f"sur_refl_b{b:02d}", f"sur_refl_b{b:02d}_1"), path) for b in BANDS]
    usable = _usable(table, path)
    site, date = (table[_column(table, (name,), path)] for name in ("site_id", "date"))
    date = _days(date, path)
    if site.isna().any():
        raise _refuse("a site has no name", path, "site_id", f"{site.isna().sum()} rows", "a name")
    result = pd.DataFrame({"site_id": site.astype(str), "date": date})
    if len(double := result[result.duplicated()]):
        first = double.iloc[0]
        found = f"{first['site_id']} {first['date']:%Y-%m-%d}, {len(double)} in all"
        raise _refuse("a day of a site comes twice", path, "site_id, date", found, "each day once")
    for name, column in zip(REFLECTANCES, bands, strict=True):
        values = _as_reflectance(_numbers(table, column, path), path, column)
        result[name] = np.where(usable, values, np.nan).astype(np.float32)
    if (empty := result[REFLECTANCES].isna().all()).any():
        found = "fill and bad state only in " + ", ".join(np.array(bands)[empty])
        raise _refuse("no reflectance is usable", path, "sur_refl_b01..07", found, "clear days")
    return result.sort_values(["site_id", "date"], ignore_index=True)


@dataclass(frozen=True)
class SinusoidalTile:
    """Raw data sets of a tile, or of a cut-out of one, and where it lies.

    Attributes
    ----------
    fields : dict of str to numpy.ndarray
        (row, col) raw numbers, first row in the north; scale and fill are the product's business.
    left, top, width, height : float
        Upper left corner and size of a pixel in m on the sinusoidal grid.
    """

    fields: dict[str, np.ndarray]
    left: float
    top: float
    width: float
    height: float

    def locate(self, lat: float, lon: float) -> tuple[int, int] | None:
        """(row, col) of the pixel that holds a point, None outside the tile."""
        x, y = to_sinusoidal(lat, lon)
        row, col = int((self.top - y) // self.height), int((x - self.left) // self.width)
        rows, cols = next(iter(self.fields.values())).shape
        return (row, col) if 0 <= row < rows and 0 <= col < cols else None


def to_sinusoidal(lat, lon):
    """(x, y) in m on the MODIS sinusoidal grid, from degrees; sphere of `EARTH_RADIUS_M`."""
    lat, lon = np.radians(lat), np.radians(lon)
    return EARTH_RADIUS_M * lon * np.cos(lat), EARTH_RADIUS_M * lat


def read_tile(path: str | Path, names: Sequence[str]) -> SinusoidalTile:
    """Read data sets of an HDF4-EOS tile (such as MOD09GA, MOD13A2), ``.hdf`` or ``.hdf.zip``.

    Raises
    ------
    InputError
        If the file is damaged, lacks a data set, or is not on the sinusoidal grid.
    """
    path = Path(path)
    with tempfile.TemporaryDirectory() as scratch:
        source = _unzip(path, Path(scratch)) if path.suffix == ".zip" else path
        with open_hdf4(source) as file:
            structure = file_attribute(file, "StructMetadata.0") or ""
            fields = {name: read_field(file, path, name) for name in names}
    shapes = {field.shape for field in fields.values()}
    if len(shapes) != 1 or len(shape := shapes.pop()) != 2 or min(shape) < 1:
        raise _refuse("the data sets are not on one grid", path, ", ".join(names),
                      [field.shape for field in fields.values()], "rows x columns")  # fmt: skip
    rows, cols = shape
    number = r"\(([-\d.eE+]+),([-\d.eE+]+)\)"
    first = re.search(rf"UpperLeftPointMtrs={number}", structure)
    last = re.search(rf"LowerRightMtrs={number}", structure)
    if not first or not last or "GCTP_SNSOID" not in structure:
        found = structure[:200].strip() or "no metadata"
        raise _refuse(
            "the tile is not on the sinusoidal grid", path, "StructMetadata.0", found,
            "Projection=GCTP_SNSOID",
        )  # fmt: skip
    (left, top), (right, bottom) = (map(float, match.groups()) for match in (first, last))
    return SinusoidalTile(fields, left, top, (right - left) / cols, (top - bottom) / rows)


def _unzip(path: Path, folder: Path) -> Path:
    """The one HDF file of a zip, under a name of its own: no entry can leave the folder."""
    target = folder / "tile.hdf"
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename.endswith(".hdf")]
            if len(entries) != 1:
                raise _refuse("the zip does not hold one HDF file", path, None,
                              archive.namelist(), "one entry *.hdf")  # fmt: skip
            size, ratio = (
                entries[0].file_size,
                entries[0].file_size / (1 + entries[0].compress_size),
            )
            if size > MAX_TILE_BYTES or (size > 1024**2 and ratio > MAX_TILE_RATIO):
                raise _refuse("the zip unpacks to more than a tile can be", path, None,
                              f"{size} bytes, {ratio:.0f} times the compressed size",
                              f"at most {MAX_TILE_BYTES} and {MAX_TILE_RATIO} times")  # fmt: skip
            with archive.open(entries[0]) as source, open(target, "wb") as copy:
                shutil.copyfileobj(source, copy)
    except (*DAMAGED_ZIP, OSError) as error:
        raise _refuse("the file is not a whole zip", path, None, str(error), "a zip") from error
    return target


def _usable(table: pd.DataFrame, path: Path) -> np.ndarray:
    """(row,) bool by `state_1km`; without it by `clouds`, the share of the site's box in cloud."""
    if "clouds" in table and not any(name in table for name in _STATE):
        log.warning("%s has no state_1km: `clouds` alone is masked, not shadow or aerosol", path)
        return _numbers(table, "clouds", path) == 0
    name = _column(table, _STATE, path)
    state = np.nan_to_num(_numbers(table, name, path), nan=_STATE_FILL)
    if not ((state >= 0) & (state <= _STATE_FILL) & (state % 1 == 0)).all():
        raise _refuse("a state is no number of 16 bits", path, name,
                      f"{state.min():g} to {state.max():g}", f"0 to {_STATE_FILL}")  # fmt: skip
    return state_is_clear(state) & (state != _STATE_FILL)


def _days(column: pd.Series, path: Path) -> pd.Series:
    days = pd.to_datetime(column, errors="coerce").dt.normalize()
    if days.isna().any():
        found = repr(column[days.isna()].iloc[0])
        raise _refuse("a date cannot be read", path, "date", found, "YYYY-MM-DD")
    return days


def _column(table: pd.DataFrame, names: Sequence[str], path: Path) -> str:
    for name in names:
        if name in table:
            return name
    raise _refuse("a column is missing", path, names[0], ", ".join(map(str, table)), names[0])


def _numbers(table: pd.DataFrame, column: str, path: Path) -> np.ndarray:
    """(row,) float64 of a column, NaN where missing."""
    if not pd.api.types.is_numeric_dtype(table[column]):
        found = repr(table[column].iloc[0])[:60] if len(table) else "no row"
        raise _refuse("a column does not hold numbers", path, column, found, "numbers")
    return table[column].to_numpy(np.float64, na_value=np.nan)


def _as_reflectance(values: np.ndarray, path: Path, column: str) -> np.ndarray:
    """Counts to reflectance; a table whose values all lie below 2 holds reflectance already."""
    present = values[np.isfinite(values) & (values > VALID_COUNTS[0])]
    counts = values if present.size and present.max() > 2 else values / SCALE
    fill = ~np.isfinite(counts) | np.isin(values, (-28672, -9999))
    in_range = (counts >= VALID_COUNTS[0]) & (counts <= VALID_COUNTS[1])
    bad = ~fill & ~in_range
    if bad.sum() > 0.01 * max(1, (~fill).sum()):
        raise _refuse("a reflectance is out of range", path, column,
                      f"{bad.sum()} values, such as {values[bad][0]:g}",
                      "counts of -100 to 16000, or reflectance, fill -28672")  # fmt: skip
    if present.size >= MIN_SAMPLE and present.max() < DARKEST and (present > 0).any():
        raise _refuse("reflectances are far too small: they look scaled twice by 0.0001", path,
                      column, f"at most {present.max():g}", f"somewhere {DARKEST:g} or more, or "
                      f"counts")  # fmt: skip
    return np.where(in_range & ~fill, counts * SCALE, np.nan)


def _refuse(what, path, variable, found, expected) -> InputError:
    return InputError(
        what, file=path, variable=variable, found=found, expected=expected,
        fix="correct the file or download it again",
    )  # fmt: skip
