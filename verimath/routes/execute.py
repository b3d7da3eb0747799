"""Running a route on one example: put the arrays there, call, fetch what comes back."""

import sys
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verimath.arithmetic.functions import flushes
from verimath.backends import Backend, Fetched
from verimath.dtypes import own_dtype
from verimath.routes import Cell
from verimath.routes.limit import announce, limited
from verimath.routes.refusals import missing_kernel
from verimath.tangent import Part, without

Inputs = Mapping[str, NDArray[Any]]

SEED = 0  # what declared randomness is seeded with before every call


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a route returned on one example, or why it returned nothing usable."""

    results: tuple[Fetched, ...] = ()
    error: str | None = None
    lacking: str | None = None  # an optional capability that the code doesn't have
    mutated: str | None = None  # the input that changed under the route's hands


@dataclass(frozen=True, slots=True)
class Returned:
    """What the code under test handed back, untouched, or why it handed nothing back."""

    values: tuple[Any, ...] = ()
    error: str | None = None
    lacking: str | None = None


def execute(cell: Cell, inputs: Inputs, wrt: Sequence[str], layout: str = "C") -> Outcome:
    """Run a cell's function on inputs of its dtype; an exception is an outcome, not a crash.

    The inputs lie in memory as `layout` says, or one after the other if the backend can't do that.
    """
    arrays = put(cell, inputs, layout)
    outcome = fetch(cell, call(cell, arrays, wrt))
    if outcome.error is not None or outcome.lacking is not None:
        return outcome
    return replace(outcome, mutated=changed_input(cell, arrays, inputs))


def put(cell: Cell, inputs: Inputs, layout: str = "C") -> dict[str, Any]:
    """Copies of the inputs on the cell's backend, in a layout that it knows."""
    backend = cell.backend
    # A backend of somebody else's may know nothing of layouts.
    options = {"layout": layout} if layout != "C" and layout in backend.layouts else {}
    return {
        name: backend.put(array, own_dtype(array, cell.dtype), **options)
        for name, array in inputs.items()
    }


def call(cell: Cell, arrays: Mapping[str, Any], wrt: Sequence[str]) -> Returned:
    """Call a cell's function on arrays of its backend, after seeding declared randomness.

    Everything it raises is caught, an exit too; only Ctrl-C is not.
    """
    announce(lambda: f"given {', '.join(f'{n} {tuple(x.shape)}' for n, x in arrays.items())}")
    flushing = flushes()
    try:
        with foreign():
            if cell.way.random is not None:
                cell.way.random(SEED)
            returned = _call(cell, arrays, wrt)
            # One value may be returned bare; several come as a tuple or list.
            values = tuple(returned) if isinstance(returned, tuple | list) else (returned,)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever it raises, an exit too, is its verdict
        if isinstance(error, NotImplementedError) and cell.way.kind == "forward":
            return Returned(lacking=f"no forward mode: {error}")
        refusal = missing_kernel(error, cell.dtype)
        if refusal is not None:
            return Returned(lacking=refusal)
        return Returned(error=what_was_raised(error))
    finally:
        _restore_flushing(flushing)
    return Returned(values)


@contextmanager
def foreign() -> Generator[None]:
    """Where code under test runs: held to the time limit, and free to overflow and to warn.

    What it sets for the whole program (gradients off, a default dtype) is set back: the next code
    under test is not to blame for it.
    """
    with _settings_kept(), warnings.catch_warnings(), np.errstate(all="ignore"), limited():
        # An overflow in the code under test is a number to judge, not a crash.
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _settings_kept() -> Generator[None]:
    """Set torch's modes and defaults back to what they were, if torch is there."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    recording, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    device = torch.get_default_device()
    try:
        yield
    finally:
        if torch.is_grad_enabled() != recording:
            torch.set_grad_enabled(recording)
        if torch.get_default_dtype() != dtype:
            torch.set_default_dtype(dtype)
        if torch.get_default_device() != device:
            torch.set_default_device(None if device.type == "cpu" else device)


def what_was_raised(error: BaseException) -> str:
    """An exception in words; one that can't be put into words is named."""
    try:
        return f"{type(error).__name__}: {error}".removesuffix(": ")
    except Exception:  # noqa: BLE001 - its __str__ is code under test
        return type(error).__name__


def fetch(cell: Cell, returned: Returned) -> Outcome:
    """Bring what came back into main memory; what is no array of the backend is an error."""
    if returned.error is not None or returned.lacking is not None:
        return Outcome(error=returned.error, lacking=returned.lacking)
    try:
        with limited():  # an array of the user's own class runs the user's code
            found = tuple(cell.backend.fetch(value) for value in returned.values)
    except TypeError as error:
        return Outcome(error=str(error))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - an array of the user's own class may raise anything
        return Outcome(error=f"what came back can't be read: {what_was_raised(error)}")
    return Outcome(rests(found, cell.way.parts))


def rests(results: Sequence[Fetched], parts: Sequence[Part | None]) -> tuple[Fetched, ...]:
    """Results without the parts that aren't judged."""
    if not any(parts) or len(parts) != len(results):
        return tuple(results)
    return tuple(
        replace(result, array=without(part, result.array))
        for result, part in zip(results, parts, strict=True)
    )


def _call(cell: Cell, arrays: Mapping[str, Any], wrt: Sequence[str]) -> Any:
    way = cell.way
    function = _as_standard(way.function, cell.backend) if way.standard else way.function
    if way.kind not in ("reverse", "forward"):
        return function(*arrays.values())
    from verimath.routes import autograd

    if way.kind == "reverse":
        return autograd.reverse(function, arrays, wrt, way.derived)
    return autograd.forward(function, arrays, wrt, way.derived, together=cell.together)


def _as_standard(function: Callable[..., Any], backend: Backend) -> Callable[..., Any]:
    def call(*arrays: Any) -> Any:
        result = function(*(backend.standard(array) for array in arrays))
        if isinstance(result, tuple | list):
            return tuple(getattr(each, "tensor", each) for each in result)
        return getattr(result, "tensor", result)

    return call


def _restore_flushing(before: bool) -> None:
    """Take back torch.set_flush_denormal: it would change every later route's arithmetic."""
    if flushes() != before:
        import torch

        torch.set_flush_denormal(before)


def changed_input(cell: Cell, arrays: Mapping[str, Any], inputs: Inputs) -> str | None:
    """The name of an input whose numbers, shape or dtype are no longer what was put there."""
    for name, array in inputs.items():
        now = cell.backend.fetch(arrays[name])
        same = (now.array.shape, now.dtype) == (array.shape, own_dtype(array, cell.dtype))
        if not same or not _same_bits(now.array, array):
            return name
    return None


def _same_bits(one: NDArray[Any], other: NDArray[Any]) -> bool:
    if one.dtype == other.dtype and one.dtype.itemsize in (1, 2, 4, 8):
        bits = f"u{one.dtype.itemsize}"
        if one.flags.c_contiguous and other.flags.c_contiguous and one.ndim:
            return bool((one.view(bits) == other.view(bits)).all())
    return one.tobytes() == other.tobytes()
