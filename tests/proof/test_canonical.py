"""Names of bound indices and the order of factors never make a difference."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from verimath.proof.algebra import Algebra
from verimath.proof.terms import Factor, Monomial, Raw
from verimath.shapes import Size

N = Size.of("n")
HEADS = {
    "x": 1,
    "y": 1,
    "A": 2,
    "S": 2,  # symmetric
    "T": 3,
    "C": 3,  # cyclic
    "s": 0,
}
SYMMETRIES = {"S": ((0, 1), (1, 0)), "C": ((0, 1, 2), (1, 2, 0), (2, 0, 1))}


def _heads(algebra):
    return {
        name: algebra.intern(
            "tensor",
            name,
            (N,) * arity,
            symmetries=SYMMETRIES.get(name),
            places=tuple(range(arity)),
            rank=arity,
        )
        for name, arity in HEADS.items()
    }


@st.composite
def products(draw):
    """Names, indices and exponents of factors; indices -1 and -2 are free."""
    count = draw(st.integers(1, 7))
    index = st.integers(-2, draw(st.integers(0, 5)))
    found = []
    for _ in range(count):
        name = draw(st.sampled_from(sorted(HEADS)))
        exponent = draw(st.sampled_from([1, 1, 1, 2, -1, Fraction(1, 2)]))
        found.append((name, tuple(draw(index) for _ in range(HEADS[name])), exponent))
    return found


def _collected(factors):
    algebra = Algebra(budget=100_000)
    heads = _heads(algebra)
    bound = {i: N for _, indices, _ in factors for i in indices if i >= 0}
    made = [Factor(heads[name], indices, exponent) for name, indices, exponent in factors]
    return algebra.collect([Raw(Fraction(1), {}, made, bound)])


def _plain(expression):
    """An expression without heads, which belong to one algebra."""
    return {
        (m.powers, tuple((f.head.name, f.indices, f.exponent) for f in m.factors), m.bound): c
        for m, c in expression.items()
    }


@given(products(), st.data())
def test_renaming_shuffling_and_symmetries_change_nothing(factors, data):
    bound = sorted({i for _, indices, _ in factors for i in indices if i >= 0})
    names = data.draw(st.permutations(range(20, 20 + len(bound))))
    renaming = dict(zip(bound, names, strict=True))
    other = []
    for name, indices, exponent in data.draw(st.permutations(factors)):
        able = SYMMETRIES.get(name, (tuple(range(len(indices))),))
        turned = [indices[k] for k in data.draw(st.sampled_from(able))]
        other.append((name, tuple(renaming.get(i, i) for i in turned), exponent))
    assert _plain(_collected(factors)) == _plain(_collected(other))


@given(products())
def test_a_canonical_monomial_is_its_own_canonical_form(factors):
    (monomial,) = _collected(factors)
    again = [(f.head.name, f.indices, f.exponent) for f in monomial.factors]
    (other,) = _plain(_collected(again))
    assert other[1] == tuple((f.head.name, f.indices, f.exponent) for f in monomial.factors)


def test_what_only_refinement_cannot_tell_apart_is_told_apart():
    # Two triangles and a hexagon: every index has the same surroundings.
    triangles = [("A", (0, 1), 1), ("A", (1, 2), 1), ("A", (2, 0), 1)]
    triangles += [("A", (i + 3, j + 3), e) for _, (i, j), e in triangles]
    hexagon = [("A", (k, (k + 1) % 6), 1) for k in range(6)]
    assert _plain(_collected(triangles)) != _plain(_collected(hexagon))
    turned = [("A", ((k + 2) % 6, (k + 3) % 6), 1) for k in range(6)]
    assert _plain(_collected(turned)) == _plain(_collected(hexagon))


def test_a_free_index_is_no_bound_one():
    one = _collected([("x", (-1,), 1), ("y", (0,), 1)])
    other = _collected([("x", (0,), 1), ("y", (-1,), 1)])
    assert _plain(one) != _plain(other)


def test_equal_parts_of_a_product_cost_nothing():
    algebra = Algebra(budget=200)
    x = _heads(algebra)["x"]
    factors = [Factor(x, (k,), 1) for k in range(30)]
    (monomial,) = algebra.collect([Raw(Fraction(1), {}, factors, dict.fromkeys(range(30), N))])
    assert isinstance(monomial, Monomial)
    assert len(monomial.bound) == 30
