"""Networks on windows of 30 days, trained and applied as in CarbonFluxBench.

Windows start every 15 days; the loss is computed on their last 15 days. Each day is predicted from
the window that has it among its last 15 days.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from tamflux.baselines.networks import PublishedTamRL, WindowLSTM, WindowTransformer
from tamflux.extra_predictors import PREFIX
from tamflux.samples.samples import Samples
from tamflux.training.device import choose_device, mixed_precision
from tamflux.training.members import static_scaling
from tamflux.training.trainer import MIN_QC, day_weights, site_weights

log = logging.getLogger("tamflux")

WINDOW_DAYS = 30
TARGET_DAYS = 15
"""Days at the end of a window that enter the loss and the predictions."""

BATCH_WINDOWS = 128
PREDICTION_BATCH_WINDOWS = 1024
PRETRAINING = 0.25
"""Share of the epochs in which published TAM-RL is trained without task embedding."""

BALANCE_WEIGHT = 0.1
"""Of the carbon-balance term of published TAM-RL, on standardised fluxes as in its public code."""


class WindowedModel:
    """A fitted network on windows, with the scaling of its training sites.

    `gappy` (predictor,) are the predictors that are missing on some training day.
    """

    network: nn.Module

    def __init__(self, samples: Samples, train_idx: np.ndarray, seed: int):
        in_train = np.isin(samples.site, train_idx)
        scaling = _scaling(samples, in_train, day_weights(samples, MIN_QC))
        self.mean, self.sd, self.flux_mean, self.flux_sd = scaling
        self.static = static_scaling(samples, train_idx)
        self.gappy = np.isnan(samples.x[in_train]).any(axis=0)
        self.seed = seed

    def scale(self, samples: Samples) -> torch.Tensor:
        """(row, feature) scaled predictors, then 1 where one of `gappy` is missing, else 0.

        Missing predictors become 0, the training mean.
        """
        scaled = np.nan_to_num((samples.x - self.mean) / self.sd)
        features = np.concatenate([scaled, np.isnan(samples.x[:, self.gappy])], axis=1)
        return torch.from_numpy(features.astype(np.float32))

    def scale_static(self, samples: Samples) -> torch.Tensor:
        """(site, static feature), those of the configuration scaled, and 1 where one is missing."""
        mean, sd = (np.array(self.static[name]) for name in ("static_mean", "static_sd"))
        scaled = np.nan_to_num((samples.static - mean) / sd)
        extra = [name.startswith(PREFIX) for name in samples.static_features]
        features = np.concatenate([scaled, np.isnan(samples.static[:, extra])], axis=1)
        return torch.from_numpy(features.astype(np.float32))

    @torch.inference_mode()
    def predict(self, samples: Samples, site_idx: np.ndarray) -> np.ndarray:
        """(row, 3) float32 gpp, reco, nee, g m-2 d-1, of every day of the selected sites."""
        self.network.eval()
        device = next(self.network.parameters()).device
        x, static = self.scale(samples).to(device), self.scale_static(samples).to(device)
        windows = cut_windows(samples, np.sort(site_idx))
        flux = np.full((len(samples.site), 3), np.nan, np.float32)
        support = draw_support(samples, np.random.default_rng(self.seed))
        for start in range(0, len(windows), PREDICTION_BATCH_WINDOWS):
            rows = windows[start : start + PREDICTION_BATCH_WINDOWS]
            site = samples.site[rows[:, -1]]
            out = _run(self.network, x, static, rows, site, support[site]).cpu().numpy()
            # a last, short window repeats its final row: the value of its last position counts
            flux[rows[:, -TARGET_DAYS:]] = out[:, -TARGET_DAYS:] * self.flux_sd + self.flux_mean
        flux[:, :2] = np.maximum(flux[:, :2], 0)  # as published
        return flux[np.isin(samples.site, site_idx)]


def fit_network(
    name: str,
    samples: Samples,
    train_idx: np.ndarray,
    *,
    settings: Mapping[str, Any],
    seed: int,
    threads: int,
) -> WindowedModel:
    """Fit a network to the weighted squared error of standardised fluxes.

    As for tamrl, all training sites are used, for a fixed number of epochs with a learning rate
    that falls to zero.

    Parameters
    ----------
    name : str
        ``lstm`` (no static features), ``ct_lstm``, ``transformer`` or ``published_tamrl``.
    samples : Samples
    train_idx : numpy.ndarray
        (n,) positions of the training sites in `samples.sites`.
    settings : mapping
        `hidden_size`, `learning_rate`, `epochs`.
    seed, threads : int
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    device = choose_device("auto")
    weight = day_weights(samples, MIN_QC)
    weight *= site_weights(samples, train_idx, weight)[samples.site, None]
    fitted = WindowedModel(samples, train_idx, seed)
    x, static = fitted.scale(samples).to(device), fitted.scale_static(samples).to(device)
    network = make_network(name, x.shape[1], static.shape[1], settings["hidden_size"]).to(device)
    fitted.network = network
    scaled = (samples.y - fitted.flux_mean) / fitted.flux_sd
    y = torch.from_numpy(np.nan_to_num(scaled)).float().to(device)
    day_weight = torch.from_numpy(weight).to(device)
    windows = cut_windows(samples, np.sort(train_idx))
    windows = windows[(weight[windows[:, -TARGET_DAYS:]] > 0).any(axis=(1, 2))]
    optimiser = torch.optim.Adam(network.parameters(), lr=settings["learning_rate"])
    epochs = settings["epochs"]
    steps = epochs * -(-len(windows) // BATCH_WINDOWS)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings["learning_rate"], total_steps=steps, pct_start=0.1
    )
    for epoch in range(epochs):
        network.train()
        total = 0.0
        support = draw_support(samples, random)
        modulated = name != "published_tamrl" or epoch >= PRETRAINING * epochs
        order = random.permutation(len(windows))
        for start in range(0, len(order), BATCH_WINDOWS):
            rows = windows[order[start : start + BATCH_WINDOWS]]
            site = samples.site[rows[:, -1]]
            with mixed_precision(device):
                out = _run(network, x, static, rows, site, support[site] if modulated else None)
            target = torch.from_numpy(rows[:, -TARGET_DAYS:]).to(device)
            out, used = out[:, -TARGET_DAYS:], day_weight[target]
            loss = (used * (out - y[target]) ** 2).sum() / used.sum()
            if name == "published_tamrl":
                gpp, reco, nee = out.unbind(-1)
                loss = loss + BALANCE_WEIGHT * ((nee - (reco - gpp)) ** 2).mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += loss.item() * len(rows)
        log.info("%s, epoch %d/%d: loss %.4f", name, epoch + 1, epochs, total / len(windows))
    return fitted


def make_network(name: str, features: int, static_features: int, hidden_size: int) -> nn.Module:
    """Untrained network of this name."""
    if name == "lstm":
        return WindowLSTM(features, 0, hidden_size)
    if name == "ct_lstm":
        return WindowLSTM(features, static_features, hidden_size)
    if name == "transformer":
        return WindowTransformer(features, static_features, hidden_size, WINDOW_DAYS)
    return PublishedTamRL(features, static_features, hidden_size)


def cut_windows(samples: Samples, site_idx: np.ndarray) -> np.ndarray:
    """(window, WINDOW_DAYS) row numbers of the windows whose last days cover the selected sites.

    The target days of a site's windows are consecutive from its first row; rows before the first
    and after the last repeat the first and the last.
    """
    windows = []
    for site in site_idx:
        first, stop = np.searchsorted(samples.site, [site, site + 1])
        target = np.arange(first, stop, TARGET_DAYS)
        rows = target[:, None] + np.arange(TARGET_DAYS - WINDOW_DAYS, TARGET_DAYS)
        windows.append(rows.clip(first, stop - 1))
    return np.concatenate(windows)


def draw_support(samples: Samples, random: np.random.Generator) -> np.ndarray:
    """(site, WINDOW_DAYS) row numbers of one window of each site, with a random start."""
    number = np.arange(len(samples.sites))
    first = np.searchsorted(samples.site, number)
    length = np.searchsorted(samples.site, number, side="right") - first
    start = first + random.integers(0, np.maximum(length - WINDOW_DAYS, 0) + 1)
    rows = start[:, None] + np.arange(WINDOW_DAYS)
    return np.minimum(rows, (first + length - 1)[:, None])


def _run(network, x, static, rows, site, support) -> torch.Tensor:
    """Output of a network for windows of rows; PublishedTamRL also receives support rows."""
    of_site = static[torch.from_numpy(site).to(static.device)]
    window = x[torch.from_numpy(rows).to(x.device)]
    if not isinstance(network, PublishedTamRL):
        return network(window, of_site)
    if support is not None:
        support = x[torch.from_numpy(support).to(x.device)]
    return network(window, of_site, support)


def _scaling(samples: Samples, in_train: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, ...]:
    """Mean and sd of the predictors and of the fluxes, over the rows `in_train` (row,)."""
    x = samples.x[in_train].astype(np.float64)
    y = np.where(weight > 0, samples.y, np.nan)[in_train].astype(np.float64)
    sd = np.nanstd(x, axis=0)
    stats = (
        np.nanmean(x, axis=0),
        np.where(sd > 0, sd, 1),
        np.nanmean(y, axis=0),
        np.nanstd(y, axis=0),
    )
    return tuple(stat.astype(np.float32) for stat in stats)
