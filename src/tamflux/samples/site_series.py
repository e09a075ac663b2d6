"""Daily series of the predictors at the sites of a site table: gaps filled, sun and climate added.

Weather is interpolated over short gaps. Satellite series are sparse: they are filled by the code
of the cube (`tamflux.predictors.filling`). A predictor that a site lacks
altogether stays missing; models receive it as absent (`tamflux.training.absent`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from tamflux.predictors.cube import FLAG_NO_DATA
from tamflux.predictors.filling import fill_series
from tamflux.predictors.reflectance import INDEX_BANDS, compute_indices
from tamflux.readers.modis import BANDS
from tamflux.readers.modis_files import LONGEST_GAP
from tamflux.solar import day_length, potential_radiation
from tamflux.variables import CLIMATOLOGY, LAND_MODEL, METEOROLOGY, VEGETATION

WEATHER = (*METEOROLOGY, *LAND_MODEL)
CYCLES = tuple(CLIMATOLOGY)
BAND_NAMES = tuple(f"refl_b{band}" for band in BANDS)

CLIMATE_SCALING = {
    ("lai_clim", "mean"): (1.6, 1.2),
    ("lai_clim", "max"): (2.9, 1.8),
    ("lai_clim", "min"): (0.7, 0.8),
    ("t2m_clim", "mean"): (10, 9),
    ("t2m_clim", "max"): (20, 6),
    ("t2m_clim", "min"): (-2, 13),
    ("tp_clim", "mean"): (0.6, 0.6),
    ("tp_clim", "max"): (4, 3),
    ("tp_clim", "min"): (1.2, 0.9),
}
"""Annual cycle and statistic of its months -> rounded mean and standard deviation over the towers
of FLUXNET2015 (m2 m-2, degC, mm d-1; of ln(tp + 0.05) for mean precipitation). They are constants
because the static features of a checkpoint are not standardised by the model."""

MID_MONTH = np.array([15.5, 45, 74.5, 105, 135.5, 166, 196.5, 227.5, 258, 288.5, 319, 349.5])
"""Day of the year in the middle of each calendar month."""

MAX_INTERPOLATED_DAYS = 5
"""Longest gap of the weather that is interpolated."""


def annual_cycles(days: pd.DataFrame, names: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Mean annual cycle of each of the columns: site x calendar month 1-12.

    Months that a site misses are interpolated around the year; a site without any stays missing.
    """
    months = np.arange(12)
    cycles = {}
    for name in names:
        by_month = days.groupby(["site_id", days["date"].dt.month])[name].mean()
        cycle = by_month.unstack().reindex(columns=range(1, 13))  # noqa: PD010
        for site, row in zip(cycle.index, cycle.to_numpy(copy=True), strict=True):
            known = np.flatnonzero(np.isfinite(row))
            if len(known):
                cycle.loc[site] = np.interp(months, known, row[known], period=12)
        cycles[name] = cycle
    return cycles


def describe_climate(cycles: Mapping[str, pd.DataFrame], site_ids: pd.Series) -> pd.DataFrame:
    """`site_id` and `climate_*`: mean, maximum and minimum month of the annual cycles.

    The features are static inputs of the models, standardised with `CLIMATE_SCALING`. Mean
    precipitation enters as its logarithm, because it is skewed.
    """
    table = pd.DataFrame(index=pd.Index(site_ids, name="site_id"))
    for (name, statistic), (mean, sd) in CLIMATE_SCALING.items():
        if name not in cycles:
            continue
        values = getattr(cycles[name], statistic)(axis=1)
        if (name, statistic) == ("tp_clim", "mean"):
            values = np.log(values + 0.05)
        table[f"climate_{name.removesuffix('_clim')}_{statistic}"] = (values - mean) / sd
    return table.reset_index()


def complete_days(
    days: pd.DataFrame,
    sites: pd.DataFrame,
    cycles: Mapping[str, pd.DataFrame],
    sparse: Sequence[str] = (),
) -> pd.DataFrame:
    """Every day from each site's first to its last, gaps filled, with solar geometry and indices.

    Missing weather is interpolated over at most `MAX_INTERPOLATED_DAYS`; longer gaps stay missing.
    Monthly precipitation that a site misses takes its mean annual cycle (`tp_clim`). Satellite
    series, and those of `sparse`, are filled by `fill_satellite`, the reflectance bands together,
    since the cube uses pixels that are valid in all bands; indices of reflectance that the table
    lacks follow from the bands. `filled` is True on days with a filled or missing value of a
    predictor that the site has.
    """
    span = days.groupby("site_id")["date"].agg(["min", "max"])
    every_day = [
        pd.DataFrame({"site_id": site, "date": pd.date_range(first, last)})
        for site, first, last in span.itertuples()
    ]
    table = pd.concat(every_day, ignore_index=True).merge(days, "left", ["site_id", "date"])
    rows = table.groupby("site_id").indices
    by_site = table.groupby("site_id")
    table["filled"] = False
    for name in [name for name in WEATHER if name in days]:
        lacks_all = by_site[name].transform("count") == 0
        table["filled"] |= table[name].isna() & ~lacks_all
        if name == "tp" and "tp_clim" in cycles:
            cycle = pd.Series(_daily(cycles["tp_clim"], table["date"], rows), table.index)
            table["tp"] = table["tp"].fillna(cycle.mask(lacks_all))
        table[name] = by_site[name].transform(fill_short_gaps)
    for name, cycle in cycles.items():
        table[name] = _daily(cycle, table["date"], rows)
    table = _fill_satellite_columns(table, rows, sparse)
    table = add_sun(table, sites)
    numbers = table.columns.drop(["site_id", "date", "filled"])
    return table.astype(dict.fromkeys(numbers, np.float32))


def _fill_satellite_columns(
    table: pd.DataFrame, rows: Mapping[str, np.ndarray], sparse: Sequence[str]
) -> pd.DataFrame:
    """Table with satellite series filled and indices of reflectance added."""
    bands = [name for name in BAND_NAMES if name in table]
    groups = [
        [name] for name in dict.fromkeys((*INDEX_BANDS, *VEGETATION, *sparse)) if name in table
    ]
    dates = table["date"].to_numpy("datetime64[D]")
    filled = table["filled"].to_numpy(copy=True)
    columns: dict[str, np.ndarray] = {}
    for names in [*([bands] if bands else []), *groups]:
        values = table[names].to_numpy(np.float32, copy=True)
        for of_site in rows.values():
            values[of_site], is_filled = fill_satellite(values[of_site], dates[of_site])
            filled[of_site] |= is_filled
        columns |= dict(zip(names, values.T, strict=True))
    if len(bands) == len(BAND_NAMES):
        reflectance = {band: columns[f"refl_b{band}"] for band in BANDS}
        wanted = [name for name in INDEX_BANDS if name not in table]
        columns |= compute_indices(reflectance, wanted)
    return table.assign(**columns, filled=filled)


def fill_satellite(values: np.ndarray, dates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Daily values of a site between its observations, and the days that are filled over a gap.

    Days near an observation are filled as in the cube (`fill_series`). A day whose nearest
    observations are more than `LONGEST_GAP` days apart, or which lies further than that outside of
    all, takes the site's mean annual cycle: no year of a cube has such days.

    Parameters
    ----------
    values : numpy.ndarray
        (day, series) float32; an observation is a day with all series, the rest is NaN.
    dates : numpy.ndarray
        (day,) datetime64[D], ascending.

    Returns
    -------
    numpy.ndarray
        (day, series), missing on all days where there is no observation.
    numpy.ndarray
        (day,) bool, days in a gap longer than `LONGEST_GAP`.
    """
    observed = np.flatnonzero(np.isfinite(values).all(axis=1))
    if not len(observed):
        return np.full_like(values, np.nan), np.zeros(len(values), bool)
    daily, flag = fill_series(values[observed], dates[observed], dates)
    after = np.searchsorted(observed, np.arange(len(values)))
    edges = np.concatenate([[-np.inf], dates[observed].astype(float), [np.inf]])
    day = dates.astype(float)
    nearest = np.minimum(edges[after + 1] - day, day - edges[after])
    nearest[observed] = 0
    gap = edges[after + 1] - edges[after]
    in_gap = np.where(np.isinf(gap), nearest > LONGEST_GAP, (gap > LONGEST_GAP) & (nearest > 0))
    in_gap |= (flag == FLAG_NO_DATA).any(axis=1)
    if in_gap.any():
        day_of_year = pd.DatetimeIndex(dates).day_of_year.to_numpy()
        certain = ~in_gap & np.isfinite(gap)
        certain[observed] = True
        for series in daily.T:
            known = pd.Series(series[certain]).groupby(day_of_year[certain]).mean()
            series[in_gap] = np.interp(day_of_year[in_gap], known.index, known, period=365.25)
    return daily, in_gap


def fill_short_gaps(values: pd.Series) -> pd.Series:
    """Values interpolated in gaps of up to `MAX_INTERPOLATED_DAYS`; longer gaps stay missing."""
    missing = values.isna()
    length = missing.groupby((~missing).cumsum()).transform("sum")
    filled = values.interpolate(limit_area="inside")
    return filled.where(~missing | (length <= MAX_INTERPOLATED_DAYS))


def filled_share(days: pd.DataFrame) -> pd.DataFrame:
    """`site_id` and `filled_share`: share of the days of each site with `filled` predictors."""
    share = days.groupby("site_id")["filled"].mean().round(4)
    return share.rename("filled_share").reset_index()


def add_sun(days: pd.DataFrame, sites: pd.DataFrame) -> pd.DataFrame:
    """Days with `ssrd_pot` and `day_length` added, from `date` and the latitude of their site."""
    latitude = sites.set_index("site_id")["lat"]
    dates = days["date"].to_numpy("datetime64[D]")
    rows = days.groupby("site_id").indices
    columns: dict[str, np.ndarray] = {}
    for name, sun in {"ssrd_pot": potential_radiation, "day_length": day_length}.items():
        columns[name] = np.empty(len(days))
        for site, of_site in rows.items():
            columns[name][of_site] = sun(latitude[[site]].to_numpy(), dates[of_site])[:, 0]
    return days.assign(**columns)


def _daily(cycles: pd.DataFrame, date: pd.Series, rows: Mapping[str, np.ndarray]) -> np.ndarray:
    """(row,) daily annual cycles, linear between the middles of the months."""
    around = np.concatenate([MID_MONTH[-1:] - 365.25, MID_MONTH, MID_MONTH[:1] + 365.25])
    day_of_year = date.dt.day_of_year.to_numpy()
    daily = np.empty(len(date))
    for site, of_site in rows.items():
        cycle = cycles.loc[site].to_numpy()
        closed = np.concatenate([cycle[-1:], cycle, cycle[:1]])
        daily[of_site] = np.interp(day_of_year[of_site], around, closed)
    return daily
