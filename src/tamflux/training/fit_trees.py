"""Fit the regression trees of a member with CatBoost."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from catboost import CatBoostRegressor, Pool

from tamflux.model.trees import DEPTH, ObliviousTrees

RATE = 20.0
"""Learning rate times number of trees: fewer trees take larger steps."""

SETTINGS = {
    "loss_function": "MultiRMSEWithMissingValues",
    "depth": DEPTH,
    "l2_leaf_reg": 30.0,  # of leaves with few days
    "rsm": 0.2,  # share of the features that a level may choose from
    "bootstrap_type": "Bernoulli",
    "subsample": 0.5,
    "border_count": 64,
    "allow_writing_files": False,
    "verbose": False,
}
"""Strongly regularised: adjacent days of a site are autocorrelated."""


def fit_trees(
    features: np.ndarray,
    fluxes: np.ndarray,
    weight: np.ndarray,
    *,
    trees: int,
    seed: int,
    threads: int,
) -> dict[str, torch.Tensor]:
    """Fit trees; returns the tensors of `ObliviousTrees` for daily gpp and reco, g C m-2 d-1.

    Splits minimise the error of gpp, reco and nee together, each in its standard deviation.

    Parameters
    ----------
    features : numpy.ndarray
        (day, feature) float32, as `TamRL.tree_features`.
    fluxes : numpy.ndarray
        (day, 3) gpp, reco, nee, g C m-2 d-1, NaN where not observed.
    weight : numpy.ndarray
        (day,) above 0.
    trees : int
        Number of trees.
    seed, threads : int
    """
    scale = np.nanstd(fluxes, axis=0, dtype=np.float64)
    model = CatBoostRegressor(
        iterations=trees,
        learning_rate=min(RATE / trees, 0.5),
        random_seed=seed % 2**31,
        thread_count=threads,
        **SETTINGS,
    )
    model.fit(Pool(features, fluxes / scale, weight=weight))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trees.json"
        model.save_model(str(path), format="json")
        fitted = json.loads(path.read_text())
    return _as_tensors(fitted, trees, scale[:2])


def _as_tensors(fitted: dict, trees: int, scale: np.ndarray) -> dict[str, torch.Tensor]:
    """Tensors from CatBoost's JSON; the splits that a shallow tree lacks are never exceeded."""
    tensors = ObliviousTrees(trees, outputs=len(scale)).state_dict()
    factor, bias = fitted["scale_and_bias"]
    for number, tree in enumerate(fitted["oblivious_trees"]):
        for level, split in enumerate(tree["splits"] or []):
            tensors["feature"][level, number] = split["float_feature_index"]
            tensors["border"][level, number] = split["border"]
        leaves = np.asarray(tree["leaf_values"]).reshape(-1, len(bias))
        values = factor * leaves[:, : len(scale)] * scale
        tensors["leaf"][number, : len(leaves)] = torch.from_numpy(values)
    tensors["leaf"] += torch.from_numpy(np.asarray(bias)[: len(scale)] * scale / trees)
    return tensors
