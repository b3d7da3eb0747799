"""Steps, masks and reductions of expressions: what compares, and what is over a whole axis.

Arguments are brought to a canonical form first, up to positive factors, so that equal comparisons
make one head.
"""

from fractions import Fraction

from verimath.errors import NotExpressibleError
from verimath.proof.powers import Powers, sizes_of
from verimath.proof.rewriting import oriented, scaled
from verimath.proof.terms import UNIT, Expression, Head, number, sort_key
from verimath.proof.written import definition_text, expression_text
from verimath.shapes import Size

_LARGEST_OFFSET = 8


class Masks:
    """Comparisons of expressions, and reductions, on top of their powers."""

    def __init__(self, powers: Powers) -> None:
        self.powers, self.algebra = powers, powers.algebra

    def step(self, x: Expression) -> Expression:
        """H(x): 1 where x > 0, 0 where x < 0, one half at the kink."""
        algebra = self.algebra
        x = algebra.normal(x)
        if not x:
            return number(Fraction(1, 2))
        _, rest = self.powers.split(x, positive=True)
        if list(rest) == [UNIT]:
            return number(1 if rest[UNIT] > 0 else 0)
        if rest[min(rest, key=sort_key)] < 0:
            algebra.use("H(-d) = 1 - H(d)")
            return algebra.add(
                number(1), scaled(self.step(scaled(rest, Fraction(-1))), Fraction(-1))
            )
        head, order = self.powers.head("function", "step", rest)
        self._idempotent(head, "H² = H off the kink", f"off the kinks: {definition_text(head)} ≠ 0")
        return algebra.factor(head, order)

    def away(self, x: Expression) -> None:
        """Note that a comparison is read as a step, which it is where both sides differ.

        Raises NotExpressibleError where they never do: then it is no step at all.
        """
        x = self.algebra.normal(x)
        if not x:
            raise NotExpressibleError("a comparison of two numbers that are always equal")
        _, rest = self.powers.split(x, positive=True)
        if list(rest) != [UNIT]:
            by = Fraction(-1 if rest[min(rest, key=sort_key)] < 0 else 1)
            text = expression_text(scaled(rest, by))
            self.algebra.use("a comparison is a step", needs=f"off the kinks: {text} ≠ 0")

    def _idempotent(self, head: Head, name: str, needs: str | None) -> None:
        indices = tuple(-(k + 1) for k in range(len(head.sizes)))
        square, once = (self.algebra.factor(head, indices, e) for e in (2, 1))
        equation = self.algebra.add(square, scaled(once, Fraction(-1)))
        self.algebra.add_rule(head, oriented(name, equation, needs=needs))

    def equal(self, x: Expression) -> Expression:
        """1 where x is 0, else 0."""
        algebra = self.algebra
        x = algebra.normal(x)
        if not x:
            return number(1)
        _, rest = self.powers.split(x, positive=True)
        if list(rest) == [UNIT]:
            return {}
        if rest[min(rest, key=sort_key)] < 0:
            rest = scaled(rest, Fraction(-1))
        pair = _two_places(rest)
        if pair is not None:
            size, i, j = pair
            return algebra.factor(algebra.intern("delta", "", (size, size)), (i, j))
        head, order = self.powers.head("function", "equal", rest)
        self._idempotent(head, "a mask is its own square", None)
        return algebra.factor(head, order)

    def one_place(self, mask: Expression, place: int, size: Size) -> None:
        """Note that a mask is 1 at exactly one value of a free index."""
        (monomial, _), *_ = mask.items()
        if monomial.factors[0].head.kind == "function":
            total = self.algebra.rename(mask, {place: 0}, {0: size})
            equation = self.algebra.add(total, number(-1))
            rule = oriented(
                "every index has its place", equation, needs="indices within their axes"
            )
            self.algebra.add_rule(monomial.factors[0].head, rule)

    def less(self, x: Expression) -> Expression:
        """1 where the integer x is positive, else 0."""
        algebra = self.algebra
        x = algebra.normal(x)
        if not x:
            return {}
        if UNIT in x and len(x) > 1 and abs(x[UNIT]) <= _LARGEST_OFFSET and _is_whole(x):
            return self._shifted(x, int(x[UNIT]))
        _, rest = self.powers.split(x, positive=True)
        if list(rest) == [UNIT]:
            return number(1 if rest[UNIT] > 0 else 0)
        if rest[min(rest, key=sort_key)] < 0:
            algebra.use("[d < 0] = 1 - [d > 0] - [d = 0]")
            back = scaled(rest, Fraction(-1))
            other = algebra.add(self.less(back), self.equal(back))
            return algebra.add(number(1), scaled(other, Fraction(-1)))
        head, order = self.powers.head("function", "less", rest)
        self._idempotent(head, "a mask is its own square", None)
        return algebra.factor(head, order)

    def _shifted(self, x: Expression, offset: int) -> Expression:
        """[d + c > 0] of integers by [d > 0] and the values of d in between."""
        algebra = self.algebra
        algebra.use("[d + 1 > 0] = [d > 0] + [d = 0]")
        difference = algebra.add(x, number(-offset))
        between = range(offset) if offset > 0 else range(offset, 0)
        masks = [self.equal(algebra.add(difference, number(t))) for t in between]
        sign = Fraction(1 if offset > 0 else -1)
        return algebra.add(self.less(difference), *(scaled(mask, sign) for mask in masks))

    def reduction(self, name: str, x: Expression, axis: int, size: Size) -> Expression:
        """The maximum or product over one free index: nothing more is known of it."""
        x = self.algebra.normal(x)
        sizes = {**sizes_of(x), axis: size}
        closed, order, symmetries = self.algebra.closed(x, [(axis,)])
        head = self.algebra.intern(
            "reduction",
            name,
            [sizes[i] for i in order[1:]],
            definition=closed,
            symmetries=tuple(tuple(k - 1 for k in g[1:]) for g in symmetries),
            inner=(size,),
        )
        return self.algebra.factor(head, order[1:])

    def share(self, x: Expression, axis: int, size: Size) -> Expression:
        """The share of each element in the maximum over one free index."""
        x = self.algebra.normal(x)
        sizes = {**sizes_of(x), axis: size}
        closed, order, symmetries = self.algebra.closed(x, [(axis,)])
        head = self.algebra.intern(
            "share",
            "",
            [sizes[i] for i in order],
            definition=closed,
            symmetries=symmetries,
        )
        return self.algebra.factor(head, order)


def _two_places(expression: Expression) -> tuple[Size, int, int] | None:
    """The two free indices, of one size, whose difference an expression is; else None."""
    if len(expression) != 2 or {abs(c) for c in expression.values()} != {Fraction(1)}:
        return None
    if sum(expression.values()) != 0:
        return None
    places: list[int] = []
    for monomial in expression:
        only = monomial.factors[0] if len(monomial.factors) == 1 else None
        if monomial.powers or monomial.bound or only is None or only.head.kind != "index":
            return None
        if only.exponent != 1:
            return None
        places.append(only.indices[0])
    sizes = set(sizes_of(expression).values())
    return (sizes.pop(), places[0], places[1]) if len(sizes) == 1 else None


def _is_whole(expression: Expression) -> bool:
    """Whether an expression of integers is an integer."""
    return all(
        c.denominator == 1 and all(e.denominator == 1 and e > 0 for _, e in m.powers)
        for m, c in expression.items()
    )
