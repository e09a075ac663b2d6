import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from tamflux.readers.oneflux.names import NETWORKS, FileName
from tamflux.towers.merging import merge_sources
from tamflux.towers.quality import Rejections

one_day = st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.booleans())  # qc, whether NEE is there
one_source = st.tuples(
    st.sampled_from(NETWORKS), st.dictionaries(st.integers(0, 12), one_day, max_size=12)
)


def days_of(source, days):
    """Days whose NEE tells which source they come from."""
    numbers = sorted(days)
    nee = [float(source) if days[d][1] else np.nan for d in numbers]
    return pd.DataFrame(
        {
            "date": pd.Timestamp("2001-01-01") + pd.to_timedelta(numbers, unit="D"),
            "gpp": 1.0,
            "reco": 1.0,
            "nee": np.array(nee, dtype=float),
            "qc": np.array([days[d][0] for d in numbers], dtype=float),
        }
    )


@settings(max_examples=80, deadline=None)
@given(st.lists(one_source, min_size=1, max_size=4))
def test_each_day_is_the_best_of_all_sources(sources):
    rejected = Rejections()
    tables = [
        (FileName("fluxes", "US-Ha1", network, "DD"), f"file{i}", days_of(i, days))
        for i, (network, days) in enumerate(sources)
    ]
    merged = merge_sources("US-Ha1", tables, rejected)
    numbers = ((merged["date"] - pd.Timestamp("2001-01-01")).dt.days).tolist()
    assert numbers == sorted({d for _, days in sources for d in days})
    for number, source in zip(numbers, merged["source"], strict=True):
        candidates = [
            (not days[number][1], NETWORKS.index(network), -days[number][0], i)
            for i, (network, days) in enumerate(sources)
            if number in days
        ]
        assert source == min(candidates)[3]
    set_aside = sum(len(days) for _, days in sources) - len(merged)
    assert rejected.to_frame()["n"].sum() == set_aside
