"""Writes NetCDF files laid out as the providers of other flux products lay them out."""

from pathlib import Path

import netCDF4
import numpy as np

GRAMS_PER_UMOL = 86400e-6 * 12.011
"""1 µmol m-2 s-1 of CO2 in g m-2 d-1 of carbon."""


def write_reference(
    path, fields, lat, lon, days, year=2002, units="gC m-2 d-1", land_fraction=None, **attributes
):
    """Write (time, lat, lon) `fields` by name; `days` are days since 1 January of `year`."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with netCDF4.Dataset(path, "w") as file:
        for name, values in (("time", days), ("lat", lat), ("lon", lon)):
            file.createDimension(name, len(values))
            file.createVariable(name, "f8", (name,))[:] = values
        file["time"].units = f"days since {year}-01-01"
        file["lat"].units, file["lon"].units = "degrees_north", "degrees_east"
        for name, values in fields.items():
            variable = file.createVariable(
                name, "f4", ("time", "lat", "lon"), fill_value=-9999.0, zlib=True
            )
            if units is not None:
                variable.units = units
            variable.setncatts(attributes)
            variable[:] = np.ma.masked_invalid(values)
        if land_fraction is not None:
            file.createVariable("land_fraction", "f4", ("lat", "lon"))[:] = land_fraction
    return str(path)


def centres(step, descending=False, eastern=False):
    """Latitudes and longitudes of the cells of a global grid, as a provider may order them."""
    lat = np.arange(-90 + step / 2, 90, step)
    lon = np.arange(0 if eastern else -180, 360 if eastern else 180, step) + step / 2
    return lat[::-1] if descending else lat, lon


def middle_of_months(year=2002):
    """Days since 1 January of the middles of the months."""
    start = np.arange(f"{year}-01", f"{year + 1}-02", dtype="datetime64[M]").astype("datetime64[D]")
    start = (start - np.datetime64(f"{year}-01-01")).astype(float)
    return (start[:-1] + start[1:]) / 2


def xbase(folder, gpp, nee, year=2002, step=0.5):
    """FLUXCOM-X-BASE: a file per flux, 050_monthly, north first, with the land fraction.

    `gpp` and `nee` are functions of (month, lat, lon) in g m-2 d-1, NaN without a value.
    """
    lat, lon = centres(step, descending=True)
    month, lat_of, lon_of = np.meshgrid(np.arange(12), lat, lon, indexing="ij")
    land = np.isfinite(gpp(month, lat_of, lon_of)[0]).astype(float)
    return [
        write_reference(
            Path(folder) / f"{name}_{year}_050_monthly.nc", {name: flux(month, lat_of, lon_of)},
            lat, lon, middle_of_months(year), year, land_fraction=land,
        )
        for name, flux in (("GPP", gpp), ("NEE", nee))
    ]  # fmt: skip


def metaflux(folder, gpp, reco, year=2002, step=0.25):
    """MetaFlux: both fluxes in a file, longitudes 0..360, µmol m-2 s-1, months from their start."""
    lat, lon = centres(step, eastern=True)
    month, lat_of, lon_of = np.meshgrid(np.arange(12), lat, lon, indexing="ij")
    lon_of = (lon_of + 180) % 360 - 180
    fields = {
        name: flux(month, lat_of, lon_of) / GRAMS_PER_UMOL
        for name, flux in (("GPP", gpp), ("RECO", reco))
    }
    start = middle_of_months(year) // 30.5 * 30.4375 + 0.6
    path = Path(folder) / f"METAFLUX_GPP_RECO_monthly_{year}.nc"
    return [write_reference(path, fields, lat, lon, start, year, units="umolCO2 m-2 s-1")]
