"""The array that records what is done to it.

`trace` calls a formula with `TracedArray`s; every operator and array-API function makes a graph
node instead of a number. Sizes are `Dimension`s: they do arithmetic, and refuse to be compared or
turned into a number, because a branch on a size would silently pick one shape's formula for all.
Python variables of the formula give their names to the steps of a derivation.
"""

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from traceback import extract_tb
from types import FrameType
from typing import Any, NoReturn

from verimath.errors import FormulaError
from verimath.formula import operations as op
from verimath.formula.graph import Formula, Node, Subscripts
from verimath.formula.literals import read_literal
from verimath.shapes import ONE, Size, shape_text, total_size

_OWN_FOLDER = str(Path(__file__).parent)
_MACHINERY = frozenset({"array_api_compat", "numpy"})


def _is_machinery(file: str) -> bool:
    return file.startswith(_OWN_FOLDER) or not _MACHINERY.isdisjoint(Path(file).parts)


def _line() -> str:
    """Where the formula's author is: the innermost frame outside this file's machinery."""
    frame = inspect.currentframe()
    assert frame is not None  # CPython has frames
    while frame.f_back is not None and _is_machinery(frame.f_code.co_filename):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


def _line_of(error: Exception) -> str:
    """Where in the author's files an exception passed last, with a colon, or nothing."""
    frames = [f for f in extract_tb(error.__traceback__) if not _is_machinery(f.filename)]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}: " if frames else ""


def _fail(reason: str) -> NoReturn:
    raise FormulaError(f"{_line()}: {reason}")


class Dimension:
    """A symbolic number of elements along an axis, as `x.shape[0]` and `x.size` give it."""

    __slots__ = ("size",)

    def __init__(self, size: Size) -> None:
        self.size = size

    def _no_branch(self, what: str) -> NoReturn:
        _fail(
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
            return _dimension(self.size + _term(other))
        return _as_array(self) + other

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, int | Dimension):
            return _dimension(self.size * _term(other))
        return _as_array(self) * other

    __radd__ = __add__
    __rmul__ = __mul__

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, int | Dimension):
            return _dimension(self.size + _term(other) * -1)
        return _as_array(self) - other

    def __rsub__(self, other: Any) -> Any:
        return self * -1 + other

    def __neg__(self) -> Any:
        return self * -1

    def __truediv__(self, other: Any) -> "TracedArray":
        return _as_array(self) / other

    def __rtruediv__(self, other: Any) -> "TracedArray":
        return _as_array(other) / self

    def __pow__(self, exponent: Any) -> "TracedArray":
        return _as_array(self) ** exponent

    def __rpow__(self, other: Any) -> NoReturn:
        self._no_branch("an exponent")


def _term(value: "int | Dimension") -> "int | Size":
    return value.size if isinstance(value, Dimension) else value


def _size(value: Any) -> Size:
    if isinstance(value, Dimension):
        return value.size
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        _fail(f"{value!r} is no size of an axis; wanted e.g. 3 or x.shape[0]")
    return Size.of(value)


def _dimension(size: Size) -> int | Dimension:
    number = size.constant
    return Dimension(size) if number is None else number


def _as_node(value: Any) -> Node:
    if isinstance(value, TracedArray):
        return value.node
    if isinstance(value, Dimension):
        return _build(op.size, value.size)
    if isinstance(value, bool) or not isinstance(value, int | float | Fraction):
        _fail(
            f"a {type(value).__name__} can't take part in a formula; "
            "wanted arrays from the domain, numbers, or `xp.asarray([...])`"
        )
    return _build(op.constant, value)


def _as_array(value: Any) -> "TracedArray":
    return TracedArray(_as_node(value))


def _build(constructor: Callable[..., Node], *arguments: Any) -> Node:
    """Make a node; a shape error gets the line of the formula that caused it."""
    try:
        return constructor(*arguments, line=_line())
    except FormulaError as error:
        _fail(str(error))


def _apply(constructor: Callable[..., Node], *arguments: Any) -> "TracedArray":
    return TracedArray(_build(constructor, *arguments))


def _axes(x: Node, axis: Any) -> tuple[int, ...]:
    rank = len(x.shape)
    if axis is None:
        return tuple(range(rank))
    wanted = axis if isinstance(axis, tuple) else (axis,)
    for a in wanted:
        if not isinstance(a, int) or not -rank <= a < rank:
            _fail(f"axis {a!r} of an array of shape {shape_text(x.shape)}, which has {rank} axes")
    found = tuple(a % rank for a in wanted)
    if len(set(found)) < len(found):
        _fail(f"axes {wanted} name one axis twice")
    return found


def _is_whole(key: Any) -> bool:
    """Whether a key is the slice `:`."""
    return isinstance(key, slice) and all(part is None for part in (key.start, key.stop, key.step))


class TracedArray:
    """An array of the standard (data-apis.org) that records operations; it holds no numbers."""

    __slots__ = ("node",)
    __array_priority__ = 1000
    dtype = "real"
    device = "none"

    def __init__(self, node: Node) -> None:
        self.node = node

    def __array_namespace__(self, *, api_version: str | None = None) -> "Namespace":
        """The namespace of the formulas; every version of the standard reads the same."""
        return NAMESPACE

    @property
    def shape(self) -> tuple[int | Dimension, ...]:
        """Sizes: plain integers where the domain fixes them, else symbolic."""
        return tuple(_dimension(size) for size in self.node.shape)

    @property
    def ndim(self) -> int:
        """Number of axes, always a plain integer."""
        return len(self.node.shape)

    @property
    def size(self) -> int | Dimension:
        """Number of elements."""
        return _dimension(total_size(self.node.shape))

    @property
    def T(self) -> "TracedArray":
        """Transpose of a matrix."""
        if self.ndim != 2:
            _fail(f".T of an array of {self.ndim} axes; wanted 2 (or use xp.permute_dims)")
        return NAMESPACE.permute_dims(self, (1, 0))

    @property
    def mT(self) -> "TracedArray":
        """Transpose of the last two axes."""
        return NAMESPACE.matrix_transpose(self)

    def __add__(self, other: Any) -> "TracedArray":
        return NAMESPACE.add(self, other)

    def __radd__(self, other: Any) -> "TracedArray":
        return NAMESPACE.add(other, self)

    def __sub__(self, other: Any) -> "TracedArray":
        return NAMESPACE.subtract(self, other)

    def __rsub__(self, other: Any) -> "TracedArray":
        return NAMESPACE.subtract(other, self)

    def __mul__(self, other: Any) -> "TracedArray":
        return NAMESPACE.multiply(self, other)

    def __rmul__(self, other: Any) -> "TracedArray":
        return NAMESPACE.multiply(other, self)

    def __truediv__(self, other: Any) -> "TracedArray":
        return NAMESPACE.divide(self, other)

    def __rtruediv__(self, other: Any) -> "TracedArray":
        return NAMESPACE.divide(other, self)

    def __matmul__(self, other: Any) -> "TracedArray":
        return NAMESPACE.matmul(self, other)

    def __rmatmul__(self, other: Any) -> "TracedArray":
        return NAMESPACE.matmul(other, self)

    def __pow__(self, exponent: Any) -> "TracedArray":
        return NAMESPACE.pow(self, exponent)

    def __neg__(self) -> "TracedArray":
        return NAMESPACE.negative(self)

    def __pos__(self) -> "TracedArray":
        return self

    def __getitem__(self, key: Any) -> "TracedArray":
        keys: tuple[Any, ...] = key if isinstance(key, tuple) else (key,)
        if not all(k is None or k is Ellipsis or _is_whole(k) for k in keys):
            _fail("indexing other than `:`, `...` and `None` is not an operation of formulas yet")
        dots = sum(k is Ellipsis for k in keys)
        rest = self.ndim - sum(isinstance(k, slice) for k in keys)
        if rest < 0 or dots > 1:
            _fail(f"too many indices for an array of shape {shape_text(self.node.shape)}")
        shape: list[Size] = []
        axes = iter(self.node.shape)
        for k in keys if dots else (*keys, Ellipsis):
            if k is None:
                shape.append(ONE)
            else:
                shape.extend(next(axes) for _ in range(rest if k is Ellipsis else 1))
        return _apply(op.reshape, self.node, shape)

    def __array_ufunc__(self, ufunc: Any, *_: Any, **__: Any) -> NoReturn:
        _fail(
            f"numpy's `{ufunc.__name__}` can't take part in a formula; "
            "use the functions of `xp = array_namespace(x)`, such as `xp.exp`"
        )

    def __array_function__(self, function: Any, *_: Any, **__: Any) -> NoReturn:
        _fail(
            f"numpy's `{function.__name__}` can't take part in a formula; "
            "use the functions of `xp = array_namespace(x)`, such as `xp.sum`"
        )

    def __bool__(self) -> NoReturn:
        _fail("a formula may not branch on the value of an array")

    def __eq__(self, other: object) -> NoReturn:  # pyright: ignore[reportIncompatibleMethodOverride]
        _fail("comparisons are not operations of formulas yet")

    __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __eq__  # pyright: ignore[reportAssignmentType]
    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __float__(self) -> NoReturn:
        _fail("an array of a formula holds no number; use array-API functions, not `math`")

    __int__ = __index__ = __complex__ = __float__  # pyright: ignore[reportAssignmentType]

    def __iter__(self) -> NoReturn:
        _fail("a formula may not iterate over an array; use array-API operations")

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        _fail("a formula may not assign into an array; build the result from operations")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)  # protocols probe for these
        _fail(
            f"`.{name}` is no attribute of the array API standard; "
            "use functions of `xp = array_namespace(x)`"
        )

    def __repr__(self) -> str:
        return f"TracedArray{shape_text(self.node.shape)}"


class _Linalg:
    """The `linalg` extension of the namespace, as far as einsum reaches."""

    def __getattr__(self, name: str) -> Any:
        if name in ("matmul", "matrix_transpose", "tensordot", "vecdot"):
            return getattr(NAMESPACE, name)
        _fail(f"`xp.linalg.{name}` is not an operation of formulas yet")

    def trace(self, x: TracedArray) -> TracedArray:
        batch = self._batch(x)
        return _apply(op.einsum, Subscripts(((*batch, x.ndim, x.ndim),), batch), x.node)

    def diagonal(self, x: TracedArray) -> TracedArray:
        batch, last = self._batch(x), x.ndim
        return _apply(op.einsum, Subscripts(((*batch, last, last),), (*batch, last)), x.node)

    def _batch(self, x: TracedArray) -> tuple[int, ...]:
        if x.ndim < 2:
            _fail(f"a trace or diagonal of an array of {x.ndim} axes; wanted at least 2")
        return tuple(range(x.ndim - 2))

    def outer(self, a: TracedArray, b: TracedArray) -> TracedArray:
        if (a.ndim, b.ndim) != (1, 1):
            _fail(f"an outer product of arrays of {a.ndim} and {b.ndim} axes; wanted 1 and 1")
        return _apply(op.einsum, Subscripts(((0,), (1,)), (0, 1)), a.node, b.node)


class Namespace:
    """The functions of the array API standard that formulas may use."""

    __name__ = "verimath.traced"  # array_namespace compares namespaces by name

    float32 = float64 = "real"
    pi = 3.141592653589793
    e = 2.718281828459045
    newaxis = None
    linalg = _Linalg()

    def __getattr__(self, name: str) -> Any:
        if name in op.FUNCTIONS:
            return lambda x: _apply(op.function, name, _as_node(x))
        if name.startswith("__"):
            raise AttributeError(name)
        known = sorted({n for n in dir(type(self)) if not n.startswith("_")} | set(op.FUNCTIONS))
        _fail(f"`xp.{name}` is not an operation of formulas yet; known: {', '.join(known)}")

    def add(self, a: Any, b: Any) -> TracedArray:
        return _apply(op.add, _as_node(a), _as_node(b))

    def subtract(self, a: Any, b: Any) -> TracedArray:
        return _apply(op.subtract, _as_node(a), _as_node(b))

    def multiply(self, a: Any, b: Any) -> TracedArray:
        return _apply(op.multiply, _as_node(a), _as_node(b))

    def divide(self, a: Any, b: Any) -> TracedArray:
        return _apply(op.divide, _as_node(a), _as_node(b))

    def pow(self, x: Any, exponent: Any) -> TracedArray:
        if isinstance(exponent, bool) or not isinstance(exponent, int | float | Fraction):
            _fail("an exponent has to be a number written in the formula, such as 2 or 0.5")
        value = read_literal(exponent) if isinstance(exponent, float) else None
        if value is not None and not value.is_rational:
            _fail(f"the exponent {value} is not rational")
        rational = Fraction(exponent) if value is None else value.factor
        return _apply(op.power, _as_node(x), rational)

    def square(self, x: Any) -> TracedArray:
        return self.pow(x, 2)

    def sum(self, x: Any, *, axis: Any = None, keepdims: bool = False) -> TracedArray:
        node = _as_node(x)
        return _apply(_keeping(keepdims), node, _axes(node, axis))

    def mean(self, x: Any, *, axis: Any = None, keepdims: bool = False) -> TracedArray:
        node = _as_node(x)
        count = total_size(node.shape[a] for a in _axes(node, axis))
        return self.sum(x, axis=axis, keepdims=keepdims) / _dimension(count)

    def matmul(self, a: Any, b: Any) -> TracedArray:
        return _apply(op.matmul, _as_node(a), _as_node(b))

    def matrix_transpose(self, x: TracedArray) -> TracedArray:
        if x.ndim < 2:
            _fail(f"a matrix transpose of an array of {x.ndim} axes; wanted at least 2")
        rank = list(range(x.ndim))
        return self.permute_dims(x, (*rank[:-2], rank[-1], rank[-2]))

    def permute_dims(self, x: TracedArray, axes: Sequence[int]) -> TracedArray:
        order = _axes(x.node, tuple(axes))
        if sorted(order) != list(range(x.ndim)):
            _fail(f"axes {tuple(axes)} are no permutation of the {x.ndim} axes")
        return _apply(op.permute, x.node, order)

    def tensordot(self, a: TracedArray, b: TracedArray, *, axes: Any = 2) -> TracedArray:
        if isinstance(axes, int):
            if not 0 <= axes <= min(a.ndim, b.ndim):
                _fail(f"a product over {axes} axes of arrays of {a.ndim} and {b.ndim} axes")
            axes = (tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes)))
        left, right = _axes(a.node, tuple(axes[0])), _axes(b.node, tuple(axes[1]))
        if len(left) != len(right):
            _fail(f"axes {axes}: as many axes of one array as of the other")
        first = tuple(range(a.ndim))
        second = [a.ndim + axis for axis in range(b.ndim)]
        for i, j in zip(left, right, strict=True):
            second[j] = first[i]
        output = tuple(i for i in (*first, *second) if not (i in first and i in second))
        return _apply(op.einsum, Subscripts((first, tuple(second)), output), a.node, b.node)

    def vecdot(self, a: TracedArray, b: TracedArray, *, axis: int = -1) -> TracedArray:
        if axis >= 0:
            _fail(f"axis={axis} of a vecdot; wanted a negative one, counted from the last axis")
        along = [x.node.shape[_axes(x.node, axis)[0]] for x in (a, b)]
        if along[0] != along[1]:
            _fail(f"a vecdot over axes of sizes {along[0]} and {along[1]}")
        return self.sum(self.multiply(a, b), axis=axis)

    def reshape(self, x: TracedArray, shape: Any) -> TracedArray:
        wanted = shape if isinstance(shape, tuple | list) else (shape,)
        if any(isinstance(n, int) and n == -1 for n in wanted):
            _fail("a reshape with -1; write the size, as in (x.shape[0], 1)")
        return _apply(op.reshape, x.node, [_size(n) for n in wanted])

    def expand_dims(self, x: TracedArray, *, axis: int = 0) -> TracedArray:
        if not -x.ndim - 1 <= axis <= x.ndim:
            _fail(f"axis {axis} to expand an array of {x.ndim} axes")
        at = axis % (x.ndim + 1)
        return _apply(op.reshape, x.node, [*x.node.shape[:at], ONE, *x.node.shape[at:]])

    def squeeze(self, x: TracedArray, axis: Any) -> TracedArray:
        axes = _axes(x.node, axis)
        if any(x.node.shape[a] != ONE for a in axes):
            _fail(f"a squeeze of an axis of {shape_text(x.node.shape)} that is not 1 everywhere")
        kept = [size for a, size in enumerate(x.node.shape) if a not in axes]
        return _apply(op.reshape, x.node, kept)

    def broadcast_to(self, x: Any, shape: Sequence[Any]) -> TracedArray:
        return _apply(op.broadcast, _as_node(x), [_size(n) for n in shape])

    def asarray(self, values: Any, *, dtype: Any = None, device: Any = None) -> TracedArray:
        if isinstance(values, TracedArray):
            return values
        return _apply(op.table, values)

    def ones(self, shape: Any, *, dtype: Any = None, device: Any = None) -> TracedArray:
        return self.broadcast_to(1, shape if isinstance(shape, tuple | list) else (shape,))

    def ones_like(self, x: TracedArray) -> TracedArray:
        return _apply(op.broadcast, op.constant(1), x.node.shape)

    def eye(self, n: Any, *, dtype: Any = None, device: Any = None) -> TracedArray:
        return _apply(op.delta, _size(n))


NAMESPACE = Namespace()


def _keeping(keepdims: bool) -> Callable[..., Node]:
    return lambda x, axes, *, line: op.sum_(x, axes, keepdims=keepdims, line=line)


def trace(
    function: Callable[..., Any], inputs: Mapping[str, Sequence[Size]], *, name: str | None = None
) -> Formula:
    """Run `function` on traced inputs (passed by position) and return its graph.

    Raises FormulaError, with the line, for an operation it doesn't know, a branch on a size, or
    shapes that don't fit.
    """
    label = name or getattr(function, "__name__", "formula")
    nodes = {key: op.input_(key, shape) for key, shape in inputs.items()}
    try:
        result, variables = _call_and_watch(function, [TracedArray(n) for n in nodes.values()])
    except FormulaError as error:
        raise FormulaError(f"formula `{label}`: {error}") from None
    except Exception as error:
        reason = f"{_line_of(error)}{type(error).__name__}: {error}"
        raise FormulaError(f"formula `{label}`: {reason}") from error
    results = result if isinstance(result, tuple) else (result,)
    wrong = [r for r in results if not isinstance(r, TracedArray)]
    if wrong or not results:
        what = "an empty tuple" if not wrong else f"a {type(wrong[0]).__name__}"
        if wrong and isinstance(wrong[0], int | float | Dimension):
            what = f"the number {wrong[0]}, which is no array of the domain's library"
        raise FormulaError(f"formula `{label}` returned {what}; wanted an array (or a tuple)")
    outputs = tuple(_as_node(r) for r in results)
    names = {node: key for key, node in nodes.items()}
    for key, value in variables.items():
        if isinstance(value, TracedArray):
            _name(names, value.node, key)
    if len(outputs) == 1:
        _name(names, outputs[0], label if label.isidentifier() else "f")
    return Formula(label, nodes, outputs, names)


def _name(names: dict[Node, str], node: Node, name: str) -> None:
    """Name a node that has no name yet; one that is taken (x = x + 1) gets a prime."""
    if node not in names:
        while name in names.values():
            name += "'"
        names[node] = name


def _call_and_watch(
    function: Callable[..., Any], arguments: list[TracedArray]
) -> tuple[Any, dict[str, Any]]:
    """Call, and note the local variables that the function had when it returned."""
    code = getattr(function, "__code__", None)
    variables: dict[str, Any] = {}
    if sys.getprofile() is not None:
        return function(*arguments), variables  # somebody else is profiling: do without names

    def watch(frame: FrameType, event: str, _: Any) -> None:
        if event == "return" and frame.f_code is code:
            variables.update(frame.f_locals)

    sys.setprofile(watch)
    try:
        return function(*arguments), variables
    finally:
        sys.setprofile(None)
