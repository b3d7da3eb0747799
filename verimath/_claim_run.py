"""One claim on its way through the house: examples, routes, judge, proof, mutants, record.

Lives as long as the run of that claim; `verimath._engine` is the way in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verimath.arbiter import Ruling, rule
from verimath.arithmetic.matrix_bounds import certainly_factored
from verimath.backends import Backend, Fetched, select_backends
from verimath.behaviour.checks import Behaviour, applies_to
from verimath.behaviour.lab import Fault
from verimath.behaviour.repeats import fault_of_two
from verimath.claim import AtMost, Claim, Converges, Derivative, Equal, Route
from verimath.convergence.running import counted, not_compared, ruling, shown, steps_of
from verimath.domain import Domain
from verimath.dtypes import own_dtype
from verimath.examples import (
    Batch,
    Example,
    batch_of,
    draw_examples,
    simplest_failure,
)
from verimath.formula.latex import statement_tex
from verimath.isolation import LostError, isolated
from verimath.judge import (
    Finding,
    Judgement,
    apart,
    judge,
    judge_bound,
    judge_contraction,
    worse,
)
from verimath.outcome import outcome_of
from verimath.pairs import COMPLEX, joined, real_numbers, whole
from verimath.plans import Plan
from verimath.power import Bench
from verimath.power import mutants as generated_mutants
from verimath.proof.explicit import is_explicit, prove
from verimath.proof.ladder import STRENGTH, climbed, combined, small_bindings
from verimath.reference.evaluate import wanted, wanted_by
from verimath.reference.prepare import prepare, rank_choices
from verimath.reference.prepared import Prepared
from verimath.reference.want import Want
from verimath.report.record import (
    Array,
    ClaimRecord,
    Counterexample,
    Mutant,
    Proof,
    Status,
    Verdict,
)
from verimath.report.text import PHRASES
from verimath.reproduce import script
from verimath.residual import System, residuals, system_at
from verimath.routes import (
    Cell,
    Way,
    cells,
    declared_ways,
    derived_by,
    parts_of,
    symbolic,
    ways_of,
)
from verimath.routes.execute import execute
from verimath.shapes import Binding
from verimath.shrink import shrink
from verimath.ties import is_subgradient

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
_LARGEST_SHOWN = 200  # elements
_MUTANT_DTYPES = ("float64", "float32", "float16")
_POWER_BATCHES = 12  # how many batches the detection floor is taken from
_LARGEST_FORWARD = 320  # elements to differentiate (by), each with a direction of its own
_LARGEST_RESULT = 10_000  # elements of what a claim speaks of, as a Jacobian has many
_NONE = np.zeros(0)
_EXPLICIT_SHAPES = 3  # shapes per rank at which the symbolic comparison is made

_REASONS = {
    "value": "another value than wanted",
    "nonfinite": "NaN or infinity where a finite number is wanted",
}


@dataclass(frozen=True, slots=True)
class Options:
    """What a run may choose: where, in which dtypes, on how many examples, from which seed."""

    backends: tuple[Backend, ...]
    dtypes: tuple[str, ...]
    examples: int
    seed: int
    time_limit: float | None = None  # seconds that one call of code under test may take


@dataclass(slots=True)
class _Tally:
    """What adds up over the examples of one cell."""

    judgement: Judgement = field(default_factory=lambda: Judgement(Status.PASS))
    examples: int = 0
    elements: int = 0
    worst_ratio: float = 0.0
    floors: list[NDArray[np.float64]] = field(default_factory=list[NDArray[np.float64]])
    undecided: str | None = None  # why an example left every element open

    def add(self, judgement: Judgement, examples: int, *, extreme: bool = False) -> None:
        self.examples += examples
        if judgement.status is Status.INCONCLUSIVE and (extreme or not judgement.elements):
            # Like an open element beside others: not compared. Near overflow that is no news.
            self.undecided = judgement.reason
            return
        self.judgement = worse(self.judgement, judgement)
        self.elements += judgement.elements
        self.worst_ratio = max(self.worst_ratio, judgement.worst_ratio)
        self.floors.append(judgement.floors)


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
        self._wants: dict[tuple[int | str | None, ...], tuple[Want, ...]] = {}
        self._smallest: dict[str, Example] = {}
        self._lambdified: dict[tuple[tuple[str, int], ...], symbolic.Lambdified] = {}

    # --- the parts of the record ---

    def record(self) -> ClaimRecord:
        """Run everything and write it down."""
        verdicts = tuple(
            self._held(cell)
            for cell in cells(self.ways, self.options.backends, self.options.dtypes)
        )
        proof, mutants = self.proof(), self._mutants()
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

    def _admissible(self, plan: Plan) -> bool:
        prepared, sizes = self.prepared[plan.ranks], dict(plan.sizes)
        return prepared.allows(sizes) and prepared.elements(sizes) <= _LARGEST_RESULT

    def _of(self, batch: Batch | Example) -> Prepared:
        return self.prepared[tuple(batch.ranks.items())]

    # --- verdicts ---

    def _held(self, cell: Cell) -> Verdict:
        """The verdict of a cell, in a process of its own where code under test has a time limit."""
        limit = self.options.time_limit
        # A device that is in use doesn't come along into a fork.
        if limit is None or not applies_to(cell.way) or cell.backend.device != "cpu":
            return self._verdict(cell)
        try:
            text = isolated(lambda: self._verdict(cell).model_dump_json(), seconds=limit)
        except LostError as lost:
            return _verdict(cell, Status.ERROR, defect="raises", reason=str(lost))
        return Verdict.model_validate_json(text)

    def _verdict(self, cell: Cell) -> Verdict:
        missing = cell.backend.why_unavailable() or self.domain.lacking(cell.dtype)
        if missing:
            return _verdict(cell, Status.SKIPPED, reason=missing)
        if cell.way.kind == "sympy" and any(p.picks_by_inputs for p in self.prepared.values()):
            return _verdict(cell, Status.SKIPPED, reason="an index that is drawn has no symbol")
        behaviour = None
        if applies_to(cell.way):
            behaviour = Behaviour(self.claim, cell, self.batches, self._of)
            fault = behaviour.before_values()
            if fault is not None:
                return self._faulty(cell, behaviour, fault)
        tally = _Tally()
        for number, batch in enumerate(self.batches):
            if self._too_large(cell, batch):
                continue
            judgement = self._judge(cell, batch, number)
            if judgement.status is Status.SKIPPED:
                if not tally.examples and not judgement.example:
                    return _verdict(cell, Status.SKIPPED, reason=judgement.reason)
                judgement = _had(judgement)
            tally.add(judgement, len(batch), extreme=batch.extreme)
            if judgement.status in (Status.WRONG, Status.ERROR):
                return self._failing(cell, batch.example(judgement.example), tally, behaviour)
        status, reason = tally.judgement.status, tally.judgement.reason
        if not tally.elements:
            status = Status.INCONCLUSIVE
            reason = reason or tally.undecided or "no element was compared"
        fault = behaviour.after_values() if behaviour is not None else None
        if behaviour is not None and fault is not None:
            return self._faulty(cell, behaviour, fault, tally)
        notes = behaviour.notes if behaviour is not None else None
        floors = np.concatenate([_NONE, *tally.floors])
        floor = float(np.median(floors)) if floors.size else None
        return _verdict(
            cell,
            status,
            reason=reason if status is not Status.PASS else notes,
            examples=tally.examples,
            elements=tally.elements,
            worst_ratio=tally.worst_ratio,
            floor=floor,
        )

    def _too_large(self, cell: Cell, batch: Batch) -> bool:
        """Whether a way has too many symbols, or directions, at these sizes."""
        if cell.way.kind == "reverse":
            return self._of(batch).rows(batch.sizes) > _LARGEST_FORWARD
        if cell.way.kind == "forward":
            parts = [part for name in self._wrt for part in self.domain.arguments[name]]
            return sum(batch.inputs[name][0].size for name in parts) > _LARGEST_FORWARD
        return cell.way.kind == "sympy" and not self._explicit(batch)

    def _explicit(self, batch: Batch | Example) -> bool:
        return is_explicit(self._of(batch), batch.sizes)

    def _judge(self, cell: Cell, batch: Batch, number: int | None = None) -> Judgement:
        """Judge one cell on a batch; `number` is its place among the shared ones."""
        inputs = batch.cast(self.domain, cell.dtype)
        prepared = self._of(batch)
        if cell.way.kind == "contraction":
            exact = {name: np.asarray(x, dtype=np.float64) for name, x in inputs.items()}
            return judge_contraction(prepared, exact, batch.sizes)
        steps = steps_of(prepared, cell, inputs, batch.sizes)
        if steps is not None and steps.beyond.all():
            return Judgement(Status.INCONCLUSIVE, None, steps.reason)
        got: list[tuple[Fetched, ...]] = []
        for example in range(len(batch)):
            point = {name: np.asarray(values[example]) for name, values in inputs.items()}
            if cell.way.kind == "sympy":
                got.append(self._run_sympy(batch, point))
                continue
            run = cell if steps is None else counted(prepared, cell, steps.counts[example])
            outcome = execute(run, joined(point), self._wrt, batch.layout)
            if outcome.lacking is not None:
                return Judgement(Status.SKIPPED, None, outcome.lacking, example=example)
            excuse = self._excuse(cell, batch, inputs, example, outcome.error)
            if excuse is not None:
                reason = f"{excuse}: {outcome.error}"
                return Judgement(Status.INCONCLUSIVE, None, reason, example=example)
            if outcome.error is not None:
                return Judgement(Status.ERROR, "raises", outcome.error, example=example)
            if outcome.mutated is not None:
                reason = f"input {outcome.mutated} was changed in place"
                return Judgement(Status.WRONG, "mutates_input", reason, example=example)
            got.append(outcome.results)
        want = self._want(cell, batch, inputs, number)
        if steps is not None:
            want = tuple(not_compared(target, steps.beyond) for target in want)
        power = number is not None and number < _POWER_BATCHES
        if _by_residual(cell):
            exact = {name: np.asarray(x, dtype=np.float64) for name, x in inputs.items()}
            format_ = cell.backend.format(cell.dtype)
            judged, want = residuals(self._of(batch), got, want, exact, batch.sizes, format_)
            return self._compare(cell, judged, want, power=power)
        pairs = self._pairs(cell, batch)
        judgement = self._compare(cell, got, want, power=power, pairs=pairs)
        if any(pairs) and judgement.status in (Status.PASS, Status.LESS_ACCURATE):
            got = [tuple(apart(results, pairs)) for results in got]
        return self._at_ties(cell, batch, inputs, got, judgement)

    def _excuse(
        self,
        cell: Cell,
        batch: Batch,
        inputs: dict[str, NDArray[Any]],
        example: int,
        error: str | None,
    ) -> str | None:
        """Why right code may raise on an example, or None if it may not."""
        if error is None:
            return None
        kind = error.partition(":")[0]
        want = self._want(cell, batch, inputs, None)
        values = [target.value[example] for target in want]
        if any(x.size for x in values) and not any(np.isfinite(x).any() for x in values):
            return "raises where nothing is defined"
        if kind == "OverflowError" and any(np.isinf(t.envelope[example]).any() for t in want):
            return "raises where a right order may overflow"
        if kind.endswith("LinAlgError") and self._is_hardly_definite(cell, inputs, example):
            return "gives up on a matrix that is singular to working precision"
        return None

    def _is_hardly_definite(
        self, cell: Cell, inputs: Mapping[str, NDArray[Any]], example: int
    ) -> bool:
        """Whether a positive definite input may have no Cholesky factor in the dtype."""
        definite = [
            np.asarray(inputs[name][example], dtype=np.float64)
            for name, spec in self.domain.inputs.items()
            if spec.structure == "positive definite"
        ]
        format_ = cell.backend.format(cell.dtype)
        return any(
            not certainly_factored(matrix, format_)
            for array in definite
            for matrix in array.reshape(-1, *array.shape[-2:])
        )

    def _compare(
        self,
        cell: Cell,
        got: Sequence[Sequence[Fetched]],
        want: Sequence[Want],
        *,
        power: bool,
        pairs: Sequence[bool] = (),
    ) -> Judgement:
        statement = self.claim.statement
        if isinstance(statement, AtMost):
            return judge_bound(got, want, bound=statement.bound, dtype=cell.dtype, power=power)
        return judge(got, want, dtype=cell.dtype, power=power, pairs=pairs)

    def _pairs(self, cell: Cell, batch: Batch | Example) -> tuple[bool, ...]:
        """Which results of a way are complex; sympy's come by their parts."""
        prepared = self._of(batch)
        return () if cell.way.kind == "sympy" else prepared.pairs(value=cell.way.kind == "value")

    def _at_ties(
        self,
        cell: Cell,
        batch: Batch,
        inputs: Mapping[str, NDArray[Any]],
        got: Sequence[Sequence[Fetched]],
        judgement: Judgement,
    ) -> Judgement:
        """The judgement, unless results at a kink are no subgradient for any choice."""
        prepared = self._of(batch)
        good = judgement.status in (Status.PASS, Status.LESS_ACCURATE)
        # sympy gives half of a step to each side of every tie, however many there are.
        if not good or not prepared.has_kinks or cell.way.kind in ("value", "sympy"):
            return judgement
        for example, results in enumerate(got):
            exact = {
                name: np.asarray(values[example : example + 1], dtype=np.float64)
                for name, values in inputs.items()
            }
            arrays = [np.asarray(r.array, dtype=np.float64) for r in results]
            if not all(np.isfinite(array).all() for array in arrays):
                continue  # let in where something overflows, or the judgement weren't good
            format_ = cell.backend.format(cell.dtype)
            if not is_subgradient(prepared.reference, exact, batch.sizes, format_, arrays):
                reason = "at a kink or tie, and the gradient for no choice of its subgradients"
                return replace(
                    judgement, status=Status.WRONG, defect="value", reason=reason, example=example
                )
        return judgement

    def _want(
        self,
        cell: Cell,
        batch: Batch,
        inputs: dict[str, NDArray[Any]],
        number: int | None,
    ) -> tuple[Want, ...]:
        way = cell.way
        key = (number, cell.backend.name, cell.dtype, way.kind, way.error_class)
        if number is not None and key in self._wants:
            return self._wants[key]
        exact = {name: np.asarray(array, dtype=np.float64) for name, array in inputs.items()}
        want = wanted_by(cell, self._of(batch), exact, batch.sizes)
        if number is not None:
            self._wants[key] = want
        return want

    def _run_sympy(self, batch: Batch, inputs: dict[str, NDArray[Any]]) -> tuple[Fetched, ...]:
        key = (*batch.ranks.items(), *batch.sizes.items())
        if key not in self._lambdified:
            shapes = {name: array.shape for name, array in inputs.items()}
            statement = self._of(batch).statement
            self._lambdified[key] = symbolic.lambdify(statement, shapes)
        values = symbolic.numeric_value(self._lambdified[key], inputs)
        return tuple(Fetched(value, "float64", True) for value in values)

    @property
    def _wrt(self) -> tuple[str, ...]:
        statement = self.claim.statement
        return statement.wrt_names if isinstance(statement, Derivative) else ()

    def _failing(
        self, cell: Cell, example: Example, tally: _Tally, behaviour: Behaviour | None
    ) -> Verdict:
        """Shrink a failure to its smallest example and write it down."""
        kind = tally.judgement.status

        def fails(candidate: Example) -> bool:
            if self._too_large(cell, batch_of(candidate)):
                return False
            if not self._of(candidate).allows(candidate.sizes):
                return False
            return _had(self._judge(cell, batch_of(candidate))).status is kind

        # What was the smallest in another dtype, or on another backend, mostly is here, too.
        known = self._smallest.get(cell.way.name)
        if known is None or not fails(known):
            found = simplest_failure(
                self.domain,
                self._admissible,
                fails,
                count=self.options.examples,
                entropy=self.options.seed,
            )
            known = _simpler_of(found, example)
        smallest = shrink(known, fails, self.domain, dtype=cell.dtype)
        self._smallest[cell.way.name] = smallest
        judgement = _had(self._judge(cell, batch_of(smallest)))
        if judgement.status is not kind:
            if behaviour is not None:
                fault = fault_of_two(tally.judgement, judgement, example)
                return self._faulty(cell, behaviour, fault, tally)
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
        counterexample = self._counterexample(cell, smallest, judgement)
        ruling = self._ruling(cell, smallest, judgement)
        if ruling is not None and not ruling.agrees:
            found = f"float64 wants {counterexample.want!r}, which is {ruling.exact}"
            reason = f"a defect of verimath, please report it: {found}"
            kind, judgement = Status.INCONCLUSIVE, Judgement(Status.INCONCLUSIVE, None, reason)
        elif ruling is not None:
            counterexample = counterexample.model_copy(update={"exact": ruling.exact})
        return _verdict(
            cell,
            kind,
            defect=judgement.defect,
            reason=judgement.reason or _REASONS.get(judgement.defect or "value"),
            diagnosis=_hint(cell, judgement.reason or ""),
            examples=tally.examples,
            elements=tally.elements,
            worst_ratio=tally.worst_ratio,
            counterexample=counterexample,
        )

    def _ruling(self, cell: Cell, example: Example, judgement: Judgement) -> Ruling | None:
        """What balls say of the worst element, if its value is what is wrong with it."""
        finding, statement = judgement.finding, self.claim.statement
        beyond = isinstance(statement, AtMost) and finding and finding.want == statement.bound
        if finding is None or beyond or cell.way.error_class == "residual":
            return None
        batch, prepared = batch_of(example), self._of(example)
        cast = batch.cast(self.domain, cell.dtype)
        inputs = {name: np.asarray(values[0]) for name, values in cast.items()}
        if cell.way.kind == "contraction":
            return ruling(prepared, inputs, batch.sizes)
        want = self._want(cell, batch, cast, None)[finding.output]
        formula = prepared.primal if cell.way.kind == "value" else prepared.reference
        return rule(formula, inputs, batch.sizes, want, finding.output, finding.index)

    def _faulty(
        self, cell: Cell, behaviour: Behaviour, fault: Fault, tally: _Tally | None = None
    ) -> Verdict:
        """Write down a fault of behaviour."""
        example, title = fault.examples[0], self._title(cell, fault.status)
        counterexample = Counterexample(
            sizes=dict(example.sizes),
            inputs=tuple(
                _array_record(name, array, own_dtype(array, cell.dtype))
                for name, array in behaviour.inputs_of(example).items()
            ),
            differing=0,
            compared=0,
            output="",
            index=(),
            got=float("nan"),
            want=float("nan"),
            allowed=float("nan"),
            script=behaviour.script(fault, title),
        )
        return _verdict(
            cell,
            fault.status,
            defect=fault.defect,
            reason=fault.reason,
            examples=tally.examples if tally else len(fault.examples),
            elements=tally.elements if tally else 0,
            worst_ratio=tally.worst_ratio if tally else None,
            counterexample=counterexample,
        )

    def _title(self, cell: Cell, status: Status) -> str:
        place = f"{cell.way.name} on {cell.backend.name} {cell.dtype}"
        return f"{self.claim.id}: {place} {PHRASES[status]}"

    def _counterexample(self, cell: Cell, example: Example, judgement: Judgement) -> Counterexample:
        batch = batch_of(example)
        cast = batch.cast(self.domain, cell.dtype)
        want = self._want(cell, batch, cast, None)
        inputs = joined({name: np.asarray(values[0]) for name, values in cast.items()})
        run = shown(self._of(example), cell, inputs, example.sizes, want)
        finding = judgement.finding
        statement = self.claim.statement
        bound = statement.bound if isinstance(statement, AtMost) else None
        return Counterexample(
            sizes=dict(example.sizes),
            inputs=tuple(
                _array_record(name, array, own_dtype(array, cell.dtype))
                for name, array in inputs.items()
            ),
            differing=finding.differing if finding else 0,
            compared=finding.compared if finding else 0,
            output=run.output or self._output_name(finding, cell),
            index=finding.index if finding else (),
            got=finding.got if finding else float("nan"),
            want=finding.want if finding else float("nan"),
            allowed=finding.allowed if finding else float("nan"),
            limit=finding.limit if finding else None,
            script=script(
                title=self._title(cell, judgement.status),
                cell=run.cell,
                inputs=inputs,
                wrt=self._wrt,
                want=run.want,
                bound=bound,
                layout=example.layout,
                pairs=self._pairs(cell, example),
                system=self._system(cell, batch, cast),
            ),
        )

    def _system(
        self, cell: Cell, batch: Batch, inputs: Mapping[str, NDArray[Any]]
    ) -> System | None:
        """The system by whose residual a way is judged, if it is."""
        if not _by_residual(cell):
            return None
        exact = {name: np.asarray(values, dtype=np.float64) for name, values in inputs.items()}
        format_ = cell.backend.format(cell.dtype)
        return system_at(self._of(batch), exact, batch.sizes, format_, len(batch))

    def _output_name(self, finding: Finding | None, cell: Cell) -> str:
        statement = self.claim.statement
        number = finding.output if finding else 0
        if finding is not None and finding.part:
            return self._part_name(finding, cell)
        match statement:
            case Derivative() if cell.way.kind != "value":
                return f"{statement.noun} in {statement.wrt_names[number]}"
            case Derivative():
                return "value"
            case Equal():
                return f"result {number + 1}" if number else "result"
            case AtMost(bound=bound):
                beyond = finding is not None and finding.want == bound
                return "absolute value, to be at most what is wanted," if beyond else "value"
            case Converges():
                return "limit"

    def _part_name(self, finding: Finding, cell: Cell) -> str:
        """Which part of which result, for claims with complex ones."""
        statement = self.claim.statement
        if not isinstance(statement, Derivative) or cell.way.kind == "value":
            return finding.part
        parts = [part for name in self._wrt for part in self.domain.arguments[name]]
        name = parts[finding.output]
        part, of = finding.part.partition("result")[0], whole(name)
        return f"{part}{statement.noun} in {of}"

    # --- proof and mutants ---

    def proof(self) -> Proof:
        """Everything that is known beyond the examples."""
        return combined(
            self._symbolic_proof(), climbed(self.prepared.values(), seed=self.options.seed)
        )

    def _symbolic_proof(self) -> Proof | None:
        """What symbols at small shapes show; None if those are too large, or picked by labels."""
        proofs: list[Proof] = []
        shown = self.shown()
        for prepared in sorted(self.prepared.values(), key=lambda p: p is not shown):
            bindings = self._explicit_bindings(prepared)
            if bindings and not prepared.picks_by_inputs:
                proofs.append(prove(prepared, bindings))
        if not proofs:
            return None
        first = proofs[0]
        least = min(proofs, key=lambda proof: STRENGTH.index(proof.label))
        if least.label != "exact_at_shapes":
            return least.model_copy(update={"steps": first.steps})
        shapes = tuple(shape for proof in proofs for shape in proof.shapes)
        return first.model_copy(update={"shapes": shapes})

    def _explicit_bindings(self, prepared: Prepared) -> list[Binding]:
        """Sizes for the symbolic comparison."""
        usable = [b for b in small_bindings(prepared) if is_explicit(prepared, b)]
        return usable[:_EXPLICIT_SHAPES]

    def _mutants(self) -> tuple[Mutant, ...]:
        if self.claim.expected == "refuted":
            return ()  # the claim itself is the mutant
        (numpy,) = select_backends(["numpy"])
        found: list[Mutant] = []
        for name, function in self.claim.mutants.items():
            way = Way(name, "formula", function, ("numpy",), parts=parts_of(self.claim.statement))
            killed = {
                cell.dtype: self._kills(cell) for cell in cells([way], [numpy], self._mutant_dtypes)
            }
            found.append(
                Mutant(
                    name=name,
                    killed_by="float64" if killed["float64"] else None,
                    not_separable_in=tuple(d for d, dead in killed.items() if not dead),
                )
            )

        @cache
        def want(batch: Batch, dtype: str) -> tuple[Want, ...]:
            cast = batch.cast(self.domain, dtype)
            exact = {name: np.asarray(x, dtype=np.float64) for name, x in cast.items()}
            return wanted(self._of(batch), exact, batch.sizes, numpy.format(dtype))

        if isinstance(self.claim.statement, AtMost):
            return tuple(found)
        bench = Bench(self.domain, self.prepared, self.batches, want, self._mutant_dtypes)
        return (*generated_mutants(bench), *found)

    @property
    def _mutant_dtypes(self) -> tuple[str, ...]:
        return tuple(d for d in _MUTANT_DTYPES if d in COMPLEX or not self.domain.is_complex)

    def _kills(self, cell: Cell) -> bool:
        return any(
            self._judge(cell, batch, number).status in (Status.WRONG, Status.ERROR)
            for number, batch in enumerate(self.batches)
        )


def _had(judgement: Judgement) -> Judgement:
    """The judgement of code that had the capability a moment ago: then it isn't lacking."""
    if judgement.status is not Status.SKIPPED:
        return judgement
    return replace(judgement, status=Status.ERROR, defect="raises")


def _verdict(cell: Cell, status: Status, **facts: Any) -> Verdict:
    return Verdict(
        route=cell.way.name,
        backend=cell.backend.name,
        dtype=cell.dtype,
        status=status,
        error_class=cell.way.error_class,
        **facts,
    )


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


def _by_residual(cell: Cell) -> bool:
    """Whether a way is judged by what its results leave of the system that they solve."""
    return cell.way.error_class == "residual" and cell.way.kind != "value"


def _array_text(array: NDArray[Any]) -> str:
    """Nested lists of the shortest decimals that read back as the same numbers."""
    if array.ndim:
        return f"[{', '.join(_array_text(row) for row in array)}]"
    if array.dtype.kind == "c":
        re, im = (str(part).removesuffix(".0") for part in real_numbers(array))
        return f"{re}{'' if im.startswith('-') else '+'}{im}j"
    return str(array[()]).removesuffix(".0")


def _array_record(name: str, array: NDArray[Any], dtype: str) -> Array:
    return Array(
        name=name,
        shape=tuple(array.shape),
        dtype=dtype,
        text=_array_text(array) if array.size <= _LARGEST_SHOWN else f"{array.size} numbers",
        hex=tuple(float(x).hex() for x in real_numbers(array)),
    )
