"""Merge the tower files of all networks into one quality-controlled record per site."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from tamflux.errors import InputError
from tamflux.files import atomic_path
from tamflux.readers.oneflux.badm import read_site_table
from tamflux.readers.oneflux.tables import METEOROLOGY, TowerTable, read_table
from tamflux.towers.daily import FLUX_NAMES, aggregate_days, daily_quality
from tamflux.towers.discovery import Source, describe_site, find_sources, reason_of
from tamflux.towers.merging import merge_sources
from tamflux.towers.quality import Rejections, check_days, closure_problem, drop_repeated

log = logging.getLogger("tamflux")

FLUX_COLUMNS = ("site_id", "date", *FLUX_NAMES, "qc", *METEOROLOGY)
SITE_COLUMNS = (
    "site_id", "site_name", "lat", "lon", "elevation", "igbp", "koppen", "utc_offset", "network",
    "first", "last", "n_days", "n_gpp", "n_reco", "n_nee", "mean_qc", "variant", "source_files",
)  # fmt: skip


def harmonise_towers(
    paths: Sequence[str | Path],
    fluxes_path: str | Path,
    sites_path: str | Path,
    rejected_path: str | Path,
    *,
    site_table: str | Path | None,
    min_coverage: float,
    min_days: int,
    max_abs_flux: float,
) -> None:
    """Write the tower files of contract 2 (docs/architecture.md) from the providers' files.

    Parameters
    ----------
    paths : sequence of path
        Zips and CSV files of any of the networks.
    fluxes_path, sites_path, rejected_path : path
        Outputs: Parquet, CSV, CSV.
    site_table : path or None
        The user's table of sites; it takes precedence over the providers' metadata.
    min_coverage : float
        Share of a day's half-hours that a daily mean needs.
    min_days : int
        Days with NEE that a site needs.
    max_abs_flux : float
        g m-2 d-1; a larger flux is rejected.

    Raises
    ------
    InputError
        If there is no file, the site table is unusable, or no site is left.
    """
    if not paths:
        raise InputError(
            "there is no tower file", expected="zips or CSV files", fix="correct inputs.towers.path"
        )
    table = read_site_table(site_table) if site_table else {}
    rejected = Rejections()
    sources = find_sources(paths, rejected)
    records, rows = [], []
    for site_id in tqdm(sorted(sources), desc="towers", unit="site"):
        site = describe_site(site_id, sources[site_id], table.get(site_id, {}), rejected)
        if site is None:
            continue
        usable = _read_sources(site_id, sources[site_id], min_coverage, max_abs_flux, rejected)
        if not usable:
            continue
        tables = [(source.name, source.member.label, source.days) for source in usable]
        days = merge_sources(site_id, tables, rejected)
        if _has_min_days(site_id, days, min_days, rejected):
            records.append(days.assign(site_id=site_id))
            rows.append(site | _summarise(site_id, days, usable))
    listed = rejected.to_frame()
    if not rows:
        raise InputError(
            f"no site is left of {len(paths)} tower files",
            file=paths[0],
            found="; ".join(dict.fromkeys(listed["reason"]))[:500],
            expected="at least one usable site",
            fix="correct the files, inputs.towers.sites or the limits under towers",
        )
    fluxes = pd.concat(records, ignore_index=True).reindex(columns=list(FLUX_COLUMNS))
    fluxes["date"] = fluxes["date"].astype("datetime64[ns]")
    sites = pd.DataFrame(rows, columns=list(SITE_COLUMNS))
    log.info("%d sites, %d days; %d entries rejected", len(sites), len(fluxes), len(listed))
    with (
        atomic_path(fluxes_path) as fluxes_file,
        atomic_path(sites_path) as sites_file,
        atomic_path(rejected_path) as rejected_file,
    ):
        fluxes.to_parquet(fluxes_file, index=False)
        sites.to_csv(sites_file, index=False)
        listed.to_csv(rejected_file, index=False)


def _read_sources(site_id, sources, min_coverage, max_abs_flux, rejected) -> list[Source]:
    """Usable sources of a site, with their days."""
    usable = []
    for source in sources:
        label = source.member.label
        try:
            table = read_table(source.member, source.name)
        except InputError as error:
            rejected.add(site_id, label, "file", reason_of(error))
            continue
        days = _make_days(table, site_id, min_coverage, rejected)
        days = check_days(days, site_id, label, max_abs_flux, rejected)
        for flux in FLUX_NAMES:
            if days[flux].isna().all():
                rejected.add(site_id, label, "value", f"{flux} missing on every day", len(days))
        if problem := closure_problem(days):
            rejected.add(site_id, label, "file", problem)
        else:
            usable.append(replace(source, variant=table.variant, days=days))
    return usable


def _make_days(table: TowerTable, site_id, min_coverage, rejected) -> pd.DataFrame:
    """Days of a daily table, or aggregated from a finer one; each date once."""
    daily = table.steps_per_day == 1
    what = "day" if daily else "value"
    frame = drop_repeated(table.frame, site_id, table.label, what, rejected)
    if daily:
        days = frame.rename(columns={"time": "date"})
        return days.assign(qc=daily_quality(days.pop("flag"), table.name.network))
    days = aggregate_days(frame, table.steps_per_day, min_coverage)
    with_nee = frame.loc[frame["nee"].notna(), "time"].dt.floor("D").nunique()
    reason = f"NEE on less than {min_coverage:.0%} of the day (towers.min_coverage)"
    rejected.add(site_id, table.label, "day", reason, with_nee - days["nee"].notna().sum())
    return days


def _has_min_days(site_id, days, min_days, rejected) -> bool:
    n = int(days["nee"].notna().sum())
    if n < min_days:
        reason = f"{n} days with NEE, towers.min_days is {min_days}"
        rejected.add(site_id, "", "site", reason)
    return n >= min_days


def _summarise(site_id, days: pd.DataFrame, sources: list[Source]) -> dict:
    """Row of sites.csv without the metadata: sources, period and number of days."""
    used = [source for i, source in enumerate(sources) if (days["source"] == i).any()]
    return {
        "site_id": site_id,
        "network": "; ".join(dict.fromkeys(source.name.network for source in used)),
        "first": days["date"].min().date().isoformat(),
        "last": days["date"].max().date().isoformat(),
        "n_days": len(days),
        **{f"n_{flux}": int(days[flux].notna().sum()) for flux in FLUX_NAMES},
        "mean_qc": round(float(days["qc"].mean()), 4),
        "variant": "; ".join(dict.fromkeys(source.variant for source in used)),
        "source_files": "; ".join(source.member.label for source in used),
    }
