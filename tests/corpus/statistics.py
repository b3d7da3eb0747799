"""Statistics of a sample: gradients of variance, deviation, covariance, similarity, mean."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from array_api_compat import array_namespace

from verimath import Claim, Domain, Gradient, composites, distinct, positive, reals

from tests.corpus.case import right, wrong  # isort: skip


def _claim(name, title, source, of, wrt, equals, **inputs):
    return Claim(
        id=name,
        title=title,
        source=source,
        domain=Domain(**inputs),
        statement=Gradient(of=of, wrt=wrt, equals=equals),
    )


def _off(x):
    return x - array_namespace(x).mean(x)


def _deviation(x):
    return array_namespace(x).sqrt(composites.variance(x))


def _covariance(x, y):
    return array_namespace(x).sum(_off(x) * _off(y)) / (x.shape[0] - 1)


def _similarity(a, b):
    return a @ b / (composites.norm(a) * composites.norm(b))


def _similarity_gradient(a, b):
    na, nb = composites.norm(a), composites.norm(b)
    return b / (na * nb) - a * (a @ b) / (na**3 * nb)


def _weighted_mean(x, w):
    xp = array_namespace(x)
    return xp.sum(w * x) / xp.sum(w)


_WALPOLE = "Walpole, Myers, Myers, Ye, Probability and Statistics, "

CLAIMS = [
    _claim(
        "variance",
        "The gradient of the variance over n is 2 (x - mean) / n",
        _WALPOLE + "1.4",
        composites.variance,
        "x",
        lambda x: 2 * _off(x) / x.shape[0],
        x=reals("n", -1000, 1000),
    ),
    _claim(
        "sample-variance",
        "The gradient of the variance over n - 1 is 2 (x - mean) / (n - 1)",
        _WALPOLE + "1.4",
        lambda x: composites.variance(x, correction=1),
        "x",
        lambda x: 2 * _off(x) / (x.shape[0] - 1),
        x=reals("n+2", -1000, 1000),
    ),
    _claim(
        "deviation",
        "The gradient of the standard deviation is (x - mean) / (n s)",
        _WALPOLE + "1.4",
        _deviation,
        "x",
        lambda x: _off(x) / (x.shape[0] * _deviation(x)),
        x=distinct("n+2", -1000, 1000),
    ),
    _claim(
        "covariance",
        "The gradient of the sample covariance in x is (y - mean) / (n - 1)",
        _WALPOLE + "4.2",
        _covariance,
        "x",
        lambda x, y: _off(y) / (y.shape[0] - 1),
        x=reals("n+2", -1000, 1000),
        y=reals("n+2", -1000, 1000),
    ),
    _claim(
        "cosine-similarity",
        "The gradient of the cosine of two vectors in the first",
        "Magnus, Neudecker, Matrix Differential Calculus, 9.9",
        _similarity,
        "a",
        _similarity_gradient,
        a=positive("d+1", 1000),
        b=positive("d+1", 1000),
    ),
    _claim(
        "weighted-mean",
        "The gradient of a weighted mean in the weights is (x - mean) / sum(w)",
        "Bevington, Robinson, Data Reduction and Error Analysis, 4.1",
        _weighted_mean,
        "w",
        lambda x, w: (x - _weighted_mean(x, w)) / array_namespace(w).sum(w),
        x=reals("n+1", -1000, 1000),
        w=positive("n+1", 1000),
    ),
]


def _welford(x):
    mean, total = 0.0, 0.0
    for k, value in enumerate(x.tolist(), 1):
        delta = value - mean
        mean += delta / k
        total += delta * (value - mean)
    return mean, total


def _exact_off(x):
    mean = math.fsum(x.tolist()) / len(x) if len(x) else 0.0
    return np.array([value - mean for value in x.tolist()], dtype=x.dtype)


def _moments(x):
    return (x * x).mean() - x.mean() ** 2


def _pairs(x):
    """The variance as half the mean square of all differences."""
    return ((x[:, None] - x[None, :]) ** 2).mean() / 2


def _pairwise_gradient(x):
    out = np.zeros_like(x)
    for i in range(len(x)):
        out[i] = 2 * np.sum(x[i] - x) / len(x) ** 2
    return out


def _kahan_off(x):
    total = carry = x.dtype.type(0)
    for value in x:
        y = value - carry
        t = total + y
        carry = (t - total) - y
        total = t
    return x - total / x.dtype.type(max(len(x), 1))


def _forgotten_row(x):
    out = 2 * (x - x.mean()) / len(x)
    if len(x) > 4:
        out[4::5] = 0
    return out


def _shift_in_place(x):
    x -= x.mean()
    return 2 * x / len(x)


def _first_as_mean(x):
    return 2 * (x - x[:1]) / len(x)


_last = {}


def _stale_buffer(x):
    out = _last.setdefault((x.shape, x.dtype), np.empty(x.shape, x.dtype))
    np.multiply(2 / len(x), x - x.mean(), out=out)
    return out


def _sorted_gradient(x):
    order = np.sort(x)
    return (2 * (order - order.mean()) / (len(x) - 1)).astype(x.dtype)


def _std_numpy(x, *, n=0, epsilon=0.0, power=1):
    off = x - x.mean()
    s = np.sqrt((off * off).mean())
    return off / ((len(x) - n) * (s**power + epsilon))


class _Deviation(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        s = x.std(correction=0)
        ctx.save_for_backward(x, s)
        return s

    @staticmethod
    def backward(ctx, c):
        x, s = ctx.saved_tensors
        return c * (x - x.mean()) / (len(x) * s)


class _DeviationHalf(_Deviation):
    """Right at a cotangent of one: multiplies by c twice."""

    @staticmethod
    def backward(ctx, c):
        x, s = ctx.saved_tensors
        return c * c * (x - x.mean()) / (len(x) * s)


class _DeviationIntegers(_Deviation):
    @staticmethod
    def forward(ctx, x):
        s = x.std(correction=0)
        ctx.save_for_backward(x, s.detach().clone().round(decimals=6))
        return s


def _cosine(a, b, *, a_only=False, cube=3):
    na, nb = np.sqrt(a @ a), np.sqrt(b @ b)
    return b / (na * nb) - (0 if a_only else 1) * a * (a @ b) / (na**cube * nb)


def _cosine_unit(a, b):
    u, v = a / np.linalg.norm(a), b / np.linalg.norm(b)
    return (v - u * (u @ v)) / np.linalg.norm(a)


def _cosine_loop(a, b):
    dot = math.fsum(x * y for x, y in zip(a.tolist(), b.tolist(), strict=True))
    aa, bb = math.fsum(x * x for x in a.tolist()), math.fsum(x * x for x in b.tolist())
    scale = 1 / math.sqrt(aa) / math.sqrt(bb)
    return np.array(
        [(y - x * dot / aa) * scale for x, y in zip(a.tolist(), b.tolist(), strict=True)],
        dtype=a.dtype,
    )


def _weights_normalised(x, w):
    p = w / w.sum()
    return (x - p @ x) / w.sum()


def _quotient_rule(x, w):
    total = w.sum()
    return (x * total - (w * x).sum()) / total**2


RIGHT = [
    right("variance", "torch", lambda x: x.var(correction=0), kind="autograd"),
    right("variance", "exact mean", lambda x: 2 * _exact_off(x) / len(x), bait="fsum"),
    right("variance", "Kahan", lambda x: 2 * _kahan_off(x) / len(x), bait="compensated"),
    right(
        "variance", "all pairs", _pairs, kind="autograd", bait="half the mean squared difference"
    ),
    right("variance", "pair by pair", _pairwise_gradient, bait="no mean at all"),
    right("sample-variance", "torch", torch.var, kind="autograd", bait="the default n - 1"),
    right("sample-variance", "numpy", lambda x: 2 / (len(x) - 1) * (x - x.mean())),
    right(
        "sample-variance",
        "dot",
        lambda x: (x - x.mean()) @ (x - x.mean()) / (len(x) - 1),
        kind="autograd",
    ),
    right("deviation", "torch", lambda x: x.std(correction=0), kind="autograd"),
    right("deviation", "numpy", _std_numpy),
    right("deviation", "custom Function", _Deviation.apply, kind="autograd"),
    right(
        "covariance", "torch", lambda x, y: torch.cov(torch.stack([x, y]))[0, 1], kind="autograd"
    ),
    right("covariance", "exact mean", lambda x, y: _exact_off(y) / (len(x) - 1), bait="x unused"),
    right(
        "cosine-similarity", "torch", lambda a, b: F.cosine_similarity(a, b, 0, 0), kind="autograd"
    ),
    right("cosine-similarity", "numpy", _cosine),
    right("cosine-similarity", "of unit vectors", _cosine_unit, bait="normalises first"),
    right("cosine-similarity", "loop", _cosine_loop, bait="python floats"),
    right("weighted-mean", "normalised", _weights_normalised, bait="weights normalised first"),
    right(
        "weighted-mean",
        "torch",
        lambda x, w: (w * x).sum() / w.sum(),
        kind="autograd",
    ),
    right(
        "weighted-mean",
        "quotient rule",
        _quotient_rule,
        bait="one quotient over the square",
        dtype=("float64", "float32"),  # in float16: among the wrong ones
    ),
]

WRONG = [
    # Once among the right ones, in every dtype: 0 for 1/258 at x = (1, 0), w = (1, 256).
    wrong(
        "weighted-mean",
        "quotient rule in float16",
        _quotient_rule,
        "the square of the weights' sum overflows in float16",
        dtype="float16",
    ),
    wrong(
        "variance",
        "n - 1",
        lambda x: x.var() if len(x) > 1 else (x * 0).sum(),
        "torch's default n - 1",
        kind="autograd",
    ),
    wrong("variance", "no 2", lambda x: (x - x.mean()) / len(x), "the factor 2"),
    wrong("variance", "off the first", _first_as_mean, "the first element for the mean"),
    wrong("variance", "every fifth", _forgotten_row, "zero at every fifth element"),
    wrong("variance", "in place", _shift_in_place, "centres its input in place"),
    wrong("variance", "buffer", _stale_buffer, "returns the same memory in every call"),
    # Once among the right ones. Its gradient is right, its second derivative 2/n I, where that of
    # the variance is 2/n (I - 11'/n): 2 for 0 at n = 1. A defect by design, section 9.
    wrong(
        "variance",
        "mean detached",
        lambda x: (x - x.mean().detach()).square().mean(),
        "the mean detached: right gradient, wrong second derivative",
        kind="autograd",
    ),
    # Once among the right ones. The rounding error u |y| of the mean meets every x alike, so it is
    # off by u |x| |y| as "moments" is: about 2^20 by 7e-4 and 1e-3, with both centred by 3e-16.
    wrong(
        "covariance",
        "one of two centred",
        lambda x, y: x @ (y - y.mean()) / (len(x) - 1),
        "centres one factor alone, so that the value cancels",
        kind="autograd",
    ),
    wrong("variance", "moments", _moments, "E[x^2] - E[x]^2 cancels in the value", kind="autograd"),
    wrong(
        "variance",
        "chain through the mean",
        lambda x: 2 * (x - x.mean()) / len(x) * (1 - 1 / len(x)),
        "a factor 1 - 1/n from a mean differentiated alone",
    ),
    wrong("sample-variance", "n", lambda x: 2 / len(x) * (x - x.mean()), "n for n - 1"),
    wrong(
        "sample-variance",
        "n - 2",
        lambda x: x.var(correction=2) if len(x) > 2 else x.var(),
        "n - 2 above two",
        kind="autograd",
    ),
    wrong("sample-variance", "sorted", _sorted_gradient, "the gradient in the sorted order"),
    wrong(
        "sample-variance",
        "single",
        lambda x: x.float().var().to(x.dtype),
        "computed in float32",
        kind="autograd",
    ),
    wrong("deviation", "n - 1 outside", lambda x: _std_numpy(x, n=1), "n - 1 in one place"),
    wrong(
        "deviation",
        "epsilon",
        lambda x: _std_numpy(x, epsilon=1e-8),
        "an epsilon beside the deviation",
    ),
    wrong("deviation", "variance", lambda x: _std_numpy(x, power=2), "the variance for its root"),
    wrong(
        "deviation", "c^2", _DeviationHalf.apply, "the cotangent multiplied twice", kind="autograd"
    ),
    wrong(
        "deviation",
        "rounded",
        _DeviationIntegers.apply,
        "the saved deviation rounded to six decimals",
        kind="autograd",
    ),
    wrong("covariance", "n", lambda x, y: (y - y.mean()) / len(y), "n for n - 1"),
    wrong("covariance", "in y", lambda x, y: (x - x.mean()) / (len(x) - 1), "the gradient in y"),
    wrong("covariance", "not centred", lambda x, y: y / (len(y) - 1), "y not centred"),
    wrong(
        "covariance",
        "correlation",
        lambda x, y: (y - y.mean()) / (len(y) - 1) / np.maximum(y.std(), 1),
        "divided by the deviation of y above one",
    ),
    wrong(
        "covariance",
        "reversed",
        lambda x, y: ((y - y.mean()) / (len(y) - 1))[::-1].copy(),
        "in reversed order",
    ),
    wrong(
        "cosine-similarity",
        "epsilon",
        lambda a, b: a @ b / (a.norm() * b.norm() + 1e-6),
        "an epsilon in the denominator",
        kind="autograd",
    ),
    wrong(
        "cosine-similarity",
        "norms held",
        lambda a, b: _cosine(a, b, a_only=True),
        "the norm held constant",
    ),
    wrong(
        "cosine-similarity", "square", lambda a, b: _cosine(a, b, cube=2), "the square for the cube"
    ),
    wrong(
        "cosine-similarity", "in b", lambda a, b: _cosine(b, a), "the gradient in the other vector"
    ),
    wrong(
        "cosine-similarity",
        "sine",
        lambda a, b: _cosine_unit(a, b) * np.linalg.norm(a),
        "not divided by the norm",
    ),
    wrong(
        "cosine-similarity",
        "detached",
        lambda a, b: a @ b / (a.detach().norm() * b.norm()),
        "the norm of a detached",
        kind="autograd",
    ),
    wrong("weighted-mean", "x / sum", lambda x, w: x / w.sum(), "the normaliser held constant"),
    wrong(
        "weighted-mean",
        "plain mean",
        lambda x, w: (x - x.mean()) / w.sum(),
        "the mean without weights",
    ),
    wrong("weighted-mean", "in x", lambda x, w: w / w.sum(), "the gradient in x"),
    wrong(
        "weighted-mean",
        "over n",
        lambda x, w: (w * x).mean(),
        "divided by n, not by the weights",
        kind="autograd",
    ),
    wrong(
        "weighted-mean",
        "first weight",
        lambda x, w: (x - (w * x).sum() / w.sum()) / (w[:1] * len(w)),
        "the first weight times n for the sum",
    ),
]
