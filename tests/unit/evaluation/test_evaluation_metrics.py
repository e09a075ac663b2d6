"""Metrics against closed forms and against the definitions written out per site."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamflux.evaluation.metrics import METRICS, quartiles, score_sites


def frame(site, observed, predicted, flux="gpp"):
    return pd.DataFrame({"site_id": site, flux: observed, f"{flux}_pred": predicted})


def test_perfect_mean_and_shifted_predictions():
    observed = np.array([1.0, 2.0, 3.0, 6.0])
    table = pd.concat(
        [
            frame(["A"] * 4, observed, observed),
            frame(["B"] * 4, observed, np.full(4, observed.mean())),
            frame(["C"] * 4, observed, observed + 2),
        ]
    )
    scores = score_sites(table, ["gpp"]).set_index("site_id")
    assert scores.loc["A", ["r2", "rmse", "nmae", "rae", "bias"]].tolist() == [1, 0, 0, 0, 0]
    assert scores.loc["B", "r2"] == pytest.approx(0) and scores.loc["B", "rae"] == pytest.approx(1)
    # SST = 4 + 1 + 0 + 9 = 14, SSE = 4 * 4; sum|y - 3| = 6
    assert scores.loc["C", "r2"] == pytest.approx(1 - 16 / 14)
    assert scores.loc["C", "rae"] == pytest.approx(8 / 6)
    assert scores.loc["C", "nmae"] == pytest.approx(2 / 3)
    assert scores.loc["C", "bias"] == pytest.approx(2)
    assert scores["n"].tolist() == [4, 4, 4]


def test_missing_days_and_short_sites_do_not_count():
    table = frame(
        ["A"] * 4 + ["B"] * 2, [1, 2, np.nan, 4, 1, np.nan], [1, 3, 9, np.nan, 1, 2], "nee"
    )
    scores = score_sites(table, ["nee"], min_days=2)
    assert scores["site_id"].tolist() == ["A"] and scores["n"].tolist() == [2]
    assert scores["rmse"].item() == pytest.approx(np.sqrt(0.5))


def test_a_constant_site_has_no_r2():
    scores = score_sites(frame(["A", "A"], [0.0, 0.0], [1.0, 1.0]), ["gpp"])
    assert scores[["r2", "rae", "nmae"]].isna().all(axis=None)
    assert scores["rmse"].item() == 1


values = st.floats(-50, 50, width=32)


@given(st.lists(st.tuples(st.sampled_from("PQR"), values, values), min_size=1, max_size=60))
def test_against_the_definitions(rows):
    table = frame(*zip(*rows, strict=True))
    scores = score_sites(table, ["gpp"], min_days=1).set_index("site_id")
    for site, days in table.groupby("site_id"):
        y, e = days["gpp"].to_numpy(), (days["gpp_pred"] - days["gpp"]).to_numpy()
        assert scores.loc[site, "rmse"] == pytest.approx(np.sqrt((e**2).mean()), abs=1e-9)
        assert scores.loc[site, "bias"] == pytest.approx(e.mean(), abs=1e-9)
        assert scores.loc[site, "mean"] == pytest.approx(y.mean(), abs=1e-9)
        assert scores.loc[site, "sd"] == pytest.approx(y.std(), abs=1e-6)
        if y.std() > 1e-3:
            assert scores.loc[site, "r2"] == pytest.approx(1 - np.mean(e**2) / y.var(), rel=1e-6)
            assert scores.loc[site, "rae"] == pytest.approx(
                np.abs(e).sum() / np.abs(y - y.mean()).sum(), rel=1e-6
            )


def test_quartiles_over_sites_by_group():
    scores = pd.DataFrame({"site_id": list("ABCDE"), "flux": "gpp", "igbp": ["X"] * 4 + ["Y"]})
    for metric in METRICS:
        scores[metric] = [0.0, 1.0, 2.0, 3.0, 10.0]
    overall = quartiles(scores)
    assert overall.loc[0, ["n_sites", "r2_q25", "r2_q50", "r2_q75"]].tolist() == [5, 1, 2, 3]
    by_class = quartiles(scores, by="igbp").set_index("igbp")
    assert by_class.loc["X", ["n_sites", "rmse_q25", "rmse_q50"]].tolist() == [4, 0.75, 1.5]
    assert by_class.loc["Y", ["n_sites", "bias_q50"]].tolist() == [1, 10]
