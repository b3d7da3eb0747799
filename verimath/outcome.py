"""How a claim came out: from verdicts, proof and mutants to one word and its reason.

The rules of exit codes and of the report's headline live here and nowhere else.
"""

from collections.abc import Sequence

from verimath.claim import AtMost, Claim, Converges
from verimath.report.record import (
    ClaimRecord,
    Mutant,
    Outcome,
    Proof,
    Status,
    Summary,
    Verdict,
)
from verimath.report.text import PHRASES
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
    if broken and proof.label == "none":
        return "not_as_expected", f"a step of the derivation fails its own check: {broken[0].tex}"
    compared = any(verdict.elements for verdict in verdicts)
    if proof.label == "none" and proof.finding and compared:
        return "not_as_expected", proof.finding
    if claim.expected == "refuted":
        outcome, reason = _outcome_of_false(refuted, outvoted, proof)
    elif refuted and isinstance(claim.statement, Converges):
        first = next((v for v in refuted if v.route == "contraction"), refuted[0])
        return "not_as_expected", f"the claim is false: {first.reason}"
    elif refuted and not outvoted and any(v.status is Status.PASS for v in independent):
        agreeing = ", ".join(dict.fromkeys(v.route for v in independent if v.status is Status.PASS))
        return (
            "not_as_expected",
            f"the claim is the odd one out: another value comes from {agreeing}",
        )
    elif refuted and isinstance(claim.statement, AtMost):
        return "not_as_expected", "the claim is false: an element exceeds the bound"
    elif _bad(claimed) or outvoted:
        first = [*outvoted, *_bad(claimed)][0]
        return "not_as_expected", _sentence(first)
    elif proof.label == "refuted":
        return "not_as_expected", f"refuted exactly: {proof.finding}"
    else:
        outcome, reason = _outcome_of_true(claimed, mutants)
    bad = _bad(of.get("candidate", []))
    if bad and outcome != "not_as_expected":
        return "not_as_expected", f"candidate {_sentence(bad[0])}"
    if outcome == "as_expected":
        for way in ways:
            open_ = _open_reason(way, verdicts) if way.side == "candidate" else None
            if open_ is not None:
                return "undecided", f"candidate `{way.name}`: {open_}"
    return outcome, reason


def _open_reason(way: Way, verdicts: Sequence[Verdict]) -> str | None:
    """Why a candidate's way is undecided, or None if it isn't.

    A candidate that was never run is undecided; a capability that it lacks is no fault.
    """
    own = [v for v in verdicts if v.route == way.name]
    if not own:
        return f"it was not run, because it needs a {' or '.join(way.libraries)} backend"
    for verdict in own:
        if verdict.status is Status.INCONCLUSIVE:
            return verdict.reason
    if way.kind != "forward" and all(v.status is Status.SKIPPED for v in own):
        return f"it was not run: {own[0].reason}"
    return None


def _sentence(verdict: Verdict) -> str:
    place = f"{verdict.backend} {verdict.dtype}"
    return f"`{verdict.route}` {PHRASES[verdict.status]} on {place}"


def _bad(verdicts: Sequence[Verdict]) -> list[Verdict]:
    return [v for v in verdicts if v.status in (Status.WRONG, Status.ERROR)]


def _outcome_of_false(
    refuted: Sequence[Verdict], outvoted: Sequence[Verdict], proof: Proof
) -> tuple[Outcome, str]:
    if outvoted:
        return "not_as_expected", _sentence(outvoted[0])
    if refuted:
        return "as_expected", "refuted, as expected: see the counterexample"
    if proof.label == "refuted":
        return "as_expected", f"refuted, as expected: {proof.finding}"
    return "not_as_expected", "expected to be refuted, but no counterexample was found"


def _outcome_of_true(claimed: Sequence[Verdict], mutants: Sequence[Mutant]) -> tuple[Outcome, str]:
    passing = [v for v in claimed if v.status in (Status.PASS, Status.LESS_ACCURATE)]
    if not passing:
        reasons = [v.reason for v in claimed if v.status is Status.INCONCLUSIVE and v.reason]
        why = reasons[0] if reasons else "no route of the claim ran"
        return "undecided", f"nothing could be told apart: {why}"
    survivors = [mutant.name for mutant in mutants if mutant.killed_by is None]
    if survivors:
        plural = "mutants" if len(survivors) > 1 else "mutant"
        return "not_as_expected", f"surviving {plural}: {', '.join(survivors)}"
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
