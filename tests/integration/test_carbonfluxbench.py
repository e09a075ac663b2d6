"""`snakemake compare_models` on small files of CarbonFluxBench's schema, with small models."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from benchmark_files import N_DAYS, write_benchmark

SMALL = """
model: {hidden_size: 8}
training: {pretrain_epochs: 0, epochs: 2, batch_size: 8, learning_rate: 0.01}
comparison: {models: [lightgbm, tamrl], seeds: 1}
"""

REPO = Path(__file__).parents[2]
CONFIG = REPO / "workflow/config/carbonfluxbench.yaml"


@pytest.fixture
def folder(tmp_path):
    files = tmp_path / "data/carbonfluxbench"
    files.mkdir(parents=True)
    write_benchmark(files)
    (tmp_path / "overlay.yaml").write_text(SMALL)
    return tmp_path


def snakemake(folder: Path, *args: str) -> str:
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "compare_models", *args]
    command += ["-s", str(REPO / "Snakefile"), "--directory", str(folder)]
    command += ["--configfile", str(REPO / "config.yaml"), str(CONFIG), "overlay.yaml"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return f"{result.returncode}\n{result.stdout}{result.stderr}"


def test_the_plan_reads_the_benchmark_and_nothing_of_the_demo(folder):
    plan = snakemake(folder, "-n", "--quiet", "rules")
    counts = {w[0]: w[1] for line in plan.splitlines() if len(w := line.split()) == 2}
    assert counts["read_carbonfluxbench"] == "1", plan
    assert counts["draw_folds"] == "2"  # the benchmark's two splits
    # tamrl has the settings of the configuration; the baseline searches for its own
    assert counts["search_settings"] == "1" and counts["compare_model"] == "4", plan
    assert not {name for name in counts if "simulate" in name or "extract" in name}


def test_a_missing_file_is_named(folder):
    (folder / "data/carbonfluxbench/ERA5.parquet").unlink()
    output = snakemake(folder, "-n")
    assert output[0] != "0" and "data/carbonfluxbench/ERA5.parquet" in output


def test_held_out_sites_are_predicted(folder):
    output = snakemake(folder)
    assert output[0] == "0", output[-4000:]
    sites = pd.read_csv(folder / "results/carbonfluxbench/sites.csv")
    samples = pd.read_parquet(folder / "results/carbonfluxbench/samples.parquet")
    for split in ("igbp", "koppen"):
        results = folder / f"results/comparison/carbonfluxbench_{split}"
        test = sites["site_id"][sites[f"split_{split}"] == "test"]
        for model in ("lightgbm", "tamrl"):
            predicted = pd.read_parquet(results / f"{model}_0.parquet")
            assert set(predicted["site_id"]) == set(test)
            assert len(predicted) == samples["site_id"].isin(test).sum()
            assert predicted[["gpp", "reco", "nee"]].notna().all(axis=None)
    scores = pd.read_csv(folder / "results/comparison/scores.csv")
    scores = scores[scores["scale"] == "daily"]
    assert (scores["n"] == N_DAYS).all()  # every day has a quality of 1
    trees = scores[(scores["model"] == "lightgbm") & (scores["flux"] == "reco")]
    assert trees["r2"].median() > 0.5  # respiration follows the temperature
