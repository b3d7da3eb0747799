"""The page shows everything in a report, escapes all of it, loads nothing and never flatters."""

import math
import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from verimath.report.html import _number, to_html
from verimath.report.record import (
    Array,
    ClaimRecord,
    Counterexample,
    Environment,
    Mutant,
    Proof,
    Report,
    Status,
    Step,
    Summary,
    Timing,
    Verdict,
)

HOSTILE = "<script>alert(1)</script>"
SCRIPT = """import numpy as np

x = np.array([[float.fromhex("0x1.8p+0"), float.fromhex("0x1.0p+1")]])
got = 4 / x.shape[0] * (x + 1)
want = 4 / x.size * (x + 1)
print(got - want)  # not zero: <here> & "there"
"""


def gradient_claim() -> ClaimRecord:
    return ClaimRecord(
        id="mean-square-gradient",
        title="Each partial derivative of mean(2(x+1)²) is 4/size (x+1)",
        source="lecture, L-48",
        statement=r"\frac{\partial}{\partial x_{ij}} \frac{1}{nd} \sum_{k,l} 2 (x_{kl} + 1)^2 "
        r"= \frac{4}{nd} (x_{ij} + 1)",
        domain="x: reals of shape n d, n and d from 1",
        expected="holds",
        outcome="as_expected",
        reason="Proved for all shapes; 3 of 5 verdicts pass, 1 is less accurate, 1 is skipped.",
        proof=Proof(
            label="all_shapes_randomised",
            failure_bits=59.7,
            shapes=("n, d up to 17, which covers every size",),
            axioms=("ring axioms", "d(u²) = 2 u du"),
            hypotheses=("n and d are at least 1",),
            steps=(
                Step(rule="shift", tex=r"y = x + 1", checked=True),
                Step(
                    rule="power rule",
                    tex=r"\frac{\partial z}{\partial y} = 4 y",
                    checked=True,
                ),
                Step(
                    rule="mean: each element counts 1/size",
                    tex=r"\frac{\partial j}{\partial z} = \frac{1}{nd}",
                    checked=True,
                ),
                Step(
                    rule="chain rule",
                    tex=r"\frac{\partial j}{\partial x_{ij}} = \frac{\partial j}{\partial z} \cdot "
                    r"\frac{\partial z}{\partial y} \cdot \frac{\partial y}{\partial x} = "
                    r"\frac{4}{nd} (x_{ij} + 1) = \frac{4}{nd} x_{ij} + \frac{4}{nd}",
                    checked=False,
                    remark="exact arithmetic disagrees at n = 2, d = 1 <really>",
                ),
            ),
            finding="sha256:5f2c",
        ),
        mutants=(
            Mutant(name="factor 2 for 4", killed_by="by hand, numpy, float64"),
            Mutant(name="sum for mean", killed_by=None, not_separable_in=("float16", "bfloat16")),
        ),
        verdicts=(
            Verdict(
                route="by hand",
                backend="numpy",
                dtype="float64",
                status=Status.PASS,
                examples=1200,
                elements=48211,
                worst_ratio=0.3127,
                floor=1.3e-15,
            ),
            Verdict(
                route="by hand",
                backend="numpy",
                dtype="float32",
                status=Status.PASS,
                examples=1200,
                elements=48211,
                worst_ratio=0.0512,
                floor=7.1e-7,
            ),
            Verdict(
                route="reverse mode",
                backend="torch-cpu",
                dtype="float64",
                status=Status.PASS,
                error_class="normwise",
                examples=1200,
                elements=48211,
                worst_ratio=0.98,
                floor=1.3e-15,
            ),
            Verdict(
                route="reverse mode",
                backend="torch-cpu",
                dtype="float32",
                status=Status.LESS_ACCURATE,
                reason="up to 0.4 digits lost against the best order",
                examples=1200,
                elements=48211,
                worst_ratio=2.5,
                floor=7.1e-7,
            ),
            Verdict(
                route="reverse mode",
                backend="torch-cuda",
                dtype="float64",
                status=Status.SKIPPED,
                reason="torch finds no CUDA device",
            ),
        ),
    )


def false_claim() -> ClaimRecord:
    return ClaimRecord(
        id="mean-square-gradient-by-rows",
        title="The same with 4/n for 4/size",
        source="lecture, L-49",
        statement=r"\frac{\partial j}{\partial x} = \frac{4}{n} (x + 1)",
        domain="x: reals of shape n d",
        expected="refuted",
        outcome="as_expected",
        reason="Refuted by a counterexample that was checked in exact arithmetic.",
        repaired="mean-square-gradient",
        proof=Proof(label="refuted"),
        mutants=(),
        verdicts=(
            Verdict(
                route="closed form",
                backend="numpy",
                dtype="float64",
                status=Status.WRONG,
                defect="value",
                diagnosis="d times too large",
                examples=3,
                elements=14,
                worst_ratio=math.inf,
                floor=1e-15,
                counterexample=Counterexample(
                    sizes={"n": 1, "d": 2},
                    inputs=(
                        Array(
                            name="x",
                            shape=(1, 2),
                            dtype="float64",
                            text="[[1.5, 2.0]]",
                            hex=("0x1.8p+0", "0x1.0p+1"),
                        ),
                    ),
                    differing=2,
                    compared=2,
                    output="dj/dx",
                    index=(0, 1),
                    got=12.0,
                    want=6.000000000000001,
                    allowed=2.7e-15,
                    script=SCRIPT,
                ),
            ),
        ),
    )


def hostile_claim() -> ClaimRecord:
    return ClaimRecord(
        id='x" onclick="alert(1)',
        title=f"Hostile {HOSTILE}",
        source="javascript:alert(1) https://example.org/",
        statement=r"\text{" + HOSTILE + "}",
        domain=HOSTILE,
        expected="holds",
        outcome="undecided",
        reason=HOSTILE,
        repaired=None,
        assumptions=(HOSTILE, "2/3 stands for two thirds"),
        proof=Proof(
            label="none",
            hypotheses=(HOSTILE,),
            steps=(
                Step(
                    rule=HOSTILE, tex=r"\undefined{" + HOSTILE + "}", checked=True, remark=HOSTILE
                ),
            ),
            finding=HOSTILE,
        ),
        mutants=(Mutant(name=HOSTILE, killed_by=HOSTILE, not_separable_in=(HOSTILE,)),),
        verdicts=(
            Verdict(
                route=HOSTILE,
                backend="numpy",
                dtype="float16",
                status=Status.INCONCLUSIVE,
                reason=f"{HOSTILE} bound infinite",
                diagnosis=HOSTILE,
                examples=10,
                elements=10,
                worst_ratio=math.nan,
                floor=math.inf,
                counterexample=Counterexample(
                    sizes={},
                    inputs=(
                        Array(name=HOSTILE, shape=(), dtype="float16", text=HOSTILE, hex=("nan",)),
                    ),
                    differing=1,
                    compared=1,
                    output=HOSTILE,
                    index=(),
                    got=math.nan,
                    want=-math.inf,
                    allowed=math.inf,
                    script=f"</pre>{HOSTILE}",
                ),
            ),
            Verdict(
                route="student",
                backend="numpy",
                dtype="float64",
                status=Status.ERROR,
                defect="raises",
                reason="ZeroDivisionError: division by zero",
            ),
        ),
    )


def make_report(*claims: ClaimRecord) -> Report:
    outcomes = [claim.outcome for claim in claims]
    verdicts = [verdict for claim in claims for verdict in claim.verdicts]
    return Report(
        seed=20261123,
        environment=Environment(
            verimath="0.1.0",
            python="3.11.2",
            platform="Linux-6.1 x86_64",
            processor=f"AMD {HOSTILE}",
            libraries={"numpy": "2.4.6", "torch": "2.13.0+cpu", "sympy": "1.14.0"},
            backends={"numpy": "ready", "torch-cpu": "ready", "torch-cuda": "no device"},
            settings={"torch.backends.cuda.matmul.allow_tf32": "False"},
        ),
        summary=Summary(
            claims=len(claims),
            as_expected=outcomes.count("as_expected"),
            not_as_expected=outcomes.count("not_as_expected"),
            undecided=outcomes.count("undecided"),
            verdicts={
                status.value: sum(verdict.status is status for verdict in verdicts)
                for status in Status
            },
            examples=sum(verdict.examples for verdict in verdicts),
            elements=sum(verdict.elements for verdict in verdicts),
        ),
        claims=claims,
        timing=Timing(
            started="2026-11-23T11:40:01.123456+00:00",
            seconds=83.4,
            claims={claim.id: 1.25 for claim in claims},
        ),
    )


def sample() -> Report:
    return make_report(gradient_claim(), false_claim(), hostile_claim())


class Page(HTMLParser):
    """The page as a parser sees it: tags with attributes, ids, and the text of each element."""

    VOID = frozenset({"meta", "link", "br", "hr", "img", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def all(self, attribute: str) -> list[str]:
        return [found[attribute] for _, found in self.tags if attribute in found]


@pytest.fixture(scope="module")
def markup() -> str:
    return to_html(sample())


@pytest.fixture(scope="module")
def page(markup: str) -> Page:
    return Page(markup)


def row(markup: str, text: str) -> str:
    """The group of verdict rows that holds `text`."""
    (found,) = [
        part
        for part in re.findall(r'<tbody class="row".*?</tbody>', markup, re.DOTALL)
        if text in part
    ]
    return found


def test_the_page_is_well_formed_and_begins_with_the_verdict(page: Page) -> None:
    assert page.open == []
    assert page.tags[0][0] == "html"
    headings = [tag for tag, _ in page.tags if tag in {"h1", "h2", "h3"}]
    assert headings[0] == "h1"
    assert headings.count("h1") == 1
    assert "1 of 3 claims undecided" in page.text.split("Seed")[0]
    assert "2026-11-23 11:40 UTC" in page.text
    assert "1 min 23 s" in page.text
    assert "20261123" in page.text


def test_ids_are_unique_and_every_link_leads_somewhere(page: Page) -> None:
    ids = page.all("id")
    assert len(ids) == len(set(ids))
    assert {claim.id for claim in sample().claims} <= set(ids)
    for target in page.all("href"):
        if not target.startswith("data:image/svg+xml,"):
            assert target.startswith("#")
            assert unquote(target[1:]) in ids


def test_nothing_is_fetched_and_nothing_runs(page: Page) -> None:
    (policy,) = [
        found["content"]
        for tag, found in page.tags
        if tag == "meta" and found.get("http-equiv") == "Content-Security-Policy"
    ]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    for tag, found in page.tags:
        assert tag not in {"script", "img", "iframe", "object", "embed", "base", "form"}
        assert not any(name.startswith("on") for name in found)
        assert not {"src", "srcset", "action", "data", "poster", "background"} & found.keys()


def test_the_style_loads_only_data(markup: str) -> None:
    style = markup[markup.index("<style>") : markup.index("</style>")]
    assert "@import" not in style
    without_data = re.sub(r'url\("data:[^"]*"\)', "", style)
    assert len(without_data) < len(style)
    assert "url(" not in without_data


def test_hostile_text_is_shown_and_not_markup(markup: str, page: Page) -> None:
    assert HOSTILE not in markup
    assert page.text.count(HOSTILE) >= 12
    assert 'onclick="' not in markup


def test_every_claim_and_verdict_appears(markup: str, page: Page) -> None:
    for claim in sample().claims:
        assert page.text.count(claim.title) >= 2  # in the table and over its section
        assert claim.source in page.text
        assert claim.reason in page.text
        for verdict in claim.verdicts:
            for text in (verdict.route, verdict.backend, verdict.dtype, verdict.reason):
                assert text is None or text in page.text
    assert markup.count('<tbody class="row"') == sum(len(c.verdicts) for c in sample().claims)


def test_a_skipped_row_gives_its_reason_and_never_looks_like_a_pass(markup: str) -> None:
    skipped = row(markup, "torch-cuda")
    assert 'class="badge skipped"' in skipped
    assert "torch finds no CUDA device" in skipped
    assert "pass" not in skipped


@pytest.mark.parametrize(
    ("dtype_and_route", "word"),
    [(("float32", "reverse mode"), "less accurate"), (("float64", "student"), "error: raises")],
)
def test_a_status_is_a_symbol_and_a_word(
    markup: str, dtype_and_route: tuple[str, str], word: str
) -> None:
    (found,) = [
        part
        for part in re.findall(r'<tbody class="row".*?</tbody>', markup, re.DOTALL)
        if all(f"<span>{text}</span>" in part for text in dtype_and_route)
    ]
    assert re.search(rf'class="badge \w+"><svg class="icon".*?</svg><span>{word}</span>', found)


def test_derivation_steps_are_mathematics_with_their_own_marks(markup: str) -> None:
    steps = markup[markup.index('<ol class="steps">') : markup.index("</ol>")]
    assert steps.count("<math ") == 4
    assert steps.count('class="check pass"') == 3
    assert steps.count('class="check wrong"') == 1
    assert "check failed" in steps
    assert "exact arithmetic disagrees at n = 2, d = 1 &lt;really&gt;" in steps
    assert r"\frac{\partial z}{\partial y} = 4 y</annotation>" in steps


def test_bad_tex_is_shown_as_source(markup: str, page: Page) -> None:
    assert r'<code class="tex">\undefined{&lt;script&gt;alert(1)&lt;/script&gt;}</code>' in markup


def test_a_false_claim_says_so_and_links_to_the_true_one(markup: str) -> None:
    section = markup[markup.index('id="mean-square-gradient-by-rows"') :].split("</section>")[0]
    assert "This claim is false, as expected." in section
    assert '<a href="#mean-square-gradient">' in section
    assert 'class="badge plain"' in section  # it is wrong, and that is as it should be
    assert "d times too large" in section


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        ("not_as_expected", "expected to be false, but it was not refuted"),
        ("undecided", "neither refutes nor supports"),
    ],
)
def test_a_false_claim_that_was_not_refuted_says_so(outcome: str, text: str) -> None:
    claim = false_claim().model_copy(update={"outcome": outcome, "repaired": "elsewhere"})
    markup = to_html(make_report(claim))
    assert text in markup
    assert "false, as expected" not in markup
    assert 'class="badge plain"' not in markup
    assert "<code>elsewhere</code> (not part of this report)" in markup


def test_a_counterexample_is_complete(page: Page) -> None:
    for text in (
        "n\u00a0=\u00a01, d\u00a0=\u00a02",
        "[[1.5, 2.0]]",
        "shape (1, 2)",
        "dj/dx[0, 1]",
        "2 of 2 elements differ by",
        "12.0",
        "6.000000000000001",
        "2.70 × 10⁻¹⁵",
        SCRIPT,
    ):
        assert text in page.text


def test_surviving_mutants_are_not_hidden(markup: str) -> None:
    assert "1 of 2 known-wrong siblings caught, 1 not" in markup
    assert "not killed" in markup
    assert "float16, bfloat16" in markup


def test_the_same_report_gives_the_same_page_after_json_too(markup: str) -> None:
    assert to_html(sample()) == markup
    assert to_html(Report.model_validate_json(sample().to_json())) == markup


@pytest.mark.parametrize(
    ("outcomes", "headline", "tone"),
    [
        ((), "Nothing was checked", "undecided"),
        (("as_expected",), "The one claim came out as expected", "as_expected"),
        (("as_expected",) * 2, "All 2 claims came out as expected", "as_expected"),
        (("undecided",), "1 of 1 claim undecided", "undecided"),
        (("not_as_expected",), "1 of 1 claim not as expected", "not_as_expected"),
        (
            ("not_as_expected", "undecided", "as_expected"),
            "1 of 3 claims not as expected, 1 undecided",
            "not_as_expected",
        ),
    ],
)
def test_the_headline_is_the_outcome(outcomes: tuple[str, ...], headline: str, tone: str) -> None:
    claims = [
        gradient_claim().model_copy(update={"id": f"claim-{number}", "outcome": outcome})
        for number, outcome in enumerate(outcomes)
    ]
    markup = to_html(make_report(*claims))
    assert f"<span>{headline}</span></h1>" in markup
    assert f'<header class="masthead {tone}">' in markup


def test_a_claim_without_verdicts_is_not_praised() -> None:
    claim = gradient_claim().model_copy(update={"verdicts": (), "outcome": "undecided"})
    assert "Nothing ran, so nothing is known." in to_html(make_report(claim))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "NaN"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (0.0, "0"),
        (0.3127, "0.313"),
        (2, "2"),
        (1234.5, "1,234"),
        (1.4e12, "1.40 × 10¹²"),
        (2.2e-16, "2.20 × 10⁻¹⁶"),
    ],
)
def test_numbers_read_as_numbers(value: float | None, text: str) -> None:
    assert _number(value) == text


@pytest.mark.parametrize(
    "started", ["2026-11-23 noon", "2026-11-23T11:40:00", "0001-01-01T00:00:00+23:00"]
)
def test_a_moment_that_cannot_be_read_is_shown_as_it_is(started: str) -> None:
    report = sample()
    timing = report.timing.model_copy(update={"started": started, "seconds": math.nan})
    assert f">{started}</time>" in to_html(report.model_copy(update={"timing": timing}))


def test_the_page_stays_small(markup: str) -> None:
    assert len(markup.encode()) < 260_000
