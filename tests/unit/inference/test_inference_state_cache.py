"""A partial year: a new month costs its own days and equals a run from scratch."""

import numpy as np
import pytest
import xarray as xr
import zarr
from test_inference_real_model import FEATURES, write_members
from toy_planet import write_feature_space, write_planet

from tamflux.errors import TamfluxError
from tamflux.inference.predict import predict_tiles
from tamflux.inference.state_cache import hash_inputs
from tamflux.predictors.cube import Cube, create_store
from tamflux.training.ensemble import Ensemble
from tamflux.variables import PREDICTORS, REFL_FILLED

APRIL, MAY = 121, 152  # days of 2004
RUN = {"workers": 2, "batch_cells": 7}
CELLS = 227  # with vegetation


@pytest.fixture
def planet(tmp_path):
    planet = write_planet(tmp_path)
    planet["checkpoints"] = write_members(tmp_path)
    planet["feature_space"] = write_feature_space(tmp_path, **FEATURES)
    return planet


@pytest.fixture
def computed(monkeypatch):
    """(cells, days, whether from a cached state) of every batch that the network computes."""
    calls, original = [], Ensemble._predict_batch

    def predict_batch(self, x, static, before, keep):
        calls.append((len(x), x.shape[1] - self.lookback_days, before[0] is not None))
        return original(self, x, static, before, keep)

    monkeypatch.setattr(Ensemble, "_predict_batch", predict_batch)
    return calls


def until(planet, days, change=None):
    """The planet with the first days of its year; `change` alters the fields before."""
    complete = Cube.open(planet["cube"])
    path = planet["cube"].with_name("cut") / "2004.zarr"
    group = zarr.open_group(complete.path, mode="r")
    fields = {name: group[name][:] for name in (*complete.variables, "refl_filled")}
    for field in fields.values():
        field[days:] = 2 if field.dtype == np.int8 else np.nan
    if change:
        change(fields)
    catalogue = [*(PREDICTORS[name] for name in complete.variables), REFL_FILLED]
    with create_store(path, complete.grid, 2004, complete.tile_size, catalogue, days) as store:
        for name, field in fields.items():
            store[name][:] = field
    return planet | {"cube": path}


def hold_reflectance(fields):
    """As where the last composite was of 26 April: its value holds until the next one comes."""
    fields["ndvi"][117:APRIL] = fields["ndvi"][116]


def run(planet, output):
    predict_tiles(**planet, output=output, **RUN)
    return xr.open_zarr(output).load()


def days_of(calls):
    """Cell-days that were computed, those of the look-back window aside."""
    return sum(cells * days for cells, days, _ in calls)


def test_a_new_month_costs_its_own_days_and_equals_a_run_from_scratch(planet, tmp_path, computed):
    output = tmp_path / "out" / "t_2004.zarr"
    april = run(until(planet, APRIL, hold_reflectance), output)
    assert april.sizes["time"] == APRIL and april["time"][-1] == np.datetime64("2004-04-30")
    assert days_of(computed) == CELLS * APRIL and not any(resumed for *_, resumed in computed)
    computed.clear()
    may = run(until(planet, MAY), output)
    assert days_of(computed) == CELLS * (MAY - 100)  # the 4 days that changed, and full blocks
    assert all(resumed for *_, resumed in computed)
    xr.testing.assert_identical(may, run(until(planet, MAY), tmp_path / "scratch" / "t_2004.zarr"))
    assert (may["gpp"][117:APRIL] != april["gpp"][117:]).any()


def test_the_last_month_leaves_nothing_behind(planet, tmp_path, computed):
    output = tmp_path / "out" / "t_2004.zarr"
    run(until(planet, MAY), output)
    assert list(output.parent.glob(".*"))
    computed.clear()
    year = run(planet, output)
    assert days_of(computed) == CELLS * (366 - 140) and all(resumed for *_, resumed in computed)
    assert [path.name for path in output.parent.iterdir()] == [output.name]
    xr.testing.assert_identical(year, run(planet, tmp_path / "scratch" / "t_2004.zarr"))


def test_a_changed_day_has_its_tile_computed_again_from_before_it(planet, tmp_path, computed):
    output = tmp_path / "out" / "t_2004.zarr"
    run(until(planet, APRIL), output)

    def change(fields):
        fields["t2m"][70, 4:8, 12:16] += 1  # all of a tile
        fields["t2m"][30, 8:12, 0:4] += 1

    computed.clear()
    found = run(until(planet, APRIL, change), output)
    from_60, from_0 = ([n for n, days, _ in computed if days == APRIL - s] for s in (60, 0))
    assert sum(from_60) == 16 and sum(from_0) == 16
    assert days_of(computed) == 16 * (APRIL - 60) + 16 * APRIL + (CELLS - 32) * (APRIL - 100)
    assert all(resumed for *_, resumed in computed)  # the look-back window is the same
    expected = run(until(planet, APRIL, change), tmp_path / "scratch" / "t_2004.zarr")
    xr.testing.assert_identical(found, expected)


def test_no_state_outlives_a_month_whose_mean_has_changed(planet, tmp_path, computed):
    planet["checkpoints"] = write_members(tmp_path, monthly=("t2m",))
    output = tmp_path / "out" / "t_2004.zarr"
    run(until(planet, MAY - 2), output)  # states after days 100 and 140, the latter in May
    computed.clear()
    found = run(until(planet, MAY), output)
    assert days_of(computed) == CELLS * (MAY - 100) and all(again for *_, again in computed)
    xr.testing.assert_identical(
        found, run(until(planet, MAY), tmp_path / "scratch" / "t_2004.zarr")
    )


def test_a_damaged_entry_or_one_of_another_model_is_not_used(planet, tmp_path, computed):
    output = tmp_path / "out" / "t_2004.zarr"
    expected = run(until(planet, APRIL), output)
    entry = next(iter(sorted((output.parent / ".t_2004.states").iterdir())))
    data = bytearray(entry.read_bytes())
    data[len(data) // 2] ^= 1
    entry.write_bytes(data)
    computed.clear()
    xr.testing.assert_identical(run(until(planet, APRIL), output), expected)
    assert 0 < sum(cells for cells, _, resumed in computed if not resumed) <= 16
    computed.clear()
    other = planet | {"checkpoints": planet["checkpoints"][::-1]}
    run(until(other, APRIL), output)
    assert days_of(computed) == CELLS * APRIL and not any(resumed for *_, resumed in computed)


def test_a_year_that_is_not_over_needs_the_year_before(planet, tmp_path):
    cut = until(planet, APRIL)
    with pytest.raises(TamfluxError, match="look-back window of the year is not complete"):
        predict_tiles(**cut | {"lookback": cut["cube"]}, output=tmp_path / "t_2004.zarr", **RUN)


def test_hashes_depend_on_the_days_before_theirs_alone():
    x = np.random.default_rng(0).normal(size=(3, 10, 2)).astype(np.float32)
    changed = x.copy()
    changed[1, 4 + 3, 0] += 1  # day 3 of the year, after a look-back window of 4 days
    before, after = (hash_inputs(values, 4, [0, 3, 4, 9]) for values in (x, changed))
    assert set(before) == {0, 3, 4}  # day 9 is not there yet
    assert {day: before[day] == after[day] for day in before} == {0: True, 3: True, 4: False}


def test_a_gap_in_a_partial_year_is_that_of_a_run_from_scratch(planet, tmp_path, computed):
    """The states of the cache lie after the gap; its filled days come from one window earlier."""

    def lose_march(fields):
        fields["t2m"][60:91, 8:12, 12:16] = np.nan

    output = tmp_path / "out" / "t_2004.zarr"
    run(until(planet, APRIL, lose_march), output)
    computed.clear()
    found = run(until(planet, MAY, lose_march), output)
    assert days_of(computed) == CELLS * (MAY - 100) and all(resumed for *_, resumed in computed)
    scratch = run(until(planet, MAY, lose_march), tmp_path / "scratch" / "t_2004.zarr")
    xr.testing.assert_identical(found, scratch)
    missing = np.isnan(found["gpp"].values[:, 8:12, 12:16]).all(axis=(1, 2))
    assert np.flatnonzero(missing).tolist() == list(range(60, 91))
    assert np.isfinite(found["gpp"].values[91:, 8:12, 12:16]).all()
