"""Totals of the fluxes over regions, with the spread of the members and prediction intervals."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import zarr
from scipy.sparse import csr_array, diags_array, vstack

from tamflux.files import atomic_path
from tamflux.grid import Grid
from tamflux.product.metadata import MISSING_DAYS, NO_VEGETATION
from tamflux.product.netcdf import Product, open_product
from tamflux.product.regions import RegionSet, region_sets
from tamflux.uncertainty.mean_error import Blocks, MeanError
from tamflux.variables import FLUXES

GRAMS_PER_PETAGRAM = 1e15
STEPS = ("monthly", "annual")


def tabulate_totals(
    annual: Sequence[str | Path],
    monthly: Sequence[str | Path],
    tiles: Sequence[str | Path],
    calibration: str | Path,
    totals: str | Path,
    totals_monthly: str | Path,
    *,
    polygons: str | Path | None = None,
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
    tiles : sequence of path
        Tile stores of these years, for the monthly means of the members.
    calibration : path
        Calibration of the intervals.
    totals, totals_monthly : path
        CSV files to write.
    polygons : path, optional
        The user's regions, see `tamflux.readers.polygons.read_polygons`.

    Raises
    ------
    InputError
        If the polygons cannot be used.
    """
    error = MeanError.load(calibration)
    tables: dict[str, list[pd.DataFrame]] = {step: [] for step in STEPS}
    regions = None
    for year_path, months_path, store in sorted(zip(annual, monthly, tiles, strict=True)):
        with ExitStack() as stack:
            files = {
                "annual": stack.enter_context(open_product(year_path)),
                "monthly": stack.enter_context(open_product(months_path)),
            }
            if regions is None:
                regions = _Regions.of_product(files["annual"], polygons)
            members = _member_months(store)
            weights = files["monthly"].days / files["monthly"].days.sum()
            year = np.tensordot(weights, members, (0, 0))[None]
            for step, means in (("monthly", members), ("annual", year)):
                tables[step].append(_table(files[step], step, regions, means, error))
    for step, path in (("annual", totals), ("monthly", totals_monthly)):
        with atomic_path(path) as partial:
            pd.concat(tables[step]).to_csv(partial, index=False, float_format="%.9g")


@dataclass(frozen=True)
class _Regions:
    """All regions: `label` has one row each; `share` (region, cell) of the land of a cell."""

    label: pd.DataFrame
    share: csr_array
    land_area: np.ndarray
    """(cell,) m2"""
    blocks: Blocks

    @classmethod
    def of_product(cls, product: Product, polygons: str | Path | None) -> _Regions:
        """Regions with land in a product, from the classes of its annual file."""
        grid: Grid = product.grid
        area = product.file["cell_area"][:].filled(0) * product.land_fraction
        igbp, koppen = (product.file[name][:].filled(0) for name in ("igbp_fraction", "koppen"))
        sets: list[RegionSet] = list(region_sets(grid, igbp, koppen, polygons))
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
        blocks = Blocks.of_grid(grid, area > 0)
        return cls(label.iloc[there].reset_index(drop=True), share[there], area.ravel(), blocks)


def _member_months(store: str | Path) -> np.ndarray:
    """(month, flux, member, cell) monthly means of gpp and reco of each member."""
    group = zarr.open_group(Path(store), mode="r")
    both = np.stack([group[f"{flux}_members"][:] for flux in ("gpp", "reco")])
    return both.reshape(*both.shape[:3], -1).transpose(2, 0, 1, 3)


def _table(
    product: Product, step: str, regions: _Regions, members: np.ndarray, error: MeanError | None
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
        part = part.assign(**_spread(weight, members[number]))
        part = part.assign(**_half_widths(product, step, regions, weight, values, error))
        missing = product.file[MISSING_DAYS][number].filled(0).ravel().astype(float)
        lost = regions.share @ (np.where(known, missing, days) * regions.land_area)
        part["missing_share"] = lost / days / part["land_area"]
        if step == "annual":
            part["preliminary_share"] = product.attributes.get("era5_preliminary_share")
        parts.append(part)
    return pd.concat(parts)


def _spread(weight: csr_array, members: np.ndarray) -> dict[str, np.ndarray]:
    """Standard deviations over members of the totals, Pg C; NaN for one member."""
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
