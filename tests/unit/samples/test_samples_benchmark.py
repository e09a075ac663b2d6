"""CarbonFluxBench as samples: whole days, filled predictors, the benchmark's own folds."""

import numpy as np
import pandas as pd
import pytest
from benchmark_files import N_DAYS, write_benchmark

from tamflux.readers.carbonfluxbench import read_carbonfluxbench, split_benchmark
from tamflux.samples.benchmark import BENCHMARK_PREDICTORS, write_carbonfluxbench
from tamflux.samples.protocols import protocol_folds, training_sites
from tamflux.samples.samples import load_samples, make_windows
from tamflux.solar import day_length


@pytest.fixture
def folder(tmp_path):
    write_benchmark(tmp_path)
    return tmp_path


def change(path, keep):
    table = pd.read_parquet(path)
    table[keep(table)].to_parquet(path)


def written(folder):
    paths = folder / "samples.parquet", folder / "sites.csv"
    write_carbonfluxbench(folder, *paths)
    return paths


def test_samples_load_and_give_windows(folder):
    samples_path, sites_path = written(folder)
    samples = load_samples([samples_path], sites_path)
    assert sorted(samples.predictors) == sorted(BENCHMARK_PREDICTORS)
    assert samples.x.shape == (24 * N_DAYS, len(BENCHMARK_PREDICTORS))
    assert np.isfinite(samples.x).all() and np.isfinite(samples.y).all()
    of_first = samples.site == 0
    column = samples.predictors.index("day_length")
    expected = day_length(np.array([40.0]), samples.date[of_first])[:, 0]
    np.testing.assert_allclose(samples.x[of_first, column], expected, rtol=1e-6)
    forest = samples.static[:, samples.static_features.index("igbp_DBF")]
    assert forest.tolist() == [0, 0, 1, 0] * 6
    assert set(make_windows(samples).year) == {2004, 2005, 2006}


def test_missing_days_are_rows_without_fluxes_but_with_predictors(folder):
    out = pd.to_datetime(["2005-03-03", "2005-03-04"])
    change(folder / "target_fluxes.parquet", lambda t: ~t["TIMESTAMP"].isin(out.date))
    days = pd.read_parquet(written(folder)[0])
    assert days.groupby("site_id").size().eq(N_DAYS).all()
    gaps = days[days["date"].isin(out)]
    assert len(gaps) == 48 and gaps[["gpp", "reco", "nee", "qc"]].isna().all(axis=None)
    assert gaps[BENCHMARK_PREDICTORS].notna().all(axis=None)


def test_short_gaps_of_the_weather_are_filled_and_long_ones_stay(folder):
    short = pd.date_range("2005-02-01", "2005-02-05").date
    long = pd.date_range("2005-04-01", "2005-04-06").date
    whole = pd.read_parquet(written(folder)[0])
    change(folder / "ERA5.parquet", lambda t: ~t["date"].isin([*short, *long]))
    days = pd.read_parquet(written(folder)[0])
    missing = days["t2m"].isna()
    assert set(days["date"][missing]) == set(pd.to_datetime(long))
    ends = whole["date"].isin(pd.to_datetime(["2005-01-31", "2005-02-06"]))
    middle = days[days["date"] == "2005-02-03"].set_index("site_id")["ssr"]
    np.testing.assert_allclose(middle, whole[ends].groupby("site_id")["ssr"].mean(), rtol=1e-6)


def test_reflectance_is_linear_between_clear_days_and_holds_at_the_ends(folder):
    clear, _ = read_carbonfluxbench(folder)
    days = pd.read_parquet(written(folder)[0])
    for site in ("FLX_S00", "FLX_S07"):
        before = clear[clear["site_id"] == site]["refl_b2"].reset_index(drop=True)
        after = days[days["site_id"] == site]["refl_b2"].reset_index(drop=True)
        assert before.isna().any()
        # as the benchmark fills its own
        expected = before.interpolate(limit_direction="both")
        np.testing.assert_allclose(after, expected, rtol=1e-5)
    red, nir = days["refl_b1"], days["refl_b2"]
    np.testing.assert_allclose(days["ndvi"], (nir - red) / (nir + red), rtol=1e-4)


def test_folds_are_the_splits_and_neighbours_train(folder):
    sites = pd.read_csv(written(folder)[1])
    splits = split_benchmark(read_carbonfluxbench(folder)[1])
    for protocol, column in {"igbp": "split_igbp", "koppen": "split_koppen"}.items():
        folds = protocol_folds(sites, f"carbonfluxbench_{protocol}", seed=1)
        test = splits["site_id"][splits[column] == "test"]
        assert folds["site_id"][folds["fold"] == 0].to_list() == test.to_list()
        assert training_sites(folds, 0) == sorted(set(splits["site_id"]) - set(test))
    assert sites["lat"].iloc[-1] == sites["lat"].iloc[-2]  # one place, two sites
    moved = sites.assign(split_igbp=np.where(sites["site_id"] == "FLX_S23", "test", "train"))
    assert "FLX_S22" in training_sites(protocol_folds(moved, "carbonfluxbench_igbp", 1), 0)
