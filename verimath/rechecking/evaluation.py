"""Checking the part `evaluation`: pairs agree in a prime field, at all sizes or at some."""

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from random import Random
from typing import Any

from verimath.rechecking.differentiated import check_differentiated, check_numbers
from verimath.rechecking.differentiated import where as at_sizes
from verimath.rechecking.evaluate import evaluate
from verimath.rechecking.graph import Node, axes_of, reachable, read_graph
from verimath.rechecking.limits import SIZE, Budget, RefusedError
from verimath.rechecking.normal import normalised
from verimath.rechecking.order import Shared, reached
from verimath.rechecking.plain import subtract
from verimath.rechecking.polynomials import ONE, names, polynomial
from verimath.rechecking.sizing import (
    Binding,
    check_pairs,
    choices_of_labels,
    kinds_of,
    refuse_compared_integers,
    seed_of,
    sizes_in,
)
from verimath.rechecking.unknowns import (
    RetryError,
    Sharing,
    Unknowns,
    all_choices,
    common_exponents,
    draw_inputs,
    field_prime,
)
from verimath.report.certificate import EvaluationCertificate, InputRecord

_POINTS = 2
_LABELS = 256  # choices of labels, which are all looked at
_TRIES = 1200  # of points at which all square roots exist
_GRID = 3000  # choices of sizes
_BITS = 256
_ATTEMPTS = 24


def check_evaluation(part: EvaluationCertificate) -> str:
    """What holds, in short.

    Raises RefusedError where something doesn't, or can't be confirmed.
    """
    nodes = read_graph(part.graph, part.inputs)
    check_pairs(part.pairs, nodes)
    refuse_compared_integers(nodes, part.inputs)
    seed = seed_of(part)
    grid = bool(part.sizes)
    if grid:
        _refuse_labels(part.inputs)
    bindings = _bindings(part, nodes)
    kinds = kinds_of(nodes)
    places = [place for pair in part.pairs for place in pair]
    positive = {record.name for record in part.inputs if record.positive}
    formula, wanted = normalised(nodes, places, positive)
    pairs = list(zip(wanted[::2], wanted[1::2], strict=True))
    pairs = [pair for pair in pairs if pair[0] != pair[1]]
    check_numbers(nodes, part.pairs, part.inputs, bindings, seed)
    agree(formula, pairs, part.inputs, kinds, bindings, part.sizes if grid else None, seed)
    if part.derivative is not None:
        check_differentiated(part, part.derivative, nodes, bindings, seed, everywhere=grid)
    if grid and part.sizes:
        ends = " ".join(f"{name}≥{low}" for name, (low, _) in sorted(part.sizes.items()))
        return f"equal for all {ends}"
    return f"equal at {len(bindings)} choice{'s' * (len(bindings) != 1)} of sizes"


def _refuse_labels(inputs: Sequence[InputRecord]) -> None:
    """Raise RefusedError for labels that are as many as a size says: the lemma has none such."""
    for record in inputs:
        if record.classes is not None and names(polynomial(record.classes)):
            raise RefusedError(
                f"not confirmed: the lemma gives no bound for labels {record.name[:40]!r} "
                f"of {record.classes[:40]} classes"
            )


def _bindings(part: EvaluationCertificate, nodes: Sequence[Node]) -> list[Binding]:
    """The choices of sizes, the largest first."""
    known = sizes_in(nodes, part.inputs)
    bindings: list[Binding]
    if part.sizes:
        for name, (low, high) in part.sizes.items():
            if not 1 <= low <= high <= SIZE:
                raise RefusedError(f"sizes {low} to {high} of {name[:40]!r}; 1 to {SIZE} at most")
        if prod(high - low + 1 for low, high in part.sizes.values()) > _GRID:
            raise RefusedError(f"not confirmed: more than {_GRID} choices of sizes")
        order = sorted(part.sizes)
        ranges = [range(part.sizes[name][1], part.sizes[name][0] - 1, -1) for name in order]
        bindings = [dict(zip(order, choice, strict=True)) for choice in product(*ranges)]
    else:
        bindings = [dict(binding) for binding in part.bindings]
        if not bindings:
            if known:
                raise RefusedError("no sizes are given")
            bindings = [{}]
        if len(bindings) > _GRID:
            raise RefusedError(f"not confirmed: more than {_GRID} choices of sizes")
    for binding in bindings:
        lacking = known - set(binding)
        if lacking:
            raise RefusedError(f"the size {min(lacking)[:40]!r} isn't given")
        if any(not 1 <= size <= SIZE for size in binding.values()):
            raise RefusedError(f"sizes {binding}; 1 to {SIZE} are looked at")
    return bindings


# In a prime field -------------------------------------------------------------------------------


Labels = Mapping[str, Sequence[int]]


class _DifferError(Exception):
    """Two sides differ."""


def agree(
    formula: Sequence[Node],
    pairs: Sequence[tuple[int, int]],
    inputs: Sequence[InputRecord],
    kinds: Mapping[str, str],
    bindings: Sequence[Binding],
    sizes: Mapping[str, tuple[int, int]] | None,
    seed: str,
) -> None:
    """Pairs agree at random points at every binding; with `sizes`, these reach the lemma's bound.

    First with unknowns for roots and steps, then with every sign and every value of these.
    Raises RefusedError where they don't.
    """
    prime = field_prime(Random(seed))
    exponents = common_exponents([formula[place] for place in sorted(_needed(formula, pairs))])
    budget = Budget()
    labelled = {
        place: choices_of_labels(inputs, {}, binding) for place, binding in enumerate(bindings)
    }
    points = max(_POINTS, *(count for count, _ in labelled.values()))
    if points > _LABELS:
        raise RefusedError(f"not confirmed: {points} choices of labels; at most {_LABELS}")
    wanted = [place for pair in pairs for place in pair]

    def run(
        binding: Binding, labels: Labels, sharing: Sharing, salt: str, choices: Any
    ) -> Unknowns:
        where = f"{seed}/{salt}/{sorted(binding.items())}"
        numbers = Unknowns(
            prime, sharing, where, sizes=binding, exponents=exponents, choices=choices
        )
        drawn = draw_inputs(inputs, kinds, binding, prime, where, labels)
        values = evaluate(formula, numbers, binding, drawn, budget, wanted)
        for first, second in pairs:
            differing = numbers.lift(numbers.linear(subtract, values[first], values[second]))
            if any(int(item) != 0 for item in differing.ravel()):
                raise _DifferError(f"the two sides differ at {at_sizes(binding)} in a prime field")
        return numbers

    def many(
        binding: Binding, labels: Labels, sharing: Sharing, salt: str, trying: bool
    ) -> Sharing:
        """Until no division by zero, and every root, comes in the way."""
        for attempt in range(_TRIES):
            trial, where = sharing if sharing.fixed else Sharing(), f"{salt}.{attempt}"
            try:
                first = run(binding, labels, trial, where, {} if trying else None)
                trial.fixed = True
                for choices in all_choices(sorted(first.met)) if trying else ():
                    run(binding, labels, trial, where, choices)  # at the same point
            except (ZeroDivisionError, RetryError):
                continue
            return trial
        raise RefusedError(f"not confirmed: no point at {at_sizes(binding)} is in the domain")

    def sweep(trying: bool) -> Sharing:
        sharing = Sharing()
        for point in range(points):
            sharing = Sharing()
            for place, binding in enumerate(bindings):  # the largest first, for the lemma
                count, choice = labelled[place]
                if sizes is None:
                    sharing = Sharing()
                labels = choice(point % count)
                sharing = many(binding, labels, sharing, f"{trying} {point}", trying)
        return sharing

    if not pairs:
        return
    signs = False
    try:
        sharing = sweep(False)
    except _DifferError as error:
        if not _has_choices(formula, pairs):
            raise RefusedError(str(error)) from None
        signs = True
        try:
            sharing = sweep(True)
        except _DifferError as again:
            raise RefusedError(str(again)) from None
    if sizes is not None:
        reached(formula, pairs, _shared(formula, sharing, sizes), sizes, signs)


def _has_choices(formula: Sequence[Node], pairs: Sequence[tuple[int, int]]) -> bool:
    return any(
        (node.operation == "power" and node.parameter.denominator > 1)
        or node.operation == "cholesky"
        or (node.operation == "subgradient" and node.parameter == "step")
        for node in (formula[place] for place in _needed(formula, pairs))
    )


def _needed(formula: Sequence[Node], pairs: Sequence[tuple[int, int]]) -> set[int]:
    return reachable(formula, [place for pair in pairs for place in pair])


def _shared(
    formula: Sequence[Node], sharing: Sharing, sizes: Mapping[str, tuple[int, int]]
) -> list[Shared]:
    """The identities of arguments that unknowns were shared by."""
    found: set[Shared] = set()
    for entries in sharing.places.values():
        node, index = _origin(formula, entries[0])
        for entry in entries[1:]:
            another, other = _origin(formula, entry)
            if (node, index) == (another, other):
                continue
            if node < 0 or another < 0:
                raise RefusedError("not confirmed: pivots of a factorisation that are equal")
            apart = range(max(len(index), len(other)))
            if len(index) == len(other):
                apart = [k for k, (a, b) in enumerate(zip(index, other, strict=True)) if a != b]
            elements = tuple(
                (
                    name,
                    len(_along(formula[node], index, name) | _along(formula[another], other, name)),
                )
                for name in sizes
            )
            found.add(Shared(node, another, elements, tuple(apart)))
    return sorted(found, key=repr)


def _origin(
    formula: Sequence[Node], entry: tuple[tuple[int, tuple[int, ...]], int]
) -> tuple[int, tuple[int, ...]]:
    """The element that an element of a repeated array repeats."""
    (_, index), place = entry
    while place >= 0:
        node = formula[place]
        if node.operation not in ("broadcast", "reshape") or len(index) != len(node.shape):
            break
        inner = formula[node.inputs[0]].shape
        if node.operation == "broadcast":
            tail = index[len(index) - len(inner) :]
            index = tuple(0 if size == ONE else k for k, size in zip(tail, inner, strict=True))
        else:
            before = [size for size in inner if size != ONE]
            if before != [size for size in node.shape if size != ONE]:
                break
            kept = iter([k for k, size in zip(index, node.shape, strict=True) if size != ONE])
            index = tuple(0 if size == ONE else next(kept) for size in inner)
        place = node.inputs[0]
    return place, index


def _along(node: Node, index: tuple[int, ...], name: str) -> set[int]:
    axes = axes_of(node.shape, name)
    return {index[axis] for axis in axes if axis < len(index)}
