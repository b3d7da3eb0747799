"""Whether two formulas are one function: exact evaluation at random points of a prime field.

At some sizes this shows an identity at these sizes; at all sizes up to the bounds of
`verimath.proof.sizes`, one at every size. Nothing is refuted here: a field has no order, and what
is an unknown in it may be known otherwise.
"""

import itertools
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from verimath.arithmetic import residues as gf
from verimath.arithmetic.field import Evaluation, Point, ScaleError, Values
from verimath.arithmetic.residues import DegenerateError, Residues
from verimath.domain import Input
from verimath.errors import NotExpressibleError
from verimath.formula.core import lowered
from verimath.formula.graph import Node, topological
from verimath.formula.literals import read_literal
from verimath.proof.degree import failure_bits
from verimath.proof.sizes import Bounds, NoBoundError, bounds
from verimath.proof.structured import Construction, construction_of
from verimath.shapes import Binding, Size

# Counted, so that the same claim ends in the same way on every machine.
_LARGEST_GRID = 600  # combinations of sizes
_LARGEST_START = 3  # the first size at which a formula is defined
_STARTS = 8  # choices of first sizes
_WANTED_BITS = 40  # of the failure probability
LARGEST_PATTERN = 8  # choices of a sign or a step, each doubling the work
_LARGEST_LABELS = 64  # combinations of labels
_LARGEST_WORK = 3_000_000  # elements of all values, over all sizes
_ATTEMPTS = 5  # points with a division by zero, a singular matrix, an element without a root

Substitution = Mapping[str, tuple[Construction, int]]


@dataclass(frozen=True, slots=True)
class Identity:
    """Two sequences of arrays that are claimed to be equal, and what is known of their inputs.

    `allowed` says at which sizes the formulas are defined, `primal` whose derivatives they are.
    With `ties`, comparisons of real numbers by `==` are unknowns of their difference.
    """

    left: tuple[Node, ...]
    right: tuple[Node, ...]
    inputs: Mapping[str, Input]
    shapes: Mapping[str, tuple[Size, ...]]
    allowed: Callable[[Binding], bool] = lambda binding: True
    ties: bool = False
    primal: tuple[Node, ...] = ()

    @property
    def positive(self) -> frozenset[str]:
        """The names of inputs that are > 0 everywhere."""
        return frozenset(name for name, spec in self.inputs.items() if is_positive(spec))

    @property
    def names(self) -> list[str]:
        """The names of the sizes, sorted."""
        return sorted({n for shape in self.shapes.values() for size in shape for n in size.names})


@dataclass(frozen=True, slots=True)
class Known:
    """What exact evaluation says: equal at the bindings looked at, for all sizes, or neither.

    `pairs` are the core nodes that were compared, with structured inputs made of free ones.
    `bounds` is set where the sizes looked at suffice for all; `reason` says what stood in the way
    of more.
    """

    equal: bool
    pairs: tuple[tuple[Node, Node], ...] = ()
    bindings: tuple[Binding, ...] = ()
    bounds: Bounds | None = None
    failure_bits: float = 0.0
    hypotheses: tuple[str, ...] = ()
    reason: str | None = None
    defined: bool = True  # at the sizes looked at
    where: Binding | None = None  # sizes at which the field sees a difference


def for_all_sizes(identity: Identity, *, seed: int = 0) -> Known:
    """Evaluate at every size up to the bounds that the formula has.

    A structure of the inputs is used, and named, only if the identity needs it. `reason` says why
    nothing was shown: no bound, a grid too large, an operation that the field can't express, or a
    difference (which is no refutation).
    """

    def look(sides: "_Sides", mode: _Mode) -> Known:
        return _over_all_sizes(identity, sides, mode, seed)

    return _first_equal(identity, look)


def at_sizes(identity: Identity, bindings: Sequence[Binding], *, seed: int = 0) -> Known:
    """Evaluate at the given sizes."""

    def look(sides: "_Sides", mode: _Mode) -> Known:
        return _evaluated(identity, sides, bindings, mode, seed, by_value=True)[0]

    return _first_equal(identity, look)


@dataclass(frozen=True, slots=True)
class _Mode:
    """What is used of roots and steps; every choice of their signs costs an evaluation."""

    roots: bool
    zero_one: bool


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both sides in core operations; `pairs` are to be equal."""

    pairs: tuple[tuple[Node, Node], ...]

    @property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(node for pair in self.pairs for node in pair)

    @property
    def modes(self) -> list[_Mode]:
        """What to try: first with nothing used of roots and steps, then with more."""
        nodes = topological(self.nodes)
        roots = any(
            node.operation == "cholesky"
            or (node.operation == "power" and node.parameter.denominator != 1)
            or (node.operation == "constant" and node.parameter.unit == "sqrt")
            for node in nodes
        )
        steps = any(node.operation == "subgradient" for node in nodes)
        modes = [_Mode(roots=False, zero_one=False)]
        modes += [_Mode(roots=True, zero_one=False)] if roots else []
        return modes + ([_Mode(roots=roots, zero_one=True)] if steps else [])


Look = Callable[[_Sides, _Mode], Known]


def _first_equal(identity: Identity, look: Look) -> Known:
    """Free inputs first; then, if that isn't enough, with their structure."""
    known = _tried(identity, {}, look)
    if known.equal:
        return known
    found = _constructions(identity)
    for needed in _subsets(found):
        shown = [
            _tried(identity, {n: (found[n], k) for n, k in zip(needed, choice, strict=True)}, look)
            for choice in itertools.product(*(range(len(found[n].makes)) for n in needed))
        ]
        if all(one.equal for one in shown):
            hypotheses = tuple(f"{found[n].hypothesis}: {n}" for n in needed)
            bits = min(one.failure_bits for one in shown)
            return replace(shown[0], hypotheses=hypotheses, failure_bits=bits)
    return known


def _tried(identity: Identity, structure: Substitution, look: Look) -> Known:
    """The first mode that shows equality, or why the first one didn't."""
    tried: list[Known] = []
    try:
        sides = _sides(identity, structure)
    except NotExpressibleError as error:
        return Known(False, reason=f"a field can't express {error}")
    for mode in sides.modes:
        try:
            known = look(sides, mode)
        except NotExpressibleError as error:
            known = Known(False, reason=f"a field can't express {error}")
        except (NoBoundError, _TooLargeError) as error:
            known = Known(False, reason=str(error))
        if known.equal:
            return known
        tried.append(known)
    return tried[0]


def _subsets(found: Mapping[str, Construction]) -> Iterable[tuple[str, ...]]:
    """The fewest structures first, so that no hypothesis is named that isn't needed."""
    names = list(found)
    for count in range(1, len(names) + 1):
        yield from itertools.combinations(names, count)


def _constructions(identity: Identity) -> dict[str, Construction]:
    found = {name: construction_of(spec) for name, spec in identity.inputs.items()}
    return {name: made for name, made in found.items() if made is not None}


def _sides(identity: Identity, structure: Substitution) -> _Sides:
    outputs = (*identity.left, *identity.right)
    if structure:
        outputs = _substituted(outputs, structure)
    core = lowered(outputs, positive=identity.positive, ties=identity.ties)
    count = len(identity.left)
    pairs = zip(core[:count], core[count:], strict=True)
    return _Sides(tuple(pairs))


def _substituted(outputs: Sequence[Node], structure: Substitution) -> tuple[Node, ...]:
    """The outputs with structured inputs made of free ones of the same name and shape."""
    known: dict[Node, Node] = {}
    for node in topological(tuple(outputs)):
        below = tuple(known[x] for x in node.inputs)
        new = node if below == node.inputs else replace(node, inputs=below)
        if node.operation == "input" and node.parameter in structure:
            construction, which = structure[node.parameter]
            new = construction.makes[which](node)
        known[node] = new
    return tuple(known[node] for node in outputs)


class _TooLargeError(Exception):
    """More work than is allowed, and how much it would be."""


def _over_all_sizes(identity: Identity, sides: _Sides, mode: _Mode, seed: int) -> Known:
    """From the smallest sizes on from which the formulas are defined at all."""
    _refuse_labels(identity, sides)
    names = identity.names
    starts = itertools.product(range(1, _LARGEST_START + 1), repeat=len(names))
    known = Known(False, reason="the formulas aren't defined at consecutive sizes")
    for start in sorted(itertools.islice(starts, _LARGEST_GRID), key=sum)[:_STARTS]:
        first = dict(zip(names, start, strict=True))
        found = bounds(sides.pairs, first, roots=mode.roots)
        if not all(map(identity.allowed, _grid(found))):
            continue
        known = _from_start(identity, sides, mode, seed, found)
        if known.defined:
            break
    return known


def _refuse_labels(identity: Identity, sides: _Sides) -> None:
    """Labels that range over a dimension are data that depends on its size: no lemma for them."""
    used = {n.parameter for n in topological(sides.nodes) if n.operation == "input"}
    for name, spec in identity.inputs.items():
        if name in used and spec.classes is not None and spec.classes.names:
            along = min(spec.classes.names)
            raise NoBoundError(f"along {along}, there are as many labels {name} as its size says")


def _from_start(identity: Identity, sides: _Sides, mode: _Mode, seed: int, found: Bounds) -> Known:
    # Arguments that turn out to be equal have to be so at all sizes, which may take larger ones.
    for _ in range(_ATTEMPTS):
        known, merged = _evaluated(identity, sides, _grid(found), mode, seed, by_value=False)
        if not known.equal:
            return known
        wider = bounds([*sides.pairs, *merged], found.first, roots=mode.roots)
        if all(wider.largest[n] <= found.largest[n] for n in identity.names):
            return replace(known, bounds=found)
        largest = {n: max(wider.largest[n], found.largest[n]) for n in identity.names}
        found = Bounds(found.first, largest)
    raise NoBoundError("the sizes at which arguments agree kept growing")


def _grid(found: Bounds) -> list[Binding]:
    ranges = [range(found.first[n], top + 1) for n, top in found.largest.items()]
    cells = prod(map(len, ranges))
    if cells > _LARGEST_GRID:
        text = ", ".join(f"{n} <= {k}" for n, k in found.largest.items())
        raise _TooLargeError(f"{cells} combinations of sizes ({text}); at most {_LARGEST_GRID}")
    return [dict(zip(found.largest, sizes, strict=True)) for sizes in itertools.product(*ranges)]


def _evaluated(
    identity: Identity,
    sides: _Sides,
    bindings: Sequence[Binding],
    mode: _Mode,
    seed: int,
    *,
    by_value: bool,
) -> tuple[Known, list[tuple[Node, Node]]]:
    """Whether both sides agree at the bindings, and which arguments of functions were merged.

    As many points are looked at as it takes for the wanted failure probability.
    """
    nodes = topological(sides.nodes)
    work = sum(prod(n.at(b) for n in node.shape) for b in bindings for node in nodes)
    if work > _LARGEST_WORK:
        raise _TooLargeError(f"{work} elements to evaluate; at most {_LARGEST_WORK}")
    reason, bits, merged = "", 0.0, dict[tuple[Node, Node], None]()
    for attempt in range(_ATTEMPTS):
        drawn = f"{seed}/{attempt}"
        prime = gf.prime_for(f"{drawn}/{_written(nodes)}")
        point = _point(identity, bindings, drawn, prime, mode, by_value=by_value)
        try:
            known, found = _at_point(sides, point)
        except DegenerateError as error:
            reason = f"no point was found at which everything is defined: {error}"
            continue
        if not known.equal:
            return known, []
        if known.failure_bits < 1:
            return Known(False, reason="the degrees are so high that nothing would be shown"), []
        bits += known.failure_bits
        merged.update(dict.fromkeys(found))
        if bits >= _WANTED_BITS:
            return replace(known, failure_bits=bits), list(merged)
    if bits:
        return Known(False, reason=f"a failure probability of 2^-{bits:.0f} and no less"), []
    return Known(False, reason=reason, defined=False), []


def _written(nodes: Sequence[Node]) -> str:
    """A text that tells formulas apart, by which their prime is drawn."""
    place = {node: k for k, node in enumerate(nodes)}
    return " ".join(
        f"{n.operation}{[place[x] for x in n.inputs]}{n.parameter}{[str(s) for s in n.shape]}"
        for n in nodes
    )


def _at_point(sides: _Sides, point: Point) -> tuple[Known, list[tuple[Node, Node]]]:
    """Look at one point with every choice of signs of the roots (and of steps, if 0 or 1)."""
    pattern, choices, merged = 0, 0, dict[tuple[Node, Node], None]()
    while pattern < 1 << choices or not pattern:
        evaluation, values = _run(sides, replace(point, pattern=pattern))
        point = replace(point, scale=evaluation.point.scale)
        merged.update(((a, b), None) for a, b in evaluation.merged if a is not None)
        choices = max(choices, *evaluation.choices, 0)
        if choices > LARGEST_PATTERN:
            text = f"{choices} square roots or steps, each of two signs; at most {LARGEST_PATTERN}"
            raise _TooLargeError(text)
        for k, (a, b) in enumerate(zip(values[::2], values[1::2], strict=True)):
            for binding, one, other in zip(point.bindings, a, b, strict=True):
                if not gf.equal(one, other):
                    at = " ".join(f"{n}={size}" for n, size in binding.items()) or "this shape"
                    which = f"result {k + 1}" if len(sides.pairs) > 1 else "the two sides"
                    reason = f"{which} differ at {at} in a prime field"
                    return Known(False, reason=reason, where=binding), []
        pattern += 1
    bits = min(
        failure_bits(sides.pairs, b, roots=choices, scale=point.scale) for b in point.bindings
    )
    known = Known(True, sides.pairs, tuple(point.bindings), failure_bits=bits)
    return known, list(merged)


def _run(sides: _Sides, point: Point) -> tuple[Evaluation, list[Values]]:
    try:
        evaluation = Evaluation(point)
        return evaluation, evaluation.of(sides.nodes)
    except ScaleError as error:
        return _run(sides, replace(point, scale=error.scale))


# --- points ---------------------------------------------------------------------------------


def _point(
    identity: Identity,
    bindings: Sequence[Binding],
    seed: str,
    prime: int,
    mode: _Mode,
    *,
    by_value: bool,
) -> Point:
    """A random point of the domain at every binding; every choice of labels is one of its own."""
    source = random.Random(seed)  # noqa: S311  no secret
    chosen: list[tuple[Binding, dict[str, Residues]]] = []
    for binding in bindings:
        for labels in _labels(identity, binding, prime):
            chosen.append((binding, _inputs(identity, binding, labels, prime, source)))
    return Point(
        prime=prime,
        bindings=tuple(binding for binding, _ in chosen),
        inputs={name: [made[name] for _, made in chosen] for name in identity.inputs},
        seed=seed,
        by_value=by_value,
        roots=mode.roots,
        zero_one=mode.zero_one,
    )


def is_positive(spec: Input) -> bool:
    """Whether every element of an input is certainly > 0."""
    low = spec.min_value
    above = low is not None and (low > 0 or (low == 0 and (spec.exclude_min or spec.exclude_zero)))
    return above or spec.structure == "open simplex"


def _labels(identity: Identity, binding: Binding, prime: int) -> list[dict[str, Residues]]:
    """Every combination of labels of the inputs that are labels."""
    found: list[dict[str, Residues]] = [{}]
    for name, spec in identity.inputs.items():
        if spec.kind != "integer":
            continue
        if spec.classes is None:
            raise NotExpressibleError(f"whole numbers of any size ({name})")
        shape = tuple(n.at(binding) for n in identity.shapes[name])
        ignored = () if spec.ignore_index is None else (spec.ignore_index,)
        choices = (*range(spec.classes.at(binding)), *ignored)
        count = len(choices) ** prod(shape)
        several = itertools.product(choices, repeat=prod(shape))
        if count * len(found) > _LARGEST_LABELS:
            raise _TooLargeError(f"{count} choices of labels for {name}")
        arrays = [Residues(prime, np.array(c, dtype=object).reshape(shape)) for c in several]
        found = [{**known, name: array} for known in found for array in arrays]
    return found


def _inputs(
    identity: Identity,
    binding: Binding,
    labels: Mapping[str, Residues],
    prime: int,
    source: random.Random,
) -> dict[str, Residues]:
    made: dict[str, Residues] = dict(labels)
    for name, spec in identity.inputs.items():
        if name in made:
            continue
        shape = tuple(n.at(binding) for n in identity.shapes[name])
        cells = np.empty(shape, dtype=object)
        for place in np.ndindex(*shape):
            cells[place] = source.randrange(prime) if spec.values is None else 0
        if spec.values is not None:
            cells = _given(spec, prime)
        made[name] = Residues(prime, cells)
    return made


def _given(spec: Input, prime: int) -> gf.Objects:
    assert spec.values is not None  # asked before
    cells = np.empty(spec.values.shape, dtype=object)
    for place in np.ndindex(*spec.values.shape):
        literal = read_literal(float(spec.values[place]))
        if not literal.is_rational:
            raise NotExpressibleError(f"the given number {literal}")
        cells[place] = gf.of_fraction(prime, literal.factor)
    return cells
