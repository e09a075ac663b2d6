"""Small samples whose fluxes follow the light of the day and of the weeks before."""

import numpy as np
import pandas as pd

from tamflux.samples.samples import Samples
from tamflux.variables import FLUXES, IGBP_CLASSES


def samples_of(sites=6, days=200, seed=0):
    """Reco follows the mean light of the last 30 days, gpp the light of the day, by class."""
    random = np.random.default_rng(seed)
    light = random.gamma(4, 50, (sites, days)).astype(np.float32)
    memory = pd.DataFrame(light.T).rolling(30, min_periods=1).mean().to_numpy().T
    static = (np.arange(sites) % 2)[:, None].astype(np.float32)
    gpp, reco = light / 40 * (1 + static), (memory - 200) / 10
    return Samples(
        sites=pd.DataFrame({"site_id": [f"S{i}" for i in range(sites)]}),
        site=np.repeat(np.arange(sites), days),
        date=np.tile(np.datetime64("2001-01-01") + np.arange(days), sites),
        x=light.reshape(-1, 1),
        y=np.stack([gpp, reco, reco - gpp], -1).reshape(-1, 3).astype(np.float32),
        qc=np.ones(sites * days, np.float32),
        static=static,
        predictors=("ssrd",),
        static_features=("class",),
    )


def write_samples(samples, folder):
    """`samples.parquet` and `sites.csv` of contract 2."""
    table = pd.DataFrame(samples.x, columns=list(samples.predictors))
    table[list(FLUXES)] = samples.y
    table["qc"] = samples.qc
    table["date"] = samples.date.astype("datetime64[ns]")
    table["site_id"] = samples.sites["site_id"].to_numpy()[samples.site]
    table.to_parquet(folder / "samples.parquet")
    igbp = np.where(samples.static[:, 0] > 0, "GRA", "ENF")
    sites = samples.sites.assign(igbp=igbp, koppen="Cfb")
    for name in IGBP_CLASSES:
        sites[f"igbp_{name}"] = (igbp == name).astype(float)
    sites.to_csv(folder / "sites.csv", index=False)
