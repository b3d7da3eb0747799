"""The command line: progress on stderr, results on stdout, exit codes that a script can rely on.

0 all as expected · 1 a claim came out otherwise, or a candidate is wrong · 2 usage, including a
bad claims file · 3 environment or internal · 4 nothing wrong, but something undecided · 130
interrupted.

Heavy libraries are imported by the commands that need them, never for help, version or `list`.
"""

import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, CycloptsError, Parameter

from verimath import __version__
from verimath.errors import UnavailableError, UsageError, VerimathError

if TYPE_CHECKING:
    from verimath.report.record import Report

app = App(
    name="verimath",
    version=f"verimath {__version__}",
    help="State the mathematics once; judge every implementation against it.",
    suppress_keyboard_interrupt=False,
)


@app.command
def verify(
    claims: Annotated[list[str] | None, Parameter(negative=())] = None,
    /,
    *,
    all_: Annotated[bool, Parameter(name="--all", negative=())] = False,
    backend: str | None = None,
    dtype: str | None = None,
    examples: int | None = None,
    seed: int = 0,
    out: Path = Path("reports"),
) -> int:
    """Check claims and write OUT/report.json and OUT/index.html.

    Parameters
    ----------
    claims
        Ids of claims, or Python files that define some; the claims of the lecture if none is given
        (about a minute).
    all_
        The whole catalogue, beside what is named: the lecture, calculus, losses, layers, matrices,
        iterations and algebra (several minutes), and what is installed.
    backend
        numpy, torch-cpu, torch-cuda, several with commas, or all (the default: what isn't there is
        listed as skipped; asked for by name it is an error).
    dtype
        float64, float32, or both with a comma (the default).
    examples
        How many examples are drawn per claim.
    seed
        The same seed gives the same report, apart from times.
    out
        The folder to write to.
    """
    from verimath.catalogue import all_claims, find_claims, lecture_claims

    chosen = find_claims(claims) if claims else {} if all_ else lecture_claims()
    if all_:
        chosen = {**all_claims(), **chosen}
    _require_writable(out)

    from verimath._engine import DEFAULT_EXAMPLES, run
    from verimath.report.html import to_html

    report = run(
        chosen.values(),
        backends=_listed(backend),
        dtypes=_listed(dtype),
        examples=DEFAULT_EXAMPLES if examples is None else examples,
        seed=seed,
        progress=_progress(len(chosen)),
    )
    _write({out / "report.json": report.to_json(), out / "index.html": to_html(report)})
    _show(report)
    print(f"Report: {(out / 'index.html').resolve()}")
    return exit_code(report)


@app.command(name="list")
def list_(*, json_: Annotated[bool, Parameter(name="--json", negative=())] = False) -> int:
    """List the claims of the catalogue.

    Parameters
    ----------
    json_
        As JSON: id, title, source, expected and domain of each.
    """
    from verimath.catalogue import all_claims, lecture_claims

    claims = all_claims().values()
    if json_:
        rows = [
            {
                "id": claim.id,
                "title": claim.title,
                "source": claim.source,
                "expected": claim.expected,
                "domain": str(claim.domain),
            }
            for claim in claims
        ]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    width = max(len(claim.id) for claim in claims)
    lecture = lecture_claims()
    groups = {
        "Of the lecture, checked by `verimath verify`:": lecture.values(),
        "Beside it, checked by name or with --all:": [c for c in claims if c.id not in lecture],
    }
    for heading, members in groups.items():
        print(f"{heading}\n")
        for claim in members:
            mark = " " if claim.expected == "holds" else "✗"
            print(f"{claim.id:<{width}}  {mark} {claim.title}")
        print()
    print("✗ is a false claim, which has to be refuted.")
    return 0


@app.command
def explain(claim: str, /) -> int:
    """Print a claim's statement and derivation, each step with its rule and its own check.

    Parameters
    ----------
    claim
        The id of a claim, or a Python file.
    """
    from verimath._engine import explanation
    from verimath.catalogue import find_claims

    print("\n\n".join(explanation(found) for found in find_claims([claim]).values()))
    return 0


@app.command
def prove(
    claims: Annotated[list[str] | None, Parameter(negative=())] = None,
    /,
    *,
    seed: int = 0,
) -> int:
    """Print how far claims are proved: label, hypotheses, axioms, bounds, failure probability.

    Exit codes: 0 proved (a false claim: refuted) · 1 it came out otherwise · 4 undecided.

    Parameters
    ----------
    claims
        Ids of claims, or Python files; the whole catalogue if left out.
    seed
        What random points are drawn from.
    """
    from verimath import _engine
    from verimath.catalogue import find_claims
    from verimath.report.text import proof_text

    found = find_claims(claims or [])
    codes = [0]
    for claim in found.values():
        begun = time.perf_counter()
        proof = _engine.prove(claim, seed=seed)
        print(proof_text(claim.id, proof, time.perf_counter() - begun))
        refuted, undecided = proof.label == "refuted", proof.label in ("none", "sampled")
        codes.append(4 if undecided else int(refuted != (claim.expected == "refuted")))
    return 1 if 1 in codes else max(codes)


@app.command
def recheck(report: Path, /) -> int:
    """Check the certificates in a report.json with a program of its own.

    Exit codes: 0 all of them hold · 1 one doesn't, and why · 2 no report · 4 nothing to check.

    Parameters
    ----------
    report
        A report.json.
    """
    from verimath.rechecking.checking import recheck as check_again
    from verimath.rechecking.text import recheck_text
    from verimath.report.record import read_report

    results = check_again(read_report(report))
    print(recheck_text(results))
    if any(result.holds is False for result in results):
        return 1
    return 0 if any(result.holds for result in results) else 4


@app.command
def render(
    report: Path, /, *, out: Annotated[Path | None, Parameter(name=["-o", "--out"])] = None
) -> int:
    """Draw the page of a report.json again.

    Parameters
    ----------
    report
        A report.json.
    out
        The page to write; index.html beside the report if left out.
    """
    from verimath.report.html import to_html
    from verimath.report.record import read_report

    page = report.with_name("index.html") if out is None else out
    text = to_html(read_report(report))
    _require_writable(page.parent)
    _write({page: text})
    print(f"Page: {page.resolve()}")
    return 0


@app.command
def ulp(
    functions: Annotated[list[str] | None, Parameter(negative=())] = None,
    /,
    *,
    library: str | None = None,
    exhaustive: Annotated[bool, Parameter(negative=())] = False,
    points: int | None = None,
    out: Annotated[Path | None, Parameter(name=["-o", "--out"])] = None,
) -> int:
    """Measure how far the elementary functions of numpy and torch are off on this machine.

    Prints the largest errors in ulp, and writes a table with --out; the one that verimath itself
    uses is verimath/arithmetic/ulp.json.

    Parameters
    ----------
    functions
        Names such as exp or tanh; all of them if none is given.
    library
        numpy, torch-cpu, torch-cuda, or several with commas (the default: those that are ready).
    exhaustive
        Every number of float32, too: minutes per function.
    points
        How many numbers of float32 and float64 are tried (2^21 if left out).
    out
        A table to write to; what it holds of other machines, versions and functions stays.
    """
    from verimath.ulp import POINTS, entry, measure, merged, ready_libraries

    if points is not None and points < 1:
        raise UsageError(f"points={points}; wanted a whole number of at least 1")
    found = measure(
        ready_libraries(_listed(library)),
        names=functions,
        points=POINTS if points is None else points,
        exhaustive=exhaustive,
        progress=lambda message: print(message, file=sys.stderr, flush=True),
    )
    for name, by_function in found.items():
        print(name)
        for function, by_dtype in by_function.items():
            cells = (f"{dtype} {worst.ulp:.4g}" for dtype, worst in by_dtype.items())
            print(f"  {function:<8} {'   '.join(cells)}")
    if out is not None:
        _require_writable(out.parent)
        _write({out: merged([entry(name, found[name]) for name in found], out)})
        print(f"Table: {out.resolve()}")
    return 0


def exit_code(report: "Report") -> int:
    """The exit code of a run: 0 as expected, 1 otherwise, 4 undecided."""
    if report.summary.not_as_expected:
        return 1
    return 4 if report.summary.undecided else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    try:
        result = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
        return result if isinstance(result, int) else 0
    except CycloptsError as error:
        return _complain(f"{str(error).rstrip('.')}; see `verimath --help`", 2)
    except UnavailableError as error:
        return _complain(str(error), 3)
    except VerimathError as error:
        return _complain(str(error), 2)
    except BrokenPipeError:
        # The reader of our output left (as `head` does); nothing more may be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    except Exception as error:  # noqa: BLE001 - a defect of ours has an exit code of its own
        traceback.print_exc()
        return _complain(f"internal error ({type(error).__name__}): please report it", 3)


def _complain(message: str, code: int) -> int:
    print(f"verimath: {message}", file=sys.stderr)
    return code


def _listed(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise UsageError(f"{text!r} names nothing; wanted names with commas between them")
    return names


def _require_writable(folder: Path) -> None:
    """Find out before the work that the report can be written after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UnavailableError(
            f"{folder}: can't be written to ({error.strerror}); choose another folder with --out"
        ) from None


def _write(texts: dict[Path, str]) -> None:
    """All or nothing: files appear under their names only once every one of them is whole."""
    drafts = {path: path.with_name(path.name + ".part") for path in texts}
    try:
        for path, text in texts.items():
            drafts[path].write_text(text, encoding="utf-8")
        for path, draft in drafts.items():
            draft.replace(path)
    except OSError as error:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
        raise UnavailableError(
            f"{error.filename or next(iter(texts))}: can't be written ({error.strerror}); "
            "nothing was kept: make room or choose another folder with --out"
        ) from None


def _progress(total: int) -> Callable[[str], None]:
    done = 0

    def show(message: str) -> None:
        nonlocal done
        done += 1
        print(f"[{done}/{total}] {message}", file=sys.stderr, flush=True)

    return show


def _show(report: "Report") -> None:
    """The short table, and the story of everything that came out otherwise."""
    from rich.console import Console
    from rich.table import Table

    from verimath.report.record import Status
    from verimath.report.text import summary_text, verdict_text

    width = max(len(record.id) for record in report.claims)
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    table.add_column("claim", min_width=width, no_wrap=True)
    table.add_column("outcome")
    table.add_column("proof")
    marks = {"as_expected": "✓", "not_as_expected": "✗", "undecided": "?"}
    for record in report.claims:
        outcome = record.outcome.replace("_", " ")
        if record.expected == "refuted" and record.outcome == "as_expected":
            outcome = "refuted, as expected"
        label = record.proof.label.replace("_", " ")
        table.add_row(marks[record.outcome], record.id, outcome, label)
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    console.print(table)
    for record in report.claims:
        if record.outcome != "as_expected":
            print(f"\n{record.id}: {record.reason}")
            for verdict in record.verdicts:
                if verdict.status in (Status.WRONG, Status.ERROR):
                    print(verdict_text(record, verdict))
    print(f"\n{summary_text(report)}")
