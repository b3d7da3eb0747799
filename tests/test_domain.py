"""Domains: what is refused, and that casting stays inside the range in every dtype."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from verimath import ClaimError, Domain, given, reals

FINITE = st.floats(allow_nan=False, allow_infinity=False)
MODERATE = st.floats(-1e30, 1e30)


@hypothesis_given(
    st.tuples(FINITE, FINITE).map(sorted),
    arrays(np.float64, 5, elements=MODERATE),
    st.sampled_from(["float64", "float32"]),
)
def test_casting_stays_in_the_range_and_is_nearest(bounds, values, dtype):
    low, high = bounds
    try:
        spec = reals("n", low, high)
    except ClaimError as error:
        assert "no float32 number lies between" in str(error)  # noqa: PT017
        return
    found = spec.cast(values, dtype)
    assert found.dtype == dtype
    exact = found.astype(np.float64)
    assert np.all((exact >= low) & (exact <= high))
    plain = values.astype(dtype).astype(np.float64)
    inside = (plain >= low) & (plain <= high)
    np.testing.assert_array_equal(exact[inside], plain[inside])


@hypothesis_given(arrays(np.float64, (2, 3), elements=MODERATE))
def test_casting_without_a_range_is_numpys(values):
    np.testing.assert_array_equal(reals("n d").cast(values, "float32"), values.astype("float32"))


@pytest.mark.parametrize("bound", [1e300, -1e300])
def test_bounds_beyond_float32_are_no_overflow(bound):
    low, high = sorted((bound, 0.0))
    spec = reals("n", low, high)
    assert np.isfinite(spec.limits("float32")).all()


def test_a_closed_range_may_be_one_number():
    np.testing.assert_array_equal(reals("n", 2, 2).cast(np.array([0.0, 5.0]), "float32"), [2, 2])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: reals("n", 2, 1), "no float64 number lies between min_value=2 and max_value=1"),
        (lambda: reals("n", 1e300), "no float32 number lies between"),
        (
            lambda: reals("n", 1 + 1e-12, 1 + 2e-12),
            "no float32 number lies between .*; the domain can't be satisfied: widen the range",
        ),
        (lambda: reals("n", float("nan")), "min_value=nan is not finite; leave it out"),
        (lambda: reals("n", max_value=float("inf")), "max_value=inf is not finite"),
        (lambda: reals("n", "0"), "min_value='0' is no number"),
        (lambda: given([[1, 2], [3]]), "nested lists of equal length"),
        (lambda: given("x"), "wants a number or nested lists"),
        (lambda: given([1, float("nan")]), "wants finite numbers"),
        (lambda: Domain(), "a domain needs at least one input"),
        (lambda: Domain(x="n d"), r"x='n d' is no input; wanted e.g. x=reals\(\"n d\"\)"),
        (lambda: Domain(x=reals("*n"), y=reals("n")), "'n' names both one axis and, with a star"),
        (lambda: Domain(**{"x y": reals()}), "'x y' can't name an input"),
        (lambda: Domain(x=reals("a b c d e f")), "x has 6 axes; at most 5 are supported"),
        (lambda: Domain(x=reals("*s a b c d e f")), "x has 6 axes"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ClaimError, match=message):
        make()


def test_given_keeps_a_copy():
    mine = np.ones(2)
    spec = given(mine)
    mine[0] = 7
    np.testing.assert_array_equal(spec.values, [1, 1])
    assert not spec.values.flags.writeable
    assert spec.shape.text == "2"


def test_domains_compare_by_inputs_order_and_given_numbers():
    x, y = reals("n"), reals("n", 0)
    assert Domain(x=x, y=y) == Domain(x=reals("n"), y=reals("n", 0))
    assert hash(Domain(x=x, y=y)) == hash(Domain(x=reals("n"), y=reals("n", 0)))
    assert Domain(x=x, y=y) != Domain(y=y, x=x)
    assert Domain(x=x) != Domain(x=y)
    assert Domain(x=given([1])) != Domain(x=given([2]))
    assert Domain(x=given([1])) == Domain(x=given([1]))
    assert Domain(x=x) != "x"


def test_a_domain_is_immutable_and_can_be_copied():
    domain = Domain(x=reals("*batch n", 0, 1), A=given([[1, 2]]))
    with pytest.raises(AttributeError, match="immutable"):
        domain.inputs = {}
    assert copy.deepcopy(domain) == domain
    assert pickle.loads(pickle.dumps(domain)) == domain


def test_a_domain_prints_as_it_was_written():
    domain = Domain(x=reals("n d", 0), A=given([[1, 2], [3, 4]]), s=reals("", -1, 1))
    assert str(domain) == (
        'x=reals("n d", 0 to inf), A=given [[1., 2.], [3., 4.]], s=reals("", -1 to 1)'
    )


def test_ranks_leave_room_for_the_named_axes():
    domain = Domain(x=reals("*batch n"), y=reals("n *batch d"), z=reals("*other"))
    assert domain.names == {"n", "d"}
    assert domain.variadics == ("batch", "other")
    assert domain.largest_ranks == {"batch": 3, "other": 5}
    shapes = domain.expand({"batch": 1, "other": 0})
    assert {k: [str(s) for s in v] for k, v in shapes.items()} == {
        "x": ["batch[0]", "n"],
        "y": ["n", "batch[0]", "d"],
        "z": [],
    }
