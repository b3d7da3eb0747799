"""Core operations in a prime field that need no unknowns: one rule each, at one choice of sizes.

A rule takes a node, the values of its inputs, the sizes and the prime.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from verimath.arithmetic import residues as gf
from verimath.arithmetic.residues import Objects, Residues
from verimath.errors import NotExpressibleError
from verimath.formula.graph import Node, Subscripts
from verimath.shapes import Binding

Rule = Callable[[Node, list[Residues], Binding, int], Residues]


def _shape(node: Node, binding: Binding) -> tuple[int, ...]:
    return tuple(size.at(binding) for size in node.shape)


def _add(node: Node, x: list[Residues], binding: Binding, prime: int) -> Residues:
    # Whole numbers stay as they are: they are compared, and used as indices.
    return (
        gf.add(*x)
        if node.kind == "real"
        else Residues(prime, np.asarray(x[0].re + x[1].re, object))
    )


def _multiply(node: Node, x: list[Residues], binding: Binding, prime: int) -> Residues:
    if node.kind == "real":
        return gf.multiply(*x)
    return Residues(prime, np.asarray(x[0].re * x[1].re, object))


def _einsum(node: Node, x: list[Residues], binding: Binding, prime: int) -> Residues:
    subscripts: Subscripts = node.parameter
    operands = [list(indices) for indices in subscripts.operands]
    output = list(subscripts.output)
    einsum: Any = np.einsum  # whose types know no arrays of objects
    if len(x) == 1:
        return _reduced(x[0].placed(lambda part: einsum(part, operands[0], output)))
    return gf.bilinear(lambda a, b: einsum(a, operands[0], b, operands[1], output), *x)


def _reduced(x: Residues) -> Residues:
    return gf.add(x, gf.residues(x.prime, 0))


def _broadcast(node: Node, x: list[Residues], binding: Binding, prime: int) -> Residues:
    return x[0].placed(lambda part: np.broadcast_to(part, _shape(node, binding)))


def _reshape(node: Node, x: list[Residues], binding: Binding, prime: int) -> Residues:
    return x[0].placed(lambda part: part.reshape(_shape(node, binding)))


def _table(node: Node, x: list[Residues], binding: Binding, prime: int) -> Residues:
    cells = np.empty(_shape(node, binding), dtype=object)
    for place in np.ndindex(*cells.shape):
        value = node.parameter
        for position in place:
            value = value[position]
        if not value.is_rational:
            raise NotExpressibleError(f"the number {value} in a table")
        cells[place] = gf.of_fraction(prime, value.factor)
    return Residues(prime, cells)


def _delta(node: Node, x: list[Residues], binding: Binding, prime: int) -> Residues:
    n = node.shape[0].at(binding)
    return gf.residues(prime, np.array(np.eye(n, dtype=np.int64), dtype=object))


def _index(node: Node, x: list[Residues], binding: Binding, prime: int) -> Residues:
    return Residues(prime, np.array(range(node.shape[0].at(binding)), dtype=object))


_COMPARISONS: dict[str, Callable[[Objects, Objects], Any]] = {
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "equal": lambda a, b: a == b,
}


def _compare(node: Node, x: list[Residues], binding: Binding, prime: int) -> Residues:
    found = _COMPARISONS[node.parameter](_whole(x[0]), _whole(x[1]))
    return Residues(prime, np.asarray(found * 1, object))


def _whole(x: Residues) -> Objects:
    """The small whole numbers, of either sign, that residues stand for."""
    half = x.prime // 2
    return np.asarray((x.re + half) % x.prime - half, object)


def _logical(node: Node, x: list[Residues], binding: Binding, prime: int) -> Residues:
    """As polynomials, which hold for masks that are unknowns, too."""
    one = gf.residues(prime, 1)
    if node.parameter == "not":
        return gf.add(one, gf.negative(x[0]))
    both = gf.multiply(*x)
    return both if node.parameter == "and" else gf.add(gf.add(*x), gf.negative(both))


def _where(node: Node, x: list[Residues], binding: Binding, prime: int) -> Residues:
    mask, a, b = x
    if node.kind != "real":
        if not np.all((mask.re == 0) | (mask.re == 1)):
            raise NotExpressibleError("a choice between whole numbers by real ones")
        return Residues(prime, np.asarray(np.where(mask.re == 1, a.re, b.re), object))
    return gf.add(b, gf.multiply(mask, gf.add(a, gf.negative(b))))


def _places(x: Residues, count: int) -> Any:
    """Indices below a count; negative ones are none."""
    found = _whole(x)
    if not np.all((found >= 0) & (found < count)):
        raise NotExpressibleError("an index that isn't a place along its axis")
    return found.astype(np.int64)


def _gather(node: Node, x: list[Residues], binding: Binding, prime: int) -> Residues:
    places = _places(x[1], x[0].shape[node.parameter])
    return x[0].placed(lambda part: np.take(part, places, axis=node.parameter))


def _scatter(node: Node, x: list[Residues], binding: Binding, prime: int) -> Residues:
    places = _places(x[1], _shape(node, binding)[node.parameter])
    lead = (slice(None),) * node.parameter

    def spread(part: Objects) -> Objects:
        found = np.zeros(_shape(node, binding), dtype=object)
        np.add.at(found, (*lead, places), part)
        return found

    return _reduced(x[0].placed(spread))


def _concatenate(node: Node, x: list[Residues], binding: Binding, prime: int) -> Residues:
    re = np.concatenate([v.re for v in x], axis=node.parameter)
    if all(v.im is None for v in x):
        return Residues(prime, re)
    return Residues(prime, re, np.concatenate([v.with_imaginary() for v in x], axis=node.parameter))


def _product(node: Node, x: list[Residues], binding: Binding, prime: int) -> Residues:
    rows = x[0].placed(lambda part: np.moveaxis(part, node.parameter, 0))
    found = gf.residues(prime, np.ones(rows.shape[1:], dtype=object))
    for k in range(rows.shape[0]):
        found = gf.multiply(found, rows.placed(lambda part, k=k: part[k]))
    return found


def _cumulative(node: Node, x: list[Residues], binding: Binding, prime: int) -> Residues:
    axis, backwards = node.parameter

    def running(part: Objects) -> Any:
        rows = np.flip(part, axis) if backwards else part
        found = np.add.accumulate(rows, axis=axis)
        return np.flip(found, axis) if backwards else found

    return _reduced(x[0].placed(running))


def _each_matrix(function: Callable[..., Residues], *x: Residues) -> Residues:
    """A function of matrices on every matrix of arrays with leading axes."""
    lead = x[0].shape[:-2]
    if not lead:
        return function(*x)
    found = {
        i: function(*(y.placed(lambda part, i=i: part[i]) for y in x)) for i in np.ndindex(*lead)
    }
    shape = next(iter(found.values())).shape
    re, im = np.empty(lead + shape, dtype=object), np.empty(lead + shape, dtype=object)
    for index, value in found.items():
        # A number, where there is one per matrix.
        re[index], im[index] = value.re[()], value.with_imaginary()[()]
    return Residues(x[0].prime, re, im if np.any(im != 0) else None)


def _divide(node: Node, x: list[Residues], binding: Binding, prime: int) -> Residues:
    return gf.multiply(x[0], gf.inverse(x[1]))


FIELD_RULES: dict[str, Rule] = {
    "size": lambda node, x, binding, prime: gf.residues(prime, node.parameter.at(binding)),
    "table": _table,
    "delta": _delta,
    "add": _add,
    "multiply": _multiply,
    "divide": _divide,
    "einsum": _einsum,
    "broadcast": _broadcast,
    "reshape": _reshape,
    "index": _index,
    "convert": lambda node, x, binding, prime: gf.residues(prime, x[0].re),
    "compare": _compare,
    "logical": _logical,
    "where": _where,
    "gather": _gather,
    "scatter": _scatter,
    "concatenate": _concatenate,
    "product": _product,
    "cumulative": _cumulative,
    "solve": lambda node, x, binding, prime: _each_matrix(gf.solve, *x),
    "determinant": lambda node, x, binding, prime: _each_matrix(gf.determinant, *x),
}
