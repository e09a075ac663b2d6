import csv

import openpyxl
import pandas as pd
import pytest

from tamflux.errors import InputError
from tamflux.readers.oneflux.archive import list_members
from tamflux.readers.oneflux.badm import (
    clean_fields,
    read_badm,
    read_column_units,
    read_site_table,
)

BIF = "FLX_AA-Flx_BIF_LATEST.csv"


def badm(tmp_path, text, name=BIF):
    (tmp_path / name).write_bytes(text.encode())
    return read_badm(list_members(tmp_path / name)[0])


def test_columns_in_any_order_with_either_separator(tmp_path):
    for separator in ",;":
        lines = [
            ["VARIABLE", "DATAVALUE", "SITE_ID", "EXTRA", "VARIABLE_GROUP", "GROUP_ID"],
            ["LOCATION_LAT", "42.5", "US-Ha1", "x", "GRP_LOCATION", "1"],
            ["LOCATION_LONG", "-72.2", "US-Ha1", "x", "GRP_LOCATION", "1"],
            ["IGBP", "DBF", "US-Ha1", "x", "GRP_IGBP", "2"],
        ]
        text = "\r\n".join(separator.join(line) for line in lines)
        assert badm(tmp_path, text) == {"US-Ha1": {"lat": "42.5", "lon": "-72.2", "igbp": "DBF"}}


def test_the_latest_of_several_values_holds_whatever_the_order(tmp_path):
    rows = [
        ("7", "IGBP", "CRO"), ("7", "IGBP_DATE_START", "2010"),
        ("5", "IGBP", "GRA"), ("5", "IGBP_DATE_START", "2001"),
        ("6", "IGBP", "WSA"),
    ]  # fmt: skip
    lines = [f"US-Tw3,{group},GRP_IGBP,{name},{value}" for group, name, value in rows]
    text = "\n".join(["SITE_ID,GROUP_ID,VARIABLE_GROUP,VARIABLE,DATAVALUE", *lines])
    assert badm(tmp_path, text)["US-Tw3"] == {"igbp": "CRO"}


def test_doi_and_citation_of_the_data(tmp_path):
    rows = [
        "US-Tw3,7,GRP_DOI,DOI,https://doi.org/10.17190/AMF/1246149",
        'US-Tw3,7,GRP_DOI,DOI_CITATION,"D. Baldocchi (2013-) AmeriFlux US-Tw3, ten"',
    ]
    text = "\n".join(["SITE_ID,GROUP_ID,VARIABLE_GROUP,VARIABLE,DATAVALUE", *rows])
    fields = badm(tmp_path, text)["US-Tw3"]
    site, _ = clean_fields(fields | {"lat": "38", "lon": "-121", "igbp": "CRO"})
    assert site["doi"] == "10.17190/AMF/1246149"
    assert site["citation"] == "D. Baldocchi (2013-) AmeriFlux US-Tw3, ten"
    assert clean_fields({"doi": "pending"})[0]["doi"] == ""


def test_siteinfo_without_groups(tmp_path):
    text = (
        'SITE_ID,VARIABLE,DATAVALUE\nFR-Bil,LOCATION_LAT,44.49\nFR-Bil,SITE_NAME,"Bilos, Salles"\n'
    )
    found = badm(tmp_path, text, "ICOSETC_FR-Bil_SITEINFO_L2.csv")
    assert found == {"FR-Bil": {"lat": "44.49", "site_name": "Bilos, Salles"}}


def test_hostile_site_ids_and_short_rows_are_left_out(tmp_path):
    text = "SITE_ID,VARIABLE,DATAVALUE\n../../x,LOCATION_LAT,1\nUS-Ha1\nUS-Ha1,IGBP,DBF\n"
    assert badm(tmp_path, text) == {"US-Ha1": {"igbp": "DBF"}}


def test_a_metadata_file_without_its_columns(tmp_path):
    with pytest.raises(InputError, match="the metadata file lacks columns") as info:
        badm(tmp_path, "SITE,LAT,LON\nUS-Ha1,1,2\n")
    assert "SITE_ID, GROUP_ID, VARIABLE_GROUP, VARIABLE, DATAVALUE" in str(info.value)


def workbook(path, *sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet(f"Sheet{number}")
        for row in rows:
            sheet.append(row)
    book.save(path)
    return list_members(path)[0]


HEAD = ["SITE_ID", "GROUP_ID", "VARIABLE_GROUP", "VARIABLE", "DATAVALUE"]


def test_a_workbook_equals_the_same_rows_as_text(tmp_path):
    rows = [
        ["US-Ha1", 1, "GRP_LOCATION", "LOCATION_LAT", 42.5378],
        ["US-Ha1", 1, "GRP_LOCATION", "LOCATION_LONG", "-72.1715"],
        ["US-Ha1", 2, "GRP_UTC_OFFSET", "UTC_OFFSET", -5],
        ["US-Ha1", 3, "GRP_IGBP", "IGBP", "DBF"],
        ["US-Ha1", 3, "GRP_IGBP", "IGBP_DATE_START", 20180101],
    ]
    text = "\n".join(",".join(map(str, row)) for row in [HEAD, *rows])
    sheet = workbook(tmp_path / "AMF_AA-Flx_FLUXNET-BIF_CCBY4_20241017.xlsx", [HEAD, *rows])
    assert read_badm(sheet) == badm(tmp_path, text)
    halves = workbook(tmp_path / "AMF_AA-Flx_BIF_2.xlsx", [HEAD, *rows[:2]], [HEAD, *rows[2:]])
    assert read_badm(halves) == badm(tmp_path, text)


@pytest.mark.parametrize("content", [b"", b"PK no workbook", b"SITE_ID,VARIABLE,DATAVALUE\n"])
def test_a_damaged_workbook_is_refused(tmp_path, content):
    path = tmp_path / "AMF_AA-Flx_BIF_20240101.xlsx"
    path.write_bytes(content)
    with pytest.raises(InputError, match="the metadata file cannot be read"):
        read_badm(list_members(path)[0])


def test_a_workbook_without_the_columns_is_refused(tmp_path):
    member = workbook(tmp_path / "AMF_AA-Flx_BIF_20240101.xlsx", [["SITE", "LAT"], ["US-Ha1", 1]])
    with pytest.raises(InputError, match="the metadata file lacks columns"):
        read_badm(member)


def test_units_of_columns(tmp_path):
    rows = [("1", "VAR_INFO_VARNAME", "NEE_VUT_REF"), ("1", "VAR_INFO_UNIT", "gC m-2 d-1"),
            ("2", "VAR_INFO_VARNAME", "TA_F"), ("2", "VAR_INFO_UNIT", "deg C"),
            ("3", "VAR_INFO_VARNAME", "P_F")]  # fmt: skip
    lines = [f"US-Ha1,{group},GRP_VAR_INFO,{name},{value}" for group, name, value in rows]
    path = tmp_path / "AMF_US-Ha1_FLUXNET_BIFVARINFO_DD_2011-2022_v1.3_r1.csv"
    path.write_text("\n".join([",".join(HEAD), *lines]))
    units = read_column_units(list_members(path)[0])
    assert units == {"US-Ha1": {"NEE_VUT_REF": "gC m-2 d-1", "TA_F": "deg C"}}


@pytest.mark.realdata
def test_the_real_workbook_of_ameriflux(shared_data):
    (path,) = (shared_data / "badm").glob("*.xlsx")
    with pd.ExcelFile(path) as book:
        table = pd.read_excel(book, dtype=str)
    found = read_badm(list_members(path)[0])
    assert len(found) == 40 == table["SITE_ID"].nunique()
    for variable, name in {"UTC_OFFSET": "utc_offset", "LOCATION_LAT": "lat"}.items():
        rows = table[table["VARIABLE"] == variable]
        once = rows[~rows["SITE_ID"].duplicated(keep=False)]
        assert len(once) > 20
        for site_id, value in zip(once["SITE_ID"], once["DATAVALUE"], strict=True):
            assert float(found[site_id][name]) == float(value)
    assert all(not clean_fields(fields)[1] for fields in found.values())


@pytest.mark.parametrize(("given", "code"), [("cnv", "CVM"), ("WSA", "WSA"), ("BAR", "BSV")])
def test_igbp_synonyms(given, code):
    site, problem = clean_fields({"lat": "1", "lon": "2", "igbp": given})
    assert (site["igbp"], problem) == (code, "")


@pytest.mark.parametrize(
    "position", [{}, {"lat": "42"}, {"lat": "95", "lon": "3"}, {"lat": "-9999", "lon": "-9999"}]
)
def test_no_coordinates(position):
    _, problem = clean_fields({"igbp": "DBF", **position})
    assert problem.startswith("no usable coordinates")
    assert "add the site to inputs.towers.sites" in problem


def test_unknown_igbp():
    for igbp in ("XYZ", ""):
        _, problem = clean_fields({"lat": "1", "lon": "2", "igbp": igbp})
        assert problem.startswith("unknown IGBP class")
        assert "expected one of WAT, ENF" in problem


def test_longitude_beyond_180_and_koppen_in_other_letters():
    site, _ = clean_fields({"lat": "1", "lon": "190", "igbp": "EBF", "koppen": "CFB"})
    assert (site["lon"], site["koppen"]) == (-170, "Cfb")
    assert clean_fields({"koppen": "no such"})[0]["koppen"] == ""


def site_table(tmp_path, text):
    (tmp_path / "sites.csv").write_text(text)
    return read_site_table(tmp_path / "sites.csv")


def test_site_table(tmp_path):
    found = site_table(tmp_path, "site_id,igbp,lat,lon,elevation\nUS-Ha1,DBF,42.5,-72.2,\n")
    assert found == {"US-Ha1": {"igbp": "DBF", "lat": "42.5", "lon": "-72.2"}}


@pytest.mark.parametrize(
    ("text", "match", "part"),
    [
        ("site_id,lat\nUS-Ha1,1\n", "lacks columns", "variable: lon, igbp"),
        ("site_id,lat,lon,igbp\nUS-Ha1,1,2,DBF\nUS-Ha1,1,2,DBF\n", "is repeated", "US-Ha1"),
        ("site_id,lat,lon,igbp\n../x,1,2,DBF\n", "malformed site id", "'../x'"),
        ("", "cannot be read", "No columns"),
    ],
)
def test_bad_site_tables(tmp_path, text, match, part):
    with pytest.raises(InputError, match=match) as info:
        site_table(tmp_path, text)
    assert part in str(info.value)
    assert "correct the table named by inputs.towers.sites" in str(info.value)


def test_a_missing_site_table(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_site_table(tmp_path / "none.csv")


@pytest.mark.realdata
def test_the_real_bif_of_fluxnet2015(shared_data):
    path = shared_data / "formats" / BIF
    found = read_badm(list_members(path)[0])
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    assert found.keys() == {row["SITE_ID"] for row in rows}
    assert len(found) == 212
    for variable, field in {
        "IGBP": "igbp",
        "LOCATION_LAT": "lat",
        "UTC_OFFSET": "utc_offset",
    }.items():
        named = {row["SITE_ID"] for row in rows if row["VARIABLE"] == variable}
        assert {site for site, fields in found.items() if field in fields} == named
    assert found["IT-Col"] == {
        "igbp": "DBF", "lat": "41.8494", "lon": "13.5881", "elevation": "1560", "utc_offset": "1"
    }  # fmt: skip
    assert sum(clean_fields(fields)[1] == "" for fields in found.values()) == 212
