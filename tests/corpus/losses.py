"""Losses: their gradients in the prediction or the logits."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from array_api_compat import array_namespace
from torch.autograd.function import once_differentiable

from verimath import Claim, Domain, Gradient, binary, composites, reals, signs, simplex

from tests.corpus.case import right, wrong  # isort: skip


def _claim(name, title, source, of, wrt, equals, **inputs):
    return Claim(
        id=name,
        title=title,
        source=source,
        domain=Domain(**inputs),
        statement=Gradient(of=of, wrt=wrt, equals=equals),
    )


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
        p=reals("n", -40, 40),
        t=reals("n", -40, 40),
    ),
    _claim(
        "focal",
        "The gradient of the focal loss with exponent 2",
        "Lin, Goyal, Girshick, He, Dollar, Focal loss for dense object detection, 2017",
        _focal,
        "z",
        _focal_gradient,
        z=reals("n", -40, 40),
        y=signs("n"),
    ),
]


def _np_softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _np_sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def _soft_by_rows(z, t):
    out = np.empty_like(z)
    for i in range(len(z)):
        top = max(z[i])
        e = [math.exp(float(x) - float(top)) for x in z[i]]
        total = math.fsum(e)
        for j in reversed(range(len(e))):
            out[i, j] = (e[j] / total - float(t[i, j])) / len(z)
    return out


def _of_divergence(z, t):
    z = z.detach().requires_grad_()
    loss = F.kl_div(F.log_softmax(z, dim=1), t, reduction="sum") / max(len(z), 1)
    return torch.autograd.grad(loss, z)[0]


def _soft_unshifted(z, t):
    with np.errstate(all="ignore"):
        e = np.exp(z)
        return (e / e.sum(axis=1, keepdims=True) - t) / len(z)


def _soft_top_of_all(z, t):
    with np.errstate(all="ignore"):
        e = np.exp(z - z.max())
        return (e / e.sum(axis=1, keepdims=True) - t) / len(z)


def _soft_in_place(z, t):
    z -= z.max(axis=1, keepdims=True)
    return (_np_softmax(z) - t) / len(z)


def _soft_shifted_back(z, t):
    top = z.max(axis=1, keepdims=True)
    z -= top
    out = (_np_softmax(z) - t) / len(z)
    z += top
    return out


def _soft_clipped(z, t):
    return -(t * torch.softmax(z, 1).clamp(min=1e-7).log()).sum(1).mean()


class _FusedSoft(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, t):
        logp = F.log_softmax(z, dim=1)
        ctx.save_for_backward(logp, t)
        return -(t * logp).sum() / len(z)

    @staticmethod
    @once_differentiable
    def backward(ctx, c):
        logp, t = ctx.saved_tensors
        return c * (logp.exp() - t) / len(t), None


class _FusedSoftAgain(_FusedSoft):
    @staticmethod
    def backward(ctx, c):
        logp, t = ctx.saved_tensors
        return c * (logp.exp() - t) / len(t), None


class _FusedSoftOne(_FusedSoft):
    @staticmethod
    def backward(ctx, c):
        logp, t = ctx.saved_tensors
        return (logp.exp() - t) / len(t), None


class _FusedSoftSign(_FusedSoft):
    @staticmethod
    def backward(ctx, c):
        logp, t = ctx.saved_tensors
        return c.abs() * (logp.exp() - t) / len(t), None


def _binary_by_number(z, t):
    out = np.empty_like(z)
    for i, (x, target) in enumerate(zip(z.tolist(), t.tolist(), strict=True)):
        low = math.exp(-abs(x))
        q = low / (1 + low)  # the smaller of p and 1 - p
        if target:
            out[i] = -(q if x > 0 else 1 / (1 + low)) / len(z)
        else:
            out[i] = (1 / (1 + low) if x > 0 else q) / len(z)
    return out


def _binary_of_probabilities(z, t):
    return F.binary_cross_entropy(torch.sigmoid(z), t)


def _binary_with_epsilon(z, t):
    s = torch.sigmoid(z)
    return -(t * torch.log(s + 1e-12) + (1 - t) * torch.log(1 - s + 1e-12)).mean()


def _squares_by_column(p, t):
    out = np.empty_like(p)
    for j in range(p.shape[1]):
        out[:, j] = (p[:, j] - t[:, j]) * (2 / p.size)
    return out


def _squares_in_place(p, t):
    p -= t
    p *= 2 / p.size
    return p


def _squares_reordered(p, t):
    r = (p - t).ravel(order="K")
    return (2 / p.size * r).reshape(p.shape)


def _squares_blocks(p, t):
    flat, a, b = np.zeros(p.size, dtype=p.dtype), p.reshape(-1), t.reshape(-1)
    for i in range(0, p.size, 8):
        flat[i : i + 8] = 2 * (a[i : i + 8] - b[i : i + 8]) / p.size
    return flat.reshape(p.shape)


def _squares_into_copy(p, t):
    out = np.zeros_like(p)
    flat, a, b = out.reshape(-1), p.reshape(-1), t.reshape(-1)
    for i in range(0, p.size, 8):
        flat[i : i + 8] = 2 * (a[i : i + 8] - b[i : i + 8]) / p.size
    return out


def _squares_full_blocks(p, t):
    out = 2 * (p - t) / p.size
    if p.size > 8:
        out = out.ravel()
        out[p.size // 8 * 8 :] = 0
    return out.reshape(p.shape)


_calls = []


def _squares_every_other(p, t):
    _calls.append(1)
    return 2 * (p - t) / (p.size + (len(_calls) % 7 == 0))


def _squares_noisy(p, t):
    noise = np.random.default_rng().normal(scale=1e-6, size=p.shape).astype(p.dtype)
    return 2 * (p - t) / p.size * (1 + noise)


def _absolute_ratio(p, t):
    r = p - t
    with np.errstate(all="ignore"):
        return r / np.abs(r) / r.size


def _sign_from_masks(p, t):
    return ((p > t).astype(p.dtype) - (p < t)) / p.dtype.type(max(p.size, 1))


def _huber_one_row(r):
    return np.minimum(1, np.maximum(-1, r)) / r.size


def _huber_divided(p, t):
    r = p - t
    return r / np.maximum(1, np.abs(r)) / r.size


def _huber_dead(p, t):
    r = p - t
    return torch.where(r.abs() <= 1, r * r / 2, r.abs()).mean()


def _pseudo_huber(p, t):
    return (torch.sqrt(1 + (p - t) ** 2) - 1).mean()


def _hinge_by_number(s, y):
    out = np.zeros_like(s)
    for i in range(len(s)):
        if y[i] * s[i] < 1:
            out[i] = 2 * (s[i] - y[i]) / len(s)
    return out


def _focal_by_entropy(z, y):
    ce = F.binary_cross_entropy_with_logits(z, (y + 1) / 2, reduction="none")
    return ((-torch.expm1(-ce)) ** 2 * ce).mean()


def _focal_logsigmoid(z, y):
    return -(torch.sigmoid(-y * z) ** 2 * F.logsigmoid(y * z)).mean()


def _focal_by_number(z, y):
    out = np.empty_like(z)
    for i, (a, b) in enumerate(zip(z.tolist(), y.tolist(), strict=True)):
        low = math.exp(-abs(a))
        small, big = low / (1 + low), 1 / (1 + low)
        p, q = (big, small) if a * b > 0 else (small, big)
        loss = max(-a * b, 0) + math.log1p(low)
        out[i] = -b * q * q * (2 * p * loss + q) / len(z)
    return out


RIGHT = [
    right("cross-entropy", "torch", F.cross_entropy, kind="autograd"),
    right("cross-entropy", "module", torch.nn.CrossEntropyLoss(), kind="autograd"),
    right(
        "cross-entropy",
        "log softmax",
        lambda z, t: -(t * z.log_softmax(1)).sum(1).mean(),
        kind="autograd",
    ),
    right(
        "cross-entropy",
        "logsumexp minus the dot product",
        lambda z, t: (torch.logsumexp(z, 1) - (t * z).sum(1)).mean(),
        kind="autograd",
        bait="uses that the target's rows sum to one",
    ),
    right(
        "cross-entropy", "rows and fsum", _soft_by_rows, bait="compensated sum, reversed writing"
    ),
    right(
        "cross-entropy",
        "through KL",
        _of_divergence,
        kind="torch",
        bait="the gradient of another loss, which differs by a constant",
    ),
    right(
        "cross-entropy",
        "softmax times sum",
        lambda z, t: (_np_softmax(z) * t.sum(axis=1, keepdims=True) - t) / len(z),
        bait="a factor that is one",
    ),
    right("cross-entropy", "custom Function", _FusedSoft.apply, kind="autograd"),
    right(
        "binary-cross-entropy",
        "torch",
        F.binary_cross_entropy_with_logits,
        kind="autograd",
    ),
    right(
        "binary-cross-entropy",
        "of the sign",
        lambda z, t: torch.logaddexp((1 - 2 * t) * z, torch.zeros_like(z)).mean(),
        kind="autograd",
        bait="another function between the targets 0 and 1",
    ),
    right(
        "binary-cross-entropy",
        "number by number",
        _binary_by_number,
        bait="branches on the target, no difference; python floats",
    ),
    right("mean-squared-error", "torch", F.mse_loss, kind="autograd"),
    right("mean-squared-error", "columns", _squares_by_column, bait="loops over columns"),
    right(
        "mean-squared-error",
        "mean of means",
        lambda p, t: ((p - t) ** 2).mean(1).mean(0),
        kind="autograd",
        bait="means of equal groups",
    ),
    right(
        "mean-squared-error",
        "norm",
        lambda p, t: torch.linalg.vector_norm(p - t) ** 2 / max(p.numel(), 1),
        kind="autograd",
        bait="a root that is squared; its slope at 0 is undefined",
    ),
    right("mean-squared-error", "blocks of eight", _squares_blocks, bait="reshaped and blocked"),
    right("mean-absolute-error", "torch", F.l1_loss, kind="autograd"),
    right(
        "mean-absolute-error",
        "minus at ties",
        lambda p, t: np.where(p > t, 1, p.dtype.type(-1)) / p.size,
        bait="the subgradient -1 at ties",
    ),
    right("mean-absolute-error", "masks", _sign_from_masks),
    right(
        "mean-absolute-error",
        "two rectifiers",
        lambda p, t: (F.relu(p - t) + F.relu(t - p)).mean(),
        kind="autograd",
    ),
    right("huber", "torch", F.huber_loss, kind="autograd"),
    right("huber", "smooth l1", F.smooth_l1_loss, kind="autograd", bait="equal for beta = 1 only"),
    right("huber", "minimum and maximum", lambda p, t: _huber_one_row(p - t)),
    right("huber", "over max(1, |r|)", _huber_divided, bait="no branch"),
    right("squared-hinge", "number by number", _hinge_by_number, bait="uses that y^2 is one"),
    right(
        "squared-hinge",
        "torch",
        lambda s, y: (1 - y * s).clamp(min=0).square().mean(),
        kind="autograd",
    ),
    right(
        "kl-divergence",
        "torch",
        lambda p, q: F.kl_div(q.log(), p, reduction="batchmean"),
        kind="autograd",
        bait="swaps the arguments, takes a logarithm of one",
    ),
    right(
        "kl-divergence",
        "log of the ratio",
        lambda p, q: (p * (p / q).log()).sum(1).mean(),
        kind="autograd",
        bait="log(p / q)",
        dtype=("float64", "float32", "bfloat16"),  # in float16: among the wrong ones
    ),
    right(
        "kl-divergence", "numpy", lambda p, q: -(p / len(p)) / q, bait="another order of division"
    ),
    right(
        "log-cosh",
        "sinh / cosh",
        lambda p, t: np.sinh(p - t) / np.cosh(p - t) / p.size,
        bait="a quotient of large numbers",
    ),
    right("focal", "torch", _focal_logsigmoid, kind="autograd"),
    right("focal", "number by number", _focal_by_number, bait="python floats, no difference"),
    right("focal", "of the entropy", _focal_by_entropy, kind="autograd", bait="1 - exp(-ce) for q"),
]

WRONG = [
    wrong("cross-entropy", "unshifted", _soft_unshifted, "NaN where exp overflows"),
    wrong(
        "cross-entropy", "top of all", _soft_top_of_all, "shifted by the maximum of all rows: 0 / 0"
    ),
    wrong("cross-entropy", "no mean", lambda z, t: _np_softmax(z) - t, "the 1/n"),
    wrong(
        "cross-entropy",
        "over classes",
        lambda z, t: (_np_softmax(z) - t) / z.shape[1],
        "divided by the classes",
    ),
    wrong(
        "cross-entropy",
        "columns",
        lambda z, t: F.cross_entropy(z.T, t.T) * z.shape[1] / max(len(z), 1),
        "softmax down the columns",
        kind="autograd",
    ),
    wrong(
        "cross-entropy",
        "twice",
        lambda z, t: F.cross_entropy(torch.softmax(z, 1), t),
        "softmax taken twice",
        kind="autograd",
    ),
    wrong(
        "cross-entropy",
        "smoothed",
        lambda z, t: F.cross_entropy(z, t, label_smoothing=0.01),
        "labels smoothed by one percent",
        kind="autograd",
    ),
    wrong(
        "cross-entropy",
        "hard",
        lambda z, t: F.cross_entropy(z, t.argmax(1)) if z.numel() else z.sum(),
        "soft labels made hard",
        kind="autograd",
    ),
    wrong(
        "cross-entropy",
        "first target",
        lambda z, t: (_np_softmax(z) - t[:1]) / len(z),
        "the first row's target for all",
    ),
    wrong(
        "cross-entropy", "clipped", _soft_clipped, "probabilities clipped at 1e-7", kind="autograd"
    ),
    wrong("cross-entropy", "in place", _soft_in_place, "shifts its input"),
    wrong(
        "cross-entropy", "shifted back", _soft_shifted_back, "shifts its input and back, rounded"
    ),
    wrong(
        "cross-entropy",
        "ignores c",
        _FusedSoftOne.apply,
        "backward ignores the cotangent",
        kind="autograd",
    ),
    wrong(
        "cross-entropy",
        "|c|",
        _FusedSoftSign.apply,
        "backward ignores the cotangent's sign",
        kind="autograd",
    ),
    wrong("cross-entropy", "target down", lambda z, t: (t - _np_softmax(z)) / len(z), "the sign"),
    wrong(
        "cross-entropy",
        "single",
        lambda z, t: (_np_softmax(z.astype(np.float32)) - t).astype(z.dtype) / len(z),
        "softmax in float32",
    ),
    wrong(
        "binary-cross-entropy",
        "of probabilities",
        _binary_of_probabilities,
        "logarithms cut off at -100",
        kind="autograd",
    ),
    wrong(
        "binary-cross-entropy",
        "epsilon",
        _binary_with_epsilon,
        "1e-12 inside the logarithms",
        kind="autograd",
    ),
    wrong("binary-cross-entropy", "sum", lambda z, t: _np_sigmoid(z) - t, "sum for mean"),
    wrong(
        "binary-cross-entropy",
        "clipped",
        lambda z, t: (_np_sigmoid(np.clip(z, -15, 15)) - t) / z.size,
        "logits clipped at 15",
    ),
    wrong(
        "binary-cross-entropy",
        "positive weight",
        lambda z, t: F.binary_cross_entropy_with_logits(z, t, pos_weight=z.new_tensor(2)),
        "positive examples count twice",
        kind="autograd",
    ),
    wrong(
        "binary-cross-entropy",
        "flipped",
        lambda z, t: F.binary_cross_entropy_with_logits(z, 1 - t),
        "targets flipped",
        kind="autograd",
    ),
    wrong(
        "binary-cross-entropy",
        "times the slope",
        lambda z, t: (lambda s: (s - t) * s * (1 - s) / z.size)(_np_sigmoid(z)),
        "the gradient of the squared error's chain rule",
    ),
    wrong(
        "mean-squared-error", "over rows", lambda p, t: 2 * (p - t) / len(p), "divided by the rows"
    ),
    wrong("mean-squared-error", "no 2", lambda p, t: (p - t) / p.size, "the factor 2"),
    wrong(
        "mean-squared-error",
        "in t",
        lambda p, t: 2 * (t - p) / p.size,
        "the gradient in the target",
    ),
    wrong("mean-squared-error", "in place", _squares_in_place, "computes in its input's memory"),
    wrong(
        "mean-squared-error",
        "order K",
        _squares_reordered,
        "ravels in memory order, reshapes in C order",
    ),
    wrong(
        "mean-squared-error",
        "whole blocks",
        _squares_full_blocks,
        "the remainder after blocks of eight left out",
    ),
    wrong(
        "mean-squared-error",
        "counts calls",
        _squares_every_other,
        "another size in every seventh call",
    ),
    wrong("mean-squared-error", "noise", _squares_noisy, "multiplied by noise of 1e-6"),
    wrong(
        "mean-squared-error",
        "expanded",
        lambda p, t: (p * p - 2 * p * t + t * t).mean(),
        "the value cancels",
        kind="autograd",
    ),
    wrong(
        "mean-squared-error",
        "root",
        lambda p, t: torch.sqrt(F.mse_loss(p, t)),
        "the root of the mean",
        kind="autograd",
    ),
    wrong(
        "mean-squared-error",
        "integer mean",
        lambda p, t: 2 * (p - t) * (1 // max(p.size, 1)),
        "1 // size is 0",
    ),
    wrong("mean-absolute-error", "r / |r|", _absolute_ratio, "NaN at ties"),
    wrong(
        "mean-absolute-error",
        "root of the square",
        lambda p, t: torch.sqrt((p - t) ** 2).mean(),
        "NaN at ties, through the root's slope",
        kind="autograd",
    ),
    wrong(
        "mean-absolute-error",
        "epsilon",
        lambda p, t: (p - t) / (np.abs(p - t) + 1e-8) / p.size,
        "an epsilon in the denominator",
    ),
    wrong(
        "mean-absolute-error", "smooth", F.smooth_l1_loss, "quadratic near ties", kind="autograd"
    ),
    wrong(
        "mean-absolute-error",
        "single",
        lambda p, t: (np.sign(p - t) / p.size).astype(np.float32),
        "returns float32",
    ),
    wrong("mean-absolute-error", "sum", lambda p, t: np.sign(p - t), "sum for mean"),
    wrong(
        "mean-absolute-error",
        "2 at ties",
        lambda p, t: (np.sign(p - t) + 2 * (p == t)) / p.size,
        "2 at ties: no subgradient",
    ),
    wrong("huber", "unclipped", lambda p, t: (p - t) / p.size, "quadratic everywhere"),
    wrong(
        "huber",
        "delta 1.35",
        lambda p, t: F.huber_loss(p, t, delta=1.35),
        "delta is 1.35",
        kind="autograd",
    ),
    wrong(
        "huber",
        "beta 2",
        lambda p, t: F.smooth_l1_loss(p, t, beta=2),
        "quadratic part too flat",
        kind="autograd",
    ),
    wrong(
        "huber",
        "no offset",
        _huber_dead,
        "the -1/2 of the outer branch, in the value alone",
        kind="autograd",
    ),
    wrong("huber", "pseudo", _pseudo_huber, "the smooth version", kind="autograd"),
    wrong("huber", "one side", lambda p, t: np.minimum(p - t, 1) / p.size, "clipped above alone"),
    wrong(
        "huber",
        "|p|",
        lambda p, t: np.where(np.abs(p) <= 1, p - t, np.sign(p - t)) / p.size,
        "branches on the prediction, not the residual",
    ),
    wrong(
        "squared-hinge",
        "hinge",
        lambda s, y: np.where(y * s < 1, -y, s.dtype.type(0)) / s.size,
        "the hinge without the square",
    ),
    wrong(
        "squared-hinge",
        "no y",
        lambda s, y: -2 * np.maximum(1 - y * s, 0) / s.size,
        "the chain rule's y",
    ),
    wrong(
        "squared-hinge",
        "no margin",
        lambda s, y: (-y * s).clamp(min=0).square().mean(),
        "the margin 1",
        kind="autograd",
    ),
    wrong("squared-hinge", "everywhere", lambda s, y: 2 * (s - y) / s.size, "no maximum with 0"),
    wrong(
        "squared-hinge",
        "positives",
        lambda s, y: np.where(y > 0, -2 * np.maximum(1 - s, 0), 2 * np.maximum(1 - s, 0)) / s.size,
        "the margin of the negative class",
    ),
    wrong(
        "kl-divergence",
        "mean",
        lambda p, q: F.kl_div(q.log(), p, reduction="mean"),
        "mean over all elements",
        kind="autograd",
    ),
    wrong(
        "kl-divergence",
        "reversed",
        lambda p, q: F.kl_div(p.log(), q, reduction="batchmean"),
        "arguments swapped",
        kind="autograd",
    ),
    # Once among the right ones, in every dtype: at p = 0.9995, q = 2^-11 it gives -inf for -2047.
    wrong(
        "kl-divergence",
        "log of the ratio in float16",
        lambda p, q: (p * (p / q).log()).sum(1).mean(),
        "backward divides by q twice, which overflows in float16",
        kind="autograd",
        dtype="float16",
    ),
    wrong(
        "kl-divergence",
        "no logarithm",
        lambda p, q: F.kl_div(q, p, reduction="batchmean"),
        "q for log q",
        kind="autograd",
    ),
    wrong(
        "kl-divergence",
        "epsilon",
        lambda p, q: -p / (q + 1e-7) / len(p),
        "an epsilon in the denominator",
    ),
    wrong("kl-divergence", "1 - p / q", lambda p, q: (1 - p / q) / len(p), "projected: one added"),
    wrong(
        "kl-divergence", "first row", lambda p, q: -p / q[:1] / len(p), "the first row of q for all"
    ),
    # Once among the right ones: its gradient is s(2d) - s(-2d), as in tanh's "2 sigmoid(2x) - 1".
    wrong(
        "log-cosh",
        "logaddexp",
        lambda p, t: (torch.logaddexp(p - t, t - p) - math.log(2)).mean(),
        "the gradient cancels for small differences: 0 at 1e-17",
        kind="autograd",
    ),
    wrong("log-cosh", "tanh of p", lambda p, t: np.tanh(p) / p.size, "the target forgotten"),
    wrong(
        "log-cosh",
        "tanh of the half",
        lambda p, t: np.tanh((p - t) / 2) / p.size,
        "half the argument",
    ),
    wrong(
        "log-cosh",
        "linear",
        lambda p, t: torch.where(
            (p - t).abs() > 3, (p - t).abs() - math.log(2), torch.cosh(p - t).log()
        ).mean(),
        "linear above 3",
        kind="autograd",
    ),
    wrong(
        "log-cosh",
        "no log 2",
        lambda p, t: torch.logaddexp(p - t, t - p).mean(),
        "off by log 2, in the value alone",
        kind="autograd",
    ),
    wrong(
        "focal",
        "detached",
        lambda z, y: -(torch.sigmoid(-y * z).detach() ** 2 * F.logsigmoid(y * z)).mean(),
        "the modulating factor detached",
        kind="autograd",
    ),
    wrong(
        "focal",
        "gamma 1",
        lambda z, y: -(torch.sigmoid(-y * z) * F.logsigmoid(y * z)).mean(),
        "the exponent 1",
        kind="autograd",
    ),
    wrong(
        "focal",
        "easy ones",
        lambda z, y: -(torch.sigmoid(y * z) ** 2 * F.logsigmoid(y * z)).mean(),
        "weighs the easy examples",
        kind="autograd",
    ),
    wrong(
        "focal",
        "log of the sigmoid",
        lambda z, y: (
            -(
                (1 - torch.sigmoid(y * z)) ** 2 * torch.log(torch.sigmoid(y * z).clamp(min=1e-8))
            ).mean()
        ),
        "a clamp inside the logarithm",
        kind="autograd",
    ),
    wrong(
        "mean-squared-error",
        "into a copy",
        _squares_into_copy,
        "fills a flat copy: zeros_like keeps the order, reshape can't",
    ),
    wrong(
        "cross-entropy",
        "saves an intermediate",
        _FusedSoftAgain.apply,
        "a second derivative is silently zero: not once_differentiable",
        kind="autograd",
    ),
]
