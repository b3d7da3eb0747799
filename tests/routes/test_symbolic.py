"""sympy's route: its array functions agree with numpy's, its numbers with exact ones."""

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from array_api_compat import array_namespace

from verimath import AtMost, ClaimError, Equal, Gradient
from verimath.routes.symbolic import call, entries, lambdify, numeric_value, symbols
from verimath.routes.symbolic_array import SymbolicArray

A = np.array([[1.0, -2.0, 0.5], [3.0, 0.0, -1.25]])
B = np.array([[2.0, 1.0], [0.25, -3.0], [1.0, 4.0]])
V = np.array([1.5, -2.0, 3.0])
S = np.array([[4.0, 0.25], [1.0, 9.0]])
CUBE = np.arange(12.0).reshape(2, 3, 2)
EMPTY = np.zeros((0, 3))


def symbolic(array):
    cells = np.vectorize(lambda x: sp.Rational(*float(x).as_integer_ratio()), otypes=[object])
    return SymbolicArray(cells(array) if array.size else array.astype(object))


def numbers(array):
    return np.vectorize(float, otypes=[float])(array.cells) if array.size else array.cells


CASES = {
    "add": (lambda xp, a, v: a + v, A, V),
    "radd": (lambda xp, a: 1 + a, A),
    "sub": (lambda xp, a, v: a - v, A, V),
    "rsub": (lambda xp, a: 0.5 - a, A),
    "mul": (lambda xp, a, v: a * v, A, V),
    "rmul": (lambda xp, a: 3 * a, A),
    "truediv": (lambda xp, a, v: a / v, A, V),
    "rtruediv": (lambda xp, v: 3 / v, V),
    "pow": (lambda xp, a: a**3, A),
    "negative power": (lambda xp, v: v**-2, V),
    "neg": (lambda xp, a: -a, A),
    "pos": (lambda xp, a: +a, A),
    "matmul": (lambda xp, a, b: a @ b, A, B),
    "matrix vector": (lambda xp, a, v: a @ v, A, V),
    "vector vector": (lambda xp, v: v @ v, V),
    "batched matmul": (lambda xp, c, s: c @ s, CUBE, S),
    "empty inner matmul": (lambda xp, e: xp.matrix_transpose(e) @ e, EMPTY),
    "T": (lambda xp, a: a.T, A),
    "mT": (lambda xp, c: c.mT, CUBE),
    "item": (lambda xp, a: a[1, :], A),
    "newaxis": (lambda xp, v: v[:, None] * v[None, :], V),
    "slice": (lambda xp, a: a[..., :2], A),
    "sum": (lambda xp, a: xp.sum(a), A),
    "sum axis": (lambda xp, a: xp.sum(a, axis=0), A),
    "sum keepdims": (lambda xp, a: xp.sum(a, axis=-1, keepdims=True), A),
    "sum axes": (lambda xp, c: xp.sum(c, axis=(0, 2)), CUBE),
    "sum of nothing": (lambda xp, e: xp.sum(e, axis=0), EMPTY),
    "mean": (lambda xp, a: xp.mean(a), A),
    "mean axis": (lambda xp, a: xp.mean(a, axis=1), A),
    "mean keepdims": (lambda xp, a: xp.mean(a, axis=0, keepdims=True), A),
    "mean of empty rows": (lambda xp, e: xp.mean(e, axis=1), EMPTY),
    "matrix_transpose": (lambda xp, c: xp.matrix_transpose(c), CUBE),
    "permute_dims": (lambda xp, c: xp.permute_dims(c, (2, 0, 1)), CUBE),
    "tensordot": (lambda xp, a, b: xp.tensordot(a, b, axes=1), A, B),
    "tensordot axes": (lambda xp, a, b: xp.tensordot(a, b, axes=((0, 1), (1, 0))), A, B),
    "vecdot": (lambda xp, a, v: xp.vecdot(a, v), A, V),
    "reshape": (lambda xp, a: xp.reshape(a, (3, 2)), A),
    "expand_dims": (lambda xp, v: xp.expand_dims(v, axis=1), V),
    "squeeze": (lambda xp, v: xp.squeeze(v[:, None], 1), V),
    "broadcast_to": (lambda xp, v: xp.broadcast_to(v, (2, 3)), V),
    "asarray": (lambda xp, v: xp.asarray([[1, 0.5, 2], [3, 4, 5]]) + v, V),
    "ones": (lambda xp, v: xp.ones((2, 3)) * v, V),
    "ones_like": (lambda xp, a: xp.ones_like(a) - a, A),
    "eye": (lambda xp, s: xp.eye(2) @ s, S),
    "add()": (lambda xp, a, v: xp.add(a, v), A, V),
    "subtract": (lambda xp, a, v: xp.subtract(a, v), A, V),
    "multiply": (lambda xp, a, v: xp.multiply(a, v), A, V),
    "divide": (lambda xp, a, v: xp.divide(a, v), A, V),
    "pow()": (lambda xp, a: xp.pow(a, 2), A),
    "square": (lambda xp, a: xp.square(a), A),
    "negative": (lambda xp, a: xp.negative(a), A),
    "exp": (lambda xp, a: xp.exp(a), A),
    "log": (lambda xp, s: xp.log(s), S),
    "sqrt": (lambda xp, s: xp.sqrt(s), S),
    "sin": (lambda xp, a: xp.sin(a), A),
    "cos": (lambda xp, a: xp.cos(a), A),
    "tanh": (lambda xp, a: xp.tanh(a), A),
    "trace": (lambda xp, s: xp.linalg.trace(s), S),
    "diagonal": (lambda xp, s: xp.linalg.diagonal(s), S),
    "outer": (lambda xp, v: xp.linalg.outer(v, v), V),
    "linalg.matmul": (lambda xp, a, b: xp.linalg.matmul(a, b), A, B),
}


@pytest.mark.parametrize("name", CASES)
def test_functions_agree_with_numpy(name):
    function, *arrays = CASES[name]
    found = function(array_namespace(symbolic(arrays[0])), *map(symbolic, arrays))
    wanted = np.asarray(function(array_namespace(arrays[0]), *arrays))
    assert isinstance(found, SymbolicArray)
    assert (found.shape, found.ndim, found.size) == (wanted.shape, wanted.ndim, wanted.size)
    np.testing.assert_allclose(numbers(found).astype(float), wanted, rtol=1e-14, atol=0)


def test_every_traced_function_has_a_symbolic_one():
    from verimath.formula.namespace import Namespace

    xp = SymbolicArray([]).__array_namespace__()
    for name in (n for n in vars(Namespace) if not n.startswith("_")):
        assert hasattr(xp, name), name


def test_unknown_functions_are_named():
    with pytest.raises(AttributeError, match="no function 'cumsum'"):
        SymbolicArray([1]).__array_namespace__().cumsum


def test_literals_are_the_constants_they_stand_for():
    (half,) = call(lambda x: 2 / 3 * x, {"x": np.asarray(sp.Integer(1), dtype=object)})
    assert half.item() == sp.Rational(2, 3)


@pytest.mark.parametrize("value", [np.float32(0.5), sp.Rational(1, 2)])
def test_numbers_that_would_be_cut_to_integers_are_refused(value):
    with pytest.raises(TypeError):
        SymbolicArray([sp.Integer(2)]) * value


def test_fractions_are_exact():
    assert (SymbolicArray([sp.Integer(2)]) * Fraction(1, 3)).cells.item() == sp.Rational(2, 3)


def test_symbols_of_different_inputs_never_meet():
    made = symbols({"x": (2, 2), "x_1": (2,), "s": ()})
    cells = [cell for cells in made.values() for cell in cells.ravel()]
    assert len(set(cells)) == len(cells) == 7
    assert str(made["x"][1, 0]) == "x[1, 0]"
    assert str(made["s"].item()) == "s"


def squares(x):
    return array_namespace(x).sum(x**2)


def test_entries_of_each_statement():
    inputs = symbols({"x": (2,)})
    a, b = inputs["x"]
    (gradient,) = entries(Gradient(of=squares, wrt="x", equals=squares), inputs)
    assert gradient.tolist() == [2 * a, 2 * b]
    (left,) = entries(Equal(left=squares, right=lambda x: x), inputs)
    assert left.item() == a**2 + b**2
    (bounded,) = entries(AtMost(of=lambda x: 3 * x, bound=1), inputs)
    assert bounded.tolist() == [3 * a, 3 * b]


def test_a_formula_that_does_not_run_on_symbols():
    with pytest.raises(ClaimError, match=r"doesn't run on symbols: .*cumsum"):
        entries(
            Equal(left=lambda x: array_namespace(x).cumsum(x), right=squares), symbols({"x": ()})
        )


def test_numbers_are_exact_and_rounded_once():
    def formula(x, y):
        return (x + y) ** 3 / 3 - x

    shapes = {"x": (2,), "y": ()}
    prepared = lambdify(Equal(left=formula, right=formula), shapes)
    generator = np.random.default_rng(3)
    for _ in range(20):
        x, y = generator.standard_normal(2) * 2.0 ** generator.integers(-30, 30, 2), 0.1
        (found,) = numeric_value(prepared, {"x": x, "y": np.asarray(y)})
        exact = [(Fraction(v) + Fraction(y)) ** 3 / 3 - Fraction(v) for v in x.tolist()]
        assert found.tolist() == [float(value) for value in exact]


@pytest.mark.parametrize("x", [2.0**-30, 2.0**-258, 1e-300, 5e-324])
def test_what_cancels_in_sympys_way_of_writing_has_all_its_digits(x):
    """sympy has exp(x) - 1 for expm1: nothing is left of it at 256 bits."""

    def formula(x):
        return array_namespace(x).expm1(x)

    prepared = lambdify(Equal(left=formula, right=formula), {"x": ()})
    (found,) = numeric_value(prepared, {"x": np.asarray(x)})
    assert found == np.expm1(x)


def test_gradient_in_several_inputs_keeps_shapes():
    def product(a, b):
        return array_namespace(a).sum(a @ b)

    prepared = lambdify(
        Gradient(of=product, wrt=("b", "a"), equals=product), {"a": (2, 3), "b": (3, 1)}
    )
    db, da = numeric_value(prepared, {"a": A, "b": B[:, :1]})
    np.testing.assert_array_equal(db, A.sum(axis=0)[:, None])
    np.testing.assert_array_equal(da, np.ones((2, 1)) @ B[:, :1].T)


def test_no_real_value_is_nan_and_costs_no_other_element_its_value():
    def formula(x):
        xp = array_namespace(x)
        return 1 / x + xp.sqrt(x)

    prepared = lambdify(Equal(left=formula, right=formula), {"x": (3,)})
    (found,) = numeric_value(prepared, {"x": np.array([0.0, 4.0, -1.0])})
    np.testing.assert_array_equal(found, [np.nan, 2.25, np.nan])


def test_zero_size():
    prepared = lambdify(Equal(left=lambda x: 2 * x, right=squares), {"x": (0, 2)})
    (found,) = numeric_value(prepared, {"x": np.zeros((0, 2))})
    assert found.shape == (0, 2)


@pytest.mark.parametrize(
    "function",
    [
        lambda xp, a, b: xp.linalg.solve(a, b),
        lambda xp, a, b: xp.linalg.solve(a, b[:, 0]),
        lambda xp, a, b: xp.linalg.inv(a),
        lambda xp, a, b: xp.linalg.matrix_power(a, 2),
        lambda xp, a, b: xp.linalg.cholesky(a),
    ],
)
def test_matrices_without_rows_have_a_shape(function):
    a, b = np.zeros((0, 0)), np.zeros((0, 3))
    symbolic = [SymbolicArray(x.astype(object)) for x in (a, b)]
    found = function(array_namespace(symbolic[0]), *symbolic)
    assert found.shape == function(array_namespace(a), a, b).shape


@pytest.mark.parametrize("x", [-30.0, -160.0, -700.0])
def test_one_plus_something_tiny_keeps_its_digits(x):
    def softplus(x):
        xp = array_namespace(x)
        return xp.log(1 + xp.exp(x))

    made = lambdify(Equal(left=softplus, right=softplus), {"x": ()})
    (found,) = numeric_value(made, {"x": np.array(x)})
    np.testing.assert_allclose(found, np.logaddexp(x, 0), rtol=1e-15)
