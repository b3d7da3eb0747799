"""Tracing: functions of the namespace mean what numpy means; what can't be traced says why."""

import functools
import math
import re

import array_api_strict
import numpy as np
import pytest
from array_api_compat import array_namespace
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from verimath.arithmetic.rounding import evaluate
from verimath.errors import FormulaError
from verimath.formula import operations
from verimath.formula.namespace import Namespace
from verimath.formula.trace import trace
from verimath.shapes import Size

N, D, K = Size.of("n"), Size.of("d"), Size.of("k")
AXES = {"n": N, "d": D, "k": K, "1": Size.of(1), "5": Size.of(5)}
AXES |= {"n+1": N + 1, "2*n": N * 2}


def run(function, shapes, sizes, seed):
    """The traced value and numpy's, on one random example."""
    generator = np.random.default_rng(seed)
    axes = {name: tuple(AXES[a] for a in text.split()) for name, text in shapes.items()}
    values = {
        name: generator.uniform(0.5, 2, tuple(size.at(sizes) for size in shape))
        for name, shape in axes.items()
    }
    formula = trace(function, axes)
    found = evaluate(formula, {name: x[None] for name, x in values.items()}, sizes)
    wanted = function(*values.values())
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    strict = function(*(array_api_strict.asarray(x) for x in values.values()))
    strict = strict if isinstance(strict, tuple) else (strict,)
    return formula, found, wanted, strict


def agree(function, shapes, sizes, seed):
    formula, found, wanted, strict = run(function, shapes, sizes, seed)
    for node, value, want, other in zip(formula.outputs, found, wanted, strict, strict=True):
        want = np.asarray(want)
        assert tuple(size.at(sizes) for size in node.shape) == want.shape
        got = np.broadcast_to(value.value, (1, *want.shape))[0]
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(np.asarray(other), want, rtol=1e-12, atol=1e-12)


def xp_(function):
    return lambda x, *rest: function(array_namespace(x), x, *rest)


STANDARD_FUNCTIONS = set(operations.FUNCTIONS) - {"erf"}

# Per function of the namespace: a use of it, and the shapes of its arguments.
USES = {
    "add": (xp_(lambda xp, x, y: xp.add(x, y)), "n d|d"),
    "subtract": (xp_(lambda xp, x, y: xp.subtract(x, y)), "n 1|n d"),
    "multiply": (xp_(lambda xp, x, y: xp.multiply(x, y)), "|n d"),
    "divide": (xp_(lambda xp, x, y: xp.divide(x, y)), "k n d|n 1"),
    "pow": (xp_(lambda xp, x: xp.pow(x, 3) + x**-1 + x**0.5 + x**0 + x**1), "n d"),
    "square": (xp_(lambda xp, x: xp.square(x)), "n"),
    "sum": (
        xp_(
            lambda xp, x: (
                xp.sum(x),
                xp.sum(x, axis=1),
                xp.sum(x, axis=(0, -1), keepdims=True),
                xp.sum(x, axis=()),
            )
        ),
        "k n d",
    ),
    "mean": (
        xp_(lambda xp, x: (xp.mean(x), xp.mean(x, axis=-1), xp.mean(x, axis=(0, 1)))),
        "k n d",
    ),
    "matmul": (xp_(lambda xp, x, y: xp.matmul(x, y)), "n d|d k"),
    "matrix_transpose": (xp_(lambda xp, x: xp.matrix_transpose(x)), "k n d"),
    "permute_dims": (xp_(lambda xp, x: xp.permute_dims(x, (2, 0, 1))), "k n d"),
    "tensordot": (
        xp_(
            lambda xp, x, y: (
                xp.tensordot(x, y, axes=1),
                xp.tensordot(x, y, axes=((1, 0), (0, 1))),
                xp.tensordot(x, y, axes=0),
            )
        ),
        "n d|d n",
    ),
    "vecdot": (
        xp_(lambda xp, x, y: (xp.vecdot(x, y), xp.vecdot(x, x, axis=-2))),
        "n d|d",
    ),
    "reshape": (
        xp_(lambda xp, x: xp.reshape(x, (x.shape[1], x.shape[0] * x.shape[2]))),
        "k n d",
    ),
    "expand_dims": (
        xp_(lambda xp, x: (xp.expand_dims(x, axis=0), xp.expand_dims(x, axis=-1))),
        "n d",
    ),
    "squeeze": (xp_(lambda xp, x: xp.squeeze(x, 1)), "n 1 d"),
    "broadcast_to": (xp_(lambda xp, x, y: xp.broadcast_to(x, y.shape)), "d|n d"),
    "asarray": (xp_(lambda xp, x: x + xp.asarray([[1.0], [0.1]])), "d"),
    "ones": (xp_(lambda xp, x: x * xp.ones((x.shape[1], x.shape[0], x.shape[1]))), "n d"),
    "ones_like": (xp_(lambda xp, x: xp.ones_like(x)), "n d"),
    "eye": (xp_(lambda xp, x: x @ xp.eye(x.shape[1])), "n d"),
    "pi": (xp_(lambda xp, x: x * xp.pi), "n"),
    "e": (xp_(lambda xp, x: x * xp.e), "n"),
    "newaxis": (xp_(lambda xp, x: x[:, xp.newaxis, ...]), "n d"),
    "linalg": (
        xp_(
            lambda xp, x, y: (
                xp.linalg.trace(y),
                xp.linalg.diagonal(y),
                xp.linalg.outer(x, x),
                xp.linalg.vecdot(x, x),
                xp.linalg.tensordot(y, x, axes=1),
                xp.linalg.matmul(y, x),
                xp.linalg.matrix_transpose(y),
            )
        ),
        "n|n n",
    ),
    "batched linalg": (
        xp_(lambda xp, x: (xp.linalg.trace(x), xp.linalg.diagonal(x))),
        "k d n n",
    ),
    "batched matmul": (xp_(lambda xp, x, y: x @ y), "k n d|d k"),
    "broadcast matmul": (xp_(lambda xp, x, y: x @ y), "k 1 n d|d d n"),
    "matmul of vectors": (lambda x, y: (y @ x, x @ x, y.T @ (y @ x)), "d|n d"),
    "attributes": (lambda x: (x.T / x.ndim, x.mT * x.size, +x, -x, 1 - x, 2 / x), "n d"),
    "sizes": (
        lambda x: x * (x.shape[0] + 1 - 2 * x.shape[1]) / (1 + x.size) * x.shape[0] ** 0.5,
        "n d",
    ),
    **{
        name: (xp_(lambda xp, x, name=name: getattr(xp, name)(x)), "k n d")
        for name in sorted(STANDARD_FUNCTIONS - {"asin", "acos", "atanh", "acosh"})
    },
    **{
        name: (xp_(lambda xp, x, name=name: getattr(xp, name)(x / 2.5)), "k n d")
        for name in ("asin", "acos", "atanh")
    },
    "acosh": (xp_(lambda xp, x: xp.acosh(x + 1)), "n"),
    "less": (xp_(lambda xp, x, y: xp.where(xp.less(x, y), x, -y)), "n d|d"),
    "less_equal": (xp_(lambda xp, x, y: xp.where(xp.less_equal(x, x), x, y)), "n d|d"),
    "greater": (xp_(lambda xp, x, y: xp.where(xp.greater(x, y), x, -y)), "n d|n d"),
    "greater_equal": (xp_(lambda xp, x, y: xp.where(xp.greater_equal(x, y), x, -y)), "n d|n d"),
    "equal": (xp_(lambda xp, x, y: xp.where(xp.equal(x, x[:1, :]), x, -y)), "n d|n d"),
    "not_equal": (xp_(lambda xp, x, y: xp.where(xp.not_equal(x, x[:1, :]), x, -y)), "n d|n d"),
    "comparison operators": (
        lambda x, y: tuple(
            array_namespace(x).where(mask, x, 3 * y)
            for mask in (x < y, x <= y, x > y, x >= y, x == y, x != y, ~(x < y))
        ),
        "n d|n d",
    ),
    "logical_and": (xp_(lambda xp, x: xp.where(xp.logical_and(x > 1, x < 1.5), x, -x)), "n d"),
    "logical_or": (xp_(lambda xp, x: xp.where(xp.logical_or(x < 1, x > 1.5), x, -x)), "n d"),
    "logical_not": (xp_(lambda xp, x: xp.where(xp.logical_not(x < 1), x, -x)), "n d"),
    "where": (xp_(lambda xp, x, y: xp.where((x > 1) & (y < 1) | (x < 0.7), x, y)), "n 1|d"),
    "astype": (xp_(lambda xp, x: x * xp.astype(x > 1, x.dtype)), "n d"),
    "maximum": (xp_(lambda xp, x, y: xp.maximum(x, y)), "n d|d"),
    "minimum": (xp_(lambda xp, x, y: xp.minimum(x, y)), "n d|d"),
    "clip": (xp_(lambda xp, x: (xp.clip(x, 0.7, 1.5), xp.clip(x, None, 1.0))), "n d"),
    "max": (
        xp_(lambda xp, x: (xp.max(x), xp.max(x, axis=1), xp.max(x, axis=(0, 2), keepdims=True))),
        "k n d",
    ),
    "min": (xp_(lambda xp, x: (xp.min(x), xp.min(x, axis=-1, keepdims=True))), "k n d"),
    "prod": (xp_(lambda xp, x: (xp.prod(x), xp.prod(x, axis=0, keepdims=True))), "n d"),
    "cumulative_sum": (xp_(lambda xp, x: xp.cumulative_sum(x, axis=1)), "k n d"),
    "cumulative_prod": (
        xp_(lambda xp, x: (xp.cumulative_prod(x, axis=0), xp.cumulative_prod(x, axis=1))),
        "k n d",
    ),
    "var": (xp_(lambda xp, x: (xp.var(x), xp.var(x, axis=0, correction=0.5))), "n d"),
    "std": (xp_(lambda xp, x: xp.std(x, axis=0, keepdims=True)), "n d"),
    "tril": (xp_(lambda xp, x: (xp.tril(x), xp.tril(x, k=-1))), "k n d"),
    "triu": (xp_(lambda xp, x: (xp.triu(x), xp.triu(x, k=1))), "k n d"),
    "arange": (
        xp_(
            lambda xp, x: (
                x * xp.astype(xp.arange(x.shape[0]), x.dtype),
                x + xp.astype(xp.arange(1, x.shape[0] + 1), x.dtype),
                x + xp.astype(xp.arange(x.shape[0] - 1, -1, -1), x.dtype),
            )
        ),
        "n",
    ),
    "take": (
        xp_(
            lambda xp, x: (
                xp.take(x, xp.arange(x.shape[1]), axis=1),
                xp.take(x, xp.arange(x.shape[0] - 1, x.shape[0]), axis=0),
            )
        ),
        "n d",
    ),
    "take_along_axis": (
        xp_(
            lambda xp, x: xp.take_along_axis(
                x, xp.broadcast_to(xp.arange(x.shape[1]), x.shape), axis=1
            )
        ),
        "n d",
    ),
    "flip": (xp_(lambda xp, x: (xp.flip(x), xp.flip(x, axis=1))), "n d"),
    "concat": (
        xp_(lambda xp, x, y: (xp.concat([x, y], axis=0), xp.concat([x, x], axis=None))),
        "n d|k d",
    ),
    "stack": (xp_(lambda xp, x: (xp.stack([x, 2 * x]), xp.stack([x, x], axis=1))), "n d"),
    "zeros": (xp_(lambda xp, x: x + xp.zeros((x.shape[0], 1))), "n d"),
    "zeros_like": (xp_(lambda xp, x: xp.zeros_like(x)), "n d"),
    "full": (xp_(lambda xp, x: x + xp.full((x.shape[1],), 0.5)), "n d"),
    "full_like": (xp_(lambda xp, x: xp.full_like(x, 0.5)), "n d"),
    "indexing": (
        lambda x: (x[0, :], x[-1, :], x[:, 0], x[..., -1], x[1:, :], x[:-1, :], x[-1:, None, :]),
        "n d",
    ),
    "slices with steps": (lambda x: (x[::-1], x[0:2], x[-2:]), "n+1"),
    "slices of doubles": (lambda x: (x[::2], x[1::2], x[x.shape[0] - 1], x[:2]), "2*n"),
    "fixed sizes": (lambda x: (x[::2], x[4:0:-2], x[-3:5], x[5:]), "5"),
    "solve": (
        xp_(
            lambda xp, x, y: (
                xp.linalg.solve(y @ y.T + xp.eye(y.shape[0]), x[:, None]),
                xp.linalg.solve(y @ y.T + xp.eye(y.shape[0]), x),
            )
        ),
        "n|n n",
    ),
    "inverse and determinant": (
        xp_(
            lambda xp, x: (
                xp.linalg.inv(x + 3 * xp.eye(x.shape[1])),
                xp.linalg.det(x),
                *xp.linalg.slogdet(x + 3 * xp.eye(x.shape[1])),
                xp.linalg.matrix_power(x, 3),
            )
        ),
        "k n n",
    ),
    "cholesky": (
        xp_(
            lambda xp, x: (
                xp.linalg.cholesky(x @ x.T + xp.eye(x.shape[0])),
                xp.linalg.cholesky(x @ x.T + xp.eye(x.shape[0]), upper=True),
            )
        ),
        "n n",
    ),
    "vector_norm": (
        xp_(
            lambda xp, x: (
                xp.linalg.vector_norm(x),
                xp.linalg.vector_norm(x, axis=1, ord=1),
                xp.linalg.vector_norm(x, axis=0, ord=float("inf"), keepdims=True),
            )
        ),
        "n d",
    ),
}


def test_slices_beyond_a_fixed_size_are_pythons():
    formula = trace(lambda x: (x[-3:10], x[7:], x[0]), {"x": (Size.of(5),)})
    x = np.arange(5.0)
    found = evaluate(formula, {"x": x[None]}, {})
    for value, want in zip(found, (x[-3:10], x[7:], x[0]), strict=True):
        np.testing.assert_array_equal(value.value[0], want)


def test_every_function_of_the_namespace_has_a_use_here():
    public = {n for n in dir(Namespace) if not n.startswith("_")} | STANDARD_FUNCTIONS
    assert public - set(USES) == {"float32", "float64", "int32", "int64", "composite"}


@pytest.mark.parametrize("name", USES)
@settings(max_examples=8, deadline=None)
@given(
    sizes=st.fixed_dictionaries({name: st.integers(1, 4) for name in "ndk"}),
    seed=st.integers(0, 2**16),
)
def test_a_traced_function_is_numpys_and_the_strict_standards(name, sizes, seed):
    function, shapes = USES[name]
    names = dict(zip("xyz", shapes.split("|"), strict=False))
    agree(function, names, sizes, seed)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_random_formulas_are_numpys(programs, data, seed):
    program = data.draw(programs())
    values = program.draw(seed)
    formula = program.formula
    (found,) = evaluate(formula, {n: x[None] for n, x in values.items()}, program.binding)
    wanted = np.asarray(program(*values.values()))
    assert tuple(size.at(program.binding) for size in formula.outputs[0].shape) == wanted.shape
    got = np.broadcast_to(found.value, (1, *wanted.shape))[0]
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)


@given(x=arrays(np.float64, (0, 3)))
@settings(max_examples=2)
def test_empty_arrays_sum_to_nothing(x):
    formula = trace(lambda x: array_namespace(x).sum(x, axis=0), {"x": (N, D)})
    (found,) = evaluate(formula, {"x": x[None]}, {"n": 0, "d": 3})
    np.testing.assert_array_equal(found.value[0], np.zeros(3))


# --- errors -----------------------------------------------------------------------------------


def _branches(x):
    if x.shape[0] == 1:
        return x
    return 2 * x


def _loops(x):
    return sum(row for row in x)


def _ranges(x):
    return functools.reduce(lambda y, _: y + x, range(x.shape[0]), x)


ERRORS = {
    "a branch on a size": (_branches, "may not branch on it"),
    "a size as a truth value": (lambda x: x if x.shape[0] else -x, "a truth value depends on"),
    "a range over a size": (_ranges, "a plain integer"),
    "the square root of a size": (lambda x: x * math.sqrt(x.size), "use `size \\*\\* 0.5`"),
    "float(x)": (lambda x: float(x), "holds no number"),
    "math on an array": (lambda x: math.exp(x), "holds no number"),
    "iteration": (_loops, "may not iterate"),
    "a mask as a number": (lambda x: x * (x > 0), "booleans take no part in real arithmetic"),
    "an index as a number": (lambda x: x + array_namespace(x).arange(3), "integers take no part"),
    "a function of a mask": (lambda x: array_namespace(x).exp(x > 0), "`exp` of booleans"),
    "a sum of a mask": (lambda x: array_namespace(x).sum(x > 0), "a sum or product of booleans"),
    "a choice by numbers": (lambda x: array_namespace(x).where(x, x, x), "wants a mask"),
    "a choice of two kinds": (
        lambda x: array_namespace(x).where(x > 0, x, x > 0),
        "between reals and booleans",
    ),
    "logic of numbers": (lambda x: x & x, "a logical and of reals; wanted the results of <"),
    "a mask made of numbers": (
        lambda x: array_namespace(x).astype(x, "boolean"),
        "reals as booleans",
    ),
    "different widths": (
        lambda x: array_namespace(x).concat([x, x.T]),
        r"shapes \(n, d\) and \(d, n\) don't concatenate along axis 0",
    ),
    "a concatenation of nothing": (lambda x: array_namespace(x).concat([]), "of nothing"),
    "an odd step": (lambda x: x[::2], "has no length that holds for every size"),
    "a step of zero": (lambda x: x[::0], "with step 0"),
    "a slice to a float": (lambda x: x[:1.5], "a slice up to 1.5"),
    "indexing by a mask": (lambda x: x[x > 0], "elements are taken by integers, not booleans"),
    "indexing twice": (
        lambda x: x[array_namespace(x).arange(2), array_namespace(x).arange(2)],
        "indexing by several integer arrays",
    ),
    "an arange by tens": (lambda x: array_namespace(x).arange(0, 100, 10), "step 10; wanted 1 or"),
    "a triangle of a vector": (lambda x: array_namespace(x).tril(x[0]), "of an array of 1 axes"),
    "an inverse of no square": (
        lambda x: array_namespace(x).linalg.inv(x),
        r"wanted \(..., n, n\)",
    ),
    "a system that doesn't fit": (
        lambda x: array_namespace(x).linalg.solve(x @ x.T, x.T),
        r"\(n, n\) and \(d, n\) don't fit a linear system",
    ),
    "a flat cumulative sum": (lambda x: array_namespace(x).cumulative_sum(x), "say which axis"),
    "a flat take": (lambda x: array_namespace(x).take(x, x), "say which axis"),
    "another norm": (
        lambda x: array_namespace(x).linalg.vector_norm(x, ord=3),
        "ord=3; wanted 1, 2 or inf",
    ),
    "a power of a matrix": (
        lambda x: array_namespace(x).linalg.matrix_power(x, -1),
        "exponent -1; wanted an integer",
    ),
    "a branch on a value": (lambda x: x if x else -x, "may not branch"),
    "assignment": (lambda x: x.__setitem__(0, 1), "may not assign"),
    "indexing by a string": (lambda x: x["a"], "an index of type str; wanted slices"),
    "indexing by numbers": (lambda x: x[x], "elements are taken by integers, not reals"),
    "too many indices": (lambda x: x[:, :, :], r"too many indices for an array of shape \(n, d\)"),
    "an unknown function": (lambda x: array_namespace(x).gamma(x), "`xp.gamma` is not .* known: "),
    "an unknown linalg function": (lambda x: array_namespace(x).linalg.qr(x), "`xp.linalg.qr`"),
    "a numpy method": (lambda x: x.clip(0, 1), "`.clip` is no attribute"),
    "a numpy function": (lambda x: np.sum(x), "numpy's `sum` can't take part"),
    "a numpy ufunc": (lambda x: np.exp(x), "numpy's `exp` can't take part .* such as `xp.exp`"),
    "a power of arrays": (lambda x: x**x, "an exponent has to be a number"),
    "an array as exponent": (lambda x: 2**x, "TypeError"),
    "an irrational exponent": (lambda x: x**math.pi, "the exponent pi is not rational"),
    "an infinite exponent": (lambda x: x**math.inf, "the exponent inf is no real number"),
    "a string": (lambda x: x + "1", "a str can't take part"),
    "infinity": (lambda x: x + math.inf, "no real number"),
    "shapes": (lambda x: x @ x, r"shapes \(n, d\) and \(n, d\) don't fit: sizes d and n"),
    "broadcasting": (lambda x: x + x.T, r"shapes \(n, d\) and \(d, n\) don't broadcast"),
    "a reshape": (
        lambda x: array_namespace(x).reshape(x, (x.shape[0],)),
        r"\(n, d\) can't be reshaped to \(n,\): d\*n elements are not n",
    ),
    "a reshape with -1": (lambda x: array_namespace(x).reshape(x, (-1,)), "write the size"),
    "a size that is no integer": (
        lambda x: array_namespace(x).ones((2.0,)),
        "2.0 is no size of an axis",
    ),
    "a negative size": (lambda x: array_namespace(x).ones((-3,)), "-3 is no size of an axis"),
    "a missing axis": (
        lambda x: array_namespace(x).sum(x, axis=2),
        r"axis 2 of an array of shape \(n, d\), which has 2 axes",
    ),
    "an axis twice": (lambda x: array_namespace(x).sum(x, axis=(0, 0)), "name one axis twice"),
    "expanding too far": (lambda x: array_namespace(x).expand_dims(x, axis=5), "axis 5 to expand"),
    "no permutation": (lambda x: array_namespace(x).permute_dims(x, (0,)), "no permutation"),
    "squeezing": (lambda x: array_namespace(x).squeeze(x, 0), "not 1 everywhere"),
    "a matrix's outer product": (lambda x: array_namespace(x).linalg.outer(x, x), "wanted 1 and 1"),
    "a vector's trace": (
        lambda x: array_namespace(x).linalg.trace(array_namespace(x).sum(x, axis=0)),
        "of an array of 1 axes; wanted at least 2",
    ),
    "tensordot of too many axes": (
        lambda x: array_namespace(x).tensordot(x, x, axes=3),
        "over 3 axes of arrays of 2 and 2 axes",
    ),
    "a vecdot from the left": (lambda x: array_namespace(x).vecdot(x, x, axis=0), "negative"),
    "a ragged table": (lambda x: array_namespace(x).asarray([[1], [2, 3]]), "different lengths"),
    "any other exception": (lambda x: {}["missing"], "KeyError: 'missing'"),
    "a division by zero": (lambda x: x * (1 / 0), "ZeroDivisionError"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_can_not_be_traced_names_the_line(name):
    function, message = ERRORS[name]
    with pytest.raises(FormulaError, match=message) as caught:
        trace(function, {"x": (N, D)})
    place = re.search(r"test_trace\.py:(\d+): ", str(caught.value))
    assert place, str(caught.value)
    first = function.__code__.co_firstlineno
    assert first <= int(place.group(1)) <= first + 4


def test_the_line_is_that_of_a_helper_the_formula_calls():
    def helper(x):
        return x.shape[0] > 2

    with pytest.raises(FormulaError) as caught:
        trace(lambda x: helper(x) * x, {"x": (N,)})
    assert f"test_trace.py:{helper.__code__.co_firstlineno + 1}: " in str(caught.value)


@pytest.mark.parametrize("result", [None, "x", [1], True, np.ones(2), ()])
def test_a_formula_returns_arrays(result):
    with pytest.raises(FormulaError, match=r"returned .*; wanted an array"):
        trace(lambda x: result, {"x": (N,)})


# --- names ------------------------------------------------------------------------------------


def _with_variables(x, w):
    prediction = x @ w
    squares = prediction**2
    return array_namespace(x).sum(squares)


def test_variables_name_their_nodes():
    formula = trace(_with_variables, {"X": (N, D), "w": (D,)})
    found = {name: node.operation for node, name in formula.names.items()}
    assert found == {
        "X": "input",
        "w": "input",
        "prediction": "einsum",
        "squares": "power",
        "_with_variables": "einsum",
    }


def test_a_rebound_variable_does_not_share_its_input_s_name():
    def shifted(x):
        y = x
        x = x + 1
        return array_namespace(x).sum(x * y)

    formula = trace(shifted, {"x": (N,)})
    names = {name: node.operation for node, name in formula.names.items()}
    assert names == {"x": "input", "x'": "add", "shifted": "einsum"}


def test_the_result_of_a_lambda_does_not_share_its_input_s_name():
    formula = trace(lambda f: f**2, {"f": ()})
    assert sorted(formula.names.values()) == ["f", "f'"]


def test_tracing_under_a_profiler_works_without_names():
    import sys

    sys.setprofile(lambda *_: None)
    try:
        formula = trace(_with_variables, {"x": (N, D), "w": (D,)})
    finally:
        sys.setprofile(None)
    assert set(formula.names.values()) == {"x", "w", "_with_variables"}


def test_wrapped_functions_are_traced():
    formula = trace(functools.partial(lambda k, x: k * x, 3), {"x": (N,)})
    assert formula.outputs[0].operation == "multiply"
