"""Chunks inflated by libdeflate equal the values of netCDF4; damaged chunks are errors."""

import netCDF4
import numpy as np
import pytest

from tamflux.readers.hdf5_chunks import DeflatedVariable

SHAPE = (23, 10, 14)


def write(path, kind="f4", chunks=(5, 4, 14), **storage):
    random = np.random.default_rng(0)
    values = random.integers(-300, 300, SHAPE).astype(kind)
    with netCDF4.Dataset(path, "w") as file:
        for axis, size in zip(("time", "lat", "lon"), SHAPE, strict=True):
            file.createDimension(axis, size)
        variable = file.createVariable(
            "x", kind, ("time", "lat", "lon"), chunksizes=chunks, fill_value=-999, **storage
        )
        variable[:15] = values[:15]  # the last chunks are never written
    return path


@pytest.mark.parametrize("kind", ["f4", "f8", "i2"])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("chunks", [(5, 4, 14), (1, 10, 14), (7, 3, 5), SHAPE])
def test_the_values_are_those_of_the_library(tmp_path, kind, shuffle, chunks):
    path = write(tmp_path / "x.nc", kind, chunks, zlib=True, shuffle=shuffle)
    variable = DeflatedVariable.open(path, "x")
    assert variable.steps == chunks[0]
    with netCDF4.Dataset(path) as file:
        file.set_auto_mask(False)
        for steps in (slice(0, 23), slice(0, 5), slice(3, 17), slice(22, 23)):
            expected = file["x"][steps]
            found = variable.read(steps)
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "storage", [{}, {"zlib": True, "fletcher32": True}, {"compression": "zstd"}]
)
def test_other_filters_are_left_to_the_library(tmp_path, storage):
    assert DeflatedVariable.open(write(tmp_path / "x.nc", **storage), "x") is None


def test_complete_chunks_are_recognised(tmp_path):
    variable = DeflatedVariable.open(write(tmp_path / "x.nc", zlib=True), "x")
    complete = [slice(0, 5), slice(5, 15), slice(20, 23)]
    assert all(variable.covers(steps) for steps in complete)
    assert not any(variable.covers(steps) for steps in (slice(0, 4), slice(3, 5)))


def test_a_damaged_chunk_is_an_error(tmp_path):
    path = write(tmp_path / "x.nc", zlib=True)
    variable = DeflatedVariable.open(path, "x")
    content = bytearray(path.read_bytes())
    offset, size = variable._positions[0, 0, 0]
    content[offset + size // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(OSError, match="chunk at byte"):
        variable.read(slice(0, 5))
