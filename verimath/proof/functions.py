"""Exponentials, logarithms and the other scalar functions of expressions.

Each brings its argument to a canonical form first (its own rules applied, common factors taken
out), so that equal arguments make one head; and each adds the rules that its head obeys. A
logarithm says that what it is taken of is positive.
"""

from fractions import Fraction

from verimath.errors import NotExpressibleError
from verimath.proof.powers import Powers, odd, primes, sums
from verimath.proof.rewriting import oriented, scaled
from verimath.proof.terms import (
    UNIT,
    Exponent,
    Expression,
    Head,
    Indices,
    Raw,
    number,
    sort_key,
    whole,
)

_ODD = frozenset({"sin", "asin", "atan", "asinh", "atanh", "erf"})
_EVEN = frozenset({"cos"})
_AT_ZERO = {"cos": 1, "sin": 0, "asin": 0, "atan": 0, "asinh": 0, "atanh": 0, "erf": 0}


class Functions:
    """The scalar functions of expressions, on top of their powers."""

    def __init__(self, powers: Powers) -> None:
        self.powers, self.algebra = powers, powers.algebra

    def exp(self, expression: Expression) -> Expression:
        """The exponential of a sum: the product of the exponentials of its terms."""
        algebra = self.algebra
        found = number(1)
        terms = algebra.normal(expression)
        if len(terms) > 1:
            algebra.use("exp(a + b) = exp(a) exp(b)")
        for monomial, coefficient in sorted(terms.items(), key=lambda item: sort_key(item[0])):
            if monomial == UNIT:
                found = self.powers.times(found, Raw(Fraction(1), {"#e": coefficient}, [], {}))
                continue
            only = monomial.factors[0] if len(monomial.factors) == 1 else None
            plain = only and not monomial.powers and not monomial.bound and only.exponent == 1
            if only and plain and only.head.kind == "function" and only.head.name == "log":
                algebra.use("exp(log(a)) = a")
                inside = algebra.opened_free(only.head, only.indices)
                found = algebra.multiply(found, self.powers.power(inside, coefficient))
                continue
            head, order = self.powers.head("function", "exp", {monomial: Fraction(1)})
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
        content, rest = self.powers.split(expression, positive=True)
        total: Expression = {}
        powers = sums(content.powers, primes(content.coefficient, 1))
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
            if single and not monomial.bound and coefficient == 1 and odd(single.exponent):
                algebra.use("log(aᵏ) = k log(a)")
                base = algebra.collect([Raw(Fraction(1), {}, [single._replace(exponent=1)], {})])
                if single.head.kind == "sum":
                    base = algebra.opened_free(single.head, single.indices)
                head, order = self.powers.head("function", "log", base)
                found = algebra.factor(head, order)
                return algebra.add(total, scaled(found, Fraction(single.exponent)))
        head, order = self.powers.head("function", "log", rest)
        return algebra.add(total, algebra.factor(head, order))

    def _log_of(self, powers: dict[str, Exponent]) -> Expression:
        inside = self.algebra.collect([Raw(Fraction(1), powers, [], {})])
        head, order = self.powers.head("function", "log", inside)
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
        return algebra.multiply(odd, self.powers.power(algebra.add(up, down), -1))

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
        head, order = self.powers.head("function", name, x)
        found = algebra.factor(head, order)
        if name in ("sin", "cos"):
            self._circle(head, order, x)
        return scaled(found, sign)

    def _circle(self, head: Head, order: Indices, x: Expression) -> None:
        sine, _ = self.powers.head("function", "sin", x)
        cosine, _ = self.powers.head("function", "cos", x)
        squares = [self.algebra.factor(h, order, 2) for h in (sine, cosine)]
        equation = self.algebra.add(*squares, number(-1))
        self.algebra.add_rule(sine, oriented("sin² + cos² = 1", equation))
