"""Canonical names of bound indices: colour refinement, then permutations inside colour classes.

A product of factors is a hypergraph: indices are vertices, factors are edges. Its connected
components (by bound indices) are named one by one, so equal components cost nothing; inside one,
vertices that refinement can't tell apart are tried in turn and the least result is taken. This is
the individualisation-refinement scheme of McKay and Piperno, *Practical graph isomorphism II*,
J. Symbolic Comput. 60 (2014), section 2, without its pruning: components are small.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import permutations, product

from verimath.proof.terms import Factor, Indices
from verimath.shapes import Size

Spend = Callable[[int], None]
Colours = dict[int, int]
Key = tuple[object, ...]


def arranged(factor: Factor) -> Factor:
    """The factor with its indices in the least order that the head's symmetries allow."""
    if len(factor.head.symmetries) == 1:
        return factor
    indices = min(tuple(factor.indices[k] for k in g) for g in factor.head.symmetries)
    return Factor(factor.head, indices, factor.exponent)


def named(
    factors: Sequence[Factor], bound: dict[int, Size], spend: Spend
) -> tuple[tuple[Factor, ...], tuple[Size, ...]]:
    """The factors in canonical order with canonical names of the bound indices, and their sizes.

    Every bound index has to occur. `spend` is called with a count of the work done.
    """
    outer, parts = _components(factors, bound)
    named_parts: list[tuple[Key, list[Factor], list[Size]]] = []
    for part in parts:
        names = _names(part, bound, spend)
        renamed = _renamed(part, names)
        sizes = [bound[i] for i in sorted(names, key=names.__getitem__)]
        named_parts.append((_key(renamed), renamed, sizes))
    named_parts.sort(key=lambda item: (item[0], [str(size) for size in item[2]]))
    found = _sorted(arranged(factor) for factor in outer)
    total: list[Size] = []
    for _, part, sizes in named_parts:
        shift = len(total)
        found.extend(
            Factor(f.head, tuple(i + shift if i >= 0 else i for i in f.indices), f.exponent)
            for f in part
        )
        total.extend(sizes)
    return tuple(found), tuple(total)


def _sorted(factors: Iterable[Factor]) -> list[Factor]:
    return sorted(factors, key=lambda f: (f.head.order, f.exponent, f.indices))


def _key(factors: Sequence[Factor]) -> Key:
    return tuple((f.head.order, f.exponent, f.indices) for f in factors)


def _components(
    factors: Sequence[Factor], bound: dict[int, Size]
) -> tuple[list[Factor], list[list[Factor]]]:
    """The factors without bound indices, and the others by connected components."""
    outer: list[Factor] = []
    parts: list[tuple[set[int], list[Factor]]] = []
    for factor in factors:
        mine = {i for i in factor.indices if i in bound}
        if not mine:
            outer.append(factor)
            continue
        together = [factor]
        apart: list[tuple[set[int], list[Factor]]] = []
        for indices, part in parts:
            if indices & mine:
                mine |= indices
                together.extend(part)
            else:
                apart.append((indices, part))
        parts = [*apart, (mine, together)]
    return outer, [part for _, part in parts]


def _names(part: list[Factor], bound: dict[int, Size], spend: Spend) -> Colours:
    """New names 0, 1, ... of one component's bound indices."""
    vertices = sorted({i for factor in part for i in factor.indices if i in bound})
    if len(vertices) == 1:
        return {vertices[0]: 0}
    colours = _ranked({v: str(bound[v]) for v in vertices})
    best: tuple[Key, Colours] | None = None
    todo = [_refined(part, colours, spend)]
    while todo:
        spend(1)
        colours = todo.pop()
        cell = _first_class(colours)
        if cell is None:
            key = _key(_renamed(part, colours))
            if best is None or key < best[0]:
                best = key, colours
            continue
        for vertex in cell:
            apart = {v: 2 * c + (v in cell and v != vertex) for v, c in colours.items()}
            todo.append(_refined(part, apart, spend))
    assert best is not None  # every branch ends in one
    return best[1]


def _first_class(colours: Colours) -> list[int] | None:
    """The vertices of the first colour that several have."""
    classes: dict[int, list[int]] = {}
    for vertex, colour in colours.items():
        classes.setdefault(colour, []).append(vertex)
    several = [colour for colour, members in classes.items() if len(members) > 1]
    return classes[min(several)] if several else None


def _refined(part: list[Factor], colours: Colours, spend: Spend) -> Colours:
    """Colours told apart by what the factors around an index look like, until nothing changes."""
    count = len(set(colours.values()))
    while True:
        spend(len(part) // 8)
        around: dict[int, list[Key]] = {v: [] for v in colours}
        for head, indices, exponent in part:
            seen = tuple((1, colours[i]) if i in colours else (0, i) for i in indices)
            for vertex in {i for i in indices if i in colours}:
                marked = tuple(
                    (2, 0) if i == vertex else c for i, c in zip(indices, seen, strict=True)
                )
                least = min(tuple(marked[k] for k in g) for g in head.symmetries)
                around[vertex].append((head.order, exponent, least))
        colours = _ranked({v: (colours[v], sorted(around[v])) for v in colours})
        now = len(set(colours.values()))
        if now == count or now == len(colours):
            return colours
        count = now


def _ranked(values: dict[int, object]) -> Colours:
    """Each vertex's place among the different values."""
    ordered: list[object] = []
    for value in sorted(values.values()):  # pyright: ignore[reportArgumentType]
        if not ordered or ordered[-1] != value:
            ordered.append(value)
    return {v: bisect_left(ordered, value) for v, value in values.items()}  # pyright: ignore[reportArgumentType]


def _renamed(part: list[Factor], names: Colours) -> list[Factor]:
    return _sorted(
        arranged(Factor(f.head, tuple(names.get(i, i) for i in f.indices), f.exponent))
        for f in part
    )


def orders_of(classes: Sequence[Sequence[int]]) -> Iterable[Indices]:
    """Every order of all members in which the classes follow each other."""
    for choice in product(*(permutations(members) for members in classes)):
        yield tuple(member for members in choice for member in members)
