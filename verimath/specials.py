"""Special values: numbers at which code takes another path, as each dtype has them.

A plan names them; which number that is, is decided when the array is cast, for the least subnormal
number of float64 is zero in every other dtype.
"""

from collections.abc import Callable, Mapping

import numpy as np

from verimath.dtypes import largest, least_normal, least_subnormal, roundoff

# Simplest first: shrinking goes this way.
SPECIALS: Mapping[str, Callable[[str], float]] = {
    "zero": lambda dtype: 0.0,
    "one": lambda dtype: 1.0,
    "minus one": lambda dtype: -1.0,
    "two": lambda dtype: 2.0,
    "half": lambda dtype: 0.5,
    "negative zero": lambda dtype: -0.0,
    "roundoff": roundoff,
    "after one": lambda dtype: 1.0 + 2.0 * roundoff(dtype),
    "least normal": least_normal,
    "least subnormal": least_subnormal,
    "largest": largest,
    "minus largest": lambda dtype: -largest(dtype),
}
# The ends of an input's own range; without one there, nothing changes.
ENDS = ("lower end", "upper end")
# Only where the domain allows them.
NONFINITE: Mapping[str, float] = {"nan": np.nan, "infinity": np.inf, "minus infinity": -np.inf}
EVERY = (*SPECIALS, *ENDS, *NONFINITE)
# Where a number, or a power of it, may overflow or underflow.
HAZARDS = frozenset(
    {"least normal", "least subnormal", "largest", "minus largest", *ENDS, *NONFINITE}
)
