"""Tables, figures and page of the comparison: every model, nothing loaded from elsewhere."""

import re
import struct

import numpy as np
import pandas as pd
import pytest
from test_report_write import adapted_series

from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.evaluation.paired import paired_differences
from tamflux.evaluation.scales import summarise
from tamflux.figures.adaptation_figures import plot_adaptation_curve
from tamflux.figures.comparison_figures import plot_comparison
from tamflux.report.comparison_report import write_comparison
from tamflux.report.real_towers_report import write_real_towers

MODELS = {"tamrl": 1.0, "xgboost": 1.25, "tamrl_without_moving_averages": 1.1}


def write_curve(folder):
    """A curve of two towers, and its figure."""
    keys = ["site_id", "method", "draw", "days", "flux"]
    levels = [["A", "B"], ["none"], ["first"], [0], FLUX_NAMES]
    rows = [pd.MultiIndex.from_product(levels, names=keys).to_frame(index=False).assign(rmse=2.0)]
    for method, factor in (("correction", 0.8), ("scale", 1.5), ("lightgbm", 0.9)):
        levels[1:4] = [method], ["first"], [0, 30]
        part = pd.MultiIndex.from_product(levels, names=keys).to_frame(index=False)
        rows.append(part.assign(rmse=2 * factor))
    table = pd.concat(rows).assign(inside=np.nan, half_width=np.nan, n=50)
    table.loc[table["method"] == "correction", "inside"] = 0.88
    table.to_csv(folder / "curve.csv", index=False)
    plot_adaptation_curve([folder / "curve.csv"], folder / "adaptation_curve.png")
    return folder / "curve.csv", folder / "adaptation_curve.png"


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
    curve, drawn = write_curve(folder)
    files = (folder / "towers.csv", folder / "sites.csv", figures[2:], folder / "towers.md")
    sites = {"site_id": ["B"], "lat": -1.0, "lon": 2.0, "igbp": "GRA", "koppen": "Aw"}
    pd.DataFrame(sites).to_csv(folder / "sites.csv", index=False)
    adapted_series().to_parquet(folder / "adapted.parquet")
    adapted = {"curve": curve, "drawn_curve": drawn, "series": folder / "adapted.parquet"}
    write_real_towers(*files, folder / "towers.html", **adapted)
    write_real_towers(*files, folder / "unadapted.html")
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


def test_the_page_of_real_towers_has_the_curve_and_every_tower(page):
    html = (page / "towers.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!data:|#)', html)
    for row in (
        "adapted, first 30</td><td>−20.0 %</td><td>−20.0 %</td><td>−20.0 %</td><td>88/88/88 %",
        "one factor each, first 30</td><td>50.0 %", "LightGBM continued, no day</td><td>−10.0 %",
    ):  # fmt: skip
        assert row in html
    assert "B · GRA · Aw · 1.0° S, 2.0° E" in html
    assert 'id="adaptation"' not in (page / "unadapted.html").read_text()
