"""Floating-point formats and what is assumed of the libraries that compute in them."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class FloatFormat:
    """A binary floating-point format: unit roundoff, half the least subnormal, largest number."""

    name: str
    roundoff: float
    underflow: float
    largest: float

    @property
    def exact_integers(self) -> float:
        """Every integer up to here is a number of the format."""
        return 1 / self.roundoff


# Bounds are computed in float64, where they underflow themselves: eta is taken 8 times as large as
# it is (2^-1075), for no rule multiplies more than seven times per rounding.
FLOAT64 = FloatFormat("float64", 2.0**-53, 2.0**-1072, float(np.finfo(np.float64).max))
FLOAT32 = FloatFormat("float32", 2.0**-24, 2.0**-150, float(np.finfo(np.float32).max))
FORMATS = {format_.name: format_ for format_ in (FLOAT64, FLOAT32)}

# Largest error of the elementary functions of numpy and torch on CPU and CUDA, in unit roundoffs:
# 4 ulp is what their vectorised kernels promise. A square root is within 1 ulp: torch takes it from
# MKL's vector library, which does not round correctly.
FUNCTION_ROUNDINGS = {
    "negative": 0,
    "abs": 0,
    "sign": 0,
    "sqrt": 2,
    **dict.fromkeys(("exp", "expm1", "log", "log1p"), 8),
    **dict.fromkeys(("sin", "cos", "tan", "asin", "acos", "atan"), 8),
    **dict.fromkeys(("sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf"), 8),
}
POWER_ROUNDINGS = 8
