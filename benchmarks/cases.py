"""The claims and input distributions of the benchmarks: seeded, so that a number can be made again.

Ten cases (feasibility study, B.1), each with several admissible implementations per library. All
work on a batch: arrays of shape (count, *shape), one implementation call for thousands of examples.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from array_api_compat import array_namespace

from verimath import Claim, Domain, Equal, Gradient, positive, reals, simplex
from verimath.composites import cross_entropy, logsumexp, softmax, standardize
from verimath.dtypes import carrier, nearest

SEED = 20260711
Arrays = dict[str, np.ndarray]
Code = Callable[..., Any]


@dataclass(frozen=True)
class Case:
    """A claim at one size, its inputs, right implementations, and what the study measured.

    `study` is the median bound in units of u |value| of B.1: in float32 (and float64), and in 16
    bits with a float32 accumulator. `cancels` marks long sums whose terms may cancel.
    """

    name: str
    claim: Claim
    sizes: Mapping[str, int]
    draw: Callable[[np.random.Generator, int], Arrays]
    numpy: Mapping[str, Code]
    torch: Mapping[str, Code]
    study: tuple[float, float | None]
    cancels: bool = False
    halves: bool = True  # whether libraries have it in 16 bits


def inputs_of(case: Case, dtype: str, count: int, *, seed: int = SEED) -> Arrays:
    """Inputs of shape (count, *shape), numbers of the dtype, in its carrier."""
    generator = np.random.default_rng([seed, *case.name.encode()])
    drawn = case.draw(generator, count)
    return {name: nearest(values, dtype).astype(carrier(dtype)) for name, values in drawn.items()}


def _claim(name: str, statement: Any, **inputs: Any) -> Claim:
    identity = name.lower().replace(" ", "-")
    return Claim(
        id=identity, title=name, source="B.1", domain=Domain(**inputs), statement=statement
    )


def _scaled(generator: np.random.Generator, count: int, *shape: int, decades: float = 1.5) -> Any:
    """Normal numbers, each example at a scale of its own over twice so many decades."""
    scale = 10 ** generator.uniform(-decades, decades, (count, *[1] * len(shape)))
    return generator.normal(size=(count, *shape)) * scale


def _plain(generator: np.random.Generator, count: int, *shape: int) -> Any:
    return generator.normal(size=(count, *shape))


# --- sums of products -------------------------------------------------------------------------


def _dot(a: Any, b: Any) -> Any:
    return array_namespace(a).sum(a * b)


def _matmul(a: Any, b: Any) -> Any:
    return a @ b


def _one_by_one(terms: Any) -> Any:
    total = terms[..., 0]
    for k in range(1, terms.shape[-1]):
        total = total + terms[..., k]
    return total


def _compensated(terms: Any) -> Any:
    """Kahan's sum (Higham, algorithm 4.2)."""
    total, lost = terms[..., 0], 0 * terms[..., 0]
    for k in range(1, terms.shape[-1]):
        term = terms[..., k] - lost
        bigger = total + term
        lost = (bigger - total) - term
        total = bigger
    return total


def _blocked(terms: Any) -> Any:
    count, n = terms.shape
    return terms.reshape(count, 8, n // 8).sum(-1).sum(-1)


_NUMPY_SUMS = {
    "pairwise": lambda a, b: (a * b).sum(-1),
    "one by one": lambda a, b: _one_by_one(a * b),
    "reversed": lambda a, b: _one_by_one((a * b)[..., ::-1]),
    "blocked": lambda a, b: _blocked(a * b),
    "compensated": lambda a, b: _compensated(a * b),
    "matmul": lambda a, b: (a[:, None] @ b[:, :, None])[:, 0, 0],
    "einsum": lambda a, b: np.einsum("bi,bi->b", a, b),
}
_TORCH_SUMS = {
    "sum": lambda a, b: (a * b).sum(-1),
    "one by one": lambda a, b: _one_by_one(a * b),
    "reversed": lambda a, b: (a * b).flip(-1).sum(-1),
    "blocked": lambda a, b: _blocked(a * b),
    "compensated": lambda a, b: _compensated(a * b),
    "bmm": lambda a, b: torch.bmm(a[:, None], b[:, :, None])[:, 0, 0],
    "addcmul": lambda a, b: _fused(a, b),
}


def _fused(a: Any, b: Any) -> Any:
    total = a[..., 0] * b[..., 0]
    for k in range(1, a.shape[-1]):
        total = torch.addcmul(total, a[..., k], b[..., k])
    return total


def _vectors(generator: np.random.Generator, count: int) -> Arrays:
    return {"a": _scaled(generator, count, 64), "b": _plain(generator, count, 64)}


def _chain(A: Any, B: Any, C: Any, D: Any) -> Any:
    return A @ B @ C @ D


def _chain_right(A: Any, B: Any, C: Any, D: Any) -> Any:
    return A @ (B @ (C @ D))


def _reversed_product(A: Any, B: Any) -> Any:
    xp = array_namespace(A)
    return xp.flip(A, axis=-1) @ xp.flip(B, axis=-2)


def _blocked_product(A: Any, B: Any) -> Any:
    return A[..., :4] @ B[..., :4, :] + A[..., 4:] @ B[..., 4:, :]


_CHAINS = {
    "from the left": _chain,
    "from the right": _chain_right,
    "by pairs": lambda A, B, C, D: (A @ B) @ (C @ D),
    "transposed": lambda A, B, C, D: (D.mT @ C.mT @ B.mT @ A.mT).mT,
    "reversed": lambda A, B, C, D: _reversed_product(
        _reversed_product(_reversed_product(A, B), C), D
    ),
    "blocked": lambda A, B, C, D: _blocked_product(_blocked_product(_blocked_product(A, B), C), D),
}


def _matrices(generator: np.random.Generator, count: int) -> Arrays:
    plain = {name: _plain(generator, count, 8, 8) for name in "BCD"}
    return {"A": _scaled(generator, count, 8, 8), **plain}


# --- gradients --------------------------------------------------------------------------------


def mean_square(x: Any) -> Any:
    return array_namespace(x).mean(2 * (x + 1) ** 2)


def mean_square_gradient(x: Any) -> Any:
    return 4 / x.size * (x + 1)


def _autograd(loss: Code, wrt: str, *names: str) -> Code:
    """The gradient of a loss summed over the batch: that of each example."""

    def gradient(*arrays: Any) -> Any:
        given = [
            a.detach().clone().requires_grad_(n == wrt) for n, a in zip(names, arrays, strict=True)
        ]
        (found,) = torch.autograd.grad(loss(*given).sum(), given[names.index(wrt)])
        return found

    return gradient


_MEANS = {
    "4 / n (x + 1)": lambda x: 4 / 32 * (x + 1),
    "(4 x + 4) / n": lambda x: (4 * x + 4) / 32,
    "2 (2 / n) (x + 1)": lambda x: 2 * (2 / 32) * (x + 1),
    "x / 8 + 1 / 8": lambda x: x / 8 + 1 / 8,
}


def half_square_loss(X: Any, w: Any, y: Any) -> Any:
    return array_namespace(X).mean((X @ w - y) ** 2 / 2)


def half_square_gradient(X: Any, w: Any, y: Any) -> Any:
    return X.T @ (X @ w - y) / X.shape[0]


def _residual(X: Any, w: Any, y: Any) -> Any:
    return (X @ w[..., None])[..., 0] - y


def _rows(X: Any, w: Any, y: Any) -> Any:
    """One row after another, each by a loop."""
    total = 0 * w
    for k in range(X.shape[-2]):
        residual = _one_by_one(X[:, k] * w) - y[:, k]
        total = total + residual[:, None] * X[:, k]
    return total / X.shape[-2]


_LINEAR = {
    "closed form": lambda X, w, y: (X.mT @ _residual(X, w, y)[..., None])[..., 0] / 16,
    "rows": _rows,
    "reversed rows": lambda X, w, y: _rows(
        *(array_namespace(X).flip(x, axis=1) if x is not w else x for x in (X, w, y))
    ),
    "divided first": lambda X, w, y: (X.mT @ (_residual(X, w, y) / 16)[..., None])[..., 0],
    "blocked": lambda X, w, y: (
        (
            (X[:, :8].mT @ _residual(X[:, :8], w, y[:, :8])[..., None])[..., 0]
            + (X[:, 8:].mT @ _residual(X[:, 8:], w, y[:, 8:])[..., None])[..., 0]
        )
        / 16
    ),
}


def _regression(generator: np.random.Generator, count: int) -> Arrays:
    return {
        "X": _scaled(generator, count, 16, 4, decades=1.0),
        "w": _plain(generator, count, 4),
        "y": _plain(generator, count, 16),
    }


def cross_entropy_gradient(z: Any, t: Any) -> Any:
    return (softmax(z, axis=-1) - t) / z.shape[0]


def _np_softmax(z: Any) -> Any:
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _np_log_softmax(z: Any) -> Any:
    off = z - z.max(-1, keepdims=True)
    return off - np.log(np.exp(off).sum(-1, keepdims=True))


def _looped_softmax(z: Any) -> Any:
    xp = array_namespace(z)
    e = xp.exp(z - xp.max(z, axis=-1, keepdims=True))
    return e / _one_by_one(e)[..., None]


def _row_loss(z: Any, t: Any) -> Any:
    return -(t * torch.log_softmax(z, -1)).sum((-2, -1)) / z.shape[-2]


def _fused_loss(z: Any, t: Any) -> Any:
    flat = torch.nn.functional.cross_entropy(
        z.reshape(-1, z.shape[-1]), t.reshape(-1, t.shape[-1]), reduction="none"
    )
    return flat / z.shape[-2]


def _logits(generator: np.random.Generator, count: int) -> Arrays:
    classes = generator.integers(0, 10, (count, 1))
    return {"z": _scaled(generator, count, 1, 10, decades=1.0), "t": np.eye(10)[classes]}


# --- reductions, normalisation, matrices, iterations ------------------------------------------


def _lse(x: Any) -> Any:
    return logsumexp(x, axis=-1)


def _np_lse(x: Any, total: Code = lambda e: e.sum(-1)) -> Any:
    top = x.max(-1, keepdims=True)
    return np.log(total(np.exp(x - top))) + top[..., 0]


def _torch_lse(x: Any, total: Code = lambda e: e.sum(-1)) -> Any:
    top = x.max(-1, keepdim=True).values
    return torch.log(total(torch.exp(x - top))) + top[..., 0]


def _norm(x: Any) -> Any:
    return standardize(x, axis=-1, eps=1e-5)


def _np_norm(x: Any, mean: Code = lambda x: x.mean(-1, keepdims=True)) -> Any:
    off = x - mean(x)
    return off / np.sqrt(mean(off * off) + x.dtype.type(1e-5))


def _torch_norm(x: Any, mean: Code = lambda x: x.mean(-1, keepdim=True)) -> Any:
    off = x - mean(x)
    return off / torch.sqrt(mean(off * off) + 1e-5)


def _mean_by_loop(x: Any) -> Any:
    return (_one_by_one(x) / x.shape[-1])[..., None]


def _mean_compensated(x: Any) -> Any:
    return (_compensated(x) / x.shape[-1])[..., None]


def _inverse(A: Any) -> Any:
    return array_namespace(A).linalg.inv(A)


def _gauss_jordan(A: Any) -> Any:
    """With partial pivoting, on a batch."""
    count, n, _ = A.shape
    work = np.concatenate([A, np.broadcast_to(np.eye(n, dtype=A.dtype), A.shape)], -1)
    every = np.arange(count)
    for k in range(n):
        pivot = k + np.abs(work[:, k:, k]).argmax(-1)
        top = work[every, pivot].copy()
        work[every, pivot] = work[:, k]
        work[:, k] = top / top[:, k, None]
        for i in range(n):
            if i != k:
                work[:, i] = work[:, i] - work[:, i, k, None] * work[:, k]
    return work[..., n:]


def _invertible(generator: np.random.Generator, count: int) -> Arrays:
    return {"A": _scaled(generator, count, 3, 3)}


def jacobi(R: Any, d: Any, b: Any) -> Any:
    """20 Jacobi iterations for (diag(d) + R) x = b, from b / d."""
    x = b / d
    for _ in range(20):
        x = (b - R @ x) / d
    return x


def _jacobi_by(product: Code) -> Code:
    def iterate(R: Any, d: Any, b: Any) -> Any:
        x = b / d
        for _ in range(20):
            x = (b - product(R, x)) / d
        return x

    return iterate


_JACOBIS = {
    "matmul": _jacobi_by(lambda R, x: (R @ x[..., None])[..., 0]),
    "sums": _jacobi_by(lambda R, x: (R * x[:, None]).sum(-1)),
    "one by one": _jacobi_by(lambda R, x: _one_by_one(R * x[:, None])),
    "reversed": _jacobi_by(
        lambda R, x: _one_by_one(array_namespace(R).flip(R * x[:, None], axis=-1))
    ),
    "compensated": _jacobi_by(lambda R, x: _compensated(R * x[:, None])),
}


def _dominant(generator: np.random.Generator, count: int) -> Arrays:
    R = generator.uniform(-1, 1, (count, 4, 4)) * (1 - np.eye(4))
    rows = np.abs(R).sum(-1)
    return {
        "R": R,
        "d": rows * generator.uniform(2, 6, (count, 4)) + 0.25,
        "b": _scaled(generator, count, 4),
    }


CASES = (
    Case(
        "dot 64 as products",
        _claim("dot as products", Equal(left=_dot, right=_dot), a=reals("n"), b=reals("n")),
        {"n": 64},
        _vectors,
        _NUMPY_SUMS,
        _TORCH_SUMS,
        (479, 8.6),
        cancels=True,
    ),
    Case(
        "dot 64 as matmul",
        _claim("dot as matmul", Equal(left=_matmul, right=_matmul), a=reals("n"), b=reals("n")),
        {"n": 64},
        _vectors,
        _NUMPY_SUMS,
        _TORCH_SUMS,
        (483, 1.1),
        cancels=True,
    ),
    Case(
        "chain of 4, 8x8",
        _claim(
            "chain",
            Equal(left=_chain, right=_chain_right),
            **{name: reals("n n") for name in "ABCD"},
        ),
        {"n": 8},
        _matrices,
        {**_CHAINS, "einsum": lambda *x: np.einsum("zij,zjk,zkl,zlm->zim", *x, optimize=True)},
        _CHAINS,
        (194, 9.9),
        cancels=True,
    ),
    Case(
        "mean(2(x+1)^2) gradient",
        _claim(
            "mean square", Gradient(of=mean_square, wrt="x", equals=mean_square_gradient),
            x=reals("n d"),
        ),
        {"n": 8, "d": 4},
        lambda generator, count: {"x": _scaled(generator, count, 8, 4)},
        _MEANS,
        {**_MEANS, "autograd": _autograd(lambda x: (2 * (x + 1) ** 2).mean((-2, -1)), "x", "x")},
        (3.0, 3.0),
    ),
    Case(
        "linear regression gradient 16x4",
        _claim(
            "linear regression",
            Gradient(of=half_square_loss, wrt="w", equals=half_square_gradient),
            X=reals("n d"), w=reals("d"), y=reals("n"),
        ),
        {"n": 16, "d": 4},
        _regression,
        _LINEAR,
        {
            **_LINEAR,
            "autograd": _autograd(
                lambda X, w, y: (_residual(X, w, y) ** 2 / 2).mean(-1), "w", "X", "w", "y"
            ),
        },
        (46, 6.4),
        cancels=True,
    ),
    Case(
        "softmax CE gradient 1x10",
        _claim(
            "cross entropy", Gradient(of=cross_entropy, wrt="z", equals=cross_entropy_gradient),
            z=reals("n c"), t=simplex("n c"),
        ),
        {"n": 1, "c": 10},
        _logits,
        {
            "e / sum e": lambda z, t: _np_softmax(z) - t,
            "exp(log softmax)": lambda z, t: np.exp(_np_log_softmax(z)) - t,
            "sum by a loop": lambda z, t: _looped_softmax(z) - t,
        },
        {
            "softmax": lambda z, t: torch.softmax(z, -1) - t,
            "exp(log softmax)": lambda z, t: torch.log_softmax(z, -1).exp() - t,
            "sum by a loop": lambda z, t: _looped_softmax(z) - t,
            "autograd": _autograd(_row_loss, "z", "z", "t"),
            "fused loss": _autograd(_fused_loss, "z", "z", "t"),
        },
        (21, 13),
    ),
    Case(
        "logsumexp 16",
        _claim("logsumexp", Equal(left=_lse, right=_lse), x=reals("n")),
        {"n": 16},
        lambda generator, count: {"x": _scaled(generator, count, 16, decades=1.0)},
        {
            "shifted": _np_lse,
            "sum by a loop": lambda x: _np_lse(x, _one_by_one),
            "reversed": lambda x: _np_lse(x[..., ::-1], _one_by_one),
            "blocked": lambda x: _np_lse(x, _blocked),
            "compensated": lambda x: _np_lse(x, _compensated),
        },
        {
            "logsumexp": lambda x: torch.logsumexp(x, -1),
            "shifted": _torch_lse,
            "sum by a loop": lambda x: _torch_lse(x, _one_by_one),
            "compensated": lambda x: _torch_lse(x, _compensated),
        },
        (7.6, 3.2),
    ),
    Case(
        "layer norm 16",
        _claim("layer norm", Equal(left=_norm, right=_norm), x=reals("n")),
        {"n": 16},
        lambda generator, count: {"x": _scaled(generator, count, 16)},
        {
            "two passes": _np_norm,
            "means by loops": lambda x: _np_norm(x, _mean_by_loop),
            "reversed": lambda x: _np_norm(x[..., ::-1], _mean_by_loop)[..., ::-1],
            "compensated": lambda x: _np_norm(x, _mean_compensated),
        },
        {
            "layer_norm": lambda x: torch.nn.functional.layer_norm(x, (16,), eps=1e-5),
            "two passes": _torch_norm,
            "means by loops": lambda x: _torch_norm(x, _mean_by_loop),
            "compensated": lambda x: _torch_norm(x, _mean_compensated),
        },
        (38, 8.0),
    ),
    Case(
        "inverse 3x3",
        _claim("inverse", Equal(left=_inverse, right=_inverse), A=reals("n n")),
        {"n": 3},
        _invertible,
        {
            "inv": np.linalg.inv,
            "solve": lambda A: np.linalg.solve(A, np.zeros_like(A) + np.eye(3, dtype=A.dtype)),
            "Gauss-Jordan": _gauss_jordan,
        },
        {
            "inv": torch.linalg.inv,
            "solve": lambda A: torch.linalg.solve(A, torch.eye(3, dtype=A.dtype).expand_as(A)),
        },
        (62, None),
        halves=False,
    ),
    Case(
        "Jacobi, 20 iterations",
        _claim(
            "jacobi", Equal(left=jacobi, right=jacobi),
            R=reals("n n"), d=positive("n"), b=reals("n"),
        ),
        {"n": 4},
        _dominant,
        _JACOBIS,
        _JACOBIS,
        (27, 13),
    ),
)  # fmt: skip

# --- gradients of n numbers, against gradcheck (part D); sizes against a plain evaluation (B.4) ---


def _lines(n: int, rows: int = 64) -> Arrays:
    generator = np.random.default_rng([SEED, n])
    return {
        "X": generator.normal(size=(rows, n)),
        "w": generator.normal(size=n),
        "y": generator.normal(size=rows),
    }


def _one_hot(rows: int, n: int) -> Arrays:
    generator = np.random.default_rng([SEED, rows, n])
    classes = generator.integers(0, n, rows)
    return {
        "z": generator.normal(size=(rows, n)),
        "t": _zeros_and_ones(classes, n),
    }


def _zeros_and_ones(classes: np.ndarray, n: int) -> np.ndarray:
    found = np.zeros((len(classes), n))
    found[np.arange(len(classes)), classes] = 1.0
    return found


def _torch_half_square(X: Any, w: Any, y: Any) -> Any:
    return ((X @ w - y) ** 2 / 2).mean()


def _torch_cross_entropy(z: Any, t: Any) -> Any:
    return -(t * torch.log_softmax(z, -1)).sum() / z.shape[0]


@dataclass(frozen=True)
class GradientCase:
    """A gradient that gradcheck can check, too: the claim, torch's loss, inputs by size n."""

    name: str
    claim: Claim
    loss: Code
    batched: Code  # the losses of a batch, shape (count,)
    wrt: str
    inputs: Callable[[int], Arrays]
    sizes: Callable[[int], dict[str, int]]


def _case(name: str) -> Case:
    return next(case for case in CASES if case.name.startswith(name))


GRADIENTS = (
    GradientCase(
        "linear regression, 64 rows",
        _case("linear regression").claim,
        _torch_half_square,
        lambda X, w, y: (_residual(X, w, y) ** 2 / 2).mean(-1),
        "w",
        _lines,
        lambda n: {"n": 64, "d": n},
    ),
    GradientCase(
        "softmax cross-entropy, n classes",
        _case("softmax CE").claim,
        _torch_cross_entropy,
        _row_loss,
        "z",
        lambda n: _one_hot(1, n),
        lambda n: {"n": 1, "c": n},
    ),
)


def _product(a: Any, b: Any) -> Any:
    return a @ b


@dataclass(frozen=True)
class OracleCase:
    """A formula at an ordinary size, and its plain numpy evaluation in float32."""

    name: str
    claim: Claim
    sizes: dict[str, int]
    inputs: Callable[[], Arrays]
    plain: Code


ORACLES = (
    OracleCase(
        "CE gradient 64x100",
        _case("softmax CE").claim,
        {"n": 64, "c": 100},
        lambda: _one_hot(64, 100),
        lambda z, t: (_np_softmax(z) - t) / np.float32(64),
    ),
    OracleCase(
        "linear regression gradient 64x32",
        _case("linear regression").claim,
        {"n": 64, "d": 32},
        lambda: _lines(32),
        lambda X, w, y: X.T @ (X @ w - y) / np.float32(64),
    ),
    OracleCase(
        "matmul 64",
        _claim("matmul", Equal(left=_product, right=_product), a=reals("n n"), b=reals("n n")),
        {"n": 64},
        lambda: {
            name: np.random.default_rng([SEED, k]).normal(size=(64, 64))
            for k, name in enumerate("ab")
        },
        _product,
    ),
)
