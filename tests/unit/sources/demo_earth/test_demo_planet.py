import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamflux.sources.demo_earth.carbon import E0, T0, T_REFERENCE
from tamflux.sources.demo_earth.climate import (
    _broken_line,
    daily_climate,
    monthly_climate,
)
from tamflux.sources.demo_earth.planet import igbp_fractions, igbp_percent
from tamflux.sources.demo_earth.random_fields import hidden_traits
from tamflux.sources.demo_earth.sun import potential_radiation
from tamflux.sources.demo_earth.truth import patch_fluxes, true_fluxes
from tamflux.sources.demo_earth.vegetation import ndvi, reflectance, running_mean
from tamflux.sources.demo_earth.weather import HISTORY_DAYS, simulate_weather, year_dates
from tamflux.variables import IGBP_CLASSES, METEOROLOGY

PLACES = np.array([(52.5, 13.4), (-3.0, -60.0), (62.0, 130.0), (28.6, 77.2), (-33.9, 151.0)])
LAT, LON = PLACES.T


@pytest.fixture(scope="module")
def many_years():
    return [simulate_weather(42, year, LAT, LON).tail(365) for year in range(1990, 2002)]


def monthly_means(many_years, name):
    """(year, 12, place)."""
    return np.array([
        [getattr(w, name)[w.date.astype("datetime64[M]").astype(int) % 12 == m].mean(0)
         for m in range(12)] for w in many_years
    ])  # fmt: skip


def test_the_climate_is_that_of_known_places():
    """Berlin 1991-2020: January 1 degC, July 19-20 degC (DWD); Manaus: 2200-2400 mm a year."""
    t2m = monthly_climate("t2m", LAT, LON)
    assert t2m[0, 0] == pytest.approx(1, abs=1.5) and t2m[6, 0] == pytest.approx(19.5, abs=1.5)
    assert t2m[0, 2] < -33  # Yakutsk
    assert 1900 < monthly_climate("tp", LAT, LON)[:, 1].sum() < 3300


def test_monthly_means_follow_the_climatology(many_years):
    """Mean over 12 years: temperature within 3 standard errors, year's rain within a fifth."""
    found = monthly_means(many_years, "t2m")
    error = found.std(0) / np.sqrt(len(found))
    excess = np.abs(found.mean(0) - monthly_climate("t2m", LAT, LON)) / np.maximum(error, 0.1)
    assert (excess < 3).mean() > 0.95 and excess.max() < 5
    rain = monthly_means(many_years, "tp").mean((0, 1)) * 365.25
    np.testing.assert_allclose(rain, monthly_climate("tp", LAT, LON).sum(0), rtol=0.2)


@given(st.lists(st.floats(-40, 40), min_size=12, max_size=12), st.integers(1990, 2030))
def test_daily_values_keep_monthly_means(monthly, year):
    date = year_dates(year)
    daily = daily_climate(np.array(monthly, np.float32)[:, None], date)[HISTORY_DAYS:, 0]
    month = date[HISTORY_DAYS:].astype("datetime64[M]").astype(int) % 12
    means = [daily[month == m].mean() for m in range(12)]
    np.testing.assert_allclose(means, monthly, atol=2e-3)


def test_broken_line_weights_add_to_one():
    line, mean = _broken_line(year_dates(2004)[HISTORY_DAYS:])
    np.testing.assert_allclose(line.sum(1), 1)
    np.testing.assert_allclose(mean.sum(1), 1)


def test_weather_is_possible_and_coupled(many_years):
    for name in ("t2m", "t2m_min", "t2m_max", "vpd", "ssrd", "strd", "tp", "swvl1", "sp"):
        values = np.stack([getattr(w, name) for w in many_years])
        low, high = METEOROLOGY[name].valid_min, METEOROLOGY[name].valid_max
        assert np.isfinite(values).all() and low <= values.min() and values.max() <= high, name
    weather = many_years[0]
    assert (weather.t2m_min < weather.t2m).all() and (weather.t2m < weather.t2m_max).all()
    assert (weather.d2m <= weather.t2m).all() and (weather.ssrd <= weather.ssrd_pot).all()
    wet, dry = weather.tp[:, 0] > 5, weather.tp[:, 0] == 0
    clear = weather.ssrd[:, 0] / weather.ssrd_pot[:, 0]
    assert clear[wet].mean() < 0.7 * clear[dry].mean()


def test_weather_persists_and_is_coherent():
    """Anomalies correlate from day to day, and over 100 km more than over 5000 km."""
    lat, lon = np.array([50.0, 50.0, 50.0]), np.array([10.0, 11.4, 80.0])
    cloud = simulate_weather(42, 2003, lat, lon).cloud
    anomaly = cloud - running_mean(cloud, 30)
    near, far = (np.corrcoef(anomaly[:, 0], anomaly[:, k])[0, 1] for k in (1, 2))
    assert near > 0.9 and abs(far) < 0.3
    assert np.corrcoef(anomaly[1:, 0], anomaly[:-1, 0])[0, 1] > 0.3


point = st.tuples(st.floats(-89, 89), st.floats(-180, 180))


@settings(max_examples=10)
@given(points=st.lists(point, min_size=2, max_size=6), turn=st.sampled_from([0, 360]))
def test_a_place_has_the_same_weather_on_any_grid(points, turn):
    """Alone, among others, in either convention of longitude; other seeds make another planet."""
    lat, lon = np.array(points).T
    among = simulate_weather(42, 2003, lat, lon)
    alone = simulate_weather(42, 2003, lat[:1], lon[:1] + turn)
    for name in ("t2m", "vpd", "ssrd", "tp", "soil", "cloud"):
        np.testing.assert_allclose(
            getattr(among, name)[:, 0], getattr(alone, name)[:, 0], rtol=2e-3, atol=2e-2
        )
    other = simulate_weather(43, 2003, lat[:1], lon[:1])
    assert np.abs(other.cloud - alone.cloud).max() > 0.1


def test_years_fit_together():
    """The history of a year is the year before, made alone: exact but for what fills slowly."""
    before, after = (simulate_weather(42, year, LAT, LON) for year in (2003, 2004))
    for name in ("t2m", "ssrd", "tp", "vpd"):
        a, b = getattr(before, name)[HISTORY_DAYS:], getattr(after, name)[:HISTORY_DAYS]
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-3)


def test_potential_radiation_against_fao_56():
    """FAO-56 example 8: 3 September at 20 S, 32.2 MJ m-2 d-1 (solar constant 1367 W m-2)."""
    date = np.array(["2003-09-03"], "datetime64[D]")
    found = potential_radiation(np.array([-20.0]), date)[0, 0] * 0.0864
    assert found == pytest.approx(32.2 * 1361 / 1367, rel=0.005)


def test_land_classes_are_real():
    lat, lon = np.array([-4.0, 23.0, 72.0, 0.0]), np.array([-64.0, 12.0, -40.0, -140.0])
    top = igbp_fractions(lat, lon, 0.25).argmax(0)
    assert [IGBP_CLASSES[i] for i in top] == ["EBF", "BSV", "SNO", "WAT"]
    assert (igbp_percent().sum(0) == 100).all()


@given(point, st.sampled_from([0.1, 0.25, 1.0, 3.0]))
def test_fractions_add_to_one(place, size):
    lat, lon = np.array([place[0]]), np.array([place[1]])
    assert igbp_fractions(lat, lon, size).sum() == pytest.approx(1, abs=1e-5)


def test_hidden_traits_are_smooth_and_standard():
    rng = np.random.default_rng(1)
    lat, lon = np.degrees(np.arcsin(rng.uniform(-1, 1, 3000))), rng.uniform(-180, 180, 3000)
    traits = hidden_traits(42, lat, lon)
    assert np.abs(traits.mean(1)).max() < 0.4 and np.all(np.abs(traits.std(1) - 1) < 0.4)
    assert np.abs(hidden_traits(42, lat + 0.2, lon) - traits).max() < 0.6


@given(st.floats(-0.1, 0.95), st.floats(0, 1))
def test_bands_give_ndvi_back(greenness, soil):
    green, wet, none = (np.array([v]) for v in (greenness, soil, 0.0))
    bands = reflectance(green, wet, none, none)
    assert (bands > 0).all() and (bands < 1).all()
    assert (bands[1] - bands[0]) / (bands[1] + bands[0]) == pytest.approx(greenness, abs=1e-6)
    white = reflectance(green, wet, np.ones(1), none)
    assert (white[3] - white[5]) / (white[3] + white[5]) > 0.4  # NDSI of snow


def test_ndvi_stays_in_the_range_of_the_place():
    index = np.linspace(0, 1, 11)
    assert ndvi(index, 0.2, 0.8, 0.5)[[0, -1]] == pytest.approx([0.5, 0.8])


def test_running_mean_in_closed_form():
    """A unit step: 1 - exp(-n / days) after n days."""
    steps = running_mean(np.ones((20, 1)), 5.0, start=np.zeros(1))[:, 0]
    np.testing.assert_allclose(steps, 1 - np.exp(-np.arange(1, 21) / 5), rtol=1e-6)


def test_lloyd_taylor_doubles_as_published():
    """Q10 of Lloyd and Taylor between 10 and 20 degC is 2.4 (their eq. 11)."""

    def speed(kelvin):
        return np.exp(E0 * (1 / (T_REFERENCE - T0) - 1 / (kelvin - T0)))

    assert speed(283.15) == 1 and speed(293.15) == pytest.approx(2.4, abs=0.1)


def test_one_class_everywhere_is_the_mean_of_its_patches():
    """A cell's truth is the mean over its classes by their share of land."""
    lat, lon = np.array([45.1]), np.array([2.6])
    share = igbp_fractions(lat, lon, 1.0)[:, 0].astype(float)
    share[0] = 0
    codes = np.flatnonzero(share)
    patches = patch_fluxes(42, 2003, lat, lon, codes, 1.0, np.zeros(len(codes), int))
    expected = [(p * share[codes]).sum(1) / share.sum() for p in patches]
    np.testing.assert_allclose(true_fluxes(42, 2003, lat, lon, 1.0)[..., 0], expected, rtol=1e-4)


def test_sea_has_no_fluxes():
    found = true_fluxes(42, 2003, np.array([0.0]), np.array([-140.0]), 1.0)
    assert np.isnan(found).all()
