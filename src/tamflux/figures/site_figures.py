"""Figures of the towers: the network, time series, scores and learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from tamflux.evaluation.labels import MODELS
from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.evaluation.scores import MIN_QC
from tamflux.figures.maps import RobinsonMap
from tamflux.figures.style import (
    FLUX_LABELS,
    MODEL_COLOURS,
    PER_DAY,
    save,
)
from tamflux.grid import Grid
from tamflux.predictors.static import open_static
from tamflux.samples.splits import tower_roles

SERIES_SITES = 8
ROLES = {
    "train": ("training tower", "#56B4E9", "o"),
    "test": ("held-out tower", "#D55E00", "D"),
    "fold": ("training tower, held out once with its fold", "#56B4E9", "o"),
}
"""Label, colour and marker of the towers by `tamflux.samples.splits.tower_roles`."""


def plot_sites(
    predictions: str | Path,
    sites: str | Path,
    site_scores: str | Path,
    curves: Sequence[str | Path],
    static: str | Path,
    grid: Grid,
    split: str,
    figures: Mapping[str, str | Path],
) -> None:
    """Draw the figures of the towers.

    Parameters
    ----------
    predictions, site_scores : path
        From `evaluate_sites` and `score_models`.
    sites : path
        `results/samples/sites.csv`.
    curves : sequence of path
        `results/models/{model}_{member}_curve.csv`.
    static : path
        `results/predictors/static.nc`.
    split : str
        Name of the hold-out split, or folds.
    figures : mapping of name to path
        PNG files to write: `tower_network, tower_series_gpp, tower_series_reco,
        tower_series_nee, site_means, site_scores, learning_curves`.
    """
    table = pd.read_csv(sites, keep_default_na=False, na_values=[""])
    scores = pd.read_csv(site_scores, keep_default_na=False, na_values=["", "nan"])
    with open_static(static) as surface:
        land = surface["land_fraction"].to_numpy()
    _plot_network(
        RobinsonMap(grid, land), table, tower_roles(table, split), figures["tower_network"]
    )
    frame = pd.read_parquet(predictions)
    selected = _select_sites(frame, table)
    for flux in FLUX_NAMES:
        _plot_series(frame, selected, flux, figures[f"tower_series_{flux}"])
    _plot_means(frame, figures["site_means"])
    _plot_scores(scores, figures["site_scores"])
    _plot_curves(curves, figures["learning_curves"])


def _plot_network(frame: RobinsonMap, table: pd.DataFrame, role: pd.Series, path) -> None:
    figure, ax = plt.subplots(figsize=(6.4, 6.4 * min(frame.aspect, 1.2) + 0.4))
    frame.draw(ax)
    for name, (label, colour, marker) in ROLES.items():
        here = (role == name).to_numpy()
        if not here.any():
            continue
        frame.points(
            ax,
            table["lon"][here],
            table["lat"][here],
            s=18,
            marker=marker,
            color=colour,
            edgecolors="white",
            linewidths=0.6,
            label=f"{label} ({here.sum()})",
        )
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=2)
    save(figure, path, dpi=170)


def _select_sites(frame: pd.DataFrame, table: pd.DataFrame) -> list[tuple[str, str]]:
    """(site, title) of held-out sites with the most days, one per IGBP class first."""
    held_out = frame[(frame["split"] == "test") & (frame["model"] == "tamrl")]
    days = held_out.groupby("site_id", observed=True)["nee_obs"].count().rename("days")
    ranked = table.merge(days, on="site_id").query("days > 0")
    ranked = ranked.sort_values(["days", "site_id"], ascending=[False, True])
    ranked["turn"] = ranked.groupby("igbp").cumcount()
    ranked = ranked.sort_values(["turn", "igbp"]).head(SERIES_SITES)
    return [
        (row.site_id, f"{row.site_id} · {row.igbp} · {row.koppen} · {row.lat:.1f}°, {row.lon:.1f}°")
        for row in ranked.itertuples()
    ]


def _plot_series(frame: pd.DataFrame, selected: list, flux: str, path) -> None:
    rows = max(1, -(-len(selected) // 2))
    figure, axes = plt.subplots(rows, 2, figsize=(9.4, 1.75 * rows + 0.7), squeeze=False)
    for ax, (site, title) in zip(axes.flat, selected, strict=False):
        days = frame[(frame["site_id"] == site) & (frame["model"] == "tamrl")].sort_values("date")
        span = _observed_span(days, flux)
        days = days[span]
        good = days["qc"] >= MIN_QC
        date = days["date"].to_numpy()
        ax.plot(date[good], days[f"{flux}_obs"][good], ".", ms=2.4, color="#6f7782", zorder=1)
        std = days[f"{flux}_std"]
        ax.fill_between(
            date,
            days[flux] - 2 * std,
            days[flux] + 2 * std,
            color=MODEL_COLOURS["tamrl"],
            alpha=0.3,
            lw=0,
            zorder=2,
        )
        ax.plot(date, days[flux], color=MODEL_COLOURS["tamrl"], lw=1.0, zorder=3)
        ax.axhline(0, color="#8a919b", lw=0.7)
        ax.set_title(title, loc="left", fontsize=8)
        locator = AutoDateLocator(maxticks=6)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))
        ax.tick_params(labelsize=7.5)
    for ax in axes.flat[len(selected) :]:
        ax.set_axis_off()
    figure.supylabel(f"{FLUX_LABELS[flux]}, {PER_DAY}", fontsize=9)
    handles: list[Artist] = [
        Line2D([], [], ls="", marker=".", color="#6f7782", label="tower (good days)"),
        Line2D([], [], color=MODEL_COLOURS["tamrl"], label="TAM-RL, tower held out"),
    ]
    if frame.loc[frame["model"] == "tamrl", f"{flux}_std"].notna().any():  # several members
        spread = "± 2 ensemble standard deviations"
        handles.append(Patch(color=MODEL_COLOURS["tamrl"], alpha=0.3, lw=0, label=spread))
    figure.legend(handles=handles, loc="outside upper center", ncols=3, fontsize=8)
    save(figure, path)


def _observed_span(days: pd.DataFrame, flux: str) -> np.ndarray:
    """At most two years that hold the most observations of a site."""
    years = pd.DatetimeIndex(days["date"]).year.to_numpy()
    counts = pd.Series(np.isfinite(days[f"{flux}_obs"].to_numpy())).groupby(years).sum()
    pairs = {year: counts.get(year, 0) + counts.get(year + 1, 0) for year in counts.index}
    first = max(pairs, key=lambda year: (pairs[year], -year))
    return (years == first) | (years == first + 1)


def _plot_means(frame: pd.DataFrame, path) -> None:
    good = frame[(frame["qc"] >= MIN_QC) & (frame["split"] == "test")]
    figure, axes = plt.subplots(1, 3, figsize=(9.4, 3.7))
    for ax, flux in zip(axes, FLUX_NAMES, strict=True):
        days = good[np.isfinite(good[f"{flux}_obs"])]
        means = days.groupby(["model", "site_id"], observed=True)[[flux, f"{flux}_obs"]].mean()
        for model in reversed(MODELS):
            if model in means.index.get_level_values(0):
                part = means.loc[model]
                ax.scatter(
                    part[f"{flux}_obs"],
                    part[flux],
                    s=20 if model == "tamrl" else 14,
                    color=MODEL_COLOURS[model],
                    alpha=0.85 if model == "tamrl" else 0.55,
                    edgecolors="white",
                    linewidths=0.4,
                    label=MODELS[model],
                )
        limits = np.array([*ax.get_xlim(), *ax.get_ylim()])
        low, high = limits.min(), limits.max()
        ax.plot([low, high], [low, high], color="#8a919b", lw=0.9, zorder=0)
        ax.set(xlim=(low, high), ylim=(low, high), box_aspect=1, title=FLUX_LABELS[flux])
        ax.set_xlabel(f"tower mean, {PER_DAY}")
    axes[0].set_ylabel(f"predicted mean, {PER_DAY}")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside upper center", ncols=3, fontsize=8)
    save(figure, path)


def _plot_scores(scores: pd.DataFrame, path) -> None:
    metrics = (("r2", "R²"), ("rmse", f"RMSE, {PER_DAY}"), ("bias", f"bias, {PER_DAY}"))
    models = [model for model in MODELS if model in set(scores["model"])]
    figure, axes = plt.subplots(3, 3, figsize=(9.4, 7.4), sharex=True)
    for row, (metric, label) in enumerate(metrics):
        for column, flux in enumerate(FLUX_NAMES):
            ax = axes[row, column]
            for x, model in enumerate(models):
                here = (scores["model"] == model) & (scores["flux"] == flux)
                values = scores.loc[here, metric].dropna()
                _box(ax, x, values, MODEL_COLOURS[model], floor=-1.0 if metric == "r2" else None)
            if metric != "rmse":
                ax.axhline(0, color="#8a919b", lw=0.8)
            ax.set_xticks(range(len(models)), [MODELS[m].replace(" ", "\n", 1) for m in models])
            ax.tick_params(axis="x", labelsize=8)
            ax.grid(axis="x", visible=False)
            if row == 0:
                ax.set_title(FLUX_LABELS[flux])
                ax.set_ylim(-1.08, 1.02)
        axes[row, 0].set_ylabel(label)
    save(figure, path)


def _box(ax, x: float, values: pd.Series, colour: str, floor: float | None) -> None:
    """A box of the quartiles with every site as a point; values below `floor` are drawn at it."""
    if values.empty:
        return
    shown = values if floor is None else values.clip(lower=floor)
    jitter = np.linspace(-0.18, 0.18, len(shown))[np.random.default_rng(0).permutation(len(shown))]
    ax.scatter(x + jitter, shown, s=7, color=colour, alpha=0.45, linewidths=0)
    ax.boxplot(
        shown,
        positions=[x],
        widths=0.5,
        showfliers=False,
        whis=(5, 95),
        medianprops={"color": "#111111", "linewidth": 1.6},
        boxprops={"color": colour, "linewidth": 1.4},
        whiskerprops={"color": colour},
        capprops={"color": colour},
    )
    median = values.median()
    ax.annotate(
        f"{median:.2f}".replace("-", "−"),
        (x + 0.28, median if floor is None else max(median, floor)),
        fontsize=7.5,
        va="center",
    )


def _plot_curves(curves: Sequence[str | Path], path) -> None:
    figure, ax = plt.subplots(figsize=(8.4, 3.4))
    for curve in sorted(map(Path, curves)):
        model, member = curve.stem.removesuffix("_curve").rsplit("_", 1)
        table = pd.read_csv(curve)
        names = [name for name in table.columns if name.endswith("loss")]
        for name, style in zip(names, ("-", "--", ":"), strict=False):
            ax.plot(
                table["epoch"],
                table[name],
                style,
                color=MODEL_COLOURS.get(model, "#666666"),
                lw=1.2,
                label=f"{MODELS.get(model, model)}, {name.replace('_', ' ')}"
                if member == "0"
                else None,
            )
    ax.set(xlabel="epoch", ylabel="loss")
    ax.locator_params(axis="x", integer=True)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(fontsize=8)
    save(figure, path)
