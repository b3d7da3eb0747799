"""Several right gradients: whether a result is one of the subgradients at a kink or tie.

Where max(a, b), |x| or a largest element is tied, the derivative is any choice of weights: of a
step in [0, 1], of a sign in [-1, 1], nonnegative shares with sum one. The bound of a gradient has
room for each weight by itself; that would let through what no one choice gives, such as the whole
gradient for each of two tied elements. So a result at a tie also has to be the gradient for *one*
choice of all weights: that is sought by least squares over the corners of the choices, with
nonnegative coefficients (Lawson and Hanson, *Solving Least Squares Problems*, chapter 23), and then
tried. Where the gradient isn't affine in the weights (a kink inside a kink), or where there are too
many, a result that has room is let through.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verimath.arithmetic.formats import FloatFormat
from verimath.arithmetic.rounding import Enclosure, evaluate
from verimath.arithmetic.values import Array
from verimath.formula.graph import Formula, Node
from verimath.shapes import Binding

_LARGEST_CHOICES = 40
Choice = Sequence[Array]  # per group, the coefficients of its corners


@dataclass(frozen=True, slots=True)
class _Group:
    """Weights that are chosen together: places in nodes, and the corners of what they may be."""

    places: tuple[tuple[Node, tuple[int, ...]], ...]
    corners: tuple[tuple[float, ...], ...]


def is_subgradient(
    gradient: Formula,
    inputs: Mapping[str, Array],
    binding: Binding,
    format_: FloatFormat,
    got: Sequence[Array],
) -> bool:
    """Whether results are a gradient for one choice of weights, up to rounding, at one example.

    `inputs` have shape (1, *shape), `got` the outputs' shapes. True where no weight is free.
    """
    groups = _groups(gradient, inputs, binding, format_)
    corners = sum(len(group.corners) for group in groups)
    if not groups or corners > _LARGEST_CHOICES:
        return True
    base = [np.full(len(group.corners), 1 / len(group.corners)) for group in groups]
    steps = [
        _corner(base, g, c) for g, group in enumerate(groups) for c in range(len(group.corners))
    ]
    mixed = [_mixed(groups, seed) for seed in (0, 1)]

    def gradients(choices: Sequence[Choice]) -> tuple[Enclosure, ...]:
        return _gradients(gradient, inputs, binding, format_, groups, choices)

    found = gradients([base, *steps, *mixed])
    with np.errstate(all="ignore"):
        return _is_one_of(found, format_, groups, mixed, got, lambda best: gradients([best]))


# A choice is found to so many digits of what it changes.
_CHOICE = 1e-9
# What a choice changes counts by how many times its rounding it is, up to so many.
_CLEAREST = 1e5


def _is_one_of(
    found: Sequence[Enclosure],
    format_: FloatFormat,
    groups: Sequence[_Group],
    mixed: Sequence[Choice],
    got: Sequence[Array],
    retry: Callable[[Choice], tuple[Enclosure, ...]],
) -> bool:
    """Whether results are a mixture of the gradients found: base, corners, and two mixed ones."""
    values, room = _flat(found, "value", format_), _flat(found, "bound", format_)
    wanted = np.concatenate([np.asarray(g, dtype=np.float64).ravel() for g in got])
    sizes = [len(group.corners) for group in groups]
    # Every gradient is the base plus what each corner adds to it, if it is affine in the weights.
    added = values[1 : 1 + sum(sizes)] - values[0]
    reach = np.sum(np.abs(added), axis=0)
    judged = np.isfinite(room).all(axis=0) & np.isfinite(values).all(axis=0) & (reach > 0)
    if not judged.any():
        return True
    values, room, wanted = values[:, judged], room[:, judged], wanted[judged]
    added, reach = added[:, judged], reach[judged]
    for row, choice in enumerate(mixed, start=1 + sum(sizes)):
        slack = 8 * room.max(axis=0) + _CHOICE * reach
        if np.any(np.abs(values[0] + np.concatenate(choice) @ added - values[row]) > slack):
            return True  # a kink inside a kink
    # In units of their rounding: an element of which little is known tells little of the choice.
    unit = np.maximum(room.max(axis=0), reach / _CLEAREST)
    coefficients = _nonnegative((added / unit).T, (wanted - values[0]) / unit, sizes)
    parts = [np.maximum(part, 0) for part in np.split(coefficients, np.cumsum(sizes)[:-1])]
    best = [part / part.sum() if part.sum() > 0 else part + 1 / len(part) for part in parts]
    tried = retry(best)
    off = np.abs(_flat(tried, "value", format_)[0][judged] - wanted)
    # Least squares may miss the best choice by as much as the root of their number.
    allowed = _flat(tried, "bound", format_)[0][judged] * (1 + np.sqrt(off.size))
    return bool(np.all(off <= allowed + _CHOICE * reach))


def _groups(
    gradient: Formula, inputs: Mapping[str, Array], binding: Binding, format_: FloatFormat
) -> list[_Group]:
    """The free weights of an example."""
    nodes = [node for node in gradient.nodes() if node.operation == "subgradient"]
    found = evaluate(Formula("weights", {}, tuple(nodes), {}), inputs, binding, dtypes=(format_,))
    groups: list[_Group] = []
    taken: set[tuple[frozenset[Node], tuple[int, ...]]] = set()
    for node, enclosure in zip(nodes, found, strict=True):
        value = enclosure.value[0]
        free = np.broadcast_to(enclosure.error + enclosure.bounds[format_.name], (1, *value.shape))
        free = free[0] > 0
        match node.parameter:
            case "step":
                pair = frozenset(node.inputs)
                twins = [n for n in nodes if n.parameter == "step" and frozenset(n.inputs) == pair]
                for at in map(tuple, np.argwhere(free).tolist()):
                    if (pair, at) in taken:
                        continue
                    taken.add((pair, at))
                    same = [1.0 if n.inputs == node.inputs else 0.0 for n in twins]
                    places = tuple((n, at) for n in twins)
                    other = tuple(1.0 - w for w in same)
                    groups.append(_Group(places, (tuple(same), other)))
            case "sign":
                for at in map(tuple, np.argwhere(free).tolist()):
                    groups.append(_Group(((node, at),), ((-1.0,), (1.0,))))
            case (_, axis):
                groups += _shares(node, free, axis)
            case _:
                continue
    return groups


def _shares(node: Node, free: NDArray[np.bool_], axis: int) -> list[_Group]:
    """One group per row with a tie: the whole weight to one of the tied."""
    groups: list[_Group] = []
    rows = np.moveaxis(free, axis, -1)
    for index in np.ndindex(*rows.shape[:-1]):
        tied = np.flatnonzero(rows[index]).tolist()
        if tied:
            places = tuple((node, (*index[:axis], k, *index[axis:])) for k in tied)
            groups.append(_Group(places, tuple(map(tuple, np.eye(len(tied)).tolist()))))
    return groups


def _corner(base: Choice, group: int, corner: int) -> Choice:
    """The base with one group at one of its corners."""
    moved = list(base)
    moved[group] = np.zeros(len(base[group]))
    moved[group][corner] = 1.0
    return moved


def _mixed(groups: Sequence[_Group], seed: int) -> Choice:
    generator = np.random.Generator(np.random.PCG64(seed))
    drawn = [generator.random(len(group.corners)) + 0.1 for group in groups]
    return [part / part.sum() for part in drawn]


def _gradients(
    gradient: Formula,
    inputs: Mapping[str, Array],
    binding: Binding,
    format_: FloatFormat,
    groups: Sequence[_Group],
    choices: Sequence[Choice],
) -> tuple[Enclosure, ...]:
    """The gradients for several choices, as a batch."""
    shapes = {
        node: tuple(size.at(binding) for size in node.shape)
        for group in groups
        for node, _ in group.places
    }
    weights = {node: np.full((len(choices), *shape), np.nan) for node, shape in shapes.items()}
    for row, choice in enumerate(choices):
        for group, coefficients in zip(groups, choice, strict=True):
            chosen = coefficients @ np.asarray(group.corners)
            for (node, at), weight in zip(group.places, chosen, strict=True):
                weights[node][(row, *at)] = weight
    batch = {name: np.repeat(x, len(choices), axis=0) for name, x in inputs.items()}
    return evaluate(gradient, batch, binding, dtypes=(format_,), weights=weights)


def _flat(found: Sequence[Enclosure], what: str, format_: FloatFormat) -> Array:
    """Values, or bounds with the values' own errors, of all outputs side by side."""
    parts: list[Array] = []
    count = max(len(each.value) for each in found)
    for each in found:
        array = each.value if what == "value" else each.bounds[format_.name] + each.error
        full = np.broadcast_to(array, (count, *each.value.shape[1:]))
        parts.append(full.reshape(count, -1))
    return np.concatenate(parts, axis=1)


_SUM_TO_ONE = 30.0  # how much the sum of coefficients weighs, as a multiple of their columns


def _nonnegative(matrix: Array, target: Array, sizes: Sequence[int]) -> Array:
    """Nonnegative coefficients, of sum one per group, that come closest to the target."""
    sums, sides = np.zeros((len(sizes), matrix.shape[1])), np.zeros(len(sizes))
    start = 0
    for row, size in enumerate(sizes):
        group = slice(start, start + size)
        longest = np.max(np.linalg.norm(matrix[:, group], axis=0))
        sides[row] = _SUM_TO_ONE * (longest or 1.0)
        sums[row, group] = sides[row]
        start += size
    a, b = np.concatenate([matrix, sums]), np.concatenate([target, sides])
    norms = np.linalg.norm(a, axis=0)
    return _nnls(a / norms, b) / norms


def _nnls(a: Array, b: Array) -> Array:
    """Argmin |a x - b| over x >= 0, by active sets (Lawson and Hanson, algorithm NNLS, 23.10)."""
    count = a.shape[1]
    x, passive = np.zeros(count), np.zeros(count, dtype=bool)
    slack = 1e-10 * float(np.max(np.abs(a.T @ b), initial=1.0))
    for _ in range(3 * count):
        gradient = a.T @ (b - a @ x)
        open_ = ~passive & (gradient > slack)
        if not open_.any():
            break
        passive[int(np.argmax(np.where(open_, gradient, -np.inf)))] = True
        trial = x
        for _ in range(count):
            trial = np.zeros(count)
            trial[passive] = np.linalg.lstsq(a[:, passive], b, rcond=None)[0]
            if np.all(trial[passive] > 0):
                break
            below = passive & (trial <= 0)
            share = float(np.min(x[below] / np.maximum(x[below] - trial[below], 1e-300)))
            x = x + share * (trial - x)
            passive &= x > 1e-14
        x = trial
    return x
