"""Training speed: windows of 30 target days per second, of TAM-RL here and as published.

    python benchmarks/training.py

prints one line of JSON. Both models train on random numbers, in turns, with the same threads, in
their own loops; no data loader and no disk are timed.

- `value`: TAM-RL of this project, by the settings of config.yaml, through `fit_member`: gathering,
  both networks, losses and optimiser. A site-year counts as 365 / 30
  windows; the look-back year before it is computed but not counted.
- `reference`: the network shapes of the public code of TAM-RL (CarbonFluxBench: hidden 128, code
  64, two layers, batch 32). A window counts as one, although windows overlap by half and only
  their last 15 days enter the loss. The support windows are computed but not counted.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from torch import Tensor, nn

from tamflux.predictors.static import STATIC_FEATURES
from tamflux.samples.samples import Samples
from tamflux.training.device import choose_device, has_bfloat16
from tamflux.training.members import fit_member
from tamflux.variables import PREDICTORS

WINDOW = 30
LOSS_DAYS = 15
DYNAMIC, STATIC, HIDDEN, CODE, LAYERS, BATCH = 20, 51, 128, 64, 2, 32  # of the reference


class ReferenceEncoder(nn.Module):
    """Autoencoder of a window, with the decoding loop whose output the reference never uses."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(DYNAMIC + STATIC, HIDDEN)
        self.norm = nn.BatchNorm1d(HIDDEN)
        self.encoder = nn.LSTM(HIDDEN, HIDDEN, batch_first=True, bidirectional=True)
        self.code = nn.Linear(HIDDEN, CODE)
        self.expand = nn.Linear(CODE, HIDDEN)
        self.decoder = nn.LSTM(HIDDEN, HIDDEN, batch_first=True)
        self.restore = nn.Linear(HIDDEN, DYNAMIC + STATIC)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Code (window, CODE) and restored windows, of (window, WINDOW, DYNAMIC + STATIC)."""
        embedded = nn.functional.leaky_relu(self.norm(self.embed(x).flatten(0, 1)), 0.2)
        _, (last, _) = self.encoder(embedded.unflatten(0, x.shape[:2]))
        code = self.code(last.sum(dim=0))
        hidden = self.expand(code)[None]
        step, state = torch.zeros_like(hidden).transpose(0, 1), (hidden, torch.zeros_like(hidden))
        restored = []
        for _ in range(x.shape[1]):
            step, state = self.decoder(step, state)
            restored.append(self.restore(step))
        return code, torch.cat(restored, dim=1)


class ReferenceModel(nn.Module):
    """Recurrent model whose input and output are scaled and shifted by the code."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(DYNAMIC, HIDDEN)
        self.film_input = nn.Linear(CODE, HIDDEN)
        self.film_output = nn.Linear(CODE, 2 * HIDDEN)
        self.recurrence = nn.LSTM(HIDDEN, HIDDEN, num_layers=LAYERS, batch_first=True)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(HIDDEN, 3)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Fluxes (window, WINDOW, 3), standardised."""
        film = 1 + torch.relu(self.film_input(code))[:, None]
        states, _ = self.recurrence(film * self.embed(x) + film)
        scale, shift = self.film_output(code)[:, None].chunk(2, dim=-1)
        return self.head(self.dropout(states * (1 + scale) + shift))


def reference_rate(steps: int, device: torch.device) -> float:
    """Windows per second of the reference's training loop."""
    encoder, model = ReferenceEncoder().to(device), ReferenceModel().to(device)
    optimiser = torch.optim.Adam([*encoder.parameters(), *model.parameters()], lr=1e-4)
    both = torch.randn(2 * BATCH, WINDOW, DYNAMIC + STATIC, device=device)  # queries, supports
    y = torch.randn(BATCH, WINDOW, 3, device=device)
    for step in range(-1, steps):
        if step == 0:  # after one step to warm up
            start = time.perf_counter()
        code, _ = encoder(both)
        flux = model(both[:BATCH, :, :DYNAMIC], code[:BATCH])
        loss = ((flux - y)[:, -LOSS_DAYS:] ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loss.item()  # waits for the device, as the reference's sum of losses does
    return steps * BATCH / (time.perf_counter() - start)


def own_rates(samples: Samples, settings: dict, epochs: int, threads: int) -> list[float]:
    """Windows per second of `fit_member`, epoch by epoch, the first left out."""
    training = settings["training"] | {"pretrain_epochs": 0, "epochs": 1 + epochs}
    with tempfile.TemporaryDirectory() as folder:
        curve = Path(folder, "curve.csv")
        fit_member(
            samples, list(samples.sites["site_id"]), Path(folder, "m.safetensors"), curve,
            name="tamrl", seed=0, model=settings["model"], training=training, provenance={},
            threads=threads,
        )  # fmt: skip
        seconds = pd.read_csv(curve)["seconds"][1:]
    return list(len(samples.date) / WINDOW / seconds)


def random_samples(sites: int, predictors: list[str]) -> Samples:
    """Two years of random days."""
    random = np.random.default_rng(0)
    dates = np.arange("2001-01-01", "2003-01-01", dtype="datetime64[D]")
    rows = sites * len(dates)
    y = random.gamma(2.0, 1.0, (rows, 3)).astype(np.float32)
    y[:, 2] = y[:, 1] - y[:, 0]
    return Samples(
        sites=pd.DataFrame({"site_id": [f"AA-{number:03d}" for number in range(sites)]}),
        site=np.repeat(np.arange(sites), len(dates)),
        date=np.tile(dates, sites),
        x=random.normal(size=(rows, len(predictors))).astype(np.float32),
        y=y,
        qc=np.ones(rows, np.float32),
        static=random.random((sites, len(STATIC_FEATURES)), np.float32),
        predictors=tuple(name for name in PREDICTORS if name in predictors),
        static_features=STATIC_FEATURES,
    )


def measure(sites: int, steps: int, repeats: int, threads: int) -> dict:
    """Rates of both, measured in turns; the median of the repeats counts."""
    settings = yaml.safe_load(Path(__file__).parents[1].joinpath("config.yaml").read_text())
    torch.set_num_threads(threads)
    device = choose_device(settings["training"]["device"])
    samples = random_samples(sites, settings["predictors"]["variables"])
    own, reference = [], []
    for _ in range(repeats):
        own.append(statistics.median(own_rates(samples, settings, 2, threads)))
        reference.append(reference_rate(steps, device))
    value, reference_value = statistics.median(own), statistics.median(reference)
    return {
        "name": "training",
        "value": round(value, 1),
        "unit": "windows of 30 days per second",
        "reference": round(reference_value, 1),
        "ratio": round(value / reference_value, 2),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "details": {
            "value_repeats": [round(rate, 1) for rate in own],
            "reference_repeats": [round(rate, 1) for rate in reference],
            "site_years_per_second": round(value * WINDOW / 365, 1),
            "device": str(device),
            "bfloat16": has_bfloat16(device),
            "threads": threads,
            "torch": torch.__version__,
        },
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Training speed compared with the public TAM-RL")
    parser.add_argument("--sites", type=int, default=100)
    parser.add_argument("--steps", type=int, default=60, help="of the reference, each repeat")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    print(json.dumps(measure(**vars(parser.parse_args()))))
