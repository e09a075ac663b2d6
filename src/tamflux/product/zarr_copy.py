"""The daily file as an analysis-ready Zarr store."""

from __future__ import annotations

from pathlib import Path

import dask
import numcodecs
import xarray as xr

from tamflux.files import atomic_path

CHUNKS = {"time": 61, "lat": 60, "lon": 120}
"""1.8 MB of a flux: at 0.25 degree a map is 144 chunks and the series of a cell 6."""

CODEC = numcodecs.Blosc(cname="zstd", clevel=5, shuffle=numcodecs.Blosc.SHUFFLE)


def copy_to_zarr(daily: str | Path, output: str | Path) -> None:
    """Copy a daily product file to a Zarr store of the same values and attributes.

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
            size = {dim: min(CHUNKS.get(str(dim), n), n) for dim, n in variable.sizes.items()}
            encoding[name] = {"chunks": tuple(size.values())}
            if variable.ndim > 1:
                encoding[name]["compressors"] = CODEC
        source.to_zarr(partial, zarr_format=2, consolidated=True, encoding=encoding)
