"""The floating-point dtypes of a run: their names, their numbers, and rounding to them.

numpy has no bfloat16. Arrays of one travel as float32 numbers that bfloat16 holds exactly, so an
array alone doesn't tell its dtype: whoever hands one on says its name, too.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DTYPES = ("float64", "float32", "float16", "bfloat16")


@dataclass(frozen=True, slots=True)
class _Binary:
    """Precision in bits and least exponent of a normal number (IEEE 754-2019, table 3.5)."""

    precision: int
    least_exponent: int
    greatest_exponent: int


_BINARY = {
    "float64": _Binary(53, -1022, 1023),
    "float32": _Binary(24, -126, 127),
    "float16": _Binary(11, -14, 15),
    "bfloat16": _Binary(8, -126, 127),
}


def roundoff(dtype: str) -> float:
    """The unit roundoff u: half the distance from 1 to the next number."""
    return math.ldexp(1.0, -_BINARY[dtype].precision)


def largest(dtype: str) -> float:
    """The largest finite number."""
    kind = _BINARY[dtype]
    return math.ldexp(2.0 - math.ldexp(1.0, 1 - kind.precision), kind.greatest_exponent)


def least_normal(dtype: str) -> float:
    """The least positive normal number."""
    return math.ldexp(1.0, _BINARY[dtype].least_exponent)


def least_subnormal(dtype: str) -> float:
    """The least positive number."""
    kind = _BINARY[dtype]
    return math.ldexp(1.0, kind.least_exponent - kind.precision + 1)


def carrier(dtype: str) -> np.dtype[Any]:
    """The numpy dtype in which arrays of a dtype travel: itself, and float32 for bfloat16."""
    return np.dtype("float32" if dtype == "bfloat16" else dtype)


def nearest(values: Any, dtype: str) -> NDArray[Any]:
    """The nearest numbers of a dtype, ties to even, infinite beyond its largest; in its carrier.

    Float64 values are rounded once: through float32 they would be rounded twice.
    """
    with np.errstate(over="ignore"):
        if dtype != "bfloat16":
            return np.asarray(values, dtype=np.float64).astype(dtype)
        exact = np.asarray(values, dtype=np.float64)
        kind = _BINARY[dtype]
        _, exponents = np.frexp(exact)
        # The last bit of a number in [2^(e-1), 2^e), that of the subnormals below.
        last = np.maximum(exponents, kind.least_exponent + 1) - kind.precision
        rounded = np.ldexp(np.rint(np.ldexp(exact, -last)), last)
        finite = np.where(np.isfinite(exact), rounded, exact)
        beyond = np.abs(finite) > largest(dtype)
        return np.where(beyond, np.copysign(np.inf, finite), finite).astype(np.float32)


def own_dtype(array: NDArray[Any], dtype: str) -> str:
    """The dtype of an input where floating ones are in `dtype`: integer and boolean stay theirs."""
    return dtype if array.dtype.kind == "f" else array.dtype.name


def adjacent(number: float, towards: float, dtype: str) -> float:
    """The next number of a dtype after one of its numbers, in a direction."""
    if dtype != "bfloat16":
        kind = np.dtype(dtype).type
        with np.errstate(over="ignore"):
            return float(np.nextafter(kind(number), kind(towards)))
    bits = np.float32(number).view(np.uint32)
    if number == towards:
        return number
    if number == 0:
        return math.copysign(least_subnormal(dtype), towards)
    outward = (number > 0) == (towards > number)
    step = np.uint32(1 << 16)
    return float((bits + step if outward else bits - step).view(np.float32))


def is_number(value: float, dtype: str) -> bool:
    """Whether a dtype holds this number exactly."""
    return float(nearest(value, dtype)) == value


def holds_decimal(value: float, dtype: str) -> bool:
    """Whether a dtype holds a number, or tells its shortest decimal from every other as long.

    Decimals of d digits survive the way into p bits and back if d <= (p - 1) log10(2) (IEEE
    754-2019, 5.12.2; C's FLT_DIG).
    """
    if dtype == "float64" or is_number(value, dtype):
        return True
    digits = repr(abs(value)).split("e")[0].replace(".", "").strip("0")
    survive = (_BINARY[dtype].precision - 1) * math.log10(2)
    return len(digits) <= survive and least_normal(dtype) <= abs(value) <= largest(dtype)


def every_number(dtype: str) -> NDArray[Any]:
    """All finite numbers of a 16-bit dtype, in its carrier, in the order of their bits.

    Raises ValueError for a wider dtype.
    """
    bits = np.arange(2**16, dtype=np.uint32)
    if dtype == "float16":
        found = bits.astype(np.uint16).view(np.float16)
    elif dtype == "bfloat16":
        found = (bits << 16).view(np.float32)
    else:
        raise ValueError(f"{dtype} has too many numbers to list; wanted float16 or bfloat16")
    return found[np.isfinite(found)]
