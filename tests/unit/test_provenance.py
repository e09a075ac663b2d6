import shutil

import pytest

import tamflux.provenance as provenance

READ = """
import logging
from tamflux.errors import InputError
log = logging.getLogger("tamflux")
RERUN = "run it again"
UNIT = "g m-2 d-1"

def _need(true: bool, what: str, column: str, fix: str = RERUN):
    if not true:
        raise InputError(what, variable=column, expected=UNIT, fix=fix)

def _damaged(path: str, found) -> InputError:
    return InputError("a file is damaged", file=path, found=f"{found} bytes")

def read(table, path):
    log.info("reading %s", path)
    if "gpp" not in table:
        raise InputError("a column is missing", file=path, expected="gpp, " + "reco", fix=RERUN)
    _need(table.attrs["units"] == UNIT, "the unit is not right", "gpp")
    if not len(table):
        raise _damaged(path, "no")
    return 2 * table["gpp"]
"""


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A small package of the same shape, in place of the real one."""
    for name, text in {
        "__init__.py": "",
        "base.py": "X = 1\n",
        "stage/__init__.py": '"""Stage."""\n',
        "stage/work.py": "from tamflux.base import X\n\ndef f():\n    return X\n",
        "other.py": "Y = 1\n",
        "errors.py": "class InputError(Exception):\n    pass\n",
        "stage/read.py": READ,
    }.items():
        path = tmp_path / "tamflux" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(provenance, "SOURCE", tmp_path / "tamflux")
    yield tmp_path / "tamflux"
    shutil.rmtree(tmp_path)


def hash_after(source, name, text):
    (source / name).write_text(text)
    provenance._tree.cache_clear()
    provenance._meaning.cache_clear()
    provenance._imports.cache_clear()
    return provenance.code_hash("tamflux.stage")


def test_only_a_real_change_in_the_import_closure_changes_the_hash(source):
    first = provenance.code_hash("tamflux.stage")
    work = (source / "stage/work.py").read_text()
    assert hash_after(source, "stage/work.py", "# why\n" + work.replace("f():", "f( ):")) == first
    assert hash_after(source, "stage/work.py", '"""Says what."""\n' + work) == first
    assert hash_after(source, "other.py", "Y = 2\n") == first
    assert hash_after(source, "base.py", "X = 2\n") != first


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a column is missing", "the table lacks a column"),
        ('"gpp, " + "reco"', '"a column " + "gpp"'),
        ("reading %s", "now reading %s"),
        ("a file is damaged", "damage"),
        ("{found} bytes", "{found} B"),
        ('_damaged(path, "no")', '_damaged(path, "zero")'),
        ("the unit is not right", "an unknown unit"),
    ],
)
def test_the_words_of_a_message_do_not_change_the_hash(source, old, new):
    first = provenance.code_hash("tamflux.stage")
    assert old in READ
    assert hash_after(source, "stage/read.py", READ.replace(old, new)) == first


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('2 * table["gpp"]', '3 * table["gpp"]'),
        ('2 * table["gpp"]', '2 * table["reco"]'),
        ('if "gpp" not in', 'if "reco" not in'),
        ("if not len(table)", "if len(table) < 2"),
        ("g m-2 d-1", "g m-2 s-1"),
        ('not right", "gpp")', 'not right", "nee")'),
    ],
)
def test_a_formula_a_column_and_a_condition_change_the_hash(source, old, new):
    first = provenance.code_hash("tamflux.stage")
    assert old in READ
    assert hash_after(source, "stage/read.py", READ.replace(old, new)) != first


def test_modules_that_change_no_number_do_not_count(source):
    first = provenance.code_hash("tamflux.stage")
    text = "class InputError(Exception):\n    fix = 1\n"
    assert hash_after(source, "errors.py", text) == first


def test_a_script_stands_for_itself_and_for_what_it_imports(source, tmp_path):
    script = tmp_path / "do.py"
    text = "from tamflux.job import job\n\nwith job(1):\n    from tamflux.base import X\n"
    script.write_text(text)
    first = provenance.code_hash(script)

    def script_hash(text):
        script.write_text(text)
        hash_after(source, "other.py", "Y = 1\n")  # clears the caches
        return provenance.code_hash(script)

    assert script_hash(f"# why\n{text}\n# more\n") == first
    assert script_hash(text.replace("job(1)", "job(2)")) != first
    script_hash(text)
    hash_after(source, "base.py", "X = 2\n")
    assert provenance.code_hash(script) != first


def test_an_unknown_module_is_an_error():
    with pytest.raises(ModuleNotFoundError, match=r"tamflux\.nowhere"):
        provenance.code_hash("tamflux.nowhere")


def test_a_file_hash_is_its_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    # FIPS 180-4 example
    assert provenance.file_hash(tmp_path / "a") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
