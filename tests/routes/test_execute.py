"""Running one cell: whatever the code under test does becomes an outcome."""

import sys

import numpy as np
import pytest
import torch

from tests.functions import WithoutJvp
from verimath.backends import get_backend
from verimath.routes import Cell, Way
from verimath.routes.execute import execute

X = {"x": np.array([1.0, -2.0])}


def cell(function, *, kind="numeric", backend="numpy", dtype="float64", standard=False):
    way = Way("mine", kind, function, ("numpy", "torch"), standard=standard)
    return Cell(way, get_backend(backend), dtype)


def outcome(function, inputs=X, wrt=("x",), **facts):
    return execute(cell(function, **facts), inputs, wrt)


def raises(x):
    raise ValueError("no value today")


def raises_nothing_to_say(x):
    raise ValueError


def leaves(x):
    sys.exit("goodbye")


def recurses(x):
    return recurses(x)


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (raises, "ValueError: no value today"),
        (raises_nothing_to_say, "ValueError"),
        (leaves, "SystemExit: goodbye"),
        (recurses, "RecursionError: maximum recursion depth exceeded"),
        (lambda x: None, "None came back; wanted a numpy array"),
        (lambda x: 1.0, "a float came back; wanted a numpy array"),
        (lambda x: 1, "an int came back; wanted a numpy array"),
        (lambda x: [1.0, 2.0], "a float came back; wanted a numpy array"),
        (lambda x: {"x": x}, "a dict came back; wanted a numpy array"),
        (lambda x: torch.ones(2), "a Tensor came back; wanted a numpy array"),
        (lambda: None, "TypeError: "),
    ],
)
def test_what_is_no_result(function, error):
    found = outcome(function)
    assert found.error is not None
    assert found.error.startswith(error)
    assert (found.results, found.mutated, found.lacking) == ((), None, None)


def test_numpy_array_on_torch():
    assert outcome(lambda x: np.ones(2), backend="torch-cpu").error == (
        "an ndarray came back; wanted a torch tensor"
    )


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [x], lambda x: (x,)])
def test_one_result_may_come_bare_or_in_a_list_or_tuple(wrap):
    found = outcome(lambda x: wrap(2 * x))
    assert found.error is None
    (result,) = found.results
    np.testing.assert_array_equal(result.array, [2.0, -4.0])
    assert (result.dtype, result.on_device) == ("float64", True)


def test_wrong_number_of_results_is_left_to_the_judge():
    assert len(outcome(lambda x: (x, x, x)).results) == 3
    assert outcome(lambda x: ()).results == ()


def test_numpy_scalars_are_results():
    (result,) = outcome(lambda x: x.sum()).results
    assert (result.array.shape, result.array.item()) == ((), -1.0)


def in_place(x):
    x *= 2
    return x


def nan_in_place(x):
    x[0] = np.nan
    return x


def sign_of_zero_in_place(x):
    x[0] = -x[0]
    return x


@pytest.mark.parametrize("backend", ["numpy", "torch-cpu"])
@pytest.mark.parametrize("function", [in_place, nan_in_place])
def test_mutated_input(function, backend):
    assert outcome(function, backend=backend).mutated == "x"
    np.testing.assert_array_equal(X["x"], [1.0, -2.0])


def test_mutation_is_seen_bit_for_bit():
    inputs = {"x": np.array([0.0])}
    assert outcome(sign_of_zero_in_place, inputs).mutated == "x"
    nan = {"x": np.array([np.nan])}
    assert outcome(lambda x: x + 1, nan).mutated is None


def test_the_changed_input_is_named():
    def second(x, y):
        y += 1
        return x

    assert outcome(second, {"x": np.ones(2), "y": np.ones(2)}).mutated == "y"


def test_warnings_are_no_failure():
    def warns(x):
        return x / 0 + np.log(-x)

    assert outcome(warns, {"x": np.array([0.0, 1.0])}).error is None


def test_formulas_see_arrays_of_the_standard():
    def formula(x):
        return x / x.size

    for backend in ("numpy", "torch-cpu"):
        (result,) = outcome(formula, kind="formula", backend=backend, standard=True).results
        np.testing.assert_array_equal(result.array, [0.5, -1.0])
    assert outcome(formula, backend="torch-cpu").error is not None  # a tensor's size is a method


def test_a_missing_forward_mode_is_told_apart_from_an_error():
    found = outcome(WithoutJvp.apply, kind="forward", backend="torch-cpu")
    assert found.error is None
    assert found.lacking is not None
    assert found.lacking.startswith("no forward mode: ")
    (result,) = outcome(WithoutJvp.apply, kind="reverse", backend="torch-cpu").results
    np.testing.assert_array_equal(result.array, [2.0, -4.0])
