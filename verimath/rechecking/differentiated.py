"""What a part says in real numbers: pairs that agree there, too, and derivatives that are one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product
from math import ceil, prod
from random import Random
from types import MappingProxyType
from typing import Any

import flint

from verimath.rechecking.derivative import check_derivative, check_form
from verimath.rechecking.evaluate import evaluate
from verimath.rechecking.graph import Node, axes_of, reachable
from verimath.rechecking.limits import OPERATIONS, SIZE, Budget, RefusedError
from verimath.rechecking.order import Counting, NoBoundError, highest_power
from verimath.rechecking.plain import subtract
from verimath.rechecking.polynomials import polynomial
from verimath.rechecking.reals import (
    OutsideError,
    Reals,
    contains_zero,
    draw_inputs,
    far,
    is_free,
)
from verimath.rechecking.sizing import Binding, kinds_of
from verimath.rechecking.structures import impose
from verimath.report.certificate import (
    DerivationCertificate,
    DerivativeRecord,
    EvaluationCertificate,
    InputRecord,
)

_BITS = 256
_ATTEMPTS = 24
_HIGHEST = 5  # sizes that are looked at where the lemma says nothing
_GRID = 1200  # choices of sizes
_FAR, FAR_SIZES = 24, 2  # points far away, and at how many choices of sizes


def where(binding: Mapping[str, int]) -> str:
    """Sizes, for messages."""
    return " ".join(f"{name}={size}" for name, size in sorted(binding.items())) or "its shape"


def points(
    inputs: Sequence[InputRecord],
    kinds: Mapping[str, str],
    binding: Mapping[str, int],
    random: Random,
    structured: Mapping[str, str],
    labels: Mapping[str, Sequence[int]] = MappingProxyType({}),
) -> Iterator[dict[str, Any]]:
    """Random rational points, from wide to narrow ranges; `labels` are what they are."""
    for attempt in range(_ATTEMPTS):
        drawn = draw_inputs(inputs, kinds, binding, random, attempt, labels)
        try:
            for name, structure in structured.items():
                if name in drawn:
                    drawn[name] = impose(structure, drawn[name])
        except ZeroDivisionError:
            continue
        yield drawn


def far_points(
    inputs: Sequence[InputRecord],
    kinds: Mapping[str, str],
    binding: Mapping[str, int],
    random: Random,
    structured: Mapping[str, str],
    constants: Sequence[Fraction],
    labels: Mapping[str, Sequence[int]] = MappingProxyType({}),
) -> Iterator[dict[str, Any]]:
    """Points on other sides of what roots are taken of, and of steps."""
    free = {item.name: item.positive for item in inputs if is_free(item, kinds)}
    for attempt in range(_FAR):
        drawn = draw_inputs(inputs, kinds, binding, random, attempt, labels)
        for name, positive in free.items():
            drawn[name] = far(drawn[name], constants, positive, random)
        try:
            for name, structure in structured.items():
                drawn[name] = impose(structure, drawn[name])
        except ZeroDivisionError:
            continue
        yield drawn


def constants_of(nodes: Sequence[Node], more: Iterable[Fraction] = ()) -> list[Fraction]:
    """Numbers that decide where something changes its sign, and one."""
    found = {node.parameter.factor for node in nodes if node.operation == "constant"}
    return sorted({abs(number) for number in (*found, *more) if number} | {Fraction(1)})


def check_numbers(
    nodes: Sequence[Node],
    pairs: Sequence[tuple[int, int]],
    inputs: Sequence[InputRecord],
    bindings: Sequence[Binding],
    seed: str,
    structured: Mapping[str, str] | None = None,
) -> None:
    """Pairs agree in real numbers, too, at the smallest and largest sizes.

    A look from another side, and no proof. Raises RefusedError where they certainly differ.
    """
    random, budget, kinds = Random(seed), Budget(), kinds_of(nodes)
    wanted = [place for pair in pairs for place in pair]
    chosen = [bindings[0], bindings[-1]] if len(bindings) > 1 else [bindings[0]]
    for binding in chosen:
        for drawn in points(inputs, kinds, binding, random, structured or {}):
            try:
                with flint.ctx.workprec(_BITS):
                    values = evaluate(nodes, Reals(), binding, drawn, budget, wanted)
                    for first, second in pairs:
                        difference = Reals().linear(subtract, values[first], values[second])
                        if not all(contains_zero(item) for item in difference.ravel()):
                            raise RefusedError(
                                f"the two sides differ at {where(binding)} in real numbers"
                            )
            except (ZeroDivisionError, OutsideError):
                continue
            break


def check_differentiated(
    part: EvaluationCertificate | DerivationCertificate,
    record: DerivativeRecord,
    nodes: Sequence[Node],
    bindings: Sequence[Binding],
    seed: str,
    *,
    everywhere: bool,
) -> None:
    """The derivative's nodes are the derivative, and the pairs are about these nodes.

    At the bindings, and if it is to be so `everywhere` at the sizes that the lemma takes for this.
    Raises RefusedError where not.
    """
    shapes = {
        record.name: tuple(polynomial(size) for size in record.shape) for record in part.inputs
    }
    check_form(record, nodes, shapes)
    if len(record.nodes) != len(part.pairs):
        raise RefusedError("the pairs aren't those of the derivative")
    random, kinds, budget = Random(seed), kinds_of(nodes), Budget(2 * OPERATIONS)
    seen = 0
    further = _further(record, nodes, bindings) if everywhere else []
    for binding in (*bindings, *further):
        for drawn in points(part.inputs, kinds, binding, random, {}):
            try:
                with flint.ctx.workprec(_BITS):
                    check_derivative(record, nodes, binding, drawn, random, budget)
            except (ZeroDivisionError, OutsideError):
                continue
            seen += 1
            break
    if not seen:
        raise RefusedError("not confirmed: no point for the derivative is in the domain")
    for binding in bindings[:FAR_SIZES]:
        more = Budget(2 * OPERATIONS)
        for drawn in far_points(part.inputs, kinds, binding, random, {}, constants_of(nodes)):
            try:
                with flint.ctx.workprec(_BITS):
                    check_derivative(record, nodes, binding, drawn, random, more)
            except (ZeroDivisionError, OutsideError):
                continue
    for (first, _), place in zip(part.pairs, record.nodes, strict=True):
        if not _instance(nodes, first, place):
            raise RefusedError(f"node {first} of the pair isn't node {place} of the derivative")


def _further(
    record: DerivativeRecord, nodes: Sequence[Node], bindings: Sequence[Binding]
) -> list[Binding]:
    """The sizes from the first ones on, as many as the lemma takes, that aren't known yet."""
    names = sorted(set().union(*bindings)) if bindings else []
    first = {name: min(binding[name] for binding in bindings) for name in names}
    ranges: list[range] = []
    for name in names:
        count = max(_sizes_of(record, nodes, name, place) for place in record.nodes)
        ranges.append(range(first[name], first[name] + count))
    cells = prod(len(sizes) for sizes in ranges)
    if cells > _GRID or any(sizes[-1] > SIZE for sizes in ranges):
        text = ", ".join(f"{n} up to {r[-1]}" for n, r in zip(names, ranges, strict=True))
        raise RefusedError(f"not confirmed: the derivative takes sizes {text}")
    grid = [dict(zip(names, sizes, strict=True)) for sizes in sorted(product(*ranges), key=sum)]
    return [binding for binding in grid if binding not in bindings]


def _sizes_of(record: DerivativeRecord, nodes: Sequence[Node], name: str, place: int) -> int:
    """How many sizes a node is compared with the derivative at; a guess where there is no lemma.

    Each derivative of a quotient A / B is one over B squared; that of a function is a product with
    that of its argument.
    """
    counting = Counting(nodes, name, {}, signs=False)
    free = len(axes_of(nodes[place].shape, name))
    try:
        above, below = counting.above_and_below(record.primal)
        for inner in reachable(nodes, [record.primal]):
            if nodes[inner].operation in ("function", "power", "subgradient"):
                over, under = counting.above_and_below(nodes[inner].inputs[0])
                above, below = above + over, below + under
        own, divisor = counting.above_and_below(place)
    except NoBoundError:
        return max(_HIGHEST, 1 + highest_power(nodes, name))
    for _ in range(2 if record.kind == "hessian" else 1):
        above, below = above + below, 2 * below
    return max(1, free) + ceil(max(own + below, above + divisor))


def _instance(nodes: Sequence[Node], first: int, general: int) -> bool:
    """Whether a node is another one with formulas put in for inputs, one for each."""
    put_in: dict[str, int] = {}
    same: set[tuple[int, int]] = set()
    work = [(first, general)]
    while work:
        one, other = work.pop()
        if (one, other) in same:
            continue
        same.add((one, other))
        a, b = nodes[one], nodes[other]
        if b.operation == "input":
            if a.shape != b.shape:
                return False
            if b.parameter in put_in and not _equal(nodes, one, put_in[b.parameter]):
                return False
            put_in.setdefault(b.parameter, one)
            continue
        if (a.operation, a.parameter, a.shape, a.kind, len(a.inputs)) != (
            b.operation,
            b.parameter,
            b.shape,
            b.kind,
            len(b.inputs),
        ):
            return False
        work.extend(zip(a.inputs, b.inputs, strict=True))
    return all(_about(nodes, place, name) for name, place in put_in.items())


def _about(nodes: Sequence[Node], place: int, name: str) -> bool:
    """What is put in for an input is a formula of the input of that name alone."""
    found = {
        nodes[part].parameter
        for part in reachable(nodes, [place])
        if nodes[part].operation == "input"
    }
    return found == {name}


def _equal(nodes: Sequence[Node], one: int, other: int) -> bool:
    work, same = [(one, other)], set[tuple[int, int]]()
    while work:
        pair = work.pop()
        if pair[0] == pair[1] or pair in same:
            continue
        same.add(pair)
        a, b = nodes[pair[0]], nodes[pair[1]]
        if (a.operation, a.parameter, a.shape, a.kind) != (
            b.operation,
            b.parameter,
            b.shape,
            b.kind,
        ) or len(a.inputs) != len(b.inputs):
            return False
        work.extend(zip(a.inputs, b.inputs, strict=True))
    return True
