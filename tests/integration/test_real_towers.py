"""The real towers from the command line: few sites, short training, both tables."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

REPO = Path(__file__).parents[2]

SMALL = """
real_towers:
  days: "days.parquet"
  sites: "sites.csv"
  folds: 2
  predict_days: "further_days.parquet"
  predict_sites: "further_sites.csv"
model: {hidden_size: 16}
training: {members: 1, pretrain_epochs: 0, epochs: 15, batch_size: 4, learning_rate: 0.01}
"""


def real_towers(folder: Path, *overlays: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "real_towers"]
    command += ["-s", str(REPO / "Snakefile"), "--directory", str(folder)]
    command += ["--configfile", str(REPO / "config.yaml"), *map(str, overlays)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.realdata
def test_folds_and_further_sites(shared_data, tmp_path):
    folder = shared_data / "fluxnet2015"
    days = pd.read_parquet(folder / "site_days.parquet")
    sites = pd.read_csv(folder / "sites.csv")
    forests = sites[(sites["IGBP"] == "DBF") & (sites["n_good"] > 600)].sort_values("site_id")
    first, further = forests.iloc[:8].copy(), forests.iloc[8:10].drop(columns="fold")
    first["fold"] = [0, 1] * 4
    for name, table in {"": first, "further_": further}.items():
        of_table = days["site_id"].isin(table["site_id"]) & (days["date"] >= "2003-01-01")
        days[of_table].to_parquet(tmp_path / f"{name}days.parquet")
        table.to_csv(tmp_path / f"{name}sites.csv", index=False)
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(SMALL)
    result = real_towers(tmp_path, REPO / "workflow/config/fluxnet2015.yaml", overlay)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]

    results = tmp_path / "results/real_towers"
    predictions = pd.read_parquet(results / "predictions.parquet")
    assert predictions.groupby("fold")["site_id"].nunique().to_dict() == {-1: 2, 0: 4, 1: 4}
    assert not predictions.isna().any(axis=None)
    for name, n_sites in {"scores": 8, "zero_shot_scores": 2}.items():
        scores = pd.read_csv(results / f"{name}.csv")
        assert scores["site_id"].nunique() == n_sites and set(scores["flux"]) == {
            "gpp", "gpp_dt", "reco", "nee",
        }  # fmt: skip
    intervals = pd.read_csv(results / "intervals.csv").query("group == 'all' and level == 0.9")
    assert set(intervals["protocol"]) == {"folds", "zero_shot"}
    assert (predictions.filter(like="_pi90_halfwidth") > 0).all(axis=None)
    # the season of a deciduous forest is easily learnt from other deciduous forests
    summary = pd.read_csv(results / "summary.csv").query("group == 'all'")
    summary = summary.set_index(["protocol", "flux", "scale"])
    assert summary.loc[("folds", "gpp", "daily"), "r2_median"] > 0.3
    assert summary.loc[("folds", "gpp", "seasonal"), "r2_median"] > 0.3
    assert "GPP" in (results / "tables.md").read_text() and (results / "skill.png").exists()


def test_without_a_site_table(tmp_path):
    result = real_towers(tmp_path)
    assert result.returncode != 0
    assert "no section real_towers" in result.stdout + result.stderr
