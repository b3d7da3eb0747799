"""How near to its limit an iteration gets in floating point, and whether it is one that converges.

With the contraction factor c < 1 and b(r) a bound on the rounding errors of one step from any
iterate within r of the limit, errors go on as e <- c e + b(e) in the maximum norm. So whoever
iterates until nothing changes, or until the iterates come round again, ends within the least r with
c r + b(r) <= r (Higham, *Accuracy and Stability*, 2nd ed., section 17.2, whose (17.9) has the same
terms for linear steps). docs/bounds.md, "Iterations", derives it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from verimath.arithmetic.formats import FloatFormat
from verimath.arithmetic.operand import less
from verimath.arithmetic.rounding import Enclosure, evaluate_all
from verimath.arithmetic.values import Array
from verimath.errors import FormulaError
from verimath.formula.graph import Formula, topological
from verimath.formula.jacobian import jacobians
from verimath.shapes import Binding

# Steps that are taken before an iteration is called too slow to look at.
LARGEST_COUNT = 2000
# How often a larger neighbourhood of the limit is tried for one that a step doesn't leave.
_TRIES = 6
_WIDER = 16.0
_ULPS = 8  # that an iterate may be rounded out of the range of numbers


@dataclass(frozen=True, eq=False)
class Iteration:
    """The formulas of a `Converges`: a step, and what has to be zero or below one.

    `low` and `high` are the range of the iterate, infinite where there is none.
    """

    of: str
    low: float
    high: float
    step: Formula
    to: Formula
    factor: Formula
    away: Formula
    excess: Formula
    excess_over_half: Formula

    @property
    def formulas(self) -> tuple[Formula, ...]:
        """All formulas beside the two sides of the fixed point."""
        return (self.step, self.factor, self.away, self.excess)

    @cached_property
    def faster(self) -> "Iteration":
        """The same, claimed to converge by half of the factor."""
        return replace(self, excess=self.excess_over_half)

    @cached_property
    def is_affine(self) -> bool:
        """Whether the step's derivative in the iterate doesn't depend on it."""
        try:
            slope = jacobians(self.step, (self.of,))
        except FormulaError:
            return False
        return not depends(slope, self.of)

    @cached_property
    def is_bounded(self) -> bool:
        """Whether the statement is for a range, which the iterates have to stay in."""
        return not self.is_affine and (self.low > -np.inf or self.high < np.inf)


def depends(formula: Formula, name: str) -> bool:
    """Whether a formula's graph has an input of this name."""
    nodes = topological(formula.outputs)
    return any(node.operation == "input" and node.parameter == name for node in nodes)


@dataclass(frozen=True, slots=True)
class Reach:
    """How near to the limit iterates get in a format, per example: arrays of shape (count,).

    `radius` is infinite where nothing can be said, because rounding may undo what a step gains, and
    zero where the factor is certainly not below one: no iteration gets anywhere. `steps` is after
    how many, from the start that is drawn, they certainly are there.
    """

    radius: Array
    steps: Array
    factor: Array


def reach(
    iteration: Iteration,
    inputs: Mapping[str, Array],
    binding: Binding,
    format_: FloatFormat,
    *,
    envelope: bool = False,
    normwise: bool = False,
) -> Reach:
    """How near to its limit the iteration gets in a format, and by when.

    `inputs` are float64 arrays of shape (count, *shape), exact in the format.
    """
    count = len(inputs[iteration.of])
    (limit,), (rate,) = evaluate_all((iteration.to, iteration.factor), inputs, binding)
    with np.errstate(all="ignore"):
        c = np.broadcast_to(np.maximum(rate.value, 0) + rate.error, (count,))
        away = np.abs(inputs[iteration.of] - limit.value) + limit.error
        size = _norm(np.abs(limit.value) + limit.error, count)
        step = _Step(iteration, inputs, binding, format_, limit, envelope, normwise)
        room = less(np.ones(count), c)
        # Whoever is half a unit in the last place from the limit is there.
        half = np.maximum(format_.roundoff * size, format_.underflow)
        radius = np.full(count, np.inf)
        tried = 2 * (step.roundings(np.zeros(count)) + half) / room
        for _ in range(_TRIES):
            found = (step.roundings(tried) + half) / room
            inside = (room > 0) & (found <= tried)
            radius = np.where(np.isinf(radius) & inside, found, radius)
            tried = np.where(inside, tried, np.maximum(found, _WIDER * tried))
        # From further away: a start as drawn, or, where any will do, zero.
        start = _norm(away, count)
        start = np.maximum(start, size) if iteration.is_affine else start
        further = np.where(np.isfinite(radius) & (start > radius), start, radius)
        gained = step.roundings(further) - step.roundings(radius)
        slope = np.where(further > radius, np.maximum(gained, 0) / (further - radius), 0)
        q = c + slope * (1 + 2.0**-20)
        sure = np.isfinite(radius) & (q < 1)
        steps = np.where(start > half, np.ceil(np.log(half / start) / np.log(q)) + 1, 1)
        steps = np.where(sure, np.maximum(steps, 1), np.inf)
        # What certainly doesn't contract leads nowhere: only other ways may be right.
        lost = np.broadcast_to(rate.value - 1 >= rate.error, (count,))
        radius = np.where(sure, radius, np.where(lost, 0.0, np.inf))
    return Reach(radius, steps, c)


def _norm(x: Array, count: int) -> Array:
    """The largest element of each example, in magnitude."""
    full = np.broadcast_to(x, (count, *x.shape[1:]))
    return np.max(full.reshape(count, -1), axis=1, initial=0.0)


@dataclass(frozen=True, slots=True)
class _Step:
    """One step near the limit, in a format."""

    iteration: Iteration
    inputs: Mapping[str, Array]
    binding: Binding
    format_: FloatFormat
    limit: Enclosure
    envelope: bool
    normwise: bool

    def roundings(self, radius: Array) -> Array:
        """What a step from anywhere within a radius of the limit may be off by, per example."""
        name = self.iteration.of
        shape = self.inputs[name].shape
        value = np.broadcast_to(self.limit.value, shape)
        far = radius.reshape((-1, *[1] * (len(shape) - 1))) + self.limit.error
        far = np.broadcast_to(np.where(np.isfinite(far), far, self.format_.largest), shape)
        if self.iteration.is_bounded:
            value, far = self._within_range(value, far)
        ((found,),) = evaluate_all(
            (self.iteration.step,),
            {**self.inputs, name: value},
            self.binding,
            dtypes=(self.format_,),
            envelope=self.envelope,
            normwise=self.normwise,
            around={name: far},
        )
        bound = found.bounds[self.format_.name]
        return _norm(np.where(np.isnan(bound), np.inf, bound), len(radius))

    def _within_range(self, value: Array, far: Array) -> tuple[Array, Array]:
        """Middle and half of the part of an interval that lies in the range of the iterate."""
        low, high = self.iteration.low, self.iteration.high
        ulps = _ULPS * self.format_.roundoff
        first = np.maximum(value - far, low - ulps * abs(low) if np.isfinite(low) else low)
        last = np.minimum(value + far, high + ulps * abs(high) if np.isfinite(high) else high)
        inside = first <= last
        first, last = (
            np.where(inside, a, b) for a, b in ((first, value - far), (last, value + far))
        )
        middle = (first + last) / 2
        half = np.maximum(last - middle, middle - first)
        return middle, half * (1 + 2.0**-50) + np.abs(middle) * 2.0**-50


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
