"""The one module that sees the whole flow: claim, examples, routes, judge, proof, report.

The command line, the tests and the notebook call `run`, `check` or `verify`; none calls another.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verimath.backends import DTYPES, Backend, Fetched, get_backend, select_backends
from verimath.claim import AtMost, Claim, Equal, Function, Gradient, Route, numeric
from verimath.domain import Domain
from verimath.environment import environment
from verimath.errors import ClaimError, UsageError, VerificationError
from verimath.examples import Example, Plan, axis_names, draw_examples, simplest_failure
from verimath.formula.latex import statement_tex
from verimath.judge import Finding, Judgement, judge, judge_bound, worse
from verimath.outcome import outcome_of, summarise
from verimath.prepare import Prepared, Want, prepare, wanted
from verimath.proof import LARGEST_EXPLICIT, explicit_symbols, prove
from verimath.report.record import (
    Array,
    ClaimRecord,
    Counterexample,
    Mutant,
    Proof,
    Report,
    Status,
    Timing,
    Verdict,
)
from verimath.report.text import PHRASES, explanation_text, verdict_text
from verimath.reproduce import script
from verimath.routes import Cell, Way, cells, declared_ways, implied_ways, symbolic
from verimath.routes.execute import execute
from verimath.shapes import Binding
from verimath.shrink import shrink

DEFAULT_EXAMPLES = 80
DEFAULT_SEED = 0
_LARGEST_SHOWN = 200  # elements
_EXPLICIT_SHAPES = 3  # shapes per rank at which the symbolic comparison is made

_REASONS = {
    "value": "another value than wanted",
    "nonfinite": "NaN or infinity where a finite number is wanted",
}

Progress = Callable[[str], None]


def check(
    claim: Claim,
    *candidates: Function | Route,
    backend: str | Sequence[str] | None = None,
    dtype: str | Sequence[str] | None = None,
    examples: int = DEFAULT_EXAMPLES,
    seed: int = DEFAULT_SEED,
) -> Report:
    """Check a claim, its routes and any candidates; a wrong candidate is a verdict, not an error.

    A candidate is a function of the domain's inputs, in their order, that computes the claimed
    value, or a route made with `numeric` or `autograd`. A plain function gets numpy arrays, or
    torch tensors if `backend` names only torch backends. `backend` is a name, several, or "all"
    (default); `dtype` "float64", "float32" or both (default); `examples` is how many are drawn.

    Raises ClaimError for a malformed claim, UsageError for a bad option, UnavailableError if a
    backend asked for by name isn't ready.
    """
    backends, dtypes = _names(backend), _names(dtype)
    routes = _as_routes(candidates, claim, backends)
    return run(
        [claim],
        candidates=routes,
        backends=backends,
        dtypes=dtypes,
        examples=examples,
        seed=seed,
    )


def verify(
    claim: Claim,
    *candidates: Function | Route,
    backend: str | Sequence[str] | None = None,
    dtype: str | Sequence[str] | None = None,
    examples: int = DEFAULT_EXAMPLES,
    seed: int = DEFAULT_SEED,
) -> None:
    """Like `check`, but raise VerificationError with the full story unless all is as expected."""
    report = check(claim, *candidates, backend=backend, dtype=dtype, examples=examples, seed=seed)
    record = report.claims[0]
    if record.outcome == "as_expected":
        return
    failing = [v for v in record.verdicts if v.status in (Status.WRONG, Status.ERROR)]
    story = [f"{record.id}: {record.reason}"]
    story += [verdict_text(record, verdict) for verdict in failing[:3]]
    if len(failing) > 3:
        story.append(f"... and {len(failing) - 3} more verdicts like these")
    shown = next((v.counterexample for v in failing if v.counterexample is not None), None)
    if shown is not None:
        story.append(f"a script that shows it without verimath:\n\n{shown.script}")
    raise VerificationError("\n\n".join(story))


def _names(value: str | Sequence[str] | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = value.split(",") if isinstance(value, str) else value
    return tuple(name.strip() for name in names)


def _as_routes(
    candidates: Sequence[Function | Route], claim: Claim, backends: Sequence[str] | None
) -> tuple[Route, ...]:
    named = [get_backend(name) for name in backends or () if name != "all"]
    torch_only = bool(named) and all(backend.library == "torch" for backend in named)
    taken = [way.name for way in _declared(claim)]
    routes: list[Route] = []
    for candidate in candidates:
        if isinstance(candidate, Route):
            route = candidate
            if route.kind == "autograd" and not isinstance(claim.statement, Gradient):
                raise UsageError(
                    f"candidate {route.name!r} is an autograd route, but {claim.id} claims no "
                    "gradient; pass a function, or numeric(name, function)"
                )
        elif isinstance(candidate, type) or not callable(candidate):
            raise UsageError(
                f"candidate {candidate!r} is no function; wanted a function of "
                f"({', '.join(claim.domain.inputs)}), or numeric(name, function) or "
                "autograd(name, function) - for a custom autograd.Function its `.apply`"
            )
        else:
            name = getattr(candidate, "__name__", "candidate").replace("<lambda>", "candidate")
            while name in taken:
                name += "'"
            route = numeric(name, candidate, library="torch" if torch_only else "numpy")
        names = [way.name for way in declared_ways([route], side="candidate")]
        clash = next((name for name in names if name in taken), None)
        if clash is not None:
            raise UsageError(f"two routes are called {clash!r}; give the candidate another name")
        taken += names
        routes.append(route)
    return tuple(routes)


def _declared(claim: Claim) -> tuple[Way, ...]:
    """The ways that a claim has by itself.

    Raises ClaimError if a route of the claim bears the name of an implied one.
    """
    implied, declared = implied_ways(claim), declared_ways(claim.routes, side="reference")
    clash = {way.name for way in implied} & {way.name for way in declared}
    if clash:
        raise ClaimError(f"claim {claim.id!r}: every such claim has a route {min(clash)!r} already")
    return (*implied, *declared)


def run(
    claims: Iterable[Claim],
    *,
    candidates: Sequence[Route] = (),
    backends: Sequence[str] | None = None,
    dtypes: Sequence[str] | None = None,
    examples: int = DEFAULT_EXAMPLES,
    seed: int = DEFAULT_SEED,
    progress: Progress = lambda _: None,
) -> Report:
    """Check claims and return the report. Options and errors are those of `check`."""
    options = _options(backends, dtypes, examples, seed)
    started, clock = datetime.now(UTC), time.perf_counter()
    records: list[ClaimRecord] = []
    seconds: dict[str, float] = {}
    for claim in claims:
        begun = time.perf_counter()
        progress(claim.id)
        records.append(_ClaimRun(claim, candidates, options).record())
        seconds[claim.id] = round(time.perf_counter() - begun, 3)
    if not records:
        raise UsageError("no claim to check")
    timing = Timing(
        started=started.isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - clock, 3),
        claims=seconds,
    )
    return Report(
        seed=seed,
        environment=environment(options.backends),
        summary=summarise(records),
        claims=tuple(records),
        timing=timing,
    )


def explanation(claim: Claim) -> str:
    """A claim in plain text: statement and derivation in TeX, each step with its check.

    Raises ClaimError for a malformed claim.
    """
    run_ = _ClaimRun(claim, (), _options(["numpy"], None, 1, DEFAULT_SEED))
    shown = run_.shown()
    return explanation_text(
        title=f"{claim.id}: {claim.title}",
        source=claim.source,
        domain=str(claim.domain),
        statement=statement_tex(claim.statement, shown.primal, shown.claimed),
        proof=run_.proof(),
    )


@dataclass(frozen=True, slots=True)
class _Options:
    backends: tuple[Backend, ...]
    dtypes: tuple[str, ...]
    examples: int
    seed: int


def _options(
    backends: Sequence[str] | None, dtypes: Sequence[str] | None, examples: int, seed: int
) -> _Options:
    chosen = tuple(dict.fromkeys(dtypes or DTYPES))
    for dtype in chosen:
        if dtype not in DTYPES:
            raise UsageError(f"dtype {dtype!r}; wanted one or more of {', '.join(DTYPES)}")
    if not isinstance(examples, int) or examples < 1:
        raise UsageError(f"examples={examples!r}; wanted a whole number of at least 1")
    if not isinstance(seed, int) or seed < 0:
        raise UsageError(f"seed={seed!r}; wanted a whole number that is not negative")
    return _Options(select_backends(backends), chosen, examples, seed)


@dataclass(slots=True)
class _Tally:
    """What adds up over the examples of one cell."""

    judgement: Judgement = field(default_factory=lambda: Judgement(Status.PASS))
    examples: int = 0
    elements: int = 0
    worst_ratio: float = 0.0
    floors: list[float] = field(default_factory=list[float])
    undecided: str | None = None  # why an example left every element open

    def add(self, judgement: Judgement) -> None:
        self.examples += 1
        if judgement.status is Status.INCONCLUSIVE and not judgement.elements:
            self.undecided = judgement.reason  # like an open element beside others: not compared
            return
        self.judgement = worse(self.judgement, judgement)
        self.elements += judgement.elements
        self.worst_ratio = max(self.worst_ratio, judgement.worst_ratio)
        self.floors.extend(judgement.floors)


# A claim is proved as far as it is at the weakest of its ranks.
_STRENGTH = ("refuted", "none", "sampled", "exact_at_shapes")


class _ClaimRun:
    """One claim on its way through the house; lives as long as the run of that claim."""

    def __init__(self, claim: Claim, candidates: Sequence[Route], options: _Options) -> None:
        self.claim, self.options = claim, options
        self.domain: Domain = claim.domain
        self.prepared = {
            ranks: prepare(claim, dict(ranks)) for ranks in _rank_choices(claim.domain)
        }
        self.ways = (
            *_declared(claim),
            *declared_ways(candidates, side="candidate"),
        )
        self.examples = draw_examples(
            self.domain, self._admissible, count=options.examples, entropy=options.seed
        )
        self._wants: dict[tuple[int, str, str], tuple[Want, ...]] = {}
        self._lambdified: dict[tuple[tuple[str, int], ...], symbolic.Lambdified] = {}

    # --- the parts of the record ---

    def record(self) -> ClaimRecord:
        verdicts = tuple(
            self._verdict(cell)
            for cell in cells(self.ways, self.options.backends, self.options.dtypes)
        )
        proof, mutants = self.proof(), self._mutants()
        outcome, reason = outcome_of(self.claim, self.ways, verdicts, proof, mutants)
        shown = self.shown()
        return ClaimRecord(
            id=self.claim.id,
            title=self.claim.title,
            source=self.claim.source,
            statement=statement_tex(self.claim.statement, shown.primal, shown.claimed),
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
        return self.prepared[plan.ranks].allows(dict(plan.sizes))

    def _of(self, example: Example) -> Prepared:
        return self.prepared[tuple(example.ranks.items())]

    # --- verdicts ---

    def _verdict(self, cell: Cell) -> Verdict:
        missing = cell.backend.why_unavailable()
        if missing:
            return _verdict(cell, Status.SKIPPED, reason=missing)
        tally = _Tally()
        for number, example in enumerate(self.examples):
            if cell.way.kind == "sympy" and not self._explicit(example):
                continue
            judgement = self._judge(cell, example, number)
            if judgement.status is Status.SKIPPED:
                return _verdict(cell, Status.SKIPPED, reason=judgement.reason)
            tally.add(judgement)
            if judgement.status in (Status.WRONG, Status.ERROR):
                return self._failing(cell, example, tally)
        status, reason = tally.judgement.status, tally.judgement.reason
        if not tally.elements:
            status = Status.INCONCLUSIVE
            reason = reason or tally.undecided or "no element was compared"
        floor = float(np.median(tally.floors)) if tally.floors else None
        return _verdict(
            cell,
            status,
            reason=reason if status is not Status.PASS else None,
            examples=tally.examples,
            elements=tally.elements,
            worst_ratio=tally.worst_ratio,
            floor=floor,
        )

    def _explicit(self, example: Example) -> bool:
        prepared = self._of(example)
        return explicit_symbols(prepared, example.sizes) <= LARGEST_EXPLICIT

    def _judge(self, cell: Cell, example: Example, number: int | None = None) -> Judgement:
        """Judge one cell on one example; `number` is its place among the shared ones."""
        inputs = example.cast(self.domain, cell.dtype)
        want = self._want(cell, example, inputs, number)
        if cell.way.kind == "sympy":
            results = self._run_sympy(example, inputs)
        else:
            outcome = execute(cell, inputs, self._wrt)
            if outcome.lacking is not None:
                return Judgement(Status.SKIPPED, None, outcome.lacking)
            if outcome.error is not None:
                return Judgement(Status.ERROR, "raises", outcome.error)
            results = outcome.results
            if outcome.mutated is not None:
                return Judgement(
                    Status.WRONG, "mutates_input", f"input {outcome.mutated} was changed in place"
                )
        statement = self.claim.statement
        if isinstance(statement, AtMost):
            return judge_bound(results, want, bound=statement.bound, dtype=cell.dtype)
        return judge(results, want, dtype=cell.dtype)

    def _want(
        self,
        cell: Cell,
        example: Example,
        inputs: dict[str, NDArray[Any]],
        number: int | None,
    ) -> tuple[Want, ...]:
        kind = cell.way.kind
        what = kind if kind == "forward" or kind == "value" else "claim"
        key = (number, cell.dtype, what) if number is not None else None
        if key is not None and key in self._wants:
            return self._wants[key]
        exact = {name: np.asarray(array, dtype=np.float64) for name, array in inputs.items()}
        want = wanted(self._of(example), exact, example.sizes, cell.dtype, what=what)
        if key is not None:
            self._wants[key] = want
        return want

    def _run_sympy(self, example: Example, inputs: dict[str, NDArray[Any]]) -> tuple[Fetched, ...]:
        key = (*example.ranks.items(), *example.sizes.items())
        if key not in self._lambdified:
            shapes = {name: array.shape for name, array in inputs.items()}
            self._lambdified[key] = symbolic.lambdify(self.claim.statement, shapes)
        values = symbolic.numeric_value(self._lambdified[key], inputs)
        return tuple(Fetched(value, "float64", True) for value in values)

    @property
    def _wrt(self) -> tuple[str, ...]:
        statement = self.claim.statement
        return statement.wrt_names if isinstance(statement, Gradient) else ()

    def _failing(self, cell: Cell, example: Example, tally: _Tally) -> Verdict:
        """Shrink a failure to its smallest example and write it down."""
        kind = tally.judgement.status

        def fails(candidate: Example) -> bool:
            if cell.way.kind == "sympy" and not self._explicit(candidate):
                return False
            if not self._of(candidate).allows(candidate.sizes):
                return False
            return self._judge(cell, candidate).status is kind

        found = simplest_failure(
            self.domain,
            self._admissible,
            fails,
            count=self.options.examples,
            entropy=self.options.seed,
        )
        smallest = shrink(_simpler_of(found, example), fails, self.domain)
        judgement = self._judge(cell, smallest)
        if judgement.status is not kind:
            reason = f"{kind.value} at first, {judgement.status.value} when called again"
            judgement = replace(tally.judgement, defect="nondeterministic", reason=reason)
            smallest = example
        return _verdict(
            cell,
            kind,
            defect=judgement.defect,
            reason=judgement.reason or _REASONS.get(judgement.defect or "value"),
            examples=tally.examples,
            elements=tally.elements,
            worst_ratio=tally.worst_ratio,
            counterexample=self._counterexample(cell, smallest, judgement),
        )

    def _counterexample(self, cell: Cell, example: Example, judgement: Judgement) -> Counterexample:
        inputs = example.cast(self.domain, cell.dtype)
        want = self._want(cell, example, inputs, None)
        finding = judgement.finding
        statement = self.claim.statement
        bound = statement.bound if isinstance(statement, AtMost) else None
        title = (
            f"{self.claim.id}: {cell.way.name} on {cell.backend.name} {cell.dtype} "
            f"{PHRASES[judgement.status]}"
        )
        return Counterexample(
            sizes=dict(example.sizes),
            inputs=tuple(_array_record(name, array) for name, array in inputs.items()),
            differing=finding.differing if finding else 0,
            compared=finding.compared if finding else 0,
            output=self._output_name(finding, cell),
            index=finding.index if finding else (),
            got=finding.got if finding else float("nan"),
            want=finding.want if finding else float("nan"),
            allowed=finding.allowed if finding else float("nan"),
            script=script(
                title=title, cell=cell, inputs=inputs, wrt=self._wrt, want=want, bound=bound
            ),
        )

    def _output_name(self, finding: Finding | None, cell: Cell) -> str:
        statement = self.claim.statement
        number = finding.output if finding else 0
        match statement:
            case Gradient() if cell.way.kind != "value":
                return f"gradient in {statement.wrt_names[number]}"
            case Gradient():
                return "value"
            case Equal():
                return f"result {number + 1}" if number else "result"
            case AtMost(bound=bound):
                beyond = finding is not None and finding.want == bound
                return "absolute value, to be at most what is wanted," if beyond else "value"

    # --- proof and mutants ---

    def proof(self) -> Proof:
        """Everything that is known beyond the examples."""
        proofs: list[Proof] = []
        shown = self.shown()
        for prepared in sorted(self.prepared.values(), key=lambda p: p is not shown):
            bindings = self._explicit_bindings(prepared)
            if bindings:
                proofs.append(prove(prepared, bindings))
        if not proofs:
            return Proof(label="sampled")  # too large for symbols at every size that is allowed
        first = proofs[0]
        weakest = min(proofs, key=lambda proof: _STRENGTH.index(proof.label))
        if weakest.label != "exact_at_shapes":
            return weakest.model_copy(update={"steps": first.steps})
        shapes = tuple(shape for proof in proofs for shape in proof.shapes)
        return first.model_copy(update={"shapes": shapes})

    def _explicit_bindings(self, prepared: Prepared) -> list[Binding]:
        """A few small sizes for the symbolic comparison, all different ones first."""
        names = axis_names(self.domain, prepared.ranks)
        tried: list[Binding] = [
            {name: 2 + i % 2 for i, name in enumerate(names)},
            dict.fromkeys(names, 2),
            {name: 1 + i % 2 for i, name in enumerate(names)},
            dict.fromkeys(names, 1),
        ]
        distinct = [b for i, b in enumerate(tried) if b not in tried[:i]]
        usable = [
            b
            for b in distinct
            if prepared.allows(b) and explicit_symbols(prepared, b) <= LARGEST_EXPLICIT
        ]
        return usable[:_EXPLICIT_SHAPES]

    def _mutants(self) -> tuple[Mutant, ...]:
        if self.claim.expected == "refuted":
            return ()  # the claim itself is the mutant
        numpy_backends = select_backends(["numpy"])
        named: dict[str, Way] = {
            name: Way(name, "formula", function, ("numpy",))
            for name, function in {**_generic_mutants(self.claim), **self.claim.mutants}.items()
        }
        found: list[Mutant] = []
        for name, way in named.items():
            killed = {
                cell.dtype: self._kills(cell) for cell in cells([way], numpy_backends, DTYPES)
            }
            found.append(
                Mutant(
                    name=name,
                    killed_by="numpy float64" if killed["float64"] else None,
                    not_separable_in=tuple(d for d, dead in killed.items() if not dead),
                )
            )
        return tuple(found)

    def _kills(self, cell: Cell) -> bool:
        return any(
            self._judge(cell, example, number).status in (Status.WRONG, Status.ERROR)
            for number, example in enumerate(self.examples)
        )


def _verdict(cell: Cell, status: Status, **facts: Any) -> Verdict:
    return Verdict(
        route=cell.way.name,
        backend=cell.backend.name,
        dtype=cell.dtype,
        status=status,
        **facts,
    )


def _rank_choices(domain: Domain) -> list[tuple[tuple[str, int], ...]]:
    tops = domain.largest_ranks
    return [
        tuple(zip(tops, choice, strict=True))
        for choice in product(*(range(top + 1) for top in tops.values()))
    ]


def _simpler_of(found: Example | None, example: Example) -> Example:
    """Hypothesis's example if it is no larger than the one at hand."""

    def size(e: Example) -> int:
        return sum(values.size for values in e.inputs.values())

    return found if found is not None and size(found) <= size(example) else example


def _generic_mutants(claim: Claim) -> dict[str, Function]:
    """Mistakes that every claimed formula can have; more are generated from the graph one day."""
    match claim.statement:
        case Gradient(equals=formula) | Equal(right=formula):
            return {
                "twice the claimed value": lambda *x: _each(lambda y: 2 * y, formula(*x)),
                "the sign flipped": lambda *x: _each(lambda y: -y, formula(*x)),
            }
        case AtMost():
            return {}


def _each(change: Callable[[Any], Any], result: Any) -> Any:
    return tuple(map(change, result)) if isinstance(result, tuple) else change(result)


def _array_text(array: NDArray[Any]) -> str:
    """Nested lists of the shortest decimals that read back as the same numbers."""
    if array.ndim:
        return f"[{', '.join(_array_text(row) for row in array)}]"
    return str(array[()]).removesuffix(".0")


def _array_record(name: str, array: NDArray[Any]) -> Array:
    return Array(
        name=name,
        shape=tuple(array.shape),
        dtype=array.dtype.name,
        text=_array_text(array) if array.size <= _LARGEST_SHOWN else f"{array.size} numbers",
        hex=tuple(float(x).hex() for x in array.ravel()),
    )
