"""Tables of site-days as contiguous arrays, and the windows of rows that models receive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from tamflux.errors import ContractError
from tamflux.extra_predictors import PREFIX
from tamflux.predictors.cube import LOOKBACK_DAYS, lookback_window
from tamflux.predictors.monthly import monthly_means
from tamflux.predictors.static import static_table
from tamflux.variables import ASTRONOMY, CORE_WEATHER, FLUXES, METEOROLOGY, PREDICTORS

YEAR_DAYS = 366
"""Longest year after a look-back window; shorter ones are padded."""

CLIMATE_PREFIX = "climate_"
"""Prefix of further static features in a table of sites (site tables only)."""

MAX_MISSING_SHARE = 0.5
"""With a larger share of the look-back window missing, it says nothing of a site or cell."""

PAD = -1
"""Row number of a padded day; values at padded positions are masked."""


@dataclass(frozen=True)
class Samples:
    """Site-days of all sites, one site after the other, each in the order of days.

    Attributes
    ----------
    sites : DataFrame
        One row per site, `site_id` and its description, in the order of the arrays.
    site : numpy.ndarray
        (row,) position of each row's site in `sites`.
    date : numpy.ndarray
        (row,) datetime64[D].
    x : numpy.ndarray
        (row, feature) float32 predictors in catalogue units, NaN where missing.
    y : numpy.ndarray
        (row, 3) float32 gpp, reco, nee in g m-2 d-1, NaN where missing.
    qc : numpy.ndarray
        (row,) float32, share of the day measured or well filled, 0-1.
    static : numpy.ndarray
        (site, static feature) float32; extra static predictors may be NaN.
    predictors, static_features : tuple of str
        Names of the features.
    train_years : tuple of int or None
        Calendar years whose fluxes may train; None for all years.
    monthly : tuple of str
        Predictors that are averaged over calendar months in `x`.
    optional : tuple of str
        Predictors that a site may lack altogether (`optional_predictors`).
    extra_units : mapping of str to str
        Units of predictors that are not in the catalogue.
    """

    sites: pd.DataFrame
    site: np.ndarray
    date: np.ndarray
    x: np.ndarray
    y: np.ndarray
    qc: np.ndarray
    static: np.ndarray
    predictors: tuple[str, ...]
    static_features: tuple[str, ...]
    train_years: tuple[int, ...] | None = None
    monthly: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    extra_units: Mapping[str, str] = field(default_factory=dict)

    @property
    def units(self) -> tuple[str, ...]:
        """Unit of each predictor."""
        catalogue = {name: variable.units for name, variable in PREDICTORS.items()}
        return tuple((catalogue | dict(self.extra_units))[name] for name in self.predictors)

    @property
    def year(self) -> np.ndarray:
        """(row,) calendar year."""
        return self.date.astype("datetime64[Y]").astype(int) + 1970

    @property
    def may_train(self) -> np.ndarray:
        """(row,) bool, days within the training years."""
        if self.train_years is None:
            return np.ones(len(self.date), bool)
        return np.isin(self.year, self.train_years)

    def gather(self, windows: Windows) -> tuple[np.ndarray, np.ndarray]:
        """Inputs of a model for some windows.

        Returns
        -------
        x : numpy.ndarray
            (window, LOOKBACK_DAYS + YEAR_DAYS, feature) predictors, NaN on padded days.
        static : numpy.ndarray
            (window, static feature).
        """
        x = np.where((windows.rows != PAD)[..., None], self.x[windows.rows], np.nan)
        return x, self.static[windows.site]


@dataclass(frozen=True)
class Windows:
    """Site-years: the rows of a look-back window, then those of the year.

    Attributes
    ----------
    rows : numpy.ndarray
        (window, LOOKBACK_DAYS + YEAR_DAYS) row numbers in `Samples`, `PAD` after the year's end.
    site : numpy.ndarray
        (window,) position of the site in `Samples.sites`.
    year : numpy.ndarray
        (window,) calendar year.
    """

    rows: np.ndarray
    site: np.ndarray
    year: np.ndarray

    @property
    def lookback_rows(self) -> np.ndarray:
        """(window, LOOKBACK_DAYS) rows of the look-back windows."""
        return self.rows[:, :LOOKBACK_DAYS]

    @property
    def year_rows(self) -> np.ndarray:
        """(window, YEAR_DAYS) rows of the years, `PAD` after their end."""
        return self.rows[:, LOOKBACK_DAYS:]

    def select(self, keep: np.ndarray) -> Windows:
        """Windows selected by a mask or by indices."""
        return Windows(self.rows[keep], self.site[keep], self.year[keep])


def load_samples(
    year_paths: Sequence[str | Path],
    sites_path: str | Path,
    predictors: Sequence[str] | None = None,
    train_years: Sequence[int] | None = None,
    monthly: Sequence[str] = (),
    static_names: Sequence[str] | None = None,
) -> Samples:
    """Read site-day tables (contract 2) into arrays.

    Parameters
    ----------
    year_paths : sequence of path
        Parquet tables, of one year each or of many.
    sites_path : path
        CSV table of the sites; sites without rows are left out.
    predictors : sequence of str, optional
        Predictors of a cube wanted, in this order; else all of the catalogue that the tables hold,
        and weather beyond `CORE_WEATHER` becomes optional, because towers may lack it.
    train_years : sequence of int, optional
        Calendar years whose fluxes may train; else all. Days of other years remain as look-back
        window and to be predicted.
    monthly : sequence of str
        Predictors to average over calendar months (`tamflux.predictors.monthly`).
    static_names : sequence of str, optional
        Static features of a trained model, in this order; else all that the sites have.

    Raises
    ------
    ContractError
        If a column is missing, a site-day comes twice, or a site is not described.
    """
    tables = [pd.read_parquet(path) for path in year_paths]
    units = {name: unit for each in tables for name, unit in each.attrs.get("units", {}).items()}
    extra_units = {name: unit for name, unit in units.items() if name not in PREDICTORS}
    table = pd.concat(tables, ignore_index=True)
    files = ", ".join(str(path) for path in year_paths)
    names = tuple(predictors or (name for name in [*PREDICTORS, *extra_units] if name in table))
    if static_names is not None:  # a table to predict may lack what the model can do without
        optional = optional_predictors(names, weather=True)
        table = table.assign(**{name: np.nan for name in optional if name not in table})
    missing = {"site_id", "date", "qc", *names, *FLUXES} - set(table)
    if missing or not names:
        raise ContractError(
            "the samples lack columns",
            file=files,
            found=list(table),
            expected=sorted(missing) or "predictors",
            fix="make the samples again, or train the model again with these predictors",
        )
    table = table.sort_values(["site_id", "date"], kind="stable", ignore_index=True)
    if (twice := table.duplicated(["site_id", "date"])).any():
        first = "{site_id} {date:%Y-%m-%d}".format(**table[twice].iloc[0])
        raise ContractError(
            "a site-day comes twice in the samples",
            file=files,
            found=f"{int(twice.sum())} site-days, the first {first}",
            fix="make the samples again",
        )
    sites = pd.read_csv(sites_path, keep_default_na=False, na_values=[""])
    sites = sites[sites["site_id"].isin(table["site_id"].unique())]
    sites = sites.sort_values("site_id", ignore_index=True)
    number = table["site_id"].map(pd.Series(sites.index, index=sites["site_id"]))
    if number.isna().any():
        raise ContractError(
            "sites of the samples are not described",
            file=sites_path,
            found=sorted(table["site_id"][number.isna()].unique())[:5],
            fix="make the table of sites again",
        )
    climate = [name for name in sites if name.startswith(CLIMATE_PREFIX)]
    averaged = tuple(name for name in monthly if name in names)
    site, date = number.to_numpy(np.int64), table["date"].to_numpy("datetime64[D]")
    x = table[list(names)].to_numpy(np.float32)
    static = static_table(sites).join(sites[climate])
    if static_names is not None:
        static = static.reindex(columns=list(static_names))
    unscaled = [name for name in static if not name.startswith(PREFIX)]
    static[unscaled] = static[unscaled].fillna(0)  # climate_*: 0 is the mean of the towers
    return Samples(
        sites=sites,
        site=site,
        date=date,
        x=monthly_means(x, date, [names.index(name) for name in averaged], site),
        y=table[list(FLUXES)].to_numpy(np.float32),
        qc=table["qc"].fillna(0).to_numpy(np.float32),
        static=static.to_numpy(np.float32),
        predictors=names,
        static_features=tuple(static),
        train_years=None if train_years is None else tuple(train_years),
        monthly=averaged,
        optional=optional_predictors(names, weather=predictors is None),
        extra_units=extra_units,
    )


def optional_predictors(predictors: Sequence[str], *, weather: bool) -> tuple[str, ...]:
    """Predictors that may be absent.

    Parameters
    ----------
    predictors : sequence of str
    weather : bool
        Whether weather beyond `CORE_WEATHER` may be absent too, as in site tables. A cube has all
        weather everywhere.
    """
    needed = {*ASTRONOMY, *CORE_WEATHER} if weather else {*ASTRONOMY, *METEOROLOGY}
    return tuple(name for name in predictors if name not in needed)


def make_windows(samples: Samples, without_weather: np.ndarray | None = None) -> Windows:
    """Every site-year of the samples with its look-back window.

    The look-back window holds the 365 days before the year's first day if the samples have all of
    them, else the first 365 days of the year itself (repeated where the year has fewer); see
    `tamflux.predictors.cube.lookback_window`. A year before that lacks weather on more than
    `MAX_MISSING_SHARE` of these days, as where a tower paused, counts as none, and then days
    without weather are left out of the year's own ones.

    Parameters
    ----------
    samples : Samples
    without_weather : numpy.ndarray, optional
        (row,) bool, days without weather; for prediction. Training leaves such windows out.
    """
    known = np.ones(len(samples.site), bool) if without_weather is None else ~without_weather
    year = samples.year
    first = np.flatnonzero(np.r_[True, (np.diff(samples.site) != 0) | (np.diff(year) != 0)])
    last = np.r_[first[1:], len(year)]
    rows = np.full((len(first), LOOKBACK_DAYS + YEAR_DAYS), PAD, np.int64)
    for window, (start, stop) in enumerate(zip(first, last, strict=True)):
        before = start - LOOKBACK_DAYS
        complete = (
            before >= 0
            and samples.site[before] == samples.site[start]
            and samples.date[start] - samples.date[before] == np.timedelta64(LOOKBACK_DAYS, "D")
        )
        complete = complete and known[before:start].mean() >= 1 - MAX_MISSING_SHARE
        own = np.arange(start, stop)
        days = own if complete or not known[own].any() else own[known[own]]
        year_before = np.arange(before, start)[:, None] if complete else None
        rows[window, :LOOKBACK_DAYS] = lookback_window(days[:, None], year_before)[:, 0]
        rows[window, LOOKBACK_DAYS : LOOKBACK_DAYS + len(own)] = own
    return Windows(rows, samples.site[first], year[first])
