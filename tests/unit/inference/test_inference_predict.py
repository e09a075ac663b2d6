"""Tiles: right values, independent of the cut; a killed run goes on; failures name the tile."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import toy_planet
import xarray as xr
import zarr
from toy_planet import ToyEnsemble, toy_fluxes, write_feature_space, write_planet

from tamflux.errors import ConfigError, ContractError, TamfluxError
from tamflux.grid import Grid
from tamflux.inference import predict, tiles
from tamflux.inference.predict import predict_tiles
from tamflux.inference.tile_store import open_tile_store

RUN = {"workers": 2, "batch_cells": 5}
FLUXES = ["gpp", "reco", "nee"]
TOY = Path(toy_planet.__file__)


@pytest.fixture(autouse=True)
def toy_ensemble(monkeypatch):
    monkeypatch.setattr(tiles, "Ensemble", ToyEnsemble)


@pytest.fixture
def planet(tmp_path):
    return write_planet(tmp_path)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A finished prediction: its inputs, its path and its values."""
    folder = tmp_path_factory.mktemp("planet")
    planet = write_planet(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "Ensemble", ToyEnsemble)
        predict_tiles(**planet, output=folder / "toy_2004.zarr", **RUN)
    return planet, folder / "toy_2004.zarr", xr.open_zarr(folder / "toy_2004.zarr").load()


def values(path):
    return xr.open_zarr(path).load()


def test_every_cell_equals_the_model_applied_to_its_own_series(done):
    planet, _, tiles = done
    year, before = (xr.open_zarr(planet[name]).load() for name in ("cube", "lookback"))
    static = xr.open_dataset(planet["static"])
    for row, col in [(5, 6), (11, 23), (1, 23), (6, 6), (9, 0)]:
        here = {"lat": row, "lon": col}
        x = [
            np.concatenate([before[name].isel(here)[-365:], year[name].isel(here)])
            for name in ("ndvi", "t2m")
        ]
        land = float(static["land_fraction"].isel(here))
        classes = [[static[f"igbp_{name}"].isel(here) / land for name in ("ENF", "GRA")]]
        expected = toy_fluxes(np.stack(x, axis=-1)[None], np.array(classes))[0]
        found = tiles[FLUXES].isel(here).to_array().to_numpy().T
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert tiles.sizes["time"] == 366


def test_land_is_complete_and_water_missing(done):
    planet, _, tiles = done
    land = xr.open_dataset(planet["static"])["land_fraction"].to_numpy() > 0
    for name in [*FLUXES, "nee_std"]:
        finite = np.isfinite(tiles[name].to_numpy())
        assert (finite == land).all()


def test_quality_bits(done):
    quality = done[2]["quality"].to_numpy()
    assert quality[5, 6] == 4 and quality[5, 7] == 8 and quality[6, 6] == 1 and quality[7, 7] == 2
    assert (quality[0] == 0).all() and quality[11, 23] == 0
    assert (done[2]["gpp"][:, 7, 7] == 0).all()


@pytest.mark.parametrize(
    ("tile_size", "run"),
    [
        (3, {"workers": 1, "batch_cells": 1024}),
        (24, {"workers": 3, "batch_cells": 1}),
    ],
)
def test_tiles_batches_and_workers_do_not_matter(done, tmp_path, tile_size, run):
    predict_tiles(**write_planet(tmp_path, tile_size), output=tmp_path / "t_2004.zarr", **run)
    xr.testing.assert_allclose(values(tmp_path / "t_2004.zarr"), done[2], rtol=0, atol=1e-5)


def test_a_year_without_a_year_before_uses_its_own_first_days(planet, tmp_path):
    planet["lookback"] = planet["cube"]
    predict_tiles(**planet, output=tmp_path / "t_2004.zarr", **RUN)
    series = xr.open_zarr(planet["cube"]).isel(lat=9, lon=9).load()
    x = [np.concatenate([series[name][:365], series[name]]) for name in ("ndvi", "t2m")]
    enf = np.linspace(0.1, 0.9, 24)[9]
    expected = toy_fluxes(np.stack(x, axis=-1)[None], np.array([[enf, 1 - enf]]))[0, :, 0]
    found = values(tmp_path / "t_2004.zarr")["gpp"][:, 9, 9]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_tiles_carry_their_provenance_and_leave_no_working_directory(done):
    planet, path, _ = done
    attrs = zarr.open_group(path, mode="r").attrs
    assert attrs["year"] == 2004 and len(attrs["members"]) == len(planet["checkpoints"])
    assert attrs["preliminary_days"] is None  # the cube does not say
    assert not list(path.parent.glob(".*"))


def test_preliminary_days_of_the_cube_are_those_of_the_tiles(planet, tmp_path):
    days = ["2004-11-30", "2004-12-01"]
    zarr.open_group(planet["cube"]).attrs["preliminary_days"] = days
    zarr.consolidate_metadata(planet["cube"])
    inputs = tiles.TileInputs(
        planet["cube"], planet["cube"], planet["static"], tuple(planet["checkpoints"]),
        planet["feature_space"], "identity", "cpu",
    )  # fmt: skip
    predict.create_tiles(tmp_path / "tiles.zarr", inputs)
    assert zarr.open_group(tmp_path / "tiles.zarr").attrs["preliminary_days"] == days


def test_a_killed_run_goes_on_and_gives_the_same_tiles(done, tmp_path):
    """SIGKILL of a real process half way, then the same command."""
    write_planet(tmp_path)
    command = [sys.executable, str(TOY), str(tmp_path)]
    output = tmp_path / "tiles" / "toy_2004.zarr"
    markers = tmp_path / "tiles" / ".toy_2004.work" / "done"
    process = subprocess.Popen([*command, "0.2"], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(markers.glob("r*"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not output.exists()
    finished = {marker: marker.stat().st_mtime_ns for marker in markers.glob("r*")}
    assert 3 <= len(finished) < 12
    process = subprocess.Popen([*command, "0.02"], stderr=subprocess.PIPE, text=True)
    kept = {}
    while process.poll() is None:  # the markers of finished tiles are not written again
        for marker in finished:
            try:
                kept[marker] = marker.stat().st_mtime_ns
            except FileNotFoundError:  # the run is over
                break
        time.sleep(0.01)
    assert process.returncode == 0, process.stderr.read()
    assert kept == finished
    xr.testing.assert_identical(values(output), done[2])


def failing_at(tile_id, monkeypatch, calls=None):
    """Let the prediction of one tile fail; record those that are computed."""
    original = predict.predict_tile

    def predict_one(opened, tile, batch_cells):
        if calls is not None:
            calls.append(tile.id)
        if tile.id == tile_id:
            raise ValueError("no luck")
        return original(opened, tile, batch_cells)

    monkeypatch.setattr(predict, "predict_tile", predict_one)


def test_a_failing_tile_is_named_and_the_finished_ones_are_kept(planet, tmp_path, monkeypatch):
    output, calls = tmp_path / "t_2004.zarr", []
    with monkeypatch.context() as patch:
        failing_at("r0008c0008", patch)
        with pytest.raises(TamfluxError, match=r"tile r0008c0008 failed .rows 8 to 11") as error:
            predict_tiles(**planet, output=output, workers=1, batch_cells=9)
        assert "no luck" in str(error.value)
        assert not output.exists()
    finished = {marker.name for marker in (tmp_path / ".t_2004.work" / "done").iterdir()}
    assert finished
    failing_at(None, monkeypatch, calls)
    predict_tiles(**planet, output=output, **RUN)
    assert finished.isdisjoint(calls) and "r0008c0008" in calls


def test_a_damaged_tile_and_other_inputs_are_computed_again(planet, tmp_path, monkeypatch):
    output, calls = tmp_path / "t_2004.zarr", []
    with monkeypatch.context() as patch:
        failing_at("r0008c0020", patch)
        with pytest.raises(TamfluxError):
            predict_tiles(**planet, output=output, workers=1, batch_cells=9)
    work = tmp_path / ".t_2004.work"
    finished = sorted(marker.name for marker in (work / "done").iterdir())
    first = work / "tiles.zarr" / "gpp" / "c" / "0" / "1" / "0"
    first.write_bytes(first.read_bytes()[:-20])
    failing_at("r0008c0020", monkeypatch, calls)
    with pytest.raises(TamfluxError):
        predict_tiles(**planet, output=output, workers=1, batch_cells=9)
    assert "r0004c0000" in calls and set(finished) & set(calls) == {"r0004c0000"}
    calls.clear()
    planet["checkpoints"] = planet["checkpoints"][:1]  # another ensemble: nothing is reused
    with pytest.raises(TamfluxError):
        predict_tiles(**planet, output=output, workers=1, batch_cells=9)
    assert len(calls) >= len(finished)


def allocate_too_much():
    np.empty((1 << 46, 1))  # more than any machine has


def fail_as_onednn():
    raise RuntimeError("could not create a primitive")


@pytest.mark.parametrize("run_out", [allocate_too_much, fail_as_onednn])
def test_a_tile_without_memory_is_named_and_how_to_need_less(
    planet, tmp_path, monkeypatch, run_out
):
    def greedy(x, static):
        run_out()

    monkeypatch.setattr("toy_planet.toy_fluxes", greedy)
    with pytest.raises(TamfluxError, match=r"tile r\d+c\d+ failed") as error:
        predict_tiles(**planet, output=tmp_path / "t_2004.zarr", **RUN)
    assert "lower inference.batch_cells" in error.value.details["fix"]


def test_a_run_after_a_kill_names_the_tile_that_was_in_progress(
    planet, tmp_path, caplog, monkeypatch
):
    output = tmp_path / "t_2004.zarr"
    monkeypatch.setattr(predict.log, "propagate", True)
    with open_tile_store(output, "killed", lambda path: path.mkdir()) as store:
        tile = Grid(15.0).tiles(4)[3]
        store.mark_in_progress(tile)
    predict_tiles(**planet, output=output, **RUN)
    assert f"interrupted in tiles {tile.id}" in caplog.text and "batch_cells" in caplog.text
    assert not (tmp_path / ".t_2004.work").exists()


def test_two_runs_at_once_are_refused(planet, tmp_path):
    output = tmp_path / "t_2004.zarr"
    with (
        open_tile_store(output, "someone else", lambda path: path.mkdir()),
        pytest.raises(TamfluxError, match="another run is working") as error,
    ):
        predict_tiles(**planet, output=output, **RUN)
    assert str(os.getpid()) in str(error.value)


def test_static_fields_of_another_grid_are_refused(planet, tmp_path):
    (tmp_path / "coarse").mkdir()
    planet["static"] = write_planet(tmp_path / "coarse", resolution=7.5)["static"]
    with pytest.raises(ContractError, match="another grid"):
        predict_tiles(**planet, output=tmp_path / "t_2004.zarr", **RUN)


def test_a_look_back_cube_of_the_wrong_year_is_refused(planet, tmp_path):
    planet["cube"], planet["lookback"] = planet["lookback"], planet["cube"]
    with pytest.raises(ContractError, match="not the year before"):
        predict_tiles(**planet, output=tmp_path / "t_2004.zarr", **RUN)


def test_a_model_with_other_predictors_is_refused(planet, tmp_path, monkeypatch):
    monkeypatch.setattr(ToyEnsemble, "predictors", ("ndvi", "swvl1"))
    with pytest.raises(ContractError, match="the inputs lack predictors") as error:
        predict_tiles(**planet, output=tmp_path / "t_2004.zarr", **RUN)
    assert error.value.details["variable"] == "swvl1"


def test_fluxes_that_are_not_finite_are_refused(planet, tmp_path, monkeypatch):
    missing = np.full((1, 366, 3), np.nan)
    monkeypatch.setattr("toy_planet.toy_fluxes", lambda x, static: missing.repeat(len(x), axis=0))
    with pytest.raises(TamfluxError, match="not finite"):
        predict_tiles(**planet, output=tmp_path / "t_2004.zarr", **RUN)


def test_a_scheduler_that_does_not_answer_is_named(planet, tmp_path, monkeypatch):
    monkeypatch.setattr("tamflux.inference.cluster.CONNECT_SECONDS", 0.5)
    with pytest.raises(ConfigError, match="no Dask scheduler answers"):
        predict_tiles(
            **planet, output=tmp_path / "t_2004.zarr", **RUN, scheduler_address="tcp://127.0.0.1:9"
        )


def test_a_running_cluster_is_used(done, tmp_path):
    from distributed import LocalCluster

    planet = write_planet(tmp_path)
    with LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster:
        predict_tiles(
            **planet,
            output=tmp_path / "t_2004.zarr",
            **RUN,
            scheduler_address=cluster.scheduler_address,
        )
    xr.testing.assert_identical(values(tmp_path / "t_2004.zarr"), done[2])


def test_dissimilarity_is_known_where_and_only_where_there_is_vegetated_land(done):
    planet, _, tiles = done
    static = xr.open_dataset(planet["static"])
    vegetated = (static["land_fraction"] > 0) & (static["vegetated_fraction"] > 0)
    assert not vegetated[7, 7] and float(static["land_fraction"][7, 7]) > 0
    np.testing.assert_array_equal(np.isfinite(tiles["dissimilarity_index"]), vegetated)
    assert (
        float(tiles["dissimilarity_index"].min()) >= 0
        and float(tiles["dissimilarity_index"].std()) > 0
    )


def test_a_feature_space_of_another_model_is_refused(planet, tmp_path):
    write_feature_space(tmp_path, embeddings=1, predictors=2, static_features=3)
    with pytest.raises(TamfluxError, match="of another model"):
        predict_tiles(**planet, output=tmp_path / "t_2004.zarr", **RUN)
