"""Captions of the report's figures; the first sentence is also the text for screen readers."""

from __future__ import annotations

from collections.abc import Iterable

_SERIES = (
    "Daily {} at held-out towers of different IGBP classes, measured and predicted. Points are "
    "days of good quality, the line is TAM-RL{{spread}}. The model that predicts a tower was not "
    "trained on it."
)
_ANNUAL = "mean over the years of the product, in g C per m² of land and year."

CAPTIONS = {
    "map_gpp": f"Map of gross primary production (GPP), {_ANNUAL} The colour scale is the same as "
    "for RECO.",
    "map_reco": f"Map of ecosystem respiration (RECO), {_ANNUAL} The colour scale is the same as "
    "for GPP.",
    "map_nee": f"Map of net ecosystem exchange (NEE = RECO − GPP), {_ANNUAL} Negative values "
    "(green) are uptake by the land, positive ones (brown) release to the atmosphere.",
    "map_std": "Maps of the ensemble standard deviation of GPP, RECO and NEE. The daily standard "
    "deviation over the members is averaged over the year. It shows where the members disagree; "
    "it is not the full uncertainty.",
    "map_seasons": "Maps of monthly mean GPP, RECO and NEE in January, April, July and October, in "
    "g C per m² of land and day.",
    "zonal_means": "Mean GPP, RECO and NEE of the land at each latitude. Blue is the "
    "product{truth}.",
    "seasonal_cycles": "Mean seasonal cycle of GPP, RECO and NEE by latitude zone. Monthly means "
    "over land, weighted by area. Blue is the product{truth}.",
    "site_scores": "R², RMSE and bias at held-out towers for each flux and model. Each point is a "
    "tower; boxes are quartiles, whiskers the 5th and 95th percentile, the number the median. "
    "Values of R² below −1 are drawn at −1.",
    "site_means": "Predicted and measured mean flux of each held-out tower, over its days of good "
    "quality. The line is 1:1.",
    **{f"tower_series_{flux}": _SERIES.format(flux.upper()) for flux in ("gpp", "reco", "nee")},
    "truth_maps": "Annual means of GPP, RECO and NEE on the demo Earth. Truth, product, and "
    "product minus truth, in g C per m² of land and year.",
    "truth_skill": "Maps of R² of the product's days in each cell against the truth. Points are "
    "the training towers. Values below −1 have the darkest colour; cells whose true flux does not "
    "vary have none.",
    "truth_scatter": "Predicted against true annual means of all land cells, for TAM-RL, the LSTM "
    "without static inputs and the mean seasonal cycle. Colour is land area; R² and bias (g C per "
    "m² and year) are weighted by it. The line is 1:1.",
    "truth_distance": "Skill against the truth by distance to the nearest training tower. Above, "
    "all days of all cells pooled; below, the annual means of the cells. Values below −1 are drawn "
    "at −1.",
    "interval_reliability": "Share of days inside the prediction interval, against its nominal "
    "probability. A tower took no part in the calibration of its intervals; days include the "
    "random error of the measurement.{cells}",
    "interval_classes": "Share of days inside the {interval} by IGBP class of the tower{of_cells}. "
    "The shaded range is 88 to 92 %.",
    "map_applicability": "Applicability of the model, exp(−expected error), and dissimilarity "
    "index: distance to the nearest training tower in task embedding, climatology and land cover. "
    "Points are the training towers. Cells without vegetated land have neither.",
    "applicability_error": "Expected error of each cell, from its gross flux and its dissimilarity "
    "index, against its true error on the demo Earth. The expected error is a share of the "
    "standard deviation of the towers' fluxes, mean of the three fluxes.",
    "tower_network": "Map of the towers. {network}",
    "learning_curves": "Learning curves of every TAM-RL member of the product and of the LSTM "
    "without static inputs. Loss by epoch on the training towers.",
    "reference_zonal": "Zonal means of TAMFlux and of the reference products, over the land cells "
    "where all of them have values. Means over the months of the product years, weighted by the "
    "days of each month.",
}


_DEMO = {
    "truth": "; black is the truth",
    "cells": " Cells are those of the demo Earth with vegetated land.",
    "of_cells": ", and by the most frequent class of the cell",
}
"""Parts of captions that only a page about the demo Earth has."""


def captions(
    references: Iterable[str] = (),
    demo: bool = False,
    *,
    interval: str = "90 % prediction interval",
    folds: bool = False,
    spread: bool = True,
) -> dict[str, str]:
    """Caption of each figure by its name.

    Parameters
    ----------
    references : iterable of str
        Names of the reference products, which have maps.
    demo : bool
        Whether the figures show the truth too, which the demo Earth alone has.
    interval : str
        What the intervals are called (`tamflux.report.tables.interval_name`).
    folds : bool
        Whether towers are held out by folds and train the product too.
    spread : bool
        Whether several members predict the held-out towers.
    """
    parts = _DEMO if demo else dict.fromkeys(_DEMO, "")
    parts |= {
        "interval": interval,
        "network": "All train the product; for the scores each is held out once with its fold."
        if folds
        else "Circles train the models, diamonds are held out for scores.",
        "spread": ", the mean of its members, with two ensemble standard deviations on either side "
        "shaded" if spread else "",
    }  # fmt: skip
    own = {name: text.format(**parts) for name, text in CAPTIONS.items()}
    return own | {f"reference_map_{name}": _reference(name) for name in references}


def _reference(name: str) -> str:
    return (
        f"Annual fluxes of TAMFlux and of {name}, and their difference. Both are masked to the "
        "cells where both have values in every month; purple is more in TAMFlux, orange less."
    )
