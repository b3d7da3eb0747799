"""A plain script that shows a fault of behaviour again, by the very probe that found it.

The probe is copied beside the code under test, with a lab of its own: no verimath is needed.
"""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from verimath.behaviour.lab import Fault
from verimath.packing import pack
from verimath.reproduce import (
    array_text,
    call_lines,
    code_under_test,
    head,
    inputs_text,
    part_lines,
    put_lines,
    rest_lines,
    wants_text,
)
from verimath.routes import Cell

Wants = Sequence[tuple[NDArray[Any], NDArray[Any]]]

_PROBE = """

# --- how it is looked at ---


def make_probe():
"""

_MAIN = """

# --- the examples and the check ---

{imports}
class Lab:
    def __init__(self, function):
        def numbers(text, dtype, *shape):
            return np.array([float.fromhex(x) for x in text.split()], dtype=dtype).reshape(shape)

        self.function, self.wrt = function, {wrt}
        self.examples = [{examples}]
        # The wanted values, and how far from them rounding may lead.
        self.wanted = [{wanted}]
        self.points = len(self.examples)
        self.vectors = [{vectors}]
        self.wants = {wants}

    def put(self, k=0):
        inputs = self.examples[k]
{put}        return arrays

    def call(self, arrays):
        function = self.function
{call}        return got

    def run(self, function, *arguments, **options):
        return function(*arguments, **options)

    def compare(self, results, k=0):
{parts}        if len(results) != len(self.wanted[k]):
            return f"{{len(results)}} array(s) came back; wanted {{len(self.wanted[k])}}"
        for result, (want, allowed) in zip(results, self.wanted[k]):
            if not isinstance(result, {kinds}):
                return f"{{type(result)}} came back; wanted an array"
            result = {fetch}
            if result.shape != want.shape or result.dtype != np.dtype("{dtype}"):
                came = f"shape {{result.shape}} in {{result.dtype}}"
                return f"{{came}}; wanted {{want.shape}} in {dtype}"
{rest}            judged = np.isfinite(want) & np.isfinite(allowed)
            with np.errstate(all="ignore"):
                off = judged & ~(np.abs(result.astype(np.float64) - want) <= allowed)
            if off.any():
                limit = f"with an error of at most\\n{{allowed}}"
                return f"got\\n{{result}}\\nwanted\\n{{want}}\\n{{limit}}"
        return ""


np.set_printoptions(precision=17)
lab = Lab({function})
found = make_probe()(lab) or lab.compare(lab.call(lab.put()))
situation = {situation!r}
print(f"{{situation}}: {{found}}" if found else "the failure is gone")
raise SystemExit(1 if found else 0)
"""


def script(
    fault: Fault,
    *,
    title: str,
    cell: Cell,
    wrt: Sequence[str],
    inputs: Sequence[Mapping[str, NDArray[Any]]],
    wants: Sequence[Wants],
    pairs: Sequence[bool] = (),
) -> str:
    """The text of a script that runs the fault's probe on these inputs, one per example of it."""
    torch = cell.backend.library == "torch"
    source, function = code_under_test(cell)
    probe_source, probe = pack(fault.probe)
    main = _MAIN.format(
        wrt=list(wrt),
        examples=", ".join(map(inputs_text, inputs)),
        wanted=", ".join(map(wants_text, wants)),
        vectors=", ".join(map(array_text, fault.extra.vectors)),
        wants=wants_text(fault.extra.wants),
        put=textwrap.indent(put_lines(cell), "    "),
        imports="import torch\n\n" if torch else "",
        call=textwrap.indent(call_lines(cell, wrt, pairs=pairs), "    "),
        kinds="torch.Tensor" if torch else "(np.ndarray, np.generic)",
        fetch="result.detach().cpu().numpy()" if torch else "np.asarray(result)",
        dtype=cell.dtype,
        rest=textwrap.indent(rest_lines(cell, "self.wanted[k]"), "    "),
        situation=fault.situation,
        parts=textwrap.indent(part_lines(cell, pairs), "    ").replace("got", "results"),
        function=function,
    )
    # In a function of its own, so that its names and those of the code under test can't meet.
    body = textwrap.indent(f"{probe_source}\nreturn {probe}", "    ")
    return f"{head(title)}{source}{_PROBE}{body}{main}"
