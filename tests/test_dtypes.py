"""Dtypes: rounding to bfloat16 as torch rounds, neighbours, and which decimals a dtype holds."""

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from verimath.dtypes import (
    DTYPES,
    adjacent,
    carrier,
    every_number,
    holds_decimal,
    largest,
    least_normal,
    least_subnormal,
    nearest,
    roundoff,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)
NEAR = st.floats(-4e38, 4e38) | st.floats(-1e-37, 1e-37) | st.floats(-70000, 70000)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_numbers_of_a_dtype_are_torchs(dtype):
    info = torch.finfo(getattr(torch, dtype))
    assert 2 * roundoff(dtype) == info.eps
    assert (largest(dtype), least_normal(dtype)) == (info.max, info.smallest_normal)
    if dtype != "float64":
        tiny = torch.tensor([least_subnormal(dtype) / 2.1, least_subnormal(dtype)])
        assert [x > 0 for x in tiny.double().to(getattr(torch, dtype))] == [False, True]


@given(st.floats(width=32) | st.floats(-(2.0**-123), 2.0**-123, width=32))
def test_float32_numbers_round_to_bfloat16_as_torch_rounds_them(number):
    want = torch.tensor([number]).bfloat16().float().numpy()
    found = nearest(np.array([number]), "bfloat16")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, want)


@given(NEAR, st.sampled_from(["float32", "float16", "bfloat16"]))
def test_nearest_is_at_least_as_near_as_both_neighbours(number, dtype):
    found = float(nearest(number, dtype))
    if math.isinf(found):
        assert abs(number) > largest(dtype)
        return
    assert carrier(dtype).type(found) == found
    distance = abs(Fraction(found) - Fraction(number))
    for towards in (math.inf, -math.inf):
        other = adjacent(found, towards, dtype)
        if math.isfinite(other):
            assert other != found
            assert distance <= abs(Fraction(other) - Fraction(number))


def test_float64_values_are_rounded_once():
    # Through float32 this becomes a tie, and the tie goes to the even 1.
    number = 1 + 2.0**-8 + 2.0**-40
    assert float(nearest(number, "bfloat16")) == 1 + 2.0**-7
    assert float(torch.tensor(number, dtype=torch.float32).bfloat16()) == 1.0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_every_number_is_there_once_and_is_its_own_nearest(dtype):
    numbers = every_number(dtype)
    exponents = 5 if dtype == "float16" else 8
    assert len(numbers) == 2**16 - 2 ** (16 - exponents)  # both signs of the last exponent
    assert len(np.unique(numbers)) == len(numbers) - 1  # two zeros
    np.testing.assert_array_equal(nearest(numbers, dtype), numbers)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_neighbours_are_neighbours_in_the_list(dtype):
    numbers = np.unique(every_number(dtype)).astype(float).tolist()
    for one, other in pairwise(numbers):
        assert adjacent(one, math.inf, dtype) == other
        assert adjacent(other, -math.inf, dtype) == one


def test_a_wide_dtype_is_not_listed():
    with pytest.raises(ValueError, match="float32 has too many numbers to list"):
        every_number("float32")


@pytest.mark.parametrize(
    ("value", "held"),
    [
        (0.1294, ["float64", "float32"]),
        (0.129, ["float64", "float32", "float16"]),
        (0.13, list(DTYPES)),
        (0.0, list(DTYPES)),
        (1024.0, list(DTYPES)),
        (2049.0, ["float64", "float32"]),
        (1e5, ["float64", "float32", "bfloat16"]),  # one digit
        (123456.0, ["float64", "float32"]),
        (0.12345678, ["float64"]),
    ],
)
def test_which_decimals_survive(value, held):
    assert [dtype for dtype in DTYPES if holds_decimal(value, dtype)] == held


@given(st.integers(1, 999), st.integers(-3, 2))
def test_a_held_decimal_reads_back_from_float16(digits, exponent):
    value = float(f"{digits}e{exponent}")
    if holds_decimal(value, "float16"):
        back = float(f"{float(nearest(value, 'float16')):.3g}")
        assert back == value
    else:
        assert not least_normal("float16") <= value <= largest("float16")
