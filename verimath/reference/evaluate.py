"""Evaluating the reference on a batch: what is wanted of a way on a backend, in a dtype."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Literal

import numpy as np

from verimath.arithmetic.formats import FloatFormat, format_of
from verimath.arithmetic.operand import gamma
from verimath.arithmetic.rounding import Enclosure, evaluate, evaluate_all
from verimath.arithmetic.values import Array
from verimath.claim import Derivative
from verimath.convergence.reach import reach
from verimath.formula.graph import Formula
from verimath.reference.overflow import infinite, overflows
from verimath.reference.prepared import DIRECTION, Prepared
from verimath.reference.want import Want
from verimath.routes import Cell
from verimath.shapes import Binding

# However exact a formula is, its number may be made of others: 3 x - x of 2 x.
_FEW = 4


def wanted(
    prepared: Prepared,
    inputs: Mapping[str, Array],
    binding: Binding,
    dtype: str | FloatFormat,
    *,
    what: Literal["claim", "forward", "value"] = "claim",
) -> tuple[Want, ...]:
    """Evaluate what is wanted, with its bounds in one dtype, on inputs that are exact in it.

    `inputs` have shape (count, *shape). `dtype` is a name, or a format that says how the library
    in question computes (`verimath.arithmetic.formats`). `what` is "claim" for the value the claim
    speaks of, "forward" for the same computed by forward mode (whose order of evaluation has
    another bound), "value" for the primal formula's own value.
    """
    format_ = prepared.format(format_of(dtype))
    if what == "value":
        return _wanted((prepared.primal,), inputs, binding, format_)
    forward = _forward_bounds(prepared, inputs, binding, format_) if what == "forward" else None
    found = _wanted(prepared.orders, inputs, binding, format_, forward=forward)
    return _iterated(prepared, found, inputs, binding, format_, normwise=False)


def _iterated(
    prepared: Prepared,
    wants: tuple[Want, ...],
    batch: Mapping[str, Array],
    binding: Binding,
    format_: FloatFormat,
    *,
    normwise: bool,
) -> tuple[Want, ...]:
    """What is wanted of a limit: its formula may be off, and so may an iteration, by its reach."""
    iteration = prepared.iteration
    if iteration is None:
        return wants
    (want,) = wants

    @cache
    def radius(largest: float, *, envelope: bool) -> Array:
        limits = replace(format_, largest=largest)
        options = {"envelope": envelope, "normwise": normwise and not envelope}
        found = reach(iteration, batch, binding, limits, **options).radius
        return found.reshape((-1, *[1] * (want.value.ndim - 1)))

    allowed = np.maximum(want.allowed, radius(format_.largest, envelope=False) + want.error)

    def widen(largest: float) -> Array:
        if normwise:
            return allowed
        further = radius(largest, envelope=True) + want.error
        return np.maximum(np.maximum(want.widen(largest), further), allowed)

    return (replace(want, allowed=allowed, widen=widen),)


def wanted_by(
    cell: Cell, prepared: Prepared, inputs: Mapping[str, Array], binding: Binding
) -> tuple[Want, ...]:
    """What is wanted of one way on one backend in one dtype: `wanted`, for how it computes."""
    kind, format_ = cell.way.kind, prepared.format(cell.backend.format(cell.dtype))
    what = kind if kind == "forward" or kind == "value" else "claim"
    if cell.way.error_class == "normwise":
        orders = (prepared.primal,) if kind == "value" else prepared.orders
        want = _wanted(orders, inputs, binding, format_, normwise=True)
        want = _iterated(prepared, want, inputs, binding, format_, normwise=True)
    else:
        want = wanted(prepared, inputs, binding, format_, what=what)
    if prepared.is_complex:
        lost = cache(lambda: infinite(prepared, inputs, binding, format_))
        want = tuple(target.differentiated(0.0, lost) for target in want)
    if kind not in ("reverse", "forward"):
        return want
    # Both modes scale by a probe and back, which is one rounding more among subnormals.
    hopeless = cache(lambda: overflows(prepared, inputs, binding, format_))
    others = _customary(prepared, inputs, binding, format_)
    return tuple(
        target.differentiated(format_.underflow, hopeless, other)
        for target, other in zip(want, others or [None] * len(want), strict=True)
    )


def _customary(
    prepared: Prepared, batch: Mapping[str, Array], binding: Binding, format_: FloatFormat
) -> list[Callable[[], Array]] | None:
    """Per output, how far a library's own rules may lead where nothing overflows."""
    formula, free = prepared.customary, replace(format_, largest=math.inf)
    if formula is None:
        return None

    @cache
    def wide() -> tuple[Enclosure, ...]:
        return evaluate(formula, batch, binding, dtypes=(free,), envelope=True)

    def bound(k: int) -> Array:
        return wide()[k].bounds[format_.name]

    return [partial(bound, k) for k in range(len(formula.outputs))]


def _wanted(
    orders: tuple[Formula, ...],
    batch: Mapping[str, Array],
    binding: Binding,
    format_: FloatFormat,
    *,
    forward: Sequence[Array] | None = None,
    normwise: bool = False,
) -> tuple[Want, ...]:
    """Each output, with the largest bound over the orders, and of forward mode where there is one.

    Code that is held to the largest element alone (`normwise`) has nothing around that.
    """
    count = len(next(iter(batch.values())))
    found = evaluate_all(orders, batch, binding, dtypes=(format_,), normwise=normwise)

    @cache
    def wide(largest: float) -> tuple[tuple[Enclosure, ...], ...]:
        reach = replace(format_, largest=largest)
        return evaluate_all(orders, batch, binding, dtypes=(reach,), envelope=True)

    wants: list[Want] = []
    for k, reference in enumerate(found[0]):
        shape = (count, *reference.value.shape[1:])
        bounds = [order[k].bounds[format_.name] for order in found]
        bounds += [] if forward is None else [forward[k]]
        value, error = _spread(reference.value, shape), _spread(reference.error, shape)
        allowed = _largest(bounds, shape) + error

        def widen(
            largest: float,
            k: int = k,
            value: Array = value,
            error: Array = error,
            allowed: Array = allowed,
        ) -> Array:
            if normwise:
                return allowed
            found = [order[k].bounds[format_.name] for order in wide(largest)]
            below = np.where(value != 0, _FEW * format_.underflow, 0.0)
            few = gamma(_FEW, format_) * np.abs(value) + below
            return np.maximum(np.maximum(_largest(found, allowed.shape), few) + error, allowed)

        wants.append(Want(value, error, allowed, widen, format_.largest, format_.roundoff))
    return tuple(wants)


def _largest(bounds: list[Array], shape: tuple[int, ...]) -> Array:
    first, *others = bounds
    for other in others:
        first = first if other is first else np.maximum(first, other)
    return _spread(first, shape)


def _spread(array: Array, shape: tuple[int, ...]) -> Array:
    return array if array.shape == shape else np.broadcast_to(array, shape)


def _forward_bounds(
    prepared: Prepared, batch: Mapping[str, Array], binding: Binding, format_: FloatFormat
) -> list[Array]:
    """Bounds of forward mode: one directional derivative per element of the input."""
    bounds: list[Array] = []
    statement = prepared.statement
    assert isinstance(statement, Derivative)  # nothing else has a forward mode
    parts = dict(zip(statement.wrt_names, statement.parts(), strict=True))
    for name, formula in prepared.forward.items():
        count, *shape = batch[name].shape
        of = [size.at(binding) for size in formula.outputs[0].shape]
        directions = int(np.prod(shape, dtype=np.int64))
        if not directions:
            bounds.append(np.zeros((count, *of, *shape)))
            continue
        basis = np.tile(np.eye(directions), (count, 1)).reshape((count * directions, *shape))
        repeated = {key: np.repeat(values, directions, axis=0) for key, values in batch.items()}
        (found,) = evaluate(formula, {**repeated, DIRECTION: basis}, binding, dtypes=(format_,))
        bound = np.broadcast_to(found.bounds[format_.name], (count * directions, *of))
        if parts[name] is not None:  # taking it out rounds, too
            bound = bound + gamma(_FEW, format_) * (bound + np.abs(found.value))
        # The elements of the input come last.
        moved = np.moveaxis(bound.reshape((count, directions, *of)), 1, -1)
        last = moved.reshape((count, *of, *shape))
        part = parts[name]
        bounds.append(last if part is None else part.spread(last))
    return bounds
