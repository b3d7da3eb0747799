"""Disputes: what exact arithmetic says, before a result is called wrong.

What is wanted comes from float64 with a bound on its own error. Where that is about to accuse
somebody, the wanted element is enclosed by a ball around the real number (Arb): the accusation
stands only if float64 was as near to it as it said.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from verimath.arithmetic.ball import BALLS, decided
from verimath.arithmetic.exact import UndecidedError, evaluate
from verimath.errors import NotExpressibleError
from verimath.formula.core import lowered
from verimath.formula.graph import Formula, Node, topological
from verimath.reference.want import Want
from verimath.shapes import Binding

_LARGEST = 20_000  # elements of all intermediate results
_DIGITS = 20  # that are shown
_NARROW = 2.0**-80  # the radius of a ball that is narrow, relative to its middle


@dataclass(frozen=True, slots=True)
class Ruling:
    """The exact element, written in decimals, and whether float64 was as near as it said."""

    exact: str
    agrees: bool


def rule(
    formula: Formula,
    inputs: Mapping[str, NDArray[Any]],
    binding: Binding,
    want: Want,
    output: int,
    index: tuple[int, ...],
) -> Ruling | None:
    """Enclose one element of what is wanted of an example; None where balls don't tell.

    `inputs` are the example's arrays, `want` what float64 wants of a batch of this one example.
    Balls don't tell at kinks, of what isn't finite or has no core operations, and of formulas with
    many elements, whose evaluation would take long.
    """
    value, error = float(want.value[(0, *index)]), float(want.error[(0, *index)])
    if not all(np.isfinite(array).all() for array in inputs.values()) or not math.isfinite(value):
        return None
    try:
        (node,) = lowered((formula.outputs[output],), ties=True)
        if _elements(node, binding) > _LARGEST:
            return None
        ball = decided(lambda: _enclosed(node, inputs, binding, index))
    except (UndecidedError, ZeroDivisionError, NotExpressibleError, RecursionError):
        return None
    off = abs(ball - flint.arb(value))
    # The ball is narrow, but not a point: only what is certainly further off disagrees.
    return Ruling(_decimals(ball), not off > flint.arb(error))


def _decimals(ball: Any) -> str:
    digits, e, exponent = str(ball.str(_DIGITS, radius=False)).partition("e")
    return (digits.rstrip("0").rstrip(".") if "." in digits else digits) + e + exponent


def _elements(node: Node, binding: Binding) -> int:
    nodes = topological((node,))
    return sum(math.prod(size.at(binding) for size in inner.shape) for inner in nodes)


def _enclosed(
    node: Node, inputs: Mapping[str, NDArray[Any]], binding: Binding, index: tuple[int, ...]
) -> Any:
    points = {name: BALLS.array(_fractions(array)) for name, array in inputs.items()}
    (values,) = evaluate((node,), points, binding, BALLS)
    ball: Any = values[index]
    if not ball.is_finite() or ball.rad() > _NARROW * abs(ball).upper():
        raise UndecidedError("a wide ball")
    return ball


def _fractions(array: NDArray[Any]) -> NDArray[np.object_]:
    """The numbers as they are: every float is a fraction."""
    cells = np.empty(array.shape, dtype=object)
    for place in np.ndindex(*array.shape):
        cells[place] = Fraction(array[place].item())
    return cells
