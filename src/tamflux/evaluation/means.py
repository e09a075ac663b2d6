"""Means over the files of a product: of its years, and of each calendar month."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from tamflux.errors import ContractError


def yearly_mean(paths: Sequence[str | Path], name: str) -> np.ndarray:
    """(lat, lon) mean over the complete years, else over the days so far, g m-2 d-1."""
    fields, complete = [], []
    for path in paths:
        with xr.open_dataset(path) as product:
            fields.append(per_day(product[name], path).mean("time").to_numpy())
            if product.attrs.get("time_coverage_duration", "P1Y") == "P1Y":
                complete.append(fields[-1])
    return np.mean(complete or fields, axis=0)


def monthly_means(paths: Sequence[str | Path], name: str) -> np.ndarray:
    """(12, lat, lon) mean over years of each calendar month, g m-2 d-1; NaN where there is none."""
    fields: list[list[np.ndarray]] = [[] for _ in range(12)]
    for path in paths:
        with xr.open_dataset(path) as product:
            for month, field in enumerate(per_day(product[name], path).to_numpy()):
                fields[month].append(field)
    missing = np.full_like(fields[0][0], np.nan)
    return np.stack([np.mean(month, axis=0) if month else missing for month in fields])


def per_day(field: xr.DataArray, path: str | Path) -> xr.DataArray:
    """Check that a field of the product is a flux per day."""
    if field.attrs.get("units") != "g m-2 d-1":
        raise ContractError(
            "a product file has an unknown unit", file=path, variable=field.name,
            found=field.attrs.get("units"), expected="g m-2 d-1",
            fix="delete the file and run snakemake again",
        )  # fmt: skip
    return field
