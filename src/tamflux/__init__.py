"""Daily GPP, RECO and NEE of the land, upscaled from eddy-covariance towers.

The pipeline runs as a Snakemake workflow. This module is for those who use its results in Python:

- `open_cube`: open one year of predictors, ``results/predictors/{year}.zarr``
- `open_static`: open the land surface, ``results/predictors/static.nc``
- `load_ensemble`: read the members of a model, ``results/models/tamrl_*.safetensors``
- `predict_cells`: predict a year at sites or single grid cells
- `predict_box`: predict a year on every cell of a box
- `score_sites`: R2, RMSE and more of predicted against observed fluxes, by site
- `plot_map`: draw a field (lat, lon) on a map
- `plot_series`: draw predicted against observed fluxes of one site
- `TamfluxError`: the error that everything here raises for bad input

The product itself is NetCDF: open it with ``xarray.open_dataset``. Fluxes are in g m-2 d-1 of
carbon; NEE = RECO - GPP is positive upward. Names are imported when they are first used, so that
``import tamflux`` loads neither torch nor matplotlib.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tamflux.api import (
        load_ensemble,
        open_cube,
        open_static,
        plot_map,
        plot_series,
        predict_box,
        predict_cells,
    )
    from tamflux.errors import TamfluxError
    from tamflux.evaluation.metrics import score_sites

__version__ = version("tamflux")

_MODULES = {
    "open_cube": "api",
    "open_static": "api",
    "load_ensemble": "api",
    "predict_cells": "api",
    "predict_box": "api",
    "score_sites": "evaluation.metrics",
    "plot_map": "api",
    "plot_series": "api",
    "TamfluxError": "errors",
}

__all__ = [
    "TamfluxError",
    "load_ensemble",
    "open_cube",
    "open_static",
    "plot_map",
    "plot_series",
    "predict_box",
    "predict_cells",
    "score_sites",
]


def __getattr__(name: str):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
