"""Bounds of leaves, sums, products, quotients and powers, element by element."""

import math
from fractions import Fraction
from typing import Any

import numpy as np

from verimath.arithmetic.bounds.literals import is_power_of_two, literal_of
from verimath.arithmetic.formats import FLOAT64, POWER_ROUNDINGS, FloatFormat
from verimath.arithmetic.operand import (
    EXACT,
    ONE,
    SAFETY,
    Operand,
    Rule,
    less,
    product_of_bounds,
    rounded,
    settle,
    sum_of_bounds,
    within,
)
from verimath.arithmetic.values import Array, nearest_float
from verimath.dtypes import is_number
from verimath.formula.graph import Node
from verimath.formula.literals import Constant
from verimath.shapes import Binding


def _exact(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    if f.subnormals:
        return EXACT
    return np.where(scale < f.underflow, scale, 0.0)  # read as zero


def _literal(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    roundings = [_literal_roundings(constant, f) for constant in _constants(node.parameter)]
    counts = np.asarray(roundings, dtype=np.float64).reshape(scale.shape)
    return counts * (f.roundoff * scale + f.underflow)


def _constants(cells: Any) -> list[Constant]:
    if isinstance(cells, Constant):
        return [cells]
    return [constant for cell in cells for constant in _constants(cell)]


def _literal_roundings(constant: Constant, f: FloatFormat) -> float:
    """None if the number exists in the format, else one; a named constant is read to two ulp."""
    if constant.unit != "1":
        # Two ulp are four roundoffs of float64; three more are those of the reading's own float.
        return 1 + 7 * FLOAT64.roundoff / f.roundoff
    value = nearest_float(constant)
    exact = is_number(value, f.name) and math.isfinite(value) and Fraction(value) == constant.factor
    return 0 if exact else 1


def _size(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    return np.where(scale <= f.exact_integers, 0.0, f.roundoff * scale)


def _convert(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    if node.inputs[0].kind == "boolean":
        return x[0].bound
    return _size(node, scale, x, b, f)


def _add(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    if node.kind == "integer":
        return EXACT
    return rounded(scale, sum_of_bounds(x[0].bound, x[1].bound), f)


def _multiply(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    if node.kind == "integer":
        return EXACT
    left, right = x
    carried = sum_of_bounds(
        product_of_bounds(left.largest, right.bound),
        product_of_bounds(right.magnitude, left.bound),
    )
    exact = any(map(is_power_of_two, node.inputs, x))
    return rounded(scale, carried, f, 0.0 if exact else 1.0)


def _divide(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    above, below = x
    if is_power_of_two(node.inputs[1], below):
        return _quotient(above, below, scale, f, 0.0)
    if literal_of(node.inputs[1]) is None or literal_of(node.inputs[0]) is not None:
        return _quotient(above, below, scale, f, 1.0)
    # Libraries divide an array by a number as a product with its reciprocal: one rounding more,
    # and the reciprocal may underflow or overflow.
    bound = _quotient(above, below, scale, f, 2.0) + product_of_bounds(
        above.largest, f.underflow * SAFETY * ONE.value
    )
    return within(bound, 1 / below.largest, f.largest)


def _quotient(
    above: Operand, below: Operand, scale: Array, f: FloatFormat, roundings: float
) -> Array:
    if below.exact:  # where it is zero, the quotient is no number
        carried = EXACT if above.bound is EXACT else above.bound / below.magnitude
        return rounded(scale, carried, f, roundings)
    least = less(np.abs(below.value), below.error)
    computed = less(np.abs(below.value), below.error + below.bound)
    ratio = above.magnitude / least + f.underflow
    carried = sum_of_bounds(above.bound, product_of_bounds(ratio, below.bound)) / computed
    bound = rounded(scale, carried, f, roundings)
    # Where the bound is not a number, there is none: `settle` says so.
    return bound if np.min(computed, initial=1.0) > 0 else np.where(computed > 0, bound, np.inf)


def _power(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    exponent: Fraction = node.parameter
    if exponent in (0, 1):
        # What has no value has no power either, not even of exponent 0.
        return x[0].bound if exponent else np.where(np.isfinite(x[0].bound), 0.0, np.inf)
    if exponent > 0:
        return _raised(x[0], exponent, scale, f, 1.0 if exponent == 2 else POWER_ROUNDINGS)
    # Libraries take some of these as reciprocals, which meets underflow and overflow on its way.
    value = x[0].value ** float(-exponent)
    own = Operand(x[0].value, x[0].error, x[0].error, x[0].magnitude)
    error = _raised(own, -exponent, np.abs(value), FLOAT64, POWER_ROUNDINGS)
    error = settle(error, np.abs(value), None, FLOAT64)
    bound = _raised(x[0], -exponent, np.abs(value) + error, f, POWER_ROUNDINGS)
    below = Operand(value, error, settle(bound, np.abs(value) + error, error, f))
    return _quotient(ONE, below, scale, f, 1.0)


def _raised(
    x: Operand, exponent: Fraction, scale: Array, f: FloatFormat, roundings: float
) -> Array:
    """x^k for k > 0: as a product (k - 1 roundings), or by a function that rounds k, too."""
    k, off = float(exponent), x.error + x.bound
    if exponent.denominator == 1:
        exact = x.bound is EXACT
        carried = EXACT if exact else k * product_of_bounds(x.largest ** (k - 1), x.bound)
        return rounded(scale, carried, f, max(k - 1, roundings))
    least = np.maximum(x.least, 0.0)
    steepest = (x.largest if k > 1 else least) ** (k - 1)
    carried = np.where(x.bound == 0, 0.0, k * product_of_bounds(steepest, x.bound))
    if not is_number(k, f.name) or Fraction(k) != exponent:
        # x^(k + d) / x^k = e^(d log x), with |d| <= k u.
        span = np.maximum(np.abs(np.log(x.largest)), np.abs(np.log(least)))
        shifted = x.largest**k * np.expm1(2 * k * f.roundoff * span)
        carried = carried + np.where(x.largest == 0, 0.0, shifted)
    # Below zero there is no power.
    return np.where((off == 0) | (x.least >= 0), rounded(scale, carried, f, roundings), np.inf)


ELEMENTWISE: dict[str, Rule] = {
    "input": _exact,
    "constant": _literal,
    "size": _size,
    "table": _literal,
    "delta": _exact,
    "index": _exact,
    "convert": _convert,
    "add": _add,
    "multiply": _multiply,
    "divide": _divide,
    "power": _power,
}
