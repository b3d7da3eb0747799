"""Examples: Hypothesis draws a small plan, a seeded generator fills the arrays.

A plan says how many axes, which sizes, what kind of values and from which seed; drawing elements
one by one would be slow and would fill most of an array with one value. Sizes mostly differ, so
that swapped axes show. A covering set comes first, so that every size of one and of zero is met in
every run and not by luck.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from numpy.typing import NDArray

from verimath.domain import Domain, Input
from verimath.errors import ClaimError
from verimath.shapes import Size

Values = NDArray[np.float64]
Admissible = Callable[["Plan"], bool]

LARGEST_SIZE = 7
LARGEST_COUNT = 4  # examples of one plan
COVERING_COUNT = 2
_LARGEST_ARRAY = 300

KINDS = ("integers", "eighths", "uniform", "normal", "scaled", "ties", "sparse")


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that determines a batch, small enough for Hypothesis to draw and shrink."""

    ranks: tuple[tuple[str, int], ...]
    sizes: tuple[tuple[str, int], ...]
    kind: str
    scale: int  # power of two, for kinds "uniform", "normal" and "scaled"
    seed: int
    count: int = 1  # examples of these sizes and this kind


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One drawn point: float64 arrays by input name, with the sizes they share. Read-only."""

    ranks: Mapping[str, int]
    sizes: Mapping[str, int]
    inputs: Mapping[str, Values]

    def __str__(self) -> str:
        sizes = " ".join(f"{name}={size}" for name, size in self.sizes.items())
        values = "   ".join(
            f"{name}={np.array2string(value, separator=', ')}".replace("\n", "")
            for name, value in self.inputs.items()
        )
        return f"{sizes}   {values}".strip()


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Examples of one plan, evaluated together: float64 arrays (count, *shape) by input name."""

    ranks: Mapping[str, int]
    sizes: Mapping[str, int]
    inputs: Mapping[str, Values]

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def example(self, index: int) -> Example:
        """One of the examples, as a view."""
        inputs = {name: np.asarray(values[index]) for name, values in self.inputs.items()}
        for values in inputs.values():
            values.flags.writeable = False  # numpy makes numbers of 0-d arrays
        return Example(self.ranks, self.sizes, inputs)

    def cast(self, domain: Domain, dtype: str) -> dict[str, NDArray[Any]]:
        """Every input in a dtype, inside its range: what routes and the reference are given."""
        return {name: domain.inputs[name].cast(v, dtype) for name, v in self.inputs.items()}


def batch_of(example: Example) -> Batch:
    """The batch of one example alone."""
    inputs = {name: values[None] for name, values in example.inputs.items()}
    return Batch(example.ranks, example.sizes, inputs)


def axis_names(domain: Domain, ranks: Mapping[str, int]) -> tuple[str, ...]:
    """Every dimension name that occurs once the starred names have a number of axes."""
    shapes = domain.expand(ranks).values()
    return tuple(
        dict.fromkeys(name for shape in shapes for size in shape for name in sorted(size.names))
    )


def fill(plan: Plan, domain: Domain) -> Batch:
    """The examples of a plan: a pure function."""
    generator = np.random.Generator(np.random.PCG64(plan.seed))
    sizes, ranks = dict(plan.sizes), dict(plan.ranks)
    inputs: dict[str, Values] = {}
    for name, shape in domain.expand(ranks).items():
        spec = domain.inputs[name]
        size = (plan.count, *(axis.at(sizes) for axis in shape))
        drawn = np.asarray(_values(generator, spec, size, plan), dtype=np.float64)
        drawn.flags.writeable = False
        inputs[name] = drawn
    return Batch(ranks, sizes, inputs)


def _values(
    generator: np.random.Generator, spec: Input, shape: tuple[int, ...], plan: Plan
) -> Values:
    if spec.values is not None:
        return np.broadcast_to(spec.values, shape).copy()
    low, high = spec.min_value, spec.max_value
    if low is not None and high is not None:
        share = generator.random(shape)
        between = np.clip(low * (1 - share) + high * share, low, high)
        ends = generator.choice([low, high, low / 2 + high / 2], shape)
        mixed = np.where(generator.random(shape) < 0.1, ends, between)
        return np.clip(np.rint(mixed), low, high) if plan.kind == "integers" else mixed
    drawn = _unbounded(generator, shape, plan)
    if low is not None:
        return low + np.abs(drawn)
    return high - np.abs(drawn) if high is not None else drawn


def _unbounded(generator: np.random.Generator, shape: tuple[int, ...], plan: Plan) -> Any:
    unit = 2.0**plan.scale
    match plan.kind:
        case "integers":
            return generator.integers(-9, 10, shape)
        case "eighths":
            return generator.integers(-64, 65, shape) / 8
        case "uniform":
            return generator.uniform(-unit, unit, shape)
        case "normal":
            return generator.standard_normal(shape) * unit
        case "scaled":  # magnitudes over twenty binary orders inside one array
            exponents = generator.integers(-10, 11, shape)
            return generator.standard_normal(shape) * 2.0**exponents
        case "ties":
            return generator.choice(generator.integers(-3, 4, 3), shape)
        case _:
            zero = generator.random(shape) < 0.6
            return np.where(zero, 0.0, generator.integers(-5, 6, shape))


def _clamped(domain: Domain, ranks: Mapping[str, int], sizes: dict[str, int]) -> dict[str, int]:
    """The sizes, the largest lowered until no array is large (or every size is one)."""

    def elements(shape: tuple[Size, ...]) -> int:
        return int(np.prod([axis.at(sizes) for axis in shape], dtype=np.int64))

    shapes = list(domain.expand(ranks).values())
    while max(map(elements, shapes), default=0) > _LARGEST_ARRAY:
        largest = max(sizes, key=lambda name: sizes[name], default=None)
        if largest is None or sizes[largest] <= 1:
            break  # fixed sizes are as large as the claim says
        sizes = {**sizes, largest: sizes[largest] - 1}
    return sizes


@st.composite
def plans(draw: st.DrawFn, domain: Domain) -> Plan:
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
    kind = draw(st.sampled_from(KINDS))
    scale = draw(st.integers(-12, 12)) if kind in ("uniform", "normal") else 0
    entropy = draw(st.integers(0, 2**32 - 1))
    count = draw(st.integers(1, LARGEST_COUNT))
    return Plan(tuple(ranks.items()), tuple(sizes.items()), kind, scale, entropy, count)


def covering_plans(domain: Domain, entropy: int = 0) -> Iterator[Plan]:
    """Plans that every run includes: all sizes 1, all 2, all different, each name at 1 and at 0."""
    choices = product(*(range(top + 1) for top in domain.largest_ranks.values()))
    for number, choice in enumerate(choices):
        ranks = dict(zip(domain.variadics, choice, strict=True))
        names = axis_names(domain, ranks)
        different = {name: 2 + i % (LARGEST_SIZE - 1) for i, name in enumerate(names)}
        cover = [dict.fromkeys(names, 1), dict.fromkeys(names, 2), different]
        cover += [{**different, name: value} for name in names for value in (1, 0)]
        for index, sizes in enumerate(cover):
            kind = KINDS[(index + number) % len(KINDS)]
            clamped = _clamped(domain, ranks, sizes)
            drawn = tuple(clamped.items())
            yield Plan(tuple(ranks.items()), drawn, kind, 0, entropy + index, COVERING_COUNT)


def draw_examples(
    domain: Domain, admissible: Admissible, *, count: int, entropy: int
) -> tuple[Batch, ...]:
    """At least `count` admissible examples, in batches of distinct plans.

    A domain of given numbers alone has one.

    Raises ClaimError if no size satisfies the domain.
    """
    if all(spec.values is not None for spec in domain.inputs.values()):
        plan = replace(next(covering_plans(domain, entropy)), count=1)
        return (fill(plan, domain),)
    found = dict.fromkeys(plan for plan in covering_plans(domain, entropy) if admissible(plan))
    drawn = sum(plan.count for plan in found)

    def collect(plan: Plan) -> None:
        nonlocal drawn
        if drawn < count and plan not in found and admissible(plan):
            found[plan] = None
            drawn += plan.count

    _run(domain, collect, count=2 * count, entropy=entropy, phases=(Phase.generate,))
    if not found:
        raise ClaimError(
            f"the domain {domain} can't be satisfied: none of the sizes up to {LARGEST_SIZE} that "
            "were tried is allowed by its shapes and the formulas' denominators"
        )
    return tuple(fill(plan, domain) for plan in found)


def simplest_failure(
    domain: Domain,
    admissible: Admissible,
    fails: Callable[[Example], bool],
    *,
    count: int,
    entropy: int,
) -> Example | None:
    """Hypothesis's smallest plan whose example fails, or None if it meets none (again)."""
    smallest: list[Example] = []

    class FailingError(Exception):
        """Tells Hypothesis that an example fails."""

    def test(plan: Plan) -> None:
        if admissible(plan):
            batch = fill(plan, domain)
            for example in map(batch.example, range(len(batch))):
                if fails(example):
                    smallest[:] = [example]
                    raise FailingError

    # A flaky failure is one too: the caller sees whether its example fails again.
    with suppress(FailingError, Flaky):
        _run(domain, test, count=count, entropy=entropy, phases=(Phase.generate, Phase.shrink))
    return smallest[0] if smallest else None


def _run(
    domain: Domain,
    test: Callable[[Plan], None],
    *,
    count: int,
    entropy: int,
    phases: tuple[Phase, ...],
) -> None:
    """Run a property test outside pytest: no database, no deadline, one fixed seed."""
    options = settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=phases,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.filter_too_much,
            HealthCheck.large_base_example,
        ],
        print_blob=False,
        report_multiple_bugs=False,
    )
    seed(entropy)(options(given(plans(domain))(test)))()
