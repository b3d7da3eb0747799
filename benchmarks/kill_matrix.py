"""The kill matrix: every case of the corpus under verimath and under torch's gradcheck.

    python benchmarks/kill_matrix.py > docs/kill-matrix.md

Ours runs with default settings (all dtypes; `--dtype float64` is quicker), the claim's own routes
beside the cases. It is what `check` does, but for two things that change no side: a wrong case that
is rejected once is not run on, and its smallest example is not looked for (balls have their say on
the first one). What comes out on the wrong side is told on stderr, with the verdict. `--alone`
leaves gradcheck out and `--cases` the claims' own routes: for further seeds.

gradcheck gets the same function in float64 at the first ordinary example of the claim's domain, in
its slow and its fast mode; code that computes a gradient is the backward of a Function whose
forward is the claim's own formula, as a user of gradcheck would wrap it. What can't be
differentiated in (integers, two outputs) it can't check.
"""

import argparse
import subprocess
import sys
import time
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.corpus import claims, right_cases, wrong_cases
from verimath import Status
from verimath._claim_run import written
from verimath._claim_run.failing import ruling_of
from verimath._claim_run.run import ClaimRun
from verimath._engine import DEFAULT_EXAMPLES, _options
from verimath.backends.torch import StandardTensor
from verimath.dtypes import DTYPES
from verimath.routes import cells

BAD = (Status.WRONG, Status.ERROR)
SIDES = (
    ("wrong", True, "wrong, rejected"),
    ("wrong", False, "wrong, passed"),
    ("right", True, "right, rejected"),
    ("right", False, "right, passed"),
)


class Unshrunk:
    """Failures of a run that doesn't look for the smallest example on which a wrong case fails."""

    def __init__(self, run, cases):
        self.judging, self.failures = run.judging, run.failures
        self.wrong = {case.name for case in cases if case.mistake}

    def verdict(self, cell, example, tally, behaviour):
        if case_of(cell.way.name) in self.wrong:
            ruling = ruling_of(self.judging, cell, example, tally.judgement)
            if ruling is None or ruling.agrees:
                return written.verdict(cell, tally.judgement.status)
        return self.failures.verdict(cell, example, tally, behaviour)


def case_of(way):
    """The case's name in a way's, which may say "reverse mode" after a colon."""
    return way.removesuffix(": value").removesuffix(": reverse mode").removesuffix(": forward mode")


def ours(claim, cases, dtypes, seed, candidates):
    """Whether each case is rejected, by name, and what is said about those on the wrong side.

    A route of the claim itself that is rejected is on the wrong side, too.
    """
    wrong = {case.name: bool(case.mistake) for case in cases}
    options = _options(None, dtypes, DEFAULT_EXAMPLES, seed)
    run = ClaimRun(claim, [case.route for case in cases], options)
    run.failures = Unshrunk(run, cases)
    verdicts = {name: [] for name in wrong}
    bad, told = set(), []
    for cell in sorted(
        cells(run.ways, run.options.backends, run.options.dtypes),
        key=lambda cell: run.options.dtypes.index(cell.dtype),
    ):
        name = case_of(cell.way.name)
        candidate = cell.way.side == "candidate"
        if (candidates and not candidate) or (candidate and wrong[name] and name in bad):
            continue
        verdict = run.held(cell)
        if candidate:
            verdicts[name].append(verdict)
            bad |= {name} if verdict.status in BAD else set()
        if verdict.status in BAD and not (candidate and wrong[name]):
            told.append(story(verdict))
    told += [story(v) for name in wrong if wrong[name] and name not in bad for v in verdicts[name]]
    return {name: name in bad for name in wrong}, told


def story(verdict):
    """A verdict in a line."""
    place = f"{verdict.route} on {verdict.backend} {verdict.dtype}: {verdict.status.value}"
    seen = verdict.counterexample
    if seen is None:
        return f"{place}, {verdict.reason}, {verdict.elements} elements"
    inputs = "  ".join(f"{array.name}={array.text}" for array in seen.inputs)
    return (
        f"{place} ({verdict.defect}), {verdict.reason}: {inputs}, at {seen.index} got {seen.got!r},"
        f" want {seen.want!r}, allowed {seen.allowed!r}, limit {seen.limit!r}"
    )


def example(claim):
    """The first ordinary example with elements, as float64 arrays by input name."""
    run = ClaimRun(claim, (), _options(["numpy"], ["float64"], 20, 0))
    for batch in run.batches:
        sizes = list(batch.sizes.values())
        plain = not batch.extreme and batch.layout == "C" and not batch.specials
        if plain and all(1 < size < 8 for size in sizes) and len(set(sizes)) == len(sizes):
            cast = batch.cast(claim.domain, "float64")
            return {name: np.asarray(values[-1]) for name, values in cast.items()}
    return None


def wrapped(case, claim, order):
    """A function of the differentiated inputs alone, for gradcheck."""
    statement = claim.statement

    def primal(*tensors):
        return getattr(statement.of(*map(StandardTensor, tensors)), "tensor", None)

    if case.kind == "autograd":
        return case.function

    class Wrapped(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *tensors):
            ctx.save_for_backward(*tensors)
            return primal(*tensors)

        @staticmethod
        def backward(ctx, gradient):
            tensors = ctx.saved_tensors
            given = [t.detach().numpy() for t in tensors] if case.kind == "numpy" else tensors
            found = case.function(*given)
            found = found if isinstance(found, tuple | list) else (found,)
            slopes = dict(zip(statement.wrt_names, found, strict=True))
            return tuple(
                gradient * torch.as_tensor(np.asarray(slopes[n])) if n in slopes else None
                for n in order
            )

    return Wrapped.apply


def gradcheck(case, claim, values, fast):
    """Whether gradcheck rejects; None where it can't be asked."""
    if values is None or not hasattr(claim.statement, "wrt_names"):
        return None
    wrt = claim.statement.wrt_names
    tensors = [
        torch.tensor(x, requires_grad=name in wrt and x.dtype.kind == "f")
        for name, x in values.items()
    ]
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            function = wrapped(case, claim, list(values))
            return not torch.autograd.gradcheck(function, tensors, fast_mode=fast)
    except Exception:  # noqa: BLE001 - what it raises of itself or of the code is a rejection
        return True


def asked(wanted, dtypes):
    """The dtypes of a run that a case is for, or its own ones if the run has none of them."""
    wanted = (wanted,) if isinstance(wanted, str) else wanted
    return [dtype for dtype in dtypes if dtype in wanted] or list(wanted)


def described(case):
    """Why a case is wrong, or might seem so, and the dtypes that it is for, if not for all."""
    dtypes = dict(case.options).get("dtype", ())
    only = dtypes if isinstance(dtypes, str) else ", ".join(dtypes)
    return "; ".join(filter(None, (case.mistake or case.bait, only and f"{only} only")))


def rows_of(claim_id, dtypes, seed, alone, candidates):
    """Every case of one claim: name, whether it is wrong, why, and who rejects it.

    With them what is told about those on the wrong side, and the seconds that ours took.
    """
    start = time.perf_counter()
    torch.manual_seed(seed)
    np.random.seed(seed)
    claim = claims()[claim_id]
    cases = [c for c in (*right_cases(), *wrong_cases()) if c.claim == claim_id]
    rejected, told = {}, []
    for wanted in dict.fromkeys(case.options for case in cases):
        same = [case for case in cases if case.options == wanted]
        chosen = asked(dict(wanted).get("dtype", dtypes), dtypes)
        found, stories = ours(claim, same, chosen, seed, candidates)
        rejected, told = rejected | found, told + stories
    seconds = time.perf_counter() - start
    values = None if alone else example(claim)
    rows = [
        (
            case.name,
            "wrong" if case.mistake else "right",
            described(case),
            (
                rejected[case.name],
                gradcheck(case, claim, values, fast=False),
                gradcheck(case, claim, values, fast=True),
            ),
        )
        for case in cases
    ]
    return rows, told, seconds


def commit():
    """The hash of what is run, and whether files differ from it."""
    git = ["git", "-C", str(Path(__file__).parent)]
    name = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "verimath", "tests/corpus"])
    return name.stdout.strip() + (" with changes" if changed.returncode else "")


_NOTE = """"only" after a reason names the dtypes that a case is for: some code is right but where
float16 overflows or underflows, and is listed there among the wrong ones."""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dtype", default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--alone", action="store_true", help="without gradcheck")
    parser.add_argument("--cases", action="store_true", help="without the claims' own routes")
    parser.add_argument("--claim", default="", help="only claims whose id has this in it")
    options = parser.parse_args()
    rows, count = [], Counter()
    with ProcessPoolExecutor(options.jobs) as pool:
        order = [c for c in sorted(claims()) if options.claim in c]
        dtypes = [options.dtype] if options.dtype else DTYPES
        given = (dtypes, options.seed, options.alone, options.cases)
        futures = {c: pool.submit(rows_of, c, *given) for c in order}
        for claim_id, future in futures.items():
            found_rows, told, seconds = future.result()
            for name, side, words, found in found_rows:
                for tool, bad in zip(("verimath", "slow", "fast"), found, strict=True):
                    count[side, tool, bad] += 1
                marks = " | ".join({True: "rejected", False: "passed", None: "–"}[b] for b in found)
                rows.append(f"| {claim_id} | {name} | {side} | {words} | {marks} |")
            print(f"{claim_id} {seconds:.0f} s", *told, sep="\n    ", file=sys.stderr, flush=True)
    command = " ".join(["python benchmarks/kill_matrix.py", *sys.argv[1:]])
    print("# Kill matrix\n")
    made = f"Made at commit {commit()} by `{command}`"
    print(f"{made}; – means that gradcheck can't be asked.\n")
    print("| | verimath | gradcheck slow | gradcheck fast |\n| --- | --- | --- | --- |")
    for side, bad, words in SIDES:
        cells = " | ".join(str(count[side, t, bad]) for t in ("verimath", "slow", "fast"))
        print(f"| {words} | {cells} |")
    print(f"\n{_NOTE}")
    print("\n| claim | implementation | is | why | verimath | slow | fast |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    print("\n".join(rows))
    counts = [f"{words} {count[side, 'verimath', bad]}" for side, bad, words in SIDES]
    print(f"{made}: {', '.join(counts)}", file=sys.stderr)


if __name__ == "__main__":
    main()
