"""The lecture on many more examples and seeds, the rest as by default: run by `tox -e deep`.

Prints one line a seed, for the record in docs/deep.md.
"""

import pytest

from verimath import Claim
from verimath._engine import run
from verimath.catalogue import all_claims, lecture_claims
from verimath.report.record import Status

pytestmark = pytest.mark.deep
LESS_ACCURATE = Status.LESS_ACCURATE


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_false_alarm_and_no_missed_refutation(seed: int) -> None:
    report = run(lecture_claims().values(), examples=600, seed=seed)
    judged = [v for record in report.claims for v in record.verdicts if v.elements]
    right = [v for v in judged if v.status is Status.PASS]
    worst = max(v.worst_ratio or 0.0 for v in right)
    elements = sum(v.elements for v in right)
    print(
        f"\nseed {seed}: {len(right)} verdicts pass, {elements} elements, "
        f"worst error/bound {worst:.3f}"
    )
    assert report.summary.as_expected == report.summary.claims
    less = [v for record in report.claims for v in record.verdicts if v.status is LESS_ACCURATE]
    # numpy's einsum and sums of columns add in float16, where formulas have matrix products.
    assert {(v.route, v.backend, v.dtype) for v in less} <= {("by hand", "numpy", "float16")}


FURTHER = [claim for id_, claim in all_claims().items() if id_ not in lecture_claims()]


@pytest.mark.parametrize("claim", FURTHER, ids=lambda claim: claim.id)
def test_every_claim_is_as_expected_at_default_settings(claim: Claim) -> None:
    (record,) = run([claim]).claims
    assert record.outcome == "as_expected", record.reason
    assert all(mutant.killed_by for mutant in record.mutants)
