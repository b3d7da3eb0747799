"""Comparisons between equal numbers: at a kink, or at more points than anyone may leave out.

A proof takes a > b for a step H(a - b), which says nothing of a = b. Nobody misses the points of a
kink: they have no volume. But relu(x) > 0 compares equal numbers at half of all points, and there
H is not what `>` says.
"""

import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor, prod

import numpy as np
from numpy.typing import NDArray

from verimath.arithmetic.ball import BALLS
from verimath.arithmetic.exact import Objects, UndecidedError, evaluate
from verimath.domain import Input
from verimath.errors import NotExpressibleError
from verimath.formula import operations as op
from verimath.formula.core import compared
from verimath.formula.graph import Node, topological
from verimath.proof.identity import Identity
from verimath.proof.points import FAR, Point, drawn_point
from verimath.shapes import Binding

_MOST_STEPS = 8  # in what is compared, each doubling the work
_PATTERNS = 24  # further choices, element by element
_ATTEMPTS, _DRAWS = 36, 6  # of the numbers: what isn't always zero isn't so at all of them
_LARGEST = 12  # size at which comparisons are looked at that have a size in them
_MOST_LABELS = 256  # choices of them
_CHOICES = 4  # of labels, masks and the like
_DISCRETE = frozenset(("one-hot", "binary", "signs"))


def wide_kink(identity: Identity, bindings: Sequence[Binding], *, seed: int = 0) -> str | None:
    """Why comparisons by size can't be taken as steps; None if they can.

    Whatever is compared is an analytic function wherever its own steps and masks stay as they are.
    Such a function is zero everywhere or almost nowhere (Krantz and Parks, *A Primer of Real
    Analytic Functions*, section 4.1), which a few random points tell apart.
    """
    try:
        differences = compared((*identity.primal, *identity.left, *identity.right))
    except NotExpressibleError:
        return None
    if any(_is_of_sizes(node) for node in differences):
        return "a comparison is between sizes, which may be equal"
    steps = _steps(differences)
    if len(steps) > _MOST_STEPS:
        return f"a comparison depends on {len(steps)} others; at most {_MOST_STEPS} are tried"
    smooth, names = _without(differences, steps)
    source = random.Random(seed)  # noqa: S311  no secret
    looked_at = [(smooth, binding, True) for binding in bindings if differences]
    # What has a size in it may be zero at that one size, x (n - 4), and so may sums of equal terms;
    # determinants are zero from some size on, where the rank stays.
    sized = [node for node in smooth if _has_size(node)]
    others = [node for node in smooth if node not in sized]
    for binding in _larger(identity) if differences else ():
        looked_at += [(sized, binding, True), (others, binding, False)]
    for nodes, binding, strictly in looked_at:
        reason = _kink_at(identity, nodes, names, binding, source, strictly) if nodes else None
        if reason is not None:
            return reason
    return None


def _kink_at(
    identity: Identity,
    nodes: Sequence[Node],
    names: Mapping[str, Node],
    binding: Binding,
    source: random.Random,
    strictly: bool,
) -> str | None:
    """Why nodes can't be compared with zero at some sizes; `names` stand for steps in them.

    Unless it is asked `strictly`, they can where nobody knows.
    """
    defined: set[Node] = set()
    try:
        several = list(_discrete(identity, nodes, binding, source))
    except _TooManyError as error:
        return str(error) if strictly else None
    for labels in several:
        for choice in _choices(names, binding, source):
            for node in nodes:
                tied = _is_tied(identity, node, {**labels, **choice}, binding, source)
                if tied:
                    return "a comparison is between equal numbers at more points than a kink has"
                defined |= set() if tied is None else {node}
    if strictly and several and len(defined) < len(nodes):
        return "no point was found at which what is compared has a value"
    return None


def _larger(identity: Identity) -> Iterator[Binding]:
    """Each dimension by itself from small to large."""
    for name in identity.names:
        for size in range(3, _LARGEST + 1):
            binding = {**dict.fromkeys(identity.names, 2), name: size}
            if identity.allowed(binding):
                yield binding


def _has_size(node: Node) -> bool:
    return any(inner.operation == "size" for inner in topological((node,)))


def _steps(differences: Sequence[Node]) -> tuple[Node, ...]:
    """The steps and shares that differences depend on."""
    return tuple(node for node in topological(tuple(differences)) if _is_step(node))


def _is_of_sizes(node: Node) -> bool:
    """Whether a difference is a number that depends on sizes, and on nothing else."""
    leaves = {inner.operation for inner in topological((node,)) if not inner.inputs}
    return "size" in leaves and not leaves & {"input", "index"}


def _is_step(node: Node) -> bool:
    return node.operation == "subgradient"


def _without(
    differences: Sequence[Node], steps: Sequence[Node]
) -> tuple[tuple[Node, ...], dict[str, Node]]:
    """The differences with inputs for their steps, and which input stands for which step."""
    names = {f" step {k}": step for k, step in enumerate(steps)}  # no input has such a name
    known: dict[Node, Node] = {step: op.input_(name, step.shape) for name, step in names.items()}
    for node in topological(tuple(differences)):
        if node not in known:
            below = tuple(known[x] for x in node.inputs)
            known[node] = node if below == node.inputs else replace(node, inputs=below)
    return tuple(known[node] for node in differences), names


class _TooManyError(Exception):
    """More whole numbers than can be looked at."""


def _discrete(
    identity: Identity, nodes: Sequence[Node], binding: Binding, source: random.Random
) -> Iterator[Point]:
    """Choices of what is no continuous number: all whole numbers, masks and the like at random.

    Raises _TooManyError for more whole numbers than can be looked at.
    """
    inner = topological(tuple(nodes))
    used = {node.parameter for node in inner if node.operation == "input"}
    specs = {name: spec for name, spec in identity.inputs.items() if name in used}
    whole = [name for name, spec in specs.items() if spec.kind == "integer"]
    others = [name for name, spec in specs.items() if _is_discrete(spec) and name not in whole]
    shapes = {
        name: tuple(size.at(binding) for size in identity.shapes[name]) for name in identity.inputs
    }
    cells = [
        _values(name, specs[name], binding) for name in whole for _ in range(prod(shapes[name]))
    ]
    if prod(map(len, cells)) > _MOST_LABELS:
        raise _TooManyError(_TOO_MANY.format(whole[0]))
    for _ in range(_CHOICES if others else 1):
        for numbers in itertools.product(*cells):
            point = drawn_point(identity, binding, source, FAR)
            if point is None:
                return
            left = iter(numbers)
            found = {name: point[name] for name in others}
            for name in whole:
                found[name] = np.empty(shapes[name], dtype=object)
                for place in np.ndindex(*shapes[name]):
                    found[name][place] = Fraction(next(left))
            yield found


_TOO_MANY = "a comparison depends on {}, whole numbers of which there are too many to look at"


def _values(name: str, spec: Input, binding: Binding) -> Sequence[int]:
    if spec.classes is not None:
        ignored = () if spec.ignore_index is None else (spec.ignore_index,)
        return (*range(spec.classes.at(binding)), *ignored)
    low, high = spec.min_value, spec.max_value
    if low is None or high is None or high - low > _MOST_LABELS:
        raise _TooManyError(_TOO_MANY.format(name))
    return range(ceil(low), floor(high) + 1)


def _is_discrete(spec: Input) -> bool:
    return spec.kind != "real" or spec.structure in _DISCRETE


def _choices(
    names: Mapping[str, Node], binding: Binding, source: random.Random
) -> Iterator[Mapping[str, Objects]]:
    """Values of the steps: each the same at all elements, then each element by itself."""
    for bits in itertools.product((0, 1), repeat=len(names)):
        pairs = zip(names.items(), bits, strict=True)
        yield {name: _cells(step, binding, lambda b=b: b) for (name, step), b in pairs}
    for _ in range(_PATTERNS if names else 0):
        yield {name: _cells(s, binding, lambda: source.randint(0, 1)) for name, s in names.items()}


def _cells(step: Node, binding: Binding, bit: Callable[[], int]) -> Objects:
    """Zeros and ones; a share is one at one place along its axis."""
    shape = tuple(size.at(binding) for size in step.shape)
    cells = np.zeros(shape, dtype=object)
    if step.parameter in ("step", "tie"):
        for place in np.ndindex(*shape):
            cells[place] = bit()
        return cells
    rows = np.moveaxis(cells, step.parameter[1], -1)  # a view
    for place in np.ndindex(*rows.shape[:-1]):
        rows[place][-1 if bit() else 0] = 1
    return cells


def _is_tied(
    identity: Identity, node: Node, fixed: Point, binding: Binding, source: random.Random
) -> bool | None:
    """Whether some element is zero wherever it was looked at; None if that was nowhere."""
    left: NDArray[np.bool_] | None = None
    seen = 0
    for attempt in range(_ATTEMPTS):
        point = drawn_point(identity, binding, source, FAR)
        if point is not None and attempt % 2:
            point = _nearer(identity, point)
        found = None if point is None else _zeros(node, {**point, **fixed}, binding)
        if found is None:
            continue
        left = found if left is None else left & found
        seen += 1
        if not left.any():
            return False
        if seen == _DRAWS:
            break
    return None if left is None else True


def _nearer(identity: Identity, point: Point) -> Point:
    """Small numbers for inputs of any size: functions such as asin have values there."""
    specs = identity.inputs
    small = {name for name, s in specs.items() if s.kind == "real" and s.is_free and _is_wide(s)}
    return {name: x / (8 * FAR) if name in small else x for name, x in point.items()}


def _is_wide(spec: Input) -> bool:
    return spec.min_value is spec.max_value is None


def _zeros(node: Node, point: Point, binding: Binding) -> NDArray[np.bool_] | None:
    """Where an array is zero, as far as balls can tell; None if it has no value."""
    shape = tuple(size.at(binding) for size in node.shape)
    balls = {name: BALLS.array(cells) for name, cells in point.items()}
    try:
        (values,) = evaluate((node,), balls, binding, BALLS)
    except (UndecidedError, ZeroDivisionError, NotExpressibleError):
        return None
    found = [bool(value.contains(0)) and value.is_finite() for value in values.ravel()]
    return np.array(found, dtype=bool).reshape(shape)
