"""Bounds of elementary functions: what an operand's error becomes, and the function's own."""

import math
from collections.abc import Callable

import numpy as np

from verimath.arithmetic.formats import FLOAT64, FloatFormat
from verimath.arithmetic.operand import (
    EXACT,
    SAFETY,
    ZERO,
    Operand,
    is_certain,
    less,
    most,
    product_of_bounds,
    rounded,
)
from verimath.arithmetic.values import Array
from verimath.formula.graph import Node
from verimath.shapes import Binding

# sup |f'| over [x - B, x + B], times B; infinite where the ball leaves the domain.
_FUNCTION_CARRIES: dict[str, Callable[[Operand], Array]] = {
    "negative": lambda x: x.bound,
    "exp": lambda x: _exp_carries(x),
    "log": lambda x: np.where(x.least > 0, x.bound / x.least, np.inf),
    "sqrt": lambda x: np.where(
        x.bound == 0, 0.0, np.where(x.least > 0, 0.5 * x.bound / np.sqrt(x.least), np.inf)
    ),
    "sin": lambda x: x.bound,
    "cos": lambda x: x.bound,
    "tan": lambda x: _tan_carries(x),
    "asin": lambda x: _inverse_sine_carries(x),
    "acos": lambda x: _inverse_sine_carries(x),
    "atan": lambda x: x.bound,
    "sinh": lambda x: _carried_by(np.cosh(x.largest), x),
    "cosh": lambda x: _carried_by(np.sinh(x.largest), x),
    # 4 e^-2m is above the square of sech m.
    "tanh": lambda x: _carried_by(np.minimum(1.0, 4 * np.exp(-2 * _smallest(x))), x),
    "asinh": lambda x: x.bound,
    "acosh": lambda x: _inverse_cosine_carries(x),
    "atanh": lambda x: _carried_by(1 / np.maximum(_above_one(x), 0.0), x),
    "erf": lambda x: _carried_by(1.13 * np.exp(-(_smallest(x) ** 2)), x),
    "abs": lambda x: x.bound,
    "sign": lambda x: np.where(is_certain(x, ZERO), 0.0, 2.0),
    "expm1": lambda x: _exp_carries(x),
    "log1p": lambda x: _carried_by(1 / np.maximum(less(1 + x.value, x.error + x.bound), 0.0), x),
}


def _smallest(x: Operand) -> Array:
    """At most the magnitude that the number has, exactly and in the format."""
    return np.maximum(less(np.abs(x.value), x.error + x.bound), 0.0)


def _carried_by(slope: Array, x: Operand) -> Array:
    """What an error becomes under a slope of at most this size; nothing stays nothing."""
    return np.where(x.bound == 0, 0.0, product_of_bounds(slope * (1 + 2.0**-40), x.bound))


def _above_one(x: Operand) -> Array:
    """At most 1 - x^2, as (1 - m)(1 + m) for the largest m."""
    return less(1 - np.abs(x.value), x.error + x.bound) * (1 + x.largest)


def _inverse_sine_carries(x: Operand) -> Array:
    return _carried_by(1 / np.sqrt(np.maximum(_above_one(x), 0.0)), x)


def _inverse_cosine_carries(x: Operand) -> Array:
    least = x.least
    below = np.maximum((least - 1) * (1 - 2.0**-40), 0.0) * np.maximum(least + 1, 0.0)
    return _carried_by(1 / np.sqrt(below), x)


def _exp_carries(x: Operand) -> Array:
    return np.where(
        x.bound < 1,
        np.exp(x.value + x.error) * np.expm1(x.bound),
        np.exp(x.value + x.error + x.bound),
    )


_SMALL = 2.0**-10


def _exp_carries_little(x: Operand, scale: Array) -> Array:
    """The same where error and bound are small, from the value that is there already.

    e^(v+e) <= e^v (1 + 2 e) and e^B - 1 <= B (1 + B); the value is e^v within 2^-40 or underflow.
    """
    top = scale * (1 + 2.0**-40) + FLOAT64.underflow
    slope = top if x.error is EXACT else top * (1 + 2 * x.error)
    return slope * (x.bound * (1 + x.bound))


def _tan_carries(x: Operand) -> Array:
    """1 + tan^2 at the steeper end, where no pole lies between."""
    off = (x.error + x.bound) * (1 + 2.0**-40)
    low, high = np.tan(x.value - off), np.tan(x.value + off)
    between = (off < 0.5) & (low <= high)
    slope = 1 + np.maximum(low**2, high**2)
    return _carried_by(np.where(between, slope * (1 + 2.0**-20), np.inf), x)


def function_bound(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    """The bound of an elementary function; none beyond its domain, where it has no value."""
    if x[0].exact:
        carried = EXACT
    elif node.parameter == "exp" and most(x[0].bound) < _SMALL and most(x[0].error) < _SMALL:
        carried = _exp_carries_little(x[0], scale)
    else:
        carried = _FUNCTION_CARRIES[node.parameter](x[0])
    known = f.function(node.parameter)
    if not known.roundoffs:
        return carried
    bound = rounded(scale, carried, f, known.roundoffs)
    if known.absolute:
        bound += known.absolute * SAFETY
    if math.isinf(known.reach):
        return bound
    return np.where(scale + bound < known.reach, bound, np.inf)
