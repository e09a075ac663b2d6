"""Products of others in their providers' layouts, and what is refused."""

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


def one(tmp_path, days=None, name="GPP", value=2.0, **options):
    """A file of one constant flux."""
    days = middle_of_months() if days is None else days
    field = np.full((len(days), len(LAT), len(LON)), value)
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
