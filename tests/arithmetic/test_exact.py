"""Rational and ball arithmetic against Python's fractions and mpmath."""

from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
from array_api_compat import array_namespace as ns
from hypothesis import given, settings
from hypothesis import strategies as st

from verimath.arithmetic.ball import BALLS, decided
from verimath.arithmetic.exact import UndecidedError, evaluate
from verimath.arithmetic.rational import RATIONALS
from verimath.errors import NotExpressibleError
from verimath.formula.core import lowered
from verimath.formula.trace import trace
from verimath.shapes import parse_shape

SMALL = st.fractions(-4, 4, max_denominator=9)


def values_of(function, numbers, binding, **inputs):
    shapes = {name: parse_shape(text).expand({}) for name, (text, _) in inputs.items()}
    outputs = lowered(trace(function, shapes).outputs)
    point = {name: numbers.array(cells) for name, (_, cells) in inputs.items()}
    return evaluate(outputs, point, binding, numbers)


def fractions_of(cells):
    return np.frompyfunc(lambda x: Fraction(int(x.p), int(x.q)), 1, 1)(cells)


@given(st.lists(SMALL, min_size=6, max_size=6), st.lists(SMALL, min_size=3, max_size=3))
def test_rationals_are_fractions(cells, vector):
    A, v = np.array(cells, dtype=object).reshape(2, 3), np.array(vector, dtype=object)

    def function(A, v):
        xp = ns(A)
        return A @ v - xp.sum(A, axis=1) * xp.mean(v) + (v @ v) ** 2 / 3

    (found,) = values_of(function, RATIONALS, {"n": 2, "d": 3}, A=("n d", A), v=("d", v))
    wanted = A @ v - A.sum(axis=1) * (sum(v) / Fraction(3)) + (v @ v) ** 2 / Fraction(3)
    assert (fractions_of(found) == wanted).all()


@given(st.lists(SMALL, min_size=9, max_size=9))
def test_rational_inverses(cells):
    A = np.array(cells, dtype=object).reshape(3, 3)
    minors = sum(
        A[0, i] * (A[1, j] * A[2, k] - A[1, k] * A[2, j])
        for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1))
    )

    def inverse(A):
        return ns(A).linalg.inv(A), ns(A).linalg.det(A)

    if minors == 0:
        with pytest.raises(UndecidedError, match="pivot"):
            values_of(inverse, RATIONALS, {"n": 3}, A=("n n", A))
        return
    found, determinant = values_of(inverse, RATIONALS, {"n": 3}, A=("n n", A))
    assert (fractions_of(found) @ A == np.eye(3, dtype=int)).all()
    assert fractions_of(determinant) == minors


def test_rationals_know_what_they_lack():
    half = np.array([Fraction(1, 2)], dtype=object)
    for function in (
        lambda x: ns(x).exp(x),
        lambda x: ns(x).sqrt(x),
        lambda x: x * 3.141592653589793,
    ):
        with pytest.raises(NotExpressibleError, match="among rational numbers"):
            values_of(function, RATIONALS, {"n": 1}, x=("n", half))
    quarter = np.array([Fraction(1, 4)], dtype=object)
    (root,) = values_of(lambda x: ns(x).sqrt(x), RATIONALS, {"n": 1}, x=("n", quarter))
    assert root[0] == flint.fmpq(1, 2)


def test_a_kink_is_no_place_for_a_step():
    zero = np.array([Fraction(0)], dtype=object)
    for numbers in (RATIONALS, BALLS):
        with pytest.raises(UndecidedError, match="sign"):
            values_of(lambda x: ns(x).sign(x), numbers, {"n": 1}, x=("n", zero))


FUNCTIONS = {
    "exp": mpmath.exp,
    "log": mpmath.log,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "tanh": mpmath.tanh,
    "atan": mpmath.atan,
    "asinh": mpmath.asinh,
    "sqrt": mpmath.sqrt,
    "expm1": mpmath.expm1,
    "log1p": mpmath.log1p,
    "sinh": mpmath.sinh,
}


@given(st.sampled_from(list(FUNCTIONS)), st.fractions(Fraction(1, 8), 8, max_denominator=64))
@settings(max_examples=60)
def test_balls_contain_the_value_and_are_narrow(name, x):
    cells = np.array([x], dtype=object)
    (found,) = decided(
        lambda: values_of(lambda x: getattr(ns(x), name)(x), BALLS, {"n": 1}, x=("n", cells))
    )
    with mpmath.workdps(60):
        wanted = FUNCTIONS[name](mpmath.mpf(x.numerator) / x.denominator)
        ball = flint.arb(mpmath.nstr(wanted, 55))
    assert found[0].overlaps(ball + flint.arb(0, 1e-50))
    assert found[0].rad() < 1e-30


def test_precision_is_raised_until_it_is_enough():
    tried = []

    def question():
        tried.append(flint.ctx.prec)
        if flint.ctx.prec < 1000:
            raise UndecidedError("not yet")
        return "now"

    before = flint.ctx.prec
    assert decided(question) == "now"
    assert tried == [256, 512, 1024]
    assert flint.ctx.prec == before
    with pytest.raises(UndecidedError, match="never"):
        decided(lambda: (_ for _ in ()).throw(UndecidedError("never")))
