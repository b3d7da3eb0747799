"""Products with a Jacobian: right ones are proved, wrong ones rejected, and torch agrees."""

import numpy as np
import pytest
from array_api_compat import array_namespace as ns

from verimath import (
    Claim,
    ClaimError,
    Domain,
    Gradient,
    Jacobian,
    Status,
    check,
    given,
    jvp,
    numeric,
    reals,
    recheck,
    vjp,
)


def layer(x, W):
    return ns(x).tanh(W @ x)


def pulled_back(x, W, c):
    return W.T @ (c * (1 - ns(x).tanh(W @ x) ** 2))


def pushed_forward(x, W, v):
    return (1 - ns(x).tanh(W @ x) ** 2) * (W @ v)


SMALL = {"x": reals("n", -2, 2), "W": reals("m n", -2, 2)}
VJP = Claim(
    id="layer-vjp",
    title="t",
    source="s",
    domain=Domain(**SMALL, c=reals("m", -2, 2)),
    statement=vjp(of=layer, wrt="x", equals=pulled_back),
)
JVP = Claim(
    id="layer-jvp",
    title="t",
    source="s",
    domain=Domain(**SMALL, v=reals("n", -2, 2), t=given(0.0)),
    statement=jvp(of=layer, equals=pushed_forward),
)


def rejected(claim, function):
    report = check(claim, numeric("mine", function), examples=3, backend="numpy", dtype="float64")
    (verdict,) = (v for v in report.claims[0].verdicts if v.route == "mine")
    return verdict.status is Status.WRONG


@pytest.mark.parametrize("claim", [VJP, JVP], ids=lambda claim: claim.id)
def test_products_are_proved_and_agree_with_torch_and_sympy(claim):
    report = check(claim, examples=3, dtype="float64", backend=["numpy", "torch-cpu"])
    (record,) = report.claims
    assert record.outcome == "as_expected", record.reason
    assert record.proof.label.startswith("all_shapes")
    assert record.proof.steps
    assert all(step.checked for step in record.proof.steps)
    passed = {v.route for v in record.verdicts if v.status is Status.PASS}
    assert passed >= {"sympy", "torch reverse mode", "torch forward mode"}
    assert [result.holds for result in recheck(report)] == [True]


def test_wrong_products_are_rejected():
    assert rejected(VJP, lambda x, W, c: W.T @ c)
    assert rejected(VJP, lambda x, W, c: W.T @ (1 - np.tanh(W @ x) ** 2))
    assert rejected(JVP, lambda x, W, v, t: W @ v)
    assert rejected(JVP, lambda x, W, v, t: (1 - np.tanh(W @ x) ** 2) * (W @ x))
    assert not rejected(JVP, lambda x, W, v, t: (1 - np.tanh(W @ x) ** 2) * (W @ v))


def test_they_are_statements_of_derivatives():
    assert isinstance(VJP.statement, Gradient)
    assert isinstance(JVP.statement, Jacobian)
    assert JVP.statement.wrt_names == ("t",)


def test_what_is_no_function_is_refused():
    with pytest.raises(ClaimError, match="of=3; wanted a function"):
        vjp(of=3, wrt="x", equals=pulled_back)
    with pytest.raises(ClaimError, match="equals=None; wanted a function"):
        jvp(of=layer, equals=None)
    with pytest.raises(ClaimError, match="wrt='s', but the inputs are x, W, v, t"):
        Claim(
            id="c",
            title="t",
            source="s",
            domain=JVP.domain,
            statement=jvp(of=layer, equals=pushed_forward, along="s"),
        )
