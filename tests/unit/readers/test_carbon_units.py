"""Units of carbon fluxes, against factors worked out by hand."""

import pytest

from tamflux.readers.carbon_units import to_grams_per_day

UMOL = 86400 * 12.011e-6  # g m-2 d-1


@pytest.mark.parametrize(
    ("units", "factor"),
    [
        ("gC m-2 d-1", 1.0),
        ("g C m-2 day-1", 1.0),
        ("g m-2 d-1", 1.0),
        ("gC/m2/day", 1.0),
        ("gC m^{-2} d^{-1}", 1.0),
        ("g C m⁻² d⁻¹", 1.0),
        ("gC.m-2.d-1", 1.0),
        ("kgC m-2 s-1", 8.64e7),
        ("kg m-2 s-1", 8.64e7),
        ("kg CO2 m-2 s-1", 8.64e7 * 12.011 / 44.009),
        ("umolCO2 m-2 s-1", UMOL),
        ("mumolCO2 m-2 s-1", UMOL),
        ("µmol CO2 m-2 s-1", UMOL),
        ("micromol m-2 s-1", UMOL),
        ("gC m-2 yr-1", 1 / 365.25),
        ("gC m-2 8d-1", 0.125),
    ],
)
def test_factor(units, factor):
    assert to_grams_per_day(units) == (pytest.approx(factor, rel=1e-12), False)


def test_a_month_is_told():
    assert to_grams_per_day("gC m-2 month-1") == (1.0, True)


@pytest.mark.parametrize(
    "units",
    ["", "1", "K", "mm h-1", "W m-2", "gC m-2", "PgC yr-1", "gC d-1", "KgC m-2 s-1", "gN m-2 d-1",
     "gC m-2 d-1 d-1", "g/(m2 d)", "m-2 d-1", "hello"],
)  # fmt: skip
def test_what_is_no_carbon_flux_is_refused(units):
    assert to_grams_per_day(units) is None
