"""The verdicts of `make conformance`: a wrong number, a finding and a missing tool are seen."""

import netCDF4
import pytest
from conformance.conventions import findings
from conformance.product import Product, open_product
from conformance.tool import ABSENT, FAILED, PASSED, Tool, judge

TRUE = ("true",)


@pytest.fixture
def toy(tmp_path):
    return Product(tmp_path, 2003, 0.0, 0.0, {"gpp": 2.0, "gap": 0.0})


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ({"gpp": 2.00001, "gap": 0.0}, PASSED),
        ({"gpp": 2.0001}, FAILED),
        ({"gpp": 2.0, "gap": 1e-3}, FAILED),
        ({"gpp": float("nan")}, FAILED),
        ({}, FAILED),
        ([], PASSED),
        (["no units"], FAILED),
    ],
)
def test_numbers_and_findings_are_judged(toy, tmp_path, found, verdict):
    assert judge(Tool("t", TRUE, "t", lambda *_: found), toy, tmp_path).verdict == verdict


def test_a_tool_that_breaks_has_failed(toy, tmp_path):
    def breaks(product, folder):
        raise ValueError("cannot read the file")

    seen = judge(Tool("t", TRUE, "t", breaks), toy, tmp_path)
    assert seen.verdict == FAILED and "cannot read the file" in seen.text


def test_a_missing_tool_is_no_failure_but_a_missing_library_of_ours_is(toy, tmp_path):
    for package, verdict in {"nowhere": ABSENT, None: FAILED}.items():
        tool = Tool("t", ("no-such-tool", "--version"), package, lambda *_: [])
        assert judge(tool, toy, tmp_path).verdict == verdict


def test_the_checker_of_conventions_sees_a_wrong_unit(tmp_path):
    pytest.importorskip("compliance_checker")
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.Conventions = "CF-1.11"
        file.createVariable("gpp", "f4").units = "gC m-2 d-1"
    assert any("gC m-2 d-1" in text for text in findings("cf:1.11", tmp_path / "a.nc", tmp_path))


def test_a_total_that_differs_from_the_table_is_refused(tmp_path):
    edges, values = [[0.0, 365.0]], {"gpp": 2.0, "nee": -1.0}
    for step in ("daily", "monthly", "annual"):
        with netCDF4.Dataset(tmp_path / f"tamflux_{step}_2003.nc", "w") as file:
            for name, size in {"time": 400, "lat": 2, "lon": 2, "bnds": 2}.items():
                file.createDimension(name, size)
            for name in ("lat", "lon"):
                file.createVariable(name, "f8", (name,))[:] = [0.0, 1.0]
            for name in ("cell_area", "land_fraction"):
                file.createVariable(name, "f8", ("lat", "lon"))[:] = 1.0
            file.createVariable("time_bnds", "f8", ("time", "bnds"))[:1] = edges
            for name, value in values.items():
                file.createVariable(name, "f4", ("time", "lat", "lon"))[:] = value
    table = tmp_path / "totals.csv"
    table.write_text("region_set,region,gpp\nbox,global,2.92e-12\n")
    assert open_product(tmp_path).expected["gpp of a cell, July"] == 2.0
    table.write_text("region_set,region,gpp\nbox,global,2.93e-12\n")
    with pytest.raises(SystemExit, match=r"totals\.csv"):
        open_product(tmp_path)
