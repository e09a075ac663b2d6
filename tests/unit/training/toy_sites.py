"""Towers whose flux depends on a trait that only their past predictors reveal."""

import numpy as np
import pandas as pd

from tamflux.predictors.static import STATIC_FEATURES
from tamflux.samples.samples import Samples

DAYS = 730


def toy_samples(sites: int, seed: int = 0) -> Samples:
    """Two years of daily t2m and ssrd; gpp = trait x light, and the trait is the mean of t2m.

    In the second year t2m is the same everywhere, so only the look-back window reveals the trait.
    """
    random = np.random.default_rng(seed)
    trait = random.uniform(0.2, 1.8, sites)
    day = np.arange(DAYS)
    season = 1 + np.cos(2 * np.pi * (day - 172) / 365)
    ssrd = 120 * season + random.uniform(0, 30, (sites, DAYS))
    t2m = 10 * trait[:, None] + 5 * season + random.normal(0, 1, (sites, DAYS))
    t2m[:, 365:] = 15.0 + random.normal(0, 1, DAYS - 365)
    gpp = trait[:, None] * ssrd / 30
    reco = np.full_like(gpp, 2.0) + 0.2 * gpp
    table = pd.DataFrame({"site_id": [f"AA-{i:03d}" for i in range(sites)]})
    y = np.stack([gpp, reco, reco - gpp], axis=-1).reshape(-1, 3).astype(np.float32)
    qc = np.ones(sites * DAYS, np.float32)
    qc.reshape(sites, DAYS)[:, :365] = 0  # the first year serves as look-back only
    return Samples(
        sites=table,
        site=np.repeat(np.arange(sites), DAYS),
        date=np.tile(np.datetime64("2001-01-01") + day, sites),
        x=np.stack([t2m, ssrd], axis=-1).reshape(-1, 2).astype(np.float32),
        y=y,
        qc=qc,
        static=np.zeros((sites, len(STATIC_FEATURES)), np.float32),
        predictors=("t2m", "ssrd"),
        static_features=STATIC_FEATURES,
    )
