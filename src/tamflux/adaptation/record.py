"""Predicted and measured days of sites that no model saw."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from tamflux.adaptation.correction import Correction
from tamflux.samples.samples import Samples
from tamflux.variables import FLUXES

MIN_QC = 0.8
"""Share of a day's NEE that must be measured or well filled for the day to be used."""

MIN_LEARNING = 100
"""Good days that a site needs to teach how sites differ."""


class Record(NamedTuple):
    """Fluxes of every row of the samples, g C m-2 d-1.

    samples : what the rows are.
    fluxes : (row, 3) zero-shot, NaN where there is no prediction.
    observed : (row, 3) measured, NaN on days that are not good.
    conditions : (row, condition) from `daily_conditions`.
    """

    samples: Samples
    fluxes: np.ndarray
    observed: np.ndarray
    conditions: np.ndarray

    @property
    def good(self) -> np.ndarray:
        """(row,) bool, days with all three fluxes, measured and predicted."""
        return np.isfinite(self.observed).all(axis=1) & np.isfinite(self.fluxes).all(axis=1)

    def rows_of_sites(self) -> list[np.ndarray]:
        """Rows of the good days of each site."""
        rows = np.flatnonzero(self.good)
        bounds = np.searchsorted(self.samples.site[rows], np.arange(1, len(self.samples.sites)))
        return np.split(rows, bounds)

    def learn(self, sites: np.ndarray) -> Correction:
        """How sites differ, from the selected (site,) bool ones with `MIN_LEARNING` good days."""
        use = self.teaching(sites)[self.samples.site] & self.good
        return Correction.learn(
            self.fluxes[use], self.observed[use], self.conditions[use], self.samples.site[use]
        )

    def teaching(self, sites: np.ndarray) -> np.ndarray:
        """(site,) bool, those of the selected sites that `learn` uses."""
        return sites & np.array([len(rows) >= MIN_LEARNING for rows in self.rows_of_sites()])


def measured_well(samples: Samples, min_qc: float, first_day: str | None = None) -> np.ndarray:
    """(row, 3) measured fluxes, NaN on days of a lower qc or before `first_day`."""
    good = samples.qc >= min_qc
    if first_day is not None:
        good &= samples.date >= np.datetime64(first_day)
    return np.where(good[:, None], samples.y, np.nan).astype(float)


def aligned_fluxes(samples: Samples, predictions: pd.DataFrame) -> np.ndarray:
    """Predicted fluxes (row, 3) in the order of the samples, NaN where there are none."""
    site_id = samples.sites["site_id"].to_numpy()[samples.site]
    rows = pd.MultiIndex.from_arrays([site_id, samples.date.astype("datetime64[ns]")])
    table = predictions.set_index(["site_id", "date"])[list(FLUXES)]
    return table.reindex(rows).to_numpy(float)
