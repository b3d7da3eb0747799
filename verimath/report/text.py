"""Reports in plain text: the story of a failure, and the short table of a run."""

from verimath.report.record import ClaimRecord, Proof, Report, Status, Verdict

SYMBOLS = {
    Status.PASS: "✓",
    Status.LESS_ACCURATE: "≈",
    Status.WRONG: "✗",
    Status.INCONCLUSIVE: "?",
    Status.ERROR: "!",
    Status.SKIPPED: "–",
}

_LABEL = 22


def verdict_text(claim: ClaimRecord, verdict: Verdict) -> str:
    """A verdict as a person wants to read it: what, where, by how much, what was allowed."""
    place = f"`{verdict.route}` on {verdict.backend} {verdict.dtype}"
    lines = [f"{claim.id}: {place} is {verdict.status.value}"]
    if verdict.reason:
        lines.append(_row("why", verdict.reason))
    found = verdict.counterexample
    if found is not None:
        sizes = " ".join(f"{name}={size}" for name, size in found.sizes.items())
        values = "   ".join(f"{array.name}={array.text}" for array in found.inputs)
        lines.append(_row("smallest example", f"{sizes}   {values}".strip()))
        if found.differing:
            lines.append(_row("elements that differ", f"{found.differing} of {found.compared}"))
            where = f"{found.output}, element {found.index}" if found.index else found.output
            lines.append(_row("worst", f"{where}: got {found.got!r}, wanted {found.want!r}"))
            lines.append(
                _row(
                    "allowed there",
                    f"{found.allowed:.3g} (derived rounding bound of {verdict.dtype})",
                )
            )
    return "\n".join(lines)


def _row(label: str, text: str) -> str:
    return f"  {label:<{_LABEL}}{text}"


def summary_text(report: Report) -> str:
    """One line: how the claims came out."""
    summary = report.summary
    parts = [f"{summary.as_expected} of {summary.claims} claims as expected"]
    if summary.not_as_expected:
        parts.append(f"{summary.not_as_expected} not as expected")
    if summary.undecided:
        parts.append(f"{summary.undecided} undecided")
    counts = ", ".join(
        f"{count} {status.replace('_', ' ')}" for status, count in summary.verdicts.items() if count
    )
    return f"{'; '.join(parts)} ({counts}; seed {report.seed})"


def explanation_text(*, title: str, source: str, domain: str, statement: str, proof: Proof) -> str:
    """A statement and its derivation; formulas are TeX."""
    lines = [title, _row("source", source), _row("domain", domain), _row("statement", statement)]
    for number, step in enumerate(proof.steps, start=1):
        mark = "✓" if step.checked else f"✗ {step.remark}"
        lines.append(_row(f"step {number} {mark}", f"{step.tex}    ({step.rule})"))
    label = proof.label.replace("_", " ")
    lines.append(_row("proof", f"{label}: {'; '.join(proof.shapes)}" if proof.shapes else label))
    if proof.certificate:
        lines.append(_row("certificate", proof.certificate))
    lines += [_row("assumed", axiom) for axiom in (*proof.hypotheses, *proof.axioms)]
    return "\n".join(lines)
