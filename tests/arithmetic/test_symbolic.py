"""Exact evaluation of graphs, and sympy's own way beside it: both equal numpy at numbers."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy as sp
from array_api_compat import array_namespace
from hypothesis import given, settings
from hypothesis import strategies as st

from verimath import AtMost, ClaimError, Equal, Gradient
from verimath.arithmetic.symbolic import evaluate, exact
from verimath.formula import operations as op
from verimath.formula.graph import Subscripts
from verimath.formula.literals import read_literal
from verimath.formula.namespace import Namespace
from verimath.formula.trace import trace
from verimath.routes import symbolic as route
from verimath.routes.symbolic_array import SymbolicArray
from verimath.shapes import Size

N, D = Size.of("n"), Size.of("d")


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (2 / 3, sp.Rational(2, 3)),
        (0.1, sp.Rational(1, 10)),
        (2 * np.pi, 2 * sp.pi),
        (np.e, sp.E),
        (0.5**0.5, sp.sqrt(2) / 2),
    ],
)
def test_constants_are_exact(value, wanted):
    assert exact(read_literal(float(value))) == wanted


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 3), max_size=3).map(tuple), min_size=1, max_size=2),
    st.lists(st.integers(0, 3), min_size=4, max_size=4),
    st.data(),
)
def test_einsums_are_numpys(operands, sizes, data):
    present = sorted({i for indices in operands for i in indices})
    output = tuple(data.draw(st.permutations(present)) if present else ())
    output = output[: data.draw(st.integers(0, len(output)))]
    nodes = [
        op.input_(f"x{k}", tuple(Size.of(sizes[i]) for i in indices))
        for k, indices in enumerate(operands)
    ]
    node = op.einsum(Subscripts(tuple(operands), output), *nodes)
    generator = np.random.default_rng(0)
    values = [generator.integers(-5, 6, tuple(sizes[i] for i in indices)) for indices in operands]
    known = {
        n: np.vectorize(sp.Integer, otypes=[object])(x) if x.size else x.astype(object)
        for n, x in zip(nodes, values, strict=True)
    }
    (found,) = evaluate((node,), known, {})
    letters = ["".join("ijkl"[i] for i in indices) for indices in (*operands, output)]
    wanted = np.einsum(f"{','.join(letters[:-1])}->{letters[-1]}", *values)
    np.testing.assert_array_equal(found.astype(float), wanted)


def f(X, v, s):
    xp = array_namespace(X)
    y = (X @ v + 1 / 3) ** 2 / (s**2 + 1)
    z = xp.exp(xp.tanh(y)) + xp.log(y + 1) * xp.sin(s) - xp.cos(y) * xp.sqrt(y + 2)
    table = xp.asarray([[1.0, 0.1]])
    return xp.sum(z[:, None] * table) + xp.mean(X.T @ z) + xp.linalg.trace(X @ X.T) * X.size


SHAPES = {"X": (N, D), "v": (D,), "s": ()}
SIZES = {"n": 2, "d": 3}


def _numbers():
    generator = np.random.default_rng(2)
    return {
        name: generator.uniform(0.5, 1.5, tuple(s.at(SIZES) for s in shape))
        for name, shape in SHAPES.items()
    }


def _substituted(cells, symbols, values):
    point = {
        cell: float(x)
        for name in values
        for cell, x in zip(symbols[name].ravel(), values[name].ravel(), strict=True)
    }
    return np.vectorize(lambda e: float(sp.N(e.subs(point), 20)), otypes=[float])(cells)


def test_the_graph_and_sympys_own_way_are_numpys():
    values = _numbers()
    symbols = route.symbols({name: x.shape for name, x in values.items()})
    formula = trace(f, SHAPES)
    known = {node: symbols[name] for name, node in formula.inputs.items()}
    (by_graph,) = evaluate(formula.outputs, known, SIZES)
    (by_sympy,) = route.call(f, symbols)
    wanted = f(*values.values())
    np.testing.assert_allclose(_substituted(by_graph, symbols, values), wanted, rtol=1e-12)
    np.testing.assert_allclose(_substituted(by_sympy, symbols, values), wanted, rtol=1e-12)


def test_lambdified_gradients_are_differences():
    values = _numbers()
    statement = Gradient(of=f, wrt=("X", "s"), equals=f)
    ready = route.lambdify(statement, {name: x.shape for name, x in values.items()})
    found = route.numeric_value(ready, values)
    assert [x.shape for x in found] == [(2, 3), ()]
    step = 1e-5
    for name, gradient in zip(("X", "s"), found, strict=True):
        for index in np.ndindex(*gradient.shape):
            sides = []
            for sign in (1, -1):
                moved = values[name].copy()
                moved[index] += sign * step
                sides.append(f(*{**values, name: moved}.values()))
            assert abs((sides[0] - sides[1]) / (2 * step) - gradient[index]) < 1e-6


def test_results_are_rounded_once():
    ready = route.lambdify(AtMost(of=lambda x: x / 3 - x, bound=1), {"x": (2,)})
    x = np.array([0.1, 1e16])
    (found,) = route.numeric_value(ready, {"x": x})
    with mpmath.workprec(300):
        wanted = [float(mpmath.mpf(float(v)) / 3 - mpmath.mpf(float(v))) for v in x]
    np.testing.assert_array_equal(found, wanted)


def test_symbols_of_different_elements_never_share_a_name():
    cells = route.symbols({"x": (2,), "x_1": (), "x_1_0": (1,), "x_": (1, 1)})
    flat = [cell for array in cells.values() for cell in array.ravel()]
    assert len({str(cell) for cell in flat}) == len(flat)


def test_fractions_are_exact():
    (found,) = route.call(lambda x: x * Fraction(1, 3) + Fraction(1, 2), route.symbols({"x": ()}))
    (symbol,) = found.item().free_symbols
    assert found.item() == symbol / 3 + sp.Rational(1, 2)


def test_the_symbolic_namespace_has_every_function_of_the_traced_one():
    wanted = {n for n in dir(Namespace) if not n.startswith("_")} | set(op.FUNCTIONS)
    (x,) = (SymbolicArray(c) for c in route.symbols({"x": (2,)}).values())
    xp = array_namespace(x)
    assert [name for name in sorted(wanted) if not hasattr(xp, name)] == []


def test_what_does_not_run_on_symbols_is_a_claim_error():
    statement = Equal(left=lambda x: x.nonsense(), right=lambda x: x)
    with pytest.raises(ClaimError, match=r"doesn't run on symbols: .*nonsense"):
        route.entries(statement, route.symbols({"x": (2,)}))


@pytest.mark.parametrize("shape", [(0, 2), (2, 0), (0, 0)])
def test_empty_arrays_are_numpys(shape):
    def empty(X):
        xp = array_namespace(X)
        return xp.sum(X, axis=0), X @ X.T, xp.tensordot(X, X.T, axes=1), xp.sum(X)

    symbols = route.symbols({"X": shape})
    for got, want in zip(route.call(empty, symbols), empty(np.ones(shape)), strict=True):
        assert got.shape == np.shape(want)
        assert all(cell == 0 for cell in got.ravel())
