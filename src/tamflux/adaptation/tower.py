"""Fill and extend the record of one tower with a model that is adapted to it."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tamflux.adaptation.correction import Correction
from tamflux.adaptation.features import daily_conditions
from tamflux.adaptation.record import MIN_QC
from tamflux.adaptation.series import adapted_series
from tamflux.climatology import koppen_class
from tamflux.errors import InputError
from tamflux.files import atomic_path
from tamflux.samples.samples import Samples
from tamflux.towers.harmonise import Limits, read_towers
from tamflux.training.ensemble import Ensemble, predict_sites
from tamflux.training.real_towers import read_table_for
from tamflux.variables import FLUXES, KOPPEN_CLASSES

log = logging.getLogger("tamflux")

LIMITS = Limits(min_coverage=0.8, min_days=1, max_abs_flux=50.0)


def adapt_tower(
    paths: Sequence[str | Path],
    ensemble: Ensemble,
    correction: Correction,
    series_path: str | Path,
    site: Mapping[str, object],
) -> pd.DataFrame:
    """Write the daily fluxes of a tower, as the model gives them and adapted to its own days.

    Parameters
    ----------
    paths : sequence of path
        Files of one tower, in any of the networks' formats; metadata files may be among them.
    ensemble : Ensemble
    correction : Correction
        How sites differ (`Correction.load`), learnt with the model.
    series_path : path
        CSV to write: `date`; `gpp, reco, nee`, adapted, and their `*_pi90_halfwidth`; `*_zero_shot`
        of the model alone; `*_observed`; `qc`; `used`, whether the day adapted the model; `filled`,
        whether a predictor is filled or missing. g C m-2 d-1.
    site : mapping
        `lat, lon, igbp, koppen`, where the files do not say, or say it wrongly; without a Köppen
        class that of the shipped map is taken.

    Returns
    -------
    DataFrame
        What was written.

    Raises
    ------
    InputError
        If the files cannot be used, hold several towers, or the site is not described.
    """
    days, row = read_tower(paths, site)
    samples, filled = _as_samples(days, row, ensemble)
    zero_shot = predict_sites(ensemble, samples, np.array([0]))[list(FLUXES)].to_numpy(float)
    conditions = daily_conditions(samples, ensemble.specs[0].mean, ensemble.specs[0].sd)
    used = (samples.qc >= MIN_QC) & np.isfinite(samples.y).all(axis=1)
    used &= np.isfinite(zero_shot).all(axis=1)
    table = adapted_series(correction, zero_shot, samples.y, conditions, used)
    table.insert(0, "date", samples.date)
    table.insert(len(table.columns) - 1, "qc", samples.qc)
    table["filled"] = filled
    adapted = table[list(FLUXES)].to_numpy()
    with atomic_path(series_path) as path:
        table.to_csv(path, index=False, float_format="%.5g")
    log.info(
        "%s: %d days, %d of them used; RMSE of NEE on those days %.2f, adapted %.2f g C m-2 d-1",
        row["site_id"], len(table), used.sum(),
        *(_rmse(fluxes[used, 2], samples.y[used, 2]) for fluxes in (zero_shot, adapted)),
    )  # fmt: skip
    return table


def _rmse(predicted: np.ndarray, observed: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(predicted - observed)))) if len(observed) else np.nan


def read_tower(
    paths: Sequence[str | Path], site: Mapping[str, object]
) -> tuple[pd.DataFrame, dict[str, object]]:
    """Days and description of the one tower in the files; parameters as of `adapt_tower`.

    Raises
    ------
    InputError
        If the files cannot be used, hold several towers, or the site is not described.
    """
    given = {name: str(value) for name, value in site.items() if value is not None}
    records, rows, rejected = read_towers(paths, None, None, LIMITS, given)
    if len(rows) != 1:
        reasons = "; ".join(dict.fromkeys(rejected.to_frame()["reason"]))
        found = ", ".join(str(row["site_id"]) for row in rows) or reasons
        raise InputError(
            "the files are not those of one usable tower",
            file=paths[0], found=found[:500], expected="one tower with NEE, position and class",
            fix="give the files of one tower; --lat, --lon, --igbp and --koppen describe it",
        )  # fmt: skip
    row = rows[0] | given
    row["koppen"] = row.get("koppen") or koppen_class(float(row["lat"]), float(row["lon"]))
    if row["koppen"] not in KOPPEN_CLASSES:
        raise InputError(
            "the climate class of the tower is not known",
            file=paths[0], variable="koppen", found=row["koppen"],
            expected=", ".join(KOPPEN_CLASSES), fix="give --koppen",
        )  # fmt: skip
    return records[0], row


def _as_samples(
    days: pd.DataFrame, row: Mapping[str, object], ensemble: Ensemble
) -> tuple[Samples, np.ndarray]:
    """Samples of the tower with the predictors of the model, and which days are filled."""
    sites = pd.DataFrame([{name: row[name] for name in ("site_id", "lat", "lon", "koppen")}])
    names = {*ensemble.predictors, *FLUXES, "site_id", "date", "qc"}
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "days.parquet"), Path(folder, "sites.csv")
        table = days[[name for name in days if name in names]].dropna(axis=1, how="all")
        table.to_parquet(files[0])
        sites.assign(IGBP=row["igbp"]).to_csv(files[1], index=False)
        return read_table_for(ensemble, *files)
