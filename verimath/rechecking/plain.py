"""What every arithmetic of a recheck is: arrays of objects that add and multiply.

An arithmetic says what numbers are and what functions of them are; `Plain` has what all share.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from verimath.rechecking.graph import Node, Number
from verimath.rechecking.limits import SIZE, RefusedError

_ELEMENTS = 20_000  # of one array


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


@dataclass(frozen=True, slots=True)
class Pair:
    """A value and its derivative along a direction."""

    primal: Any
    tangent: Any


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
        return as_array(function(*xs))

    def bilinear(self, function: Callable[[Any, Any], Any], x: Any, y: Any) -> Any:
        """A function of two arrays that is linear in each."""
        return as_array(function(x, y))

    def divide(self, x: Any, y: Any) -> Any:
        """Elementwise quotient."""
        return as_array(x / y)

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


def as_array(x: Any) -> Any:
    """An array again, where NumPy has made a number of one without axes."""
    return x if isinstance(x, Pair) else np.asarray(x, dtype=object)


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of an array, or of a pair of them."""
    return shape_of(x.primal) if isinstance(x, Pair) else x.shape


def plus(x: Any, y: Any) -> Any:
    """The sum."""
    return x + y


def subtract(x: Any, y: Any) -> Any:
    """The difference."""
    return x - y


def times(x: Any, y: Any) -> Any:
    """The product."""
    return x * y


def negative(x: Any) -> Any:
    """The same with the other sign."""
    return -x
