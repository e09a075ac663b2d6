"""Differences of two finished products: maps, totals, and what went into them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from tamflux.errors import ContractError
from tamflux.files import atomic_path
from tamflux.product.browse import find_products, reading
from tamflux.variables import FLUXES

log = logging.getLogger("tamflux")

REGION = ["year", "region_set", "region"]
_JSON = ("tamflux_config", "tamflux_training")
_FOLLOWS = ("id", "title", "tamflux_inputs", "tamflux_inputs_table", "time_coverage_start",
            "time_coverage_end")  # fmt: skip
"""Attributes that say nothing that another row does not."""


def compare_versions(
    old: str | Path,
    new: str | Path,
    maps: str | Path,
    totals: str | Path,
    provenance: str | Path,
) -> None:
    """Write the differences of two products, new minus old, over the years of both.

    Parameters
    ----------
    old, new : path
        Folders of finished runs, on the same grid.
    maps : path
        NetCDF to write: `gpp, reco, nee` (time, lat, lon), differences of annual means,
        g C m-2 d-1.
    totals : path
        CSV to write: `year, region_set, region`, and for each flux `*_old, *_new, *_difference`
        and the `*_pi90_halfwidth` of the new one, Pg C.
    provenance : path
        CSV to write, one row for all that differs: `year, kind` (attribute, setting, tower or
        file), `name, old, new`; a setting that shapes the fluxes, a tower that trains, a raw file
        by its checksum. Empty where one of the two lacks it.

    Raises
    ------
    ConfigError
        If a folder has no product.
    ContractError
        If the two share no year or no grid, or a file is damaged.
    """
    files = [find_products(folder, "annual") for folder in (old, new)]
    years = sorted({*files[0]} & {*files[1]})
    if not years:
        raise ContractError(
            "the two products have no year in common", file=old,
            found=", ".join(map(str, files[0])), expected=", ".join(map(str, files[1])),
            fix="name the results of a product of the same years",
        )  # fmt: skip
    pairs = [(files[0][year], files[1][year]) for year in years]
    difference = xr.concat([_subtract(*pair) for pair in pairs], "time")
    changes = pd.DataFrame(
        [row for year, pair in zip(years, pairs, strict=True) for row in _changes(year, *pair)],
        columns=["year", "kind", "name", "old", "new"],
    )
    table = _compare_totals(*(Path(folder, "product", "totals.csv") for folder in (old, new)))
    with atomic_path(maps) as partial:
        difference.to_netcdf(partial, engine="netcdf4")
    for output, rows in ((totals, table), (provenance, changes)):
        with atomic_path(output) as partial:
            rows.to_csv(partial, index=False, float_format="%.6g")
    counts = changes.groupby("kind", sort=False).size()
    log.info("what differs: %s", ", ".join(f"{n} {kind}s" for kind, n in counts.items()) or "none")
    for row in table[table["region_set"] == "box"].to_dict("records"):
        parts = [f"{f.upper()} {row[f'{f}_old']:.3f} -> {row[f'{f}_new']:.3f}" for f in FLUXES]
        log.info("%s %s: %s Pg C", row["region"], row["year"], ", ".join(parts))


def _subtract(old: Path, new: Path) -> xr.Dataset:
    """Differences of the annual means of one year."""
    with reading(old), xr.open_dataset(old, engine="netcdf4") as file:
        before = file[list(FLUXES)].load()
    with reading(new), xr.open_dataset(new, engine="netcdf4") as file:
        after = file[list(FLUXES)].load()
    for name in ("lat", "lon"):
        if before[name].shape != after[name].shape or not np.allclose(before[name], after[name]):
            raise ContractError(
                "the two products lie on different grids", file=old, variable=name,
                found=_grid(before[name]), expected=_grid(after[name]),
                fix="name the results of a product of the same grid.resolution and grid.bbox",
            )  # fmt: skip
    difference = xr.Dataset(coords=after.coords)
    for name, flux in FLUXES.items():
        values = after[name].to_numpy() - before[name].to_numpy()
        attributes = {"units": flux.units, "long_name": f"{flux.long_name}, new minus old version"}
        difference[name] = after[name].dims, values, attributes
    return difference


def _grid(centres: xr.DataArray) -> str:
    return f"{centres.size} cells from {float(centres[0]):g} to {float(centres[-1]):g}"


def _compare_totals(old: Path, new: Path) -> pd.DataFrame:
    """Totals of the regions and years of both."""
    tables = []
    for path in (old, new):
        with reading(path):
            table = pd.read_csv(path, keep_default_na=False, na_values=[""])
            tables.append(table[[*REGION, *FLUXES, *(f"{flux}_pi90_halfwidth" for flux in FLUXES)]])
    both = tables[0].merge(tables[1], on=REGION, suffixes=("_old", "_new"))
    table = both[REGION].copy()
    for flux in FLUXES:
        table[f"{flux}_old"], table[f"{flux}_new"] = both[f"{flux}_old"], both[f"{flux}_new"]
        table[f"{flux}_difference"] = both[f"{flux}_new"] - both[f"{flux}_old"]
        table[f"{flux}_pi90_halfwidth"] = both[f"{flux}_pi90_halfwidth_new"]
    return table


def _changes(year: int, old: Path, new: Path) -> Iterator[tuple]:
    """Rows of what differs between two annual files."""
    described = [_describe(path, year) for path in (old, new)]
    for kind in described[0]:
        before, after = (each[kind] for each in described)
        for name in dict.fromkeys([*before, *after]):
            values = before.get(name, ""), after.get(name, "")
            if values[0] != values[1]:
                yield year, kind, name, *values


def _describe(path: Path, year: int) -> dict[str, dict[str, str]]:
    """What a product says of its making, by kind and name."""
    with reading(path), xr.open_dataset(path, engine="netcdf4") as file:
        attributes = dict(file.attrs)
        settings = {
            name: value
            for key in _JSON
            for name, value in _flatten(json.loads(attributes.pop(key)), key.split("_")[1])
        }
    towers = str(attributes.pop("tamflux_training_sites", "")).split()
    inputs = path.with_name(f"inputs_{year}.csv")
    with reading(inputs):
        table = pd.read_csv(inputs, dtype=str)
        names = table["source"] + " " + table["file"]
        files = dict(zip(names, table["sha256"].str[:16], strict=True))
    kept = {name: str(value) for name, value in attributes.items() if name not in _FOLLOWS}
    return {
        "attribute": kept, "setting": settings, "tower": dict.fromkeys(towers, "trains"),
        "file": files,
    }  # fmt: skip


def _flatten(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """Names with dots of the leaves of a JSON value."""
    if isinstance(value, Mapping):
        for key in value:
            yield from _flatten(value[key], f"{name}.{key}")
    elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        for number, each in enumerate(value):
            yield from _flatten(each, f"{name}.{number}")
    else:
        yield name, json.dumps(value)
