"""Predictions at the towers: every day once, the right look-back window, held-out sites unused."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import tamflux.evaluation.sites as sites_module
from tamflux.errors import ContractError
from tamflux.evaluation.sites import evaluate_sites
from tamflux.variables import IGBP_CLASSES, VEGETATED

SITES = {
    "AA-Tst": ("GRA", 40.0, "test"),
    "BB-Trn": ("GRA", 50.0, "train"),
    "CC-Trn": ("ENF", 60.0, "train"),
}
FEATURES = ("t2m", "ndvi")


class Prediction(NamedTuple):
    mean: np.ndarray
    std: np.ndarray


@dataclass
class Model:
    """A fake ensemble: gpp is the day's t2m, reco the mean t2m of the look-back window."""

    scale: float
    predictors = ("ndvi", "t2m")  # another order than in the table
    lookback_days: int = 365
    static_features = ("igbp_GRA", "igbp_ENF")
    specs: tuple = ()

    @classmethod
    def load(cls, paths, device="cpu"):
        trained = [name for name in SITES if name[0] in str(paths[0]).rpartition("_of_")[2]]
        specs = tuple(SimpleNamespace(training_sites=trained) for _ in paths)
        return cls(scale=1.0 if "tamrl" in str(paths[0]) else 2.0, specs=specs)

    def predict(self, x, static, batch_cells=1024):
        assert static.shape == (len(x), 2)
        t2m = x[..., 1]
        gpp = self.scale * t2m[:, self.lookback_days :]
        reco = np.broadcast_to(t2m[:, : self.lookback_days].mean(1, keepdims=True), gpp.shape)
        mean = np.stack([gpp, reco, reco - gpp], axis=-1)
        return Prediction(mean, np.full_like(mean, 0.1))


def sample_table(year, offset=0.0):
    dates = np.arange(f"{year}-01-01", f"{year + 1}-01-01", dtype="datetime64[D]")
    frames = []
    for k, site in enumerate(SITES):
        frame = pd.DataFrame({"site_id": site, "date": dates.astype("datetime64[ns]")})
        frame["t2m"] = np.float32(100 * k + year - 2000 + np.arange(len(dates)) / 1000)
        frame["ndvi"] = np.float32(0.5)
        observed = 1000.0 if SITES[site][2] == "test" else 2.0
        frame = frame.assign(gpp=observed, reco=3.0, nee=3.0 - observed, qc=1.0)
        frames.append(frame)
    return pd.concat(frames).sample(frac=1, random_state=0)


def write_static(path, classes):
    """Cells of one class each, in one row."""
    fields = {
        f"igbp_{name}": np.array([[c == name for c in classes]], float) for name in IGBP_CLASSES
    }
    fields["land_fraction"] = np.ones((1, len(classes)))
    fields["vegetated_fraction"] = np.array([[float(c in VEGETATED) for c in classes]])
    fields["koppen"] = np.full((1, len(classes)), 25, np.int8)
    coords = {"lat": [50.0], "lon": np.arange(len(classes)) + 0.5}
    data = {name: (("lat", "lon"), values) for name, values in fields.items()}
    xr.Dataset(data, coords).to_netcdf(path)


@pytest.fixture
def evaluate(tmp_path, monkeypatch):
    monkeypatch.setattr(sites_module, "Ensemble", Model)
    rows = [
        {
            "site_id": site,
            "lat": lat,
            "lon": 10.0,
            "row": 0,
            "col": 0,
            "igbp": igbp,
            "koppen": "Dfb",
        }
        | {"split_igbp": role, "col": col}
        | {f"igbp_{name}": float(name == igbp) for name in IGBP_CLASSES}
        for col, (site, (igbp, lat, role)) in enumerate(SITES.items())
    ]

    def run(
        years, train, product, change=lambda frame: frame, classes=("GRA", "GRA", "ENF"), folds=None
    ):
        sites = tmp_path / "sites.csv"
        pd.DataFrame(rows).to_csv(sites, index=False)
        write_static(tmp_path / "static.nc", classes)
        samples = {}
        for year in years:
            samples[year] = tmp_path / f"{year}.parquet"
            change(sample_table(year)).to_parquet(samples[year])
        target = tmp_path / "predictions.parquet"
        evaluate_sites(
            samples,
            sites,
            tmp_path / "static.nc",
            {"tamrl": [Path("tamrl_0"), Path("tamrl_1")], "lstm": [Path("lstm_0")]},
            target,
            train_years=train,
            product_years=product,
            split="folds" if folds else "igbp",
            threads=1,
            folds=folds,
        )
        return pd.read_parquet(target)

    return run


def test_every_site_day_and_model_once(evaluate):
    frame = evaluate([2003, 2004, 2005], [2004], [2005])
    assert len(frame) == 3 * 4 * (366 + 365)
    assert not frame.duplicated(["site_id", "date", "model"]).any()
    assert set(frame.loc[frame["split"] == "test", "site_id"]) == {"AA-Tst"}
    leap_day = frame[frame["date"] == pd.Timestamp("2004-02-29")]
    row = leap_day.query("site_id == 'BB-Trn' and model == 'lstm'").iloc[0]
    assert row["gpp"] == pytest.approx(2 * (100 + 4 + 0.059), rel=1e-6)
    assert row["gpp_obs"] == 2.0
    assert np.isnan(row["nee_std"])  # one member has no standard deviation
    assert frame.loc[frame["model"] == "tamrl", "nee_std"].eq(np.float32(0.1)).all()


def test_the_look_back_window_is_the_year_before_or_else_the_year_itself(evaluate):
    frame = evaluate([2001, 2004, 2005], [2001], [2005])
    tamrl = frame[(frame["model"] == "tamrl") & (frame["site_id"] == "AA-Tst")]
    by_year = tamrl.groupby(tamrl["date"].dt.year)["reco"].first()
    assert by_year[2001] == pytest.approx(1 + 0.182, rel=1e-5)  # its own first 365 days
    assert by_year[2005] == pytest.approx(
        4 + 0.183, rel=1e-5
    )  # the last 365 days of leap year 2004


def test_the_baseline_is_fitted_without_held_out_towers(evaluate):
    frame = evaluate([2001, 2002], [2001, 2002], [2002])
    assert frame.loc[frame["model"] == "msc", "gpp"].max() == pytest.approx(2.0)


def test_land_without_vegetation_has_no_flux_as_in_the_product(evaluate):
    frame = evaluate([2001], [2001], [2001], classes=("BSV", "GRA", "ENF"))
    tamrl = frame[frame["model"] == "tamrl_cell"].groupby("site_id")["gpp"].max()
    assert tamrl["AA-Tst"] == 0 and tamrl["BB-Trn"] > 0


@pytest.mark.parametrize("cut", [slice(1, None), slice(0, 2 * 365)])
def test_a_table_with_a_missing_day_or_site_is_refused(evaluate, cut, tmp_path):
    with pytest.raises(ContractError, match=r"every day of every site(.|\n)*2001.parquet"):
        evaluate(
            [2001], [2001], [2001], lambda table: table.sort_values(["site_id", "date"]).iloc[cut]
        )
    assert not (tmp_path / "predictions.parquet").exists()


def of_folds(*trained):
    """Checkpoints of two models, named after the sites that each was trained on."""
    return {m: [Path(f"{m}_of_{sites}") for sites in trained] for m in ("tamrl", "lstm")}


def test_each_site_of_a_fold_is_predicted_without_it(evaluate, monkeypatch):
    """The model of fold k multiplies by 10 k: the factor says which one predicted a site."""

    def load(paths, device="cpu"):
        sites = str(paths[0]).rpartition("_of_")[2]
        model = Model.load.__func__(Model, paths)
        factor = {"C": 10.0, "AB": 20.0}.get(sites, 1.0)
        return Model(model.scale * factor, specs=model.specs)

    monkeypatch.setattr(sites_module, "Ensemble", SimpleNamespace(load=load))
    frame = evaluate([2001], [2001], [2001], folds=of_folds("C", "AB"))
    first = frame.set_index(["model", "site_id"]).groupby(level=[0, 1])["gpp"].first()
    for scale, model in ((1, "tamrl"), (2, "lstm")):
        assert first[model, "AA-Tst"] == pytest.approx(scale * 10 * 1)
        assert first[model, "BB-Trn"] == pytest.approx(scale * 10 * 101)
        assert first[model, "CC-Trn"] == pytest.approx(scale * 20 * 201)
    assert first["tamrl_cell", "CC-Trn"] == pytest.approx(201)  # the members of the product
    held_out = frame.groupby("model")["split"].unique().map(list).to_dict()
    assert held_out == {m: ["test"] for m in ("msc", "tamrl", "lstm")} | {"tamrl_cell": ["train"]}
    cycle = frame[frame["model"] == "msc"].groupby("site_id")["gpp"].max()
    assert cycle["AA-Tst"] == pytest.approx(2.0)  # it measured 1000, which no other tower did
    assert cycle["CC-Trn"] == pytest.approx(501.0)  # no other ENF: mean of the other two


@pytest.mark.parametrize("folds", [of_folds("AB"), of_folds("A", "B"), of_folds("AC", "AB")])
def test_folds_that_do_not_leave_out_each_tower_once_are_refused(evaluate, folds):
    with pytest.raises(ContractError, match="do not leave out each tower once"):
        evaluate([2001], [2001], [2001], folds=folds)
