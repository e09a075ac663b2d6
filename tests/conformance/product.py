"""The files of a product, and expected numbers computed with numpy."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np

JULY = 7


@dataclass(frozen=True)
class Product:
    """A product of one year, a cell of it, and the numbers that every tool must find."""

    folder: Path
    year: int
    lat: float
    lon: float
    expected: dict[str, float]

    def path(self, step: str) -> Path:
        """File of a time step."""
        return self.folder / f"tamflux_{step}_{self.year}.nc"

    @property
    def store(self) -> Path:
        """Zarr copy of the daily file."""
        return self.path("daily").with_suffix(".zarr")

    @property
    def ilamb(self) -> list[Path]:
        """Files for ILAMB."""
        return sorted(self.folder.glob("ilamb/*.nc"))


def open_product(folder: Path) -> Product:
    """The product in a folder, with the cell of the highest GPP as its cell."""
    folder = folder.absolute()
    year = int(min(folder.glob("tamflux_annual_*.nc")).stem.rsplit("_", 1)[1])
    files = {step: f"{folder}/tamflux_{step}_{year}.nc" for step in ("daily", "monthly", "annual")}
    with netCDF4.Dataset(files["annual"]) as file:
        gpp, nee = (file[name][0].filled(np.nan).astype(float) for name in ("gpp", "nee"))
        area, share = (file[name][:].filled(0) for name in ("cell_area", "land_fraction"))
        lat, lon = file["lat"][:].data, file["lon"][:].data
        days = float(np.diff(file["time_bnds"][0])[0])
    land = np.isfinite(gpp)
    row, col = np.unravel_index(np.nanargmax(np.where(share == 1, gpp, np.nan)), gpp.shape)
    with netCDF4.Dataset(files["monthly"]) as file:
        july = float(file["gpp"][JULY - 1, row, col])
    with netCDF4.Dataset(files["daily"]) as file:
        series = file["gpp"][:, row, col].astype(float)
    total = np.nansum(gpp * area * share) * days / 1e15
    expected = {
        "gpp of a cell, July": july,
        "gpp of a cell, 1 July": float(series[181 + int(days - 365)]),
        "gpp of a cell, July of the second file": july,
        "gpp of a cell, year": float(series.mean()),
        "gpp of a cell, year of months": float(series.mean()),
        "mean gpp over cells": float(np.average(gpp[land], weights=area[land])),
        "plain mean gpp": float(gpp[land].mean()),
        "mean nee over land": float(np.average(nee[land], weights=(area * share)[land])),
        "global gpp, Pg yr-1": float(total),
        "days in the year": days,
        "cells over land": float(land.sum()),
        "largest |reco - gpp - nee|": 0.0,
        "west": float(lon[0] - (lon[1] - lon[0]) / 2),
        "north": float(lat[-1] + (lat[1] - lat[0]) / 2),
        "cell size": float(lon[1] - lon[0]),
    }  # fmt: skip
    with open(folder / "totals.csv", newline="") as file:
        table = next(r for r in csv.DictReader(file) if r["region_set"] == "box")
    if not np.isclose(float(table["gpp"]), total, rtol=1e-6, atol=0):
        raise SystemExit(f"totals.csv says {table['gpp']}, the annual file {total}")
    return Product(folder, year, float(lat[row]), float(lon[col]), expected)
