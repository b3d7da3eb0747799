"""Bounds on what a formula comes to: whether every element is at most a number in magnitude.

At given numbers this is decided, in balls. Over drawn ones a point beyond the bound is looked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from verimath.arithmetic.ball import BALLS, decided
from verimath.arithmetic.exact import UndecidedError, evaluate
from verimath.errors import NotExpressibleError
from verimath.formula.graph import Node
from verimath.formula.literals import Constant
from verimath.proof.identity import Identity
from verimath.proof.points import Point, certain
from verimath.proof.refute import as_fractions, is_defined, with_lost
from verimath.shapes import Binding


@dataclass(frozen=True, slots=True)
class Excess:
    """Where an element of core nodes is certainly larger in magnitude than a bound."""

    nodes: tuple[Node, ...]
    binding: Binding
    point: Point
    output: int
    index: tuple[int, ...]
    value: str


def exceed(identity: Identity, bound: Constant, *, seed: int = 0) -> Excess | None:
    """A point at which the left side is beyond the bound, or None within the counted limits.

    Raises NotExpressibleError for what has no core operations.
    """
    nodes, lost = with_lost(identity, identity.left)

    def look(point: Point, binding: Binding) -> Excess | None:
        try:
            found = beyond(nodes, bound, point, binding)
        except (UndecidedError, ZeroDivisionError, NotExpressibleError):
            return None
        # Where what has cancelled has no value, nothing was stated.
        return found if found is None or is_defined(lost, point, binding) else None

    found = certain(identity, look, seed=seed)
    if found is None:
        return None
    value = as_fractions([nodes[found.output]], found.index, found.point, found.binding)
    return found if value is None else replace(found, value=value[0])


def beyond(nodes: Sequence[Node], bound: Constant, point: Point, binding: Binding) -> Excess | None:
    """The first element that is beyond the bound at a point; None if all are certainly within.

    Raises UndecidedError if balls don't tell.
    """
    return decided(lambda: _beyond(nodes, bound, point, binding))


def _beyond(
    nodes: Sequence[Node], bound: Constant, point: Point, binding: Binding
) -> Excess | None:
    balls = {name: BALLS.array(cells) for name, cells in point.items()}
    limit = BALLS.of_constant(bound)
    undecided: Any = None
    for k, values in enumerate(evaluate(nodes, balls, binding, BALLS)):
        for index in np.ndindex(*values.shape):
            value: Any = values[index]
            if abs(value) > limit:
                shown = str(value.str(12, radius=False))
                return Excess(tuple(nodes), binding, point, k, index, shown)
            if not abs(value) <= limit:
                undecided = value
    if undecided is not None:
        raise UndecidedError(f"whether {undecided} is beyond the bound")
    return None
