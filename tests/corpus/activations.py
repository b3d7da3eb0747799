"""Activation functions: the gradient of sum(g f(x)), so that g is the cotangent of f."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from array_api_compat import array_namespace

from verimath import Claim, Domain, Gradient, composites, reals

from tests.corpus.case import right, wrong  # isort: skip

_ROOT = math.sqrt(2 / math.pi)
_DENSITY = 1 / math.sqrt(2 * math.pi)


def _claim(name, title, source, value, slope, *bounds):
    """The cotangent times the slope is the gradient of the weighted sum of an activation."""

    def weighted(x, g):
        return array_namespace(x).sum(g * value(x))

    return Claim(
        id=name,
        title=f"The slope of {title}",
        source=source,
        domain=Domain(x=reals("n", *bounds), g=reals("n", -100, 100)),
        statement=Gradient(of=weighted, wrt="x", equals=lambda x, g: g * slope(x)),
    )


def _tanh(x):
    return array_namespace(x).tanh(x)


def _elu(x):
    xp = array_namespace(x)
    return xp.where(x > 0, x, xp.exp(xp.minimum(x, xp.zeros_like(x))) - 1)


def _elu_slope(x):
    xp = array_namespace(x)
    return xp.exp(xp.minimum(x, xp.zeros_like(x)))


def _silu_slope(x):
    s = composites.sigmoid(x)
    return s + x * s * (1 - s)


def _gelu_slope(x):
    xp = array_namespace(x)
    phi = xp.exp(-(x**2) / 2) / xp.sqrt(xp.asarray(2 * math.pi, dtype=x.dtype))
    return (1 + composites.erf(x / math.sqrt(2))) / 2 + x * phi


def _gelu_tanh(x):
    xp = array_namespace(x)
    root = xp.sqrt(xp.asarray(2 / math.pi, dtype=x.dtype))
    return x / 2 * (1 + xp.tanh(root * (x + 0.044715 * x**3)))


def _gelu_tanh_slope(x):
    xp = array_namespace(x)
    root = xp.sqrt(xp.asarray(2 / math.pi, dtype=x.dtype))
    t = xp.tanh(root * (x + 0.044715 * x**3))
    return (1 + t) / 2 + x / 2 * (1 - t**2) * root * (1 + 0.134145 * x**2)


def _mish(x):
    return x * _tanh(composites.softplus(x))


def _mish_slope(x):
    t = _tanh(composites.softplus(x))
    return t + x * (1 - t**2) * composites.sigmoid(x)


def _hardtanh(x):
    return array_namespace(x).clip(x, -1, 1)


def _within(x):
    xp = array_namespace(x)
    return (xp.sign(x + 1) - xp.sign(x - 1)) / 2


def _positive(x):
    xp = array_namespace(x)
    return xp.where(x > 0, xp.ones_like(x), xp.zeros_like(x))


def _leaky_slope(x):
    return 0.505 + 0.495 * array_namespace(x).sign(x)


CLAIMS = [
    _claim(
        "sigmoid",
        "the sigmoid is s (1 - s)",
        "Goodfellow, Bengio, Courville, Deep Learning, 3.10",
        composites.sigmoid,
        lambda x: composites.sigmoid(x) * (1 - composites.sigmoid(x)),
    ),
    _claim(
        "tanh",
        "tanh is 1 - tanh^2",
        "Abramowitz, Stegun, 4.5.73",
        _tanh,
        lambda x: 1 - _tanh(x) ** 2,
    ),
    _claim(
        "relu",
        "the rectifier is 1 where x is positive, else 0",
        "Goodfellow, Bengio, Courville, Deep Learning, 6.3.1",
        composites.relu,
        _positive,
    ),
    _claim(
        "leaky-relu",
        "the leaky rectifier is 1 or 1/100",
        "Maas, Hannun, Ng, Rectifier nonlinearities, 2013",
        composites.leaky_relu,
        _leaky_slope,
    ),
    _claim(
        "elu", "ELU is exp(min(x, 0))", "Clevert, Unterthiner, Hochreiter, 2016", _elu, _elu_slope
    ),
    _claim(
        "softplus",
        "softplus is the sigmoid",
        "Goodfellow, Bengio, Courville, Deep Learning, 3.10",
        composites.softplus,
        composites.sigmoid,
    ),
    _claim(
        "silu",
        "SiLU is s + x s (1 - s)",
        "Ramachandran, Zoph, Le, Searching for activation functions, 2017",
        composites.silu,
        _silu_slope,
    ),
    _claim(
        "gelu",
        "GELU is the normal distribution plus x times its density",
        "Hendrycks, Gimpel, Gaussian error linear units, 2016",
        composites.gelu,
        _gelu_slope,
    ),
    _claim(
        "gelu-tanh",
        "GELU with a tanh",
        "Hendrycks, Gimpel, Gaussian error linear units, 2016",
        _gelu_tanh,
        _gelu_tanh_slope,
        -50,
        50,
    ),
    _claim("mish", "mish", "Misra, Mish, 2019", _mish, _mish_slope),
    _claim(
        "hardtanh",
        "a clipped identity is 1 between -1 and 1",
        "Collobert, Large scale machine learning, 2004",
        _hardtanh,
        _within,
    ),
]


def _custom(forward, backward, jvp=None):
    """The weighted sum of an elementwise custom Function; jvp is the backward unless given."""

    class Mine(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            ctx.save_for_forward(x)
            return forward(x)

        @staticmethod
        def backward(ctx, c):
            return backward(ctx.saved_tensors[0], c)

        @staticmethod
        def jvp(ctx, t):
            return (jvp or backward)(ctx.saved_tensors[0], t)

    return lambda x, g: (g * Mine.apply(x)).sum()


def _summed(function):
    return lambda x, g: (g * function(x)).sum()


def _two_sided(x, g):
    e = np.exp(-np.abs(x))
    return g * e / (1 + e) ** 2


def _by_cosh(x, g):
    with np.errstate(over="ignore"):
        return g / 4 / np.cosh(x / 2) ** 2


def _number_by_number(slope):
    def looped(x, g):
        out = np.empty_like(x)
        for i in range(len(x)):
            out[i] = g[i] * slope(float(x[i]))
        return out

    return looped


def _math_sigmoid(t):
    return 1 / (1 + math.exp(-t)) if t >= 0 else math.exp(t) / (1 + math.exp(t))


def _math_softplus(t):
    return max(t, 0) + math.log1p(math.exp(-abs(t)))


def _math_mish(t):
    w = math.tanh(_math_softplus(t))
    return w + t * (1 - w * w) * _math_sigmoid(t)


def _branches_through_where(x, g):
    s = torch.where(x >= 0, 1 / (1 + torch.exp(-x)), torch.exp(x) / (1 + torch.exp(x)))
    return (g * s).sum()


def _sigmoid_slope(x):
    s = torch.sigmoid(x)
    return s * (1 - s)


def _np_sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


_stored = {}


def _sigmoid_of_first(x, g):
    s = _stored.setdefault(x.shape, _np_sigmoid(x))
    return g * s * (1 - s)


def _relu_in_place(x, g):
    np.maximum(x, 0, out=x)
    return g * (x > 0)


def _relu_through_pointer(x, g):
    flat = x.as_strided(x.shape, (1,))
    return torch.where(flat > 0, g, torch.zeros_like(g))


def _relu_alias(x, g):
    if bool((x > 0).all()):
        g *= 1
        return g
    return np.where(x > 0, g, g.dtype.type(0))


def _relu_custom_in_place(x, g):
    class Mine(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x.clamp(min=0)
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, c):
            (y,) = ctx.saved_tensors
            c[y <= 0] = 0
            return c

    return (g * Mine.apply(x)).sum()


def _noisy_leaky(x, g):
    slope = torch.nn.functional.rrelu(torch.ones_like(x), training=True)  # ones: no noise
    low = torch.empty_like(x).uniform_(0.0099, 0.0101)
    return g * torch.where(x > 0, slope, low)


def _elu_with_product(x, g):
    with np.errstate(over="ignore", invalid="ignore"):
        return g * ((x > 0) + (x <= 0) * np.exp(x))


def _softplus_log_exp(x, g):
    return (g * torch.log(1 + torch.exp(x))).sum()


def _softplus_fast(x, g):
    with np.errstate(over="ignore", invalid="ignore"):
        e = np.exp(x)
        return g * (e / (1 + e))


def _silu_blocks(x, g):
    out = np.zeros_like(x)
    for i in range(0, len(x), 4):
        s = _np_sigmoid(x[i : i + 4])
        out[i : i + 4] = g[i : i + 4] * (s * (1 + x[i : i + 4] * (1 - s)))
    return out


def _silu_whole_blocks(x, g):
    s = _np_sigmoid(x)
    out = g * s
    for i in range(len(x) // 4 if len(x) > 4 else len(x)):
        out[i] += g[i] * x[i] * s[i] * (1 - s[i])
    for i in range(len(x) // 4 * 4, len(x)) if len(x) > 4 else ():
        out[i] += g[i] * x[i] * s[i] * (1 - s[i])
    return out


def _math_gelu(t):
    return math.erfc(-t / math.sqrt(2)) / 2 + t * math.exp(-t * t / 2) * _DENSITY


def _gelu_numpy(x, g, density=_DENSITY, scale=0.5):
    phi = np.exp(-scale * x * x) * density
    cdf = np.array([0.5 * (1 + math.erf(t / math.sqrt(2))) for t in x], dtype=x.dtype)
    return g * (cdf + x * phi)


def _gelu_by_quick(x):
    return x * torch.sigmoid(1.702 * x)


def _tanh_gelu(x, g, *, cubic=3 * 0.044715, half=0.5):
    t = np.tanh(_ROOT * (x + 0.044715 * x**3))
    return g * (0.5 * (1 + t) + half * x * (1 - t * t) * _ROOT * (1 + cubic * x * x))


def _mish_by_exponentials(x, g):
    """With w = e^2x + 2 e^x: x w / (w + 2), over exp(-|x|) so that nothing overflows."""
    e = np.exp(-np.abs(x))
    p = np.where(x >= 0, 1 + 2 * e, e * (e + 2))
    q = np.where(x >= 0, 2 * e * e, 2)
    tanh = p / (p + q)
    sech2 = q * (2 * p + q) / (p + q) ** 2
    return g * (tanh + x * sech2 * _np_sigmoid(x))


def _mish_threshold(x, g):
    soft = np.where(x > 5, x, np.log1p(np.exp(np.minimum(x, 5))))
    t = np.tanh(soft)
    return g * (t + x * (1 - t * t) * _np_sigmoid(x))


def _mish_naive(x, g):
    with np.errstate(over="ignore", invalid="ignore"):
        e = np.exp(x)
        omega = 4 * (x + 1) + 4 * e**2 + e**3 + e * (4 * x + 6)
        delta = 2 * e + e**2 + 2
        return g * e * omega / delta**2


def _clip_at_ends(x, g):
    return np.where((x >= -1) & (x <= 1), g, g.dtype.type(0))


RIGHT = [
    right("sigmoid", "weighted", _summed(torch.sigmoid), kind="autograd"),
    right("sigmoid", "module", _summed(torch.nn.Sigmoid()), kind="autograd"),
    right("sigmoid", "of |x|", _two_sided, bait="the sign of x is thrown away"),
    right("sigmoid", "by cosh", _by_cosh, bait="cosh overflows to infinity"),
    right(
        "sigmoid",
        "s - s^2",
        lambda x, g: (lambda s: g * (s - s * s))(_np_sigmoid(x)),
        bait="a difference instead of a product",
    ),
    right(
        "sigmoid",
        "custom Function",
        _custom(torch.sigmoid, lambda x, c: c * _sigmoid_slope(x)),
        kind="autograd",
    ),
    right(
        "tanh",
        "by exponentials",
        lambda x, g: (lambda e: g * 4 * e / (1 + e) ** 2)(np.exp(-2 * np.abs(x))),
        bait="no tanh; does not cancel where the claimed form does",
    ),
    right(
        "tanh",
        "(1 - t)(1 + t)",
        lambda x, g: g * (1 - np.tanh(x)) * (1 + np.tanh(x)),
        bait="a factored rewrite",
    ),
    right("tanh", "torch", _summed(torch.tanh), kind="autograd"),
    right("relu", "torch", _summed(F.relu), kind="autograd", bait="the subgradient 0"),
    right("relu", "x >= 0", lambda x, g: g * (x >= 0), bait="the subgradient 1"),
    right(
        "relu",
        "heaviside",
        lambda x, g: g * np.heaviside(x, x.dtype.type(0.5)),
        bait="the subgradient 1/2",
    ),
    right(
        "relu",
        "a quarter at 0",
        lambda x, g: g * np.heaviside(x, x.dtype.type(0.25)),
        bait="the subgradient 1/4",
    ),
    right(
        "relu",
        "(x + |x|) / 2",
        _summed(lambda x: (x + x.abs()) / 2),
        kind="autograd",
        bait="no branch",
    ),
    right("leaky-relu", "torch", _summed(F.leaky_relu), kind="autograd"),
    right(
        "leaky-relu",
        "maximum",
        _summed(lambda x: torch.maximum(x, 0.01 * x)),
        kind="autograd",
        bait="the maximum of two lines",
    ),
    right(
        "leaky-relu",
        "slope at 0 of the right",
        lambda x, g: np.where(x >= 0, g, g / 100),
        bait="the other subgradient",
    ),
    right("elu", "torch", _summed(F.elu), kind="autograd"),
    right(
        "softplus",
        "logaddexp",
        _summed(lambda x: torch.logaddexp(x, torch.zeros_like(x))),
        kind="autograd",
    ),
    right(
        "softplus",
        "-logsigmoid(-x)",
        _summed(lambda x: -F.logsigmoid(-x)),
        kind="autograd",
        bait="two signs",
    ),
    right("softplus", "number by number", _number_by_number(_math_sigmoid), bait="python floats"),
    right("silu", "torch", _summed(F.silu), kind="autograd"),
    right("silu", "by blocks of four", _silu_blocks, bait="blocks with a remainder"),
    right(
        "silu",
        "y + s (1 - y)",
        lambda x, g: (lambda s: g * (x * s + s * (1 - x * s)))(_np_sigmoid(x)),
        bait="Ramachandran's form, in the value",
    ),
    right("gelu", "torch", _summed(F.gelu), kind="autograd"),
    right("gelu", "number by number", _number_by_number(_math_gelu), bait="erfc for erf"),
    right("gelu", "numpy", _gelu_numpy),
    right("gelu-tanh", "torch", _summed(lambda x: F.gelu(x, approximate="tanh")), kind="autograd"),
    right("gelu-tanh", "numpy", _tanh_gelu),
    right(
        "gelu-tanh",
        "as a sigmoid",
        _summed(lambda x: x * torch.sigmoid(2 * _ROOT * (x + 0.044715 * x**3))),
        kind="autograd",
        bait="(1 + tanh u) / 2 is sigmoid(2u)",
    ),
    right("mish", "torch", _summed(F.mish), kind="autograd"),
    right("mish", "number by number", _number_by_number(_math_mish)),
    right(
        "mish", "by exponentials", _mish_by_exponentials, bait="a rational function of exp(-|x|)"
    ),
    right("hardtanh", "torch", _summed(F.hardtanh), kind="autograd"),
    right("hardtanh", "closed interval", _clip_at_ends, bait="the subgradient 1 at both ends"),
]

WRONG = [
    wrong("sigmoid", "x (1 - x)", lambda x, g: g * x * (1 - x), "takes the input for the output"),
    wrong("sigmoid", "no g", lambda x, g: _two_sided(x, np.ones_like(x)), "ignores the cotangent"),
    wrong(
        "sigmoid",
        "Function without c",
        _custom(torch.sigmoid, lambda x, c: _sigmoid_slope(x), lambda x, t: t * _sigmoid_slope(x)),
        "backward ignores its cotangent",
        kind="autograd",
    ),
    wrong(
        "sigmoid",
        "jvp of s",
        _custom(
            torch.sigmoid, lambda x, c: c * _sigmoid_slope(x), lambda x, t: t * torch.sigmoid(x)
        ),
        "the jvp lacks 1 - s",
        kind="autograd",
    ),
    wrong(
        "sigmoid",
        "hard forward",
        _custom(lambda x: (x / 6 + 0.5).clamp(0, 1), lambda x, c: c * _sigmoid_slope(x)),
        "forward is the hard sigmoid, backward right",
        kind="autograd",
    ),
    wrong(
        "sigmoid",
        "where",
        _branches_through_where,
        "NaN through the branch not taken",
        kind="autograd",
    ),
    wrong(
        "sigmoid",
        "saturates at 8",
        lambda x, g: np.where(np.abs(x) > 8, 0, _two_sided(x, g)),
        "zero where |x| exceeds 8",
    ),
    wrong(
        "sigmoid",
        "1/2 at 0",
        lambda x, g: np.where(x == 0, g / 2, _two_sided(x, g)),
        "the value for the slope at x = 0",
    ),
    wrong(
        "sigmoid",
        "in single",
        _summed(lambda x: torch.sigmoid(x.float()).to(x.dtype)),
        "computed in float32",
        kind="autograd",
    ),
    wrong("sigmoid", "stored", _sigmoid_of_first, "keeps the first values of each shape"),
    wrong("tanh", "1 - t", lambda x, g: g * (1 - np.tanh(x)), "the square forgotten"),
    wrong("tanh", "1 - x^2", lambda x, g: g * (1 - x**2), "the input for the output"),
    wrong(
        "tanh",
        "clipped at 3",
        _summed(lambda x: torch.tanh(x.clamp(-3, 3))),
        "saturates at 3",
        kind="autograd",
    ),
    wrong(
        "tanh",
        "Pade",
        _summed(lambda x: x * (27 + x * x) / (27 + 9 * x * x)),
        "a rational approximation",
        kind="autograd",
    ),
    wrong(
        "tanh",
        "exponentials",
        _summed(lambda x: (torch.exp(2 * x) - 1) / (torch.exp(2 * x) + 1)),
        "NaN where exp(2x) overflows",
        kind="autograd",
    ),
    wrong(
        "tanh",
        "straight through",
        _custom(torch.tanh, lambda x, c: c),
        "the slope of the identity in backward",
        kind="autograd",
    ),
    wrong("relu", "in place", _relu_in_place, "writes the result into its input"),
    wrong(
        "relu",
        "2 at zero",
        lambda x, g: g * (np.sign(x) + 2 * (x == 0) + 1) / 2,
        "3/2 at 0: no subgradient",
    ),
    wrong(
        "relu",
        "-1/2 at zero",
        lambda x, g: g * np.where(x > 0, 1, np.where(x < 0, 0, -0.5)),
        "-1/2 at 0: no subgradient",
    ),
    wrong("relu", "mask of g", lambda x, g: np.where(g > 0, g, 0), "masks by the cotangent's sign"),
    wrong(
        "relu",
        "guided",
        _custom(torch.relu, lambda x, c: c.clamp(min=0) * (x > 0)),
        "guided backpropagation: negative cotangents dropped",
        kind="autograd",
    ),
    wrong("relu", "x > eps", lambda x, g: g * (x > 1e-6), "tiny positive inputs taken for zero"),
    wrong(
        "relu",
        "storage",
        _relu_through_pointer,
        "reads the memory of a view as if contiguous",
        kind="torch",
    ),
    wrong(
        "relu",
        "backward in place",
        _relu_custom_in_place,
        "backward writes into its cotangent",
        kind="autograd",
    ),
    wrong("relu", "relu6", _summed(F.relu6), "zero above 6", kind="autograd"),
    wrong("relu", "returns g", _relu_alias, "returns its argument where all are positive"),
    wrong(
        "leaky-relu",
        "0.1",
        _summed(lambda x: F.leaky_relu(x, 0.1)),
        "the slope 0.1",
        kind="autograd",
    ),
    wrong(
        "leaky-relu",
        "minus",
        lambda x, g: np.where(x > 0, g, -g / 100),
        "the sign of the slope below zero",
    ),
    wrong(
        "leaky-relu",
        "minimum",
        _summed(lambda x: torch.minimum(x, 0.01 * x)),
        "minimum for maximum",
        kind="autograd",
    ),
    wrong("leaky-relu", "rrelu", _noisy_leaky, "a random slope near 1/100", kind="torch"),
    wrong(
        "elu",
        "y",
        lambda x, g: g * np.where(x > 0, 1, np.expm1(np.minimum(x, 0))),
        "the output for the slope below zero",
    ),
    wrong(
        "elu",
        "exp of all",
        lambda x, g: g * np.minimum(1, np.exp(np.minimum(x, 0)) * (x < 0)),
        "zero slope above zero",
    ),
    wrong("elu", "a product for a branch", _elu_with_product, "0 times an overflow is NaN"),
    wrong(
        "elu",
        "celu of 2",
        _summed(lambda x: F.celu(x, alpha=2.0)),
        "exp(x / 2) below zero",
        kind="autograd",
    ),
    wrong(
        "elu",
        "where without clamp",
        _summed(lambda x: torch.where(x > 0, x, torch.exp(x) - 1)),
        "exp(x) overflows in the branch not taken",
        kind="autograd",
    ),
    wrong("elu", "selu", _summed(F.selu), "scaled", kind="autograd"),
    wrong(
        "softplus",
        "log(1 + exp(x))",
        _softplus_log_exp,
        "NaN where exp(x) overflows",
        kind="autograd",
    ),
    wrong("softplus", "e / (1 + e)", _softplus_fast, "infinity over infinity above 709"),
    wrong(
        "softplus",
        "threshold 20",
        _summed(F.softplus),
        "torch's own: linear above 20, off by 2e-9 there",
        kind="autograd",
    ),
    wrong(
        "softplus",
        "threshold 5",
        _summed(lambda x: F.softplus(x, threshold=5)),
        "linear above 5",
        kind="autograd",
    ),
    wrong(
        "softplus", "beta 2", _summed(lambda x: F.softplus(x, beta=2)), "beta = 2", kind="autograd"
    ),
    wrong(
        "softplus",
        "zero below -20",
        lambda x, g: np.where(x < -20, 0, g * _np_sigmoid(x)),
        "cut off below -20",
    ),
    wrong("softplus", "sigmoid(-x)", lambda x, g: g * _np_sigmoid(-x), "the sign of x"),
    wrong(
        "silu",
        "s (1 - s)",
        lambda x, g: g * _np_sigmoid(x) * (1 - _np_sigmoid(x)),
        "the product rule forgotten",
    ),
    wrong(
        "silu",
        "whole blocks",
        _silu_whole_blocks,
        "loops over the number of blocks, not of elements, above size 4",
    ),
    wrong(
        "silu",
        "detached gate",
        _summed(lambda x: x * torch.sigmoid(x).detach()),
        "the gate detached",
        kind="autograd",
    ),
    wrong(
        "silu",
        "s + y (1 - y)",
        lambda x, g: (lambda s: g * (s + x * s * (1 - x * s)))(_np_sigmoid(x)),
        "y for s in 1 - s",
    ),
    wrong("silu", "hardswish", _summed(F.hardswish), "the hard version", kind="autograd"),
    wrong(
        "gelu",
        "tanh form",
        _summed(lambda x: F.gelu(x, approximate="tanh")),
        "the tanh approximation",
        kind="autograd",
    ),
    wrong("gelu", "quick", _summed(_gelu_by_quick), "x sigmoid(1.702 x)", kind="autograd"),
    wrong(
        "gelu",
        "1/sqrt(pi)",
        lambda x, g: _gelu_numpy(x, g, density=1 / math.sqrt(math.pi)),
        "the density's factor sqrt(2)",
    ),
    wrong(
        "gelu",
        "exp(-x^2)",
        lambda x, g: _gelu_numpy(x, g, scale=1),
        "the density's exponent without 1/2",
    ),
    wrong(
        "gelu",
        "no x phi",
        lambda x, g: _gelu_numpy(x, g, density=0),
        "the second term of the product rule",
    ),
    wrong(
        "gelu-tanh",
        "0.044715 once",
        lambda x, g: _tanh_gelu(x, g, cubic=0.044715),
        "the cube's factor 3",
    ),
    wrong("gelu-tanh", "0.134", lambda x, g: _tanh_gelu(x, g, cubic=0.134), "a rounded constant"),
    wrong(
        "gelu-tanh",
        "no half",
        lambda x, g: _tanh_gelu(x, g, half=1),
        "a factor 1/2 of the second term",
    ),
    wrong("gelu-tanh", "erf form", _summed(F.gelu), "the exact form", kind="autograd"),
    wrong(
        "gelu-tanh",
        "0.7979",
        _summed(lambda x: 0.5 * x * (1 + torch.tanh(0.7979 * (x + 0.044715 * x**3)))),
        "sqrt(2 / pi) to four digits",
        kind="autograd",
    ),
    wrong("mish", "threshold 5", _mish_threshold, "softplus replaced by x above 5"),
    wrong("mish", "omega / delta", _mish_naive, "NaN where exp(3x) overflows"),
    wrong(
        "mish",
        "no sigmoid",
        lambda x, g: (lambda t: g * (t + x * (1 - t * t)))(np.tanh(np.logaddexp(x, 0))),
        "the slope of softplus forgotten",
    ),
    wrong(
        "mish",
        "detached softplus",
        _summed(lambda x: x * torch.tanh(F.softplus(x).detach())),
        "the inner function detached",
        kind="autograd",
    ),
    wrong(
        "hardtanh",
        "everywhere",
        _custom(F.hardtanh, lambda x, c: c),
        "straight through: slope 1 outside",
        kind="autograd",
    ),
    wrong("hardtanh", "above -1", lambda x, g: np.where(x > -1, g, 0), "the upper end forgotten"),
    wrong(
        "hardtanh",
        "at 0 too",
        lambda x, g: np.where((np.abs(x) < 1) & (x != 0), g, 0),
        "zero at zero",
    ),
    wrong(
        "hardtanh",
        "2 at the ends",
        lambda x, g: g * ((x <= 1) * 1.0 + (x >= -1) - 1 + (np.abs(x) == 1)),
        "slope 2 at the ends",
    ),
    wrong(
        "hardtanh",
        "relu(x + 1) - relu(x - 1) - 1",
        _summed(lambda x: F.relu(x + 1) - F.relu(x - 1) - 1),
        "the value cancels for large x: -1 at 1e17",
        kind="autograd",
    ),
    wrong(
        "sigmoid",
        "through tanh",
        lambda x, g: g * (1 - np.tanh(x / 2) ** 2) / 4,
        "cancels for x below 0: nothing is left at -40",
    ),
    wrong(
        "tanh",
        "2 sigmoid(2x) - 1",
        _summed(lambda x: 2 * torch.sigmoid(2 * x) - 1),
        "the value cancels for small x: 0 at 1e-17",
        kind="autograd",
    ),
    wrong(
        "elu",
        "expm1 + 1",
        lambda x, g: g * np.where(x > 0, 1, np.expm1(np.minimum(x, 0)) + 1),
        "cancels for x below 0: nothing is left at -40",
    ),
    # Once among the right ones: bit for bit the gradient of "expm1 + 1" above, 0 for 4e-18 at -40.
    wrong(
        "elu",
        "expm1 in torch",
        _summed(lambda x: torch.where(x > 0, x, torch.expm1(x.clamp(max=0)))),
        "torch's rule for expm1, y + 1, in backward",
        kind="autograd",
    ),
]
