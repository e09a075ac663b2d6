"""The command `tamflux` on a small product made by hand, and the message of each mistake."""

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr

from tamflux.cli import main
from tamflux.variables import IGBP_CLASSES, igbp_fraction

LAT, LON = np.arange(-88.0, 90, 4), np.arange(-178.0, 180, 4)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Daily and annual files of 2003 whose gpp is 10 x row + day, with one cell of water."""
    folder = tmp_path_factory.mktemp("results")
    for name in ("product", "predictors", "samples"):
        (folder / name).mkdir()
    days = pd.date_range("2003-01-01", "2003-12-31")
    shape = len(days), len(LAT), len(LON)
    row, day = np.arange(len(LAT))[None, :, None], np.arange(len(days))[:, None, None]
    gpp = np.broadcast_to(10.0 * row + day / 100, shape)
    land = np.ones(shape[1:])
    land[0, 0] = 0
    quality = np.full(shape[1:], 9, np.int8)
    fields = {
        name: (("time", "lat", "lon"), (gpp * factor).astype("f4"), {"units": "g m-2 d-1"})
        for name, factor in {"gpp": 1, "reco": 0.5, "nee": -0.5, "gpp_std": 0.1}.items()
    }
    flags = {"flag_masks": np.array([1, 8], "i1"), "flag_meanings": "coast mostly_filled"}
    fields |= {
        "land_fraction": (("lat", "lon"), land),
        "quality_flag": (("lat", "lon"), quality, flags),
        "dissimilarity_index": (("lat", "lon"), land),
    }
    daily = xr.Dataset(fields, {"time": days, "lat": LAT, "lon": LON})
    daily.to_netcdf(folder / "product" / "tamflux_daily_2003.nc")
    annual = daily.mean("time", keep_attrs=True).expand_dims(time=days[:1])
    annual.to_netcdf(folder / "product" / "tamflux_annual_2003.nc")
    static = {igbp_fraction(name): (("lat", "lon"), 0 * land) for name in IGBP_CLASSES}
    static[igbp_fraction("GRA")] = (("lat", "lon"), land)
    static["koppen"] = (("lat", "lon"), np.full(shape[1:], 15))
    xr.Dataset(static, {"lat": LAT, "lon": LON}).to_netcdf(folder / "predictors" / "static.nc")
    towers = {"site_id": ["AA-One", "BB-Two"], "lat": [0.0, 51.0], "lon": [0.0, 179.0]}
    pd.DataFrame(towers).assign(igbp="GRA").to_csv(folder / "samples" / "sites.csv", index=False)
    return folder


def test_the_series_of_a_cell(results, tmp_path, caplog, monkeypatch):
    caplog.set_level("INFO")
    arguments = ["site", "50.5", "-179.9", "--results", str(results), "--out", str(tmp_path / "a")]
    assert main(arguments) == 0
    table = pd.read_csv(tmp_path / "a.csv", parse_dates=["time"])
    row = int(np.abs(LAT - 50.5).argmin())
    np.testing.assert_allclose(table["gpp"], 10 * row + np.arange(365) / 100, rtol=1e-4)
    assert (table["quality_flag"] == 9).all()
    for text in ("GRA 100%", "class Cfb", "coast, mostly_filled", "nearest towers: BB-Two GRA 9"):
        assert text in caplog.text, text
    with xr.open_dataset(tmp_path / "a.nc") as site:
        assert site["gpp"].sizes == {"time": 365} and site.attrs["koppen"] == "Cfb"
        assert site["gpp"].attrs["units"] == "g m-2 d-1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["site", "95", "0"], "outside the product"),
        (["site", "nan", "0"], "outside the product"),
        (["site", "-88", "-178"], "no land in this cell"),
        (["map", "gpp", "--time", "2004", "-o", "x.png"], "no product of this time"),
        (["map", "npp", "--time", "2003", "-o", "x.png"], "no such variable"),
        (["map", "gpp", "--time", "2003-13-01", "-o", "x.tif"], "does not reach this time"),
        (["map", "gpp", "--time", "2003", "-o", "x.jpg"], "no such kind of map"),
    ],
)
def test_mistakes_get_one_message(results, tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, "--results", str(results)]) == 1
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error and "fix:" in error
    assert not list(tmp_path.iterdir())


def test_no_product_and_a_damaged_one(results, tmp_path, capsys):
    assert main(["site", "50", "10", "--results", str(tmp_path)]) == 1
    assert "there is no product yet" in capsys.readouterr().err
    (tmp_path / "product").mkdir()
    whole = (results / "product" / "tamflux_daily_2003.nc").read_bytes()
    (tmp_path / "product" / "tamflux_daily_2003.nc").write_bytes(whole[:5000])
    assert main(["site", "50", "10", "--results", str(tmp_path)]) == 1
    assert "cannot read a product file" in capsys.readouterr().err


def test_maps_as_picture_and_geotiff(results, tmp_path):
    for name in ("a.png", "a.tif"):
        out = ["-o", str(tmp_path / name), "--results", str(results)]
        assert main(["map", "gpp", "--time", "2003-02-01", *out]) == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with rasterio.open(tmp_path / "a.tif") as raster:
        assert raster.crs.to_epsg() == 4326 and raster.shape == (len(LAT), len(LON))
        values = [v[0] for v in raster.sample([(2, 52), (-178, -84)])]
        assert (
            raster.profile["blockxsize"] > 1
            and raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        )
    rows = [int(np.abs(LAT - lat).argmin()) for lat in (52, -84)]
    np.testing.assert_allclose(values, [10 * row + 0.31 for row in rows], rtol=1e-5)


@pytest.mark.parametrize("command", ["site", "map", "predict", "adapt"])
def test_every_command_has_help_with_an_example(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0 and "example: tamflux" in capsys.readouterr().out
