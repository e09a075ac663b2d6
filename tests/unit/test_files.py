import os

import pytest

from tamflux.errors import TamfluxError
from tamflux.files import atomic_path, exclusive, scratch_folder


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
