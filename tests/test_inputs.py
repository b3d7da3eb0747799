"""Every input of a domain: what is made of any numbers is a member, exactly, in every dtype."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import verimath
from verimath import ClaimError, Domain, reals
from verimath.dtypes import DTYPES, every_number, is_number, largest
from verimath.examples import draw_examples, fill
from verimath.inputs import (
    binary,
    diagonally_dominant,
    distinct,
    integers,
    invertible,
    labels,
    masks,
    nonzero,
    one_hot,
    orthogonal,
    positive,
    signs,
    simplex,
    spd,
    symmetric,
    triangular,
    unit_interval,
    unit_vectors,
    well_conditioned,
)
from verimath.plans import FORMS, KINDS, Plan
from verimath.structure import STRUCTURES, how_many, separated


def exact(row):
    return [Fraction(float(x)) for x in row]


def determinant(matrix):
    """By fraction-free elimination (Bareiss), exactly."""
    rows = [exact(row) for row in matrix]
    size, sign, before = len(rows), 1, Fraction(1)
    for k in range(size - 1):
        pivot = next((i for i in range(k, size) if rows[i][k]), None)
        if pivot is None:
            return Fraction(0)
        if pivot != k:
            rows[k], rows[pivot], sign = rows[pivot], rows[k], -sign
        for i in range(k + 1, size):
            for j in range(k + 1, size):
                rows[i][j] = (rows[i][j] * rows[k][k] - rows[i][k] * rows[k][j]) / before
        before = rows[k][k]
    return sign * rows[-1][-1] if size else Fraction(1)


def product(a, b):
    return [
        [sum(x * y for x, y in zip(row, col, strict=True)) for col in zip(*b, strict=True)]
        for row in a
    ]


def identity(size):
    return [[Fraction(int(i == j)) for j in range(size)] for i in range(size)]


def is_spd(m):
    return bool(np.all(m == m.T)) and all(determinant(m[:k, :k]) > 0 for k in range(1, len(m) + 1))


def is_orthogonal(m):
    rows = [exact(row) for row in m]
    return not rows or product(rows, list(zip(*rows, strict=True))) == identity(len(rows))


def is_dominant(m):
    rows = [exact(row) for row in m]
    return all(2 * abs(row[i]) > sum(map(abs, row)) for i, row in enumerate(rows))


def conditioned(m):
    values = np.linalg.svd(m.astype(np.float64), compute_uv=False)
    return not len(m) or bool(values[0] <= 5 * values[-1] * (1 + 1e-12))


def rows_of(check):
    return lambda a: all(check(row) for row in (a.reshape(-1, a.shape[-1]) if a.size else ()))


def matrices_of(check):
    return lambda a: all(check(m) for m in (a.reshape(-1, *a.shape[-2:]) if a.size else ()))


MEMBER = {
    "positive": (positive("n d"), lambda a: np.all(a > 0)),
    "positive up to 2": (positive("n d", 2), lambda a: np.all((a > 0) & (a <= 2))),
    "nonzero": (nonzero("n d"), lambda a: np.all(a != 0)),
    "nonzero from -1 to 1": (nonzero("n d", -1, 1), lambda a: np.all((a != 0) & (abs(a) <= 1))),
    "unit interval": (unit_interval("n d"), lambda a: np.all((a >= 0) & (a <= 1))),
    "open interval": (
        unit_interval("n d", exclude_min=True, exclude_max=True),
        lambda a: np.all((a > 0) & (a < 1)),
    ),
    "half open": (
        reals("n d", 0.1, 0.3, exclude_min=True),
        lambda a: all(Fraction(0.1) < x <= Fraction(0.3) for x in exact(a.ravel())),
    ),
    "distinct": (distinct("n d"), lambda a: len(set(a.ravel().tolist())) == a.size),
    "distinct, narrow": (
        distinct("n d", 1, 2),
        lambda a: len(set(a.ravel().tolist())) == a.size and np.all((a >= 1) & (a <= 2)),
    ),
    "simplex": (simplex("n d"), rows_of(lambda r: min(r) >= 0 and sum(exact(r)) == 1)),
    "open simplex": (
        simplex("n d", positive=True),
        rows_of(lambda r: min(r) > 0 and sum(exact(r)) == 1),
    ),
    "one-hot": (
        one_hot("n d"),
        rows_of(lambda r: sorted(r)[:-1] == [0] * (len(r) - 1) and max(r) == 1),
    ),
    "unit vectors": (unit_vectors("n d"), rows_of(lambda r: sum(x * x for x in exact(r)) == 1)),
    "binary": (binary("n d"), lambda a: set(a.ravel().tolist()) <= {0.0, 1.0}),
    "signs": (signs("n d"), lambda a: set(a.ravel().tolist()) <= {-1.0, 1.0}),
    "masks": (masks("n d"), lambda a: a.dtype == bool),
    "integers": (integers("n d"), lambda a: a.dtype == np.int64),
    "integers from -2 to 3": (
        integers("n d", -2, 3),
        lambda a: a.dtype == np.int64 and np.all((a >= -2) & (a <= 3)),
    ),
    "spd": (spd("d d"), matrices_of(is_spd)),
    "batched spd": (spd("n d d"), matrices_of(is_spd)),
    "invertible": (invertible("d d"), matrices_of(lambda m: determinant(m) != 0)),
    "well-conditioned": (well_conditioned("d d"), matrices_of(conditioned)),
    "symmetric": (symmetric("d d"), lambda a: np.all(a == a.T)),
    "diagonally dominant": (diagonally_dominant("d d"), matrices_of(is_dominant)),
    "orthogonal": (orthogonal("d d"), matrices_of(is_orthogonal)),
    "lower": (triangular("d d"), lambda a: np.all(a == np.tril(a))),
    "upper": (triangular("d d", upper=True), lambda a: np.all(a == np.triu(a))),
    "lower, nonzero diagonal": (
        triangular("d d", diagonal="nonzero"),
        lambda a: np.all(a == np.tril(a)) and np.all(np.diag(a) != 0),
    ),
    "unit upper": (
        triangular("d d", upper=True, diagonal="unit"),
        lambda a: np.all(a == np.triu(a)) and np.all(np.diag(a) == 1),
    ),
}


def member(name, array, dtype):
    """Whether an array is of the domain and its numbers are the dtype's."""
    _, check = MEMBER[name]
    held = array.dtype.kind != "f" or all(is_number(float(x), dtype) for x in array.ravel())
    finite = bool(np.all(np.isfinite(array)))
    return bool(check(array)) and held and finite


def test_every_structure_is_checked_here():
    tested = {spec.structure for spec, _ in MEMBER.values()}
    other = {
        f"{u} triangular, {d} diagonal"
        for u in ("lower", "upper")
        for d in ("any", "nonzero", "unit")
    }
    assert set(STRUCTURES) <= tested | other


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", MEMBER)
def test_whatever_is_drawn_is_a_member(name, dtype):
    spec, _ = MEMBER[name]
    domain = Domain(x=spec)
    for number, (n, d) in enumerate(
        [(0, 3), (1, 1), (2, 2), (3, 5), (5, 7), (2, 1), (1, 0), (2, 13)]
    ):
        sizes = tuple((k, v) for k, v in (("n", n), ("d", d)) if k in domain.names)
        if not domain.satisfiable({}, dict(sizes)):
            assert d == 0
            continue
        for index, kind in enumerate(KINDS):
            form = FORMS[(index + number) % len(FORMS)]
            plan = Plan((), sizes, kind, number - 3, number, 2, form)
            batch = fill(plan, domain).cast(domain, dtype)["x"]
            assert all(member(name, example, dtype) for example in batch), (kind, form)


NUMBERS = st.one_of(st.integers(-3, 3).map(float), st.floats(allow_nan=False, allow_infinity=False))


@settings(max_examples=12, deadline=None)
@given(data=st.data(), size=st.integers(1, 4), dtype=st.sampled_from(DTYPES))
@pytest.mark.parametrize("name", MEMBER)
def test_whatever_the_free_numbers_are_the_result_is_a_member(name, data, size, dtype):
    spec, _ = MEMBER[name]
    shape = tuple(axis.at({"n": 2, "d": size}) for axis in spec.shape.expand({}))
    free = data.draw(arrays(np.float64, (1, *shape), elements=NUMBERS))
    (found,) = spec.cast(free, dtype, {})
    assert found.shape == shape
    assert member(name, found, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "simplest"),
    [
        ("simplex", [1, 0, 0]),
        ("one-hot", [1, 0, 0]),
        ("unit vectors", [1, 0, 0]),
        ("distinct", [0, 1, 2]),
        ("nonzero", [1, 1, 1]),
        *[(name, np.eye(3)) for name in ("spd", "invertible", "well-conditioned", "orthogonal")],
        *[(name, np.eye(3)) for name in ("diagonally dominant", "lower, nonzero diagonal")],
    ],
)
def test_zeros_make_the_simplest_member(name, simplest, dtype):
    spec, _ = MEMBER[name]
    shape = tuple(axis.at({"n": 1, "d": 3}) for axis in spec.shape.expand({}))
    (found,) = spec.cast(np.zeros((1, *shape)), dtype, {})
    np.testing.assert_array_equal(found.reshape(np.shape(simplest)), simplest)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["simplex", "open simplex"])
@pytest.mark.parametrize("classes", [127, 300, 1025])
def test_long_rows_sum_to_one_too(name, classes, dtype):
    spec, _ = MEMBER[name]
    generator = np.random.default_rng(classes)
    for weights in (generator.exponential(size=(3, classes)), np.eye(3, classes) + 1e-9):
        for row in spec.cast(weights, dtype, {}):
            assert member(name, row[None], dtype)


def test_rows_keep_the_dtypes_precision():
    """A structure in few bits would hide code that computes in a narrower dtype."""
    (row,) = simplex("d").cast(np.array([[0.3, 0.5, 1.1]]), "float64", {})
    assert any(not is_number(float(x), "float32") for x in row)
    spec = spd("d d").cast(np.random.default_rng(0).normal(size=(1, 5, 5)), "float64", {})
    assert any(not is_number(float(x), "float32") for x in spec.ravel())


@pytest.mark.parametrize("name", ["invertible", "spd"])
def test_ill_conditioned_members_are_drawn(name):
    spec, _ = MEMBER[name]
    domain = Domain(x=spec)
    found = draw_examples(domain, lambda plan: True, count=80, entropy=0)
    matrices = [m for b in found for m in b.cast(domain, "float64")["x"] if 1 < len(m) < 9]
    assert max(np.linalg.cond(m) for m in matrices) > 1e4
    if name == "invertible":
        assert any(m[0, 0] == 0 for m in matrices), "elimination has to interchange rows"


def test_orthogonal_matrices_are_more_than_permutations():
    dense = orthogonal("d d").cast(
        np.random.default_rng(1).normal(size=(1, 7, 7)) * 3, "float16", {}
    )
    assert np.count_nonzero(dense) > 20
    dense = unit_vectors("d").cast(np.random.default_rng(1).normal(size=(1, 7)) * 3, "float16", {})
    assert np.count_nonzero(dense) > 3


CLASSIFIED = Domain(z=reals("n c"), y=labels("n", classes="c"))
IGNORING = Domain(z=reals("n c"), y=labels("n", classes="c", ignore_index=-100))


@pytest.mark.parametrize("seed", range(3))
def test_labels_are_below_the_number_of_classes_and_meet_the_last(seed):
    met = set()
    for batch in draw_examples(CLASSIFIED, lambda plan: True, count=80, entropy=seed):
        y, c = batch.cast(CLASSIFIED, "float16")["y"], batch.sizes["c"]
        assert y.dtype == np.int64
        assert np.all((y >= 0) & (y < c))
        met |= {(c, int(label)) for label in y.ravel()}
    assert {(2, 0), (2, 1), (3, 2)} <= met
    assert all(sizes["c"] or not sizes["n"] for sizes in _sizes(CLASSIFIED, seed))


def _sizes(domain, seed):
    return [b.sizes for b in draw_examples(domain, lambda plan: True, count=80, entropy=seed)]


def test_ignored_labels_are_drawn_and_may_be_all():
    met = set()
    for batch in draw_examples(IGNORING, lambda plan: True, count=80, entropy=0):
        y, c = batch.cast(IGNORING, "float64")["y"], batch.sizes["c"]
        assert np.all((y == -100) | ((y >= 0) & (y < c)))
        met |= set(y.ravel().tolist())
    assert {-100, 0, 1} <= met
    assert any(sizes["c"] == 0 < sizes["n"] for sizes in _sizes(IGNORING, 0))


def test_fixed_classes_and_sums_of_names():
    assert Domain(y=labels("n", classes=3)).satisfiable({}, {"n": 4})
    found = labels("n", classes="c+1").cast(np.array([[9.0]]), "float64", {"c": 2})
    assert found.tolist() == [[2]]


@given(st.data(), st.sampled_from(["float16", "bfloat16"]))
def test_separated_numbers_are_distinct_ordered_and_in_range(data, dtype):
    numbers = every_number(dtype)
    few = st.sampled_from(
        sorted(set(data.draw(st.lists(st.sampled_from(numbers.tolist()), min_size=1, max_size=3))))
    )
    values = np.array([data.draw(st.lists(few, min_size=1, max_size=12))])
    low, high = float(values.min()), float(values.max())
    room = how_many(low, high, dtype)
    assert room == len({float(x) for x in numbers if low <= x <= high})
    if room >= values.size:
        (found,) = separated(values, low, high, dtype)
        assert len(set(found.tolist())) == values.size
        assert found.min() >= low
        assert found.max() <= high
        assert all(is_number(x, dtype) for x in found.tolist())
        order = np.argsort(values[0], kind="stable")
        assert np.all(np.diff(found[order]) > 0)


def test_sizes_with_too_few_numbers_are_not_drawn():
    domain = Domain(x=distinct("n", 1, 1.0625))  # nine numbers of bfloat16
    assert domain.satisfiable({}, {"n": 9})
    assert not domain.satisfiable({}, {"n": 10})
    assert max(sizes["n"] for sizes in _sizes(domain, 0)) <= 9


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: positive("n", -1),
            "no float64 number lies between min_value=0.0 and max_value=-1",
        ),
        (lambda: nonzero("n", 0, 0), "no float64 number lies between min_value=0 and max_value=0"),
        (lambda: reals("n", 1, 1, exclude_max=True), "no float64 number lies between"),
        (lambda: reals("n", exclude_min=True), "exclude_min=True without min_value"),
        (lambda: reals("n", 0, allow_infinity=True), "infinities lie beyond every bound"),
        (lambda: simplex(""), r'simplex\(""\): the last axes have to be sizes; wanted e.g. "n c"'),
        (lambda: one_hot("*n"), "the last axes have to be sizes"),
        (lambda: spd("n"), r'spd\("n"\): the last axes have to be sizes; wanted e.g. "n n"'),
        (lambda: spd("n d"), r'spd\("n d"\): the matrices have to be square; wanted e.g. "n n"'),
        (lambda: triangular("n n", diagonal="zero"), 'diagonal=\'zero\'; wanted "any", "nonzero"'),
        (lambda: integers("n", 0.5), "min_value=0.5 is no integer"),
        (lambda: integers("n", True), "min_value=True is no integer"),
        (lambda: integers("n", 2, 1), "no integer lies between min_value=2 and max_value=1"),
        (lambda: integers("n", 2**60), "is beyond 2\\^53"),
        (lambda: labels("n", classes=0), "classes=0 leaves no label"),
        (lambda: labels("n", classes="a b"), "classes='a b' is no size; wanted e.g. classes='c'"),
        (lambda: labels("n", classes=2.0), "classes=2.0 is no size"),
        (lambda: labels("n", classes=2, ignore_index=0.5), "ignore_index=0.5 is no integer"),
        (
            lambda: Domain(y=labels("n", classes="c")),
            "no input has a dimension 'c'; wanted e.g. Domain",
        ),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ClaimError, match=message):
        make()


@pytest.mark.parametrize(
    "text",
    [
        'positive("n d")',
        'positive("n", max_value=2)',
        'nonzero("n", min_value=-1)',
        'unit_interval("n", exclude_max=True)',
        'simplex("n c", positive=True)',
        'labels("n", classes="c", ignore_index=-100)',
        'labels("n", classes=10)',
        'integers("n", min_value=0, max_value=3)',
        'triangular("n n", upper=True, diagonal="unit")',
        'spd("*batch n n")',
    ],
)
def test_an_input_prints_as_it_is_written(text):
    assert (
        str(
            eval(
                text, vars(verimath) | {name: getattr(verimath, name) for name in verimath.__all__}
            )
        )
        == text
    )


def test_nan_and_infinity_only_where_they_are_allowed():
    def met(**options):
        domain = Domain(x=reals("n", **options))
        found = draw_examples(domain, lambda plan: True, count=80, entropy=0)
        return np.concatenate([b.cast(domain, "float32")["x"].ravel() for b in found])

    assert np.isfinite(met()).all()
    assert np.isnan(met(allow_nan=True)).any()
    assert not np.isinf(met(allow_nan=True)).any()
    assert {np.inf, -np.inf} <= set(met(allow_infinity=True).tolist())
    assert str(reals("n", allow_nan=True)) == 'reals("n", NaN allowed)'


def test_beyond_a_dtype_lies_its_largest_number():
    found = reals("n").cast(np.array([[1e300, -1e300]]), "float16", {})
    assert found.tolist() == [[largest("float16"), -largest("float16")]]
