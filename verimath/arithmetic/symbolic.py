"""Formula graphs on arrays of sympy expressions, at explicit shapes: exact, for small sizes."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from verimath.formula.graph import Node, Subscripts, topological
from verimath.formula.literals import Constant
from verimath.shapes import Binding

Objects = NDArray[np.object_]


def evaluate(
    outputs: tuple[Node, ...], known: Mapping[Node, Objects], binding: Binding
) -> tuple[Objects, ...]:
    """Exact values of nodes, given those of `known` ones (inputs, or a cut through the graph)."""
    values: dict[Node, Objects] = dict(known)
    for node in topological(outputs):
        # Nodes below the cut may lack their inputs; nothing above it needs them.
        if node in values or node.operation == "input":
            continue
        if all(child in values for child in node.inputs):
            below = [values[child] for child in node.inputs]
            values[node] = _RULES[node.operation](node, below, binding)
    return tuple(values[output] for output in outputs)


def exact(constant: Constant) -> sp.Expr:
    """The sympy number of a literal's constant."""
    factor = sp.Rational(constant.factor.numerator, constant.factor.denominator)
    match constant.unit:
        case "pi":
            return factor * sp.pi
        case "e":
            return factor * sp.E
        case "sqrt":
            radicand = constant.radicand
            return factor * sp.sqrt(sp.Rational(radicand.numerator, radicand.denominator))
        case _:
            return factor


def _array(value: Any) -> Objects:
    return np.asarray(value, dtype=object)


def _table(node: Node, binding: Binding) -> Objects:
    cells = np.empty(tuple(size.at(binding) for size in node.shape), dtype=object)
    for index in np.ndindex(*cells.shape):
        value = node.parameter
        for position in index:
            value = value[position]
        cells[index] = exact(value)
    return cells


def _delta(node: Node, binding: Binding) -> Objects:
    n = node.shape[0].at(binding)
    cells = [[sp.Integer(int(i == j)) for j in range(n)] for i in range(n)]
    return _array(cells).reshape(n, n)


def _einsum(node: Node, x: list[Objects]) -> Objects:
    """The definition, index by index: slow, and hard to get wrong."""
    subscripts: Subscripts = node.parameter
    sizes: dict[int, int] = {}
    for indices, operand in zip(subscripts.operands, x, strict=True):
        sizes.update(zip(indices, operand.shape, strict=True))
    summed = tuple(index for index in sizes if index not in subscripts.output)
    result = np.empty(tuple(sizes[index] for index in subscripts.output), dtype=object)
    for place in np.ndindex(*result.shape):
        at = dict(zip(subscripts.output, place, strict=True))
        terms: list[sp.Expr] = []
        for values in itertools.product(*(range(sizes[index]) for index in summed)):
            at.update(zip(summed, values, strict=True))
            factors: list[Any] = [
                operand[tuple(at[index] for index in indices)]
                for indices, operand in zip(subscripts.operands, x, strict=True)
            ]
            terms.append(sp.Mul(*factors))
        result[place] = sp.Add(*terms)
    return result


def _function(node: Node, x: Objects) -> Objects:
    if node.parameter == "negative":
        return _array(-x)
    return _array(np.frompyfunc(getattr(sp, node.parameter), 1, 1)(x))


def _power(node: Node, x: Objects) -> Objects:
    exponent = sp.Rational(node.parameter.numerator, node.parameter.denominator)
    return _array(np.frompyfunc(lambda base: base**exponent, 1, 1)(x))


def _shape(node: Node, binding: Binding) -> tuple[int, ...]:
    return tuple(size.at(binding) for size in node.shape)


_RULES: dict[str, Callable[[Node, list[Objects], Binding], Objects]] = {
    "constant": lambda node, x, binding: _array(exact(node.parameter)),
    "size": lambda node, x, binding: _array(sp.Integer(node.parameter.at(binding))),
    "table": lambda node, x, binding: _table(node, binding),
    "delta": lambda node, x, binding: _delta(node, binding),
    "add": lambda node, x, binding: _array(x[0] + x[1]),
    "multiply": lambda node, x, binding: _array(x[0] * x[1]),
    "divide": lambda node, x, binding: _array(x[0] / x[1]),
    "power": lambda node, x, binding: _power(node, x[0]),
    "function": lambda node, x, binding: _function(node, x[0]),
    "einsum": lambda node, x, binding: _einsum(node, x),
    "broadcast": lambda node, x, binding: np.broadcast_to(x[0], _shape(node, binding)),
    "reshape": lambda node, x, binding: x[0].reshape(_shape(node, binding)),
}
