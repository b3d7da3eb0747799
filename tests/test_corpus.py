"""The corpus: every wrong implementation is rejected, no right one is.

One run per claim judges all its cases at once, with default settings but for the dtypes: float64
alone, unless a case asks for another. Here run one or two claims of every chapter; `tox -e deep`
runs all of them, in all dtypes and from three seeds.
"""

import pytest

from verimath import Status, check
from verimath.report.record import Verdict

from tests.corpus import CHAPTERS, claims, right_cases, wrong_cases  # isort: skip

BAD = (Status.WRONG, Status.ERROR)
QUICK = frozenset(
    {
        "ridge",
        "tanh",
        "exp-minus-one",
        "cubic",
        "trace-linear",
        "trace-between",
        "scaled-counts",
        "mean-of-row-means",
        "absolute-sum",
        "clipped-sum",
        "mean-squared-error",
        "roughness",
        "even-and-odd",
        "weighted-mean",
        "sine",
        "complex-magnitude",
    }
)
OWN = ("closed form", "torch reverse mode", "left side", "right side")
_RUNS = {}


def dtypes_of(case, every):
    """What a case is judged in, of the dtypes that it is for: float64 if that is one, or all."""
    own = dict(case.options).get("dtype")
    return own if every or (own is not None and "float64" not in own) else "float64"


def verdicts(claim_id, dtypes="float64", seed=0, *, every=False) -> list[Verdict]:
    """The verdicts on all cases of a claim that are judged in the same dtypes."""
    key = (claim_id, dtypes, seed, every)
    if key not in _RUNS:
        cases = [c for c in (*right_cases(), *wrong_cases()) if c.claim == claim_id]
        routes = [case.route for case in cases if dtypes_of(case, every) == dtypes]
        _RUNS[key] = check(claims()[claim_id], *routes, seed=seed, dtype=dtypes)
    return list(_RUNS[key].claims[0].verdicts)


def of_case(case, seed=0, *, every=False):
    found = verdicts(case.claim, dtypes_of(case, every), seed, every=every)
    return [v for v in found if v.route == case.name or v.route.startswith(f"{case.name}: ")]


def group(case):
    return f"{case.claim}: {case.name}"


def marks_of(claim_id):
    """The cases of a claim share a run; all but a few claims are slow."""
    together = pytest.mark.xdist_group(claim_id)
    return [together] if claim_id in QUICK else [together, pytest.mark.deep]


def cases(found):
    """Cases as parameters, the slow ones marked."""
    return [pytest.param(case, id=group(case), marks=marks_of(case.claim)) for case in found]


@pytest.mark.parametrize("case", cases(right_cases()))
def test_a_right_implementation_is_not_rejected(case):
    found = of_case(case)
    assert any(v.elements for v in found)
    for verdict in found:
        assert verdict.status not in BAD, (verdict.backend, verdict.defect, verdict.reason)


@pytest.mark.parametrize("case", cases(wrong_cases()))
def test_a_wrong_implementation_is_rejected(case):
    assert any(v.status in BAD for v in of_case(case)), [v.status for v in of_case(case)]


@pytest.mark.parametrize("claim_id", [pytest.param(i, marks=marks_of(i)) for i in sorted(QUICK)])
def test_the_claim_itself_holds(claim_id):
    own = [v for v in verdicts(claim_id) if v.route in OWN]
    assert own
    assert all(v.status in (Status.PASS, Status.LESS_ACCURATE, Status.SKIPPED) for v in own)


def test_no_two_wrong_ones_share_function_and_mistake():
    pairs = [(case.claim, case.mistake) for case in wrong_cases()]
    assert len(set(pairs)) == len(pairs)
    assert all(case.mistake for case in wrong_cases())


def test_every_case_has_a_claim_and_every_claim_cases():
    used = {case.claim for case in (*right_cases(), *wrong_cases())}
    assert used == set(claims())
    assert CHAPTERS


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("case", cases([*right_cases(), *wrong_cases()]))
def test_in_every_dtype_at_three_seeds(case, seed):
    found = of_case(case, seed, every=True)
    rejected = any(v.status in BAD for v in found)
    assert rejected is bool(case.mistake)
