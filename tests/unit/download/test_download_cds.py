"""The real `cdsapi` against a stand-in of the Climate Data Store."""

import csv
import hashlib
import logging
import subprocess

import pytest
from era5_writer import write_era5
from providers import KEY, LICENCE

from tamflux.download.cds import area_of, download_era5, era5_request, wrong_area
from tamflux.download.targets import era5_raw_variables
from tamflux.errors import ConfigError, DownloadError
from tamflux.grid import Grid
from tamflux.readers.era5_sample import inspect_era5
from tamflux.variables import METEOROLOGY

REGION = Grid(2.5, (-10, 35, 5, 45))


def config(folder, kind="daily_statistics", bbox=REGION.bbox, years=(2001,)):
    return {
        "inputs": {"era5": {"kind": kind, "path": f"{folder}/era5/{{year}}/*.nc"}},
        "grid": {"resolution": 2.5, "bbox": list(bbox)},
        "years": {"train": list(years), "product": [], "lookback": []},
        "predictors": {"variables": list(METEOROLOGY)},
    }


def download(folder, role="t2m", **changes):
    manifest = folder / "results" / f"{role}.csv"
    download_era5(config(folder, **changes), role, 2001, manifest)
    with open(manifest, newline="") as file:
        return list(csv.DictReader(file))


def left(folder):
    """Files in the year's folder."""
    return sorted(path.name for path in (folder / "era5/2001").iterdir())


NAME = "2m_temperature_daily_mean_2001.nc"


def test_a_year_of_daily_statistics_is_read_by_the_chain(tmp_path, store):
    for role in era5_raw_variables(config(tmp_path)):
        download(tmp_path, role)
    files = sorted((tmp_path / "era5/2001").glob("*.nc"))
    assert len(files) == 11
    assert inspect_era5(files, "daily_statistics", 2001, REGION) == []
    assert all(request["area"] == [45.0, -10.0, 35.0, 5.0] for request in store.requests)
    asked = {(r["variable"][0], r["daily_statistic"]) for r in store.requests}
    assert ("2m_temperature", "daily_maximum") in asked
    assert ("total_precipitation", "daily_sum") in asked


@pytest.mark.parametrize("kind", ["hourly", "land_hourly"])
def test_a_year_of_hours_is_read_by_the_chain(tmp_path, store, kind):
    roles = era5_raw_variables(config(tmp_path, kind))
    for role in ("t2m", "ssrd"):
        download(tmp_path, role, kind=kind)
    files = sorted((tmp_path / "era5").glob("*/*.nc"))
    assert len(files) == 25, "12 months each, and the hour that ends the last day"
    assert "t2m_min" not in roles
    assert inspect_era5(files, kind, 2001, REGION, ["t2m", "ssrd"]) == []
    hours = {r["variable"][0]: len(r["time"]) for r in store.requests}
    assert hours["surface_solar_radiation_downwards"] == (24 if kind == "hourly" else 1)


def test_the_next_january_is_not_asked_twice(tmp_path, store):
    download(tmp_path, "ssrd", kind="hourly", years=(2001, 2002))
    assert {request["year"] for request in store.requests} == {"2001"}


def test_manifest_and_checksums(tmp_path, store):
    (row,) = download(tmp_path)
    content = (tmp_path / "era5/2001" / NAME).read_bytes()
    assert row["file"].endswith(NAME) and int(row["size"]) == len(content)
    assert row["sha256"] == hashlib.sha256(content).hexdigest()
    assert left(tmp_path) == [NAME, f"{NAME}.sha256"]
    command = ["sha256sum", "--check", f"{NAME}.sha256"]
    subprocess.run(command, cwd=tmp_path / "era5/2001", check=True, capture_output=True)


def test_a_second_run_asks_for_nothing(tmp_path, store):
    assert download(tmp_path) == download(tmp_path)
    assert len(store.requests) == 1


def test_a_file_damaged_later_is_downloaded_again(tmp_path, store):
    (row,) = download(tmp_path)
    path = tmp_path / "era5/2001" / NAME
    path.write_bytes(path.read_bytes()[:-10] + b"0123456789")
    assert download(tmp_path) == [row]
    assert len(store.requests) == 2


def test_a_larger_region_is_downloaded_again(tmp_path, store):
    download(tmp_path)
    download(tmp_path, bbox=(-10, 35, 10, 45))
    assert [request["area"][3] for request in store.requests] == [5.0, 10.0]


def test_a_file_of_ones_own_is_never_touched(tmp_path, store):
    path = write_era5(tmp_path / "era5/2001" / NAME, {"t2m": 280.0}, ["2001-01-01"])
    before = path.read_bytes()
    (row,) = download(tmp_path)
    assert path.read_bytes() == before and store.requests == [] and row["source"] == ""


def test_what_a_killed_run_left_is_cleared(tmp_path, store):
    left_over = tmp_path / "era5/2001" / f".{NAME}.4242.partial.nc"
    left_over.parent.mkdir(parents=True)
    left_over.write_bytes(b"half")
    download(tmp_path)
    assert left(tmp_path) == [NAME, f"{NAME}.sha256"]


def test_a_busy_store_is_asked_again(tmp_path, store):
    store.busy, store.faults = 2, [503]
    download(tmp_path)
    assert len(store.requests) == 1 and left(tmp_path) == [NAME, f"{NAME}.sha256"]


def test_a_cut_transfer_goes_on_where_it_was_cut(tmp_path, store):
    store.faults, store.noise = ["cut"], 5.0
    (row,) = download(tmp_path, bbox=(-90, -45, 90, 45))
    assert len(store.requests) == 1, "the store need not compute it twice"
    assert store.asked == [0, 2**20] and int(row["size"]) > 2**21  # whole MiB are kept
    (body,) = store.files.values()
    assert row["sha256"] == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("fault", ["lie", "short"])
def test_a_file_of_the_wrong_size_is_asked_for_again_then_refused(tmp_path, store, fault):
    if fault == "lie":
        store.lie = 10
    else:
        store.faults = ["short"] * 100
    with pytest.raises(DownloadError, match="did not deliver"):
        download(tmp_path)
    assert len(store.requests) == 4
    assert left(tmp_path) == [], "no half file, under any name"
    store.lie, store.faults = 0, []
    download(tmp_path)
    assert left(tmp_path) == [NAME, f"{NAME}.sha256"]


def test_no_key(tmp_path, store):
    (tmp_path / "home/.cdsapirc").unlink()
    with pytest.raises(DownloadError) as caught:
        download(tmp_path)
    assert caught.value.details["file"] == str(tmp_path / "home/.cdsapirc")
    assert "url: https://cds.climate.copernicus.eu/api" in str(caught.value)
    assert "how-to-api" in str(caught.value)


def test_a_wrong_key(tmp_path, store):
    rc = tmp_path / "home/.cdsapirc"
    rc.write_text(rc.read_text().replace(KEY, "another"))
    with pytest.raises(DownloadError, match="does not know the key"):
        download(tmp_path)


def test_a_licence_that_was_not_accepted(tmp_path, store):
    store.licence = False
    with pytest.raises(DownloadError) as caught:
        download(tmp_path)
    assert LICENCE in str(caught.value)
    assert "daily-statistics?tab=download" in caught.value.details["fix"]
    assert store.requests == [] and left(tmp_path) == []


def test_the_key_is_nowhere(tmp_path, store, caplog):
    logging.getLogger("tamflux").propagate = True
    with caplog.at_level(logging.DEBUG):
        download(tmp_path)
    assert caplog.records and KEY not in caplog.text
    written = [p for p in tmp_path.rglob("*") if p.is_file() and p.name != ".cdsapirc"]
    assert not any(KEY.encode() in path.read_bytes() for path in written)


def test_areas_reach_the_nodes_around():
    assert area_of(Grid(1.0), 0.25) is None
    assert area_of(Grid(0.5, (-10, 35, 5, 45)), 0.25) == [45, -10, 35, 5]
    assert area_of(Grid(0.1, (-9.9, 35.1, 5.3, 44.9)), 0.25) == [45, -10, 35, 5.5]
    assert area_of(Grid(0.1, (-9.9, 35.1, 5.3, 44.9)), 0.1) == [44.9, -9.9, 35.1, 5.3]


def test_requests_hold_the_days_that_there_are():
    request = era5_request("hourly", "t2m", 2004, 2, None)
    assert request["day"][-1] == "29" and request["month"] == ["02"] and len(request["time"]) == 24
    assert era5_request("hourly", "t2m", 2001, 2, None)["day"][-1] == "28"
    assert "product_type" not in era5_request("land_hourly", "t2m", 2001, 2, None)


@pytest.mark.parametrize(
    "path", ["/data/*/{year}/*.nc", "/data/{year}/*.grib", "results/demo_earth/{year}/*.nc"]
)
def test_a_path_that_names_no_folder_is_refused(tmp_path, path):
    bad = config(tmp_path)
    bad["inputs"]["era5"]["path"] = path
    with pytest.raises(ConfigError, match=r"inputs\.era5\.path"):
        download_era5(bad, "t2m", 2001, tmp_path / "manifest.csv")


@pytest.mark.realdata
def test_a_real_file_is_judged_by_its_area(shared_data):
    path = shared_data / "era5" / "cds_grib_to_netcdf_sample.nc"
    assert wrong_area(path, Grid(5.0, (-15, 40, 40, 65))) is None
    assert "does not cover the region" in wrong_area(path, Grid(5.0))
