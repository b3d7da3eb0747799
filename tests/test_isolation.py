"""Code that never returns, or dies, is ended in a process of its own, and is a verdict."""

import contextlib
import ctypes
import os
import re
import signal
import time

import pytest
import torch

from tests.functions import SumOfSquares
from verimath import Status, UsageError, autograd, check, numeric
from verimath.claims.autograd import sum_of_squares
from verimath.isolation import LostError, isolated
from verimath.routes.limit import limited


def sleeps(x):
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(60)


def hangs_in_c(x):
    if x.size > 4:
        re.match(r"(a+)+$", "a" * 60 + "b")
    return 2 * x


def crashes(x):
    ctypes.string_at(0)


def leaves(x):
    os._exit(0)


def is_killed(x):
    os.kill(os.getpid(), signal.SIGKILL)


class HangingBackward(SumOfSquares):
    @staticmethod
    def backward(ctx, gradient):
        while True:
            pass


def right(x):
    return 2 * x


def test_a_time_limit_ends_what_never_returns():
    started = time.monotonic()
    report = check(
        sum_of_squares,
        sleeps,
        hangs_in_c,
        right,
        autograd("mine", HangingBackward.apply),
        numeric("by torch", lambda x: x + x, library="torch"),
        backend=["numpy", "torch-cpu"],
        dtype="float64",
        examples=6,
        time_limit=1,
    )
    assert time.monotonic() - started < 60
    found = {v.route: v for v in report.claims[0].verdicts}
    for route, function in {"sleeps": "sleeps", "hangs_in_c": "match"}.items():
        verdict = found[route]
        assert (verdict.status, verdict.defect) == (Status.ERROR, "raises")
        assert re.match(
            rf"no answer within 1 s given x \(.*\); it was in {function} ", verdict.reason
        )
    assert "it was in backward" in found["mine: reverse mode"].reason
    assert found["mine: value"].status is Status.PASS
    assert found["right"].status is found["by torch"].status is Status.PASS
    assert found["closed form"].status is Status.PASS


@pytest.mark.parametrize(
    ("candidate", "words"),
    [
        (crashes, "by signal 11 (Segmentation fault) given x ("),
        (leaves, "with exit status 0 given x ("),
        (is_killed, "by signal 9 (Killed) given x ("),
    ],
)
def test_the_death_of_a_candidate_is_a_verdict(candidate, words):
    options = {"backend": "numpy", "dtype": "float64", "examples": 3, "time_limit": 60}
    report = check(sum_of_squares, candidate, **options)
    verdict = report.claims[0].verdicts[-1]
    assert (verdict.route, verdict.status) == (candidate.__name__, Status.ERROR)
    assert verdict.reason.startswith(f"it ended the process {words}")
    if candidate is crashes:
        assert "it was in string_at" in verdict.reason


def test_verdicts_are_the_same_with_a_limit_and_without():
    options = {"backend": ["numpy", "torch-cpu"], "dtype": "float64", "examples": 6}
    candidates = [
        right,
        numeric("wrong", lambda x: 3 * x),
        autograd("mine", lambda x: (x**2).sum()),
    ]
    one, other = (
        check(sum_of_squares, *candidates, **options, time_limit=limit).claims[0].verdicts
        for limit in (None, 60)
    )
    assert [v.model_dump_json() for v in one] == [v.model_dump_json() for v in other]


def test_threads_of_the_parent_do_not_hang_the_child():
    x = torch.rand(400, 400, requires_grad=True)
    (x @ x).sin().sum().backward()  # starts torch's threads

    def work():
        with limited():
            return str(float((x @ x).sin().sum().detach().isfinite()))

    assert isolated(work, seconds=30) == "1.0"


def test_a_limit_is_for_one_call_and_not_for_all():
    def work():
        for _ in range(4):
            with limited():
                time.sleep(0.3)
        return "done"

    assert isolated(work, seconds=1) == "done"
    with pytest.raises(LostError, match=r"no answer within 0\.1 s"):
        isolated(work, seconds=0.1)


def test_a_mistake_of_our_own_is_not_blamed_on_the_code_under_test():
    def work():
        raise KeyError("ours")

    with pytest.raises(RuntimeError, match="KeyError: 'ours'"):
        isolated(work, seconds=1)


@pytest.mark.parametrize("limit", [0, -1, float("inf"), float("nan"), "1"])
def test_no_limit(limit):
    with pytest.raises(UsageError, match="wanted a positive number of seconds"):
        check(sum_of_squares, right, time_limit=limit)
