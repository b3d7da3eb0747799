"""Formula graphs on arrays of sympy expressions, at explicit shapes: exact, for small sizes."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from verimath.errors import NotExpressibleError
from verimath.formula.graph import Node, Subscripts, topological
from verimath.formula.literals import Constant
from verimath.shapes import Binding

Objects = NDArray[np.object_]


def evaluate(
    outputs: tuple[Node, ...], known: Mapping[Node, Objects], binding: Binding
) -> tuple[Objects, ...]:
    """Exact values of nodes, given those of `known` ones (inputs, or a cut through the graph)."""
    values: dict[Node, Objects] = dict(known)
    for node in topological(outputs):
        # Nodes below the cut may lack their inputs; nothing above it needs them.
        if node in values or node.operation == "input":
            continue
        if all(child in values for child in node.inputs):
            below = [values[child] for child in node.inputs]
            values[node] = _RULES[node.operation](node, below, binding)
    return tuple(values[output] for output in outputs)


def exact(constant: Constant) -> sp.Expr:
    """The sympy number of a literal's constant."""
    factor = sp.Rational(constant.factor.numerator, constant.factor.denominator)
    match constant.unit:
        case "pi":
            return factor * sp.pi
        case "e":
            return factor * sp.E
        case "sqrt":
            radicand = constant.radicand
            return factor * sp.sqrt(sp.Rational(radicand.numerator, radicand.denominator))
        case _:
            return factor


def _integers(n: int) -> Objects:
    return _array([sp.Integer(i) for i in range(n)]).reshape(n)


def _array(value: Any) -> Objects:
    return np.asarray(value, dtype=object)


def _table(node: Node, binding: Binding) -> Objects:
    cells = np.empty(tuple(size.at(binding) for size in node.shape), dtype=object)
    for index in np.ndindex(*cells.shape):
        value = node.parameter
        for position in index:
            value = value[position]
        cells[index] = exact(value)
    return cells


def _delta(node: Node, binding: Binding) -> Objects:
    n = node.shape[0].at(binding)
    cells = [[sp.Integer(int(i == j)) for j in range(n)] for i in range(n)]
    return _array(cells).reshape(n, n)


def _einsum(node: Node, x: list[Objects]) -> Objects:
    """The definition, index by index: slow, and hard to get wrong."""
    subscripts: Subscripts = node.parameter
    sizes: dict[int, int] = {}
    for indices, operand in zip(subscripts.operands, x, strict=True):
        sizes.update(zip(indices, operand.shape, strict=True))
    summed = tuple(index for index in sizes if index not in subscripts.output)
    result = np.empty(tuple(sizes[index] for index in subscripts.output), dtype=object)
    for place in np.ndindex(*result.shape):
        at = dict(zip(subscripts.output, place, strict=True))
        terms: list[sp.Expr] = []
        for values in itertools.product(*(range(sizes[index]) for index in summed)):
            at.update(zip(summed, values, strict=True))
            factors: list[Any] = [
                operand[tuple(at[index] for index in indices)]
                for indices, operand in zip(subscripts.operands, x, strict=True)
            ]
            terms.append(sp.Mul(*factors))
        result[place] = sp.Add(*terms)
    return result


def _function(node: Node, x: Objects) -> Objects:
    if node.parameter == "negative":
        return _array(-x)
    name: str = node.parameter
    function = _FUNCTIONS[name] if name in _FUNCTIONS else getattr(sp, name)
    return _array(np.frompyfunc(function, 1, 1)(x))


# What sympy names otherwise, or has no function for.
_FUNCTIONS: dict[str, Callable[[sp.Expr], sp.Expr]] = {
    "abs": sp.Abs,
    "expm1": lambda x: sp.exp(x) - 1,
    "log1p": lambda x: sp.log(1 + x),
}


def _power(node: Node, x: Objects) -> Objects:
    exponent = sp.Rational(node.parameter.numerator, node.parameter.denominator)
    return _array(np.frompyfunc(lambda base: base**exponent, 1, 1)(x))


def _shape(node: Node, binding: Binding) -> tuple[int, ...]:
    return tuple(size.at(binding) for size in node.shape)


_RELATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "less": sp.Lt,
    "less_equal": sp.Le,
    "equal": sp.Eq,
}
_HALF: Any = sp.Rational(1, 2)
_LOGIC: dict[str, Callable[..., Any]] = {"and": sp.And, "or": sp.Or, "not": sp.Not}


def _elementwise(function: Callable[..., Any], *x: Objects) -> Objects:
    return _array(np.frompyfunc(function, len(x), 1)(*x))


def choice(mask: Any, a: Any, b: Any) -> Any:
    """A if the mask is true, else b."""
    return a if mask == sp.true else b if mask == sp.false else sp.Piecewise((a, mask), (b, True))


def _subgradient(node: Node, x: list[Objects]) -> Objects:
    """Steps and signs as sympy has them, symmetric at the kink; shares off the ties."""
    match node.parameter:
        case "step":
            return _elementwise(lambda a, b: sp.Heaviside(a - b, _HALF), *x)
        case "sign":
            return _elementwise(sp.sign, x[0])
        case (_, axis):
            rows = np.moveaxis(x[0], axis, -1)
            found = np.empty(rows.shape, dtype=object)
            for index in np.ndindex(*rows.shape):
                row, own = rows[index[:-1]], rows[index]
                others = [v for k, v in enumerate(row) if k != index[-1]]
                found[index] = sp.Mul(*(sp.Heaviside(own - v, _HALF) for v in others))
            return np.moveaxis(found, -1, axis)
        case other:
            raise ValueError(other)


def _places(indices: Objects) -> Any:
    """Whole numbers as numpy takes them.

    Raises NotExpressibleError for indices that are symbols.
    """
    if not all(isinstance(cell, sp.Integer) for cell in indices.ravel()):
        raise NotExpressibleError("an index that is a symbol")
    return indices.astype(np.int64)


def _scatter(node: Node, x: list[Objects], binding: Binding) -> Objects:
    found = np.full(_shape(node, binding), sp.Integer(0), dtype=object)
    places, lead = _places(x[1]), (slice(None),) * node.parameter
    rank = x[1].ndim
    moved = np.moveaxis(x[0], range(node.parameter, node.parameter + rank), range(rank))
    for index in np.ndindex(*places.shape):
        found[(*lead, places[index])] += moved[index]
    return found


def _reduce(function: Callable[..., Any], x: Objects, axis: int) -> Objects:
    rows = np.moveaxis(x, axis, -1)
    found = np.empty(rows.shape[:-1], dtype=object)
    for index in np.ndindex(*found.shape):
        found[index] = function(*rows[index])
    return found


def _cumulative(node: Node, x: Objects) -> Objects:
    axis, backwards = node.parameter
    rows = np.flip(x, axis) if backwards else x
    found = np.add.accumulate(rows, axis=axis) if rows.size else rows
    return np.flip(found, axis) if backwards else found


def _each_matrix(function: Callable[..., Any], *x: Objects) -> Objects:
    """A function of matrices on every matrix of arrays with leading axes."""
    lead = x[0].shape[:-2]
    found = {i: _array(function(*(sp.Matrix(y[i]) for y in x))) for i in np.ndindex(*lead)}
    shape = next(iter(found.values())).shape if found else ()
    result = np.empty(lead + shape, dtype=object)
    for index, cells in found.items():
        result[index] = cells if cells.ndim else cells.item()
    return result


def solved(a: sp.Matrix, b: sp.Matrix) -> Any:
    """The solution by Cramer's rule: no pivot has to be known to be nonzero."""
    return (a.adjugate() * b / a.det(method="berkowitz")).tolist() if a.rows else b.tolist()


def cholesky_of(a: sp.Matrix) -> Any:
    """The lower triangular factor, column by column (Higham, algorithm 10.2)."""
    n = a.rows
    factor = sp.zeros(n, n)
    for j in range(n):
        for i in range(j, n):
            rest = a[i, j] - sum((factor[i, k] * factor[j, k] for k in range(j)), sp.Integer(0))
            factor[i, j] = sp.sqrt(rest) if i == j else rest / factor[j, j]
    return factor.tolist()


def _composite(node: Node, x: list[Objects], binding: Binding) -> Objects:
    body = node.parameter
    (found,) = evaluate((body.definition,), dict(zip(body.inputs, x, strict=True)), binding)
    return found


_RULES: dict[str, Callable[[Node, list[Objects], Binding], Objects]] = {
    "constant": lambda node, x, binding: _array(exact(node.parameter)),
    "size": lambda node, x, binding: _array(sp.Integer(node.parameter.at(binding))),
    "table": lambda node, x, binding: _table(node, binding),
    "delta": lambda node, x, binding: _delta(node, binding),
    "add": lambda node, x, binding: _array(x[0] + x[1]),
    "multiply": lambda node, x, binding: _array(x[0] * x[1]),
    "divide": lambda node, x, binding: _array(x[0] / x[1]),
    "power": lambda node, x, binding: _power(node, x[0]),
    "function": lambda node, x, binding: _function(node, x[0]),
    "einsum": lambda node, x, binding: _einsum(node, x),
    "broadcast": lambda node, x, binding: np.broadcast_to(x[0], _shape(node, binding)),
    "reshape": lambda node, x, binding: x[0].reshape(_shape(node, binding)),
    "index": lambda node, x, binding: _integers(node.shape[0].at(binding)),
    "convert": lambda node, x, binding: (
        _elementwise(lambda cell: choice(cell, sp.Integer(1), sp.Integer(0)), x[0])
        if node.inputs[0].kind == "boolean"
        else x[0]
    ),
    "compare": lambda node, x, binding: _elementwise(_RELATIONS[node.parameter], *x),
    "logical": lambda node, x, binding: _elementwise(_LOGIC[node.parameter], *x),
    "where": lambda node, x, binding: _elementwise(choice, *x),
    "maximum": lambda node, x, binding: _elementwise(sp.Max, *x),
    "max": lambda node, x, binding: _reduce(sp.Max, x[0], node.parameter),
    "subgradient": lambda node, x, binding: _subgradient(node, x),
    "gather": lambda node, x, binding: np.take(x[0], _places(x[1]), axis=node.parameter),
    "scatter": lambda node, x, binding: _scatter(node, x, binding),
    "concatenate": lambda node, x, binding: np.concatenate(x, axis=node.parameter),
    "product": lambda node, x, binding: _reduce(sp.Mul, x[0], node.parameter),
    "cumulative": lambda node, x, binding: _cumulative(node, x[0]),
    "solve": lambda node, x, binding: _each_matrix(solved, *x),
    "determinant": lambda node, x, binding: _each_matrix(lambda a: a.det(method="berkowitz"), x[0]),
    "cholesky": lambda node, x, binding: _each_matrix(cholesky_of, x[0]),
    "composite": lambda node, x, binding: _composite(node, x, binding),
}
