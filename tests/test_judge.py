"""Every status, every defect, in the order in which they are looked for, in these words."""

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verimath.backends import Fetched
from verimath.judge import Judgement, judge, judge_bound, judge_stacked, worse
from verimath.reference.want import Want
from verimath.report.record import Status

WRONG, PASS, OPEN = Status.WRONG, Status.PASS, Status.INCONCLUSIVE


def wanting(value, allowed=1e-3, envelope=1e-1, error=1e-9):
    value = np.asarray(value, np.float64)

    def full(x):
        return np.broadcast_to(np.asarray(x, np.float64), value.shape)

    def widen(largest):
        return full(envelope)[None]

    return Want(value[None], full(error)[None], full(allowed)[None], widen)


def overflowing(value, unlimited):
    """A rearranged evaluation may overflow; one that doesn't leads so far."""

    def widen(largest):
        return full(np.inf if largest == 65504.0 else unlimited)

    value = np.asarray(value, np.float64)[None]

    def full(x):
        return np.full_like(value, x)

    return Want(value, full(1e-9), full(1e-3), widen, 65504.0)


def came(value, dtype="float64", on_device=True):
    array = np.asarray(value, dtype)
    return Fetched(array, array.dtype.name, on_device)


def judged(got, want, **options):
    return judge([[came(got, **options)]], [want], dtype="float64")


@dataclass(frozen=True)
class Element:
    """One number: what came and what was wanted, and how far off it may be."""

    got: float
    want: float
    allowed: float
    envelope: float  # of rearranged evaluations
    unlimited: float  # of those without an overflow on the way

    @property
    def judged(self):
        """As the head of judge.py has it, in rational numbers; None if it isn't compared."""
        only_overflow = self.unlimited < self.envelope == np.inf
        if self.allowed == np.inf:
            return None
        if not math.isfinite(self.got):
            return None if only_overflow else "nonfinite"
        off, known = abs(Fraction(self.got) - Fraction(self.want)), self.envelope < np.inf
        if off <= self.allowed:
            return "pass"
        if off <= (self.unlimited if only_overflow else self.envelope) and (known or only_overflow):
            return "less_accurate"
        return "value" if known else "inconclusive"

    @property
    def ratio(self):
        if self.judged is None or self.got == self.want:
            return 0.0
        off = abs(self.got - self.want) if math.isfinite(self.got) else np.inf
        return off / self.allowed if self.allowed else np.inf


@st.composite
def elements(draw):
    want = draw(st.sampled_from([0.0, 1.0, -2.0]))
    off = draw(st.sampled_from([0.0, 0.0, 0.25, -0.5, 0.75, 3.0, np.inf, -np.inf, np.nan]))
    allowed = draw(st.sampled_from([0.0, 0.25, 0.5, np.inf]))
    further = [max(allowed, x) for x in (0.5, 0.75, np.inf)]
    unlimited = draw(st.sampled_from(further))
    envelope = draw(st.sampled_from([unlimited, np.inf]))
    return Element(want + off, want, allowed, envelope, unlimited)


def of_elements(arrays):
    """Results and wants of arrays of shape (count, n) of elements."""

    def all_of(array, name):
        return np.array([[getattr(e, name) for e in row] for row in array], np.float64)

    def want(array):
        def widen(largest):
            return all_of(array, "unlimited" if largest == np.inf else "envelope")

        value, allowed = all_of(array, "want"), all_of(array, "allowed")
        return Want(value, np.zeros_like(value), allowed, widen, 65504.0)

    return [all_of(array, "got") for array in arrays], [want(array) for array in arrays]


RANKS = ["pass", "less_accurate", "inconclusive", "value", "nonfinite"]


@given(
    st.integers(1, 2).flatmap(
        lambda n: st.lists(
            st.lists(st.lists(elements(), min_size=n, max_size=n), min_size=2, max_size=2),
            min_size=1,
            max_size=2,
        )
    ),
    st.booleans(),
)
def test_a_judgement_is_that_of_its_worst_element(arrays, power):
    """Every element by itself, as the words have it, and nothing else decides.

    A wrong number and one that is none are equally bad.
    """
    got, wants = of_elements(arrays)
    cells = [e for array in arrays for row in array for e in row]
    compared = [e for e in cells if e.judged is not None]
    # The first result that is as bad as any is named; an open one is none if another is compared.
    of_each = [[RANKS.index(e.judged) for row in a for e in row if e.judged] for a in arrays]
    worst = max(map(max, filter(None, of_each)), default=2, key=lambda rank: min(rank, 3))
    results = [[came(array[k]) for array in got] for k in range(2)]
    for found in (
        judge(results, wants, dtype="float64", power=power),
        judge_stacked(got, wants, power=power),
    ):
        expected = ("wrong", RANKS[worst]) if worst > 2 else (RANKS[worst], None)
        assert (found.status, found.defect) == expected
        assert found.elements == len(compared)
        assert found.worst_ratio == max(e.ratio for e in cells)
        assert found.floors.size == (sum(e.want != 0 for e in compared) if power else 0)
        if found.finding is None:
            assert worst in (0, 2)
            continue
        place = found.finding
        culprit = arrays[place.output][found.example][place.index[0]]
        assert culprit.judged == RANKS[worst]
        row = [e.judged for e in arrays[place.output][found.example]]
        assert place.differing == row.count(RANKS[worst])
        np.testing.assert_equal(
            (place.got, place.want, place.allowed, place.limit),
            (culprit.got, culprit.want, culprit.allowed, culprit.envelope),
        )


def test_within_the_bound_is_a_pass_with_its_power():
    result = judged([1.0, 2.0005], wanting([1.0, 2.0]))
    assert (result.status, result.defect, result.reason) == (PASS, None, None)
    assert result.elements == 2
    assert result.worst_ratio == pytest.approx(0.5)
    assert result.floors == pytest.approx((0.101, 0.0505))  # bound and envelope, 0.001 + 0.1


def test_what_overflowed_where_rearranging_may_is_not_compared():
    result = judged([1.0, np.inf, np.nan], overflowing([1.0, 2.0, 3.0], 0.1))
    assert (result.status, result.elements) == (PASS, 1)
    lost = judged([np.inf], overflowing([1.0], 0.1))
    assert (lost.status, lost.elements) == (OPEN, 0)
    assert judged([1.0, np.inf], wanting([1.0, 2.0])).status is WRONG


def test_where_an_overflow_may_be_on_the_way_numbers_are_less_accurate_or_open():
    want = overflowing([60000.0, 2.0], 0.1)
    assert judged([60000.0, 2.05], want).status is Status.LESS_ACCURATE
    assert judged([60000.0, 2.5], want).status is OPEN  # 1 / inf is a number, too
    assert judged([60000.0, 2.0005], want).status is PASS


def test_an_output_without_a_bound_does_not_hide_the_other_one():
    open_ = wanting([1.0], allowed=np.inf)
    for got, status in ((2.0, PASS), (3.0, WRONG)):
        result = judge([[came([1.0]), came([got])]], [open_, wanting([2.0])], dtype="float64")
        assert (result.status, result.elements) == (status, 1)


@pytest.mark.parametrize("order", [1, -1])
def test_an_output_with_open_elements_leaves_all_of_them_open(order):
    """One beyond its bound that no envelope excuses isn't hidden by another output that passes."""
    parts = [(came([7.0]), wanting([1.0], envelope=np.inf)), (came([2.0005]), wanting([2.0]))]
    got, wants = zip(*parts[::order], strict=True)
    result = judge([got], wants, dtype="float64")
    assert (result.status, result.elements) == (OPEN, 2)
    assert result.worst_ratio == pytest.approx(6000)
    # The worst output need not have the largest ratio.
    parts = [(came([2.0]), wanting([1.0], 0.5, 0.5)), (came([1.05]), wanting([1.0]))]
    got, wants = zip(*parts[::order], strict=True)
    result = judge([got], wants, dtype="float64")
    assert (result.status, result.defect) == (WRONG, "value")
    assert result.worst_ratio == pytest.approx(50)


def test_exactly_at_the_bound_is_a_pass_and_just_beyond_is_not():
    want = wanting([1.0], allowed=2.0**-10)
    assert judged([1 + 2.0**-10], want).status is PASS
    assert judged([np.nextafter(1 + 2.0**-10, 2)], want).status is Status.LESS_ACCURATE


def test_between_bound_and_envelope_is_less_accurate():
    result = judged([1.0, 2.01], wanting([1.0, 2.0]))
    assert (result.status, result.defect) == (Status.LESS_ACCURATE, None)
    assert result.finding is not None
    assert (result.finding.index, result.finding.got) == ((1,), 2.01)


def test_beyond_the_envelope_is_wrong_and_the_worst_element_is_found():
    result = judged([[1.0, 2.2], [9.0, 4.0]], wanting([[1.0, 2.0], [3.0, 4.0]]))
    assert (result.status, result.defect, result.reason) == (WRONG, "value", None)
    found = result.finding
    assert found is not None
    assert (found.index, found.got, found.want, found.allowed) == ((1, 0), 9.0, 3.0, 1e-3)
    assert (found.differing, found.compared) == (2, 4)
    assert found.limit == 0.1


def test_wrong_at_a_bound_of_zero():
    result = judged([5e-324], wanting([0.0], allowed=0.0, envelope=0.0))
    assert (result.status, result.worst_ratio) == (WRONG, 1.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_wrong(bad):
    result = judged([1.0, bad], wanting([1.0, 2.0], envelope=np.inf))
    assert (result.status, result.defect) == (WRONG, "nonfinite")
    assert result.finding is not None
    assert result.finding.index == (1,)


def test_infinite_of_the_wrong_sign_at_the_largest_number():
    assert judged([-1.7e308], wanting([1.7e308])).status is WRONG


@pytest.mark.parametrize(
    ("got", "options", "defect", "reason"),
    [
        ([[1.0, 2.0]], {}, "shape", "shape (1, 2); wanted (2,)"),
        (1.0, {}, "shape", "shape (); wanted (2,)"),
        ([1.0, 2.0], {"dtype": "float32"}, "dtype", "dtype float32; wanted float64"),
        ([1, 2], {"dtype": "int64"}, "dtype", "dtype int64; wanted float64"),
        ([1, 2], {"dtype": "complex128"}, "dtype", "dtype complex128; wanted float64"),
        ([1.0, 2.0], {"on_device": False}, "device", "on another device than the inputs"),
        # in that order:
        ([9.0], {"dtype": "float32"}, "shape", "shape (1,); wanted (2,)"),
        ([9.0, 9.0], {"dtype": "float32", "on_device": False}, "dtype", None),
        ([9.0, 9.0], {"on_device": False}, "device", None),
    ],
)
def test_shape_dtype_and_device_come_before_values(got, options, defect, reason):
    result = judged(got, wanting([1.0, 2.0]), **options)
    assert (result.status, result.defect) == (WRONG, defect)
    assert reason is None or result.reason == reason


@pytest.mark.parametrize("count", [0, 1, 3])
def test_another_number_of_results_is_a_wrong_shape(count):
    result = judge([[came([1.0])] * count], [wanting([1.0])] * 2, dtype="float64")
    assert (result.status, result.defect) == (WRONG, "shape")
    assert result.reason == f"{count} array(s) came back; wanted 2"


def test_with_several_results_the_faulty_one_is_named():
    wants = [wanting([1.0]), wanting([2.0])]
    result = judge([[came([1.0]), came([[2.0]])]], wants, dtype="float64")
    assert result.reason == "result 2: shape (1, 1); wanted (1,)"
    result = judge([[came([1.0]), came([7.0])]], wants, dtype="float64")
    assert result.finding is not None
    assert (result.status, result.finding.output, result.elements) == (WRONG, 1, 2)


def test_nothing_with_a_finite_bound_is_inconclusive():
    result = judged([1.0, math.nan], wanting([1.0, 2.0], allowed=np.inf, envelope=np.inf))
    assert (result.status, result.elements) == (OPEN, 0)
    assert result.reason == "no element has a finite error bound: condition number up to 9e+06"


def test_the_condition_number_is_the_largest_of_those_that_are_known():
    """1 for a value that is exact; u |x| errors are one condition number."""

    def reason(value, error):
        return judged(value, wanting(value, allowed=np.inf, error=error)).reason.split(": ")[1]

    u = 2.0**-53
    assert reason([1.0], 0.0) == "condition number up to 1e+00"
    assert reason([2.0, 0.0, -4.0], [600 * u, 1.0, 400 * u]) == "condition number up to 3e+02"
    assert reason([0.0, 0.0], [1.0, 0.0]) == "condition number infinite"


def test_elements_without_a_bound_are_not_counted_and_do_not_hide_others():
    want = wanting([1.0, 2.0], allowed=[np.inf, 1e-3], envelope=[np.inf, 1e-1])
    result = judged([math.nan, 2.0], want)
    assert (result.status, result.elements) == (PASS, 1)
    assert judged([math.nan, 3.0], want).status is WRONG


def test_beyond_its_bound_without_an_envelope_is_neither_right_nor_less_accurate():
    result = judged([1.0, 7.0], wanting([1.0, 2.0], envelope=[1e-1, np.inf]))
    assert (result.status, result.elements) == (OPEN, 2)
    assert result.reason.startswith("beyond its bound, where rearranged evaluations have none: ")


def test_an_empty_result_is_judged_by_its_shape_and_compares_nothing():
    result = judged(np.zeros((0, 2)), wanting(np.zeros((0, 2))))
    assert (result.status, result.elements) == (PASS, 0)
    assert judged(np.zeros((2, 0)), wanting(np.zeros((0, 2)))).defect == "shape"


def test_a_number_without_axes():
    assert judged(2.0, wanting(2.0)).status is PASS
    result = judged(3.0, wanting(2.0))
    assert result.finding is not None
    assert (result.status, result.finding.index) == (WRONG, ())


def bounded(got, want, bound):
    return judge_bound([[came(got)]], [want], bound=bound, dtype="float64")


def test_a_bound_is_kept_broken_or_too_close_to_tell():
    want = wanting([-0.5, 1.0], error=2.0**-20)
    assert bounded([-0.5, 1.0], want, 1.0 + 2.0**-19).status is PASS
    broken = bounded([-0.5, 1.0], want, 0.75)
    assert (broken.status, broken.defect) == (WRONG, "value")
    assert broken.finding is not None
    assert (broken.finding.index, broken.finding.got, broken.finding.want) == ((1,), 1.0, 0.75)
    assert (broken.elements, broken.worst_ratio, broken.reason) == (2, np.inf, None)
    close = bounded([-0.5, 1.0], want, 1.0)
    assert (close.status, close.elements) == (OPEN, 2)
    assert close.reason == "1 element(s) lie too close to the bound to tell"


def test_an_exact_value_at_the_bound_keeps_it():
    assert bounded([1.0], wanting([1.0], error=0.0), 1.0).status is PASS


def test_a_less_accurate_route_does_not_hide_a_broken_bound():
    assert bounded([1.01], wanting([1.0]), 0.5).status is WRONG
    assert bounded([1.01], wanting([1.0]), 2.0).status is Status.LESS_ACCURATE


def test_a_wrong_value_below_the_bound_is_wrong():
    assert bounded([0.0], wanting([1.0]), 2.0).status is WRONG


def test_a_later_result_is_judged_although_an_earlier_one_is_open():
    wants = [wanting([1.0]), wanting([5.0])]
    result = judge_bound([[came([1.0]), came([5.0])]], wants, bound=1.0, dtype="float64")
    assert result.status is WRONG


def test_the_worse_judgement_wins():
    names = ["pass", "less_accurate", "inconclusive", "wrong", "error"]
    ranked = [Judgement(Status(name)) for name in names]
    for better, poorer in pairwise(ranked):
        assert worse(better, poorer) is worse(poorer, better) is poorer
    first = Judgement(Status.WRONG, "shape")
    assert worse(first, Judgement(Status.WRONG, "value")) is first


def test_the_finding_names_its_output():
    results = [came([1.0]), came([5.0])]
    wants = [wanting([1.0]), wanting([2.0])]
    assert judge([results], wants, dtype="float64").finding.output == 1
    results = [came([1.0]), came([np.nan])]
    found = judge([results], wants, dtype="float64")
    assert (found.defect, found.finding.output, found.worst_ratio) == ("nonfinite", 1, np.inf)


def test_one_open_result_leaves_a_bound_open():
    wants = [wanting([1.0], error=1e-3), wanting([0.2])]
    result = judge_bound([[came([1.0]), came([0.2])]], wants, bound=1.0, dtype="float64")
    assert result.status is Status.INCONCLUSIVE


def test_the_second_result_may_exceed_the_bound():
    wants = [wanting([0.1]), wanting([2.0])]
    result = judge_bound([[came([0.1]), came([2.0])]], wants, bound=1.0, dtype="float64")
    assert (result.status, result.finding.output) == (Status.WRONG, 1)


def test_the_rim_of_the_envelope_is_still_inside():
    want = wanting([0.0], allowed=0.25, envelope=0.5)
    assert judged([0.5], want).status is Status.LESS_ACCURATE
    assert judged([np.nextafter(0.5, 1)], want).status is Status.WRONG


def test_elements_without_a_bound_have_no_floor_and_no_ratio():
    bounds = [0.5, np.inf]
    result = judged([1.0, 9.0], wanting([1.0, 1.0], allowed=bounds, envelope=bounds))
    assert (result.status, result.elements, result.worst_ratio) == (Status.PASS, 1, 0.0)
    assert len(result.floors) == 1


def batch_of_three(**options):
    """Three examples of two elements, wanting 1 and 2, 3 and 4, 5 and 6."""
    value = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    full = np.full_like(value, 1e-3)
    return value, Want(value, full * 1e-6, full, lambda largest: full * 100)


def test_a_batch_is_judged_whole_and_names_the_example():
    value, want = batch_of_three()
    assert judge([[came(v)] for v in value], [want], dtype="float64").elements == 6
    got = value.copy()
    got[1, 0], got[2, 1] = 7.0, 6.5
    result = judge([[came(v)] for v in got], [want], dtype="float64")
    assert (result.status, result.example, result.finding.index) == (WRONG, 1, (0,))
    assert (result.finding.differing, result.finding.compared) == (1, 2)


def test_floors_are_left_out_on_demand():
    value, want = batch_of_three()
    got = [[came(v)] for v in value]
    assert judge(got, [want], dtype="float64", power=False).floors.size == 0
    assert judge(got, [want], dtype="float64").floors.size == 6
    assert judge_stacked([value], [want]).floors.size == 6
    bound = {"bound": 9.0, "dtype": "float64"}
    assert judge_bound(got, [want], **bound, power=False).floors.size == 0
    assert judge_bound(got, [want], **bound).floors.size == 6


def test_what_can_not_be_compared_is_found_in_its_example():
    value, want = batch_of_three()
    got = [[came(value[0])], [came(value[1], dtype="float32")], [came(value[2, :1])]]
    result = judge(got, [want], dtype="float64")
    assert (result.status, result.defect, result.example) == (WRONG, "dtype", 1)


def test_a_batch_that_came_at_once_is_judged_like_its_examples():
    value = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    full = wanting(value)
    want = Want(
        full.value[0], full.error[0], full.allowed[0], lambda largest: full.widen(largest)[0]
    )
    for off in (0.0, 5e-4, 5e-2, 1.0, np.inf):
        got = value.copy()
        got[1, 1] += off
        one_by_one = judge([[came(example)] for example in got], [want], dtype="float64")
        assert judge_stacked([got], [want]) == one_by_one
    assert judge_stacked([value + 1.0], [want]).status is Status.WRONG
    with pytest.raises(ValueError, match="shapes"):
        judge_stacked([value[:2]], [want])
    with pytest.raises(ValueError, match="shapes"):
        judge_stacked([], [want])
