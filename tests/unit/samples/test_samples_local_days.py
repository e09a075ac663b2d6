"""Local days from UTC days, against integrals of hourly weather with a diurnal cycle."""

import numpy as np
import pytest

from tamflux.samples.local_days import combine_local_days
from tamflux.solar import potential_radiation, potential_radiation_at

DAYS = np.arange("2004-01-01", "2005-01-01", dtype="datetime64[D]")
VARIABLES = ("t2m", "t2m_min", "t2m_max", "ssrd", "tp", "vpd", "ndvi")
TOWERS = {"UTC+10": (-35.7, 148.2, 10.0), "UTC-8": (38.4, -121.0, -8.0)}  # Tumbarumba, Vaira


def hourly(lat, lon, offset, random, sky_days=None):
    """(hour,) UTC hours with days before and after, and weather that varies at random.

    Fronts and clouds are first-order autoregressions in time, and it rains in bursts of six hours.
    With `sky_days` the sky is equally clear within days that begin so many hours before UTC days,
    and independent between them.
    """
    first, last = DAYS[0] - 2, DAYS[-1] + 3
    hours = np.arange(first, last, np.timedelta64(1, "h")).astype("datetime64[h]")
    middle = hours.astype("datetime64[m]") + 30
    n = len(hours)
    minutes = [hours.astype("datetime64[m]") + m for m in range(5, 60, 10)]
    potential = np.mean([potential_radiation_at(lat, lon, t) for t in minutes], axis=0)
    local = middle + np.timedelta64(int(offset * 60), "m")
    front, clouds = np.zeros(n), np.zeros(n)  # lasting 66 h and 24 h
    for hour in range(1, n):
        front[hour] = 0.985 * front[hour - 1] + random.normal(0, 0.55)
        clouds[hour] = 0.96 * clouds[hour - 1] + random.normal(0, 0.28)
    if sky_days is None:
        sky = 0.5 + 0.3 * np.tanh(clouds)
    else:
        shift = np.timedelta64(int(sky_days * 60), "m")
        number = ((middle + shift).astype("datetime64[D]") - first).astype(int) + 1
        sky = random.uniform(0.2, 0.8, number.max() + 1)[number]
    ssrd = sky * potential
    clock = ((local - local.astype("datetime64[D]")).astype(float) / 60) % 24
    t2m = 12 + front + 6 * np.cos(2 * np.pi * (clock - 15) / 24)
    vpd = np.maximum(6 + 0.5 * (t2m - 12), 0.1)
    burst = np.repeat(random.random(n // 6 + 1) < 0.06, 6)[:n]
    tp = np.where(burst, random.gamma(1, 20, n), 0.0)
    return hours, {"t2m": t2m, "ssrd": ssrd, "tp": tp, "vpd": vpd}


def daily(hours, weather, shift):
    """(day, variable) exact daily values of days that begin `shift` hours before UTC days."""
    start = np.flatnonzero(hours == DAYS[0].astype("datetime64[h]") - int(shift))[0]
    block = {name: v[start : start + 24 * len(DAYS)].reshape(-1, 24) for name, v in weather.items()}
    table = {
        "t2m": block["t2m"].mean(1), "t2m_min": block["t2m"].min(1), "t2m_max": block["t2m"].max(1),
        "ssrd": block["ssrd"].mean(1), "tp": block["tp"].mean(1), "vpd": block["vpd"].mean(1),
        "ndvi": np.arange(len(DAYS)),
    }  # fmt: skip
    return np.stack([table[name] for name in VARIABLES], axis=1)


@pytest.mark.parametrize("tower", TOWERS)
def test_local_days_are_nearer_to_the_exact_integrals_than_utc_days(tower):
    lat, lon, offset = TOWERS[tower]
    hours, weather = hourly(lat, lon, offset, np.random.default_rng(0))
    utc, exact = daily(hours, weather, 0), daily(hours, weather, offset)
    combined, complete = combine_local_days(utc, VARIABLES, DAYS, lat, lon, offset)
    assert complete.sum() == len(DAYS) - 1 and not complete[0 if offset > 0 else -1]
    before = np.sqrt(np.mean((utc - exact)[complete] ** 2, axis=0))
    after = np.sqrt(np.mean((combined - exact)[complete] ** 2, axis=0))
    figures = {name: (b, a) for name, b, a in zip(VARIABLES, before, after, strict=True)}
    print(tower, {name: f"{b:.2f} -> {a:.2f}" for name, (b, a) in figures.items()})
    for name in ("t2m", "vpd", *(["t2m_min"] if offset > 0 else [])):
        assert figures[name][1] < 0.75 * figures[name][0], (name, figures[name])
    assert figures["tp"][1] < 0.9 * figures["tp"][0]
    assert figures["t2m_min"][1] <= figures["t2m_min"][0]  # at UTC-8 both nights are the same
    assert figures["t2m_max"][1] == figures["t2m_max"][0]  # the afternoon has the same date
    assert figures["ndvi"] == (0, 0)


@pytest.mark.parametrize("tower", TOWERS)
def test_a_repeated_diurnal_cycle_is_exact(tower):
    """The same cycle every day: means of local and of UTC days are equal, and stay so."""
    lat, lon, offset = TOWERS[tower]
    hours, weather = hourly(lat, lon, offset, np.random.default_rng(1))
    clock = (hours - hours.astype("datetime64[D]")).astype(int)
    weather["t2m"] = 10 + 8 * np.sin(2 * np.pi * clock / 24)
    weather["tp"] = np.where(clock == 3, 2.0, 0.1)
    utc, exact = daily(hours, weather, 0), daily(hours, weather, offset)
    combined, complete = combine_local_days(utc, VARIABLES, DAYS, lat, lon, offset)
    for name in ("t2m", "t2m_min", "t2m_max", "tp"):
        column = VARIABLES.index(name)
        np.testing.assert_allclose(combined[complete, column], exact[complete, column], rtol=1e-9)


@pytest.mark.parametrize("tower", TOWERS)
def test_radiation_under_an_equally_clear_sky_is_exact(tower):
    lat, lon, offset = TOWERS[tower]
    hours, weather = hourly(lat, lon, offset, np.random.default_rng(2), sky_days=0)
    utc, exact = daily(hours, weather, 0), daily(hours, weather, offset)
    combined, complete = combine_local_days(utc, VARIABLES, DAYS, lat, lon, offset)
    column = VARIABLES.index("ssrd")
    np.testing.assert_allclose(combined[complete, column], exact[complete, column], atol=1.0)
    assert np.abs(utc - exact)[complete, column].max() > 20


@pytest.mark.parametrize("tower", TOWERS)
def test_radiation_of_local_days_with_a_sky_of_their_own_is_no_better(tower):
    """The limit of daily input: if the sky changes at local midnight alone, weights add noise.

    With s the share of the daylight in the other UTC day, the error of the UTC day of the same date
    is s (c[D + 1] - c[D]) in the clearness c, and that of the weighted days
    s (1 - s) (c[D - 1] + c[D + 1] - 2 c[D]): larger for s below 0.42, without bias.
    """
    lat, lon, offset = TOWERS[tower]
    hours, weather = hourly(lat, lon, offset, np.random.default_rng(4), sky_days=offset)
    utc, exact = daily(hours, weather, 0), daily(hours, weather, offset)
    combined, complete = combine_local_days(utc, VARIABLES, DAYS, lat, lon, offset)
    column = VARIABLES.index("ssrd")
    before, after = (np.std((x - exact)[complete, column]) for x in (utc, combined))
    assert 1 < after / before < np.sqrt(3)
    assert np.mean((combined - exact)[complete, column]) == pytest.approx(0, abs=3)


def test_daily_means_of_the_hourly_potential_are_the_daily_potential():
    for lat in (-66.0, -35.7, 0.0, 38.4, 71.0):
        times = np.arange(DAYS[0], DAYS[0] + 366, np.timedelta64(10, "m")).astype("datetime64[m]")
        mean = potential_radiation_at(lat, 0.0, times + 5).reshape(366, -1).mean(1)
        np.testing.assert_allclose(mean, potential_radiation(np.array([lat]), DAYS)[:, 0], atol=2.5)


def test_without_offset_nothing_changes():
    x = np.random.default_rng(0).normal(size=(366, 7))
    for offset in (0.0, np.nan):
        same, complete = combine_local_days(x, VARIABLES, DAYS, 50.0, 8.0, offset)
        assert same is x and complete.all()


def test_a_missing_day_makes_both_local_days_missing():
    x = np.ones((366, 7))
    x[10] = np.nan
    east, _ = combine_local_days(x, VARIABLES, DAYS, -35.7, 148.2, 10.0)
    assert np.flatnonzero(np.isnan(east[:, 0])).tolist() == [10, 11]
    assert np.flatnonzero(np.isnan(east[:, 1])).tolist() == [11]  # the night of the 11th
