"""Shares of days inside, half-widths and rank correlations equal those counted by hand."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from calibrations import make_calibration
from scipy.stats import spearmanr

from tamflux.evaluation.intervals import evaluate_intervals
from tamflux.figures.interval_figures import plot_intervals
from tamflux.grid import Grid
from tamflux.uncertainty.calibration import LEVELS
from tamflux.variables import IGBP_CLASSES, VEGETATED

FLUXES = ("gpp", "reco", "nee")
GRID = Grid(15.0)
DAYS = pd.date_range("2003-01-01", "2003-12-31")


def store(path, fields):
    group = zarr.create_group(path, zarr_format=3)
    for name, values in fields.items():
        dims = ("time", "lat", "lon")[-values.ndim :]
        kind = "int8" if name == "quality" else "float32"
        group.create_array(name, data=values.astype(kind), dimension_names=dims)
    return path


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A planet whose error grows with latitude; width 2 for level 0.9, 3 with filled weather."""
    folder = tmp_path_factory.mktemp("intervals")
    random = np.random.default_rng(0)
    land = random.choice([0, 0.4, 1], GRID.shape).astype(np.float32)
    desert = (random.random(GRID.shape) < 0.2) & (land > 0)
    south_to_north = np.arange(GRID.shape[0])[:, None] + 1.0
    gpp = np.where(land > 0, 4 + 0 * land, np.nan) * np.ones((365, 1, 1))
    true = gpp + 0.15 * south_to_north * (1 + random.normal(size=gpp.shape))
    gap = tuple(np.argwhere((land == 1) & ~desert)[4])  # a cell without weather for 100 days
    quality = np.zeros(GRID.shape, int)
    quality[gap], gpp[:100, *gap] = 32, np.nan
    memory = np.zeros(gpp.shape)
    memory[:150, *gap] = 1  # widens the intervals of 50 days after the gap
    fluxes = {"gpp": gpp, "reco": gpp, "nee": 0 * gpp}
    truth = {"gpp": true, "reco": true, "nee": true - gpp}
    distance = np.where((land > 0) & ~desert, 0.2 * south_to_north, np.nan)
    fields = {"dissimilarity_index": distance, "quality": quality, "gap_memory": memory}
    tiles = store(folder / "tiles.zarr", fluxes | fields)
    share = {name: np.zeros(GRID.shape, np.float32) for name in IGBP_CLASSES}
    share["WAT"], share["BSV"] = 1 - land, np.where(desert, land, 0)
    share["GRA"] = np.where(desert, 0, land)
    data = {f"igbp_{name}": (("lat", "lon"), values) for name, values in share.items()}
    data["land_fraction"] = (("lat", "lon"), land)
    data["vegetated_fraction"] = (("lat", "lon"), sum(share[name] for name in VEGETATED))
    data["koppen"] = (("lat", "lon"), np.ones(GRID.shape, np.int8))
    static = folder / "static.nc"
    xr.Dataset(data, {"lat": GRID.lat, "lon": GRID.lon}).to_netcdf(static)
    # gross flux is 8, and 17 with filled weather
    intervals = make_calibration([2.0] * 6 + [3.0], lambda level: level / 0.9, {"ENF": 1.2})
    intervals.save(folder / "calibration.json")
    return SimpleNamespace(
        folder=folder, tiles=tiles, truth=store(folder / "truth.zarr", truth), static=static,
        land=land, desert=desert, error=np.abs(true - gpp), signed=true - gpp, gap=gap,
        towers=write_towers(folder, random),
    )  # fmt: skip


def write_towers(folder, random):
    """Four held-out towers, one of them with few days, and one that trained."""
    frames = []
    for number, site in enumerate("ABCDE"):
        frame = pd.DataFrame({"site_id": site, "date": DAYS, "qc": 1.0, "model": "tamrl"})
        frame["split"] = "train" if site == "E" else "test"
        frame.loc[:99, "qc"] = 0.1
        for flux in FLUXES:
            frame[flux] = 3.0
            frame[f"{flux}_obs"] = 3 + (number + 1) * random.normal(size=len(frame))
        if site == "D":
            frame.loc[110:, [f"{flux}_obs" for flux in FLUXES]] = np.nan
        frames.append(frame)
    table = pd.concat(frames)
    table.to_parquet(folder / "predictions.parquet")
    sites = pd.DataFrame({"site_id": list("ABCDE"), "igbp": ["GRA", "GRA", "ENF", "ENF", "GRA"]})
    sites = sites.assign(lat=0.0, lon=10.0, split_igbp=["test"] * 4 + ["train"], koppen="Cfb")
    for name in IGBP_CLASSES:
        sites[f"igbp_{name}"] = (sites["igbp"] == name).astype(float)
    sites.to_csv(folder / "sites.csv", index=False)
    return table


def evaluate(study, truth=True, name="with", without_fold=()):
    out = study.folder / name
    out.mkdir(exist_ok=True)
    paths = [out / "coverage.csv", out / "ranking.csv", out / "cells.nc"]
    evaluate_intervals(
        study.folder / "predictions.parquet", study.folder / "sites.csv",
        study.folder / "calibration.json", study.static, {2003: study.tiles},
        {2003: study.truth} if truth else {}, GRID, 5, *paths, without_fold,
    )  # fmt: skip
    return paths


def row(table, **wanted):
    for name, value in wanted.items():
        table = table[table[name] == value]
    assert len(table) == 1
    return table.iloc[0]


def test_cells_are_counted_by_land_area_and_only_with_vegetation(study):
    coverage, _, cells = evaluate(study)
    found = row(
        pd.read_csv(coverage), population="cells", flux="gpp", scale="day", group="all", level=0.9
    )
    use = (study.land > 0) & ~study.desert
    weight = (GRID.cell_area() * study.land)[use]
    width = np.full(study.error.shape, 2.0)
    width[100:150, *study.gap] = 3
    inside, days = (study.error <= width).sum(0)[use], np.isfinite(study.error).sum(0)[use]
    assert found["n_locations"] == use.sum()
    assert found["coverage"] == pytest.approx(
        (inside * weight).sum() / (days * weight).sum(), rel=1e-4
    )
    assert found["coverage_q10"] == pytest.approx(np.quantile(inside / days, 0.1), rel=1e-4)
    area = np.where(use, GRID.cell_area() * study.land, 0)
    widened = 50 * area[study.gap] / (days * weight).sum()  # share of area-days
    assert widened > 0
    assert found["half_width"] == pytest.approx(2 + widened, rel=1e-6)
    fields = xr.open_dataset(cells)
    rmse = np.sqrt(np.nanmean(np.square(study.error[:, use]), axis=0))
    np.testing.assert_allclose(fields["nee_rmse"].to_numpy()[use], rmse, rtol=1e-4)
    assert np.isnan(fields["applicability"].to_numpy()[~use]).all()
    assert float(fields["gross_flux"][study.gap]) == pytest.approx(8)  # of its 265 known days


def test_cells_are_counted_by_months_and_years(study):
    table = pd.read_csv(evaluate(study)[0]).query("population == 'cells' and flux == 'nee'")
    use = (study.land > 0) & ~study.desert
    use[study.gap] = False  # its few incomplete months are not worth a loop
    area = (GRID.cell_area() * study.land)[use]
    error = xr.DataArray(study.signed[:, use], dims=("time", "cell"), coords={"time": DAYS})
    months, year = error.resample(time="MS").mean(), error.mean("time")
    days = DAYS.to_series().resample("MS").size().to_numpy()
    width = 2 * np.interp(np.log(days), np.log([1, 30, 365]), [1, 0.75, 0.25])[:, None]
    inside = {"month": (abs(months) <= width).mean("time"), "year": abs(year) <= 0.5}
    for scale, hit in inside.items():
        found = row(table, scale=scale, group="all", level=0.9)
        assert found["coverage"] == pytest.approx(np.average(hit, weights=area), abs=0.01)
        assert 0.1 < found["coverage"] < 0.95


def test_held_out_towers_count_their_good_days(study):
    table = pd.read_csv(evaluate(study)[0], keep_default_na=False)
    days = study.towers[(study.towers["qc"] > 0.5) & study.towers["site_id"].isin(list("ABC"))]
    for level in LEVELS:
        width = np.where(days["site_id"] == "C", 1.2, 1) * 2 * level / 0.9
        hit = (days["gpp_obs"] - days["gpp"]).abs() <= width
        found = row(table, population="towers", flux="gpp", scale="day", group="all", level=level)
        assert found["n_locations"] == 3
        assert float(found["coverage"]) == pytest.approx(hit.mean(), rel=1e-4)
    hit = (days["gpp_obs"] - days["gpp"]).abs() <= 2 * 1.2
    found = row(table, population="towers", flux="gpp", scale="day", value="ENF", level=0.9)
    assert float(found["coverage"]) == pytest.approx(hit[days["site_id"] == "C"].mean(), rel=1e-4)


def test_towers_of_a_fold_are_tested_with_the_intervals_of_the_others(study):
    half = {"AB": 1.0, "CD": 3.0}  # half-widths at the level of 0.9
    paths = []
    for sites, width in half.items():
        calibration = make_calibration([width] * 7, lambda level: level / 0.9)
        paths.append(study.folder / f"without_{sites}.json")
        replace(calibration, about={"left_out": list(sites)}).save(paths[-1])
    table = pd.read_csv(evaluate(study, False, "folds", paths)[0], keep_default_na=False)
    days = study.towers[(study.towers["qc"] > 0.5) & study.towers["site_id"].isin(list("ABC"))]
    width = np.where(days["site_id"] == "C", 3.0, 1.0)
    hit = (days["gpp_obs"] - days["gpp"]).abs() <= width
    found = row(table, flux="gpp", scale="day", group="all", level=0.9)
    assert found["n_locations"] == 3
    assert float(found["coverage"]) == pytest.approx(hit.mean(), rel=1e-4)


def test_the_ranking_is_that_of_scipy(study):
    _, ranking, cells = evaluate(study)
    fields = xr.open_dataset(cells).load()
    known = np.isfinite(fields["expected_error"].values)
    table = pd.read_csv(ranking)
    for index in ("dissimilarity_index", "expected_error"):
        found = row(table, index=index, error="gpp")["spearman"]
        pair = (fields[name].to_numpy()[known] for name in (index, "gpp_rmse"))
        assert found == pytest.approx(spearmanr(*pair).statistic, abs=1e-4)
        assert found > 0.95  # error and distance both grow northward
    assert spearmanr(
        fields["applicability"].to_numpy()[known], fields["expected_error"].to_numpy()[known]
    ).statistic == pytest.approx(-1)


@pytest.mark.parametrize("truth", [True, False])
def test_figures_are_drawn_with_and_without_truth(study, tmp_path, truth):
    paths = evaluate(study, truth, f"figures_{truth}")
    names = ["interval_reliability", "interval_classes", "map_applicability"]
    figures = {name: tmp_path / f"{name}.png" for name in names}
    if truth:
        figures["applicability_error"] = tmp_path / "applicability_error.png"
    else:
        assert len(pd.read_csv(paths[1])) == 0
        assert set(pd.read_csv(paths[0])["population"]) == {"towers"}
    plot_intervals(*paths, study.folder / "sites.csv", study.static, GRID, "igbp", figures)
    assert all(path.stat().st_size > 5000 for path in figures.values())
