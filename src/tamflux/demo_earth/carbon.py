"""True GPP and ecosystem respiration of the demo Earth: a process model with hidden traits.

GPP is light-use efficiency after MOD17 (Running and Zhao 2015, User's Guide of MOD17A2H, eqs. 1.1
to 1.6; biome table 2.1), with a soil-water limit and a decline above an optimum temperature that
follows the climate (Kumarathunge et al. 2019, New Phytol. 222). Respiration has a part that follows
recent GPP (Migliavacca et al. 2011, Glob. Change Biol. 17) and one that decomposes a slow pool by
the temperature response of Lloyd and Taylor (1994, Funct. Ecol. 8, eq. 11).
"""

from __future__ import annotations

import numpy as np

from tamflux.demo_earth.vegetation import class_vector, running_mean
from tamflux.demo_earth.weather import LOOKBACK_DAYS, Weather

BIOMES = dict(
    ENF=(0.962, -8, 8.31, 6.5, 46), EBF=(1.268, -8, 9.09, 8, 31), DNF=(1.086, -8, 10.44, 6.5, 23),
    DBF=(1.165, -6, 9.94, 6.5, 16.5), MF=(1.051, -7, 9.5, 6.5, 24), CSH=(1.281, -8, 8.61, 6.5, 47),
    OSH=(0.841, -8, 8.8, 6.5, 48), WSA=(1.239, -8, 11.39, 6.5, 32), SAV=(1.206, -8, 11.39, 6.5, 31),
    GRA=(0.86, -8, 12.02, 6.5, 53), WET=(0.86, -8, 12.02, 6.5, 53), CRO=(1.044, -8, 12.02, 6.5, 43),
    CVM=(1.044, -8, 12.02, 6.5, 43), URB=(0.43, -8, 12.02, 6.5, 53), BSV=(0.42, -8, 8.8, 6.5, 48),
)  # fmt: skip
"""Maximum efficiency (g MJ-1 PAR), Tmin without and with full photosynthesis (degC), VPD with full
and without photosynthesis (hPa): MOD17 table 2.1 as published, not scaled; global GPP is then 110
to 125 Pg C a year, that of published products 110 to 140. Wetland is treated as grassland, CVM as
cropland, urban land as half of grassland and barren land as half of open shrubland, which MOD17
lacks; snow and ice have no fluxes."""

RESPIRED = dict(
    ENF=0.88, EBF=0.96, DNF=0.9, DBF=0.86, MF=0.88, CSH=0.95, OSH=0.97, WSA=0.95, SAV=0.96,
    GRA=0.94, WET=0.86, CRO=0.86, CVM=0.9, URB=1.05, BSV=1.0,
)  # fmt: skip
"""Ratio of respiration to GPP in balance, per class, of the order of those at towers (Baldocchi
2008, Aust. J. Bot. 56; Luyssaert et al. 2007, Glob. Change Biol. 13)."""

E0, T0, T_REFERENCE = 308.56, 227.13, 283.15
"""Lloyd and Taylor (1994): activation, base and reference temperature, K."""

RECENT_SHARE, RECENT_DAYS, POOL_DAYS = 0.4, 15.0, 365.0
SPREADS = dict(efficiency=0.16, optimum=2.5, drought=0.35, respiration=0.09, warming=0.2)
"""Effect of one unit of each hidden trait: ln of a factor, K for the optimum."""


def fluxes(
    weather: Weather, absorbed: np.ndarray, igbp: np.ndarray, traits: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """GPP and RECO of patches of land, g m-2 d-1.

    Parameters
    ----------
    weather : Weather
        (time, patch), with the look-back window before the year.
    absorbed : numpy.ndarray
        (time, patch) absorbed share of photosynthetically active radiation.
    igbp : numpy.ndarray
        (patch,) IGBP codes.
    traits : numpy.ndarray
        (trait, patch) in the order of `random_fields.TRAITS`.

    Returns
    -------
    gpp, reco : numpy.ndarray
        (time, patch), look-back window included.
    """
    gpp = production(weather, absorbed, igbp, traits)
    return gpp, respiration(weather, gpp, igbp, traits)


def production(weather: Weather, absorbed, igbp, traits) -> np.ndarray:
    """(time, patch) GPP."""
    table = [class_vector({k: v[i] for k, v in BIOMES.items()})[igbp] for i in range(5)]
    efficiency, t_none, t_full, vpd_full, vpd_none = table
    efficiency = efficiency * np.exp(SPREADS["efficiency"] * traits[0])
    cold = np.clip((weather.t2m_min - t_none) / np.maximum(t_full - t_none, 1), 0, 1)
    dry_air = np.clip((vpd_none - weather.vpd) / np.maximum(vpd_none - vpd_full, 1), 0.1, 1)
    day_t = weather.t2m + (weather.t2m_max - weather.t2m_min) / 4
    growth_t = np.sort(running_mean(weather.t2m, 30)[:LOOKBACK_DAYS:15], axis=0)[-3:].mean(0)
    optimum = np.maximum(14 + 0.6 * growth_t, 15) + SPREADS["optimum"] * traits[1]
    hot = np.exp(-((np.maximum(day_t - optimum, 0) / 10) ** 2))
    need = 0.3 * np.exp(SPREADS["drought"] * traits[2])
    dry_soil = np.clip(weather.soil / need, 0, 1)
    par = np.float32(0.45 * 0.0864) * weather.ssrd  # MJ m-2 d-1
    return (efficiency * absorbed * par * cold * dry_air * hot * dry_soil).astype(np.float32)


def respiration(weather: Weather, gpp: np.ndarray, igbp, traits) -> np.ndarray:
    """(time, patch) RECO; its base follows the local carbon pool and the usual climate."""
    kelvin = np.maximum(weather.t2m, -40) + np.float32(273.15)
    activation = E0 * np.exp(SPREADS["warming"] * traits[4])
    warmth = np.exp(activation * (1 / (T_REFERENCE - T0) - 1 / (kelvin - np.float32(T0))))
    speed = warmth * (0.3 + 0.7 * np.minimum(weather.soil / 0.3, 1))
    usual = np.maximum(speed[:LOOKBACK_DAYS].mean(0), 1e-6)
    pool = running_mean(gpp, POOL_DAYS, start=gpp[:LOOKBACK_DAYS].mean(0))
    recent = running_mean(gpp, RECENT_DAYS)
    share = class_vector(RESPIRED)[igbp] * np.exp(SPREADS["respiration"] * traits[3])
    decay = (1 - RECENT_SHARE) * pool * (speed / usual)
    return (share * (RECENT_SHARE * recent + decay)).astype(np.float32)
