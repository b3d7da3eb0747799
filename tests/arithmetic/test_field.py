"""Core formulas in GF(p^2): against an evaluator that shares no code, and by the laws they keep."""

import random
from itertools import product

import numpy as np
import pytest
from array_api_compat import array_namespace as ns
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.proof.exact import PRIME, Field, Singular, Unsupported, graph, size_at
from tests.proof.programs import inputs, programs
from verimath.arithmetic import residues as gf
from verimath.arithmetic.field import Evaluation, Point, ScaleError
from verimath.arithmetic.residues import DegenerateError, Residues
from verimath.errors import NotExpressibleError
from verimath.formula import operations as op
from verimath.formula.core import lowered
from verimath.formula.graph import topological
from verimath.formula.trace import trace
from verimath.shapes import Size, parse_shape

SIZES = ({"n": 2, "d": 3}, {"n": 1, "d": 2})


def drawn(nodes, seed, bindings=SIZES):
    """Random numbers for inputs by name, one array per binding each."""
    source = random.Random(seed)
    return {
        name: [
            Field().draw(source, tuple(size_at(size, sizes) for size in node.shape))
            for sizes in bindings
        ]
        for name, node in nodes.items()
    }


def point(values, *, bindings=SIZES, **options):
    made = {k: [gf.residues(PRIME, x) for x in arrays] for k, arrays in values.items()}
    return Point(PRIME, bindings, made, "seed", **{"by_value": False, **options})


@settings(max_examples=60)
@given(programs(rooted=False, most=5), st.integers(0, 2**16), st.booleans())
def test_rational_formulas_are_what_they_are(node, seed, by_value):
    values = drawn(inputs(), seed)
    wanted = []
    for k, sizes in enumerate(SIZES):
        try:
            here = {name: arrays[k] for name, arrays in values.items()}
            wanted.append(graph(Field(), node, here, sizes))
        except (Singular, Unsupported):
            assume(False)
    (found,) = Evaluation(point(values, by_value=by_value)).of(lowered((node,)))
    for got, want in zip(found, wanted, strict=True):
        assert got.im is None
        assert got.shape == want.shape
        np.testing.assert_array_equal(got.re, Field().reduce(want))


N, D = Size.of("n"), Size.of("d")
NAMED = inputs()
PLACES = op.input_("k", (Size.of(2), Size.of(3)), "integer")
# What random formulas don't reach.
RULES = {
    "put after another": lambda: op.concatenate([NAMED["B"], op.transpose(NAMED["C"])], 1),
    "a product along the first": lambda: op.product(NAMED["T"], 0),
    "a product along the last": lambda: op.product(NAMED["T"], 2),
    "scattered": lambda: op.scatter(
        op.input_("M", (N, Size.of(2), Size.of(3), D)), PLACES, 1, Size.of(4)
    ),
    "gathered": lambda: op.gather(op.input_("M", (N, Size.of(4), D)), PLACES, 1),
    "a table": lambda: op.multiply(NAMED["s"], op.table([[0.5, -2 / 3], [3.0, 0.0]])),
    "chosen by positions": lambda: op.where(
        op.compare("less", op.index(N), op.constant(1)), NAMED["x"], NAMED["s"]
    ),
    "indices by positions": lambda: op.gather(
        NAMED["x"],
        op.where(op.compare("equal", op.index(N), op.index(N)), op.index(N), op.constant(0)),
        0,
    ),
    "backwards": lambda: op.cumulative(NAMED["T"], 1, backwards=True),
    "a stack of inverses": lambda: op.inverse(
        op.add(op.permute(NAMED["T"], (1, 0, 2)), op.multiply(op.constant(3), op.delta(N)))
    ),
    "a stack of determinants": lambda: op.determinant(op.permute(NAMED["T"], (1, 2, 0))),
}


@pytest.mark.parametrize("name", RULES)
def test_every_rule_is_what_it_is(name):
    node = RULES[name]()
    leaves = {x.parameter: x for x in topological((node,)) if x.operation == "input"}
    values = drawn({k: x for k, x in leaves.items() if k != "k"}, name)
    if "k" in leaves:
        values["k"] = [np.array([[0, 3, 1], [1, 1, 0]], dtype=object)] * len(SIZES)
    if name == "a table":
        values["s"] = [np.array(7, dtype=object)] * len(SIZES)
    (found,) = Evaluation(point(values)).of(lowered((node,)))
    for k, (sizes, got) in enumerate(zip(SIZES, found, strict=True)):
        here = {key: arrays[k] for key, arrays in values.items()}
        if name == "put after another":
            want = np.concatenate([here["B"], here["C"].T], axis=1)
        elif name == "a table":
            third = 7 * -2 * pow(3, -1, PRIME)
            want = np.array([[7 * pow(2, -1, PRIME), third], [21, 0]], dtype=object)
        else:
            want = graph(Field(), node, here, sizes)
        np.testing.assert_array_equal(got.re, Field().reduce(want))
        assert got.im is None
        assert got.prime == PRIME


@pytest.mark.parametrize("how", ["and", "or", "not"])
def test_masks_that_are_numbers_are_combined(how):
    masks = [op.input_(name, (Size.of(4),), "boolean") for name in "ab"]
    node = op.convert(op.logical(how, *masks[: 1 if how == "not" else 2]))
    given = {"a": np.array([0, 0, 1, 1], object), "b": np.array([0, 1, 0, 1], object)}
    here = Point(PRIME, ({},), {k: [Residues(PRIME, v)] for k, v in given.items()}, "s", False)
    ((got,),) = Evaluation(here).of(lowered((node,)))
    a, b = (np.array(v, dtype=bool) for v in given.values())
    wanted = {"and": a & b, "or": a | b, "not": ~a}[how]
    assert [int(v) for v in got.re] == [int(v) for v in wanted]


def core(*functions, shapes, ties=False):
    parsed = {name: parse_shape(text).expand({}) for name, text in shapes.items()}
    outputs = [trace(f, parsed).outputs[0] for f in functions]
    nodes = {name: op.input_(name, shape) for name, shape in parsed.items()}
    return lowered(outputs, ties=ties), nodes


def xp_(name):
    return lambda x: getattr(ns(x), name)(x)


exp, log, sin, cos, sqrt = map(xp_, ("exp", "log", "sin", "cos", "sqrt"))


def erf(x):
    return ns(x).asinh(x)  # any odd function


def step(x):
    return ns(x).astype(x > 0, x.dtype)


# What holds at every point, and what does at none; of x and y, of shape (n,).
LAWS = {
    "exp of a sum": (lambda x, y: exp(x + 2 * y), lambda x, y: exp(x) * exp(y) ** 2),
    "exp of a fraction": (lambda x, y: exp(x / 3 - y / 2) ** 6, lambda x, y: exp(2 * x - 3 * y)),
    "exp of a number": (lambda x, y: exp(x + 1), lambda x, y: exp(x) * np.e),
    "exp of moved sums": (
        lambda x, y: exp(x[:, None] + y)[:, 0],
        lambda x, y: exp(x) * exp(y)[0],
    ),
    "an angle twice": (lambda x, y: sin(2 * x), lambda x, y: 2 * sin(x) * cos(x)),
    "a cosine twice": (lambda x, y: cos(x - y), lambda x, y: cos(x) * cos(y) + sin(x) * sin(y)),
    "a circle": (lambda x, y: cos(x) ** 2 + sin(x) ** 2, lambda x, y: 0 * x + 1),
    "odd": (lambda x, y: erf(y - x), lambda x, y: -erf(x - y)),
    "equal arguments": (lambda x, y: log((x + y) ** 2), lambda x, y: log(x**2 + 2 * x * y + y**2)),
    "turned arguments": (
        lambda x, y: log(x[:, None] + 2 * y)[:, 0],
        lambda x, y: log((x + (2 * y)[:, None]).T)[:, 0],
    ),
    "a step": (lambda x, y: step(x - y), lambda x, y: 1 - step(y - x)),
    "a step of a multiple": (lambda x, y: step(3 * x - 3 * y), lambda x, y: step(x - y)),
    "of a fraction": (lambda x, y: step((y - x) * 7 / 12), lambda x, y: 1 - step(x - y)),
    "a maximum": (lambda x, y: ns(x).maximum(x, y), lambda x, y: x + y - ns(x).minimum(x, y)),
}
# Multiples are told by whole arrays, not element by element.
MULTIPLES = ("a step of a multiple", "of a fraction")
LAWLESS = {
    "another angle": (lambda x, y: sin(x), lambda x, y: cos(x)),
    "even": (lambda x, y: log(y - x), lambda x, y: -log(x - y)),
    "not odd": (lambda x, y: log(y - x), lambda x, y: log(x - y)),
    "another argument": (lambda x, y: erf(x), lambda x, y: erf(2 * x)),
    "another function": (lambda x, y: log(x), lambda x, y: erf(x)),
    "half an exponent": (lambda x, y: exp(x / 2), lambda x, y: exp(x)),
    "a step of another": (lambda x, y: step(x - y), lambda x, y: step(x - 2 * y)),
    "the opposite step": (lambda x, y: step(x - y), lambda x, y: step(y - x)),
    "a step is no number": (lambda x, y: step(x) ** 2, lambda x, y: step(x)),
    "e and pi": (lambda x, y: x * np.e, lambda x, y: x * np.pi),
}
VECTORS = {"x": "n", "y": "n"}


def sides(pair, **options):
    (one, other), nodes = core(*pair, shapes=VECTORS)
    values = drawn(nodes, 3, bindings := ({"n": 2}, {"n": 3}))
    scale = 1
    while True:
        try:
            return Evaluation(point(values, bindings=bindings, scale=scale, **options)).of(
                (one, other)
            )
        except ScaleError as error:
            scale, before = error.scale, scale
        assert scale > before
        assert scale % before == 0


@pytest.mark.parametrize("by_value", [True, False])
@pytest.mark.parametrize("name", LAWS)
def test_laws_hold(name, by_value):
    one, other = sides(LAWS[name], by_value=by_value)
    assert all(map(gf.equal, one, other)) != (by_value and name in MULTIPLES)


@pytest.mark.parametrize("by_value", [True, False])
@pytest.mark.parametrize("name", LAWLESS)
def test_no_other_law_does(name, by_value):
    one, other = sides(LAWLESS[name], by_value=by_value)
    for a, b in zip(one, other, strict=True):
        re = np.asarray(a.re != b.re, dtype=bool)
        apart = re | np.asarray(a.with_imaginary() != b.with_imaginary(), dtype=bool)
        assert np.all(apart)


# Roots: with every choice of signs, and what is one only for some.
ROOTS = {
    "a root squared": (lambda x, y: sqrt(x) * sqrt(x), lambda x, y: x, True),
    "a root cubed": (lambda x, y: (x + y) ** 1.5 / sqrt(x + y), lambda x, y: x + y, True),
    "one over a root": (lambda x, y: (x + y) ** -0.5, lambda x, y: sqrt(x + y) / (x + y), True),
    "roots of numbers": (
        lambda x, y: x * np.sqrt(6),
        lambda x, y: x * np.sqrt(2) * np.sqrt(3),
        True,
    ),
    "roots of squares": (lambda x, y: x * np.sqrt(8), lambda x, y: 2 * x * np.sqrt(2), True),
    "roots of fractions": (lambda x, y: x * 0.75**0.5 * 2, lambda x, y: x * 3**0.5, True),
    "a root is not positive": (lambda x, y: sqrt(x * x + y), lambda x, y: -sqrt(x * x + y), False),
    "nor a square's": (lambda x, y: sqrt(x**2 + 2 * x * y + y**2), lambda x, y: x + y, None),
}


def choices(pair, **options):
    """What both sides are for every pattern of signs; at most eight bits of it."""
    found, pattern = [], 0
    (one, other), nodes = core(*pair, shapes=VECTORS)
    values = drawn(nodes, 5, bindings := ({"n": 2},))
    bits = 0
    while pattern < 1 << bits or not pattern:
        here = Evaluation(point(values, bindings=bindings, pattern=pattern, **options))
        found.append(here.of((one, other)))
        bits = max(bits, *here.choices)
        pattern += 1
    return found


@pytest.mark.parametrize("by_value", [True, False])
@pytest.mark.parametrize("name", ROOTS)
def test_roots_have_every_sign(name, by_value):
    *pair, holds = ROOTS[name]
    found = choices(pair, roots=True, by_value=by_value)
    same = [gf.equal(one[0], other[0]) for one, other in found]
    assert any(same) == (holds is not False)
    assert all(same) == (holds is True)
    if name == "a root squared":
        assert len(found) == 4  # two elements, each with two roots


@pytest.mark.parametrize("by_value", [True, False])
def test_steps_are_nought_or_one_where_that_is_used(by_value):
    pair = (lambda x, y: step(x) ** 2, lambda x, y: step(x))
    found = choices(pair, zero_one=True, by_value=by_value)
    assert all(gf.equal(one[0], other[0]) for one, other in found)
    masks = {tuple(int(v) for v in other[0].re) for _, other in found}
    assert masks == set(product((0, 1), repeat=2))


def test_a_factor_times_its_transpose_is_the_matrix():
    n = Size.of("n")
    a = op.input_("A", (n, n))
    b = op.add(a, op.transpose(a))
    low = op.cholesky(b)
    one, other = lowered((op.matmul(low, op.transpose(low)), b))
    bindings = ({"n": 1}, {"n": 3})
    values = drawn({"A": a}, 1, bindings)
    for pattern in range(8):
        here = Evaluation(point(values, bindings=bindings, roots=True, pattern=pattern))
        assert all(map(gf.equal, *here.of((one, other))))
        assert here.choices == [1, 3]
        (factor,) = here.of(lowered((low,)))
        for part in (factor[1].re, factor[1].with_imaginary()):
            assert not np.any(np.triu(part, 1))


def test_shares_of_a_maximum_are_those_of_its_argument():
    (largest, shifted), nodes = core(
        lambda x, y: ns(x).max(x) + 7, lambda x, y: ns(x).max(x + 7), shapes=VECTORS
    )
    values = drawn(nodes, 2, bindings := ({"n": 3}, {"n": 1}))
    first, second = Evaluation(point(values, bindings=bindings)).of((largest, shifted))
    # Other arguments have other shares, but for one number.
    assert not gf.equal(first[0], second[0])
    assert gf.equal(first[1], second[1])


@pytest.mark.parametrize("axis", [0, 1])
def test_shares_along_an_axis_add_up_to_one(axis):
    parsed = parse_shape("n d").expand({})
    x = op.input_("x", parsed)
    shares = op.subgradient(("share", axis), x)
    (node,) = lowered((op.sum_(shares, (axis,)),))
    for got in Evaluation(point(drawn({"x": x}, 1))).of((node,))[0]:
        assert np.all(got.re == 1)


def test_merged_arguments_are_reported():
    (one, other), nodes = core(
        lambda x, y: log((x + y) ** 2), lambda x, y: log(x**2 + 2 * x * y + y**2), shapes=VECTORS
    )
    evaluation = Evaluation(point(drawn(nodes, 1, ({"n": 2},)), bindings=({"n": 2},)))
    evaluation.of((one, other))
    ((a, b),) = evaluation.merged
    assert {a, b} == {one.inputs[0], other.inputs[0]}


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda x, y: (x + y) ** (1 / 3), "the power 1/3"),
        (lambda x, y: ns(x).take(x, ns(x).arange(1) + 3), "a place along its axis"),
        (lambda x, y: ns(x).take(x, ns(x).arange(1) + 5), "a place along its axis"),
        (lambda x, y: ns(x).take(x, ns(x).arange(1) - 1), "a place along its axis"),
    ],
)
def test_what_a_field_can_not_say(function, reason):
    (one, _), nodes = core(function, lambda x, y: x, shapes=VECTORS)
    here = point(drawn(nodes, 1, ({"n": 3},)), bindings=({"n": 3},))
    with pytest.raises(NotExpressibleError, match=reason):
        Evaluation(here).of((one,))


def test_roots_of_numbers_too_large_to_factor():
    node = op.function("sqrt", op.constant(2**41 + 27))
    with pytest.raises(NotExpressibleError, match="the square root of 2199023255579"):
        Evaluation(point({})).of(lowered((node,)))


def test_a_division_by_zero_is_another_points_matter():
    (one, _), nodes = core(lambda x, y: y / (x - x), lambda x, y: x, shapes=VECTORS)
    with pytest.raises(DegenerateError, match="division by zero"):
        Evaluation(point(drawn(nodes, 1, ({"n": 2},)), bindings=({"n": 2},))).of((one,))


@pytest.mark.parametrize("how", ["less", "less_equal", "equal"])
def test_whole_numbers_are_compared_with_their_signs(how):
    n = Size.of("n")
    k = op.input_("k", (n,), "integer")
    node = op.convert(op.compare(how, k, op.constant(0)))
    here = point({}, bindings=({"n": 3},))
    made = Residues(PRIME, np.array([-1, 0, 1], object))
    (found,) = Evaluation(Point(PRIME, here.bindings, {"k": [made]}, "s", by_value=True)).of(
        lowered((node,))
    )
    wanted = {"less": [1, 0, 0], "less_equal": [1, 1, 0], "equal": [0, 1, 0]}[how]
    assert [int(v) for v in found[0].re] == wanted
