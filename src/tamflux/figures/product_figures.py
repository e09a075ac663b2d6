"""Figures of the product: maps, zonal means and seasonal cycles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.ticker import MaxNLocator

from tamflux.evaluation.means import monthly_means, yearly_mean
from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.figures.maps import RobinsonMap
from tamflux.figures.style import (
    CMAPS,
    FLUX_LABELS,
    MODEL_COLOURS,
    PER_DAY,
    PER_YEAR,
    field_norm,
    save,
)
from tamflux.grid import Grid
from tamflux.predictors.static import open_static

SEASONS = {1: "January", 4: "April", 7: "July", 10: "October"}
LATITUDE_ZONES = ((50, 90), (23.5, 50), (0, 23.5), (-23.5, 0), (-60, -23.5))
DAYS_PER_YEAR = 365.25


def plot_product(
    annual: Sequence[str | Path],
    monthly: Sequence[str | Path],
    static: str | Path,
    grid: Grid,
    figures: Mapping[str, str | Path],
    truth: str | Path | None = None,
) -> None:
    """Draw the product's figures.

    Parameters
    ----------
    annual, monthly : sequence of path
        Product files; the figures show the mean over their years.
    static : path
        `results/predictors/static.nc`, for land and coastlines.
    grid : Grid
        The grid of the product.
    figures : mapping of name to path
        PNG files to write: `map_gpp, map_reco, map_nee, map_seasons, zonal_means,
        seasonal_cycles`, and `map_std` where there are several members.
    truth : path, optional
        From `evaluate_truth`; adds the truth to zonal means and seasonal cycles.
    """
    with open_static(static) as surface:
        land = surface["land_fraction"].to_numpy()
    frame = RobinsonMap(grid, land)
    mean = {flux: yearly_mean(annual, flux) * DAYS_PER_YEAR for flux in FLUX_NAMES}
    months = {flux: monthly_means(monthly, flux) for flux in FLUX_NAMES}
    one_sided = field_norm([mean["gpp"], mean["reco"]])
    for flux in FLUX_NAMES:
        norm = field_norm([mean["nee"]], diverging=True) if flux == "nee" else one_sided
        draw_one(frame, mean[flux], CMAPS[flux], norm, _annual_label(flux), figures[f"map_{flux}"])
    if "map_std" in figures:
        std = {flux: yearly_mean(annual, f"{flux}_std") for flux in FLUX_NAMES}
        _draw_std(frame, std, figures["map_std"])
    _draw_seasons(frame, months, figures["map_seasons"])
    weight = grid.cell_area() * land
    true_months = None
    if truth is not None:
        with xr.open_dataset(truth) as opened:
            true_months = {flux: opened[f"{flux}_zonal_truth"].to_numpy() for flux in FLUX_NAMES}
    zonal = {flux: _zonal(months[flux], weight) for flux in FLUX_NAMES}
    _plot_zonal(grid, zonal, true_months, figures["zonal_means"])
    _plot_cycles(grid, zonal, true_months, weight.sum(1), figures["seasonal_cycles"])


def draw_one(frame: RobinsonMap, field, cmap: str, norm, label: str, path: str | Path) -> None:
    """One map with its colour bar."""
    figure, ax = plt.subplots(figsize=(6.4, 6.4 * min(frame.aspect, 1.2) + 0.75))
    image = frame.draw(ax, field, cmap, norm)
    colour_bar(figure, image, ax, label)
    save(figure, path, dpi=170)


def colour_bar(figure, image, axes, label: str, **options):
    """A thin horizontal colour bar; arrows show that values exceed its bounds."""
    values = np.ma.masked_invalid(image.get_array()).compressed()  # empty for a month without data
    below = (values < image.norm.vmin - 1e-9).any()
    above = (values > image.norm.vmax + 1e-9).any()
    extend = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[below, above]
    options = {"shrink": 0.6, "aspect": 38, "pad": 0.02, "ticks": MaxNLocator(6), **options}
    bar = figure.colorbar(image, ax=axes, orientation="horizontal", extend=extend, **options)
    bar.set_label(label)
    bar.outline.set_visible(False)
    return bar


def map_title(ax, text: str) -> None:
    """A title close above a map."""
    ax.set_title(text, loc="left", fontsize=9, y=1.0, pad=2)


def _annual_label(flux: str) -> str:
    meaning = " (green: uptake, brown: release)" if flux == "nee" else ""
    return f"{FLUX_LABELS[flux]}, {PER_YEAR}{meaning}"


def _draw_std(frame: RobinsonMap, std: dict, path) -> None:
    figure, axes = plt.subplots(3, 1, figsize=(6.4, 3 * 6.4 * min(frame.aspect, 1.2) + 1.2))
    norm = field_norm(std.values())
    for ax, flux in zip(axes, FLUX_NAMES, strict=True):
        image = frame.draw(ax, std[flux], CMAPS["std"], norm)
        map_title(ax, FLUX_LABELS[flux])
    colour_bar(
        figure,
        image,
        axes,
        f"mean of the daily ensemble standard deviation, {PER_DAY}",
        shrink=0.7,
    )
    save(figure, path)


def _draw_seasons(frame: RobinsonMap, months: dict, path) -> None:
    height = 3.6 * min(frame.aspect, 1.2)
    figure, axes = plt.subplots(len(SEASONS), 3, figsize=(10.8, len(SEASONS) * height + 1.0))
    for column, flux in enumerate(FLUX_NAMES):
        both = [months["gpp"], months["reco"]]
        norm = field_norm([months["nee"]], True) if flux == "nee" else field_norm(both)
        for row, (month, name) in enumerate(SEASONS.items()):
            image = frame.draw(axes[row, column], months[flux][month - 1], CMAPS[flux], norm)
            map_title(axes[row, column], f"{FLUX_LABELS[flux]}, {name}")
        colour_bar(figure, image, axes[:, column], f"{FLUX_LABELS[flux]}, {PER_DAY}", shrink=0.85)
    save(figure, path, dpi=115)


def _zonal(months: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(12, lat) mean over the land of each latitude, NaN where there is none."""
    here = np.where(np.isfinite(months), weight, 0.0)
    total = here.sum(2)
    sums = (here * np.nan_to_num(months)).sum(2)
    return np.divide(sums, total, out=np.full(total.shape, np.nan), where=total > 0)


def _plot_zonal(grid: Grid, zonal: dict, truth: dict | None, path) -> None:
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 4.4), sharey=True)
    for ax, flux in zip(axes, FLUX_NAMES, strict=True):
        for source, colour, label in _lines(zonal, truth):
            mean = np.mean(source[flux][~np.isnan(source[flux]).all(axis=1)], axis=0)
            ax.plot(mean * DAYS_PER_YEAR, grid.lat, color=colour, label=label)
        ax.axhline(0, color="#8a919b", lw=0.8)
        if flux == "nee":
            ax.axvline(0, color="#8a919b", lw=0.8)
        ax.set(title=FLUX_LABELS[flux], xlabel=PER_YEAR)
    axes[0].set(ylabel="latitude, degrees north", ylim=grid.bbox[1::2])
    axes[0].legend(loc="best")
    save(figure, path)


def _plot_cycles(grid: Grid, zonal: dict, truth: dict | None, area: np.ndarray, path) -> None:
    zones = [z for z in LATITUDE_ZONES if area[(grid.lat > z[0]) & (grid.lat < z[1])].sum() > 0]
    figure, axes = plt.subplots(
        len(zones), 3, figsize=(8.4, 1.75 * len(zones) + 0.6), sharex=True, squeeze=False
    )
    for row, (south, north) in enumerate(zones):
        rows = (grid.lat > south) & (grid.lat < north)
        for column, flux in enumerate(FLUX_NAMES):
            ax = axes[row, column]
            for source, colour, label in _lines(zonal, truth):
                part = source[flux][:, rows]
                weight = np.where(np.isfinite(part), area[rows], 0.0)
                with np.errstate(invalid="ignore"):  # months without data
                    cycle = (weight * np.nan_to_num(part)).sum(1) / weight.sum(1)
                ax.plot(np.arange(1, 13), cycle, color=colour, label=label, marker="o", ms=2.5)
            if flux == "nee":
                ax.axhline(0, color="#8a919b", lw=0.8)
            else:
                ax.set_ylim(0, 1.08 * max(ax.get_ylim()[1], 0.01))
            ax.set_xticks(range(1, 13), list("JFMAMJJASOND"), fontsize=7.5)
            inside = max(south, grid.bbox[1]), min(north, grid.bbox[3])
            ax.set_title(f"{FLUX_LABELS[flux]}, {_zone_name(*inside)}", loc="left", fontsize=8.5)
        axes[row, 0].set_ylabel(PER_DAY)
    axes[0, 0].legend(loc="best", fontsize=7.5)
    save(figure, path)


def _lines(zonal: dict, truth: dict | None):
    lines = [(zonal, MODEL_COLOURS["tamrl"], "product")]
    return lines if truth is None else [(truth, MODEL_COLOURS["truth"], "truth"), *lines]


def _zone_name(south: float, north: float) -> str:
    def name(lat):
        return "0°" if lat == 0 else f"{abs(lat):g}°{'N' if lat > 0 else 'S'}"

    return f"{name(south)} to {name(north)}"
