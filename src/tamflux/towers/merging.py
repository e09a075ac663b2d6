"""Merge the sources of a site into one record.

All values of a day come from one source. Of the sources that have NEE on that day, the order of
preference is: the network with the newest processing (`tamflux.readers.oneflux.names.NETWORKS`),
the higher quality, the preferred time step and product, the file name.
"""

from __future__ import annotations

import pandas as pd

from tamflux.readers.oneflux.names import NETWORKS, PRODUCTS, RESOLUTIONS, FileName
from tamflux.towers.quality import Rejections

MAX_DISTANCE_KM = 5.0
"""Sources of one site id that lie farther apart are different towers."""


def source_rank(name: FileName) -> tuple[int, int, int]:
    """Rank of a source in the order of preference: network, time step, product."""
    products = (*PRODUCTS, "")
    return (
        NETWORKS.index(name.network),
        RESOLUTIONS.index(name.resolution),
        products.index(name.product),
    )


def merge_sources(
    site_id: str, sources: list[tuple[FileName, str, pd.DataFrame]], rejected: Rejections
) -> pd.DataFrame:
    """Merge the days of one site's sources.

    Parameters
    ----------
    sources : list of (name, label, days)
        `days` as `tamflux.towers.quality.check_days` returns them.

    Returns
    -------
    pandas.DataFrame
        Each day once, in order of time, with the column ``source``: the index in `sources`.
    """
    ranks = [source_rank(name) for name, _, _ in sources]
    frames = []
    for index, (_, label, days) in enumerate(sources):
        network, step, product = ranks[index]
        keys = {"source": index, "_network": network, "_step": step, "_product": product}
        frames.append(days.assign(**keys, _file=label))
    days = pd.concat(frames, ignore_index=True)
    days["_without"] = days["nee"].isna()
    days["_poor"] = -days["qc"]
    order = ["date", "_without", "_network", "_poor", "_step", "_product", "_file"]
    days = days.sort_values(order, ignore_index=True)
    taken = ~days["date"].duplicated()
    winner = days[taken].set_index("date")["source"]
    lost = days.loc[~taken, ["date", "source"]]
    for (loser, best), n in lost.groupby(["source", lost["date"].map(winner)]).size().items():
        reason = f"set aside: the same day is taken from {sources[best][1]}"
        rejected.add(site_id, sources[loser][1], "day", reason, n)
    helpers = [column for column in days if column.startswith("_")]
    return days[taken].drop(columns=helpers).reset_index(drop=True)
