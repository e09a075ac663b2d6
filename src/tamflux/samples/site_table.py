"""Read and check a user's site table, and write it as samples.

The table is one Parquet file of site-days and one CSV file of sites. A column of the site-days is
a predictor or flux by its name in the catalogue (`tamflux.variables`), in its unit, or by one of
the names of FLUXNET2015 in `ALIASES`. Predictors may have gaps; `tamflux.samples.site_series` says
how they are filled. Solar geometry follows from latitude and date.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from tamflux.errors import InputError
from tamflux.extra_predictors import PREFIX, ExtraPredictor
from tamflux.files import DAMAGED_TABLE, atomic_path
from tamflux.predictors.reflectance import INDEX_BANDS, needed_bands
from tamflux.readers.predictor_files import check_range
from tamflux.samples.extract import write_samples
from tamflux.samples.site_check import find_site_problems
from tamflux.samples.site_series import (
    CYCLES,
    annual_cycles,
    complete_days,
    describe_climate,
    filled_share,
)
from tamflux.towers.plausibility import find_implausible_years
from tamflux.units import is_kilopascal, likely_units
from tamflux.variables import (
    ASTRONOMY,
    CORE_WEATHER,
    FLUXES,
    IGBP_CLASSES,
    KOPPEN_CLASSES,
    PREDICTORS,
    VEGETATED,
    Variable,
    igbp_fraction,
)

log = logging.getLogger("tamflux")

ALIASES = {
    "TA": "t2m",
    "TA_MIN": "t2m_min",
    "TA_MAX": "t2m_max",
    "SW_IN": "ssrd",
    "VPD": "vpd",
    "P_MONTH": "tp",
    "LAI_CLIM": "lai_clim",
    "T2M_CLIM": "t2m_clim",
    "TP_CLIM": "tp_clim",
    "GPP_NT": "gpp",
    "RECO_NT": "reco",
    "NEE": "nee",
    "NEE_QC": "qc",
    "GPP_DT": "gpp_dt",
}
"""Column of FLUXNET2015 -> name in the catalogue, same unit (TP_CLIM alone differs: mm month-1)."""

TARGETS = (*FLUXES, "qc")
"""Fluxes (g C m-2 d-1) and the share of the day that is measured or well filled (0-1)."""

FURTHER_FLUXES = {"gpp_dt": replace(FLUXES["gpp"], name="gpp_dt")}
"""Fluxes that are scored but do not train: daytime partitioning (Lasslop et al. 2010)."""

SITE_COLUMNS = ("site_id", "lat", "lon", "IGBP", "koppen")
"""Columns of the table of sites; `fold` is needed too where folds are used."""

ROUNDING = 1e-6
"""Tolerance at the bounds of a range; values within it are clipped."""

MAX_OUTSIDE = 0.01
"""Largest share of a column's values out of range that are dropped; more indicate a wrong unit."""

DATE_BOUNDS = ("1950-01-01", "2100-12-31")
"""Valid dates of site-days; a damaged date would create millions of days in between."""

DAYS_PER_MONTH = 365.25 / 12


def convert_site_table(
    days_path: str | Path,
    sites_path: str | Path,
    samples_path: str | Path,
    samples_sites_path: str | Path,
    *,
    n_folds: int | None,
    predictors: Sequence[str] | None = None,
    extra: Sequence[ExtraPredictor] = (),
) -> None:
    """Write a user's site table as samples (contract 2 in docs/architecture.md).

    Every day from a site's first to its last gets a row. Gaps of the predictors are filled as
    `tamflux.samples.site_series.complete_days` says and flagged (`filled`); missing fluxes remain
    missing. Years with implausible annual sums, and sites whose weather contradicts position or
    date (`tamflux.samples.site_check`), are logged, not removed.

    Parameters
    ----------
    days_path, sites_path : path
        Site-days (Parquet) and sites (CSV).
    samples_path, samples_sites_path : path
        Samples to write: Parquet with `site_id, date`, the predictors, `gpp, reco, nee, qc`,
        `gpp_dt` where the table has it, and `filled`; CSV with `site_id, lat, lon, igbp, koppen,
        igbp_*, fold, climate_*, filled_share`.
    n_folds : int or None
        Number of folds in column `fold` (0 .. n_folds - 1), with fluxes required; None for sites
        that are only predicted: `fold` becomes -1 and fluxes may be absent.
    predictors : sequence of str, optional
        Predictors to use; else all of the catalogue that the table holds or that follow from it
        (solar geometry, indices of reflectance).
    extra : sequence of ExtraPredictor
        Predictors beyond the catalogue: dynamic ones are columns of the site-days, static ones
        columns of the sites, of their names and in their units; either may be absent.

    Raises
    ------
    InputError
        For a missing or unreadable file or column, a value out of its physical range, an unknown
        class, a repeated site or site-day, or a site-day without its site.
    """
    added = {each.name: each for each in extra if not each.is_static}
    catalogue = PREDICTORS | {name: each.variable for name, each in added.items()}
    sites = read_sites(Path(sites_path), n_folds)
    sites = add_statics(sites, Path(sites_path), [each for each in extra if each.is_static])
    days = read_days(Path(days_path), sites, n_folds is not None, catalogue)
    names = _select_predictors(
        days, predictors, Path(days_path), to_train=n_folds is not None, catalogue=catalogue
    )
    for problem in find_site_problems(days, sites):
        log.warning("%s", problem)
    cycles = annual_cycles(days, [name for name in CYCLES if name in names])
    targets = [name for name in (*TARGETS, *FURTHER_FLUXES) if name in days]
    sparse = [name for name in added if name in names and added[name].fill != "none"]
    samples = complete_days(days, sites, cycles, sparse)
    samples = samples[["site_id", "date", *names, *targets, "filled"]]
    sites = sites.merge(describe_climate(cycles, sites["site_id"]), "left", "site_id")
    sites = sites.merge(filled_share(samples), "left", "site_id")
    for site_id, of_site in days.groupby("site_id"):
        for problem in find_implausible_years(of_site).values():
            log.warning("%s: %s", site_id, problem)
    write_samples(samples, {name: catalogue[name].units for name in names}, samples_path)
    with atomic_path(samples_sites_path) as path:
        sites.to_csv(path, index=False)
    log.info("predictors: %s", ", ".join(names))
    log.info(
        "%d sites, %d days (%d with filled or missing predictors, %d with NEE)",
        len(sites), len(samples), samples["filled"].sum(), samples["nee"].notna().sum(),
    )  # fmt: skip


def read_sites(path: Path, n_folds: int | None) -> pd.DataFrame:
    """Sites with class fractions and fold, sorted by `site_id`; see `convert_site_table`."""
    if not path.is_file():
        raise InputError("the site table does not exist", file=path, fix="correct real_towers")
    try:
        table = pd.read_csv(path, keep_default_na=False, na_values=["", "NaN", "nan"])
    except DAMAGED_TABLE as error:
        raise InputError("the site table is not a CSV file", file=path, found=error) from error
    _need_columns(table, [*SITE_COLUMNS, *(["fold"] if n_folds else [])], path)
    repeated = table["site_id"][table["site_id"].duplicated()].unique()
    if len(repeated):
        raise InputError(
            "a site is listed twice",
            file=path, variable="site_id", found=", ".join(map(str, repeated[:5])),
            fix="keep one row per site",
        )  # fmt: skip
    for name, limit in {"lat": 90, "lon": 180}.items():
        value = pd.to_numeric(table[name], errors="coerce")
        wrong = table["site_id"][~(value.abs() <= limit)]
        if len(wrong):
            raise InputError(
                "a site has no valid coordinates",
                file=path, variable=name, found=f"{wrong.iloc[0]} and {len(wrong) - 1} more",
                expected=f"degrees between -{limit} and {limit}", fix="add them or drop the site",
            )  # fmt: skip
    _need_classes(table, "IGBP", IGBP_CLASSES, path)
    _need_classes(table, "koppen", KOPPEN_CLASSES, path)
    if n_folds and set(table["fold"]) != set(range(n_folds)):
        raise InputError(
            "the folds are not those of the configuration",
            file=path, variable="fold", found=sorted(set(table["fold"]), key=str),
            expected=f"0 to {n_folds - 1}, each with a site (real_towers.folds: {n_folds})",
            fix="correct the column or real_towers.folds",
        )  # fmt: skip
    unknown = table["site_id"][table["IGBP"].isna()]
    if len(unknown):
        log.warning("no IGBP class, left unknown: %s", ", ".join(map(str, unknown)))
    sites = table[["site_id", "lat", "lon"]].assign(igbp=table["IGBP"], koppen=table["koppen"])
    fractions = {igbp_fraction(c): (table["IGBP"] == c).astype(float) for c in IGBP_CLASSES}
    for igbp in VEGETATED:  # unknown class: equal shares of all vegetated classes
        fractions[igbp_fraction(igbp)][table["IGBP"].isna()] = 1 / len(VEGETATED)
    fold = table["fold"] if n_folds else -1
    return sites.assign(**fractions, fold=fold).sort_values("site_id", ignore_index=True)


def add_statics(sites: pd.DataFrame, path: Path, extra: Sequence[ExtraPredictor]) -> pd.DataFrame:
    """Sites with the static predictors that the table holds, ``extra_{name}``; see above."""
    table = pd.read_csv(path, keep_default_na=False, na_values=["", "NaN", "nan"])
    for each in extra:
        if each.name not in table:
            log.info("%s has no column %s", path, each.name)
            continue
        values = pd.to_numeric(table[each.name], errors="coerce")
        unread = table[each.name].notna() & values.isna()
        if unread.any():
            raise InputError(
                "a column does not hold numbers", file=path, variable=each.name,
                found=table[each.name][unread].iloc[0], expected=each.variable.units,
            )  # fmt: skip
        check_range(values.min(), values.max(), each.variable, path)
        of_site = dict(zip(table["site_id"], values, strict=True))
        sites = sites.assign(**{f"{PREFIX}{each.name}": sites["site_id"].map(of_site)})
    return sites


def read_days(
    path: Path,
    sites: pd.DataFrame,
    need_fluxes: bool,
    catalogue: Mapping[str, Variable] = PREDICTORS,
) -> pd.DataFrame:
    """Site-days in catalogue names and units, sorted; see `convert_site_table` for the checks."""
    if not path.is_file():
        raise InputError(
            "the table of site-days does not exist", file=path, fix="correct real_towers"
        )
    try:
        table = pd.read_parquet(path)
    except DAMAGED_TABLE as error:
        raise InputError(
            "the table of site-days is not a Parquet file", file=path, found=error
        ) from error
    table, columns = _catalogue_names(table, path, catalogue)
    _need_columns(
        table, ["site_id", "date", *CORE_WEATHER, *(TARGETS if need_fluxes else [])], path
    )
    try:
        date = pd.to_datetime(table["date"])
    except (ValueError, TypeError) as error:
        raise InputError("dates cannot be read", file=path, variable="date", found=error) from error
    if not date.dropna().between(*DATE_BOUNDS).all():
        raise InputError(
            "a date lies outside the period of flux measurements", file=path, variable="date",
            found=f"{date.min()} to {date.max()}", expected=" to ".join(DATE_BOUNDS),
            fix="correct the dates",
        )  # fmt: skip
    if len(table) == 0 or date.isna().any() or table["site_id"].isna().any():
        raise InputError(
            "site-days have no site or no date" if len(table) else "there is no site-day",
            file=path, variable="site_id, date",
            found=f"{(date.isna() | table['site_id'].isna()).sum()} of {len(table)} rows without",
            fix="add them or drop the rows",
        )  # fmt: skip
    known = {**catalogue, **FURTHER_FLUXES}
    names = [*TARGETS, *(name for name in known if name in table)]
    days = table.reindex(columns=["site_id", *names]).assign(date=date)
    for table_a, table_b, what, fix in (
        (days, sites, "site-days of a site that the site table does not list", "add its row"),
        (sites, days, "the site table lists a site without site-days", "drop its row"),
    ):
        unmatched = sorted(set(table_a["site_id"]) - set(table_b["site_id"]), key=str)
        if unmatched:
            raise InputError(
                what, file=path, variable="site_id",
                found=", ".join(map(str, unmatched[:5])), fix=fix,
            )  # fmt: skip
    repeated = days[days.duplicated(["site_id", "date"])]
    if len(repeated):
        first = repeated.iloc[0]
        raise InputError(
            "a site-day is repeated",
            file=path, variable="date", found=f"{first['site_id']} {first['date']:%Y-%m-%d} and "
            f"{len(repeated) - 1} more", fix="keep one row per site and day",
        )  # fmt: skip
    for name in names:
        days[name] = _numbers(days, columns.get(name, name), name, path, catalogue)
    return days.sort_values(["site_id", "date"], ignore_index=True)


def _catalogue_names(
    table: pd.DataFrame, path: Path, catalogue: Mapping[str, Variable]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Table whose columns have the names and units of the catalogue, and the names they had."""
    for column, name in ALIASES.items():
        if column in table and name in table:
            raise InputError(
                "a variable is given twice",
                file=path, variable=name, found=f"columns {column} and {name}",
                fix="drop one of them",
            )  # fmt: skip
    if "TP_CLIM" in table and pd.api.types.is_numeric_dtype(table["TP_CLIM"]):
        table = table.assign(TP_CLIM=table["TP_CLIM"] / DAYS_PER_MONTH)
    columns = {name: column for column, name in ALIASES.items() if column in table}
    table = table.rename(columns=ALIASES)
    known = {"site_id", "date", *TARGETS, *catalogue, *FURTHER_FLUXES}
    if unused := [str(name) for name in table if name not in known]:
        log.info("columns that are not used: %s", ", ".join(unused))
    return table, columns


def _select_predictors(
    days: pd.DataFrame,
    wanted: Sequence[str] | None,
    path: Path,
    *,
    to_train: bool,
    catalogue: Mapping[str, Variable],
) -> list[str]:
    """Predictors of the samples, in the order of the catalogue or in that of `wanted`.

    A predictor that is missing on every day cannot train a model: it is left out, or refused where
    it is wanted.
    """
    bands = {f"refl_b{band}" for band in needed_bands(list(INDEX_BANDS))}
    derived = {*ASTRONOMY, *(INDEX_BANDS if bands <= set(days) else ())}
    given = {name for name in catalogue if name in days and days[name].notna().any()}
    if wanted is None:
        return [name for name in catalogue if name in given | derived]
    if lacking := [name for name in wanted if name not in given | derived] if to_train else []:
        raise InputError(
            "predictors are not in the table, or missing on every day",
            file=path, variable=", ".join(lacking), found=", ".join(sorted(given)),
            fix="add the columns, or take them out of real_towers.predictors",
        )  # fmt: skip
    return [name for name in wanted if name in given | derived]


def _need_columns(table: pd.DataFrame, columns: list[str], path: Path) -> None:
    aliases = {name: f"{name} or {column}" for column, name in ALIASES.items()}
    absent = [aliases.get(name, name) for name in columns if name not in table.columns]
    if absent:
        raise InputError(
            "columns are missing",
            file=path, variable=", ".join(absent), found=", ".join(map(str, table.columns)),
            fix="add them (their meaning: docs/data.md); a value may be missing",
        )  # fmt: skip


def _need_classes(table: pd.DataFrame, column: str, known, path: Path) -> None:
    wrong = table[table[column].notna() & ~table[column].isin(known)]
    if len(wrong):
        first = wrong.iloc[0]
        raise InputError(
            "a site has an unknown class",
            file=path, variable=column,
            found=f"{first[column]} at {first['site_id']} and {len(wrong) - 1} more",
            expected=", ".join(known), fix="correct it, or leave it empty if it is not known",
        )  # fmt: skip


def _numbers(
    days: pd.DataFrame, column: str, name: str, path: Path, predictors: Mapping[str, Variable]
) -> pd.Series:
    """One column as float64; values are within the catalogue's range or missing."""
    if not pd.api.types.is_numeric_dtype(days[name]):
        raise InputError(
            "a column does not hold numbers", file=path, variable=column, found=days[name].dtype
        )
    values = days[name].astype(np.float64)
    if name in CORE_WEATHER and values.isna().all():
        raise InputError("a predictor is missing on every day", file=path, variable=column)
    catalogue = {**predictors, **FLUXES, **FURTHER_FLUXES}
    variable = catalogue.get(name) or Variable(name, "1", "", 0, 1)
    low, high = variable.valid_min, variable.valid_max
    outside = (values < low - ROUNDING) | (values > high + ROUNDING)
    wrong = days["site_id"][outside] if outside.mean() > MAX_OUTSIDE else days["site_id"][:0]
    common_low, common_high = values.quantile([0.01, 0.99])
    looks = likely_units(common_low, common_high, variable)
    if name == "vpd" and wrong.empty:
        wrong, looks = _kilopascal_sites(days.assign(vpd=values)), "kPa"
    if len(wrong):
        first = days.loc[wrong.index[0]]
        raise InputError(
            "values out of their physical range: wrong unit, or missing values not marked?",
            file=path, variable=column,
            found=f"{first[name]:g} at {first['site_id']} {first['date']:%Y-%m-%d} and "
            f"{len(wrong) - 1} more (the range is {values.min():g} to {values.max():g})",
            expected=f"{low:g} to {high:g} {variable.units}",
            fix=f"the values look like {looks}: convert the column to {variable.units}"
            if looks
            else "convert the column, or empty such values",
        )  # fmt: skip
    if outside.any():
        log.warning("%s: %d values out of range are set to missing", column, outside.sum())
    return values.clip(low, high).mask(outside)


def _kilopascal_sites(days: pd.DataFrame) -> pd.Series:
    """`site_id` of the site-days of towers whose vapour pressure deficit looks like kPa."""
    wrong = [
        site for site, rows in days.groupby("site_id") if is_kilopascal(rows["vpd"], rows["t2m"])
    ]
    return days["site_id"][days["site_id"].isin(wrong)]
