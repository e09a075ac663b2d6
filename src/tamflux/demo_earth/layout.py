"""Names of the raw files of the demo Earth. Standard library only."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import date, timedelta
from importlib.resources import files
from typing import Any

ROOT = "results/demo_earth"

ERA5_FILES = {
    "t2m": "2m_temperature_daily_mean",
    "t2m_min": "2m_temperature_daily_minimum",
    "t2m_max": "2m_temperature_daily_maximum",
    "d2m": "2m_dewpoint_temperature_daily_mean",
    "ssrd": "surface_solar_radiation_downwards_daily_sum",
    "strd": "surface_thermal_radiation_downwards_daily_sum",
    "tp": "total_precipitation_daily_sum",
    "swvl1": "volumetric_soil_water_layer_1_daily_mean",
    "sp": "surface_pressure_daily_mean",
    "u10": "10m_u_component_of_wind_daily_mean",
    "v10": "10m_v_component_of_wind_daily_mean",
}
"""Stem of the ERA5 file of each raw variable and its daily statistic."""

_TOWER_NAMES = {
    "FLUXNET2015": "FLX_{site}_FLUXNET2015_{fullset}_{first}-{last}_1-4",
    "AmeriFlux": "AMF_{site}_FLUXNET_{fullset}_{first}-{last}_3-5",
    "FLUXNET2026": "{hub}_{site}_FLUXNET_{first}-{last}_v1.3_r1",
    "ICOS": "ICOSETC_{site}_ARCHIVE_L2",
    "JapanFlux": "FLX_{site}_JapanFLUX2024_ALLVARS_{first}-{last}_1-3",
}


def demo_files(config: Mapping[str, Any]) -> list[str]:
    """Every raw file of the demo Earth, below the working folder."""
    years = simulated_years(config)
    demo, step = config["demo_earth"], config["demo_earth"]["composite_days"]
    return [
        *(file for year in years for file in demo_era5_files(year).values()),
        *(file for year in years for file in demo_modis_files(year, step).values()),
        *demo_static_files().values(),
        *demo_tower_files(demo["towers"], tower_years(config)),
    ]


def simulated_years(config: Mapping[str, Any]) -> list[int]:
    """Calendar years that have ERA5 and MODIS files."""
    years = config["years"]
    return sorted({*years["train"], *years["product"], *years["lookback"]})


def tower_years(config: Mapping[str, Any]) -> list[int]:
    """Calendar years in which the towers measure.

    Their records end with the first product year after the training years: towers publish later
    than satellites, and a further product year leaves their files as they are.
    """
    train, product = config["years"]["train"], config["years"]["product"]
    if not train:  # a released model: nobody reads them
        return sorted(product)
    later = [year for year in product if year > max(train)]
    last = min(later, default=max(train))
    return sorted({*train, *(year for year in product if year <= last)})


def demo_era5_files(year: int | str) -> dict[str, str]:
    """ERA5 file of each raw variable and its statistic; `year` may be the text ``{year}``."""
    return {
        variable: f"{ROOT}/era5/{year}/{stem}_{year}.nc" for variable, stem in ERA5_FILES.items()
    }  # fmt: skip


def composite_days(step: int) -> list[int]:
    """Days of the year (from 1) that have a MODIS file; the same in leap years."""
    return list(range(1, 366, step))


def demo_modis_files(year: int | str, step: int) -> dict[int, str]:
    """MCD43C4 file of each day of the year that has one; `year` may be the text ``{year}``."""
    return {
        day: f"{ROOT}/modis/{year}/MCD43C4.A{year}{day:03d}.061.2022{day:03d}120000.hdf"
        for day in composite_days(step)
    }


def calendar_date(year: int, day: int) -> date:
    """Calendar date of a day of the year."""
    return date(year, 1, 1) + timedelta(days=day - 1)


def demo_static_files() -> dict[str, str]:
    """Land cover and Köppen classes."""
    return {
        "landcover": f"{ROOT}/static/MCD12C1.A2019001.061.2022170020638.hdf",
        "koppen": f"{ROOT}/static/koppen_geiger.tif",
    }


def truth_store(year: int | str) -> str:
    """Zarr store of the true fluxes of a year."""
    return f"{ROOT}/truth/{year}.zarr"


def read_towers(count: int) -> list[dict[str, str]]:
    """The first `count` towers of the shipped table, as text."""
    text = (files("tamflux") / "data" / "towers.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))[:count]


def demo_tower_files(count: int, years: list[int]) -> list[str]:
    """Zip of each tower; a tower in two networks has two."""
    return [
        f"{ROOT}/towers/{archive_name(tower, network, years)}.zip"
        for tower in read_towers(count)
        for network in tower["network"].split(";")
    ]


def archive_name(tower: dict[str, str], network: str, years: list[int]) -> str:
    """Name of a tower's archive without ``.zip``, as its network gives it."""
    return _TOWER_NAMES[network].format(
        site=tower["site_id"],
        fullset=product_of(tower, network),
        hub=tower["hub"],
        first=min(years),
        last=max(years),
    )


def product_of(tower: dict[str, str], network: str) -> str:
    """FULLSET; SUBSET for sites of FLUXNET2015 whose id ends in a lower-case vowel, 1, 2 or 3."""
    subset = network == "FLUXNET2015" and tower["site_id"][-1] in "aeiou123"
    return "SUBSET" if subset else "FULLSET"
