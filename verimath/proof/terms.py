"""Expressions in index notation: sums of terms, each a product of factors with indices.

A term is a rational coefficient times a monomial: powers of sizes and numbers, factors that carry
indices, and the sizes of the indices that are summed over. Free indices are -1, -2, ... (the axes
of the array), bound ones 0, 1, ... and local to their monomial. What stands inside a function, a
power, an inverse or a determinant is a closed definition of its own over numbered parameters, kept
in the factor's head. So no index is ever inside the reach of another's name: there is no capture.

Monomials and definitions are canonical (`verimath.proof.canonical`): two that differ by the names
of bound indices or the order of factors are equal as Python values.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from verimath.shapes import Size

Exponent = Fraction | int
Indices = tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """What a factor is, but for its indices; there is one object for each different thing.

    `kind` says how to read it:

        tensor       an input named `name`; `places` are the axes that its indices stand for
        table        literal numbers; `name` is how they are written
        delta        1 where both indices are equal, else 0
        index        the value of its index: 0, 1, ...
        function     the function `name` of the definition
        sum          the definition itself, which only negative or broken powers keep together
        inverse      the matrix inverse of the definition; its first two parameters are row, column
        cholesky     likewise, the lower triangular factor
        determinant  of the definition, whose first two parameters are no indices of the factor
        reduction    `name` ("max", "product") of the definition over its first parameter, likewise
        share        the share of an element in the maximum over the definition's first parameter

    `sizes` are those of its indices, `inner` those of parameters that are none. `symmetries` are
    the permutations of positions that leave its value as it is, the identity among them.
    """

    kind: str
    name: str
    sizes: tuple[Size, ...]
    definition: "Closed"
    symmetries: tuple[Indices, ...]
    inner: tuple[Size, ...]
    places: Indices
    rank: int
    order: tuple[str, str, str]
    height: int


class Factor(NamedTuple):
    """A head with indices, to an exponent."""

    head: Head
    indices: Indices
    exponent: Exponent


class Monomial(NamedTuple):
    """A canonical product of factors, summed over its bound indices.

    `powers` are exponents of size names and of numbers; a number's name starts with #.
    """

    powers: tuple[tuple[str, Exponent], ...]
    factors: tuple[Factor, ...]
    bound: tuple[Size, ...]


Expression = dict[Monomial, Fraction]
Closed = tuple[tuple[Monomial, Fraction], ...]

UNIT = Monomial((), (), ())


class Raw(NamedTuple):
    """A term that is not canonical yet: any index may be bound if `bound` has its size."""

    coefficient: Fraction
    powers: dict[str, Exponent]
    factors: list[Factor]
    bound: dict[int, Size]


def whole(exponent: Exponent) -> Exponent:
    """The exponent as an int, if it is one: ints hash faster."""
    return int(exponent) if exponent.denominator == 1 else exponent


def number(value: Fraction | int) -> Expression:
    """A rational number as an expression."""
    return {UNIT: Fraction(value)} if value else {}


def sort_key(monomial: Monomial) -> tuple[object, ...]:
    """A total order of monomials that doesn't depend on the way in which they were made."""
    factors = tuple((f.head.order, f.exponent, f.indices) for f in monomial.factors)
    return (len(factors), factors, monomial.powers, tuple(str(size) for size in monomial.bound))


def weight(monomial: Monomial) -> tuple[object, ...]:
    """How heavy a monomial is when an equation is turned into a rule: heavier goes to lighter.

    First the multiset of heads, which products respect; ties are broken by `sort_key`.
    """
    height = max((f.head.height for f in monomial.factors), default=0)
    degree = sum(abs(f.exponent) for f in monomial.factors if f.head.kind != "delta")
    heads = sorted(((f.head.order, abs(f.exponent)) for f in monomial.factors), reverse=True)
    return (degree, height, heads, sort_key(monomial))


def free_indices(monomial: Monomial) -> set[int]:
    """The free indices that a monomial depends on."""
    return {i for factor in monomial.factors for i in factor.indices if i < 0}


def close(expression: Expression) -> Closed:
    """The terms in their canonical order."""
    return tuple(sorted(expression.items(), key=lambda item: sort_key(item[0])))


def raw(
    coefficient: Fraction, monomial: Monomial, mapping: dict[int, int], first: int
) -> tuple[Raw, int]:
    """A term with its free indices renamed, its bound ones counted from `first`; the next one."""
    shift = {**{k: first + k for k in range(len(monomial.bound))}, **mapping}
    factors = [
        Factor(f.head, tuple(shift.get(i, i) for i in f.indices), f.exponent)
        for f in monomial.factors
    ]
    bound = {first + k: size for k, size in enumerate(monomial.bound)}
    return Raw(coefficient, dict(monomial.powers), factors, bound), first + len(bound)


def times(left: Raw, right: Raw) -> Raw:
    """The product of two terms whose bound indices have different numbers."""
    powers = dict(left.powers)
    for name, exponent in right.powers.items():
        powers[name] = powers.get(name, 0) + exponent
    return Raw(
        left.coefficient * right.coefficient,
        powers,
        left.factors + right.factors,
        {**left.bound, **right.bound},
    )
