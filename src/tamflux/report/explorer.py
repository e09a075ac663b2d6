"""Data of the interactive map: every month of every cell.

The size is bounded: at most `MAX_CELLS` cells (1 degree for the globe), values rounded to
`QUANTUM`, 16-bit differences from cell to cell, deflated. `templates/explorer.js` reads it.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.colors import to_hex

from tamflux.evaluation.means import monthly_means, yearly_mean
from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.figures.maps import coastlines
from tamflux.figures.style import CMAPS, FLUX_LABELS, PER_DAY, field_norm
from tamflux.grid import Grid
from tamflux.product.metadata import QUALITY_BITS

MAX_CELLS = 64_800
"""Cells of 1 degree on the globe; a cell's number fits 16 bits."""

QUANTUM = 0.01
"""Step of every number on the page: g C m-2 d-1, or 1."""

MISSING = np.int16(-32768)
FLAG_COLOURS = {
    0: "#c9d3cf", 1: "#56B4E9", 2: "#E69F00", 4: "#D55E00", 8: "#CC79A7", 16: "#F0E442",
    32: "#0072B2", 64: "#4d4d4d",
}  # fmt: skip
"""Okabe-Ito colours, distinct for colour-blind readers."""

FLAG_ORDER = (32, 4, 2, 16, 64, 8, 1)
"""The map shows the first of these bits that is set."""

_FLUX_LABELS = {
    "": "{flux}",
    "_pi90_halfwidth": "{flux}, half-width of the {interval}",
    "_std": "{flux}, ensemble standard deviation",
}
_CELL_LABELS = {"applicability": "Applicability", "dissimilarity_index": "Dissimilarity index"}
_MIN_COAST = 24
_COLOURS = 64


def explorer(
    monthly: Sequence[str | Path],
    annual: Sequence[str | Path],
    grid: Grid,
    interval: str = "90 % prediction interval",
) -> dict[str, Any]:
    """Data of the interactive map.

    Parameters
    ----------
    monthly, annual : sequence of path
        Product files; a month is its mean over the years.
    grid : Grid
        The grid of the product.
    interval : str
        What the intervals are called (`tamflux.report.tables.interval_name`).

    Returns
    -------
    dict
        `meta`, for JSON: grid of the map, layers (name, label, unit, colours, range), flags;
        `data`, base64: the numbers of the cells with land, see `pack`; `coast`, base64:
        coastlines; `factor`: cells of the product along a side of one of the map; `interval`;
        `spread`: whether there is a standard deviation over members.
    """
    factor = _factor(grid)
    with xr.open_dataset(annual[-1]) as product:
        area = (product["cell_area"] * product["land_fraction"]).to_numpy()
    weight = _blocks(area, factor).sum((-3, -1))
    cells = np.flatnonzero(weight > 0)

    def coarse(values: np.ndarray) -> np.ndarray:
        """(..., cell) mean over the land of each cell of the map."""
        return _land_mean(values, area, factor).reshape(*values.shape[:-2], -1)[..., cells]

    layers, planes = [], []
    for flux in FLUX_NAMES:
        for kind, label in _FLUX_LABELS.items():
            name = flux + kind
            year = coarse(yearly_mean(annual, name))
            if kind == "_std" and not np.isfinite(year).any():  # of one member
                continue
            values = np.concatenate([year[None], coarse(monthly_means(monthly, name))])
            diverging = name == "nee"
            layers.append(
                _layer(
                    name,
                    label.format(flux=FLUX_LABELS[flux], interval=interval),
                    PER_DAY,
                    values,
                    diverging,
                )
            )
            planes.append(rounded(values))
    for name, label in _CELL_LABELS.items():
        values = coarse(_mean_field(annual, name))
        layers.append(_layer(name, label, "1", values[None], False))
        planes.append(rounded(values[None]))
    planes.append(_flags(annual, area, factor).ravel()[None, cells])
    rows, cols = weight.shape
    return {
        "meta": {
            "rows": rows, "cols": cols, "step": grid.resolution * factor, "west": grid.bbox[0],
            "south": grid.bbox[1], "east": grid.bbox[2], "north": grid.bbox[3],
            "cells": len(cells), "quantum": QUANTUM, "missing": int(MISSING), "layers": layers,
            "flags": {str(bit): text.replace("_", " ") for bit, text in QUALITY_BITS.items()},
            "flag_colours": {str(bit): colour for bit, colour in FLAG_COLOURS.items()},
            "flag_order": FLAG_ORDER, "coast": _coast_lengths(grid),
        },
        "data": pack([cells.astype(np.uint16).view(np.int16), *planes]),
        "coast": pack([np.round(100 * np.concatenate(_coast(grid) or [np.zeros((0, 2))])).T]),
        "factor": factor,
        "interval": interval,
        "spread": any(layer["name"].endswith("_std") for layer in layers),
    }  # fmt: skip


def _factor(grid: Grid) -> int:
    """Cells of the product along a side of a cell of the map."""
    rows, cols = grid.shape
    factor = 1
    while -(-rows // factor) * -(-cols // factor) > MAX_CELLS:
        factor += 1
    return factor


def _blocks(values: np.ndarray, factor: int) -> np.ndarray:
    """(..., row, factor, col, factor) of (..., lat, lon); beyond the grid it is 0."""
    *lead, rows, cols = values.shape
    high, wide = -(-rows // factor), -(-cols // factor)
    padded = np.zeros((*lead, high * factor, wide * factor), np.result_type(values, np.int8))
    padded[..., :rows, :cols] = values
    return padded.reshape(*lead, high, factor, wide, factor)


def _land_mean(values: np.ndarray, area: np.ndarray, factor: int) -> np.ndarray:
    """(..., row, col) mean over land where there is a value, NaN without."""
    if factor == 1:
        return values
    here = np.where(np.isfinite(values), area, 0.0)
    total = _blocks(here, factor).sum((-3, -1))
    sums = _blocks(here * np.nan_to_num(values), factor).sum((-3, -1))
    return np.divide(sums, total, out=np.full(total.shape, np.nan), where=total > 0)


def _mean_field(annual: Sequence[str | Path], name: str) -> np.ndarray:
    """(lat, lon) mean over years of a field without time."""
    fields = []
    for path in annual:
        with xr.open_dataset(path) as product:
            fields.append(product[name].to_numpy().astype(float))
    return np.mean(fields, axis=0)


def _flags(annual: Sequence[str | Path], area: np.ndarray, factor: int) -> np.ndarray:
    """(row, col) bits that hold in any year on more than half of a cell's land."""
    bits = np.zeros(area.shape, np.int16)
    for path in annual:
        with xr.open_dataset(path, mask_and_scale=False) as product:
            flag = product["quality_flag"].to_numpy().astype(np.int16)
        bits |= np.where(flag < 0, 0, flag).astype(np.int16)
    land = _blocks(area, factor).sum((-3, -1))
    out = np.zeros(land.shape, np.int16)
    for bit in QUALITY_BITS:
        share = _blocks(np.where(bits & bit, area, 0.0), factor).sum((-3, -1))
        out |= np.where(share > land / 2, bit, 0).astype(np.int16)
    return out


def _layer(name: str, label: str, unit: str, values: np.ndarray, diverging: bool) -> dict:
    norm = field_norm([values], diverging)
    assert norm.vmin is not None and norm.vmax is not None  # it always sets both
    width = name.endswith(("_std", "_pi90_halfwidth", "dissimilarity_index"))
    colours = matplotlib.colormaps[CMAPS.get("std" if width else name, "cividis")](
        np.linspace(0, 1, _COLOURS)
    )
    return {
        "name": name, "label": label, "unit": unit, "planes": len(values),
        "low": 0.0 if name == "applicability" else float(norm.vmin),
        "high": 1.0 if name == "applicability" else float(norm.vmax),
        "colours": [to_hex(colour) for colour in colours],
    }  # fmt: skip


def rounded(values: np.ndarray) -> np.ndarray:
    """int16 multiples of `QUANTUM`, `MISSING` without a value."""
    steps = np.round(np.nan_to_num(values.astype(float)) / QUANTUM)
    return np.where(np.isfinite(values), np.clip(steps, -32767, 32767), MISSING).astype(np.int16)


def pack(planes: Sequence[np.ndarray]) -> str:
    """Base64 of the deflated differences of all numbers, low bytes first, then high bytes.

    The planes are concatenated: the numbers of the cells (row x columns + column, rows
    from the south), then each layer's planes (a year, twelve months), then the flags.
    """
    numbers = np.concatenate([np.ravel(plane).astype(np.int16) for plane in planes])
    steps = np.diff(numbers, prepend=np.int16(0)).astype("<i2")  # wraps, as it does in the page
    split = steps.view(np.uint8).reshape(-1, 2).T.tobytes()
    return base64.b64encode(zlib.compress(split, 9)).decode("ascii")


def _coast(grid: Grid) -> list[np.ndarray]:
    """(point, 2) lon and lat of the coastlines in the box, every second point."""
    west, south, east, north = grid.bbox
    lines = []
    for lon, lat in coastlines():
        near = (lon >= west - 1) & (lon <= east + 1) & (lat >= south - 1) & (lat <= north + 1)
        if near.any() and len(lon) > _MIN_COAST:
            line = np.column_stack([lon, lat])
            lines.append(np.concatenate([line[:-1:2], line[-1:]]))
    return lines


def _coast_lengths(grid: Grid) -> list[int]:
    return [len(line) for line in _coast(grid)]
