"""Tables, figures and page of the comparison: every model, nothing loaded from elsewhere."""

import re
import struct

import numpy as np
import pandas as pd
import pytest

from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.evaluation.paired import paired_differences
from tamflux.evaluation.scales import summarise
from tamflux.figures.comparison_figures import plot_comparison
from tamflux.report.comparison_report import write_comparison, write_site_tables

MODELS = {"tamrl": 1.0, "xgboost": 1.25, "tamrl_without_moving_averages": 1.1}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Two protocols, a model unknown to the page, and a class without a name."""
    folder = tmp_path_factory.mktemp("comparison")
    random = np.random.default_rng(0)
    keys = ["protocol", "model", "flux", "scale", "site_id"]
    sites = [f"AA-{k}" for k in range(12)]
    levels = [
        ["block", "igbp"],
        MODELS,
        [*FLUX_NAMES, "gpp_dt"],
        ["daily", "anomaly", "site_mean"],
        sites,
    ]
    index = pd.MultiIndex.from_product(levels, names=keys)
    scores = index.to_frame(index=False)
    metrics = ["r2", "nmae", "rae", "bias", "mean", "sd"]
    scores[metrics] = random.uniform(0, 1, (len(scores), len(metrics)))
    number = scores["site_id"].str[3:].astype(int)
    scores = scores.assign(
        n=100, rmse=(1 + number / 10) * scores["model"].map(MODELS), cluster=number,
        igbp=np.where(number < 3, "WET", "-"), koppen=np.where(number < 5, "A", "D"),
        wetland=number < 3, water=number > 9,
    )  # fmt: skip
    seeds = {"seeds": 3, "rmse_seed_mean": 1.5, "rmse_seed_sd": 0.1}
    summarise(scores, keys[:2]).assign(**seeds).to_csv(folder / "summary.csv", index=False)
    paired_differences(scores, 0).to_csv(folder / "differences.csv", index=False)
    cells = pd.DataFrame([("igbp", model, flux, 9, 0.5, 1.0, 0.1, 0.25)
                          for model in MODELS for flux in FLUX_NAMES])  # fmt: skip
    cells.columns = ["protocol", "model", "flux", "n_cells", "r2", "rmse", "bias", "between_r2"]
    cells.to_csv(folder / "cells.csv", index=False)
    (folder / "xgboost.json").write_text('{"settings": {}, "candidates": [1, 2, 3, 4, 5]}')
    figures = [folder / f"{name}.png" for name in ("differences", "errors", "skill")]
    tables = (folder / "summary.csv", folder / "differences.csv")
    plot_comparison(*tables, *figures)
    others = [folder / "xgboost.json"], figures
    write_comparison(*tables, folder / "cells.csv", *others, folder / "t.md", folder / "p.html")
    write_comparison(*tables, None, *others, folder / "none.md", folder / "none.html")
    alone = pd.read_csv(folder / "summary.csv").query("model == 'tamrl' and protocol == 'igbp'")
    alone.assign(protocol="folds").to_csv(folder / "towers.csv", index=False)
    write_site_tables(folder / "towers.csv", folder / "towers.md")
    return folder


def test_the_markdown_tables_are_complete(page):
    text = (page / "t.md").read_text()
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "### Held out: sites, by IGBP class", "### Held out: 10° blocks", "### Between the towers",
    ]  # fmt: skip
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert len(tables) == 13
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1
    assert "nan" not in text


def test_the_numbers_are_those_of_the_files(page):
    """RMSE 1 to 2.1 in steps of 0.1 and a quarter more: 20 % less error, at every site."""
    text = (page / "t.md").read_text()
    rows = [line for line in text.splitlines() if "| XGBoost | 12 | −20.0 [−20.0, −20.0]" in line]
    assert len(rows) == 8 and all("| 100 |" in row for row in rows)
    assert text.count("| RECO | XGBoost | 5 | 12 | 1.938 / 1.938 / 2.487 |") == 2
    assert "| **GPP** | **TAM-RL** | **–** | **12** | **1.550 / 1.550 / 1.990** |" in text
    assert "| GPP, daytime |" in text and "tamrl_without_moving_averages" in text
    assert "| **TAM-RL** | **1.550 / 1.550 / 1.990; " in text
    assert text.count("| GPP | water-adjacent | 2 | 2.05 |") == 2
    assert text.count("| GPP | WET | 3 | 1.10 |") == text.count("| GPP | wetland | 3 | 1.10 |") == 2


def test_the_real_towers_have_the_same_tables(page):
    text = (page / "towers.md").read_text()
    assert "### Held out: folds of the site table" in text and "nan" not in text
    assert len(re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)) == 4


def test_the_page_stands_alone(page):
    html = (page / "p.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!data:|#)', html)
    assert html.count("data:image/png;base64,") == 3 and 'id="cells"' in html
    assert 'id="cells"' not in (page / "none.html").read_text()
    for name in ("differences", "errors", "skill"):
        width, height = struct.unpack(">II", (page / f"{name}.png").read_bytes()[16:24])
        assert width > 900 and height > 200
