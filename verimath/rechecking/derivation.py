"""Checking the part `derivation`: both sides in index notation, and every step to nothing.

What is arithmetic with lists is done exactly. That terms have the value of a node, or of the terms
that they replace, is looked at in rational numbers (balls of many digits where there are roots or
functions) at random points, at all sizes that the lemma of docs/proofs.md takes. Where it says
nothing (inverses, positions) sizes up to five are looked at, or more, if there are numbers that may
decide something there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import ceil, prod
from random import Random
from typing import Any

import flint
import numpy as np

from verimath.rechecking.differentiated import (
    FAR_SIZES,
    check_differentiated,
    constants_of,
    far_points,
    points,
    where,
)
from verimath.rechecking.evaluate import evaluate
from verimath.rechecking.graph import Node, Shape, reachable, read_graph
from verimath.rechecking.limits import OPERATIONS, Budget, RefusedError
from verimath.rechecking.order import Counting, NoBoundError, highest_power, places
from verimath.rechecking.plain import Plain
from verimath.rechecking.polynomials import alone, degree, names, polynomial
from verimath.rechecking.reals import (
    NotRationalError,
    OutsideError,
    Reals,
    Residues,
    contains_zero,
)
from verimath.rechecking.sizing import (
    Binding,
    check_pairs,
    choices_of_labels,
    kinds_of,
    refuse_compared_integers,
    seed_of,
    sizes_in,
)
from verimath.rechecking.structures import structures
from verimath.rechecking.terms import (
    MOST_TERMS,
    Definition,
    Definitions,
    Evaluation,
    Term,
    combined,
    need,
    read_definitions,
    read_term,
    read_terms,
)
from verimath.rechecking.unknowns import field_prime
from verimath.report.certificate import DerivationCertificate, InputRecord

FORMAT = "verimath derivation 1"
_FIRST = "left side minus right side"
_BITS = 320
_HIGHEST = 5  # sizes that are looked at where the lemma says nothing
_LARGEST = 24  # size
_GRID = 400  # choices of sizes
_OPERATIONS = 4 * OPERATIONS
_STARTS, _STARTS_TRIED = 3, 8  # first sizes at which everything is defined
_AT_ONE_SHAPE = 3  # points
_LABELS = 64  # choices of labels and masks at the same sizes
_ALL_LABELS = 4096  # at the first sizes, where all are looked at
_DEPTH = 400  # steps of one output
_MOST = Fraction(1000)  # of an order


@dataclass(frozen=True, slots=True)
class Change:
    """One term and the terms that take its place."""

    before: Term
    after: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Times:
    """What every term was multiplied by: a number per element, or a matrix along an axis."""

    terms: tuple[Term, ...]
    axis: int | None
    free: Shape


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what it changes."""

    rule: str
    changes: tuple[Change, ...]
    times: Times | None


@dataclass(frozen=True, slots=True)
class Output:
    """One pair: both sides, and steps that are in order as lists."""

    shape: Shape
    left: tuple[Term, ...]
    right: tuple[Term, ...]
    steps: tuple[Step, ...]


def check_derivation(part: DerivationCertificate) -> str:
    """What holds, in short.

    Raises RefusedError where something doesn't, or can't be confirmed.
    """
    nodes = read_graph(part.graph, part.inputs)
    check_pairs(part.pairs, nodes)
    refuse_compared_integers(nodes, part.inputs)
    record = part.steps
    need(isinstance(record, dict), "the steps are no object")
    assert isinstance(record, dict)
    need(
        set(record) == {"format", "hypotheses", "definitions", "outputs"}
        and record["format"] == FORMAT,
        f"the steps aren't of the format {FORMAT!r}",
    )
    hypotheses = record["hypotheses"]
    need(
        isinstance(hypotheses, list) and all(isinstance(line, str) for line in hypotheses),
        "the hypotheses are no sentences",
    )
    structured = structures(str(line) for line in hypotheses)  # pyright: ignore
    known = {item.name for item in part.inputs}
    need(set(structured) <= known, "a hypothesis is about what is no input")
    definitions = read_definitions(record["definitions"])
    entries = record["outputs"]
    need(isinstance(entries, list) and len(entries) == len(part.pairs), "not one output per pair")
    outputs = [
        _output(entry, nodes[pair[0]].shape, definitions)
        for entry, pair in zip(entries, part.pairs, strict=True)  # pyright: ignore
    ]
    _check_values(part, nodes, definitions, outputs, structured)
    count = sum(len(output.steps) for output in outputs)
    dimensions = sizes_in(nodes, part.inputs)
    return f"derived in {count} step{'s' * (count != 1)}" + (
        f" for all {' '.join(sorted(dimensions))}" if dimensions else ""
    )


# Lists ------------------------------------------------------------------------------------------


def _output(entry: Any, shape: Shape, definitions: Definitions) -> Output:
    keys = {"shape", "left", "right", "steps"}
    need(isinstance(entry, dict) and set(entry) == keys, f"an output has other keys than {keys}")
    need(isinstance(entry["shape"], list), "an output's shape is no list")
    own = tuple(polynomial(str(size)) for size in entry["shape"])
    need(own == shape, "an output has another shape than its pair")
    left, right = (read_terms(entry[side], shape, definitions) for side in ("left", "right"))
    steps = entry["steps"]
    need(isinstance(steps, list) and 0 < len(steps) <= _DEPTH, f"no steps, or more than {_DEPTH}")
    first = steps[0]
    need(
        isinstance(first, dict) and set(first) == {"rule", "terms"} and first["rule"] == _FIRST,
        f"the first step isn't {_FIRST!r}",
    )
    expression = combined(read_terms(first["terms"], shape, definitions))
    negated = [Term(-t.coefficient, t.sizes, t.numbers, t.factors, t.sums) for t in right]
    need(combined((*left, *negated)) == expression, "the first step isn't left minus right")
    found: list[Step] = []
    for place, step in enumerate(steps[1:], start=1):
        try:
            read, expression = _step(step, shape, definitions, expression)
        except RefusedError as error:
            raise RefusedError(f"step {place}: {error}") from None
        found.append(read)
    need(not expression, "the last step leaves terms over")
    return Output(shape, left, right, tuple(found))


def _step(
    entry: Any, shape: Shape, definitions: Definitions, before: Mapping[Term, Fraction]
) -> tuple[Step, dict[Term, Fraction]]:
    need(
        isinstance(entry, dict)
        and {"rule", "changes", "terms"} <= set(entry) <= {"rule", "changes", "terms", "times"},
        "has other keys than rule, changes, terms, times",
    )
    rule = entry["rule"]
    need(isinstance(rule, str) and 0 < len(rule) <= 200 and rule != _FIRST, "has no rule")
    need(isinstance(entry["changes"], list) and bool(entry["changes"]), "changes nothing")
    need(len(entry["changes"]) <= MOST_TERMS, f"more than {MOST_TERMS} changes")
    changes: list[Change] = []
    total = dict(before)
    for change in entry["changes"]:
        need(isinstance(change, dict) and set(change) == {"from", "to"}, "a change isn't from, to")
        old = read_term(change["from"], shape, definitions)
        new = read_terms(change["to"], shape, definitions)
        need(total.get(old.like) == old.coefficient, f"{rule!r} changes a term that isn't there")
        del total[old.like]
        changes.append(Change(old, new))
    times = _times(entry["times"], shape, definitions) if "times" in entry else None
    need(times is None or not total, f"{rule!r} multiplies only some of the terms")
    need((times is not None) == rule.startswith("multiplied"), f"{rule!r} is no such rule")
    after = combined(
        [
            *(Term(c, t.sizes, t.numbers, t.factors, t.sums) for t, c in total.items()),
            *(term for change in changes for term in change.after),
        ]
    )
    claimed = combined(read_terms(entry["terms"], shape, definitions))
    need(after == claimed, f"{rule!r} leads to other terms than it says")
    return Step(rule, tuple(changes), times), claimed


def _times(entry: Any, shape: Shape, definitions: Definitions) -> Times:
    need(isinstance(entry, dict) and {"terms"} <= set(entry) <= {"terms", "axis"}, "times what?")
    if "axis" not in entry:
        return Times(read_terms(entry["terms"], shape, definitions), None, shape)
    axis = entry["axis"]
    need(isinstance(axis, int) and 0 <= axis < len(shape), "times along no axis")
    # The old place `was` is read as one more free index.
    free = (*shape, shape[axis])
    named = _renamed(entry["terms"], {"was": f"i{len(shape)}"})
    return Times(read_terms(named, free, definitions), axis, free)


def _renamed(terms: Any, names: Mapping[str, str]) -> Any:
    need(isinstance(terms, list), "a list of terms is no list")
    found: list[Any] = []
    for term in terms:
        need(
            isinstance(term, dict) and isinstance(term.get("factors"), list), "a term is no object"
        )
        factors: list[Any] = []
        for factor in term["factors"]:
            need(
                isinstance(factor, dict) and isinstance(factor.get("indices"), list),
                "a factor is no object",
            )
            indices = [names.get(str(index), str(index)) for index in factor["indices"]]
            factors.append({**factor, "indices": indices})
        found.append({**term, "factors": factors})
    return found


# Values -----------------------------------------------------------------------------------------


def _check_values(
    part: DerivationCertificate,
    nodes: Sequence[Node],
    definitions: Definitions,
    outputs: Sequence[Output],
    structured: Mapping[str, str],
) -> None:
    seed = seed_of(part)
    random, kinds, budget = Random(seed), kinds_of(nodes), Budget(_OPERATIONS)
    seen: list[Binding] = []
    coefficients = (term.coefficient for entry in definitions.values() for term in entry.terms)
    constants = constants_of(nodes, coefficients)
    numbers: Plain = Residues(field_prime(Random(seed)))

    def look(binding: Binding) -> bool:
        """Whether there are points in the domain at these sizes, where all is as it should be."""
        count, choice = choices_of_labels(part.inputs, kinds, binding)
        if not seen and count > _ALL_LABELS:
            raise RefusedError(f"not confirmed: {count} choices of labels; at most {_ALL_LABELS}")
        few = count <= _LABELS or not seen
        chosen = range(count) if few else [random.randrange(count) for _ in range(_LABELS)]
        return all(look_at(binding, choice(number)) for number in chosen)

    def look_at(binding: Binding, labels: Mapping[str, Sequence[int]]) -> bool:
        nonlocal numbers
        for drawn in points(part.inputs, kinds, binding, random, structured, labels):
            try:
                with flint.ctx.workprec(_BITS):
                    try:
                        _at(part, nodes, definitions, outputs, binding, drawn, budget, numbers)
                    except NotRationalError:
                        numbers = Reals()
                        _at(part, nodes, definitions, outputs, binding, drawn, budget, numbers)
            except (ZeroDivisionError, OutsideError):
                continue
            if binding not in seen:
                seen.append(binding)
                if isinstance(numbers, Reals) and len(seen) <= FAR_SIZES:
                    look_far(binding, labels)
            return True
        return False

    def look_far(binding: Binding, labels: Mapping[str, Sequence[int]]) -> None:
        """On other sides of what roots are taken of, and of steps."""
        more = Budget(_OPERATIONS)
        for drawn in far_points(part.inputs, kinds, binding, random, structured, constants, labels):
            try:
                with flint.ctx.workprec(_BITS):
                    _at(part, nodes, definitions, outputs, binding, drawn, more, Reals())
            except (ZeroDivisionError, OutsideError):
                continue

    dimensions = sorted(sizes_in(nodes, part.inputs))
    if not dimensions:
        if not all(look({}) for _ in range(_AT_ONE_SHAPE)):
            raise RefusedError("not confirmed: no point is in the domain")
    else:
        _everywhere(dimensions, part, nodes, definitions, outputs, look)
    if part.derivative is not None:
        check_differentiated(part, part.derivative, nodes, seen, seed, everywhere=True)


def _everywhere(
    dimensions: Sequence[str],
    part: DerivationCertificate,
    nodes: Sequence[Node],
    definitions: Definitions,
    outputs: Sequence[Output],
    look: Callable[[Binding], bool],
) -> None:
    """Look at all sizes that it takes, from the first ones at which everything is defined."""
    count = {n: _enough(n, part, nodes, definitions, outputs) for n in dimensions}
    looked: dict[tuple[int, ...], bool] = {}
    starts = sorted(product(range(1, _STARTS + 1), repeat=len(dimensions)), key=sum)
    for start in starts[:_STARTS_TRIED]:
        ranges = [
            range(low, low + count[name]) for low, name in zip(start, dimensions, strict=True)
        ]
        cells = prod(len(sizes) for sizes in ranges)
        if cells > _GRID or any(sizes[-1] > _LARGEST for sizes in ranges):
            text = ", ".join(f"{n} up to {c}" for n, c in count.items())
            raise RefusedError(f"not confirmed: it takes sizes {text}, {cells} choices of them")
        for sizes in sorted(product(*ranges), key=sum):
            if sizes not in looked:
                looked[sizes] = look(dict(zip(dimensions, sizes, strict=True)))
            if not looked[sizes]:
                break
        else:
            return
    raise RefusedError("not confirmed: no point is in the domain")


def _enough(
    name: str,
    part: DerivationCertificate,
    nodes: Sequence[Node],
    definitions: Definitions,
    outputs: Sequence[Output],
) -> int:
    """How many sizes the lemma takes for one dimension; a guess where it says nothing."""
    free = max(sum(alone(size) == name for size in output.shape) for output in outputs)
    found = [
        _of_change(change, step.times, name, definitions)
        for output in outputs
        for step in output.steps
        for change in step.changes
    ]
    # Functions are of the same arguments, or of others that have to be told apart.
    functions = [entry for entry in definitions.values() if entry.kind != "sum" and entry.terms]
    axes = [sum(alone(size) == name for size in entry.indices) for entry in functions]
    inside = [_of_argument(entry, name, definitions) for entry in functions]
    arguments = [orders for orders in inside if orders is not None]
    orders = [order for order in found if order is not None] + _apart(arguments)
    try:
        if len(arguments) < len(inside) or None in found:
            raise NoBoundError("the terms of a sum have different sums as denominators")
        _refuse_labels(part.inputs, name)
        fixed = {other: _HIGHEST for other in sizes_in(nodes, part.inputs) if other != name}
        counting = Counting(nodes, name, fixed, signs=False)
        for output, pair in zip(outputs, part.pairs, strict=True):
            sides = [counting.above_and_below(place) for place in pair]
            orders.append(_between(*sides))
            for side, (above, below) in zip((output.left, output.right), sides, strict=True):
                orders.append(_against(above, below, _parts(side, name, definitions)))
        orders += _apart([*arguments, *_arguments(nodes, part.pairs, counting)])
        if not any(_is_open(entry, name) for entry in definitions.values()):
            return max(1, free, 2 * max(axes, default=0)) + ceil(max(orders, default=0))
    except NoBoundError:
        pass
    # A polynomial in the size itself, or a place that is compared, is zero up to some size.
    power = max(highest_power(nodes, name), places(nodes), _places(definitions))
    return max(_HIGHEST, 1 + power, max(1, free) + ceil(max(orders, default=0)))


def _is_open(entry: Definition, name: str) -> bool:
    """Whether the lemma says nothing of a definition."""
    kinds = ("inverse", "cholesky", "determinant", "reduction", "share", "index")
    along = any(alone(size) == name for size in (*entry.indices, *entry.inner))
    return entry.kind in kinds and along


def _places(definitions: Definitions) -> int:
    """A number that is no smaller than those that places are compared with."""
    if not any(entry.kind == "index" for entry in definitions.values()):
        return 0
    numbers = [abs(t.coefficient) for entry in definitions.values() for t in entry.terms]
    return ceil(max(numbers, default=Fraction(0))) + 1


# The order of a term's numerator, and of what it is divided by, by what that is.
Parts = tuple[Fraction, Mapping[object, Fraction]]


Orders = tuple[Fraction, Fraction]  # of a numerator, and of what it is divided by


def _between(one: Orders, other: Orders) -> Fraction:
    """The order of the difference of two quotients."""
    return max(one[0] + other[1], other[0] + one[1])


def _apart(found: Sequence[Orders]) -> list[Fraction]:
    """The largest order of the difference of any two."""
    if not found:
        return []
    return [max(above for above, _ in found) + max(below for _, below in found)]


def _of_argument(entry: Definition, name: str, definitions: Definitions) -> Orders | None:
    """The orders of what a function is of; None if the lemma says nothing."""
    try:
        above, below = _parts(entry.terms, name, definitions)
    except NoBoundError:
        return None
    return above, sum(below.values(), Fraction(0))


def _arguments(
    nodes: Sequence[Node], pairs: Sequence[tuple[int, int]], counting: Counting
) -> list[Orders]:
    found: list[Orders] = []
    for place in reachable(nodes, [place for pair in pairs for place in pair]):
        node = nodes[place]
        broken = node.operation == "power" and node.parameter.denominator > 1
        if broken or node.operation in ("function", "subgradient"):
            found.append(counting.above_and_below(node.inputs[0]))
    return found


def _of_change(
    change: Change, times: Times | None, name: str, definitions: Definitions
) -> Fraction | None:
    """The order of what a change says is nothing; None if the lemma says nothing."""
    try:
        if times is None:
            return _parts((*change.after, change.before), name, definitions)[0]
        before, by, after = (
            _parts(terms, name, definitions)
            for terms in ((change.before,), times.terms, change.after)
        )
    except NoBoundError:
        return None
    above = before[0] + by[0]
    if times.axis is not None:  # a product of matrices sums over it
        above += degree(times.free[-1], name)
    below = sum(before[1].values()) + sum(by[1].values(), Fraction(0))
    return _against(above, below, after)


def _parts(terms: Sequence[Term], name: str, definitions: Definitions) -> Parts:
    """No less than the order of a sum's numerator over its common denominator; and that one's."""
    found = [_of_term(term, name, definitions) for term in terms]
    below: dict[object, Fraction] = {}
    for _, own in found:
        for key, order in own.items():
            below[key] = max(order, below.get(key, order))
    common = sum(below.values(), Fraction(0))
    above = max((order + common - sum(own.values()) for order, own in found), default=Fraction(0))
    return above, below


def _of_term(term: Term, name: str, definitions: Definitions) -> Parts:
    above = sum((Fraction(degree(size, name)) for _, size in term.sums), Fraction(0))
    below: dict[object, Fraction] = {}
    for size, power in term.sizes:
        if size == name:
            above += max(power, Fraction(0))
            below["size"] = max(-power, Fraction(0))
    for factor in term.factors:
        entry = definitions[factor.of]
        if entry.kind == "sum":
            over, under = _parts(entry.terms, name, definitions)
            down = sum(under.values(), Fraction(0))
            if factor.exponent < 0:
                over, down = down, over
            each = abs(factor.exponent) * down
            summed = [size for index, size in term.sums if index in factor.indices] if each else []
            if any(name in names(size) for size in summed):
                raise NoBoundError("the terms of a sum have different sums as denominators")
            # One denominator for every place along other dimensions.
            count = _HIGHEST ** len(summed)
            above += abs(factor.exponent) * over + (count - 1) * each
            key = (factor.of, factor.indices)
            below[key] = below.get(key, Fraction(0)) + count * each
    return min(above, _MOST), {key: min(order, _MOST) for key, order in below.items()}


def _against(above: Fraction, below: Fraction, parts: Parts) -> Fraction:
    """The order of a sum that is to be a node, whose orders are given."""
    order, under = parts
    return max(above + sum(under.values()), order + below)


def _refuse_labels(inputs: Sequence[InputRecord], name: str) -> None:
    """Raise NoBoundError for labels that are as many as a size says."""
    for record in inputs:
        if record.classes is not None and name in names(polynomial(record.classes)):
            raise NoBoundError(f"labels of {record.name!r} are as many as it says")


def _at(
    part: DerivationCertificate,
    nodes: Sequence[Node],
    definitions: Definitions,
    outputs: Sequence[Output],
    binding: Binding,
    drawn: Mapping[str, Any],
    budget: Budget,
    numbers: Plain,
) -> None:
    """Everything at one point."""
    if isinstance(numbers, Residues):
        drawn = {name: x if _are_whole(x) else numbers.lift(x) for name, x in drawn.items()}
    wanted = [place for pair in part.pairs for place in pair]
    values = evaluate(nodes, numbers, binding, drawn, budget, wanted)
    terms = Evaluation(definitions, numbers, binding, drawn, budget)
    sizes = where(binding)
    for number, (output, pair) in enumerate(zip(outputs, part.pairs, strict=True)):
        for side, found, place in zip(
            ("left", "right"), (output.left, output.right), pair, strict=True
        ):
            if not _same(terms.terms(found, output.shape), numbers.lift(values[place])):
                raise RefusedError(f"output {number}: `{side}` isn't node {place} at {sizes}")
        for count, step in enumerate(output.steps, start=1):
            message = f"output {number}, step {count}: {step.rule!r} doesn't hold at {sizes}"
            times = _multiplier(terms, step.times, message)
            for change in step.changes:
                before = terms.terms((change.before,), output.shape)
                if step.times is not None:
                    before = _multiplied(before, times, step.times.axis)
                if not _same(before, terms.terms(change.after, output.shape)):
                    raise RefusedError(message)


def _are_whole(x: Any) -> bool:
    """Whether an input is of labels or masks, which stay integers."""
    return all(isinstance(item, int) for item in x.ravel())


def _multiplier(terms: Evaluation, times: Times | None, message: str) -> Any:
    if times is None:
        return None
    found = terms.terms(times.terms, times.free)
    if times.axis is None:
        if any(item == 0 for item in found.ravel()):
            raise RefusedError(f"{message}: multiplied by zero")
        _decided(found)
        return found
    # T[..., ik, ..., was]: one matrix for every place along the other axes.
    matrices = np.moveaxis(found, times.axis, -2)
    determinants = np.ravel(terms.numbers.determinant(matrices))
    if any(item == 0 for item in determinants):
        raise RefusedError(f"{message}: multiplied by a singular matrix")
    _decided(determinants)
    return matrices


def _decided(numbers: Any) -> None:
    if any(isinstance(item, flint.arb) and item.contains(0) for item in numbers.ravel()):
        raise OutsideError


def _multiplied(before: Any, times: Any, axis: int | None) -> Any:
    if axis is None:
        return np.asarray(before * times, dtype=object)
    moved = np.moveaxis(before, axis, -1)[..., None]
    return np.moveaxis(np.matmul(times, moved)[..., 0], -1, axis)


def _same(one: Any, other: Any) -> bool:
    """Equal, as far as balls tell; two that are wide tell nothing, and the point is left."""
    if one.shape != other.shape:
        return False
    if any(isinstance(item, flint.nmod) for item in one.ravel()):
        return all(a == b for a, b in zip(one.ravel(), other.ravel(), strict=True))
    for a, b in zip(one.ravel(), other.ravel(), strict=True):
        difference = a - b
        if not contains_zero(difference):
            return False
        if isinstance(difference, flint.arb):
            size = 1 + max(abs(flint.arb(a)).upper(), abs(flint.arb(b)).upper())
            if not difference.rad() < size * flint.arb(2) ** (-_BITS // 4):
                raise OutsideError
    return True
