"""xarray, R, QGIS and ILAMB: libraries, each in a script of its own language."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from .product import JULY, Product
from .tool import Tool, python, run

HERE = Path(__file__).parent


def _xarray(product: Product, folder: Path) -> dict[str, float]:
    with xr.open_dataset(product.path("annual")) as annual:
        weights = (annual["cell_area"] * annual["land_fraction"]).fillna(0)
        nee = annual["nee"].astype(float).weighted(weights).mean(["lat", "lon"])
        days = annual["time_bnds"].diff("bnds").dt.days
        mass = (annual["gpp"].astype(float) * weights * days).sum()
    with xr.open_dataset(product.path("monthly")) as monthly:
        cell = monthly["gpp"].sel(lat=product.lat, lon=product.lon)
        july = cell.sel(time=f"{product.year}-07-01")
    return {
        "gpp of a cell, July": float(july),
        "mean nee over land": float(nee[0]),
        "global gpp, Pg yr-1": float(mass) / 1e15,
    }


def _xarray_zarr(product: Product, folder: Path) -> dict[str, float]:
    with xr.open_zarr(product.store, consolidated=True) as store:
        gpp = store["gpp"].sel(lat=product.lat, lon=product.lon).astype(float)
        gap = abs(store["reco"] - store["gpp"] - store["nee"]).max()
        return {
            "gpp of a cell, 1 July": float(gpp.sel(time=f"{product.year}-07-01")),
            "gpp of a cell, year": float(gpp.mean()),
            "largest |reco - gpp - nee|": float(gap),
        }


def _script(*command: str):
    """A script that is given the files of a product and a cell, and prints name = number."""

    def compute(product: Product, folder: Path) -> dict[str, float]:
        arguments = (str(product.lon), str(product.lat), str(JULY))
        text = run(*command, product.folder, str(product.year), *arguments, folder=folder)
        pairs = [line.rsplit(" = ", 1) for line in text.splitlines() if " = " in line]
        return {name: float(value) for name, value in pairs}

    return compute


_R = ("Rscript", "--vanilla")
_QGIS = "/usr/bin/python3"  # QGIS is built for the distribution's own Python

LIBRARIES = (
    Tool("xarray, NetCDF", python("-c", "import xarray as x; print(x.__version__)"), None,
         _xarray),
    Tool("xarray, Zarr", python("-c", "import xarray as x; print(x.__version__)"), None,
         _xarray_zarr),
    Tool("R, ncdf4", (*_R, "-e", "library(ncdf4); cat(format(packageVersion('ncdf4')))"),
         "r-cran-ncdf4", _script(*_R, f"{HERE}/cells_ncdf4.R")),
    Tool("R, terra", (*_R, "-e", "library(terra); cat(format(packageVersion('terra')))"),
         "r-cran-terra", _script(*_R, f"{HERE}/maps_terra.R")),
    Tool("QGIS", (_QGIS, "-c", "from qgis.core import Qgis; print(Qgis.version())"),
         "python3-qgis", _script(_QGIS, f"{HERE}/layer_qgis.py")),
    Tool("ILAMB", python("-c", "import ILAMB.Variable; print(ILAMB.__version__)"), "libopenmpi3",
         _script(*python(f"{HERE}/totals_ilamb.py"))),
)  # fmt: skip
