"""`snakemake compare_models` on the coarse planet: few models, one repetition, one protocol."""

import json

import pandas as pd
import pytest


@pytest.fixture(scope="module")
def compared(finished_run):
    result = finished_run.snakemake("compare_models")
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-5000:]
    return finished_run.folder / "results/comparison"


def test_all_models_predict_every_day_of_the_held_out_sites(compared):
    folds = pd.read_csv(compared / "igbp/folds.csv", keep_default_na=False)
    held_out = set(folds["site_id"][folds["fold"] == 0])
    assert held_out
    for model in ("lightgbm", "continuous_lstm", "lstm_trees", "tamrl"):
        table = pd.read_parquet(compared / f"igbp/{model}_0.parquet")
        assert set(table["site_id"]) == held_out
        assert (table.groupby("site_id").size() == 730).all()  # 2001 trains, 2002 is the product's
        assert table[["gpp", "reco", "nee"]].notna().all(axis=None)
        cells = pd.read_parquet(compared / f"igbp/{model}_0_cells.parquet")
        assert cells["site_id"].str.startswith("cell_").all()


def test_settings_are_the_best_of_five(compared):
    settings = compared / "settings"
    assert {p.stem for p in settings.glob("*.json")} == {"lightgbm", "continuous_lstm"}
    for model in ("lightgbm", "continuous_lstm"):
        chosen = json.loads((compared / f"settings/{model}.json").read_text())
        scores = [candidate["score"] for candidate in chosen["candidates"]]
        assert len(scores) == 5
        best = chosen["candidates"][scores.index(min(scores))]
        assert chosen["settings"] == best["settings"]


def test_a_second_comparison_has_nothing_to_do(compared, finished_run):
    assert finished_run.rules("--nolock", "compare_models") == set()
