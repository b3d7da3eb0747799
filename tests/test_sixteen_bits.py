"""Candidates in float16 and bfloat16, through the whole house."""

import subprocess
import sys

import numpy as np
import pytest
from array_api_compat import array_namespace

from verimath import Claim, Domain, Equal, Status, check, given, numeric, reals
from verimath.claims.autograd import sum_of_squares
from verimath.cli import main

DOT = Claim(
    id="dot",
    title="X w is the sum of the columns times w",
    source="here",
    domain=Domain(X=reals("n d"), w=reals("d")),
    statement=Equal(left=lambda X, w: X @ w, right=lambda X, w: X @ w),
)


def loop(X, w):
    total = 0 * X[:, 0] if X.shape[1] else np.zeros(X.shape[0], X.dtype)
    for k in range(X.shape[1]):
        total = total + X[:, k] * w[k]
    return total


def of(report, route):
    return {v.dtype: v for v in report.claims[0].verdicts if v.route == route}


def test_adding_in_the_dtype_itself_is_right_and_less_accurate():
    found = of(check(DOT, numeric("loop", loop), backend="numpy", examples=40), "loop")
    assert found["float64"].status is found["float32"].status is Status.PASS
    assert found["float16"].status is Status.LESS_ACCURATE
    assert found["float16"].worst_ratio > 1


def test_the_library_itself_passes():
    report = check(DOT, examples=40)
    ran = [v for v in report.claims[0].verdicts if v.status is not Status.SKIPPED]
    assert {v.dtype for v in ran} == {"float64", "float32", "float16", "bfloat16"}
    assert {v.status for v in ran} == {Status.PASS}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_mistake_in_one_dtype_is_found_with_a_script_that_shows_it(dtype, tmp_path):
    def wrong(x):
        import torch

        return 2 * x + x if x.dtype is getattr(torch, dtype) else 2 * x

    report = check(sum_of_squares, numeric("wrong", wrong, library="torch"), examples=10)
    own = [v for v in report.claims[0].verdicts if v.route == "wrong" and v.backend == "torch-cpu"]
    assert [v.dtype for v in own if v.status is Status.WRONG] == [dtype]
    (verdict,) = (v for v in own if v.status is Status.WRONG)
    assert verdict.counterexample is not None
    assert {array.dtype for array in verdict.counterexample.inputs} == {dtype}
    path = tmp_path / "failure.py"
    path.write_text(verdict.counterexample.script, encoding="utf-8")
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stdout + done.stderr


def test_a_wrong_dtype_is_named():
    def widened(x):
        return 2 * x.float()

    candidate = numeric("widened", widened, library="torch")
    report = check(sum_of_squares, candidate, backend="torch-cpu", dtype="bfloat16", examples=3)
    found = of(report, "widened")["bfloat16"]
    assert (found.status, found.defect) == (Status.WRONG, "dtype")
    assert found.reason == "dtype float32; wanted bfloat16"


def test_numbers_beyond_float16_are_clipped_and_stay_finite():
    spec = reals("n")
    values = np.array([1e30, -1e30, 65519.9, 1.0])
    np.testing.assert_array_equal(spec.cast(values, "float16"), [65504, -65504, 65504, 1])
    large = spec.cast(np.array([1.7e308, -1.7e308]), "bfloat16")
    assert np.isfinite(large).all()


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_cast_stays_in_the_range(dtype):
    spec = reals("n", 0.1, 0.7)
    found = spec.cast(np.linspace(0, 1, 50), dtype).astype(float)
    assert found.min() >= 0.1
    assert found.max() <= 0.7
    assert found.min() < 0.1 + 2.0**-10
    assert found.max() > 0.7 - 2.0**-8


def test_a_range_or_a_table_that_a_dtype_lacks_is_skipped_with_the_reason():
    def twice(x):
        return 2 * x

    for spec, lacking in ((reals("n", 1e5, 2e5), ["float16"]), (given([0.1294]), ["float16"])):
        claim = Claim(
            id="far",
            title="x + x is 2x",
            source="here",
            domain=Domain(x=spec),
            statement=Equal(left=lambda x: x + x, right=twice),
        )
        found = of(check(claim, backend="numpy", examples=3), "right side")
        skipped = [d for d, v in found.items() if v.status is Status.SKIPPED]
        assert skipped == lacking
        assert found["float16"].reason == "float16 doesn't hold the numbers of x"


def test_the_command_line_takes_them(tmp_path, capsys):
    arguments = ["verify", "sum-of-squares-gradient", "--examples", "3", "--out", str(tmp_path)]
    assert main([*arguments, "--dtype", "float16,bfloat16", "--backend", "torch-cpu"]) == 0
    assert main([*arguments, "--dtype", "bfloat16", "--backend", "numpy"]) == 4  # nothing ran
    assert main([*arguments, "--dtype", "float64,bfloat16", "--backend", "torch-cpu"]) == 0
    assert main([*arguments, "--dtype", "float8"]) == 2
    wanted = "wanted one or more of float64, float32, float16, bfloat16"
    assert wanted in capsys.readouterr().err


def test_formulas_of_the_array_api_do_not_promote():
    def formula(x):
        return array_namespace(x).mean(2 * (x + 1) ** 2) + x.shape[0]

    found = formula(np.ones(3, np.float16))
    assert found.dtype == np.float16
