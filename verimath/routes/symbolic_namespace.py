"""The functions of the array API standard that formulas may use, on arrays of sympy expressions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sympy as sp

from verimath.routes.symbolic_array import (
    Objects,
    SymbolicArray,
    as_expressions,
    cells_of,
    elementwise,
    index_of,
)

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


_ZERO: Any = sp.Integer(0)
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
        return elementwise(sp.sign, found), elementwise(lambda d: sp.log(sp.Abs(d)), found)

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
            return elementwise(sp.sqrt, NAMESPACE.sum(x * x, axis=axis, keepdims=keepdims))
        if ord == 1:
            return NAMESPACE.sum(abs(x), axis=axis, keepdims=keepdims)
        return NAMESPACE.max(abs(x), axis=axis, keepdims=keepdims)

    def __getattr__(self, name: str) -> Any:
        return getattr(NAMESPACE, name)


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
        return lambda x: SymbolicArray(apply(cells_of(x)))

    def asarray(self, values: Any, *, dtype: Any = None, device: Any = None) -> SymbolicArray:
        return SymbolicArray(cells_of(values))

    def sum(self, x: Any, *, axis: Any = None, keepdims: bool = False) -> SymbolicArray:
        return SymbolicArray(_sum(cells_of(x), axis, keepdims))

    def mean(self, x: Any, *, axis: Any = None, keepdims: bool = False) -> SymbolicArray:
        cells = cells_of(x)
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
        return SymbolicArray(as_expressions(np.tensordot(a.cells, b.cells, axes=axes)))

    def vecdot(self, a: SymbolicArray, b: SymbolicArray, *, axis: int = -1) -> SymbolicArray:
        return self.sum(a * b, axis=axis)

    def reshape(self, x: SymbolicArray, shape: Any) -> SymbolicArray:
        return SymbolicArray(x.cells.reshape(shape))

    def expand_dims(self, x: SymbolicArray, *, axis: int = 0) -> SymbolicArray:
        return SymbolicArray(np.expand_dims(x.cells, axis))

    def squeeze(self, x: SymbolicArray, axis: Any) -> SymbolicArray:
        return SymbolicArray(np.squeeze(x.cells, axis))

    def broadcast_to(self, x: Any, shape: Any) -> SymbolicArray:
        return SymbolicArray(np.broadcast_to(cells_of(x), shape))

    def ones(self, shape: Any, *, dtype: Any = None, device: Any = None) -> SymbolicArray:
        return SymbolicArray(np.full(shape, sp.Integer(1), dtype=object))

    def ones_like(self, x: SymbolicArray) -> SymbolicArray:
        return self.ones(x.shape)

    def eye(self, n: int, *, dtype: Any = None, device: Any = None) -> SymbolicArray:
        cells = [[sp.Integer(int(i == j)) for j in range(n)] for i in range(n)]
        return SymbolicArray(np.asarray(cells, dtype=object).reshape(n, n))

    def add(self, a: Any, b: Any) -> SymbolicArray:
        return SymbolicArray(cells_of(a) + cells_of(b))

    def subtract(self, a: Any, b: Any) -> SymbolicArray:
        return SymbolicArray(cells_of(a) - cells_of(b))

    def multiply(self, a: Any, b: Any) -> SymbolicArray:
        return SymbolicArray(cells_of(a) * cells_of(b))

    def divide(self, a: Any, b: Any) -> SymbolicArray:
        return SymbolicArray(cells_of(a) / cells_of(b))

    def pow(self, x: Any, exponent: Any) -> SymbolicArray:
        return SymbolicArray(cells_of(x)) ** exponent

    def square(self, x: Any) -> SymbolicArray:
        return self.pow(x, 2)

    # --- comparisons and choices ---

    def less(self, a: Any, b: Any) -> SymbolicArray:
        return elementwise(sp.Lt, a, b)

    def less_equal(self, a: Any, b: Any) -> SymbolicArray:
        return elementwise(sp.Le, a, b)

    def greater(self, a: Any, b: Any) -> SymbolicArray:
        return elementwise(sp.Gt, a, b)

    def greater_equal(self, a: Any, b: Any) -> SymbolicArray:
        return elementwise(sp.Ge, a, b)

    def equal(self, a: Any, b: Any) -> SymbolicArray:
        return elementwise(sp.Eq, a, b)

    def not_equal(self, a: Any, b: Any) -> SymbolicArray:
        return elementwise(sp.Ne, a, b)

    def logical_and(self, a: Any, b: Any) -> SymbolicArray:
        return elementwise(sp.And, a, b)

    def logical_or(self, a: Any, b: Any) -> SymbolicArray:
        return elementwise(sp.Or, a, b)

    def logical_not(self, a: Any) -> SymbolicArray:
        return elementwise(sp.Not, a)

    def where(self, mask: Any, a: Any, b: Any) -> SymbolicArray:
        return elementwise(lambda m, x, y: _piecewise((x, m), (y, True)), mask, a, b)

    def astype(self, x: SymbolicArray, dtype: Any, *, copy: bool = True) -> SymbolicArray:
        # A symbol counts as a Boolean, too, but it is a number.
        if not x.size or isinstance(x.cells.flat[0], sp.Expr):
            return x
        return self.where(x, 1, 0)

    def maximum(self, a: Any, b: Any) -> SymbolicArray:
        return elementwise(sp.Max, a, b)

    def minimum(self, a: Any, b: Any) -> SymbolicArray:
        return elementwise(sp.Min, a, b)

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
        cells = cells_of(x)
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
        return elementwise(
            sp.sqrt, self.var(x, axis=axis, correction=correction, keepdims=keepdims)
        )

    def tril(self, x: SymbolicArray, *, k: int = 0) -> SymbolicArray:
        return SymbolicArray(np.where(np.tri(*x.shape[-2:], k=k) > 0, x.cells, _ZERO))

    def triu(self, x: SymbolicArray, *, k: int = 0) -> SymbolicArray:
        return SymbolicArray(np.where(np.tri(*x.shape[-2:], k=k - 1) > 0, _ZERO, x.cells))

    # --- moving elements ---

    def arange(self, start: int, stop: int | None = None, step: int = 1, **_: Any) -> SymbolicArray:
        found = range(start) if stop is None else range(start, stop, step)
        return SymbolicArray(np.asarray([sp.Integer(i) for i in found], dtype=object))

    def take(self, x: SymbolicArray, indices: Any, *, axis: Any = None) -> SymbolicArray:
        return SymbolicArray(np.take(x.cells, index_of(indices), axis=0 if axis is None else axis))

    def take_along_axis(self, x: SymbolicArray, indices: Any, *, axis: int = -1) -> SymbolicArray:
        return SymbolicArray(np.take_along_axis(x.cells, index_of(indices), axis=axis))

    def flip(self, x: SymbolicArray, *, axis: Any = None) -> SymbolicArray:
        return SymbolicArray(np.flip(x.cells, axis))

    def concat(self, arrays: Sequence[Any], *, axis: Any = 0) -> SymbolicArray:
        return SymbolicArray(np.concatenate([cells_of(x) for x in arrays], axis=axis))

    def stack(self, arrays: Sequence[Any], *, axis: int = 0) -> SymbolicArray:
        return SymbolicArray(np.stack([cells_of(x) for x in arrays], axis=axis))

    def cumulative_sum(self, x: SymbolicArray, *, axis: Any = None) -> SymbolicArray:
        return SymbolicArray(np.add.accumulate(x.cells, axis=0 if axis is None else axis))

    def cumulative_prod(self, x: SymbolicArray, *, axis: Any = None) -> SymbolicArray:
        return SymbolicArray(np.multiply.accumulate(x.cells, axis=0 if axis is None else axis))

    def zeros(self, shape: Any, **_: Any) -> SymbolicArray:
        return self.full(shape, 0)

    def zeros_like(self, x: SymbolicArray) -> SymbolicArray:
        return self.full(x.shape, 0)

    def full(self, shape: Any, fill_value: Any, **_: Any) -> SymbolicArray:
        return SymbolicArray(np.broadcast_to(cells_of(fill_value), shape))

    def full_like(self, x: SymbolicArray, fill_value: Any) -> SymbolicArray:
        return self.full(x.shape, fill_value)

    def composite(
        self, composite: Any, arrays: Sequence[Any], options: Mapping[str, Any]
    ) -> SymbolicArray:
        """A named function by its definition (see `verimath.composites`)."""
        if composite.name in _FUNCTIONS:
            return elementwise(_FUNCTIONS[composite.name], *arrays)
        return composite.definition(*arrays, **options)


NAMESPACE = _Namespace()
