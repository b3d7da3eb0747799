"""Running a route on one example: put the arrays there, call, fetch what comes back."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verimath.arithmetic.functions import flushes
from verimath.backends import Backend, Fetched
from verimath.dtypes import own_dtype
from verimath.routes import Cell
from verimath.routes.refusals import missing_kernel

Inputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a route returned on one example, or why it returned nothing usable."""

    results: tuple[Fetched, ...] = ()
    error: str | None = None
    lacking: str | None = None  # an optional capability that the code doesn't have
    mutated: str | None = None  # the input that changed under the route's hands


def execute(cell: Cell, inputs: Inputs, wrt: Sequence[str], layout: str = "C") -> Outcome:
    """Run a cell's function on inputs of its dtype; an exception is an outcome, not a crash.

    The inputs lie in memory as `layout` says, or one after the other if the backend can't do that.
    """
    backend = cell.backend
    # A backend of somebody else's may know nothing of layouts.
    options = {"layout": layout} if layout != "C" and layout in backend.layouts else {}
    arrays = {
        name: backend.put(array, own_dtype(array, cell.dtype), **options)
        for name, array in inputs.items()
    }
    flushing = flushes()
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            # An overflow in the code under test is a number to judge, not a crash.
            warnings.simplefilter("ignore")
            returned = _call(cell, arrays, wrt)
        # One value may be returned bare; several come as a tuple or list.
        values = returned if isinstance(returned, tuple | list) else (returned,)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever it raises, an exit too, is its verdict
        if isinstance(error, NotImplementedError) and cell.way.kind == "forward":
            return Outcome(lacking=f"no forward mode: {error}")
        refusal = missing_kernel(error, cell.dtype)
        if refusal is not None:
            return Outcome(lacking=refusal)
        return Outcome(error=f"{type(error).__name__}: {error}".removesuffix(": "))
    finally:
        _restore_flushing(flushing)
    try:
        results = tuple(backend.fetch(value) for value in values)
    except (TypeError, RuntimeError) as error:
        return Outcome(error=str(error))
    return Outcome(results, mutated=_mutated(cell, arrays, inputs))


def _call(cell: Cell, arrays: Mapping[str, Any], wrt: Sequence[str]) -> Any:
    way = cell.way
    function = _as_standard(way.function, cell.backend) if way.standard else way.function
    if way.kind not in ("reverse", "forward"):
        return function(*arrays.values())
    from verimath.routes import autograd

    mode = autograd.reverse if way.kind == "reverse" else autograd.forward
    return mode(function, arrays, wrt)


def _as_standard(function: Callable[..., Any], backend: Backend) -> Callable[..., Any]:
    def call(*arrays: Any) -> Any:
        result = function(*(backend.standard(array) for array in arrays))
        return getattr(result, "tensor", result)

    return call


def _restore_flushing(before: bool) -> None:
    """Take back torch.set_flush_denormal: it would change every later route's arithmetic."""
    if flushes() != before:
        import torch

        torch.set_flush_denormal(before)


def _mutated(cell: Cell, arrays: Mapping[str, Any], inputs: Inputs) -> str | None:
    for name, array in inputs.items():
        now = cell.backend.fetch(arrays[name])
        same = (now.array.shape, now.dtype) == (array.shape, own_dtype(array, cell.dtype))
        if not same or now.array.tobytes() != array.tobytes():
            return name
    return None
