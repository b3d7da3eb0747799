"""Oriented rules: equations between expressions, read from their heaviest monomial to the rest.

A rule's left side is a pattern. Its free indices stand for any index, its bound ones only for
indices that are summed over and occur nowhere else; so an instance of a true equation, times what
else the term has, is what gets replaced. That products respect the order of `terms.weight` keeps
rewriting from running in circles; a counted budget ends it where they don't.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from verimath.proof.terms import (
    Exponent,
    Expression,
    Factor,
    Head,
    Indices,
    Monomial,
    free_indices,
    weight,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """`left` may be replaced by `right`; `needs` is the hypothesis without which it may not."""

    name: str
    left: Monomial
    right: Expression
    needs: str | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """What the pattern's indices stand for in a term, and the factors that are left over."""

    indices: dict[int, int]
    rest: list[Factor]


def oriented(name: str, equation: Expression, *, needs: str | None = None) -> Rule | None:
    """A rule from an expression that is zero; None if no monomial can be its left side.

    A left side has every free index of the equation, at least one factor, no delta, and is no part
    of another monomial. One whose factors hang together is preferred: its parts are not mistaken
    for others of the same name.
    """
    free = {i for monomial in equation for i in free_indices(monomial)}
    able = [
        monomial
        for monomial in equation
        if monomial.factors
        and free_indices(monomial) == free
        and all(factor.head.kind != "delta" for factor in monomial.factors)
        and not any(_is_part(monomial, other) for other in equation)
    ]
    if not able:
        return None
    lead = max(able, key=lambda monomial: (_is_connected(monomial), weight(monomial)))
    inverse = {power: -exponent for power, exponent in lead.powers}
    right: Expression = {}
    for monomial, coefficient in equation.items():
        if monomial is not lead:
            powers = dict(monomial.powers)
            for power, exponent in inverse.items():
                powers[power] = powers.get(power, 0) + exponent
            kept = tuple(sorted((p, e) for p, e in powers.items() if e))
            right[monomial._replace(powers=kept)] = -coefficient / equation[lead]
    return Rule(name, lead._replace(powers=()), right, needs)


def _is_connected(monomial: Monomial) -> bool:
    """Whether indices hold all factors together; those without any need no holding."""
    first, *rest = sorted(monomial.factors, key=lambda f: -len(f.indices))
    reached, rest = set(first.indices), [f for f in rest if f.indices]
    while rest:
        near = [f for f in rest if reached & set(f.indices)]
        if not near:
            return False
        for factor in near:
            rest.remove(factor)
            reached.update(factor.indices)
    return True


def _is_part(monomial: Monomial, other: Monomial) -> bool:
    """Whether the other monomial may hold an instance of this one: a rule would run in circles."""
    left = [(f.head, f.exponent) for f in other.factors]
    for factor in monomial.factors:
        place = factor.head, factor.exponent
        if place not in left:
            return False
        left.remove(place)
    return monomial is not other


def find(rule: Rule, monomial: Monomial) -> Match | None:
    """The first way in which the rule's left side is part of a monomial."""
    return next(_matches(rule, monomial), None)


def _matches(rule: Rule, monomial: Monomial) -> Iterator[Match]:
    if len(rule.left.bound) > len(monomial.bound):
        return
    for indices, rest in _assign(rule.left.factors, 0, {}, list(monomial.factors)):
        kept = {i for factor in rest for i in factor.indices}
        summed = [i for pattern, i in indices.items() if pattern >= 0]
        outside = {i for pattern, i in indices.items() if pattern < 0}
        proper = len(set(summed)) == len(summed) and all(i >= 0 for i in summed)
        if proper and not kept & set(summed) and not outside & set(summed):
            yield Match(indices, rest)


def _assign(
    pattern: tuple[Factor, ...], k: int, known: dict[int, int], rest: list[Factor]
) -> Iterator[tuple[dict[int, int], list[Factor]]]:
    if k == len(pattern):
        yield known, rest
        return
    head, wanted, exponent = pattern[k]
    for place, factor in enumerate(rest):
        if factor.head is not head or not _divides(head, exponent, factor.exponent):
            continue
        left = factor.exponent - exponent
        others = [*rest[:place], *rest[place + 1 :]]
        if left:
            others.append(factor._replace(exponent=left))
        for symmetry in head.symmetries:
            found = _unified(wanted, tuple(factor.indices[g] for g in symmetry), known)
            if found is not None:
                yield from _assign(pattern, k + 1, found, others)


def _divides(head: Head, wanted: Exponent, given: Exponent) -> bool:
    """Whether a factor to the exponent `given` has one to the exponent `wanted` in it."""
    if wanted < 0:
        return given < 0 if head.kind == "sum" else given <= wanted
    return given >= wanted and given.denominator == 1


def _unified(wanted: Indices, given: Indices, known: dict[int, int]) -> dict[int, int] | None:
    found = dict(known)
    for pattern, index in zip(wanted, given, strict=True):
        if found.setdefault(pattern, index) != index:
            return None
    return found


def scaled(expression: Expression, by: Fraction) -> Expression:
    """The expression times a number."""
    return {monomial: by * coefficient for monomial, coefficient in expression.items()}
