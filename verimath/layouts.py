"""Layouts of arrays in memory: the same numbers in other places.

Code that takes an array's memory for its numbers (a raw pointer, `ravel("K")`, a `view`) is right
on contiguous arrays only. `placement` says where each element lies; `arranged` is numpy's way of
putting them there, and a backend of another library has its own.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

LAYOUTS = (
    "C",  # one after the other, the last axis fastest
    "fortran",  # the first axis fastest
    "transposed",  # the last two axes swapped in memory
    "strided",  # every second element of a larger array
    "offset",  # not at the start of its memory
    "expanded",  # one element in memory for all that repeat along an axis
    "reversed",  # negative strides
    "read-only",
)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an array's elements lie in a one-dimensional buffer; all numbers count elements."""

    length: int
    offset: int
    strides: tuple[int, ...]

    @property
    def repeats(self) -> tuple[int, ...]:
        """The axes along which nothing moves."""
        return tuple(axis for axis, stride in enumerate(self.strides) if stride == 0)


def placement(array: NDArray[Any], layout: str) -> Placement:
    """Where the elements of an array lie in a layout; as in C where the layout makes no difference.

    Raises ValueError for a layout that nobody knows.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"no layout is called {layout!r}; known: {', '.join(LAYOUTS)}")
    shape = array.shape
    order = list(range(array.ndim))
    if layout == "fortran":
        order.reverse()
    elif layout == "transposed":
        order[-2:] = order[:-3:-1]
    repeated = _repeated(array) if layout == "expanded" else ()
    step = 2 if layout == "strided" else 1
    strides = [0] * array.ndim
    reach = step
    for axis in reversed(order):
        if axis in repeated:
            continue
        strides[axis] = reach
        reach *= max(shape[axis], 1)
        if layout == "strided":
            reach += 1  # rows are not evenly spaced either
    length, offset = max(reach, 1), 0
    if layout == "offset":
        length, offset = length + 1, 1
    if layout == "reversed" and array.size:
        offset = sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
        strides = [-stride for stride in strides]
    return Placement(length, offset, tuple(strides))


def _repeated(array: NDArray[Any]) -> tuple[int, ...]:
    """The axes along which an array repeats its first slice, bit for bit."""
    found: list[int] = []
    for axis in range(array.ndim if array.size else 0):
        first = np.take(array, [0], axis=axis) if array.shape[axis] > 1 else None
        if first is not None:
            same = array == first
            if array.dtype.kind == "f":
                same &= np.signbit(array) == np.signbit(first)
            elif array.dtype.kind == "c":
                same &= np.signbit(np.real(array)) == np.signbit(np.real(first))
                same &= np.signbit(np.imag(array)) == np.signbit(np.imag(first))
            if same.all():
                found.append(axis)
    return tuple(found)


def arranged(array: NDArray[Any], layout: str) -> NDArray[Any]:
    """A copy of an array in a layout: same shape, dtype and bits. Memory between is NaN or huge."""
    if layout == "C":
        return array.copy(order="C")
    place = placement(array, layout)
    buffer = np.full(place.length, filler(array.dtype), dtype=array.dtype)
    size = array.itemsize
    strides, offset = tuple(stride * size for stride in place.strides), place.offset * size
    once = tuple(1 if s == 0 else n for n, s in zip(array.shape, place.strides, strict=True))
    if not prod(array.shape):
        return np.ndarray(array.shape, array.dtype, buffer, 0, strides)
    np.ndarray(once, array.dtype, buffer, offset, strides)[...] = array[tuple(map(slice, once))]
    result = np.ndarray(array.shape, array.dtype, buffer, offset, strides)
    if layout in ("read-only", "expanded"):  # numpy's own broadcast arrays are read-only, too
        result.flags.writeable = False
    return result


def filler(dtype: np.dtype[Any]) -> Any:
    """What lies in memory that belongs to no element: a number that would show."""
    if dtype.kind in "fc":
        return np.nan
    return True if dtype.kind == "b" else np.iinfo(dtype).max
