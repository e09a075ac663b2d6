"""Figures of the comparison with reference products: difference maps and zonal means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.evaluation.references import compare_references, month_lengths
from tamflux.figures.maps import RobinsonMap
from tamflux.figures.product_figures import colour_bar, map_title
from tamflux.figures.style import CMAPS, FLUX_LABELS, MODEL_COLOURS, PER_YEAR, field_norm, save
from tamflux.files import atomic_path
from tamflux.grid import Grid
from tamflux.predictors.static import open_static

_COLOURS = ("#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#222222")
_STYLES = ("--", "-.", ":")


def plot_references(
    references: Sequence[str | Path],
    monthly: Sequence[str | Path],
    static: str | Path,
    grid: Grid,
    years: Sequence[int],
    table: str | Path,
    figures: Mapping[str, str | Path],
) -> None:
    """Compare, write the table, and draw.

    Parameters
    ----------
    references, monthly, years :
        See `compare_references`.
    static : path
        `results/predictors/static.nc`, for land.
    table : path
        CSV file to write, see `compare_references`.
    figures : mapping of name to path
        PNG files to write: `zonal`, and one under the name of each reference product.
    """
    with open_static(static) as surface:
        land = surface["land_fraction"].to_numpy()
    weight = grid.cell_area() * land
    scores, fields = compare_references(references, monthly, weight, years)
    with atomic_path(table) as partial:
        scores.to_csv(partial, index=False, float_format="%.6g")
    frame = RobinsonMap(grid, land, width=700)
    for name, pairs in fields.items():
        _draw_maps(frame, name, pairs, month_lengths(years), figures[name])
    _draw_zonal(grid, fields, weight, month_lengths(years), figures["zonal"])


def _yearly(months: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """(lat, lon) g m-2 yr-1 of (12, lat, lon) g m-2 d-1."""
    return np.tensordot(lengths, months, axes=1)


def _draw_maps(frame: RobinsonMap, name: str, pairs: dict, lengths: np.ndarray, path) -> None:
    height = 3.5 * min(frame.aspect, 1.2) + 0.75
    figure, axes = plt.subplots(len(pairs), 3, figsize=(10.5, len(pairs) * height), squeeze=False)
    for row, (flux, pair) in zip(axes, pairs.items(), strict=True):
        product, reference = (_yearly(months, lengths) for months in pair)
        label = f"{FLUX_LABELS[flux]}, {PER_YEAR}"
        norm = field_norm([product, reference], diverging=flux == "nee")
        for ax, field, title in ((row[0], product, "TAMFlux"), (row[1], reference, name)):
            image = frame.draw(ax, field, CMAPS[flux], norm)
            map_title(ax, f"{FLUX_LABELS[flux]}, {title}")
        colour_bar(figure, image, list(row[:2]), label, shrink=0.5)
        gap = product - reference
        image = frame.draw(row[2], gap, "PuOr", field_norm([gap], diverging=True))
        map_title(row[2], f"{FLUX_LABELS[flux]}, TAMFlux − {name}")
        colour_bar(figure, image, row[2], label, shrink=0.9)
    save(figure, path, dpi=115)


def _draw_zonal(grid: Grid, fields: Mapping, weight: np.ndarray, lengths, path) -> None:
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 4.4), sharey=True)
    for ax, flux in zip(axes, FLUX_NAMES, strict=True):
        pairs = {name: found[flux] for name, found in fields.items() if flux in found}
        ax.set(title=FLUX_LABELS[flux], xlabel=PER_YEAR)
        ax.axhline(0, color="#8a919b", lw=0.8)
        if not pairs:
            continue
        common = np.all([np.isfinite(pair[1][0]) for pair in pairs.values()], axis=0)
        product = next(iter(pairs.values()))[0]
        lines = {"TAMFlux": product, **{name: pair[1] for name, pair in pairs.items()}}
        for k, (name, months) in enumerate(lines.items()):
            zonal = _zonal(_yearly(months, lengths), np.where(common, weight, 0.0))
            colour = MODEL_COLOURS["tamrl"] if k == 0 else _COLOURS[(k - 1) % len(_COLOURS)]
            style = "-" if k == 0 else _STYLES[(k - 1) % len(_STYLES)]
            ax.plot(zonal, grid.lat, color=colour, ls=style, label=name)
        ax.legend(loc="best", fontsize=7.5)
    axes[0].set_ylabel("latitude, degrees north")
    save(figure, path)


def _zonal(field: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(lat,) mean over the land of each latitude, NaN where there is none."""
    total = weight.sum(1)
    sums = (weight * np.nan_to_num(field)).sum(1)
    return np.divide(sums, total, out=np.full(total.shape, np.nan), where=total > 0)
