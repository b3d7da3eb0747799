"""numpy arrays in main memory."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from verimath.backends import Backend, Fetched, describe


def _put(array: NDArray[Any]) -> NDArray[Any]:
    return array.copy()


def _fetch(value: Any) -> Fetched:
    if not isinstance(value, np.ndarray | np.generic):
        raise TypeError(f"{describe(value)} came back; wanted a numpy array")
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise TypeError("a masked array came back, with masked elements; wanted plain numbers")
    array = np.asarray(value)
    return Fetched(array, array.dtype.name, True)


NUMPY = Backend(
    name="numpy",
    library="numpy",
    why_unavailable=lambda: "",
    put=_put,
    fetch=_fetch,
    standard=lambda array: array,
)
