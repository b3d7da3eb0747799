"""From a failure to its smallest example, which the verdict shows, unless balls disagree."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from verimath._claim_run.judging import Judging, had
from verimath._claim_run.tally import Tally
from verimath._claim_run.written import counterexample, faulty, verdict
from verimath.arbiter import Ruling, rule
from verimath.behaviour.checks import Behaviour
from verimath.behaviour.repeats import fault_of_two
from verimath.claim import AtMost
from verimath.convergence.running import ruling
from verimath.examples import Example, batch_of, simplest_failure
from verimath.judge import Judgement
from verimath.plans import Plan
from verimath.report.record import Status, Verdict
from verimath.routes import Cell
from verimath.shrink import shrink

# The layouts, as a reason says them.
_LAID = {
    "fortran": "transposed in memory",
    "transposed": "transposed in memory",
    "strided": "a strided view",
    "reversed": "a reversed view",
    "offset": "at an offset in a buffer",
    "expanded": "expanded",
    "read-only": "read-only",
}

_REASONS = {
    "value": "another value than wanted",
    "nonfinite": "NaN or infinity where a finite number is wanted",
}


class Failures:
    """Shrinks failures, each way's from where its last one ended.

    `admissible` says which plans a claim speaks of; examples are sought among so many as are drawn
    in a run (`count`), from its seed.
    """

    def __init__(
        self, judging: Judging, admissible: Callable[[Plan], bool], *, count: int, seed: int
    ) -> None:
        self._judging, self._admissible = judging, admissible
        self._count, self._seed = count, seed
        self._smallest: dict[str, Example] = {}

    def verdict(
        self, cell: Cell, example: Example, tally: Tally, behaviour: Behaviour | None
    ) -> Verdict:
        """What is said of a cell that fails at an example."""
        judging, kind = self._judging, tally.judgement.status

        def fails(candidate: Example) -> bool:
            if judging.too_large(cell, batch_of(candidate)):
                return False
            if not judging.of(candidate).allows(candidate.sizes):
                return False
            return had(judging.judge(cell, batch_of(candidate))).status is kind

        # What was the smallest in another dtype, or on another backend, mostly is here, too.
        known = self._smallest.get(cell.way.name)
        if known is None or not fails(known):
            simplest = simplest_failure(
                judging.domain,
                self._admissible,
                fails,
                count=self._count,
                entropy=self._seed,
            )
            known = _simpler_of(simplest, example)
        smallest = shrink(known, fails, judging.domain, dtype=cell.dtype)
        self._smallest[cell.way.name] = smallest
        judgement = had(judging.judge(cell, batch_of(smallest)))
        if judgement.status is not kind:
            if behaviour is not None:
                fault = fault_of_two(tally.judgement, judgement, example)
                return faulty(judging, cell, behaviour, fault, tally)
            reason = f"{kind.value} at first, {judgement.status.value} when called again"
            judgement = replace(tally.judgement, defect="nondeterministic", reason=reason)
            smallest = example
        elif smallest.layout != "C" and judgement.defect in ("value", "nonfinite", "raises"):
            # The shrinker has tried the same numbers one after the other in memory.
            what = judgement.reason or _REASONS[judgement.defect]
            what = f"it raises {what}" if judgement.defect == "raises" else what
            reason = f"right on contiguous arrays, but with inputs {_LAID[smallest.layout]}: {what}"
            kind = Status.WRONG  # a fault of behaviour, even if it raises
            judgement = replace(judgement, status=kind, defect="layout", reason=reason)
        found = counterexample(judging, cell, smallest, judgement)
        ruled = ruling_of(judging, cell, smallest, judgement)
        if ruled is not None and not ruled.agrees:
            wants = f"float64 wants {found.want!r}, which is {ruled.exact}"
            reason = f"a defect of verimath, please report it: {wants}"
            kind, judgement = Status.INCONCLUSIVE, Judgement(Status.INCONCLUSIVE, None, reason)
        elif ruled is not None:
            found = found.model_copy(update={"exact": ruled.exact})
        return verdict(
            cell,
            kind,
            defect=judgement.defect,
            reason=judgement.reason or _REASONS.get(judgement.defect or "value"),
            diagnosis=_hint(cell, judgement.reason or ""),
            examples=tally.examples,
            elements=tally.elements,
            worst_ratio=tally.worst_ratio,
            counterexample=found,
        )


def ruling_of(
    judging: Judging, cell: Cell, example: Example, judgement: Judgement
) -> Ruling | None:
    """What balls say of the worst element, if its value is what is wrong with it."""
    finding, statement = judgement.finding, judging.claim.statement
    beyond = isinstance(statement, AtMost) and finding and finding.want == statement.bound
    if finding is None or beyond or cell.way.error_class == "residual":
        return None
    batch, prepared = batch_of(example), judging.of(example)
    cast = batch.cast(judging.domain, cell.dtype)
    inputs = {name: np.asarray(values[0]) for name, values in cast.items()}
    if cell.way.kind == "contraction":
        return ruling(prepared, inputs, batch.sizes)
    want = judging.want(cell, batch, cast, None)[finding.output]
    formula = prepared.primal if cell.way.kind == "value" else prepared.reference
    return rule(formula, inputs, batch.sizes, want, finding.output, finding.index)


def _hint(cell: Cell, reason: str) -> str | None:
    """For a candidate that tripped over the type of its arrays: what it was given."""
    if cell.way.side != "candidate" or cell.way.kind != "numeric":
        return None
    if not reason.startswith(("AttributeError", "TypeError")):
        return None
    if cell.backend.library == "numpy":
        return "it was given numpy arrays; backend='torch-cpu' gives it tensors"
    return "it was given torch tensors; backend='numpy' gives it numpy arrays"


def _simpler_of(found: Example | None, example: Example) -> Example:
    """Hypothesis's example if it is no larger than the one at hand."""

    def size(e: Example) -> int:
        return sum(values.size for values in e.inputs.values())

    return found if found is not None and size(found) <= size(example) else example
