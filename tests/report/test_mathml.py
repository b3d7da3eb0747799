"""TeX becomes MathML; what isn't TeX, or would be more than mathematics, stays visible source."""

import threading

import pytest

from verimath.report.mathml import _is_safe, to_mathml


@pytest.mark.parametrize(
    ("tex", "part"),
    [
        (r"\frac{\partial z}{\partial y} = 4 y", "<mfrac>"),
        (r"\sum_{i=1}^{n} x_i^2", "<mo"),
        (r"\begin{aligned} a &= b \\ &= c \end{aligned}", "<mtable"),
        (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", "<mtable"),
        (r"\operatorname{softmax}(\mathbf{x})_i", "softmax"),
        (r"\left\lVert A^\top x \right\rVert_2", "<msup>"),
        (r"f'(x) = \begin{cases} 1 & x > 0 \\ 0 & \text{else} \end{cases}", "<mtable"),
        (r"\textcolor{red}{x} \cancel{y} \boxed{z}", "<menclose"),
    ],
)
def test_tex_becomes_mathml(tex: str, part: str) -> None:
    markup = to_mathml(tex, display=True)
    assert markup.startswith("<math ")
    assert part in markup
    assert 'encoding="application/x-tex"' in markup


def test_display_and_inline_differ() -> None:
    assert 'display="block"' in to_mathml("x", display=True)
    assert 'display="block"' not in to_mathml("x", display=False)


@pytest.mark.parametrize(
    "tex",
    [
        r"\frac{1}",
        r"\nosuchcommand x",
        "x^{",
        "50% of x",  # the rest of the line is a comment: not what is meant
        "",
        "  ",
        "x\0y",
        "é",
        "\ud800",
        r"\ref{a}",  # Temml makes a link of it
        r"\href{javascript:alert(1)}{x}",
        r"\includegraphics{https://example.org/a.png}",
        r"\class{a}{x}",
        r"\style{background:url(https://example.org)}{x}",
        r"\def\a{\a\a}\a",
        "{" * 3000 + "x" + "}" * 3000,
        "x + " * 20_000 + "y",
    ],
)
def test_anything_else_is_shown_as_its_source(tex: str) -> None:
    markup = to_mathml(tex, display=True)
    assert markup.startswith('<code class="tex">')
    assert "<" not in markup.removeprefix('<code class="tex">').removesuffix("</code>")
    markup.encode("utf-8")  # can be written to a file


def test_the_source_is_whole_and_escaped() -> None:
    assert to_mathml(r"\bad <b> & \"x", display=True) == (
        r'<code class="tex">\bad &lt;b&gt; &amp; \&quot;x</code>'
    )


@pytest.mark.parametrize(
    "tex",
    [
        "<script>alert(1)</script>",
        r"\text{<script>alert(1)</script>}",
        r"\operatorname{<img src=x onerror=alert(1)>}",
        r"\text{</annotation></semantics></math><script>alert(1)</script>}",
        r"\text{</style><svg onload=alert(1)>}",
    ],
)
def test_markup_in_tex_does_not_get_through(tex: str) -> None:
    markup = to_mathml(tex, display=True)
    for tag in ("<script", "<img", "<svg", "</style"):
        assert tag not in markup


@pytest.mark.parametrize(
    "markup",
    [
        "<math><mi>x</math>",
        "<math><a href='#x'><mi>x</mi></a></math>",
        "<math><mi onclick='alert(1)'>x</mi></math>",
        "<math><mi href='https://example.org'>x</mi></math>",
        "<math><mi style='background:url(//example.org)'>x</mi></math>",
        "<math><mi style='color:red;&#10;position:fixed'>x</mi></math>",
        "<math><script>1</script></math>",
        "<script>1</script>",
        "x",
    ],
)
def test_unsafe_markup_is_recognised(markup: str) -> None:
    assert not _is_safe(markup)


def test_a_definition_does_not_leak_into_the_next_formula() -> None:
    to_mathml(r"\gdef\leaked{5}\leaked", display=True)
    assert to_mathml(r"\leaked", display=True).startswith("<code")


def test_an_error_leaves_the_interpreter_usable() -> None:
    before = to_mathml("x^2", display=False)
    to_mathml(r"\nosuchcommand", display=False)
    assert to_mathml("x^2", display=False) == before


def test_threads_share_the_interpreter() -> None:
    want = to_mathml(r"\frac{a}{b}", display=True)
    got: list[str] = []
    threads = [
        threading.Thread(target=lambda: got.append(to_mathml(r"\frac{a}{b}", display=True)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [want] * 8
