"""The land surface of the product grid: land cover, Köppen climate, elevation (`static.nc`)."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from tamflux.errors import ContractError, InputError
from tamflux.files import atomic_path
from tamflux.grid import Grid
from tamflux.predictors.cell_means import cell_class, cell_mean
from tamflux.sources.landcover import read_elevation, read_koppen, read_land_cover
from tamflux.variables import IGBP_CLASSES, KOPPEN_CLASSES, VEGETATED, igbp_fraction

log = logging.getLogger("tamflux")

KOPPEN_GROUPS = ("A", "B", "C", "D", "E")
IGBP_FRACTIONS = tuple(igbp_fraction(name) for name in IGBP_CLASSES)
STATIC_FEATURES = (*IGBP_FRACTIONS, *(f"koppen_{group}" for group in KOPPEN_GROUPS))
"""Columns of `static_features`, what a model knows of a place beside its weather."""

_GROUP_OF_CODE = np.array([-1, *(KOPPEN_GROUPS.index(name[0]) for name in KOPPEN_CLASSES)])
_CODE_OF_NAME = {name: code for code, name in enumerate(KOPPEN_CLASSES, 1)}


def prepare_static(
    landcover: str | Path,
    koppen: str | Path,
    elevation: str | Path | None,
    grid: Grid,
    target: str | Path,
) -> None:
    """Write `static.nc` (contract 1): class fractions, land fraction, Köppen class, elevation.

    Raises
    ------
    InputError
        If a raw file is damaged, or has no land inside the grid.
    """
    percent = cell_mean(read_land_cover(landcover), grid)
    empty = np.isnan(percent).any(axis=-1)
    percent[empty] = np.eye(len(IGBP_CLASSES))[0]  # what MCD12C1 does not classify is ocean
    shares = percent / percent.sum(axis=-1, keepdims=True)
    if (shares[..., 0] > 1 - 1e-6).all():
        raise InputError(
            "there is no land inside the grid",
            file=landcover,
            found="water only",
            expected="some land",
            fix="correct grid.bbox, or check the land-cover file",
        )
    codes = cell_class(read_koppen(koppen), grid, len(KOPPEN_CLASSES))
    _warn_without_climate(codes, shares)
    height = cell_mean(read_elevation(elevation), grid)[..., 0] if elevation else None
    data = _dataset(grid, shares, codes, height)
    data.attrs |= {"landcover": str(landcover), "koppen": str(koppen)}
    with atomic_path(target) as partial:
        data.to_netcdf(partial, engine="netcdf4")


def open_static(path: str | Path) -> xr.Dataset:
    """Open `static.nc` and check it against contract 1.

    Raises
    ------
    ContractError
        If it cannot be read, lacks a variable, or its fractions do not sum to 1.
    """
    rerun = "delete the file and run snakemake again"
    try:
        with xr.open_dataset(path, engine="netcdf4") as file:
            data = file.load()
    except (OSError, ValueError) as error:
        raise ContractError(
            "cannot open the land surface", file=path, found=str(error),
            expected="static.nc as in contract 1", fix=rerun,
        ) from error  # fmt: skip
    wanted = [*IGBP_FRACTIONS, "land_fraction", "vegetated_fraction", "koppen"]
    if missing := [name for name in wanted if name not in data]:
        raise ContractError(
            "variables are missing", file=path, found=sorted(map(str, data.data_vars)),
            expected=missing, fix=rerun,
        )  # fmt: skip
    total = sum(data[name].to_numpy() for name in IGBP_FRACTIONS)
    if not np.allclose(total, 1, atol=1e-4):
        raise ContractError(
            "the class fractions do not sum to 1", file=path, variable="igbp_*",
            found=f"sums from {total.min():g} to {total.max():g}", expected="1", fix=rerun,
        )  # fmt: skip
    return data


def static_features(table: pd.DataFrame | xr.Dataset) -> np.ndarray:
    """What models are given of a place.

    Parameters
    ----------
    table : DataFrame or Dataset
        `igbp_*` fractions and `koppen` (codes 0-30, or names such as ``Cfb``). Of a Dataset the
        cells come in C order (lat, lon).

    Returns
    -------
    numpy.ndarray
        (n, len(STATIC_FEATURES)) float32: the IGBP fractions of the *land* part (water 0 unless
        there is no land), then Köppen main groups A to E as 0 or 1 (all 0 where unknown).
    """
    columns = [np.ravel(table[name].to_numpy()) for name in IGBP_FRACTIONS]
    fractions = np.stack(columns, axis=1).astype(np.float32)
    land = fractions[:, 1:].sum(axis=1)
    all_water = land < 1e-6
    fractions[:, 0] = all_water
    fractions[:, 1:] /= np.where(all_water, 1, land)[:, None]
    codes = _koppen_codes(np.ravel(table["koppen"].to_numpy()))
    groups = _GROUP_OF_CODE[codes][:, None] == np.arange(len(KOPPEN_GROUPS))
    return np.concatenate([fractions, groups.astype(np.float32)], axis=1)


def _koppen_codes(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind in "iuf":
        return np.nan_to_num(values).astype(int)
    return np.array([_CODE_OF_NAME.get(str(value), 0) for value in values])


def _warn_without_climate(codes: np.ndarray, shares: np.ndarray) -> None:
    land = shares[..., 0] < 0.5
    if n := int((land & (codes == 0)).sum()):
        log.warning("%d of %d land cells have no Köppen class", n, int(land.sum()))


def _dataset(
    grid: Grid, shares: np.ndarray, codes: np.ndarray, height: np.ndarray | None
) -> xr.Dataset:
    dims = ("lat", "lon")
    data = xr.Dataset(
        coords={
            "lat": ("lat", grid.lat, {"units": "degrees_north", "standard_name": "latitude"}),
            "lon": ("lon", grid.lon, {"units": "degrees_east", "standard_name": "longitude"}),
        }
    )
    for index, name in enumerate(IGBP_CLASSES):
        long_name = f"fraction of the cell covered by IGBP class {name}"
        attrs = {"units": "1", "long_name": long_name}
        data[igbp_fraction(name)] = (dims, shares[..., index].astype(np.float32), attrs)
    vegetated = shares[..., [IGBP_CLASSES.index(name) for name in VEGETATED]].sum(axis=-1)
    land = np.clip(1 - shares[..., 0], 0, 1).astype(np.float32)
    data["land_fraction"] = (dims, land, {"units": "1", "standard_name": "land_area_fraction"})
    data["vegetated_fraction"] = (
        dims, np.clip(vegetated, 0, 1).astype(np.float32),
        {"units": "1", "long_name": "fraction of the cell covered by vegetated classes"},
    )  # fmt: skip
    data["koppen"] = (
        dims, codes,
        {
            "long_name": "most frequent Köppen-Geiger class (Beck et al. 2018)",
            "flag_values": np.arange(len(KOPPEN_CLASSES) + 1, dtype=np.int8),
            "flag_meanings": " ".join(["none", *KOPPEN_CLASSES]),
        },
    )  # fmt: skip
    if height is not None:
        data["elevation"] = (
            dims, height.astype(np.float32), {"units": "m", "standard_name": "surface_altitude"},
        )  # fmt: skip
    return data
