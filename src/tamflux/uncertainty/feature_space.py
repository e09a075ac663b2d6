"""How far a place is from the training towers: in task embeddings, climatology and land cover.

The idea of a distance to the nearest training point, in units of what is usual among the training
points themselves, is that of the dissimilarity index of Meyer and Pebesma (2021, Methods Ecol.
Evol. 12, doi:10.1111/2041-210X.13650); the space is this project's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from tamflux.errors import ContractError
from tamflux.files import atomic_path
from tamflux.samples.samples import Samples, make_windows
from tamflux.training.ensemble import Ensemble

_ARRAYS = ("fold", "centre", "spread", "towers")

SEASONS = 4
"""Parts of the lookback whose means are the climatology of a place."""


def compute_features(
    embeddings: np.ndarray, lookback: np.ndarray, static: np.ndarray
) -> np.ndarray:
    """(place, feature) float32 description: task embeddings, seasonal means of predictors, static.

    Parameters
    ----------
    embeddings : numpy.ndarray
        (place, members x embedding) task embeddings; a site-blind model has none.
    lookback : numpy.ndarray
        (place, time, predictor) in catalogue units, NaN where missing.
    static : numpy.ndarray
        (place, static feature).
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


def describe_sites(ensemble: Ensemble, samples: Samples, observed: np.ndarray) -> np.ndarray:
    """(site, feature) mean description over the years in which a site was observed, else NaN.

    Parameters
    ----------
    observed : numpy.ndarray
        (row,) bool, rows of the samples with a flux.
    """
    windows = make_windows(samples)
    rows = windows.rows[:, : ensemble.lookback_days]
    year = windows.rows[:, ensemble.lookback_days :]
    useful = (observed[year] & (year >= 0)).any(axis=1)
    site = windows.site[useful]
    lookback = samples.x[rows[useful]]
    features = compute_features(ensemble.embeddings(lookback), lookback, samples.static[site])
    means = np.full((len(samples.sites), features.shape[1]), np.nan, np.float32)
    for number in np.unique(site):
        means[number] = features[site == number].mean(axis=0)
    return means


@dataclass(frozen=True)
class FeatureSpace:
    """The training towers in the space of specs.

    Attributes
    ----------
    site_ids : tuple of str
        Training towers.
    fold : numpy.ndarray
        (tower,) fold of the cross-validation.
    centre, spread : numpy.ndarray
        (feature,) mean and standard deviation over the towers.
    towers : numpy.ndarray
        (tower, feature) standardised specs.
    unit : float
        Median over towers of the distance to the nearest tower of another fold.
    """

    site_ids: tuple[str, ...]
    fold: np.ndarray
    centre: np.ndarray
    spread: np.ndarray
    towers: np.ndarray
    unit: float

    @classmethod
    def of_towers(cls, site_ids, fold: np.ndarray, features: np.ndarray) -> FeatureSpace:
        """From the specs (tower, feature) of the training towers."""
        centre = np.nan_to_num(np.nanmean(features, axis=0))
        spread = np.nan_to_num(np.nanstd(features, axis=0))
        places = cls(tuple(site_ids), np.asarray(fold), centre, spread, np.empty(0), 1.0)
        places = cls(places.site_ids, places.fold, centre, spread, places._standardise(features), 1)
        unit = float(np.median(places.unseen_distance())) or 1.0
        return cls(places.site_ids, places.fold, centre, spread, places.towers, unit)

    def distance(self, features: np.ndarray) -> np.ndarray:
        """(place,) float32 distance to the nearest training tower; 1 is usual of unseen towers.

        Raises
        ------
        ContractError
            If the specs (place, feature) are not of the towers' features.
        """
        if features.shape[1] != len(self.centre):
            raise ContractError(
                "the places of the training towers were described by another model",
                found=f"{len(self.centre)} features",
                expected=f"{features.shape[1]}",
                fix="delete results/models/*_places.safetensors and run snakemake again",
            )
        return self._nearest(self._standardise(features), np.ones((len(features), 1), bool))

    def unseen_distance(self) -> np.ndarray:
        """(tower,) distance of each training tower to the nearest one of another fold."""
        return self._nearest(self.towers, self.fold[:, None] != self.fold)

    def _standardise(self, features: np.ndarray) -> np.ndarray:
        """A feature that does not vary among the towers does not count; a missing one is usual."""
        scaled = np.divide(
            features - self.centre, self.spread, out=np.zeros_like(features),
            where=self.spread > 1e-6,
        )  # fmt: skip
        return np.nan_to_num(scaled)

    def _nearest(self, places: np.ndarray, allowed: np.ndarray) -> np.ndarray:
        """Root mean square difference over features to the nearest allowed tower."""
        nearest = np.full(len(places), np.inf)
        for number, tower in enumerate(self.towers):  # one place does not depend on the others
            square = np.square(places - tower).mean(axis=1, dtype=np.float64)
            here = allowed[:, number if allowed.shape[1] > 1 else 0]
            nearest = np.where(here, np.minimum(nearest, square), nearest)
        return (np.sqrt(nearest) / self.unit).astype(np.float32)

    def save(self, path: str | Path) -> None:
        """Write a safetensors file, whole or not at all."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        header: dict[str, Any] = {"site_ids": self.site_ids, "unit": self.unit}
        header["sha256"] = _checksum(header, arrays)
        with atomic_path(path) as partial:
            save_file(arrays, partial, metadata={"tamflux": json.dumps(header)})

    @classmethod
    def load(cls, path: str | Path) -> FeatureSpace:
        """Read what `save` wrote.

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
            sizes = {"fold": n_towers, "centre": n_features, "spread": n_features}
            whole = all(arrays[name].shape == (size,) for name, size in sizes.items())
            whole &= len(header["site_ids"]) == n_towers > 0 and 0 < header["unit"] < np.inf
            if not whole or not all(np.isfinite(array).all() for array in arrays.values()):
                raise ValueError("arrays that do not fit together, or no numbers")
            if (arrays["spread"] < 0).any():
                raise ValueError("a spread below zero")
            return cls(tuple(header["site_ids"]), unit=header["unit"], **arrays)
        except (OSError, SafetensorError, KeyError, ValueError, TypeError, RecursionError) as error:
            raise ContractError(
                "cannot read the places of the training towers",
                file=path,
                found=f"{type(error).__name__}: {error}",
                expected="a safetensors file written by the rule compute_features",
                fix="delete it and run snakemake again",
            ) from error


def _checksum(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of the header and of the arrays."""
    digest = hashlib.sha256(json.dumps([header["site_ids"], header["unit"]]).encode())
    for name in _ARRAYS:
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()
