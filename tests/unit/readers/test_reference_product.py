"""Reference products in the layouts of their providers, and refused ones."""

import netCDF4
import numpy as np
import pytest
from reference_files import centres, metaflux, middle_of_months, write_reference, xbase

from tamflux.errors import InputError
from tamflux.readers.reference_product import inspect_reference, open_reference

XBASE = {"name": "X-BASE", "variables": {"gpp": "GPP", "nee": "NEE"}}
METAFLUX = {"name": "MetaFlux", "variables": {"gpp": "GPP", "reco": "RECO"}}
LAT, LON = centres(30)


def north(month, lat, lon):
    """A flux that tells its cell and month."""
    return 1 + lat / 90 + (lon + 180) / 360 + month


def read(reference, files, flux):
    with open_reference(reference, files, flux, 2002) as opened:
        return opened, np.stack([field for _, field in opened.fields()])


def expected(lat, lon):
    grid = np.meshgrid(np.arange(12), lat, (lon + 180) % 360 - 180, indexing="ij")
    return north(*grid)


def one(tmp_path, days=None, name="GPP", value=2.0, field=None, **options):
    """A file of one flux, constant without a `field`."""
    days = middle_of_months() if days is None else days
    field = np.full((len(days), len(LAT), len(LON)), value) if field is None else field
    return [write_reference(tmp_path / "one.nc", {name: field}, LAT, LON, days, **options)]


def test_a_file_per_flux_from_the_north(tmp_path):
    files = xbase(tmp_path, north, lambda m, la, lo: -north(m, la, lo), step=10)
    opened, gpp = read(XBASE, files, "gpp")
    assert opened.lat[0] == -85 and opened.lon[0] == -175
    np.testing.assert_allclose(gpp, expected(opened.lat, opened.lon), rtol=1e-6)
    np.testing.assert_allclose(read(XBASE, files, "nee")[1], -gpp)
    assert opened.land.shape == (18, 36) and (opened.land == 1).all()


def test_eastern_longitudes_and_moles(tmp_path):
    files = metaflux(tmp_path, north, north, step=10)
    opened, reco = read(METAFLUX, files, "reco")
    assert opened.lon[0] == 5 and opened.lon[-1] == 355 and opened.land is None
    np.testing.assert_allclose(reco, expected(opened.lat, opened.lon), rtol=1e-5)


def test_eight_day_steps_are_shared_among_months(tmp_path):
    days = np.arange(0, 365, 8.0)
    opened, _ = read(XBASE, one(tmp_path, days), "gpp")
    assert opened.months.shape == (12, 46)
    lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    np.testing.assert_array_equal(opened.months.sum(1), lengths)
    np.testing.assert_array_equal(opened.months.sum(0), [8.0] * 45 + [5.0])
    assert opened.months[0, 3] == 7 and opened.months[1, 3] == 1  # 25 January to 1 February


def test_a_month_is_divided_by_its_days(tmp_path):
    files = one(tmp_path, value=62.0, units="gC m-2 month-1")
    _, gpp = read(XBASE, files, "gpp")
    np.testing.assert_allclose(gpp[:2, 0, 0], [2.0, 62 / 28], rtol=1e-6)


def test_one_file_of_several_years(tmp_path):
    days = np.concatenate([middle_of_months(2001), 365 + middle_of_months(2002)])
    field = np.repeat([1.0, 3.0], 12)[:, None, None] * np.ones((24, len(LAT), len(LON)))
    files = [write_reference(tmp_path / "all.nc", {"GPP": field}, LAT, LON, days, year=2001)]
    assert (read(XBASE, files, "gpp")[1] == 3).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"units": "mm h-1"}, "no known unit"),
        ({"units": None}, "name the unit in validation.references: units"),
        ({"name": "ET"}, "no such flux in 2002"),
        ({"days": middle_of_months() + 365}, "no such flux in 2002"),
        ({"days": np.arange(0, 300, 1.0)}, "do not cover the year"),
        ({"days": middle_of_months()[:11]}, "do not cover the year"),
        ({"days": np.arange(365.0), "units": "gC m-2 month-1"}, "needs monthly steps"),
    ],
)
def test_refused_from_the_header(tmp_path, options, words):
    files = one(tmp_path, **options)
    problems = inspect_reference({**XBASE, "variables": {"gpp": "GPP"}}, files, 2002)
    assert len(problems) == 1 and isinstance(problems[0], InputError)
    assert words in str(problems[0])


def test_the_configuration_may_name_a_unit_that_the_file_does_not(tmp_path):
    named = {**XBASE, "units": "kgC m-2 s-1"}
    _, gpp = read(named, one(tmp_path, value=2 / 8.64e7, units=None), "gpp")
    np.testing.assert_allclose(gpp, 2.0, rtol=1e-6)
    with pytest.raises(InputError, match="different units"):
        read(named, one(tmp_path), "gpp")


@pytest.mark.parametrize(("value", "units"), [(2.0, "kgC m-2 s-1"), (2 / 8.64e7, "gC m-2 d-1")])
def test_values_that_contradict_the_unit_are_refused(tmp_path, value, units):
    with pytest.raises(InputError, match="the unit of a reference product is probably wrong"):
        read(XBASE, one(tmp_path, value=value, units=units), "gpp")


def test_no_file_and_a_damaged_file(tmp_path):
    assert "no file" in str(inspect_reference(XBASE, [], 2002)[0])
    (path,) = one(tmp_path)
    whole = open(path, "rb").read()
    open(path, "wb").write(whole[: len(whole) // 2])
    assert "damaged" in str(inspect_reference(XBASE, [path], 2002)[0])


YEAR = np.arange(365)
SEASON = np.maximum(0, 8 * np.sin((YEAR - 90) / 365 * 2 * np.pi))
MONTHS = np.concatenate([[0], np.cumsum([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])])


def seasonal(tmp_path, starts, stops, stamps, bounds=None, year=2002):
    """A file whose steps hold the mean of `SEASON` over their days; `bounds` (step, 2)."""
    repeated = np.tile(SEASON, int(np.ceil(stops[-1] / 365)))
    means = [repeated[int(a) : int(b)].mean() for a, b in zip(starts, stops, strict=True)]
    field = np.broadcast_to(np.array(means)[:, None, None], (len(means), len(LAT), len(LON)))
    (path,) = one(tmp_path, stamps, field=field, year=year)
    if bounds is not None:
        with netCDF4.Dataset(path, "a") as file:
            file.createDimension("nv", 2)
            file["time"].bounds = "time_bnds"
            file.createVariable("time_bnds", "f8", ("time", "nv"))[:] = bounds
    return [path]


def monthly_means(files):
    opened, fields = read(XBASE, files, "gpp")
    assert (opened.months.sum(1) == np.diff(MONTHS)).all()
    return opened.months @ fields[:, 0, 0] / opened.months.sum(1)


TRUE_MONTHS = np.add.reduceat(SEASON, MONTHS[:-1]) / np.diff(MONTHS)
EIGHT_STARTS = np.arange(0, 365, 8.0)
EIGHT_STOPS = np.minimum(EIGHT_STARTS + 8, 365)


@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize(
    "stamps",
    [
        EIGHT_STARTS, EIGHT_STARTS + 4, EIGHT_STARTS + 3.5, (EIGHT_STARTS + EIGHT_STOPS) / 2,
        EIGHT_STOPS - 1, EIGHT_STOPS,
    ],
    ids=["start", "middle", "middle-inclusive", "short-last-middle", "last-day", "end"],
)  # fmt: skip
def test_eight_day_steps_stamped_anywhere_give_the_same_months(tmp_path, stamps, bounded):
    bounds = np.stack([EIGHT_STARTS, EIGHT_STOPS], axis=1) if bounded else None
    files = seasonal(tmp_path, EIGHT_STARTS, EIGHT_STOPS, stamps, bounds)
    np.testing.assert_allclose(monthly_means(files), TRUE_MONTHS, atol=0.04)


@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize("share", [0, 0.5, 1.0])
def test_months_stamped_at_their_end_are_not_the_next_month(tmp_path, share, bounded):
    starts, stops = MONTHS[:-1], MONTHS[1:]
    bounds = np.stack([starts, stops], axis=1) if bounded else None
    files = seasonal(tmp_path, starts, stops, starts + share * (stops - starts), bounds)
    np.testing.assert_allclose(monthly_means(files), TRUE_MONTHS, rtol=1e-6)


@pytest.mark.parametrize("stamps", [YEAR + 0.0, YEAR + 0.5, YEAR + 1.0])
def test_days_stamped_at_midnight_noon_or_the_next_midnight(tmp_path, stamps):
    files = seasonal(tmp_path, YEAR, YEAR + 1, stamps)
    np.testing.assert_allclose(monthly_means(files), TRUE_MONTHS, rtol=1e-6)


def test_end_stamps_of_several_years(tmp_path):
    """1 January of 2002 stamps December of 2001."""
    starts = np.concatenate([MONTHS[:-1] + 365 * k for k in range(3)])
    stops = np.concatenate([MONTHS[1:] + 365 * k for k in range(3)])
    files = seasonal(tmp_path, starts, stops, stops, year=2001)
    np.testing.assert_allclose(monthly_means(files), TRUE_MONTHS, rtol=1e-6)


def test_bounds_across_the_new_year_share_their_step(tmp_path):
    starts = np.arange(5, 760, 8.0)  # steps that do not begin anew on 1 January
    bounds = np.stack([starts, starts + 8], axis=1)
    files = seasonal(tmp_path, starts, starts + 8, starts, bounds, year=2001)
    np.testing.assert_allclose(monthly_means(files), TRUE_MONTHS, atol=0.1)


@pytest.mark.parametrize(
    ("starts", "stops", "stamps", "bounds", "words"),
    [
        # from February to December of the next year: starts, or ends of complete years
        (np.r_[MONTHS[1:], 365 + MONTHS[1:]], None, "start", None, "dated in two ways"),
        (EIGHT_STARTS, EIGHT_STOPS, "+2", None, "do not cover the year"),
        (EIGHT_STARTS, EIGHT_STOPS, "start", "next", "outside its bounds"),
        (EIGHT_STARTS, EIGHT_STOPS, "start", "short", "do not cover the year"),
    ],
)
def test_steps_that_could_be_dated_in_two_ways_are_refused(
    tmp_path, starts, stops, stamps, bounds, words
):
    if stops is None:
        starts, stops = starts[:-1], starts[1:]
    stamps = starts + (2.0 if stamps == "+2" else 0.0)
    if bounds is not None:
        shift, length = (8, 8) if bounds == "next" else (0, 5)
        bounds = np.stack([starts + shift, starts + shift + length], axis=1)
    files = seasonal(tmp_path, starts, stops, stamps, bounds)
    year = 2003 if words == "dated in two ways" else 2002
    (problem,) = inspect_reference({**XBASE, "variables": {"gpp": "GPP"}}, files, year)
    assert words in str(problem)


@pytest.mark.parametrize(("units", "full"), [(None, 1), ("1", 1), ("%", 100), ("percent", 100)])
def test_the_land_fraction_has_the_unit_that_the_file_states(tmp_path, units, full):
    (path,) = one(tmp_path, land_fraction=np.full((len(LAT), len(LON)), full / 2))
    with netCDF4.Dataset(path, "a") as file:
        if units:
            file["land_fraction"].units = units
    assert (read(XBASE, [path], "gpp")[0].land == 0.5).all()


@pytest.mark.parametrize(("units", "full"), [(None, 100), ("1", 100), ("km2", 0.5), ("%", 101)])
def test_a_land_fraction_without_a_known_unit_is_refused(tmp_path, units, full):
    (path,) = one(tmp_path, land_fraction=np.full((len(LAT), len(LON)), full))
    with netCDF4.Dataset(path, "a") as file:
        if units:
            file["land_fraction"].units = units
    with pytest.raises(InputError, match="land fraction of a reference product"):
        read(XBASE, [path], "gpp")


def test_a_repeated_meridian_is_refused(tmp_path):
    field = np.ones((12, len(LAT), 13))
    days = middle_of_months()
    path = write_reference(tmp_path / "x.nc", {"GPP": field}, LAT, np.arange(-180, 181, 30.0), days)
    with pytest.raises(InputError, match="repeats longitudes"):
        read(XBASE, [path], "gpp")
