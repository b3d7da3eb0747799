"""The story of a failure, as a person reads it."""

import numpy as np
import pytest

from verimath import Status, Verdict, check
from verimath.claims.autograd import affine_layers, mean_square_2x3, sum_of_squares
from verimath.report.text import PHRASES, summary_text, verdict_text


def story(claim, candidate, dtype="float64"):
    report = check(claim, candidate, backend="numpy", dtype=dtype, examples=8)
    record = report.claims[0]
    (verdict,) = [v for v in record.verdicts if v.status in (Status.WRONG, Status.ERROR)]
    return verdict_text(record, verdict).splitlines()


def test_wrong_values():
    def mine(w1, x, b1, w2, b2):
        return 2 * np.outer(w2.sum(axis=0), x)

    assert story(affine_layers, mine) == [
        "two-affine-layers-gradient: `mine` on numpy float64 is wrong",
        "  why                   another value than wanted",
        "  smallest example      h=1 d=1 o=1   w1=[[0]]   x=[[1]]   b1=[[0]]   w2=[[1]]   b2=[[0]]",
        "  elements that differ  1 of 1",
        "  worst                 gradient in w1 at [0, 0]: got 2.0, wanted 1.0",
        "  allowed there         an error of 4.44e-16, the rounding bound derived for float64",
        "  at the very most      1.11e-15, in whatever order the same formula is evaluated",
    ]


def test_a_single_number_has_no_place():
    lines = story(sum_of_squares, lambda x: 3 * x)
    assert lines[4] == "  worst                 gradient in x: got 3.0, wanted 2.0"


def test_fixed_sizes_and_numbers_that_are_not_whole():
    def mine(x):
        return np.where((x > 0) & (x < 1), 0, 2 / 3) * (x + 1)

    line = story(mean_square_2x3, mine)[2]
    assert line.startswith("  smallest example      x=[[")
    numbers = line.split("x=")[1].replace("[", "").replace("]", "").split(", ")
    assert len(numbers) == 6
    (fraction,) = (text for text in numbers if text != "0")
    assert 0 < float(fraction) < 1


def test_no_array():
    assert story(sum_of_squares, lambda x: None) == [
        "sum-of-squares-gradient: `candidate` on numpy float64 fails",
        "  why                   None came back; wanted a numpy array",
        "  smallest example      x=0",
    ]


def test_the_wrong_library_is_named():
    lines = story(sum_of_squares, lambda x: x.requires_grad)
    assert lines[1].startswith("  why                   AttributeError: ")
    assert lines[2] == (
        "  note                  it was given numpy arrays; backend='torch-cpu' gives it tensors"
    )


def test_not_finite():
    assert "  why                   NaN or infinity where a finite number is wanted" in story(
        sum_of_squares, lambda x: x * np.nan
    )


def test_reasons_of_several_lines_stay_in_their_column():
    def raises(x):
        raise ValueError("first\nsecond")

    lines = story(sum_of_squares, raises)
    assert lines[1:3] == [
        "  why                   ValueError: first",
        "                        second",
    ]


@pytest.mark.parametrize("status", Status)
def test_every_status_has_a_phrase(status):
    record = check(sum_of_squares, backend="numpy", examples=2).claims[0]
    verdict = Verdict(route="mine", backend="numpy", dtype="float64", status=status)
    assert verdict_text(record, verdict) == (
        f"sum-of-squares-gradient: `mine` on numpy float64 {PHRASES[status]}"
    )


def test_summary():
    report = check(sum_of_squares, lambda x: 3 * x, backend="numpy", examples=2)
    assert summary_text(report) == (
        "0 of 1 claims as expected; 1 not as expected (7 pass, 3 wrong; seed 0)"
    )
