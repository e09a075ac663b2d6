"""Site metadata (position, land cover, climate) from BIF/BADM, ICOS SITEINFO and a user's table.

BIF and SITEINFO are long tables of SITE_ID, GROUP_ID, VARIABLE_GROUP, VARIABLE, DATAVALUE: CSV with
commas or semicolons, or the sheets of an Excel workbook, in any column order. Where a site has a
variable several times, the group with the latest ``*_DATE_START`` counts (a group without a date is
the oldest). BIFVARINFO files have the same form and hold the unit of each column of a table.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import openpyxl
import pandas as pd

from tamflux.errors import InputError
from tamflux.files import DAMAGED_TABLE, DAMAGED_ZIP, plain_text
from tamflux.readers.oneflux.archive import Member
from tamflux.readers.oneflux.names import is_site_id
from tamflux.variables import IGBP_CLASSES, KOPPEN_CLASSES

FIELDS = ("site_name", "lat", "lon", "elevation", "igbp", "koppen", "utc_offset", "doi", "citation")
"""Fields of a site; lat and lon in degrees, elevation in m, utc_offset in h; DOI and citation of
its data."""

NUMBERS = ("lat", "lon", "elevation", "utc_offset")

OPTIONAL = {
    "koppen": "a Köppen class such as Dfb",
    "elevation": "-500 to 9000 m",
    "utc_offset": "-12 to 14 h",
    "doi": "a DOI such as 10.17190/AMF/1246149",
}
"""Fields that become missing where a value is not as described here."""

_RANGES = {"elevation": (-500, 9000), "utc_offset": (-12, 14)}

IGBP_SYNONYMS = {"CNV": "CVM", "BAR": "BSV", "BARREN": "BSV", "WATER": "WAT", "SNOW": "SNO"}
"""Other codes in use for classes of `tamflux.variables.IGBP_CLASSES`."""

_VARIABLES = {
    "SITE_NAME": "site_name",
    "LOCATION_LAT": "lat",
    "LOCATION_LONG": "lon",
    "LOCATION_ELEV": "elevation",
    "IGBP": "igbp",
    "CLIMATE_KOEPPEN": "koppen",
    "UTC_OFFSET": "utc_offset",
    "DOI": "doi",
    "DOI_CITATION": "citation",
}
_DOI = re.compile(r"10\.\d{4,9}/[^\s\"<>]+")  # also inside of a link
_LONG_COLUMNS = {"SITE_ID", "VARIABLE", "DATAVALUE"}

MAX_SHEET_BYTES = 512 * 1024**2
"""Largest uncompressed size of a workbook; the metadata of all AmeriFlux sites have about 30 MB."""


def read_badm(member: Member) -> dict[str, dict[str, str]]:
    """Read a BIF or SITEINFO file: the fields of every site in it, as text.

    Raises
    ------
    InputError
        If the file is damaged or lacks the columns SITE_ID, VARIABLE, DATAVALUE.
    """
    sites = {}
    for site_id, groups in _read_groups(member).items():
        fields: dict[str, str] = {}
        # sorted() is stable: of equal dates, the later group in the file wins
        for group in sorted(groups, key=_start):
            fields |= {_VARIABLES[v]: text for v, text in group.items() if v in _VARIABLES and text}
        sites[site_id] = fields
    return sites


def read_column_units(member: Member) -> dict[str, dict[str, str]]:
    """Read a BIFVARINFO file: units of the columns (in capitals) of the tables of every site.

    Raises
    ------
    InputError
        As `read_badm`.
    """
    units: dict[str, dict[str, str]] = {}
    for site_id, groups in _read_groups(member).items():
        named = [g for g in groups if g.get("VAR_INFO_VARNAME") and g.get("VAR_INFO_UNIT")]
        units[site_id] = {g["VAR_INFO_VARNAME"].upper(): g["VAR_INFO_UNIT"] for g in named}
    return units


def _read_groups(member: Member) -> dict[str, list[dict[str, str]]]:
    """Groups of variables of each site, in the order of the file."""
    groups: dict[str, dict[tuple, dict[str, str]]] = defaultdict(dict)
    for number, row in enumerate(_long_rows(member)):
        # without GROUP_ID every row is a group of its own
        key = row.get("VARIABLE_GROUP", ""), row.get("GROUP_ID") or f"row {number}"
        groups[row["SITE_ID"]].setdefault(key, {})[row["VARIABLE"]] = row["DATAVALUE"]
    return {site_id: list(of_site.values()) for site_id, of_site in groups.items()}


def _long_rows(member: Member) -> Iterable[dict[str, str]]:
    """Rows of a long metadata table, by column name; rows with too few columns are skipped."""
    header: list[str] = []
    for cells in (
        _sheet_rows(member) if member.name.lower().endswith(".xlsx") else _csv_rows(member)
    ):
        if not header:
            header = [name.strip().upper() for name in cells]
            if not set(header) >= _LONG_COLUMNS:
                raise InputError(
                    "the metadata file lacks columns",
                    file=member.label,
                    found=", ".join(header)[:200],
                    expected="SITE_ID, GROUP_ID, VARIABLE_GROUP, VARIABLE, DATAVALUE",
                )
            continue
        row = {name: cell.strip() for name, cell in zip(header, cells, strict=False)}
        if row.keys() >= _LONG_COLUMNS and is_site_id(row["SITE_ID"]):
            yield row
    if not header:
        raise _unreadable(member, "no row")


def _csv_rows(member: Member) -> Iterator[list[str]]:
    """Rows of a CSV file; the first line tells the separator."""
    with member.open() as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
        first = text.readline()
        delimiter = ";" if first.count(";") > first.count(",") else ","
        try:
            yield from csv.reader([first], delimiter=delimiter)
            yield from csv.reader(text, delimiter=delimiter)
        except csv.Error as error:
            raise _unreadable(member, error) from error


def _sheet_rows(member: Member) -> Iterator[list[str]]:
    """Rows of all sheets of an Excel workbook as text."""
    with member.open() as stream:
        content = io.BytesIO(stream.read(MAX_SHEET_BYTES + 1))
    try:
        with zipfile.ZipFile(content) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MAX_SHEET_BYTES:
            raise ValueError(f"{size} bytes uncompressed, at most {MAX_SHEET_BYTES}")
        for sheet in openpyxl.load_workbook(content, read_only=True, data_only=True).worksheets:
            for cells in sheet.iter_rows(values_only=True):
                yield ["" if cell is None else str(cell) for cell in cells]
    except (*DAMAGED_ZIP, ValueError, KeyError, TypeError, SyntaxError, AttributeError) as error:
        raise _unreadable(member, error) from error


def _unreadable(member: Member, found: object) -> InputError:
    return InputError("the metadata file cannot be read", file=member.label, found=str(found)[:200])


def _start(group: dict[str, str]) -> str:
    """Start date of a group as sortable text; "" without one."""
    return max((v for name, v in group.items() if name.endswith("DATE_START")), default="")


def read_site_table(path: str | Path) -> dict[str, dict[str, str]]:
    """Read the user's table `inputs.towers.sites`: site_id, lat, lon, igbp and optional fields.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column, has a malformed site id or one twice.
    """

    def refusal(what: str, found: object, expected: str, variable: str | None = None) -> InputError:
        fix = "correct the table named by inputs.towers.sites"
        return InputError(
            what, file=path, variable=variable, found=found, expected=expected, fix=fix
        )

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except DAMAGED_TABLE as error:
        expected = "a CSV file in UTF-8: site_id, lat, lon, igbp"
        raise refusal("the site table cannot be read", error, expected) from error
    table.columns = table.columns.str.strip().str.lower()
    names = ", ".join(table.columns)[:200]
    if table.columns.duplicated().any():
        raise refusal("the site table has a column twice", names, "each column once")
    missing = [name for name in ("site_id", "lat", "lon", "igbp") if name not in table]
    if missing:
        expected = ", ".join(["site_id", *FIELDS])
        raise refusal("the site table lacks columns", names, expected, ", ".join(missing))
    table = table.apply(lambda column: column.str.strip())
    if not (valid := table["site_id"].map(is_site_id)).all():
        found = repr(table["site_id"][~valid].iloc[0])[:60]
        expected = "two capitals, a dash, two to four letters or digits, as in US-Ha1"
        raise refusal("the site table has a malformed site id", found, expected, "site_id")
    if (twice := table["site_id"].duplicated()).any():
        found = table["site_id"][twice].iloc[0]
        raise refusal("a site id is repeated in the site table", found, "one row a site", "site_id")
    rows = table.set_index("site_id")[[f for f in FIELDS if f in table]].to_dict("index")
    return {site: {k: v for k, v in fields.items() if v} for site, fields in rows.items()}


def clean_fields(fields: dict[str, str]) -> tuple[dict[str, str | float], str]:
    """Parse the text fields of one site; also return why the site is unusable ("" if it is usable).

    Coordinates have to be on Earth; an IGBP class has to be one of the 17, or a known synonym.
    A field of `OPTIONAL` that cannot be read or is out of its range becomes missing.
    """
    site: dict[str, str | float] = {field: fields.get(field, "") for field in FIELDS}
    for field in ("site_name", "citation"):
        site[field] = plain_text(fields.get(field, ""))
    found_doi = _DOI.search(fields.get("doi", ""))
    site["doi"] = plain_text(found_doi[0]) if found_doi else ""
    numbers: dict[str, float] = {}
    for field in NUMBERS:
        number = pd.to_numeric(fields.get(field, ""), errors="coerce")
        low, high = _RANGES.get(field, (-9998, 9998))
        numbers[field] = float(number) if low <= number <= high else float("nan")
    site |= numbers
    koppen = {name.upper(): name for name in KOPPEN_CLASSES}
    site["koppen"] = koppen.get(str(site["koppen"]).upper(), "")
    igbp = str(site["igbp"]).upper()
    site["igbp"] = IGBP_SYNONYMS.get(igbp, igbp)
    lat, lon = numbers["lat"], numbers["lon"]
    unset = lat == 0 and lon == 0  # a default value, in the Gulf of Guinea
    if unset or not (abs(lat) <= 90 and -180 <= lon <= 360):
        found = f"lat {fields.get('lat', 'missing')}, lon {fields.get('lon', 'missing')}"
        return site, (
            f"no usable coordinates ({found}): no BIF or SITEINFO file in its zip gives them; "
            "add the site to inputs.towers.sites"
        )
    site["lon"] = (lon + 180) % 360 - 180
    if site["igbp"] not in IGBP_CLASSES:
        return site, (
            f"unknown IGBP class {fields.get('igbp', '(none)')!r}, expected one of "
            f"{', '.join(IGBP_CLASSES)}; add the site to inputs.towers.sites"
        )
    return site, ""
