"""Reverse mode: one rule per operation, from the cotangent of a node to those of its inputs.

Rules make graph nodes, so a derivative is a formula like any other (Griewank and Walther,
*Evaluating Derivatives*, 2nd ed., section 3.2).
"""

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType

from verimath.formula import operations as op
from verimath.formula.graph import Node, PullBack, Subscripts, between, inlined
from verimath.formula.slopes import NOTHING, lower_half, others, slope
from verimath.shapes import ONE, Size

Cotangents = list[Node | None]

NO_RULES: Mapping[Node, PullBack] = MappingProxyType({})


def pull_back(
    output: Node,
    seed: Node,
    targets: set[Node],
    *,
    stop: frozenset[Node] = frozenset(),
    rules: Mapping[Node, PullBack] = NO_RULES,
) -> dict[Node, Node]:
    """Cotangents of the targets; the walk does not go below nodes in `stop`."""
    order = between(output, stop)
    active: set[Node] = set()
    for node in order:
        if node in targets or (node not in stop and any(x in active for x in node.inputs)):
            active.add(node)
    cotangents = {output: seed}
    for node in reversed(order):
        if node not in cotangents or node not in active or (node in stop and node is not output):
            continue
        if node in targets and not node.inputs:
            continue
        rule = rules.get(node, REVERSE[node.operation])
        contributions = rule(node, cotangents[node])
        for x, contribution in zip(node.inputs, contributions, strict=True):
            if x in active and contribution is not None:
                known = cotangents.get(x)
                cotangents[x] = op.add(known, contribution) if known else contribution
    return cotangents


def _add_reverse(node: Node, c: Node) -> Cotangents:
    return [c, c]


def _multiply_reverse(node: Node, c: Node) -> Cotangents:
    a, b = node.inputs
    return [op.multiply(c, b), op.multiply(c, a)]


def _divide_reverse(node: Node, c: Node) -> Cotangents:
    _, b = node.inputs
    # torch's order: its quotient may overflow where (c / b) (a / b) does not.
    slope = op.function("negative", op.divide(node, b))
    return [op.divide(c, b), op.multiply(c, slope)]


def _scalar_reverse(node: Node, c: Node) -> Cotangents:
    if node.parameter == "negative":
        return [op.function("negative", c)]
    return [op.multiply(c, slope(node))]


def _einsum_reverse(node: Node, c: Node) -> Cotangents:
    subscripts: Subscripts = node.parameter
    return [_einsum_cotangent(subscripts, node, c, k) for k in range(len(node.inputs))]


def _einsum_cotangent(subscripts: Subscripts, node: Node, c: Node, k: int) -> Node:
    """The product of the cotangent with the other operand, spread over indices only k has."""
    wanted = subscripts.operands[k]
    distinct = tuple(dict.fromkeys(wanted))
    sources = [(subscripts.output, c)]
    if len(node.inputs) == 2:
        sources.append((subscripts.operands[1 - k], node.inputs[1 - k]))
    present = {index for indices, _ in sources for index in indices}
    kept = tuple(index for index in distinct if index in present)
    result = op.einsum(Subscripts(tuple(i for i, _ in sources), kept), *(x for _, x in sources))
    sizes = dict(zip(wanted, node.inputs[k].shape, strict=True))
    shape = [sizes[index] if index in present else ONE for index in distinct]
    result = op.broadcast(op.reshape(result, shape), [sizes[index] for index in distinct])
    for position, index in enumerate(wanted):
        # A repeated index (trace, diagonal) spreads over the diagonal: multiply by a delta.
        if index in wanted[:position]:
            # Axes before this position are already those of `wanted`.
            rank = tuple(range(len(result.shape)))
            first, new = wanted.index(index), len(rank)
            output = (*rank[:position], new, *rank[position:])
            spread = Subscripts((rank, (first, new)), output)
            result = op.einsum(spread, result, op.delta(sizes[index]))
    return result


def _broadcast_reverse(node: Node, c: Node) -> Cotangents:
    x = node.inputs[0]
    lead = len(node.shape) - len(x.shape)
    repeated = [
        axis
        for axis, size in enumerate(node.shape)
        if axis < lead or (x.shape[axis - lead] == ONE and size != ONE)
    ]
    return [op.reshape(op.sum_(c, repeated), x.shape)]


def _reshape_reverse(node: Node, c: Node) -> Cotangents:
    return [op.reshape(c, node.inputs[0].shape)]


def _where_reverse(node: Node, c: Node) -> Cotangents:
    mask = node.inputs[0]
    return [None, op.where(mask, c, NOTHING), op.where(mask, NOTHING, c)]


def _maximum_reverse(node: Node, c: Node) -> Cotangents:
    a, b = node.inputs
    return [
        op.multiply(c, op.subgradient("step", a, b)),
        op.multiply(c, op.subgradient("step", b, a)),
    ]


def _along(reduced: Node, axis: int, like: Node) -> Node:
    """What a reduction along an axis has taken away, repeated along it."""
    shape = [ONE if k == axis else n for k, n in enumerate(like.shape)]
    return op.broadcast(op.reshape(reduced, shape), like.shape)


def _max_reverse(node: Node, c: Node) -> Cotangents:
    x, axis = node.inputs[0], node.parameter
    return [op.multiply(_along(c, axis, x), op.subgradient(("share", axis), x))]


def _gather_reverse(node: Node, c: Node) -> Cotangents:
    x, indices = node.inputs
    return [op.scatter(c, indices, node.parameter, x.shape[node.parameter]), None]


def _scatter_reverse(node: Node, c: Node) -> Cotangents:
    return [op.gather(c, node.inputs[1], node.parameter), None]


def _concatenate_reverse(node: Node, c: Node) -> Cotangents:
    axis, start = node.parameter, Size.of(0)
    parts: Cotangents = []
    for part in node.inputs:
        n = part.shape[axis]
        parts.append(op.gather(c, op.window(n, start), axis))
        start = start + n
    return parts


def _product_reverse(node: Node, c: Node) -> Cotangents:
    x, axis = node.inputs[0], node.parameter
    return [op.multiply(_along(c, axis, x), others(x, axis))]


def divided_product(node: Node, c: Node) -> Cotangents:
    """The product divided by each factor: torch's rule, of no value at a zero."""
    x, axis = node.inputs[0], node.parameter
    return [op.multiply(_along(c, axis, x), op.divide(_along(node, axis, x), x))]


def _cumulative_reverse(node: Node, c: Node) -> Cotangents:
    axis, backwards = node.parameter
    return [op.cumulative(c, axis, backwards=not backwards)]


def _solve_reverse(node: Node, c: Node) -> Cotangents:
    below = op.solve(op.transpose(node.inputs[0]), c)
    outer = op.matmul(below, op.transpose(node))
    return [op.function("negative", outer), below]


def _matrix_of(x: Node, like: Node) -> Node:
    """A number per matrix, repeated over the matrix."""
    return op.broadcast(op.reshape(x, [*x.shape, ONE, ONE]), like.shape)


def _determinant_reverse(node: Node, c: Node) -> Cotangents:
    a = node.inputs[0]
    return [op.multiply(_matrix_of(op.multiply(c, node), a), op.transpose(op.inverse(a)))]


def _cholesky_reverse(node: Node, c: Node) -> Cotangents:
    """The symmetric gradient: L^-T sym(lower half of L' c) L^-1."""
    inner = lower_half(op.matmul(op.transpose(node), c))
    both = op.multiply(op.constant(Fraction(1, 2)), op.add(inner, op.transpose(inner)))
    left = op.solve(op.transpose(node), both)
    return [op.transpose(op.solve(op.transpose(node), op.transpose(left)))]


def _composite_reverse(node: Node, c: Node) -> Cotangents:
    if node.parameter.pull_back is not None:
        return node.parameter.pull_back(node, c)
    inner = inlined(node)
    found = pull_back(inner, c, set(node.inputs), stop=frozenset(node.inputs))
    return [found.get(x) for x in node.inputs]


def _no_reverse(node: Node, c: Node) -> Cotangents:
    return [None for _ in node.inputs]


REVERSE: dict[str, PullBack] = {
    "add": _add_reverse,
    "multiply": _multiply_reverse,
    "divide": _divide_reverse,
    "power": _scalar_reverse,
    "function": _scalar_reverse,
    "einsum": _einsum_reverse,
    "broadcast": _broadcast_reverse,
    "reshape": _reshape_reverse,
    "convert": _no_reverse,
    "compare": _no_reverse,
    "logical": _no_reverse,
    "subgradient": _no_reverse,
    "where": _where_reverse,
    "maximum": _maximum_reverse,
    "max": _max_reverse,
    "gather": _gather_reverse,
    "scatter": _scatter_reverse,
    "concatenate": _concatenate_reverse,
    "product": _product_reverse,
    "cumulative": _cumulative_reverse,
    "solve": _solve_reverse,
    "determinant": _determinant_reverse,
    "cholesky": _cholesky_reverse,
    "composite": _composite_reverse,
}
