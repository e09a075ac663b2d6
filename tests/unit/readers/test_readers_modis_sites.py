"""Site tables and sinusoidal tiles, against pyproj and NASA's own files."""

import zipfile

import numpy as np
import pandas as pd
import pyproj
import pytest
from hdf4_writer import write_hdf4
from hypothesis import given
from hypothesis import strategies as st

from tamflux.errors import InputError
from tamflux.readers.modis import state_is_clear
from tamflux.readers.modis_sites import read_site_reflectance, read_tile, to_sinusoidal

SINUSOIDAL = pyproj.Transformer.from_crs(
    "EPSG:4326", "+proj=sinu +R=6371007.181 +units=m", always_xy=True
)
CLEAR, CLOUDY = 0b1000, 0b1001


def table(**changes):
    data = {"site": ["B", "A", "A"], "date": ["2003-01-02", "2003-01-02", "2003-01-01"]}
    data |= {f"sur_refl_b{band:02d}": [100 * band, 200 * band, 300 * band] for band in range(1, 8)}
    return pd.DataFrame(data | {"state_1km": [CLEAR, CLEAR, CLEAR]} | changes)


def write(path, frame):
    frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("name", ["sites.parquet", "sites.csv"])
def test_site_table(tmp_path, name):
    frame = table(state_1km=[CLOUDY, CLEAR, CLEAR | 1 << 12], sur_refl_b02=[200, -28672, 600])
    found = read_site_reflectance(write(tmp_path / name, frame))
    assert found["site_id"].tolist() == ["A", "A", "B"]
    assert found["date"].dt.day.tolist() == [1, 2, 2]
    np.testing.assert_allclose(found["refl_b1"], [0.03, 0.02, np.nan], rtol=1e-6)
    np.testing.assert_allclose(found["refl_b2"], [0.06, np.nan, np.nan], rtol=1e-6)


def test_site_table_of_scaled_values_is_the_same(tmp_path):
    counts = read_site_reflectance(write(tmp_path / "a.csv", table()))
    scaled = table()
    bands = [column for column in scaled if column.startswith("sur_refl")]
    scaled[bands] = scaled[bands] * 1e-4
    found = read_site_reflectance(write(tmp_path / "b.csv", scaled))
    pd.testing.assert_frame_equal(found, counts)


def test_site_table_with_clouds_in_place_of_the_state(tmp_path, caplog):
    frame = table(clouds=[0.0, 0.25, np.nan]).drop(columns="state_1km")
    found = read_site_reflectance(write(tmp_path / "sites.csv", frame))
    assert found["refl_b1"].notna().tolist() == [False, False, True]
    assert "no state_1km" in caplog.text


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (table().drop(columns="sur_refl_b04"), "sur_refl_b04"),
        (table().drop(columns="state_1km"), "state_1km"),
        (table(date=["2003-01-02"] * 3), "comes twice"),
        (table(date=["2003-01-02", "soon", "2003-01-03"]), "'soon'"),
        (table(sur_refl_b03=[30000] * 3), "out of range"),
        (table(state_1km=[CLOUDY] * 3), "no reflectance is usable"),
        (table(sur_refl_b03=[np.nan] * 3), "no reflectance is usable"),
        (table(sur_refl_b03=["100", "bright", "300"]), "does not hold numbers"),
        (table(state_1km=["clear"] * 3), "does not hold numbers"),
        (table(state_1km=[-8] * 3), "no number of 16 bits"),
        (table(site=["A", None, "B"]), "a site has no name"),
    ],
)
def test_bad_site_tables(tmp_path, frame, message):
    path = write(tmp_path / "sites.csv", frame)
    with pytest.raises(InputError, match=message) as error:
        read_site_reflectance(path)
    assert "sites.csv" in str(error.value) and "fix:" in str(error.value)


@pytest.mark.parametrize("content", [b"", b"PAR1 cut short"])
def test_damaged_site_table(tmp_path, content):
    path = tmp_path / "sites.parquet"
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read"):
        read_site_reflectance(path)


@given(lat=st.floats(-90, 90), lon=st.floats(-180, 180))
def test_sinusoidal_is_that_of_proj(lat, lon):
    np.testing.assert_allclose(to_sinusoidal(lat, lon), SINUSOIDAL.transform(lon, lat), atol=0.01)


def test_bad_zips(tmp_path):
    path = tmp_path / "tile.hdf.zip"
    path.write_bytes(b"PK but no zip")
    with pytest.raises(InputError, match="not a whole zip"):
        read_tile(path, ["a"])
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../escape.txt", "out")
    with pytest.raises(InputError, match="does not hold one HDF file"):
        read_tile(path, ["a"])
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../escape.hdf", b"not HDF")
    with pytest.raises(InputError, match="is not HDF4"):
        read_tile(path, ["a"])
    assert not (tmp_path.parent.parent / "escape.hdf").exists()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tile.hdf", bytes(10_000) + np.random.default_rng(0).bytes(10_000))
    content = bytearray(path.read_bytes())
    content[40:60] = bytes(20)
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a whole zip"):
        read_tile(path, ["a"])


def test_a_tile_of_several_shapes(tmp_path):
    fields = {"a": np.zeros((4, 4), np.uint8), "b": np.zeros((8, 8), np.uint8)}
    with pytest.raises(InputError, match="not on one grid"):
        read_tile(write_hdf4(tmp_path / "tile.hdf", fields), ["a", "b"])


def one(folder, pattern):
    return next((folder / "modis").glob(pattern))


@pytest.mark.realdata
def test_real_reflectance_tile(shared_data):
    """MOD09A1 over the Alps in July 2017: reflectances of land, and a hole in the clouds."""
    names = [f"sur_refl_b{band:02d}" for band in range(1, 8)]
    tile = read_tile(one(shared_data, "MOD09A1*.zip"), [*names, "sur_refl_state_500m"])
    assert tile.fields["sur_refl_b01"].shape == (73, 66)
    assert tile.width == pytest.approx(463.31272, abs=1e-3) == tile.height
    clear = state_is_clear(tile.fields["sur_refl_state_500m"])
    red, nir = (tile.fields[name][clear] * 1e-4 for name in names[:2])
    assert clear.mean() > 0.5
    assert 0.3 < np.median((nir - red) / (nir + red)) < 0.95  # midsummer vegetation
    assert all(-100 <= tile.fields[name][clear].min() for name in names)
    row, col = 10, 20
    x, y = tile.left + (col + 0.5) * tile.width, tile.top - (row + 0.5) * tile.height
    lon, lat = SINUSOIDAL.transform(x, y, direction="INVERSE")
    assert tile.locate(lat, lon) == (row, col) and tile.locate(0, 0) is None


@pytest.mark.realdata
def test_real_vegetation_and_temperature_tiles(shared_data):
    vegetation = read_tile(one(shared_data, "MOD13A2*.hdf"), ["1 km 16 days NDVI"])
    ndvi = vegetation.fields["1 km 16 days NDVI"]
    valid = (ndvi >= -2000) & (ndvi <= 10000)
    assert ndvi.shape == (185, 219) and set(np.unique(ndvi[~valid])) <= {-3000}
    assert 0.4 < np.median(ndvi[valid]) * 1e-4 < 0.95  # scale_factor says 10000: it divides
    assert vegetation.width == pytest.approx(926.62543, abs=1e-3)
    temperature = read_tile(one(shared_data, "MOD11B2*.zip"), ["LST_Day_6km"])
    kelvin = temperature.fields["LST_Day_6km"] * 0.02
    assert temperature.width == pytest.approx(1111950.5197 / 200, abs=1e-2)
    assert 220 < np.median(kelvin[kelvin > 0]) < 320
