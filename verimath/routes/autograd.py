"""torch's two modes of differentiation, applied to a function with one 0-d result.

Cotangents and directions are never ones: code that ignores, squares or takes the size of what it
is given would not show. Minus a power of two does show it, and scales without rounding; where twice
the gradient overflows, minus one is the last resort.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.autograd import forward_ad

_PROBES = (-2.0, -1.0)


def reverse(
    function: Callable[..., Any], arrays: Mapping[str, torch.Tensor], wrt: Sequence[str]
) -> tuple[torch.Tensor, ...]:
    """Gradients by `torch.autograd.grad`; zero where the value doesn't depend on an input.

    Raises what torch raises, and TypeError for a result that is no 0-d tensor.
    """
    scaled: tuple[torch.Tensor, ...] = ()
    for probe in _PROBES:
        # Detached, not copied: layouts stay, and code that writes into its inputs shows.
        leaves = {name: x.detach().requires_grad_(name in wrt) for name, x in arrays.items()}
        value = scalar(function(*leaves.values()))
        sources = [leaves[name] for name in wrt]
        if not value.requires_grad:
            return tuple(torch.zeros_like(source) for source in sources)
        seed = torch.full_like(value, probe)
        found = torch.autograd.grad(value, sources, seed, materialize_grads=True)
        scaled = tuple(gradient / probe for gradient in found)
        if all(bool(torch.isfinite(gradient).all()) for gradient in scaled):
            break
    return scaled


def forward(
    function: Callable[..., Any], arrays: Mapping[str, torch.Tensor], wrt: Sequence[str]
) -> tuple[torch.Tensor, ...]:
    """Gradients by forward mode, one direction per element of each input."""
    return tuple(_one_forward(function, arrays, name) for name in wrt)


def _one_forward(
    function: Callable[..., Any], arrays: Mapping[str, torch.Tensor], name: str
) -> torch.Tensor:
    array = arrays[name]
    slopes = [_slope(function, arrays, name, index) for index in range(array.numel())]
    if not slopes:
        return torch.zeros_like(array)
    return torch.stack(slopes).reshape(array.shape)


def _writable(array: torch.Tensor) -> torch.Tensor:
    """The array by itself; torch makes no dual of one whose elements share memory."""
    repeats = any(n > 1 and not step for n, step in zip(array.shape, array.stride(), strict=True))
    return array.detach().clone() if repeats else array.detach()


def _slope(
    function: Callable[..., Any], arrays: Mapping[str, torch.Tensor], name: str, index: int
) -> torch.Tensor:
    """The derivative in one element of one input."""
    array = arrays[name]
    slope = torch.zeros((), dtype=array.dtype, device=array.device)
    for probe in _PROBES:
        direction = torch.zeros(array.shape, dtype=array.dtype, device=array.device)
        direction.view(-1)[index] = probe
        with forward_ad.dual_level():
            dual = forward_ad.make_dual(_writable(array), direction)
            arguments = [dual if key == name else other for key, other in arrays.items()]
            value = scalar(function(*arguments))
            tangent = forward_ad.unpack_dual(value).tangent
            if tangent is None:  # pyright: ignore[reportUnnecessaryComparison]
                return torch.zeros_like(value)  # the result doesn't depend on the direction
            slope = tangent / probe
        if bool(torch.isfinite(slope)):
            break
    return slope


def scalar(value: Any) -> torch.Tensor:
    """The value itself if it is a 0-d tensor.

    Raises TypeError, with what it is, for anything else.
    """
    if not isinstance(value, torch.Tensor) or value.ndim:
        kind = f"shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else repr(value)
        raise TypeError(f"the function returned {kind}; a gradient needs a 0-d tensor")
    return value
