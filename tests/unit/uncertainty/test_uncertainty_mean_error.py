"""Errors of means and totals against sums by brute force and simulated fields."""

import json
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
from calibrations import make_calibration
from pyproj import Geod
from scipy.sparse import csr_array

from tamflux.errors import ContractError
from tamflux.grid import EARTH_RADIUS_M, Grid
from tamflux.uncertainty.calibration import GROSS_FLUX_KNOTS
from tamflux.uncertainty.mean_error import Blocks, MeanError, StepError, distances, fit_mean_error
from tamflux.variables import FLUXES

SPHERE = Geod(a=EARTH_RADIUS_M, b=EARTH_RADIUS_M)


def errors(variance=1.7, common=0.05) -> MeanError:
    step = StepError(
        {flux: [0.1 * (k + 1) for k in range(len(GROSS_FLUX_KNOTS))] for flux in FLUXES},
        dict.fromkeys(FLUXES, variance),
        dict.fromkeys(FLUXES, common),
    )
    return MeanError(900.0, 50, {"monthly": step, "annual": step})


def test_distances_are_those_of_a_sphere():
    random = np.random.default_rng(0)
    lat, lon = random.uniform(-90, 90, 9), random.uniform(-180, 180, 9)
    expected = [[SPHERE.inv(a, b, c, d)[2] / 1e3 for c, d in zip(lon, lat, strict=True)]
                for a, b in zip(lon, lat, strict=True)]  # fmt: skip
    np.testing.assert_allclose(distances(lat, lon), expected, atol=1e-4)


def test_the_variance_of_a_total_is_a_double_sum():
    """Cells of 4 degrees are blocks themselves, so nothing is approximated."""
    grid, random = Grid(4.0, (0, 2, 20, 14)), np.random.default_rng(1)
    land = random.random(grid.shape) < 0.8
    weight = random.uniform(1, 2, (2, land.size)) * land.ravel()
    gross_flux = random.uniform(0, 12, land.size)
    found = errors().half_width_of_totals(
        "annual", "nee", csr_array(weight), gross_flux, Blocks.of_grid(grid, land)
    )
    size = np.interp(gross_flux, GROSS_FLUX_KNOTS, 0.1 * np.arange(1, 8))
    places = [(y, x) for y in grid.lat for x in grid.lon]
    for region in (0, 1):
        variance = 0.0
        for i, (y, x) in enumerate(places):
            for j, (v, u) in enumerate(places):
                km = SPHERE.inv(x, y, u, v)[2] / 1e3
                product = weight[region, i] * size[i] * weight[region, j] * size[j]
                variance += product * (1.7 * np.exp(-km / 900) + 0.05)
        assert found[region] == pytest.approx(1.6448536 * variance**0.5, rel=1e-5)


def simulate(random, towers=80, years=1):
    """Out-of-fold errors of towers, and errors of the cells around them, of one field.

    The field has a length of 800 km and a standard deviation of a fifth of the flux.
    """
    grid = Grid(5.0, (-60, -40, 60, 60))
    cells = np.array([(y, x) for y in grid.lat for x in grid.lon])
    at = np.column_stack([random.uniform(-40, 60, towers), random.uniform(-60, 60, towers)])
    place = np.concatenate([cells, at])
    covariance = np.exp(-distances(*place.T) / 800) + 1e-9 * np.eye(len(place))
    field = np.linalg.cholesky(covariance) @ random.normal(size=(len(place), 3))
    dates = np.arange("2001-01-01", f"{2001 + years}-01-01", dtype="datetime64[D]")
    gross_flux = random.uniform(2, 10, len(place))
    error = 0.2 * gross_flux[:, None] * field
    site = np.repeat(np.arange(towers), len(dates))
    table = {"site": site, "date": np.tile(dates, towers), "gross_flux": gross_flux[-towers:][site]}
    noise = random.normal(0, 1, (len(site), 3))  # of single days
    measured = error[-towers:][site] + noise
    days = pd.DataFrame(table | {flux: measured[:, k] for k, flux in enumerate(FLUXES)})
    return grid, days, at, error[:-towers], gross_flux[:-towers]


def test_intervals_of_totals_hold_the_true_ones():
    """Sixteen planets, three fluxes, totals of all land and of quarters of it."""
    inside, independent, lengths, wider = [], [], [], []
    random = np.random.default_rng(2)
    for _ in range(16):
        grid, days, at, error, gross_flux = simulate(random)
        fitted = fit_mean_error(days, *at.T)
        lengths.append(fitted.length_km)
        row, col = np.divmod(np.arange(len(error)), grid.shape[1])
        quarter = 2 * (row > grid.shape[0] // 2) + (col > grid.shape[1] // 2)
        weight = np.stack([np.ones(len(error)), *(quarter == k for k in range(4))]).astype(float)
        blocks = Blocks.of_grid(grid, np.ones(grid.shape, bool))
        loads = weight * 0.2 * gross_flux
        known = np.exp(-blocks.distance_km / 800)  # 5 degrees: each cell is a block
        order = blocks.of_cell.indices
        known = loads @ known[np.ix_(order, order)] @ loads.T
        for k, flux in enumerate(FLUXES):
            width = fitted.half_width_of_totals(
                "annual", flux, csr_array(weight), gross_flux, blocks
            )
            wider.append(width / (1.645 * np.sqrt(np.diag(known))))
            inside.append(np.abs(weight @ error[:, k]) <= width)
            alone = 1.645 * 0.2 * np.sqrt(weight @ gross_flux**2)
            independent.append(np.abs(weight @ error[:, k]) <= alone)
    assert np.mean(inside) > 0.85
    assert 0.9 < np.mean(wider) < 1.8  # than had the field been known; towers are few
    assert np.mean(independent) < 0.6  # had each cell erred by itself
    assert 500 < np.median(lengths) < 1300


def test_few_towers_or_years_with_gaps_give_no_interval():
    _, days, at, *_ = simulate(np.random.default_rng(4), towers=6)
    assert fit_mean_error(days, *at.T) is not None
    assert fit_mean_error(days[days["site"] < 4], *at.T) is None
    gaps = days["date"].dt.dayofyear > 150
    assert fit_mean_error(days.assign(nee=days["nee"].mask(gaps)), *at.T) is None


def test_a_damaged_part_of_the_calibration_is_refused(tmp_path):
    path = tmp_path / "calibration.json"
    curves = {flux: [0.1] * len(GROSS_FLUX_KNOTS) for flux in FLUXES}
    whole = replace(make_calibration(curves), mean_error=asdict(errors()))
    whole.save(path)
    assert MeanError.load(path) == errors()
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"mean_error": None}))
    assert MeanError.load(path) is None
    for name, value in [("length_km", 0), ("length_km", "far"), ("towers", -1), ("steps", {})]:
        path.write_text(json.dumps(content | {"mean_error": content["mean_error"] | {name: value}}))
        with pytest.raises(ContractError, match="errors of means"):
            MeanError.load(path)
