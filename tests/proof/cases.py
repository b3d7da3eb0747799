"""Identities and gradients that hold for every size: what the normal form has to prove."""

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from array_api_compat import array_namespace as ns

from tests.proof.exact import _each, _matrices, einsum, solved
from verimath.composites import (
    attention,
    batch_norm,
    binary_cross_entropy,
    cross_entropy,
    layer_norm,
    logsumexp,
    mean_squared_error,
    norm,
    relu,
    softmax,
)
from verimath.formula.derive import derive
from verimath.formula.trace import trace
from verimath.shapes import parse_shape


@dataclass(frozen=True)
class Case:
    """`left` equals `right`; with `wrt`, the gradient of `left` does."""

    left: object
    right: object
    shapes: dict
    wrt: str | None = None
    structures: dict = field(default_factory=dict)

    def traced(self):
        """The graphs of both sides, and the formula that was differentiated or None."""
        shapes = {name: parse_shape(text).expand({}) for name, text in self.shapes.items()}
        left, right = trace(self.left, shapes), trace(self.right, shapes)
        if self.wrt is None:
            return left.outputs, right, None
        return derive(left, (self.wrt,)).derivatives.outputs, right, left

    def draw(self, numbers, random, largest=3):
        """Sizes and inputs of a random point of the domain."""
        names = sorted({n for text in self.shapes.values() for n in parse_shape(text).names})
        sizes = {name: random.randint(1, largest) for name in names}
        inputs = {}
        for name, text in self.shapes.items():
            shape = tuple(size.at(sizes) for size in parse_shape(text).expand({}))
            drawn = numbers.draw(random, shape)
            inputs[name] = numbers.reduce(structured(numbers, drawn, self.structures.get(name)))
        return sizes, inputs


def structured(numbers, x, structure):
    """A member of a structure, made of free numbers."""
    one = numbers.of(1)
    match structure:
        case None:
            return x
        case "symmetric":
            return x + np.swapaxes(x, -1, -2)
        case "positive definite":
            eye = np.eye(x.shape[-1], dtype=int)
            return einsum(numbers, [(x, "ab"), (x, "cb")], "ac") + eye * one
        case "simplex" | "open simplex":
            x = numbers.reduce(x * x)
            total = numbers.reduce(x.sum(axis=-1, keepdims=True))
            return x * _each(lambda v: numbers.power(v, Fraction(-1)), total)
        case "one-hot":
            shape = x.shape
            places = [hash(v) % shape[-1] for v in x[..., 0].ravel()]
            return np.eye(shape[-1], dtype=object)[places].reshape(shape) * one
        case "binary":
            return _each(lambda v: hash(v) % 2 * one, x)
        case "signs":
            return _each(lambda v: hash(v) % 2 * 2 * one - one, x)
        case "orthogonal":
            n = x.shape[-1]
            k = x - np.swapaxes(x, -1, -2)
            eye = np.eye(n, dtype=object) * one
            return _matrices(numbers, solved, numbers.reduce(eye + k), numbers.reduce(eye - k))
        case "unit":
            length = numbers.reduce((x * x).sum(axis=-1, keepdims=True))
            return x * _each(lambda v: numbers.power(v, Fraction(-1, 2)), length)
    raise ValueError(structure)


def inv(a):
    return ns(a).linalg.inv(a)


def trace_of(a):
    return ns(a).linalg.trace(a)


def outer(a, b):
    return a[:, None] * b[None, :]


def sigmoid(z):
    return 1 / (1 + ns(z).exp(-z))


def plain_softmax(z):
    e = ns(z).exp(z)
    return e / ns(z).sum(e, axis=-1, keepdims=True)


def mean_square(x):
    return ns(x).mean(2 * (x + 1) ** 2)


def mean_square_gradient(x):
    return 4 / x.size * (x + 1)


def layer_norm_gradient(x, c, w):
    xp = ns(x)
    off = x - xp.mean(x, axis=-1, keepdims=True)
    s = xp.sqrt(xp.mean(off * off, axis=-1, keepdims=True) + 1e-5)
    h, g = off / s, c * w
    return (g - xp.mean(g, axis=-1, keepdims=True) - h * xp.mean(g * h, axis=-1, keepdims=True)) / s


def batch_norm_gradient(x, c, w):
    xp = ns(x)
    off = x - xp.mean(x, axis=0, keepdims=True)
    s = xp.sqrt(xp.mean(off * off, axis=0, keepdims=True) + 1e-5)
    h, g = off / s, c * w
    return (g - xp.mean(g, axis=0, keepdims=True) - h * xp.mean(g * h, axis=0, keepdims=True)) / s


def attention_gradient(which):
    def gradient(q, k, v, c):
        xp = ns(q)
        s = q.shape[-1] ** 0.5
        p = plain_softmax(q @ k.T / s)
        dp = c @ v.T
        ds = p * (dp - xp.sum(dp * p, axis=-1, keepdims=True)) / s
        return {"q": ds @ k, "k": ds.T @ q, "v": p.T @ c}[which]

    return gradient


def block_product(A, B, C, D):
    Ai = inv(A)
    S = inv(D - C @ Ai @ B)
    P, Q, R = Ai + Ai @ B @ S @ C @ Ai, -Ai @ B @ S, -S @ C @ Ai
    return A @ P + B @ R, A @ Q + B @ S, C @ P + D @ R, C @ Q + D @ S


def block_identity(A, B, C, D):
    xp = ns(A)
    n, m = A.shape[0], D.shape[0]
    return xp.eye(n), xp.zeros((n, m)), xp.zeros((m, n)), xp.eye(m)


def diagonal(a):
    return a[:, None] * ns(a).eye(a.shape[0])


def jacobi(A):
    return ns(A).linalg.diagonal(A)


def lower(A):
    return ns(A).tril(A)


def _fixed(split):
    def fixed(A, b):
        M = split(A)
        return inv(M) @ ((M - A) @ (inv(A) @ b) + b)

    return fixed


def _error(split):
    def error(A, b, x):
        M = split(A)
        return inv(M) @ ((M - A) @ x + b) - inv(A) @ b

    def recursion(A, b, x):
        M = split(A)
        return inv(M) @ (M - A) @ (x - inv(A) @ b)

    return error, recursion


def _sor(A):
    return 3 * diagonal(jacobi(A)) + lower(A) - diagonal(jacobi(A))


def kronecker(A, B):
    """(A kron B)[i, k, j, l] = A[i, j] B[k, l], its axes not merged."""
    return A[:, None, :, None] * B[None, :, None, :]


def apply4(K, X):
    """Sum over the last two axes."""
    return ns(X).tensordot(K, X, axes=((2, 3), (0, 1)))


def network(W1, b1, W2, b2, x):
    return ns(x).sum(W2 @ relu(W1 @ x + b1) + b2)


def network_gradient(W1, b1, W2, b2, x):
    xp = ns(x)
    on = xp.where(W1 @ x + b1 > 0, 1.0, 0.0)
    return outer((W2.T @ xp.ones_like(b2)) * on, x)


def _tail(c):
    """The sums of what comes from each place on."""
    xp = ns(c)
    place = xp.arange(c.shape[0])
    return xp.sum(xp.where(place[:, None] <= place[None, :], c[None, :], 0), axis=-1)


SQUARE = {"A": "n n", "b": "n"}
CASES = {
    **{
        f"mean of squares, rank {len(text.split())}": Case(
            mean_square, mean_square_gradient, {"x": text}, "x"
        )
        for text in ("", "n", "n d", "n d e", "a b c d", "a b c d e")
    },
    "chain rule": Case(
        lambda x: ns(x).sum(ns(x).sin(ns(x).exp(x))),
        lambda x: ns(x).cos(ns(x).exp(x)) * ns(x).exp(x),
        {"x": "n d"},
        "x",
    ),
    "chain rule, tanh of affine": Case(
        lambda W, x, b: ns(x).sum(ns(x).tanh(W @ x + b)),
        lambda W, x, b: W.T @ (1 - ns(x).tanh(W @ x + b) ** 2),
        {"W": "h d", "x": "d", "b": "h"},
        "x",
    ),
    "two affine layers": Case(
        lambda W1, b1, W2, b2, x: ns(x).sum(W2 @ (W1 @ x + b1) + b2),
        lambda W1, b1, W2, b2, x: outer(W2.T @ ns(x).ones_like(b2), x),
        {"W1": "h d", "b1": "h", "W2": "o h", "b2": "o", "x": "d"},
        "W1",
    ),
    "linear regression": Case(
        lambda X, w, y: mean_squared_error(X @ w, y),
        lambda X, w, y: 2 / X.shape[0] * (X.T @ (X @ w - y)),
        {"X": "n d", "w": "d", "y": "n"},
        "w",
    ),
    "softmax cross-entropy": Case(
        cross_entropy,
        lambda z, y: (softmax(z) - y) / z.shape[0],
        {"z": "n c", "y": "n c"},
        "z",
        {"y": "simplex"},
    ),
    "softmax cross-entropy, plain": Case(
        lambda z, y: -ns(z).sum(y * ns(z).log(plain_softmax(z))) / z.shape[0],
        lambda z, y: (plain_softmax(z) - y) / z.shape[0],
        {"z": "n c", "y": "n c"},
        "z",
        {"y": "one-hot"},
    ),
    "softmax sums to one": Case(
        lambda z: ns(z).sum(softmax(z), axis=-1),
        lambda z: ns(z).ones((z.shape[0],)),
        {"z": "n c"},
    ),
    "softmax, vector times Jacobian": Case(
        lambda z, t: ns(z).sum(plain_softmax(z) * t),
        lambda z, t: softmax(z) * (t - ns(z).sum(softmax(z) * t, axis=-1, keepdims=True)),
        {"z": "n c", "t": "n c"},
        "z",
    ),
    "softmax of shifted rows": Case(
        lambda z, s: softmax(z + s[:, None]), lambda z, s: softmax(z), {"z": "n c", "s": "n"}
    ),
    "log-sum-exp of shifted rows": Case(
        lambda z, s: logsumexp(z + s[:, None]),
        lambda z, s: logsumexp(z) + s,
        {"z": "n c", "s": "n"},
    ),
    "logistic loss": Case(
        lambda X, w, y: binary_cross_entropy(X @ w, y),
        lambda X, w, y: X.T @ (sigmoid(X @ w) - y) / X.shape[0],
        {"X": "n d", "w": "d", "y": "n"},
        "w",
    ),
    "logistic loss by logarithms": Case(
        lambda X, w, y: (
            -ns(X).mean(y * ns(X).log(sigmoid(X @ w)) + (1 - y) * ns(X).log(1 - sigmoid(X @ w)))
        ),
        lambda X, w, y: X.T @ (sigmoid(X @ w) - y) / X.shape[0],
        {"X": "n d", "w": "d", "y": "n"},
        "w",
    ),
    "logistic loss, Hessian times vector": Case(
        lambda X, w, v: ns(X).sum((X.T @ sigmoid(X @ w) / X.shape[0]) * v),
        lambda X, w, v: X.T @ ((sigmoid(X @ w) * (1 - sigmoid(X @ w))) * (X @ v)) / X.shape[0],
        {"X": "n d", "w": "d", "v": "d"},
        "w",
    ),
    "two-layer ReLU network": Case(
        network,
        network_gradient,
        {"W1": "h d", "b1": "h", "W2": "o h", "b2": "o", "x": "d"},
        "W1",
    ),
    "layer norm": Case(
        lambda x, c, w: ns(x).sum(c * layer_norm(x, w, ns(x).zeros_like(w))),
        layer_norm_gradient,
        {"x": "n d", "c": "n d", "w": "d"},
        "x",
    ),
    "batch norm": Case(
        lambda x, c, w: ns(x).sum(c * batch_norm(x, w, ns(x).zeros_like(w))),
        batch_norm_gradient,
        {"x": "n d", "c": "n d", "w": "d"},
        "x",
    ),
    "length of a vector": Case(norm, lambda x: x / norm(x), {"x": "n"}, "x"),
    "inverse": Case(
        lambda A, B: trace_of(B @ inv(A)),
        lambda A, B: -(inv(A) @ B @ inv(A)).T,
        {"A": "n n", "B": "n n"},
        "A",
    ),
    "log determinant": Case(
        lambda A: ns(A).log(ns(A).linalg.det(A)), lambda A: inv(A).T, {"A": "n n"}, "A"
    ),
    "tr(AX)": Case(lambda A, X: trace_of(A @ X), lambda A, X: A.T, {"A": "n m", "X": "m n"}, "X"),
    "tr(X'AX)": Case(
        lambda A, X: trace_of(X.T @ A @ X),
        lambda A, X: (A + A.T) @ X,
        {"A": "n n", "X": "n k"},
        "X",
    ),
    "tr(X'AX), A symmetric": Case(
        lambda A, X: trace_of(X.T @ A @ X),
        lambda A, X: 2 * A @ X,
        {"A": "n n", "X": "n k"},
        "X",
        {"A": "symmetric"},
    ),
    "tr(AXB)": Case(
        lambda A, X, B: trace_of(A @ X @ B),
        lambda A, X, B: A.T @ B.T,
        {"A": "m n", "X": "n k", "B": "k m"},
        "X",
    ),
    "a'X⁻¹b": Case(
        lambda X, a, b: a @ ns(X).linalg.solve(X, b),
        lambda X, a, b: -outer(ns(X).linalg.solve(X.T, a), ns(X).linalg.solve(X, b)),
        {"X": "n n", "a": "n", "b": "n"},
        "X",
    ),
    "cyclic trace": Case(
        lambda A, B, C: trace_of(A @ B @ C),
        lambda A, B, C: trace_of(B @ C @ A),
        {"A": "n m", "B": "m k", "C": "k n"},
    ),
    "layers collapse": Case(
        lambda X, M, W: (X @ M) @ W,
        lambda X, M, W: X @ (M @ W),
        {"X": "n d", "M": "d k", "W": "k m"},
    ),
    "fixed point of a splitting": Case(
        lambda M, N, b: inv(M) @ (N @ (inv(M - N) @ b) + b),
        lambda M, N, b: inv(M - N) @ b,
        {"M": "n n", "N": "n n", "b": "n"},
    ),
    "error of a splitting": Case(
        lambda M, A, b, x: inv(M) @ ((M - A) @ x + b) - inv(A) @ b,
        lambda M, A, b, x: inv(M) @ (M - A) @ (x - inv(A) @ b),
        {"M": "n n", "A": "n n", "b": "n", "x": "n"},
    ),
    "Jacobi, fixed point": Case(
        _fixed(lambda A: diagonal(jacobi(A))), lambda A, b: inv(A) @ b, SQUARE
    ),
    "Gauss-Seidel, fixed point": Case(_fixed(lower), lambda A, b: inv(A) @ b, SQUARE),
    "SOR, fixed point": Case(_fixed(_sor), lambda A, b: inv(A) @ b, SQUARE),
    "Jacobi, error": Case(*_error(lambda A: diagonal(jacobi(A))), {**SQUARE, "x": "n"}),
    "Gauss-Seidel, error": Case(*_error(lower), {**SQUARE, "x": "n"}),
    "SOR, error": Case(*_error(_sor), {**SQUARE, "x": "n"}),
    "Sherman-Morrison": Case(
        lambda A, u, v: inv(A + outer(u, v)),
        lambda A, u, v: inv(A) - outer(inv(A) @ u, v @ inv(A)) / (1 + v @ inv(A) @ u),
        {"A": "n n", "u": "n", "v": "n"},
    ),
    "Woodbury": Case(
        lambda A, U, C, V: inv(A + U @ C @ V),
        lambda A, U, C, V: inv(A) - inv(A) @ U @ inv(inv(C) + V @ inv(A) @ U) @ V @ inv(A),
        {"A": "n n", "U": "n k", "C": "k k", "V": "k n"},
    ),
    "block inverse": Case(
        block_product, block_identity, {"A": "n n", "B": "n m", "C": "m n", "D": "m m"}
    ),
    "push-through": Case(
        lambda A, B: A @ inv(ns(A).eye(A.shape[1]) + B @ A),
        lambda A, B: inv(ns(A).eye(A.shape[0]) + A @ B) @ A,
        {"A": "n m", "B": "m n"},
    ),
    "inverse of a product": Case(
        lambda A, B: inv(A @ B), lambda A, B: inv(B) @ inv(A), {"A": "n n", "B": "n n"}
    ),
    "inverse of an inverse": Case(lambda A: inv(inv(A)), lambda A: A, {"A": "n n"}),
    "inverse of a transpose": Case(lambda A: inv(A.T), lambda A: inv(A).T, {"A": "n n"}),
    "determinant of a product": Case(
        lambda A, B: ns(A).linalg.det(A @ B.T),
        lambda A, B: ns(A).linalg.det(B) * ns(A).linalg.det(A),
        {"A": "n n", "B": "n n"},
    ),
    "determinant of an inverse": Case(
        lambda A: ns(A).linalg.det(inv(A)), lambda A: 1 / ns(A).linalg.det(A), {"A": "n n"}
    ),
    "matrix determinant lemma": Case(
        lambda A, u, v: ns(A).linalg.det(A + outer(u, v)),
        lambda A, u, v: ns(A).linalg.det(A) * (1 + v @ inv(A) @ u),
        {"A": "n n", "u": "n", "v": "n"},
    ),
    "orthogonal rows": Case(
        lambda Q, x: Q @ (Q.T @ x),
        lambda Q, x: x,
        {"Q": "n n", "x": "n"},
        None,
        {"Q": "orthogonal"},
    ),
    "rotated inverse": Case(
        lambda Q, A: inv(Q @ A @ Q.T),
        lambda Q, A: Q @ inv(A) @ Q.T,
        {"Q": "n n", "A": "n n"},
        None,
        {"Q": "orthogonal"},
    ),
    "Hadamard and diagonals": Case(
        lambda A, B, x: ns(A).linalg.diagonal(A @ diagonal(x) @ B.T),
        lambda A, B, x: (A * B) @ x,
        {"A": "m n", "B": "m n", "x": "n"},
    ),
    "Hadamard and rank one": Case(
        lambda A, x, y: diagonal(x) @ A @ diagonal(y),
        lambda A, x, y: A * outer(x, y),
        {"A": "m n", "x": "m", "y": "n"},
    ),
    "sum of a Hadamard product": Case(
        lambda A, B: ns(A).sum(A * B), lambda A, B: trace_of(A.T @ B), {"A": "m n", "B": "m n"}
    ),
    "vec(AXB)": Case(
        lambda A, X, B: A @ X @ B,
        lambda A, X, B: apply4(kronecker(A, B.T), X),
        {"A": "m n", "X": "n k", "B": "k l"},
    ),
    "product of Kronecker products": Case(
        lambda A, B, C, D: ns(A).tensordot(kronecker(A, B), kronecker(C, D), axes=2),
        lambda A, B, C, D: kronecker(A @ C, B @ D),
        {"A": "m n", "B": "k l", "C": "n p", "D": "l q"},
    ),
    "trace of a Kronecker product": Case(
        lambda A, B: trace_of(trace_of(ns(A).permute_dims(kronecker(A, B), (0, 2, 1, 3)))),
        lambda A, B: trace_of(A) * trace_of(B),
        {"A": "n n", "B": "m m"},
    ),
    **{
        f"attention, d{name}": Case(
            lambda q, k, v, c: ns(q).sum(attention(q, k, v) * c),
            attention_gradient(name),
            {"q": "n d", "k": "m d", "v": "m e", "c": "n e"},
            name,
        )
        for name in "qkv"
    },
    "absolute values": Case(lambda x: ns(x).sum(abs(x)), lambda x: ns(x).sign(x), {"x": "n"}, "x"),
    "variance": Case(
        lambda x: ns(x).mean((x - ns(x).mean(x)) ** 2),
        lambda x: ns(x).mean(x * x) - ns(x).mean(x) ** 2,
        {"x": "n"},
    ),
    "sine and cosine": Case(
        lambda x: ns(x).sum(ns(x).sin(x) ** 2 + ns(x).cos(x) ** 2),
        lambda x: x.shape[0] * ns(x).ones(()),
        {"x": "n"},
    ),
    "running sums, backwards": Case(
        lambda x, c: ns(x).sum(c * ns(x).cumulative_sum(x)),
        lambda x, c: _tail(c),
        {"x": "n", "c": "n"},
        "x",
    ),
}
