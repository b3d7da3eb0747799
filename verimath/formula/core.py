"""Formulas in few operations: what exact arithmetic and proofs evaluate.

Everything that is a shorthand is written out: composites by their definition, hyperbolic functions
by exponentials, maxima and absolute values by steps. Equal subexpressions become one node. The
value is that of the formula wherever the formula has one, off its kinks; only rounding differs, so
bounds never look here.
"""

from collections.abc import Callable, Hashable, Sequence
from fractions import Fraction
from typing import Any

from verimath.errors import NotExpressibleError
from verimath.formula import operations as op
from verimath.formula.derive import inlined
from verimath.formula.graph import Node, topological

_MINUS_ONE = Fraction(-1)
_HALF = Fraction(1, 2)
# Scalar functions that stay: nothing simpler says the same.
KEPT_FUNCTIONS = frozenset(
    (
        *("negative", "exp", "log", "sin", "cos", "asin", "acos", "atan"),
        *("asinh", "acosh", "atanh", "erf"),
    )
)


def lowered(outputs: Sequence[Node]) -> tuple[Node, ...]:
    """The outputs in core operations, with equal subexpressions shared among all of them.

    A step H(d) is 1 where d > 0 and 0 where d < 0: "subgradient" nodes with parameter "step" and
    one operand. Comparisons of real numbers are steps, too. Raises NotExpressibleError for `==`
    between real numbers.
    """
    return _Core().all(outputs)


class _Core:
    """One lowering: nodes by what they are, so that equal ones are one."""

    def __init__(self) -> None:
        self.unique: dict[Hashable, Node] = {}
        self.found: dict[Node, Node] = {}

    def all(self, outputs: Sequence[Node]) -> tuple[Node, ...]:
        for node in topological(tuple(outputs)):
            self.of(node)
        return tuple(self.found[node] for node in outputs)

    def of(self, node: Node) -> Node:
        """The core form of a node whose inputs have theirs."""
        if node not in self.found:
            below = [self.found[x] for x in node.inputs]
            rule = _RULES.get(node.operation)
            new = rule(self, node, below) if rule else self.same(node, below)
            self.found[node] = new
        return self.found[node]

    def same(self, node: Node, below: Sequence[Node]) -> Node:
        """The node itself over other inputs."""
        return self.node(node.operation, *below, like=node)

    def node(self, operation: str, *below: Node, like: Node, parameter: Any = ...) -> Node:
        """A node of the same shape as another one."""
        given = like.parameter if parameter is ... else parameter
        return self.share(Node(operation, below, like.shape, given, like.line, like.kind))

    def share(self, node: Node) -> Node:
        """The one node that is equal to this one; operands of sums and products in any order."""
        names = tuple(id(x) for x in node.inputs)
        if node.operation in ("add", "multiply"):
            names = tuple(sorted(names))
        if node.operation == "broadcast" and node.inputs[0].operation == "broadcast":
            inner = node.inputs[0].inputs[0]
            return self.share(Node("broadcast", (inner,), node.shape, None, node.line, node.kind))
        if node.operation in ("broadcast", "reshape") and node.shape == node.inputs[0].shape:
            return node.inputs[0]
        key = (node.operation, names, node.shape, node.parameter, node.kind)
        return self.unique.setdefault(key, node)

    # --- numbers and small formulas ---

    def number(self, value: Fraction | int, like: Node) -> Node:
        """A rational number, repeated to the shape of a node."""
        node = self.share(op.constant(Fraction(value)))
        return self.share(Node("broadcast", (node,), like.shape, None, like.line))

    def add(self, a: Node, b: Node) -> Node:
        return self.share(Node("add", (a, b), a.shape, None, a.line))

    def multiply(self, a: Node, b: Node) -> Node:
        return self.share(Node("multiply", (a, b), a.shape, None, a.line))

    def divide(self, a: Node, b: Node) -> Node:
        return self.share(Node("divide", (a, b), a.shape, None, a.line))

    def negative(self, a: Node) -> Node:
        return self.function("negative", a)

    def subtract(self, a: Node, b: Node) -> Node:
        return self.add(a, self.negative(b))

    def function(self, name: str, a: Node) -> Node:
        return self.share(Node("function", (a,), a.shape, name, a.line))

    def step(self, d: Node) -> Node:
        """H(d), of real numbers."""
        return self.share(Node("subgradient", (d,), d.shape, "step", d.line))

    def larger(self, a: Node, b: Node) -> Node:
        """max(a, b) = b + H(a - b) (a - b)."""
        d = self.subtract(a, b)
        return self.add(b, self.multiply(self.step(d), d))

    def sign(self, a: Node) -> Node:
        """2 H(a) - 1."""
        return self.add(self.multiply(self.number(2, a), self.step(a)), self.number(_MINUS_ONE, a))


def _composite(core: _Core, node: Node, below: list[Node]) -> Node:
    definition = inlined(node)
    return core.all((definition,))[0]


def _function(core: _Core, node: Node, below: list[Node]) -> Node:
    (x,) = below
    if node.parameter in KEPT_FUNCTIONS:
        if node.parameter == "negative" and _is_negative(x):
            return x.inputs[0]
        return core.same(node, below)
    return _FUNCTIONS[node.parameter](core, x)


def _is_negative(node: Node) -> bool:
    return node.operation == "function" and node.parameter == "negative"


def _tanh(core: _Core, x: Node) -> Node:
    e = core.function("exp", core.multiply(core.number(2, x), x))
    return core.divide(core.add(e, core.number(_MINUS_ONE, x)), core.add(e, core.number(1, x)))


def _hyperbolic(core: _Core, x: Node, sign: int) -> Node:
    there, back = core.function("exp", x), core.function("exp", core.negative(x))
    total = core.add(there, back if sign > 0 else core.negative(back))
    return core.multiply(core.number(_HALF, x), total)


_FUNCTIONS: dict[str, Callable[[_Core, Node], Node]] = {
    "abs": lambda core, x: core.multiply(x, core.sign(x)),
    "sign": lambda core, x: core.sign(x),
    "sqrt": lambda core, x: core.share(Node("power", (x,), x.shape, _HALF, x.line)),
    "expm1": lambda core, x: core.add(core.function("exp", x), core.number(_MINUS_ONE, x)),
    "log1p": lambda core, x: core.function("log", core.add(core.number(1, x), x)),
    "tan": lambda core, x: core.divide(core.function("sin", x), core.function("cos", x)),
    "sinh": lambda core, x: _hyperbolic(core, x, -1),
    "cosh": lambda core, x: _hyperbolic(core, x, 1),
    "tanh": _tanh,
}


def _compare(core: _Core, node: Node, below: list[Node]) -> Node:
    a, b = below
    if "real" not in (a.kind, b.kind):
        return core.same(node, below)
    if node.parameter == "equal":
        raise NotExpressibleError("`==` between real numbers: it holds nowhere but at ties")
    return core.step(core.subtract(_as_real(b), _as_real(a)))


def _as_real(node: Node) -> Node:
    """A whole number that is compared with a real one: the same values, called real."""
    if node.kind == "real":
        return node
    return Node("convert", (node,), node.shape, None, node.line)


def _maximum(core: _Core, node: Node, below: list[Node]) -> Node:
    return core.larger(*below)


def _max(core: _Core, node: Node, below: list[Node]) -> Node:
    """sum_i share_i x_i along the axis."""
    (x,), axis = below, node.parameter
    share = core.node("subgradient", x, like=x, parameter=("share", axis))
    total = op.sum_(core.multiply(share, x), (axis,))
    return core.share(total)


def _subgradient(core: _Core, node: Node, below: list[Node]) -> Node:
    match node.parameter:
        case "step":
            return core.step(core.subtract(*below))
        case "sign":
            return core.sign(below[0])
        case _:
            return core.same(node, below)


def _convert(core: _Core, node: Node, below: list[Node]) -> Node:
    # A mask that became a step is a number already.
    return below[0] if below[0].kind == "real" else core.same(node, below)


def _reshape(core: _Core, node: Node, below: list[Node]) -> Node:
    (x,) = below
    if x.operation == "reshape":
        x = x.inputs[0]
    elif x.operation == "broadcast" and not x.inputs[0].shape:
        # One number everywhere: its shape is all there is to it.
        return core.share(Node("broadcast", x.inputs, node.shape, None, node.line, node.kind))
    return x if x.shape == node.shape else core.node("reshape", x, like=node)


_RULES: dict[str, Callable[[_Core, Node, list[Node]], Node]] = {
    "composite": _composite,
    "function": _function,
    "compare": _compare,
    "maximum": _maximum,
    "max": _max,
    "subgradient": _subgradient,
    "convert": _convert,
    "reshape": _reshape,
}
