"""Constructors: shapes follow numpy's rules for every size, and errors name the shapes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verimath.arithmetic import symbolic, values
from verimath.arithmetic.bounds.functions import _FUNCTION_CARRIES
from verimath.arithmetic.bounds.table import BOUNDS
from verimath.arithmetic.formats import documented
from verimath.composites import softmax
from verimath.errors import FormulaError
from verimath.formula import batching, derive, forward, reverse, slopes
from verimath.formula import operations as op
from verimath.formula.graph import Formula, Subscripts
from verimath.formula.latex.statements import formula_tex
from verimath.formula.trace import trace
from verimath.routes import symbolic as route
from verimath.routes import symbolic_namespace
from verimath.shapes import ONE, Size

N, D = Size.of("n"), Size.of("d")
X, V, W = op.input_("X", (N, D)), op.input_("v", (N,)), op.input_("w", (D,))

AXES = st.lists(st.sampled_from([Size.of(1), Size.of(2), Size.of(3)]), max_size=3)


def numbers(shape):
    return tuple(size.at({}) for size in shape)


@given(AXES, AXES)
def test_broadcasting_is_numpys(a, b):
    try:
        wanted = np.broadcast_shapes(numbers(a), numbers(b))
    except ValueError:
        with pytest.raises(FormulaError, match="don't broadcast"):
            op.broadcast_shape(a, b)
    else:
        assert numbers(op.broadcast_shape(a, b)) == wanted


@given(AXES, AXES)
def test_matrix_products_are_numpys(a, b):
    left, right = op.input_("a", a), op.input_("b", b)
    try:
        wanted = np.matmul(np.ones(numbers(a)), np.ones(numbers(b))).shape
    except ValueError:
        with pytest.raises(FormulaError, match=r"don't fit|don't broadcast|at least one axis"):
            op.matmul(left, right)
    else:
        assert numbers(op.matmul(left, right).shape) == wanted


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: op.add(X, V), r"shapes \(n, d\) and \(n,\) don't broadcast"),
        (lambda: op.multiply(X, op.input_("y", (D, N))), r"\(n, d\) and \(d, n\) don't"),
        (lambda: op.broadcast(X, (N,)), r"shapes \(n, d\) and \(n,\) don't broadcast"),
        (lambda: op.broadcast(X, (ONE, D)), r"shape \(n, d\) doesn't broadcast to \(1, d\)"),
        (lambda: op.reshape(X, (N,)), r"\(n, d\) can't be reshaped to \(n,\): d\*n elements"),
        (lambda: op.matmul(X, X), r"\(n, d\) and \(n, d\) don't fit: sizes d and n should be"),
        (lambda: op.matmul(X, V), r"\(n, d\) and \(n,\) don't fit: sizes d and n"),
        (lambda: op.matmul(X, op.size(N)), "at least one axis"),
        (lambda: op.einsum(Subscripts(((0, 0),), ()), X), "sizes n and d should be equal"),
        (lambda: op.table([[1.0], [1.0, 2.0]]), "rows of different lengths"),
        (lambda: op.table([[1], 2]), "rows of different lengths"),
        (lambda: op.table(["1"]), "can't hold str"),
        (lambda: op.table([True]), "can't hold bool"),
        (lambda: op.constant(float("nan")), "nan is no real number; a formula is about real"),
    ],
)
def test_errors_name_the_shapes(make, message):
    with pytest.raises(FormulaError, match=message):
        make()


@pytest.mark.parametrize("values", [2, [], [[]], [1, 2], [[1, 2, 3]], [[[1.5]], [[2]]]])
def test_tables_have_numpys_shape(values):
    assert numbers(op.table(values).shape) == np.asarray(values).shape


def test_nothing_is_made_where_nothing_changes():
    assert op.reshape(X, (N, D)) is X
    assert op.broadcast(X, (N, D)) is X
    assert op.permute(X, (0, 1)) is X
    assert op.sum_(X, ()) is X


# --- every operation has a rule of every kind -------------------------------------------------

# What is missing, and why.
LEAVES = {
    "input",
    "constant",
    "size",
    "table",
    "delta",
    "index",
}  # nothing below to differentiate in


BY_THE_WALK = {"composite", "broadcast", "reshape", "einsum"}


@pytest.mark.parametrize("operation", op.OPERATIONS)
def test_every_operation_has_a_rule_of_every_kind(operation):
    assert (operation in reverse.REVERSE) is (operation not in LEAVES)
    assert (operation in forward.FORWARD) is (operation not in LEAVES)
    assert (operation in batching.RULES) is (operation not in LEAVES)
    assert operation in values.VALUES
    # `rounding` moves bounds as it moves numbers, and opens composites; sums share their base.
    assert (operation in BOUNDS) is (operation not in BY_THE_WALK)
    # A symbolic evaluation starts from given values of the inputs.
    assert (operation in symbolic._RULES) is (operation != "input")


def test_there_are_no_rules_for_what_does_not_exist():
    known = set(op.OPERATIONS)
    for rules in (reverse.REVERSE, forward.FORWARD, batching.RULES, values.VALUES, BOUNDS):
        assert set(rules) <= known
    assert set(symbolic._RULES) <= known


@pytest.mark.parametrize("name", op.FUNCTIONS)
def test_every_function_has_a_rule_of_every_kind(name):
    x = op.input_("x", (N,))
    node = op.function(name, x)
    assert name in slopes._FUNCTION_SLOPES
    assert name in values._NUMPY_FUNCTIONS
    assert name in _FUNCTION_CARRIES
    assert documented(name, "float64").roundoffs <= 8
    assert name in symbolic_namespace._FUNCTIONS
    cells = route.symbols({"x": (2,)})["x"]
    (found,) = symbolic.evaluate((node,), {x: cells}, {"n": 2})
    np.testing.assert_array_equal(
        found, [symbolic_namespace._FUNCTIONS[name](cell) for cell in cells]
    )
    assert formula_tex(Formula("f", {"x": x}, (node,), {x: "x"})) not in ("", "x")
    assert derive.rule_name(node)


NODES = {
    "input": X,
    "constant": op.constant(2.5),
    "size": op.size(N),
    "table": op.table([1, 2]),
    "delta": op.delta(N),
    "add": op.add(X, X),
    "multiply": op.multiply(X, X),
    "divide": op.divide(X, X),
    "power": op.power(X, 3),
    "function": op.function("sin", X),
    "einsum": op.matmul(X, W),
    "broadcast": op.broadcast(W, (N, D)),
    "reshape": op.reshape(W, (D, ONE)),
    "index": op.index(N),
    "convert": op.convert(op.index(N)),
    "compare": op.compare("less", X, W),
    "logical": op.logical("not", op.compare("less", X, W)),
    "where": op.where(op.compare("less", X, W), X, W),
    "maximum": op.maximum(X, W),
    "max": op.max_(X, 1),
    "subgradient": op.subgradient("sign", X),
    "gather": op.gather(X, op.index(N), 0),
    "scatter": op.scatter(X, op.index(N), 0, N),
    "concatenate": op.concatenate([X, X], 1),
    "product": op.product(X, 0),
    "cumulative": op.cumulative(X, 0),
    "solve": op.solve(op.matmul(X, op.transpose(X)), X),
    "determinant": op.determinant(op.matmul(X, op.transpose(X))),
    "cholesky": op.cholesky(op.matmul(X, op.transpose(X))),
    "composite": trace(softmax, {"X": (N, D)}).outputs[0],
}


BY_THE_WALK = {"composite", "broadcast", "reshape", "einsum"}


@pytest.mark.parametrize("operation", op.OPERATIONS)
def test_every_operation_has_tex_and_a_name_for_its_rule(operation):
    node = NODES[operation]
    assert node.operation == operation
    assert formula_tex(Formula("f", {"X": X, "w": W}, (node,), {}))
    if operation not in LEAVES:
        assert derive.rule_name(node)
