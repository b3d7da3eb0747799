"""What numpy and torch compute in every dtype keeps the bounds of their formats; mpmath is right.

The formulas are written once against the array API, traced for the bounds, run by the libraries,
and run on object arrays of mpmath numbers for the truth.
"""

import math

import mpmath
import numpy as np
import pytest
import torch
from array_api_compat import array_namespace
from hypothesis import given, settings
from hypothesis import strategies as st

from verimath.arithmetic.formats import FORMATS
from verimath.arithmetic.rounding import evaluate
from verimath.backends import get_backend
from verimath.dtypes import nearest, roundoff
from verimath.formula.trace import trace
from verimath.shapes import parse_shape

CELLS = [("numpy", d) for d in ("float64", "float32", "float16")]
CELLS += [("torch-cpu", d) for d in ("float64", "float32", "float16", "bfloat16")]
HALVES = [cell for cell in CELLS if cell[1] in ("float16", "bfloat16")]

FORMULAS = {
    "dot": lambda xp, X, w: X @ w,
    "dot of a sum": lambda xp, X, w: xp.sum(X, axis=0) @ w,
    "rows": lambda xp, X, w: xp.sum(X * w, axis=1),
    "columns": lambda xp, X, w: xp.sum(X * w, axis=0),
    "chain": lambda xp, X, w: X.T @ (X @ (w + w)),
    "gradient of a mean": lambda xp, X, w: 4 / X.size * (X + 1),
    "least squares": lambda xp, X, w: X.T @ (X @ w - xp.sum(X, axis=1)) / X.shape[0],
    "log of a sum": lambda xp, X, w: xp.log(xp.sum(xp.exp(X / 8), axis=1)),
    "shares": lambda xp, X, w: xp.exp(X / 16) / xp.sum(xp.exp(X / 16)),
    "standardised": lambda xp, X, w: (w - xp.mean(w)) / xp.sqrt(xp.mean((w - xp.mean(w)) ** 2) + 1),
    "cube": lambda xp, X, w: (w - 1.5) ** 3,
    "angles": lambda xp, X, w: xp.sin(X) + xp.cos(w),
    "layers": lambda xp, X, w: xp.sum(xp.tanh(X @ w)),
    "inverse": lambda xp, X, w: 1 / (w * w + 0.125),
}


class Truth:
    """The array API's functions on object arrays of mpmath numbers."""

    sum = staticmethod(lambda x, axis=None: np.sum(x, axis=axis))
    mean = staticmethod(lambda x: np.sum(x) / x.size)

    def __getattr__(self, name):
        return np.frompyfunc(getattr(mpmath, name), 1, 1)


def exactly(formula, inputs):
    """The value as an object array; literals are the constants that the trace reads."""
    numbers = [np.frompyfunc(mpmath.mpf, 1, 1)(x.astype(float)) for x in inputs]
    return np.asarray(formula(Truth(), *numbers), dtype=object)


def traced(formula):
    shapes = {"X": parse_shape("n d").expand({}), "w": parse_shape("d").expand({})}
    return trace(lambda X, w: formula(array_namespace(X), X, w), shapes)


def computed(formula, backend, inputs, dtype):
    there = [backend.standard(backend.put(x, dtype)) for x in inputs]
    with np.errstate(all="ignore"):
        return np.asarray(
            backend.fetch(formula(array_namespace(*there), *there)).array, dtype=np.float64
        )


def drawn(seed, dtype, n, d, scale):
    generator = np.random.default_rng(seed)
    spread = 2.0 ** generator.uniform(-scale, scale, (n, d))
    values = generator.normal(size=(n, d)) * spread, generator.normal(size=d) * 2.0 ** (scale / 2)
    return [nearest(x, dtype) for x in values]


def ratios(name, library, dtype, seed, n, d, scale, format_=None):
    """Error over bound of every element, infinity for a lost number; 0 without a bound."""
    formula, backend = FORMULAS[name], get_backend(library)
    inputs = drawn(seed, dtype, n, d, scale)
    got = computed(formula, backend, inputs, dtype)
    batch = {k: x.astype(np.float64)[None] for k, x in zip("Xw", inputs, strict=True)}
    (found,) = evaluate(
        traced(formula),
        batch,
        {"n": n, "d": d},
        dtypes=(backend.format(dtype) if format_ is None else format_,),
    )
    bound = np.broadcast_to(found.bounds[dtype][0], got.shape)
    with mpmath.workprec(2500 if "x" in name else 400):
        want = exactly(formula, inputs)
        off = [
            abs(mpmath.mpf(g) - t) if math.isfinite(g) else mpmath.inf
            for g, t in zip(got.ravel(), want.ravel(), strict=True)
        ]
        worst = [
            float(o / mpmath.mpf(b)) if b > 0 else (0.0 if o == 0 else math.inf)
            for o, b in zip(off, bound.ravel(), strict=True)
        ]
    return np.where(np.isfinite(bound.ravel()), worst, 0.0), bound, want, inputs


@pytest.mark.parametrize(("library", "dtype"), CELLS)
@pytest.mark.parametrize("name", FORMULAS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 5),
    d=st.sampled_from([1, 2, 3, 7, 40]),
    scale=st.sampled_from([0, 2, 6, 12]),
)
def test_a_library_keeps_its_bounds(name, library, dtype, seed, n, d, scale):
    found, *_ = ratios(name, library, dtype, seed, n, d, scale)
    assert found.max(initial=0.0) <= 1


@pytest.mark.parametrize(("library", "dtype"), HALVES)
def test_the_bound_of_a_long_dot_product_is_tight(library, dtype):
    """The bound of a long dot product is little more than the rounding of its result."""
    u = roundoff(dtype)
    relative = []
    for seed in range(40):
        _, bound, want, _ = ratios("dot", library, dtype, seed, 1, 64, 2)
        relative.append(float(bound.ravel()[0] / (u * abs(want.ravel()[0]))))
    assert 1 <= np.median(relative) <= 1.3
    in_itself = []
    for seed in range(40):
        plain = FORMATS[dtype]
        _, bound, want, _ = ratios("dot", library, dtype, seed, 1, 64, 2, plain)
        in_itself.append(float(bound.ravel()[0] / (u * abs(want.ravel()[0]))))
    assert np.median(in_itself) > 50 * np.median(relative)


# --- accumulators: which there are, and that the test would notice a wrong declaration ---------


def in_itself(x, w):
    total = x[0] * w[0]
    for a, b in zip(x[1:], w[1:], strict=True):
        total = total + a * b
    return total


def test_a_loop_in_float16_leaves_the_bound_of_an_accumulator_and_keeps_the_envelope():
    formula = traced(FORMULAS["dot"])
    beyond = 0
    for seed in range(50):
        X, w = drawn(seed, "float16", 1, 64, 0)
        batch = {"X": X.astype(float)[None], "w": w.astype(float)[None]}
        wanted = X.astype(float) @ w.astype(float)
        got = float(in_itself(X[0], w))
        format_ = get_backend("numpy").format("float16")
        (narrow,) = evaluate(formula, batch, {"n": 1, "d": 64}, dtypes=(format_,))
        (wide,) = evaluate(formula, batch, {"n": 1, "d": 64}, dtypes=(format_,), envelope=True)
        beyond += abs(got - wanted[0]) > narrow.bounds["float16"][0, 0]
        assert abs(got - wanted[0]) <= wide.bounds["float16"][0, 0]
    assert beyond > 25


@pytest.mark.parametrize("count", [64, 3000])
def test_sums_are_kept_in_what_is_declared(count):
    """2048 + 1 + 1 + ...: float16 drops every one, float32 none."""
    column = np.ones((count, 2), np.float16)
    column[0] = 2048
    ones = np.ones(count, np.float16)
    kept = np.float16(2048 + count - 1)
    numpy_format, torch_format = (get_backend(n).format("float16") for n in ("numpy", "torch-cpu"))
    assert np.sum(column, axis=0)[0] == 2048
    assert numpy_format.accumulator(1) is numpy_format
    assert (ones @ column)[0] == np.vecdot(column[:, 0], ones) == kept
    assert numpy_format.accumulator(2).name == "float32"
    tensor = torch.tensor(column)
    assert tensor.sum(0)[0].item() == (torch.tensor(ones) @ tensor)[0].item() == kept
    assert torch_format.accumulator(1).name == torch_format.accumulator(2).name == "float32"


def test_a_wider_accumulator_than_there_is_would_be_noticed():
    """numpy adds the rows of float16 in float16."""
    worst = 0.0
    for seed in range(60):
        format_ = FORMATS["float16"]
        declared = get_backend("torch-cpu").format("float16")
        found, *_ = ratios("columns", "numpy", "float16", seed, 40, 3, 2, declared)
        own, *_ = ratios("columns", "numpy", "float16", seed, 40, 3, 2, format_)
        worst = max(worst, found.max())
        assert own.max() <= 1
    assert worst > 1


def test_bfloat16_products_may_lose_subnormal_factors():
    """VDPBF16PS reads them as zero: a declared property, not an error."""
    format_ = get_backend("torch-cpu").format("bfloat16")
    formula = traced(FORMULAS["dot"])
    X, w = nearest(np.full((1, 33), 1e-40), "bfloat16"), nearest(np.full(33, 1e38), "bfloat16")
    batch = {"X": X.astype(float)[None], "w": w.astype(float)[None]}
    (found,) = evaluate(formula, batch, {"n": 1, "d": 33}, dtypes=(format_,))
    exact = float(X[0].astype(float) @ w.astype(float))
    there = torch.tensor(X).bfloat16().repeat(40, 1) @ torch.tensor(w).bfloat16()[:, None]
    assert abs(there.double().numpy() - exact).max() <= found.bounds["bfloat16"][0, 0]
    assert found.bounds["bfloat16"][0, 0] >= exact
