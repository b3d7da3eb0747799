"""torch's two modes of differentiation, applied to a function with one 0-d result."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.autograd import forward_ad


def reverse(
    function: Callable[..., Any], arrays: Mapping[str, torch.Tensor], wrt: Sequence[str]
) -> tuple[torch.Tensor, ...]:
    """Gradients by `torch.autograd.grad`; zero where the value doesn't depend on an input.

    Raises what torch raises, and TypeError for a result that is no 0-d tensor.
    """
    leaves = {
        name: array.detach().clone().requires_grad_(name in wrt) for name, array in arrays.items()
    }
    value = _scalar(function(*leaves.values()))
    sources = [leaves[name] for name in wrt]
    if not value.requires_grad:
        return tuple(torch.zeros_like(source) for source in sources)
    return torch.autograd.grad(value, sources, materialize_grads=True)


def forward(
    function: Callable[..., Any], arrays: Mapping[str, torch.Tensor], wrt: Sequence[str]
) -> tuple[torch.Tensor, ...]:
    """Gradients by forward mode, one direction per element of each input."""
    return tuple(_one_forward(function, arrays, name) for name in wrt)


def _one_forward(
    function: Callable[..., Any], arrays: Mapping[str, torch.Tensor], name: str
) -> torch.Tensor:
    array = arrays[name]
    slopes: list[torch.Tensor] = []
    for index in range(array.numel()):
        direction = torch.zeros_like(array)
        direction.view(-1)[index] = 1
        with forward_ad.dual_level():
            dual = forward_ad.make_dual(array.detach().clone(), direction)
            arguments = [dual if key == name else other for key, other in arrays.items()]
            value = _scalar(function(*arguments))
            tangent = forward_ad.unpack_dual(value).tangent
            # A result that doesn't depend on the direction carries no tangent.
            slopes.append(torch.zeros_like(value) if tangent is None else tangent)  # pyright: ignore[reportUnnecessaryComparison]
    if not slopes:
        return torch.zeros_like(array)
    return torch.stack(slopes).reshape(array.shape)


def _scalar(value: Any) -> torch.Tensor:
    if not isinstance(value, torch.Tensor) or value.ndim:
        kind = f"shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else repr(value)
        raise TypeError(f"the function returned {kind}; a gradient needs a 0-d tensor")
    return value
