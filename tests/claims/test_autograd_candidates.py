"""A custom torch.autograd.Function is judged mode by mode: value, reverse and forward."""

import pytest

from tests.functions import MeanSquare, WithoutJvp
from verimath import Status, autograd, check
from verimath.claims.autograd import mean_square, sum_of_squares


class WrongForward(MeanSquare):
    @staticmethod
    def forward(x):
        return (2 * (x + 1) ** 2).sum()


class WrongBackward(MeanSquare):
    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * 4 / x.numel() * x


class WrongJvp(MeanSquare):
    @staticmethod
    def jvp(ctx, tangent):
        (x,) = ctx.saved_tensors
        return (4 * (x + 1) * tangent).sum()


def outcome_of(function, claim=mean_square):
    report = check(claim, autograd("mine", function), backend="torch-cpu", examples=8)
    record = report.claims[0]
    own = {(v.route, v.dtype): v for v in record.verdicts if v.route.startswith("mine")}
    assert len(own) == 3 * 4  # modes and dtypes
    return record, own


def test_a_right_function_passes_in_every_mode():
    record, own = outcome_of(MeanSquare.apply)
    assert {v.status for v in own.values()} == {Status.PASS}
    assert record.outcome == "as_expected"


@pytest.mark.parametrize(
    ("function", "mode"),
    [
        (WrongForward.apply, "value"),
        (WrongBackward.apply, "reverse mode"),
        (WrongJvp.apply, "forward mode"),
    ],
)
def test_a_mistake_is_found_in_its_mode_and_in_no_other(function, mode):
    record, own = outcome_of(function)
    assert {route for (route, _), v in own.items() if v.status is not Status.PASS} == {
        f"mine: {mode}"
    }
    for dtype in ("float64", "float32"):
        verdict = own[f"mine: {mode}", dtype]
        assert verdict.status is Status.WRONG
        assert verdict.defect == "value"
        assert verdict.counterexample is not None
        assert verdict.counterexample.output == ("value" if mode == "value" else "gradient in x")
    assert record.outcome == "not_as_expected"
    assert record.reason == f"candidate `mine: {mode}` is wrong on torch-cpu float64"


class IgnoresCotangent(MeanSquare):
    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return 4 / x.numel() * (x + 1)


class SquaresCotangent(MeanSquare):
    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * gradient * 4 / x.numel() * (x + 1)


class SignlessTangent(MeanSquare):
    @staticmethod
    def jvp(ctx, tangent):
        (x,) = ctx.saved_tensors
        return (tangent.abs() * 4 / x.numel() * (x + 1)).sum()


@pytest.mark.parametrize(
    ("function", "mode"),
    [
        (IgnoresCotangent.apply, "reverse mode"),
        (SquaresCotangent.apply, "reverse mode"),
        (SignlessTangent.apply, "forward mode"),
    ],
)
def test_cotangents_and_directions_are_not_ones(function, mode):
    _, own = outcome_of(function)
    wrong = {route for (route, _), v in own.items() if v.status is Status.WRONG}
    assert wrong == {f"mine: {mode}"}


def test_a_missing_forward_mode_is_skipped_and_no_fault():
    record, own = outcome_of(WithoutJvp.apply, sum_of_squares)
    for dtype in ("float64", "float32"):
        assert own["mine: value", dtype].status is Status.PASS
        assert own["mine: reverse mode", dtype].status is Status.PASS
        assert own["mine: forward mode", dtype].status is Status.SKIPPED
        assert "no forward mode" in (own["mine: forward mode", dtype].reason or "")
    assert record.outcome == "as_expected"


def test_a_detached_value_has_gradient_zero_which_is_wrong():
    _, own = outcome_of(lambda x: (x**2).sum().detach(), sum_of_squares)
    assert own["mine: value", "float64"].status is Status.PASS
    assert own["mine: reverse mode", "float64"].status is Status.WRONG
