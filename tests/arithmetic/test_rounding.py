"""Every bound holds for every order of evaluation; the oracle is mpmath or Fraction."""

import math
import operator
from fractions import Fraction
from itertools import product

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from verimath.arithmetic import operand, rounding
from verimath.arithmetic.bounds import elementwise, sums
from verimath.arithmetic.formats import FloatFormat, FunctionError
from verimath.arithmetic.rounding import evaluate
from verimath.dtypes import nearest, roundoff
from verimath.errors import FormulaError
from verimath.formula import operations as op
from verimath.formula.graph import Formula, Node, Subscripts
from verimath.shapes import Size

N, M = Size.of("n"), Size.of("m")
DTYPES = ("float64", "float32")
HALVES = ("float16", "bfloat16")
BITS = 2600  # sums of numbers from 2^-1074 to 2^1024 are exact


# --- the oracle: mpmath, element by element; None where there is no real value ----------------


def _function(name, x):
    if name == "negative":
        return -x
    if name == "abs":
        return abs(x)
    if _is_outside(name, x):
        return None
    if name in ("exp", "expm1") and abs(x) > 1e5:  # beyond every format
        return None if x > 0 else mpmath.mpf(-1 if name == "expm1" else 0)
    if name in ("sinh", "cosh") and abs(x) > 1e5:
        return None
    if name in ("tanh", "erf") and abs(x) > 1e4:  # 1 up to 2^-20000
        return mpmath.sign(x)
    return getattr(mpmath, name)(x)


def _is_outside(name, x):
    """Whether x is not in the domain of a function."""
    return (
        (name == "log" and x <= 0)
        or (name == "sqrt" and x < 0)
        or (name == "log1p" and x <= -1)
        or (name in ("asin", "acos") and abs(x) > 1)
        or (name == "atanh" and abs(x) >= 1)
        or (name == "acosh" and x < 1)
    )


def _power(x, exponent):
    if exponent.denominator == 1:
        return None if x == 0 and exponent < 0 else x ** int(exponent)
    if x < 0 or (x == 0 and exponent < 0):
        return None
    return mpmath.power(x, mpmath.mpf(exponent.numerator) / exponent.denominator)


def _real(constant):
    factor = mpmath.mpf(constant.factor.numerator) / constant.factor.denominator
    units = {"1": 1, "pi": mpmath.pi, "e": mpmath.e, "sqrt": mpmath.sqrt(_fraction(constant))}
    return factor * units[constant.unit]


def _fraction(constant):
    return mpmath.mpf(constant.radicand.numerator) / constant.radicand.denominator


def _exact_element(node, x):
    if any(a is None for a in x):
        return None
    match node.operation:
        case "add":
            return x[0] + x[1]
        case "multiply":
            return x[0] * x[1]
        case "divide":
            return None if x[1] == 0 else x[0] / x[1]
        case "power":
            return _power(x[0], node.parameter)
        case _:
            return _function(node.parameter, x[0])


def _cells(parameter, read):
    return [_cells(c, read) for c in parameter] if isinstance(parameter, tuple) else read(parameter)


def _shape(node, sizes):
    return tuple(size.at(sizes) for size in node.shape)


def _sum_of_products(node, x, sizes, total, kind):
    """An einsum by its definition, the terms added by `total`."""
    subscripts = node.parameter
    extents = {}
    for indices, array in zip(subscripts.operands, x, strict=True):
        extents.update(zip(indices, array.shape, strict=True))
    summed = [i for i in extents if i not in subscripts.output]
    out = np.empty([extents[i] for i in subscripts.output], kind)
    for at in np.ndindex(*out.shape):
        place = dict(zip(subscripts.output, at, strict=True))
        terms = []
        for inner in np.ndindex(*[extents[i] for i in summed]):
            place.update(zip(summed, inner, strict=True))
            factors = [
                a[tuple(place[i] for i in ids)]
                for a, ids in zip(x, subscripts.operands, strict=True)
            ]
            known = all(f is not None for f in factors)
            terms.append(math.prod(factors[1:], start=factors[0]) if known else None)
        out[at] = total(terms)
    return out


def _exactly(terms):
    return None if any(t is None for t in terms) else sum(terms, mpmath.mpf(0))


def exact(formula, inputs, sizes):
    to_mp = np.frompyfunc(lambda v: mpmath.mpf(float(v)), 1, 1)
    known = {}
    for node in formula.nodes():
        x = [known[child] for child in node.inputs]
        match node.operation:
            case "input":
                value = to_mp(inputs[node.parameter])
            case "constant":
                value = _real(node.parameter)
            case "table":
                value = _cells(node.parameter, _real)
            case "size":
                value = mpmath.mpf(node.parameter.at(sizes))
            case "delta":
                value = to_mp(np.eye(node.shape[0].at(sizes)))
            case "broadcast":
                value = np.broadcast_to(x[0], _shape(node, sizes))
            case "reshape":
                value = x[0].reshape(_shape(node, sizes))
            case "einsum":
                value = _sum_of_products(node, x, sizes, _exactly, object)
            case _:
                value = np.empty(_shape(node, sizes), object)
                for at in np.ndindex(*value.shape):
                    value[at] = _exact_element(node, [a[at] for a in x])
        known[node] = np.asarray(value, object).reshape(_shape(node, sizes))
    return known[formula.outputs[0]]


# --- the same graph in floats, in several orders ----------------------------------------------


def kind_of(dtype):
    """Rounds to a dtype; bfloat16, which numpy lacks, as torch does, in float32 arrays."""
    return _brain if dtype == "bfloat16" else np.dtype(dtype).type


def _brain(values):
    tensor = torch.tensor(np.asarray(values, np.float32))
    return tensor.bfloat16().float().numpy()[()]


def _rounded(values, kind):
    return np.asarray(kind(np.asarray(values)) if kind is _brain else np.asarray(values, kind))


def _forward(terms, kind):
    total = kind(0)
    for term in terms:
        total = kind(total + kind(term))
    return total


def _backward(terms, kind):
    return _forward(terms[::-1], kind)


def _halves(terms, kind):
    if len(terms) < 2:
        return _forward(terms, kind)
    middle = len(terms) // 2
    return kind(_halves(terms[:middle], kind) + _halves(terms[middle:], kind))


def _fsum(terms, kind):
    finite = all(map(math.isfinite, terms)) and sum(abs(float(t)) for t in terms) < 1e308
    return kind(math.fsum(map(float, terms))) if finite else _forward(terms, kind)


ORDERS = (_forward, _backward, _halves, _fsum)


def _repeated(x, exponent):
    value = np.ones_like(x)
    for _ in range(abs(int(exponent))):
        value = value * x
    return value if exponent > 0 else 1 / value


def _is_number(node):
    while node.operation == "broadcast":
        node = node.inputs[0]
    return node.operation in ("constant", "size")


_NUMPY_NAMES = {f"a{n}": f"arc{n}" for n in ("sin", "cos", "tan", "sinh", "cosh", "tanh")}


def in_floats(formula, inputs, sizes, dtype, order, *, other=False, scalars=False):
    """Numpy's value; `other`: reciprocals, products and torch's functions instead.

    `scalars`: what is made of numbers alone is computed in float64, as Python code does.
    """
    kind = kind_of(dtype)
    known, plain = {}, {}
    for node in formula.nodes():
        plain[node] = node.operation in ("constant", "size") or (
            bool(node.inputs)
            and node.operation != "broadcast"
            and all(plain[child] for child in node.inputs)
        )
        own = np.float64 if scalars and plain[node] else kind
        x = [_rounded(known[child], own) for child in node.inputs]
        match node.operation:
            case "input":
                value = inputs[node.parameter]
            case "constant" | "table":
                value = _cells(node.parameter, float)
            case "size":
                value = node.parameter.at(sizes)
            case "delta":
                value = np.eye(node.shape[0].at(sizes))
            case "add":
                value = x[0] + x[1]
            case "multiply":
                value = x[0] * x[1]
            case "divide":
                by_number = _is_number(node.inputs[1]) and not _is_number(node.inputs[0])
                value = x[0] * (1 / x[1]) if other and by_number else x[0] / x[1]
            case "power":
                whole = node.parameter.denominator == 1
                power = _repeated if other and whole else np.power
                value = power(x[0], own(float(node.parameter)))
            case "function" if other:
                tensor = torch.tensor(x[0])
                tensor = tensor.bfloat16() if own is _brain else tensor
                value = getattr(torch, node.parameter)(tensor).to(torch.tensor(x[0]).dtype).numpy()
            case "function" if node.parameter == "erf":
                value = np.vectorize(math.erf, otypes=[np.float64])(x[0])
            case "function":
                value = getattr(np, _NUMPY_NAMES.get(node.parameter, node.parameter))(x[0])
            case "broadcast":
                value = np.broadcast_to(x[0], _shape(node, sizes))
            case "reshape":
                value = x[0].reshape(_shape(node, sizes))
            case "einsum":
                held = np.float32 if own is _brain else own
                value = _sum_of_products(node, x, sizes, lambda t, k=own: order(t, k), held)
        known[node] = _rounded(value, own).reshape(_shape(node, sizes))
    return _rounded(known[formula.outputs[0]], kind)


def bounds_of(formula, inputs, sizes, dtypes=DTYPES, **options):
    batch = {name: np.asarray(values)[None] for name, values in inputs.items()}
    (found,) = evaluate(formula, batch, sizes, dtypes=dtypes, **options)
    return found


def check_bounds(formula, inputs, sizes=None, variants=((_forward, {}),), dtypes=DTYPES):
    """Assert that every evaluation lies within its bound, and our own float64 value, too."""
    sizes = sizes or {}
    with mpmath.workprec(BITS), np.errstate(all="ignore"):
        want = exact(formula, inputs, sizes)
        found = bounds_of(formula, inputs, sizes, dtypes)
        values = [("float64", np.broadcast_to(found.value[0], want.shape))]
        for dtype, (order, options) in product(dtypes, variants):
            values.append((dtype, in_floats(formula, inputs, sizes, dtype, order, **options)))
        for dtype, got in values:
            bounds = np.broadcast_to(found.bounds[dtype][0], want.shape)
            assert not np.isnan(bounds).any()
            for at in np.ndindex(*want.shape):
                if bounds[at] == np.inf:
                    continue
                assert want[at] is not None, f"{dtype}: a finite bound where there is no value"
                assert np.isfinite(got[at]), f"{dtype}: {got[at]} within a bound of {bounds[at]}"
                off = abs(mpmath.mpf(float(got[at])) - want[at])
                assert off <= bounds[at], f"{dtype}: off by {mpmath.nstr(off)} > {bounds[at]}"


def formula_of(output):
    return Formula("f", {}, (output,), {})


# --- random graphs ----------------------------------------------------------------------------

LITERALS = (0.1, 2 / 3, math.pi, math.e / 2, math.sqrt(2), 1.0, 2.0, -3.0, 0.25, 1e30, 1e-30, 1e39)
EXPONENTS = [Fraction(k) for k in (0, 1, 2, 3, 7, 20, -1, -2, -5, -20)]
EXPONENTS += [Fraction(p, q) for p, q in ((1, 2), (-1, 2), (3, 2), (1, 3))]


def _numbers(shape):
    wide = st.floats(width=32, allow_nan=False, allow_infinity=False)
    near = st.floats(-4, 4, width=32) | st.integers(-4, 4).map(float)
    size = math.prod(shape)
    values = st.lists(near | wide | near, min_size=size, max_size=size)
    return values.map(lambda v: np.array(v, np.float64).reshape(shape))


@st.composite
def graphs(draw):
    nodes = [op.input_("x", (N, M)), op.input_("y", (N, M)), op.input_("w", (M,))]
    nodes += [op.constant(draw(st.sampled_from(LITERALS))), op.size(N), op.delta(M)]
    nodes.append(op.table([[0.1, 2.0], [3.0, math.pi]]))
    inputs = {node.parameter: node for node in nodes[:3]}
    for _ in range(draw(st.integers(1, 6))):
        a = draw(st.sampled_from(nodes[-3:] if draw(st.booleans()) else nodes))
        b = draw(st.sampled_from(nodes))
        try:
            nodes.append(_grown(draw, a, b))
        except FormulaError:
            continue
    sizes = {"n": draw(st.integers(0, 4)), "m": draw(st.integers(0, 3))}
    values = {name: draw(_numbers(_shape(node, sizes))) for name, node in inputs.items()}
    return Formula("f", inputs, (nodes[-1],), {}), values, sizes


def _grown(draw, a, b) -> Node:
    match draw(
        st.sampled_from(["+", "+", "-", "*", "*", "/", "^", "f", "sum", "@", "b", "r", "e"])
    ):
        case "+":
            return op.add(a, b)
        case "-":
            return op.subtract(a, b)
        case "*":
            return op.multiply(a, b)
        case "/":
            return op.divide(a, b)
        case "^":
            return op.power(a, draw(st.sampled_from(EXPONENTS)))
        case "f":
            return op.function(draw(st.sampled_from(op.FUNCTIONS)), a)
        case "sum":
            return op.sum_(a, [axis for axis in range(len(a.shape)) if draw(st.booleans())])
        case "@":
            return op.matmul(a, b)
        case "b":
            return op.broadcast(a, (N, M))
        case "r":
            return op.reshape(a, a.shape[::-1])
        case _ if len(a.shape) == 2 and a.shape[0] == a.shape[1]:
            return op.einsum(Subscripts(((0, 0),), draw(st.sampled_from([(), (0,)]))), a)
        case _:
            if len(a.shape) != 2 or len(b.shape) != 2:
                raise FormulaError("wanted two matrices")
            output = draw(st.sampled_from([(), (0,), (1,), (1, 0)]))
            return op.einsum(Subscripts(((0, 1), (0, 1)), output), a, b)


@settings(max_examples=600, deadline=None, derandomize=True)
@given(graphs())
def test_no_evaluation_of_any_formula_leaves_its_bound(graph):
    variants = [(order, {}) for order in ORDERS]
    variants += [(_forward, {"other": True}), (_forward, {"scalars": True})]
    check_bounds(*graph, variants)


@pytest.mark.parametrize("dtype", HALVES)
@settings(max_examples=150, deadline=None, derandomize=True)
@given(graphs())
def test_no_evaluation_in_sixteen_bits_leaves_its_bound(dtype, graph):
    formula, inputs, sizes = graph
    inputs = {name: nearest(values, dtype).astype(np.float64) for name, values in inputs.items()}
    assume(all(np.isfinite(values).all() for values in inputs.values()))
    variants = [(order, {}) for order in ORDERS]
    variants += [(_forward, {"other": True}), (_forward, {"scalars": True})]
    check_bounds(formula, inputs, sizes, variants, (dtype,))


# --- operations where evaluations are at their worst ------------------------------------------

X, V = op.input_("x", ()), op.input_("v", (N,))
ARGUMENTS = {
    "wide": lambda g: g.choice([-1, 1], 80) * 2.0 ** g.uniform(-140, 120, 80),
    "moderate": lambda g: g.uniform(-110, 110, 80),
    "near one": lambda g: 1 + g.normal(0, 1e-4, 80),
    "near multiples of pi/2": lambda g: np.arange(-40, 40) * math.pi / 2,
    "subnormal": lambda g: g.uniform(-1, 1, 80) * 2.0**-126,
}


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("kind", ARGUMENTS)
@pytest.mark.parametrize("name", op.FUNCTIONS)
def test_functions_of_both_libraries_keep_their_bounds(name, kind, library):
    values = ARGUMENTS[kind](np.random.default_rng(0)).astype(np.float32).astype(np.float64)
    values = np.abs(values) if name in ("log", "sqrt") else values
    formula = formula_of(op.function(name, V))
    check_bounds(formula, {"v": values}, {"n": 80}, [(_forward, {"other": library == "torch"})])


@pytest.mark.parametrize("exponent", [*EXPONENTS, Fraction(-1, 3), Fraction(-30), Fraction(40)])
def test_powers_keep_their_bounds_by_function_and_by_products(exponent):
    values = 2.0 ** np.random.default_rng(1).uniform(-70, 70, 80)
    inputs = {
        "v": np.append(values, [0.0, 1.0, 1.1, 27 * 2.0**60]).astype(np.float32).astype(float)
    }
    variants = [(_forward, {}), (_forward, {"other": True})]
    check_bounds(formula_of(op.power(V, exponent)), inputs, {"n": 84}, variants)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=12))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_sums_are_within_gamma_of_the_rational_sum(values):
    want = sum(map(Fraction, values), Fraction(0))
    found = bounds_of(formula_of(op.sum_(V, [0])), {"v": values}, {"n": len(values)})
    for dtype in DTYPES:
        bound, kind = found.bounds[dtype][0], np.dtype(dtype).type
        assume(math.isfinite(bound))
        with np.errstate(all="ignore"):
            terms = [kind(v) for v in values]
            for order in (_forward, _backward, _halves):
                assert abs(Fraction(float(order(terms, kind))) - want) <= Fraction(float(bound))


def dropping(dtype, terms):
    """1, then terms of one unit roundoff each, all of which forward summation drops."""
    return np.array([1.0] + [roundoff(dtype)] * (terms - 1))


@pytest.mark.parametrize(
    ("dtype", "terms"),
    [*product(DTYPES, (2, 3, 50, 3000)), *product(HALVES, (2, 3, 50))],
)
def test_the_bound_of_a_sum_is_reached(dtype, terms):
    values = dropping(dtype, terms)
    lost = (terms - 1) * Fraction(values[1])
    found = bounds_of(formula_of(op.sum_(V, [0])), {"v": values}, {"n": terms}, (dtype,))
    bound = Fraction(float(found.bounds[dtype][0]))
    second_order = Fraction(1, 100) + 2 * terms * Fraction(roundoff(dtype))
    assert lost <= bound <= lost * (1 + second_order)


def test_a_scaling_by_a_power_of_two_does_not_round():
    found = bounds_of(formula_of(op.multiply(X, op.constant(0.25))), {"x": 3.0}, {})
    assert found.bounds["float32"][0] == pytest.approx(2.0**-150)


@pytest.mark.parametrize(
    ("output", "inputs"),
    [
        (op.sum_(V, [0]), {"v": [3e38, 3e38, -3e38]}),  # a partial sum overflows
        (op.multiply(X, op.constant(1e39)), {"x": 0.0}),  # no such literal in float32
        (op.multiply(X, op.constant(10**400)), {"x": 1.0}),
        (op.power(X, Fraction(-2)), {"x": 2.0**90}),  # 1 / (x x) is zero, x^-2 is not
        (op.divide(op.constant(1), X), {"x": 0.0}),
        (op.power(X, Fraction(-1)), {"x": 0.0}),
        (op.function("log", X), {"x": 0.0}),
        (op.function("sqrt", X), {"x": -1.0}),
        (op.function("sqrt", op.add(X, op.constant(-0.1))), {"x": 0.1}),
        (op.power(op.add(X, op.constant(-0.1)), Fraction(3, 2)), {"x": 0.1}),  # may be negative
        (op.function("exp", X), {"x": 89.0}),
        (op.divide(X, op.add(X, op.constant(-0.1))), {"x": 0.1}),
        (op.divide(X, op.constant(1e-39)), {"x": 1e-3}),  # its reciprocal overflows
    ],
)
def test_where_nothing_is_certain_the_bound_is_infinite(output, inputs):
    found = bounds_of(formula_of(output), inputs, {"n": 3})
    assert found.bounds["float32"][0] == np.inf


@pytest.mark.parametrize("sizes", [{"n": 0, "m": 0}, {"n": 3, "m": 0}, {"n": 0, "m": 2}])
def test_an_empty_sum_is_exactly_zero(sizes):
    x, w = op.input_("x", (N, M)), op.input_("w", (M,))
    inputs = {"x": np.ones((sizes["n"], sizes["m"])), "w": np.ones(sizes["m"])}
    found = bounds_of(formula_of(op.sum_(op.matmul(x, w), [0])), inputs, sizes)
    expected = 0.0 if not sizes["n"] else found.bounds["float32"][0]
    assert found.value[0] == 0
    assert found.bounds["float32"][0] == expected < 1e-40


def test_a_batch_has_the_bounds_of_its_members():
    formula = formula_of(op.sum_(op.function("exp", V), [0]))
    batch = np.random.default_rng(0).normal(size=(5, 4))
    (together,) = evaluate(formula, {"v": batch}, {"n": 4}, dtypes=("float32",))
    apart = [bounds_of(formula, {"v": row}, {"n": 4}) for row in batch]
    for dtype in DTYPES:
        single = [one.bounds[dtype][0] for one in apart]
        assert together.bounds[dtype] == pytest.approx(single, rel=1e-12)


@given(st.integers(1, 9), st.integers(1, 12), st.data())
@settings(max_examples=50)
def test_a_batch_in_pieces_is_the_batch(count, cached, data):
    """Whatever fits into the cache; some outputs depend on no example."""
    shift = op.input_("c", ())
    outputs = (
        op.sum_(op.function("exp", op.add(V, op.broadcast(shift, (N,)))), [0]),
        op.broadcast(op.constant(0.1), (N,)),
        op.function("exp", shift),
    )
    formula = Formula("f", {"v": (N,), "c": ()}, outputs, {})
    rows = data.draw(hnp.arrays(np.float64, (count, 4), elements=st.floats(-9, 9)))
    inputs = {"v": rows, "c": np.array([0.3])}
    whole = evaluate(formula, inputs, {"n": 4}, dtypes=("float32",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounding, "_CACHED", cached)
        cut = evaluate(formula, inputs, {"n": 4}, dtypes=("float32",))
    for one, other in zip(whole, cut, strict=True):
        assert len(other.value) in (1, count)
        for found, wanted in [
            (other.value, one.value),
            (other.error, one.error),
            *[(other.bounds[name], bound) for name, bound in one.bounds.items()],
        ]:
            np.testing.assert_allclose(
                np.broadcast_to(found, (count, *found.shape[1:])),
                np.broadcast_to(wanted, (count, *wanted.shape[1:])),
                rtol=1e-14,
            )


# --- the envelope -----------------------------------------------------------------------------


def numbers_of(dtype, *values):
    return [np.dtype(dtype).type(v) for v in values]


def exactly(*values):
    return [Fraction(float(v)) for v in values]


@given(st.lists(st.floats(-(2.0**12), 2.0**12, width=16), min_size=3, max_size=3))
@settings(max_examples=80, deadline=None, derandomize=True)
def test_a_product_multiplied_out_is_in_the_envelope(numbers):
    a, b, c = (op.input_(name, ()) for name in "abc")
    formula = formula_of(op.multiply(a, op.add(b, c)))
    wide = bounds_of(formula, dict(zip("abc", numbers, strict=True)), {}, envelope=True)
    narrow = bounds_of(formula, dict(zip("abc", numbers, strict=True)), {})
    for dtype in DTYPES:
        x, y, z = numbers_of(dtype, *numbers)
        with np.errstate(over="ignore"):
            got = x * y + x * z
        bound = float(wide.bounds[dtype][0])
        assert narrow.bounds[dtype][0] <= bound
        if math.isfinite(bound) and np.isfinite(got):
            p, q, r = exactly(*numbers)
            assert abs(Fraction(float(got)) - p * (q + r)) <= Fraction(bound)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 4), st.integers(-8, 8))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_gradient_through_the_gram_matrix_is_in_the_envelope(seed, n, m, scale):
    """X' (X w - y) as (X' X) w - X' y: another way that a stable algorithm takes."""
    x, w, y = op.input_("x", (N, M)), op.input_("w", (M,)), op.input_("y", (N,))
    formula = formula_of(op.matmul(op.transpose(x), op.subtract(op.matmul(x, w), y)))
    generator = np.random.default_rng(seed)
    for dtype in ("float64", "float32"):
        X = (generator.normal(size=(n, m)) * 2.0**scale).astype(dtype)
        v = generator.normal(size=m).astype(dtype)
        u = (X @ v + generator.normal(size=n).astype(dtype) * 2.0**-10).astype(dtype)
        inputs = {"x": X.astype(float), "w": v.astype(float), "y": u.astype(float)}
        wide = bounds_of(formula, inputs, {"n": n, "m": m}, envelope=True)
        got = (X.T @ X) @ v - X.T @ u
        rows, weights = [exactly(*row) for row in X], exactly(*v)
        off = [
            sum(map(operator.mul, row, weights)) - t
            for row, t in zip(rows, exactly(*u), strict=True)
        ]
        for k in range(m):
            want = sum(row[k] * r for row, r in zip(rows, off, strict=True))
            assert abs(Fraction(float(got[k])) - want) <= Fraction(float(wide.bounds[dtype][0][k]))


EXPANDED = {
    "square": (
        lambda p, t: op.power(op.subtract(p, t), Fraction(2)),
        lambda p, t: p * p - 2 * p * t + t * t,
        2,
    ),
    "cube": (
        lambda p, t: op.power(op.subtract(p, t), Fraction(3)),
        lambda p, t: p * p * p - 3 * p * p * t + 3 * p * t * t - t * t * t,
        3,
    ),
}


@pytest.mark.parametrize("name", EXPANDED)
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_multiplied_out_twice_and_cancels_is_beyond_the_envelope(name, dtype):
    """No data near to these have that result: (p - t)^2 moves by 2 |p - t| |p| u only."""
    formula, expanded, exponent = EXPANDED[name]
    built = formula_of(formula(op.input_("p", ()), op.input_("t", ())))
    beyond = 0
    for k in range(20):
        p, t = numbers_of(dtype, (128 + k) / 384, (129 + k + k % 3) / 384)
        wide = bounds_of(built, {"p": float(p), "t": float(t)}, {}, envelope=True)
        want = (Fraction(float(p)) - Fraction(float(t))) ** exponent
        got = Fraction(float(expanded(p, t)))
        beyond += abs(got - want) > Fraction(float(wide.bounds[dtype][0]))
    assert beyond >= 10


def test_what_underflows_is_multiplied_by_the_other_factors():
    """(a b) c instead of a (b c), where a b is nothing and c is large."""
    a, b, c = (op.input_(name, ()) for name in "abc")
    formula = formula_of(op.multiply(a, op.multiply(b, c)))
    inputs = {"a": 2.0**-600, "b": 2.0**-600, "c": 2.0**500}
    assert (inputs["a"] * inputs["b"]) * inputs["c"] == 0 != inputs["a"] * (2.0**-100)
    narrow = bounds_of(formula, inputs, {}).bounds["float64"][0]
    wide = bounds_of(formula, inputs, {}, envelope=True).bounds["float64"][0]
    assert narrow < 2.0**-700 <= wide < 2.0**-560


LEAST = 2.0**-24  # of float16


@given(st.lists(st.integers(-20, 20), min_size=4, max_size=4))
@example([-3, 4, 1, 2])
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_power_of_two_that_underflows_at_each_summand_is_in_the_envelope(numbers):
    """A mean of four as a mean of means, or each number halved before it is added."""
    names = "abcd"
    total = op.add(*(op.add(*(op.input_(n, ()) for n in pair)) for pair in ("ab", "cd")))
    for mean in (op.divide(total, op.constant(4)), op.multiply(total, op.constant(0.25))):
        inputs = {n: np.array([k * LEAST]) for n, k in zip(names, numbers, strict=True)}
        (wide,) = evaluate(formula_of(mean), inputs, {}, dtypes=("float16",), envelope=True)
        a, b, c, d = (inputs[n][0].astype(np.float16) for n in names)
        for got in (
            (a + b) / 2 / 2 + (c + d) / 2 / 2,
            a / 2 / 2 + b / 2 / 2 + c / 2 / 2 + d / 2 / 2,
            a / 4 + b / 4 + c / 4 + d / 4,
        ):
            assert got.dtype == np.float16
            assert abs(float(got) - sum(numbers) * LEAST / 4) <= wide.bounds["float16"][0]


def test_a_power_of_two_that_makes_larger_underflows_nowhere():
    doubled = formula_of(op.multiply(op.constant(2), X))
    halves = formula_of(op.divide(X, op.constant(0.5)))
    for formula in (doubled, halves):
        x = {"x": np.array([4 * LEAST])}
        (wide,) = evaluate(formula, x, {}, dtypes=("float16",), envelope=True)
        assert wide.bounds["float16"][0] < LEAST


def test_where_factors_in_another_order_overflow_there_is_no_envelope():
    a, b, c = (op.input_(name, ()) for name in "abc")
    formula = formula_of(op.multiply(a, op.multiply(b, c)))
    for exponent, finite in ((600, False), (500, True)):
        inputs = {"a": 2.0**exponent, "b": 2.0**-exponent, "c": 2.0**exponent}
        assert np.isfinite(bounds_of(formula, inputs, {}).bounds["float64"][0])
        wide = bounds_of(formula, inputs, {}, envelope=True).bounds["float64"][0]
        assert np.isfinite(wide) == finite


def test_the_envelope_is_no_licence():
    formula = formula_of(op.power(op.subtract(X, op.constant(1)), Fraction(3)))
    wide = bounds_of(formula, {"x": 1.5}, {}, envelope=True)
    assert wide.bounds["float64"][0] < 40 * 2.0**-53 * 0.5**3 * 3


def test_powers_of_two_round_nothing_and_widen_nothing():
    doubled = formula_of(op.multiply(op.constant(2), op.add(X, op.constant(1))))
    plain = formula_of(op.add(X, op.constant(1)))
    twice, once = (bounds_of(f, {"x": 0.3}, {}, envelope=True) for f in (doubled, plain))
    assert twice.bounds["float32"][0] == pytest.approx(2 * once.bounds["float32"][0], rel=1e-5)


# --- the tests can fail -----------------------------------------------------------------------

CORRUPTIONS = {
    "gamma halved": ("gamma", lambda k, f: k * f.roundoff / 2),
    "what a sum carries dropped": ("_carried", lambda equation, x: np.zeros(1)),
    "no reserve below a denominator": ("less", lambda a, b: a + 0 * b),
    "exact roots": ("function", lambda self, name: FunctionError(0.0)),
    "exact powers": ("POWER_ROUNDINGS", 0),
    "exact literals": ("_literal_roundings", lambda constant, f: 0),
}


def _worst_cases():
    for dtype in DTYPES:
        yield op.sum_(V, [0]), {"v": dropping(dtype, 40)}, 40
    tenth = op.constant(0.1)
    yield op.sum_(op.multiply(V, tenth), [0]), {"v": np.array([3.0])}, 1
    near = op.add(V, op.constant(-0.1))
    yield (
        op.divide(op.constant(1), near),
        {"v": np.array([0.1 + 2.0**-k for k in range(3, 50)])},
        47,
    )
    yield op.function("sqrt", V), {"v": np.arange(2.0, 60.0)}, 58
    yield op.power(V, Fraction(1, 2)), {"v": np.arange(2.0, 60.0)}, 58
    yield op.broadcast(tenth, (N,)), {"v": np.ones(1)}, 1


def _check_worst_cases():
    for output, inputs, size in _worst_cases():
        check_bounds(formula_of(output), inputs, {"n": size}, [(o, {}) for o in ORDERS])


def test_the_worst_cases_hold():
    _check_worst_cases()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corrupted_bound_is_noticed(name, monkeypatch):
    for owner in (elementwise, sums, operand, FloatFormat):
        if hasattr(owner, CORRUPTIONS[name][0]):
            monkeypatch.setattr(owner, *CORRUPTIONS[name])
    with pytest.raises(AssertionError, match=r"off by|within a bound"):
        _check_worst_cases()
