"""The model card says of the ensemble what its files say."""

import json

import pandas as pd
import torch

from tamflux.report.model_card import write_model_card
from tamflux.training.checkpoint import ModelSpec, save_checkpoint


def write_inputs(folder, model="tamrl", static_names=(), split="igbp"):
    provenance = {"code": "c0de", "split": split, "model": {"trees": 0}, "training": {"epochs": 3}}
    paths = []
    for member in range(2):
        spec = ModelSpec(model, 4, 2, 0, 365, ("t2m",), ("degC",), ("igbp_ENF", *static_names),
                         (1.0,), (2.0,), (1.0, 1.0, 1.0), ("AA-A", "BB-B"),
                         provenance=provenance | {"seed": 40 + member})  # fmt: skip
        torch.manual_seed(member)
        paths.append(folder / f"tamrl_{member}.safetensors")
        save_checkpoint(paths[-1], spec.network(), spec)
    sites = pd.DataFrame(
        {
            "site_id": ["AA-A", "BB-B", "CC-C", "DD-D"],
            "igbp": ["ENF", "GRA", "GRA", "CRO"],
            "split_igbp": ["train", "train", "test", "train"],  # DD-D had no days to train on
        }
    )
    sites.to_csv(folder / "sites.csv", index=False)
    scores = [
        {"model": model, "flux": flux, "group": group, "n_sites": 1, "r2_q50": r2,
         "rmse_q50": 1.255, "bias_q50": -0.5}
        for model, r2 in [("msc", 0.11), ("tamrl", 0.77), ("lstm", 0.66)]
        for flux in ("gpp", "reco", "nee")
        for group in ("all", "igbp")
    ]  # fmt: skip
    pd.DataFrame(scores).to_csv(folder / "scores.csv", index=False)
    about = {"about": {"towers": 3, "folds": 2}}
    (folder / "calibration.json").write_text(json.dumps(about))
    of_sites = [
        {"model": model, "flux": flux, "site_id": k, "r2": 0.7 + k / 100}
        for model, n in [("tamrl", 6), ("lstm", 4)]
        for flux in ("gpp", "reco", "nee")
        for k in range(n)
    ]
    pd.DataFrame(of_sites).to_csv(folder / "site_scores.csv", index=False)
    names = ("sites.csv", "scores.csv", "site_scores.csv", "calibration.json")
    return paths, *(folder / name for name in names)


def card(folder, demo=False, **options):
    output = folder / "card.md"
    write_model_card(*write_inputs(folder, **options), output, years=[2001, 2002], demo=demo)
    return output.read_text()


def rows(text, heading):
    table = text.split(heading)[1].split("\n\n")
    lines = next(part for part in table if part.lstrip().startswith("|")).strip().splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_card_says_what_the_files_say(tmp_path):
    text = card(tmp_path)
    assert "TAM-RL, 2 members" in text and "Seeds of the members: 40, 41." in text
    assert "epochs 3, trees 0" in text and "2001, 2002" in text and "c0de" in text
    assert "3 towers in 2 folds" in text and "Training sites: AA-A, BB-B." in text
    assert "off: none" in text and "simulated" not in text


def test_sites_are_counted_by_class(tmp_path):
    found = rows(card(tmp_path), "Years of training")
    assert found == [["CRO", "0", "0"], ["ENF", "1", "0"], ["GRA", "1", "1"]]


def test_scores_are_those_over_all_sites_of_the_networks(tmp_path):
    found = rows(card(tmp_path), "## Scores")
    assert [row[:2] for row in found] == [
        [model, flux] for model in ("tamrl", "lstm") for flux in ("gpp", "reco", "nee")
    ]
    # with six sites the interval of the median is the range; four sites have none
    assert found[0][2:] == ["1", "0.77", "0.70 to 0.75", "1.25", "-0.50"]
    assert found[3][4] == "-"


def test_static_predictors_of_the_user_are_named(tmp_path):
    assert "(land cover, climate group)." in card(tmp_path)
    assert "(land cover, climate group, extra_height)." in card(
        tmp_path, static_names=["extra_height"]
    )


def test_an_ablation_and_the_demo_are_named(tmp_path):
    text = card(tmp_path, demo=True, model="tamrl_without_trees")
    assert "off: trees" in text and "simulated" in text


def test_folds_are_named(tmp_path):
    text = card(tmp_path, split="folds")
    assert "4 held-out sites (split `folds`): each is scored with a member" in text
    assert rows(text, "Years of training") == [
        ["CRO", "0", "1"],
        ["ENF", "1", "1"],
        ["GRA", "1", "2"],
    ]
    assert "each is scored" not in card(tmp_path)
