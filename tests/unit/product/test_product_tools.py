"""Files that other tools concatenate and average, and whose mode follows the umask."""

import shutil
import stat
import subprocess
import sys

import netCDF4
import numpy as np
import pytest
import xarray as xr

STEPS = ("daily", "monthly", "annual")


@pytest.fixture(scope="module")
def two_years(product, make_tiles, assemble, aggregate, tmp_path_factory):
    """Files of 2003 and 2004 by step."""
    folder = tmp_path_factory.mktemp("two_years")
    paths = {step: folder / f"{step}_2003.nc" for step in STEPS}
    source = make_tiles(folder, 2003)
    assemble(source, paths["daily"])
    aggregate(source, *paths.values())
    return {step: [paths[step], getattr(product, step)] for step in STEPS}


def run(*command):
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)


@pytest.mark.parametrize("step", STEPS)
def test_time_is_the_record_dimension(two_years, step):
    for path in two_years[step]:
        with netCDF4.Dataset(path) as file:
            assert [name for name, dim in file.dimensions.items() if dim.isunlimited()] == ["time"]
            assert all(len(v) == len(file["time"]) for v in file.variables.values()
                       if v.dimensions[:1] == ("time",))  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("tool", [("ncrcat", "-O"), ("cdo", "-O", "-s", "mergetime")])
def test_years_can_be_concatenated(two_years, step, tool, tmp_path):
    run(*tool, *two_years[step], tmp_path / "both.nc")
    with xr.open_dataset(tmp_path / "both.nc") as both:
        years = [xr.load_dataset(path) for path in two_years[step]]
        assert both.sizes["time"] == sum(year.sizes["time"] for year in years)
        for name in ("gpp", "nee_std"):
            expected = np.concatenate([year[name] for year in years])
            np.testing.assert_array_equal(both[name], expected)
        np.testing.assert_array_equal(both["land_fraction"], years[0]["land_fraction"])
        np.testing.assert_array_equal(both["quality_flag"], years[0]["quality_flag"])


def test_years_can_be_averaged(two_years, tmp_path):
    """`ncra` averages over the record dimension and leaves fields without time as they are."""
    run("ncra", "-O", *two_years["annual"], tmp_path / "mean.nc")
    years = [xr.load_dataset(path) for path in two_years["annual"]]
    with xr.open_dataset(tmp_path / "mean.nc") as mean:
        expected = xr.concat([year["gpp"] for year in years], "time").mean("time")  # of those known
        np.testing.assert_allclose(mean["gpp"][0], expected, rtol=1e-6)
        np.testing.assert_array_equal(mean["land_fraction"], years[0]["land_fraction"])


def test_the_recipe_for_a_year_of_months(product, tmp_path):
    """`cdo yearmonmean` weighs months by their days, as the annual file does."""
    select = "-selname,gpp,reco,nee,missing_days"
    run("cdo", "-O", "-s", "yearmonmean", select, product.monthly, tmp_path / "year.nc")
    with xr.open_dataset(tmp_path / "year.nc") as found, xr.open_dataset(product.annual) as year:
        for name in ("gpp", "reco", "nee"):
            np.testing.assert_allclose(found[name], year[name], rtol=1e-5, atol=1e-6)


def test_means_and_remaps_of_all_variables(product, tmp_path):
    """Flags are of a type that cdo's missing value fits; static fields stay as they are."""
    run("cdo", "-O", "-s", "yearmean", product.monthly, tmp_path / "year.nc")
    run("cdo", "-O", "-s", "monmean", product.daily, tmp_path / "months.nc")
    run("cdo", "-O", "-s", "remapnn,r24x12", product.monthly, tmp_path / "coarse.nc")
    with xr.open_dataset(product.monthly) as months:
        for name in ("year.nc", "months.nc"):
            with xr.open_dataset(tmp_path / name) as found:
                for field in ("land_fraction", "quality_flag", "applicability"):
                    np.testing.assert_array_equal(found[field], months[field])
        with xr.open_dataset(tmp_path / "months.nc") as found:
            np.testing.assert_allclose(found["gpp"], months["gpp"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_the_mode_of_a_file_follows_the_umask(product, tmp_path, mask):
    """In a process of its own, which inherits the umask."""
    code = "import sys; from tamflux.product.aggregate import aggregate_product as write; "
    code += "write(*sys.argv[1:4], static=sys.argv[4], calibration=sys.argv[5])"
    paths = [tmp_path / f"{step}.nc" for step in STEPS[1:]]
    given = [product.daily, *paths, product.source.static, product.source.calibration]
    subprocess.run([sys.executable, "-c", code, *map(str, given)], check=True, umask=mask)
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o666 & ~mask}
