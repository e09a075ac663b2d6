"""Tables of the report, formatted as text."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import binom

from tamflux.evaluation.labels import MODELS
from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.uncertainty.calibration import LEVEL

MAX_ROWS = 40
"""Rows of the table of rejections; the file has all."""

MIN_COVERAGE = 0.8
"""Share of the days of held-out towers below which an interval is not called one of 90 %."""

POPULATIONS = {"towers": "held-out towers", "cells": "land cells, against the truth"}
ROLES = {"train": "training", "test": "held out", "fold": "training, held out once"}
INDICES = {"dissimilarity_index": "dissimilarity index", "expected_error": "expected error"}


@dataclass
class Table:
    """Cells as text; `text` are the columns of words, `strong` the highlighted rows, `filters` the
    columns that a reader can filter by."""

    caption: str
    columns: list[str]
    rows: list[list[str]]
    text: set[int] = field(default_factory=lambda: {0})
    strong: set[int] = field(default_factory=set)
    filters: set[int] = field(default_factory=set)
    folded: bool = False


def number(value: float, digits: int) -> str:
    """A number as text with a true minus sign; a dash where there is none."""
    if value is None or not np.isfinite(value):
        return "–"
    return f"{value:.{digits}f}".replace("-", "−")


def percent(share: float, digits: int = 0) -> str:
    """A share as text, such as "90 %"."""
    return f"{number(100 * share, digits)} %"


def median_interval(values: pd.Series) -> tuple[float, float]:
    """90 % confidence interval of the median, NaN where too few values give one.

    Order statistics l and n + 1 - l hold the median with probability 1 - 2 P(B < l), where B is
    binomial (n, 1/2) whatever the distribution (Conover 1999, Practical Nonparametric Statistics).
    """
    ordered = np.sort(values.dropna())
    rank = int(binom.ppf((1 - LEVEL) / 2, len(ordered), 0.5))
    if rank < 1:
        return np.nan, np.nan
    return float(ordered[rank - 1]), float(ordered[-rank])


def score_interval(site_scores: pd.DataFrame, model: str, flux: str) -> str:
    """Interval of the median R² of a model as text; empty where there is none."""
    here = (site_scores["model"] == model) & (site_scores["flux"] == flux)
    low, high = median_interval(site_scores.loc[here, "r2"])
    return f"{number(low, 2)} to {number(high, 2)}" if np.isfinite(low) else ""


def score_table(scores: pd.DataFrame, site_scores: pd.DataFrame) -> Table:
    """Scores at held-out towers, all towers together."""
    part = scores[scores["group"] == "all"].set_index(["flux", "model"])
    rows = []
    for flux, model in _pairs(part):
        row = part.loc[(flux, model)]
        quartiles = " / ".join(number(row[f"r2_q{q}"], 2) for q in (25, 50, 75))
        medians = [number(row[f"{name}_q50"], 2) for name in ("rmse", "nmae", "rae", "bias")]
        interval = score_interval(site_scores, model, flux) or "–"
        first = [flux.upper(), MODELS[model], str(int(row["n_sites"]))]
        rows.append([*first, quartiles, interval, *medians])
    columns = ["flux", "model", "towers", "R² quartiles", "90 % interval of the median R²"]
    columns += ["RMSE", "nMAE", "RAE", "bias"]
    return Table(
        "Held-out towers: quartiles of R², medians of the others (RMSE and bias in g C m⁻² d⁻¹)",
        columns,
        rows,
        text={0, 1},
        strong={k for k, row in enumerate(rows) if row[1] == MODELS["tamrl"]},
    )


def class_table(scores: pd.DataFrame, site_scores: pd.DataFrame, group: str, title: str) -> Table:
    """Median R² per class of towers, model and flux, and the intervals of the medians of TAM-RL."""
    part = scores[scores["group"] == group]
    rows = []
    for value, of_class in part.groupby("value"):
        here = site_scores[site_scores[group] == value]
        intervals = [score_interval(here, "tamrl", flux) or "–" for flux in FLUX_NAMES]
        towers = str(int(of_class["n_sites"].max()))
        rows.append([str(value), towers, *_r2_cells(of_class, "r2_q50"), *intervals])
    columns = [f"{f.upper()}, {MODELS[m]}" for f in FLUX_NAMES for m in MODELS]
    columns += [f"90 % interval, {f.upper()}, TAM-RL" for f in FLUX_NAMES]
    return Table(f"Median R² by {title}", ["class", "towers", *columns], rows, folded=True)


def site_score_table(scores: pd.DataFrame, held_out: pd.Series) -> Table:
    """Scores of TAM-RL at each held-out tower; `held_out` are their ids."""
    part = scores[(scores["model"] == "tamrl") & scores["site_id"].isin(held_out)]
    rows = []
    for site, found in part.groupby("site_id"):
        of = found.set_index("flux")
        cells = [
            number(of[metric].get(flux, np.nan), 2)
            for flux in FLUX_NAMES
            for metric in ("r2", "rmse", "bias")
        ]
        first = found.iloc[0]
        rows.append(
            [str(site), str(first["igbp"]), str(first["koppen"]), str(found["n"].max()), *cells]
        )
    names = [f"{f.upper()} {m}" for f in FLUX_NAMES for m in ("R²", "RMSE", "bias")]
    return Table(
        "TAM-RL at each held-out tower (RMSE and bias in g C m⁻² d⁻¹)",
        ["tower", "IGBP", "Köppen", "days", *names],
        rows,
        text={0, 1, 2},
        filters={1, 2},
        folded=True,
    )


def truth_table(truth: pd.DataFrame) -> Table:
    """Scores over all land cells of the demo Earth."""
    part = truth[truth["group"] == "all"].set_index(["flux", "model"])
    rows = []
    for flux, model in _pairs(part):
        row = part.loc[(flux, model)]
        names = ("r2_daily", "r2_cell", "r2_between", "rmse_daily", "bias")
        totals = [number(row[name], 1) for name in ("total_predicted", "total_true")]
        rows.append(
            [flux.upper(), MODELS[model], *(number(row[name], 2) for name in names), *totals]
        )
    return Table(
        "All land cells and days against the truth "
        "(RMSE and bias in g C m⁻² d⁻¹, totals in Pg C yr⁻¹)",
        [
            "flux",
            "model",
            "R² pooled",
            "R² of a cell, median",
            "R² of annual means",
            "RMSE",
            "bias",
            "total",
            "true total",
        ],
        rows,
        text={0, 1},
        strong={k for k, row in enumerate(rows) if row[1] == MODELS["tamrl"]},
    )


def distance_table(truth: pd.DataFrame) -> Table:
    """Skill by distance to the nearest training tower."""
    return _truth_groups(
        truth, "distance_km", "R² of all days by distance to the nearest training tower, km"
    )


def truth_class_table(truth: pd.DataFrame) -> Table:
    """Skill by dominant IGBP class."""
    return _truth_groups(truth, "igbp", "R² of all days by dominant IGBP class of the cell")


def tower_class_table(sites: pd.DataFrame, role: pd.Series) -> Table:
    """Number of towers per IGBP class, by role."""
    roles = [name for name in ROLES if name != "fold"]
    if (role == "fold").all():
        roles = ["fold"]
    counts = pd.crosstab(sites["igbp"], role).reindex(columns=roles, fill_value=0)
    rows = [[name, *map(str, row[roles])] for name, row in counts.iterrows()]
    return Table("Towers per IGBP class", ["class", *(ROLES[name] for name in roles)], rows)


def rejected_table(rejected: pd.DataFrame) -> Table:
    """Rejections by reason, most frequent first."""
    table = rejected.assign(n=pd.to_numeric(rejected["n"], errors="coerce").fillna(0))
    groups = table.groupby(["what", "reason"], sort=False)
    counts = groups.agg(sites=("site_id", "nunique"), n=("n", "sum")).reset_index()
    counts = counts.sort_values("n", ascending=False, kind="stable")
    caption = "Rejected, by reason"
    if len(counts) > MAX_ROWS:
        caption += f" (the {MAX_ROWS} most frequent of {len(counts)})"
    return Table(
        caption,
        ["what", "reason", "towers", "number"],
        [
            [r.what, str(r.reason), str(r.sites), f"{int(r.n):,}"]
            for r in counts.head(MAX_ROWS).itertuples()
        ],
        text={0, 1},
    )


def tower_table(towers: pd.DataFrame, sites: pd.DataFrame, role: pd.Series) -> Table:
    """Every tower: coordinates, classes, period and role."""
    known = dict(zip(sites["site_id"], role, strict=True))
    rows = [
        [
            str(row.site_id),
            "" if pd.isna(row.site_name) else str(row.site_name),
            str(row.network),
            number(row.lat, 2),
            number(row.lon, 2),
            str(row.igbp),
            str(row.koppen),
            f"{row.first} to {row.last}",
            f"{int(row.n_nee):,}",
            ROLES.get(known.get(row.site_id, ""), "not used"),
        ]
        for row in towers.itertuples()
    ]
    columns = [
        "tower", "name", "network", "lat", "lon", "IGBP", "Köppen", "period", "days of NEE", "role",
    ]  # fmt: skip
    text = {0, 1, 2, 5, 6, 7, 9}
    return Table("All towers", columns, rows, text=text, filters={2, 5, 9}, folded=True)


def interval_name(coverage: pd.DataFrame | None) -> str:
    """What the intervals are called: 90 % where held-out towers bear it out, else what they hold.

    They bear it out where at least `MIN_COVERAGE` of the days of each flux are inside. Those of a
    released model, which has no table here, were tested where it was made.
    """
    name = f"{percent(LEVEL)} prediction interval"
    if coverage is None:
        return name
    part = coverage[(coverage["group"] == "all") & (coverage["level"] == LEVEL)]
    part = part[(part["population"] == "towers") & (part["scale"] == "day")]
    if part.empty:
        return f"{name}, not tested at any held-out tower"
    worst, towers = part["coverage"].min(), int(part["n_locations"].min())
    if worst >= MIN_COVERAGE:
        return name
    return (
        f"prediction interval, which holds {percent(worst)} of the days at {towers} held-out towers"
    )


def coverage_table(coverage: pd.DataFrame) -> Table:
    """Share of days and means inside the intervals, all sites or cells together."""
    part = coverage[(coverage["group"] == "all") & (coverage["level"] == LEVEL)]
    rows = [
        [
            POPULATIONS[row.population],
            row.flux.upper(),
            row.scale,
            str(row.n_locations),
            *(
                percent(value, 1)
                for value in (row.coverage, row.coverage_mean, row.coverage_q10, row.coverage_q50)
            ),
            number(row.half_width, 2),
        ]
        for row in part.itertuples()
    ]
    columns = [
        "", "flux", "mean over a", "towers or cells", "of all", "mean", "10th percentile", "median",
        "half-width",
    ]  # fmt: skip
    return Table(
        f"Days and means inside the {interval_name(coverage)} (half-width in g C m⁻² d⁻¹)",
        columns,
        rows,
        text={0, 1, 2},
    )


def coverage_class_table(coverage: pd.DataFrame) -> Table:
    """Share of days inside the intervals by IGBP class."""
    part = coverage[(coverage["group"] == "igbp") & (coverage["level"] == LEVEL)]
    part = part[part["scale"] == "day"]
    pairs = [
        (p, flux) for p in POPULATIONS if (part["population"] == p).any() for flux in FLUX_NAMES
    ]
    known = part.set_index(["value", "population", "flux"])
    rows = []
    for value in dict.fromkeys(part["value"]):
        shares = [known["coverage"].get((value, *pair), float("nan")) for pair in pairs]
        towers = known["n_locations"].get((value, "towers", "nee"), 0)
        rows.append([value, str(int(towers)), *(number(100 * share, 0) for share in shares)])
    return Table(
        f"Days inside the {interval_name(coverage)} by IGBP class, %",
        ["class", "towers", *(f"{flux.upper()}, {p}" for p, flux in pairs)],
        rows,
        folded=True,
    )


def ranking_table(ranking: pd.DataFrame) -> Table:
    """Rank correlations of the indices with the true error of cells."""
    known = ranking.set_index(["index", "error"])["spearman"]
    errors = list(dict.fromkeys(ranking["error"]))
    return Table(
        "Spearman's rank correlation with the true error of the cells",
        ["", *(f"RMSE, {e}" if e not in FLUX_NAMES else f"RMSE of {e.upper()}" for e in errors)],
        [
            [label, *(number(known[(index, error)], 2) for error in errors)]
            for index, label in INDICES.items()
        ],
    )


def _pairs(table: pd.DataFrame) -> list[tuple[str, str]]:
    return [(f, m) for f in FLUX_NAMES for m in MODELS if (f, m) in table.index]


def _r2_cells(rows: pd.DataFrame, column: str) -> list[str]:
    known = rows.set_index(["flux", "model"])[column]
    return [number(known.get((flux, model), np.nan), 2) for flux in FLUX_NAMES for model in MODELS]


def _truth_groups(truth: pd.DataFrame, group: str, caption: str) -> Table:
    part = truth[truth["group"] == group]
    return Table(
        caption,
        [
            "",
            "land, million km²",
            *(f"{f.upper()}, {MODELS[m]}" for f in FLUX_NAMES for m in MODELS),
        ],
        [
            [str(value), number(rows["area_mkm2"].max(), 1), *_r2_cells(rows, "r2_daily")]
            for value, rows in part.groupby("value", sort=False)
        ],
        folded=True,
    )
