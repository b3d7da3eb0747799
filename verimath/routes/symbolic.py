"""sympy's own way: run the claim's functions on arrays of symbols, differentiate symbol by symbol.

Nothing of the formula graph is used here. The functions see arrays of sympy expressions
(`symbolic_array`) with the array API's names (`symbolic_namespace`); `entries` gives one exact
expression per element of the wanted value, and `numeric_value` runs them through lambdify on
numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import sympy as sp
from numpy.typing import NDArray

from verimath.claim import AtMost, Converges, Derivative, Equal, Hessian, Statement
from verimath.errors import ClaimError
from verimath.formula.complex_array import apart, joined
from verimath.routes.symbolic_array import Objects, SymbolicArray, as_expressions, cells_of
from verimath.tangent import without

# Lambdified expressions run at this many bits: log(1 + x) keeps float64's digits for the least x.
_PRECISION = 1152

_ZERO: Any = sp.Integer(0)
_TRUE: Any = sp.true
_ONE: Any = sp.Integer(1)
_HALF: Any = sp.Rational(1, 2)
_piecewise: Any = sp.Piecewise


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
    return tuple(cells_of(r) for r in results)


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
                return tuple(as_expressions(rest) for rest in rests)
            case Equal():
                return call(statement.left, inputs)
            case AtMost():
                return call(statement.of, inputs)
            case Converges():
                return call(statement.to, inputs)
    except (TypeError, ValueError, AttributeError) as error:
        raise ClaimError(f"the formula doesn't run on symbols: {error}") from error


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
