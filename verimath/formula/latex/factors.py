"""Products taken apart: a number in front, factors above and below the line.

One number repeated over a shape is printed as the number, so it counts as one here; a change of
shape that goes without saying is looked through.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from verimath.formula import operations as op
from verimath.formula.graph import Node, Subscripts
from verimath.formula.literals import Constant
from verimath.shapes import ONE, Size, total_size

_SCALARWISE = frozenset({"add", "multiply", "divide", "power", "function", "broadcast", "reshape"})


def is_number(node: Node, names: Mapping[Node, str]) -> bool:
    """Whether a node is one number, perhaps repeated over a shape: it is printed as the number."""
    if all(size == ONE for size in node.shape):
        return True
    if node in names or not node.inputs:
        return False
    inside = node.operation in _SCALARWISE or node.operation == "einsum"
    return inside and all(is_number(x, names) for x in node.inputs)


def orientation(node: Node) -> str | None:
    """Which way a vector lies; None for what is no vector. A single axis is a column."""
    match node.shape:
        case (_,):
            return "column"
        case (first, second) if ONE in (first, second):
            return "column" if second == ONE else "row"
        case _:
            return None


def is_transparent(node: Node, names: Mapping[Node, str]) -> bool:
    """Whether a change of shape goes without saying: a number, or a vector as a column."""
    x = node.inputs[0]
    if is_number(x, names):
        return True
    kept = node.operation == "reshape" and orientation(x) is not None
    return kept and orientation(x) == orientation(node)


@dataclass(slots=True)
class Factors:
    """A product taken apart: a number, factors above and below the line."""

    number: Fraction
    above: list[Node]
    below: list[Node]


def taken_apart(node: Node, names: Mapping[Node, str]) -> Factors:
    """The factors of a node, as far down as it is a product and nothing has a name."""
    if node in names:
        return Factors(Fraction(1), [node], [])
    match node.operation:
        case "multiply" | "divide":
            a, b = (taken_apart(x, names) for x in node.inputs)
            if node.operation == "multiply":
                return Factors(a.number * b.number, a.above + b.above, a.below + b.below)
            if b.number:
                return Factors(a.number / b.number, a.above + b.below, a.below + b.above)
            return Factors(a.number, a.above, [*a.below, node.inputs[1]])
        case "function" if node.parameter == "negative":
            a = taken_apart(node.inputs[0], names)
            return Factors(-a.number, a.above, a.below)
        case "broadcast" | "reshape" if is_transparent(node, names):
            return taken_apart(node.inputs[0], names)
        case "broadcast" | "reshape":
            return moved_factors(node, names)
        case "constant":
            value: Constant = node.parameter
            unit = op.constant(Constant(Fraction(1), value.unit, value.radicand))
            return Factors(value.factor, [] if value.is_rational else [unit], [])
        case "size":
            return _size_factors(node.parameter, names)
        case "einsum":
            return sum_factors(node, names)
        case _:
            return Factors(Fraction(1), [node], [])


def moved_factors(node: Node, names: Mapping[Node, str]) -> Factors:
    """Numbers stay in front when the array behind them is repeated or reshaped."""
    x = node.inputs[0]
    parts = taken_apart(x, names)
    arrays = [f for f in parts.above if not is_number(f, names)]
    if arrays == [x] or len(arrays) != 1 or not all(is_number(f, names) for f in parts.below):
        return Factors(Fraction(1), [node], [])
    scalars = [f for f in parts.above if f is not arrays[0]]
    if parts.number == 1 and not scalars and not parts.below:
        return Factors(Fraction(1), [node], [])
    change = op.broadcast if node.operation == "broadcast" else op.reshape
    moved = change(op.reshape(arrays[0], x.shape), node.shape)
    return Factors(parts.number, [*scalars, moved], parts.below)


def _size_factors(size: Size, names: Mapping[Node, str]) -> Factors:
    """The coefficient of 2*n goes with the other numbers of a product."""
    if len(size.terms) > 1 or sized_input(size, names) is not None:
        return Factors(Fraction(1), [op.size(size)], [])
    monomial, coefficient = size.terms[0] if size.terms else ((), 0)
    return Factors(Fraction(coefficient), [op.size(Size.of(name)) for name in monomial], [])


def sized_input(size: Size, names: Mapping[Node, str]) -> Node | None:
    """The input that has this many elements, where no better name for the number exists."""
    if not any("[" in name or name in names.values() for name in size.names):
        return None
    inputs = (node for node in names if node.operation == "input")
    return next((node for node in inputs if total_size(node.shape) == size), None)


def sum_factors(node: Node, names: Mapping[Node, str]) -> Factors:
    """A sum over repetitions of one thing is a multiple of it."""
    subscripts: Subscripts = node.parameter
    if all(is_number(x, names) for x in node.inputs):
        sizes: dict[int, Size] = {}
        for indices, x in zip(subscripts.operands, node.inputs, strict=True):
            sizes.update(zip(indices, x.shape, strict=True))
        count = total_size(n for index, n in sizes.items() if index not in subscripts.output)
        parts = [_size_factors(count, names), *(taken_apart(x, names) for x in node.inputs)]
    else:
        wide = node.inputs[0]
        repeats = wide.operation == "broadcast" and wide not in names and len(node.inputs) == 1
        found = _without_repeats(node, wide.inputs[0]) if repeats else None
        if found is None:
            return Factors(Fraction(1), [node], [])
        count, once = found
        parts = [_size_factors(count, names), taken_apart(once, names)]
    number = Fraction(1)
    for part in parts:
        number *= part.number
    return Factors(
        number, [f for part in parts for f in part.above], [f for part in parts for f in part.below]
    )


def _without_repeats(node: Node, x: Node) -> tuple[Size, Node] | None:
    """A sum over the broadcast `x` as a number of repetitions, times a sum over `x` itself."""
    indices, output = node.parameter.operands[0], node.parameter.output
    sizes = dict(zip(indices, node.inputs[0].shape, strict=True))
    if len(sizes) < len(indices):
        return None  # a trace or diagonal
    lead = len(indices) - len(x.shape)
    own = dict(zip(indices[lead:], x.shape, strict=True))
    repeated = {index for index, size in sizes.items() if own.get(index, ONE) != size}
    summed = [index for index in repeated if index not in output]
    if not summed:
        return None
    kept = tuple(index for index in output if index in own)
    once = op.einsum(Subscripts((indices[lead:],), kept), x)
    once = op.reshape(once, [own.get(index, ONE) for index in output])
    return total_size(sizes[index] for index in summed), op.broadcast(once, node.shape)


def stripped(node: Node) -> Node:
    """The array behind repetitions and changes of shape."""
    return stripped(node.inputs[0]) if node.operation in ("broadcast", "reshape") else node
