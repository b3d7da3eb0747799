"""Running error analysis: the value of a formula in float64, and how far rounding may carry it.

`evaluate` walks a graph once and carries, beside each float64 value v, a bound B_T for every dtype
T asked for: |result of evaluating the formula in T - exact value| <= B_T, whatever the order of
sums and products (Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., sections 3.1,
3.3 and 4.2: model (2.4) with underflow, gamma_n for sums, running error analysis). With u the unit
roundoff, eta half the least subnormal, and m >= |exact value|:

    x + y     Bx + By                           then rounding
    x y       mx By + my Bx + Bx By             then rounding
    x / y     (Bx + mx By / my) / (my - By)     then rounding, my the least possible |y|
    x^k       (mx + Bx)^k - mx^k                then rounding
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


FLOAT64 = FloatFormat("float64", 2.0**-53, 2.0**-1074, float(np.finfo(np.float64).max))
FLOAT32 = FloatFormat("float32", 2.0**-24, 2.0**-150, float(np.finfo(np.float32).max))
FORMATS = {format_.name: format_ for format_ in (FLOAT64, FLOAT32)}

# The bound is computed in float64 itself, and Python scalars are rounded twice (to float64, then
# to the dtype): both stay below a relative 2^-20 for graphs of up to 2^30 operations.
_SAFETY = 1 + 2.0**-20

# Largest error of the elementary functions of numpy and torch on CPU and CUDA, in unit roundoffs:
# 4 ulp is what their vectorised kernels promise; square roots are correctly rounded.
FUNCTION_ROUNDINGS = {"negative": 0, "sqrt": 1, "exp": 8, "log": 8, "sin": 8, "cos": 8, "tanh": 8}
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
    """What a rule sees of an input in one format: exact magnitude bound m, and B."""

    value: Array
    magnitude: Array
    bound: Array


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
    `input_roundings` = k gives every input and literal a relative error of k u, which turns the
    bounds into an envelope of backward-stable evaluations. Where a bound can't be given (overflow,
    a denominator that may be zero) it is infinite.
    """
    formats = [FORMATS[name] for name in dict.fromkeys(("float64", *dtypes))]
    known: dict[Node, Enclosure] = {}
    with np.errstate(all="ignore"):
        for node in formula.nodes():
            value = _VALUES[node.operation](
                node, [known[child].value for child in node.inputs], binding, inputs
            )
            bounds: dict[str, Array] = {}
            for format_ in formats:
                operands = [_operand(known[child], format_) for child in node.inputs]
                bound = _BOUNDS[node.operation](node, value, operands, binding, format_)
                if input_roundings and node.operation in ("input", "constant", "table", "size"):
                    bound = bound + input_roundings * format_.roundoff * np.abs(value)
                bounds[format_.name] = _settle(bound, value, bounds.get("float64"), format_)
            known[node] = Enclosure(value, bounds)
    return tuple(known[output] for output in formula.outputs)


def rounding_count(formula: Formula) -> int:
    """How many operations round: the backward-stable reading's p (an upper bound on the depth)."""
    return sum(node.operation in _ROUNDING for node in topological(formula.outputs))


def _operand(child: Enclosure, format_: FloatFormat) -> _Operand:
    magnitude = np.abs(child.value) + child.error
    return _Operand(child.value, magnitude, child.bounds[format_.name])


def _settle(bound: Array, value: Array, error: Array | None, format_: FloatFormat) -> Array:
    """Widen by the safety factor; no bound where the number may overflow the format."""
    bound = bound * _SAFETY
    magnitude = np.abs(value) + (bound if error is None else error)
    hopeless = ~(magnitude + bound <= format_.largest)
    return np.where(hopeless, np.inf, bound)


def _rounded(value: Array, carried: Array, format_: FloatFormat, roundings: float = 1.0) -> Array:
    """The carried error, plus that of rounding a result of this size."""
    # The exact result may exceed the float64 one by about what is carried.
    scale = np.abs(value) + 2 * carried
    return carried + roundings * format_.roundoff * scale + format_.underflow


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


def _floats(cells: Any) -> Any:
    return float(cells) if isinstance(cells, Constant) else [_floats(cell) for cell in cells]


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
    "constant": lambda node, _, binding, inputs: np.asarray([float(node.parameter)]),
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


# --- bounds ---------------------------------------------------------------------------------


def _exact(node: Node, value: Array, x: list[_Operand], b: Binding, f: FloatFormat) -> Array:
    return np.zeros_like(value)


def _literal(node: Node, value: Array, x: list[_Operand], b: Binding, f: FloatFormat) -> Array:
    roundings = [_literal_roundings(constant, f) for constant in _constants(node.parameter)]
    scale = np.asarray(roundings, dtype=np.float64).reshape(value.shape)
    return scale * (f.roundoff * np.abs(value) + f.underflow)


def _constants(cells: Any) -> list[Constant]:
    if isinstance(cells, Constant):
        return [cells]
    return [constant for cell in cells for constant in _constants(cell)]


def _literal_roundings(constant: Constant, f: FloatFormat) -> int:
    """None if the number exists in the format, else one; a named constant is read to two ulp."""
    if constant.unit != "1":
        return 6
    nearest = Fraction(float(np.dtype(f.name).type(float(constant.factor))))
    return 0 if nearest == constant.factor else 1


def _size(node: Node, value: Array, x: list[_Operand], b: Binding, f: FloatFormat) -> Array:
    return np.where(np.abs(value) <= f.exact_integers, 0.0, f.roundoff * np.abs(value))


def _add(node: Node, value: Array, x: list[_Operand], b: Binding, f: FloatFormat) -> Array:
    return _rounded(value, x[0].bound + x[1].bound, f)


def _product(a: Array, b: Array) -> Array:
    """A * b for bounds, with 0 * inf = inf: nothing is known then."""
    result = a * b
    return np.where(np.isnan(result), np.inf, result)


def _multiply(node: Node, value: Array, x: list[_Operand], b: Binding, f: FloatFormat) -> Array:
    left, right = x
    carried = (
        _product(left.magnitude, right.bound)
        + _product(right.magnitude, left.bound)
        + _product(left.bound, right.bound)
    )
    exact = any(map(_is_power_of_two, node.inputs, x))
    return _rounded(value, carried, f, 0.0 if exact else 1.0)


def _is_power_of_two(node: Node, operand: _Operand) -> bool:
    """Whether an operand is one literal (or size) that scales without rounding."""
    while node.operation == "broadcast":
        node = node.inputs[0]
    if node.operation not in ("constant", "size") or not operand.value.size:
        return False
    return np.frexp(abs(operand.value.flat[0]))[0] == 0.5 and not operand.bound.flat[0]


def _divide(node: Node, value: Array, x: list[_Operand], b: Binding, f: FloatFormat) -> Array:
    above, below = x
    # The least |y|: the float64 value less its own possible error.
    least = np.abs(below.value) - (below.magnitude - np.abs(below.value))
    computed = least - below.bound
    ratio = above.magnitude / least
    carried = (above.bound + _product(ratio, below.bound)) / computed
    exact = _is_power_of_two(node.inputs[1], below)
    bound = _rounded(value, carried, f, 0.0 if exact else 1.0)
    return np.where((computed > 0) & (least > 0) & ~np.isnan(bound), bound, np.inf)


def _power(node: Node, value: Array, x: list[_Operand], b: Binding, f: FloatFormat) -> Array:
    exponent = float(node.parameter)
    m, e = x[0].magnitude, x[0].bound
    if exponent in (0.0, 1.0):
        return e * exponent
    least = np.abs(x[0].value) - (m - np.abs(x[0].value)) - e
    if exponent > 1:
        carried = exponent * _product((m + e) ** (exponent - 1), e)
    else:
        steepest = abs(exponent) * np.where(least > 0, least, 0.0) ** (exponent - 1)
        carried = np.where(e == 0, 0.0, _product(steepest, e))
    whole = node.parameter.denominator == 1
    roundings = 1.0 if exponent == 2 else max(exponent - 1 if whole else 0, POWER_ROUNDINGS)
    if exponent < 0:
        carried = np.where(least > 0, carried, np.inf)
    return _rounded(value, carried, f, roundings)


# sup |f'| over [x - B, x + B], times B; infinite where the ball leaves the domain.
_FUNCTION_CARRIES: dict[str, Callable[[_Operand], Array]] = {
    "negative": lambda x: x.bound,
    "exp": lambda x: np.exp(x.value + (x.magnitude - np.abs(x.value))) * np.expm1(x.bound),
    "log": lambda x: np.where(_least(x) > 0, x.bound / _least(x), np.inf),
    "sqrt": lambda x: np.where(
        x.bound == 0, 0.0, np.where(_least(x) > 0, x.bound / np.sqrt(_least(x)), np.inf)
    ),
    "sin": lambda x: x.bound,
    "cos": lambda x: x.bound,
    "tanh": lambda x: x.bound,
}


def _least(x: _Operand) -> Array:
    return x.value - (x.magnitude - np.abs(x.value)) - x.bound


def _function(node: Node, value: Array, x: list[_Operand], b: Binding, f: FloatFormat) -> Array:
    carried = _FUNCTION_CARRIES[node.parameter](x[0])
    if node.parameter == "negative":
        return carried
    return _rounded(value, carried, f, FUNCTION_ROUNDINGS[node.parameter])


def _einsum(node: Node, value: Array, x: list[_Operand], b: Binding, f: FloatFormat) -> Array:
    subscripts = node.parameter
    sizes = {
        index: axis.at(b)
        for indices, child in zip(subscripts.operands, node.inputs, strict=True)
        for index, axis in zip(indices, child.shape, strict=True)
    }
    terms = math.prod(n for index, n in sizes.items() if index not in subscripts.output)
    equation = _equation(node)
    ideal = np.einsum(equation, *(operand.magnitude for operand in x))
    roundings = max(terms + len(x) - 2, 0)
    if all(not np.any(operand.bound) for operand in x):
        carried, upper = np.zeros_like(ideal), ideal
    else:
        upper = np.einsum(equation, *(operand.magnitude + operand.bound for operand in x))
        carried = _carried(equation, x)
    if roundings == 0:
        return np.where(np.isnan(carried), np.inf, carried)
    if roundings * f.roundoff >= 1:
        return np.full_like(value, np.inf)
    gamma = roundings * f.roundoff / (1 - roundings * f.roundoff)
    bound = carried + gamma * upper + terms * (len(x) - 1) * f.underflow
    return np.where(np.isnan(bound), np.inf, bound)


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


def _moved(node: Node, value: Array, x: list[_Operand], b: Binding, f: FloatFormat) -> Array:
    move = _broadcast if node.operation == "broadcast" else _reshape
    return move(node, x[0].bound, b)


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
_ROUNDING = frozenset({"add", "multiply", "divide", "power", "function", "einsum"})
