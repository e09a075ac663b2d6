"""Monthly fluxes in the layout of CMIP, one file a variable, as ILAMB reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from tamflux.errors import ContractError
from tamflux.files import atomic_path
from tamflux.product.netcdf import EPOCH, Product, open_product
from tamflux.variables import FLUXES

FILL = np.float32(1e20)
PER_SECOND = 1e-3 / 86400
"""From g m-2 d-1 to kg m-2 s-1."""

CMIP_EPOCH = np.datetime64("1850-01-01", "D")
SHIFT = (EPOCH - CMIP_EPOCH).astype(int)
"""Days from one epoch to the other."""


def write_flux(monthly: Sequence[str | Path], flux: str, output: str | Path) -> None:
    """Write the monthly means of one flux over adjoining years, in kg m-2 s-1 of land.

    Parameters
    ----------
    monthly : sequence of path
        Monthly product files, one a year.
    flux : str
        gpp, reco or nee. The sign stays: nee is positive upward.
    output : path
        NetCDF file to write.

    Raises
    ------
    ContractError
        If the years do not adjoin, or the grids differ.
    """
    paths = sorted(map(Path, monthly))
    with open_product(paths[0]) as first, _create(first, output) as file:
        variable = file.createVariable(
            flux, "f4", ("time", "lat", "lon"), zlib=True, shuffle=True, fill_value=FILL
        )
        attributes = FLUXES[flux].attrs | {
            "units": "kg m-2 s-1",
            "cell_methods": "area: mean where land time: mean",
            "cell_measures": "area: areacella",
        }
        variable.setncatts(attributes)
        file.setncatts(_attributes(first, flux, paths) | {"external_variables": "areacella"})
        for number, path in enumerate(paths):
            with open_product(path) as product:
                _check(product, first, number, path)
                months = slice(12 * number, 12 * number + 12)
                bounds = product.file["time_bnds"][:].data + SHIFT
                file["time"][months] = bounds.mean(axis=1)
                file["time_bnds"][months] = bounds
                values = product.file[flux][:].filled(np.nan) * np.float64(PER_SECOND)
                variable[months] = np.where(np.isfinite(values), values, FILL)


def write_cells(monthly: str | Path, areacella: str | Path, sftlf: str | Path) -> None:
    """Write the area of the cells (m2) and the share of land (%), under their CMIP names."""
    with open_product(monthly) as product:
        fields = {
            "areacella": (areacella, product.file["cell_area"][:], "m2", "cell_area"),
            "sftlf": (sftlf, 100 * product.land_fraction, "%", "land_area_fraction"),
        }
        for name, (path, values, units, standard_name) in fields.items():
            with _create(product, path, time=False) as file:
                variable = file.createVariable(name, "f4", ("lat", "lon"), zlib=True)
                variable.setncatts({"units": units, "standard_name": standard_name})
                variable.long_name = {"m2": "area of the cell", "%": "share of land"}[units]
                file.setncatts(_attributes(product, name, [Path(monthly)]))
                variable[:] = values


@contextmanager
def _create(product: Product, path: str | Path, *, time: bool = True) -> Iterator[netCDF4.Dataset]:
    """Yield a file with the coordinates of a product; `time` is unlimited."""
    grid = product.grid
    axes = {
        "lat": ("latitude", "degrees_north", "Y", grid.lat, grid.lat_edges),
        "lon": ("longitude", "degrees_east", "X", grid.lon, grid.lon_edges),
    }
    with atomic_path(path) as partial, netCDF4.Dataset(partial, "w", format="NETCDF4") as file:
        file.createDimension("bnds", 2)
        for name, (standard_name, units, axis, centres, edges) in axes.items():
            file.createDimension(name, len(centres))
            variable = file.createVariable(name, "f8", (name,))
            variable.setncatts(
                {"standard_name": standard_name, "long_name": standard_name, "units": units,
                 "axis": axis, "bounds": f"{name}_bnds"}
            )  # fmt: skip
            variable[:] = centres
            bounds = file.createVariable(f"{name}_bnds", "f8", (name, "bnds"))
            bounds[:] = np.stack([edges[:-1], edges[1:]], axis=1)
        if time:
            file.createDimension("time", None)
            variable = file.createVariable("time", "f8", ("time",))
            variable.setncatts(
                {"standard_name": "time", "long_name": "middle of the month", "axis": "T",
                 "units": f"days since {CMIP_EPOCH} 00:00:00", "calendar": "standard",
                 "units_metadata": "leap_seconds: none", "bounds": "time_bnds"}
            )  # fmt: skip
            file.createVariable("time_bnds", "f8", ("time", "bnds"))
        yield file


def _attributes(product: Product, name: str, paths: Sequence[Path]) -> dict[str, Any]:
    """Attributes that hold for every time step of the product, and those of CMIP."""
    common = (
        "institution", "source", "references", "license", "product_version", "acknowledgement",
        "source_version_number", "creator_name", "naming_authority", "tamflux_version",
        "tamflux_code", "tamflux_checkpoints", "tamflux_training_sites", "tamflux_config",
    )  # fmt: skip
    attributes = {key: product.attributes[key] for key in common if key in product.attributes}
    files = " ".join(path.name for path in paths)
    return attributes | {
        "Conventions": "CF-1.11",
        "title": f"TAMFlux {name}, monthly means per area of land",
        "variable_id": name,
        "source_id": "TAMFlux",
        "frequency": "mon",
        "realm": "land",
        "history": f"{product.attributes['history']}; {name} of {files}",
    }


def _check(product: Product, first: Product, number: int, path: Path) -> None:
    expected = (first.year + number, 12, first.grid)
    found = (product.year, len(product.days), product.grid)
    if found != expected:
        raise ContractError(
            "the monthly files do not follow one another", file=path,
            found=f"year {found[0]}, {found[1]} time steps, {found[2]}",
            expected=f"year {expected[0]}, {expected[1]} time steps, {expected[2]}",
            fix="give one monthly file a year, without a gap, of one configuration",
        )  # fmt: skip
