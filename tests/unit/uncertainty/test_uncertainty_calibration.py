"""Intervals have their nominal coverage at new sites; towers have equal weight."""

import numpy as np
import pytest

from tamflux.errors import ContractError
from tamflux.uncertainty.calibration import (
    GROSS_FLUX_KNOTS,
    LEVELS,
    Calibration,
    fit_expected_error,
    fit_half_widths,
)

FLUXES = ("gpp", "reco", "nee")


def draw(sites, days, seed):
    """Errors that grow with gross flux, with a bias of each site."""
    random = np.random.default_rng(seed)
    gross_flux = random.uniform(0, 16, (sites, days))
    bias = random.normal(0, 0.5, (sites, 1))
    error = (0.2 + 0.1 * gross_flux) * (bias + random.laplace(0, 0.5, (sites, days)))
    return np.abs(error).ravel(), gross_flux.ravel(), np.repeat(np.arange(sites), days)


def calibration(difficulty, quantile):
    return Calibration(
        GROSS_FLUX_KNOTS,
        dict.fromkeys(FLUXES, difficulty),
        dict.fromkeys(FLUXES, quantile),
        (0.1, 0.05),
    )


def test_new_sites_are_covered_at_every_level_and_gross_flux():
    intervals = calibration(*fit_half_widths(*draw(400, 60, seed=1)))
    error, gross_flux, _ = draw(400, 60, seed=2)
    for level in LEVELS:
        inside = error <= intervals.half_width("nee", gross_flux, np.zeros_like(gross_flux), level)
        assert inside.mean() == pytest.approx(level, abs=0.02)
        if level == 0.9:
            for low in (0, 4, 12):
                here = (gross_flux >= low) & (gross_flux < low + 4)
                assert inside[here].mean() == pytest.approx(0.9, abs=0.03)


def test_a_site_counts_once_however_long_it_measured():
    error, gross_flux, site = draw(60, 50, seed=3)
    longer = np.isin(site, [0, 1, 2])
    repeat = np.where(longer, 40, 1)
    once = fit_half_widths(error, gross_flux, site)
    often = fit_half_widths(*(np.repeat(values, repeat) for values in (error, gross_flux, site)))
    np.testing.assert_allclose(often[0], once[0], rtol=1e-6)
    assert often[1]["0.9"] == pytest.approx(once[1]["0.9"], rel=1e-2)


def test_half_widths_never_fall_with_activity_and_never_vanish():
    random = np.random.default_rng(0)
    falling = np.abs(random.normal(0, 1, 5000))
    gross_flux = random.uniform(0, 16, 5000)
    difficulty, _ = fit_half_widths(falling * (17 - gross_flux), gross_flux, np.arange(5000) % 20)
    assert (np.diff(difficulty) >= 0).all()
    difficulty, quantile = fit_half_widths(np.zeros(10), np.full(10, 3.0), np.arange(10))
    assert min(difficulty) > 0 and quantile["0.9"] == 0


def test_half_width_is_linear_between_knots_and_missing_where_the_flux_is():
    intervals = calibration([0, 1, 2, 3, 4, 5, 6], {"0.9": 2.0})
    gpp = np.array([[0.25, 8.0], [99.0, np.nan]], np.float32)
    found = intervals.half_width("gpp", gpp, np.zeros_like(gpp))
    np.testing.assert_allclose(found, [[1.0, 10.0], [12.0, np.nan]])


def test_expected_error_finds_the_law_that_made_the_errors():
    random = np.random.default_rng(0)
    gross_flux, dissimilarity = random.uniform(1, 20, 300), random.uniform(0, 3, 300)
    error = np.sqrt(gross_flux) * (0.08 + 0.05 * dissimilarity)
    assert fit_expected_error(error, gross_flux, dissimilarity) == pytest.approx((0.08, 0.05))


def test_applicability_falls_with_dissimilarity_up_to_its_bound():
    intervals = calibration([1.0] * 7, {"0.9": 1.0})
    reach = intervals.applicability(np.full(5, 9.0), np.array([0, 1, 3, 30, np.nan]))
    np.testing.assert_allclose(reach[:3], np.exp(-3 * np.array([0.1, 0.15, 0.25])), rtol=1e-6)
    assert reach[3] == reach[2] and np.isnan(reach[4])


def test_a_saved_calibration_is_the_same_and_a_damaged_one_is_refused(tmp_path):
    intervals = calibration(*fit_half_widths(*draw(20, 30, seed=4)))
    intervals.save(tmp_path / "c.json")
    loaded = Calibration.load(tmp_path / "c.json")
    gpp = np.linspace(0, 20, 50)
    for level in LEVELS:
        np.testing.assert_array_equal(
            loaded.half_width("gpp", gpp, gpp, level), intervals.half_width("gpp", gpp, gpp, level)
        )
    (tmp_path / "c.json").write_text((tmp_path / "c.json").read_text().replace('"nee"', '"nex"'))
    with pytest.raises(ContractError, match="calibration"):
        Calibration.load(tmp_path / "c.json")


def test_no_day_at_all_is_refused():
    with pytest.raises(ContractError, match="no out-of-fold error"):
        fit_half_widths(np.empty(0), np.empty(0), np.empty(0, int))
