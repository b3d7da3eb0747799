"""Making a failing example as small and as readable as it gets.

Hypothesis shrinks the plan (ranks, sizes, kind, special values); what a seed filled it can't
simplify. This shrinker takes passes over the example: layout, axes, sizes (by bisection, cutting
slices), what all numbers have in common, whole arrays, blocks and single elements to 0, 1 or a
rounder number. It keeps every change under which the example still fails, and begins again until
nothing helps.

It changes free numbers: whatever they become, a structured input keeps its structure.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from verimath.domain import Domain, Input
from verimath.examples import Example, Values
from verimath.plans import axis_names
from verimath.shapes import Size

Fails = Callable[[Example], bool]

# Counted, so that the same failure always ends at the same example.
_BUDGET = 1500
# Larger numbers are halved only: counting them down would use up the budget.
_COUNTED_DOWN = 32


def shrink(example: Example, fails: Fails, domain: Domain, *, dtype: str = "float64") -> Example:
    """The simplest example found that still fails; `fails(example)` has to be true.

    Special values become the numbers that they are in `dtype`, if the example fails still.
    """
    shrinking = _Shrinking(example, fails, domain)
    if example.specials:
        shrinking.attempt(replace(example, specials=()))
        shrinking.attempt(example.resolved(domain, dtype))
    shrinking.run()
    return shrinking.example


class _Shrinking:
    """The best example so far, and what is left of the budget."""

    def __init__(self, example: Example, fails: Fails, domain: Domain) -> None:
        self.example, self._fails, self._domain = example, fails, domain
        self._left = _BUDGET
        self._seen: set[tuple[object, ...]] = {_key(example)}

    def attempt(self, candidate: Example) -> bool:
        """Take a candidate that fails, too; none is tried twice."""
        key = _key(candidate)
        if key in self._seen or self._left <= 0:
            return False
        self._seen.add(key)
        if not self._domain.satisfiable(candidate.ranks, candidate.sizes):
            return False
        self._left -= 1
        if not self._fails(candidate):
            return False
        self.example = candidate
        return True

    def run(self) -> None:
        before = None
        while before is not self.example and self._left > 0:
            before = self.example
            self.attempt(replace(self.example, layout="C"))
            self._first_that_fails(_fewer_axes)
            for name in self.example.sizes:
                self._smaller(name)
            while any(map(self.attempt, _nearer_to_zero(self.example, self._domain))):
                pass
            for name in self.example.inputs:
                if self._domain.inputs[name].values is None:
                    self._whole(name)
                    self._blocks(name)
                    self._elements(name)

    def _first_that_fails(self, candidates: Callable[[Example, Domain], Iterator[Example]]) -> None:
        while any(map(self.attempt, candidates(self.example, self._domain))):
            pass

    def _smaller(self, name: str) -> None:
        """Bisect one size: 1 at once, else the largest step down that works, ever smaller ones."""
        step = max(self.example.sizes.get(name, 0) - 1, 0)
        while step >= 1:
            smaller = self.example.sizes[name] - step
            if smaller < 1 or not self._cut_to(name, smaller):
                step //= 2

    def _cut_to(self, name: str, size: int) -> bool:
        sizes = {**self.example.sizes, name: size}
        if not _shrinks_every_axis(self._domain, self.example, sizes):
            return False
        return any(
            self.attempt(_cut(self.example, self._domain, sizes, last=last))
            for last in (False, True)
        )

    def _whole(self, name: str) -> None:
        values = self.example.inputs[name]
        total = _total(values)
        for simpler in _simpler_arrays(values):
            if _total(simpler) < total and self._with(name, simpler):
                return

    def _blocks(self, name: str) -> None:
        """Zeros in halves, quarters, ... of what isn't zero."""
        places = np.flatnonzero(self.example.inputs[name])
        width = len(places) // 2
        while width >= 2:
            for start in range(0, len(places), width):
                flat = self.example.inputs[name].flatten()
                flat[places[start : start + width]] = 0
                self._with(name, flat.reshape(self.example.inputs[name].shape))
            width //= 2

    def _elements(self, name: str) -> None:
        for index in range(self.example.inputs[name].size):
            improved = True
            while improved and self._left > 0:
                values = self.example.inputs[name]
                improved = any(
                    self._with(name, _changed(values, index, number))
                    for number in simpler_numbers(float(values.flat[index]))
                )

    def _with(self, name: str, values: Values) -> bool:
        if not _in_range(values, self._domain.inputs[name]):
            return False
        values = np.asarray(values)  # numpy makes numbers of 0-d arrays
        values.flags.writeable = False
        inputs = {**self.example.inputs, name: values}
        return self.attempt(replace(self.example, inputs=inputs))


def _key(example: Example) -> tuple[object, ...]:
    arrays = tuple(
        (name, values.shape, values.tobytes()) for name, values in example.inputs.items()
    )
    sizes, ranks = tuple(example.sizes.items()), tuple(example.ranks.items())
    return (example.layout, example.specials, ranks, sizes, arrays)


def _in_range(values: Values, spec: Input) -> bool:
    """Whether free numbers of an input are what they become, as far as its range goes."""
    low, high = spec.limits("float64")
    if spec.kind == "integer" and np.any(values != np.rint(values)):
        return False
    if spec.exclude_zero and np.any(values == 0):
        return False
    if not spec.is_free and not spec.distinct:
        return True
    finite = ~np.isnan(values)
    return bool(np.all((values >= low) & (values <= high), where=finite))


def _changed(values: Values, index: int, number: float) -> Values:
    flat = values.flatten()
    flat[index] = number
    return flat.reshape(values.shape)


def _cut(example: Example, domain: Domain, sizes: dict[str, int], *, last: bool) -> Example:
    """The leading (or last) corner of every array, at smaller sizes; special values are left out.

    They name elements that may be gone; as numbers they stay.
    """
    inputs: dict[str, Values] = {}
    for name, shape in domain.expand(example.ranks).items():
        values = example.inputs[name]
        for axis, size in enumerate(shape):
            kept, present = size.at(sizes), values.shape[axis]
            start = present - kept if last else 0
            values = np.take(values, range(start, start + kept), axis=axis)
        values = np.array(values, dtype=np.float64)
        values.flags.writeable = False
        inputs[name] = values
    return Example(example.ranks, sizes, inputs, layout=example.layout)


def _shrinks_every_axis(domain: Domain, example: Example, sizes: dict[str, int]) -> bool:
    """Whether no axis grows (as n-d would under a smaller d) or falls below zero."""
    axes: set[Size] = {axis for shape in domain.expand(example.ranks).values() for axis in shape}
    return all(0 <= axis.at(sizes) <= axis.at(example.sizes) for axis in axes)


def _fewer_axes(example: Example, domain: Domain) -> Iterator[Example]:
    """Drop the last axis that a starred name stands for, keeping its first element."""
    for name, rank in example.ranks.items():
        if rank == 0 or example.sizes.get(f"{name}[{rank - 1}]", 0) < 1:
            continue
        ranks = {**example.ranks, name: rank - 1}
        inputs: dict[str, Values] = {}
        for key, values in example.inputs.items():
            axes = domain.inputs[key].shape.axes
            dropped = values
            if name in axes:
                dropped = np.array(np.take(values, 0, axis=axes.index(name) + rank - 1))
                dropped.flags.writeable = False
            inputs[key] = dropped
        sizes = {key: example.sizes[key] for key in axis_names(domain, ranks)}
        yield Example(ranks, sizes, inputs, layout=example.layout)


def _nearer_to_zero(example: Example, domain: Domain) -> Iterator[Example]:
    """All free numbers moved by one power of two, or rounded about it: what is close stays so."""
    moved = [n for n, spec in domain.inputs.items() if spec.is_free and spec.kind == "real"]
    numbers = np.concatenate([[], *(example.inputs[name].ravel() for name in moved)])
    least, most = (f(numbers, initial=start) for f, start in ((np.min, np.inf), (np.max, -np.inf)))
    # One number alone is bisected, which is quicker.
    if numbers.size < 2 or not (least > _COUNTED_DOWN and most / 2 <= least and most < np.inf):
        return
    power = 2.0 ** np.floor(np.log2(least))
    for change in (
        lambda x: x - power / 2,
        lambda x: power + np.rint(x - power),
        lambda x: power + np.rint(8 * (x - power)) / 8,
    ):
        inputs = dict(example.inputs)
        for name in moved:
            values = np.asarray(change(example.inputs[name]))
            values.flags.writeable = False
            inputs[name] = values
        if all(_in_range(inputs[name], domain.inputs[name]) for name in moved):
            yield replace(example, inputs=inputs)


def _simpler_arrays(values: Values) -> Iterator[Values]:
    """The same array all zeros, all ones, with every magnitude one, rounded."""
    finite = np.nan_to_num(values)
    yield np.zeros_like(values)
    yield np.ones_like(values)
    yield np.sign(finite)
    yield np.clip(np.rint(finite), -1, 1)
    yield np.rint(finite)
    if np.all(np.abs(finite) < 2.0**1000):
        yield np.rint(finite * 8) / 8


def simpler_numbers(x: float) -> Iterator[float]:
    """Simpler numbers than x, simplest first; every one is simpler by the same fixed order."""
    candidates = [0.0, 1.0, 2.0, -1.0, 0.5]
    if math.isfinite(x) and x != 0:
        fraction, exponent = math.frexp(x)
        sign = math.copysign(1.0, x)
        # Bisection of the magnitude, for numbers that are very large or very small.
        power, step = exponent - 1, exponent - 1
        while abs(step) > 3:
            step = int(step / 2)
            candidates.append(math.ldexp(sign, power - step))
        candidates.append(math.ldexp(sign, power))
        candidates += [abs(x), np.trunc(x / 2), np.trunc(x), np.rint(x)]
        candidates.append(math.ldexp(np.rint(fraction * 16) / 16, min(exponent, 1023)))
        if abs(x) < 2.0**50:
            candidates += [np.rint(x * 8) / 8, math.copysign(math.ceil(abs(x)), x)]
        if abs(x) <= _COUNTED_DOWN:
            candidates.append(x - sign)
    for candidate in dict.fromkeys(map(float, candidates)):
        if complexity(candidate) < complexity(x):
            yield candidate


def complexity(x: float) -> tuple[float, float, float]:
    """Integers first, then few binary digits, then magnitudes about one, then plus before minus."""
    return _total(np.array(x))


def _total(values: Values) -> tuple[float, float, float]:
    """The complexities of an array's elements, added up."""
    finite = np.isfinite(values)
    fractions, exponents = np.frexp(np.where(finite, values, 0.0))
    whole = finite & (np.trunc(values) == values)
    digits = np.abs(np.ldexp(fractions, 53)).astype(np.int64)
    lowest = np.where(digits == 0, 1, digits & -digits)
    length = np.floor(np.log2(np.maximum(digits // lowest, 1))) + 1
    bits = np.where(whole, 0.0, np.where(finite, length, 2000.0))
    with np.errstate(over="ignore"):
        size = np.where(whole, np.abs(values), np.where(finite, np.abs(exponents), 0))
        return (float(bits.sum()), float(size.sum()), float(np.signbit(values).sum()))
