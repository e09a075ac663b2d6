"""Daily series of towers: as the model gives them, and adapted to the tower."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tamflux.adaptation.correction import Correction
from tamflux.adaptation.features import daily_conditions
from tamflux.adaptation.record import MIN_QC, Record, aligned_fluxes, measured_well
from tamflux.files import atomic_path
from tamflux.samples.samples import load_samples
from tamflux.training.ensemble import Ensemble, predict_sites
from tamflux.variables import FLUXES

log = logging.getLogger("tamflux")

MAX_ADAPTING_DAYS = 365
"""Good days that adapt the model to a held-out tower, at most; else the first half of them."""

MIN_TEACHING_SITES = 10
"""With fewer sites the spread of their errors is not known, and no tower is adapted."""

COLUMNS = [
    *FLUXES, *(f"{f}_pi90_halfwidth" for f in FLUXES), *(f"{f}_zero_shot" for f in FLUXES),
    *(f"{f}_observed" for f in FLUXES), "used",
]  # fmt: skip


def adapted_series(
    prior: Correction,
    zero_shot: np.ndarray,
    observed: np.ndarray,
    conditions: np.ndarray,
    used: np.ndarray,
) -> pd.DataFrame:
    """The daily series of one site, adapted with some of its days.

    Parameters
    ----------
    prior : Correction
        How sites differ.
    zero_shot, observed : numpy.ndarray
        (day, 3) predicted and measured, g C m-2 d-1.
    conditions : numpy.ndarray
        (day, condition) from `daily_conditions`.
    used : numpy.ndarray
        (day,) bool, the days that adapt.

    Returns
    -------
    DataFrame
        `gpp, reco, nee`, adapted, and their `*_pi90_halfwidth`; `*_zero_shot`; `*_observed`, g C
        m-2 d-1; `used`.
    """
    own = prior.adapt(zero_shot[used], observed[used].astype(float), conditions[used])
    adapted, half_width = own.apply(zero_shot, conditions)
    values = np.concatenate([adapted, half_width, zero_shot, observed], axis=1)
    return pd.DataFrame(np.column_stack([values, used]), columns=COLUMNS).astype({"used": bool})


def held_out_series(record: Record, site: int, prior: Correction) -> pd.DataFrame:
    """The series of a held-out site, adapted with the first half of its good days, at most 365.

    Returns
    -------
    DataFrame
        `site_id, date` and the columns of `adapted_series`.
    """
    rows = np.flatnonzero(record.samples.site == site)
    good = rows[record.good[rows]]
    used = np.isin(rows, good[: min(MAX_ADAPTING_DAYS, len(good) // 2)])
    table = adapted_series(
        prior, record.fluxes[rows], record.observed[rows], record.conditions[rows], used
    )
    table[COLUMNS[:-1]] = table[COLUMNS[:-1]].astype(np.float32)
    table.insert(0, "date", record.samples.date[rows].astype("datetime64[ns]"))
    table.insert(0, "site_id", record.samples.sites["site_id"][site])
    return table


def adapt_held_out(
    samples_paths: Sequence[str | Path],
    sites_path: str | Path,
    predictions_path: str | Path,
    folds: Sequence[str | Path],
    series_path: str | Path,
    *,
    split: str,
) -> None:
    """Adapt the model of the product to each held-out tower, and write the daily series.

    How towers differ is learnt from the errors at the training towers, each predicted by the
    member that was not trained on it.

    Parameters
    ----------
    samples_paths, sites_path : paths
        Samples (contract 2) of the training and product years, and of their look-back windows.
    predictions_path : path
        From `tamflux.evaluation.sites.evaluate_sites`.
    folds : sequence of path
        The members trained without each fold.
    series_path : path
        Parquet to write: columns of `held_out_series`; without a row where fewer than
        `MIN_TEACHING_SITES` training towers have enough good days.
    split : str
        Name of the hold-out split.
    """
    ensembles = [Ensemble.load([path]) for path in folds]
    samples = load_samples(samples_paths, sites_path, ensembles[0].predictors)
    site_id = samples.sites["site_id"]
    trains = (samples.sites[f"split_{split}"] == "train").to_numpy()
    table = pd.read_parquet(predictions_path)
    parts = [table[(table["model"] == "tamrl") & (table["split"] == "test")]]
    for ensemble in ensembles:
        left_out = np.flatnonzero(trains & ~site_id.isin(ensemble.specs[0].training_sites))
        parts.append(predict_sites(ensemble, samples, left_out))
    spec = ensembles[0].specs[0]
    record = Record(
        samples,
        aligned_fluxes(samples, pd.concat(parts)),
        measured_well(samples, MIN_QC),
        daily_conditions(samples, spec.mean, spec.sd),
    )
    teachers, series = (
        int(record.teaching(trains).sum()),
        [pd.DataFrame(columns=["site_id", "date", *COLUMNS])],
    )
    if teachers < MIN_TEACHING_SITES:
        log.warning(
            "no tower is adapted: %d training towers have enough good days, %d are needed",
            teachers, MIN_TEACHING_SITES,
        )  # fmt: skip
    else:
        prior = record.learn(trains)
        series = [held_out_series(record, site, prior) for site in np.flatnonzero(~trains).tolist()]
    write_series(series, series_path)


def write_series(series: Sequence[pd.DataFrame], path: str | Path) -> None:
    """Write the series of sites as one Parquet table."""
    with atomic_path(path) as partial:
        pd.concat(series, ignore_index=True).to_parquet(partial, index=False)
