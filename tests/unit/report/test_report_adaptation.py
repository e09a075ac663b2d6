"""The series of the towers: the packed numbers and the scores, against plain arithmetic."""

import numpy as np
import pandas as pd
import pytest
from test_report_explorer import unpack
from test_report_write import adapted_series

from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.report.adaptation import tower_section

SITES = pd.DataFrame({"site_id": ["B"], "lat": 51.0, "lon": 20.0, "igbp": "ENF", "koppen": "Dfb"})


def test_the_weeks_and_scores_are_those_of_the_days():
    series = adapted_series(days=395)
    section = tower_section(series, SITES)
    meta = section.towers["meta"]
    (tower,) = meta["towers"]
    assert tower["start"] == "2001-03-01" and tower["weeks"] == 57 and tower["used"] == 100
    planes = unpack(section.towers["data"]).reshape(len(meta["planes"]), 57)
    for name, column in (
        ("gpp_adapted", "gpp"), ("nee_observed", "nee_observed"), ("reco_zero_shot",) * 2,
        ("gpp_halfwidth", "gpp_pi90_halfwidth"),
    ):  # fmt: skip
        shown = planes[meta["planes"].index(name)] * meta["quantum"]
        for week in (0, 20, 56):
            days = series[column].to_numpy()[7 * week : 7 * week + 7]
            assert shown[week] == pytest.approx(np.nanmean(days), abs=0.0051)
    after = series[~series["used"]].dropna()
    assert tower["scored"] == len(after)
    for flux in FLUX_NAMES:
        for k, column in enumerate((f"{flux}_zero_shot", flux)):
            error = after[column] - after[f"{flux}_observed"]
            assert tower["rmse"][flux][k] == pytest.approx(np.sqrt((error**2).mean()), abs=1e-4)
    row = dict(zip(section.tables[0].columns, section.tables[0].rows[0], strict=True))
    assert float(row["NEE adapted"]) < 0.2 < float(row["NEE zero-shot"])


def test_a_gap_is_missing_and_without_towers_there_is_no_section():
    series = adapted_series(days=70)
    with_gap = series[(series.index < 7) | (series.index >= 28)]
    section = tower_section(with_gap, SITES)
    planes = unpack(section.towers["data"]).reshape(-1, 10)
    assert (planes[:, 1:4] == section.towers["meta"]["missing"]).all()
    assert section.towers["meta"]["towers"][0]["rmse"]["gpp"] == [None, None]  # all days used
    assert tower_section(series.iloc[:0], SITES) is None
