"""A plain script that shows a failure again, with hex floats and without verimath.

The code under test is copied into the script with what it needs. Where that isn't possible (a
compiled function, a method of a live object) the script says so and asks for the function.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verimath.claim import Function, Seeder
from verimath.layouts import placement
from verimath.packing import pack
from verimath.pairs import real_numbers
from verimath.reference.want import Want
from verimath.residual import System
from verimath.routes import Cell, Derived

_HEADER = '''"""{title}

Exit status 1 and what is wrong while the failure is there, 0 once it is gone.
"""

from __future__ import annotations

import numpy as np

# --- the code under test ---

'''

_MAIN = """

# --- the example and the check ---


def main(function):
    import numpy as np

    def numbers(text, dtype, *shape):
        return np.array([float.fromhex(x) for x in text.split()], dtype=dtype).reshape(shape)

    np.set_printoptions(precision=17)
    inputs = {inputs}
    # The wanted values, and how far from them rounding may lead.
    wants = {wants}
{system}{run}
    wrong = []
{changed}{parts}    if len(got) != len(wants):
        wrong.append(f"{{len(got)}} array(s) came back; wanted {{len(wants)}}")
    for result, (want, allowed) in zip(got, wants):
        if not isinstance(result, {kinds}):
            wrong.append(f"{{type(result)}} came back; wanted an array")
            continue
        kind = str(result.dtype).removeprefix("torch.")
        result = {fetch}
        if result.shape != want.shape or kind != "{dtype}":
            wrong.append(f"got shape {{result.shape}} in {{kind}}")
            wrong.append(f"wanted shape {{want.shape}} in {dtype}")
            continue
{rest}        judged = np.isfinite(want) & np.isfinite(allowed)
        with np.errstate(all="ignore"):
            result = result.astype(np.float64)
            off = judged & ~(np.abs(result - want) <= allowed)
        if off.any():
            wrong.append(f"got\\n{{result}}\\nwanted\\n{{want}}")
            wrong.append(f"with an error of at most\\n{{allowed}}")
{bound}    print("\\n".join(wrong) or "the failure is gone")
    return 1 if wrong else 0


raise SystemExit(main({function}))
"""

# Where a result is complex, its parts are what is compared.
_PARTS = """    parts = [(x.real, x.imag) if "complex" in str(x.dtype) else (x,) for x in got]
    got = [part for pair in parts for part in pair]
"""

_TORCH_PARTS = """    got = [x.resolve_conj().resolve_neg() for x in got]
"""

# For the error class "residual": what a solution leaves of its system is judged.
_SYSTEM = """    # A solution x is judged by what it leaves of its system (Oettli and Prager).
    # The magnitude of right - matrix x is at most backward |x| + fixed.
    matrix = {matrix}
    right = {right}
    backward = {backward}
    fixed = {fixed}
"""

_LEFT = """        with np.errstate(all="ignore"):
            x = result.astype(np.float64).reshape(right.shape)
            result = (right - matrix @ x).reshape(want.shape)
            reached = np.abs(matrix) @ np.abs(x) + np.abs(right)
            allowed = np.where(np.isfinite(reached), backward @ np.abs(x) + fixed, np.inf)
            allowed = allowed.reshape(want.shape)
            want = 0 * want
"""

_BOUND = """        if (np.abs(result) - allowed > {bound!r}).any():
            wrong.append(f"got\\n{{result}}\\nwanted at most {bound!r} in absolute value")
"""

_NUMPY_PUT = """
    arrays = {name: values.copy() for name, values in inputs.items()}
"""

_TORCH_PUT = """
    import torch

    arrays = {{name: torch.tensor(v, device="{device}"{cast}) for name, v in inputs.items()}}
"""

# For a failure in one layout: the inputs as they lay in memory, with what lay between.
_LAID_OUT = """
    def laid_out(values, length, offset, strides):
        # The same numbers, elsewhere in memory; strides and offset count elements.
{buffer}
        for index in np.ndindex(*values.shape):
            buffer[offset + sum(i * s for i, s in zip(index, strides))] = values[index]
{view}

    arrays = {{name: laid_out(arrays[name], *place) for name, place in {places}.items()}}
"""

_NUMPY_BUFFER = """\
        gap = {"f": np.nan, "b": True}.get(values.dtype.kind, np.iinfo("int64").max)
        buffer = np.full(length, gap, values.dtype)"""

_NUMPY_VIEW = """\
        steps = [stride * values.itemsize for stride in strides]
        start = offset * values.itemsize if values.size else 0
        view = np.ndarray(values.shape, values.dtype, buffer, start, steps)"""

_READ_ONLY = """
        view.flags.writeable = False"""

_TORCH_BUFFER = """\
        gap = float("nan") if values.is_floating_point() else 2**63 - 1
        buffer = torch.full((length,), gap, dtype=values.dtype, device=values.device)"""

_TORCH_VIEW = """\
        return buffer.as_strided(values.shape, strides, offset)"""

_CALL = """    got = function(*arrays.values())
    got = got if isinstance(got, (tuple, list)) else (got,)
"""

_CHANGED = """    for name, array in arrays.items():
        if {fetch}.tobytes() != inputs[name].tobytes():
            wrong.append(f"input {{name}} was changed in place")
"""

# Minus two instead of one: code that ignores its cotangent would not show.
_REVERSE = """    wrt = {wrt}
    leaves = {{name: x.detach().requires_grad_(name in wrt) for name, x in arrays.items()}}
    value = function(*leaves.values())
    leaves = [leaves[name] for name in wrt]
{scalar}{derive}"""

_SCALAR = """{indent}shape = tuple(value.shape)
{indent}assert value.ndim == 0, f"a gradient needs a 0-d tensor, not shape {{shape}}"
"""

_REAL = """{indent}assert not value.is_complex(), "a gradient is of a real number"
"""

_GRADIENT = """    got = [torch.zeros_like(leaf) for leaf in leaves]
    if value.requires_grad:
        seed = torch.full_like(value, -2.0)
        got = torch.autograd.grad(value, leaves, seed, materialize_grads=True{again})
        got = [gradient / -2.0 for gradient in got]
"""

_OF_THE_GRADIENT = """    (value,) = got
"""

_ROWS = """    rows = []
    for index in range(value.numel() if value.requires_grad else 0):
        seed = torch.zeros_like(value, memory_format=torch.contiguous_format)
        seed.view(-1)[index] = -2.0
        row = torch.autograd.grad(value, leaves, seed, retain_graph=True, materialize_grads=True)
        rows.append([gradient / -2.0 for gradient in row])
    got = [value.new_zeros(value.shape + leaf.shape) for leaf in leaves]
    if rows:
        columns = [torch.stack(column) for column in zip(*rows)]
        got = [column.reshape(like.shape) for column, like in zip(columns, got)]
"""

_FORWARD = """    from torch.autograd import forward_ad

    got = []
    for name in {wrt}:
        slopes = []
        for index in range(arrays[name].numel()):
            direction = torch.zeros_like(arrays[name], memory_format=torch.contiguous_format)
            direction.view(-1)[index] = -2.0
            with forward_ad.dual_level():
                source = arrays[name].detach().clone(){graph}
                dual = forward_ad.make_dual(source, direction)
                value = function(*({{**arrays, name: dual}}.values()))
{scalar}{gradient}                slope = forward_ad.unpack_dual(value).tangent
                slope = torch.zeros_like(value) if slope is None else slope / -2.0
                slopes.append(slope.detach())
        like = arrays[name].new_zeros({shape} + tuple(arrays[name].shape))
        got.append(torch.stack(slopes, dim=-1).reshape(like.shape) if slopes else like)
"""

# In a complex input, as the derivatives in both parts.
_COMPLEX_FORWARD = """    from torch.autograd import forward_ad

    def slope(name, index, along):
        direction = torch.zeros_like(arrays[name], memory_format=torch.contiguous_format)
        direction.view(-1)[index] = -2.0 * along
        with forward_ad.dual_level():
            dual = forward_ad.make_dual(arrays[name].detach().clone(), direction)
            value = function(*({{**arrays, name: dual}}.values()))
{scalar}            found = forward_ad.unpack_dual(value).tangent
            return torch.zeros_like(value) if found is None else (found / -2.0).detach()

    got = []
    for name in {wrt}:
        like = torch.zeros_like(arrays[name], memory_format=torch.contiguous_format)
        for index in range(like.numel()):
            found = slope(name, index, 1)
            found = torch.complex(found, slope(name, index, 1j)) if like.is_complex() else found
            like.view(-1)[index] = found
        got.append(like)
"""

_FORWARD_GRADIENT = """                seed = torch.full_like(value, -2.0)
                value = torch.autograd.grad(
                    value, dual, seed, create_graph=True, materialize_grads=True
                )[0] / -2.0
"""

# Formulas are written against the array API standard; this is how they run on tensors.
_STANDARD = '''

def on_tensors(formula):
    """The formula with tensors as arrays of the standard, where `size` is a number."""
    import array_api_compat.torch
    import torch

    class Array:
        def __init__(self, tensor):
            self.tensor = tensor

        size = property(lambda self: self.tensor.numel())
        T = property(lambda self: Array(self.tensor.T))
        mT = property(lambda self: Array(self.tensor.mT))

        def __getattr__(self, name):
            return getattr(self.tensor, name)

        def __getitem__(self, key):
            return Array(self.tensor[key])

        def __array_namespace__(self, api_version=None):
            return namespace

    class Namespace:
        __name__ = "standard"

        def __init__(self, library):
            self.library = library

        def __getattr__(self, name):
            if name == "linalg":
                return Namespace(self.library.linalg)
            value = getattr(self.library, name)
            return lift(value) if callable(value) else value

    def bare(value):
        if isinstance(value, (list, tuple)):
            return type(value)(map(bare, value))
        return value.tensor if isinstance(value, Array) else value

    def lift(function):
        def lifted(*args, **options):
            value = function(*map(bare, args), **{k: bare(v) for k, v in options.items()})
            return Array(value) if isinstance(value, torch.Tensor) else value

        return lifted

    for name in ("add", "sub", "mul", "truediv", "matmul", "pow", "neg", "pos", "abs"):
        for method in (f"__{name}__", f"__r{name}__"):
            if hasattr(torch.Tensor, method):
                setattr(Array, method, lift(getattr(torch.Tensor, method)))
    namespace = Namespace(array_api_compat.torch)
    return lambda *tensors: bare(formula(*map(Array, tensors)))

'''


def script(
    *,
    title: str,
    cell: Cell,
    inputs: dict[str, NDArray[Any]],
    wrt: Sequence[str],
    want: Sequence[Want],
    bound: float | None = None,
    layout: str = "C",
    pairs: Sequence[bool] = (),
    system: System | None = None,
) -> str:
    """The text of a script that runs the cell's function on these inputs and compares.

    `bound` is the bound of an `AtMost`, for which the values are also judged; `layout` is how the
    inputs lie in memory; `pairs` says which results are complex, each wanted by its two parts; of a
    `system` (one of a batch) what is left by the result is judged.
    """
    way, torch = cell.way, cell.backend.library == "torch"
    source, function = code_under_test(cell)
    if way.standard and torch:
        source, function = source + _STANDARD, f"on_tensors({function})"
    wants = [(target.value[0], target.envelope[0]) for target in want]
    # numpy has no bfloat16; float32 holds every number of it.
    bring = f".detach().cpu(){'.float()' if cell.dtype == 'bfloat16' else ''}.numpy()"
    main = _MAIN.format(
        inputs=inputs_text(inputs),
        wants=wants_text(wants),
        system="" if system is None else _SYSTEM.format(**_system_texts(system)),
        run=_laid_out(put_lines(cell), cell, inputs, layout) + call_lines(cell, wrt, pairs=pairs),
        changed=_CHANGED.format(fetch=f"array{bring}" if torch else "array"),
        kinds="torch.Tensor" if torch else "(np.ndarray, np.generic)",
        fetch=f"result{bring}" if torch else "np.asarray(result)",
        dtype=cell.dtype,
        parts=part_lines(cell, pairs),
        rest=rest_lines(cell) + ("" if system is None else _LEFT),
        bound="" if bound is None else _BOUND.format(bound=bound),
        function=function,
    )
    return head(title) + source + main


def _system_texts(system: System) -> dict[str, str]:
    """The arrays of the first of a batch of systems."""
    names = ("matrix", "right", "backward", "fixed")
    return {name: array_text(getattr(system, name)[0]) for name in names}


def part_lines(cell: Cell, pairs: Sequence[bool]) -> str:
    """Lines that take complex results apart, if there are any."""
    if not any(pairs):
        return ""
    return (_TORCH_PARTS if cell.backend.library == "torch" else "") + _PARTS


def rest_lines(cell: Cell, wants: str = "wants") -> str:
    """Lines that take parts out of a result that aren't judged; `wants` is what it is held to."""
    lines: list[str] = []
    for k, part in enumerate(cell.way.parts):
        if part is not None:
            lines.append(f"        if want is {wants}[{k}][0]:  # up to {part.words}\n")
            lines.append(f"            result = {part.script}\n")
    return "".join(lines)


def head(title: str) -> str:
    """The first lines of a script."""
    return _HEADER.format(title=title.replace("\\", "\\\\").replace('"""', "'''"))


def code_under_test(cell: Cell) -> tuple[str, str]:
    """Source and the name of the function in it; a stub if the source can't be written down."""
    function = cell.way.function
    name = getattr(function, "__qualname__", type(function).__qualname__)
    why = "it was derived by sympy from the claim"
    if cell.way.kind != "sympy":
        try:
            return pack(function if cell.way.random is None else seeded(function, cell.way.random))
        except ValueError as error:
            why = str(error).splitlines()[0]
    text = f"put {name} here: it could not be copied ({why})"
    return f"def function(*arrays):\n    print({text!r})\n    raise SystemExit(2)\n", "function"


def seeded(function: Function, random: Seeder) -> Function:
    """The function, its declared randomness seeded before every call."""

    def seeded_function(*arrays: Any) -> Any:
        random(0)
        return function(*arrays)

    return seeded_function


def put_lines(cell: Cell) -> str:
    """Lines that make `arrays` of `inputs`."""
    if cell.backend.library != "torch":
        return _NUMPY_PUT
    only = "torch.bfloat16 if v.dtype.kind == 'f' else None"
    cast = f", dtype={only}" if cell.dtype == "bfloat16" else ""
    return _TORCH_PUT.format(device=cell.backend.device, cast=cast)


def call_lines(cell: Cell, wrt: Sequence[str], *, pairs: Sequence[bool] = ()) -> str:
    """Lines that make `got`, a list of results, of `function` and `arrays`.

    `pairs` says which results are complex.
    """
    match cell.way.kind:
        case "reverse":
            return _reverse_lines(cell.way.derived, wrt, _scalar_lines("    ", pairs))
        case "forward" if any(pairs):
            return _COMPLEX_FORWARD.format(wrt=list(wrt), scalar=_scalar_lines(" " * 12, pairs))
        case "forward":
            return _forward_lines(cell.way.derived, wrt)
        case _:
            return _CALL


def _scalar_lines(indent: str, pairs: Sequence[bool]) -> str:
    return (_SCALAR + (_REAL if any(pairs) else "")).format(indent=indent)


def _reverse_lines(derived: Derived, wrt: Sequence[str], scalar: str) -> str:
    match derived:
        case "gradient":
            derive = _GRADIENT.format(again="")
        case "jacobian":
            scalar, derive = "", _ROWS
        case "hessian":
            derive = _GRADIENT.format(again=", create_graph=True") + _OF_THE_GRADIENT + _ROWS
    return _REVERSE.format(wrt=list(wrt), scalar=scalar, derive=derive)


def _forward_lines(derived: Derived, wrt: Sequence[str]) -> str:
    shapes = {
        "gradient": "()",
        "jacobian": "tuple(function(*arrays.values()).shape)",
        "hessian": "tuple(arrays[name].shape)",
    }
    return _FORWARD.format(
        wrt=list(wrt),
        graph=".requires_grad_()" if derived == "hessian" else "",
        scalar="" if derived == "jacobian" else _SCALAR.format(indent=" " * 16),
        gradient=_FORWARD_GRADIENT if derived == "hessian" else "",
        shape=shapes[derived],
    )


def inputs_text(inputs: Mapping[str, NDArray[Any]]) -> str:
    """A dictionary of arrays, each a call of the script's `numbers`."""
    return _lines([f'"{name}": {array_text(values)}' for name, values in inputs.items()], "{}")


def wants_text(wants: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> str:
    """A list of what is wanted and how far from it one may be."""
    return _lines([f"({array_text(value)}, {array_text(off)})" for value, off in wants], "[]")


def _laid_out(run: str, cell: Cell, inputs: Mapping[str, NDArray[Any]], layout: str) -> str:
    """The lines of a call, with the inputs moved to a layout before it."""
    if layout == "C" or layout not in cell.backend.layouts:
        return run
    found = {name: placement(values, layout) for name, values in inputs.items()}
    places = {name: (p.length, p.offset, p.strides) for name, p in found.items()}
    if cell.backend.library == "torch":
        buffer, view = _TORCH_BUFFER, _TORCH_VIEW
    else:
        locked = _READ_ONLY if layout in ("read-only", "expanded") else ""
        buffer, view = _NUMPY_BUFFER, _NUMPY_VIEW + locked + "\n        return view"
    moved = _LAID_OUT.format(buffer=buffer, view=view, places=places)
    (put,) = [line for line in run.splitlines() if line.startswith("    arrays = ")]
    return run.replace(put + "\n", put + "\n" + moved, 1)


def _lines(items: list[str], brackets: str) -> str:
    body = "".join(f"        {item},\n" for item in items)
    return f"{brackets[0]}\n{body}    {brackets[1]}"


def array_text(values: NDArray[Any]) -> str:
    """A call of the script's `numbers` that gives exactly this array."""
    array = np.asarray(values)
    numbers = real_numbers(array)
    text = " ".join(float(x).hex() for x in numbers)
    shape = "".join(f", {size}" for size in np.shape(values))
    if array.dtype.kind != "c":
        return f'numbers("{text}", "{array.dtype.name}"{shape})'
    # Real and imaginary parts by turns.
    parts = f'numbers("{text}", "{numbers.dtype.name}"{shape}, 2)'
    return f'{parts}.view("{array.dtype.name}")[..., 0]'
