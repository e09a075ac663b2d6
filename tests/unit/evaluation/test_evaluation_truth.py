"""Scores against the truth, against brute force on small arrays."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from pyproj import Geod

from tamflux.errors import ContractError
from tamflux.evaluation.truth import SUMS, evaluate_truth, nearest_tower_km, scores_from_sums
from tamflux.grid import EARTH_RADIUS_M, Grid


def sums_of(truth, predicted):
    both = np.isfinite(truth) & np.isfinite(predicted)
    t, p = np.where(both, truth, 0), np.where(both, predicted, 0)
    return np.stack([both.sum(0), t.sum(0), (t**2).sum(0), p.sum(0), ((p - t) ** 2).sum(0)])


@pytest.fixture
def cells():
    rng = np.random.default_rng(4)
    truth = rng.gamma(2, 2, (50, 4)) * [1, 2, 3, 4]
    predicted = truth + rng.normal(0.3, 1, truth.shape)
    return truth, predicted, np.array([1.0, 3.0, 2.0, 7.0])


def test_pooled_scores_equal_those_of_repeated_samples(cells):
    truth, predicted, weight = cells
    found = scores_from_sums(sums_of(truth, predicted), weight)
    t, p = (np.repeat(a, weight.astype(int), axis=1).ravel() for a in (truth, predicted))
    assert found["r2_daily"] == pytest.approx(
        1 - ((p - t) ** 2).sum() / ((t - t.mean()) ** 2).sum()
    )
    assert found["rmse_daily"] == pytest.approx(np.sqrt(((p - t) ** 2).mean()))
    assert found["bias"] == pytest.approx((p - t).mean())


def test_between_cell_skill_is_that_of_the_means(cells):
    truth, predicted, weight = cells
    found = scores_from_sums(sums_of(truth, predicted), weight)
    t, p = (np.repeat(a.mean(0), weight.astype(int)) for a in (truth, predicted))
    assert found["r2_between"] == pytest.approx(
        1 - ((p - t) ** 2).sum() / ((t - t.mean()) ** 2).sum()
    )


def test_cell_scores_are_area_weighted_medians(cells):
    truth, predicted, weight = cells
    found = scores_from_sums(sums_of(truth, predicted), weight)
    rmse = np.sqrt(((predicted - truth) ** 2).mean(0))
    assert found["rmse_cell"] == rmse[3]  # more than half of the area
    r2 = 1 - ((predicted - truth) ** 2).sum(0) / ((truth - truth.mean(0)) ** 2).sum(0)
    assert found["r2_cell"] == pytest.approx(r2[3])


def test_missing_days_and_water_do_not_count(cells):
    truth, predicted, weight = cells
    truth[:10, 0], predicted[5:20, 0] = np.nan, np.nan
    complete = scores_from_sums(sums_of(truth, predicted), weight)
    water = scores_from_sums(
        sums_of(np.c_[truth, np.full(50, np.nan)], np.c_[predicted, np.full(50, 3.0)]),
        np.append(weight, 5.0),
    )
    assert water == pytest.approx(complete)
    assert complete["n_cells"] == 4


def test_total_of_one_gram_per_day_over_the_land_of_the_earth():
    sums = sums_of(np.ones((3, 1)), np.full((3, 1), 2.0))
    found = scores_from_sums(sums, np.array([1.49e14]))
    assert found["total_true"] == pytest.approx(54.4, abs=0.1)  # Pg C yr-1
    assert found["total_predicted"] == pytest.approx(2 * found["total_true"])
    assert np.isnan(found["r2_cell"])  # a cell that does not vary has no R2


def test_distance_to_nearest_tower_is_the_great_circle():
    grid = Grid(10.0)
    lat, lon = np.array([52.0, -33.0]), np.array([179.0, -60.0])
    found = nearest_tower_km(grid, lat, lon)
    geod = Geod(a=EARTH_RADIUS_M, b=EARTH_RADIUS_M)
    for row, col in [(14, 0), (0, 20), (5, 12), (17, 35)]:
        each = [
            geod.inv(grid.lon[col], grid.lat[row], x, y)[2] / 1000
            for y, x in zip(lat, lon, strict=True)
        ]
        assert found[row, col] == pytest.approx(min(each), rel=1e-6)


def run(planet, target, tile_size):
    years = planet.years
    evaluate_truth(
        {year: planet.root / f"truth/{year}.zarr" for year in years},
        {m: {y: planet.root / f"tiles/{m}_{y}.zarr" for y in years} for m in ("tamrl", "lstm")},
        planet.root / "site_predictions.parquet",
        planet.sites,
        planet.static,
        planet.grid,
        tile_size,
        target / "scores.csv",
        target / "maps.nc",
    )
    return pd.read_csv(target / "scores.csv")


def test_streaming_gives_the_scores_of_the_whole_arrays(planet, tmp_path):
    table = run(planet, tmp_path, tile_size=7)
    found = table[(table["group"] == "all") & (table["model"] == "tamrl")].set_index("flux")
    complete = {}
    for kind, pattern in {"t": "truth/{}.zarr", "p": "tiles/tamrl_{}.zarr"}.items():
        years = [
            xr.open_zarr(planet.root / pattern.format(y))["gpp"].to_numpy() for y in planet.years
        ]
        complete[kind] = np.concatenate(years).astype(float)
    with xr.open_dataset(planet.static) as static:
        land = static["land_fraction"].to_numpy()
    weight = planet.grid.cell_area() * land
    weights = np.broadcast_to(weight, complete["t"].shape)[np.isfinite(complete["t"])]
    t, p = (complete[k][np.isfinite(complete["t"])] for k in "tp")
    mean = np.average(t, weights=weights)
    r2 = 1 - np.average((p - t) ** 2, weights=weights) / np.average(
        (t - mean) ** 2, weights=weights
    )
    assert found.loc["gpp", "r2_daily"] == pytest.approx(r2, abs=1e-5)
    assert found.loc["gpp", "area_mkm2"] == pytest.approx(weight.sum() / 1e12, rel=1e-5)
    groups = (
        table[table["model"] == "tamrl"].query("flux == 'gpp'").groupby("group")["area_mkm2"].sum()
    )
    for group in ("igbp", "koppen", "distance_km"):
        assert groups[group] == pytest.approx(groups["all"], rel=1e-3), group
    with xr.open_dataset(tmp_path / "maps.nc") as maps:
        assert maps["gpp_truth"].to_numpy() == pytest.approx(
            np.where(land > 0, complete["t"].mean(0), np.nan), nan_ok=True, rel=1e-5
        )
        assert maps["gpp_zonal_truth"].dims == ("month", "lat")


def test_tile_size_does_not_change_the_scores(planet, tmp_path):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    pd.testing.assert_frame_equal(
        run(planet, tmp_path / "a", 5), run(planet, tmp_path / "b", 36), rtol=1e-4, atol=1e-9
    )


def test_a_truth_of_another_grid_is_refused(planet, tmp_path):
    other = type(planet)(planet.root, Grid(20.0))
    with pytest.raises(ContractError, match=r"does not have the grid.*\n.*truth/2001.zarr"):
        evaluate_truth(
            {2001: planet.root / "truth/2001.zarr"}, {}, planet.root / "site_predictions.parquet",
            planet.sites, planet.static, other.grid, 9, tmp_path / "s.csv", tmp_path / "m.nc",
        )  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_sums_are_named():
    assert SUMS == ("n", "t", "tt", "p", "ee")
