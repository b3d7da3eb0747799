"""The chapters beside the lecture: each claim holds, tells its mutants apart, and rejects plants.

Fewer examples than by default, in float64; `tox -e deep` runs every claim at default settings.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from verimath import Claim, Converges, Gradient, Hessian, Jacobian, Status, check, numeric
from verimath.catalogue import all_claims, lecture_claims
from verimath.claims import CHAPTERS, FURTHER, LECTURE, depths
from verimath.claims_file import claims_of
from verimath.report.record import ClaimRecord

DEPTHS = claims_of(depths)  # whose statements are pairs of equalities
CLAIMS = {id_: claim for id_, claim in all_claims().items() if id_ not in lecture_claims()}


def claimed(claim: Claim) -> Callable[..., Any]:
    """What the claim says the value is: a formula, which runs on numpy arrays as it stands."""
    statement = claim.statement
    if isinstance(statement, Gradient | Jacobian | Hessian):
        return statement.equals
    return statement.to if isinstance(statement, Converges) else statement.right


def planted(claim: Claim) -> dict[str, Callable[..., Any]]:
    """The claimed formula with its first result spoilt."""

    def spoilt(change: Callable[[Any], Any]) -> Callable[..., Any]:
        def wrong(*inputs: Any) -> Any:
            result = claimed(claim)(*inputs)
            first, *rest = result if isinstance(result, tuple) else (result,)
            found = change(np.array(first))
            return (found, *rest) if isinstance(result, tuple) else found

        return wrong

    def one_off(value: Any) -> Any:
        value.flat[:1] *= 1 + 1e-3
        return value

    def not_a_number(value: Any) -> Any:
        value.flat[-1:] = np.nan
        return value

    return {
        "times 3": spoilt(lambda value: 3 * value),
        "one element off": spoilt(one_off),
        "not a number": spoilt(not_a_number),
        "an axis more": spoilt(lambda value: value[None]),
        "in float32": spoilt(lambda value: value.astype(np.float32)),
    }


@cache
def record_of(claim_id: str) -> ClaimRecord:
    claim = CLAIMS[claim_id]
    routes = [numeric(name, function) for name, function in planted(claim).items()]
    right = numeric("as claimed", claimed(claim))
    backends = ("numpy", "torch-cpu")
    return check(claim, right, *routes, backend=backends, dtype="float64", examples=12).claims[0]


ITEMS = [pytest.param(i, marks=pytest.mark.xdist_group(i)) for i in CLAIMS]


@pytest.mark.parametrize("claim_id", ITEMS)
def test_the_claim_holds_on_every_route(claim_id: str) -> None:
    record, plants = record_of(claim_id), planted(CLAIMS[claim_id])
    own = [verdict for verdict in record.verdicts if verdict.route not in plants]
    assert {v.dtype for v in own if v.status is Status.PASS} == {"float64"}
    for verdict in own:
        found = (verdict.route, verdict.backend, verdict.dtype, verdict.status, verdict.reason)
        assert verdict.status in (Status.PASS, Status.LESS_ACCURATE), found
        assert verdict.elements > 0
    assert all(step.checked for step in record.proof.steps)
    assert record.proof.label not in ("none", "refuted")


@pytest.mark.parametrize("claim_id", ITEMS)
def test_every_mutant_dies(claim_id: str) -> None:
    mutants = {mutant.name: mutant for mutant in record_of(claim_id).mutants}
    own = set(CLAIMS[claim_id].mutants)
    assert len(own) >= (1 if CLAIMS[claim_id] in DEPTHS else 4)
    assert own < set(mutants)  # there are generated ones, too
    assert [name for name, mutant in mutants.items() if not mutant.killed_by] == []


@pytest.mark.parametrize("claim_id", ITEMS)
def test_plants_are_rejected(claim_id: str) -> None:
    record = record_of(claim_id)
    verdicts = {v.route: v for v in record.verdicts if v.dtype == "float64"}
    assert verdicts["as claimed"].status is Status.PASS
    for name in planted(CLAIMS[claim_id]):
        assert verdicts[name].status is Status.WRONG, name
        assert verdicts[name].counterexample is not None
    assert verdicts["an axis more"].defect == "shape"
    assert verdicts["in float32"].defect == "dtype"
    assert verdicts["not a number"].defect == "nonfinite"
    assert record.outcome == "not_as_expected"
    assert record.reason.startswith("candidate `")


def test_chapters_are_listed_once() -> None:
    assert CHAPTERS == LECTURE + FURTHER
    assert len(set(CHAPTERS)) == len(CHAPTERS)
    assert list(all_claims())[: len(lecture_claims())] == list(lecture_claims())
    assert len(CLAIMS) >= 50
    assert all(claim.expected == "holds" for claim in CLAIMS.values())


def test_false_claims_of_the_lecture_name_what_is_true() -> None:
    for claim in lecture_claims().values():
        if claim.expected == "refuted":
            assert claim.repaired is not None
            assert lecture_claims()[claim.repaired].expected == "holds"
