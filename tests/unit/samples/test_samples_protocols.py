import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamflux.errors import ContractError
from tamflux.samples.protocols import MIN_SITES, continents, protocol_folds, training_sites
from tamflux.samples.splits import NEIGHBOUR_KM

COMPUTED = ("igbp", "koppen", "block", "leave_class_out", "leave_continent_out")

PLACES = {
    "Africa": [
        (36.75, 3.06),
        (34.0, -6.8),
        (36.8, 10.2),
        (32.9, 13.2),
        (30.05, 31.25),
        (15.6, 32.5),
        (15.3, 38.9),
        (11.6, 43.1),
        (2.05, 45.3),
        (-26.2, 28.05),
        (-20.2, 57.5),
        (28.1, -15.4),
        (11.5, 50.5),
        (14.7, -17.4),
    ],
    "Europe": [
        (36.1, -5.35),
        (37.0, -2.5),
        (35.9, 14.5),
        (35.3, 25.1),
        (37.98, 23.7),
        (64.1, -21.9),
        (78.2, 15.6),
        (55.75, 37.6),
        (44.7, 43.0),
        (43.6, 39.7),
        (41.0, 28.8),
        (67.4, 63.0),
        (53.2, 50.1),
        (38.7, -27.2),
        (56.5, 32.9),
        (58.0, 56.2),
    ],
    "Asia": [
        (38.4, 27.2),
        (39.9, 32.9),
        (41.7, 44.8),
        (40.4, 49.9),
        (29.5, 34.9),
        (31.35, 35.05),
        (21.5, 39.2),
        (12.8, 45.0),
        (56.8, 60.9),
        (61.0, 69.0),
        (66.0, -172.0),
        (1.3, 103.8),
        (-8.6, 125.6),
        (43.2, 76.9),
        (51.2, 71.4),
        (26.2, 127.7),
        (72.4, 126.5),
        (14.6, 121.0),
    ],
    "Oceania": [
        (-12.5, 130.8),
        (-42.9, 147.3),
        (-36.8, 174.8),
        (-9.4, 147.2),
        (13.5, 144.8),
        (21.3, -157.8),
        (-17.5, -149.6),
        (-31.9, 115.9),
    ],
    "North America": [
        (9.0, -79.5),
        (18.0, -76.8),
        (64.2, -51.7),
        (74.5, -20.6),
        (71.3, -156.6),
        (9.9, -84.1),
        (64.5, -165.4),
        (47.6, -52.7),
        (13.1, -59.6),
    ],
    "South America": [
        (4.7, -74.1),
        (10.4, -75.5),
        (10.5, -66.9),
        (-8.05, -34.9),
        (-54.8, -68.3),
        (5.3, -52.9),
        (7.9, -76.6),
    ],
    "Antarctica": [(-62.2, -58.9), (-77.8, 166.7)],
}


def network(n, seed):
    """Sites of unequal classes, a third of them near another one."""
    random = np.random.default_rng(seed)
    lat, lon = random.uniform(-60, 75, n), random.uniform(-180, 180, n)
    near = random.integers(0, n, n // 3)
    lat[: len(near)] = lat[near] + random.uniform(-0.05, 0.05, len(near))
    lon[: len(near)] = lon[near] + random.uniform(-0.05, 0.05, len(near))
    return pd.DataFrame({
        "site_id": random.permutation([f"AA-{i:03d}" for i in range(n)]),
        "lat": lat,
        "lon": lon,
        "igbp": random.choice(["ENF", "GRA", "WET", "CSH"], n, p=[0.6, 0.3, 0.08, 0.02]),
        "koppen": random.choice(["Dfb", "Csa", "Af"], n),
        "fold": random.integers(-1, 4, n),
    })  # fmt: skip


def kilometres(sites):
    """(site, site) great-circle distances by the haversine formula."""
    lat, lon = np.radians(sites["lat"].to_numpy()), np.radians(sites["lon"].to_numpy())
    half = np.sin((lat[:, None] - lat) / 2) ** 2
    half += np.cos(lat[:, None]) * np.cos(lat) * np.sin((lon[:, None] - lon) / 2) ** 2
    return 2 * 6371.007 * np.arcsin(np.sqrt(half))


networks = st.builds(network, st.integers(30, 120), st.integers(0, 1000))


@given(networks, st.sampled_from((*COMPUTED, "folds")), st.integers(0, 50))
def test_no_training_site_lies_near_a_test_site(sites, protocol, seed):
    folds = protocol_folds(sites, protocol, seed)
    sites = sites.set_index("site_id").loc[folds["site_id"]]
    distance = kilometres(sites)
    for fold in sorted(set(folds["fold"]) - {-1}):
        test = (folds["fold"] == fold).to_numpy()
        train = folds["site_id"].isin(training_sites(folds, fold)).to_numpy()
        assert not (test & train).any()
        assert distance[np.ix_(test, train)].min(initial=np.inf) > NEIGHBOUR_KM
        # nothing else is kept from training: each left-out site reaches a test site by short steps
        left = ~test & ~train
        reached = test.copy()
        for _ in range(len(folds)):
            reached |= left & (distance[:, reached] <= NEIGHBOUR_KM * 1.0001).any(axis=1)
        assert (reached == (test | left)).all()


@given(networks, st.sampled_from((*COMPUTED, "folds")), st.integers(0, 50))
def test_folds_depend_on_the_sites_and_the_seed_alone(sites, protocol, seed):
    folds = protocol_folds(sites, protocol, seed)
    again = protocol_folds(sites.sample(frac=1, random_state=3), protocol, seed)
    pd.testing.assert_frame_equal(folds, again)


@given(networks)
def test_every_site_of_a_large_class_is_tested_once(sites):
    folds = protocol_folds(sites, "leave_class_out", 0)
    assert folds["site_id"].is_unique and set(folds["site_id"]) == set(sites["site_id"])
    fold = sites["site_id"].map(folds.set_index("site_id")["fold"])
    counts = sites["igbp"].value_counts()
    for igbp, n in counts.items():
        (own,) = set(fold[sites["igbp"] == igbp])
        assert (own >= 0) == (n >= MIN_SITES)
    assert set(fold) - {-1} == set(range((counts >= MIN_SITES).sum()))


def test_a_fold_is_a_continent():
    places = [(name, *place) for name, group in PLACES.items() for place in group]
    sites = pd.DataFrame(places, columns=["continent", "lat", "lon"])
    sites["site_id"] = [f"AA-{i:03d}" for i in range(len(sites))]
    sites[["igbp", "koppen"]] = "GRA", "Dfb"
    folds = protocol_folds(sites, "leave_continent_out", 0)
    for name, group in folds.groupby(sites["continent"]):
        (own,) = set(group["fold"])
        assert (own < 0) == (name == "Antarctica")  # two sites
    assert folds["fold"].max() == 5


@pytest.mark.parametrize("name", PLACES)
def test_places_lie_on_their_continent(name):
    lat, lon = np.array(PLACES[name]).T
    assert continents(lat, lon).tolist() == [name] * len(lat)


@given(st.integers(0, 50))
def test_shares_are_a_fifth_and_a_half_of_small_classes(seed):
    sites = network(200, seed)
    sites["lat"], sites["lon"] = np.linspace(-50, 70, 200), np.linspace(-170, 170, 200)
    held = protocol_folds(sites, "igbp", seed).set_index("site_id")["fold"] == 0
    held = sites["site_id"].map(held)
    for _, group in held.groupby(sites["igbp"]):
        n = len(group)
        assert group.sum() == (n // 2 if n <= 10 else round(0.2 * n))


def test_a_table_of_folds_is_taken_as_it_is():
    sites = network(60, 1)
    folds = protocol_folds(sites, "folds", 0).set_index("site_id")["fold"]
    assert (sites["site_id"].map(folds) == sites["fold"]).all()


@pytest.mark.parametrize("protocol", ["random", "folds"])
def test_what_cannot_be_drawn_is_refused(protocol):
    with pytest.raises(ContractError, match="does not fit the table of sites"):
        protocol_folds(network(40, 0).drop(columns="fold"), protocol, 0)


def test_a_protocol_without_test_sites_is_refused():
    with pytest.raises(ContractError, match="the protocol has no test site"):
        protocol_folds(network(40, 0).assign(fold=-1), "folds", 0)
