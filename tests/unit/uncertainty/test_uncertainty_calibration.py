"""Intervals cover what they promise at places that took no part; towers count the same."""

import numpy as np
import pytest

from tamflux.errors import ContractError
from tamflux.uncertainty.calibration import (
    ACTIVITY,
    LEVELS,
    Calibration,
    fit_expected_error,
    fit_widths,
)

FLUXES = ("gpp", "reco", "nee")


def draw(sites, days, seed):
    """Errors whose spread grows with activity, with a bias of each site."""
    random = np.random.default_rng(seed)
    activity = random.uniform(0, 16, (sites, days))
    bias = random.normal(0, 0.5, (sites, 1))
    error = (0.2 + 0.1 * activity) * (bias + random.laplace(0, 0.5, (sites, days)))
    return np.abs(error).ravel(), activity.ravel(), np.repeat(np.arange(sites), days)


def calibration(scale, multiplier):
    return Calibration(
        ACTIVITY, dict.fromkeys(FLUXES, scale), dict.fromkeys(FLUXES, multiplier), (0.1, 0.05)
    )


def test_new_sites_are_covered_at_every_level_and_activity():
    intervals = calibration(*fit_widths(*draw(400, 60, seed=1)))
    error, activity, _ = draw(400, 60, seed=2)
    for level in LEVELS:
        inside = error <= intervals.half_width("nee", activity, np.zeros_like(activity), level)
        assert inside.mean() == pytest.approx(level, abs=0.02)
        if level == 0.9:
            for low in (0, 4, 12):
                here = (activity >= low) & (activity < low + 4)
                assert inside[here].mean() == pytest.approx(0.9, abs=0.03)


def test_a_site_counts_once_however_long_it_measured():
    error, activity, site = draw(60, 50, seed=3)
    longer = np.isin(site, [0, 1, 2])
    repeat = np.where(longer, 40, 1)
    once = fit_widths(error, activity, site)
    often = fit_widths(*(np.repeat(values, repeat) for values in (error, activity, site)))
    np.testing.assert_allclose(often[0], once[0], rtol=1e-6)
    assert often[1]["0.9"] == pytest.approx(once[1]["0.9"], rel=1e-2)


def test_half_widths_never_fall_with_activity_and_never_vanish():
    random = np.random.default_rng(0)
    falling = np.abs(random.normal(0, 1, 5000))
    activity = random.uniform(0, 16, 5000)
    scale, _ = fit_widths(falling * (17 - activity), activity, np.arange(5000) % 20)
    assert (np.diff(scale) >= 0).all()
    scale, multiplier = fit_widths(np.zeros(10), np.full(10, 3.0), np.arange(10))
    assert min(scale) > 0 and multiplier["0.9"] == 0


def test_half_width_is_linear_between_knots_and_missing_where_the_flux_is():
    intervals = calibration([0, 1, 2, 3, 4, 5, 6], {"0.9": 2.0})
    gpp = np.array([[0.25, 8.0], [99.0, np.nan]], np.float32)
    found = intervals.half_width("gpp", gpp, np.zeros_like(gpp))
    np.testing.assert_allclose(found, [[1.0, 10.0], [12.0, np.nan]])


def test_expected_error_finds_the_law_that_made_the_errors():
    random = np.random.default_rng(0)
    activity, distance = random.uniform(1, 20, 300), random.uniform(0, 3, 300)
    error = np.sqrt(activity) * (0.08 + 0.05 * distance)
    assert fit_expected_error(error, activity, distance) == pytest.approx((0.08, 0.05))


def test_applicability_falls_with_distance_up_to_what_towers_show():
    intervals = calibration([1.0] * 7, {"0.9": 1.0})
    reach = intervals.applicability(np.full(5, 9.0), np.array([0, 1, 3, 30, np.nan]))
    np.testing.assert_allclose(reach[:3], np.exp(-3 * np.array([0.1, 0.15, 0.25])), rtol=1e-6)
    assert reach[3] == reach[2] and np.isnan(reach[4])


def test_a_saved_calibration_is_the_same_and_a_damaged_one_is_refused(tmp_path):
    intervals = calibration(*fit_widths(*draw(20, 30, seed=4)))
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
    with pytest.raises(ContractError, match="no error at unseen towers"):
        fit_widths(np.empty(0), np.empty(0), np.empty(0, int))
