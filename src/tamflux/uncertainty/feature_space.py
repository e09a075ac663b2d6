"""Dissimilarity of sites and grid cells to the training towers.

The feature space holds task embeddings, climatology and land cover. The distance to the nearest
training tower, divided by the typical distance between training towers of different folds, is the
dissimilarity index of Meyer and Pebesma (2021, Methods Ecol. Evol. 12,
doi:10.1111/2041-210X.13650), which they define on the predictors themselves.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from tamflux.errors import ContractError
from tamflux.files import atomic_path
from tamflux.samples.samples import PAD, Samples, make_windows
from tamflux.training.ensemble import Ensemble

_ARRAYS = ("fold", "mean", "sd", "towers")

SEASONS = 4
"""Parts of the look-back window whose means are the climatology."""


def compute_features(
    embeddings: np.ndarray, lookback: np.ndarray, static: np.ndarray
) -> np.ndarray:
    """Coordinates in the feature space: task embeddings, seasonal means of predictors, static.

    Parameters
    ----------
    embeddings : numpy.ndarray
        (cell, members x embedding) task embeddings; a model without encoder has no columns.
    lookback : numpy.ndarray
        (cell, time, predictor) in catalogue units, NaN where missing.
    static : numpy.ndarray
        (cell, static feature).

    Returns
    -------
    numpy.ndarray
        (cell, feature) float32.
    """
    edges = np.linspace(0, lookback.shape[1], SEASONS + 1).astype(int)
    seasons = []
    for first, last in pairwise(edges):
        days = lookback[:, first:last]
        known = np.isfinite(days)
        total = np.where(known, days, 0).sum(axis=1, dtype=np.float64)
        count = known.sum(axis=1)
        seasons.append(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))
    parts = [embeddings, *seasons, static]
    return np.concatenate([part.astype(np.float32) for part in parts], axis=1)


def site_features(ensemble: Ensemble, samples: Samples, observed: np.ndarray) -> np.ndarray:
    """(site, feature) mean coordinates over the years in which a site was observed, else NaN.

    Parameters
    ----------
    observed : numpy.ndarray
        (row,) bool, rows of the samples with a flux.
    """
    windows = make_windows(samples)
    year = windows.year_rows
    windows = windows.select((observed[year] & (year != PAD)).any(axis=1))
    x, static = samples.gather(windows)
    lookback, site = x[:, : ensemble.lookback_days], windows.site
    features = compute_features(ensemble.embeddings(lookback), lookback, static)
    means = np.full((len(samples.sites), features.shape[1]), np.nan, np.float32)
    for number in np.unique(site):
        means[number] = features[site == number].mean(axis=0)
    return means


@dataclass(frozen=True)
class FeatureSpace:
    """The training towers in the feature space.

    Attributes
    ----------
    site_ids : tuple of str
        Training towers.
    fold : numpy.ndarray
        (tower,) fold of the cross-validation.
    mean, sd : numpy.ndarray
        (feature,) mean and standard deviation over the towers.
    towers : numpy.ndarray
        (tower, feature) standardised coordinates.
    unit : float
        Median over towers of the distance to the nearest tower of another fold.
    """

    site_ids: tuple[str, ...]
    fold: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    towers: np.ndarray
    unit: float

    @classmethod
    def from_towers(cls, site_ids, fold: np.ndarray, features: np.ndarray) -> FeatureSpace:
        """From the coordinates (tower, feature) of the training towers."""
        mean = np.nan_to_num(np.nanmean(features, axis=0))
        sd = np.nan_to_num(np.nanstd(features, axis=0))
        towers = _standardise(features, mean, sd)
        space = cls(tuple(site_ids), np.asarray(fold), mean, sd, towers, 1.0)
        unit = float(np.median(space.out_of_fold_dissimilarity())) or 1.0
        return replace(space, unit=unit)

    def dissimilarity(
        self, features: np.ndarray, filled_share: np.ndarray | None = None
    ) -> np.ndarray:
        """Dissimilarity index (cell,) float32 of coordinates (cell, feature).

        1 is the median over the training towers of their distance to the nearest tower of another
        fold. Filled weather must not make a cell look more similar: with a share s of filled days
        in its look-back window, the index is d + s (d + 1).

        Parameters
        ----------
        features : numpy.ndarray
            (cell, feature) from `compute_features`.
        filled_share : numpy.ndarray, optional
            (cell,) share of filled or missing days in the look-back window; 0 by default.

        Raises
        ------
        ContractError
            If the coordinates are not those of the towers.
        """
        if features.shape[1] != len(self.mean):
            raise ContractError(
                "the feature space of the training towers is that of another model",
                found=f"{len(self.mean)} features",
                expected=f"{features.shape[1]}",
                fix="delete results/models/*_feature_space.safetensors and run snakemake again",
            )
        cells = _standardise(features, self.mean, self.sd)
        index = self._nearest(cells, np.ones((len(features), 1), bool))
        if filled_share is None:
            return index
        return (index + filled_share * (index + 1)).astype(np.float32)

    def out_of_fold_dissimilarity(self) -> np.ndarray:
        """Dissimilarity index (tower,) of each training tower to those of other folds."""
        return self._nearest(self.towers, self.fold[:, None] != self.fold)

    def _nearest(self, cells: np.ndarray, allowed: np.ndarray) -> np.ndarray:
        """Root mean square difference over features to the nearest allowed tower, in `unit`."""
        nearest = np.full(len(cells), np.inf)
        for number, tower in enumerate(self.towers):  # tower by tower: cells stay independent
            square = np.square(cells - tower).mean(axis=1, dtype=np.float64)
            here = allowed[:, number if allowed.shape[1] > 1 else 0]
            nearest = np.where(here, np.minimum(nearest, square), nearest)
        return (np.sqrt(nearest) / self.unit).astype(np.float32)

    def save(self, path: str | Path) -> None:
        """Write a safetensors file atomically."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        header: dict[str, Any] = {"site_ids": self.site_ids, "unit": self.unit}
        header["sha256"] = _checksum(header, arrays)
        with atomic_path(path) as partial:
            save_file(arrays, partial, metadata={"tamflux": json.dumps(header)})

    @classmethod
    def load(cls, path: str | Path) -> FeatureSpace:
        """Read a file that `save` wrote.

        Raises
        ------
        ContractError
            If the file is not there, damaged, or another.
        """
        try:
            with safe_open(path, framework="np") as file:
                header = dict(json.loads((file.metadata() or {})["tamflux"]))
                arrays = {name: file.get_tensor(name) for name in _ARRAYS}
            if header.pop("sha256") != _checksum(header, arrays):
                raise ValueError("the checksum is not that of the content")
            n_towers, n_features = arrays["towers"].shape
            sizes = {"fold": n_towers, "mean": n_features, "sd": n_features}
            fits = all(arrays[name].shape == (size,) for name, size in sizes.items())
            fits &= len(header["site_ids"]) == n_towers > 0 and 0 < header["unit"] < np.inf
            if not fits or not all(np.isfinite(array).all() for array in arrays.values()):
                raise ValueError("arrays do not fit together or are not finite")
            if (arrays["sd"] < 0).any():
                raise ValueError("a standard deviation is negative")
            return cls(tuple(header["site_ids"]), unit=header["unit"], **arrays)
        except (OSError, SafetensorError, KeyError, ValueError, TypeError, RecursionError) as error:
            raise ContractError(
                "cannot read the feature space of the training towers",
                file=path,
                found=f"{type(error).__name__}: {error}",
                expected="a safetensors file written by the rule build_feature_space",
                fix="delete it and run snakemake again",
            ) from error


def _standardise(features: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Standardised coordinates; 0 for a missing one and for one that is constant over towers."""
    scaled = np.divide(features - mean, sd, out=np.zeros_like(features), where=sd > 1e-6)
    return np.nan_to_num(scaled)


def _checksum(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of the header and of the arrays."""
    digest = hashlib.sha256(json.dumps([header["site_ids"], header["unit"]]).encode())
    for name in _ARRAYS:
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()
