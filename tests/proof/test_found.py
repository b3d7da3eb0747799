"""What an adversary once got a label for: claims that are false, or true under a condition."""

import math
import re
from fractions import Fraction
from math import pi

import pytest
from array_api_compat import array_namespace as ns
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from verimath import (
    AtMost,
    Claim,
    ClaimError,
    Domain,
    Equal,
    Gradient,
    distinct,
    given,
    induction,
    integers,
    labels,
    masks,
    nonzero,
    positive,
    reals,
    simplex,
)
from verimath.formula.literals import read_literal
from verimath.proof.ladder import climbed
from verimath.reference.prepare import prepare, rank_choices


def proof(statement, **inputs):
    claim = Claim(id="x", title="x", source="x", domain=Domain(**inputs), statement=statement)
    return climbed(prepare(claim, dict(ranks)) for ranks in rank_choices(claim.domain))


def equal(left, right, **inputs):
    return proof(Equal(left=left, right=right), **inputs)


def number(mask, x):
    return ns(x).astype(mask, x.dtype)


def diagonal_of_quotients(y):
    """1 / (y + n)^2, as the diagonal of a product of 1 / (y + n) along both axes."""
    r = 1 / (y + y.shape[0])
    return ns(y).linalg.diagonal(r[:, None] * r[None, :])


def true_up_to_two(y):
    n = y.shape[0]
    return y**2 + 2 * y * n + 3 * n - 2  # (y + n)^2 - (n - 1) (n - 2)


def matches_in_the_second_row(x):
    xp, n = ns(x), x.shape[0]
    place = xp.arange(n)
    rows = xp.reshape(xp.broadcast_to(place[:, None], (n, 3)), (3, n))
    return xp.sum(number(rows == place[None, :], x)[1, :])


def coefficients(a, b):
    s, gap, q = a + b, (a + b) ** 2 / 4 - a * b, 2 + 3 * (a + b) / 2 + (a + b) ** 2 / 4
    return (-3 * gap + q * s / 2 - s * gap / 2) / 2, (gap + q) / 2, q


def picked_denominators(c, x, y):
    """(p + q n) (1 / (a + n) + 1 / (b + n)), b picked from a; a constant at n = 1 and 2 alone."""
    n, below = x.shape[0], 1 / (c + x.shape[0])
    p, q, _ = coefficients(c, ns(c).take(c, y))
    return (p + q * n) * (below + ns(c).take(below, y))


SMALL_SIZES_ALONE = {
    "labels of one class": lambda: equal(
        lambda x, y: number(y, x),
        lambda x, y: 0 * number(y, x),
        x=reals("n"),
        y=labels("m", classes="n"),
    ),
    "equal labels of one class": lambda: equal(
        lambda x, y: number(y[:, None] == y[None, :], x),
        lambda x, y: ns(x).ones_like(number(y[:, None] == y[None, :], x)),
        x=reals("n"),
        y=labels("m", classes="n"),
    ),
    "a diagonal of quotients": lambda: equal(
        lambda y: diagonal_of_quotients(y) * true_up_to_two(y), ns_ones, y=reals("n")
    ),
    "positions in another order": lambda: equal(
        matches_in_the_second_row, lambda x: x.shape[0] + 0 * ns(x).sum(x), x=reals("n")
    ),
    "denominators that labels pick": lambda: equal(
        picked_denominators,
        lambda c, x, y: coefficients(c, ns(c).take(c, y))[2] + 0 * c,
        c=reals("3"),
        x=reals("n"),
        y=labels("3", classes=3),
    ),
    "the first two places": lambda: equal(
        lambda x: x * number(ns(x).arange(x.shape[0]) < 2, x), lambda x: x, x=reals("n")
    ),
    "nested roots of sizes": lambda: equal(
        lambda x: ns(x).sqrt(ns(x).sqrt(0 * x + x.shape[0] ** 3)),
        lambda x: ns(x).sqrt(
            ns(x).sqrt(0 * x + 6 * x.shape[0] ** 2 - 11 * x.shape[0] + 6)  # n^3 for n up to 3
        ),
        x=reals("n"),
    ),
}


def ns_ones(x):
    return ns(x).ones_like(x)


@pytest.mark.parametrize("name", SMALL_SIZES_ALONE)
def test_what_holds_at_small_sizes_alone_is_refuted(name):
    assert SMALL_SIZES_ALONE[name]().label == "refuted"


def test_an_ignored_label_is_one_of_the_labels():
    found = equal(
        lambda x, y: number(y >= 0, x),
        lambda x, y: ns(x).ones_like(x),
        x=reals("n"),
        y=labels("n", classes=3, ignore_index=-1),
    )
    assert found.label == "refuted"


def test_labels_that_are_all_looked_at_have_a_bound():
    found = equal(
        lambda x, y: number(y * (y - 1), x),
        lambda x, y: 0 * x,
        x=reals("n"),
        y=labels("n", classes=2),
    )
    assert found.label == "all_shapes_randomised"


def test_an_index_beyond_its_axis_is_no_crash():
    found = equal(
        lambda x, y: ns(x).take(x, y),
        lambda x, y: -ns(x).take(x, y),
        x=reals("3"),
        y=labels("n", classes=3, ignore_index=-100),
    )
    assert found.label == "refuted"


ALWAYS_TIED = {
    "strict": (lambda x: x + 1 > 1 + x, lambda x: ns(x).ones_like(x) / 2),
    "not strict": (lambda x: x + 1 >= 1 + x, lambda x: number(x + 1 > 1 + x, x)),
    "sin and cos": (
        lambda x: ns(x).sin(x) ** 2 + ns(x).cos(x) ** 2 > 1,
        lambda x: ns(x).ones_like(x) / 2,
    ),
}


@pytest.mark.parametrize("name", ALWAYS_TIED)
def test_a_comparison_of_equal_numbers_is_no_half(name):
    mask, other = ALWAYS_TIED[name]
    found = equal(lambda x: number(mask(x), x), other, x=reals("n"))
    assert found.label == "none"
    assert "kink" in found.finding


def test_every_number_is_compared_with_itself():
    found = equal(
        lambda x: number(x[:, None] > x[None, :], x) + number(x[None, :] > x[:, None], x),
        lambda x: ns(x).ones_like(x[:, None] * x[None, :]),
        x=reals("n"),
    )
    assert found.label == "none"


def test_given_numbers_and_row_sums_may_be_kinks():
    for spec in (given([0.0, 1.0]), simplex("2")):
        total = (lambda x: x) if spec.values is not None else (lambda x: ns(x).sum(x) - 1)
        found = equal(
            lambda x, t=total: number(t(x) > 0, x), lambda x, t=total: number(t(x) >= 0, x), x=spec
        )
        assert found.label == "none"


def test_a_comparison_of_two_inputs_is_off_its_kink():
    found = equal(
        lambda x, y: number(x > y, x) + number(y > x, x),
        lambda x, y: ns(x).ones_like(x),
        x=reals("n"),
        y=reals("n"),
    )
    assert found.label.startswith("all_shapes")
    assert "off the kinks" in found.hypotheses


def test_given_constants_are_not_their_factors():
    assert equal(lambda x: x, lambda x: 0 * x + pi, x=given([pi])).label == "none"
    for value, bound in ((pi, 2.0), (2**0.5, 1.1), (3.0, pi)):
        assert proof(AtMost(of=lambda x: x, bound=bound), x=given([value])).label == "none"
    assert proof(AtMost(of=lambda x: x, bound=3.1), x=given([3.0])).label == "exact_at_shapes"


# True on these domains; what is not in them is no counterexample.
INSIDE = {
    "between two numbers of different sign": (0.7, nonzero("n", -0.5, 0.5)),
    "up to zero": (0.7, nonzero("n", max_value=0)),
    "distinct": (1.0, distinct("n", 0, 1)),
    "distinct and below": (1.0, distinct("n", max_value=1)),
}


@pytest.mark.parametrize("name", INSIDE)
def test_counterexamples_are_in_the_domain(name):
    top, spec = INSIDE[name]
    found = equal(lambda x: ns(x).maximum(x, top), lambda x: 0 * x + top, x=spec)
    assert found.label == "none"


def test_a_range_begins_at_the_decimal_that_was_written():
    found = equal(lambda x: ns(x).maximum(x, 0.3), lambda x: x, x=reals("n", 0.3))
    assert found.label == "none"


def test_what_an_inverse_function_is_defined_for_is_printed():
    found = equal(lambda x: ns(x).asin(2 + x), lambda x: ns(x).asin(x + 2), x=reals("n"))
    assert found.hypotheses == ("asin is of numbers that it is defined for",)


ROOTS, LOGS = "square roots are of positive numbers", "logarithms are of positive numbers"
CONDITIONAL = {
    "a root squared": (lambda x: ns(x).sqrt(x) ** 2, lambda x: x, ROOTS),
    "exp of log": (lambda x: ns(x).exp(ns(x).log(x)), lambda x: x, LOGS),
    "exp of twice log": (lambda x: ns(x).exp(2 * ns(x).log(x)), lambda x: x * x, LOGS),
    "exp of log1p": (lambda x: ns(x).exp(ns(x).log1p(x)), lambda x: 1 + x, LOGS),
    "a cube root": (
        lambda x: (x**3) ** (1 / 3),
        lambda x: x,
        "roots are of positive numbers",
    ),
}


@pytest.mark.parametrize("name", CONDITIONAL)
def test_a_condition_that_cancels_is_printed(name):
    left, right, condition = CONDITIONAL[name]
    found = equal(left, right, x=reals("n"))
    assert found.label.startswith("all_shapes")
    assert condition in found.hypotheses
    # It is none where it is known to hold.
    if name == "a root squared":
        assert equal(left, right, x=positive("n")).hypotheses == ()


def test_the_gradient_of_a_step_is_zero_off_the_kinks():
    found = proof(
        Gradient(of=lambda x: ns(x).sum(number(x > 0, x)), wrt="x", equals=lambda x: 0 * x),
        x=reals("n"),
    )
    assert found.label.startswith("all_shapes")
    assert "off the kinks" in found.hypotheses


def test_the_gradient_of_what_cancels_keeps_its_condition():
    found = proof(
        Gradient(
            of=lambda x: ns(x).sum(ns(x).exp(ns(x).log(x))),
            wrt="x",
            equals=lambda x: ns(x).ones_like(x),
        ),
        x=reals("n"),
    )
    assert LOGS in found.hypotheses


def same(step, other, state, x):
    return proof(
        induction(
            left=(lambda x: x, step),
            right=(lambda x: x, other),
            relation=lambda R, x: R,
        ),
        R=state,
        x=x,
    )


def test_the_shape_of_a_state_covers_the_start():
    # R sum(R) is R R for one element.
    with pytest.raises(ClaimError, match=r"the start .* shape \(n,\), but the state .* \(1,\)"):
        same(lambda L, x: L * L, lambda R, x: R * ns(R).sum(R), reals("1"), reals("n"))
    # The mean of a square matrix's rows is taken over either size.
    with pytest.raises(ClaimError, match=r"shape \(n, d\), but the state .* \(n, n\)"):
        same(
            lambda L, x: L + ns(L).sum(L) / L.shape[0],
            lambda R, x: R + ns(R).sum(R) / R.shape[1],
            reals("n n"),
            reals("n d"),
        )


def test_the_shape_of_a_state_covers_the_step():
    with pytest.raises(ClaimError, match=r"the step on the right .* shape \(2\*n, n\)"):
        proof(
            induction(
                left=(lambda x: x, lambda L, x: ns(x).concat([L, L])),
                right=(lambda x: x, lambda R, x: ns(x).concat([R, R])),
                relation=lambda R, x: R,
            ),
            R=reals("n n"),
            x=reals("n n"),
        )


def test_what_an_induction_supposes_of_states_is_printed():
    found = same(lambda L, x: ns(L).sqrt(L * L), lambda R, x: R, positive("n"), reals("n"))
    assert 'every state R is in positive("n")' in found.hypotheses
    found = same(lambda L, x: 2 * L, lambda R, x: R + R, reals("n"), reals("n"))
    assert found.label == "all_depths"
    assert found.hypotheses == ()


def relu(x):
    return ns(x).maximum(x, 0)


WIDE_KINKS = {
    "relu": (lambda x, m: relu(x) >= 0, lambda x, m: relu(x) > 0),
    "clipped": (lambda x, m: ns(x).clip(x, -1, 1) >= 1, lambda x, m: ns(x).clip(x, -1, 1) > 1),
    "rarely": (lambda x, m: relu(9e5 - x) >= 0, lambda x, m: relu(9e5 - x) > 0),
    "two": (lambda x, m: relu(x) >= abs(x), lambda x, m: relu(x) > abs(x)),
    "max along an axis": (
        lambda x, m: ns(x).max(x, axis=0, keepdims=True) <= x,
        lambda x, m: ns(x).max(x, axis=0, keepdims=True) < x,
    ),
    "a mask": (lambda x, m: number(m, x) > 0, lambda x, m: number(m, x) >= 0),
    "one of one mask": (
        lambda x, m: number(m, x) * x > 0,
        lambda x, m: number(m, x) * x >= 0,
    ),
}


@pytest.mark.parametrize("name", WIDE_KINKS)
def test_no_half_of_the_points_is_a_kink(name):
    left, right = WIDE_KINKS[name]
    found = equal(
        lambda x, m: number(left(x, m), x),
        lambda x, m: number(right(x, m), x),
        x=reals("n"),
        m=masks("n"),
    )
    assert found.label in ("none", "refuted")


def test_a_sign_is_no_step_where_it_is_zero():
    found = equal(
        lambda x: ns(x).sign(relu(x)), lambda x: 2 * number(relu(x) > 0, x) - 1, x=reals("n")
    )
    assert found.label in ("none", "refuted")


def test_a_network_of_steps_is_off_its_kinks():
    found = equal(
        lambda x, w: number(relu(relu(x) @ w) - 1 > 0, x),
        lambda x, w: number(relu(w.T @ relu(x)) > 1, x),
        x=reals("n"),
        w=reals("n n"),
    )
    assert found.label.startswith("all_shapes")
    assert "off the kinks" in found.hypotheses


def test_what_compares_by_equality_is_refuted_where_nothing_is_equal():
    found = equal(lambda x: number(x == ns(x).max(x), x), lambda x: 0 * x + 1, x=reals("n", 0, 5))
    assert found.label == "refuted"


def test_a_point_at_which_another_element_is_nothing_is_no_counterexample():
    found = equal(lambda x: 1 / x + x, lambda x: 1 / x + 2 * x, x=reals("2", 0, 1))
    assert found.label == "refuted"
    assert " 0" not in found.finding.split("x = ")[1]


def determinant(rows):
    (a, b, c), (d, e, f), (g, h, i) = rows
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def shifted_denominators(c, x):
    """(p + q n) (1 / (a + n) + 1 / (b + n)) and s + t n: equal at n = 1, 2 and 3 alone.

    Both fractions are elements of 1 / (c + n), which stand at one place behind another array.
    """
    xp, n = ns(c), x.shape[0]
    one, below = xp.ones((1,)), 1 / (c + n)
    a, b = xp.concat([c, one]), xp.concat([one, c])
    sums = [1 / (a + k) + 1 / (b + k) for k in (1, 2, 3)]
    rows = [[total, k * total, -1, -k] for k, total in zip((1, 2, 3), sums, strict=True)]
    minors = [determinant([[*row[:j], *row[j + 1 :]] for row in rows]) for j in range(4)]
    p, q, s, t = (minor * (-1) ** j for j, minor in enumerate(minors))
    second = xp.asarray([0.0, 1.0, 0.0])
    left = (p + q * n) * (xp.concat([below, one]) + xp.concat([one, below]))
    return left * second, (s + t * n) * second


def test_denominators_that_stand_at_other_places_have_no_bound():
    found = equal(
        lambda c, x: shifted_denominators(c, x)[0],
        lambda c, x: shifted_denominators(c, x)[1],
        c=reals("2"),
        x=reals("n"),
    )
    assert found.label in ("refuted", "exact_at_shapes")


def sized(size, x):
    return ns(x).asarray(size) + 0 * x


BETWEEN_SIZES = {
    "a size and a literal": lambda x: (
        number(ns(x).asarray(x.shape[0]) < 4, x) + number(ns(x).asarray(x.shape[0]) > 4, x) + 0 * x
    ),
    "with a zero beside it": lambda x: (
        number(sized(x.shape[0], x) < 4, x) + number(sized(x.shape[0], x) > 4, x)
    ),
    "a size in a factor": lambda x: ns(x).sign(x * (x.shape[0] - 7)) ** 2,
}


@pytest.mark.parametrize("name", BETWEEN_SIZES)
def test_sizes_at_which_every_point_is_a_kink_are_not_left_out(name):
    found = equal(BETWEEN_SIZES[name], lambda x: ns(x).ones_like(x), x=reals("n"))
    assert found.label == "none"
    assert "comparison is between" in found.finding


QUOTIENTS = "denominators are not zero"
CANCELLED = {
    "the inverse of an inverse": (lambda x: (x**-1) ** -1, lambda x: x),
    "an inverse to the power zero": (lambda x: (x**-1) ** 0, ns_ones),
    "the inverse of an inverse square": (lambda x: (x**-2) ** -1, lambda x: x * x),
}


@pytest.mark.parametrize("name", CANCELLED)
def test_a_denominator_that_cancels_is_printed(name):
    left, right = CANCELLED[name]
    assert equal(left, right, x=reals("n")).hypotheses == (QUOTIENTS,)


def test_a_slope_is_claimed_where_the_function_is_defined_alone():
    def slope(of, equals):
        return proof(Gradient(of=of, wrt="x", equals=equals), x=reals("n"))

    found = slope(lambda x: ns(x).sum(ns(x).acosh(x)), lambda x: 1 / ns(x).sqrt(x * x - 1))
    assert "acosh is of numbers that it is defined for" in found.hypotheses
    found = slope(lambda x: ns(x).sum(ns(x).atanh(x)), lambda x: 1 / (1 - x * x))
    assert "atanh is of numbers that it is defined for" in found.hypotheses


def column_sums(X):
    return ns(X).sum(X, axis=0)


def sized_steps(relation):
    """L_1 is d s, R_1 is n s for the sums s over columns of an n by d matrix."""
    return proof(
        induction(
            left=(column_sums, lambda L, X: L * L.shape[0]),
            right=(column_sums, lambda R, X: R * X.shape[0]),
            relation=relation,
        ),
        R=reals("n"),
        X=reals("n d"),
    )


def test_inputs_whose_shapes_the_states_leave_are_new_ones():
    assert sized_steps(lambda R, X: R).hypotheses == ("a new X comes with every step",)
    found = sized_steps(lambda R, X: R + 0 * ns(X).sum(X))
    assert found.label == "none"
    assert "the relation takes X" in found.finding


def test_what_the_relation_takes_is_the_same_at_every_step():
    # L_k is the sum of k + 1 vectors, which is k + 1 times one of them only if they are the same.
    found = proof(
        induction(
            left=(lambda w: w, lambda L, w: L + w),
            right=(lambda w: ns(w).ones(()), lambda R, w: R + 1),
            relation=lambda R, w: R * w,
        ),
        R=reals(),
        w=reals("n"),
    )
    assert found.label == "all_depths"
    assert found.hypotheses == ("w is the same at every step",)


def test_sizes_of_a_state_are_bound_together():
    with pytest.raises(ClaimError, match=r"shape \(2\*n, m\), but the state .* \(2\*n, n\)"):
        proof(
            induction(
                left=(lambda x, y: x, lambda L, x, y: L),
                right=(lambda x, y: x, lambda R, x, y: R),
                relation=lambda R, x, y: R,
            ),
            R=reals("2*n n"),
            x=reals("2*n m"),
            y=reals("n"),
        )


def test_a_determinant_per_matrix_is_a_number():
    found = equal(
        lambda x: ns(x).sin(ns(x).linalg.det(x)),
        lambda x: ns(x).cos(ns(x).linalg.det(x)),
        x=reals("m n n"),
    )
    assert found.label == "refuted"
    found = equal(
        lambda x: ns(x).linalg.det(x) ** 2,
        lambda x: ns(x).linalg.det(ns(x).matmul(x, x)),
        x=reals("2 3 3"),
    )
    assert found.label == "exact_at_shapes"


def test_a_sum_of_nothing_is_a_number():
    found = equal(
        lambda x: ns(x).sin(ns(x).sum(x[1:])),
        lambda x: ns(x).cos(ns(x).sum(x[1:])),
        x=reals("n"),
    )
    assert found.label == "refuted"


def test_what_exponents_stand_for_is_printed():
    found = equal(lambda x: (x ** (1 / 3)) ** 3, lambda x: x, x=positive("n"))
    assert found.hypotheses == ("the exponent 0.3333333333333333 stands for 1/3",)


@pytest.mark.parametrize(
    ("exponent", "meant"), [(2.0000000000000004, "2"), (1 - 1 / 3, "2/3"), (0.1 + 0.2, "3/10")]
)
def test_an_exponent_that_only_rounding_keeps_from_a_simple_one_is_refused(exponent, meant):
    # As 2 it would be another function than the one that runs; as itself, the derivative of
    # x**p would not be p * x**(p - 1), since the factor is read to two ulp.
    with pytest.raises(ClaimError) as refused:
        equal(lambda x: x**exponent, lambda x: x**exponent, x=positive("n"))
    assert f"the exponent {exponent!r} is {meant} but for rounding; write {meant}" in str(
        refused.value
    )


def test_a_proof_is_about_finite_numbers():
    found = equal(lambda x: x - x, lambda x: ns(x).zeros_like(x), x=reals("n", allow_nan=True))
    assert found.hypotheses == ("x is finite",)


# An inverse is there nowhere, or nowhere but at the smallest size.
NOWHERE = {
    "of an odd skew matrix": (lambda A: A - A.T, "3 3"),
    "of a matrix of rank one": (lambda A: A[:, :1] * A[:1, :], "n n"),
}


@pytest.mark.parametrize("name", NOWHERE)
def test_nothing_is_proved_of_what_is_defined_nowhere(name):
    singular, shape = NOWHERE[name]
    found = equal(
        lambda A: ns(A).linalg.solve(singular(A), singular(A)),
        lambda A: ns(A).eye(A.shape[0]),
        A=reals(shape),
    )
    assert found.label == "none"
    assert "no point was found" in found.finding


def test_nothing_is_proved_at_a_shape_without_values():
    found = equal(
        lambda x: ns(x).take(x, ns(x).arange(2) - 1),
        lambda x: ns(x).take(x, ns(x).arange(2) - 1),
        x=reals("3"),
    )
    assert found.label == "none"


def seventh(strict, x, y):
    z = ns(x).astype(y, x.dtype)
    return number(z > 7 if strict else z >= 7, x)


@pytest.mark.parametrize("seed", range(4))
def test_every_label_is_tried_where_it_is_compared_as_a_real_number(seed):
    claim = Claim(
        id="x",
        title="x",
        source="x",
        domain=Domain(x=reals("n"), y=labels("n", classes=10)),
        statement=Equal(
            left=lambda x, y: seventh(True, x, y), right=lambda x, y: seventh(False, x, y)
        ),
    )
    assert climbed([prepare(claim, {})], seed=seed).label == "none"


def test_whole_numbers_that_are_too_many_are_no_real_numbers():
    for spec in (integers("n", 0, 1000), integers("n"), labels("n", classes=100)):
        found = equal(
            lambda x, y: seventh(True, x, y),
            lambda x, y: seventh(False, x, y),
            x=reals("n"),
            y=spec,
        )
        assert found.label == "none"
        assert "too many to look at" in found.finding


def zero_where_defined(x):
    return ns(x).sqrt(x) - ns(x).sqrt(x)


ZERO_IN_DISGUISE = {
    "a singular matrix": (lambda A: ns(A).linalg.det(A - A.T), "3 3"),
    "what is defined at some points": (zero_where_defined, "n"),
}


@pytest.mark.parametrize("name", ZERO_IN_DISGUISE)
def test_zero_in_disguise_is_seen_where_it_is_compared(name):
    zero, shape = ZERO_IN_DISGUISE[name]
    found = equal(
        lambda x: number(zero(x) > 0, x), lambda x: number(zero(x) >= 0, x), x=reals(shape)
    )
    assert found.label == "none"


def test_functions_that_have_values_at_small_numbers_alone_may_be_compared():
    found = equal(
        lambda x: number(ns(x).asin(x) > 0, x),
        lambda x: number(ns(x).asin(x) >= 0, x),
        x=reals("n"),
    )
    assert found.label.startswith("all_shapes")


TRUE_WHERE_DEFINED = {
    "a root squared": lambda x: ns(x).sqrt(x) ** 2,
    "a power of one half squared": lambda x: (x**0.5) ** 2,
    "exp of log": lambda x: ns(x).exp(ns(x).log(x)),
    "a reciprocal of reciprocals of a root": lambda x: ((x**-0.5) ** -1) ** 2,
}


@pytest.mark.parametrize("name", TRUE_WHERE_DEFINED)
def test_points_at_which_something_cancelled_has_no_value_refute_nothing(name):
    found = equal(TRUE_WHERE_DEFINED[name], lambda x: abs(x), x=reals("n"))
    assert found.label != "refuted"
    # There is one where all is defined.
    assert equal(TRUE_WHERE_DEFINED[name], lambda x: -abs(x), x=reals("n")).label == "refuted"


def test_a_slope_is_refuted_where_the_function_is_defined_alone():
    def slope(sign):
        return proof(
            Gradient(
                of=lambda x: ns(x).sum(ns(x).acosh(x)),
                wrt="x",
                equals=lambda x: sign(x) / ns(x).sqrt(x * x - 1),
            ),
            x=reals("n"),
        ).label

    assert slope(lambda x: x / abs(x)) != "refuted"
    assert slope(lambda x: -x / abs(x)) == "refuted"


def test_no_bound_is_exceeded_where_nothing_is_defined():
    found = proof(AtMost(of=lambda x: ns(x).sqrt(x) ** 2 - abs(x), bound=1), x=reals("n"))
    assert found.label == "none"


TWO_ULP = 2.0000000000000004  # the next number after two


def test_a_literal_that_is_read_to_two_ulp_is_printed():
    found = equal(lambda x: TWO_ULP * x, lambda x: 2 * x, x=reals("n"))
    assert found.label == "all_shapes_derivation"
    assert found.hypotheses == ("the literal 2.0000000000000004 stands for 2",)


@settings(max_examples=60, deadline=None)
@drawn(
    st.sampled_from([math.pi, math.e, 1 / 3, 2.0, math.sqrt(2), 0.1, 1e-5, 1e300]),
    st.integers(-3, 3),
)
def test_a_reading_shows_the_float_that_was_written(near, ulps):
    written = near + ulps * math.ulp(near)
    found = equal(lambda x: written * x, lambda x: x * written, x=reals("n"))
    read = read_literal(written)
    itself = read.is_rational and read.factor == Fraction(written)
    assert len(found.hypotheses) == (0 if itself else 1)
    for text in found.hypotheses:
        shown, meant = re.fullmatch(r"the literal (\S+) stands for (\S+)", text).groups()
        assert (float(shown), meant) == (written, str(read))


def test_whole_numbers_and_fractions_are_what_they_are():
    huge, third = 2**60 + 1, Fraction(1, 3)
    assert equal(lambda x: huge * x, lambda x: x * huge, x=reals("n")).hypotheses == ()
    assert equal(lambda x: third * x, lambda x: x * third, x=reals("n")).hypotheses == ()


def test_values_that_differ_are_shown_with_digits_that_do():
    near = 3.141592653589795  # not within two ulp of pi
    found = equal(lambda x: near * x, lambda x: math.pi * x, x=reals("n"))
    assert found.label == "refuted"
    one, other = re.search(r"is (\S+) on one side and (\S+) on the other", found.finding).groups()
    assert float(one) > float(other)


def test_what_given_numbers_stand_for_is_printed():
    found = equal(lambda x: 3 * x, ns_ones, x=given([0.3333333333333333]))
    assert found.hypotheses == ("the number 0.3333333333333333 of x stands for 1/3",)
    found = proof(AtMost(of=lambda x: x, bound=1), x=given([1.0000000000000002]))
    assert found.hypotheses == ("the number 1.0000000000000002 of x stands for 1",)
    # A decimal is what was printed.
    assert equal(lambda x: 10 * x, ns_ones, x=given([0.1])).hypotheses == ()


def test_nothing_is_within_a_bound_that_has_no_value():
    for of, value in ((lambda x: ns(x).sqrt(x) ** 2, -1.0), (lambda x: (x**-1) ** -1, 0.0)):
        for bound in (1, 0):
            found = proof(AtMost(of=of, bound=bound), x=given([value]))
            assert found.label == "none"
            assert "no value" in found.finding
        assert proof(AtMost(of=of, bound=2), x=given([2.0])).label == "exact_at_shapes"


PLACES = "indices within their axes"
INDEXED = {
    "one of them ignored": (labels("n", classes=3, ignore_index=-1), (PLACES,)),
    "one class too many": (labels("n", classes=4), (PLACES,)),
    "one number too many": (integers("n", 0, 3), (PLACES,)),
    "a negative number": (integers("n", -1, 2), (PLACES,)),
    "any numbers": (integers("n"), (PLACES,)),
    "as many as other sizes say": (labels("n", classes="n"), (PLACES,)),
    "all classes": (labels("n", classes=3), ()),
    "fewer classes": (labels("n", classes=2), ()),
    "all numbers": (integers("n", 0, 2), ()),
}


@pytest.mark.parametrize("name", INDEXED)
def test_indices_that_may_be_outside_are_a_hypothesis(name):
    spec, wanted = INDEXED[name]
    found = equal(
        lambda c, y: ns(c).take(c, y),
        lambda c, y: number(y[:, None] == ns(c).arange(3)[None, :], c) @ c,
        c=reals("3"),
        y=spec,
    )
    assert found.label == "all_shapes_derivation"
    assert found.hypotheses == wanted


def test_indices_that_are_computed_are_within_their_axes_by_their_ends():
    def taken(index, spec, shape="m + 1"):
        return equal(
            lambda c, y: 2 * ns(c).take(c, index(c, y)) / 2,
            lambda c, y: ns(c).take(c, index(c, y)),
            c=reals(shape.replace(" ", "")),
            y=spec,
        ).hypotheses

    classes = labels("n", classes="m")
    assert taken(lambda c, y: y + 1, classes) == ()
    assert taken(lambda c, y: y + 2, classes) == (PLACES,)
    assert taken(lambda c, y: -y, classes) == (PLACES,)
    assert taken(lambda c, y: c.shape[0] - 1 - y, classes) == ()
    assert taken(lambda c, y: c.shape[0] - y, classes) == (PLACES,)
    assert taken(lambda c, y: 2 * y + 1, classes, "2*m") == ()
    assert taken(lambda c, y: 2 * y + 2, classes, "2*m") == (PLACES,)
    assert taken(lambda c, y: y * y, classes, "m") == (PLACES,)


def same_step(difference, **inputs):
    return equal(
        lambda x: number(difference(x) > 0, x), lambda x: number(difference(x) >= 0, x), **inputs
    )


def fifth(x):
    return number(ns(x).arange(x.shape[0]) == 4, x)


# What is compared is zero at every point from some size on, or at one size, and not at small ones.
ZERO_AT_LARGER_SIZES = {
    "a rank": (lambda x: ns(x).linalg.det(x @ x.T), "n 2"),
    "a rank that has a name": (lambda x: ns(x).linalg.det(x @ x.T), "n m"),
    "a count": (lambda x: x * (ns(x).sum(ns(x).ones_like(x)) - 7), "n"),
    "a trace": (lambda x: x * (ns(x).linalg.trace(ns(x).eye(x.shape[0])) - 7), "n"),
    "a position": (lambda x: x * (1 - ns(x).sum(fifth(x))), "n"),
    "a product": (lambda x: ns(x).prod(x * (1 - fifth(x))), "n"),
}


@pytest.mark.parametrize("name", ZERO_AT_LARGER_SIZES)
def test_comparisons_are_looked_at_beyond_small_sizes(name):
    difference, shape = ZERO_AT_LARGER_SIZES[name]
    found = same_step(difference, x=reals(shape))
    assert found.label == "none"
    assert "kink" in found.finding


def test_a_determinant_may_be_compared():
    found = same_step(lambda x: ns(x).linalg.det(x), x=reals("n n"))
    assert found.label == "all_shapes_derivation"


def test_a_formula_without_small_sizes_is_looked_at_where_it_has_values():
    def of_rank_one(A):
        return A[:, :1] * A[:1, :] + 0 * A[4, 4]

    found = equal(
        lambda A: ns(A).linalg.solve(of_rank_one(A), of_rank_one(A)),
        lambda A: ns(A).eye(A.shape[0]),
        A=reals("n n"),
    )
    assert found.label == "none"
    assert "no point was found" in found.finding
    assert equal(lambda x: x[9] + x, lambda x: x - x[9], x=reals("n")).label == "refuted"
    assert equal(lambda x: x[9] + x, lambda x: x + x[9], x=reals("n")).label.startswith("all_")


LONG = {
    "a literal": (lambda x: x * 2**20_000, lambda x: x * 4**10_000),
    "a table": (lambda x: x * ns(x).asarray([10**5000]), lambda x: x * ns(x).asarray([10**5000])),
    "a fraction": (lambda x: x * Fraction(1, 10**5000), lambda x: x / 10**5000),
    "a power of two": (lambda x: (0 * x + 2) ** 10**9 / 2, lambda x: (0 * x + 2) ** (10**9 - 1)),
    "a square root of two": (
        lambda x: ns(x).sqrt(0 * x + 2) ** 10**9 / 2,
        lambda x: ns(x).sqrt(0 * x + 2) ** (10**9 - 2),
    ),
}


@pytest.mark.parametrize("name", LONG)
def test_numbers_of_many_digits_are_no_crash(name):
    left, right = LONG[name]
    assert equal(left, right, x=reals("n")).label in ("none", "all_shapes_randomised")


def test_a_difference_that_no_decimal_holds_is_no_crash():
    def squares(x):
        for _ in range(60):
            x = x * x + 1
        return x

    assert equal(squares, lambda x: x, x=reals("n", 1, 2)).label in ("none", "refuted")


def test_whole_numbers_beyond_floats_are_themselves():
    found = equal(lambda x: x * 10**400, lambda x: 10**400 * x, x=reals("n"))
    assert found.label.startswith("all_shapes")
    assert found.hypotheses == ()


def stepped(start, left, right):
    return proof(
        induction(left=(start, left), right=(start, right), relation=lambda R, x: R),
        R=reals("n"),
        x=reals("n"),
    )


def test_states_that_are_compared_are_off_the_kinks_by_a_hypothesis_of_their_own():
    # All states are zero, where > and >= are not the same.
    found = stepped(lambda x: 0 * x, lambda L, x: number(L > 0, L), lambda R, x: number(R >= 0, R))
    assert found.label == "all_depths"
    assert "every state R is off the kinks" in found.hypotheses
    # Maxima are continuous, and what is compared with inputs alone is no matter of states.
    for of in (lambda L, x: ns(L).maximum(L, 0), lambda L, x: L * number(x > 0, L)):
        found = stepped(lambda x: x, of, lambda R, x, of=of: 2 * of(R, x) / 2)
        assert found.label == "all_depths"
        assert "every state R is off the kinks" not in found.hypotheses


# What a formula has in it on both sides, and what that needs; nothing needs nothing.
NEEDED = {
    "a quotient of inputs": (lambda x: 1 / x, (QUOTIENTS,)),
    "a quotient of sizes": (lambda x: x / x.shape[0], ()),
    "a negative power": (lambda x: (1 + x) ** -3, (QUOTIENTS,)),
    "a negative power of a size": (lambda x: x * ns(x).asarray(x.shape[0]) ** -2, ()),
    "a positive power": (lambda x: x**3, ()),
    "a square root": (lambda x: ns(x).sqrt(1 + x), (ROOTS,)),
    "a square root of a size": (lambda x: x * ns(x).sqrt(ns(x).asarray(x.shape[0])), ()),
    "one over a square root": (lambda x: (1 + x) ** -0.5, (ROOTS,)),
    "one over a square root, squared": (lambda x: (x**-0.5) ** -2, (ROOTS, QUOTIENTS)),
    "a power of three quarters": (lambda x: (1 + x) ** 0.75, ("roots are of positive numbers",)),
    "a logarithm": (lambda x: ns(x).log(1 + x), (LOGS,)),
    "a logarithm of one more": (lambda x: ns(x).log1p(x), (LOGS,)),
    "an arcsine": (lambda x: ns(x).asin(x), ("asin is of numbers that it is defined for",)),
    "an arccosine": (lambda x: ns(x).acos(x), ("acos is of numbers that it is defined for",)),
    "an arccosh": (lambda x: ns(x).acosh(x), ("acosh is of numbers that it is defined for",)),
    "an artanh": (lambda x: ns(x).atanh(x), ("atanh is of numbers that it is defined for",)),
    "an arctangent": (lambda x: ns(x).atan(x), ()),
    "a sign": (lambda x: ns(x).sign(x), ("off the kinks",)),
    "a maximum": (lambda x: ns(x).maximum(x, 0), ("off the kinks",)),
    "a largest element": (lambda x: ns(x).max(x), ("off the kinks",)),
    "a solution": (
        lambda x: ns(x).linalg.inv(x[:, None] * x[None, :] + ns(x).eye(x.shape[0])),
        ("matrices that are inverted are invertible",),
    ),
    "a factor": (
        lambda x: ns(x).linalg.cholesky(x[:, None] * x[None, :] + ns(x).eye(x.shape[0])),
        ("matrices that are factored are positive definite",),
    ),
    "a determinant": (lambda x: ns(x).linalg.det(x[:, None] * x[None, :]), ()),
}


@pytest.mark.parametrize("name", NEEDED)
def test_what_a_formula_needs_is_printed_and_nothing_else(name):
    formula, wanted = NEEDED[name]
    found = equal(formula, lambda x: 2 * formula(x) / 2, x=reals("n"))
    assert found.label.startswith("all_shapes")
    assert found.hypotheses == wanted


def test_a_sign_is_not_zero_and_a_mask_may_be():
    def cancelled(factor):
        """What has to differ from zero, beside what is compared."""
        found = equal(
            lambda x: (1 - factor * number(x > 0, x)) * x / (1 - factor * number(x > 0, x)),
            lambda x: x,
            x=reals("n"),
        )
        assert found.label.startswith("all_shapes")
        return [text for text in found.hypotheses if "≠ 0" in text and "kinks" not in text]

    assert cancelled(2) == []
    assert cancelled(1) == ["1 - H(x_i) ≠ 0"]
    assert cancelled(-1) == []
    assert cancelled(-2) == []


def test_ties_of_real_numbers_are_no_crash():
    def chosen(x, y):
        return ns(x).where(x == y, x, y)

    found = equal(chosen, lambda x, y: chosen(x, y) + 0 * x, x=reals("n"), y=reals("n"))
    assert found.label == "none"
    assert "`==` between real numbers" in found.finding
