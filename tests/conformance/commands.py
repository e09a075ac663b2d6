"""CDO, NCO, GDAL, ncdump and ncview. Each recipe is one of docs/product.md."""

from __future__ import annotations

import json
import re
from pathlib import Path

from .product import JULY, Product
from .tool import Tool, numbers, run


def _cdo(product: Product, folder: Path) -> dict[str, float]:
    """`sinfo` sees one horizontal grid and the time axis; the rest is arithmetic."""
    monthly, annual = product.path("monthly"), product.path("annual")
    days = product.expected["days in the year"]
    info = run("cdo", "-s", "sinfo", product.path("daily"))
    if len(re.findall(r"^ +\d+ : lonlat ", info, re.M)) != 1 or "latitude_longitude" not in info:
        raise ValueError(f"sinfo: {info}")
    out = ("cdo", "-s", "outputf,%.9g")
    cell = (f"-remapnn,lon={product.lon}_lat={product.lat}", "-selname,gpp")
    select = "-selname,gpp,reco,nee"
    run("cdo", "-s", "-O", "yearmonmean", select, monthly, folder / "year.nc")
    total = (f"-mulc,{days * 1e-15}", "-fldint", "-expr,m=gpp*land_fraction")
    return {
        "days in the year": numbers(run("cdo", "-s", "ntime", product.path("daily")))[0],
        "gpp of a cell, July": numbers(run(*out, *cell, f"-seltimestep,{JULY}", monthly))[0],
        "gpp of a cell, year": numbers(run(*out, "-timmean", *cell, product.path("daily")))[0],
        "gpp of a cell, year of months": numbers(run(*out, *cell, folder / "year.nc"))[0],
        "mean gpp over cells": numbers(run(*out, "-fldmean", "-selname,gpp", annual))[0],
        "global gpp, Pg yr-1": numbers(run(*out, *total, annual))[0],
    }


def _nco(product: Product, folder: Path) -> dict[str, float]:
    show = ("ncks", "-H", "-C", "-s", "%.9g ")
    cell = ("-d", f"lat,{product.lat}", "-d", f"lon,{product.lon}", "-d", f"time,{JULY - 1}")
    weighted, mean, gap = (folder / f"{name}.nc" for name in ("weighted", "mean", "gap"))
    script = "w=cell_area*land_fraction; gap=abs(reco-gpp-nee); nee=nee"
    run("ncap2", "-O", "-v", "-s", script, product.path("annual"), weighted)
    run("ncwa", "-O", "-v", "nee", "-w", "w", "-a", "time,lat,lon", weighted, mean)
    run("ncap2", "-O", "-v", "-s", "gap=abs(reco-gpp-nee)", product.path("daily"), gap)
    run("ncwa", "-O", "-y", "max", "-v", "gap", gap, gap)
    twice = (product.path("monthly"), product.path("monthly"), folder / "months.nc")
    run("ncrcat", "-O", "-v", "gpp", *twice)
    later = ("-d", f"lat,{product.lat}", "-d", f"lon,{product.lon}", "-d", f"time,{JULY + 11}")
    return {
        "gpp of a cell, July": numbers(run(*show, "-v", "gpp", *cell, product.path("monthly")))[0],
        "gpp of a cell, July of the second file": numbers(
            run(*show, "-v", "gpp", *later, folder / "months.nc")
        )[0],
        "mean nee over land": numbers(run(*show, "-v", "nee", mean))[0],
        "largest |reco - gpp - nee|": numbers(run(*show, "-v", "gap", gap))[0],
    }


def _gdal(product: Product, folder: Path) -> dict[str, float]:
    monthly, annual = (f'NETCDF:"{product.path(s)}":gpp' for s in ("monthly", "annual"))
    info = json.loads(run("gdalinfo", "-json", "-stats", annual))
    corners = info["cornerCoordinates"]
    if "GEOGCRS" not in info["coordinateSystem"]["wkt"]:
        raise ValueError("no geographic reference system")
    point = (str(product.lon), str(product.lat))
    value = run("gdallocationinfo", "-valonly", "-geoloc", "-b", str(JULY), monthly, *point)
    return {
        "west": corners["upperLeft"][0],
        "north": corners["upperLeft"][1],
        "cell size": info["geoTransform"][1],
        "gpp of a cell, July": numbers(value)[0],
        "plain mean gpp": float(info["bands"][0]["metadata"][""]["STATISTICS_MEAN"]),
    }


def _gdal_zarr(product: Product, folder: Path) -> dict[str, float]:
    day = 181 + int(product.expected["days in the year"] - 365)
    layer = f'ZARR:"{product.store}":/gpp:{day}'
    point = (str(product.lon), str(product.lat))
    value = run("gdallocationinfo", "-valonly", "-geoloc", layer, *point)
    return {"gpp of a cell, 1 July": numbers(value)[0]}


def _ncdump(product: Product, folder: Path) -> dict[str, float]:
    text = run("ncdump", "-p", "9,17", "-v", "gpp", product.path("annual"))
    values = text.split(" gpp =")[1].rstrip(" \n;}").replace(";", "").split(",")
    land = [float(value) for value in values if "_" not in value]
    return {"cells over land": len(land), "plain mean gpp": sum(land) / len(land)}


def _ncview(product: Product, folder: Path) -> list[str]:
    """It shows a window that bears the file's name on a display of its own, and does not die."""
    show = "ncview $0 & sleep 4; xwininfo -root -tree; kill $!"
    tree = run("xvfb-run", "-a", "sh", "-c", show, product.path("annual"))
    return [] if '("ncview" "Ncview")' in tree else [f"no window: {tree[-300:]}"]


COMMANDS = (
    Tool("CDO", ("sh", "-c", "cdo --version 2>&1"), "cdo", _cdo),
    Tool("NCO", ("sh", "-c", "ncks --version 2>&1"), "nco", _nco),
    Tool("GDAL, NetCDF", ("gdalinfo", "--version"), "gdal-bin", _gdal),
    Tool("GDAL, Zarr", ("gdalinfo", "--version"), "gdal-bin", _gdal_zarr),
    Tool("ncdump", ("sh", "-c", "ncdump 2>&1 | grep version || command -v ncdump"), "netcdf-bin",
         _ncdump),
    Tool("ncview, a window", ("sh", "-c", "command -v ncview xvfb-run xwininfo"),
         "ncview xvfb x11-utils", _ncview),
)  # fmt: skip
