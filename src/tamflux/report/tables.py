"""Tables of the report, formatted as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import binom

from tamflux.evaluation.labels import MODELS
from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.uncertainty.calibration import LEVEL

MAX_ROWS = 40
"""Rows of the table of rejections; the file has all."""

PUBLISHED = (
    ("FLUXCOM-X-BASE, 2001–2020 (Nelson et al. 2024)", "124.7 ± 2.1", "", "−5.75 ± 0.33",
     "authors' abstracts"),
    ("FLUXCOM RS, 2008–2010 (Jung et al. 2020)", "106 to 130", "", "", "authors' abstract"),
    ("FLUXCOM RS, 2008–2010 (Jung et al. 2020)", "", "", "about −20", "quoted, unchecked"),
    ("ERF, 2001–2022 (Chen et al. 2024)", "132.7", "", "", "quoted, unchecked"),
    ("GOSIF-GPP, 2000–2017 (Li and Xiao 2019)", "135.5 ± 8.8", "", "", "quoted, unchecked"),
    ("FluxSat v2 (Joiner et al.)", "137 to 140", "", "", "quoted, unchecked"),
    ("VPM, 2000–2016 (Zhang et al. 2017)", "121 to 130", "", "", "quoted, unchecked"),
)  # fmt: skip
"""Global totals in Pg C yr-1: source, GPP, RECO, NEE, where the number was read. Jung et al.
(2020), Biogeosciences 17, 1343; Nelson et al. (2024), Biogeosciences 21, 5079 and EGU25-16220;
Chen et al. (2024), Biogeosciences 21, 4285."""

MIN_COVERAGE = 0.8
"""Share of the days of held-out towers below which an interval is not called one of 90 %."""

POPULATIONS = {"towers": "held-out towers", "cells": "land cells, against the truth"}
REGION_SETS = {
    "latitude": "latitude",
    "igbp": "IGBP class",
    "koppen": "Köppen class",
    "continent": "continent",
    "country": "country",
}
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


def class_table(scores: pd.DataFrame, group: str, title: str) -> Table:
    """Median R² per class of towers, model and flux."""
    part = scores[scores["group"] == group]
    return Table(
        f"Median R² by {title}",
        ["class", "towers", *(f"{f.upper()}, {MODELS[m]}" for f in FLUX_NAMES for m in MODELS)],
        [
            [str(value), str(int(rows["n_sites"].max())), *_r2_cells(rows, "r2_q50")]
            for value, rows in part.groupby("value")
        ],
        folded=True,
    )


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
    """Number of towers per IGBP class."""
    counts = pd.crosstab(sites["igbp"], role).reindex(columns=["train", "test"], fill_value=0)
    rows = [[name, str(row["train"]), str(row["test"])] for name, row in counts.iterrows()]
    return Table("Towers per IGBP class", ["class", "training", "held out"], rows)


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
    words = {"train": "training", "test": "held out"}
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
            words.get(known.get(row.site_id, ""), "not used"),
        ]
        for row in towers.itertuples()
    ]
    columns = [
        "tower", "name", "network", "lat", "lon", "IGBP", "Köppen", "period", "days of NEE", "role",
    ]  # fmt: skip
    text = {0, 1, 2, 5, 6, 7, 9}
    return Table("All towers", columns, rows, text=text, filters={2, 5, 9}, folded=True)


def of_box(totals: pd.DataFrame) -> pd.DataFrame:
    """The rows of the whole box."""
    return totals[totals["region_set"] == "box"]


def mass_unit(petagrams: pd.Series | np.ndarray) -> tuple[str, float]:
    """Unit in which half of some totals are at least 1 (Pg) or not (Tg), and its number per Pg."""
    typical = np.nanmedian(np.abs(np.asarray(petagrams, float)))
    return ("Pg C", 1.0) if typical >= 1 else ("Tg C", 1e3)


def total(value: float, half_width: float, factor: float) -> str:
    """A total in three significant digits, with the half-width of its interval if there is one."""
    value, half_width = value * factor, half_width * factor
    if not np.isfinite(value):
        return "–"
    size = int(np.floor(np.log10(abs(value)))) if value else 0
    digits = min(max(0, 2 - size), 3)
    text = number(value, digits)
    return f"{text} ± {number(half_width, digits)}" if np.isfinite(half_width) else text


def totals_table(totals: pd.DataFrame) -> Table:
    """Totals of the box and, for the globe, published values."""
    box = of_box(totals)
    unit, factor = mass_unit(box["gpp"])
    rows = [
        [f"TAMFlux, {_period(row)}", *_total_cells(row._asdict(), factor), "this run"]
        for row in box.itertuples()
    ]
    world = (box["region"] == "global").all()
    published = PUBLISHED if world else ()
    return Table(
        f"Totals of {'all land cells' if world else 'the land of the box'}, {unit} yr⁻¹, with the "
        f"half-width of the {LEVEL:.0%} interval",
        ["", "GPP", "RECO", "NEE", "source"],
        [*rows, *([cell or "–" for cell in source] for source in published)],
        text={0, 4},
        strong=set(range(len(rows))),
    )


def complete_years(totals: pd.DataFrame) -> pd.DataFrame:
    """Totals of the complete years, else of the days so far."""
    complete = totals[totals["days"] >= 365]
    return totals if complete.empty else complete


def region_tables(totals: pd.DataFrame) -> list[Table]:
    """Totals of each region set, mean over the complete years."""
    columns = ["land_area", *FLUX_NAMES, *(f"{flux}_pi90_halfwidth" for flux in FLUX_NAMES)]
    tables = []
    for name, part in complete_years(totals).groupby("region_set", sort=False):
        if name == "box":
            continue
        mean = part.groupby("region", sort=False)[columns].mean()
        unit, factor = mass_unit(mean["gpp"])
        rows = [
            [str(region), number(row["land_area"] / 1e12, 2), *_total_cells(row, factor)]
            for region, row in mean.iterrows()
        ]
        tables.append(
            Table(
                f"Totals by {REGION_SETS.get(str(name), f'region of {name}')}, {unit} yr⁻¹",
                ["region", "land, million km²", "GPP", "RECO", "NEE"],
                rows,
                folded=True,
            )
        )
    return tables


def _total_cells(row: Mapping, factor: float) -> list[str]:
    return [total(row[flux], row[f"{flux}_pi90_halfwidth"], factor) for flux in FLUX_NAMES]


def reference_table(scores: pd.DataFrame) -> Table:
    """Totals of TAMFlux and of reference products over their common cells."""
    unit, factor = mass_unit(scores[["product_total", "reference_total"]])
    rows = [
        [
            row.reference,
            row.flux.upper() + (" (derived)" if row.derived else ""),
            str(row.years),
            f"{number(row.area_mkm2, 1)} ({number(100 * row.area_share, 0)} %)",
            *(
                total(x, np.nan, factor)
                for x in (
                    row.product_total,
                    row.reference_total,
                    row.product_total - row.reference_total,
                )
            ),
            *(number(x, 2) for x in (row.correlation, row.rmse)),
        ]
        for row in scores.itertuples()
    ]
    columns = [
        "product", "flux", "years", "land, million km² (share of TAMFlux)", "TAMFlux", "reference",
        "difference", "correlation of annual means", "RMSE of months",
    ]  # fmt: skip
    return Table(
        f"Totals in {unit} yr⁻¹ over the common cells, weighted by the land area of TAMFlux "
        "(RMSE in g C m⁻² d⁻¹)",
        columns,
        rows,
        text={0, 1, 2},
        filters={1} if len(rows) > 3 else set(),
    )


def interval_name(coverage: pd.DataFrame | None) -> str:
    """What the intervals are called: 90 % where held-out towers bear it out, else what they hold.

    They bear it out where at least `MIN_COVERAGE` of the days of each flux are inside. Those of a
    released model, which has no table here, were tested where it was made.
    """
    if coverage is None:
        return f"{LEVEL:.0%} prediction interval"
    part = coverage[(coverage["group"] == "all") & (coverage["level"] == LEVEL)]
    part = part[(part["population"] == "towers") & (part["scale"] == "day")]
    if part.empty:
        return f"{LEVEL:.0%} prediction interval, not tested at any held-out tower"
    worst, towers = part["coverage"].min(), int(part["n_locations"].min())
    if worst >= MIN_COVERAGE:
        return f"{LEVEL:.0%} prediction interval"
    return f"prediction interval, which holds {worst:.0%} of the days at {towers} held-out towers"


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
                f"{number(100 * value, 1)} %"
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
        f"Days inside the {LEVEL:.0%} prediction interval by IGBP class, %",
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


def _period(row) -> str:
    """A year, the number of its days if it is partial, and the shares that make it less certain."""
    year = str(row.year) if row.days >= 365 else f"the first {row.days} days of {row.year}"
    remarks = [
        f"{number(100 * share, 1)} % of {what}"
        for share, what in (
            (row.preliminary_share, "days from preliminary ERA5"),
            (row.missing_share, "area-days without fluxes"),
        )
        if share > 0
    ]
    return f"{year} ({', '.join(remarks)})" if remarks else year


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
