"""Formulas in few operations: what exact arithmetic and proofs evaluate.

Everything that is a shorthand is written out: composites by their definition, hyperbolic functions
by exponentials, maxima and absolute values by steps. Equal subexpressions become one node. The
value is that of the formula wherever the formula has one, off its kinks; only rounding differs, so
bounds never look here.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from verimath.errors import NotExpressibleError
from verimath.formula import operations as op
from verimath.formula.graph import Node, inlined, topological
from verimath.formula.literals import Constant
from verimath.formula.signs import Sign, sign_of

# Bits of a number that is computed with: fewer digits than Python writes (4300).
LONGEST = 12_000
_MINUS_ONE = Fraction(-1)
_HALF = Fraction(1, 2)
# Scalar functions that stay: nothing simpler says the same.
KEPT_FUNCTIONS = frozenset(
    (
        *("negative", "exp", "log", "sin", "cos", "asin", "acos", "atan"),
        *("asinh", "acosh", "atanh", "erf"),
    )
)


def lowered(
    outputs: Sequence[Node], *, positive: Iterable[str] = (), ties: bool = False
) -> tuple[Node, ...]:
    """The outputs in core operations, with equal subexpressions shared among all of them.

    `positive` names the inputs that are > 0: by it, roots and logarithms of products are taken
    apart, and what undoes itself cancels (exp(log y), sqrt(y^2)). A step H(d) is 1 where d > 0 and
    0 where d < 0: "subgradient" nodes with parameter "step" and one operand. Comparisons of real
    numbers are steps, too. With `ties`, a == b of real numbers is "tie" of a - b, 1 at zero and 0
    elsewhere. Raises NotExpressibleError for it otherwise, and for literals beyond `LONGEST` bits.
    """
    return _Core(frozenset(positive), ties).all(outputs)


def partly_defined(outputs: Sequence[Node], *, positive: Iterable[str] = ()) -> tuple[Node, ...]:
    """What isn't defined everywhere, as far as is known, as it was written, composites written out.

    Laws may have done away with it in core operations: sqrt(x)^2 and (x^-1)^-1 are x, where x is
    anything. The slope of acosh is defined where acosh isn't.
    """
    core = _Core(frozenset(positive), ties=True)
    core.all(outputs)
    return tuple(node for node in core.found if _has_domain(node) or _needs_positive(core, node))


def _has_domain(node: Node) -> bool:
    """Whether a node is a quotient, a negative power, an inverse function, or has an index.

    Or is a function of a matrix.
    """
    match node.operation:
        case "divide" | "solve" | "cholesky" | "gather" | "scatter":
            return True
        case "power":
            return node.parameter < 0 and node.parameter.denominator == 1
        case "function":
            return node.parameter in ("asin", "acos", "acosh", "atanh")
        case _:
            return False


def compared(outputs: Sequence[Node]) -> tuple[Node, ...]:
    """What is compared with zero, in core operations: differences, and what has its sign taken.

    Maxima and absolute values aren't among them: they are continuous, so what a step is at a kink
    doesn't matter to them.
    """
    core = _Core(frozenset(), ties=True)
    core.all(outputs)
    found: list[Node] = []
    for node in list(core.found):
        below = [core.found[x] for x in node.inputs]
        if node.operation == "compare" and node.parameter != "equal" and not _are_whole(*below):
            a, b = map(_as_real, below)
            found.append(core.subtract(b, a))
        elif node.operation == "function" and node.parameter == "sign":
            found += below
    return tuple(dict.fromkeys(found))


def _needs_positive(core: "_Core", node: Node) -> bool:
    function = node.parameter if node.operation == "function" else None
    root = node.operation == "power" and node.parameter.denominator != 1
    if not root and function not in ("sqrt", "log", "log1p"):
        return False
    least = Sign.NONNEGATIVE if function == "log1p" else Sign.POSITIVE
    return not core.is_known([core.found[node.inputs[0]]], least)


class _Core:
    """One lowering: nodes by what they are, so that equal ones are one."""

    def __init__(self, positive: frozenset[str], ties: bool) -> None:
        self.positive, self.ties = positive, ties
        self.unique: dict[Hashable, Node] = {}
        self.signs: dict[Node, Sign] = {}
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
        if key not in self.unique:
            self.unique[key] = node
            below = [self.signs.get(x, Sign.ANY) for x in node.inputs]
            self.signs[node] = sign_of(node, below, self.positive)
        return self.unique[key]

    def is_known(self, nodes: Iterable[Node], sign: Sign) -> bool:
        """Whether all nodes are known to have a sign."""
        return all(self.signs.get(node, Sign.ANY) >= sign for node in nodes)

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


def _literal(core: _Core, node: Node, below: list[Node]) -> Node:
    refuse_long(node.parameter)
    return core.same(node, below)


def _composite(core: _Core, node: Node, below: list[Node]) -> Node:
    definition = inlined(node)
    return core.all((definition,))[0]


def _function(core: _Core, node: Node, below: list[Node]) -> Node:
    (x,) = below
    if node.parameter == "exp":
        return _exponential(core, x)
    if node.parameter == "log":
        return _logarithm(core, x)
    if node.parameter in KEPT_FUNCTIONS:
        if node.parameter == "negative" and _is_negative(x):
            return x.inputs[0]
        return core.same(node, below)
    return _FUNCTIONS[node.parameter](core, x)


def _exponential(core: _Core, x: Node) -> Node:
    """exp(a + q log y) = exp(a) y^q, where y is positive: it has a logarithm."""
    if x.operation in ("broadcast", "reshape"):
        return core.node(x.operation, _exponential(core, x.inputs[0]), like=x)
    terms = _terms(core, x, Fraction(1))
    if not any(_is_log(term) for _, term in terms):
        return core.function("exp", x)
    found = core.number(1, x)
    rest: Node | None = None
    for factor, term in terms:
        if _is_log(term):
            found = core.multiply(found, _raised(core, _inside_log(core, term), factor))
        else:
            part = core.multiply(core.number(factor, x), term)
            rest = part if rest is None else core.add(rest, part)
    return found if rest is None else core.multiply(found, core.function("exp", rest))


def _terms(core: _Core, x: Node, factor: Fraction) -> list[tuple[Fraction, Node]]:
    """A node as a sum of rational multiples of nodes of its shape."""
    found: list[tuple[Fraction, Node]] = []
    todo = [(factor, x)]
    while todo:
        times, node = todo.pop()
        if node.operation == "add":
            todo += [(times, part) for part in reversed(node.inputs)]
        elif _is_negative(node):
            todo.append((-times, node.inputs[0]))
        elif node.operation in ("broadcast", "reshape"):
            inner = _terms(core, node.inputs[0], times)
            found += [(q, core.node(node.operation, term, like=node)) for q, term in inner]
        else:
            number, other = multiple(node)
            if other is node:
                found.append((times, node))
            else:
                todo.append((times * number, other))
    return found


def multiple(x: Node) -> tuple[Fraction, Node]:
    """A node as a rational number times another one."""
    if x.operation in ("multiply", "divide"):
        a, b = x.inputs
        left, right = rational(a), rational(b)
        if right:
            return (right if x.operation == "multiply" else 1 / right), a
        if left and x.operation == "multiply":
            return left, b
    return Fraction(1), x


def is_long(value: Fraction) -> bool:
    """Whether a number has more digits than anyone computes with."""
    return max(value.numerator.bit_length(), value.denominator.bit_length()) > LONGEST


def refuse_long(cells: object) -> None:
    """Raise NotExpressibleError for a literal, or a table with one, that is too long."""
    if isinstance(cells, tuple):
        for cell in cells:
            refuse_long(cell)
    elif isinstance(cells, Constant) and (is_long(cells.factor) or is_long(cells.radicand)):
        raise NotExpressibleError(f"a literal of more than {LONGEST} bits")


def rational(node: Node) -> Fraction | None:
    """The number that a node is everywhere, if it is a rational literal."""
    if node.operation == "broadcast":
        return rational(node.inputs[0])
    if node.operation == "constant" and node.parameter.is_rational:
        return node.parameter.factor
    return None


def _is_log(node: Node) -> bool:
    if node.operation in ("broadcast", "reshape"):
        return _is_log(node.inputs[0])
    return node.operation == "function" and node.parameter == "log"


def _inside_log(core: _Core, node: Node) -> Node:
    if node.operation in ("broadcast", "reshape"):
        return core.node(node.operation, _inside_log(core, node.inputs[0]), like=node)
    return node.inputs[0]


def _raised(core: _Core, x: Node, exponent: Fraction) -> Node:
    return x if exponent == 1 else core.share(Node("power", (x,), x.shape, exponent, x.line))


def _logarithm(core: _Core, x: Node) -> Node:
    """log(a b) = log a + log b, for what is positive."""
    if x.operation in ("broadcast", "reshape"):
        return core.node(x.operation, _logarithm(core, x.inputs[0]), like=x)
    if x.operation == "function" and x.parameter == "exp":
        return x.inputs[0]
    positive = bool(x.inputs) and core.is_known(x.inputs, Sign.POSITIVE)
    if positive and x.operation == "power":
        return core.multiply(core.number(x.parameter, x), _logarithm(core, x.inputs[0]))
    if positive and x.operation in ("multiply", "divide"):
        a, b = (_logarithm(core, part) for part in x.inputs)
        return core.add(a, b) if x.operation == "multiply" else core.subtract(a, b)
    return core.function("log", x)


def _power(core: _Core, node: Node, below: list[Node]) -> Node:
    return _to_the(core, below[0], node.parameter)


def _to_the(core: _Core, x: Node, exponent: Fraction) -> Node:
    """Powers of powers and roots of products, where they are what they seem to be."""
    if x.operation in ("broadcast", "reshape"):
        return core.node(x.operation, _to_the(core, x.inputs[0], exponent), like=x)
    if exponent.denominator == 1 and x.operation == "power":
        return _raised(core, x.inputs[0], x.parameter * exponent)
    if exponent.denominator > 1:
        if x.operation == "power" or (x.operation == "multiply" and x.inputs[0] is x.inputs[1]):
            inner = x.parameter if x.operation == "power" else Fraction(2)
            base = x.inputs[0]
            if inner.denominator == 1 and inner.numerator % 2 == 0:
                base = _absolute(core, base)
                return _raised(core, base, inner * exponent)
            if core.is_known([base], Sign.NONNEGATIVE):
                return _raised(core, base, inner * exponent)
        nonnegative = core.is_known(x.inputs, Sign.NONNEGATIVE)
        if x.operation in ("multiply", "divide") and nonnegative:
            a, b = (_to_the(core, part, exponent) for part in x.inputs)
            return core.multiply(a, b) if x.operation == "multiply" else core.divide(a, b)
        if x.operation == "function" and x.parameter == "exp":
            return _exponential(core, core.multiply(core.number(exponent, x), x.inputs[0]))
    return _raised(core, x, exponent)


def _absolute(core: _Core, x: Node) -> Node:
    return x if core.is_known([x], Sign.NONNEGATIVE) else core.multiply(x, core.sign(x))


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
    "abs": _absolute,
    "sign": lambda core, x: core.sign(x),
    "sqrt": lambda core, x: _to_the(core, x, _HALF),
    "expm1": lambda core, x: core.add(core.function("exp", x), core.number(_MINUS_ONE, x)),
    "log1p": lambda core, x: core.function("log", core.add(core.number(1, x), x)),
    "tan": lambda core, x: core.divide(core.function("sin", x), core.function("cos", x)),
    "sinh": lambda core, x: _hyperbolic(core, x, -1),
    "cosh": lambda core, x: _hyperbolic(core, x, 1),
    "tanh": _tanh,
}


def _compare(core: _Core, node: Node, below: list[Node]) -> Node:
    a, b = below
    if _are_whole(a, b):
        return core.same(node, [_as_whole(core, x) for x in below])
    if node.parameter == "equal" and core.ties:
        d = core.subtract(_as_real(a), _as_real(b))
        return core.share(Node("subgradient", (d,), d.shape, "tie", d.line))
    if node.parameter == "equal":
        raise NotExpressibleError("`==` between real numbers: it holds nowhere but at ties")
    return core.step(core.subtract(_as_real(b), _as_real(a)))


def _are_whole(a: Node, b: Node) -> bool:
    """Whether whole numbers are compared, which is exact."""
    kinds = a.kind, b.kind
    return "integer" in kinds and all(x.kind != "real" or _is_whole(x) for x in (a, b))


def _is_whole(x: Node) -> bool:
    """Whether a node is a whole number, the same everywhere: a literal, or a size."""
    if x.operation == "broadcast":
        return _is_whole(x.inputs[0])
    number = rational(x)
    return x.operation == "size" or (number is not None and number.denominator == 1)


def _as_whole(core: _Core, node: Node) -> Node:
    """A literal or size that is compared with whole numbers: the same number, called an integer."""
    if node.kind != "real":
        return node
    inner = tuple(_as_whole(core, x) for x in node.inputs)
    return core.share(replace(node, inputs=inner, kind="integer"))


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
    "constant": _literal,
    "table": _literal,
    "composite": _composite,
    "power": _power,
    "function": _function,
    "compare": _compare,
    "maximum": _maximum,
    "max": _max,
    "subgradient": _subgradient,
    "convert": _convert,
    "reshape": _reshape,
}
