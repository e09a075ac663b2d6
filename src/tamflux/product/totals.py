"""Totals of the fluxes over regions, with the spread of the members and prediction intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import zarr
from scipy.sparse import csr_array, diags_array, vstack

from tamflux.errors import InputError
from tamflux.files import atomic_path
from tamflux.grid import Grid
from tamflux.product.browse import find_products, reading
from tamflux.product.metadata import MISSING_DAYS, NO_VEGETATION
from tamflux.product.netcdf import Product, open_product
from tamflux.product.regions import RegionSet, box_name, box_set, polygon_set, region_sets
from tamflux.uncertainty.mean_error import Blocks, MeanError
from tamflux.variables import FLUXES

GRAMS_PER_PETAGRAM = 1e15
STEPS = ("monthly", "annual")


def tabulate_totals(
    annual: Sequence[str | Path],
    monthly: Sequence[str | Path],
    tiles: Sequence[str | Path | None],
    calibration: str | Path | None,
    totals: str | Path,
    totals_monthly: str | Path,
    *,
    polygons: str | Path | None = None,
    polygons_alone: bool = False,
) -> None:
    """Write the totals of all years, and those of all months, as CSV tables.

    One row per step and region. Columns: `year`, `month` (in the table of months), `days`,
    `region_set` (box, latitude, igbp, koppen, continent, country, or the name of the user's file),
    `region`; `land_area` (m2) of the region inside the box, and `inside_share`, the share of a
    polygon's area that the box holds; `gpp, reco, nee` in Pg C: the sum over cells of flux x land
    area x days, over the complete months so far if the year is not over; `*_std`, the standard
    deviation over members of the total, empty for one member; `*_pi90_halfwidth`, of its 90 %
    prediction interval (`tamflux.uncertainty.mean_error`), empty with too few towers, where land
    without vegetation counts as exact; `missing_share`: share of land area x days without fluxes,
    where cells without a mean, which the sums leave out, count with all days; and, for years,
    `preliminary_share`: share of days from preliminary ERA5, empty where it is not known. The first
    row is the whole box. Regions without land in the box have no row.

    Parameters
    ----------
    annual, monthly : sequence of path
        Product files of the same years.
    tiles : sequence of path or None
        Tile stores of these years, for the means of the members; None: no standard deviation.
    calibration : path or None
        Calibration of the intervals; None: no intervals.
    totals, totals_monthly : path
        CSV files to write.
    polygons : path, optional
        The user's regions (`tamflux.readers.polygons.read_polygons`).
    polygons_alone : bool
        Whether the tables hold the box and these regions alone.

    Raises
    ------
    InputError
        If the polygons cannot be used, or are wanted alone and have no land inside the product.
    ContractError
        If a product file is damaged.
    """
    error = None if calibration is None else MeanError.load(calibration)
    years = sorted(zip(annual, monthly, tiles, strict=True))
    regions = _Regions.of_product(years[0][0], polygons, polygons_alone)
    tables = [_tables_of_year(*year, regions, error) for year in years]
    for step, path in (("annual", totals), ("monthly", totals_monthly)):
        with atomic_path(path) as partial:
            table = pd.concat([of_year[step] for of_year in tables])
            table.to_csv(partial, index=False, float_format="%.9g")


def _tables_of_year(
    annual: str | Path,
    monthly: str | Path,
    store: str | Path | None,
    regions: _Regions,
    error: MeanError | None,
) -> dict[str, pd.DataFrame]:
    """Rows of a year and of its months."""
    paths = {"monthly": Path(monthly), "annual": Path(annual)}
    with reading(paths["monthly"]), open_product(monthly) as product:
        days = product.days
    means, tables = _member_means(store, days), {}
    for step, path in paths.items():
        with reading(path), open_product(path) as product:
            tables[step] = _table(product, step, regions, means[step], error)
    return tables


def sum_regions(
    results: str | Path,
    polygons: str | Path,
    totals: str | Path,
    totals_monthly: str | Path,
    years: Sequence[int] | None = None,
) -> pd.DataFrame:
    """Write the totals of own regions, and of the box, over the years of a product.

    Parameters
    ----------
    results : path
        Folder of a finished run. Standard deviations need its tiles, intervals its calibration;
        a product without them has empty columns.
    polygons : path
        Regions, see `tamflux.readers.polygons.read_polygons`.
    totals, totals_monthly : path
        CSV files to write; columns as of `tabulate_totals`.
    years : sequence of int, optional
        All years of the product by default.

    Returns
    -------
    DataFrame
        The annual totals of the regions.

    Raises
    ------
    ConfigError
        If there is no product of these years.
    InputError
        If the polygons cannot be used, or none of them has land inside the product.
    ContractError
        If a file is damaged.
    """
    annual = find_products(results, "annual", years)
    monthly = find_products(results, "monthly", list(annual))
    stores = [Path(results, "tiles", f"tamrl_{year}.zarr") for year in annual]
    calibration = Path(results, "models", "calibration.json")
    tabulate_totals(
        list(annual.values()), list(monthly.values()),
        [store if store.is_dir() else None for store in stores],
        calibration if calibration.is_file() else None,
        totals, totals_monthly, polygons=polygons, polygons_alone=True,
    )  # fmt: skip
    table = pd.read_csv(totals, keep_default_na=False, na_values=[""])
    return table[table["region_set"] != "box"]


@dataclass(frozen=True)
class _Regions:
    """All regions: `label` has one row each; `share` (region, cell) of the land of a cell."""

    label: pd.DataFrame
    share: csr_array
    land_area: np.ndarray
    """(cell,) m2"""
    blocks: Blocks

    @classmethod
    def of_product(cls, path: str | Path, polygons: str | Path | None, alone: bool) -> _Regions:
        """Regions with land in a product, from the classes of its annual file."""
        with reading(Path(path)), open_product(path) as product:
            grid: Grid = product.grid
            area = product.file["cell_area"][:].filled(0) * product.land_fraction
            igbp, koppen = (product.file[name][:].filled(0) for name in ("igbp_fraction", "koppen"))
        sets: list[RegionSet]
        if alone and polygons is not None:
            sets = [box_set(grid), polygon_set(polygons, grid)]
        else:
            sets = list(region_sets(grid, igbp, koppen, polygons))
        label = pd.DataFrame(
            {
                "region_set": [each.name for each in sets for _ in each.regions],
                "region": [name for each in sets for name in each.regions],
                "inside_share": np.concatenate([each.inside_share for each in sets]),
            }
        )
        share = csr_array(vstack([each.share for each in sets]))
        label.insert(2, "land_area", share @ area.ravel())
        there = np.flatnonzero(label["land_area"] > 0)
        if alone and len(there) < 2:  # the box
            raise InputError(
                "no region has land inside the product", file=polygons,
                found=f"the product covers {box_name(grid)}", expected="polygons that overlap it",
                fix="correct the polygons or their reference system",
            )  # fmt: skip
        blocks = Blocks.of_grid(grid, area > 0)
        return cls(label.iloc[there].reset_index(drop=True), share[there], area.ravel(), blocks)


def _member_means(store: str | Path | None, days: np.ndarray) -> dict[str, np.ndarray | None]:
    """(time, flux, member, cell) means of gpp and reco of each member, by step.

    `days` has the days of each month.
    """
    if store is None:
        return dict.fromkeys(STEPS)
    group = zarr.open_group(Path(store), mode="r")
    both = np.stack([group[f"{flux}_members"][:] for flux in ("gpp", "reco")])
    months = both.reshape(*both.shape[:3], -1).transpose(2, 0, 1, 3)
    return {"monthly": months, "annual": np.tensordot(days / days.sum(), months, (0, 0))[None]}


def _table(
    product: Product,
    step: str,
    regions: _Regions,
    members: np.ndarray | None,
    error: MeanError | None,
) -> pd.DataFrame:
    """Rows of all time steps of a file; `members` (time, flux, member, cell)."""
    months = product.file["time_bnds"][:, 0].astype("timedelta64[D]") + np.datetime64("2000-01-01")
    parts = []
    for number, days in enumerate(product.days):
        part = regions.label.copy()
        part.insert(0, "days", int(days))
        if step == "monthly":
            part.insert(0, "month", int(str(months[number])[5:7]))
        part.insert(0, "year", product.year)
        flux = {name: product.file[name][number].ravel() for name in FLUXES}
        known = ~np.ma.getmaskarray(flux["gpp"])
        weight = regions.share @ diags_array(regions.land_area * known * float(days))
        values = {name: each.filled(0).astype(float) for name, each in flux.items()}
        for name in FLUXES:
            part[name] = weight @ values[name] / GRAMS_PER_PETAGRAM
        part = part.assign(**_spread(weight, None if members is None else members[number]))
        part = part.assign(**_half_widths(product, step, regions, weight, values, error))
        missing = product.file[MISSING_DAYS][number].filled(0).ravel().astype(float)
        lost = regions.share @ (np.where(known, missing, days) * regions.land_area)
        part["missing_share"] = lost / days / part["land_area"]
        if step == "annual":
            part["preliminary_share"] = product.attributes.get("era5_preliminary_share")
        parts.append(part)
    return pd.concat(parts)


def _spread(weight: csr_array, members: np.ndarray | None) -> dict[str, np.ndarray]:
    """Standard deviations over members of the totals, Pg C; NaN for one member or unknown ones."""
    if members is None:
        return {f"{name}_std": np.full(weight.shape[0], np.nan) for name in FLUXES}
    gpp, reco = (weight @ np.nan_to_num(each.astype(float)).T / GRAMS_PER_PETAGRAM
                 for each in members)  # fmt: skip
    totals = {"gpp": gpp, "reco": reco, "nee": reco - gpp}
    one = gpp.shape[1] == 1
    return {
        f"{name}_std": each.std(axis=1) + (np.nan if one else 0) for name, each in totals.items()
    }


def _half_widths(
    product: Product, step: str, regions: _Regions, weight: csr_array, values, error
) -> dict[str, np.ndarray]:
    """Half-widths of the intervals of the totals, Pg C."""
    names = {name: f"{name}_pi90_halfwidth" for name in FLUXES}
    if error is None:
        return dict.fromkeys(names.values(), np.full(weight.shape[0], np.nan))
    vegetated = (product.quality.ravel() & NO_VEGETATION) == 0
    weight = weight @ diags_array(vegetated.astype(float))
    gross_flux = values["gpp"] + values["reco"]
    return {
        column: error.half_width_of_totals(step, name, weight, gross_flux, regions.blocks)
        / GRAMS_PER_PETAGRAM
        for name, column in names.items()
    }
