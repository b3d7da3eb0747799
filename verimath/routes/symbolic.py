"""sympy's own way: run the claim's functions on arrays of symbols, differentiate symbol by symbol.

Nothing of the formula graph is used here. The functions see `SymbolicArray`, object arrays of sympy
expressions with the array API's names; `entries` gives one exact expression per element of the
wanted value, and `numeric_value` runs them through lambdify on numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import index as as_integer
from typing import Any

import mpmath
import numpy as np
import sympy as sp
from numpy.typing import NDArray

from verimath.arithmetic.symbolic import exact
from verimath.claim import AtMost, Equal, Gradient, Statement
from verimath.errors import ClaimError
from verimath.formula.literals import read_literal

Objects = NDArray[np.object_]
# Lambdified expressions run at this many bits: their own rounding is nowhere near float64's.
_PRECISION = 256

_FUNCTIONS: dict[str, Any] = {
    "negative": lambda x: -x,
    "exp": sp.exp,
    "log": sp.log,
    "sqrt": sp.sqrt,
    "sin": sp.sin,
    "cos": sp.cos,
    "tanh": sp.tanh,
}


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

    def __array_namespace__(self, *, api_version: str | None = None) -> "_Namespace":
        return _NAMESPACE

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
        return SymbolicArray(self.cells + _cells(other))

    def __sub__(self, other: Any) -> "SymbolicArray":
        return SymbolicArray(self.cells - _cells(other))

    def __rsub__(self, other: Any) -> "SymbolicArray":
        return SymbolicArray(_cells(other) - self.cells)

    def __mul__(self, other: Any) -> "SymbolicArray":
        return SymbolicArray(self.cells * _cells(other))

    def __truediv__(self, other: Any) -> "SymbolicArray":
        return SymbolicArray(self.cells / _cells(other))

    def __rtruediv__(self, other: Any) -> "SymbolicArray":
        return SymbolicArray(_cells(other) / self.cells)

    def __matmul__(self, other: Any) -> "SymbolicArray":
        return _NAMESPACE.matmul(self, other)

    def __pow__(self, exponent: Any) -> "SymbolicArray":
        return SymbolicArray(self.cells ** _cells(exponent))

    def __neg__(self) -> "SymbolicArray":
        return SymbolicArray(-self.cells)

    def __pos__(self) -> "SymbolicArray":
        return self

    def __getitem__(self, key: Any) -> "SymbolicArray":
        return SymbolicArray(self.cells[key])

    __radd__ = __add__
    __rmul__ = __mul__


def _cells(value: Any) -> Objects:
    """Object cells of arrays and numbers; floats are read as the constants they stand for."""
    if isinstance(value, SymbolicArray):
        return value.cells
    if isinstance(value, list | tuple):
        rows = [_cells(row) for row in value]
        return np.asarray([row.tolist() for row in rows], dtype=object)
    if isinstance(value, Fraction):
        return np.asarray(sp.Rational(value.numerator, value.denominator), dtype=object)
    # as_integer takes integers of every library and nothing that would have to be rounded.
    number = exact_literal(value) if isinstance(value, float) else sp.Integer(as_integer(value))
    return np.asarray(number, dtype=object)


_ZERO: Any = sp.Integer(0)


def _sum(cells: Objects, axis: Any, keepdims: bool) -> Objects:
    total: Any = np.add.reduce(cells, axis=axis, keepdims=keepdims, initial=_ZERO)
    return np.asarray(total, dtype=object)


class _Linalg:
    def trace(self, x: SymbolicArray) -> SymbolicArray:
        return SymbolicArray(_sum(self.diagonal(x).cells, -1, False))

    def diagonal(self, x: SymbolicArray) -> SymbolicArray:
        return SymbolicArray(np.diagonal(x.cells, axis1=-2, axis2=-1))

    def outer(self, a: SymbolicArray, b: SymbolicArray) -> SymbolicArray:
        return SymbolicArray(np.multiply.outer(a.cells, b.cells))

    def __getattr__(self, name: str) -> Any:
        return getattr(_NAMESPACE, name)


class _Namespace:
    """The array API functions that formulas may use, on symbols."""

    __name__ = "verimath.symbolic"  # array_namespace compares namespaces by name

    float32 = float64 = "real"
    newaxis = None
    pi = 3.141592653589793
    e = 2.718281828459045
    linalg = _Linalg()

    def __getattr__(self, name: str) -> Any:
        if name not in _FUNCTIONS:
            raise AttributeError(f"sympy route: no function {name!r}")
        apply = np.frompyfunc(_FUNCTIONS[name], 1, 1)
        return lambda x: SymbolicArray(apply(_cells(x)))

    def asarray(self, values: Any, *, dtype: Any = None, device: Any = None) -> SymbolicArray:
        return SymbolicArray(_cells(values))

    def sum(self, x: Any, *, axis: Any = None, keepdims: bool = False) -> SymbolicArray:
        return SymbolicArray(_sum(_cells(x), axis, keepdims))

    def mean(self, x: Any, *, axis: Any = None, keepdims: bool = False) -> SymbolicArray:
        cells = _cells(x)
        total = _sum(cells, axis, keepdims)
        return SymbolicArray(total / sp.Integer(cells.size // max(total.size, 1)))

    def matmul(self, a: SymbolicArray, b: SymbolicArray) -> SymbolicArray:
        left, right = a.cells, b.cells
        if left.shape[-1] == 0:  # numpy's object products have no empty sum
            shape = (left @ np.zeros_like(right, dtype=int)).shape
            return SymbolicArray(np.full(shape, sp.Integer(0), dtype=object))
        return SymbolicArray(left @ right)

    def matrix_transpose(self, x: SymbolicArray) -> SymbolicArray:
        return x.mT

    def permute_dims(self, x: SymbolicArray, axes: Sequence[int]) -> SymbolicArray:
        return SymbolicArray(np.transpose(x.cells, axes))

    def tensordot(self, a: SymbolicArray, b: SymbolicArray, *, axes: Any = 2) -> SymbolicArray:
        return SymbolicArray(np.tensordot(a.cells, b.cells, axes=axes))

    def vecdot(self, a: SymbolicArray, b: SymbolicArray, *, axis: int = -1) -> SymbolicArray:
        return self.sum(a * b, axis=axis)

    def reshape(self, x: SymbolicArray, shape: Any) -> SymbolicArray:
        return SymbolicArray(x.cells.reshape(shape))

    def expand_dims(self, x: SymbolicArray, *, axis: int = 0) -> SymbolicArray:
        return SymbolicArray(np.expand_dims(x.cells, axis))

    def squeeze(self, x: SymbolicArray, axis: Any) -> SymbolicArray:
        return SymbolicArray(np.squeeze(x.cells, axis))

    def broadcast_to(self, x: Any, shape: Any) -> SymbolicArray:
        return SymbolicArray(np.broadcast_to(_cells(x), shape))

    def ones(self, shape: Any, *, dtype: Any = None, device: Any = None) -> SymbolicArray:
        return SymbolicArray(np.full(shape, sp.Integer(1), dtype=object))

    def ones_like(self, x: SymbolicArray) -> SymbolicArray:
        return self.ones(x.shape)

    def eye(self, n: int, *, dtype: Any = None, device: Any = None) -> SymbolicArray:
        cells = [[sp.Integer(int(i == j)) for j in range(n)] for i in range(n)]
        return SymbolicArray(np.asarray(cells, dtype=object).reshape(n, n))

    def add(self, a: Any, b: Any) -> SymbolicArray:
        return SymbolicArray(_cells(a) + _cells(b))

    def subtract(self, a: Any, b: Any) -> SymbolicArray:
        return SymbolicArray(_cells(a) - _cells(b))

    def multiply(self, a: Any, b: Any) -> SymbolicArray:
        return SymbolicArray(_cells(a) * _cells(b))

    def divide(self, a: Any, b: Any) -> SymbolicArray:
        return SymbolicArray(_cells(a) / _cells(b))

    def pow(self, x: Any, exponent: Any) -> SymbolicArray:
        return SymbolicArray(_cells(x) ** _cells(exponent))

    def square(self, x: Any) -> SymbolicArray:
        return self.pow(x, 2)


_NAMESPACE = _Namespace()


def symbols(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Objects]:
    """One real symbol per element of every input."""
    return {name: _symbol_array(name, shape) for name, shape in shapes.items()}


def _symbol_array(name: str, shape: tuple[int, ...]) -> Objects:
    cells = np.empty(shape, dtype=object)
    for index in np.ndindex(*shape):
        # Not x_1: that may be the name of another input.
        place = f"[{', '.join(map(str, index))}]" if shape else ""
        cells[index] = sp.Symbol(f"{name}{place}", real=True)
    return cells


def call(function: Callable[..., Any], inputs: Mapping[str, Objects]) -> tuple[Objects, ...]:
    """A formula's results on arrays of expressions."""
    result = function(*(SymbolicArray(cells) for cells in inputs.values()))
    results = result if isinstance(result, tuple) else (result,)
    return tuple(_cells(r) for r in results)


def entries(statement: Statement, inputs: Mapping[str, Objects]) -> tuple[Objects, ...]:
    """The wanted value by sympy: gradients are differentiated symbol by symbol.

    Raises ClaimError if the formulas don't run on symbols.
    """
    try:
        match statement:
            case Gradient():
                value = call(statement.of, inputs)[0].item()
                slope = np.frompyfunc(lambda symbol: sp.diff(value, symbol), 1, 1)
                return tuple(
                    np.asarray(slope(inputs[name]), dtype=object) for name in statement.wrt_names
                )
            case Equal():
                return call(statement.left, inputs)
            case AtMost():
                return call(statement.of, inputs)
    except (TypeError, ValueError, AttributeError) as error:
        raise ClaimError(f"the formula doesn't run on symbols: {error}") from error


@dataclass(frozen=True, slots=True)
class Lambdified:
    """Expressions at one shape, ready to be run on numbers."""

    shapes: tuple[tuple[int, ...], ...]
    run: Callable[..., Any]
    order: tuple[str, ...]
    arguments: tuple[sp.Symbol, ...]
    elements: tuple[sp.Expr, ...]


def lambdify(statement: Statement, shapes: Mapping[str, tuple[int, ...]]) -> Lambdified:
    """Sympy's expressions for the wanted value at explicit shapes, through lambdify on mpmath."""
    inputs = symbols(shapes)
    outputs = entries(statement, inputs)
    arguments = [cell for cells in inputs.values() for cell in cells.ravel()]
    # What is defined nowhere (x / (x - x)) is NaN here, as lambdify has no word for it.
    flat = [
        sp.nan if cell.has(sp.zoo, sp.nan) else cell for cells in outputs for cell in cells.ravel()
    ]
    run = sp.lambdify(arguments, flat, modules="mpmath", cse=True)
    shapes_out = tuple(cells.shape for cells in outputs)
    return Lambdified(shapes_out, run, tuple(inputs), tuple(arguments), tuple(flat))


def numeric_value(
    lambdified: Lambdified, inputs: Mapping[str, NDArray[Any]]
) -> tuple[NDArray[np.float64], ...]:
    """The value on numbers: every float is taken exactly, the result is rounded once.

    NaN where the expression has no real value, as at a division by zero.
    """
    with mpmath.workprec(_PRECISION):
        arguments = [
            mpmath.mpf(float(x)) for name in lambdified.order for x in inputs[name].ravel()
        ]
        try:
            flat = [_real(x) for x in lambdified.run(*arguments)]
        except (ZeroDivisionError, ValueError):
            flat = [_alone(lambdified, element, arguments) for element in lambdified.elements]
    results: list[NDArray[np.float64]] = []
    for shape in lambdified.shapes:
        size = int(np.prod(shape, dtype=np.int64))
        results.append(np.asarray(flat[:size], dtype=np.float64).reshape(shape))
        flat = flat[size:]
    return tuple(results)


def _real(value: Any) -> float:
    return float("nan") if isinstance(value, mpmath.mpc) and value.imag else float(value.real)


def _alone(lambdified: Lambdified, element: sp.Expr, arguments: Sequence[Any]) -> float:
    """One element by itself, so that a division by zero costs no other element its value."""
    try:
        return _real(sp.lambdify(lambdified.arguments, element, modules="mpmath")(*arguments))
    except (ZeroDivisionError, ValueError):
        return float("nan")
