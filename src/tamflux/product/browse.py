"""Read finished products: one site's series, one map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from tamflux.errors import ConfigError, ContractError, InputError
from tamflux.files import atomic_path
from tamflux.grid import great_circle_km
from tamflux.readers.points import read_points
from tamflux.variables import FLUXES, IGBP_CLASSES, KOPPEN_CLASSES, igbp_fraction

_RUN = "run `snakemake --cores 2` first, or name the folder of its results"


def find_products(
    results: str | Path, step: str, years: Sequence[int] | None = None
) -> dict[int, Path]:
    """Files of a finished product by year, in the order of years.

    Parameters
    ----------
    results : path
        Folder of a finished run.
    step : str
        ``daily``, ``monthly`` or ``annual``.
    years : sequence of int, optional
        Years that are wanted; all by default.

    Raises
    ------
    ConfigError
        If there is no product, or none of a wanted year.
    """
    folder = Path(results, "product")
    pattern = f"tamflux_{step}_[0-9][0-9][0-9][0-9].nc"
    paths = {int(path.stem[-4:]): path for path in sorted(folder.glob(pattern))}
    if not paths:
        raise ConfigError(
            "there is no product yet", file=folder / pattern, found="no file", fix=_RUN
        )
    wanted = paths.keys() if years is None else sorted(set(years))
    if absent := [year for year in wanted if year not in paths]:
        raise ConfigError(
            "there is no product of these years", file=folder / pattern,
            found=", ".join(map(str, absent)), expected=", ".join(map(str, paths)),
            fix="take other years, or add them to years.product and run",
        )  # fmt: skip
    return {year: paths[year] for year in wanted}


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the errors of a damaged product file into a ContractError that names it."""
    try:
        yield
    except (OSError, ValueError, LookupError, RuntimeError) as error:
        raise ContractError(
            "cannot read a product file", file=path, found=f"{type(error).__name__}: {error}",
            fix="delete it and run snakemake again",
        ) from error  # fmt: skip


def read_site(results: str | Path, lat: float, lon: float) -> xr.Dataset:
    """The daily series of the grid cell that holds a point, and what the cell is made of.

    Parameters
    ----------
    results : path
        Folder of a finished run.
    lat, lon : float
        Degrees.

    Returns
    -------
    Dataset
        (time): `gpp, reco, nee`, their `*_std` and `*_pi90_halfwidth`, g C m-2 d-1, and
        `quality_flag` of the year; scalars: `dissimilarity_index`, `applicability`,
        `land_fraction`, fractions of the IGBP classes (`igbp_*`). Attributes: position, `koppen`,
        `quality` in words, and `nearest_towers`.

    Raises
    ------
    ConfigError
        If there is no product.
    InputError
        If the point lies outside the product or over water.
    ContractError
        If a file is damaged.
    """
    years = [_read_cell(path, lat, lon) for path in find_products(results, "daily").values()]
    site = xr.concat(years, "time", data_vars="minimal", coords="minimal", compat="override",
                     combine_attrs="override", join="exact")  # fmt: skip
    annual = find_products(results, "annual")
    centre = float(site["lat"]), float(site["lon"])
    site = site.assign(_cell_classes(annual[max(annual)], *centre, site.attrs))
    site.attrs["requested_lat"], site.attrs["requested_lon"] = lat, lon
    site.attrs["nearest_towers"] = "; ".join(_nearest_towers(results, lat, lon))
    return site


def _read_cell(path: Path, lat: float, lon: float) -> xr.Dataset:
    """One year of the cell; refused outside of the product and over water."""
    with reading(path), _open_daily(path) as file:
        row, col = (_nearest(file[name].to_numpy(), at, path, name)
                    for name, at in (("lat", lat), ("lon", lon)))  # fmt: skip
        names = [name for name in file.data_vars if _is_of_cell(file[name])]
        cell = file[names].isel(lat=row, lon=col).load()
        attrs = file["quality_flag"].attrs
    if float(cell["land_fraction"]) == 0:
        raise InputError(
            "there is no land in this cell", file=path,
            found=f"lat {float(cell['lat']):g}, lon {float(cell['lon']):g}: water",
            fix="move the point to the nearest land cell",
        )  # fmt: skip
    flag = int(np.nan_to_num(cell["quality_flag"].to_numpy()))
    masks = np.atleast_1d(attrs["flag_masks"])
    meanings = str(attrs["flag_meanings"]).split()
    words = [text for mask, text in zip(masks, meanings, strict=True) if flag & int(mask)]
    of_year = xr.DataArray(np.full(cell.sizes["time"], flag, np.int16), dims="time", attrs=attrs)
    cell = cell.drop_vars("quality_flag").assign(quality_flag=of_year)
    return cell.assign_attrs(quality=", ".join(words) or "no flag")


def _open_daily(path: Path) -> xr.Dataset:
    """A daily file, or its Zarr copy, which is made for series, where that is not older."""
    store = path.with_suffix(".zarr")
    if store.is_dir() and store.stat().st_mtime >= path.stat().st_mtime:
        return xr.open_zarr(store, consolidated=True)
    return xr.open_dataset(path, engine="netcdf4")


def _is_of_cell(field: xr.DataArray) -> bool:
    return {"lat", "lon"} <= set(field.dims) and field.name != "cell_area"


def _nearest(centres: np.ndarray, at: float, path: Path, name: str) -> int:
    """Index of the cell that holds a coordinate."""
    step = float(centres[1] - centres[0])
    if name == "lon":
        at = (at - float(centres[0]) + step / 2) % 360 + float(centres[0]) - step / 2
    index = int(np.abs(centres - at).argmin())
    if not np.isfinite(at) or abs(centres[index] - at) > step / 2 + 1e-6:
        raise InputError(
            "the point lies outside the product", file=path, variable=name, found=f"{at:g}",
            expected=f"{centres[0] - step / 2:g} to {centres[-1] + step / 2:g} degrees",
            fix="correct the coordinates: latitude first, south and west negative",
        )  # fmt: skip
    return index


def _cell_classes(path: Path, lat: float, lon: float, attrs: dict) -> Mapping[str, float]:
    """IGBP fractions of the cell from an annual file; its Köppen class goes into `attrs`."""
    with reading(path), xr.open_dataset(path, engine="netcdf4") as file:
        cell = file[["igbp_fraction", "koppen"]].sel(lat=lat, lon=lon, method="nearest").load()
    code = int(cell["koppen"])
    attrs["koppen"] = KOPPEN_CLASSES[code - 1] if code else "unknown"
    shares = zip(IGBP_CLASSES, cell["igbp_fraction"].to_numpy(), strict=True)
    return {igbp_fraction(name): float(share) for name, share in shares if share > 0}


def _nearest_towers(results: str | Path, lat: float, lon: float, number: int = 5) -> list[str]:
    """The nearest training towers with class and distance."""
    path = Path(results) / "product" / "towers.csv"
    if not path.is_file():
        return []
    towers = pd.read_csv(path, keep_default_na=False, na_values=[""])
    distance = great_circle_km(lat, lon, towers["lat"], towers["lon"])
    towers = towers.assign(distance=distance).nsmallest(number, "distance")
    return [f"{row.site_id} {row.igbp} {row.distance:.0f} km" for row in towers.itertuples()]


def write_site(site: xr.Dataset, csv_path: str | Path, netcdf_path: str | Path) -> None:
    """Write the series of `read_site` as CSV (days) and as NetCDF (days and description)."""
    names = [
        f"{flux}{part}" for flux in FLUXES for part in ("", "_std", "_pi90_halfwidth")
        if f"{flux}{part}" in site
    ]  # fmt: skip
    table = site[[*names, "quality_flag"]].to_dataframe()[[*names, "quality_flag"]]
    with atomic_path(csv_path) as path:
        table.to_csv(path, float_format="%.5g")
    with atomic_path(netcdf_path) as path:
        site.to_netcdf(path, engine="netcdf4")


def write_sites(results: str | Path, points: str | Path, folder: str | Path) -> None:
    """Write the series of many points, as `write_site` does, and a table of what they are.

    Parameters
    ----------
    results : path
        Folder of a finished run.
    points : path
        Table of `tamflux.readers.points.read_points`.
    folder : path
        Folder to write: `{site_id}.csv`, `{site_id}.nc`, and `sites.csv` with `site_id, lat, lon,
        cell_lat, cell_lon, koppen, quality, nearest_towers, problem`. A point over water or
        outside of the product has a `problem` and no series.

    Raises
    ------
    InputError
        If the table of points cannot be used.
    ContractError
        If a product file is damaged.
    """
    rows = []
    with atomic_path(folder) as partial:
        partial.mkdir(parents=True)
        for point in read_points(points).to_dict("records"):
            try:
                site = read_site(results, point["lat"], point["lon"])
            except InputError as error:
                rows.append(point | {"problem": error.what})
                continue
            name = point["site_id"]
            write_site(site, partial / f"{name}.csv", partial / f"{name}.nc")
            centre = {f"cell_{name}": float(site[name]) for name in ("lat", "lon")}
            named = {name: site.attrs[name] for name in ("koppen", "quality", "nearest_towers")}
            rows.append(point | centre | named | {"problem": ""})
        columns = ["site_id", "lat", "lon", "cell_lat", "cell_lon", "koppen", "quality",
                   "nearest_towers", "problem"]  # fmt: skip
        pd.DataFrame(rows, columns=columns).to_csv(partial / "sites.csv", index=False)


def read_map(results: str | Path, variable: str, time: str) -> xr.DataArray:
    """One map of a product.

    Parameters
    ----------
    results : path
        Folder of a finished run.
    variable : str
        Of the product's files, such as ``gpp`` or ``nee_std``.
    time : str
        ``2003`` (mean of the year), ``2003-07`` (of the month) or ``2003-07-01``.

    Returns
    -------
    DataArray
        (lat, lon), with units.

    Raises
    ------
    ConfigError
        If there is no product of this time, or no such variable.
    ContractError
        If the file is damaged.
    """
    step = {1: "annual", 2: "monthly", 3: "daily"}.get(len(time.split("-")))
    path = Path(results) / "product" / f"tamflux_{step}_{time[:4]}.nc"
    if step is None or not path.is_file():
        raise ConfigError(
            "there is no product of this time", file=path, found=time,
            expected="a year, month or day, as 2003, 2003-07 or 2003-07-01", fix=_RUN,
        )  # fmt: skip
    with reading(path), xr.open_dataset(path, engine="netcdf4") as file:
        fields = [str(name) for name in file.data_vars if {"lat", "lon"} <= set(file[name].dims)]
        if variable not in fields:
            raise ConfigError(
                "the product has no such variable", file=path, found=variable,
                expected=", ".join(fields), fix="take one of them",
            )  # fmt: skip
        field = file[variable]
        if "time" in field.dims:
            try:
                field = field.sel(time=time)
            except KeyError:
                first, last = (str(day)[:10] for day in file["time"].to_numpy()[[0, -1]])
                raise ConfigError(
                    "the product does not reach this time", file=path, found=time,
                    expected=f"{first} to {last}", fix="take another time",
                ) from None  # fmt: skip
            field = field.isel(time=0) if "time" in field.dims else field
        return field.load()


def write_geotiff(field: xr.DataArray, path: str | Path) -> None:
    """Write a map as a cloud-optimised GeoTIFF in WGS 84, NaN where missing.

    Parameters
    ----------
    field : DataArray
        (lat, lon).
    path : path
    """
    import rioxarray  # noqa: F401 (registers the accessor)

    raster = field.drop_vars("time", errors="ignore").rename(lat="y", lon="x").sortby(
        "y", ascending=False
    )  # fmt: skip
    raster.attrs = {k: v for k, v in field.attrs.items() if k in ("units", "long_name")}
    raster.encoding = {}
    raster = raster.astype("float32").rio.write_crs("EPSG:4326").rio.write_nodata(np.nan)
    with atomic_path(path) as partial:
        raster.rio.to_raster(partial, driver="COG", compress="deflate")
