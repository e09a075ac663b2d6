"""Figures of the product and the truth of the demo Earth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.colors import LogNorm, Normalize
from matplotlib.ticker import MaxNLocator

from tamflux.evaluation.labels import MODELS
from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.figures.maps import RobinsonMap
from tamflux.figures.product_figures import DAYS_PER_YEAR, colour_bar, map_title
from tamflux.figures.style import (
    CMAPS,
    FLUX_LABELS,
    MODEL_COLOURS,
    PER_YEAR,
    field_norm,
    save,
)
from tamflux.grid import Grid
from tamflux.predictors.static import open_static
from tamflux.samples.splits import tower_roles


def plot_truth(
    maps: str | Path,
    scores: str | Path,
    sites: str | Path,
    static: str | Path,
    grid: Grid,
    split: str,
    figures: Mapping[str, str | Path],
) -> None:
    """Draw the comparison with the truth.

    Parameters
    ----------
    maps, scores : path
        From `evaluate_truth`.
    sites, static : path
        `results/samples/sites.csv` and `results/predictors/static.nc`.
    split : str
        Name of the hold-out split, or folds.
    figures : mapping of name to path
        PNG files to write: `truth_maps, truth_skill, truth_scatter, truth_distance`.
    """
    with open_static(static) as surface:
        land = surface["land_fraction"].to_numpy()
    with xr.open_dataset(maps) as opened:
        fields = opened.load()
    table = pd.read_csv(scores)
    towers = pd.read_csv(sites, keep_default_na=False, na_values=[""])
    towers = towers[tower_roles(towers, split) != "test"]
    frame = RobinsonMap(grid, land)
    _plot_maps(frame, fields, figures["truth_maps"])
    _plot_skill(frame, fields, towers, figures["truth_skill"])
    _plot_scatter(fields, table, grid.cell_area() * land, figures["truth_scatter"])
    _plot_distance(table, figures["truth_distance"])


def _plot_maps(frame: RobinsonMap, fields: xr.Dataset, path) -> None:
    height = 3.6 * min(frame.aspect, 1.2)
    figure, axes = plt.subplots(3, 3, figsize=(10.8, 3 * (height + 0.75)))
    for row, flux in enumerate(FLUX_NAMES):
        true, product = (fields[f"{flux}_{name}"] * DAYS_PER_YEAR for name in ("truth", "tamrl"))
        norm = field_norm([true, product], diverging=flux == "nee")
        error = field_norm([product - true], diverging=True)
        for column, (field, name) in enumerate([(true, "truth"), (product, "product")]):
            image = frame.draw(axes[row, column], field, CMAPS[flux], norm)
            map_title(axes[row, column], f"{FLUX_LABELS[flux]}, {name}")
        colour_bar(figure, image, axes[row, :2], f"{FLUX_LABELS[flux]}, {PER_YEAR}", shrink=0.5)
        image = frame.draw(axes[row, 2], product - true, "PuOr_r", error)
        map_title(axes[row, 2], f"{FLUX_LABELS[flux]}, product − truth")
        colour_bar(
            figure, image, axes[row, 2], PER_YEAR, shrink=0.9, aspect=28, ticks=MaxNLocator(4)
        )
    save(figure, path, dpi=115)


def _plot_skill(frame: RobinsonMap, fields: xr.Dataset, towers: pd.DataFrame, path) -> None:
    figure, axes = plt.subplots(3, 1, figsize=(6.4, 3 * 6.4 * min(frame.aspect, 1.2) + 1.2))
    for ax, flux in zip(axes, FLUX_NAMES, strict=True):
        image = frame.draw(ax, fields[f"{flux}_tamrl_r2"], CMAPS["r2"], Normalize(-1, 1))
        frame.points(
            ax, towers["lon"], towers["lat"], s=6, color="#ff4fa3", edgecolors="white", lw=0.2
        )
        map_title(ax, FLUX_LABELS[flux])
    colour_bar(
        figure, image, axes, "R² of the days of each cell (points: training towers)", shrink=0.7
    )
    save(figure, path)


def _plot_scatter(fields: xr.Dataset, table: pd.DataFrame, area: np.ndarray, path) -> None:
    table = table[table["group"] == "all"].set_index(["model", "flux"])
    figure, axes = plt.subplots(3, 3, figsize=(9.4, 9.6))
    for column, flux in enumerate(FLUX_NAMES):
        true = fields[f"{flux}_truth"].to_numpy() * DAYS_PER_YEAR
        predictions = {m: fields[f"{flux}_{m}"].to_numpy() * DAYS_PER_YEAR for m in MODELS}
        both = np.concatenate([true.ravel(), *(p.ravel() for p in predictions.values())])
        low, high = np.nanpercentile(both, [0.1, 99.9])
        for row, model in enumerate(MODELS):
            ax, good = axes[row, column], np.isfinite(true) & np.isfinite(predictions[model])
            image = ax.hexbin(
                true[good],
                predictions[model][good],
                C=area[good] / 1e12,
                reduce_C_function=np.sum,
                gridsize=45,
                extent=(low, high, low, high),
                cmap="viridis_r",
                norm=LogNorm(0.01, 3),
                mincnt=1,
                linewidths=0,
            )
            ax.plot([low, high], [low, high], color=MODEL_COLOURS["truth"], lw=0.8)
            ax.set(xlim=(low, high), ylim=(low, high), box_aspect=1)
            ax.text(
                0.04,
                0.96,
                (
                    f"R² {table.loc[(model, flux), 'r2_between']:.2f}\n"
                    f"bias {table.loc[(model, flux), 'bias'] * DAYS_PER_YEAR:+.0f}"
                ).replace("-", "−"),
                transform=ax.transAxes,
                va="top",
                fontsize=8,
            )
            if row == 0:
                ax.set_title(FLUX_LABELS[flux])
            if row == 2:
                ax.set_xlabel(f"true annual mean, {PER_YEAR}")
            if column == 0:
                ax.set_ylabel(f"{MODELS[model]}, {PER_YEAR}")
    bar = figure.colorbar(image, ax=axes, orientation="horizontal", shrink=0.6, aspect=40, pad=0.01)
    bar.set_label("land area, million km²")
    save(figure, path)


def _plot_distance(table: pd.DataFrame, path) -> None:
    table = table[table["group"] == "distance_km"]
    figure, axes = plt.subplots(2, 3, figsize=(9.4, 5.2), sharex=True)
    classes = list(dict.fromkeys(table["value"]))
    for row, (metric, label) in enumerate(
        [("r2_daily", "R², days and cells pooled"), ("r2_between", "R² of annual means")]
    ):
        for column, flux in enumerate(FLUX_NAMES):
            ax = axes[row, column]
            for model in MODELS:
                part = table[(table["model"] == model) & (table["flux"] == flux)].set_index("value")
                values = part[metric].reindex(classes).to_numpy()
                ax.plot(
                    range(len(classes)),
                    np.clip(values, -1, None),
                    marker="o",
                    ms=4,
                    color=MODEL_COLOURS[model],
                    label=MODELS[model],
                )
            ax.axhline(0, color="#8a919b", lw=0.8)
            ax.set_ylim(-1.05, 1.05)
            ax.set_xticks(
                range(len(classes)), [c.replace("-", "–\n") for c in classes], fontsize=7.5
            )
            if row == 0:
                ax.set_title(FLUX_LABELS[flux])
            else:
                ax.set_xlabel("km to nearest training tower", fontsize=8)
        axes[row, 0].set_ylabel(label, fontsize=8)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    save(figure, path)
