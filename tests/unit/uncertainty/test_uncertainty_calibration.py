"""Half-widths of days and means, by class; applicability; files."""

import numpy as np
import pytest
from calibrations import make_calibration

from tamflux.errors import ContractError
from tamflux.uncertainty.calibration import LEVELS, Calibration
from tamflux.uncertainty.conformal import fit_expected_error
from tamflux.variables import IGBP_CLASSES

KNOTS = [0, 1, 2, 3, 4, 5, 6]


def land(**fractions):
    return np.array([fractions.get(name, 0.0) for name in IGBP_CLASSES])


def test_half_width_is_linear_between_knots_and_missing_where_the_flux_is():
    gpp = np.array([[0.25, 8.0], [99.0, np.nan]], np.float32)
    found = make_calibration(KNOTS).half_width("gpp", gpp, np.zeros_like(gpp))
    np.testing.assert_allclose(found, [[1.0, 10.0], [12.0, np.nan]])


def test_fractions_weigh_the_classes_and_the_rest_is_unknown():
    intervals = make_calibration(KNOTS, classes={"GRA": 1.5, "CRO": 0.5})
    igbp = np.stack(
        [land(GRA=1), land(GRA=0.25, CRO=0.75), land(ENF=1), land(GRA=0.5), land()], axis=0
    )
    gpp = np.full((3, 5), 8.0)
    expected = 10 * np.array([1.5, 0.75, 1, 1.25, 1])
    for flux in ("gpp", "reco", "nee"):
        found = intervals.half_width(flux, gpp, 0 * gpp, igbp)
        np.testing.assert_allclose(found, np.tile(expected, (3, 1)), rtol=1e-6)


def test_means_have_the_width_of_their_number_of_days():
    intervals = make_calibration(KNOTS, classes={"GRA": 1.5})
    widths, igbp = np.array([4.0, 4.0, 4.0, 8.0]), np.tile(land(GRA=1), (4, 1))
    days = np.array([1, 30, np.sqrt(30 * 365), 4000])
    expected = widths * [1, 0.75, 0.5, 0.25]  # 0.5: halfway in the logarithm
    found = intervals.half_width_of_mean("nee", widths, days, igbp)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(intervals.half_width_of_mean("nee", widths, 30), 0.75 * widths)


def test_filled_days_widen_days_and_means():
    intervals = make_calibration(KNOTS)
    gpp, memory = np.full(31, 3.0), np.linspace(0, 1, 31)
    filled = intervals.half_width("gpp", gpp, gpp, gap_memory=memory)
    with_data = intervals.half_width("gpp", gpp, gpp)
    assert (filled[1:] > with_data[1:]).all()
    of_means = [intervals.half_width_of_mean("gpp", w.mean(), 31) for w in (filled, with_data)]
    assert of_means[0] > of_means[1]


def test_expected_error_finds_the_law_that_made_the_errors():
    random = np.random.default_rng(0)
    gross_flux, dissimilarity = random.uniform(1, 20, 300), random.uniform(0, 3, 300)
    error = np.sqrt(gross_flux) * (0.08 + 0.05 * dissimilarity)
    assert fit_expected_error(error, gross_flux, dissimilarity) == pytest.approx((0.08, 0.05))


def test_applicability_falls_with_dissimilarity_up_to_its_bound():
    reach = make_calibration(KNOTS).applicability(np.full(5, 9.0), np.array([0, 1, 3, 30, np.nan]))
    np.testing.assert_allclose(reach[:3], np.exp(-3 * np.array([0.1, 0.15, 0.25])), rtol=1e-6)
    assert reach[3] == reach[2] and np.isnan(reach[4])


def test_intervals_alone_give_no_applicability(tmp_path):
    whole = make_calibration(KNOTS)
    alone = Calibration(
        whole.gross_flux_knots, whole.difficulty, whole.mean_days, whole.nonconformity_quantile
    )
    alone.save(tmp_path / "c.json")
    with pytest.raises(ContractError, match="intervals alone"):
        Calibration.load(tmp_path / "c.json").applicability(np.ones(2), np.ones(2))


def test_a_saved_calibration_is_the_same(tmp_path):
    intervals = make_calibration(KNOTS, classes={"GRA": 1.5})
    intervals.save(tmp_path / "c.json")
    loaded = Calibration.load(tmp_path / "c.json")
    gpp, igbp = np.linspace(0, 20, 50), np.tile(land(GRA=0.5), (50, 1))
    for level in LEVELS:
        np.testing.assert_array_equal(
            loaded.half_width("gpp", gpp, gpp, igbp, level),
            intervals.half_width("gpp", gpp, gpp, igbp, level),
        )


@pytest.mark.parametrize(
    ("text", "damage"),
    [('"nee"', '"nex"'), ('"unknown"', '"other"'), ("30.0", "0.5"), ('"0.95"', '"0.94"')],
)
def test_a_damaged_calibration_is_refused(tmp_path, text, damage):
    make_calibration(KNOTS).save(tmp_path / "c.json")
    content = (tmp_path / "c.json").read_text()
    assert text in content
    (tmp_path / "c.json").write_text(content.replace(text, damage))
    with pytest.raises(ContractError, match="calibration"):
        Calibration.load(tmp_path / "c.json")
