"""How near to its limit an iteration gets in floating point, and after how many steps.

With the contraction factor c < 1 and b(r) a bound on the rounding errors of one step from any
iterate within r of the limit, errors go on as e <- c e + b(e) in the maximum norm. So whoever
iterates until nothing changes, or until the iterates come round again, ends within the least r with
c r + b(r) <= r (Higham, *Accuracy and Stability*, 2nd ed., section 17.2, whose (17.9) has the same
terms for linear steps). docs/bounds.md, "Iterations", derives it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from verimath.arithmetic.formats import FloatFormat
from verimath.arithmetic.operand import less
from verimath.arithmetic.rounding import Enclosure, evaluate_all
from verimath.arithmetic.values import Array
from verimath.convergence.iteration import Iteration
from verimath.shapes import Binding

# How often a larger neighbourhood of the limit is tried for one that a step doesn't leave.
_TRIES = 6
_WIDER = 16.0
_ULPS = 8  # that an iterate may be rounded out of the range of numbers


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
