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

from verimath.arithmetic.ball import BALLS, decided
from verimath.arithmetic.exact import Objects, UndecidedError, evaluate
from verimath.arithmetic.rational import RATIONALS
from verimath.domain import Input
from verimath.errors import NotExpressibleError
from verimath.formula.core import lowered
from verimath.formula.graph import Node
from verimath.formula.literals import read_literal
from verimath.proof.degree import highest_degree
from verimath.proof.identity import Identity
from verimath.shapes import Binding
from verimath.structure import STRUCTURES

POINTS = 4  # at each choice of sizes
_LARGEST_SIZE = 4
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


def refute(identity: Identity, *, seed: int = 0) -> Witness | None:
    """A certified counterexample, or None if none is found within the counted limits."""
    try:
        outputs = lowered((*identity.left, *identity.right), ties=identity.ties)
    except NotExpressibleError:
        return None
    source = random.Random(seed)  # noqa: S311  no secret
    for binding in _sizes(identity):
        for number in range(POINTS):
            point = _drawn(identity, binding, source, number)
            if point is None:
                break
            found = _difference(outputs, point, binding)
            if found is not None:
                return _in_fractions(outputs, _simplified(identity, outputs, found))
    return None


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
            value += 1
        taken.add(value)
        cells[place] = value
    return cells


def given_numbers(spec: Input) -> Objects:
    """The rational numbers that a given input's decimals stand for."""
    return _fractions(spec.values, lambda x: read_literal(float(x)).factor)


def _fractions(values: Any, of: Callable[[Any], Fraction]) -> Objects:
    cells = np.empty(np.shape(values), dtype=object)
    for place in np.ndindex(*cells.shape):
        cells[place] = of(values[place])
    return cells


def _number(spec: Input, binding: Binding, source: random.Random, number: int) -> Fraction:
    if spec.kind == "boolean":
        return Fraction(source.randint(0, 1))
    if spec.classes is not None:
        return Fraction(source.randrange(max(1, spec.classes.at(binding))))
    whole = spec.kind == "integer"
    spread = 3 + 2 * number
    low = None if spec.min_value is None else Fraction(spec.min_value)
    high = None if spec.max_value is None else Fraction(spec.max_value)
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
    return value + 1 if spec.exclude_zero and value == 0 else value


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
            if not budget or not _inside(identity.inputs[name], simpler):
                break
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
    low, high = spec.min_value, spec.max_value
    above = low is None or value > low or (value == low and not spec.exclude_min)
    below = high is None or value < high or (value == high and not spec.exclude_max)
    return above and below and not (spec.exclude_zero and value == 0)
