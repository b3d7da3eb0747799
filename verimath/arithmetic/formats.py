"""Floating-point formats and what is assumed of the libraries that compute in them.

A `FloatFormat` is what a bound needs to know: the numbers themselves, what sums are kept in
(`accumulator`), how exactly a matrix product reads its factors, how many roundings an elementary
function may cost, and whether subnormal numbers exist. docs/accumulators.md says where each comes
from; `verimath.arithmetic.functions` holds the table of functions.
"""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from verimath.dtypes import DTYPES, largest, least_normal, least_subnormal, roundoff


@dataclass(frozen=True, slots=True)
class FunctionError:
    """How far an elementary function may be off: by roundoffs u |f| + absolute, while |f| < reach.

    A result as large as `reach` may have overflowed on its way.
    """

    roundoffs: float
    absolute: float = 0.0
    reach: float = math.inf


# What holds for functions of which nothing was measured. 4 ulp, at most 8 unit roundoffs, is what
# the vectorised kernels of numpy, MKL and CUDA promise. A square root is within 1 ulp: torch takes
# it from MKL's vector library, which does not round correctly.
_PROMISE = 8.0
_PROMISES = {"negative": 0.0, "abs": 0.0, "sign": 0.0, "sqrt": 2.0}
POWER_ROUNDINGS = 8


def documented(function: str, dtype: str) -> FunctionError:
    """What may be assumed of a function in any library (docs/ulp.md, "Where none is measured")."""
    roundoffs = _PROMISES.get(function, _PROMISE)
    match function:
        case "sigmoid":  # 1 / (1 + exp(-x)), whose denominator overflows first
            return FunctionError(roundoffs, absolute=2 * least_normal(dtype))
        case "erf" if dtype in ("float16", "bfloat16"):  # a polynomial of absolute error
            return FunctionError(roundoffs, absolute=2.0**-20)
        case "sinh" | "cosh":  # made of exp, which overflows at half of the largest number
            return FunctionError(roundoffs, reach=largest(dtype) / 4)
        case _:
            return FunctionError(roundoffs)


def _worse(one: FunctionError, other: FunctionError) -> FunctionError:
    return FunctionError(
        max(one.roundoffs, other.roundoffs),
        max(one.absolute, other.absolute),
        min(one.reach, other.reach),
    )


@dataclass(frozen=True, slots=True)
class FloatFormat:
    """A binary floating-point format as one library computes in it.

    `roundoff` is the unit roundoff, `underflow` the largest error of a result among the subnormal
    numbers, `largest` the largest number. Sums are kept in `sums`, sums of products in `products`
    (None: in the format itself). A matrix product may read a factor x as one that differs by
    `factor_roundoff` |x| + `factor_underflow`. `functions` are errors per function name.
    """

    name: str
    roundoff: float
    underflow: float
    largest: float
    sums: "FloatFormat | None" = None
    products: "FloatFormat | None" = None
    factor_roundoff: float = 0.0
    factor_underflow: float = 0.0
    functions: tuple[tuple[str, FunctionError], ...] = ()
    subnormals: bool = True

    @property
    def exact_integers(self) -> float:
        """Every integer up to here is a number of the format."""
        return 1 / self.roundoff

    def accumulator(self, factors: int) -> "FloatFormat":
        """What a sum of products of so many factors is kept in."""
        return (self.sums if factors == 1 else self.products) or self

    def function(self, name: str) -> FunctionError:
        """How far an elementary function may be off."""
        return dict(self.functions).get(name) or documented(name, self.name)

    def for_functions(self, names: Collection[str]) -> "FloatFormat":
        """What formulas with these functions alone need of it: equal where only others differ."""
        return replace(self, functions=tuple(pair for pair in self.functions if pair[0] in names))

    def joint(self, other: "FloatFormat") -> "FloatFormat | None":
        """A format for both libraries, if they differ in their functions alone."""
        if replace(self, functions=()) != replace(other, functions=()):
            return None
        names = [name for name, _ in (*self.functions, *other.functions)]
        worse = {n: _worse(self.function(n), other.function(n)) for n in names}
        return replace(self, functions=tuple(worse.items()))

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
