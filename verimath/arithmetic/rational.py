"""Rational numbers, exactly: what polynomials and quotients of them need."""

from fractions import Fraction
from math import isqrt
from typing import Any

import flint

from verimath.arithmetic.exact import Numbers, UndecidedError
from verimath.errors import NotExpressibleError
from verimath.formula.literals import Constant


def _of_fraction(value: Fraction) -> Any:
    return flint.fmpq(value.numerator, value.denominator)


def _of_constant(constant: Constant) -> Any:
    if constant.is_rational:
        return _of_fraction(constant.factor)
    raise NotExpressibleError(f"{constant} among rational numbers")


def _function(name: str, value: Any) -> Any:
    if value == 0 and name in _ZERO_AT_ZERO:
        return flint.fmpq(0)
    if value == 0 and name in ("exp", "cos"):
        return flint.fmpq(1)
    if value == 1 and name == "log":
        return flint.fmpq(0)
    raise NotExpressibleError(f"{name}({value}) among rational numbers")


_ZERO_AT_ZERO = frozenset(("sin", "asin", "atan", "asinh", "atanh", "erf"))


def _power(value: Any, exponent: Fraction) -> Any:
    if exponent.denominator == 1:
        return value**exponent.numerator
    if exponent.denominator == 2 and value > 0:
        root = flint.fmpq(isqrt(int(value.p)), isqrt(int(value.q)))
        if root * root == value:
            return root**exponent.numerator
    raise NotExpressibleError(f"({value})^({exponent}) among rational numbers")


def _sign(value: Any) -> int:
    if value == 0:
        raise UndecidedError("the sign of zero")
    return 1 if value > 0 else -1


RATIONALS = Numbers(
    _of_fraction, _of_constant, _function, _power, _sign, lambda value: int(value.p)
)
