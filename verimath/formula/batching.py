"""Leading axes for a graph: the same formula for many values of one of its nodes at once.

One rule per operation puts the extra axes in front of a node whose operands have them (as `vmap`
does in JAX and torch); what doesn't depend on the replaced nodes stays as it is and is shared.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from verimath.errors import FormulaError
from verimath.formula import operations as op
from verimath.formula.graph import Node, Subscripts, inlined, topological
from verimath.shapes import ONE, Size

Shape = tuple[Size, ...]


@dataclass(frozen=True, slots=True)
class Operands:
    """What a node's operands have become; `wide` says which of them have the axes `lead`."""

    nodes: tuple[Node, ...]
    wide: tuple[bool, ...]
    lead: Shape


Rule = Callable[[Node, Operands], Node]


def batch(outputs: tuple[Node, ...], given: Mapping[Node, Node], lead: Shape) -> tuple[Node, ...]:
    """The outputs with axes `lead` in front, once every node in `given` is its value there.

    A value has the node's shape behind `lead`.

    Raises FormulaError for what can't have leading axes: indices that differ along them.
    """
    known = dict(given)
    for node in topological(outputs):
        if node not in known and any(x in known for x in node.inputs):
            known[node] = _batched(node, known, lead)
    return tuple(
        known[node] if node in known else op.broadcast(node, lead + node.shape) for node in outputs
    )


def _batched(node: Node, known: Mapping[Node, Node], lead: Shape) -> Node:
    nodes = tuple(known.get(x, x) for x in node.inputs)
    return RULES[node.operation](
        node, Operands(nodes, tuple(x in known for x in node.inputs), lead)
    )


def identity(shape: Shape) -> Node:
    """The identity map of arrays of a shape: ones where both halves of the indices agree."""
    if not shape:
        return op.constant(1)
    found = op.delta(shape[0])
    for k, n in enumerate(shape[1:], start=1):
        first, second = tuple(range(k)), tuple(range(k, 2 * k))
        pair = (2 * k, 2 * k + 1)
        output = (*first, pair[0], *second, pair[1])
        found = op.einsum(Subscripts(((*first, *second), pair), output), found, op.delta(n))
    return found


# --- one rule per operation -------------------------------------------------------------------


def _by_broadcasting(make: Callable[..., Node]) -> Rule:
    """Operands have the node's own shape, so broadcasting lines up their last axes."""
    return lambda node, x: make(*x.nodes, line=node.line)


def _power(node: Node, x: Operands) -> Node:
    return op.power(x.nodes[0], node.parameter, line=node.line)


def _function(node: Node, x: Operands) -> Node:
    return op.function(node.parameter, x.nodes[0], line=node.line)


def _compare(node: Node, x: Operands) -> Node:
    return op.compare(node.parameter, *x.nodes, line=node.line)


def _logical(node: Node, x: Operands) -> Node:
    return op.logical(node.parameter, *x.nodes, line=node.line)


def _einsum(node: Node, x: Operands) -> Node:
    subscripts: Subscripts = node.parameter
    free = 1 + max((i for indices in subscripts.operands for i in indices), default=-1)
    more = tuple(range(free, free + len(x.lead)))
    operands = tuple(
        more + indices if wide else indices
        for indices, wide in zip(subscripts.operands, x.wide, strict=True)
    )
    return op.einsum(Subscripts(operands, more + subscripts.output), *x.nodes, line=node.line)


def _broadcast(node: Node, x: Operands) -> Node:
    (inner,), (before,) = x.nodes, node.inputs
    missing = [ONE] * (len(node.shape) - len(before.shape))
    aligned = op.reshape(inner, [*x.lead, *missing, *before.shape], line=node.line)
    return op.broadcast(aligned, x.lead + node.shape, line=node.line)


def _reshape(node: Node, x: Operands) -> Node:
    return op.reshape(x.nodes[0], x.lead + node.shape, line=node.line)


def _max(node: Node, x: Operands) -> Node:
    return op.max_(x.nodes[0], node.parameter + len(x.lead), line=node.line)


def _product(node: Node, x: Operands) -> Node:
    return op.product(x.nodes[0], node.parameter + len(x.lead), line=node.line)


def _cumulative(node: Node, x: Operands) -> Node:
    axis, backwards = node.parameter
    return op.cumulative(x.nodes[0], axis + len(x.lead), backwards=backwards, line=node.line)


def _subgradient(node: Node, x: Operands) -> Node:
    how = node.parameter
    if isinstance(how, tuple):
        how = (how[0], how[1] + len(x.lead))
    return op.subgradient(how, *_all_wide(node, x), line=node.line)


def _all_wide(node: Node, x: Operands) -> list[Node]:
    """The operands, those without the leading axes repeated along them."""
    return [
        inner if wide else op.broadcast(inner, x.lead + inner.shape, line=node.line)
        for inner, wide in zip(x.nodes, x.wide, strict=True)
    ]


def _same_places(node: Node, x: Operands) -> Node:
    """The indices of a gather or scatter.

    Raises FormulaError if they have leading axes: each would take elements of its own.
    """
    if x.wide[1]:
        raise FormulaError("indices that depend on what is differentiated by are not expressible")
    return x.nodes[1]


def _gather(node: Node, x: Operands) -> Node:
    axis = node.parameter + len(x.lead)
    return op.gather(x.nodes[0], _same_places(node, x), axis, line=node.line)


def _scatter(node: Node, x: Operands) -> Node:
    axis, n = node.parameter + len(x.lead), node.shape[node.parameter]
    return op.scatter(x.nodes[0], _same_places(node, x), axis, n, line=node.line)


def _concatenate(node: Node, x: Operands) -> Node:
    return op.concatenate(_all_wide(node, x), node.parameter + len(x.lead), line=node.line)


def _composite(node: Node, x: Operands) -> Node:
    """By its definition: an order of evaluation is stated for the shape it was traced at."""
    operands = zip(node.inputs, x.nodes, x.wide, strict=True)
    given = {before: inner for before, inner, wide in operands if wide}
    (found,) = batch((inlined(node),), given, x.lead)
    return found


RULES: dict[str, Rule] = {
    "add": _by_broadcasting(op.add),
    "multiply": _by_broadcasting(op.multiply),
    "divide": _by_broadcasting(op.divide),
    "power": _power,
    "function": _function,
    "einsum": _einsum,
    "broadcast": _broadcast,
    "reshape": _reshape,
    "convert": _by_broadcasting(op.convert),
    "compare": _compare,
    "logical": _logical,
    "where": _by_broadcasting(op.where),
    "maximum": _by_broadcasting(op.maximum),
    "max": _max,
    "subgradient": _subgradient,
    "gather": _gather,
    "scatter": _scatter,
    "concatenate": _concatenate,
    "product": _product,
    "cumulative": _cumulative,
    "solve": _by_broadcasting(op.solve),
    "determinant": _by_broadcasting(op.determinant),
    "cholesky": _by_broadcasting(op.cholesky),
    "composite": _composite,
}
