"""Float64 values: what each operation computes, on arrays with one leading batch axis."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verimath.formula.graph import Node
from verimath.formula.literals import Constant
from verimath.shapes import Binding

Array = NDArray[np.float64]


def _letters(indices: tuple[int, ...]) -> str:
    return "".join("abcdefghijklmnopqrstuvwxyz"[index] for index in indices)


def equation_of(node: Node) -> str:
    """The equation that numpy.einsum wants, with the batch axis as its ellipsis."""
    operands = ",".join("..." + _letters(indices) for indices in node.parameter.operands)
    return f"{operands}->...{_letters(node.parameter.output)}"


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


_NUMPY_FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "negative": np.negative,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
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
    "einsum": lambda node, x, binding, inputs: np.einsum(equation_of(node), *x),
    "broadcast": lambda node, x, binding, inputs: _broadcast(node, x[0], binding),
    "reshape": lambda node, x, binding, inputs: _reshape(node, x[0], binding),
}


MOVES: dict[str, Callable[[Node, Array, Binding], Array]] = {
    "broadcast": _broadcast,
    "reshape": _reshape,
}
