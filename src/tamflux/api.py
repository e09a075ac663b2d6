"""What a notebook needs: open a cube, load an ensemble, predict, plot. See `tamflux`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from tamflux.errors import ContractError
from tamflux.figures.maps import RobinsonMap, grid_of
from tamflux.figures.style import CMAPS, FLUX_LABELS, MODEL_COLOURS, PER_DAY, field_norm
from tamflux.predictors.cube import Cube
from tamflux.predictors.static import (
    IGBP_FRACTIONS,
    extra_statics,
    open_static,
    static_table,
)
from tamflux.training.cell_inputs import read_cell_inputs
from tamflux.training.ensemble import Ensemble
from tamflux.variables import FLUXES, IGBP_CLASSES, VEGETATED, igbp_fraction

__all__ = [
    "load_ensemble",
    "open_cube",
    "open_static",
    "plot_map",
    "plot_series",
    "predict_box",
    "predict_cells",
]


def open_cube(path: str | Path) -> Cube:
    """Open one year of predictors.

    Parameters
    ----------
    path : path
        ``results/predictors/{year}.zarr``.

    Returns
    -------
    Cube
        With `year`, `grid`, `variables`, `time`; `read` and `read_cells` give the values.

    Raises
    ------
    ContractError
        If the store is damaged or not a cube.
    """
    return Cube.open(path)


def load_ensemble(paths: Sequence[str | Path], device: str = "cpu") -> Ensemble:
    """Read the members of one model.

    Parameters
    ----------
    paths : sequence of path
        ``results/models/tamrl_*.safetensors``.
    device : str
        ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    ContractError
        If there is no file, one is damaged, or the members do not belong together.
    """
    return Ensemble.load(sorted(map(Path, paths)), device)


def predict_cells(
    ensemble: Ensemble,
    cube: Cube,
    static: xr.Dataset,
    lat: ArrayLike,
    lon: ArrayLike,
    *,
    lookback: Cube | None = None,
    igbp: str | None = None,
) -> xr.Dataset:
    """Predict the year of a cube at sites or grid cells.

    Parameters
    ----------
    ensemble : Ensemble
    cube : Cube
        Predictors of the year.
    static : Dataset
        From `open_static`, on the grid of the cube.
    lat, lon : array_like
        (cell,) or a number each, degrees; the grid cells that hold these points are predicted.
    lookback : Cube, optional
        Predictors of the year before. Without it the first 365 days of the year stand in.
    igbp : str, optional
        Land-cover class of the site, such as ``DBF``; by default the class fractions of the cell,
        as in the product.

    Returns
    -------
    Dataset
        `gpp, reco, nee` and their `*_std` over the members, (cell, time) in g m-2 d-1: NaN over
        water, on days without weather and without a climate class; 0 on land without vegetation.
        `lat` and `lon` are the centres of the cells.

    Raises
    ------
    ContractError
        If a point is outside the grid, the class is unknown, or the inputs do not fit together.
    """
    lat, lon = np.atleast_1d(lat).astype(float), np.atleast_1d(lon).astype(float)
    rows, cols = _locate(cube, lat, lon)
    table = _land_surface(static, rows, cols, igbp)
    land = table["land_fraction"].to_numpy() > 0
    vegetated = land & (table["vegetated_fraction"].to_numpy() > 0)
    fluxes = np.full((2, len(FLUXES), len(rows), len(cube.time)), np.nan, np.float32)
    fluxes[:, :, land] = 0
    if vegetated.any():
        cells = rows[vegetated], cols[vegetated]
        x = read_cell_inputs(ensemble, cube, lookback, *cells)
        features = static_table(table[vegetated])[list(ensemble.static_features)]
        prediction = ensemble.predict(x, features.to_numpy(np.float32))
        needs_climate = any(name.startswith("koppen_") for name in ensemble.static_features)
        unknown = needs_climate & (table["koppen"].to_numpy()[vegetated] == 0)
        for part, values in enumerate((prediction.mean, prediction.std)):
            values[unknown] = np.nan
            fluxes[part][:, vegetated] = np.moveaxis(values, -1, 0)
    names = [(name, f"{name}_std") for name in FLUXES]
    attrs = [{"units": flux.units, "long_name": flux.long_name} for flux in FLUXES.values()]
    return xr.Dataset(
        {
            name: (("cell", "time"), fluxes[part, number], attrs[number] if part == 0 else {})
            for number, pair in enumerate(names)
            for part, name in enumerate(pair)
        },
        {
            "lat": ("cell", cube.grid.lat[rows]),
            "lon": ("cell", cube.grid.lon[cols]),
            "time": cube.time.astype("datetime64[ns]"),
        },
    )


def predict_box(
    ensemble: Ensemble,
    cube: Cube,
    static: xr.Dataset,
    bbox: tuple[float, float, float, float],
    *,
    lookback: Cube | None = None,
) -> xr.Dataset:
    """Predict the year of a cube on every cell of a box, as `predict_cells` does.

    Parameters
    ----------
    bbox : tuple of float
        West, south, east, north in degrees; the cells whose centres lie inside are predicted.
    ensemble, cube, static, lookback
        As of `predict_cells`.

    Returns
    -------
    Dataset
        `gpp, reco, nee` and their `*_std`, (time, lat, lon) in g m-2 d-1.

    Raises
    ------
    ContractError
        If no cell lies in the box, or the inputs do not fit together.
    """
    west, south, east, north = bbox
    lat = cube.grid.lat[(cube.grid.lat >= south) & (cube.grid.lat <= north)]
    lon = cube.grid.lon[(cube.grid.lon >= west) & (cube.grid.lon <= east)]
    if not (len(lat) and len(lon)):
        raise ContractError(
            "no cell of the grid lies in the box", found=list(bbox),
            expected=f"west, south, east, north within {list(cube.grid.bbox)}",
        )  # fmt: skip
    points = np.repeat(lat, len(lon)), np.tile(lon, len(lat))
    cells = predict_cells(ensemble, cube, static, *points, lookback=lookback)
    shape = len(cube.time), len(lat), len(lon)
    fields = {
        name: (("time", "lat", "lon"), values.to_numpy().T.reshape(shape), values.attrs)
        for name, values in cells.data_vars.items()
    }
    return xr.Dataset(fields, {"time": cells["time"], "lat": lat, "lon": lon})


def plot_map(
    field: xr.DataArray, ax: Axes | None = None, label: str | None = None, diverging: bool = False
) -> Axes:
    """Draw a field on a map with coastlines and a colour bar.

    Parameters
    ----------
    field : DataArray
        (lat, lon) on a regular grid of cell centres, ascending.
    ax : Axes, optional
        Where to draw; a new figure by default.
    label : str, optional
        Text of the colour bar; by default the name and unit of the field.
    diverging : bool
        Colours symmetric about 0, as for NEE.

    Raises
    ------
    ContractError
        If the field is not (lat, lon).
    """
    if field.dims != ("lat", "lon") or min(field.shape) < 2:
        raise ContractError(
            "a map needs a field (lat, lon) of two rows and columns or more",
            found=dict(zip(map(str, field.dims), field.shape, strict=True)),
            fix='choose one day, such as field.sel(time="2003-07-01")',
        )
    frame = RobinsonMap(grid_of(field))
    ax = plt.subplots(figsize=(8, 8 * frame.aspect))[1] if ax is None else ax
    colours = CMAPS["nee" if diverging else "gpp"]
    image = frame.draw(ax, field.to_numpy(), colours, field_norm([field], diverging))
    assert image is not None  # a field was given
    text = label or f"{field.name or ''} ({field.attrs.get('units', '1')})"
    ax.figure.colorbar(image, ax=ax, orientation="horizontal", shrink=0.6, label=text)
    return ax


def plot_series(
    predicted: xr.Dataset, observed: pd.DataFrame | None = None, flux: str = "gpp",
    ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw the predicted days of one site, with the range of its members, and the observed ones.

    Parameters
    ----------
    predicted : Dataset
        One cell of what `predict_cells` gives: (time).
    observed : DataFrame, optional
        `date` and the flux, g m-2 d-1.
    flux : str
        ``gpp``, ``reco`` or ``nee``.
    ax : Axes, optional
        Where to draw; a new figure by default.
    """
    ax = plt.subplots(figsize=(8, 3))[1] if ax is None else ax
    days, mean, std = predicted["time"], predicted[flux], predicted[f"{flux}_std"]
    colour = MODEL_COLOURS["tamrl"]
    ax.fill_between(days, mean - std, mean + std, color=colour, alpha=0.3, label="± 1 std")
    ax.plot(days, mean, color=colour, label="predicted")
    if observed is not None:
        ink = MODEL_COLOURS["truth"]
        ax.plot(observed["date"], observed[flux], ".", ms=3, color=ink, label="observed")
    ax.set_ylabel(f"{FLUX_LABELS[flux]} ({PER_DAY})")
    ax.legend()
    return ax


def _locate(cube: Cube, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the cells that hold points."""
    cells = [cube.grid.locate(*point) for point in zip(lat, lon, strict=True)]
    if None in cells:
        outside = cells.index(None)
        raise ContractError(
            "a point lies outside the grid", file=cube.path,
            found=f"lat {lat[outside]:g}, lon {lon[outside]:g}",
            expected=f"west, south, east, north within {list(cube.grid.bbox)}",
        )  # fmt: skip
    rows, cols = np.array(cells).T
    return rows, cols


def _land_surface(
    static: xr.Dataset, rows: np.ndarray, cols: np.ndarray, igbp: str | None
) -> pd.DataFrame:
    """Class fractions, climate class and land fraction of cells, or of one class throughout."""
    at = {"lat": xr.DataArray(rows, dims="cell"), "lon": xr.DataArray(cols, dims="cell")}
    names = [*IGBP_FRACTIONS, "koppen", "land_fraction", "vegetated_fraction"]
    names += extra_statics(static)
    table = pd.DataFrame({name: static[name].isel(at).to_numpy() for name in names})
    if igbp is None:
        return table
    if igbp not in VEGETATED:
        raise ContractError(
            "no vegetated land-cover class has this name", found=igbp, expected=list(VEGETATED)
        )
    for name in IGBP_CLASSES:
        table[igbp_fraction(name)] = float(name == igbp)
    return table.assign(land_fraction=1.0, vegetated_fraction=1.0)
