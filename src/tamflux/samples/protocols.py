"""Cross-validation protocols: which sites are tested together, and which may train then."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tamflux.errors import ContractError
from tamflux.samples.splits import SPLITS, neighbours, split_sites

BENCHMARK = {"carbonfluxbench_igbp": "split_igbp", "carbonfluxbench_koppen": "split_koppen"}
"""Protocols of CarbonFluxBench and the columns of its table of sites that hold them."""

PROTOCOLS = (*SPLITS, "leave_class_out", "leave_continent_out", "folds", *BENCHMARK)

NOT_TESTED = -1
"""Fold of the sites that are never tested."""

MIN_SITES = 3
"""Classes and continents with fewer sites are not tested: they have no quartiles."""

AFRICA_NORTH = ((-20, -1.1, -1, 11.4, 11.5, 35), (35.95, 35.95, 37.4, 37.4, 33.5, 33.5))
"""Longitude and latitude of the line between Africa and Europe, through the Mediterranean."""

AFRICA_EAST = (
    (12.3, 12.6, 16, 20, 24, 27.8, 29.9, 32),
    (43.3, 43.3, 41, 38.7, 36.6, 34, 32.5, 32.3),
)
"""Latitude and longitude of the line between Africa and Asia, through the Red Sea and Suez."""

EUROPE_SOUTH = (
    (25.9, 26.1, 26.3, 28.9, 29.1, 36, 40, 42.5, 44.5, 45.8, 47, 48.5, 52),
    (34.5, 38.0, 40.2, 40.7, 41.2, 43.0, 43.5, 43.3, 42.7, 42.4, 41.8, 41.2, 41.2),
)
"""Longitude and latitude of the line between Europe and Asia: Aegean, Bosporus, Caucasus."""

EUROPE_EAST = (
    (41, 46, 47, 51, 52, 54, 60, 65, 68, 70, 72, 77),
    (49, 50, 52, 52, 59, 59.3, 59.5, 60, 66, 65, 69, 69),
)
"""Latitude and longitude of the line between Europe and Asia: Caspian, Ural river, Urals."""


def protocol_folds(sites: pd.DataFrame, protocol: str, seed: int) -> pd.DataFrame:
    """Assign the test sites of a protocol to folds.

    Parameters
    ----------
    sites : DataFrame
        `site_id, lat, lon, igbp, koppen`, and for ``folds`` also `fold`.
    protocol : str
        ``igbp``, ``koppen`` and ``block``: one fold, the test side of `split_sites`.
        ``leave_class_out`` and ``leave_continent_out``: a fold for each IGBP class, or continent,
        with at least `MIN_SITES` sites. ``folds``: the column `fold` of the table. Those of
        `BENCHMARK`: one fold, the sites that the column calls ``test``; since the benchmark lets
        towers near a test site train, each site is a `cluster` of its own.
    seed : int
        Seed of the splits; the other protocols are not random.

    Returns
    -------
    DataFrame
        `site_id`; `fold` in which the site is tested, `NOT_TESTED` if never; `cluster`, number of
        the chain of sites within `NEIGHBOUR_KM` of each other. In the order of `site_id`.

    Raises
    ------
    ContractError
        If the protocol is unknown, the table lacks a column, or no site would be tested.
    """
    columns = {"folds": ["fold"]} | {name: [column] for name, column in BENCHMARK.items()}
    wanted = {"site_id", "lat", "lon", *columns.get(protocol, ["igbp", "koppen"])}
    if protocol not in PROTOCOLS or not wanted <= set(sites):
        raise ContractError(
            "the protocol does not fit the table of sites",
            found=f"protocol {protocol}; columns {', '.join(sites)}",
            expected=f"one of {', '.join(PROTOCOLS)}; columns {', '.join(sorted(wanted))}",
            fix="correct comparison.protocols, or make the table of sites again",
        )
    sites = sites.sort_values("site_id", ignore_index=True)
    lat, lon = sites["lat"].to_numpy(float), sites["lon"].to_numpy(float)
    if protocol in SPLITS:
        test = split_sites(sites, seed)[f"split_{protocol}"] == "test"
        fold = np.where(test, 0, NOT_TESTED)
    elif protocol in BENCHMARK:
        fold = np.where(sites[BENCHMARK[protocol]] == "test", 0, NOT_TESTED)
    elif protocol == "folds":
        fold = sites["fold"].fillna(NOT_TESTED).to_numpy(int)
    else:
        group = sites["igbp"] if protocol == "leave_class_out" else pd.Series(continents(lat, lon))
        sizes = group.value_counts()
        tested = sorted(sizes.index[sizes >= MIN_SITES])
        fold = group.map({name: k for k, name in enumerate(tested)}).fillna(NOT_TESTED)
    folds = pd.DataFrame({
        "site_id": sites["site_id"],
        "fold": np.asarray(fold, int),
        "cluster": np.arange(len(sites)) if protocol in BENCHMARK else neighbours(lat, lon),
    })  # fmt: skip
    if (folds["fold"] < 0).all():
        raise ContractError(
            "the protocol has no test site",
            found=f"{len(sites)} sites, protocol {protocol}",
            fix="add sites, or leave the protocol out of comparison.protocols",
        )
    return folds


def training_sites(folds: pd.DataFrame, fold: int) -> list[str]:
    """Training sites of a fold: all but its test sites and their neighbours.

    Parameters
    ----------
    folds : DataFrame
        From `protocol_folds`.
    fold : int
        Index of the fold.
    """
    test = folds["fold"] == fold
    near = folds["cluster"].isin(folds["cluster"][test])
    return folds["site_id"][~test & ~near].to_list()


def continents(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """(site,) continent of each position, by lines along straits, seas and watersheds.

    The first match counts: Antarctica south of 60 S; Oceania (Australia, New Guinea, the
    Pacific south of 21 N, Hawaii); the Americas west of 34 W and in Greenland, divided at Panama;
    Africa west of the Red Sea and south of the Mediterranean; Europe west of the Urals and north of
    the Aegean and the Caucasus; Asia. Lines are good to about a degree, on land to less: islands
    of the Aegean, eastern Indonesia and the Bering Sea may fall to the other side.

    Parameters
    ----------
    lat, lon : numpy.ndarray
        (site,) degrees north and east, -180 to 180.
    """
    lat, lon = np.asarray(lat, float), np.asarray(lon, float)
    west = ((lon < -34) | ((lon < -11) & (lat > 67))) & ~((lon < -169) & (lat > 60))
    return np.select(
        [
            lat < -60,
            ((lon > 110) & (lat < -11)) | ((lon > 130) & (lat < 21)) | ((lon < -130) & (lat < 30)),
            west & ((lat > 12.6) | ((lat > 7.3) & (lon < -77.4))),
            west,
            (lat < 12.3) & (lon < 60),
            (lat < np.interp(lon, *AFRICA_NORTH)) & (lon < np.interp(lat, *AFRICA_EAST)),
            (lon > -34)
            & (lat > np.interp(lon, *EUROPE_SOUTH))
            & (lon < np.interp(lat, *EUROPE_EAST)),
        ],
        [
            "Antarctica", "Oceania", "North America", "South America", "Africa", "Africa", "Europe",
        ],
        "Asia",
    )  # fmt: skip
