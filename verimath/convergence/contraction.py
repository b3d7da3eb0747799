"""Whether an iteration is the contraction that it is claimed to be, as enclosures in float64 say.

What they leave open isn't held against the claim.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from verimath.arithmetic.rounding import Enclosure, evaluate_all
from verimath.arithmetic.values import Array
from verimath.convergence.iteration import Iteration
from verimath.shapes import Binding

Part = Literal["factor", "away", "excess", "step"]


@dataclass(frozen=True, slots=True)
class Violation:
    """What of the statement certainly fails at an example: an element of one of its formulas.

    `value` is within `error` of the exact one, and beyond `limit`. `want` and `allowed` are for the
    formula's whole value, of the example's shape: what is right is within.
    """

    part: Part
    what: str
    reason: str
    example: int
    index: tuple[int, ...]
    value: float
    error: float
    limit: float
    want: Array
    allowed: Array


@dataclass(frozen=True, slots=True)
class _Test:
    """One thing that is stated of a formula's value: where it fails, and what is right."""

    part: Part
    what: str
    reason: str
    fails: NDArray[np.bool_]
    limit: float
    want: Array
    allowed: Array


def violation(
    iteration: Iteration, inputs: Mapping[str, Array], binding: Binding
) -> tuple[Violation | None, int]:
    """What certainly fails on a batch, if anything does, and on how many examples all is known.

    Decided by enclosures in float64; what they leave open isn't held against the claim.
    """
    count = len(inputs[iteration.of])
    parts: tuple[Part, ...] = ("factor", "away", "excess", "step")
    formulas = (iteration.factor, iteration.away, iteration.excess, iteration.step)
    evaluated = evaluate_all(formulas, inputs, binding)
    spread = [_spread(each[0], count) for each in evaluated]
    found: dict[Part, Enclosure] = dict(zip(parts, spread, strict=True))
    with np.errstate(all="ignore"):
        tests = [
            *_tests(found),
            *(_ranges(iteration, found["step"]) if iteration.is_bounded else ()),
        ]
    known = np.ones(count, dtype=np.bool_)
    for part in parts[:3]:
        finite = np.isfinite(found[part].value) & np.isfinite(found[part].error)
        known &= finite.reshape(count, -1).all(axis=1)
    for test in tests:
        if test.fails.any():
            return _worst(test, found[test.part]), int(known.sum())
    return None, int(known.sum())


def _tests(found: Mapping[Part, Enclosure]) -> list[_Test]:
    factor, away, excess = found["factor"], found["away"], found["excess"]
    # Near one no difference rounds (Sterbenz; Higham, 2.5).
    large = (factor.value - 1 > factor.error) | ((factor.error == 0) & (factor.value >= 1))
    negative = -factor.value > factor.error
    half, nearly = np.full_like(factor.value, 0.5), np.full_like(factor.value, 0.5 - 2.0**-53)
    zero = np.zeros_like
    return [
        _Test(
            "factor",
            "contraction factor",
            "the contraction factor isn't below 1",
            large,
            1.0,
            half,
            nearly,
        ),
        _Test(
            "factor",
            "contraction factor",
            "the contraction factor is negative",
            negative,
            0.0,
            half,
            nearly,
        ),
        _Test(
            "away",
            "step from the limit, less the limit,",
            "the limit isn't a fixed point of the step",
            np.abs(away.value) > away.error,
            0.0,
            zero(away.value),
            away.error,
        ),
        _Test(
            "excess",
            "largest error after the step, less factor times the one before,",
            "a step leaves more of the error than the contraction factor says",
            excess.value > excess.error,
            0.0,
            zero(excess.value),
            excess.error,
        ),
    ]


def _ranges(iteration: Iteration, after: Enclosure) -> list[_Test]:
    low, high = iteration.low, iteration.high
    inside = np.clip(after.value, low, high)
    what = "iterate after the step"
    reason = f"a step leaves the range of {iteration.of}, for which the factor is claimed"
    return [
        _Test("step", what, reason, low - after.value > after.error, low, inside, after.error),
        _Test("step", what, reason, after.value - high > after.error, high, inside, after.error),
    ]


def _worst(test: _Test, found: Enclosure) -> Violation:
    off = np.where(test.fails, np.abs(found.value - test.limit), -1.0)
    example, *index = (int(i) for i in np.unravel_index(int(np.argmax(off)), off.shape))
    place = (example, *index)
    return Violation(
        part=test.part,
        what=test.what,
        reason=test.reason,
        example=example,
        index=tuple(index),
        value=float(found.value[place]),
        error=float(found.error[place]),
        limit=test.limit,
        want=test.want[example],
        allowed=test.allowed[example],
    )


def _spread(found: Enclosure, count: int) -> Enclosure:
    shape = (count, *found.value.shape[1:])
    return Enclosure(np.broadcast_to(found.value, shape), np.broadcast_to(found.error, shape), {})
