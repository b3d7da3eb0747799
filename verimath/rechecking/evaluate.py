"""Evaluating a graph at given sizes, in whatever numbers: arrays of objects that add and multiply.

An arithmetic says what numbers are and what functions of them are; `Plain` has what all share,
`Dual` puts a derivative beside every value of another arithmetic.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from verimath.rechecking.graph import Node, Number
from verimath.rechecking.limits import SIZE, Budget, RefusedError
from verimath.rechecking.polynomials import value

_ELEMENTS = 20_000  # of one array
_LONG = 2**64  # integers become numbers


def objects(shape: Sequence[int], items: Sequence[Any]) -> Any:
    """An array of objects from its elements in C order."""
    array = np.empty(prod(shape), dtype=object)
    for place, item in enumerate(items):
        array[place] = item
    return array.reshape(tuple(shape))


def each(function: Callable[[Any], Any], array: Any) -> Any:
    """A function of every element."""
    return objects(array.shape, [function(item) for item in array.ravel()])


def check_elements(shape: Sequence[int]) -> None:
    """Raise RefusedError for an array of too many elements."""
    if any(not 0 <= size <= SIZE * SIZE for size in shape) or prod(shape) > _ELEMENTS:
        raise RefusedError(f"not confirmed: an array of the shape {tuple(shape)}")


class Plain:
    """Numbers without derivatives: values are arrays of objects."""

    def number(self, number: Number) -> Any:
        """A constant."""
        raise NotImplementedError

    def whole(self, number: int) -> Any:
        """An integer as a number."""
        raise NotImplementedError

    def power(self, x: Any, exponent: Fraction) -> Any:
        """Elementwise power."""
        raise NotImplementedError

    def function(self, name: str, x: Any) -> Any:
        """A function that isn't rational, elementwise."""
        raise NotImplementedError

    def step(self, x: Any) -> Any:
        """1 where x > 0, 0 where x < 0."""
        raise NotImplementedError

    def above(self, x: Any) -> Any:
        """1 where x > 0, 0 elsewhere."""
        return self.step(x)

    def tie(self, x: Any) -> Any:
        """1 where x = 0, 0 elsewhere."""
        raise NotImplementedError

    def share(self, x: Any, axis: int) -> Any:
        """1 at the largest element along an axis, 0 elsewhere."""
        raise NotImplementedError

    def at_node(self, node: Node) -> None:
        """Called before a node is computed."""

    def trimmed(self, x: Any) -> Any:
        """The same values, where they grow long in another form."""
        return x

    def special(self, node: Node, args: list[Any]) -> Any:
        """An operation that only this arithmetic has."""
        raise RefusedError(f"no operation {node.operation!r} here")

    def is_zero(self, x: Any) -> bool:
        """Whether a number is certainly zero, so that no pivot is taken there."""
        raise NotImplementedError

    def lift(self, x: Any) -> Any:
        """Integers, booleans or numbers as numbers."""
        return each(lambda item: self.whole(item) if isinstance(item, int) else item, x)

    def linear(self, function: Callable[..., Any], *xs: Any) -> Any:
        """A function of arrays that is linear in all of them together."""
        return _array(function(*xs))

    def bilinear(self, function: Callable[[Any, Any], Any], x: Any, y: Any) -> Any:
        """A function of two arrays that is linear in each."""
        return _array(function(x, y))

    def divide(self, x: Any, y: Any) -> Any:
        """Elementwise quotient."""
        return _array(x / y)

    def solve(self, matrix: Any, right: Any) -> Any:
        """Gauss's elimination with the first pivot that isn't zero."""
        out = np.empty(right.shape, dtype=object)
        for batch in np.ndindex(*matrix.shape[:-2]):
            out[batch] = self._eliminated(matrix[batch], right[batch])[1]
        return out

    def determinant(self, matrix: Any) -> Any:
        """By elimination."""
        out = np.empty(matrix.shape[:-2], dtype=object)
        for batch in np.ndindex(*matrix.shape[:-2]):
            out[batch] = self._eliminated(matrix[batch], matrix[batch][:, :0], singular=True)[0]
        return out

    def _eliminated(self, matrix: Any, right: Any, singular: bool = False) -> tuple[Any, Any]:
        rows, size = np.concatenate([matrix, right], axis=1), len(matrix)
        determinant = self.whole(1)
        for column in range(size):
            pivots = [row for row in range(column, size) if not self.is_zero(rows[row, column])]
            if not pivots:
                if singular:
                    return self.whole(0), None
                raise ZeroDivisionError
            if pivots[0] != column:
                rows[[column, pivots[0]]] = rows[[pivots[0], column]]
                determinant = -determinant
            determinant = determinant * rows[column, column]
            rows[column] = rows[column] / rows[column, column]
            for row in range(size):
                if row != column:
                    rows[row] = rows[row] - rows[row, column] * rows[column]
        return determinant, rows[:, size:]

    def cholesky(self, matrix: Any) -> Any:
        """Column by column."""
        out = self.lift(np.zeros(matrix.shape, dtype=object))
        half = Fraction(1, 2)
        for batch in np.ndindex(*matrix.shape[:-2]):
            A, L = matrix[batch], out[batch]
            for j in range(len(A)):
                rest = A[j, j] - sum((L[j, k] * L[j, k] for k in range(j)), self.whole(0))
                L[j, j] = self.power(objects((1,), [rest]), half)[0]
                for i in range(j + 1, len(A)):
                    rest = A[i, j] - sum((L[i, k] * L[j, k] for k in range(j)), self.whole(0))
                    L[i, j] = rest / L[j, j]
        return out


@dataclass(frozen=True, slots=True)
class Pair:
    """A value and its derivative along a direction."""

    primal: Any
    tangent: Any


class Dual(Plain):
    """Values with derivatives, after Griewank & Walther, Evaluating Derivatives, ch. 3.

    The arithmetic below may be dual itself: then these are second derivatives.
    """

    def __init__(self, below: Plain) -> None:
        self.below = below

    def constant(self, x: Any) -> Any:
        """A value that doesn't move."""
        return Pair(x, self.below.linear(lambda a: a * 0, x))

    def number(self, number: Number) -> Any:
        return self.constant(self.below.number(number))

    def lift(self, x: Any) -> Any:
        return self.constant(self.below.lift(x))

    def linear(self, function: Callable[..., Any], *xs: Any) -> Any:
        below = self.below
        return Pair(
            below.linear(function, *(x.primal for x in xs)),
            below.linear(function, *(x.tangent for x in xs)),
        )

    def bilinear(self, function: Callable[[Any, Any], Any], x: Any, y: Any) -> Any:
        below = self.below
        return Pair(
            below.bilinear(function, x.primal, y.primal),
            below.linear(
                _plus,
                below.bilinear(function, x.tangent, y.primal),
                below.bilinear(function, x.primal, y.tangent),
            ),
        )

    def divide(self, x: Any, y: Any) -> Any:
        below = self.below
        quotient = below.divide(x.primal, y.primal)
        rest = below.linear(subtract, x.tangent, below.bilinear(_times, quotient, y.tangent))
        return Pair(quotient, below.divide(rest, y.primal))

    def power(self, x: Any, exponent: Fraction) -> Any:
        below = self.below
        slope = below.power(x.primal, exponent - 1)
        factor = below.number(Number(exponent))
        slope = below.linear(lambda a, c=factor: a * _bare(c), slope)
        return Pair(below.power(x.primal, exponent), below.bilinear(_times, slope, x.tangent))

    def function(self, name: str, x: Any) -> Any:
        below = self.below
        slope = self._slope(name, x.primal)
        return Pair(below.function(name, x.primal), below.bilinear(_times, slope, x.tangent))

    def _slope(self, name: str, x: Any) -> Any:
        """Derivatives as in Abramowitz & Stegun, 4.4.52-4.4.57, 4.6.37-4.6.42 and 7.1.1."""
        below, half = self.below, Fraction(1, 2)

        def one(sign: int, other: int) -> Any:
            square = below.bilinear(_times, x, x)
            ones = below.lift(np.full(_shape(x), other, dtype=object))
            return below.linear(lambda a, b: a * sign + b, square, ones)

        if name == "exp":
            return below.function("exp", x)
        if name == "log":
            return below.power(x, Fraction(-1))
        if name == "sin":
            return below.function("cos", x)
        if name == "cos":
            return below.linear(_negative, below.function("sin", x))
        if name in ("asin", "acos"):
            root = below.power(one(-1, 1), -half)
            return root if name == "asin" else below.linear(_negative, root)
        if name == "asinh":
            return below.power(one(1, 1), -half)
        if name == "acosh":
            return below.power(one(1, -1), -half)
        if name in ("atan", "atanh"):
            return below.power(one(1 if name == "atan" else -1, 1), Fraction(-1))
        if name == "erf":
            bell = below.function("exp", below.linear(_negative, below.bilinear(_times, x, x)))
            pi = below.lift(_like(below.number(Number(Fraction(1), "pi")), x))
            root = below.power(pi, -half)
            return below.linear(lambda a: a * 2, below.bilinear(_times, bell, root))
        raise RefusedError(f"no derivative of {name!r} is known here")

    def step(self, x: Any) -> Any:
        return self.constant(self.below.step(x.primal))

    def tie(self, x: Any) -> Any:
        return self.constant(self.below.tie(x.primal))

    def share(self, x: Any, axis: int) -> Any:
        return self.constant(self.below.share(x.primal, axis))

    def solve(self, matrix: Any, right: Any) -> Any:
        below = self.below
        found = below.solve(matrix.primal, right.primal)
        moved = below.bilinear(np.matmul, matrix.tangent, found)
        return Pair(found, below.solve(matrix.primal, below.linear(subtract, right.tangent, moved)))

    def determinant(self, matrix: Any) -> Any:
        below = self.below
        found = below.determinant(matrix.primal)
        trace = below.linear(_trace, below.solve(matrix.primal, matrix.tangent))
        return Pair(found, below.bilinear(_times, found, trace))

    def cholesky(self, matrix: Any) -> Any:
        """DL = L Φ(L⁻¹ dA L⁻′), Φ being the lower triangle with half the diagonal."""
        below = self.below
        L = below.cholesky(matrix.primal)
        middle = below.solve(L, matrix.tangent)
        middle = below.solve(L, below.linear(_transposed, middle))
        return Pair(L, below.bilinear(np.matmul, L, below.linear(_lower, middle)))


def _array(x: Any) -> Any:
    """NumPy makes numbers of arrays without axes."""
    return x if isinstance(x, Pair) else np.asarray(x, dtype=object)


def _plus(x: Any, y: Any) -> Any:
    return x + y


def subtract(x: Any, y: Any) -> Any:
    """The difference."""
    return x - y


def _times(x: Any, y: Any) -> Any:
    return x * y


def _negative(x: Any) -> Any:
    return -x


def _transposed(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


def _trace(x: Any) -> Any:
    return x.trace(axis1=-2, axis2=-1) if x.ndim > 2 else objects((), [x.trace()])


def _lower(x: Any) -> Any:
    size = x.shape[-1]
    halves = [[0 if j > i else 1 if j == i else 2 for j in range(size)] for i in range(size)]
    return x * np.array(halves, dtype=object) / 2


def _shape(x: Any) -> tuple[int, ...]:
    return _shape(x.primal) if isinstance(x, Pair) else x.shape


def _bare(x: Any) -> Any:
    return _bare(x.primal) if isinstance(x, Pair) else x.ravel()[0]


def _like(x: Any, y: Any) -> Any:
    shape = _shape(y)
    return objects(shape, [_bare(x)] * prod(shape))


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
            found = _array(_value(node, arithmetic, shape, sizes, inputs, values))
        except RefusedError as error:
            raise RefusedError(f"node {place} ({node.operation}): {error}") from None
        found = _bounded(node, arithmetic, found)
        if _shape(found) != shape:
            raise RefusedError(f"node {place} ({node.operation}) has the shape {_shape(found)}")
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
    return numbers.linear(_plus, x, y) if isinstance(x, Pair) else x + y


def _multiply(node: Node, numbers: Plain, shape: Any, sizes: Any, args: Any) -> Any:
    x, y = _together(numbers, args)
    return numbers.bilinear(_times, x, y) if isinstance(x, Pair) else x * y


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
        return _moved(numbers, _negative, args[0])
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
    at = _places(args[1], _shape(args[0])[axis])
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
        for k in range(_shape(x)[axis])
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
