"""Examples: what every run is sure to meet, and that a seed determines all of it."""

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st

from verimath import ClaimError, Domain, given, integers, nonzero, reals
from verimath.examples import batch_of, draw_examples, fill, simplest_failure, special_number
from verimath.fill import EDGES
from verimath.plans import KINDS, LARGEST_COUNT, LARGEST_SIZE, MOST_COUNT, Plan, covering_plans


def always(plan):
    return True


DOMAINS = {
    "half lines": Domain(a=reals("", 0), b=reals("", None, 1), x=reals("n", 1)),
    "matrix": Domain(x=reals("n d"), w=reals("d")),
    "polynomials": Domain(x=reals("2*n n+1"), y=reals("n-1")),
    "fixed": Domain(x=reals("2 3")),
    "scalars": Domain(a=reals(), b=reals()),
    "any rank": Domain(x=reals("*shape")),
    "batched": Domain(x=reals("*batch n", 0, 1), y=reals("*batch", -1)),
}


def admissible(domain):
    def check(plan):
        shapes = domain.expand(dict(plan.ranks)).values()
        return all(size.at(dict(plan.sizes)) >= 0 for shape in shapes for size in shape)

    return check


def batches(domain, count=80, entropy=0):
    return draw_examples(domain, admissible(domain), count=count, entropy=entropy)


def drawn(domain, count=80, entropy=0):
    found = batches(domain, count, entropy)
    return [batch.example(index) for batch in found for index in range(len(batch))]


@pytest.mark.parametrize("name", DOMAINS)
def test_every_example_has_the_shapes_of_its_domain(name):
    domain = DOMAINS[name]
    for example in drawn(domain):
        for key, shape in domain.expand(example.ranks).items():
            values = example.inputs[key]
            assert values.shape == tuple(size.at(example.sizes) for size in shape)
            assert values.dtype == np.float64
            assert np.isfinite(values).all()
            assert not values.flags.writeable
            assert values.ndim <= 5


@pytest.mark.parametrize("seed", range(3))
def test_sizes_of_one_zero_equal_and_different_are_met(seed):
    sizes = [dict(e.sizes) for e in drawn(DOMAINS["matrix"], count=20, entropy=seed)]
    for name in ("n", "d"):
        assert any(s[name] == 1 for s in sizes)
        assert any(s[name] == 0 for s in sizes)
    assert any(s["n"] == s["d"] > 1 for s in sizes)
    assert any(s["n"] != s["d"] and min(s.values()) > 1 for s in sizes)
    assert all(sum(size > LARGEST_SIZE for size in s.values()) <= 1 for s in sizes)


@pytest.mark.parametrize("seed", range(3))
def test_every_rank_is_met_with_sizes_one_zero_and_different(seed):
    examples = drawn(DOMAINS["any rank"], count=20, entropy=seed)
    for rank in range(6):
        shapes = [e.inputs["x"].shape for e in examples if e.inputs["x"].ndim == rank]
        assert shapes, rank
        for axis in range(rank):
            assert any(s[axis] == 0 for s in shapes)
            assert any(s[axis] == 1 for s in shapes)
        if 1 < rank < 5:
            assert any(len(set(s)) == rank and min(s) > 1 for s in shapes)


def test_every_kind_of_values_is_met():
    kinds = {plan.kind for plan in covering_plans(DOMAINS["any rank"])}
    assert kinds == set(KINDS)


def test_every_edge_of_the_dtypes_is_met_once():
    plans = [plan for plan in covering_plans(DOMAINS["matrix"]) if plan.kind == "extreme"]
    plan = max(plans, key=lambda plan: plan.count)
    x = fill(plan, DOMAINS["matrix"]).inputs["x"]
    top = np.log2(np.abs(x).max(axis=(1, 2)))
    assert len(x) == len(EDGES)
    assert np.all(np.abs(np.sort(top) - np.sort(EDGES + 1.5)) < 2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [-12, 0, 12])
def test_a_kind_is_what_it_is_called(kind, scale):
    plan = Plan((), (("n", 7), ("d", 6)), kind, scale, 5)
    (x,) = fill(plan, DOMAINS["matrix"]).inputs["x"]
    assert np.any(x != 0)
    match kind:
        case "integers" | "ties" | "sparse":
            assert np.all(x == np.rint(x))
        case "eighths":
            assert np.all(8 * x == np.rint(8 * x))
        case "near":
            off = np.abs(x[..., None] - np.rint(2 * x[..., None]) / 2)
            assert np.all((off > 0) & (np.frexp(off)[0] == 0.5)) or np.mean(off > 0) > 0.9
        case "tens":
            assert np.ptp(np.abs(x)) > 10
            assert 20 < np.abs(x).max() <= 40
        case "steep":
            assert 2.0**9 < np.abs(x).max() <= 2.0**11
        case "tiny":
            assert np.all(np.abs(x).max(axis=1) < 2.0**-4)
            assert np.abs(x).min() < 1e-10
        case "binades":
            assert set(np.frexp(x)[1].ravel() - 1) == set(range(-25, 7))
        case "offset":
            assert np.ptp(x) < 2.0**-10 * np.abs(x).min()
        case "uniform" | "normal":
            assert 0.1 < np.abs(x).max() / 2.0**scale < 8
        case _:
            assert np.abs(x).max() / np.abs(x).min() > 100
    if kind == "ties":
        assert len(np.unique(x)) <= 3
    if kind == "sparse":
        assert np.mean(x == 0) > 0.3


@pytest.mark.parametrize(
    "bounds", [(0, 1), (None, -3), (2.5, None), (0.1, 0.1), (-1e308, 1.7e308), (-0.3, 0.2)]
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_values_and_their_casts_stay_in_the_range(bounds, dtype):
    low, high = bounds
    try:
        domain = Domain(x=reals("n d", low, high))
    except ClaimError:
        assert bounds == (0.1, 0.1)  # no float32 number
        return
    for batch in batches(domain, count=30):
        for values in (batch.inputs["x"], batch.cast(domain, dtype)["x"].astype(np.float64)):
            assert np.all(values >= (-np.inf if low is None else low))
            assert np.all(values <= (np.inf if high is None else high))
        assert batch.cast(domain, dtype)["x"].dtype == dtype


def test_a_closed_range_is_met_at_its_ends():
    values = np.concatenate([e.inputs["x"].ravel() for e in drawn(Domain(x=reals("n", 0, 1)))])
    assert {0.0, 0.5, 1.0} <= set(values)


@pytest.mark.parametrize("bounds", [(None, None), (-0.5, 100), (0, 1), (0, None)])
@pytest.mark.parametrize("entropy", range(5))
def test_every_magnitude_of_half_precision_is_met(bounds, entropy):
    """An error in a narrow window of small numbers shows in every run, whatever the seed."""
    domain = Domain(x=reals("n", *bounds))
    values = np.concatenate(
        [
            batch.inputs["x"].ravel()
            for batch in (fill(plan, domain) for plan in covering_plans(domain, entropy))
        ]
    )
    binades = set(np.frexp(np.abs(values[values != 0]))[1] - 1)
    assert binades >= set(range(-24, 0))


@pytest.mark.parametrize("name", DOMAINS)
def test_a_seed_determines_the_examples(name):
    def texts(entropy):
        return [str(e) for e in drawn(DOMAINS[name], count=40, entropy=entropy)]

    assert texts(3) == texts(3)
    assert texts(3) != texts(4)


@settings(max_examples=5, suppress_health_check=list(HealthCheck), deadline=None)
@hypothesis_given(st.integers(0, 2**32))
def test_examples_can_be_drawn_inside_a_property_test(entropy):
    assert len(drawn(DOMAINS["matrix"], count=10, entropy=entropy)) >= 10


def test_there_are_as_many_examples_as_asked_for():
    assert len(drawn(DOMAINS["matrix"], count=120)) >= 120


@pytest.mark.parametrize("count", [300, 3000])
def test_there_are_hardly_more_examples_than_asked_for(count):
    """The last batch may be larger than what is missing; a few more are there to cover all."""
    covering = sum(len(b) for b in batches(DOMAINS["matrix"], count=1))
    largest = max(LARGEST_COUNT, min(MOST_COUNT, count))
    assert count <= len(drawn(DOMAINS["matrix"], count=count)) <= max(count, covering) + largest


def test_seeds_make_a_difference():
    one, other = (
        {b.inputs["x"].tobytes() for b in batches(DOMAINS["matrix"], entropy=entropy)}
        for entropy in (0, 1)
    )
    assert len(one & other) < len(one) / 2  # zeros and ones are the same every time


@pytest.mark.parametrize(
    ("kind", "specials", "extreme"),
    [
        ("uniform", (), False),
        ("uniform", ((0, "two"),), False),
        ("uniform", ((0, "two"), (1, "largest")), True),
        ("extreme", (), True),
    ],
)
def test_a_batch_knows_whether_it_is_near_overflow(kind, specials, extreme):
    plan = Plan((), (("n", 2), ("d", 3)), kind, 0, 1, 2, specials=specials)
    assert fill(plan, DOMAINS["matrix"]).extreme is extreme


def test_special_values_are_counted_over_all_inputs():
    """x has 6 elements, w has 3; a position counts examples, then elements."""
    where = {0: ("x", (0, 0)), 5: ("x", (1, 2)), 6: ("w", (0,)), 8: ("w", (2,)), 9: ("x", (0, 0))}
    for element, (name, index) in where.items():
        for example in (0, 1):
            specials = ((2 * element + example, "two"),)
            plan = Plan((), (("n", 2), ("d", 3)), "eighths", 0, 1, 2, specials=specials)
            (special,) = fill(plan, DOMAINS["matrix"]).specials
            assert (special.input, special.index, special.example) == (name, index, example)


def test_special_values_of_whole_numbers_are_whole():
    whole = integers("n")
    assert special_number(whole, "half", "float64") is None
    assert special_number(whole, "two", "float64") == 2
    assert special_number(whole, "largest", "float64") is None
    assert special_number(integers("n", 0, 100), "upper end", "float64") == 100
    assert special_number(nonzero("n"), "zero", "float64") is None
    assert special_number(nonzero("n"), "one", "float64") == 1


def test_the_examples_of_a_batch_differ_and_share_their_sizes():
    for batch in batches(DOMAINS["matrix"], count=40):
        assert len(batch) == len(batch.inputs["x"]) == len(batch.inputs["w"])
        if batch.inputs["x"][0].size > 3 and len(batch) > 1:
            assert not np.array_equal(batch.inputs["x"][0], batch.inputs["x"][1])
    assert max(map(len, batches(DOMAINS["matrix"]))) > 1


def test_an_example_alone_is_a_batch_of_one():
    (batch, *_) = batches(DOMAINS["matrix"])
    alone = batch_of(batch.example(1))
    assert len(alone) == 1
    for name, values in alone.inputs.items():
        np.testing.assert_array_equal(values[0], batch.inputs[name][1])
    assert (alone.sizes, alone.ranks) == (batch.sizes, batch.ranks)


def test_given_numbers_make_one_example():
    (example,) = drawn(Domain(A=given([[1, 2]])))
    np.testing.assert_array_equal(example.inputs["A"], [[1, 2]])
    assert str(example) == "A=[[1., 2.]]"


def test_an_example_is_printed_on_one_line_with_what_is_special():
    domain = Domain(x=reals("n d"), w=reals("d"))
    sizes = (("n", 2), ("d", 1))
    plan = Plan((), sizes, "eighths", 0, 1, 1, layout="F", specials=((1, "nan"), (2, "two")))
    text = str(fill(plan, domain).example(0))
    assert text.startswith("n=2 d=1   x=[[")
    assert text.endswith("   x[1, 0]: nan   w[0]: two   F")
    assert "\n" not in text


def test_examples_can_not_be_written_to():
    batch = fill(Plan((), (), "eighths", 0, 1, 2), DOMAINS["scalars"])
    with pytest.raises(ValueError, match="read-only"):
        batch.example(0).inputs["a"][...] = 1


@pytest.mark.parametrize(
    "domain", [Domain(x=reals("20 20")), Domain(x=reals("n 400")), Domain(x=reals("n+400 n"))]
)
def test_fixed_sizes_may_be_large(domain):
    examples = drawn(domain, count=3)
    assert max(e.inputs["x"].size for e in examples) >= 400
    assert min(min(e.sizes.values(), default=0) for e in examples) >= 0


def test_a_domain_that_can_not_be_satisfied_is_refused():
    domain = Domain(x=reals("n-10"))
    with pytest.raises(ClaimError, match=r"x=reals\(\"n-10\"\) can't be satisfied: none of the"):
        drawn(domain)


def test_the_simplest_failure_is_simple_and_a_failure():
    domain = DOMAINS["matrix"]

    def fails(example):
        return example.inputs["x"].shape[0] >= 3

    found = simplest_failure(domain, always, fails, count=60, entropy=0)
    assert found.sizes["n"] == 3
    assert found.sizes["d"] <= 1
    never = simplest_failure(domain, always, lambda e: False, count=20, entropy=0)
    assert never is None
