"""Arrays over GF(p^2): whole numbers modulo a 62-bit prime, with a root of -1 where one is needed.

The prime is drawn, too (`prime_for`): modulo a fixed one, a formula that has it among its numbers
would be zero. p is 3 modulo 4, so -1 has no root in GF(p), and GF(p^2) is GF(p) with such a root i
beside it, as the complex numbers are beside the real ones. Every element of GF(p) has its square
roots there (Lidl and Niederreiter, *Finite Fields*, 2nd ed., theorem 2.3 and section 2.1).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

BITS = 61  # every prime is larger than 2^61

Objects = NDArray[np.object_]
Places = Callable[[Objects], Any]


class DegenerateError(ArithmeticError):
    """A point at which something isn't defined: a division by zero, no root. Draw another one."""


@dataclass(frozen=True, slots=True)
class Residues:
    """re + im i, arrays of Python integers in [0, p); `im` is None where it is zero everywhere."""

    prime: int
    re: Objects
    im: Objects | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.re.shape

    def placed(self, move: Places) -> "Residues":
        """The same elements elsewhere: a reshape, a transposition, a selection."""
        im = None if self.im is None else _array(move(self.im))
        return Residues(self.prime, _array(move(self.re)), _unless_zero(im))

    def with_imaginary(self) -> Objects:
        """The imaginary part as an array, zeros if there is none."""
        return np.zeros(self.re.shape, dtype=object) if self.im is None else self.im


def _array(value: Any) -> Objects:
    return np.asarray(value, dtype=object)


def prime_for(text: str) -> int:
    """A prime between 2^61 and 2^62 that is 3 modulo 4, drawn by the digits of a text."""
    digest = hashlib.sha256(text.encode()).digest()
    candidate = (1 << BITS) | int.from_bytes(digest[:8], "big") % (1 << BITS) | 3
    while not flint.fmpz(candidate).is_prime():
        candidate += 4
    return candidate


def _unless_zero(im: Objects | None) -> Objects | None:
    return im if im is not None and np.any(im != 0) else None


def _reduced(prime: int, re: Any, im: Any = None) -> Residues:
    im = None if im is None else _array(im % prime)
    return Residues(prime, _array(re % prime), _unless_zero(im))


def residues(prime: int, values: Any) -> Residues:
    """Whole numbers, of any size, modulo p."""
    return _reduced(prime, _array(values))


def of_fraction(prime: int, value: Fraction) -> int:
    """A rational number modulo p.

    Raises DegenerateError if p divides its denominator.
    """
    return value.numerator * _invert(value.denominator, prime) % prime


def add(a: Residues, b: Residues) -> Residues:
    """A + b, elementwise."""
    if a.im is None and b.im is None:
        return _reduced(a.prime, a.re + b.re)
    return _reduced(a.prime, a.re + b.re, a.with_imaginary() + b.with_imaginary())


def negative(a: Residues) -> Residues:
    """-a."""
    return _reduced(a.prime, -a.re, None if a.im is None else -a.im)


def bilinear(product: Callable[[Objects, Objects], Any], a: Residues, b: Residues) -> Residues:
    """Any product of arrays that is linear in each: elementwise, a matrix product, an einsum."""
    re = product(a.re, b.re)
    if a.im is None and b.im is None:
        return _reduced(a.prime, _array(re))
    if a.im is not None and b.im is not None:
        re = re - product(a.im, b.im)
    im: Any = 0
    if b.im is not None:
        im = im + product(a.re, b.im)
    if a.im is not None:
        im = im + product(a.im, b.re)
    return _reduced(a.prime, _array(re), _array(im))


def multiply(a: Residues, b: Residues) -> Residues:
    """A b, elementwise."""
    return bilinear(lambda x, y: x * y, a, b)


def _invert(value: int, prime: int) -> int:
    try:
        return pow(value, -1, prime)
    except ValueError:
        raise DegenerateError("a division by zero") from None


def _inverses(values: Any, prime: int) -> Objects:
    return _array(np.frompyfunc(lambda value: _invert(value, prime), 1, 1)(values))


def inverse(a: Residues) -> Residues:
    """1 / a, elementwise.

    Raises DegenerateError if an element is zero.
    """
    if a.im is None:
        return Residues(a.prime, _inverses(a.re, a.prime))
    norm = _inverses((a.re * a.re + a.im * a.im) % a.prime, a.prime)
    return _reduced(a.prime, a.re * norm, -a.im * norm)


def power(a: Residues, exponent: int) -> Residues:
    """A to a whole power, elementwise, by repeated squaring."""
    if exponent < 0:
        return inverse(power(a, -exponent))
    if a.im is None:
        raised = np.frompyfunc(lambda x: pow(x, exponent, a.prime), 1, 1)
        return Residues(a.prime, _array(raised(a.re)))
    found, square = residues(a.prime, np.ones(a.shape, dtype=object)), a
    while exponent:
        if exponent & 1:
            found = multiply(found, square)
        square, exponent = multiply(square, square), exponent >> 1
    return found


def _root(value: int, prime: int) -> tuple[int, int]:
    """One square root of an element of GF(p), as real and imaginary part."""
    found = pow(value, (prime + 1) // 4, prime)
    return (found, 0) if found * found % prime == value else (0, found)


def _complex_root(re: int, im: int, prime: int) -> tuple[int, int]:
    """One square root of re + im i: (s, t) with s^2 - t^2 = re and 2 s t = im."""
    if not im:
        return _root(re, prime)
    norm, beside = _root((re * re + im * im) % prime, prime)
    half = _invert(2, prime)
    for sign in () if beside else (norm, -norm):
        s, _ = _root((re + sign) * half % prime, prime)
        if s:
            return s, im * _invert(2 * s % prime, prime) % prime
    raise DegenerateError("an element of GF(p^2) without a square root")


def root(a: Residues) -> Residues:
    """One square root of every element; equal elements have equal ones.

    Raises DegenerateError for an element outside GF(p) that has none.
    """
    roots = np.frompyfunc(lambda re, im: _complex_root(re, im, a.prime), 2, 2)
    re, im = roots(a.re, a.with_imaginary())
    return _reduced(a.prime, _array(re), _array(im))


def equal(a: Residues, b: Residues) -> bool:
    """Whether two arrays are equal in every element."""
    if a.shape != b.shape or np.any(a.re != b.re):
        return False
    return not np.any(a.with_imaginary() != b.with_imaginary())


# --- matrices -------------------------------------------------------------------------------


def _pivot(rows: Residues, column: int) -> int:
    """The first row at or below the diagonal with a nonzero element."""
    imaginary = rows.with_imaginary()
    for k in range(column, rows.shape[0]):
        if rows.re[k, column] or imaginary[k, column]:
            return k
    raise DegenerateError("a singular matrix")


def _swapped(rows: Residues, i: int, j: int) -> Residues:
    order = list(range(rows.shape[0]))
    order[i], order[j] = order[j], order[i]
    return rows.placed(lambda part: part[order])


def _row(rows: Residues, k: int) -> Residues:
    return rows.placed(lambda part: part[k : k + 1])


def _column(rows: Residues, k: int) -> Residues:
    return rows.placed(lambda part: part[:, k : k + 1])


def solve(a: Residues, b: Residues) -> Residues:
    """The X with A X = B, for one square matrix A and a matrix B, by elimination.

    Raises DegenerateError for a singular A.
    """
    n = a.shape[0]
    im = None
    if a.im is not None or b.im is not None:
        im = np.concatenate([a.with_imaginary(), b.with_imaginary()], axis=1)
    rows = Residues(a.prime, np.concatenate([a.re, b.re], axis=1), im)
    for k in range(n):
        rows = _swapped(rows, k, _pivot(rows, k))
        own = multiply(_row(rows, k), inverse(_column(_row(rows, k), k)))
        rest = add(rows, negative(multiply(_column(rows, k), own)))
        rows = _with_row(rest, k, own)
    return rows.placed(lambda part: part[:, n:])


def _with_row(rows: Residues, k: int, own: Residues) -> Residues:
    re = rows.re.copy()
    re[k] = own.re[0]
    if rows.im is None and own.im is None:
        return Residues(rows.prime, re)
    im = rows.with_imaginary().copy()
    im[k] = own.with_imaginary()[0]
    return Residues(rows.prime, re, _unless_zero(im))


def determinant(a: Residues) -> Residues:
    """The determinant of one square matrix, a 0-d array, by elimination."""
    n = a.shape[0]
    found = residues(a.prime, 1)
    for k in range(n):
        try:
            pivot = _pivot(a, k)
        except DegenerateError:
            return residues(a.prime, 0)
        if pivot != k:
            a, found = _swapped(a, k, pivot), negative(found)
        own = _row(a, k)
        lead = own.placed(lambda part, k=k: part[0, k])
        found = multiply(found, lead)
        # The rows above aren't looked at again.
        factors = multiply(_column(a, k), inverse(lead))
        a = add(a, negative(multiply(factors, own)))
    return found
