"""Bounds of whole programs, with choices, moved elements, matrices and composites in them.

The oracle is sympy on numbers of 80 digits, running the program itself; the programs are run by
numpy and torch, in both precisions, and no result may leave its bound.
"""

import math
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
import torch
from array_api_compat import array_namespace
from hypothesis import given, settings
from hypothesis import strategies as st

from verimath import composites
from verimath.arithmetic.rounding import evaluate, evaluate_all
from verimath.backends.torch import StandardTensor
from verimath.formula import operations as op
from verimath.formula.graph import Formula
from verimath.formula.trace import trace
from verimath.routes.symbolic import call
from verimath.shapes import Size

DIGITS = 80


def exactly(function, values):
    """The result of a program with 80 digits; NaN where sympy finds no real number."""
    cells = {
        name: np.vectorize(lambda v: sp.Float(sp.Rational(float(v)), DIGITS), otypes=[object])(x)
        for name, x in values.items()
    }
    with np.errstate(all="ignore"):
        (found,) = call(function, cells)
    return np.vectorize(_number, otypes=[object])(found)


def _number(cell):
    value = sp.N(cell, DIGITS)
    return value if value.is_real and value.is_finite else sp.nan


def results(function, values):
    """Name, dtype and result of every way to run the program in floats."""
    for dtype in ("float64", "float32"):
        cast = [np.asarray(x, dtype) for x in values.values()]
        with np.errstate(all="ignore"):
            yield "numpy", dtype, np.asarray(function(*cast))
        tensors = [StandardTensor(torch.tensor(x)) for x in cast]
        yield "torch", dtype, function(*tensors).tensor.numpy()


def worst_ratio(function, shapes, values, binding):
    """The largest error over bound, over everything compared; and how much that was."""
    formula = trace(function, shapes)
    batch = {name: np.asarray(x, np.float64)[None] for name, x in values.items()}
    (found,) = evaluate(formula, batch, binding, dtypes=("float32",))
    want = exactly(function, values)
    worst, compared = 0.0, 0
    ours = np.broadcast_to(found.value, (1, *want.shape))[0]
    for name, dtype, got in [("verimath", "float64", ours), *results(function, values)]:
        bounds = np.broadcast_to(found.bounds[dtype], (1, *want.shape))[0]
        assert got.shape == want.shape
        for at in np.ndindex(*want.shape):
            if not np.isfinite(bounds[at]):
                continue
            assert want[at] is not sp.nan, f"{name} {dtype}: a bound where there is no value"
            off = abs(sp.Float(sp.Rational(float(got[at])), DIGITS) - want[at])
            assert off <= bounds[at], f"{name} {dtype}: off by {off.n(5)}, allowed {bounds[at]}"
            compared += 1
            worst = max(worst, float(off) / bounds[at] if bounds[at] else 0.0)
    return worst, compared


def float32(values):
    return {name: x.astype(np.float32).astype(np.float64) for name, x in values.items()}


@settings(max_examples=150, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_no_run_of_a_random_program_leaves_its_bound(programs, data, seed):
    program = data.draw(programs(longest=5))
    values = float32(program.draw(seed))
    worst_ratio(program, program.shapes, values, program.binding)


N, D = Size.of("n"), Size.of("d")
SPREAD = {"calm": 0, "scaled": 6, "wide": 20}


def _xp(function):
    return lambda *arrays: function(array_namespace(*arrays), *arrays)


SINGLE = {
    "solve": _xp(lambda xp, x, a: xp.linalg.solve(a, x[:, None])),
    "inverse": _xp(lambda xp, x, a: xp.linalg.inv(a)),
    "determinant": _xp(lambda xp, x, a: xp.linalg.det(a)),
    "cholesky": _xp(lambda xp, x, a: xp.linalg.cholesky(a @ a.T + xp.eye(a.shape[0]))),
    "product": _xp(lambda xp, x, a: xp.prod(x)),
    "cumulative sum": _xp(lambda xp, x, a: xp.cumulative_sum(x)),
    "cumulative product": _xp(lambda xp, x, a: xp.cumulative_prod(x)),
    "max": _xp(lambda xp, x, a: xp.max(a @ a, axis=0)),
    "max along rows": _xp(lambda xp, x, a: xp.max(a @ a, axis=1)),
    "taken": _xp(lambda xp, x, a: xp.take(a @ a, xp.arange(1), axis=1)),
    "tan": _xp(lambda xp, x, a: xp.tan(x * x / 3)),
    "sums along rows": _xp(lambda xp, x, a: xp.cumulative_sum(a / 3 + x, axis=1)),
    "products along rows": _xp(lambda xp, x, a: xp.prod(a / 3 + x, axis=1)),
    "where": _xp(lambda xp, x, a: xp.where(x * 3 > x + 1, x * 3, x + 1)),
    "softmax": _xp(lambda xp, x, a: composites.softmax(x)),
    "log_softmax": _xp(lambda xp, x, a: composites.log_softmax(x * 3)),
    "logsumexp": _xp(lambda xp, x, a: composites.logsumexp(a * 5)),
    "sigmoid": _xp(lambda xp, x, a: composites.sigmoid(x)),
    "softplus": _xp(lambda xp, x, a: composites.softplus(x)),
    "gelu": _xp(lambda xp, x, a: composites.gelu(x)),
    "silu": _xp(lambda xp, x, a: composites.silu(x)),
    "leaky_relu": _xp(lambda xp, x, a: composites.leaky_relu(x)),
    "relu": _xp(lambda xp, x, a: composites.relu(x)),
    "standardize": _xp(lambda xp, x, a: composites.standardize(x)),
    "variance": _xp(lambda xp, x, a: composites.variance(a)),
    "layer_norm": _xp(lambda xp, x, a: composites.layer_norm(a, x, x)),
    "batch_norm": _xp(lambda xp, x, a: composites.batch_norm(a, x, x)),
    "rms_norm": _xp(lambda xp, x, a: composites.rms_norm(a, x)),
    "norm": _xp(lambda xp, x, a: composites.norm(a)),
    "attention": _xp(lambda xp, x, a: composites.attention(a, a.T, a * 2)),
    "huber": _xp(lambda xp, x, a: composites.huber(x, x * x)),
    "cross_entropy": _xp(lambda xp, x, a: composites.cross_entropy(a, a.T)),
    "binary_cross_entropy": _xp(lambda xp, x, a: composites.binary_cross_entropy(a, a.T)),
    "mean_squared_error": _xp(lambda xp, x, a: composites.mean_squared_error(a, a.T)),
}


@pytest.mark.parametrize("spread", SPREAD)
@pytest.mark.parametrize("name", SINGLE)
def test_no_function_leaves_its_bound(name, spread):
    compared = 0
    for seed in range(6):
        generator = np.random.default_rng(seed)
        n = 1 + seed % 4
        power = SPREAD[spread]
        values = {
            "x": generator.normal(size=n) * 2.0 ** generator.integers(-power, power + 1, n),
            "a": generator.normal(size=(n, n))
            * 2.0 ** generator.integers(-power, power + 1, (n, n)),
        }
        _, count = worst_ratio(SINGLE[name], {"x": (N,), "a": (N, N)}, float32(values), {"n": n})
        compared += count
    assert compared > (0 if spread == "wide" else 20)


@settings(max_examples=60)
@given(
    st.lists(st.floats(-4, 4, width=16), min_size=1, max_size=12),
    st.lists(st.integers(0, 2), min_size=12, max_size=12),
    st.sampled_from([np.float64, np.float32]),
    st.randoms(use_true_random=False),
)
def test_what_is_added_up_at_places_keeps_its_bound(numbers, places, kind, order):
    """Rounded terms x x / 3, in any order of addition, against fractions."""
    x, k = op.input_("x", (N,)), op.input_("k", (N,), "integer")
    third = op.divide(op.multiply(x, x), op.constant(3))
    node = op.scatter(third, k, 0, Size.of(3))
    places = np.array(places[: len(numbers)])
    batch = {"x": np.array([numbers]), "k": places[None]}
    name = np.dtype(kind).name
    formula = Formula("f", {"x": x, "k": k}, (node,), {})
    (found,) = evaluate(formula, batch, {"n": len(numbers)}, dtypes=(name,))
    terms = kind(numbers) * kind(numbers) / kind(3)
    for place in range(3):
        mine = [(terms[i], numbers[i]) for i in range(len(numbers)) if places[i] == place]
        order.shuffle(mine)
        got = kind(0)
        for term, _ in mine:
            got = got + term
        exact = sum((Fraction(v) ** 2 / 3 for _, v in mine), Fraction(0))
        assert abs(Fraction(float(got)) - exact) <= Fraction(found.bounds[name][0, place])
        assert abs(Fraction(found.value[0, place]) - exact) <= Fraction(found.error[0, place])
        # n terms have three roundings and n - 1 sums, of at most their sum.
        most = exact * Fraction(2 * (len(numbers) + 5) * float(np.finfo(kind).eps))
        assert found.bounds[name][0, place] <= most + Fraction(1, 2**120)


NEAR_SINGULAR = [[[1.0, 1.0], [1.0, 1.0 + 2.0**-12]], [[1.0, 2.0], [2.0, 4.0 + 2.0**-10]]]


@pytest.mark.parametrize("name", ["solve", "inverse", "determinant"])
@pytest.mark.parametrize("a", NEAR_SINGULAR)
def test_near_singular_matrices_keep_their_bounds(name, a):
    values = {"x": np.array([1.0, 3.0]), "a": np.array(a)}
    worst, compared = worst_ratio(SINGLE[name], {"x": (N,), "a": (N, N)}, values, {"n": 2})
    assert compared > 0
    assert worst < 1


@pytest.mark.parametrize("name", ["solve", "inverse", "determinant"])
def test_singular_matrices_have_no_bound(name):
    formula = trace(SINGLE[name], {"x": (N,), "a": (N, N)})
    batch = {"x": np.ones((1, 2)), "a": np.array([[[1.0, 2.0], [2.0, 4.0]]])}
    (found,) = evaluate(formula, batch, {"n": 2}, dtypes=("float32",))
    assert np.isinf(found.bounds["float32"]).all()


@pytest.mark.parametrize("which", [0, 1])
def test_sums_that_overflow_before_they_are_multiplied_have_no_normwise_bound(which):
    """Strassen's method adds elements of A first, which zeros in B don't undo."""
    formula = trace(lambda a, b: a @ b, {"a": (N, N), "b": (N, N)})
    calm, full = np.zeros((1, 2, 2)), np.full((1, 2, 2), float(np.finfo(np.float32).max))
    for large, open_ in ((full, True), (full / 4, False)):
        pair = (large, calm) if which == 0 else (calm, large)
        batch = dict(zip("ab", pair, strict=True))
        ((found,),) = evaluate_all((formula,), batch, {"n": 2}, dtypes=("float32",), normwise=True)
        assert np.isinf(found.bounds["float32"]).all() == open_
        assert np.isfinite(found.bounds["float64"]).all()


def test_one_singular_matrix_of_a_batch_costs_no_other_its_value():
    formula = trace(SINGLE["inverse"], {"x": (N,), "a": (N, N)})
    batch = {"x": np.ones((2, 2)), "a": np.array([[[1.0, 2.0], [2.0, 4.0]], [[2.0, 0], [0, 4.0]]])}
    (found,) = evaluate(formula, batch, {"n": 2})
    assert np.isinf(found.error[0]).all()
    np.testing.assert_allclose(found.value[1], [[0.5, 0], [0, 0.25]])
    assert np.isfinite(found.error[1]).all()


def test_a_choice_that_rounding_may_turn_has_room_for_both():
    def choice(x):
        xp = array_namespace(x)
        return xp.where(x * x / 3 > 1 / 3, 5 * xp.ones_like(x), -xp.ones_like(x))

    formula = trace(choice, {"x": (N,)})
    x = np.array([[1.0, 2.0, 0.5, 1 + 2.0**-20]])
    (found,) = evaluate(formula, {"x": x}, {"n": 4}, dtypes=("float32",))
    assert found.bounds["float32"][0, 0] >= 6
    assert np.all(found.bounds["float32"][0, 1:3] < 1e-40)
    assert np.all(found.bounds["float64"][0, 1:] < 1e-300)


def test_subgradients_have_room_at_kinks_and_nowhere_else():
    x, y = op.input_("x", (N,)), op.input_("y", (N,))
    for how, room in (("step", 0.5), ("sign", 1.0)):
        operands = (x, y) if how == "step" else (op.subtract(x, y),)
        node = op.subgradient(how, *operands)
        batch = {"x": np.array([[1.0, 2.0, 3.0]]), "y": np.array([[1.0, 1.0, 4.0]])}
        (found,) = evaluate(Formula("f", {"x": x, "y": y}, (node,), {}), batch, {"n": 3})
        assert found.error[0, 0] >= room
        np.testing.assert_array_equal(found.error[0, 1:], [0, 0])
    share = op.subgradient(("share", 0), x)
    batch = {"x": np.array([[2.0, 2.0, 1.0]])}
    (found,) = evaluate(Formula("f", {"x": x}, (share,), {}), batch, {"n": 3})
    np.testing.assert_array_equal(found.value[0], [0.5, 0.5, 0])
    np.testing.assert_allclose(found.error[0], [0.5, 0.5, 0], rtol=1e-5)


def test_indices_are_exact_in_every_precision():
    def places(x):
        xp = array_namespace(x)
        return xp.astype(xp.arange(x.shape[0]) * 3 - 1, x.dtype) * x

    formula = trace(places, {"x": (N,)})
    (found,) = evaluate(formula, {"x": np.ones((1, 5))}, {"n": 5}, dtypes=("float32",))
    np.testing.assert_array_equal(found.value[0], [-1, 2, 5, 8, 11])
    assert np.all(found.bounds["float32"] <= 11 * 2.0**-23 + 1e-30)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_determinants_far_from_one_stay_within_their_bound(size):
    """numpy takes exp of the sum of the pivots' logarithms, which costs |log det| roundings."""
    formula = trace(lambda a: array_namespace(a).linalg.det(a), {"a": (Size.of("n"), Size.of("n"))})
    generator = np.random.default_rng(size)
    far = 0.0
    for _ in range(200):
        pivots = generator.uniform(1, 2, size) * 10.0 ** generator.integers(-90, 90, size)
        (found,) = evaluate(formula, {"a": np.diag(pivots)[None]}, {"n": size})
        exact = math.prod(map(Fraction, pivots))
        off = abs(Fraction(float(found.value[0])) - exact)
        if np.isfinite(found.error[0]):
            assert off <= Fraction(float(found.error[0]))
            far = max(far, float(off / exact) * 2.0**53)
    assert far > 20  # the inputs do show it
