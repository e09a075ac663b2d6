"""The command `tamflux` on a small product made by hand, and the message of each mistake."""

import shutil

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr

from tamflux.cli import main
from tamflux.variables import IGBP_CLASSES

LAT, LON = np.arange(-88.0, 90, 4), np.arange(-178.0, 180, 4)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Daily and annual files of 2003 whose gpp is 10 x row + day, with one cell of water."""
    folder = tmp_path_factory.mktemp("results")
    (folder / "product").mkdir()
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
    fields |= {f"{name}_pi90_halfwidth": fields["gpp_std"] for name in ("gpp", "reco", "nee")}
    flags = {"flag_masks": np.array([1, 8], "i1"), "flag_meanings": "coast mostly_filled"}
    fields |= {
        "land_fraction": (("lat", "lon"), land),
        "quality_flag": (("lat", "lon"), quality, flags),
        "dissimilarity_index": (("lat", "lon"), land),
    }
    daily = xr.Dataset(fields, {"time": days, "lat": LAT, "lon": LON})
    daily.attrs["tamflux_training_sites"] = "AA-One FI-Tst"
    daily.to_netcdf(folder / "product" / "tamflux_daily_2003.nc")
    annual = daily.mean("time", keep_attrs=True).expand_dims(time=days[:1])
    fractions = np.zeros((len(IGBP_CLASSES), *shape[1:]))
    fractions[IGBP_CLASSES.index("GRA")] = land
    annual["igbp_fraction"] = ("igbp", "lat", "lon"), fractions
    annual["koppen"] = ("lat", "lon"), np.full(shape[1:], 15)
    annual.to_netcdf(folder / "product" / "tamflux_annual_2003.nc")
    towers = {"site_id": ["AA-One", "BB-Two"], "lat": [0.0, 51.0], "lon": [0.0, 179.0]}
    pd.DataFrame(towers).assign(igbp="GRA").to_csv(folder / "product" / "towers.csv", index=False)
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


def write_tower(folder, year=2003):
    """A tower of one year whose days are all well measured."""
    days = pd.date_range(f"{year}-01-01", f"{year}-12-31")
    season = 1 - np.cos(2 * np.pi * days.day_of_year / 365)
    noise = np.random.default_rng(0).random(len(days))
    gpp, reco = 3 * season + noise, 2 * season + 0.5
    table = {
        "TIMESTAMP": days.strftime("%Y%m%d"), "TA_F": 10 * season + noise, "GPP_NT_VUT_REF": gpp,
        "RECO_NT_VUT_REF": reco, "NEE_VUT_REF": reco - gpp, "NEE_VUT_REF_QC": 1,
    }  # fmt: skip
    path = folder / "FLX_FI-Tst_FLUXNET2015_SUBSET_DD_2003-2003_1-4.csv"
    pd.DataFrame(table).to_csv(path, index=False)
    return path


def test_a_cell_beside_the_file_of_its_tower(results, tmp_path, caplog):
    caplog.set_level("INFO")
    tower = write_tower(tmp_path)
    arguments = ["site", "50.5", "10", "--results", str(results), "--out", str(tmp_path / "a")]
    assert main([*arguments, "--tower", str(tower)]) == 0
    table = pd.read_csv(tmp_path / "a_tower.csv")
    assert len(table) == 365 and table["used"].all()
    scores = pd.read_csv(tmp_path / "a_scores.csv").set_index("flux")
    error = table["gpp"] - table["gpp_observed"]
    assert scores.loc["gpp", "n"] == 365
    np.testing.assert_allclose(scores.loc["gpp", "bias"], error.mean(), rtol=1e-3)
    np.testing.assert_allclose(scores.loc["gpp", "rmse"], np.sqrt((error**2).mean()), rtol=1e-3)
    assert (tmp_path / "a_tower.png").read_bytes().startswith(b"\x89PNG")
    assert "FI-Tst trained the product: these scores are no test" in caplog.text


def test_towers_and_models_that_do_not_serve(results, tmp_path, capsys):
    arguments = ["site", "50.5", "10", "--results", str(results), "--out", str(tmp_path / "a")]
    other = write_tower(tmp_path, 2010)
    assert main([*arguments, "--model", str(tmp_path)]) == 1
    assert "there is no tower to adapt to" in capsys.readouterr().err
    assert main([*arguments, "--tower", str(other)]) == 1
    assert "no well measured day in the years of the product" in capsys.readouterr().err
    for command in (["predict", "d", "s", "-o", "f.csv"], ["adapt", str(other)]):
        assert main([*command, "--model", str(tmp_path / "absent")]) == 1
        assert "the released model is not there" in capsys.readouterr().err


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
        (["totals", "--regions", "absent.gpkg", "--years", "2003", "2011"], "of these years"),
    ],
)
def test_mistakes_get_one_message(results, tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, "--results", str(results)]) == 1
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error and "fix:" in error
    assert not list(tmp_path.iterdir())


COMMANDS = {
    "daily": ["site", "50", "10"],
    "annual": ["map", "gpp", "--time", "2003", "-o", "x.png"],
    "monthly": ["totals", "--regions", "own.gpkg"],
}


def test_a_place_where_nothing_can_be_written_is_named(results, tmp_path, capsys):
    (tmp_path / "file").touch()
    out = ["--results", str(results), "--out", str(tmp_path / "file" / "a")]
    assert main(["site", "50", "10", *out]) == 1
    error = capsys.readouterr().err
    assert "a file cannot be read or written" in error and str(tmp_path / "file") in error


@pytest.mark.parametrize("step", COMMANDS)
def test_no_product_and_a_damaged_one(results, tmp_path, capsys, monkeypatch, step):
    monkeypatch.chdir(tmp_path)
    assert main([*COMMANDS[step], "--results", str(tmp_path)]) == 1
    assert "there is no product" in capsys.readouterr().err
    shutil.copytree(results, tmp_path / "run")
    for name in ("monthly", step):
        whole = (results / "product" / "tamflux_daily_2003.nc").read_bytes()
        (tmp_path / "run" / "product" / f"tamflux_{name}_2003.nc").write_bytes(whole[:5000])
    assert main([*COMMANDS[step], "--results", "run"]) == 1
    assert "cannot read a product file" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


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


def test_the_check_is_the_rule_of_the_workflow_here(tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["check"]) == 1
    assert "there is no workflow in this folder" in capfd.readouterr().err
    rule = """rule check:\n    run:\n        assert config["right"]\n        print("looked")\n"""
    (tmp_path / "Snakefile").write_text(rule)
    for right, status in {"true": 0, "false": 1}.items():
        (tmp_path / "mine.yaml").write_text(f"right: {right}")
        assert main(["check", "--configfile", "mine.yaml"]) == status
        said = capfd.readouterr()
        assert ("looked" in said.out, "the run would stop" in said.err) == (not status, status == 1)


@pytest.mark.parametrize("command", ["check", "site", "map", "totals", "predict", "adapt"])
def test_every_command_has_help_with_an_example(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0 and "example: tamflux" in capsys.readouterr().out
