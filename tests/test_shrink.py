"""Shrinking: planted failures end at the smallest example there is."""

import math
import zlib
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verimath import Domain, distinct, integers, labels, nonzero, reals, simplex
from verimath import given as fixed
from verimath.examples import Special, fill
from verimath.plans import Plan, axis_names
from verimath.shrink import complexity, shrink, simpler_numbers


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


DOMAINS = {
    "matrices": Domain(x=reals("n d"), w=reals("d")),
    "ranges": Domain(x=reals("n", -1.5, 40), y=reals("n", max_value=-0.25)),
    "starred": Domain(x=reals("*batch n"), y=reals("*batch")),
    "differences": Domain(x=reals("n d"), y=reals("n-d")),
    "whole": Domain(k=integers("n m", -9, 9), x=reals("n")),
    "nonzero": Domain(x=nonzero("n"), y=distinct("n")),
    "labels": Domain(z=reals("n c"), k=labels("n", classes="c")),
    "made": Domain(p=simplex("n d"), A=fixed([[1.0, 2.0]])),
    "numbers": Domain(a=reals(), b=reals("", 1, 2)),
}


@settings(max_examples=25)
@given(
    name=st.sampled_from(sorted(DOMAINS)),
    kind=st.sampled_from(["normal", "scaled", "integers", "offset"]),
    seed=st.integers(0, 2**16),
    often=st.sampled_from([2, 3, 10]),
)
def test_every_candidate_is_a_new_point_of_the_domain(name, kind, seed, often):
    """Whatever fails on the way: here, one candidate in so many."""
    domain = DOMAINS[name]
    ranks = {"batch": seed % 3} if domain.variadics else {}
    sizes = {axis: 5 - i for i, axis in enumerate(axis_names(domain, ranks))}
    start, seen, kept = example_of(domain, sizes, ranks, kind, seed), {}, []
    members = {
        key: np.asarray(spec.cast(start.inputs[key], "float64", sizes), np.float64)
        for key, spec in domain.inputs.items()
        if spec.is_free
    }
    start = replace(start, inputs={**start.inputs, **members})

    def fails(e):
        assert domain.satisfiable(e.ranks, e.sizes)
        assert set(e.sizes) == set(axis_names(domain, e.ranks))
        for key, spec in domain.inputs.items():
            values, axes = e.inputs[key], spec.shape.expand(e.ranks)
            assert values.shape == tuple(axis.at(e.sizes) for axis in axes)
            assert values.dtype == np.float64
            assert values is members.get(key) or not values.flags.writeable
            assert values.size <= start.inputs[key].size
            if spec.is_free:
                np.testing.assert_array_equal(spec.cast(values, "float64", e.sizes), values)
        text = str((e.sizes, [(k, v.shape, v.tobytes()) for k, v in e.inputs.items()]))
        assert text not in seen, "tried twice"
        seen[text] = zlib.crc32(text.encode()) % often == 0
        if seen[text]:
            kept.append(e)
        return seen[text]

    found = shrink(start, fails, domain)
    assert found is (kept[-1] if kept else start)
    assert len(seen) <= 1500


def test_the_budget_is_counted():
    calls = []
    start = example_of(Domain(x=reals("400")), sizes={})
    assert shrink(start, lambda e: calls.append(e), Domain(x=reals("400"))) is start
    assert len(calls) == 1500


@pytest.mark.parametrize("shape", ["300", "15 20"])
def test_one_number_among_many_is_found_by_halves(shape):
    calls, domain = [], Domain(x=reals(shape))

    def fails(e):
        calls.append(e)
        return e.inputs["x"].ravel()[207] != 0

    found = shrink(example_of(domain, sizes={}), fails, domain)
    np.testing.assert_array_equal(np.flatnonzero(found.inputs["x"]), [207])
    assert found.inputs["x"].ravel()[207] == 1
    assert len(calls) < 36


@pytest.mark.parametrize("least", [1, 2, 250, 300])
def test_sizes_are_bisected(least):
    calls, domain = [], Domain(x=reals("n"))

    def fails(e):
        calls.append(e.sizes["n"])
        return e.sizes["n"] >= least

    start = example_of(domain, {"n": 300})
    found = shrink(start, fails, domain)
    assert found.sizes == {"n": least}
    assert calls[0] == 1
    assert len([n for n in calls if n != least]) < 50


@pytest.mark.parametrize("row", [0, 4])
def test_the_first_and_the_last_row_may_be_what_is_left(row):
    domain = Domain(x=reals("n d"), y=reals("n"))
    start = example_of(domain, {"n": 5, "d": 3})
    planted = float(start.inputs["x"][row, 1])
    found = shrink(start, lambda e: bool(np.any(e.inputs["x"] == planted)), domain)
    assert planted in found.inputs["x"]
    assert found.sizes["n"] == 1
    assert found.inputs["y"].shape == (1,)


def test_the_layout_is_shrunk_where_it_does_not_matter():
    turned = replace(example_of(MATRIX), layout="F")
    assert shrink(turned, lambda e: True, MATRIX).layout == "C"
    kept = shrink(turned, lambda e: e.layout == "F", MATRIX)
    assert (kept.layout, kept.sizes) == ("F", {"n": 1, "d": 1})
    starred = Domain(x=reals("*batch n"))
    deep = replace(example_of(starred, ranks={"batch": 2}), layout="F")
    kept = shrink(deep, lambda e: e.layout == "F", starred)
    assert (kept.layout, kept.ranks) == ("F", {"batch": 0})


SPECIAL = Domain(x=reals("n", allow_infinity=True), y=reals("n"))


def with_special(value, index=2):
    start = example_of(SPECIAL, {"n": 4})
    return replace(start, specials=(Special(0, "x", (index,), value),))


def test_special_values_that_do_not_matter_are_left_out():
    found = shrink(with_special("infinity"), lambda e: True, SPECIAL)
    assert found.specials == ()
    np.testing.assert_array_equal(found.inputs["x"], [0])


@pytest.mark.parametrize(("dtype", "largest"), [("float64", 2.0**1023), ("float32", 2.0**127)])
def test_special_values_become_numbers_of_the_dtype(dtype, largest):
    """And are simplified as numbers are."""

    def fails(e):
        return bool(np.any(e.resolved(SPECIAL, dtype).inputs["x"] >= largest))

    start = with_special("largest")
    options = {} if dtype == "float64" else {"dtype": dtype}
    found = shrink(start, fails, SPECIAL, **options)
    assert found.specials == ()
    np.testing.assert_array_equal(found.inputs["x"], [largest])


def test_special_values_stay_where_only_they_fail():
    start = with_special("infinity", index=0)
    found = shrink(start, lambda e: bool(e.specials), SPECIAL)
    assert found.specials == start.specials
    assert found.layout == "C"


def test_close_numbers_of_two_inputs_keep_their_distance():
    domain = Domain(x=reals("2", 0), y=reals("1"))
    start = example_of(domain, {})
    numbers = {"x": np.array([4096.375, 4097.5]), "y": np.array([4099.75])}

    def fails(e):
        x, y = e.inputs["x"], e.inputs["y"]
        return bool(x[0] + 1.125 == x[1] and y[0] - x[0] == 3.375)

    assert fails(replace(start, inputs=numbers))
    found = shrink(replace(start, inputs=numbers), fails, domain)
    assert 0 <= found.inputs["x"][0] <= 33


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.floats())
def test_simpler_numbers_are_simpler_and_none_comes_twice(x):
    found = list(simpler_numbers(x))
    assert all(math.isfinite(y) and complexity(y) < complexity(x) for y in found)
    assert len(set(found)) == len(found)
    if x not in (0, 1, 2, -1) and x != 0:
        assert found[:2] == [0, 1]
    assert list(simpler_numbers(0.0)) == []


@given(finite)
def test_what_is_not_whole_has_a_simpler_number_near_it(x):
    found = list(simpler_numbers(x))
    rounder = [abs(x), np.trunc(x / 2), np.trunc(x), np.rint(x), 0.5]
    if abs(x) < 2.0**50:
        rounder += [np.rint(8 * x) / 8, math.copysign(math.ceil(abs(x)), x)]
    if 0 < abs(x) <= 32:
        rounder.append(x - math.copysign(1, x))
    for number in map(float, rounder):
        assert number in found or complexity(number) >= complexity(x)


@pytest.mark.parametrize(
    ("kept", "least"),
    [
        (lambda x: np.all(x == np.rint(x)) and np.all(abs(x) > 2), [3, -4]),
        (lambda x: np.all(8 * x == np.rint(8 * x)) and np.all(x != np.rint(x)), [3.125, -3.625]),
        (lambda x: abs(x[0]) == abs(x[1]) and x[0] > 0 > x[1], [1, -1]),
        (lambda x: x[0] == 1 and x[1] < -1.5, [1, -4]),
    ],
)
def test_numbers_that_have_to_change_together(kept, least):
    """No element alone may change: all of them are rounded, or become their signs, at once."""
    domain = Domain(x=reals("2"))
    first = np.array([3.14159, -3.60001])

    def fails(e):
        return bool(np.array_equal(e.inputs["x"], first) or kept(e.inputs["x"]))

    start = replace(example_of(domain, {}), inputs={"x": first})
    found = shrink(start, fails, domain).inputs["x"]
    assert kept(found)
    assert np.all(abs(found) <= np.abs(least))


def test_sums_of_the_largest_numbers():
    domain = Domain(x=reals("3"))
    start = replace(example_of(domain, {}), inputs={"x": np.full(3, -1.7e308)})
    found = shrink(start, lambda e: bool(np.all(e.inputs["x"] < -1e300)), domain)
    assert np.all(found.inputs["x"] > -1.1e301)


@given(finite)
def test_complexity_counts_binary_digits(x):
    """An odd number over a power of two has as many digits as that number."""
    digits, size, minus = complexity(x)
    assert digits == (0 if x.is_integer() else abs(Fraction(x).numerator).bit_length())
    assert size == (abs(x) if x.is_integer() else abs(math.frexp(x)[1]))
    assert minus == (math.copysign(1, x) < 0)


@pytest.mark.parametrize("exponent", [-1000, -300, -20, 20, 300, 1000])
@pytest.mark.parametrize("sign", [1, -1])
def test_magnitudes_are_bisected(exponent, sign):
    """From far above or below, to within a factor of four."""
    domain, calls = Domain(x=reals()), []

    def fails(e):
        x = float(e.inputs["x"])
        calls.append(x)
        return 0 < sign * x <= 2.0**exponent if exponent < 0 else sign * x >= 2.0**exponent

    far = sign * (1.7e308 if exponent > 0 else 3e-308)
    start = replace(example_of(domain, {}), inputs={"x": np.array(far)})
    found = shrink(start, fails, domain)
    assert abs(np.log2(sign * float(found.inputs["x"])) - exponent) <= 2
    assert len(calls) < 200


def test_complexity_orders_numbers_as_a_reader_does():
    """Whole numbers, small first; then few binary digits; what is no number comes last."""
    ordered = [0.0, 1.0, -1.0, 2.0, -2.0, 3.0, 100.0, 0.5, -0.5, 0.25, 1e-300, 0.75, 0.1]
    ranks = [complexity(x) for x in ordered]
    assert sorted(range(len(ordered)), key=ranks.__getitem__)[:8] == list(range(8))
    assert complexity(0.5) < complexity(0.75) < complexity(0.1) < complexity(math.nan)
    assert complexity(0.5) < complexity(0.25) < complexity(2.0**-100) < complexity(0.75)
    assert complexity(math.inf) < complexity(-math.inf)
    assert complexity(-3.0) > complexity(3.0)
