"""Telling a library that has no kernel for a dtype from a fault of the code that called it.

numpy and torch lack some operations in 16 bits (factorisations, transforms). That is no fault of a
candidate, so such a cell is skipped with the library's own words. The same words raised by the
candidate's own code are an error like any other.
"""

import dis
import re
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

_NAMES = {"float16": ("Half", "float16"), "bfloat16": ("BFloat16", "bfloat16")}
_PATTERNS = (
    r'"[^"]*" not implemented for \'{name}\'',
    r"array type {name} is unsupported in linalg",
    r"Low precision dtypes not supported\. Got {name}",
    r"Unsupported dtype {name}",
)


def missing_kernel(error: BaseException, dtype: str) -> str | None:
    """The library's refusal to compute in a 16-bit dtype, or None if the error is another one."""
    if not isinstance(error, NotImplementedError | RuntimeError | TypeError):
        return None
    message = str(error)
    refused = any(
        re.search(pattern.format(name=name), message)
        for name in _NAMES.get(dtype, ())
        for pattern in _PATTERNS
    )
    return f"no {dtype} kernel: {message}" if refused and _raised_by_a_library(error) else None


def _raised_by_a_library(error: BaseException) -> bool:
    """Whether compiled code or a file of numpy or torch raised it."""
    trace = error.__traceback__
    if trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    return _in_library(trace.tb_frame) or not _at_a_raise(trace.tb_frame, trace.tb_lasti)


def _at_a_raise(frame: FrameType, offset: int) -> bool:
    instructions = dis.get_instructions(frame.f_code)
    at = next((found.opname for found in instructions if found.offset == offset), "")
    return at in ("RAISE_VARARGS", "RERAISE")


def _in_library(frame: FrameType) -> bool:
    file = Path(frame.f_code.co_filename)
    for name in ("numpy", "torch"):
        spec = find_spec(name)
        if spec is not None and spec.origin and file.is_relative_to(Path(spec.origin).parent):
            return True
    return False


def shares_memory(error: str) -> bool:
    """Whether torch refused to write into a tensor of which several elements are the same memory.

    Its forward mode does so for expanded inputs; code that writes into its inputs shows elsewhere.
    """
    return "refers to a single memory location" in error
