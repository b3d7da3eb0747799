"""torch's two modes of differentiation, applied to a function of tensors.

A gradient is of a function with one 0-d result, a Jacobian of any shape; a Hessian is the Jacobian
of a gradient, by reverse mode over reverse mode or by forward mode over it.

Cotangents and directions are never ones: code that ignores, squares or takes the size of what it
is given would not show. Minus a power of two does show it, and scales without rounding; where twice
the derivative overflows, minus one is the last resort.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.autograd import forward_ad

from verimath.routes import Derived

_PROBES = (-2.0, -1.0)
_FEW = 8

Tensors = tuple[torch.Tensor, ...]


def reverse(
    function: Callable[..., Any],
    arrays: Mapping[str, torch.Tensor],
    wrt: Sequence[str],
    derived: Derived = "gradient",
) -> Tensors:
    """Derivatives by `torch.autograd.grad`; zero where the value doesn't depend on an input.

    Raises what torch raises, and TypeError for a result that is no tensor, or not 0-d where a
    gradient is part of it.
    """
    found: Tensors = ()
    for probe in _PROBES:
        # Detached, not copied: layouts stay, and code that writes into its inputs shows.
        leaves = {name: x.detach().requires_grad_(name in wrt) for name, x in arrays.items()}
        sources = [leaves[name] for name in wrt]
        if derived == "jacobian":
            found = _rows(tensor(function(*leaves.values())), sources, probe)
        else:
            value = scalar(function(*leaves.values()))
            found = _gradients(value, sources, probe, again=derived == "hessian")
            found = _rows(found[0], sources, probe) if derived == "hessian" else found
        if all(bool(torch.isfinite(each).all()) for each in found):
            break
    return found


def _gradients(
    value: torch.Tensor, sources: Sequence[torch.Tensor], probe: float, *, again: bool = False
) -> Tensors:
    """The gradients of a number; `again` keeps their graph, to differentiate them again."""
    if not value.requires_grad:
        return tuple(torch.zeros_like(source) for source in sources)
    seed = torch.full_like(value, probe)
    found = torch.autograd.grad(value, sources, seed, create_graph=again, materialize_grads=True)
    return tuple(gradient / probe for gradient in found)


def _rows(value: torch.Tensor, sources: Sequence[torch.Tensor], probe: float) -> Tensors:
    """The Jacobian, one element of the value after the other."""
    rows: list[Tensors] = []
    for index in range(value.numel() if value.requires_grad else 0):
        seed = _unit(value, index, probe)
        found = torch.autograd.grad(value, sources, seed, retain_graph=True, materialize_grads=True)
        rows.append(tuple(gradient / probe for gradient in found))
    if not rows:
        return tuple(value.new_zeros(value.shape + source.shape) for source in sources)
    return tuple(
        torch.stack(column).reshape(value.shape + source.shape)
        for column, source in zip(zip(*rows, strict=True), sources, strict=True)
    )


def _unit(like: torch.Tensor, index: int, number: complex) -> torch.Tensor:
    """Zeros of the same shape with one number in them."""
    found = torch.zeros(like.shape, dtype=like.dtype, device=like.device)
    found.view(-1)[index] = torch.tensor(number, dtype=like.dtype)
    return found


def forward(
    function: Callable[..., Any],
    arrays: Mapping[str, torch.Tensor],
    wrt: Sequence[str],
    derived: Derived = "gradient",
    *,
    together: bool = True,
) -> Tensors:
    """Derivatives by forward mode, one direction per element of each input.

    `together` takes the directions of inputs of more than a few elements at once, as
    torch.func.jacfwd does, some thirty times as fast; code that can't be done so is done one by
    one. Raises as `reverse` does.
    """
    return tuple(_one_forward(function, arrays, name, derived, together) for name in wrt)


def _one_forward(
    function: Callable[..., Any],
    arrays: Mapping[str, torch.Tensor],
    name: str,
    derived: Derived,
    together: bool,
) -> torch.Tensor:
    array = arrays[name]
    parts = (1, 1j) if array.is_complex() else (1,)
    if together and array.numel() > _FEW:
        found = [_slopes(function, arrays, name, derived, along) for along in parts]
        columns = [each for each in found if each is not None]
        if len(columns) == len(parts):
            whole = _whole(columns).movedim(0, -1)
            return whole.reshape(whole.shape[:-1] + array.shape)
    slopes = [
        _whole([_slope(function, arrays, name, index, derived, along) for along in parts])
        for index in range(array.numel())
    ]
    if slopes:
        return torch.stack(slopes, dim=-1).reshape(slopes[0].shape + array.shape)
    shape = tensor(function(*arrays.values())).shape if derived == "jacobian" else ()
    return array.new_zeros((*(array.shape if derived == "hessian" else shape), *array.shape))


def _whole(slopes: Sequence[torch.Tensor]) -> torch.Tensor:
    """The slope along an element: along its imaginary part, too, as dL/d re + i dL/d im."""
    return slopes[0] if len(slopes) == 1 else torch.complex(*slopes)


def _writable(array: torch.Tensor) -> torch.Tensor:
    """The array by itself; torch makes no dual of one whose elements share memory."""
    repeats = any(n > 1 and not step for n, step in zip(array.shape, array.stride(), strict=True))
    return array.detach().clone() if repeats else array.detach()


def _slope(
    function: Callable[..., Any],
    arrays: Mapping[str, torch.Tensor],
    name: str,
    index: int,
    derived: Derived,
    along: complex = 1,
) -> torch.Tensor:
    """The derivative in one element of one input: of the value, or of its gradient."""
    array = arrays[name]
    slope = torch.zeros((), dtype=array.dtype, device=array.device)
    for probe in _PROBES:
        direction = _unit(array, index, probe * along)
        with forward_ad.dual_level():
            source = _writable(array).requires_grad_(derived == "hessian")
            dual = forward_ad.make_dual(source, direction)
            arguments = [dual if key == name else other for key, other in arrays.items()]
            value = (tensor if derived == "jacobian" else scalar)(function(*arguments))
            if derived == "hessian":
                (value,) = _gradients(value, [dual], probe, again=True)
            tangent = forward_ad.unpack_dual(value).tangent
            if tangent is None:  # pyright: ignore[reportUnnecessaryComparison]
                # The result doesn't depend on the direction.
                return torch.zeros_like(value).detach()
            slope = (tangent / probe).detach()
        if bool(torch.isfinite(slope).all()):
            break
    return slope


def _slopes(
    function: Callable[..., Any],
    arrays: Mapping[str, torch.Tensor],
    name: str,
    derived: Derived,
    along: complex,
) -> torch.Tensor | None:
    """`_slope` for every element of one input at once, or None for code that vmap can't do."""
    array = _writable(arrays[name])
    units = torch.eye(array.numel(), dtype=array.dtype, device=array.device)

    def value(x: torch.Tensor) -> torch.Tensor:
        found = function(*(x if key == name else other for key, other in arrays.items()))
        return (tensor if derived == "jacobian" else scalar)(found)

    def slope(direction: torch.Tensor, probe: float) -> torch.Tensor:
        def gradient(x: torch.Tensor) -> torch.Tensor:
            found, pull, *_ = torch.func.vjp(value, x)
            return pull(torch.full_like(found, probe))[0] / probe

        differentiated = gradient if derived == "hessian" else value
        return torch.func.jvp(differentiated, (array,), (direction,))[1] / probe

    found: list[torch.Tensor] = []
    for probe in _PROBES:
        directions = (units * (probe * along)).reshape(-1, *array.shape)
        try:
            # Where vmap warns, it goes one by one itself.
            with warnings.catch_warnings():
                warnings.simplefilter("error", UserWarning)
                found.append(torch.vmap(slope, (0, None))(directions, probe).detach())
        except Exception:  # noqa: BLE001  what is wrong with the code shows one by one
            return None
        if bool(torch.isfinite(found[-1]).all()):
            break
    first, last = found[0], found[-1]
    finite = torch.isfinite(first).reshape(len(first), -1).all(1)
    return torch.where(finite.reshape(-1, *[1] * (first.ndim - 1)), first, last)


def tensor(value: Any) -> torch.Tensor:
    """The value itself if it is a tensor.

    Raises TypeError, with what it is, for anything else.
    """
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"the function returned {value!r}; a derivative needs a tensor")
    return value


def scalar(value: Any) -> torch.Tensor:
    """The value itself if it is a 0-d tensor.

    Raises TypeError, with what it is, for anything else.
    """
    if not isinstance(value, torch.Tensor) or value.ndim:
        kind = f"shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else repr(value)
        raise TypeError(f"the function returned {kind}; a gradient needs a 0-d tensor")
    if value.is_complex():
        raise TypeError("the function returned a complex number; a gradient is of a real one")
    return value
