"""Shrinking: planted failures end at the smallest example there is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verimath import Domain, reals
from verimath import given as fixed
from verimath.examples import fill
from verimath.plans import Plan, axis_names
from verimath.shrink import shrink


def example_of(domain, sizes=None, ranks=None, kind="normal", seed=0):
    ranks = ranks or {}
    names = axis_names(domain, ranks)
    sizes = sizes or {name: 4 + i % 3 for i, name in enumerate(names)}
    plan = Plan(tuple(ranks.items()), tuple(sizes.items()), kind, 3, seed)
    return fill(plan, domain).example(0)


def shrunk(domain, fails, **options):
    start = example_of(domain, **options)
    assert fails(start)
    found = shrink(start, fails, domain)
    assert fails(found)
    return found


MATRIX = Domain(x=reals("n d"), w=reals("d"))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), kind=st.sampled_from(["normal", "scaled", "integers"]))
def test_anything_fails(seed, kind):
    found = shrunk(MATRIX, lambda e: True, seed=seed, kind=kind)
    assert found.sizes == {"n": 1, "d": 1}
    np.testing.assert_array_equal(found.inputs["x"], [[0]])
    np.testing.assert_array_equal(found.inputs["w"], [0])


@pytest.mark.parametrize("n", [2, 3])
def test_a_failure_from_a_size_on_keeps_that_size(n):
    found = shrunk(MATRIX, lambda e: e.sizes["n"] >= n)
    assert found.sizes == {"n": n, "d": 1}
    np.testing.assert_array_equal(found.inputs["x"], np.zeros((n, 1)))


def test_numbers_that_are_close_are_moved_and_rounded_together():
    """E[x^2] - E[x]^2 against the variance: no element alone can come nearer to zero."""

    def fails(e):
        x = np.concatenate([e.inputs["x"].ravel(), e.inputs["y"].ravel()])
        moments, right = np.mean(x * x) - np.mean(x) ** 2, np.var(x)
        return bool(abs(moments - right) > 1e-9 * right > 0)

    domain = Domain(x=reals("n"), y=reals("n"))
    found = shrunk(domain, fails, kind="offset", sizes={"n": 3})
    numbers = np.concatenate([found.inputs["x"], found.inputs["y"]])
    assert found.sizes == {"n": 1}
    assert np.all((numbers > 0) & (numbers <= 2.0**16))


def test_a_failure_at_unequal_sizes():
    found = shrunk(MATRIX, lambda e: e.sizes["n"] != e.sizes["d"])
    assert sorted(found.sizes.values()) == [1, 2]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), least=st.sampled_from([1, 3, 5]))
def test_a_large_number_shrinks_to_the_least_that_fails(seed, least):
    def fails(e):
        return bool(np.any(np.abs(e.inputs["x"]) >= least))

    domain = Domain(x=reals("n d"))
    if fails(example_of(domain, seed=seed)):
        found = shrunk(domain, fails, seed=seed)
        np.testing.assert_array_equal(found.inputs["x"], [[least]])


def test_a_fraction_stays_a_readable_fraction():
    def fails(e):
        return bool(np.any(e.inputs["x"] != np.rint(e.inputs["x"])))

    found = shrunk(Domain(x=reals("n")), fails)
    (x,) = found.inputs["x"]
    assert (8 * x).is_integer()
    assert abs(x) < 1


def test_a_negative_number():
    found = shrunk(Domain(x=reals("n")), lambda e: bool(np.any(e.inputs["x"] < 0)))
    np.testing.assert_array_equal(found.inputs["x"], [-1])


def test_two_elements_that_differ():
    found = shrunk(Domain(x=reals("n")), lambda e: len(set(e.inputs["x"])) > 1)
    assert sorted(found.inputs["x"]) == [0, 1]


def test_a_starred_name_loses_its_axes():
    domain = Domain(x=reals("*batch n"), y=reals("*batch"))
    found = shrunk(domain, lambda e: e.inputs["x"].ndim >= 2, ranks={"batch": 3})
    assert found.ranks == {"batch": 1}
    assert found.inputs["x"].shape == (1, 1)
    assert found.inputs["y"].shape == (1,)
    assert set(found.sizes) == {"batch[0]", "n"}


def test_polynomial_sizes_shrink_together():
    domain = Domain(x=reals("2*n n+1"), y=reals("n"))
    found = shrunk(domain, lambda e: e.inputs["x"].shape[0] >= 4)
    assert found.inputs["x"].shape == (4, 3)
    assert found.inputs["y"].shape == (2,)


@pytest.mark.parametrize("bounds", [(2.5, 7.5), (0.1, None), (None, -4)])
def test_values_stay_in_the_range(bounds):
    low, high = bounds
    seen = []

    def fails(e):
        seen.extend(e.inputs["x"].ravel())
        return True

    shrunk(Domain(x=reals("n", low, high)), fails)
    assert min(seen) >= (-np.inf if low is None else low)
    assert max(seen) <= (np.inf if high is None else high)


def test_given_numbers_are_left_alone():
    domain = Domain(A=fixed([[1, 2], [3, 4]]), x=reals("n"))
    found = shrunk(domain, lambda e: True)
    np.testing.assert_array_equal(found.inputs["A"], [[1, 2], [3, 4]])
    np.testing.assert_array_equal(found.inputs["x"], [0])


def test_a_size_of_zero_is_kept():
    found = shrunk(MATRIX, lambda e: e.sizes["n"] == 0, sizes={"n": 0, "d": 4})
    assert found.sizes == {"n": 0, "d": 1}


def test_shrinking_is_deterministic_and_ends():
    calls = []

    def fails(e):
        calls.append(1)
        return bool(np.sum(np.abs(e.inputs["x"])) > 1e-3)

    first = shrunk(MATRIX, fails, kind="scaled")
    count = len(calls)
    second = shrunk(MATRIX, fails, kind="scaled")
    assert str(first) == str(second)
    assert len(calls) == 2 * count
    assert count < 2000
