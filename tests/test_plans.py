"""What a default run is sure to draw, and that each oddity shrinks away or to its simplest."""

from collections import Counter

import numpy as np
import pytest
from array_api_compat import array_namespace

from verimath import Claim, Domain, Gradient, check, integers, labels, reals, simplex, spd
from verimath._engine import DEFAULT_EXAMPLES
from verimath.examples import Batch, batch_of, draw_examples, fill, special_number
from verimath.layouts import LAYOUTS
from verimath.plans import BLOCKS, FORMS, KINDS, Plan, covering_plans, special_names
from verimath.report.record import Status
from verimath.shrink import shrink
from verimath.specials import ENDS, EVERY, NONFINITE, SPECIALS

DOMAINS = {
    "matrix": Domain(x=reals("n d"), w=reals("d")),
    "scalar": Domain(a=reals()),
    "any rank": Domain(x=reals("*shape")),
    "classes": Domain(z=reals("n c"), y=labels("n", classes="c")),
    "structured": Domain(A=spd("n n"), p=simplex("n"), b=reals("n", 0, 1)),
}


def drawn(domain, entropy=0):
    return draw_examples(domain, lambda plan: True, count=DEFAULT_EXAMPLES, entropy=entropy)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", DOMAINS)
def test_a_default_run_meets_every_layout_and_special_value(name, seed):
    domain = DOMAINS[name]
    batches = drawn(domain, seed)
    assert {batch.layout for batch in batches} == set(LAYOUTS)
    assert {s.value for b in batches for s in b.specials} == set(special_names(domain))


OWN = {
    "no range": (reals("n"), ()),
    "a lower end": (reals("n", 0), ENDS),
    "an upper end": (reals("n", None, 0), ENDS),
    "nan": (reals("n", allow_nan=True), ("nan",)),
    "infinities": (reals("n", allow_infinity=True), ("infinity", "minus infinity")),
    "no numbers at all": (reals("n", allow_nan=True, allow_infinity=True), tuple(NONFINITE)),
}


@pytest.mark.parametrize("name", OWN)
def test_a_domain_has_the_special_values_that_it_allows(name):
    spec, further = OWN[name]
    assert set(special_names(Domain(x=spec))) == {*SPECIALS, *further}
    # One input that allows them is enough.
    assert set(special_names(Domain(y=reals("n"), x=spec))) == {*SPECIALS, *further}


@pytest.mark.parametrize("name", DOMAINS)
def test_a_default_run_meets_every_kind_and_form(name):
    plans = list(covering_plans(DOMAINS[name]))
    assert {plan.kind for plan in plans} == set(KINDS)
    tail = {"tail"} if DOMAINS[name].names or DOMAINS[name].variadics else set[str]()
    assert {plan.form for plan in plans} == {*FORMS[:-1], *tail}


@pytest.mark.parametrize("seed", range(3))
def test_most_examples_are_ordinary(seed):
    batches = drawn(DOMAINS["matrix"], seed)
    count = sum(map(len, batches))
    assert sum(len(b) for b in batches if b.extreme) < count / 2
    assert sum(len(b) for b in batches if b.layout == "C") > count / 2


@pytest.mark.parametrize("name", ["matrix", "classes", "structured", "any rank"])
def test_every_name_is_met_at_a_size_beyond_a_block(name):
    batches = drawn(DOMAINS[name])
    large = Counter(k for b in batches for k, size in b.sizes.items() if size in BLOCKS)
    met = {k for b in batches for k in b.sizes}
    assert set(large) == met
    for batch in batches:
        assert max(values[0].size for values in batch.inputs.values()) <= 4500
    sizes = {size for b in batches for size in b.sizes.values()}
    assert max(sizes) == (65 if name == "structured" else 1025)  # n x n has to stay small


@pytest.mark.parametrize("value", EVERY)
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_a_special_value_is_that_number_in_the_dtype(value, dtype):
    low, high = (0.25, 4.0) if value in ENDS else (None, None)
    odd = value in NONFINITE
    spec = reals("n d", low, high, allow_nan=odd, allow_infinity=odd)
    plan = Plan((), (("n", 2), ("d", 3)), "eighths", 0, 1, 2, specials=((5, value),))
    batch = fill(plan, Domain(x=spec))
    found = batch.cast(Domain(x=spec), dtype)["x"].astype(np.float64)
    number = special_number(spec, value, dtype)
    np.testing.assert_array_equal(found[1, 0, 2], number)  # position 5: example 1, element 2
    assert np.signbit(found[1, 0, 2]) == np.signbit(number)
    resolved = batch.example(1).resolved(Domain(x=spec), dtype)
    np.testing.assert_array_equal(resolved.inputs["x"][0, 2], number)
    assert not resolved.specials


def test_special_values_beyond_the_range_change_nothing():
    for spec in (reals("n", 2, 3), integers("n", 2, 3), simplex("n"), labels("n", classes=3)):
        allowed = [special_number(spec, value, "float32") for value in (*SPECIALS, *NONFINITE)]
        assert set(allowed) <= {None, 2.0}


def test_forms():
    def filled(form, spec=None, **sizes):
        spec = spec or reals("n n")
        plan = Plan((), tuple(sizes.items()), "uniform", 0, 7, 2, form)
        return fill(plan, Domain(x=spec)).cast(Domain(x=spec), "float64")["x"]

    singular, near = filled("degenerate", n=4)
    assert np.linalg.matrix_rank(singular) == 3
    assert 1e4 < np.linalg.cond(near) < 1e12
    assert np.ptp(filled("degenerate", reals("n"), n=4)[0]) == 0
    assert np.max(filled("degenerate", simplex("n"), n=4), axis=-1).tolist() == [1, 1]
    for rows in filled("repeated", reals("n 2"), n=6):
        assert len({tuple(row) for row in rows}) < 6
    for values in filled("cancelling", reals("n"), n=6):
        assert abs(values.sum()) < 1e-15 < np.abs(values).min()
    large = spd("n n")
    assert np.linalg.cond(filled("degenerate", large, n=5)[0]) > 1e4


def test_examples_that_are_alike_differ_in_one_element_of_each_input():
    domain = Domain(x=reals("n d"), y=reals("d"), t=reals(""), p=simplex("n d"))
    plan = Plan((), (("n", 2), ("d", 3)), "normal", 0, 7, 4, "alike")
    found = fill(plan, domain).inputs
    for name, places in (("x", [5, 0, 1]), ("y", [2, 0, 1]), ("p", [5, 0, 1]), ("t", [])):
        first, *others = found[name].reshape(4, -1)
        differing = [np.flatnonzero(other != first).tolist() for other in others]
        assert differing == ([[place] for place in places] or [[], [], []])


def test_a_tail_is_what_a_loop_over_eights_leaves_over():
    for spec in (reals("n"), reals("n", 0), reals("n", None, 0), reals("n", -3, 4)):
        plan = Plan((), (("n", 139),), "uniform", 0, 7, 2, "tail")
        above, below = fill(plan, Domain(x=spec)).inputs["x"]
        # One in twenty of a closed range is an end itself.
        assert np.mean(min(above[-3:]) > above[:-3]) > 0.9 or spec.max_value == 0
        assert np.mean(max(below[-3:]) < below[:-3]) > 0.9 or spec.min_value == 0


def test_some_elements_of_two_inputs_tie():
    domain = Domain(p=reals("n"), t=reals("n", -1, 1))
    found = fill(Plan((), (("n", 40),), "uniform", 0, 7, 1, "repeated"), domain).inputs
    assert 5 < np.count_nonzero(found["p"] == found["t"]) < 35


def test_expanded_inputs_repeat_their_rows():
    plan = Plan((), (("n", 4), ("d", 3)), "normal", 0, 3, 1, layout="expanded")
    (x,) = fill(plan, DOMAINS["matrix"]).inputs["x"]
    assert np.all(x == x[:1])


# --- shrinking: each part of an example, to its simplest ---

START = Plan(
    (),
    (("n", 5), ("d", 4)),
    "normal",
    2,
    9,
    layout="strided",
    specials=((0, "least subnormal"), (6, "largest"), (9, "negative zero")),
)


def shrunk(fails, domain=DOMAINS["matrix"], plan=START, dtype="float64"):
    start = fill(plan, domain).example(0)
    assert fails(start)
    found = shrink(start, fails, domain, dtype=dtype)
    assert fails(found)
    return found


def seen(example, domain, dtype="float64"):
    """The input x as a route sees it."""
    return batch_of(example).cast(domain, dtype)["x"][0]


def test_layout_and_special_values_go_if_they_are_not_needed():
    found = shrunk(lambda e: True)
    assert found.layout == "C"
    assert not found.specials
    assert found.sizes == {"n": 1, "d": 1}
    assert str(found) == "n=1 d=1   x=[[0.]]   w=[0.]"


@pytest.mark.parametrize("layout", LAYOUTS[1:])
def test_a_layout_stays_if_it_is_needed(layout):
    plan = Plan((), (("n", 5), ("d", 4)), "normal", 2, 9, layout=layout)
    found = shrunk(lambda e: e.layout == layout, plan=plan)
    assert found.layout == layout
    np.testing.assert_array_equal(found.inputs["x"], [[0]])


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize("value", [*SPECIALS, *NONFINITE])
def test_a_special_value_shrinks_to_itself_alone(value, dtype):
    odd = value in NONFINITE
    domain = Domain(x=reals("n d", allow_nan=odd, allow_infinity=odd))
    number = special_number(domain.inputs["x"], value, dtype)
    plan = Plan((), (("n", 5), ("d", 4)), "normal", 2, 9, specials=((6, value), (3, "two")))

    def fails(example):
        x = seen(example, domain, dtype).astype(np.float64)
        same = (
            np.isnan(x)
            if np.isnan(number)
            else (x == number) & (np.signbit(x) == np.signbit(number))
        )
        return bool(same.any())

    found = shrunk(fails, domain, plan, dtype)
    assert found.sizes == {"n": 1, "d": 1}
    assert not found.specials
    np.testing.assert_array_equal(seen(found, domain, dtype), [[number]])


@pytest.mark.parametrize(
    ("spec", "fails", "simplest"),
    [
        (simplex("d"), lambda x: np.count_nonzero(x) > 1, [0.5, 0.5]),
        (spd("d d"), lambda x: np.any(x != np.eye(len(x))), [[4]]),
        (spd("d d"), lambda x: len(x) > 1 and x[1, 0] != 0, [[1, 1], [1, 2]]),
        (labels("n", classes=5), lambda x: np.any(x == 3), [3]),
        (integers("n", -9, 9), lambda x: np.any(x <= -4), [-4]),
    ],
)
def test_a_structure_shrinks_to_its_simplest_member(spec, fails, simplest):
    domain = Domain(x=spec)
    sizes = tuple((name, 5) for name in sorted(domain.names))
    starts = (
        fill(Plan((), sizes, kind, 1, seed), domain).example(0)
        for kind in KINDS
        for seed in range(9)
    )
    start = next(e for e in starts if fails(seen(e, domain)))
    found = shrink(start, lambda e: bool(fails(seen(e, domain))), domain)
    np.testing.assert_array_equal(seen(found, domain), simplest)


def test_large_sizes_shrink_in_few_steps():
    calls = []

    def fails(example):
        calls.append(1)
        return example.sizes["n"] >= 1000

    plan = Plan((), (("n", 1025), ("d", 2)), "uniform", 0, 1)
    found = shrunk(fails, plan=plan)
    assert found.sizes == {"n": 1000, "d": 1}
    np.testing.assert_array_equal(found.inputs["x"], np.zeros((1000, 1)))
    assert len(calls) < 100


@pytest.mark.parametrize(("number", "least"), [(1e300, 2.0**500), (1e-300, 2.0**-500)])
def test_magnitudes_are_bisected(number, least):
    calls = []

    def fails(example):
        calls.append(1)
        x = abs(example.inputs["x"])
        return bool(np.any(x >= least) if number > 1 else np.any((x > 0) & (x <= least)))

    domain = Domain(x=reals("n"))
    batch = Batch({}, {"n": 3}, {"x": np.array([[number, 1.5, -number]])})
    found = shrink(batch.example(0), fails, domain)
    (x,) = found.inputs["x"]
    assert max(x / least, least / x) <= 4
    assert np.frexp(x)[0] == 0.5, "a power of two"
    assert len(calls) < 200


# --- a fault that shows in one place only is found by a default run, and told ---


def total(x):
    return array_namespace(x).sum(x * x)


SQUARES = Claim(
    id="squares",
    title="The gradient of the sum of squares is 2 x",
    source="a test",
    domain=Domain(x=reals("n d")),
    statement=Gradient(of=total, wrt="x", equals=lambda x: 2 * x),
)


def memory_order(x):
    return (2 * x.ravel("K")).reshape(x.shape)


def at(condition):
    def candidate(x):
        return 2 * x + np.where(condition(x), 1, 0).astype(x.dtype)

    return candidate


def counterexample(candidate, dtype="float64"):
    report = check(SQUARES, candidate, backend="numpy", dtype=dtype)
    (verdict,) = [v for v in report.claims[0].verdicts if v.route == candidate.__name__]
    assert verdict.status is Status.WRONG
    return verdict


def test_code_that_reads_memory_in_order_is_found_and_shown_in_its_layout(tmp_path):
    verdict = counterexample(memory_order)
    assert verdict.defect == "layout"
    assert "right on contiguous arrays, but with inputs transposed in memory" in verdict.reason
    assert verdict.counterexample.inputs[0].shape == (2, 2)
    import subprocess
    import sys

    file = tmp_path / "again.py"
    file.write_text(verdict.counterexample.script, encoding="utf-8")
    ran = subprocess.run([sys.executable, file], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (1, "")
    assert "laid_out" in verdict.counterexample.script


@pytest.mark.parametrize(
    ("condition", "shape", "text"),
    [
        (lambda x: x.shape[0] >= 3, (3, 1), "[[0], [0], [0]]"),
        (lambda x: np.any(x > 5), (1, 1), "[[6]]"),
        (lambda x: x.size and np.sum(x == x.max()) > 1, (2, 1), "[[0], [0]]"),
        (lambda x: np.any(np.signbit(x) & (x == 0)), (1, 1), "[[-0]]"),
        (lambda x: np.any(np.abs(x) == np.finfo(x.dtype).eps / 2), (1, 1), None),
        (lambda x: np.any((x != 0) & (np.abs(x) < np.finfo(x.dtype).tiny)), (1, 1), None),
        (lambda x: x.shape[0] > 1024, (1025, 1), None),
        (lambda x: np.count_nonzero(x) >= 3 and x.sum() == 0, None, None),
        (lambda x: np.any((x != 1) & (np.abs(x - 1) < 2**-9)), (1, 1), None),  # near
        (lambda x: np.any((x > 20) & (x < 32)), (1, 1), "[[21]]"),  # tens
        (lambda x: x.size > 1 and 0 < np.abs(x).max() < 1e-9, None, None),  # tiny
        (lambda x: x.size > 1 and x.min() > 900 and 0 < np.ptp(x) < 9, None, None),  # offset
        (lambda x: len(x) > 128 and np.argmax(x[:, 0]) == len(x) - 1, (129, 1), None),  # tail
    ],
)
def test_planted_faults_end_small(condition, shape, text):
    verdict = counterexample(at(condition))
    (x,) = verdict.counterexample.inputs
    assert shape is None or x.shape == shape
    assert text is None or x.text == text
