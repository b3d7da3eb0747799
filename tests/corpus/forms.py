"""Bilinear and quadratic forms and traces: gradients that are a product of matrices."""

import numpy as np
import torch
from array_api_compat import array_namespace

from verimath import Claim, Domain, Gradient, reals

from tests.corpus.case import right, wrong  # isort: skip

_COOKBOOK = "Petersen and Pedersen, The Matrix Cookbook (2012), "


def _trace(x):
    return array_namespace(x).linalg.trace(x)


CLAIMS = [
    Claim(
        id="quadratic-form",
        title="The gradient of x'Ax is (A + A')x",
        source=_COOKBOOK + "equation 81",
        domain=Domain(A=reals("n n"), x=reals("n")),
        statement=Gradient(of=lambda A, x: x @ (A @ x), wrt="x", equals=lambda A, x: (A + A.T) @ x),
    ),
    Claim(
        id="trace-linear",
        title="The gradient of tr(AX) is A'",
        source=_COOKBOOK + "equation 100",
        domain=Domain(A=reals("m n"), X=reals("n m")),
        statement=Gradient(of=lambda A, X: _trace(A @ X), wrt="X", equals=lambda A, X: A.T),
    ),
    Claim(
        id="trace-quadratic",
        title="The gradient of tr(X'AX) is (A + A')X",
        source=_COOKBOOK + "equation 108",
        domain=Domain(A=reals("n n"), X=reals("n d")),
        statement=Gradient(
            of=lambda A, X: _trace(X.T @ A @ X), wrt="X", equals=lambda A, X: A @ X + A.T @ X
        ),
    ),
    Claim(
        id="trace-between",
        title="The gradient of tr(AXB) is A'B'",
        source=_COOKBOOK + "equation 101",
        domain=Domain(A=reals("m n"), X=reals("n k"), B=reals("k m")),
        statement=Gradient(
            of=lambda A, X, B: _trace(A @ X @ B), wrt="X", equals=lambda A, X, B: A.T @ B.T
        ),
    ),
    Claim(
        id="chain-product",
        title="The gradients of u'ABv in A and B are u(Bv)' and (A'u)v'",
        source=_COOKBOOK + "equation 70",
        domain=Domain(u=reals("m"), A=reals("m n"), B=reals("n k"), v=reals("k")),
        statement=Gradient(
            of=lambda u, A, B, v: u @ (A @ (B @ v)),
            wrt=("A", "B"),
            equals=lambda u, A, B, v: (u[:, None] * (B @ v), (A.T @ u)[:, None] * v),
        ),
    ),
]


# --- x'Ax -------------------------------------------------------------------------------------


def _element_by_element(A, x):
    found = np.zeros_like(x)
    for i in range(len(x)):
        for j in reversed(range(len(x))):
            found[i] += A[i, j] * x[j] + A[j, i] * x[j]
    return found


def _in_place(A, x):
    A += A.T.copy()
    return A @ x


def _row_pointers(A, x):
    n = len(x)
    dense = A.as_strided((n, n), (n, 1))  # the way a kernel walks that gets a pointer and n
    return dense @ x + dense.T @ x


def _in_blocks_of_eight(A, x):
    found = np.zeros_like(x)
    S = A + A.T
    for start in range(0, len(x) - len(x) % 8 if len(x) > 8 else len(x), 8):
        found += S[:, start : start + 8] @ x[start : start + 8]
    return found


class _Form(torch.autograd.Function):
    @staticmethod
    def forward(ctx, A, x):
        ctx.save_for_backward(A, x)
        return x @ A @ x

    @staticmethod
    def backward(ctx, c):
        A, x = ctx.saved_tensors
        return c * torch.outer(x, x), c * (A @ x + A.mT @ x)


class _IgnoredCotangent(_Form):
    @staticmethod
    def backward(ctx, c):
        A, x = ctx.saved_tensors
        return torch.outer(x, x), A @ x + A.mT @ x


class _SquaredCotangent(_Form):
    @staticmethod
    def backward(ctx, c):
        A, x = ctx.saved_tensors
        return c * torch.outer(x, x), (A @ x + A.mT @ x) * c.abs()


RIGHT = [
    right(
        "quadratic-form",
        "element by element, backwards",
        _element_by_element,
        bait="another order of summation",
    ),
    right("quadratic-form", "einsum", lambda A, x: np.einsum("ij,j->i", A, x) + x @ A),
    right("quadratic-form", "custom function", _Form.apply, kind="autograd"),
    right(
        "quadratic-form",
        "symmetric part alone",
        lambda A, x: x @ ((A + A.mT) / 2) @ x,
        kind="autograd",
        bait="another matrix in the form, with the same values",
    ),
    right(
        "quadratic-form",
        "float16 in float32",
        lambda A, x: ((A.float() + A.mT.float()) @ x.float()).half(),
        kind="torch",
        dtype="float16",
        bait="half precision, added in another",
    ),
]

WRONG = [
    wrong("quadratic-form", "2 A x", lambda A, x: 2 * A @ x, "right for symmetric A alone"),
    wrong("quadratic-form", "A x", lambda A, x: A @ x, "the second factor's term forgotten"),
    wrong("quadratic-form", "in place", _in_place, "adds the transpose into its input"),
    wrong(
        "quadratic-form",
        "row pointers",
        _row_pointers,
        "takes the matrix to be dense in memory",
        kind="torch",
    ),
    wrong(
        "quadratic-form",
        "blocks of eight",
        _in_blocks_of_eight,
        "the rest beyond the last whole block is dropped, above 8",
    ),
    wrong(
        "quadratic-form",
        "ignored cotangent",
        _IgnoredCotangent.apply,
        "the backward ignores its cotangent",
        kind="autograd",
    ),
    wrong(
        "quadratic-form",
        "size of the cotangent",
        _SquaredCotangent.apply,
        "the backward takes its cotangent's size",
        kind="autograd",
    ),
    wrong(
        "quadratic-form",
        "half detached",
        lambda A, x: x @ (A @ x.detach()),
        "one factor detached",
        kind="autograd",
    ),
    wrong(
        "quadratic-form",
        "bfloat16 inside",
        lambda A, x: ((A + A.mT).bfloat16() @ x.bfloat16()).half(),
        "float16 taken through bfloat16",
        kind="torch",
        dtype="float16",
    ),
]

# --- tr(AX) -----------------------------------------------------------------------------------

RIGHT += [
    right("trace-linear", "copied", lambda A, X: A.T.copy()),
    right(
        "trace-linear",
        "sum of the Hadamard product",
        lambda A, X: (A * X.mT).sum(),
        kind="autograd",
        bait="no matrix product at all",
    ),
    right("trace-linear", "torch.trace", lambda A, X: torch.trace(A @ X), kind="autograd"),
    right(
        "trace-linear",
        "cyclic",
        lambda A, X: torch.einsum("ij,ji->", X, A),
        kind="autograd",
        bait="the factors swapped, which a trace doesn't mind",
    ),
]

WRONG += [
    wrong(
        "trace-linear",
        "reshaped",
        lambda A, X: A.reshape(X.shape).copy(),
        "reshaped where a transpose is meant",
    ),
    wrong(
        "trace-linear",
        "sum for trace",
        lambda A, X: (A @ X).sum(),
        "all elements added for the diagonal",
        kind="autograd",
    ),
    wrong(
        "trace-linear",
        "first row for all",
        lambda A, X: np.ascontiguousarray(np.broadcast_to(A.T[:1], X.shape)),
        "the first row broadcast",
    ),
    wrong(
        "trace-linear",
        "double conversion",
        lambda A, X: A.T.astype(np.float32).astype(X.dtype),
        "through float32",
    ),
    wrong(
        "trace-linear",
        "memory order",
        lambda A, X: A.ravel(order="K").reshape(A.shape).T.copy(),
        "reads the elements in the order of memory",
    ),
]

# --- tr(X'AX) ---------------------------------------------------------------------------------


def _column_by_column(A, X):
    columns = [A @ x + x @ A for x in X.T]
    return np.stack(columns, axis=1) if columns else np.zeros_like(X)


def _first_column(A, X):
    return (A + A.T) @ X[:, :1] + 0 * X if X.shape[1] else np.zeros_like(X)


RIGHT += [
    right("trace-quadratic", "column by column", _column_by_column, bait="X' A for A' X"),
    right(
        "trace-quadratic",
        "sum of products",
        lambda A, X: (X * (A @ X)).sum(),
        kind="autograd",
        bait="a trace without a trace",
    ),
    right(
        "trace-quadratic",
        "einsum",
        lambda A, X: torch.einsum("ij,ik,kj->", X, A, X),
        kind="autograd",
    ),
]

WRONG += [
    wrong("trace-quadratic", "2 A X", lambda A, X: 2 * (A @ X), "right for symmetric A alone"),
    wrong("trace-quadratic", "(A + A') x1", _first_column, "the first column used for all"),
    wrong(
        "trace-quadratic",
        "A - A'",
        lambda A, X: A @ X - A.T @ X,
        "a minus between the two terms",
    ),
    wrong(
        "trace-quadratic",
        "tr(X'A X) over d",
        lambda A, X: (
            torch.trace(X.mT @ A @ X) / max(X.shape[1] - 1, 1) * max(X.shape[1] - 1, 1)
            if X.shape[1] < 6
            else torch.trace(X.mT @ A @ X) / 2
        ),
        "another formula from six columns on",
        kind="autograd",
    ),
]

# --- tr(AXB) ----------------------------------------------------------------------------------

RIGHT += [
    right(
        "trace-between", "(BA)'", lambda A, X, B: (B @ A).T.copy(), bait="the transposed product"
    ),
    right(
        "trace-between",
        "cyclic",
        lambda A, X, B: torch.trace(X @ (B @ A)),
        kind="autograd",
        bait="the factors in another order",
    ),
    right(
        "trace-between", "einsum", lambda A, X, B: np.einsum("ij,ki->jk", A, B), bait="no transpose"
    ),
]

WRONG += [
    wrong(
        "trace-between",
        "BA reshaped",
        lambda A, X, B: (B @ A).reshape(X.shape),
        "B A in the shape of its transpose",
    ),
    wrong(
        "trace-between",
        "diagonal of AX alone",
        lambda A, X, B: ((A @ X) * B.mT.detach().abs()).sum(),
        "B's signs dropped",
        kind="autograd",
    ),
    wrong(
        "trace-between",
        "first inner index",
        lambda A, X, B: np.outer(A[0], B[:, 0]) if len(A) else np.zeros_like(X),
        "the sum over the outer index dropped",
    ),
    wrong(
        "trace-between",
        "mean",
        lambda A, X, B: A.T @ B.T / X.dtype.type(max(len(A), 1)),
        "averaged over the outer index",
    ),
]

# --- u'ABv ------------------------------------------------------------------------------------

RIGHT += [
    right(
        "chain-product",
        "outer products",
        lambda u, A, B, v: (np.outer(u, B @ v), np.outer(u @ A, v)),
    ),
    right(
        "chain-product",
        "from the left",
        lambda u, A, B, v: ((u @ A) @ B) @ v,
        kind="autograd",
        bait="multiplied in another order",
    ),
    right(
        "chain-product",
        "matrices first",
        lambda u, A, B, v: u @ (A @ B) @ v,
        kind="autograd",
        bait="a matrix product that nobody needs",
    ),
]

WRONG += [
    wrong(
        "chain-product",
        "A's own gradient in B",
        lambda u, A, B, v: (np.outer(u, B @ v), np.outer(np.abs(A).T @ u, v)),
        "A's signs dropped on the way back",
    ),
    wrong(
        "chain-product",
        "second gradient for first",
        lambda u, A, B, v: (np.outer(u, B @ v), np.outer(A.T @ u, v) * (1 if len(u) < 7 else 0)),
        "zero for vectors longer than six",
    ),
    wrong(
        "chain-product",
        "one gradient",
        lambda u, A, B, v: np.outer(u, B @ v),
        "the gradient in B is missing",
    ),
    wrong(
        "chain-product",
        "B detached in small",
        lambda u, A, B, v: u @ (A @ (torch.where(B.abs() < 0.1, B.detach(), B) @ v)),
        "small weights get no gradient",
        kind="autograd",
    ),
]
