"""How likely an exact evaluation at a random point is to miss a difference.

A polynomial of degree d that isn't zero vanishes at a random point of GF(p) with probability at
most d/p (Schwartz, *JACM* 27, 1980, lemma 1). So degrees are bounded from above, per element, as
numerator and denominator; square roots by the norm of the difference, which has a factor for every
choice of their signs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, log2, prod

from verimath.arithmetic.residues import BITS
from verimath.formula.graph import Node, topological
from verimath.shapes import Binding, Size


@dataclass(frozen=True, slots=True)
class Degree:
    """Total degrees of a numerator and a denominator in the inputs and unknowns."""

    above: int
    below: int


_CONSTANT = Degree(0, 0)
_UNKNOWN = Degree(1, 0)


def failure_bits(
    pairs: Sequence[tuple[Node, Node]], binding: Binding, *, roots: int, scale: int
) -> float:
    """-log2 of the probability that two core formulas differ at these sizes, and it isn't seen.

    `roots` is how many square roots were drawn there, `scale` the denominator of exponents.
    """
    degrees = _Degrees(binding, scale)
    largest = 1
    for a, b in pairs:
        left, right = degrees.of(a), degrees.of(b)
        largest = max(largest, left.above + right.below, right.above + left.below)
    # Two arguments of a function may be equal by chance, too, and any denominator zero.
    arguments = degrees.arguments()
    chances = (largest << roots) + arguments
    return BITS - log2(chances) - 1


def highest_degree(nodes: Sequence[Node], binding: Binding) -> int:
    """At least the degree of every numerator and denominator on the way to core nodes."""
    degrees = _Degrees(binding, 1)
    for node in nodes:
        degrees.of(node)
    return max((max(d.above, d.below) for d in degrees.known.values()), default=0)


class _Degrees:
    def __init__(self, binding: Binding, scale: int) -> None:
        self.binding, self.scale = binding, scale
        self.known: dict[Node, Degree] = {}
        self.weights: dict[Node, Fraction] = {}

    def of(self, node: Node) -> Degree:
        for inner in topological((node,)):
            if inner not in self.known:
                below = [self.known[x] for x in inner.inputs]
                self.known[inner] = self._degree(inner, below)
                self.weights[inner] = _weight(inner, [self.weights[x] for x in inner.inputs])
        return self.known[node]

    def arguments(self) -> int:
        """The degrees of all differences of two arguments of unknown functions, added up."""
        found = [
            (self._elements(node.inputs[0]), self.known[node.inputs[0]])
            for node in self.known
            if node.operation in ("function", "power", "subgradient")
        ]
        count = sum(elements for elements, _ in found)
        largest = max((d.above + d.below for _, d in found), default=0)
        return count * count * 2 * largest

    def _elements(self, node: Node) -> int:
        return prod(size.at(self.binding) for size in node.shape)

    def _size(self, size: Size) -> int:
        return size.at(self.binding)

    def _degree(self, node: Node, below: list[Degree]) -> Degree:
        match node.operation:
            case "input":
                return _UNKNOWN
            case "constant" | "table":
                return _UNKNOWN  # pi is an unknown
            case "size" | "delta" | "index" | "compare":
                return _CONSTANT
            case "add":
                return _sum(below)
            case "multiply":
                return _product(below)
            case "divide":
                a, b = below
                return Degree(a.above + b.below, a.below + b.above)
            case "power":
                return _power(below[0], node.parameter)
            case "function":
                return self._function(node, below[0])
            case "einsum":
                return _times(_product(below), self._terms(node))
            case "where":
                mask, a, b = below
                return _sum([b, _product([mask, _sum([a, b])])])
            case "logical":
                return _sum([_product(below), *below])
            case "subgradient":
                n = (
                    0
                    if isinstance(node.parameter, str)
                    else self._size(node.shape[node.parameter[1]])
                )
                return Degree(1, 1) if n else _UNKNOWN
            case "product":
                n = self._size(node.inputs[0].shape[node.parameter])
                return Degree(n * below[0].above, n * below[0].below)
            case "cumulative":
                return _times(below[0], self._size(node.shape[node.parameter[0]]))
            case "scatter":
                return _times(below[0], self._elements(node.inputs[1]))
            case "concatenate":
                return Degree(max(d.above for d in below), max(d.below for d in below))
            case "solve" | "determinant" | "cholesky":
                return self._matrix(node, below)
            case _:  # what moves elements
                return below[0]

    def _terms(self, node: Node) -> int:
        sizes: dict[int, int] = {}
        for indices, x in zip(node.parameter.operands, node.inputs, strict=True):
            sizes.update(zip(indices, map(self._size, x.shape), strict=True))
        return prod(n for index, n in sizes.items() if index not in node.parameter.output)

    def _function(self, node: Node, x: Degree) -> Degree:
        match node.parameter:
            case "negative":
                return x
            case "exp":
                weight = ceil(self.scale * self.weights[node.inputs[0]])
                return Degree(weight, weight)
            case "sin" | "cos":
                weight = ceil(self.scale * self.weights[node.inputs[0]])
                return Degree(2 * weight, weight)
            case _:
                # A logarithm may be written as a sum of several.
                return Degree(2 + x.above + x.below, x.below)

    def _matrix(self, node: Node, below: list[Degree]) -> Degree:
        """By Cramer's rule, all elements over one denominator."""
        n = self._size(node.inputs[0].shape[-1])
        a = below[0]
        common = n * n * a.below
        minors = n * (a.above + common)
        if node.operation == "determinant":
            return Degree(minors, n * common)
        if node.operation == "cholesky":
            return Degree(2 * n * minors, 2 * n * minors)
        right = _times(below[1], n)
        return Degree(minors + right.above, minors + right.below)


def _sum(terms: Sequence[Degree]) -> Degree:
    below = sum(d.below for d in terms)
    return Degree(max(d.above + below - d.below for d in terms), below)


def _product(factors: Sequence[Degree]) -> Degree:
    return Degree(sum(d.above for d in factors), sum(d.below for d in factors))


def _times(x: Degree, terms: int) -> Degree:
    """A sum of so many terms, each with a denominator of its own."""
    return Degree(x.above + max(terms - 1, 0) * x.below, max(terms, 1) * x.below)


def _power(x: Degree, exponent: Fraction) -> Degree:
    times = ceil(abs(exponent))
    up, down = (x.above, x.below) if exponent > 0 else (x.below, x.above)
    return Degree(times * up, times * down)


def _weight(x: Node, below: Sequence[Fraction]) -> Fraction:
    """How many unknowns, with what exponents, the exponential of a node is a product of."""
    one = Fraction(1)
    if x.operation == "add":
        return below[0] + below[1]
    if x.operation in ("broadcast", "reshape", "einsum", "gather", "function") and x.inputs:
        return max(one, below[0])
    if x.operation in ("multiply", "divide"):
        numbers = [_literal(part) for part in x.inputs]
        factor = max((abs(n) for n in numbers if n), default=one)
        return max(factor, 1 / factor) * max(below)
    return max(one, abs(x.parameter.factor)) if x.operation == "constant" else one


def _literal(node: Node) -> Fraction | None:
    while node.operation == "broadcast":
        node = node.inputs[0]
    return node.parameter.factor if node.operation == "constant" else None
