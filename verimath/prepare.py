"""From a claim to graphs: what is wanted, by which orders it may be evaluated, and at which sizes.

A starred name stands for any number of axes, a graph for one number of them; so a claim is prepared
once per choice of ranks. The reference of a gradient is derived from the primal formula; the
claimed closed form and every route are judged against it and share no code with it.
"""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from verimath.arithmetic.formats import FloatFormat, format_of
from verimath.arithmetic.operand import gamma
from verimath.arithmetic.rounding import (
    Array,
    Enclosure,
    evaluate,
    evaluate_all,
)
from verimath.claim import AtMost, Claim, Converges, Derivative, Equal, Hessian, Jacobian
from verimath.convergence.functions import at_the_limit
from verimath.convergence.iteration import Iteration, iteration_of
from verimath.convergence.reach import reach
from verimath.domain import Domain
from verimath.errors import ClaimError, FormulaError
from verimath.formula.derive import (
    Derivation,
    derive,
    divided_product,
    gradients,
    push_forward,
)
from verimath.formula.graph import Formula, Kind, Node, topological
from verimath.formula.jacobian import hessian, jacobian
from verimath.formula.trace import trace as trace_formula
from verimath.formula.traced import TracedArray, as_node
from verimath.pairs import grouped, has_pairs
from verimath.routes import Cell
from verimath.shapes import Binding, Size, shape_text
from verimath.tangent import Part

# However exact a formula is, its number may be made of others: 3 x - x of 2 x.
_FEW = 4
# No input can have this name: an input is an identifier.
_TANGENT = "the direction"


@dataclass(frozen=True)
class Prepared:
    """The graphs of a claim at fixed ranks.

    `reference` gives what is wanted, `claimed` the other side of the statement (None where there is
    none), `forward` the directional derivative per differentiated input, of the primal formula or,
    for a Hessian, of its gradient; `stated` is what the claim claims as it is written, without the
    parts left out that aren't judged. Of an iteration, the reference is the limit and `claimed` a
    step from there; `iteration` has the rest.
    """

    claim: Claim
    ranks: Mapping[str, int]
    primal: Formula
    reference: Formula
    claimed: Formula | None
    derivation: Derivation | None
    forward: Mapping[str, Formula]
    stated: Formula | None = None
    iteration: Iteration | None = None

    @property
    def printed(self) -> Formula | None:
        """The other side of the statement as it was written."""
        return self.stated or self.claimed

    @property
    def is_complex(self) -> bool:
        """Whether some input is a part of a complex array."""
        return has_pairs(self.primal.inputs)

    def pairs(self, *, value: bool = False) -> tuple[bool, ...]:
        """Which results of the claim, or of the primal's `value`, are complex; () if none is.

        Each of those has two outputs, one after the other.
        """
        return self.primal.pairs if value else self.reference.pairs

    def format(self, format_: FloatFormat) -> FloatFormat:
        """How a library computes this claim's sums."""
        return _of_pairs(format_) if self.is_complex else format_

    @property
    def orders(self) -> tuple[Formula, ...]:
        """Formulas with the outputs wanted, in every declared order of evaluation."""
        return (self.reference,) if self.claimed is None else (self.reference, self.claimed)

    @cached_property
    def _divisors(self) -> Formula:
        """Denominators that depend on sizes alone."""
        found = dict.fromkeys(
            node.inputs[-1] if node.operation == "divide" else node.inputs[0]
            for node in self._nodes
            if node.operation == "divide" or (node.operation == "power" and node.parameter < 0)
        )
        divisors = tuple(_unspread(node) for node in found if _depends_on_sizes(node))
        return Formula("denominators", {}, divisors, {})

    @cached_property
    def has_kinks(self) -> bool:
        """Whether the reference is a gradient with subgradients in it."""
        return self.derivation is not None and any(
            node.operation == "subgradient" for node in self.reference.nodes()
        )

    @cached_property
    def customary(self) -> Formula | None:
        """The reference by another rule that a library has for some operation; None if none has.

        torch divides a product by each factor, whose digits are lost where the product underflows.
        Code differentiated by it is less accurate there, not wrong.
        """
        rules = {node: divided_product for node in self.primal.nodes() if _is_product(node)}
        if self.derivation is None or not rules:
            return None
        return self.derivation.again(self.primal, self.derivation.wrt, rules)

    @cached_property
    def _nodes(self) -> tuple[Node, ...]:
        """Every node of every formula, those inside composites too."""
        further = () if self.iteration is None else self.iteration.formulas
        formulas = (self.primal, *self.orders, *further)
        todo = [output for formula in formulas for output in formula.outputs]
        found: dict[Node, None] = {}
        while todo:
            inner = dict.fromkeys(node for node in topological(tuple(todo)) if node not in found)
            found.update(inner)
            todo = [o for n in inner if n.operation == "composite" for o in n.parameter.orders]
        return tuple(found)

    @cached_property
    def _places(self) -> tuple[tuple[Formula, Size], ...]:
        """Indices that depend on sizes alone, and the size of the axis they index."""
        return tuple(
            (
                Formula("indices", {}, (_unspread(node.inputs[1]),), {}),
                node.inputs[0].shape[node.parameter],
            )
            for node in self._nodes
            if node.operation == "gather" and _depends_on_sizes(node.inputs[1])
        )

    @cached_property
    def picks_by_inputs(self) -> bool:
        """Whether some index is drawn, as labels are: it has no symbol."""
        return any(
            not _depends_on_sizes(node.inputs[1])
            for node in self._nodes
            if node.operation in ("gather", "scatter")
        )

    def elements(self, binding: Binding) -> int:
        """How many elements the claim speaks of."""
        return sum(_count(output, binding) for output in self.reference.outputs)

    def rows(self, binding: Binding) -> int:
        """How many elements are differentiated: 1 for a gradient, those of it for a Hessian."""
        formula = next(iter(self.forward.values()))
        return _count(formula.outputs[0], binding)

    def largest_matrix(self, binding: Binding) -> int:
        """The size of the largest matrix that is solved with or factored; 0 if none is."""
        found = (n for n in self._nodes if n.operation in ("solve", "determinant", "cholesky"))
        return max((node.inputs[0].shape[-1].at(binding) for node in found), default=0)

    @cached_property
    def nesting(self) -> int:
        """How deep inverses and determinants are inside each other; at least 1."""
        depths: dict[Node, int] = {}
        for node in topological(tuple(o for f in (self.primal, *self.orders) for o in f.outputs)):
            deepest = max((depths[x] for x in node.inputs), default=0)
            depths[node] = deepest + (node.operation in ("solve", "determinant", "cholesky"))
        return max(1, *depths.values())

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
            (found,) = evaluate_sizes(place, binding)
            if np.any(found.value < 0) or np.any(found.value >= size.at(binding)):
                return False
        # The value of an empty denominator array is no obstacle, a zero in it is.
        return all(bool(np.all(e.value != 0)) for e in evaluate_sizes(self._divisors, binding))


def _is_product(node: Node) -> bool:
    return node.operation == "product"


def _count(node: Node, binding: Binding) -> int:
    return math.prod(size.at(binding) for size in node.shape)


def _depends_on_sizes(node: Node) -> bool:
    return all(n.operation != "input" for n in topological((node,)))


def evaluate_sizes(formula: Formula, binding: Binding) -> tuple[Enclosure, ...]:
    """Values of a formula of sizes and literals; a zero denominator further down gives infinity."""
    return evaluate(formula, {}, binding)


def _unspread(node: Node) -> Node:
    """The 0-d number behind a broadcast, so that zero-size targets keep their denominator."""
    return _unspread(node.inputs[0]) if node.operation == "broadcast" else node


def rank_choices(domain: Domain) -> list[tuple[tuple[str, int], ...]]:
    """Every number of axes that each starred name of a domain may stand for."""
    tops = domain.largest_ranks
    choices = product(*(range(top + 1) for top in tops.values()))
    return [tuple(zip(tops, choice, strict=True)) for choice in choices]


def prepare(claim: Claim, ranks: Mapping[str, int]) -> Prepared:
    """Trace a claim's formulas at these ranks and derive what it speaks of.

    Raises ClaimError, with the claim's id, if a formula can't be traced or shapes disagree.
    """
    try:
        return _prepare(claim, ranks)
    except FormulaError as error:
        raise ClaimError(f"claim {claim.id!r}: {error}") from error


def _prepare(claim: Claim, ranks: Mapping[str, int]) -> Prepared:
    claim = _by_parts(claim)
    shapes = claim.domain.expand(ranks)
    kinds: dict[str, Kind] = {name: spec.kind for name, spec in claim.domain.inputs.items()}
    trace = partial(trace_formula, kinds=kinds)
    statement = claim.statement
    match statement:
        case Derivative():
            primal = trace(statement.of, shapes)
            if primal.pairs:
                raise FormulaError(
                    f"formula `{primal.name}` is complex; a {statement.noun} is of real numbers, "
                    "such as xp.real(f) or abs(f)"
                )
            derivation = _determined(_derivation(statement, primal), statement.parts())
            stated = trace(statement.equals, shapes)
            claimed = _rest(stated, statement.parts())
            reference = derivation.derivatives
            parts = grouped(derivation.wrt).values()
            if any(len(names) > 1 for names in parts):
                reference = replace(reference, pairs=tuple(len(names) > 1 for names in parts))
                derivation = replace(derivation, derivatives=reference)
            _same_shapes(reference, claimed, f"the {statement.noun}", "the closed form")
            once = gradients(primal, derivation.wrt) if isinstance(statement, Hessian) else primal
            forward = {name: push_forward(once, name, _TANGENT) for name in derivation.wrt}
            return Prepared(claim, ranks, primal, reference, claimed, derivation, forward, stated)
        case Equal():
            left, right = trace(statement.left, shapes), trace(statement.right, shapes)
            _same_shapes(left, right, "the left side", "the right side")
            return Prepared(claim, ranks, left, left, right, None, {})
        case AtMost():
            formula = trace(statement.of, shapes)
            if formula.pairs:
                raise FormulaError(f"formula `{formula.name}` is complex; wanted its abs")
            return Prepared(claim, ranks, formula, formula, None, None, {})
        case Converges():
            limit = trace(statement.to, shapes)
            place = list(shapes).index(statement.of)
            iteration = iteration_of(statement, claim.domain, limit, partial(trace, inputs=shapes))
            after = trace(at_the_limit(statement.step, statement.to, place), shapes)
            printed = replace(
                iteration.step, outputs=(*iteration.step.outputs, *iteration.factor.outputs)
            )
            return Prepared(claim, ranks, limit, limit, after, None, {}, printed, iteration)


def _by_parts(claim: Claim) -> Claim:
    """The claim with derivatives in the parts of complex inputs."""
    statement, arguments = claim.statement, claim.domain.arguments
    if not isinstance(statement, Derivative) or not claim.domain.is_complex:
        return claim
    names = tuple(part for name in statement.wrt_names for part in arguments[name])
    found = copy.copy(claim)  # its checks have been made, and parts are no arguments
    object.__setattr__(found, "statement", replace(statement, wrt=names))
    return found


def _of_pairs(format_: FloatFormat) -> FloatFormat:
    """The format for parts of complex sums.

    A part of a sum of n products has 2n terms, in any order: twice the roundings of each half, and
    partial sums of both halves together (of four, where a cotangent comes from both parts).
    """

    def held(accumulator: FloatFormat) -> FloatFormat:
        return replace(
            accumulator,
            roundoff=2 * accumulator.roundoff,
            largest=accumulator.largest / 4,
            sums=None,
            products=None,
        )

    return replace(
        format_, sums=held(format_.accumulator(1)), products=held(format_.accumulator(2))
    )


def _determined(derivation: Derivation, parts: Sequence[Part | None]) -> Derivation:
    """The derivation of what is left without the parts that nothing determines."""
    if not any(parts):
        return derivation
    again = derivation.again
    return replace(
        derivation,
        derivatives=_rest(derivation.derivatives, parts),
        again=lambda *arguments: _rest(again(*arguments), parts),
    )


def _rest(formula: Formula, parts: Sequence[Part | None]) -> Formula:
    if len(formula.outputs) != len(parts):
        return formula  # that they are as many is asked elsewhere
    outputs = tuple(
        node if part is None else as_node(part.rest(TracedArray(node)))
        for node, part in zip(formula.outputs, parts, strict=True)
    )
    return replace(formula, outputs=outputs)


def _derivation(statement: Derivative, primal: Formula) -> Derivation:
    match statement:
        case Jacobian():
            return jacobian(primal, statement.wrt_names)
        case Hessian():
            return hessian(primal, statement.wrt_names)
        case _:
            return derive(primal, statement.wrt_names)


def _same_shapes(one: Formula, other: Formula, what: str, which: str) -> None:
    if one.pairs != other.pairs:
        kinds = [("complex" if any(f.pairs) else "real") for f in (one, other)]
        raise FormulaError(f"{what} is {kinds[0]}, but {which} `{other.name}` is {kinds[1]}")
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
    and products multiplied out. Where one of those may overflow, `envelope` is infinite and
    `unlimited` says how far one that doesn't may lead. Both are computed when somebody asks.
    """

    value: Array
    error: Array
    allowed: Array
    widen: Callable[[float], Array] = field(repr=False)  # takes the format's largest number
    largest: float = math.inf
    roundoff: float = 0.0

    @cached_property
    def envelope(self) -> Array:
        """How far from the value a rearrangement of the same formula may lead."""
        return self.widen(self.largest)

    @cached_property
    def unlimited(self) -> Array:
        """The envelope of rearrangements in which nothing overflows."""
        return self.widen(math.inf)

    @property
    def floor(self) -> Array:
        """The relative changes of single elements that are certainly called wrong.

        An error of its own may hide part of a change: what is left has to leave the envelope. No
        number of the dtype is nearer to another than its roundoff.
        """
        return np.maximum((self.allowed + self.envelope) / np.abs(self.value), self.roundoff)

    def differentiated(
        self,
        slack: float,
        overflows: Callable[[], NDArray[np.bool_]],
        customary: Callable[[], Array] | None = None,
    ) -> "Want":
        """The same for a way that runs the primal formula: a little more is allowed everywhere.

        `overflows` gives shape (count,): where the primal may, so may what is made of it, and where
        float64 knows no rearrangement there that doesn't, none but the declared orders is let in.
        `customary` is how far another rule leads where nothing overflows.
        """
        widen, allowed = self.widen, self.allowed + slack

        def further(largest: float) -> Array:
            found = widen(largest) + slack
            if customary is not None:
                other = customary() + self.error + slack
                found = np.where(np.isfinite(other), np.maximum(found, other), found)
            if math.isfinite(largest):
                return np.where(_per_example(overflows(), found), np.inf, found)
            unknown = ~np.isfinite(found)
            if not unknown.any():
                return found
            return np.where(unknown & _per_example(overflows(), found), allowed, found)

        return replace(self, allowed=allowed, widen=further)


def _per_example(known: NDArray[np.bool_], like: Array) -> NDArray[np.bool_]:
    return known.reshape((-1, *[1] * (like.ndim - 1)))


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
        return _wanted((prepared.primal,), None, inputs, binding, format_)
    forward = _forward_bounds(prepared, inputs, binding, format_) if what == "forward" else None
    found = _wanted(prepared.orders, forward, inputs, binding, format_)
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


def overflows(
    prepared: Prepared, inputs: Mapping[str, Array], binding: Binding, format_: FloatFormat
) -> NDArray[np.bool_]:
    """Which examples of a batch, shape (count,), the primal may overflow on, rearranged or not."""
    count = len(next(iter(inputs.values())))
    found = np.zeros(count, dtype=np.bool_)
    for enclosure in evaluate(prepared.primal, inputs, binding, dtypes=(format_,)):
        open_ = np.isinf(enclosure.bounds[format_.name])
        found |= open_.reshape(len(open_), -1).any(axis=1)
    free = replace(format_, largest=math.inf)
    limited, unlimited = (
        evaluate(prepared.primal, inputs, binding, dtypes=(each,), envelope=True)
        for each in (format_, free)
    )
    for one, other in zip(limited, unlimited, strict=True):
        over = np.isinf(one.bounds[format_.name]) & np.isfinite(other.bounds[format_.name])
        found |= over.reshape(len(over), -1).any(axis=1)
    return found


def wanted_by(
    cell: Cell, prepared: Prepared, inputs: Mapping[str, Array], binding: Binding
) -> tuple[Want, ...]:
    """What is wanted of one way on one backend in one dtype: `wanted`, for how it computes."""
    kind, format_ = cell.way.kind, prepared.format(cell.backend.format(cell.dtype))
    what = kind if kind == "forward" or kind == "value" else "claim"
    if cell.way.error_class == "normwise":
        orders = (prepared.primal,) if kind == "value" else prepared.orders
        want = _normwise(orders, inputs, binding, format_)
        want = _iterated(prepared, want, inputs, binding, format_, normwise=True)
    else:
        want = wanted(prepared, inputs, binding, format_, what=what)
    if prepared.is_complex:
        lost = cache(lambda: _infinite(prepared, inputs, binding, format_))
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


def _infinite(
    prepared: Prepared, inputs: Mapping[str, Array], binding: Binding, format_: FloatFormat
) -> NDArray[np.bool_]:
    """Which examples of a batch, shape (count,), may have an infinite number on their way.

    In a product of complex arrays 0 times it makes the other part NaN, which no bound of that part
    knows of: complex arithmetic is on infinite numbers what each library makes of it.
    """
    found = np.zeros(len(next(iter(inputs.values()))), dtype=np.bool_)
    nodes = [node for formula in (prepared.primal, *prepared.orders) for node in formula.nodes()]
    real = tuple(node for node in dict.fromkeys(nodes) if node.kind == "real")
    everything = Formula("everything", prepared.primal.inputs, real, {})
    enclosures = [
        *evaluate(everything, inputs, binding, dtypes=(format_,)),
        *(e for f in prepared.orders for e in _rearranged(f, inputs, binding, format_)),
    ]
    for enclosure in enclosures:
        open_ = np.isinf(enclosure.bounds[format_.name]) & ~np.isnan(enclosure.value)
        found |= open_.reshape(len(open_), -1).any(axis=1)
    return found


def _rearranged(
    formula: Formula, inputs: Mapping[str, Array], binding: Binding, format_: FloatFormat
) -> tuple[Enclosure, ...]:
    return evaluate(formula, inputs, binding, dtypes=(format_,), envelope=True)


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
    forward: list[Array] | None,
    batch: Mapping[str, Array],
    binding: Binding,
    format_: FloatFormat,
) -> tuple[Want, ...]:
    count = len(next(iter(batch.values())))
    found = evaluate_all(orders, batch, binding, dtypes=(format_,))

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
            found = [order[k].bounds[format_.name] for order in wide(largest)]
            few = gamma(_FEW, format_) * np.abs(value)
            return np.maximum(np.maximum(_largest(found, allowed.shape), few) + error, allowed)

        wants.append(Want(value, error, allowed, widen, format_.largest, format_.roundoff))
    return tuple(wants)


def _normwise(
    orders: tuple[Formula, ...],
    batch: Mapping[str, Array],
    binding: Binding,
    format_: FloatFormat,
) -> tuple[Want, ...]:
    """What is wanted of code whose errors are bounded by the largest element alone."""
    count = len(next(iter(batch.values())))
    found = evaluate_all(orders, batch, binding, dtypes=(format_,), normwise=True)
    wants: list[Want] = []
    for k, reference in enumerate(found[0]):
        shape = (count, *reference.value.shape[1:])
        value, error = _spread(reference.value, shape), _spread(reference.error, shape)
        allowed = _largest([order[k].bounds[format_.name] for order in found], shape) + error

        def widen(largest: float, allowed: Array = allowed) -> Array:
            return allowed

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
    statement = prepared.claim.statement
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
        (found,) = evaluate(formula, {**repeated, _TANGENT: basis}, binding, dtypes=(format_,))
        bound = np.broadcast_to(found.bounds[format_.name], (count * directions, *of))
        if parts[name] is not None:  # taking it out rounds, too
            bound = bound + gamma(_FEW, format_) * (bound + np.abs(found.value))
        # The elements of the input come last.
        moved = np.moveaxis(bound.reshape((count, directions, *of)), 1, -1)
        last = moved.reshape((count, *of, *shape))
        part = parts[name]
        bounds.append(last if part is None else part.spread(last))
    return bounds
