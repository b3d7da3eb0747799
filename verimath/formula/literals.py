"""The real constants that floating-point literals stand for.

`2/3` in Python is a float that is not two thirds. Exact arithmetic on that float would call
`2/3*(x+1)` wrong, so a literal is read as the simplest number that rounds to it: a short decimal,
a small fraction, or such a fraction times pi, e or a square root. Every reading that differs from
the float itself is an assumption that gets printed with the claim.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

# A random float64 is within half an ulp of some p/q with q <= 2^16 in about one case of 10^6.
_MAX_DENOMINATOR = 1 << 16
_MAX_NAMED_DENOMINATOR = 360
_MAX_RADICAND = 1000
_DECIMAL_DIGITS = 12
_UNITS = {"pi": math.pi, "e": math.e}


@dataclass(frozen=True, slots=True)
class Constant:
    """The real number `factor`, times pi, e or a square root where `unit` says so."""

    factor: Fraction
    unit: str = "1"  # "1", "pi", "e" or "sqrt"
    radicand: Fraction = Fraction(1)

    def __float__(self) -> float:
        if self.unit == "sqrt":
            # Squared first, so that there is one rounding in front of the correctly rounded root.
            return math.copysign(math.sqrt(self.factor * self.factor * self.radicand), self.factor)
        return float(self.factor) * _UNITS.get(self.unit, 1.0)

    def __str__(self) -> str:
        if self.unit == "1":
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
    digits = repr(value).split("e")[0].replace(".", "").strip("-0")
    if len(digits) <= _DECIMAL_DIGITS:
        return Constant(Fraction(repr(value)))
    fraction = Fraction(value).limit_denominator(_MAX_DENOMINATOR)
    if float(fraction) == value:
        return Constant(fraction)
    for candidate in _named(value):
        # Two ulp: such a literal is itself the result of up to two roundings (0.5*math.pi/3).
        if candidate.factor and abs(float(candidate) - value) <= 2 * math.ulp(value):
            return candidate
    return Constant(Fraction(value))


def _named(value: float) -> list[Constant]:
    """Pi, e and square-root readings close to `value`, simplest kind first."""
    readings = [
        Constant(Fraction(value / size).limit_denominator(_MAX_NAMED_DENOMINATOR), unit)
        for unit, size in _UNITS.items()
    ]
    radicand = (Fraction(value) ** 2).limit_denominator(_MAX_RADICAND)
    sign = Fraction(1 if value > 0 else -1)
    return [*readings, Constant(sign, "sqrt", radicand)]
