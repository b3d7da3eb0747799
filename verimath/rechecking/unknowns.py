"""A prime field in which what isn't rational is an unknown, the same one for the same argument.

Which arguments are the same is found at the largest sizes, and held to at the smaller ones: what
is an argument's element there is one here, at the same place. So unknowns that are shared are
shared at all sizes, and none is because of a size.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from math import lcm, prod
from random import Random
from typing import Any

import flint
import numpy as np
from flint.utils.flint_exceptions import DomainError

from verimath.rechecking.graph import Node, Number
from verimath.rechecking.limits import EXPONENT, RefusedError
from verimath.rechecking.plain import Plain, check_elements, each, objects
from verimath.rechecking.polynomials import polynomial, value
from verimath.rechecking.reals import given, integers
from verimath.report.certificate import InputRecord

CHOICES = 8  # roots and steps whose every sign or value is tried
_ODD = frozenset(("asin", "atan", "asinh", "atanh", "erf"))
_SIMPLE = sorted({Fraction(a, b) for a in range(1, 13) for b in range(1, 13)})

Slot = tuple[int, tuple[int, ...]]  # which call, which element


class RetryError(Exception):
    """A random point that won't do: a root that isn't in the field."""


def field_prime(random: Random) -> int:
    """A prime between 2^59 and 2^60 that leaves 1 modulo 4, so that -1 has a root."""
    number = flint.fmpz(random.randrange(2**59, 2**60))
    while True:
        while not (number % 4 == 1 and number.is_probable_prime()):
            number += 1
        return int(number)


@dataclass
class Sharing:
    """Which slots share an unknown: fixed at the largest sizes."""

    fixed: bool = False
    classes: dict[tuple[Any, ...], int] = field(default_factory=dict[tuple[Any, ...], int])
    slots: dict[Slot, tuple[int, Fraction]] = field(
        default_factory=dict[Slot, tuple[int, Fraction]]
    )
    kinds: list[str] = field(default_factory=list[str])
    places: dict[int, list[tuple[Slot, int]]] = field(
        default_factory=dict[int, list[tuple[Slot, int]]]
    )

    def new_class(self, kind: str) -> int:
        """A number for a new unknown."""
        self.kinds.append(kind)
        return len(self.kinds) - 1


class Unknowns(Plain):
    """Values are arrays of numbers modulo p. One object per evaluation at one choice of sizes."""

    def __init__(
        self,
        prime: int,
        sharing: Sharing,
        seed: str,
        *,
        sizes: Mapping[str, int],
        exponents: Mapping[str, int],
        choices: Mapping[int, int] | None = None,
    ) -> None:
        self.prime = prime
        self.sharing = sharing
        self.seed = seed
        self.sizes = sizes
        self.exponents = exponents
        self.choices = choices  # of roots (1, -1) and steps (0, 1); None: unknowns
        self.met: set[int] = set()  # roots and steps
        self._call = 0
        self._representatives: dict[int, Any] = {}
        self._node = 0

    def whole(self, number: int) -> Any:
        return flint.nmod(number % self.prime, self.prime)

    def is_zero(self, x: Any) -> bool:
        return int(x) == 0

    def rational(self, number: Fraction) -> Any:
        """A fraction in the field."""
        return self.whole(number.numerator) / self.whole(number.denominator)

    def _unknown(self, name: object) -> Any:
        return self.whole(Random(f"{self.seed}/{name}").randrange(2, self.prime - 1))

    def number(self, number: Number) -> Any:
        if number.root is not None or number.unit == "e":
            raise RefusedError("not confirmed: a root or e that wasn't prepared")
        found = self.rational(number.factor)
        return objects((), [found * self._unknown("pi") if number.unit else found])

    # Sharing --------------------------------------------------------------------------------

    def _simple_ratios(self, space: str) -> Sequence[Fraction]:
        if space == "step":
            return [sign * ratio for ratio in _SIMPLE for sign in (1, -1)]
        odd = space in _ODD or space in ("exp", "cis")
        return [Fraction(1), Fraction(-1)] if odd else [Fraction(1)]

    def _class_of(self, space: str, v: Any, slot: Slot) -> tuple[int, Fraction]:
        """The unknown for an argument, and the argument by that unknown's own."""
        sharing = self.sharing
        if sharing.fixed:
            found = sharing.slots.get(slot)
            if found is None:
                raise RefusedError("not confirmed: an array has elements that larger sizes lack")
            number, ratio = found
            if ratio == 0:
                if int(v) != 0:
                    raise RefusedError("not confirmed: an argument that is zero at some sizes only")
                return found
            own = v / self.rational(ratio)
            if self._representatives.setdefault(number, own) != own:
                raise RefusedError(
                    "not confirmed: arguments that are equal at the largest sizes only"
                )
            return found
        if int(v) == 0 and (len(self._simple_ratios(space)) > 1):
            found = (sharing.new_class("zero"), Fraction(0))
            sharing.slots[slot] = found
            return found
        for ratio in self._simple_ratios(space):
            number = sharing.classes.get((space, int(v / self.rational(ratio))))
            if number is not None:
                break
        else:
            ratio, number = Fraction(1), sharing.new_class(space)
            sharing.classes[space, int(v)] = number
        sharing.slots[slot] = (number, ratio)
        sharing.places.setdefault(number, []).append((slot, self._node))
        return number, ratio

    def _each_class(self, space: str, x: Any, of: Any) -> Any:
        call, self._call = self._call, self._call + 1
        out = np.empty(x.shape, dtype=object)
        for place in np.ndindex(*x.shape):
            number, ratio = self._class_of(space, x[place], (call, place))
            out[place] = of(number, ratio, x[place])
        return out

    # Functions ------------------------------------------------------------------------------

    def at_node(self, node: Node) -> None:
        self._node = node.inputs[0] if node.inputs else -1

    def function(self, name: str, x: Any) -> Any:
        def of(number: int, ratio: Fraction, v: Any) -> Any:
            if ratio == 0:
                return self.whole(0)
            found = self._unknown(number)
            return -found if ratio < 0 else found

        return self._each_class(name, x, of)

    def power(self, x: Any, exponent: Fraction) -> Any:
        if exponent.denominator == 1:
            return each(lambda item: item ** int(exponent), x)
        common = self.exponents["root"]
        by = int(exponent * common)

        def of(number: int, ratio: Fraction, v: Any) -> Any:
            if self.choices is None:
                return self._unknown(number) ** by
            if common != 2:
                raise RefusedError("not confirmed: roots other than square roots")
            self.met.add(number)
            if int(v) == 0:
                raise ZeroDivisionError
            try:
                root = v.sqrt()
            except (ValueError, DomainError):
                raise RetryError from None
            if int(root) > self.prime // 2:
                root = -root
            return (root * self.choices.get(number, 1)) ** by

        return self._each_class("root", x, of)

    def step(self, x: Any) -> Any:
        def of(number: int, ratio: Fraction, v: Any) -> Any:
            if ratio == 0:
                raise RefusedError("not confirmed: a step at zero")
            self.met.add(number)
            if self.choices is None:
                found = self._unknown(number)
            else:
                found = self.whole(int(self.choices.get(number, 1) == 1))
            return -found + 1 if ratio < 0 else found

        return self._each_class("step", x, of)

    def share(self, x: Any, axis: int) -> Any:
        """Unknown weights over their sum; rows that are equal share theirs."""
        rows = np.moveaxis(x, axis, -1)
        weights = self._each_class(
            f"share of {rows.shape[-1]} ", self._row_keys(rows), self._weight
        )
        return np.moveaxis(weights / np.sum(weights, axis=-1, keepdims=True), -1, axis)

    def _row_keys(self, rows: Any) -> Any:
        """Elements mixed with a polynomial in their row, so that another row is another key."""
        base = self._unknown("rows")
        total = np.zeros((*rows.shape[:-1], 1), dtype=object)
        for k in range(rows.shape[-1]):
            total = total * base + rows[..., k : k + 1]
        return rows + total * self._unknown("row")

    def _weight(self, number: int, ratio: Fraction, v: Any) -> Any:
        return self._unknown(number)

    def special(self, node: Node, args: list[Any]) -> Any:
        """The operation `exponential` of prepared graphs."""
        if node.operation != "exponential":
            return super().special(node, args)
        name, coefficients = node.parameter
        space = "exp" if name == "exp" else "cis"
        common = self.exponents[space]
        total: Any = None
        for x, coefficient, place in zip(args, coefficients, node.inputs, strict=True):
            self._node = place
            by = int(coefficient * common)
            if abs(by) > EXPONENT * EXPONENT:
                raise RefusedError("not confirmed: an exponent grows too large")

            def of(number: int, ratio: Fraction, v: Any, by: int = by) -> Any:
                return self._unknown(number) ** (by * int(ratio)) if ratio else self.whole(1)

            factor = self._each_class(space, self.lift(x), of)
            total = factor if total is None else total * factor
        if total is None:
            shape = self._shape_of(node)
            total = objects(shape, [self.whole(1)] * prod(shape))
        if name == "exp":
            return total
        inverse = self.whole(1) / total
        if name == "cos":
            return (total + inverse) / 2
        return (total - inverse) / (self._imaginary() * 2)

    def _shape_of(self, node: Node) -> tuple[int, ...]:
        return tuple(value(size, self.sizes) for size in node.shape)

    def _imaginary(self) -> Any:
        return self.whole(self.prime - 1).sqrt()

    def cholesky(self, matrix: Any) -> Any:
        """The root of every pivot is an unknown, or a root with a sign, like any other."""
        self._node = -1
        return super().cholesky(matrix)


def common_exponents(nodes: Sequence[Node]) -> dict[str, int]:
    """The least common denominators of exponents, for roots and both kinds of exponentials."""
    found = {"root": 2, "exp": 1, "cis": 1}
    for node in nodes:
        if node.operation == "power" and node.parameter.denominator > 1:
            found["root"] = lcm(found["root"], node.parameter.denominator)
        if node.operation == "exponential":
            space = "exp" if node.parameter[0] == "exp" else "cis"
            found[space] = lcm(found[space], *(c.denominator for c in node.parameter[1]))
    if max(found.values()) > EXPONENT * EXPONENT:
        raise RefusedError("not confirmed: exponents with too large a common denominator")
    return found


def all_choices(met: Sequence[int]) -> Any:
    """Every choice of signs and steps.

    Raises RefusedError for more than can be tried.
    """
    if len(met) > CHOICES:
        raise RefusedError(
            f"not confirmed: {len(met)} roots and steps; at most {CHOICES} are tried"
        )
    for signs in product((1, -1), repeat=len(met)):
        yield dict(zip(met, signs, strict=True))


def draw_inputs(
    inputs: Sequence[InputRecord],
    kinds: Mapping[str, str],
    sizes: Mapping[str, int],
    prime: int,
    seed: str,
    labels: Mapping[str, Sequence[int]],
) -> dict[str, Any]:
    """Random numbers modulo p; `labels` as they are; the numbers of given inputs."""
    drawn: dict[str, Any] = {}
    for record in inputs:
        shape = tuple(value(polynomial(size), sizes) for size in record.shape)
        check_elements(shape)
        count, random = prod(shape), Random(f"{seed}/{record.name}")
        kind = kinds.get(record.name, "real")
        if record.values is not None and kind != "real":
            items: list[Any] = integers(record, count)
        elif record.values is not None:
            items = [
                flint.nmod(int(number.p) % prime, prime) / flint.nmod(int(number.q) % prime, prime)
                for number in given(record, count)
            ]
        elif record.classes is not None:
            items = list(labels.get(record.name, ()))
        elif kind == "integer":
            items = [random.randrange(prime) for _ in range(count)]
        else:
            items = [flint.nmod(random.randrange(prime), prime) for _ in range(count)]
        drawn[record.name] = objects(shape, items)
    return drawn
