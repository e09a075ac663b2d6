"""Derived predictors against published tables, closed forms and a real ERA5 file."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamflux.predictors.cube import year_days
from tamflux.predictors.derived import (
    saturation_vapour_pressure,
    vpd_daily,
    vpd_instant,
    wind_speed,
)
from tamflux.solar import SOLAR_CONSTANT, day_length, potential_radiation
from tamflux.variables import PREDICTORS

MIDMONTH = np.array([f"2001-{month:02d}-15" for month in range(1, 13)], "datetime64[D]")


def test_saturation_pressure_equals_fao56_table_2_3():
    degrees = np.array([1.0, 15.0, 20.0, 24.5, 25.0, 30.0])
    table = [6.57, 17.05, 23.38, 30.75, 31.68, 42.43]  # hPa; annex 2 gives kPa
    np.testing.assert_allclose(saturation_vapour_pressure(degrees), table, atol=0.006)


def test_daily_vpd_equals_fao56_examples_3_and_5():
    # es = 3.075 and 1.705 kPa at 24.5 and 15 degC; ea = 1.91 kPa for a dew point of 16.8 degC;
    # the mean temperature of 19.75 degC has 2.302 kPa
    found = vpd_daily(*(np.array(x) for x in (15.0, 19.75, 24.5, 16.8)))
    assert found == pytest.approx(10 * ((3.075 + 2 * 2.302 + 1.705) / 4 - 1.91), abs=0.1)


def test_vpd_is_never_negative():
    assert vpd_instant(np.array(10.0), np.array(10.2)) == 0
    assert vpd_daily(*(np.array(x) for x in (-5.0, -5.0, -5.0, -4.9))) == 0


@given(mean=st.floats(-10, 32), amplitude=st.floats(0, 12), depression=st.floats(4, 20))
def test_daily_vpd_is_the_mean_over_a_sinusoidal_day(mean, amplitude, depression):
    hours = mean + amplitude * np.sin(2 * np.pi * np.arange(24) / 24)
    dew = np.array(mean - amplitude - depression)  # never saturated
    truth = vpd_instant(hours, np.full(24, dew)).mean()
    daily = vpd_daily(hours.min(), hours.mean(), hours.max(), dew)
    assert daily == pytest.approx(truth, rel=5e-3)
    if amplitude > 6:  # what is done without the mean, or without the extremes, is worse
        extremes = vpd_instant(np.array([hours.min(), hours.max()]), dew).mean()
        assert abs(daily - truth) < 0.1 * min(truth - vpd_instant(mean, dew), extremes - truth)


def test_wind_is_the_length_of_the_vector():
    assert wind_speed(np.array(3.0), np.array(-4.0)) == 5


@pytest.mark.parametrize(
    ("lat", "table"),
    [  # FAO-56 annex 2, table 2.6: MJ m-2 d-1 on the 15th of each month, northern hemisphere
        (70, [0.0, 2.6, 10.4, 23.0, 35.2, 42.5, 39.4, 28.0, 14.9, 4.9, 0.1, 0.0]),
        (40, [15.0, 20.4, 27.2, 34.7, 39.7, 41.9, 40.8, 36.7, 30.0, 22.5, 16.3, 13.6]),
        (0, [36.2, 37.5, 37.9, 36.8, 34.8, 33.4, 33.9, 35.7, 37.2, 37.4, 36.3, 35.6]),
    ],
)
def test_potential_radiation_equals_fao56_table_2_6(lat, table):
    found = potential_radiation(np.array([lat]), MIDMONTH)[:, 0] * 0.0864
    np.testing.assert_allclose(found, table, atol=0.5)


def test_sun_equals_fao56_examples_8_and_9():
    day = np.array(["2001-09-03"], "datetime64[D]")
    assert potential_radiation(np.array([-20.0]), day)[0, 0] * 0.0864 == pytest.approx(
        32.2, abs=0.05
    )
    assert day_length(np.array([-20.0]), day)[0, 0] == pytest.approx(11.7, abs=0.05)


def test_polar_day_and_night():
    lat = np.array([-89.5, 89.5])
    days = np.array(["2000-06-21", "2000-12-21"], "datetime64[D]")
    np.testing.assert_array_equal(day_length(lat, days), [[0, 24], [24, 0]])
    radiation = potential_radiation(lat, days)
    assert radiation[0, 0] == 0 == radiation[1, 1]
    assert 500 < radiation[0, 1] < 560 and 500 < radiation[1, 0] < PREDICTORS["ssrd_pot"].valid_max


def test_energy_of_the_planet_is_a_quarter_of_the_solar_constant():
    lat = np.arange(-89.75, 90, 0.5)
    radiation = potential_radiation(lat, year_days(2001))
    mean = np.average(radiation.mean(axis=0), weights=np.cos(np.radians(lat)))
    assert mean == pytest.approx(SOLAR_CONSTANT / 4, rel=1e-3)


@given(st.floats(-89, 89), st.integers(1990, 2030))
def test_hemispheres_share_the_day_and_leap_years_have_366(lat, year):
    days = year_days(year)
    leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
    length = day_length(np.array([lat, -lat]), days)
    assert length.shape == (366 if leap else 365, 2)
    np.testing.assert_allclose(length.sum(axis=1), 24, atol=1e-4)


@pytest.mark.realdata
def test_real_era5_humidity_and_wind_agree(shared_data):
    import netCDF4

    with netCDF4.Dataset(shared_data / "era5" / "daily_surface_cancities_1990-1993.nc") as file:
        day = {name: file[name][:].filled(np.nan) for name in ("tas", "tdps", "uas", "vas")}
        humidity, units = file["hurs"][:].filled(np.nan), file["hurs"].units
        wind = file["sfcWind"][:].filled(np.nan)
    tas, dew = day["tas"] - 273.15, day["tdps"] - 273.15
    saturation = saturation_vapour_pressure(tas)
    expected = saturation * (1 - humidity / (1 if units in ("", "1") else 100))
    warm = tas > 5  # below, that file's humidity is over ice
    found = vpd_instant(tas, dew)
    np.testing.assert_allclose(found[warm], np.maximum(expected, 0)[warm], atol=0.15)
    np.testing.assert_allclose(wind_speed(day["uas"], day["vas"]), wind, atol=1e-3)
