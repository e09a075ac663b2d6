"""Samples from hourly ERA5: towers that count local days get the weather of their own hours."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from conftest import Run, check_out
from era5_writer import write_era5

from tamflux.climatology import climatology
from tamflux.demo_earth.layout import composite_days
from tamflux.demo_earth.raw_modis import simulate_modis, write_koppen, write_landcover
from tamflux.demo_earth.raw_towers import simulate_towers
from tamflux.grid import Grid
from tamflux.solar import potential_radiation_at

YEARS = (2014, 2015)
LAT, LON = np.arange(72.0, 31, -4), np.arange(-12.0, 37, 4)
GRID = Grid(4.0, (-12, 34, 36, 70))
CONFIG = """\
years: {train: [2015], product: [2015], lookback: [2014]}
grid: {resolution: 4.0, bbox: [-12, 34, 36, 70], tile_size: 5}
inputs: {era5: {kind: hourly}}
predictors: {variables: [t2m, t2m_min, t2m_max, vpd, ssrd, tp, ssrd_pot, day_length, ndvi, nirv]}
model: {hidden_size: 8, embedding_size: 4, trees: 5}
training: {members: 2, pretrain_epochs: 1, epochs: 1}
calibration: {folds: 2}
"""
OVERLAYS = ("--configfile", "workflow/config/europe.yaml", "hourly.yaml")


def write_hours(folder, year: int) -> None:
    """The climatology with a diurnal cycle of temperature and of the sun, and some rain."""
    end = f"{year + 1}-01-01T0{int(year == YEARS[-1])}"  # the last hour is stamped at its end
    hours = np.arange(f"{year}-01-01T00", end, dtype="datetime64[h]")
    utc = np.arange(len(hours)) % 24
    # the warmest hour is 15 h of solar time
    solar = (utc[:, None] + LON[None] / 15)[:, None, :]
    t2m = climatology("t2m", LAT, LON, hours.astype("datetime64[D]")) + 273.15
    t2m = t2m + 5 * np.cos(2 * np.pi * (solar - 15) / 24)
    middle = hours - np.timedelta64(30, "m")
    light = np.stack([[potential_radiation_at(y, x, middle) for x in LON] for y in LAT])
    ssrd = 0.55 * 3600 * np.moveaxis(light, 2, 0)
    tp = climatology("tp", LAT, LON, hours.astype("datetime64[D]")) / 24000
    write_era5(folder / f"instant_{year}.nc", {"t2m": t2m, "d2m": t2m - 7}, hours, LAT, LON)
    write_era5(folder / f"accum_{year}.nc", {"ssrd": ssrd, "tp": tp}, hours, LAT, LON)


@pytest.fixture(scope="module")
def hourly(tmp_path_factory) -> Run:
    folder = check_out(tmp_path_factory.mktemp("hourly"))
    (folder / "hourly.yaml").write_text(CONFIG)
    data = folder / "data"
    for year in YEARS:
        write_hours(data / f"era5/{year}", year)
        modis = {
            day: data / f"modis/{year}/MCD43C4.A{year}{day:03d}.061.2022{day:03d}120000.hdf"
            for day in composite_days(32)
        }
        simulate_modis(1, year, 4.0, 1, modis)
    write_landcover(data / "MCD12C1.A2018001.061.hdf")
    write_koppen(data / "Beck_KG_V1_present_0p083.tif")
    simulate_towers(1, 60, [2015], str(data / "towers"))
    run = Run(folder)
    targets = [f"results/samples/{name}.parquet" for name in ("2015", "local_weather_2015")]
    result = run.snakemake(*targets, *OVERLAYS, "--quiet", "rules")
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-5000:]
    return run


def test_local_days_have_the_weather_of_their_own_hours(hourly):
    weather = pd.read_parquet(hourly.folder / "results/samples/local_weather_2015.parquet")
    sites = pd.read_csv(hourly.folder / "results/samples/sites.csv").set_index("site_id")
    offset = sites["day_offset"]
    assert set(weather["site_id"]) == set(offset.index[offset.notna() & (offset != 0)])
    assert (offset > 0).any()
    with xr.open_dataset(hourly.folder / "data/era5/2015/accum_2015.nc") as raw:
        ssrd = raw["ssrd"].sortby("latitude").load()
    day = np.datetime64("2015-04-10T00")
    for site, of_site in weather.groupby("site_id"):
        begin = day - np.timedelta64(int(offset[site] * 60), "m")
        # accumulations are stamped at the end of their hour; cells are means of four nodes
        hours = ssrd.sel(valid_time=slice(begin + np.timedelta64(1, "h"),
                                          begin + np.timedelta64(24, "h")))  # fmt: skip
        place = GRID.lat[sites["row"][site]], GRID.lon[sites["col"][site]]
        cell = hours.interp(latitude=place[0], longitude=place[1])
        expected = float(cell.sum()) / 86400
        found = of_site.loc[of_site["date"] == day, "ssrd"].item()
        assert found == pytest.approx(expected, rel=0.01)


def test_samples_take_them(hourly):
    weather = pd.read_parquet(hourly.folder / "results/samples/local_weather_2015.parquet")
    samples = pd.read_parquet(hourly.folder / "results/samples/2015.parquet")
    both = samples.merge(weather, on=["site_id", "date"], suffixes=("", "_local"))
    assert len(both) > 300
    np.testing.assert_allclose(both["t2m"], both["t2m_local"], atol=1e-5)
