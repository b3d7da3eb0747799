"""Counterexamples: in the domain, exact, small, and between the numbers that are said of them."""

from fractions import Fraction

import mpmath
import pytest
from array_api_compat import array_namespace as ns
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proof.test_identity import equal
from verimath import (
    binary,
    distinct,
    integers,
    labels,
    masks,
    nonzero,
    orthogonal,
    positive,
    reals,
    signs,
    simplex,
    unit_interval,
    unit_vectors,
)
from verimath import given as fixed
from verimath.proof.kinks import wide_kink
from verimath.proof.refute import refute


def total(x):
    return ns(x).sum(x)


def gap(found):
    return Fraction(found.low), Fraction(found.high)


# An input, and what its members are.
DOMAINS = {
    "reals": (reals("n"), lambda x: True),
    "a range": (
        reals("n", 0.1, 0.3),
        lambda x: all(Fraction(1, 10) <= v <= Fraction(3, 10) for v in x),
    ),
    "above": (reals("n", 2), lambda x: min(x) >= 2),
    "far above": (reals("n", 2.5, exclude_min=True), lambda x: min(x) > 2.5),
    "below": (reals("n", max_value=-2, exclude_max=True), lambda x: max(x) < -2),
    "open": (
        reals("n", -1, 1, exclude_min=True, exclude_max=True),
        lambda x: -1 < min(x) <= max(x) < 1,
    ),
    "positive": (positive("n", 0.5), lambda x: 0 < min(x) <= max(x) <= 0.5),
    "nonzero": (nonzero("n"), lambda x: 0 not in x),
    "nonzero above": (nonzero("n", 0), lambda x: min(x) > 0),
    "nonzero between": (nonzero("n", -0.25, 0.25), lambda x: all(0 < abs(v) <= 0.25 for v in x)),
    "unit": (unit_interval("n"), lambda x: 0 <= min(x) <= max(x) <= 1),
    "distinct": (distinct("n"), lambda x: len(set(x)) == len(x)),
    "distinct in a range": (
        distinct("n", 0, 1),
        lambda x: len(set(x)) == len(x) and 0 <= min(x) <= max(x) <= 1,
    ),
    "distinct below": (distinct("n", max_value=0), lambda x: len(set(x)) == len(x) and max(x) <= 0),
    "whole": (integers("n"), lambda x: all(v.denominator == 1 for v in x)),
    "whole between": (integers("n", 3, 5), lambda x: set(x) <= {3, 4, 5}),
    "labels": (labels("n", classes=3), lambda x: set(x) <= {0, 1, 2}),
    "ignored": (labels("n", classes=2, ignore_index=-7), lambda x: set(x) <= {0, 1, -7}),
    "masks": (masks("n"), lambda x: set(x) <= {0, 1}),
    "binary": (binary("n"), lambda x: set(x) <= {0, 1}),
    "signs": (signs("n"), lambda x: set(x) <= {-1, 1}),
    "rows": (simplex("n"), lambda x: sum(x) == 1 and min(x) >= 0),
    "vectors": (unit_vectors("n"), lambda x: sum(v * v for v in x) == 1),
    "given": (fixed([0.1, -2.0]), lambda x: list(x) == [Fraction(1, 10), -2]),
}


@pytest.mark.parametrize("name", DOMAINS)
@pytest.mark.parametrize("n", [1, 2, 4])
def test_points_are_members_of_the_domain(name, n):
    """Of n elements; the two sides differ by n - 1 + the sum of an input that may be anything."""
    spec, holds = DOMAINS[name]

    def one_off(x, y):
        real = ns(y).astype(x, y.dtype) if spec.kind != "real" else x
        return total(y) + 0 * total(real) + y.shape[0]

    shapes = {"x": spec, "y": reals("n" if name != "given" else "2")}
    for seed in range(3):
        found = refute(
            equal(one_off, lambda x, y: total(y) + (y.shape[0] - 1), **shapes),
            seed=seed,
            also={"n": n},
        )
        assert found is not None
        assert holds(list(found.point["x"].ravel()))
        assert gap(found)[0] <= 1 <= gap(found)[1]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", [k for k, (spec, _) in DOMAINS.items() if spec.kind == "real"])
def test_points_with_large_numbers_are_members_too(name, seed):
    """Nothing about single numbers is true of all of them, so the last sizes are reached."""
    spec, holds = DOMAINS[name]
    last = {"n": 6}
    if name == "given":
        last = {}

    def left(x):
        return total(x) * 0 + (x.shape[0] - 1) * (x.shape[0] - 2) * (x.shape[0] - 3) * (
            x.shape[0] - 4
        )

    found = refute(equal(left, lambda x: 0 * total(x), x=spec), seed=seed, also=last)
    assert (found is None) == (name == "given")
    if found is not None:
        assert found.binding == last
        assert found.point["x"].shape == (6,)
        assert holds(list(found.point["x"]))
        assert found.left == "120"
        assert found.right == "0"


def test_the_smallest_sizes_come_first_and_unequal_ones_before_equal():
    one = equal(
        lambda x: total(x) * 0 + x.shape[0], lambda x: total(x) * 0 + x.shape[1], x=reals("n m")
    )
    assert sorted(refute(one).binding.values()) == [1, 2]
    square = equal(lambda A: total(A @ A), lambda A: total(A * A), A=reals("n n"))
    assert refute(square).binding == {"n": 2}
    assert refute(equal(lambda x: x, lambda x: x * 1, x=reals("n"))) is None


def test_the_output_and_the_element_are_named():
    one = equal(
        lambda x, A: (x, A @ A, total(x * x)),
        lambda x, A: (x * 1, A @ A + ns(A).tril(A, k=-1), total(x**2)),
        x=reals("2"),
        A=reals("2 2"),
    )
    found = refute(one)
    assert found.output == 1
    assert found.index == (1, 0)
    difference = Fraction(found.left) - Fraction(found.right)
    assert gap(found)[0] <= difference <= gap(found)[1]
    A = found.point["A"]
    assert difference == -A[1, 0] != 0
    assert Fraction(found.left) == (A @ A)[1, 0]


def test_counterexamples_are_made_simple():
    found = refute(equal(lambda x, y: x * y, lambda x, y: x + y, x=reals("2"), y=reals("3 1 2")))
    cells = [v for values in found.point.values() for v in values.ravel()]
    assert set(cells) <= {0, 1}
    assert sum(map(abs, cells)) == 1
    # 2 is the smallest whole number where x^2 (x - 1) (x + 1) isn't zero; -1 and 1 stay in reach
    one = equal(lambda x: x**4, lambda x: x**2, x=reals())
    assert abs(refute(one).point["x"][()]) in (2, 3)
    low = equal(lambda x: x**2, lambda x: 0 * x, x=reals("", 0.5, 4))
    assert refute(low).point["x"][()] == 1
    far = equal(lambda x: x**2, lambda x: 0 * x, x=reals("", 3.25, 3.75))
    assert Fraction(13, 4) <= refute(far).point["x"][()] <= Fraction(15, 4)


def test_a_sign_is_found():
    """Also where there is one choice of sizes alone, and few small numbers."""
    for seed in range(8):
        found = refute(equal(abs, lambda x: x, x=reals()), seed=seed)
        assert (found.left, found.right, found.point["x"][()]) == ("1", "-1", -1)
        assert gap(found)[0] <= 2 <= gap(found)[1]


@settings(max_examples=30)
@given(st.sampled_from(["exp", "log", "sqrt", "sin"]), st.integers(0, 2**10), st.integers(-12, 12))
def test_differences_lie_between_their_ends(function, seed, exponent):
    """Of numbers that are no fractions: mpmath's difference is there, and the ends are close."""
    scale = 10.0**exponent
    one = equal(
        lambda x: getattr(ns(x), function)(x) * scale, lambda x: -x * scale, x=reals("", 2, 9)
    )
    found = refute(one, seed=seed)
    with mpmath.workdps(60):
        x = mpmath.mpf(found.point["x"][()].numerator) / found.point["x"][()].denominator
        ten = mpmath.mpf(10) ** exponent
        exact = (getattr(mpmath, function)(x) + x) * ten
        low, high = mpmath.mpf(found.low), mpmath.mpf(found.high)
        assert low <= exact <= high
        assert high - low <= abs(exact) * mpmath.mpf(10) ** -6
        assert abs(mpmath.mpf(found.left) - getattr(mpmath, function)(x) * ten) < 1e-9 * ten * 1e4


def test_large_powers_are_shown_as_decimals():
    found = refute(equal(lambda x: x**300, lambda x: x**301, x=reals("", 3, 4)))
    assert "e+" in found.left
    assert "/" not in found.left
    low, high = gap(found)
    x = found.point["x"][()]
    assert low <= x**300 - x**301 <= high < 0


TIED = {
    "itself": (lambda x, A: x > x, True),
    "itself otherwise written": (lambda x, A: 2 * x > x + x, True),
    "on the diagonal": (lambda x, A: x[:, None] < x, True),
    "a matrix and its transpose": (lambda x, A: A <= A.T, True),
    "two numbers": (lambda x, A: x > A[0, :], False),
    "never equal": (lambda x, A: x > x + 1, False),
    "only at zero": (lambda x, A: x * x > 0, False),
}


@pytest.mark.parametrize("name", TIED)
def test_comparisons_between_equal_numbers_are_found(name):
    compare, tied = TIED[name]
    one = equal(
        lambda x, A: ns(x).astype(compare(x, A), x.dtype) * 1,
        lambda x, A: 0 * ns(x).astype(compare(x, A), x.dtype),
        x=reals("n"),
        A=reals("n n"),
    )
    for seed in range(3):
        assert (wide_kink(one, [{"n": 2}, {"n": 3}], seed=seed) is not None) == tied


STRUCTURES = {
    "orthogonal": (orthogonal(), lambda Q: Q @ Q.T, lambda Q: 0 * Q + ns(Q).eye(Q.shape[0])),
    "rows": (simplex("n n"), lambda Q: ns(Q).sum(Q, axis=1), lambda Q: 0 * Q[:, 0] + 1),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_what_is_true_of_a_structure_is_not_refuted(name):
    spec, left, right = STRUCTURES[name]
    for seed in range(3):
        assert refute(equal(left, right, Q=spec), seed=seed) is None
