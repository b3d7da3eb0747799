"""Normalisations: the gradient of sum(g f(x)), so that g is the cotangent of f."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from array_api_compat import array_namespace

from verimath import Claim, Domain, Gradient, composites, positive, reals

from tests.corpus.case import right, wrong  # isort: skip


def _claim(name, title, source, value, pulled_back, **inputs):
    """The claimed pull-back of g is the gradient of the weighted sum of a function of x."""

    def weighted(x, g, *more):
        return array_namespace(x).sum(g * value(x, *more))

    return Claim(
        id=name,
        title=title,
        source=source,
        domain=Domain(**inputs),
        statement=Gradient(of=weighted, wrt="x", equals=pulled_back),
    )


def _softmax_back(x, g):
    y = composites.softmax(x)
    return y * (g - array_namespace(x).sum(g * y, axis=1, keepdims=True))


def _log_softmax_back(x, g):
    return g - composites.softmax(x) * array_namespace(x).sum(g, axis=1, keepdims=True)


def _standard_back(x, g, axis, eps):
    """(g - mean(g) - y mean(g y)) / s with y the standardised x and s the spread."""
    xp = array_namespace(x)
    off = x - xp.mean(x, axis=axis, keepdims=True)
    s = xp.sqrt(xp.mean(off**2, axis=axis, keepdims=True) + eps)
    y = off / s
    inner = y * xp.mean(g * y, axis=axis, keepdims=True)
    return (g - xp.mean(g, axis=axis, keepdims=True) - inner) / s


def _rms(x, w):
    return composites.rms_norm(x, w, eps=0.01)


def _rms_back(x, g, w):
    xp = array_namespace(x)
    r = xp.sqrt(xp.mean(x**2, axis=1, keepdims=True) + 0.01)
    return w * g / r - x * xp.mean(w * g * x, axis=1, keepdims=True) / r**3


def _unit(x):
    return x / composites.norm(x, keepdims=True)


def _unit_back(x, g):
    xp = array_namespace(x)
    r = composites.norm(x, keepdims=True)
    y = x / r
    return (g - y * xp.sum(g * y, axis=1, keepdims=True)) / r


_BOOK = "Goodfellow, Bengio, Courville, Deep Learning, "
_X = reals("n d", -8, 8)
_G = reals("n d", -8, 8)

CLAIMS = [
    _claim(
        "softmax",
        "The softmax pulls g back to y (g - sum(g y))",
        _BOOK + "6.2.2.3",
        composites.softmax,
        _softmax_back,
        x=reals("n d", -1000, 1000),
        g=_G,
    ),
    _claim(
        "log-softmax",
        "The log-softmax pulls g back to g - softmax(x) sum(g)",
        _BOOK + "6.2.2.3",
        composites.log_softmax,
        _log_softmax_back,
        x=reals("n d", -1000, 1000),
        g=_G,
    ),
    _claim(
        "log-sum-exp",
        "The gradient of log-sum-exp is the softmax",
        "Blanchard, Higham, Higham, 2021",
        composites.logsumexp,
        lambda x, g: g[:, None] * composites.softmax(x),
        x=reals("n d", -1000, 1000),
        g=reals("n", -8, 8),
    ),
    _claim(
        "layer-norm",
        "The gradient of layer norm in its input",
        "Ba, Kiros, Hinton, Layer normalization, 2016",
        lambda x, w: composites.layer_norm(x, w, 0 * w, eps=0.01),
        lambda x, g, w: _standard_back(x, g * w, 1, 0.01),
        x=_X,
        g=_G,
        w=reals("d", -8, 8),
    ),
    _claim(
        "batch-norm",
        "The gradient of batch norm in its input",
        "Ioffe, Szegedy, Batch normalization, 2015, section 3",
        lambda x, w: composites.batch_norm(x, w, 0 * w, eps=0.01),
        lambda x, g, w: _standard_back(x, g * w, 0, 0.01),
        x=_X,
        g=_G,
        w=reals("d", -8, 8),
    ),
    _claim(
        "rms-norm",
        "The gradient of RMS norm in its input",
        "Zhang, Sennrich, Root mean square layer normalization, 2019",
        _rms,
        _rms_back,
        x=_X,
        g=_G,
        w=reals("d", -8, 8),
    ),
    _claim(
        "unit-norm",
        "The gradient of x / |x| is (g - y (y g)) / |x|",
        "Magnus, Neudecker, Matrix Differential Calculus, 9.9",
        _unit,
        _unit_back,
        x=positive("n d", 1000),
        g=_G,
    ),
]


def _np_softmax(x, axis=1):
    e = np.exp(x - x.max(axis=axis, keepdims=True, initial=-np.inf))
    return e / e.sum(axis=axis, keepdims=True)


def _by_jacobian(x, g):
    out = np.empty_like(x)
    for i, y in enumerate(_np_softmax(x)):
        out[i] = (np.diag(y) - np.outer(y, y)) @ g[i]
    return out


def _without_cross_terms(x, g):
    y = _np_softmax(x)
    return g * y * (1 - y)


def _online_softmax(x, g):
    """One pass with a running maximum, as in flash attention."""
    out = np.empty_like(x)
    for i in range(len(x)):
        top, total, dot = -math.inf, 0.0, 0.0
        for a, b in zip(x[i].tolist(), g[i].tolist(), strict=True):
            new = max(top, a)
            scale, e = math.exp(top - new), math.exp(a - new)
            total, dot, top = total * scale + e, dot * scale + e * b, new
        for j in range(x.shape[1]):
            out[i, j] = math.exp(float(x[i, j]) - top) / total * (float(g[i, j]) - dot / total)
    return out


def _online_unscaled(x, g):
    out = np.empty_like(x)
    for i in range(len(x)):
        top, total, dot = -math.inf, 0.0, 0.0
        for a, b in zip(x[i].tolist(), g[i].tolist(), strict=True):
            new = max(top, a)
            e = math.exp(a - new)
            total, dot, top = total * math.exp(top - new) + e, dot + e * b, new
        for j in range(x.shape[1]):
            out[i, j] = math.exp(float(x[i, j]) - top) / total * (float(g[i, j]) - dot / total)
    return out


class _SoftmaxInPlace(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = torch.softmax(x, 1)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, c):
        (y,) = ctx.saved_tensors
        c.mul_(y)
        return c - y * c.sum(1, keepdim=True)


class _SoftmaxFlat(torch.autograd.Function):
    """Reads the cotangent's memory as if it were contiguous."""

    @staticmethod
    def forward(ctx, x):
        y = torch.softmax(x, 1)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, c):
        (y,) = ctx.saved_tensors
        c = torch.as_strided(c, y.shape, (y.shape[1], 1)) if c.is_non_overlapping_and_dense() else c
        return y * (c - (c * y).sum(1, keepdim=True))


def _summed(function):
    return lambda x, g, *more: (g * function(x, *more)).sum()


def _numpy_norm(x, g, w, *, axis=1, eps=0.01, correction=0, inner=True, mean=True, center=True):
    """Layer or batch norm's gradient with a place for every mistake."""
    n = x.shape[axis]
    off = x - x.mean(axis=axis, keepdims=True)
    s = np.sqrt((off**2).sum(axis=axis, keepdims=True) / (n - correction) + eps)
    y, h = off / s, g * w
    out = h - h.mean(axis=axis, keepdims=True) if mean else h
    if inner:
        out = out - y * (h * y).mean(axis=axis, keepdims=True)
    return out / s if center else out


def _three_terms(x, g, w):
    """The chain rule of Ioffe and Szegedy, through the variance and the mean."""
    n = len(x)
    mu = x.mean(axis=0)
    var = ((x - mu) ** 2).sum(axis=0) / n
    inverse = 1 / np.sqrt(var + x.dtype.type(0.01))
    h = g * w
    dvar = (h * (x - mu)).sum(axis=0) * -(inverse**3) / 2
    dmu = -h.sum(axis=0) * inverse - 2 * dvar * (x - mu).sum(axis=0) / n
    return h * inverse + dvar * 2 * (x - mu) / n + dmu / n


def _one_row_at_a_time(x, g, w):
    out = np.empty_like(x)
    for i in range(len(x)):
        out[i] = _numpy_norm(x[i : i + 1], g[i : i + 1], w)[0]
    return out


def _unbiased_torch(x, w):
    return (x - x.mean(1, keepdim=True)) / torch.sqrt(x.var(1, keepdim=True) + 0.01) * w


def _outside_epsilon(x, w):
    off = x - x.mean(1, keepdim=True)
    return off / (off.square().mean(1, keepdim=True).sqrt() + 0.01) * w


def _moments(x, w):
    """E[x^2] - E[x]^2, shifted by nothing."""
    mu = x.mean(1, keepdim=True)
    var = (x * x).mean(1, keepdim=True) - mu * mu
    return (x - mu) / torch.sqrt(var + 0.01) * w


def _detached_spread(x, w):
    off = x - x.mean(1, keepdim=True)
    return off / torch.sqrt(off.square().mean(1, keepdim=True) + 0.01).detach() * w


def _no_grad_mean(x, w):
    with torch.no_grad():
        mu = x.mean(0)
    return (x - mu) / torch.sqrt((x - mu).square().mean(0) + 0.01) * w


def _torch_batch(x, w):
    mu = x.mean(0)
    return (x - mu) * torch.rsqrt((x - mu).square().mean(0) + 0.01) * w


_running = {}


def _running_mean(x, w):
    old = _running.get(x.shape[1])
    mean = x.mean(0)
    with torch.no_grad():
        _running[x.shape[1]] = mean.detach().clone()
    mu = mean if old is None or old.dtype != x.dtype else 0.999 * mean + 0.001 * old
    return (x - mu) * torch.rsqrt((x - mu).square().mean(0) + 0.01) * w


def _rms_numpy(x, g, w, *, power=3, factor=1):
    r = np.sqrt((x * x).mean(axis=1, keepdims=True) + 0.01)
    return w * g / r - factor * x * (w * g * x).mean(axis=1, keepdims=True) / r**power


def _rms_rows(x, g, w):
    out = np.empty_like(x)
    for i in range(len(x)):
        r = math.sqrt(math.fsum(float(a) ** 2 for a in x[i]) / x.shape[1] + 0.01)
        y = x[i] / r
        h = g[i] * w
        out[i] = (h - y * (h @ y) / x.shape[1]) / r
    return out


def _unit_numpy(x, g):
    r = np.sqrt((x * x).sum(axis=1, keepdims=True))
    return g / r - x * (g * x).sum(axis=1, keepdims=True) / r**3


def _unit_projector(x, g):
    out = np.empty_like(x)
    for i in range(len(x)):
        top = np.abs(x[i]).max(initial=0)
        r = top * np.sqrt(((x[i] / top) ** 2).sum())
        y = x[i] / r
        out[i] = (np.eye(len(y), dtype=x.dtype) - np.outer(y, y)) @ g[i] / r
    return out


def _unit_of_all(x):
    return x / x.norm()


RIGHT = [
    right("softmax", "torch", _summed(lambda x: torch.softmax(x, 1)), kind="autograd"),
    right("softmax", "by Jacobian", _by_jacobian, bait="diag(y) - y y', a full matrix"),
    right("softmax", "online", _online_softmax, bait="a running maximum, rescaled sums"),
    right(
        "softmax",
        "g off its mean",
        lambda x, g: (lambda y, h: y * (h - (y * h).sum(axis=1, keepdims=True)))(
            _np_softmax(x), g - g[:, :1]
        ),
        bait="a constant subtracted from each row of g, which the softmax does not see",
        error_class="normwise",  # the digits of a small g are lost beside the row's first
    ),
    right(
        "softmax",
        "exp of the log-softmax",
        _summed(lambda x: torch.log_softmax(x, 1).exp()),
        kind="autograd",
    ),
    right("log-softmax", "torch", _summed(lambda x: F.log_softmax(x, 1)), kind="autograd"),
    right(
        "log-softmax",
        "x - logsumexp",
        _summed(lambda x: x - x.logsumexp(1, keepdim=True)),
        kind="autograd",
    ),
    right(
        "log-sum-exp",
        "torch",
        lambda x, g: (g * torch.logsumexp(x, 1)).sum(),
        kind="autograd",
    ),
    right(
        "log-sum-exp",
        "shifted, detached",
        lambda x, g: (
            g * (torch.exp(x - x.detach().amax(1, keepdim=True)).sum(1).log() + x.detach().amax(1))
        ).sum(),
        kind="autograd",
        bait="the maximum detached: its derivatives cancel",
    ),
    right(
        "layer-norm",
        "torch",
        lambda x, g, w: (g * F.layer_norm(x, x.shape[1:], w, eps=0.01)).sum(),
        kind="autograd",
    ),
    right("layer-norm", "numpy", _numpy_norm),
    right("layer-norm", "row by row", _one_row_at_a_time),
    right("batch-norm", "three terms", _three_terms, bait="keeps a term that is zero"),
    right("batch-norm", "numpy", lambda x, g, w: _numpy_norm(x, g, w, axis=0)),
    right("batch-norm", "torch", lambda x, g, w: (g * _torch_batch(x, w)).sum(), kind="autograd"),
    right(
        "batch-norm",
        "layer norm of the transpose",
        lambda x, g, w: (g * F.layer_norm(x.T, x.shape[:1], eps=0.01).T * w).sum(),
        kind="autograd",
        bait="layer norm",
    ),
    right("rms-norm", "numpy", _rms_numpy),
    right("rms-norm", "fsum", _rms_rows, bait="exact sums, another order of factors"),
    right(
        "rms-norm",
        "torch",
        lambda x, g, w: (g * F.rms_norm(x, x.shape[1:], w, eps=0.01)).sum(),
        kind="autograd",
    ),
    right("unit-norm", "torch", _summed(lambda x: F.normalize(x, dim=1, eps=0)), kind="autograd"),
    # In float16: among the wrong ones.
    right("unit-norm", "numpy", _unit_numpy, bait="cubes the norm", dtype=("float64", "float32")),
    right("unit-norm", "projector", _unit_projector, bait="scaled by the largest element"),
]

WRONG = [
    # Once among the right ones, in every dtype: 0.0156 for 0 at x = 64.
    wrong(
        "unit-norm",
        "cubes in float16",
        _unit_numpy,
        "the cube of the norm overflows in float16 from 41 on",
        dtype="float16",
    ),
    wrong("softmax", "diagonal", _without_cross_terms, "the Jacobian's diagonal alone"),
    wrong("softmax", "online, unscaled", _online_unscaled, "one of the running sums not rescaled"),
    wrong(
        "softmax",
        "unshifted",
        _summed(lambda x: x.exp() / x.exp().sum(1, keepdim=True)),
        "exp overflows",
        kind="autograd",
    ),
    wrong(
        "softmax",
        "axis 0",
        _summed(lambda x: torch.softmax(x, 0)),
        "down the columns",
        kind="autograd",
    ),
    wrong(
        "softmax",
        "first row",
        _summed(lambda x: torch.softmax(x[:1], 1).expand_as(x)),
        "the first row's softmax for all",
        kind="autograd",
    ),
    wrong(
        "softmax",
        "backward in place",
        _summed(_SoftmaxInPlace.apply),
        "backward changes its cotangent",
        kind="autograd",
    ),
    wrong(
        "softmax",
        "cotangent's memory",
        _summed(_SoftmaxFlat.apply),
        "right for contiguous cotangents alone",
        kind="autograd",
    ),
    wrong(
        "softmax",
        "epsilon",
        lambda x, g: (
            lambda e: (lambda y: y * (g - (g * y).sum(axis=1, keepdims=True)))(
                e / (e.sum(axis=1, keepdims=True) + 1e-8)
            )
        )(np.exp(x - x.max(axis=1, keepdims=True, initial=-np.inf))),
        "an epsilon in the denominator",
    ),
    wrong(
        "log-softmax",
        "log of the softmax",
        _summed(lambda x: torch.softmax(x, 1).log()),
        "logarithm of zero far from the maximum",
        kind="autograd",
    ),
    wrong(
        "log-softmax",
        "g y",
        lambda x, g: g - _np_softmax(x) * (g * _np_softmax(x)).sum(axis=1, keepdims=True),
        "the softmax's sum for the log-softmax's",
    ),
    wrong(
        "log-softmax",
        "no sum",
        lambda x, g: g - _np_softmax(x) * g,
        "g elementwise instead of its sum",
    ),
    wrong(
        "log-softmax",
        "detached",
        _summed(lambda x: x - x.logsumexp(1, keepdim=True).detach()),
        "the normaliser detached",
        kind="autograd",
    ),
    wrong(
        "log-sum-exp",
        "maximum",
        lambda x, g: (g * x.amax(1)).sum() if x.shape[1] else x.sum(),
        "the maximum for the smooth one",
        kind="autograd",
    ),
    wrong(
        "log-sum-exp",
        "mean",
        lambda x, g: (g * (x.logsumexp(1) - math.log(max(x.shape[1], 1)))).sum(),
        "log-mean-exp: wrong in the value alone",
        kind="autograd",
    ),
    wrong(
        "log-sum-exp",
        "ties",
        lambda x, g: g[:, None] * _np_softmax(x + (x == x.max(axis=1, keepdims=True)) * 1e-3),
        "the maximum counts more",
    ),
    wrong(
        "log-sum-exp",
        "no g",
        lambda x, g: _np_softmax(x) * np.sign(g)[:, None],
        "the cotangent's sign alone",
    ),
    wrong(
        "log-sum-exp",
        "shift forgotten",
        lambda x, g: (g * torch.exp(x - x.detach().amax(1, keepdim=True)).sum(1).log()).sum(),
        "the maximum not added back, in the value alone",
        kind="autograd",
    ),
    wrong(
        "layer-norm",
        "no inner term",
        lambda x, g, w: _numpy_norm(x, g, w, inner=False),
        "the variance held constant",
    ),
    wrong(
        "layer-norm",
        "no mean",
        lambda x, g, w: _numpy_norm(x, g, w, mean=False),
        "the mean held constant",
    ),
    wrong(
        "layer-norm",
        "moments",
        lambda x, g, w: (g * _moments(1e4 + x, w)).sum(),
        "E[x^2] - E[x]^2, of shifted data: cancels",
        kind="autograd",
    ),
    wrong(
        "layer-norm",
        "unbiased",
        lambda x, g, w: (g * _unbiased_torch(x, w)).sum(),
        "n - 1 in the variance",
        kind="autograd",
    ),
    wrong(
        "layer-norm",
        "epsilon outside",
        lambda x, g, w: (g * _outside_epsilon(x, w)).sum(),
        "the epsilon added to the root",
        kind="autograd",
    ),
    wrong(
        "layer-norm",
        "epsilon 1e-5",
        lambda x, g, w: (g * F.layer_norm(x, x.shape[1:], w)).sum(),
        "another epsilon",
        kind="autograd",
    ),
    wrong(
        "layer-norm",
        "detached spread",
        lambda x, g, w: (g * _detached_spread(x, w)).sum(),
        "the spread detached",
        kind="autograd",
    ),
    wrong(
        "layer-norm",
        "no weight",
        lambda x, g, w: _numpy_norm(x, g, np.ones_like(w)),
        "the weight forgotten",
    ),
    wrong(
        "layer-norm",
        "weight late",
        lambda x, g, w: _numpy_norm(x, g, np.ones_like(w)) * w,
        "the weight after the means",
    ),
    wrong("layer-norm", "axis 0", lambda x, g, w: _numpy_norm(x, g, w, axis=0), "batch norm"),
    wrong(
        "layer-norm",
        "of all",
        lambda x, g, w: (g * F.layer_norm(x, x.shape, eps=0.01) * w).sum(),
        "statistics of the whole array",
        kind="autograd",
    ),
    wrong(
        "batch-norm",
        "no grad",
        lambda x, g, w: (g * _no_grad_mean(x, w)).sum(),
        "the mean under no_grad",
        kind="autograd",
    ),
    wrong(
        "batch-norm",
        "running",
        lambda x, g, w: (g * _running_mean(x, w)).sum(),
        "a running mean mixed in",
        kind="autograd",
    ),
    wrong(
        "batch-norm",
        "unbiased",
        lambda x, g, w: _numpy_norm(x, g, w, axis=0, correction=1),
        "n - 1 in the variance",
    ),
    wrong(
        "batch-norm",
        "inference",
        lambda x, g, w: g * w / np.sqrt(x.var(axis=0) + 0.01),
        "the statistics held constant",
    ),
    wrong("batch-norm", "axis 1", lambda x, g, w: _numpy_norm(x, g, w, axis=1), "layer norm"),
    wrong(
        "batch-norm",
        "size 1",
        lambda x, g, w: _numpy_norm(x, g, w, axis=0) if len(x) > 1 else g * w,
        "the identity for a batch of one",
    ),
    wrong(
        "rms-norm", "r^2", lambda x, g, w: _rms_numpy(x, g, w, power=2), "the square for the cube"
    ),
    wrong(
        "rms-norm",
        "twice",
        lambda x, g, w: _rms_numpy(x, g, w, factor=2),
        "a factor 2 in the second term",
    ),
    wrong(
        "rms-norm",
        "sum",
        lambda x, g, w: _rms_numpy(x, g, w, factor=x.shape[1]),
        "the sum for the mean",
    ),
    wrong(
        "rms-norm",
        "centred",
        lambda x, g, w: (g * F.layer_norm(x, x.shape[1:], w, eps=0.01)).sum(),
        "centred: layer norm",
        kind="autograd",
    ),
    wrong(
        "rms-norm",
        "1 + w",
        lambda x, g, w: (g * F.rms_norm(x, x.shape[1:], 1 + w, eps=0.01)).sum(),
        "the weight off by one, as in some models",
        kind="autograd",
    ),
    wrong(
        "unit-norm",
        "default epsilon",
        _summed(lambda x: F.normalize(x, dim=1, eps=1e-3)),
        "norms below 1/1000 clamped",
        kind="autograd",
    ),
    wrong(
        "unit-norm",
        "no projection",
        lambda x, g: g / np.sqrt((x * x).sum(axis=1, keepdims=True)),
        "the norm held constant",
    ),
    wrong(
        "unit-norm",
        "l1",
        _summed(lambda x: F.normalize(x, p=1, dim=1, eps=0)),
        "the 1-norm",
        kind="autograd",
    ),
    wrong(
        "unit-norm", "of all", _summed(_unit_of_all), "the norm of the whole array", kind="autograd"
    ),
    wrong(
        "unit-norm",
        "y g y'",
        lambda x, g: (
            (g - x * (g * x).sum(axis=1, keepdims=True))
            / np.sqrt((x * x).sum(axis=1, keepdims=True))
        ),
        "x for the unit vector in the projection",
    ),
    wrong(
        "unit-norm",
        "squared",
        lambda x, g: _unit_numpy(x, g) / np.sqrt((x * x).sum(axis=1, keepdims=True)),
        "divided by the norm twice",
    ),
]
