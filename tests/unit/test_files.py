import pytest

from tamflux.files import atomic_path


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
