"""Scores at held-out sites: which days and sites count, and agreement with the product."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamflux.evaluation.scores import _main_climate, compare_with_product, score_models


def frame_of(site, split, n=40, qc=1.0, error=1.0, model="tamrl"):
    dates = pd.date_range("2001-01-01", periods=n)
    observed = np.arange(n, dtype=float)
    frame = pd.DataFrame({"site_id": site, "date": dates, "split": split, "model": model, "qc": qc})
    for flux in ("gpp", "reco", "nee"):
        frame[flux], frame[f"{flux}_obs"] = observed + error, observed
    return frame


@pytest.fixture
def score(tmp_path):
    def run(*frames):
        predictions, sites = tmp_path / "p.parquet", tmp_path / "sites.csv"
        frame = pd.concat(frames)
        frame.to_parquet(predictions)
        names = sorted(frame["site_id"].unique())
        table = pd.DataFrame({"site_id": names, "igbp": "GRA", "koppen": "Dfb", "row": 0, "col": 0})
        table.to_csv(sites, index=False)
        outputs = [tmp_path / name for name in ("site_scores.csv", "scores.csv", "agreement.csv")]
        score_models(predictions, sites, {}, *outputs)
        return [pd.read_csv(path, keep_default_na=False) for path in outputs]

    return run


def test_only_held_out_sites_with_enough_good_days_count(score):
    site_scores, scores, _ = score(
        frame_of("A", "test"),
        frame_of("B", "train", error=5.0),
        frame_of("C", "test", n=20),
        frame_of("D", "test", qc=0.79, error=9.0),
    )
    assert set(site_scores["site_id"]) == {"A"}
    assert site_scores["rmse"].astype(float).tolist() == pytest.approx([1, 1, 1])
    assert scores.query("group == 'all'")["n_sites"].tolist() == [1, 1, 1]


def test_quartiles_for_each_model_class_and_main_climate(score):
    frames = [
        frame_of(f"S{k}", "test", error=k, model=m) for k in range(5) for m in ("tamrl", "msc")
    ]
    _, scores, _ = score(*frames)
    row = scores.query("group == 'all' and model == 'msc' and flux == 'nee'").iloc[0]
    assert [float(row[f"bias_q{q}"]) for q in (25, 50, 75)] == [1, 2, 3]
    assert set(scores["group"]) == {"all", "igbp", "koppen"}
    assert set(scores.query("group == 'koppen'")["value"]) == {"D"}


def test_no_held_out_site_gives_empty_tables(score):
    site_scores, scores, _ = score(frame_of("B", "train"))
    assert len(site_scores) == len(scores) == 0
    assert "r2_q50" in scores.columns


def test_agreement_is_the_largest_difference_at_the_towers_cells(planet, tmp_path):
    sites = pd.read_csv(planet.sites)
    predictions = []
    daily = {year: planet.root / f"product/tamflux_daily_{year}.nc" for year in planet.years}
    for year, path in daily.items():
        with xr.open_dataset(path) as product:
            for site in sites.itertuples():
                cell = product.isel(lat=site.row, lon=site.col)
                frame = pd.DataFrame({"site_id": site.site_id, "date": cell["time"].to_numpy()})
                for flux in ("gpp", "reco", "nee"):
                    frame[flux] = cell[flux].to_numpy()
                predictions.append(frame.assign(model="tamrl_cell", year=year))
    frame = pd.concat(predictions, ignore_index=True)
    frame.loc[(frame["site_id"] == "XX-003") & (frame["year"] == 2002), "reco"] += 0.25
    frame.sample(frac=1, random_state=0).to_parquet(tmp_path / "p.parquet")
    found = compare_with_product(tmp_path / "p.parquet", planet.sites, daily)
    found = found.set_index(["year", "flux"])["max_abs_difference"]
    assert found[2002, "reco"] == pytest.approx(0.25, abs=1e-6)
    assert found.drop((2002, "reco")).max() == 0


@pytest.mark.parametrize(
    ("koppen", "group"), [("Dfb", "D"), (1, "A"), (30.0, "E"), (0, "-"), (np.nan, "-"), ("?", "-")]
)
def test_main_climate(koppen, group):
    assert _main_climate(koppen) == group
