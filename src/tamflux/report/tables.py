"""The tables of the report, as text ready to print."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from tamflux.evaluation.metrics import FLUX_NAMES, MODELS

MAX_ROWS = 40
"""Rows of a table of rejections; the rest is in the file."""


@dataclass
class Table:
    """Cells as text; `text` names the columns that are words, `strong` the rows that stand out,
    `filters` the columns by whose words a reader may keep rows."""

    caption: str
    columns: list[str]
    rows: list[list[str]]
    text: set[int] = field(default_factory=lambda: {0})
    strong: set[int] = field(default_factory=set)
    filters: set[int] = field(default_factory=set)
    folded: bool = False


def score_table(scores: pd.DataFrame) -> Table:
    """Scores at held-out towers, all towers together."""
    part = scores[scores["group"] == "all"].set_index(["flux", "model"])
    rows = []
    for flux, model in _pairs(part):
        row = part.loc[(flux, model)]
        quartiles = " / ".join(number(row[f"r2_q{q}"], 2) for q in (25, 50, 75))
        medians = [number(row[f"{name}_q50"], 2) for name in ("rmse", "nmae", "rae", "bias")]
        rows.append([flux.upper(), MODELS[model], str(int(row["n_sites"])), quartiles, *medians])
    columns = ["flux", "model", "towers", "R² quartiles", "RMSE", "nMAE", "RAE", "bias"]
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
    """Scores of our model at each held-out tower; `held_out` are their ids."""
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
    """Every tower: where, what, from when to when, and its role."""
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


def number(value: float, digits: int) -> str:
    """A number as text with a true minus sign; a dash where there is none."""
    if value is None or not np.isfinite(value):
        return "–"
    return f"{value:.{digits}f}".replace("-", "−")


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
