"""Find the tables of each site and its metadata."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from tamflux.errors import InputError
from tamflux.grid import great_circle_km
from tamflux.readers.oneflux.archive import Member, list_members
from tamflux.readers.oneflux.badm import (
    FIELDS,
    OPTIONAL,
    clean_fields,
    read_badm,
    read_column_units,
)
from tamflux.readers.oneflux.names import FileName, parse_name
from tamflux.towers.merging import MAX_DISTANCE_KM, source_rank
from tamflux.towers.quality import Rejections

NO_TABLE = "no daily, half-hourly or hourly flux table of a known network in it"
NOTED_DISTANCE_KM = 1.0
"""Positions of one site that differ by more are listed; beyond `MAX_DISTANCE_KM` the site is not
used."""
_COARSE = re.compile(r"_(WW|MM|YY)_")


@dataclass
class Source:
    """One table of one site, with the site metadata of its own archive."""

    member: Member
    name: FileName
    metadata: dict[str, str]
    units: dict[str, str] = field(default_factory=dict)
    """Units of columns from a BIFVARINFO file, by their names in capitals."""
    variant: str = ""
    days: pd.DataFrame = field(default_factory=pd.DataFrame)


def find_sources(paths: Sequence[str | Path], rejected: Rejections) -> dict[str, list[Source]]:
    """Tables to read for each site, the preferred network first.

    From each archive the best table of each site is taken: days before half-hours before hours.
    Separate metadata files (such as ``FLX_AA-Flx_BIF_LATEST.csv``) apply to all archives.
    A file that cannot be used is listed in `rejected`.
    """
    sources: dict[str, list[Source]] = defaultdict(list)
    shared: dict[str, dict[str, str]] = defaultdict(dict)
    for path in sorted(map(Path, paths)):
        try:
            members = list_members(path)
        except InputError as error:
            rejected.add(parse_name(path.name).site_id, path.name, "file", reason_of(error))
            continue
        tables = best_tables(members)
        metadata = _read_metadata(members, rejected)
        contents = {parse_name(m.name).content for m in members}
        if not tables and not contents & {"metadata", "units"}:
            site_id = parse_name(path.name).site_id
            coarse = [m.name for m in members if _COARSE.search(m.name)]
            reason = f"{NO_TABLE}; {coarse[0]} is weekly, monthly or yearly" if coarse else NO_TABLE
            rejected.add(site_id, path.name, "file", reason)
        if not tables:
            for site_id, fields in metadata.items():
                shared[site_id] |= fields
        for member, name in tables:
            units = _read_units(members, name, rejected)
            own = metadata.get(name.site_id, {})
            sources[name.site_id].append(Source(member, name, own, units))
    for site_id, group in sources.items():
        for source in group:
            source.metadata = shared.get(site_id, {}) | source.metadata
        group.sort(key=lambda source: (source_rank(source.name), source.member.label))
    return sources


def best_tables(members: Sequence[Member]) -> list[tuple[Member, FileName]]:
    """Best flux table of each site in one archive; all tables of equal rank (one per year)."""
    tables: dict[tuple[str, tuple[int, ...]], list[tuple[Member, FileName]]] = defaultdict(list)
    for member in members:
        name = parse_name(member.name)
        if name.content == "fluxes" and name.site_id and name.network and name.resolution:
            network, step, product = source_rank(name)
            tables[name.site_id, (step, network, product)].append((member, name))
    best: dict[str, list[tuple[Member, FileName]]] = {}
    for site_id, rank in sorted(tables):
        best.setdefault(site_id, tables[site_id, rank])
    return [table for group in best.values() for table in group]


def _read_metadata(members: Sequence[Member], rejected: Rejections) -> dict[str, dict[str, str]]:
    """Fields of the sites in all metadata files of one archive; unreadable files are listed."""
    metadata: dict[str, dict[str, str]] = {}
    for member in members:
        name = parse_name(member.name)
        if name.content == "metadata":
            try:
                metadata |= read_badm(member)
            except InputError as error:
                rejected.add(name.site_id, member.label, "file", reason_of(error))
    return metadata


def _read_units(members: Sequence[Member], name: FileName, rejected: Rejections) -> dict[str, str]:
    """Units of the columns of a table from the BIFVARINFO file of its archive and time step."""
    for member in members:
        other = parse_name(member.name)
        if other.content == "units" and other.resolution in ("", name.resolution):
            try:
                return read_column_units(member).get(name.site_id, {})
            except InputError as error:
                rejected.add(name.site_id, member.label, "file", reason_of(error))
    return {}


def reason_of(error: InputError) -> str:
    """An error as one line for the list of rejections."""
    shown = ("variable", "found", "expected")
    details = [f"{key} {error.details[key]}" for key in shown if error.details[key] is not None]
    return "; ".join([error.what, *details])


def describe_site(
    site_id: str, sources: list[Source], table_row: dict[str, str], rejected: Rejections
) -> dict[str, object] | None:
    """Fields of a site: the user's table first, then the sources in their order.

    A site of unknown position or class, or whose sources give positions kilometres apart, is
    listed in `rejected`, and None is returned. Smaller contradictions between the sources are
    listed too; the preferred source counts.
    """
    fields: dict[str, str] = {}
    positions = []
    for source in sources:
        fields = source.metadata | fields
        site, _ = clean_fields(source.metadata)
        if site["lat"] == site["lat"] and site["lon"] == site["lon"]:
            positions.append((site["lat"], site["lon"]))
    site, problem = clean_fields(fields | table_row)
    files = "; ".join(source.member.label for source in sources)
    if "lat" not in table_row and not problem:
        apart = _farthest_km(positions)
        if apart > MAX_DISTANCE_KM:
            problem = (
                f"site id used twice: {files} place it {apart:.0f} km apart (at most "
                f"{MAX_DISTANCE_KM:g} km); give its coordinates in inputs.towers.sites"
            )
    if problem:
        rejected.add(site_id, files, "site", problem)
        return None
    _list_contradictions(site_id, sources, positions, table_row, rejected)
    for name, expected in OPTIONAL.items():
        text = (fields | table_row).get(name, "")
        if text not in ("", "-9999") and (site[name] == "" or site[name] != site[name]):  # NaN
            reason = f"{name} {text[:40]!r} is left out, expected {expected}"
            rejected.add(site_id, files, "value", reason)
    return {"site_id": site_id} | {name: site[name] for name in FIELDS}


def _farthest_km(positions: list[tuple]) -> float:
    """Largest distance of a position to the first; 0 for one or none."""
    return max((great_circle_km(*positions[0], *other) for other in positions[1:]), default=0.0)


def _list_contradictions(
    site_id: str,
    sources: list[Source],
    positions: list[tuple],
    table_row: dict[str, str],
    rejected: Rejections,
) -> None:
    """List coordinates, classes and UTC offsets that differ between the sources of a site."""
    files = "; ".join(source.member.label for source in sources)
    apart = _farthest_km(positions)
    if apart > NOTED_DISTANCE_KM and "lat" not in table_row:
        reason = f"releases place the site {apart:.1f} km apart; the newest processing is used"
        rejected.add(site_id, files, "value", reason)
    for name in ("igbp", "utc_offset"):
        given = (source.metadata.get(name, "") for source in sources)
        values = list(dict.fromkeys(value for value in given if value))
        if len(values) > 1 and name not in table_row:
            reason = f"releases give {name} {' and '.join(values)}; {values[0]} is used"
            rejected.add(site_id, files, "value", reason)
