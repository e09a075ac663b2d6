"""A tower's own file through a small model: filled, adapted, and refused where it cannot be."""

import numpy as np
import pandas as pd
import pytest
import torch

from tamflux.adaptation.correction import Correction
from tamflux.adaptation.features import N_COEFFICIENTS, daily_conditions
from tamflux.adaptation.tower import adapt_tower
from tamflux.errors import InputError
from tamflux.predictors.static import STATIC_FEATURES
from tamflux.samples.samples import load_samples
from tamflux.samples.site_table import convert_site_table
from tamflux.training.checkpoint import ModelSpec
from tamflux.training.ensemble import Ensemble
from tamflux.variables import PREDICTORS

NAMES = ("t2m", "vpd", "ssrd", "tp", "evi", "ssrd_pot", "day_length")
SITE = {"lat": 62.0, "lon": 25.0, "igbp": "ENF"}


@pytest.fixture(scope="module")
def ensemble():
    torch.manual_seed(0)
    n = len(NAMES)
    spec = ModelSpec(
        model="tamrl", hidden_size=4, embedding_size=2, trees=0, lookback_days=365,
        predictors=NAMES, units=tuple(PREDICTORS[name].units for name in NAMES),
        static_features=STATIC_FEATURES, optional=("tp", "evi"), monthly=("tp",),
        mean=(10, 5, 150, 2, 0.3, 200, 12), sd=(8, 4, 90, 3, 0.2, 100, 4)[:n],
        flux_scale=(3, 2, 2), training_sites=("AA-One",),
    )  # fmt: skip
    return Ensemble([spec.network()], [spec])


@pytest.fixture(scope="module")
def correction():
    covariance = np.tile(0.2 * np.eye(N_COEFFICIENTS), (3, 1, 1))
    return Correction(np.zeros((3, N_COEFFICIENTS)), covariance, np.full(3, 0.05))


def write_tower(folder, name="FLX_FI-Tst_FLUXNET2015_SUBSET_DD_2010-2011_1-4.csv"):
    """Two years of a daily ONEFlux table; half of the days are well measured."""
    days = pd.date_range("2010-01-01", "2011-12-31")
    random = np.random.default_rng(0)
    season = 1 - np.cos(2 * np.pi * (days.day_of_year - 15) / 365)
    gpp, reco = 4 * season + 0.3 * random.random(len(days)), 2 * season + 0.5
    table = pd.DataFrame({
        "TIMESTAMP": days.strftime("%Y%m%d"), "TA_F": 10 * season - 3, "VPD_F": 2 * season + 1,
        "SW_IN_F": 60 * season + 2, "P_F": random.gamma(1, 2, len(days)), "NEE_VUT_REF": reco - gpp,
        "NEE_VUT_REF_QC": np.where(np.arange(len(days)) % 2, 1.0, 0.3),
        "GPP_NT_VUT_REF": gpp, "RECO_NT_VUT_REF": reco,
    })  # fmt: skip
    table.to_csv(folder / name, index=False)
    return folder / name


def test_a_record_is_filled_and_adapted(ensemble, correction, tmp_path):
    path = write_tower(tmp_path)
    series = adapt_tower([path], ensemble, correction, tmp_path / "out.csv", SITE)
    assert len(series) == 730 and series[["gpp", "reco", "nee"]].notna().all(axis=None)
    assert series["used"].sum() == 365
    np.testing.assert_allclose(series["nee"], series["reco"] - series["gpp"], atol=1e-9)
    used = series[series["used"]]
    for flux in ("gpp", "reco", "nee"):
        before = (used[f"{flux}_zero_shot"] - used[f"{flux}_observed"]).abs().mean()
        assert (used[flux] - used[f"{flux}_observed"]).abs().mean() < 0.5 * before
    assert pd.read_csv(tmp_path / "out.csv").columns.tolist() == list(series)


def test_files_that_are_not_those_of_one_described_tower(ensemble, correction, tmp_path):
    path, out = write_tower(tmp_path), tmp_path / "out.csv"
    with pytest.raises(InputError, match="one usable tower"):
        adapt_tower([path], ensemble, correction, out, {})
    other = write_tower(tmp_path, "FLX_FI-Two_FLUXNET2015_SUBSET_DD_2010-2011_1-4.csv")
    with pytest.raises(InputError, match="one usable tower") as caught:
        adapt_tower([path, other], ensemble, correction, out, SITE)
    assert "FI-Tst, FI-Two" in str(caught.value)
    with pytest.raises(InputError, match="climate class"):
        adapt_tower([path], ensemble, correction, out, SITE | {"lat": 0.0, "lon": -30.0})
    assert not out.exists()


def test_conditions_are_the_moving_averages_by_brute_force(tmp_path):
    days = pd.date_range("2009-01-01", "2010-12-31")
    random = np.random.default_rng(1)
    t2m = random.normal(10, 8, len(days))
    table = pd.DataFrame({"site_id": "FI-Tst", "date": days, "t2m": t2m, "vpd": 5.0, "ssrd": 50.0})
    table.to_parquet(tmp_path / "days.parquet")
    sites = pd.DataFrame([{"site_id": "FI-Tst", "lat": -40.0, "lon": 20.0, "IGBP": "ENF"}])
    sites.assign(koppen="Dfc").to_csv(tmp_path / "sites.csv", index=False)
    out = tmp_path / "samples.parquet", tmp_path / "out.csv"
    convert_site_table(tmp_path / "days.parquet", tmp_path / "sites.csv", *out, n_folds=None)
    samples = load_samples(out[:1], out[1])
    n = len(samples.predictors)
    mean, sd = np.zeros(n), np.ones(n)
    mean[samples.predictors.index("t2m")], sd[samples.predictors.index("t2m")] = 10, 8
    conditions = daily_conditions(samples, mean, sd)
    scaled = (t2m - 10) / 8
    second = days.year == 2010
    average, expected = scaled[:365].mean(), np.empty(len(days))
    for day, value in enumerate(scaled):
        average += (1 - np.exp(-1 / 20)) * (value - average)
        expected[day] = average
    np.testing.assert_allclose(conditions[second, 0], scaled[second].clip(-3, 3), atol=1e-5)
    np.testing.assert_allclose(conditions[second, 4], expected[second], atol=1e-4)
    phase = 2 * np.pi * days.day_of_year / 365.25 + np.pi  # southern hemisphere
    np.testing.assert_allclose(conditions[:, -2], np.sin(phase), atol=1e-5)
    assert (conditions[:, 3] == 0).all()  # no EVI in the table
