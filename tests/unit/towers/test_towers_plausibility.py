"""Plausibility of towers: faults put into clean records, and real records that must pass."""

import numpy as np
import pandas as pd
import pytest

from tamflux.solar import potential_radiation, potential_radiation_at
from tamflux.towers.plausibility import (
    check_clock,
    drop_constant_runs,
    find_implausible_years,
    radiation_delays,
    radiation_problem,
    tiny_flux_problem,
)
from tamflux.towers.quality import Rejections

LAT, LON, OFFSET = 47.1, 11.3, 1.0


def clear_days(lat=LAT, n=730, seed=0):
    """Daily radiation under random clouds."""
    date = pd.date_range("2001-01-01", periods=n)
    potential = potential_radiation(np.array([lat]), date.to_numpy("datetime64[D]"))[:, 0]
    cloud = np.random.default_rng(seed).uniform(0.1, 0.78, n)
    return pd.DataFrame({"date": date, "ssrd": potential * cloud})


@pytest.mark.parametrize("lat", [-70.0, -35.0, 0.0, 20.0, 47.1, 68.0, 78.0])
def test_radiation_under_clouds_is_plausible_at_every_latitude(lat):
    assert radiation_problem(clear_days(lat), lat) == ("", False)


@pytest.mark.parametrize("lat", [-68.0, -35.0, 25.0, 47.1, 68.0])
def test_a_turned_latitude_is_found(lat):
    problem, misplaced = radiation_problem(clear_days(lat), -lat)
    assert misplaced and f"the coordinates (lat {-lat:g}) or the dates are wrong" in problem


def test_dates_off_by_half_a_year_are_found():
    days = clear_days()
    problem, misplaced = radiation_problem(
        days.assign(date=days["date"] + pd.Timedelta("182D")), LAT
    )
    assert misplaced and "the dates are wrong" in problem


def test_a_faulty_sensor_is_told_from_wrong_dates():
    days = clear_days()
    problem, misplaced = radiation_problem(days.assign(ssrd=days["ssrd"] * 1.9), LAT)
    assert not misplaced and problem.endswith("wrong sensor")


def half_hours(lat=LAT, lon=LON, offset=OFFSET, days=120, seed=0, late=0.0):
    """Local timestamps and radiation whose clock is `late` hours behind the sun."""
    time = pd.Series(pd.date_range("2003-03-01", periods=48 * days, freq="30min"))
    utc = time + pd.Timedelta(minutes=15) - pd.Timedelta(hours=offset + late)
    potential = potential_radiation_at(lat, lon, utc.to_numpy())
    cloud = np.random.default_rng(seed).uniform(0.2, 0.8, len(time))
    return time, pd.Series(potential * cloud)


@pytest.mark.parametrize(
    ("lat", "lon", "offset"),
    [(47.1, 11.3, 1), (-35.7, 148.2, 10), (38.4, -121.0, -8), (5, -60, -4)],
)
def test_the_displacement_of_a_clock_is_measured(lat, lon, offset):
    for late in (-5.0, -1.0, 0.0, 0.5, 1.0, 8.0):
        time, ssrd = half_hours(lat, lon, offset, late=late)
        delays = radiation_delays(time, ssrd, 48, lat, lon, offset)
        assert len(delays) == 120
        assert delays.median() == pytest.approx(late, abs=0.15)


@pytest.mark.parametrize("late", [-1.0, 1.0, 6.0, 11.5])
def test_a_wrong_time_zone_refuses_the_table(late):
    time, ssrd = half_hours(late=late)
    rejected = Rejections()
    problem, dates = check_clock(
        radiation_delays(time, ssrd, 48, LAT, LON, OFFSET), "AT-Neu", "file", rejected
    )
    word = "late" if late > 0 else "early"
    assert f"h {word} against the sun" in problem and "UTC offset" in problem
    assert dates.empty and rejected.to_frame().empty


def test_a_month_in_daylight_saving_time_and_a_shifted_day_are_set_aside():
    time, ssrd = half_hours(days=150)
    values = ssrd.to_numpy().copy()
    april = (time.dt.month == 4).to_numpy()
    values[april] = np.roll(values[april], 2)
    day = (time.dt.floor("D") == "2003-06-10").to_numpy()
    values[day] = np.roll(values[day], 10)
    rejected = Rejections()
    delays = radiation_delays(time, pd.Series(values), 48, LAT, LON, OFFSET)
    problem, dates = check_clock(delays, "AT-Neu", "file", rejected)
    assert problem == ""
    assert dates.tolist() == [
        *pd.date_range("2003-04-01", "2003-04-30"),
        pd.Timestamp("2003-06-10"),
    ]
    assert rejected.to_frame()["n"].tolist() == [1, 30]


def test_constant_radiation_says_nothing_of_the_clock():
    time, ssrd = half_hours(days=30)
    assert radiation_delays(time, ssrd * 0 + 200.0, 48, LAT, LON, OFFSET).empty


def test_half_clouded_days_stay():
    """A morning or an afternoon without sun is weather."""
    time, ssrd = half_hours(days=60)
    morning = ((time.dt.hour < 12) & (time.dt.dayofyear % 3 == 0)).to_numpy()
    problem, dates = check_clock(
        radiation_delays(time, ssrd.mask(morning, 5.0), 48, LAT, LON, OFFSET), "x", "", Rejections()
    )
    assert problem == "" and dates.empty


def test_annual_sums_of_parts_of_years_and_of_nearly_complete_ones():
    date = pd.date_range("2001-01-01", "2003-12-31")
    days = pd.DataFrame({"date": date, "gpp": 5.0, "nee": 3.0, "reco": 8.0})
    days.loc[days["date"].dt.year == 2002, "nee"] = 4.2  # 1,533 in all
    days.loc[(days["date"].dt.year == 2003), "gpp"] = 12.5  # 4,562
    missing = days["date"].between("2002-06-01", "2002-06-20")
    assert set(find_implausible_years(days[~missing])) == {2002, 2003}
    half = days[days["date"].dt.month < 6]
    assert find_implausible_years(half) == {}  # a strong season is no year
    strong = half.assign(nee=-15.0)
    assert set(find_implausible_years(strong)) == {2001, 2002, 2003}  # beyond it even so


@pytest.mark.parametrize(
    ("factor", "tiny"), [(1, False), (0.1, False), (1e-3, True), (12e-6, True)]
)
def test_fluxes_below_the_noise_of_a_measurement_have_a_wrong_unit(factor, tiny):
    """A quiet site, uptake of 1 umol m-2 s-1 at noon, with the noise of a sensor; mg and g too."""
    rng = np.random.default_rng(0)
    hour = np.arange(48 * 60) % 48 / 2
    nee = -np.clip(np.sin((hour - 6) / 12 * np.pi), 0, None) + rng.laplace(0, 0.5, len(hour))
    assert bool(tiny_flux_problem(pd.Series(factor * nee))) == tiny
    assert not tiny_flux_problem(pd.Series(np.full(3000, np.nan)))


def test_constant_runs_are_removed_and_zeros_stay():
    n = 100
    random = np.random.default_rng(0)
    days = pd.DataFrame({
        "date": pd.date_range("2001-01-01", periods=n), "gpp": 0.0, "reco": random.random(n) + 1,
        "nee": random.random(n), "t2m": random.normal(10, 5, n), "tp": 0.0, "ssrd": 150.0,
    })  # fmt: skip
    days.loc[20:31, "nee"] = 0.7  # 12 days
    days.loc[50:59, "t2m"] = 9.0  # 10 days: the longest that stays
    rejected = Rejections()
    clean = drop_constant_runs(days, "US-Ha1", "file", rejected)
    listed = {row.reason.split()[0]: row.n for row in rejected.to_frame().itertuples()}
    assert listed == {"nee": 12, "ssrd": 100}
    assert clean["nee"].isna().sum() == 12 and clean["ssrd"].isna().all()
    for name in ("gpp", "reco", "t2m", "tp"):
        pd.testing.assert_series_equal(clean[name], days[name])


@pytest.mark.realdata
def test_real_radiation_is_plausible_and_turned_latitudes_are_found(shared_data):
    columns = ["site_id", "date", "SW_IN"]
    table = pd.read_parquet(shared_data / "fluxnet2015" / "site_days.parquet", columns=columns)
    sites = pd.read_csv(shared_data / "fluxnet2015" / "sites.csv").set_index("site_id")
    found = []
    for site_id, days in table.rename(columns={"SW_IN": "ssrd"}).groupby("site_id"):
        lat = float(sites["lat"][site_id])
        assert radiation_problem(days, lat) == ("", False), site_id
        found.append((abs(lat), radiation_problem(days, -lat)[1]))
    turned = pd.DataFrame(found, columns=["lat", "found"])
    assert turned["found"].sum() == 148 and turned["found"][turned["lat"] > 25].all()


@pytest.mark.realdata
def test_real_years_beyond_the_limits(shared_data):
    """IT-Lav is known for it; all others have one or two such years at most."""
    columns = ["site_id", "date", "GPP_NT", "NEE"]
    table = pd.read_parquet(shared_data / "fluxnet2015" / "site_days.parquet", columns=columns)
    table = table.rename(columns={"GPP_NT": "gpp", "NEE": "nee"})
    years = {site: len(find_implausible_years(days)) for site, days in table.groupby("site_id")}
    beyond = {site: n for site, n in years.items() if n}
    assert beyond == {
        "AR-SLu": 2, "AR-Vir": 2, "IT-Col": 1, "IT-Lav": 12, "SN-Dhr": 1, "US-Me4": 1, "US-Wi2": 1,
    }  # fmt: skip
