"""Tables of totals, formatted as text."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.report.tables import Table, number

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

REGION_SETS = {
    "latitude": "latitude",
    "igbp": "IGBP class",
    "koppen": "Köppen class",
    "continent": "continent",
    "country": "country",
}


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
        "half-width of the interval",
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


def _total_cells(row: Mapping, factor: float) -> list[str]:
    return [total(row[flux], row[f"{flux}_pi90_halfwidth"], factor) for flux in FLUX_NAMES]


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
