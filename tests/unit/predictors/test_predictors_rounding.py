import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tamflux.predictors.rounding import KEPT_BITS, round_bits

ELEMENTS = st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False)


@given(arrays(np.float32, 20, elements=ELEMENTS))
def test_the_relative_error_is_bounded(values):
    error = np.abs(round_bits(values).astype(np.float64) - values)
    assert (error <= np.abs(values.astype(np.float64)) * 2.0 ** -(KEPT_BITS + 1)).all()


def test_values_have_the_nearest_mantissa_half_to_even():
    values = np.random.default_rng(0).normal(0, 100, 200_001).astype(np.float32)
    ties = (1 + (np.arange(2000) + 0.5) * 2.0**-KEPT_BITS).astype(np.float32)
    values = np.concatenate([values, ties, -ties])
    mantissa, exponent = np.frexp(values.astype(np.float64))
    expected = np.ldexp(np.rint(mantissa * 2 ** (KEPT_BITS + 1)), exponent - KEPT_BITS - 1)
    assert np.array_equal(round_bits(values), expected.astype(np.float32))


def test_missing_values_zeros_and_whole_numbers_stay():
    odd_nan = np.array([0x7FFFFFFF, 0xFFFFFFFF], np.uint32).view(np.float32)
    assert np.isnan(round_bits(odd_nan)).all() and np.isnan(round_bits(np.array([np.nan]))).all()
    whole = np.arange(-(2**KEPT_BITS), 2**KEPT_BITS, dtype=np.float32)
    assert np.array_equal(round_bits(whole), whole)


def test_a_view_that_is_not_contiguous_is_rounded_alike():
    values = np.random.default_rng(1).normal(size=(6, 8)).astype(np.float32)
    assert np.array_equal(round_bits(values[:, ::2]), round_bits(values)[:, ::2])
