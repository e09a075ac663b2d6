"""Intervals of a fold come from the other folds alone, and reach the predictions and the table."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tamflux.errors import ContractError
from tamflux.evaluation.real_towers_intervals import evaluate_real_intervals
from tamflux.figures.interval_figures import plot_real_intervals
from tamflux.uncertainty.calibration import Calibration
from tamflux.uncertainty.real_towers import calibrate_real_towers
from tamflux.variables import FLUXES, IGBP_CLASSES

PROTOCOL = {"min_qc": 0.8, "first_day": "2001-01-01", "min_days": 50}
N_DAYS = 400


def write_table(folder, name, site_ids, folds, random, error=1.0):
    """Samples, sites and predictions whose errors are `error` times a normal variable."""
    date = np.tile(pd.date_range("2000-12-20", periods=N_DAYS), len(site_ids))
    frame = pd.DataFrame({"site_id": np.repeat(site_ids, N_DAYS), "date": date})
    predicted = frame.assign(fold=np.repeat(folds, N_DAYS))
    for flux in FLUXES:
        predicted[flux] = random.uniform(1, 9, len(frame))
        predicted[f"{flux}_std"] = 0.1
        slow = np.repeat(random.normal(size=len(site_ids)), N_DAYS)
        frame[flux] = predicted[flux] + error * (slow + random.normal(size=len(frame)))
    frame["qc"], frame["t2m"] = random.choice([0.5, 1.0], len(frame), p=[0.2, 0.8]), 1.0
    frame.to_parquet(folder / f"{name}_samples.parquet")
    sites = pd.DataFrame({"site_id": site_ids, "fold": folds, "lat": 40.0, "koppen": "Cfb"})
    sites["lon"] = np.arange(len(site_ids)) * 2.0
    sites["igbp"] = np.where(np.arange(len(site_ids)) % 3 == 0, "ENF", "GRA")
    sites.loc[1, "igbp"] = None
    for igbp in IGBP_CLASSES:
        sites[f"igbp_{igbp}"] = (sites["igbp"] == igbp).astype(float)
    sites.to_csv(folder / f"{name}_sites.csv", index=False)
    return predicted


@pytest.fixture
def study(tmp_path):
    random = np.random.default_rng(0)
    first = write_table(
        tmp_path, "folds", [f"A{i:02d}" for i in range(30)], np.arange(30) % 3, random
    )
    second = write_table(tmp_path, "zero_shot", ["B0", "B1", "B2"], np.full(3, -1), random)
    names = ("folds", "zero_shot")
    paths = SimpleNamespace(
        fluxes=tmp_path / "fluxes.parquet", predictions=tmp_path / "predictions.parquet",
        samples=[tmp_path / f"{name}_samples.parquet" for name in names],
        sites=[tmp_path / f"{name}_sites.csv" for name in names],
        calibration={fold: tmp_path / f"{fold}.json" for fold in (0, 1, 2, -1)},
    )  # fmt: skip
    pd.concat([first, second]).to_parquet(paths.fluxes, index=False)

    def run():
        calibrate_real_towers(
            paths.fluxes, paths.samples, paths.sites, paths.predictions, paths.calibration,
            **PROTOCOL, code="x",
        )  # fmt: skip
        return pd.read_parquet(paths.predictions)

    return paths, run


def test_predictions_keep_their_columns_and_gain_half_widths(study):
    paths, run = study
    found, fluxes = run(), pd.read_parquet(paths.fluxes)
    widths = [f"{flux}_pi90_halfwidth" for flux in FLUXES]
    pd.testing.assert_frame_equal(found.drop(columns=widths), fluxes)
    assert (found[widths] > 0).all(axis=None)
    calibration, sites = Calibration.load(paths.calibration[-1]), pd.read_csv(paths.sites[1])
    day = found[found["site_id"] == "B0"].iloc[[7]]
    igbp = sites.loc[[0], [f"igbp_{name}" for name in IGBP_CLASSES]].to_numpy()
    expected = calibration.half_width("nee", day["gpp"].to_numpy(), day["reco"].to_numpy(), igbp)
    assert day["nee_pi90_halfwidth"].item() == pytest.approx(expected[0], rel=1e-6)


def test_errors_of_a_fold_do_not_reach_its_own_intervals(study):
    paths, run = study
    before = run()
    samples = pd.read_parquet(paths.samples[0])
    of_fold = samples["site_id"].isin(pd.read_csv(paths.sites[0]).query("fold == 1")["site_id"])
    samples.loc[of_fold, list(FLUXES)] += 30
    samples.to_parquet(paths.samples[0])
    after = run()
    same = before["gpp_pi90_halfwidth"] == after["gpp_pi90_halfwidth"]
    assert same[before["fold"] == 1].all()
    assert not same[before["fold"] != 1].any()
    abouts = {fold: Calibration.load(path).about for fold, path in paths.calibration.items()}
    assert {fold: about["towers"] for fold, about in abouts.items()} == {
        0: 20,
        1: 20,
        2: 20,
        -1: 30,
    }


def test_the_table_counts_days_and_means_by_class(study, tmp_path):
    paths, run = study
    predictions = run()
    target = tmp_path / "intervals.csv"
    evaluate_real_intervals(
        paths.predictions, paths.samples, paths.sites, paths.calibration, target, **PROTOCOL
    )
    table = pd.read_csv(target, keep_default_na=False)
    assert set(table["protocol"]) == {"folds", "zero_shot"}
    samples = pd.concat(map(pd.read_parquet, paths.samples))
    days = samples[(samples["qc"] >= 0.8) & (samples["date"] >= "2001-01-01")]
    days = days.merge(predictions, on=["site_id", "date"], suffixes=("", "_pred"))
    sites = pd.read_csv(paths.sites[0]).set_index("site_id")
    days = days[days["site_id"].isin(sites.index)]
    for flux in FLUXES:
        inside = (days[flux] - days[f"{flux}_pred"]).abs() <= days[f"{flux}_pi90_halfwidth"]
        of_flux = table.query(f"protocol == 'folds' and flux == '{flux}' and level == 0.9")
        of_day = of_flux[of_flux["scale"] == "day"].set_index(["group", "value"])
        assert of_day.loc[("all", "all"), "coverage"] == pytest.approx(inside.mean(), abs=1e-4)
        forest = days["site_id"].map(sites["igbp"]) == "ENF"
        found = of_day.loc[("igbp", "ENF")]
        assert found["n_locations"] == 10
        assert found["coverage"] == pytest.approx(inside[forest].mean(), abs=1e-4)
        assert of_day.loc[("koppen", "C"), "n_locations"] == 30
        everything = of_flux[of_flux["group"] == "all"].set_index("scale")
        assert everything["coverage"].between(0.8, 1).all()
        widths = everything.loc[["day", "month", "site"], "half_width"].to_numpy()
        assert (np.diff(widths) < 0).all()
    plot_real_intervals(target, tmp_path / "intervals.png")
    assert (tmp_path / "intervals.png").stat().st_size > 20_000


def test_a_day_without_prediction_is_refused(study):
    paths, run = study
    pd.read_parquet(paths.fluxes).iloc[40:].to_parquet(paths.fluxes)
    with pytest.raises(ContractError, match="no prediction"):
        run()
