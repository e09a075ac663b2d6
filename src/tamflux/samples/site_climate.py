"""Gap filling, mean annual cycles and solar geometry for the sites of a site table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from tamflux.solar import day_length, potential_radiation

WEATHER = ("t2m", "t2m_min", "t2m_max", "ssrd", "vpd", "tp")
CYCLES = ("lai_clim", "t2m_clim", "tp_clim")
SITE_PREDICTORS = (*WEATHER, *CYCLES, "ssrd_pot", "day_length")
"""Predictors of the samples of a site table, in their order."""

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


def annual_cycles(days: pd.DataFrame, sites: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Mean annual cycle of each of `CYCLES`: site x calendar month 1-12.

    Months that a site misses are interpolated around the year; a site without any takes the mean
    cycle of the sites of its IGBP class, else of all sites.
    """
    igbp = sites.set_index("site_id")["igbp"].fillna("unknown")
    months = np.arange(12)
    cycles = {}
    for name in CYCLES:
        by_month = days.groupby(["site_id", days["date"].dt.month])[name].mean()
        cycle = by_month.unstack().reindex(columns=range(1, 13))  # noqa: PD010
        for site, row in zip(cycle.index, cycle.to_numpy(copy=True), strict=True):
            known = np.flatnonzero(np.isfinite(row))
            if len(known):
                cycle.loc[site] = np.interp(months, known, row[known], period=12)
        of_class = cycle.groupby(igbp.reindex(cycle.index)).transform("mean")
        cycles[name] = cycle.fillna(of_class).fillna(cycle.mean())
    return cycles


def describe_climate(cycles: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """`site_id` and `climate_*`: mean, maximum and minimum month of leaf area and climate.

    The features are static inputs of the models, standardised with `CLIMATE_SCALING`. Mean
    precipitation enters as its logarithm, because it is skewed.
    """
    features = {}
    for (name, statistic), (mean, sd) in CLIMATE_SCALING.items():
        values = getattr(cycles[name], statistic)(axis=1)
        if (name, statistic) == ("tp_clim", "mean"):
            values = np.log(values + 0.05)
        features[f"climate_{name.removesuffix('_clim')}_{statistic}"] = (values - mean) / sd
    table = pd.DataFrame(features)
    return table.rename_axis("site_id").reset_index()


def complete_days(
    days: pd.DataFrame, sites: pd.DataFrame, cycles: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Every day from each site's first to its last, short gaps filled, with solar geometry.

    Missing weather is interpolated over at most `MAX_INTERPOLATED_DAYS`; longer gaps stay missing.
    Precipitation takes the site's mean annual cycle, since the table has monthly means of it.
    `filled` is True on days with a filled or missing value.
    """
    span = days.groupby("site_id")["date"].agg(["min", "max"])
    every_day = [
        pd.DataFrame({"site_id": site, "date": pd.date_range(first, last)})
        for site, first, last in span.itertuples()
    ]
    table = pd.concat(every_day, ignore_index=True).merge(days, "left", ["site_id", "date"])
    rows = table.groupby("site_id").indices
    table["filled"] = table[list(WEATHER)].isna().any(axis=1)
    for name in CYCLES:
        table[name] = _daily(cycles[name], table["date"], rows)
    table["tp"] = table["tp"].fillna(table["tp_clim"])
    for name in WEATHER:
        table[name] = table.groupby("site_id")[name].transform(fill_short_gaps)
    table = add_sun(table, sites)
    numbers = table.columns.drop(["site_id", "date", "filled"])
    return table.astype(dict.fromkeys(numbers, np.float32))


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
    columns = {}
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
