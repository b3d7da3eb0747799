"""What the rules for bounds share: operands, gamma_k, one rounding, differences that are safe."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from verimath.arithmetic.formats import FloatFormat
from verimath.arithmetic.values import Array
from verimath.formula.graph import Node
from verimath.shapes import Binding

# The bound is computed in float64 itself, and Python scalars are rounded twice (to float64, then
# to the dtype): both stay below a relative 2^-20 for graphs of up to 2^30 operations. So much is
# added where a bound comes up; what carries it further loses less.
SAFETY = 1 + 2.0**-20
# Differences of bounds may cancel, so they are taken of operands that are off by more than any
# rounding of float64 and far less than any bound.
_SLACK = 2.0**-40


# No error at all, of an array of any shape: rules pass it on by identity and compute nothing.
EXACT: Array = np.zeros(1)
EXACT.setflags(write=False)


class Operand:
    """What a rule sees of an input in one format: its float64 value, that value's error, and B.

    `magnitude` is |value| + error, at least the exact magnitude.
    """

    __slots__ = ("_largest", "bound", "error", "magnitude", "value")

    def __init__(
        self, value: Array, error: Array, bound: Array, magnitude: Array | None = None
    ) -> None:
        self.value, self.error, self.bound = value, error, bound
        self.magnitude = np.abs(value) + error if magnitude is None else magnitude
        self._largest: Array | None = None

    @property
    def exact(self) -> bool:
        """Whether the float64 value, and the format's, are known to be the exact one."""
        return self.bound is EXACT and self.error is EXACT

    @property
    def largest(self) -> Array:
        """At least the magnitude that the format may see."""
        if self._largest is None:
            exact = self.bound is EXACT
            self._largest = self.magnitude if exact else self.magnitude + self.bound
        return self._largest

    @property
    def least(self) -> Array:
        """At most what the number is, exactly and in the format (if that may not be negative)."""
        return less(self.value, self.error + self.bound)


ONE, ZERO = Operand(np.ones(()), EXACT, EXACT), Operand(np.zeros(()), EXACT, EXACT)


def settle(
    bound: Array,
    magnitude: Array,
    error: Array | None,
    format_: FloatFormat,
    *,
    top: float | None = None,
    safe: bool = False,
) -> Array:
    """Widen by the safety factor, if not `safe`; no bound where the number may overflow the format.

    `magnitude` is at least the exact one, and `top` at least all of it; for the bound that is the
    error of the value itself (`error` is None) it is that of the value.
    """
    largest = format_.largest
    if top is None:
        top = most(magnitude)
    if bound is EXACT:
        if top <= largest:
            return EXACT
        return np.where(magnitude <= largest, 0.0, np.inf)
    if not safe:
        bound = bound * SAFETY
    times = 1 if error is not None else 2
    if top + times * most(bound) <= largest:
        return bound
    return np.where(magnitude + times * bound <= largest, bound, np.inf)


def most(x: Array) -> float:
    """The largest of the magnitudes in an array, 0 without any; NaN if one is not a number."""
    return float(np.maximum.reduce(x, axis=None, initial=0.0))


def within(bound: Array, reached: Array, largest: float) -> Array:
    """The bound, infinite where `reached` exceeds the largest number or is not a number."""
    if most(reached) <= largest:
        return bound
    return np.where(reached <= largest, bound, np.inf)


def less(a: Array, b: Array) -> Array:
    """At most a - b for a >= 0, whatever cancels; never positive for a < 0."""
    return a * (1 - _SLACK) - b * (1 + _SLACK)


def gamma(roundings: float, format_: FloatFormat) -> float:
    """How far a product of k factors (1 + delta)^(+-1) may be from 1: (1 - u)^-k - 1.

    Higham's lemma 3.1 bounds the same by gamma_k = k u / (1 - k u), which is larger, and says
    nothing once k u reaches 1 (256 terms of bfloat16).
    """
    return math.expm1(-roundings * math.log1p(-format_.roundoff))


def rounded(scale: Array, carried: Array, format_: FloatFormat, roundings: float = 1.0) -> Array:
    """The carried error, plus that of rounding a result of this size so many times; safe."""
    relative = gamma(roundings, format_)
    bound = scale * (relative * SAFETY)
    bound += max(roundings, 1.0) * format_.underflow * SAFETY
    if carried is EXACT:
        return bound
    # The exact result may exceed the float64 one by about what is carried.
    carried = carried * ((1 + 2 * relative) * SAFETY)
    if bound.shape != np.broadcast_shapes(bound.shape, carried.shape):
        return bound + carried
    bound += carried
    return bound


def product_of_bounds(a: Array, b: Array) -> Array:
    """A * b for bounds, with 0 * inf = inf: nothing is known then."""
    if a is EXACT or b is EXACT:
        return EXACT
    result = a * b
    return (
        np.where(np.isnan(result), np.inf, result)
        if np.isnan(np.max(result, initial=0))
        else result
    )


def sum_of_bounds(*bounds: Array) -> Array:
    """A sum of bounds; nothing is added for what is exact."""
    first, *others = [bound for bound in bounds if bound is not EXACT] or [EXACT]
    for other in others:
        first = first + other
    return first


def is_certain(a: Operand, b: Operand) -> NDArray[np.bool_]:
    """Whether a < b, a = b or a > b comes out in the format as it does exactly."""
    if a.exact and b.exact:
        return np.ones(np.broadcast_shapes(a.value.shape, b.value.shape), dtype=np.bool_)
    room = a.error + a.bound + b.error + b.bound
    return (room == 0) | (less(np.abs(a.value - b.value), room) > 0)


# A rule gets the node, the scale of its roundings (its magnitude), its operands, the sizes and the
# format.
Rule = Callable[[Node, Array, list[Operand], Binding, FloatFormat], Array]
