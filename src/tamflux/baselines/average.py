"""The plain mean of a network and of boosted trees, which is what TAM-RL's last stage is."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from tamflux.errors import ContractError
from tamflux.files import atomic_path
from tamflux.variables import FLUXES

log = logging.getLogger("tamflux")


def average_predictions(
    network: str | Path,
    trees: Mapping[str, str | Path],
    settings: Mapping[str, str | Path],
    target: str | Path,
) -> None:
    """Write the mean of the predictions of a network and of the best boosted trees.

    Parameters
    ----------
    network : path
        Predictions of the network: `site_id, date, fold, gpp, reco, nee`, g m-2 d-1.
    trees : mapping of model to path
        Predictions of boosted trees, as `network`.
    settings : mapping of model to path
        JSON of `search_settings` of each of them; the best has the lowest score of all candidates.
    target : path
        Parquet to write, as `network`; missing where one of the two is.

    Raises
    ------
    ContractError
        If the two do not predict the same site-days.
    """
    scores = {
        model: min(one["score"] for one in json.loads(Path(path).read_text())["candidates"])
        for model, path in settings.items()
    }
    best = min(scores, key=lambda model: scores[model])
    log.info("the trees are those of %s; inner scores %s", best, scores)
    keys = ["site_id", "date"]
    first = pd.read_parquet(network).sort_values(keys, ignore_index=True)
    second = pd.read_parquet(trees[best]).sort_values(keys, ignore_index=True)
    if not first[keys].equals(second[keys]):
        raise ContractError(
            "two models do not predict the same site-days",
            found=f"{network}: {len(first)}, {trees[best]}: {len(second)} site-days",
            fix="delete both files and run snakemake compare_models",
        )
    fluxes = list(FLUXES)
    first[fluxes] = (first[fluxes] + second[fluxes]) / 2
    with atomic_path(target) as path:
        first.to_parquet(path, index=False)
