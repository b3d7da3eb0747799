"""The rule of each operation for its rounding error: see `rounding` for what they add up to.

A rule gets the node, the scale of its roundings, its operands, the sizes and the format, and
returns B. `majorant` is the operation on magnitudes, without cancellation.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from verimath.arithmetic.formats import FLOAT64, POWER_ROUNDINGS, FloatFormat
from verimath.arithmetic.values import MOVES, Array, equation_of, nearest_float
from verimath.dtypes import is_number
from verimath.formula.graph import Node
from verimath.formula.literals import Constant
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
        return _less(self.value, self.error + self.bound)


# A rule gets the node, the scale of its roundings (its magnitude, or its majorant in an envelope),
# its operands, the sizes and the format.
Rule = Callable[[Node, Array, list[Operand], Binding, FloatFormat], Array]


def settle(bound: Array, value: Array, error: Array | None, format_: FloatFormat) -> Array:
    """Widen by the safety factor; no bound where the number may overflow the format."""
    bound = bound * _SAFETY
    magnitude = np.abs(value) + (bound if error is None else error)
    hopeless = ~(magnitude + bound <= format_.largest)
    return np.where(hopeless, np.inf, bound)


def _less(a: Array, b: Array) -> Array:
    """At most a - b for a >= 0, whatever cancels; never positive for a < 0."""
    return a * (1 - _SLACK) - b * (1 + _SLACK)


def _gamma(roundings: float, format_: FloatFormat) -> float:
    """How far a product of k factors (1 + delta)^(+-1) may be from 1: (1 - u)^-k - 1.

    Higham's lemma 3.1 bounds the same by gamma_k = k u / (1 - k u), which is larger, and says
    nothing once k u reaches 1 (256 terms of bfloat16).
    """
    return math.expm1(-roundings * math.log1p(-format_.roundoff))


def _rounded(scale: Array, carried: Array, format_: FloatFormat, roundings: float = 1.0) -> Array:
    """The carried error, plus that of rounding a result of this size so many times."""
    # The exact result may exceed the float64 one by about what is carried.
    relative = _gamma(roundings, format_) * (scale + 2 * carried)
    return carried + relative + max(roundings, 1.0) * format_.underflow


# --- majorants ---


def majorant(node: Node, x: list[Array], values: list[Array], binding: Binding) -> Array:
    """The operation on majorants; zero where it adds nothing to the magnitude."""
    match node.operation:
        case "add":
            return x[0] + x[1]
        case "multiply":
            return x[0] * x[1]
        case "divide":
            return x[0] / np.abs(values[1])  # what cancels in the denominator is in its bound
        case "power" if node.parameter > 0:
            return x[0] ** float(node.parameter)
        case "einsum":
            return np.einsum(equation_of(node), *x)
        case "broadcast" | "reshape":
            return MOVES[node.operation](node, x[0], binding)
        case "function" if node.parameter == "negative":
            return x[0]
        case _:
            return np.zeros(1)


# --- bounds ---


def _exact(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    if f.subnormals:
        return np.zeros_like(scale)
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


def _add(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    return _rounded(scale, x[0].bound + x[1].bound, f)


def _product(a: Array, b: Array) -> Array:
    """A * b for bounds, with 0 * inf = inf: nothing is known then."""
    result = a * b
    return np.where(np.isnan(result), np.inf, result)


def _multiply(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    left, right = x
    carried = (
        _product(left.magnitude, right.bound)
        + _product(right.magnitude, left.bound)
        + _product(left.bound, right.bound)
    )
    exact = any(map(_is_power_of_two, node.inputs, x))
    return _rounded(scale, carried, f, 0.0 if exact else 1.0)


def _number(node: Node) -> Node | None:
    """The one literal or size that a node repeats, or None."""
    while node.operation == "broadcast":
        node = node.inputs[0]
    return node if node.operation in ("constant", "size") else None


def _is_power_of_two(node: Node, operand: Operand) -> bool:
    """Whether an operand is one literal (or size) that scales without rounding."""
    if _number(node) is None or not operand.value.size:
        return False
    return np.frexp(abs(operand.value.flat[0]))[0] == 0.5 and not operand.bound.flat[0]


def _divide(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    above, below = x
    if _is_power_of_two(node.inputs[1], below):
        return _quotient(above, below, scale, f, 0.0)
    if _number(node.inputs[1]) is None or _number(node.inputs[0]) is not None:
        return _quotient(above, below, scale, f, 1.0)
    # Libraries divide an array by a number as a product with its reciprocal: one rounding more,
    # and the reciprocal may underflow or overflow.
    bound = _quotient(above, below, scale, f, 2.0) + _product(above.largest, f.underflow * _ONE)
    return np.where(1 / below.largest <= f.largest, bound, np.inf)


_ONE = np.ones(())


def _quotient(
    above: Operand, below: Operand, scale: Array, f: FloatFormat, roundings: float
) -> Array:
    least = _less(np.abs(below.value), below.error)
    computed = _less(np.abs(below.value), below.error + below.bound)
    ratio = above.magnitude / least + f.underflow
    carried = (above.bound + _product(ratio, below.bound)) / computed
    bound = _rounded(scale, carried, f, roundings)
    return np.where((computed > 0) & ~np.isnan(bound), bound, np.inf)


def _power(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    exponent: Fraction = node.parameter
    if exponent in (0, 1):
        return x[0].bound * float(exponent)
    if exponent > 0:
        return _raised(x[0], exponent, scale, f, 1.0 if exponent == 2 else POWER_ROUNDINGS)
    # Libraries take some of these as reciprocals, which meets underflow and overflow on its way.
    value = x[0].value ** float(-exponent)
    own = Operand(x[0].value, x[0].error, x[0].error)
    error = _raised(own, -exponent, np.abs(value), FLOAT64, POWER_ROUNDINGS)
    bound = _raised(x[0], -exponent, np.abs(value), f, POWER_ROUNDINGS)
    error = settle(error, value, None, FLOAT64)
    below = Operand(value, error, settle(bound, value, error, f))
    one = Operand(_ONE, 0 * _ONE, 0 * _ONE)
    return _quotient(one, below, scale, f, 1.0)


def _raised(
    x: Operand, exponent: Fraction, scale: Array, f: FloatFormat, roundings: float
) -> Array:
    """x^k for k > 0: as a product (k - 1 roundings), or by a function that rounds k, too."""
    k, off = float(exponent), x.error + x.bound
    if exponent.denominator == 1:
        carried = k * _product(x.largest ** (k - 1), x.bound)
        return _rounded(scale, carried, f, max(k - 1, roundings))
    least = np.maximum(x.least, 0.0)
    steepest = (x.largest if k > 1 else least) ** (k - 1)
    carried = np.where(x.bound == 0, 0.0, k * _product(steepest, x.bound))
    if not is_number(k, f.name) or Fraction(k) != exponent:
        # x^(k + d) / x^k = e^(d log x), with |d| <= k u.
        span = np.maximum(np.abs(np.log(x.largest)), np.abs(np.log(least)))
        shifted = x.largest**k * np.expm1(2 * k * f.roundoff * span)
        carried = carried + np.where(x.largest == 0, 0.0, shifted)
    # Below zero there is no power.
    return np.where((off == 0) | (x.least >= 0), _rounded(scale, carried, f, roundings), np.inf)


# sup |f'| over [x - B, x + B], times B; infinite where the ball leaves the domain.
_FUNCTION_CARRIES: dict[str, Callable[[Operand], Array]] = {
    "negative": lambda x: x.bound,
    "exp": lambda x: np.where(
        x.bound < 1,
        np.exp(x.value + x.error) * np.expm1(x.bound),
        np.exp(x.value + x.error + x.bound),
    ),
    "log": lambda x: np.where(x.least > 0, x.bound / x.least, np.inf),
    "sqrt": lambda x: np.where(
        x.bound == 0, 0.0, np.where(x.least > 0, x.bound / np.sqrt(x.least), np.inf)
    ),
    "sin": lambda x: x.bound,
    "cos": lambda x: x.bound,
    "tanh": lambda x: x.bound,
}


def _function(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    carried = _FUNCTION_CARRIES[node.parameter](x[0])
    if node.parameter == "negative":
        return carried
    known = f.function(node.parameter)
    bound = _rounded(scale, carried, f, known.roundoffs) + known.absolute
    return np.where(scale + bound < known.reach, bound, np.inf)


def _einsum(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    subscripts = node.parameter
    sizes = {
        index: axis.at(b)
        for indices, child in zip(subscripts.operands, node.inputs, strict=True)
        for index, axis in zip(indices, child.shape, strict=True)
    }
    terms = math.prod(n for index, n in sizes.items() if index not in subscripts.output)
    equation = equation_of(node)
    if len(x) == 2 and (f.factor_roundoff or f.factor_underflow):
        x = [_as_factor(operand, f) for operand in x]
    upper = np.fmax(np.einsum(equation, *(operand.largest for operand in x)), scale)
    carried = np.zeros_like(upper)
    if any(np.any(operand.bound) for operand in x):
        carried = _carried(equation, x)
    held = f.accumulator(len(x)) if terms > 1 else f
    gamma = _gamma(max(terms + len(x) - 2, 0), held)
    bound = carried + gamma * upper + (1 + gamma) * terms * (len(x) - 1) * held.underflow
    # A partial sum may overflow where the sum does not; NaN is 0 times infinity.
    bound = np.where(upper + bound <= held.largest, bound, np.inf)
    return bound if held is f else _rounded(scale, bound, f)


def _as_factor(x: Operand, f: FloatFormat) -> Operand:
    """An operand as a matrix product reads it: shortened (TF32), without subnormal numbers."""
    largest = x.largest
    off = f.factor_roundoff * largest + np.where(largest > 0, f.factor_underflow, 0.0)
    return Operand(x.value, x.error, x.bound + off)


def _carried(equation: str, x: list[Operand]) -> Array:
    """S(|x| + B) - S(|x|), expanded so that nothing cancels."""
    if len(x) == 1:
        return np.einsum(equation, x[0].bound)
    left, right = x
    return (
        np.einsum(equation, left.magnitude, right.bound)
        + np.einsum(equation, left.bound, right.magnitude)
        + np.einsum(equation, left.bound, right.bound)
    )


def _moved(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    return MOVES[node.operation](node, x[0].bound, b)


BOUNDS: dict[str, Rule] = {
    "input": _exact,
    "constant": _literal,
    "size": _size,
    "table": _literal,
    "delta": _exact,
    "add": _add,
    "multiply": _multiply,
    "divide": _divide,
    "power": _power,
    "function": _function,
    "einsum": _einsum,
    "broadcast": _moved,
    "reshape": _moved,
}
LEAVES = frozenset({"input", "constant", "table", "size"})
ROUNDING = frozenset({"add", "multiply", "divide", "power", "function", "einsum"})
