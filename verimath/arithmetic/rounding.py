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

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from verimath.arithmetic.bounds import BOUNDS, LEAVES, ROUNDING, Operand, majorant, settle
from verimath.arithmetic.formats import FloatFormat, formats_of
from verimath.arithmetic.functions import own_float64
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


@dataclass(frozen=True, slots=True)
class _Rule:
    """The bound of one node, whatever the format."""

    node: Node
    value: Array
    scale: Array
    binding: Binding
    input_roundings: float

    def __call__(self, operands: list[Operand], format_: FloatFormat, error: Array | None) -> Array:
        node = self.node
        bound = BOUNDS[node.operation](node, self.scale, operands, self.binding, format_)
        if node.operation in LEAVES:
            bound = bound + self.input_roundings * format_.roundoff * np.abs(self.value)
        return settle(bound, self.value, error, format_)


def evaluate(
    formula: Formula,
    inputs: Mapping[str, Array],
    binding: Binding,
    *,
    dtypes: Iterable[str | FloatFormat] = (),
    input_roundings: float = 0.0,
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
    """
    used = functions_of(formula)
    own = own_float64().for_functions(used)
    formats = {n: f.for_functions(used) for n, f in formats_of((own, *dtypes)).items()}
    if input_roundings:
        own = own.in_itself
        formats = {name: format_.in_itself for name, format_ in formats.items()}
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

            rule = _Rule(node, value, scales[node], binding, input_roundings)
            error = rule([Operand(c.value, c.error, c.error) for c in children], own, None)
            bounds: dict[str, Array] = {}
            for name, format_ in formats.items():
                if format_ == own:
                    bounds[name] = error
                    continue
                operands = [Operand(c.value, c.error, c.bounds[name]) for c in children]
                bounds[name] = rule(operands, format_, error)
            known[node] = Enclosure(value, error, bounds)
    return tuple(known[output] for output in formula.outputs)


def functions_of(formula: Formula) -> frozenset[str]:
    """The elementary functions that a formula uses."""
    nodes = topological(formula.outputs)
    return frozenset(str(node.parameter) for node in nodes if node.operation == "function")


def rounding_count(formula: Formula) -> int:
    """How many operations round: the backward-stable reading's p (an upper bound on the depth)."""
    return sum(node.operation in ROUNDING for node in topological(formula.outputs))
