"""Derivatives against torch's autograd, step checks, and rules that are broken on purpose."""

import importlib
import warnings

import array_api_compat
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from verimath import Claim, Domain, Gradient, check, reals
from verimath.arithmetic.rounding import evaluate
from verimath.claims.autograd import mean_square
from verimath.claims.regression import linear_regression
from verimath.errors import FormulaError
from verimath.formula import operations as op
from verimath.formula.derive import derive
from verimath.formula.forward import push_forward
from verimath.formula.graph import Formula, Subscripts
from verimath.formula.reverse import REVERSE
from verimath.formula.trace import trace
from verimath.proof.explicit import check_steps
from verimath.shapes import Size

with warnings.catch_warnings():  # torch's own, on the first use of forward mode
    warnings.simplefilter("ignore", DeprecationWarning)
    importlib.import_module("torch._decomp.decompositions_for_jvp")

N, D, K = Size.of("n"), Size.of("d"), Size.of("k")


# Nobody knows the largest of nothing, and libraries differ about its variance.
OF_SOMETHING = ("max", "softmax", "logsumexp", "log softmax", "variance", "standardize")


def value_of(node_formula, values, binding):
    found = evaluate(node_formula, {name: x[None] for name, x in values.items()}, binding)
    return [
        np.broadcast_to(f.value, (1, *(s.at(binding) for s in o.shape)))[0]
        for f, o in zip(found, node_formula.outputs, strict=True)
    ]


@settings(max_examples=100, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_reverse_mode_is_torchs(programs, data, seed):
    program = data.draw(programs(scalar=True, smallest=0, without=OF_SOMETHING))
    values = program.draw(seed)
    wrt = tuple(values)
    found = value_of(derive(program.formula, wrt).derivatives, values, program.binding)
    tensors = [torch.tensor(x, requires_grad=True) for x in values.values()]
    with np.errstate(all="ignore"):
        wanted = torch.autograd.grad(program(*tensors), tensors, materialize_grads=True)
    for got, want in zip(found, wanted, strict=True):
        np.testing.assert_allclose(got, want.numpy(), rtol=1e-8, atol=1e-8)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_forward_mode_is_torchs_and_the_adjoint_of_reverse_mode(programs, data, seed):
    program = data.draw(programs(scalar=True))
    values = program.draw(seed)
    wrt = data.draw(st.sampled_from(sorted(values)))
    direction = np.random.default_rng(seed + 1).uniform(-1, 1, values[wrt].shape)
    formula = program.formula
    (forward,) = value_of(
        push_forward(formula, wrt, "tangent"), {**values, "tangent": direction}, program.binding
    )
    (gradient,) = value_of(derive(formula, (wrt,)).derivatives, values, program.binding)
    scale = 1 + np.abs(gradient).sum()
    assert abs(forward - np.sum(gradient * direction)) < 1e-9 * scale

    with torch.autograd.forward_ad.dual_level():
        tensors = {n: torch.tensor(x) for n, x in values.items()}
        tensors[wrt] = torch.autograd.forward_ad.make_dual(tensors[wrt], torch.tensor(direction))
        tangent = torch.autograd.forward_ad.unpack_dual(program(*tensors.values())).tangent
    tangent = torch.tensor(0.0) if tangent is None else tangent
    assert abs(forward - tangent.numpy()) < 1e-9 * scale


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_reverse_mode_of_any_einsum_is_torchs(data, seed):
    """Repeated, missing and lone indices too, which array functions can't all express."""
    sizes = data.draw(st.lists(st.integers(1, 3), min_size=4, max_size=4))
    index = st.integers(0, 3)
    operands = data.draw(st.lists(st.lists(index, max_size=4).map(tuple), min_size=1, max_size=2))
    present = sorted({i for indices in operands for i in indices})
    output = data.draw(st.permutations(present)) if present else []
    output = tuple(output[: data.draw(st.integers(0, len(output)))])
    shapes = [tuple(Size.of(f"s{i}") for i in indices) for indices in operands]
    nodes = {f"x{k}": op.input_(f"x{k}", shape) for k, shape in enumerate(shapes)}
    product = op.einsum(Subscripts(tuple(operands), output), *nodes.values())
    weights = op.input_("c", product.shape)
    total = op.sum_(op.multiply(product, weights), range(len(product.shape)))
    binding = {f"s{i}": size for i, size in enumerate(sizes)}
    generator = np.random.default_rng(seed)
    values = {
        name: generator.uniform(-1, 1, tuple(s.at(binding) for s in node.shape))
        for name, node in {**nodes, "c": weights}.items()
    }
    formula = Formula("f", {**nodes, "c": weights}, (total,), {})
    found = value_of(derive(formula, tuple(nodes)).derivatives, values, binding)
    tensors = {n: torch.tensor(x, requires_grad=True) for n, x in values.items()}
    letters = ["".join("ijkl"[i] for i in indices) for indices in (*operands, output)]
    equation = f"{','.join(letters[:-1])}->{letters[-1]}"
    result = torch.sum(torch.einsum(equation, *(tensors[n] for n in nodes)) * tensors["c"])
    wanted = torch.autograd.grad(result, [tensors[n] for n in nodes])
    for got, want in zip(found, wanted, strict=True):
        np.testing.assert_allclose(got, want.numpy(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 0.5, 1.5, -1, -2])
def test_powers_have_torchs_derivative_at_zero_too(exponent):
    formula = trace(lambda x: array_api_compat.array_namespace(x).sum(x**exponent), {"x": (N,)})
    x = np.array([0.0, 0.25, 2.0])
    (found,) = value_of(derive(formula, ("x",)).derivatives, {"x": x}, {"n": 3})
    tensor = torch.tensor(x, requires_grad=True)
    torch.sum(tensor**exponent).backward()
    np.testing.assert_allclose(found, tensor.grad.numpy())


def test_an_input_that_takes_no_part_has_a_zero_gradient():
    formula = trace(lambda x, y: array_api_compat.array_namespace(x).sum(x), {"x": (N,), "y": (D,)})
    _, found = value_of(
        derive(formula, ("x", "y")).derivatives,
        {"x": np.ones(2), "y": np.ones(3)},
        {"n": 2, "d": 3},
    )
    np.testing.assert_array_equal(found, np.zeros(3))


def test_a_gradient_of_an_array_is_refused_with_its_shape():
    with pytest.raises(FormulaError, match=r"has shape \(n, d\); a gradient needs a 0-d result"):
        derive(trace(lambda x: 2 * x, {"x": (N, D)}), ("x",))


# --- steps ------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_every_step_passes_its_own_check(programs, data):
    cheap = ("shift", "square", "add", "multiply", "matmul", "transpose", "sum", "column sums",
             "scale", "row sums", "mean", "column", "row", "spread", "diagonal", "sin")  # fmt: skip
    program = data.draw(programs(longest=4, only=cheap))
    xp = array_api_compat.array_namespace
    total = trace(lambda *x: xp(*x).sum(program(*x)), program.shapes)
    inner = [n for n in total.nodes() if n.operation == "einsum"]
    named_nodes = {**total.names, **{n: f"t{i}" for i, n in enumerate(inner) if n.shape}}
    total = Formula(total.name, total.inputs, total.outputs, named_nodes)
    for step in check_steps(derive(total, tuple(program.shapes)), [{"n": 2, "d": 3}]):
        assert step.checked, step


def _quotient(x, y):
    z = x * y
    q = z / (y**2 + 1)
    return array_api_compat.array_namespace(x).sum(q)


def _network(X, W, b):
    h = X @ W + b
    a = array_api_compat.array_namespace(X).tanh(h)
    return array_api_compat.array_namespace(X).mean(a**2)


FORMULAS = {
    "quotient": (_quotient, {"x": (N, D), "y": (D,)}),
    "network": (_network, {"X": (N, D), "W": (D, K), "b": (K,)}),
    "rebound": (
        lambda x: (lambda y: array_api_compat.array_namespace(x).sum(y * x))(x + 1),
        {"x": (N,)},
    ),
}
BINDINGS = [{"n": 2, "d": 3, "k": 2}]


@pytest.mark.parametrize("name", FORMULAS)
def test_steps_of_formulas_with_variables_pass(name):
    function, shapes = FORMULAS[name]
    derived = derive(trace(function, shapes), tuple(shapes))
    steps = check_steps(derived, BINDINGS)
    assert steps
    assert all(step.checked for step in steps), steps


def _broken(rule):
    """A rule that gives twice the cotangents."""

    def double(node, c):
        return [x and op.multiply(op.constant(2), x) for x in rule(node, c)]

    return double


@pytest.mark.parametrize("operation", sorted(REVERSE))
@pytest.mark.parametrize("name", FORMULAS)
def test_breaking_a_rule_breaks_exactly_the_steps_that_use_it(monkeypatch, name, operation):
    function, shapes = FORMULAS[name]
    formula = trace(function, shapes)
    monkeypatch.setitem(REVERSE, operation, _broken(REVERSE[operation]))
    derived = derive(formula, tuple(shapes))
    steps = check_steps(derived, BINDINGS)
    for local, step in zip(derived.steps, steps, strict=True):
        uses = any(node.operation == operation for node in local.path)
        assert step.checked is not uses, (step, [n.operation for n in local.path])
        assert (step.remark is not None) is uses


def test_a_step_without_a_small_shape_is_not_called_checked():
    function, shapes = FORMULAS["network"]
    steps = check_steps(derive(trace(function, shapes), ("W",)), [{"n": 20, "d": 30, "k": 20}])
    assert not any(step.checked for step in steps)
    assert all("no shape is small enough" in step.remark for step in steps)


@pytest.mark.parametrize(
    ("claim", "operation"), [(mean_square, "power"), (linear_regression, "einsum")]
)
def test_a_broken_rule_is_seen_by_check(monkeypatch, claim, operation):
    monkeypatch.setitem(REVERSE, operation, _broken(REVERSE[operation]))
    record = check(claim, backend="numpy", dtype="float64", examples=5).claims[0]
    assert record.outcome == "not_as_expected"
    assert record.proof.label == "none"
    assert not all(step.checked for step in record.proof.steps)
    assert any(v.status == "wrong" for v in record.verdicts)


def test_a_variable_that_rebinds_an_input_keeps_its_proof():
    def shifted(x):
        y = x
        x = x + 1
        return array_api_compat.array_namespace(x).sum(x * y)

    claim = Claim(
        id="rebound",
        title="rebound",
        source="test",
        domain=Domain(x=reals("n")),
        statement=Gradient(of=shifted, wrt="x", equals=lambda x: 2 * x + 1),
    )
    record = check(claim, backend="numpy", dtype="float64", examples=5).claims[0]
    assert record.proof.label == "all_shapes_derivation", record.proof
    assert record.outcome == "as_expected"
