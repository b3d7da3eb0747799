"""Structured inputs as formulas of free ones: exact in every arithmetic, at every size.

A hypothesis such as "A is symmetric" becomes a fact by construction: A = B + B' for any B. An
identity of the formulas then holds under the hypothesis. What is open (positive, invertible, well
conditioned) needs no construction: a rational identity on an open set is one everywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from verimath.domain import Input
from verimath.formula import operations as op
from verimath.formula.graph import Node
from verimath.shapes import ONE


@dataclass(frozen=True, slots=True)
class Construction:
    """How all members of a structure are made, and the hypothesis that this proves something of.

    Where one formula doesn't make all of them, several do, and each has to be looked at.
    """

    hypothesis: str
    makes: tuple[Callable[[Node], Node], ...]


def construction_of(spec: Input) -> Construction | None:
    """The construction for an input's structure; None where none is needed, or known."""
    return _CONSTRUCTIONS.get(spec.structure or "")


def _symmetric(b: Node) -> Node:
    return op.add(b, op.transpose(b))


def _rows_of_sum_one(r: Node) -> Node:
    total = op.sum_(r, (len(r.shape) - 1,), keepdims=True)
    return op.divide(r, total)


def _unit_rows(r: Node) -> Node:
    total = op.sum_(op.multiply(r, r), (len(r.shape) - 1,), keepdims=True)
    return op.divide(r, op.function("sqrt", total))


def _rotation(b: Node) -> Node:
    """(I + S)^-1 (I - S), S = B - B' (Cayley): every rotation without the eigenvalue -1."""
    skew = op.subtract(b, op.transpose(b))
    one = op.broadcast(op.delta(b.shape[-1]), b.shape)
    return op.solve(op.add(one, skew), op.subtract(one, skew))


def _reflection(b: Node) -> Node:
    """A rotation with its first row negated: orthogonal, with determinant -1."""
    found = _rotation(b)
    row = op.reshape(op.index(b.shape[-1]), (b.shape[-1], ONE))
    first = op.compare("equal", row, op.constant(0))
    return op.where(first, op.function("negative", found), found)


def _triangle(b: Node, *, upper: bool, diagonal: str) -> Node:
    n = b.shape[-1]
    row, column = op.reshape(op.index(n), (n, ONE)), op.index(n)
    one, other = (row, column) if upper else (column, row)
    strict = diagonal == "unit"
    kept = op.compare("less" if strict else "less_equal", one, other)
    found = op.where(kept, b, op.constant(0))
    return op.add(found, op.delta(n)) if strict else found


_SYMMETRIC = Construction("symmetric", (_symmetric,))
_SUM_ONE = Construction("rows sum to one", (_rows_of_sum_one,))
_CONSTRUCTIONS: dict[str, Construction] = {
    "symmetric": _SYMMETRIC,
    "positive definite": _SYMMETRIC,
    "simplex": _SUM_ONE,
    "open simplex": _SUM_ONE,
    "one-hot": _SUM_ONE,
    "unit": Construction("rows of length one", (_unit_rows,)),
    "orthogonal": Construction("orthogonal", (_rotation, _reflection)),
    **{
        f"{'upper' if upper else 'lower'} triangular, {diagonal} diagonal": Construction(
            f"{'upper' if upper else 'lower'} triangular",
            (partial(_triangle, upper=upper, diagonal=diagonal),),
        )
        for upper in (False, True)
        for diagonal in ("any", "nonzero", "unit")
    },
}
