"""Random formula graphs over a few inputs: what the normal form is attacked with."""

from fractions import Fraction

from hypothesis import strategies as st

from verimath.formula import operations as op
from verimath.formula.graph import Subscripts
from verimath.shapes import ONE, Size, parse_shape

SHAPES = {
    "A": "n n",
    "B": "n d",
    "C": "d n",
    "x": "n",
    "y": "d",
    "u": "n 1",
    "s": "",
    "T": "n d n",
}


def inputs():
    """The graph's inputs by name."""
    return {name: op.input_(name, parse_shape(text).expand({})) for name, text in SHAPES.items()}


def _positive(x):
    return op.add(op.power(x, Fraction(2)), op.constant(Fraction(1, 2)))


UNARY = {
    "negative": lambda x: op.function("negative", x),
    "third": lambda x: op.multiply(x, op.constant(Fraction(-2, 3))),
    "plus one": lambda x: op.add(x, op.constant(1)),
    "square": lambda x: op.power(x, Fraction(2)),
    "reciprocal": lambda x: op.divide(op.constant(1), x),
    "below": lambda x: op.divide(x, _positive(x)),
    "per size": lambda x: op.divide(x, op.size(Size.of("n"))),
    "times size": lambda x: op.multiply(x, op.size(Size.of("d") + 1)),
    "root of size": lambda x: op.multiply(x, op.power(op.size(Size.of("d")), Fraction(-1, 2))),
}
ROOTED = {
    "root": lambda x: op.function("sqrt", _positive(x)),
    "root of a square": lambda x: op.function("sqrt", op.power(x, Fraction(2))),
    "third power": lambda x: op.power(_positive(x), Fraction(-3, 2)),
    "exp": lambda x: op.function("exp", x),
    "log": lambda x: op.function("log", _positive(x)),
    "log of a product": lambda x: op.function(
        "log", op.multiply(_positive(x), op.function("exp", x))
    ),
    "sin": lambda x: op.function("sin", x),
    "cos": lambda x: op.function("cos", x),
    "tanh": lambda x: op.function("tanh", x),
    "sinh": lambda x: op.function("sinh", x),
    "abs": lambda x: op.function("abs", x),
    "sign": lambda x: op.function("sign", x),
    "relu": lambda x: op.maximum(x, op.constant(0)),
    "step": lambda x: op.subgradient("step", x, op.broadcast(op.constant(0), x.shape)),
    "choice": lambda x: op.where(
        op.compare("less", op.constant(Fraction(1, 3)), x), x, op.constant(2)
    ),
    "log1p": lambda x: op.function("log1p", op.power(x, Fraction(2))),
    "expm1": lambda x: op.function("expm1", x),
    "erf": lambda x: op.function("erf", x),
}


def _square(x):
    return len(x.shape) >= 2 and x.shape[-1] == x.shape[-2]


def _shifted(x):
    """A + 3 I, more often invertible than A."""
    return op.add(x, op.multiply(op.constant(3), op.delta(x.shape[-1])))


@st.composite
def einsums(draw, nodes):
    """A random contraction of one or two nodes."""
    operands = draw(st.lists(st.sampled_from(nodes), min_size=1, max_size=2))
    sizes, names = [], []
    for x in operands:
        mine = []
        for size in x.shape:
            able = [k for k, known in enumerate(sizes) if known == size]
            if able and draw(st.booleans()):
                mine.append(draw(st.sampled_from(able)))
            else:
                sizes.append(size)
                mine.append(len(sizes) - 1)
        names.append(tuple(mine))
    kept = (
        draw(st.lists(st.sampled_from(range(len(sizes))), max_size=3, unique=True)) if sizes else []
    )
    return op.einsum(Subscripts(tuple(names), tuple(kept)), *operands)


def _matrix_made(draw, x, made):
    """Something that only a matrix has."""
    a = draw(st.sampled_from([y for y in (x, *made) if _square(y)]))
    fits = [y for y in made if len(y.shape) == 2 and y.shape[0] == a.shape[-1]]
    match draw(
        st.sampled_from(["inverse", "shifted", "determinant", "transpose", "square", "solve"])
    ):
        case "inverse":
            return op.inverse(a)
        case "shifted":
            return op.inverse(_shifted(a))
        case "determinant":
            return op.determinant(a)
        case "transpose":
            return op.transpose(a)
        case "square":
            return op.matmul(a, a)
        case _:
            return op.solve(a, fits[0]) if len(a.shape) == 2 else op.inverse(a)


def _axes_moved(draw, x):
    """A sum along an axis, or axes in another order."""
    axis = draw(st.integers(0, len(x.shape) - 1))
    match draw(st.sampled_from(["sum", "kept", "turned", "running", "longer", "last"])):
        case "sum":
            return op.sum_(x, (axis,))
        case "kept":
            return op.sum_(x, (axis,), keepdims=True)
        case "turned":
            return op.permute(x, list(range(len(x.shape)))[::-1])
        case "running":
            return op.cumulative(x, axis, backwards=draw(st.booleans()))
        case "longer":
            return op.reshape(x, [*x.shape, ONE])
        case _:
            n = x.shape[axis]
            return op.gather(x, op.window(n, n + -1, step=-1), axis)


@st.composite
def programs(draw, *, rooted=True, most=7):
    """A node made by up to `most` random operations, of at most three axes."""
    given = list(inputs().values())
    unary = {**UNARY, **(ROOTED if rooted else {})}
    made = given
    for _ in range(draw(st.integers(1, most))):
        # Prefer what was made last, so that programs go deep.
        x = draw(st.sampled_from(made[-3:] + given))
        how = draw(st.sampled_from(["unary", "binary", "einsum", "matrix", "axes"]))
        if how == "binary":
            other = draw(st.sampled_from(made))
            y = next(y for y in (other, x) if _broadcasts(x.shape, y.shape))
            found = draw(st.sampled_from([op.add, op.multiply, op.subtract, op.divide]))(x, y)
        elif how == "einsum":
            found = draw(einsums([x, *made[-4:]]))
        elif how == "matrix":
            found = _matrix_made(draw, x, made)
        elif how == "axes" and x.shape:
            found = _axes_moved(draw, x)
        else:
            found = unary[draw(st.sampled_from(sorted(unary)))](x)
        if len(found.shape) <= 3:
            made = [*made, found]
    return made[-1]


@st.composite
def words(draw, *, most=8):
    """A sum or product of matrices, their transposes and inverses, of shape (n, n)."""
    known = inputs()
    A, B, C = known["A"], known["B"], known["C"]
    outer = op.einsum(Subscripts(((0,), (0,)), (0,)), known["x"], known["x"])
    column = op.reshape(known["x"], [*known["x"].shape, ONE])
    rank_one = op.matmul(column, op.transpose(column))
    made = [
        A,
        op.inverse(A),
        op.inverse(op.transpose(A)),
        op.inverse(op.add(A, op.matmul(B, C))),
        op.inverse(op.add(A, rank_one)),
        op.inverse(_shifted(op.matmul(A, op.transpose(A)))),
        op.matmul(B, op.matmul(op.inverse(_shifted(op.matmul(C, B))), C)),
        op.matmul(B, C),
        rank_one,
        op.multiply(op.delta(A.shape[0]), op.broadcast(outer, A.shape)),
    ]
    for _ in range(draw(st.integers(1, most))):
        a, b = (draw(st.sampled_from(made)) for _ in range(2))
        how = draw(
            st.sampled_from(["product", "product", "sum", "difference", "transpose", "trace"])
        )
        if how == "product":
            made.append(op.matmul(a, b))
        elif how == "transpose":
            made.append(op.transpose(a))
        elif how == "trace":
            trace = op.einsum(Subscripts(((0, 0),), ()), op.matmul(a, b))
            made.append(op.multiply(a, trace))
        else:
            made.append(op.add(a, b) if how == "sum" else op.subtract(a, b))
    return made[-1]


def _broadcasts(a, b):
    return all(m == n or ONE in (m, n) for m, n in zip(a[::-1], b[::-1], strict=False))
