"""Prediction with the members of one model, by the same code for sites and grid cells."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch.utils._pytree import tree_map_only

from tamflux.errors import ContractError
from tamflux.model.rollout import BLOCK_DAYS, MemberPrediction, predict_members
from tamflux.model.tamrl import RecurrentState, TamRL, close_balance
from tamflux.samples.samples import PAD, Samples, make_windows
from tamflux.training.absent import find_absent
from tamflux.training.checkpoint import ModelSpec, load_checkpoint
from tamflux.training.device import choose_device, to_device
from tamflux.training.gaps import (
    fill_gaps,
    missing_fluxes,
    missing_weather,
    samples_without_weather,
)
from tamflux.variables import FLUXES

BATCH_WINDOWS = 64
"""Site-years predicted at once."""

BATCH_CELLS = {"cpu": 450, "cuda": 2048}
"""Cells computed at once: half of a usual tile on a CPU, all of it on a GPU."""

BatchStates = list[list[tuple]]
"""Recurrent states (`RecurrentState` as plain tuples), by batch, then by member."""


class Prediction(NamedTuple):
    """Fluxes (gpp, reco, nee) in g C m-2 d-1.

    mean : (cell, time, 3) mean over members, with nee = reco - gpp.
    std : (cell, time, 3) standard deviation over members; 0 for a single member.
    members : (cell, time, member, 2) gpp and reco of each member.
    embeddings : (cell, members x embedding) task embeddings, as of `Ensemble.embeddings`.
    """

    mean: np.ndarray
    std: np.ndarray
    members: np.ndarray
    embeddings: np.ndarray


class Ensemble:
    """Members of one model, which share their inputs."""

    block_days = BLOCK_DAYS
    """Recurrent states can be saved after multiples of these days."""

    def __init__(self, networks: Sequence[TamRL], specs: Sequence[ModelSpec], device: str = "cpu"):
        self.device = choose_device(device)
        self._turn = threading.Lock() if self.device.type == "cuda" else nullcontext()
        self.networks = [network.to(self.device).eval() for network in networks]
        self.specs = list(specs)
        first = specs[0]
        self.predictors = first.predictors
        self.static_features = first.static_features
        self.monthly = first.monthly
        self.optional = first.optional
        self.lookback_days = first.lookback_days

    @classmethod
    def load(cls, paths: Sequence[str | Path], device: str = "cpu") -> Ensemble:
        """Read checkpoints and check that they go together.

        Raises
        ------
        ContractError
            If there is none, one is damaged, or members differ in their inputs.
        """
        if not paths:
            raise ContractError("an ensemble needs a checkpoint", found="none")
        members = [load_checkpoint(path) for path in paths]
        first = members[0][1]
        for path, (_, spec) in zip(paths, members, strict=True):
            for name in (
                "model",
                "trees",
                "predictors",
                "units",
                "static_features",
                "monthly",
                "optional",
                "lookback_days",
            ):
                found, expected = getattr(spec, name), getattr(first, name)
                if found != expected:
                    raise ContractError(
                        f"members differ in their {name}",
                        file=path,
                        found=found,
                        expected=f"{expected}, as in {paths[0]}",
                        fix="train all members with one configuration",
                    )
        return cls([network for network, _ in members], [d for _, d in members], device)

    def predict(
        self, x: np.ndarray, static: np.ndarray, batch_cells: int | None = None
    ) -> Prediction:
        """Predict the days after the look-back window; those without weather are NaN.

        Parameters
        ----------
        x : numpy.ndarray
            (cell, lookback_days + time, feature) predictors in catalogue units, NaN allowed.
        static : numpy.ndarray
            (cell, static feature).
        batch_cells : int, optional
            Cells computed at once, `BATCH_CELLS` by default; does not change the result.

        Raises
        ------
        ContractError
            If the shapes are not those of the model.
        """
        without = missing_weather(x, self.predictors, self.optional)
        missing = missing_fluxes(without, self.lookback_days)
        filled = fill_gaps(x, self.predictors, self.lookback_days)
        prediction = self.predict_from(filled, static, batch_cells)[0]
        for values in prediction[:3]:
            values[missing] = np.nan
        return prediction

    def predict_from(
        self,
        x: np.ndarray,
        static: np.ndarray,
        batch_cells: int | None = None,
        states: BatchStates | None = None,
        keep: Collection[int] = (),
    ) -> tuple[Prediction, dict[int, BatchStates]]:
        """Predict as `predict`, or resume within the year from recurrent states.

        Parameters
        ----------
        x, static, batch_cells
            As of `predict`, with gaps filled (`tamflux.training.gaps.fill_gaps`). With `states`,
            the days after them follow the look-back window immediately.
        states : BatchStates, optional
            Saved by an earlier call for the same cells and `batch_cells`.
        keep : collection of int
            Numbers of days, multiples of `block_days` below the number of days, after which the
            states are wanted.

        Returns
        -------
        Prediction
        dict of int to BatchStates
            States after each day of `keep`, for a later call.
        """
        expected = (len(static), len(self.predictors), len(self.static_features))
        if (len(x), x.shape[-1], static.shape[-1]) != expected or x.shape[1] <= self.lookback_days:
            raise ContractError(
                "inputs do not fit the model",
                found=f"x {x.shape}, static {static.shape}",
                expected=f"x (cell, > {self.lookback_days}, {len(self.predictors)}), "
                f"static (cell, {len(self.static_features)})",
                fix=f"give predictors {', '.join(self.predictors)}",
            )
        days = x.shape[1] - self.lookback_days
        mean = np.empty((len(x), days, 3), np.float32)
        std = np.empty_like(mean)
        members = np.empty((len(x), days, len(self.networks), 2), np.float32)
        embeddings = []
        saved: dict[int, BatchStates] = {day: [] for day in keep}
        for number, part in enumerate(self._batches(len(x), batch_cells)):
            before = states[number] if states else [None] * len(self.networks)
            with self._turn:  # one batch at a time in the memory of a GPU, whatever the threads
                batch, after = self._predict_batch(x[part], static[part], before, keep)
            mean[part], std[part], members[part] = batch[:3]
            embeddings.append(batch.embeddings)
            for day, batches in saved.items():
                batches.append([tuple(_copy(member[day], "cpu")) for member in after])
        return Prediction(mean, std, members, np.concatenate(embeddings)), saved

    @torch.inference_mode()
    def embeddings(self, x: np.ndarray, batch_cells: int | None = None) -> np.ndarray:
        """Task embeddings of sites or grid cells.

        Parameters
        ----------
        x : numpy.ndarray
            (cell, lookback_days or more, feature) predictors in catalogue units, NaN allowed.
        batch_cells : int, optional
            Cells computed at once, `BATCH_CELLS` by default.

        Returns
        -------
        numpy.ndarray
            (cell, members x embedding) float32, embeddings of all members, concatenated; no columns
            for a model without encoder.
        """
        lookback = fill_gaps(x[:, : self.lookback_days], self.predictors, self.lookback_days)
        embeddings = [np.empty((len(x), 0), np.float32)]
        for network, spec in zip(self.networks, self.specs, strict=True):
            if (encoder := network.encoder) is None:
                continue
            batches = (lookback[part] for part in self._batches(len(x), batch_cells))
            scaled = (to_device(spec.scale(b), self.device) for b in batches)
            embeddings.append(np.concatenate([encoder(part).cpu().numpy() for part in scaled]))
        return np.concatenate(embeddings, axis=1)

    def _batches(self, cells: int, batch_cells: int | None) -> list[slice]:
        size = batch_cells or BATCH_CELLS[self.device.type]
        return [slice(start, start + size) for start in range(0, cells, size)]

    @torch.inference_mode()
    def _predict_batch(
        self,
        x: np.ndarray,
        static: np.ndarray,
        before: Sequence[tuple | None],
        keep: Collection[int],
    ) -> tuple[Prediction, list[dict[int, RecurrentState]]]:
        """Prediction of some cells, and the saved states of each member."""
        absent = find_absent(x[:, : self.lookback_days], self.specs[0].absence_groups)
        members: list[MemberPrediction] = []
        for _, group in groupby(self.specs, _scaling):
            spec, *others = group  # members of one split share their scaling
            given = np.concatenate([spec.scale_static(static), absent], axis=1, dtype=np.float32)
            condition = to_device(given, self.device)
            own = slice(len(members), len(members) + 1 + len(others))
            states = [_copy(state, self.device) for state in before[own] if state is not None]
            scaled = to_device(spec.scale(x), self.device)
            inputs = scaled, condition, self.lookback_days, states or None, keep
            members += predict_members(self.networks[own], *inputs)
        stack = torch.stack([close_balance(member.flux) for member in members])
        mean = stack.mean(dim=0)  # nee = reco - gpp is linear: the mean of balanced members is too
        std = (stack - mean).square_().mean(dim=0).sqrt_()
        embeddings = [member.embedding for member in members if member.embedding is not None]
        gross = stack[..., :2].movedim(0, 2)
        parts = (mean, std, gross, torch.cat([condition[:, :0], *embeddings], dim=1))
        saved = [member.states for member in members]
        return Prediction(*(part.cpu().numpy() for part in parts)), saved


def _scaling(spec: ModelSpec) -> tuple:
    return spec.mean, spec.sd, spec.static_mean, spec.static_sd


def _copy(state: tuple, device: str | torch.device) -> RecurrentState:
    """Copy of a state on a device, in memory of its own."""
    copies = tree_map_only(
        torch.Tensor, lambda values: values.to(device, copy=True).contiguous(), tuple(state)
    )
    return RecurrentState(*copies)


def predict_sites(ensemble: Ensemble, samples: Samples, site_idx: np.ndarray) -> pd.DataFrame:
    """Fluxes of every day of some sites, NaN on days without weather.

    Parameters
    ----------
    ensemble : Ensemble
    samples : Samples
        Samples with the predictors of the ensemble.
    site_idx : numpy.ndarray
        (n,) numbers of the sites in `samples`.

    Returns
    -------
    DataFrame
        `site_id, date`, the fluxes and their std, g C m-2 d-1.
    """
    windows = make_windows(samples, samples_without_weather(samples, ensemble.optional))
    windows = windows.select(np.isin(windows.site, site_idx))
    parts = []
    for start in range(0, len(windows.rows), BATCH_WINDOWS):
        end = min(start + BATCH_WINDOWS, len(windows.rows))
        batch = windows.select(np.arange(start, end))
        prediction = ensemble.predict(*samples.gather(batch))
        year = batch.year_rows
        values = np.concatenate([prediction.mean, prediction.std], axis=-1)[year != PAD]
        row = year[year != PAD]
        part = pd.DataFrame(values, columns=[*FLUXES, *(f"{flux}_std" for flux in FLUXES)])
        part.insert(0, "date", samples.date[row].astype("datetime64[ns]"))
        part.insert(0, "site_id", samples.sites["site_id"].to_numpy()[samples.site[row]])
        parts.append(part)
    return pd.concat(parts, ignore_index=True)
