"""The arbiter: float64 is as near to the truth as it says, and nobody is accused if it isn't."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import INPUTS
from verimath import Claim, Domain, Gradient, Status, check, numeric, reals
from verimath._claim_run import judging
from verimath.arbiter import rule
from verimath.claim import Equal
from verimath.reference.evaluate import wanted
from verimath.reference.prepare import prepare
from verimath.report.text import verdict_text


def mean_of_squares(x):
    return (x**2).__array_namespace__().mean(x**2)


claim = Claim(
    id="mean-of-squares",
    title="t",
    source="s",
    domain=Domain(x=reals("n")),
    statement=Gradient(of=mean_of_squares, wrt="x", equals=lambda x: 2 * x / x.size),
)
WRONG = numeric("three", lambda x: 3 * x / x.size)


def wrong_verdicts():
    report = check(claim, WRONG, examples=6, backend="numpy", dtype="float64")
    return report.claims[0], [v for v in report.claims[0].verdicts if v.route == "three"]


def test_an_accusation_shows_the_exact_number():
    record, (verdict,) = wrong_verdicts()
    assert verdict.status is Status.WRONG
    found = verdict.counterexample
    assert float(found.exact) == found.want
    assert "to 20 digits" not in verdict_text(record, verdict)
    third = verdict.model_copy(
        update={"counterexample": found.model_copy(update={"exact": "0.33333333333333333333"})}
    )
    row = "  to 20 digits          0.33333333333333333333, enclosed by balls"
    assert row in verdict_text(record, third).splitlines()


def test_nobody_is_accused_by_a_value_that_balls_exclude(monkeypatch):
    def spoiled(cell, prepared, inputs, binding):
        found = original(cell, prepared, inputs, binding)
        return tuple(replace(want, value=want.value * (1 + 1e-9)) for want in found)

    original = judging.wanted_by
    monkeypatch.setattr(judging, "wanted_by", spoiled)
    _, (verdict,) = wrong_verdicts()
    assert verdict.status is Status.INCONCLUSIVE
    assert verdict.defect is None
    assert verdict.reason.startswith("a defect of verimath, please report it: float64 wants ")


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_float64_is_as_near_as_it_says(programs, data, seed):
    """Its own error bound, of random formulas, against balls."""
    program = data.draw(programs())
    values = program.draw(seed)
    domain = Domain(**{name: reals(shape) for name, shape in INPUTS.items()})
    formula = program.formula
    prepared = prepare(
        Claim(id="x", title="x", source="x", domain=domain, statement=Equal(program, program)), {}
    )
    batch = {name: array[None] for name, array in values.items()}
    (want,) = wanted(prepared, batch, program.binding, "float64")
    elements = [index[1:] for index in np.ndindex(*want.value.shape)]
    for index in elements[:4]:
        ruling = rule(formula, values, program.binding, want, 0, index)
        assert ruling is None or ruling.agrees, (index, want.value[(0, *index)], ruling)
        if ruling is not None and want.value[(0, *index)]:
            off = replace(want, value=want.value * (1 + 1e-6), error=want.error * 0)
            assert not rule(formula, values, program.binding, off, 0, index).agrees


def test_balls_say_nothing_of_kinks_and_infinities():
    prepared = prepare(
        Claim(
            id="x",
            title="x",
            source="x",
            domain=Domain(x=reals("n")),
            statement=Equal(left=lambda x: 1 / (x - x), right=lambda x: 1 / (x - x)),
        ),
        {},
    )
    x = np.array([1.0, 2.0])
    (want,) = wanted(prepared, {"x": x[None]}, {"n": 2}, "float64")
    assert rule(prepared.reference, {"x": x}, {"n": 2}, want, 0, (0,)) is None
