"""How far the sizes have to be looked at: the lemma of docs/proofs.md, counted from the graph.

For one dimension, every value is a product of *factors* with integer exponents, each with an order
(how many sums over the dimension it takes, at most). A sum takes out what its terms share; what is
left is a new factor. The order of a difference is that of its numerator.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations
from math import ceil
from typing import Any

from verimath.rechecking.graph import Node, Shape, axes_of, reachable
from verimath.rechecking.limits import RefusedError
from verimath.rechecking.polynomials import ONE, alone, constant, degree, names

Axis = int | str  # of the node at hand, or "all": every element along a dimension
Key = tuple[Any, tuple[Axis, ...]]  # what, and which of the node's axes it runs along
Factors = dict[Key, int]
_ORDERS = 120  # orders of dimensions that are tried


class NoBoundError(Exception):
    """The lemma doesn't apply; the message says where."""


@dataclass(frozen=True, slots=True)
class Shared:
    """Arguments that share an unknown: two nodes, and the axes' elements where they do."""

    first: int
    second: int
    elements: tuple[tuple[str, int], ...]  # dimension, how many different elements both name
    apart: tuple[int, ...]  # axes along which they are at different places


class Counting:
    """Orders along one dimension; the others are fixed at a size, or any."""

    def __init__(
        self, nodes: Sequence[Node], name: str, fixed: Mapping[str, int], signs: bool
    ) -> None:
        self.nodes = nodes
        self.name = name
        self.fixed = fixed
        self.signs = signs
        self.weights: dict[Key, Fraction] = {}
        self.factors: dict[int, Factors] = {}
        self.positions: set[int] = set()  # nodes whose values are places along the dimension

    def order(self, first: int, second: int, *, apart: Collection[int] = ()) -> int:
        """The order of the numerator of first - second (at other places along axes `apart`)."""
        for place in sorted(reachable(self.nodes, (first, second))):
            if place not in self.factors:
                self.factors[place] = self._of(place)
        if first in self.positions or second in self.positions:
            raise NoBoundError("places along it are computed with")
        other = self.factors[second]
        if apart:
            other = {self._renamed(key, apart): power for key, power in other.items()}
        shared, left = self._common([self.factors[first], other])
        return int(left + self._weight(shared))

    def above_and_below(self, place: int) -> tuple[Fraction, Fraction]:
        """The orders of a node's numerator and of what it is divided by."""
        self.order(place, place)
        factors = self.factors[place]
        return self._weight(factors), self._weight(self._product((factors, -1)))

    def _renamed(self, key: Key, apart: Collection[int]) -> Key:
        what, axes = key
        if not set(axes) & set(apart):
            return key
        self.weights[("other", what), axes] = self.weights[key]
        return ("other", what), axes

    # Products -------------------------------------------------------------------------------

    def _weight(self, factors: Factors) -> Fraction:
        return sum(
            (self.weights[key] * power for key, power in factors.items() if power > 0), Fraction(0)
        )

    @staticmethod
    def _product(*parts: tuple[Factors, int]) -> Factors:
        total: Factors = {}
        for factors, by in parts:
            for key, power in factors.items():
                total[key] = total.get(key, 0) + by * power
        return {key: power for key, power in total.items() if power}

    def _common(self, terms: Sequence[Factors]) -> tuple[Factors, Fraction]:
        """What a sum's terms share, and the largest order of what is left of one."""
        keys = {key for factors in terms for key in factors}
        shared = {key: min(factors.get(key, 0) for factors in terms) for key in keys}
        shared = {key: power for key, power in shared.items() if power}
        left = max(self._weight(self._product((factors, 1), (shared, -1))) for factors in terms)
        return shared, left

    def _sum(self, place: int, terms: Sequence[Factors], more: int = 0) -> Factors:
        shared, left = self._common(terms)
        return self._product((shared, 1), (self._new(place, left + more), 1))

    def _new(self, place: int, weight: Fraction) -> Factors:
        if not weight:
            return {}
        shape = self.nodes[place].shape
        key = (place, tuple(axis for axis, size in enumerate(shape) if size != ONE))
        self.weights[key] = weight
        return {key: 1}

    def _moved(self, factors: Factors, to: Mapping[int, Axis | None]) -> Factors:
        """The same factors along other axes."""
        moved: Factors = {}
        for (what, axes), power in factors.items():
            target = tuple(axis if isinstance(axis, str) else to.get(axis) for axis in axes)
            if None in target:
                raise NoBoundError("quotients are rearranged")
            key: Key = (what, tuple(axis for axis in target if axis is not None))
            self.weights[key] = self.weights[what, axes]
            moved[key] = moved.get(key, 0) + power
        return {key: power for key, power in moved.items() if power}

    # Operations -----------------------------------------------------------------------------

    def _involved(self, shape: Shape) -> bool:
        return any(self.name in names(size) for size in shape)

    def _of(self, place: int) -> Factors:
        node = self.nodes[place]
        for size in node.shape:
            if self.name in names(size) and alone(size) != self.name:
                raise NoBoundError("an axis has a size made of it")
        args = [self.factors[part] for part in node.inputs]
        if node.operation not in ("compare", "index"):
            moving = any(part in self.positions for part in node.inputs)
            if moving and node.operation in ("broadcast", "reshape"):
                self.positions.add(place)
            elif moving:
                raise NoBoundError("places along it are computed with")
        rule = getattr(self, "_of_" + node.operation, None)
        if rule is None:
            raise NoBoundError(f"{node.operation} isn't covered")
        return rule(place, node, args)

    def _none(self, place: int, node: Node, args: list[Factors]) -> Factors:
        return {}

    _of_input = _of_constant = _of_table = _of_delta = _of_exponential = _none

    def _same(self, place: int, node: Node, args: list[Factors]) -> Factors:
        return args[0]

    _of_convert = _same

    def _of_size(self, place: int, node: Node, args: list[Factors]) -> Factors:
        size = node.parameter
        if len(size) == 1:
            powers = dict(size[0][0])
            if self.name not in powers:
                return {}
            key: Key = (("size", self.name), ())
            self.weights[key] = Fraction(1)
            return {key: powers[self.name]}
        highest = max((dict(part).get(self.name, 0) for part, _ in size), default=0)
        return self._new(place, Fraction(highest))

    def _of_index(self, place: int, node: Node, args: list[Factors]) -> Factors:
        if self._involved(node.shape):
            self.positions.add(place)
        return {}

    def _of_compare(self, place: int, node: Node, args: list[Factors]) -> Factors:
        along = [part in self.positions for part in node.inputs]
        if any(along) and not (all(along) and node.parameter == "equal"):
            raise NoBoundError("places along it are compared")
        if any(args):
            raise NoBoundError("sums over it are compared")
        return {}

    def _of_function(self, place: int, node: Node, args: list[Factors]) -> Factors:
        return args[0] if node.parameter == "negative" else {}

    def _of_subgradient(self, place: int, node: Node, args: list[Factors]) -> Factors:
        if node.parameter == "step":
            return {}
        axis = node.parameter[1]
        if alone(node.shape[axis]) != self.name:
            return {}
        rest = tuple(k for k, size in enumerate(node.shape) if size != ONE and k != axis)
        key: Key = (("shares", place), rest)
        self.weights[key] = Fraction(1)
        return {key: -1}

    def _of_add(self, place: int, node: Node, args: list[Factors]) -> Factors:
        return self._sum(place, args)

    def _of_multiply(self, place: int, node: Node, args: list[Factors]) -> Factors:
        return self._product((args[0], 1), (args[1], 1))

    def _of_divide(self, place: int, node: Node, args: list[Factors]) -> Factors:
        return self._product((args[0], 1), (args[1], -1))

    def _of_where(self, place: int, node: Node, args: list[Factors]) -> Factors:
        mask, a, b = args
        return self._sum(place, [self._product((mask, 1), (x, 1)) for x in (a, b)] + [b])

    def _of_logical(self, place: int, node: Node, args: list[Factors]) -> Factors:
        return self._sum(place, [*args, self._product(*((part, 1) for part in args)), {}])

    def _of_power(self, place: int, node: Node, args: list[Factors]) -> Factors:
        exponent = node.parameter
        if exponent.denominator == 1:
            return self._product((args[0], int(exponent)))
        if not self.signs:
            return {}
        # r = √(N/D) = √(ND)/D, and r² is replaced by what it is.
        below = {key: power for key, power in args[0].items() if power < 0}
        above = self._weight(args[0]) + self._weight(self._product((below, -1)))
        root = self._product((self._new(place, above / 2), 1), (below, 1))
        return self._product((root, int(exponent * 2)))

    def _of_broadcast(self, place: int, node: Node, args: list[Factors]) -> Factors:
        old = self.nodes[node.inputs[0]].shape
        ahead = len(node.shape) - len(old)
        return self._moved(args[0], {axis: axis + ahead for axis in range(len(old))})

    def _of_reshape(self, place: int, node: Node, args: list[Factors]) -> Factors:
        before, after = (
            [axis for axis, size in enumerate(shape) if size != ONE]
            for shape in (self.nodes[node.inputs[0]].shape, node.shape)
        )
        old = self.nodes[node.inputs[0]].shape
        if [old[axis] for axis in before] == [node.shape[axis] for axis in after]:
            return self._moved(args[0], dict(zip(before, after, strict=True)))
        # Axes at both ends that stay may be this dimension; the others are merged or divided.
        start = 0
        while (
            start < min(len(before), len(after)) and old[before[start]] == node.shape[after[start]]
        ):
            start += 1
        end, shorter = 0, min(len(before), len(after))
        while end < shorter - start and old[before[-1 - end]] == node.shape[after[-1 - end]]:
            end += 1
        middle = [old[axis] for axis in before[start : len(before) - end]]
        middle += [node.shape[axis] for axis in after[start : len(after) - end]]
        if self._involved(tuple(middle)):
            raise NoBoundError("a reshape merges or divides it")
        kept = dict(zip(before[:start], after[:start], strict=True))
        if end:
            kept |= dict(zip(before[-end:], after[-end:], strict=True))
        return self._moved(args[0], kept)

    def _of_einsum(self, place: int, node: Node, args: list[Factors]) -> Factors:
        terms, out = node.parameter
        sizes: dict[str, Any] = {}
        parts: list[tuple[Factors, int]] = []
        for term, part, factors in zip(terms, node.inputs, args, strict=True):
            sizes |= dict(zip(term, self.nodes[part].shape, strict=True))
            parts.append((self._moved(factors, {k: ":" + c for k, c in enumerate(term)}), 1))
        summed = {letter for letter in sizes if letter not in out}
        inside: Factors = {}
        outside: Factors = {}
        more = sum(alone(sizes[letter]) == self.name for letter in summed)
        for (what, axes), power in self._product(*parts).items():
            letters = [axis[1:] for axis in axes if isinstance(axis, str) and axis[0] == ":"]
            weight = self.weights[what, axes]
            to = tuple(
                axis
                if not (isinstance(axis, str) and axis[0] == ":")
                else ("all" if axis[1:] in summed else out.index(axis[1:]))
                for axis in axes
            )
            key: Key = (what, to)
            gone = [letter for letter in dict.fromkeys(letters) if letter in summed]
            if not gone:
                self.weights[key] = weight
                outside[key] = outside.get(key, 0) + power
            elif power > 0:
                held: Key = (what, axes)
                inside[held] = power
            else:
                count = 1
                for letter in gone:
                    count *= self._count(sizes[letter])
                more_here = (count - 1) * -power * weight
                self.weights[key] = weight * count
                outside[key] = outside.get(key, 0) + power
                more += more_here
        left = self._weight(inside) + more
        outside = {key: power for key, power in outside.items() if power}
        return self._product((outside, 1), (self._new(place, Fraction(left)), 1))

    def _count(self, size: Any) -> int:
        """How many elements an axis has that quotients differ along."""
        number = constant(size)
        if number is not None:
            return number
        name = alone(size)
        if name is None or name not in self.fixed:
            raise NoBoundError("denominators that sum over it differ from term to term")
        return self.fixed[name]

    def _of_gather(self, place: int, node: Node, args: list[Factors]) -> Factors:
        axis, old = node.parameter, self.nodes[node.inputs[0]].shape
        if self._involved((old[axis],)) or args[1]:
            raise NoBoundError("elements along it are picked")
        width = len(self.nodes[node.inputs[1]].shape)
        to = {k: k if k < axis else k + width - 1 for k in range(len(old)) if k != axis}
        return self._moved(args[0], to)

    def _of_scatter(self, place: int, node: Node, args: list[Factors]) -> Factors:
        axis, at = node.parameter, self.nodes[node.inputs[1]].shape
        if self._involved((node.shape[axis],)) or args[1]:
            raise NoBoundError("elements along it are picked")
        if any(power < 0 for power in args[0].values()):
            raise NoBoundError("quotients are rearranged")
        more = sum(alone(size) == self.name for size in at)
        return self._new(place, self._weight(args[0]) + more)

    def _of_concatenate(self, place: int, node: Node, args: list[Factors]) -> Factors:
        axis = node.parameter
        if self._involved((node.shape[axis],)):
            raise NoBoundError("arrays are put one after another along it")
        kept = {k: k for k in range(len(node.shape)) if k != axis}
        return self._sum(place, [self._moved(self._absorbed(f, axis), kept) for f in args])

    def _absorbed(self, factors: Factors, axis: int) -> Factors:
        """Factors along an axis as one without: its order is what counts."""
        along = {key: power for key, power in factors.items() if axis in key[1]}
        if any(power < 0 for power in along.values()):
            raise NoBoundError("quotients are rearranged")
        rest = {key: power for key, power in factors.items() if key not in along}
        if along:
            key: Key = (("order", tuple(sorted(along.items(), key=repr))), ())
            self.weights[key] = self._weight(along)
            rest[key] = 1
        return rest

    def _of_product(self, place: int, node: Node, args: list[Factors]) -> Factors:
        axis, old = node.parameter, self.nodes[node.inputs[0]].shape
        if self._involved((old[axis],)):
            raise NoBoundError("a product runs along it")
        if not args[0]:
            return {}
        count = self._count(old[axis])
        to = {k: k - (k > axis) for k in range(len(old)) if k != axis}
        return self._product((self._moved(self._absorbed(args[0], axis), to), count))

    def _of_cumulative(self, place: int, node: Node, args: list[Factors]) -> Factors:
        axis = node.parameter[0]
        if self._involved((node.shape[axis],)):
            raise NoBoundError("running sums go along it")
        if any(power < 0 for key, power in args[0].items() if axis in key[1]):
            raise NoBoundError("quotients are rearranged")
        along = {key: power for key, power in args[0].items() if axis in key[1]}
        rest = {key: power for key, power in args[0].items() if axis not in key[1]}
        return self._product((rest, 1), (self._new(place, self._weight(along)), 1))

    def _of_matrix(self, place: int, node: Node, args: list[Factors]) -> Factors:
        matrix = self.nodes[node.inputs[0]].shape
        if self._involved(matrix[-2:]) or any(args):
            raise NoBoundError("a matrix along it is inverted or factored")
        return {}

    _of_solve = _of_determinant = _of_cholesky = _of_matrix


def highest_power(nodes: Sequence[Node], name: str) -> int:
    """No less than the power of a size in what is made of it, sums over it left aside."""
    powers: list[Fraction] = []
    for node in nodes:
        below = [min(powers[place], Fraction(1000)) for place in node.inputs]
        if node.operation == "size":
            powers.append(Fraction(degree(node.parameter, name)))
        elif node.operation == "power":
            powers.append(abs(node.parameter) * below[0])
        elif node.operation in ("add", "concatenate", "where", "compare"):
            powers.append(max(below))
        else:
            powers.append(sum(below, Fraction(0)))
    return int(min(max(powers, default=Fraction(0)), 1000))


def places(nodes: Sequence[Node]) -> int:
    """A number that is no smaller than those that places along a dimension are compared with."""
    if not any(node.operation == "index" for node in nodes):
        return 0
    numbers = [abs(node.parameter.factor) for node in nodes if node.operation == "constant"]
    for node in nodes:
        if node.operation == "size":
            numbers += [abs(c) for monomial, c in node.parameter if not monomial]
    return ceil(max(numbers, default=0)) + 1


def reached(
    nodes: Sequence[Node],
    pairs: Sequence[tuple[int, int]],
    shared: Sequence[Shared],
    sizes: Mapping[str, tuple[int, int]],
    signs: bool,
) -> None:
    """Raise RefusedError unless the sizes reach the lemma's bound, dimension by dimension.

    Dimensions may come in any order; one order in which every bound is reached is enough.
    """
    if not sizes:
        return
    story = ""
    for tried, order in enumerate(permutations(sorted(sizes))):
        if tried == _ORDERS:
            break
        lacking = _lacking(nodes, pairs, shared, sizes, signs, order)
        if lacking is None:
            return
        story = story or lacking
    raise RefusedError(story)


def _lacking(
    nodes: Sequence[Node],
    pairs: Sequence[tuple[int, int]],
    shared: Sequence[Shared],
    sizes: Mapping[str, tuple[int, int]],
    signs: bool,
    order: Sequence[str],
) -> str | None:
    fixed: dict[str, int] = {}
    for name in order:
        low, high = sizes[name]
        counting = Counting(nodes, name, fixed, signs)
        try:
            for first, second in pairs:
                free = len(axes_of(nodes[first].shape, name))
                wanted = max(low, free) + counting.order(first, second)
                if high < wanted:
                    return f"{name} is looked at up to {high}, the lemma needs {wanted}"
            for item in shared:
                free = dict(item.elements).get(name, 0)
                wanted = max(low, free) + counting.order(item.first, item.second, apart=item.apart)
                if high < wanted:
                    return (
                        f"{name} is looked at up to {high}, "
                        f"the lemma needs {wanted} for arguments of functions to be equal"
                    )
        except NoBoundError as error:
            return f"not confirmed: the lemma gives no bound for {name}: {error}"
        fixed[name] = high
    return None
