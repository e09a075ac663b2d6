"""Damaged HDF4 files are known by their structure, before the library ends the process."""

import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from hdf4_writer import write_mcd43c4

from tamflux.errors import InputError
from tamflux.readers.hdf4 import open_hdf4
from tamflux.readers.hdf4_structure import structural_error

NUMBER, SHAPE, FIELD, TABLE, GROUP = 106, 701, 702, 1962, 1965


@pytest.fixture
def path(tmp_path):
    return write_mcd43c4(tmp_path, "2003-01-05", np.full((8, 16), 500))


def descriptors(content):
    """(place, tag, ref, offset, length) of the one block of the writer's files."""
    count = struct.unpack_from(">H", content, 4)[0]
    for place in range(10, 10 + 12 * count, 12):
        yield place, *struct.unpack_from(">HHII", content, place)


def find(content, wanted):
    """Offset of the first element of a tag."""
    return next(offset for _, tag, _, offset, _ in descriptors(content) if tag == wanted)


def change(path, offset, form, value):
    content = bytearray(path.read_bytes())
    struct.pack_into(f">{form}", content, offset, value)
    path.write_bytes(content)
    return structural_error(path)


def test_a_whole_file_fits(path):
    assert structural_error(path) is None


@pytest.mark.parametrize(
    ("tag", "place", "form", "value", "reason"),
    [
        (GROUP, 0, "H", 60000, "cut short"),
        (GROUP, 0, "H", 2, "a name"),
        (GROUP, 2, "H", 7, "not there"),
        (GROUP, 4, "H", 9999, "not there"),
        (NUMBER, 1, "B", 99, "a number type 99"),
        (SHAPE, 0, "H", 0, "0 dimensions"),
        (SHAPE, 12, "H", 9999, "not there"),
        (TABLE, 0, "H", 5, "impossible header"),
        (TABLE, 2, "I", 7, "a table of 28 bytes"),
        (TABLE, 8, "H", 300, "impossible header"),
        (TABLE, 10, "H", 99, "impossible field"),
        (TABLE, 16, "H", 40000, "impossible field"),
        (TABLE, 14, "H", 3, "do not fit"),
    ],
)
def test_records_that_contradict_themselves(path, tag, place, form, value, reason):
    start = find(path.read_bytes(), tag)
    assert reason in change(path, start + place, form, value)
    with pytest.raises(InputError, match="damaged or cut short"), open_hdf4(path):
        pass


def test_a_member_twice_and_a_group_in_itself(path):
    """Both send the library round for ever."""
    content = path.read_bytes()
    groups = [element for element in descriptors(content) if element[1] == GROUP]
    _, _, own, root, _ = max(groups, key=lambda element: element[4])
    n = struct.unpack_from(">H", content, root)[0]
    refs = root + 2 + 2 * n
    first = struct.unpack_from(">H", content, refs)[0]
    assert "twice" in change(path, refs + 2, "H", first)
    path.write_bytes(content)
    assert "holds itself" in change(path, refs, "H", own)


@pytest.mark.parametrize(("tag", "longest"), [(30, 92), (106, 4)])
def test_elements_that_the_library_copies_without_a_look(path, tag, longest):
    place, _, ref, _, _ = next(d for d in descriptors(path.read_bytes()) if d[1] == tag)
    assert f"element {tag}/{ref} has {longest + 1} bytes" in change(
        path, place + 8, "I", longest + 1
    )


def test_a_table_of_contents_that_goes_round(path):
    assert "goes on at byte 4" in change(path, 6, "I", 4)
    assert "goes on at byte" in change(path, 6, "I", 2**31)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (struct.pack(">HIIH", 2, 0, 0, 0), "stored in a way (2)"),  # a file elsewhere on the disk
        (struct.pack(">HIIIH", 1, 256, 4096, 16, 999), "chain of linked blocks is broken"),
        (struct.pack(">HIIIH", 1, 256, 0, 16, 999), "no blocks"),
        (struct.pack(">HHIHHHH", 3, 0, 256, 999, 0, 4, 5), "not there"),
        (struct.pack(">HHIHHHH", 3, 0, 256, 999, 9, 4, 5), "unknown way"),
        (struct.pack(">HIB4I4HI", 5, 0, 0, 3, 128, 128, 0, 1962, 1, 0, 0, 2), "impossible header"),
        (struct.pack(">HIB4I4HI", 5, 0, 0, 3, 128, 128, 2, 1962, 999, 0, 0, 2), "not there"),
        (struct.pack(">HIB4I4HI", 5, 0, 0, 3, 128, 128, 2, 1962, 999, 0, 0, 2)[:20], "cut short"),
    ],
)
def test_headers_of_special_data(path, header, reason):
    """Data of a field that claim to be linked, packed, chunked or elsewhere."""
    content = bytearray(path.read_bytes())
    place, _, _, offset, _ = next(d for d in descriptors(content) if d[1] == FIELD)
    struct.pack_into(">H", content, place, FIELD | 0x4000)
    struct.pack_into(">I", content, place + 8, len(header))
    content[offset : offset + len(header)] = header
    path.write_bytes(content)
    assert reason in structural_error(path)


def test_the_process_survives_damage(path):
    """A few hundred damaged bytes in headers; without the check about one in a hundred aborts."""
    program = """
import sys
import zipfile
import numpy as np
from pathlib import Path
from tamflux.errors import InputError
from tamflux.readers.hdf4 import field_attributes, field_names, open_hdf4, read_field
path, rng = Path(sys.argv[1]), np.random.default_rng(0)
whole = path.read_bytes()
for place in rng.integers(2500, len(whole), 400):
    content = bytearray(whole)
    content[place] ^= rng.integers(1, 256)
    path.write_bytes(content)
    try:
        with open_hdf4(path) as file:
            for name in field_names(file, path):
                field_attributes(file, path, name), read_field(file, path, name)
    except InputError:
        pass
"""
    subprocess.run([sys.executable, "-c", program, path], check=True, timeout=60)


@pytest.mark.realdata
def test_real_files_fit(shared_data, tmp_path):
    for path in sorted((shared_data / "modis").glob("*.hdf*")):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                path = tmp_path / archive.extract(archive.namelist()[0], tmp_path)
        assert structural_error(path) is None
