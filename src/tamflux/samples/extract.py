"""Samples: predictors of the grid cells that contain towers, joined to the towers' fluxes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import zarr

from tamflux.errors import ContractError
from tamflux.files import atomic_path
from tamflux.grid import Grid
from tamflux.predictors.cube import Cube
from tamflux.predictors.static import COAST_BELOW, extra_statics, open_static
from tamflux.samples.local_days import combine_local_days
from tamflux.samples.splits import SPLITS, split_sites
from tamflux.variables import FLUXES, IGBP_CLASSES, KOPPEN_CLASSES, METEOROLOGY, igbp_fraction

log = logging.getLogger("tamflux")

POSITION = ("site_id", "lat", "lon", "row", "col", "day_offset")
FRACTIONS = [*(igbp_fraction(name) for name in IGBP_CLASSES), "land_fraction", "vegetated_fraction"]


def write_sample_sites(
    towers: str | Path,
    static: str | Path,
    target: str | Path,
    dropped: str | Path,
    *,
    seed: int,
    cubes: Sequence[str | Path] = (),
) -> None:
    """Write the table of the samples' sites: position, grid cell, classes and splits (contract 2).

    Parameters
    ----------
    towers : path
        `sites.csv` of the towers stage.
    static : path
        `static.nc` of the predictors stage.
    target, dropped : path
        CSV of the sites that are used, and of those that are not, with the reason.
    seed : int
        Seed of the splits.
    cubes : sequence of path
        Predictors of the training years, for `filled_share`: the share of their days on which the
        weather of a site was filled or is missing.

    Raises
    ------
    ContractError
        If no tower lies in a land cell of the grid.
    """
    sites = pd.read_csv(towers, keep_default_na=False, na_values=[""])
    with open_static(static) as surface:
        lat, lon = surface["lat"].to_numpy(), surface["lon"].to_numpy()
        grid = _grid(lat, lon)
        cells = [
            grid.locate(*position) for position in zip(sites["lat"], sites["lon"], strict=True)
        ]
        sites["row"] = [cell[0] if cell else -1 for cell in cells]
        sites["col"] = [cell[1] if cell else -1 for cell in cells]
        extra = extra_statics(surface)
        for name in (*FRACTIONS, *extra):
            sites[name] = surface[name].to_numpy()[sites["row"], sites["col"]]
        code = surface["koppen"].to_numpy()[sites["row"], sites["col"]]
    # the climate class is the grid cell's, as in the product; else the tower's own
    of_cell = np.array(["", *KOPPEN_CLASSES])[code]
    sites["koppen"] = np.where(of_cell == "", sites["koppen"].fillna(""), of_cell)
    outside = sites["row"] < 0
    water = ~outside & (sites["land_fraction"] <= 0)
    reason = np.select([outside, water], ["outside the grid", "its grid cell is all water"], "")
    unused = pd.DataFrame({"site_id": sites["site_id"], "reason": reason})[reason != ""]
    sites = sites[reason == ""].reset_index(drop=True)
    if sites.empty:
        raise ContractError(
            "no tower lies in a land cell of the grid",
            file=towers,
            found=f"{len(unused)} towers outside the grid or on water",
            fix="correct grid.bbox, or add towers of the region",
        )
    for row in unused.itertuples():
        log.warning("%s is not used: %s", row.site_id, row.reason)
    sites = describe_by_own_class(sites)
    sites["mostly_water"] = (sites["land_fraction"] < COAST_BELOW).astype(int)
    for row in sites[sites["mostly_water"] == 1].itertuples():
        log.warning(
            "%s: %.0f %% of its grid cell is water; the predictors represent little of its land",
            row.site_id, 100 * (1 - row.land_fraction),
        )  # fmt: skip
    sites = sites.join(split_sites(sites, seed))
    origins = [read_weather_origin(Cube.open(cube), sites) for cube in cubes]
    share = (np.concatenate(origins, axis=1) > 0).mean(axis=1) if origins else np.nan
    sites["filled_share"] = np.round(share, 4)
    if "day_offset" not in sites:
        sites["day_offset"] = 0.0
    columns = ["site_id", "lat", "lon", "row", "col", "igbp", "koppen", *FRACTIONS, "mostly_water"]
    columns += ["day_offset", "filled_share", *extra]
    columns += [f"split_{split}" for split in SPLITS]
    with atomic_path(dropped) as path:
        unused.to_csv(path, index=False)
    with atomic_path(target) as path:
        sites.sort_values("site_id")[columns].to_csv(path, index=False)
    log.info("%d sites, %d dropped", len(sites), len(unused))


def describe_by_own_class(sites: pd.DataFrame) -> pd.DataFrame:
    """Sites whose `igbp_*` are 1 for the tower's own class, 0 for the others.

    The fluxes come from that class, however mixed the grid cell is. A tower of unknown class keeps
    the fractions of its grid cell.
    """
    own = {igbp_fraction(name): (sites["igbp"] == name).astype(float) for name in IGBP_CLASSES}
    known = sites["igbp"].isin(IGBP_CLASSES)
    return sites.assign(**{name: own[name].where(known, sites[name]) for name in own})


def extract_samples(
    cube: str | Path,
    sites: str | Path,
    fluxes: str | Path,
    target: str | Path,
    local_weather: str | Path | None = None,
) -> None:
    """Write the samples of a year: every site, every day, flux or not (contract 2).

    Where the days of a site are local standard days, its weather is combined from the UTC days
    that they overlap (`tamflux.samples.local_days`), or taken from `local_weather`. The day that
    reaches beyond the year has no flux.

    Parameters
    ----------
    cube : path
        Predictors of the year.
    sites : path
        From `write_sample_sites`.
    fluxes : path
        `fluxes.parquet` of the towers stage.
    local_weather : path, optional
        From `tamflux.samples.local_weather.extract_local_weather`, with hourly ERA5.
    target : path
        Parquet to write.

    Raises
    ------
    ContractError
        If the cube is broken.
    """
    positions = pd.read_csv(sites, usecols=lambda name: name in POSITION)
    predictors = Cube.open(cube)
    table = gather_cell_days(predictors, positions)
    if local_weather is not None:
        local = pd.read_parquet(local_weather).set_index(["site_id", "date"])
        table = table.set_index(["site_id", "date"])
        table.update(local.astype(np.float32))  # values that are there replace others
        table = table.reset_index()
    observed = pd.read_parquet(fluxes, columns=["site_id", "date", *FLUXES, "qc"])
    table["date"] = table["date"].astype(observed["date"].dtype)
    table = table.merge(observed, on=["site_id", "date"], how="left", validate="one_to_one")
    table.loc[~table.pop("complete"), [*FLUXES, "qc"]] = np.nan
    write_samples(table, predictors.units, target)
    log.info("%d sites, %d days with a flux", len(positions), int(table["nee"].notna().sum()))


def write_samples(table: pd.DataFrame, units: Mapping[str, str], target: str | Path) -> None:
    """Write samples as Parquet, with the units of their predictors in the attributes."""
    table.attrs["units"] = dict(units)
    with atomic_path(target) as path:
        table.to_parquet(path, index=False)


def gather_cell_days(cube: Cube, positions: pd.DataFrame) -> pd.DataFrame:
    """Predictors of grid cells as a table: `site_id, date` and the variables of the cube.

    Parameters
    ----------
    cube : Cube
    positions : DataFrame
        `site_id, row, col`; several sites may share a cell. With `lat, lon, day_offset` the days of
        a site are local standard days where `day_offset` (h) is not 0.

    Returns
    -------
    DataFrame
        One row per site and day, site after site, in catalogue units; `weather_filled` as
        `read_weather_origin`; `complete` is False on the local day that reaches beyond the cube.
    """
    x = cube.read_cells(positions["row"].to_numpy(), positions["col"].to_numpy())
    origin, complete = read_weather_origin(cube, positions), np.ones(x.shape[:2], bool)
    if "day_offset" in positions:
        for number, site in enumerate(positions.itertuples()):
            x[number], complete[number] = combine_local_days(
                x[number], cube.variables, cube.time, site.lat, site.lon, site.day_offset
            )
            if site.day_offset and np.isfinite(site.day_offset):  # the worse of the two UTC days
                other = np.roll(origin[number], 1 if site.day_offset > 0 else -1)
                origin[number] = np.maximum(origin[number], np.where(complete[number], other, 0))
    table = pd.DataFrame(x.reshape(-1, len(cube.variables)), columns=cube.variables)
    table["weather_filled"] = origin.ravel()
    table["complete"] = complete.ravel()
    table.insert(0, "date", np.tile(cube.time.astype("datetime64[ns]"), len(positions)))
    table.insert(0, "site_id", np.repeat(positions["site_id"].to_numpy(), len(cube.time)))
    return table


def read_weather_origin(cube: Cube, positions: pd.DataFrame) -> np.ndarray:
    """(site, day) int8 origin of the weather at grid cells (`row, col`).

    0 data, 1 filled in space, 2 interpolated in time, 3 missing: `weather_filled` of the cube, and
    3 wherever a meteorological predictor is missing.
    """
    rows, cols = positions["row"].to_numpy(), positions["col"].to_numpy()
    weather = [name for name in cube.variables if name in METEOROLOGY]
    if not weather:
        return np.zeros((len(rows), len(cube.time)), np.int8)
    missing = np.isnan(cube.read_cells(rows, cols, weather)).any(axis=2)
    group = zarr.open_group(cube.path, mode="r")
    if "weather_filled" not in group:
        return np.where(missing, 3, 0).astype(np.int8)
    origin = read_cell_series(group["weather_filled"], rows, cols)[:, : len(cube.time)]
    return np.where(missing, 3, origin).astype(np.int8)


def read_cell_series(array: zarr.Array, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """(cell, time) values of single cells of a (time, row, col) array; each chunk is read once."""
    values = np.empty((len(rows), array.shape[0]), array.dtype)
    chunk = np.stack([rows // array.chunks[1], cols // array.chunks[2]], axis=1)
    for south, west in np.unique(chunk, axis=0):
        in_chunk = np.flatnonzero((chunk == (south, west)).all(axis=1))
        first_row, first_col = south * array.chunks[1], west * array.chunks[2]
        block = array[
            :,
            first_row : first_row + array.chunks[1],
            first_col : first_col + array.chunks[2],
        ]
        values[in_chunk] = block[:, rows[in_chunk] - first_row, cols[in_chunk] - first_col].T
    return values


def _grid(lat: np.ndarray, lon: np.ndarray) -> Grid:
    """Grid of the cell centres of a file."""
    size = 180.0 / round(180.0 / (lat[1] - lat[0] if len(lat) > 1 else lon[1] - lon[0]))
    west, south = float(lon[0] - size / 2), float(lat[0] - size / 2)
    east, north = float(lon[-1] + size / 2), float(lat[-1] + size / 2)
    return Grid(size, (round(west, 9), round(south, 9), round(east, 9), round(north, 9)))
