"""Where in the author's file a formula is, for error messages and for the graph's nodes."""

import inspect
from pathlib import Path
from traceback import extract_tb

from verimath.errors import FormulaError

_OWN_FOLDER = str(Path(__file__).parent)
_MACHINERY = frozenset({"array_api_compat", "numpy"})


def _is_machinery(file: str) -> bool:
    return file.startswith(_OWN_FOLDER) or not _MACHINERY.isdisjoint(Path(file).parts)


def here() -> str:
    """Where the formula's author is: the innermost frame outside this file's machinery."""
    frame = inspect.currentframe()
    assert frame is not None  # CPython has frames
    while frame.f_back is not None and _is_machinery(frame.f_code.co_filename):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


def line_of(error: Exception) -> str:
    """Where in the author's files an exception passed last, with a colon, or nothing."""
    frames = [f for f in extract_tb(error.__traceback__) if not _is_machinery(f.filename)]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}: " if frames else ""


def refused(reason: str) -> FormulaError:
    """The error that refuses a formula, with the line of its author."""
    return FormulaError(f"{here()}: {reason}")
