"""numpy arrays in main memory."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verimath.arithmetic.formats import FLOAT32, FORMATS, FloatFormat
from verimath.arithmetic.functions import assumed, flushes, numpy_conditions
from verimath.backends import Backend, Fetched, describe
from verimath.layouts import LAYOUTS, arranged


def _put(array: NDArray[Any], dtype: str | None = None, layout: str = "C") -> NDArray[Any]:
    return arranged(np.array(array, dtype=dtype, order="C"), layout)


def _fetch(value: Any) -> Fetched:
    if not isinstance(value, np.ndarray | np.generic):
        raise TypeError(f"{describe(value)} came back; wanted a numpy array")
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise TypeError("a masked array came back, with masked elements; wanted plain numbers")
    array = np.asarray(value)
    return Fetched(array, array.dtype.name, True)


@cache
def _format(dtype: str, flushing: bool) -> FloatFormat:
    functions = assumed("numpy", dtype, numpy_conditions()).functions
    found = replace(FORMATS[dtype], functions=functions)
    if dtype == "float16":
        # Products of matrices keep float32 sums (HALF_matmul_inner_noblas, HALF_dot); a sum along
        # any but the last axis adds row after row in float16.
        found = replace(found, products=FLOAT32)
    return found.flushed if flushing else found


def _settings() -> dict[str, str]:
    return {
        "float16 sums": "kept in float16",
        "float16 matrix products": "summed in float32",
        "subnormal numbers": "flushed to zero" if flushes() else "kept",
        "elementary functions": assumed("numpy", "float64", numpy_conditions()).source,
    }


NUMPY = Backend(
    name="numpy",
    library="numpy",
    why_unavailable=lambda: "",
    put=_put,
    fetch=_fetch,
    standard=lambda array: array,
    dtypes=("float64", "float32", "float16"),
    layouts=LAYOUTS,
    format=lambda dtype: _format(dtype, flushes()),
    settings=_settings,
)
