"""Sizes of axes: polynomials with integer coefficients in names, such as "2*n+1"."""

import re
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

from verimath.rechecking.limits import DIGITS, EXPONENT, TERMS, RefusedError

Monomial = tuple[tuple[str, int], ...]
Polynomial = tuple[tuple[Monomial, int], ...]  # sorted, without zeros
ONE: Polynomial = (((), 1),)

_FACTOR = re.compile(
    r"(?P<number>\d+)|(?P<name>[^\W\d]\w*(?:\[\d+\])*)(?:(?:\*\*|\^)(?P<power>\d+))?"
)
_FRACTION = re.compile(r"-?\d+(?:/\d+)?")


def fraction(text: object) -> Fraction:
    """A fraction in digits, such as "-2/3".

    Raises RefusedError for anything else, and for a zero below.
    """
    if not isinstance(text, str) or len(text) > DIGITS or not _FRACTION.fullmatch(text):
        raise RefusedError(f"{str(text)[:40]!r} is no fraction such as '-2/3'")
    above, _, below = text.partition("/")
    if below and not int(below):
        raise RefusedError(f"{text[:40]!r} divides by zero")
    return Fraction(int(above), int(below or "1"))


@lru_cache(4096)
def polynomial(text: str) -> Polynomial:
    """Read a polynomial.

    Raises RefusedError for anything else.
    """
    squeezed = text.replace(" ", "")
    if len(squeezed) > DIGITS or not squeezed:
        raise RefusedError(f"{text[:40]!r} is no size such as '2*n+1'")
    terms: Counter[Monomial] = Counter()
    for sign, body in _summands(squeezed):
        coefficient, names = sign, Counter[str]()
        at = 0
        while True:
            found = _FACTOR.match(body, at)
            if found is None:
                raise RefusedError(f"{text[:40]!r} is no size such as '2*n+1'")
            if found["number"]:
                coefficient *= int(found["number"])
            else:
                names[found["name"]] += int((found["power"] or "1")[:4])
            at = found.end()
            if at == len(body):
                break
            if body[at] != "*":
                raise RefusedError(f"{text[:40]!r} is no size such as '2*n+1'")
            at += 1
        if sum(names.values()) > EXPONENT:
            raise RefusedError(f"{text[:40]!r} has a degree beyond {EXPONENT}")
        terms[tuple(sorted((name, power) for name, power in names.items() if power))] += coefficient
    if len(terms) > TERMS:
        raise RefusedError(f"{text[:40]!r} has more than {TERMS} terms")
    return tuple(sorted((monomial, value) for monomial, value in terms.items() if value))


def _summands(text: str) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for piece in re.findall(r"[+-]?[^+-]*", text):
        if piece:
            sign = -1 if piece[0] == "-" else 1
            found.append((sign, piece.lstrip("+-")))
    return found


def value(size: Polynomial, sizes: Mapping[str, int]) -> int:
    """What a polynomial is at some sizes.

    Raises RefusedError for a name that has no size.
    """
    total = 0
    for monomial, coefficient in size:
        for name, power in monomial:
            if name not in sizes:
                raise RefusedError(f"the size {name!r} isn't given")
            coefficient *= sizes[name] ** power
        total += coefficient
    return total


def names(size: Polynomial) -> set[str]:
    """The names in a polynomial."""
    return {name for monomial, _ in size for name, _ in monomial}


def alone(size: Polynomial) -> str | None:
    """The name that a polynomial is, if it is nothing else."""
    if len(size) == 1 and size[0][1] == 1 and len(size[0][0]) == 1 and size[0][0][0][1] == 1:
        return size[0][0][0][0]
    return None


def constant(size: Polynomial) -> int | None:
    """The number that a polynomial is, if it has no names."""
    if not size:
        return 0
    return size[0][1] if len(size) == 1 and not size[0][0] else None


def degree(size: Polynomial, name: str) -> int:
    """The highest power of a name."""
    return max((dict(monomial).get(name, 0) for monomial, _ in size), default=0)


def plus(one: Polynomial, other: Polynomial) -> Polynomial:
    """The sum."""
    total = Counter(dict(one))
    for monomial, coefficient in other:
        total[monomial] += coefficient
    return tuple(sorted((monomial, c) for monomial, c in total.items() if c))


def times(one: Polynomial, other: Polynomial) -> Polynomial:
    """The product.

    Raises RefusedError where it grows too long.
    """
    total: Counter[Monomial] = Counter()
    for left, a in one:
        for right, b in other:
            powers = Counter(dict(left))
            powers.update(dict(right))
            total[tuple(sorted(powers.items()))] += a * b
    if len(total) > TERMS:
        raise RefusedError(f"a size has more than {TERMS} terms")
    return tuple(sorted((monomial, c) for monomial, c in total.items() if c))
