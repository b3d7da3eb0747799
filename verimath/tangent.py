"""Parts of a gradient that nothing determines: directions in which no input of the domain moves.

The symmetric matrices are a subspace. Of a gradient in one of them, <G, H> is determined for all
symmetric H; G itself only up to an antisymmetric matrix, and libraries differ in it. A claim that
declares such a part is judged without it: what is left is compared, and nothing else is let in.
Horn and Johnson, *Matrix Analysis*, 2nd ed., section 0.6.4 (orthogonal complements); Petersen and
Pedersen, *The Matrix Cookbook*, section 2.8 (structured matrices).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Part:
    """A subspace of gradients, the structures whose members don't move in it, and how to leave it.

    `rest` gives an array of the standard without the part, by the last one or two axes; `script`
    is the same for numpy, as text. `spread` bounds the error of the rest by those of the elements.
    """

    structures: frozenset[str]
    axes: int
    rest: Callable[[Any], Any]
    spread: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    script: str
    words: str


def _symmetric(g: Any) -> Any:
    return (g + array_namespace(g).matrix_transpose(g)) / 2


def _centred(g: Any) -> Any:
    return g - array_namespace(g).mean(g, axis=-1, keepdims=True)


def _triangular(side: str) -> frozenset[str]:
    return frozenset(f"{side} triangular, {diagonal} diagonal" for diagonal in ("any", "nonzero"))


PARTS: Mapping[str, Part] = {
    "antisymmetric": Part(
        frozenset(("symmetric", "positive definite")),
        2,
        _symmetric,
        _symmetric,
        "(result + np.swapaxes(result, -1, -2)) / 2",
        "an antisymmetric matrix",
    ),
    "above the diagonal": Part(
        _triangular("lower"),
        2,
        lambda g: array_namespace(g).tril(g),
        np.tril,
        "np.tril(result)",
        "what is above the diagonal",
    ),
    "below the diagonal": Part(
        _triangular("upper"),
        2,
        lambda g: array_namespace(g).triu(g),
        np.triu,
        "np.triu(result)",
        "what is below the diagonal",
    ),
    "constant along rows": Part(
        frozenset(("simplex", "open simplex")),
        1,
        _centred,
        lambda b: b + b.mean(axis=-1, keepdims=True),
        "result - result.mean(axis=-1, keepdims=True)",
        "a constant along rows",
    ),
}


def without(part: Part | None, array: NDArray[Any]) -> NDArray[Any]:
    """The rest of a result, in its own dtype; what has no such part is left to the judge."""
    if part is None or array.ndim < part.axes or array.dtype.kind not in "fO":
        return array
    if part.axes == 2 and array.shape[-1] != array.shape[-2]:
        return array
    with np.errstate(all="ignore"):  # infinities are the judge's business
        return np.asarray(part.rest(array), dtype=array.dtype)
