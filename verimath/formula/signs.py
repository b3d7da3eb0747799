"""Which parts of a core formula are never negative, by how they are written.

Laws of roots and logarithms need it: log(a b) = log(a) + log(b) for positive a and b alone.
"""

from collections.abc import Callable, Sequence
from enum import IntEnum

from verimath.formula.graph import Node, Subscripts


class Sign(IntEnum):
    """What is known of every element; what is known of more is larger."""

    ANY = 0
    NONNEGATIVE = 1
    POSITIVE = 2


def sign_of(node: Node, below: Sequence[Sign], positive: frozenset[str]) -> Sign:
    """The sign of a core node, given those of its inputs; `positive` names inputs that are > 0."""
    rule = _RULES.get(node.operation)
    return Sign.ANY if rule is None else rule(node, below, positive)


def _number(value: object) -> Sign:
    if value > 0:  # pyright: ignore[reportOperatorIssue]
        return Sign.POSITIVE
    return Sign.NONNEGATIVE if value == 0 else Sign.ANY


def _size(node: Node) -> Sign:
    # Of an array that has elements, as all have that are evaluated.
    terms = node.parameter.terms
    return Sign.POSITIVE if all(c > 0 for _, c in terms) and terms else Sign.ANY


def _power(node: Node, x: Sign) -> Sign:
    if x is Sign.POSITIVE:
        return x
    exponent = node.parameter
    even = exponent.numerator % 2 == 0 or exponent.denominator % 2 == 0
    return Sign.NONNEGATIVE if even else x


def _add(a: Sign, b: Sign) -> Sign:
    return max(a, b) if min(a, b) >= Sign.NONNEGATIVE else Sign.ANY


def _einsum(node: Node, below: Sequence[Sign]) -> Sign:
    subscripts: Subscripts = node.parameter
    alike = len(node.inputs) == 2 and node.inputs[0] is node.inputs[1]
    squares = alike and subscripts.operands[0] == subscripts.operands[1]
    return max(min(below), Sign.NONNEGATIVE if squares else Sign.ANY)


def _multiply(node: Node, below: Sequence[Sign]) -> Sign:
    square = node.inputs[0] is node.inputs[1]
    return max(min(below), Sign.NONNEGATIVE if square else Sign.ANY)


Rule = Callable[[Node, Sequence[Sign], frozenset[str]], Sign]
_RULES: dict[str, Rule] = {
    "input": lambda node, x, names: Sign.POSITIVE if node.parameter in names else Sign.ANY,
    "constant": lambda node, x, names: _number(node.parameter.factor),
    "size": lambda node, x, names: _size(node),
    "function": lambda node, x, names: Sign.POSITIVE if node.parameter == "exp" else Sign.ANY,
    "power": lambda node, x, names: _power(node, x[0]),
    "add": lambda node, x, names: _add(*x),
    "multiply": lambda node, x, names: _multiply(node, x),
    "divide": lambda node, x, names: min(x),
    "einsum": lambda node, x, names: _einsum(node, x),
    "broadcast": lambda node, x, names: x[0],
    "reshape": lambda node, x, names: x[0],
    "gather": lambda node, x, names: x[0],
    "product": lambda node, x, names: x[0],
}
