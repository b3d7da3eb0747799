"""GF(p^2) against python-flint's finite fields."""

from fractions import Fraction

import flint
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from verimath.arithmetic import residues as gf
from verimath.arithmetic.residues import DegenerateError, Residues

P = gf.prime_for("test")
THEIRS = flint.fq_default_ctx(P, modulus=flint.fmpz_mod_poly_ctx(P)([1, 0, 1]))
UNIT = THEIRS.gen()

numbers = st.integers(0, P - 1)
pairs = st.tuples(numbers, st.just(0) | numbers)
zeros = st.just((0, 0))


def ours(cells, shape=()):
    re = np.array([a for a, _ in cells], dtype=object).reshape(shape)
    im = np.array([b for _, b in cells], dtype=object).reshape(shape)
    return Residues(P, re, im if np.any(im != 0) else None)


def theirs(pair):
    return THEIRS(pair[0]) + THEIRS(pair[1]) * UNIT


def same(mine, other):
    """Equal to flint's numbers, and written as residues are: reduced, zeros left out."""
    imaginary = mine.with_imaginary()
    assert mine.prime == P
    assert all(0 <= int(x) < P for part in (mine.re, imaginary) for x in part.ravel())
    assert (mine.im is None) == (not np.any(imaginary != 0))
    return [theirs((int(a), int(b))) for a, b in _cells(mine)] == list(other)


def test_primes_are_large_different_and_three_modulo_four():
    primes = {gf.prime_for(str(k)) for k in range(30)}
    assert len(primes) == 30
    for prime in primes:
        assert 1 << 61 < prime < 1 << 62
        assert prime % 4 == 3
        assert flint.fmpz(prime).is_prime()


@given(pairs, pairs)
def test_sums_products_and_inverses(a, b):
    x, y = ours([a]), ours([b])
    assert same(gf.add(x, y), [theirs(a) + theirs(b)])
    assert same(gf.multiply(x, y), [theirs(a) * theirs(b)])
    assert same(gf.negative(x), [-theirs(a)])
    if a != (0, 0):
        assert same(gf.inverse(x), [1 / theirs(a)])


@given(pairs, st.integers(-9, 9))
def test_powers(a, exponent):
    assume(a != (0, 0))
    assert same(gf.power(ours([a]), exponent), [theirs(a) ** exponent])


@given(pairs)
def test_roots_are_roots_and_there_is_one_for_every_element_of_the_prime_field(a):
    x = ours([a])
    try:
        root = gf.root(x)
    except DegenerateError:
        assert a[1]
        assert not theirs(a).is_square()
        return
    assert gf.equal(gf.multiply(root, root), x)


@given(
    st.integers(1, 4).flatmap(
        lambda n: st.tuples(
            st.just(n), st.lists(zeros | pairs, min_size=2 * n * n, max_size=2 * n * n)
        )
    )
)
def test_systems_and_determinants(drawn):
    """Zeros among them, so that rows have to be swapped."""
    n, cells = drawn
    a, b = ours(cells[: n * n], (n, n)), ours(cells[n * n :], (n, n))
    determinant = _leibniz([theirs(c) for c in cells[: n * n]], n)
    assert same(gf.determinant(a), [determinant])
    if determinant == 0:
        with pytest.raises(DegenerateError, match="singular"):
            gf.solve(a, b)
        return
    solution = gf.solve(a, b)
    product = gf.bilinear(lambda x, y: x @ y, a, solution)
    assert same(product, [theirs(c) for c in cells[n * n :]])
    assert same(solution, [theirs((int(a), int(b))) for a, b in _cells(solution)])


@given(st.lists(pairs, min_size=1, max_size=5), st.integers(0, 4))
def test_a_real_part_of_a_complex_array_is_real(cells, k):
    one = cells[k % len(cells)]
    assert same(ours(cells, (len(cells),)).placed(lambda x: x[k % len(cells)]), [theirs(one)])


def _cells(x):
    return list(zip(x.re.ravel(), x.with_imaginary().ravel(), strict=True))


def test_an_imaginary_system_with_a_real_solution():
    i = Residues(P, np.array([[0]], object), np.array([[1]], object))
    assert gf.equal(gf.solve(i, i), gf.residues(P, [[1]]))
    two = gf.bilinear(np.kron, i, gf.residues(P, [[1, 0], [0, 2]]))
    assert gf.equal(gf.solve(two, two), gf.residues(P, [[1, 0], [0, 1]]))


def _leibniz(cells, n):
    """Along the first row, as the definition has it."""
    if n == 1:
        return cells[0]
    total = THEIRS(0)
    for k in range(n):
        rest = [cells[i * n + j] for i in range(1, n) for j in range(n) if j != k]
        total += (-1) ** k * cells[k] * _leibniz(rest, n - 1)
    return total


def test_fractions():
    assert gf.of_fraction(P, Fraction(-2, 3)) * 3 % P == P - 2
    with pytest.raises(DegenerateError):
        gf.of_fraction(P, Fraction(1, P))


def test_zero_has_no_inverse():
    with pytest.raises(DegenerateError, match="division by zero"):
        gf.inverse(gf.residues(P, [1, 0]))


def test_equality_sees_one_element_and_one_part():
    a = ours([(1, 2), (3, 4)], (2,))
    assert gf.equal(a, ours([(1, 2), (3, 4)], (2,)))
    assert not gf.equal(a, ours([(1, 2), (3, 5)], (2,)))
    assert not gf.equal(a, ours([(1, 2), (2, 4)], (2,)))
    assert not gf.equal(a, ours([(1, 0), (3, 0)], (2,)))
    assert not gf.equal(a, ours([(1, 2)], (1,)))
    assert not gf.equal(gf.residues(P, [1, 1]), gf.residues(P, [1]))
