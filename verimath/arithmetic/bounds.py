"""The rule of each operation for its rounding error: see `rounding` for what they add up to.

A rule gets the node, the scale of its roundings, its operands, the sizes and the format, and
returns B. `reach` and `roundings_of` are what an envelope of rearranged formulas needs of a node,
`normwise_bound` what the error class of that name does.
"""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verimath.arithmetic.formats import FLOAT64, POWER_ROUNDINGS, FloatFormat
from verimath.arithmetic.matrix_bounds import (
    MATRIX_MAJORANTS,
    cholesky_bound,
    determinant_bound,
    solve_bound,
)
from verimath.arithmetic.operand import (
    EXACT,
    SAFETY,
    Operand,
    Rule,
    gamma,
    is_certain,
    less,
    most,
    product_of_bounds,
    rounded,
    settle,
    sum_of_bounds,
    within,
)
from verimath.arithmetic.values import (
    MOVES,
    Array,
    concatenate,
    contracted,
    cumulative,
    equation_of,
    gather,
    nearest_float,
    scatter,
    terms_of,
)
from verimath.dtypes import is_number
from verimath.formula.graph import Node
from verimath.formula.literals import Constant
from verimath.shapes import Binding

# --- rearranged formulas ---


def reach(node: Node, x: list[Array], value: Array, values: list[Array], binding: Binding) -> Array:
    """How large a product or sum may get in which the formula's factors come in another order.

    Nothing cancels there, and no factor below one makes it smaller: a number is taken for at least
    one. What is divided by a large number that was computed starts anew, as one number.
    """
    match node.operation:
        case "add":
            return x[0] + x[1]
        case "multiply":
            return x[0] * x[1]
        case "divide":
            small = np.abs(values[1])
            if _number(node.inputs[1]) is not None:
                return x[0] * np.maximum(1.0, 1 / small)
            return np.where(small < 1, x[0] / small, np.maximum(1.0, np.abs(value)))
        case "power" if node.parameter > 0:
            return x[0] ** float(node.parameter)
        case "einsum":
            return np.maximum(1.0, _contracted(node, *x))  # an empty sum is a number, too
        case "broadcast" | "reshape":
            return MOVES[node.operation](node, x[0], binding)
        case "function" if node.parameter in ("negative", "abs"):
            return x[0]
        case "gather":
            return gather(node, x[0], values[1])
        case "scatter":
            return scatter(node, x[0], values[1], binding)
        case "concatenate":
            return concatenate(node, x)
        case "where":
            return np.where(values[0] != 0, x[1], x[2])
        case "maximum":
            return np.maximum(x[0], x[1])
        case "max":
            return np.asarray(np.max(x[0], axis=node.parameter + 1))
        case "product":
            return np.asarray(np.prod(x[0], axis=node.parameter + 1))
        case "cumulative":
            return cumulative(node, x[0])
        case "solve" | "determinant" | "cholesky":
            return np.maximum(1.0, MATRIX_MAJORANTS[node.operation](x, values))
        case _:
            return np.maximum(1.0, np.abs(value))


def roundings_of(node: Node, binding: Binding) -> int:
    """How many roundings the operation adds to those of its operands, the terms of sums among them.

    An elementary function is one number, however it was computed; powers of two round nothing.
    """
    match node.operation:
        case "add" | "multiply" if node.kind != "real":
            return 0
        case "add":
            return 1
        case "multiply":
            return 0 if any(map(is_shift, node.inputs)) else 1
        case "divide":
            number = _number(node.inputs[1]) is not None
            return 0 if is_shift(node.inputs[1]) else 2 if number else 1
        case "power":
            k = node.parameter
            return max(abs(int(k)) - 1, 0) + (k < 0) if k.denominator == 1 else 1
        case "function":
            return 0 if node.parameter in ("negative", "abs", "sign") else 1
        case "einsum":
            shapes = [tuple(size.at(binding) for size in x.shape) for x in node.inputs]
            factors = sum(not is_shift(x) for x in node.inputs)
            return max(terms_of(node, shapes) - 1, 0) + max(factors - 1, 0)
        case "scatter":
            return max(math.prod(size.at(binding) for size in node.inputs[1].shape) - 1, 0)
        case "product":
            return max(node.inputs[0].shape[node.parameter].at(binding) - 1, 0)
        case "cumulative":
            return max(node.inputs[0].shape[node.parameter[0]].at(binding) - 1, 0)
        case "solve" | "determinant" | "cholesky":
            return 3 * node.inputs[0].shape[-1].at(binding)
        case _:
            return 0


def underflows_of(node: Node, binding: Binding) -> int:
    """How often what the operation does may underflow, at each of the summands before it.

    As often as it rounds; a power of two that rounds nothing may make a number subnormal all the
    same, and step by step (x / 2 / 2 for x / 4) that is 1 + 1/2 + 1/4 + ... < 2 times.
    """
    match node.operation:
        case "multiply" if any(is_shift(x) and _factor(x) < 1 for x in node.inputs):
            return 2
        case "divide" if is_shift(node.inputs[1]) and _factor(node.inputs[1]) > 1:
            return 2
        case _:
            return roundings_of(node, binding)


def _factor(node: Node) -> Fraction:
    """The size of a literal that a node repeats."""
    literal = _number(node)
    assert literal is not None
    return abs(literal.parameter.factor)


def is_shift(node: Node) -> bool:
    """Whether a node repeats one literal that is a power of two."""
    number = _number(node)
    if number is None or number.operation != "constant" or number.parameter.unit != "1":
        return False
    factor: Fraction = abs(number.parameter.factor)
    return factor > 0 and factor.numerator * factor.denominator in _POWERS


_POWERS = frozenset(2**k for k in range(1100))


# --- bounds ---


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
    exact = any(map(_is_power_of_two, node.inputs, x))
    return rounded(scale, carried, f, 0.0 if exact else 1.0)


def _number(node: Node) -> Node | None:
    """The one literal or size that a node repeats, or None."""
    while node.operation == "broadcast":
        node = node.inputs[0]
    return node if node.operation in ("constant", "size") else None


def _is_power_of_two(node: Node, operand: Operand) -> bool:
    """Whether an operand is one literal (or size) that scales without rounding."""
    if _number(node) is None or not operand.value.size:
        return False
    return math.frexp(abs(operand.value.flat[0]))[0] == 0.5 and not operand.bound.flat[0]


def _divide(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    above, below = x
    if _is_power_of_two(node.inputs[1], below):
        return _quotient(above, below, scale, f, 0.0)
    if _number(node.inputs[1]) is None or _number(node.inputs[0]) is not None:
        return _quotient(above, below, scale, f, 1.0)
    # Libraries divide an array by a number as a product with its reciprocal: one rounding more,
    # and the reciprocal may underflow or overflow.
    bound = _quotient(above, below, scale, f, 2.0) + product_of_bounds(
        above.largest, f.underflow * SAFETY * _ONE
    )
    return within(bound, 1 / below.largest, f.largest)


_ONE = np.ones(())


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
    one = Operand(_ONE, EXACT, EXACT)
    return _quotient(one, below, scale, f, 1.0)


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
    "sign": lambda x: np.where(is_certain(x, _ZERO), 0.0, 2.0),
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


_ZERO = Operand(np.zeros(()), EXACT, EXACT)


def _function(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    # Beyond its domain a function has no value, and so no bound.
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


def base_of(node: Node, magnitudes: list[Array]) -> Array | None:
    """The sum of products of magnitudes that an einsum's bounds have in common in all formats."""
    return _contracted(node, *magnitudes) if node.operation == "einsum" else None


def einsum_bound(node: Node, scale: Array, x: list[Operand], f: FloatFormat, base: Array) -> Array:
    """The bound of a sum of products whose `base_of` is known."""
    terms = terms_of(node, [operand.value.shape[1:] for operand in x])
    if len(x) == 2 and (f.factor_roundoff or f.factor_underflow):
        x = [_as_factor(operand, f) for operand in x]
    # S(|x| + B) - S(|x|), expanded so that nothing cancels.
    carried = _carried(node, x)
    upper = np.fmax(sum_of_bounds(base, carried), scale)
    held = f.accumulator(len(x)) if terms > 1 else f
    factors = len(x) - sum(map(_is_power_of_two, node.inputs, x))
    relative = gamma(max(terms - 1, 0) + max(factors - 1, 0), held)
    lost = (1 + relative) * terms * (len(x) - 1) * held.underflow
    bound = upper * (relative * SAFETY)
    if lost:
        bound += lost * SAFETY
    bound = sum_of_bounds(carried, bound)
    # A partial sum may overflow where the sum does not; NaN is 0 times infinity.
    bound = within(bound, upper + bound, held.largest)
    return bound if held is f else rounded(scale, bound, f)


def _as_factor(x: Operand, f: FloatFormat) -> Operand:
    """An operand as a matrix product reads it: shortened (TF32), without subnormal numbers."""
    largest = x.largest
    lost = np.where(largest > 0, f.factor_underflow * SAFETY, 0.0)
    off = f.factor_roundoff * SAFETY * largest + lost
    return Operand(x.value, x.error, x.bound + off, x.magnitude)


def _carried(node: Node, x: list[Operand]) -> Array:
    if all(operand.bound is EXACT for operand in x):
        return EXACT
    if len(x) == 1:
        return _contracted(node, x[0].bound)
    left, right = x
    parts: list[Array] = []
    if right.bound is not EXACT:
        parts.append(_contracted(node, left.largest, right.bound))
    if left.bound is not EXACT:
        parts.append(_contracted(node, left.bound, right.magnitude))
    return sum_of_bounds(*parts)


def _contracted(node: Node, *x: Array) -> Array:
    """A sum of products of bounds, in which 0 times infinity is not a number."""
    # A library's matrix product may skip the zeros of a factor.
    if all(most(a) < np.inf for a in x):
        return contracted(node, list(x))
    return np.einsum(equation_of(node), *x)


def normwise_bound(
    node: Node, bound: Array, x: list[Operand], binding: Binding, f: FloatFormat
) -> Array:
    """The bound of the largest element, for all; of Strassen's method for products of matrices.

    (6 n^(log2 12) - 5 n) u max|A| max|B| for n a power of two, where the recursion goes down to
    single numbers (Higham, section 23.2.2, (23.14) with n0 = 1); other shapes are filled up with
    zeros. Where the largest element has no bound, none has.
    """
    if bound is EXACT:
        return bound
    if node.operation == "einsum" and len(x) == 2 and roundings_of(node, binding):
        sizes = [size.at(binding) for child in node.inputs for size in child.shape]
        n = 2.0 ** math.ceil(math.log2(max([*sizes, 1])))
        constant = 6 * n ** math.log2(12) - 5 * n
        left, right = (np.max(_alike(o.largest), axis=1) for o in x)
        shape = (-1, *[1] * (bound.ndim - 1))
        bound = bound + (gamma(constant, f) * left * right).reshape(shape)
        # Sums of n elements of A and of B are multiplied, and n such products added up.
        reached = np.maximum(n**3 * left * right, n * np.maximum(left, right))
        bound = within(bound, reached.reshape(shape), f.largest)
    axes = tuple(range(1, bound.ndim))
    most = np.max(bound, axis=axes, keepdims=True, initial=0.0)
    return np.broadcast_to(np.where(np.isfinite(most), most, np.inf), bound.shape)


def _alike(x: Array) -> Array:
    """An array of one row per example, never empty."""
    return np.concatenate([x.reshape(len(x), -1), np.zeros((len(x), 1))], axis=1)


# --- choices --------------------------------------------------------------------------------


def _convert(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    if node.inputs[0].kind == "boolean":
        return x[0].bound
    return _size(node, scale, x, b, f)


def _compare(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    return np.where(is_certain(x[0], x[1]), 0.0, 1.0)


def _logical(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    return np.maximum.reduce(np.broadcast_arrays(*(operand.bound for operand in x)))


def _where(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    mask, one, other = x
    chosen = np.where(mask.value != 0, one.bound, other.bound)
    apart = np.abs(one.value - other.value) + one.error + other.error
    either = np.maximum(one.bound, other.bound) + apart
    either = np.where(np.isnan(either), np.inf, either)
    return np.where((mask.bound == 0) & (mask.error == 0), chosen, either)


def _maximum(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    one, other = x
    larger = np.where(one.value > other.value, one.bound, other.bound)
    return np.where(is_certain(one, other), larger, np.maximum(one.bound, other.bound))


def _max(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    if x[0].bound is EXACT:
        return EXACT
    axis = node.parameter + 1
    return np.max(np.where(_candidates(x[0], axis), x[0].bound, 0.0), axis=axis)


def _candidates(x: Operand, axis: int) -> NDArray[np.bool_]:
    """The elements that may be the largest, exactly or in the format."""
    if x.exact:
        return x.value >= np.max(x.value, axis=axis, keepdims=True)
    value, room = np.broadcast_arrays(x.value, x.error + x.bound)
    surely = np.max(value - room, axis=axis, keepdims=True)
    return ~(value + room < surely)


def _subgradient(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    """How far a right choice may be from the symmetric one; any of them, where rounding decides."""
    match node.parameter:
        case "step":
            return _kink(x[0], x[1], 0.5)
        case "sign":
            return _kink(x[0], _ZERO, 1.0)
        case (_, axis):
            candidates = _candidates(x[0], axis + 1)
            tied = np.sum(candidates, axis=axis + 1, keepdims=True)
            exact = np.all((x[0].error + x[0].bound) == 0)
            share = np.where(tied > 1, np.maximum(1 - 1 / tied, 1 / tied) if exact else 1.0, 0.0)
            return np.where(candidates, share, 0.0)
        case other:
            raise ValueError(other)


def _kink(one: Operand, other: Operand, half: float) -> Array:
    tie = (one.value == other.value) & (one.error + one.bound + other.error + other.bound == 0)
    return np.where(tie, half, np.where(is_certain(one, other), 0.0, 2 * half))


# --- moving, products, running sums ---------------------------------------------------------


def _gather(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    bound = np.broadcast_to(x[0].bound, x[0].value.shape)
    return gather(node, bound, x[1].value)


def _scatter(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    source, places = x
    count = scatter(node, np.ones_like(source.value), places.value, b)
    terms = float(np.max(count, initial=0.0))
    upper = np.fmax(scatter(node, source.largest, places.value, b), scale)
    carried = scatter(node, np.broadcast_to(source.bound, source.value.shape), places.value, b)
    bound = carried + gamma(max(terms - 1, 0), f) * upper
    return np.where(upper + bound <= f.largest, bound, np.inf)


def _concatenate(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    return concatenate(node, [np.broadcast_to(o.bound, o.value.shape) for o in x])


def _product(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    axis = node.parameter + 1
    values = np.moveaxis(x[0].magnitude, axis, 0)
    bounds = np.moveaxis(np.broadcast_to(x[0].bound, x[0].magnitude.shape), axis, 0)
    exact, carried = np.ones_like(scale), np.zeros_like(scale)
    largest = np.ones_like(scale)  # no partial product, in any order, is larger
    for m, bound in zip(values, bounds, strict=True):
        carried = product_of_bounds(carried, m + bound) + product_of_bounds(exact, bound)
        exact = exact * m
        largest = largest * np.maximum(m + bound, 1.0)
    roundings = max(len(values) - 1, 0)
    relative = gamma(roundings, f)
    lost = roundings * f.underflow * (1 + relative) * largest
    bound = carried * (1 + relative) + relative * np.fmax(exact, scale) + lost
    return np.where(largest * (1 + relative) <= f.largest, bound, np.inf)


def _cumulative(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    terms = x[0].value.shape[node.parameter[0] + 1]
    upper = np.fmax(cumulative(node, x[0].largest), scale)
    carried = cumulative(node, np.broadcast_to(x[0].bound, x[0].value.shape))
    bound = carried + gamma(max(terms - 1, 0), f) * upper
    return np.where(upper + bound <= f.largest, bound, np.inf)


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
    "index": _exact,
    "convert": _convert,
    "compare": _compare,
    "logical": _logical,
    "where": _where,
    "maximum": _maximum,
    "max": _max,
    "subgradient": _subgradient,
    "gather": _gather,
    "scatter": _scatter,
    "concatenate": _concatenate,
    "product": _product,
    "cumulative": _cumulative,
    "solve": solve_bound,
    "determinant": determinant_bound,
    "cholesky": cholesky_bound,
}
# Whose bounds have the safety factor already.
SAFE = frozenset({"add", "multiply", "divide", "function", "einsum"})
LEAVES = frozenset({"input", "constant", "table", "size"})
SCALING = frozenset({"multiply", "einsum", "divide"})  # where a power of two rounds nothing
PRODUCTS = frozenset(
    {"multiply", "divide", "power", "einsum", "product", "solve", "determinant", "cholesky"}
)
