"""Write the report: one self-contained HTML page with figures and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

import tamflux
from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.files import atomic_path
from tamflux.grid import Grid
from tamflux.product.acdd import is_demo
from tamflux.report.captions import captions
from tamflux.report.explorer import explorer
from tamflux.report.page import figure, render
from tamflux.report.sections import citation, provenance, sections_of
from tamflux.report.tables import interval_name, number, score_interval
from tamflux.report.totals_tables import complete_years, mass_unit, of_box, total
from tamflux.samples.splits import HEADLINE_TOWERS, tower_roles


def write_report(
    target: str | Path,
    *,
    totals: str | Path,
    annual: Sequence[str | Path],
    monthly: Sequence[str | Path],
    figures: Mapping[str, Sequence[str | Path]],
    config: Mapping[str, Any],
    scores: str | Path | None = None,
    site_scores: str | Path | None = None,
    agreement: str | Path | None = None,
    coverage: str | Path | None = None,
    ranking: str | Path | None = None,
    sites: str | Path | None = None,
    towers: str | Path | None = None,
    rejected: str | Path | None = None,
    adapted: str | Path | None = None,
    truth_scores: str | Path | None = None,
    references: str | Path | None = None,
) -> None:
    """Write the report.

    Parameters
    ----------
    target : path
        HTML file to write; it loads nothing from elsewhere.
    totals, annual, monthly : path, sequences of path
        `results/product/totals.csv` and the annual and monthly product files.
    scores, site_scores, agreement, truth_scores : path, optional
        From `score_models` and, on the demo Earth, `evaluate_truth`.
    coverage, ranking : path, optional
        From `evaluate_intervals`.
    sites, towers, rejected : path, optional
        `results/samples/sites.csv`, `results/towers/sites.csv` and `rejected.csv`. All that towers
        tell is absent where a released model predicts.
    adapted : path, optional
        From `tamflux.adaptation.series.adapt_held_out`.
    figures : mapping of section to sequence of path
        PNG files of the sections maps, seasons, scores, truth, references, intervals, towers and
        training.
    config : mapping
        The configuration of the run.
    references : path, optional
        The table of `plot_references`.
    """
    grid = Grid.from_config(config["grid"])
    tables = {
        "totals": totals, "scores": scores, "site_scores": site_scores, "agreement": agreement,
        "coverage": coverage, "ranking": ranking, "truth": truth_scores, "sites": sites,
        "towers": towers, "rejected": rejected, "references": references,
    }  # fmt: skip
    data: dict[str, Any] = {
        name: None if path is None else _read(path) for name, path in tables.items()
    }
    data["adapted"] = None if adapted is None else pd.read_parquet(adapted)
    interval = interval_name(data["coverage"])
    data["explorer"] = explorer(monthly, annual, grid, interval)
    role = None if sites is None else tower_roles(data["sites"], config["training"]["split"])
    demo = data["truth"] is not None or (role is None and is_demo(config["inputs"]))
    sections = [
        *sections_of(data, role, config), provenance(config, annual), citation(config, demo)
    ]  # fmt: skip
    folds = role is not None and bool((role == "fold").all())
    texts = captions(
        (each["name"] for each in config["validation"]["references"]),
        demo,
        interval=interval,
        folds=folds,
        spread=data["explorer"]["spread"] and not folds,
    )
    for section in sections:
        section.figures = [figure(Path(path), texts) for path in figures.get(section.id, ())]
    years = sorted(config["years"]["product"])
    page = {
        "title": f"TAMFlux {', '.join(map(str, years))}: daily GPP, RECO and NEE"
        + (" of the demo Earth" if demo else ""),
        "subtitle": _subtitle(config, role, annual),
        "cards": _cards(data, role),
        "notice": "The Earth of this run is synthetic: real map and climate, invented vegetation, "
        "towers and fluxes. Its totals and scores test the method; they do not describe the real "
        "carbon cycle."
        if demo
        else "",
        "sections": sections,
        "footer": f"Written by TAMFlux {tamflux.__version__}.",  # no date: same results, same page
    }
    with atomic_path(target) as partial:
        partial.write_text(render(page), encoding="utf-8")


def _subtitle(
    config: Mapping[str, Any], role: pd.Series | None, annual: Sequence[str | Path]
) -> str:
    grid = config["grid"]
    west, south, east, north = grid["bbox"]
    world = (west, south, east, north) == (-180, -90, 180, 90)
    area = "global" if world else f"{_latitudes(south, north)}, {_longitudes(west, east)}"
    what = f"Carbon fluxes between land and atmosphere, {area}, {grid['resolution']:g}° and daily, "
    if role is None:
        with xr.open_dataset(annual[0]) as product:
            made = product.attrs["source"]
        return f"{what}predicted with the released model {config['inference']['model']}: {made}."
    first, last = min(config["years"]["train"]), max(config["years"]["train"])
    members = config["training"]["members"]
    return (
        f"{what}upscaled from {(role != 'test').sum()} eddy-covariance towers with "
        f"{members} member{'s' * (members > 1)} of TAM-RL trained on "
        f"{first if first == last else f'{first}–{last}'}."
    )


def _latitudes(south: float, north: float) -> str:
    return " to ".join(f"{abs(lat):g}° {'SN'[lat >= 0]}" for lat in (south, north))


def _longitudes(west: float, east: float) -> str:
    return " to ".join(f"{abs(lon):g}° {'WE'[lon >= 0]}" for lon in (west, east))


def _cards(data: Mapping[str, Any], role: pd.Series | None) -> list[dict[str, str]]:
    """Numbers at the top of the page."""
    box = complete_years(of_box(data["totals"]))
    unit, factor = mass_unit(box["gpp"])
    per = "yr⁻¹" if box["days"].min() >= 365 else f"in the first {box['days'].max()} days"
    where = "" if (box["region"] == "global").all() else " of the region"
    cards = [
        {
            "value": total(box[flux].mean(), box[f"{flux}_pi90_halfwidth"].mean(), factor),
            "label": f"{flux.upper()}{where}, {unit} {per}",
        }
        for flux in FLUX_NAMES
    ]
    if role is None:
        return cards
    scores = data["scores"]
    scores = scores[(scores["model"] == "tamrl") & (scores["group"] == "all")].set_index("flux")
    cards += [_score_card(scores, data["site_scores"], flux) for flux in FLUX_NAMES]
    if (role == "fold").all():
        return [*cards, {"value": str(len(role)), "label": "towers, each held out once"}]
    towers = f"{(role == 'train').sum()} + {(role == 'test').sum()}"
    return [*cards, {"value": towers, "label": "towers: training + held out"}]


def _score_card(scores: pd.DataFrame, site_scores: pd.DataFrame, flux: str) -> dict[str, str]:
    """The median R² with its number of towers and its interval; none with too few towers."""
    towers = int(scores["n_sites"].get(flux, 0))
    if towers < HEADLINE_TOWERS:
        label = f"no R² of {flux.upper()}: {towers} held-out towers, {HEADLINE_TOWERS} are needed"
        return {"value": "–", "label": label}
    interval = score_interval(site_scores, "tamrl", flux)
    label = f"median R² of {flux.upper()}, {towers} held-out towers"
    return {"value": number(scores["r2_q50"][flux], 2), "label": f"{label} (90 %: {interval})"}


def _read(path: str | Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False, na_values=["", "nan"])
