"""Whether nodes are the derivative of another one: by dual numbers at random points.

The rules of differentiation here are those of dual numbers (`Dual`), applied to values; the prover
applies its own to formulas. Directional derivatives along random directions are compared.
"""

from collections.abc import Mapping, Sequence
from math import prod
from random import Random
from typing import Any

import flint
import numpy as np

from verimath.rechecking.dual import Dual
from verimath.rechecking.evaluate import evaluate
from verimath.rechecking.graph import Node, Shape
from verimath.rechecking.limits import Budget, RefusedError
from verimath.rechecking.plain import Pair, Plain, objects
from verimath.rechecking.polynomials import value
from verimath.rechecking.reals import Reals, contains_zero
from verimath.report.certificate import DerivativeRecord


def check_form(
    record: DerivativeRecord, nodes: Sequence[Node], shapes: Mapping[str, Shape]
) -> None:
    """Raise RefusedError where a derivative's nodes can't be one, for their places or shapes."""
    for place in (record.primal, *record.nodes):
        if not 0 <= place < len(nodes):
            raise RefusedError(f"the derivative refers to node {place}, which isn't there")
    if len(record.nodes) != len(record.wrt) or not record.wrt:
        raise RefusedError("the derivative has another number of nodes than of inputs")
    if len(set(record.wrt)) != len(record.wrt):
        raise RefusedError("the derivative names an input twice")
    primal = nodes[record.primal].shape
    if record.kind != "jacobian" and primal != ():
        raise RefusedError(f"a {record.kind} of what has axes")
    for name, place in zip(record.wrt, record.nodes, strict=True):
        if name not in shapes:
            raise RefusedError(f"the derivative is by {name[:40]!r}, which is no input")
        own = shapes[name]
        before = {"gradient": (), "jacobian": primal, "hessian": own}[record.kind]
        if nodes[place].shape != before + own:
            raise RefusedError(f"the derivative by {name!r} has another shape")


def check_derivative(
    record: DerivativeRecord,
    nodes: Sequence[Node],
    sizes: Mapping[str, int],
    inputs: Mapping[str, Any],
    random: Random,
    budget: Budget,
) -> None:
    """Compare with dual numbers at one point.

    Raises RefusedError where they differ, and what evaluation raises.
    """
    plain = Reals()
    claimed = evaluate(nodes, plain, sizes, inputs, budget, record.nodes)
    for name, place in zip(record.wrt, record.nodes, strict=True):
        shape = tuple(value(size, sizes) for size in nodes[place].shape)
        first, second = (_direction(inputs[name].shape, random) for _ in range(2))
        want = true_derivative(record, nodes, sizes, inputs, budget, name, (first, second), plain)
        got = claimed[place]
        if record.kind == "hessian":
            own = inputs[name].ndim
            got = _contract(_contract(got, second, own), first, own)
        else:
            got = _contract(got, first, inputs[name].ndim)
        for one, other in zip(np.ravel(got), np.ravel(want), strict=True):
            if not contains_zero(one - other):
                raise RefusedError(
                    f"node {place} of shape {shape} isn't the {record.kind} by {name!r} "
                    f"of node {record.primal}"
                )


def true_derivative(
    record: DerivativeRecord,
    nodes: Sequence[Node],
    sizes: Mapping[str, int],
    inputs: Mapping[str, Any],
    budget: Budget,
    name: str,
    directions: tuple[Any, Any],
    plain: Plain,
) -> Any:
    """The derivative of the primal by one input along one direction (two for a hessian)."""
    order = 2 if record.kind == "hessian" else 1
    numbers: Plain = plain
    for _ in range(order):
        numbers = Dual(numbers)
    moved = {key: _seeded(x, key == name, directions, order) for key, x in inputs.items()}
    found = evaluate(nodes, numbers, sizes, moved, budget, [record.primal])[record.primal]
    for _ in range(order):
        found = found.tangent if isinstance(found, Pair) else np.asarray(found * 0, dtype=object)
    return found


def _seeded(x: Any, moves: bool, directions: tuple[Any, Any], order: int) -> Any:
    if all(isinstance(item, int) for item in x.ravel()):
        return x
    zero = x * 0 if x.ndim else objects((), [x[()] * 0])
    if order == 1:
        return Pair(x, directions[0] if moves else zero)
    inner = Pair(x, directions[0] if moves else zero)
    return Pair(inner, Pair(directions[1] if moves else zero, zero))


def _direction(shape: tuple[int, ...], random: Random) -> Any:
    count = prod(shape)
    return objects(
        shape, [flint.fmpq(random.randint(-(2**16), 2**16), 2**12) for _ in range(count)]
    )


def _contract(x: Any, direction: Any, axes: int) -> Any:
    """Sum of x times a direction over the last axes."""
    flat = np.reshape(x, (*x.shape[: x.ndim - axes], -1))
    return np.asarray((flat * direction.ravel()).sum(axis=-1), dtype=object)
