"""Numbers that a formula names: which node repeats one, and which of them scale exactly."""

import math
from fractions import Fraction

from verimath.arithmetic.operand import Operand
from verimath.formula.graph import Node


def literal_of(node: Node) -> Node | None:
    """The one literal or size that a node repeats, or None."""
    while node.operation == "broadcast":
        node = node.inputs[0]
    return node if node.operation in ("constant", "size") else None


def is_shift(node: Node) -> bool:
    """Whether a node repeats one literal that is a power of two."""
    number = literal_of(node)
    if number is None or number.operation != "constant" or number.parameter.unit != "1":
        return False
    factor: Fraction = abs(number.parameter.factor)
    return factor > 0 and factor.numerator * factor.denominator in _POWERS


_POWERS = frozenset(2**k for k in range(1100))


def is_power_of_two(node: Node, operand: Operand) -> bool:
    """Whether an operand is one literal (or size) that scales without rounding."""
    if literal_of(node) is None or not operand.value.size:
        return False
    return math.frexp(abs(operand.value.flat[0]))[0] == 0.5 and not operand.bound.flat[0]
