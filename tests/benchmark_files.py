"""Small files of CarbonFluxBench's schema: fluxes that follow the sun, warmth and leaf area."""

import json

import numpy as np
import pandas as pd

FIRST, N_DAYS = "2004-12-01", 430
CLASSES = ("ENF", "ENF", "DBF", "GRA")


def write_benchmark(folder, n_sites=24):
    """Write the files; the last two sites are the same tower under two networks."""
    random = np.random.default_rng(0)
    dates = pd.date_range(FIRST, periods=N_DAYS)
    season = np.cos(2 * np.pi * (dates.day_of_year.to_numpy() - 200) / 365)
    targets, modis, era5, group, koppen = [], [], [], {}, {}
    for number in range(n_sites):
        site, igbp = f"FLX_S{number:02d}", CLASSES[number % 4]
        key = {"site": site, "date": dates.date}
        lat = 40.0 + min(number, n_sites - 2)
        t2m = 10 + 10 * season + random.normal(0, 2, N_DAYS)
        ssr = 120 + 80 * season
        gpp = 0.02 * ssr * (1 + season) * (1 + number % 3)
        reco = 1 + 0.1 * np.maximum(t2m, 0)
        targets.append(
            pd.DataFrame({
                "site": site, "TIMESTAMP": dates.date, "lat": lat,
                "lon": 8.0, "IGBP": igbp, "GPP_NT_VUT_USTAR50": gpp, "RECO_NT_VUT_USTAR50": reco,
                "NEE_VUT_USTAR50": reco - gpp, "NEE_VUT_USTAR50_QC": 1.0,
            })
        )  # fmt: skip
        bands = {f"sur_refl_b0{b}": 0.1 + 0.02 * b + 0.01 * b * season for b in range(1, 8)}
        clouds = (random.random(N_DAYS) < 0.5) * 0.25
        modis.append(pd.DataFrame(key | bands | {"clouds": clouds}))
        era5.append(
            pd.DataFrame(
                key
                | {
                    "temperature_2m": t2m + 273.15,
                    "total_precipitation_sum": random.exponential(0.002, N_DAYS),
                    "surface_net_solar_radiation_sum": ssr * 86400,
                    "total_evaporation_sum": -0.00001 * ssr,
                    "leaf_area_index_high_vegetation": 3.0 + season,
                    "leaf_area_index_low_vegetation": 1.5 + season,
                }
            )
        )
        group[site], koppen[site] = ("D", "Dfb") if number % 2 else ("C", "Cfb")
    pd.concat(targets).to_parquet(folder / "target_fluxes.parquet")
    pd.concat(modis).to_parquet(folder / "MOD09GA.parquet")
    pd.concat(era5).to_parquet(folder / "ERA5.parquet")
    (folder / "koppen_sites.json").write_text(json.dumps(group))
    (folder / "koppen_sites_short.json").write_text(json.dumps(koppen))
