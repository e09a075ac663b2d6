"""Reference products against the climate: sound ones pass; another unit, map or season is said."""

import numpy as np
import pytest
from fuzz.believable_references import LAT, LON, read, write

from tamflux.climatology import climate_gpp
from tamflux.readers.reference_check import find_reference_problems


@pytest.fixture(scope="module")
def gpp(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    write(folder)
    return read(folder)["gpp"]


def test_a_sound_product_passes(gpp):
    assert find_reference_problems({"gpp": gpp, "nee": -gpp}, LAT, LON) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g * 44 / 12, "CO2 for carbon"),
        (lambda g: g * 12 / 44, "CO2 for carbon"),
        (lambda g: g[:, ::-1], "turned around"),
        (lambda g: np.roll(g, g.shape[2] // 2, axis=2), "turned around"),
        (lambda g: np.roll(g, 3, axis=0), "days late"),
        (lambda g: np.roll(g, -4, axis=0), "days early"),
    ],
)
def test_what_contradicts_the_climate_is_said(gpp, change, message):
    for flux in ("gpp", "reco"):
        problems = find_reference_problems({flux: change(gpp)}, LAT, LON)
        assert any(message in text and text.startswith(flux.upper()) for text in problems)


def test_a_small_or_uniform_region_is_compared_by_its_level_alone(gpp):
    region = np.ix_(range(12), range(33, 36), range(46, 50))
    lat, lon = LAT[33:36], LON[46:50]
    turned = np.roll(gpp[region], 6, axis=0)[:, ::-1]
    assert find_reference_problems({"gpp": turned}, lat, lon) == []
    assert len(find_reference_problems({"gpp": 10 * turned}, lat, lon)) == 1


def test_the_miami_model_in_a_warm_wet_place_and_in_a_desert():
    amazon, sahara = climate_gpp(np.array([-3.0, 24.0]), np.array([-60.0, 10.0])).diagonal()
    t2m, tp = 26.9, 2400  # of Manaus
    expected = 0.9 * min(
        3000 / (1 + np.exp(1.315 - 0.119 * t2m)), 3000 * (1 - np.exp(-0.000664 * tp))
    )
    assert amazon == pytest.approx(expected, rel=0.1)
    assert sahara < 60
