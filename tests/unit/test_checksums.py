"""Damage after writing is noticed, set aside, and nothing else is."""

import shutil
import subprocess

import numpy as np
import pytest
import zarr

from tamflux.checksums import (
    STAMP,
    content_hash,
    damaged_files,
    forget_checksums,
    record_checksums,
    recorded_results,
    verify,
)
from tamflux.errors import ContractError


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "2001.zarr"
    array = zarr.create_array(path, shape=(10, 100), chunks=(5, 50), dtype="float64")
    array[:] = np.arange(1000.0).reshape(10, 100)
    record_checksums(path)
    return path


def chunk(store):
    return max(
        (path for path in store.rglob("*") if path.is_file()), key=lambda p: p.stat().st_size
    )


def test_a_finished_result_is_as_written(store):
    (store / STAMP).touch()  # Snakemake's, after the job
    assert damaged_files(store) == []
    verify([store])
    assert store.exists()


@pytest.mark.parametrize("bit", [0, 7])
def test_a_flipped_bit_is_noticed_and_the_result_set_aside(store, bit):
    file = chunk(store)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1 << bit
    file.write_bytes(content)
    name = file.relative_to(store.parent).as_posix()
    assert damaged_files(store) == [name]
    with pytest.raises(ContractError, match="damaged after it was written") as error:
        verify([store])
    assert error.value.details["file"] == store and name in error.value.details["found"]
    assert not store.exists() and (store.parent / ".2001.zarr.damaged" / "zarr.json").exists()
    verify([store])  # nothing is there, Snakemake makes it again


def test_lost_and_added_files_are_noticed(store):
    chunk(store).unlink()
    (store / "new").touch()
    assert len(damaged_files(store)) == 2


def test_a_folder_in_place_of_a_file_and_an_empty_record_are_damage(tmp_path):
    table = tmp_path / "sites.csv"
    table.write_text("site_id\n")
    record_checksums(table)
    table.unlink()
    table.mkdir()
    assert damaged_files(table) == ["sites.csv"]
    shutil.rmtree(table)
    table.write_text("site_id\n")
    (tmp_path / ".sites.csv.sha256").write_bytes(b"")  # what a power cut leaves
    assert damaged_files(table) == ["sites.csv"]


def test_raw_files_and_forgotten_results_are_not_checked(tmp_path, store):
    (tmp_path / "raw.nc").write_bytes(b"raw")
    chunk(store).unlink()
    assert recorded_results(tmp_path) == [store]
    forget_checksums(store)
    verify([store, tmp_path / "raw.nc"])
    assert recorded_results(tmp_path) == []


def test_every_damaged_result_is_set_aside_at_once(tmp_path):
    for name in "abc":
        (tmp_path / name).write_text(name)
        record_checksums(tmp_path / name)
    (tmp_path / "a").write_text("x")
    (tmp_path / "c").write_text("x")
    with pytest.raises(ContractError):
        verify([tmp_path / name for name in "abc"])
    assert [(tmp_path / name).exists() for name in "abc"] == [False, True, False]


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum")
def test_sha256sum_reads_the_record(store):
    command = ["sha256sum", "--check", "--strict", ".2001.zarr.sha256"]
    assert subprocess.run(command, cwd=store.parent, capture_output=True).returncode == 0
    chunk(store).write_bytes(b"")
    assert subprocess.run(command, cwd=store.parent, capture_output=True).returncode == 1


def test_the_hash_of_the_content_is_the_same_with_and_without_checksums(store, tmp_path):
    copy = shutil.copytree(store, tmp_path / "2002.zarr")  # of another name and time
    (store / STAMP).touch()
    assert content_hash(store) == content_hash(copy)
    array = zarr.open_array(copy)
    array[0, 0] = -1
    assert content_hash(store) != content_hash(copy)


def test_a_file_changed_after_its_checksums_changes_the_hash(store):
    before = content_hash(store)
    damaged = chunk(store)
    damaged.write_bytes(damaged.read_bytes()[::-1])
    changed = content_hash(store)
    assert changed != before
    forget_checksums(store)
    assert content_hash(store) == changed


@pytest.mark.parametrize(
    "change", [lambda file: file.unlink(), lambda file: file.rename(f"{file}2")]
)
def test_a_lost_or_renamed_file_changes_the_hash(store, change):
    before = content_hash(store)
    change(chunk(store))  # no file that is left is newer
    changed = content_hash(store)
    assert changed != before
    forget_checksums(store)
    assert content_hash(store) == changed


def test_checksums_stand_for_files_that_are_not_newer(store, monkeypatch):
    expected = content_hash(store)
    monkeypatch.setattr("tamflux.checksums.file_hash", lambda path: pytest.fail("was read"))
    assert content_hash(store) == expected
