"""Running error analysis: the value of a formula in float64, and how far rounding may carry it.

`evaluate` walks a graph once and carries, beside each float64 value v, a bound B_T for every dtype
T asked for: |result of evaluating the formula in T - exact value| <= B_T, whatever the order of
sums and products (Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., sections 2.4,
3.1, 3.3 and 4.2: model (2.8), which has underflow, gamma_n for sums, running error analysis). With
u the unit roundoff, eta half the least subnormal, and m >= |exact value|:

    x + y     Bx + By                           then rounding
    x y       mx By + my Bx + Bx By             then rounding
    x / y     (Bx + mx By / my) / (my - By)     then rounding, my the least possible |y|
    x^k       k (mx + Bx)^(k-1) Bx              then max(k - 1, c) roundings; x^-k is 1 / x^k
    f(x)      sup |f'| Bx over the ball         then c_f roundings
    sum of K products of m factors: S(|x| + B) - S(|x|), then gamma_{K+m-2} S(|x| + B) + K eta
        with u and eta of the accumulator; if that is wider than T, one rounding to T follows
    rounding: u (m + B) + eta

Arrays carry one leading axis more than their node: a batch of evaluations at once (length 1
broadcasts). Input arrays are exact: every float is.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from verimath.arithmetic.bounds.literals import is_shift
from verimath.arithmetic.bounds.normwise import normwise_bound
from verimath.arithmetic.bounds.rearranged import reach, roundings_of, underflows_of
from verimath.arithmetic.bounds.sums import base_of, einsum_bound
from verimath.arithmetic.bounds.table import BOUNDS, LEAVES, PRODUCTS, SAFE, SCALING
from verimath.arithmetic.formats import FloatFormat, formats_of
from verimath.arithmetic.functions import own_float64
from verimath.arithmetic.merged import Merged, Step, merged
from verimath.arithmetic.operand import EXACT, SAFETY, Operand, gamma, most, settle
from verimath.arithmetic.values import VALUES, Array, equation_of, is_transposition
from verimath.formula.graph import Formula, Node, topological
from verimath.shapes import Binding

# glibc gives freed memory back to the system and asks for it anew, page by page, which costs more
# than the arithmetic. Up to 32 MiB it keeps what is no larger than the largest block ever freed.
np.empty(2**25 - 2**16, dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class Enclosure:
    """Float64 values and, per format name, the bound on the rounding error in that format.

    `error` says how far `value` itself may be from the exact value.
    """

    value: Array
    error: Array
    bounds: dict[str, Array]


def evaluate(
    formula: Formula,
    inputs: Mapping[str, Array],
    binding: Binding,
    *,
    dtypes: Iterable[str | FloatFormat] = (),
    envelope: bool = False,
    weights: Mapping[Node, Array] | None = None,
) -> tuple[Enclosure, ...]:
    """Values and error bounds of the outputs, each with a leading batch axis.

    `inputs` are float64 arrays of shape (batch, *shape). Bounds come for float64 and `dtypes`: a
    name stands for a library of which nothing is known, a format says what its library does. The
    error of the values themselves is that of numpy here. Where a bound can't be given (overflow, a
    denominator that may be zero) it is infinite.

    `envelope` widens the bounds to those of stable rearrangements. Every number that the formula
    names, whether input, literal or intermediate result, may be off by as many roundings as lie on
    the longest way from it to a result; what underflows may be multiplied by every other factor
    (`bounds.reach`), and where a product or sum of so many factors overflows, there is no bound.
    No accumulator is assumed there: code that adds one number after another in its own dtype is
    right, too. docs/bounds.md, "The envelope", derives it.

    `weights` are choices of subgradients: arrays for nodes, NaN where nothing is chosen.
    """
    walk = _walk_of((formula,), binding, tuple(dtypes), _How(envelope))
    chosen = {walk.graph.places[node]: array for node, array in (weights or {}).items()}
    with np.errstate(all="ignore"):
        (found,) = walk.in_pieces(inputs, chosen, {})
    return found


def evaluate_all(
    formulas: tuple[Formula, ...],
    inputs: Mapping[str, Array],
    binding: Binding,
    *,
    dtypes: Iterable[str | FloatFormat] = (),
    envelope: bool = False,
    normwise: bool = False,
    around: Mapping[str, Array] | None = None,
) -> tuple[tuple[Enclosure, ...], ...]:
    """`evaluate` for several formulas of the same inputs, what they share computed once.

    `normwise` gives every step the bound of its largest element, and matrix products that of
    Strassen's method: docs/bounds.md, "Error classes". `around` says of inputs how far from the
    given numbers they may be: for each x that near, |result in T at x - exact value at x| <= B.
    """
    how = _How(envelope, normwise, around is not None)
    walk = _walk_of(formulas, binding, tuple(dtypes), how)
    with np.errstate(all="ignore"):
        return walk.in_pieces(inputs, {}, around or {})


@dataclass(frozen=True, slots=True)
class _How:
    """Whether bounds are an envelope, those of the largest elements, or for inputs within balls."""

    envelope: bool = False
    normwise: bool = False
    around: bool = False


_POSITIVE = frozenset({"exp", "abs"})  # whose values are magnitudes
# A formula's constants may be made of others: 4 x / 6 of 2/3 x, 3 x - x of 2 x.
_SPARE = 4.0
_CACHED = 2**16  # elements of a result; walking further costs less than leaving the cache
_KEPT = 256  # walks, each with the arrays that depend on sizes alone
_Key = TypeVar("_Key")
_Given = tuple[tuple[str | FloatFormat, ...], FloatFormat, _How]
_walks: OrderedDict[Any, list[tuple[_Given, "_Walk"]]] = OrderedDict()


def _walk_of(
    formulas: tuple[Formula, ...],
    binding: Binding,
    dtypes: tuple[str | FloatFormat, ...],
    how: _How,
) -> "_Walk":
    """The walk for these sizes and formats; made once, for constants don't change."""
    key, given = (formulas, *binding.items()), (dtypes, own_float64(), how)
    found = _walks.setdefault(key, [])
    for known, walk in found:
        if known == given:
            return walk
    used = frozenset[str]().union(*map(functions_of, formulas))
    own = given[1].for_functions(used)
    formats = [f.for_functions(used) for f in formats_of((own, *dtypes)).values()]
    # A float64 with other functions is bounded together with the oracle's, by the worse of each.
    joint = own.joint(formats[0])
    if joint is not None:
        own, formats = joint, [joint, *formats[1:]]
    if how.envelope or how.normwise:
        own, formats = own.in_itself, [format_.in_itself for format_ in formats]
    walk = _Walk(merged(formulas, customary=how.envelope), dict(binding), own, tuple(formats), how)
    found.append((given, walk))
    while len(_walks) > _KEPT:
        _walks.popitem(last=False)
    return walk


@dataclass(frozen=True, slots=True)
class _Known:
    """A step's value, a magnitude that is at least the exact one, its bounds format by format.

    `reach` is as large as rearranged products and sums get (`bounds.reach`); EXACT if nobody asks.
    """

    value: Array
    magnitude: Array
    error: Array
    bounds: tuple[Array, ...]
    reach: Array

    @property
    def negative(self) -> "_Known":
        """The same with the other sign, which costs no rounding."""
        return replace(self, value=-self.value)

    @property
    def sharp(self) -> "_Known":
        """The value without any error."""
        bounds = (EXACT,) * len(self.bounds)
        return _Known(self.value, np.abs(self.value), EXACT, bounds, self.reach)

    def about(self, value: Array, radius: Array) -> "_Known":
        """An input within a radius of a value; this one has the largest magnitude that it may."""
        return replace(self, value=value, error=radius * SAFETY)

    def chosen(self, weights: Array) -> "_Known":
        """With these numbers, which are exact, where they are numbers."""
        free = np.isnan(weights)

        def bound(x: Array) -> Array:
            return x if x is EXACT else np.where(free, x, 0.0)

        value = np.where(free, self.value, weights)
        magnitude = np.where(free, self.magnitude, np.abs(weights))
        error = bound(self.error)
        bounds = tuple(error if b is self.error else bound(b) for b in self.bounds)
        return _Known(value, magnitude, error, bounds, self.reach)

    def moved(self, move: Callable[[Array], Array]) -> "_Known":
        """The same elements elsewhere; arrays that are one object stay one."""
        value = move(self.value)
        magnitude = value if self.magnitude is self.value else move(self.magnitude)
        error = move(self.error)
        bounds = tuple(error if b is self.error else move(b) for b in self.bounds)
        return _Known(value, magnitude, error, bounds, move(self.reach))


class _Walk:
    """Steps at fixed sizes in fixed formats; what depends on nothing else is known."""

    def __init__(
        self,
        graph: Merged,
        binding: Binding,
        own: FloatFormat,
        formats: tuple[FloatFormat, ...],
        how: _How,
    ) -> None:
        self.graph, self.binding = graph, binding
        self.own, self.envelope, self.normwise = own, how.envelope, how.normwise
        self.around = how.around
        self.formats = tuple(own if format_ == own else format_ for format_ in formats)
        self.shapes = [tuple(n.at(binding) for n in step.node.shape) for step in graph.steps]
        self.varying = [(k, step) for k, step in enumerate(graph.steps) if step.varies]
        results = [k for k, step in self.varying if step.node.operation not in LEAVES]
        self.largest = max([1, *(math.prod(self.shapes[k]) for k in results)])
        self.ahead = _ahead(graph, self.binding) if how.envelope else [0] * len(graph.steps)
        self.fixed: dict[int, _Known] = {}
        with np.errstate(all="ignore"):
            for place, step in enumerate(graph.steps):
                if not step.varies:
                    self.fixed[place] = _known_exact(self._step(place, step, self.fixed, {}))

    def in_pieces(
        self,
        inputs: Mapping[str, Array],
        weights: Mapping[int, Array],
        around: Mapping[str, Array],
    ) -> tuple[tuple[Enclosure, ...], ...]:
        """`run` for a batch of which as many examples go through at once as a cache holds."""
        arrays = (*inputs.values(), *weights.values(), *around.values())
        count = max(map(len, arrays), default=1)
        length = max(1, _CACHED // self.largest)
        if length >= count:
            return self.run(inputs, weights, around)
        pieces = [
            self.run(
                _piece(inputs, k, length), _piece(weights, k, length), _piece(around, k, length)
            )
            for k in range(0, count, length)
        ]
        lengths = [min(length, count - k) for k in range(0, count, length)]
        return tuple(
            tuple(
                _joined(enclosures, lengths)
                for enclosures in zip(*(piece[k] for piece in pieces), strict=True)
            )
            for k in range(len(self.graph.outputs))
        )

    def run(
        self,
        inputs: Mapping[str, Array],
        weights: Mapping[int, Array],
        around: Mapping[str, Array],
    ) -> tuple[tuple[Enclosure, ...], ...]:
        known = dict(self.fixed)
        largest = {name: np.abs(inputs[name]) + radius for name, radius in around.items()}
        for place, step in self.varying:
            if step.node.operation == "input" and step.node.parameter in around:
                name = step.node.parameter
                at_most = self._step(place, step, known, {**inputs, **largest})
                known[place] = at_most.about(inputs[name], around[name])
                continue
            known[place] = self._step(place, step, known, inputs)
            if place in weights:
                known[place] = known[place].chosen(weights[place])
        return tuple(
            tuple(self._enclosure(place, known[place]) for place in places)
            for places in self.graph.outputs
        )

    def _enclosure(self, place: int, known: _Known) -> Enclosure:
        full = self._full(place, known)
        shape = full.value.shape

        def shown(bound: Array) -> Array:
            return np.zeros(shape) if bound is EXACT else bound

        error = shown(full.error)
        bounds = {
            f.name: error if b is full.error else shown(b)
            for f, b in zip(self.formats, full.bounds, strict=True)
        }
        return Enclosure(full.value, error, bounds)

    def _full(self, place: int, known: _Known) -> _Known:
        """With every axis as long as its node says."""
        shape = self.shapes[place]

        for x in (known.value, known.magnitude, known.error, *known.bounds):
            if x is not EXACT and x.shape[1:] != shape:
                return known.moved(lambda x: x if x is EXACT else _repeated(x, shape))
        return known

    def _step(
        self, place: int, step: Step, known: Mapping[int, _Known], inputs: Mapping[str, Array]
    ) -> _Known:
        match step.node.operation:
            case "composite":
                return self._composite([known[k] for k in step.below])
            case "broadcast":
                return self._broadcast(place, known[step.below[0]])
            case "reshape":
                shape = self.shapes[place]
                full = self._full(step.below[0], known[step.below[0]])
                return full.moved(lambda x: x if x is EXACT else x.reshape((len(x), *shape)))
            case "einsum" if is_transposition(step.node):
                full = self._full(step.below[0], known[step.below[0]])
                return full.moved(
                    lambda x: x if x is EXACT else np.einsum(equation_of(step.node), x)
                )
            case "function" if step.node.parameter == "negative":
                return known[step.below[0]].negative
            case _:
                below = [known[k] for k in step.below]
                if not step.elementwise:
                    below = [self._full(k, x) for k, x in zip(step.below, below, strict=True)]
                if step.decides and not self.around:  # in a ball, other numbers decide otherwise
                    below = [known.sharp for known in below]
                if self.envelope and step.node.operation in SCALING:
                    shifts = map(is_shift, step.node.inputs)
                    below = [x.sharp if s else x for x, s in zip(below, shifts, strict=True)]
                return self._operation(place, step.node, below, inputs)

    def _broadcast(self, place: int, known: _Known) -> _Known:
        """Leading axes of length 1 are enough; they are repeated where that matters."""
        lead = (1,) * (len(self.shapes[place]) - (known.value.ndim - 1))
        if not lead:
            return known
        return known.moved(lambda x: x if x is EXACT else x.reshape((len(x), *lead, *x.shape[1:])))

    def _operation(
        self, place: int, node: Node, below: list[_Known], inputs: Mapping[str, Array]
    ) -> _Known:
        numbers = [c.value for c in below]
        value = VALUES[node.operation](node, numbers, self.binding, inputs)
        positive = node.operation == "function" and node.parameter in _POSITIVE
        size = value if positive else np.abs(value)
        far = EXACT
        if self.envelope:
            far = reach(node, [c.reach for c in below], value, numbers, self.binding)
        top = most(size)
        base = base_of(node, [c.magnitude for c in below])
        # In a ball the float64 value is one number, any other one is `error` away from it.
        sure = [EXACT if self.around else c.error for c in below]
        operands = [
            Operand(c.value, e, c.error, c.magnitude) for c, e in zip(below, sure, strict=True)
        ]
        error = self._settled(node, size, size, top, self.own, None, operands, base)
        magnitude = size
        if error is not EXACT:
            magnitude, top = size + error, top + most(error)
        scale = magnitude if self.around else size
        bounds: list[Array] = []
        for k, format_ in enumerate(self.formats):
            if format_ is self.own and not (self.envelope or self.normwise):
                for c in below:
                    if c.bounds[k] is not c.error:
                        break
                else:
                    bounds.append(error)
                    continue
            operands = [Operand(c.value, c.error, c.bounds[k], c.magnitude) for c in below]
            bound = self._settled(node, magnitude, scale, top, format_, error, operands, base)
            bound = self._rearranged(place, node, bound, magnitude, far, format_)
            if self.normwise:
                bound = normwise_bound(node, bound, operands, self.binding, format_)
            bounds.append(bound)
        return _Known(value, magnitude, error, tuple(bounds), far)

    def _settled(
        self,
        node: Node,
        magnitude: Array,
        size: Array,
        top: float,
        format_: FloatFormat,
        error: Array | None,
        operands: list[Operand],
        base: Array | None,
    ) -> Array:
        if base is not None:
            bound = einsum_bound(node, size, operands, format_, base)
        else:
            bound = BOUNDS[node.operation](node, size, operands, self.binding, format_)
        safe = node.operation in SAFE
        return settle(bound, magnitude, error, format_, top=top, safe=safe)

    def _rearranged(
        self,
        place: int,
        node: Node,
        bound: Array,
        magnitude: Array,
        far: Array,
        format_: FloatFormat,
    ) -> Array:
        """A bound of the envelope: with the roundings that a rearrangement does ahead of its time.

        Labels and masks are not numbers that a rearrangement could have rounded.
        """
        if not self.envelope or node.kind != "real":
            return bound
        own, ahead = roundings_of(node, self.binding), self.ahead[place]
        if own or node.operation in LEAVES:
            off = gamma(ahead, format_) * (magnitude + bound)
            # No further than float64 goes: near its largest number nothing else is known of it.
            bound = bound + np.minimum(off, np.maximum(self.own.largest - magnitude - bound, 0.0))
        if node.operation in PRODUCTS:
            times = underflows_of(node, self.binding) + ahead
            bound = bound + times * format_.underflow * np.minimum(far, self.own.largest)
        room = _SPARE * far <= format_.largest
        return np.where(room & ~np.isnan(bound), bound, np.inf)

    def _composite(self, orders: list[_Known]) -> _Known:
        """The value by the first order of evaluation, the largest bound over all of them."""
        first, *others = orders
        if not others:
            return first
        bounds = tuple(
            _largest(list(each)) for each in zip(*(o.bounds for o in orders), strict=True)
        )
        far = _largest([order.reach for order in orders])
        # The value is that of the first order, and so is its error.
        return _Known(first.value, first.magnitude, first.error, bounds, far)


def _ahead(graph: Merged, binding: Binding) -> list[int]:
    """Per step, the roundings on the longest way from it to a result, its own not among them."""
    found = [0] * len(graph.steps)
    for place in range(len(graph.steps) - 1, -1, -1):
        node = graph.steps[place].node
        further = found[place] + roundings_of(node, binding)
        for below in graph.steps[place].below:
            found[below] = max(found[below], further)
    return found


def _piece(arrays: Mapping[_Key, Array], start: int, length: int) -> dict[_Key, Array]:
    return {key: x if len(x) == 1 else x[start : start + length] for key, x in arrays.items()}


def _joined(pieces: tuple[Enclosure, ...], lengths: list[int]) -> Enclosure:
    """Enclosures of examples one after the other; one that is for all is repeated."""

    def joined(arrays: Iterable[Array]) -> Array:
        alike = [_of_length(x, n) for x, n in zip(arrays, lengths, strict=True)]
        return np.concatenate(alike)

    bounds = {name: joined(e.bounds[name] for e in pieces) for name in pieces[0].bounds}
    error = joined(e.error for e in pieces)
    return Enclosure(joined(e.value for e in pieces), error, bounds)


def _of_length(x: Array, n: int) -> Array:
    return np.broadcast_to(x, (n, *x.shape[1:]))


def _repeated(x: Array, shape: tuple[int, ...]) -> Array:
    return np.broadcast_to(x, (len(x), *shape))


def _largest(arrays: list[Array]) -> Array:
    first, *others = [array for array in arrays if array is not EXACT] or [EXACT]
    for other in others:
        if other is not first:
            first = np.maximum(first, other)
    return first


def _known_exact(known: _Known) -> _Known:
    """With no arrays of zeros for bounds."""

    def shown(bound: Array) -> Array:
        return bound if np.any(bound) else EXACT

    return replace(known, error=shown(known.error), bounds=tuple(map(shown, known.bounds)))


def functions_of(formula: Formula) -> frozenset[str]:
    """The elementary functions that a formula uses, those inside composites too."""
    return frozenset(_functions(formula.outputs))


def _functions(outputs: tuple[Node, ...]) -> Iterator[str]:
    for node in topological(outputs):
        if node.operation == "function":
            yield str(node.parameter)
        elif node.operation == "composite":
            yield from _functions(tuple(node.parameter.orders))
