import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamflux.samples.splits import (
    NEIGHBOUR_KM,
    SPLITS,
    count_training_groups,
    neighbours,
    split_sites,
    tower_roles,
)

CLASSES = ("ENF", "GRA", "WET")


def network(n, seed):
    random = np.random.default_rng(seed)
    return pd.DataFrame({
        "site_id": [f"AA-{i:03d}" for i in range(n)],
        "lat": random.uniform(-60, 75, n),
        "lon": random.uniform(-180, 180, n),
        "igbp": random.choice(CLASSES, n, p=[0.7, 0.25, 0.05]),
        "koppen": random.choice(["Dfb", "Dfc", "Csa", "Af"], n),
    })  # fmt: skip


networks = st.builds(network, st.integers(2, 120), st.integers(0, 1000))


@given(networks, st.integers(0, 100))
def test_a_split_depends_on_the_sites_and_the_seed_alone(sites, seed):
    split = split_sites(sites, seed)
    shuffled = sites.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(split_sites(shuffled, seed).loc[sites.index], split)


@given(networks, st.integers(0, 100))
def test_neighbours_never_lie_on_two_sides(sites, seed):
    """A tower moved beside another: both always land on the same side."""
    sites = sites.copy()
    sites.loc[len(sites) // 2, ["lat", "lon"]] = sites.loc[0, ["lat", "lon"]].to_numpy() + 0.01
    split = split_sites(sites, seed)
    for name in split:
        assert split[name][0] == split[name][len(sites) // 2]


@given(networks, st.integers(0, 100))
def test_no_block_lies_on_two_sides(sites, seed):
    side = split_sites(sites, seed)["split_block"]
    block = sites["lat"].floordiv(10).astype(str) + sites["lon"].floordiv(10).astype(str)
    assert side.groupby(block).agg(lambda sides: len(set(sides)) == 1).all()


def test_shares_are_a_fifth_and_a_half_of_small_classes():
    sites = network(200, 3)
    split = split_sites(sites, 42)
    counts = sites["igbp"].value_counts()
    held = (split["split_igbp"] == "test").groupby(sites["igbp"]).sum()
    for igbp, n in counts.items():
        assert held[igbp] == (n // 2 if n <= 10 else round(0.2 * n))
    for name in SPLITS:
        assert 0.15 <= (split[f"split_{name}"] == "test").mean() <= 0.25


def test_the_only_site_of_a_class_trains():
    sites = pd.concat([network(30, 1), network(1, 2).assign(site_id="ZZ-Zzz", igbp="SNO")])
    sites = sites.reset_index(drop=True)
    assert split_sites(sites, 0)["split_igbp"].iloc[-1] == "train"


def test_neighbours_are_chained_by_distance():
    km = 1 / 111.195  # degree of latitude
    lat = np.array([50, 50 + 4 * km, 50 + 8 * km, 51, -50])
    cluster = neighbours(lat, np.full(5, 8.0))
    assert cluster[0] == cluster[1] == cluster[2]
    assert len(set(cluster)) == 3
    assert NEIGHBOUR_KM == pytest.approx(5)
    east = neighbours(np.array([0.0, 0.0]), np.array([179.99, -179.99]))
    assert east[0] == east[1]  # 2.2 km apart, across the dateline


def test_groups_of_training_sites_are_counted_by_hand():
    sites = network(40, 3)
    sites.loc[1:3, ["lat", "lon"]] = sites.loc[0, ["lat", "lon"]].to_numpy()  # four in one place
    for split in SPLITS:
        train = sites[split_sites(sites, 7)[f"split_{split}"] == "train"]
        places = train[["lat", "lon"]].drop_duplicates()
        assert count_training_groups(sites, split, 7) == len(places)
    assert count_training_groups(sites.head(0), "igbp", 7) == 0


def test_with_folds_all_towers_train_and_all_are_scored():
    sites = network(40, 3)
    split = split_sites(sites, 7)
    assert (tower_roles(split, "folds") == "fold").all()
    pd.testing.assert_series_equal(tower_roles(split, "block"), split["split_block"])
    apart = len(np.unique(neighbours(sites["lat"].to_numpy(), sites["lon"].to_numpy())))
    assert count_training_groups(sites, "folds", 7) == apart
    assert count_training_groups(sites, "igbp", 7) < apart
