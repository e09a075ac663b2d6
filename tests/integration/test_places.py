"""The same tower files read in other places and surroundings give the same table, byte by byte.

The whole chain runs in a folder with brackets, spaces and accents: see `finished_run`.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr
import yaml
from conftest import REPO

TABLE = "results/towers/fluxes.parquet"


@pytest.fixture(scope="module")
def raw(finished_run, tmp_path_factory) -> Path:
    """Six tower files, outside any checkout."""
    folder = tmp_path_factory.mktemp("raw")
    for path in sorted((finished_run.folder / "results/demo_earth/towers").glob("*.zip"))[:6]:
        shutil.copy(path, folder)
    return folder


def make(folder: Path, towers: Path, *arguments: str, inputs=None, **surroundings) -> str:
    """Run Snakemake in a new folder on tower files; `surroundings` are those of the process."""
    folder.mkdir(parents=True, exist_ok=True)
    overlay = folder / "overlay.yaml"
    paths = {"towers": {"path": f"{towers}/*.zip"}} | (inputs or {})
    overlay.write_text(yaml.safe_dump({"inputs": paths}), encoding="utf-8")
    surroundings.setdefault("cwd", folder)
    command = [sys.executable, "-m", "snakemake", *(arguments or [TABLE]), "--cores", "1"]
    command += ["-s", str(REPO / "Snakefile"), "--directory", str(folder)]
    smoke = REPO / "workflow/config/smoke.yaml"
    command += ["--configfile", str(smoke), str(overlay)]
    result = subprocess.run(command, capture_output=True, text=True, **surroundings)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]
    return result.stdout + result.stderr


@pytest.fixture(scope="module")
def expected(raw, tmp_path_factory) -> bytes:
    folder = tmp_path_factory.mktemp("plain")
    make(folder, raw)
    table = folder / TABLE
    assert pd.read_parquet(table)["site_id"].nunique() > 2
    return table.read_bytes()


def test_the_product_is_tested_in_a_folder_with_brackets_spaces_and_accents(finished_run):
    assert "[" in str(finished_run.folder) and " " in str(finished_run.folder)
    assert not str(finished_run.folder).isascii()
    for report in ("product/tests_2002.txt", "models/responses.txt"):
        text = (finished_run.folder / "results" / report).read_text()
        assert re.search(r"collected [1-9]\d* items", text), "pytest found no test"
    assert "nothing to be done" in finished_run.snakemake().stderr.lower()


def test_data_in_a_folder_with_brackets_spaces_and_accents(raw, expected, tmp_path):
    folder = tmp_path / "Jahr [2001] für uns"
    shutil.copytree(raw, folder)
    make(tmp_path / "run", folder)
    assert (tmp_path / "run" / TABLE).read_bytes() == expected


def test_symlinked_data(raw, expected, tmp_path):
    (tmp_path / "files").mkdir()
    for path in raw.iterdir():
        (tmp_path / "files" / path.name).symlink_to(path)
    (tmp_path / "folder").symlink_to(tmp_path / "files")
    make(tmp_path / "run", tmp_path / "folder")
    assert (tmp_path / "run" / TABLE).read_bytes() == expected


@pytest.fixture
def read_only(raw, tmp_path):
    """Files dated in the future, in a folder where nobody may write or change a date."""
    folder, source = tmp_path / "theirs", tmp_path / "source"
    shutil.copytree(raw, source)
    later = time.time() + 1e7
    for path in source.iterdir():
        os.utime(path, (later, later))
        path.chmod(0o444)
    source.chmod(0o555)
    if os.geteuid():
        yield source
        return
    folder.mkdir()  # permissions do not bind root, a read-only mount does
    if subprocess.run(["mount", "--bind", source, folder], capture_output=True).returncode:
        pytest.skip("root may write everywhere, and nothing can be mounted")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_read_only_data_with_dates_in_the_future(read_only, expected, tmp_path):
    before = {path.name: path.stat() for path in read_only.iterdir()}
    make(tmp_path / "run", read_only)
    assert (tmp_path / "run" / TABLE).read_bytes() == expected
    assert "nothing to be done" in make(tmp_path / "run", read_only).lower()
    for path in read_only.iterdir():
        now, then = path.stat(), before[path.name]
        assert (now.st_mtime_ns, now.st_ctime_ns) == (then.st_mtime_ns, then.st_ctime_ns)


def test_an_exchanged_file_of_an_old_date_is_noticed(raw, tmp_path):
    folder, run = tmp_path / "mine", tmp_path / "run"
    shutil.copytree(raw, folder)
    make(run, folder)
    first, second = sorted(folder.iterdir())[:2]
    shutil.copy(second, first)
    os.utime(first, (1e9, 1e9))
    assert "harmonise_towers" in make(run, folder, TABLE, "-n")


def test_a_home_that_cannot_be_written(raw, expected, tmp_path):
    """Snakemake then needs another folder for its cache; the Makefile gives one."""
    environment = os.environ | {"HOME": "/proc/nobody", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    make(tmp_path / "run", raw, env=environment)
    assert (tmp_path / "run" / TABLE).read_bytes() == expected


@pytest.mark.parametrize(
    "surroundings",
    [{"TZ": "Pacific/Kiritimati"}, {"TZ": "America/St_Johns", "LC_ALL": "C"}, {"LC_ALL": "tr_TR"}],
    ids=lambda surroundings: "-".join(surroundings.values()).replace("/", "_"),
)
def test_another_time_zone_and_locale(raw, expected, tmp_path, surroundings):
    make(tmp_path / "run", raw, env=os.environ | surroundings)
    assert (tmp_path / "run" / TABLE).read_bytes() == expected


def test_from_another_folder(raw, expected, tmp_path):
    make(tmp_path / "run", raw, cwd="/")
    assert (tmp_path / "run" / TABLE).read_bytes() == expected


def test_wildcards_in_the_paths_of_land_files(finished_run, raw, tmp_path):
    land = finished_run.folder / "results/demo_earth/static"
    (tmp_path / "land").mkdir()
    for path in land.iterdir():
        if not path.name.startswith("."):
            shutil.copy(path, tmp_path / "land")
    inputs = {
        "landcover": f"{tmp_path}/land/MCD12C1.A20??001.*.hdf",
        "koppen": f"{tmp_path}/land/koppen*.tif",
    }
    target = "results/predictors/static.nc"
    make(tmp_path / "run", raw, target, inputs=inputs)
    with (
        xr.open_dataset(tmp_path / "run" / target) as found,
        xr.open_dataset(finished_run.folder / target) as named,
    ):
        xr.testing.assert_equal(found, named)  # attributes hold the paths
    shutil.copy(tmp_path / "land/koppen_geiger.tif", tmp_path / "land/koppen_old.tif")
    with pytest.raises(AssertionError, match=r"several files match inputs\.koppen"):
        make(tmp_path / "run2", raw, target, "-n", inputs=inputs)
