"""The daily file as an analysis-ready Zarr store for time series."""

from __future__ import annotations

from pathlib import Path

import dask
import numcodecs
import xarray as xr

from tamflux.files import atomic_path

CHUNKS = {"lat": 60, "lon": 60}
"""The year of 60 x 60 cells: the series of a cell is one chunk of 5 MB, 1.5 MB as stored."""

CODEC = numcodecs.Blosc(cname="zstd", clevel=5, shuffle=numcodecs.Blosc.SHUFFLE)


def copy_to_zarr(daily: str | Path, output: str | Path) -> None:
    """Copy a daily product file to a Zarr store of the same values and attributes, by cells.

    Format 2 with consolidated metadata: the one that GDAL, R, Julia and xarray all read.

    Parameters
    ----------
    daily : path
        Daily product file.
    output : path
        Store to write, atomically.
    """
    blocks = {"time": -1, "lat": CHUNKS["lat"], "lon": -1}
    with (
        xr.open_dataset(
            daily, chunks=blocks, mask_and_scale=False, decode_times=False, decode_coords=False
        ) as source,
        dask.config.set(scheduler="synchronous"),  # one row block in memory
        atomic_path(output) as partial,
    ):
        encoding = {}
        for name, variable in source.variables.items():
            variable.encoding.clear()
            limits = CHUNKS if variable.ndim > 1 else {}  # an axis is one chunk
            chunks = tuple(min(limits.get(str(dim), n), n) for dim, n in variable.sizes.items())
            encoding[name] = {"chunks": chunks}
            if variable.ndim > 1:
                encoding[name]["compressors"] = CODEC
        source.to_zarr(partial, zarr_format=2, consolidated=True, encoding=encoding)
