"""Extremes, absolute values, hinges and clips: where several gradients are right, and ties."""

import numpy as np
import torch
from array_api_compat import array_namespace

from verimath import Claim, Domain, Gradient, reals, signs

from tests.corpus.case import right, wrong  # isort: skip

_SUBGRADIENTS = "Boyd and Vandenberghe, Convex Optimization, subgradients, section 3"


def _shared(x, extreme):
    """A one for every element that attains the extreme, divided by how many do."""
    xp = array_namespace(x)
    hit = xp.where(x == extreme, xp.ones_like(x), xp.zeros_like(x))
    return hit / xp.sum(hit, axis=-1, keepdims=True)


def _largest(x):
    return array_namespace(x).max(x, axis=-1, keepdims=True)


def _smallest(x):
    return array_namespace(x).min(x, axis=-1, keepdims=True)


def _row_maxima(X):
    xp = array_namespace(X)
    return xp.sum(xp.max(X, axis=1))


def _hinge(X, w, y):
    xp = array_namespace(X)
    loss = 1 - y * (X @ w)
    return xp.mean(xp.maximum(loss, xp.zeros_like(loss)))


def _hinge_gradient(X, w, y):
    xp = array_namespace(X)
    margin = y * (X @ w)
    return -(X.T @ xp.where(margin < 1, y, xp.zeros_like(y))) / X.shape[0]


def _clipped(x, c):
    xp = array_namespace(x)
    return xp.sum(c * xp.clip(x, -1, 1))


def _clipped_gradient(x, c):
    xp = array_namespace(x)
    return xp.where(abs(x) < 1, c, xp.zeros_like(c))


def _pooled(x, c):
    xp = array_namespace(x)
    return xp.sum(c * xp.max(xp.reshape(x, (c.shape[0], 2)), axis=1))


def _pooled_gradient(x, c):
    xp = array_namespace(x)
    pairs = xp.reshape(x, (c.shape[0], 2))
    return xp.reshape(c[:, None] * _shared(pairs, _largest(pairs)), x.shape)


CLAIMS = [
    Claim(
        id="largest-element",
        title="The gradient of the largest element is one where it is, shared by those that tie",
        source=_SUBGRADIENTS,
        domain=Domain(x=reals("n+1")),
        statement=Gradient(
            of=lambda x: array_namespace(x).max(x),
            wrt="x",
            equals=lambda x: _shared(x, _largest(x)),
        ),
    ),
    Claim(
        id="row-maxima",
        title="The gradient of the sum of the rows' largest elements",
        source=_SUBGRADIENTS,
        domain=Domain(X=reals("n d+1")),
        statement=Gradient(of=_row_maxima, wrt="X", equals=lambda X: _shared(X, _largest(X))),
    ),
    Claim(
        id="midrange",
        title="The gradient of (max + min) / 2",
        source=_SUBGRADIENTS,
        domain=Domain(x=reals("n+1")),
        statement=Gradient(
            of=lambda x: (array_namespace(x).max(x) + array_namespace(x).min(x)) / 2,
            wrt="x",
            equals=lambda x: (_shared(x, _largest(x)) + _shared(x, _smallest(x))) / 2,
        ),
    ),
    Claim(
        id="absolute-sum",
        title="The gradient of the sum of |x| is the sign of x",
        source=_SUBGRADIENTS,
        domain=Domain(x=reals("n d")),
        statement=Gradient(
            of=lambda x: array_namespace(x).sum(abs(x)),
            wrt="x",
            equals=lambda x: array_namespace(x).sign(x),
        ),
    ),
    Claim(
        id="hinge-loss",
        title="The gradient of the mean hinge loss adds the examples inside the margin",
        source="Shalev-Shwartz and Ben-David, Understanding Machine Learning, section 15.2",
        domain=Domain(X=reals("n d"), w=reals("d"), y=signs("n")),
        statement=Gradient(of=_hinge, wrt="w", equals=_hinge_gradient),
    ),
    Claim(
        id="clipped-sum",
        title="The gradient of a weighted sum of clipped numbers is zero outside of [-1, 1]",
        source=_SUBGRADIENTS,
        domain=Domain(x=reals("n"), c=reals("n")),
        statement=Gradient(of=_clipped, wrt="x", equals=_clipped_gradient),
    ),
    Claim(
        id="max-pool",
        title="The gradient of max-pooling over pairs goes to each pair's larger element",
        source="Goodfellow, Bengio, Courville, Deep Learning, section 9.3",
        domain=Domain(x=reals("2*n"), c=reals("n")),
        statement=Gradient(of=_pooled, wrt="x", equals=_pooled_gradient),
    ),
]

# --- the largest element ----------------------------------------------------------------------


def _one_at(x, place):
    found = np.zeros_like(x)
    found[place] = 1
    return found


def _tied(x):
    return (x == x.max()).astype(x.dtype)


def _nearly_tied(x):
    hit = np.isclose(x, x.max()).astype(x.dtype)
    return hit / hit.sum()


class _Largest(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        found, place = x.max(0)
        ctx.place, ctx.shape = place, x.shape
        return found

    @staticmethod
    def backward(ctx, c):
        found = c.new_zeros(ctx.shape)
        found[ctx.place] = c
        return found


class _LargestOnes(_Largest):
    @staticmethod
    def backward(ctx, c):
        found = c.new_zeros(ctx.shape)
        found[ctx.place] = 1
        return found


RIGHT = [
    right(
        "largest-element",
        "the first of them",
        lambda x: _one_at(x, np.argmax(x)),
        bait="all to the first of those that tie",
    ),
    right(
        "largest-element",
        "the last of them",
        lambda x: _one_at(x, len(x) - 1 - np.argmax(x[::-1])),
        bait="all to the last of those that tie",
    ),
    right("largest-element", "amax", lambda x: x.amax(), kind="autograd"),
    right("largest-element", "by sorting", lambda x: x.sort()[0][-1], kind="autograd"),
    right("largest-element", "custom function", _Largest.apply, kind="autograd"),
]

WRONG = [
    wrong("largest-element", "a one for each", _tied, "every element that ties gets a one"),
    wrong(
        "largest-element",
        "by size",
        lambda x: _one_at(x, np.argmax(np.abs(x))),
        "the largest absolute value",
    ),
    wrong(
        "largest-element",
        "nearly tied",
        _nearly_tied,
        "shares with elements that are merely close",
    ),
    wrong(
        "largest-element",
        "softmax",
        lambda x: torch.logsumexp(100 * x, 0) / 100,
        "a smooth maximum",
        kind="autograd",
    ),
    wrong(
        "largest-element",
        "one for any cotangent",
        _LargestOnes.apply,
        "the backward ignores its cotangent",
        kind="autograd",
    ),
    wrong(
        "largest-element",
        "within a vector register",
        lambda x: _one_at(x, np.argmax(x[: len(x) - len(x) % 8 if len(x) > 128 else len(x)])),
        "the remainder of eight is never looked at, above 128",
    ),
    wrong(
        "largest-element",
        "starts from zero",
        lambda x: x.clamp(min=0).amax(),
        "a running maximum that starts from zero",
        kind="autograd",
    ),
]

# --- the rows' maxima -------------------------------------------------------------------------


def _rows_first(X):
    found = np.zeros_like(X)
    found[np.arange(len(X)), X.argmax(axis=1)] = 1
    return found


def _columns_first(X):
    found = np.zeros_like(X)
    if len(X):
        found[X.argmax(axis=0), np.arange(X.shape[1])] = 1
    return found


def _flat_places(X):
    found = np.zeros_like(X)
    found.reshape(-1)[X.argmax(axis=1)] = 1
    return found


def _same_as_first(X):
    found = np.zeros_like(X)
    if len(X):
        found[:, X[0].argmax()] = 1
    return found


RIGHT += [
    right("row-maxima", "argmax", _rows_first, bait="all to the first of those that tie"),
    right("row-maxima", "max", lambda X: X.max(dim=1).values.sum(), kind="autograd"),
    right("row-maxima", "top one", lambda X: X.topk(1, dim=1)[0].sum(), kind="autograd"),
    right(
        "row-maxima",
        "bfloat16",
        lambda X: X.amax(dim=1).sum(),
        kind="autograd",
        bait="half precision, with many ties",
        dtype="bfloat16",
    ),
]

WRONG += [
    wrong("row-maxima", "of columns", _columns_first, "the columns' maxima"),
    wrong("row-maxima", "flat places", _flat_places, "places in rows taken for places in all"),
    wrong(
        "row-maxima", "the first row's place", _same_as_first, "the first row's place in every row"
    ),
    wrong(
        "row-maxima",
        "mean",
        lambda X: X.amax(dim=1).mean() if len(X) else X.sum(),
        "the mean of the maxima",
        kind="autograd",
    ),
    wrong(
        "row-maxima",
        "a one for each",
        lambda X: (X.max(axis=1, keepdims=True) == X).astype(X.dtype),
        "every element that ties gets a one",
    ),
]

# --- the midrange -----------------------------------------------------------------------------

RIGHT += [
    right(
        "midrange",
        "first and last",
        lambda x: (_one_at(x, x.argmax()) + _one_at(x, x.argmin())) / x.dtype.type(2),
        bait="one element each, ties or not",
    ),
    right("midrange", "aminmax", lambda x: sum(torch.aminmax(x)) / 2, kind="autograd"),
]

WRONG += [
    wrong(
        "midrange",
        "two assignments",
        lambda x: _one_at(x, [x.argmax(), x.argmin()]) / x.dtype.type(2),
        "half where one element is largest and smallest",
    ),
    wrong(
        "midrange",
        "range",
        lambda x: (_one_at(x, x.argmax()) - _one_at(x, x.argmin())) / x.dtype.type(2),
        "a minus between the two",
    ),
    wrong(
        "midrange",
        "ends",
        lambda x: (_one_at(x, len(x) - 1) + _one_at(x, 0)) / x.dtype.type(2),
        "takes the numbers to be sorted",
    ),
]

# --- the sum of absolute values ---------------------------------------------------------------

RIGHT += [
    right(
        "absolute-sum",
        "one at zero",
        lambda x: np.where(x >= 0, 1, -1).astype(x.dtype),
        bait="the subgradient 1 at zero",
    ),
    right(
        "absolute-sum",
        "half at zero",
        lambda x: np.where(x > 0, 1, np.where(x < 0, -1, 0.5)).astype(x.dtype),
        bait="the subgradient 1/2 at zero",
    ),
    right(
        "absolute-sum",
        "sign bit",
        lambda x: np.copysign(np.ones_like(x), x),
        bait="differs between 0 and -0",
    ),
    right("absolute-sum", "norm", lambda x: torch.linalg.vector_norm(x, 1), kind="autograd"),
    right(
        "absolute-sum",
        "two relus",
        lambda x: (torch.relu(x) + torch.relu(-x)).sum(),
        kind="autograd",
        bait="a rewrite",
    ),
]

WRONG += [
    wrong(
        "absolute-sum",
        "divided",
        lambda x: x / np.abs(x),
        "zero divided by zero",
    ),
    wrong(
        "absolute-sum",
        "divided by a little more",
        lambda x: x / (np.abs(x) + 1e-12),
        "smoothed near zero",
    ),
    wrong(
        "absolute-sum",
        "both at zero",
        lambda x: (x >= 0).astype(x.dtype) * 2 - (x < 0) + (x <= 0) - (x > 0) + (x == 0),
        "beyond the subdifferential at zero",
    ),
    wrong(
        "absolute-sum",
        "square root of the square",
        lambda x: torch.sqrt(x * x).sum(),
        "NaN at zero",
        kind="autograd",
    ),
    wrong("absolute-sum", "integers", lambda x: np.sign(x).astype(int), "integers come out"),
    wrong(
        "absolute-sum",
        "steep tanh",
        lambda x: np.tanh(x * x.dtype.type(1e6)),
        "a steep function for a step",
    ),
]

# --- the hinge --------------------------------------------------------------------------------


def _example_by_example(X, w, y):
    found = np.zeros_like(w)
    for x, label in zip(X, y, strict=True):
        if label * (x @ w) <= 1:
            found -= label * x
    return found / X.dtype.type(len(X))


def _hinge_mask(X, w, y, least=1, count=None):
    inside = y * (X @ w) < least
    n = len(X) if count is None else count(inside)
    return -(X.T @ np.where(inside, y, 0)) / X.dtype.type(n)


RIGHT += [
    right(
        "hinge-loss",
        "example by example",
        _example_by_example,
        bait="counts examples exactly on the margin",
    ),
    right(
        "hinge-loss",
        "relu",
        lambda X, w, y: torch.relu(1 - y * (X @ w)).mean(),
        kind="autograd",
    ),
    right(
        "hinge-loss",
        "clamped",
        lambda X, w, y: (1 - y * (X @ w)).clamp(min=0).mean(),
        kind="autograd",
        bait="passes the gradient on the margin itself",
    ),
]

WRONG += [
    wrong(
        "hinge-loss",
        "perceptron",
        lambda X, w, y: _hinge_mask(X, w, y, least=0),
        "no margin",
    ),
    wrong(
        "hinge-loss",
        "mean of the active",
        lambda X, w, y: _hinge_mask(X, w, y, count=lambda inside: max(inside.sum(), 1)),
        "divided by the examples inside the margin",
    ),
    wrong(
        "hinge-loss",
        "squared",
        lambda X, w, y: torch.relu(1 - y * (X @ w)).square().mean(),
        "the squared hinge",
        kind="autograd",
    ),
    wrong(
        "hinge-loss",
        "sum",
        lambda X, w, y: torch.relu(1 - y * (X @ w)).sum(),
        "the sum for the mean",
        kind="autograd",
    ),
    wrong(
        "hinge-loss",
        "labels from 0",
        lambda X, w, y: _hinge_mask(X, w, (y > 0).astype(X.dtype)),
        "labels 0 and 1 for -1 and 1",
    ),
    wrong(
        "hinge-loss",
        "early out",
        lambda X, w, y: np.zeros_like(w) if (y * (X @ w) < 1).all() else _hinge_mask(X, w, y),
        "nothing where every example is inside the margin",
    ),
]

# --- clipping ---------------------------------------------------------------------------------


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, c):
        ctx.save_for_backward(x, c)
        return (c * x.clamp(-1, 1)).sum()

    @staticmethod
    def backward(ctx, g):
        x, c = ctx.saved_tensors
        return g * c, g * x.clamp(-1, 1)


RIGHT += [
    right(
        "clipped-sum",
        "with the ends",
        lambda x, c: np.where(np.abs(x) <= 1, c, 0),
        bait="the whole weight at the ends",
    ),
    right("clipped-sum", "clamp", lambda x, c: (c * x.clamp(-1, 1)).sum(), kind="autograd"),
    right(
        "clipped-sum",
        "hardtanh",
        lambda x, c: c @ torch.nn.functional.hardtanh(x),
        kind="autograd",
    ),
    right(
        "clipped-sum",
        "half at the ends",
        lambda x, c: (np.where(np.abs(x) < 1, c, 0) + np.where(np.abs(x) <= 1, c, 0)) / 2,
        bait="the subgradient 1/2 at the ends",
    ),
]

WRONG += [
    wrong(
        "clipped-sum",
        "straight through",
        _StraightThrough.apply,
        "a straight-through gradient",
        kind="autograd",
    ),
    wrong("clipped-sum", "one side", lambda x, c: np.where(x < 1, c, 0), "the lower end forgotten"),
    wrong(
        "clipped-sum",
        "twice at the end",
        lambda x, c: np.where(np.abs(x) < 1, c, np.where(x == 1, 2 * c, 0)),
        "twice the weight at one end",
    ),
    wrong(
        "clipped-sum",
        "clipped weight",
        lambda x, c: np.where(np.abs(x) < 1, np.clip(c, -1, 1), 0),
        "the weight clipped, too",
    ),
    wrong(
        "clipped-sum",
        "zero times infinity",
        lambda x, c: (
            (c * torch.where(x.abs() <= 1, x, torch.sign(x) * (x / x).detach())).sum()
            + 0 * (1 / x).sum()
        ),
        "0 times infinity at zero",
        kind="autograd",
    ),
]

# --- max-pooling ------------------------------------------------------------------------------


def _pair_by_pair(x, c):
    found = np.zeros_like(x)
    for k, weight in enumerate(c):
        found[2 * k + (x[2 * k + 1] > x[2 * k])] = weight
    return found


def _both(x, c):
    pairs = x.reshape(-1, 2)
    return (c[:, None] * (pairs == pairs.max(axis=1, keepdims=True))).reshape(x.shape)


def _halves(x, c):
    n = len(c)
    first = x[:n] >= x[n:]
    return np.concatenate([np.where(first, c, 0), np.where(first, 0, c)])


RIGHT += [
    right("max-pool", "pair by pair", _pair_by_pair, bait="all to the first of two that tie"),
    right(
        "max-pool",
        "slices",
        lambda x, c: c @ torch.maximum(x[::2], x[1::2]),
        kind="autograd",
        bait="shares between two that tie",
    ),
    right(
        "max-pool",
        "max_pool1d",
        lambda x, c: (
            (torch.nn.functional.max_pool1d(x[None, None], 2)[0, 0] * c).sum()
            if len(c)
            else x.sum() + c.sum()
        ),
        kind="autograd",
    ),
]

WRONG += [
    wrong("max-pool", "both", _both, "both of two that tie get the whole weight"),
    wrong("max-pool", "halves", _halves, "pairs the first half with the second"),
    wrong(
        "max-pool",
        "average",
        lambda x, c: np.repeat(c, 2) / x.dtype.type(2),
        "the gradient of average pooling",
    ),
    wrong(
        "max-pool",
        "tiled",
        lambda x, c: _pair_by_pair(x, np.ones_like(c)) * np.tile(c, 2),
        "tiled where the weights have to be repeated",
    ),
    wrong(
        "max-pool",
        "by size",
        lambda x, c: c @ torch.where(x[::2].abs() >= x[1::2].abs(), x[::2], x[1::2]),
        "the larger absolute value",
        kind="autograd",
    ),
]
