"""What the rules for bounds share: operands, gamma_k, one rounding, differences that are safe."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verimath.arithmetic.formats import FloatFormat
from verimath.arithmetic.values import Array
from verimath.formula.graph import Node
from verimath.shapes import Binding

# The bound is computed in float64 itself, and Python scalars are rounded twice (to float64, then
# to the dtype): both stay below a relative 2^-20 for graphs of up to 2^30 operations.
_SAFETY = 1 + 2.0**-20
# Differences of bounds may cancel, so they are taken of operands that are off by more than any
# rounding of float64 and far less than any bound.
_SLACK = 2.0**-40


@dataclass(frozen=True, slots=True)
class Operand:
    """What a rule sees of an input in one format: its float64 value, that value's error, and B."""

    value: Array
    error: Array
    bound: Array

    @property
    def magnitude(self) -> Array:
        """M, at least the exact magnitude."""
        return np.abs(self.value) + self.error

    @property
    def largest(self) -> Array:
        """At least the magnitude that the format may see."""
        return self.magnitude + self.bound

    @property
    def least(self) -> Array:
        """At most what the number is, exactly and in the format (if that may not be negative)."""
        return less(self.value, self.error + self.bound)


def settle(bound: Array, value: Array, error: Array | None, format_: FloatFormat) -> Array:
    """Widen by the safety factor; no bound where the number may overflow the format."""
    bound = bound * _SAFETY
    magnitude = np.abs(value) + (bound if error is None else error)
    hopeless = ~(magnitude + bound <= format_.largest)
    return np.where(hopeless, np.inf, bound)


def less(a: Array, b: Array) -> Array:
    """At most a - b for a >= 0, whatever cancels; never positive for a < 0."""
    return a * (1 - _SLACK) - b * (1 + _SLACK)


def gamma(roundings: float, format_: FloatFormat) -> float:
    """Higham's gamma_k = k u / (1 - k u), infinite where k u reaches 1 (section 3.1)."""
    share = roundings * format_.roundoff
    return share / (1 - share) if share < 1 else math.inf


def rounded(scale: Array, carried: Array, format_: FloatFormat, roundings: float = 1.0) -> Array:
    """The carried error, plus that of rounding a result of this size so many times."""
    # The exact result may exceed the float64 one by about what is carried.
    relative = gamma(roundings, format_) * (scale + 2 * carried)
    return carried + relative + max(roundings, 1.0) * format_.underflow


def product_of_bounds(a: Array, b: Array) -> Array:
    """A * b for bounds, with 0 * inf = inf: nothing is known then."""
    result = a * b
    return np.where(np.isnan(result), np.inf, result)


def is_certain(a: Operand, b: Operand) -> NDArray[np.bool_]:
    """Whether a < b, a = b or a > b comes out in the format as it does exactly."""
    room = a.error + a.bound + b.error + b.bound
    return (room == 0) | (less(np.abs(a.value - b.value), room) > 0)


# A rule gets the node, the scale of its roundings (its magnitude, or its majorant in an envelope),
# its operands, the sizes and the format.
Rule = Callable[[Node, Array, list[Operand], Binding, FloatFormat], Array]
