"""Folds of a site table: a site's fluxes never reach its own prediction."""

import numpy as np
import pandas as pd
import pytest

from tamflux.errors import ContractError
from tamflux.samples.site_table import convert_site_table
from tamflux.training.ensemble import Ensemble
from tamflux.training.real_towers import predict_real_towers, train_real_member

MODEL = {"hidden_size": 8, "embedding_size": 4, "trees": 3, "balance_weight": 0.1}
TRAINING = {
    "pretrain_epochs": 0,
    "epochs": 1,
    "batch_size": 4,
    "learning_rate": 0.01,
    "device": "cpu",
}
N_DAYS = 430


def write_table(folder, site_ids, seed, scale=None, fluxes=True):
    """A site table with light-driven fluxes; `scale` multiplies those of single sites."""
    random = np.random.default_rng(seed)
    parts = []
    for site in site_ids:
        date = pd.date_range("2003-01-01", periods=N_DAYS)
        season = np.sin(2 * np.pi * (date.day_of_year - 100) / 365)
        light = 150 + 100 * season + random.uniform(0, 40, N_DAYS)
        gpp = light / 40 * (scale or {}).get(site, 1)
        day = {
            "site_id": site, "date": date, "TA": 10 + 10 * season, "TA_MIN": 5 + 10 * season,
            "TA_MAX": 15 + 10 * season, "SW_IN": light, "VPD": 5 + season,
            "P_MONTH": 2 + season, "LAI_CLIM": 2 + season, "T2M_CLIM": 10 + 10 * season,
            "TP_CLIM": 60 + 10 * season,
        }  # fmt: skip
        if fluxes:
            day |= {"GPP_NT": gpp, "RECO_NT": gpp / 2, "NEE": -gpp / 2, "NEE_QC": 1.0}
        parts.append(pd.DataFrame(day))
    pd.concat(parts).to_parquet(folder / "days.parquet")
    n = len(site_ids)
    sites = {
        "site_id": site_ids, "lat": np.linspace(30, 60, n), "lon": 0.0,
        "IGBP": ["GRA", "ENF"] * (n // 2), "koppen": "Cfb", "fold": np.arange(n) % 2,
    }  # fmt: skip
    pd.DataFrame(sites).to_csv(folder / "sites.csv", index=False)


def prepare(folder, site_ids, n_folds=2, **kwargs):
    folder.mkdir()
    write_table(folder, site_ids, **kwargs)
    paths = folder / "samples.parquet", folder / "samples_sites.csv"
    convert_site_table(folder / "days.parquet", folder / "sites.csv", *paths, n_folds=n_folds)
    return paths


def train(paths, folder, fold, member=0):
    checkpoint = folder / f"{fold}_{member}.safetensors"
    curve = folder / f"{fold}_{member}.csv"
    train_real_member(
        *paths, checkpoint, curve, fold=fold, member=member, seed=1, monthly=["tp"], model=MODEL,
        training=TRAINING, code="test", threads=1,
    )  # fmt: skip
    return checkpoint


def predict(tables, checkpoints, path):
    samples, sites = zip(*tables, strict=True)
    predict_real_towers(samples, sites, checkpoints, path, threads=1)
    return pd.read_parquet(path)


FIRST = ["AA", "BB", "CC", "DD", "EE", "FF"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("real_towers")
    table = prepare(folder / "first", FIRST, seed=0)
    members = {fold: [train(table, folder, fold, m) for m in (0, 1)] for fold in (0, 1)}
    members[-1] = [train(table, folder, None, m) for m in (0, 1)]
    return folder, table, members


def test_every_site_day_is_predicted_once(trained):
    folder, table, members = trained
    result = predict([table], {0: members[0], 1: members[1]}, folder / "predictions.parquet")
    assert result.columns.tolist() == [
        "site_id", "date", "fold", "gpp", "reco", "nee", "gpp_std", "reco_std", "nee_std",
    ]  # fmt: skip
    assert len(result) == len(FIRST) * N_DAYS and not result.isna().any(axis=None)
    assert not result.duplicated(["site_id", "date"]).any()
    np.testing.assert_allclose(result["reco"] - result["gpp"], result["nee"], atol=1e-5)
    assert (result[["gpp_std", "nee_std"]].mean() > 0).all()
    assert result.groupby("site_id")["fold"].first().tolist() == [0, 1, 0, 1, 0, 1]


def test_fluxes_of_a_site_do_not_reach_its_own_prediction(trained, tmp_path):
    folder, table, members = trained
    before = predict([table], {f: members[f] for f in (0, 1)}, folder / "before.parquet")
    other = prepare(tmp_path / "other", FIRST, seed=0, scale={"AA": 3.0})
    again = {fold: [train(other, tmp_path, fold, m) for m in (0, 1)] for fold in (0, 1)}
    after = predict([other], again, tmp_path / "after.parquet")
    same = (before["gpp"] - after["gpp"]).abs().groupby(before["site_id"]).max()
    assert same[["AA", "CC", "EE"]].max() == 0  # fold 0: AA was not among their training sites
    assert same[["BB", "DD", "FF"]].min() > 0  # fold 1 did learn from AA


def test_second_table_without_fluxes(trained, tmp_path):
    _, table, members = trained
    second = prepare(tmp_path / "second", ["XX", "YY"], n_folds=None, seed=5, fluxes=False)
    result = predict([table, second], members, tmp_path / "predictions.parquet")
    assert result.groupby("fold")["site_id"].nunique().to_dict() == {-1: 2, 0: 3, 1: 3}
    further = result[result["fold"] == -1]
    assert len(further) == 2 * N_DAYS and further["gpp"].notna().all()


def test_neighbours_of_the_held_out_sites_do_not_train(trained, tmp_path):
    _, (samples, sites_path), _ = trained
    sites = pd.read_csv(sites_path)
    near = sites["site_id"] == "BB"  # fold 1, now beside AA of fold 0
    sites.loc[near, "lat"] = sites.loc[sites["site_id"] == "AA", "lat"].item() + 0.01
    sites.to_csv(tmp_path / "sites.csv", index=False)
    ensemble = Ensemble.load([train((samples, tmp_path / "sites.csv"), tmp_path, fold=0)])
    assert ensemble.specs[0].training_sites == ("DD", "FF")


def test_a_leak_is_refused(trained, tmp_path):
    _, table, members = trained
    with pytest.raises(ContractError, match="trained on sites that it is to predict") as caught:
        predict([table], {0: members[1], 1: members[0]}, tmp_path / "predictions.parquet")
    assert "AA" in str(caught.value)
    assert not (tmp_path / "predictions.parquet").exists()
