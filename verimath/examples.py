"""Examples: batches of drawn points, and the smallest one that fails.

Hypothesis draws a small plan (`verimath.plans`), a seeded generator fills the arrays with free
numbers (`verimath.fill`), and casting makes them members of the domain in a dtype. Arrays that
break a structure are never made, whatever is drawn or shrunk.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Flaky
from hypothesis.strategies import SearchStrategy
from numpy.typing import NDArray

from verimath.domain import Domain, Input
from verimath.dtypes import largest
from verimath.errors import ClaimError
from verimath.fill import fill_values
from verimath.plans import LARGEST_COUNT, LARGEST_SIZE, MOST_COUNT, Plan, covering_plans, plans
from verimath.specials import ENDS, HAZARDS, NONFINITE, SPECIALS

Values = NDArray[np.float64]
Admissible = Callable[[Plan], bool]

_DRAWN = 3  # at least one of so many examples is none of the covering set
_PLANS = 64  # a run of many examples has about so many plans, with more examples of each


@dataclass(frozen=True, slots=True)
class Special:
    """A special value, by its name in `verimath.specials`, at an element of an example's input."""

    example: int
    input: str
    index: tuple[int, ...]
    value: str


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One drawn point: free numbers by input name, with the sizes they share. Read-only.

    `inputs` are float64; they *are* the point where an input is free, and what a structured one is
    made of (`Input.cast`). `specials` replace elements, in each dtype by its own; `layout` is how
    every array lies in memory when a route is called.
    """

    ranks: Mapping[str, int]
    sizes: Mapping[str, int]
    inputs: Mapping[str, Values]
    specials: tuple[Special, ...] = ()
    layout: str = "C"

    def __str__(self) -> str:
        sizes = " ".join(f"{name}={size}" for name, size in self.sizes.items())
        values = "   ".join(
            f"{name}={np.array2string(value, separator=', ')}".replace("\n", "")
            for name, value in self.inputs.items()
        )
        others = [f"{s.input}{list(s.index)}: {s.value}" for s in self.specials]
        others += [self.layout] if self.layout != "C" else []
        return "   ".join([f"{sizes}   {values}".strip(), *others])

    def resolved(self, domain: Domain, dtype: str) -> "Example":
        """The same point for one dtype, its special values written into the inputs as numbers."""
        inputs = {name: values.copy() for name, values in self.inputs.items()}
        for special in self.specials:
            number = special_number(domain.inputs[special.input], special.value, dtype)
            if number is not None:
                inputs[special.input][special.index] = number
        for values in inputs.values():
            values.flags.writeable = False
        return replace(self, inputs=inputs, specials=())


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Examples of one plan, evaluated together: free numbers (count, *shape) by input name."""

    ranks: Mapping[str, int]
    sizes: Mapping[str, int]
    inputs: Mapping[str, Values]
    specials: tuple[Special, ...] = ()
    layout: str = "C"
    extreme: bool = False  # numbers near overflow or underflow: much of it can't be judged
    _casts: dict[str, dict[str, NDArray[Any]]] = field(
        default_factory=dict[str, dict[str, NDArray[Any]]], repr=False
    )

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def example(self, index: int) -> Example:
        """One of the examples, as a view."""
        inputs = {name: np.asarray(values[index]) for name, values in self.inputs.items()}
        for values in inputs.values():
            values.flags.writeable = False  # numpy makes numbers of 0-d arrays
        specials = tuple(replace(s, example=0) for s in self.specials if s.example == index)
        return Example(self.ranks, self.sizes, inputs, specials, self.layout)

    def cast(self, domain: Domain, dtype: str) -> dict[str, NDArray[Any]]:
        """Every input in a dtype, a member of its domain: what routes and the reference are given.

        Integer inputs are int64 and boolean ones bool in every dtype. Read-only, kept for the next
        time; a batch belongs to one domain.
        """
        if dtype not in self._casts:
            self._casts[dtype] = {
                name: self._cast_one(name, domain.inputs[name], values, dtype)
                for name, values in self.inputs.items()
            }
        return dict(self._casts[dtype])

    def _cast_one(self, name: str, spec: Input, values: Values, dtype: str) -> NDArray[Any]:
        found = spec.cast(values, dtype, self.sizes)
        for special in self.specials:
            number = special_number(spec, special.value, dtype) if special.input == name else None
            if number is not None:
                found[(special.example, *special.index)] = number
        found.flags.writeable = False
        return found


def special_number(spec: Input, name: str, dtype: str) -> float | None:
    """The number of a special value in a dtype, or None if the input doesn't allow it."""
    if not spec.is_free:
        return None
    low, high = spec.limits(dtype)
    if name in NONFINITE:
        allowed = spec.allow_nan if name == "nan" else spec.allow_infinity
        return NONFINITE[name] if allowed else None
    number = {ENDS[0]: low, ENDS[1]: high}[name] if name in ENDS else SPECIALS[name](dtype)
    whole = spec.kind == "real" or (float(number).is_integer() and abs(number) <= 2**53)
    inside = low <= number <= high and abs(number) <= largest(dtype)
    return number if whole and inside and not (spec.exclude_zero and number == 0) else None


def batch_of(example: Example) -> Batch:
    """The batch of one example alone."""
    inputs = {name: values[None] for name, values in example.inputs.items()}
    return Batch(example.ranks, example.sizes, inputs, example.specials, example.layout)


def fill(plan: Plan, domain: Domain) -> Batch:
    """The examples of a plan: a pure function."""
    inputs = fill_values(plan, domain)
    specials = _specials(plan, domain, inputs)
    extreme = plan.kind == "extreme" or any(special.value in HAZARDS for special in specials)
    return Batch(dict(plan.ranks), dict(plan.sizes), inputs, specials, plan.layout, extreme)


def _specials(plan: Plan, domain: Domain, inputs: Mapping[str, Values]) -> tuple[Special, ...]:
    """Positions count examples first, then the elements of the free inputs."""
    free = {name: values[0] for name, values in inputs.items() if domain.inputs[name].is_free}
    total = sum(values.size for values in free.values())
    found: list[Special] = []
    for position, value in plan.specials if total else ():
        rest, example = divmod(position, plan.count)
        rest %= total
        for name, values in free.items():
            if rest < values.size:
                index = tuple(map(int, np.unravel_index(rest, values.shape)))
                found.append(Special(example, name, index, value))
                break
            rest -= values.size
    return tuple(found)


def draw_examples(
    domain: Domain, admissible: Admissible, *, count: int, entropy: int
) -> tuple[Batch, ...]:
    """At least `count` admissible examples, in batches of distinct plans.

    The covering set comes first; a third of `count` at least is drawn beyond it. A domain of given
    numbers alone has one. Where thousands are asked for, the batches grow.

    Raises ClaimError if no size satisfies the domain.
    """
    if all(spec.values is not None for spec in domain.inputs.values()):
        plan = replace(next(covering_plans(domain, entropy)), count=1)
        return (fill(plan, domain),)

    def allowed(plan: Plan) -> bool:
        return admissible(plan) and domain.satisfiable(dict(plan.ranks), dict(plan.sizes))

    covering = covering_plans(domain, entropy, allowed=allowed)
    found = dict.fromkeys(plan for plan in covering if allowed(plan))
    # The covering set may be as many as are asked for: some are drawn all the same.
    drawn = min(sum(plan.count for plan in found), count - count // _DRAWN)

    class EnoughError(BaseException):
        """Ends the drawing; an Exception would be a failure, which Hypothesis replays."""

    def collect(plan: Plan) -> None:
        nonlocal drawn
        if drawn >= count:
            raise EnoughError
        if plan not in found and allowed(plan):
            found[plan] = None
            drawn += plan.count

    most = min(MOST_COUNT, max(LARGEST_COUNT, count // _PLANS))
    with suppress(EnoughError):
        strategy = plans(domain, most)
        _run(strategy, collect, count=2 * count, entropy=entropy, phases=(Phase.generate,))
    if all(max(dict(plan.sizes).values(), default=0) > LARGEST_SIZE for plan in found):
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
        sizes, ranks = dict(plan.sizes), dict(plan.ranks)
        if admissible(plan) and domain.satisfiable(ranks, sizes):
            batch = fill(plan, domain)
            for example in map(batch.example, range(len(batch))):
                if fails(example):
                    smallest[:] = [example]
                    raise FailingError

    # A flaky failure is one too: the caller sees whether its example fails again.
    with suppress(FailingError, Flaky):
        _run(
            plans(domain), test, count=count, entropy=entropy, phases=(Phase.generate, Phase.shrink)
        )
    return smallest[0] if smallest else None


def _run(
    strategy: SearchStrategy[Plan],
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
    seed(entropy)(options(given(strategy)(test)))()
