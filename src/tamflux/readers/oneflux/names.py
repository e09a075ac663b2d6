"""Parse the names of tower files: site, network, product and time step.

Names are split into tokens, and each token is recognised by its form, not by its position, because
the networks order them differently::

    FLX_IT-Col_FLUXNET2015_SUBSET_DD_1996-2014_1-4.csv        FLUXNET2015
    AMF_US-Ha1_FLUXNET_FULLSET_HR_1991-2020_3-5.csv           AmeriFlux FLUXNET
    AMF_US-A10_FLUXNET_FLUXMET_DD_2011-2022_v1.3_r1.csv       FLUXNET release 2026
    ICOSETC_FR-Bil_FLUXNET_DD_L2.csv                          ICOS ETC level 2
    FLX_JP-Ozm_JapanFLUX2024_ALLVARS_DD_2015-2017_1-3.csv     JapanFlux2024
    AMF_US-CRT_BASE_HH_2-5.csv                                AmeriFlux BASE
    FLX_FI-Ken_2018-2020_FULLSET_DD.csv                       ONEFlux table of an unnamed release

Metadata files of one site or of all sites of a network::

    FLX_AA-Flx_BIF_LATEST.csv, FLX_AA-Flx_BIF_DD_20200501.xlsx
    AMF_AA-Flx_FLUXNET-BIF_CCBY4_20241017.xlsx, AMF_US-Ha1_BIF_20230101.csv
    ICOSETC_FR-Bil_SITEINFO_L2.csv
    AMF_US-A10_FLUXNET_BIFVARINFO_DD_2011-2022_v1.3_r1.csv    units of the columns
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

NETWORKS = (
    "FLUXNET2026", "ICOS", "AmeriFlux", "JapanFlux", "FLUXNET2015", "ONEFlux", "AmeriFlux BASE",
)  # fmt: skip
"""Networks, newest processing first: the order of preference for a site-day.

ONEFlux stands for tables of an unnamed release. AmeriFlux BASE comes last: it is not gap-filled and
not partitioned.
"""

RESOLUTIONS = ("DD", "HH", "HR")
"""Supported time steps in order of preference: day, half-hour, hour."""

PRODUCTS = ("FLUXMET", "FULLSET", "ALLVARS", "COREVARS", "SUBSET", "BASE")
"""Product tokens in order of preference."""

_SITE_ID = re.compile(r"[A-Z]{2}-[A-Za-z0-9]{2,4}")
_YEARS = re.compile(r"(\d{4})-(\d{4})")
_OTHER = re.compile(r"AUX.*|ERA.*|README.*|MEASUREMENTHEIGHT.*")
_METADATA = re.compile(r"(.*-)?BIF|BADM.*|SITEINFO")
_UNITS = re.compile(r".*VARINFO")
_TABLES = (".csv", ".xlsx")


@dataclass(frozen=True)
class FileName:
    """Parts of one file name; "" or None for parts that it does not have."""

    content: str
    """``fluxes``, ``metadata`` (of sites), ``units`` (of columns) or ``other`` (not read)."""
    site_id: str = ""
    network: str = ""
    resolution: str = ""
    product: str = ""
    years: tuple[int, int] | None = None


def is_site_id(text: str) -> bool:
    """Whether `text` has the form of a site id: two capitals, a dash, two to four characters."""
    return _SITE_ID.fullmatch(text) is not None and text not in ("AA-Flx", "AA-Net")


def parse_name(name: str) -> FileName:
    """Parse the name of a file, or of a member of a zip (its folders are ignored)."""
    path = PurePosixPath(name)
    suffix = path.suffix.lower()
    if suffix not in (*_TABLES, ".zip"):
        return FileName("other")
    tokens = path.stem.split("_")
    upper = [token.upper() for token in tokens]
    site_id = next((token for token in tokens if is_site_id(token)), "")
    resolution = next((token for token in upper if token in RESOLUTIONS), "")
    if suffix in _TABLES:
        if any(_OTHER.fullmatch(token) for token in upper):
            return FileName("other", site_id)
        if any(_UNITS.fullmatch(token) for token in upper):
            return FileName("units", site_id, resolution=resolution)
        if any(_METADATA.fullmatch(token) for token in upper):
            return FileName("metadata", site_id)
    if suffix == ".xlsx" or (suffix == ".csv" and not resolution):
        return FileName("other", site_id)
    product = next((token for token in PRODUCTS if token in upper), "")
    years = next((match for token in tokens if (match := _YEARS.fullmatch(token))), None)
    return FileName(
        "fluxes",
        site_id,
        _network(upper),
        resolution,
        product,
        (int(years[1]), int(years[2])) if years else None,
    )


def _network(upper: list[str]) -> str:
    """Network of the tokens of a name (in capitals)."""
    if any(token.startswith("JAPANFLUX") or token in ("COREVARS", "ALLVARS") for token in upper):
        return "JapanFlux"
    if "BASE" in upper or "BASE-BADM" in upper:
        return "AmeriFlux BASE"
    if "FLUXNET2015" in upper:
        return "FLUXNET2015"
    if "FLUXNET" in upper:
        if "FLUXMET" in upper or any(re.fullmatch(r"R\d+", token) for token in upper):
            return "FLUXNET2026"
        if upper[0] == "ICOSETC":
            return "ICOS"
        if upper[0] == "AMF":
            return "AmeriFlux"
    if upper[0] == "ICOSETC" and "ARCHIVE" in upper:
        return "ICOS"
    return "ONEFlux" if {"FULLSET", "SUBSET", "FLUXMET"} & set(upper) else ""
