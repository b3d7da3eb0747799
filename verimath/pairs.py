"""Complex arrays as pairs of real ones: what the two are called, how they come together and apart.

Nothing of the mathematics knows complex numbers: an input z of a domain is two real inputs, `z.re`
and `z.im` (no identifier, so no input can be called that). Code under test is given one complex
array, and a complex result is judged part by part.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The complex dtype whose parts have a real one; neither numpy nor torch computes in smaller ones.
COMPLEX = {"float64": "complex128", "float32": "complex64"}
PARTS = ("real", "imaginary")  # in this order

_ENDS = (".re", ".im")


def halves(name: str) -> tuple[str, str]:
    """The names of the real and of the imaginary part of an array."""
    return f"{name}{_ENDS[0]}", f"{name}{_ENDS[1]}"


def whole(name: str) -> str:
    """The name of the array that an input is, or is a part of."""
    return name[: -len(_ENDS[0])] if name.endswith(_ENDS) else name


def grouped(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The arrays that inputs are parts of, in their order, and the inputs each is made of."""
    found: dict[str, tuple[str, ...]] = {}
    for name in names:
        found[whole(name)] = (*found.get(whole(name), ()), name)
    return found


def has_pairs(names: Iterable[str]) -> bool:
    """Whether some input is part of a complex array."""
    return any(name.endswith(_ENDS) for name in names)


def joined(inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Inputs with each pair as one complex array, in the complex dtype of its parts."""
    return {
        name: inputs[parts[0]] if len(parts) == 1 else _complex(*(inputs[part] for part in parts))
        for name, parts in grouped(inputs).items()
    }


def _complex(re: NDArray[Any], im: NDArray[Any]) -> NDArray[Any]:
    # Not re + 1j im: signs of zeros would be lost, and an infinity would make the other part NaN.
    found = np.empty(re.shape, dtype=COMPLEX[re.dtype.name])
    found.real, found.imag = re, im
    return found


def real_numbers(array: NDArray[Any]) -> NDArray[Any]:
    """The elements in C order; of complex ones the real and then the imaginary part."""
    flat = np.ascontiguousarray(array).ravel()
    return flat.view(np.real(flat).dtype) if flat.dtype.kind == "c" else flat


def dtype_of(dtype: str, *, pair: bool) -> str:
    """The dtype of a result, a pair or a real array, in a run in `dtype`."""
    return COMPLEX[dtype] if pair else dtype


def part_of(output: int, pairs: Sequence[bool]) -> str:
    """Which result an output is, or which part of which, where each pair has two outputs."""
    places = [
        (number, part)
        for number, pair in enumerate(pairs, start=1)
        for part in ([f"{name} part of the " for name in PARTS] if pair else [""])
    ]
    number, part = places[output]
    return f"{part}result {number}" if len(pairs) > 1 else f"{part}result"
