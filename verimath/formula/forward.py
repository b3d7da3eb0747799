"""Forward mode: one rule per operation, from the tangents of a node's inputs to its own.

Rules make graph nodes, so a derivative is a formula like any other (Griewank and Walther,
*Evaluating Derivatives*, 2nd ed., section 3.1).
"""

from collections.abc import Iterable

from verimath.formula import operations as op
from verimath.formula.graph import Formula, Node, PushForward, Subscripts, inlined, topological
from verimath.formula.slopes import NOTHING, lower_half, others, slope

Tangents = list[Node | None]


def push_forward(primal: Formula, wrt: str, tangent: str) -> Formula:
    """The directional derivative in one input, as a formula with an extra input named `tangent`."""
    source = primal.inputs[wrt]
    direction = op.input_(tangent, source.shape)
    tangents: dict[Node, Node | None] = {source: direction}
    _push(primal.nodes(), tangents)
    outputs = tuple(
        tangents.get(output) or op.broadcast(op.constant(0), output.shape)
        for output in primal.outputs
    )
    inputs = {**primal.inputs, tangent: direction}
    return Formula(f"directional derivative of {primal.name}", inputs, outputs, primal.names)


def _push(nodes: Iterable[Node], tangents: dict[Node, Node | None]) -> None:
    """Tangents of these nodes, each after its inputs, beside those that are known."""
    for node in nodes:
        if node not in tangents and node.inputs:
            below = [tangents.get(x) for x in node.inputs]
            tangents[node] = FORWARD[node.operation](node, below) if any(below) else None


def _plus(a: Node | None, b: Node | None) -> Node | None:
    return op.add(a, b) if a and b else a or b


def _add_forward(node: Node, t: Tangents) -> Node | None:
    return _plus(t[0], t[1])


def _multiply_forward(node: Node, t: Tangents) -> Node | None:
    a, b = node.inputs
    return _plus(t[0] and op.multiply(t[0], b), t[1] and op.multiply(a, t[1]))


def _divide_forward(node: Node, t: Tangents) -> Node | None:
    _, b = node.inputs
    below = t[1] and op.function("negative", op.multiply(node, t[1]))
    above = _plus(t[0], below)
    return above and op.divide(above, b)


def _scalar_forward(node: Node, t: Tangents) -> Node | None:
    if node.parameter == "negative":
        return t[0] and op.function("negative", t[0])
    return t[0] and op.multiply(t[0], slope(node))


def _einsum_forward(node: Node, t: Tangents) -> Node | None:
    total: Node | None = None
    for k, tangent in enumerate(t):
        if tangent:
            operands = [tangent if i == k else x for i, x in enumerate(node.inputs)]
            total = _plus(total, op.einsum(node.parameter, *operands))
    return total


def _broadcast_forward(node: Node, t: Tangents) -> Node | None:
    return t[0] and op.broadcast(t[0], node.shape)


def _reshape_forward(node: Node, t: Tangents) -> Node | None:
    return t[0] and op.reshape(t[0], node.shape)


def _where_forward(node: Node, t: Tangents) -> Node | None:
    if not t[1] and not t[2]:
        return None
    return op.where(node.inputs[0], t[1] or NOTHING, t[2] or NOTHING)


def _maximum_forward(node: Node, t: Tangents) -> Node | None:
    a, b = node.inputs
    one = t[0] and op.multiply(op.subgradient("step", a, b), t[0])
    return _plus(one, t[1] and op.multiply(op.subgradient("step", b, a), t[1]))


def _max_forward(node: Node, t: Tangents) -> Node | None:
    x, axis = node.inputs[0], node.parameter
    return t[0] and op.sum_(op.multiply(op.subgradient(("share", axis), x), t[0]), (axis,))


def _gather_forward(node: Node, t: Tangents) -> Node | None:
    return t[0] and op.gather(t[0], node.inputs[1], node.parameter)


def _scatter_forward(node: Node, t: Tangents) -> Node | None:
    n = node.shape[node.parameter]
    return t[0] and op.scatter(t[0], node.inputs[1], node.parameter, n)


def _concatenate_forward(node: Node, t: Tangents) -> Node | None:
    parts = [
        tangent or op.broadcast(NOTHING, part.shape)
        for tangent, part in zip(t, node.inputs, strict=True)
    ]
    return op.concatenate(parts, node.parameter) if any(t) else None


def _product_forward(node: Node, t: Tangents) -> Node | None:
    x, axis = node.inputs[0], node.parameter
    return t[0] and op.sum_(op.multiply(others(x, axis), t[0]), (axis,))


def _cumulative_forward(node: Node, t: Tangents) -> Node | None:
    axis, backwards = node.parameter
    return t[0] and op.cumulative(t[0], axis, backwards=backwards)


def _solve_forward(node: Node, t: Tangents) -> Node | None:
    moved = t[0] and op.function("negative", op.matmul(t[0], node))
    right = _plus(t[1], moved)
    return right and op.solve(node.inputs[0], right)


def _determinant_forward(node: Node, t: Tangents) -> Node | None:
    if not t[0]:
        return None
    inner = op.solve(node.inputs[0], t[0])
    lead = tuple(range(len(node.shape)))
    last = len(lead)
    trace = op.einsum(Subscripts(((*lead, last, last),), lead), inner)
    return op.multiply(node, trace)


def _cholesky_forward(node: Node, t: Tangents) -> Node | None:
    if not t[0]:
        return None
    left = op.solve(node, t[0])
    inner = op.transpose(op.solve(node, op.transpose(left)))
    return op.matmul(node, lower_half(inner))


def _composite_forward(node: Node, t: Tangents) -> Node | None:
    if node.parameter.push_forward is not None:
        return node.parameter.push_forward(node, t) if any(t) else None
    tangents: dict[Node, Node | None] = dict(zip(node.inputs, t, strict=True))
    inner = inlined(node)
    _push(topological((inner,)), tangents)
    return tangents.get(inner)


def _no_forward(node: Node, t: Tangents) -> Node | None:
    return None


FORWARD: dict[str, PushForward] = {
    "add": _add_forward,
    "multiply": _multiply_forward,
    "divide": _divide_forward,
    "power": _scalar_forward,
    "function": _scalar_forward,
    "einsum": _einsum_forward,
    "broadcast": _broadcast_forward,
    "reshape": _reshape_forward,
    "convert": _no_forward,
    "compare": _no_forward,
    "logical": _no_forward,
    "subgradient": _no_forward,
    "where": _where_forward,
    "maximum": _maximum_forward,
    "max": _max_forward,
    "gather": _gather_forward,
    "scatter": _scatter_forward,
    "concatenate": _concatenate_forward,
    "product": _product_forward,
    "cumulative": _cumulative_forward,
    "solve": _solve_forward,
    "determinant": _determinant_forward,
    "cholesky": _cholesky_forward,
    "composite": _composite_forward,
}
