"""Declared error classes: what each accepts that another one doesn't, and what it rejects."""

import subprocess
import sys

import numpy as np
import pytest
from array_api_compat import array_namespace

from verimath import (
    Claim,
    ClaimError,
    Domain,
    Equal,
    Status,
    check,
    diagonally_dominant,
    given,
    invertible,
    numeric,
    reals,
)

PRODUCT = Claim(
    id="product",
    title="A product of matrices is one",
    source="a test",
    domain=Domain(A=reals("2*n 2*n"), B=reals("2*n 2*n")),
    statement=Equal(left=lambda A, B: A @ B, right=lambda A, B: A @ B),
)


def solution(A, b):
    return array_namespace(A).linalg.solve(A, b)


def system(domain):
    return Claim(
        id="solution",
        title="The solution of a linear system is one",
        source="a test",
        domain=Domain(A=domain, b=reals("n 1")),
        statement=Equal(left=solution, right=solution),
    )


def strassen(A, B, sign=1):
    n = len(A) // 2
    if len(A) < 2 or len(A) % 2:
        return A @ B
    (a, b), (c, d) = (np.split(rows, 2, axis=1) for rows in np.split(A, 2))
    (e, f), (g, h) = (np.split(rows, 2, axis=1) for rows in np.split(B, 2))
    p = [
        strassen(x, y, sign)
        for x, y in (
            (a + d, e + h),
            (c + d, e),
            (a, f - h),
            (d, g - e),
            (a + b, h),
            (c - a, e + f),
            (b - d, g + h),
        )
    ]
    C = np.empty_like(A)
    C[:n, :n], C[:n, n:] = p[0] + p[3] - p[4] + p[6], p[2] + p[4]
    C[n:, :n], C[n:, n:] = p[1] + p[3], p[0] - p[1] + p[2] + sign * p[5]
    return C


def statuses(claim, function, error_class, **options):
    route = numeric("code", function, error_class=error_class)
    chosen = {"backend": "numpy", "dtype": ("float64", "float32"), **options}
    verdicts = [v for v in check(claim, route, **chosen).claims[0].verdicts if v.route == "code"]
    assert {v.error_class for v in verdicts} == {error_class or claim.error_class}
    assert all(v.floor is None or v.floor > 0 for v in verdicts)
    return {v.status for v in verdicts}


def test_strassens_product_is_right_normwise_alone():
    assert statuses(PRODUCT, strassen, "normwise") == {Status.PASS}
    assert statuses(PRODUCT, strassen, "componentwise") == {Status.WRONG}
    assert statuses(PRODUCT, lambda A, B: A @ B, "normwise") == {Status.PASS}


@pytest.mark.parametrize(
    "function",
    [
        lambda A, B: strassen(A, B, sign=-1),
        lambda A, B: B @ A,
        lambda A, B: A @ B * A.dtype.type(1 + 1e-3),
        lambda A, B: np.where(np.arange(len(A)) == len(A) - 1, 0, A @ B),
    ],
)
def test_a_wrong_product_is_wrong_normwise_too(function):
    assert statuses(PRODUCT, function, "normwise") == {Status.WRONG}


def refined(times):
    def solve(A, b):
        z = np.linalg.inv(A)
        x = z @ b
        for _ in range(times):
            x = x + z @ (b - A @ x)
        return x

    return solve


def gauss_seidel(A, b):
    x = np.zeros_like(b)
    for _ in range(3):
        for i in range(len(A)):
            x[i] += (b[i] - A[i] @ x) / A[i, i]
    return x


def by_inverse(A, b):
    return np.linalg.inv(A) @ b


# Powers of 1 to 8: integers that every dtype here has, with a condition number of 1e9.
POWERS = Claim(
    id="powers",
    title="The coefficients of a polynomial through eight points are one solution",
    source="a test",
    domain=Domain(A=given(np.vander(np.arange(1.0, 9.0))), b=reals("8 1", -8, 8)),
    statement=Equal(left=solution, right=solution),
    error_class="residual",
)


def test_elimination_and_a_refined_solution_are_right_by_their_residual():
    assert statuses(system(invertible("n n")), solution, "residual") == {Status.PASS}
    assert statuses(system(diagonally_dominant("n n")), refined(3), "residual") == {Status.PASS}
    assert statuses(POWERS, refined(3), None, dtype="float64") == {Status.PASS}


@pytest.mark.parametrize("function", [gauss_seidel, lambda A, b: solution(A.T, b)])
def test_an_iteration_that_stopped_early_and_another_system_are_not(function):
    assert statuses(system(diagonally_dominant("n n")), function, "residual") == {Status.WRONG}


def test_an_inverse_leaves_a_residual_that_elimination_does_not():
    """Higham, section 14.1: within the forward bound, with a residual cond(A) times larger."""
    assert statuses(POWERS, by_inverse, None, dtype="float64") == {Status.WRONG}
    assert statuses(POWERS, by_inverse, "componentwise", dtype="float64") == {Status.PASS}


def test_the_script_judges_by_the_residual_too(tmp_path):
    """By its elements the solution of an inverse is right: only what is left shows the failure."""
    report = check(POWERS, by_inverse, backend="numpy", dtype="float64")
    (verdict,) = (v for v in report.claims[0].verdicts if v.route == "by_inverse")
    script = verdict.counterexample.script

    def run(text):
        (tmp_path / "failure.py").write_text(text)
        command = [sys.executable, str(tmp_path / "failure.py")]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    wrong = run(script)
    assert wrong.returncode == 1, wrong.stderr
    assert "with an error of at most" in wrong.stdout
    mended = run(script.replace("np.linalg.inv(A) @ b", "np.linalg.solve(A, b)"))
    assert (mended.returncode, mended.stdout) == (0, "the failure is gone\n"), mended.stderr


def test_a_residual_needs_a_system_and_a_class_has_to_be_one():
    with pytest.raises(ClaimError, match=r"'einsum'; wanted solve"):
        check(PRODUCT, numeric("code", strassen, error_class="residual"), backend="numpy")
    with pytest.raises(ClaimError, match="wanted one of 'componentwise'"):
        numeric("code", strassen, error_class="relative")
    with pytest.raises(ClaimError, match="error_class='relative'"):
        Claim(
            id="c",
            title="t",
            source="s",
            domain=PRODUCT.domain,
            statement=PRODUCT.statement,
            error_class="relative",
        )
