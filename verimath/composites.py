"""Named functions of arrays, for formulas and for code: softmax, layer norm, losses, attention.

Each is stated by its mathematical definition and by the orders in which it may be evaluated stably;
the bounds of a claim hold for all of these. Most have a derivative rule of their own, so that steps
read as a person writes them: `tests/test_composites.py` checks every rule against the definition's
derivative. In a claim's formula they become one node of the graph; on numpy arrays they compute the
first order, on torch tensors torch's own function, where it has one.

All take arrays of the array API standard and return arrays of the same kind. The mathematics is
that of Goodfellow, Bengio, Courville, *Deep Learning* (2016), sections 4.1, 6.2 and 8.7; stable
evaluation follows Blanchard, Higham, Higham, *Accurately computing the log-sum-exp and softmax
functions*, IMA J. Numer. Anal. 41 (2021).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_numpy_array

from verimath.errors import UsageError

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Composite:
    """A named function: its definition, the orders it may be evaluated in, its derivative rules.

    `customary` are orders that libraries use although they lose digits somewhere: code that loses
    no more is less accurate, not wrong.

    `reverse(*arrays, y, c, **options)` gives the cotangents of the arrays, `forward(*arrays, y,
    *tangents, **options)` the tangent of y (a tangent may be None). `torch` is a path below
    `torch.nn.functional` or `torch`; `tex` has a # where the arguments go.
    """

    name: str
    definition: Function
    orders: tuple[Function, ...]
    reverse: Function | None = None
    forward: Function | None = None
    torch: str | None = None
    tex: str = ""
    customary: tuple[Function, ...] = ()


def _apply(composite: Composite, *arrays: Any, **options: Any) -> Any:
    hook = getattr(array_namespace(*arrays), "composite", None)
    if hook is not None:
        return hook(composite, arrays, options)
    return composite.orders[0](*arrays, **options)


# --- softmax and its kin ----------------------------------------------------------------------


def _softmax_definition(x: Any, *, axis: int) -> Any:
    xp = array_namespace(x)
    e = xp.exp(x)
    return e / xp.sum(e, axis=axis, keepdims=True)


def _softmax_shifted(x: Any, *, axis: int) -> Any:
    xp = array_namespace(x)
    e = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
    return e / xp.sum(e, axis=axis, keepdims=True)


def _softmax_by_logarithm(x: Any, *, axis: int) -> Any:
    return array_namespace(x).exp(_log_softmax_shifted(x, axis=axis))


def _softmax_reverse(x: Any, y: Any, c: Any, *, axis: int) -> Any:
    return y * (c - array_namespace(y).sum(c * y, axis=axis, keepdims=True))


def _softmax_forward(x: Any, y: Any, t: Any, *, axis: int) -> Any:
    return _softmax_reverse(x, y, t, axis=axis)  # the Jacobian is symmetric


_SOFTMAX = Composite(
    "softmax",
    _softmax_definition,
    (_softmax_shifted, _softmax_by_logarithm),
    _softmax_reverse,
    _softmax_forward,
    "softmax",
)


def softmax(x: Any, *, axis: int = -1) -> Any:
    """exp(x_i) / sum_j exp(x_j) along an axis; of the shape of x."""
    return _apply(_SOFTMAX, x, axis=axis)


def _logsumexp_definition(x: Any, *, axis: int, keepdims: bool) -> Any:
    xp = array_namespace(x)
    return xp.log(xp.sum(xp.exp(x), axis=axis, keepdims=keepdims))


def _logsumexp_shifted(x: Any, *, axis: int, keepdims: bool) -> Any:
    xp = array_namespace(x)
    top = xp.max(x, axis=axis, keepdims=True)
    total = xp.log(xp.sum(xp.exp(x - top), axis=axis, keepdims=True)) + top
    return total if keepdims else xp.squeeze(total, axis)


def _logsumexp_reverse(x: Any, y: Any, c: Any, *, axis: int, keepdims: bool) -> Any:
    return (c if keepdims else array_namespace(c).expand_dims(c, axis=axis)) * softmax(x, axis=axis)


def _logsumexp_forward(x: Any, y: Any, t: Any, *, axis: int, keepdims: bool) -> Any:
    return array_namespace(x).sum(t * softmax(x, axis=axis), axis=axis, keepdims=keepdims)


_LOGSUMEXP = Composite(
    "logsumexp",
    _logsumexp_definition,
    (_logsumexp_shifted,),
    _logsumexp_reverse,
    _logsumexp_forward,
    "logsumexp",
)


def logsumexp(x: Any, *, axis: int = -1, keepdims: bool = False) -> Any:
    """log(sum_j exp(x_j)) along an axis, which is left out unless `keepdims`."""
    return _apply(_LOGSUMEXP, x, axis=axis, keepdims=keepdims)


def _log_softmax_definition(x: Any, *, axis: int) -> Any:
    return x - _logsumexp_definition(x, axis=axis, keepdims=True)


def _log_softmax_shifted(x: Any, *, axis: int) -> Any:
    xp = array_namespace(x)
    off = x - xp.max(x, axis=axis, keepdims=True)
    return off - xp.log(xp.sum(xp.exp(off), axis=axis, keepdims=True))


def _log_softmax_by_sum(x: Any, *, axis: int) -> Any:
    return x - _logsumexp_shifted(x, axis=axis, keepdims=True)


def _log_softmax_reverse(x: Any, y: Any, c: Any, *, axis: int) -> Any:
    return c - softmax(x, axis=axis) * array_namespace(c).sum(c, axis=axis, keepdims=True)


def _log_softmax_forward(x: Any, y: Any, t: Any, *, axis: int) -> Any:
    p = softmax(x, axis=axis)
    return t - array_namespace(x).sum(t * p, axis=axis, keepdims=True)


_LOG_SOFTMAX = Composite(
    "log_softmax",
    _log_softmax_definition,
    (_log_softmax_shifted, _log_softmax_by_sum),
    _log_softmax_reverse,
    _log_softmax_forward,
    "log_softmax",
    r"\log\operatorname{softmax}\left(#\right)",
)


def log_softmax(x: Any, *, axis: int = -1) -> Any:
    """x_i - log(sum_j exp(x_j)) along an axis; of the shape of x."""
    return _apply(_LOG_SOFTMAX, x, axis=axis)


# --- activations ------------------------------------------------------------------------------


def _sigmoid_definition(x: Any) -> Any:
    return 1 / (1 + array_namespace(x).exp(-x))


def _sigmoid_two_sided(x: Any) -> Any:
    xp = array_namespace(x)
    e = xp.exp(-abs(x))
    return xp.where(x >= 0, 1 / (1 + e), e / (1 + e))


# The definition is what libraries compute: exp(-x) may overflow, and 1 - y cancel, on the way.
_SIGMOID = Composite(
    "sigmoid",
    _sigmoid_definition,
    (_sigmoid_two_sided, _sigmoid_definition),
    lambda x, y, c: c * (y * (1 - y)),
    lambda x, y, t: t * (y * (1 - y)),
    "sigmoid",
    r"\sigma\left(#\right)",
)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)), elementwise."""
    return _apply(_SIGMOID, x)


def _softplus_definition(x: Any) -> Any:
    xp = array_namespace(x)
    return xp.log(1 + xp.exp(x))


def _softplus_stable(x: Any) -> Any:
    # max(x, 0) + log1p(exp(-|x|)), in choices: their slopes at zero are those of one side, so that
    # second derivatives by autograd are right there, too.
    xp = array_namespace(x)
    above = x > 0
    return xp.where(above, x, xp.zeros_like(x)) + xp.log1p(xp.exp(xp.where(above, -x, x)))


def _softplus_by_other_side(x: Any) -> Any:
    """As losses on logits compute it, log(exp(0) + exp(x)) as x + log(1 + exp(-x))."""
    return x + _softplus_stable(-x)


# The slope of that order: 1 - sigmoid(-x), as in the gradient sigmoid(z) - t of a loss on logits.
_SOFTPLUS_SLOPE = replace(_SIGMOID, customary=(lambda x: 1 - _sigmoid_two_sided(-x),))
_SOFTPLUS = Composite(
    "softplus",
    _softplus_definition,
    (_softplus_stable,),
    lambda x, y, c: c * _apply(_SOFTPLUS_SLOPE, x),
    lambda x, y, t: t * _apply(_SOFTPLUS_SLOPE, x),
    tex=r"\operatorname{softplus}\left(#\right)",
    customary=(_softplus_by_other_side,),
)


def softplus(x: Any) -> Any:
    """log(1 + exp(x)), elementwise."""
    return _apply(_SOFTPLUS, x)


def relu(x: Any) -> Any:
    """max(x, 0), elementwise; any subgradient counts as right at 0."""
    xp = array_namespace(x)
    return xp.maximum(x, xp.zeros_like(x))


def leaky_relu(x: Any, *, slope: float = 0.01) -> Any:
    """X where x > 0, else `slope` x, elementwise."""
    xp = array_namespace(x)
    return xp.maximum(x, xp.zeros_like(x)) + slope * -xp.maximum(-x, xp.zeros_like(x))


def silu(x: Any) -> Any:
    """X sigmoid(x), elementwise (Ramachandran, Zoph, Le, 2017)."""
    return x * sigmoid(x)


def _erf_numpy(x: Any) -> Any:
    if not is_numpy_array(x):
        raise UsageError(f"erf of a {type(x).__name__}; wanted an array of a library we know")
    return np.asarray(np.frompyfunc(math.erf, 1, 1)(x), dtype=x.dtype)


_ERF = Composite("erf", _erf_numpy, (_erf_numpy,), torch="special.erf")


def erf(x: Any) -> Any:
    """2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x, elementwise."""
    return _apply(_ERF, x)


def gelu(x: Any) -> Any:
    """X (1 + erf(x / sqrt(2))) / 2, elementwise (Hendrycks and Gimpel, 2016)."""
    return x / 2 * (1 + erf(x / math.sqrt(2)))


# --- normalisation ----------------------------------------------------------------------------


def norm(x: Any, *, axis: int = -1, keepdims: bool = False) -> Any:
    """sqrt(sum_j x_j^2) along an axis, which is left out unless `keepdims`."""
    xp = array_namespace(x)
    return xp.sqrt(xp.sum(x * x, axis=axis, keepdims=keepdims))


def variance(x: Any, *, axis: int = -1, correction: int = 0, keepdims: bool = False) -> Any:
    """The mean (over n - correction) of the squared distances from the mean, along an axis."""
    xp = array_namespace(x)
    off = x - xp.mean(x, axis=axis, keepdims=True)
    return xp.sum(off * off, axis=axis, keepdims=keepdims) / (x.shape[axis] - correction)


def standardize(x: Any, *, axis: int = -1, eps: float = 1e-5) -> Any:
    """(x - mean) / sqrt(variance + eps) along an axis: what layer and batch norm start from."""
    xp = array_namespace(x)
    off = x - xp.mean(x, axis=axis, keepdims=True)
    spread = xp.mean(off * off, axis=axis, keepdims=True)
    return off / xp.sqrt(spread + eps)


def layer_norm(x: Any, weight: Any, bias: Any, *, eps: float = 1e-5) -> Any:
    """Standardised along the last axis, then scaled and shifted (Ba, Kiros, Hinton, 2016).

    x of shape (..., d), `weight` and `bias` of shape (d,).
    """
    return standardize(x, axis=-1, eps=eps) * weight + bias


def batch_norm(x: Any, weight: Any, bias: Any, *, eps: float = 1e-5) -> Any:
    """Standardised over the examples, then scaled and shifted (Ioffe and Szegedy, 2015).

    x of shape (n, d), `weight` and `bias` of shape (d,); statistics of this batch.
    """
    return standardize(x, axis=0, eps=eps) * weight + bias


def rms_norm(x: Any, weight: Any, *, eps: float = 1e-6) -> Any:
    """X / sqrt(mean(x^2) + eps) along the last axis, scaled (Zhang and Sennrich, 2019)."""
    xp = array_namespace(x)
    return x / xp.sqrt(xp.mean(x * x, axis=-1, keepdims=True) + eps) * weight


# --- losses and attention ---------------------------------------------------------------------


def mean_squared_error(prediction: Any, target: Any) -> Any:
    """The mean of (prediction - target)^2 over all elements; a 0-d array."""
    return array_namespace(prediction).mean((prediction - target) ** 2)


def cross_entropy(logits: Any, target: Any) -> Any:
    """The mean over rows of -sum_j target_j log softmax(logits)_j; both of shape (n, c)."""
    xp = array_namespace(logits)
    return -xp.sum(target * log_softmax(logits, axis=-1)) / logits.shape[0]


def binary_cross_entropy(logits: Any, target: Any) -> Any:
    """The mean of softplus(z) - target z over all elements z of the logits."""
    return array_namespace(logits).mean(softplus(logits) - target * logits)


def huber(prediction: Any, target: Any, *, delta: float = 1.0) -> Any:
    """The mean of r^2 / 2 where |r| <= delta, else delta (|r| - delta / 2), for the residual r."""
    xp = array_namespace(prediction)
    r = prediction - target
    return xp.mean(xp.where(abs(r) <= delta, r * r / 2, delta * (abs(r) - delta / 2)))


def attention(q: Any, k: Any, v: Any) -> Any:
    """softmax(q k' / sqrt(d)) v (Vaswani et al., 2017, equation 1).

    q of shape (..., n, d), k of shape (..., m, d), v of shape (..., m, e); the result (..., n, e).
    """
    xp = array_namespace(q)
    scores = q @ xp.matrix_transpose(k) / q.shape[-1] ** 0.5
    return softmax(scores, axis=-1) @ v
