"""The functions of the array API standard that formulas may use, on traced arrays.

Most are one operation; the rest are written in terms of others, as the standard defines them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from verimath.formula import operations as op
from verimath.formula.dimension import Dimension, dimension, size_of
from verimath.formula.graph import Body, Node, Subscripts
from verimath.formula.source import here, refused
from verimath.formula.traced import (
    TracedArray,
    apply,
    as_array,
    as_node,
    axes_of,
    build,
    compare,
    power,
)
from verimath.shapes import ONE, Size, shape_text, total_size


class _Linalg:
    """The `linalg` extension of the namespace."""

    def __getattr__(self, name: str) -> Any:
        if name in ("matmul", "matrix_transpose", "tensordot", "vecdot"):
            return getattr(NAMESPACE, name)
        raise refused(f"`xp.linalg.{name}` is not an operation of formulas yet")

    def trace(self, x: TracedArray) -> TracedArray:
        batch = self._batch(x)
        return apply(op.einsum, Subscripts(((*batch, x.ndim, x.ndim),), batch), x.node)

    def diagonal(self, x: TracedArray) -> TracedArray:
        batch, last = self._batch(x), x.ndim
        return apply(op.einsum, Subscripts(((*batch, last, last),), (*batch, last)), x.node)

    def _batch(self, x: TracedArray) -> tuple[int, ...]:
        if x.ndim < 2:
            raise refused(f"a trace or diagonal of an array of {x.ndim} axes; wanted at least 2")
        return tuple(range(x.ndim - 2))

    def outer(self, a: TracedArray, b: TracedArray) -> TracedArray:
        if (a.ndim, b.ndim) != (1, 1):
            raise refused(
                f"an outer product of arrays of {a.ndim} and {b.ndim} axes; wanted 1 and 1"
            )
        return apply(op.einsum, Subscripts(((0,), (1,)), (0, 1)), a.node, b.node)

    def solve(self, a: TracedArray, b: TracedArray) -> TracedArray:
        if b.ndim != 1:
            return apply(op.solve, a.node, b.node)
        found = apply(op.solve, a.node, b[:, None].node)
        return found[..., 0]

    def inv(self, a: TracedArray) -> TracedArray:
        return apply(op.inverse, a.node)

    def det(self, a: TracedArray) -> TracedArray:
        return apply(op.determinant, a.node)

    def slogdet(self, a: TracedArray) -> tuple[TracedArray, TracedArray]:
        found = self.det(a)
        return NAMESPACE.sign(found), NAMESPACE.log(abs(found))

    def cholesky(self, a: TracedArray, *, upper: Any = False) -> TracedArray:
        lower = apply(op.cholesky, a.node)
        return lower.mT if upper else lower

    def matrix_power(self, a: TracedArray, n: int) -> TracedArray:
        if not isinstance(n, int) or n < 1:
            raise refused(f"a matrix power with exponent {n!r}; wanted an integer of at least 1")
        found = a
        for _ in range(n - 1):
            found = found @ a
        return found

    def vector_norm(
        self,
        x: TracedArray,
        *,
        axis: Any = None,
        keepdims: Any = False,
        ord: Any = 2,  # noqa: A002
    ) -> TracedArray:
        xp = NAMESPACE
        if ord == 2:
            return xp.sqrt(xp.sum(x * x, axis=axis, keepdims=keepdims))
        if ord == 1:
            return xp.sum(abs(x), axis=axis, keepdims=keepdims)
        if ord == float("inf"):
            return xp.max(abs(x), axis=axis, keepdims=keepdims)
        raise refused(f"a vector norm with ord={ord!r}; wanted 1, 2 or inf")


# Functions of ours that the standard doesn't have: they come from `verimath.composites`.
_NOT_STANDARD = frozenset({"erf"})


class Namespace:
    """The functions of the array API standard that formulas may use."""

    __name__ = "verimath.traced"  # array_namespace compares namespaces by name

    float32 = float64 = "real"
    int32 = int64 = "integer"
    pi = 3.141592653589793
    e = 2.718281828459045
    newaxis = None
    linalg = _Linalg()

    def __getattr__(self, name: str) -> Any:
        if name in op.FUNCTIONS and name not in _NOT_STANDARD:
            return lambda x: apply(op.function, name, as_node(x))
        if name.startswith("__"):
            raise AttributeError(name)
        own = {n for n in dir(type(self)) if not n.startswith("_")} - {"composite"}
        known = sorted(own | (set(op.FUNCTIONS) - _NOT_STANDARD))
        raise refused(f"`xp.{name}` is not an operation of formulas yet; known: {', '.join(known)}")

    def add(self, a: Any, b: Any) -> TracedArray:
        return apply(op.add, as_node(a), as_node(b))

    def subtract(self, a: Any, b: Any) -> TracedArray:
        return apply(op.subtract, as_node(a), as_node(b))

    def multiply(self, a: Any, b: Any) -> TracedArray:
        return apply(op.multiply, as_node(a), as_node(b))

    def divide(self, a: Any, b: Any) -> TracedArray:
        return apply(op.divide, as_node(a), as_node(b))

    def pow(self, x: Any, exponent: Any) -> TracedArray:
        return power(x, exponent)

    def square(self, x: Any) -> TracedArray:
        return self.pow(x, 2)

    def sum(self, x: Any, *, axis: Any = None, keepdims: bool = False) -> TracedArray:
        node = as_node(x)
        return apply(_keeping(keepdims), node, axes_of(node, axis))

    def mean(self, x: Any, *, axis: Any = None, keepdims: bool = False) -> TracedArray:
        node = as_node(x)
        count = total_size(node.shape[a] for a in axes_of(node, axis))
        return self.sum(x, axis=axis, keepdims=keepdims) / dimension(count)

    def matmul(self, a: Any, b: Any) -> TracedArray:
        return apply(op.matmul, as_node(a), as_node(b))

    def matrix_transpose(self, x: TracedArray) -> TracedArray:
        if x.ndim < 2:
            raise refused(f"a matrix transpose of an array of {x.ndim} axes; wanted at least 2")
        rank = list(range(x.ndim))
        return self.permute_dims(x, (*rank[:-2], rank[-1], rank[-2]))

    def permute_dims(self, x: TracedArray, axes: Sequence[int]) -> TracedArray:
        order = axes_of(x.node, tuple(axes))
        if sorted(order) != list(range(x.ndim)):
            raise refused(f"axes {tuple(axes)} are no permutation of the {x.ndim} axes")
        return apply(op.permute, x.node, order)

    def tensordot(self, a: TracedArray, b: TracedArray, *, axes: Any = 2) -> TracedArray:
        if isinstance(axes, int):
            if not 0 <= axes <= min(a.ndim, b.ndim):
                raise refused(f"a product over {axes} axes of arrays of {a.ndim} and {b.ndim} axes")
            axes = (tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes)))
        left, right = axes_of(a.node, tuple(axes[0])), axes_of(b.node, tuple(axes[1]))
        if len(left) != len(right):
            raise refused(f"axes {axes}: as many axes of one array as of the other")
        first = tuple(range(a.ndim))
        second = [a.ndim + axis for axis in range(b.ndim)]
        for i, j in zip(left, right, strict=True):
            second[j] = first[i]
        output = tuple(i for i in (*first, *second) if not (i in first and i in second))
        return apply(op.einsum, Subscripts((first, tuple(second)), output), a.node, b.node)

    def vecdot(self, a: TracedArray, b: TracedArray, *, axis: int = -1) -> TracedArray:
        if axis >= 0:
            raise refused(
                f"axis={axis} of a vecdot; wanted a negative one, counted from the last axis"
            )
        along = [x.node.shape[axes_of(x.node, axis)[0]] for x in (a, b)]
        if along[0] != along[1]:
            raise refused(f"a vecdot over axes of sizes {along[0]} and {along[1]}")
        return self.sum(self.multiply(a, b), axis=axis)

    def reshape(self, x: TracedArray, shape: Any) -> TracedArray:
        wanted = shape if isinstance(shape, tuple | list) else (shape,)
        if any(isinstance(n, int) and n == -1 for n in wanted):
            raise refused("a reshape with -1; write the size, as in (x.shape[0], 1)")
        return apply(op.reshape, x.node, [size_of(n) for n in wanted])

    def expand_dims(self, x: TracedArray, *, axis: int = 0) -> TracedArray:
        if not -x.ndim - 1 <= axis <= x.ndim:
            raise refused(f"axis {axis} to expand an array of {x.ndim} axes")
        at = axis % (x.ndim + 1)
        return apply(op.reshape, x.node, [*x.node.shape[:at], ONE, *x.node.shape[at:]])

    def squeeze(self, x: TracedArray, axis: Any) -> TracedArray:
        axes = axes_of(x.node, axis)
        if any(x.node.shape[a] != ONE for a in axes):
            raise refused(
                f"a squeeze of an axis of {shape_text(x.node.shape)} that is not 1 everywhere"
            )
        kept = [size for a, size in enumerate(x.node.shape) if a not in axes]
        return apply(op.reshape, x.node, kept)

    def broadcast_to(self, x: Any, shape: Sequence[Any]) -> TracedArray:
        return apply(op.broadcast, as_node(x), [size_of(n) for n in shape])

    def asarray(self, values: Any, *, dtype: Any = None, device: Any = None) -> TracedArray:
        if isinstance(values, TracedArray):
            return values
        if isinstance(values, Dimension):
            return apply(op.size, values.size)
        return apply(op.table, values)

    def astype(self, x: TracedArray, dtype: Any, *, copy: Any = True) -> TracedArray:
        if dtype == x.node.kind:
            return x
        if dtype != "real":
            raise refused(
                f"{x.node.kind}s as {dtype}s; only integers and masks become real numbers"
            )
        return apply(op.convert, x.node)

    def arange(
        self, start: Any, stop: Any = None, step: int = 1, *, dtype: Any = None, device: Any = None
    ) -> TracedArray:
        first, last = (0, start) if stop is None else (start, stop)
        if step not in (1, -1):
            raise refused(f"an arange with step {step!r}; wanted 1 or -1 (multiply it afterwards)")
        low, high = (_whole(n) for n in ((first, last) if step == 1 else (last, first)))
        count = high + low * -1
        return TracedArray(op.window(count, _whole(first), step=step, line=here()))

    def ones(self, shape: Any, *, dtype: Any = None, device: Any = None) -> TracedArray:
        return self.broadcast_to(1, shape if isinstance(shape, tuple | list) else (shape,))

    def ones_like(self, x: TracedArray) -> TracedArray:
        return apply(op.broadcast, op.constant(1), x.node.shape)

    def zeros(self, shape: Any, *, dtype: Any = None, device: Any = None) -> TracedArray:
        return self.full(shape, 0)

    def zeros_like(self, x: TracedArray) -> TracedArray:
        return apply(op.broadcast, op.constant(0), x.node.shape)

    def full(
        self, shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None
    ) -> TracedArray:
        return self.broadcast_to(fill_value, shape if isinstance(shape, tuple | list) else (shape,))

    def full_like(self, x: TracedArray, fill_value: Any) -> TracedArray:
        return apply(op.broadcast, as_node(fill_value), x.node.shape)

    def eye(self, n: Any, *, dtype: Any = None, device: Any = None) -> TracedArray:
        return apply(op.delta, size_of(n))

    # --- comparisons and choices ---

    def less(self, a: Any, b: Any) -> TracedArray:
        return compare("less", a, b)

    def less_equal(self, a: Any, b: Any) -> TracedArray:
        return compare("less_equal", a, b)

    def greater(self, a: Any, b: Any) -> TracedArray:
        return compare("less", b, a)

    def greater_equal(self, a: Any, b: Any) -> TracedArray:
        return compare("less_equal", b, a)

    def equal(self, a: Any, b: Any) -> TracedArray:
        return compare("equal", a, b)

    def not_equal(self, a: Any, b: Any) -> TracedArray:
        return ~compare("equal", a, b)

    def logical_and(self, a: Any, b: Any) -> TracedArray:
        return apply(op.logical, "and", as_node(a), as_node(b))

    def logical_or(self, a: Any, b: Any) -> TracedArray:
        return apply(op.logical, "or", as_node(a), as_node(b))

    def logical_not(self, a: Any) -> TracedArray:
        return apply(op.logical, "not", as_node(a))

    def where(self, mask: Any, a: Any, b: Any) -> TracedArray:
        return apply(op.where, as_node(mask), as_node(a), as_node(b))

    def maximum(self, a: Any, b: Any) -> TracedArray:
        return apply(op.maximum, as_node(a), as_node(b))

    def minimum(self, a: Any, b: Any) -> TracedArray:
        return -self.maximum(-as_array(a), -as_array(b))

    def clip(self, x: TracedArray, min: Any = None, max: Any = None) -> TracedArray:  # noqa: A002
        low = x if min is None else self.maximum(x, min)
        return low if max is None else self.minimum(low, max)

    def max(self, x: TracedArray, *, axis: Any = None, keepdims: Any = False) -> TracedArray:
        return _reduce(op.max_, x, axis, keepdims)

    def min(self, x: TracedArray, *, axis: Any = None, keepdims: Any = False) -> TracedArray:
        return -self.max(-x, axis=axis, keepdims=keepdims)

    def tril(self, x: TracedArray, *, k: int = 0) -> TracedArray:
        return self._band(x, lambda row, column: column <= row + k)

    def triu(self, x: TracedArray, *, k: int = 0) -> TracedArray:
        return self._band(x, lambda row, column: column >= row + k)

    def _band(self, x: TracedArray, kept: Callable[[Any, Any], TracedArray]) -> TracedArray:
        if x.ndim < 2:
            raise refused(f"a triangle of an array of {x.ndim} axes; wanted at least 2")
        row = self.arange(x.shape[-2])[:, None]
        return self.where(kept(row, self.arange(x.shape[-1])), x, 0)

    # --- moving elements ---

    def take(self, x: TracedArray, indices: Any, *, axis: Any = None) -> TracedArray:
        if axis is None and x.ndim != 1:
            raise refused(f"a take from an array of {x.ndim} axes; say which axis")
        (place,) = axes_of(x.node, 0 if axis is None else axis)
        return apply(op.gather, x.node, as_node(indices), place)

    def take_along_axis(self, x: TracedArray, indices: Any, *, axis: int = -1) -> TracedArray:
        return _take_along(self, x, indices, axes_of(x.node, axis)[0])

    def flip(self, x: TracedArray, *, axis: Any = None) -> TracedArray:
        for place in axes_of(x.node, axis):
            n = x.node.shape[place]
            back = op.window(n, n + -1, step=-1, line=here())
            x = apply(op.gather, x.node, back, place)
        return x

    def concat(self, arrays: Sequence[Any], *, axis: Any = 0) -> TracedArray:
        parts = [as_node(x) for x in arrays]
        if not parts:
            raise refused("a concatenation of nothing")
        if axis is None:
            parts = [op.reshape(x, (total_size(x.shape),)) for x in parts]
        (place,) = axes_of(parts[0], 0 if axis is None else axis)
        return apply(op.concatenate, parts, place)

    def stack(self, arrays: Sequence[Any], *, axis: int = 0) -> TracedArray:
        return self.concat([self.expand_dims(x, axis=axis) for x in arrays], axis=axis)

    # --- reductions ---

    def prod(self, x: TracedArray, *, axis: Any = None, keepdims: Any = False) -> TracedArray:
        return _reduce(op.product, x, axis, keepdims)

    def cumulative_sum(self, x: TracedArray, *, axis: Any = None) -> TracedArray:
        if axis is None and x.ndim != 1:
            raise refused(f"a cumulative sum of an array of {x.ndim} axes; say which axis")
        (place,) = axes_of(x.node, 0 if axis is None else axis)
        return apply(op.cumulative, x.node, place)

    def cumulative_prod(self, x: TracedArray, *, axis: Any = None) -> TracedArray:
        if axis is None and x.ndim != 1:
            raise refused(f"a cumulative product of an array of {x.ndim} axes; say which axis")
        (place,) = axes_of(x.node, 0 if axis is None else axis)
        order = [k for k in range(x.ndim) if k != place]
        rows = self.permute_dims(x, (*order, place))
        n = rows.shape[-1]
        here_, there = self.arange(n)[:, None], self.arange(n)
        kept = self.where(there <= here_, rows[..., None, :], 1)
        back = [order.index(k) if k != place else x.ndim - 1 for k in range(x.ndim)]
        return self.permute_dims(self.prod(kept, axis=-1), back)

    def var(
        self, x: TracedArray, *, axis: Any = None, correction: float = 0, keepdims: Any = False
    ) -> TracedArray:
        count = total_size(x.node.shape[a] for a in axes_of(x.node, axis))
        off = x - self.mean(x, axis=axis, keepdims=True)
        return self.sum(off * off, axis=axis, keepdims=keepdims) / (dimension(count) - correction)

    def std(
        self, x: TracedArray, *, axis: Any = None, correction: float = 0, keepdims: Any = False
    ) -> TracedArray:
        return self.sqrt(self.var(x, axis=axis, correction=correction, keepdims=keepdims))

    def composite(
        self, composite: Any, arrays: Sequence[Any], options: Mapping[str, Any]
    ) -> TracedArray:
        """A node for a named function, with all its formulas (see `verimath.composites`)."""
        return traced_composite(composite, arrays, options)


NAMESPACE = Namespace()


def _keeping(keepdims: bool) -> Callable[..., Node]:
    return lambda x, axes, *, line: op.sum_(x, axes, keepdims=keepdims, line=line)


def _whole(value: Any) -> Size:
    """A bound of an arange: an integer or a size."""
    if isinstance(value, Dimension):
        return value.size
    if isinstance(value, bool) or not isinstance(value, int):
        raise refused(f"an arange up to {value!r}; wanted integers or sizes")
    return Size.of(value)


def _reduce(
    constructor: Callable[..., Node], x: TracedArray, axis: Any, keepdims: bool
) -> TracedArray:
    """A reduction one axis after the other, the last first."""
    axes = axes_of(x.node, axis)
    found = x.node
    for place in sorted(axes, reverse=True):
        found = build(constructor, found, place)
    if keepdims:
        kept = [ONE if k in axes else n for k, n in enumerate(x.node.shape)]
        found = op.reshape(found, kept, line=here())
    return TracedArray(found)


def _take_along(xp: "Namespace", x: TracedArray, indices: Any, axis: int) -> TracedArray:
    """One element per place along an axis, through the flattened array."""
    picked = as_array(indices)
    lead, rest = x.node.shape[:axis], x.node.shape[axis + 1 :]
    if picked.node.shape[:axis] != lead or picked.node.shape[axis + 1 :] != rest:
        shapes = f"{shape_text(x.node.shape)} and {shape_text(picked.node.shape)}"
        raise refused(f"shapes {shapes} of array and indices differ in another axis than {axis}")
    place: Any = picked
    stride = ONE
    for k in reversed(range(x.ndim)):
        if k == axis:
            place = place * dimension(stride) if stride != ONE else place
        else:
            along = xp.arange(dimension(x.node.shape[k]))
            spread = xp.reshape(along, [along.shape[0] if j == k else 1 for j in range(x.ndim)])
            place = place + (spread * dimension(stride) if stride != ONE else spread)
        stride = stride * x.node.shape[k]
    flat = op.reshape(x.node, (stride,), line=here())
    return apply(op.gather, flat, place.node, 0)


def traced_composite(
    composite: Any, arrays: Sequence[Any], options: Mapping[str, Any]
) -> TracedArray:
    """A composite as one node: its formulas are traced on inputs of the same shapes."""
    operands = [as_node(x) for x in arrays]
    if composite.name in op.FUNCTIONS:
        return apply(op.function, composite.name, operands[0])
    formal = [op.input_(f"argument {k}", x.shape, x.kind) for k, x in enumerate(operands)]

    def body(function: Callable[..., Any]) -> Node:
        return as_node(function(*map(TracedArray, formal), **options))

    def pull_back(node: Node, cotangent: Node) -> list[Node | None]:
        given = [TracedArray(x) for x in (*node.inputs, node, cotangent)]
        found = composite.reverse(*given, **options)
        found = found if isinstance(found, tuple) else (found,)
        return [None if x is None else as_node(x) for x in found]

    def push_forward(node: Node, tangents: list[Node | None]) -> Node:
        given = [TracedArray(x) for x in (*node.inputs, node)]
        moved = [None if t is None else TracedArray(t) for t in tangents]
        return as_node(composite.forward(*given, *moved, **options))

    definition = body(composite.definition)
    made = Body(
        name=composite.name,
        options=tuple(options.items()),
        inputs=tuple(formal),
        definition=definition,
        orders=tuple(body(order) for order in composite.orders),
        customary=tuple(body(order) for order in composite.customary),
        pull_back=None if composite.reverse is None else pull_back,
        push_forward=None if composite.forward is None else push_forward,
        tex=composite.tex,
    )
    for order in (*made.orders, *made.customary):
        if order.shape != definition.shape:
            raise refused(f"an order of `{composite.name}` has shape {shape_text(order.shape)}")
    return apply(op.composite, made, *operands)
