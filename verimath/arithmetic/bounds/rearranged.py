"""What an envelope of rearranged formulas needs of a node: its reach, roundings, underflows."""

import math
from fractions import Fraction

import numpy as np

from verimath.arithmetic.bounds.literals import is_shift, literal_of
from verimath.arithmetic.bounds.matrices import MATRIX_MAJORANTS
from verimath.arithmetic.bounds.sums import contracted_bounds
from verimath.arithmetic.values import (
    MOVES,
    Array,
    concatenate,
    cumulative,
    gather,
    scatter,
    terms_of,
)
from verimath.formula.graph import Node
from verimath.shapes import Binding


def reach(node: Node, x: list[Array], value: Array, values: list[Array], binding: Binding) -> Array:
    """How large a product or sum may get in which the formula's factors come in another order.

    Nothing cancels there, and no factor below one makes it smaller: a number is taken for at least
    one. What is divided by a large number that was computed starts anew, as one number.
    """
    match node.operation:
        case "add":
            return x[0] + x[1]
        case "multiply":
            return x[0] * x[1]
        case "divide":
            small = np.abs(values[1])
            if literal_of(node.inputs[1]) is not None:
                return x[0] * np.maximum(1.0, 1 / small)
            return np.where(small < 1, x[0] / small, np.maximum(1.0, np.abs(value)))
        case "power" if node.parameter > 0:
            return x[0] ** float(node.parameter)
        case "einsum":
            return np.maximum(1.0, contracted_bounds(node, *x))  # an empty sum is a number, too
        case "broadcast" | "reshape":
            return MOVES[node.operation](node, x[0], binding)
        case "function" if node.parameter in ("negative", "abs"):
            return x[0]
        case "gather":
            return gather(node, x[0], values[1])
        case "scatter":
            return scatter(node, x[0], values[1], binding)
        case "concatenate":
            return concatenate(node, x)
        case "where":
            return np.where(values[0] != 0, x[1], x[2])
        case "maximum":
            return np.maximum(x[0], x[1])
        case "max":
            return np.asarray(np.max(x[0], axis=node.parameter + 1))
        case "product":
            return np.asarray(np.prod(x[0], axis=node.parameter + 1))
        case "cumulative":
            return cumulative(node, x[0])
        case "solve" | "determinant" | "cholesky":
            return np.maximum(1.0, MATRIX_MAJORANTS[node.operation](x, values))
        case _:
            return np.maximum(1.0, np.abs(value))


def roundings_of(node: Node, binding: Binding) -> int:
    """How many roundings the operation adds to those of its operands, the terms of sums among them.

    An elementary function is one number, however it was computed; powers of two round nothing.
    """
    match node.operation:
        case "add" | "multiply" if node.kind != "real":
            return 0
        case "add":
            return 1
        case "multiply":
            return 0 if any(map(is_shift, node.inputs)) else 1
        case "divide":
            number = literal_of(node.inputs[1]) is not None
            return 0 if is_shift(node.inputs[1]) else 2 if number else 1
        case "power":
            k = node.parameter
            return max(abs(int(k)) - 1, 0) + (k < 0) if k.denominator == 1 else 1
        case "function":
            return 0 if node.parameter in ("negative", "abs", "sign") else 1
        case "einsum":
            shapes = [tuple(size.at(binding) for size in x.shape) for x in node.inputs]
            factors = sum(not is_shift(x) for x in node.inputs)
            return max(terms_of(node, shapes) - 1, 0) + max(factors - 1, 0)
        case "scatter":
            return max(math.prod(size.at(binding) for size in node.inputs[1].shape) - 1, 0)
        case "product":
            return max(node.inputs[0].shape[node.parameter].at(binding) - 1, 0)
        case "cumulative":
            return max(node.inputs[0].shape[node.parameter[0]].at(binding) - 1, 0)
        case "solve" | "determinant" | "cholesky":
            return 3 * node.inputs[0].shape[-1].at(binding)
        case _:
            return 0


def underflows_of(node: Node, binding: Binding) -> int:
    """How often what the operation does may underflow, at each of the summands before it.

    As often as it rounds; a power of two that rounds nothing may make a number subnormal all the
    same, and step by step (x / 2 / 2 for x / 4) that is 1 + 1/2 + 1/4 + ... < 2 times.
    """
    match node.operation:
        case "multiply" if any(is_shift(x) and _factor(x) < 1 for x in node.inputs):
            return 2
        case "divide" if is_shift(node.inputs[1]) and _factor(node.inputs[1]) > 1:
            return 2
        case _:
            return roundings_of(node, binding)


def _factor(node: Node) -> Fraction:
    """The size of a literal that a node repeats."""
    literal = literal_of(node)
    assert literal is not None
    return abs(literal.parameter.factor)
