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
from verimath.claim import AtMost, Converges, Derivative, Equal, Hessian, Statement
from verimath.errors import ClaimError
from verimath.formula.complex_array import apart, joined
from verimath.formula.literals import read_exponent, read_literal
from verimath.tangent import without

Objects = NDArray[np.object_]
# Lambdified expressions run at this many bits: log(1 + x) keeps float64's digits for the least x.
_PRECISION = 1152

_FUNCTIONS: dict[str, Any] = {
    "negative": lambda x: -x,
    "exp": sp.exp,
    "log": sp.log,
    "sqrt": sp.sqrt,
    "sin": sp.sin,
    "cos": sp.cos,
    "tanh": sp.tanh,
    "abs": sp.Abs,
    "sign": sp.sign,
    "expm1": lambda x: sp.exp(x) - 1,
    "log1p": lambda x: sp.log(x + 1),
    "tan": sp.tan,
    "asin": sp.asin,
    "acos": sp.acos,
    "atan": sp.atan,
    "sinh": sp.sinh,
    "cosh": sp.cosh,
    "asinh": sp.asinh,
    "acosh": sp.acosh,
    "atanh": sp.atanh,
    "erf": sp.erf,
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
        inexact = isinstance(exponent, float)
        power = exact(read_exponent(exponent)) if inexact else _cells(exponent)
        return SymbolicArray(self.cells**power)

    def __neg__(self) -> "SymbolicArray":
        return SymbolicArray(-self.cells)

    def __pos__(self) -> "SymbolicArray":
        return self

    def __getitem__(self, key: Any) -> "SymbolicArray":
        keys = key if isinstance(key, tuple) else (key,)
        return SymbolicArray(self.cells[tuple(map(_index, keys))])

    __radd__ = __add__
    __rmul__ = __mul__

    def __abs__(self) -> "SymbolicArray":
        return _map(sp.Abs, self)

    def __lt__(self, other: Any) -> "SymbolicArray":
        return _map(sp.Lt, self, other)

    def __le__(self, other: Any) -> "SymbolicArray":
        return _map(sp.Le, self, other)

    def __gt__(self, other: Any) -> "SymbolicArray":
        return _map(sp.Gt, self, other)

    def __ge__(self, other: Any) -> "SymbolicArray":
        return _map(sp.Ge, self, other)

    def __eq__(self, other: object) -> "SymbolicArray":  # pyright: ignore[reportIncompatibleMethodOverride]
        return _map(sp.Eq, self, other)

    def __ne__(self, other: object) -> "SymbolicArray":  # pyright: ignore[reportIncompatibleMethodOverride]
        return _map(sp.Ne, self, other)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __invert__(self) -> "SymbolicArray":
        return _map(sp.Not, self)

    def __and__(self, other: Any) -> "SymbolicArray":
        return _map(sp.And, self, other)

    def __or__(self, other: Any) -> "SymbolicArray":
        return _map(sp.Or, self, other)


def _map(function: Any, *x: Any) -> SymbolicArray:
    """A function of expressions on every element, broadcast."""
    return SymbolicArray(np.frompyfunc(function, len(x), 1)(*map(_cells, x)))


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


def _index(key: Any) -> Any:
    """An index as numpy takes it: arrays of integers are sympy's here.

    Raises ClaimError for an index that is a symbol.
    """
    if not isinstance(key, SymbolicArray):
        return key
    if not all(isinstance(cell, sp.Integer) for cell in key.cells.ravel()):
        raise ClaimError("an index that is a symbol")
    return key.cells.astype(np.int64)


_ZERO: Any = sp.Integer(0)
_TRUE: Any = sp.true
_ONE: Any = sp.Integer(1)
_HALF: Any = sp.Rational(1, 2)
_piecewise: Any = sp.Piecewise


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

    def solve(self, a: SymbolicArray, b: SymbolicArray) -> SymbolicArray:
        if b.ndim == 1:
            return SymbolicArray(_matrices(_cramer, a.cells, b.cells[:, None])[..., 0])
        return SymbolicArray(_matrices(_cramer, a.cells, b.cells))

    def inv(self, a: SymbolicArray) -> SymbolicArray:
        return SymbolicArray(_matrices(lambda m: _cramer(m, sp.eye(m.rows)), a.cells))

    def det(self, a: SymbolicArray) -> SymbolicArray:
        return SymbolicArray(_matrices(lambda m: m.det(method="berkowitz"), a.cells))

    def slogdet(self, a: SymbolicArray) -> tuple[SymbolicArray, SymbolicArray]:
        found = self.det(a)
        return _map(sp.sign, found), _map(lambda d: sp.log(sp.Abs(d)), found)

    def cholesky(self, a: SymbolicArray, *, upper: bool = False) -> SymbolicArray:
        lower = SymbolicArray(_matrices(_lower_factor, a.cells))
        return lower.mT if upper else lower

    def matrix_power(self, a: SymbolicArray, n: int) -> SymbolicArray:
        return SymbolicArray(_matrices(lambda m: np.array(m**n, dtype=object), a.cells))

    def vector_norm(
        self,
        x: SymbolicArray,
        *,
        axis: Any = None,
        keepdims: bool = False,
        ord: Any = 2,  # noqa: A002
    ) -> SymbolicArray:
        if ord == 2:
            return _map(sp.sqrt, _NAMESPACE.sum(x * x, axis=axis, keepdims=keepdims))
        if ord == 1:
            return _NAMESPACE.sum(abs(x), axis=axis, keepdims=keepdims)
        return _NAMESPACE.max(abs(x), axis=axis, keepdims=keepdims)

    def __getattr__(self, name: str) -> Any:
        return getattr(_NAMESPACE, name)


def _matrices(function: Any, *arrays: Objects) -> Objects:
    """A function of sympy matrices on the last two axes of arrays."""
    lead = np.broadcast_shapes(*(cells.shape[:-2] for cells in arrays))
    spread = [np.broadcast_to(cells, lead + cells.shape[-2:]) for cells in arrays]
    found = [function(*(sp.Matrix(cells[i]) for cells in spread)) for i in np.ndindex(*lead)]
    results = [np.asarray(cells, dtype=object) for cells in found]
    return np.stack(results).reshape(lead + results[0].shape)


def _cramer(a: Any, b: Any) -> Any:
    # As an array and not a list, which has no shape where there are no rows.
    return np.array(a.adjugate() * b / a.det(method="berkowitz"), dtype=object)


def _lower_factor(a: Any) -> Any:
    """L with L L' = A, row by row (the definition, solved for one entry after the other)."""
    rows: list[list[Any]] = []
    for i in range(a.rows):
        row: list[Any] = []
        for j in range(i):
            known = sum((row[k] * rows[j][k] for k in range(j)), sp.Integer(0))
            row.append((a[i, j] - known) / rows[j][j])
        known = sum((entry**2 for entry in row), sp.Integer(0))
        rows.append([*row, sp.sqrt(a[i, i] - known), *[sp.Integer(0)] * (a.rows - i - 1)])
    return np.array(rows, dtype=object).reshape(a.shape)


class _Namespace:
    """The array API functions that formulas may use, on symbols."""

    __name__ = "verimath.symbolic"  # array_namespace compares namespaces by name

    float32 = float64 = "real"
    int32 = int64 = "integer"
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
            shape = np.shape(np.zeros(left.shape) @ np.zeros(right.shape))
            return SymbolicArray(np.full(shape, sp.Integer(0), dtype=object))
        return SymbolicArray(left @ right)

    def matrix_transpose(self, x: SymbolicArray) -> SymbolicArray:
        return x.mT

    def permute_dims(self, x: SymbolicArray, axes: Sequence[int]) -> SymbolicArray:
        return SymbolicArray(np.transpose(x.cells, axes))

    def tensordot(self, a: SymbolicArray, b: SymbolicArray, *, axes: Any = 2) -> SymbolicArray:
        return SymbolicArray(_as_expressions(np.tensordot(a.cells, b.cells, axes=axes)))

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
        return SymbolicArray(_cells(x)) ** exponent

    def square(self, x: Any) -> SymbolicArray:
        return self.pow(x, 2)

    # --- comparisons and choices ---

    def less(self, a: Any, b: Any) -> SymbolicArray:
        return _map(sp.Lt, a, b)

    def less_equal(self, a: Any, b: Any) -> SymbolicArray:
        return _map(sp.Le, a, b)

    def greater(self, a: Any, b: Any) -> SymbolicArray:
        return _map(sp.Gt, a, b)

    def greater_equal(self, a: Any, b: Any) -> SymbolicArray:
        return _map(sp.Ge, a, b)

    def equal(self, a: Any, b: Any) -> SymbolicArray:
        return _map(sp.Eq, a, b)

    def not_equal(self, a: Any, b: Any) -> SymbolicArray:
        return _map(sp.Ne, a, b)

    def logical_and(self, a: Any, b: Any) -> SymbolicArray:
        return _map(sp.And, a, b)

    def logical_or(self, a: Any, b: Any) -> SymbolicArray:
        return _map(sp.Or, a, b)

    def logical_not(self, a: Any) -> SymbolicArray:
        return _map(sp.Not, a)

    def where(self, mask: Any, a: Any, b: Any) -> SymbolicArray:
        return _map(lambda m, x, y: _piecewise((x, m), (y, True)), mask, a, b)

    def astype(self, x: SymbolicArray, dtype: Any, *, copy: bool = True) -> SymbolicArray:
        # A symbol counts as a Boolean, too, but it is a number.
        if not x.size or isinstance(x.cells.flat[0], sp.Expr):
            return x
        return self.where(x, 1, 0)

    def maximum(self, a: Any, b: Any) -> SymbolicArray:
        return _map(sp.Max, a, b)

    def minimum(self, a: Any, b: Any) -> SymbolicArray:
        return _map(sp.Min, a, b)

    def clip(self, x: Any, min: Any = None, max: Any = None) -> SymbolicArray:  # noqa: A002
        low = x if min is None else self.maximum(x, min)
        return low if max is None else self.minimum(low, max)

    def max(self, x: Any, *, axis: Any = None, keepdims: bool = False) -> SymbolicArray:
        return self._reduced(sp.Max, x, axis, keepdims)

    def min(self, x: Any, *, axis: Any = None, keepdims: bool = False) -> SymbolicArray:
        return self._reduced(sp.Min, x, axis, keepdims)

    def prod(self, x: Any, *, axis: Any = None, keepdims: bool = False) -> SymbolicArray:
        return self._reduced(sp.Mul, x, axis, keepdims)

    def _reduced(self, function: Any, x: Any, axis: Any, keepdims: bool) -> SymbolicArray:
        cells = _cells(x)
        rank = range(cells.ndim)
        axes = rank if axis is None else axis if isinstance(axis, tuple) else (axis,)
        summed = {a % cells.ndim for a in axes}
        kept = [k for k in rank if k not in summed]
        moved = np.transpose(cells, (*kept, *sorted(summed)))
        shape = tuple(cells.shape[k] for k in kept)
        found = np.empty(shape, dtype=object)
        for index in np.ndindex(*shape):
            found[index] = function(*moved[index].ravel()) if summed else moved[index]
        if keepdims:
            found = found.reshape([1 if k in summed else cells.shape[k] for k in rank])
        return SymbolicArray(found)

    def var(
        self, x: Any, *, axis: Any = None, correction: Any = 0, keepdims: bool = False
    ) -> SymbolicArray:
        off = x - self.mean(x, axis=axis, keepdims=True)
        total = self.sum(off * off, axis=axis, keepdims=keepdims)
        count = off.size // max(total.size, 1)
        return total / (count - correction)

    def std(
        self, x: Any, *, axis: Any = None, correction: Any = 0, keepdims: bool = False
    ) -> SymbolicArray:
        return _map(sp.sqrt, self.var(x, axis=axis, correction=correction, keepdims=keepdims))

    def tril(self, x: SymbolicArray, *, k: int = 0) -> SymbolicArray:
        return SymbolicArray(np.where(np.tri(*x.shape[-2:], k=k) > 0, x.cells, _ZERO))

    def triu(self, x: SymbolicArray, *, k: int = 0) -> SymbolicArray:
        return SymbolicArray(np.where(np.tri(*x.shape[-2:], k=k - 1) > 0, _ZERO, x.cells))

    # --- moving elements ---

    def arange(self, start: int, stop: int | None = None, step: int = 1, **_: Any) -> SymbolicArray:
        found = range(start) if stop is None else range(start, stop, step)
        return SymbolicArray(np.asarray([sp.Integer(i) for i in found], dtype=object))

    def take(self, x: SymbolicArray, indices: Any, *, axis: Any = None) -> SymbolicArray:
        return SymbolicArray(np.take(x.cells, _index(indices), axis=0 if axis is None else axis))

    def take_along_axis(self, x: SymbolicArray, indices: Any, *, axis: int = -1) -> SymbolicArray:
        return SymbolicArray(np.take_along_axis(x.cells, _index(indices), axis=axis))

    def flip(self, x: SymbolicArray, *, axis: Any = None) -> SymbolicArray:
        return SymbolicArray(np.flip(x.cells, axis))

    def concat(self, arrays: Sequence[Any], *, axis: Any = 0) -> SymbolicArray:
        return SymbolicArray(np.concatenate([_cells(x) for x in arrays], axis=axis))

    def stack(self, arrays: Sequence[Any], *, axis: int = 0) -> SymbolicArray:
        return SymbolicArray(np.stack([_cells(x) for x in arrays], axis=axis))

    def cumulative_sum(self, x: SymbolicArray, *, axis: Any = None) -> SymbolicArray:
        return SymbolicArray(np.add.accumulate(x.cells, axis=0 if axis is None else axis))

    def cumulative_prod(self, x: SymbolicArray, *, axis: Any = None) -> SymbolicArray:
        return SymbolicArray(np.multiply.accumulate(x.cells, axis=0 if axis is None else axis))

    def zeros(self, shape: Any, **_: Any) -> SymbolicArray:
        return self.full(shape, 0)

    def zeros_like(self, x: SymbolicArray) -> SymbolicArray:
        return self.full(x.shape, 0)

    def full(self, shape: Any, fill_value: Any, **_: Any) -> SymbolicArray:
        return SymbolicArray(np.broadcast_to(_cells(fill_value), shape))

    def full_like(self, x: SymbolicArray, fill_value: Any) -> SymbolicArray:
        return self.full(x.shape, fill_value)

    def composite(
        self, composite: Any, arrays: Sequence[Any], options: Mapping[str, Any]
    ) -> SymbolicArray:
        """A named function by its definition (see `verimath.composites`)."""
        if composite.name in _FUNCTIONS:
            return _map(_FUNCTIONS[composite.name], *arrays)
        return composite.definition(*arrays, **options)


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
    result = function(*joined({name: SymbolicArray(cells) for name, cells in inputs.items()}))
    results, _ = apart(result if isinstance(result, tuple) else (result,))
    return tuple(_cells(r) for r in results)


def entries(statement: Statement, inputs: Mapping[str, Objects]) -> tuple[Objects, ...]:
    """The wanted value by sympy: functions are differentiated symbol by symbol.

    Raises ClaimError if the formulas don't run on symbols.
    """
    try:
        match statement:
            case Derivative():
                value = call(statement.of, inputs)[0]
                if isinstance(statement, Hessian):
                    value = _slopes(value, inputs[statement.wrt_names[0]])
                slopes = [_slopes(value, inputs[name]) for name in statement.wrt_names]
                rests = map(without, statement.parts(), slopes)
                return tuple(_as_expressions(rest) for rest in rests)
            case Equal():
                return call(statement.left, inputs)
            case AtMost():
                return call(statement.of, inputs)
            case Converges():
                return call(statement.to, inputs)
    except (TypeError, ValueError, AttributeError) as error:
        raise ClaimError(f"the formula doesn't run on symbols: {error}") from error


def _as_expressions(cells: Objects) -> Objects:
    """The same with sympy's zero for Python's, which a triangle is filled up with."""
    return np.asarray(
        np.frompyfunc(lambda x: sp.Integer(x) if isinstance(x, int) else x, 1, 1)(cells),
        dtype=object,
    )


def _slopes(value: Objects, by: Objects) -> Objects:
    """The derivative of every element by every symbol; of shape value + by."""
    found = np.empty(value.shape + by.shape, dtype=object)
    for index in np.ndindex(*value.shape):
        for place in np.ndindex(*by.shape):
            found[index + place] = sp.diff(value[index], by[place])
    return found


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
    flat: list[Any] = [
        sp.nan if cell.has(sp.zoo, sp.nan) else cell for cells in outputs for cell in cells.ravel()
    ]
    flat = [cell.replace(sp.Heaviside, _heaviside) for cell in flat]
    run = sp.lambdify(arguments, flat, modules="mpmath", cse=True)
    shapes_out = tuple(cells.shape for cells in outputs)
    return Lambdified(shapes_out, run, tuple(inputs), tuple(arguments), tuple(flat))


def _heaviside(x: Any, at_zero: Any = _HALF) -> Any:
    """A step that mpmath can evaluate."""
    return _piecewise((_ZERO, x < 0), (_ONE, x > 0), (at_zero, _TRUE))


def numeric_value(
    lambdified: Lambdified, inputs: Mapping[str, NDArray[Any]]
) -> tuple[NDArray[np.float64], ...]:
    """The value on numbers: every float is taken exactly, the result is rounded once.

    NaN where the expression has no real value, as at a division by zero.
    """
    # As sympy writes it the value may cancel, exp(x) - 1 at a tiny x, so bits are added until eight
    # times as many change nothing.
    flat = _run_at(_PRECISION, lambdified, inputs)
    for precision in (8 * _PRECISION, 64 * _PRECISION):
        before, flat = flat, _run_at(precision, lambdified, inputs)
        if np.array_equal(before, flat, equal_nan=True):
            break
    results: list[NDArray[np.float64]] = []
    for shape in lambdified.shapes:
        size = int(np.prod(shape, dtype=np.int64))
        results.append(np.asarray(flat[:size], dtype=np.float64).reshape(shape))
        flat = flat[size:]
    return tuple(results)


def _run_at(
    precision: int, lambdified: Lambdified, inputs: Mapping[str, NDArray[Any]]
) -> list[float]:
    """Every element's value at so many bits."""
    with mpmath.workprec(precision):
        arguments = [
            mpmath.mpf(float(x)) for name in lambdified.order for x in inputs[name].ravel()
        ]
        try:
            return [_real(x) for x in lambdified.run(*arguments)]
        except (ZeroDivisionError, ValueError):
            return [_alone(lambdified, element, arguments) for element in lambdified.elements]


def _real(value: Any) -> float:
    return float("nan") if isinstance(value, mpmath.mpc) and value.imag else float(value.real)


def _alone(lambdified: Lambdified, element: sp.Expr, arguments: Sequence[Any]) -> float:
    """One element by itself, so that a division by zero costs no other element its value."""
    try:
        return _real(sp.lambdify(lambdified.arguments, element, modules="mpmath")(*arguments))
    except (ZeroDivisionError, ValueError):
        return float("nan")
