"""Indices, labels, segments and products of products: elements that are picked, met and spread."""

import numpy as np
import torch
from array_api_compat import array_namespace

from verimath import Claim, Domain, Equal, Gradient, integers, labels, reals

from tests.corpus.case import right, wrong  # isort: skip


def _one_hot(y, like):
    """Rows with a one at y, of as many columns as `like` has rows."""
    xp = array_namespace(like)
    places = xp.arange(like.shape[0], device=like.device)
    return xp.astype(y[:, None] == places, like.dtype)


def _picked(X, y, c):
    xp = array_namespace(X)
    return xp.sum(c * xp.take_along_axis(X, y[:, None], axis=1)[:, 0])


def _picked_gradient(X, y, c):
    xp = array_namespace(X)
    places = xp.arange(X.shape[1], device=X.device)
    return c[:, None] * xp.astype(y[:, None] == places, X.dtype)


def _embedding_gradient(E, y, C):
    return array_namespace(E).matrix_transpose(_one_hot(y, E)) @ C


def _pull(E, y, X):
    xp = array_namespace(E)
    return xp.sum((xp.take(E, y, axis=0) - X) ** 2) / 2


def _pull_gradient(E, y, X):
    xp = array_namespace(E)
    return xp.matrix_transpose(_one_hot(y, E)) @ (xp.take(E, y, axis=0) - X)


def _segment_sums(x, y, zero):
    xp = array_namespace(x)
    return xp.matrix_transpose(_one_hot(y, zero)) @ x + zero


def _kronecker(A, B):
    xp = array_namespace(A)
    spread = A[:, None, :, None] * B[None, :, None, :]
    return xp.reshape(spread, (A.shape[0] * B.shape[0], A.shape[1] * B.shape[1]))


def _weighted_mean(x, w):
    xp = array_namespace(x)
    return xp.sum(w * w * x) / xp.sum(1 + w * w)


def _weighted_mean_gradients(x, w):
    xp = array_namespace(x)
    total = xp.sum(1 + w * w)
    mean = xp.sum(w * w * x) / total
    return w * w / total, 2 * w * (x - mean) / total


CLAIMS = [
    Claim(
        id="embedding",
        title="The gradient of looked-up rows adds the weights of the rows that were looked up",
        source="Goodfellow, Bengio, Courville, Deep Learning, section 12.4.2",
        domain=Domain(E=reals("v d"), y=labels("n", classes="v"), C=reals("n d")),
        statement=Gradient(
            of=lambda E, y, C: array_namespace(E).sum(C * array_namespace(E).take(E, y, axis=0)),
            wrt="E",
            equals=_embedding_gradient,
        ),
    ),
    Claim(
        id="picked",
        title="The gradient of one element per row is its weight there, and zero elsewhere",
        source="array API standard, take_along_axis",
        domain=Domain(X=reals("n d"), y=labels("n", classes="d"), c=reals("n")),
        statement=Gradient(of=_picked, wrt="X", equals=_picked_gradient),
    ),
    Claim(
        id="centres",
        title="The gradient of half the squared distances to the own class's centre",
        source="Wen, Zhang, Li, Qiao, ECCV 2016, equation 3",
        domain=Domain(E=reals("v d"), y=labels("n", classes="v"), X=reals("n d")),
        statement=Gradient(of=_pull, wrt="E", equals=_pull_gradient),
    ),
    Claim(
        id="segment-sums",
        title="Sums by label, started from given numbers",
        source="Blelloch, Prefix sums and their applications (1990)",
        domain=Domain(x=reals("n"), y=labels("n", classes="v"), zero=reals("v")),
        statement=Equal(
            left=_segment_sums,
            right=lambda x, y, zero: (
                array_namespace(x).sum(x[:, None] * _one_hot(y, zero), axis=0) + zero
            ),
        ),
    ),
    Claim(
        id="kronecker-product",
        title="The Kronecker product is a reshaped outer product",
        source="Golub and Van Loan, Matrix Computations (4th ed.), section 1.3.6",
        domain=Domain(A=reals("m n"), B=reals("p q")),
        statement=Equal(left=_kronecker, right=_kronecker),
    ),
    Claim(
        id="shrunk-mean",
        title="The gradients of a weighted mean with weights w² and a prior of one each",
        source="Gelman et al., Bayesian Data Analysis (3rd ed.), section 2.5",
        domain=Domain(x=reals("n+1", -100, 100), w=reals("n+1", -10, 10)),
        statement=Gradient(of=_weighted_mean, wrt=("x", "w"), equals=_weighted_mean_gradients),
    ),
    Claim(
        id="mean-of-row-means",
        title="The mean of the rows' means is the mean of all",
        source="any book on statistics",
        domain=Domain(X=reals("n+1 d+1")),
        statement=Equal(
            left=lambda X: array_namespace(X).mean(array_namespace(X).mean(X, axis=1)),
            right=lambda X: array_namespace(X).mean(X),
        ),
    ),
    Claim(
        id="scaled-counts",
        title="Counts that scale numbers: k x for whole k",
        source="array API standard, type promotion",
        domain=Domain(x=reals("n", -1, 1), k=integers("n", -1000, 1000)),
        statement=Equal(
            left=lambda x, k: x * array_namespace(x).astype(k, x.dtype),
            right=lambda x, k: array_namespace(x).astype(k, x.dtype) * x,
        ),
    ),
]

# --- embeddings -------------------------------------------------------------------------------


def _added_at(E, y, C):
    found = np.zeros_like(E)
    np.add.at(found, y, C)
    return found


def _assigned(E, y, C):
    found = np.zeros_like(E)
    found[y] += C  # each row once, however often it was looked up
    return found


def _sorted_segments(E, y, C):
    """What sparse kernels do: sort, add neighbours with the same index."""
    found = np.zeros_like(E)
    if len(y):
        order = np.argsort(y, kind="stable")
        rows, starts = np.unique(y[order], return_index=True)
        found[rows] = np.add.reduceat(C[order], starts, axis=0)
    return found


def _unsorted_segments(E, y, C):
    found = np.zeros_like(E)
    if len(y):
        rows, starts = np.unique(y, return_index=True)
        found[rows] = np.add.reduceat(C, starts, axis=0)
    return found


def _by_frequency(E, y, C):
    counts = np.maximum(np.bincount(y, minlength=len(E)), 1)
    return _added_at(E, y, C) / counts[:, None].astype(E.dtype)


class _Lookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx, E, y, C):
        ctx.save_for_backward(y, C, E)
        return (E[y] * C).sum()

    @staticmethod
    def backward(ctx, g):
        y, C, E = ctx.saved_tensors
        return torch.zeros_like(E).index_put((y,), g * C), None, g * E[y]


RIGHT = [
    right("embedding", "add.at", _added_at),
    right("embedding", "sorted segments", _sorted_segments, bait="another order of summation"),
    right(
        "embedding",
        "functional",
        lambda E, y, C: (torch.nn.functional.embedding(y, E) * C).sum(),
        kind="autograd",
    ),
    right(
        "embedding",
        "one-hot product",
        lambda E, y, C: (
            (torch.nn.functional.one_hot(y, len(E)).to(E.dtype) @ E * C).sum()
            if len(y)
            else 0 * E.sum()
        ),
        kind="autograd",
        bait="a matrix product for a look-up",
    ),
]

WRONG = [
    wrong("embedding", "assigned", _assigned, "rows looked up twice count once"),
    wrong(
        "embedding",
        "padding row",
        lambda E, y, C: (
            (torch.nn.functional.embedding(y, E, padding_idx=0) * C).sum() if len(E) else E.sum()
        ),
        "no gradient for the first row",
        kind="autograd",
    ),
    wrong("embedding", "unsorted segments", _unsorted_segments, "takes the labels to be sorted"),
    wrong("embedding", "by frequency", _by_frequency, "divided by how often it was looked up"),
    wrong(
        "embedding",
        "index_put without accumulation",
        _Lookup.apply,
        "the backward keeps one of the rows looked up twice",
        kind="autograd",
    ),
    wrong(
        "embedding",
        "bytes for labels",
        lambda E, y, C: _added_at(E, np.minimum(y, 127), C),
        "labels kept in a signed byte",
    ),
]

# --- picked elements --------------------------------------------------------------------------


def _put(X, y, c):
    found = np.zeros_like(X)
    found[np.arange(len(y)), y] = c
    return found


def _flat_stride(X, y, c):
    found = np.zeros_like(X)
    rows, columns = X.shape
    np.add.at(found.reshape(-1), (np.arange(rows) * rows + y) % max(rows * columns, 1), c)
    return found


RIGHT += [
    right("picked", "put", _put),
    right(
        "picked",
        "gather",
        lambda X, y, c: (X.gather(1, y[:, None])[:, 0] * c).sum(),
        kind="autograd",
    ),
    right(
        "picked",
        "masked",
        lambda X, y, c: (
            torch.where(torch.arange(X.shape[1]) == y[:, None], X, 0).sum(1) * c
        ).sum(),
        kind="autograd",
        bait="a sum with zeros",
    ),
]

WRONG += [
    wrong(
        "picked",
        "columns of all",
        lambda X, y, c: (X[:, y] * c).sum(),
        "every row's element in the picked columns",
        kind="autograd",
    ),
    wrong("picked", "rows' stride", _flat_stride, "the number of rows for the number of columns"),
    wrong(
        "picked",
        "one-based",
        lambda X, y, c: _put(X, np.maximum(y - 1, 0), c),
        "labels counted from one",
    ),
    wrong(
        "picked",
        "weight of the label",
        lambda X, y, c: _put(X, y, c[np.minimum(y, len(c) - 1)]),
        "the weight taken at the label",
    ),
]

# --- centres ----------------------------------------------------------------------------------


def _centre_pull(E, y, X):
    found = np.zeros_like(E)
    for label, x in zip(y, X, strict=True):
        found[label] += E[label] - x
    return found


def _centre_averaged(E, y, X):
    counts = np.bincount(y, minlength=len(E)).astype(E.dtype)
    return _centre_pull(E, y, X) / (1 + counts[:, None])


def _last_pull(E, y, X):
    found = np.zeros_like(E)
    for label, x in zip(y, X, strict=True):
        found[label] = E[label] - x
    return found


RIGHT += [
    right("centres", "row by row", _centre_pull),
    right(
        "centres",
        "index_select",
        lambda E, y, X: (E.index_select(0, y) - X).square().sum() / 2,
        kind="autograd",
    ),
    right(
        "centres",
        "counts",
        lambda E, y, X: (
            np.bincount(y, minlength=len(E)).astype(E.dtype)[:, None] * E - _added_at(E, y, X)
        ),
        bait="counts times centre, less the sums: cancels",
    ),
]

WRONG += [
    wrong("centres", "averaged", _centre_averaged, "divided by the class's count and one"),
    wrong("centres", "the last", _last_pull, "the last example of a class alone"),
    wrong(
        "centres",
        "downhill",
        lambda E, y, X: -_centre_pull(E, y, X),
        "the direction of descent",
    ),
    wrong(
        "centres",
        "whole batch",
        lambda E, y, X: (E[y] - X).square().sum() / 2 + 0.5e-3 * E.square().sum(),
        "a weight decay hidden in it",
        kind="autograd",
    ),
]

# --- segments ---------------------------------------------------------------------------------


def _index_add(x, y, zero):
    return zero.index_add(0, y, x)


def _index_add_in_place(x, y, zero):
    return zero.index_add_(0, y, x).clone()


def _segments_by_one(x, y, zero):
    found = zero.copy()
    for label, value in zip(y, x, strict=True):
        found[label] += value
    return found


RIGHT += [
    right("segment-sums", "one by one", _segments_by_one),
    right("segment-sums", "index_add", _index_add, kind="torch"),
    right(
        "segment-sums",
        "last first",
        lambda x, y, zero: _segments_by_one(x[::-1], y[::-1], zero),
        bait="another order of summation",
    ),
]

WRONG += [
    wrong("segment-sums", "in place", _index_add_in_place, "adds into its input", kind="torch"),
    wrong(
        "segment-sums",
        "scatter",
        lambda x, y, zero: zero.scatter(0, y, zero[y] + x),
        "one number of each label alone",
        kind="torch",
    ),
    wrong(
        "segment-sums",
        "zero forgotten",
        lambda x, y, zero: np.bincount(y, weights=x, minlength=len(zero)).astype(x.dtype),
        "the numbers to start from forgotten",
    ),
    wrong(
        "segment-sums",
        "means",
        lambda x, y, zero: (
            zero.scatter_reduce(0, y, x, "mean", include_self=False) if len(y) else zero.clone()
        ),
        "means for sums",
        kind="torch",
    ),
]

# --- Kronecker products -----------------------------------------------------------------------

RIGHT += [
    right("kronecker-product", "kron", lambda A, B: np.kron(A, B)),
    right(
        "kronecker-product",
        "torch.kron",
        lambda A, B: torch.kron(A.contiguous(), B.contiguous()),
        kind="torch",
    ),
    right(
        "kronecker-product",
        "repeat and tile",
        lambda A, B: A.repeat(B.shape[0], axis=0).repeat(B.shape[1], axis=1) * np.tile(B, A.shape),
        bait="no outer product",
    ),
]

WRONG += [
    wrong("kronecker-product", "swapped", lambda A, B: np.kron(B, A), "the factors swapped"),
    wrong(
        "kronecker-product",
        "no transpose",
        lambda A, B: (
            np.multiply.outer(A, B).reshape(len(A) * len(B), -1)
            if A.size and B.size
            else np.kron(A, B)
        ),
        "reshaped without moving the axes",
    ),
    wrong(
        "kronecker-product",
        "memory order",
        lambda A, B: np.kron(A.ravel(order="K").reshape(A.shape), B),
        "reads one factor in the order of memory",
    ),
]

# --- weighted means ---------------------------------------------------------------------------


def _by_quotient_rule(x, w):
    total = (1 + w * w).sum()
    return w * w / total, (2 * w * x * total - 2 * w * (w * w * x).sum()) / total**2


RIGHT += [
    right(
        "shrunk-mean",
        "autograd",
        lambda x, w: (w.square() * x).sum() / (1 + w.square()).sum(),
        kind="autograd",
    ),
    right(
        "shrunk-mean",
        "weights first",
        lambda x, w: x @ (w.square() / (1 + w.square()).sum()),
        kind="autograd",
        bait="divided before adding",
    ),
    right(
        "shrunk-mean",
        "by the quotient rule",
        _by_quotient_rule,
        bait="the quotient rule as it is written, which cancels",
        dtype=("float64", "float32"),  # in float16: among the wrong ones
    ),
]

WRONG += [
    # Once among the right ones, in every dtype: inf for 1.94 at x = (31, 0), w = (7, 10).
    wrong(
        "shrunk-mean",
        "quotient rule in float16",
        _by_quotient_rule,
        "products over a square, which overflow in float16",
        dtype="float16",
    ),
    wrong(
        "shrunk-mean",
        "n for one",
        lambda x, w: (
            w * w / (1 + w @ w),
            2 * w * (x - (w * w * x).sum() / (1 + w @ w)) / (1 + w @ w),
        ),
        "one prior for all, not one each",
    ),
    wrong(
        "shrunk-mean",
        "mean detached",
        lambda x, w: (w.square() * x).sum() / (1 + w.square()).sum().detach(),
        "the total detached",
        kind="autograd",
    ),
    wrong(
        "shrunk-mean",
        "absolute weights",
        lambda x, w: (
            w * w / (1 + w * w).sum(),
            2 * abs(w) * (x - (w * w * x).sum() / (1 + w * w).sum()) / (1 + w * w).sum(),
        ),
        "the weight's sign lost",
    ),
    wrong(
        "shrunk-mean",
        "factor two",
        lambda x, w: (
            w * w / (1 + w * w).sum(),
            w * (x - (w * w * x).sum() / (1 + w * w).sum()) / (1 + w * w).sum(),
        ),
        "the inner derivative forgotten",
    ),
]

# --- means of means ---------------------------------------------------------------------------


def _welford(X):
    mean = X.dtype.type(0)
    for k, x in enumerate(X.ravel(), start=1):
        mean = mean + (x - mean) / X.dtype.type(k)
    return mean


def _kahan(X):
    total = error = X.dtype.type(0)
    for x in X.ravel():
        term = x - error
        new = total + term
        error = (new - total) - term
        total = new
    return total / X.dtype.type(X.size)


RIGHT += [
    right("mean-of-row-means", "running mean", _welford, bait="a running mean, never a sum"),
    right("mean-of-row-means", "compensated", _kahan, bait="compensated summation"),
    right("mean-of-row-means", "columns first", lambda X: X.mean(axis=0).mean()),
    right(
        "mean-of-row-means",
        "in float16",
        lambda X: X.mean(dtype=torch.float32).half(),
        kind="torch",
        bait="half precision, added in another",
        dtype="float16",
    ),
]

WRONG += [
    wrong(
        "mean-of-row-means",
        "batches of four",
        lambda X: np.mean([X[k : k + 4].mean() for k in range(0, len(X), 4)]),
        "a last batch that is smaller counts as much",
    ),
    wrong(
        "mean-of-row-means",
        "of row sums",
        lambda X: X.sum(axis=1).mean(),
        "not divided by the columns",
    ),
    wrong(
        "mean-of-row-means",
        "n - 1",
        lambda X: X.sum() / max(X.size - 1, 1),
        "one less than the number of elements",
    ),
    wrong(
        "mean-of-row-means",
        "memory",
        lambda X: X.as_strided((X.numel(),), (1,)).mean(),
        "the elements that come next in memory",
        kind="torch",
    ),
    wrong(
        "mean-of-row-means",
        "count in float16",
        lambda X: X.mean(dtype=torch.float32),
        "float32 comes out of float16",
        kind="torch",
        dtype="float16",
    ),
]

# --- counts -----------------------------------------------------------------------------------

RIGHT += [
    right("scaled-counts", "cast", lambda x, k: x * k.astype(x.dtype)),
    right("scaled-counts", "torch", lambda x, k: k * x, kind="torch", bait="mixes two kinds"),
]

WRONG += [
    wrong(
        "scaled-counts",
        "as integers",
        lambda x, k: (x.astype(int) * k).astype(x.dtype),
        "cut to integers first",
    ),
    wrong(
        "scaled-counts",
        "in a byte",
        lambda x, k: x * k.astype(np.int8).astype(x.dtype),
        "the count kept in a byte",
    ),
    wrong(
        "scaled-counts",
        "unsigned",
        lambda x, k: x * np.abs(k).astype(x.dtype),
        "the count's sign lost",
    ),
]
