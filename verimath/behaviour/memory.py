"""Memory: inputs that come back changed in kind, and results that share memory with something.

A result of a numeric route that overlaps an input changes when the caller updates the input, and
updating the result changes the input. It is a fault unless the claimed formula, as written, does
the same on the same backend: the transpose of x may be a view of x, relu(x) may not. Results that
overlap each other are the same fault, unless both are read-only. In torch's own modes nothing of
this is one: a backward may hand on its cotangent or a saved tensor, the engine copies when it adds.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from verimath.behaviour.lab import Bench, Fault, Lab, Probe
from verimath.examples import Example


def kind_of_inputs(lab: Lab) -> str:
    """Everything about the inputs but their numbers, before and after a call."""
    arrays = lab.put()
    before = {name: kind_of(array) for name, array in arrays.items()}
    lab.call(arrays)
    for name, array in arrays.items():
        for fact, now in kind_of(array).items():
            if now != before[name][fact]:
                return f"{fact} of {name} is {now}; it was {before[name][fact]}"
    return ""


def kind_of(array: Any) -> dict[str, Any]:
    """What a caller relies on, beside the numbers."""
    facts = {"shape": tuple(array.shape), "dtype": str(array.dtype)}
    if hasattr(array, "flags"):
        return {**facts, "strides": array.strides, "writeable": array.flags.writeable}
    facts |= {"strides": array.stride(), "requires_grad": array.requires_grad}
    facts["the count of writes"] = array._version  # also of those that were taken back
    return {**facts, "grad": array.is_leaf and array.grad is not None}


def addresses(array: Any) -> Any:
    """Of every byte that belongs to an element."""
    if hasattr(array, "__array_interface__"):
        start, size, steps = array.__array_interface__["data"][0], array.itemsize, array.strides
    else:
        start, size = array.data_ptr(), array.element_size()
        steps = [step * size for step in array.stride()]
    found = np.array(start) + np.arange(size if np.prod(array.shape) else 0)
    for length, step in zip(array.shape, steps, strict=True):
        found = found[..., None] + np.arange(length) * step
    return found.ravel()


def overlaps(inputs: Any, results: Any) -> list[tuple[str, str]]:
    """Pairs of names that share memory, of which at least one is a result."""
    named = [(f"result {number}", array) for number, array in enumerate(results, start=1)]
    pairs = [(one, other) for one in named for other in inputs.items()]
    for number, one in enumerate(named):
        for other in named[number + 1 :]:
            flags = [getattr(array, "flags", None) for _, array in (one, other)]
            if any(flag is None or flag.writeable for flag in flags):
                pairs.append((one, other))
    return [
        (one, other)
        for (one, first), (other, second) in pairs
        if np.intersect1d(addresses(first), addresses(second)).size
    ]


def overlapping(expected: tuple[tuple[str, str], ...]) -> Probe:
    """Results that share memory with an input or with each other, though they needn't."""

    def results_overlap(lab: Lab) -> str:
        arrays = lab.put()
        results = lab.call(arrays)
        for one, other in overlaps(arrays, results):
            if (one, other) not in expected:
                return f"{one} and {other} are the same memory"
        return ""

    return results_overlap


def inputs(bench: Bench, examples: Sequence[Example]) -> Iterator[Fault | None]:
    """What a call leaves of its inputs, beside their numbers."""
    if bench.cell.way.kind in ("numeric", "value"):  # torch's modes hand leaves of their own on
        for example in examples:
            situation = "a call leaves an input changed in kind"
            yield bench.look("mutates_input", situation, kind_of_inputs, example)


def results(bench: Bench, formula: Bench, examples: Sequence[Example]) -> Iterator[Fault | None]:
    """What results share memory with; `formula` is the claimed one on this backend."""
    if bench.cell.way.kind == "numeric":
        for example in examples:
            lab = formula.lab(example)
            arrays = lab.put()
            try:
                expected = tuple(overlaps(arrays, lab.call(arrays)))
            except NotImplementedError:  # no such kernel in the dtype, so no view either
                expected = ()
            situation = "writing into one would change the other"
            yield bench.look("aliases", situation, overlapping(expected), example)
