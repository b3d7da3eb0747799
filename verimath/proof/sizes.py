"""Up to which sizes an identity has to be looked at to hold at all of them.

For one dimension n, every element of left - right is, after denominators are cleared, a sum of
terms in which at most K indices run over n, of functions that don't depend on n themselves. If it
vanishes at the sizes from `first` to max(first, f) + K, where f indices of the element itself lie
on n, it vanishes at every size: the lemma of docs/proofs.md. Here K is counted from the formula.

Several dimensions are taken one after another: for the first, all others are any sizes; for the
next, the first has a known largest size; and so on. Then the whole grid has to be looked at.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil

from verimath.formula.graph import Node, Subscripts, topological
from verimath.shapes import ONE, Size

_ZERO = Fraction(0)
Axes = tuple[int, ...]


class NoBoundError(Exception):
    """Why the lemma doesn't apply along a dimension."""


@dataclass(frozen=True, slots=True)
class _Divisor:
    """A denominator: which expression it is the numerator of, and along which axes it varies."""

    source: object
    axes: Axes


@dataclass(frozen=True, slots=True)
class _Count:
    """Indices that the terms of a numerator run over, and the denominators under it.

    A denominator has a count of its own and a power. Those that run over no index of the dimension
    are part of the summand and aren't written down.
    """

    number: Fraction = _ZERO
    divisors: Mapping[_Divisor, tuple[Fraction, Fraction]] = field(default_factory=dict)

    @property
    def below(self) -> Fraction:
        """What clearing all denominators costs."""
        return sum((count * power for count, power in self.divisors.values()), _ZERO)

    def moved(self, axes: Callable[[int], int | None]) -> "_Count":
        """The same of an array whose axes are elsewhere.

        Raises NoBoundError if a denominator varies along an axis that is nowhere.
        """
        divisors: dict[_Divisor, tuple[Fraction, Fraction]] = {}
        for divisor, power in self.divisors.items():
            new = tuple(axes(axis) for axis in divisor.axes)
            if None in new:
                raise NoBoundError("a denominator varies along an axis that is rearranged")
            moved = _Divisor(divisor.source, tuple(a for a in new if a is not None))
            # On a diagonal, denominators that varied along different axes become one.
            each, exponent = power
            divisors[moved] = (each, exponent + divisors.get(moved, (each, _ZERO))[1])
        return _Count(self.number, divisors)


_NOTHING = _Count()


def _product(*counts: _Count) -> _Count:
    divisors: dict[_Divisor, tuple[Fraction, Fraction]] = {}
    for count in counts:
        for divisor, (each, power) in count.divisors.items():
            divisors[divisor] = (each, divisors.get(divisor, (each, _ZERO))[1] + power)
    return _Count(sum((count.number for count in counts), _ZERO), divisors)


def _repeated(count: _Count, times: Fraction) -> _Count:
    """The product of so many of them."""
    if not times:
        return _NOTHING
    divisors = {d: (each, power * times) for d, (each, power) in count.divisors.items()}
    return _Count(count.number * times, divisors)


def _sum(*counts: _Count) -> _Count:
    """Over the least common denominator."""
    divisors: dict[_Divisor, tuple[Fraction, Fraction]] = {}
    for count in counts:
        for divisor, (each, power) in count.divisors.items():
            divisors[divisor] = (each, max(power, divisors.get(divisor, (each, _ZERO))[1]))
    common = _Count(_ZERO, divisors).below
    return _Count(max(count.number + common - count.below for count in counts), divisors)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The sizes to look at, for every dimension: all from the first to the largest."""

    first: Mapping[str, int]
    largest: Mapping[str, int]


def bounds(
    pairs: Sequence[tuple[Node, Node]], first: Mapping[str, int], *, roots: bool = True
) -> Bounds:
    """The largest size per dimension at which all pairs of core nodes have to be compared.

    `first` is the smallest size per dimension at which the formulas are defined. Without `roots`,
    square roots are unknowns, of which nothing is used but that equal numbers have equal ones.

    Raises NoBoundError, with the dimension and what stands in the way, if there is none.
    """
    left = sorted(first)
    found: dict[str, int] = {}
    while left:
        reasons: dict[str, str] = {}
        sizes: dict[str, int] = {}
        for name in left:
            try:
                sizes[name] = max(_last(pair, name, first[name], found, roots) for pair in pairs)
            except NoBoundError as error:
                reasons[name] = str(error)
        if not sizes:
            name, reason = next(iter(reasons.items()))
            raise NoBoundError(f"along {name}, {reason}")
        name = min(sizes, key=lambda n: (sizes[n], n))
        found[name] = sizes[name]
        left.remove(name)
    return Bounds(dict(first), found)


def _last(
    pair: tuple[Node, Node], name: str, first: int, known: Mapping[str, int], roots: bool
) -> int:
    counter = _Counter(name, known, roots)
    total = _sum(*(counter.of(node) for node in pair))
    own = sum(counter.is_own(size) for size in pair[0].shape)
    return ceil(total.number) + max(own, first)


class _Counter:
    """Counts along one dimension; the dimensions of `known` have at most these sizes."""

    def __init__(self, name: str, known: Mapping[str, int], roots: bool) -> None:
        self.name, self.known, self.roots = name, known, roots
        self.counts: dict[Node, _Count] = {}
        self.positions: set[Node] = set()

    def of(self, node: Node) -> _Count:
        for inner in topological((node,)):
            if inner not in self.counts:
                self.counts[inner] = self._count(inner)
        return self.counts[node]

    # --- axes ---

    def is_own(self, size: Size) -> bool:
        """Whether an axis runs over the dimension itself.

        Raises NoBoundError for sizes such as 2 n or n - 1.
        """
        if self.name not in size.names:
            return False
        if size != Size.of(self.name):
            raise NoBoundError(f"an axis has the size {size}")
        return True

    def largest(self, size: Size) -> int | None:
        """The largest size that an axis may have, if it is known."""
        if size.names <= self.known.keys():
            return size.at(self.known)
        return None

    def summed(self, count: _Count, axis: int, size: Size) -> _Count:
        """After a sum along an axis (which keeps its place)."""
        varying = {d: power for d, power in count.divisors.items() if axis in d.axes}
        number = count.number
        if self.is_own(size):
            if varying:
                raise NoBoundError("the terms of a sum have different sums as denominators")
            return _Count(number + 1, count.divisors)
        if not varying:
            return count
        many = self.largest(size)
        if many is None:
            raise NoBoundError(
                f"the terms of a sum over {size} elements have different denominators"
            )
        divisors = {d: power for d, power in count.divisors.items() if d not in varying}
        for divisor, (each, power) in varying.items():
            rest = tuple(a for a in divisor.axes if a != axis)
            product = _Divisor(("product", divisor.source, divisor.axes, axis), rest)
            divisors[product] = (each * many, power)
            number += (many - 1) * each * power
        return _Count(number, divisors)

    # --- one node ---

    def _count(self, node: Node) -> _Count:
        for size in node.shape:
            self.is_own(size)
        below = [self.counts[x] for x in node.inputs]
        if any(x in self.positions for x in node.inputs):
            return self._of_positions(node)
        rule = getattr(self, f"_{node.operation}", None)
        if rule is None:
            raise NoBoundError(f"`{node.operation}` has no rule")
        return rule(node, below)

    def _of_positions(self, node: Node) -> _Count:
        """The positions 0, 1, 2 ... may be compared for being the same, and nothing else."""
        if node.operation == "broadcast" or _only_moves(node):
            self.positions.add(node)
            return _NOTHING
        alike = all(x in self.positions for x in node.inputs)
        if node.operation == "compare" and node.parameter == "equal" and alike:
            return _NOTHING
        raise NoBoundError(f"elements are told apart by their positions (`{node.operation}`)")

    def _input(self, node: Node, below: list[_Count]) -> _Count:
        return _NOTHING

    _constant = _table = _delta = _input

    def _index(self, node: Node, below: list[_Count]) -> _Count:
        if self.is_own(node.shape[0]):
            self.positions.add(node)
        return _NOTHING

    def _size(self, node: Node, below: list[_Count]) -> _Count:
        degree = max((monomial.count(self.name) for monomial, _ in node.parameter.terms), default=0)
        return _Count(Fraction(degree))

    def _add(self, node: Node, below: list[_Count]) -> _Count:
        return _sum(*below)

    def _multiply(self, node: Node, below: list[_Count]) -> _Count:
        return _product(*below)

    def _reciprocal(self, node: Node, count: _Count, power: Fraction = Fraction(1)) -> _Count:
        """1 / node: its denominators above, its numerator below."""
        divisors: dict[_Divisor, tuple[Fraction, Fraction]] = {}
        if count.number:
            source, axes = _source(node)
            divisors[_Divisor(source, axes)] = (count.number, power)
        return _Count(count.below * power, divisors)

    def _divide(self, node: Node, below: list[_Count]) -> _Count:
        above, under = below
        return _product(above, self._reciprocal(node.inputs[1], under))

    def _power(self, node: Node, below: list[_Count]) -> _Count:
        (count,), exponent = below, node.parameter
        if exponent.denominator == 1:
            if exponent < 0:
                return self._reciprocal(node.inputs[0], count, -exponent)
            return _repeated(count, Fraction(exponent))
        if not self.roots:
            return _NOTHING
        # sqrt(a / b) = w / b with w^2 = a b: every other w is replaced by half of what a b counts.
        half = (count.number + count.below) / 2
        times = Fraction(abs(exponent.numerator))
        if exponent > 0:
            powers = {d: (each, power * times) for d, (each, power) in count.divisors.items()}
            return _Count(half * times, powers)
        source, axes = _source(node.inputs[0])
        divisors = {_Divisor(("root", source), axes): (half, times)} if half else {}
        return _Count(count.below * times, divisors)

    def _function(self, node: Node, below: list[_Count]) -> _Count:
        # Any other function is an unknown for every value of its argument: part of the summand.
        return below[0] if node.parameter == "negative" else _NOTHING

    def _subgradient(self, node: Node, below: list[_Count]) -> _Count:
        if node.parameter in ("step", "tie"):
            return _NOTHING
        _, axis = node.parameter
        if not self.is_own(node.shape[axis]):
            return _NOTHING
        axes = tuple(a for a in range(len(node.shape)) if a != axis)
        return _Count(_ZERO, {_Divisor(node, axes): (Fraction(1), Fraction(1))})

    def _einsum(self, node: Node, below: list[_Count]) -> _Count:
        subscripts: Subscripts = node.parameter
        sizes: dict[int, Size] = {}
        letters: list[_Count] = []
        for indices, operand, count in zip(subscripts.operands, node.inputs, below, strict=True):
            sizes.update(zip(indices, operand.shape, strict=True))
            letters.append(count.moved(lambda axis, indices=indices: indices[axis]))
        total = _product(*letters)
        for letter, size in sizes.items():
            if letter not in subscripts.output:
                total = self.summed(total, letter, size)
        return total.moved(subscripts.output.index)

    def _broadcast(self, node: Node, below: list[_Count]) -> _Count:
        lead = len(node.shape) - len(node.inputs[0].shape)
        return below[0].moved(lambda axis: axis + lead)

    def _reshape(self, node: Node, below: list[_Count]) -> _Count:
        places = _reshaped(node.inputs[0].shape, node.shape)
        # Other axes that it may have become have sizes such as 2 n, or are as many.
        for axis, size in enumerate(node.inputs[0].shape):
            if places.get(axis) is None and self.is_own(size):
                raise NoBoundError("a reshape merges or divides it")
        return below[0].moved(places.get)

    def _convert(self, node: Node, below: list[_Count]) -> _Count:
        return below[0]

    def _compare(self, node: Node, below: list[_Count]) -> _Count:
        if any(count.number or count.divisors for count in below):
            raise NoBoundError("sizes are compared")
        return _NOTHING

    def _logical(self, node: Node, below: list[_Count]) -> _Count:
        return _product(*below)

    def _where(self, node: Node, below: list[_Count]) -> _Count:
        mask, a, b = below
        return _sum(b, _product(mask, _sum(a, b)))

    def _gather(self, node: Node, below: list[_Count]) -> _Count:
        count, indices = below
        axis = node.parameter
        if self.is_own(node.inputs[0].shape[axis]) or indices.number:
            raise NoBoundError("elements are picked by their positions")
        # What varies along the axis would be others' denominators at the places that are picked.
        shift = len(node.inputs[1].shape) - 1
        return count.moved(lambda a: None if a == axis else a if a < axis else a + shift)

    def _scatter(self, node: Node, below: list[_Count]) -> _Count:
        count, indices = below
        axis, rank = node.parameter, len(node.inputs[1].shape)
        axes = [*node.inputs[0].shape[axis : axis + rank], node.shape[axis]]
        if any(self.is_own(size) for size in axes) or indices.number:
            raise NoBoundError("elements are put by their positions")
        shift = rank - 1
        return count.moved(
            lambda a: None if axis <= a < axis + rank else a if a < axis else a - shift
        )

    def _concatenate(self, node: Node, below: list[_Count]) -> _Count:
        axis = node.parameter
        if any(self.is_own(x.shape[axis]) for x in node.inputs):
            raise NoBoundError("arrays are put one after another along it")
        # Behind another array, the same denominators stand at other places.
        if any(axis in d.axes for count in below for d in count.divisors):
            raise NoBoundError("arrays with different denominators are put one after another")
        return _sum(*below)

    def _product(self, node: Node, below: list[_Count]) -> _Count:
        (count,), axis = below, node.parameter
        size = node.inputs[0].shape[axis]
        if self.is_own(size):
            raise NoBoundError("elements are multiplied along it")
        if not count.number and not count.divisors:
            return count
        many = self.largest(size)
        if many is None or any(axis in d.axes for d in count.divisors):
            raise NoBoundError("sums are multiplied along another axis")
        return _repeated(count, Fraction(many)).moved(lambda a: a if a < axis else a - 1)

    def _cumulative(self, node: Node, below: list[_Count]) -> _Count:
        (count,), (axis, _) = below, node.parameter
        if self.is_own(node.shape[axis]):
            raise NoBoundError("sums run along it")
        if any(axis in d.axes for d in count.divisors):
            raise NoBoundError("the terms of a running sum have different denominators")
        return count

    def _solve(self, node: Node, below: list[_Count]) -> _Count:
        matrix, right = below
        self._refuse_matrix(node, matrix)
        row = len(node.shape) - 2
        if any(row in d.axes for d in right.divisors):
            raise NoBoundError("the rows of a linear system have different denominators")
        return right

    def _refuse_matrix(self, node: Node, count: _Count) -> None:
        if any(self.is_own(size) for size in node.inputs[0].shape[-2:]):
            raise NoBoundError("matrices are inverted or factored")
        if count.number or count.divisors:
            raise NoBoundError("sums stand in a matrix that is inverted or factored")

    def _determinant(self, node: Node, below: list[_Count]) -> _Count:
        self._refuse_matrix(node, below[0])
        return _NOTHING

    _cholesky = _determinant


def _only_moves(node: Node) -> bool:
    """Whether an array is another one with its axes in some order, or only the diagonal of it."""
    if node.operation == "reshape":
        old = node.inputs[0].shape
        places = _reshaped(old, node.shape)
        return all(size == ONE or k in places for k, size in enumerate(old))
    if node.operation != "einsum" or len(node.inputs) > 1:
        return False
    subscripts: Subscripts = node.parameter
    return set(subscripts.operands[0]) == set(subscripts.output)


def _source(node: Node) -> tuple[Node, Axes]:
    """The array behind broadcasts and reshapes, and where its axes are in the node."""
    axes: list[int] = list(range(len(node.shape)))
    while node.operation in ("broadcast", "reshape"):
        inner = node.inputs[0]
        if node.operation == "broadcast":
            lead = len(node.shape) - len(inner.shape)
            axes = [axes[k + lead] for k in range(len(inner.shape))]
        else:
            places = _reshaped(inner.shape, node.shape)
            if any(size != ONE and k not in places for k, size in enumerate(inner.shape)):
                break
            axes = [axes[places[k]] if k in places else -1 for k in range(len(inner.shape))]
        node = inner
    return node, tuple(
        axis for axis, size in zip(axes, node.shape, strict=True) if size != ONE and axis >= 0
    )


def _reshaped(old: Sequence[Size], new: Sequence[Size]) -> dict[int, int]:
    """Where the axes of a reshaped array went; those that were merged or divided are left out.

    Axes are read from both ends, as far as they are the same but for axes of size one.
    """
    places: dict[int, int] = {}
    for step in (1, -1):
        before = [k for k, size in enumerate(old) if size != ONE][::step]
        after = [k for k, size in enumerate(new) if size != ONE][::step]
        for i, j in zip(before, after, strict=False):
            if old[i] != new[j]:
                break
            places.setdefault(i, j)
    return places
