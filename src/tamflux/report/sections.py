"""The sections of the report: what each shows, in the order of the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tamflux.evaluation.scores import MIN_DAYS, MIN_QC
from tamflux.report.explorer import QUANTUM
from tamflux.report.interval_tables import (
    INTERVALS_TEXT,
    REACH_TEXT,
    coverage_class_table,
    coverage_table,
    ranking_table,
)
from tamflux.report.page import Section
from tamflux.report.tables import (
    class_table,
    distance_table,
    rejected_table,
    score_table,
    site_score_table,
    tower_class_table,
    tower_table,
    truth_class_table,
    truth_table,
)
from tamflux.report.totals_tables import reference_table, totals_table, zonal_table


def sections_of(
    data: Mapping[str, Any], role: pd.Series, config: Mapping[str, Any]
) -> list[Section]:
    """The sections with numbers, without figures; parts that do not exist are left out.

    Parameters
    ----------
    data : mapping
        The tables of `write_report` by name, None where there is none; `explorer`.
    role : Series
        ``train`` or ``test`` for each row of `data["sites"]`.
    config : mapping
        The configuration of the run.
    """
    return [
        _explore(data["explorer"], config),
        _totals(data["totals"], data["truth"] is not None),
        *([] if data["references"] is None else [_references(data["references"])]),
        Section("maps", "Maps"),
        Section("seasons", "Latitudes and seasons"),
        _scores(data, role),
        *([] if data["truth"] is None else [_truth(data["truth"])]),
        _intervals(data["coverage"], data["ranking"]),
        _towers(data, role, config["training"]["split"]),
        Section("training", "Training"),
    ]


def _explore(explorer: Mapping[str, Any], config: Mapping[str, Any]) -> Section:
    years = sorted(config["years"]["product"])
    step, factor = explorer["meta"]["step"], explorer["factor"]
    size = (
        f"A cell is one of the product, {step:g}°."
        if factor == 1
        else f"To keep the page small, a cell is the mean over the land of {factor} × {factor} "
        f"cells of the product, {step:g}°; a flag is shown where it holds on more than half of "
        "the land."
    )
    one = len(years) == 1
    months = f"those of {years[0]}" if one else f"means over {years[0]}–{years[-1]}"
    text = (
        "Choose what to see and a month, then touch or click a cell: its numbers and its seasonal "
        f"cycle appear below. Months are {months}; numbers are rounded to {QUANTUM:g}. {size}"
    )
    return Section("explore", "Explore the product", [text], explorer=dict(explorer))


def _totals(totals: pd.DataFrame, demo: bool) -> Section:
    texts = [
        "Flux times land area, summed over all land cells, beside published global values. NEE is "
        "RECO − GPP, positive to the atmosphere; fire, harvest and rivers are not in it. The last "
        "column says where a published number was read."
    ]
    if demo:
        texts.append(
            "This Earth is synthetic: the published values show the scale, and nothing can be "
            "learnt from the difference."
        )
    return Section("totals", "Global totals", texts, [totals_table(totals), zonal_table(totals)])


def _references(scores: pd.DataFrame) -> Section:
    return Section(
        "references",
        "Beside other products",
        [
            "Each product is brought to our grid by means over area and land, and to calendar "
            "months. Both are masked to the cells that both have in every month, and weighted by "
            "our land area, so that totals differ by fluxes alone. Derived: RECO = GPP + NEE or "
            "NEE = RECO − GPP, where a product lacks one of the three."
        ],
        [reference_table(scores)],
    )


def _scores(data: Mapping[str, Any], role: pd.Series) -> Section:
    return Section(
        "scores",
        "Skill at held-out towers",
        [
            "Towers that no model was trained on. A day counts where the flux was measured and "
            f"at least {MIN_QC:.0%} of the day was measured or well filled; a tower counts "
            f"with at least {MIN_DAYS} such days. Scores are per tower, then quartiles over "
            "towers. Heads of columns sort; classes can be picked.",
            _agreement(data["agreement"]),
        ],
        [
            score_table(data["scores"]),
            class_table(data["scores"], "igbp", "IGBP class of the tower"),
            class_table(data["scores"], "koppen", "Köppen main group"),
            site_score_table(data["site_scores"], data["sites"]["site_id"][role == "test"]),
        ],
    )


def _truth(truth: pd.DataFrame) -> Section:
    return Section(
        "truth",
        "Skill between the towers",
        [
            "The true fluxes of the demo Earth are known in every cell. All land cells and "
            "days of the product count, weighted by land area."
        ],
        [truth_table(truth), distance_table(truth), truth_class_table(truth)],
    )


def _intervals(coverage: pd.DataFrame, ranking: pd.DataFrame) -> Section:
    return Section(
        "intervals",
        "Uncertainty and applicability",
        [INTERVALS_TEXT, REACH_TEXT],
        [
            coverage_table(coverage),
            *([ranking_table(ranking)] if len(ranking) else []),
            coverage_class_table(coverage),
        ],
    )


def _towers(data: Mapping[str, Any], role: pd.Series, split: str) -> Section:
    return Section(
        "towers",
        "Towers",
        [
            f"{(role == 'train').sum()} towers train the models, {(role == 'test').sum()} are "
            f"held out (split by {split}). {len(data['rejected'])} "
            "rejections are listed in results/towers/rejected.csv. "
            f"{int(data['sites']['mostly_water'].sum())} stand in pixels that are mostly water "
            "(mostly_water in results/samples/sites.csv)."
        ],
        [
            tower_class_table(data["sites"], role),
            rejected_table(data["rejected"]),
            tower_table(data["towers"], data["sites"], role),
        ],
    )


def _agreement(table: pd.DataFrame) -> str:
    """One sentence: how far the product is from what was scored."""
    return (
        "The product at the towers' cells differs from the predictions scored here by at most "
        f"{table['max_abs_difference'].max():.4f} g C m⁻² d⁻¹ on {int(table['n'].sum()) // 3:,} "
        "tower-days; it is rounded to 0.001."
    )
