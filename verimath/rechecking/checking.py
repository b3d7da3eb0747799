"""`verimath.recheck`: every certificate of a report, claim by claim."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from verimath.errors import UsageError
from verimath.rechecking.bound import check_bound, check_excess
from verimath.rechecking.counterexample import check_counterexample
from verimath.rechecking.derivation import check_derivation
from verimath.rechecking.evaluation import check_evaluation
from verimath.rechecking.graph import read_graph
from verimath.rechecking.limits import DEPTH, RefusedError
from verimath.rechecking.sizing import sizes_in
from verimath.report.certificate import (
    BoundCertificate,
    Certificate,
    CounterexampleCertificate,
    DerivationCertificate,
    EvaluationCertificate,
    ExcessCertificate,
    InductionCertificate,
)
from verimath.report.record import Proof, Report

PARTS = 200  # of one proof
_DEFECTS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
_NOTHING = ("none", "sampled")  # labels that rest on no certificate


@dataclass(frozen=True, slots=True)
class Recheck:
    """What became of one claim's certificate; it has no truth value.

    `holds` is None where there was nothing to check.
    """

    claim: str
    label: str
    holds: bool | None
    parts: int
    reason: str

    def __bool__(self) -> NoReturn:
        """Raise TypeError: look at `holds`."""
        raise TypeError("a Recheck has no truth value; look at its `holds`")


def recheck(report: Report) -> tuple[Recheck, ...]:
    """Check the certificates of all claims of a report, one result per claim.

    Nothing that the report says is taken for granted: graphs are evaluated again, in another prime
    field and in real balls, derivatives with dual numbers, bounds on sizes are counted again, and
    derivations replayed. What can't be confirmed within a counted budget doesn't hold. What the
    parts mean, and why they prove what the label says: docs/certificates.md and docs/proofs.md.
    That a certificate's formulas are those of the claim is not in the report, and isn't checked.

    Raises UsageError for what is no report.
    """
    if not isinstance(report, Report):
        raise UsageError(
            f"recheck({type(report).__name__}); wanted a Report, as `read_report` returns it"
        )
    return tuple(_claim(record.id, record.proof) for record in report.claims)


def _claim(name: str, proof: Proof) -> Recheck:
    parts = proof.certificate
    if proof.label in _NOTHING:
        if not parts:
            return Recheck(name, proof.label, None, 0, "nothing to check")
        return Recheck(name, proof.label, False, len(parts), "a certificate that proves nothing")
    try:
        found = _proof(proof)
    except RefusedError as error:
        return Recheck(name, proof.label, False, len(parts), str(error))
    return Recheck(name, proof.label, True, len(parts), found)


def _proof(proof: Proof) -> str:
    parts = proof.certificate
    if not parts:
        raise RefusedError("there is no certificate")
    if len(parts) > PARTS:
        raise RefusedError(f"not confirmed: {len(parts)} parts; at most {PARTS} are looked at")
    everywhere = proof.label not in ("refuted", "exact_at_shapes")
    found = _all(parts, _ALLOWED[proof.label], everywhere, 0, "")
    if proof.label == "exact_at_shapes":
        _check_shapes(proof)
    lacking = _needed(parts) - set(proof.hypotheses)
    if lacking:
        raise RefusedError(f"needs what the proof doesn't name: {min(lacking)[:80]}")
    return found


def _check_shapes(proof: Proof) -> None:
    """Raise RefusedError where the proof names a shape that no part looks at."""
    parts = [part for part in proof.certificate if isinstance(part, EvaluationCertificate)]
    known = [{f"{n}={size}" for n, size in b.items()} for part in parts for b in part.bindings]
    for text in proof.shapes if known else ():
        if {word for word in text.split() if "=" in word} not in known:
            raise RefusedError(f"nothing was looked at for {text[:80]}")


def _needed(parts: Sequence[Certificate], depth: int = 0) -> set[str]:
    """The hypotheses of derivations."""
    found: set[str] = set()
    for part in parts:
        if isinstance(part, InductionCertificate) and depth <= DEPTH:
            found |= _needed((*part.base, *part.step), depth + 1)
        elif isinstance(part, DerivationCertificate) and isinstance(part.steps, dict):
            sentences = part.steps.get("hypotheses")
            found |= set(map(str, sentences)) if isinstance(sentences, list) else set()
    return found


_PROOFS = (EvaluationCertificate, DerivationCertificate)
_ALLOWED: dict[str, tuple[type, ...]] = {
    "exact_at_shapes": (*_PROOFS, BoundCertificate),
    "all_shapes_randomised": _PROOFS,
    "all_shapes_derivation": (DerivationCertificate,),
    "refuted": (CounterexampleCertificate, ExcessCertificate),
    "all_depths": (InductionCertificate,),
}


def _all(
    parts: Sequence[Certificate],
    allowed: tuple[type, ...],
    everywhere: bool,
    depth: int,
    name: str,
) -> str:
    found: list[str] = []
    for place, part in enumerate(parts, start=1):
        where = part.kind
        if len(parts) > 1:
            where = f"part {place} of {len(parts)} ({part.kind})"
        if name:
            where = f"{name}, {where}"
        try:
            if not isinstance(part, allowed):
                raise RefusedError("isn't what shows the label")
            found.append(_part(part, everywhere, depth))
        except RefusedError as error:
            raise RefusedError(f"{where}: {error}") from None
        except _DEFECTS as error:
            # A defect here, or a report that found one: nothing is confirmed by it.
            raise RefusedError(f"{where}: not confirmed: {type(error).__name__}: {error}") from None
    return "; ".join(dict.fromkeys(found))


def _part(part: Certificate, everywhere: bool, depth: int) -> str:
    if isinstance(part, InductionCertificate):
        if depth >= DEPTH:
            raise RefusedError("an induction that is nested too deeply")
        if not part.base or not part.step or max(len(part.base), len(part.step)) > PARTS:
            raise RefusedError("an induction wants a base and a step")
        start = _all(part.base, _PROOFS, True, depth + 1, "base")
        step = _all(part.step, _PROOFS, True, depth + 1, "step")
        return f"start: {start}; step: {step}"
    if everywhere and isinstance(part, EvaluationCertificate) and not part.sizes:
        named = sizes_in(read_graph(part.graph, part.inputs), part.inputs)
        if named:
            raise RefusedError(f"looks at some sizes of {min(named)} only")
    check: Callable[..., str] = _CHECKS[type(part)]
    return check(part)


_CHECKS: dict[type, Callable[..., str]] = {
    BoundCertificate: check_bound,
    EvaluationCertificate: check_evaluation,
    CounterexampleCertificate: check_counterexample,
    ExcessCertificate: check_excess,
    DerivationCertificate: check_derivation,
}
