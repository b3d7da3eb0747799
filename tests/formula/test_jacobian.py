"""Jacobians and Hessians of random formulas against torch.func, and steps that are broken."""

import importlib
import warnings

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace
from hypothesis import given, settings
from hypothesis import strategies as st

from verimath.arithmetic.rounding import evaluate
from verimath.errors import FormulaError
from verimath.formula import reverse as rules
from verimath.formula.jacobian import hessian, jacobian, jacobians
from verimath.formula.trace import trace
from verimath.proof.explicit import check_steps
from verimath.shapes import Size

with warnings.catch_warnings():  # torch's own, on the first use of forward mode
    warnings.simplefilter("ignore", DeprecationWarning)
    importlib.import_module("torch._decomp.decompositions_for_jvp")

N, D = Size.of("n"), Size.of("d")
# torch has no second derivative of these, or splits ties otherwise.
ONCE = ("where", "mask", "maximum", "minimum", "clip", "max", "abs")


def value_of(formula, values, binding):
    found = evaluate(formula, {name: x[None] for name, x in values.items()}, binding)
    return [
        np.broadcast_to(f.value, (1, *(s.at(binding) for s in o.shape)))[0]
        for f, o in zip(found, formula.outputs, strict=True)
    ]


@settings(max_examples=100, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_jacobians_are_torchs(programs, data, seed):
    program = data.draw(programs())
    values = program.draw(seed)
    found = value_of(jacobian(program.formula, tuple(values)).derivatives, values, program.binding)
    wanted = torch.autograd.functional.jacobian(
        program, tuple(torch.tensor(x) for x in values.values())
    )
    for got, want in zip(found, wanted, strict=True):
        np.testing.assert_allclose(got, want.numpy(), rtol=1e-8, atol=1e-8)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_hessians_are_torchs(programs, data, seed):
    program = data.draw(programs(scalar=True, longest=6, without=ONCE))
    values = program.draw(seed)
    name = data.draw(st.sampled_from(sorted(values)))
    (found,) = value_of(hessian(program.formula, (name,)).derivatives, values, program.binding)
    others = {key: torch.tensor(x) for key, x in values.items()}
    wanted = torch.autograd.functional.hessian(
        lambda x: program(*{**others, name: x}.values()), others[name]
    )
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-7, atol=1e-7)
    rows = int(np.prod(values[name].shape))
    square = found.reshape(rows, rows)
    np.testing.assert_allclose(square, square.T, rtol=1e-7, atol=1e-7)  # Schwarz


def f(x):
    xp = array_namespace(x)
    y = x**2
    z = xp.exp(y)
    return xp.sum(z)


def test_steps_of_a_hessian_are_those_of_the_gradient_and_then_its_own():
    derived = hessian(trace(f, {"x": (N,)}), ("x",))
    steps = check_steps(derived, [{"n": 2}])
    assert [step.tex for step in steps] == [
        r"\frac{\partial f}{\partial z} = 1",
        r"\frac{\partial z}{\partial y} = \mathrm{e}^{y}",
        r"\frac{\partial y}{\partial x} = 2\,x",
        r"\frac{\partial \nabla f}{\partial z} = 2\,x",
        r"\frac{\partial \nabla f}{\partial x} = 2\,z",
    ]
    assert all(step.checked for step in steps)


@pytest.mark.parametrize("operation", ["power", "function", "multiply", "einsum"])
def test_breaking_a_rule_breaks_exactly_the_steps_that_use_it(monkeypatch, operation):
    rule = rules.REVERSE[operation]

    def broken(node, c):
        return [
            None if x is None else rules.op.multiply(rules.op.constant(3), x) for x in rule(node, c)
        ]

    monkeypatch.setitem(rules.REVERSE, operation, broken)
    derived = hessian(trace(f, {"x": (N,)}), ("x",))
    steps = check_steps(derived, [{"n": 2}])
    for local, step in zip(derived.steps, steps, strict=True):
        uses = any(node.operation == operation for node in local.path)
        assert step.checked is not uses


def test_replaced_rules_make_another_jacobian():
    formula = trace(lambda x: array_namespace(x).exp(x), {"x": (N,)})
    passed = jacobians(formula, ("x",), {formula.outputs[0]: lambda node, c: [c]})
    (found,) = value_of(passed, {"x": np.array([1.0, 2.0])}, {"n": 2})
    np.testing.assert_array_equal(found, np.eye(2))


def test_several_arrays_have_no_one_jacobian():
    with pytest.raises(FormulaError, match=r"returns 2 arrays \(\(n,\) and \(n,\)\); a Jacobian"):
        jacobian(trace(lambda x: (x, 2 * x), {"x": (N,)}), ("x",))


def test_an_array_has_no_hessian():
    with pytest.raises(FormulaError, match=r"has shape \(n, d\); a gradient needs a 0-d result"):
        hessian(trace(lambda x: 2 * x, {"x": (N, D)}), ("x",))
