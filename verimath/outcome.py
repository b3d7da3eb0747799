"""How a claim came out: from verdicts, proof and mutants to one word and its reason.

The rules of exit codes and of the report's headline live here and nowhere else.
"""

from collections.abc import Sequence

from verimath.claim import Claim
from verimath.report.record import (
    ClaimRecord,
    Mutant,
    Outcome,
    Proof,
    Status,
    Summary,
    Verdict,
)
from verimath.routes import Way


def outcome_of(
    claim: Claim,
    ways: Sequence[Way],
    verdicts: Sequence[Verdict],
    proof: Proof,
    mutants: Sequence[Mutant],
) -> tuple[Outcome, str]:
    """How a claim came out and why, in one sentence."""
    sides = {way.name: way.side for way in ways}
    of = {side: [v for v in verdicts if sides[v.route] == side] for side in sides.values()}
    claimed, independent = of.get("claim", []), of.get("reference", [])
    refuted = [v for v in claimed if v.status is Status.WRONG]
    broken = [step for step in proof.steps if not step.checked]
    outvoted = _bad(independent)
    if broken:
        return "not_as_expected", f"a step of the derivation fails its own check: {broken[0].tex}"
    if proof.label == "none" and proof.certificate:
        return "not_as_expected", proof.certificate
    if claim.expected == "refuted":
        outcome, reason = _outcome_of_false(refuted, outvoted)
    elif refuted and not outvoted and any(v.status is Status.PASS for v in independent):
        agreeing = ", ".join(dict.fromkeys(v.route for v in independent if v.status is Status.PASS))
        return "not_as_expected", f"the claim is the odd one out: {agreeing} agree on another value"
    elif _bad(claimed) or outvoted:
        first = [*outvoted, *_bad(claimed)][0]
        return "not_as_expected", (
            f"{first.route} on {first.backend} {first.dtype} is {first.status.value}"
        )
    else:
        outcome, reason = _outcome_of_true(claimed, mutants)
    bad = _bad(of.get("candidate", []))
    if bad and outcome != "not_as_expected":
        first = bad[0]
        where = f"{first.backend} {first.dtype}"
        return "not_as_expected", f"candidate `{first.route}` is {first.status.value} on {where}"
    undecided = [v for v in of.get("candidate", []) if v.status is Status.INCONCLUSIVE]
    if undecided and outcome == "as_expected":
        return "undecided", f"candidate `{undecided[0].route}`: {undecided[0].reason}"
    return outcome, reason


def _bad(verdicts: Sequence[Verdict]) -> list[Verdict]:
    return [v for v in verdicts if v.status in (Status.WRONG, Status.ERROR)]


def _outcome_of_false(
    refuted: Sequence[Verdict], outvoted: Sequence[Verdict]
) -> tuple[Outcome, str]:
    if outvoted:
        first = outvoted[0]
        return "not_as_expected", f"{first.route} on {first.backend} is {first.status.value}"
    if refuted:
        return "as_expected", "refuted, as expected: see the counterexample"
    return "not_as_expected", "expected to be refuted, but no counterexample was found"


def _outcome_of_true(claimed: Sequence[Verdict], mutants: Sequence[Mutant]) -> tuple[Outcome, str]:
    survivors = [mutant.name for mutant in mutants if mutant.killed_by is None]
    if survivors:
        return "not_as_expected", f"mutant(s) survived: {', '.join(survivors)}"
    passing = [v for v in claimed if v.status in (Status.PASS, Status.LESS_ACCURATE)]
    if not passing:
        return "undecided", "nothing was compared: every verdict on the claim is open or skipped"
    return "as_expected", "holds on every route that ran"


def summarise(records: Sequence[ClaimRecord]) -> Summary:
    """Counts over a whole run."""
    verdicts = [verdict for record in records for verdict in record.verdicts]
    outcomes = [record.outcome for record in records]
    return Summary(
        claims=len(records),
        as_expected=outcomes.count("as_expected"),
        not_as_expected=outcomes.count("not_as_expected"),
        undecided=outcomes.count("undecided"),
        verdicts={s.value: sum(v.status is s for v in verdicts) for s in Status},
        examples=sum(v.examples for v in verdicts),
        elements=sum(v.elements for v in verdicts),
    )
