"""The way in: `check`, `verify` and `run` take claims and give back a report.

The command line and the tests call these; `_claim_run` takes each claim through the house.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from verimath._claim_run.run import ClaimRun, Options
from verimath.backends import get_backend, select_backends
from verimath.claim import Claim, Derivative, Function, Route, numeric
from verimath.dtypes import DTYPES
from verimath.environment import environment
from verimath.errors import UsageError, VerificationError
from verimath.formula.latex.statements import statement_tex
from verimath.isolation import can_isolate
from verimath.outcome import summarise
from verimath.proof.ladder import climbed
from verimath.reference.prepare import prepare, rank_choices
from verimath.report.record import (
    ClaimRecord,
    Proof,
    Report,
    Status,
    Timing,
)
from verimath.report.text import explanation_text, verdict_text
from verimath.routes import declared_ways, ways_of

DEFAULT_EXAMPLES = 80
DEFAULT_SEED = 0
Progress = Callable[[str], None]


def check(
    claim: Claim,
    *candidates: Function | Route,
    backend: str | Sequence[str] | None = None,
    dtype: str | Sequence[str] | None = None,
    examples: int = DEFAULT_EXAMPLES,
    seed: int = DEFAULT_SEED,
    time_limit: float | None = None,
) -> Report:
    """Check a claim, its routes and any candidates; a wrong candidate is a verdict, not an error.

    A candidate is a function of the domain's inputs, in their order, that computes the claimed
    value, or a route made with `numeric` or `autograd`. A plain function gets numpy arrays, or
    torch tensors if `backend` names only torch backends. `backend` is a name, several, or "all"
    (default); `dtype` one or some of "float64", "float32", "float16", "bfloat16" (default: all);
    `examples` is how many are drawn.

    `time_limit` is how many seconds one call of a candidate or of a claim's own code may take. Each
    of them then runs in a process of its own, which is ended when it takes longer, whatever it is
    doing, and whose death (a crash, `os._exit`) is a verdict. It needs a system that can fork. On
    CUDA, which a fork can't use, and without a limit, nothing is interrupted; exceptions and
    `sys.exit` are always caught.

    Raises ClaimError for a malformed claim, UsageError for a bad option, UnavailableError if a
    backend asked for by name isn't ready.
    """
    if not isinstance(claim, Claim):
        raise UsageError(
            f"the first argument is {claim!r}; wanted a Claim, and the functions to check after it"
        )
    backends, dtypes = _names(backend), _names(dtype)
    routes = _as_routes(candidates, claim, backends)
    return run(
        [claim],
        candidates=routes,
        backends=backends,
        dtypes=dtypes,
        examples=examples,
        seed=seed,
        time_limit=time_limit,
    )


def verify(
    claim: Claim,
    *candidates: Function | Route,
    backend: str | Sequence[str] | None = None,
    dtype: str | Sequence[str] | None = None,
    examples: int = DEFAULT_EXAMPLES,
    seed: int = DEFAULT_SEED,
    time_limit: float | None = None,
) -> None:
    """Like `check`, but raise VerificationError with the full story unless all is as expected."""
    report = check(
        claim,
        *candidates,
        backend=backend,
        dtype=dtype,
        examples=examples,
        seed=seed,
        time_limit=time_limit,
    )
    record = report.claims[0]
    if record.outcome == "as_expected":
        return
    failing = [v for v in record.verdicts if v.status in (Status.WRONG, Status.ERROR)]
    # What was asked about comes first: the candidates' routes follow the claim's own.
    own = {way.name for way in ways_of(claim)}
    failing.sort(key=lambda verdict: verdict.route in own)
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
    taken = [way.name for way in ways_of(claim)]
    routes: list[Route] = []
    for candidate in candidates:
        if isinstance(candidate, Route):
            route = candidate
            if route.kind == "autograd" and not isinstance(claim.statement, Derivative):
                raise UsageError(
                    f"candidate {route.name!r} is an autograd route, but {claim.id} claims no "
                    "derivative; pass a function, or numeric(name, function)"
                )
        elif isinstance(candidate, type) or not callable(candidate):
            raise UsageError(
                f"candidate {candidate!r} is no function; wanted a function of "
                f"({', '.join(claim.domain.arguments)}), or numeric(name, function) or "
                "autograd(name, function) - for a custom autograd.Function its `.apply`"
            )
        else:
            name = getattr(candidate, "__name__", "candidate").replace("<lambda>", "candidate")
            while name in taken:
                name += "'"
            route = numeric(name, candidate, library="torch" if torch_only else "numpy")
        if claim.domain.is_complex and route.error_class not in (None, "componentwise"):
            raise UsageError(
                f"candidate {route.name!r} declares error_class={route.error_class!r}; complex "
                "numbers are judged by part, 'componentwise'"
            )
        names = [way.name for way in declared_ways([route], side="candidate")]
        clash = next((name for name in names if name in taken), None)
        if clash is not None:
            raise UsageError(f"two routes are called {clash!r}; give the candidate another name")
        taken += names
        routes.append(route)
    return tuple(routes)


def run(
    claims: Iterable[Claim],
    *,
    candidates: Sequence[Route] = (),
    backends: Sequence[str] | None = None,
    dtypes: Sequence[str] | None = None,
    examples: int = DEFAULT_EXAMPLES,
    seed: int = DEFAULT_SEED,
    time_limit: float | None = None,
    progress: Progress = lambda _: None,
) -> Report:
    """Check claims and return the report. Options and errors are those of `check`."""
    options = _options(backends, dtypes, examples, seed, time_limit)
    started, clock = datetime.now(UTC), time.perf_counter()
    records: list[ClaimRecord] = []
    seconds: dict[str, float] = {}
    # Every formula is read before any is checked: a mistake in the last one shows at once.
    for run_ in [ClaimRun(claim, candidates, options) for claim in claims]:
        claim, begun = run_.claim, time.perf_counter()
        progress(claim.id)
        records.append(run_.record())
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
    run_ = ClaimRun(claim, (), _options(["numpy"], None, 1, DEFAULT_SEED))
    shown = run_.shown()
    return explanation_text(
        title=f"{claim.id}: {claim.title}",
        source=claim.source,
        domain=str(claim.domain),
        statement=statement_tex(claim.statement, shown.primal, shown.printed),
        proof=run_.proof(),
    )


def prove(claim: Claim, *, seed: int = DEFAULT_SEED) -> Proof:
    """How far a claim is proved, without running any code under test.

    The label is a rung of the proof ladder: a proof for all shapes, an exact one at a few, a
    certified counterexample, or "none" with the reason. The certificate can be checked again by
    `verimath.recheck`. The mathematics, with the lemma that finitely many sizes stand for all of
    them, is in docs/proofs.md.

    Raises ClaimError for a malformed claim, UsageError for a first argument that is no claim.
    """
    if not isinstance(claim, Claim):
        raise UsageError(f"prove() wants a Claim, not {claim!r}")
    return climbed([prepare(claim, dict(ranks)) for ranks in rank_choices(claim.domain)], seed=seed)


def _options(
    backends: Sequence[str] | None,
    dtypes: Sequence[str] | None,
    examples: int,
    seed: int,
    time_limit: float | None = None,
) -> Options:
    chosen = tuple(dict.fromkeys(dtypes or DTYPES))
    for dtype in chosen:
        if dtype not in DTYPES:
            raise UsageError(f"dtype {dtype!r}; wanted one or more of {', '.join(DTYPES)}")
    if not isinstance(examples, int) or examples < 1:
        raise UsageError(f"examples={examples!r}; wanted a whole number of at least 1")
    if not isinstance(seed, int) or seed < 0:
        raise UsageError(f"seed={seed!r}; wanted a whole number that is not negative")
    if time_limit is not None:
        if not isinstance(time_limit, int | float) or not 0 < time_limit < float("inf"):
            raise UsageError(f"time_limit={time_limit!r}; wanted a positive number of seconds")
        if not can_isolate():
            raise UsageError("a time_limit needs a system that can fork; leave it out here")
    return Options(select_backends(backends), chosen, examples, seed, time_limit)
