"""Several orders at once are what each is by itself, and matrix products are what einsum says."""

import numpy as np
import pytest
from array_api_compat import array_namespace
from hypothesis import given, settings
from hypothesis import strategies as st

from verimath import Claim, Domain, Gradient, reals
from verimath.arithmetic.merged import merged
from verimath.arithmetic.rounding import evaluate, evaluate_all
from verimath.arithmetic.values import contracted, equation_of, is_transposition
from verimath.composites import log_softmax, softmax
from verimath.formula.graph import Node, Subscripts
from verimath.formula.trace import trace
from verimath.reference.prepare import prepare
from verimath.shapes import Size

SHAPES = {"x": (Size.of("n"), Size.of("d"))}


def one(x):
    return softmax(x - 1, axis=-1) * 3


def other(x):
    xp = array_namespace(x)
    return xp.exp(log_softmax(x - 1, axis=-1)) * 3 + xp.sum(x, axis=0)


def test_what_two_formulas_share_is_one_step():
    formulas = tuple(trace(f, SHAPES) for f in (one, other))
    both, alone = merged(formulas), [merged((formula,)) for formula in formulas]
    assert len(both.steps) < sum(len(m.steps) for m in alone)
    what = [(s.node.operation, s.node.parameter, s.below) for s in both.steps]
    plain = [w for w in what if w[0] not in ("composite", "broadcast", "reshape")]
    assert len(set(plain)) == len(plain)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_several_formulas_at_once_are_each_by_itself(n, d, seed):
    formulas = tuple(trace(f, SHAPES) for f in (one, other))
    generator = np.random.default_rng(seed)
    scale = 10.0 ** generator.integers(-3, 3)
    inputs = {"x": generator.normal(size=(3, n, d)) * scale}
    sizes, dtypes = {"n": n, "d": d}, ("float32", "bfloat16")
    for envelope in (False, True):
        options = {"dtypes": dtypes, "envelope": envelope}
        together = evaluate_all(formulas, inputs, sizes, **options)
        for formula, (found,) in zip(formulas, together, strict=True):
            (alone,) = evaluate(formula, inputs, sizes, **options)
            assert np.array_equal(found.value, alone.value)
            assert envelope or np.array_equal(found.error, alone.error)
            for dtype in dtypes:
                if envelope:  # a step that another formula shares may have more ahead of it
                    assert np.all(found.bounds[dtype] >= alone.bounds[dtype])
                else:
                    assert np.array_equal(found.bounds[dtype], alone.bounds[dtype])


SUBSCRIPTS = [
    ((0, 1), (1, 2), (0, 2)),
    ((0, 1), (1,), (0,)),
    ((0,), (0, 1), (1,)),
    ((1, 0), (1, 2), (2, 0)),
    ((0, 1, 2), (0, 2, 3), (0, 1, 3)),
    ((0, 1, 2), (2, 0), (1, 0)),
    ((0, 1), (1, 0), ()),
    ((0, 1), (2, 3), (0, 1, 2, 3)),
    ((0, 0), (0, 1), (1,)),
    ((0, 1), (2,), (0,)),
]


@pytest.mark.parametrize(("left", "right", "output"), SUBSCRIPTS)
@pytest.mark.parametrize("counts", [(2, 2), (1, 2), (2, 1)])
def test_products_are_einsums(left, right, output, counts):
    node = Node("einsum", (), (), Subscripts((left, right), output))
    generator = np.random.default_rng(0)
    # Small whole numbers: sums in any order are exact.
    x = [
        generator.integers(-9, 9, (count, *(2 + i for i in indices))).astype(np.float64)
        for count, indices in zip(counts, (left, right), strict=True)
    ]
    assert np.array_equal(contracted(node, x), np.einsum(equation_of(node), *x))


def test_only_moves_are_transpositions():
    def is_move(operands, output):
        return is_transposition(Node("einsum", (), (), Subscripts(operands, output)))

    assert is_move(((0, 1),), (1, 0))
    assert not is_move(((0, 1),), (0,))
    assert not is_move(((0, 0),), (0,))
    assert not is_move(((0, 1), (1, 0)), (0, 1))


def test_zero_times_an_unbounded_factor_has_no_bound():
    """A library's product may skip zeros, a bound may not."""

    def product(x, w):
        return (x * x) @ w

    shapes = {"x": (Size.of("n"), Size.of("d")), "w": (Size.of("d"),)}
    inputs = {"x": np.full((1, 2, 2), 1e30), "w": np.zeros((1, 2))}
    (found,) = evaluate(trace(product, shapes), inputs, {"n": 2, "d": 2}, dtypes=("float32",))
    assert np.all(np.isinf(found.bounds["float32"]))
    assert np.all(np.isfinite(found.error))


def test_infinite_inputs_have_no_bound():
    def double(x):
        return x + x

    formula = trace(double, {"x": (Size.of("n"),)})
    (found,) = evaluate(formula, {"x": np.array([[1.0, np.inf, np.nan]])}, {"n": 3})
    assert np.isfinite(found.error[0]).tolist() == [True, False, False]


def test_a_claim_shares_its_residual():
    def loss(X, w, y):
        return array_namespace(X).mean((X @ w - y) ** 2 / 2)

    def gradient(X, w, y):
        return X.T @ (X @ w - y) / X.shape[0]

    claim = Claim(
        id="c",
        title="t",
        source="s",
        domain=Domain(X=reals("n d"), w=reals("d"), y=reals("n")),
        statement=Gradient(of=loss, wrt="w", equals=gradient),
    )
    steps = merged(prepare(claim, {}).orders).steps
    products = [s for s in steps if s.node.operation == "einsum" and len(s.below) == 2]
    assert len(products) == 3  # X w once, and X' r in two orders
