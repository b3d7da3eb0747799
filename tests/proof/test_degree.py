"""Degrees: never too low, against rational functions of flint, and as counted by hand."""

import flint
import numpy as np
import pytest
from array_api_compat import array_namespace as ns
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from verimath.formula import operations as op
from verimath.formula.core import lowered
from verimath.formula.trace import trace
from verimath.proof.degree import failure_bits, highest_degree
from verimath.shapes import Size, parse_shape

SIZES = {"n": 3, "d": 2}
SHAPES = {"x": "n", "y": "n", "A": "n n", "B": "n d"}
RATIONAL = (
    *("negate", "scale", "square", "cube", "add", "subtract", "multiply", "divide", "matmul"),
    *("left matmul", "gram", "transpose", "sum", "column sums", "row sums", "column", "row"),
    *("flat", "trace", "outer", "tensordot", "flip", "take", "concat", "cumulative sum"),
)


def core(function):
    shapes = {name: parse_shape(text).expand({}) for name, text in SHAPES.items()}
    return lowered(trace(function, shapes).outputs)


def chances(pairs, *, roots=0, scale=1):
    """How many of 2^60 points may hide a difference."""
    return round(2 ** (60 - failure_bits(pairs, SIZES, roots=roots, scale=scale)))


class Ratio:
    """A rational function of one variable, reduced."""

    def __init__(self, above, below=1):
        above, below = flint.fmpq_poly(above), flint.fmpq_poly(below)
        common = above.gcd(below)
        self.above, self.below = above // common, below // common

    def __add__(self, other):
        if isinstance(other, np.ndarray):
            return NotImplemented
        other = other if isinstance(other, Ratio) else Ratio([int(other)])
        above = self.above * other.below + other.above * self.below
        return Ratio(above, self.below * other.below)

    def __mul__(self, other):
        if isinstance(other, np.ndarray):
            return NotImplemented
        other = other if isinstance(other, Ratio) else Ratio([int(other)])
        return Ratio(self.above * other.above, self.below * other.below)

    def __truediv__(self, other):
        if isinstance(other, np.ndarray):
            return NotImplemented
        other = other if isinstance(other, Ratio) else Ratio([int(other)])
        return Ratio(self.above * other.below, self.below * other.above)

    def __neg__(self):
        return Ratio(-self.above, self.below)

    def __sub__(self, other):
        return self + -other

    def __pow__(self, exponent):
        return Ratio(self.above ** int(exponent), self.below ** int(exponent))

    __radd__, __rmul__ = __add__, __mul__


@settings(max_examples=60)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_no_degree_is_too_low(programs, data, seed):
    """Along a line, inputs are a + b t; what comes out has at most the degrees in t."""
    program = data.draw(programs(longest=5, only=RATIONAL, smallest=1))
    assume(all(name in RATIONAL for name, _, _ in program.steps))
    numbers = np.random.default_rng(seed)
    inputs = []
    for shape in program.shapes.values():
        cells = np.empty([size.at(program.binding) for size in shape], dtype=object)
        for place in np.ndindex(*cells.shape):
            cells[place] = Ratio([int(k) for k in numbers.integers(-9, 10, 2)])
        inputs.append(cells)
    try:
        found = np.asarray(program(*inputs), dtype=object)
    except ZeroDivisionError:
        assume(False)
    (node,) = lowered(program.formula.outputs)
    both = round(2 ** (60 - failure_bits([(node, node)], program.binding, roots=0, scale=1)))
    for value in found.ravel():
        above, below = (max(0, part.degree()) for part in (value.above, value.below))
        assert above + below <= both
        assert max(above, below) <= highest_degree([node], program.binding)


def product(x):
    return ns(x).prod(x)


# At n = 3: degrees of numerator and denominator in inputs and unknowns; and how many arguments of
# functions and powers have to be told apart, and the largest degrees of these together.
COUNTED = {
    "an input": (lambda x, y, A, B: x, 1, 0, 0, 0),
    "a sum": (lambda x, y, A, B: x + y, 1, 0, 0, 0),
    "a product": (lambda x, y, A, B: x * y, 2, 0, 0, 0),
    "a quotient": (lambda x, y, A, B: x / (y * y), 1, 2, 0, 0),
    "a quotient of quotients": (lambda x, y, A, B: (x / y) / (y / (x * y)), 3, 2, 0, 0),
    "a sum of quotients": (lambda x, y, A, B: x * x * x / y + 1 / (x * x), 5, 3, 0, 0),
    "a power": (lambda x, y, A, B: (x / (y * y)) ** 3, 3, 6, 3, 3),
    "a negative power": (lambda x, y, A, B: (x / (y * y)) ** -3, 6, 3, 3, 3),
    "a root, of higher degree": (lambda x, y, A, B: (x / (y * y)) ** 1.5, 2, 4, 3, 3),
    "one over a root": (lambda x, y, A, B: (x / (y * y)) ** -0.5, 2, 1, 3, 3),
    "a root and a power": (lambda x, y, A, B: (x * y) ** 0.5 * A**2, 4, 0, 12, 2),
    "three quotients": (lambda x, y, A, B: ns(x).sum(x / y), 3, 3, 0, 0),
    "a scalar product": (lambda x, y, A, B: x @ y, 2, 0, 0, 0),
    "sums of columns": (lambda x, y, A, B: ns(x).sum(B / B, axis=1), 2, 2, 0, 0),
    "a matrix product of quotients": (lambda x, y, A, B: A @ (A / A), 4, 3, 0, 0),
    "running sums": (lambda x, y, A, B: ns(x).cumulative_sum(x / y), 3, 3, 0, 0),
    "a product along an axis": (lambda x, y, A, B: ns(x).prod(x / (y * y)), 3, 6, 0, 0),
    "one along the other": (lambda x, y, A, B: ns(x).prod(B, axis=1), 2, 0, 0, 0),
    "one after another": (lambda x, y, A, B: ns(x).concat([x / (y * y), x * y * x]), 3, 2, 0, 0),
    "turned": (lambda x, y, A, B: (A / A).T, 1, 1, 0, 0),
    "running sums of two": (lambda x, y, A, B: ns(x).cumulative_sum(B / B, axis=1), 2, 2, 0, 0),
    "chosen by positions": (
        lambda x, y, A, B: ns(x).where(ns(x).arange(x.shape[0]) > 2, x, y),
        1,
        0,
        0,
        0,
    ),
    "a stack of determinants": (
        lambda x, y, A, B: ns(A).linalg.det((B[:, :, None] * B[:, None, :])[None, :, :, :]),
        4,
        0,
        0,
        0,
    ),
    "a cosine": (lambda x, y, A, B: ns(x).cos(x), 2, 1, 3, 1),
    "an exponential": (lambda x, y, A, B: ns(x).exp(x), 1, 1, 3, 1),
    "numbers": (lambda x, y, A, B: x * ns(x).asarray([1.0, 2.0, 5.0])[0], 2, 0, 0, 0),
    "moved": (lambda x, y, A, B: ns(x).take((A * A).T, ns(x).arange(2), axis=0), 2, 0, 0, 0),
    # b + H (a - b) of x/y and y, where H(x - y) is an unknown; so is the argument -y
    "a choice": (lambda x, y, A, B: ns(x).where(x > y, x / y, y), 3, 1, 6, 1),
    # H(x - y) H(y - 1)
    "two masks": (lambda x, y, A, B: ns(x).astype((x > y) & (y > 1), x.dtype), 2, 0, 12, 1),
    # weights over their sum
    "shares": (lambda x, y, A, B: ns(x).max(x), 4, 3, 3, 1),
    # Cramer: three rows of A, and of A and a column
    "a determinant": (lambda x, y, A, B: ns(A).linalg.det(A), 3, 0, 0, 0),
    "a system": (lambda x, y, A, B: ns(A).linalg.solve(A, x[:, None]), 4, 3, 0, 0),
    "a size": (lambda x, y, A, B: x * x.shape[0], 1, 0, 0, 0),
    "the identity": (lambda x, y, A, B: A * ns(x).eye(x.shape[0]), 1, 0, 0, 0),
    "pi": (lambda x, y, A, B: x * np.pi, 2, 0, 0, 0),
}


@pytest.mark.parametrize("name", COUNTED)
def test_degrees_are_counted(name):
    formula, above, below, arguments, most = COUNTED[name]
    (node,) = core(formula)
    told = 2 * arguments**2 * most
    assert chances([(node, node)]) == above + below + told
    assert highest_degree([node], SIZES) >= max(above, below)
    (size,) = core(lambda x, y, A, B: x.shape[0] * ns(x).ones(()))
    for pair in ((node, size), (size, node)):
        # a / b - c / 1: numerators a and b c; literals count as unknowns
        assert chances([pair, (size, size)]) == max(above, below + 1) + told


def test_every_choice_of_signs_is_a_factor():
    (node,) = core(lambda x, y, A, B: x**3)
    (other,) = core(lambda x, y, A, B: x)
    assert chances([(node, other)], roots=0) == 3 + 18
    assert chances([(node, other)], roots=2) == 4 * 3 + 18


@pytest.mark.parametrize(
    ("formula", "scale", "least"),
    [
        (lambda x, y, A, B: ns(x).exp(x), 1, 1),
        (lambda x, y, A, B: ns(x).exp(5 * x), 1, 5),
        (lambda x, y, A, B: ns(x).exp(-5 * x), 1, 5),
        (lambda x, y, A, B: ns(x).exp(-(5 * A).T), 1, 5),
        (lambda x, y, A, B: ns(x).exp(5 * (x / 3)), 3, 5),
        (lambda x, y, A, B: ns(x).exp(x / 0.2), 1, 5),
        (lambda x, y, A, B: ns(x).sin(4 * x), 1, 8),
        (lambda x, y, A, B: ns(x).exp(x / 3 + 5 * y), 3, 16),
        (lambda x, y, A, B: ns(x).exp(x / 3 - y * 5), 3, 16),
        (lambda x, y, A, B: ns(x).exp((2 * x)[:, None] + A), 1, 3),
        (lambda x, y, A, B: ns(x).exp(ns(x).take(2 * x + y, ns(x).arange(2))), 1, 3),
        (lambda x, y, A, B: ns(x).cos(4 * x), 1, 8),
        (lambda x, y, A, B: ns(x).sin(x / 2), 2, 2),
        (lambda x, y, A, B: ns(x).exp(x + 7), 1, 8),
    ],
)
def test_exponentials_have_the_degree_of_their_exponents(formula, scale, least):
    """exp(x/3 + 5 y) is u v^15 of unknowns u^3 = exp(x), v^3 = exp(y)."""
    (node,) = core(formula)
    (one,) = core(lambda x, y, A, B: ns(x).ones(()))
    pairs = [(node, one)]
    # Every root doubles the degree, and nothing else.
    degree = chances(pairs, roots=1, scale=scale) - chances(pairs, scale=scale)
    assert degree >= least
    assert highest_degree([node], SIZES) >= least / scale


@pytest.mark.parametrize(
    ("formula", "above", "below"),
    [
        # an unknown for every argument
        (lambda x, y, A, B: ns(x).log(x / y), 1, 0),
        (lambda x, y, A, B: ns(x).log(x * x * x * x * x), 1, 0),
        (lambda x, y, A, B: ns(x).atan(x), 1, 0),
        # nine different denominators; (a_11 a_22 a_33) times the six others, over all of them
        (lambda x, y, A, B: ns(A).linalg.det(A / A.T), 9, 9),
        # a minor (2), x_1, y_2, y_3 over the determinant and y_1, y_2, y_3
        (lambda x, y, A, B: ns(A).linalg.solve(A, (x / y)[:, None]), 5, 6),
        # the last pivot is a quotient of minors, three rows over two
        (lambda x, y, A, B: ns(A).linalg.cholesky(A) ** 2, 3, 2),
    ],
)
def test_matrices_and_unknowns_have_at_least_their_degrees(formula, above, below):
    (node,) = core(formula)
    pairs = [(node, node)]
    degree = chances(pairs, roots=1) - chances(pairs)
    assert degree >= above + below
    assert highest_degree([node], SIZES) >= max(above, below)


def test_what_is_scattered_to_one_place_is_a_sum():
    x, y = (op.input_(name, [Size.of(3)]) for name in "xy")
    places = op.input_("k", [Size.of(3)], "integer")
    node = op.scatter(op.divide(x, y), places, 0, Size.of(2))
    assert chances([(node, node)]) == 3 + 3
