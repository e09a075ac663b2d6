import zipfile

import pytest

from tamflux.errors import InputError
from tamflux.readers.oneflux import archive
from tamflux.readers.oneflux.archive import list_members


def write_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return path


def test_members_are_read_as_streams(tmp_path):
    path = write_zip(tmp_path / "site.zip", {"b/data.csv": "1,2", "a.csv": "3"})
    members = list_members(path)
    assert [m.name for m in members] == ["a.csv", "data.csv"]
    with members[1].open() as stream:
        assert stream.read() == b"1,2"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["site.zip"], "nothing is extracted"


def test_a_bare_file_is_its_own_member(tmp_path):
    (tmp_path / "a.csv").write_text("x")
    (member,) = list_members(tmp_path / "a.csv")
    with member.open() as stream:
        assert stream.read() == b"x"


@pytest.mark.parametrize("content", [b"", b"this is no zip", b"PK\x03\x04 and nothing else"])
def test_not_a_zip(tmp_path, content):
    path = tmp_path / "FLX_US-Ha1.zip"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a zip archive, or a truncated one") as info:
        list_members(path)
    assert f"{len(content)} bytes" in str(info.value)
    assert "get the file again" in str(info.value)


def test_truncated_zip(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"a.csv": "1,2,3\n" * 5000})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match="not a zip archive, or a truncated one"):
        list_members(path)


def test_damaged_member(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"a.csv": "".join(f"{i},{i**2}\n" for i in range(5000))})
    content = bytearray(path.read_bytes())
    content[2000:2100] = bytes(100)
    path.write_bytes(content)
    (member,) = list_members(path)
    with pytest.raises(InputError, match="the file is damaged") as info, member.open() as stream:
        stream.read()
    assert "a.zip/a.csv" in str(info.value)


@pytest.mark.parametrize(
    "name", ["../evil.csv", "a/../../evil.csv", "/etc/evil.csv", "C:\\evil.csv", "..\\evil.csv"]
)
def test_entries_that_escape(tmp_path, name):
    path = write_zip(tmp_path / "a.zip", {"good.csv": "1", name: "2"})
    with pytest.raises(InputError, match="an entry that escapes its folder") as info:
        list_members(path)
    assert "do not trust this file" in str(info.value)


def test_zip_bomb(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"a.csv": b"0" * 20_000_000})
    (member,) = list_members(path)
    with pytest.raises(InputError, match="unpacks to more than tower data can be"), member.open():
        pass


def test_too_large_a_member(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_BYTES", 1000)
    path = write_zip(tmp_path / "a.zip", {"a.csv": "".join(map(str, range(2000)))})
    (member,) = list_members(path)
    with pytest.raises(InputError, match="at most 1000 bytes"), member.open():
        pass


def test_too_many_entries(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_ENTRIES", 3)
    path = write_zip(tmp_path / "a.zip", {f"{i}.csv": "" for i in range(4)})
    with pytest.raises(InputError, match="more entries than tower data can have"):
        list_members(path)


def test_encrypted_member(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"a.csv": "1,2"})
    content = bytearray(path.read_bytes())
    content[6] |= 1  # flag bit 0 of the local header: encrypted
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    (member,) = list_members(path)
    with pytest.raises(InputError, match="encrypted"), member.open() as stream:
        stream.read()


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"damaged"), list_members(tmp_path / "no.csv")[0].open():
        pass
