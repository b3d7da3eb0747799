"""Inputs that satisfy a hypothesis, made from random rational ones.

A proof may name what it needs of an input: "A symmetric". Which sentences there are is listed in
docs/certificates.md; any other sentence about an input is refused.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

import flint
import numpy as np

from verimath.rechecking.limits import RefusedError

_SENTENCES: tuple[tuple[str, str], ...] = (
    (r"(\S+) symmetric and positive definite", "spd"),
    (r"(\S+) symmetric", "symmetric"),
    (r"(\S+) orthogonal", "orthogonal"),
    (r"(\S+) lower triangular", "lower"),
    (r"(\S+) upper triangular", "upper"),
    (r"rows of (\S+) sum to one", "simplex"),
    (r"rows of (\S+) have length one", "unit"),
)
_GENERIC = re.compile(
    r"off the kinks.*|.* ≠ 0|.* invertible|indices within their axes", re.DOTALL
)  # hold almost everywhere


def structures(hypotheses: Iterable[str]) -> dict[str, str]:
    """Name of an input -> what it is.

    Raises RefusedError for a sentence that isn't known.
    """
    found: dict[str, str] = {}
    for sentence in hypotheses:
        for pattern, structure in _SENTENCES:
            match = re.fullmatch(pattern, sentence)
            if match is not None:
                if found.setdefault(match[1], structure) != structure:
                    raise RefusedError(f"not confirmed: two hypotheses about {match[1]!r}")
                break
        else:
            if _GENERIC.fullmatch(sentence) is None:
                raise RefusedError(f"not confirmed: the hypothesis {sentence[:60]!r} isn't known")
    return found


def impose(structure: str, x: Any) -> Any:
    """An array of the structure, made from a free one.

    Raises RefusedError where the shape can't have it, and ZeroDivisionError where x is singular.
    """
    if x.ndim < 1 or (structure in _SQUARE and (x.ndim < 2 or x.shape[-1] != x.shape[-2])):
        raise RefusedError(f"an input of shape {x.shape} isn't {structure}")
    return _MAKERS[structure](x)


def _swapped(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


def _identity(x: Any) -> Any:
    return np.broadcast_to(np.eye(x.shape[-1], dtype=int).astype(object), x.shape)


def _orthogonal(x: Any) -> Any:
    """Cayley: (I - K)(I + K)⁻¹ for a skew K, with the first row negated in every second one."""
    out = np.empty(x.shape, dtype=object)
    size = x.shape[-1]
    for place in np.ndindex(*x.shape[:-2]):
        skew = [[x[place][i, j] - x[place][j, i] for j in range(size)] for i in range(size)]
        K = flint.fmpq_mat(skew) if size else flint.fmpq_mat(0, 0)
        one = flint.fmpq_mat([[flint.fmpq(int(i == j)) for j in range(size)] for i in range(size)])
        Q = (one - K) * (one + K).inv()
        negate = int(x[place][0, 0].p) % 2
        for i in range(size):
            for j in range(size):
                out[(*place, i, j)] = -Q[i, j] if negate and i == 0 else Q[i, j]
    return out


def _unit(x: Any) -> Any:
    """Stereographic projection: rows of length one with rational coordinates."""
    head, last = x[..., :-1], x[..., -1:]
    square = np.sum(head * head, axis=-1, keepdims=True) + 0 * last
    below = square + 1
    signs = np.vectorize(lambda item: 1 if item > 0 else -1, otypes=[object])(last)
    return np.concatenate([2 * head / below, signs * (square - 1) / below], axis=-1)


def _simplex(x: Any) -> Any:
    squares = x * x
    return squares / np.sum(squares, axis=-1, keepdims=True)


_MAKERS: dict[str, Callable[[Any], Any]] = {
    "spd": lambda x: np.matmul(x, _swapped(x)) + _identity(x),
    "symmetric": lambda x: x + _swapped(x),
    "orthogonal": _orthogonal,
    "lower": lambda x: x * np.tril(np.ones(x.shape[-2:], dtype=int)).astype(object),
    "upper": lambda x: x * np.triu(np.ones(x.shape[-2:], dtype=int)).astype(object),
    "simplex": _simplex,
    "unit": _unit,
}
_SQUARE = ("spd", "symmetric", "orthogonal", "lower", "upper")
