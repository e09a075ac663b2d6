"""Every figure is drawn and shows something: globe and region, with and without the truth."""

import matplotlib.image
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from tamflux.errors import ContractError
from tamflux.evaluation.means import monthly_means, yearly_mean
from tamflux.evaluation.scores import score_models
from tamflux.evaluation.truth import evaluate_truth
from tamflux.figures.maps import _GROUND, RobinsonMap
from tamflux.figures.product_figures import plot_product
from tamflux.figures.site_figures import plot_sites
from tamflux.figures.style import save
from tamflux.figures.truth_figures import plot_truth
from tamflux.grid import Grid

PRODUCT = "map_gpp map_reco map_nee map_std map_seasons zonal_means seasonal_cycles".split()
SITES = (
    "tower_network tower_series_gpp tower_series_reco tower_series_nee site_means site_scores "
    "learning_curves"
).split()
TRUTH = "truth_maps truth_skill truth_scatter truth_distance".split()


def paths(planet, step):
    return [planet.root / f"product/tamflux_{step}_{year}.nc" for year in planet.years]


def shows_data(axes):
    """Whether axes show numbers: a field on a map, points, bins, or a series of over two points.

    Texts, land without a field, coastlines, 1:1 lines and lines at zero are no data.
    """
    fields = [image for image in axes.images if image.get_cmap() is not _GROUND]
    fields += [part for part in axes.collections if part.get_array() is not None]
    points = [part.get_offsets() for part in axes.collections if isinstance(part, PathCollection)]
    points += [
        np.column_stack(line.get_data(orig=False))[2:]
        for line in axes.lines
        if line.get_transform().contains_branch(axes.transData)
    ]
    numbers = [field.get_array() for field in fields] + points
    return any(np.isfinite(np.ma.filled(np.ma.asarray(n, float), np.nan)).any() for n in numbers)


@pytest.fixture(autouse=True)
def no_empty_panel(monkeypatch):
    """No figure is saved with a panel that shows no data."""
    write = Figure.savefig

    def savefig(figure, *args, **options):
        panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
        used = [axes for axes in panels if axes.axison or axes.images or axes.collections]
        empty = [number for number, axes in enumerate(used) if not shows_data(axes)]
        assert used and not empty, f"panels {empty} of {len(used)} show no data"
        write(figure, *args, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)


def assert_drawn(figures):
    for path in figures.values():
        assert min(matplotlib.image.imread(path).shape[:2]) > 250, path


def draw_text(figure, axes):
    axes.text(0.5, 0.5, "GPP")


def draw_guides(figure, axes):
    axes.axhline(0)
    axes.plot([0, 1], [0, 1])


def draw_map_without_field(figure, axes):
    RobinsonMap(Grid(10.0), np.ones((18, 36)), width=300).draw(axes, np.full((18, 36), np.nan))


@pytest.mark.parametrize("draw", [draw_text, draw_guides, draw_map_without_field])
def test_a_panel_without_data_is_noticed(draw, tmp_path):
    figure, axes = plt.subplots()
    draw(figure, axes)
    with pytest.raises(AssertionError, match="show no data"):
        save(figure, tmp_path / "empty.png")
    plt.close(figure)


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


@pytest.mark.parametrize(("which", "split"), [("planet", "igbp"), ("region", "folds")])
def test_site_figures(which, split, request, tmp_path):
    planet = request.getfixturevalue(which)
    predictions = planet.root / "site_predictions.parquet"
    tables = [tmp_path / name for name in ("site_scores.csv", "scores.csv", "agreement.csv")]
    score_models(predictions, planet.sites, {}, *tables)
    curve = tmp_path / "tamrl_0_curve.csv"
    pd.DataFrame(
        {"epoch": [1, 2, 3], "train_loss": [1.0, 0.5, 0.4], "test_loss": [1.1, 0.8, 0.7]}
    ).to_csv(curve)
    figures = {name: tmp_path / f"{name}.png" for name in SITES}
    plot_sites(
        predictions, planet.sites, tables[0], [curve], planet.static, planet.grid, split, figures
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
