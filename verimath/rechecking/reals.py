"""Real numbers: rational as long as that is possible, else balls that contain the true value."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from random import Random
from typing import Any

import flint
import numpy as np

from verimath.rechecking.graph import Number
from verimath.rechecking.limits import RefusedError
from verimath.rechecking.plain import Plain, check_elements, each, objects
from verimath.rechecking.polynomials import fraction, polynomial, value
from verimath.rechecking.sizing import labels_of
from verimath.report.certificate import InputRecord

_LONG = 4000  # bits of a fraction; longer ones become balls


class OutsideError(Exception):
    """The point is outside the domain, on a kink, or too near to tell."""


def rational(number: Fraction) -> Any:
    """A fraction in flint's numbers."""
    return flint.fmpq(number.numerator, number.denominator)


class Reals(Plain):
    """Values are arrays of `fmpq`, and of `arb` where they had to be rounded."""

    def number(self, number: Number) -> Any:
        found = rational(number.factor)
        if number.unit is not None:
            unit = flint.arb.pi() if number.unit == "pi" else flint.arb.const_e()
            found = unit * found
        if number.root is not None:
            found = _power(rational(number.root), Fraction(1, 2)) * found
        return objects((), [found])

    def whole(self, number: int) -> Any:
        return flint.fmpq(number)

    def trimmed(self, x: Any) -> Any:
        if any(isinstance(item, flint.fmpq) and _long(item) for item in x.ravel()):
            return each(lambda item: flint.arb(item) if isinstance(item, flint.fmpq) else item, x)
        return x

    def is_zero(self, x: Any) -> bool:
        return x.contains(0) if isinstance(x, flint.arb) else x == 0

    def divide(self, x: Any, y: Any) -> Any:
        if any(isinstance(item, flint.arb) and item.contains(0) for item in y.ravel()):
            raise OutsideError
        return np.asarray(x / y, dtype=object)

    def power(self, x: Any, exponent: Fraction) -> Any:
        return each(lambda item: _power(item, exponent), x)

    def function(self, name: str, x: Any) -> Any:
        def of(item: Any) -> Any:
            if item == 0 and name in ("sin", "asin", "atan", "asinh", "atanh", "erf"):
                return item
            return _finite(getattr(flint.arb(item), name)())

        return each(of, x)

    def step(self, x: Any) -> Any:
        def of(item: Any) -> Any:
            if item > 0:
                return flint.fmpq(1)
            if item < 0:
                return flint.fmpq(0)
            raise OutsideError

        return each(of, x)

    def tie(self, x: Any) -> Any:
        def of(item: Any) -> Any:
            if item == 0 or item > 0 or item < 0:
                return flint.fmpq(int(item == 0))
            raise OutsideError

        return each(of, x)

    def above(self, x: Any) -> Any:
        zero = [isinstance(item, flint.fmpq) and item == 0 for item in x.ravel()]
        moved = [item - 1 if on else item for item, on in zip(x.ravel(), zero, strict=True)]
        return self.step(objects(x.shape, moved))

    def share(self, x: Any, axis: int) -> Any:
        rows = np.moveaxis(x, axis, -1)
        out = np.empty(rows.shape, dtype=object)
        for place in np.ndindex(*rows.shape[:-1]):
            row = rows[place]
            best = [
                k
                for k in range(len(row))
                if all(row[k] > row[m] for m in range(len(row)) if m != k)
            ]
            if not best:
                raise OutsideError
            for k in range(len(row)):
                out[(*place, k)] = flint.fmpq(int(k == best[0]))
        return np.moveaxis(out, -1, axis)


class NotRationalError(Exception):
    """A formula isn't a rational function of its inputs."""


class Residues(Plain):
    """Rational numbers modulo a prime: what is equal as a rational function is equal here."""

    def __init__(self, prime: int) -> None:
        self.prime = prime

    def whole(self, number: int) -> Any:
        return flint.nmod(number % self.prime, self.prime)

    def residue(self, number: Any) -> Any:
        """A rational number modulo the prime."""
        return self.whole(int(number.p)) / self.whole(int(number.q))

    def lift(self, x: Any) -> Any:
        return each(
            lambda item: (
                self.whole(item)
                if isinstance(item, int)
                else self.residue(item)
                if isinstance(item, flint.fmpq)
                else item
            ),
            x,
        )

    def number(self, number: Number) -> Any:
        if number.unit is not None or number.root is not None:
            raise NotRationalError
        return objects((), [self.residue(rational(number.factor))])

    def is_zero(self, x: Any) -> bool:
        return int(x) == 0

    def power(self, x: Any, exponent: Fraction) -> Any:
        if exponent.denominator != 1:
            raise NotRationalError
        return each(lambda item: item ** int(exponent), x)

    def function(self, name: str, x: Any) -> Any:
        raise NotRationalError

    def step(self, x: Any) -> Any:
        raise NotRationalError

    def share(self, x: Any, axis: int) -> Any:
        raise NotRationalError


def _long(number: Any) -> bool:
    return max(number.p.bit_length(), number.q.bit_length()) > _LONG


def _finite(ball: Any) -> Any:
    if not ball.is_finite():
        raise OutsideError
    return ball


def _power(x: Any, exponent: Fraction) -> Any:
    if exponent.denominator == 1:
        if exponent < 0 and (x.contains(0) if isinstance(x, flint.arb) else x == 0):
            raise OutsideError
        return x ** int(exponent)
    if x == 0 and exponent > 0:
        return x
    if not x > 0:
        raise OutsideError
    if exponent.denominator == 2:
        return flint.arb(x).sqrt() ** int(exponent.numerator)
    return _finite((flint.arb(x).log() * rational(exponent)).exp())


def contains_zero(x: Any) -> bool:
    """Whether a number may be zero."""
    return x.contains(0) if isinstance(x, flint.arb) else x == 0


def radius(x: Any) -> Any:
    """How far a number may be from its middle."""
    return x.rad() if isinstance(x, flint.arb) else flint.arb(0)


# Where free inputs are drawn: (from, to) in 2^-20, one after another until a formula is defined.
RANGES = ((-2, 2), (0, 2), (-0.9, 0.9), (0.1, 0.9), (1.1, 4), (-1, 6))


def draw_inputs(
    inputs: Sequence[InputRecord],
    kinds: Mapping[str, str],
    sizes: Mapping[str, int],
    random: Random,
    attempt: int,
    labels: Mapping[str, Sequence[int]],
) -> dict[str, Any]:
    """Random rational numbers for all inputs; masks of 0 and 1; `labels` and masks as they are.

    Raises RefusedError for a given input that doesn't fit its shape.
    """
    low, high = RANGES[attempt % len(RANGES)]
    drawn: dict[str, Any] = {}
    for record in inputs:
        shape = tuple(value(polynomial(size), sizes) for size in record.shape)
        check_elements(shape)
        count = int(np.prod(shape, dtype=int))
        kind = kinds.get(record.name, "real")
        if record.values is not None:
            numbers = given(record, count) if kind == "real" else integers(record, count)
            drawn[record.name] = objects(shape, numbers)
        elif record.name in labels:
            drawn[record.name] = objects(shape, labels[record.name])
        elif kind == "boolean":
            drawn[record.name] = objects(shape, [random.randrange(2) for _ in range(count)])
        elif kind == "integer" and record.classes is None:
            drawn[record.name] = objects(shape, [random.randint(-6, 6) for _ in range(count)])
        elif record.classes is not None:
            numbers = labels_of(record, sizes)
            drawn[record.name] = objects(shape, [random.choice(numbers) for _ in range(count)])
        else:
            a, b = (max(low, 0.05), max(high, 1)) if record.positive else (low, high)
            drawn[record.name] = objects(
                shape,
                [
                    flint.fmpq(random.randint(int(a * 2**20), int(b * 2**20)), 2**20)
                    for _ in range(count)
                ],
            )
    return drawn


def is_free(record: InputRecord, kinds: Mapping[str, str]) -> bool:
    """Whether an input is any real numbers."""
    return record.values is record.classes is None and kinds.get(record.name, "real") == "real"


def far(x: Any, constants: Sequence[Fraction], positive: bool, random: Random) -> Any:
    """Elements near the constants of a formula, and as far away as these lead."""
    most = Fraction(1)
    for number in constants:
        most *= max(number, 1 / number)
        if most.numerator.bit_length() > _LONG // 8:
            break

    def of(item: Any) -> Any:
        near = rational(random.choice(constants))
        wide = rational(most)
        chosen = random.choice(
            (item, item + near, item - near, item * near, item / near, item * wide, item / wide)
        )
        return abs(chosen) if positive else chosen

    return each(of, x)


def given(record: InputRecord, count: int) -> list[Any]:
    """The numbers of a given input."""
    assert record.values is not None
    if len(record.values) != count:
        raise RefusedError(f"the given input {record.name!r} has {len(record.values)} numbers")
    return [rational(fraction(text)) for text in record.values]


def integers(record: InputRecord, count: int) -> list[Any]:
    """The numbers of a given input of integers."""
    numbers = given(record, count)
    if any(number.q != 1 for number in numbers):
        raise RefusedError(f"the given input {record.name!r} isn't made of integers")
    return [int(number.p) for number in numbers]
