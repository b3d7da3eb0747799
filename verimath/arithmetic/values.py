"""Float64 values: what each operation computes, on arrays with one leading batch axis."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verimath.formula.graph import Node, Subscripts, topological
from verimath.formula.literals import Constant
from verimath.shapes import Binding

Array = NDArray[np.float64]


def _letters(indices: tuple[int, ...]) -> str:
    return "".join("abcdefghijklmnopqrstuvwxyz"[index] for index in indices)


def equation_of(node: Node) -> str:
    """The equation that numpy.einsum wants, with the batch axis as its ellipsis."""
    return _equation(node.parameter)


@lru_cache(maxsize=1024)
def _equation(subscripts: Subscripts) -> str:
    operands = ",".join("..." + _letters(indices) for indices in subscripts.operands)
    return f"{operands}->...{_letters(subscripts.output)}"


@dataclass(frozen=True, slots=True)
class _Product:
    """How an einsum is a product of matrices: axes to lead, and where rows and columns go."""

    left: tuple[int, ...]
    right: tuple[int, ...]
    rows: bool
    columns: bool
    output: tuple[int, ...]


@lru_cache(maxsize=1024)
def _product_of(subscripts: Subscripts) -> _Product | None:
    """None for what is no product of two matrices, or of a matrix and a vector, in a batch."""
    if len(subscripts.operands) != 2:
        return None
    left, right = subscripts.operands
    summed = [i for i in left if i in right and i not in subscripts.output]
    batch = [i for i in subscripts.output if i in left and i in right]
    rows = [i for i in left if i not in right]
    columns = [i for i in right if i not in left]
    plain = len({*left}) == len(left) and len({*right}) == len(right)
    kept = {*rows, *columns} <= {*subscripts.output}
    if not (plain and kept and len(summed) == 1 and max(len(rows), len(columns)) == 1):
        return None
    order = [*batch, *rows, *columns]
    return _Product(
        (0, *(1 + left.index(i) for i in [*batch, *rows, *summed])),
        (0, *(1 + right.index(i) for i in [*batch, *summed, *columns])),
        bool(rows),
        bool(columns),
        (0, *(1 + order.index(i) for i in subscripts.output)),
    )


def contracted(node: Node, x: list[Array]) -> Array:
    """An einsum, by the library's matrix product where it is one."""
    product = _product_of(node.parameter)
    if product is None:
        return np.einsum(equation_of(node), *x)
    left, right = x[0].transpose(product.left), x[1].transpose(product.right)
    found = np.matmul(
        left if product.rows else left[..., None, :], right if product.columns else right[..., None]
    )
    if not product.rows:
        found = found[..., 0, :]
    if not product.columns:
        found = found[..., 0]
    return found.transpose(product.output)


def is_transposition(node: Node) -> bool:
    """Whether an einsum adds and multiplies nothing: every index of its one operand is kept."""
    operands, output = node.parameter.operands, node.parameter.output
    return len(operands) == 1 and sorted(operands[0]) == sorted(output)


def terms_of(node: Node, shapes: list[tuple[int, ...]]) -> int:
    """How many terms an einsum adds up for each of its results."""
    sizes: dict[int, int] = {}
    for indices, shape in zip(node.parameter.operands, shapes, strict=True):
        sizes.update(zip(indices, shape, strict=True))
    return math.prod(n for index, n in sizes.items() if index not in node.parameter.output)


def _shape(node: Node, binding: Binding) -> tuple[int, ...]:
    return tuple(size.at(binding) for size in node.shape)


def _broadcast(node: Node, x: Array, binding: Binding) -> Array:
    lead = (1,) * (len(node.shape) - (x.ndim - 1))
    aligned = x.reshape(x.shape[:1] + lead + x.shape[1:])
    return np.broadcast_to(aligned, x.shape[:1] + _shape(node, binding))


def _reshape(node: Node, x: Array, binding: Binding) -> Array:
    return x.reshape(x.shape[:1] + _shape(node, binding))


def nearest_float(constant: Constant) -> float:
    """The float64 nearest to a literal; one beyond all floats is infinite, which has no bound."""
    try:
        return float(constant)
    except OverflowError:
        return math.inf


def _floats(cells: Any) -> Any:
    return (
        nearest_float(cells) if isinstance(cells, Constant) else [_floats(cell) for cell in cells]
    )


def _table(node: Node, binding: Binding) -> Array:
    return np.asarray(_floats(node.parameter), dtype=np.float64).reshape(
        (1, *_shape(node, binding))
    )


def _delta(node: Node, binding: Binding) -> Array:
    return np.eye(node.shape[0].at(binding))[None]


def _index(node: Node, binding: Binding) -> Array:
    return np.arange(float(node.shape[0].at(binding)))[None]


_COMPARISONS: dict[str, Callable[[Array, Array], Any]] = {
    "less": np.less,
    "less_equal": np.less_equal,
    "equal": np.equal,
}
_LOGIC: dict[str, Callable[..., Any]] = {
    "and": np.logical_and,
    "or": np.logical_or,
    "not": np.logical_not,
}


def _subgradient(node: Node, x: list[Array]) -> Array:
    """The symmetric subgradient: half a step, no sign, equal shares."""
    match node.parameter:
        case "step":
            return np.heaviside(x[0] - x[1], 0.5)
        case "sign":
            return np.sign(x[0])
        case (_, axis):
            tied = x[0] == np.max(x[0], axis=axis + 1, keepdims=True)
            return tied / np.sum(tied, axis=axis + 1, keepdims=True)
        case other:
            raise ValueError(other)


def _together(*arrays: NDArray[Any]) -> list[NDArray[Any]]:
    """Arrays with batch axes of one length."""
    count = max(map(len, arrays))
    return [np.broadcast_to(x, (count, *x.shape[1:])) for x in arrays]


def gather(node: Node, x: Array, indices: Array) -> Array:
    """Elements of x along the node's axis, at indices that are whole numbers."""
    places = indices.astype(np.int64)
    if len(places) == 1:
        return np.take(x, places[0], axis=node.parameter + 1)
    x, places = _together(x, places)
    return np.stack([np.take(a, p, axis=node.parameter) for a, p in zip(x, places, strict=True)])


def scatter(node: Node, x: Array, indices: Array, binding: Binding) -> Array:
    """Zeros to which x is added at the indices along the node's axis."""
    x, places = _together(x, indices.astype(np.int64))
    found = np.zeros((len(x), *_shape(node, binding)))
    lead = (slice(None),) * node.parameter
    for target, values, place in zip(found, x, places, strict=True):
        np.add.at(target, (*lead, place), values)
    return found


def concatenate(node: Node, x: list[Array]) -> Array:
    """Arrays one after another along the node's axis."""
    return np.concatenate(_together(*x), axis=node.parameter + 1)


def cumulative(node: Node, x: Array) -> Array:
    """Running sums along the node's axis, from its start or from its end."""
    axis, backwards = node.parameter
    if not backwards:
        return np.cumsum(x, axis=axis + 1)
    return np.flip(np.cumsum(np.flip(x, axis + 1), axis=axis + 1), axis + 1)


def one_by_one(function: Callable[..., Array], *x: Array) -> Array:
    """A function of matrices on a batch; one that it refuses costs no other its value."""
    x = tuple(_together(*x))
    try:
        return function(*x)
    except np.linalg.LinAlgError:
        if len(x[0]) == 1:
            if x[0].ndim > 3:  # (batch, lead, n, n)
                return np.stack([one_by_one(function, *(y[0] for y in x))])
            return np.full(x[-1].shape, np.nan)
        alone = ([y[k : k + 1] for y in x] for k in range(len(x[0])))
        return np.concatenate([one_by_one(function, *y) for y in alone])


def _composite(node: Node, x: list[Array], binding: Binding) -> Array:
    known = dict(zip(node.parameter.inputs, x, strict=True))
    for inner in topological((node.parameter.orders[0],)):
        if inner not in known:
            below = [known[child] for child in inner.inputs]
            known[inner] = VALUES[inner.operation](inner, below, binding, {})
    return known[node.parameter.orders[0]]


_erf = np.frompyfunc(math.erf, 1, 1)  # numpy has none
_NUMPY_FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "negative": np.negative,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "abs": np.abs,
    "sign": np.sign,
    "expm1": np.expm1,
    "log1p": np.log1p,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "erf": lambda x: np.asarray(_erf(x), dtype=np.float64),
}

Value = Callable[[Node, list[Array], Binding, Mapping[str, Array]], Array]
VALUES: dict[str, Value] = {
    "input": lambda node, _, binding, inputs: inputs[node.parameter],
    "constant": lambda node, _, binding, inputs: np.asarray([nearest_float(node.parameter)]),
    "size": lambda node, _, binding, inputs: np.asarray([float(node.parameter.at(binding))]),
    "table": lambda node, _, binding, inputs: _table(node, binding),
    "delta": lambda node, _, binding, inputs: _delta(node, binding),
    "add": lambda node, x, binding, inputs: x[0] + x[1],
    "multiply": lambda node, x, binding, inputs: x[0] * x[1],
    "divide": lambda node, x, binding, inputs: x[0] / x[1],
    "power": lambda node, x, binding, inputs: x[0] ** float(node.parameter),
    "function": lambda node, x, binding, inputs: _NUMPY_FUNCTIONS[node.parameter](x[0]),
    "einsum": lambda node, x, binding, inputs: contracted(node, x),
    "broadcast": lambda node, x, binding, inputs: _broadcast(node, x[0], binding),
    "reshape": lambda node, x, binding, inputs: _reshape(node, x[0], binding),
    "index": lambda node, _, binding, inputs: _index(node, binding),
    "convert": lambda node, x, binding, inputs: x[0],
    "compare": lambda node, x, binding, inputs: _COMPARISONS[node.parameter](*x) + 0.0,
    "logical": lambda node, x, binding, inputs: _LOGIC[node.parameter](*x) + 0.0,
    "where": lambda node, x, binding, inputs: np.where(x[0] != 0, x[1], x[2]),
    "maximum": lambda node, x, binding, inputs: np.maximum(x[0], x[1]),
    "max": lambda node, x, binding, inputs: np.asarray(np.max(x[0], axis=node.parameter + 1)),
    "subgradient": lambda node, x, binding, inputs: _subgradient(node, x),
    "gather": lambda node, x, binding, inputs: gather(node, x[0], x[1]),
    "scatter": lambda node, x, binding, inputs: scatter(node, x[0], x[1], binding),
    "concatenate": lambda node, x, binding, inputs: concatenate(node, x),
    "product": lambda node, x, binding, inputs: np.asarray(np.prod(x[0], axis=node.parameter + 1)),
    "cumulative": lambda node, x, binding, inputs: cumulative(node, x[0]),
    "solve": lambda node, x, binding, inputs: one_by_one(np.linalg.solve, *x),
    "determinant": lambda node, x, binding, inputs: np.asarray(np.linalg.det(x[0])),
    "cholesky": lambda node, x, binding, inputs: one_by_one(np.linalg.cholesky, x[0]),
    "composite": lambda node, x, binding, inputs: _composite(node, x, binding),
}


# Operations that put elements elsewhere and leave them as they are.
MOVES: dict[str, Callable[[Node, Array, Binding], Array]] = {
    "broadcast": _broadcast,
    "reshape": _reshape,
}
