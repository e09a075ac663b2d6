"""Reference products (FLUXCOM-X-BASE, MetaFlux, GOSIF ...) as NetCDF.

Files are read as their providers write them: one file, or one per variable and year; latitude
either way; longitude -180..180 or 0..360; steps of days, eight days or months; units from the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from tamflux.errors import InputError
from tamflux.readers.carbon_units import to_grams_per_day
from tamflux.readers.cds_files import open_netcdf, read_axis, read_fields
from tamflux.readers.time_steps import read_steps

MAX_FLUX = 60.0
"""g m-2 d-1; no mean over a step exceeds it."""

MIN_FLUX = 1e-3
"""g m-2 d-1; somewhere in a year the flux exceeds it."""

_DERIVED = {"reco": ("gpp", "nee", 1.0), "nee": ("reco", "gpp", -1.0)}
"""A missing flux follows from two others: reco = gpp + nee, nee = reco - gpp."""

_LAND = ("land_fraction", "landfrac", "sftlf")
_LAND_UNITS = {"1": 1.0, "fraction": 1.0, "-": 1.0, "%": 0.01, "percent": 0.01}


@dataclass
class ReferenceYear:
    """One flux of one year in one file.

    Attributes
    ----------
    lat, lon : (lat,), (lon,) array
        Centres, degrees; lat ascending, lon eastward.
    months : (12, step) array
        Days that a step has in a month.
    land : (lat, lon) array or None
        Land fraction of the cells, where the file has one.
    """

    file: netCDF4.Dataset
    label: str
    name: str
    time: str
    steps: np.ndarray
    lat: np.ndarray
    lon: np.ndarray
    months: np.ndarray
    factor: np.ndarray
    land: np.ndarray | None

    def fields(self) -> Iterator[tuple[int, np.ndarray]]:
        """Index and (lat, lon) flux of each step, g m-2 d-1 of carbon, NaN where missing.

        Raises
        ------
        InputError
            If the values cannot be those of a carbon flux in the unit that the file states.
        """
        largest = 0.0
        for k, step in enumerate(self.steps):
            fields, _ = read_fields(
                self.file, self.name, self.time, slice(int(step), int(step) + 1), self.label
            )
            field = fields[0] * np.float32(self.factor[k])
            largest = max(largest, float(np.nanmax(np.abs(field), initial=0.0)))
            if largest > MAX_FLUX:
                self._fail(f"up to {largest:.4g} g m-2 d-1", f"at most {MAX_FLUX:g} g m-2 d-1")
            yield k, field
        if largest < MIN_FLUX:
            self._fail(
                f"at most {largest:.4g} g m-2 d-1 in a year", f"more than {MIN_FLUX:g} g m-2 d-1"
            )

    def _fail(self, found: str, expected: str):
        units = getattr(self.file[self.name], "units", "none")
        raise InputError(
            "values are out of range: the unit of a reference product is probably wrong",
            file=self.label, variable=self.name, found=f"{found} with units {units!r}",
            expected=expected, fix="correct the units attribute of the file",
        )  # fmt: skip


def derived(fluxes: Sequence[str]) -> dict[str, tuple[str, str, float]]:
    """Fluxes that follow from others: name -> first, second, sign of the second."""
    return {
        name: parts
        for name, parts in _DERIVED.items()
        if name not in fluxes and {*parts[:2]} <= {*fluxes}
    }


def inspect_reference(
    reference: Mapping[str, Any], files: Sequence[str | Path], year: int
) -> list[InputError]:
    """Problems of a reference product, found without reading its values."""
    problems = []
    for flux in reference["variables"]:
        try:
            with open_reference(reference, files, flux, year):
                pass
        except InputError as error:
            problems.append(error)
    return problems


@contextmanager
def open_reference(
    reference: Mapping[str, Any], files: Sequence[str | Path], flux: str, year: int
) -> Iterator[ReferenceYear]:
    """Open a flux of a year of a product.

    Parameters
    ----------
    reference : mapping
        An entry of `validation.references`: `name`, `variables` (flux -> name in the file) and
        `units`, if any, of files without the attribute.
    files : sequence of path
        The product's files; any of them may hold the variable.
    flux : str
        gpp, reco or nee; `nee` is positive upward.

    Raises
    ------
    InputError
        If no file has the variable in every month of the year, or its unit, dimensions or axes
        are not those of a flux on a regular grid.
    """
    name, found = reference["variables"][flux], []
    for path in map(str, files):
        with open_netcdf(Path(path), path) as file:
            found += list(file.variables)
            if name not in file.variables:
                continue
            time, steps, months = read_steps(file, path, year)
            if not len(steps):
                continue
            _check_dimensions(file, name, time, path)
            yield ReferenceYear(
                file, path, name, time, steps,
                np.sort(read_axis(file, "latitude", path)),
                _check_longitudes(read_axis(file, "longitude", path), path),
                months, _factors(file[name], reference, months, path), _land(file, path),
            )  # fmt: skip
            return
    raise InputError(
        f"the reference product {reference['name']} has no such flux in {year}",
        file=", ".join(map(str, files)) or None, variable=name,
        found=", ".join(sorted(set(found))) or "no file", expected=f"{name} with steps in {year}",
        fix="correct validation.references: path and variables",
    )  # fmt: skip


def _factors(variable, reference: Mapping[str, Any], months: np.ndarray, label: str) -> np.ndarray:
    """(step,) factor to g m-2 d-1."""
    stated, given = getattr(variable, "units", None), reference.get("units")
    if stated and given and to_grams_per_day(stated) != to_grams_per_day(given):
        raise InputError(
            "file and configuration name different units", file=label, variable=variable.name,
            found=f"units {stated!r} in the file, {given!r} in the configuration",
            expected="one unit", fix="remove validation.references: units",
        )  # fmt: skip
    unit = to_grams_per_day(stated or given or "")
    if unit is None:
        raise InputError(
            "a reference product has no known unit of a carbon flux", file=label,
            variable=variable.name, found=stated or given or "no units attribute",
            expected="gC m-2 d-1, kgC m-2 s-1, umolCO2 m-2 s-1 or their like",
            fix="correct the file's units"
            if stated
            else "name the unit in validation.references: units",
        )  # fmt: skip
    factor, per_month = unit
    if not per_month:
        return np.full(months.shape[1], factor)
    if not np.array_equal(months, np.diag(np.diag(months))):
        raise InputError(
            "a unit per month needs monthly steps", file=label, variable=variable.name,
            found=f"{stated or given}, {months.shape[1]} steps a year", expected="twelve steps",
            fix="use the monthly files",
        )  # fmt: skip
    return factor / np.diag(months)


def _check_dimensions(file, name: str, time: str, label: str) -> None:
    sizes = dict(zip(file[name].dimensions, file[name].shape, strict=True))
    plane = [dim[:3] for dim in sizes if dim in ("latitude", "longitude", "lat", "lon")]
    known = {"latitude", "longitude", "lat", "lon", *file[time].dimensions}
    spare = {dim for dim, n in sizes.items() if dim not in known and n != 1}
    if plane != ["lat", "lon"] or spare or not {*file[time].dimensions} <= {*sizes}:
        raise InputError(
            "a reference product has unexpected dimensions", file=label, variable=name,
            found=sizes, expected="time, lat, lon",
            fix="use files of days or months without an hour of the day (ncpdq -a time,lat,lon "
            "puts dimensions in order)",
        )  # fmt: skip


def _check_longitudes(lon: np.ndarray, label: str) -> np.ndarray:
    """The longitudes, none of which may come twice."""
    span = lon[-1] - lon[0] + (lon[1] - lon[0])
    if span > 360 + 1e-2:
        raise InputError(
            "a reference product repeats longitudes", file=label, variable="longitude",
            found=f"{len(lon)} values, {lon[0]:g} to {lon[-1]:g}", expected="at most 360 degrees",
            fix="remove the last column: ncks -d lon,0,-2",
        )  # fmt: skip
    return lon


def _land(file: netCDF4.Dataset, label: str) -> np.ndarray | None:
    """(lat, lon) land fraction 0-1, latitude ascending."""
    for name in _LAND:
        if name in file.variables and [d[:3] for d in file[name].dimensions] == ["lat", "lon"]:
            variable = file[name]
            values = np.asarray(variable[:], float)
            fill = getattr(variable, "_FillValue", np.nan)
            values = np.where((values == fill) | ~np.isfinite(values), 0.0, values)
            units, high = str(getattr(variable, "units", "")).strip(), values.max(initial=0)
            factor = _LAND_UNITS.get(units.lower(), 1.0 if not units and high <= 1 else None)
            if factor is None or values.min(initial=0) < 0 or high * factor > 1 + 1e-3:
                raise InputError(
                    "the land fraction of a reference product has no known unit", file=label,
                    variable=name, found=f"units {units!r}, values up to {high:g}",
                    expected="units 1 (0 to 1) or % (0 to 100)",
                    fix="correct the units attribute: ncatted -a units",
                )  # fmt: skip
            values = np.clip(values * factor, 0, 1)
            lat = file["latitude" if "latitude" in file.variables else "lat"]
            return values[::-1] if lat[0] > lat[-1] else values
    return None
