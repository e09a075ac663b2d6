import csv
import io

import numpy as np
import pytest

from tamflux.errors import InputError
from tamflux.readers.oneflux.archive import list_members
from tamflux.readers.oneflux.names import parse_name
from tamflux.readers.oneflux.tables import read_first_timestamp, read_table

DAILY = "FLX_US-Ha1_FLUXNET2015_FULLSET_DD_2001-2002_1-4.csv"


def write(tmp_path, text, name=DAILY):
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    (member,) = list_members(path)
    return member, parse_name(name)


def read(tmp_path, text, name=DAILY):
    return read_table(*write(tmp_path, text, name))


def triple(variant, qc=True):
    columns = [f"NEE_{variant}", f"GPP_NT_{variant}", f"RECO_NT_{variant}"]
    return columns + ([f"NEE_{variant}_QC"] if qc else [])


def table(*rows, columns):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["TIMESTAMP", *columns], *rows])
    return text.getvalue()


def test_ustar50_goes_before_ref_and_the_triple_is_of_one_variant(tmp_path):
    text = table(
        [20010101, 9, 9, 9, 0.1, 9, -1, 3, 2, 0.9],
        columns=[*triple("VUT_REF"), "NEE_VUT_USTAR50_RANDUNC", *triple("VUT_USTAR50")],
    )
    result = read(tmp_path, text)
    assert result.variant == "VUT_USTAR50"
    row = result.frame.iloc[0]
    assert (row.nee, row.gpp, row.reco, row.flag) == (-1, 3, 2, 0.9)


def test_a_variant_without_values_is_passed_over(tmp_path):
    text = table(
        [20010101, -9999, -9999, -9999, -9999, -1, 3, 2, 0.9],
        columns=[*triple("VUT_REF"), *triple("CUT_REF")],
    )
    assert read(tmp_path, text).variant == "CUT_REF"


def test_a_complete_triple_goes_before_nee_alone(tmp_path):
    text = table(
        [20010101, -2, 0.5, -1, 3, 2, 0.9],
        columns=["NEE_VUT_USTAR50", "NEE_VUT_USTAR50_QC", *triple("VUT_REF")],
    )
    assert read(tmp_path, text).variant == "VUT_REF"


def test_nee_alone_is_read_where_there_is_no_partitioning(tmp_path):
    result = read(tmp_path, table([20010101, -2, 0.5], columns=["NEE_VUT_REF", "NEE_VUT_REF_QC"]))
    assert result.frame["nee"].tolist() == [-2]
    assert result.frame["gpp"].isna().all()


def base_table(tmp_path, **columns):
    """An AmeriFlux BASE table of as many half-hours as the columns have values."""
    n = len(next(iter(columns.values())))
    start = np.datetime64("2011-01-01T00:00") + np.arange(n) * np.timedelta64(30, "m")
    stamps = [str(s).translate(str.maketrans("", "", "-T:")) for s in start]
    lines = [",".join(["TIMESTAMP_START", *columns])]
    for stamp, *values in zip(stamps, *columns.values(), strict=True):
        lines.append(",".join([stamp, *map(str, values)]))
    return read(tmp_path, "\n".join(lines) + "\n", "AMF_US-CRT_BASE_HH_2-5.csv")


def test_nee_of_base_is_nee_pi_else_fc_at_each_time_step(tmp_path):
    missing = -9999
    result = base_table(
        tmp_path, FC=[1, 2, 3, missing, 5], NEE_PI=[missing, -2, missing, missing, -5]
    )
    np.testing.assert_array_equal(result.frame["nee"], [1, -2, 3, np.nan, -5])
    assert result.variant == "NEE_PI + FC"
    assert result.unused == (("FC not used where NEE_PI has a value", 2),)


def test_meteorology_of_base_is_chosen_at_each_time_step(tmp_path):
    missing = -9999
    result = base_table(
        tmp_path, FC=[1, 1, 1], TA=[missing, 11, missing], TA_PI=[missing, 21, 22],
        TA_1_1_1=[30, 31, missing], TA_PI_F=[9, 9, 9],
    )  # fmt: skip
    assert result.frame["t2m"].tolist() == [30, 11, 22]
    assert dict(result.unused) == {
        "TA_PI not used where TA has a value": 1,
        "TA_1_1_1 not used where TA or TA_PI has a value": 1,
    }


def test_sensors_of_base_with_positions(tmp_path):
    result = base_table(tmp_path, FC_1_1_1=[4, 5], NEE_PI_1_1_1=[-9999, -5])
    assert result.frame["nee"].tolist() == [4, -5]
    assert result.variant == "NEE_PI_1_1_1 + FC_1_1_1"


def test_a_variant_with_few_values_does_not_hide_a_complete_one(tmp_path):
    rows = [[20010101 + day, -9999, -9999, -9999, -1, 3, 2] for day in range(10)]
    rows[4][1:4] = -9, 9, 0
    columns = triple("VUT_USTAR50", qc=False) + triple("VUT_REF", qc=False)
    result = read(tmp_path, table(*rows, columns=columns))
    assert result.variant == "VUT_REF" and result.frame["nee"].tolist() == [-1] * 10
    assert result.unused == ()


def test_steps_that_only_another_variant_has_are_counted(tmp_path):
    rows = [[20010101 + day, -9, 9, 0, -1, 3, 2] for day in range(20)]
    rows[4][1:4] = -9999, -9999, -9999
    columns = triple("VUT_USTAR50", qc=False) + triple("VUT_REF", qc=False)
    result = read(tmp_path, table(*rows, columns=columns))
    assert result.variant == "VUT_USTAR50" and result.frame["nee"].isna().sum() == 1
    assert result.unused == (("variant VUT_REF not used where VUT_USTAR50 has no NEE", 1),)


@pytest.mark.parametrize("date", ["2001-03-05", "20010305", "20010305.0"])
def test_dates_in_every_spelling(tmp_path, date):
    frame = read(tmp_path, table([date, 1, 1, 1, 1], columns=triple("VUT_REF"))).frame
    assert frame["time"].tolist() == [np.datetime64("2001-03-05")]


def test_column_order_and_case_do_not_matter(tmp_path):
    text = "GPP_NT_vUT,TIMESTAMP,NEE_vUT_QC,Ta_f,NEE_vUT,RECO_NT_vUT\n3,20010101,0,12.5,-1,2\n"
    result = read(tmp_path, text, "FLX_JP-Tak_JapanFLUX2024_ALLVARS_DD_2001-2001_1-3.csv")
    assert result.variant == "VUT"
    row = result.frame.iloc[0]
    assert (row.gpp, row.reco, row.nee, row.t2m, row.flag) == (3, 2, -1, 12.5, 0)


def test_missing_values_in_every_spelling(tmp_path):
    text = table(
        [20010101, -9999, 1, 1, 1],
        [20010102, -9999.0, 1, 1, 1],
        [20010103, "-9999.000000", "", "NA", 1],
        [20010104, 1, 1, 1, 1],
        columns=triple("VUT_REF"),
    )
    frame = read(tmp_path, text).frame
    assert frame["nee"].isna().tolist() == [True, True, True, False]
    assert frame["gpp"].isna().tolist() == [False, False, True, False]


def test_windows_line_ends_byte_order_mark_and_comment_lines(tmp_path):
    text = "﻿TIMESTAMP,NEE_VUT_REF,NEE_VUT_REF_QC\r\n20010101,1.5,1\r\n".encode()
    assert read(tmp_path, text).frame["nee"].tolist() == [1.5]
    base = "# Site: US-Ha1\n# Version: 1-1\nTIMESTAMP_START,TIMESTAMP_END,FC\n"
    base += "200101010000,200101010030,2\n"
    result = read(tmp_path, base, "AMF_US-Ha1_BASE_HH_1-1.csv")
    assert (result.variant, result.steps_per_day) == ("FC", 48)
    assert result.frame["time"].iloc[0] == np.datetime64("2001-01-01T00:00")


def check_error(tmp_path, text, match, *also, name=DAILY):
    with pytest.raises(InputError, match=match) as info:
        read(tmp_path, text, name)
    assert name in str(info.value)
    for part in also:
        assert part in str(info.value)


def test_empty_file(tmp_path):
    check_error(tmp_path, "", "the file is empty", "a header line")


def test_header_without_rows(tmp_path):
    check_error(tmp_path, table(columns=triple("VUT_REF")), "the table has no rows")


def test_binary_garbage(tmp_path):
    check_error(tmp_path, bytes(range(128, 256)) * 10, "no timestamps", "TIMESTAMP_START")


def test_wrong_variable(tmp_path):
    text = table([20010101, 1, 1], columns=["LE_F_MDS", "H_F_MDS"])
    check_error(tmp_path, text, "the table has no NEE", "NEE_VUT_USTAR50", "variable: NEE")


def test_all_missing_field(tmp_path):
    text = table([20010101, -9999, -9999, -9999, 0], columns=triple("VUT_REF"))
    check_error(tmp_path, text, "the table has no NEE", "only missing values")


def test_text_in_place_of_a_number(tmp_path):
    text = table([20010101, "oops", 1, 1, 1], columns=triple("VUT_REF"))
    check_error(tmp_path, text, "cannot be read", "oops", "numbers in 5 columns")


@pytest.mark.parametrize("stamp", ["2001013", "20011301", "-9999", "", "200101010000"])
def test_broken_time_stamp(tmp_path, stamp):
    text = table([20010101, 1, 1, 1, 1], [stamp, 1, 1, 1, 1], columns=triple("VUT_REF"))
    if stamp == "200101010000":  # its first eight digits are a day
        assert len(read(tmp_path, text).frame) == 2
    else:
        check_error(tmp_path, text, "a timestamp cannot be read", "data row 2", "YYYYMMDD")


def test_truncated_last_line(tmp_path):
    text = table([20010101, 1, 1, 1, 1], [20010102, 1.25, 1, 1, 1], columns=triple("VUT_REF"))
    check_error(tmp_path, text[:-8], "cut off within its last line", "5 columns")


def test_peek_reads_the_first_time_alone(tmp_path):
    member, name = write(
        tmp_path, table([20010305, 1, 1, 1, 1], ["x"] * 5, columns=triple("VUT_REF"))
    )
    assert read_first_timestamp(member, name) == np.datetime64("2001-03-05")
    member, name = write(tmp_path, table([20010305, 1], columns=["LE_F_MDS"]))
    with pytest.raises(InputError, match="the table has no NEE"):
        read_first_timestamp(member, name)


def own_columns(path, skip=0):
    """Columns of a file as text, by the csv module alone."""
    with path.open(newline="") as file:
        rows = list(csv.reader(file))[skip:]
    return {name: [row[i] for row in rows[1:]] for i, name in enumerate(rows[0])}


def as_numbers(texts):
    numbers = np.array(texts, dtype=float)
    return np.where(numbers == -9999, np.nan, numbers)


@pytest.mark.realdata
def test_real_daily_files_equal_their_own_columns(shared_data):
    paths = sorted((shared_data / "oneflux").glob("*_DD_*.csv"))
    assert len(paths) == 12
    for path in paths:
        own = own_columns(path)
        result = read_table(list_members(path)[0], parse_name(path.name))
        assert result.variant == "VUT_REF", "SUBSET has no USTAR50"
        frame = result.frame
        assert frame["time"].dt.strftime("%Y%m%d").tolist() == own["TIMESTAMP"]
        for name, column in {
            "nee": "NEE_VUT_REF", "gpp": "GPP_NT_VUT_REF", "reco": "RECO_NT_VUT_REF",
            "flag": "NEE_VUT_REF_QC", "t2m": "TA_F", "vpd": "VPD_F", "ssrd": "SW_IN_F", "tp": "P_F",
        }.items():  # fmt: skip
            np.testing.assert_array_equal(frame[name], as_numbers(own[column]), err_msg=path.name)


@pytest.mark.realdata
def test_real_half_hours_of_fullset(shared_data):
    (path,) = (shared_data / "formats").glob("FLX_CH-Cha_*_HH_*.csv")
    own = own_columns(path)
    result = read_table(list_members(path)[0], parse_name(path.name))
    assert (result.variant, result.steps_per_day) == ("VUT_USTAR50", 48)
    np.testing.assert_array_equal(result.frame["nee"], as_numbers(own["NEE_VUT_USTAR50"]))
    np.testing.assert_array_equal(result.frame["gpp"], as_numbers(own["GPP_NT_VUT_USTAR50"]))
    stamps = result.frame["time"].dt.strftime("%Y%m%d%H%M").tolist()
    assert stamps == own["TIMESTAMP_START"]


@pytest.mark.realdata
def test_real_ameriflux_base(shared_data):
    (path,) = (shared_data / "formats").glob("AMF_US-CRT_BASE_HH_*.csv")
    own = own_columns(path, skip=2)
    result = read_table(list_members(path)[0], parse_name(path.name))
    assert result.variant == "NEE_PI"
    np.testing.assert_array_equal(result.frame["nee"], as_numbers(own["NEE_PI"]))
    n_fc = np.isfinite(as_numbers(own["FC"])).sum()
    assert result.unused == (("FC not used where NEE_PI has a value", n_fc),)
    assert result.frame["gpp"].isna().all()
    assert result.frame["flag"].isna().all()


@pytest.mark.realdata
def test_recent_daily_files_equal_their_own_columns(shared_data):
    """FI-Ken has all fluxes; the files of FluxDataKit have no NEE, and say so."""
    paths = sorted((shared_data / "oneflux_recent").glob("*_DD*.csv"))
    assert len(paths) == 10
    for path in paths:
        member, name = list_members(path)[0], parse_name(path.name)
        if "PLUMBER" in path.name:
            with pytest.raises(InputError, match="the table has no NEE"):
                read_table(member, name)
            first = own_columns(path)["TIMESTAMP"][0]
            assert str(read_first_timestamp(member, name))[:10] == first
            continue
        own, result = own_columns(path), read_table(member, name)
        assert result.variant == "VUT_USTAR50"
        assert result.frame["time"].dt.strftime("%Y%m%d").tolist() == own["TIMESTAMP"]
        for flux, column in {
            "nee": "NEE_VUT_USTAR50", "gpp": "GPP_NT_VUT_USTAR50", "reco": "RECO_NT_VUT_USTAR50",
            "flag": "NEE_VUT_USTAR50_QC", "t2m": "TA_F", "ssrd": "SW_IN_F", "vpd": "VPD_F",
            "tp": "P_F",
        }.items():  # fmt: skip
            np.testing.assert_array_equal(result.frame[flux], as_numbers(own[column]), flux)


@pytest.mark.realdata
def test_ustar50_of_a_real_fullset_closes_and_plain_50_does_not(shared_data):
    """Why plain 50 is no substitute for USTAR50: it is a percentile of each flux alone."""
    (path,) = (shared_data / "formats").glob("FLX_FR-Pue_*_MM_*.csv")
    own = {name: as_numbers(values[:90]) for name, values in own_columns(path).items()}

    def gap(variant):
        nee = own[f"RECO_NT_{variant}"] - own[f"GPP_NT_{variant}"]
        return np.nanmax(np.abs(nee - own[f"NEE_{variant}"]))

    assert gap("VUT_USTAR50") < 1e-4
    assert gap("VUT_50") > 0.01
