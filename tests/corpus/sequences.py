"""Running sums and products, differences, windows and shifts: where being off by one is easy."""

import math
from functools import reduce

import numpy as np
import torch
from array_api_compat import array_namespace

from verimath import Claim, Domain, Equal, Gradient, reals

from tests.corpus.case import right, wrong  # isort: skip

_NUMERICAL = "Higham, Accuracy and Stability of Numerical Algorithms (2nd ed.), section 4.2"


def _running(x):
    return array_namespace(x).cumulative_sum(x)


def _backwards(x):
    xp = array_namespace(x)
    return xp.flip(xp.cumulative_sum(xp.flip(x)))


def _product_of_others(x):
    xp = array_namespace(x)
    n = x.shape[0]
    own = xp.arange(n, device=x.device)[:, None] == xp.arange(n, device=x.device)
    return xp.prod(xp.where(own, xp.ones_like(x), x), axis=1)


def _variation(x):
    return array_namespace(x).sum(abs(x[1:] - x[:-1]))


def _variation_gradient(x):
    xp = array_namespace(x)
    step = xp.sign(x[1:] - x[:-1])
    zero = xp.zeros_like(x[:1])
    return xp.concat([zero, step]) - xp.concat([step, zero])


def _roughness(x):
    return array_namespace(x).sum((x[1:] - x[:-1]) ** 2)


def _roughness_gradient(x):
    xp = array_namespace(x)
    step = 2 * (x[1:] - x[:-1])
    zero = xp.zeros_like(x[:1])
    return xp.concat([zero, step]) - xp.concat([step, zero])


def _correlated(x, k):
    return k[0] * x[:-2] + k[1] * x[1:-1] + k[2] * x[2:]


def _convolution_loss(x, k, c):
    return array_namespace(x).sum(c * _correlated(x, k))


def _kernel_gradient(x, k, c):
    xp = array_namespace(x)
    return xp.stack([xp.sum(c * x[:-2]), xp.sum(c * x[1:-1]), xp.sum(c * x[2:])])


def _padded(x, c):
    xp = array_namespace(x)
    return xp.sum(c * xp.concat([xp.zeros_like(c[:1]), x, xp.zeros_like(c[:2])]))


def _around(x):
    xp = array_namespace(x)
    return xp.sum(x * xp.concat([x[1:], x[:1]]))


def _around_gradient(x):
    xp = array_namespace(x)
    return xp.concat([x[1:], x[:1]]) + xp.concat([x[-1:], x[:-1]])


def _alternating(x, c):
    return array_namespace(x).sum(c * (x[::2] - x[1::2]) ** 2)


def _alternating_gradient(x, c):
    xp = array_namespace(x)
    step = 2 * c * (x[::2] - x[1::2])
    return xp.reshape(xp.stack([step, -step], axis=1), x.shape)


def _blocks(x):
    xp = array_namespace(x)
    m, n = x.shape[0] // 2, x.shape[1] // 2
    return xp.mean(xp.reshape(x, (m, 2, n, 2)), axis=(1, 3))


def _four_slices(x):
    return (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4


CLAIMS = [
    Claim(
        id="running-sum",
        title="The gradient of a weighted sum of running sums adds the weights from the end",
        source=_NUMERICAL,
        domain=Domain(x=reals("n"), c=reals("n")),
        statement=Gradient(
            of=lambda x, c: array_namespace(x).sum(c * _running(x)),
            wrt="x",
            equals=lambda x, c: _backwards(c),
        ),
    ),
    Claim(
        id="product",
        title="The gradient of a product has the products of the others",
        source="any book on calculus",
        domain=Domain(x=reals("n", -4, 4)),
        statement=Gradient(
            of=lambda x: array_namespace(x).prod(x), wrt="x", equals=_product_of_others
        ),
    ),
    Claim(
        id="running-product",
        title="The running products of a reversed row are the products from the end on, reversed",
        source=_NUMERICAL,
        domain=Domain(x=reals("n", -4, 4)),
        statement=Equal(
            left=lambda x: array_namespace(x).cumulative_prod(x),
            right=lambda x: array_namespace(x).cumulative_prod(1 * x),
        ),
    ),
    Claim(
        id="total-variation",
        title="The gradient of the total variation has differences of signs",
        source="Rudin, Osher, Fatemi, Physica D 60 (1992)",
        domain=Domain(x=reals("n+1")),
        statement=Gradient(of=_variation, wrt="x", equals=_variation_gradient),
    ),
    Claim(
        id="roughness",
        title="The gradient of the sum of squared differences is twice the negative Laplacian",
        source="Boyd and Vandenberghe, Convex Optimization, section 6.3.2",
        domain=Domain(x=reals("n+1")),
        statement=Gradient(of=_roughness, wrt="x", equals=_roughness_gradient),
    ),
    Claim(
        id="moving-average",
        title="The mean of three neighbours",
        source="Hyndman and Athanasopoulos, Forecasting, section 3.3",
        domain=Domain(x=reals("n+2")),
        statement=Equal(
            left=lambda x: (x[:-2] + x[1:-1] + x[2:]) / 3,
            right=lambda x: ((x[2:] + x[1:-1]) + x[:-2]) / 3,
        ),
    ),
    Claim(
        id="convolution-kernel",
        title="The gradient of a convolution in its kernel",
        source="Goodfellow, Bengio, Courville, Deep Learning, section 9.5",
        domain=Domain(x=reals("n+2"), k=reals("3"), c=reals("n")),
        statement=Gradient(of=_convolution_loss, wrt="k", equals=_kernel_gradient),
    ),
    Claim(
        id="padding",
        title="The gradient of a padded row is the weights' inner part",
        source="Goodfellow, Bengio, Courville, Deep Learning, section 9.5",
        domain=Domain(x=reals("n"), c=reals("n+3")),
        statement=Gradient(of=_padded, wrt="x", equals=lambda x, c: c[1:-2] + 0 * x),
    ),
    Claim(
        id="circular-shift",
        title="The gradient of a row's product with itself, shifted by one around the end",
        source="Oppenheim and Schafer, Discrete-Time Signal Processing, section 8.2",
        domain=Domain(x=reals("n+1")),
        statement=Gradient(of=_around, wrt="x", equals=_around_gradient),
    ),
    Claim(
        id="even-and-odd",
        title="The gradient of squared differences between even and odd places",
        source="Mallat, A Wavelet Tour of Signal Processing, section 7.3",
        domain=Domain(x=reals("2*n"), c=reals("n")),
        statement=Gradient(of=_alternating, wrt="x", equals=_alternating_gradient),
    ),
    Claim(
        id="average-pool",
        title="The mean of every two by two block",
        source="Goodfellow, Bengio, Courville, Deep Learning, section 9.3",
        domain=Domain(x=reals("2*m 2*n")),
        statement=Equal(left=_four_slices, right=_four_slices),
    ),
]

# --- running sums -----------------------------------------------------------------------------


def _looped_back(x, c):
    found, total = np.zeros_like(c), c.dtype.type(0)
    for k in reversed(range(len(c))):
        total += c[k]
        found[k] = total
    return found


def _exact_tails(x, c):
    return np.array([math.fsum(c[k:]) for k in range(len(c))], dtype=c.dtype)


class _RunningSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, c):
        ctx.save_for_backward(x, c)
        return (c * x.cumsum(0)).sum()

    @staticmethod
    def backward(ctx, g):
        x, c = ctx.saved_tensors
        return g * c.flip(0).cumsum(0).flip(0), g * x.cumsum(0)


class _RunningSumForwards(_RunningSum):
    @staticmethod
    def backward(ctx, g):
        x, c = ctx.saved_tensors
        return g * c.cumsum(0), g * x.cumsum(0)


RIGHT = [
    right("running-sum", "from the end", _looped_back),
    right("running-sum", "fsum", _exact_tails, bait="sums without any rounding"),
    right("running-sum", "cumsum", lambda x, c: (c * x.cumsum(0)).sum(), kind="autograd"),
    right("running-sum", "custom function", _RunningSum.apply, kind="autograd"),
    right(
        "running-sum",
        "triangular matrix",
        lambda x, c: np.triu(np.ones((len(c), len(c)), dtype=c.dtype)) @ c,
        bait="a matrix product for a running sum",
    ),
    right(
        "running-sum",
        "bfloat16",
        lambda x, c: (c * x.cumsum(0)).sum(),
        kind="autograd",
        bait="half precision",
        dtype="bfloat16",
    ),
]

WRONG = [
    wrong("running-sum", "forwards", lambda x, c: np.cumsum(c), "added from the start"),
    wrong(
        "running-sum",
        "without its own",
        lambda x, c: c.sum() - np.cumsum(c),
        "its own weight left out",
    ),
    wrong(
        "running-sum",
        "custom forwards",
        _RunningSumForwards.apply,
        "the backward adds from the start",
        kind="autograd",
    ),
    wrong(
        "running-sum",
        "flipped once",
        lambda x, c: np.cumsum(c[::-1]),
        "not flipped back",
    ),
    wrong(
        "running-sum",
        "in pieces of 128",
        lambda x, c: (
            np.concatenate(
                [np.cumsum(c[start : start + 128][::-1])[::-1] for start in range(0, len(c), 128)]
            )
            if len(c)
            else c.copy()
        ),
        "no carry between blocks of 128",
    ),
    wrong(
        "running-sum",
        "through bfloat16",
        lambda x, c: (c * x.bfloat16().cumsum(0).half()).sum(),
        "float16 summed in bfloat16",
        kind="autograd",
        dtype="float16",
    ),
]

# --- products ---------------------------------------------------------------------------------


def _before_and_after(x):
    one = np.ones(1, dtype=x.dtype)
    before = np.cumprod(np.concatenate([one, x]))[:-1]
    after = np.cumprod(np.concatenate([one, x[::-1]]))[:-1][::-1]
    return before * after


def _deleted(x):
    return np.array([np.prod(np.delete(x, k)) for k in range(len(x))], dtype=x.dtype)


def _logarithms(x):
    with np.errstate(all="ignore"):
        logs = np.log(np.abs(x))
        sign = np.prod(np.sign(x))
        return sign * np.sign(x) * np.exp(logs.sum() - logs)


RIGHT += [
    right("product", "before and after", _before_and_after, bait="products from both ends"),
    right("product", "one deleted", _deleted),
    right("product", "prod", lambda x: x.prod(), kind="autograd"),
    right(
        "product",
        "one after the other",
        lambda x: reduce(torch.mul, x, x.new_ones(())),
        kind="autograd",
        bait="an unrolled loop",
    ),
]

WRONG += [
    wrong("product", "divided", lambda x: np.prod(x) / x, "zero divided by zero"),
    wrong(
        "product",
        "divided, else zero",
        lambda x: np.where(x == 0, 0, np.prod(x) / np.where(x == 0, 1, x)),
        "zero where a single factor is zero",
    ),
    wrong("product", "logarithms", _logarithms, "logarithms of zero"),
    wrong(
        "product",
        "exp of sum of logs",
        lambda x: torch.exp(torch.log(x).sum()),
        "logarithms of negative numbers",
        kind="autograd",
    ),
    wrong(
        "product",
        "next ones alone",
        lambda x: np.concatenate([np.cumprod(x[::-1])[::-1][1:], np.ones_like(x[:1])]),
        "the factors before it left out",
    ),
]

# --- running products -------------------------------------------------------------------------


def _running_in_place(x):
    for k in range(1, len(x)):
        x[k] *= x[k - 1]
    return x.copy()


def _doubling(x):
    found, step = x.copy(), 1
    while step < len(x):
        found[step:] = found[step:] * found[:-step]
        step *= 2
    return found


def _stops_at_zero(x):
    found = np.zeros_like(x)
    product = x.dtype.type(1)
    for k in range(len(x)):
        if x[k] != 0:
            product = product * x[k]
        found[k] = product
    return found


RIGHT += [
    right("running-product", "cumprod", lambda x: np.cumprod(x)),
    right("running-product", "doubling", _doubling, bait="Hillis and Steele's scan"),
    right("running-product", "torch", lambda x: x.cumprod(0), kind="torch"),
]

WRONG += [
    wrong("running-product", "in place", _running_in_place, "multiplies in its input"),
    wrong(
        "running-product",
        "exclusive",
        lambda x: np.concatenate([np.ones_like(x[:1]), np.cumprod(x)[:-1]]),
        "the products of those before",
    ),
    wrong("running-product", "zeros skipped", _stops_at_zero, "factors of zero left out"),
    wrong(
        "running-product",
        "logarithms",
        lambda x: np.exp(np.cumsum(np.log(np.abs(x)))),
        "the signs lost in logarithms",
    ),
]

# --- differences ------------------------------------------------------------------------------


def _by_neighbours(x):
    found = np.zeros_like(x)
    for k in range(len(x)):
        if k:
            found[k] += np.sign(x[k] - x[k - 1])
        if k + 1 < len(x):
            found[k] -= np.sign(x[k + 1] - x[k])
    return found


RIGHT += [
    right("total-variation", "by neighbours", _by_neighbours),
    right("total-variation", "diff", lambda x: x.diff().abs().sum(), kind="autograd"),
    right(
        "total-variation",
        "upwards at ties",
        lambda x: np.diff(np.where(np.diff(x) >= 0, -1, 1), prepend=0, append=0).astype(x.dtype),
        bait="the subgradient 1 where neighbours are equal",
    ),
]

WRONG += [
    wrong(
        "total-variation",
        "around the end",
        lambda x: np.sign(x - np.roll(x, 1)) - np.sign(np.roll(x, -1) - x),
        "the last beside the first",
    ),
    wrong(
        "total-variation",
        "signs the other way",
        lambda x: -_by_neighbours(x),
        "the next minus the last",
    ),
    wrong(
        "total-variation",
        "no last one",
        lambda x: np.concatenate([_by_neighbours(x)[:-1], np.zeros_like(x[:1])]),
        "the last element forgotten",
    ),
    wrong(
        "total-variation",
        "smoothed",
        lambda x: torch.sqrt(x.diff().square() + 1e-12).sum(),
        "a smoothed absolute value",
        kind="autograd",
    ),
]


def _difference_matrix(x):
    D = np.diff(np.eye(len(x), dtype=x.dtype), axis=0)
    return 2 * (D.T @ (D @ x))


def _inner_laplacian(x):
    found = np.zeros_like(x)
    found[1:-1] = 2 * (2 * x[1:-1] - x[:-2] - x[2:])
    return found


def _padded_laplacian(x):
    wide = np.pad(x, 1, mode="edge")
    return 2 * (2 * x - wide[:-2] - wide[2:])


RIGHT += [
    right("roughness", "matrix of differences", _difference_matrix),
    right(
        "roughness",
        "edge padding",
        _padded_laplacian,
        bait="second differences of a padded row, in another order",
    ),
    right("roughness", "diff", lambda x: x.diff().square().sum(), kind="autograd"),
]

WRONG += [
    wrong("roughness", "ends zero", _inner_laplacian, "no gradient at the ends"),
    wrong(
        "roughness",
        "zero padding",
        lambda x: 2 * np.convolve(x, np.array([-1, 2, -1], dtype=x.dtype))[1:-1],
        "zeros beyond the ends",
    ),
    wrong("roughness", "half", lambda x: _difference_matrix(x) / 2, "the factor 2 forgotten"),
    wrong(
        "roughness",
        "squares expanded",
        lambda x: ((x[1:] ** 2).sum() + (x[:-1] ** 2).sum() - 2 * (x[1:] * x[:-1]).sum()).abs(),
        "squares multiplied out, which cancel, and their absolute value",
        kind="autograd",
    ),
]

# --- moving averages --------------------------------------------------------------------------


def _by_running_sums(x):
    total = np.cumsum(np.concatenate([np.zeros(1, dtype=x.dtype), x]))
    return (total[3:] - total[:-3]) / 3


def _sliding_window(x):
    if len(x) == 2:
        return x[:0].copy()
    return np.lib.stride_tricks.sliding_window_view(x, 3).mean(axis=1)


def _raw_windows(x):
    step = x.itemsize
    windows = np.lib.stride_tricks.as_strided(x, (max(len(x) - 2, 0), 3), (step, step))
    return windows.mean(axis=1)


def _updated(x):
    found = np.zeros_like(x[2:])
    total = x[0] + x[1]
    for k in range(len(found)):
        total = total + x[k + 2]
        found[k] = total / 3
        total = total - x[k]
    return found


RIGHT += [
    right("moving-average", "windows", _sliding_window),
    right(
        "moving-average",
        "avg_pool1d",
        lambda x: (
            torch.nn.functional.avg_pool1d(x[None, None], 3, 1)[0, 0]
            if len(x) > 2
            else x[2:].clone()
        ),
        kind="torch",
    ),
    right(
        "moving-average",
        "thirds first",
        lambda x: x[:-2] / 3 + x[1:-1] / 3 + x[2:] / 3,
        bait="divided before adding",
    ),
]

WRONG += [
    wrong(
        "moving-average",
        "running sums",
        _by_running_sums,
        "differences of running sums, which cancel",
    ),
    wrong("moving-average", "updated", _updated, "a total that keeps its old errors"),
    wrong("moving-average", "raw windows", _raw_windows, "assumes the stride of a dense array"),
    wrong(
        "moving-average",
        "two of three",
        lambda x: (x[:-2] + x[1:-1] + x[1:-1]) / 3,
        "the last neighbour taken from one before",
    ),
    wrong(
        "moving-average",
        "zeros beyond eight",
        lambda x: np.concatenate([_sliding_window(x)[:8], 0 * x[10:]]),
        "nothing beyond the first eight",
    ),
]

# --- convolution ------------------------------------------------------------------------------


def _conv(x, k, c):
    if not len(c):
        return (x.sum() + k.sum()) * 0
    return (c * torch.nn.functional.conv1d(x[None, None], k[None, None])[0, 0]).sum()


RIGHT += [
    right(
        "convolution-kernel",
        "correlate",
        lambda x, k, c: np.array([x[j : j + len(c)] @ c for j in range(3)], dtype=x.dtype),
    ),
    right("convolution-kernel", "conv1d", _conv, kind="autograd"),
    right(
        "convolution-kernel",
        "unfold",
        lambda x, k, c: c @ (x.unfold(0, 3, 1)[: len(c)] @ k) if len(c) else 0 * k.sum(),
        kind="autograd",
        bait="overlapping views of one buffer",
    ),
]

WRONG += [
    wrong(
        "convolution-kernel",
        "flipped",
        lambda x, k, c: np.array([x[j : j + len(c)] @ c for j in (2, 1, 0)], dtype=x.dtype),
        "the kernel's gradient flipped",
    ),
    wrong(
        "convolution-kernel",
        "by one",
        lambda x, k, c: np.array([x[j : j + len(c)] @ c for j in (0, 1, 1)], dtype=x.dtype),
        "the last shift is off by one",
    ),
    wrong(
        "convolution-kernel",
        "whole warps",
        lambda x, k, c: np.array(
            [
                x[j : j + len(c)][: len(c) // 32 * 32 or 31] @ c[: len(c) // 32 * 32 or 31]
                for j in range(3)
            ],
            dtype=x.dtype,
        ),
        "the remainder of 32 is dropped, above 32",
    ),
]

# --- padding ----------------------------------------------------------------------------------

RIGHT += [
    right("padding", "slice", lambda x, c: c[1:-2].copy()),
    right(
        "padding",
        "pad",
        lambda x, c: (c * torch.nn.functional.pad(x, (1, 2))).sum(),
        kind="autograd",
    ),
]

WRONG += [
    wrong("padding", "sides swapped", lambda x, c: c[2:-1].copy(), "two before and one after"),
    wrong("padding", "no offset", lambda x, c: c[: len(x)].copy(), "the padding before forgotten"),
    wrong(
        "padding",
        "reflected",
        lambda x, c: (
            (c * torch.cat([x[1:2], x, x[-1:], x[-1:]])).sum()
            if len(x) > 1
            else (c[1:-2] * x).sum()
        ),
        "the ends repeated for zeros",
        kind="autograd",
    ),
]

# --- around the end ---------------------------------------------------------------------------

RIGHT += [
    right("circular-shift", "roll", lambda x: np.roll(x, -1) + np.roll(x, 1)),
    right("circular-shift", "torch.roll", lambda x: (x * x.roll(-1)).sum(), kind="autograd"),
    right(
        "circular-shift",
        "rolled the other way",
        lambda x: (x.roll(1) * x).sum(),
        kind="autograd",
        bait="the shift's direction, which doesn't matter",
    ),
    right(
        "circular-shift",
        "indices",
        lambda x: x[np.arange(len(x)) - 1] + x[(np.arange(len(x)) + 1) % len(x)],
        bait="a negative index",
    ),
]

WRONG += [
    wrong("circular-shift", "one neighbour", lambda x: 2 * np.roll(x, -1), "one neighbour twice"),
    wrong(
        "circular-shift",
        "not around",
        lambda x: np.convolve(x, np.array([1, 0, 1], dtype=x.dtype))[1:-1],
        "nothing comes around the end",
    ),
    wrong(
        "circular-shift",
        "one alone",
        lambda x: np.roll(x, -1) + np.roll(x, 1) if len(x) > 1 else x.copy(),
        "half of it where there is only one",
    ),
    wrong(
        "circular-shift",
        "detached shift",
        lambda x: (x * x.roll(-1).detach()).sum(),
        "the shifted row detached",
        kind="autograd",
    ),
]

# --- even and odd places ----------------------------------------------------------------------


def _interleaved(x, c):
    found = np.empty_like(x)
    found[::2] = 2 * c * (x[::2] - x[1::2])
    found[1::2] = -found[::2]
    return found


RIGHT += [
    right("even-and-odd", "interleaved", _interleaved),
    right(
        "even-and-odd",
        "pairs",
        lambda x, c: (c * (x.reshape(-1, 2) @ x.new_tensor([1, -1])).square()).sum(),
        kind="autograd",
        bait="a product with a constant vector",
    ),
]

WRONG += [
    wrong(
        "even-and-odd",
        "one after the other",
        lambda x, c: np.concatenate([_interleaved(x, c)[::2], _interleaved(x, c)[1::2]]),
        "not interleaved",
    ),
    wrong(
        "even-and-odd",
        "same sign",
        lambda x, c: np.repeat(2 * c * (x[::2] - x[1::2]), 2),
        "the sign of the second kind",
    ),
    wrong(
        "even-and-odd",
        "every stride two",
        lambda x, c: (
            (
                c
                * (
                    x.as_strided((len(c),), (2,))
                    - x.as_strided((len(c),), (2,), x.storage_offset() + 1)
                )
                ** 2
            ).sum()
            if len(c)
            else x.sum() + c.sum()
        ),
        "strides of memory for strides of the row",
        kind="autograd",
    ),
]

# --- average pooling --------------------------------------------------------------------------


def _reshaped_mean(x):
    return x.reshape(x.shape[0] // 2, 2, x.shape[1] // 2, 2).mean(axis=(1, 3))


RIGHT += [
    right("average-pool", "reshaped", _reshaped_mean),
    right(
        "average-pool",
        "avg_pool2d",
        lambda x: (
            torch.nn.functional.avg_pool2d(x[None], 2)[0] if x.numel() else x[::2, ::2].clone()
        ),
        kind="torch",
    ),
    right(
        "average-pool",
        "rows, then columns",
        lambda x: ((x[::2] + x[1::2]) / 2)[:, ::2] / 2 + ((x[::2] + x[1::2]) / 2)[:, 1::2] / 2,
        bait="means of means",
    ),
]

WRONG += [
    wrong(
        "average-pool",
        "reshaped wrongly",
        lambda x: x.reshape(x.shape[0] // 2, x.shape[1] // 2, 4).mean(axis=2),
        "four neighbours of one row",
    ),
    wrong(
        "average-pool",
        "sum",
        lambda x: _reshaped_mean(x) * 4,
        "the sum for the mean",
    ),
    wrong(
        "average-pool",
        "upper left",
        lambda x: x[::2, ::2].copy(),
        "strided, with no mean",
    ),
    wrong(
        "average-pool",
        "memory order",
        lambda x: _reshaped_mean(x.ravel(order="K").reshape(x.shape)),
        "reads the elements in the order of memory",
    ),
]
