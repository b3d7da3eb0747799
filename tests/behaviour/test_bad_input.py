"""Candidates that hand back nonsense, or nothing: a verdict that says so, and the run goes on."""

import sys

import numpy as np
import pytest
import torch

from tests.functions import SumOfSquares
from verimath import Status, autograd, check, numeric
from verimath.claims.autograd import sum_of_squares


def raises_at_times(x):
    if x.size == 6:
        raise ValueError("not six")
    return 2 * x


def raises_once():
    calls = []

    def candidate(x):
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("warming up")
        return 2 * x

    return candidate


class Lazy(list):
    def __iter__(self):
        raise OSError("the file is gone")


class LazyTensor(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        raise OSError("the file is gone")


class Unspeakable(Exception):
    def __str__(self):
        raise ValueError("no words")


def unspeakable(x):
    raise Unspeakable


@pytest.mark.parametrize(
    ("candidate", "library", "words"),
    [
        (raises_at_times, "numpy", "ValueError: not six"),
        (raises_once(), "numpy", "error at first, pass when called again"),
        (unspeakable, "numpy", "Unspeakable"),
        (lambda x: None, "numpy", "None came back; wanted a numpy array"),
        (lambda x: (y for y in (x,)), "numpy", "a generator came back"),
        (lambda x: "2x", "numpy", "a str came back"),
        (lambda x: sys.exit(0), "numpy", "SystemExit: 0"),
        (lambda x: Lazy([x]), "numpy", "OSError: the file is gone"),
        (lambda x: np.ma.masked_array(2 * x, mask=True), "numpy", "a masked array came back"),
        (lambda x: 2 * x.numpy(), "torch", "came back; wanted a torch tensor"),
        (lambda x: (2 * x).to_sparse(), "torch", "a tensor with layout sparse_coo came back"),
        (
            lambda x: (2 * x).as_subclass(LazyTensor),
            "torch",
            "OSError: the file is gone",
        ),
        (lambda x: torch.quantize_per_tensor(x.float(), 1, 0, torch.qint8), "torch", ""),
    ],
)
def test_nonsense_is_an_error_that_says_so(verdicts, candidate, library, words):
    verdict = verdicts(candidate, library=library)[""]
    assert verdict.status in (Status.ERROR, Status.WRONG)
    assert words in verdict.reason
    assert verdict.counterexample is not None


def test_a_tensor_elsewhere(verdicts):
    verdict = verdicts(lambda x: torch.empty_like(x, device="meta"), library="torch")[""]
    assert (verdict.status, verdict.defect) == (Status.WRONG, "device")


def test_plain_subclasses_are_read_as_what_they_hold(accepted):
    accepted(lambda x: np.ma.masked_array(2 * x, mask=False))
    accepted(lambda x: torch.nn.Parameter(2 * x), library="torch")


class TwoGradients(SumOfSquares):
    @staticmethod
    def backward(ctx, gradient):
        return gradient, gradient


class NoGradient(SumOfSquares):
    @staticmethod
    def backward(ctx, gradient):
        return None


class GradientOfAnotherShape(SumOfSquares):
    @staticmethod
    def backward(ctx, gradient):
        return gradient.new_ones(7, 9, 11)


class GradientElsewhere(SumOfSquares):
    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return torch.empty_like(x, device="meta")


@pytest.mark.parametrize(
    ("function", "status", "words"),
    [
        (TwoGradients, Status.ERROR, "incorrect number of gradients"),
        (NoGradient, Status.WRONG, "another value than wanted"),
        (GradientOfAnotherShape, Status.WRONG, "another value than wanted"),
        (GradientElsewhere, Status.ERROR, "meta"),
    ],
)
def test_nonsense_from_a_backward(verdicts, function, status, words):
    verdict = verdicts(autograd("mine", function.apply))["reverse mode"]
    assert verdict.status is status
    assert words in verdict.reason


def test_the_rest_of_the_run_goes_on():
    report = check(
        sum_of_squares,
        unspeakable,
        numeric("exits", lambda x: sys.exit(3)),
        numeric("right", lambda x: x + x),
        backend="numpy",
        dtype="float64",
        examples=6,
    )
    by_route = {v.route: v.status for v in report.claims[0].verdicts}
    assert by_route["unspeakable"] is by_route["exits"] is Status.ERROR
    assert by_route["right"] is by_route["closed form"] is Status.PASS


class Scaled(torch.nn.Module):
    """A module with a parameter in float32, as modules have."""

    def __init__(self, scale):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(scale))

    def forward(self, x):
        return (x**2).sum() * self.scale


class Uncopyable(Scaled):
    def __deepcopy__(self, memory):
        raise TypeError("there is only one of me")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_module_runs_in_the_dtype_at_hand(verdicts, dtype):
    found = verdicts(autograd("mine", Scaled(1.0)), dtype=dtype)
    assert {v.status for v in found.values()} == {Status.PASS}
    found = verdicts(autograd("mine", Scaled(2.0)), dtype=dtype)
    assert {v.status for v in found.values()} == {Status.WRONG}
    (verdict, *_) = found.values()
    assert "could not be copied" in verdict.counterexample.script


def test_a_module_that_cannot_be_copied_is_run_as_it_is(verdicts):
    found = verdicts(autograd("mine", Uncopyable(1.0)), dtype="float32")
    assert {v.status for v in found.values()} == {Status.PASS}
