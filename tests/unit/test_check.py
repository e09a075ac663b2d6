"""The table of `snakemake check`, and what it says of the towers."""

import pandas as pd
import pytest

from tamflux import check
from tamflux.check import render
from tamflux.training.trainer import MIN_QC

LONG = "AMF_US-Ha1_FLUXNET_FULLSET_HH_1991-2020_3-5_of_a_very_long_name_indeed.zip"


def row(**values):
    return dict(zip(check.COLUMNS, ("ERA5", 2001, 11, "ok", ""), strict=True)) | values


def test_the_table_fits_a_terminal_of_100_columns():
    problem = "no file matches " + "/a/long/folder" * 3 + "; fix: " + "word " * 60
    text = render([row(), row(part=LONG, input="reference " + "x" * 40, problem=problem)])
    assert max(map(len, text.splitlines())) <= 100
    assert ["ERA5", "2001", "11", "ok"] in [line.split() for line in text.splitlines()]
    assert LONG[-30:] in text
    shown = " ".join(line.strip() for line in text.splitlines() if line.startswith("    "))
    assert shown.split() == problem.split()


def test_the_limit_of_quality_is_that_of_training():
    assert check.MIN_QC == MIN_QC


def sites(n, days=400):
    classes = ["ENF", "GRA", "DBF", "CRO"]
    return pd.DataFrame(
        {
            "site_id": [f"XX-{k:03d}" for k in range(n)],
            "lat": [float(k % 60) for k in range(n)],
            "lon": [float(3 * k % 170) for k in range(n)],
            "igbp": [classes[k % 4] for k in range(n)],
            "koppen": ["Cfb"] * n,
            "n_train": days,
        }
    )


CONFIG = {
    "seed": 1,
    "years": {"train": [2001]},
    "training": {"split": "igbp"},
    "calibration": {"folds": 5},
}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (sites(0), "none usable"),
        (sites(40, days=0), "no site has days of NEE"),
        (sites(5), "too few towers for the folds"),
    ],
)
def test_too_few_towers_are_noticed_before_the_run(table, message):
    assert message in check._count_training(table, CONFIG)[1]


def test_enough_towers_are_counted_without_those_held_out_and_without_days():
    table = sites(60)
    training, problem = check._count_training(table, CONFIG)
    assert problem == "" and 30 < training < 60
    table.loc[:9, "n_train"] = 0
    fewer, _ = check._count_training(table, CONFIG)
    assert training - 10 <= fewer < training


def test_with_folds_all_towers_train():
    folds = CONFIG | {"training": {"split": "folds"}}
    assert check._count_training(sites(13), folds) == (13, "")
    assert check._count_training(sites(13), CONFIG)[0] < 13


def test_towers_next_to_each_other_are_one_group_of_the_folds():
    together = sites(60).assign(lat=50.0, lon=8.0)
    training, problem = check._count_training(together, CONFIG)
    assert training == 0 or "groups of neighbours" in problem


def test_points_and_polygons_of_the_user_have_a_row_each(tmp_path):
    points = tmp_path / "points.csv"
    points.write_text("site_id,lat,lon\na,1,2\nb,3,4\n")
    (right,) = check._places_rows({"regions": None, "sites": str(points)})
    assert (right["input"], right["part"], right["verdict"]) == (
        "product.sites", "points.csv: 2", check.OK,
    )  # fmt: skip
    points.write_text("site_id,lat\na,1\n")
    polygons = str(tmp_path / "absent.gpkg")
    rows = check._places_rows({"regions": polygons, "sites": str(points)})
    assert [row["verdict"] for row in rows] == [check.WRONG, check.WRONG]
    assert "cannot read the polygons" in rows[0]["problem"]
    assert "lacks columns" in rows[1]["problem"]
