"""Physiological plausibility of the trained members in the growing season at the towers.

One predictor, or several that are physically linked, is changed in the predicted year but not in
its look-back window. The tests compare means over many site-years and days.
"""

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tamflux.samples.samples import LOOKBACK_DAYS, load_samples, make_windows
from tamflux.training.ensemble import Ensemble
from tamflux.variables import FLUXES

MIN_SITES, MIN_EPOCHS = 50, 5  # a model that has hardly been trained has no physiology
GROWING_GPP = 3.0  # g C m-2 d-1
GROWING_T2M = 10.0  # degree Celsius
SNOW_INDEX, SNOW_GREEN = 0.4, 0.25  # Hall et al. 1995: NDSI above 0.4; bright in the green


@pytest.fixture(scope="module")
def site_years():
    """Complete site-years and their prediction: predictors, `base` by flux, and `predict`."""
    names = ("TAMFLUX_MEMBERS", "TAMFLUX_SAMPLES", "TAMFLUX_SITES")
    if missing := [name for name in names if name not in os.environ]:
        pytest.skip(f"no trained members to test: {', '.join(missing)} not set")
    members, tables, sites = (os.environ[name].split(os.pathsep) for name in names)
    ensemble = Ensemble.load(members)
    first = ensemble.specs[0]
    if len(first.training_sites) < MIN_SITES or first.provenance["training"]["epochs"] < MIN_EPOCHS:
        pytest.skip(f"trained at {len(first.training_sites)} sites only, or for too few epochs")
    samples = load_samples(tables, Path(sites[0]), ensemble.predictors)
    windows = make_windows(samples)
    rows = windows.rows[:, : LOOKBACK_DAYS + 365]
    complete = (windows.year == windows.year.max()) & (rows >= 0).all(axis=1)
    x, static = samples.x[rows[complete]], samples.static[windows.site[complete]]

    def predict(**changed):
        other = x.copy()
        for name, values in changed.items():
            other[:, LOOKBACK_DAYS:, ensemble.predictors.index(name)] = values
        mean = ensemble.predict(other, static, batch_cells=128).mean
        return dict(zip(FLUXES, np.moveaxis(mean, -1, 0), strict=True))

    found = {name: x[:, LOOKBACK_DAYS:, k] for k, name in enumerate(ensemble.predictors)}
    base = predict()
    growing = (base["gpp"] > GROWING_GPP) & (found["t2m"] > GROWING_T2M)
    assert growing.sum() > 1000
    return SimpleNamespace(**found, base=base, growing=growing, predict=predict)


def test_gpp_rises_with_light(site_years):
    shares = (0.1, 0.3, 0.5, 0.7)  # of the radiation at the top of the atmosphere
    gpp = [
        site_years.predict(ssrd=share * site_years.ssrd_pot)["gpp"][site_years.growing].mean()
        for share in shares
    ]
    assert (np.diff(gpp) > 0.02 * gpp[-1]).all(), gpp


def test_gpp_saturates_with_light(site_years):
    """GPP gains less from half to full light than from the dark to half light."""
    bright = 0.7 * site_years.ssrd_pot
    dark, half, full = (
        site_years.predict(ssrd=share * bright)["gpp"][site_years.growing].mean()
        for share in (0, 0.5, 1)
    )
    assert dark < 0.01 * full
    assert full - half < 0.8 * (half - dark), (dark, half, full)


def test_no_gpp_in_the_polar_night(site_years):
    night = site_years.ssrd_pot < 1.0
    assert night.sum() > 10
    assert site_years.base["gpp"][night].max() < 0.05
    assert site_years.predict(ssrd=0 * site_years.ssrd)["gpp"].max() == 0


def test_gpp_falls_with_vapour_pressure_deficit(site_years):
    factors = (1, 1.5, 2, 3)
    gpp = [
        site_years.predict(vpd=k * site_years.vpd)["gpp"][site_years.growing].mean()
        for k in factors
    ]
    assert (np.diff(gpp) < -0.02 * gpp[0]).all(), gpp


def test_reco_rises_with_temperature(site_years):
    names = ("t2m", "t2m_min", "t2m_max")
    reco = [
        site_years.predict(**{name: getattr(site_years, name) + warmer for name in names})["reco"]
        for warmer in (-6, -3, 0, 3, 6)
    ]
    means = [field[site_years.growing].mean() for field in reco]
    assert (np.diff(means) > 0.02 * means[2]).all(), means


def test_gpp_on_snow_is_near_zero(site_years):
    index = (site_years.refl_b4 - site_years.refl_b6) / (site_years.refl_b4 + site_years.refl_b6)
    snow = (index > SNOW_INDEX) & (site_years.refl_b4 > SNOW_GREEN) & (site_years.t2m < 0)
    assert snow.sum() > 100
    on_snow = site_years.base["gpp"][snow]
    assert on_snow.mean() < 0.1 * site_years.base["gpp"].mean()
    assert np.quantile(on_snow, 0.95) < 0.5
