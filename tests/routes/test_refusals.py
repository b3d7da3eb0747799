"""A library without a 16-bit kernel is told from code that says so itself."""

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace

from verimath import Claim, Domain, Equal, Gradient, Status, check, numeric, reals
from verimath.routes.refusals import missing_kernel

HALF = torch.ones(2, 2, dtype=torch.float16)
BRAIN = torch.ones(2, 2, dtype=torch.bfloat16)
REFUSALS = {
    "no kernel": (lambda: torch.linalg.cholesky(HALF), "float16"),
    "checked in C++": (lambda: torch.linalg.inv(BRAIN), "bfloat16"),
    "a transform": (lambda: torch.fft.fft(BRAIN[0]), "bfloat16"),
    "numpy's own": (lambda: np.linalg.inv(np.ones((2, 2), np.float16)), "float16"),
}


def raised_by(function):
    try:
        function()
    except Exception as error:  # noqa: BLE001
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_of_a_library_is_a_missing_kernel(name):
    function, dtype = REFUSALS[name]
    error = raised_by(function)
    assert missing_kernel(error, dtype) == f"no {dtype} kernel: {error}"
    assert missing_kernel(error, "float32") is None


def imitation():
    raise NotImplementedError("\"lu_cpu\" not implemented for 'Half'")


def reraised():
    try:
        torch.linalg.cholesky(HALF)
    except NotImplementedError as error:
        raise NotImplementedError(str(error)) from None


@pytest.mark.parametrize(
    "function",
    [imitation, reraised, lambda: HALF @ torch.ones(3), lambda: torch.ones(2, 3).float() @ HALF],
)
def test_faults_of_the_code_are_none(function):
    assert missing_kernel(raised_by(function), "float16") is None


def test_an_error_that_nobody_raised_is_none():
    assert (
        missing_kernel(NotImplementedError("\"x\" not implemented for 'Half'"), "float16") is None
    )


def transform(x):
    return torch.fft.ifft(torch.fft.fft(x)).real


def test_a_candidate_without_a_kernel_is_skipped_there_and_judged_elsewhere():
    identity = Claim(
        id="identity",
        title="x + x is 2x",
        source="here",
        domain=Domain(x=reals("n")),
        statement=Equal(left=lambda x: x + x, right=lambda x: 2 * x),
    )
    report = check(
        identity, numeric("fft", lambda x: 2 * transform(x), library="torch"), examples=4
    )
    found = {
        v.dtype: v
        for v in report.claims[0].verdicts
        if v.route == "fft" and v.backend == "torch-cpu"
    }
    assert found["bfloat16"].status is Status.SKIPPED
    assert found["bfloat16"].reason.startswith("no bfloat16 kernel: Unsupported dtype BFloat16")
    assert found["float64"].status is not Status.SKIPPED


def square(x):
    return array_namespace(x).sum(x * x)


def test_a_candidate_that_says_the_same_itself_is_an_error():
    claim = Claim(
        id="sum-of-squares",
        title="the gradient is 2x",
        source="here",
        domain=Domain(x=reals("n")),
        statement=Gradient(of=square, wrt="x", equals=lambda x: 2 * x),
    )

    def candidate(x):
        if x.dtype == np.float16:
            imitation()
        return 2 * x

    report = check(claim, numeric("says so", candidate), examples=3)
    found = {v.dtype: v.status for v in report.claims[0].verdicts if v.route == "says so"}
    assert found == {"float64": Status.PASS, "float32": Status.PASS, "float16": Status.ERROR}
