"""The recheck's dual numbers against differences in mpmath, with 60 digits."""

from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest

from verimath.rechecking.dual import Dual
from verimath.rechecking.plain import Pair
from verimath.rechecking.reals import Reals

STEP = mpmath.mpf(10) ** -15
FUNCTIONS = {
    "exp": 0.7,
    "log": 0.7,
    "sin": 0.7,
    "cos": 0.7,
    "asin": 0.3,
    "acos": 0.3,
    "atan": 0.7,
    "asinh": 0.7,
    "acosh": 1.7,
    "atanh": 0.3,
    "erf": 0.7,
}


@pytest.fixture(autouse=True)
def digits():
    before = flint.ctx.prec
    flint.ctx.prec = 256
    with mpmath.workdps(60):
        yield
    flint.ctx.prec = before


def balls(values):
    found = np.empty(np.shape(values), dtype=object)
    for place in np.ndindex(*found.shape):
        found[place] = flint.arb(float(np.asarray(values)[place]))
    return found


def near(ball, number):
    ball = flint.arb(ball)  # zeros may be rational numbers
    return abs(mpmath.mpf(ball.mid().str(50, radius=False)) - number) < 1e-20 * (1 + abs(number))


def slope(function, at):
    return (function(at + STEP) - function(at - STEP)) / (2 * STEP)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_have_their_derivatives(name):
    at, function = mpmath.mpf(FUNCTIONS[name]), getattr(mpmath, name)
    x = Pair(balls([float(at)]), balls([3.0]))
    found = Dual(Reals()).function(name, x)
    assert near(found.primal[0], function(at))
    assert near(found.tangent[0], 3 * slope(function, at))
    twice = Dual(Dual(Reals())).function(name, Pair(x, Pair(balls([2.0]), balls([0.0]))))
    bent = slope(lambda v: mpmath.diff(function, v), at)
    assert (
        abs(mpmath.mpf(str(twice.tangent.tangent[0].mid().str(30, radius=False))) - 6 * bent) < 1e-8
    )


@pytest.mark.parametrize("exponent", [Fraction(3), Fraction(-2), Fraction(1, 2), Fraction(-3, 2)])
def test_powers_and_quotients_have_theirs(exponent):
    numbers, at = Dual(Reals()), mpmath.mpf(0.7)
    x = Pair(balls([0.7]), balls([3.0]))
    k = mpmath.mpf(exponent.numerator) / exponent.denominator
    raised = numbers.power(x, exponent)
    assert near(raised.tangent[0], 3 * slope(lambda v: v**k, at))
    ratio = numbers.divide(numbers.function("exp", x), raised)
    assert near(ratio.tangent[0], 3 * slope(lambda v: mpmath.exp(v) / v**k, at))


MATRIX = np.array([[3.0, 1.0, 0.5], [1.0, 2.0, -0.25], [0.5, -0.25, 4.0]])
MOVED = np.array([[1.0, 0.5, -2.0], [0.5, 3.0, 1.0], [-2.0, 1.0, 0.25]])


def along(function):
    """How a matrix's function moves with the matrix, element by element."""

    def at(t):
        return function(mpmath.matrix(MATRIX.tolist()) + t * mpmath.matrix(MOVED.tolist()))

    return (at(STEP) - at(-STEP)) / (2 * STEP)


@pytest.mark.parametrize("stacked", [False, True])
def test_matrices_have_theirs(stacked):
    def lifted(values):
        cells = balls(values)
        return np.stack([balls(np.eye(*values.shape)), cells]) if stacked else cells

    numbers = Dual(Reals())
    a = Pair(lifted(MATRIX), lifted(MOVED))
    own = (1,) if stacked else ()  # the stack's last one
    sides = np.array([[2, 0], [1, 1], [0, 5]], dtype=object)
    right = numbers.lift(np.stack([sides, sides]) if stacked else sides)
    found = numbers.solve(a, right)
    want = along(lambda m: m**-1 * mpmath.matrix([[2, 0], [1, 1], [0, 5]]))
    assert all(near(found.tangent[(*own, i, j)], want[i, j]) for i in range(3) for j in range(2))
    assert near(numbers.determinant(a).tangent[own], along(mpmath.det))
    low = numbers.cholesky(a)
    want = along(mpmath.cholesky)
    assert all(near(low.tangent[(*own, i, j)], want[i, j]) for i in range(3) for j in range(3))
    exact = mpmath.cholesky(mpmath.matrix(MATRIX.tolist()))
    assert all(near(low.primal[(*own, i, j)], exact[i, j]) for i in range(3) for j in range(3))


def test_singular_matrices_and_swapped_rows():
    numbers = Reals()
    swapped = balls([[0.0, 2.0], [3.0, 1.0]])
    assert near(numbers.determinant(swapped)[()], -6)
    assert near(numbers.determinant(balls([[1.0, 2.0], [2.0, 4.0]]))[()], 0)
    solved = numbers.solve(swapped, balls([[2.0], [4.0]]))
    assert near(solved[0, 0], 1)
    assert near(solved[1, 0], 1)
