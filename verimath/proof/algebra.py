"""The algebra of expressions: canonical sums and products, heads, rules, and a counted budget.

Every expression that it returns is multiplied out and canonical: deltas are contracted, an index
that nothing depends on has become its size, equal factors are one power. Rules that need more than
that (`verimath.proof.rewriting`) are added to it as heads appear, and applied by `normal`.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from math import floor

from verimath.errors import NotExpressibleError
from verimath.formula.core import LONGEST, is_long
from verimath.proof.canonical import arranged, named, orders_of
from verimath.proof.rewriting import Rule, find
from verimath.proof.terms import (
    Closed,
    Exponent,
    Expression,
    Factor,
    Head,
    Indices,
    Monomial,
    Raw,
    close,
    free_indices,
    raw,
    sort_key,
    times,
    whole,
)
from verimath.shapes import Size


class BudgetError(Exception):
    """The counted budget of rewrite steps is used up."""


class Algebra:
    """One run: heads, rules, memory and the budget that they share."""

    def __init__(self, *, budget: int) -> None:
        self.budget = budget
        self.steps_used = 0
        self.rules_used: dict[str, None] = {}
        self.needed: dict[str, None] = {}
        self.axioms: dict[str, None] = {}
        self.heads: dict[object, Head] = {}
        self._rules: dict[Head, list[Rule]] = {}
        self._stepped: dict[Monomial, tuple[Rule, Expression] | None] = {}
        self._named: dict[object, tuple[tuple[Factor, ...], tuple[Size, ...]]] = {}

    def spend(self, count: int = 1) -> None:
        """Count work done.

        Raises BudgetError once there has been more of it than the budget.
        """
        self.steps_used += count
        if self.steps_used > self.budget:
            raise BudgetError

    def use(self, name: str, *, needs: str | None = None) -> None:
        """Note that a rule was used, and the hypothesis it needed."""
        self.rules_used[name] = None
        if needs is not None:
            self.needed[needs] = None

    # --- sums and products --------------------------------------------------------------------

    def collect(self, terms: Iterable[Raw]) -> Expression:
        """The canonical sum of terms."""
        total: Expression = {}
        todo = list(terms)
        while todo:
            term = todo.pop()
            self.spend(1 + len(term.factors) // 4)
            for monomial, coefficient in self._simplified(term, todo):
                found = total.get(monomial, 0) + coefficient
                if found:
                    total[monomial] = short(found)
                else:
                    del total[monomial]
                    self.use("like terms cancel")
        return total

    def add(self, *parts: Expression) -> Expression:
        """The sum."""
        total: Expression = {}
        for part in parts:
            for monomial, coefficient in part.items():
                found = total.get(monomial, 0) + coefficient
                if found:
                    total[monomial] = found
                else:
                    del total[monomial]
        return total

    def multiply(
        self,
        left: Expression,
        right: Expression,
        *,
        mappings: tuple[dict[int, int], dict[int, int]] = ({}, {}),
        bound: Mapping[int, Size] | None = None,
    ) -> Expression:
        """The product, with free indices renamed first; `bound` ones (0, 1, ...) are summed."""
        summed = dict(bound or {})
        first = len(summed)

        def terms() -> Iterator[Raw]:
            for m, c in left.items():
                for n, d in right.items():
                    one, after = raw(c, m, mappings[0], first)
                    other, _ = raw(d, n, mappings[1], after)
                    both = times(one, other)
                    both.bound.update(summed)
                    yield both

        if len(left) > 1 and len(right) > 1:
            self.use("sums are multiplied out")
        return self.collect(terms())

    def rename(
        self,
        expression: Expression,
        mapping: dict[int, int],
        bound: Mapping[int, Size] | None = None,
    ) -> Expression:
        """Free indices renamed, all at once; those that become 0, 1, ... are summed over."""
        summed = dict(bound or {})
        terms = [raw(c, m, mapping, len(summed))[0] for m, c in expression.items()]
        for term in terms:
            term.bound.update(summed)
        return self.collect(terms)

    def _simplified(self, term: Raw, todo: list[Raw]) -> Iterator[tuple[Monomial, Fraction]]:
        """The canonical monomial of a term, or nothing where it turned into others to do."""
        if not term.coefficient:
            return
        term = self._contracted(term)
        exponents: dict[tuple[Head, Indices], Exponent] = {}
        for factor in map(arranged, term.factors):
            place = factor.head, factor.indices
            exponents[place] = exponents.get(place, 0) + factor.exponent
        factors: list[Factor] = []
        for (head, indices), exponent in exponents.items():
            kept = whole(exponent)
            if head.kind == "sum" and kept >= 1:
                rest = [Factor(*f, e) for f, e in exponents.items() if f != (head, indices)]
                left = [] if kept == 1 else [Factor(head, indices, kept - 1)]
                now = Raw(term.coefficient, term.powers, rest + left, term.bound)
                todo.extend(times(now, inner) for inner in self.opened(head, indices, term.bound))
                return
            if kept:
                factors.append(Factor(head, indices, kept))
        used = {i for factor in factors for i in factor.indices}
        unused = [i for i in term.bound if i not in used]
        if unused:
            self.use("a sum of equal terms is their number times the term")
            bound = {i: size for i, size in term.bound.items() if i in used}
            sizes = [()]
            coefficients = [term.coefficient]
            for index in unused:
                both = [
                    (names + more, c * d)
                    for names, c in zip(sizes, coefficients, strict=True)
                    for more, d in term.bound[index].terms
                ]
                sizes = [names for names, _ in both]
                coefficients = [c for _, c in both]
            for names, coefficient in zip(sizes, coefficients, strict=True):
                powers = dict(term.powers)
                for name in names:
                    powers[name] = powers.get(name, 0) + 1
                yield self._finished(coefficient, powers, factors, bound)
            return
        yield self._finished(term.coefficient, term.powers, factors, term.bound)

    def _finished(
        self,
        coefficient: Fraction,
        powers: Mapping[str, Exponent],
        factors: list[Factor],
        bound: dict[int, Size],
    ) -> tuple[Monomial, Fraction]:
        kept: list[tuple[str, Exponent]] = []
        for name, exponent in sorted(powers.items()):
            left = exponent
            if name[1:].isdigit():  # an integer: its whole powers belong to the coefficient
                coefficient *= raised_number(Fraction(int(name[1:])), floor(exponent))
                left = exponent - floor(exponent)
            if left:
                kept.append((name, whole(left)))
        if not bound:
            ordered, sizes = named(factors, bound, self.spend)
            return Monomial(tuple(kept), ordered, sizes), coefficient
        names: dict[int, int] = {}
        factors.sort(key=lambda f: (f.head.order, f.exponent, [i for i in f.indices if i < 0]))
        for factor in factors:
            for i in factor.indices:
                if i >= 0:
                    names.setdefault(i, len(names))
        again = [f._replace(indices=tuple(names.get(i, i) for i in f.indices)) for f in factors]
        sizes = {names[i]: size for i, size in bound.items()}
        key = (tuple(again), tuple(sizes[k] for k in range(len(sizes))))
        if key not in self._named:
            self._named[key] = named(again, sizes, self.spend)
        return Monomial(tuple(kept), *self._named[key]), coefficient

    def _contracted(self, term: Raw) -> Raw:
        """The term without deltas, except between free indices, of which the first one is kept."""
        if all(factor.head.kind != "delta" for factor in term.factors):
            return term
        parent: dict[int, int] = {}

        def root(i: int) -> int:
            while parent.get(i, i) != i:
                i = parent[i]
            return i

        delta: Head | None = None
        for head, indices, exponent in term.factors:
            if head.kind == "delta":
                if exponent <= 0:
                    raise NotExpressibleError("a division by an identity matrix")
                a, b = sorted(map(root, indices))
                # A free index stays, the first of several; else any bound one.
                low, high = (a, b) if a < 0 <= b or (a >= 0 and b >= 0) else (b, a)
                parent[high] = low
        self.use("δ_ij renames an index")
        bound = {i: size for i, size in term.bound.items() if root(i) == i}
        factors: list[Factor] = []
        joined: dict[int, Head] = {}
        for head, indices, exponent in term.factors:
            if head.kind == "delta":
                delta = head
                joined.update({i: delta for i in indices if i < 0 and root(i) != i})
            else:
                factors.append(Factor(head, tuple(map(root, indices)), exponent))
        factors += [Factor(delta, (root(i), i), 1) for i, delta in sorted(joined.items())]
        return Raw(term.coefficient, term.powers, factors, bound)

    # --- definitions --------------------------------------------------------------------------

    def opened(self, head: Head, indices: Indices, bound: Mapping[int, Size]) -> list[Raw]:
        """The terms of a head's definition at these indices; `bound` ones are taken already."""
        first = max((i for i in (*bound, *indices)), default=-1) + 1
        mapping = {-(k + 1): index for k, index in enumerate(indices)}
        return [raw(c, m, mapping, max(first, 0))[0] for m, c in head.definition]

    def opened_free(self, head: Head, indices: Indices) -> Expression:
        """A head's definition at free indices."""
        return self.collect(self.opened(head, indices, {}))

    def factor(self, head: Head, indices: Sequence[int], exponent: Exponent = 1) -> Expression:
        """One factor as an expression."""
        return self.collect([Raw(Fraction(1), {}, [Factor(head, tuple(indices), exponent)], {})])

    def intern(
        self,
        kind: str,
        name: str,
        sizes: Sequence[Size],
        *,
        definition: Closed = (),
        symmetries: tuple[Indices, ...] | None = None,
        inner: Sequence[Size] = (),
        places: Indices = (),
        rank: int = 0,
    ) -> Head:
        """The head of these properties; there is only one."""
        key = (kind, name, tuple(sizes), definition, tuple(inner), places, rank)
        if key not in self.heads:
            text = repr(
                [
                    (
                        m.powers,
                        [(f.head.order, f.indices, f.exponent) for f in m.factors],
                        m.bound,
                        c,
                    )
                    for m, c in definition
                ]
                + [str(size) for size in (*sizes, *inner)]
            )
            digest = hashlib.sha256(text.encode()).hexdigest()[:24] if definition else ""
            height = 1 + max((f.head.height for m, _ in definition for f in m.factors), default=0)
            identity = tuple(range(len(sizes)))
            both = (identity, (1, 0)) if kind == "delta" else (identity,)
            self.heads[key] = Head(
                kind,
                name,
                tuple(sizes),
                definition,
                symmetries or both,
                tuple(inner),
                places,
                rank,
                (kind, name, digest),
                height,
            )
        return self.heads[key]

    def closed(
        self, expression: Expression, starts: Sequence[Indices]
    ) -> tuple[Closed, Indices, tuple[Indices, ...]]:
        """The expression over numbered parameters, which of its free indices they are, symmetries.

        The first parameters are those of one of the `starts`. Of all orders that nothing but their
        names tells apart, the one with the least result is taken.
        """
        free = {i for monomial in expression for i in free_indices(monomial)}
        rest = sorted(free - set(starts[0]))
        kinds = {i: self._surroundings(expression, i) for i in rest}
        classes: dict[str, list[int]] = {}
        for i in sorted(rest, key=kinds.__getitem__):
            classes.setdefault(kinds[i], []).append(i)
        best: tuple[object, Closed, Indices] | None = None
        found: list[tuple[object, Indices]] = []
        for start in starts:
            for order in orders_of(list(classes.values())):
                self.spend()
                mapping = {i: -(k + 1) for k, i in enumerate((*start, *order))}
                closed = close(self.rename(expression, mapping))
                key = _backwards(closed), tuple((sort_key(m), c) for m, c in closed)
                found.append((key, (*start, *order)))
                if best is None or key < best[0]:  # pyright: ignore[reportOperatorIssue]
                    best = key, closed, (*start, *order)
        assert best is not None  # there is at least one order
        least, closed, order = best
        symmetries = tuple(
            sorted(tuple(order.index(i) for i in other) for key, other in found if key == least)
        )
        return closed, order, symmetries

    @staticmethod
    def _surroundings(expression: Expression, index: int) -> str:
        """What tells a free index from others, whatever they are called."""
        seen = sorted(
            (
                str(coefficient),
                str(monomial.powers),
                len(monomial.factors),
                sorted(
                    (
                        f.head.order,
                        str(f.exponent),
                        min(_places(f, index, g) for g in f.head.symmetries),
                    )
                    for f in monomial.factors
                    if index in f.indices
                ),
            )
            for monomial, coefficient in expression.items()
        )
        return repr(seen)

    # --- rules --------------------------------------------------------------------------------

    def add_rule(self, trigger: Head, rule: Rule | None) -> None:
        """Apply a rule from now on to terms with the trigger in them."""
        if rule is not None and rule not in self._rules.get(trigger, []):
            self._rules.setdefault(trigger, []).append(rule)
            self._stepped.clear()

    @property
    def rules(self) -> list[Rule]:
        """The rules that are in use."""
        return [rule for rules in self._rules.values() for rule in rules]

    def step(self, monomial: Monomial) -> tuple[Rule, Expression] | None:
        """The first rule that applies to a monomial, and what it becomes."""
        if monomial not in self._stepped:
            self._stepped[monomial] = self._step(monomial)
        return self._stepped[monomial]

    def _step(self, monomial: Monomial) -> tuple[Rule, Expression] | None:
        for head in dict.fromkeys(factor.head for factor in monomial.factors):
            for rule in self._rules.get(head, ()):
                self.spend()
                match = find(rule, monomial)
                if match is None:
                    continue
                matched = {i for pattern, i in match.indices.items() if pattern >= 0}
                bound = {k: n for k, n in enumerate(monomial.bound) if k not in matched}
                kept = Raw(Fraction(1), dict(monomial.powers), match.rest, bound)
                free = {p: i for p, i in match.indices.items() if p < 0}
                terms = [
                    times(kept, raw(c, m, free, len(monomial.bound))[0])
                    for m, c in rule.right.items()
                ]
                return rule, self.collect(terms)
        return None

    def normal(self, expression: Expression) -> Expression:
        """The expression after all rules, as often as they apply."""
        done: Expression = {}
        todo = dict(expression)
        while todo:
            monomial, coefficient = todo.popitem()
            found = self.step(monomial)
            if found is None:
                done = _added(done, monomial, coefficient)
                continue
            rule, replaced = found
            self.use(rule.name, needs=rule.needs)
            for m, c in replaced.items():
                todo = _added(todo, m, c * coefficient)
        return done


def short(value: Fraction) -> Fraction:
    """The number itself.

    Raises NotExpressibleError if it is too long to be computed with.
    """
    if is_long(value):
        raise NotExpressibleError(f"a number of more than {LONGEST} bits")
    return value


def raised_number(base: Fraction, exponent: int) -> Fraction:
    """A number to a whole exponent.

    Raises NotExpressibleError, before it is computed, if it would be too long.
    """
    longest = max(base.numerator.bit_length(), base.denominator.bit_length())
    if (longest - 1) * abs(exponent) > LONGEST:
        raise NotExpressibleError(f"a number of more than {LONGEST} bits")
    return base**exponent


def _added(total: Expression, monomial: Monomial, coefficient: Fraction) -> Expression:
    found = total.get(monomial, 0) + coefficient
    if found:
        total[monomial] = found
    else:
        del total[monomial]
    return total


def _backwards(closed: Closed) -> int:
    """How many more matrices at the ends go from the second parameter to the first one."""
    ends = [f.indices for m, _ in closed for f in m.factors if len(f.indices) == 2]
    forward = sum((i == -1) + (j == -2) for i, j in ends)
    return sum((i == -2) + (j == -1) for i, j in ends) - forward


def _places(factor: Factor, index: int, symmetry: Indices) -> Indices:
    return tuple(0 if factor.indices[k] == index else 1 for k in symmetry)
