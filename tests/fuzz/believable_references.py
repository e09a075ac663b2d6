"""Reference products that are believable but wrong: GPP of the climate, by months."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
from reference_files import middle_of_months, write_reference

from tamflux.climatology import climatology
from tamflux.demo_earth.planet import igbp_fractions
from tamflux.readers.reference_check import find_reference_problems
from tamflux.readers.reference_product import MAX_FLUX, open_reference
from tamflux.solar import potential_radiation

from .believable import Believable, Damage
from .stores import YEAR
from .trial import REJECTIONS

REFERENCE = {"name": "reference", "variables": {"gpp": "GPP"}}
LAT, LON = np.arange(-88.0, 90, 4), np.arange(-178.0, 180, 4)
MONTHS = np.arange(f"{YEAR}-01", f"{YEAR + 1}-01", dtype="datetime64[M]").astype("datetime64[D]")


def write(folder: Path) -> None:
    """Monthly GPP that follows light, warmth and rain, missing over the sea."""
    light = potential_radiation(LAT, MONTHS + 14)[:, :, None]
    t2m, tp = (climatology(name, LAT, LON, MONTHS + 14) for name in ("t2m", "tp"))
    gpp = 0.02 * light * np.clip((t2m + 3) / 25, 0, 1) * np.clip(tp / 2.5, 0.02, 1)
    places = np.meshgrid(LAT, LON, indexing="ij")
    water = igbp_fractions(*(axis.ravel() for axis in places), 4.0)[0].reshape(LAT.size, LON.size)
    gpp = np.where(water > 0.5, np.nan, gpp)
    write_reference(folder / "gpp.nc", {"GPP": gpp}, LAT, LON, middle_of_months(YEAR), year=YEAR)


def read(folder: Path) -> dict[str, np.ndarray]:
    """(month, lat, lon) means, and the number of values that are missing."""
    with open_reference(REFERENCE, [folder / "gpp.nc"], "gpp", YEAR) as opened:
        fields = np.stack([field for _, field in opened.fields()])
        days = opened.months.sum(axis=1)[:, None, None]
        gpp = np.einsum("ms,sij->mij", opened.months, np.nan_to_num(fields)) / days
        missing = np.einsum("ms,sij->mij", opened.months, np.isnan(fields)) > 0
        gpp = np.where(missing, np.nan, gpp)
        problems = find_reference_problems({"gpp": gpp}, opened.lat, opened.lon)
        return {"gpp": gpp, REJECTIONS: [f"{missing.sum()} missing", *problems]}


def values(change: Callable) -> Damage:
    """Damage the flux: `change(values, rng)` gives how and the others."""

    def apply(folder: Path, rng: np.random.Generator) -> str:
        with netCDF4.Dataset(folder / "gpp.nc", "a") as file:
            how, fields = change(np.ma.filled(file["GPP"][:].astype(float), np.nan), rng)
            file["GPP"][:] = np.ma.masked_invalid(fields)
        return how

    return apply


def scale(*factors: float):
    def change(fields, rng):
        factor = factors[rng.integers(len(factors))]
        return f"times {factor:g}", fields * factor

    return change


def other_unit(folder: Path, rng: np.random.Generator) -> str:
    """Sound numbers with the attribute of another unit."""
    with netCDF4.Dataset(folder / "gpp.nc", "a") as file:
        names = ["kgC m-2 s-1", "gC m-2 month-1", "umolCO2 m-2 s-1", "gC m-2 s-1", "kgC m-2 d-1"]
        file["GPP"].units = unit = str(rng.choice(names))
    return unit


def shift_stamps(folder: Path, rng: np.random.Generator) -> str:
    days = int(rng.choice([-1, 1]) * rng.integers(3, 300))
    with netCDF4.Dataset(folder / "gpp.nc", "a") as file:
        file["time"][:] = file["time"][:] + days
    return f"time plus {days} days"


def roll_months(fields, rng):
    months = int(rng.integers(3, 10))
    return f"values moved by {months} months", np.roll(fields, months, axis=0)


def turn(fields, rng):
    return "north and south exchanged", fields[:, ::-1]


def roll_longitude(fields, rng):
    cols = int(rng.integers(20, 71))
    return f"{4 * cols} degrees to the east", np.roll(fields, cols, axis=2)


def miss(fields, rng):
    row, col, first = (int(rng.integers(0, n)) for n in (25, 60, 8))
    fields[first : first + 4, row : row + 15, col : col + 30] = np.nan
    return "4 months of a region missing", fields


REFERENCES = (
    Believable("reference product", write, read, {"gpp": (-MAX_FLUX, MAX_FLUX)}, damages={
        "scaled": values(scale(1 / 86400, 1 / 1000, 1 / 30, 30, 1000, 86400)),
        "CO2 and C": values(scale(12 / 44, 44 / 12)),
        "another unit": other_unit,
        "shifted by days": shift_stamps,
        "another season": values(roll_months),
        "turned around": values(turn),
        "shifted in longitude": values(roll_longitude),
        "part missing": values(miss),
    }),
)  # fmt: skip
