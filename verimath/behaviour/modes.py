"""What torch asks of differentiable code beyond a right gradient.

A custom `autograd.Function` inside the code under test must leave the cotangent that it is given
alone, read it in any layout, keep what it saves apart between calls, give the same gradient
whichever inputs need one, and either be differentiable a second time, in its inputs and its
cotangent, or say that it isn't. Its `jvp` has to be linear, not just right along single elements.
A value is the same where gradients are recorded and where they aren't. Under `vmap` it gives the
same numbers, or says that it can't.

Cotangents are exchanged at the nodes of custom functions alone: torch's own nodes are not the code
under test.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.autograd import forward_ad
from torch.autograd.function import BackwardCFunction

from verimath.behaviour.curvature import curvature, slope
from verimath.behaviour.lab import Bench, Fault, Lab, Probe, beyond
from verimath.behaviour.layouts import TORCH, Arrange, torch_expanded
from verimath.behaviour.repeats import Pair
from verimath.examples import Example
from verimath.reference.prepared import Prepared


def nodes_behind(value: Any) -> list[Any]:
    """Every node of the graph behind a value."""
    found: dict[Any, None] = {}
    todo = [value.grad_fn]
    while todo:
        node = todo.pop()
        if node is not None and node not in found:
            found[node] = None
            todo += [below for below, _ in node.next_functions]
    return list(found)


def custom_nodes(value: Any) -> list[Any]:
    """The nodes of custom functions in the graph behind a value."""
    return [node for node in nodes_behind(value) if isinstance(node, BackwardCFunction)]


def value_of(lab: Lab, k: int = 0, wrt: Sequence[str] | None = None) -> tuple[Any, list[Any]]:
    """The value at a point with its graph, and the leaves to differentiate in."""
    names = lab.wrt if wrt is None else wrt
    arrays = lab.put(k)
    leaves = {name: x.detach().requires_grad_(name in names) for name, x in arrays.items()}
    value = lab.run(lab.function, *leaves.values())
    return value, [leaves[name] for name in names]


def cotangent_of(value: Any) -> Any:
    """Minus two, which code that ignores it would not stand, to be differentiated in."""
    return torch.full_like(value, -2.0, requires_grad=True)


def gradients_of(
    lab: Lab, value: Any, leaves: list[Any], seed: Any = None, **options: Any
) -> list[Any]:
    """Gradients by a cotangent of minus two, or by one that was made before."""
    if not value.requires_grad:
        return [torch.zeros_like(leaf) for leaf in leaves]
    seed = torch.full_like(value, -2.0) if seed is None else seed
    found = lab.run(torch.autograd.grad, value, leaves, seed, materialize_grads=True, **options)
    return [gradient / -2.0 for gradient in found]


def cotangent_kept(lab: Lab) -> str:
    """Cotangents of custom functions before and after their backward."""
    value, leaves = value_of(lab)
    handed: list[Any] = []

    def watch(cotangents: Any) -> Any:
        copies = tuple(None if c is None else c.clone() for c in cotangents)
        handed.extend((c, c.clone()) for c in copies if c is not None)
        return copies

    for node in custom_nodes(value):
        node.register_prehook(watch)
    gradients_of(lab, value, leaves)
    for given, kept in handed:
        if not torch.allclose(given, kept, rtol=0, atol=0, equal_nan=True):
            return f"it was {kept.tolist()} and is {given.tolist()} afterwards"
    return ""


def cotangent_arranged(arrange: Arrange) -> Probe:
    """The same cotangents, otherwise arranged in memory."""

    def in_that_layout(lab: Lab) -> str:
        def exchange(cotangents: Any) -> Any:
            return tuple(None if c is None else arrange(c.contiguous()) for c in cotangents)

        value, leaves = value_of(lab)
        if lab.compare(gradients_of(lab, value, leaves)):
            return ""
        value, leaves = value_of(lab)
        for node in custom_nodes(value):
            node.register_prehook(exchange)
        return lab.compare(gradients_of(lab, value, leaves))

    return in_that_layout


def torch_contiguous(a: Any) -> Any:
    """A copy in the usual order."""
    return a.clone(memory_format=torch.contiguous_format)


def expanded_if_constant(a: Any) -> Any:
    """One element, repeated with a stride of zero, if all are the same."""
    return torch_expanded(a) if a.ndim and a.numel() and bool((a == a[:1]).all()) else a


def interleaved(lab: Lab) -> str:
    """A backward that runs after another forward."""
    value, leaves = value_of(lab)
    if lab.compare(gradients_of(lab, value, leaves)):
        return ""
    value, leaves = value_of(lab)
    value_of(lab, 1)
    return lab.compare(gradients_of(lab, value, leaves))


def backward_again(lab: Lab) -> str:
    """Two backwards through one graph, which was kept."""
    value, leaves = value_of(lab)
    if lab.compare(gradients_of(lab, value, leaves, retain_graph=True)):
        return ""
    return lab.compare(gradients_of(lab, value, leaves))


def one_at_a_time(lab: Lab) -> str:
    """The gradient in each input, while the others need none."""
    value, leaves = value_of(lab)
    if lab.compare(gradients_of(lab, value, leaves)):
        return ""
    found: list[Any] = []
    for name in lab.wrt:
        value, leaves = value_of(lab, wrt=[name])
        found += gradients_of(lab, value, leaves)
    return lab.compare(found)


def all_at_once(lab: Lab) -> str:
    """The gradients while every input needs one; code may refuse to differentiate in the others."""
    try:
        floats = [name for name, x in lab.put().items() if x.is_floating_point() or x.is_complex()]
        value, leaves = value_of(lab, wrt=floats)
        asked = [leaf for name, leaf in zip(floats, leaves, strict=True) if name in lab.wrt]
        found = gradients_of(lab, value, asked)
    except Exception as error:
        raise NotImplementedError(f"no gradient in every input: {error}") from error
    return lab.compare(found)


def along_vectors(lab: Lab, value: Any, leaves: list[Any], seed: Any) -> Any:
    """The gradient times given vectors, with its graph."""
    gradients = gradients_of(lab, value, leaves, seed, create_graph=True)
    vectors = [
        torch.as_tensor(v, dtype=g.dtype, device=g.device)
        for v, g in zip(lab.vectors, gradients, strict=True)
    ]
    total = torch.stack([(g * v).sum() for g, v in zip(gradients, vectors, strict=True)]).sum()
    # A node that only raises has no way to the leaves: it would not be met, and zero be left.
    if any(node.name() == "torch::autograd::Error" for node in nodes_behind(total)):
        raise RuntimeError("a backward is marked as differentiable once")
    return total


def second_derivative(lab: Lab) -> str:
    """The derivative of the gradient along given vectors."""
    try:
        value, leaves = value_of(lab)
        # Who is only differentiable once says so only if the cotangent could be differentiated in.
        total = along_vectors(lab, value, leaves, cotangent_of(value))
        found = [torch.zeros_like(leaf) for leaf in leaves]
        if total.requires_grad:
            found = lab.run(torch.autograd.grad, total, leaves, materialize_grads=True)
    except Exception as error:
        raise NotImplementedError(f"no second derivative: {error}") from error
    wrong = beyond([h.numpy(force=True) for h in found], lab.wants)  # zeros may be symbolic
    if wrong and not total.requires_grad:
        return f"the gradient is cut off from its input, so that what follows from it is {wrong}"
    return wrong


def in_the_cotangent(lab: Lab) -> str:
    """The derivative of the gradient in its cotangent: what a function of the value needs."""
    try:
        value, leaves = value_of(lab)
        seed = cotangent_of(value)
        total = along_vectors(lab, value, leaves, seed)
        found = torch.zeros_like(seed)
        if total.requires_grad:
            (found,) = lab.run(torch.autograd.grad, total, [seed], materialize_grads=True)
    except Exception as error:
        raise NotImplementedError(f"no second derivative: {error}") from error
    return beyond([found.numpy(force=True) * -2.0], lab.wants)


def mixed_direction(lab: Lab) -> str:
    """The derivative along a direction that changes every element of every input at once."""
    with forward_ad.dual_level():
        arrays = lab.put()
        for name, vector in zip(lab.wrt, lab.vectors, strict=True):
            x = arrays[name].detach()
            direction = torch.as_tensor(vector, dtype=x.dtype, device=x.device)
            arrays[name] = forward_ad.make_dual(x, direction)
        value = lab.run(lab.function, *arrays.values())
        tangent = forward_ad.unpack_dual(value).tangent
        found = torch.zeros_like(value) if tangent is None else tangent
        return beyond([found.numpy(force=True)], lab.wants)


def without_gradients(lab: Lab) -> str:
    """The value of inputs that need a gradient where none is recorded."""
    leaves = [x.requires_grad_() if x.is_floating_point() else x for x in lab.put().values()]
    try:
        with torch.no_grad():
            found = lab.run(lab.function, *leaves)
    except Exception as error:
        raise NotImplementedError(f"no value without gradients: {error}") from error
    return lab.compare([found])


def with_gradients(lab: Lab) -> str:
    """The value of inputs that need a gradient."""
    leaves = [x.requires_grad_() if x.is_floating_point() else x for x in lab.put().values()]
    try:
        found = lab.run(lab.function, *leaves)
    except Exception as error:
        raise NotImplementedError(f"no gradient in every input: {error}") from error
    return lab.compare([found])


def mapped(lab: Lab) -> str:
    """All points at once, stacked."""
    points = [lab.put(k) for k in range(lab.points)]
    stacks = [torch.stack([point[name] for point in points]) for name in points[0]]
    try:
        found = lab.run(torch.func.vmap(lab.function), *stacks)
    except Exception as error:
        raise NotImplementedError(f"no vmap: {error}") from error
    if found.shape[:1] != (lab.points,):
        return f"shape {tuple(found.shape)} came back for a batch of {lab.points}"
    wrong = (lab.compare([found[k]], k) for k in range(lab.points))
    return next(filter(None, wrong), "")


def modes(
    bench: Bench, prepared: Prepared, example: Example, pairs: Sequence[Pair]
) -> Iterator[Fault | None]:
    """What a way through torch shows at one example, beside its value."""
    match bench.cell.way.kind:
        case "reverse":
            yield from _reverse(bench, prepared, example, pairs)
        case "forward" if bench.cell.dtype == "float64" and not prepared.is_complex:
            situation = "along a direction that changes several elements, the derivative is"
            extra = slope(prepared, bench.inputs_of(example), example.sizes)
            yield bench.look("forward_mode", situation, mixed_direction, example, extra=extra)
        case "value":
            for situation, probe in (
                ("right as it is, but for inputs that need a gradient", with_gradients),
                ("right as it is, but under torch.no_grad()", without_gradients),
            ):
                yield bench.look("value", situation, probe, example)
            for pair in pairs:
                situation = "under torch.func.vmap"
                yield bench.look("value", situation, mapped, *pair)
        case _:
            pass


def _reverse(
    bench: Bench, prepared: Prepared, example: Example, pairs: Sequence[Pair]
) -> Iterator[Fault | None]:
    situation = "a backward writes into the cotangent that it is given"
    yield bench.look("mutates_cotangent", situation, cotangent_kept, example)
    for phrase, arrange in (
        ("contiguous", torch_contiguous),
        ("expanded (a stride of zero)", expanded_if_constant),
        *((phrase, arrange) for phrase, arrange, _ in TORCH),
    ):
        situation = f"right as it is, but with its cotangent {phrase}"
        yield bench.look("layout", situation, cotangent_arranged(arrange), example)
    if len(bench.wrt) > 1:
        situation = "right as it is, but where one input at a time needs a gradient"
        yield bench.look("value", situation, one_at_a_time, example)
    situation = "right as it is, but where every input needs a gradient"
    yield bench.look("value", situation, all_at_once, example)
    situation = "a second backward through the same graph"
    yield bench.look("stateful", situation, backward_again, example)
    if not bench.cell.way.stateful:
        for pair in pairs:
            situation = "a backward after another forward mixes up the two"
            yield bench.look("stateful", situation, interleaved, *pair)
    if prepared.is_complex:
        bench.notes["second derivatives in complex inputs are not looked at"] = None
    elif bench.cell.dtype == "float64" and not any(bench.cell.way.parts):
        extra = curvature(prepared, bench.inputs_of(example), example.sizes)
        situation = "a derivative of the gradient is"
        yield bench.look("second_derivative", situation, second_derivative, example, extra=extra)
        extra = slope(prepared, bench.inputs_of(example), example.sizes)
        situation = "a derivative of the gradient in its cotangent is"
        yield bench.look("second_derivative", situation, in_the_cotangent, example, extra=extra)
