"""Chunks of NetCDF-4 variables inflated by libdeflate, about twice as fast as by the HDF5 library.

This reads the files of the Climate Data Store: numbers, shuffled and deflated, in chunks of (time,
latitude, longitude); netCDF4 reads all others. Without it a year of ERA5 at 0.25 degree takes 12 %
more processor time from files to cube (8.6 in place of 7.7 s for 717 MB, medians of four runs).
"""

from __future__ import annotations

import itertools
from pathlib import Path

import deflate
import h5py
import numpy as np

_SHUFFLE, _DEFLATE = 2, 1
"""Numbers of the filters in HDF5."""


class DeflatedVariable:
    """A variable with three axes, read chunk by chunk.

    Attributes
    ----------
    steps : int
        Length of its chunks along the first axis.
    """

    def __init__(self, path: Path, data: h5py.Dataset, chunks: list[h5py.h5d.StoreInfo]):
        self._path, self._shape, self._dtype = path, data.shape, data.dtype
        self._chunk, self._fill, self._shuffled = data.chunks, data.fillvalue, data.shuffle
        self._positions = {chunk.chunk_offset: (chunk.byte_offset, chunk.size) for chunk in chunks}
        self.steps = data.chunks[0]

    @classmethod
    def open(cls, path: Path, name: str) -> DeflatedVariable | None:
        """None where the variable is stored in another way.

        Raises
        ------
        OSError, RuntimeError, ValueError, KeyError
            If the library finds the file damaged.
        """
        with h5py.File(path) as file:
            data = file[name]
            chunks: list[h5py.h5d.StoreInfo] = []
            if data.chunks is None or data.ndim != 3 or data.dtype.str[:2] not in ("<f", "<i"):
                return None
            layout = data.id.get_create_plist()
            filters = [layout.get_filter(i)[0] for i in range(layout.get_nfilters())]
            if filters not in ([_SHUFFLE, _DEFLATE], [_DEFLATE]):
                return None
            data.id.chunk_iter(chunks.append)
            filtered = not any(chunk.filter_mask for chunk in chunks)
            return cls(path, data, chunks) if filtered else None

    def covers(self, steps: slice) -> bool:
        """Whether the steps are complete chunks, so that none is inflated twice."""
        complete = steps.stop % self.steps == 0 or steps.stop == self._shape[0]
        return complete and steps.start % self.steps == 0

    def read(self, steps: slice) -> np.ndarray:
        """(step, ...) numbers as stored.

        Raises
        ------
        OSError
            If a chunk is damaged or missing.
        """
        values = np.empty((steps.stop - steps.start, *self._shape[1:]), self._dtype)
        starts = [
            range(first - first % chunk, last, chunk)
            for first, last, chunk in zip(
                (steps.start, 0, 0), (steps.stop, *self._shape[1:]), self._chunk, strict=True
            )
        ]
        with open(self._path, "rb") as file:
            for corner in itertools.product(*starts):
                here = (corner[0] - steps.start, *corner[1:])
                part = values[tuple(slice(max(i, 0), i + n) for i, n in
                                    zip(here, self._chunk, strict=True))]  # fmt: skip
                skipped = max(-here[0], 0)
                if corner not in self._positions:
                    part[:] = self._fill
                    continue
                inside = (slice(skipped, skipped + len(part)), *map(slice, part.shape[1:]))
                self._inflate(file, *self._positions[corner], part, inside)
        return values

    def _inflate(self, file, offset: int, size: int, part: np.ndarray, inside: tuple) -> None:
        """Fill `part` with the part `inside` of a chunk of the file."""
        file.seek(offset)
        length = int(np.prod(self._chunk)) * self._dtype.itemsize
        try:
            raw = deflate.zlib_decompress(file.read(size), length)
        except deflate.DeflateError as error:
            raise OSError(f"chunk at byte {offset}: {error}") from error
        if len(raw) != length:
            raise OSError(f"chunk at byte {offset} has {len(raw)} bytes, not {length}")
        if not self._shuffled:
            part[:] = np.frombuffer(raw, self._dtype).reshape(self._chunk)[inside]
            return
        planes = np.frombuffer(raw, np.uint8).reshape(-1, *self._chunk)
        octets = part.view(np.uint8).reshape(*part.shape, -1)
        for number, plane in enumerate(planes):
            octets[..., number] = plane[inside]
