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
        with u and eta of the accumulator; if that is wider than T, one rounding to T follows
    rounding: u (m + B) + eta

Arrays carry one leading axis more than their node: a batch of evaluations at once (length 1
broadcasts). Input arrays are exact: every float is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from verimath.arithmetic.bounds import BOUNDS, LEAVES, ROUNDING, majorant
from verimath.arithmetic.formats import FloatFormat, formats_of
from verimath.arithmetic.functions import own_float64
from verimath.arithmetic.operand import Operand, settle
from verimath.arithmetic.values import VALUES, Array
from verimath.formula.graph import Formula, Node, topological
from verimath.shapes import Binding


@dataclass(frozen=True, slots=True)
class Enclosure:
    """Float64 values and, per format name, the bound on the rounding error in that format.

    `error` says how far `value` itself may be from the exact value.
    """

    value: Array
    error: Array
    bounds: dict[str, Array]

    @property
    def sharp(self) -> "Enclosure":
        """The value without any error."""
        nothing = np.zeros_like(self.value)
        return Enclosure(self.value, nothing, dict.fromkeys(self.bounds, nothing))


def evaluate(
    formula: Formula,
    inputs: Mapping[str, Array],
    binding: Binding,
    *,
    dtypes: Iterable[str | FloatFormat] = (),
    input_roundings: float = 0.0,
    weights: Mapping[Node, Array] | None = None,
) -> tuple[Enclosure, ...]:
    """Values and error bounds of the outputs, each with a leading batch axis.

    `inputs` are float64 arrays of shape (batch, *shape). Bounds come for float64 and `dtypes`: a
    name stands for a library of which nothing is known, a format says what its library does. The
    error of the values themselves is that of numpy here. Where a bound can't be given (overflow, a
    denominator that may be zero) it is infinite.

    `input_roundings` = k turns the bounds into an envelope of rearranged evaluations: every input
    and literal gets a relative error of k u, and every operation rounds relative to its majorant,
    the same formula of magnitudes without cancellation. However sums and products are multiplied
    out, no term exceeds the majorant (Higham, section 5.1, on p~(|x|)). No accumulator is assumed
    there: code that adds one number after another in its own dtype is right, too.

    `weights` are choices of subgradients: arrays for nodes, NaN where nothing is chosen.
    """
    used = functions_of(formula)
    own = own_float64().for_functions(used)
    formats = [f.for_functions(used) for f in formats_of((own, *dtypes)).values()]
    if input_roundings:
        own, formats = own.in_itself, [format_.in_itself for format_ in formats]
    walk = _Walk(inputs, binding, own, formats, input_roundings, weights or {})
    with np.errstate(all="ignore"):
        found = walk.through(formula.outputs, {})
    return tuple(enclosure for enclosure, _ in found)


# A node's value and bounds, and the scale of its roundings (its magnitude, or its majorant).
_Known = tuple[Enclosure, Array]


_DECISIONS = frozenset({"compare", "subgradient"})
_LEAVES = ("input", "index", "delta")
_EXACT = frozenset({*_LEAVES, "max", "maximum", "gather", "concatenate", "broadcast", "reshape"})


def _stays_exact(node: Node) -> bool:
    """Whether exact operands give the same number in every format.

    What is decided by comparing such numbers, every rearrangement of a formula decides the same.
    """
    match node.operation:
        case "function":
            return node.parameter in ("negative", "abs")
        case "constant":
            return node.parameter.is_rational and node.parameter.factor in (0, 1, -1)
        case "einsum":
            return len(node.inputs) == 1 and len(node.inputs[0].shape) == len(node.shape)
        case other:
            return other in _EXACT


@dataclass(frozen=True, slots=True)
class _Walk:
    """One evaluation: what all its nodes share."""

    inputs: Mapping[str, Array]
    binding: Binding
    own: FloatFormat
    formats: Sequence[FloatFormat]
    input_roundings: float
    weights: Mapping[Node, Array]

    def through(self, outputs: tuple[Node, ...], given: Mapping[Node, _Known]) -> list[_Known]:
        known = dict(given)
        exact: set[Node] = set()
        for node in topological(outputs):
            if _stays_exact(node) and all(x in exact for x in node.inputs):
                exact.add(node)
            if node not in known:
                below = [known[child] for child in node.inputs]
                if node.operation in _DECISIONS and all(x in exact for x in node.inputs):
                    below = [(enclosure.sharp, scale) for enclosure, scale in below]
                step = self._composite if node.operation == "composite" else self._operation
                known[node] = step(node, below)
        return [known[output] for output in outputs]

    def _operation(self, node: Node, below: list[_Known]) -> _Known:
        children = [enclosure for enclosure, _ in below]
        numbers = [c.value for c in children]
        value = VALUES[node.operation](node, numbers, self.binding, self.inputs)
        chosen = self.weights.get(node)
        if chosen is not None:
            value = np.where(np.isnan(chosen), value, chosen)
        scale = np.abs(value)
        if self.input_roundings:
            above = majorant(node, [scale for _, scale in below], numbers, self.binding)
            scale = np.fmax(scale, above)
        operands = [Operand(c.value, c.error, c.error) for c in children]
        error = self._settled(node, value, scale, self.own, None, operands)
        bounds: dict[str, Array] = {}
        for format_ in self.formats:
            same = all(c.bounds[format_.name] is c.error for c in children)
            if format_ == self.own and same:
                bounds[format_.name] = error
                continue
            operands = [Operand(c.value, c.error, c.bounds[format_.name]) for c in children]
            bounds[format_.name] = self._settled(node, value, scale, format_, error, operands)
        return Enclosure(value, error, bounds), scale

    def _settled(
        self,
        node: Node,
        value: Array,
        scale: Array,
        format_: FloatFormat,
        error: Array | None,
        operands: list[Operand],
    ) -> Array:
        bound = BOUNDS[node.operation](node, scale, operands, self.binding, format_)
        if node in self.weights:
            bound = np.where(np.isnan(self.weights[node]), bound, 0.0)
        # Labels and masks are not numbers that a rearrangement could have rounded.
        if node.operation in LEAVES and node.kind == "real":
            bound = bound + self.input_roundings * format_.roundoff * np.abs(value)
        return settle(bound, value, error, format_)

    def _composite(self, node: Node, below: list[_Known]) -> _Known:
        """The value by the first order of evaluation, the largest bound over all of them."""
        given = dict(zip(node.parameter.inputs, below, strict=True))
        found = [self.through((order,), given)[0] for order in node.parameter.orders]
        bounds = {
            format_.name: _largest([enclosure.bounds[format_.name] for enclosure, _ in found])
            for format_ in self.formats
        }
        # The value is that of the first order, and so is its error.
        first, _ = found[0]
        scale = _largest([scale for _, scale in found])
        return Enclosure(first.value, first.error, bounds), scale


def _largest(arrays: list[Array]) -> Array:
    return np.maximum.reduce(np.broadcast_arrays(*arrays))


def functions_of(formula: Formula) -> frozenset[str]:
    """The elementary functions that a formula uses, those inside composites too."""
    return frozenset(_functions(formula.outputs))


def _functions(outputs: tuple[Node, ...]) -> Iterator[str]:
    for node in topological(outputs):
        if node.operation == "function":
            yield str(node.parameter)
        elif node.operation == "composite":
            yield from _functions(tuple(node.parameter.orders))


def rounding_count(formula: Formula) -> int:
    """How many operations round: the backward-stable reading's p (an upper bound on the depth)."""
    return _roundings(formula.outputs)


def _roundings(outputs: tuple[Node, ...]) -> int:
    count = 0
    for node in topological(outputs):
        if node.operation == "composite":
            count += max(_roundings((order,)) for order in node.parameter.orders)
        count += node.operation in ROUNDING
    return count
