"""Whether two formula graphs are equal for every size of their named dimensions.

The difference of both sides is written in index notation and brought to a normal form: rules that
always apply, then denominators and matrix inverses cleared by multiplying with them (which needs
them to be nonzero, a hypothesis that is reported). If nothing is left, the sides are equal for all
sizes, over the reals, wherever every hypothesis holds and everything is defined. If something is
left, nothing has been shown.

Every way through is counted in rewrite steps; beyond the budget the answer is "undecided".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from verimath.errors import FormulaError, NotExpressibleError
from verimath.formula.graph import Node, topological
from verimath.proof.algebra import Algebra, BudgetError
from verimath.proof.from_graph import Reader
from verimath.proof.powers import nonzero_text
from verimath.proof.rewriting import scaled
from verimath.proof.terms import (
    Exponent,
    Expression,
    Factor,
    Head,
    Indices,
    Monomial,
    Raw,
    raw,
    times,
)
from verimath.proof.written import OLD, Writer, expression_text, matrix_text
from verimath.shapes import shape_text

BUDGET = 20_000
_FORMAT = "verimath derivation 1"
_JACOBI = "Jacobi's formula: d det(A) = det(A) tr(A⁻¹ dA)"
_UNDECIDED = "undecided"
_ROUNDS = 12


@dataclass(frozen=True, slots=True)
class Derived:
    """What a derivation came to.

    `reason` says why it is no proof, `rules` name what was used, `axioms` what was taken on trust,
    `hypotheses` what it needed. `certificate` is described in docs/certificates.md.
    """

    proved: bool
    reason: str | None
    rules: tuple[str, ...]
    axioms: tuple[str, ...]
    hypotheses: tuple[str, ...]
    steps_used: int
    certificate: Mapping[str, Any] = field(repr=False)


def normalise(
    left: Sequence[Node],
    right: Sequence[Node],
    *,
    hypotheses: Mapping[str, str] | None = None,
    differentiated: Sequence[Node] = (),
    budget: int = BUDGET,
) -> Derived:
    """Try to derive that outputs are equal pair by pair, for every size of the dimensions.

    `hypotheses` gives the structure of inputs by name, in the words of
    `verimath.structure.STRUCTURES` ("symmetric", "simplex", ...). `differentiated` are nodes whose
    derivatives have gone into the graphs; a determinant among what they depend on makes Jacobi's
    formula an axiom. `budget` bounds the counted rewrite steps of all pairs together.

    Raises FormulaError if the sides differ in how many outputs they have, or in a shape.
    """
    _comparable(left, right)
    # What can be shown without hypotheses is not to be reported as depending on them.
    found = _attempt(left, right, {}, budget // 2 if hypotheses else budget)
    if hypotheses and not found.proved:
        again = _attempt(left, right, hypotheses, budget - found.steps_used)
        found = replace(again, steps_used=again.steps_used + found.steps_used)
    if found.reason == _UNDECIDED:
        found = replace(found, reason=f"{_UNDECIDED}: budget of {budget} rewrite steps used")
    if found.proved and _has_determinant(differentiated):
        return replace(found, axioms=(_JACOBI, *found.axioms))
    return found


def _attempt(
    left: Sequence[Node], right: Sequence[Node], structures: Mapping[str, str], budget: int
) -> Derived:
    algebra = Algebra(budget=budget)
    reader = Reader(algebra, structures)
    writer = Writer()
    outputs: list[dict[str, Any]] = []
    reason: str | None = None
    try:
        for one, other in zip(left, right, strict=True):
            proof = _Proof(algebra, reader, writer, one, other)
            outputs.append(proof.written)
            rest = proof.search()
            if rest:
                reason = f"what is left: {expression_text(rest, most=4)}"
                break
    except BudgetError:
        reason = _UNDECIDED
    except NotExpressibleError as error:
        reason = f"not expressible: {error}"
    if reason is not None:
        steps = min(algebra.steps_used, budget)
        return Derived(False, reason, tuple(algebra.rules_used), (), (), steps, {})
    certificate = {
        "format": _FORMAT,
        "hypotheses": list(algebra.needed),
        "definitions": writer.definitions,
        "outputs": outputs,
    }
    rules, needed = tuple(algebra.rules_used), tuple(algebra.needed)
    axioms = tuple(algebra.axioms)
    return Derived(True, None, rules, axioms, needed, algebra.steps_used, certificate)


def _comparable(left: Sequence[Node], right: Sequence[Node]) -> None:
    if len(left) != len(right):
        raise FormulaError(f"{len(left)} output(s) on the left, {len(right)} on the right")
    for one, other in zip(left, right, strict=True):
        if one.shape != other.shape:
            raise FormulaError(
                f"shapes {shape_text(one.shape)} and {shape_text(other.shape)} differ; "
                "sides that are equal for every size have the same shape"
            )


def _has_determinant(nodes: Sequence[Node]) -> bool:
    return any(node.operation == "determinant" for node in topological(tuple(nodes)))


# What terms become, each with its coefficient.
Changes = dict[Monomial, Expression]


class _Proof:
    """The search for one pair of outputs; `written` is its part of the certificate."""

    def __init__(
        self, algebra: Algebra, reader: Reader, writer: Writer, left: Node, right: Node
    ) -> None:
        self.algebra = algebra
        self.powers = reader.powers
        self.writer = writer
        self.steps: list[dict[str, Any]] = []
        one, other = reader.read(left), reader.read(right)
        self.shape = left.shape
        self.written: dict[str, Any] = {
            "shape": [str(size) for size in left.shape],
            "left": writer.terms(one),
            "right": writer.terms(other),
            "steps": self.steps,
        }
        self.rest = algebra.add(one, scaled(other, Fraction(-1)))
        self.steps.append({"rule": "left side minus right side", "terms": writer.terms(self.rest)})

    def change(self, rule: str, changes: Changes, *, times: Any = None) -> None:
        """Put other terms in the place of some, and write it down."""
        total = {m: c for m, c in self.rest.items() if m not in changes}
        for replaced in changes.values():
            total = self.algebra.add(total, replaced)
        terms = self.writer.terms
        changed = [
            {"from": terms({m: self.rest[m]})[0], "to": terms(to)} for m, to in changes.items()
        ]
        self.rest = total
        more = {} if times is None else {"times": times}
        self.steps.append({"rule": rule, **more, "changes": changed, "terms": terms(total)})

    def search(self) -> Expression:
        """What is left of the difference after everything that is known has been tried."""
        self.rewrite()
        first = self.rest
        for _ in range(_ROUNDS):
            if not self.rest:
                return {}
            if not (self.clear_inner() or self.clear_denominators() or self.clear_inverse()):
                break
            self.rewrite()
        return first if self.rest else {}

    def rewrite(self) -> None:
        """Apply rules, one at a time, as long as there is one that applies."""
        while self.rest:
            found = [(m, self.algebra.step(m)) for m in self.rest]
            rule = next((hit[0] for _, hit in found if hit is not None), None)
            if rule is None:
                return
            changes: Changes = {}
            for monomial, hit in found:
                if hit is not None and hit[0].name == rule.name:
                    self.algebra.use(rule.name, needs=hit[0].needs)
                    changes[monomial] = scaled(hit[1], self.rest[monomial])
            self.change(rule.name, changes)

    def clear_inner(self) -> bool:
        """Use the rules of denominators that are summed over; True if there were new ones."""
        heads = {
            f.head
            for m in self.rest
            for f in m.factors
            if f.head in self.powers.awaiting and f.exponent < 0 and any(i >= 0 for i in f.indices)
        }
        for head in sorted(heads, key=lambda h: h.order):
            self.algebra.add_rule(head, self.powers.awaiting.pop(head))
        return bool(heads)

    def clear_denominators(self) -> bool:
        """Multiply by denominators, each to its highest power; True if there were any."""
        least: dict[tuple[Head, Indices], Exponent] = {}
        for monomial in self.rest:
            for head, indices, exponent in monomial.factors:
                if head.kind == "sum" and exponent < 0 and all(i < 0 for i in indices):
                    key = head, indices
                    least[key] = min(least.get(key, 0), exponent)
        if not least:
            return False
        factors = [Factor(head, indices, -e) for (head, indices), e in least.items()]
        factors.sort(key=lambda f: (f.head.order, f.indices))
        for factor in factors:
            self.algebra.use("multiplied by a denominator", needs=nonzero_text(factor.head))
        by = Raw(Fraction(1), {}, factors, {})
        changes = {
            m: self.algebra.collect([times(raw(c, m, {}, 0)[0], by)]) for m, c in self.rest.items()
        }
        terms = self.writer.terms({Monomial((), tuple(factors), ()): Fraction(1)})
        self.change("multiplied by a denominator", changes, times={"terms": terms})
        return True

    def clear_inverse(self) -> bool:
        """Multiply by the matrix of an inverse whose index is an axis of the result."""
        found = {
            (f.head, f.indices, place)
            for m in self.rest
            for f in m.factors
            for place in (0, 1)
            if f.head.kind == "inverse" and _is_end(f, place, m)
        }
        if not found:
            return False
        head, indices, place = max(found, key=lambda c: (_bulk(c[0]), c[0].order, -c[2], c[1]))
        axis, batch = indices[place], indices[2:]
        matrix = self.algebra.collect(
            # M N = I sums M's columns with the axis, N M = I its rows.
            self.algebra.opened(head, (axis, OLD, *batch) if not place else (OLD, axis, *batch), {})
        )
        name = "multiplied by an invertible matrix"
        self.algebra.use(name, needs=f"{matrix_text(head)} invertible")
        changes: Changes = {}
        for monomial, coefficient in self.rest.items():
            end = next(
                (
                    f
                    for f in monomial.factors
                    if f.head is head
                    and f.indices[place] == axis
                    and f.indices[2:] == batch
                    and _is_end(f, place, monomial)
                ),
                None,
            )
            one = {monomial: coefficient}
            if end is None:
                mappings = ({OLD: 0}, {axis: 0})
                one = self.algebra.multiply(
                    matrix, one, mappings=mappings, bound={0: head.sizes[0]}
                )
            else:
                one = self.algebra.collect([self._without(monomial, coefficient, end, axis)])
            changes[monomial] = one
        written = {"axis": -axis - 1, "terms": self.writer.terms(matrix)}
        self.change(name, changes, times=written)
        return True

    def _without(self, monomial: Monomial, coefficient: Fraction, end: Factor, axis: int) -> Raw:
        """The term with an identity matrix in the place of an inverse."""
        size = end.head.sizes[0]
        other = end.indices[1] if end.indices[0] == axis else end.indices[0]
        delta = Factor(self.algebra.intern("delta", "", (size, size)), (axis, other), 1)
        term, _ = raw(coefficient, monomial, {}, 0)
        return term._replace(factors=[delta if f is end else f for f in monomial.factors])


def _bulk(head: Head) -> tuple[int, int, int]:
    """How much there is in a definition: what has most is cleared first."""
    return head.height, len(head.definition), sum(len(m.factors) for m, _ in head.definition)


def _is_end(factor: Factor, place: int, monomial: Monomial) -> bool:
    """Whether an inverse stands at an axis, which nothing else in the term depends on."""
    axis = factor.indices[place]
    others = [i for f in monomial.factors if f is not factor for i in f.indices]
    alone = axis not in others and factor.indices.count(axis) == 1
    batch = all(i < 0 for i in factor.indices[2:])
    return axis < 0 and factor.exponent == 1 and alone and batch
