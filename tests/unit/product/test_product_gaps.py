"""Days without weather: missing fluxes, means over gaps, counts of missing days, totals."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from tamflux.errors import ContractError
from tamflux.inference import tiles
from tamflux.product.acdd import preliminary_attributes
from tamflux.product.metadata import QUALITY_BITS, QUANTUM
from tamflux.uncertainty.calibration import Calibration
from tamflux.variables import FLUXES


@pytest.fixture(scope="module")
def gappy(tmp_path_factory, make_tiles, assemble, aggregate, tabulate):
    """Product with gaps: cell 0 lacks 3 days of March 2003, cell 1 all of June, cell 2 the year."""
    folder = tmp_path_factory.mktemp("gappy")
    source = make_tiles(folder, 2003)
    cells = [tuple(cell) for cell in np.argwhere(source.land_fraction == 1)[[5, 60, 200]]]
    spans = [slice(60, 63), slice(151, 181), slice(0, 365)]
    store = zarr.open_group(source.tiles)
    for (row, col), days in zip(cells, spans, strict=True):
        store["quality"][row, col] |= 32
        for name in (f"{flux}{part}" for flux in FLUXES for part in ("", "_std")):
            store[name][days, row, col] = np.nan
    paths = SimpleNamespace(**{s: folder / f"{s}.nc" for s in ("daily", "monthly", "annual")})
    assemble(source, paths.daily)
    aggregate(source, paths.daily, paths.monthly, paths.annual)
    tabulate(source, paths.annual, paths.monthly)
    totals = pd.read_csv(folder / "totals.csv").set_index("region")
    return SimpleNamespace(**vars(paths), totals=totals, cells=cells, spans=spans, source=source)


def test_a_gap_is_missing_in_every_file_and_nothing_else_changes(
    gappy, make_tiles, assemble, aggregate, tmp_path
):
    source = make_tiles(tmp_path, 2003)
    assemble(source, tmp_path / "daily.nc")
    aggregate(source, *(tmp_path / f"{step}.nc" for step in ("daily", "monthly", "annual")))
    elsewhere = np.ones(gappy.source.land.shape, bool)
    for row, col in gappy.cells:
        elsewhere[row, col] = False
    names = [f"{f}{p}" for f in FLUXES for p in ("", "_std", "_pi90_halfwidth")]
    for step in ("daily", "monthly", "annual"):
        found, complete = (
            xr.load_dataset(path) for path in (getattr(gappy, step), tmp_path / f"{step}.nc")
        )
        n = found.sizes["time"]
        expected = {
            "daily": [range(60, 63), range(151, 181), range(n)],
            "monthly": [[], [5], range(n)],
            "annual": [[], [0], [0]],
        }[step]
        for name in names:
            series, before = found[name].to_numpy(), complete[name].to_numpy()
            np.testing.assert_array_equal(series[:, elsewhere], before[:, elsewhere])
            for (row, col), missing in zip(gappy.cells, expected, strict=True):
                np.testing.assert_array_equal(
                    np.flatnonzero(np.isnan(series[:, row, col])), list(missing)
                )


def test_intervals_widen_by_the_share_of_filled_days(make_tiles, assemble, tmp_path):
    """That of the gross flux g + m (g + 1) with the share m of filled days."""
    source = make_tiles(tmp_path, 2003)
    assemble(source, tmp_path / "before.nc")
    row, col = np.argwhere(source.land_fraction == 1)[60]
    store = zarr.open_group(source.tiles)
    store["quality"][row, col] |= 16
    store["gap_memory"][100:120, row, col] = np.linspace(1, 0.05, 20)
    assemble(source, tmp_path / "after.nc")
    before, after = (xr.load_dataset(tmp_path / f"{name}.nc") for name in ("before", "after"))
    calibration = Calibration.load(source.calibration)
    days = after.isel(lat=row, lon=col, time=slice(100, 120))
    gross = (days["gpp"] + days["reco"]).to_numpy()
    gross = gross + np.linspace(1, 0.05, 20) * (gross + 1)
    of_class = 1 + 0.5 * source.forest[row, col]
    for flux in FLUXES:
        knots = of_class * 2.0 * np.array(calibration.difficulty[flux])
        expected = np.interp(gross, calibration.gross_flux_knots, knots)
        name = f"{flux}_pi90_halfwidth"
        np.testing.assert_allclose(days[name], expected, atol=QUANTUM)
        wider = after[name].to_numpy() > before[name].to_numpy()
        wider[100:120, row, col] = False
        assert not wider.any()


def test_means_over_a_short_gap_are_those_of_the_days_with_fluxes(gappy):
    row, col = gappy.cells[0]
    with xr.open_dataset(gappy.daily) as daily, xr.open_dataset(gappy.monthly) as monthly:
        march = daily["gpp"].to_numpy()[59:90, row, col].astype(float)
        assert np.isnan(march).sum() == 3
        assert monthly["gpp"].to_numpy()[2, row, col] == pytest.approx(np.nanmean(march), abs=1e-5)
        np.testing.assert_array_equal(
            monthly["nee"].to_numpy(), monthly["reco"].to_numpy() - monthly["gpp"].to_numpy()
        )
    with xr.open_dataset(gappy.annual) as annual:
        assert float(annual["applicability"][row, col]) > 0


def test_no_cell_looks_more_applicable_for_a_gap(gappy, make_tiles, assemble, tmp_path):
    """Even one without the season of its largest fluxes."""
    assemble(make_tiles(tmp_path, 2003), tmp_path / "daily.nc")
    with xr.open_dataset(gappy.daily) as found, xr.open_dataset(tmp_path / "daily.nc") as whole:
        lost, full = found["applicability"].to_numpy(), whole["applicability"].to_numpy()
    known = np.isfinite(lost)
    assert (lost[known] <= full[known]).all()
    assert np.flatnonzero(known != np.isfinite(full)).size == 1  # the year that is missing


def test_the_files_count_the_missing_days(gappy):
    with xr.open_dataset(gappy.monthly) as monthly, xr.open_dataset(gappy.annual) as annual:
        counts = [monthly["missing_days"].to_numpy()[:, row, col] for row, col in gappy.cells]
        assert counts[0].tolist() == [0, 0, 3] + 9 * [0]
        assert counts[1].tolist() == 5 * [0] + [30] + 6 * [0]
        assert counts[2].sum() == 365
        assert [annual["missing_days"].to_numpy()[0, r, c] for r, c in gappy.cells] == [3, 30, 365]
        assert np.nansum(annual["missing_days"]) == 398
        for file in (monthly, annual):
            flags = [int(file["quality_flag"].to_numpy()[row, col]) for row, col in gappy.cells]
            assert all(flag & 32 for flag in flags)
            assert "GAPS: 3 land cells" in file.attrs["comment"]


def test_totals_name_the_share_of_missing_area_days(gappy):
    """The second and third cell have no annual mean: all their days are missing from the sum."""
    area = gappy.source.grid.cell_area() * gappy.source.land_fraction
    lost = sum(area[cell] * share for cell, share in zip(gappy.cells, (3 / 365, 1, 1), strict=True))
    found = gappy.totals.loc["global", "missing_share"]
    assert found == pytest.approx(lost / area.sum(), rel=1e-6)
    with xr.open_dataset(gappy.annual) as annual:
        mass = np.nansum(annual["gpp"].to_numpy()[0] * area) * 365 / 1e15
    assert gappy.totals.loc["global", "gpp"] == pytest.approx(mass, rel=1e-6)
    zones = gappy.totals[gappy.totals["region_set"] == "latitude"]
    zones = zones[[name[0].isdigit() for name in zones.index]]
    mean = np.average(zones["missing_share"], weights=zones["land_area"])
    assert mean == pytest.approx(found, rel=1e-6)


def test_a_product_without_gaps_misses_nothing(product):
    table = pd.read_csv(product.totals)
    assert (table["missing_share"] == 0).all() and table["preliminary_share"].isna().all()
    with xr.open_dataset(product.annual) as annual:
        assert np.nansum(annual["missing_days"]) == 0
        np.testing.assert_array_equal(np.isfinite(annual["missing_days"][0]), product.source.land)
        assert "GAPS" not in annual.attrs["comment"]


def test_the_flags_are_those_of_the_tiles():
    assert (tiles.FILLED_WEATHER, tiles.MISSING_WEATHER) == (16, 32)
    assert QUALITY_BITS[tiles.FILLED_WEATHER].startswith("weather_filled")
    assert "missing_on_some_days_without_fluxes" in QUALITY_BITS[tiles.MISSING_WEATHER]


def flagged_cell(source):
    """A store and a cell of it that is flagged for missing weather and lacks no day yet."""
    store, cell = zarr.open_group(source.tiles), tuple(np.argwhere(source.land)[7])
    store["quality"][cell] |= 32
    return store, cell


def test_a_flag_without_a_gap_is_refused(source, assemble, tmp_path):
    flagged_cell(source)
    with pytest.raises(ContractError, match="flagged for missing weather and have fluxes"):
        assemble(source, tmp_path / "daily.nc")


@pytest.mark.parametrize("lacks", [("gpp",), ("gpp", "reco", "nee"), ("nee_std",)])
def test_a_gap_of_some_variables_is_refused(source, assemble, tmp_path, lacks):
    store, (row, col) = flagged_cell(source)
    for name in (f"{flux}{part}" for flux in FLUXES for part in ("", "_std")):
        store[name][100, row, col] = np.nan
    for name in lacks:
        store[name][101, row, col] = np.nan
    with pytest.raises(ContractError, match="do not cover the land"):
        assemble(source, tmp_path / "daily.nc")


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (None, {"era5_preliminary_days": "unknown"}),
        ([], {"era5_preliminary_days": "none", "era5_preliminary_share": 0}),
        (
            ["2003-12-30", "2003-12-31", "2003-11-05", "2003-12-30"],
            {"era5_preliminary_days": "2003-11-05/2003-11-05 2003-12-30/2003-12-31",
             "era5_preliminary_share": 3 / 365},
        ),
    ],
)  # fmt: skip
def test_preliminary_days_are_ranges_and_a_share(days, expected):
    assert preliminary_attributes(days, 365) == expected


def test_preliminary_days_reach_every_file_and_the_totals(
    source, assemble, aggregate, tabulate, tmp_path
):
    store = zarr.open_group(source.tiles)
    store.attrs["preliminary_days"] = [f"2003-12-{day:02d}" for day in range(1, 32)]
    paths = [tmp_path / f"{step}.nc" for step in ("daily", "monthly", "annual")]
    assemble(source, paths[0])
    aggregate(source, *paths)
    tabulate(source, paths[2], paths[1])
    for path in paths:
        with xr.open_dataset(path) as file:
            assert file.attrs["era5_preliminary_days"] == "2003-12-01/2003-12-31"
            assert "PRELIMINARY ERA5: 31 days" in file.attrs["comment"]
    shares = pd.read_csv(tmp_path / "totals.csv")["preliminary_share"]
    np.testing.assert_allclose(shares, 31 / 365)
