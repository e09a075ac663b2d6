"""What is in another unit is refused, and the message says which unit it looks like."""

import numpy as np
import pandas as pd
import pytest
from benchmark_files import write_benchmark
from era5_writer import days_of, write_daily_year, write_era5
from fuzz.land import write_elevation, write_geotiff
from fuzz.sites import read_reflectance, read_sites, write_reflectance, write_sites
from fuzz.towers import read_towers, write_bare_towers

from tamflux.errors import InputError
from tamflux.grid import Grid
from tamflux.predictors.era5_cube import prepare_era5
from tamflux.readers.carbonfluxbench import read_carbonfluxbench
from tamflux.readers.landcover import open_elevation
from tamflux.units import is_kilopascal, likely_units, saturation_vapour_pressure
from tamflux.variables import METEOROLOGY

LAT, LON, YEAR = np.arange(90.0, -91, -30), np.arange(0.0, 360, 30), 2003
JULY = np.cos(2 * np.pi * (np.arange(365) - 195) / 365)[:, None, None]
NORTH = np.sin(np.radians(LAT))[:, None]
"""(lat, 1): the seasons are those of the hemisphere."""


@pytest.fixture(scope="module")
def year_of_era5(tmp_path_factory):
    """A year whose seasons and surface pressure are right; a test writes one file anew."""
    folder = tmp_path_factory.mktemp("era5")
    write_daily_year(folder, YEAR, 0, LAT, LON)
    return folder


def prepare_with(folder, tmp_path, pattern, name, values, unit, lat=LAT):
    """The error on a year of which one file holds `values` in `unit`."""
    paths = []
    for path in sorted(folder.glob("*.nc")):
        if path.match(pattern):
            units = {name.split("_m")[0]: unit}
            path = write_era5(
                tmp_path / path.name, {name: values}, days_of(YEAR), lat, LON, units=units
            )
        paths.append(path)
    target = tmp_path / "out" / "2003.zarr"
    prepare_era5(paths, "daily_statistics", YEAR, Grid(30.0), 6, [*METEOROLOGY], target)


@pytest.mark.parametrize(
    ("pattern", "name", "values", "said", "guess"),
    [
        ("2m_temp*mean*", "t2m", 15.0, "K", "look like degC but say K"),
        ("2m_temp*minimum*", "t2m", 10.0, "K", "look like degC but say K"),
        ("2m_temp*maximum*", "t2m", 288.0, "degC", "look like K but say degC"),
        ("2m_temp*mean*", "t2m", 90.0, "degC", "look like degF but say degC"),
        ("2m_temp*mean*", "t2m", 60.0, "degF", "convert them from degF to degC"),
        ("2m_dew*", "d2m", 5.0, "K", "look like degC but say K"),
        ("2m_dew*", "d2m", 280.0, "degC", "look like K but say degC"),
        ("surface_pressure*", "sp", 1013.0, "Pa", "look like hPa but say Pa"),
        ("surface_pressure*", "sp", 101300.0, "hPa", "look like Pa but say hPa"),
        ("surface_pressure*", "sp", 101.3, "hPa", "look like kPa but say hPa"),
        ("*solar*", "ssrd", 250.0, "J m**-2", "look like W m-2 but say J"),
        ("*solar*", "ssrd", 2e7, "W m**-2", "look like J m-2 but say W"),
        ("*solar*", "ssrd", 20.0, "MJ m**-2", "convert them from MJ m..-2 to W m-2"),
        ("*thermal*", "strd", 320.0, "J m**-2", "look like W m-2 but say J"),
        ("*thermal*", "strd", 2.7e7, "W m**-2", "look like J m-2 but say W"),
        ("total_prec*", "tp", 4.0, "m", "look like mm"),
        ("total_prec*", "tp", 0.004, "mm", "look like m "),
        ("vol*", "swvl1", 30.0, "m**3 m**-3", "look like % or kg m-2 of a layer"),
        ("vol*", "swvl1", 30.0, "%", "convert them from % to m3 m-3"),
        ("10m_u*", "u10", 700.0, "m s**-1", "look like cm s-1"),
    ],
)  # fmt: skip
def test_era5_in_another_unit(year_of_era5, tmp_path, pattern, name, values, said, guess):
    with pytest.raises(InputError, match=guess):
        prepare_with(year_of_era5, tmp_path, pattern, name, values, said)


@pytest.mark.parametrize(
    ("pattern", "name", "values"),
    [
        ("2m_temp*mean*", "t2m", 285 + 10 * JULY * NORTH),
        ("2m_dew*", "d2m", 235 + 45 * np.cos(np.radians(LAT))[:, None] + 10 * JULY * NORTH),
        ("*solar*", "ssrd", 86400 * (200 + 150 * JULY * NORTH)),
        ("*thermal*", "strd", 86400 * (300 + 50 * JULY * NORTH)),
        ("surface_pressure*", "sp", 1e5 - 3e4 * (NORTH < -0.9)),
    ],
)
def test_a_mirrored_latitude_is_seen(year_of_era5, tmp_path, pattern, name, values):
    """The right field passes; the same one under the mirrored axis does not."""
    said = {"ssrd": "J m**-2", "strd": "J m**-2", "sp": "Pa"}.get(name, "K")
    prepare_with(year_of_era5, tmp_path, pattern, name, values, said)
    with pytest.raises(InputError, match="latitude looks mirrored"):
        prepare_with(year_of_era5, tmp_path, pattern, name, values, said, lat=LAT[::-1])


def test_dew_point_and_temperature_exchanged(year_of_era5, tmp_path):
    with pytest.raises(InputError, match="the dew point is above the air temperature"):
        prepare_with(year_of_era5, tmp_path, "2m_dew*", "d2m", 285 + 2 * JULY * NORTH, "K")


@pytest.mark.parametrize(
    ("values", "guess"),
    [
        (np.linspace(-0.4, 5.2, 128), "look like km"),
        (np.linspace(-1400, 19000, 128), "look like ft"),
        (np.linspace(-4e4, 5.2e5, 128), "look like cm"),
        (np.linspace(-4e5, 5.2e6, 128), "look like mm"),
    ],
)
def test_elevation_in_another_unit(tmp_path, values, guess):
    """Under the unit m, as GeoTIFF (which has none) and as NetCDF."""
    values = values.reshape(8, 16).astype(np.float32)
    write_geotiff(tmp_path / "elevation.tif", values)
    write_elevation(tmp_path / "elevation.nc", values)
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(InputError, match=guess):
            with open_elevation(path):
                pass


@pytest.mark.parametrize(
    ("column", "change", "guess"),
    [
        ("TA", lambda v: v + 273.15, "look like K"),
        ("TA_MAX", lambda v: (v + 10) * 1.8 + 32, "look like degF"),
        ("VPD", lambda v: v * 100, "look like Pa"),
        ("VPD", lambda v: v / 10, "look like kPa"),
        ("SW_IN", lambda v: v * 86400, "look like J m-2 d-1"),
        ("GPP_NT", lambda v: v * 1000, "look like mg m-2 d-1"),
        ("T2M_CLIM", lambda v: v + 273.15, "look like K"),
    ],
)
def test_site_tables_in_another_unit(tmp_path, column, change, guess):
    write_sites(tmp_path)
    days = pd.read_parquet(tmp_path / "days.parquet")
    days.assign(**{column: change(days[column])}).to_parquet(tmp_path / "days.parquet")
    with pytest.raises(InputError, match=guess):
        read_sites(tmp_path)


@pytest.mark.parametrize(
    ("file", "column", "change", "guess"),
    [
        ("ERA5", "temperature_2m", lambda v: v - 273.15, "look like degC"),
        ("ERA5", "surface_net_solar_radiation_sum", lambda v: v / 86400, "look like W m-2"),
        ("ERA5", "total_precipitation_sum", lambda v: v * 1000, "look like mm d-1"),
        ("target_fluxes", "GPP_NT_VUT_USTAR50", lambda v: v * 1000, "look like mg m-2 d-1"),
    ],
)
def test_the_benchmark_in_another_unit(tmp_path, file, column, change, guess):
    write_benchmark(tmp_path, 6)
    table = pd.read_parquet(tmp_path / f"{file}.parquet")
    table.assign(**{column: change(table[column])}).to_parquet(tmp_path / f"{file}.parquet")
    with pytest.raises(InputError, match=guess):
        read_carbonfluxbench(tmp_path)


@pytest.mark.parametrize("factor", [1e-8, 1e4])
def test_reflectance_scaled_twice_or_unscaled(tmp_path, factor):
    """Counts times 0.0001 are reflectance; once more, or the other way, they are nothing."""
    write_reflectance(tmp_path)
    table = pd.read_parquet(tmp_path / "reflectance.parquet")
    bands = [name for name in table if name.startswith("sur_refl")]
    (table.assign(**{b: table[b] * factor for b in bands})
     .to_parquet(tmp_path / "reflectance.parquet"))  # fmt: skip
    with pytest.raises(InputError, match="scaled twice" if factor < 1 else "out of range"):
        read_reflectance(tmp_path)


@pytest.mark.parametrize(
    ("columns", "change", "guess"),
    [
        (["TA_F"], lambda v: v + 273.15, "t2m outside .* look like K"),
        (["TA_F"], lambda v: 1.8 * (v + 15) + 32, "t2m outside .* look like degF"),
        (["NEE_VUT_REF", "GPP_NT_VUT_REF", "RECO_NT_VUT_REF"], lambda v: v * 1000,
         "gpp beyond .* look like mg m-2 d-1"),
        (["NEE_VUT_REF", "GPP_NT_VUT_REF", "RECO_NT_VUT_REF"], lambda v: v / 1000,
         "may be kg m-2 d-1"),
    ],
)  # fmt: skip
def test_towers_in_another_unit(tmp_path, columns, change, guess):
    """What is wrong is listed and left out as a whole; the other tower stays."""
    write_bare_towers(tmp_path)
    path = next(tmp_path.glob("*FULLSET_DD*"))
    table = pd.read_csv(path)
    table.assign(**{name: change(table[name]) for name in columns}).to_csv(path, index=False)
    read_towers(tmp_path)
    rejected = pd.read_csv(tmp_path / "out" / "rejected.csv", keep_default_na=False)
    assert rejected["reason"].str.contains(guess).any(), rejected.to_string()
    fluxes = pd.read_parquet(tmp_path / "out" / "fluxes.parquet")
    assert fluxes.query("site_id == 'DE-Tha'")["nee"].notna().all()
    ours = fluxes.query("site_id == 'US-Ha1'")
    assert ours["t2m"].isna().all() if columns == ["TA_F"] else ours.empty


def test_kilopascal_needs_both_and_many_days():
    t2m = np.linspace(-5, 30, 200)
    vpd = 0.4 * saturation_vapour_pressure(t2m)
    assert not is_kilopascal(vpd, t2m) and is_kilopascal(vpd / 10, t2m)
    assert not is_kilopascal(vpd[:80] / 10, t2m[:80]) and not is_kilopascal(vpd * np.nan, t2m)
    assert not is_kilopascal(vpd * 0, t2m), "no values at all are another fault"


@pytest.mark.realdata
def test_every_real_tower_has_hectopascal(shared_data):
    columns = ["site_id", "TA", "VPD"]
    days = pd.read_parquet(shared_data / "fluxnet2015" / "site_days.parquet", columns=columns)
    for site, rows in days.groupby("site_id"):
        assert not is_kilopascal(rows["VPD"], rows["TA"]), site
        assert is_kilopascal(rows["VPD"] / 10, rows["TA"]), site


def test_units_that_nothing_looks_like():
    assert likely_units(0, 1e12, METEOROLOGY["t2m"]) is None
    assert likely_units(np.nan, np.nan, METEOROLOGY["t2m"]) is None
    assert likely_units(280, 300, METEOROLOGY["t2m"]) == "K"
