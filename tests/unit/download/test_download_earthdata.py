"""The real `earthaccess` against a stand-in of Earthdata: login over TLS, search, files."""

import csv
import hashlib

import numpy as np
import pytest
from providers import PASSWORD

from tamflux.download.earthdata import download_landcover, download_modis
from tamflux.errors import DownloadError
from tamflux.readers.modis_files import composite_date

LANDCOVER = "MCD12C1.A2019001.061.2022170020638.hdf"


def names(step=1, product="MCD43C4", year=2001, made="2021001000000"):
    return [f"{product}.A{year}{day:03d}.061.{made}.hdf" for day in range(1, 366, step)]


@pytest.fixture
def nasa(earthdata):
    """Every day of 2001, one day made twice, days of the year before, and a land cover."""
    for name in [*names(), names(made="2022001000000")[8], names(year=2000)[300], LANDCOVER]:
        earthdata.files[name] = name.encode() * 50
    return earthdata


def download(folder, nasa, product="MCD43C4"):
    target, manifest = folder / "modis/2001", folder / "manifest.csv"
    download_modis(product, 2001, target, manifest, nasa.system)
    with open(manifest, newline="") as file:
        return list(csv.DictReader(file))


def left(folder):
    return sorted(path.name for path in (folder / "modis/2001").iterdir())


def test_every_eighth_day_of_a_year(tmp_path, nasa):
    rows = download(tmp_path, nasa)
    files = sorted((tmp_path / "modis/2001").glob("*.hdf"))
    days = [composite_date(path) for path in files]
    assert len(files) == len(rows) == 46
    assert str(days[0]) == "2001-01-01" and set(np.diff(days).astype(int)) == {8}
    assert files[1].name == names(made="2022001000000")[8], "the later production"
    for row, path in zip(rows, files, strict=True):
        assert path.read_bytes() == nasa.files[path.name]
        assert row["sha256"] == hashlib.sha256(nasa.files[path.name]).hexdigest()
        assert row["source"].endswith(f"/data/{path.name}")
    assert len(left(tmp_path)) == 2 * 46, "files and checksums, nothing else"
    asked = len(nasa.asked)
    download(tmp_path, nasa)
    assert len(nasa.asked) == asked, "nothing is downloaded twice"


def test_every_day_of_single_days(tmp_path, nasa):
    for name in names(product="MOD09CMG")[:40]:
        nasa.files[name] = b"day"
    assert len(download(tmp_path, nasa, "MOD09CMG")) == 40


def test_an_older_file_of_a_day_stays(tmp_path, nasa):
    own = tmp_path / "modis/2001" / names(made="2020001000000")[0]
    own.parent.mkdir(parents=True)
    own.write_bytes(b"own")
    assert len(download(tmp_path, nasa)) == 45
    assert own.read_bytes() == b"own" and names()[0] not in left(tmp_path)


@pytest.mark.parametrize("fault", [503, "cut", "damage", "short"])
def test_faults_that_pass_are_overcome(tmp_path, nasa, fault):
    nasa.faults = [fault]
    rows = download(tmp_path, nasa)
    assert len(rows) == 46
    for path in (tmp_path / "modis/2001").glob("*.hdf"):
        assert path.read_bytes() == nasa.files[path.name]


def test_a_file_that_never_has_its_checksum_is_refused(tmp_path, nasa):
    nasa.faults = ["damage"] * 4
    with pytest.raises(DownloadError) as caught:
        download(tmp_path, nasa)
    assert "SHA-512" in caught.value.details["found"]
    assert left(tmp_path) == []
    assert len(download(tmp_path, nasa)) == 46


def test_no_login(tmp_path, nasa):
    (tmp_path / "home/.netrc").unlink()
    with pytest.raises(DownloadError) as caught:
        download(tmp_path, nasa)
    assert caught.value.details["file"] == str(tmp_path / "home/.netrc")
    assert "machine localhost" in str(caught.value) and "register" in str(caught.value)


def test_a_wrong_password(tmp_path, nasa):
    netrc = tmp_path / "home/.netrc"
    netrc.write_text(netrc.read_text().replace(PASSWORD, "another"))
    with pytest.raises(DownloadError, match="refuses the login"):
        download(tmp_path, nasa)


def test_a_licence_that_was_not_accepted(tmp_path, nasa):
    nasa.faults = [403] * 3
    with pytest.raises(DownloadError, match="accept a licence") as caught:
        download(tmp_path, nasa)
    assert "urs.earthdata.nasa.gov" in caught.value.details["fix"]
    assert left(tmp_path) == []


def test_land_cover_by_its_first_parts(tmp_path, nasa):
    for target in (tmp_path / LANDCOVER, tmp_path / "MCD12C1.A2019001.061.hdf"):
        download_landcover(target, tmp_path / "manifest.csv", nasa.system)
        assert target.read_bytes() == nasa.files[LANDCOVER]
    for name, what in {
        "MCD12C1.A1999001.061.hdf": "no such land cover", "classes.tif": "does not name",
    }.items():  # fmt: skip
        with pytest.raises(DownloadError, match=what):
            download_landcover(tmp_path / name, tmp_path / "manifest.csv", nasa.system)
