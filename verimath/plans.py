"""Plans: everything that determines a batch, small enough for Hypothesis to draw and shrink.

Sizes mostly differ, so that swapped axes show. A covering set comes first, so that every size of
one and of zero, every layout, every form of structure, every special value and a size beyond the
usual blocks is met in every run and not by luck. Extreme magnitudes are in a few plans only: where
numbers may overflow nothing can be judged.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from hypothesis import strategies as st

from verimath.domain import Domain
from verimath.layouts import LAYOUTS
from verimath.shapes import Size
from verimath.specials import ENDS, NONFINITE, SPECIALS

LARGEST_SIZE = 7
LARGEST_COUNT = 4  # examples of one plan in an ordinary run
MOST_COUNT = 4096  # and in a run of many examples
MOST_SPECIALS = 6
_LARGEST_ARRAY = 300
_FEW_PLANS = 20  # a covering set that is larger has one example of each plan

_USUAL = ("integers", "eighths", "uniform", "normal", "scaled", "ties", "sparse", "extreme")
# Where code changes its ways: "near" special numbers but not at them, "tens" beyond thresholds,
# "steep" where exponentials overflow, "tiny" rows as a whole, "offset" numbers that are all close
# to one large number, "binades" of every magnitude, one after the other.
TURNS = ("near", "tens", "steep", "tiny", "offset", "binades")
KINDS = (*_USUAL, *TURNS)
# "repeated": equal rows. "degenerate": singular, constant, at a vertex, of one class. "cancelling":
# elements that sum to zero (as far as float64 goes). "alike": examples that differ in one element
# of each input, so that what is kept of one shows in the next. "tail": what a loop over eights
# leaves over has the largest numbers in one example, the least in the next.
FORMS = ("ordinary", "repeated", "degenerate", "cancelling", "alike", "tail")
# Sizes just beyond what kernels take at a time; the largest that keeps the arrays small is met.
BLOCKS = (1025, 257, 129, 65, 33, 17)
_LARGEST_BLOCK = 4300  # elements
_ENOUGH = 64  # numbers of each of the kinds above, and of "scaled", in all examples of a plan
_MOST_TURNS = 12  # examples of such a plan
_ALONE = 16  # examples of single numbers
_EDGES = 18  # examples, of which each is at another edge of a dtype's range


@dataclass(frozen=True, slots=True)
class Plan:
    """What a batch is filled from; `specials` are (position, name of a special value)."""

    ranks: tuple[tuple[str, int], ...]
    sizes: tuple[tuple[str, int], ...]
    kind: str
    scale: int  # power of two, for kinds "uniform" and "normal"
    seed: int
    count: int = 1  # examples of these sizes and this kind
    form: str = "ordinary"
    layout: str = "C"
    specials: tuple[tuple[int, str], ...] = ()


def axis_names(domain: Domain, ranks: Mapping[str, int]) -> tuple[str, ...]:
    """Every dimension name that occurs once the starred names have a number of axes."""
    shapes = domain.expand(ranks).values()
    return tuple(
        dict.fromkeys(name for shape in shapes for size in shape for name in sorted(size.names))
    )


def _largest(domain: Domain, ranks: Mapping[str, int], sizes: Mapping[str, int]) -> int:
    """Elements of the largest array."""

    def elements(shape: tuple[Size, ...]) -> int:
        return int(np.prod([axis.at(sizes) for axis in shape], dtype=np.int64))

    return max(map(elements, domain.expand(ranks).values()), default=0)


def _clamped(domain: Domain, ranks: Mapping[str, int], sizes: dict[str, int]) -> dict[str, int]:
    """The sizes, the largest lowered until no array is large (or every size is one)."""
    while _largest(domain, ranks, sizes) > _LARGEST_ARRAY:
        largest = max(sizes, key=lambda name: sizes[name], default=None)
        if largest is None or sizes[largest] <= 1:
            break  # fixed sizes are as large as the claim says
        sizes = {**sizes, largest: sizes[largest] - 1}
    return sizes


def special_names(domain: Domain) -> tuple[str, ...]:
    """The special values that make sense somewhere in the domain."""
    specs = domain.inputs.values()
    ranged = any(spec.min_value is not None or spec.max_value is not None for spec in specs)
    names = [*SPECIALS, *(ENDS if ranged else ())]
    names += ["nan"] if any(spec.allow_nan for spec in specs) else []
    names += [n for n in NONFINITE if n != "nan"] if any(s.allow_infinity for s in specs) else []
    return tuple(names)


@st.composite
def plans(draw: st.DrawFn, domain: Domain, largest_count: int = LARGEST_COUNT) -> Plan:
    """Plans of a domain; sizes are pairwise different in most draws, now and then anything goes."""
    ranks = {name: draw(st.integers(0, top)) for name, top in domain.largest_ranks.items()}
    names = axis_names(domain, ranks)
    different = len(names) <= LARGEST_SIZE and draw(st.integers(0, 3)) < 3
    drawn = (
        draw(
            st.lists(
                st.integers(1, LARGEST_SIZE),
                min_size=len(names),
                max_size=len(names),
                unique=True,
            )
        )
        if different
        else [draw(st.integers(0, LARGEST_SIZE)) for _ in names]
    )
    sizes = _clamped(domain, ranks, dict(zip(names, drawn, strict=True)))
    kind = draw(_KINDS)
    scale = draw(_SCALES) if kind in ("uniform", "normal") else 0
    return Plan(
        tuple(ranks.items()),
        tuple(sizes.items()),
        kind,
        scale,
        seed=draw(_SEEDS),
        count=draw(st.integers(1, largest_count)),
        form=draw(_FORMS),
        layout=draw(_LAYOUTS),
        specials=draw(_specials(special_names(domain))),
    )


_KINDS = st.sampled_from(KINDS)
_SCALES = st.integers(-12, 12)
_SEEDS = st.integers(0, 2**32 - 1)
# The ordinary comes first, for shrinking, and often, so that most plans have one oddity at most.
# A tail is one of sizes beyond a block, which the covering set has.
_FORMS = st.sampled_from((*[FORMS[0]] * 4, *FORMS[1:-1]))
_LAYOUTS = st.sampled_from((*["C"] * len(LAYOUTS), *LAYOUTS[1:]))


def _specials(names: tuple[str, ...]) -> st.SearchStrategy[tuple[tuple[int, str], ...]]:
    some = st.lists(
        st.tuples(st.integers(0, 63), st.sampled_from(names)), min_size=1, max_size=MOST_SPECIALS
    )
    none = st.just(())
    return st.one_of(none, none, none, some.map(tuple))


def covering_plans(
    domain: Domain, entropy: int = 0, *, allowed: Callable[[Plan], bool] = lambda _: True
) -> Iterator[Plan]:
    """Plans that every run includes; `allowed` says which size beyond a block is not too large.

    All sizes 1, all 2, all different (ascending, and falling from the largest), each name at 1 and
    at 0, at every choice of ranks; then, at different sizes, each layout, form, special value and
    kind of numbers at which code turns; every edge of the dtypes' ranges; ordinary numbers at sizes
    of 1, where bounds are narrowest; and each name beyond a block.
    """
    choices = [
        dict(zip(domain.variadics, choice, strict=True))
        for choice in product(*(range(top + 1) for top in domain.largest_ranks.values()))
    ]
    shapes = [
        (number, index, ranks, _clamped(domain, ranks, sizes))
        for number, ranks in enumerate(choices)
        for index, sizes in enumerate(_covering_sizes(axis_names(domain, ranks)))
    ]
    for number, index, ranks, sizes in shapes:
        kind = _USUAL[(index + number) % len(_USUAL)]
        count = 2 if len(shapes) <= _FEW_PLANS else 1
        yield _plan(ranks, sizes, kind, entropy + index, count=count)
    usual = {name: min(top, 2) for name, top in domain.largest_ranks.items()}
    sizes = _clamped(domain, usual, _different(axis_names(domain, usual)))
    for index, kind in enumerate(_USUAL[_kinds_met(shapes) :]):
        yield _plan(usual, sizes, kind, entropy + index)
    if _is_wide(domain):
        yield _plan(usual, sizes, "extreme", entropy, count=_EDGES)
    falling = {name: LARGEST_SIZE - i % (LARGEST_SIZE - 1) for i, name in enumerate(sizes)}
    falling = _clamped(domain, usual, falling)
    yield _plan(usual, falling, "normal", entropy, count=2)
    yield _plan(usual, falling, "normal", entropy, count=LARGEST_COUNT, form="alike")
    ones = dict.fromkeys(sizes, 1)
    yield _plan(usual, ones, "normal", entropy, count=_ALONE)
    count = _ENOUGH // max(_largest(domain, usual, sizes), 1)
    count = min(max(count, LARGEST_COUNT), _MOST_TURNS)
    for index, kind in enumerate(("scaled", *TURNS)):
        yield _plan(usual, sizes, kind, entropy + index, count=count)
    for index, kind in enumerate(("ties", "sparse")):
        yield _plan(usual, sizes, kind, entropy + index, count=LARGEST_COUNT)
    for index, layout in enumerate(LAYOUTS[1:]):
        yield _plan(usual, sizes, "normal", entropy + index, layout=layout)
    for index, form in enumerate(FORMS[1:-2]):
        yield _plan(usual, sizes, KINDS[index], entropy + index, count=2, form=form)
    names = special_names(domain)
    for start in range(0, len(names), MOST_SPECIALS):
        # Position i is in example i: each special value comes alone.
        few = tuple(enumerate(names[start : start + MOST_SPECIALS]))
        yield _plan(usual, sizes, "eighths", entropy + start, count=len(few), specials=few)
    yield from _block_plans(domain, choices, entropy, allowed)


def _is_wide(domain: Domain) -> bool:
    """Whether an input has numbers near overflow and underflow."""
    specs = [spec for spec in domain.inputs.values() if spec.is_free and spec.kind == "real"]
    return any(spec.min_value is None or spec.max_value is None for spec in specs)


def _covering_sizes(names: tuple[str, ...]) -> list[dict[str, int]]:
    different = _different(names)
    cover = [dict.fromkeys(names, 1), dict.fromkeys(names, 2), different]
    return cover + [{**different, name: value} for name in names for value in (1, 0)]


def _different(names: tuple[str, ...]) -> dict[str, int]:
    least = 2 if len(names) > 1 else 4  # all sizes of two are met anyway
    return {name: least + i % (LARGEST_SIZE - 1) for i, name in enumerate(names)}


def _kinds_met(shapes: list[tuple[int, int, dict[str, int], dict[str, int]]]) -> int:
    """How many kinds of values, from the first on, the plans of these shapes have."""
    met = {(number + index) % len(_USUAL) for number, index, _, _ in shapes}
    return next((k for k in range(len(_USUAL)) if k not in met), len(_USUAL))


def _block_plans(
    domain: Domain,
    choices: list[dict[str, int]],
    entropy: int,
    allowed: Callable[[Plan], bool],
) -> Iterator[Plan]:
    """One plan per dimension name, where it first occurs, with the others small."""
    done: set[str] = set()
    for ranks in choices:
        names = axis_names(domain, ranks)
        for name in names:
            if name in done:
                continue
            done.add(name)
            others = {other: 2 + i % 2 for i, other in enumerate(names)}
            for block in BLOCKS:
                sizes = {**others, name: block}
                plan = _plan(ranks, sizes, "uniform", entropy, count=2, form="tail")
                if _largest(domain, ranks, sizes) <= _LARGEST_BLOCK and allowed(plan):
                    yield plan
                    break


def _plan(
    ranks: dict[str, int],
    sizes: dict[str, int],
    kind: str,
    seed: int,
    *,
    count: int = 1,
    form: str = "ordinary",
    layout: str = "C",
    specials: tuple[tuple[int, str], ...] = (),
) -> Plan:
    ranked, sized = tuple(ranks.items()), tuple(sizes.items())
    return Plan(ranked, sized, kind, 0, seed, count, form, layout, specials)
