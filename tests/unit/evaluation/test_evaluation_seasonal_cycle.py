"""The mean seasonal cycle of each class, against closed forms."""

import numpy as np
import pandas as pd
import pytest

from tamflux.evaluation.seasonal_cycle import PHASES, fit_cycle, predict_cycle, season_phase
from tamflux.variables import IGBP_CLASSES

YEAR = np.arange("2001-01-01", "2002-01-01", dtype="datetime64[D]")


def towers(**igbp_lat):
    rows = [(site, lat, igbp) for site, (igbp, lat) in igbp_lat.items()]
    return pd.DataFrame(rows, columns=["site_id", "lat", "igbp"])


def days(site, values, qc=1.0, dates=YEAR):
    frame = pd.DataFrame({"site_id": site, "date": dates.astype("datetime64[ns]"), "qc": qc})
    return frame.assign(gpp=values, reco=2.0, nee=2.0 - np.asarray(values))


def test_phase_runs_from_0_to_364_in_common_and_leap_years():
    assert season_phase(YEAR, np.array([10.0]))[0].tolist() == list(range(PHASES))
    leap = np.arange("2004-01-01", "2005-01-01", dtype="datetime64[D]")
    phases = season_phase(leap, np.array([10.0]))[0]
    assert (phases[0], phases[-1]) == (0, PHASES - 1)
    assert (np.diff(phases) >= 0).all()


def test_southern_hemisphere_is_shifted_by_half_a_year():
    north, south = season_phase(YEAR, np.array([40.0, -40.0]))
    assert south[0] == pytest.approx(182, abs=1)
    assert north[182] == pytest.approx(south[0], abs=1)


def test_a_southern_tower_teaches_the_northern_season():
    wave = 5 + 4 * np.cos(2 * np.pi * (np.arange(365) - 15) / 365)  # peak in mid January
    cycle = fit_cycle(days("AU-A", wave), towers(**{"AU-A": ("GRA", -30.0)}))
    one_hot = np.eye(len(IGBP_CLASSES))[[IGBP_CLASSES.index("GRA")] * 2]
    north, south = predict_cycle(cycle, one_hot, np.array([45.0, -45.0]), YEAR)[..., 0]
    assert 190 <= north.argmax() <= 206  # mid July
    assert south.argmax() == pytest.approx(15, abs=2)
    smoothed = 4 * np.exp(-0.5 * (2 * np.pi * 10 / 365) ** 2)  # a Gaussian damps one harmonic
    assert south.max() == pytest.approx(5 + smoothed, abs=0.01)


def test_days_count_by_their_quality_and_only_where_measured():
    values = np.where(np.arange(365) % 2, 1.0, 9.0)
    frame = days("A", values, qc=np.where(np.arange(365) % 2, 1.0, 0.0))
    frame.loc[frame.index[::5], ["gpp"]] = np.nan
    cycle = fit_cycle(frame, towers(A=("CRO", 50.0)))
    assert cycle[IGBP_CLASSES.index("CRO"), :, 0] == pytest.approx(1.0)


def test_classes_without_towers():
    frame = pd.concat([days("A", np.full(365, 2.0)), days("B", np.full(365, 4.0))])
    cycle = fit_cycle(frame, towers(A=("CRO", 50.0), B=("ENF", 50.0)))
    assert cycle[IGBP_CLASSES.index("EBF"), :, 0] == pytest.approx(3.0)
    for bare in ("WAT", "SNO", "URB", "BSV"):
        assert (cycle[IGBP_CLASSES.index(bare)] == 0).all()


def test_cells_mix_their_classes_by_area():
    frame = pd.concat([days("A", np.full(365, 2.0)), days("B", np.full(365, 4.0))])
    cycle = fit_cycle(frame, towers(A=("CRO", 50.0), B=("ENF", 50.0)))
    fractions = np.zeros((1, len(IGBP_CLASSES)))
    fractions[0, [IGBP_CLASSES.index("CRO"), IGBP_CLASSES.index("ENF")]] = 0.25, 0.75
    mixed = predict_cycle(cycle, fractions, np.array([1.0]), YEAR)
    assert mixed.shape == (1, 365, 3)
    assert mixed[0, :, 0] == pytest.approx(3.5)
    assert mixed[0, :, 2] == pytest.approx(-1.5)


def test_sites_that_are_not_named_teach_nothing():
    frame = pd.concat([days("A", np.full(365, 2.0)), days("held-out", np.full(365, 400.0))])
    cycle = fit_cycle(frame, towers(A=("CRO", 50.0)))
    assert cycle[..., 0].max() == pytest.approx(2.0)
