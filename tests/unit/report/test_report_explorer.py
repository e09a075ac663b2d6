"""The numbers in the page, decoded as the page does, against the product."""

import base64
import zlib

import numpy as np
import pytest
import xarray as xr

from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.grid import Grid
from tamflux.report.explorer import MAX_CELLS, explorer

MONTHS = 12


def unpack(text):
    """Undo base64, deflate, the split into low and high bytes, and the differences."""
    split = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).reshape(2, -1)
    return np.cumsum(split[0].astype(int) + 256 * split[1].astype(int)).astype(np.int16)


def decode(shown):
    """Flat cell numbers, and each layer as (plane, cell)."""
    meta, numbers = shown["meta"], unpack(shown["data"])
    n = meta["cells"]
    cells, at, layers = numbers[:n].view(np.uint16), n, {}
    for layer in meta["layers"]:
        part = numbers[at : at + n * layer["planes"]].reshape(layer["planes"], n)
        values = np.where(part == meta["missing"], np.nan, part * meta["quantum"])
        layers[layer["name"]], at = values, at + part.size
    layers["quality_flag"] = numbers[at:]
    assert layers["quality_flag"].size == n
    return cells, layers


def files(planet, step, years):
    return [planet.root / f"product/tamflux_{step}_{year}.nc" for year in years]


def test_every_number_is_the_product_rounded(planet):
    months, annual = files(planet, "monthly", [2001]), files(planet, "annual", [2001])
    cells, layers = decode(explorer(months, annual, planet.grid))
    with xr.open_dataset(months[0]) as product, xr.open_dataset(annual[0]) as year:
        land = np.flatnonzero(product["land_fraction"].to_numpy() > 0)
        np.testing.assert_array_equal(cells, land)
        for name in (f"{f}{kind}" for f in FLUX_NAMES for kind in ("", "_pi90_halfwidth", "_std")):
            true = product[name].to_numpy().reshape(MONTHS, -1)[:, land]
            np.testing.assert_allclose(layers[name][1:], true, atol=0.00501)
            true = year[name].to_numpy().reshape(-1)[land]
            np.testing.assert_allclose(layers[name][0], true, atol=0.00501)
        for name in ("applicability", "dissimilarity_index"):
            true = product[name].to_numpy().ravel()[land]
            np.testing.assert_allclose(layers[name][0], true, atol=0.00501)
        flag = product["quality_flag"].to_numpy().ravel()[land]
        np.testing.assert_array_equal(layers["quality_flag"], flag)


def test_years_are_averaged(planet):
    both = explorer(
        files(planet, "monthly", planet.years), files(planet, "annual", planet.years), planet.grid
    )
    _, layers = decode(both)
    singles = [
        decode(explorer(files(planet, "monthly", [y]), files(planet, "annual", [y]), planet.grid))
        for y in planet.years
    ]
    mean = np.mean([layers["gpp"] for _, layers in singles], axis=0)
    np.testing.assert_allclose(layers["gpp"], mean, atol=0.0101)


def test_a_fine_grid_is_averaged_over_land_to_a_bounded_size(tmp_path, monkeypatch):
    """2 x 2 cells: the mean weighs by land, missing values and water do not count."""
    monkeypatch.setattr("tamflux.report.explorer.MAX_CELLS", 1)
    grid = Grid(2.0, (0.0, -2.0, 4.0, 2.0))  # rows of equal area
    land = np.array([[1.0, 0.5], [0.5, 0.0]])
    flux = np.array([[2.0, 4.0], [np.nan, 99.0]])
    attrs = {"units": "g m-2 d-1"}
    names = [f"{f}{kind}" for f in FLUX_NAMES for kind in ("", "_pi90_halfwidth", "_std")]
    plane = ("lat", "lon")
    cells = {
        "cell_area": (plane, grid.cell_area()), "land_fraction": (plane, land),
        "applicability": (plane, flux / 10), "dissimilarity_index": (plane, flux),
        "quality_flag": (plane, np.array([[1, 2], [2, -1]], np.int8)),
    }  # fmt: skip
    for step, n in (("monthly", MONTHS), ("annual", 1)):
        values = np.broadcast_to(flux, (n, 2, 2))
        data = {name: (("time", *plane), values, attrs) for name in names}
        xr.Dataset(data | cells).to_netcdf(tmp_path / f"{step}.nc")
    shown = explorer([tmp_path / "monthly.nc"], [tmp_path / "annual.nc"], grid)
    cells, layers = decode(shown)
    assert shown["factor"] == 2 and shown["meta"]["step"] == 4 and list(cells) == [0]
    assert layers["gpp"][3, 0] == pytest.approx((2 * 1 + 4 * 0.5) / 1.5, abs=0.005)
    assert layers["quality_flag"][0] == 0  # each bit holds on half of the land, not on more


@pytest.mark.parametrize(("resolution", "factor"), [(1.0, 1), (0.5, 2), (0.25, 4), (0.1, 10)])
def test_the_globe_is_shown_at_one_degree_at_most(resolution, factor):
    from tamflux.report.explorer import _factor

    grid = Grid(resolution)
    assert _factor(grid) == factor
    assert np.prod(grid.shape) / factor**2 <= MAX_CELLS
