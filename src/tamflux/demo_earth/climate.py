"""Monthly climate at points, and daily values with the same monthly means."""

from __future__ import annotations

from functools import cache

import numpy as np

from tamflux.demo_earth.planet import read_shipped

DAYS_OF_MONTH = np.array([31, 28.2425, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.float32)
"""Mean over the Gregorian calendar."""


@cache
def _climate(name: str) -> np.ndarray:
    """(month, lat, lon) monthly means on nodes of 0.5 degree, the first column repeated."""
    step = {"t2m": 0.1, "tp": 1.0}[name]
    nodes = np.cumsum(read_shipped("climate.nc", f"{name}_step"), axis=0, dtype=np.int32) * step
    return np.concatenate([nodes, nodes[:, :, :1]], axis=2).astype(np.float32)


def monthly_climate(name: str, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """(12, point) monthly means: `t2m` in degC, `tp` in mm per month; bilinear between nodes."""
    nodes = _climate(name)
    y = np.clip((np.asarray(lat) + 90) / 0.5, 0, nodes.shape[1] - 1)
    x = ((np.asarray(lon) + 180) % 360) / 0.5
    row, col = np.minimum(y.astype(int), nodes.shape[1] - 2), x.astype(int)
    north, east = (y - row).astype(np.float32), (x - col).astype(np.float32)
    south = nodes[:, row, col] * (1 - east) + nodes[:, row, col + 1] * east
    upper = nodes[:, row + 1, col] * (1 - east) + nodes[:, row + 1, col + 1] * east
    return south * (1 - north) + upper * north


def daily_climate(monthly: np.ndarray, date: np.ndarray, positive: bool = False) -> np.ndarray:
    """(time, point) daily values, linear between mid-months, whose monthly means are `monthly`.

    The node values solve the linear system that gives the broken line the monthly means (Rymes and
    Myers 2001, Solar Energy 71, treat the same problem). With `positive`, the line is cut at zero
    and each month is rescaled.
    """
    years = date.astype("datetime64[Y]")
    out = np.empty((len(date), monthly.shape[1]), np.float32)
    for year in np.unique(years):
        days = np.arange(year.astype("datetime64[D]"), (year + 1).astype("datetime64[D]"))
        line, mean = _broken_line(days)
        nodes = np.linalg.solve(mean @ line, monthly).astype(np.float32)
        values = line.astype(np.float32) @ nodes
        if positive:
            np.maximum(values, 0, out=values)
            found = mean.astype(np.float32) @ values
            factor = np.where(found > 1e-6, monthly / np.maximum(found, 1e-6), 0)
            values *= factor.astype(np.float32)[days.astype("datetime64[M]").astype(int) % 12]
        mine = years == year
        out[mine] = values[-mine.sum() :] if year == years[0] else values[: mine.sum()]
    return out


def _broken_line(days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(day, month) weights of the twelve nodes, and (month, day) averaging over months."""
    month = days.astype("datetime64[M]").astype(int) % 12
    start = np.searchsorted(month, np.arange(13))
    middle = (start[:-1] + start[1:]) / 2
    knots = np.concatenate([[middle[-1] - len(days)], middle, [middle[0] + len(days)]])
    at = np.arange(len(days)) + 0.5
    left = np.searchsorted(knots, at, side="right") - 1
    part = (at - knots[left]) / (knots[left + 1] - knots[left])
    line = np.zeros((len(days), 12))
    rows = np.arange(len(days))
    line[rows, (left - 1) % 12] += 1 - part
    line[rows, left % 12] += part
    mean = (month[None] == np.arange(12)[:, None]) / np.diff(start)[:, None]
    return line, mean
