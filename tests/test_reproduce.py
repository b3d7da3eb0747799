"""The script of a counterexample runs where verimath is not, and shows the failure."""

import functools
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace

from tests.functions import SumOfSquares
from verimath import AtMost, Claim, Domain, Gradient, Status, autograd, check, given, numeric, reals
from verimath.claims.autograd import affine_layers, mean_square, sum_of_squares

# Runs a script in a process in which `import verimath` fails.
WITHOUT_VERIMATH = """
import sys
sys.modules["verimath"] = None
exec(compile(sys.stdin.read(), "script.py", "exec"), {"__name__": "__main__"})
"""


def run(script):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_VERIMATH],
        input=script,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def failing(claim, *candidates, route=None, backend="numpy", dtype="float64"):
    report = check(claim, *candidates, backend=backend, dtype=dtype, examples=8)
    (verdict,) = [
        v
        for v in report.claims[0].verdicts
        if v.status in (Status.WRONG, Status.ERROR) and route in (None, v.route)
    ]
    assert verdict.counterexample is not None
    return verdict.counterexample


def shows(found, mend=None):
    """The script fails with the numbers; with a piece of its text replaced it succeeds."""
    result = run(found.script)
    assert result.returncode == 1, result.stderr
    assert result.stderr == ""
    assert re.search(rf"\b{found.got:g}\b", result.stdout), result.stdout
    assert re.search(rf"\b{found.want:g}\b", result.stdout), result.stdout
    if mend is not None:
        wrong, right = mend
        assert found.script.count(wrong) == 1
        mended = run(found.script.replace(wrong, right))
        assert (mended.returncode, mended.stdout, mended.stderr) == (0, "the failure is gone\n", "")


# --- code under test ---

FACTOR = 3
TABLE = np.array([[0.1, 2.0]])


def scale(x):
    return FACTOR * x


def wrong_gradient(x, factor: "an int that nobody defined" = FACTOR):  # noqa: F722
    """Three times x, by way of a helper."""
    return scale(x) / FACTOR * factor


def squares(x):
    return array_namespace(x).sum(x**2)


def doubled(function):
    @functools.wraps(function)
    def wrapper(*arrays):
        return 2 * function(*arrays)

    return wrapper


@doubled
def decorated(x):
    return x + x


@torch.no_grad()
def without_gradients(x):
    return x * FACTOR


class Cubes(SumOfSquares):
    """The sum of squares, whose backward and jvp belong to another function."""

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * FACTOR * x

    @staticmethod
    def jvp(ctx, tangent):
        (x,) = ctx.saved_tensors
        return (5 * x * tangent).sum()


def test_module_function():
    shows(failing(sum_of_squares, wrong_gradient), ("=3)", "=2)"))


def test_nested_function_with_a_closure():
    factor, helper = 3, scale

    def nested(x):
        return helper(x) / 3 * factor

    shows(failing(sum_of_squares, nested), ("make_nested(3, scale)", "make_nested(2, scale)"))


def test_lambdas_beside_each_other():
    first, second = (lambda x: 3 * x), (lambda x: 5 * x)
    shows(failing(sum_of_squares, first), ("lambda x: 3 * x", "lambda x: 2 * x"))
    shows(failing(sum_of_squares, second), ("lambda x: 5 * x", "lambda x: 2 * x"))


def test_lambda_with_a_closure():
    factor = 4.5
    shows(failing(sum_of_squares, lambda x: factor * x), ("make_function(4.5)", "make_function(2)"))


def test_decorated_function():
    shows(failing(sum_of_squares, decorated), ("return x + x", "return x"))


def test_function_behind_an_installed_decorator():
    found = failing(
        sum_of_squares, numeric("mine", without_gradients, library="torch"), backend="torch-cpu"
    )
    assert "@torch.no_grad()" in found.script
    shows(found, ("FACTOR = 3", "FACTOR = 2"))


def test_array_in_a_global():
    domain = Domain(x=reals("1 2"))
    claim = Claim(
        id="squares",
        title="t",
        source="s",
        domain=domain,
        statement=Gradient(of=squares, wrt="x", equals=lambda x: 2 * x),
    )
    found = failing(claim, lambda x: 2 * x + TABLE)
    assert 'np.array([0.1, 2.0], dtype="float64").reshape((1, 2))' in found.script
    shows(found, ("2 * x + TABLE", "2 * x"))


def test_names_that_meet_those_of_the_script():
    def inputs(x):
        return want(x)  # noqa: F821 - a global set below

    globals()["want"] = lambda numbers: 3 * numbers
    try:
        shows(failing(sum_of_squares, inputs), ("3 * numbers", "2 * numbers"))
    finally:
        del globals()["want"]


def test_wrong_closed_form_on_torch():
    claim = Claim(
        id="squares",
        title="t",
        source="s",
        domain=Domain(X=reals("n m")),
        statement=Gradient(of=squares, wrt="X", equals=lambda X: (3 * X.T).T + 0 / X.size),
    )
    found = failing(claim, route="closed form", backend="torch-cpu")
    assert "array_api_compat" in found.script
    shows(found, ("3 * X.T", "2 * X.T"))


def test_closed_form_of_the_catalogue_on_torch():
    """Claims are verimath's own modules: their source is copied too."""
    wrong = Claim(
        id="affine",
        title="t",
        source="s",
        domain=affine_layers.domain,
        statement=Gradient(
            of=affine_layers.statement.of,
            wrt="w1",
            equals=lambda *a: 2 * affine_layers.statement.equals(*a),
        ),
    )
    # A live claim in the lambda can't be written down; the script says so and claims no failure.
    result = run(failing(wrong, route="closed form", backend="torch-cpu").script)
    assert result.returncode == 2
    assert "could not be copied" in result.stdout
    right = affine_layers.statement.equals
    wrong = Claim(
        id="affine",
        title="t",
        source="s",
        domain=affine_layers.domain,
        statement=Gradient(
            of=affine_layers.statement.of, wrt="w1", equals=lambda *a: 2 * right(*a)
        ),
    )
    shows(failing(wrong, route="closed form", backend="torch-cpu"), ("2 * right", "1 * right"))


def test_wrong_reverse_mode():
    found = failing(
        sum_of_squares,
        autograd("mine", Cubes.apply),
        route="mine: reverse mode",
        backend="torch-cpu",
    )
    shows(found, ("FACTOR = 3", "FACTOR = 2"))


def test_wrong_forward_mode():
    found = failing(
        sum_of_squares,
        autograd("mine", Cubes.apply),
        route="mine: forward mode",
        backend="torch-cpu",
        dtype="float32",
    )
    shows(found, ("(5 * x", "(2 * x"))


def test_wrong_value():
    found = failing(
        sum_of_squares,
        autograd("mine", lambda x: (x**2).sum() + (x.detach() ** 2).sum()),
        route="mine: value",
        backend="torch-cpu",
    )
    shows(found, ("+ (x.detach() ** 2).sum()", ""))


def test_hex_floats_are_exact():
    found = failing(mean_square, lambda x: 4 / x.size * (x + 1) * (1 + 1e-9 * (x > 1.7)))
    (array,) = found.inputs
    written = re.search(r'"x": numbers\("([^"]*)"', found.script)
    assert written is not None
    assert tuple(written[1].split()) == array.hex
    numbers = np.array([float.fromhex(h) for h in array.hex], dtype=array.dtype)
    assert numbers.shape == (np.prod(array.shape),)


def in_place(x):
    x *= 2
    return x


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (in_place, "input x was changed in place"),
        (lambda x: None, "<class 'NoneType'> came back; wanted an array"),
        (lambda x: (2 * x, x), "2 array(s) came back; wanted 1"),
        (lambda x: (2 * x).astype("float32"), "wanted shape () in float64"),
        (lambda x: x * np.nan, "nan"),
    ],
)
def test_other_defects_are_shown_too(function, text):
    result = run(failing(sum_of_squares, function).script)
    assert result.returncode == 1, result.stderr
    assert text in result.stdout


def test_an_exception_is_shown_as_a_traceback():
    def raises(x):
        raise ValueError("no gradient today")

    result = run(failing(sum_of_squares, raises).script)
    assert result.returncode == 1
    assert "ValueError: no gradient today" in result.stderr


def test_a_bound_that_is_exceeded():
    claim = Claim(
        id="bound",
        title="t",
        source="s",
        domain=Domain(x=given([1.0, 4.0])),
        statement=AtMost(of=lambda x: x + 1, bound=4),
    )
    found = failing(claim, route="formula")
    result = run(found.script)
    assert result.returncode == 1
    assert "wanted at most 4 in absolute value" in result.stdout


def test_a_stub_claims_no_failure():
    result = run(failing(sum_of_squares, functools.partial(np.multiply, 3)).script)
    assert result.returncode == 2
    assert result.stdout.startswith("put partial here: it could not be copied (")
