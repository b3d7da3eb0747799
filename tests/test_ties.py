"""At kinks and ties every subgradient is right, and nothing else is."""

import itertools

import numpy as np
import pytest
from array_api_compat import array_namespace
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from verimath import Claim, Domain, Gradient, Status, check, composites, numeric, reals, ties
from verimath.arithmetic.formats import FORMATS
from verimath.reference.prepare import prepare


def claim_of(of, equals, **inputs):
    statement = Gradient(of=of, wrt=tuple(inputs), equals=equals)
    return Claim(id="c", title="t", source="s", domain=Domain(**inputs), statement=statement)


def _sum(x):
    return array_namespace(x).sum(x)


def one_where(mask, x, tie):
    return np.where(mask > 0, 1.0, np.where(mask < 0, 0.0, tie)).astype(x.dtype)


RELU = claim_of(
    lambda x: _sum(composites.relu(x) * 3),
    lambda x: array_namespace(x).where(x > 0, 3.0 * array_namespace(x).ones_like(x), 0 * x),
    x=reals("n"),
)
ABSOLUTE = claim_of(lambda x: _sum(abs(x)), lambda x: array_namespace(x).sign(x), x=reals("n"))


def _ties_evenly(x):
    xp = array_namespace(x)
    tied = xp.astype(x == xp.max(x, axis=-1, keepdims=True), x.dtype)
    return tied / xp.sum(tied, axis=-1, keepdims=True)


LARGEST = claim_of(lambda x: _sum(array_namespace(x).max(x, axis=-1)), _ties_evenly, x=reals("n d"))
LARGER = claim_of(
    lambda a, b: _sum(array_namespace(a).maximum(a, b)),
    lambda a, b: (
        array_namespace(a).where(a >= b, 1 + 0 * a, 0 * a),
        array_namespace(a).where(a >= b, 0 * a, 1 + 0 * a),
    ),
    a=reals("n"),
    b=reals("n"),
)


def at_index(place):
    def gradient(x):
        found = np.zeros_like(x)
        for row, out in zip(x, found, strict=True):
            out[np.flatnonzero(row == row.max())[place]] = 1
        return found

    return gradient


def tied(x):
    return (x == x.max(axis=-1, keepdims=True)).astype(x.dtype)


def pair(one, other):
    def gradient(a, b):
        return (
            np.where(a > b, 1, np.where(a < b, 0, one)).astype(a.dtype),
            np.where(a > b, 0, np.where(a < b, 1, other)).astype(a.dtype),
        )

    return gradient


RIGHT = {
    "relu 0": (RELU, lambda x: 3 * one_where(x, x, 0)),
    "relu 1/2": (RELU, lambda x: 3 * one_where(x, x, 0.5)),
    "relu 1": (RELU, lambda x: 3 * one_where(x, x, 1)),
    "relu 0.9": (RELU, lambda x: 3 * one_where(x, x, 0.875)),
    "abs 0": (ABSOLUTE, np.sign),
    "abs 1": (ABSOLUTE, lambda x: np.where(x >= 0, 1, -1).astype(x.dtype)),
    "abs -1": (ABSOLUTE, lambda x: np.where(x > 0, 1, -1).astype(x.dtype)),
    "the first": (LARGEST, at_index(0)),
    "the last": (LARGEST, at_index(-1)),
    "evenly": (LARGEST, lambda x: tied(x) / tied(x).sum(-1, keepdims=True)),
    "left": (LARGER, pair(1, 0)),
    "right": (LARGER, pair(0, 1)),
    "a quarter": (LARGER, pair(0.25, 0.75)),
}
WRONG = {
    "relu 2": (RELU, lambda x: 3 * one_where(x, x, 2)),
    "relu -1/4": (RELU, lambda x: 3 * one_where(x, x, -0.25)),
    "abs 2": (ABSOLUTE, lambda x: np.where(x == 0, 2, np.sign(x)).astype(x.dtype)),
    "all of the tied": (LARGEST, tied),
    "none of the tied": (
        LARGEST,
        lambda x: np.where(tied(x).sum(-1, keepdims=True) > 1, 0, tied(x)).astype(x.dtype),
    ),
    "half of the gradient": (LARGEST, lambda x: at_index(0)(x) / 2),
    "both": (LARGER, pair(1, 1)),
    "neither": (LARGER, pair(0, 0)),
    "two quarters": (LARGER, pair(0.25, 0.25)),
}


def verdicts(claim, function):
    report = check(claim, numeric("mine", function), backend="numpy")
    return [v for v in report.claims[0].verdicts if v.route == "mine"]


@pytest.mark.parametrize("name", RIGHT)
def test_any_subgradient_is_right(name):
    for verdict in verdicts(*RIGHT[name]):
        assert verdict.status is Status.PASS, verdict.reason


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_subgradient_is_wrong(name):
    found = verdicts(*WRONG[name])
    assert {v.status for v in found} == {Status.WRONG}
    assert found[0].counterexample is not None


@pytest.mark.parametrize("claim", [RELU, ABSOLUTE, LARGEST, LARGER])
def test_the_claims_themselves_hold(claim):
    record = check(claim, backend=["numpy", "torch-cpu"], dtype="float64").claims[0]
    assert record.outcome == "as_expected", record.reason


def test_a_kink_inside_a_kink_lets_either_pass():
    def twice(x):
        return _sum(composites.relu(composites.relu(x) - 0 * x))

    claim = claim_of(
        twice,
        lambda x: array_namespace(x).where(x > 0, 1 + 0 * x, 0 * x),
        x=reals("n"),
    )
    for tie in (0, 1):
        (verdict, *_) = verdicts(claim, lambda x, tie=tie: one_where(x, x, tie))
        assert verdict.status is Status.PASS, verdict.reason


def _active(x, w, b):
    xp = array_namespace(x)
    return xp.where(x * w + b > 0, xp.ones_like(x), xp.zeros_like(x))


AFFINE = Claim(
    id="c",
    title="t",
    source="s",
    domain=Domain(x=reals("n"), w=reals(""), b=reals("")),
    statement=Gradient(
        of=lambda x, w, b: _sum(composites.relu(x * w + b)),
        wrt=("w", "b"),
        equals=lambda x, w, b: (_sum(x * _active(x, w, b)), _sum(_active(x, w, b))),
    ),
)


@pytest.mark.parametrize(
    ("w", "b", "right"),
    [(1, 2, True), (1, 1, True), (1, 1.5, True), (1, 2.25, False), (1, 0.5, False), (2, 2, False)],
)
def test_a_choice_is_sought_where_it_shows(w, b, right):
    """In float16 1 + 2^-12 is 1: what the tie adds to the first gradient is all rounding."""
    prepared = prepare(AFFINE, {})
    inputs = {"x": np.array([[2.0**-12, 1.0]]), "w": np.full(1, 2.0**-12), "b": np.zeros(1)}
    got = [np.asarray(float(w)), np.asarray(float(b))]
    form = FORMATS["float16"]
    assert ties.is_subgradient(prepared.reference, inputs, {"n": 2}, form, got) is right


MATRICES = arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 4)),
                  elements=st.integers(-3, 3).map(float))  # fmt: skip


@given(MATRICES, st.data())
def test_nonnegative_least_squares_beats_every_support(a, data):
    b = data.draw(arrays(np.float64, len(a), elements=st.integers(-4, 4).map(float)))
    found = ties._nnls(a, b)
    assert np.all(found >= 0)
    best = np.linalg.norm(b)
    for size in range(1, a.shape[1] + 1):
        for support in itertools.combinations(range(a.shape[1]), size):
            part = np.linalg.lstsq(a[:, support], b, rcond=None)[0]
            if np.all(part >= 0):
                best = min(best, np.linalg.norm(a[:, support] @ part - b))
    assert np.linalg.norm(a @ found - b) <= best + 1e-8
