"""Tables of MODIS reflectance at sites."""

import numpy as np
import pandas as pd
import pytest

from tamflux.errors import InputError
from tamflux.readers.modis_sites import read_site_reflectance

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
    numbers = read_site_reflectance(write(tmp_path / "a.csv", table()))
    scaled = table()
    bands = [column for column in scaled if column.startswith("sur_refl")]
    scaled[bands] = scaled[bands] * 1e-4
    found = read_site_reflectance(write(tmp_path / "b.csv", scaled))
    pd.testing.assert_frame_equal(found, numbers)


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
