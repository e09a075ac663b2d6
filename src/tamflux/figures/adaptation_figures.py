"""Figures of adaptation: errors by measured days, and the series of one tower."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from tamflux.adaptation.curve import curve_summary
from tamflux.figures.style import FLUX_LABELS, INK, PER_DAY, save
from tamflux.variables import FLUXES

_STYLES = {
    ("correction", "first"): ("#0072B2", "-", "adapted, first days"),
    ("correction", "random"): ("#56B4E9", "--", "adapted, random days of the first year"),
    ("correction", "winter"): ("#009E73", ":", "adapted, days of the coldest months"),
    ("scale", "first"): ("#E69F00", "-", "one factor on GPP and RECO, first days"),
    ("lightgbm", "first"): ("#CC79A7", "-", "LightGBM continued, first days"),
}
_SMOOTHING_DAYS = 7


def plot_adaptation_curve(curves: Sequence[str | Path], path: str | Path) -> None:
    """Draw the change of the mean RMSE by the number of measured days, one panel per flux.

    Parameters
    ----------
    curves : sequence of path
        From `adaptation_curve` and, where it was run, `lightgbm_curve`.
    path : path
        PNG to write.
    """
    table = curve_summary(pd.concat([pd.read_csv(curve) for curve in curves]))
    figure, axes = plt.subplots(1, len(FLUXES), figsize=(11, 3.6), sharey=True)
    for axis, flux in zip(axes, FLUXES, strict=True):
        of_flux = table[table["flux"] == flux]
        for (method, draw), (colour, line, label) in _STYLES.items():
            rows = of_flux[(of_flux["method"] == method) & (of_flux["draw"] == draw)]
            if rows.empty:
                continue
            start = [0][: int(rows["days"].min() > 0)]  # zero-shot, where the draw has none
            days, change = np.r_[start, rows["days"]], np.r_[start, rows["change"]]
            axis.plot(days, change, line, color=colour, marker="o", markersize=4, label=label)
        axis.axhline(0, color=INK, linewidth=0.8)
        axis.set(title=FLUX_LABELS[flux], xlabel="measured days used", ylim=(-35, 15))
    sites = int(table["sites"].max())
    axes[0].set_ylabel(f"change of mean RMSE (%)\n{sites} held-out sites")
    axes[0].legend(fontsize=7, frameon=False, loc="lower left")
    save(figure, path)


def plot_adapted_series(series: pd.DataFrame, title: str, path: str | Path) -> None:
    """Draw the measured, zero-shot and adapted fluxes of one tower, as weekly means.

    Parameters
    ----------
    series : DataFrame
        From `tamflux.adaptation.tower.adapt_tower`.
    title : str
    path : path
        PNG to write.
    """
    lines = {"_zero_shot": ("#E69F00", "zero-shot"), "": ("#0072B2", "adapted")}
    title = f"{title}: adapted with {int(series['used'].sum())} measured days (weekly means)"
    _draw_series(series, lines, title, path)


def plot_cell_series(series: pd.DataFrame, title: str, path: str | Path) -> None:
    """Draw the fluxes of a cell beside the measured ones of its tower, as weekly means.

    Parameters
    ----------
    series : DataFrame
        From `tamflux.adaptation.cell.add_measured`, or `adapt_cell` for the adapted fluxes too.
    title : str
    path : path
        PNG to write.
    """
    lines = {"": ("#0072B2", "product")}
    if "gpp_adapted" in series:
        lines["_adapted"] = ("#E69F00", "adapted to the tower")
    _draw_series(series, lines, f"{title} (weekly means)", path)


def _draw_series(
    series: pd.DataFrame, lines: Mapping[str, tuple[str, str]], title: str, path: str | Path
) -> None:
    """One panel per flux with its interval; `lines`: colour and label by suffix of the column."""
    series = series.set_index(pd.DatetimeIndex(series["date"]))
    figure, axes = plt.subplots(len(FLUXES), 1, figsize=(11, 8), sharex=True)
    for axis, flux in zip(axes, FLUXES, strict=True):
        low, high = (series[flux] + s * series[f"{flux}_pi90_halfwidth"] for s in (-1, 1))
        axis.fill_between(
            series.index, low, high, color="#0072B2", alpha=0.15, linewidth=0,
            label="90 % interval of a day",
        )  # fmt: skip
        axis.plot(series.index, series[f"{flux}_observed"], ".", color=INK, markersize=1.5,
                  alpha=0.5, label="measured days")  # fmt: skip
        for suffix, (colour, label) in lines.items():
            daily = series[f"{flux}{suffix}"]
            weekly = daily.rolling(_SMOOTHING_DAYS, center=True, min_periods=1).mean()
            axis.plot(series.index, weekly, color=colour, linewidth=1.2, label=label)
        axis.axhline(0, color=INK, linewidth=0.5)
        axis.set_ylabel(f"{FLUX_LABELS[flux]} ({PER_DAY})")
    axes[0].set_title(title)
    axes[0].legend(fontsize=8, frameon=False, ncols=4)
    save(figure, path)
