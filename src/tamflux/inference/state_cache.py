"""A year that still grows: what is kept of each tile, so that a new month costs a month.

A file per tile holds the fluxes so far and, for some days, the state of the members
(`RecurrentState`).
It is believed as far as the predictors behind it are the same to the last bit: what changes a day
(a new month, a composite that ends a gap, a corrected file) has that day and all later ones
computed again, and nothing else.
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

BACK = (8, 48)
"""How many days before the end of the data, at least, a past is kept: as long as the last
composite of a month holds, and for cells that clouds hid for longer. One more is kept after the
spin-up."""

_CHECKSUM = hashlib.sha256().digest_size


@dataclass(frozen=True)
class TileStateCache:
    """The kept files of one model and year.

    Attributes
    ----------
    folder : Path
        Beside the tile store; a file per tile.
    identity : str
        Of the model, the static fields and the code.
    grows : bool
        Whether more days will come: only then something is written.
    """

    folder: Path
    identity: str
    grows: bool

    def predict(
        self,
        name: str,
        ensemble: Ensemble,
        x: np.ndarray,
        static: np.ndarray,
        batch_cells: int | None,
    ) -> Prediction:
        """Predict the cells of a tile from the last day whose past is kept and still true.

        Parameters
        ----------
        name : str
            Of the tile.
        x, static, batch_cells
            As of `Ensemble.predict`.

        Returns
        -------
        Prediction
            Of all days; those before the past as they were kept.
        """
        identity = f"{self.identity} {ensemble.device.type} {batch_cells}"
        lookback = ensemble.lookback_days
        days = x.shape[1] - lookback
        kept = _read(self.folder / name, identity)
        block = ensemble.block_days
        wanted = sorted({0, *(max(0, days - back) // block * block for back in BACK)})
        prints = fingerprints(x, lookback, {*wanted, *kept["prints"]})
        true = [day for day, value in kept["prints"].items() if prints.get(day) == value]
        start = max(true, default=0)
        rest = np.concatenate([x[:, :lookback], x[:, lookback + start :]], axis=1) if start else x
        prediction, states = ensemble.predict_on(
            rest,
            static,
            batch_cells,
            kept["states"][start] if true else None,
            keep=[day - start for day in wanted if day >= start],
        )
        states = {start + day: past for day, past in states.items()}
        states |= {day: kept["states"][day] for day in wanted if day in true and day not in states}
        parts = zip((kept["mean"], kept["std"]), prediction[:2], strict=True)
        mean, std = (_joined(old, new, start) for old, new in parts)
        prediction = prediction._replace(mean=mean, std=std)
        if self.grows:
            _write(
                self.folder / name,
                {
                    "identity": identity,
                    "prints": {day: prints[day] for day in states},
                    "states": states,
                    "mean": torch.from_numpy(prediction.mean),
                    "std": torch.from_numpy(prediction.std),
                },
            )
        return prediction


def fingerprints(x: np.ndarray, lookback: int, days: Iterable[int]) -> dict[int, str]:
    """Checksums of the lookback and the days of the year before each of some days of `x`."""
    digest = hashlib.sha256(str(x.shape[::2]).encode())
    digest.update(np.ascontiguousarray(x[:, :lookback]).data)
    prints, last = {}, 0
    for day in sorted(day for day in days if day < x.shape[1] - lookback):
        digest.update(np.ascontiguousarray(x[:, lookback + last : lookback + day]).data)
        prints[day], last = digest.hexdigest(), day
    return prints


def _joined(old: torch.Tensor | None, new: np.ndarray, start: int) -> np.ndarray:
    """(cell, time, flux): days before `start` of what was kept, then the new ones."""
    if old is None or not start:
        return new
    return np.concatenate([old.numpy()[:, :start], new], axis=1)


def _write(path: Path, content: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with atomic_path(path) as partial:
        partial.write_bytes(hashlib.sha256(buffer.getbuffer()).digest() + buffer.getbuffer())


def _read(path: Path, identity: str) -> dict[str, Any]:
    """What was kept; nothing where the file is absent, damaged, or of another model."""
    nothing: dict[str, Any] = {"prints": {}, "states": {}, "mean": None, "std": None}
    if not path.exists():
        return nothing
    data = path.read_bytes()
    if hashlib.sha256(data[_CHECKSUM:]).digest() != data[:_CHECKSUM]:
        return nothing
    content = torch.load(io.BytesIO(data[_CHECKSUM:]), weights_only=True)
    return content if content["identity"] == identity else nothing
