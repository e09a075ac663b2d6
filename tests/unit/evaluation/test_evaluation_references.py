"""Other products on our grid: area means, masks and totals that are known in closed form."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from reference_files import centres, metaflux, middle_of_months, write_reference, xbase

from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.evaluation.references import compare_months, regrid_reference
from tamflux.figures.reference_figures import plot_references
from tamflux.grid import Grid

XBASE = {"name": "X-BASE", "variables": {"gpp": "GPP", "nee": "NEE"}}
METAFLUX = {"name": "MetaFlux", "variables": {"gpp": "GPP", "reco": "RECO"}}
GRID = Grid(10.0)
EARTH = 4 * np.pi * 6_371_007.181**2


def regrid(reference, files, tmp_path, grid=GRID):
    path = tmp_path / f"{reference['name']}.nc"
    regrid_reference(reference, {2002: files}, grid, path)
    with xr.open_dataset(path) as dataset:
        return dataset.load(), path


def test_area_means_of_the_sine_of_latitude(tmp_path):
    """The area mean of sin(lat) over a band is the mean of the sines of its edges."""

    def sine(month, lat, lon):
        bounds = np.sin(np.radians(lat + 1)), np.sin(np.radians(lat - 1))
        return 2 + (bounds[0] + bounds[1]) / 2 + 0 * month

    files = metaflux(tmp_path, sine, sine, step=2.0)
    dataset, _ = regrid(METAFLUX, files, tmp_path)
    edges = np.sin(np.radians(GRID.lat_edges))
    means = 2 + (edges[:-1] + edges[1:]) / 2
    np.testing.assert_allclose(dataset["gpp"][5], np.tile(means[:, None], 36), rtol=2e-6)


def test_longitudes_of_either_convention_fall_on_the_same_cells(tmp_path):
    def west(month, lat, lon):
        return np.where(lon < 0, 1.0, 3.0) + 0 * month

    first = regrid(METAFLUX, metaflux(tmp_path, west, west, step=5.0), tmp_path)[0]
    second = regrid(XBASE, xbase(tmp_path, west, west, step=5.0), tmp_path)[0]
    for dataset in (first, second):
        assert np.allclose(dataset["gpp"].sel(lon=slice(-180, 0)), 1, rtol=1e-5)
        assert np.allclose(dataset["gpp"].sel(lon=slice(0, 180)), 3, rtol=1e-5)


def test_the_third_flux_follows_from_two(tmp_path):
    xbase_files = xbase(tmp_path, lambda *a: 5 + 0 * sum(a), lambda *a: -2 + 0 * sum(a), step=10)
    dataset, _ = regrid(XBASE, xbase_files, tmp_path)
    assert np.allclose(dataset["reco"], 3) and dataset["reco"].derived == 1  # gpp + nee
    assert dataset["gpp"].derived == 0
    files = metaflux(tmp_path, lambda *a: 5 + 0 * sum(a), lambda *a: 3 + 0 * sum(a), step=10)
    dataset, _ = regrid(METAFLUX, files, tmp_path)
    assert np.allclose(dataset["nee"], -2, atol=1e-5) and dataset["nee"].derived == 1


def test_missing_cells_and_land_fractions_weigh(tmp_path):
    lat, lon = centres(5.0)
    field = np.full((12, len(lat), len(lon)), np.nan)
    field[:, ::2, 0], field[:, ::2, 1] = 2.0, 6.0  # half of the cells of the first column
    land = np.zeros((len(lat), len(lon)))
    land[:, 0], land[:, 1] = 0.75, 0.25
    path = write_reference(
        tmp_path / "a.nc", {"GPP": field}, lat, lon, middle_of_months(), land_fraction=land
    )
    dataset, _ = regrid({"name": "A", "variables": {"gpp": "GPP"}}, [path], tmp_path)
    np.testing.assert_allclose(dataset["gpp"][:, :, 0], 3.0, rtol=1e-5)  # (0.75×2 + 0.25×6) / 1
    assert np.isnan(dataset["gpp"][:, :, 1:]).all()


def test_a_product_that_ends_at_60_south_leaves_the_rest_missing(tmp_path):
    lat, lon = centres(10.0)
    lat = lat[lat > -60]
    field = np.full((12, len(lat), len(lon)), 4.0)
    path = write_reference(tmp_path / "a.nc", {"GPP": field}, lat, lon, middle_of_months())
    dataset, _ = regrid({"name": "A", "variables": {"gpp": "GPP"}}, [path], tmp_path)
    np.testing.assert_array_equal(np.isfinite(dataset["gpp"][0, :, 0]), GRID.lat > -60)
    assert np.allclose(dataset["gpp"][:, 3:], 4)


def test_totals_of_constant_fields():
    """2 and 3 g m-2 d-1 on the northern half of the Earth."""
    months = np.ones((12, *GRID.shape))
    north = np.where(GRID.lat[:, None] > 0, 1.0, np.nan)
    row = compare_months(2 * months * north, 3 * months * north, GRID.cell_area(), [2002])
    assert row["area_share"] == pytest.approx(0.5)
    assert row["product_total"] == pytest.approx(2 * 365 * EARTH / 2 / 1e15)
    assert row["reference_total"] == pytest.approx(3 * 365 * EARTH / 2 / 1e15)
    assert row["rmse"] == pytest.approx(1.0)


def test_both_are_masked_alike_and_drawn(planet, tmp_path):
    """A reference that is our product plus 1 on the north differs by 1 there, and only there."""
    paths = [planet.root / f"product/tamflux_monthly_{year}.nc" for year in planet.years]
    fields = {}
    for year, path in zip(planet.years, paths, strict=True):
        with xr.open_dataset(path) as product:
            fields[year] = {f.upper(): product[f].to_numpy() + 1.0 for f in ("gpp", "reco")}
        for values in fields[year].values():
            values[:, planet.grid.lat < 0] = np.nan
    files = {
        year: [
            write_reference(tmp_path / f"{year}.nc", fields[year], planet.grid.lat,
                            planet.grid.lon, middle_of_months(year), year)
        ]
        for year in planet.years
    }  # fmt: skip
    regrid_reference(METAFLUX, files, planet.grid, tmp_path / "r.nc")
    figures = {name: tmp_path / f"{name}.png" for name in ("zonal", "MetaFlux")}
    plot_references(
        [tmp_path / "r.nc"], paths, planet.static, planet.grid, planet.years,
        tmp_path / "t.csv", figures,
    )  # fmt: skip
    table = pd.read_csv(tmp_path / "t.csv").set_index("flux")
    assert list(table.index) == list(FLUX_NAMES)
    with xr.open_dataset(planet.static) as static:
        land = planet.grid.cell_area() * static["land_fraction"].to_numpy()
    area = land[planet.grid.lat > 0].sum()
    assert table.loc["gpp", "area_share"] == pytest.approx(area / land.sum(), rel=1e-4)
    gap = table["reference_total"] - table["product_total"]
    assert gap["gpp"] == pytest.approx(area * 365 / 1e15, rel=1e-3)
    assert gap["nee"] == pytest.approx(0, abs=1e-3)
    assert table.loc["gpp", "correlation"] == pytest.approx(1, abs=1e-4)
    assert table.loc["gpp", "rmse"] == pytest.approx(1, rel=1e-4)
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in figures.values())
