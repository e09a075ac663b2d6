"""MODIS reflectance of a year: averaged to the grid, interpolated to days, with indices.

A raw file holds all pixels of one day, a tile all days of a few cells. The cell means of every
composite go through a scratch file, so that memory holds one raw file or one row of tiles.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import zarr
from tqdm import tqdm

from tamflux.errors import InputError
from tamflux.files import disk_array, scratch_folder
from tamflux.grid import Grid
from tamflux.predictors.cube import FLAG, create_store, year_days
from tamflux.predictors.filling import fill_in_time
from tamflux.predictors.incremental import cache_folder, cached_arrays, complete_months, drop_cache
from tamflux.predictors.reflectance_check import check_reflectance
from tamflux.predictors.rounding import round_bits
from tamflux.provenance import code_hash, file_hash
from tamflux.readers.modis import BANDS, SCALE, Composite, read_composite
from tamflux.readers.modis_files import LONGEST_GAP, select_composites
from tamflux.readers.modis_metadata import read_collection
from tamflux.variables import REFL_FILLED, REFLECTANCE

log = logging.getLogger("tamflux")

INDEX_BANDS = {"ndvi": (1, 2), "evi": (1, 2, 3), "nirv": (1, 2), "lswi": (2, 6)}
_MIN_EVI_DENOMINATOR = 0.5
_USUAL_GAP = 8
"""Longest usual gap, in days, between the last composite and the end of a year."""
_STRIP = 8
"""Rows of cells averaged at once; few enough to stay in the cache of the processor."""


def prepare_modis(
    paths: Iterable[str | Path],
    product: str,
    year: int,
    grid: Grid,
    tile_size: int,
    min_valid_fraction: float,
    variables: Sequence[str],
    target: str | Path,
    may_end_early: bool = False,
) -> None:
    """Write the reflectances and indices of a year to a store of the cube's layout.

    The cell means of a partial year are cached, so that an update reads the new files alone. The
    last composite holds for `LONGEST_GAP` days, which are flagged as filled.

    The store also has `refl_filled`, `valid_pixels` (composite, lat, lon), the number of valid
    pixels behind each cell mean, and `composite`, the days of the files.

    Parameters
    ----------
    paths : iterable of path
        MODIS files of the year and, if present, of the years before and after it.
    product : str
        ``MCD43C4`` or ``MOD09CMG``.
    min_valid_fraction : float
        Share of a cell's pixels that must be valid for a mean.
    variables : sequence of str
        Predictors of the cube; those that are not from MODIS are ignored.
    may_end_early : bool
        Whether the last file may lie before the end of the year.

    Raises
    ------
    InputError
        If files are damaged, missing or duplicated, or hold no valid pixel in the year.
    """
    files = select_composites(paths, year, may_end_early)
    collection, versions = read_collection(files.values(), product)
    log.info("MODIS collection %s, processing versions %s", collection, ", ".join(versions) or "?")
    wanted = [REFLECTANCE[name] for name in variables if name in REFLECTANCE]
    bands = needed_bands([variable.name for variable in wanted])
    dates, days = np.array(list(files), "datetime64[D]"), year_days(year)
    reach = complete_months(days, dates[-1] + LONGEST_GAP) if may_end_early else len(days)
    is_partial = may_end_early and dates[-1] < days[-1] - _USUAL_GAP
    settings = (
        product,
        bands,
        grid,
        min_valid_fraction,
        code_hash("tamflux.predictors.reflectance"),
    )

    def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
        composite, factor = read_composite(path, product, bands, grid)
        return aggregate(composite, factor, grid, min_valid_fraction)

    with (
        scratch_folder(target) as scratch,
        create_store(target, grid, year, tile_size, [*wanted, REFL_FILLED], reach) as store,
    ):
        shape = (len(dates), *grid.shape)
        means = disk_array(scratch / "means", np.float32, (len(bands), *shape))
        pixels = disk_array(scratch / "pixels", np.uint16, shape)
        cache = cache_folder(target)
        for step, path in enumerate(tqdm(files.values(), desc=f"MODIS {year}", unit="file")):
            if is_partial or cache.is_dir():
                key = repr((path.name, file_hash(path), *settings))
                means[:, step], pixels[step] = cached_arrays(cache, key, partial(read, path))
            else:
                means[:, step], pixels[step] = read(path)
        if not (pixels > 0).any():
            raise InputError(
                "no MODIS pixel is valid in the year",
                file="inputs.modis.path",
                found=f"{len(files)} files, only fill values or bad quality inside grid.bbox",
                expected="valid reflectances over land",
                fix="check inputs.modis.product and grid.bbox",
            )
        check_reflectance(means, bands, grid, days_complete=reach == len(days) and not is_partial)
        names = [variable.name for variable in wanted]
        _write_tiles(store, means, bands, dates, days, names, tile_size)
        _write_valid_pixels(store, pixels, dates, tile_size)
    if not is_partial:
        drop_cache(target)


def needed_bands(variables: Sequence[str]) -> tuple[int, ...]:
    """MODIS spectral bands that the variables are computed from, ascending."""
    return tuple(
        band
        for band in BANDS
        if any(v == f"refl_b{band}" or band in INDEX_BANDS.get(v, ()) for v in variables)
    )


def aggregate(
    composite: Composite, factor: int, grid: Grid, min_valid_fraction: float
) -> tuple[np.ndarray, np.ndarray]:
    """Area-weighted mean over the valid pixels of each cell.

    A pixel is valid only if all its bands are, so that indices combine the same pixels.

    Returns
    -------
    means : numpy.ndarray
        (band, lat, lon) float32 reflectance, NaN below `min_valid_fraction`.
    pixels : numpy.ndarray
        (lat, lon) uint16 number of valid pixels.
    """
    rows, cols = grid.shape
    blocks = (rows, factor, cols, factor)
    edges = np.radians(grid.bbox[1] + grid.resolution / factor * np.arange(rows * factor + 1))
    area = np.diff(np.sin(edges)).reshape(rows, factor).astype(np.float32)
    min_pixels = max(1, min_valid_fraction * factor**2 - 1e-6)
    valid = composite.valid.reshape(blocks)
    bands = [numbers.reshape(blocks) for numbers in composite.digital_numbers.values()]
    means = np.full((len(bands), rows, cols), np.nan, np.float32)
    pixels = np.empty((rows, cols), np.uint16)
    for south in range(0, rows, _STRIP):
        strip = slice(south, south + _STRIP)
        _aggregate_strip(
            [numbers[strip] for numbers in bands], valid[strip], area[strip], min_pixels,
            means[:, strip], pixels[strip],
        )  # fmt: skip
    return means, pixels


def _aggregate_strip(
    bands: list[np.ndarray],
    valid: np.ndarray,
    area: np.ndarray,
    min_pixels: float,
    means: np.ndarray,
    pixels: np.ndarray,
) -> None:
    """Fill `means` and `pixels` of a few rows from (row, pixel row, col, pixel col) blocks."""
    across = np.ones(valid.shape[-1], np.float32)
    along = valid.astype(np.float32) @ across  # (row, pixel row, col)
    pixels[:] = along.sum(axis=1)
    weight = np.einsum("rkc,rk->rc", along, area)
    for mean, numbers in zip(means, bands, strict=True):
        total = np.where(valid, numbers, 0).astype(np.float32) @ across
        total = np.einsum("rkc,rk->rc", total, area) * np.float32(SCALE)
        np.divide(total, weight, mean, where=pixels >= min_pixels)


def compute_indices(reflectance: dict[int, np.ndarray], names: Sequence[str]) -> dict:
    """Vegetation and water indices from band reflectances.

    NDVI (Tucker 1979), EVI (Huete et al. 2002), NIRv (Badgley et al. 2017), LSWI (Xiao et al.
    2004). Missing where a band is not above 0. EVI has a pole where the blue band outweighs the red
    one, over snow and residual cloud: where its denominator falls below 0.5, the two-band EVI2
    (Jiang et al. 2008) replaces it. EVI is clipped to -1 to 1.

    Parameters
    ----------
    reflectance : dict of int to numpy.ndarray
        Reflectance by band, any shape.
    names : sequence of str
        Of ``ndvi, evi, nirv, lswi``.
    """
    result = {}
    for name in names:
        positive = {b: _positive(reflectance[b]) for b in INDEX_BANDS[name]}
        nir = positive[2]
        if name in ("ndvi", "nirv"):
            ndvi = (nir - positive[1]) / (nir + positive[1])
            result[name] = ndvi if name == "ndvi" else ndvi * nir
        elif name == "lswi":
            result[name] = (nir - positive[6]) / (nir + positive[6])
        else:
            result[name] = _evi(positive[1], nir, positive[3])
    return result


def _positive(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values, np.float32(np.nan))


def _evi(red: np.ndarray, nir: np.ndarray, blue: np.ndarray) -> np.ndarray:
    denominator = nir + 6 * red - 7.5 * blue + 1
    two_bands = np.where(np.isnan(blue), blue, nir + 2.4 * red + 1)
    denominator = np.where(denominator < _MIN_EVI_DENOMINATOR, two_bands, denominator)
    return np.clip(2.5 * (nir - red) / denominator, -1, 1)


def _write_tiles(
    store: zarr.Group,
    means: np.ndarray,
    bands: Sequence[int],
    dates: np.ndarray,
    days: np.ndarray,
    names: Sequence[str],
    tile_size: int,
) -> None:
    """Fill, derive and write the variables, one row of tiles after another."""
    n_rows, n_cols = means.shape[-2:]
    indices = [name for name in names if name in INDEX_BANDS]
    for south in tqdm(range(0, n_rows, tile_size), desc="filling in time", unit="row of tiles"):
        rows = slice(south, min(south + tile_size, n_rows))
        block = np.array(means[:, :, rows])
        for west in range(0, n_cols, tile_size):
            cols = slice(west, min(west + tile_size, n_cols))
            shape = (len(days), rows.stop - rows.start, cols.stop - cols.start)
            values = block[..., cols].reshape(len(bands), len(dates), -1)
            if not np.isfinite(values[0]).any():
                continue  # chunks that are not written read as missing
            daily, flag = fill_in_time(values, dates, days)
            reflectance = dict(zip(bands, daily, strict=True))
            fields = {f"refl_b{band}": values for band, values in reflectance.items()}
            fields |= compute_indices(reflectance, indices)
            for name in names:
                store[name][:, rows, cols] = round_bits(fields[name].reshape(shape))
            store[FLAG][:, rows, cols] = flag.reshape(shape)


def _write_valid_pixels(
    store: zarr.Group, pixels: np.ndarray, dates: np.ndarray, tile_size: int
) -> None:
    n, n_rows, n_cols = pixels.shape
    store.create_array(
        "composite", data=dates.astype(np.int64), dimension_names=("composite",),
        attributes={"units": "days since 1970-01-01", "calendar": "proleptic_gregorian"},
    )  # fmt: skip
    target = store.create_array(
        "valid_pixels", shape=pixels.shape, dtype="uint16", fill_value=0,
        chunks=(n, min(tile_size, n_rows), min(tile_size, n_cols)),
        dimension_names=("composite", "lat", "lon"),
        attributes={"units": "1", "long_name": "valid MODIS pixels in the cell"},
    )  # fmt: skip
    for south in range(0, n_rows, tile_size):
        rows = slice(south, min(south + tile_size, n_rows))
        target[:, rows] = pixels[:, rows]
