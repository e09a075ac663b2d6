"""Hold-out splits by site: by land-cover class, by climate, by region; or none, with folds."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage

from tamflux.grid import EARTH_RADIUS_M

SPLITS = ("igbp", "koppen", "block")
FOLDS = "folds"
"""In place of a split: all towers train the product, and models trained without a fold score it."""

TEST_SHARE = 0.2
SMALL_CLASS = 10
"""Largest class that is split into halves instead of fifths (as in CarbonFluxBench)."""

NEIGHBOUR_KM = 5.0
"""Towers closer than this have the same weather and share a side of every split."""

BLOCK_DEGREES = 10.0

HEADLINE_TOWERS = 10
"""Held-out towers that a score of the whole product needs: the median over fewer says little."""


def split_sites(sites: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Side of every site in every split.

    Parameters
    ----------
    sites : DataFrame
        `site_id, lat, lon, igbp, koppen`, in any order.
    seed : int
        The same sites and seed give the same split.

    Returns
    -------
    DataFrame
        `split_igbp, split_koppen, split_block`, each ``train`` or ``test``, indexed as `sites`.
    """
    ordered = sites.sort_values("site_id")
    cluster = neighbours(ordered["lat"].to_numpy(), ordered["lon"].to_numpy())
    block = np.floor(ordered[["lat", "lon"]].to_numpy() / BLOCK_DEGREES)
    group = {
        "igbp": ordered["igbp"].to_numpy(),
        "koppen": ordered["koppen"].fillna("").str[:1].to_numpy(),
        "block": np.zeros(len(ordered), int),
    }
    unit = {
        "igbp": cluster,
        "koppen": cluster,
        "block": np.unique(block, axis=0, return_inverse=True)[1],
    }
    sides = {}
    for number, split in enumerate(SPLITS):
        random = np.random.default_rng([seed, number])
        test = _hold_out(_merge_split_clusters(unit[split], cluster), group[split], random)
        sides[f"split_{split}"] = np.where(test, "test", "train")
    return pd.DataFrame(sides, index=ordered.index).reindex(sites.index)


def tower_roles(sites: pd.DataFrame, split: str) -> pd.Series:
    """What each tower is for.

    Parameters
    ----------
    sites : DataFrame
        With the columns of `split_sites`.
    split : str
        One of `SPLITS`, or `FOLDS`.

    Returns
    -------
    Series
        ``train`` or ``test``; with folds ``fold`` for all: it trains the product, and is scored
        with models that were trained without it.
    """
    return pd.Series(FOLDS[:-1], sites.index) if split == FOLDS else sites[f"split_{split}"]


def count_training_groups(sites: pd.DataFrame, split: str, seed: int) -> int:
    """Number of groups of neighbouring sites on the training side of a split.

    Cross-validation needs at least as many groups as folds. Parameters as of `split_sites`; `split`
    is one of `SPLITS`, or `FOLDS`.
    """
    if sites.empty:
        return 0
    train = sites[tower_roles(split_sites(sites, seed), split) != "test"]
    return len(np.unique(neighbours(train["lat"].to_numpy(), train["lon"].to_numpy())))


def neighbours(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """(site,) cluster of each site: chains of sites within `NEIGHBOUR_KM`."""
    if len(lat) < 2:
        return np.zeros(len(lat), int)
    lat, lon = np.radians(lat), np.radians(lon)
    # single linkage on the unit sphere: chord = 2 sin(angle / 2)
    xyz = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
    chord = 2 * np.sin(NEIGHBOUR_KM * 1000 / EARTH_RADIUS_M / 2)
    return fcluster(linkage(xyz, "single"), chord, "distance") - 1


def _merge_split_clusters(unit: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """(site,) units, merged where a cluster of neighbours spans several of them."""
    merged = unit.copy()
    for number in np.unique(cluster):
        units = np.unique(merged[cluster == number])
        merged[np.isin(merged, units)] = units[0]
    return merged


def _hold_out(unit: np.ndarray, group: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(site,) True for test sites: a share of each group; units are not divided."""
    test = np.zeros(len(unit), bool)
    # a unit belongs to the group of its first site; its other sites follow it
    first = np.unique(unit, return_index=True)[1]
    group_of_unit = group[first]
    units = unit[first]
    sizes = np.bincount(unit, minlength=unit.max() + 1)
    for name in np.unique(group_of_unit):
        members = random.permutation(units[group_of_unit == name])
        total = sizes[members].sum()
        wanted = total // 2 if total <= SMALL_CLASS else round(TEST_SHARE * total)
        drawn = 0
        for number in members:
            if drawn + sizes[number] <= wanted:
                test[unit == number] = True
                drawn += sizes[number]
    return test
