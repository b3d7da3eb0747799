"""Core formulas on arrays of exact numbers, whatever these are: rationals, or balls around reals.

One rule per operation; what differs between number systems (constants, functions, signs) comes in
a `Numbers`. Elements are Python objects that add, multiply and divide.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verimath.formula.graph import Node, topological
from verimath.formula.literals import Constant
from verimath.shapes import Binding

Objects = NDArray[np.object_]


_LARGEST_EXPANDED = 5  # matrix whose determinant is expanded


class UndecidedError(ArithmeticError):
    """A question that these numbers don't answer: the sign of a ball around zero, a zero pivot."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a number system has to know: its constants, functions, powers, and signs.

    `sign` is 1 or -1; it raises UndecidedError for zero, where a step has no value, and for a
    number whose sign isn't known. `whole` gives back the whole number that something is.
    """

    of_fraction: Callable[[Fraction], Any]
    of_constant: Callable[[Constant], Any]
    function: Callable[[str, Any], Any]
    power: Callable[[Any, Fraction], Any]
    sign: Callable[[Any], int]
    whole: Callable[[Any], int]

    def array(self, values: Any) -> Objects:
        """Nested sequences of whole numbers and fractions as an array of these numbers."""
        cells = np.array(values, dtype=object)
        return _array(np.frompyfunc(lambda x: self.of_fraction(Fraction(x)), 1, 1)(cells))


def evaluate(
    outputs: Sequence[Node], inputs: Mapping[str, Objects], binding: Binding, numbers: Numbers
) -> tuple[Objects, ...]:
    """The values of core nodes (see `verimath.formula.core`) at an exact point.

    Raises UndecidedError where the numbers don't decide (at a kink, say), ZeroDivisionError where
    something isn't defined, and NotExpressibleError for what these numbers can't hold.
    """
    values: dict[Node, Objects] = {}
    for node in topological(tuple(outputs)):
        below = [values[x] for x in node.inputs]
        if node.operation == "input":
            values[node] = inputs[node.parameter]
        else:
            values[node] = _RULES[node.operation](node, below, binding, numbers)
    return tuple(values[node] for node in outputs)


def _array(value: Any) -> Objects:
    return np.asarray(value, dtype=object)


def _each(function: Callable[..., Any], *x: Objects) -> Objects:
    return _array(np.frompyfunc(function, len(x), 1)(*x))


def _shape(node: Node, binding: Binding) -> tuple[int, ...]:
    return tuple(size.at(binding) for size in node.shape)


def _table(node: Node, binding: Binding, numbers: Numbers) -> Objects:
    cells = np.empty(_shape(node, binding), dtype=object)
    for place in np.ndindex(*cells.shape):
        value = node.parameter
        for position in place:
            value = value[position]
        cells[place] = numbers.of_constant(value)
    return cells


def _einsum(node: Node, x: list[Objects], numbers: Numbers) -> Objects:
    subscripts = node.parameter
    arguments: list[Any] = []
    for operand, indices in zip(x, subscripts.operands, strict=True):
        arguments += [operand, list(indices)]
    found = _array(np.einsum(*arguments, list(subscripts.output)))
    if all(operand.size for operand in x):
        return found
    return _each(lambda _: numbers.of_fraction(Fraction(0)), found)  # sums of nothing


def _step(x: Objects, numbers: Numbers) -> Objects:
    return _each(lambda d: numbers.of_fraction(Fraction(numbers.sign(d) + 1) / 2), x)


def _subgradient(node: Node, x: Objects, numbers: Numbers) -> Objects:
    if node.parameter == "tie":
        zero = numbers.of_fraction(Fraction(0))
        # What isn't exactly zero has a sign, or is undecided.
        return _each(
            lambda d: numbers.of_fraction(Fraction(int(d == zero or numbers.sign(d) == 0))), x
        )
    return _step(x, numbers) if node.parameter == "step" else _shares(node, x, numbers)


def _shares(node: Node, x: Objects, numbers: Numbers) -> Objects:
    """One for the largest of a row, zero for the others."""
    _, axis = node.parameter
    rows = np.moveaxis(x, axis, -1)
    found = np.empty(rows.shape, dtype=object)
    for index in np.ndindex(*rows.shape):
        row, own = rows[index[:-1]], rows[index]
        others = (value for k, value in enumerate(row) if k != index[-1])
        largest = all(numbers.sign(own - value) > 0 for value in others)
        found[index] = numbers.of_fraction(Fraction(int(largest)))
    return np.moveaxis(found, -1, axis)


_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "equal": lambda a, b: a == b,
}


def _logical(node: Node, x: list[Objects], numbers: Numbers) -> Objects:
    one = numbers.of_fraction(Fraction(1))
    if node.parameter == "not":
        return _array(one - x[0])
    return _array(x[0] * x[1] if node.parameter == "and" else x[0] + x[1] - x[0] * x[1])


def _where(node: Node, x: list[Objects], numbers: Numbers) -> Objects:
    return _each(lambda mask, a, b: a if mask == 1 else b, *x)


def _places(x: Objects, size: int, numbers: Numbers) -> Any:
    """Places along an axis of that size.

    Raises UndecidedError for places beyond it, where a formula has no value.
    """
    places = _each(numbers.whole, x).astype(np.int64)
    if np.any(places < 0) or np.any(places >= size):
        raise UndecidedError("an index beyond its axis")
    return places


def _gather(node: Node, x: list[Objects], numbers: Numbers) -> Objects:
    axis = node.parameter
    return np.take(x[0], _places(x[1], x[0].shape[axis], numbers), axis=axis)


def _scatter(node: Node, x: list[Objects], binding: Binding, numbers: Numbers) -> Objects:
    found = np.full(_shape(node, binding), numbers.of_fraction(Fraction(0)), dtype=object)
    places = _places(x[1], found.shape[node.parameter], numbers)
    np.add.at(found, (*(slice(None),) * node.parameter, places), x[0])
    return found


def _product(node: Node, x: Objects, numbers: Numbers) -> Objects:
    rows = np.moveaxis(x, node.parameter, 0)
    found = np.full(rows.shape[1:], numbers.of_fraction(Fraction(1)), dtype=object)
    for row in rows:
        found = found * row
    return _array(found)


def _cumulative(node: Node, x: Objects) -> Objects:
    axis, backwards = node.parameter
    rows = np.flip(x, axis) if backwards else x
    found = np.add.accumulate(rows, axis=axis)
    return np.flip(found, axis) if backwards else found


def _each_matrix(function: Callable[..., Objects], *x: Objects) -> Objects:
    lead = x[0].shape[:-2]
    if not lead:
        return function(*x)
    found = {index: function(*(y[index] for y in x)) for index in np.ndindex(*lead)}
    result = np.empty(lead + next(iter(found.values())).shape, dtype=object)
    for index, value in found.items():
        result[index] = value[()]  # a number, where there is one per matrix
    return result


def _eliminated(a: Objects, b: Objects, numbers: Numbers) -> tuple[Objects, Any]:
    """A^-1 B and det A, by elimination; pivots are certain not to be zero."""
    n = len(a)
    rows = np.concatenate([a, b], axis=1)
    determinant = numbers.of_fraction(Fraction(1))
    for k in range(n):
        pivot = _pivot(rows, k, numbers)
        if pivot != k:
            rows[[k, pivot]] = rows[[pivot, k]]
            determinant = -determinant
        determinant = determinant * rows[k, k]
        rows[k] = rows[k] / rows[k, k]
        for i in range(n):
            if i != k:
                rows[i] = rows[i] - rows[k] * rows[i, k]
    return rows[:, n:], determinant


def _pivot(rows: Objects, column: int, numbers: Numbers) -> int:
    for k in range(column, len(rows)):
        try:
            numbers.sign(rows[k, column])
        except UndecidedError:
            continue
        return k
    raise UndecidedError("no pivot is certain not to be zero")


def _cholesky(a: Objects, numbers: Numbers) -> Objects:
    """Column by column (Higham, algorithm 10.2)."""
    n = len(a)
    factor = np.full((n, n), numbers.of_fraction(Fraction(0)), dtype=object)
    for j in range(n):
        for i in range(j, n):
            rest: Any = a[i, j]
            for k in range(j):
                rest = rest - factor[i, k] * factor[j, k]
            root = numbers.power(rest, Fraction(1, 2)) if i == j else rest / factor[j, j]
            factor[i, j] = root
    return factor


def _determinant(a: Objects, numbers: Numbers) -> Objects:
    found = np.empty((), dtype=object)
    try:
        found[()] = _eliminated(a, a[:, :0], numbers)[1]
    except UndecidedError:
        if len(a) > _LARGEST_EXPANDED:
            raise
        found[()] = _expanded(a, numbers)  # zero, perhaps, which elimination can't say
    return found


def _expanded(a: Objects, numbers: Numbers) -> Any:
    """A determinant by its first row, without a division."""
    total: Any = numbers.of_fraction(Fraction(int(not len(a))))
    for k in range(len(a)):
        minor = _expanded(np.delete(a[1:], k, axis=1), numbers)
        total = total + a[0, k] * minor if k % 2 == 0 else total - a[0, k] * minor
    return total


def _delta(node: Node, binding: Binding, numbers: Numbers) -> Objects:
    n = node.shape[0].at(binding)
    return numbers.array([[int(i == j) for j in range(n)] for i in range(n)]).reshape(n, n)


Rule = Callable[[Node, list[Objects], Binding, Numbers], Objects]
_RULES: dict[str, Rule] = {
    "constant": lambda node, x, binding, q: _each(q.of_constant, _array(node.parameter)),
    "size": lambda node, x, binding, q: q.array(node.parameter.at(binding)),
    "table": lambda node, x, binding, q: _table(node, binding, q),
    "delta": lambda node, x, binding, q: _delta(node, binding, q),
    "add": lambda node, x, binding, q: _array(x[0] + x[1]),
    "multiply": lambda node, x, binding, q: _array(x[0] * x[1]),
    "divide": lambda node, x, binding, q: _array(x[0] / x[1]),
    "power": lambda node, x, binding, q: _each(lambda v: q.power(v, node.parameter), x[0]),
    "function": lambda node, x, binding, q: (
        _array(-x[0])
        if node.parameter == "negative"
        else _each(lambda v: q.function(node.parameter, v), x[0])
    ),
    "subgradient": lambda node, x, binding, q: _subgradient(node, x[0], q),
    "einsum": lambda node, x, binding, q: _einsum(node, x, q),
    "broadcast": lambda node, x, binding, q: np.broadcast_to(x[0], _shape(node, binding)),
    "reshape": lambda node, x, binding, q: x[0].reshape(_shape(node, binding)),
    "index": lambda node, x, binding, q: q.array(list(range(node.shape[0].at(binding)))),
    "convert": lambda node, x, binding, q: x[0],
    "compare": lambda node, x, binding, q: _each(
        lambda a, b: q.of_fraction(Fraction(int(_COMPARISONS[node.parameter](a, b)))), *x
    ),
    "logical": lambda node, x, binding, q: _logical(node, x, q),
    "where": lambda node, x, binding, q: _where(node, x, q),
    "gather": lambda node, x, binding, q: _gather(node, x, q),
    "scatter": _scatter,
    "concatenate": lambda node, x, binding, q: np.concatenate(x, axis=node.parameter),
    "product": lambda node, x, binding, q: _product(node, x[0], q),
    "cumulative": lambda node, x, binding, q: _cumulative(node, x[0]),
    "solve": lambda node, x, binding, q: _each_matrix(lambda a, b: _eliminated(a, b, q)[0], *x),
    "determinant": lambda node, x, binding, q: _each_matrix(lambda a: _determinant(a, q), x[0]),
    "cholesky": lambda node, x, binding, q: _each_matrix(lambda a: _cholesky(a, q), x[0]),
}
