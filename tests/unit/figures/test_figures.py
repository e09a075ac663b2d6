"""Every figure is drawn and shows something: globe and region, with and without the truth."""

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamflux.errors import ContractError
from tamflux.evaluation.scores import score_models
from tamflux.evaluation.truth import evaluate_truth
from tamflux.figures.product_figures import monthly_means, plot_product, yearly_mean
from tamflux.figures.site_figures import plot_sites
from tamflux.figures.truth_figures import plot_truth

PRODUCT = "map_gpp map_reco map_nee map_std map_seasons zonal_means seasonal_cycles".split()
SITES = (
    "tower_network tower_series_gpp tower_series_reco tower_series_nee site_means site_scores "
    "learning_curves"
).split()
TRUTH = "truth_maps truth_skill truth_scatter truth_distance".split()


def paths(planet, step):
    return [planet.root / f"product/tamflux_{step}_{year}.nc" for year in planet.years]


def assert_drawn(figures):
    for path in figures.values():
        picture = matplotlib.image.imread(path)[..., :3]
        assert min(picture.shape[:2]) > 250, path
        assert 0.02 < (picture.std(axis=2) + (picture.mean(axis=2) < 0.9) > 0.02).mean(), path


def test_product_figures_of_the_globe_with_truth(planet, tmp_path):
    truth = tmp_path / "maps.nc"
    evaluate_truth(
        {year: planet.root / f"truth/{year}.zarr" for year in planet.years},
        {
            m: {y: planet.root / f"tiles/{m}_{y}.zarr" for y in planet.years}
            for m in ("tamrl", "lstm")
        },
        planet.root / "site_predictions.parquet",
        planet.sites,
        planet.static,
        planet.grid,
        18,
        tmp_path / "scores.csv",
        truth,
    )
    figures = {name: tmp_path / f"{name}.png" for name in PRODUCT}
    plot_product(
        paths(planet, "annual"),
        paths(planet, "monthly"),
        planet.static,
        planet.grid,
        figures,
        truth,
    )
    assert_drawn(figures)
    figures = {name: tmp_path / f"{name}.png" for name in TRUTH}
    plot_truth(
        truth, tmp_path / "scores.csv", planet.sites, planet.static, planet.grid, "igbp", figures
    )
    assert_drawn(figures)


def test_product_figures_of_a_region_without_truth(region, tmp_path):
    figures = {name: tmp_path / f"{name}.png" for name in PRODUCT}
    plot_product(
        paths(region, "annual"), paths(region, "monthly"), region.static, region.grid, figures
    )
    assert_drawn(figures)


@pytest.mark.parametrize("which", ["planet", "region"])
def test_site_figures(which, request, tmp_path):
    planet = request.getfixturevalue(which)
    predictions = planet.root / "site_predictions.parquet"
    tables = [tmp_path / name for name in ("site_scores.csv", "scores.csv", "agreement.csv")]
    score_models(predictions, planet.sites, {}, *tables)
    curve = tmp_path / "tamrl_0_curve.csv"
    pd.DataFrame({"epoch": [1, 2], "train_loss": [1.0, 0.5], "test_loss": [1.1, 0.8]}).to_csv(curve)
    figures = {name: tmp_path / f"{name}.png" for name in SITES}
    plot_sites(
        predictions, planet.sites, tables[0], [curve], planet.static, planet.grid, "igbp", figures
    )
    assert_drawn(figures)


def test_means_over_years_are_those_of_the_files(planet):
    years = [xr.load_dataset(path) for path in paths(planet, "monthly")]
    expected = np.mean([year["gpp"].to_numpy() for year in years], axis=0)
    found = monthly_means(paths(planet, "monthly"), "gpp")
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert yearly_mean(paths(planet, "annual"), "gpp").shape == planet.grid.shape


def test_a_product_in_other_units_is_refused(planet, tmp_path):
    path = tmp_path / "tamflux_annual_2001.nc"
    product = xr.load_dataset(paths(planet, "annual")[0])
    product["gpp"].attrs["units"] = "kg m-2 s-1"
    product.to_netcdf(path)
    with pytest.raises(ContractError, match=r"unknown unit(.|\n)*found: kg m-2 s-1"):
        yearly_mean([path], "gpp")
