"""What elimination is said to leave holds for elimination, in exact arithmetic on its results."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from verimath.arithmetic.bounds.matrices import eliminated
from verimath.arithmetic.formats import FLOAT32
from verimath.arithmetic.operand import gamma
from verimath.arithmetic.rounding import evaluate
from verimath.formula import operations as op
from verimath.formula.graph import Formula
from verimath.shapes import Size


def met(a, off=0.0):
    a = np.asarray(a, dtype=np.float64)[None]
    with np.errstate(divide="ignore", invalid="ignore"):
        return eliminated(a, np.broadcast_to(off, a.shape), FLOAT32)


def float32_elimination(a, b, *, reciprocals, backwards):
    """x with A x = b, number by number in float32; sums from either end."""
    one = np.float32(1)
    a, b = np.array(a, dtype=np.float32), np.array(b, dtype=np.float32)
    n = len(b)

    def divided(x, y):
        return x * (one / y) if reciprocals else x / y

    for k in range(n):
        row = k + int(np.argmax(np.abs(a[k:, k])))
        a[[k, row]], b[[k, row]] = a[[row, k]], b[[row, k]]
        for i in range(k + 1, n):
            factor = divided(a[i, k], a[k, k])
            a[i, k:] = a[i, k:] - factor * a[k, k:]
            b[i] = b[i] - factor * b[k]
    x = np.zeros(n, dtype=np.float32)
    for i in reversed(range(n)):
        rest = b[i]
        others = range(i + 1, n)
        for j in reversed(others) if backwards else others:
            rest = rest - a[i, j] * x[j]
        x[i] = divided(rest, a[i, i])
    return x


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 6),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.0, 3.0]),
)
@settings(max_examples=200)
def test_a_solution_solves_a_system_as_near_as_is_said(seed, n, reciprocals, backwards, spread):
    """Oettli and Prager (Higham, theorem 7.3): |b - A x| <= gamma_3n V |x|, in rationals."""
    random = np.random.default_rng(seed)
    a = (random.normal(size=(n, n)) * 10 ** random.uniform(-spread, spread, (n, 1))).astype("f4")
    b = random.normal(size=n).astype("f4")
    x = float32_elimination(a, b, reciprocals=reciprocals, backwards=backwards)
    assume(np.isfinite(x).all())
    allowed = gamma(3 * n, FLOAT32) * met(a).counted[0] @ np.abs(x.astype(np.float64))
    for row, right, most in zip(a, b, allowed, strict=True):
        exact = sum(Fraction(float(p)) * Fraction(float(q)) for p, q in zip(row, x, strict=True))
        assert abs(float(Fraction(float(right)) - exact)) <= most


def solved(a, b):
    """x with A x = b, in rationals."""
    rows = [[Fraction(float(t)) for t in (*row, right)] for row, right in zip(a, b, strict=True)]
    n = len(rows)
    for k in range(n):
        best = max(range(k, n), key=lambda i: abs(rows[i][k]))
        rows[k], rows[best] = rows[best], rows[k]
        for i in range(n):
            factor = rows[i][k] / rows[k][k] if i != k else 0
            rows[i] = [s - factor * t for s, t in zip(rows[i], rows[k], strict=True)]
    return [row[n] / row[k] for k, row in enumerate(rows)]


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 4),
    st.sampled_from(["float64", "float32"]),
    st.integers(-30, 0),
)
def test_a_right_side_of_subnormal_numbers(seed, n, dtype, power):
    """What underflows on the way is divided by the pivots."""
    random = np.random.default_rng(seed)
    least = np.finfo(dtype).smallest_subnormal
    a = np.ldexp(random.normal(size=(n, n)), power).astype(dtype)
    b = random.integers(-2000, 2000, n).astype(dtype) * least
    x = np.linalg.solve(a, b)
    size = Size.of(n)
    names = {"a": op.input_("a", (size, size)), "b": op.input_("b", (size,))}
    columns = op.reshape(names["b"], (size, Size.of(1)))
    formula = Formula("x", names, (op.solve(names["a"], columns),), {})
    inputs = {"a": a[None].astype("f8"), "b": b[None].astype("f8")}
    (found,) = evaluate(formula, inputs, {}, dtypes=(dtype,))
    bounds = (found.bounds[dtype] + found.error)[0, :, 0]
    assume(np.isfinite(bounds).all())
    for got, exact, bound in zip(x, solved(a, b), bounds, strict=True):
        assert abs(Fraction(float(got)) - exact) <= Fraction(float(bound))


def counted(lower, upper):
    """V, summand by summand, as docs/bounds.md counts."""
    n = len(lower)
    found = np.zeros((n, n))
    for i in range(1, n + 1):
        for j in range(1, n + 1):
            for k in range(1, min(i, j) + 1):
                factoring = i - 1 if j >= i else j + 1
                solving = (i - 1) + (n - k + 2)
                inverting = (j + 1) + (n - k)
                count = factoring + max(solving, inverting) + 2
                found[i - 1, j - 1] += count * abs(lower[i - 1, k - 1] * upper[k - 1, j - 1])
    return np.broadcast_to(np.max(found, axis=0) / (3 * n), (n, n))


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_each_product_of_factors_counts_its_own_roundings(n):
    random = np.random.default_rng(n)
    lower = np.tril(random.uniform(-0.5, 0.5, (n, n)), -1) + np.eye(n)
    upper = np.triu(random.uniform(-0.5, 0.5, (n, n)), 1) + np.diag(2.0 ** np.arange(1, n + 1))
    # Multipliers of at most a half: no other row is nearly as good a pivot.
    found = met(lower @ upper)
    np.testing.assert_allclose(found.counted[0], counted(lower, upper), rtol=1e-12)
    column = np.max(np.abs(lower) @ np.abs(upper), axis=0)
    np.testing.assert_allclose(found.growth[0], 2 * np.broadcast_to(column, (n, n)), rtol=1e-12)


LARGE = [[4.0, 1.0, 0.5], [1.0, 3.0, 1.0], [0.5, 1.0, 2.0]]


def test_where_libraries_may_choose_other_pivots_all_roundings_are_taken_twice():
    clear = met(LARGE)
    assert (clear.counted < 0.5 * clear.growth).all()
    close = np.array(LARGE)
    close[2, 0] = -3.95
    for a, off in [(close, 0.0), (LARGE, 0.05), (np.zeros((3, 3)), 0.0)]:
        found = met(a, off)
        np.testing.assert_array_equal(found.counted, found.growth)


def test_a_matrix_that_cancels_leaves_its_pivots_open():
    """After one step both candidates are rounding errors."""
    a = np.full((3, 3), 1.0)
    a[0, 0], a[1, 1], a[2, 2] = 2.0, 0.5 + 1e-6, 0.5 + 3e-6
    a[1, 2] = a[2, 1] = 0.5
    found = met(a)
    np.testing.assert_array_equal(found.counted, found.growth)


def test_a_batch_is_judged_matrix_by_matrix():
    ties = [[1.0, 1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    both = eliminated(np.array([LARGE, ties]), np.zeros((2, 3, 3)), FLOAT32)
    assert (both.counted[0] < both.growth[0]).all()
    np.testing.assert_array_equal(both.counted[1], both.growth[1])


def test_a_pivot_without_a_reciprocal_leaves_no_bound():
    """MKL multiplies by 1 / 2^-128, which is infinite in float32, and gets NaN of its zeros."""
    size = Size.of(3)
    a = op.input_("a", (size, size))
    far = np.array([[0, 2.0**-128, 0], [2.0**-81, 0, 0], [0, 0, 2.0**-79]])
    near = np.diag([2.0**-128, 2.0**-127, 2.0**-127])
    for output, small in ((op.determinant(a), far), (op.solve(a, a), near)):
        formula = Formula("f", {"a": a}, (output,), {})
        for values, bounded in ((small, False), (small * 2.0**30, True)):
            (found,) = evaluate(formula, {"a": values[None]}, {}, dtypes=("float32",))
            assert np.isfinite(found.bounds["float32"]).all() == bounded
            assert np.isfinite(found.error).all()
    one = op.input_("a", (Size.of(1),) * 2)
    formula = Formula("f", {"a": one}, (op.determinant(one),), {})
    (found,) = evaluate(formula, {"a": np.full((1, 1, 1), 2.0**-140)}, {}, dtypes=("float32",))
    assert np.isfinite(found.bounds["float32"]).all()
