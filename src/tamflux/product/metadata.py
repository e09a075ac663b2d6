"""CF-1.11 attributes of the product's variables."""

from __future__ import annotations

from typing import Any

from tamflux.grid import EARTH_RADIUS_M
from tamflux.uncertainty.calibration import LEVEL
from tamflux.variables import FLUXES, IGBP_CLASSES, KOPPEN_CLASSES

LEAST_SIGNIFICANT_DIGIT = 3
QUANTUM = 2.0**-10
"""Step of the daily fluxes in g m-2 d-1: the power of two that keeps three decimal digits."""

QUALITY_BITS = {
    1: "coast_land_fraction_below_half",
    2: "no_vegetated_land_fluxes_set_to_zero",
    4: "reflectance_missing_all_year",
    8: "reflectance_filled_on_more_than_half_of_the_days",
    16: "weather_filled_on_some_days_of_year_or_look_back_window",
    32: "weather_or_climate_class_missing_on_some_days_without_fluxes",
    64: "koppen_class_of_nearest_cell_or_unknown",
}
NO_VEGETATION, FILLED_WEATHER, MISSING_WEATHER = 2, 16, 32
"""Bits of cells whose fluxes are set to 0, of cells with filled weather, and of cells that lack
fluxes on some days."""

FILLED_KOPPEN = 64
"""Bit of land cells for which the Köppen map has no class."""

MISSING_DAYS = "missing_days"
"""Number of days without fluxes in each time step of the monthly and annual files."""

MIN_DAYS_SHARE = 0.9
"""A monthly mean needs this share of its days; an annual mean needs the means of all its months."""

_MEAN = "time: mean area: mean where land"


def flux_attributes(step: str) -> dict[str, dict[str, Any]]:
    """CF attributes of fluxes, standard deviations and half-widths, by time step of the file."""
    link = {
        "cell_measures": "area: cell_area",
        "grid_mapping": "crs",
        "coverage_content_type": "modelResult",
    }
    attributes = {}
    for name, flux in FLUXES.items():
        ancillary = [f"{name}_pi90_halfwidth", f"{name}_std", "quality_flag", "applicability"]
        if step != "daily":
            ancillary.append(MISSING_DAYS)
        attributes[name] = {
            **flux.attrs,
            "cell_methods": _MEAN,
            **link,
            "ancillary_variables": " ".join(ancillary),
            "comment": f"mass of carbon per area of land and day; {_precision(step)}",
        }
        attributes[f"{name}_std"] = {
            "units": flux.units,
            "long_name": f"ensemble standard deviation of {flux.long_name}",
            "cell_methods": _MEAN,
            **link,
            "comment": _std_comment(step),
        }
        attributes[f"{name}_pi90_halfwidth"] = {
            "units": flux.units,
            "long_name": f"half-width of the {LEVEL:.0%} prediction interval of {flux.long_name}",
            "cell_methods": _MEAN,
            **link,
            "comment": _halfwidth_comment(name, step),
        }
    return attributes


def _precision(step: str) -> str:
    if step != "daily":
        return (
            "mean of the daily rates, not rounded; missing where a month has fluxes on fewer than "
            f"{MIN_DAYS_SHARE:.0%} of its days"
        )
    return f"rounded to multiples of 2**-10 (error at most {QUANTUM / 2:.5f}), nee = reco - gpp"


def _std_comment(step: str) -> str:
    if step == "daily":
        return f"rounded to multiples of 2**-10 (error at most {QUANTUM / 2:.5f})"
    return (
        "mean of the daily standard deviations: an upper bound of the standard deviation of the "
        "mean, reached where the errors of all days are fully correlated"
    )


def _halfwidth_comment(flux: str, step: str) -> str:
    cut = "" if flux == "nee" else "; the interval is cut at 0"
    calibrated = f"calibrated with out-of-fold errors at training towers{cut}"
    if step == "daily":
        return f"{calibrated}; rounded to multiples of 2**-10"
    return (
        f"{calibrated}: those of means over as many days, relative to the mean of the half-widths "
        "of the days"
    )


CELL_ATTRIBUTES = {
    "dissimilarity_index": {
        "units": "1",
        "long_name": "dissimilarity index: distance to the nearest training tower in task "
        "embedding, climatology and land cover",
        "comment": "1 is the median over towers of the distance to the nearest tower outside "
        "their own fold; missing where there is no vegetated land",
        "references": "Meyer and Pebesma (2021), doi:10.1111/2041-210X.13650",
    },
    "applicability": {
        "units": "1",
        "long_name": "applicability of the model to the cell",
        "comment": "exp(-e), where e is the expected mean absolute error of daily fluxes as a "
        "share of their standard deviation among towers: sqrt(mean gpp + reco) times a linear "
        "function of dissimilarity_index, fitted to out-of-fold errors at training towers; "
        "1: no error expected; missing where there is no vegetated land",
    },
}
"""CF attributes of the fields without time that describe the extrapolation of the model."""


MISSING_DAYS_ATTRIBUTES = {
    "units": "1",
    "standard_name": "number_of_missing_observations",
    "long_name": "number of days without fluxes in the time step",
    "cell_methods": "time: sum",
    "cell_measures": "area: cell_area",
    "grid_mapping": "crs",
    "coverage_content_type": "qualityInformation",
}
"""CF attributes of `missing_days`."""


CLASS_ATTRIBUTES = {
    "igbp": {
        "long_name": "IGBP land-cover class",
        "flag_meanings": " ".join(IGBP_CLASSES),
    },
    "igbp_fraction": {
        "units": "1",
        "standard_name": "area_fraction",
        "long_name": "fraction of the cell that an IGBP land-cover class covers",
        "comment": "land_fraction is 1 minus that of WAT (water)",
        "cell_measures": "area: cell_area",
        "grid_mapping": "crs",
        "coverage_content_type": "auxiliaryInformation",
    },
    "koppen": {
        "long_name": "Koppen-Geiger climate class of Beck et al. (2018), 0: none",
        "flag_meanings": " ".join(("none", *KOPPEN_CLASSES)),
        "grid_mapping": "crs",
        "coverage_content_type": "auxiliaryInformation",
    },
}
"""CF attributes of the classes in the annual file."""


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
