"""Figures of scores at sites: skill by scale, errors over sites, differences with intervals."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from tamflux.evaluation.labels import COMPARED, HELD_OUT, SCALED, ordered
from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.evaluation.paired import TAMRL
from tamflux.figures.style import FLUX_LABELS, INK, MODEL_COLOURS, PER_DAY, save

PROTOCOL_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#222222")
"""Okabe-Ito colours, distinct for colour-blind readers."""


LOWEST_R2 = -0.5
"""Lower R² are drawn at this value."""


def plot_comparison(
    summary: str | Path,
    differences: str | Path,
    forest: str | Path,
    errors: str | Path,
    skill: str | Path,
) -> None:
    """Draw the figures of a comparison.

    Parameters
    ----------
    summary, differences : path
        From `score_comparison`.
    forest, errors, skill : path
        PNG to write: relative differences of the mean RMSE, the RMSE over sites, and R² by scale.
    """
    table = pd.read_csv(differences)
    _forest(table[table["scale"] == "daily"], forest)
    table = pd.read_csv(summary, keep_default_na=False, na_values=[""])
    _errors(table[(table["group"] == "all") & (table["scale"] == "daily")], errors)
    plot_skill(summary, skill)


def plot_skill(summary: str | Path, path: str | Path) -> None:
    """Draw the R² of each model at every scale, one panel per flux and protocol.

    Parameters
    ----------
    summary : path
        From `score_comparison` or `score_real_towers`.
    path : path
        PNG to write.
    """
    table = pd.read_csv(summary, keep_default_na=False, na_values=[""])
    table = table[table["group"] == "all"]
    table["r2"] = table["r2_median"].where(table["scale"] != "site_mean", table["r2_pooled"])
    models, protocols = ordered(table["model"], COMPARED), ordered(table["protocol"], HELD_OUT)
    figure, axes = plt.subplots(
        len(protocols), 3, figsize=(10, 1.6 + 2.2 * len(protocols)), sharey=True, sharex=True,
        squeeze=False,
    )  # fmt: skip
    for row, protocol in zip(axes, protocols, strict=True):
        for axis, flux in zip(row, FLUX_NAMES, strict=True):
            part = table[(table["protocol"] == protocol) & (table["flux"] == flux)]
            _skill(axis, part.pivot_table(index="scale", columns="model", values="r2"), models)
            title = FLUX_LABELS[flux]
            axis.set_title(
                title if len(protocols) == 1 else f"{title}, {HELD_OUT.get(protocol, protocol)}",
                fontsize=9,
            )
        row[0].set_ylabel("R²")
    for axis in axes[-1]:
        axis.set_xticks(range(len(SCALED)), SCALED.values(), rotation=40, ha="right")
    if len(models) > 1:
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5)
    save(figure, path)


def _skill(axis, r2: pd.DataFrame, models: list[str]) -> None:
    """R² (scale x model) against the scale; TAM-RL on top. Between sites is a skill of its own."""
    r2 = r2.reindex(index=list(SCALED)).clip(lower=LOWEST_R2)
    x, colours = np.arange(len(r2)), plt.get_cmap("tab10")
    for number, model in enumerate(models):
        if model not in r2:
            continue
        main = model == TAMRL
        style = {
            "color": MODEL_COLOURS[TAMRL] if main else colours(number % 10),
            "linewidth": 2.2 if main else 0.9,
            "ms": 6 if main else 4,
            "zorder": 3 if main else 2,
        }
        values = r2[model].to_numpy()
        axis.plot(x[:-1], values[:-1], "o-", label=COMPARED.get(model, model), **style)
        axis.plot(x[-1:], values[-1:], "D", **style)
    axis.axhline(0, color=INK, linewidth=0.8)
    axis.set_ylim(LOWEST_R2 - 0.05, 1)


def _forest(table: pd.DataFrame, path: str | Path) -> None:
    baselines = ordered(table["baseline"], COMPARED)
    protocols = ordered(table["protocol"], HELD_OUT)
    height = 1.3 + len(baselines) * (0.16 * len(protocols) + 0.22)
    figure, axes = plt.subplots(1, 3, figsize=(10, height), sharey=True)
    for axis, flux in zip(axes, FLUX_NAMES, strict=True):
        for k, protocol in enumerate(protocols):
            part = table[(table["protocol"] == protocol) & (table["flux"] == flux)]
            part = 100 * part.set_index("baseline").reindex(baselines)[
                ["rmse_mean_relative", "rmse_mean_relative_low", "rmse_mean_relative_high"]
            ]  # fmt: skip
            value, low, high = part.to_numpy().T
            y = np.arange(len(baselines)) + 0.7 * ((k + 0.5) / len(protocols) - 0.5)
            colour = PROTOCOL_COLOURS[k % len(PROTOCOL_COLOURS)]
            axis.hlines(y, low, high, color=colour, linewidth=1.6)
            axis.plot(value, y, "o", color=colour, ms=4.5, label=HELD_OUT.get(protocol, protocol))
        axis.axvline(0, color=INK, linewidth=0.8)
        axis.set_title(FLUX_LABELS[flux])
        axis.set_xlabel("difference of the mean RMSE, %")
        axis.set_yticks(range(len(baselines)), [COMPARED.get(name, name) for name in baselines])
        axis.grid(axis="y", visible=False)
    axes[0].invert_yaxis()
    _legend(figure, axes[0], len(protocols))
    save(figure, path)


def _errors(table: pd.DataFrame, path: str | Path) -> None:
    models, protocols = ordered(table["model"], COMPARED), ordered(table["protocol"], HELD_OUT)
    height = 0.8 + len(protocols) * (0.22 * len(models) + 0.6)
    figure, axes = plt.subplots(
        len(protocols), 3, figsize=(10, height), sharey=True, sharex="col", squeeze=False
    )
    for row, protocol in zip(axes, protocols, strict=True):
        for axis, flux in zip(row, FLUX_NAMES, strict=True):
            part = table[(table["protocol"] == protocol) & (table["flux"] == flux)]
            part = part.set_index("model").reindex(models)
            names = ("p10", "median", "mean", "p90")
            low, middle, mean, high = (part[f"rmse_{name}"].to_numpy() for name in names)
            y = np.arange(len(models))
            colours = [MODEL_COLOURS["tamrl"] if name == TAMRL else "#b9c1cb" for name in models]
            axis.barh(y, high - low, left=low, height=0.62, color=colours)
            axis.plot(middle, y, "|", color=INK, ms=9, mew=1.8)
            axis.plot(mean, y, "o", color=INK, ms=3)
            axis.set_yticks(y, [COMPARED.get(model, model) for model in models])
            axis.grid(axis="y", visible=False)
            axis.set_title(f"{FLUX_LABELS[flux]}, {HELD_OUT.get(protocol, protocol)}", fontsize=9)
    axes[0, 0].invert_yaxis()
    for axis in axes[-1]:
        axis.use_sticky_edges = False
        axis.margins(x=0.06)
        axis.set_xlabel(f"RMSE, {PER_DAY}")
    save(figure, path)


def _legend(figure, axis, columns: int) -> None:
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=min(columns, 3), title="held out"
    )
