"""Inverses, determinants and Cholesky factors of matrices in index notation.

An inverse N of M = sum of products adds the two equations N M = I and M N = I as oriented rules; a
product of square matrices is taken apart first, a diagonal matrix inverted element by element, and
of M and M' the one is kept that reads forwards.
"""

from collections.abc import Collection
from fractions import Fraction

from verimath.errors import NotExpressibleError
from verimath.proof.algebra import Algebra
from verimath.proof.powers import Powers, sizes_of
from verimath.proof.rewriting import oriented, scaled
from verimath.proof.terms import Expression, Factor, Head, Monomial, Raw, number
from verimath.proof.written import matrix_text
from verimath.shapes import Size

_SYLVESTER = "Sylvester's determinant theorem: det(I + A B) = det(I + B A)"


class Matrices:
    """The functions of matrices, on top of an algebra; `orthogonal` names inputs that are."""

    def __init__(
        self, algebra: Algebra, powers: Powers, *, orthogonal: Collection[str] = ()
    ) -> None:
        self.algebra = algebra
        self.powers = powers
        self.orthogonal = orthogonal

    def inverse(self, matrix: Expression, row: int, column: int, size: Size) -> Expression:
        """The inverse's element in that row and column, of the matrix with these free indices.

        Raises NotExpressibleError for a matrix of zeros.
        """
        algebra = self.algebra
        matrix = algebra.normal(matrix)
        if not matrix:
            raise NotExpressibleError("the inverse of a matrix of zeros")
        content, rest = self.powers.split(matrix, positive=False, fixed=(row, column))
        outside = self.powers.raised(content, -1)
        if all(_is_diagonal(monomial, row, column) for monomial in rest):
            algebra.use("a diagonal matrix is inverted element by element")
            delta = algebra.intern("delta", "", (size, size))
            entries = algebra.collect(
                Raw(
                    c,
                    dict(m.powers),
                    [
                        f
                        for f in m.factors
                        if f.head.kind != "delta" or {*f.indices} != {row, column}
                    ],
                    dict(enumerate(m.bound)),
                )
                for m, c in rest.items()
            )
            found = algebra.multiply(
                self.powers.power(entries, -1), algebra.factor(delta, (row, column))
            )
            return self.powers.times(found, outside)
        chain = self._chain(rest, row, column)
        if chain is not None:
            return self.powers.times(self._inverse_of_chain(chain, row, column), outside)
        starts = [(row, column), (column, row)]
        sizes = {**sizes_of(rest), row: size, column: size}
        closed, order, symmetries = algebra.closed(rest, starts)
        head = algebra.intern(
            "inverse",
            "",
            [sizes[i] for i in order],
            definition=closed,
            symmetries=tuple(g for g in symmetries if set(g[:2]) == {0, 1}),
        )
        self._inverse_rules(head)
        if order[0] != row:
            algebra.use("the inverse of a transpose is the transpose of the inverse")
        return self.powers.times(algebra.factor(head, order), outside)

    def _inverse_rules(self, head: Head) -> None:
        """N M = I and M N = I."""
        algebra = self.algebra
        size, batch = head.sizes[0], tuple(-(k + 1) for k in range(2, len(head.sizes)))
        delta = algebra.factor(algebra.intern("delta", "", (size, size)), (-1, -2))
        text = matrix_text(head)
        for left in (True, False):
            inverse, matrix = ((-1, 0), (0, -2)) if left else ((0, -2), (-1, 0))
            product = algebra.collect(
                term._replace(
                    factors=[*term.factors, Factor(head, (*inverse, *batch), 1)],
                    bound={**term.bound, 0: size},
                )
                for term in algebra.opened(head, (*matrix, *batch), {0: size})
            )
            equation = algebra.add(product, scaled(delta, Fraction(-1)))
            name = "A⁻¹ A = I" if left else "A A⁻¹ = I"
            algebra.add_rule(head, oriented(name, equation, needs=f"{text} invertible"))

    def _chain(self, matrix: Expression, row: int, column: int) -> list[Factor] | None:
        """The square matrices whose product it is, from row to column; None if it is no such.

        For one matrix, only an inverse or an orthogonal matrix: others stay as they are.
        """
        if len(matrix) != 1:
            return None
        (monomial, coefficient), *_ = matrix.items()
        left, at, found = list(monomial.factors), row, list[Factor]()
        if coefficient != 1 or monomial.powers:
            return None
        while at != column:
            follows = [f for f in left if at in f.indices]
            if len(follows) != 1 or len(follows[0].indices) != 2 or follows[0].exponent != 1:
                return None
            factor = follows[0]
            head, (i, j) = factor.head, factor.indices
            if i == j or head.kind not in ("tensor", "inverse") or head.sizes[0] != head.sizes[1]:
                return None
            left.remove(factor)
            found.append(factor if i == at else factor._replace(indices=(j, i), exponent=-1))
            at = j if i == at else i
        known = len(found) > 1 or found[0].head.kind == "inverse"
        turns = found[0].head.kind == "tensor" and found[0].head.name in self.orthogonal
        return found if not left and (known or turns) else None

    def _inverse_of_chain(self, chain: list[Factor], row: int, column: int) -> Expression:
        """(A B)⁻¹ = B⁻¹ A⁻¹; exponent -1 in the chain marks a transpose."""
        algebra = self.algebra
        if len(chain) > 1:
            algebra.use("(A B)⁻¹ = B⁻¹ A⁻¹ for square A and B")
        found: Expression | None = None
        for head, _, mark in reversed(chain):
            size = head.sizes[0]
            if head.kind == "inverse":
                algebra.use("(A⁻¹)⁻¹ = A", needs=f"{matrix_text(head)} invertible")
                one = algebra.opened_free(head, (-1, -2))
            elif head.name in self.orthogonal:
                algebra.use("Q⁻¹ = Q'", needs=f"{head.name} orthogonal")
                one = algebra.factor(head, (-2, -1))
            else:
                one = self.inverse(algebra.factor(head, (-1, -2)), -1, -2, size)
            if mark == -1:
                one = algebra.rename(one, {-1: -2, -2: -1})
            found = (
                one
                if found is None
                else algebra.multiply(found, one, mappings=({-2: 0}, {-1: 0}), bound={0: size})
            )
        assert found is not None  # a chain has at least one matrix
        return algebra.rename(found, {-1: row, -2: column})

    def determinant(self, matrix: Expression, row: int, column: int, size: Size) -> Expression:
        """The determinant of the matrix with these free indices."""
        algebra = self.algebra
        matrix = algebra.normal(matrix)
        if matrix == algebra.factor(algebra.intern("delta", "", (size, size)), (row, column)):
            return number(1)
        chain = self._chain(matrix, row, column)
        if chain is not None and all(f.head.name not in self.orthogonal for f in chain):
            if len(chain) > 1:
                algebra.use("det(A B) = det(A) det(B) for square A and B")
            found = number(1)
            for head, _, _ in chain:
                if head.kind == "inverse":
                    algebra.use("det(A⁻¹) = 1 / det(A)", needs=f"{matrix_text(head)} invertible")
                    inside = algebra.opened_free(head, (-1, -2))
                    one = self.powers.power(self.determinant(inside, -1, -2, size), -1)
                else:
                    one = self._determinant(algebra.factor(head, (-1, -2)), -1, -2, size)
                found = algebra.multiply(found, one)
            return found
        outer = next((m for m in matrix if _is_outer(m, row, column)), None)
        if outer is not None and len(matrix) > 1:
            return self._updated_determinant(matrix, outer, row, column, size)
        return self._determinant(matrix, row, column, size)

    def _updated_determinant(
        self, matrix: Expression, outer: Monomial, row: int, column: int, size: Size
    ) -> Expression:
        """det(A + u v') = det(A) (1 + v' A⁻¹ u), for one of the terms that are such a u v'."""
        algebra = self.algebra
        base = {monomial: c for monomial, c in matrix.items() if monomial != outer}
        inverse = self.inverse(base, row, column, size)
        mappings = ({row: 0, column: 1}, {row: 1, column: 0})
        bound = {0: size, 1: size}
        inner = algebra.multiply({outer: matrix[outer]}, inverse, mappings=mappings, bound=bound)
        known = [f.head for m in inverse for f in m.factors if f.head.kind == "inverse"]
        needs = f"{matrix_text(known[0])} invertible" if known else None
        algebra.use("det(A + u v') = det(A) (1 + v' A⁻¹ u)", needs=needs)
        algebra.axioms[_SYLVESTER] = None
        factor = algebra.add(number(1), inner)
        return algebra.multiply(self.determinant(base, row, column, size), factor)

    def _determinant(self, matrix: Expression, row: int, column: int, size: Size) -> Expression:
        closed, order, symmetries = self.algebra.closed(matrix, [(row, column), (column, row)])
        sizes = sizes_of(matrix)
        head = self.algebra.intern(
            "determinant",
            "",
            [sizes[i] for i in order[2:]],
            definition=closed,
            symmetries=tuple(sorted({tuple(k - 2 for k in g[2:]) for g in symmetries})),
            inner=(size, size),
        )
        if order[0] != row:
            self.algebra.use("det(A') = det(A)")
        return self.algebra.factor(head, order[2:])

    def cholesky(self, matrix: Expression, row: int, column: int, size: Size) -> Expression:
        """The element in that row and column of the lower triangular L with L L' = A."""
        algebra = self.algebra
        matrix = algebra.normal(matrix)
        closed, order, _ = algebra.closed(matrix, [(row, column)])
        sizes = {**sizes_of(matrix), row: size, column: size}
        head = algebra.intern("cholesky", "", [sizes[i] for i in order], definition=closed)
        batch = tuple(-(k + 1) for k in range(2, len(head.sizes)))
        both = [Factor(head, (i, 0, *batch), 1) for i in (-1, -2)]
        product = algebra.collect([Raw(Fraction(1), {}, both, {0: size})])
        equal = algebra.opened_free(head, (-1, -2, *batch))
        equation = algebra.add(product, scaled(equal, Fraction(-1)))
        needs = f"{matrix_text(head)} symmetric and positive definite"
        algebra.add_rule(head, oriented("L L' = A", equation, needs=needs))
        return algebra.factor(head, order)


def _is_outer(monomial: Monomial, row: int, column: int) -> bool:
    """Whether a monomial is a column times a row: no index leads from the one to the other."""
    reached, left = {row}, list(monomial.factors)
    while near := [f for f in left if reached & set(f.indices)]:
        for factor in near:
            left.remove(factor)
            reached.update(i for i in factor.indices if i >= 0 or i in (row, column))
    return (
        len(left) < len(monomial.factors)
        and column not in reached
        and any(column in f.indices for f in left)
    )


def _is_diagonal(monomial: Monomial, row: int, column: int) -> bool:
    return any(f.head.kind == "delta" and {*f.indices} == {row, column} for f in monomial.factors)
