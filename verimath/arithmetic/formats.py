"""Floating-point formats and what is assumed of the libraries that compute in them.

A `FloatFormat` is what a bound needs to know: the numbers themselves, what sums are kept in
(`accumulator`), how exactly a matrix product reads its factors, how many roundings an elementary
function may cost, and whether subnormal numbers exist. docs/accumulators.md says where each comes
from; `verimath.arithmetic.functions` holds the table of functions.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from verimath.dtypes import DTYPES, largest, least_normal, least_subnormal, roundoff

# Roundings of a function of which nothing was measured, in unit roundoffs: 4 ulp is what the
# vectorised kernels of numpy, MKL and CUDA promise. A square root is within 1 ulp: torch takes it
# from MKL's vector library, which does not round correctly.
DOCUMENTED_ROUNDINGS = 8.0
_DOCUMENTED = {"negative": 0.0, "sqrt": 2.0}
POWER_ROUNDINGS = 8


def documented_roundings(function: str) -> float:
    """The roundoffs that a function may cost where nothing narrower is known."""
    return _DOCUMENTED.get(function, DOCUMENTED_ROUNDINGS)


@dataclass(frozen=True, slots=True)
class FloatFormat:
    """A binary floating-point format as one library computes in it.

    `roundoff` is the unit roundoff, `underflow` the largest error of a result among the subnormal
    numbers, `largest` the largest number. Sums are kept in `sums`, sums of products in `products`
    (None: in the format itself). A matrix product may read a factor x as one that differs by
    `factor_roundoff` |x| + `factor_underflow`. `functions` are roundoffs per function name.
    """

    name: str
    roundoff: float
    underflow: float
    largest: float
    sums: "FloatFormat | None" = None
    products: "FloatFormat | None" = None
    factor_roundoff: float = 0.0
    factor_underflow: float = 0.0
    functions: tuple[tuple[str, float], ...] = ()
    subnormals: bool = True

    @property
    def exact_integers(self) -> float:
        """Every integer up to here is a number of the format."""
        return 1 / self.roundoff

    def accumulator(self, factors: int) -> "FloatFormat":
        """What a sum of products of so many factors is kept in."""
        return (self.sums if factors == 1 else self.products) or self

    def roundings(self, function: str) -> float:
        """How many roundoffs an elementary function may be off."""
        return dict(self.functions).get(function, documented_roundings(function))

    @property
    def in_itself(self) -> "FloatFormat":
        """The same without wider accumulators: for code that adds one number after another."""
        return replace(self, sums=None, products=None)

    @property
    def flushed(self) -> "FloatFormat":
        """The same on a device that takes subnormal numbers for zero, in operands and results."""
        least = least_normal(self.name)
        return replace(self, underflow=least, factor_underflow=least, subnormals=False)


def _plain(dtype: str) -> FloatFormat:
    # Bounds are computed in float64, where they underflow themselves: there eta is taken 8 times as
    # large as it is, for no rule multiplies more than seven times per rounding.
    eta = least_subnormal(dtype) * (4 if dtype == "float64" else 0.5)
    return FloatFormat(dtype, roundoff(dtype), eta, largest(dtype))


FORMATS = {dtype: _plain(dtype) for dtype in DTYPES}
FLOAT64, FLOAT32 = FORMATS["float64"], FORMATS["float32"]
FLOAT16, BFLOAT16 = FORMATS["float16"], FORMATS["bfloat16"]


def format_of(given: str | FloatFormat) -> FloatFormat:
    """A format by its dtype's name, with nothing assumed of a library; a format as it is."""
    return given if isinstance(given, FloatFormat) else FORMATS[given]


def formats_of(given: Iterable[str | FloatFormat]) -> dict[str, FloatFormat]:
    """Formats by their dtype's name, the last of a name."""
    return {format_.name: format_ for format_ in map(format_of, given)}
