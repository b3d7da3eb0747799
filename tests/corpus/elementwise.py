"""One number at a time: identities, polynomials, and forms that cancel near special values."""

import math

import numpy as np
import torch
from array_api_compat import array_namespace

from verimath import Claim, Domain, Equal, Gradient, distinct, reals

from tests.corpus.case import right, wrong  # isort: skip

_KAHAN = "Higham, Accuracy and Stability of Numerical Algorithms (2nd ed.), section 1.14.1"


def _xp(x):
    return array_namespace(x)


def _polynomial(x, c):
    return c[0] + c[1] * x + c[2] * x**2 + c[3] * x**3


def _horner_gradient(x, c):
    return c[1] + x * (2 * c[2] + x * (3 * c[3]))


CLAIMS = [
    Claim(
        id="log-one-plus",
        title="log(1 + x), accurate near zero, is odd in x / (2 + x)",
        source=_KAHAN,
        domain=Domain(x=reals("n", -0.5, 100)),
        statement=Equal(
            left=lambda x: _xp(x).log1p(x), right=lambda x: 2 * _xp(x).atanh(x / (2 + x))
        ),
    ),
    Claim(
        id="exp-minus-one",
        title="exp(x) - 1, accurate near zero, by the hyperbolic sine",
        source=_KAHAN,
        domain=Domain(x=reals("n", -20, 20)),
        statement=Equal(
            left=lambda x: _xp(x).expm1(x),
            right=lambda x: 2 * _xp(x).sinh(x / 2) * _xp(x).exp(x / 2),
        ),
    ),
    Claim(
        id="distance-from-origin",
        title="The gradient of sqrt(a² + b² + 1)",
        source="any book on calculus",
        domain=Domain(a=reals("n"), b=reals("n")),
        statement=Gradient(
            of=lambda a, b: _xp(a).sum(_xp(a).sqrt(a * a + b * b + 1)),
            wrt=("a", "b"),
            equals=lambda a, b: (
                a / _xp(a).sqrt(a * a + b * b + 1),
                b / _xp(a).sqrt(a * a + b * b + 1),
            ),
        ),
    ),
    Claim(
        id="tangent",
        title="The derivative of tan x is 1 + tan² x",
        source="any book on calculus",
        domain=Domain(x=reals("n", -1.5, 1.5)),
        statement=Gradient(
            of=lambda x: _xp(x).sum(_xp(x).tan(x)),
            wrt="x",
            equals=lambda x: 1 + _xp(x).tan(x) ** 2,
        ),
    ),
    Claim(
        id="arcsine",
        title="The derivative of asin x is 1 / sqrt((1 - x)(1 + x))",
        source="any book on calculus",
        domain=Domain(x=reals("n", -1, 1, exclude_min=True, exclude_max=True)),
        statement=Gradient(
            of=lambda x: _xp(x).sum(_xp(x).asin(x)),
            wrt="x",
            equals=lambda x: 1 / _xp(x).sqrt((1 - x) * (1 + x)),
        ),
    ),
    Claim(
        id="cubic",
        title="The derivative of a cubic, by Horner's rule",
        source="Higham, Accuracy and Stability of Numerical Algorithms (2nd ed.), section 5.2",
        domain=Domain(x=reals("n"), c=reals("4")),
        statement=Gradient(
            of=lambda x, c: _xp(x).sum(_polynomial(x, c)), wrt="x", equals=_horner_gradient
        ),
    ),
    Claim(
        id="geometric-sum",
        title="1 + x + x² + x³ is (1 + x)(1 + x²)",
        source="any book on calculus",
        domain=Domain(x=reals("n", -8, 8)),
        statement=Equal(
            left=lambda x: 1 + x * (1 + x * (1 + x)), right=lambda x: (1 + x) * (1 + x**2)
        ),
    ),
    Claim(
        id="difference-of-squares",
        title="a² - b² is (a - b)(a + b)",
        source="Higham, Accuracy and Stability of Numerical Algorithms (2nd ed.), section 3.1",
        domain=Domain(a=reals("n"), b=reals("n")),
        statement=Equal(left=lambda a, b: (a - b) * (a + b), right=lambda a, b: (b + a) * (a - b)),
    ),
    Claim(
        id="logit",
        title="The derivative of log(p) - log(1 - p) is 1/p + 1/(1 - p)",
        source="Goodfellow, Bengio, Courville, Deep Learning, section 3.10",
        domain=Domain(p=reals("n", 0, 1, exclude_min=True, exclude_max=True)),
        statement=Gradient(
            of=lambda p: _xp(p).sum(_xp(p).log(p) - _xp(p).log1p(-p)),
            wrt="p",
            equals=lambda p: 1 / p + 1 / (1 - p),
        ),
    ),
    Claim(
        id="squared-gaps",
        title="The gradient of the sum of squared distances between all pairs",
        source="any book on statistics",
        domain=Domain(x=distinct("n")),
        statement=Gradient(
            of=lambda x: _xp(x).sum((x[:, None] - x[None, :]) ** 2),
            wrt="x",
            equals=lambda x: 4 * _xp(x).sum(x[:, None] - x[None, :], axis=1),
        ),
    ),
]

# --- log(1 + x) -------------------------------------------------------------------------------


def _kahan_log(x):
    u = 1 + x
    with np.errstate(all="ignore"):
        return np.where(u == 1, x, np.log(u) * x / (u - 1))


def _kahan_log_quotient(x):
    u = 1 + x
    with np.errstate(all="ignore"):
        return np.where(u == 1, x, x * (np.log(u) / (u - 1)))


def _log_series(x):
    return np.where(np.abs(x) < 1e-4, x - x * x / 2, np.log(1 + x))


RIGHT = [
    right("log-one-plus", "log1p", lambda x: np.log1p(x)),
    right(
        "log-one-plus",
        "Kahan's correction",
        _kahan_log,
        bait="the logarithm of a rounded number, put right by a quotient",
        dtype=("float64", "float32"),  # in float16: among the wrong ones
    ),
    right(
        "log-one-plus",
        "Kahan's quotient first",
        _kahan_log_quotient,
        bait="a logarithm and a difference, each off by as much as x, whose quotient is not",
    ),
    right("log-one-plus", "torch", lambda x: torch.log1p(x), kind="torch"),
]

WRONG = [
    wrong("log-one-plus", "log(1 + x)", lambda x: np.log(1 + x), "loses small x beside 1"),
    # Once among the right ones, in every dtype. Over all of float16 it is off by up to 409 u (20 %
    # at -0.0003), with the quotient first by 2.7 u; wider exponents hold x log(u) down to x = u.
    wrong(
        "log-one-plus",
        "Kahan in float16",
        _kahan_log,
        "the product of two small numbers underflows in float16",
        dtype="float16",
    ),
    wrong("log-one-plus", "short series", _log_series, "a series that stops too early"),
    wrong(
        "log-one-plus",
        "to base two",
        lambda x: np.log1p(x) / np.log(x.dtype.type(2)),
        "the logarithm to base 2",
    ),
    wrong(
        "log-one-plus",
        "zero for tiny",
        lambda x: np.where(np.abs(x) < 1e-150, 0, np.log1p(x)),
        "tiny numbers flushed to zero",
    ),
]

# --- exp(x) - 1 -------------------------------------------------------------------------------


RIGHT += [
    right("exp-minus-one", "expm1", lambda x: np.expm1(x)),
    right(
        "exp-minus-one",
        "tanh",
        lambda x: np.tanh(x / 2) * (np.exp(x) + 1),
        bait="through another function",
    ),
    right("exp-minus-one", "torch", lambda x: torch.special.expm1(x), kind="torch"),
    right(
        "exp-minus-one",
        "element by element",
        lambda x: np.array([math.expm1(v) for v in x], dtype=x.dtype),
        bait="another library's function",
    ),
]

WRONG += [
    wrong("exp-minus-one", "exp(x) - 1", lambda x: np.exp(x) - 1, "cancels near zero"),
    wrong(
        "exp-minus-one",
        "single",
        lambda x: np.expm1(x.astype(np.float32)).astype(x.dtype),
        "in float32",
    ),
    wrong(
        "exp-minus-one",
        "line near zero",
        lambda x: np.where(np.abs(x) < 1e-5, x, np.expm1(x)),
        "a straight line near zero",
    ),
    wrong(
        "exp-minus-one",
        "saturates",
        lambda x: np.expm1(np.minimum(x, 15)),
        "the input clipped at 15",
    ),
]

# --- sqrt(a² + b² + 1) ------------------------------------------------------------------------

RIGHT += [
    right(
        "distance-from-origin",
        "autograd",
        lambda a, b: (a * a + b * b + 1).sqrt().sum(),
        kind="autograd",
    ),
    right(
        "distance-from-origin",
        "hypot",
        lambda a, b: (
            a / np.hypot(np.hypot(a, b), a.dtype.type(1)),
            b / np.hypot(np.hypot(a, b), a.dtype.type(1)),
        ),
        bait="scaled, so that it doesn't overflow either",
    ),
    right(
        "distance-from-origin",
        "power",
        lambda a, b: (a.square() + b.square() + 1).pow(0.5).sum(),
        kind="autograd",
        bait="a power for a root",
    ),
]

WRONG += [
    wrong(
        "distance-from-origin",
        "swapped",
        lambda a, b: (b / np.sqrt(a * a + b * b + 1), a / np.sqrt(a * a + b * b + 1)),
        "the two gradients swapped",
    ),
    wrong(
        "distance-from-origin",
        "no inner derivative",
        lambda a, b: (a / (2 * np.sqrt(a * a + b * b + 1)), b / (2 * np.sqrt(a * a + b * b + 1))),
        "half of it: the inner factor 2 forgotten",
    ),
    wrong(
        "distance-from-origin",
        "one outside",
        lambda a, b: (torch.hypot(a, b) + 1).sum(),
        "the one added outside of the root",
        kind="autograd",
    ),
    wrong(
        "distance-from-origin",
        "through a ratio",
        lambda a, b: (
            np.sign(a) / np.sqrt(1 + (b * b + 1) / (a * a)),
            b / np.sqrt(a * a + b * b + 1),
        ),
        "the square of a small number underflows, or zero divides",
    ),
]

# --- tan --------------------------------------------------------------------------------------

RIGHT += [
    right(
        "tangent",
        "one over cos²",
        lambda x: 1 / np.cos(x) ** 2,
        bait="another function near its pole",
    ),
    right("tangent", "autograd", lambda x: x.tan().sum(), kind="autograd"),
    right(
        "tangent",
        "sin over cos",
        lambda x: (x.sin() / x.cos()).sum(),
        kind="autograd",
        bait="the quotient rule, which cancels nowhere",
    ),
]

WRONG += [
    wrong("tangent", "minus", lambda x: 1 - np.tan(x) ** 2, "the hyperbolic tangent's sign"),
    wrong("tangent", "one over cos", lambda x: 1 / np.cos(x), "the square forgotten"),
    wrong(
        "tangent",
        "in degrees",
        lambda x: torch.tan(torch.deg2rad(torch.rad2deg(x))).sum() * (math.pi / 180),
        "a factor from degrees",
        kind="autograd",
    ),
    wrong(
        "tangent",
        "by differences",
        lambda x: (np.tan(x + 1e-6) - np.tan(x - 1e-6)) / 2e-6,
        "central differences for a derivative",
    ),
]

# --- asin -------------------------------------------------------------------------------------

RIGHT += [
    right("arcsine", "autograd", lambda x: x.asin().sum(), kind="autograd"),
    right(
        "arcsine",
        "two roots",
        lambda x: 1 / (np.sqrt(1 - x) * np.sqrt(1 + x)),
        bait="two roots for one",
    ),
]

WRONG += [
    wrong(
        "arcsine",
        "epsilon",
        lambda x: 1 / np.sqrt(1 - x * x + 1e-12),
        "an epsilon under the root",
    ),
    wrong(
        "arcsine",
        "the complement's",
        lambda x: math.pi / 2 * x.numel() - x.acos().sum(),
        "pi/2 less the arccosine, whose value cancels near zero",
        kind="autograd",
    ),
    wrong("arcsine", "arccosine's", lambda x: -1 / np.sqrt(1 - x * x), "the arccosine's sign"),
    wrong("arcsine", "plus", lambda x: 1 / np.sqrt(1 + x * x), "the inverse of sinh"),
    wrong(
        "arcsine",
        "clamped",
        lambda x: x.clamp(-0.999999, 0.999999).asin().sum(),
        "clamped away from the ends",
        kind="autograd",
    ),
]

# --- a cubic ----------------------------------------------------------------------------------

RIGHT += [
    right(
        "cubic",
        "powers",
        lambda x, c: c[1] + 2 * c[2] * x + 3 * c[3] * (x * x),
        bait="powers for Horner's rule",
    ),
    right(
        "cubic",
        "Horner differentiated",
        lambda x, c: (c[0] + x * (c[1] + x * (c[2] + x * c[3]))).sum(),
        kind="autograd",
        bait="another order of evaluation",
    ),
    # numpy's polyder gives float64 whatever it is given, so the result has no other dtype.
    right("cubic", "polyval", lambda x, c: np.polyval(np.polyder(c[::-1]), x), dtype="float64"),
]

WRONG += [
    wrong(
        "cubic",
        "reversed",
        lambda x, c: c[2] + x * (2 * c[1] + x * (3 * c[0])),
        "the coefficients in the opposite order",
    ),
    wrong(
        "cubic",
        "two for three",
        lambda x, c: c[1] + x * (2 * c[2] + x * (2 * c[3])),
        "a factor 2 for 3",
    ),
    wrong(
        "cubic",
        "not differentiated",
        lambda x, c: c[1] + x * (c[2] + x * c[3]),
        "the coefficients shifted and not multiplied",
    ),
    wrong(
        "cubic",
        "last term detached",
        lambda x, c: (c[0] + x * (c[1] + x * (c[2] + (x * c[3]).detach()))).sum(),
        "the innermost step detached",
        kind="autograd",
    ),
]

# --- a geometric sum --------------------------------------------------------------------------


def _guarded(x):
    return np.where(x == 1, 4, (1 - x**4) / np.where(x == 1, 1, 1 - x))


RIGHT += [
    right("geometric-sum", "powers", lambda x: 1 + x + x**2 + x**3, bait="cancels near -1"),
    right(
        "geometric-sum",
        "factored",
        lambda x: (1 + x) * (1 + x * x),
        kind="torch",
        bait="factored",
    ),
]

WRONG += [
    wrong("geometric-sum", "quotient", lambda x: (1 - x**4) / (1 - x), "divides by zero at 1"),
    wrong("geometric-sum", "guarded", _guarded, "cancels near 1, but not at it"),
    wrong(
        "geometric-sum",
        "one term more",
        lambda x: 1 + x * (1 + x * (1 + x * (1 + x))),
        "a term too many",
    ),
    wrong(
        "geometric-sum",
        "three at one",
        lambda x: np.where(x == 1, 3, (1 + x) * (1 + x * x)),
        "another value at 1 alone",
    ),
]

# --- a² - b² ----------------------------------------------------------------------------------

RIGHT += [
    right("difference-of-squares", "factored", lambda a, b: (a + b) * (a - b)),
    right(
        "difference-of-squares",
        "addcmul",
        lambda a, b: (a - b) * a + (a - b) * b,
        kind="torch",
        bait="multiplied out half way",
    ),
]

WRONG += [
    wrong("difference-of-squares", "a squared plus", lambda a, b: a * a + b * b, "a plus"),
    wrong(
        "difference-of-squares",
        "square of the difference",
        lambda a, b: (a - b) ** 2,
        "the difference squared",
    ),
    wrong(
        "difference-of-squares",
        "absolute",
        lambda a, b: np.abs(a - b) * (a + b),
        "the larger first",
    ),
]

# --- the logit --------------------------------------------------------------------------------

RIGHT += [
    right("logit", "one quotient", lambda p: 1 / (p * (1 - p)), bait="one quotient for two"),
    right(
        "logit",
        "logit",
        lambda p: torch.logit(p).sum(),
        kind="autograd",
    ),
]

WRONG += [
    wrong("logit", "sigmoid's", lambda p: p * (1 - p), "the inverse function's derivative"),
    wrong("logit", "minus", lambda p: 1 / p - 1 / (1 - p), "the inner sign forgotten"),
    wrong(
        "logit",
        "clamped",
        lambda p: torch.logit(p, eps=1e-6).sum(),
        "clamped at 1e-6",
        kind="autograd",
    ),
    wrong(
        "logit",
        "epsilon",
        lambda p: (torch.log(p + 1e-12) - torch.log1p(-p)).sum(),
        "an epsilon inside the logarithm",
        kind="autograd",
    ),
]

# --- squared distances of all pairs -----------------------------------------------------------

RIGHT += [
    right(
        "squared-gaps",
        "by the sum",
        lambda x: 4 * (len(x) * x - x.sum()) if len(x) else x.copy(),
        bait="n x less the sum, which cancels",
    ),
    right(
        "squared-gaps",
        "autograd",
        lambda x: (x[:, None] - x).square().sum(),
        kind="autograd",
    ),
]

WRONG += [
    wrong(
        "squared-gaps",
        "each pair once",
        lambda x: 2 * (x[:, None] - x).sum(axis=1),
        "every pair counted once",
    ),
    wrong(
        "squared-gaps",
        "other axis",
        lambda x: 4 * (x[:, None] - x).sum(axis=0),
        "the sum over the other axis: its sign",
    ),
    wrong(
        "squared-gaps",
        "neighbours",
        lambda x: 4 * (2 * x - np.roll(x, 1) - np.roll(x, -1)),
        "neighbours alone",
    ),
]
