"""One constructor per operation: it checks shapes and makes the node.

Rules live beside what they serve: derivatives in `derive`, TeX in `latex`, error bounds in
`verimath.arithmetic.rounding`, exact evaluation in `verimath.arithmetic.symbolic`. A generated
test demands a rule of each kind for every name in `OPERATIONS` and `FUNCTIONS`.

Scalar operations stay as they were written; nothing is simplified here, because a bound for other
code than the one that runs would be a false alarm.
"""

from collections.abc import Sequence
from fractions import Fraction

from verimath.errors import FormulaError
from verimath.formula.graph import Body, Kind, Node, Subscripts
from verimath.formula.literals import Constant, read_literal
from verimath.shapes import ONE, Size, shape_text, total_size

OPERATIONS = (
    "input",
    "constant",
    "size",
    "table",
    "delta",
    "add",
    "multiply",
    "divide",
    "power",
    "function",
    "einsum",
    "broadcast",
    "reshape",
    "index",
    "convert",
    "compare",
    "logical",
    "where",
    "maximum",
    "max",
    "subgradient",
    "gather",
    "scatter",
    "concatenate",
    "product",
    "cumulative",
    "solve",
    "determinant",
    "cholesky",
    "composite",
)
FUNCTIONS = (
    "negative",
    "abs",
    "sign",
    "sqrt",
    "exp",
    "expm1",
    "log",
    "log1p",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "acosh",
    "atanh",
    "erf",
)

Line = str | None


def input_(name: str, shape: Sequence[Size], kind: Kind = "real") -> Node:
    """A named input array."""
    return Node("input", (), tuple(shape), name, None, kind)


def constant(value: float | Fraction | Constant, *, line: Line = None) -> Node:
    """A real number; floats are read as the constants they stand for (`literals`)."""
    if isinstance(value, float):
        try:
            value = read_literal(value)
        except ValueError as error:
            raise FormulaError(f"{error}; a formula is about real numbers") from None
    elif not isinstance(value, Constant):
        value = Constant(Fraction(value))
    return Node("constant", (), (), value, line)


def size(value: Size, *, line: Line = None) -> Node:
    """A number of elements, as a 0-d number."""
    return Node("size", (), (), value, line)


def table(values: object, *, line: Line = None) -> Node:
    """An array of literals given as nested sequences."""
    cells, shape = _read_table(values)
    return Node("table", (), tuple(Size.of(n) for n in shape), cells, line)


def _read_table(values: object) -> tuple[object, tuple[int, ...]]:
    if isinstance(values, int | float) and not isinstance(values, bool):
        node = constant(values)
        return node.parameter, ()
    if not isinstance(values, list | tuple):
        raise FormulaError(f"a table of numbers can't hold {type(values).__name__}")
    rows = [_read_table(value) for value in values]
    shapes = {shape for _, shape in rows}
    if len(shapes) > 1:
        raise FormulaError("a table of numbers has rows of different lengths")
    return tuple(cells for cells, _ in rows), (len(rows), *(shapes.pop() if shapes else ()))


def delta(n: Size, *, line: Line = None) -> Node:
    """The n x n identity matrix, an index delta."""
    return Node("delta", (), (n, n), None, line)


def broadcast_shape(left: Sequence[Size], right: Sequence[Size]) -> tuple[Size, ...]:
    """The shape two arrays broadcast to, for every value of the names.

    Raises FormulaError if two sizes differ and neither is literally 1.
    """
    rank = max(len(left), len(right))
    axes: list[Size] = []
    for a, b in zip(
        [ONE] * (rank - len(left)) + list(left),
        [ONE] * (rank - len(right)) + list(right),
        strict=True,
    ):
        if a != b and ONE not in (a, b):
            raise FormulaError(f"shapes {shape_text(left)} and {shape_text(right)} don't broadcast")
        axes.append(b if a == ONE else a)
    return tuple(axes)


def broadcast(x: Node, shape: Sequence[Size], *, line: Line = None) -> Node:
    """`x` repeated to `shape` by the broadcasting rule; `x` itself if it has that shape."""
    if tuple(shape) == x.shape:
        return x
    if broadcast_shape(x.shape, shape) != tuple(shape):
        raise FormulaError(f"shape {shape_text(x.shape)} doesn't broadcast to {shape_text(shape)}")
    return Node("broadcast", (x,), tuple(shape), None, line, x.kind)


def reshape(x: Node, shape: Sequence[Size], *, line: Line = None) -> Node:
    """`x` in C order under another shape of the same size."""
    if tuple(shape) == x.shape:
        return x
    if total_size(shape) != total_size(x.shape):
        raise FormulaError(
            f"shape {shape_text(x.shape)} can't be reshaped to {shape_text(shape)}: "
            f"{total_size(x.shape)} elements are not {total_size(shape)}"
        )
    return Node("reshape", (x,), tuple(shape), None, line, x.kind)


def _elementwise(operation: str, a: Node, b: Node, line: Line) -> Node:
    kind = _arithmetic_kind(operation, a, b)
    shape = broadcast_shape(a.shape, b.shape)
    pair = (broadcast(a, shape, line=line), broadcast(b, shape, line=line))
    return Node(operation, pair, shape, None, line, kind)


def _is_whole(node: Node) -> bool:
    """Whether a node holds integers, or a literal that is one."""
    if node.operation == "function" and node.parameter == "negative":
        return _is_whole(node.inputs[0])
    literal = node.operation == "constant" and node.parameter.is_rational
    whole = literal and node.parameter.factor.denominator == 1
    return node.kind == "integer" or whole or node.operation == "size"


def _arithmetic_kind(operation: str, a: Node, b: Node) -> Kind:
    """Integers stay integers among themselves; everything else has to be converted first."""
    if a.kind == b.kind == "real":
        return "real"
    if operation != "divide" and _is_whole(a) and _is_whole(b):
        return "integer"
    what = "booleans" if "boolean" in (a.kind, b.kind) else "integers"
    raise FormulaError(
        f"{what} take no part in real arithmetic; write xp.astype(mask, x.dtype), or xp.where"
    )


def _real(x: Node, what: str) -> Node:
    if x.kind != "real":
        raise FormulaError(f"{what} of {x.kind}s; write xp.astype(array, x.dtype) first")
    return x


def add(a: Node, b: Node, *, line: Line = None) -> Node:
    """A + b, broadcast."""
    return _elementwise("add", a, b, line)


def subtract(a: Node, b: Node, *, line: Line = None) -> Node:
    """A - b, broadcast: the sum with the (exact) negative."""
    return add(a, function("negative", b, line=line), line=line)


def multiply(a: Node, b: Node, *, line: Line = None) -> Node:
    """A * b, elementwise, broadcast."""
    return _elementwise("multiply", a, b, line)


def divide(a: Node, b: Node, *, line: Line = None) -> Node:
    """A / b, elementwise, broadcast."""
    return _elementwise("divide", a, b, line)


def power(x: Node, exponent: Fraction, *, line: Line = None) -> Node:
    """X to a fixed rational exponent, elementwise."""
    _real(x, "a power")
    return Node("power", (x,), x.shape, exponent, line)


def function(name: str, x: Node, *, line: Line = None) -> Node:
    """A scalar function from `FUNCTIONS`, elementwise."""
    kind = x.kind if name in ("negative", "abs") and x.kind == "integer" else "real"
    if kind == "real":
        _real(x, f"`{name}`")
    return Node("function", (x,), x.shape, name, line, kind)


def einsum(subscripts: Subscripts, *operands: Node, line: Line = None) -> Node:
    """Sum of products over the indices that the output lacks, of one or two operands.

    Raises FormulaError if an index stands for two different sizes.
    """
    sizes: dict[int, Size] = {}
    for indices, operand in zip(subscripts.operands, operands, strict=True):
        for index, axis in zip(indices, operand.shape, strict=True):
            if sizes.setdefault(index, axis) != axis:
                shapes = " and ".join(shape_text(operand.shape) for operand in operands)
                raise FormulaError(
                    f"shapes {shapes} don't fit: sizes {sizes[index]} and {axis} should be equal"
                )
    if subscripts.operands == (subscripts.output,):
        return operands[0]
    shape = tuple(sizes[index] for index in subscripts.output)
    moved = len(operands) == 1 and len(set(subscripts.operands[0])) == len(subscripts.output)
    kind = operands[0].kind if moved else "real"
    for operand in () if moved else operands:
        _real(operand, "a sum or product")
    return Node("einsum", operands, shape, subscripts, line, kind)


def permute(x: Node, axes: Sequence[int], *, line: Line = None) -> Node:
    """Axes in another order."""
    rank = tuple(range(len(x.shape)))
    return x if tuple(axes) == rank else einsum(Subscripts((rank,), tuple(axes)), x, line=line)


def sum_(x: Node, axes: Sequence[int], *, keepdims: bool = False, line: Line = None) -> Node:
    """Sum over some axes."""
    rank = tuple(range(len(x.shape)))
    kept = tuple(axis for axis in rank if axis not in axes)
    total = einsum(Subscripts((rank,), kept), x, line=line) if axes else x
    if not keepdims:
        return total
    return reshape(total, [ONE if a in axes else x.shape[a] for a in rank], line=line)


def matmul(a: Node, b: Node, *, line: Line = None) -> Node:
    """Matrix product with the array API's rules for vectors and leading axes."""
    if not a.shape or not b.shape:
        raise FormulaError("a matrix product needs arrays of at least one axis")
    summed, row, column = 0, 1, 2
    left = (summed,) if len(a.shape) == 1 else (row, summed)
    right = (summed,) if len(b.shape) == 1 else (summed, column)
    lead_a, lead_b = a.shape[: -len(left)], b.shape[: -len(right)]
    lead = broadcast_shape(lead_a, lead_b)
    depth = len(lead)
    a = broadcast(a, lead[depth - len(lead_a) :] + a.shape[len(lead_a) :], line=line)
    b = broadcast(b, lead[depth - len(lead_b) :] + b.shape[len(lead_b) :], line=line)
    batch = tuple(range(3, 3 + depth))
    output = batch + tuple(i for i in (row, column) if i in left + right)
    subscripts = Subscripts(
        (batch[depth - len(lead_a) :] + left, batch[depth - len(lead_b) :] + right), output
    )
    return einsum(subscripts, a, b, line=line)


# --- integers, comparisons and choices --------------------------------------------------------


def index(n: Size, *, line: Line = None) -> Node:
    """The integers 0, 1, ..., n - 1."""
    return Node("index", (), (n,), None, line, "integer")


def convert(x: Node, *, line: Line = None) -> Node:
    """Integers or booleans as real numbers; reals stay what they are."""
    return x if x.kind == "real" else Node("convert", (x,), x.shape, None, line)


def compare(how: str, a: Node, b: Node, *, line: Line = None) -> Node:
    """A < b ("less"), a <= b ("less_equal") or a == b ("equal"), elementwise, broadcast."""
    shape = broadcast_shape(a.shape, b.shape)
    pair = (broadcast(a, shape, line=line), broadcast(b, shape, line=line))
    return Node("compare", pair, shape, how, line, "boolean")


def logical(how: str, *operands: Node, line: Line = None) -> Node:
    """The "and" or "or" of two masks, or "not" one.

    Raises FormulaError for operands that are no masks.
    """
    for operand in operands:
        if operand.kind != "boolean":
            raise FormulaError(f"a logical {how} of {operand.kind}s; wanted the results of <, ==")
    shape = operands[0].shape
    for operand in operands[1:]:
        shape = broadcast_shape(shape, operand.shape)
    spread = tuple(broadcast(operand, shape, line=line) for operand in operands)
    return Node("logical", spread, shape, how, line, "boolean")


def where(mask: Node, a: Node, b: Node, *, line: Line = None) -> Node:
    """A where the mask is true, else b; broadcast.

    Raises FormulaError for a mask that is none, or for a choice between numbers and integers.
    """
    if mask.kind != "boolean":
        raise FormulaError(f"xp.where wants a mask (a comparison) first, not {mask.kind}s")
    kind: Kind = "integer" if a.kind != b.kind and _is_whole(a) and _is_whole(b) else a.kind
    if kind != b.kind and not _is_whole(b):
        raise FormulaError(f"xp.where between {a.kind}s and {b.kind}s; convert one with xp.astype")
    shape = broadcast_shape(mask.shape, broadcast_shape(a.shape, b.shape))
    spread = tuple(broadcast(x, shape, line=line) for x in (mask, a, b))
    return Node("where", spread, shape, None, line, kind)


def maximum(a: Node, b: Node, *, line: Line = None) -> Node:
    """The larger of two, elementwise, broadcast."""
    return _elementwise("maximum", a, b, line)


def max_(x: Node, axis: int, *, line: Line = None) -> Node:
    """The largest along one axis."""
    _real(x, "a maximum")
    return Node("max", (x,), x.shape[:axis] + x.shape[axis + 1 :], axis, line)


def subgradient(how: object, *operands: Node, line: Line = None) -> Node:
    """A subgradient of something with kinks; at a kink, the symmetric one.

    "step": d max(a, b) / da, in [0, 1] where a = b. "sign": d |x| / dx, in [-1, 1] where x = 0.
    ("share", axis): d max(x) / dx along an axis, nonnegative numbers with sum 1 over the ties.
    """
    return Node("subgradient", operands, operands[0].shape, how, line)


# --- moving elements --------------------------------------------------------------------------


def gather(x: Node, indices: Node, axis: int, *, line: Line = None) -> Node:
    """x[..., indices, ...] along an axis: the axes of `indices` take the place of that axis.

    Raises FormulaError for indices that are no integers.
    """
    if indices.kind != "integer":
        raise FormulaError(f"elements are taken by integers, not {indices.kind}s")
    shape = x.shape[:axis] + indices.shape + x.shape[axis + 1 :]
    return Node("gather", (x, indices), shape, axis, line, x.kind)


def scatter(x: Node, indices: Node, axis: int, n: Size, *, line: Line = None) -> Node:
    """Zeros of size n along an axis, to which x is added at `indices`: the adjoint of `gather`."""
    rank = len(indices.shape)
    shape = (*x.shape[:axis], n, *x.shape[axis + rank :])
    return Node("scatter", (x, indices), shape, axis, line)


def concatenate(parts: Sequence[Node], axis: int, *, line: Line = None) -> Node:
    """Arrays one after another along an axis.

    Raises FormulaError if they differ in any other axis.
    """
    first = parts[0]
    total = Size.of(0)
    for part in parts:
        if part.kind != first.kind:
            raise FormulaError(f"{first.kind}s and {part.kind}s don't concatenate")
        if len(part.shape) != len(first.shape) or any(
            n != m
            for k, (n, m) in enumerate(zip(part.shape, first.shape, strict=True))
            if k != axis
        ):
            shapes = f"{shape_text(first.shape)} and {shape_text(part.shape)}"
            raise FormulaError(f"shapes {shapes} don't concatenate along axis {axis}")
        total = total + part.shape[axis]
    if len(parts) == 1:
        return first
    shape = (*first.shape[:axis], total, *first.shape[axis + 1 :])
    return Node("concatenate", tuple(parts), shape, axis, line, first.kind)


def window(n: Size, start: Size, *, step: int = 1, line: Line = None) -> Node:
    """The integers start, start + step, ... (n of them)."""
    found = index(n, line=line)
    if step != 1:
        found = multiply(found, constant(step, line=line), line=line)
    return found if start == Size.of(0) else add(found, size(start, line=line), line=line)


# --- reductions and matrices ------------------------------------------------------------------


def product(x: Node, axis: int, *, line: Line = None) -> Node:
    """The product along one axis; 1 over nothing."""
    _real(x, "a product")
    return Node("product", (x,), x.shape[:axis] + x.shape[axis + 1 :], axis, line)


def cumulative(x: Node, axis: int, *, backwards: bool = False, line: Line = None) -> Node:
    """Running sums along an axis, from its start or (backwards) from its end."""
    _real(x, "a cumulative sum")
    return Node("cumulative", (x,), x.shape, (axis, backwards), line)


def _square(a: Node, what: str) -> Size:
    if len(a.shape) < 2 or a.shape[-1] != a.shape[-2]:
        raise FormulaError(f"{what} of an array of shape {shape_text(a.shape)}; wanted (..., n, n)")
    _real(a, what)
    return a.shape[-1]


def solve(a: Node, b: Node, *, line: Line = None) -> Node:
    """The X with A X = B; A of shape (..., n, n), B of shape (..., n, k).

    Raises FormulaError if A isn't square or the shapes don't fit.
    """
    n = _square(a, "a solution")
    if len(b.shape) < 2 or b.shape[-2] != n:
        raise FormulaError(
            f"shapes {shape_text(a.shape)} and {shape_text(b.shape)} don't fit a linear system"
        )
    lead = broadcast_shape(a.shape[:-2], b.shape[:-2])
    a = broadcast(a, lead + a.shape[-2:], line=line)
    b = broadcast(b, lead + b.shape[-2:], line=line)
    return Node("solve", (a, b), b.shape, None, line)


def inverse(a: Node, *, line: Line = None) -> Node:
    """The inverse: the X with A X = I."""
    n = _square(a, "an inverse")
    return solve(a, broadcast(delta(n), (*a.shape[:-2], n, n), line=line), line=line)


def determinant(a: Node, *, line: Line = None) -> Node:
    """The determinant of A, of shape (..., n, n)."""
    _square(a, "a determinant")
    return Node("determinant", (a,), a.shape[:-2], None, line)


def cholesky(a: Node, *, line: Line = None) -> Node:
    """The lower triangular L with L L' = A, for A symmetric and positive definite."""
    _square(a, "a Cholesky factor")
    return Node("cholesky", (a,), a.shape, None, line)


def transpose(a: Node, *, line: Line = None) -> Node:
    """The last two axes swapped."""
    rank = range(len(a.shape))
    return permute(a, (*rank[:-2], rank[-1], rank[-2]), line=line)


def composite(body: Body, *operands: Node, line: Line = None) -> Node:
    """A named function of arrays that stands for a formula of them (or for several)."""
    return Node("composite", operands, body.definition.shape, body, line)
