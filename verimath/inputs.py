"""The inputs that a domain can have beside `reals` and `given`: named ranges and exact structure.

Every function takes a shape string and returns an `Input`; docs/domains.md lists them.
"""

from typing import Any, Literal

from verimath.domain import Input, checked_range
from verimath.errors import ClaimError
from verimath.shapes import Shape, Size, parse_shape
from verimath.structure import STRUCTURES


def positive(shape: str = "", max_value: float | None = None) -> Input:
    """Real numbers greater than zero. Raises ClaimError as `reals` does."""
    text = _text("positive", shape, max_value=max_value)
    spec = Input(parse_shape(shape), 0.0, max_value, exclude_min=True, text=text)
    return checked_range(spec)


def nonzero(
    shape: str = "", min_value: float | None = None, max_value: float | None = None
) -> Input:
    """Real numbers other than zero. Raises ClaimError as `reals` does."""
    text = _text("nonzero", shape, min_value=min_value, max_value=max_value)
    spec = Input(parse_shape(shape), min_value, max_value, exclude_zero=True, text=text)
    return checked_range(spec)


def unit_interval(
    shape: str = "", *, exclude_min: bool = False, exclude_max: bool = False
) -> Input:
    """Real numbers from 0 to 1, with or without the ends."""
    text = _text("unit_interval", shape, exclude_min=exclude_min, exclude_max=exclude_max)
    parsed = parse_shape(shape)
    return Input(parsed, 0.0, 1.0, exclude_min=exclude_min, exclude_max=exclude_max, text=text)


def distinct(
    shape: str = "n", min_value: float | None = None, max_value: float | None = None
) -> Input:
    """Real numbers of which no two in the array are equal, in any dtype.

    Raises ClaimError as `reals` does. Sizes for which a dtype has too few numbers aren't drawn.
    """
    text = _text("distinct", shape, min_value=min_value, max_value=max_value)
    spec = Input(parse_shape(shape), min_value, max_value, distinct=True, text=text)
    return checked_range(spec)


def simplex(shape: str, *, positive: bool = False) -> Input:
    """Rows (along the last axis) of nonnegative real numbers that sum to one exactly.

    `positive=True` leaves out the rows with a zero. Raises ClaimError for a shape without an axis.
    """
    name = "open simplex" if positive else "simplex"
    return _structured(name, shape, _text("simplex", shape, positive=positive))


def one_hot(shape: str) -> Input:
    """Rows (along the last axis) with a one and zeros. Raises ClaimError for no axis."""
    return _structured("one-hot", shape, _text("one_hot", shape))


def unit_vectors(shape: str) -> Input:
    """Rows (along the last axis) of Euclidean length one, exactly.

    In two and three dimensions these are the signed unit vectors alone: binary fractions have no
    others. Raises ClaimError for a shape without an axis.
    """
    return _structured("unit", shape, _text("unit_vectors", shape))


def binary(shape: str = "") -> Input:
    """Real numbers that are 0 or 1."""
    return _structured("binary", shape, _text("binary", shape))


def signs(shape: str = "") -> Input:
    """Real numbers that are -1 or 1."""
    return _structured("signs", shape, _text("signs", shape))


def masks(shape: str = "") -> Input:
    """Truth values, as an array of bool."""
    return Input(parse_shape(shape), kind="boolean", text=_text("masks", shape))


def integers(shape: str = "", min_value: int | None = None, max_value: int | None = None) -> Input:
    """Integers between two bounds (included), as an array of int64.

    Raises ClaimError for bounds that are no integers, beyond 2^53 or in the wrong order.
    """
    for name, bound in (("min_value", min_value), ("max_value", max_value)):
        if bound is not None and (not isinstance(bound, int) or isinstance(bound, bool)):
            raise ClaimError(f"{name}={bound!r} is no integer")
        if bound is not None and abs(bound) > 2**53:
            raise ClaimError(f"{name}={bound} is beyond 2^53, up to which integers are drawn")
    if min_value is not None and max_value is not None and min_value > max_value:
        raise ClaimError(f"no integer lies between min_value={min_value} and max_value={max_value}")
    text = _text("integers", shape, min_value=min_value, max_value=max_value)
    return Input(parse_shape(shape), min_value, max_value, kind="integer", text=text)


def labels(shape: str = "n", *, classes: str | int, ignore_index: int | None = None) -> Input:
    """Numbers of classes from 0 up to (not including) `classes`, as an array of int64.

    `classes` is a size such as "c", 10 or "c+1"; its names are those of another input's dimensions.
    `ignore_index` (often -100) is drawn, too, where it is given. Raises ClaimError for classes that
    are no size, or an `ignore_index` that is no integer.
    """
    axes = parse_shape(str(classes)).axes if isinstance(classes, str | int) else ()
    if isinstance(classes, bool) or len(axes) != 1 or not isinstance(axes[0], Size):
        raise ClaimError(f"classes={classes!r} is no size; wanted e.g. classes='c' or classes=10")
    if ignore_index is not None and not isinstance(ignore_index, int):
        raise ClaimError(f"ignore_index={ignore_index!r} is no integer; wanted e.g. -100")
    if (axes[0].constant or 0) < 0 or axes[0].constant == 0:
        raise ClaimError(f"classes={classes!r} leaves no label; wanted at least one class")
    text = _text("labels", shape, classes=classes, ignore_index=ignore_index)
    return Input(
        parse_shape(shape),
        kind="integer",
        classes=axes[0],
        ignore_index=ignore_index,
        text=text,
    )


def spd(shape: str = "n n") -> Input:
    """Symmetric positive definite matrices: L L', computed without rounding.

    Raises ClaimError, as every function below does, unless the last two axes are equal.
    """
    return _structured("positive definite", shape, _text("spd", shape))


def invertible(shape: str = "n n") -> Input:
    """Square matrices with an inverse, ill-conditioned ones too: P L U, without rounding."""
    return _structured("invertible", shape, _text("invertible", shape))


def well_conditioned(shape: str = "n n") -> Input:
    """Square matrices whose condition number in the 2-norm is at most 5."""
    return _structured("well-conditioned", shape, _text("well_conditioned", shape))


def symmetric(shape: str = "n n") -> Input:
    """Symmetric matrices."""
    return _structured("symmetric", shape, _text("symmetric", shape))


def diagonally_dominant(shape: str = "n n") -> Input:
    """Square matrices with |a_ii| greater than the sum of the row's other |a_ij|."""
    return _structured("diagonally dominant", shape, _text("diagonally_dominant", shape))


def orthogonal(shape: str = "n n") -> Input:
    """Square matrices with Q Q' = I exactly: products of reflections, in binary fractions.

    In two and three dimensions these are the signed permutations alone.
    """
    return _structured("orthogonal", shape, _text("orthogonal", shape))


def triangular(
    shape: str = "n n",
    *,
    upper: bool = False,
    diagonal: Literal["any", "nonzero", "unit"] = "any",
) -> Input:
    """Lower (or upper) triangular matrices.

    Raises ClaimError for a `diagonal` other than "any", "nonzero" (such a matrix has an inverse)
    or "unit" (all ones).
    """
    name = f"{'upper' if upper else 'lower'} triangular, {diagonal} diagonal"
    if name not in STRUCTURES:
        raise ClaimError(f'diagonal={diagonal!r}; wanted "any", "nonzero" or "unit"')
    text = _text("triangular", shape, upper=upper, diagonal="" if diagonal == "any" else diagonal)
    return _structured(name, shape, text)


def _structured(structure: str, shape: str, text: str) -> Input:
    parsed = parse_shape(shape)
    _check_axes(parsed, STRUCTURES[structure].axes, text)
    return Input(parsed, structure=structure, text=text)


def _check_axes(shape: Shape, axes: int, text: str) -> None:
    last = shape.axes[-axes:] if axes else ()
    if len(last) < axes or not all(isinstance(axis, Size) for axis in last):
        wanted = '"n n" or "*batch n n"' if axes == 2 else '"n c" or "*batch c"'
        raise ClaimError(f"{text}: the last axes have to be sizes; wanted e.g. {wanted}")
    if axes == 2 and shape.axes[-1] != shape.axes[-2]:
        raise ClaimError(f'{text}: the matrices have to be square; wanted e.g. "n n"')


def _text(function: str, shape: str, **options: Any) -> str:
    """The call as it is written, without the options that are left at their default."""
    left_out = (None, False, "")
    given = [f"{name}={value!r}" for name, value in options.items() if not _is_any(value, left_out)]
    return f"{function}({', '.join([repr(shape), *given])})".replace("'", '"')


def _is_any(value: object, of: tuple[object, ...]) -> bool:
    """Whether a value is one of these and of its type: 0 is not False."""
    return any(type(value) is type(other) and value == other for other in of)
