"""The page: one offline HTML file, drawn from a `Report` and nothing else.

Everything that comes from a report is text and is escaped by the template; the only markup that is
let through is MathML that `mathml` has checked. The page has no script and, by its content policy,
may load nothing.
"""

import math
from base64 import b64encode
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from verimath.report.mathml import to_mathml
from verimath.report.record import (
    ClaimRecord,
    Counterexample,
    Outcome,
    ProofLabel,
    Report,
    Status,
    Summary,
)

__all__ = ["to_html"]


class _Word(NamedTuple):
    """How a status or an outcome is shown: the word beside its symbol, and what it means."""

    word: str
    meaning: str


_STATUSES: Final = {
    Status.PASS: _Word("pass", "Every compared element lies within its bound."),
    Status.LESS_ACCURATE: _Word(
        "less accurate",
        "Some element lies beyond its bound, yet no farther than another stable order of the same "
        "operations could put it. Counted, not a failure.",
    ),
    Status.WRONG: _Word(
        "wrong",
        "The code computes another function, or misbehaves (it changes its input, say). In the "
        "section of a false claim this is what refutes the claim.",
    ),
    Status.INCONCLUSIVE: _Word(
        "inconclusive",
        "At this precision nothing can be told apart: the bound is infinite or wider than what a "
        "wrong answer would change. Neither for nor against.",
    ),
    Status.ERROR: _Word("error", "The code under test raised, timed out or returned nonsense."),
    Status.SKIPPED: _Word("skipped", "Not run, for the reason given. Says nothing."),
}
_OUTCOMES: Final[dict[Outcome, _Word]] = {
    "as_expected": _Word("as expected", "The claim came out as its author expects."),
    "not_as_expected": _Word("not as expected", "The claim came out otherwise."),
    "undecided": _Word("undecided", "What ran does not settle the claim."),
}
_PROOFS: Final[dict[ProofLabel, _Word]] = {
    "none": _Word("no proof", "nothing is known beyond the verdicts"),
    "sampled": _Word("sampled", "compared on drawn examples only"),
    "exact_at_shapes": _Word(
        "exact at shapes", "exact arithmetic shows it wherever it is defined, at the shapes listed"
    ),
    "all_shapes_randomised": _Word(
        "all shapes, randomised", "shown for every shape by exact arithmetic at random points"
    ),
    "all_shapes_derivation": _Word("all shapes, derived", "derived by rewriting, for every shape"),
    "all_depths": _Word("all depths", "shown by induction for every number of steps or layers"),
    "refuted": _Word("refuted", "a point is known at which the two sides certainly differ"),
}
_SUPERSCRIPTS: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def to_html(report: Report) -> str:
    """The page of a report as HTML text; the same report always gives the same text.

    Raises nothing of its own: text that isn't TeX, odd names and numbers that aren't finite are
    shown as they are.
    """
    return _template().render(
        report=report,
        headline=_headline(report.summary),
        tone=_tone(report.summary),
        statuses=_STATUSES,
        outcomes=_OUTCOMES,
        proofs=_PROOFS,
        titles={claim.id: claim.title for claim in report.claims},
        refuting=_refuting(report),
        attention=[claim for claim in report.claims if claim.outcome != "as_expected"],
        font=_font(),
        math_style=_math_style(),
    )


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    filters: dict[str, Any] = {
        "tex": _tex,
        "count": _count,
        "number": _number,
        "exact": _exact,
        "duration": _duration,
        "moment": _moment,
        "share": _share,
        "worst": _worst,
        "sizes": _sizes,
        "entry": _entry,
        "gap": _gap,
        "chance": _chance,
        "icon": _icon,
    }
    environment.filters.update(filters)
    source = files("verimath.report").joinpath("page.html.jinja").read_text("utf-8")
    return environment.from_string(source)


def _vendored(name: str) -> bytes:
    return files("verimath.report").joinpath("vendor", name).read_bytes()


@cache
def _font() -> str:
    return b64encode(_vendored("stix-two-math-subset.woff2")).decode("ascii")


@cache
def _math_style() -> Markup:
    return Markup(_vendored("temml.css").decode("utf-8"))  # noqa: S704 - our own file


def _headline(summary: Summary) -> str:
    """The whole run in one sentence."""
    total, off, open_ = summary.claims, summary.not_as_expected, summary.undecided
    if total == 0:
        return "Nothing was checked"
    parts: list[str] = []
    if off:
        parts.append(f"{_count(off)} of {_plural(total, 'claim')} not as expected")
    if open_:
        parts.append(
            f"{_count(open_)} undecided"
            if off
            else f"{_count(open_)} of {_plural(total, 'claim')} undecided"
        )
    if parts:
        return ", ".join(parts)
    return (
        "The one claim came out as expected"
        if total == 1
        else (f"All {_count(total)} claims came out as expected")
    )


def _refuting(report: Report) -> int:
    """How many wrong verdicts only show that a false claim is false."""
    return sum(
        verdict.status is Status.WRONG
        for claim in report.claims
        if claim.expected == "refuted" and claim.outcome == "as_expected"
        for verdict in claim.verdicts
    )


def _tone(summary: Summary) -> Outcome:
    """Which outcome the page as a whole wears; a run of nothing is not a success."""
    if summary.not_as_expected:
        return "not_as_expected"
    return "undecided" if summary.undecided or not summary.claims else "as_expected"


def _plural(number: int, noun: str) -> str:
    return f"{_count(number)} {noun}" + ("" if number == 1 else "s")


def _tex(tex: str) -> Markup:
    return Markup(to_mathml(tex, display=True))  # noqa: S704 - checked there


def _count(number: int) -> str:
    """1234567 as 1,234,567."""
    return f"{number:,}"


def _number(value: float | None) -> str:
    """Three digits for a person: 0.132, 1.4 × 10¹², ∞; a dash where there is no number."""
    if value is None:
        return "–"
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPTS)}"


def _exact(value: float) -> str:
    """Every digit that tells this double from its neighbours."""
    return "NaN" if math.isnan(value) else _number(value) if math.isinf(value) else repr(value)


def _duration(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "unknown"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _moment(started: str) -> str:
    """An ISO 8601 moment to the minute, in UTC; other text as it is."""
    try:
        moment = datetime.fromisoformat(started)
        moment = moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return started
    return started if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"


def _share(ratio: float) -> float:
    """How much of a bar of length 1 the ratio error/bound fills; beyond the bound, all of it."""
    return 1.0 if math.isnan(ratio) else round(min(max(ratio, 0.0), 1.0), 3)


def _worst(claim: ClaimRecord) -> float | None:
    """The largest error/bound of a claim's verdicts; NaN counts as larger than any number."""
    ratios = [verdict.worst_ratio for verdict in claim.verdicts if verdict.worst_ratio is not None]
    return max(ratios, key=lambda ratio: math.inf if math.isnan(ratio) else ratio, default=None)


def _sizes(sizes: dict[str, int]) -> str:
    return (
        ", ".join(f"{name}\u00a0=\u00a0{size}" for name, size in sizes.items()) or "no dimensions"
    )


def _entry(found: Counterexample) -> str:
    """The element that differs most, written as code would: dj/dx[0, 1]."""
    return found.output + (f"[{', '.join(map(str, found.index))}]" if found.index else "")


def _gap(found: Counterexample) -> float | None:
    """|got - want|, or None where that is no number."""
    gap = abs(found.got - found.want)
    return gap if math.isfinite(gap) else None


def _chance(bits: float) -> str:
    """A failure probability of 2^-bits in words."""
    if not math.isfinite(bits):
        return "no chance of error" if bits > 0 else "no bound on the chance of error"
    return f"chance of error at most 2{str(-math.floor(bits)).translate(_SUPERSCRIPTS)}"


# Drawn rather than typed: a font that lacks a check mark would show a box.
_ICONS: Final = {
    "pass": "M2 6.5 4.8 9.3 10 3",
    "wrong": "M3 3l6 6M9 3l-6 6",
    "less_accurate": "M1.8 4.8q2.1-2.4 4.2 0t4.2 0M1.8 8.4q2.1-2.4 4.2 0t4.2 0",
    "inconclusive": "M3.7 4.2a2.3 2.3 0 1 1 3.5 2Q6 6.9 6 8M6 10.2v.01",
    "error": "M6 1.8v5.4M6 10v.01",
    "skipped": "M2.5 6h7",
}
_ICONS_OF_OUTCOMES: Final = {
    "as_expected": "pass",
    "not_as_expected": "wrong",
    "undecided": "inconclusive",
}


def _icon(name: str) -> Markup:
    """The symbol of a status or outcome; the word always stands beside it, so it has no name."""
    path = _ICONS[_ICONS_OF_OUTCOMES.get(name, name)]
    return Markup(
        '<svg class="icon" viewBox="0 0 12 12" aria-hidden="true"><path d="{}"/></svg>'
    ).format(path)
