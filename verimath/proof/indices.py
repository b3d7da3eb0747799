"""Whether indices that depend on inputs are within their axes: from the least and largest of them.

What is written with sizes and literals alone is held against the axes at the sizes that a claim
speaks of. Labels may be others: as many as another dimension, or one that is ignored.
"""

from collections.abc import Callable, Mapping
from math import ceil, floor

from verimath.domain import Input
from verimath.formula.core import rational
from verimath.formula.graph import Node, topological
from verimath.shapes import ONE, Size

_ZERO = Size.of(0)
# The least and the largest that a whole number may be; None where nobody knows.
Ends = tuple[Size, Size] | None


def is_inside(node: Node, inputs: Mapping[str, Input]) -> bool:
    """Whether the indices of a gather or a scatter are certainly within their axis."""
    array = node if node.operation == "scatter" else node.inputs[0]
    indices = node.inputs[1]
    if all(inner.operation != "input" for inner in topological((indices,))):
        return True
    ends = _ends(indices, inputs)
    if ends is None:
        return False
    low, high = ends
    rest = array.shape[node.parameter] + high * -1 + Size.of(-1)
    return _is_nonnegative(low) and _is_nonnegative(rest)


def _is_nonnegative(size: Size) -> bool:
    """Whether a polynomial is at least zero for all sizes from one on."""
    shifted = _ZERO
    for names, coefficient in size.terms:
        product = Size.of(coefficient)
        for name in names:
            product = product * (Size.of(name) + ONE)
        shifted = shifted + product
    return all(coefficient >= 0 for _, coefficient in shifted.terms)


def _ends(node: Node, inputs: Mapping[str, Input]) -> Ends:
    found: dict[Node, Ends] = {}
    for inner in topological((node,)):
        below = [found[x] for x in inner.inputs]
        number = rational(inner)
        if inner.operation == "input":
            found[inner] = _of_input(inputs[inner.parameter])
        elif number is not None and number.denominator == 1:
            found[inner] = (Size.of(int(number)), Size.of(int(number)))
        else:
            rule = _RULES.get(inner.operation)
            found[inner] = rule(inner, [x for x in below if x]) if rule and all(below) else None
    return found[node]


def _of_input(spec: Input) -> Ends:
    if spec.kind != "integer":
        return None
    if spec.classes is not None:
        return None if spec.ignore_index is not None else (_ZERO, spec.classes + Size.of(-1))
    if spec.min_value is None or spec.max_value is None:
        return None
    return Size.of(ceil(spec.min_value)), Size.of(floor(spec.max_value))


Both = tuple[Size, Size]


def _sum(node: Node, x: list[Both]) -> Ends:
    return x[0][0] + x[1][0], x[0][1] + x[1][1]


def _product(node: Node, x: list[Both]) -> Ends:
    if not all(_is_nonnegative(low) for low, _ in x):
        return None
    return x[0][0] * x[1][0], x[0][1] * x[1][1]


def _negative(node: Node, x: list[Both]) -> Ends:
    if node.parameter != "negative":
        return None
    low, high = x[0]
    return high * -1, low * -1


_RULES: dict[str, Callable[[Node, list[Both]], Ends]] = {
    "size": lambda node, x: (node.parameter, node.parameter),
    "index": lambda node, x: (_ZERO, node.shape[0] + Size.of(-1)),
    "add": _sum,
    "multiply": _product,
    "function": _negative,
    "broadcast": lambda node, x: x[0],
    "reshape": lambda node, x: x[0],
    "convert": lambda node, x: x[0],
}
