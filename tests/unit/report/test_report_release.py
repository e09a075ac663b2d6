"""A released model: the folder is whole, says what it is, and every damage to it is named."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from calibrations import make_calibration
from safetensors.torch import load_file

from tamflux.check import NOTE, OK, WRONG, _model_rows
from tamflux.errors import ConfigError, ContractError
from tamflux.predictors.static import STATIC_FEATURES
from tamflux.released import MANIFEST, ReleasedModel, adopt_model
from tamflux.report.release import NETWORKS, SITE_COLUMNS, list_towers, release_model
from tamflux.training.checkpoint import ModelSpec, save_checkpoint
from tamflux.training.ensemble import Ensemble
from tamflux.uncertainty.calibration import GROSS_FLUX_KNOTS, Calibration
from tamflux.uncertainty.feature_space import FeatureSpace
from tamflux.variables import FLUXES, PREDICTORS

NAMES = ("t2m", "ssrd", "tp", "lai")
SITES = ("AU-Tum", "CA-Qfo", "DE-Tha", "US-Ha1")


def cube(variables):
    return {"predictors": {"variables": list(variables)}}


def write_trained(folder):
    """What a finished run leaves: two members, calibration, feature space, sites and scores."""
    folder.mkdir()
    for seed in (0, 1):
        spec = ModelSpec(
            model="tamrl", hidden_size=4, embedding_size=2, trees=2, lookback_days=365,
            predictors=NAMES, units=tuple(PREDICTORS[name].units for name in NAMES),
            static_features=STATIC_FEATURES, optional=("lai",), monthly=("tp",),
            mean=(10, 150, 2, 1), sd=(8, 90, 3, 1), flux_scale=(3, 2, 2), training_sites=SITES,
            provenance={"seed": seed, "code": "c", "model": {"trees": 2}, "training": {}},
        )  # fmt: skip
        save_checkpoint(folder / f"m{seed}.safetensors", spec.network(), spec)
    calibration = make_calibration([1.0] * len(GROSS_FLUX_KNOTS))
    replace(calibration, about={"towers": 4, "folds": 2}).save(folder / "c.json")
    features = np.random.default_rng(0).normal(0, 1, (4, 6)).astype(np.float32)
    FeatureSpace.from_towers(SITES, np.array([0, 1, 0, 1]), features).save(folder / "f.safetensors")
    pd.DataFrame(
        {
            "site_id": [*SITES, "ZZ-Not"], "lat": 1.123456789, "lon": 2.0,
            "igbp": ["EBF", "ENF", "ENF", "DBF", "GRA"], "koppen": "Cfb",
        }
    ).to_csv(folder / "sites.csv", index=False)  # fmt: skip
    rows = [
        {"protocol": p, "model": "tamrl", "flux": flux, "scale": s, "group": "all", "value": "",
         "n_sites": 4, "r2_median": r2, "rmse_median": 1.0, "bias_median": 0.0}
        for flux in FLUXES
        for p, s, r2 in [("folds", "daily", 0.61), ("folds", "weekly", 0.7),
                         ("zero_shot", "daily", 0)]
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(folder / "summary.csv", index=False)
    return folder


def release(trained, folder):
    members = [trained / f"m{seed}.safetensors" for seed in (0, 1)]
    release_model(
        members, trained / "c.json", trained / "f.safetensors", trained / "sites.csv",
        trained / "summary.csv", folder, name="toy", network="FLUXNET2015",
    )  # fmt: skip
    return folder


def test_what_adapts_the_model_to_a_tower_is_released_too(tmp_path):
    trained = write_trained(tmp_path / "trained")
    (trained / "correction.json").write_text("{}")
    members = [trained / f"m{seed}.safetensors" for seed in (0, 1)]
    folder = tmp_path / "with_correction"
    release_model(
        members, trained / "c.json", trained / "f.safetensors", trained / "sites.csv",
        trained / "summary.csv", folder, name="toy", network="FLUXNET2015",
        correction=trained / "correction.json",
    )  # fmt: skip
    assert "correction.json" in ReleasedModel.read(folder).sha256
    (folder / "correction.json").write_text("{1}")
    with pytest.raises(ContractError, match="is damaged"):
        ReleasedModel.read(folder).verify(folder)


@pytest.fixture
def released(tmp_path):
    return release(write_trained(tmp_path / "trained"), tmp_path / "models" / "toy")


def adopt(folder, target, variables=NAMES):
    members = [target / f"tamrl_{number}.safetensors" for number in (0, 1)]
    adopt_model(
        folder, members, target / "c.json", target / "f.safetensors", target / "card.md",
        variables=variables, static_features=STATIC_FEATURES,
    )  # fmt: skip
    return members


def test_the_adopted_model_is_the_one_that_was_released(released, tmp_path):
    members = adopt(released, tmp_path / "run")
    for number, path in enumerate(members):
        original = load_file(tmp_path / f"trained/m{number}.safetensors")
        for name, tensor in load_file(path).items():
            np.testing.assert_array_equal(tensor, original[name])
    ensemble = Ensemble.load(members)
    assert ensemble.monthly == ("tp",) and ensemble.optional == ("lai",)
    assert FeatureSpace.load(tmp_path / "run/f.safetensors").site_ids == SITES
    Calibration.load(tmp_path / "run/c.json")


def test_sites_and_card_name_network_licence_scores_and_gaps(released):
    sites = pd.read_csv(released / "sites.csv")
    assert list(sites["site_id"]) == list(SITES)  # not those that trained nothing
    assert set(sites["network"]) == {"FLUXNET2015"} and set(sites["licence"]) == {"CC-BY-4.0"}
    card = (released / "model_card.md").read_text()
    assert "| gpp | 4 | 0.61 | 1.00 | 0.00 |" in card and "0.70" not in card
    assert NETWORKS["FLUXNET2015"][1] in card
    assert "Averaged over calendar months, in training and in prediction: tp." in card
    assert "a cube has ERA5" in card
    hardly_known = next(line for line in card.splitlines() if "Fewer than 3" in line)
    assert "ENF" in hardly_known and "CRO" in hardly_known  # 2 and 0 sites
    assert "Cfb" not in hardly_known and "Cfa" in hardly_known  # 4 and 0
    assert "ZZ-Not" not in card


def test_the_same_model_gives_the_same_folder(released, tmp_path):
    again = release(tmp_path / "trained", tmp_path / "again")
    for path in released.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes()


@pytest.mark.parametrize("damage", ["remove", "change"])
@pytest.mark.parametrize(
    "name",
    ["member_1.safetensors", "calibration.json", "feature_space.safetensors", "sites.csv",
     "model_card.md"],
)  # fmt: skip
def test_a_missing_or_damaged_file_is_named_and_nothing_is_adopted(
    released, tmp_path, name, damage
):
    path = released / name
    if damage == "remove":
        path.unlink()
    else:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    with pytest.raises(ContractError, match=name) as error:
        adopt(released, tmp_path / "run")
    assert ("missing" if damage == "remove" else "damaged") in str(error.value)
    assert not (tmp_path / "run").exists()
    assert _model_rows(str(released), cube(NAMES))[0]["verdict"] == WRONG


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"units": {}}', "\xff"])
def test_a_broken_list_is_refused(released, text):
    (released / MANIFEST).write_text(text, encoding="latin-1")
    with pytest.raises(ContractError, match=r"model\.json"):
        ReleasedModel.read(released)


def test_a_file_outside_the_folder_is_refused(released):
    path = released / MANIFEST
    fields = json.loads(path.read_text())
    fields["sha256"]["../sites.csv"] = fields["sha256"]["sites.csv"]
    path.write_text(json.dumps(fields))
    with pytest.raises(ContractError, match="outside"):
        ReleasedModel.read(released)


def test_a_folder_that_is_not_there_is_a_mistake_of_the_configuration(tmp_path):
    with pytest.raises(ConfigError, match=r"inference\.model"):
        ReleasedModel.read(tmp_path / "nowhere")


def test_check_says_what_the_cube_lacks(released):
    assert [row["verdict"] for row in _model_rows(str(released), cube(NAMES))] == [OK]
    (row,) = _model_rows(str(released), cube(["t2m", "lai"]))
    assert row["verdict"] == WRONG and "ssrd, tp" in row["problem"]
    assert "predictors.variables" in row["problem"]
    rows = _model_rows(str(released), cube(["t2m", "ssrd", "tp"]))
    assert [row["verdict"] for row in rows] == [OK, NOTE] and "lai" in rows[1]["problem"]


def test_another_unit_or_an_unknown_static_feature_is_noticed(released):
    path = released / MANIFEST
    fields = json.loads(path.read_text())
    fields["units"]["t2m"] = "K"
    fields["static_features"].append("climate_lai_mean")
    path.write_text(json.dumps(fields))
    problems = " ".join(row["problem"] for row in _model_rows(str(released), cube(NAMES)))
    assert "climate_lai_mean" in problems and "found: K" in problems and "degC" in problems


def test_the_list_of_towers_has_what_their_networks_ask_for(tmp_path):
    trained = write_trained(tmp_path / "trained")
    towers = pd.DataFrame({
        "site_id": [*SITES, "ZZ-Not"], "doi": ["10.1/a", None, None, None, "10.1/z"],
        "network": ["ICOS", "FLUXNET2015; AmeriFlux", "Unheard", "ICOS", "ICOS"],
        "citation": ["A. Author (2020)", None, None, None, None],
    })  # fmt: skip
    towers.to_csv(trained / "towers.csv", index=False)
    given = {
        "members": [trained / "m0.safetensors"], "sites": trained / "sites.csv",
        "towers": trained / "towers.csv",
    }  # fmt: skip
    list_towers(tmp_path / "list.csv", **given)
    table = pd.read_csv(tmp_path / "list.csv").set_index("site_id")
    assert [table.index.name, *table] == list(SITE_COLUMNS) and list(table.index) == list(SITES)
    assert table.loc["AU-Tum", ["doi", "licence"]].tolist() == ["10.1/a", "CC-BY-4.0"]
    assert table.loc["AU-Tum", "citation"] == f"A. Author (2020) {NETWORKS['ICOS'][1]}"
    both = table.loc["CA-Qfo", "citation"]
    assert NETWORKS["FLUXNET2015"][1] in both and NETWORKS["AmeriFlux"][1] in both
    assert table.loc["DE-Tha", "licence"] == "unknown" and pd.isna(table.loc["DE-Tha", "citation"])
    list_towers(tmp_path / "demo.csv", **given, demo=True)
    assert (pd.read_csv(tmp_path / "demo.csv")["licence"] == "none: synthetic").all()


def test_the_towers_of_a_released_model_are_listed_from_its_folder(tmp_path):
    folder = release(write_trained(tmp_path / "trained"), tmp_path / "toy")
    list_towers(tmp_path / "list.csv", folder)
    table = pd.read_csv(tmp_path / "list.csv")
    assert table["site_id"].tolist() == list(SITES)
    assert (table["citation"] == NETWORKS["FLUXNET2015"][1]).all()
    old = pd.read_csv(folder / "sites.csv").drop(columns=["doi", "citation"])
    old.to_csv(folder / "sites.csv", index=False)  # of a model that was released before
    list_towers(tmp_path / "old.csv", folder)
    assert (tmp_path / "old.csv").read_bytes() == (tmp_path / "list.csv").read_bytes()
