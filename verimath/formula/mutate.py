"""Wrong siblings of a formula: one mistake each, of the kinds that people make.

Every mutant is a formula with outputs of the same shapes, named by what is wrong with it and, where
there is one, the line. A mutant may be the same function in disguise; whoever runs it has to find
out. `slip` makes those of a derivation: a chain rule with one link left out or replaced by ones.
"""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from verimath.formula import operations as op
from verimath.formula.derive import Derivation
from verimath.formula.graph import Formula, Node, Subscripts
from verimath.formula.reverse import REVERSE
from verimath.shapes import ONE, Size


def mutate(formula: Formula) -> Iterator[tuple[str, Formula]]:
    """Every mutant of a formula, with its name; names may repeat, graphs don't."""
    whole = {
        "twice the value": lambda y: op.multiply(op.constant(2), y),
        "half the value": lambda y: op.multiply(op.constant(Fraction(1, 2)), y),
        "the sign flipped": lambda y: op.function("negative", y),
    }
    for name, change in whole.items():
        yield name, replace(formula, outputs=tuple(change(y) for y in formula.outputs))
    # Places and sizes stay: an index beyond its axis would be a crash and no mistake.
    for node in (n for n in formula.nodes() if n.kind == "real"):
        for name, other in _siblings(node):
            if other.shape == node.shape and other is not node:
                yield _named(name, node), _with(formula, node, other)
    for k, output in enumerate(formula.outputs):
        if len(output.shape) == 2 and output.shape[0] == output.shape[1]:
            outputs = list(formula.outputs)
            outputs[k] = op.transpose(output)
            yield "the result transposed", replace(formula, outputs=tuple(outputs))


def _named(name: str, node: Node) -> str:
    return f"{name} ({node.line})" if node.line else name


def _siblings(node: Node) -> Iterator[tuple[str, Node]]:
    """What one operation is mistaken for."""
    match node.operation:
        case "add":
            for kept, lost in ((0, 1), (1, 0)):
                what = "first" if lost == 0 else "second"
                yield f"the {what} term dropped", node.inputs[kept]
            yield "a difference for the sum", op.subtract(*node.inputs)
        case "multiply":
            for kept, lost in ((0, 1), (1, 0)):
                what = "first" if lost == 0 else "second"
                yield f"the {what} factor missing", node.inputs[kept]
            yield "a quotient for the product", op.divide(*node.inputs)
        case "divide":
            yield from _wrong_quotients(node)
        case "power":
            yield "the exponent one too small", op.power(node.inputs[0], node.parameter - 1)
            yield "the exponent one too large", op.power(node.inputs[0], node.parameter + 1)
        case "function" if node.parameter == "negative":
            yield "the minus sign forgotten", node.inputs[0]
        case "function":
            yield f"`{node.parameter}` forgotten", node.inputs[0]
        case "einsum":
            yield from _wrong_einsums(node)
        case "broadcast":
            yield from _stale_broadcast(node)
        case "maximum":
            yield (
                "the smaller for the larger",
                op.function(
                    "negative", op.maximum(*(op.function("negative", x) for x in node.inputs))
                ),
            )
        case "where":
            yield "the cases swapped", op.where(node.inputs[0], node.inputs[2], node.inputs[1])
        case "gather":
            yield from _off_by_one(node)
        case "cumulative":
            axis, backwards = node.parameter
            yield "from the wrong end", op.cumulative(node.inputs[0], axis, backwards=not backwards)
        case "solve":
            yield "the inverse forgotten", op.matmul(*node.inputs)
            yield "the matrix transposed", op.solve(op.transpose(node.inputs[0]), node.inputs[1])
        case "composite":
            yield f"`{node.parameter.name}` forgotten", node.inputs[0]
            yield from _other_axis(node)
        case _:
            return


def _wrong_quotients(node: Node) -> Iterator[tuple[str, Node]]:
    above, below = node.inputs
    counted = _sizes_below(below)
    if counted is None:
        yield "the denominator forgotten", above
        yield "turned upside down", op.divide(below, above)
        return
    yield "a sum for the mean: the division forgotten", above
    for off, name in ((-1, "n - 1 for n"), (1, "n + 1 for n")):
        yield name, op.divide(above, op.size(counted + off))
    for name in sorted(counted.names):
        if len(counted.names) > 1:
            yield f"divided by {name} alone", op.divide(above, op.size(Size.of(name)))


def _sizes_below(node: Node) -> Size | None:
    """The number of elements that a denominator is, perhaps repeated."""
    while node.operation == "broadcast":
        node = node.inputs[0]
    return node.parameter if node.operation == "size" else None


def _wrong_einsums(node: Node) -> Iterator[tuple[str, Node]]:
    subscripts: Subscripts = node.parameter
    for k, indices in enumerate(subscripts.operands):
        shape = node.inputs[k].shape
        for i in range(len(indices) - 1):
            if shape[i] == shape[i + 1] and indices[i] != indices[i + 1]:
                swapped = (*indices[:i], indices[i + 1], indices[i], *indices[i + 2 :])
                operands = (*subscripts.operands[:k], swapped, *subscripts.operands[k + 1 :])
                other = Subscripts(operands, subscripts.output)
                yield "an operand transposed", op.einsum(other, *node.inputs)
            elif len(indices) == 2 and indices[i] != indices[i + 1] and ONE not in shape:
                # Of the same shape as the transpose, and not the transpose.
                turned = op.reshape(node.inputs[k], shape[::-1])
                if len(node.inputs) == 1 and subscripts.output == indices[::-1]:
                    yield "reshaped instead of transposed", turned
    if len(node.inputs) == 2:
        a, b = node.inputs
        try:
            yield "the factors swapped", op.einsum(subscripts, b, a)
        except ValueError:
            return  # they don't fit the other way round


def _stale_broadcast(node: Node) -> Iterator[tuple[str, Node]]:
    """The first row (or column) for every one: a value computed once and used again."""
    x = node.inputs[0]
    lead = len(node.shape) - len(x.shape)
    for axis, size in enumerate(x.shape):
        if size != ONE and node.shape[lead + axis] == size:
            first = op.gather(x, op.window(ONE, Size.of(0)), axis)
            yield f"the first along axis {axis} for all", op.broadcast(first, node.shape)


def _off_by_one(node: Node) -> Iterator[tuple[str, Node]]:
    x, places = node.inputs
    if all(n.operation != "input" for n in Formula("", {}, (places,), {}).nodes()):
        yield "the axis reversed", op.gather(_flipped(x, node.parameter), places, node.parameter)


def _flipped(x: Node, axis: int) -> Node:
    n = x.shape[axis]
    return op.gather(x, op.window(n, n + -1, step=-1), axis)


def _other_axis(node: Node) -> Iterator[tuple[str, Node]]:
    """A composite along its neighbour axis, which a transpose before and after makes of it."""
    if len(node.shape) == 2 and node.inputs[0].shape == node.shape and len(node.inputs) == 1:
        body = node.parameter
        axis = dict(body.options).get("axis")
        if axis is not None and node.shape[0] == node.shape[1]:
            turned = op.composite(body, op.transpose(node.inputs[0]))
            yield f"`{body.name}` along another axis", op.transpose(turned)


def _with(formula: Formula, old: Node, new: Node) -> Formula:
    """The formula with one node replaced, wherever it is used."""
    known: dict[Node, Node] = {old: new}
    for node in formula.nodes():
        if node not in known:
            inputs = tuple(known[x] for x in node.inputs)
            changed = any(a is not b for a, b in zip(inputs, node.inputs, strict=True))
            known[node] = replace(node, inputs=inputs) if changed else node
    return replace(formula, outputs=tuple(known[output] for output in formula.outputs))


def slip(derivation: Derivation) -> Iterator[tuple[str, Formula]]:
    """Derivatives by a chain rule that goes wrong at one link.

    "all ones for the cotangent" forgets what is above a link; "a link of the chain missing" passes
    the cotangent through an operation as if it were the identity.
    """
    primal, wrt = derivation.primal, derivation.wrt
    for node in primal.nodes():
        if not node.inputs or node.kind != "real":
            continue
        if node is not primal.outputs[0]:
            ones = derivation.again(primal, wrt, {node: _from_ones})
            yield _named("all ones for the cotangent", node), ones
        if node.operation in _LINKS and any(_is_passable(x, node) for x in node.inputs):
            passed = derivation.again(primal, wrt, {node: _passed})
            yield _named("a link of the chain missing", node), passed


_LINKS = frozenset({"function", "power", "multiply", "divide", "composite", "maximum", "where"})


def _from_ones(node: Node, c: Node) -> list[Node | None]:
    return REVERSE[node.operation](node, op.broadcast(op.constant(1), c.shape))


def _is_passable(x: Node, node: Node) -> bool:
    return x.shape == node.shape and x.kind == "real"


def _passed(node: Node, c: Node) -> list[Node | None]:
    return [c if _is_passable(x, node) else None for x in node.inputs]
