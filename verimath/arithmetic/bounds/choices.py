"""Bounds of choices: comparisons, masks, the largest, and the subgradients at ties."""

import numpy as np
from numpy.typing import NDArray

from verimath.arithmetic.formats import FloatFormat
from verimath.arithmetic.operand import EXACT, ZERO, Operand, Rule, is_certain
from verimath.arithmetic.values import Array
from verimath.formula.graph import Node
from verimath.shapes import Binding


def _compare(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    return np.where(is_certain(x[0], x[1]), 0.0, 1.0)


def _logical(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    return np.maximum.reduce(np.broadcast_arrays(*(operand.bound for operand in x)))


def _where(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    mask, one, other = x
    chosen = np.where(mask.value != 0, one.bound, other.bound)
    apart = np.abs(one.value - other.value) + one.error + other.error
    either = np.maximum(one.bound, other.bound) + apart
    either = np.where(np.isnan(either), np.inf, either)
    return np.where((mask.bound == 0) & (mask.error == 0), chosen, either)


def _maximum(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    one, other = x
    larger = np.where(one.value > other.value, one.bound, other.bound)
    return np.where(is_certain(one, other), larger, np.maximum(one.bound, other.bound))


def _max(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    if x[0].bound is EXACT:
        return EXACT
    axis = node.parameter + 1
    return np.max(np.where(_candidates(x[0], axis), x[0].bound, 0.0), axis=axis)


def _candidates(x: Operand, axis: int) -> NDArray[np.bool_]:
    """The elements that may be the largest, exactly or in the format."""
    if x.exact:
        return x.value >= np.max(x.value, axis=axis, keepdims=True)
    value, room = np.broadcast_arrays(x.value, x.error + x.bound)
    surely = np.max(value - room, axis=axis, keepdims=True)
    return ~(value + room < surely)


def _subgradient(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    """How far a right choice may be from the symmetric one; any of them, where rounding decides."""
    match node.parameter:
        case "step":
            return _kink(x[0], x[1], 0.5)
        case "sign":
            return _kink(x[0], ZERO, 1.0)
        case (_, axis):
            candidates = _candidates(x[0], axis + 1)
            tied = np.sum(candidates, axis=axis + 1, keepdims=True)
            exact = np.all((x[0].error + x[0].bound) == 0)
            share = np.where(tied > 1, np.maximum(1 - 1 / tied, 1 / tied) if exact else 1.0, 0.0)
            return np.where(candidates, share, 0.0)
        case other:
            raise ValueError(other)


def _kink(one: Operand, other: Operand, half: float) -> Array:
    tie = (one.value == other.value) & (one.error + one.bound + other.error + other.bound == 0)
    return np.where(tie, half, np.where(is_certain(one, other), 0.0, 2 * half))


CHOICES: dict[str, Rule] = {
    "compare": _compare,
    "logical": _logical,
    "where": _where,
    "maximum": _maximum,
    "max": _max,
    "subgradient": _subgradient,
}
