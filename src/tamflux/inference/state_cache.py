"""Incremental prediction of a partial year: a new month costs the computation of that month.

A cache file per tile holds the fluxes so far and the members' recurrent states after a few days.
An entry is valid while all predictors up to its day are bit-identical: a changed day (a new month,
a composite that ends a gap, a corrected file) is computed again with all later days, and no other.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tamflux.files import atomic_path
from tamflux.training.ensemble import Ensemble, Prediction

STATE_LAGS_DAYS = (8, 48)
"""Days before the end of the data, at least, after which states are cached: the period of the last
composite of a month, and a longer one for cloudy cells. That after the warm-up is cached too."""

_DAILY = ("mean", "std", "members")
"""Parts of a prediction that have a value for each day."""

_CHECKSUM = hashlib.sha256().digest_size


@dataclass(frozen=True)
class TileStateCache:
    """Cache files of one model and year.

    Attributes
    ----------
    folder : Path
        Folder next to the tile store, with a file per tile.
    identity : str
        Hash of the model, the static fields and the code.
    partial_year : bool
        Whether days are still to come; entries are written only then.
    """

    folder: Path
    identity: str
    partial_year: bool

    def predict(
        self,
        name: str,
        ensemble: Ensemble,
        x: np.ndarray,
        static: np.ndarray,
        batch_cells: int | None,
    ) -> Prediction:
        """Predict the cells of a tile from the last day with a valid cached state.

        Parameters
        ----------
        name : str
            Name of the tile.
        x, static, batch_cells
            As of `Ensemble.predict`.

        Returns
        -------
        Prediction
            All days; those before the state come from the cache.
        """
        identity = f"{self.identity} {ensemble.device.type} {batch_cells}"
        lookback = ensemble.lookback_days
        days = x.shape[1] - lookback
        cached = _read(self.folder / name, identity)
        block = ensemble.block_days
        wanted = sorted({0, *(max(0, days - lag) // block * block for lag in STATE_LAGS_DAYS)})
        hashes = hash_inputs(x, lookback, {*wanted, *cached["hashes"]})
        valid = [day for day, value in cached["hashes"].items() if hashes.get(day) == value]
        start = max(valid, default=0)
        rest = np.concatenate([x[:, :lookback], x[:, lookback + start :]], axis=1) if start else x
        prediction, states = ensemble.predict_from(
            rest,
            static,
            batch_cells,
            cached["states"][start] if valid else None,
            keep=[day - start for day in wanted if day >= start],
        )
        states = {start + day: state for day, state in states.items()}
        states |= {
            day: cached["states"][day] for day in wanted if day in valid and day not in states
        }
        parts = zip((cached[name] for name in _DAILY), prediction[:3], strict=True)
        daily = (_concatenate(old, new, start) for old, new in parts)
        prediction = prediction._replace(**dict(zip(_DAILY, daily, strict=True)))
        if self.partial_year:
            _write(
                self.folder / name,
                {
                    "identity": identity,
                    "hashes": {day: hashes[day] for day in states},
                    "states": states,
                    **{name: torch.from_numpy(getattr(prediction, name)) for name in _DAILY},
                },
            )
        return prediction


def hash_inputs(x: np.ndarray, lookback: int, days: Iterable[int]) -> dict[int, str]:
    """Hash of the look-back window and of all days before each of the given days of the year."""
    digest = hashlib.sha256(str(x.shape[::2]).encode())
    digest.update(np.ascontiguousarray(x[:, :lookback]).data)
    hashes, last = {}, 0
    for day in sorted(day for day in days if day < x.shape[1] - lookback):
        digest.update(np.ascontiguousarray(x[:, lookback + last : lookback + day]).data)
        hashes[day], last = digest.hexdigest(), day
    return hashes


def _concatenate(old: torch.Tensor | None, new: np.ndarray, start: int) -> np.ndarray:
    """(cell, time, ...): cached days before `start`, then the new ones."""
    if old is None or not start:
        return new
    return np.concatenate([old.numpy()[:, :start], new], axis=1)


def _write(path: Path, content: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with atomic_path(path) as partial:
        partial.write_bytes(hashlib.sha256(buffer.getbuffer()).digest() + buffer.getbuffer())


def _read(path: Path, identity: str) -> dict[str, Any]:
    """Content of a cache file; empty where it is absent, damaged, or of another model."""
    empty: dict[str, Any] = {"hashes": {}, "states": {}, **dict.fromkeys(_DAILY)}
    if not path.exists():
        return empty
    data = path.read_bytes()
    if hashlib.sha256(data[_CHECKSUM:]).digest() != data[:_CHECKSUM]:
        return empty
    content = torch.load(io.BytesIO(data[_CHECKSUM:]), weights_only=True)
    return content if content["identity"] == identity else empty
