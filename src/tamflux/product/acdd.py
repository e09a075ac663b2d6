"""Global attributes of the product files: ACDD-1.3, sources and provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tamflux import __version__
from tamflux.grid import Grid
from tamflux.product.inputs import input_attributes
from tamflux.provenance import code_hash

DEMO_EARTH = "results/demo_earth/"
"""Folder of synthetic inputs."""

METHOD = "https://arxiv.org/abs/2603.09974"
"""Task-aware modulation for upscaling of terrestrial carbon fluxes."""

_STEPS = {"daily": "P1D", "monthly": "P1M", "annual": "P1Y"}

_INCOMPLETE = (
    "INCOMPLETE YEAR: it ends with {last}. Annual means and totals are those of the days so far; "
    "values of the last weeks may change when later reflectance arrives. "
)

_GAPS = (
    "GAPS: {n} land cells lack fluxes on some days, for want of weather or a climate class "
    "(quality_flag 32); means and totals leave them out where too many days are missing. "
)

_PRELIMINARY = (
    "PRELIMINARY ERA5: {n} days are made from ERA5T, which final ERA5 may replace by other values. "
)


def file_attributes(
    step: str,
    edges: np.ndarray,
    grid: Grid,
    tiles: Mapping[str, Any],
    config: Mapping[str, Any],
    inputs: str | Path,
    *,
    gaps: int = 0,
) -> dict[str, Any]:
    """ACDD attributes of a daily file.

    No wall-clock time, folder or host of a machine is among them: the same inputs, code and
    configuration give the same bytes wherever they are made.

    Parameters
    ----------
    edges : numpy.ndarray
        (time + 1,) datetime64[D] bounds of the days; a year that ends before 31 December is
        declared incomplete.
    tiles : mapping
        Attributes of the tile store.
    config : mapping
        Sections `product` and `inputs` of the configuration, and those that shape the fluxes.
    inputs : path
        Table of the raw files, from `tamflux.product.inputs`.
    gaps : int
        Number of land cells that lack fluxes on some days, for want of weather.
    """
    year, end = int(str(edges[0])[:4]), edges[-1]
    complete = end == np.datetime64(f"{year + 1}-01-01")
    months = int((end.astype("datetime64[M]") - edges[0].astype("datetime64[M]")).astype(int))
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
        "comment": ("" if complete else _INCOMPLETE.format(last=end - 1))
        + (_GAPS.format(n=gaps) if gaps else "")
        + _preliminary_comment(tiles)
        + "CMIP calls -nee nep, apart from fire, which nee leaves out; reco is ra + rh. "
        "Intervals, quality bits and known weaknesses: docs/product.md of the source code",
        "keywords": "carbon flux, gross primary production, ecosystem respiration, net ecosystem "
        "exchange, eddy covariance, upscaling",
        "project": "TAMFlux",
        **_sources(tiles, config["inputs"]),
        **preliminary_attributes(tiles.get("preliminary_days"), len(edges) - 1),
        "history": f"made by TAMFlux {__version__}",
        "processing_level": "4",
        **_publication(config["product"]),
        "standard_name_vocabulary": "CF Standard Name Table v93",
        "cdm_data_type": "Grid",
        "time_coverage_start": f"{year}-01-01T00:00:00Z",
        "time_coverage_end": f"{end}T00:00:00Z",
        "time_coverage_duration": "P1Y" if complete else f"P{months}M",
        **_extent(grid),
        **_provenance(tiles, config),
        **input_attributes(inputs),
    }


def aggregate_attributes(daily: Mapping[str, Any], step: str, year: int) -> dict[str, Any]:
    """Attributes of a monthly or annual file from those of the daily one."""
    history = f"{daily['history']}; {step} means of tamflux_daily_{year}.nc"
    names = _names(step, year)
    if "naming_authority" in daily:  # the DOI is the id of all files together
        names["id"] = daily["id"]
    return {**daily, **names, "history": history}


def preliminary_attributes(days: Sequence[str] | None, n: int) -> dict[str, Any]:
    """Days of a year that are made from preliminary ERA5 (ERA5T, experiment version 5).

    Parameters
    ----------
    days : sequence of str or None
        Attribute `preliminary_days` of the tile store: ISO dates; None where it is not known.
    n : int
        Number of days of the file.

    Returns
    -------
    dict
        `era5_preliminary_days`: ranges of dates (``2024-02-01/2024-02-29``), ``none`` or
        ``unknown``; `era5_preliminary_share`, 0-1, where it is known.
    """
    if days is None:
        return {"era5_preliminary_days": "unknown"}
    dates = np.unique(np.array(days, "datetime64[D]"))
    breaks = np.flatnonzero(np.diff(dates) > np.timedelta64(1, "D")) + 1
    ranges = (f"{part[0]}/{part[-1]}" for part in np.split(dates, breaks) if len(part))
    return {
        "era5_preliminary_days": " ".join(ranges) or "none",
        "era5_preliminary_share": len(dates) / n,
    }


def _preliminary_comment(tiles: Mapping[str, Any]) -> str:
    days = tiles.get("preliminary_days")
    return _PRELIMINARY.format(n=len(set(days))) if days else ""


def _names(step: str, year: int) -> dict[str, str]:
    return {
        "title": f"TAMFlux {step} land-atmosphere carbon fluxes, {year}",
        "id": f"tamflux_{step}_{year}",
        "time_coverage_resolution": _STEPS[step],
    }


def _publication(product: Mapping[str, Any]) -> dict[str, str]:
    """Version, licence and people; keys that the configuration leaves null give no attribute."""
    doi = product["doi"]
    known = {
        "date_created": product["date"],
        "creator_email": product["email"],
        "publisher_email": product["email"],
        "creator_url": product["url"],
        "publisher_url": product["url"],
        "id": doi,
        "naming_authority": "org.doi" if doi else None,
    }
    return {
        "product_version": product["version"],
        "source_version_number": product["version"],
        "institution": product["institution"],
        "creator_name": product["creator"],
        "creator_type": "group",
        "publisher_name": product["institution"],
        "license": product["license"],
        "references": f"https://doi.org/{doi}, method: {METHOD}" if doi else f"method: {METHOD}",
        **{name: value for name, value in known.items() if value is not None},
    }


def _extent(grid: Grid) -> dict[str, Any]:
    """Edges of the grid. A WKT polygon counts latitude first where its reference system does."""
    west, south, east, north = map(float, grid.bbox)
    corners = [(south, west), (south, east), (north, east), (north, west), (south, west)]
    return {
        "geospatial_bounds": f"POLYGON (({', '.join(f'{y:g} {x:g}' for y, x in corners)}))",
        "geospatial_bounds_crs": "EPSG:4326",
        "geospatial_lat_min": south,
        "geospatial_lat_max": north,
        "geospatial_lat_units": "degrees_north",
        "geospatial_lat_resolution": grid.resolution,
        "geospatial_lon_min": west,
        "geospatial_lon_max": east,
        "geospatial_lon_units": "degrees_east",
        "geospatial_lon_resolution": grid.resolution,
    }


def _sources(tiles: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, str]:
    """Provenance of the inputs; a product of the demo Earth declares itself synthetic."""
    era5, modis, towers = inputs["era5"], inputs["modis"], inputs["towers"]
    synthetic = is_demo(inputs)
    thanks = (
        "the teams of the eddy-covariance towers; Copernicus Climate Change Service (ERA5); "
        "NASA (MODIS)"
    )
    return {
        "source": f"TAM-RL ensemble of {len(tiles['members'])} members, trained at "
        f"{len(_sites(tiles))} eddy-covariance towers"
        + (" of the demo Earth: SYNTHETIC towers and predictors" if synthetic else ""),
        "acknowledgement": "none: synthetic inputs" if synthetic else thanks,
        "input_era5": f"{era5['kind']}: {_name(era5['path'])}",
        "input_modis": f"{modis['product']}: {_name(modis['path'])}",
        "input_landcover": _name(inputs["landcover"]),
        "input_koppen": _name(inputs["koppen"]),
        "input_towers": _name(towers["path"]) if towers["path"] else "none",
    }


def is_demo(inputs: Mapping[str, Any]) -> bool:
    """Whether a raw input is that of the demo Earth, from the section `inputs`."""
    paths = [inputs[kind]["path"] for kind in ("era5", "modis", "towers")]
    return any(path.startswith(DEMO_EARTH) for path in paths if path)


def _name(path: str) -> str:
    """Name of a file or pattern, without its folder, which may be private."""
    return Path(path).name


def _sites(tiles: Mapping[str, Any]) -> list[str]:
    return sorted({site for member in tiles["members"] for site in member["training_sites"]})


def _provenance(tiles: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    members = tiles["members"]
    product = code_hash("tamflux.product.assemble")
    settings = {key: config[key] for key in config if key not in ("product", "inputs")}
    return {
        "tamflux_version": __version__,
        "tamflux_code": f"inference {tiles['code']}, product {product}",
        "tamflux_checkpoints": " ".join(member["sha256"][:16] for member in members),
        "tamflux_training": json.dumps(
            [member["provenance"] for member in members], sort_keys=True
        ),
        "tamflux_training_sites": " ".join(_sites(tiles)),
        "tamflux_config": json.dumps(settings, sort_keys=True),
    }
