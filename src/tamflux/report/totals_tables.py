"""Tables of totals: ours by region, published ones, and those of reference products."""

from __future__ import annotations

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


def totals_table(totals: pd.DataFrame) -> Table:
    """Global totals of the product beside published values."""
    rows = [
        [
            f"TAMFlux, {_period(row)}",
            *(number(getattr(row, flux), 1) for flux in FLUX_NAMES),
            "this run",
        ]
        for row in totals[totals["region"] == "global"].itertuples()
    ]
    return Table(
        "Totals of all land cells, Pg C yr⁻¹",
        ["", "GPP", "RECO", "NEE", "known from"],
        [*rows, *([cell or "–" for cell in source] for source in PUBLISHED)],
        text={0, 4},
        strong=set(range(len(rows))),
    )


def _period(row) -> str:
    """A year, and how much of it there is if it is not over."""
    return str(row.year) if row.days >= 365 else f"the first {row.days} days of {row.year}"


def complete_years(totals: pd.DataFrame) -> pd.DataFrame:
    """Totals of the years that are over; where none is, of the days so far."""
    whole = totals[totals["days"] >= 365]
    return totals if whole.empty else whole


def zonal_table(totals: pd.DataFrame) -> Table:
    """Totals per region, mean over the years that are over."""
    mean = complete_years(totals).groupby("region", sort=False)[["land_area", *FLUX_NAMES]].mean()
    rows = [
        [region, number(row["land_area"] / 1e12, 1), *(number(row[f], 2) for f in FLUX_NAMES)]
        for region, row in mean.iterrows()
        if row["land_area"] > 0
    ]
    columns = ["region", "land, million km²", "GPP", "RECO", "NEE"]
    return Table("Totals by latitude, Pg C yr⁻¹", columns, rows, folded=True)


def reference_table(scores: pd.DataFrame) -> Table:
    """Totals of our product and of others over the cells that both have."""
    rows = [
        [
            row.reference,
            row.flux.upper() + (" (derived)" if row.derived else ""),
            str(row.years),
            f"{number(row.area_mkm2, 1)} ({number(100 * row.area_share, 0)} %)",
            *(number(x, 1) for x in (row.ours, row.theirs, row.ours - row.theirs)),
            *(number(x, 2) for x in (row.correlation, row.rmse)),
        ]
        for row in scores.itertuples()
    ]
    columns = [
        "product", "flux", "years", "land, million km² (share of ours)", "TAMFlux", "product's",
        "difference", "correlation of annual means", "RMSE of months",
    ]  # fmt: skip
    return Table(
        "Totals in Pg C yr⁻¹ over the cells that both have, weighted by our land area "
        "(RMSE in g C m⁻² d⁻¹)",
        columns,
        rows,
        text={0, 1, 2},
        filters={1} if len(rows) > 3 else set(),
    )
