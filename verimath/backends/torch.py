"""torch tensors on one device; CPU and CUDA are two instances of the same code.

Formulas are written against the array API standard, where `x.size` is a number of elements; a
tensor's is a method. `StandardTensor` therefore wraps a tensor for formulas (candidates and numeric
routes get the tensor itself).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from array_api_compat import torch as compat
from numpy.typing import NDArray

from verimath.backends import Backend, Fetched, describe
from verimath.backends.torch_settings import format_on, settings
from verimath.dtypes import DTYPES
from verimath.layouts import LAYOUTS, Placement, filler, placement


class StandardTensor:
    """A tensor with the attributes and operators of the array API standard."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor

    def __array_namespace__(self, *, api_version: str | None = None) -> "_Namespace":
        return _NAMESPACE

    @property
    def size(self) -> int:
        return math.prod(self.tensor.shape)

    @property
    def mT(self) -> "StandardTensor":
        return StandardTensor(self.tensor.mT)

    @property
    def T(self) -> "StandardTensor":
        return StandardTensor(self.tensor.T)

    def __getattr__(self, name: str) -> Any:
        if name in ("shape", "ndim", "dtype", "device"):
            return getattr(self.tensor, name)
        raise AttributeError(f"arrays of the standard have no attribute {name!r}")

    def __bool__(self) -> bool:
        return bool(self.tensor)

    def __float__(self) -> float:
        return float(self.tensor)

    def __getitem__(self, key: Any) -> "StandardTensor":
        return StandardTensor(self.tensor[_unwrap(key)])


def _operator(name: str) -> Callable[..., Any]:
    def operate(self: StandardTensor, *others: Any) -> Any:
        return _wrap(getattr(self.tensor, name)(*map(_unwrap, others)))

    return operate


for _name in ("add", "sub", "mul", "truediv", "matmul", "pow"):
    setattr(StandardTensor, f"__{_name}__", _operator(f"__{_name}__"))
    setattr(StandardTensor, f"__r{_name}__", _operator(f"__r{_name}__"))
for _name in ("lt", "le", "gt", "ge", "eq", "ne", "and", "or"):
    setattr(StandardTensor, f"__{_name}__", _operator(f"__{_name}__"))
for _name in ("neg", "pos", "abs", "invert"):
    setattr(StandardTensor, f"__{_name}__", _operator(f"__{_name}__"))


class _Namespace:
    """array-api-compat's torch namespace, for wrapped tensors."""

    __name__ = "verimath.torch"  # array_namespace compares namespaces by name

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    def composite(self, composite: Any, arrays: Sequence[Any], options: Mapping[str, Any]) -> Any:
        """A named function by torch's own, if it has one (see `verimath.composites`)."""
        if composite.torch is None:
            return composite.orders[0](*arrays, **options)
        function: Any = torch
        for part in composite.torch.split("."):
            function = getattr(function, part)
        renamed = {_TORCH_OPTIONS.get(name, name): value for name, value in options.items()}
        return _wrap(function(*map(_unwrap, arrays), **renamed))

    def __getattr__(self, name: str) -> Any:
        if name == "linalg":
            return _Namespace(self._wrapped.linalg)
        value = getattr(self._wrapped, name)
        if not callable(value) or isinstance(value, torch.dtype):
            return value

        def call(*arguments: Any, **options: Any) -> Any:
            plain = [_unwrap(argument) for argument in arguments]
            return _wrap(value(*plain, **{key: _unwrap(v) for key, v in options.items()}))

        return call


def _unwrap(value: Any) -> Any:
    if isinstance(value, StandardTensor):
        return value.tensor
    if isinstance(value, list | tuple):
        return type(value)(_unwrap(item) for item in value)
    return value


def _wrap(value: Any) -> Any:
    return StandardTensor(value) if isinstance(value, torch.Tensor) else value


_TORCH_OPTIONS = {"axis": "dim", "keepdims": "keepdim"}
_NAMESPACE = _Namespace(compat)


def _arranged(tensor: torch.Tensor, place: Placement) -> torch.Tensor:
    """A copy of a tensor at a place in a larger buffer."""
    gap = filler(np.dtype("float32" if tensor.is_floating_point() else str(tensor.dtype)[6:]))
    buffer = torch.full((place.length,), gap, dtype=tensor.dtype, device=tensor.device)
    once = tuple(1 if s == 0 else n for n, s in zip(tensor.shape, place.strides, strict=True))
    leading = tensor[tuple(slice(n) for n in once)]
    buffer.as_strided(once, place.strides, place.offset).copy_(leading)
    return buffer.as_strided(tuple(tensor.shape), place.strides, place.offset)


def torch_backend(name: str, device: str) -> Backend:
    """A backend of this name on a torch device such as "cpu" or "cuda"."""

    def put(array: NDArray[Any], dtype: str | None = None, layout: str = "C") -> torch.Tensor:
        there = torch.from_numpy(array.copy())
        there = there.to(device, there.dtype if dtype is None else getattr(torch, dtype))
        return there if layout == "C" else _arranged(there, placement(array, layout))

    def fetch(value: Any) -> Fetched:
        if isinstance(value, StandardTensor):
            value = value.tensor
        if not isinstance(value, torch.Tensor):
            raise TypeError(f"{describe(value)} came back; wanted a torch tensor")
        if value.layout != torch.strided:
            kind = str(value.layout).removeprefix("torch.")
            raise TypeError(f"a tensor with layout {kind} came back; wanted a dense one")
        value = value.as_subclass(torch.Tensor)  # a subclass may answer with anything
        dtype = str(value.dtype).removeprefix("torch.")
        if value.device.type == "meta":  # it has a shape and a dtype, and no numbers
            return Fetched(np.zeros(tuple(value.shape)), dtype, False)
        on_device = value.device.type == torch.device(device).type
        plain = value.detach().to("cpu").resolve_conj().resolve_neg()
        # numpy has no bfloat16; float32 holds every number of it.
        array = (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()
        return Fetched(np.asarray(array), dtype, on_device)

    kind = torch.device(device).type

    return Backend(
        name=name,
        library="torch",
        why_unavailable=lambda: _why_unavailable(device),
        put=put,
        fetch=fetch,
        standard=StandardTensor,
        device=device,
        dtypes=DTYPES,
        # Tensors know neither negative strides nor memory that may not be written to.
        layouts=tuple(name for name in LAYOUTS if name not in ("reversed", "read-only")),
        format=lambda dtype: format_on(kind, dtype),
        settings=lambda: settings(kind),
    )


def _why_unavailable(device: str) -> str:
    kind = torch.device(device).type
    if kind == "cuda" and not torch.cuda.is_available():
        return "torch finds no CUDA device"
    return ""


TORCH_CPU = torch_backend("torch-cpu", "cpu")
TORCH_CUDA = torch_backend("torch-cuda", "cuda")
