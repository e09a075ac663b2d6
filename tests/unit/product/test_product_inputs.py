"""Tables of raw files, compared with sha256sum."""

import subprocess

import pandas as pd
import pytest

from tamflux.errors import InputError
from tamflux.product.inputs import checksum_inputs, input_attributes, list_inputs


@pytest.fixture
def files(tmp_path):
    """Two small files and one with a hostile name."""
    paths = [tmp_path / name for name in ("b.nc", "a.nc", '"x",\n=cmd.nc')]
    for number, path in enumerate(paths):
        path.write_bytes(bytes([number]) * (1000 + number))
    return paths


def test_checksums_are_those_of_sha256sum(files, tmp_path):
    checksum_inputs(files, "era5_2001", tmp_path / "era5.csv", threads=2)
    table = pd.read_csv(tmp_path / "era5.csv").set_index("file")
    assert len(table) == 3 and (table["source"] == "era5_2001").all()
    for path in files:
        run = subprocess.run(["sha256sum"], stdin=path.open("rb"), capture_output=True, text=True)
        assert table.loc[path.name, "sha256"] == run.stdout.split()[0]
        assert table.loc[path.name, "bytes"] == path.stat().st_size


def test_a_store_has_one_row_that_changes_with_any_of_its_files(files, tmp_path):
    store = tmp_path / "lai.zarr"
    store.mkdir()
    hashes = []
    for content in (b"one", b"two"):
        (store / "chunk").write_bytes(content)
        checksum_inputs([store], "extra", tmp_path / "extra.csv")
        (row,) = pd.read_csv(tmp_path / "extra.csv").to_dict("records")
        assert row["file"] == "lai.zarr" and row["bytes"] == 3
        hashes.append(row["sha256"])
    assert hashes[0] != hashes[1]


def test_tables_are_joined_and_summed_up(files, tmp_path):
    checksum_inputs(files[:2], "era5_2001", tmp_path / "a.csv")
    checksum_inputs(files[2:], "towers", tmp_path / "b.csv")
    list_inputs([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "inputs.csv")
    assert len(pd.read_csv(tmp_path / "inputs.csv")) == 3
    attributes = input_attributes(tmp_path / "inputs.csv")
    assert (
        attributes["tamflux_inputs"]
        == "era5_2001: 2 files, 2001 bytes; towers: 1 files, 1002 bytes"
    )


def test_a_file_that_is_gone_is_named(files, tmp_path):
    with pytest.raises(InputError, match="cannot read a raw file"):
        checksum_inputs([tmp_path / "gone.nc"], "land", tmp_path / "land.csv")
    assert not (tmp_path / "land.csv").exists()
