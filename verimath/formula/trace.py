"""From a Python function to its formula graph.

`trace` calls the function with arrays that record what is done to them; the function's Python
variables give their names to the steps of a derivation.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any

from verimath.errors import FormulaError
from verimath.formula import operations as op
from verimath.formula.complex_array import apart, joined, named_parts
from verimath.formula.dimension import Dimension
from verimath.formula.graph import Formula, Kind, Node
from verimath.formula.source import line_of
from verimath.formula.traced import TracedArray, as_node
from verimath.shapes import Size


def trace(
    function: Callable[..., Any],
    inputs: Mapping[str, Sequence[Size]],
    *,
    kinds: Mapping[str, Kind] | None = None,
    name: str | None = None,
) -> Formula:
    """Run `function` on traced inputs (passed by position) and return its graph.

    `kinds` says which inputs are integers or booleans; the others are real. Inputs that are the
    parts of a complex array (`verimath.pairs`) are passed as one.

    Raises FormulaError, with the line, for an operation it doesn't know, a branch on a size, or
    shapes that don't fit.
    """
    label = name or getattr(function, "__name__", "formula")
    nodes = {
        key: op.input_(key, shape, (kinds or {}).get(key, "real")) for key, shape in inputs.items()
    }
    try:
        result, variables = _call_and_watch(
            function, joined({key: TracedArray(node) for key, node in nodes.items()})
        )
    except FormulaError as error:
        raise FormulaError(f"formula `{label}`: {error}") from None
    except Exception as error:
        reason = f"{line_of(error)}{type(error).__name__}: {error}"
        raise FormulaError(f"formula `{label}`: {reason}") from error
    results, pairs = apart(result if isinstance(result, tuple) else (result,))
    wrong = [r for r in results if not isinstance(r, TracedArray)]
    if wrong or not results:
        what = "an empty tuple" if not wrong else f"a {type(wrong[0]).__name__}"
        if wrong and isinstance(wrong[0], int | float | Dimension):
            what = f"the number {wrong[0]}, which is no array of the domain's library"
        raise FormulaError(f"formula `{label}` returned {what}; wanted an array (or a tuple)")
    outputs = tuple(as_node(r) for r in results)
    names = {node: key for key, node in nodes.items()}
    for key, value in variables.items():
        for part, array in named_parts(key, value):
            if isinstance(array, TracedArray):
                _name(names, array.node, part)
    if len(outputs) == 1:
        _name(names, outputs[0], label if label.isidentifier() else "f")
    return Formula(label, nodes, outputs, names, pairs if any(pairs) else ())


def _name(names: dict[Node, str], node: Node, name: str) -> None:
    """Name a node that has no name yet; one that is taken (x = x + 1) gets a prime."""
    if node not in names:
        while name in names.values():
            name += "'"
        names[node] = name


def _call_and_watch(
    function: Callable[..., Any], arguments: list[Any]
) -> tuple[Any, dict[str, Any]]:
    """Call, and note the local variables that the function had when it returned."""
    code = getattr(function, "__code__", None)
    variables: dict[str, Any] = {}
    if sys.getprofile() is not None:
        return function(*arguments), variables  # somebody else is profiling: do without names

    def watch(frame: FrameType, event: str, _: Any) -> None:
        if event == "return" and frame.f_code is code:
            variables.update(frame.f_locals)

    sys.setprofile(watch)
    try:
        return function(*arguments), variables
    finally:
        sys.setprofile(None)
