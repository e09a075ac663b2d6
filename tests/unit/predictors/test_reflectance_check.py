"""Reflectance that contradicts the land is refused; seasons, snow, drought and fire are not."""

import numpy as np
import pytest

from tamflux.demo_earth.planet import igbp_fractions, ndvi_range
from tamflux.errors import InputError
from tamflux.grid import Grid
from tamflux.predictors.reflectance_check import check_reflectance

BANDS = (1, 2)
GLOBE = Grid(1.0)
AMAZON = Grid(0.5, (-70, -10, -55, 0))
SIBERIA = Grid(1.0, (60, 50, 140, 75))
SAHARA = Grid(0.5, (0, 18, 25, 28))


def planet(grid, composites=12, snow=0.0, drought=1.0, noise=0.0, dark=None):
    """(2, composite, lat, lon) reflectance of a year on the real map, NaN over water."""
    lat, lon = (a.ravel() for a in np.meshgrid(grid.lat, grid.lon, indexing="ij"))
    low, high = ndvi_range(lat, lon, grid.resolution)
    water = igbp_fractions(lat, lon, grid.resolution)[0]
    phase = np.cos(2 * np.pi * (np.arange(composites)[:, None] / composites - 0.54))
    season = 0.5 + 0.5 * phase * np.where(lat >= 0, 1, -1)
    ndvi = (low + (high - low) * season) * drought
    nir = np.where(ndvi > 0.2, 0.3, 0.35) * np.ones_like(ndvi)
    red = nir * (1 - ndvi) / (1 + ndvi)
    white = snow * (season < 0.5) * (np.abs(lat) > 45)
    nir, red = nir * (1 - white) + 0.82 * white, red * (1 - white) + 0.86 * white
    means = np.stack([red, nir]).astype(np.float32)
    rng = np.random.default_rng(0)
    means *= 1 + noise * rng.standard_normal(means.shape, np.float32)
    means[:, :, water > 0.5] = np.nan
    if dark is not None:
        means[:, np.ix_(dark, np.abs(lat) > 45)[0], np.abs(lat) > 45] = np.nan
    return means.reshape(2, composites, *grid.shape)


@pytest.mark.parametrize("grid", [GLOBE, AMAZON, SIBERIA, SAHARA])
@pytest.mark.parametrize(
    "options",
    [{}, {"snow": 1.0}, {"snow": 1.0, "composites": 46}, {"drought": 0.7}, {"noise": 0.3},
     {"dark": [0, 1, 10, 11]}],
)  # fmt: skip
def test_seasons_snow_drought_and_noise_pass(grid, options):
    check_reflectance(planet(grid, **options), BANDS, grid, days_complete=True)


@pytest.mark.parametrize("months", [slice(0, 1), slice(0, 3), slice(5, 8)])
def test_a_part_of_a_year_passes(months):
    for grid in (GLOBE, SIBERIA):
        means = planet(grid, snow=1.0)[:, months]
        check_reflectance(means, BANDS, grid, days_complete=False)


def test_a_region_that_burnt_passes():
    means = planet(SIBERIA)
    half = means[..., :40]
    half[0], half[1] = 0.04, 0.08  # char, all year, in half of the region
    check_reflectance(means, BANDS, SIBERIA, days_complete=True)


def one_composite(means):
    means[:, 4] /= 10
    return means


FAULTS = {
    "scaled down": (lambda m: m / 10, "reflectance of the year is implausible"),
    "one composite scaled down": (one_composite, "composite 5 of the year has another scale"),
    "bands exchanged": (lambda m: m[::-1], "NDVI of"),
    "first row in the south": (lambda m: m[:, :, ::-1], "open water|NDVI of"),
    "from 0 to 360": (lambda m: np.roll(m, 180, axis=3), "open water"),
    "no data where there is land": (lambda m: np.where(np.isnan(m), 0.2, np.nan), "open water"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_a_global_year_are_refused(fault):
    change, words = FAULTS[fault]
    with pytest.raises(InputError, match=words):
        check_reflectance(change(planet(GLOBE, snow=0.5)), BANDS, GLOBE, days_complete=True)


@pytest.mark.parametrize(
    ("grid", "change"),
    [
        (AMAZON, lambda m: np.stack([m[1], m[1]])),
        (AMAZON, lambda m: np.stack([2 * m[1], m[1]])),
        (SAHARA, lambda m: np.stack([m[0] / 4, m[1]])),
    ],
)
def test_forests_that_are_bare_and_deserts_that_are_green_are_refused(grid, change):
    with pytest.raises(InputError, match=r"NDVI of (deserts|evergreen|vegetated)"):
        check_reflectance(change(planet(grid)), BANDS, grid, days_complete=False)


def test_a_few_cells_are_not_judged():
    grid = Grid(1.0, (-60, -5, -55, 0))
    check_reflectance(planet(grid) / 10, BANDS, grid, days_complete=True)
