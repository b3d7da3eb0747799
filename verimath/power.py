"""What the checks of a claim can see: its mutants have to die on the examples of the run.

Mutants come from the claimed formula's graph and from its derivation (`formula.mutate`), and as
changes of right values: one element off by one plus twice its detection floor, everything wrong at
one size, at a zero, in one dtype, in one layout. Each is judged like a route whose arithmetic is as
good as it gets: float64 values, rounded to the dtype. A mutant that no example tells from the truth
may be the same function in disguise; where the proof ladder says so, it is left out.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verimath.arithmetic.rounding import evaluate
from verimath.arithmetic.values import Array
from verimath.backends import Fetched
from verimath.convergence.contraction import violation
from verimath.domain import Domain
from verimath.dtypes import nearest, roundoff
from verimath.examples import Batch
from verimath.formula.graph import Formula
from verimath.formula.mutate import mutate, slip
from verimath.judge import judge
from verimath.proof.ladder import are_equal
from verimath.reference.prepared import Prepared
from verimath.reference.want import Want
from verimath.report.record import Mutant, Status

# The same mistake at many places says little more: so many are tried.
_LARGEST_NUMBER = 60
_LOW_PRECISION = 12  # batches

Ranks = tuple[tuple[str, int], ...]
Wanted = Callable[[Batch, str], tuple[Want, ...]]
# The changed values, and where they are changed.
Change = Callable[[Batch, Want], tuple[Array, NDArray[np.bool_]]]


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """What mutants are tried on: a claim's graphs, its examples and what is wanted of them."""

    domain: Domain
    prepared: Mapping[Ranks, Prepared]
    batches: Sequence[Batch]
    wanted: Wanted
    dtypes: Sequence[str]

    def of(self, batch: Batch) -> Prepared:
        """The graphs at a batch's ranks."""
        return self.prepared[tuple(batch.ranks.items())]


def mutants(bench: Bench) -> tuple[Mutant, ...]:
    """Every mutant that is another function, with what kills it."""
    found: list[Mutant] = []
    for name, formulas in _generated(bench).items():
        killed = {dtype: _killer(bench, formulas, dtype) for dtype in bench.dtypes}
        alive = killed["float64"] is None
        if alive and all(_is_equivalent(bench.prepared[r], f) for r, f in formulas.items()):
            continue
        found.append(_record(name, killed))
    for name, change in _CHANGES.items():
        killed = {dtype: _detector(bench, change, dtype) for dtype in bench.dtypes}
        if any(outcome is not _ABSENT for outcome in killed.values()):
            seen = {dtype: found for dtype, found in killed.items() if found is not _ABSENT}
            found.append(_record(name, seen))
    if all(prepared.iteration is not None for prepared in bench.prepared.values()):
        found += _of_iterations(bench)
    return tuple(found)


def _is_equivalent(prepared: Prepared, mutant: Formula) -> bool:
    assert prepared.claimed is not None  # what has no other side has no mutants
    return are_equal(prepared, prepared.claimed, mutant)


def _record(name: str, killed: Mapping[str, str | None]) -> Mutant:
    """A mutant has to die in float64; in another dtype, if float64 can't show it at all."""
    other = next((k for k in killed.values() if k is not None), None)
    by = killed.get("float64", other)
    return Mutant(
        name=name,
        killed_by=by,
        not_separable_in=tuple(dtype for dtype, killer in killed.items() if killer is None),
    )


def _generated(bench: Bench) -> dict[str, dict[Ranks, Formula]]:
    """Mutants by name: one formula per choice of ranks for which there is one of that name."""
    found: dict[str, dict[Ranks, Formula]] = {}
    for ranks, prepared in bench.prepared.items():
        for name, formula in mutants_of(prepared).items():
            found.setdefault(name, {})[ranks] = formula
    return found


def mutants_of(prepared: Prepared) -> dict[str, Formula]:
    """Wrong siblings of what a claim claims, by name; those of the derivation, too."""
    sources: list[Iterator[tuple[str, Formula]]] = []
    if prepared.claimed is not None:
        sources.append(mutate(prepared.claimed))
    if prepared.derivation is not None:
        sources.append(slip(prepared.derivation))
    found: dict[str, Formula] = {}
    for source in sources:
        for name, formula in source:
            unique, number = name, 2
            while unique in found:
                unique, number = f"{name}, no. {number}", number + 1
            found[unique] = formula
            if len(found) >= _LARGEST_NUMBER:
                return found
    return found


# --- mutants that are formulas ----------------------------------------------------------------


def _killer(bench: Bench, formulas: Mapping[Ranks, Formula], dtype: str) -> str | None:
    """The first batch on which a mutant's values are wrong, in words; None if there is none.

    In lower precision only so many batches are tried: that it can't be told there is no fault.
    """
    usable = [b for b in bench.batches if tuple(b.ranks.items()) in formulas and not _is_empty(b)]
    for batch in usable if dtype == "float64" else usable[:_LOW_PRECISION]:
        formula = formulas[tuple(batch.ranks.items())]
        cast = batch.cast(bench.domain, dtype)
        inputs = {name: np.asarray(x, dtype=np.float64) for name, x in cast.items()}
        try:
            found = evaluate(formula, inputs, batch.sizes)
        except IndexError:  # takes the first row where there is none
            continue
        values = [
            np.broadcast_to(each.value, (len(batch), *each.value.shape[1:])) for each in found
        ]
        if _is_wrong(values, bench.wanted(batch, dtype), dtype):
            return _place(batch, dtype)
    return None


def _is_empty(batch: Batch) -> bool:
    """Whether an input has no elements: then a mutant may have nothing to take its mistake from."""
    return not all(values[0].size for values in batch.inputs.values())


def _is_wrong(values: Sequence[Array], want: Sequence[Want], dtype: str) -> bool:
    rounded = [nearest(value, dtype) for value in values]
    got = [
        [Fetched(np.asarray(value[k]), dtype, True) for value in rounded]
        for k in range(len(values[0]))
    ]
    return judge(got, want, dtype=dtype, power=False).status is Status.WRONG


def _place(batch: Batch, dtype: str) -> str:
    sizes = " ".join(f"{name}={size}" for name, size in batch.sizes.items())
    return f"{dtype}, {sizes}" if sizes else dtype


# --- mutants that are changed values ----------------------------------------------------------

_ABSENT = "absent"
_OFF = 1e-3


def _decided(want: Want) -> NDArray[np.bool_]:
    """Where a relative change can be told: a nonzero value with a bound."""
    return np.isfinite(want.allowed) & np.isfinite(want.value) & (want.value != 0)


def _where(predicate: Callable[[Batch], NDArray[np.bool_]]) -> Change:
    """A change by a thousandth of the examples that have something."""

    def change(batch: Batch, want: Want) -> tuple[Array, NDArray[np.bool_]]:
        has = predicate(batch).reshape((-1, *[1] * (want.value.ndim - 1)))
        where = np.broadcast_to(has, want.value.shape) & _decided(want)
        return np.where(where, want.value * (1 + _OFF), want.value), where

    return change


def _has_zero(batch: Batch) -> NDArray[np.bool_]:
    rows = [(x == 0).reshape(len(batch), -1).any(axis=1) for x in batch.inputs.values()]
    return np.logical_or.reduce(rows)


def _one_element(batch: Batch, want: Want) -> tuple[Array, NDArray[np.bool_]]:
    """The element that is told apart best, off by twice its floor."""
    where = np.zeros(want.value.shape, dtype=bool)
    decided = _decided(want) & np.isfinite(want.envelope)
    if not decided.any():
        return want.value, where
    floor = np.where(decided, want.floor, np.inf)
    where.flat[int(np.argmin(floor))] = True
    return np.where(where, want.value * (1 + 2 * floor), want.value), where


_CHANGES: Mapping[str, Change] = {
    "one element off by twice the detection floor": _one_element,
    "off by 0.1 % in this dtype alone": _where(lambda batch: np.full(len(batch), True)),
    "off by 0.1 % where a size is one": _where(
        lambda batch: np.full(len(batch), 1 in batch.sizes.values())
    ),
    "off by 0.1 % where the arrays are not contiguous": _where(
        lambda batch: np.full(len(batch), batch.layout != "C")
    ),
    "off by 0.1 % where an input is zero": _where(_has_zero),
}


def _detector(bench: Bench, change: Change, dtype: str) -> str | None:
    """The first batch that shows a change; _ABSENT if no batch has what it needs."""
    met = False
    for batch in bench.batches:
        want = bench.wanted(batch, dtype)
        with np.errstate(all="ignore"):
            changed = [change(batch, target) for target in want]
        touched = any(where.any() for _, where in changed)
        met = met or touched
        if touched and _is_wrong([values for values, _ in changed], want, dtype):
            return _place(batch, dtype)
    return None if met else _ABSENT


# --- mutants of an iteration ------------------------------------------------------------------

_EARLY = 0.25  # stopped at a relative change of u to this power: half of the digits of Newton's
_MOST_STEPS = 60  # of an iteration that is stopped early


def _of_iterations(bench: Bench) -> Iterator[Mutant]:
    """What else may be wrong with an iteration: it stops early, or is claimed to be faster."""
    early = {dtype: _first(bench, dtype, _stops_early) for dtype in bench.dtypes}
    yield _record("stopped where an iterate is close to the next", early)
    # Where half of the factor would do as well, that is no mistake.
    slower = _first(bench, "float64", _is_slower_than_half)
    if slower is not None:
        name = "half of the contraction factor"
        yield Mutant(name=name, killed_by=slower, not_separable_in=())


def _first(bench: Bench, dtype: str, shows: Callable[[Bench, Batch, str], bool]) -> str | None:
    for batch in bench.batches:
        if not _is_empty(batch) and shows(bench, batch, dtype):
            return _place(batch, dtype)
    return None


def _exact(bench: Bench, batch: Batch, dtype: str) -> dict[str, Array]:
    cast = batch.cast(bench.domain, dtype)
    return {name: np.asarray(x, dtype=np.float64) for name, x in cast.items()}


def _stops_early(bench: Bench, batch: Batch, dtype: str) -> bool:
    """Whether iterates are wrong that have come close to the ones before."""
    iteration = bench.of(batch).iteration
    assert iteration is not None  # asked of iterations alone
    inputs, close = _exact(bench, batch, dtype), roundoff(dtype) ** _EARLY
    x = inputs[iteration.of]
    done = np.zeros((len(x), *[1] * (x.ndim - 1)), dtype=np.bool_)
    with np.errstate(all="ignore"):
        for _ in range(_MOST_STEPS):
            (after,) = evaluate(iteration.step, {**inputs, iteration.of: x}, batch.sizes)
            change, size = np.abs(after.value - x), np.abs(after.value)
            x = np.where(done, x, after.value)
            done = done | (_largest(change) <= close * _largest(size))
    return _is_wrong([x], bench.wanted(batch, dtype), dtype)


def _largest(x: Array) -> Array:
    return np.max(x, axis=tuple(range(1, x.ndim)), keepdims=True)


def _is_slower_than_half(bench: Bench, batch: Batch, dtype: str) -> bool:
    iteration = bench.of(batch).iteration
    assert iteration is not None  # asked of iterations alone
    found, _ = violation(iteration.faster, _exact(bench, batch, dtype), batch.sizes)
    return found is not None
