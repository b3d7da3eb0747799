"""Layouts: the same numbers, otherwise arranged in memory.

Code that reads its buffers as if they were contiguous is right until somebody transposes. The gaps
of an arrangement are filled with NaN (-99 among whole numbers), so that reading them shows.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from verimath.behaviour.lab import Bench, Fault, Lab, Probe
from verimath.domain import Domain, Input
from verimath.examples import Example
from verimath.pairs import grouped
from verimath.routes.refusals import shares_memory

Arrange = Callable[[Any], Any]


def numpy_transposed(a: Any) -> Any:
    """Axes in the opposite order in memory."""
    return a.T.copy().T


def numpy_strided(a: Any) -> Any:
    """Every other element of something larger, along every axis."""
    fill = np.nan if a.dtype.kind == "f" else -99
    gaps = np.full([2 * n for n in a.shape], fill, a.dtype)
    view = gaps[(..., *(slice(None, None, 2),) * a.ndim)]
    view[...] = a
    return view


def numpy_reversed(a: Any) -> Any:
    """Negative strides."""
    return np.flip(np.flip(a).copy())


def numpy_offset(a: Any) -> Any:
    """Not at the start of its buffer."""
    fill = np.nan if a.dtype.kind == "f" else -99
    view = np.full(a.size + 1, fill, a.dtype)[1:].reshape(a.shape)
    view[...] = a
    return view


def numpy_read_only(a: Any) -> Any:
    """Memory that must not be written to."""
    a.flags.writeable = False
    return a


def numpy_expanded(a: Any) -> Any:
    """One row, repeated with a stride of zero."""
    return np.broadcast_to(a[:1].copy(), a.shape)


def torch_transposed(a: Any) -> Any:
    """Axes in the opposite order in memory."""
    axes = tuple(reversed(range(a.ndim)))
    return a.permute(axes).contiguous().permute(axes)


def torch_strided(a: Any) -> Any:
    """Every other element of something larger, along every axis."""
    fill = float("nan") if a.is_floating_point() else -99
    gaps = a.new_full([2 * n for n in a.shape], fill)
    return gaps[(slice(None, None, 2),) * a.ndim].copy_(a)


def torch_offset(a: Any) -> Any:
    """Not at the start of its buffer."""
    fill = float("nan") if a.is_floating_point() else -99
    return a.new_full((a.numel() + 1,), fill)[1:].view(a.shape).copy_(a)


def torch_expanded(a: Any) -> Any:
    """One row, repeated with a stride of zero."""
    return a[:1].clone().expand(a.shape)


# What each is called, how it is made, and from how many axes on it differs from the usual.
_NUMPY: list[tuple[str, Arrange, int]] = [
    ("transposed in memory", numpy_transposed, 2),
    ("a strided view", numpy_strided, 1),
    ("a reversed view", numpy_reversed, 1),
    ("at an offset in a buffer", numpy_offset, 0),
    ("read-only", numpy_read_only, 0),
]
TORCH: list[tuple[str, Arrange, int]] = [
    ("transposed in memory", torch_transposed, 2),
    ("a strided view", torch_strided, 1),
    ("at an offset in a buffer", torch_offset, 0),
]


def arranged(arrange: Arrange, axes: int, names: list[str]) -> Probe:
    """Inputs in another layout."""

    def in_that_layout(lab: Lab) -> str:
        if lab.compare(lab.call(lab.put())):
            return ""
        arrays = lab.put()
        for name in names:
            if arrays[name].ndim >= axes:
                moved = arrange(arrays[name])
                # One row can't stand for all of them in an identity matrix.
                same = (moved == arrays[name]) | (moved != moved)
                if bool(same.all()):
                    arrays[name] = moved
        return lab.compare(lab.call(arrays))

    return in_that_layout


def layouts(bench: Bench, domain: Domain, examples: Sequence[Example]) -> Iterator[Fault | None]:
    """What other layouts of the inputs show, all inputs at once and then each by itself."""
    torch = bench.cell.backend.library == "torch"
    for example in examples:
        for phrase, arrange, axes in TORCH if torch else _NUMPY:
            inputs = example.inputs
            names = [name for name, x in inputs.items() if x.ndim >= axes and x.size]
            names = list(grouped(names))
            yield _look(bench, phrase, arrange, axes, names, example)
        if bench.cell.way.kind != "forward":  # a dual tensor may not overlap itself
            repeated, names = _repeated(domain, example)
            names = list(grouped(names))
            right = names and not bench.trial(repeated).bad
            if right:
                expand = torch_expanded if torch else numpy_expanded
                fault = _look(bench, "expanded (a stride of zero)", expand, 1, names, repeated)
                if fault is not None and shares_memory(fault.found):
                    bench.notes["no dual of an array whose elements share memory"] = None
                    fault = None
                yield fault


def _look(
    bench: Bench, phrase: str, arrange: Arrange, axes: int, names: list[str], example: Example
) -> Fault | None:
    def look(names: list[str]) -> Fault | None:
        listed = " and ".join(names)
        situation = f"right on contiguous arrays, but with {listed} {phrase}"
        return bench.look("layout", situation, arranged(arrange, axes, names), example)

    found = look(names) if names else None
    if found is None or len(names) == 1:
        return found
    return next(filter(None, (look([name]) for name in names)), found)


def _repeated(domain: Domain, example: Example) -> tuple[Example, list[str]]:
    """The example with the first row of each array in place of all of them, where it may be."""
    names = [
        name
        for name, x in example.inputs.items()
        if x.ndim and x.size and _may_repeat(domain.inputs[name])
    ]
    rows = {
        name: np.broadcast_to(example.inputs[name][:1], x.shape).copy()
        for name, x in example.inputs.items()
        if name in names
    }
    for values in rows.values():
        values.flags.writeable = False
    return replace(example, inputs={**example.inputs, **rows}), names


def _may_repeat(spec: Input) -> bool:
    """Whether elements may be drawn and may be equal."""
    return spec.values is None and not spec.distinct
