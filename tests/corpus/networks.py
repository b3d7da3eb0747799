"""Logistic regression and a network of two layers: gradients in weights."""

import numpy as np
import torch
import torch.nn.functional as F
from array_api_compat import array_namespace

from verimath import Claim, Domain, Gradient, binary, composites, reals

from tests.corpus.case import right, wrong  # isort: skip


def _logistic(X, w, y):
    return composites.binary_cross_entropy(X @ w, y)


def _logistic_gradient(X, w, y):
    return X.T @ (composites.sigmoid(X @ w) - y) / X.shape[0]


def _network(X, V, w, y):
    xp = array_namespace(X)
    return xp.mean((xp.tanh(X @ V) @ w - y) ** 2)


def _hidden_gradient(X, V, w, y):
    h = array_namespace(X).tanh(X @ V)
    delta = 2 * (h @ w - y) / X.shape[0]
    return X.T @ (delta[:, None] * w * (1 - h**2))


def _output_gradient(X, V, w, y):
    h = array_namespace(X).tanh(X @ V)
    return 2 / X.shape[0] * h.T @ (h @ w - y)


_LAYERS = Domain(
    X=reals("n d", -4, 4), V=reals("d h", -4, 4), w=reals("h", -4, 4), y=reals("n", -4, 4)
)

CLAIMS = [
    Claim(
        id="logistic-regression",
        title="The gradient of logistic regression is X' (sigmoid(X w) - y) / n",
        source="Hastie, Tibshirani, Friedman, The Elements of Statistical Learning, 4.4.1",
        domain=Domain(X=reals("n d", -100, 100), w=reals("d", -10, 10), y=binary("n")),
        statement=Gradient(of=_logistic, wrt="w", equals=_logistic_gradient),
    ),
    Claim(
        id="two-layers-hidden",
        title="Backpropagation to the hidden weights of two layers",
        source="Rumelhart, Hinton, Williams, 1986",
        domain=_LAYERS,
        statement=Gradient(of=_network, wrt="V", equals=_hidden_gradient),
    ),
    Claim(
        id="two-layers-output",
        title="Backpropagation to the output weights of two layers",
        source="Rumelhart, Hinton, Williams, 1986",
        domain=_LAYERS,
        statement=Gradient(of=_network, wrt="w", equals=_output_gradient),
    ),
]


def _np_sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def _per_example(X, w, y):
    out = np.zeros_like(w)
    for i in reversed(range(len(X))):
        out += (_np_sigmoid(X[i] @ w) - y[i]) * X[i] / len(X)
    return out


def _signed(X, w, y):
    s = 2 * y - 1
    return -(X * (s * _np_sigmoid(-s * (X @ w)))[:, None]).sum(axis=0) / len(X)


def _overflowing(X, w, y):
    with np.errstate(over="ignore", invalid="ignore"):
        e = np.exp(X @ w)
        return X.T @ (e / (1 + e) - y) / len(X)


def _minibatches(X, w, y):
    """Averages the means of blocks of four, the last of which may be smaller."""
    parts = [
        X[i : i + 4].T @ (_np_sigmoid(X[i : i + 4] @ w) - y[i : i + 4]) / len(X[i : i + 4])
        for i in range(0, len(X), 4)
    ]
    return sum(parts, np.zeros_like(w)) / w.dtype.type(max(len(parts), 1))


def _accumulated(X, w, y):
    """Blocks of four, each weighted by its share of the examples."""
    out = np.zeros_like(w)
    for i in range(0, len(X), 4):
        out += X[i : i + 4].T @ (_np_sigmoid(X[i : i + 4] @ w) - y[i : i + 4])
    return out / w.dtype.type(max(len(X), 1))


_state = {}


def _accumulating(X, w, y):
    """Forgets to zero the gradient of the last call."""
    total = _state.setdefault(w.shape, np.zeros(w.shape))
    total += X.T @ (_np_sigmoid(X @ w) - y) / len(X)
    return total.astype(w.dtype)


def _hidden(X, V, w, y, *, slope=True, transpose=False, factor=2, mean=True):
    h = np.tanh(X @ V)
    delta = factor * (h @ w - y) / (len(X) if mean else 1)
    back = np.outer(delta, w)
    if slope:
        back = back * (1 - h * h)
    return X.T @ back


def _hidden_einsum(X, V, w, y):
    h = np.tanh(X @ V)
    delta = (h @ w - y) * (2 / len(X))
    return np.einsum("nd,n,h,nh->dh", X, delta, w, 1 - h * h)


def _hidden_units(X, V, w, y):
    h = np.tanh(X @ V)
    r = 2 * (h @ w - y) / len(X)
    out = np.empty_like(V)
    for j in range(V.shape[1]):
        out[:, j] = X.T @ (r * (1 - h[:, j]) * (1 + h[:, j])) * w[j]
    return out


def _hidden_per_example(X, V, w, y):
    out = np.zeros_like(V)
    for i in range(len(X)):
        h = np.tanh(X[i] @ V)
        out += np.outer(X[i], w * (1 - h * h)) * (h @ w - y[i])
    return 2 * out / len(X)


def _hidden_updated(X, V, w, y):
    """Takes the step in w before w is used."""
    h = np.tanh(X @ V)
    r = 2 * (h @ w - y) / len(X)
    return X.T @ (np.outer(r, w - 0.001 * h.T @ r) * (1 - h * h))


def _hidden_preactivation(X, V, w, y):
    a = X @ V
    r = 2 * (np.tanh(a) @ w - y) / len(X)
    return X.T @ (np.outer(r, w) * (1 - a * a))


def _hidden_input(X, V, w, y):
    out = _hidden(X, V, w, y)
    X *= 2
    X /= 2
    return out


def _torch(X, V, w, y):
    return F.mse_loss(torch.tanh(X @ V) @ w, y)


def _column(X, V, w, y):
    """(n, 1) against (n,): broadcast to (n, n)."""
    return ((torch.tanh(X @ V) @ w[:, None] - y) ** 2).mean()


class _TanhOfOutput(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        h = torch.tanh(a)
        ctx.save_for_backward(h)
        return h

    @staticmethod
    def backward(ctx, c):
        (h,) = ctx.saved_tensors
        return c * (1 - h * h)


class _TanhTwice(_TanhOfOutput):
    @staticmethod
    def backward(ctx, c):
        (h,) = ctx.saved_tensors
        return c * (1 - torch.tanh(h) ** 2)


class _TanhClipped(_TanhOfOutput):
    @staticmethod
    def backward(ctx, c):
        (h,) = ctx.saved_tensors
        return (c * (1 - h * h)).clamp(-5, 5)


class _TanhTransposed(_TanhOfOutput):
    """Takes the cotangent's memory in C order, whatever its strides are."""

    @staticmethod
    def backward(ctx, c):
        (h,) = ctx.saved_tensors
        return torch.as_strided(c, c.shape, (c.shape[1], 1)) * (1 - h * h)


def _with(function):
    return lambda X, V, w, y: ((function.apply(X @ V) @ w - y) ** 2).mean()


RIGHT = [
    right(
        "logistic-regression",
        "torch",
        lambda X, w, y: F.binary_cross_entropy_with_logits(X @ w, y),
        kind="autograd",
    ),
    right("logistic-regression", "per example", _per_example, bait="in reversed order"),
    right(
        "logistic-regression",
        "signed labels",
        _signed,
        bait="labels -1 and 1, another loss on paper",
    ),
    right(
        "logistic-regression", "accumulated", _accumulated, bait="blocks of four of unequal size"
    ),
    right(
        "logistic-regression",
        "two classes",
        lambda X, w, y: F.cross_entropy(
            torch.stack([0 * (X @ w), X @ w], 1), torch.stack([1 - y, y], 1)
        ),
        kind="autograd",
        bait="softmax of two logits",
    ),
    right("two-layers-hidden", "torch", _torch, kind="autograd"),
    right("two-layers-hidden", "numpy", _hidden),
    right("two-layers-hidden", "einsum", _hidden_einsum, bait="one contraction of four arrays"),
    right("two-layers-hidden", "unit by unit", _hidden_units, bait="(1 - h)(1 + h)"),
    right("two-layers-hidden", "per example", _hidden_per_example, bait="divides last"),
    right(
        "two-layers-hidden",
        "custom Function",
        _with(_TanhOfOutput),
        kind="autograd",
        bait="saves the output",
    ),
    right("two-layers-output", "torch", _torch, kind="autograd"),
    right(
        "two-layers-output",
        "hidden detached",
        lambda X, V, w, y: F.mse_loss(torch.tanh(X @ V).detach() @ w, y),
        kind="autograd",
        bait="the hidden layer detached: it does not depend on w",
    ),
]

WRONG = [
    wrong(
        "logistic-regression", "minibatches", _minibatches, "the mean of means of unequal blocks"
    ),
    wrong("logistic-regression", "overflow", _overflowing, "infinity over infinity above 709"),
    wrong(
        "logistic-regression",
        "accumulating",
        _accumulating,
        "the gradient not zeroed between calls",
    ),
    wrong(
        "logistic-regression",
        "least squares",
        lambda X, w, y: X.T @ (X @ w - y) / len(X),
        "no sigmoid",
    ),
    wrong(
        "logistic-regression", "sum", lambda X, w, y: X.T @ (_np_sigmoid(X @ w) - y), "sum for mean"
    ),
    wrong(
        "logistic-regression",
        "decided",
        lambda X, w, y: X.T @ ((X @ w > 0) - y) / len(X),
        "the perceptron's rule",
    ),
    wrong(
        "logistic-regression",
        "clipped",
        lambda X, w, y: X.T @ (np.clip(_np_sigmoid(X @ w), 1e-7, 1 - 1e-7) - y) / len(X),
        "probabilities clipped at 1e-7",
    ),
    wrong(
        "logistic-regression",
        "l2",
        lambda X, w, y: F.binary_cross_entropy_with_logits(X @ w, y) + 1e-6 * w.square().sum(),
        "a small weight decay left on",
        kind="autograd",
    ),
    wrong(
        "logistic-regression",
        "bias",
        lambda X, w, y: F.binary_cross_entropy_with_logits(X @ w + 1e-3, y),
        "a bias of 1/1000",
        kind="autograd",
    ),
    wrong(
        "two-layers-hidden",
        "no slope",
        lambda X, V, w, y: _hidden(X, V, w, y, slope=False),
        "the activation's slope",
    ),
    wrong(
        "two-layers-hidden",
        "no 2",
        lambda X, V, w, y: _hidden(X, V, w, y, factor=1),
        "the factor 2",
    ),
    wrong(
        "two-layers-hidden",
        "no mean",
        lambda X, V, w, y: _hidden(X, V, w, y, mean=False),
        "the 1/n",
    ),
    wrong("two-layers-hidden", "updated weights", _hidden_updated, "w after its step"),
    wrong(
        "two-layers-hidden",
        "preactivation",
        _hidden_preactivation,
        "the slope from the preactivation",
    ),
    wrong(
        "two-layers-hidden",
        "column",
        _column,
        "(n, 1) - (n,) broadcasts to (n, n)",
        kind="autograd",
    ),
    wrong(
        "two-layers-hidden",
        "tanh twice",
        _with(_TanhTwice),
        "backward takes the output for the input",
        kind="autograd",
    ),
    wrong(
        "two-layers-hidden",
        "clipped",
        _with(_TanhClipped),
        "gradients clipped at 5 in backward",
        kind="autograd",
    ),
    wrong(
        "two-layers-hidden",
        "C order",
        _with(_TanhTransposed),
        "reads the cotangent in C order",
        kind="autograd",
    ),
    wrong(
        "two-layers-output",
        "inputs",
        lambda X, V, w, y: 2 / len(X) * (X @ V).T @ (np.tanh(X @ V) @ w - y),
        "the preactivation for the activation",
    ),
    wrong(
        "two-layers-output",
        "detached residual",
        lambda X, V, w, y: (lambda h: ((h @ w - y).detach() * (h @ w - y)).mean())(
            torch.tanh(X @ V)
        ),
        "one of the two factors detached",
        kind="autograd",
    ),
    wrong(
        "two-layers-output",
        "stale hidden",
        lambda X, V, w, y: (
            2
            / len(X)
            * np.broadcast_to(np.tanh(X[:1] @ V), (len(X), len(w))).T
            @ (np.tanh(X @ V) @ w - y)
        ),
        "the first row's activation for all",
    ),
    wrong(
        "two-layers-output",
        "size of w",
        lambda X, V, w, y: 2 / max(len(w), 1) * np.tanh(X @ V).T @ (np.tanh(X @ V) @ w - y),
        "divided by the units",
    ),
    wrong(
        "two-layers-output",
        "no grad",
        lambda X, V, w, y: F.mse_loss(torch.tanh(X @ V).detach() @ w.detach() + 0 * w.sum(), y),
        "w detached",
        kind="autograd",
    ),
]
