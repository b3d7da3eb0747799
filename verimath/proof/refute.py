"""Counterexamples: a point of the domain, in small rational numbers, where balls exclude equality.

The two sides are enclosed in balls; a difference whose ball doesn't contain zero is certain.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import MAX_EMAX, MIN_EMIN, ROUND_CEILING, ROUND_FLOOR, Context, Decimal, Overflow
from typing import Any

import numpy as np

from verimath.arithmetic.ball import BALLS, decided
from verimath.arithmetic.exact import UndecidedError, evaluate
from verimath.arithmetic.rational import RATIONALS
from verimath.errors import NotExpressibleError
from verimath.formula.core import lowered, partly_defined
from verimath.formula.graph import Node, topological
from verimath.proof.degree import highest_degree
from verimath.proof.identity import Identity
from verimath.proof.points import Point, certain
from verimath.shapes import Binding

_LARGEST_DEGREE = 200  # of formulas whose values are shown as fractions
# Balls this narrow around zero, relative to the values, are taken for zero: no difference was seen.
_NARROW = 2.0**-160
_DIGITS = (12, 24, 48, 96)  # that a value is shown in


@dataclass(frozen=True, slots=True)
class Witness:
    """Where two sides differ: `left` - `right` at one element is certainly between the numbers."""

    pairs: tuple[tuple[Node, Node], ...]  # the two sides in core operations
    binding: Binding
    point: Point
    output: int
    index: tuple[int, ...]
    left: str
    right: str
    low: str
    high: str


def refute(identity: Identity, *, seed: int = 0, also: Binding | None = None) -> Witness | None:
    """A certified counterexample, or None if none is found within the counted limits.

    `also` is a choice of sizes to look at besides the small ones.
    """
    try:
        outputs, lost = with_lost(identity, (*identity.left, *identity.right))
    except NotExpressibleError:
        return None

    def differs(point: Point, binding: Binding) -> Witness | None:
        found = _difference(outputs, point, binding)
        # Where what has cancelled has no value, nothing was stated: sqrt(x)^2 is |x|.
        return found if found is None or is_defined(lost, point, binding) else None

    found = certain(identity, differs, seed=seed, also=also)
    return None if found is None else _in_fractions(outputs, found)


# --- what is certain ------------------------------------------------------------------------


def with_lost(
    identity: Identity, sides: Sequence[Node]
) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """The sides in core operations, and what isn't defined everywhere and has cancelled in them.

    Raises NotExpressibleError for what has no core operations.
    """
    partly = partly_defined((*identity.primal, *sides), positive=identity.positive)
    nodes = lowered((*sides, *partly), ties=True)
    outputs = nodes[: len(sides)]
    kept = set(topological(outputs))
    return outputs, tuple(n for n in dict.fromkeys(nodes[len(sides) :]) if n not in kept)


def is_defined(nodes: Sequence[Node], point: Point, binding: Binding) -> bool:
    """Whether all nodes certainly have values."""
    try:
        return decided(lambda: _all_finite(nodes, point, binding))
    except (UndecidedError, ZeroDivisionError, NotExpressibleError):
        return False


def _all_finite(nodes: Sequence[Node], point: Point, binding: Binding) -> bool:
    balls = {name: BALLS.array(cells) for name, cells in point.items()}
    values = evaluate(nodes, balls, binding, BALLS)
    if not all(value.is_finite() for array in values for value in array.ravel()):
        raise UndecidedError("an element that isn't finite")
    return True


def _difference(outputs: Sequence[Node], point: Point, binding: Binding) -> Witness | None:
    """The first element at which the two sides certainly differ, if there is one."""
    try:
        return decided(lambda: _enclosed(outputs, point, binding))
    except (UndecidedError, ZeroDivisionError, NotExpressibleError):
        return None


def _enclosed(outputs: Sequence[Node], point: Point, binding: Binding) -> Witness | None:
    balls = {name: BALLS.array(cells) for name, cells in point.items()}
    values = evaluate(outputs, balls, binding, BALLS)
    if not all(value.is_finite() for array in values for value in array.ravel()):
        raise UndecidedError("an element that isn't finite")
    count = len(outputs) // 2
    for k, (left, right) in enumerate(zip(values[:count], values[count:], strict=True)):
        for index in np.ndindex(*left.shape):
            one, other = left[index], right[index]
            gap = one - other
            if not gap.contains(0):
                pairs = tuple(zip(outputs[:count], outputs[count:], strict=True))
                return Witness(pairs, binding, point, k, index, *_shown(one, other), *_ends(gap))
            if gap.abs_upper() > _NARROW * (1 + abs(one)).upper():
                raise UndecidedError("a ball around zero that is wide")
    return None


def _in_fractions(outputs: Sequence[Node], found: Witness) -> Witness:
    """The two values as fractions, where they are some of moderate length."""
    sides = [outputs[found.output], outputs[len(outputs) // 2 + found.output]]
    values = as_fractions(sides, found.index, found.point, found.binding)
    return found if values is None else replace(found, left=values[0], right=values[1])


def as_fractions(
    nodes: Sequence[Node], index: tuple[int, ...], point: Point, binding: Binding
) -> tuple[str, ...] | None:
    """The elements of nodes at a place, written as fractions; None if they are none, or long."""
    if highest_degree(nodes, binding) > _LARGEST_DEGREE:
        return None
    rationals = {name: RATIONALS.array(cells) for name, cells in point.items()}
    try:
        values = evaluate(nodes, rationals, binding, RATIONALS)
    except (UndecidedError, ZeroDivisionError, NotExpressibleError):
        return None
    return tuple(str(value[index]) for value in values)


def _shown(one: Any, other: Any) -> tuple[str, str]:
    """Two balls that are apart, in as few digits as show that they are."""
    left, right = "", ""
    for digits in _DIGITS:
        left, right = (str(ball.str(digits, radius=False)) for ball in (one, other))
        if left != right:
            break
    return left, right


def _ends(gap: Any) -> tuple[str, str]:
    """Decimal numbers around a ball, rounded away from it.

    Raises UndecidedError for what has no decimal, however large an exponent is.
    """
    try:
        return _decimal(gap.lower(), ROUND_FLOOR), _decimal(gap.upper(), ROUND_CEILING)
    except Overflow:
        raise UndecidedError("a difference that is too large to be written down") from None


def _decimal(end: Any, rounding: str) -> str:
    """An end of a ball, a dyadic number, in eight digits; however large its exponent is."""
    mantissa, exponent = (int(part) for part in end.mid().man_exp())
    wide = Context(prec=120, Emax=MAX_EMAX, Emin=MIN_EMIN)
    near = wide.multiply(Decimal(mantissa), wide.power(Decimal(2), Decimal(exponent)))
    # The power is rounded; what that may be is far less than the last digit that is kept.
    outward = wide.multiply(abs(near), Decimal("1e-100")).copy_sign(
        Decimal(1 if rounding == ROUND_CEILING else -1)
    )
    short = Context(prec=8, rounding=rounding, Emax=MAX_EMAX, Emin=MIN_EMIN)
    return str(short.plus(wide.add(near, outward)))
