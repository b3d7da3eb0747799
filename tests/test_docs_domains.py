"""docs/domains.md: every input is in its table, and every example there draws."""

import ast
import re
from pathlib import Path

import pytest

import verimath
from verimath import Domain, reals
from verimath.examples import draw_examples

TEXT = (Path(__file__).parents[1] / "docs/domains.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", TEXT, flags=re.MULTILINE))


def made(text):
    """The input that a call with literal arguments makes."""
    call = ast.parse(text, mode="eval").body
    options = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    return getattr(verimath, call.func.id)(*map(ast.literal_eval, call.args), **options)


def test_every_input_has_a_row():
    from verimath import inputs

    public = set(verimath.__all__) & {n for n in vars(inputs) if n.islower()} | {
        "reals",
        "given",
        "complexes",
    }
    assert {text.split("(")[0] for text in ROWS} == public


@pytest.mark.parametrize("text", ROWS)
def test_the_example_draws(text):
    domain = Domain(x=made(text), other=reals("n c"))
    batches = draw_examples(domain, lambda plan: True, count=20, entropy=0)
    assert sum(map(len, batches)) >= 20
    for batch in batches:
        for name in domain.arguments["x"]:
            assert batch.cast(domain, "bfloat16")[name].shape == batch.inputs[name].shape


@pytest.mark.parametrize("text", ROWS)
def test_the_options_that_a_row_names_exist(text):
    for option, value in re.findall(r"`(\w+)=([^`]+)`", ROWS[text]):
        spec = made(text[:-1] + f", {option}={value})")
        assert spec != made(text)
