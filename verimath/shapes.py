"""Shape strings: parse once into frozen records, then bind names to sizes.

The grammar is small on purpose and never evaluates Python:

    ""            a scalar                  "n d"         two axes
    "3 1"         fixed sizes               "2*n n+1"     integer polynomials in the names
    "*batch n"    any number of leading axes, then one

A `Size` is such an integer polynomial; formulas are traced with them, so it supports exact
arithmetic and equality, and nothing that would need a number (no order, no truth value).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod

from verimath.errors import ClaimError

MAX_RANK = 5

Monomial = tuple[str, ...]
Binding = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Size:
    """An integer polynomial in dimension names, e.g. 2*n + 1; `terms` is sorted and has no zero."""

    terms: tuple[tuple[Monomial, int], ...]

    @staticmethod
    def of(value: "int | str | Size") -> "Size":
        """The size that is one fixed number or one name."""
        if isinstance(value, Size):
            return value
        if isinstance(value, str):
            return Size((((value,), 1),))
        return _collect([((), value)])

    def __add__(self, other: "Size | int") -> "Size":
        return _collect([*self.terms, *Size.of(other).terms])

    def __mul__(self, other: "Size | int") -> "Size":
        return _collect(
            (tuple(sorted(left + right)), a * b)
            for left, a in self.terms
            for right, b in Size.of(other).terms
        )

    @property
    def names(self) -> frozenset[str]:
        """The dimension names that occur."""
        return frozenset(name for monomial, _ in self.terms for name in monomial)

    @property
    def constant(self) -> int | None:
        """The number, if no name occurs; else None."""
        if not self.terms:
            return 0
        return self.terms[0][1] if self.terms[0][0] == () and len(self.terms) == 1 else None

    def at(self, binding: Binding) -> int:
        """The number of elements along an axis of this size, once the names are bound."""
        return sum(c * prod(binding[name] for name in monomial) for monomial, c in self.terms)

    def substituted(self, sizes: "Mapping[str, Size]") -> "Size":
        """The size with other sizes in the places of some names."""
        total = Size(())
        for names, coefficient in self.terms:
            term = Size.of(coefficient)
            for name in names:
                term = term * sizes.get(name, Size.of(name))
            total = total + term
        return total

    def __str__(self) -> str:
        if not self.terms:
            return "0"
        text = "+".join(_monomial_text(monomial, c) for monomial, c in self.terms)
        return text.replace("+-", "-")


def _collect(terms: Iterable[tuple[Monomial, int]]) -> Size:
    total: dict[Monomial, int] = {}
    for monomial, coefficient in terms:
        total[monomial] = total.get(monomial, 0) + coefficient
    # Names before the constant, as people write n+1.
    order = sorted((m for m, c in total.items() if c), key=lambda m: (-len(m), m))
    return Size(tuple((m, total[m]) for m in order))


def _monomial_text(monomial: Monomial, coefficient: int) -> str:
    names = "*".join(monomial)
    if not names:
        return str(coefficient)
    return {1: names, -1: f"-{names}"}.get(coefficient, f"{coefficient}*{names}")


ONE = Size.of(1)


def total_size(shape: Iterable[Size]) -> Size:
    """The number of elements of an array of this shape, as a `Size`."""
    total = ONE
    for size in shape:
        total = total * size
    return total


def shape_text(shape: Iterable[Size | int]) -> str:
    """A shape as Python writes it, with names in it: (n, 2*d)."""
    sizes = [str(size) for size in shape]
    return f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"


def case_of(declared: Iterable[Size], given: Iterable[Size]) -> dict[str, Size] | None:
    """What the names of a declared shape are where it is the given one; None if it never is.

    Names stand for any size, the same one each; those that no axis by itself binds, for themselves.
    """
    wanted, found = tuple(declared), tuple(given)
    if len(wanted) != len(found):
        return None
    bound: dict[str, Size] = {}
    for size, other in zip(wanted, found, strict=True):
        if size == Size.of(str(size)):
            bound.setdefault(str(size), other)
    fits = all(a.substituted(bound) == b for a, b in zip(wanted, found, strict=True))
    return bound if fits else None


@dataclass(frozen=True, slots=True)
class Shape:
    """A parsed shape string: sizes, with at most one variadic name in front of one of them."""

    text: str
    axes: tuple[Size | str, ...]  # a plain str is a variadic name

    @property
    def variadic(self) -> str | None:
        """The name behind the star, or None."""
        return next((axis for axis in self.axes if isinstance(axis, str)), None)

    @property
    def names(self) -> frozenset[str]:
        """The names of single axes (not the variadic one)."""
        sized = [axis for axis in self.axes if isinstance(axis, Size)]
        return frozenset().union(*(size.names for size in sized))

    def expand(self, ranks: Mapping[str, int]) -> tuple[Size, ...]:
        """The axes once the starred name stands for a fixed number of them: batch[0], ..."""
        sizes: list[Size] = []
        for axis in self.axes:
            if isinstance(axis, Size):
                sizes.append(axis)
            else:
                sizes.extend(Size.of(f"{axis}[{index}]") for index in range(ranks[axis]))
        return tuple(sizes)


_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_PRODUCT = r"(?:\d+|[A-Za-z_]\w*)(?:\*(?:\d+|[A-Za-z_]\w*))*"
_POLYNOMIAL = re.compile(rf"-?{_PRODUCT}(?:[+-]{_PRODUCT})*", re.ASCII)
_SIGNED_PRODUCT = re.compile(rf"([+-]?)({_PRODUCT})", re.ASCII)


def parse_shape(text: str) -> Shape:
    """Read a shape string such as "n d", "*batch n", "2*n n+1" or "".

    Raises ClaimError, with the axis and an example, for anything else.
    """
    if not isinstance(text, str):
        raise ClaimError(f"a shape is a string such as 'n d' or '2 3', not {text!r}")
    if "," in text or "(" in text:
        raise ClaimError(f"shape {text!r}: axes are separated by spaces, as in 'n d'")
    axes = tuple(_parse_axis(token, text) for token in text.split())
    if sum(isinstance(axis, str) for axis in axes) > 1:
        raise ClaimError(f"shape {text!r}: at most one axis may carry a star")
    return Shape(text, axes)


def _parse_axis(token: str, text: str) -> Size | str:
    if token.startswith("*"):
        if not _NAME.fullmatch(token[1:]):
            raise ClaimError(f"shape {text!r}: {token!r} should be a star and a name, as '*batch'")
        return token[1:]
    if not _POLYNOMIAL.fullmatch(token):
        raise ClaimError(
            f"shape {text!r}: {token!r} is no axis; "
            "wanted a name, a number, or a polynomial such as '2*n' or 'n+1'"
        )
    size = Size(())
    for sign, product in _SIGNED_PRODUCT.findall(token):
        term = Size.of(-1 if sign == "-" else 1)
        for factor in product.split("*"):
            term = term * (int(factor) if factor.isdigit() else Size.of(factor))
        size = size + term
    return size
