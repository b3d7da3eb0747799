"""Running error analysis: the value of a formula in float64, and how far rounding may carry it.

`evaluate` walks a graph once and carries, beside each float64 value v, a bound B_T for every dtype
T asked for: |result of evaluating the formula in T - exact value| <= B_T, whatever the order of
sums and products (Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., sections 2.4,
3.1, 3.3 and 4.2: model (2.8), which has underflow, gamma_n for sums, running error analysis). With
u the unit roundoff, eta half the least subnormal, and m >= |exact value|:

    x + y     Bx + By                           then rounding
    x y       mx By + my Bx + Bx By             then rounding
    x / y     (Bx + mx By / my) / (my - By)     then rounding, my the least possible |y|
    x^k       k (mx + Bx)^(k-1) Bx              then max(k - 1, c) roundings; x^-k is 1 / x^k
    f(x)      sup |f'| Bx over the ball         then c_f roundings
    sum of K products of m factors: S(|x| + B) - S(|x|), then gamma_{K+m-2} S(|x| + B) + K eta
    rounding: u (m + B) + eta

Arrays carry one leading axis more than their node: a batch of evaluations at once (length 1
broadcasts). Input arrays are exact: every float is.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verimath.formula.graph import Formula, Node, topological
from verimath.formula.literals import Constant
from verimath.shapes import Binding

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FloatFormat:
    """A binary floating-point format: unit roundoff, half the least subnormal, largest number."""

    name: str
    roundoff: float
    underflow: float
    largest: float

    @property
    def exact_integers(self) -> float:
        """Every integer up to here is a number of the format."""
        return 1 / self.roundoff


# Bounds are computed in float64, where they underflow themselves: eta is taken 8 times as large as
# it is (2^-1075), for no rule multiplies more than seven times per rounding.
FLOAT64 = FloatFormat("float64", 2.0**-53, 2.0**-1072, float(np.finfo(np.float64).max))
FLOAT32 = FloatFormat("float32", 2.0**-24, 2.0**-150, float(np.finfo(np.float32).max))
FORMATS = {format_.name: format_ for format_ in (FLOAT64, FLOAT32)}

# The bound is computed in float64 itself, and Python scalars are rounded twice (to float64, then
# to the dtype): both stay below a relative 2^-20 for graphs of up to 2^30 operations.
_SAFETY = 1 + 2.0**-20
# Differences of bounds may cancel, so they are taken of operands that are off by more than any
# rounding of float64 and far less than any bound.
_SLACK = 2.0**-40

# Largest error of the elementary functions of numpy and torch on CPU and CUDA, in unit roundoffs:
# 4 ulp is what their vectorised kernels promise. A square root is within 1 ulp: torch takes it from
# MKL's vector library, which does not round correctly.
FUNCTION_ROUNDINGS = {"negative": 0, "sqrt": 2, "exp": 8, "log": 8, "sin": 8, "cos": 8, "tanh": 8}
POWER_ROUNDINGS = 8


@dataclass(frozen=True, slots=True)
class Enclosure:
    """Float64 values and, per format name, the bound on the rounding error in that format."""

    value: Array
    bounds: dict[str, Array]

    @property
    def error(self) -> Array:
        """How far `value` itself may be from the exact value."""
        return self.bounds["float64"]


@dataclass(frozen=True, slots=True)
class _Operand:
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
Rule = Callable[[Node, Array, list[_Operand], Binding, FloatFormat], Array]


def evaluate(
    formula: Formula,
    inputs: Mapping[str, Array],
    binding: Binding,
    *,
    dtypes: Iterable[str] = (),
    input_roundings: float = 0.0,
) -> tuple[Enclosure, ...]:
    """Values and error bounds of the outputs, each with a leading batch axis.

    `inputs` are float64 arrays of shape (batch, *shape). Bounds come for float64 and `dtypes`.
    Where a bound can't be given (overflow, a denominator that may be zero) it is infinite.

    `input_roundings` = k turns the bounds into an envelope of rearranged evaluations: every input
    and literal gets a relative error of k u, and every operation rounds relative to its majorant,
    the same formula of magnitudes without cancellation. However sums and products are multiplied
    out, no term exceeds the majorant (Higham, section 5.1, on p~(|x|)).
    """
    formats = [FORMATS[name] for name in dict.fromkeys(("float64", *dtypes))]
    known: dict[Node, Enclosure] = {}
    scales: dict[Node, Array] = {}
    with np.errstate(all="ignore"):
        for node in formula.nodes():
            children = [known[child] for child in node.inputs]
            value = _VALUES[node.operation](node, [c.value for c in children], binding, inputs)
            scales[node] = np.abs(value)
            if input_roundings:
                majorants = [scales[child] for child in node.inputs]
                majorant = _majorant(node, majorants, [c.value for c in children], binding)
                scales[node] = np.fmax(scales[node], majorant)
            bounds: dict[str, Array] = {}
            for format_ in formats:
                operands = [_Operand(c.value, c.error, c.bounds[format_.name]) for c in children]
                bound = _BOUNDS[node.operation](node, scales[node], operands, binding, format_)
                if node.operation in _LEAVES:
                    bound = bound + input_roundings * format_.roundoff * np.abs(value)
                bounds[format_.name] = _settle(bound, value, bounds.get("float64"), format_)
            known[node] = Enclosure(value, bounds)
    return tuple(known[output] for output in formula.outputs)


def rounding_count(formula: Formula) -> int:
    """How many operations round: the backward-stable reading's p (an upper bound on the depth)."""
    return sum(node.operation in _ROUNDING for node in topological(formula.outputs))


def _settle(bound: Array, value: Array, error: Array | None, format_: FloatFormat) -> Array:
    """Widen by the safety factor; no bound where the number may overflow the format."""
    bound = bound * _SAFETY
    magnitude = np.abs(value) + (bound if error is None else error)
    hopeless = ~(magnitude + bound <= format_.largest)
    return np.where(hopeless, np.inf, bound)


def _less(a: Array, b: Array) -> Array:
    """At most a - b for a >= 0, whatever cancels; never positive for a < 0."""
    return a * (1 - _SLACK) - b * (1 + _SLACK)


def _gamma(roundings: float, format_: FloatFormat) -> float:
    """Higham's gamma_k = k u / (1 - k u), infinite where k u reaches 1 (section 3.1)."""
    share = roundings * format_.roundoff
    return share / (1 - share) if share < 1 else math.inf


def _rounded(scale: Array, carried: Array, format_: FloatFormat, roundings: float = 1.0) -> Array:
    """The carried error, plus that of rounding a result of this size so many times."""
    # The exact result may exceed the float64 one by about what is carried.
    relative = _gamma(roundings, format_) * (scale + 2 * carried)
    return carried + relative + max(roundings, 1.0) * format_.underflow


# --- values ---------------------------------------------------------------------------------


def _letters(indices: tuple[int, ...]) -> str:
    return "".join("abcdefghijklmnopqrstuvwxyz"[index] for index in indices)


def _equation(node: Node) -> str:
    operands = ",".join("..." + _letters(indices) for indices in node.parameter.operands)
    return f"{operands}->...{_letters(node.parameter.output)}"


def _shape(node: Node, binding: Binding) -> tuple[int, ...]:
    return tuple(size.at(binding) for size in node.shape)


def _broadcast(node: Node, x: Array, binding: Binding) -> Array:
    lead = (1,) * (len(node.shape) - (x.ndim - 1))
    aligned = x.reshape(x.shape[:1] + lead + x.shape[1:])
    return np.broadcast_to(aligned, x.shape[:1] + _shape(node, binding))


def _reshape(node: Node, x: Array, binding: Binding) -> Array:
    return x.reshape(x.shape[:1] + _shape(node, binding))


def _float(constant: Constant) -> float:
    """The float64 nearest to a literal; one beyond all floats is infinite, which has no bound."""
    try:
        return float(constant)
    except OverflowError:
        return math.inf


def _floats(cells: Any) -> Any:
    return _float(cells) if isinstance(cells, Constant) else [_floats(cell) for cell in cells]


def _table(node: Node, binding: Binding) -> Array:
    return np.asarray(_floats(node.parameter), dtype=np.float64).reshape(
        (1, *_shape(node, binding))
    )


def _delta(node: Node, binding: Binding) -> Array:
    return np.eye(node.shape[0].at(binding))[None]


_NUMPY_FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "negative": np.negative,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
}

Value = Callable[[Node, list[Array], Binding, Mapping[str, Array]], Array]
_VALUES: dict[str, Value] = {
    "input": lambda node, _, binding, inputs: inputs[node.parameter],
    "constant": lambda node, _, binding, inputs: np.asarray([_float(node.parameter)]),
    "size": lambda node, _, binding, inputs: np.asarray([float(node.parameter.at(binding))]),
    "table": lambda node, _, binding, inputs: _table(node, binding),
    "delta": lambda node, _, binding, inputs: _delta(node, binding),
    "add": lambda node, x, binding, inputs: x[0] + x[1],
    "multiply": lambda node, x, binding, inputs: x[0] * x[1],
    "divide": lambda node, x, binding, inputs: x[0] / x[1],
    "power": lambda node, x, binding, inputs: x[0] ** float(node.parameter),
    "function": lambda node, x, binding, inputs: _NUMPY_FUNCTIONS[node.parameter](x[0]),
    "einsum": lambda node, x, binding, inputs: np.einsum(_equation(node), *x),
    "broadcast": lambda node, x, binding, inputs: _broadcast(node, x[0], binding),
    "reshape": lambda node, x, binding, inputs: _reshape(node, x[0], binding),
}


# --- majorants ------------------------------------------------------------------------------


def _majorant(node: Node, x: list[Array], values: list[Array], binding: Binding) -> Array:
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
            return np.einsum(_equation(node), *x)
        case "broadcast" | "reshape":
            return _MOVES[node.operation](node, x[0], binding)
        case "function" if node.parameter == "negative":
            return x[0]
        case _:
            return np.zeros(1)


# --- bounds ---------------------------------------------------------------------------------


def _exact(node: Node, scale: Array, x: list[_Operand], b: Binding, f: FloatFormat) -> Array:
    return np.zeros_like(scale)


def _literal(node: Node, scale: Array, x: list[_Operand], b: Binding, f: FloatFormat) -> Array:
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
    nearest = float(np.dtype(f.name).type(_float(constant)))
    return 0 if math.isfinite(nearest) and Fraction(nearest) == constant.factor else 1


def _size(node: Node, scale: Array, x: list[_Operand], b: Binding, f: FloatFormat) -> Array:
    return np.where(scale <= f.exact_integers, 0.0, f.roundoff * scale)


def _add(node: Node, scale: Array, x: list[_Operand], b: Binding, f: FloatFormat) -> Array:
    return _rounded(scale, x[0].bound + x[1].bound, f)


def _product(a: Array, b: Array) -> Array:
    """A * b for bounds, with 0 * inf = inf: nothing is known then."""
    result = a * b
    return np.where(np.isnan(result), np.inf, result)


def _multiply(node: Node, scale: Array, x: list[_Operand], b: Binding, f: FloatFormat) -> Array:
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


def _is_power_of_two(node: Node, operand: _Operand) -> bool:
    """Whether an operand is one literal (or size) that scales without rounding."""
    if _number(node) is None or not operand.value.size:
        return False
    return np.frexp(abs(operand.value.flat[0]))[0] == 0.5 and not operand.bound.flat[0]


def _divide(node: Node, scale: Array, x: list[_Operand], b: Binding, f: FloatFormat) -> Array:
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
    above: _Operand, below: _Operand, scale: Array, f: FloatFormat, roundings: float
) -> Array:
    least = _less(np.abs(below.value), below.error)
    computed = _less(np.abs(below.value), below.error + below.bound)
    ratio = above.magnitude / least + f.underflow
    carried = (above.bound + _product(ratio, below.bound)) / computed
    bound = _rounded(scale, carried, f, roundings)
    return np.where((computed > 0) & ~np.isnan(bound), bound, np.inf)


def _power(node: Node, scale: Array, x: list[_Operand], b: Binding, f: FloatFormat) -> Array:
    exponent: Fraction = node.parameter
    if exponent in (0, 1):
        return x[0].bound * float(exponent)
    if exponent > 0:
        return _raised(x[0], exponent, scale, f, 1.0 if exponent == 2 else POWER_ROUNDINGS)
    # Libraries take some of these as reciprocals, which meets underflow and overflow on its way.
    value = x[0].value ** float(-exponent)
    own = _Operand(x[0].value, x[0].error, x[0].error)
    error = _raised(own, -exponent, np.abs(value), FLOAT64, POWER_ROUNDINGS)
    bound = _raised(x[0], -exponent, np.abs(value), f, POWER_ROUNDINGS)
    error = _settle(error, value, None, FLOAT64)
    below = _Operand(value, error, _settle(bound, value, error, f))
    one = _Operand(_ONE, 0 * _ONE, 0 * _ONE)
    return _quotient(one, below, scale, f, 1.0)


def _raised(
    x: _Operand, exponent: Fraction, scale: Array, f: FloatFormat, roundings: float
) -> Array:
    """x^k for k > 0: as a product (k - 1 roundings), or by a function that rounds k, too."""
    k, off = float(exponent), x.error + x.bound
    if exponent.denominator == 1:
        carried = k * _product(x.largest ** (k - 1), x.bound)
        return _rounded(scale, carried, f, max(k - 1, roundings))
    least = np.maximum(x.least, 0.0)
    steepest = (x.largest if k > 1 else least) ** (k - 1)
    carried = np.where(x.bound == 0, 0.0, k * _product(steepest, x.bound))
    if float(np.dtype(f.name).type(k)) != exponent:
        # x^(k + d) / x^k = e^(d log x), with |d| <= k u.
        span = np.maximum(np.abs(np.log(x.largest)), np.abs(np.log(least)))
        shifted = x.largest**k * np.expm1(2 * k * f.roundoff * span)
        carried = carried + np.where(x.largest == 0, 0.0, shifted)
    # Below zero there is no power.
    return np.where((off == 0) | (x.least >= 0), _rounded(scale, carried, f, roundings), np.inf)


# sup |f'| over [x - B, x + B], times B; infinite where the ball leaves the domain.
_FUNCTION_CARRIES: dict[str, Callable[[_Operand], Array]] = {
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


def _function(node: Node, scale: Array, x: list[_Operand], b: Binding, f: FloatFormat) -> Array:
    carried = _FUNCTION_CARRIES[node.parameter](x[0])
    if node.parameter == "negative":
        return carried
    return _rounded(scale, carried, f, FUNCTION_ROUNDINGS[node.parameter])


def _einsum(node: Node, scale: Array, x: list[_Operand], b: Binding, f: FloatFormat) -> Array:
    subscripts = node.parameter
    sizes = {
        index: axis.at(b)
        for indices, child in zip(subscripts.operands, node.inputs, strict=True)
        for index, axis in zip(indices, child.shape, strict=True)
    }
    terms = math.prod(n for index, n in sizes.items() if index not in subscripts.output)
    equation = _equation(node)
    upper = np.fmax(np.einsum(equation, *(operand.largest for operand in x)), scale)
    carried = np.zeros_like(upper)
    if any(np.any(operand.bound) for operand in x):
        carried = _carried(equation, x)
    gamma = _gamma(max(terms + len(x) - 2, 0), f)
    bound = carried + gamma * upper + (1 + gamma) * terms * (len(x) - 1) * f.underflow
    # A partial sum may overflow where the sum does not; NaN is 0 times infinity.
    return np.where(upper + bound <= f.largest, bound, np.inf)


def _carried(equation: str, x: list[_Operand]) -> Array:
    """S(|x| + B) - S(|x|), expanded so that nothing cancels."""
    if len(x) == 1:
        return np.einsum(equation, x[0].bound)
    left, right = x
    return (
        np.einsum(equation, left.magnitude, right.bound)
        + np.einsum(equation, left.bound, right.magnitude)
        + np.einsum(equation, left.bound, right.bound)
    )


def _moved(node: Node, scale: Array, x: list[_Operand], b: Binding, f: FloatFormat) -> Array:
    return _MOVES[node.operation](node, x[0].bound, b)


_MOVES = {"broadcast": _broadcast, "reshape": _reshape}
_BOUNDS: dict[str, Rule] = {
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
_LEAVES = frozenset({"input", "constant", "table", "size"})
_ROUNDING = frozenset({"add", "multiply", "divide", "power", "function", "einsum"})
