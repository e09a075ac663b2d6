"""Trainer of one member: epochs, regression trees, and the state from which it resumes."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tamflux.errors import ContractError, TrainingError
from tamflux.model.loss import SiteEffects, training_loss
from tamflux.samples.samples import (
    LOOKBACK_DAYS,
    MAX_MISSING_SHARE,
    PAD,
    Samples,
    Windows,
    make_windows,
)
from tamflux.training.absent import drop_groups, drop_statics, find_absent
from tamflux.training.checkpoint import (
    ModelSpec,
    components_of,
    load_tensors,
    save_tensors,
)
from tamflux.training.device import choose_device, has_bfloat16, mixed_precision
from tamflux.training.fit_trees import fit_trees
from tamflux.training.gaps import fill_gaps, samples_without_weather

log = logging.getLogger("tamflux")

MIN_QC = 0.5
"""Days do not train if a smaller share of their NEE is measured or well gap-filled."""

RATE_WARM_UP = 0.1
"""Share of the steps in which the learning rate rises linearly; a cosine decay follows."""

WEIGHT_DECAY = 1e-3
GRADIENT_NORM = 1.0

SITE_EFFECT_RATE = 3.0
"""Learning-rate multiplier of the site effects, which receive only a few updates per epoch."""


class Trainer:
    """State of one training; everything that changes from epoch to epoch is saved and restored."""

    def __init__(
        self,
        samples: Samples,
        train_idx: np.ndarray,
        spec: ModelSpec,
        balance_weight: float,
        training: Mapping[str, Any],
        seed: int,
    ):
        self.device = choose_device(training["device"])
        components = components_of(spec.model)
        self.balance_weight = balance_weight
        self.pretrain_epochs = training["pretrain_epochs"] if components.pretraining else 0
        self.epochs = self.pretrain_epochs + training["epochs"]
        self.batch_size = training["batch_size"]
        self.peak_rate = training["learning_rate"]
        self.lookback_days = spec.lookback_days
        self.seed = seed
        self.random = np.random.default_rng(seed)
        torch.manual_seed(seed)
        self.network = spec.network().to(self.device)
        self.effects = SiteEffects(len(samples.sites)).to(self.device)
        self.effects.requires_grad_(components.site_effects)
        groups = [{"params": self.network.parameters(), "weight_decay": WEIGHT_DECAY}]
        groups += [{"params": self.effects.parameters(), "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=self.peak_rate, fused=True)
        self.x = torch.from_numpy(spec.scale(samples.x)).to(self.device)
        self.y = torch.tensor(samples.y).to(self.device)
        weight = day_weights(samples, MIN_QC)
        if components.site_weights:
            weight *= site_weights(samples, train_idx, weight)[samples.site, None]
        self.weight = torch.from_numpy(weight).to(self.device)
        self.static = torch.from_numpy(spec.scale_static(samples.static)).to(self.device)
        self.optional_statics = spec.optional_statics
        without_weather = samples_without_weather(samples, samples.optional)
        self.train = self._training_windows(samples, train_idx, without_weather)
        self.filled = self._fill_windows(samples, spec, without_weather)
        self.groups = spec.absence_groups
        self.absent = self._absent_groups(samples)
        site_years = np.bincount(self.train.site, minlength=len(samples.sites))
        self.site_years = torch.from_numpy(site_years.astype(np.float32)).to(self.device)
        self.epoch = 0
        self.curve: list[dict[str, Any]] = []
        self.identity = _identity(spec, samples, self.epochs, has_bfloat16(self.device))

    def _training_windows(
        self, samples: Samples, train_idx: np.ndarray, without_weather: np.ndarray
    ) -> Windows:
        """Site-years of the training sites with an observed flux and a known look-back window."""
        windows = make_windows(samples)
        known = without_weather[windows.lookback_rows].mean(axis=1) <= MAX_MISSING_SHARE
        observed = self.weight.sum(-1).cpu().numpy() > 0
        targets = windows.rows[:, LOOKBACK_DAYS:]
        useful = (observed[targets] & (targets != PAD)).any(axis=1)
        return windows.select(useful & known & np.isin(windows.site, train_idx))

    def _fill_windows(
        self, samples: Samples, spec: ModelSpec, without_weather: np.ndarray
    ) -> torch.Tensor | None:
        """Scaled predictors (window, time, feature) without gaps; None where there are no gaps."""
        if not without_weather[self.train.rows].any():
            return None
        x = fill_gaps(samples.gather(self.train)[0], samples.predictors, LOOKBACK_DAYS)
        return torch.from_numpy(spec.scale(x)).to(self.device)

    def _absent_groups(self, samples: Samples) -> torch.Tensor:
        """(window, group) float32, as of `find_absent`."""
        absent = [
            find_absent(samples.x[rows][None], self.groups) for rows in self.train.lookback_rows
        ]
        return torch.from_numpy(np.concatenate(absent)).to(self.device)

    def run_epoch(self) -> dict[str, Any]:
        """One pass over the training site-years; returns the row of the learning curve."""
        start = time.monotonic()
        modulated = self.epoch >= self.pretrain_epochs
        self.network.train()
        total = 0.0
        order = self.random.permutation(len(self.train.rows))
        batches = [order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size)]
        for number, batch in enumerate(batches):
            progress = (self.epoch + number / len(batches)) / self.epochs
            rate = self.peak_rate * _schedule(progress)
            for group, share in zip(
                self.optimiser.param_groups, (1.0, SITE_EFFECT_RATE), strict=True
            ):
                group["lr"] = rate * share
            x, static, y, weight = self._gather(self.train, batch)
            with mixed_precision(self.device):
                output = self.network(x, static, self.lookback_days, modulated=modulated)
            site = torch.from_numpy(self.train.site[batch]).to(self.device)
            output = output._replace(flux=self.effects(output.flux, site))
            loss = training_loss(output, y, weight, self.network.flux_scale, self.balance_weight)
            loss = loss + self.effects.penalty(site, self.site_years)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_NORM)
            self.optimiser.step()
            total += loss.item() * len(batch)
        row = {
            "epoch": self.epoch + 1,
            "stage": "joint" if modulated else "pretrain",
            "loss": total / len(order),
            "learning_rate": rate,
            "seconds": time.monotonic() - start,
        }
        self._check_finite(row)
        self.curve.append(row)
        self.epoch += 1
        return row

    def fit_trees(self, threads: int) -> None:
        """Fit the regression trees of the network to its training days."""
        trees = self.network.trees
        if trees is None:
            return
        start = time.monotonic()
        days: list[list[np.ndarray]] = []
        for first in range(0, len(self.train.rows), self.batch_size):
            batch = np.arange(first, min(first + self.batch_size, len(self.train.rows)))
            x, static, flux, weight = self._gather(self.train, batch)
            features = self.network.tree_training_features(x, static, self.lookback_days)
            flux = flux.masked_fill(weight == 0, torch.nan)
            used = (weight > 0).any(-1)
            days.append([part[used].cpu().numpy() for part in (features, flux, weight.amax(-1))])
        number = len(trees.leaf)
        fitted = fit_trees(
            *map(np.concatenate, zip(*days, strict=True)),
            trees=number,
            seed=self.seed,
            threads=threads,
        )
        trees.load_state_dict(fitted)
        log.info("%d trees fitted in %.1f s", number, time.monotonic() - start)

    def _check_finite(self, row: Mapping[str, Any]) -> None:
        """Raise where the training has diverged."""
        if not np.isfinite(row["loss"]):
            raise TrainingError(
                "the training diverged",
                variable="loss",
                found=f"{row['loss']} in epoch {row['epoch']}",
                expected="a finite loss",
                fix="lower training.learning_rate, and look for extreme fluxes or predictors",
            )

    def _gather(self, windows: Windows, batch: np.ndarray) -> tuple[torch.Tensor, ...]:
        """x (batch, time, feature), static, y and weight (batch, year, 3) of some site-years.

        Some optional predictors are dropped at random (`drop_groups`).
        """
        rows = torch.from_numpy(windows.rows[batch]).to(self.device)
        site = torch.from_numpy(windows.site[batch]).to(self.device)
        padded = (rows == PAD)[..., None]
        target, padded_target = rows[:, LOOKBACK_DAYS:], padded[:, LOOKBACK_DAYS:]
        x = self.x[rows] if self.filled is None else self.filled[batch]
        x, absent = drop_groups(x.masked_fill(padded, 0), self.absent[batch], self.groups)
        static = drop_statics(self.static[site], self.optional_statics)
        static = torch.cat([static, absent], dim=1)
        weight = self.weight[target].masked_fill(padded_target, 0)
        return x, static, self.y[target], weight

    def save(self, path: Path) -> None:
        """Save everything that the next epoch depends on."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"effects.{k}": v for k, v in self.effects.state_dict().items()}
        for number, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{k}": v for k, v in moments.items()}
        tensors["random.torch"] = torch.get_rng_state()
        if self.device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state(self.device)
        header = {
            "identity": self.identity,
            "epoch": self.epoch,
            "curve": self.curve,
            "random": self.random.bit_generator.state,
        }
        save_tensors(path, tensors, header)

    def resume(self, path: Path) -> None:
        """Restore a saved state, if there is one of the same training."""
        if not path.exists():
            return
        try:
            tensors, header = load_tensors(path)
        except ContractError:
            log.warning("%s: the saved state is damaged; starting again", path)
            return
        if header["identity"] != self.identity:
            log.info("%s: saved state of another training; starting again", path)
            return
        self.epoch, self.curve = header["epoch"], header["curve"]
        self.random.bit_generator.state = header["random"]
        self.network.load_state_dict(_under(tensors, "network."))
        self.effects.load_state_dict(_under(tensors, "effects."))
        self._resume_optimiser(_under(tensors, "optimiser."))
        torch.set_rng_state(tensors["random.torch"])
        if "random.cuda" in tensors and self.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random.cuda"], self.device)
        log.info("resuming after epoch %d", self.epoch)

    def _resume_optimiser(self, moments: Mapping[str, torch.Tensor]) -> None:
        state: dict[int, dict[str, torch.Tensor]] = {}
        for key, tensor in moments.items():
            number, name = key.split(".", 1)
            state.setdefault(int(number), {})[name] = tensor
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": state, "param_groups": groups})


def day_weights(samples: Samples, min_qc: float) -> np.ndarray:
    """(row, 3) float32 weight of each flux: the day's qc.

    The weight is 0 where the flux is missing, the qc is below `min_qc`, the day is not within the
    training years, or its weather is missing.
    """
    complete = ~samples_without_weather(samples, samples.optional)
    usable = (
        np.isfinite(samples.y) & (samples.may_train & complete & (samples.qc >= min_qc))[:, None]
    )
    return np.where(usable, samples.qc[:, None], 0).astype(np.float32)


def site_weights(samples: Samples, train_idx: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(site,) float32 weight of each site: its number of weighted days to the power of -1/2.

    A long record is more informative than a short one, but less than in proportion to its days,
    which are autocorrelated. The mean over the days of the training sites is 1.
    """
    days = np.bincount(samples.site, (weight > 0).any(axis=1), minlength=len(samples.sites))
    of_site = np.maximum(days, 1) ** -0.5
    mean = np.average(of_site[train_idx], weights=np.maximum(days[train_idx], 1))
    return (of_site / mean).astype(np.float32)


def _schedule(progress: float) -> float:
    """Learning rate as a share of its peak: linear rise, then half a cosine to zero."""
    if progress < RATE_WARM_UP:
        return 0.05 + 0.95 * progress / RATE_WARM_UP
    return 0.5 * (1 + np.cos(np.pi * (progress - RATE_WARM_UP) / (1 - RATE_WARM_UP)))


def _identity(spec: ModelSpec, samples: Samples, epochs: int, bfloat16: bool) -> str:
    """Hash of settings, code identity, precision and data: equal for equal trainings."""
    digest = hashlib.sha256(repr((spec, epochs, bfloat16, samples.train_years)).encode())
    for array in (samples.x, samples.y, samples.qc, samples.static, samples.site, samples.date):
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()


def _under(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
