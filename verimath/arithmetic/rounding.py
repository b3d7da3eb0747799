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

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from verimath.arithmetic.bounds import BOUNDS, LEAVES, ROUNDING, majorant
from verimath.arithmetic.formats import FORMATS, FloatFormat
from verimath.arithmetic.operand import Operand, settle
from verimath.arithmetic.values import VALUES, Array
from verimath.formula.graph import Formula, Node, topological
from verimath.shapes import Binding


@dataclass(frozen=True, slots=True)
class Enclosure:
    """Float64 values and, per format name, the bound on the rounding error in that format."""

    value: Array
    bounds: dict[str, Array]

    @property
    def error(self) -> Array:
        """How far `value` itself may be from the exact value."""
        return self.bounds["float64"]


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
    walk = _Walk(inputs, binding, formats, input_roundings)
    with np.errstate(all="ignore"):
        found = walk.through(formula.outputs, {})
    return tuple(enclosure for enclosure, _ in found)


# A node's value and bounds, and the scale of its roundings (its magnitude, or its majorant).
_Known = tuple[Enclosure, Array]


@dataclass(frozen=True, slots=True)
class _Walk:
    """One evaluation: what all its nodes share."""

    inputs: Mapping[str, Array]
    binding: Binding
    formats: Sequence[FloatFormat]
    input_roundings: float

    def through(self, outputs: tuple[Node, ...], given: Mapping[Node, _Known]) -> list[_Known]:
        known = dict(given)
        for node in topological(outputs):
            if node not in known:
                below = [known[child] for child in node.inputs]
                step = self._composite if node.operation == "composite" else self._operation
                known[node] = step(node, below)
        return [known[output] for output in outputs]

    def _operation(self, node: Node, below: list[_Known]) -> _Known:
        children = [enclosure for enclosure, _ in below]
        numbers = [c.value for c in children]
        value = VALUES[node.operation](node, numbers, self.binding, self.inputs)
        scale = np.abs(value)
        if self.input_roundings:
            above = majorant(node, [scale for _, scale in below], numbers, self.binding)
            scale = np.fmax(scale, above)
        bounds: dict[str, Array] = {}
        for format_ in self.formats:
            operands = [Operand(c.value, c.error, c.bounds[format_.name]) for c in children]
            bound = BOUNDS[node.operation](node, scale, operands, self.binding, format_)
            if node.operation in LEAVES:
                bound = bound + self.input_roundings * format_.roundoff * np.abs(value)
            bounds[format_.name] = settle(bound, value, bounds.get("float64"), format_)
        return Enclosure(value, bounds), scale

    def _composite(self, node: Node, below: list[_Known]) -> _Known:
        """The value by the first order of evaluation, the largest bound over all of them."""
        given = dict(zip(node.parameter.inputs, below, strict=True))
        found = [self.through((order,), given)[0] for order in node.parameter.orders]
        bounds = {
            format_.name: _largest([enclosure.bounds[format_.name] for enclosure, _ in found])
            for format_ in self.formats
        }
        return Enclosure(found[0][0].value, bounds), _largest([scale for _, scale in found])


def _largest(arrays: list[Array]) -> Array:
    return np.maximum.reduce(np.broadcast_arrays(*arrays))


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
