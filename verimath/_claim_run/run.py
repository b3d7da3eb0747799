"""One claim on its way through the house: examples, routes, judge, proof, mutants, record."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from verimath._claim_run.failing import Failures
from verimath._claim_run.judging import Judging, had
from verimath._claim_run.mutants import mutants_of
from verimath._claim_run.proofs import proof_of
from verimath._claim_run.tally import Tally
from verimath._claim_run.written import faulty, verdict
from verimath.backends import Backend
from verimath.behaviour.checks import Behaviour, applies_to
from verimath.claim import Claim, Route
from verimath.domain import Domain
from verimath.examples import draw_examples
from verimath.formula.latex.statements import statement_tex
from verimath.isolation import LostError, isolated
from verimath.outcome import outcome_of
from verimath.plans import Plan
from verimath.reference.prepare import prepare, rank_choices
from verimath.reference.prepared import Prepared
from verimath.report.record import ClaimRecord, Proof, Status, Verdict
from verimath.routes import Cell, cells, declared_ways, derived_by, parts_of, ways_of

_LARGEST_RESULT = 10_000  # elements of what a claim speaks of, as a Jacobian has many
_NONE = np.zeros(0)


@dataclass(frozen=True, slots=True)
class Options:
    """What a run may choose: where, in which dtypes, on how many examples, from which seed."""

    backends: tuple[Backend, ...]
    dtypes: tuple[str, ...]
    examples: int
    seed: int
    time_limit: float | None = None  # seconds that one call of code under test may take


class ClaimRun:
    """One claim on its way through the house; lives as long as the run of that claim."""

    def __init__(self, claim: Claim, candidates: Sequence[Route], options: Options) -> None:
        self.claim, self.options = claim, options
        self.domain: Domain = claim.domain
        self.prepared = {ranks: prepare(claim, dict(ranks)) for ranks in rank_choices(claim.domain)}
        self.ways = (
            *ways_of(claim),
            *declared_ways(
                candidates,
                side="candidate",
                derived=derived_by(claim.statement),
                error_class=claim.error_class,
                parts=parts_of(claim.statement),
            ),
        )
        self.batches = draw_examples(
            self.domain, self._admissible, count=options.examples, entropy=options.seed
        )
        self.judging = Judging(claim, self.prepared)
        self.failures = Failures(
            self.judging, self._admissible, count=options.examples, seed=options.seed
        )

    # --- the parts of the record ---

    def record(self) -> ClaimRecord:
        """Run everything and write it down."""
        verdicts = tuple(
            self.held(cell) for cell in cells(self.ways, self.options.backends, self.options.dtypes)
        )
        proof, mutants = self.proof(), mutants_of(self.judging, self.batches)
        outcome, reason = outcome_of(self.claim, self.ways, verdicts, proof, mutants)
        shown = self.shown()
        return ClaimRecord(
            id=self.claim.id,
            title=self.claim.title,
            source=self.claim.source,
            statement=statement_tex(self.claim.statement, shown.primal, shown.printed),
            domain=str(self.domain),
            expected=self.claim.expected,
            outcome=outcome,
            reason=reason,
            repaired=self.claim.repaired,
            assumptions=tuple(self.claim.assume),
            proof=proof,
            mutants=mutants,
            verdicts=verdicts,
        )

    def shown(self) -> Prepared:
        """The ranks whose formulas are printed: matrices, or the highest rank below."""
        return max(
            self.prepared.values(),
            key=lambda p: (max(p.ranks.values(), default=0) <= 2, sum(p.ranks.values())),
        )

    def proof(self) -> Proof:
        """Everything that is known beyond the examples."""
        return proof_of(self.prepared.values(), self.shown(), seed=self.options.seed)

    def _admissible(self, plan: Plan) -> bool:
        prepared, sizes = self.prepared[plan.ranks], dict(plan.sizes)
        return prepared.allows(sizes) and prepared.elements(sizes) <= _LARGEST_RESULT

    # --- verdicts ---

    def held(self, cell: Cell) -> Verdict:
        """The verdict of a cell, in a process of its own where code under test has a time limit."""
        limit = self.options.time_limit
        # A device that is in use doesn't come along into a fork.
        if limit is None or not applies_to(cell.way) or cell.backend.device != "cpu":
            return self._verdict(cell)
        try:
            text = isolated(lambda: self._verdict(cell).model_dump_json(), seconds=limit)
        except LostError as lost:
            return verdict(cell, Status.ERROR, defect="raises", reason=str(lost))
        return Verdict.model_validate_json(text)

    def _verdict(self, cell: Cell) -> Verdict:
        missing = cell.backend.why_unavailable() or self.domain.lacking(cell.dtype)
        if missing:
            return verdict(cell, Status.SKIPPED, reason=missing)
        if cell.way.kind == "sympy" and any(p.picks_by_inputs for p in self.prepared.values()):
            return verdict(cell, Status.SKIPPED, reason="an index that is drawn has no symbol")
        behaviour = None
        if applies_to(cell.way):
            behaviour = Behaviour(self.claim, cell, self.batches, self.judging.of)
            fault = behaviour.before_values()
            if fault is not None:
                return faulty(self.judging, cell, behaviour, fault)
        tally = Tally()
        for number, batch in enumerate(self.batches):
            if self.judging.too_large(cell, batch):
                continue
            judgement = self.judging.judge(cell, batch, number)
            if judgement.status is Status.SKIPPED:
                if not tally.examples and not judgement.example:
                    return verdict(cell, Status.SKIPPED, reason=judgement.reason)
                judgement = had(judgement)
            tally.add(judgement, len(batch), extreme=batch.extreme)
            if judgement.status in (Status.WRONG, Status.ERROR):
                failed = batch.example(judgement.example)
                return self.failures.verdict(cell, failed, tally, behaviour)
        status, reason = tally.judgement.status, tally.judgement.reason
        if not tally.elements:
            status = Status.INCONCLUSIVE
            reason = reason or tally.undecided or "no element was compared"
        fault = behaviour.after_values() if behaviour is not None else None
        if behaviour is not None and fault is not None:
            return faulty(self.judging, cell, behaviour, fault, tally)
        notes = behaviour.notes if behaviour is not None else None
        floors = np.concatenate([_NONE, *tally.floors])
        floor = float(np.median(floors)) if floors.size else None
        return verdict(
            cell,
            status,
            reason=reason if status is not Status.PASS else notes,
            examples=tally.examples,
            elements=tally.elements,
            worst_ratio=tally.worst_ratio,
            floor=floor,
        )
