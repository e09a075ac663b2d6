"""The report: one HTML page that opens from disk, figures inside, numbers beside pictures."""

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
from tamflux.files import atomic_path
from tamflux.validation.interval_tables import (
    INTERVALS_TEXT,
    REACH_TEXT,
    coverage_class_table,
    coverage_table,
    ranking_table,
)
from tamflux.validation.metrics import FLUX_NAMES
from tamflux.validation.page import Section, figure, render
from tamflux.validation.report_tables import (
    class_table,
    distance_table,
    number,
    rejected_table,
    score_table,
    totals_table,
    tower_class_table,
    tower_table,
    truth_class_table,
    truth_table,
    whole_years,
    zonal_table,
)
from tamflux.validation.scores import MIN_DAYS, MIN_QC

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


def write_report(
    target: str | Path,
    *,
    totals: str | Path,
    annual: Sequence[str | Path],
    scores: str | Path,
    agreement: str | Path,
    coverage: str | Path,
    ranking: str | Path,
    sites: str | Path,
    towers: str | Path,
    rejected: str | Path,
    figures: Mapping[str, Sequence[str | Path]],
    captions: Sequence[str | Path],
    config: Mapping[str, Any],
    truth_scores: str | Path | None = None,
) -> None:
    """Write the report.

    Parameters
    ----------
    target : path
        HTML file to write. Nothing in it is loaded from elsewhere.
    totals, annual : path, sequence of path
        `results/product/totals.csv` and the annual product files.
    scores, agreement, truth_scores : path
        From `score_models` and, on the demo Earth, `evaluate_truth`.
    coverage, ranking : path
        From `evaluate_intervals`.
    sites, towers, rejected : path
        `results/samples/sites.csv`, `results/towers/sites.csv` and `rejected.csv`.
    figures : mapping of section to sequence of path
        PNG files of the sections maps, seasons, scores, truth, intervals, towers and training.
    captions : sequence of path
        A caption `{figure}.rst` for every figure.
    config : mapping
        The configuration of the run.
    """
    data = {
        "totals": pd.read_csv(totals),
        "scores": _read(scores),
        "agreement": _read(agreement),
        "coverage": _read(coverage),
        "ranking": _read(ranking),
        "truth": None if truth_scores is None else _read(truth_scores),
        "sites": _read(sites),
        "towers": _read(towers),
        "rejected": _read(rejected),
    }
    role = data["sites"][f"split_{config['training']['split']}"]
    sections = _sections(data, role, config, annual)
    texts = {Path(path).stem: Path(path).read_text(encoding="utf-8") for path in captions}
    for section in sections:
        section.figures = [figure(Path(path), texts) for path in figures.get(section.id, ())]
    years = sorted(config["years"]["product"])
    demo = data["truth"] is not None
    page = {
        "title": f"TAMFlux {', '.join(map(str, years))}: daily GPP, RECO and NEE"
        + (" of the demo Earth" if demo else ""),
        "subtitle": _subtitle(config, role),
        "cards": _cards(data, role),
        "notice": "The Earth of this run is synthetic: real map and climate, invented vegetation, "
        "towers and fluxes. Its totals and scores test the method and say nothing about the real "
        "carbon cycle."
        if demo
        else "",
        "sections": sections,
        "footer": f"Written by TAMFlux {tamflux.__version__} on "
        f"{pd.Timestamp.now(tz='UTC'):%d %B %Y}.",
    }
    with atomic_path(target) as partial:
        partial.write_text(render(page), encoding="utf-8")


def _sections(data: Mapping[str, Any], role: pd.Series, config, annual) -> list[Section]:
    """The sections of the page, without figures; parts that do not exist are left out."""
    sections = [
        Section(
            "totals",
            "Global totals",
            [
                "Flux times land area, summed over all land cells, beside published global "
                "values. NEE is RECO − GPP, positive to the atmosphere; fire, harvest and rivers "
                "are not in it.",
                *(
                    []
                    if data["truth"] is None
                    else [
                        "This Earth is synthetic: the published values show the scale, and nothing "
                        "can be learnt from the difference."
                    ]
                ),
            ],
            [totals_table(data["totals"]), zonal_table(data["totals"])],
        ),
        Section("maps", "Maps"),
        Section("seasons", "Latitudes and seasons"),
        Section(
            "scores",
            "Skill at held-out towers",
            [
                "Towers that no model was trained on. A day counts where the flux was measured and "
                f"at least {MIN_QC:.0%} of the day was measured or well filled; a tower counts "
                f"with at least {MIN_DAYS} such days. Scores are per tower, then quartiles over "
                "towers.",
                _agreement(data["agreement"]),
            ],
            [
                score_table(data["scores"]),
                class_table(data["scores"], "igbp", "IGBP class of the tower"),
                class_table(data["scores"], "koppen", "Köppen main group"),
            ],
        ),
    ]
    if data["truth"] is not None:
        sections.append(
            Section(
                "truth",
                "Skill between the towers",
                [
                    "The true fluxes of the demo Earth are known in every cell. All land cells and "
                    "days of the product count, weighted by land area."
                ],
                [
                    truth_table(data["truth"]),
                    distance_table(data["truth"]),
                    truth_class_table(data["truth"]),
                ],
            )
        )
    sections += [
        Section(
            "intervals",
            "Uncertainty and applicability",
            [INTERVALS_TEXT, REACH_TEXT],
            [
                coverage_table(data["coverage"]),
                *([ranking_table(data["ranking"])] if len(data["ranking"]) else []),
                coverage_class_table(data["coverage"]),
            ],
        ),
        Section(
            "towers",
            "Towers",
            [
                f"{(role == 'train').sum()} towers train the models, {(role == 'test').sum()} are "
                f"held out (split by {config['training']['split']}). {len(data['rejected'])} "
                "rejections are listed in results/towers/rejected.csv. "
                f"{int(data['sites']['mostly_water'].sum())} stand in pixels that are mostly water "
                "(mostly_water in results/samples/sites.csv)."
            ],
            [
                tower_class_table(data["sites"], role),
                rejected_table(data["rejected"]),
                tower_table(data["towers"], data["sites"], role),
            ],
        ),
        Section("training", "Training"),
        Section("making", "Provenance", listings=_provenance(config, annual)),
        _citation(config, data["truth"] is not None),
    ]
    return sections


def _subtitle(config: Mapping[str, Any], role: pd.Series) -> str:
    grid = config["grid"]
    west, south, east, north = grid["bbox"]
    whole = (west, south, east, north) == (-180, -90, 180, 90)
    first, last = min(config["years"]["train"]), max(config["years"]["train"])
    area = "global" if whole else f"{south:g} to {north:g}° N, {west:g} to {east:g}° E"
    return (
        f"Carbon fluxes between land and atmosphere, {area}, {grid['resolution']:g}° and daily, "
        f"upscaled from {(role == 'train').sum()} eddy-covariance towers with "
        f"{config['training']['members']} members of TAM-RL trained on "
        f"{first if first == last else f'{first}–{last}'}."
    )


def _cards(data: Mapping[str, Any], role: pd.Series) -> list[dict[str, str]]:
    """The numbers at the top of the page."""
    totals = whole_years(data["totals"])
    land = totals[totals["region"] == "global"]
    per = "yr⁻¹" if land["days"].min() >= 365 else f"in the first {land['days'].max()} days"
    cards = [
        {"value": number(land[flux].mean(), 1), "label": f"{flux.upper()}, Pg C {per}"}
        for flux in FLUX_NAMES
    ]
    scores = data["scores"]
    scores = scores[(scores["model"] == "tamrl") & (scores["group"] == "all")].set_index("flux")
    cards += [
        {
            "value": number(scores["r2_q50"].get(flux, float("nan")), 2),
            "label": f"median R² of {flux.upper()}, held-out towers",
        }
        for flux in FLUX_NAMES
    ]
    towers = f"{(role == 'train').sum()} + {(role == 'test').sum()}"
    return [*cards, {"value": towers, "label": "towers: training + held out"}]


def _provenance(config: Mapping[str, Any], annual: Sequence[str | Path]) -> list[dict[str, str]]:
    with xr.open_dataset(sorted(map(str, annual))[-1]) as product:
        attributes = {name: str(value) for name, value in product.attrs.items()}
    versions = {"tamflux": tamflux.__version__, "python": platform.python_version()}
    versions |= {name: version(name) for name in PACKAGES}
    return [
        {"title": "Configuration", "text": json.dumps(config, indent=2, ensure_ascii=False)},
        {"title": "Attributes of the product", "text": _lines(attributes)},
        {"title": "Software", "text": _lines(versions)},
    ]


def _lines(pairs: Mapping[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in pairs.items())


def _citation(config: Mapping[str, Any], demo: bool) -> Section:
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


def _agreement(table: pd.DataFrame) -> str:
    """One sentence: how far the product is from what was scored."""
    return (
        "The product at the towers' cells differs from the predictions scored here by at most "
        f"{table['max_abs_difference'].max():.4f} g C m⁻² d⁻¹ on {int(table['n'].sum()) // 3:,} "
        "tower-days; it is rounded to 0.001."
    )


def _read(path: str | Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False, na_values=["", "nan"])
