"""Solutions of linear systems judged by their residual: the error class `residual`.

By Oettli and Prager (Higham, *Accuracy and Stability*, 2nd ed., theorem 7.3) a vector x^ solves a
system with |dA| <= E and |db| <= f exactly if, and only if, |b - A x^| <= E |x^| + f, element by
element. E and f are those of elimination in the dtype (theorem 9.4), with what A and b carry
themselves: however ill-conditioned A is, elimination passes, and so does an iteration that has
gone on until its residual is as small. What is compared is b - A x^ with zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from verimath.arithmetic.bounds.matrices import eliminated
from verimath.arithmetic.formats import FLOAT64, FloatFormat
from verimath.arithmetic.operand import gamma
from verimath.arithmetic.rounding import Enclosure, evaluate
from verimath.arithmetic.values import Array
from verimath.backends import Fetched
from verimath.errors import ClaimError
from verimath.formula.graph import Formula
from verimath.judge import Results
from verimath.reference.prepared import Prepared
from verimath.reference.want import Want
from verimath.shapes import Binding


def system_of(prepared: Prepared) -> Formula:
    """The matrix and the right-hand side of the system whose solution a claim speaks of.

    Raises ClaimError if its value isn't a single solution (or inverse), perhaps reshaped.
    """
    reference = prepared.reference
    node = reference.outputs[0]
    while node.operation == "reshape":
        node = node.inputs[0]
    if len(reference.outputs) != 1 or node.operation != "solve":
        raise ClaimError(
            f"claim {prepared.claim.id!r}: error_class='residual' is for solutions of linear "
            f"systems, and its value is made by {node.operation!r}; wanted solve(A, b) or inv(A) "
            "as the last operation of the gradient, or of the left side"
        )
    return Formula("system", reference.inputs, node.inputs, {})


@dataclass(frozen=True, slots=True)
class System:
    """A batch of systems, and how large a solution x^ may leave b - A x^: E |x^| + f.

    `matrix` and `backward` (E) have shape (count, n, n), `right` and `fixed` (f) (count, n, k).
    """

    matrix: Array
    right: Array
    backward: Array
    fixed: Array

    def allowed(self, solution: Array) -> Array:
        """How large the residual may be, element by element; anything, where it overflows."""
        size = np.abs(solution)
        reached = np.abs(self.matrix) @ size + np.abs(self.right)
        return np.where(np.isfinite(reached), self.backward @ size + self.fixed, np.inf)


def system_at(
    prepared: Prepared,
    inputs: Mapping[str, Array],
    binding: Binding,
    format_: FloatFormat,
    count: int,
) -> System:
    """The systems that a claim speaks of, at float64 inputs of shape (count, *shape)."""
    found = evaluate(system_of(prepared), inputs, binding, dtypes=(format_,))
    a, b = (_full(each, count) for each in found)
    n, size = a.value.shape[-1], np.abs(a.value)
    with np.errstate(all="ignore"):
        carried = a.bounds[format_.name] + a.error
        grown = eliminated(a.value, carried, format_).growth
        moved = b.bounds[format_.name] + b.error
        backward = carried + gamma(3 * n, format_.in_itself) * (grown + carried)
        # What the residual itself is computed with.
        own, slack = gamma(n + 1, FLOAT64), 1 + 2.0**-20
        lost = n * format_.underflow * (1 + np.sum(size, axis=-1))[..., None]
        return System(
            a.value,
            b.value,
            backward * slack + own * size,
            moved * slack + own * np.abs(b.value) + lost,
        )


def residuals(
    prepared: Prepared,
    got: Sequence[Results],
    want: Sequence[Want],
    inputs: Mapping[str, Array],
    binding: Binding,
    format_: FloatFormat,
) -> tuple[list[Results], tuple[Want, ...]]:
    """Results and wants for the judge: residuals, wanted zero; results of other shapes as they are.

    `inputs` are float64 of shape (count, *shape), `want` says where the solution is a number.
    """
    shape = want[0].value.shape
    if any(len(results) != 1 or results[0].array.shape != shape[1:] for results in got):
        return list(got), tuple(want)
    solution = np.stack([np.asarray(results[0].array, dtype=np.float64) for results in got])
    system = system_at(prepared, inputs, binding, format_, len(solution))
    x = solution.reshape(system.right.shape)
    with np.errstate(all="ignore"):
        residual = system.right - system.matrix @ x
        known = np.isfinite(want[0].value).reshape(residual.shape)
        allowed = np.where(known, system.allowed(x), np.inf).reshape(shape)
    judged: list[Results] = [
        (Fetched(r.reshape(shape[1:]), results[0].dtype, results[0].on_device),)
        for r, results in zip(residual, got, strict=True)
    ]
    zero = np.zeros(shape)
    return judged, (Want(zero, zero, allowed, lambda largest: allowed, roundoff=format_.roundoff),)


def _full(found: Enclosure, count: int) -> Enclosure:
    """With one member per example."""

    def spread(x: Array) -> Array:
        return np.broadcast_to(x, (count, *x.shape[1:]))

    bounds = {name: spread(x) for name, x in found.bounds.items()}
    return Enclosure(spread(found.value), spread(found.error), bounds)
