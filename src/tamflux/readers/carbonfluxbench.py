"""CarbonFluxBench (arXiv 2603.09868): read its published files and reproduce its splits.

The published files lie in one folder. The reader uses `target_fluxes*.parquet`, `MOD09GA.parquet`,
`ERA5.parquet`, `koppen_sites.json` (main group A-E of each site) and `koppen_sites_short.json`
(class such as Dfb). From ERA5-Land it reads the six variables of the benchmark's set "minimal".
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from tamflux.errors import InputError
from tamflux.files import DAMAGED_TABLE
from tamflux.readers.modis_sites import read_site_reflectance
from tamflux.units import likely_units
from tamflux.variables import FLUXES, IGBP_CLASSES, KOPPEN_CLASSES, PREDICTORS, Variable

log = logging.getLogger("tamflux")

FIRST_DAY = pd.Timestamp("2000-02-24")
"""First day of MODIS; the benchmark drops earlier days."""

LAST_DAY = pd.Timestamp("2100-12-31")
"""Upper bound of dates; a damaged date would create millions of days in between."""

SEED = 56
"""random_state of the benchmark's splits."""

TARGETS = {
    "GPP_NT_VUT_USTAR50": "gpp",
    "RECO_NT_VUT_USTAR50": "reco",
    "NEE_VUT_USTAR50": "nee",
    "NEE_VUT_USTAR50_QC": "qc",
}
"""Column of the targets -> flux (g m-2 d-1) or quality (share of the day, 0-1)."""

ERA5_LAND = {
    "temperature_2m": ("t2m", 1, -273.15),
    "total_precipitation_sum": ("tp", 1000, 0),
    "surface_net_solar_radiation_sum": ("ssr", 1 / 86400, 0),
    "total_evaporation_sum": ("evaporation", -1000, 0),  # ECMWF counts downward fluxes positive
    "leaf_area_index_high_vegetation": ("lai_high", 1, 0),
    "leaf_area_index_low_vegetation": ("lai_low", 1, 0),
}
"""Band of ECMWF/ERA5_LAND/DAILY_AGGR -> predictor, factor and offset to its unit."""

_MIN_PEAK = {"ssr": 50, "tp": 1}
"""Smallest plausible maximum over all days (W m-2, mm d-1); a lower one is another unit."""

_MAX_OUTSIDE = 0.01
_SMALL_CLASS = 10
_TEST_SHARE = 0.2


def read_carbonfluxbench(folder: str | Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the benchmark's files in catalogue names and units.

    Fluxes are given on the days that the benchmark keeps: from `FIRST_DAY` on, with all three
    fluxes, quality and both classes. Each day between a site's first and last has a row; fluxes and
    quality are missing on the other days. Reflectance is missing where `clouds`, the cloudy share
    of a site's box, is not 0: its three bits together mean cloud, mixed or assumed-clear state, and
    shadow (the benchmark names them otherwise and masks nothing); cirrus and aerosol cannot be
    distinguished. Tower days are local days and are joined to days of the same date, as in the
    benchmark.

    Returns
    -------
    days : DataFrame
        `site_id, date`, `gpp, reco, nee` (g m-2 d-1), `qc`, the predictors of `ERA5_LAND`,
        and `refl_b1` to `refl_b7`; sorted by site and day.
    sites : DataFrame
        `site_id, lat, lon, igbp, koppen, koppen_group`, sorted by `site_id`.

    Raises
    ------
    InputError
        For a missing or unreadable file or column, values in another unit, a repeated site-day, or
        an unknown class.
    """
    folder = Path(folder)
    path = _targets_path(folder)
    modis_path, era5_path = folder / "MOD09GA.parquet", folder / "ERA5.parquet"
    group = _classes(folder / "koppen_sites.json", tuple("ABCDE"))
    koppen = _classes(folder / "koppen_sites_short.json", KOPPEN_CLASSES)
    days = _read_targets(path)
    days["koppen"], days["koppen_group"] = days["site_id"].map(koppen), days["site_id"].map(group)
    days = days.dropna(ignore_index=True)
    if days.empty:
        raise _refuse("no day can be used", path, None, "no day with fluxes, quality and classes",
                      f"days from {FIRST_DAY:%Y-%m-%d} on of sites in the JSON files")  # fmt: skip
    _need_once(days, path)
    sites = days.groupby("site_id")[["lat", "lon", "igbp", "koppen", "koppen_group"]].first()
    fluxes = days[["site_id", "date", *TARGETS.values()]]
    days = _every_day(fluxes)
    for table in (fluxes, _read_era5(era5_path), _read_modis(modis_path)):
        days = days.merge(table, "left", ["site_id", "date"])
    return days.sort_values(["site_id", "date"], ignore_index=True), sites.reset_index()


def split_benchmark(sites: pd.DataFrame) -> pd.DataFrame:
    """Splits of the benchmark (its `split_targets`), reproduced site by site.

    By IGBP, half of the sites (rounded down) of classes with ten sites or fewer are test sites, and
    a stratified fifth of the others. By Köppen main group, a stratified fifth.

    Parameters
    ----------
    sites : DataFrame
        `site_id, igbp, koppen_group` of *every* site of the benchmark.

    Returns
    -------
    DataFrame
        `site_id, split_igbp, split_koppen`, each ``train`` or ``test``, sorted by `site_id`.
    """
    sites = sites.sort_values("site_id", ignore_index=True)
    count = sites["igbp"].value_counts()
    small = sites["igbp"].isin(count.index[count <= _SMALL_CLASS])
    igbp = pd.Series(False, sites.index)
    for name, members in sites[small].groupby("igbp"):
        igbp[members.sample(count[name] // 2, random_state=SEED).index] = True
    large = sites.index[~small]
    if len(large):
        igbp[large[stratified_test(sites["igbp"][large].to_numpy())]] = True
    koppen = stratified_test(sites["koppen_group"].to_numpy())
    sides = {"split_igbp": igbp, "split_koppen": np.isin(sites.index, koppen)}
    return sites[["site_id"]].assign(**{k: np.where(v, "test", "train") for k, v in sides.items()})


def stratified_test(strata: np.ndarray) -> np.ndarray:
    """Indices of the test set of scikit-learn's stratified `train_test_split`.

    The same draws, in the same order, as ``train_test_split(..., test_size=0.2, stratify=strata,
    random_state=56)`` of scikit-learn 1.x.
    """
    random = np.random.RandomState(SEED)
    number, sizes = np.unique(strata, return_inverse=True, return_counts=True)[1:]
    n_test = int(np.ceil(_TEST_SHARE * len(strata)))
    n_train = _share(sizes, len(strata) - n_test, random)
    n_stratum_test = _share(sizes - n_train, n_test, random)
    test_idx = []
    for stratum, size in enumerate(sizes):
        members = np.flatnonzero(number == stratum)[random.permutation(size)]
        test_idx.append(members[n_train[stratum] :][: n_stratum_test[stratum]])
    return np.concatenate(test_idx)


def _share(sizes: np.ndarray, n: int, random: np.random.RandomState) -> np.ndarray:
    """`n` draws in proportion to `sizes`; the largest remainders round up, ties at random."""
    exact = sizes / sizes.sum() * n
    share = np.floor(exact)
    left, missing = exact - share, int(n - share.sum())
    for value in np.unique(left)[::-1]:
        if missing <= 0:
            break
        tied = np.flatnonzero(left == value)
        rounded_up = random.choice(tied, size=min(len(tied), missing), replace=False)
        share[rounded_up] += 1
        missing -= len(rounded_up)
    return share.astype(int)


def _every_day(days: pd.DataFrame) -> pd.DataFrame:
    """`site_id, date` of every day from each site's first to its last."""
    span = days.groupby("site_id")["date"].agg(["min", "max"])
    return pd.concat(
        pd.DataFrame({"site_id": site, "date": pd.date_range(first, last)})
        for site, first, last in span.itertuples()
    )


def _targets_path(folder: Path) -> Path:
    found = sorted(folder.glob("target_fluxes*.parquet"))
    if len(found) != 1:
        raise _refuse(
            "the targets are not one file", folder, None,
            [path.name for path in found], "one target_fluxes*.parquet",
        )  # fmt: skip
    return found[0]


def _read_targets(path: Path) -> pd.DataFrame:
    table = _read(path, ["site", "TIMESTAMP", "lat", "lon", "IGBP", *TARGETS])
    table = table.rename(columns={"site": "site_id", "IGBP": "igbp"} | TARGETS)
    timestamp = table.pop("TIMESTAMP").astype(str).str.replace("-", "")  # a date, or a number
    table["date"] = _dates(timestamp, path, "TIMESTAMP", "%Y%m%d")
    for column, name in {"lat": "lat", "lon": "lon", **TARGETS}.items():
        table[name] = _numbers(table[name], path, column).replace(-9999, np.nan)
    unknown = table["igbp"].dropna()
    unknown = unknown[~unknown.isin(IGBP_CLASSES)]
    if len(unknown):
        raise _refuse("a class is unknown", path, "IGBP", unknown.iloc[0], ", ".join(IGBP_CLASSES))
    table["lat"] = _in_range(table["lat"], -90, 90, "degrees", path, "lat")
    table["lon"] = _in_range(table["lon"], -180, 180, "degrees", path, "lon")
    for column, name in TARGETS.items():
        low, high = (FLUXES[name].valid_min, FLUXES[name].valid_max) if name in FLUXES else (0, 1)
        units = "g m-2 d-1" if name in FLUXES else "1"
        table[name] = _in_range(table[name], low, high, units, path, column)
    return table[table["date"] >= FIRST_DAY]


def _read_era5(path: Path) -> pd.DataFrame:
    table = _read(path, ["site", "date", *ERA5_LAND]).rename(columns={"site": "site_id"})
    result = table[["site_id"]].assign(date=_dates(table["date"], path, "date", None))
    _need_once(result, path)
    for column, (name, factor, offset) in ERA5_LAND.items():
        raw, variable = _numbers(table[column], path, column), PREDICTORS[name]
        low = variable.valid_min - 0.01  # accumulated fields fall a little below zero
        where = (variable.units, path, column, raw)
        values = _in_range(raw * factor + offset, low, variable.valid_max, *where)
        peak = values.max()
        if not peak >= _MIN_PEAK.get(name, low):
            found = f"at most {peak:g} {variable.units}" + _guess(
                raw, variable, _MIN_PEAK.get(name, 0)
            )
            what = "values are missing or far too small: another unit?"
            raise _refuse(what, path, column, found, f"up to {variable.valid_max:g}")
        result[name] = values.clip(variable.valid_min, variable.valid_max).astype(np.float32)
    return result


def _read_modis(path: Path) -> pd.DataFrame:
    columns = [f"sur_refl_b0{band}" for band in range(1, 8)]
    for name, values in _read(path, ["site", "date", "clouds", *columns])[columns].items():
        values = _numbers(values, path, name)
        _in_range(
            values, -0.1, 2, "1 (digital numbers x 0.0001)", path, name
        )  # masked when it is read
    return read_site_reflectance(path)


def _read(path: Path, columns: list[str]) -> pd.DataFrame:
    """Read these columns alone: the file of ERA5-Land has 150."""
    if not path.is_file():
        raise _refuse("a file of the benchmark is missing", path, None, "no file", path.name)
    try:
        present = pq.read_schema(path).names
        absent = [name for name in columns if name not in present]
        if absent:
            found = ", ".join(present)
            raise _refuse("columns are missing", path, ", ".join(absent), found, "these columns")
        return pd.read_parquet(path, columns=columns)
    except DAMAGED_TABLE as error:
        raise _refuse("the file is not Parquet", path, None, error, "Parquet") from error


def _classes(path: Path, known: tuple[str, ...]) -> dict:
    """A JSON object of the benchmark; its values must be `known` classes."""
    try:
        table = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise _refuse(
            "a file of the benchmark is missing", path, None, "no file", path.name
        ) from error
    except (ValueError, RecursionError, OSError) as error:
        raise _refuse("the file is not JSON", path, None, error, "a JSON object") from error
    if not isinstance(table, dict):
        raise _refuse("the file is not a JSON object", path, None, type(table), "names to values")
    for site, name in table.items():
        if name not in known and name is not None:
            raise _refuse("a class is unknown", path, site, name, ", ".join(known))
    return table


def _dates(column: pd.Series, path: Path, name: str, form: str | None) -> pd.Series:
    try:
        dates = pd.to_datetime(column, format=form).astype("datetime64[ns]")
        if (dates > LAST_DAY).any():
            raise ValueError(f"{dates.max():%Y-%m-%d} lies in the future")
        return dates
    except (ValueError, TypeError, OverflowError) as error:
        raise _refuse("a date cannot be read", path, name, error, form or "YYYY-MM-DD") from error


def _need_once(table: pd.DataFrame, path: Path) -> None:
    repeated = table[table.duplicated(["site_id", "date"])]
    if len(repeated):
        found = "{site_id} {date:%Y-%m-%d}".format(**repeated.iloc[0])
        found += f" and {len(repeated) - 1} more"
        raise _refuse("a site-day is repeated", path, "site, date", found, "each day once")


def _numbers(values: pd.Series, path: Path, column: str) -> pd.Series:
    """A column as float64."""
    if not pd.api.types.is_numeric_dtype(values):
        found = repr(values.iloc[0])[:60] if len(values) else "no row"
        raise _refuse("a column does not hold numbers", path, column, found, "numbers")
    return values.astype(np.float64)


def _in_range(
    values: pd.Series, low, high, units: str, path: Path, column: str, raw: pd.Series | None = None
) -> pd.Series:
    """Set single values out of their physical range to missing; refuse many of them.

    `raw` holds the values before their conversion, if there is one.
    """
    outside = (values < low) | (values > high)
    if outside.sum() > _MAX_OUTSIDE * len(values):
        found = f"{values.min():g} to {values.max():g}"
        found += _guess(values if raw is None else raw, Variable(column, units, "", low, high))
        raise _refuse("values out of range: another unit?", path, column, found,
                      f"{low:g} to {high:g} {units}")  # fmt: skip
    if outside.any():
        log.warning("%s, %s: %d values out of range are missing", path, column, outside.sum())
    return values.mask(outside)


def _guess(raw: pd.Series, variable: Variable, floor: float = 0.0) -> str:
    """Likely unit of the values in the file, as a part of a message."""
    low, high = raw.quantile([0.01, 0.99])
    in_range = variable.valid_min <= low and high <= variable.valid_max and raw.max() >= floor
    looks = variable.units if in_range else likely_units(low, high, variable, floor)
    return f"; those in the file look like {looks}" if looks else ""


def _refuse(what, path, variable, found, expected) -> InputError:
    return InputError(
        what, file=path, variable=variable, found=found, expected=expected,
        fix="download the file of CarbonFluxBench again, unchanged",
    )  # fmt: skip
