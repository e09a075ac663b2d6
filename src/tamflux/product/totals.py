"""Global and regional totals of the fluxes in Pg C per year."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tamflux.files import atomic_path
from tamflux.product.metadata import MISSING_DAYS
from tamflux.product.netcdf import open_product
from tamflux.variables import FLUXES

REGIONS = {
    "global": (-90.0, 90.0),
    "90S-60S": (-90.0, -60.0),
    "60S-30S": (-60.0, -30.0),
    "30S-0": (-30.0, 0.0),
    "0-30N": (0.0, 30.0),
    "30N-60N": (30.0, 60.0),
    "60N-90N": (60.0, 90.0),
    "southern extratropics": (-90.0, -23.5),
    "tropics": (-23.5, 23.5),
    "northern extratropics": (23.5, 90.0),
}
"""South and north border in degrees; a cell belongs to a region by its centre."""

GRAMS_PER_PETAGRAM = 1e15


def tabulate_totals(annual: Sequence[str | Path], output: str | Path) -> None:
    """Write the totals of all years as a CSV table, one row per year and region.

    Columns: `year, days, region, south, north` (degrees), `land_area` (m2), `gpp, reco, nee` in
    Pg C: the sum over cells of flux x cell area x land fraction, times the days of the year, or of
    its months so far; `missing_share`: share of land area x days without fluxes, where cells
    without an annual mean, which the sums leave out, count with all days; and `preliminary_share`:
    share of days from preliminary ERA5, empty where it is not known.

    Parameters
    ----------
    annual : sequence of path
        Annual product files.
    output : path
        CSV file to write.
    """
    rows = [row for path in sorted(map(Path, annual)) for row in _totals(path)]
    with atomic_path(output) as partial:
        pd.DataFrame(rows).to_csv(partial, index=False, float_format="%.9g")


def _totals(path: Path) -> list[dict]:
    with open_product(path) as product:
        land_area = product.file["cell_area"][:].filled(0) * product.land_fraction
        mass = {  # (lat,) Pg C
            flux: (product.file[flux][0].filled(0) * land_area).sum(axis=1)
            * product.days[0]
            / GRAMS_PER_PETAGRAM
            for flux in FLUXES
        }
        missing = product.file[MISSING_DAYS][0].filled(0).astype(float)
        missing[np.ma.getmaskarray(product.file["gpp"][0])] = product.days[0]
        lost = (missing * land_area).sum(axis=1) / product.days[0]  # (lat,) m2
        lat = product.grid.lat
        rows = []
        for region, (south, north) in REGIONS.items():
            inside = (lat >= south) & (lat < north)
            rows.append(
                {
                    "year": product.year,
                    "days": int(product.days[0]),
                    "region": region,
                    "south": south,
                    "north": north,
                    "land_area": land_area[inside].sum(),
                    **{flux: values[inside].sum() for flux, values in mass.items()},
                    "missing_share": _share(lost[inside].sum(), land_area[inside].sum()),
                    "preliminary_share": product.attributes.get("era5_preliminary_share"),
                }
            )
    return rows


def _share(part: float, total: float) -> float:
    return part / total if total > 0 else 0.0
