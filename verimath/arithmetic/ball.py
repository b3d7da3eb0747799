"""Balls around real numbers (Arb, in python-flint): what they exclude is certain.

Every value is an interval that contains the exact one, so a ball that doesn't contain zero is a
proof that a number isn't zero. Precision is raised until a question is decided, or a limit ends it.
Johansson, *Arb: efficient arbitrary-precision midpoint-radius interval arithmetic*, IEEE Trans.
Comput. 66 (2017).
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, TypeVar

import flint

from verimath.arithmetic.exact import Numbers, UndecidedError
from verimath.formula.literals import Constant

PRECISIONS = (256, 512, 1024, 2048)  # bits
Decided = TypeVar("Decided")


def _of_fraction(value: Fraction) -> Any:
    return flint.arb(flint.fmpq(value.numerator, value.denominator))


def _of_constant(constant: Constant) -> Any:
    factor = _of_fraction(constant.factor)
    if constant.is_rational:
        return factor
    match constant.unit:
        case "pi":
            return factor * flint.arb.pi()
        case "e":
            return factor * flint.arb.const_e()
        case _:
            return factor * _of_fraction(constant.radicand).sqrt()


def _function(name: str, value: Any) -> Any:
    return _checked(getattr(value, name)(), f"{name} of {value}")


def _power(value: Any, exponent: Fraction) -> Any:
    if exponent.denominator == 1:
        return _checked(value**exponent.numerator, f"{value} to the power {exponent}")
    if exponent.denominator == 2:
        return _checked(value.sqrt() ** exponent.numerator, f"the square root of {value}")
    return _checked(value ** _of_fraction(exponent), f"{value} to the power {exponent}")


def _checked(value: Any, what: str) -> Any:
    if not value.is_finite():
        raise UndecidedError(what)
    return value


def _sign(value: Any) -> int:
    if value > 0:
        return 1
    if value < 0:
        return -1
    raise UndecidedError(f"the sign of {value}")


def _whole(value: Any) -> int:
    found = value.unique_fmpz()
    if found is None:
        raise UndecidedError(f"which whole number {value} is")
    return int(found)


BALLS = Numbers(_of_fraction, _of_constant, _function, _power, _sign, _whole)


def decided(question: Callable[[], Decided]) -> Decided:
    """The answer to a question about balls at the lowest precision that decides it.

    Raises the last UndecidedError if none does.
    """
    error = UndecidedError("no precision was tried")
    for bits in PRECISIONS:
        with _precision(bits):
            try:
                return question()
            except UndecidedError as undecided:
                error = undecided
    raise error


@contextmanager
def _precision(bits: int) -> Generator[None]:
    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        yield
    finally:
        flint.ctx.prec = before
