"""What the report says of its making: configuration, attributes, software, and how to cite."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import xarray as xr

import tamflux
from tamflux.report.page import Section

PACKAGES = ("numpy", "torch", "xarray", "zarr", "dask", "snakemake")

REFERENCES = (
    "TAM-RL: task-aware modulation using representation learning for upscaling of terrestrial "
    "carbon fluxes, arXiv:2603.09974 (2026).",
    "ERA5: Hersbach et al. (2020), Q. J. R. Meteorol. Soc. 146, 1999-2049, doi:10.1002/qj.3803.",
    "MODIS surface reflectance and land cover: NASA LP DAAC, MCD43C4, MOD09CMG and MCD12C1, v061.",
    "Towers: Pastorello et al. (2020), Sci. Data 7, 225, doi:10.1038/s41597-020-0534-3, and the "
    "networks and site teams named in results/towers/sites.csv.",
    "Climate classes: Beck et al. (2018), Sci. Data 5, 180214, doi:10.1038/sdata.2018.214.",
)


def provenance(config: Mapping[str, Any], annual: Sequence[str | Path]) -> Section:
    """Configuration, attributes of the product and versions, folded."""
    with xr.open_dataset(sorted(map(str, annual))[-1]) as product:
        attributes = {name: str(value) for name, value in product.attrs.items()}
    versions = {"tamflux": tamflux.__version__, "python": platform.python_version()}
    versions |= {name: version(name) for name in PACKAGES}
    listings = [
        {"title": "Configuration", "text": json.dumps(config, indent=2, ensure_ascii=False)},
        {"title": "Attributes of the product", "text": _lines(attributes)},
        {"title": "Software", "text": _lines(versions)},
    ]
    return Section("making", "Provenance", listings=listings)


def citation(config: Mapping[str, Any], demo: bool) -> Section:
    """How to cite the product, and what stands behind it."""
    product = config["product"]
    years = sorted(config["years"]["product"])
    period = str(years[0]) if len(years) == 1 else f"{years[0]}–{years[-1]}"
    texts = [
        f"{product['creator']}: TAMFlux daily land-atmosphere carbon fluxes {period}, version "
        f"{product['version']}, {product['institution']}. Licence: {product['license']}."
    ]
    if demo:
        texts.append("A product of the demo Earth is for tests and teaching.")
    return Section(
        "cite",
        "How to cite",
        texts,
        listings=[{"title": "Data and methods to cite with it", "text": "\n".join(REFERENCES)}],
    )


def _lines(pairs: Mapping[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in pairs.items())
