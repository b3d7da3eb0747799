"""Arrays of sympy expressions with the operators of the array API standard.

Floats are read as the constants they stand for. The functions of the standard are in
`symbolic_namespace`.
"""

from fractions import Fraction
from operator import index as as_integer
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from verimath.arithmetic.symbolic import exact
from verimath.errors import ClaimError
from verimath.formula.literals import read_literal

Objects = NDArray[np.object_]


def exact_literal(value: float) -> sp.Expr:
    """The real constant that a float literal stands for, as a sympy number."""
    return exact(read_literal(value))


class SymbolicArray:
    """An array of the standard whose elements are sympy expressions."""

    __array_priority__ = 1000
    dtype = "real"
    device = "none"

    def __init__(self, cells: Any) -> None:
        self.cells: Objects = np.asarray(cells, dtype=object)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        # Its functions make arrays: it knows this class, so it can't be known here.
        from verimath.routes.symbolic_namespace import NAMESPACE

        return NAMESPACE

    @property
    def shape(self) -> tuple[int, ...]:
        return self.cells.shape

    @property
    def ndim(self) -> int:
        return self.cells.ndim

    @property
    def size(self) -> int:
        return int(self.cells.size)

    @property
    def T(self) -> "SymbolicArray":
        return SymbolicArray(self.cells.T)

    @property
    def mT(self) -> "SymbolicArray":
        return SymbolicArray(np.swapaxes(self.cells, -1, -2))

    def __add__(self, other: Any) -> "SymbolicArray":
        return SymbolicArray(self.cells + cells_of(other))

    def __sub__(self, other: Any) -> "SymbolicArray":
        return SymbolicArray(self.cells - cells_of(other))

    def __rsub__(self, other: Any) -> "SymbolicArray":
        return SymbolicArray(cells_of(other) - self.cells)

    def __mul__(self, other: Any) -> "SymbolicArray":
        return SymbolicArray(self.cells * cells_of(other))

    def __truediv__(self, other: Any) -> "SymbolicArray":
        return SymbolicArray(self.cells / cells_of(other))

    def __rtruediv__(self, other: Any) -> "SymbolicArray":
        return SymbolicArray(cells_of(other) / self.cells)

    def __matmul__(self, other: Any) -> "SymbolicArray":
        return self.__array_namespace__().matmul(self, other)

    def __pow__(self, exponent: Any) -> "SymbolicArray":
        return SymbolicArray(self.cells ** cells_of(exponent))

    def __neg__(self) -> "SymbolicArray":
        return SymbolicArray(-self.cells)

    def __pos__(self) -> "SymbolicArray":
        return self

    def __getitem__(self, key: Any) -> "SymbolicArray":
        keys = key if isinstance(key, tuple) else (key,)
        return SymbolicArray(self.cells[tuple(map(index_of, keys))])

    __radd__ = __add__
    __rmul__ = __mul__

    def __abs__(self) -> "SymbolicArray":
        return elementwise(sp.Abs, self)

    def __lt__(self, other: Any) -> "SymbolicArray":
        return elementwise(sp.Lt, self, other)

    def __le__(self, other: Any) -> "SymbolicArray":
        return elementwise(sp.Le, self, other)

    def __gt__(self, other: Any) -> "SymbolicArray":
        return elementwise(sp.Gt, self, other)

    def __ge__(self, other: Any) -> "SymbolicArray":
        return elementwise(sp.Ge, self, other)

    def __eq__(self, other: object) -> "SymbolicArray":  # pyright: ignore[reportIncompatibleMethodOverride]
        return elementwise(sp.Eq, self, other)

    def __ne__(self, other: object) -> "SymbolicArray":  # pyright: ignore[reportIncompatibleMethodOverride]
        return elementwise(sp.Ne, self, other)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __invert__(self) -> "SymbolicArray":
        return elementwise(sp.Not, self)

    def __and__(self, other: Any) -> "SymbolicArray":
        return elementwise(sp.And, self, other)

    def __or__(self, other: Any) -> "SymbolicArray":
        return elementwise(sp.Or, self, other)


def elementwise(function: Any, *x: Any) -> SymbolicArray:
    """A function of expressions on every element, broadcast."""
    return SymbolicArray(np.frompyfunc(function, len(x), 1)(*map(cells_of, x)))


def cells_of(value: Any) -> Objects:
    """Object cells of arrays and numbers; floats are read as the constants they stand for."""
    if isinstance(value, SymbolicArray):
        return value.cells
    if isinstance(value, list | tuple):
        rows = [cells_of(row) for row in value]
        return np.asarray([row.tolist() for row in rows], dtype=object)
    if isinstance(value, Fraction):
        return np.asarray(sp.Rational(value.numerator, value.denominator), dtype=object)
    # as_integer takes integers of every library and nothing that would have to be rounded.
    number = exact_literal(value) if isinstance(value, float) else sp.Integer(as_integer(value))
    return np.asarray(number, dtype=object)


def index_of(key: Any) -> Any:
    """An index as numpy takes it: arrays of integers are sympy's here.

    Raises ClaimError for an index that is a symbol.
    """
    if not isinstance(key, SymbolicArray):
        return key
    if not all(isinstance(cell, sp.Integer) for cell in key.cells.ravel()):
        raise ClaimError("an index that is a symbol")
    return key.cells.astype(np.int64)


def as_expressions(cells: Objects) -> Objects:
    """The same with sympy's zero for Python's, which a triangle is filled up with."""
    return np.asarray(
        np.frompyfunc(lambda x: sp.Integer(x) if isinstance(x, int) else x, 1, 1)(cells),
        dtype=object,
    )
