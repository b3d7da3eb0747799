"""Indexing: what `x[key]` means for every size, in terms of `gather` and `reshape`.

Slices have to have a length that is a polynomial in the sizes; a start or stop counts from the end
if it is a negative integer, as in Python. A plain integer takes one element of an axis.
"""

from collections.abc import Sequence
from typing import Any

from verimath.errors import FormulaError
from verimath.formula import operations as op
from verimath.formula.dimension import Dimension
from verimath.formula.graph import Node
from verimath.shapes import ONE, Size, shape_text


def indexed(x: Node, keys: Sequence[Any], *, line: str | None = None) -> Node:
    """`x[keys]`, where keys are slices, integers, sizes, integer arrays, `...` and None.

    Raises FormulaError for other keys, too many of them, or a length that is no polynomial.
    """
    dots = sum(key is Ellipsis for key in keys)
    taken = sum(key is not None and key is not Ellipsis for key in keys)
    rest = len(x.shape) - taken
    if rest < 0 or dots > 1:
        raise FormulaError(f"too many indices for an array of shape {shape_text(x.shape)}")
    if sum(isinstance(key, Node) for key in keys) > 1:
        raise FormulaError("indexing by several integer arrays; use xp.take, axis by axis")
    axis = 0
    for key in keys if dots else (*keys, Ellipsis):
        if key is None:
            x = op.reshape(x, [*x.shape[:axis], ONE, *x.shape[axis:]], line=line)
            axis += 1
        elif key is Ellipsis:
            axis += rest
        elif isinstance(key, slice):
            x = _sliced(x, axis, key, line)
            axis += 1
        elif isinstance(key, Node):
            x = op.gather(x, key, axis, line=line)
            axis += len(key.shape)
        elif isinstance(key, int | Dimension) and not isinstance(key, bool):
            place = op.window(ONE, _place(key, x.shape[axis]), line=line)
            x = op.gather(x, place, axis, line=line)
            x = op.reshape(x, [*x.shape[:axis], *x.shape[axis + 1 :]], line=line)
        else:
            raise FormulaError(
                f"an index of type {type(key).__name__}; wanted slices, integers, integer "
                "arrays, `...` or None (use xp.where for masks)"
            )
    return x


def _place(key: int | Dimension, n: Size) -> Size:
    """An index counted from the start."""
    if isinstance(key, Dimension):
        return key.size
    return n + key if key < 0 else Size.of(key)


def _sliced(x: Node, axis: int, key: slice, line: str | None) -> Node:
    step = 1 if key.step is None else key.step
    if not isinstance(step, int) or isinstance(step, bool) or step == 0:
        raise FormulaError(f"a slice with step {step!r}; wanted an integer other than 0")
    n = x.shape[axis]
    if step > 0:
        start = Size.of(0) if key.start is None else _bounded(key.start, n)
        stop = n if key.stop is None else _bounded(key.stop, n)
        length = _divided(stop + start * -1, step)
    else:
        start = n + -1 if key.start is None else _bounded(key.start, n)
        stop = Size.of(-1) if key.stop is None else _bounded(key.stop, n)
        length = _divided(start + stop * -1, -step)
    if start == Size.of(0) and length == n and step == 1:
        return x
    return op.gather(x, op.window(length, start, step=step, line=line), axis, line=line)


def _bounded(key: Any, n: Size) -> Size:
    """An end of a slice; where the size is fixed, it is cut off there as Python does."""
    if not isinstance(key, int | Dimension) or isinstance(key, bool):
        raise FormulaError(f"a slice up to {key!r}; wanted integers or sizes")
    place = _place(key, n)
    known, size = place.constant, n.constant
    if known is not None and size is not None:
        return Size.of(min(max(known, 0), size))
    return place


def _divided(length: Size, step: int) -> Size:
    """How many steps fit: length / step, rounded up."""
    if length.constant is not None:
        return Size.of(max(-(-length.constant // step), 0))
    if any(coefficient % step for names, coefficient in length.terms if names):
        raise FormulaError(
            f"a slice of {length} elements in steps of {step} has no length that holds for "
            "every size; make the size a multiple in the domain, such as reals('2*n')"
        )
    steps = Size.of(0)
    for names, coefficient in length.terms:
        # The sizes' part is a multiple of the step: only the constant is rounded up.
        steps = steps + Size(((names, -(-coefficient // step)),))
    return steps
