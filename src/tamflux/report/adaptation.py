"""Sections on adaptation: errors by measured days, and the series of every held-out tower.

`templates/towers.js` draws the series; their numbers are packed as those of the map.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tamflux.adaptation.curve import curve_summary
from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.report.explorer import MISSING, QUANTUM, pack, rounded
from tamflux.report.page import Section, figure
from tamflux.report.tables import Table, number

WEEK = 7
"""Days of a point of the series, counted from the first day of the tower."""

KINDS = {"observed": "_observed", "zero_shot": "_zero_shot", "adapted": "", "halfwidth":
         "_pi90_halfwidth"}  # fmt: skip
"""Name of a series on the page, and the suffix of its column."""

PLANES = {f"{flux}_{kind}": f"{flux}{end}" for flux in FLUX_NAMES for kind, end in KINDS.items()}

METHODS = {
    "correction": "adapted", "scale": "one factor each", "lightgbm": "LightGBM continued",
}  # fmt: skip
"""Methods of the adaptation curve as the tables call them."""

DRAWN = {
    "first": "first {}", "random": "random {} of the first year",
    "winter": "{} of the three coldest months",
}  # fmt: skip

CURVE_CAPTION = {
    "adaptation_curve": "Change of the mean RMSE over held-out towers against zero-shot TAM-RL, by "
    "the number of measured days of the tower that are used. Scored are the good days after its "
    "365th."
}


def curve_section(curves: Sequence[str | Path], drawn: str | Path) -> Section:
    """Section on how errors fall with measured days.

    Parameters
    ----------
    curves : sequence of path
        From `adaptation_curve` and, where it was run, `lightgbm_curve`.
    drawn : path
        PNG of `plot_adaptation_curve`.
    """
    curve = pd.concat([pd.read_csv(path) for path in curves], ignore_index=True)
    text = (
        "Each held-out tower lends some of its first 365 good days to a method; scored are its "
        "good days after these. The correction knows how towers differ from the errors at the "
        "towers of the other folds alone."
    )
    return Section(
        "curve", "Errors by measured days", [text], [curve_table(curve)],
        figures=[figure(Path(drawn), CURVE_CAPTION)],
    )  # fmt: skip


def curve_table(curve: pd.DataFrame) -> Table:
    """Change of the mean RMSE over towers, and share of days inside the adapted interval."""
    means = curve_summary(curve)
    most = int(means["sites"].max())
    rows = []
    for method, label in METHODS.items():
        of_method = means[means["method"] == method]
        for (draw, days), part in of_method.groupby(["draw", "days"], sort=False):
            of = part.set_index("flux").reindex(FLUX_NAMES)
            if days == 0 and method != "lightgbm":
                continue
            fewer = "" if of["sites"].iloc[0] == most else f" ({of['sites'].iloc[0]} towers)"
            measured = DRAWN[draw].format(days) if days else "no day"
            inside = "/".join(number(100 * share, 0) for share in of["inside"])
            rows.append([
                f"{label}, {measured}{fewer}",
                *(f"{number(change, 1)} %" for change in of["change"]),
                f"{inside} %" if of["inside"].notna().all() else "–",
            ])  # fmt: skip
    columns = ["method, measured days", *map(str.upper, FLUX_NAMES), "inside the 90 % interval"]
    caption = f"Change of the mean RMSE over {most} towers against zero-shot TAM-RL"
    return Table(caption, columns, rows)


def tower_section(series: pd.DataFrame, sites: pd.DataFrame) -> Section | None:
    """Section with the series of every held-out tower; None where no tower is adapted.

    Parameters
    ----------
    series : DataFrame
        From `tamflux.adaptation.series`.
    sites : DataFrame
        `site_id, lat, lon, igbp, koppen` of the towers.
    """
    towers = _scored(series).merge(sites, "left", "site_id")
    if towers.empty:
        return None
    means = towers.mean(numeric_only=True)
    ratios = {flux: means[f"{flux}_adapted"] / means[f"{flux}_zero_shot"] for flux in FLUX_NAMES}
    change = [f"{flux.upper()} {number(100 * (ratios[flux] - 1), 1)} %" for flux in FLUX_NAMES]
    text = (
        "No model was trained on these towers. Zero-shot is the model alone; adapted, it is "
        "corrected with the first half of the tower's good days, at most 365, by what the errors "
        "at other towers tell of how towers differ. Scored are the good days after these. Change "
        f"of the mean RMSE over towers: {', '.join(change)}."
    )
    return Section(
        "adaptation", "Adapted to the towers", [text], [_table(towers)],
        towers=_chooser(series, towers),
    )  # fmt: skip


def _scored(series: pd.DataFrame) -> pd.DataFrame:
    """Days used and scored of each tower, and its RMSE zero-shot and adapted, g C m-2 d-1."""
    good = series[[f"{flux}{end}" for flux in FLUX_NAMES for end in ("_observed", "")]]
    scored = good.notna().all(axis=1) & ~series["used"].astype(bool)
    table = {"used": series["used"].astype(int), "scored": scored.astype(int)}
    for flux in FLUX_NAMES:
        for kind in ("zero_shot", "adapted"):
            error = series[f"{flux}{KINDS[kind]}"] - series[f"{flux}_observed"]
            table[f"{flux}_{kind}"] = error.where(scored) ** 2
    of_tower = pd.DataFrame(table).astype(float).groupby(series["site_id"])
    means = np.sqrt(of_tower.mean().drop(columns=["used", "scored"]))
    return of_tower[["used", "scored"]].sum().astype(int).join(means).reset_index()


def _table(towers: pd.DataFrame) -> Table:
    rows = [
        [row["site_id"], str(row["igbp"]), str(row["koppen"]), str(row["used"]), str(row["scored"])]
        + [number(row[f"{f}_{kind}"], 2) for f in FLUX_NAMES for kind in ("zero_shot", "adapted")]
        for _, row in towers.iterrows()
    ]
    names = [f"{flux.upper()} {kind}" for flux in FLUX_NAMES for kind in ("zero-shot", "adapted")]
    return Table(
        "RMSE at each held-out tower on the days after those used, g C m⁻² d⁻¹",
        ["tower", "IGBP", "Köppen", "days used", "days scored", *names],
        rows, text={0, 1, 2}, filters={1, 2}, folded=True,
    )  # fmt: skip


def _chooser(series: pd.DataFrame, towers: pd.DataFrame) -> dict[str, Any]:
    """`meta`, for JSON, and `data`, base64: the planes of each tower one after the other."""
    groups = dict(list(series.groupby("site_id")))
    shown, planes = [], []
    for _, row in towers.iterrows():
        days = groups[row["site_id"]]
        date = pd.DatetimeIndex(days["date"])
        week = (date - date.min()).days // WEEK
        columns = [*PLANES.values(), "used"]
        weekly = days[columns].astype(float).groupby(week).mean()
        weekly = weekly.reindex(range(week.max() + 1)).to_numpy()
        planes.append(rounded(weekly.T))
        lat = f"{abs(row['lat']):.1f}° {'SN'[row['lat'] >= 0]}"
        lon = f"{abs(row['lon']):.1f}° {'WE'[row['lon'] >= 0]}"
        rmse = {
            flux: [_or_none(row[f"{flux}_{kind}"]) for kind in ("zero_shot", "adapted")]
            for flux in FLUX_NAMES
        }
        shown.append({
            "label": f"{row['site_id']} · {row['igbp']} · {row['koppen']} · {lat}, {lon}",
            "start": f"{date.min():%Y-%m-%d}",
            "weeks": len(weekly), "used": int(row["used"]), "scored": int(row["scored"]),
            "rmse": rmse,
        })  # fmt: skip
    meta = {"quantum": QUANTUM, "missing": int(MISSING), "planes": [*PLANES, "used"]}
    return {"meta": meta | {"towers": shown}, "data": pack(planes)}


def _or_none(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
