"""Figures of the prediction intervals, the applicability and the dissimilarity index."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.colors import LogNorm, Normalize

from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.figures.maps import RobinsonMap
from tamflux.figures.product_figures import colour_bar, map_title
from tamflux.figures.style import FLUX_LABELS, MODEL_COLOURS, PER_DAY, field_norm, save
from tamflux.grid import Grid
from tamflux.predictors.static import open_static
from tamflux.samples.splits import tower_roles
from tamflux.uncertainty.calibration import LEVEL

POPULATIONS = {"towers": "days of held-out towers", "cells": "days of cells, against the truth"}
COLOURS = {"towers": MODEL_COLOURS["tamrl"], "cells": MODEL_COLOURS["lstm"]}


def plot_intervals(
    coverage: str | Path,
    ranking: str | Path,
    cells: str | Path,
    sites: str | Path,
    static: str | Path,
    grid: Grid,
    split: str,
    figures: Mapping[str, str | Path],
) -> None:
    """Draw reliability, coverage by class, the map of applicability, and index against error.

    Parameters
    ----------
    coverage, ranking, cells : path
        From `evaluate_intervals`.
    sites, static : path
        `results/samples/sites.csv` and `results/predictors/static.nc`.
    grid : Grid
        The product grid.
    split : str
        Name of the hold-out split, or folds.
    figures : mapping of name to path
        PNG files to write: `interval_reliability, interval_classes, map_applicability` and, on
        the demo Earth, `applicability_error`.
    """
    table = pd.read_csv(coverage, keep_default_na=False)
    table = table[table["scale"] == "day"]
    with open_static(static) as surface:
        land = surface["land_fraction"].to_numpy()
    with xr.open_dataset(cells) as opened:
        fields = opened.load()
    towers = pd.read_csv(sites, keep_default_na=False, na_values=[""])
    towers = towers[tower_roles(towers, split) != "test"]
    _plot_reliability(table, figures["interval_reliability"])
    _plot_classes(table, figures["interval_classes"])
    _draw_applicability(RobinsonMap(grid, land), fields, towers, figures["map_applicability"])
    if "applicability_error" in figures:
        _plot_error(fields, pd.read_csv(ranking), figures["applicability_error"])


def _plot_reliability(table: pd.DataFrame, path) -> None:
    table = table[table["group"] == "all"]
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 3.2), sharey=True)
    for ax, flux in zip(axes, FLUX_NAMES, strict=True):
        ax.plot([0.45, 1], [0.45, 1], color="#8a919b", lw=0.8)
        for population, label in POPULATIONS.items():
            part = table[(table["population"] == population) & (table["flux"] == flux)]
            if len(part):
                ax.plot(
                    part["level"], part["coverage"], marker="o", ms=3.5, label=label,
                    color=COLOURS[population],
                )  # fmt: skip
        ax.set(title=FLUX_LABELS[flux], xlabel="nominal", xlim=(0.45, 1), ylim=(0.45, 1))
    axes[0].set_ylabel("share of days inside the interval")
    axes[0].legend(loc="lower right", fontsize=7.5)
    save(figure, path)


def _plot_classes(table: pd.DataFrame, path) -> None:
    table = table[(table["group"] == "igbp") & (table["level"] == LEVEL)]
    classes = list(dict.fromkeys(table["value"]))
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 0.24 * len(classes) + 1.4), sharey=True)
    for ax, flux in zip(axes, FLUX_NAMES, strict=True):
        ax.axvspan(LEVEL - 0.02, LEVEL + 0.02, color="#dfe7ee", lw=0)
        for population, label in POPULATIONS.items():
            part = table[(table["population"] == population) & (table["flux"] == flux)]
            rows = [classes.index(value) for value in part["value"]]
            ax.scatter(part["coverage"], rows, s=18, color=COLOURS[population], label=label)
        ax.set(title=FLUX_LABELS[flux], xlim=(0.3, 1.01), xlabel="share of days inside")
    axes[0].set_yticks(range(len(classes)), classes, fontsize=7.5)
    axes[0].invert_yaxis()
    axes[0].legend(loc="lower left", fontsize=7)
    save(figure, path)


def _draw_applicability(frame: RobinsonMap, fields: xr.Dataset, towers: pd.DataFrame, path) -> None:
    figure, axes = plt.subplots(2, 1, figsize=(6.4, 2 * (6.4 * min(frame.aspect, 1.2) + 0.75)))
    parts = [
        ("applicability", "applicability, 1: no error expected", "viridis", Normalize(0.4, 1)),
        (
            "dissimilarity_index",
            "dissimilarity index, 1: median of out-of-fold towers",
            "magma_r",
            field_norm([fields["dissimilarity_index"]], percentile=97),
        ),
    ]
    for ax, (name, label, cmap, norm) in zip(axes, parts, strict=True):
        image = frame.draw(ax, fields[name], cmap, norm)
        frame.points(
            ax, towers["lon"], towers["lat"], s=6, color="#ff4fa3", edgecolors="white", lw=0.2
        )
        map_title(ax, name.replace("_", " "))
        colour_bar(figure, image, ax, label, shrink=0.7)
    save(figure, path)


def _plot_error(fields: xr.Dataset, ranking: pd.DataFrame, path) -> None:
    ranks = ranking.set_index(["index", "error"])["spearman"]
    expected = fields["expected_error"].to_numpy()
    figure, axes = plt.subplots(1, 3, figsize=(9.4, 3.4))
    for ax, flux in zip(axes, FLUX_NAMES, strict=True):
        true = fields[f"{flux}_rmse"].to_numpy()
        known = np.isfinite(expected) & np.isfinite(true)
        top = np.percentile(true[known], 99.5)
        image = ax.hexbin(
            expected[known], true[known], gridsize=40, cmap="viridis_r", norm=LogNorm(), mincnt=1,
            extent=(0, np.percentile(expected[known], 99.5), 0, top), linewidths=0,
        )  # fmt: skip
        rank = ranks[("expected_error", flux)]
        ax.set(title=f"{FLUX_LABELS[flux]}, rank correlation {rank:.2f}", xlabel="expected error")
    axes[0].set_ylabel(f"true RMSE of the cell, {PER_DAY}")
    figure.colorbar(image, ax=axes, label="cells", shrink=0.8)
    save(figure, path)


SCALE_LABELS = {"day": "days", "month": "monthly means", "year": "annual means",
                "site": "means of sites"}  # fmt: skip
SCALE_COLOURS = {"day": "#0072B2", "month": "#56B4E9", "year": "#009E73", "site": "#E69F00"}


def plot_real_intervals(intervals: str | Path, path: str | Path) -> None:
    """Draw the reliability by scale, and the coverage and width of the intervals by class.

    Parameters
    ----------
    intervals : path
        From `evaluate_real_intervals`.
    path : path
        PNG to write.
    """
    table = pd.read_csv(intervals, keep_default_na=False)
    table = table[table["protocol"] == "folds"]
    classes = table[(table["group"] == "igbp") & (table["level"] == LEVEL)]
    sites = classes[classes["scale"] == "day"].groupby("value")["n_locations"].max()
    order = sites.sort_values(ascending=False, kind="stable").index
    rows = 0.28 * len(order)
    figure, axes = plt.subplots(
        3, 3, figsize=(9.6, 4.2 + 2 * rows), sharey="row", height_ratios=[3, rows, rows]
    )
    for column, flux in zip(axes.T, FLUX_NAMES, strict=True):
        of_flux = table[(table["flux"] == flux) & (table["group"] == "all")]
        column[0].plot([0.45, 1], [0.45, 1], color="#8a919b", lw=0.8)
        column[1].axvspan(0.8, 0.97, color="#eef3f7", lw=0)
        column[1].axvline(LEVEL, color="#8a919b", lw=0.8)
        for scale, label in SCALE_LABELS.items():
            style = {"color": SCALE_COLOURS[scale], "label": label}
            part = of_flux[of_flux["scale"] == scale]
            column[0].plot(part["level"], part["coverage"], marker="o", ms=3.5, **style)
            part = classes[(classes["flux"] == flux) & (classes["scale"] == scale)]
            part = part.set_index("value").reindex(order)
            lines = np.arange(len(order)) + 0.15 * (list(SCALE_LABELS).index(scale) - 1.5)
            column[1].scatter(part["coverage"], lines, s=14, **style)
            column[2].scatter(part["half_width"], lines, s=14, **style)
        column[0].set(title=FLUX_LABELS[flux], xlabel="nominal", xlim=(0.45, 1), ylim=(0.45, 1.01))
        column[1].set(xlim=(0.5, 1.01), xlabel=f"inside the {LEVEL:.0%} interval")
        column[2].set(xlabel=f"half-width, {PER_DAY}")
        column[2].set_xlim(left=0)
    axes[0, 0].set_ylabel("share inside the interval")
    axes[0, 0].legend(loc="upper left", fontsize=7.5)
    for ax in axes[1:, 0]:
        ax.set_yticks(
            range(len(order)), [f"{name} ({sites[name]})" for name in order], fontsize=7.5
        )
        ax.set_ylim(len(order) - 0.5, -0.5)
        ax.set_ylabel("class (sites)")
    save(figure, path)
