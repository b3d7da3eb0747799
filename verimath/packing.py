"""Source text that defines a function again, with everything it needs.

Functions and classes of the user's own files (and verimath's) are copied, installed packages are
imported, plain data and arrays are written out. Closures become the arguments of a factory, so that
names of different scopes can't meet.
"""

import ast
import copy
import dis
import inspect
import linecache
import sys
import sysconfig
import textwrap
from collections.abc import Iterable
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

_HERE = str(Path(__file__).parent)
_INSTALLED = tuple(
    sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")
)
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def pack(function: Any) -> tuple[str, str]:
    """Source text, and the expression that stands for the function behind it.

    Raises ValueError, in a few words, for what can't be written down. The text wants annotations to
    stay unevaluated (`from __future__ import annotations`) and numpy imported as np.
    """
    packer = _Packer()
    try:
        expression = packer.express(function, _name_of(function))
    except (OSError, TypeError, SyntaxError) as error:
        raise ValueError(str(error)) from error
    return "\n".join(packer.lines), expression


def _name_of(value: Any) -> str:
    """What a function is called where it is defined; a wrapper bears the name of what it wraps."""
    name = getattr(value, "__name__", "function")
    if isinstance(value, FunctionType) and not _is_global(value):
        name = value.__code__.co_name
    return name if name.isidentifier() else "function"


def _is_global(function: FunctionType) -> bool:
    """Whether its module knows a function under its own name."""
    inner = getattr(function, "__wrapped__", function)
    scopes = [getattr(f, "__globals__", {}) for f in (function, inner)]
    return any(scope.get(function.__name__) is function for scope in scopes)


class _Packer:
    """Collects definitions; `express` gives an expression for a value once they have run."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._bound: dict[str, Any] = {}
        self._defined: dict[int, str] = {}

    def express(self, value: Any, hint: str) -> str:
        """An expression for a value; a definition that it needs is called `hint`."""
        if id(value) in self._defined:
            return self._defined[id(value)]
        if isinstance(value, tuple | list | set | dict | np.ndarray | np.generic):
            return self._data(value, hint)
        if isinstance(value, FunctionType) and _is_global(value):
            hint = value.__name__
        if value is None or type(value) in (bool, int, complex, str, bytes):
            return repr(value)
        if type(value) is float:
            return repr(value) if np.isfinite(value) else f'float("{value}")'
        if isinstance(value, ModuleType):
            self._define(hint, value)
            short = value.__name__ == hint
            self.lines.append(f"import {hint}" if short else f"import {value.__name__} as {hint}")
        elif isinstance(value, MethodType) and isinstance(value.__self__, type):
            return f"{self.express(value.__self__, value.__self__.__name__)}.{value.__name__}"
        elif isinstance(value, FunctionType) and not _is_installed(value.__code__.co_filename):
            self._function(value, hint)
        elif isinstance(value, FunctionType) and isinstance(_wrapped(value), FunctionType):
            self._decorated(value, _wrapped(value), hint)
        elif isinstance(value, type) and not _is_installed(_file_of(value)):
            self._class(value, hint)
        else:
            self._import(value, hint)
        return hint

    def _data(self, value: Any, hint: str) -> str:
        if isinstance(value, np.ndarray | np.generic):
            array = np.asarray(value)
            if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
                raise ValueError(f"{hint} is an array of {array.dtype}")
            # repr of a float is exact; float32 and smaller are floats too.
            numbers = ", ".join(self.express(x, hint) for x in array.ravel().tolist())
            text = f'np.array([{numbers}], dtype="{array.dtype.name}").reshape({array.shape})'
            return text if isinstance(value, np.ndarray) else f"{text}[()]"
        if isinstance(value, dict):
            pairs = (f"{self.express(k, hint)}: {self.express(v, hint)}" for k, v in value.items())
            return f"{{{', '.join(pairs)}}}"
        items = ", ".join(self.express(item, hint) for item in value)
        if type(value) is tuple:
            return f"({items},)" if items else "()"
        if type(value) not in (list, set) or value == set():
            raise ValueError(f"{hint} is a {type(value).__name__}")
        return f"[{items}]" if isinstance(value, list) else f"{{{items}}}"

    def _define(self, name: str, value: Any) -> None:
        """Reserve a global name for a value."""
        if self._bound.setdefault(name, value) is not value:
            raise ValueError(f"two different things are called {name}")
        self._defined[id(value)] = name

    def _bind(self, names: Iterable[str], scope: dict[str, Any]) -> None:
        """Give the script every global among these names."""
        for name in names:
            # pytest puts names that are none into code with assertions; every class looks up the
            # name of its module, which in the script is the script's.
            if name not in scope or not name.isidentifier() or name == "__name__":
                continue
            value = scope[name]
            if name in self._bound and self._bound[name] is value:
                continue
            expression = self.express(value, name)
            if expression != name:
                if name in self._bound:
                    raise ValueError(f"two different things are called {name}")
                self._bound[name] = value
                self.lines.append(f"{name} = {expression}")

    def _import(self, value: Any, hint: str) -> None:
        self._define(hint, value)
        path = (getattr(value, "__qualname__", None) or getattr(value, "__name__", "")).split(".")
        parts = (getattr(value, "__module__", None) or "").split(".")
        homes = [".".join(parts[: k + 1]) for k in range(len(parts))] + ["numpy", "torch", "math"]
        for home in homes:
            found: Any = sys.modules.get(home)
            for part in path:
                found = getattr(found, part, None)
            if found is value and home != "__main__":
                if len(path) > 1 or path[0] == hint:
                    self.lines.append(f"from {home} import {path[0]}")
                    if path != [hint]:
                        self.lines.append(f"{hint} = {'.'.join(path)}")
                else:
                    self.lines.append(f"from {home} import {path[0]} as {hint}")
                return
        raise ValueError(f"{hint} is a {type(value).__name__}")

    def _function(self, function: FunctionType, name: str) -> None:
        self._define(name, function)
        node, lines = _definition(function.__code__)
        self._bind(_global_names(function.__code__), function.__globals__)
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        held = {free: cell.cell_contents for free, cell in cells}
        bare = copy.copy(node)
        bare.args = self._with_defaults(function, node.args, name)
        if isinstance(bare, ast.FunctionDef):
            bare.decorator_list = []  # they have run: this function is what came of it
        self._write(bare, lines, node.lineno, name, held, function)

    def _with_defaults(self, function: FunctionType, args: ast.arguments, name: str) -> Any:
        """The parameters, with the values that defaults had where they are no plain constants."""
        written = [*args.defaults, *(d for d in args.kw_defaults if d is not None)]
        if all(isinstance(default, ast.Constant) for default in written):
            return args

        def parsed(value: Any) -> ast.expr:
            return ast.parse(self.express(value, f"default_of_{name}"), mode="eval").body

        mended = copy.copy(args)
        mended.defaults = [parsed(value) for value in function.__defaults__ or ()]
        keywords = function.__kwdefaults__ or {}
        mended.kw_defaults = [
            parsed(keywords[a.arg]) if a.arg in keywords else None for a in args.kwonlyargs
        ]
        return mended

    def _decorated(self, function: FunctionType, inner: FunctionType, name: str) -> None:
        """A function behind an installed decorator: copied with its decorators."""
        if inner.__closure__ or inner.__name__ != name:
            raise ValueError(f"{name} is a decorated function that depends on where it is defined")
        self._define(name, function)
        node, lines = _definition(inner.__code__)
        assert not isinstance(node, ast.Lambda)  # a lambda has no decorators
        self._bind(_names_used(node), inner.__globals__)
        self.lines.append(f"{_as_written(node, lines, _first_line(node))}\n\n")

    def _class(self, cls: type, name: str) -> None:
        self._define(name, cls)
        lines, at = inspect.findsource(cls)
        node = _only(
            node
            for node in ast.walk(ast.parse("".join(lines)))
            if isinstance(node, ast.ClassDef) and at + 1 in (node.lineno, _first_line(node))
        )
        self._bind(_names_used(node), vars(sys.modules[cls.__module__]))
        held: dict[str, Any] = {}
        for member in vars(cls).values():
            method = getattr(member, "__func__", member)
            if isinstance(method, FunctionType) and method.__closure__:
                cells = zip(method.__code__.co_freevars, method.__closure__, strict=True)
                held |= {free: cell.cell_contents for free, cell in cells if free != "__class__"}
        self._write(node, lines, _first_line(node), name, held, cls)

    def _write(
        self,
        node: ast.FunctionDef | ast.Lambda | ast.ClassDef,
        lines: list[str],
        first: int,
        name: str,
        held: dict[str, Any],
        value: Any,
    ) -> None:
        """The definition itself, inside a factory if it has a closure or another name."""
        arguments = {
            free: self.express(inner, f"{free}_of_{name}")
            for free, inner in held.items()
            if inner is not value
        }
        own = None if isinstance(node, ast.Lambda) else node.name
        if arguments or own not in (None, name):
            text = ast.unparse(node)
            body = f"return {text}" if own is None else f"{text}\nreturn {own}"
            head = f"def make_{name}({', '.join(arguments)}):"
            self.lines.append(f"{head}\n{textwrap.indent(body, '    ')}\n\n")
            self.lines.append(f"{name} = make_{name}({', '.join(arguments.values())})")
        elif own is None:
            self.lines.append(f"{name} = {ast.unparse(node)}")
        else:
            self.lines.append(f"{_as_written(node, lines, first)}\n\n")


def _definition(code: CodeType) -> tuple[ast.FunctionDef | ast.Lambda, list[str]]:
    """The syntax of a function, found by the place of its code, and the lines of its file."""
    linecache.checkcache(code.co_filename)
    lines, _ = inspect.findsource(code)
    nodes = list(ast.walk(ast.parse("".join(lines))))
    if code.co_name != "<lambda>":
        named = (n for n in nodes if isinstance(n, ast.FunctionDef) and n.name == code.co_name)
        return _only(n for n in named if _first_line(n) == code.co_firstlineno), lines
    places = set(code.co_positions())
    lambdas = (n for n in nodes if isinstance(n, ast.Lambda) and n.lineno == code.co_firstlineno)
    return _only(n for n in lambdas if _span(n.body) in places), lines


def _only(nodes: Iterable[Any]) -> Any:
    found = list(nodes)
    if len(found) != 1:
        raise ValueError("the definition was not found in its file")
    return found[0]


def _first_line(node: _Definition) -> int:
    return min(node.lineno, *(d.lineno for d in node.decorator_list), node.lineno)


def _span(node: ast.expr) -> tuple[int | None, ...]:
    return (node.lineno, node.end_lineno, node.col_offset, node.end_col_offset)


def _as_written(node: ast.stmt | ast.expr, lines: list[str], first: int) -> str:
    """A definition as it stands in its file, or as Python prints it if moving would change it."""
    written = textwrap.dedent("".join(lines[first - 1 : node.end_lineno])).rstrip()
    try:
        same = ast.dump(ast.parse(written).body[0]) == ast.dump(node)
    except SyntaxError:
        same = False
    return written if same else ast.unparse(node)


def _global_names(code: CodeType) -> dict[str, None]:
    """The names that code, and code inside it, looks up among globals."""
    names = {
        instruction.argval: None
        for instruction in dis.get_instructions(code)
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            names |= _global_names(inner)
    return names


def _names_used(node: ast.stmt) -> dict[str, None]:
    """The outside names that a definition uses, its decorators, bases and defaults included."""
    return _global_names(compile(ast.Module([node], []), "<definition>", "exec"))


def _wrapped(function: Any) -> Any:
    return getattr(function, "__wrapped__", None)


def _file_of(cls: type) -> str:
    return getattr(sys.modules.get(cls.__module__), "__file__", None) or ""


def _is_installed(filename: str) -> bool:
    """Whether a file can be imported by a script elsewhere; what has no file comes with Python."""
    if filename.startswith(_HERE):
        return False
    return not filename or filename.startswith(_INSTALLED)
