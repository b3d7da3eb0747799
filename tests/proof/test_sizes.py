"""Which sizes suffice: counted by hand, as the lemma of docs/proofs.md has it.

A bound that is too small would call an identity of small sizes one of all sizes: test_identity.py
has such identities. A bound that is too large costs time.
"""

import pytest
from array_api_compat import array_namespace as ns

from verimath.formula import operations as op
from verimath.formula.core import lowered
from verimath.formula.trace import trace
from verimath.proof.sizes import Bounds, NoBoundError, bounds
from verimath.shapes import ONE, Size, parse_shape

VECTORS = {"x": "n", "y": "n", "z": "n"}


def core(function, shapes):
    parsed = {name: parse_shape(text).expand({}) for name, text in shapes.items()}
    formula = trace(function, parsed)
    return lowered(formula.outputs, ties=True)


def largest(left, right=None, *, shapes, roots=True, first=1):
    """The largest size per dimension for left = right, or for left alone."""
    one = core(left, shapes)
    other = one if right is None else core(right, shapes)
    names = {n for s in shapes.values() for axis in parse_shape(s).expand({}) for n in axis.names}
    found = bounds(list(zip(one, other, strict=True)), dict.fromkeys(names, first), roots=roots)
    return dict(found.largest)


def total(x):
    return ns(x).sum(x)


def softmax(x):
    e = ns(x).exp(x)
    return e / ns(x).sum(e)


def rows(A):
    return ns(A).sum(A, axis=1, keepdims=True)


# Formulas of no free index, and how many indices their numerators run over: alone, and when they
# are compared with 1, so that what they divide by is cleared, too.
SUMS = {
    "one sum": (lambda x, y, z: total(x), 1, 1),
    "a scalar product is one sum": (lambda x, y, z: total(x * y * z), 1, 1),
    "a product of sums": (lambda x, y, z: total(x) * total(y) * total(z), 3, 3),
    "a power of a sum": (lambda x, y, z: total(x) ** 4, 4, 4),
    "no power of a sum": (lambda x, y, z: total(x) ** 0 * total(y), 1, 1),
    "the larger one of two terms": (lambda x, y, z: total(x) + total(y) * total(z), 2, 2),
    "a negative": (lambda x, y, z: -total(x) * total(y), 2, 2),
    "the size": (lambda x, y, z: x.shape[0] * total(x) / total(y), 2, 2),
    "a power of the size": (lambda x, y, z: (x.shape[0] ** 3 + x.shape[0]) * total(x), 4, 4),
    # sum(x) / n: clearing n multiplies the other side by it.
    "a mean": (lambda x, y, z: ns(x).mean(x), 1, 1),
    "a mean squared": (lambda x, y, z: ns(x).mean(x) ** 2, 2, 2),
    "a quotient": (lambda x, y, z: total(x) ** 2 / total(y), 2, 2),
    "a small quotient": (lambda x, y, z: 1 / total(y) ** 3, 0, 3),
    "a negative power": (lambda x, y, z: total(y) ** -3, 0, 3),
    "a quotient of quotients": (lambda x, y, z: total(x) / (total(y) / total(z) ** 2), 3, 3),
    "divided by a quotient": (lambda x, y, z: 1 / (1 / total(x) ** 2) ** 3, 6, 6),
    # x/y + z/y has one denominator, x/y + y/x two: numerators lack what the other one has.
    "one denominator": (lambda x, y, z: total(x) / total(y) + total(z) / total(y), 1, 1),
    "two denominators": (lambda x, y, z: total(x) / total(y) + total(y) / total(x), 2, 2),
    "powers of one": (lambda x, y, z: total(x) / total(y) + total(z) * total(y) ** -3, 3, 3),
    "a product of quotients": (lambda x, y, z: 1 / total(x) * (1 / total(x)), 0, 2),
    "its repeated power": (lambda x, y, z: (total(z) / total(x)) ** 3, 3, 3),
    # A function of a sum is an unknown number, its own denominator too.
    "an unknown": (lambda x, y, z: ns(x).sin(total(x)) ** 3 / ns(x).exp(total(y)), 0, 0),
    "an unknown and a sum": (lambda x, y, z: ns(x).log(total(x)) * total(y), 1, 1),
    "softmax": (lambda x, y, z: total(softmax(x) * y), 1, 1),
    "softmax twice": (lambda x, y, z: total(softmax(x) ** 2 * y) + total(softmax(x)), 2, 2),
    # max(x) is sum(s x) with s = w / sum(w)
    "a maximum": (lambda x, y, z: ns(x).max(x), 1, 1),
    "a maximum and a sum": (lambda x, y, z: ns(x).max(x) + total(y), 2, 2),
    "a product of maxima": (lambda x, y, z: ns(x).max(x) * ns(x).max(y), 2, 2),
    "maxima of two arrays": (lambda x, y, z: ns(x).max(x) + ns(x).max(y), 2, 2),
    "a negative power of a quotient": (lambda x, y, z: (total(x) / total(y) ** 2) ** -3, 6, 6),
    "roots under fractions": (
        lambda x, y, z: (total(x) + 1) ** -0.5 + (total(y) + 1) ** -0.5,
        1,
        1,
    ),
    "a choice": (lambda x, y, z: ns(x).where(total(x) > 0, total(y), total(z) ** 2), 2, 2),
    "the other choice": (
        lambda x, y, z: ns(x).where(total(x) > 0, total(z) ** 2, total(y)),
        2,
        2,
    ),
    "a product of masks": (
        lambda x, y, z: ns(x).sum(ns(x).astype((x > 0) & ~(y > 0) | (x > y), x.dtype)),
        1,
        1,
    ),
    # A root is half of what stands under it.
    "a root": (lambda x, y, z: ns(x).sqrt(total(x)), 1, 1),
    "two roots": (lambda x, y, z: ns(x).sqrt(total(x)) * ns(x).sqrt(total(y)), 1, 1),
    "three roots": (lambda x, y, z: ns(x).sqrt(total(x) ** 3 + total(y)), 2, 2),
    "a cubed root": (lambda x, y, z: (total(x) + total(y)) ** 1.5 * total(z), 3, 3),
    "one over a root": (lambda x, y, z: (total(x) + total(y)) ** -0.5, 0, 1),
    "one over a cubed root": (lambda x, y, z: (total(x) + total(y)) ** -1.5, 0, 2),
    "one over a root and a sum": (lambda x, y, z: total(z) * (total(x) + 1) ** -0.5, 1, 1),
    # sqrt(a / b) = sqrt(a b) / b
    "the root of a quotient": (lambda x, y, z: ns(x).sqrt(total(x) / total(y)), 1, 1),
    "its third power": (lambda x, y, z: (total(x) / total(y) ** 3) ** 1.5, 6, 9),
    # 1 / sqrt(a / b) = b / sqrt(a b), which is a denominator of two sums here
    "one over it": (lambda x, y, z: (total(x) / total(y) ** 3) ** -0.5, 3, 3),
    "one over it, and sums": (
        lambda x, y, z: (total(x) / total(y) ** 3) ** -0.5 + total(z) ** 3,
        5,
        5,
    ),
    "thrice": (lambda x, y, z: (total(x) / total(y) ** 3) ** -1.5, 9, 9),
    "thrice, and sums": (
        lambda x, y, z: (total(x) / total(y) ** 3) ** -1.5 + total(z) ** 4,
        10,
        10,
    ),
}


@pytest.mark.parametrize("name", SUMS)
def test_sums_are_counted(name):
    formula, alone, cleared = SUMS[name]
    assert largest(formula, shapes=VECTORS) == {"n": 1 + alone}

    assert largest(formula, lambda x, y, z: ns(x).ones(()), shapes=VECTORS) == {"n": 1 + cleared}


def test_the_larger_side_counts():
    def left(x, y, z):
        return total(x)

    def right(x, y, z):
        return total(x) * total(y)

    for a, b in ((left, right), (right, left)):
        assert largest(a, b, shapes=VECTORS) == {"n": 3}

    def both(x, y, z):
        return total(x), total(x) ** 3, total(y)

    assert largest(both, shapes=VECTORS) == {"n": 4}


@pytest.mark.parametrize("first", [1, 2, 5])
def test_free_indices_and_the_first_size(first):
    """max(first, f) + K, where f axes of what is compared run over n."""
    shapes = {"A": "n n", "B": "n n", "v": "n"}
    for free, summed, function in (
        (0, 1, lambda A, B, v: ns(A).linalg.trace(A)),
        (0, 3, lambda A, B, v: ns(A).linalg.trace(A @ B @ A)),
        (1, 1, lambda A, B, v: A @ v),
        (1, 0, lambda A, B, v: ns(A).linalg.diagonal(A) * v),
        (2, 0, lambda A, B, v: A.T * B - v),
        (2, 2, lambda A, B, v: A @ B @ A),
        (3, 0, lambda A, B, v: A[:, None, :] * B),
        (0, 0, lambda A, B, v: ns(A).ones(())),
    ):
        assert largest(function, shapes=shapes, first=first) == {"n": max(first, free) + summed}


def test_roots_that_are_unknowns_count_nothing():
    def left(x, y, z):
        return ns(x).sqrt(total(x)) * total(y) / (total(z) + 1) ** -0.5

    assert largest(left, shapes=VECTORS, roots=False) == {"n": 2}
    assert largest(left, shapes=VECTORS, roots=True) == {"n": 3}


# Of matrices P = A / (row sums), which denominators are the same ones: free indices, and the counts
# as above.
MATRICES = {
    "the rows": (lambda A: A / rows(A), 2, 0, 1),
    "the rows twice": (lambda A: A / rows(A) + A.T / rows(A), 2, 0, 1),
    "its square": (lambda A: (A / rows(A)) * (A / rows(A)), 2, 0, 2),
    # a_ij / r_i + a_ji / r_j = (a_ij r_j + a_ji r_i) / (r_i r_j)
    "and its transpose": (lambda A: A / rows(A) + (A / rows(A)).T, 2, 1, 2),
    "by columns, too": (lambda A: A / rows(A) + A / rows(A.T), 2, 1, 2),
    # On the diagonal they are the same again.
    "the diagonal of that": (
        lambda A: ns(A).linalg.diagonal(A / rows(A) * (A / rows(A)).T),
        1,
        0,
        2,
    ),
    "repeated along the rows": (lambda A: A / rows(A) + 1 / rows(A), 2, 0, 1),
    "repeated along the columns": (lambda A: A / rows(A) + (1 / rows(A))[:, 0], 2, 1, 2),
    "reshaped": (
        lambda A: A / rows(A) + ns(A).reshape(1 / rows(A), (1, A.shape[0])).T,
        2,
        0,
        1,
    ),
    "a reshaped denominator": (
        lambda A: A / rows(A) + 1 / ns(A).reshape(rows(A), (A.shape[0],))[:, None],
        2,
        0,
        1,
    ),
    "from a vector": (
        lambda A: A / rows(A) + (1 / ns(A).sum(A, axis=1))[:, None],
        2,
        0,
        1,
    ),
    "a vector for every row": (lambda A: A / rows(A.T)[:, 0] + 1 / rows(A.T)[:, 0], 2, 0, 1),
    "a product that is a column": (
        lambda A: 1 / ns(A).reshape(A @ A[:, :], A.shape) + 1 / (A @ A),
        2,
        0,
        1,
    ),
    "roots in rows and columns": (
        lambda A: (rows(A * A) + 1) ** -0.5 + ((rows(A * A) + 1) ** -0.5).T,
        2,
        1,
        1,
    ),
    "the largest of each row": (lambda A: ns(A).max(A, axis=1) * A[:, :], 2, 1, 1),
    "shares of one row": (lambda A: ns(A).max(A, axis=1) + ns(A).sum(A, axis=1), 1, 2, 2),
    "a denominator of the whole": (lambda A: A @ A / ns(A).sum(A), 2, 1, 2),
    "a sum of quotients over one number": (lambda A: A @ (A / ns(A).sum(A)), 2, 1, 2),
    "each row summed": (lambda A: ns(A).sum(A / rows(A), axis=1), 1, 1, 1),
}


@pytest.mark.parametrize("name", MATRICES)
def test_denominators_of_matrices(name):
    formula, free, alone, cleared = MATRICES[name]
    assert largest(formula, shapes={"A": "n n"}) == {"n": max(free, 1) + alone}

    def one(A):
        return ns(A).ones(())

    assert largest(formula, one, shapes={"A": "n n"}) == {"n": max(free, 1) + cleared}


def test_a_sum_over_few_has_the_product_of_their_denominators():
    """1 / a + 1 / b + 1 / c = (b c + a c + a b) / (a b c)"""
    shapes = {"A": "n 3", "x": "n"}

    def left(A, x):
        return total(1 / ns(A).sum(A, axis=0))

    def right(A, x):
        return total(x) ** 2

    assert largest(left, shapes=shapes) == {"n": 1 + 2}
    assert largest(left, right, shapes=shapes) == {"n": 1 + 3 + 2}

    def cubes(A, x):
        return total(ns(A).sum(A, axis=0) ** -2)

    assert largest(cubes, shapes=shapes) == {"n": 1 + 4}

    def products(A, x):
        s = ns(A).sum(A, axis=0)
        return total(1 / (s * s))

    assert largest(products, shapes=shapes) == {"n": 1 + 4}

    def over_sums(A, x):
        """sum_j t_j / s_j, with a sum in each numerator"""
        return total(ns(A).sum(A * A, axis=0) / ns(A).sum(A, axis=0))

    assert largest(over_sums, shapes=shapes) == {"n": 1 + 1 + 2}
    # Products of other denominators are others.
    assert largest(lambda A, x: left(A, x) + left(A * A, x), shapes=shapes) == {"n": 1 + 5}
    assert largest(lambda A, x: left(A, x) + left(A, x) ** 2, shapes=shapes) == {"n": 1 + 5}
    assert largest(cubes, right, shapes=shapes) == {"n": 1 + 6 + 2}

    def at_each(A, x):
        """sum_j a_ij / s_j beside 1 / s_j: the product of all s and each by itself differ."""
        s = ns(A).sum(A, axis=0)
        return ns(A).sum(A / s, axis=1)[:, None] + 1 / s

    assert largest(at_each, shapes=shapes) == {"n": 1 + 3}


def test_one_dimension_after_another():
    """For the first one the other has any size, for the next one the first has its largest."""
    shapes = {"A": "n m", "B": "m k"}
    assert largest(lambda A, B: A @ B, shapes=shapes) == {"n": 1, "k": 1, "m": 2}

    # What is known first is of the dimension with the smallest bound.
    powers = largest(lambda a, b: total(a) ** 3 * total(b), shapes={"a": "a", "b": "b"})
    assert list(powers.items()) == [("b", 2), ("a", 4)]

    def means(A, B):
        """sum_j 1 / (sum_i a_ij): along m one index, and then m <= 2 denominators along n."""
        return total(1 / ns(A).sum(A, axis=0))

    found = bounds([(core(means, shapes)[0],) * 2], {"n": 1, "m": 1, "k": 2})
    assert found == Bounds({"n": 1, "m": 1, "k": 2}, {"k": 2, "m": 2, "n": 2})
    assert list(found.largest) == ["k", "m", "n"]
    assert largest(means, shapes=shapes, first=3) == {"k": 3, "m": 4, "n": 6}


def test_what_stands_in_the_way_is_said_of_the_first_dimension():
    def both(A):
        return total(1 / ns(A).sum(A, axis=0)) + total(1 / ns(A).sum(A, axis=1))

    why = "along m, the terms of a sum over n elements have different denominators"
    with pytest.raises(NoBoundError, match=why):
        largest(both, shapes={"A": "n m"})


def positions(x):
    return ns(x).arange(x.shape[0])


# Nothing happens along n here: A is of shape (n, 3), v of n, M of (3, 3).
ALONG_ANOTHER = {
    "picked": (lambda A, v, M: ns(A).take(A, ns(A).arange(2), axis=1), 0),
    "picked of sums": (lambda A, v, M: ns(A).take(total(v) * A, ns(A).arange(2), axis=1), 1),
    "put after another": (lambda A, v, M: ns(A).concat([A, A * total(v)], axis=1), 1),
    "running sums": (lambda A, v, M: ns(A).cumulative_sum(A * total(v), axis=1), 1),
    "products": (lambda A, v, M: ns(A).prod(A, axis=1), 0),
    "products of sums": (lambda A, v, M: ns(A).prod(A * total(v), axis=1), 3),
    "products of quotients": (lambda A, v, M: ns(A).prod(A / total(v), axis=1) + total(v), 4),
    "reshaped": (lambda A, v, M: ns(A).reshape(A * total(v), (A.shape[0], 1, 3)), 1),
    "merged": (lambda A, v, M: ns(A).reshape(total(v) * M, (9,)), 1),
    "a system": (lambda A, v, M: ns(A).linalg.solve(M, total(v) * A.T), 1),
    "a determinant": (lambda A, v, M: ns(A).linalg.det(M) * total(v), 1),
    "a factor": (lambda A, v, M: ns(A).linalg.cholesky(M) * total(v), 1),
    "the same position": (lambda A, v, M: ns(A).eye(A.shape[0]) * total(v), 1),
    "determinants": (lambda A, v, M: ns(A).linalg.det(A[:, :, None] * M), 0),
    "equal positions": (
        lambda A, v, M: ns(A).where(positions(A)[:, None] == positions(A), total(v), 0.0),
        1,
    ),
    "turned positions": (
        lambda A, v, M: ns(A).where(positions(A) == positions(A)[:, None].T, total(v), 0.0),
        1,
    ),
    "positions beside": (lambda A, v, M: ns(A).tril(M) * total(v), 1),
}


@pytest.mark.parametrize("name", ALONG_ANOTHER)
def test_what_happens_along_another_axis_is_no_matter(name):
    formula, count = ALONG_ANOTHER[name]
    shapes = {"A": "n 3", "v": "n", "M": "3 3"}
    (node,) = core(formula, shapes)
    free = sum(size == Size.of("n") for size in node.shape)
    assert largest(formula, shapes=shapes) == {"n": max(free, 1) + count}


def one_over(x):
    return 1 / ns(x).sum(x, axis=0)


# What the lemma doesn't cover.
REFUSED = {
    "the terms of a sum have different sums": lambda A, B, x, M: total(A / rows(A).T),
    "an axis has the size 2\\*n": lambda A, B, x, M: ns(x).concat([x, x]),
    "an axis has the size n-1": lambda A, B, x, M: x[1:],
    "a denominator varies along an axis that is rearranged": lambda A, B, x, M: ns(x).reshape(
        one_over(B)[:, None] * M, (9,)
    ),
    "by their positions \\(`add`\\)": lambda A, B, x, M: ns(x).tril(A),
    "by their positions \\(`compare`\\)": lambda A, B, x, M: ns(x).where(
        ns(x).arange(x.shape[0])[:, None] < ns(x).arange(x.shape[0]), A, A.T
    ),
    "told apart by their positions": lambda A, B, x, M: ns(x).where(
        ns(x).arange(x.shape[0]) == 0, x, 2 * x
    ),
    "by their positions \\(`convert`\\)": lambda A, B, x, M: (
        x * ns(x).astype(ns(x).arange(x.shape[0]), x.dtype)
    ),
    "by their positions \\(`reshape`\\)": lambda A, B, x, M: ns(x).where(
        ns(x).reshape(ns(x).broadcast_to(positions(x)[:, None], B.shape), (3, x.shape[0]))
        == positions(x),
        x,
        2 * x,
    ),
    "a reshape merges or divides it": lambda A, B, x, M: ns(x).reshape(B, (3, B.shape[0])),
    "sizes are compared": lambda A, B, x, M: ns(x).where(
        ns(x).arange(3) < x.shape[0], M[0, :], M[1, :]
    ),
    "picked by their positions": lambda A, B, x, M: ns(x).take(x, ns(x).arange(2)),
    "multiplied along it": lambda A, B, x, M: ns(x).prod(x),
    "sums run along it": lambda A, B, x, M: ns(x).cumulative_sum(x),
    "the terms of a running sum": lambda A, B, x, M: ns(x).cumulative_sum(one_over(B)),
    "multiplied along another axis": lambda A, B, x, M: ns(x).prod(one_over(B)),
    "rows of a linear system": lambda A, B, x, M: ns(x).linalg.solve(M, one_over(B)[:, None]),
    "matrices are inverted": lambda A, B, x, M: ns(x).linalg.inv(A),
    "matrices are inverted or": lambda A, B, x, M: ns(x).linalg.det(A),
    "inverted or factored": lambda A, B, x, M: ns(x).linalg.cholesky(A),
    "sums stand in a matrix": lambda A, B, x, M: ns(x).linalg.det(total(x) * M),
    "sums stand in a matrix that": lambda A, B, x, M: ns(x).linalg.inv(M / total(x)),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_has_no_bound(reason):
    shapes = {"A": "n n", "B": "n 3", "x": "n", "M": "3 3"}
    with pytest.raises(NoBoundError, match=f"along n, .*{reason}"):
        largest(REFUSED[reason], shapes=shapes)


# --- where denominators go, node by node: s of shape (4,), of sums along n --------------------

N, S = Size.of("n"), op.sum_(op.input_("S", (Size.of(4), Size.of("n"))), (1,))


def over(shape, axis):
    """An array of a shape, over s along an axis."""
    sizes = [Size.of(k) for k in shape]
    s = op.reshape(S, [k if a == axis else ONE for a, k in enumerate(sizes)])
    return op.divide(op.input_(f"x{shape}", sizes), s)


def count(node):
    (node,) = lowered((node,))
    return bounds([(node, node)], {"n": 1}).largest["n"] - 1


def places(*shape):
    """Indices, of any shape."""
    return op.input_("k", [Size.of(k) for k in shape], "integer")


MOVED = {
    "gathered before it": lambda: (op.gather(over((5, 4, 2), 1), places(3, 3), 0), 2),
    "gathered behind it": lambda: (op.gather(over((5, 4, 2), 1), places(3, 3), 2), 1),
    "scattered before it": lambda: (
        op.scatter(over((3, 3, 4, 2), 2), places(3, 3), 0, Size.of(5)),
        1,
    ),
    "scattered behind it": lambda: (
        op.scatter(over((2, 4, 3, 3), 1), places(3, 3), 2, Size.of(5)),
        1,
    ),
    "merged before it": lambda: (_reshaped(over((2, 3, 4, 5), 2), 6, 4, 5), 1),
    "merged behind it": lambda: (_reshaped(over((5, 4, 2, 3), 1), 5, 4, 6), 1),
    "divided before it": lambda: (_reshaped(over((6, 4, 5), 1), 2, 3, 4, 5), 2),
    "with axes of one": lambda: (_reshaped(over((5, 1, 4), 2), 1, 5, 4, 1), 2),
    "one after another": lambda: (op.concatenate([over((5, 4), 1), over((3, 4), 1)], 0), 1),
    "before a sum": lambda: (op.sum_(over((5, 4, 2), 1), (0,)), 0),
    "before a cumulative sum": lambda: (op.cumulative(over((5, 4), 1), 0), 1),
}


def _reshaped(x, *shape):
    return op.reshape(x, [Size.of(k) for k in shape])


@pytest.mark.parametrize("name", MOVED)
def test_denominators_are_where_their_axis_went(name):
    """Beside 1 / s along the axis where they should be nothing is lacking; along others it is."""
    node, axis = MOVED[name]()
    assert count(node) == 0
    shape = [size.at({}) for size in node.shape]
    for other, size in enumerate(shape):
        if size == 4:
            assert count(op.add(node, over(shape, other))) == (0 if other == axis else 1)
    (apart,) = (op.add(op.reshape(node, [ONE, *node.shape]), over((4, *[1] * len(shape)), 0)),)
    assert count(apart) == 1


def test_products_of_denominators_are_where_their_axis_went():
    """The product of m elements over s is over s^m, beside which 1 / s lacks m - 1."""
    for axis, place, m in ((0, 0, 5), (2, 1, 2)):
        node = op.product(over((5, 4, 2), 1), axis)
        rest = [size.at({}) for size in node.shape]
        assert count(op.add(node, over(rest, place))) == m - 1


def test_denominators_are_those_of_the_last_axes():
    """Repeated along a new first axis, before it is divided by and after."""
    several = [Size.of(k) for k in (2, 3, 4)]
    s = op.sum_(op.input_("S", (*several[1:], N)), (2,))
    first = op.divide(op.input_("x", several), s)
    assert count(op.add(first, op.divide(op.constant(1), s))) == 0
    # x / s + y / (s s), which counts as a denominator of its own
    assert count(op.add(first, op.divide(op.input_("y", several[1:]), op.multiply(s, s)))) == 2


def test_a_root_is_a_root_unless_it_is_said_to_be_an_unknown():
    (node,) = lowered((op.function("sqrt", op.sum_(op.input_("x", (N,)), (0,))),))
    assert bounds([(node, node)], {"n": 1}).largest == {"n": 2}


def test_a_divided_axis_varies_along_both():
    """Four different denominators in a (2, 2) matrix: one number over their product."""
    turned = op.divide(op.constant(1), _reshaped(S, 2, 2))
    assert count(op.sum_(turned, (0, 1))) == 3
    assert count(turned) == 0


@pytest.mark.parametrize(
    "node",
    [
        lambda: op.gather(over((5, 4, 2), 1), places(3), 1),
        lambda: op.scatter(over((5, 4, 2), 1), places(4), 1, Size.of(7)),
        lambda: op.scatter(over((5, 3, 4), 2), places(3, 4), 1, Size.of(7)),
        lambda: op.concatenate([over((5, 4), 1), over((5, 4), 1)], 1),
        lambda: op.scatter(
            op.input_("x", (Size.of(2), N)), op.input_("k", (N,), "integer"), 1, Size.of(2)
        ),
        lambda: op.gather(op.input_("x", (N, N)), places(3), 1),
        lambda: op.scatter(op.input_("x", (Size.of(2), N)), op.index(N), 1, Size.of(2)),
        lambda: op.scatter(op.input_("x", (Size.of(2), Size.of(3))), places(3), 1, N),
    ],
)
def test_what_positions_along_n_or_denominators_pick(node):
    with pytest.raises(NoBoundError, match="along n, "):
        count(node())
