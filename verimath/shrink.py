"""Making a failing example as small and as readable as it gets.

Hypothesis shrinks the plan (ranks, sizes, kind); what a seed filled it can't simplify. Afterwards
this shrinker lowers sizes by cutting slices, turns whole arrays and then single elements to 0, 1 or
a rounder number, and keeps every change under which the example still fails.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from verimath.domain import Domain
from verimath.examples import Example, Values, axis_names
from verimath.shapes import Size

Fails = Callable[[Example], bool]

# Counted, so that the same failure always ends at the same example.
_BUDGET = 1500
# Larger numbers are halved only: counting them down would use up the budget.
_COUNTED_DOWN = 32


def shrink(example: Example, fails: Fails, domain: Domain) -> Example:
    """The simplest example found that still fails; `fails(example)` has to be true."""
    left = _BUDGET
    improved = True
    while improved and left > 0:
        improved = False
        for candidate in _simpler(example, domain):
            left -= 1
            if left <= 0:
                break
            if fails(candidate):
                example, improved = candidate, True
                break
    return example


def _simpler(example: Example, domain: Domain) -> Iterator[Example]:
    """Candidates that are simpler than the example, the boldest first."""
    yield from _fewer_axes(example, domain)
    yield from _smaller_sizes(example, domain)
    for name, values in example.inputs.items():
        spec = domain.inputs[name]
        if spec.values is None:
            for simpler in _simpler_values(values):
                low, high = spec.limits("float64")
                if np.all((simpler >= low) & (simpler <= high)):
                    yield _with(example, name, simpler)


def _with(example: Example, name: str, values: Values) -> Example:
    values = np.asarray(values)  # numpy makes numbers of 0-d arrays
    values.flags.writeable = False
    return replace(example, inputs={**example.inputs, name: values})


def _cut(example: Example, domain: Domain, sizes: dict[str, int], *, last: bool) -> Example:
    """The leading (or last) corner of every array, at smaller sizes."""
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
    return Example(example.ranks, sizes, inputs)


def _smaller_sizes(example: Example, domain: Domain) -> Iterator[Example]:
    for name, size in example.sizes.items():
        for smaller in sorted({1, size // 2, size - 1}):
            if 0 < smaller < size:
                sizes = {**example.sizes, name: smaller}
                if _shrinks_every_axis(domain, example, sizes):
                    yield _cut(example, domain, sizes, last=False)
                    yield _cut(example, domain, sizes, last=True)


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
        yield Example(ranks, sizes, inputs)


def _simpler_values(values: Values) -> Iterator[Values]:
    flat = values.ravel()
    if np.any(flat != 0):
        yield np.zeros_like(values)
    if np.any((flat != 0) & (flat != 1)):
        yield np.ones_like(values)
    for rounded in (np.rint(values), np.rint(values * 8) / 8):
        if np.any(rounded != values):
            yield rounded
    for index in range(flat.size):
        for number in _simpler_numbers(float(flat[index])):
            changed = flat.copy()
            changed[index] = number
            yield changed.reshape(values.shape)


def _simpler_numbers(x: float) -> Iterator[float]:
    """Simpler numbers than x, simplest first; every one is simpler by the same fixed order."""
    candidates = [0.0, 1.0, 2.0, -1.0, 0.5, abs(x), np.trunc(x / 2), np.trunc(x), np.rint(x)]
    candidates += [np.rint(x * 8) / 8, np.copysign(np.ceil(abs(x)), x)]
    if abs(x) <= _COUNTED_DOWN:
        candidates.append(x - np.sign(x))
    for candidate in dict.fromkeys(map(float, candidates)):
        if _complexity(candidate) < _complexity(x):
            yield candidate


def _complexity(x: float) -> tuple[int, float, bool]:
    """Digits first, then size, then sign."""
    return (0 if x.is_integer() else len(repr(x)), abs(x), x < 0)
