"""What the product says about itself: CF-1.11 attributes of variables, ACDD-1.3 of the file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tamflux import __version__
from tamflux.grid import EARTH_RADIUS_M, Grid
from tamflux.provenance import code_hash
from tamflux.uncertainty.calibration import LEVEL
from tamflux.variables import FLUXES

LEAST_SIGNIFICANT_DIGIT = 3
QUANTUM = 2.0**-10
"""Step of the daily fluxes in g m-2 d-1: the power of two that keeps three decimal digits."""

QUALITY_BITS = {
    1: "coast_land_fraction_below_half",
    2: "no_vegetated_land_fluxes_set_to_zero",
    4: "reflectance_missing_all_year",
    8: "reflectance_filled_on_more_than_half_of_the_days",
}
_MEAN = "time: mean area: mean where land"
DEMO_EARTH = "results/demo_earth/"
"""Folder of synthetic inputs."""

_STEPS = {"daily": "P1D", "monthly": "P1M", "annual": "P1Y"}


def flux_attributes(step: str) -> dict[str, dict[str, Any]]:
    """CF attributes of the fluxes, their spread and uncertainty in a file of one time step."""
    link = {
        "cell_measures": "area: cell_area",
        "grid_mapping": "crs",
        "coverage_content_type": "modelResult",
    }
    attributes = {}
    for name, flux in FLUXES.items():
        attributes[name] = {
            **flux.attrs,
            "cell_methods": _MEAN,
            **link,
            "ancillary_variables": f"{name}_uncertainty {name}_spread quality_flag applicability",
            "comment": f"mass of carbon per area of land and day; {_precision(step)}",
        }
        attributes[f"{name}_spread"] = {
            "units": flux.units,
            "long_name": f"standard deviation over ensemble members of {flux.long_name}",
            "cell_methods": _MEAN,
            **link,
            "comment": _spread_comment(step),
        }
        attributes[f"{name}_uncertainty"] = {
            "units": flux.units,
            "long_name": f"half-width of the {LEVEL:.0%} interval of {flux.long_name}",
            "cell_methods": _MEAN,
            **link,
            "comment": _uncertainty_comment(name, step),
        }
    return attributes


def _precision(step: str) -> str:
    if step != "daily":
        return "mean of the daily rates, not rounded"
    return f"rounded to multiples of 2**-10 (error at most {QUANTUM / 2:.5f}), nee = reco - gpp"


def _spread_comment(step: str) -> str:
    if step == "daily":
        return f"rounded to multiples of 2**-10 (error at most {QUANTUM / 2:.5f})"
    return (
        "mean of the daily standard deviations: an upper bound of the standard deviation of the "
        "mean, reached where the errors of all days are fully correlated"
    )


def _uncertainty_comment(flux: str, step: str) -> str:
    cut = "" if flux == "nee" else "; the interval is cut at 0"
    calibrated = f"calibrated with the errors at towers that the model had not seen{cut}"
    if step == "daily":
        return f"{calibrated}; rounded to multiples of 2**-10"
    return (
        f"{calibrated}; mean of the daily half-widths: an upper bound, reached where the errors of "
        "all days are fully correlated"
    )


PLACE_ATTRIBUTES = {
    "training_distance": {
        "units": "1",
        "long_name": "distance to the nearest training tower in task code, climatology and land "
        "cover",
        "comment": "1 is the median over towers of the distance to the nearest tower that a model "
        "had seen; missing where there is no vegetated land",
    },
    "applicability": {
        "units": "1",
        "long_name": "applicability of the model to the cell",
        "comment": "exp(-e), where e is the expected mean absolute error of daily fluxes as a "
        "share of their standard deviation among towers: sqrt(mean gpp + reco) times a linear "
        "function of training_distance, fitted to errors at towers that the model had not seen; "
        "1 is no error expected; missing where there is no vegetated land",
    },
}
"""CF attributes of the fields that say how far the model reaches."""


def quality_attributes() -> dict[str, Any]:
    """CF attributes of `quality_flag`."""
    return {
        "long_name": "quality of the fluxes of a cell in this year",
        "standard_name": "quality_flag",
        "flag_masks": list(QUALITY_BITS),
        "flag_meanings": " ".join(QUALITY_BITS.values()),
        "grid_mapping": "crs",
        "coverage_content_type": "qualityInformation",
    }


CRS_ATTRIBUTES = {
    "grid_mapping_name": "latitude_longitude",
    "long_name": "latitude and longitude on a sphere",
    "earth_radius": EARTH_RADIUS_M,
    "longitude_of_prime_meridian": 0.0,
}


def file_attributes(
    step: str,
    year: int,
    grid: Grid,
    tiles: Mapping[str, Any],
    product: Mapping[str, str],
    inputs: Mapping[str, Any],
) -> dict[str, Any]:
    """ACDD attributes of a daily file.

    No wall-clock time is among them: the same inputs, code and configuration give the same bytes.

    Parameters
    ----------
    tiles : mapping
        Attributes of the tile store.
    product, inputs : mapping
        The sections of the configuration.
    """
    west, south, east, north = grid.bbox
    return {
        "Conventions": "CF-1.11, ACDD-1.3",
        **_names(step, year),
        "summary": (
            "Gross primary production (gpp), ecosystem respiration (reco) and net ecosystem "
            "exchange (nee = reco - gpp, positive upward) of the land surface, upscaled from eddy-"
            "covariance towers with task-aware modulated recurrent networks from ERA5 weather, "
            "MODIS reflectance and land cover. Fluxes are masses of carbon per area of land: a "
            "regional total is the sum of flux x cell_area x land_fraction x days of the time step."
        ),
        "keywords": "carbon flux, gross primary production, ecosystem respiration, net ecosystem "
        "exchange, eddy covariance, upscaling",
        **_sources(tiles, inputs),
        "history": f"made by TAMFlux {__version__}",
        "processing_level": "4",
        "product_version": product["version"],
        "institution": product["institution"],
        "creator_name": product["creator"],
        "creator_type": "group",
        "publisher_name": product["institution"],
        "license": product["license"],
        "standard_name_vocabulary": "CF Standard Name Table v93",
        "cdm_data_type": "Grid",
        "time_coverage_start": f"{year}-01-01T00:00:00Z",
        "time_coverage_end": f"{year + 1}-01-01T00:00:00Z",
        "time_coverage_duration": "P1Y",
        "geospatial_lat_min": south,
        "geospatial_lat_max": north,
        "geospatial_lat_units": "degrees_north",
        "geospatial_lat_resolution": grid.resolution,
        "geospatial_lon_min": west,
        "geospatial_lon_max": east,
        "geospatial_lon_units": "degrees_east",
        "geospatial_lon_resolution": grid.resolution,
        **_provenance(tiles),
    }


def aggregate_attributes(daily: Mapping[str, Any], step: str, year: int) -> dict[str, Any]:
    """Attributes of a monthly or annual file from those of the daily one."""
    history = f"{daily['history']}; {step} means of tamflux_daily_{year}.nc"
    return {**daily, **_names(step, year), "history": history}


def _names(step: str, year: int) -> dict[str, str]:
    return {
        "title": f"TAMFlux {step} land-atmosphere carbon fluxes, {year}",
        "id": f"tamflux_{step}_{year}",
        "time_coverage_resolution": _STEPS[step],
    }


def _sources(tiles: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, str]:
    """Where the numbers come from; a product of the demo Earth says that it is synthetic."""
    era5, modis, towers = inputs["era5"], inputs["modis"], inputs["towers"]
    synthetic = towers["path"].startswith(DEMO_EARTH)
    return {
        "source": f"TAM-RL ensemble of {len(tiles['members'])} members, trained at "
        f"{tiles['members'][0]['training_sites']} eddy-covariance towers"
        + (" of the demo Earth: SYNTHETIC towers and predictors" if synthetic else ""),
        "input_era5": f"{era5['kind']}: {era5['path']}",
        "input_modis": f"{modis['product']}: {modis['path']}",
        "input_landcover": str(inputs["landcover"]),
        "input_koppen": str(inputs["koppen"]),
        "input_towers": str(towers["path"]),
    }


def _provenance(tiles: Mapping[str, Any]) -> dict[str, Any]:
    members = tiles["members"]
    product = code_hash("tamflux.product.assemble")
    return {
        "tamflux_version": __version__,
        "tamflux_code": f"inference {tiles['code']}, product {product}",
        "tamflux_checkpoints": " ".join(member["sha256"][:16] for member in members),
        "tamflux_training": json.dumps(
            [member["provenance"] for member in members], sort_keys=True
        ),
    }
