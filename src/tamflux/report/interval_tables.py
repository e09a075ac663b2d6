"""The report's tables of intervals and applicability."""

from __future__ import annotations

import pandas as pd

from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.report.tables import Table, number
from tamflux.uncertainty.calibration import LEVEL

POPULATIONS = {"towers": "held-out towers", "cells": "land cells, against the truth"}
INDICES = {"dissimilarity_index": "distance alone", "expected_error": "expected error"}

INTERVALS_TEXT = (
    f"Half-widths of {LEVEL:.0%} intervals follow from the errors at training towers, each "
    "predicted by a model that had not seen it. The held-out towers below took no part. Days of "
    "towers carry the towers' own random error, which the intervals leave out as far as means of "
    "errors over three days can; cells have none, and where vegetation rests their intervals are "
    "wider than needed."
)
REACH_TEXT = (
    "Applicability is exp(−expected error). The expected error of a cell is the square root of its "
    "activity (GPP + RECO) times a linear function of its distance to the nearest training tower "
    "in task code, climatology and land cover, both coefficients fitted to errors at unseen "
    "towers. The distance alone ranks the error relative to the activity, not the error itself: "
    "the most distant cells are deserts and ice, where little can go wrong."
)


def coverage_table(coverage: pd.DataFrame) -> Table:
    """Share of days inside the intervals, all places together."""
    part = coverage[(coverage["group"] == "all") & (coverage["level"] == LEVEL)]
    rows = [
        [
            POPULATIONS[row.population],
            row.flux.upper(),
            str(row.n_places),
            *(
                f"{number(100 * value, 1)} %"
                for value in (row.coverage, row.coverage_places, row.coverage_q10, row.coverage_q50)
            ),
            number(row.half_width, 2),
        ]
        for row in part.itertuples()
    ]
    columns = [
        "", "flux", "places", "of all days", "mean of places", "10th percentile", "median",
        "half-width",
    ]  # fmt: skip
    return Table(
        f"Days inside the {LEVEL:.0%} interval (half-width in g C m⁻² d⁻¹)",
        columns,
        rows,
        text={0, 1},
    )


def coverage_class_table(coverage: pd.DataFrame) -> Table:
    """Share of days inside the intervals by IGBP class."""
    part = coverage[(coverage["group"] == "igbp") & (coverage["level"] == LEVEL)]
    pairs = [
        (p, flux) for p in POPULATIONS if (part["population"] == p).any() for flux in FLUX_NAMES
    ]
    known = part.set_index(["value", "population", "flux"])
    rows = []
    for value in dict.fromkeys(part["value"]):
        shares = [known["coverage"].get((value, *pair), float("nan")) for pair in pairs]
        places = known["n_places"].get((value, "towers", "nee"), 0)
        rows.append([value, str(int(places)), *(number(100 * share, 0) for share in shares)])
    return Table(
        f"Days inside the {LEVEL:.0%} interval by IGBP class, %",
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
