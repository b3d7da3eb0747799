"""Derivatives of formulas: one reverse- and one forward-mode rule per operation.

A reverse-mode rule maps the cotangent of a node to the cotangents of its inputs, a forward-mode
rule the tangents of the inputs to that of the node (Griewank and Walther, *Evaluating Derivatives*,
2nd ed., sections 3.1 and 3.2). Both make graph nodes, so a derivative is a formula like any other.

`derive` also divides the way from output to input at the formula's named variables and returns a
step for each stretch. `verimath.proof.explicit` checks every step by itself; nothing is trusted.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from types import MappingProxyType

from verimath.errors import FormulaError
from verimath.formula import operations as op
from verimath.formula.graph import Body, Formula, Node, Subscripts, topological
from verimath.shapes import ONE, Size, shape_text

Cotangents = list[Node | None]
ReverseRule = Callable[[Node, Node], Cotangents]
ForwardRule = Callable[[Node, list[Node | None]], Node | None]


# --- reverse mode ---------------------------------------------------------------------------


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


def _slope(node: Node) -> Node:
    """The derivative of a power or scalar function at its input."""
    x = node.inputs[0]
    if node.operation == "power":
        exponent: Fraction = node.parameter
        if exponent in (0, 1):  # x to the power -1 has no value at zero, the derivative has
            return op.constant(exponent)
        inner = x if exponent == 2 else op.power(x, exponent - 1)
        return op.multiply(op.constant(exponent), inner)
    return _FUNCTION_SLOPES[node.parameter](x, node)


_FUNCTION_SLOPES: dict[str, Callable[[Node, Node], Node]] = {
    "negative": lambda x, y: op.constant(-1),
    "exp": lambda x, y: y,
    "log": lambda x, y: op.divide(op.constant(1), x),
    "sqrt": lambda x, y: op.divide(op.constant(Fraction(1, 2)), y),
    "sin": lambda x, y: op.function("cos", x),
    "cos": lambda x, y: op.function("negative", op.function("sin", x)),
    "tan": lambda x, y: op.add(op.constant(1), op.power(y, Fraction(2))),
    "asin": lambda x, y: op.divide(op.constant(1), op.function("sqrt", _one_minus_square(x))),
    "acos": lambda x, y: op.divide(op.constant(-1), op.function("sqrt", _one_minus_square(x))),
    "atan": lambda x, y: op.divide(op.constant(1), _square_plus(x, 1)),
    "sinh": lambda x, y: op.function("cosh", x),
    "cosh": lambda x, y: op.function("sinh", x),
    "tanh": lambda x, y: op.subtract(op.constant(1), op.power(y, Fraction(2))),
    "asinh": lambda x, y: op.divide(op.constant(1), op.function("sqrt", _square_plus(x, 1))),
    "acosh": lambda x, y: op.divide(op.constant(1), op.function("sqrt", _square_plus(x, -1))),
    "atanh": lambda x, y: op.divide(op.constant(1), _one_minus_square(x)),
    "expm1": lambda x, y: op.function("exp", x),
    "log1p": lambda x, y: op.divide(op.constant(1), op.add(x, op.constant(1))),
    "erf": lambda x, y: op.multiply(_ERF_SLOPE, op.function("exp", _minus_square(x))),
    "abs": lambda x, y: op.subgradient("sign", x),
    "sign": lambda x, y: op.constant(0),
}

# 2 / sqrt(pi), whose nearest float64 is the literal.
_ERF_SLOPE = op.divide(op.constant(2), op.function("sqrt", op.constant(math.pi)))


def _square_plus(x: Node, number: int) -> Node:
    return op.add(op.power(x, Fraction(2)), op.constant(number))


def _one_minus_square(x: Node) -> Node:
    return op.subtract(op.constant(1), op.power(x, Fraction(2)))


def _minus_square(x: Node) -> Node:
    return op.function("negative", op.power(x, Fraction(2)))


def _scalar_reverse(node: Node, c: Node) -> Cotangents:
    if node.parameter == "negative":
        return [op.function("negative", c)]
    return [op.multiply(c, _slope(node))]


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


_NOTHING = op.constant(0)


def _where_reverse(node: Node, c: Node) -> Cotangents:
    mask = node.inputs[0]
    return [None, op.where(mask, c, _NOTHING), op.where(mask, _NOTHING, c)]


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


def _others(x: Node, axis: int) -> Node:
    """The product of all other elements along an axis, without dividing by the element itself."""
    rank, n = len(x.shape), x.shape[axis]
    order = [*(k for k in range(rank) if k != axis), axis]
    rows = op.permute(x, order)
    wide = op.reshape(rows, [*rows.shape[:-1], ONE, n])
    places = op.index(n)
    own = op.compare("equal", op.reshape(places, (n, ONE)), places)
    found = op.product(op.where(own, op.constant(1), wide), rank)
    return op.permute(found, [order.index(k) for k in range(rank)])


def _product_reverse(node: Node, c: Node) -> Cotangents:
    x, axis = node.inputs[0], node.parameter
    return [op.multiply(_along(c, axis, x), _others(x, axis))]


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


def _lower_half(x: Node) -> Node:
    """The lower triangle, with half of the diagonal."""
    n = x.shape[-1]
    column, row = op.reshape(op.index(n), (n, ONE)), op.index(n)
    below = op.where(op.compare("less", row, column), x, _NOTHING)
    half = op.multiply(op.constant(Fraction(1, 2)), x)
    return op.where(op.compare("equal", row, column), half, below)


def _cholesky_reverse(node: Node, c: Node) -> Cotangents:
    """The symmetric gradient: L^-T sym(lower half of L' c) L^-1."""
    inner = _lower_half(op.matmul(op.transpose(node), c))
    both = op.multiply(op.constant(Fraction(1, 2)), op.add(inner, op.transpose(inner)))
    left = op.solve(op.transpose(node), both)
    return [op.transpose(op.solve(op.transpose(node), op.transpose(left)))]


def _composite_reverse(node: Node, c: Node) -> Cotangents:
    if node.parameter.pull_back is not None:
        return node.parameter.pull_back(node, c)
    inner = inlined(node)
    found = pull_back(inner, c, set(node.inputs), stop=frozenset(node.inputs))
    return [found.get(x) for x in node.inputs]


def inlined(node: Node) -> Node:
    """The definition of a composite in terms of its operands."""
    body: Body = node.parameter
    known = dict(zip(body.inputs, node.inputs, strict=True))
    for inner in topological((body.definition,)):
        if inner not in known:
            below = tuple(known[x] for x in inner.inputs)
            known[inner] = replace(inner, inputs=below)
    return known[body.definition]


def _no_reverse(node: Node, c: Node) -> Cotangents:
    return [None for _ in node.inputs]


REVERSE: dict[str, ReverseRule] = {
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


# --- forward mode ---------------------------------------------------------------------------


def _plus(a: Node | None, b: Node | None) -> Node | None:
    return op.add(a, b) if a and b else a or b


def _add_forward(node: Node, t: list[Node | None]) -> Node | None:
    return _plus(t[0], t[1])


def _multiply_forward(node: Node, t: list[Node | None]) -> Node | None:
    a, b = node.inputs
    return _plus(t[0] and op.multiply(t[0], b), t[1] and op.multiply(a, t[1]))


def _divide_forward(node: Node, t: list[Node | None]) -> Node | None:
    _, b = node.inputs
    below = t[1] and op.function("negative", op.multiply(node, t[1]))
    above = _plus(t[0], below)
    return above and op.divide(above, b)


def _scalar_forward(node: Node, t: list[Node | None]) -> Node | None:
    if node.parameter == "negative":
        return t[0] and op.function("negative", t[0])
    return t[0] and op.multiply(t[0], _slope(node))


def _einsum_forward(node: Node, t: list[Node | None]) -> Node | None:
    total: Node | None = None
    for k, tangent in enumerate(t):
        if tangent:
            operands = [tangent if i == k else x for i, x in enumerate(node.inputs)]
            total = _plus(total, op.einsum(node.parameter, *operands))
    return total


def _broadcast_forward(node: Node, t: list[Node | None]) -> Node | None:
    return t[0] and op.broadcast(t[0], node.shape)


def _reshape_forward(node: Node, t: list[Node | None]) -> Node | None:
    return t[0] and op.reshape(t[0], node.shape)


Tangents = list[Node | None]


def _where_forward(node: Node, t: Tangents) -> Node | None:
    if not t[1] and not t[2]:
        return None
    return op.where(node.inputs[0], t[1] or _NOTHING, t[2] or _NOTHING)


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
        tangent or op.broadcast(_NOTHING, part.shape)
        for tangent, part in zip(t, node.inputs, strict=True)
    ]
    return op.concatenate(parts, node.parameter) if any(t) else None


def _product_forward(node: Node, t: Tangents) -> Node | None:
    x, axis = node.inputs[0], node.parameter
    return t[0] and op.sum_(op.multiply(_others(x, axis), t[0]), (axis,))


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
    return op.matmul(node, _lower_half(inner))


def _composite_forward(node: Node, t: Tangents) -> Node | None:
    if node.parameter.push_forward is not None:
        return node.parameter.push_forward(node, t) if any(t) else None
    tangents: dict[Node, Node | None] = dict(zip(node.inputs, t, strict=True))
    inner = inlined(node)
    for step in topological((inner,)):
        if step not in tangents and step.inputs:
            below = [tangents.get(x) for x in step.inputs]
            tangents[step] = FORWARD[step.operation](step, below) if any(below) else None
    return tangents.get(inner)


def _no_forward(node: Node, t: Tangents) -> Node | None:
    return None


FORWARD: dict[str, ForwardRule] = {
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

RULE_NAMES = {
    "add": "sum rule",
    "multiply": "product rule",
    "divide": "quotient rule",
    "power": "power rule",
    "broadcast": "broadcasting adds up",
    "reshape": "reshaping",
    "convert": "constant",
    "compare": "constant",
    "logical": "constant",
    "subgradient": "constant",
    "where": "choice, case by case",
    "maximum": "the larger one counts",
    "max": "the largest one counts",
    "gather": "taking elements",
    "scatter": "adding up elements",
    "concatenate": "part by part",
    "product": "product of the others",
    "cumulative": "running sums, backwards",
    "solve": "derivative of a solution",
    "determinant": "Jacobi's formula",
    "cholesky": "derivative of a Cholesky factor",
}


def rule_name(node: Node) -> str:
    """What a person calls the rule for this node."""
    if node.operation == "function":
        return "sign" if node.parameter == "negative" else f"derivative of {node.parameter}"
    if node.operation in ("multiply", "divide") and any(map(_is_fixed, node.inputs)):
        return "constant factor"
    if node.operation == "einsum":
        return "matrix product" if len(node.inputs) == 2 else "linearity of the sum"
    if node.operation == "composite":
        return f"derivative of {node.parameter.name}"
    return RULE_NAMES[node.operation]


def _is_fixed(node: Node) -> bool:
    """Whether a node is one literal or size, perhaps repeated."""
    while node.operation == "broadcast":
        node = node.inputs[0]
    return node.operation in ("constant", "size")


# --- derivations ----------------------------------------------------------------------------

_NO_RULES: Mapping[Node, ReverseRule] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class LocalStep:
    """The derivative of the named variable `of` by the named variable `by`, all else held fixed.

    `seed` is the cotangent of `of`: the number 1 where the derivative is an array by itself (the
    result is a number, or both are related elementwise), else a free input. `derivative` is then
    that array, or the pullback of the seed. `only` says that no other step leads to `by`.
    """

    of: Node
    by: Node
    seed: Node
    derivative: Node
    rules: tuple[str, ...]
    path: tuple[Node, ...]
    only: bool = True

    @property
    def is_pullback(self) -> bool:
        """Whether `derivative` is a linear function of a free cotangent."""
        return self.seed.operation == "input"


@dataclass(frozen=True, slots=True, eq=False)
class Derivation:
    """Derivatives of a formula in some inputs, with the steps that lead there.

    `derivatives` has one output per input; `again` derives it with the rules of single nodes
    replaced. `named` gives the names that the steps speak of.
    """

    primal: Formula
    wrt: tuple[str, ...]
    derivatives: Formula
    steps: tuple[LocalStep, ...]
    again: Callable[[Formula, tuple[str, ...], Mapping[Node, ReverseRule]], Formula]
    named: Formula


def derive(primal: Formula, wrt: tuple[str, ...]) -> Derivation:
    """Reverse-mode gradients of a formula with one 0-d output.

    Raises FormulaError if the formula isn't scalar.
    """
    steps = steps_to(primal, [primal.inputs[name] for name in wrt])
    return Derivation(primal, wrt, gradients(primal, wrt), steps, gradients, primal)


def gradients(
    primal: Formula, wrt: tuple[str, ...], rules: Mapping[Node, ReverseRule] = _NO_RULES
) -> Formula:
    """The gradients alone; `rules` replaces the rule of single nodes, to make a chain go wrong.

    Raises FormulaError if the formula isn't scalar.
    """
    if len(primal.outputs) != 1 or primal.outputs[0].shape:
        shapes = " and ".join(shape_text(output.shape) for output in primal.outputs)
        raise FormulaError(
            f"formula `{primal.name}` has shape {shapes}; a gradient needs a 0-d result "
            "(sum or average it, or state its Jacobian)"
        )
    targets = [primal.inputs[name] for name in wrt]
    cotangents = pull_back(primal.outputs[0], op.constant(1), set(targets), rules=rules)
    zero = op.constant(0)
    outputs = tuple(op.broadcast(cotangents.get(t, zero), t.shape) for t in targets)
    return Formula(f"gradient of {primal.name}", primal.inputs, outputs, primal.names)


def pull_back(
    output: Node,
    seed: Node,
    targets: set[Node],
    *,
    stop: frozenset[Node] = frozenset(),
    rules: Mapping[Node, ReverseRule] = _NO_RULES,
) -> dict[Node, Node]:
    """Cotangents of the targets; the walk does not go below nodes in `stop`."""
    order = _between(output, stop)
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


def _between(output: Node, stop: frozenset[Node]) -> list[Node]:
    """The nodes from `output` down to (and including) those in `stop`, inputs first."""
    seen: dict[Node, None] = {}
    todo = [output]
    while todo:
        node = todo.pop()
        if node not in seen:
            seen[node] = None
            if node is output or node not in stop:
                todo.extend(node.inputs)
    return [node for node in topological((output,)) if node in seen]


def steps_to(primal: Formula, targets: list[Node]) -> tuple[LocalStep, ...]:
    """One step per pair of named variables that follow each other on a way to a target."""
    output = primal.outputs[0]
    leads = set(targets)
    for node in primal.nodes():
        if any(x in leads for x in node.inputs):
            leads.add(node)
    named = frozenset(primal.names)
    todo, done, steps = [output], set[Node](), list[LocalStep]()
    while todo:
        of = todo.pop(0)
        if of in done or of in targets:
            continue
        done.add(of)
        stretch = _between(of, named)
        for by in reversed(stretch):
            if by is not of and by in named and by in leads:
                steps.append(_local_step(of, by, named, primal.names[of]))
                todo.append(by)
    reached = Counter(step.by for step in steps)
    return tuple(replace(step, only=reached[step.by] == 1) for step in steps)


def _local_step(of: Node, by: Node, named: frozenset[Node], name: str) -> LocalStep:
    stop = named - {of}
    path = _path(of, by, stop)
    elementwise = all(node.shape == by.shape and node.operation in _ELEMENTWISE for node in path)
    array_by_itself = not of.shape or elementwise
    seed = op.constant(1) if array_by_itself else op.input_(name, of.shape)
    spread = op.broadcast(seed, of.shape)
    found = pull_back(of, spread, {by}, stop=stop)
    # What decides a choice alone has no slope.
    derivative = found[by] if by in found else op.broadcast(_NOTHING, by.shape)
    rules = tuple(dict.fromkeys(rule_name(node) for node in reversed(path)))
    return LocalStep(of, by, seed, derivative, rules, tuple(path))


_ELEMENTWISE = frozenset({"add", "multiply", "divide", "power", "function", "where", "maximum"})


def _path(of: Node, by: Node, stop: frozenset[Node]) -> list[Node]:
    """The operations between `by` (excluded) and `of` (included) that depend on `by`."""
    depends = {by}
    for node in _between(of, stop):
        inside = node is not by and (node is of or node not in stop)
        if inside and any(x in depends for x in node.inputs):
            depends.add(node)
    return [node for node in topological((of,)) if node in depends and node is not by]


def push_forward(primal: Formula, wrt: str, tangent: str) -> Formula:
    """The directional derivative in one input, as a formula with an extra input named `tangent`."""
    source = primal.inputs[wrt]
    direction = op.input_(tangent, source.shape)
    tangents: dict[Node, Node | None] = {source: direction}
    for node in primal.nodes():
        if node.inputs:
            below = [tangents.get(x) for x in node.inputs]
            tangents[node] = FORWARD[node.operation](node, below) if any(below) else None
    outputs = tuple(
        tangents.get(output) or op.broadcast(op.constant(0), output.shape)
        for output in primal.outputs
    )
    inputs = {**primal.inputs, tangent: direction}
    return Formula(f"directional derivative of {primal.name}", inputs, outputs, primal.names)
