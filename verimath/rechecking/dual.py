"""Dual numbers: a derivative beside every value of another arithmetic."""

from collections.abc import Callable
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from verimath.rechecking.graph import Number
from verimath.rechecking.limits import RefusedError
from verimath.rechecking.plain import (
    Pair,
    Plain,
    negative,
    objects,
    plus,
    shape_of,
    subtract,
    times,
)


class Dual(Plain):
    """Values with derivatives, after Griewank & Walther, Evaluating Derivatives, ch. 3.

    The arithmetic below may be dual itself: then these are second derivatives.
    """

    def __init__(self, below: Plain) -> None:
        self.below = below

    def constant(self, x: Any) -> Any:
        """A value that doesn't move."""
        return Pair(x, self.below.linear(lambda a: a * 0, x))

    def number(self, number: Number) -> Any:
        return self.constant(self.below.number(number))

    def lift(self, x: Any) -> Any:
        return self.constant(self.below.lift(x))

    def linear(self, function: Callable[..., Any], *xs: Any) -> Any:
        below = self.below
        return Pair(
            below.linear(function, *(x.primal for x in xs)),
            below.linear(function, *(x.tangent for x in xs)),
        )

    def bilinear(self, function: Callable[[Any, Any], Any], x: Any, y: Any) -> Any:
        below = self.below
        return Pair(
            below.bilinear(function, x.primal, y.primal),
            below.linear(
                plus,
                below.bilinear(function, x.tangent, y.primal),
                below.bilinear(function, x.primal, y.tangent),
            ),
        )

    def divide(self, x: Any, y: Any) -> Any:
        below = self.below
        quotient = below.divide(x.primal, y.primal)
        rest = below.linear(subtract, x.tangent, below.bilinear(times, quotient, y.tangent))
        return Pair(quotient, below.divide(rest, y.primal))

    def power(self, x: Any, exponent: Fraction) -> Any:
        below = self.below
        slope = below.power(x.primal, exponent - 1)
        factor = below.number(Number(exponent))
        slope = below.linear(lambda a, c=factor: a * _bare(c), slope)
        return Pair(below.power(x.primal, exponent), below.bilinear(times, slope, x.tangent))

    def function(self, name: str, x: Any) -> Any:
        below = self.below
        slope = self._slope(name, x.primal)
        return Pair(below.function(name, x.primal), below.bilinear(times, slope, x.tangent))

    def _slope(self, name: str, x: Any) -> Any:
        """Derivatives as in Abramowitz & Stegun, 4.4.52-4.4.57, 4.6.37-4.6.42 and 7.1.1."""
        below, half = self.below, Fraction(1, 2)

        def one(sign: int, other: int) -> Any:
            square = below.bilinear(times, x, x)
            ones = below.lift(np.full(shape_of(x), other, dtype=object))
            return below.linear(lambda a, b: a * sign + b, square, ones)

        if name == "exp":
            return below.function("exp", x)
        if name == "log":
            return below.power(x, Fraction(-1))
        if name == "sin":
            return below.function("cos", x)
        if name == "cos":
            return below.linear(negative, below.function("sin", x))
        if name in ("asin", "acos"):
            root = below.power(one(-1, 1), -half)
            return root if name == "asin" else below.linear(negative, root)
        if name == "asinh":
            return below.power(one(1, 1), -half)
        if name == "acosh":
            return below.power(one(1, -1), -half)
        if name in ("atan", "atanh"):
            return below.power(one(1 if name == "atan" else -1, 1), Fraction(-1))
        if name == "erf":
            bell = below.function("exp", below.linear(negative, below.bilinear(times, x, x)))
            pi = below.lift(_like(below.number(Number(Fraction(1), "pi")), x))
            root = below.power(pi, -half)
            return below.linear(lambda a: a * 2, below.bilinear(times, bell, root))
        raise RefusedError(f"no derivative of {name!r} is known here")

    def step(self, x: Any) -> Any:
        return self.constant(self.below.step(x.primal))

    def tie(self, x: Any) -> Any:
        return self.constant(self.below.tie(x.primal))

    def share(self, x: Any, axis: int) -> Any:
        return self.constant(self.below.share(x.primal, axis))

    def solve(self, matrix: Any, right: Any) -> Any:
        below = self.below
        found = below.solve(matrix.primal, right.primal)
        moved = below.bilinear(np.matmul, matrix.tangent, found)
        return Pair(found, below.solve(matrix.primal, below.linear(subtract, right.tangent, moved)))

    def determinant(self, matrix: Any) -> Any:
        below = self.below
        found = below.determinant(matrix.primal)
        trace = below.linear(_trace, below.solve(matrix.primal, matrix.tangent))
        return Pair(found, below.bilinear(times, found, trace))

    def cholesky(self, matrix: Any) -> Any:
        """DL = L Φ(L⁻¹ dA L⁻′), Φ being the lower triangle with half the diagonal."""
        below = self.below
        L = below.cholesky(matrix.primal)
        middle = below.solve(L, matrix.tangent)
        middle = below.solve(L, below.linear(_transposed, middle))
        return Pair(L, below.bilinear(np.matmul, L, below.linear(_lower, middle)))


def _transposed(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


def _trace(x: Any) -> Any:
    return x.trace(axis1=-2, axis2=-1) if x.ndim > 2 else objects((), [x.trace()])


def _lower(x: Any) -> Any:
    size = x.shape[-1]
    halves = [[0 if j > i else 1 if j == i else 2 for j in range(size)] for i in range(size)]
    return x * np.array(halves, dtype=object) / 2


def _bare(x: Any) -> Any:
    return _bare(x.primal) if isinstance(x, Pair) else x.ravel()[0]


def _like(x: Any, y: Any) -> Any:
    shape = shape_of(y)
    return objects(shape, [_bare(x)] * prod(shape))
