"""Literals: what people write is read as they mean it, and any other float stays itself."""

import math
import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verimath.formula.literals import Constant, read_literal

MEANT = {
    "2/3": (2 / 3, "2/3"),
    "-2/3": (-2 / 3, "-2/3"),
    "0.1": (0.1, "1/10"),
    "1e-4": (1e-4, "1/10000"),
    "0.03": (0.03, "3/100"),
    "1e300": (1e300, str(10**300)),
    "5e-324": (5e-324, str(Fraction("5e-324"))),
    "0.0": (0.0, "0"),
    "-0.0": (-0.0, "0"),
    "100/3": (100 / 3, "100/3"),
    "1e6/3": (1e6 / 3, "1000000/3"),
    "1/300000": (1 / 300000, "1/300000"),
    "1/255": (1 / 255, "1/255"),
    "0.7/3": (0.7 / 3, "7/30"),
    "math.pi": (math.pi, "pi"),
    "-math.pi": (-math.pi, "-1*pi"),
    "2*math.pi": (2 * math.pi, "2*pi"),
    "0.5*math.pi/3": (0.5 * math.pi / 3, "1/6*pi"),
    "math.e": (math.e, "e"),
    "math.sqrt(1/2)": (math.sqrt(1 / 2), "sqrt(1/2)"),
    "1/math.sqrt(2)": (1 / math.sqrt(2), "sqrt(1/2)"),
    "-math.sqrt(2)": (-math.sqrt(2), "-1*sqrt(2)"),
    "2**0.5/3": (2**0.5 / 3, "sqrt(2/9)"),
}


@pytest.mark.parametrize("text", MEANT)
def test_literals_are_read_as_meant(text):
    value, meant = MEANT[text]
    assert str(read_literal(value)) == meant


@given(st.integers(-300, 300), st.integers(1, 300))
def test_small_fractions_are_read_exactly(p, q):
    assert read_literal(p / q) == Constant(Fraction(p, q))


@given(st.decimals(-1000, 1000, places=6))
def test_short_decimals_are_read_exactly(value):
    assert read_literal(float(value)) == Constant(Fraction(value))


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=300)
def test_a_reading_rounds_to_the_literal(value):
    found = read_literal(value)
    assert abs(float(found) - value) <= (0 if found.unit == "1" else 2 * math.ulp(value))


@pytest.mark.parametrize("exponent", [-300, -20, -6, -3, 0, 1, 3, 5, 7, 9, 12, 15, 18, 300])
def test_long_random_floats_stay_themselves(exponent):
    generator = random.Random(exponent)
    for _ in range(500):
        value = generator.uniform(1, 10) * 10.0**exponent
        if len(repr(value).split("e")[0]) >= 17:
            assert read_literal(value) == Constant(Fraction(value))


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=300)
def test_a_literal_is_remembered_as_written(value):
    assert read_literal(value).written == value


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_is_no_real_number_is_refused(value):
    with pytest.raises(ValueError, match="is no real number"):
        read_literal(value)
