"""The formula graph: frozen nodes, one operation each, with symbolic shapes.

A node is compared by identity. Its `parameter` holds what the operation needs besides its inputs:

    input       name                     constant     Constant (a real number, 0-d)
    size        Size (as a number, 0-d)  table        nested tuples of Constant
    delta       -                        add, multiply, divide, maximum, where, convert   -
    power       Fraction exponent        function     name, see `operations.FUNCTIONS`
    einsum      Subscripts               broadcast, reshape   -
    index       - (0, 1, 2, ...)         compare      "less", "less_equal" or "equal"
    logical     "and", "or" or "not"     max, product, concatenate, gather, scatter   axis
    cumulative  (axis, backwards)        subgradient  "step", "sign" or ("share", axis)
    solve, determinant, cholesky   -     composite    Body
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from verimath.shapes import Size

Kind = Literal["real", "integer", "boolean"]


@dataclass(frozen=True, slots=True)
class Subscripts:
    """Index positions of an einsum of one or two operands; output indices are distinct."""

    operands: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]

    def __str__(self) -> str:
        return "->".join(
            [",".join(_letters(operand) for operand in self.operands), _letters(self.output)]
        )


def _letters(indices: tuple[int, ...]) -> str:
    return "".join("ijklmnopqrstuvwxyzabcdefgh"[index] for index in indices)


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operation applied to other nodes; `line` is where the formula's source did it."""

    operation: str
    inputs: tuple["Node", ...]
    shape: tuple[Size, ...]
    parameter: Any = None
    line: str | None = None
    kind: Kind = "real"


@dataclass(frozen=True, slots=True, eq=False)
class Formula:
    """Outputs over named inputs; `names` gives intermediate nodes the names of their variables.

    `pairs` says which results are complex, each of two outputs; without it all are real.
    """

    name: str
    inputs: dict[str, Node]
    outputs: tuple[Node, ...]
    names: dict[Node, str]
    pairs: tuple[bool, ...] = ()

    def nodes(self) -> list[Node]:
        """Every node the outputs depend on, inputs of a node before the node."""
        return topological(self.outputs)


PullBack = Callable[[Node, Node], list[Node | None]]
PushForward = Callable[[Node, list[Node | None]], Node | None]


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """What a composite stands for: its value by several formulas of the same inputs.

    `definition` is how mathematics writes it, `orders` are the ways in which it may be evaluated
    stably, `customary` those in wide use that lose digits somewhere. `pull_back` and `push_forward`
    are its own derivative rules, where it has them.
    """

    name: str
    options: tuple[tuple[str, Any], ...]
    inputs: tuple[Node, ...]
    definition: Node
    orders: tuple[Node, ...]
    customary: tuple[Node, ...] = ()
    pull_back: PullBack | None = None
    push_forward: PushForward | None = None
    tex: str = ""


def topological(outputs: tuple[Node, ...]) -> list[Node]:
    """Every node that `outputs` depend on, each after its inputs; depth is unlimited."""
    done: dict[Node, None] = {}
    stack: list[tuple[Node, Iterator[Node]]] = []
    for output in outputs:
        if output in done:
            continue
        stack.append((output, iter(output.inputs)))
        while stack:
            node, children = stack[-1]
            child = next((c for c in children if c not in done), None)
            if child is None:
                done[node] = None
                stack.pop()
            else:
                stack.append((child, iter(child.inputs)))
    return list(done)


def between(output: Node, stop: frozenset[Node]) -> list[Node]:
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


def inlined(node: Node) -> Node:
    """The definition of a composite in terms of its operands."""
    body: Body = node.parameter
    known = dict(zip(body.inputs, node.inputs, strict=True))
    for inner in topological((body.definition,)):
        if inner not in known:
            below = tuple(known[x] for x in inner.inputs)
            known[inner] = replace(inner, inputs=below)
    return known[body.definition]
