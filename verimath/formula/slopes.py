"""What the rules of both modes share: slopes of functions, products of all others, halves."""

import math
from collections.abc import Callable
from fractions import Fraction

from verimath.formula import operations as op
from verimath.formula.graph import Node
from verimath.shapes import ONE

NOTHING = op.constant(0)


def slope(node: Node) -> Node:
    """The derivative of a power or scalar function at its input."""
    x = node.inputs[0]
    if node.operation == "power":
        exponent: Fraction = node.parameter
        if exponent in (0, 1):  # x to the power -1 has no value at zero, the derivative has
            return op.constant(exponent)
        inner = x if exponent == 2 else op.power(x, exponent - 1)
        return op.multiply(op.constant(exponent), inner)
    return _FUNCTION_SLOPES[node.parameter](x, node)


_FUNCTION_SLOPES: dict[str, Callable[[Node, Node], Node]] = {
    "negative": lambda x, y: op.constant(-1),
    "exp": lambda x, y: y,
    "log": lambda x, y: op.divide(op.constant(1), x),
    "sqrt": lambda x, y: op.divide(op.constant(Fraction(1, 2)), y),
    "sin": lambda x, y: op.function("cos", x),
    "cos": lambda x, y: op.function("negative", op.function("sin", x)),
    "tan": lambda x, y: op.add(op.constant(1), op.power(y, Fraction(2))),
    "asin": lambda x, y: op.divide(op.constant(1), op.function("sqrt", _one_minus_square(x))),
    "acos": lambda x, y: op.divide(op.constant(-1), op.function("sqrt", _one_minus_square(x))),
    "atan": lambda x, y: op.divide(op.constant(1), _square_plus(x, 1)),
    "sinh": lambda x, y: op.function("cosh", x),
    "cosh": lambda x, y: op.function("sinh", x),
    "tanh": lambda x, y: op.subtract(op.constant(1), op.power(y, Fraction(2))),
    "asinh": lambda x, y: op.divide(op.constant(1), op.function("sqrt", _square_plus(x, 1))),
    "acosh": lambda x, y: op.divide(op.constant(1), op.function("sqrt", _square_plus(x, -1))),
    "atanh": lambda x, y: op.divide(op.constant(1), _one_minus_square(x)),
    "expm1": lambda x, y: op.function("exp", x),
    "log1p": lambda x, y: op.divide(op.constant(1), op.add(x, op.constant(1))),
    "erf": lambda x, y: op.multiply(_ERF_SLOPE, op.function("exp", _minus_square(x))),
    "abs": lambda x, y: op.subgradient("sign", x),
    "sign": lambda x, y: op.constant(0),
}

# 2 / sqrt(pi), whose nearest float64 is the literal.
_ERF_SLOPE = op.divide(op.constant(2), op.function("sqrt", op.constant(math.pi)))


def _square_plus(x: Node, number: int) -> Node:
    return op.add(op.power(x, Fraction(2)), op.constant(number))


def _one_minus_square(x: Node) -> Node:
    return op.subtract(op.constant(1), op.power(x, Fraction(2)))


def _minus_square(x: Node) -> Node:
    return op.function("negative", op.power(x, Fraction(2)))


def others(x: Node, axis: int) -> Node:
    """The product of all other elements along an axis, without dividing by the element itself."""
    rank, n = len(x.shape), x.shape[axis]
    order = [*(k for k in range(rank) if k != axis), axis]
    rows = op.permute(x, order)
    wide = op.reshape(rows, [*rows.shape[:-1], ONE, n])
    places = op.index(n)
    own = op.compare("equal", op.reshape(places, (n, ONE)), places)
    found = op.product(op.where(own, op.constant(1), wide), rank)
    return op.permute(found, [order.index(k) for k in range(rank)])


def lower_half(x: Node) -> Node:
    """The lower triangle, with half of the diagonal."""
    n = x.shape[-1]
    column, row = op.reshape(op.index(n), (n, ONE)), op.index(n)
    below = op.where(op.compare("less", row, column), x, NOTHING)
    half = op.multiply(op.constant(Fraction(1, 2)), x)
    return op.where(op.compare("equal", row, column), half, below)
