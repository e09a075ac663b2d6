"""Coverage of the prediction intervals at the towers of a site table."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tamflux.evaluation.comparison import site_groups
from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.evaluation.tower_intervals import pool_sites, site_coverage
from tamflux.files import atomic_path
from tamflux.samples.scored_days import scored_days
from tamflux.uncertainty.calibration import LEVEL, Calibration
from tamflux.uncertainty.real_towers import class_fractions, predicted_and_error, read_sites

log = logging.getLogger("tamflux")

MIN_SITES = 10
"""Number of sites from which the coverage of a class says something of the intervals."""


def evaluate_real_intervals(
    predictions_path: str | Path,
    samples_paths: Sequence[str | Path],
    sites_paths: Sequence[str | Path],
    calibration_paths: Mapping[int, str | Path],
    intervals_path: str | Path,
    *,
    min_qc: float,
    first_day: str,
    min_days: int,
) -> None:
    """Write how often the intervals hold at sites that neither model nor calibration has seen.

    Parameters
    ----------
    predictions_path, samples_paths, sites_paths, calibration_paths
        As for `tamflux.uncertainty.real_towers.calibrate_real_towers`.
    intervals_path : path
        CSV to write: `protocol` (folds or zero_shot) and the columns of `pool_sites`, with groups
        by IGBP class and Köppen group.
    min_qc, first_day, min_days
        The protocol, as for `score_real_towers`.
    """
    predictions = pd.read_parquet(predictions_path)
    calibrations = {fold: Calibration.load(path) for fold, path in calibration_paths.items()}
    tables = []
    for protocol, samples_path, sites_path in zip(
        ["folds", "zero_shot"], samples_paths, sites_paths, strict=False
    ):
        sites = read_sites([sites_path])
        igbp = class_fractions(sites)
        predicted = predictions[predictions["site_id"].isin(sites["site_id"])]
        days = scored_days(predicted, pd.read_parquet(samples_path), min_qc, first_day)
        number = pd.Series(np.arange(len(sites)), sites["site_id"])
        site = days["site_id"].map(number).to_numpy(int)
        date = days["date"].to_numpy("datetime64[D]")
        fluxes, error = predicted_and_error(days, min_days)
        parts = []
        for fold in sites["fold"].unique():
            use = sites["fold"].to_numpy()[site] == fold
            of_fold = site[use], date[use], fluxes[use], error[use]
            parts.append(site_coverage(calibrations[int(fold)], *of_fold, igbp, min_days))
        groups = site_groups(sites_path)[["igbp", "koppen"]].replace("-", np.nan)
        tables.append(pool_sites(pd.concat(parts), groups).assign(protocol=protocol))
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "protocol", table.pop("protocol"))
    _log_coverage(table)
    with atomic_path(intervals_path) as path:
        table.to_csv(path, index=False, float_format="%.5g")


def _log_coverage(table: pd.DataFrame) -> None:
    of_level = table[(table["level"] == LEVEL) & (table["scale"] == "day")]
    for protocol in of_level["protocol"].unique():
        for flux in FLUX_NAMES:
            part = of_level[(of_level["protocol"] == protocol) & (of_level["flux"] == flux)]
            everything = part[part["group"] == "all"]
            if everything.empty:
                continue
            row = everything.iloc[0]
            large = part[(part["group"] == "igbp") & (part["n_locations"] >= MIN_SITES)]
            shares = f", {100 * large['coverage'].min():.0f} to {100 * large['coverage'].max():.0f}"
            log.info(
                "%s %s: %.1f %% of the days of %d sites inside the %.0f %% interval%s, half-width "
                "%.2f g C m-2 d-1",
                protocol, flux, 100 * row["coverage"], row["n_locations"], 100 * LEVEL,
                f"{shares} % in classes of {MIN_SITES} sites" if len(large) else "",
                row["half_width"],
            )  # fmt: skip
