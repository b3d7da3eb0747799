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

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from verimath.arithmetic.bounds import BOUNDS, LEAVES, ROUNDING, Operand, majorant, settle
from verimath.arithmetic.formats import FORMATS
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
    known: dict[Node, Enclosure] = {}
    scales: dict[Node, Array] = {}
    with np.errstate(all="ignore"):
        for node in formula.nodes():
            children = [known[child] for child in node.inputs]
            value = VALUES[node.operation](node, [c.value for c in children], binding, inputs)
            scales[node] = np.abs(value)
            if input_roundings:
                majorants = [scales[child] for child in node.inputs]
                above = majorant(node, majorants, [c.value for c in children], binding)
                scales[node] = np.fmax(scales[node], above)
            bounds: dict[str, Array] = {}
            for format_ in formats:
                operands = [Operand(c.value, c.error, c.bounds[format_.name]) for c in children]
                bound = BOUNDS[node.operation](node, scales[node], operands, binding, format_)
                if node.operation in LEAVES:
                    bound = bound + input_roundings * format_.roundoff * np.abs(value)
                bounds[format_.name] = settle(bound, value, bounds.get("float64"), format_)
            known[node] = Enclosure(value, bounds)
    return tuple(known[output] for output in formula.outputs)


def rounding_count(formula: Formula) -> int:
    """How many operations round: the backward-stable reading's p (an upper bound on the depth)."""
    return sum(node.operation in ROUNDING for node in topological(formula.outputs))
