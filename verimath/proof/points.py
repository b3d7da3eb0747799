"""Points of a domain in small rational numbers, at small sizes: where a claim may be refuted.

Sizes and numbers are tried from small to large, and what is found is made simpler as long as it
stays a counterexample.
"""

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from math import prod
from typing import Any, Protocol, TypeVar

import numpy as np

from verimath.arithmetic.exact import Objects
from verimath.domain import Input
from verimath.errors import NotExpressibleError
from verimath.formula.literals import read_literal
from verimath.proof.identity import Identity
from verimath.shapes import Binding
from verimath.structure import STRUCTURES

_LARGEST_SIZE = 4
_LARGEST_SHAPES = 80  # choices of sizes
_LARGEST_ELEMENTS = 64  # in the inputs
_POINTS, _ALL_POINTS = 4, 32  # at each choice of sizes at least, and in all
_SIMPLIFICATIONS = 150  # evaluations

FAR = 1000  # a number of a point whose numbers are hardly ever equal by chance

Point = Mapping[str, Objects]  # arrays of Fraction


class Located(Protocol):
    """What was found at a point."""

    @property
    def point(self) -> Point:
        """The inputs, by name."""
        ...

    @property
    def binding(self) -> Binding:
        """The sizes."""
        ...


Found = TypeVar("Found", bound=Located)
Question = Callable[[Point, Binding], Found | None]


def certain(
    identity: Identity, question: Question[Found], *, seed: int = 0, also: Binding | None = None
) -> Found | None:
    """What a question finds at some small point, as simple as it gets; None if it finds nothing.

    `also` is a choice of sizes to look at besides the small ones.
    """
    source = random.Random(seed)  # noqa: S311  no secret
    sizes = [*small_sizes(identity), *(() if also is None else (also,))]
    for binding in sizes:
        for number in range(max(_POINTS, _ALL_POINTS // len(sizes))):
            try:
                point = drawn_point(identity, binding, source, number)
            except NotExpressibleError:
                return None
            if point is None:
                break
            found = question(point, binding)
            if found is not None:
                return _simplified(identity, question, found)
    return None


def small_sizes(identity: Identity) -> Iterator[Binding]:
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


def drawn_point(
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
        at_ends = number == _POINTS - 1 and not (spec.exclude_min and spec.exclude_max)
        parts = 1 if at_ends else 8 if number < FAR else 997
        first, last = int(spec.exclude_min), parts - int(spec.exclude_max)
        found = low + (high - low) * Fraction(source.randint(first, last), parts)
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
        return next(v for v in (Fraction(1), Fraction(-1), *ends) if is_inside(spec, v))
    return value


def is_inside(spec: Input, value: Fraction) -> bool:
    """Whether a number is in the range of an input."""
    low, high = _limits(spec)
    above = low is None or value > low or (value == low and not spec.exclude_min)
    below = high is None or value < high or (value == high and not spec.exclude_max)
    return above and below and not (spec.exclude_zero and value == 0)


# --- simpler --------------------------------------------------------------------------------


def _simplified(identity: Identity, question: Question[Found], found: Found) -> Found:
    """The same with as many zeros and ones as it can have."""
    budget = _SIMPLIFICATIONS
    for name, place, value in _places(identity, found.point):
        for simpler in _simpler(value):
            if not budget:
                return found
            if not is_inside(identity.inputs[name], simpler):
                continue
            budget -= 1
            cells = found.point[name].copy()
            cells[place] = simpler
            better = question({**found.point, name: cells}, found.binding)
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
