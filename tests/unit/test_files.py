import os
import stat
import subprocess
import sys

import netCDF4
import numpy as np
import pytest

from tamflux.errors import TamfluxError
from tamflux.files import (
    atomic_path,
    disk_array,
    exclusive,
    find_files,
    matches,
    scratch_folder,
    size_and_date,
)


def test_a_finished_file_replaces_the_old_one(tmp_path):
    target = tmp_path / "folder" / "a.txt"
    for text in ("old", "new"):
        with atomic_path(target) as path:
            path.write_text(text)
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(target) as path:
        path.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.fixture
def small_disk(tmp_path):
    """A folder that takes 3 MB."""
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", tmp_path]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted without root")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


def write_netcdf(path):
    with atomic_path(path) as partial, netCDF4.Dataset(partial, "w") as file:
        file.createDimension("x", 1_000_000)
        file.createVariable("x", "f8", ("x",))[:] = np.arange(1e6)


def test_a_full_disk_is_named_whatever_the_library_says(small_disk):
    with pytest.raises(TamfluxError, match="the disk is full") as error:
        write_netcdf(small_disk / "a.nc")
    assert "a.nc" in str(error.value)
    assert list(small_disk.iterdir()) == []


def test_an_array_on_a_full_disk_is_an_error_and_no_signal(small_disk):
    with pytest.raises(OSError, match="No space left"):
        disk_array(small_disk / "x", np.float32, (1000, 1000))


def test_an_array_on_disk_keeps_what_is_written(tmp_path):
    with open(tmp_path / "x", "w+b") as file:
        disk_array(file.fileno(), np.int16, (2, 3))[:] = 7
    np.testing.assert_array_equal(np.fromfile(tmp_path / "x", np.int16), [7] * 6)


def test_a_folder_is_replaced_whole(tmp_path):
    target = tmp_path / "store.zarr"
    for name in ("a", "b"):
        with atomic_path(target) as path:
            path.mkdir()
            (path / name).touch()
    assert [item.name for item in target.iterdir()] == ["b"]


def test_a_scratch_folder_lies_beside_its_target_and_goes(tmp_path):
    with scratch_folder(tmp_path / "new" / "a.zarr") as folder:
        (folder / "x").touch()
        assert folder.parent == tmp_path / "new" and folder.name.startswith(".a.zarr.")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_lock_is_held_by_one_process_and_freed_when_it_ends(tmp_path):
    lock = tmp_path / "x.lock"
    with exclusive(lock, what="busy", file=tmp_path):
        with (
            pytest.raises(TamfluxError, match="busy") as error,
            exclusive(lock, what="busy", file=tmp_path),
        ):
            pass
        assert str(os.getpid()) in error.value.details["found"]
    with exclusive(lock, what="busy", file=tmp_path):
        pass


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_files_and_stores_get_the_permissions_of_the_umask(tmp_path, umask):
    """Also a checkpoint, which its library writes for the owner alone."""
    program = (
        "import os, sys; from pathlib import Path; os.umask(int(sys.argv[2])); import numpy, zarr\n"
        "from safetensors.numpy import save_file; from tamflux.files import atomic_path\n"
        "folder = Path(sys.argv[1])\n"
        "with atomic_path(folder / 'a.safetensors') as path:\n"
        "    save_file({'x': numpy.zeros(3)}, path)\n"
        "with atomic_path(folder / 'b.nc') as path:\n"
        "    path.write_bytes(b''); path.chmod(0o600)\n"
        "with atomic_path(folder / 'c.zarr') as path:\n"
        "    zarr.create_array(path, data=numpy.arange(5))\n"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path, str(umask)], check=True)
    paths = sorted(tmp_path.rglob("*"))
    assert len(paths) > 4
    for path in paths:
        expected = (0o777 if path.is_dir() else 0o666) & ~umask
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


def test_brackets_of_a_path_are_no_wildcards(tmp_path):
    folder = tmp_path / "a [12] b"
    folder.mkdir()
    for name in ("x1.nc", "x2.nc", "y[1].nc", "yb.nc"):
        (folder / name).touch()
    (tmp_path / "a 1 b").mkdir()
    (tmp_path / "a 1 b" / "x1.nc").touch()
    assert find_files(f"{folder}/x?.nc") == [f"{folder}/x1.nc", f"{folder}/x2.nc"]
    assert find_files(f"{folder}/y[1].nc") == [f"{folder}/y[1].nc"]
    for path, expected in {"a [12] b/x1.nc": True, "a 1 b/x1.nc": False}.items():
        assert matches(path, "a [12] b/*.nc") is expected


def test_a_folder_counts_with_all_its_files(tmp_path):
    store = tmp_path / "a.zarr"
    (store / "c").mkdir(parents=True)
    (store / "zarr.json").write_bytes(b"12345")
    (store / "c" / "0").write_bytes(b"123")
    os.utime(store / "zarr.json", (100, 100))
    os.utime(store / "c" / "0", (250, 250))
    assert size_and_date(str(store)) == "8 250 2"
    assert size_and_date(str(store / "c" / "0")) == "3 250"
    with pytest.raises(FileNotFoundError):
        size_and_date(str(tmp_path / "absent"))
