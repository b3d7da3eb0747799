"""The rule of each operation by itself: at least the worst that can happen, and hardly more.

Operands are balls: a float64 value v, an exact number within e of it, and what the format holds
within B >= e of that. The worst is looked for at the ends of both, in 60 digits: exactly computed
from what the format holds, rounded as often as the operation rounds. A bound below it would call
right code wrong; one far above it would let wrong code pass.
"""

import itertools
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verimath.arithmetic.bounds.literals import is_shift
from verimath.arithmetic.bounds.normwise import normwise_bound
from verimath.arithmetic.bounds.rearranged import reach, roundings_of, underflows_of
from verimath.arithmetic.bounds.sums import base_of, einsum_bound
from verimath.arithmetic.bounds.table import BOUNDS
from verimath.arithmetic.formats import FLOAT16, FLOAT32, FLOAT64, FloatFormat, FunctionError
from verimath.arithmetic.operand import EXACT, Operand
from verimath.formula import operations as op
from verimath.formula.graph import Subscripts
from verimath.formula.literals import Constant
from verimath.shapes import Size

mp = mpmath.MPContext()
mp.dps = 60
U, ETA = mp.mpf(FLOAT32.roundoff), mp.mpf(FLOAT32.underflow)
BINDING = {"n": 3, "m": 2}
N, M = Size.of("n"), Size.of("m")
X, Y, Z = (op.input_(name, ()) for name in "xyz")
ROW, OTHER = op.input_("r", (N,)), op.input_("s", (N,))
# A function with a rounding of its own that is known, so that the sharp oracle knows it, too.
PLAIN = FloatFormat(
    "float32",
    FLOAT32.roundoff,
    FLOAT32.underflow,
    FLOAT32.largest,
    functions=tuple(
        (name, FunctionError(1.0)) for name in {*op.FUNCTIONS} - {"negative", "abs", "sign"}
    ),
)


def operand(cells):
    """Of shape (1, k), or (1,) for a scalar; no error at all is EXACT."""
    columns = [np.array([column]) for column in zip(*cells, strict=True)]
    if len(cells) == 1:
        columns = [column[:, 0] for column in columns]
    value, error, bound = (np.asarray(c, dtype=np.float64) for c in columns)
    return Operand(value, error if error.any() else EXACT, bound if bound.any() else EXACT)


def pairs(cells):
    """What the numbers may be exactly, and what the format may hold of them."""
    ends = [
        [
            (mp.mpf(v) + s * mp.mpf(e), mp.mpf(v) + s * mp.mpf(e) + t * mp.mpf(b))
            for s in ((-1, 1) if e else (0,))
            for t in ((-1, 1) if b else (0,))
        ]
        for v, e, b in cells
    ]
    return itertools.product(*ends)


def worst(function, operands, roundings, units=None):
    """The largest error of each result, `units` times eta where nothing is rounded otherwise."""
    g = (1 - U) ** (-mp.mpf(roundings)) - 1
    lost = (max(roundings, 1) if units is None else units) * ETA
    found = None
    for chosen in itertools.product(*(pairs(cells) for cells in operands)):
        want = function(*([exact for exact, _ in cells] for cells in chosen))
        got = function(*([held for _, held in cells] for cells in chosen))
        off = [
            max(abs(h * (1 + g) - w), abs(h * (1 - g) - w)) for h, w in zip(got, want, strict=True)
        ]
        found = off if found is None else [max(a, b) for a, b in zip(found, off, strict=True)]
    return [x + lost for x in found]


def bound_of(node, function, operands, format_=PLAIN):
    """What the rule says, flattened."""
    given_ = [operand(cells) for cells in operands]
    assert all(e <= b for cells in operands for _, e, b in cells)
    value = [float(v) for v in function(*([mp.mpf(v) for v, _, _ in cells] for cells in operands))]
    scale = np.abs(np.array([value] if node.shape else value))
    with np.errstate(all="ignore"):
        if node.operation == "einsum":
            base = base_of(node, [x.magnitude for x in given_])
            found = einsum_bound(node, scale, given_, format_, base)
        else:
            found = BOUNDS[node.operation](node, scale, given_, BINDING, format_)
    return np.broadcast_to(found, scale.shape).ravel()


def agree(node, function, operands, roundings, *, within=1.01, units=None):
    """The rule is the worst case, or up to `within` times as much."""
    most = worst(function, operands, roundings, units)
    bounds = bound_of(node, function, operands)
    for bound, needed in zip(bounds, most, strict=True):
        # The rules' own arithmetic is float64, for which there is a safety factor.
        assert bound * (1 + 2.0**-20) >= needed, f"{float(bound)} for {float(needed)}"
        assert bound <= within * needed, f"{float(bound)} for {float(needed)}"


def balls(*, least=None, most=2.0**6):
    """Numbers of either sign (or of at least `least`), exact or not, in float64 and in float32."""
    sizes = st.floats(least or 2.0**-6, most).map(lambda v: float(np.float32(v)))
    values = (
        sizes if least is not None else st.tuples(sizes, st.sampled_from([-1, 1])).map(math.prod)
    )
    off = st.sampled_from([(0, 0), (0, 2.0**-20), (2.0**-30, 2.0**-12), (2.0**-14, 2.0**-14)])
    return st.tuples(values, off).map(lambda x: (x[0], *(abs(x[0]) * part for part in x[1])))


# --- arithmetic ---

ARITHMETIC = {
    "add": (op.add(X, Y), lambda x, y: [x[0] + y[0]], 1),
    "multiply": (op.multiply(X, Y), lambda x, y: [x[0] * y[0]], 1),
    "divide": (op.divide(X, Y), lambda x, y: [x[0] / y[0]], 1),
}


@pytest.mark.parametrize("name", ARITHMETIC)
@given(balls(), balls())
def test_sums_products_quotients(name, x, y):
    node, function, roundings = ARITHMETIC[name]
    agree(node, function, [[x], [y]], roundings, within=1.03)


def test_subnormal_results_are_off_by_eta():
    tiny = (2.0**-100, 0.0, 0.0)
    for name in ("multiply", "divide"):
        node, function, roundings = ARITHMETIC[name]
        other = tiny if name == "multiply" else (2.0**100, 0.0, 0.0)
        assert bound_of(node, function, [[tiny], [other]])[0] >= FLOAT32.underflow
        agree(node, function, [[tiny], [other]], roundings)


@given(balls(), st.sampled_from([Fraction(1, 4), Fraction(2), Fraction(-8)]))
def test_powers_of_two_do_not_round(x, factor):
    literal = op.constant(factor)
    number = [(float(factor), 0.0, 0.0)]
    agree(op.multiply(X, literal), lambda x, c: [x[0] * c[0]], [[x], number], 0)
    agree(op.multiply(literal, X), lambda c, x: [x[0] * c[0]], [number, [x]], 0)
    agree(op.divide(X, literal), lambda x, c: [x[0] / c[0]], [[x], number], 0)


@given(balls(), st.sampled_from([Fraction(3), Fraction(-5), Fraction(24)]))
def test_a_division_by_a_number_may_be_a_product_with_its_reciprocal(x, divisor):
    """The reciprocal's own eta is multiplied by what is divided."""
    node, number = op.divide(X, op.constant(divisor)), [(float(divisor), 0.0, 0.0)]
    extra = 1 + (abs(mp.mpf(x[0])) + x[1] + x[2]) / 2
    agree(node, lambda x, c: [x[0] / c[0]], [[x], number], 2, units=2 + extra, within=1.03)
    # Not where a number is divided, by an array or by another.
    agree(
        op.divide(op.constant(divisor), X),
        lambda c, x: [c[0] / x[0]],
        [number, [x]],
        1,
        within=1.03,
    )
    two = op.divide(op.constant(1), op.constant(divisor))
    agree(two, lambda c, d: [c[0] / d[0]], [[(1.0, 0.0, 0.0)], number], 1)


def test_a_reciprocal_is_as_large_as_it_is():
    """1/3 2^128 is just within the range, and two thirds of it wouldn't be."""
    divisor = Fraction(3, 2**128)
    node, tiny = op.divide(X, op.constant(divisor)), 2.0**-100
    over = [[(tiny, 0.0, 0.0)], [(float(divisor), 0.0, 0.0)]]
    assert bound_of(node, lambda x, c: [x[0] / c[0]], over)[0] < math.inf
    divisor = Fraction(3, 2**130)
    over = [[(tiny, 0.0, 0.0)], [(float(divisor), 0.0, 0.0)]]
    node = op.divide(X, op.constant(divisor))
    assert bound_of(node, lambda x, c: [x[0] / c[0]], over)[0] == math.inf


def test_a_reciprocal_that_overflows_has_no_bound():
    tiny = Fraction(3, 2**130)
    node = op.divide(X, op.constant(tiny))
    function = lambda x, c: [x[0] / c[0]]
    small = [[(2.0**-60, 0.0, 0.0)], [(float(tiny), 0.0, 0.0)]]
    assert np.isinf(bound_of(node, function, small)).all()
    assert np.isfinite(bound_of(node, function, small, FLOAT64)).all()


@pytest.mark.parametrize("which", ["error", "bound", "both"])
def test_a_divisor_that_may_be_zero_leaves_nothing_certain(which):
    node, function, _ = ARITHMETIC["divide"]
    e, b = {"error": (0.25, 0.75), "bound": (0.0, 1.0), "both": (0.5, 0.5)}[which]
    over = [[(1.0, 0.0, 0.0)], [(1.0, e, b)]]
    assert np.isinf(bound_of(node, function, over)).all()
    short = [[(1.0, 0.0, 0.0)], [(1.0, e * 0.99, b * 0.99)]]
    agree(node, function, short, 1, within=1.2)


def test_whole_numbers_of_integer_arrays_are_exact():
    i = op.index(N)
    for node in (op.add(i, i), op.multiply(i, i)):
        assert BOUNDS[node.operation](node, np.ones((1, 3)), [], BINDING, PLAIN) is EXACT


EXPONENTS = {
    Fraction(2): 1,
    Fraction(3): 8,
    Fraction(12): 11,
    Fraction(1, 2): 8,
    Fraction(3, 2): 8,
    Fraction(1, 4): 8,
}


@pytest.mark.parametrize("exponent", EXPONENTS)
@given(balls(least=2.0**-6))
def test_powers(exponent, x):
    node = op.power(X, exponent)
    function = lambda x: [x[0] ** (mp.mpf(exponent.numerator) / exponent.denominator)]
    agree(node, function, [[x]], EXPONENTS[exponent], within=1.05)


@given(balls(), st.sampled_from([Fraction(2), Fraction(3), Fraction(7)]))
def test_whole_powers_of_either_sign(x, exponent):
    rounds = max(int(exponent) - 1, 1 if exponent == 2 else 8)
    agree(op.power(X, exponent), lambda x: [x[0] ** int(exponent)], [[x]], rounds, within=1.05)


@given(
    balls(least=2.0**-3),
    st.sampled_from([Fraction(-1), Fraction(-2), Fraction(-5), Fraction(-1, 2)]),
)
def test_negative_powers_are_reciprocals(x, exponent):
    """Eight roundings of the power and one of the quotient; eta of each, carried through it."""
    power = mp.mpf(exponent.numerator) / exponent.denominator
    agree(op.power(X, exponent), lambda x: [x[0] ** power], [[x]], 9, units=20, within=1.05)


def test_exponents_that_the_format_rounds_cost_what_their_rounding_moves():
    third = bound_of(op.power(X, Fraction(1, 3)), lambda x: [mp.cbrt(x[0])], [[(1e6, 0.0, 0.0)]])[0]
    # x^(k + d), |d| <= k u, beside the eight roundings: log(1e6) / 3 and as much again for room.
    moved = 100 * math.log(1e6) / 3 * FLOAT32.roundoff
    assert moved <= third - 800 * FLOAT32.roundoff <= 2.5 * moved
    fine = bound_of(op.power(X, Fraction(1, 4)), lambda x: [x[0] ** 0.25], [[(1e6, 0.0, 0.0)]])[0]
    assert fine <= 8.01 * FLOAT32.roundoff * 1e6**0.25


def test_powers_of_nothing_one_and_below_zero():
    good, lost = [[(2.0, 0.0, 2.0**-20)]], [[(2.0, 0.0, math.inf)]]
    assert bound_of(op.power(X, Fraction(0)), lambda x: [mp.mpf(1)], good)[0] == 0
    assert bound_of(op.power(X, Fraction(0)), lambda x: [mp.mpf(1)], lost)[0] == math.inf
    assert bound_of(op.power(X, Fraction(1)), lambda x: x, good)[0] == 2.0**-20


@pytest.mark.parametrize("exponent", [Fraction(1, 2), Fraction(3, 2)])
def test_roots_of_what_may_be_negative_have_no_bound(exponent):
    node = op.power(X, exponent)
    function = lambda x: [x[0] ** (mp.mpf(exponent.numerator) / exponent.denominator)]
    assert bound_of(node, function, [[(2.0**-10, 0.0, 2.0**-9)]])[0] == math.inf
    assert bound_of(node, function, [[(2.0**-10, 0.0, 2.0**-11)]])[0] < math.inf
    assert bound_of(node, function, [[(0.0, 0.0, 0.0)]])[0] < 2.0**-140


# --- functions ---

FUNCTIONS = {
    "exp": mp.exp,
    "log": mp.log,
    "sqrt": mp.sqrt,
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "asin": mp.asin,
    "acos": mp.acos,
    "atan": mp.atan,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "asinh": mp.asinh,
    "acosh": mp.acosh,
    "atanh": mp.atanh,
    "erf": mp.erf,
    "expm1": mp.expm1,
    "log1p": mp.log1p,
}
# Where the slope is as steep as the rule takes it to be (1 for a sine, at 0 alone), and where not.
STEEP = {"sin": 2.0**-20, "cos": math.pi / 2, "atan": 2.0**-20, "asinh": 2.0**-20}
INSIDE = {"asin": 0.5, "acos": 0.5, "atanh": 0.5, "acosh": 3.0, "tan": 0.75}
LOOSE = {"tanh": 4.1, "acosh": 1.2, "asin": 1.2, "acos": 1.2, "atanh": 1.2}


@pytest.mark.parametrize(
    "off", [(0.0, 0.0), (0.0, 2.0**-14), (2.0**-15, 2.0**-14), (2.0**-14, 2.0**-14)]
)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_as_steep_as_they_are(name, off):
    node, function = op.function(name, X), lambda x: [FUNCTIONS[name](x[0])]
    at = STEEP.get(name) or INSIDE.get(name) or 1.25
    agree(node, function, [[(at, *off)]], 1, within=LOOSE.get(name, 1.02))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("side", [-1, 1])
def test_functions_over_wide_balls(name, side):
    """Sound where errors are no longer small; the other side, where there is one."""
    node, function = op.function(name, X), lambda x: [FUNCTIONS[name](x[0])]
    positive = name in ("log", "sqrt", "acosh")
    at = (INSIDE.get(name) or 1.25) * (1 if positive else side * (0.5 if name == "log1p" else 1))
    for e, b in ((0.0, 0.2), (0.1, 0.1), (0.05, 0.15)):
        cells = [[(at, e, b)]]
        bound = bound_of(node, function, cells)[0]
        needed = worst(function, cells, 1)[0]
        assert bound * (1 + 2.0**-20) >= needed
        assert bound <= 8 * needed or name in ("tan", "log1p")


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("log", 0.25),
        ("sqrt", 0.25),
        ("asin", 0.875),
        ("acos", -0.875),
        ("atanh", 0.875),
        ("acosh", 1.125),
        ("log1p", -0.875),
        ("tan", 1.5),
    ],
)
def test_balls_that_leave_the_domain_have_no_bound(name, at):
    node, function = op.function(name, X), lambda x: [FUNCTIONS[name](x[0])]
    for e, b in ((0.0, 0.25), (0.15, 0.15)):
        assert bound_of(node, function, [[(at, e, b)]])[0] == math.inf
    assert bound_of(node, function, [[(at, 0.0, 2.0**-20)]])[0] < math.inf


def test_signs_and_magnitudes():
    for name in ("negative", "abs"):
        found = bound_of(op.function(name, X), lambda x: [abs(x[0])], [[(-2.0, 2.0**-9, 2.0**-8)]])
        assert found[0] == 2.0**-8
    sign = op.function("sign", X)
    for cell, room in (((1.0, 0.25, 0.5), 0), ((1.0, 0.5, 0.75), 2), ((0.0, 0.0, 0.0), 0)):
        assert bound_of(sign, lambda x: [mp.sign(x[0])], [[cell]])[0] == room


def test_what_a_library_may_do_beside_rounding():
    """An absolute error, and results from which on it may have overflowed."""
    function = lambda x: [mp.exp(x[0])]
    odd = FloatFormat(
        "float32", U, float(ETA), FLOAT32.largest, functions=(("exp", FunctionError(4, 1e-6, 100)),)
    )
    found = bound_of(op.function("exp", X), function, [[(1.0, 0.0, 0.0)]], odd)[0]
    assert found == pytest.approx(1e-6 + 4 * math.e * FLOAT32.roundoff, rel=2e-6)
    assert bound_of(op.function("exp", X), function, [[(4.6, 0.0, 0.0)]], odd)[0] < 1
    assert bound_of(op.function("exp", X), function, [[(4.61, 0.0, 0.0)]], odd)[0] == math.inf


# --- sums of products ---

SUM = op.sum_(ROW, [0])
DOT = op.matmul(ROW, OTHER)
OUTER = op.einsum(Subscripts(((0,), (1,)), (0, 1)), ROW, OTHER)


@given(st.lists(balls(), min_size=3, max_size=3))
def test_sums(x):
    """n - 1 roundings of the sum of magnitudes, not of the sum."""
    carried = worst(lambda x: [sum(x)], [x], 0)[0] - ETA
    most = sum(abs(mp.mpf(v)) + e + b for v, e, b in x)
    bound = mp.mpf(bound_of(SUM, lambda x: [sum(x)], [x])[0])
    needed = carried + 2 * U * most
    assert needed * (1 - 4 * U) <= bound * (1 + 2.0**-20) <= needed * mp.mpf("1.0001")


@given(st.lists(balls(), min_size=3, max_size=3), st.lists(balls(), min_size=3, max_size=3))
def test_sums_of_products(x, y):
    dot = lambda x, y: [sum(a * b for a, b in zip(x, y, strict=True))]

    def magnitudes(cells, k):
        return [sum(map(abs, map(mp.mpf, cell[:k]))) for cell in cells]

    held = dot(magnitudes(x, 3), magnitudes(y, 3))[0]
    exact = dot(magnitudes(x, 2), magnitudes(y, 2))[0]
    bound = mp.mpf(bound_of(DOT, dot, [x, y])[0])
    needed = held - exact + 3 * U * held
    assert needed * (1 - 8 * U) <= bound * (1 + 2.0**-20)
    assert bound <= needed * mp.mpf("1.0001") + 3.01 * ETA
    assert bound >= 3 * ETA


def test_products_without_a_sum_round_once():
    x = [(3.0, 0.0, 0.0), (5.0, 0.0, 0.0), (-7.0, 0.0, 0.0)]
    outer = lambda x, y: [a * b for a in x for b in y]
    given_ = [operand(x), operand(x)]
    scale = np.abs(np.array(outer([3.0, 5.0, -7.0], [3.0, 5.0, -7.0]))).reshape(1, 3, 3)
    found = einsum_bound(OUTER, scale, given_, PLAIN, scale)
    np.testing.assert_allclose(found, FLOAT32.roundoff * scale + FLOAT32.underflow, rtol=2e-6)


def test_wider_accumulators_round_to_the_format_once():
    x = [(1.0, 0.0, 0.0), (2.0, 0.0, 0.0), (3.0, 0.0, 0.0)]
    half = FloatFormat(
        "float16", FLOAT16.roundoff, FLOAT16.underflow, FLOAT16.largest, FLOAT32, FLOAT32
    )
    own = FLOAT16.roundoff
    for node, function, total in (
        (SUM, lambda x: [sum(x)], 6.0),
        (DOT, lambda x, y: [sum(map(mp.fmul, x, y))], 14.0),
    ):
        count = len(node.inputs)
        found = bound_of(node, function, [x] * count, half)[0]
        assert own * total <= found <= own * total * 1.001 + 3 * FLOAT16.underflow
        narrow = bound_of(node, function, [x] * count, half.in_itself)[0]
        assert narrow >= (1 + count) * own * total


def test_factors_may_be_shortened_and_subnormal_ones_lost():
    x = [(1.0, 0.0, 0.0), (2.0, 0.0, 0.0), (3.0, 0.0, 0.0)]
    dot = lambda x, y: [sum(map(mp.fmul, x, y))]
    short = FloatFormat(
        "float32", FLOAT32.roundoff, FLOAT32.underflow, FLOAT32.largest, factor_roundoff=2.0**-11
    )
    assert bound_of(DOT, dot, [x, x], short)[0] == pytest.approx(14 * 2 * 2.0**-11, rel=1e-3)
    flushed = FLOAT32.flushed
    tiny = [(2.0**-130, 0.0, 0.0)] * 3
    assert bound_of(DOT, dot, [x, tiny], flushed)[0] >= 6 * 2.0**-130
    nothing = [(0.0, 0.0, 0.0)] * 3
    assert bound_of(DOT, dot, [x, nothing], flushed)[0] <= 8 * flushed.underflow


def test_products_in_a_sum_by_powers_of_two_do_not_round():
    x = [(1.0, 0.0, 0.0), (2.0, 0.0, 0.0), (3.0, 0.0, 0.0)]
    quarter = [(0.25, 0.0, 0.0)] * 3
    found = bound_of(op.matmul(ROW, SHIFT), lambda x, y: [sum(map(mp.fmul, x, y))], [x, quarter])
    assert found[0] == pytest.approx(2 * FLOAT32.roundoff * 1.5, rel=1e-6)


def test_one_product_is_not_kept_in_an_accumulator():
    """It is rounded once, to the format."""
    wide = FloatFormat("float16", FLOAT16.roundoff, 0.0, FLOAT16.largest, FLOAT32, FLOAT32)
    x = operand([(3.0, 0.0, 0.0), (5.0, 0.0, 0.0), (-7.0, 0.0, 0.0)])
    scale = np.abs(x.value[:, :, None] * x.value[:, None, :])
    found = einsum_bound(OUTER, scale, [x, x], wide, scale)
    np.testing.assert_allclose(found, FLOAT16.roundoff * scale, rtol=1e-3)
    assert np.all(found < 1.0001 * FLOAT16.roundoff / (1 - FLOAT16.roundoff) * scale)


def test_what_has_no_bound_spoils_no_sum_that_does_not_have_it():
    x = [(1.0, 0.0, math.inf), (2.0, 0.0, 0.0), (3.0, 0.0, 0.0)]
    y = [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (1.0, 0.0, 0.0)]
    assert not bound_of(DOT, lambda x, y: [sum(map(mp.fmul, x, y))], [x, y])[0] < math.inf
    grid = op.input_("a", (N, M))
    given_ = Operand(np.ones((1, 3, 2)), EXACT, np.array([[[math.inf, 0], [0, 0], [0, 0]]]))
    total = op.sum_(grid, [0])
    found = einsum_bound(total, np.full((1, 2), 3.0), [given_], PLAIN, np.full((1, 2), 3.0))
    np.testing.assert_array_equal(found < math.inf, [[False, True]])


def test_a_partial_sum_that_overflows_leaves_no_bound():
    large = FLOAT32.largest / 2
    x = [(large, 0.0, 0.0), (large, 0.0, 0.0), (-large, 0.0, 0.0)]
    assert bound_of(SUM, lambda x: [sum(x)], [x])[0] == math.inf
    x = [(large / 2, 0.0, 0.0), (large / 2, 0.0, 0.0), (-large / 2, 0.0, 0.0)]
    assert bound_of(SUM, lambda x: [sum(x)], [x])[0] < math.inf


# --- choices, moved and multiplied elements ---

MASK = op.compare("<", X, Y)


def test_a_mask_is_certain_or_has_room_for_both():
    apart = [[(1.0, 0.1, 0.1)], [(1.5, 0.1, 0.1)]]
    touching = [[(1.0, 0.1, 0.2)], [(1.5, 0.1, 0.1)]]
    for how in ("<", "<=", "=="):
        node = op.compare(how, X, Y)
        assert bound_of(node, lambda x, y: [mp.mpf(x[0] < y[0])], apart)[0] == 0
        assert bound_of(node, lambda x, y: [mp.mpf(x[0] < y[0])], touching)[0] == 1


@pytest.mark.parametrize("mask", [(1.0, 0.0), (0.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
def test_what_is_chosen_has_its_own_bound(mask):
    node = op.where(MASK, X, Y)
    chosen, off = mask
    given_ = [
        Operand(np.array([chosen]), EXACT, np.array([off]) if off else EXACT),
        operand([(2.0, 0.25, 0.5)]),
        operand([(5.0, 0.125, 1.0)]),
    ]
    (found,) = BOUNDS["where"](node, np.array([2.0]), given_, BINDING, PLAIN)
    assert found == (3 + 0.375 + 1.0 if off else 0.5 if chosen else 1.0)


@pytest.mark.parametrize(
    ("x", "y", "bound"),
    [
        ((1.0, 0.1, 0.2), (3.0, 0.1, 0.4), 0.4),
        ((3.0, 0.1, 0.2), (1.0, 0.1, 0.4), 0.2),
        ((1.0, 0.1, 0.2), (1.5, 0.1, 0.4), 0.4),
        ((1.5, 0.1, 0.2), (1.0, 0.1, 0.4), 0.4),
    ],
)
def test_the_larger_of_two(x, y, bound):
    assert bound_of(op.maximum(X, Y), lambda x, y: [max(x[0], y[0])], [[x], [y]])[0] == bound


def test_the_largest_of_several_has_the_bound_of_the_candidates():
    node = op.max_(ROW, 0)
    largest = lambda x: [max(x)]
    clear = [(1.0, 0.1, 0.9), (5.0, 0.1, 0.2), (2.0, 0.1, 0.3)]
    assert bound_of(node, largest, [clear])[0] == 0.2
    near = [(4.8, 0.1, 0.9), (5.0, 0.1, 0.2), (2.0, 0.1, 0.3)]
    assert bound_of(node, largest, [near])[0] == 0.9
    assert bound_of(node, largest, [[(v, 0.0, 0.0) for v, _, _ in near]])[0] == 0


def test_moved_elements_keep_their_bounds():
    x, places = [(1.0, 0.1, 0.5), (2.0, 0.1, 0.25), (3.0, 0.1, 0.125)], np.array([[2.0, 0.0]])
    k = op.input_("k", (M,), "integer")
    given_ = [operand(x), Operand(places, EXACT, EXACT)]
    taken = BOUNDS["gather"](op.gather(ROW, k, 0), np.array([[3.0, 1.0]]), given_, BINDING, PLAIN)
    np.testing.assert_array_equal(taken, [[0.125, 0.5]])
    joined = op.concatenate((ROW, OTHER), 0)
    given_ = [operand(x), operand([(v, 0.0, 0.0) for v, _, _ in x])]
    found = BOUNDS["concatenate"](joined, np.ones((1, 6)), given_, BINDING, PLAIN)
    np.testing.assert_array_equal(found, [[0.5, 0.25, 0.125, 0, 0, 0]])


@given(st.lists(balls(), min_size=3, max_size=3))
def test_products_and_running_sums(x):
    """Each number's own error times the others, and a rounding for each factor but the first."""
    product = lambda x: [x[0] * x[1] * x[2]]
    size = mp.mpf(1)
    for v, e, b in x:
        size *= max(abs(mp.mpf(v)) + e + b, 1)
    agree(op.product(ROW, 0), product, [x], 2, units=2 * size, within=1.05)
    bounds = bound_of(op.cumulative(ROW, 0), lambda x: [x[0], x[0] + x[1], sum(x)], [x])
    for k, bound in enumerate(bounds):
        carried = sum(mp.mpf(b) for _, _, b in x[: k + 1])
        most = sum(abs(mp.mpf(v)) + e + b for v, e, b in x[: k + 1])
        needed = carried + 2 * U * most
        assert needed * (1 - 4 * U) <= bound * (1 + 2.0**-20) <= needed * mp.mpf("1.0001")


def test_products_that_may_overflow_on_the_way_have_no_bound():
    node, product = op.product(ROW, 0), lambda x: [x[0] * x[1] * x[2]]
    x = [(2.0**100, 0.0, 0.0), (2.0**100, 0.0, 0.0), (2.0**-100, 0.0, 0.0)]
    assert bound_of(node, product, [x])[0] == math.inf
    assert bound_of(node, product, [x], FLOAT64)[0] < math.inf


# --- leaves ---


@pytest.mark.parametrize(
    ("number", "roundings"),
    [(Fraction(1, 3), 1), (Fraction(3, 8), 0), (Fraction(2**24 + 1), 1), (Fraction(2**24 + 2), 0)],
)
def test_literals_that_are_no_numbers_of_the_format_are_rounded(number, roundings):
    size = float(number)
    found = bound_of(op.constant(number), lambda: [mp.mpf(size)], [])[0]
    assert found == roundings * (FLOAT32.roundoff * size + FLOAT32.underflow)


def test_named_constants_are_read_to_two_ulp():
    value = op.constant(Constant(Fraction(1), "pi"))
    found = bound_of(value, lambda: [mp.pi], [], FLOAT64)[0]
    assert 7 * FLOAT64.roundoff * math.pi <= found <= 8.01 * FLOAT64.roundoff * math.pi
    coarse = bound_of(value, lambda: [mp.pi], [])[0]
    assert coarse == pytest.approx(FLOAT32.roundoff * math.pi, rel=1e-6)


def test_sizes_are_exact_as_far_as_whole_numbers_are():
    node = op.size(N)
    for size, bound in ((2.0**24, 0.0), (2.0**24 + 1, FLOAT32.roundoff * (2.0**24 + 1))):
        assert BOUNDS["size"](node, np.array([size]), [], BINDING, PLAIN)[0] == bound


def test_inputs_are_exact_unless_subnormal_ones_are_lost():
    assert BOUNDS["input"](X, np.array([1.0]), [], BINDING, PLAIN) is EXACT
    flushed = FLOAT32.flushed
    scale = np.array([flushed.underflow, flushed.underflow * 0.5, 0.0])
    found = BOUNDS["input"](X, scale, [], BINDING, flushed)
    np.testing.assert_array_equal(found, [0.0, flushed.underflow * 0.5, 0.0])


# --- rearrangements ---

LITERAL = op.constant(Fraction(3))
SHIFT = op.broadcast(op.constant(Fraction(1, 4)), (N,))
ROUNDINGS = {
    "a sum": (op.add(X, Y), 1),
    "a sum of indices": (op.add(op.index(N), op.index(N)), 0),
    "a product": (op.multiply(X, Y), 1),
    "a product of indices": (op.multiply(op.index(N), op.index(N)), 0),
    "a shift": (op.multiply(ROW, SHIFT), 0),
    "a quotient": (op.divide(X, Y), 1),
    "a quotient by a number": (op.divide(X, LITERAL), 2),
    "a quotient that is a shift": (op.divide(ROW, SHIFT), 0),
    "a square": (op.power(X, Fraction(2)), 1),
    "a fifth power": (op.power(X, Fraction(5)), 4),
    "a reciprocal": (op.power(X, Fraction(-1)), 1),
    "a reciprocal of a cube": (op.power(X, Fraction(-3)), 3),
    "a root": (op.power(X, Fraction(1, 2)), 1),
    "an exponential": (op.function("exp", X), 1),
    "a magnitude": (op.function("abs", X), 0),
    "a sum of three": (SUM, 2),
    "a sum of three products": (DOT, 3),
    "products": (OUTER, 1),
    "shifted products": (op.matmul(ROW, SHIFT), 2),
    "a product of three": (op.product(ROW, 0), 2),
    "running sums": (op.cumulative(ROW, 0), 2),
    "added at places": (op.scatter(ROW, op.input_("k", (N,), "integer"), 0, M), 2),
    "a solution": (op.solve(op.input_("a", (N, N)), op.input_("b", (N, M))), 9),
    "an input": (X, 0),
    "a choice": (op.maximum(X, Y), 0),
}


@pytest.mark.parametrize("name", ROUNDINGS)
def test_roundings_are_counted(name):
    node, count = ROUNDINGS[name]
    assert roundings_of(node, BINDING) == count
    assert underflows_of(node, BINDING) == {"a shift": 2}.get(name, count)


def test_shifts_that_make_smaller_may_underflow_twice():
    larger = op.broadcast(op.constant(Fraction(4)), (N,))
    assert underflows_of(op.multiply(larger, ROW), BINDING) == 0
    assert underflows_of(op.multiply(SHIFT, ROW), BINDING) == 2
    assert underflows_of(op.divide(ROW, larger), BINDING) == 2
    assert underflows_of(op.divide(ROW, SHIFT), BINDING) == 0


def test_shifts_are_powers_of_two():
    for factor, expected in (
        (1, True),
        (Fraction(1, 1024), True),
        (-2, True),
        (3, False),
        (0, False),
    ):
        assert is_shift(op.constant(Fraction(factor))) is expected
    assert not is_shift(op.constant(Constant(Fraction(2), "pi")))
    assert not is_shift(op.size(Size.of(2)))
    assert not is_shift(X)


FAR = {
    "a sum": (op.add(X, Y), [3.0, 5.0], [1.0, 1.0], 8.0),
    "a product": (op.multiply(X, Y), [3.0, 5.0], [1.0, 1.0], 15.0),
    "a quotient by a small one": (op.divide(X, Y), [3.0, 5.0], [1.0, -0.25], 12.0),
    "a quotient by a large one": (op.divide(X, Y), [3.0, 5.0], [1.0, 4.0], 1.0),
    "a large quotient": (op.divide(X, Y), [30.0, 5.0], [20.0, 4.0], 5.0),
    "a quotient by a number": (op.divide(X, LITERAL), [3.0, 5.0], [1.0, 3.0], 3.0),
    "by a small number": (op.divide(X, op.constant(Fraction(1, 3))), [3.0, 1.0], [1.0, 0.5], 6.0),
    "a cube": (op.power(X, Fraction(3)), [3.0], [1.0], 27.0),
    "a reciprocal": (op.power(X, Fraction(-1)), [3.0], [0.25], 4.0),
    "a function": (op.function("exp", X), [3.0], [-1.0], 1.0),
    "a magnitude": (op.function("abs", X), [3.0], [-1.0], 3.0),
    "the larger": (op.maximum(X, Y), [3.0, 5.0], [1.0, 0.0], 5.0),
}


@pytest.mark.parametrize("name", FAR)
def test_how_far_rearrangements_reach(name):
    node, below, values, far = FAR[name]
    value = {"a large quotient": 5.0, "a reciprocal": 4.0}.get(name, 0.5)
    x = [np.array([v]) for v in below]
    found = reach(node, x, np.array([value]), [np.array([v]) for v in values], BINDING)
    assert found == far


def test_how_far_rearranged_rows_reach():
    row, value = np.array([[1.0, 2.0, 4.0]]), np.array([[0.5, 0.5, 0.5]])
    small = np.full((1, 3), 0.125)
    k = op.input_("k", (N,), "integer")
    places = np.array([[0.0, 1.0, 1.0]])
    assert reach(SUM, [row], value, [row], BINDING) == 7
    assert reach(SUM, [small], value, [small], BINDING) == 1
    assert reach(DOT, [row, row], value, [row, row], BINDING) == 21
    assert reach(op.product(ROW, 0), [row], value, [row], BINDING) == 8
    assert reach(op.max_(ROW, 0), [row], value, [row], BINDING) == 4
    running = reach(op.cumulative(ROW, 0), [row], value, [row], BINDING)
    np.testing.assert_array_equal(running, [[1, 3, 7]])
    added = reach(op.scatter(ROW, k, 0, M), [row, places], value, [row, places], BINDING)
    np.testing.assert_array_equal(added, [[1, 6]])
    taken = reach(op.gather(ROW, k, 0), [row, places], value, [row, places], BINDING)
    np.testing.assert_array_equal(taken, [[1, 2, 2]])
    both = reach(op.concatenate((ROW, OTHER), 0), [row, row], value, [row, row], BINDING)
    np.testing.assert_array_equal(both, [[1, 2, 4, 1, 2, 4]])
    mask = np.array([[1.0, 0.0, 1.0]])
    node = op.where(op.compare("<", ROW, OTHER), ROW, OTHER)
    chosen = reach(node, [mask, row, 2 * row], value, [mask, row, row], BINDING)
    np.testing.assert_array_equal(chosen, [[1, 4, 4]])


def test_the_normwise_bound_is_that_of_the_largest_and_of_strassen():
    """(6 n^(log2 12) - 5 n) u max|A| max|B| beside the componentwise one, n = 2: 62."""
    a, b = op.input_("a", (M, M)), op.input_("b", (M, M))
    x = [Operand(np.array([[[1.0, -2.0], [3.0, 4.0]]]), EXACT, EXACT)] * 2
    own = np.array([[[1e-7, 2e-7], [0.0, 1e-8]]])
    found = normwise_bound(op.matmul(a, b), own, x, BINDING, PLAIN)
    assert found[0, 0, 0] == pytest.approx(2e-7 + 62 * FLOAT32.roundoff * 16, rel=1e-5)
    assert np.all(found == found[0, 0, 0])
    alone = normwise_bound(op.add(a, b), own, x, BINDING, PLAIN)
    np.testing.assert_array_equal(alone, np.full((1, 2, 2), 2e-7))
    assert normwise_bound(op.matmul(a, b), EXACT, x, BINDING, PLAIN) is EXACT


@pytest.mark.parametrize("none", [math.inf, math.nan])
def test_where_the_largest_has_no_bound_none_has_one_normwise(none):
    """1 beside the largest number, as their sum less that number: 0, off by u times the largest."""
    a = op.input_("a", (M, M))
    x = [Operand(np.array([[[1.0, 0.0], [0.0, 3e38]], [[1.0, 0.0], [0.0, 3.0]]]), EXACT, EXACT)] * 2
    own = np.array([[[1e-7, 0.0], [0.0, none]], [[1e-7, 0.0], [0.0, 2e-7]]])
    found = normwise_bound(op.add(a, a), own, x, BINDING, PLAIN)
    assert np.all(found[0] == math.inf)
    assert np.all(found[1] == 2e-7)


# --- batches, places, kinks ---

K = op.input_("k", (N,), "integer")
IN_BATCHES = {
    "a sum": SUM,
    "a product": op.product(ROW, 0),
    "the largest": op.max_(ROW, 0),
    "running sums": op.cumulative(ROW, 0),
    "shares of a maximum": op.subgradient(("share", 0), ROW),
}


@pytest.mark.parametrize("name", IN_BATCHES)
def test_members_of_a_batch_do_not_meet(name):
    node = IN_BATCHES[name]
    rows = [[(1.0, 0.0, 0.5), (1.25, 0.0, 0.25), (-3.0, 0.0, 2.0)], [(8.0, 0.0, 0.5)] * 3]
    exact = [[(v, 0.0, 0.0) for v, _, _ in row] for row in rows]
    scales = {"a sum": [0.75, 24], "a product": [3.75, 512], "the largest": [1.25, 8]}
    for both in (rows, exact):
        alone = [operand(row) for row in both]
        parts = [np.concatenate([getattr(x, n) for x in alone]) for n in ("value", "bound")]
        bound = EXACT if both is exact else parts[1]
        together = Operand(parts[0], EXACT, bound)
        scale = np.array(scales.get(name, np.abs(parts[0])), dtype=np.float64)

        def rule(x, size, node=node):
            if node.operation == "einsum":
                return einsum_bound(node, size, [x], PLAIN, base_of(node, [x.magnitude]))
            return BOUNDS[node.operation](node, size, [x], BINDING, PLAIN)

        found = np.broadcast_to(rule(together, scale), scale.shape)
        for k, x in enumerate(alone):
            np.testing.assert_array_equal(found[k : k + 1], rule(x, scale[k : k + 1]))
        far = reach(node, [np.abs(parts[0])], scale, [parts[0]], BINDING)
        for k, x in enumerate(alone):
            one = reach(node, [np.abs(x.value)], scale[k : k + 1], [x.value], BINDING)
            np.testing.assert_array_equal(far[k : k + 1], one)


def test_the_normwise_bound_is_that_of_each_member():
    a, b = op.input_("a", (M, M)), op.input_("b", (M, M))
    x = [Operand(np.array([[[1.0, 0.0]] * 2, [[16.0, 0.0]] * 2]), EXACT, EXACT)] * 2
    own = np.zeros((2, 2, 2)) + 1e-9
    found = normwise_bound(op.matmul(a, b), own, x, BINDING, PLAIN)
    ratio = (found[1] - 1e-9) / (found[0] - 1e-9)
    np.testing.assert_allclose(ratio, 256, rtol=1e-6)
    # Strassen's way with n = 1 is the product itself, rounded once.
    one = op.einsum(
        Subscripts(((0, 1), (1, 2)), (0, 2)), *(op.input_(n, (Size.of(1),) * 2) for n in "ab")
    )
    x = [Operand(np.ones((1, 1, 1)), EXACT, EXACT)] * 2
    found = normwise_bound(one, own[:1, :1, :1], x, BINDING, PLAIN)
    np.testing.assert_allclose(found, 1e-9 + FLOAT32.roundoff)


@given(
    st.lists(balls(), min_size=3, max_size=3), st.lists(st.integers(0, 1), min_size=3, max_size=3)
)
def test_what_is_added_up_at_places(x, places):
    node = op.scatter(ROW, K, 0, M)
    source, at = operand(x), Operand(np.array([places], dtype=np.float64), EXACT, EXACT)
    mine = [[cell for cell, place in zip(x, places, strict=True) if place == k] for k in range(2)]
    scale = np.array([[abs(sum(v for v, _, _ in cells)) for cells in mine]])
    found = BOUNDS["scatter"](node, scale, [source, at], BINDING, PLAIN)[0]
    most = max(len(cells) for cells in mine)
    for bound, cells in zip(found, mine, strict=True):
        size = sum(abs(mp.mpf(v)) + e + b for v, e, b in cells)
        needed = sum(mp.mpf(b) for _, _, b in cells) + (most - 1) * U * size
        assert needed * (1 - 4 * U) <= bound * (1 + 2.0**-20)
        assert bound <= needed * mp.mpf("1.0001")


def test_running_sums_and_sums_at_places_may_overflow_on_the_way():
    large = FLOAT32.largest * 0.75
    x = operand([(large, 0.0, 0.0), (large, 0.0, 0.0), (-large, 0.0, 0.0)])
    found = BOUNDS["cumulative"](
        op.cumulative(ROW, 0), np.array([[large] * 3]), [x], BINDING, PLAIN
    )
    np.testing.assert_array_equal(np.isfinite(found), [[True, False, False]])
    at = Operand(np.array([[0.0, 1.0, 1.0]]), EXACT, EXACT)
    node = op.scatter(ROW, K, 0, M)
    found = BOUNDS["scatter"](node, np.array([[large, 0.0]]), [x, at], BINDING, PLAIN)
    np.testing.assert_array_equal(np.isfinite(found), [[True, False]])


KINKS = {"step": 0.5, "sign": 1.0}


@pytest.mark.parametrize("how", KINKS)
def test_any_subgradient_is_right_at_a_kink(how):
    """Half of the jump to either side of its middle; the whole one where rounding decides."""
    room = KINKS[how]
    two = how == "step"
    node = op.subgradient(how, X, Y) if two else op.subgradient(how, X)

    def found(x, y):
        cells = [operand([x]), operand([y])] if two else [operand([x])]
        return BOUNDS["subgradient"](node, np.ones(1), cells, BINDING, PLAIN)[0]

    other = (2.0, 0.0, 0.0) if two else (0.0, 0.0, 0.0)
    at = other[0]
    assert found((at, 0.0, 0.0), other) == room
    assert found((at + 1, 0.25, 0.5), other) == 0
    assert found((at - 1, 0.25, 0.5), other) == 0
    assert found((at + 1, 0.25, 0.875), other) == 2 * room
    assert found((at, 0.0, 0.5), other) == 2 * room


def test_shares_of_a_maximum_are_any_where_elements_tie():
    node = op.subgradient(("share", 0), ROW)

    def found(*cells):
        return BOUNDS["subgradient"](node, np.ones((1, 3)), [operand(cells)], BINDING, PLAIN)[0]

    np.testing.assert_array_equal(found(*((v, 0.0, 0.0) for v in (1.0, 3.0, 2.0))), [0, 0, 0])
    np.testing.assert_array_equal(found(*((v, 0.0, 0.0) for v in (3.0, 3.0, 2.0))), [0.5, 0.5, 0])
    third = found(*((3.0, 0.0, 0.0),) * 3)
    np.testing.assert_allclose(third, [2 / 3] * 3)
    near = found((3.0, 0.0, 0.25), (3.25, 0.0, 0.25), (1.0, 0.0, 0.25))
    np.testing.assert_array_equal(near, [1, 1, 0])
    np.testing.assert_array_equal(found(*((3.0, 0.25, 0.25),) * 3), [1, 1, 1])


def test_shares_and_running_sums_go_along_their_axis():
    grid = op.input_("a", (N, M))
    x = Operand(np.array([[[1.0, 5.0], [1.0, 4.0], [0.0, 3.0]]]), EXACT, EXACT)
    share = op.subgradient(("share", 0), grid)
    found = BOUNDS["subgradient"](share, np.ones((1, 3, 2)), [x], BINDING, PLAIN)
    np.testing.assert_array_equal(found, [[[0.5, 0], [0.5, 0], [0, 0]]])
    along = op.cumulative(grid, 0)
    sums = np.cumsum(x.value, axis=1)
    found = BOUNDS["cumulative"](along, sums, [x], BINDING, PLAIN)
    np.testing.assert_allclose(found, 2 * FLOAT32.roundoff * sums, rtol=1e-6)
    assert roundings_of(along, BINDING) == 2
    assert roundings_of(op.cumulative(grid, 1), BINDING) == 1


def test_masks_become_numbers_and_whole_numbers_are_rounded():
    mask = op.convert(MASK)
    given_ = [Operand(np.ones(1), EXACT, np.ones(1))]
    assert BOUNDS["convert"](mask, np.ones(1), given_, BINDING, PLAIN)[0] == 1
    whole = op.convert(op.index(N))
    for number, bound in ((2.0**24, 0.0), (2.0**24 + 1, FLOAT32.roundoff * (2.0**24 + 1))):
        given_ = [Operand(np.array([number]), EXACT, EXACT)]
        found = BOUNDS["convert"](whole, np.array([number]), given_, BINDING, PLAIN)
        assert found[0] == bound


# --- far from the ordinary ---


def test_products_that_underflow_are_off_by_eta_each():
    x = [(2.0**-100, 0.0, 0.0)] * 3
    found = bound_of(DOT, lambda x, y: [sum(map(mp.fmul, x, y))], [x, x])[0]
    assert 3 * FLOAT32.underflow <= found <= 3.01 * FLOAT32.underflow


@pytest.mark.parametrize("b", [2.0**-10, 0.5, 1.0, 3.0])
def test_exponentials_of_anything(b):
    cells = [[(1.0, 2.0**-12, b)]]
    needed = worst(lambda x: [mp.exp(x[0])], cells, 1)[0]
    found = bound_of(op.function("exp", X), lambda x: [mp.exp(x[0])], cells)[0]
    assert needed <= found * (1 + 2.0**-20)
    assert found <= needed * (1.01 if b < 1 else 2.0)


def test_products_overflow_by_what_the_format_may_hold():
    product = lambda x: [x[0] * x[1] * x[2]]
    node, root = op.product(ROW, 0), 2.0**42.6
    x = [(root, 0.0, 0.0)] * 3
    assert bound_of(node, product, [x])[0] < math.inf
    assert bound_of(node, product, [[(root, 0.0, root / 8)] * 3])[0] == math.inf


def test_how_far_matrices_and_moved_elements_reach():
    grid = op.input_("a", (N, M))
    x = np.arange(1.0, 7.0).reshape(1, 3, 2)
    flat = reach(op.reshape(grid, (N * M,)), [x], x, [x], BINDING)
    np.testing.assert_array_equal(flat, x.reshape(1, 6))
    assert (
        reach(op.function("negative", X), [np.array([3.0])], np.ones(1), [np.ones(1)], BINDING) == 3
    )
    a, b = op.input_("a", (M, M)), op.input_("b", (M, Size.of(1)))
    values = [np.array([[[2.0, 0.0], [0.0, 0.5]]]), np.array([[[2.0], [1.0]]])]
    far = [np.full((1, 2, 2), 3.0), np.full((1, 2, 1), 5.0)]
    # |A^-1| (M_A |X| + M_B) with X = (1, 2): (9 + 5) / 2 and (9 + 5) * 2.
    found = reach(op.solve(a, b), far, values[1], values, BINDING)
    np.testing.assert_allclose(found, [[[7.0], [28.0]]])
    determinant = reach(op.determinant(a), far[:1], np.ones(1), values[:1], BINDING)
    np.testing.assert_array_equal(determinant, [36])
    row, other = np.array([[1.0, 5.0, 2.0]]), np.array([[3.0, 2.0, 2.0]])
    larger = reach(op.maximum(ROW, OTHER), [row, other], row, [row, other], BINDING)
    np.testing.assert_array_equal(larger, [[3, 5, 2]])
