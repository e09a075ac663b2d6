"""Sections of the report with their texts and tables, in the order of the page."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

import tamflux
from tamflux.evaluation.scores import MIN_DAYS, MIN_QC
from tamflux.product.metadata import MIN_DAYS_SHARE
from tamflux.report.adaptation import tower_section
from tamflux.report.explorer import QUANTUM
from tamflux.report.page import Section
from tamflux.report.tables import (
    class_table,
    coverage_class_table,
    coverage_table,
    distance_table,
    interval_name,
    percent,
    ranking_table,
    rejected_table,
    score_table,
    site_score_table,
    tower_class_table,
    tower_table,
    truth_class_table,
    truth_table,
)
from tamflux.report.totals_tables import of_box, reference_table, region_tables, totals_table
from tamflux.samples.splits import HEADLINE_TOWERS
from tamflux.uncertainty.calibration import LEVEL

PACKAGES = ("numpy", "torch", "xarray", "zarr", "dask", "snakemake")

REFERENCES = (
    "TAM-RL: task-aware modulation using representation learning for upscaling of terrestrial "
    "carbon fluxes, arXiv:2603.09974 (2026).",
    "ERA5: Hersbach et al. (2020), Q. J. R. Meteorol. Soc. 146, 1999-2049, doi:10.1002/qj.3803.",
    "MODIS surface reflectance and land cover: NASA LP DAAC, MCD43C4, MOD09CMG and MCD12C1, v061.",
    "Towers: Pastorello et al. (2020), Sci. Data 7, 225, doi:10.1038/s41597-020-0534-3, and the "
    "networks and site teams named in results/towers/sites.csv.",
    "Climate classes: Beck et al. (2018), Sci. Data 5, 180214, doi:10.1038/sdata.2018.214.",
)

TOTALS_TEXT = (
    f"After ± is the half-width of the interval meant to hold the total in {percent(LEVEL)} of "
    "cases. It comes from out-of-fold errors of months and years at towers, which neighbours and, "
    "in part, all places share; there is none where fewer than five towers have a year. {spread} "
    "all months are in totals.csv and totals_monthly.csv."
)
INTERVALS_TEXT = (
    f"Half-widths are made to hold {percent(LEVEL)} of the days. They are calibrated with "
    "out-of-fold errors at training towers, by vegetation class, and those of monthly and annual "
    "means with the errors of such means. {apart} Observed days include the random error of the "
    "measurement, which the calibration reduces by averaging errors over three days. Fluxes of "
    "cells have no such error; in dormant seasons their intervals are wider than needed."
)
APPLICABILITY_TEXT = (
    "Applicability is exp(−expected error). The expected error of a cell is the square root of its "
    "gross flux (GPP + RECO) times a linear function of its dissimilarity index (after Meyer and "
    "Pebesma, 2021): the distance to the nearest training tower in task embedding, climatology and "
    "land cover. Both coefficients are fitted to out-of-fold errors. The dissimilarity index alone "
    "ranks the error relative to the gross flux, not the error itself: the most dissimilar cells "
    "are deserts and ice, where fluxes and errors are small."
)


def sections_of(
    data: Mapping[str, Any], role: pd.Series, config: Mapping[str, Any]
) -> list[Section]:
    """All sections, without figures; optional parts are omitted where they have no data.

    Parameters
    ----------
    data : mapping
        The tables of `write_report` by name, None where there is none; `explorer`.
    role : Series or None
        `tower_roles` for each row of `data["sites"]`; None where a released model predicts.
    config : mapping
        The configuration of the run.
    """
    return [
        _explore(data["explorer"], config),
        _totals(data),
        *([] if data["references"] is None else [_references(data["references"])]),
        Section("maps", "Maps"),
        Section("seasons", "Latitudes and seasons"),
        *(
            [_released(config["inference"]["model"])]
            if role is None
            else _of_towers(data, role, config)
        ),
    ]


def _of_towers(
    data: Mapping[str, Any], role: pd.Series, config: Mapping[str, Any]
) -> list[Section]:
    """What towers tell of the product."""
    return [
        _scores(data, role),
        *([] if data["truth"] is None else [_truth(data["truth"])]),
        _intervals(data["coverage"], data["ranking"], (role == "fold").all()),
        *filter(None, [tower_section(data["adapted"], data["sites"])]),
        _towers(data, role, config["training"]["split"]),
        Section("training", "Training"),
    ]


def _released(folder: str) -> Section:
    """What is known of a product of a released model."""
    return Section(
        "released",
        "Released model",
        [
            f"The product was predicted with the released model {folder}; nothing was trained or "
            "scored here. Its card, results/models/model_card.md, lists its training sites, their "
            "licences and attribution, its scores at held-out sites, and where not to use it.",
            "The half-widths of the 90 % prediction intervals and the dissimilarity index refer to "
            "those sites. Intervals hold there; whether they hold here is not known.",
        ],
    )


def _explore(explorer: Mapping[str, Any], config: Mapping[str, Any]) -> Section:
    years = sorted(config["years"]["product"])
    step, factor = explorer["meta"]["step"], explorer["factor"]
    size = (
        f"A cell of the map is a cell of the product, {step:g}°."
        if factor == 1
        else f"To keep the page small, a cell of the map is the mean over the land of {factor} × "
        f"{factor} cells of the product, {step:g}°; a flag is shown where it holds on more than "
        "half of the land."
    )
    one = len(years) == 1
    months = f"those of {years[0]}" if one else f"means over {years[0]}–{years[-1]}"
    text = (
        "Select a variable and a month, then click or touch a cell: its numbers and its seasonal "
        "cycle appear below. A touch selects the nearest land cell and zooms in; a second touch "
        f"selects the exact cell. Months are {months}; numbers are rounded to {QUANTUM:g}. {size}"
    )
    return Section("explore", "Explore the product", [text], explorer=dict(explorer))


def _totals(data: Mapping[str, Any]) -> Section:
    totals, demo = data["totals"], data["truth"] is not None
    world = bool((of_box(totals)["region"] == "global").all())
    texts = [
        f"Flux times land area, summed over all land cells{' of the box' * (not world)}"
        f"{', and published global values' * world}. NEE is RECO − GPP, positive to the "
        "atmosphere; it does not include fire, harvest and rivers. The last column gives the "
        "source of each number.",
        TOTALS_TEXT.format(
            spread="Standard deviations over members and"
            if data["explorer"]["spread"]
            else "With one member there is no standard deviation;"
        ),
    ]
    if not (name := interval_name(data["coverage"])).startswith(percent(LEVEL)):
        texts.append(
            f"It may be too narrow: the same errors give the {name}, not {percent(LEVEL)}."
        )
    if demo and world:
        texts.append(
            "This Earth is synthetic: the published values show the order of magnitude only."
        )
    texts += _remarks(of_box(totals))
    title = "Global totals" if world else "Totals of the region"
    return Section("totals", title, texts, [totals_table(totals), *region_tables(totals)])


def _remarks(totals: pd.DataFrame) -> list[str]:
    """Sentences on preliminary and missing weather, if there is any."""
    texts = []
    if (totals["preliminary_share"] > 0).any():
        texts.append(
            "Some days are made from preliminary ERA5 (ERA5T), which final ERA5 may replace by "
            "other values; the files name them in the attribute era5_preliminary_days."
        )
    if (totals["missing_share"] > 0).any():
        texts.append(
            "Some cells lack fluxes on days without weather, or a climate class (quality flag 32). "
            f"Means of months with fluxes on fewer than {percent(MIN_DAYS_SHARE)} of their days "
            "are missing, and so are means of the year; totals do not include these cells."
        )
    return texts


def _references(scores: pd.DataFrame) -> Section:
    return Section(
        "references",
        "Reference products",
        [
            "Each product is averaged over area and land to the grid of TAMFlux, and to calendar "
            "months. Both are masked to the cells where both have values in every month, and "
            "weighted by the land area of TAMFlux, so totals differ by fluxes alone. Derived: RECO "
            "= GPP + NEE or NEE = RECO − GPP, where a product lacks one of the three.",
            *(
                f"The climate contradicts {name}: {problems}."
                for name, problems in scores.groupby("reference")["problems"].first().items()
                if isinstance(problems, str) and problems
            ),
        ],
        [reference_table(scores)],
    )


def _scores(data: Mapping[str, Any], role: pd.Series) -> Section:
    unseen = "Towers that no model was trained on."
    if (role == "fold").all():
        unseen = (
            "Each tower is predicted by a model that was trained without it and the other towers "
            "of its fold. The members of the product were trained on all towers: their own scores "
            "at other places are not known, but they have learnt from more towers than those here."
        )
    return Section(
        "scores",
        "Skill at held-out towers",
        [
            f"{unseen} A day counts where the flux was measured and at least {percent(MIN_QC)} of "
            "the day was measured or well filled; a tower counts "
            f"with at least {MIN_DAYS} such days. Scores are per tower, then quartiles over "
            "towers. Click a column head to sort; filter by class.",
            *_few_towers(role),
            _agreement(data["agreement"]),
        ],
        [
            score_table(data["scores"], data["site_scores"]),
            class_table(data["scores"], data["site_scores"], "igbp", "IGBP class of the tower"),
            class_table(data["scores"], data["site_scores"], "koppen", "Köppen main group"),
            site_score_table(data["site_scores"], data["sites"]["site_id"][role != "train"]),
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


def _intervals(coverage: pd.DataFrame, ranking: pd.DataFrame, by_folds: bool) -> Section:
    apart = "The held-out towers below took no part."
    if by_folds:
        apart = "Those that a tower is tested with below come from the errors at the other folds."
    return Section(
        "intervals",
        "Uncertainty and applicability",
        [
            f"Held-out towers: {interval_name(coverage)}.",
            INTERVALS_TEXT.format(apart=apart),
            APPLICABILITY_TEXT,
        ],
        [
            coverage_table(coverage),
            *([ranking_table(ranking)] if len(ranking) else []),
            coverage_class_table(coverage),
        ],
    )


def _towers(data: Mapping[str, Any], role: pd.Series, split: str) -> Section:
    used = (
        f"{(role == 'train').sum()} towers train the models, {(role == 'test').sum()} are held out "
        f"(split by {split})."
    )
    if (role == "fold").all():
        used = (
            f"{len(role)} towers train the product; for the scores each is held out once, with "
            "its fold."
        )
    return Section(
        "towers",
        "Towers",
        [
            f"{used} {len(data['rejected'])} "
            "rejections are listed in results/towers/rejected.csv. "
            f"{int(data['sites']['mostly_water'].sum())} lie in grid cells that are mostly water "
            "(mostly_water in results/samples/sites.csv)."
        ],
        [
            tower_class_table(data["sites"], role),
            rejected_table(data["rejected"]),
            tower_table(data["towers"], data["sites"], role),
        ],
    )


def _few_towers(role: pd.Series) -> list[str]:
    """A warning where too few towers are held out."""
    held_out = int((role != "train").sum())
    if held_out >= HEADLINE_TOWERS:
        return []
    return [
        f"Only {held_out} {'tower is' if held_out == 1 else 'towers are'} held out, fewer than the "
        f"{HEADLINE_TOWERS} that a headline score needs: medians and shares below can be far from "
        "those at other places."
    ]


def _agreement(table: pd.DataFrame) -> str:
    """Sentence on the difference between the product and the scored predictions."""
    return (
        "The product at the towers' cells differs from what its members predict there by at most "
        f"{table['max_abs_difference'].max():.4f} g C m⁻² d⁻¹ on {int(table['n'].sum()) // 3:,} "
        "tower-days; it is rounded to 0.001."
    )


def provenance(config: Mapping[str, Any], annual: Sequence[str | Path]) -> Section:
    """Configuration, attributes of the product and versions, folded."""
    with xr.open_dataset(sorted(map(str, annual))[-1]) as product:
        attributes = {name: str(value) for name, value in product.attrs.items()}
    versions = {"tamflux": tamflux.__version__, "python": platform.python_version()}
    versions |= {name: version(name) for name in PACKAGES}
    listings = [
        {"title": "Configuration", "text": json.dumps(config, indent=2, ensure_ascii=False)},
        {"title": "Attributes of the product", "text": _lines(attributes)},
        {"title": "Software", "text": _lines(versions)},
    ]
    return Section("making", "Provenance", listings=listings)


def citation(config: Mapping[str, Any], demo: bool) -> Section:
    """How to cite the product, its data and its methods."""
    product = config["product"]
    years = sorted(config["years"]["product"])
    period = str(years[0]) if len(years) == 1 else f"{years[0]}–{years[-1]}"
    texts = [
        f"{product['creator']}: TAMFlux daily land-atmosphere carbon fluxes {period}, version "
        f"{product['version']}, {product['institution']}. Licence: {product['license']}."
    ]
    if demo:
        texts.append("A product of the demo Earth is for tests and teaching.")
    return Section(
        "cite",
        "How to cite",
        texts,
        listings=[{"title": "Data and methods to cite with it", "text": "\n".join(REFERENCES)}],
    )


def _lines(pairs: Mapping[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in pairs.items())
