"""Style of the figures: colours of models, colour maps of fluxes, units."""

from __future__ import annotations

from pathlib import Path

import matplotlib

if matplotlib.get_backend(auto_select=False) is None:  # jobs have no display, notebooks chose one
    matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tamflux.files import atomic_path

FLUX_LABELS = {"gpp": "GPP", "reco": "RECO", "nee": "NEE"}
MODEL_COLOURS = {"tamrl": "#0072B2", "lstm": "#E69F00", "msc": "#009E73", "truth": "#222222"}
"""Okabe-Ito colours, distinct for colour-blind readers."""

CMAPS = {"gpp": "viridis", "reco": "viridis", "nee": "BrBG_r", "std": "magma_r", "r2": "cividis"}
"""Sequential for one-sided fields; for NEE and errors diverging, green uptake to brown release."""

PER_DAY = "g C m⁻² d⁻¹"
PER_YEAR = "g C m⁻² yr⁻¹"
INK, GRID, OCEAN, LAND = "#2b2f36", "#d5dae0", "#eef3f7", "#dcdcd8"

plt.rcParams.update(
    {
        "font.family": "DejaVu Sans",
        "font.size": 9,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": "#8a919b",
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": GRID,
        "grid.linewidth": 0.6,
        "xtick.color": INK,
        "ytick.color": INK,
        "legend.frameon": False,
        "figure.constrained_layout.use": True,
        "savefig.facecolor": "white",
    }
)


def save(figure: Figure, path: str | Path, dpi: int = 130) -> None:
    """Write a figure as PNG atomically, and close it."""
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=dpi, format="png", metadata={"Software": None})
    plt.close(figure)


def field_norm(fields, diverging: bool = False, percentile: float = 99.0) -> Normalize:
    """A colour scale with round bounds for one or several fields, without their extremes.

    Sequential scales start at 0 unless the field is negative; diverging ones are symmetric
    about 0.
    """
    values = np.concatenate([np.ravel(np.asarray(field, float)) for field in fields])
    values = values[np.isfinite(values)]
    if not values.size:
        return Normalize(-1 if diverging else 0, 1)
    if diverging:
        top = _round_up(np.percentile(np.abs(values), percentile))
        return Normalize(-top, top)
    low = np.percentile(values, 100 - percentile)
    return Normalize(
        -_round_up(-low) if low < -1e-6 else 0, _round_up(np.percentile(values, percentile))
    )


def _round_up(value: float) -> float:
    return float(MaxNLocator(5).tick_values(0, value)[-1]) if value > 1e-9 else 1.0
