"""Places where floating arrays live: a name, a library, and how arrays get there and back.

Law, tested for every backend: fetch(put(x)).array equals x bit for bit, with its dtype, on the
backend's own device. A backend that isn't ready says why; asked for by name, that is an error.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Literal, Protocol

from numpy.typing import NDArray

from verimath.arithmetic.formats import FORMATS, FloatFormat
from verimath.errors import UnavailableError, UsageError


@dataclass(frozen=True, slots=True)
class Fetched:
    """An array that came back: numbers, the dtype it had, whether it was where it should be.

    bfloat16, which numpy lacks, comes back as float32 numbers.
    """

    array: NDArray[Any]
    dtype: str
    on_device: bool


class Put(Protocol):
    """Copies a numpy array to a backend, in a dtype that holds its numbers (None: its own).

    `layout` is one of `verimath.layouts.LAYOUTS`; it is given only if the backend has it.
    """

    def __call__(  # noqa: D102
        self, array: NDArray[Any], dtype: str | None = None, layout: str = "C"
    ) -> Any: ...


@dataclass(frozen=True, slots=True)
class Backend:
    """One place. `put` copies a numpy array there; `standard` is how formulas see such an array.

    `fetch` brings a result back and raises TypeError for what is no array of the library. `format`
    says, for one of its `dtypes`, how it computes: accumulators, reduced-precision settings as they
    are now, functions. `settings` says the same in words.
    """

    name: str
    library: Literal["numpy", "torch"]
    why_unavailable: Callable[[], str]
    put: Put
    fetch: Callable[[Any], Fetched]
    standard: Callable[[Any], Any]
    device: str = "cpu"
    dtypes: tuple[str, ...] = ("float64", "float32")
    layouts: tuple[str, ...] = ("C",)
    format: Callable[[str], FloatFormat] = FORMATS.__getitem__
    settings: Callable[[], Mapping[str, str]] = dict


_BUILT_IN = {
    "numpy": ("verimath.backends.numpy", "NUMPY"),
    "torch-cpu": ("verimath.backends.torch", "TORCH_CPU"),
    "torch-cuda": ("verimath.backends.torch", "TORCH_CUDA"),
}


def backend_names() -> tuple[str, ...]:
    """Built-in backends, then installed ones (entry-point group `verimath.backends`)."""
    installed = [point.name for point in entry_points(group="verimath.backends")]
    return (*_BUILT_IN, *(name for name in installed if name not in _BUILT_IN))


def get_backend(name: str) -> Backend:
    """The backend of this name.

    Raises UsageError for a name that nobody knows.
    """
    if name in _BUILT_IN:
        module, attribute = _BUILT_IN[name]
        return getattr(importlib.import_module(module), attribute)
    for point in entry_points(group="verimath.backends", name=name):
        return point.load()
    raise UsageError(f"no backend is called {name!r}; known: {', '.join(backend_names())}")


def select_backends(names: Sequence[str] | None) -> tuple[Backend, ...]:
    """The backends to run on: all of them for None or "all", else those named.

    Raises UnavailableError if one that was asked for by name is not ready.
    """
    if not names or "all" in names:
        return tuple(get_backend(name) for name in backend_names())
    chosen = tuple(get_backend(name) for name in dict.fromkeys(names))
    for backend in chosen:
        reason = backend.why_unavailable()
        if reason:
            raise UnavailableError(
                f"backend {backend.name} was asked for by name, but {reason}; "
                "leave it out (or say all) to have it listed as skipped"
            )
    return chosen


def describe(value: Any) -> str:
    """What something that should have been an array is, for error messages."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' or name == 'ndarray' else 'a'} {name}"
