"""Losses: their gradients in the prediction or the logits."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from array_api_compat import array_namespace

from verimath import Claim, Domain, Gradient, binary, composites, labels, reals, signs, simplex

from tests.corpus.case import right, wrong  # isort: skip


def _claim(name, title, source, of, wrt, equals, **inputs):
    return Claim(
        id=name,
        title=title,
        source=source,
        domain=Domain(**inputs),
        statement=Gradient(of=of, wrt=wrt, equals=equals),
    )


def _labelled(z, y):
    xp = array_namespace(z)
    picked = xp.take_along_axis(composites.log_softmax(z), y[:, None], axis=1)
    return -xp.sum(picked) / z.shape[0]


def _labelled_gradient(z, y):
    xp = array_namespace(z)
    hot = xp.astype(y[:, None] == xp.arange(z.shape[1]), z.dtype)
    return (composites.softmax(z) - hot) / z.shape[0]


def _absolute(p, t):
    xp = array_namespace(p)
    return xp.mean(abs(p - t))


def _hinge(s, y):
    xp = array_namespace(s)
    slack = xp.maximum(1 - y * s, xp.zeros_like(s))
    return xp.mean(slack**2)


def _hinge_gradient(s, y):
    xp = array_namespace(s)
    return -2 / s.size * y * xp.maximum(1 - y * s, xp.zeros_like(s))


def _divergence(p, q):
    xp = array_namespace(p)
    return xp.sum(p * (xp.log(p) - xp.log(q))) / p.shape[0]


def _log_cosh(p, t):
    """With log cosh r = r + softplus(-2r) - log 2."""
    xp = array_namespace(p)
    return xp.mean(xp.log(xp.cosh(p - t)))


def _focal(z, y):
    """With exponent 2 and labels -1 and 1: (1 - s)^2 softplus(-yz), s the sigmoid of yz."""
    xp = array_namespace(z)
    return xp.mean(composites.sigmoid(-y * z) ** 2 * composites.softplus(-y * z))


def _focal_gradient(z, y):
    q = composites.sigmoid(-y * z)
    p = composites.sigmoid(y * z)
    return -y * q**2 * (2 * p * composites.softplus(-y * z) + q) / z.size


CLAIMS = [
    _claim(
        "cross-entropy",
        "The gradient of the cross entropy of soft labels is (softmax - target) / n",
        "Goodfellow, Bengio, Courville, Deep Learning, 6.2.2.3",
        composites.cross_entropy,
        "z",
        lambda z, t: (composites.softmax(z) - t) / z.shape[0],
        z=reals("n c", -1000, 1000),
        t=simplex("n c"),
    ),
    _claim(
        "cross-entropy-labels",
        "The gradient of the cross entropy of integer labels is (softmax - one hot) / n",
        "Goodfellow, Bengio, Courville, Deep Learning, 6.2.2.3",
        _labelled,
        "z",
        _labelled_gradient,
        z=reals("n c", -1000, 1000),
        y=labels("n", classes="c"),
    ),
    _claim(
        "binary-cross-entropy",
        "The gradient of the binary cross entropy is (sigmoid - target) / size",
        "Goodfellow, Bengio, Courville, Deep Learning, 6.2.2.2",
        composites.binary_cross_entropy,
        "z",
        lambda z, t: (composites.sigmoid(z) - t) / z.size,
        z=reals("n"),
        t=binary("n"),
    ),
    _claim(
        "mean-squared-error",
        "The gradient of the mean squared error is 2 (p - t) / size",
        "Bishop, Pattern Recognition and Machine Learning, 1.1",
        composites.mean_squared_error,
        "p",
        lambda p, t: 2 * (p - t) / p.size,
        p=reals("n d"),
        t=reals("n d"),
    ),
    _claim(
        "mean-absolute-error",
        "The gradient of the mean absolute error is sign(p - t) / size",
        "Boyd, Vandenberghe, Convex Optimization, 6.1.2",
        _absolute,
        "p",
        lambda p, t: array_namespace(p).sign(p - t) / p.size,
        p=reals("n d"),
        t=reals("n d"),
    ),
    _claim(
        "huber",
        "The gradient of the Huber loss is the residual, clipped at 1, over the size",
        "Huber, Robust estimation of a location parameter, 1964",
        composites.huber,
        "p",
        lambda p, t: array_namespace(p).clip(p - t, -1, 1) / p.size,
        p=reals("n"),
        t=reals("n"),
    ),
    _claim(
        "squared-hinge",
        "The gradient of the squared hinge loss is -2 y max(0, 1 - ys) / size",
        "Hastie, Tibshirani, Friedman, The Elements of Statistical Learning, 12.3.2",
        _hinge,
        "s",
        _hinge_gradient,
        s=reals("n"),
        y=signs("n"),
    ),
    _claim(
        "kl-divergence",
        "The gradient of the mean KL divergence of rows in q is -p / (n q)",
        "Cover, Thomas, Elements of Information Theory, 2.3",
        _divergence,
        "q",
        lambda p, q: -p / q / p.shape[0],
        p=simplex("n c", positive=True),
        q=simplex("n c", positive=True),
    ),
    _claim(
        "log-cosh",
        "The gradient of the log-cosh loss is tanh(p - t) / size",
        "Chen, Ho, Liu, Log hyperbolic cosine loss, 2018",
        _log_cosh,
        "p",
        lambda p, t: array_namespace(p).tanh(p - t) / p.size,
        p=reals("n", -300, 300),
        t=reals("n", -300, 300),
    ),
    _claim(
        "focal",
        "The gradient of the focal loss with exponent 2",
        "Lin, Goyal, Girshick, He, Dollar, Focal loss for dense object detection, 2017",
        _focal,
        "z",
        _focal_gradient,
        z=reals("n", -300, 300),
        y=signs("n"),
    ),
]
RIGHT = []
WRONG = []
