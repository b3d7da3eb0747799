"""Counterexamples: a point of the domain, in small rational numbers, where balls exclude equality.

The two sides are enclosed in balls; a difference whose ball doesn't contain zero is certain. Sizes
and numbers are tried from small to large, and what is found is made simpler as long as it stays a
counterexample.
"""

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import MAX_EMAX, MIN_EMIN, ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verimath.arithmetic.ball import BALLS, decided
from verimath.arithmetic.exact import Objects, UndecidedError, evaluate
from verimath.arithmetic.rational import RATIONALS
from verimath.domain import Input
from verimath.errors import NotExpressibleError
from verimath.formula.core import compared, lowered
from verimath.formula.graph import Node
from verimath.formula.literals import read_literal
from verimath.proof.degree import highest_degree
from verimath.proof.identity import Identity
from verimath.shapes import Binding
from verimath.structure import STRUCTURES

_POINTS = 4  # at each choice of sizes, and
_MOST_POINTS = 24  # where there are few of them
_LARGEST_SIZE = 4
# Points with large numbers, so many that numbers that needn't be equal aren't at all of them.
_FAR, _TIES = 1000, 6
_LARGEST_SHAPES = 80  # choices of sizes
_LARGEST_ELEMENTS = 64  # in the inputs
_SIMPLIFICATIONS = 150  # evaluations
_LARGEST_DEGREE = 200  # of formulas whose values are shown as fractions
# Balls this narrow around zero, relative to the values, are taken for zero: no difference was seen.
_NARROW = 2.0**-160

Point = Mapping[str, Objects]  # arrays of Fraction


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
        outputs = lowered((*identity.left, *identity.right), ties=identity.ties)
    except NotExpressibleError:
        return None
    source = random.Random(seed)  # noqa: S311  no secret
    bindings = [*_sizes(identity), *(() if also is None else (also,))]
    points = max(_POINTS, _MOST_POINTS // max(len(bindings), 1))
    for binding in bindings:
        for number in range(points):
            try:
                point = _drawn(identity, binding, source, number)
            except NotExpressibleError:
                return None
            if point is None:
                break
            found = _difference(outputs, point, binding)
            if found is not None:
                return _in_fractions(outputs, _simplified(identity, outputs, found))
    return None


def always_tied(identity: Identity, bindings: Sequence[Binding], *, seed: int = 0) -> bool:
    """Whether some comparison of real numbers is between equal ones wherever the formulas are.

    Exact evaluation has such a comparison for a step off its kink; so it says nothing of it.
    """
    try:
        differences = compared((*identity.primal, *identity.left, *identity.right))
    except NotExpressibleError:
        return False
    source = random.Random(seed)  # noqa: S311  no secret
    for binding in bindings if differences else ():
        points = [_drawn(identity, binding, source, _FAR) for _ in range(_TIES)]
        if None in points:
            continue
        for node in differences:
            ties = [_zeros(node, point, binding) for point in points if point is not None]
            if np.logical_and.reduce(ties).any():
                return True
    return False


def _zeros(node: Node, point: Point, binding: Binding) -> NDArray[np.bool_]:
    """Where an array is zero, as far as balls can tell; nowhere if it has no value."""
    balls = {name: BALLS.array(cells) for name, cells in point.items()}
    shape = tuple(size.at(binding) for size in node.shape)
    try:
        (values,) = evaluate((node,), balls, binding, BALLS)
    except (UndecidedError, ZeroDivisionError, NotExpressibleError):
        return np.zeros(shape, dtype=bool)
    found = [bool(value.contains(0)) and value.is_finite() for value in values.ravel()]
    return np.array(found, dtype=bool).reshape(shape)


def _sizes(identity: Identity) -> Iterator[Binding]:
    """Small choices of sizes, the smallest first; different sizes tell more than equal ones."""
    names = identity.names
    choices = itertools.product(range(1, _LARGEST_SIZE + 1), repeat=len(names))
    ordered = sorted(itertools.islice(choices, 20_000), key=lambda c: (sum(c), max(c, default=0)))
    count = 0
    for sizes in ordered:
        binding = dict(zip(names, sizes, strict=True))
        elements = sum(
            prod(size.at(binding) for size in shape) for shape in identity.shapes.values()
        )
        if elements > _LARGEST_ELEMENTS or not identity.allowed(binding):
            continue
        yield binding
        count += 1
        if count >= _LARGEST_SHAPES:
            return


# --- points ---------------------------------------------------------------------------------


def _drawn(
    identity: Identity, binding: Binding, source: random.Random, number: int
) -> Point | None:
    """A point of the domain in small numbers; None if the domain has none at these sizes."""
    point: dict[str, Objects] = {}
    for name, spec in identity.inputs.items():
        shape = tuple(size.at(binding) for size in identity.shapes[name])
        if not spec.has_member(shape, binding):
            return None
        point[name] = _member(spec, shape, binding, source, number)
    return point


def _member(
    spec: Input, shape: tuple[int, ...], binding: Binding, source: random.Random, number: int
) -> Objects:
    if spec.values is not None:
        return given_numbers(spec)
    if spec.structure is not None:
        free = np.array([source.randint(-3, 3) for _ in range(prod(shape))], dtype=np.float64)
        made = STRUCTURES[spec.structure].make(free.reshape(1, *shape), "float64")[0]
        return _fractions(made, lambda x: Fraction(float(x)))
    cells = np.empty(shape, dtype=object)
    taken: set[Fraction] = set()
    for place in np.ndindex(*shape):
        value = _number(spec, binding, source, number)
        while spec.distinct and value in taken:
            value = _another(spec, value, source)
        taken.add(value)
        cells[place] = value
    return cells


def given_numbers(spec: Input) -> Objects:
    """The rational numbers that a given input's decimals stand for.

    Raises NotExpressibleError for a number such as pi.
    """
    return _fractions(spec.values, lambda x: rational_number(float(x)))


def rational_number(value: float) -> Fraction:
    """The rational number that a decimal stands for.

    Raises NotExpressibleError for one such as pi, that isn't rational.
    """
    literal = read_literal(value)
    if not literal.is_rational:
        raise NotExpressibleError(f"the number {literal}, which is not rational")
    return literal.factor


def _fractions(values: Any, of: Callable[[Any], Fraction]) -> Objects:
    cells = np.empty(np.shape(values), dtype=object)
    for place in np.ndindex(*cells.shape):
        cells[place] = of(values[place])
    return cells


def _another(spec: Input, value: Fraction, source: random.Random) -> Fraction:
    """Another number of a range that has more than a few."""
    low, high = _limits(spec)
    if low is not None and high is not None:
        return low + (high - low) * Fraction(source.randint(1, 996), 997)
    return value - 1 if high is not None else value + 1


def _limits(spec: Input) -> tuple[Fraction | None, Fraction | None]:
    """The ends of a range, as the decimals that were written."""
    low, high = spec.min_value, spec.max_value
    return None if low is None else _end(low), None if high is None else _end(high)


def _end(value: float) -> Fraction:
    literal = read_literal(float(value))
    return literal.factor if literal.is_rational else Fraction(value)


def _number(spec: Input, binding: Binding, source: random.Random, number: int) -> Fraction:
    if spec.kind == "boolean":
        return Fraction(source.randint(0, 1))
    if spec.classes is not None:
        count = spec.classes.at(binding)
        if spec.ignore_index is not None and not source.randint(0, max(0, count)):
            return Fraction(spec.ignore_index)
        return Fraction(source.randrange(max(1, count)))
    whole = spec.kind == "integer"
    spread = 3 + 2 * number
    low, high = _limits(spec)
    step = Fraction(source.randint(-spread, spread))
    if low is not None and high is not None:
        found = low + (high - low) * Fraction(source.randint(1, 7), 8)
        value = Fraction(round(found)) if whole else found
    elif low is not None:
        value = low + abs(step) + (1 if spec.exclude_min else 0)
    elif high is not None:
        value = high - abs(step) - (1 if spec.exclude_max else 0)
    else:
        value = step
    if spec.exclude_zero and value == 0:
        # An end of the range may be as near as you like, but for zero itself.
        ends = [end / 2 for end in (low, high) if end]
        return next(v for v in (Fraction(1), Fraction(-1), *ends) if _inside(spec, v))
    return value


# --- what is certain ------------------------------------------------------------------------


def _difference(outputs: Sequence[Node], point: Point, binding: Binding) -> Witness | None:
    """The first element at which the two sides certainly differ, if there is one."""
    try:
        return decided(lambda: _enclosed(outputs, point, binding))
    except (UndecidedError, ZeroDivisionError, NotExpressibleError):
        return None


def _enclosed(outputs: Sequence[Node], point: Point, binding: Binding) -> Witness | None:
    balls = {name: BALLS.array(cells) for name, cells in point.items()}
    values = evaluate(outputs, balls, binding, BALLS)
    count = len(outputs) // 2
    for k, (left, right) in enumerate(zip(values[:count], values[count:], strict=True)):
        for index in np.ndindex(*left.shape):
            one, other = left[index], right[index]
            gap = one - other
            if not gap.is_finite():
                raise UndecidedError("an element that isn't finite")
            if not gap.contains(0):
                pairs = tuple(zip(outputs[:count], outputs[count:], strict=True))
                shown = _shown(one), _shown(other)
                return Witness(pairs, binding, point, k, index, *shown, *_ends(gap))
            if gap.abs_upper() > _NARROW * (1 + abs(one)).upper():
                raise UndecidedError("a ball around zero that is wide")
    return None


def _in_fractions(outputs: Sequence[Node], found: Witness) -> Witness:
    """The two values as fractions, where they are some of moderate length."""
    if highest_degree(outputs, found.binding) > _LARGEST_DEGREE:
        return found
    rationals = {name: RATIONALS.array(cells) for name, cells in found.point.items()}
    try:
        values = evaluate(outputs, rationals, found.binding, RATIONALS)
    except (UndecidedError, ZeroDivisionError, NotExpressibleError):
        return found
    count = len(outputs) // 2
    left: Any = values[found.output][found.index]
    right: Any = values[count + found.output][found.index]
    return replace(found, left=str(left), right=str(right))


def _shown(ball: Any) -> str:
    return str(ball.str(12, radius=False))


def _ends(gap: Any) -> tuple[str, str]:
    """Decimal numbers around a ball, rounded away from it."""
    return _decimal(gap.lower(), ROUND_FLOOR), _decimal(gap.upper(), ROUND_CEILING)


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


# --- simpler --------------------------------------------------------------------------------


def _simplified(identity: Identity, outputs: Sequence[Node], found: Witness) -> Witness:
    """The same counterexample with as many zeros and ones as it can have."""
    budget = _SIMPLIFICATIONS
    for name, place, value in _places(identity, found.point):
        for simpler in _simpler(value):
            if not budget:
                return found
            if not _inside(identity.inputs[name], simpler):
                continue
            budget -= 1
            cells = found.point[name].copy()
            cells[place] = simpler
            better = _difference(outputs, {**found.point, name: cells}, found.binding)
            if better is not None:
                found = better
                break
    return found


def _places(identity: Identity, point: Point) -> Iterable[tuple[str, tuple[int, ...], Fraction]]:
    """Elements that may be changed one by one: those of inputs without structure."""
    for name, spec in identity.inputs.items():
        if spec.is_free and spec.kind == "real":
            cells: Any = point[name]
            for place in np.ndindex(*cells.shape):
                yield name, place, cells[place]


def _simpler(value: Fraction) -> Iterable[Fraction]:
    for candidate in (Fraction(0), Fraction(1), Fraction(-1), Fraction(round(value))):
        if candidate == value:
            return
        yield candidate


def _inside(spec: Input, value: Fraction) -> bool:
    low, high = _limits(spec)
    above = low is None or value > low or (value == low and not spec.exclude_min)
    below = high is None or value < high or (value == high and not spec.exclude_max)
    return above and below and not (spec.exclude_zero and value == 0)
