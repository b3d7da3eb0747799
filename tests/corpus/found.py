"""What the judge once missed, or took for a mistake: modes, overflow, caches, cancellation."""

import numpy as np
import torch
import torch.nn.functional as F
from array_api_compat import array_namespace
from torch.autograd.function import once_differentiable

from verimath import Claim, Domain, Equal, Gradient, Hessian, complexes, composites, nonzero, reals

from tests.corpus.case import right, wrong  # isort: skip


def _xp(x):
    return array_namespace(x)


def _gated(a, b, g):
    return _xp(a).sum(g * composites.silu(a) * b)


def _gated_gradients(a, b, g):
    s = composites.sigmoid(a)
    return g * b * (s + a * s * (1 - s)), g * a * s


def _scaled_norm(x):
    xp = _xp(x)
    top = xp.max(abs(x))
    return top * xp.sqrt(xp.sum((x / top) ** 2))


def _three_taps(x, k):
    return x[2:] * k[0] + x[1:-1] * k[1] + x[:-2] * k[2]


def _chain(x):
    return _xp(x).sum(x[:-1] * x[:-1] * x[1:])


def _chain_hessian(x):
    xp, n = _xp(x), x.shape[0]
    i, j = xp.arange(n)[:, None], xp.arange(n)[None, :]
    after = xp.concat([x[1:], 0 * x[:1]])
    none = 0 * x[:, None] * x[None, :]
    beside = xp.where(i == j + 1, 2 * x[None, :] + none, none)
    beside = xp.where(j == i + 1, 2 * x[:, None] + none, beside)
    return xp.where(i == j, 2 * after[:, None] + none, beside)


def _both(name, title, source, formula, **inputs):
    return Claim(
        id=name,
        title=title,
        source=source,
        domain=Domain(**inputs),
        statement=Equal(left=formula, right=formula),
    )


CLAIMS = [
    Claim(
        id="gated-unit",
        title="The gradients of the weighted sum of silu(a) b",
        source="Shazeer, GLU Variants Improve Transformer (2020), equation 5",
        domain=Domain(a=reals("n d"), b=reals("n d"), g=reals("n d")),
        statement=Gradient(of=_gated, wrt=("a", "b"), equals=_gated_gradients),
    ),
    _both(
        "complex-magnitude",
        "The magnitude of a complex number",
        "Higham, Accuracy and Stability of Numerical Algorithms (2nd ed.), section 27.8",
        abs,
        z=complexes("n"),
    ),
    _both(
        "scaled-norm",
        "The Euclidean length, scaled by the largest element",
        "Higham, Accuracy and Stability of Numerical Algorithms (2nd ed.), section 27.8",
        _scaled_norm,
        x=nonzero("n+1"),
    ),
    _both("sine", "The sine", "any book on calculus", lambda x: _xp(x).sin(x), x=reals("n", -8, 8)),
    _both(
        "three-taps",
        "The inner part of a convolution with three numbers",
        "Winograd, Arithmetic Complexity of Computations (1980), section 5",
        _three_taps,
        x=reals("n+3"),
        k=reals("3"),
    ),
    Claim(
        id="chain-hessian",
        title="The Hessian of the sum of x_i^2 x_(i+1) is tridiagonal",
        source="Griewank and Walther, Evaluating Derivatives (2nd ed.), section 7.1",
        domain=Domain(x=reals("n+2", -8, 8)),
        statement=Hessian(of=_chain, wrt="x", equals=_chain_hessian),
    ),
]

# --- silu(a) b --------------------------------------------------------------------------------


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b, g):
        ctx.save_for_backward(a, b, g)
        return (g * F.silu(a) * b).sum()

    @staticmethod
    def backward(ctx, c):
        a, b, g = ctx.saved_tensors
        s = torch.sigmoid(a)
        return c * g * b * (s + a * s * (1 - s)), c * g * a * s, c * F.silu(a) * b


class _Once(_Gated):
    backward = staticmethod(once_differentiable(_Gated.backward))


class _OnDemand(_Gated):
    @staticmethod
    def backward(ctx, c):
        found = _Gated.backward(ctx, c)
        return tuple(x if n else None for x, n in zip(found, ctx.needs_input_grad, strict=True))


class _OnAnothersDemand(_Gated):
    @staticmethod
    def backward(ctx, c):
        in_a, in_b, in_g = _Gated.backward(ctx, c)
        needed, _, _ = ctx.needs_input_grad
        return in_a if needed else None, in_b if needed else None, in_g


class _ForTheLast(_Gated):
    @staticmethod
    def backward(ctx, c):
        in_a, in_b, in_g = _Gated.backward(ctx, c)
        return (in_a + in_b, in_b, in_g) if ctx.needs_input_grad[2] else (in_a, in_b, None)


class _ConstantCotangent(_Gated):
    @staticmethod
    def backward(ctx, c):
        return _Gated.backward(ctx, c.detach())


def _fast_path(a, b, g):
    if torch.is_grad_enabled():
        return (g * F.silu(a) * b).sum()
    return (g * F.gelu(a) * b).sum()


def _hooked(a, b, g):
    y = g * F.silu(a) * b
    if y.requires_grad:
        y.register_hook(lambda c: 2 * c)
    return y.sum()


def _by_func(a, b, g):
    return torch.func.grad(lambda a, b: (g * F.silu(a) * b).sum(), argnums=(0, 1))(a, b)


RIGHT = [
    right("gated-unit", "custom Function", _Gated.apply, kind="autograd"),
    right("gated-unit", "once", _Once.apply, kind="autograd", bait="says that it isn't twice"),
    right("gated-unit", "on demand", _OnDemand.apply, kind="autograd", bait="None where unneeded"),
    right("gated-unit", "torch.func", _by_func, kind="torch"),
]
WRONG = [
    wrong(
        "gated-unit",
        "on another's demand",
        _OnAnothersDemand.apply,
        "the second gradient is made if the first input needs one",
        kind="autograd",
    ),
    wrong(
        "gated-unit",
        "for the last",
        _ForTheLast.apply,
        "another gradient where an input that is a constant here needs one",
        kind="autograd",
    ),
    wrong(
        "gated-unit",
        "constant cotangent",
        _ConstantCotangent.apply,
        "the second derivative of what follows is cut off",
        kind="autograd",
    ),
    wrong(
        "gated-unit",
        "fast path",
        _fast_path,
        "another function under no_grad",
        kind="autograd",
    ),
    wrong("gated-unit", "hooked", _hooked, "a hook that doubles", kind="autograd"),
]

# --- |z| and lengths --------------------------------------------------------------------------


def _by_hypot(x):
    total = x.dtype.type(0)
    for element in x:
        total = np.hypot(total, element)
    return total


def _like_lapack(x):
    scale, squares = x.dtype.type(0), x.dtype.type(1)
    for size in np.abs(x):
        if scale < size:
            squares = 1 + squares * (scale / size) ** 2
            scale = size
        else:
            squares = squares + (size / scale) ** 2
    return scale * np.sqrt(squares)


RIGHT += [
    right("complex-magnitude", "hypot", lambda z: np.hypot(z.real, z.imag)),
    right("complex-magnitude", "torch", lambda z: z.abs(), kind="torch"),
    right("complex-magnitude", "conjugate", lambda z: np.abs(z.conj()), bait="conjugates first"),
    right("scaled-norm", "hypot", _by_hypot, bait="one element after the other"),
    right("scaled-norm", "LAPACK", _like_lapack, bait="scales again and again"),
]
WRONG += [
    wrong(
        "complex-magnitude",
        "squares",
        lambda z: np.sqrt(z.real**2 + z.imag**2),
        "the squares overflow and underflow",
    ),
    wrong(
        "complex-magnitude",
        "root of the square",
        lambda z: np.abs(np.sqrt(z * z)),
        "the square overflows",
    ),
    wrong(
        "complex-magnitude",
        "alpha max plus beta min",
        lambda z: (
            z.real.dtype.type(0.96) * np.maximum(abs(z.real), abs(z.imag))
            + z.real.dtype.type(0.398) * np.minimum(abs(z.real), abs(z.imag))
        ),
        "an approximation within four per cent",
    ),
    wrong(
        "scaled-norm",
        "squares",
        lambda x: np.sqrt((x * x).sum(dtype=x.dtype)),
        "the squares overflow and underflow",
    ),
]

# --- the sine ---------------------------------------------------------------------------------


def _kept(key):
    found = {}

    def sine(x):
        place = (x.shape, x.dtype.name, key(x))
        if place not in found:
            found[place] = np.sin(x)
        return found[place].copy()

    return sine


RIGHT += [
    right("sine", "kept by all bytes", _kept(lambda x: x.tobytes()), bait="remembers calls"),
    right("sine", "Euler", lambda x: np.exp(1j * x.astype(complex)).imag.astype(x.dtype)),
    right("sine", "by half the angle", lambda x: 2 * np.sin(x / 2) * np.cos(x / 2)),
    right("sine", "backwards", lambda x: np.sin(x[::-1])[::-1], bait="negative strides"),
]
WRONG += [
    wrong(
        "sine",
        "kept by the first bytes",
        _kept(lambda x: x.tobytes()[:16]),
        "a result is kept for all inputs that begin alike",
    ),
    wrong("sine", "kept by the sum", _kept(lambda x: float(x.sum())), "kept by the sum"),
    wrong(
        "sine",
        "short pi",
        lambda x: np.sin(np.where(abs(x) > 3.2, x - np.copysign(2 * 3.14159265, x), x)).astype(
            x.dtype
        ),
        "reduced by a pi of nine digits",
    ),
    wrong(
        "sine",
        "root",
        lambda x: np.copysign(np.sqrt(1 - np.cos(x) ** 2), np.sin(x)),
        "cancels near the zeros",
    ),
]

# --- three taps -------------------------------------------------------------------------------


def _winograd(x, k):
    """F(2, 3): two results by four products."""
    c, b, a = k
    plus, minus = (a + b + c) / x.dtype.type(2), (a - b + c) / x.dtype.type(2)
    found, count = [], len(x) - 2
    for i in range(0, count - 1, 2):
        p, q, r, s = x[i : i + 4]
        first, second, third, fourth = (p - r) * a, (q + r) * plus, (r - q) * minus, (q - s) * c
        found += [first + second + third, second - third - fourth]
    if count % 2:
        found.append(x[-3] * a + x[-2] * b + x[-1] * c)
    return np.array(found, dtype=x.dtype)


def _by_transform(x, k):
    size = len(x) + 2
    found = np.fft.irfft(np.fft.rfft(x, size) * np.fft.rfft(k, size), size)
    return found[2 : len(x)].astype(x.dtype)


RIGHT += [
    right("three-taps", "convolve", lambda x, k: np.convolve(x, k, "valid")),
    right(
        "three-taps",
        "conv1d",
        lambda x, k: F.conv1d(x[None, None], k.flip(0)[None, None])[0, 0],
        kind="torch",
    ),
    right(
        "three-taps",
        "windows",
        lambda x, k: np.lib.stride_tricks.sliding_window_view(x, 3) @ k[::-1],
        bait="overlapping views",
    ),
]
WRONG += [
    wrong("three-taps", "Winograd", _winograd, "small results from differences of large numbers"),
    wrong("three-taps", "transform", _by_transform, "right normwise alone, and not declared"),
    wrong("three-taps", "correlate", lambda x, k: np.correlate(x, k, "valid"), "k not reversed"),
]

# --- a tridiagonal Hessian --------------------------------------------------------------------


def _by_differences(x):
    def gradient(x):
        return np.append(2 * x[:-1] * x[1:], 0) + np.append(0, x[:-1] ** 2)

    step = x.dtype.type(2.0**-10)
    columns = [gradient(x + e) - gradient(x - e) for e in step * np.eye(len(x), dtype=x.dtype)]
    return (np.stack(columns, axis=1) / (2 * step)).astype(x.dtype)


def _chained(x):
    return (x[:-1] ** 2 * x[1:]).sum()


RIGHT += [
    right("chain-hessian", "torch", _chained, kind="autograd"),
    right(
        "chain-hessian",
        "torch.func",
        lambda x: torch.func.hessian(_chained)(x),
        kind="torch",
        bait="refuses inputs that overlap themselves",
    ),
]
WRONG += [
    wrong(
        "chain-hessian",
        "lower",
        lambda x: np.diag(np.append(2 * x[1:], 0).astype(x.dtype)) + np.diag(4 * x[:-1], -1),
        "below the diagonal twice, above it nothing",
    ),
    wrong(
        "chain-hessian",
        "Gauss and Newton",
        lambda x: np.diag(np.append(2 * x[1:], 0).astype(x.dtype)),
        "the diagonal alone",
    ),
    wrong("chain-hessian", "differences", _by_differences, "differences of gradients"),
]
