"""Powers, scalar functions, steps, masks and reductions of expressions.

Each brings its argument to a canonical form first (its own rules applied, common factors taken
out), so that equal arguments make one head; and each adds the rules that its head obeys.

Real numbers throughout: a broken power or a logarithm says that what it is taken of is positive,
a negative power that it is not zero. Where a factor of a product can't be seen to be positive the
product stays together: sqrt(x²) is not x.
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
from verimath.proof.written import definition_text, expression_text
from verimath.shapes import Size

_ODD = frozenset({"sin", "asin", "atan", "asinh", "atanh", "erf"})
_EVEN = frozenset({"cos"})
_AT_ZERO = {"cos": 1, "sin": 0, "asin": 0, "atan": 0, "asinh": 0, "atanh": 0, "erf": 0}
_LARGEST_OFFSET = 8
_LARGEST_FACTOR = 10_000


class Functions:
    """The functions of expressions, on top of an algebra.

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
                _sums(dict(m.powers), by.powers),
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
            if single and not monomial.bound and coefficient == 1 and _odd(single.exponent):
                raised = single._replace(exponent=single.exponent * exponent)
                return self.times(
                    self.algebra.collect([Raw(Fraction(1), {}, [raised], {})]), outside
                )
        head, order = self._head("sum", "", rest)
        return self.times(self.algebra.factor(head, order, exponent), outside)

    def _root(self, base: Fraction, exponent: Exponent) -> Expression:
        if base < 0:
            raise NotExpressibleError("a root of a negative number")
        return self.times(number(1), Raw(Fraction(1), _primes(base, exponent), [], {}))

    def raised(self, content: Raw, exponent: Exponent) -> Raw:
        """A common factor to an exponent; its coefficient is positive if that is broken."""
        factors = [f._replace(exponent=f.exponent * exponent) for f in content.factors]
        powers = {name: e * exponent for name, e in content.powers.items()}
        if isinstance(exponent, int):
            return Raw(raised_number(content.coefficient, exponent), powers, factors, {})
        return Raw(Fraction(1), _sums(powers, _primes(content.coefficient, exponent)), factors, {})

    def _head(self, kind: str, name: str, expression: Expression) -> tuple[Head, Indices]:
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

    # --- exponentials and logarithms ----------------------------------------------------------

    def exp(self, expression: Expression) -> Expression:
        """The exponential of a sum: the product of the exponentials of its terms."""
        algebra = self.algebra
        found = number(1)
        terms = algebra.normal(expression)
        if len(terms) > 1:
            algebra.use("exp(a + b) = exp(a) exp(b)")
        for monomial, coefficient in sorted(terms.items(), key=lambda item: sort_key(item[0])):
            if monomial == UNIT:
                found = self.times(found, Raw(Fraction(1), {"#e": coefficient}, [], {}))
                continue
            only = monomial.factors[0] if len(monomial.factors) == 1 else None
            plain = only and not monomial.powers and not monomial.bound and only.exponent == 1
            if only and plain and only.head.kind == "function" and only.head.name == "log":
                algebra.use("exp(log(a)) = a")
                inside = algebra.opened_free(only.head, only.indices)
                found = algebra.multiply(found, self.power(inside, coefficient))
                continue
            head, order = self._head("function", "exp", {monomial: Fraction(1)})
            found = algebra.multiply(found, algebra.factor(head, order, whole(coefficient)))
        return found

    def log(self, expression: Expression) -> Expression:
        """Log of a product: positive factors are taken out.

        Raises NotExpressibleError for the logarithm of zero.
        """
        algebra = self.algebra
        expression = algebra.normal(expression)
        if not expression:
            raise NotExpressibleError("the logarithm of something that is zero for every input")
        content, rest = self.split(expression, positive=True)
        total: Expression = {}
        powers = _sums(content.powers, _primes(content.coefficient, 1))
        for name, exponent in powers.items():
            unit = number(1) if name == "#e" else self._log_of({name: 1})
            total = algebra.add(total, scaled(unit, Fraction(exponent)))
        for head, indices, exponent in content.factors:
            algebra.use("log(exp(a)) = a")
            total = algebra.add(
                total, scaled(algebra.opened_free(head, indices), Fraction(exponent))
            )
        if total and rest != number(1):
            algebra.use("log(a b) = log(a) + log(b)")
        if rest == number(1):
            return total
        if len(rest) == 1:
            (monomial, coefficient), *_ = rest.items()
            single = monomial.factors[0] if len(monomial.factors) == 1 else None
            if single and not monomial.bound and coefficient == 1 and _odd(single.exponent):
                algebra.use("log(aᵏ) = k log(a)")
                base = algebra.collect([Raw(Fraction(1), {}, [single._replace(exponent=1)], {})])
                if single.head.kind == "sum":
                    base = algebra.opened_free(single.head, single.indices)
                head, order = self._head("function", "log", base)
                found = algebra.factor(head, order)
                return algebra.add(total, scaled(found, Fraction(single.exponent)))
        head, order = self._head("function", "log", rest)
        return algebra.add(total, algebra.factor(head, order))

    def _log_of(self, powers: dict[str, Exponent]) -> Expression:
        inside = self.algebra.collect([Raw(Fraction(1), powers, [], {})])
        head, order = self._head("function", "log", inside)
        return self.algebra.factor(head, order)

    def hyperbolic(self, name: str, x: Expression) -> Expression:
        """sinh, cosh and tanh by their definition."""
        algebra = self.algebra
        algebra.use(f"{name} by its definition with exp")
        up, down = self.exp(x), self.exp(scaled(x, Fraction(-1)))
        if name == "cosh":
            return scaled(algebra.add(up, down), Fraction(1, 2))
        odd = algebra.add(up, scaled(down, Fraction(-1)))
        if name == "sinh":
            return scaled(odd, Fraction(1, 2))
        return algebra.multiply(odd, self.power(algebra.add(up, down), -1))

    def function(self, name: str, x: Expression) -> Expression:
        """Any other scalar function, known by its name and by being odd or even."""
        algebra = self.algebra
        x = algebra.normal(x)
        if not x and name in _AT_ZERO:
            return number(_AT_ZERO[name])
        sign = Fraction(1)
        if x and (name in _ODD or name in _EVEN) and x[min(x, key=sort_key)] < 0:
            algebra.use(f"{name} is {'odd' if name in _ODD else 'even'}")
            x = scaled(x, Fraction(-1))
            sign = Fraction(-1 if name in _ODD else 1)
        head, order = self._head("function", name, x)
        found = algebra.factor(head, order)
        if name in ("sin", "cos"):
            self._circle(head, order, x)
        return scaled(found, sign)

    def _circle(self, head: Head, order: Indices, x: Expression) -> None:
        sine, _ = self._head("function", "sin", x)
        cosine, _ = self._head("function", "cos", x)
        squares = [self.algebra.factor(h, order, 2) for h in (sine, cosine)]
        equation = self.algebra.add(*squares, number(-1))
        self.algebra.add_rule(sine, oriented("sin² + cos² = 1", equation))

    # --- steps and masks ----------------------------------------------------------------------

    def step(self, x: Expression) -> Expression:
        """H(x): 1 where x > 0, 0 where x < 0, one half at the kink."""
        algebra = self.algebra
        x = algebra.normal(x)
        if not x:
            return number(Fraction(1, 2))
        _, rest = self.split(x, positive=True)
        if list(rest) == [UNIT]:
            return number(1 if rest[UNIT] > 0 else 0)
        if rest[min(rest, key=sort_key)] < 0:
            algebra.use("H(-d) = 1 - H(d)")
            return algebra.add(
                number(1), scaled(self.step(scaled(rest, Fraction(-1))), Fraction(-1))
            )
        head, order = self._head("function", "step", rest)
        self._idempotent(head, "H² = H off the kink", f"off the kinks: {definition_text(head)} ≠ 0")
        return algebra.factor(head, order)

    def away(self, x: Expression) -> None:
        """Note that a comparison is read as a step, which it is where both sides differ.

        Raises NotExpressibleError where they never do: then it is no step at all.
        """
        x = self.algebra.normal(x)
        if not x:
            raise NotExpressibleError("a comparison of two numbers that are always equal")
        _, rest = self.split(x, positive=True)
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
        _, rest = self.split(x, positive=True)
        if list(rest) == [UNIT]:
            return {}
        if rest[min(rest, key=sort_key)] < 0:
            rest = scaled(rest, Fraction(-1))
        pair = _two_places(rest)
        if pair is not None:
            size, i, j = pair
            return algebra.factor(algebra.intern("delta", "", (size, size)), (i, j))
        head, order = self._head("function", "equal", rest)
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
        _, rest = self.split(x, positive=True)
        if list(rest) == [UNIT]:
            return number(1 if rest[UNIT] > 0 else 0)
        if rest[min(rest, key=sort_key)] < 0:
            algebra.use("[d < 0] = 1 - [d > 0] - [d = 0]")
            back = scaled(rest, Fraction(-1))
            other = algebra.add(self.less(back), self.equal(back))
            return algebra.add(number(1), scaled(other, Fraction(-1)))
        head, order = self._head("function", "less", rest)
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


# --- parts ------------------------------------------------------------------------------------


def sizes_of(expression: Expression) -> dict[int, Size]:
    """The sizes of the free indices that an expression depends on."""
    return {
        i: size
        for monomial in expression
        for factor in monomial.factors
        for i, size in zip(factor.indices, factor.head.sizes, strict=True)
        if i < 0
    }


def _sums(left: dict[str, Exponent], right: Mapping[str, Exponent]) -> dict[str, Exponent]:
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


def _odd(exponent: Exponent) -> bool:
    """Whether a number is positive if its power is: not so for even exponents."""
    return exponent.denominator != 1 or exponent.numerator % 2 == 1


def _primes(value: Fraction, exponent: Exponent) -> dict[str, Exponent]:
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
