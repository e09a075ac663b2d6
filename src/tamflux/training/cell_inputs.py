"""Predictors of grid cells as a model receives them, from cubes."""

from __future__ import annotations

import numpy as np

from tamflux.predictors.cube import Cube, prepend_lookback
from tamflux.predictors.monthly import monthly_means
from tamflux.training.ensemble import Ensemble


def read_cell_inputs(
    ensemble: Ensemble, cube: Cube, lookback: Cube | None, rows: np.ndarray, cols: np.ndarray
) -> np.ndarray:
    """(cell, lookback_days + time, feature) predictors of cells, in the order of the model.

    Predictors that the model knows as monthly means alone (`ModelSpec.monthly`) are averaged over
    the months of each cube. Optional ones that a cube does not have are missing on all days.

    Parameters
    ----------
    ensemble : Ensemble
    cube : Cube
        Predictors of the year.
    lookback : Cube or None
        Those of the year before; without it the first days of the year stand in.
    rows, cols : numpy.ndarray
        (cell,) rows and columns of the cells.
    """
    names = ensemble.predictors
    monthly = [names.index(name) for name in ensemble.monthly]

    def read(source: Cube) -> np.ndarray:
        absent = {*ensemble.optional} - {*source.variables}
        has = [number for number, name in enumerate(names) if name not in absent]
        x = np.full((len(rows), len(source.time), len(names)), np.nan, np.float32)
        x[..., has] = source.read_cells(rows, cols, [names[n] for n in has])
        return monthly_means(x, source.time, monthly)

    before = None if lookback is None else read(lookback)
    return prepend_lookback(read(cube), before, ensemble.lookback_days)
