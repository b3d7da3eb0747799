"""What second derivatives and mixed directions should be, with room for any order of evaluation.

torch takes its own way to a second derivative, through terms that the reference never forms. So the
code runs in float64 and is held to the error that float32 may have: 2^29 times what rounding is
apt to do, and far less than any mistake in a formula. A vector of powers of two, of both signs,
stands for all directions.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verimath.arithmetic.rounding import Enclosure, evaluate
from verimath.behaviour.lab import Extra
from verimath.formula.forward import push_forward
from verimath.formula.graph import Formula
from verimath.reference.prepared import Prepared
from verimath.shapes import Binding

Inputs = Mapping[str, NDArray[Any]]
Part = tuple[NDArray[Any], NDArray[Any]]

_VECTOR = "the vector"  # no input can have this name: an input is an identifier
_ROOM = "float32"
_SEED = 20


def vectors(prepared: Prepared, inputs: Inputs) -> tuple[NDArray[np.float64], ...]:
    """One vector per input differentiated in, of its shape."""
    generator = np.random.Generator(np.random.PCG64(_SEED))
    powers = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)
    return tuple(
        np.asarray(generator.choice(powers, np.shape(inputs[name])), dtype=np.float64)
        for name in prepared.forward
    )


def curvature(prepared: Prepared, inputs: Inputs, binding: Binding) -> Extra:
    """The second derivative of a `Gradient`'s primal along vectors, per input differentiated in."""
    along = vectors(prepared, inputs)
    columns = [
        _parts(push_forward(prepared.reference, name, _VECTOR), inputs, binding, vector)
        for name, vector in zip(prepared.forward, along, strict=True)
    ]
    return Extra(along, tuple(_sum(parts) for parts in zip(*columns, strict=True)))


def slope(prepared: Prepared, inputs: Inputs, binding: Binding) -> Extra:
    """The derivative of a `Gradient`'s primal along vectors in all inputs at once."""
    along = vectors(prepared, inputs)
    parts = [
        _parts(push_forward(prepared.primal, name, _VECTOR), inputs, binding, vector)[0]
        for name, vector in zip(prepared.forward, along, strict=True)
    ]
    return Extra(along, (_sum(parts),))


def _parts(
    formula: Formula,
    inputs: Inputs,
    binding: Binding,
    vector: NDArray[np.float64],
) -> list[Part]:
    """The formula's outputs, each with the room that float32 would need."""
    batch = {key: np.asarray(x, dtype=np.float64)[None] for key, x in inputs.items()}
    batch[_VECTOR] = vector[None]
    found = evaluate(
        formula,
        batch,
        binding,
        dtypes=(_ROOM,),
        envelope=True,
    )
    return [_part(each) for each in found]


def _part(found: Enclosure) -> Part:
    value, room = np.broadcast_arrays(found.value, found.bounds[_ROOM] + found.error)
    return value[0], room[0]


def _sum(parts: Iterable[Part]) -> Part:
    values, rooms = zip(*parts, strict=True)
    with np.errstate(all="ignore"):
        return np.sum(values, axis=0), np.sum(rooms, axis=0)
