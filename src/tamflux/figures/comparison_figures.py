"""Figures of the comparison: differences with their intervals, and quartiles of the errors."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from tamflux.evaluation.labels import COMPARED, HELD_OUT, ordered
from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.evaluation.paired import TAMRL
from tamflux.figures.style import FLUX_LABELS, INK, MODEL_COLOURS, PER_DAY, save

PROTOCOL_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#222222")
"""Okabe-Ito colours, distinct for colour-blind readers."""


def plot_comparison(
    summary: str | Path, differences: str | Path, forest: str | Path, errors: str | Path
) -> None:
    """Draw both figures.

    Parameters
    ----------
    summary, differences : path
        From `score_comparison`.
    forest, errors : path
        PNG to write: relative differences of the median RMSE, and quartiles of the RMSE.
    """
    _forest(pd.read_csv(differences), forest)
    table = pd.read_csv(summary, keep_default_na=False, na_values=[""])
    _errors(table[table["group"] == "all"], errors)


def _forest(table: pd.DataFrame, path: str | Path) -> None:
    baselines = ordered(table["baseline"], COMPARED)
    protocols = ordered(table["protocol"], HELD_OUT)
    height = 1.3 + len(baselines) * (0.16 * len(protocols) + 0.22)
    figure, axes = plt.subplots(1, 3, figsize=(10, height), sharey=True)
    for axis, flux in zip(axes, FLUX_NAMES, strict=True):
        for k, protocol in enumerate(protocols):
            part = table[(table["protocol"] == protocol) & (table["flux"] == flux)]
            part = 100 * part.set_index("baseline").reindex(baselines)[
                ["rmse_relative", "rmse_relative_low", "rmse_relative_high"]
            ]  # fmt: skip
            value, low, high = part.to_numpy().T
            y = np.arange(len(baselines)) + 0.7 * ((k + 0.5) / len(protocols) - 0.5)
            colour = PROTOCOL_COLOURS[k % len(PROTOCOL_COLOURS)]
            axis.hlines(y, low, high, color=colour, linewidth=1.6)
            axis.plot(value, y, "o", color=colour, ms=4.5, label=HELD_OUT.get(protocol, protocol))
        axis.axvline(0, color=INK, linewidth=0.8)
        axis.set_title(FLUX_LABELS[flux])
        axis.set_xlabel("difference of the median RMSE, %")
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
            low, middle, high = (part[f"rmse_q{q}"].to_numpy() for q in (25, 50, 75))
            y = np.arange(len(models))
            colours = [MODEL_COLOURS["tamrl"] if name == TAMRL else "#b9c1cb" for name in models]
            axis.barh(y, high - low, left=low, height=0.62, color=colours)
            axis.plot(middle, y, "|", color=INK, ms=9, mew=1.8)
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
