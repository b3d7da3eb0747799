"""Right candidates are never wrong, wrong ones never pass: through the public `check`."""

import math
import sys

import numpy as np
import pytest
from array_api_compat import array_namespace

from verimath import AtMost, Claim, Domain, Equal, check, numeric, reals
from verimath.claims.autograd import mean_square, sum_of_squares, summed_product
from verimath.claims.linear_systems import tour_group
from verimath.claims.networks import mlp_collapse
from verimath.claims.regression import linear_regression
from verimath.report.record import Status


def verdicts(claim, function, **options):
    route = numeric("mine", function)
    options = {"backend": "numpy", "examples": 12, **options}
    (record,) = check(claim, route, **options).claims
    return [verdict for verdict in record.verdicts if verdict.route == "mine"]


def right(x):
    return np.asarray(4 / x.size * (x + 1), x.dtype)


def one_element_off(relative):
    def candidate(x):
        result = right(x).copy()
        result.flat[0] *= result.dtype.type(1 + relative)
        return result

    return candidate


def sums(X):
    return X.sum(axis=1)[None, :] + X.sum(axis=0)[:, None]


def by_fsum(X):
    rows, columns = ([math.fsum(v) for v in a] for a in (X, X.T))
    return np.array([[r + c for r in rows] for c in columns], X.dtype).reshape(X.shape)


def normal_equations(X, w, b, y):
    n = len(y)
    dw = (X.T @ X) @ w / n + X.T.sum(axis=1, keepdims=True) * b / n - X.T @ y[:, None] / n
    return dw, X.mean(axis=0) @ w + b - y.mean()


@pytest.mark.parametrize(
    ("claim", "function"),
    [
        (mean_square, lambda x: 4 * x / x.size + 4 / x.size),
        (mean_square, lambda x: (2 * x + 2) * (2 / x.size)),
        (mean_square, lambda x: (x + 1) * (1 / x.size) * 4),
        (sum_of_squares, lambda x: 3 * x - x),
        (summed_product, lambda X: sums(X[::-1, ::-1])[::-1, ::-1]),
        (summed_product, lambda X: X.T @ np.ones_like(X) + np.ones_like(X) @ X.T),
        (summed_product, by_fsum),
        (linear_regression, normal_equations),
        (mlp_collapse[3], lambda X, A, B, C, D: (X @ A) @ (B @ (C @ D))),
        (tour_group, lambda x: x - np.array([16, 22], x.dtype)),
    ],
)
def test_a_rewritten_candidate_is_not_wrong(claim, function):
    for verdict in verdicts(claim, function):
        assert verdict.status in (Status.PASS, Status.LESS_ACCURATE), verdict.reason


def test_multiplied_out_squares_are_wrong_where_they_cancel():
    """Differences of 1 about 2^26 have the square 1 to 9 digits; multiplied out, it is noise."""

    def squared_distance(a, b):
        return array_namespace(a).sum((a - b) ** 2)

    claim = Claim(
        id="squared-distance",
        title="t",
        source="s",
        domain=Domain(a=reals("n"), b=reals("n")),
        statement=Equal(left=squared_distance, right=squared_distance),
    )
    for verdict in verdicts(claim, lambda a, b: a @ a - 2 * (a @ b) + b @ b):
        assert (verdict.status, verdict.defect) == (Status.WRONG, "value")
    for verdict in verdicts(claim, lambda a, b: (a - b) @ (a - b)):
        assert verdict.status is Status.PASS


@pytest.mark.parametrize(
    ("claim", "function", "defect"),
    [
        (mean_square, lambda x: 2 * right(x), "value"),
        (mean_square, lambda x: -right(x), "value"),
        (mean_square, lambda x: 4 * (x + 1), "value"),
        (mean_square, lambda x: 0 * x, "value"),
        (mean_square, lambda x: right(x) * (2 if 1 in x.shape else 1), "value"),
        (mean_square, one_element_off(1e-6), "value"),
        (mean_square, lambda x: np.where(x == x, right(x), right(x)) + np.inf * (x == x), None),
        (mean_square, lambda x: right(x)[None], "shape"),
        (mean_square, lambda x: (right(x), right(x)), "shape"),
        (mean_square, lambda x: right(x) + 0j, "dtype"),
        (mean_square, lambda x: None, "raises"),
        (mean_square, lambda x: 1.0, "raises"),
        (mean_square, lambda x: sys.exit(0), "raises"),
        (sum_of_squares, lambda x: x, "value"),
        (sum_of_squares, lambda x: np.multiply(x, 2, out=x), "mutates_input"),
        (summed_product, lambda X: sums(X.T), "value"),
        (summed_product, lambda X: sums(X).tolist(), "raises"),
        (summed_product, lambda X: X.sum(axis=1)[None, :], None),
        (summed_product, lambda X: sums(X) if X.size else np.zeros(0, X.dtype), "shape"),
        (linear_regression, lambda X, w, b, y: normal_equations(X, w, b, y)[:1], "shape"),
        (mlp_collapse[3], lambda X, *W: 0.999 * np.linalg.multi_dot([X, *W]), "value"),
    ],
)
def test_a_wrong_candidate_is_found_out(claim, function, defect):
    found = verdicts(claim, function, dtype="float64")
    assert [v.status in (Status.WRONG, Status.ERROR) for v in found] == [True]
    assert defect is None or found[0].defect == defect


def test_an_element_off_by_1e_12_is_wrong_in_float64():
    (verdict,) = verdicts(mean_square, one_element_off(1e-12), dtype="float64")
    assert verdict.status is Status.WRONG


def test_a_candidate_wrong_only_in_float32_is_wrong_there_alone():
    found = verdicts(mean_square, lambda x: right(x) * x.dtype.type(1 + (x.itemsize == 4) * 1e-3))
    assert [v.status for v in found] == [Status.PASS, Status.WRONG, Status.PASS]
    found = verdicts(mean_square, lambda x: right(x.astype(np.float64)))
    assert [(v.status, v.defect) for v in found][1] == (Status.WRONG, "dtype")


def equal(function, **inputs):
    statement = Equal(left=function, right=function)
    return Claim(id="c", title="t", source="s", domain=Domain(**inputs), statement=statement)


def test_a_pole_among_the_examples_leaves_the_others_decided():
    found = verdicts(equal(lambda x: 1 / x, x=reals("")), lambda x: 1 / x, examples=40)
    assert [v.status for v in found] == [Status.PASS] * 3
    (record,) = check(equal(lambda x: 1 / x, x=reals("")), backend="numpy", examples=40).claims
    assert {v.status for v in record.verdicts} == {Status.PASS}


def test_what_is_wrong_once_and_right_again_is_called_nondeterministic():
    calls = iter(range(10**6))

    def wrong_at_first(x):
        return 2 * x if next(calls) else 3 * x + 1

    (verdict,) = verdicts(sum_of_squares, wrong_at_first, dtype="float64")
    assert (verdict.status, verdict.defect) == (Status.WRONG, "nondeterministic")
    assert (verdict.reason or "").startswith("wrong at first, pass when called again: the result")


def test_an_input_reinterpreted_in_place_counts_as_changed():
    def reinterpreted(x):
        result = 2 * x
        x.dtype = np.int64
        return result

    (verdict,) = verdicts(sum_of_squares, reinterpreted, dtype="float64")
    assert (verdict.status, verdict.defect) == (Status.WRONG, "mutates_input")


def test_no_exception_of_a_candidate_escapes():
    class Escape(BaseException):
        pass

    def escaping(x):
        raise Escape("gone")

    (verdict,) = verdicts(sum_of_squares, escaping, dtype="float64")
    assert (verdict.status, verdict.reason) == (Status.ERROR, "Escape: gone")


def test_a_number_without_axes_can_be_shrunk():
    claim = equal(lambda x: x * x, x=reals(""))
    for verdict in verdicts(claim, lambda x: np.where(x > 2, x, x * x).astype(x.dtype)):
        assert verdict.status is Status.WRONG
        assert verdict.counterexample is not None


def test_a_bound_that_is_broken_is_wrong_on_every_route():
    domain = Domain(x=reals("n", min_value=-1, max_value=1))
    statement = AtMost(of=lambda x: x * x, bound=0.99)
    claim = Claim(id="c", title="t", source="s", domain=domain, statement=statement)
    assert [v.status for v in verdicts(claim, lambda x: x * x)] == [Status.WRONG] * 3


def squares(v):
    return v * v


SQUARES = Claim(
    id="squares",
    title="Squares",
    source="test",
    domain=Domain(v=reals("n")),
    statement=Equal(left=squares, right=squares),
)


def test_an_overflow_error_is_right_where_the_result_overflows():
    raised = []

    def number_by_number(v):
        try:
            return np.array([float(x) ** 2 for x in v], v.dtype)
        except OverflowError:
            raised.append(v)
            raise

    (verdict,) = verdicts(SQUARES, number_by_number, dtype="float64", examples=80)
    assert verdict.status is Status.PASS, verdict.reason
    assert raised
    assert verdict.elements


def soft(x):
    xp = array_namespace(x)
    return x + xp.log1p(xp.exp(-x))


SOFTPLUS = Claim(
    id="softplus-of-large-numbers",
    title="log(1 + exp(x)) of large numbers",
    source="test",
    domain=Domain(x=reals("n", 700, 800)),
    statement=Equal(left=soft, right=soft),
)


def test_an_overflow_error_on_the_way_to_a_number_is_an_error():
    def naive(x):
        return np.array([math.log(1 + math.exp(v)) for v in x], x.dtype)

    (verdict,) = verdicts(SOFTPLUS, naive, dtype="float64")
    assert verdict.status is Status.ERROR
    assert "OverflowError" in verdict.reason
