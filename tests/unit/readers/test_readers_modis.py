"""MODIS CMG files: values against brute force, bad input against its message."""

import zipfile
from contextlib import nullcontext

import numpy as np
import pytest
from hdf4_writer import mcd43c4_name, write_hdf4, write_mcd43c4, write_mod09cmg
from pyhdf.SD import SD, SDC

from tamflux.errors import InputError
from tamflux.grid import Grid
from tamflux.readers.hdf4 import (
    field_attributes,
    field_names,
    open_field,
    open_hdf4,
    read_field,
)
from tamflux.readers.landcover import open_land_cover
from tamflux.readers.modis import SCALE, inspect_modis, read_composite, state_is_clear
from tamflux.readers.modis_files import (
    composite_date,
    modis_files_of_year,
    near_year,
    select_composites,
)
from tamflux.readers.modis_metadata import check_collection_names, read_collection, read_granule

GRID = Grid(30.0)
SHAPE = (12, 24)  # pixels of 15 degrees, 2 x 2 a cell
DIGITAL_NUMBERS = np.arange(12 * 24).reshape(SHAPE) + 100
BANDS = (1, 2)


def refused(path, product="MCD43C4", grid=GRID, bands=BANDS):
    with pytest.raises(InputError) as error:
        read_composite(path, product, bands, grid)
    message = str(error.value)
    assert path.name in message and "fix:" in message
    return message


@pytest.mark.parametrize(
    ("name", "date"),
    [
        ("MCD43C4.A2019001.061.2020286183652.hdf", "2019-01-01"),
        ("MOD09CMG.A2020366.061.2021001000000.hdf", "2020-12-31"),
        ("MCD43C4.A2019060.061.x.hdf", "2019-03-01"),
    ],
)
def test_date_is_in_the_name(name, date):
    assert composite_date(name) == np.datetime64(date)


@pytest.mark.parametrize("name", ["mcd43c4_2019.hdf", "M.A2019366.061.hdf", "M.A2019000.061.hdf"])
def test_name_without_a_date_is_refused(name):
    with pytest.raises(InputError, match="holds no date"):
        composite_date(name)


def test_rows_turn_south_first_and_the_box_is_cut_out(tmp_path):
    path = write_mcd43c4(tmp_path, "2003-01-01", DIGITAL_NUMBERS)
    composite, factor = read_composite(path, "MCD43C4", BANDS, GRID)
    assert factor == 2
    assert np.array_equal(composite.digital_numbers[1], DIGITAL_NUMBERS[::-1])
    box = Grid(30.0, (-30, 0, 60, 60))
    part, _ = read_composite(path, "MCD43C4", BANDS, box)
    assert np.array_equal(part.digital_numbers[2], DIGITAL_NUMBERS[2:6, 10:16][::-1])


def test_quality_and_fill_are_applied_and_snow_stays(tmp_path):
    numbers = np.stack([DIGITAL_NUMBERS] * 7)
    numbers[1, 3, 5] = 32767  # one band missing: the pixel is not valid in any
    quality = np.zeros(SHAPE)
    quality[0, :6] = [0, 1, 2, 3, 4, 255]
    path = write_mcd43c4(tmp_path, "2003-01-01", numbers, quality)
    valid = read_composite(path, "MCD43C4", BANDS, GRID)[0].valid[::-1]
    expected = np.isin(quality, [0, 1, 2, 3])
    expected[3, 5] = False
    assert np.array_equal(valid, expected)


def test_the_other_name_of_the_quality_is_known(tmp_path):
    fields = {f"Nadir_Reflectance_Band{b}": DIGITAL_NUMBERS.astype(np.int16) for b in range(1, 8)}
    fields["Albedo_Quality"] = np.full(SHAPE, 4, np.uint8)
    path = write_hdf4(tmp_path / mcd43c4_name("2003-01-01"), fields, fill=32767)
    assert not read_composite(path, "MCD43C4", BANDS, GRID)[0].valid.any()


STATES = {
    "clear land": (0b1000, True),
    "cloud state not set": (0b1011, True),
    "coast": (0b10000, True),
    "snow": (0b1000 | 1 << 12 | 1 << 15, True),
    "average aerosol": (0b1000 | 2 << 6, True),
    "average cirrus": (0b1000 | 2 << 8, True),
    "cloudy": (0b1001, False),
    "mixed": (0b1010, False),
    "shadow": (0b1100, False),
    "high aerosol": (0b1000 | 3 << 6, False),
    "high cirrus": (0b1000 | 3 << 8, False),
    "internal cloud": (0b1000 | 1 << 10, False),
    "deep ocean": (7 << 3, False),
    "fill": (0, False),
}


def test_state_bits_of_mod09cmg(tmp_path):
    state = np.full(SHAPE, 0b1000)
    state[0, : len(STATES)] = [bits for bits, _ in STATES.values()]
    path = write_mod09cmg(tmp_path, "2003-01-01", DIGITAL_NUMBERS, state)
    valid = read_composite(path, "MOD09CMG", BANDS, GRID)[0].valid[::-1]
    assert dict(zip(STATES, valid[0], strict=False)) == {k: v for k, (_, v) in STATES.items()}
    assert valid[1:].all()


def test_internal_cloud_mask_of_mod09cmg(tmp_path):
    mask = np.full(SHAPE, 0b10)
    mask[0, :3] = [0b1, 0b10 | 1 << 8, 0b10 | 1 << 4]  # cloudy, shadow, snow
    path = write_mod09cmg(tmp_path, "2003-01-01", DIGITAL_NUMBERS, cloud_mask=mask)
    valid = read_composite(path, "MOD09CMG", BANDS, GRID)[0].valid[::-1]
    assert valid[0, :4].tolist() == [False, False, True, True]


def test_state_is_clear_for_unsigned_arrays():
    assert state_is_clear(np.array([0, 1, 2, 3, 4, 1 << 10], np.uint16)).tolist() == [
        True, False, False, True, False, False,
    ]  # fmt: skip


def test_empty_and_foreign_files(tmp_path):
    empty = tmp_path / mcd43c4_name("2003-01-01")
    empty.touch()
    assert "is empty" in refused(empty)
    foreign = tmp_path / mcd43c4_name("2003-01-09")
    foreign.write_bytes(b"<html>log in first</html>" * 100)
    assert "is not HDF4" in refused(foreign)
    assert "does not exist" in refused(tmp_path / mcd43c4_name("2003-01-17"))


@pytest.mark.parametrize("share", [0.001, 0.05, 0.3, 0.6, 0.9, 0.999])
def test_truncated_file(tmp_path, share):
    path = write_mcd43c4(tmp_path, "2003-01-01", np.full((60, 120), 500))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert "damaged or cut short" in refused(path)
    with pytest.raises(InputError, match="cut short"), open_hdf4(path):
        pass


def test_missing_data_set_lists_what_is_there(tmp_path):
    path = write_hdf4(
        tmp_path / mcd43c4_name("2003-01-01"), {"LST_Day_CMG": DIGITAL_NUMBERS.astype(np.uint16)}
    )
    message = refused(path)
    assert "Nadir_Reflectance_Band1" in message and "LST_Day_CMG" in message


@pytest.mark.parametrize("shape", [(12, 12), (10, 20), (8, 16)])
def test_wrong_grid(tmp_path, shape):
    path = write_mcd43c4(tmp_path, "2003-01-01", np.full(shape, 500))
    message = refused(path)
    assert "grid" in message and f"{shape[0]} x {shape[1]}" in message


@pytest.mark.parametrize("scale", [0.0001, 10000.0])
def test_both_ways_to_write_the_scale_are_known(tmp_path, scale):
    path = write_mcd43c4(tmp_path, "2003-01-01", DIGITAL_NUMBERS, scale=scale)
    assert read_composite(path, "MCD43C4", BANDS, GRID)[0].valid.all()


def test_wrong_scale_and_fill(tmp_path):
    path = write_mcd43c4(tmp_path, "2003-01-01", DIGITAL_NUMBERS, scale=0.001)
    assert "another scale" in refused(path) and "0.001" in refused(path)
    path = write_mcd43c4(tmp_path, "2003-01-01", DIGITAL_NUMBERS, fill=-28672)
    assert "another fill value" in refused(path)


def test_unmasked_fill_value(tmp_path):
    numbers = DIGITAL_NUMBERS.copy()
    numbers[:3] = -28672
    message = refused(write_mcd43c4(tmp_path, "2003-01-01", numbers))
    assert "not masked" in message and "-28672" in message and "Band1" in message


def test_a_stray_value_out_of_range_is_dropped(tmp_path):
    numbers = DIGITAL_NUMBERS.copy()
    numbers[0, 0] = 20000
    path = write_mcd43c4(tmp_path, "2003-01-01", numbers)
    valid = read_composite(path, "MCD43C4", BANDS, GRID)[0].valid
    assert not valid[-1, 0] and valid.sum() == valid.size - 1


def test_field_missing_everywhere(tmp_path):
    numbers = np.full(SHAPE, 32767)
    assert "missing everywhere" in refused(write_mcd43c4(tmp_path, "2003-01-01", numbers))
    numbers[0, 0] = 500  # elsewhere there is a value: the box is in the polar night
    path = write_mcd43c4(tmp_path, "2003-01-09", numbers)
    box = Grid(30.0, (0, 0, 30, 30))
    assert not read_composite(path, "MCD43C4", BANDS, box)[0].valid.any()


def test_name_and_metadata_must_agree(tmp_path):
    metadata = "\n".join(
        f'OBJECT = {key}\n NUM_VAL = 1\n VALUE = "{day}"\nEND_OBJECT = {key}'
        for key, day in {
            "RANGEBEGINNINGDATE": "2002-12-24", "RANGEENDINGDATE": "2003-01-08",
        }.items()
    )  # fmt: skip
    options = {"attributes": {"CoreMetadata.0": metadata}}
    path = write_mcd43c4(tmp_path, "2003-01-01", DIGITAL_NUMBERS, **options)
    read_composite(path, "MCD43C4", BANDS, GRID)
    assert "2002-12-24 to 2003-01-08" in refused(
        write_mcd43c4(tmp_path, "2003-02-01", DIGITAL_NUMBERS, **options)
    )


def names(first, last, step=8):
    return [mcd43c4_name(day) for day in np.arange(first, last, step, dtype="datetime64[D]")]


def test_64_days_before_and_the_january_after_take_part():
    files = names("2002-01-01", "2005-01-01", 1)
    dates = [composite_date(path) for path in near_year(files, 2003)]
    assert min(dates) == np.datetime64("2003-01-01") - 64
    assert max(dates) == np.datetime64("2004-01-31")
    assert list(select_composites(files, 2003)) == sorted(dates)


def test_doubles_gaps_and_empty_years():
    year = names("2003-01-01", "2004-01-01")
    double = year[3].replace("2022001000000", "2023001000000")
    with pytest.raises(InputError, match="2003-01-25 is also in"):
        select_composites([*year, double], 2003)
    with pytest.raises(InputError, match="no file of 2004"):
        select_composites(year, 2004)
    with pytest.raises(InputError, match="no file from 2003-01-01 to 2003-04-07"):
        select_composites(year[12:], 2003)
    with pytest.raises(InputError, match="no file from 2003-02-26 to 2003-05-17"):
        select_composites([*year[:8], *year[17:]], 2003)
    with pytest.raises(InputError, match="2003-10-08 to 2003-12-31"):
        select_composites(year[:36], 2003)
    assert len(select_composites(names("2000-02-24", "2001-01-01"), 2000)) == 39  # launch of Terra


def test_inspection_lists_every_problem(tmp_path):
    days = np.arange("2003-01-01", "2004-01-01", 61, dtype="datetime64[D]")
    files = [write_mcd43c4(tmp_path, day, DIGITAL_NUMBERS) for day in days]
    assert inspect_modis(files, "MCD43C4", 2003, GRID) == []
    files[1].write_bytes(b"no")
    write_mcd43c4(tmp_path, days[2], DIGITAL_NUMBERS, scale=1.0)
    problems = inspect_modis(files[:-2], "MCD43C4", 2003, GRID)
    text = "\n".join(map(str, problems))
    assert len(problems) == 3
    assert all(part in text for part in ("files are missing", "is not HDF4", "another scale"))


def with_metadata(path, **values):
    """Give a file ECS metadata; returns the path."""
    text = "".join(
        f"  OBJECT = {key}\n    NUM_VAL = 1\n    VALUE = {value}\n  END_OBJECT = {key}\n"
        for key, value in values.items()
    )
    file = SD(str(path), SDC.WRITE)
    file.attr("CoreMetadata.0").set(SDC.CHAR, text)
    file.end()
    return path


def year_of_files(folder, versions, **options):
    """A file every 60 days, with the collections in their metadata."""
    files = []
    for number, version in enumerate(versions):
        path = write_mcd43c4(folder, np.datetime64("2003-01-01") + 60 * number, DIGITAL_NUMBERS)
        if version is not None:
            with_metadata(path, SHORTNAME='"MCD43C4"', VERSIONID=version, **options)
        files.append(path)
    return files


def test_mixed_collections_are_refused_by_their_metadata(tmp_path):
    """Files of collection 6 under names of 6.1, and names of 6 without metadata."""
    assert inspect_modis(year_of_files(tmp_path / "a", [61] * 7), "MCD43C4", 2003, GRID) == []
    (problem, *more) = inspect_modis(
        year_of_files(tmp_path / "b", [61, 61, 6, 61, 61, 61, 61]), "MCD43C4", 2003, GRID
    )
    assert "collection" in problem.what and "061 in the name" in str(problem) and not more
    files = year_of_files(tmp_path / "c", [None] * 7)
    files[2] = files[2].rename(files[2].with_name(files[2].name.replace(".061.", ".006.")))
    (problem,) = inspect_modis(files, "MCD43C4", 2003, GRID)
    assert "several collections" in problem.what and "1 of 006, 6 of 061" in str(problem)


def test_the_collection_is_believed_where_the_name_has_none(tmp_path):
    files = [
        path.rename(path.with_name(path.name.replace(".061.", ".")))
        for path in year_of_files(tmp_path, [6, 61, 61, 61, 61, 61, 61], PGEVERSION='"6.0.39"')
    ]
    (problem,) = inspect_modis(files, "MCD43C4", 2003, GRID)
    assert "several collections" in problem.what
    assert read_collection(files[1:], "MCD43C4") == (61, ["6.0.39"])


@pytest.mark.parametrize("short_name", ["MCD43C1", "MYD09CMG"])
def test_another_product_under_the_name_is_refused(tmp_path, short_name):
    path = write_mcd43c4(tmp_path, "2003-01-01", DIGITAL_NUMBERS)
    with_metadata(path, SHORTNAME=f'"{short_name}"', VERSIONID=61)
    assert f"found: {short_name}" in refused(path)


def test_aqua_is_read_as_terra_under_its_own_name(tmp_path):
    path = write_mod09cmg(tmp_path, "2003-01-01", DIGITAL_NUMBERS)
    path = path.rename(path.with_name(path.name.replace("MOD09", "MYD09")))
    with_metadata(path, SHORTNAME='"MYD09CMG"', VERSIONID=61)
    read_composite(path, "MOD09CMG", (1,), GRID)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("pattern", "product", "collection", "version", "first", "last"),
    [
        ("MCD43A3*", "MCD43A3", 6, "6.0.39", "2017-07-10", "2017-07-25"),
        ("MCD12Q1*", "MCD12Q1", 6, "6.0.4", "2001-01-01", "2001-12-31"),
        ("MOD13A2*", "MOD13A2", None, None, None, None),  # without its core metadata
    ],
)
def test_metadata_of_real_files(shared_data, pattern, product, collection, version, first, last):
    """Values as `ncdump -h` shows them."""
    path = next((shared_data / "modis").glob(pattern))
    with open_hdf4(path) as file:
        granule = read_granule(file, path, product)
        assert (granule.collection, granule.processing_version) == (collection, version)
        assert (str(granule.first or ""), str(granule.last or "")) == (first or "", last or "")
        with pytest.raises(InputError, match="another product") if version else nullcontext():
            read_granule(file, path, "MCD43C4")


@pytest.mark.realdata
def test_windows_of_a_real_file_are_parts_of_it(shared_data):
    """Chunked and compressed data, read whole by pyhdf and in windows by us."""
    path = next((shared_data / "modis").glob("MCD43A3*"))
    whole = SD(str(path)).select("Albedo_WSA_vis")[:]
    with open_hdf4(path) as file, open_field(file, path, "Albedo_WSA_vis") as read:
        assert field_attributes(file, path, "Albedo_WSA_vis")["scale_factor"] == 0.001
        for rows in (slice(0, 7), slice(1200, 1300), slice(2390, 2400)):
            np.testing.assert_array_equal(read(rows), whole[rows])
            np.testing.assert_array_equal(read(rows, slice(5, 9)), whole[rows, 5:9])
    valid = whole[whole != 32767]
    assert 0.02 < np.median(valid) * 0.001 < 0.3  # visible white-sky albedo of land in July


@pytest.mark.realdata
def test_a_real_tile_is_no_global_file(shared_data):
    path = next((shared_data / "modis").glob("MCD12Q1*"))
    with pytest.raises(InputError) as error, open_land_cover(path):
        pass
    assert "Majority_Land_Cover_Type_1" in str(error.value) and "LC_Type1" in str(error.value)
    with open_hdf4(path) as file:
        codes = np.unique(read_field(file, path, "LC_Type1"))
    assert {*codes.tolist()} <= {*range(1, 18), 255}


@pytest.mark.realdata
@pytest.mark.parametrize(("pattern", "field"), [("MOD09A1*", "sur_refl_b01"), ("MOD11B2*", None)])
def test_real_zipped_tiles(shared_data, tmp_path, pattern, field):
    path = next((shared_data / "modis").glob(pattern))
    with zipfile.ZipFile(path) as archive:
        path = tmp_path / archive.extract(archive.namelist()[0], tmp_path)
    with open_hdf4(path) as file:
        names = field_names(file, path)
        for name in [field] if field else names[:2]:
            expected = SD(str(path)).select(name)[:]
            np.testing.assert_array_equal(read_field(file, path, name), expected)
        if field:
            reflectance = read_field(file, path, field) * SCALE
            valid = reflectance[(reflectance > -0.01) & (reflectance < 1.6)]
            assert 0.01 < np.median(valid) < 0.3  # red reflectance over the Alps in July


def test_a_later_product_year_does_not_count_and_a_training_year_does():
    def find(year):
        return names(f"{year}-01-01", f"{year + 1}-01-01")

    def last_day(**years):
        files = modis_files_of_year(
            find, 2003, {"train": [], "product": [], "lookback": []} | years
        )
        assert composite_date(files[0]).astype(object).year == (
            2002 if "lookback" in years else 2003
        )
        return str(composite_date(files[-1]))

    assert last_day(product=[2003, 2004]) == last_day(product=[2003]) == "2003-12-27"
    assert last_day(train=[2003], product=[2004], lookback=[2002]) == "2003-12-27"
    assert last_day(train=[2004], product=[2003], lookback=[2002]) == "2004-01-25"


def test_copies_of_january_beside_the_files_of_a_year_count_for_it_alone():
    january = names("2004-01-01", "2004-02-01")

    def find(year):
        return names(f"{year}-01-01", f"{year + 1}-01-01") + (january if year == 2003 else [])

    years = {"train": [2002], "product": [2003, 2004], "lookback": []}
    assert str(composite_date(modis_files_of_year(find, 2003, years)[-1])) == "2004-01-25"
    of_2004 = select_composites(modis_files_of_year(find, 2004, years), 2004)  # no day comes twice
    assert str(min(of_2004)) == "2003-11-01"


def test_collections_of_years_that_do_not_touch_are_compared():
    names = [f"/data/MCD43C4.A{year}001.{{}}.2022001000000.hdf" for year in (2001, 2010)]
    check_collection_names([names[0].format("061"), names[1].format("061"), "other.hdf"])
    with pytest.raises(InputError, match="several collections"):
        check_collection_names([names[0].format("061"), names[1].format("006")])
