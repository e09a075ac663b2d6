"""Monthly and annual means of the daily file."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import netCDF4
import numpy as np
from tqdm import tqdm

from tamflux.product.acdd import aggregate_attributes
from tamflux.product.metadata import CELL_ATTRIBUTES
from tamflux.product.netcdf import (
    FILL,
    ProductWriter,
    create_product,
    open_product,
    row_blocks,
)
from tamflux.variables import FLUXES


def aggregate_product(daily: str | Path, monthly: str | Path, annual: str | Path) -> None:
    """Write monthly and annual means of the daily rates, in g m-2 d-1.

    NEE is RECO - GPP of the means. Ensemble standard deviations and half-widths are means of the
    daily ones, an upper bound of those of the mean: the standard deviation of a mean is at most
    the mean of the standard deviations. The annual file of a partial year holds the mean of its
    days so far.

    Raises
    ------
    ContractError
        If `daily` does not cover a year, or the complete months of a partial year.
    """
    with open_product(daily) as source, ExitStack() as files:
        first = np.datetime64(f"{source.year}-01-01")
        end = first + len(source.days)
        edges = {
            "monthly": np.arange(first.astype("datetime64[M]"), end.astype("datetime64[M]") + 1),
            "annual": np.array([first, end]),
        }
        targets = []
        for step, path in {"monthly": monthly, "annual": annual}.items():
            bounds = edges[step].astype("datetime64[D]")
            file = files.enter_context(
                create_product(
                    path,
                    source.grid,
                    bounds,
                    step,
                    aggregate_attributes(source.attributes, step, source.year),
                    source.land_fraction,
                    source.quality,
                )
            )
            targets.append((file, (bounds - bounds[0]).astype(int)))
        for rows in tqdm(list(row_blocks(source.grid)), desc="row blocks", unit="block"):
            _write_means(source.file, targets, rows)


def _write_means(
    source: netCDF4.Dataset, targets: list[tuple[ProductWriter, np.ndarray]], rows: slice
) -> None:
    """Write the means of a row block to each target, given with the first day of its steps."""
    for name in CELL_ATTRIBUTES:
        values = source[name][rows]
        for file, _ in targets:
            file.write(name, rows, values.filled(FILL))
    for part in ("", "_std", "_pi90_halfwidth"):
        means = {}
        for flux in FLUXES:
            days = source[f"{flux}{part}"][:, rows].filled(np.nan)
            means[flux] = [step_means(days, starts) for _, starts in targets]
        for number, (file, _) in enumerate(targets):
            if not part:
                means["nee"][number] = means["reco"][number] - means["gpp"][number]
            for flux in FLUXES:
                values = means[flux][number]
                file.write(f"{flux}{part}", rows, np.where(np.isfinite(values), values, FILL))


def step_means(days: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(step, row, col) float32 means of (day, row, col); step i is days starts[i]:starts[i + 1]."""
    return np.stack(
        [
            days[first:last].mean(axis=0, dtype=np.float64).astype(np.float32)
            for first, last in pairwise(starts)
        ]
    )
