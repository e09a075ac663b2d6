"""Local days of towers from hourly ERA5 files, against exact integrals of the same hours."""

import numpy as np
import pandas as pd
import pytest
from era5_writer import write_era5

from tamflux.grid import Grid
from tamflux.predictors.cube import Cube
from tamflux.predictors.era5_cube import prepare_era5
from tamflux.samples.extract import extract_samples
from tamflux.samples.local_weather import extract_local_weather
from tamflux.solar import potential_radiation_at
from tamflux.units import saturation_vapour_pressure

YEAR = 2003
GRID = Grid(10.0, (-180, -90, 180, 90))
LAT, LON = np.arange(90.0, -91, -10), np.arange(0.0, 360, 10)
VARIABLES = ("t2m", "t2m_min", "t2m_max", "vpd", "ssrd", "tp", "ssrd_pot")
SITES = {
    "AU-Tum": (-35.7, 148.2, 10.0),
    "US-Var": (38.4, -121.0, -8.0),
    "IN-Ind": (22.5, 77.5, 5.5),
    "GB-Utc": (52.5, 2.5, 0.0),
    "XX-Not": (12.5, 2.5, np.nan),
}
HOURS = np.arange(f"{YEAR}-01-01", f"{YEAR + 1}-01-01T01", dtype="datetime64[h]")


def make_weather():
    """Fields (hour, lat, lon): a zonal climate, a diurnal cycle by the sun, fronts and clouds."""
    random = np.random.default_rng(0)
    n = len(HOURS)
    front, cloud = np.zeros(n), np.zeros(n)
    for k in range(1, n):
        front[k] = 0.985 * front[k - 1] + random.normal(0, 0.55)
        cloud[k] = 0.96 * cloud[k - 1] + random.normal(0, 0.28)
    sky = 0.5 + 0.3 * np.tanh(cloud)
    shape = (n, len(LAT), len(LON))
    wet = random.random((n // 6 + 1, *shape[1:])) < 0.06
    rain = np.repeat(wet, 6, axis=0)[:n] * random.gamma(1, 1.5e-3, shape)
    fields = {name: np.empty(shape, np.float32) for name in ("t2m", "d2m", "ssrd", "tp")}
    middle = HOURS.astype("datetime64[m]") - 30  # accumulations are of the hour before the stamp
    for column, lon in enumerate(LON):
        clock = (np.arange(n) + lon / 15) % 24
        for row, lat in enumerate(LAT):
            light = potential_radiation_at(lat, lon, middle)
            mean = 300 - 45 * np.sin(np.radians(lat)) ** 2
            fields["t2m"][:, row, column] = mean + front + 6 * np.cos(np.pi * (clock - 15) / 12)
            fields["d2m"][:, row, column] = mean - 10 + 0.5 * front
            fields["ssrd"][:, row, column] = sky * light * 3600
    fields["tp"][:] = rain
    return fields


@pytest.fixture(scope="module")
def hourly(tmp_path_factory):
    """An hourly file, the cube made of it, sites, fluxes and the weather of local days."""
    folder, fields = tmp_path_factory.mktemp("hourly"), make_weather()
    path = write_era5(folder / "era5.nc", fields, HOURS, LAT, LON)
    prepare_era5([path], "hourly", YEAR, GRID, 18, VARIABLES, folder / "cube.zarr")
    rows = [(s, lat, lon, *GRID.locate(lat, lon), off) for s, (lat, lon, off) in SITES.items()]
    names = ["site_id", "lat", "lon", "row", "col", "day_offset"]
    pd.DataFrame(rows, columns=names).to_csv(folder / "sites.csv", index=False)
    days = pd.date_range(f"{YEAR}-01-01", f"{YEAR}-12-31")
    fluxes = pd.concat([pd.DataFrame({"site_id": site, "date": days}) for site in SITES])
    fluxes.assign(gpp=1.0, reco=2.0, nee=1.0, qc=1.0).to_parquet(folder / "fluxes.parquet")
    extract_local_weather(
        [path], "hourly", YEAR, GRID, VARIABLES, folder / "sites.csv", folder / "local.parquet"
    )
    return folder, fields


def exact(fields, lat, lon, offset):
    """Daily values of the local days of a site, hour by hour at the four corners of its cell."""
    south, west = np.floor(lat / 10) * 10, np.floor(lon / 10) * 10
    rows = np.searchsorted(-LAT, [-(south + 10), -south])
    cols = [int(west % 360) // 10, int((west + 10) % 360) // 10]
    edges = np.sin(np.radians([south + 10, south + 5, south]))
    area = -np.diff(edges) / (edges[0] - edges[-1])  # of the northern and the southern node
    corners = {name: field[:, rows][:, :, cols].astype(float) for name, field in fields.items()}
    t2m, d2m = corners["t2m"] - 273.15, corners["d2m"] - 273.15
    deficit = np.maximum(saturation_vapour_pressure(t2m) - saturation_vapour_pressure(d2m), 0)
    days = []
    for shift in {int(np.floor(offset)), int(np.ceil(offset))}:
        first = 24 - shift if offset > 0 else -shift

        def by_day(values, first=first):
            return values[first : first + 24 * 364].reshape(364, 24, 2, 2)

        days.append(pd.DataFrame({
            "t2m": by_day(t2m).mean((1, 2, 3)),
            "t2m_min": by_day(t2m).min(1).mean((1, 2)),
            "t2m_max": by_day(t2m).max(1).mean((1, 2)),
            "vpd": by_day(deficit).mean((1, 2, 3)),
            "ssrd": by_day(corners["ssrd"][1:]).mean((1, 3)) @ area / 3600,
            "tp": by_day(corners["tp"][1:]).mean((1, 3)) @ area * 24000,
        }))  # fmt: skip
    return sum(days) / len(days)


@pytest.mark.parametrize("site", ["AU-Tum", "US-Var", "IN-Ind"])
def test_local_days_equal_the_exact_integrals(hourly, site):
    folder, fields = hourly
    lat, lon, offset = SITES[site]
    inputs = [folder / name for name in ("cube.zarr", "sites.csv", "fluxes.parquet")]
    errors = {}
    for kind, weather in {"daily": None, "hourly": folder / "local.parquet"}.items():
        extract_samples(*inputs, folder / f"{site}.parquet", weather)
        found = pd.read_parquet(folder / f"{site}.parquet").query("site_id == @site")
        found = found[1:] if offset > 0 else found[:-1]
        difference = found[list(VARIABLES[:-1])].reset_index(drop=True) - exact(
            fields, lat, lon, offset
        )
        errors[kind] = np.sqrt((difference**2).mean())
    row, col = GRID.locate(lat, lon)
    utc = Cube.open(folder / "cube.zarr").read_cells([row], [col], VARIABLES[:-1])[0]
    utc = utc[1:] if offset > 0 else utc[:-1]
    errors["same date"] = np.sqrt(((utc - exact(fields, lat, lon, offset)) ** 2).mean())
    print(site, pd.DataFrame(errors).round(3).to_dict("index"))
    for name in VARIABLES[:-1]:
        # the cube rounds to a relative 2^-12
        assert errors["hourly"][name] < 2**-11 * np.abs(utc[:, VARIABLES.index(name)]).max(), name
        assert errors["hourly"][name] <= 0.1 * errors["daily"][name] or errors["daily"][name] < 0.05


def test_utc_days_and_days_of_unknown_offset_are_those_of_the_cube(hourly):
    folder, _ = hourly
    local = pd.read_parquet(folder / "local.parquet")
    assert set(local["site_id"]) == {"AU-Tum", "US-Var", "IN-Ind"}
    assert local.groupby("site_id").size().unique().tolist() == [364]
    tables = []
    for weather in (folder / "local.parquet", None):
        target = folder / "utc.parquet"
        extract_samples(
            folder / "cube.zarr", folder / "sites.csv", folder / "fluxes.parquet", target, weather
        )
        tables.append(pd.read_parquet(target).query("site_id in ['GB-Utc', 'XX-Not']"))
    pd.testing.assert_frame_equal(*tables)


def test_without_local_days_no_file_is_read(tmp_path):
    sites = pd.DataFrame({"site_id": ["A"], "row": 0, "col": 0, "day_offset": 0.0})
    sites.to_csv(tmp_path / "sites.csv", index=False)
    target = tmp_path / "local.parquet"
    extract_local_weather([], "hourly", YEAR, GRID, VARIABLES, tmp_path / "sites.csv", target)
    assert pd.read_parquet(target).empty
