"""Solutions of linear systems judged by their residual: the error class `residual`.

By Oettli and Prager (Higham, *Accuracy and Stability*, 2nd ed., theorem 7.3) a vector x^ solves a
system with |dA| <= E and |db| <= f exactly if, and only if, |b - A x^| <= E |x^| + f, element by
element. E and f are those of elimination in the dtype (theorem 9.4), with what A and b carry
themselves: however ill-conditioned A is, elimination passes, and so does an iteration that has
gone on until its residual is as small. What is compared is b - A x^ with zero.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from verimath.arithmetic.formats import FLOAT64, FloatFormat
from verimath.arithmetic.matrix_bounds import growth
from verimath.arithmetic.operand import gamma
from verimath.arithmetic.rounding import Enclosure, evaluate
from verimath.arithmetic.values import Array
from verimath.backends import Fetched
from verimath.errors import ClaimError
from verimath.formula.graph import Formula
from verimath.judge import Results
from verimath.prepare import Prepared, Want
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
    matrix, right = evaluate(system_of(prepared), inputs, binding, dtypes=(format_,))
    shape = want[0].value.shape
    if any(len(results) != 1 or results[0].array.shape != shape[1:] for results in got):
        return list(got), tuple(want)
    solution = np.stack([np.asarray(results[0].array, dtype=np.float64) for results in got])
    a, b = _full(matrix, len(solution)), _full(right, len(solution))
    x = solution.reshape(b.value.shape)
    with np.errstate(all="ignore"):
        residual = b.value - a.value @ x
        n, size = a.value.shape[-1], np.abs(x)
        (grown, *_) = growth(a.value)
        carried = a.bounds[format_.name] + a.error
        moved = b.bounds[format_.name] + b.error
        own = gamma(n + 1, FLOAT64) * (np.abs(a.value) @ size + np.abs(b.value))
        backward = carried + gamma(3 * n, format_.in_itself) * (grown + carried)
        allowed = (backward @ size + moved) * (1 + 2.0**-20)
        allowed = (
            allowed
            + own
            + n * format_.underflow * (1 + np.sum(np.abs(a.value), axis=-1))[..., None]
        )
        known = np.isfinite(want[0].value).reshape(residual.shape)
        allowed = np.where(known, allowed, np.inf)
    allowed = allowed.reshape(shape)
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
