"""Symbolic sizes as formulas see them: they do arithmetic, and refuse to be branched on.

A branch on a size would silently pick one shape's formula for all shapes.
"""

from typing import Any, NoReturn

from verimath.formula.source import refused
from verimath.shapes import Size


def _as_array(value: Any) -> Any:
    # Arrays know dimensions, too; only a size that leaves the integers needs this way.
    from verimath.formula.traced import as_array

    return as_array(value)


class Dimension:
    """A symbolic number of elements along an axis, as `x.shape[0]` and `x.size` give it."""

    __slots__ = ("size",)

    def __init__(self, size: Size) -> None:
        self.size = size

    def _no_branch(self, what: str) -> NoReturn:
        raise refused(
            f"{what} depends on the size {self.size}, which stands for every size at once; "
            "a formula may not branch on it (state one claim per case, or fix the size "
            "in the domain's shape string)"
        )

    def __bool__(self) -> NoReturn:
        self._no_branch("a truth value")

    def __eq__(self, other: object) -> NoReturn:  # pyright: ignore[reportIncompatibleMethodOverride]
        self._no_branch("a comparison")

    __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __eq__  # pyright: ignore[reportAssignmentType]
    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __index__(self) -> NoReturn:
        self._no_branch("a plain integer (a range, an index)")

    def __float__(self) -> NoReturn:
        self._no_branch("a plain float (use `size ** 0.5` for a square root)")

    def __repr__(self) -> str:
        return str(self.size)

    def __add__(self, other: Any) -> Any:
        if isinstance(other, int | Dimension):
            return dimension(self.size + _term(other))
        return _as_array(self) + other

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, int | Dimension):
            return dimension(self.size * _term(other))
        return _as_array(self) * other

    __radd__ = __add__
    __rmul__ = __mul__

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, int | Dimension):
            return dimension(self.size + _term(other) * -1)
        return _as_array(self) - other

    def __rsub__(self, other: Any) -> Any:
        return self * -1 + other

    def __neg__(self) -> Any:
        return self * -1

    def __truediv__(self, other: Any) -> Any:
        return _as_array(self) / other

    def __rtruediv__(self, other: Any) -> Any:
        return _as_array(other) / self

    def __pow__(self, exponent: Any) -> Any:
        return _as_array(self) ** exponent

    def __rpow__(self, other: Any) -> NoReturn:
        self._no_branch("an exponent")


def _term(value: "int | Dimension") -> "int | Size":
    return value.size if isinstance(value, Dimension) else value


def size_of(value: Any) -> Size:
    """The `Size` of a number of elements that a formula gives.

    Raises FormulaError for anything but a plain integer that is not negative, or a `Dimension`.
    """
    if isinstance(value, Dimension):
        return value.size
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise refused(f"{value!r} is no size of an axis; wanted e.g. 3 or x.shape[0]")
    return Size.of(value)


def dimension(size: Size) -> int | Dimension:
    """A size as formulas see it: a plain integer where the domain fixes it."""
    number = size.constant
    return Dimension(size) if number is None else number
