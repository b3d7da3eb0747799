"""Jacobian and Hessian claims end to end: right ones hold on every route, wrong ones are found."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace

from verimath import (
    Claim,
    ClaimError,
    Domain,
    Hessian,
    Jacobian,
    Status,
    autograd,
    check,
    composites,
    integers,
    numeric,
    reals,
)
from verimath._engine import explanation


def claim_of(statement, **inputs):
    return Claim(id="c", title="t", source="s", domain=Domain(**inputs), statement=statement)


def eye_like(x, n):
    return array_namespace(x).eye(n, dtype=x.dtype, device=x.device)


def p(z):
    return composites.softmax(z)


def of_softmax(z):
    s = p(z)
    return eye_like(z, z.shape[0]) * s - array_namespace(z).linalg.outer(s, s)


def total(z):
    return composites.logsumexp(z)


def product(A, x):
    return A @ x


def of_product(A, x):
    xp = array_namespace(x)
    return xp.tensordot(eye_like(x, A.shape[0]), x, axes=0), A


def form(x, A):
    xp = array_namespace(x)
    return xp.sum(x * (A @ x))


def cubes(X):
    return array_namespace(X).sum(X**3)


def of_cubes(X):
    xp = array_namespace(X)
    n, d = X.shape
    rows, columns = (
        xp.reshape(eye_like(X, k), shape) for k, shape in ((n, (n, 1, n, 1)), (d, (1, d, 1, d)))
    )
    return 6 * rows * columns * X[:, :, None, None]


SOFTMAX = claim_of(Jacobian(of=p, wrt="z", equals=of_softmax), z=reals("n"))
HOLD = {
    "softmax": SOFTMAX,
    "product": claim_of(
        Jacobian(of=product, wrt=("A", "x"), equals=of_product), A=reals("m n"), x=reals("n")
    ),
    "logsumexp": claim_of(Hessian(of=total, wrt="z", equals=of_softmax), z=reals("n", -8, 8)),
    "form": claim_of(
        Hessian(of=form, wrt="x", equals=lambda x, A: A + A.T), x=reals("n"), A=reals("n n")
    ),
    "cubes": claim_of(Hessian(of=cubes, wrt="X", equals=of_cubes), X=reals("n d")),
}


@pytest.mark.parametrize("name", HOLD)
def test_a_right_one_holds_on_every_route(name):
    record = check(HOLD[name], backend=["numpy", "torch-cpu"], examples=20).claims[0]
    assert record.outcome == "as_expected", record.reason
    assert record.proof.label == "all_shapes_derivation"
    assert record.proof.steps
    assert all(step.checked for step in record.proof.steps)
    modes = {v.route for v in record.verdicts if v.route.startswith("torch")}
    assert len(modes) == 2
    for verdict in record.verdicts:
        if verdict.dtype in ("float64", "float32"):
            assert verdict.status is Status.PASS, (verdict.route, verdict.reason)
            assert verdict.elements > 0
    assert record.mutants
    assert all(mutant.killed_by for mutant in record.mutants)


WRONG = {
    "the outer product forgotten": (
        SOFTMAX,
        lambda z: eye_like(z, z.shape[0]) * composites.softmax(z),
    ),
    "a sign": (SOFTMAX, lambda z: -of_softmax(z)),
    "the gradient of the sum": (SOFTMAX, lambda z: 0 * of_softmax(z)),
    "not symmetrised": (HOLD["form"], lambda x, A: 2 * A),
    "the transpose": (
        claim_of(
            Jacobian(of=lambda x, A: A @ x, wrt="x", equals=lambda x, A: A),
            x=reals("n"),
            A=reals("n n"),
        ),
        lambda x, A: A.T,
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_closed_form_is_refuted(name):
    right, equals = WRONG[name]
    statement = type(right.statement)(of=right.statement.of, wrt=right.statement.wrt, equals=equals)
    claim = claim_of(statement, **right.domain.inputs)
    record = check(claim, backend="numpy", examples=20).claims[0]
    assert record.outcome == "not_as_expected"
    verdicts = {v.route: v for v in record.verdicts if v.dtype == "float64"}
    assert verdicts["closed form"].status is Status.WRONG
    assert verdicts["sympy"].status is Status.PASS
    assert record.proof.label in ("refuted", "none")


def test_shapes_have_to_be_those_of_output_and_input():
    statement = Jacobian(of=product, wrt="A", equals=lambda A, x: A)
    with pytest.raises(
        ClaimError, match=r"the Jacobian has shape \(m, m, n\), but the closed form"
    ):
        check(claim_of(statement, A=reals("m n"), x=reals("n")))


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (Hessian(of=form, wrt=("x", "A"), equals=form), "a Hessian is in one input"),
        (Hessian(of=form, wrt="y", equals=form), "wrt='y', but the inputs are x, A, k"),
        (Jacobian(of=form, wrt="k", equals=form), "wrt='k', but k holds no real numbers"),
        (Jacobian(of=form, wrt="x", equals=None), "has to be a function"),
    ],
)
def test_a_malformed_statement_is_refused(statement, words):
    with pytest.raises(ClaimError, match=words):
        claim_of(statement, x=reals("n"), A=reals("n n"), k=integers("n"))


# --- candidates -------------------------------------------------------------------------------


class Softmax(torch.autograd.Function):
    @staticmethod
    def forward(z):
        return torch.softmax(z, dim=0)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)

    @staticmethod
    def backward(ctx, gradient):
        (s,) = ctx.saved_tensors
        return s * (gradient - (gradient * s).sum())

    @staticmethod
    def jvp(ctx, tangent):
        (s,) = ctx.saved_tensors
        return s * (tangent - (tangent * s).sum())


class Forgetful(Softmax):
    """Its backward forgets the sum, which the gradient of a sum of the elements would not show."""

    @staticmethod
    def backward(ctx, gradient):
        (s,) = ctx.saved_tensors
        return s * gradient


class TwiceWrong(torch.autograd.Function):
    """Log-sum-exp with the right gradient, whose own derivative is cut off."""

    @staticmethod
    def forward(z):
        return torch.logsumexp(z, dim=0)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, gradient):
        (z,) = ctx.saved_tensors
        return gradient * torch.softmax(z.detach(), dim=0)


def statuses(claim, *candidates):
    report = check(claim, *candidates, backend="torch-cpu", dtype="float64", examples=12)
    return {v.route: v for v in report.claims[0].verdicts}


def test_a_right_custom_function_passes_in_every_mode():
    found = statuses(SOFTMAX, autograd("mine", Softmax.apply))
    modes = ("value", "reverse mode", "forward mode")
    assert [found[f"mine: {mode}"].status for mode in modes] == [Status.PASS] * 3


@pytest.mark.parametrize(
    ("claim", "function"), [(SOFTMAX, Forgetful.apply), (HOLD["logsumexp"], TwiceWrong.apply)]
)
def test_a_wrong_custom_function_is_found_and_its_script_shows_it(claim, function):
    found = statuses(claim, autograd("mine", function))
    assert found["mine: value"].status is Status.PASS
    wrong = found["mine: reverse mode"]
    assert wrong.status is Status.WRONG
    assert wrong.counterexample is not None
    noun = claim.statement.noun
    assert wrong.counterexample.output == f"{noun} in z"
    assert len(wrong.counterexample.index) == 2
    done = subprocess.run(
        [sys.executable, "-c", wrong.counterexample.script],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "wanted" in done.stdout


class WrongForward(Softmax):
    """Its jvp forgets the sum."""

    @staticmethod
    def jvp(ctx, tangent):
        (s,) = ctx.saved_tensors
        return s * tangent


def test_the_script_of_a_wrong_forward_mode_shows_it():
    found = statuses(SOFTMAX, autograd("mine", WrongForward.apply))
    assert found["mine: reverse mode"].status is Status.PASS
    wrong = found["mine: forward mode"]
    assert wrong.status is Status.WRONG
    done = subprocess.run(
        [sys.executable, "-c", wrong.counterexample.script],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "wanted" in done.stdout


def test_numeric_candidates_are_judged_by_value():
    def by_loops(z):
        e = np.exp(z - np.max(z, initial=-np.inf))
        s = e / e.sum()
        return np.diag(s) - s[:, None] * s

    found = check(
        SOFTMAX,
        numeric("loops", by_loops),
        numeric("transposed sign", lambda z: -by_loops(z)),
        backend="numpy",
        dtype="float64",
        examples=12,
    ).claims[0]
    by_route = {v.route: v.status for v in found.verdicts}
    assert by_route["loops"] is Status.PASS
    assert by_route["transposed sign"] is Status.WRONG


def test_the_statement_and_its_derivation_are_explained():
    text = explanation(SOFTMAX)
    inner = r"\operatorname{softmax}\left(z\right)"
    assert rf"\frac{{\partial}}{{\partial z}}\left[{inner}\right] = " in text
    assert rf"\operatorname{{diag}}\left({inner}\right) - {inner} " in text
    assert "derivative of softmax" in text
    assert r"\nabla^2_{x}\left[" in explanation(HOLD["form"])
    assert r"\frac{\partial}{\partial \left(A,x\right)}" in explanation(HOLD["product"])
