"""The static fields of the product grid, `static.nc`, and the static features of models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from tamflux.errors import ContractError
from tamflux.extra_predictors import PREFIX
from tamflux.readers.hdf5_structure import superblock_error
from tamflux.variables import IGBP_CLASSES, KOPPEN_CLASSES, igbp_fraction

KOPPEN_GROUPS = ("A", "B", "C", "D", "E")
IGBP_FRACTIONS = tuple(igbp_fraction(name) for name in IGBP_CLASSES)
STATIC_FEATURES = (*IGBP_FRACTIONS, *(f"koppen_{group}" for group in KOPPEN_GROUPS))
"""Static features of every run, the inputs of models that do not change with time."""

_GROUP_OF_CODE = np.array([-1, *(KOPPEN_GROUPS.index(name[0]) for name in KOPPEN_CLASSES)])
_CODE_OF_NAME = {name: code for code, name in enumerate(KOPPEN_CLASSES, 1)}


COAST_BELOW = 0.5
"""Land fraction below which a grid cell is a coast, and a tower's grid cell mostly water."""


def open_static(path: str | Path) -> xr.Dataset:
    """Open `static.nc` and check it against contract 1.

    Raises
    ------
    ContractError
        If it cannot be read, lacks a variable, or its fractions do not sum to 1.
    """
    rerun = "delete the file and run snakemake again"
    try:
        if Path(path).is_file() and (reason := superblock_error(Path(path))):
            raise OSError(reason)
        with xr.open_dataset(path, engine="netcdf4") as file:
            data = file.load()
    except (OSError, ValueError, TypeError, LookupError, RuntimeError, MemoryError) as error:
        raise ContractError(
            "cannot open the static fields", file=path, found=str(error),
            expected="static.nc as in contract 1", fix=rerun,
        ) from error  # fmt: skip
    wanted = [*IGBP_FRACTIONS, "land_fraction", "vegetated_fraction", "koppen"]
    if missing := [name for name in wanted if name not in data]:
        raise ContractError(
            "variables are missing", file=path, found=sorted(map(str, data.data_vars)),
            expected=missing, fix=rerun,
        )  # fmt: skip
    for name in wanted:
        values, high = data[name].to_numpy(), len(KOPPEN_CLASSES) if name == "koppen" else 1 + 1e-6
        number = values.dtype.kind in "iuf" and values.ndim == 2
        if not number or not ((values >= 0) & (values <= high)).all():
            raise ContractError(
                "a field is out of its range", file=path, variable=name,
                found=f"{values.min()} to {values.max()}" if number else f"{values.dtype}",
                expected=f"numbers from 0 to {high:g} (lat, lon)", fix=rerun,
            )  # fmt: skip
    total = np.zeros(data["land_fraction"].shape, np.float32)
    for name in IGBP_FRACTIONS:
        total += data[name].to_numpy()
    if not np.allclose(total, 1, atol=1e-4):
        raise ContractError(
            "the class fractions do not sum to 1", file=path, variable="igbp_*",
            found=f"sums from {total.min():g} to {total.max():g}", expected="1", fix=rerun,
        )  # fmt: skip
    return data


def extra_statics(table: pd.DataFrame | xr.Dataset) -> tuple[str, ...]:
    """Columns or variables of static predictors that the configuration adds, sorted by name."""
    return tuple(sorted(str(name) for name in table if str(name).startswith(PREFIX)))


def static_table(table: pd.DataFrame | xr.Dataset) -> pd.DataFrame:
    """`static_features` as columns, and the extra static predictors, NaN where missing."""
    features = pd.DataFrame(static_features(table), columns=list(STATIC_FEATURES))
    extra = {
        name: np.ravel(table[name].to_numpy()).astype(np.float32) for name in extra_statics(table)
    }
    return features.assign(**extra)


def static_features(table: pd.DataFrame | xr.Dataset) -> np.ndarray:
    """Static inputs of models for sites or grid cells.

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


def land_classes(surface: xr.Dataset) -> np.ndarray:
    """Fractions (lat, lon, 17) of the IGBP classes in the land part of each cell, float32."""
    fractions = static_features(surface)[:, : len(IGBP_FRACTIONS)]
    return fractions.reshape(*surface["land_fraction"].shape, -1)


def _koppen_codes(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind in "iuf":
        return np.nan_to_num(values).astype(int)
    return np.array([_CODE_OF_NAME.get(str(value), 0) for value in values])
