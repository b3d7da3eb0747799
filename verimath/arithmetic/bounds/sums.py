"""Bounds of what moves elements, adds up products of them, or multiplies along an axis."""

import numpy as np

from verimath.arithmetic.bounds.literals import is_power_of_two
from verimath.arithmetic.formats import FloatFormat
from verimath.arithmetic.operand import (
    EXACT,
    SAFETY,
    Operand,
    Rule,
    gamma,
    most,
    product_of_bounds,
    rounded,
    sum_of_bounds,
    within,
)
from verimath.arithmetic.values import (
    Array,
    concatenate,
    contracted,
    cumulative,
    equation_of,
    gather,
    scatter,
    terms_of,
)
from verimath.formula.graph import Node
from verimath.shapes import Binding


def _gather(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    bound = np.broadcast_to(x[0].bound, x[0].value.shape)
    return gather(node, bound, x[1].value)


def _concatenate(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    return concatenate(node, [np.broadcast_to(o.bound, o.value.shape) for o in x])


def base_of(node: Node, magnitudes: list[Array]) -> Array | None:
    """The sum of products of magnitudes that an einsum's bounds have in common in all formats."""
    return contracted_bounds(node, *magnitudes) if node.operation == "einsum" else None


def einsum_bound(node: Node, scale: Array, x: list[Operand], f: FloatFormat, base: Array) -> Array:
    """The bound of a sum of products whose `base_of` is known."""
    terms = terms_of(node, [operand.value.shape[1:] for operand in x])
    if len(x) == 2 and (f.factor_roundoff or f.factor_underflow):
        x = [_as_factor(operand, f) for operand in x]
    # S(|x| + B) - S(|x|), expanded so that nothing cancels.
    carried = _carried(node, x)
    upper = np.fmax(sum_of_bounds(base, carried), scale)
    held = f.accumulator(len(x)) if terms > 1 else f
    factors = len(x) - sum(map(is_power_of_two, node.inputs, x))
    relative = gamma(max(terms - 1, 0) + max(factors - 1, 0), held)
    lost = (1 + relative) * terms * (len(x) - 1) * held.underflow
    bound = upper * (relative * SAFETY)
    if lost:
        bound += lost * SAFETY
    bound = sum_of_bounds(carried, bound)
    # A partial sum may overflow where the sum does not; NaN is 0 times infinity.
    bound = within(bound, upper + bound, held.largest)
    return bound if held is f else rounded(scale, bound, f)


def _as_factor(x: Operand, f: FloatFormat) -> Operand:
    """An operand as a matrix product reads it: shortened (TF32), without subnormal numbers."""
    largest = x.largest
    lost = np.where(largest > 0, f.factor_underflow * SAFETY, 0.0)
    off = f.factor_roundoff * SAFETY * largest + lost
    return Operand(x.value, x.error, x.bound + off, x.magnitude)


def _carried(node: Node, x: list[Operand]) -> Array:
    if all(operand.bound is EXACT for operand in x):
        return EXACT
    if len(x) == 1:
        return contracted_bounds(node, x[0].bound)
    left, right = x
    parts: list[Array] = []
    if right.bound is not EXACT:
        parts.append(contracted_bounds(node, left.largest, right.bound))
    if left.bound is not EXACT:
        parts.append(contracted_bounds(node, left.bound, right.magnitude))
    return sum_of_bounds(*parts)


def contracted_bounds(node: Node, *x: Array) -> Array:
    """A sum of products of bounds, in which 0 times infinity is not a number."""
    # A library's matrix product may skip the zeros of a factor.
    if all(most(a) < np.inf for a in x):
        return contracted(node, list(x))
    return np.einsum(equation_of(node), *x)


def _scatter(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    source, places = x
    count = scatter(node, np.ones_like(source.value), places.value, b)
    terms = float(np.max(count, initial=0.0))
    upper = np.fmax(scatter(node, source.largest, places.value, b), scale)
    carried = scatter(node, np.broadcast_to(source.bound, source.value.shape), places.value, b)
    bound = carried + gamma(max(terms - 1, 0), f) * upper
    return np.where(upper + bound <= f.largest, bound, np.inf)


def _product(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    axis = node.parameter + 1
    values = np.moveaxis(x[0].magnitude, axis, 0)
    bounds = np.moveaxis(np.broadcast_to(x[0].bound, x[0].magnitude.shape), axis, 0)
    exact, carried = np.ones_like(scale), np.zeros_like(scale)
    largest = np.ones_like(scale)  # no partial product, in any order, is larger
    for m, bound in zip(values, bounds, strict=True):
        carried = product_of_bounds(carried, m + bound) + product_of_bounds(exact, bound)
        exact = exact * m
        largest = largest * np.maximum(m + bound, 1.0)
    roundings = max(len(values) - 1, 0)
    relative = gamma(roundings, f)
    lost = roundings * f.underflow * (1 + relative) * largest
    bound = carried * (1 + relative) + relative * np.fmax(exact, scale) + lost
    return np.where(largest * (1 + relative) <= f.largest, bound, np.inf)


def _cumulative(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    terms = x[0].value.shape[node.parameter[0] + 1]
    upper = np.fmax(cumulative(node, x[0].largest), scale)
    carried = cumulative(node, np.broadcast_to(x[0].bound, x[0].value.shape))
    bound = carried + gamma(max(terms - 1, 0), f) * upper
    return np.where(upper + bound <= f.largest, bound, np.inf)


SUMS: dict[str, Rule] = {
    "gather": _gather,
    "scatter": _scatter,
    "concatenate": _concatenate,
    "product": _product,
    "cumulative": _cumulative,
}
