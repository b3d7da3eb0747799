"""From formula graphs to expressions in index notation: one rule per operation.

Axis k of an array is the free index -(k + 1); an axis of size one is no index at all. Composites
are read as their definitions.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from verimath.errors import NotExpressibleError
from verimath.formula.core import refuse_long
from verimath.formula.graph import Node, Subscripts, inlined, topological
from verimath.formula.literals import Constant
from verimath.proof.algebra import Algebra
from verimath.proof.functions import Functions
from verimath.proof.masks import Masks
from verimath.proof.matrices import Matrices
from verimath.proof.powers import Powers
from verimath.proof.rewriting import oriented, scaled
from verimath.proof.terms import Expression, Raw, number, whole
from verimath.shapes import ONE, Size, shape_text

_MINUS = Fraction(-1)
_SYMMETRIC = frozenset({"symmetric", "positive definite"})
# What the elements of a structured input obey: their k-th power is a lower one.
_POWERS = {"binary": (2, 1), "one-hot": (2, 1), "signs": (2, 0)}
_ROWS = {
    "simplex": (1, "rows of {} sum to one"),
    "open simplex": (1, "rows of {} sum to one"),
    "one-hot": (1, "rows of {} sum to one"),
    "unit": (2, "rows of {} have length one"),
}

Rule = Callable[["Reader", Node, list[Expression]], Expression]


class Reader:
    """Reads nodes as expressions; equal nodes are read once.

    `structures` says what is known of inputs, in the words of `verimath.structure.STRUCTURES`.
    """

    def __init__(self, algebra: Algebra, structures: Mapping[str, str]) -> None:
        self.algebra = algebra
        self.structures = structures
        self.powers = Powers(algebra)
        self.functions, self.masks = Functions(self.powers), Masks(self.powers)
        orthogonal = [name for name, structure in structures.items() if structure == "orthogonal"]
        self.matrices = Matrices(algebra, self.powers, orthogonal=orthogonal)
        self._known: dict[Node, Expression] = {}

    def read(self, output: Node) -> Expression:
        """The value of a node.

        Raises NotExpressibleError, with the operation, for what index notation doesn't have.
        """
        for node in topological((output,)):
            if node not in self._known:
                self.algebra.spend()
                if node.operation == "composite":
                    self._known[node] = self.read(inlined(node))
                    continue
                rule = _RULES.get(node.operation)
                if rule is None:
                    raise NotExpressibleError(node.operation)
                self._known[node] = rule(self, node, [self._known[x] for x in node.inputs])
        return self._known[output]

    def sum(self, x: Expression, axis: int, size: Size) -> Expression:
        """The sum over a free index."""
        return self.algebra.rename(x, {axis: 0}, {0: size})


def _axes(shape: Sequence[Size]) -> list[int]:
    """The axes that are indices: those of size one are not."""
    return [k for k, size in enumerate(shape) if size != ONE]


def _input(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    algebra, name, axes = reader.algebra, node.parameter, _axes(node.shape)
    structure = reader.structures.get(name)
    last = len(node.shape) - 1
    matrix = last >= 1 and {last - 1, last} <= set(axes)
    identity = tuple(range(len(axes)))
    symmetries = (identity,)
    if structure in _SYMMETRIC and matrix:
        symmetries = (identity, (*identity[:-2], identity[-1], identity[-2]))
    head = algebra.intern(
        "tensor",
        name,
        [node.shape[k] for k in axes],
        symmetries=symmetries,
        places=tuple(axes),
        rank=len(node.shape),
    )
    found = algebra.factor(head, [-(k + 1) for k in axes])
    if len(symmetries) > 1:
        algebra.use(f"{name}' = {name}", needs=f"{name} symmetric")
    if structure in _POWERS:
        high, low = (_raised(reader, found, e) for e in _POWERS[structure])
        equation = algebra.add(high, scaled(low, _MINUS))
        needs = {"signs": f"elements of {name} are 1 or -1"}.get(
            structure, f"elements of {name} are 0 or 1"
        )
        algebra.add_rule(head, oriented(f"powers of {name}", equation, needs=needs))
    if structure in _ROWS and last in axes:
        exponent, text = _ROWS[structure]
        total = reader.sum(_raised(reader, found, exponent), -(last + 1), node.shape[last])
        rule = oriented(text.format(name), algebra.add(total, number(-1)), needs=text.format(name))
        algebra.add_rule(head, rule)
    if structure == "orthogonal" and matrix:
        row, column, size = -last, -(last + 1), node.shape[last]
        delta = algebra.factor(algebra.intern("delta", "", (size, size)), (row, column))
        for summed, kept in ((row, column), (column, row)):
            free = {kept: row}, {kept: column}
            both = tuple({**one, summed: 0} for one in free)
            product = algebra.multiply(found, found, mappings=(both[0], both[1]), bound={0: size})
            equation = algebra.add(product, scaled(delta, _MINUS))
            rule = oriented(f"{name}' {name} = I", equation, needs=f"{name} orthogonal")
            algebra.add_rule(head, rule)
    return found


def _raised(reader: Reader, x: Expression, exponent: int) -> Expression:
    found = number(1)
    for _ in range(exponent):
        found = reader.algebra.multiply(found, x)
    return found


def _constant(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    refuse_long(node.parameter)
    constant: Constant = node.parameter
    if constant.is_rational or not constant.factor:
        return number(constant.factor)
    if constant.unit == "sqrt":
        root = reader.powers.power(number(constant.radicand), Fraction(1, 2))
        return scaled(root, constant.factor)
    return reader.algebra.collect([Raw(constant.factor, {f"#{constant.unit}": 1}, [], {})])


def _size(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    return _size_of(reader, node.parameter)


def _size_of(reader: Reader, size: Size) -> Expression:
    terms: list[Raw] = []
    for names, coefficient in size.terms:
        powers: dict[str, int | Fraction] = {}
        for name in names:
            powers[name] = powers.get(name, 0) + 1
        terms.append(Raw(Fraction(coefficient), powers, [], {}))
    return reader.algebra.collect(terms)


def _table(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    refuse_long(node.parameter)
    axes = _axes(node.shape)
    cells = _cells_text(node.parameter)
    head = reader.algebra.intern(
        "table", cells, [node.shape[k] for k in axes], places=tuple(axes), rank=len(node.shape)
    )
    return reader.algebra.factor(head, [-(k + 1) for k in axes])


def _cells_text(cells: object) -> str:
    if isinstance(cells, tuple):
        return "[" + ", ".join(map(_cells_text, cells)) + "]"
    return str(cells)


def _delta(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    if node.shape[0] == ONE:
        return number(1)
    return reader.algebra.factor(reader.algebra.intern("delta", "", node.shape), (-1, -2))


def _add(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    return reader.algebra.add(*x)


def _multiply(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    return reader.algebra.multiply(x[0], x[1])


def _divide(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    return reader.algebra.multiply(x[0], reader.powers.power(x[1], -1))


def _power(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    return reader.powers.power(x[0], whole(node.parameter))


def _function(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    functions, algebra, name = reader.functions, reader.algebra, node.parameter
    power = reader.powers.power
    match name:
        case "negative":
            return scaled(x[0], _MINUS)
        case "sqrt":
            return power(x[0], Fraction(1, 2))
        case "exp":
            return functions.exp(x[0])
        case "expm1":
            return algebra.add(functions.exp(x[0]), number(-1))
        case "log":
            return functions.log(x[0])
        case "log1p":
            return functions.log(algebra.add(x[0], number(1)))
        case "sinh" | "cosh" | "tanh":
            return functions.hyperbolic(name, x[0])
        case "tan":
            algebra.use("tan = sin / cos")
            below = power(functions.function("cos", x[0]), -1)
            return algebra.multiply(functions.function("sin", x[0]), below)
        case "sign":
            return _sign(reader, x[0])
        case "abs":
            algebra.use("|x| = x (2 H(x) - 1)")
            return algebra.multiply(x[0], _sign(reader, x[0]))
        case _:
            return functions.function(name, x[0])


def _sign(reader: Reader, x: Expression) -> Expression:
    reader.algebra.use("sign(x) = 2 H(x) - 1")
    return reader.algebra.add(scaled(reader.masks.step(x), Fraction(2)), number(-1))


def _einsum(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    subscripts: Subscripts = node.parameter
    sizes = {
        index: size
        for indices, operand in zip(subscripts.operands, node.inputs, strict=True)
        for index, size in zip(indices, operand.shape, strict=True)
    }
    summed = [i for i in sizes if i not in subscripts.output and sizes[i] != ONE]
    names = {i: -(k + 1) for k, i in enumerate(subscripts.output)}
    names.update({i: k for k, i in enumerate(summed)})
    bound = {k: sizes[i] for k, i in enumerate(summed)}
    mappings = [
        {-(k + 1): names[i] for k, i in enumerate(indices) if i in names}
        for indices in subscripts.operands
    ]
    if len(x) == 1:
        return reader.algebra.rename(x[0], mappings[0], bound)
    return reader.algebra.multiply(x[0], x[1], mappings=(mappings[0], mappings[1]), bound=bound)


def _broadcast(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    rank = len(node.inputs[0].shape)
    lead = len(node.shape) - rank
    if not lead:
        return x[0]
    return reader.algebra.rename(x[0], {-(k + 1): -(k + lead + 1) for k in range(rank)})


def _reshape(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    old, new = node.inputs[0].shape, node.shape
    before, after = _axes(old), _axes(new)
    if [old[k] for k in before] != [new[k] for k in after]:
        raise NotExpressibleError(
            f"reshape from {shape_text(old)} to {shape_text(new)}, which merges or splits axes"
        )
    mapping = {-(k + 1): -(j + 1) for k, j in zip(before, after, strict=True)}
    return reader.algebra.rename(x[0], mapping)


def _index(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    if node.shape[0] == ONE:
        return {}
    return reader.algebra.factor(reader.algebra.intern("index", "index", node.shape), (-1,))


def _convert(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    return x[0]


def _compare(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    algebra, masks = reader.algebra, reader.masks
    above = algebra.add(x[1], scaled(x[0], _MINUS))
    if all(operand.kind == "integer" or _is_number(operand) for operand in node.inputs):
        if node.parameter == "equal":
            return masks.equal(above)
        if node.parameter == "less":
            return masks.less(above)
        return algebra.add(masks.less(above), masks.equal(above))
    if node.parameter == "equal":
        return masks.equal(above)
    masks.away(above)
    return masks.step(above)


def _is_number(node: Node) -> bool:
    while node.operation == "broadcast":
        node = node.inputs[0]
    return node.operation in ("constant", "size")


def _logical(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    algebra = reader.algebra
    if node.parameter == "not":
        return algebra.add(number(1), scaled(x[0], _MINUS))
    both = algebra.multiply(x[0], x[1])
    if node.parameter == "and":
        return both
    return algebra.add(x[0], x[1], scaled(both, _MINUS))


def _where(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    reader.algebra.use("a choice is m a + (1 - m) b")
    mask, a, b = x
    between = reader.algebra.add(a, scaled(b, _MINUS))
    return reader.algebra.add(b, reader.algebra.multiply(mask, between))


def _maximum(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    reader.algebra.use("max(a, b) = b + (a - b) H(a - b)")
    between = reader.algebra.add(x[0], scaled(x[1], _MINUS))
    step = reader.masks.step(between)
    return reader.algebra.add(x[1], reader.algebra.multiply(between, step))


def _subgradient(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    match node.parameter:
        case "step":
            return reader.masks.step(reader.algebra.add(x[0], scaled(x[1], _MINUS)))
        case "sign":
            return _sign(reader, x[0])
        case (_, axis):
            if node.shape[axis] == ONE:
                return number(1)
            return reader.masks.share(x[0], -(axis + 1), node.shape[axis])
        case other:
            raise NotExpressibleError(f"subgradient {other}")


def _reduction(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    axis, shape = node.parameter, node.inputs[0].shape
    found = x[0]
    if shape[axis] != ONE:
        found = reader.masks.reduction(node.operation, found, -(axis + 1), shape[axis])
    below = {-(k + 1): -k for k in range(axis + 1, len(shape))}
    return reader.algebra.rename(found, below)


def _matrix(node: Node) -> tuple[int, int, Size]:
    """The free indices of the rows and columns of a matrix, and its size."""
    rank = len(node.shape)
    return -(rank - 1), -rank, node.shape[-1]


def _solve(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    row, column, size = _matrix(node.inputs[0])
    if size == ONE:
        return reader.algebra.multiply(reader.powers.power(x[0], -1), x[1])
    inverse = reader.matrices.inverse(x[0], row, column, size)
    # Rows of B are summed with columns of the inverse; columns of B stay.
    return reader.algebra.multiply(inverse, x[1], mappings=({column: 0}, {row: 0}), bound={0: size})


def _determinant(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    row, column, size = _matrix(node.inputs[0])
    return x[0] if size == ONE else reader.matrices.determinant(x[0], row, column, size)


def _cholesky(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    row, column, size = _matrix(node)
    if size == ONE:
        return reader.powers.power(x[0], Fraction(1, 2))
    return reader.matrices.cholesky(x[0], row, column, size)


def _picked(reader: Reader, node: Node, x: list[Expression]) -> tuple[Expression, Size]:
    """[index = k], k the free index `_PLACE`; and the size of the axis that is indexed."""
    source = node if node.operation == "scatter" else node.inputs[0]
    size, axis = source.shape[node.parameter], node.parameter
    algebra, indices = reader.algebra, node.inputs[1]
    if size == ONE:
        return number(1), size
    places = {-(k + 1): -(axis + k + 1) for k in range(len(indices.shape))}
    place = algebra.factor(algebra.intern("index", "index", (size,)), (_PLACE,))
    index = algebra.rename(x[1], places)
    mask = reader.masks.equal(algebra.add(index, scaled(place, _MINUS)))
    reader.masks.one_place(mask, _PLACE, size)
    return mask, size


# A free index that no axis is.
_PLACE = -1000


def _gather(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    axis, rank = node.parameter, len(node.inputs[1].shape)
    mask, size = _picked(reader, node, x)
    moved = {-(k + 1): -(k + rank) for k in range(axis + 1, len(node.inputs[0].shape))}
    bound = {} if size == ONE else {0: size}
    mappings = ({_PLACE: 0}, {-(axis + 1): 0, **moved})
    return reader.algebra.multiply(mask, x[0], mappings=mappings, bound=bound)


def _scatter(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    axis, indices = node.parameter, node.inputs[1]
    mask, _ = _picked(reader, node, x)
    summed = _axes(indices.shape)
    bound = {j: indices.shape[k] for j, k in enumerate(summed)}
    gone = {-(axis + k + 1): j for j, k in enumerate(summed)}
    rank = len(indices.shape)
    moved = {-(k + 1): -(k + 2 - rank) for k in range(axis + rank, len(node.inputs[0].shape))}
    mappings = ({_PLACE: -(axis + 1), **gone}, {**gone, **moved})
    return reader.algebra.multiply(mask, x[0], mappings=mappings, bound=bound)


def _cumulative(reader: Reader, node: Node, x: list[Expression]) -> Expression:
    axis, backwards = node.parameter
    size = node.shape[axis]
    if size == ONE:
        return x[0]
    algebra = reader.algebra
    head = algebra.intern("index", "index", (size,))
    own, other = algebra.factor(head, (-(axis + 1),)), algebra.factor(head, (_PLACE,))
    early, late = (own, other) if backwards else (other, own)
    before = reader.masks.less(algebra.add(late, scaled(early, _MINUS)))
    mappings = ({_PLACE: 0}, {-(axis + 1): 0})
    return algebra.add(x[0], algebra.multiply(before, x[0], mappings=mappings, bound={0: size}))


_RULES: dict[str, Rule] = {
    "input": _input,
    "constant": _constant,
    "size": _size,
    "table": _table,
    "delta": _delta,
    "add": _add,
    "multiply": _multiply,
    "divide": _divide,
    "power": _power,
    "function": _function,
    "einsum": _einsum,
    "broadcast": _broadcast,
    "reshape": _reshape,
    "index": _index,
    "convert": _convert,
    "compare": _compare,
    "logical": _logical,
    "where": _where,
    "maximum": _maximum,
    "max": _reduction,
    "product": _reduction,
    "subgradient": _subgradient,
    "gather": _gather,
    "scatter": _scatter,
    "cumulative": _cumulative,
    "solve": _solve,
    "determinant": _determinant,
    "cholesky": _cholesky,
}
