"""Merge the tower files of all networks into one quality-controlled record per site."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from tamflux.errors import InputError
from tamflux.files import atomic_path
from tamflux.grid import Grid
from tamflux.readers.oneflux.badm import read_site_table
from tamflux.readers.oneflux.tables import METEOROLOGY, TowerTable, read_table
from tamflux.towers.daily import FLUX_NAMES, aggregate_days, daily_quality
from tamflux.towers.discovery import Source, describe_site, find_sources, reason_of
from tamflux.towers.merging import merge_sources
from tamflux.towers.plausibility import (
    check_clock,
    drop_constant_runs,
    productivity_problem,
    productivity_ratio,
    radiation_delays,
    radiation_problem,
    set_aside_years,
    tiny_flux_problem,
)
from tamflux.towers.quality import (
    Rejections,
    check_days,
    closure_problem,
    drop_repeated,
    refuse_units,
)

log = logging.getLogger("tamflux")

FLUX_COLUMNS = ("site_id", "date", *FLUX_NAMES, "qc", *METEOROLOGY)
SITE_COLUMNS = (
    "site_id", "site_name", "lat", "lon", "elevation", "igbp", "koppen", "utc_offset", "network",
    "first", "last", "n_days", "n_gpp", "n_reco", "n_nee", "mean_qc", "variant", "source_files",
    "day_offset", "doi", "citation",
)  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """Limits of the quality control: section `towers` of the configuration.

    Attributes
    ----------
    min_coverage : float
        Share of a day's half-hours that a daily mean needs.
    min_days : int
        Days with NEE that a site needs.
    max_abs_flux : float
        g m-2 d-1; a larger flux is rejected.
    allow_years : sequence of str
        Years with implausible annual sums to use anyway, as ``IT-Lav 2005`` or ``IT-Lav``.
    """

    min_coverage: float
    min_days: int
    max_abs_flux: float
    allow_years: Sequence[str] = ()


def harmonise_towers(
    paths: Sequence[str | Path],
    fluxes_path: str | Path,
    sites_path: str | Path,
    rejected_path: str | Path,
    *,
    site_table: str | Path | None,
    grid: Grid | None = None,
    **limits,
) -> None:
    """Write the tower files of contract 2 (docs/architecture.md) from the providers' files.

    Parameters
    ----------
    paths : sequence of path
        Zips, CSV files and Excel metadata of any of the networks.
    fluxes_path, sites_path, rejected_path : path
        Outputs: Parquet, CSV, CSV.
    site_table : path or None
        The user's table of sites; it takes precedence over the providers' metadata.
    grid : Grid, optional
        Sites outside of it are not used.
    **limits
        As `Limits`.

    Raises
    ------
    InputError
        If there is no file, the site table is unusable, or no site is left.
    """
    records, rows, rejected = read_towers(paths, site_table, grid, Limits(**limits))
    listed = rejected.to_frame()
    if not rows:
        raise InputError(
            f"no site is left of {len(paths)} tower files",
            file=paths[0],
            found="; ".join(dict.fromkeys(listed["reason"]))[:500],
            expected="at least one usable site",
            fix="correct the files, inputs.towers.sites, grid.bbox or the limits under towers",
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


def read_towers(
    paths: Sequence[str | Path],
    site_table: str | Path | None,
    grid: Grid | None,
    limits: Limits,
    described: Mapping[str, str] | None = None,
) -> tuple[list[pd.DataFrame], list[dict], Rejections]:
    """Records and rows of sites.csv of all usable sites, and the list of what is rejected.

    Parameters as of `harmonise_towers`, whose outputs these are; `described` holds fields that
    take precedence for every site, for the files of one tower.
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
        own = table.get(site_id, {}) | dict(described or {})
        site = describe_site(site_id, sources[site_id], own, rejected)
        if site is None or not _is_inside(site, grid, sources[site_id], rejected):
            continue
        site["day_offset"] = _day_offset(site, sources[site_id], rejected)
        usable = _read_sources(site, sources[site_id], limits, rejected)
        if not usable:
            continue
        tables = [(source.name, source.member.label, source.days) for source in usable]
        days = merge_sources(site_id, tables, rejected)
        if _has_min_days(site_id, days, limits.min_days, rejected):
            _check_productivity(days, site, usable, rejected)
            records.append(days.assign(site_id=site_id))
            rows.append(site | _summarise(site_id, days, usable))
    return records, rows, rejected


def _is_inside(site, grid: Grid | None, sources: list[Source], rejected: Rejections) -> bool:
    if grid is None or grid.locate(site["lat"], site["lon"]):
        return True
    files = "; ".join(source.member.label for source in sources)
    reason = f"outside the grid (lat {site['lat']:g}, lon {site['lon']:g}; grid.bbox)"
    rejected.add(site["site_id"], files, "site", reason)
    return False


def _day_offset(site, sources: list[Source], rejected: Rejections) -> float:
    """Hours that the site's days are ahead of UTC days: 0 for UTC days, NaN if not known.

    UTC days need tables finer than a day alone, and the UTC offset. Otherwise all days of a site
    are local standard days, those aggregated from half-hours too, so that none overlap.
    """
    offset = float(site["utc_offset"])
    if np.isnan(offset):
        files = "; ".join(source.member.label for source in sources)
        reason = "no UTC offset: local days are matched to the UTC days of the same date"
        rejected.add(site["site_id"], files, "value", reason)
        return offset
    return 0.0 if all(source.name.resolution != "DD" for source in sources) else offset


def _read_sources(site, sources: list[Source], limits: Limits, rejected) -> list[Source]:
    """Usable sources of a site, with their days."""
    site_id, usable = site["site_id"], []
    for source in sources:
        label = source.member.label
        try:
            table = read_table(source.member, source.name)
            table = refuse_units(table, source.units, site_id, rejected)
            days = _make_days(table, site, limits, rejected)
        except InputError as error:
            rejected.add(site_id, label, "file", reason_of(error))
            continue
        for reason, n in table.unused:
            rejected.add(site_id, label, "value", reason, n)
        days = drop_constant_runs(days, site_id, label, rejected)
        days = check_days(days, site_id, label, limits.max_abs_flux, rejected)
        days = set_aside_years(days, site_id, label, limits.allow_years, rejected)
        for flux in FLUX_NAMES:
            if days[flux].isna().all():
                rejected.add(site_id, label, "value", f"{flux} missing on every day", len(days))
        if problem := closure_problem(days):
            rejected.add(site_id, label, "file", problem)
        elif _check_radiation(days, site, label, rejected):
            usable.append(replace(source, variant=table.variant, days=days))
    return usable


def _check_productivity(days: pd.DataFrame, site, sources: list[Source], rejected) -> None:
    """List GPP that the climate of the place contradicts; it is used as it is."""
    ratio = productivity_ratio(days, float(site["lat"]), float(site["lon"]))
    if problem := productivity_problem(ratio):
        files = "; ".join(source.member.label for source in sources)
        rejected.add(site["site_id"], files, "value", f"{problem} (kept)")


def _check_radiation(days: pd.DataFrame, site, label: str, rejected: Rejections) -> bool:
    """Whether daily radiation fits the position; a faulty sensor's radiation becomes missing."""
    if "ssrd" not in days:
        return True
    problem, misplaced = radiation_problem(days, float(site["lat"]))
    if misplaced:
        rejected.add(site["site_id"], label, "file", problem)
    elif problem:
        n = int(days["ssrd"].notna().sum())
        rejected.add(site["site_id"], label, "value", f"{problem}: ssrd is left out", n)
        days["ssrd"] = np.nan
    return not misplaced


def _make_days(table: TowerTable, site, limits: Limits, rejected) -> pd.DataFrame:
    """Days of a daily table, or aggregated from a finer one; each date once."""
    site_id, daily = site["site_id"], table.steps_per_day == 1
    what = "day" if daily else "value"
    frame = drop_repeated(table.frame, site_id, table.label, what, rejected)
    if daily:
        days = frame.rename(columns={"time": "date"})
        return days.assign(qc=daily_quality(days.pop("flag"), table.name.network))
    if problem := tiny_flux_problem(frame["nee"]):
        raise InputError(problem, file=table.label)
    frame = _check_clock(frame, table, site, rejected)
    shift = float(site["utc_offset"]) if site["day_offset"] == 0 else 0.0
    days = aggregate_days(frame, table.steps_per_day, limits.min_coverage, shift)
    time = frame["time"] - pd.Timedelta(hours=shift)
    with_nee = time[frame["nee"].notna()].dt.floor("D").nunique()
    reason = f"NEE on less than {limits.min_coverage:.0%} of the day (towers.min_coverage)"
    rejected.add(site_id, table.label, "day", reason, with_nee - days["nee"].notna().sum())
    return days


def _check_clock(frame: pd.DataFrame, table: TowerTable, site, rejected) -> pd.DataFrame:
    """The time steps of a table without days whose radiation is displaced against the sun.

    Raises
    ------
    InputError
        If the radiation of the table as a whole is displaced.
    """
    position = [float(site[name]) for name in ("lat", "lon", "utc_offset")]
    if "ssrd" not in frame or np.isnan(position).any():
        return frame
    delays = radiation_delays(frame["time"], frame["ssrd"], table.steps_per_day, *position)
    problem, dates = check_clock(delays, site["site_id"], table.label, rejected)
    if problem:
        raise InputError(problem, file=table.label)
    return frame[~frame["time"].dt.floor("D").isin(dates)].reset_index(drop=True)


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
