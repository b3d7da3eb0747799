"""Core formulas at random points of GF(p^2), at several sizes at once.

What a field can't compute becomes an unknown: the value of log at every different argument, a mask,
a step, pi. An identity that holds for all values of the unknowns holds for the true ones. Known
laws enter by what is drawn: exp(a + b) = exp(a) exp(b), cos and sin by an unknown exp(i x), odd
functions, H(-d) = 1 - H(d) off the kinks. Square roots are roots in the field, whose sign is a
choice; `pattern` makes it, and an identity has to hold for all of them.

Equal arguments have to have equal unknowns. With `by_value` they are compared element by element,
for statements about given sizes. Otherwise whole arrays are, at all the sizes together, so that the
unknowns are alike at every size: what `verimath.proof.sizes` needs.
"""

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import lcm, prod
from typing import Any

import numpy as np

from verimath.arithmetic import residues as gf
from verimath.arithmetic.field_rules import FIELD_RULES
from verimath.arithmetic.residues import Objects, Residues
from verimath.errors import NotExpressibleError
from verimath.formula import operations as op
from verimath.formula.core import multiple, rational
from verimath.formula.graph import Node, Subscripts, topological
from verimath.formula.literals import Constant
from verimath.shapes import Binding, Size

_ODD = frozenset(("erf", "asin", "atan", "asinh", "atanh"))
_HALF = Fraction(1, 2)
Values = list[Residues]  # one per binding


class ScaleError(Exception):
    """Exponents with another common denominator than was prepared for; evaluate again with it."""

    def __init__(self, scale: int) -> None:
        super().__init__(scale)
        self.scale = scale


@dataclass(frozen=True, slots=True)
class Point:
    """Where to evaluate: sizes, the free inputs there, and what the unknowns are drawn from.

    `roots` and `zero_one` say what is used of square roots and of steps: that they are roots, that
    they are 0 or 1. Otherwise they are unknowns like any other. `pattern` chooses signs and steps.
    """

    prime: int
    bindings: tuple[Binding, ...]
    inputs: Mapping[str, Values]
    seed: str
    by_value: bool
    roots: bool = False
    zero_one: bool = False
    pattern: int = 0
    scale: int = 1


@dataclass(slots=True)
class _Class:
    """Arguments of one function that are equal at all sizes, and the unknown they share."""

    node: Node | None
    argument: Values
    value: Values


class Evaluation:
    """The values of core nodes at a point; ask `of` for one."""

    def __init__(self, point: Point) -> None:
        self.point = point
        self.choices = [0 for _ in point.bindings]  # bits of the pattern used, per binding
        # Arguments that were found equal at these sizes, though they are written differently.
        self.merged: list[tuple[Node | None, Node]] = []
        self._known: dict[Node, Values] = {}
        self._exponentials: dict[tuple[str, Node, Fraction], Values] = {}
        self._applied: dict[tuple[str, Node], Values] = {}
        self._classes: dict[tuple[str, tuple[Size, ...]], list[_Class]] = {}
        self._elements: list[dict[tuple[str, int, int], tuple[int, int]]] = [
            {} for _ in point.bindings
        ]

    def of(self, outputs: Sequence[Node]) -> list[Values]:
        """The values of nodes, one array per binding each.

        Raises DegenerateError at a point where something isn't defined, NotExpressibleError for
        what a field can't say, ScaleError for exponents of another denominator.
        """
        for node in topological(tuple(outputs)):
            self._value(node)
        return [self._known[node] for node in outputs]

    def _value(self, node: Node) -> Values:
        if node not in self._known:
            self._known[node] = self._evaluated(node)
        return self._known[node]

    def _evaluated(self, node: Node) -> Values:
        match node.operation:
            case "input":
                return list(self.point.inputs[node.parameter])
            case "constant":
                return self._constant(node.parameter, len(self.point.bindings))
            case "function":
                return self._function(node)
            case "power":
                return self._power(node.inputs[0], node.parameter)
            case "subgradient":
                return self._subgradient(node)
            case "cholesky":
                return self._cholesky(node)
            case _:
                below = [self._value(x) for x in node.inputs]
                return self._placed(node, below)

    def _placed(self, node: Node, below: Sequence[Values]) -> Values:
        rule, prime = FIELD_RULES[node.operation], self.point.prime
        return [
            rule(node, [x[k] for x in below], binding, prime)
            for k, binding in enumerate(self.point.bindings)
        ]

    # --- constants and functions ---

    def _constant(self, constant: Constant, count: int) -> Values:
        factor = self._fraction(constant.factor)
        if constant.is_rational:
            return [factor] * count
        match constant.unit:
            case "e":
                unit = self._exponential_of_one(Fraction(1))
            case "sqrt":
                unit = self._root_of_number(constant.radicand)
            case _:
                unit = self._unknown_number(constant.unit)
        return [gf.multiply(factor, x) for x in unit]

    def _number(self, value: int) -> Residues:
        return gf.residues(self.point.prime, value)

    def _fraction(self, value: Fraction) -> Residues:
        return self._number(gf.of_fraction(self.point.prime, value))

    def _unknown_number(self, name: str) -> Values:
        value = self._number(self._random(name, 0).randrange(1, self.point.prime))
        return [value for _ in self.point.bindings]

    def _exponential_of_one(self, exponent: Fraction) -> Values:
        power = self._whole(exponent)
        return [gf.power(x, power) for x in self._unknown_number("exp(1)")]

    def _root_of_number(self, radicand: Fraction) -> Values:
        """Roots of primes are independent, so each has a sign of its own, the same at all sizes."""
        found = [self._number(1) for _ in self.point.bindings]
        for prime, exponent in _factors(radicand):
            key = (f"sqrt({prime})", ())
            if key not in self._classes:
                given = [self._number(prime) for _ in found]
                roots = self._signed(given) if self.point.roots else self._unknown_number(key[0])
                self._classes[key] = [_Class(None, given, roots)]
            (own,) = self._classes[key]
            found = [
                gf.multiply(x, gf.power(r, exponent)) for x, r in zip(found, own.value, strict=True)
            ]
        return found

    def _function(self, node: Node) -> Values:
        name, x = node.parameter, node.inputs[0]
        match name:
            case "negative":
                if node.kind != "real":
                    return [Residues(v.prime, np.asarray(-v.re, object)) for v in self._value(x)]
                return [gf.negative(v) for v in self._value(x)]
            case "exp":
                return self._exponential("exp", x, Fraction(1))
            case "cos" | "sin":
                there = self._exponential("cis", x, Fraction(1))
                back = self._exponential("cis", x, Fraction(-1))
                return [_wave(name, a, b) for a, b in zip(there, back, strict=True)]
            case _:
                return self._applied_to(name, x)

    def _exponential(self, name: str, x: Node, times: Fraction) -> Values:
        """exp(times x), by the sums and rational multiples that x is written with."""
        key = (name, x, times)
        if key not in self._exponentials:
            self._exponentials[key] = self._exponential_by_law(name, x, times)
        return self._exponentials[key]

    def _exponential_by_law(self, name: str, x: Node, times: Fraction) -> Values:
        found = [gf.residues(v.prime, np.ones(v.shape, object)) for v in self._value(x)]
        for factor, term in _terms(x, times):
            if factor:
                part = self._exponential_of_term(name, term, factor)
                found = [gf.multiply(u, v) for u, v in zip(found, part, strict=True)]
        return found

    def _exponential_of_term(self, name: str, x: Node, times: Fraction) -> Values:
        if _is_move(x):
            inner = self._exponential(name, x.inputs[0], times)
            return self._placed(x, [inner, *(self._value(other) for other in x.inputs[1:])])
        number = rational(x)
        if number is not None and name == "exp":
            return self._exponential_of_one(number * times)
        power = self._whole(times)
        return [gf.power(v, power) for v in self._applied_to(name, x)]

    def _whole(self, exponent: Fraction) -> int:
        """An exponent in units of the finest one that occurs."""
        scaled = exponent * self.point.scale
        if scaled.denominator != 1:
            raise ScaleError(lcm(self.point.scale, exponent.denominator))
        return scaled.numerator

    def _power(self, x: Node, exponent: Fraction) -> Values:
        if exponent.denominator == 1:
            return [gf.power(v, exponent.numerator) for v in self._value(x)]
        if exponent.denominator != 2:
            raise NotExpressibleError(f"the power {exponent} (whole ones and halves are)")
        return [gf.power(v, exponent.numerator) for v in self._root(x)]

    def _root(self, x: Node) -> Values:
        """Square roots of numbers by those of primes, others by what stands under them."""
        number = rational(x)
        if number is not None and number > 0:
            return self._root_of_number(number)
        return self._applied_to("sqrt", x)

    def _subgradient(self, node: Node) -> Values:
        (x,) = node.inputs
        if node.parameter in ("step", "tie"):
            return self._applied_to(node.parameter, x)
        _, axis = node.parameter
        # Shares w_i / sum w: any numbers that add up to one.
        weights = self._applied_to(f"share along {axis}", x)
        return [_shares(w, axis) for w in weights]

    def _cholesky(self, node: Node) -> Values:
        a = self._value(node.inputs[0])
        if any(v.re.ndim != 2 for v in a):
            raise NotExpressibleError("a stack of Cholesky factors")
        return [self._factor(v, k) for k, v in enumerate(a)]

    def _factor(self, a: Residues, binding: int) -> Residues:
        """Column by column (Higham, algorithm 10.2), each pivot with a sign of its own."""
        n = a.shape[0]
        columns: list[Residues] = []
        rest = a
        for j in range(n):
            pivot = self._signed_root(rest.placed(lambda part, j=j: part[j, j]), binding)
            below = rest.placed(lambda part, j=j: _from_row(part[:, j], j))
            column = gf.multiply(below, gf.inverse(pivot))
            rest = gf.add(rest, gf.negative(gf.bilinear(np.multiply.outer, column, column)))
            columns.append(column)
        re = np.stack([c.re for c in columns], axis=1) if n else a.re
        im = np.stack([c.with_imaginary() for c in columns], axis=1) if n else a.re
        return Residues(a.prime, re, im if np.any(im != 0) else None)

    # --- unknowns ---

    def _random(self, name: str, number: int) -> random.Random:
        return random.Random(f"{self.point.seed}/{name}/{number}")  # noqa: S311  no secret

    def _applied_to(self, name: str, x: Node) -> Values:
        """The unknown values of a function of x, moved to where the elements of x came from."""
        key = (name, x)
        if key in self._applied:
            return self._applied[key]
        if _is_move(x) and not name.startswith("share"):
            inner = self._applied_to(name, x.inputs[0])
            found = self._placed(x, [inner, *(self._value(other) for other in x.inputs[1:])])
        elif self.point.by_value and not name.startswith("share"):
            found = [self._each(name, v, k) for k, v in enumerate(self._value(x))]
        else:
            found = self._by_class(name, x)
        self._applied[key] = found
        return found

    def _by_class(self, name: str, x: Node) -> Values:
        argument = self._value(x)
        known = self._classes.setdefault((name, x.shape), [])
        for own in known:
            for turned in _orders(own, x.shape, name):
                found = _taken(turned, argument, name)
                if found is not None:
                    self.merged.append((turned.node, x))
                    return found
        value = self._new(f"{name}/{'x'.join(map(str, x.shape))}/{len(known)}", name, argument)
        known.append(_Class(x, argument, value))
        return value

    def _new(self, label: str, name: str, argument: Values) -> Values:
        if name == "sqrt" and self.point.roots:
            return [self._signed_root(v, k) for k, v in enumerate(argument)]
        if name == "step" and self.point.zero_one:
            return [self._bits(v.shape, k) for k, v in enumerate(argument)]
        return [self._drawn(label, k, v.shape) for k, v in enumerate(argument)]

    def _each(self, name: str, x: Residues, binding: int) -> Residues:
        """Element by element: one unknown for every different argument."""
        re, im = np.empty(x.shape, dtype=object), np.empty(x.shape, dtype=object)
        imaginary: Any = x.with_imaginary()
        for place in np.ndindex(*x.shape):
            re[place], im[place] = self._element(name, int(x.re[place]), imaginary[place], binding)
        return Residues(x.prime, re, im if np.any(im != 0) else None)

    def _element(self, name: str, re: int, im: int, binding: int) -> tuple[int, int]:
        known = self._elements[binding]
        if (name, re, im) in known:
            return known[name, re, im]
        prime = self.point.prime
        opposite = (name, -re % prime, -im % prime)
        if (name in _ODD or name == "step") and opposite in known:
            a, b = known[opposite]
            shift = 1 if name == "step" else 0
            return (shift - a) % prime, -b % prime
        if name == "sqrt" and self.point.roots:
            found = self._signed_root(Residues(prime, _scalar(re), _scalar(im)), binding)
            known[name, re, im] = int(found.re[()]), int(found.with_imaginary()[()])
        elif name == "step" and self.point.zero_one:
            known[name, re, im] = self._bit(binding), 0
        else:
            label = f"{name}/{re}/{im}"
            known[name, re, im] = self._random(label, binding).randrange(prime), 0
        return known[name, re, im]

    def _drawn(self, label: str, binding: int, shape: tuple[int, ...]) -> Residues:
        source = self._random(label, binding)
        cells = np.empty(shape, dtype=object)
        for place in np.ndindex(*shape):
            cells[place] = source.randrange(self.point.prime)
        return Residues(self.point.prime, cells)

    # --- choices ---

    def _bit(self, binding: int) -> int:
        bit = self.point.pattern >> self.choices[binding] & 1
        self.choices[binding] += 1
        return bit

    def _bits(self, shape: tuple[int, ...], binding: int) -> Residues:
        cells = [self._bit(binding) for _ in range(prod(shape))]
        return Residues(self.point.prime, np.array(cells, dtype=object).reshape(shape))

    def _signed_root(self, x: Residues, binding: int) -> Residues:
        signs = 1 - 2 * self._bits(x.shape, binding).re
        return gf.multiply(gf.residues(x.prime, signs), gf.root(x))

    def _signed(self, x: Values) -> Values:
        """Roots of one number at all sizes."""
        return [self._signed_root(v, k) for k, v in enumerate(x)]


def _scalar(value: int) -> Objects:
    found = np.empty((), dtype=object)
    found[()] = value
    return found


def _opposite(name: str, x: Residues) -> Residues:
    negative = gf.negative(x)
    return gf.add(gf.residues(x.prime, 1), negative) if name == "step" else negative


def _orders(own: _Class, shape: tuple[Size, ...], name: str) -> Iterable[_Class]:
    """A class, and it with its axes in another order where the shape stays the same."""
    rank = len(shape)
    yield own
    if rank > 3 or name.startswith("share"):
        return
    for axes in itertools.permutations(range(rank)):
        if axes != tuple(range(rank)) and tuple(shape[a] for a in axes) == shape:
            argument = [_turned(v, axes) for v in own.argument]
            # Turned as well, so that its denominators are seen to vary along other axes.
            node = None if own.node is None else op.permute(own.node, axes)
            yield _Class(node, argument, [_turned(v, axes) for v in own.value])


def _turned(x: Residues, axes: tuple[int, ...]) -> Residues:
    return x.placed(lambda part: part.transpose(axes))


def _taken(own: _Class, argument: Values, name: str) -> Values | None:
    """The value of a class for its own argument, or that argument's negative, if it is odd."""
    if all(map(gf.equal, own.argument, argument)):
        return own.value
    if name in _ODD:
        opposite = [gf.negative(v) for v in own.argument]
        if all(map(gf.equal, opposite, argument)):
            return [_opposite(name, v) for v in own.value]
    if name == "step":
        factor = _factor_between(own.argument, argument)
        if factor is not None:
            return own.value if factor > 0 else [_opposite(name, v) for v in own.value]
    return None


def _factor_between(one: Values, other: Values) -> Fraction | None:
    """The simple number that `other` is a multiple of `one` by, if there is one.

    The step of a multiple is the same step, or (if the number is negative) the opposite one.
    """
    filled = [(a, b) for a, b in zip(one, other, strict=True) if a.re.size and a.im is None]
    if not filled or filled[0][1].im is not None:
        return None
    first, second = (int(v.re.ravel()[0]) for v in filled[0])
    if not first:
        return None
    prime = filled[0][0].prime
    ratio = second * pow(first, -1, prime) % prime
    factor = _simple(prime).get(ratio)
    if factor is None:
        return None
    scaled = [gf.multiply(gf.residues(prime, ratio), v) for v in one]
    return factor if all(map(gf.equal, scaled, other)) else None


@lru_cache(maxsize=64)
def _simple(prime: int) -> dict[int, Fraction]:
    """Fractions of small numbers by their residues."""
    small = {sign * Fraction(a, b) for a in _SMALL for b in _SMALL for sign in (1, -1)}
    return {gf.of_fraction(prime, value): value for value in small}


_SMALL = range(1, 13)


def _wave(name: str, there: Residues, back: Residues) -> Residues:
    """Cos = (e + 1/e) / 2, sin = (e - 1/e) / (2 i)."""
    prime = there.prime
    half = gf.residues(prime, gf.of_fraction(prime, _HALF))
    if name == "cos":
        return gf.multiply(half, gf.add(there, back))
    minus_i = Residues(prime, _scalar(0), _scalar(prime - 1))
    return gf.multiply(gf.multiply(half, minus_i), gf.add(there, gf.negative(back)))


def _shares(weights: Residues, axis: int) -> Residues:
    total = gf.residues(weights.prime, weights.re.sum(axis=axis, keepdims=True))
    return gf.multiply(weights, gf.inverse(total))


def _from_row(column: Objects, start: int) -> Objects:
    found = column.copy()
    found[:start] = 0
    return found


def _factors(value: Fraction) -> list[tuple[int, int]]:
    """Prime factors of a positive rational number with their exponents.

    Raises NotExpressibleError for numbers too large to factor by trial.
    """
    found: list[tuple[int, int]] = []
    for number, sign in ((value.numerator, 1), (value.denominator, -1)):
        if number > 1 << 40:
            raise NotExpressibleError(f"the square root of {value}")
        prime = 2
        while number > 1:
            if prime * prime > number:
                prime = number
            exponent = 0
            while number % prime == 0:
                number, exponent = number // prime, exponent + 1
            if exponent:
                found.append((prime, sign * exponent))
            prime += 1
    return found


def _terms(x: Node, times: Fraction) -> Iterator[tuple[Fraction, Node]]:
    """A node as a sum of rational multiples of others of its shape."""
    todo = [(times, x)]
    while todo:
        factor, node = todo.pop()
        number, other = multiple(node)
        if node.operation == "add":
            todo += [(factor, part) for part in node.inputs]
        elif node.operation == "function" and node.parameter == "negative":
            todo.append((-factor, node.inputs[0]))
        elif other is not node:
            todo.append((factor * number, other))
        else:
            yield factor, node


def _is_move(node: Node) -> bool:
    """Whether every element of a node is one of its first input's."""
    if node.operation == "einsum":
        subscripts: Subscripts = node.parameter
        return len(subscripts.operands) == 1 and set(subscripts.operands[0]) == set(
            subscripts.output
        )
    return node.operation in ("broadcast", "reshape", "gather")
