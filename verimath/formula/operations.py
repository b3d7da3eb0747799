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
from verimath.formula.graph import Node, Subscripts
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
)
FUNCTIONS = ("negative", "exp", "log", "sqrt", "sin", "cos", "tanh")

Line = str | None


def input_(name: str, shape: Sequence[Size]) -> Node:
    """A named input array."""
    return Node("input", (), tuple(shape), name)


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
    return Node("broadcast", (x,), tuple(shape), None, line)


def reshape(x: Node, shape: Sequence[Size], *, line: Line = None) -> Node:
    """`x` in C order under another shape of the same size."""
    if tuple(shape) == x.shape:
        return x
    if total_size(shape) != total_size(x.shape):
        raise FormulaError(
            f"shape {shape_text(x.shape)} can't be reshaped to {shape_text(shape)}: "
            f"{total_size(x.shape)} elements are not {total_size(shape)}"
        )
    return Node("reshape", (x,), tuple(shape), None, line)


def _elementwise(operation: str, a: Node, b: Node, line: Line) -> Node:
    shape = broadcast_shape(a.shape, b.shape)
    pair = (broadcast(a, shape, line=line), broadcast(b, shape, line=line))
    return Node(operation, pair, shape, None, line)


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
    return Node("power", (x,), x.shape, exponent, line)


def function(name: str, x: Node, *, line: Line = None) -> Node:
    """A scalar function from `FUNCTIONS`, elementwise."""
    return Node("function", (x,), x.shape, name, line)


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
    return Node("einsum", operands, shape, subscripts, line)


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
