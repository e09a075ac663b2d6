"""Figure of the differences of two products."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import xarray as xr

from tamflux.figures.maps import RobinsonMap, grid_of
from tamflux.figures.product_figures import DAYS_PER_YEAR, colour_bar, map_title
from tamflux.figures.style import CMAPS, FLUX_LABELS, PER_YEAR, field_norm, save
from tamflux.variables import FLUXES


def plot_version_differences(maps: str | Path, path: str | Path) -> None:
    """Draw the mean difference over the years, one map per flux.

    Parameters
    ----------
    maps : path
        From `tamflux.product.versions.compare_versions`.
    path : path
        PNG to write.
    """
    with xr.open_dataset(maps) as file:
        mean = file[list(FLUXES)].mean("time").load() * DAYS_PER_YEAR
        years = [int(year) for year in file["time"].dt.year]
    frame = RobinsonMap(grid_of(mean))
    figure, axes = plt.subplots(3, 1, figsize=(6.4, 3 * 6.4 * min(frame.aspect, 1.2) + 1.2))
    norm = field_norm(list(mean.data_vars.values()), diverging=True)
    for ax, flux in zip(axes, FLUXES, strict=True):
        image = frame.draw(ax, mean[flux].to_numpy(), CMAPS["nee"], norm)
        map_title(ax, f"{FLUX_LABELS[flux]}, new minus old")
    span = f"{years[0]}" if len(years) == 1 else f"{years[0]}–{years[-1]}"
    colour_bar(figure, image, axes, f"{span}, {PER_YEAR}")
    save(figure, path)
