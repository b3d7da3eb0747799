"""Exactly structured arrays: rows that sum to one, inverses that exist, columns at right angles.

Rounding a structured array to a dtype breaks its structure: the rows no longer sum to one, and what
follows from that is false there. So a structured array is never rounded. It is *made* from free
numbers (any array of the same shape) anew for every dtype, from operations that are exact in it:
integers times a power of two, small enough for the dtype's precision. Whatever the free numbers
are, the result has the structure; all zeros make the simplest one. Shrinking therefore works on the
free numbers, and what it ends with has the structure still.

Free numbers come as float64 arrays of shape (count, *shape), members go out alike and hold numbers
of the dtype. "Exact" means: the property holds for the real numbers that the elements are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from verimath.dtypes import carrier, largest, least_normal, nearest, roundoff

Values = NDArray[np.float64]
Make = Callable[[Values, str], Values]

# A product of two triangular matrices with entries below 4, no more than this many of them in a
# sum, has elements up to 4 * 4 * 16 = 2^8: exact in bfloat16 (8 bits) for integers, and in a dtype
# of p bits for multiples of 2^-((p-8)/2).
_BAND = 16
_LARGEST_ENTRY = 4.0
_PRODUCT_BITS = 8


@dataclass(frozen=True, slots=True)
class Structure:
    """How members are made of free numbers, and which shapes have any.

    `axes` is how many trailing axes the structure speaks of: 0 each element, 1 rows, 2 square
    matrices. `nonempty` says that there is no member with a row of no elements.
    """

    make: Make
    axes: Literal[0, 1, 2]
    nonempty: bool = False


def precision(dtype: str) -> int:
    """Bits of the significand."""
    return int(-np.log2(roundoff(dtype)))


# --- rows ---


def _simplex(free: Values, dtype: str, *, positive: bool = False) -> Values:
    """Rows of nonnegative multiples of one power of two that sum to one.

    Shares of the row's sum, rounded down to multiples, and what is missing given to those that lost
    most (the method of largest remainders).
    """
    if not free.size:
        return free.copy()
    size = free.shape[-1]
    bits = min(precision(dtype), 44)  # floors of float64 quotients are within one of exact
    if positive:
        bits = max(bits, int(np.ceil(np.log2(size))) + 1)
    units = 2**bits
    least = 1 if positive else 0
    counts = _shares(np.abs(free), units - least * size) + least
    if bits > precision(dtype):  # a multiple beyond the precision is no number of the dtype
        beyond = counts.max(axis=-1, keepdims=True) > 2.0 ** precision(dtype)
        counts = np.where(beyond, _shares(np.ones_like(free), units), counts)
    return counts / units


def _shares(weights: Values, units: int) -> Values:
    """Nonnegative integers in proportion to the weights that sum to `units`, row by row."""
    top = weights.max(axis=-1, keepdims=True)
    scaled = np.divide(weights, top, out=np.zeros_like(weights), where=top > 0)
    scaled[..., :1] += top == 0  # a row of zeros is the first unit vector
    exact = scaled / scaled.sum(axis=-1, keepdims=True) * units
    floors = np.floor(exact)
    missing = units - floors.sum(axis=-1, keepdims=True)
    order = np.argsort(floors - exact, axis=-1, kind="stable")
    place = np.argsort(order, axis=-1, kind="stable")
    floors += place < missing
    # More may have been given than there are, by rounding: the largest gives back.
    largest_one = np.arange(weights.shape[-1]) == np.argmax(floors, axis=-1)[..., None]
    return floors + np.where(largest_one, np.minimum(missing, 0.0), 0.0)


def _one_hot(free: Values, dtype: str) -> Values:
    """One where the largest free number of the row is (the first, if there are several)."""
    if not free.size:
        return free.copy()
    return (np.arange(free.shape[-1]) == np.argmax(free, axis=-1)[..., None]).astype(np.float64)


def _unit(free: Values, dtype: str) -> Values:
    """Rows of Euclidean length one: a signed unit vector, reflected where four numbers are nonzero.

    Rational points of the sphere with denominator 2^k are the signed unit vectors alone in two and
    three dimensions (a sum of three squares that 4 divides has even terms only).
    """
    if not free.size:
        return free.copy()
    size = np.abs(free)
    at = np.argmax(size, axis=-1)[..., None]
    sign = np.where(np.take_along_axis(free, at, axis=-1) < 0, -1.0, 1.0)
    row = np.where(np.arange(free.shape[-1]) == at, sign, 0.0)
    for normal in (_normal(free), _normal(free[..., ::-1])):
        wide = np.count_nonzero(normal, axis=-1, keepdims=True) >= 4
        row = _reflected(row[..., None, :], np.where(wide, normal, 0.0))[..., 0, :]
    return row


def _normal(free: Values) -> Values:
    """A vector of 0 and 1 in size with 0, 1, 2, 4 or 8 nonzero entries: the largest free numbers'.

    I - 2 v v' / v'v is orthogonal (Higham, ASNA, section 19.1), here with a power of two below.
    """
    nonzero = np.count_nonzero(free, axis=-1)[..., None]
    kept = np.minimum(2 ** np.floor(np.log2(np.maximum(nonzero, 1))), 8) * (nonzero > 0)
    order = np.argsort(-np.abs(free), axis=-1, kind="stable")
    place = np.argsort(order, axis=-1, kind="stable")
    return np.where(place < kept, np.sign(free), 0.0)


def _reflected(rows: Values, normal: Values) -> Values:
    """Rows times I - 2 v v' / v'v; as they are where v is zero."""
    square = np.sum(normal * normal, axis=-1)[..., None, None]
    along = np.sum(rows * normal[..., None, :], axis=-1, keepdims=True)
    return rows - 2 * along * normal[..., None, :] / np.maximum(square, 1.0)


# --- square matrices ---


def _integers(free: Values, dtype: str) -> tuple[Values, Values]:
    """Free matrices as multiples of one power of two below 4 in size, and what to scale L L' by."""
    top = np.max(np.abs(free), axis=(-2, -1), keepdims=True, initial=0.0)
    with np.errstate(divide="ignore"):
        exponent = np.log2(np.where(top > 0, top, 1.0))
    # As they are, unless they are large or small.
    shift = np.maximum(np.ceil(exponent - 2), 0.0) + np.minimum(np.floor(exponent + 2), 0.0)
    room = 3.0 if dtype == "float16" else 30.0  # 4^3 * 2^8 is below 65504
    step = 2.0 ** ((precision(dtype) - _PRODUCT_BITS) // 2)
    unit = free * 2.0 ** -np.maximum(shift, -1000.0)
    unit = np.clip(unit, -_LARGEST_ENTRY, _LARGEST_ENTRY)
    return np.rint(unit * step) / step, 4.0 ** np.clip(shift, -room, room)


def _factor(entries: Values) -> Values:
    """Lower triangular, with nonzero diagonal and a band below it."""
    size = entries.shape[-1]
    lower = np.tril(entries, -1) - np.tril(entries, -_BAND)
    return lower + np.eye(size) * _pivots(entries)[..., None, :]


def _pivots(entries: Values) -> Values:
    diagonal = np.abs(np.diagonal(entries, axis1=-2, axis2=-1))
    return np.where(diagonal == 0, 1.0, diagonal)


def _positive_definite(free: Values, dtype: str) -> Values:
    """The matrix L L' of a lower triangular L with positive diagonal."""
    entries, scale = _integers(free, dtype)
    factor = _factor(entries)
    return factor @ factor.swapaxes(-1, -2) * scale


def _invertible(free: Values, dtype: str) -> Values:
    """P L U: unit lower triangular, upper triangular with nonzero diagonal, rows interchanged."""
    entries, scale = _integers(free, dtype)
    size = entries.shape[-1]
    factor = _factor(entries)
    unit = factor - np.eye(size) * (_pivots(entries) - 1)[..., None, :]
    upper = np.triu(entries, 1) + np.eye(size) * _pivots(entries)[..., None, :]
    # Where the first row goes last, the second one begins with a zero: a pivot that fails.
    last = (np.diagonal(free, axis1=-2, axis2=-1) < 0)[..., None, :]
    unit = np.where(last & (np.eye(size) == 0), 0.0, unit)
    return _interchanged(unit @ upper * scale, free)


def _interchanged(matrix: Values, free: Values) -> Values:
    """Rows whose free diagonal is negative come last: elimination without pivoting meets zeros."""
    last = np.diagonal(free, axis1=-2, axis2=-1) < 0
    order = np.argsort(last, axis=-1, kind="stable")
    return np.take_along_axis(matrix, order[..., None], axis=-2)


def _well_conditioned(free: Values, dtype: str) -> Values:
    """P (D + E): 1 <= D <= 2, rows and columns of |E| sum to at most 1/2.

    So ||E|| <= 1/2 in the 2-norm (Higham, ASNA, section 6.2: ||E||^2 <= ||E||_1 ||E||_inf), and the
    condition number is at most (2 + 1/2) / (1 - 1/2) = 5.
    """
    top = np.max(np.abs(free), axis=(-2, -1), keepdims=True, initial=0.0)
    share = np.divide(free, top, out=np.zeros_like(free), where=top > 0)
    size = free.shape[-1]
    eye = np.eye(size)
    room = 2.0 ** -np.ceil(np.log2(max(2 * size, 2)))
    off = _truncated(share * room, dtype) * (1 - eye)
    diagonal = 1 + np.minimum(np.abs(np.diagonal(free, axis1=-2, axis2=-1)), 1.0)
    rounded = nearest(diagonal, dtype).astype(np.float64)
    return _interchanged(off + eye * rounded[..., None, :], free)


def _truncated(values: Values, dtype: str) -> Values:
    """Numbers of the dtype no larger than these in size."""
    near = nearest(values, dtype).astype(np.float64)
    smaller = near * (1 - 2 * roundoff(dtype))
    return np.where(np.abs(near) > np.abs(values), nearest(smaller, dtype), near)


def _symmetric(free: Values, dtype: str) -> Values:
    """What is below the diagonal, above it, too."""
    lower = np.tril(_finite(free, dtype))
    return lower + np.tril(lower, -1).swapaxes(-1, -2)


def _finite(free: Values, dtype: str) -> Values:
    top = largest(dtype)
    return np.clip(nearest(free, dtype).astype(np.float64), -top, top)


def _dominant(free: Values, dtype: str) -> Values:
    """|a_ii| exceeds the sum of the other |a_ij|, strictly, in every row."""
    size = free.shape[-1]
    eye = np.eye(size)
    room = largest(dtype) / (8 * (size + 1))
    off = np.clip(_finite(free, dtype), -room, room)
    off = nearest(off, dtype).astype(np.float64) * (1 - eye)
    total = np.sum(np.abs(off), axis=-1)
    given = np.clip(np.diagonal(free, axis1=-2, axis2=-1), -room, room)
    # Rounding up a sum in float64 and then to the dtype: four roundoffs and one step of the least
    # numbers are more than enough.
    least = total * (1 + 4 * roundoff(dtype) + size * 2.0**-50) + 4 * least_normal(dtype)
    diagonal = np.where(total > 0, least, 0.0) + np.abs(given)
    diagonal = np.where(diagonal == 0, 1.0, diagonal)
    diagonal = np.where(given < 0, -diagonal, diagonal)
    return off + eye * _outward(diagonal, dtype)[..., None, :]


def _outward(values: Values, dtype: str) -> Values:
    """Numbers of the dtype, none smaller than the least normal one in size."""
    least = least_normal(dtype)
    values = np.where(np.abs(values) < least, np.copysign(least, values), values)
    return nearest(values, dtype).astype(np.float64)


def _orthogonal(free: Values, dtype: str) -> Values:
    """A product of up to three reflections; the first rows of free numbers are their normals."""
    size = free.shape[-1]
    rows = np.broadcast_to(np.eye(size), free.shape)
    for k in range(min(3, size)):
        rows = _reflected(rows, _normal(np.rint(free[..., k, :])))
    return rows + 0.0  # no negative zeros


def _triangular(free: Values, dtype: str, *, upper: bool, diagonal: str) -> Values:
    values = _finite(free, dtype)
    size = free.shape[-1]
    kept = np.triu(values) if upper else np.tril(values)
    if diagonal == "any":
        return kept
    own = np.diagonal(values, axis1=-2, axis2=-1)
    own = np.ones_like(own) if diagonal == "unit" else np.where(own == 0, 1.0, own)
    return np.where(np.eye(size) > 0, own[..., None, :], kept)


# --- elements ---


def _binary(free: Values, dtype: str) -> Values:
    return (free != 0).astype(np.float64)


def _signs(free: Values, dtype: str) -> Values:
    return np.where(free < 0, -1.0, 1.0)


STRUCTURES: Mapping[str, Structure] = {
    "simplex": Structure(_simplex, 1, nonempty=True),
    "open simplex": Structure(lambda x, t: _simplex(x, t, positive=True), 1, nonempty=True),
    "one-hot": Structure(_one_hot, 1, nonempty=True),
    "unit": Structure(_unit, 1, nonempty=True),
    "positive definite": Structure(_positive_definite, 2),
    "invertible": Structure(_invertible, 2),
    "well-conditioned": Structure(_well_conditioned, 2),
    "symmetric": Structure(_symmetric, 2),
    "diagonally dominant": Structure(_dominant, 2),
    "orthogonal": Structure(_orthogonal, 2),
    **{
        f"{'upper' if upper else 'lower'} triangular, {diagonal} diagonal": Structure(
            lambda x, t, upper=upper, diagonal=diagonal: _triangular(
                x, t, upper=upper, diagonal=diagonal
            ),
            2,
        )
        for upper in (False, True)
        for diagonal in ("any", "nonzero", "unit")
    },
    "binary": Structure(_binary, 0),
    "signs": Structure(_signs, 0),
}


def separated(values: NDArray[np.floating], low: float, high: float, dtype: str) -> Values:
    """Numbers of a dtype moved apart until no two of an example are equal, in the same order.

    `values` are numbers of the dtype between the limits, of shape (count, ...). Equal ones keep
    the order of their places. Steps are of one where there is room, else from one number of the
    dtype to the next; there have to be enough numbers between the limits.
    """
    count = values.shape[0]
    flat = np.array(values, dtype=carrier(dtype)).reshape(count, -1)
    order = np.argsort(flat, axis=-1, kind="stable")
    sorted_ = np.take_along_axis(flat, order, axis=-1).astype(np.float64)
    for row in range(count):
        if sorted_.shape[1] > 1 and np.any(np.diff(sorted_[row]) <= 0):
            wide = _by_ones(sorted_[row], dtype)
            ordinals = _apart(_ordinal(sorted_[row], dtype), low, high, dtype)
            with np.errstate(invalid="ignore"):  # beyond the largest number there is no room
                roomy = np.all(np.diff(wide) > 0) and wide[-1] <= high
            sorted_[row] = wide if roomy else _of_ordinal(ordinals, dtype)
    result = np.empty_like(sorted_)
    np.put_along_axis(result, order, sorted_, axis=-1)
    return result.reshape(values.shape)


def _by_ones(ascending: Values, dtype: str) -> Values:
    """Each number, or one more than the number before it if that is larger."""
    steps = np.arange(ascending.size)
    found = np.maximum.accumulate(ascending - steps) + steps
    untouched = np.concatenate([[True], np.diff(ascending) > 0]) & (found == ascending)
    rounded = nearest(found, dtype).astype(np.float64)
    return np.where(untouched, ascending, rounded)


def _apart(ordinals: NDArray[np.int64], low: float, high: float, dtype: str) -> NDArray[np.int64]:
    """Strictly ascending ordinals between the limits, as near as going up and then down gets."""
    steps = np.arange(ordinals.size)
    top = largest(dtype)
    ends = _ordinal(np.array([max(low, -top), min(high, top)]), dtype)
    found = np.maximum.accumulate(ordinals - steps) + steps
    return np.minimum(found, ends[1] - steps[::-1])


def how_many(low: float, high: float, dtype: str) -> int:
    """How many finite numbers of the dtype lie between two of its numbers (zero counts once)."""
    top = largest(dtype)
    ends = _ordinal(np.array([max(low, -top), min(high, top)]), dtype)
    return int(ends[1]) - int(ends[0]) + 1


def _ordinal(values: Values, dtype: str) -> NDArray[np.int64]:
    """The place of each number among those of its dtype, zero at 0."""
    held = np.asarray(np.abs(values), dtype=carrier(dtype))
    bits = held.view(f"i{held.itemsize}").astype(np.int64)
    if dtype == "bfloat16":
        bits >>= 16
    return np.where(values < 0, -bits, bits)


def _of_ordinal(ordinals: NDArray[np.int64], dtype: str) -> Values:
    bits = np.abs(ordinals) << (16 if dtype == "bfloat16" else 0)
    kind = carrier(dtype)
    size = bits.astype(f"i{kind.itemsize}").view(kind).astype(np.float64)
    return np.where(ordinals < 0, -size, size)
