"""The comparison of models: files in, tables out, numbers worked out by other means."""

import numpy as np
import pandas as pd
import pytest

from tamflux.errors import ContractError
from tamflux.evaluation.comparison import score_cell_predictions, score_comparison

DATES = pd.date_range("2002-12-01", "2003-12-31")
SITES = pd.DataFrame({
    "site_id": [f"AA-{k}" for k in range(6)],
    "lat": [0.0, 10, 20, 30, 40, 40.001],
    "lon": 0.0,
    "igbp": ["WET", "WET", "ENF", "ENF", "GRA", "GRA"],
    "koppen": ["Dfb", "Dfc", "Cfb", "Cfb", "Af", ""],
    "land_fraction": [1, 0.7, 1, 0.75, 0.1, 1],
})  # fmt: skip
DAYS = {"min_qc": 0.8, "min_days": 30, "first_day": "2002-12-15", "years": [2003]}


@pytest.fixture
def files(tmp_path):
    """Truth plus noise of a size that depends on the model; AA-5 is held out by no protocol."""
    random = np.random.default_rng(0)
    index = pd.MultiIndex.from_product([SITES["site_id"], DATES], names=["site_id", "date"])
    samples = index.to_frame(index=False)
    for flux in ("gpp", "reco", "nee"):
        samples[flux] = random.gamma(2, size=len(samples))
    samples["qc"] = random.choice([0.5, 0.9], len(samples))
    samples.loc[random.random(len(samples)) < 0.1, "gpp"] = np.nan
    samples.to_parquet(tmp_path / "samples.parquet")
    SITES.to_csv(tmp_path / "sites.csv", index=False)
    (tmp_path / "igbp").mkdir()
    held = samples[samples["site_id"] != "AA-5"].drop(columns="qc").assign(fold=0)
    for model, size in {"tamrl": 0.3, "ct_lstm": 1.0}.items():
        for seed in range(2):
            table = held.copy()
            table[["gpp", "reco", "nee"]] = samples[["gpp", "reco", "nee"]].fillna(1)
            table[["gpp", "reco", "nee"]] += random.normal(0, size, (len(table), 3))
            shuffled = table.sample(frac=1, random_state=seed)
            shuffled.to_parquet(tmp_path / "igbp" / f"{model}_{seed}.parquet")
    return tmp_path


def run(folder):
    score_comparison(
        sorted(folder.glob("igbp/*.parquet")), [folder / "samples.parquet"], folder / "sites.csv",
        folder / "scores.csv", folder / "summary.csv", folder / "differences.csv",
        **DAYS, seed=0,
    )  # fmt: skip
    return [pd.read_csv(folder / f"{n}.csv") for n in ("scores", "summary", "differences")]


def usable(folder, model, site, flux):
    """Observed and the mean of both repetitions on the days that count, by hand."""
    samples = pd.read_parquet(folder / "samples.parquet").set_index(["site_id", "date"])
    runs = [
        pd.read_parquet(folder / "igbp" / f"{model}_{k}.parquet").set_index(["site_id", "date"])
        for k in range(2)
    ]
    observed = samples.loc[site][samples.loc[site, "qc"] >= 0.8].loc["2003", flux].dropna()
    return observed, sum(r.loc[site].loc[observed.index, flux] for r in runs) / 2


def test_scores_are_of_the_mean_of_the_repetitions_on_the_days_that_count(files):
    scores, _, _ = run(files)
    assert set(scores["site_id"]) == set(SITES["site_id"]) - {"AA-5"}
    for row in scores[scores["scale"] == "daily"].itertuples():
        observed, predicted = usable(files, row.model, row.site_id, row.flux)
        error = predicted - observed
        assert row.n == len(observed)
        np.testing.assert_allclose(row.rmse, np.sqrt(np.mean(error**2)), rtol=1e-4)
        np.testing.assert_allclose(row.r2, 1 - np.mean(error**2) / np.var(observed), rtol=1e-4)
        np.testing.assert_allclose(row.mean, observed.mean(), rtol=1e-4)


def test_the_summary_tells_of_groups_and_of_repetitions(files):
    scores, summary, _ = run(files)
    scores, rows = (t[(t["model"] == "tamrl") & (t["flux"] == "gpp")] for t in (scores, summary))
    part = scores[scores["scale"] == "daily"].set_index("site_id")
    between_sites = rows[rows["scale"] == "site_mean"].iloc[0]
    rows = rows[rows["scale"] == "daily"]
    found = {(r.group, r.value): r for r in rows.itertuples()}
    value = {group: r for (group, _), r in found.items()}
    assert value["all"].n_sites == 5
    assert value["water"].n_sites == 2  # AA-1 and AA-4: less than three quarters is land
    assert value["wetland"].n_sites == found["igbp", "WET"].n_sites == 2
    assert {v for g, v in found if g == "koppen"} == {"A", "C", "D"}
    np.testing.assert_allclose(value["all"].rmse_median, part["rmse"].median(), rtol=1e-4)
    wet = part.loc[["AA-0", "AA-1"]]
    np.testing.assert_allclose(found["igbp", "WET"].rmse_p10, wet["rmse"].quantile(0.1), rtol=1e-4)
    days = [usable(files, "tamrl", site, "gpp") for site in part.index]
    errors = np.concatenate([predicted - observed for observed, predicted in days])
    np.testing.assert_allclose(value["all"].rmse_pooled, np.sqrt(np.mean(errors**2)), rtol=1e-4)
    means = np.array([(o.mean(), p.mean()) for o, p in days])
    between = 1 - np.mean((means[:, 1] - means[:, 0]) ** 2) / np.var(means[:, 0])
    np.testing.assert_allclose(between_sites["r2_pooled"], between, rtol=1e-3)
    # one repetition errs sqrt(2) times as much as the mean of two independent ones
    ratio = value["all"].rmse_seed_mean / value["all"].rmse_median
    np.testing.assert_allclose(ratio, np.sqrt(2), rtol=0.1)
    assert value["all"].seeds == 2 and np.isnan(value["water"].seeds)


def test_the_better_model_is_told(files):
    _, _, differences = run(files)
    assert set(differences["baseline"]) == {"ct_lstm"} and set(differences["flux"]) == {
        "gpp",
        "reco",
        "nee",
    }
    differences = differences[differences["scale"] == "daily"]
    assert (
        len(differences) == 3
        and (differences["better"] == 1).all()
        and (differences["rmse_paired_high"] < 0).all()
    )
    np.testing.assert_allclose(differences["rmse_mean_relative"], -0.7, atol=0.08)


def test_a_day_that_one_model_cannot_predict_counts_for_none(files):
    path = files / "igbp" / "ct_lstm_0.parquet"
    table = pd.read_parquet(path)
    lost = (table["site_id"] == "AA-2") & (table["date"] >= "2003-06-01")
    table.loc[lost, "reco"] = np.nan
    table.to_parquet(path)
    scores, _, _ = run(files)
    scores = scores[scores["scale"] == "daily"]
    n = scores[scores["site_id"] == "AA-2"].groupby("flux")["n"].unique()
    observed = usable(files, "tamrl", "AA-2", "reco")[0]
    assert n["reco"].tolist() == [(observed.index < "2003-06-01").sum()] and len(n["nee"]) == 1
    assert n["nee"][0] == len(observed)


def test_an_absent_day_and_an_absent_repetition_are_refused(files):
    path = files / "igbp" / "tamrl_1.parquet"
    table = pd.read_parquet(path)
    table[table["site_id"] != "AA-3"].to_parquet(path)
    with pytest.raises(ContractError, match="not predicted"):
        run(files)
    path.unlink()
    with pytest.raises(ContractError, match="repetitions"):
        run(files)
    assert not (files / "scores.csv").exists()


def test_cells_count_by_their_area(tmp_path):
    """Three cells of different weight against the plain formulas on repeated cells."""
    random = np.random.default_rng(3)
    weight = {"cell_1": 1, "cell_2": 3, "cell_3": 1}
    index = pd.MultiIndex.from_product([weight, DATES], names=["site_id", "date"])
    truth = index.to_frame(index=False)
    truth[["gpp", "reco", "nee"]] = random.gamma(2, size=(len(truth), 3))
    predicted = truth.assign(gpp=truth["gpp"] + random.normal(0.2, 1, len(truth)), fold=-1)
    truth["qc"] = (truth["date"].dt.year == 2003).astype(float)
    truth.to_parquet(tmp_path / "samples.parquet")
    pd.Series(weight, name="weight").rename_axis("site_id").to_csv(tmp_path / "c.csv")
    (tmp_path / "igbp").mkdir()
    predicted.to_parquet(tmp_path / "igbp" / "tamrl_0_cells.parquet")
    score_cell_predictions(
        [tmp_path / "igbp" / "tamrl_0_cells.parquet"], [tmp_path / "samples.parquet"],
        tmp_path / "c.csv", tmp_path / "scores.csv",
    )  # fmt: skip
    row = pd.read_csv(tmp_path / "scores.csv").set_index("flux").loc["gpp"]
    in_year = truth["qc"] == 1
    times = truth["site_id"].map(weight)[in_year]
    true = np.repeat(truth["gpp"][in_year], times)
    error = np.repeat(predicted["gpp"][in_year], times) - true
    assert row["protocol"] == "igbp" and row["model"] == "tamrl" and row["n_cells"] == 3
    np.testing.assert_allclose(row["rmse"], np.sqrt(np.mean(error**2)), rtol=1e-4)
    np.testing.assert_allclose(row["bias"], error.mean(), rtol=1e-4)
    np.testing.assert_allclose(row["r2"], 1 - np.mean(error**2) / np.var(true), rtol=1e-4)
