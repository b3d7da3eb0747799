"""Rounding errors of factorisations: solve, determinant, Cholesky.

Backward error and perturbation (Higham, *Accuracy and Stability*, 2nd ed.). With Z = |A^-1|, W at
least |L||U| in whatever order rows are pivoted, D what the operands carry, and E = D_A + gamma_3n W
the backward error of a solution (theorem 9.4):

    |X^ - X| <= (I - Z E)^-1 Z (D_B + E |X|)
    |det^ / det - 1| <= prod_i (1 + sum_j (Z E)_ij) (1 + gamma_n) e^l - 1, with gamma_n W in E
        and l = (n + 8) u sum_i (|log |u_ii|| + 1), for libraries that add the pivots' logarithms
    |L^ - L|_ij <= |L_i|_2 d / (sqrt(2) (1 - d)), d = |L^-1 E L^-T|_F (theorems 10.3 and 10.8)

W takes the largest element of each column of |L||U|, twice: partial pivoting bounds the multipliers
by one, and libraries that break near ties differently are assumed to meet no more than twice the
growth that ours does. Where Z E reaches one, no digit is certain and the bound is infinite.

V is W with each |l_ik||u_kj| times its share of 3n roundings (lemma 8.4, in any order): those of
the factorisation, i - 1 on and above the diagonal and j + 1 below it; then those of substitution,
i - 1 and n - k + 2, or of an inverse from that of U, j + 1 and n - k (section 14.3.3, method B).
Factors and quotients may be products with a reciprocal; two more make room for reflections and
rotations, which round more often at small n (theorem 19.4). Where no two rows are about as good a
pivot, libraries choose alike, and V is not taken twice; elsewhere it is W.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verimath.arithmetic.formats import FLOAT64, FloatFormat
from verimath.arithmetic.operand import Operand, gamma
from verimath.arithmetic.values import Array, one_by_one
from verimath.formula.graph import Node
from verimath.shapes import Binding

_LARGEST_GROWTH = 2.0
_NEAR = 1 - 2.0**-6
_ORTHOGONAL = 2
_PANEL = 32


@dataclass(frozen=True, slots=True)
class Elimination:
    """What elimination with partial pivoting meets, per matrix of shape (n, n).

    `growth` is W and `counted` V, both (..., n, n); `largest` the largest partial product of
    pivots, `logarithms` the sum of their |log|, and `least` the smallest of them.
    """

    growth: Array
    counted: Array
    largest: Array
    logarithms: Array
    least: Array

    def overflows(self, format_: FloatFormat) -> NDArray[np.bool_]:
        """Where |L||U|, or the reciprocal of a pivot, by which libraries multiply, may overflow."""
        reached = np.sum(self.growth, axis=(-1, -2))
        return ~((reached <= format_.largest) & (self.least * format_.largest >= _LARGEST_GROWTH))


def eliminated(a: Array, off: Array, format_: FloatFormat) -> Elimination:
    """Eliminate matrices of shape (..., n, n), as is done in a format that has them up to `off`.

    Elimination in panels of columns (Golub and Van Loan, section 3.2.11): what is right of a panel
    is updated once, by a matrix product.
    """
    lu, n = np.array(a), a.shape[-1]
    lower = np.zeros_like(lu)
    pivots, logarithms = np.ones(lu.shape[:-2]), np.zeros(lu.shape[:-2])
    least = np.full(lu.shape[:-2], np.inf)
    near = np.zeros(lu.shape[:-2], dtype=np.bool_)
    # How much of a difference between two candidates the format may not see.
    unseen = 64 * n * np.max(format_.roundoff * np.abs(lu) + off, axis=(-1, -2), initial=0.0)
    for start in range(0, n, _PANEL):
        stop = min(start + _PANEL, n)
        for k in range(start, stop):
            candidates = np.abs(lu[..., k:, k])
            best = np.argmax(candidates, axis=-1)[..., None, None] + k
            leader = np.max(candidates, axis=-1, keepdims=True)
            near |= np.sum(~(candidates < _NEAR * leader - unseen[..., None]), axis=-1) != 1
            for rows in (lu, lower):
                chosen = np.take_along_axis(rows, best, axis=-2)
                np.put_along_axis(rows, best, rows[..., k : k + 1, :].copy(), axis=-2)
                rows[..., k : k + 1, :] = chosen
            pivot = lu[..., k, k]
            pivots = pivots * np.maximum(np.abs(pivot), 1.0)
            least = np.minimum(least, np.abs(pivot))
            logarithms = logarithms + np.abs(np.log(np.abs(pivot)))
            factors = lu[..., k + 1 :, k] / np.where(pivot == 0, 1.0, pivot)[..., None]
            lower[..., k + 1 :, k], lower[..., k, k] = factors, 1.0
            lu[..., k + 1 :, k:stop] -= factors[..., None] * lu[..., k : k + 1, k:stop]
        if stop < n:
            panel, right = slice(start, stop), slice(stop, n)
            lu[..., panel, right] = np.linalg.solve(lower[..., panel, panel], lu[..., panel, right])
            lu[..., right, right] -= lower[..., right, panel] @ lu[..., panel, right]
    lower, upper = np.abs(lower), np.abs(np.triu(lu))
    product, k = lower @ upper, np.arange(1, n + 1)
    row, column = k[:, None], k[None, :]
    # Per |l_ik||u_kj|: this, and n - k.
    factoring = np.where(column >= row, row - 1, column + 1)
    counts = factoring + np.maximum(row, column) + 1 + _ORTHOGONAL
    counted = (counts * product + (lower * (n - k)) @ upper) / max(3 * n, 1)
    growth = _LARGEST_GROWTH * _in_any_row(product)
    counted = np.where(near[..., None, None], growth, _in_any_row(counted))
    return Elimination(growth, counted, pivots, logarithms, least)


def _in_any_row(product: Array) -> Array:
    """The largest element of each column, in all of it."""
    column = np.max(product, axis=-2, keepdims=True, initial=0.0)
    return np.broadcast_to(column, product.shape)


def certainly_factored(a: Array, format_: FloatFormat) -> bool:
    """Whether Cholesky's algorithm runs to the end on one symmetric matrix, shape (n, n).

    It does if the least eigenvalue of H, the matrix scaled to a diagonal of ones, is more than
    n g / (1 - g) with g = gamma_(n+1) (Higham, theorem 10.7, after Demmel). The eigenvalue comes
    from float64, which is off by a modest multiple of n^(3/2) u (Golub and Van Loan, section 8.1).
    """
    n, diagonal = a.shape[-1], np.diagonal(a)
    if not n:
        return True
    if not np.isfinite(a).all() or not np.all(diagonal > 0):
        return False
    scale = np.sqrt(diagonal)
    least = np.linalg.eigvalsh(a / scale[:, None] / scale[None, :])[0]
    relative = gamma(n + 1, format_)
    room = 8 * n**1.5 * FLOAT64.roundoff
    return bool(relative < 1 and least - room > n * relative / (1 - relative))


def _inverse_magnitude(a: Array) -> Array:
    """At least |A^-1|: an approximate inverse, widened by its own residual."""
    n = a.shape[-1]
    found = one_by_one(np.linalg.inv, a)
    residual = np.abs(found @ a - np.eye(n)) + gamma(n + 1, FLOAT64) * np.abs(found) @ np.abs(a)
    size = np.max(np.sum(residual, axis=-1), axis=-1, initial=0.0)[..., None, None]
    column = np.max(np.abs(found), axis=-2, keepdims=True, initial=0.0)
    beyond = np.sum(residual, axis=-1, keepdims=True) * column / np.maximum(1 - size, 0.0)
    return np.where(size < 1, np.abs(found) + beyond, np.inf)


def _off(x: Operand) -> Array:
    """How far the format's matrix is from the float64 one."""
    return np.broadcast_to(x.bound + x.error, x.value.shape)


def _solution_error(z: Array, e: Array, right: Array, x: Array) -> Array:
    """(I - Z E)^-1 Z (D_B + E |X|), by the sum of the geometric series."""
    g = z @ e
    first = z @ (right + e @ x)
    rows = np.sum(g, axis=-1, keepdims=True)
    size = np.max(rows, axis=-2, keepdims=True, initial=0.0)
    most = np.max(first, axis=-2, keepdims=True, initial=0.0)
    return np.where(size < 1, first + rows * most / np.maximum(1 - size, 0.0), np.inf)


def _finite(bound: Array) -> Array:
    return np.where(np.isnan(bound), np.inf, bound)


def solve_bound(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    """The error of a solution X of A X = B."""
    a, right = x
    n = a.value.shape[-1]
    z, met = _inverse_magnitude(a.value), eliminated(a.value, _off(a), f)
    w = met.counted
    value = one_by_one(np.linalg.solve, a.value, right.value)
    top = np.max(met.growth, axis=(-1, -2), keepdims=True, initial=0.0)
    lost, of_right = _underflows(n, top, FLOAT64)
    own = _finite(z @ ((gamma(3 * n, FLOAT64) * w + lost) @ np.abs(value) + of_right))
    exact = np.abs(value) + own
    # What float64 computed is `own` from the solution of the float64 system; the exact system is
    # the operands' errors away from that one, the format's system their bounds.
    lost, of_right = _underflows(n, top, f)
    backward = _off(a) + gamma(3 * n, f) * (w + _off(a)) + lost
    computed = _solution_error(z, backward, _off(right) + of_right, exact)
    moved = _solution_error(
        z,
        np.broadcast_to(a.error, a.value.shape),
        np.broadcast_to(right.error, right.value.shape),
        exact,
    )
    # In float64 our own value is one of those that `computed` speaks of.
    bound = computed + moved
    if not np.any(a.error):
        # The exact matrix is known: what the format's right side is off by is its bound alone.
        from_exact = a.bound + gamma(3 * n, f) * (w + a.bound) + lost
        there = np.broadcast_to(right.bound, right.value.shape) + of_right
        bound = np.minimum(bound, _solution_error(z, from_exact, there, exact + moved))
    bound = bound + n * f.underflow
    return _finite(np.where(met.overflows(f)[..., None, None], np.inf, bound))


def _underflows(n: int, top: Array, f: FloatFormat) -> tuple[Array, Array]:
    """What underflows move the matrix and the right-hand side by, `top` the largest of |L||U|.

    A product that underflows is off by eta, a quotient by eta times its divisor: a multiplier and
    n products in an element of the matrix; n products in one of L^-1 b; n products and a quotient
    in one of U^-1 y, which L, with elements of at most one, takes to n elements of the right side.
    """
    return f.underflow * (n + top), f.underflow * n * (n + 1 + top)


def determinant_bound(
    node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat
) -> Array:
    """The error of a determinant as the product of the pivots, or as exp of their logarithms' sum.

    numpy takes the second way: n logarithms, n - 1 sums and an exponential, each within 8 u.
    """
    (a,) = x
    n = a.value.shape[-1]
    z, met = _inverse_magnitude(a.value), eliminated(a.value, _off(a), f)
    w, largest, logarithms = met.growth, met.largest, met.logarithms

    def relative(e: Array, roundings: float) -> Array:
        logs = np.sum(np.log1p(np.sum(z @ e, axis=-1)), axis=-1)
        return np.expm1(logs + np.log1p(roundings))

    def computed(e: Array, format_: FloatFormat) -> Array:
        through_logarithms = (n + 8) * format_.roundoff * (logarithms + n + 1)
        return np.expm1(np.log1p(relative(e, gamma(n, format_))) + through_logarithms)

    own = computed(gamma(n, FLOAT64) * w, FLOAT64)
    exact = np.abs(np.linalg.det(a.value)) * (1 + 2 * own)
    there = computed(_off(a) + gamma(n, f) * (w + _off(a)), f)
    moved = relative(np.broadcast_to(a.error, a.value.shape), 0.0)
    bound = exact * (there + moved) + n * f.underflow * largest
    known = (own < 0.5) & (largest <= f.largest)
    if n > 1:  # a single number is not eliminated
        known &= met.least * f.largest >= _LARGEST_GROWTH
    return _finite(np.where(known, bound, np.inf))


def cholesky_bound(node: Node, scale: Array, x: list[Operand], b: Binding, f: FloatFormat) -> Array:
    """The error of a Cholesky factor; infinite where A may not be positive definite."""
    (a,) = x
    n = a.value.shape[-1]
    factor = one_by_one(np.linalg.cholesky, a.value)
    inverse = _inverse_magnitude(factor)
    product = np.abs(factor) @ np.abs(np.swapaxes(factor, -1, -2))

    def off(e: Array) -> Array:
        inner = inverse @ e @ np.swapaxes(inverse, -1, -2)
        d = np.sqrt(np.sum(inner * inner, axis=(-1, -2)))[..., None, None]
        return np.where(d < 1, d / (np.sqrt(2.0) * np.maximum(1 - d, 0.0)), np.inf)

    rows = np.sqrt(np.sum(factor * factor, axis=-1, keepdims=True))
    widened = 1 + 2.0**-20
    own = off(gamma(n + 1, FLOAT64) * product * widened)
    computed = off(_off(a) + gamma(n + 1, f) * (product * widened + _off(a)))
    moved = off(np.broadcast_to(a.error, a.value.shape))
    bound = rows * (1 + own) * (computed + moved) + n * f.underflow
    return np.where(np.tri(n) > 0, _finite(bound), 0.0)


def _solve_majorant(x: list[Array], values: list[Array]) -> Array:
    """|A^-1| (M_A |X| + M_B): what rearranged eliminations may pass through."""
    z = _inverse_magnitude(values[0])
    value = one_by_one(np.linalg.solve, *values)
    return _finite(z @ (x[0] @ np.abs(value) + x[1]))


def _determinant_majorant(x: list[Array], values: list[Array]) -> Array:
    return np.prod(np.sum(x[0], axis=-1), axis=-1)


def _cholesky_majorant(x: list[Array], values: list[Array]) -> Array:
    """|l_ij| <= sqrt(a_ii)."""
    rows = np.sqrt(np.diagonal(x[0], axis1=-2, axis2=-1))[..., None]
    return np.where(np.tri(x[0].shape[-1]) > 0, rows, 0.0)


MATRIX_MAJORANTS = {
    "solve": _solve_majorant,
    "determinant": _determinant_majorant,
    "cholesky": _cholesky_majorant,
}
