"""Reading a graph: every node is held against what its operation allows, before it is computed.

Shapes are checked as polynomials, so that what is declared is right at all sizes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from verimath.rechecking.limits import AXES, DEPTH, EXPONENT, NODES, RefusedError
from verimath.rechecking.polynomials import (
    ONE,
    Polynomial,
    alone,
    constant,
    fraction,
    plus,
    polynomial,
    times,
)
from verimath.report.certificate import InputRecord, NodeRecord

Shape = tuple[Polynomial, ...]
FUNCTIONS = frozenset(
    "negative exp log sin cos asin acos atan asinh acosh atanh erf".split()  # noqa: SIM905
)
_ARITY = {
    "input": 0, "constant": 0, "size": 0, "table": 0, "delta": 0, "add": 2, "multiply": 2,
    "divide": 2, "power": 1, "function": 1, "broadcast": 1, "reshape": 1, "index": 0,
    "convert": 1, "compare": 2, "where": 3, "subgradient": 1, "gather": 2, "scatter": 2,
    "product": 1, "cumulative": 1, "solve": 2, "determinant": 1, "cholesky": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Node:
    """One operation; `parameter` is read already (a fraction, a polynomial, letters ...)."""

    operation: str
    inputs: tuple[int, ...]
    shape: Shape
    parameter: Any
    kind: str


@dataclass(frozen=True, slots=True)
class Number:
    """A constant: factor, times a unit, or times the square root of a fraction."""

    factor: Any
    unit: str | None = None
    root: Any = None


def read_graph(
    records: Sequence[NodeRecord], inputs: Sequence[InputRecord], *, ties: bool = False
) -> tuple[Node, ...]:
    """The nodes of a graph; with `ties`, real numbers may be compared by `==`.

    That is for points: no proof takes such a comparison for more than an unknown. Raises
    RefusedError for anything that isn't as docs/certificates.md says.
    """
    if len(records) > NODES:
        raise RefusedError(f"a graph of {len(records)} nodes; at most {NODES} are looked at")
    known = {record.name: record for record in inputs}
    if len(known) != len(inputs):
        raise RefusedError("two inputs have one name")
    nodes: list[Node] = []
    for place, record in enumerate(records):
        try:
            nodes.append(_node(record, nodes, known))
            tie = record.operation == "subgradient" and record.parameter == "tie"
            _need(ties or not tie, "compares by ==, which is for points alone")
        except RefusedError as error:
            raise RefusedError(f"node {place} ({record.operation[:20]}): {error}") from None
    return tuple(nodes)


def _need(condition: bool, message: str) -> None:
    if not condition:
        raise RefusedError(message)


def _node(record: NodeRecord, nodes: list[Node], known: dict[str, InputRecord]) -> Node:
    operation, parameter = record.operation, record.parameter
    _need(len(record.shape) <= AXES, f"more than {AXES} axes")
    shape = tuple(polynomial(size) for size in record.shape)
    for place in record.inputs:
        _need(0 <= place < len(nodes), f"refers to node {place}, which doesn't come before it")
    args = [nodes[place] for place in record.inputs]
    _need(
        operation in _ARITY or operation in ("einsum", "concatenate", "logical"),
        "no such operation",
    )
    if operation in _ARITY:
        wanted = _ARITY[operation]
        _need(len(args) == wanted, f"has {len(args)} inputs; wanted {wanted}")
    read = _PARAMETERS.get(operation, _none)(parameter, args, shape)
    if operation == "input":
        _need(read in known, f"no input is called {str(read)[:40]!r}")
        wanted = tuple(polynomial(size) for size in known[read].shape)
        _need(shape == wanted, f"the input {read!r} has another shape")
    if operation in _NUMERIC:
        _need(all(arg.kind != "boolean" or operation == "convert" for arg in args), "of booleans")
    return Node(operation, record.inputs, shape, read, record.kind)


_NUMERIC = frozenset(
    ("add", "multiply", "divide", "power", "function", "convert", "solve", "determinant")
)


def _none(parameter: Any, args: list[Node], shape: Shape) -> None:
    _need(parameter is None, "wants no parameter")


def _name(parameter: Any, args: list[Node], shape: Shape) -> str:
    _need(isinstance(parameter, str), "wants a name")
    return parameter


def read_number(parameter: Any) -> Number:
    """A constant from its JSON."""
    _need(
        isinstance(parameter, dict) and set(parameter) <= {"factor", "unit", "sqrt"}, "no constant"
    )
    factor = fraction(parameter.get("factor"))
    unit, root = parameter.get("unit"), parameter.get("sqrt")
    _need(unit in (None, "pi", "e") and (unit is None or root is None), "no constant")
    if root is None:
        return Number(factor, unit)
    under = fraction(root)
    _need(under >= 0, "the square root of a negative number")
    return Number(factor, None, under)


def _constant(parameter: Any, args: list[Node], shape: Shape) -> Number:
    _need(shape == (), "a constant has no axes")
    return read_number(parameter)


def _size(parameter: Any, args: list[Node], shape: Shape) -> Polynomial:
    _need(isinstance(parameter, str) and shape == (), "wants a polynomial, and no axes")
    return polynomial(parameter)


def _table(parameter: Any, args: list[Node], shape: Shape) -> Any:
    def read(part: Any, sizes: tuple[int | None, ...], depth: int) -> Any:
        _need(depth <= DEPTH, "a table that is nested too deeply")
        if not sizes:
            return read_number(part)
        _need(isinstance(part, list) and len(part) == sizes[0], "a table of another shape")
        return tuple(read(inner, sizes[1:], depth + 1) for inner in part)

    return read(parameter, tuple(constant(size) for size in shape), 0)


def _delta(parameter: Any, args: list[Node], shape: Shape) -> None:
    _need(parameter is None and len(shape) == 2 and shape[0] == shape[1], "wants a square shape")


def _elementwise(parameter: Any, args: list[Node], shape: Shape) -> None:
    _need(parameter is None, "wants no parameter")
    _need(all(arg.shape == shape for arg in args), "has inputs of another shape")


def _power(parameter: Any, args: list[Node], shape: Shape) -> Any:
    _need(args[0].shape == shape, "has an input of another shape")
    exponent = fraction(parameter)
    _need(
        abs(exponent.numerator) <= EXPONENT and exponent.denominator <= EXPONENT,
        f"not confirmed: an exponent beyond {EXPONENT}",
    )
    return exponent


def _function(parameter: Any, args: list[Node], shape: Shape) -> str:
    _need(args[0].shape == shape, "has an input of another shape")
    _need(isinstance(parameter, str) and parameter in FUNCTIONS, f"no function {parameter!r:.40}")
    return parameter


def _einsum(parameter: Any, args: list[Node], shape: Shape) -> tuple[tuple[str, ...], str]:
    pattern = r"[a-zA-Z]*(?:,[a-zA-Z]*)?->[a-zA-Z]*"
    _need(
        isinstance(parameter, str) and re.fullmatch(pattern, parameter) is not None,
        f"{parameter!r:.40} is no sum of products",
    )
    left, _, out = parameter.partition("->")
    terms = tuple(left.split(","))
    _need(len(terms) == len(args), "has another number of inputs than its letters say")
    sizes: dict[str, Polynomial] = {}
    for term, arg in zip(terms, args, strict=True):
        _need(len(term) == len(arg.shape), "has other axes than its letters say")
        for letter, size in zip(term, arg.shape, strict=True):
            _need(sizes.setdefault(letter, size) == size, f"the letter {letter} has two sizes")
    _need(len(set(out)) == len(out) and set(out) <= set(sizes), "letters of the output")
    _need(tuple(sizes[letter] for letter in out) == shape, "has another shape than its letters")
    return terms, out


def _broadcast(parameter: Any, args: list[Node], shape: Shape) -> None:
    _need(parameter is None, "wants no parameter")
    old = args[0].shape
    _need(len(old) <= len(shape), "drops axes")
    for before, after in zip(old, shape[len(shape) - len(old) :], strict=True):
        _need(before in (ONE, after), "repeats an axis of more than one element")


def _reshape(parameter: Any, args: list[Node], shape: Shape) -> None:
    _need(parameter is None, "wants no parameter")
    _need(
        reduce(times, args[0].shape, ONE) == reduce(times, shape, ONE),
        "has another number of elements",
    )


def _index(parameter: Any, args: list[Node], shape: Shape) -> None:
    _need(parameter is None and len(shape) == 1, "wants one axis")


def _compare(parameter: Any, args: list[Node], shape: Shape) -> str:
    _need(parameter in ("less", "less_equal", "equal"), "no such comparison")
    _need(all(arg.shape == shape for arg in args), "has inputs of another shape")
    _need(all(arg.kind != "real" for arg in args), "compares what aren't integers")
    return parameter


def _logical(parameter: Any, args: list[Node], shape: Shape) -> str:
    _need(parameter in ("and", "or", "not"), "no such connective")
    _need(len(args) == (1 if parameter == "not" else 2), "has another number of inputs")
    _need(all(arg.shape == shape for arg in args), "has inputs of another shape")
    return parameter


def _axis(axis: Any, rank: int) -> int:
    _need(isinstance(axis, int) and not isinstance(axis, bool), "wants an axis")
    _need(0 <= axis < rank, f"has no axis {axis}")
    return axis


def _subgradient(parameter: Any, args: list[Node], shape: Shape) -> Any:
    _need(args[0].shape == shape, "has an input of another shape")
    if parameter in ("step", "tie"):
        return parameter
    _need(isinstance(parameter, list) and len(parameter) == 2 and parameter[0] == "share", "what?")
    return ("share", _axis(parameter[1], len(shape)))


def _gather(parameter: Any, args: list[Node], shape: Shape) -> int:
    array, at = args
    axis = _axis(parameter, len(array.shape))
    _need(at.kind == "integer", "takes places that aren't integers")
    wanted = array.shape[:axis] + at.shape + array.shape[axis + 1 :]
    _need(shape == wanted, "has another shape than what it takes")
    return axis


def _scatter(parameter: Any, args: list[Node], shape: Shape) -> int:
    array, at = args
    axis = _axis(parameter, len(shape))
    _need(at.kind == "integer", "takes places that aren't integers")
    wanted = shape[:axis] + at.shape + shape[axis + 1 :]
    _need(array.shape == wanted, "has another shape than what it adds to")
    return axis


def _concatenate(parameter: Any, args: list[Node], shape: Shape) -> int:
    axis = _axis(parameter, len(shape))
    _need(bool(args), "of nothing")
    total: Polynomial = ()
    for arg in args:
        _need(len(arg.shape) == len(shape), "of arrays with other axes")
        total = plus(total, arg.shape[axis])
        _need(
            arg.shape[:axis] + arg.shape[axis + 1 :] == shape[:axis] + shape[axis + 1 :],
            "of arrays that don't fit",
        )
    _need(total == shape[axis], "is longer or shorter than its parts")
    return axis


def _product(parameter: Any, args: list[Node], shape: Shape) -> int:
    axis = _axis(parameter, len(args[0].shape))
    _need(shape == args[0].shape[:axis] + args[0].shape[axis + 1 :], "has another shape")
    return axis


def _cumulative(parameter: Any, args: list[Node], shape: Shape) -> tuple[int, bool]:
    _need(isinstance(parameter, list) and len(parameter) == 2, "wants an axis and a direction")
    _need(args[0].shape == shape and isinstance(parameter[1], bool), "another shape or direction")
    return _axis(parameter[0], len(shape)), parameter[1]


def _solve(parameter: Any, args: list[Node], shape: Shape) -> None:
    matrix, right = args
    _need(len(matrix.shape) >= 2 and len(right.shape) >= 2, "wants matrices")
    _need(len({*matrix.shape[-2:], *right.shape[-2:-1]}) == 1, "wants a square matrix")
    _need(matrix.shape[:-2] == right.shape[:-2] and shape == right.shape, "shapes don't fit")


def _determinant(parameter: Any, args: list[Node], shape: Shape) -> None:
    (matrix,) = args
    _need(len(matrix.shape) >= 2 and len(set(matrix.shape[-2:])) == 1, "wants a square matrix")
    _need(shape == matrix.shape[:-2], "has another shape")


def _cholesky(parameter: Any, args: list[Node], shape: Shape) -> None:
    (matrix,) = args
    _need(len(matrix.shape) >= 2 and len(set(matrix.shape[-2:])) == 1, "wants a square matrix")
    _need(shape == matrix.shape, "has another shape")


_PARAMETERS: dict[str, Any] = {
    "input": _name,
    "constant": _constant,
    "size": _size,
    "table": _table,
    "delta": _delta,
    "add": _elementwise,
    "multiply": _elementwise,
    "divide": _elementwise,
    "convert": _elementwise,
    "where": _elementwise,
    "power": _power,
    "function": _function,
    "einsum": _einsum,
    "broadcast": _broadcast,
    "reshape": _reshape,
    "index": _index,
    "compare": _compare,
    "logical": _logical,
    "subgradient": _subgradient,
    "gather": _gather,
    "scatter": _scatter,
    "concatenate": _concatenate,
    "product": _product,
    "cumulative": _cumulative,
    "solve": _solve,
    "determinant": _determinant,
    "cholesky": _cholesky,
}


def dimensions(nodes: Sequence[Node]) -> set[str]:
    """Names that sizes of axes are made of."""
    return {
        name
        for node in nodes
        for size in node.shape
        for monomial, _ in size
        for name, _ in monomial
    }


def axes_of(shape: Shape, name: str) -> tuple[int, ...]:
    """Places of the axes whose size is just this name."""
    return tuple(axis for axis, size in enumerate(shape) if alone(size) == name)


def reachable(nodes: Sequence[Node], wanted: Sequence[int]) -> set[int]:
    """Nodes that the wanted ones need, themselves included."""
    found: set[int] = set()
    stack = list(wanted)
    while stack:
        place = stack.pop()
        if place not in found:
            found.add(place)
            stack.extend(nodes[place].inputs)
    return found
