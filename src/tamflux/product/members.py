"""Monthly means of each member of the ensemble, kept where `product.members` asks for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
import zarr

from tamflux.files import atomic_path
from tamflux.variables import FLUXES

_FIXED = ("time_bnds", "lat_bnds", "lon_bnds", "crs", "cell_area", "land_fraction")


def write_members(monthly: str | Path, tiles: str | Path, output: str | Path) -> None:
    """Write the monthly means of each member as `gpp, reco, nee` (time, member, lat, lon).

    Their mean over members is the monthly file up to its rounding of days, and they are missing
    where it is. Members differ in their seed alone: a total of each, such as a trend or the
    correlation of two regions, shows where the towers do not determine the network.

    Parameters
    ----------
    monthly : path
        Monthly product file.
    tiles : path
        Tile store of the same year.
    output : path
        NetCDF file to write.
    """
    store = zarr.open_group(Path(tiles), mode="r")
    gpp, reco = (store[f"{flux}_members"][:].swapaxes(0, 1) for flux in ("gpp", "reco"))
    dims = ("time", "member", "lat", "lon")
    with xr.open_dataset(monthly, decode_times=False) as product:
        known = product["gpp"].notnull().to_numpy()[:, None]
        file = product[[*_FIXED, "time", "lat", "lon"]].load()
        for name, values in {"gpp": gpp, "reco": reco, "nee": reco - gpp}.items():
            attributes = FLUXES[name].attrs | {
                "cell_methods": product[name].attrs["cell_methods"],
                "cell_measures": "area: cell_area",
                "grid_mapping": "crs",
                "comment": "monthly mean of each member; mass of carbon per area of land and day",
            }
            file[name] = (dims, np.where(known, values, np.float32(np.nan)), attributes)
    number = {"standard_name": "realization", "long_name": "member of the ensemble"}
    file["member"] = ("member", np.arange(gpp.shape[1], dtype=np.int32), number)
    file.attrs["title"] = file.attrs["title"].replace("monthly", "monthly ensemble of")
    file.attrs["id"] = file.attrs["id"].replace("monthly", "members")
    packed = {"zlib": True, "complevel": 4, "shuffle": True, "_FillValue": np.float32(-9999)}
    with atomic_path(output) as partial:
        file.to_netcdf(partial, encoding=dict.fromkeys(FLUXES, packed), unlimited_dims=["time"])
