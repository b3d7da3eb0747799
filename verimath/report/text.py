"""Reports in plain text: the story of a failure, and the short table of a run."""

from decimal import Decimal

from verimath.report.record import ClaimRecord, Proof, Report, Status, Verdict

PHRASES = {
    Status.PASS: "passes",
    Status.LESS_ACCURATE: "is less accurate than it should be",
    Status.WRONG: "is wrong",
    Status.INCONCLUSIVE: "is inconclusive",
    Status.ERROR: "fails",
    Status.SKIPPED: "was skipped",
}

_LABEL = 22


def verdict_text(claim: ClaimRecord, verdict: Verdict) -> str:
    """A verdict as a person wants to read it: what, where, by how much, what was allowed."""
    place = f"`{verdict.route}` on {verdict.backend} {verdict.dtype}"
    lines = [f"{claim.id}: {place} {PHRASES[verdict.status]}"]
    if verdict.reason:
        lines.append(_row("why", verdict.reason))
    if verdict.diagnosis:
        lines.append(_row("note", verdict.diagnosis))
    found = verdict.counterexample
    if found is not None:
        sizes = " ".join(f"{name}={size}" for name, size in found.sizes.items())
        values = "   ".join(f"{array.name}={array.text}" for array in found.inputs)
        lines.append(_row("smallest example", f"{sizes}   {values}".strip()))
        if found.differing:
            differing = f"{found.differing} of {found.compared}"
            lines.append(_row("elements that differ", differing))
            where = f"{found.output}{_place(found.index)}"
            lines.append(_row("worst", f"{where}: got {found.got!r}, wanted {found.want!r}"))
            if found.exact is not None and Decimal(found.exact) != Decimal(repr(found.want)):
                lines.append(_row("to 20 digits", f"{found.exact}, enclosed by balls"))
            bound = f"the rounding bound derived for {verdict.dtype}"
            lines.append(_row("allowed there", f"an error of {found.allowed:.3g}, {bound}"))
            if found.limit is not None:
                limit = f"{found.limit:.3g}, in whatever order the same formula is evaluated"
                lines.append(_row("at the very most", limit))
    return "\n".join(lines)


def _place(index: tuple[int, ...]) -> str:
    """Where in an array, as one would index it; nothing for a single number."""
    return f" at {list(index)}" if index else ""


def _row(label: str, text: str) -> str:
    """A label and its text; further lines of the text are indented as the first."""
    return f"  {label:<{_LABEL}}{text.strip()}".replace("\n", f"\n{' ' * (_LABEL + 2)}")


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
    label = LABELS[proof.label]
    lines.append(_row("proof", f"{label}: {'; '.join(proof.shapes)}" if proof.shapes else label))
    if proof.finding:
        lines.append(_row("found", proof.finding))
    lines += [_row("assumed", axiom) for axiom in (*proof.hypotheses, *proof.axioms)]
    return "\n".join(lines)


LABELS = {
    "none": "undecided",
    "sampled": "sampled",
    "exact_at_shapes": "exact at shapes",
    "all_shapes_randomised": "all shapes (randomised)",
    "all_shapes_derivation": "all shapes (derivation)",
    "all_depths": "all depths",
    "refuted": "refuted",
}


def proof_text(name: str, proof: Proof, seconds: float) -> str:
    """A proof in plain text: its label and everything that it rests on."""
    lines = [f"{name}: {LABELS[proof.label]}, {seconds:.2f} s"]
    if proof.finding:
        lines.append(_row("found", proof.finding))
    if proof.shapes:
        lines.append(_row("sizes looked at", "; ".join(proof.shapes)))
    if proof.failure_bits is not None:
        lines.append(_row("chance of an error", f"at most 2^-{proof.failure_bits:.0f}"))
    lines += [_row("hypothesis", hypothesis) for hypothesis in proof.hypotheses]
    lines += [_row("axiom", axiom) for axiom in proof.axioms]
    lines += [_row("rules", "; ".join(proof.rules))] if proof.rules else []
    return "\n".join(lines)
