"""Composites: values against torch, rules against the definition's own derivative."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace
from hypothesis import given, settings
from hypothesis import strategies as st

from verimath import Claim, Domain, Gradient, Status, UsageError, check, composites, reals
from verimath.arithmetic.rounding import evaluate
from verimath.composites import Composite
from verimath.formula.derive import derive
from verimath.formula.forward import push_forward
from verimath.formula.graph import Formula, inlined
from verimath.formula.trace import trace
from verimath.shapes import Size

N, D = Size.of("n"), Size.of("d")
F = torch.nn.functional


def _pair(ours, theirs, *, arrays=1):
    return ours, theirs, arrays


AGAINST_TORCH = {
    "softmax": _pair(composites.softmax, lambda x: torch.softmax(x, -1)),
    "softmax over rows": _pair(lambda x: composites.softmax(x, axis=0), lambda x: x.softmax(0)),
    "log_softmax": _pair(composites.log_softmax, lambda x: torch.log_softmax(x, -1)),
    "logsumexp": _pair(composites.logsumexp, lambda x: torch.logsumexp(x, -1)),
    "logsumexp kept": _pair(
        lambda x: composites.logsumexp(x, axis=0, keepdims=True),
        lambda x: torch.logsumexp(x, 0, keepdim=True),
    ),
    "sigmoid": _pair(composites.sigmoid, torch.sigmoid),
    "softplus": _pair(composites.softplus, lambda x: F.softplus(x, threshold=800)),
    "relu": _pair(composites.relu, torch.relu),
    "leaky_relu": _pair(composites.leaky_relu, F.leaky_relu),
    "silu": _pair(composites.silu, F.silu),
    "erf": _pair(composites.erf, torch.erf),
    "gelu": _pair(composites.gelu, F.gelu),
    "norm": _pair(composites.norm, lambda x: torch.linalg.vector_norm(x, dim=-1)),
    "variance": _pair(
        lambda x: composites.variance(x, correction=1), lambda x: torch.var(x, -1, correction=1)
    ),
    "layer_norm": _pair(
        lambda x, y: composites.layer_norm(x, y[0, :], y[1, :]),
        lambda x, y: F.layer_norm(x, x.shape[-1:], y[0], y[1]),
        arrays=2,
    ),
    "batch_norm": _pair(
        lambda x, y: composites.batch_norm(x, y[0, :], y[1, :]),
        lambda x, y: F.batch_norm(x, None, None, y[0], y[1], training=True),
        arrays=2,
    ),
    "rms_norm": _pair(
        lambda x, y: composites.rms_norm(x, y[0, :], eps=1e-6),
        lambda x, y: F.rms_norm(x, x.shape[-1:], y[0], eps=1e-6),
        arrays=2,
    ),
    "mean_squared_error": _pair(composites.mean_squared_error, F.mse_loss, arrays=2),
    "cross_entropy": _pair(composites.cross_entropy, F.cross_entropy, arrays=2),
    "binary_cross_entropy": _pair(
        composites.binary_cross_entropy, F.binary_cross_entropy_with_logits, arrays=2
    ),
    "huber": _pair(composites.huber, F.huber_loss, arrays=2),
    "attention": _pair(
        lambda x, y: composites.attention(x, y, 2 * y),
        lambda x, y: F.scaled_dot_product_attention(x[None], y[None], 2 * y[None])[0],
        arrays=2,
    ),
}


def drawn(arrays, seed, n, d):
    generator = np.random.default_rng(seed)
    return {name: generator.normal(0, 2, (n, d)) for name in "xy"[:arrays]}


@pytest.mark.parametrize("name", AGAINST_TORCH)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 999), n=st.integers(2, 4), d=st.integers(2, 4))
def test_values_and_gradients_are_torchs(name, seed, n, d):
    ours, theirs, arrays = AGAINST_TORCH[name]
    values = drawn(arrays, seed, n, d)
    tensors = [torch.tensor(x, requires_grad=True) for x in values.values()]
    want = theirs(*tensors)
    np.testing.assert_allclose(ours(*values.values()), want.detach().numpy(), rtol=1e-9, atol=1e-12)

    def total(*x):
        xp = array_namespace(*x)
        return xp.sum(xp.sin(ours(*x)))

    formula = trace(total, dict.fromkeys(values, (N, D)))
    batch = {key: x[None] for key, x in values.items()}
    found = evaluate(derive(formula, tuple(values)).derivatives, batch, {"n": n, "d": d})
    torch.sum(torch.sin(want)).backward()
    for got, tensor in zip(found, tensors, strict=True):
        np.testing.assert_allclose(got.value[0], tensor.grad.numpy(), rtol=1e-7, atol=1e-9)


COMPOSITES = {name: c for name, c in vars(composites).items() if isinstance(c, Composite)}
OPTIONS = {
    "_SOFTMAX": {"axis": 0},
    "_LOG_SOFTMAX": {"axis": -1},
    "_LOGSUMEXP": {"axis": -1, "keepdims": False},
}


def test_every_composite_is_public():
    for composite in COMPOSITES.values():
        assert callable(getattr(composites, composite.name))


@pytest.mark.parametrize("name", sorted(set(COMPOSITES) - {"_ERF"}))
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), n=st.integers(1, 4), d=st.integers(1, 4))
def test_every_rule_is_the_derivative_of_the_definition(name, seed, n, d):
    composite = COMPOSITES[name]
    options = OPTIONS.get(name, {})
    public = getattr(composites, composite.name)

    def total(x):
        xp = array_namespace(x)
        y = public(x, **options)
        return xp.sum(xp.sin(y) * y)

    formula = trace(total, {"x": (N, D)})
    (node,) = [node for node in formula.nodes() if node.operation == "composite"]
    plain = Formula("plain", formula.inputs, (_without(formula, node),), {})
    sizes = {"n": n, "d": d}
    generator = np.random.default_rng(seed)
    batch = {"x": generator.normal(size=(1, n, d)), "t": generator.normal(size=(1, n, d))}
    for make in (lambda f: derive(f, ("x",)).derivatives, lambda f: push_forward(f, "x", "t")):
        (by_rule,), (by_definition,) = (evaluate(make(f), batch, sizes) for f in (formula, plain))
        np.testing.assert_allclose(by_rule.value, by_definition.value, rtol=1e-10, atol=1e-12)
    for order in node.parameter.orders:
        inner = {"argument 0": batch["x"]}
        (one,) = evaluate(Formula("order", {}, (order,), {}), inner, sizes)
        (two,) = evaluate(Formula("definition", {}, (node.parameter.definition,), {}), inner, sizes)
        np.testing.assert_allclose(one.value, two.value, rtol=1e-12, atol=1e-12)


def _without(formula, composite):
    """The result with the definition in place of the composite."""
    known = {composite: inlined(composite)}
    for node in formula.nodes():
        if node not in known:
            known[node] = replace(node, inputs=tuple(known[x] for x in node.inputs))
            if node.operation == "input":
                known[node] = node
    return known[formula.outputs[0]]


CLAIM = Claim(
    id="softmax-cross-entropy",
    title="p - y",
    source="test",
    domain=Domain(z=reals("n c"), y=reals("n c", 0, 1)),
    statement=Gradient(
        of=lambda z, y: composites.cross_entropy(z, y),
        wrt="z",
        equals=lambda z, y: (
            (composites.softmax(z) * array_namespace(z).sum(y, axis=-1, keepdims=True) - y)
            / z.shape[0]
        ),
    ),
)


def naive(z, y):
    e = np.exp(z)
    return (e / e.sum(-1, keepdims=True) * y.sum(-1, keepdims=True) - y) / len(z)


def shifted(z, y):
    e = np.exp(z - z.max(-1, keepdims=True))
    return (e / e.sum(-1, keepdims=True) * y.sum(-1, keepdims=True) - y) / len(z)


def unnormalised(z, y):
    e = np.exp(z - z.max(-1, keepdims=True))
    return (e / e.sum(-1, keepdims=True) - y) / len(z)


def test_a_stable_softmax_passes_and_one_that_overflows_does_not():
    report = check(CLAIM, shifted, naive, unnormalised, backend="numpy", dtype="float64")
    found = {v.route: v for v in report.claims[0].verdicts}
    assert found["shifted"].status is Status.PASS
    assert (found["naive"].status, found["naive"].defect) == (Status.WRONG, "nonfinite")
    assert (found["unnormalised"].status, found["unnormalised"].defect) == (Status.WRONG, "value")


def test_erf_of_what_is_no_array_is_refused():
    with pytest.raises(UsageError, match="erf of a Tensor"):
        composites.erf(torch.ones(2))


@pytest.mark.parametrize("x", [-800.0, -30.0, -1.0, -0.0, 0.0, 1.0, 30.0, 800.0])
def test_softplus_has_torchs_second_derivative_everywhere(x):
    """At zero, too, where kinks that cancel in a stable formula have second derivatives of 0."""
    place = torch.tensor(x, dtype=torch.float64)
    found = torch.autograd.functional.hessian(composites.softplus, place)
    slope = float(torch.sigmoid(place) * torch.sigmoid(-place))
    assert float(found) == pytest.approx(slope, rel=1e-3 if abs(x) > 20 else 1e-14)
