"""Powers of expressions, and the common factors that are taken out of them first.

Real numbers throughout: a broken power says that what it is taken of is positive, a negative one
that it is not zero. Where a factor of a product can't be seen to be positive the product stays
together: sqrt(x²) is not x.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction

from verimath.errors import NotExpressibleError
from verimath.proof.algebra import Algebra, raised_number
from verimath.proof.rewriting import Rule, oriented, scaled
from verimath.proof.terms import (
    UNIT,
    Exponent,
    Expression,
    Factor,
    Head,
    Indices,
    Monomial,
    Raw,
    number,
    sort_key,
    whole,
)
from verimath.proof.written import definition_text
from verimath.shapes import Size

_LARGEST_FACTOR = 10_000


class Powers:
    """Powers on top of an algebra, and the heads of what stays together.

    `awaiting` holds rules of denominators that are used only where nothing else helps.
    """

    def __init__(self, algebra: Algebra) -> None:
        self.algebra = algebra
        self.awaiting: dict[Head, Rule] = {}

    # --- common factors -----------------------------------------------------------------------

    def split(
        self, expression: Expression, *, positive: bool, fixed: Sequence[int] = ()
    ) -> tuple[Raw, Expression]:
        """A common factor without the `fixed` indices, and what is left; their product is equal.

        With `positive`, only what is positive for all reals is taken out; then the sign stays.
        """
        total = Raw(Fraction(1), {}, [], {})
        while True:
            powers, factors = _common(expression, positive, frozenset(fixed))
            if not powers and not factors:
                break
            for name, exponent in powers.items():
                total.powers[name] = total.powers.get(name, 0) + exponent
            total.factors.extend(factors)
            inverse = [f._replace(exponent=-f.exponent) for f in factors]
            expression = self.times(
                expression, Raw(Fraction(1), {n: -e for n, e in powers.items()}, inverse, {})
            )
        lead = expression[min(expression, key=sort_key)]
        by = abs(lead) if positive else lead
        return total._replace(coefficient=by), scaled(expression, 1 / by)

    def times(self, expression: Expression, by: Raw) -> Expression:
        """The product with a factor without bound indices."""
        return self.algebra.collect(
            Raw(
                c * by.coefficient,
                sums(dict(m.powers), by.powers),
                [*m.factors, *by.factors],
                dict(enumerate(m.bound)),
            )
            for m, c in expression.items()
        )

    # --- powers -------------------------------------------------------------------------------

    def power(self, expression: Expression, exponent: Exponent) -> Expression:
        """The expression to a fixed rational exponent.

        Raises NotExpressibleError for a negative power of zero.
        """
        exponent = whole(exponent)
        if exponent == 0:
            return number(1)
        if exponent == 1:
            return expression
        if isinstance(exponent, int) and exponent > 1:
            half = self.power(expression, exponent // 2)
            square = self.algebra.multiply(half, half)
            return self.algebra.multiply(square, expression) if exponent % 2 else square
        expression = self.algebra.normal(expression)
        if not expression:
            if exponent < 0:
                raise NotExpressibleError("a division by something that is zero for every input")
            return {}
        integral = isinstance(exponent, int)
        content, rest = self.split(expression, positive=not integral)
        outside = self.raised(content, exponent)
        if list(rest) == [UNIT]:
            base = rest[UNIT]
            return self.times(number(1) if base == 1 else self._root(base, exponent), outside)
        if not integral and len(rest) == 1:
            (monomial, coefficient), *_ = rest.items()
            single = monomial.factors[0] if len(monomial.factors) == 1 else None
            if single and not monomial.bound and coefficient == 1 and odd(single.exponent):
                raised = single._replace(exponent=single.exponent * exponent)
                return self.times(
                    self.algebra.collect([Raw(Fraction(1), {}, [raised], {})]), outside
                )
        head, order = self.head("sum", "", rest)
        return self.times(self.algebra.factor(head, order, exponent), outside)

    def _root(self, base: Fraction, exponent: Exponent) -> Expression:
        if base < 0:
            raise NotExpressibleError("a root of a negative number")
        return self.times(number(1), Raw(Fraction(1), primes(base, exponent), [], {}))

    def raised(self, content: Raw, exponent: Exponent) -> Raw:
        """A common factor to an exponent; its coefficient is positive if that is broken."""
        factors = [f._replace(exponent=f.exponent * exponent) for f in content.factors]
        powers = {name: e * exponent for name, e in content.powers.items()}
        if isinstance(exponent, int):
            return Raw(raised_number(content.coefficient, exponent), powers, factors, {})
        return Raw(Fraction(1), sums(powers, primes(content.coefficient, exponent)), factors, {})

    def head(self, kind: str, name: str, expression: Expression) -> tuple[Head, Indices]:
        """The head with this definition, and the free indices that are its parameters."""
        sizes = sizes_of(expression)
        closed, order, symmetries = self.algebra.closed(expression, [()])
        head = self.algebra.intern(
            kind,
            name,
            [sizes[i] for i in order],
            definition=closed,
            symmetries=symmetries,
        )
        if kind == "sum" and head not in self.awaiting:
            self._contraction(head)
        return head, order

    def _contraction(self, head: Head) -> None:
        """D / D = 1, read from the heaviest term of D; at once if there is only one term."""
        indices = tuple(-(k + 1) for k in range(len(head.sizes)))
        product = self.algebra.collect(
            term._replace(factors=[*term.factors, Factor(head, indices, -1)])
            for term in self.algebra.opened(head, indices, {})
        )
        needs = nonzero_text(head)
        equation = self.algebra.add(product, number(-1))
        if len(head.definition) == 1:
            name = "a sum divided by itself is one"
            self.algebra.add_rule(head, oriented(name, equation, needs=needs))
            return
        rule = oriented("a denominator divides its own terms", equation, needs=needs)
        if rule is not None:
            self.awaiting[head] = rule


def sizes_of(expression: Expression) -> dict[int, Size]:
    """The sizes of the free indices that an expression depends on."""
    return {
        i: size
        for monomial in expression
        for factor in monomial.factors
        for i, size in zip(factor.indices, factor.head.sizes, strict=True)
        if i < 0
    }


def sums(left: dict[str, Exponent], right: Mapping[str, Exponent]) -> dict[str, Exponent]:
    """The exponents of a product; `left` becomes them."""
    for name, exponent in right.items():
        left[name] = left.get(name, 0) + exponent
    return left


def _common(
    expression: Expression, positive: bool, fixed: frozenset[int]
) -> tuple[dict[str, Exponent], list[Factor]]:
    """What every term has as a factor, to its least exponent (0 where a term lacks it)."""
    powers: dict[str, Exponent] = {}
    factors: dict[tuple[Head, Indices], Exponent] = {}
    places = {(f.head, f.indices) for m in expression for f in m.factors}
    for name in {name for m in expression for name, _ in m.powers}:
        powers[name] = min(dict(m.powers).get(name, 0) for m in expression)
    for head, indices in places:
        movable = all(i < 0 and i not in fixed for i in indices) and head.kind != "delta"
        if movable and (not positive or (head.kind, head.name) == ("function", "exp")):
            factors[head, indices] = min(_exponent_of(m, head, indices) for m in expression)
    found = [Factor(head, indices, e) for (head, indices), e in factors.items() if e]
    found.sort(key=lambda f: (f.head.order, f.indices))
    return {name: e for name, e in powers.items() if e}, found


def _exponent_of(monomial: Monomial, head: Head, indices: Indices) -> Exponent:
    for factor in monomial.factors:
        if factor.head is head and factor.indices == indices:
            return factor.exponent
    return 0


def odd(exponent: Exponent) -> bool:
    """Whether a number is positive if its power is: not so for even exponents."""
    return exponent.denominator != 1 or exponent.numerator % 2 == 1


def primes(value: Fraction, exponent: Exponent) -> dict[str, Exponent]:
    """A positive rational number to an exponent, as powers of primes (#2, #3, ...)."""
    found: dict[str, Exponent] = {}
    for part, sign in ((value.numerator, 1), (value.denominator, -1)):
        left, prime = part, 2
        while left > 1:
            if prime > _LARGEST_FACTOR or prime * prime > left:
                prime = left
            while left % prime == 0:
                left //= prime
                found[f"#{prime}"] = found.get(f"#{prime}", 0) + sign * exponent
            prime += 1
    return found


def nonzero_text(head: Head) -> str | None:
    """The hypothesis that a definition is not zero; None if it is positive, or a sign.

    A sum over an index may be empty, so it counts as nonnegative only.
    """
    if _is_two_numbers(head):
        return None
    signs = [
        coefficient > 0
        and all(
            (f.head.kind, f.head.name) == ("function", "exp") or f.exponent % 2 == 0
            for f in monomial.factors
        )
        for monomial, coefficient in head.definition
    ]
    strict = any(
        not m.bound and all((f.head.kind, f.head.name) == ("function", "exp") for f in m.factors)
        for m, _ in head.definition
    )
    return None if strict and all(signs) else f"{definition_text(head)} ≠ 0"


def _is_two_numbers(head: Head) -> bool:
    """Whether a definition is a number plus a multiple of one step, and zero on neither side.

    At its kink a step is one half, which "off the kinks" leaves out.
    """
    definition = dict(head.definition)
    constant = definition.pop(UNIT, Fraction(0))
    if len(definition) != 1:
        return False
    ((monomial, coefficient),) = definition.items()
    (factor, *others) = monomial.factors or (None,)
    if factor is None or others or monomial.powers or monomial.bound:
        return False
    is_step = (factor.head.kind, factor.head.name, factor.exponent) == ("function", "step", 1)
    return is_step and bool(constant) and bool(constant + coefficient)
