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
RIGHT = []
WRONG = []
