"""A plain script that shows a failure again, with hex floats and without verimath.

The code under test is copied into the script with the names it uses: functions of the same file as
source, modules as imports, plain numbers as literals. Where that isn't possible (a compiled
function, a closure over live objects) the script says so and asks for the function.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Sequence
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verimath.prepare import Want
from verimath.routes import Cell

_HEADER = '''"""{title}

Exit status 1 and the numbers while the failure is there, 0 once it is gone.
"""

import sys

import numpy as np
'''


def script(
    *,
    title: str,
    cell: Cell,
    inputs: dict[str, NDArray[Any]],
    wrt: Sequence[str],
    want: Sequence[Want],
) -> str:
    """The text of a script that runs the cell's function on these inputs and compares."""
    way, torch = cell.way, cell.backend.library == "torch"
    parts = [_HEADER.format(title=title.replace("\\", "\\\\").replace('"""', "'''"))]
    if torch:
        parts.append("import torch\n")
    source = "" if way.kind == "sympy" else _source(way.function)
    parts.append(f"\n\n{source}\n")
    for name, values in inputs.items():
        parts.append(f"{name} = {_array(values)}\n")
    if torch:
        device = "cuda" if "cuda" in cell.backend.name else "cpu"
        for name in inputs:
            parts.append(f'{name} = torch.from_numpy({name}).to("{device}")\n')
    parts.append(_call(cell, list(inputs), list(wrt)))
    for number, target in enumerate(want):
        parts.append(f"want_{number} = {_array(target.value)}\n")
        parts.append(f"allowed_{number} = {_array(target.envelope[cell.dtype])}\n")
    wants = ", ".join(f"(want_{k}, allowed_{k})" for k in range(len(want)))
    parts.append(_COMPARE.format(wants=wants, dtype=cell.dtype))
    return "".join(parts)


_COMPARE = """
wants = [{wants}]
bad = len(got) != len(wants)
for g, (want, allowed) in zip(got, wants):
    g = np.asarray(g.detach().cpu() if hasattr(g, "detach") else g)
    if g.shape != want.shape or g.dtype != np.dtype("{dtype}"):
        print("got shape", g.shape, g.dtype, "wanted", want.shape, "{dtype}")
        bad = True
    elif not (np.abs(g.astype(np.float64) - want) <= allowed).all():
        print("got    ", g, "wanted ", want, "allowed", allowed, sep="\\n")
        bad = True
sys.exit(1 if bad else 0)
"""

_STANDARD = '''
class Standard:
    """A tensor whose `.size` is a number of elements, as the array API standard has it."""

    def __init__(self, tensor):
        self.tensor = tensor

    size = property(lambda self: self.tensor.numel())
    T = property(lambda self: Standard(self.tensor.T))
    mT = property(lambda self: Standard(self.tensor.mT))

    def __getattr__(self, name):
        return getattr(self.tensor, name)

    def __getitem__(self, key):
        return Standard(self.tensor[key])

    def __array_namespace__(self, api_version=None):
        return NAMESPACE


def unwrap(value):
    if isinstance(value, (list, tuple)):
        return type(value)(map(unwrap, value))
    return value.tensor if isinstance(value, Standard) else value


def lift(function):
    def lifted(*args, **options):
        value = function(*map(unwrap, args), **{k: unwrap(v) for k, v in options.items()})
        return Standard(value) if isinstance(value, torch.Tensor) else value

    return lifted


for name in ("add", "sub", "mul", "truediv", "matmul", "pow", "neg"):
    for method in (f"__{name}__", f"__r{name}__"):
        if hasattr(torch.Tensor, method):
            setattr(Standard, method, lift(getattr(torch.Tensor, method)))


class Namespace:
    __name__ = "standard"

    def __getattr__(self, name):
        import array_api_compat.torch

        value = getattr(array_api_compat.torch, name)
        return lift(value) if callable(value) else value


NAMESPACE = Namespace()
'''


def _call(cell: Cell, names: list[str], wrt: list[str]) -> str:
    way = cell.way
    arguments = ", ".join(names)
    if way.kind == "sympy":
        return "got = []  # sympy's own derivation: see the report for its value\n"
    formula = way.kind == "formula" or way.name in ("torch reverse mode", "torch forward mode")
    prefix, function = "", "function"
    if formula and cell.backend.library == "torch":
        prefix = _STANDARD + (
            "\n\nplain = function\n\n\ndef function(*arrays):\n"
            "    return unwrap(plain(*map(Standard, arrays)))\n\n\n"
        )
    match way.kind:
        case "reverse":
            body = "".join(f"{name}.requires_grad_()\n" for name in wrt)
            body += (
                f"got = torch.autograd.grad({function}({arguments}), "
                f"[{', '.join(wrt)}], materialize_grads=True)\n"
            )
        case "forward":
            body = _FORWARD.format(
                names=", ".join(repr(n) for n in names),
                arguments=arguments,
                wrt=", ".join(repr(n) for n in wrt),
            )
        case _:
            body = f"got = {function}({arguments})\n"
            body += "got = got if isinstance(got, (tuple, list)) else (got,)\n"
    return prefix + body


_FORWARD = """
from torch.autograd import forward_ad

arrays, got = dict(zip([{names}], [{arguments}])), []
for name in [{wrt}]:
    slopes = []
    for index in range(arrays[name].numel()):
        direction = torch.zeros_like(arrays[name])
        direction.view(-1)[index] = 1
        with forward_ad.dual_level():
            dual = forward_ad.make_dual(arrays[name].clone(), direction)
            value = function(*({{**arrays, name: dual}}.values()))
            tangent = forward_ad.unpack_dual(value).tangent
            slopes.append(torch.zeros_like(value) if tangent is None else tangent)
    shape = arrays[name].shape
    got.append(torch.stack(slopes).reshape(shape) if slopes else torch.zeros(shape))
"""


def _array(values: NDArray[Any]) -> str:
    flat = [f'"{float(x).hex()}"' for x in np.asarray(values).ravel()]
    dtype = np.asarray(values).dtype.name
    numbers = f"[float.fromhex(x) for x in [{', '.join(flat)}]]"
    return f'np.array({numbers}, dtype="{dtype}").reshape({np.shape(values)})'


# --- the code under test --------------------------------------------------------------------


def _source(function: Callable[..., Any]) -> str:
    """Source that defines `function`, with everything it needs; a stub if that can't be done."""
    try:
        packed = _Packer()
        name = packed.add(function)
        if name != "function":
            packed.lines.append(f"function = {name}\n")
        return "\n".join(packed.lines)
    except (OSError, TypeError, ValueError, SyntaxError) as error:
        name = getattr(function, "__qualname__", repr(function))
        return (
            f"# The source of {name!r} could not be copied ({error}).\n"
            "def function(*arrays):\n"
            f"    raise SystemExit('put {_plain(name)} here')\n"
        )


def _plain(text: str) -> str:
    return "".join(c if c.isalnum() or c in "._<>" else " " for c in text)


class _Packer:
    """Collects the source of functions and of the names they use."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._done: set[str] = set()

    def add(self, function: Any, alias: str | None = None) -> str:
        """Define `function` in the script and return its name there."""
        if not isinstance(function, FunctionType):
            raise TypeError(f"{type(function).__name__} is no plain Python function")
        text, name = _definition(function, alias)
        if name not in self._done:
            self._done.add(name)
            for free, value in _free_names(function).items():
                self._name(free, value, function.__module__)
            self.lines.append(text)
        return name

    def _name(self, name: str, value: Any, module: str) -> None:
        if name in self._done or (name in ("np", "torch") and isinstance(value, ModuleType)):
            return
        if isinstance(value, ModuleType):
            self._done.add(name)
            self.lines.append(f"import {value.__name__} as {name}")
        elif isinstance(value, bool | int | float | complex | str):
            self._done.add(name)
            self.lines.append(f"{name} = {value!r}")
        elif isinstance(value, list | tuple):
            self._done.add(name)
            self.lines.append(f"{name} = {_literal(value)}")
        elif getattr(value, "__module__", None) == module and isinstance(value, FunctionType):
            self.add(value, name)
        elif isinstance(value, type) and value.__module__ == module:
            self._done.add(name)
            for method in vars(value).values():
                plain = getattr(method, "__func__", method)
                if isinstance(plain, FunctionType):
                    for free, held in _free_names(plain).items():
                        if held is not value:
                            self._name(free, held, module)
            self.lines.append(textwrap.dedent(inspect.getsource(value)))
        elif getattr(value, "__module__", None):
            self._done.add(name)
            self.lines.append(f"from {value.__module__} import {value.__qualname__} as {name}")
        else:
            raise ValueError(f"{name} is a {type(value).__name__}")


def _literal(value: Any) -> str:
    text = repr(value)
    ast.literal_eval(text)  # raises where the value is no plain data
    return text


def _definition(function: FunctionType, alias: str | None) -> tuple[str, str]:
    """The source of a function, and its name; a lambda is found in its line by its code."""
    text = textwrap.dedent(inspect.getsource(function))
    if function.__name__ != "<lambda>":
        return text, function.__name__
    name = alias or "function"
    for piece in _lambdas(text):
        code = compile(ast.Expression(piece), "<lambda>", "eval").co_consts[0]
        if isinstance(code, CodeType) and code.co_code == function.__code__.co_code:
            return f"{name} = {ast.unparse(piece)}\n", name
    raise ValueError("the lambda was not found in its source line")


def _lambdas(text: str) -> list[ast.Lambda]:
    """Every lambda in a fragment of source that need not be whole."""
    for start in range(len(text)):
        if text.startswith("lambda", start):
            for end in range(len(text), start, -1):
                try:
                    tree = ast.parse(text[start:end].strip(), mode="eval")
                except SyntaxError:
                    continue
                found = [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
                return found + _lambdas(text[end:])
    return []


def _free_names(function: FunctionType) -> dict[str, Any]:
    """Globals and closure cells that a function reads, with their values."""
    free = dict(
        zip(
            function.__code__.co_freevars,
            (cell.cell_contents for cell in function.__closure__ or ()),
            strict=True,
        )
    )
    todo = [function.__code__]
    while todo:
        code = todo.pop()
        todo.extend(const for const in code.co_consts if isinstance(const, CodeType))
        for name in code.co_names:
            if name in function.__globals__:
                free.setdefault(name, function.__globals__[name])
    return free
