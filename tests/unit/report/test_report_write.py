"""The page: complete, self-contained, safe against hostile names, and right without a truth."""

import ast
import json
import re
import struct
import zlib
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml

from tamflux.config import use_released_model
from tamflux.evaluation.metrics import FLUX_NAMES, METRICS
from tamflux.report.captions import CAPTIONS, captions
from tamflux.report.page import Section, render
from tamflux.report.tables import number, rejected_table
from tamflux.report.totals_tables import totals_table
from tamflux.report.write import _subtitle, write_report

REPO = Path(__file__).parents[3]
HOSTILE = '<script>alert("x")</script><img src=http://evil.example/a.png onerror=alert(1)>'
MODELS = ("tamrl", "lstm", "msc")


class Page(HTMLParser):
    """Collects what a browser would load, the pictures and the headings."""

    def __init__(self, text):
        super().__init__()
        self.loaded, self.images, self.tags, self.words = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.loaded += [attrs[k] for k in ("src", "href", "srcset", "action", "data") if k in attrs]
        if tag == "img":
            self.images.append(attrs)

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def png(path, width=40, height=20):
    """Write a small grey picture."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = zlib.compress((b"\0" + b"\x88" * width) * height)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", rows), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def reference_scores(path, name):
    row = {
        "reference": name,
        "derived": 0,
        "years": "2001",
        "problems": "",
        "area_mkm2": 91.2,
        "area_share": 0.62,
    }
    row |= {"product_total": 118.21, "reference_total": 124.71, "correlation": 0.87, "rmse": 1.11}
    pd.DataFrame([{**row, "flux": flux} for flux in FLUX_NAMES]).to_csv(path, index=False)
    return path


def tables(
    root, site_name, missing=0.0, preliminary=None, box="global", size=1.0, towers=7, held=0.912
):
    """Write the tables that the report reads; returns its arguments.

    `size` scales the totals, `towers` are held out, `held` is the share of days in intervals.
    """
    rows = [
        {
            "year": y,
            "days": 365,
            "region_set": s,
            "region": r,
            "land_area": 1.3e14,
            "gpp": 123.4 * size,
            "reco": 117.3 * size,
            "nee": -6.1 * size,
            "gpp_pi90_halfwidth": 9.87 * size,
            "reco_pi90_halfwidth": 8.76 * size,
            "nee_pi90_halfwidth": 6.54 * size,
            "missing_share": missing,
            "preliminary_share": preliminary,
        }
        for y in (2003, 2004)
        for s, r in (("box", box), ("latitude", "tropics"))
    ]
    pd.DataFrame(rows).to_csv(root / "totals.csv", index=False)
    scores = [
        {"model": m, "flux": f, "group": g, "value": v, "n_sites": towers}
        | {f"{metric}_q{q}": 0.512 for metric in METRICS for q in (25, 50, 75)}
        for m in MODELS
        for f in FLUX_NAMES
        for g, v in (("all", ""), ("igbp", "GRA"), ("koppen", "D"))
    ]
    pd.DataFrame(scores).to_csv(root / "scores.csv", index=False)
    of_sites = [
        {"model": m, "site_id": "B" * (k + 1), "flux": f, "n": 300, "r2": 0.61 + k / 100,
         "rmse": 1.23, "nmae": 0.4, "rae": 0.5, "bias": -0.17, "igbp": "ENF", "koppen": "D"}
        for m in MODELS
        for f in FLUX_NAMES
        for k in range(towers)
    ]  # fmt: skip
    pd.DataFrame(of_sites).to_csv(root / "site_scores.csv", index=False)
    agreement = {"year": 2003, "flux": FLUX_NAMES, "n": 730, "max_abs_difference": 0.0004}
    pd.DataFrame(agreement).to_csv(root / "agreement.csv", index=False)
    coverage = [
        {"population": p, "flux": f, "scale": s, "group": g, "value": v, "level": level,
         "n_locations": towers, "coverage": held, "coverage_mean": 0.9, "coverage_q10": 0.7,
         "coverage_q50": 0.95,
         "half_width": 1.5}
        for p in ("towers", "cells")[: 1 + (box == "global")]
        for f in FLUX_NAMES
        for s in ("day", "month")
        for g, v in (("all", "all"), ("igbp", "GRA"))
        for level in (0.5, 0.9)
    ]  # fmt: skip
    pd.DataFrame(coverage).to_csv(root / "coverage.csv", index=False)
    ranks = [
        {"index": i, "error": e, "spearman": 0.64, "n_cells": 9}
        for i in ("dissimilarity_index", "expected_error")
        for e in (*FLUX_NAMES, "mean")
    ]
    pd.DataFrame(ranks).to_csv(root / "ranking.csv", index=False)
    sites = pd.DataFrame({"site_id": ["A", "B"], "igbp": ["GRA", "ENF"], "koppen": "Dfb"})
    sites = sites.assign(mostly_water=[0, 1], lat=51.0, lon=[-3.5, 20.0])
    sites.assign(split_igbp=["train", "test"]).to_csv(root / "sites.csv", index=False)
    towers = pd.DataFrame(
        {"site_id": ["A", "B"], "site_name": [site_name, None], "network": "ICOS"}
    )
    towers = towers.assign(lat=51.0, lon=-3.5, igbp="GRA", koppen="Dfb", first="2001-01-01")
    towers.assign(last="2002-12-31", n_nee=700).to_csv(root / "towers.csv", index=False)
    rejected = [["C", "c.zip", "site", "no coordinates", 1], ["A", "a.zip", "day", site_name, 12]]
    columns = ["site_id", "file", "what", "reason", "n"]
    pd.DataFrame(rejected, columns=columns).to_csv(root / "rejected.csv", index=False)
    names = (
        "totals", "scores", "site_scores", "agreement", "coverage", "ranking", "sites", "towers",
        "rejected",
    )  # fmt: skip
    adapted_series().to_parquet(root / "adapted.parquet")
    return {name: root / f"{name}.csv" for name in names} | {"adapted": root / "adapted.parquet"}


def adapted_series(days=400):
    """Series of the held-out tower B: the adapted model is nearer to the measured days."""
    random, table = np.random.default_rng(0), {"site_id": "B"}
    table["date"] = pd.date_range("2001-03-01", periods=days)
    for flux in FLUX_NAMES:
        table[flux] = random.normal(3, 2, days).astype(np.float32)
        table[f"{flux}_pi90_halfwidth"] = random.uniform(1, 2, days).astype(np.float32)
        table[f"{flux}_zero_shot"] = table[flux] + np.float32(0.8)
        measured = random.random(days) < 0.6
        table[f"{flux}_observed"] = np.where(measured, table[flux] + 0.1 * random.normal(size=days),
                                             np.nan)  # fmt: skip
    table = pd.DataFrame(table)
    return table.assign(used=table.index < 100)


def truth_scores(path):
    numbers = ("n_cells", "area_mkm2", "r2_daily", "rmse_daily", "bias", "r2_cell", "rmse_cell")
    numbers += ("r2_between", "mean_true", "mean_predicted", "total_true", "total_predicted")
    groups = (("all", "all"), ("igbp", "GRA"), ("distance_km", "0-250"))
    rows = [
        {"model": m, "flux": f, "group": g, "value": v} | dict.fromkeys(numbers, 0.73)
        for m in MODELS
        for f in FLUX_NAMES
        for g, v in groups
    ]
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def write_page(
    planet,
    root,
    truth=True,
    site_name="Hill",
    reference=None,
    shares=(0.0, None),
    numbers=None,
    **changes,
):
    """Write a page with every part into a folder; returns its path."""
    config = yaml.safe_load((REPO / "config.yaml").read_text()) | changes
    config["grid"]["resolution"] = planet.grid.resolution
    others = None
    if reference:
        config["validation"]["references"] = [{"name": reference}]
        others = reference_scores(root / "references.csv", reference)
    figures = {"maps": [png(root / "map_gpp.png")], "truth": []}
    if truth:
        figures["truth"] = [png(root / "truth_maps.png")]
    write_report(
        root / "report.html",
        annual=[planet.root / "product/tamflux_annual_2001.nc"],
        monthly=[planet.root / "product/tamflux_monthly_2001.nc"],
        references=others,
        figures=figures,
        config=config,
        truth_scores=truth_scores(root / "truth.csv") if truth else None,
        **tables(root, site_name, *shares, **(numbers or {})),
    )
    return root / "report.html"


@pytest.fixture
def write(planet, tmp_path):
    def run(**options):
        return write_page(planet, tmp_path, **options).read_text(encoding="utf-8")

    return run


def test_nothing_is_loaded_from_elsewhere(write):
    html = write()
    page = Page(html)
    assert all(url.startswith(("data:image/png;base64,", "#")) for url in page.loaded)
    assert "url(" not in html and "@import" not in html and "fetch(" not in html
    assert not {"link", "iframe", "object"} & set(page.tags)


def test_the_policy_allows_the_own_scripts_alone(write):
    html = write(site_name=HOSTILE)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    allowed = set(re.findall(r"sha256-([^&]*)&#39;", policy))
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    sums = {b64encode(sha256(s.encode()).digest()).decode() for s in scripts}
    assert len(scripts) == 4 and allowed == sums
    assert "default-src &#39;none&#39;" in policy


def test_hostile_names_stay_text(write):
    html = write(
        site_name=HOSTILE,
        reference=HOSTILE,
        product={
            "version": HOSTILE,
            "institution": HOSTILE,
            "creator": HOSTILE,
            "license": HOSTILE,
        },
    )
    page = Page(html)
    assert html.count("<script>") == 4 and html.count("<script ") == 5
    assert HOSTILE in "".join(page.words)
    assert not any("evil" in url for url in page.loaded)


def test_json_in_the_page_cannot_end_its_element():
    layer = {"name": "gpp", "label": "</script><script>alert(1)</script>"}
    part = {"meta": {"layers": [layer]}, "data": "", "coast": "", "interval": "", "spread": False}
    page = {"title": "", "subtitle": "", "cards": [], "notice": "", "footer": ""}
    html = render({**page, "sections": [Section("a", "A", explorer=part)]})
    assert "alert(1)</script>" not in html
    (text,) = re.findall(r'data-part="meta">(.*?)</script>', html)
    assert json.loads(text) == part["meta"]


def test_reference_products_are_compared(write):
    text = Page(write(reference="X-BASE")).text
    assert "Reference products" in text and "X-BASE GPP 2001 91.2 (62 %)" in text
    assert "91.2 (62 %) 118 125 −6.50" in text
    assert "Reference products" not in Page(write()).text


def test_every_held_out_tower_has_its_scores(write):
    assert "B ENF D 300 0.61 1.23 −0.17" in Page(write()).text


def test_tables_have_the_numbers(write):
    page = Page(write())
    assert "123 ± 10" in page.text and "−6.10 ± 6.54" in page.text  # the run's totals
    assert "124.7 ± 2.1" in page.text and "−5.75 ± 0.33" in page.text  # X-BASE
    assert "0.51 / 0.51 / 0.51" in page.text and "LSTM without static inputs" in page.text
    assert "0.73" in page.text and "The Earth of this run is synthetic" in page.text
    assert "0.0004" in page.text
    assert "91.2 %" in page.text and "expected error" in page.text
    assert "1 lie in grid cells that are mostly water" in page.text


def test_every_picture_has_its_size_and_a_text(write):
    images = Page(write()).images
    assert len(images) == 2
    for image in images:
        assert (image["width"], image["height"]) == ("40", "20")
        assert len(image["alt"]) > 20


def test_without_truth_the_page_speaks_of_no_demo(write):
    page = Page(write(truth=False))
    assert "Skill between the towers" not in page.text
    assert "demo Earth" not in page.text.split("Configuration")[0]
    assert "Skill at held-out towers" in page.text
    assert len(page.images) == 1


def test_with_a_released_model_the_page_has_no_towers_and_names_the_model(planet, tmp_path):
    config = yaml.safe_load((REPO / "config.yaml").read_text())
    config["grid"]["resolution"] = planet.grid.resolution
    config["inference"]["model"] = "models/any"
    use_released_model(config)
    with xr.open_dataset(planet.root / "product/tamflux_annual_2001.nc") as annual:
        made = annual.assign_attrs(source="TAM-RL ensemble of 7 members")
        made.to_netcdf(tmp_path / "annual.nc")
    write_report(
        tmp_path / "report.html",
        totals=tables(tmp_path, "Hill")["totals"],
        annual=[tmp_path / "annual.nc"],
        monthly=[planet.root / "product/tamflux_monthly_2001.nc"],
        figures={"maps": [png(tmp_path / "map_gpp.png")]},
        config=config,
    )
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    before = page.text.split("Configuration")[0]
    assert "Released model" in before and "models/any" in before and "7 members" in before
    assert "held-out towers" not in before and "synthetic" in before
    assert len(page.images) == 1


def cards(page):
    """Value and label of each card, in the order of the page."""
    return re.findall(r'<div class="card"><b>(.*?)</b><span>(.*?)</span>', page)


def test_the_cards_of_the_globe_say_what_they_are(write):
    found = cards(write(numbers={"towers": 12}))
    assert found[0] == ("123 ± 10", "GPP, Pg C yr⁻¹")
    assert found[2] == ("−6.10 ± 6.54", "NEE, Pg C yr⁻¹")
    # of 12 towers the third and the tenth: B(12, 1/2) is below 3 with a probability of 0.019
    label = "median R² of GPP, 12 held-out towers (90 %: 0.63 to 0.70)"
    assert found[3] == ("0.51", label)
    assert found[6] == ("1 + 1", "towers: training + held out")


def test_a_region_is_not_the_globe(write):
    box = "36N-44N 10W-4E"
    html = write(truth=False, numbers={"box": box, "size": 0.004, "towers": 4, "held": 0.69})
    text = Page(html.split("</header>")[1]).text.split("Configuration")[0]
    found = cards(html)
    assert found[0] == ("494 ± 39", "GPP of the region, Tg C yr⁻¹")
    assert found[2] == ("−24.4 ± 26.2", "NEE of the region, Tg C yr⁻¹")
    assert found[3] == ("–", "no R² of GPP: 4 held-out towers, 10 are needed")
    assert "Totals of the region" in text and "Pg C" not in text
    for word in ("Global", "global", "FLUXCOM", "truth", "demo Earth", "synthetic"):
        assert word not in text, word
    assert "holds 69 % of the days at 4 held-out towers" in text
    assert "± is the half-width of the prediction interval, which holds" in text
    assert "fewer than the 10 that a headline score needs" in text
    grid = {"resolution": 0.5, "bbox": [-10, 36, 4, 44]}
    years, training = {"train": [2001, 2003]}, {"members": 1}
    role = pd.Series(["train"] * 9)
    found = _subtitle({"grid": grid, "years": years, "training": training}, role, [])
    assert "36° N to 44° N, 10° W to 4° E, 0.5°" in found and "1 member of TAM-RL" in found


def test_with_folds_every_tower_trains_and_is_scored(write):
    folds = yaml.safe_load((REPO / "config.yaml").read_text())["training"] | {"split": "folds"}
    html = write(truth=False, training=folds, numbers={"towers": 12})
    text = Page(html).text
    assert cards(html)[6] == ("2", "towers, each held out once")
    assert "upscaled from 2 eddy-covariance towers" in text
    assert "trained without it and the other towers of its fold" in text
    assert "Towers that no model was trained on" not in text
    assert "come from the errors at the other folds" in text and "took no part" not in text
    assert "2 towers train the product" in text
    assert "training, held out once" in text.split("Towers per IGBP class")[1]
    series = captions(folds=True, spread=False)
    assert "held out once with its fold" in series["tower_network"]
    assert "standard deviation" not in series["tower_series_gpp"]
    assert "two ensemble standard deviations" in captions()["tower_series_gpp"]


def test_classes_have_their_towers_and_intervals(write):
    text = Page(write(numbers={"towers": 12})).text
    row = next(part for part in text.split("Median R² by Köppen main group")[1:] if "D 12" in part)
    assert row.count("0.63 to 0.70") == 3  # of the three fluxes, by TAM-RL


def test_intervals_that_hold_less_are_not_called_90_percent_anywhere(write):
    text = Page(write(truth=False, numbers={"held": 0.69})).text.split("Configuration")[0]
    assert "90 % prediction interval" not in text and "90 % interval of the total" not in text
    assert "Days inside the prediction interval, which holds 69 % of the days" in text
    assert "It may be too narrow: the same errors give the prediction interval, which" in text
    held = captions(interval="prediction interval, which holds 69 %")["interval_classes"]
    assert held.startswith("Share of days inside the prediction interval, which holds 69 %")
    assert "too narrow" not in Page(write(truth=False)).text


def test_every_figure_of_the_rules_has_a_caption():
    rules = (REPO / "workflow/rules/common.smk").read_text()
    (block,) = re.findall(r"^FIGURES = (\{.*?^\})", rules, re.DOTALL | re.MULTILINE)
    names = [name for part in ast.literal_eval(block).values() for name in part]
    assert len(names) > 20 and set(names) | {"reference_zonal"} == set(CAPTIONS)
    assert all(text.endswith(".") for text in captions(["X-BASE"]).values())
    real = "".join(text for name, text in captions().items() if "truth" not in name)
    assert "black is the truth" in captions(demo=True)["zonal_means"] and "{" not in real
    assert "black" not in real and "Cells are those of the demo Earth" not in real
    assert "X-BASE" in captions(["X-BASE"])["reference_map_X-BASE"]


def test_rejections_are_counted_by_reason():
    rejected = pd.DataFrame(
        [
            ["A", "a", "day", "gap", 3],
            ["B", "b", "day", "gap", 4],
            ["B", "b", "site", "no place", 1],
        ],
        columns=["site_id", "file", "what", "reason", "n"],
    )
    assert rejected_table(rejected).rows == [
        ["day", "gap", "2", "7"],
        ["site", "no place", "1", "1"],
    ]
    assert rejected_table(rejected.iloc[:0]).rows == []


def test_totals_table_puts_the_run_first():
    totals = pd.DataFrame(
        {
            "year": [2003],
            "days": 365,
            "region_set": "box",
            "region": "global",
            **{f"{flux}_pi90_halfwidth": [8.4] for flux in FLUX_NAMES},
            "gpp": [120.04],
            "reco": [115.0],
            "nee": [-5.04],
            "missing_share": 0.0,
            "preliminary_share": np.nan,
        }
    )
    found = ["120 ± 8", "115 ± 8", "−5.04 ± 8.40"]
    assert totals_table(totals).rows[0] == ["TAMFlux, 2003", *found, "this run"]
    totals = totals.assign(days=59, missing_share=0.0123, preliminary_share=0.5)
    assert totals_table(totals).rows[0][0] == (
        "TAMFlux, the first 59 days of 2003 "
        "(50.0 % of days from preliminary ERA5, 1.2 % of area-days without fluxes)"
    )


def test_preliminary_and_missing_weather_are_named(write):
    text = Page(write(shares=(0.02, 0.25))).text
    assert "25.0 % of days from preliminary ERA5, 2.0 % of area-days without fluxes" in text
    assert "final ERA5 may replace" in text and "quality flag 32" in text
    text = Page(write()).text
    assert "preliminary ERA5" not in text and "quality flag 32" not in text


@pytest.mark.parametrize(("value", "text"), [(-1.25, "−1.2"), (np.nan, "–"), (3, "3.0")])
def test_number(value, text):
    assert number(value, 1) == text
