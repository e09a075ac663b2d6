import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamflux.demo_earth.carbon import E0, T0, T_REFERENCE
from tamflux.demo_earth.climate import (
    DAYS_OF_MONTH,
    _broken_line,
    daily_climate,
    monthly_climate,
)
from tamflux.demo_earth.planet import igbp_fractions, igbp_percent
from tamflux.demo_earth.random_fields import hidden_traits
from tamflux.demo_earth.sun import day_length, potential_radiation
from tamflux.demo_earth.true_fluxes import patch_fluxes, true_fluxes
from tamflux.demo_earth.vegetation import ndvi, reflectance, running_mean
from tamflux.demo_earth.weather import LOOKBACK_DAYS, simulate_weather, year_dates
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
    daily = daily_climate(np.array(monthly, np.float32)[:, None], date)[LOOKBACK_DAYS:, 0]
    month = date[LOOKBACK_DAYS:].astype("datetime64[M]").astype(int) % 12
    means = [daily[month == m].mean() for m in range(12)]
    np.testing.assert_allclose(means, monthly, atol=2e-3)


def test_broken_line_weights_add_to_one():
    line, mean = _broken_line(year_dates(2004)[LOOKBACK_DAYS:])
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
        a, b = getattr(before, name)[LOOKBACK_DAYS:], getattr(after, name)[:LOOKBACK_DAYS]
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("year", [1950, 2100])
def test_any_year_has_weather(year):
    weather = simulate_weather(42, year, LAT, LON)
    assert str(weather.date[-1]) == f"{year}-12-31"
    assert np.isfinite(weather.t2m).all() and np.abs(weather.t2m - weather.t2m[:1]).max() > 1


def test_a_finer_grid_shows_the_same_planet():
    """Weather and true flux of one class at the nodes that 1 and 0.5 degree grids share."""
    fine_lat, fine_lon = (a.ravel() for a in np.mgrid[44:46.5:0.5, 4:7.5:0.5])
    shared = (fine_lat % 1 == 0) & (fine_lon % 1 == 0)
    fine = simulate_weather(42, 2003, fine_lat, fine_lon).columns(np.flatnonzero(shared))
    coarse = simulate_weather(42, 2003, fine_lat[shared], fine_lon[shared])
    for name in ("t2m", "d2m", "ssrd", "strd", "tp", "soil", "snow", "u10"):
        np.testing.assert_allclose(
            getattr(fine, name), getattr(coarse, name), rtol=1e-3, atol=2e-3, err_msg=name
        )
    gpp, coarse_gpp = (
        patch_fluxes(42, 2003, lat, lon, np.full(len(lat), 4), 0.0, np.arange(len(lat)))[0]
        for lat, lon in ((fine_lat, fine_lon), (fine_lat[shared], fine_lon[shared]))
    )
    np.testing.assert_allclose(gpp[:, shared], coarse_gpp, rtol=1e-3, atol=2e-3)


def test_rain_follows_the_climatology_month_by_month():
    """Over 60 years and 5 places: the ratio to the climatology is 1 within the sampling error."""
    found = []
    for year in range(1960, 2020):
        weather = simulate_weather(42, year, LAT, LON).tail(365)
        month = weather.date.astype("datetime64[M]").astype(int) % 12
        found.append([weather.tp[month == m].mean(0) for m in range(12)])
    usual = monthly_climate("tp", LAT, LON) / DAYS_OF_MONTH[:, None]
    ratio = np.mean(found, 0) / usual
    assert np.abs(ratio - 1).max() < 0.5 and np.abs(ratio.mean(0) - 1).max() < 0.1


def test_weather_persists_like_the_weather():
    """Temperature anomalies: lag-1 autocorrelation 0.6 to 0.9; wet days (1 mm) fewer than dry ones
    in Berlin, more in Manaus, none in the Sahara; no sun in the polar night."""
    lat, lon = np.append(LAT, [23.0, 80.0]), np.append(LON, [12.0, 20.0])
    weather = simulate_weather(42, 2003, lat, lon)
    departure = weather.t2m - np.stack([
        np.convolve(column, np.ones(91) / 91, "same") for column in weather.t2m.T
    ], axis=1)  # fmt: skip
    inner = departure[60:-60]
    lag = [np.corrcoef(inner[1:, k], inner[:-1, k])[0, 1] for k in range(len(lat))]
    assert 0.6 < min(lag) and max(lag) < 0.9
    wet = (weather.tp > 1).mean(0)
    assert 0.15 < wet[0] < 0.45 and 0.4 < wet[1] < 0.75 and wet[5] < 0.02
    assert (weather.tp >= 0).all() and (weather.ssrd <= 0.75 * weather.ssrd_pot + 1e-3).all()
    january = weather.date.astype("datetime64[M]").astype(int) % 12 == 0
    assert (weather.ssrd[january, 6] == 0).all()
    assert (day_length(lat, weather.date)[january, 6] == 0).all()
    gpp, reco = patch_fluxes(42, 2003, lat[6:], lon[6:], np.array([9]), 0.0, np.array([0]))
    assert (gpp[:31] == 0).all() and (reco >= 0).all()


@pytest.mark.parametrize(
    ("igbp", "lat", "lon", "low", "high"),
    [("EBF", -3, -60, 2000, 3500), ("ENF", 62, 25, 600, 1200), ("DBF", 38.7, -92.2, 1000, 1800),
     ("CRO", 51, 11, 600, 1500), ("GRA", 43.5, 116.7, 100, 1000), ("BSV", 23, 12, 0, 100),
     ("OSH", 70, -150, 50, 500)],
)  # fmt: skip
def test_yearly_gpp_of_a_class_is_as_published(igbp, lat, lon, low, high):
    """Ranges of towers and of MOD17 by class (Luyssaert et al. 2007; Zhao and Running 2010)."""
    code = np.array([IGBP_CLASSES.index(igbp)])
    place = np.array([float(lat)]), np.array([float(lon)])
    gpp, _ = patch_fluxes(42, 2003, *place, code, 1.0, np.array([0]))
    assert low <= gpp.sum() <= high


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
