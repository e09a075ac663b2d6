"""Inspect tower files before a run: by headers and metadata, or by reading them as the run does."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from tamflux.errors import InputError
from tamflux.grid import Grid
from tamflux.readers.oneflux.badm import read_site_table
from tamflux.readers.oneflux.tables import read_first_timestamp
from tamflux.towers.discovery import Source, describe_site, find_sources, reason_of
from tamflux.towers.harmonise import Limits, read_towers
from tamflux.towers.quality import Rejections


def inspect_towers(
    paths: Sequence[str | Path], site_table: str | Path | None = None
) -> list[dict[str, str]]:
    """Inspect tower files by their names, headers and metadata alone.

    Returns
    -------
    list of dict
        One row per table, and one per file without a table: ``site_id, file, network, resolution,
        first, last, problems``. `first` is the first timestamp, `last` the last year in the file
        name; ``problems`` is "" where there are none.

    Raises
    ------
    InputError
        If the site table itself is unusable.
    """
    table = read_site_table(site_table) if site_table else {}
    rejected = Rejections()
    sources = find_sources(paths, rejected)
    rows = [
        _row(entry.site_id, entry.file, problems=entry.reason)
        for entry in rejected.to_frame().itertuples()
    ]
    for site_id in sorted(sources):
        of_site = Rejections()
        describe_site(site_id, sources[site_id], table.get(site_id, {}), of_site)
        problems = list(of_site.to_frame()["reason"])
        rows += [_inspect(site_id, source, problems) for source in sources[site_id]]
    return sorted(rows, key=lambda row: (row["site_id"], row["file"]))


def find_usable_sites(
    paths: Sequence[str | Path],
    site_table: str | Path | None,
    grid: Grid,
    train_years: Collection[int],
    min_qc: float,
    **limits,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sites that are left after all rejections of the towers stage; tables are read completely.

    Parameters
    ----------
    paths, site_table, grid
        As `tamflux.towers.harmonise.harmonise_towers`.
    train_years : collection of int
        Years whose fluxes train.
    min_qc : float
        Smallest `qc` of a day that trains.
    **limits
        Section `towers` of the configuration.

    Returns
    -------
    sites : DataFrame
        `site_id, lat, lon, igbp, koppen` and `n_train`, the number of days with NEE that may train.
        Whether a site lies on land is known only with the land cover of the grid.
    rejected : DataFrame
        `site_id, file, what, reason, n`.

    Raises
    ------
    InputError
        If there is no file, or the site table is unusable.
    """
    records, rows, rejected = read_towers(paths, site_table, grid, Limits(**limits))
    columns = ["site_id", "lat", "lon", "igbp", "koppen"]
    sites = pd.DataFrame(rows, columns=columns)
    usable = [
        int((r["nee"].notna() & (r["qc"] >= min_qc) & r["date"].dt.year.isin(train_years)).sum())
        for r in records
    ]
    return sites.assign(n_train=pd.Series(usable, dtype=int)), rejected.to_frame()


def _inspect(site_id: str, source: Source, problems: list[str]) -> dict[str, str]:
    try:
        first = str(read_first_timestamp(source.member, source.name))[:10]
    except InputError as error:
        first, problems = "", [*problems, reason_of(error)]
    years = source.name.years
    return _row(
        site_id,
        source.member.label,
        network=source.name.network,
        resolution=source.name.resolution,
        first=first,
        last=str(years[1]) if years else "",
        problems="; ".join(problems),
    )


def _row(site_id, file, *, network="", resolution="", first="", last="", problems=""):
    return {
        "site_id": site_id, "file": file, "network": network, "resolution": resolution,
        "first": first, "last": last, "problems": problems,
    }  # fmt: skip
