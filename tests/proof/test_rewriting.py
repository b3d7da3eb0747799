"""Every rule by itself against exact evaluation; every rewriting keeps the value."""

import random
from fractions import Fraction

import numpy as np
import pytest
from array_api_compat import array_namespace as ns
from hypothesis import HealthCheck, given, reject, settings

from tests.proof.cases import CASES, Case
from tests.proof.exact import (
    Certificate,
    Field,
    Reals,
    Singular,
    Unsupported,
    graph,
    size_at,
)
from tests.proof.programs import inputs, programs, words
from tests.proof.test_normal_form import points
from verimath.errors import NotExpressibleError
from verimath.proof.algebra import Algebra, BudgetError
from verimath.proof.from_graph import Reader
from verimath.proof.powers import sizes_of
from verimath.proof.rewriting import find, oriented, scaled
from verimath.proof.terms import Factor, Raw, number
from verimath.proof.written import Writer
from verimath.shapes import Size

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
N = Size.of("n")

MORE = {
    "powers of signs": Case(
        lambda x: ns(x).sum(x**3), lambda x: ns(x).sum(x), {"x": "n"}, None, {"x": "signs"}
    ),
    "powers of zeros and ones": Case(
        lambda x, y: ns(x).sum(x**3 * y),
        lambda x, y: ns(x).sum(x * y),
        {"x": "n", "y": "n"},
        None,
        {"x": "binary"},
    ),
    "powers of one-hot rows": Case(
        lambda x: ns(x).sum(x**2, axis=-1),
        lambda x: ns(x).ones((x.shape[0],)),
        {"x": "n c"},
        None,
        {"x": "one-hot"},
    ),
    "rows of length one": Case(
        lambda x: ns(x).linalg.diagonal(x @ x.T),
        lambda x: ns(x).ones((x.shape[0],)),
        {"x": "n c"},
        None,
        {"x": "unit"},
    ),
    "columns at right angles": Case(
        lambda Q: Q.T @ Q, lambda Q: ns(Q).eye(Q.shape[0]), {"Q": "n n"}, None, {"Q": "orthogonal"}
    ),
    "Cholesky": Case(
        lambda A: ns(A).linalg.cholesky(A) @ ns(A).linalg.cholesky(A).T,
        lambda A: A,
        {"A": "n n"},
        None,
        {"A": "positive definite"},
    ),
    "steps": Case(
        lambda x, y: ns(x).maximum(x, y) ** 2,
        lambda x, y: ns(x).maximum(x, y) * (ns(x).maximum(x - y, 0 * x) + y),
        {"x": "n", "y": "n"},
    ),
    "absolute value squared": Case(lambda x: abs(x) ** 2, lambda x: x * x, {"x": "n"}),
    "taken elements": Case(
        lambda x: ns(x).sum(x[::-1] * ns(x).ones_like(x)),
        lambda x: ns(x).sum(x[::-1]),
        {"x": "n"},
    ),
    "triangles": Case(lambda A: ns(A).tril(ns(A).tril(A)), lambda A: ns(A).tril(A), {"A": "n n"}),
    "upper and lower": Case(
        lambda A: ns(A).tril(A) + ns(A).triu(A, k=1), lambda A: A, {"A": "n n"}
    ),
    "batched inverse": Case(
        lambda A, x: ns(A).sum(ns(A).linalg.inv(A) @ A * x[:, None, None], axis=0),
        lambda A, x: ns(A).sum(x) * ns(A).eye(A.shape[-1]),
        {"A": "b n n", "x": "b"},
    ),
    "fractions per row": Case(
        lambda x, y: ns(x).sum(x / (x + y)) + ns(x).sum(y / (x + y)),
        lambda x, y: x.shape[0] * ns(x).ones(()),
        {"x": "n", "y": "n"},
    ),
}
NAMES = {
    "A⁻¹ A = I",
    "A A⁻¹ = I",
    "a sum divided by itself is one",
    "a denominator divides its own terms",
    "sin² + cos² = 1",
    "H² = H off the kink",
    "a mask is its own square",
    "every index has its place",
    "rows of y sum to one",
    "rows of x have length one",
    "Q' Q = I",
    "powers of x",
    "L L' = A",
}


def rules_of(case):
    """The algebra that reads both sides of a case, and all rules that come with them."""
    algebra = Algebra(budget=20_000)
    reader = Reader(algebra, case.structures)
    left, right, _ = case.traced()
    for node in (*left, *right.outputs):
        reader.read(node)
    return algebra, [*algebra.rules, *reader.powers.awaiting.values()]


def _values(numbers, case, expressions, inputs_, sizes):
    """The values of expressions over all their free indices."""
    writer = Writer()
    written = [writer.terms(expression) for expression in expressions]
    free = sorted({i for e in expressions for i in sizes_of(e)}, reverse=True)
    known = {i: size for e in expressions for i, size in sizes_of(e).items()}
    reader = Certificate(numbers, {"definitions": writer.definitions}, inputs_, sizes)
    shape = [size_at(known[i], sizes) for i in free]
    return [reader.terms(terms, tuple(shape), [f"i{-i - 1}" for i in free]) for terms in written]


@pytest.mark.parametrize("name", MORE)
def test_more_is_derived(name):
    from tests.proof.test_normal_form import derived, replayed

    case = MORE[name]
    found = derived(case)
    assert found.proved, found.reason
    left, right, _ = case.traced()
    assert replayed(case, found, left, right.outputs) >= 2


@pytest.mark.parametrize("name", [*CASES, *MORE])
def test_both_sides_of_every_rule_are_equal(name):
    case = {**CASES, **MORE}[name]
    _, rules = rules_of(case)
    source = random.Random(3)
    for rule in rules:
        checked = 0
        for numbers in (Field(), Reals()):
            for _ in range(10):
                try:
                    sizes, values = case.draw(numbers, source)
                    left, right = _values(
                        numbers, case, [{rule.left: Fraction(1)}, rule.right], values, sizes
                    )
                except Singular:
                    continue
                except Unsupported:
                    break
                assert numbers.same(left, right), rule.name
                checked += 1
                if checked % 2 == 0:
                    break
        assert checked, rule.name


def test_no_rule_is_left_untested():
    seen = {rule.name for case in (*CASES.values(), *MORE.values()) for rule in rules_of(case)[1]}
    assert seen >= NAMES
    assert {name for name in seen if not name.startswith(("rows of", "powers of"))} <= NAMES


@given(words())
@settings(max_examples=80, suppress_health_check=SLOW)
def test_rewriting_words_keeps_their_value(node):
    _assert_kept(node, Field())


@given(programs(rooted=False))
@settings(max_examples=80, suppress_health_check=SLOW)
def test_rewriting_quotients_keeps_their_value(node):
    _assert_kept(node, Field())


@given(programs())
@settings(max_examples=60, suppress_health_check=SLOW)
def test_rewriting_functions_keeps_their_value(node):
    _assert_kept(node, Reals())


def _assert_kept(node, numbers):
    """The graph, what is read from it, and its normal form have one value."""
    algebra = Algebra(budget=20_000)
    reader = Reader(algebra, {})
    writer = Writer()
    try:
        read = reader.read(node)
        for head, rule in reader.powers.awaiting.items():
            algebra.add_rule(head, rule)
        written = [writer.terms(read), writer.terms(algebra.normal(read))]
    except (BudgetError, NotExpressibleError):  # such as a division by x - x
        reject()
    for sizes, values in points(numbers):
        try:
            want = graph(numbers, node, values, sizes)
            certificate = Certificate(numbers, {"definitions": writer.definitions}, values, sizes)
            shape = tuple(size_at(size, sizes) for size in node.shape)
            found = [certificate.terms(terms, shape) for terms in written]
        except (Singular, Unsupported):
            continue
        assert numbers.same(found[0], want)
        assert numbers.same(found[1], want)


# --- what a rule may not do ---------------------------------------------------------------------


def _matrix_and_inverse():
    algebra = Algebra(budget=1000)
    reader = Reader(algebra, {})
    head = algebra.intern("tensor", "A", (N, N), places=(0, 1), rank=2)
    vector = algebra.intern("tensor", "x", (N,), places=(0,), rank=1)
    inverse = reader.matrices.inverse(algebra.factor(head, (-1, -2)), -1, -2, N)
    ((monomial, _),) = inverse.items()
    return algebra, head, monomial.factors[0].head, vector


def _term(algebra, *factors, bound):
    found = algebra.collect(
        [Raw(Fraction(1), {}, [Factor(h, i, e) for h, i, e in factors], dict(bound))]
    )
    ((monomial, _),) = found.items()
    return monomial


def test_an_inverse_meets_its_matrix_only_where_nothing_else_depends_on_the_index():
    algebra, A, inverse, x = _matrix_and_inverse()
    meeting = _term(algebra, (inverse, (-1, 0), 1), (A, (0, -2), 1), bound={0: N})
    assert algebra.normal({meeting: Fraction(1)}) == algebra.factor(
        algebra.intern("delta", "", (N, N)), (-1, -2)
    )
    for factors in (
        [(inverse, (-1, 0), 1), (A, (0, -2), 1), (x, (0,), 1)],
        [(inverse, (-1, 0), 1), (A, (-2, 0), 1)],
        [(inverse, (-1, 0), 1), (A, (0, -2), 2)],
        [(inverse, (-1, 0), 2), (A, (0, -2), 1)],
        [(inverse, (-1, 0), 1), (A, (0, 0), 1)],
    ):
        term = _term(algebra, *factors, bound={0: N})
        assert algebra.step(term) is None
    elementwise = _term(algebra, (inverse, (-1, -2), 1), (A, (-1, -2), 1), bound={})
    assert algebra.step(elementwise) is None


def test_an_equation_without_a_left_side_makes_no_rule():
    algebra, A, _, x = _matrix_and_inverse()
    delta = algebra.factor(algebra.intern("delta", "", (N, N)), (-1, -2))
    assert oriented("nothing", algebra.add(delta, number(-1))) is None
    assert oriented("nothing", number(1)) is None
    # x_i = A_jk has no monomial with all three indices.
    one, other = algebra.factor(x, (-3,)), algebra.factor(A, (-1, -2))
    assert oriented("nothing", algebra.add(one, scaled(other, Fraction(-1)))) is None
    # x = x² x would run in circles.
    square = algebra.factor(x, (-1,), 2)
    rule = oriented("powers", algebra.add(square, scaled(algebra.factor(x, (-1,)), Fraction(-1))))
    assert rule is not None
    ((factor),) = rule.left.factors
    assert factor.exponent == 2


def test_a_rule_takes_no_more_than_is_there():
    algebra, _, _, x = _matrix_and_inverse()
    square, once = algebra.factor(x, (-1,), 2), algebra.factor(x, (-1,))
    rule = oriented("powers", algebra.add(square, scaled(once, Fraction(-1))))
    assert rule is not None
    assert find(rule, _term(algebra, (x, (-1,), 3), bound={})) is not None
    assert find(rule, _term(algebra, (x, (-1,), 1), bound={})) is None
    assert find(rule, _term(algebra, (x, (-1,), Fraction(5, 2)), bound={})) is None
    assert find(rule, _term(algebra, (x, (-1,), -2), bound={})) is None


def test_the_evaluator_can_say_no():
    numbers = Field()
    case = Case(lambda x: x, lambda x: x, {"x": "n"})
    algebra = Algebra(budget=100)
    x = algebra.factor(algebra.intern("tensor", "x", (N,), places=(0,), rank=1), (-1,))
    values = {"x": np.array([1, 2, 3], dtype=object)}
    one, other = _values(numbers, case, [x, scaled(x, Fraction(2))], values, {"n": 3})
    assert not numbers.same(one, other)
    assert set(inputs()) >= {"A", "x"}
