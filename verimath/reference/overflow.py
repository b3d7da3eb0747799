"""Where numbers on the way to a result may be infinite, in one of the ways that code may go."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from verimath.arithmetic.formats import FloatFormat
from verimath.arithmetic.rounding import Enclosure, evaluate
from verimath.arithmetic.values import Array
from verimath.formula.graph import Formula
from verimath.reference.prepared import Prepared
from verimath.shapes import Binding


def overflows(
    prepared: Prepared, inputs: Mapping[str, Array], binding: Binding, format_: FloatFormat
) -> NDArray[np.bool_]:
    """Which examples of a batch, shape (count,), the primal may overflow on, rearranged or not."""
    count = len(next(iter(inputs.values())))
    found = np.zeros(count, dtype=np.bool_)
    for enclosure in evaluate(prepared.primal, inputs, binding, dtypes=(format_,)):
        open_ = np.isinf(enclosure.bounds[format_.name])
        found |= open_.reshape(len(open_), -1).any(axis=1)
    free = replace(format_, largest=math.inf)
    limited, unlimited = (
        evaluate(prepared.primal, inputs, binding, dtypes=(each,), envelope=True)
        for each in (format_, free)
    )
    for one, other in zip(limited, unlimited, strict=True):
        over = np.isinf(one.bounds[format_.name]) & np.isfinite(other.bounds[format_.name])
        found |= over.reshape(len(over), -1).any(axis=1)
    return found


def infinite(
    prepared: Prepared, inputs: Mapping[str, Array], binding: Binding, format_: FloatFormat
) -> NDArray[np.bool_]:
    """Which examples of a batch, shape (count,), may have an infinite number on their way.

    In a product of complex arrays 0 times it makes the other part NaN, which no bound of that part
    knows of: complex arithmetic is on infinite numbers what each library makes of it.
    """
    found = np.zeros(len(next(iter(inputs.values()))), dtype=np.bool_)
    nodes = [node for formula in (prepared.primal, *prepared.orders) for node in formula.nodes()]
    real = tuple(node for node in dict.fromkeys(nodes) if node.kind == "real")
    everything = Formula("everything", prepared.primal.inputs, real, {})
    enclosures = [
        *evaluate(everything, inputs, binding, dtypes=(format_,)),
        *(e for f in prepared.orders for e in _rearranged(f, inputs, binding, format_)),
    ]
    for enclosure in enclosures:
        open_ = np.isinf(enclosure.bounds[format_.name]) & ~np.isnan(enclosure.value)
        found |= open_.reshape(len(open_), -1).any(axis=1)
    return found


def _rearranged(
    formula: Formula, inputs: Mapping[str, Array], binding: Binding, format_: FloatFormat
) -> tuple[Enclosure, ...]:
    return evaluate(formula, inputs, binding, dtypes=(format_,), envelope=True)
