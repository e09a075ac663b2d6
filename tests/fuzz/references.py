"""A reference product of eight-day steps, to its monthly means."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np
from reference_files import write_reference

from tamflux.readers.reference_product import MAX_FLUX, open_reference

from .stores import YEAR
from .trial import Reader

REFERENCE = {"name": "reference", "variables": {"gpp": "GPP"}}
STARTS = np.arange(0, 365, 8.0)
STOPS = np.minimum(STARTS + 8, 365)
LAT, LON = np.arange(-67.5, 90, 45), np.arange(-157.5, 180, 45)


def write(folder: Path, stamps=STARTS + 4, bounds=(STARTS, STOPS), factor=1.0, **options) -> None:
    """A year whose flux follows the season, in the middle of bounded steps."""
    season = factor * (4 + 3 * np.sin(STARTS / 365 * 2 * np.pi))
    field = season[:, None, None] * np.linspace(0.5, 1.5, 32).reshape(1, 4, 8)
    path = folder / "gpp.nc"
    write_reference(path, {"GPP": field}, LAT, LON, stamps, year=YEAR, **options)
    if bounds is not None:
        with netCDF4.Dataset(path, "a") as file:
            file.createDimension("nv", 2)
            file["time"].bounds = "time_bnds"
            file.createVariable("time_bnds", "f8", ("time", "nv"))[:] = np.stack(bounds, axis=1)


def read(folder: Path) -> dict[str, np.ndarray]:
    """(month, lat, lon) means; 0 where missing, which is no fault: products have oceans."""
    with open_reference(REFERENCE, [folder / "gpp.nc"], "gpp", YEAR) as opened:
        fields = np.stack([field for _, field in opened.fields()])
        days = opened.months.sum(axis=1)[:, None, None]
        return {"gpp": np.nan_to_num(np.einsum("ms,sij->mij", opened.months, fields) / days)}


def again(**options):
    return lambda folder: write(folder, **options)


FAULTS = {
    "steps that begin on no 1 January": again(stamps=STARTS + 2, bounds=None),
    "bounds of the next step": again(stamps=STARTS, bounds=(STARTS + 8, STOPS + 8)),
    "bounds with gaps": again(bounds=(STARTS, STARTS + 5)),
    "no unit": again(units=None),
    "unit of water": again(units="mm d-1"),
    "grams said to be kilograms a second": again(units="kgC m-2 s-1"),
    "fluxes of a second said to be of a day": again(factor=1 / 86400),
    "land in per cent without a unit": again(land_fraction=np.full((4, 8), 80.0)),
}
REFERENCE_READERS = (
    Reader("reference product", write, read, {"gpp": (-MAX_FLUX, MAX_FLUX)}, FAULTS),
)
