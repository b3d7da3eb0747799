"""Evaluating a graph at given sizes, in whatever numbers an arithmetic has (`plain`, `dual`)."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from verimath.rechecking.dual import Dual
from verimath.rechecking.graph import Node, Number, reachable
from verimath.rechecking.limits import Budget, RefusedError
from verimath.rechecking.plain import (
    Pair,
    Plain,
    as_array,
    check_elements,
    negative,
    objects,
    plus,
    shape_of,
    times,
)
from verimath.rechecking.polynomials import value

_LONG = 2**64  # integers become numbers


def evaluate(
    nodes: Sequence[Node],
    arithmetic: Plain,
    sizes: Mapping[str, int],
    inputs: Mapping[str, Any],
    budget: Budget,
    wanted: Sequence[int],
) -> list[Any]:
    """The values of the wanted nodes (None for nodes that they don't need).

    Raises RefusedError for what isn't allowed at these sizes, and ZeroDivisionError.
    """
    needed = reachable(nodes, wanted)
    values: list[Any] = [None] * len(nodes)
    for place, node in enumerate(nodes):
        if place not in needed:
            continue
        shape = tuple(value(size, sizes) for size in node.shape)
        check_elements(shape)
        budget.spend(_cost(node, nodes, shape, sizes))
        arithmetic.at_node(node)
        try:
            found = as_array(_value(node, arithmetic, shape, sizes, inputs, values))
        except RefusedError as error:
            raise RefusedError(f"node {place} ({node.operation}): {error}") from None
        found = _bounded(node, arithmetic, found)
        if shape_of(found) != shape:
            raise RefusedError(f"node {place} ({node.operation}) has the shape {shape_of(found)}")
        values[place] = found
    return values


def _bounded(node: Node, arithmetic: Plain, found: Any) -> Any:
    """Integers that grow long become numbers."""
    if isinstance(found, Pair) or not any(
        isinstance(item, int) and abs(item) >= _LONG for item in found.ravel()
    ):
        return found if isinstance(found, Pair) else arithmetic.trimmed(found)
    if node.kind != "real":
        raise RefusedError("an integer beyond 2^64")
    return arithmetic.lift(found)


def _cost(
    node: Node, nodes: Sequence[Node], shape: tuple[int, ...], sizes: Mapping[str, int]
) -> int:
    if node.operation == "einsum":
        letters: dict[str, int] = {}
        for term, place in zip(node.parameter[0], node.inputs, strict=True):
            for letter, size in zip(term, nodes[place].shape, strict=True):
                letters[letter] = value(size, sizes)
        return 10 + prod(letters.values())
    if node.operation in ("solve", "determinant", "cholesky"):
        matrix = [value(size, sizes) for size in nodes[node.inputs[0]].shape]
        return 10 + prod(matrix) * (matrix[-1] + shape[-1] if shape else matrix[-1])
    return 10 + prod(shape)


def _value(
    node: Node,
    numbers: Plain,
    shape: tuple[int, ...],
    sizes: Mapping[str, int],
    inputs: Mapping[str, Any],
    values: list[Any],
) -> Any:
    args = [values[place] for place in node.inputs]
    rule = _RULES.get(node.operation)
    if rule is not None:
        return rule(node, numbers, shape, sizes, args)
    if node.operation == "input":
        return inputs[node.parameter]
    return numbers.special(node, args)


def _real(node: Node, numbers: Plain, x: Any) -> Any:
    return numbers.lift(x) if node.kind == "real" and not isinstance(x, Pair) else x


def _add(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    x, y = _together(numbers, args)
    return numbers.linear(plus, x, y) if isinstance(x, Pair) else x + y


def _multiply(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    x, y = _together(numbers, args)
    return numbers.bilinear(times, x, y) if isinstance(x, Pair) else x * y


def _divide(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    x, y = (_lifted(numbers, arg) for arg in args)
    return numbers.divide(x, y)


def _together(numbers: Plain, args: Sequence[Any]) -> list[Any]:
    """Integers become numbers where they meet some."""
    if any(isinstance(arg, Pair) for arg in args):
        return [_lifted(numbers, arg) for arg in args]
    return list(args)


def _lifted(numbers: Plain, x: Any) -> Any:
    return x if isinstance(x, Pair) else numbers.lift(x)


def _power(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    return numbers.power(_lifted(numbers, args[0]), node.parameter)


def _function(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    if node.parameter == "negative":
        return _moved(numbers, negative, args[0])
    return numbers.function(node.parameter, _lifted(numbers, args[0]))


def _moved(numbers: Plain, function: Any, *args: Any) -> Any:
    """A linear function of numbers, or of bare integers."""
    if any(isinstance(arg, Pair) for arg in args):
        return numbers.linear(function, *(_lifted(numbers, arg) for arg in args))
    return function(*args)


def _constant(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    number = node.parameter
    if number.unit is None and number.root is None and number.factor.denominator == 1:
        return objects((), [number.factor.numerator])  # an integer, until it meets a number
    return numbers.number(number)


def _size(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    return objects((), [value(node.parameter, sizes)])  # a number where it meets one


def _table(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    flat: list[Number] = []

    def walk(part: Any) -> None:
        if isinstance(part, Number):
            flat.append(part)
        else:
            for inner in part:
                walk(inner)

    walk(node.parameter)
    if node.kind == "integer":
        if any(number.unit or number.root is not None for number in flat):
            raise RefusedError("integers that aren't")
        return objects(shape, [_integer(number.factor) for number in flat])
    if isinstance(numbers, Dual):
        return numbers.lift(_below(numbers, flat, shape))
    return objects(shape, [numbers.number(number)[()] for number in flat])


def _below(numbers: Plain, flat: list[Number], shape: Any) -> Any:
    while isinstance(numbers, Dual):
        numbers = numbers.below
    return objects(shape, [numbers.number(number)[()] for number in flat])


def _integer(number: Fraction) -> int:
    if number.denominator != 1:
        raise RefusedError(f"{number} is no integer")
    return number.numerator


def _delta(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    return _real(node, numbers, np.array(np.eye(*shape), dtype=int).astype(object))


def _einsum(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    terms, out = node.parameter
    letters = ",".join(terms) + "->" + out
    if len(args) == 1:
        return _moved(numbers, lambda x: _summed(letters, x), args[0])
    x, y = _together(numbers, args)
    if isinstance(x, Pair):
        return numbers.bilinear(lambda a, b: _summed(letters, a, b), x, y)
    return _summed(letters, x, y)


def _summed(letters: str, *arrays: Any) -> Any:
    return np.asarray(np.einsum(letters, *arrays), dtype=object)


def _broadcast(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    return _moved(numbers, lambda x: np.broadcast_to(x, shape), args[0])


def _reshape(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    return _moved(numbers, lambda x: np.reshape(x, shape), args[0])


def _index(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    return _real(node, numbers, objects(shape, range(shape[0])))


def _convert(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    return _lifted(numbers, args[0])


def _compare(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    x, y = args
    if not all(isinstance(item, int) for array in args for item in array.ravel()):
        raise RefusedError("compares what aren't integers")
    less, less_equal = node.parameter == "less", node.parameter == "less_equal"
    pairs = zip(x.ravel(), y.ravel(), strict=True)
    return objects(
        shape, [int(a < b if less else a <= b if less_equal else a == b) for a, b in pairs]
    )


def _logical(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    plain = [_fixed(arg) for arg in args]
    if node.parameter == "not":
        return -plain[0] + 1
    a, b = plain
    return a * b if node.parameter == "and" else a + b - a * b


def _fixed(mask: Any) -> Any:
    """A mask has no derivative."""
    return _fixed(mask.primal) if isinstance(mask, Pair) else mask


def _where(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    mask, a, b = args
    mask = _fixed(mask)
    return _moved(numbers, lambda x, y: y + mask * (x - y), a, b)


def _subgradient(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    x = _lifted(numbers, args[0])
    if node.parameter == "step":
        return numbers.step(x)
    if node.parameter == "tie":
        return numbers.tie(x)
    return numbers.share(x, node.parameter[1])


def _places(at: Any, size: int) -> Any:
    found = _fixed(at)
    if not all(isinstance(item, int) and 0 <= item < size for item in found.ravel()):
        raise RefusedError(f"takes places that aren't 0 to {size - 1}")
    return found.astype(int)


def _gather(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    axis = node.parameter
    at = _places(args[1], shape_of(args[0])[axis])
    return _moved(numbers, lambda x: np.take(x, at, axis=axis), args[0])


def _scatter(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    axis = node.parameter
    at = _places(args[1], shape[axis])

    def added(x: Any) -> Any:
        out = np.zeros(shape, dtype=object)
        before, after = shape[:axis], shape[axis + 1 :]
        for place in np.ndindex(*at.shape):
            for head in np.ndindex(*before):
                for tail in np.ndindex(*after):
                    target = (*head, at[place], *tail)
                    out[target] = x[(*head, *place, *tail)] + out[target]
        return out

    return _moved(numbers, lambda x: added(x), _lifted(numbers, args[0]))


def _concatenate(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    return _moved(numbers, lambda *xs: np.concatenate(xs, axis=node.parameter), *args)


def _product(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    x, axis = args[0], node.parameter
    parts = [
        _moved(numbers, lambda a, k=k: np.asarray(np.take(a, k, axis=axis), dtype=object), x)
        for k in range(shape_of(x)[axis])
    ]
    total = parts[0]
    for part in parts[1:]:
        total = _multiply(node, numbers, shape, sizes, (total, part))
    return total


def _cumulative(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    axis, backwards = node.parameter

    def running(x: Any) -> Any:
        x = np.flip(x, axis) if backwards else x
        x = np.cumsum(x, axis=axis, dtype=object)
        return np.flip(x, axis) if backwards else x

    return _moved(numbers, running, args[0])


def _solve(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    return numbers.solve(*(_lifted(numbers, arg) for arg in args))


def _determinant(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    return numbers.determinant(_lifted(numbers, args[0]))


def _cholesky(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    return numbers.cholesky(_lifted(numbers, args[0]))


_RULES: dict[str, Any] = {
    "constant": _constant,
    "size": _size,
    "table": _table,
    "delta": _delta,
    "add": _add,
    "multiply": _multiply,
    "divide": _divide,
    "power": _power,
    "function": _function,
    "einsum": _einsum,
    "broadcast": _broadcast,
    "reshape": _reshape,
    "index": _index,
    "convert": _convert,
    "compare": _compare,
    "logical": _logical,
    "where": _where,
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
