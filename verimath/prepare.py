"""From a claim to graphs: what is wanted, by which orders it may be evaluated, and at which sizes.

A starred name stands for any number of axes, a graph for one number of them; so a claim is prepared
once per choice of ranks. The reference of a gradient is derived from the primal formula; the
claimed closed form and every route are judged against it and share no code with it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Literal

import numpy as np

from verimath.arithmetic.rounding import Array, Enclosure, evaluate, rounding_count
from verimath.claim import AtMost, Claim, Equal, Gradient
from verimath.errors import ClaimError, FormulaError
from verimath.formula.derive import Derivation, derive, push_forward
from verimath.formula.graph import Formula, Node, topological
from verimath.formula.trace import trace
from verimath.shapes import Binding, Size, shape_text

# No input can have this name: an input is an identifier.
_TANGENT = "the direction"


@dataclass(frozen=True)
class Prepared:
    """The graphs of a claim at fixed ranks.

    `reference` gives what is wanted, `claimed` the other side of the statement (None where there is
    none), `forward` the directional derivative per differentiated input.
    """

    claim: Claim
    ranks: Mapping[str, int]
    primal: Formula
    reference: Formula
    claimed: Formula | None
    derivation: Derivation | None
    forward: Mapping[str, Formula]

    @property
    def orders(self) -> tuple[Formula, ...]:
        """Formulas with the outputs wanted, in every declared order of evaluation."""
        return (self.reference,) if self.claimed is None else (self.reference, self.claimed)

    @cached_property
    def _divisors(self) -> tuple[Node, ...]:
        """Denominators that depend on sizes alone."""
        found = dict.fromkeys(
            node.inputs[-1] if node.operation == "divide" else node.inputs[0]
            for node in self._nodes
            if node.operation == "divide" or (node.operation == "power" and node.parameter < 0)
        )
        return tuple(node for node in found if _depends_on_sizes(node))

    @cached_property
    def _nodes(self) -> tuple[Node, ...]:
        """Every node of every formula, those inside composites too."""
        todo = [output for formula in (self.primal, *self.orders) for output in formula.outputs]
        found: dict[Node, None] = {}
        while todo:
            inner = dict.fromkeys(node for node in topological(tuple(todo)) if node not in found)
            found.update(inner)
            todo = [o for n in inner if n.operation == "composite" for o in n.parameter.orders]
        return tuple(found)

    @cached_property
    def _places(self) -> tuple[tuple[Node, Size], ...]:
        """Indices that depend on sizes alone, and the size of the axis they index."""
        return tuple(
            (node.inputs[1], node.inputs[0].shape[node.parameter])
            for node in self._nodes
            if node.operation == "gather" and _depends_on_sizes(node.inputs[1])
        )

    def allows(self, binding: Binding) -> bool:
        """Whether the claim speaks of these sizes.

        No size is negative, no index beyond its axis, no maximum over nothing, and no denominator
        that depends on sizes alone is zero.
        """
        for node in self._nodes:
            if any(size.at(binding) < 0 for size in node.shape):
                return False
            if node.operation == "max" and node.inputs[0].shape[node.parameter].at(binding) == 0:
                return False
        for place, size in self._places:
            (found,) = evaluate_sizes(Formula("indices", {}, (place,), {}), binding)
            if np.any(found.value < 0) or np.any(found.value >= size.at(binding)):
                return False
        # The value of an empty denominator array is no obstacle, a zero in it is.
        denominators = Formula("denominators", {}, self._divisors, {})
        return all(bool(np.all(e.value != 0)) for e in evaluate_sizes(denominators, binding))


def _depends_on_sizes(node: Node) -> bool:
    return all(n.operation != "input" for n in topological((node,)))


def evaluate_sizes(formula: Formula, binding: Binding) -> tuple[Enclosure, ...]:
    """Values of a formula of sizes and literals; a zero denominator further down gives infinity."""
    bare = Formula(formula.name, {}, tuple(_unspread(o) for o in formula.outputs), {})
    return evaluate(bare, {}, binding)


def _unspread(node: Node) -> Node:
    """The 0-d number behind a broadcast, so that zero-size targets keep their denominator."""
    return _unspread(node.inputs[0]) if node.operation == "broadcast" else node


def prepare(claim: Claim, ranks: Mapping[str, int]) -> Prepared:
    """Trace a claim's formulas at these ranks and derive what it speaks of.

    Raises ClaimError, with the claim's id, if a formula can't be traced or shapes disagree.
    """
    try:
        return _prepare(claim, ranks)
    except FormulaError as error:
        raise ClaimError(f"claim {claim.id!r}: {error}") from error


def _prepare(claim: Claim, ranks: Mapping[str, int]) -> Prepared:
    shapes = claim.domain.expand(ranks)
    statement = claim.statement
    match statement:
        case Gradient():
            primal = trace(statement.of, shapes)
            derivation = derive(primal, statement.wrt_names)
            claimed = trace(statement.equals, shapes)
            _same_shapes(derivation.gradients, claimed, "the gradient", "the closed form")
            forward = {name: push_forward(primal, name, _TANGENT) for name in derivation.wrt}
            reference = derivation.gradients
            return Prepared(claim, ranks, primal, reference, claimed, derivation, forward)
        case Equal():
            left, right = trace(statement.left, shapes), trace(statement.right, shapes)
            _same_shapes(left, right, "the left side", "the right side")
            return Prepared(claim, ranks, left, left, right, None, {})
        case AtMost():
            formula = trace(statement.of, shapes)
            return Prepared(claim, ranks, formula, formula, None, None, {})


def _same_shapes(one: Formula, other: Formula, what: str, which: str) -> None:
    if len(one.outputs) != len(other.outputs):
        raise FormulaError(
            f"{what} is {len(one.outputs)} array(s), {which} `{other.name}` {len(other.outputs)}"
        )
    for a, b in zip(one.outputs, other.outputs, strict=True):
        if a.shape != b.shape:
            raise FormulaError(
                f"{what} has shape {shape_text(a.shape)}, but {which} `{other.name}` "
                f"has shape {shape_text(b.shape)}; they have to agree for every size"
            )


@dataclass(frozen=True)
class Want:
    """What a claim wants of one result on a batch, in one dtype: arrays of shape (count, *shape).

    `allowed` is the largest bound over the declared orders, plus the reference's own error; beyond
    it and within `envelope` lie evaluations of the same function with inputs perturbed, and sums
    and products multiplied out. The envelope is computed when somebody asks for it.
    """

    value: Array
    error: Array
    allowed: Array
    widen: Callable[[], Array] = field(repr=False)

    @cached_property
    def envelope(self) -> Array:
        """How far from the value a rearrangement of the same formula may lead."""
        return self.widen()

    def at(self, index: int) -> "Want":
        """The same for one example of the batch, as a batch of one."""
        one = slice(index, index + 1)
        return Want(self.value[one], self.error[one], self.allowed[one], lambda: self.envelope[one])


def wanted(
    prepared: Prepared,
    inputs: Mapping[str, Array],
    binding: Binding,
    dtype: str,
    *,
    what: Literal["claim", "forward", "value"] = "claim",
) -> tuple[Want, ...]:
    """Evaluate what is wanted, with its bounds in one dtype, on inputs that are exact in it.

    `inputs` have shape (count, *shape). `what` is "claim" for the value the claim speaks of,
    "forward" for the same computed by forward mode (whose order of evaluation has another bound),
    "value" for the primal formula's own value.
    """
    if what == "value":
        return _wanted((prepared.primal,), None, inputs, binding, dtype)
    forward = _forward_bounds(prepared, inputs, binding, dtype) if what == "forward" else None
    return _wanted(prepared.orders, forward, inputs, binding, dtype)


def _wanted(
    orders: tuple[Formula, ...],
    forward: list[Array] | None,
    batch: Mapping[str, Array],
    binding: Binding,
    dtype: str,
) -> tuple[Want, ...]:
    count = len(next(iter(batch.values())))
    found = [evaluate(formula, batch, binding, dtypes=(dtype,)) for formula in orders]

    @cache
    def wide() -> list[tuple[Enclosure, ...]]:
        roundings = float(max(rounding_count(formula) for formula in orders))
        return [
            evaluate(formula, batch, binding, dtypes=(dtype,), input_roundings=roundings)
            for formula in orders
        ]

    wants: list[Want] = []
    for k, reference in enumerate(found[0]):
        shape = (count, *reference.value.shape[1:])
        bounds = [order[k].bounds[dtype] for order in found]
        bounds += [] if forward is None else [forward[k]]
        error = np.broadcast_to(reference.error, shape)
        allowed = _largest(bounds, shape) + error

        def widen(k: int = k, shape: tuple[int, ...] = shape, allowed: Array = allowed) -> Array:
            return _largest([order[k].bounds[dtype] for order in wide()], shape) + allowed

        wants.append(Want(np.broadcast_to(reference.value, shape), error, allowed, widen))
    return tuple(wants)


def _largest(bounds: list[Array], shape: tuple[int, ...]) -> Array:
    return np.maximum.reduce([np.broadcast_to(bound, shape) for bound in bounds])


def _forward_bounds(
    prepared: Prepared, batch: Mapping[str, Array], binding: Binding, dtype: str
) -> list[Array]:
    """Bounds of forward mode: one directional derivative per element of the input."""
    bounds: list[Array] = []
    for name, formula in prepared.forward.items():
        count, *shape = batch[name].shape
        directions = int(np.prod(shape, dtype=np.int64))
        basis = np.tile(np.eye(directions), (count, 1)).reshape((count * directions, *shape))
        repeated = {key: np.repeat(values, directions, axis=0) for key, values in batch.items()}
        (found,) = evaluate(formula, {**repeated, _TANGENT: basis}, binding, dtypes=(dtype,))
        bound = np.broadcast_to(found.bounds[dtype], (count * directions,))
        bounds.append(bound.reshape((count, *shape)))
    return bounds
