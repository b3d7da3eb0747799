"""The array that records what is done to it: operators and indexing become graph nodes.

It holds no numbers, so a formula can't branch on them; what it can't record it refuses, with the
line. The functions of the array API are in `namespace`.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any, NoReturn

from verimath.errors import FormulaError
from verimath.formula import operations as op
from verimath.formula.dimension import Dimension, dimension
from verimath.formula.graph import Node
from verimath.formula.indexing import indexed
from verimath.formula.literals import read_literal
from verimath.formula.refusing import Refusing
from verimath.formula.source import here, refused
from verimath.shapes import shape_text, total_size


def as_node(value: Any) -> Node:
    """The node of an array, a size or a number.

    Raises FormulaError for anything else.
    """
    if isinstance(value, TracedArray):
        return value.node
    if isinstance(value, Dimension):
        return build(op.size, value.size)
    if isinstance(value, bool) or not isinstance(value, int | float | Fraction):
        raise refused(
            f"a {type(value).__name__} can't take part in a formula; "
            "wanted arrays from the domain, numbers, or `xp.asarray([...])`"
        )
    return build(op.constant, value)


def as_array(value: Any) -> "TracedArray":
    """A traced array of an array, a size or a number."""
    return TracedArray(as_node(value))


def build(constructor: Callable[..., Node], *arguments: Any) -> Node:
    """Make a node; a shape error gets the line of the formula that caused it."""
    try:
        return constructor(*arguments, line=here())
    except FormulaError as error:
        raise refused(str(error)) from None


def apply(constructor: Callable[..., Node], *arguments: Any) -> "TracedArray":
    """Make a node, wrapped as an array."""
    return TracedArray(build(constructor, *arguments))


def axes_of(x: Node, axis: Any) -> tuple[int, ...]:
    """The axes that `axis` names (all of them for None), counted from the first.

    Raises FormulaError for an axis that isn't there, or is named twice.
    """
    rank = len(x.shape)
    if axis is None:
        return tuple(range(rank))
    wanted = axis if isinstance(axis, tuple) else (axis,)
    for a in wanted:
        if not isinstance(a, int) or not -rank <= a < rank:
            raise refused(
                f"axis {a!r} of an array of shape {shape_text(x.shape)}, which has {rank} axes"
            )
    found = tuple(a % rank for a in wanted)
    if len(set(found)) < len(found):
        raise refused(f"axes {wanted} name one axis twice")
    return found


def power(x: Any, exponent: Any) -> "TracedArray":
    """X to an exponent that the formula writes as a number.

    Raises FormulaError for any other exponent.
    """
    if isinstance(exponent, bool) or not isinstance(exponent, int | float | Fraction):
        raise refused("an exponent has to be a number written in the formula, such as 2 or 0.5")
    return apply(op.power, as_node(x), _rational(exponent))


def _rational(exponent: int | float | Fraction) -> Fraction:
    if not isinstance(exponent, float):
        return Fraction(exponent)
    try:
        value = read_literal(exponent)
    except ValueError:
        raise refused(f"the exponent {exponent} is no real number") from None
    if not value.is_rational:
        raise refused(f"the exponent {value} is not rational")
    if value.unit != "1":
        # Read to two ulp it would be another function at large x, which no bound knows of.
        raise refused(f"the exponent {exponent!r} is {value} but for rounding; write {value}")
    return value.factor


def compare(how: str, a: Any, b: Any) -> "TracedArray":
    """A comparison as a mask."""
    return apply(op.compare, how, as_node(a), as_node(b))


def _negated(mask: "TracedArray") -> "TracedArray":
    return apply(op.logical, "not", mask.node)


class TracedArray(Refusing):
    """An array of the standard (data-apis.org) that records operations; it holds no numbers."""

    __slots__ = ("node",)
    __array_priority__ = 1000
    device = "none"

    def __init__(self, node: Node) -> None:
        self.node = node

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The namespace of the formulas; every version of the standard reads the same."""
        # Its functions make arrays: it knows this class, so it can't be known here.
        from verimath.formula.namespace import NAMESPACE

        return NAMESPACE

    @property
    def dtype(self) -> str:
        """What kind of numbers: "real", "integer" or "boolean"."""
        return self.node.kind

    @property
    def shape(self) -> tuple[int | Dimension, ...]:
        """Sizes: plain integers where the domain fixes them, else symbolic."""
        return tuple(dimension(size) for size in self.node.shape)

    @property
    def ndim(self) -> int:
        """Number of axes, always a plain integer."""
        return len(self.node.shape)

    @property
    def size(self) -> int | Dimension:
        """Number of elements."""
        return dimension(total_size(self.node.shape))

    @property
    def T(self) -> "TracedArray":
        """Transpose of a matrix."""
        if self.ndim != 2:
            raise refused(f".T of an array of {self.ndim} axes; wanted 2 (or use xp.permute_dims)")
        return apply(op.transpose, self.node)

    @property
    def mT(self) -> "TracedArray":
        """Transpose of the last two axes."""
        if self.ndim < 2:
            raise refused(f".mT of an array of {self.ndim} axes; wanted at least 2")
        return apply(op.transpose, self.node)

    def __add__(self, other: Any) -> "TracedArray":
        return apply(op.add, self.node, as_node(other))

    def __radd__(self, other: Any) -> "TracedArray":
        return apply(op.add, as_node(other), self.node)

    def __sub__(self, other: Any) -> "TracedArray":
        return apply(op.subtract, self.node, as_node(other))

    def __rsub__(self, other: Any) -> "TracedArray":
        return apply(op.subtract, as_node(other), self.node)

    def __mul__(self, other: Any) -> "TracedArray":
        return apply(op.multiply, self.node, as_node(other))

    def __rmul__(self, other: Any) -> "TracedArray":
        return apply(op.multiply, as_node(other), self.node)

    def __truediv__(self, other: Any) -> "TracedArray":
        return apply(op.divide, self.node, as_node(other))

    def __rtruediv__(self, other: Any) -> "TracedArray":
        return apply(op.divide, as_node(other), self.node)

    def __matmul__(self, other: Any) -> "TracedArray":
        return apply(op.matmul, self.node, as_node(other))

    def __rmatmul__(self, other: Any) -> "TracedArray":
        return apply(op.matmul, as_node(other), self.node)

    def __pow__(self, exponent: Any) -> "TracedArray":
        return power(self, exponent)

    def __neg__(self) -> "TracedArray":
        return apply(op.function, "negative", self.node)

    def __pos__(self) -> "TracedArray":
        return self

    def __abs__(self) -> "TracedArray":
        return apply(op.function, "abs", self.node)

    def __lt__(self, other: Any) -> "TracedArray":
        return compare("less", self, other)

    def __le__(self, other: Any) -> "TracedArray":
        return compare("less_equal", self, other)

    def __gt__(self, other: Any) -> "TracedArray":
        return compare("less", other, self)

    def __ge__(self, other: Any) -> "TracedArray":
        return compare("less_equal", other, self)

    def __eq__(self, other: object) -> "TracedArray":  # pyright: ignore[reportIncompatibleMethodOverride]
        return compare("equal", self, other)

    def __ne__(self, other: object) -> "TracedArray":  # pyright: ignore[reportIncompatibleMethodOverride]
        return _negated(compare("equal", self, other))

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __invert__(self) -> "TracedArray":
        return _negated(self)

    def __and__(self, other: Any) -> "TracedArray":
        return apply(op.logical, "and", self.node, as_node(other))

    def __or__(self, other: Any) -> "TracedArray":
        return apply(op.logical, "or", self.node, as_node(other))

    def __getitem__(self, key: Any) -> "TracedArray":
        keys = key if isinstance(key, tuple) else (key,)
        plain = [k.node if isinstance(k, TracedArray) else k for k in keys]
        return apply(indexed, self.node, plain)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)  # protocols probe for these
        raise refused(
            f"`.{name}` is no attribute of the array API standard; "
            "use functions of `xp = array_namespace(x)`"
        )

    def __repr__(self) -> str:
        return f"TracedArray{shape_text(self.node.shape)}"
