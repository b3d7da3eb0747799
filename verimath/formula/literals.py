"""The real constants that floating-point literals stand for.

`2/3` in Python is a float that is not two thirds. Exact arithmetic on that float would call
`2/3*(x+1)` wrong, so a literal is read as the simplest number that rounds to it: a short decimal,
a small fraction, or such a fraction times pi, e or a square root. Every reading that differs from
the float itself is an assumption that gets printed with the claim.
"""

import math
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache

# Bounds on numerator times denominator, as squares. There are about 0.3 L^2 / v fractions per unit
# near v with a product of at most L^2, so a random float64 v is within half an ulp of one of them
# with a probability of about 10^-7, whatever its size; radicands are named to two ulp, squared.
_LARGEST_FRACTION = 1 << 16
_LARGEST_NAMED_FRACTION = 360
_LARGEST_RADICAND = 1000
_DECIMAL_DIGITS = 12
_UNITS = {"pi": math.pi, "e": math.e}


@dataclass(frozen=True, slots=True)
class Constant:
    """The real number `factor`, times pi, e or a square root where `unit` says so.

    `written` is the float that was read as this number, if one was.
    """

    factor: Fraction
    unit: str = "1"  # "1", "pi", "e" or "sqrt"
    radicand: Fraction = Fraction(1)
    written: float | None = field(default=None, compare=False)

    def __float__(self) -> float:
        if self.unit == "sqrt":
            # Squared first, so that there is one rounding in front of the correctly rounded root.
            return math.copysign(math.sqrt(self.factor * self.factor * self.radicand), self.factor)
        return float(self.factor) * _UNITS.get(self.unit, 1.0)

    @property
    def is_rational(self) -> bool:
        """Whether the number is `factor` alone (a root of 1 marks one read to two ulp)."""
        return self.unit == "1" or (self.unit == "sqrt" and self.radicand == 1)

    def __str__(self) -> str:
        if self.is_rational:
            return str(self.factor)
        symbol = f"sqrt({self.radicand})" if self.unit == "sqrt" else self.unit
        return symbol if self.factor == 1 else f"{self.factor}*{symbol}"


@lru_cache(maxsize=1024)
def read_literal(value: float) -> Constant:
    """The simplest real number that rounds to `value` (a finite float64).

    Raises ValueError for NaN and infinities, which stand for no real number.
    """
    if not math.isfinite(value):
        raise ValueError(f"the literal {value} is no real number")
    return replace(_simplest(value), written=value)


def _simplest(value: float) -> Constant:
    digits = repr(value).split("e")[0].replace(".", "").strip("-0")
    if len(digits) <= _DECIMAL_DIGITS:
        return Constant(Fraction(repr(value)))
    fraction = _simple_fraction(Fraction(value), _LARGEST_FRACTION)
    if float(fraction) == value:
        return Constant(fraction)
    for candidate in _named(value):
        # Two ulp: such a literal is itself the result of up to two roundings (0.5*math.pi/3).
        if abs(float(candidate) - value) <= 2 * math.ulp(value):
            return candidate
    return Constant(Fraction(value))


def _simple_fraction(value: Fraction, largest: int) -> Fraction:
    """The fraction nearest to `value` with numerator times denominator at most about largest^2."""
    if not value:
        return value
    above_one = abs(value) > 1
    bound = abs(value if above_one else 1 / value)
    denominator = math.isqrt(largest * largest // math.floor(bound))
    if not denominator:
        return Fraction(0)
    found = (value if above_one else 1 / value).limit_denominator(denominator)
    return found if above_one else 1 / found


def _named(value: float) -> list[Constant]:
    """Pi, e and square-root readings close to `value`, simplest kind first."""
    readings = [
        Constant(_simple_fraction(Fraction(value / size), _LARGEST_NAMED_FRACTION), unit)
        for unit, size in _UNITS.items()
    ]
    radicand = _simple_fraction(Fraction(value) ** 2, _LARGEST_RADICAND)
    sign = Fraction(1 if value > 0 else -1)
    root = Fraction(math.isqrt(radicand.numerator), math.isqrt(radicand.denominator))
    if root * root == radicand:
        return [*readings, Constant(sign * root, "sqrt")]
    return [*readings, Constant(sign, "sqrt", radicand)]
