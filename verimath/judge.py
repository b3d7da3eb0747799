"""Judging what came back against what was wanted, without a tolerance of our own choosing.

Order: number of results, shape, dtype, device, non-finite places, values. An element passes within
the bound that `prepare.wanted` derives for its dtype; beyond the bound but within the envelope of
rearranged evaluations it is right but less accurate; beyond that it is wrong. Elements whose bound
is infinite can't be told apart and are not counted as compared; one beyond a finite bound whose
envelope is infinite leaves the example open, since no digit of it is vouched for, unless only an
overflow on the way makes it infinite: then a number is judged by what a way without overflow may
lead to, and one that overflowed is not compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from verimath.arithmetic.values import Array
from verimath.backends import Fetched
from verimath.convergence.contraction import violation
from verimath.dtypes import roundoff
from verimath.pairs import dtype_of, part_of
from verimath.reference.prepared import Prepared
from verimath.reference.want import Want
from verimath.report.record import Defect, Status
from verimath.shapes import Binding


@dataclass(frozen=True, slots=True)
class Finding:
    """The worst element of an output: where, what came, what was wanted, what was allowed."""

    output: int
    index: tuple[int, ...]
    got: float
    want: float
    allowed: float
    limit: float | None  # beyond this no rearrangement of the same formula gets
    differing: int
    compared: int
    part: str = ""  # of a complex result: which part of which


_NO_FLOORS: Array = np.zeros(0)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Outcome of one route on a batch of examples; `example` is the one that decided it."""

    status: Status
    defect: Defect | None = None
    reason: str | None = None
    elements: int = 0
    worst_ratio: float = 0.0
    floors: Array = field(default_factory=lambda: _NO_FLOORS, repr=False, compare=False)
    finding: Finding | None = None
    example: int = 0


Results = Sequence[Fetched]  # of one example


def judge(
    got: Sequence[Results],
    want: Sequence[Want],
    *,
    dtype: str,
    power: bool = True,
    pairs: Sequence[bool] = (),
) -> Judgement:
    """Judge a route's results on a batch; no decision divides by the wanted value.

    `got` has the results of each example, in the batch's order. `power=False` leaves the detection
    floors out, which need the envelope even where nothing is wrong. `pairs` says which results are
    complex (none, if it is empty): their parts are judged, each by its own target.
    """
    for example, results in enumerate(got):
        defect = _not_comparable(results, want, dtype, pairs)
        if defect is not None:
            return replace(defect, example=example)
    got = [apart(results, pairs) for results in got]
    parts = [
        _judge_values(_stack([results[k].array for results in got]), target, k, power=power)
        for k, target in enumerate(want)
    ]
    worst = _worst(parts)
    if not any(pairs) or worst.finding is None:
        return worst
    part = part_of(worst.finding.output, pairs)
    return replace(worst, finding=replace(worst.finding, part=part))


def judge_stacked(
    got: Sequence[NDArray[np.generic]], want: Sequence[Want], *, power: bool = True
) -> Judgement:
    """Judge a batch that came back at once: one array of shape (count, *shape) per output.

    Numbers alone are judged, in whatever dtype `want` is for: what else may be wrong with a result
    (`judge`) shows on single examples. Raises ValueError for another number or shape of arrays.
    """
    shapes = [array.shape for array in got]
    wanted = [target.value.shape for target in want]
    if shapes != wanted:
        raise ValueError(f"arrays of shapes {shapes} came back; wanted {wanted}")
    return _worst(
        [
            _judge_values(np.asarray(array, dtype=np.float64), target, k, power=power)
            for k, (array, target) in enumerate(zip(got, want, strict=True))
        ]
    )


def _stack(arrays: Sequence[NDArray[np.generic]]) -> Array:
    return np.stack([np.asarray(array, dtype=np.float64) for array in arrays])


def apart(results: Results, pairs: Sequence[bool]) -> Results:
    """Results with each complex one as its two parts."""
    if not any(pairs):
        return results
    found: list[Fetched] = []
    for result, pair in zip(results, pairs, strict=True):
        parts = (np.real(result.array), np.imag(result.array)) if pair else (result.array,)
        found += [replace(result, array=part, dtype=part.dtype.name) for part in parts]
    return found


def _not_comparable(
    results: Results, want: Sequence[Want], of: str, pairs: Sequence[bool]
) -> Judgement | None:
    """What keeps the results of one example from being compared: number, shape, dtype, device."""
    if any(pairs):
        targets = iter(want)
        want = [(next(targets), next(targets))[0] if pair else next(targets) for pair in pairs]
    if len(results) != len(want):
        return _defect("shape", f"{len(results)} array(s) came back; wanted {len(want)}")
    for number, (result, target) in enumerate(zip(results, want, strict=True)):
        dtype = dtype_of(of, pair=bool(pairs) and pairs[number])
        where = f"result {number + 1}: " if len(want) > 1 else ""
        shape = target.value.shape[1:]
        if result.array.shape != shape:
            return _defect("shape", f"{where}shape {result.array.shape}; wanted {shape}")
        if result.dtype != dtype:
            return _defect("dtype", f"{where}dtype {result.dtype}; wanted {dtype}")
        if not result.on_device:
            return _defect("device", f"{where}on another device than the inputs")
    return None


def judge_bound(
    got: Sequence[Results],
    want: Sequence[Want],
    *,
    bound: float,
    dtype: str,
    power: bool = True,
) -> Judgement:
    """Judge an `AtMost`: the route's values as in `judge`, then the exact ones against the bound.

    Where rounding leaves open on which side of the bound an element lies, so does the judgement.
    """
    values = judge(got, want, dtype=dtype, power=power)
    if values.status not in (Status.PASS, Status.LESS_ACCURATE):
        return values
    open_ = 0
    for number, target in enumerate(want):
        size = np.abs(target.value)
        # Exact where it matters: near the bound no difference rounds (Sterbenz; Higham, 2.5).
        above = size - bound > target.error
        if above.any():
            limits = np.full_like(size, bound)
            return _found(
                Judgement(Status.WRONG, "value", None, values.elements, np.inf),
                (number, size, limits, target.error),
                above,
                size,
                None,
            )
        open_ += int((~(target.error <= bound - size)).sum())
    if open_:
        reason = f"{open_} element(s) lie too close to the bound to tell"
        return Judgement(Status.INCONCLUSIVE, None, reason, values.elements)
    return values


def judge_contraction(
    prepared: Prepared, inputs: Mapping[str, Array], binding: Binding
) -> Judgement:
    """Judge what a `Converges` states of its steps at every example of a batch.

    `inputs` are float64 of shape (count, *shape). What an enclosure leaves open isn't held against
    the claim; an example with an infinite one is not compared.
    """
    assert prepared.iteration is not None  # nothing else has steps
    found, known = violation(prepared.iteration, inputs, binding)
    if found is not None:
        finding = Finding(
            output=0,
            index=found.index,
            got=found.value,
            want=found.limit,
            allowed=found.error,
            limit=None,
            differing=1,
            compared=1,
        )
        return Judgement(
            Status.WRONG,
            "value",
            found.reason,
            known,
            np.inf,
            finding=finding,
            example=found.example,
        )
    if not known:
        reason = "no example at which a step, its limit and its factor are known"
        return Judgement(Status.INCONCLUSIVE, None, reason)
    return Judgement(Status.PASS, elements=known)


def _defect(defect: Defect, reason: str) -> Judgement:
    return Judgement(Status.WRONG, defect, reason)


def _judge_values(got: Array, want: Want, number: int, *, power: bool) -> Judgement:
    allowed = want.allowed
    with np.errstate(all="ignore"):
        off = np.abs(got - want.value)
        if np.max(allowed, initial=0.0) < np.inf and (off <= allowed).all():
            return _all_within(off, want, power=power)
    decidable = np.isfinite(allowed) & np.isfinite(want.value)
    count = int(decidable.sum())
    with np.errstate(all="ignore"):
        nonfinite = decidable & ~np.isfinite(got)
        if nonfinite.any():
            overflows = np.isinf(want.envelope) & np.isfinite(want.unlimited)
            decidable &= ~(nonfinite & overflows)
            count, nonfinite = int(decidable.sum()), nonfinite & decidable
        off = np.where(decidable, off, 0.0)
        off = np.where(nonfinite, np.inf, off)
        beyond = off > allowed
        ratio = off / np.where(allowed > 0, allowed, 5e-324)
        floors = _floors(want, decidable) if power else _NO_FLOORS
    worst = float(np.max(ratio, initial=0.0))
    compared = (number, got, want.value, allowed)

    def outcome(status: Status, defect: Defect | None = None, reason: str | None = None):
        return Judgement(status, defect, reason, count, worst, floors)

    if not beyond.any():
        if decidable.size and not count:
            reason = f"no element has a finite error bound: {_condition(want)}"
            return outcome(Status.INCONCLUSIVE, None, reason)
        return outcome(Status.PASS)
    envelope = want.envelope
    if nonfinite.any():
        found = outcome(Status.WRONG, "nonfinite")
        return _found(found, compared, nonfinite, off, envelope)
    wrong = beyond & ~(off <= envelope)
    if wrong.any():
        return _found(outcome(Status.WRONG, "value"), compared, wrong, off, envelope)
    # Infinity may have become a number again, as in 1 / inf: such a result is not called wrong.
    open_ = beyond & np.isinf(envelope)
    if open_.any() and (open_ & ~(np.isfinite(want.unlimited) & (off <= want.unlimited))).any():
        reason = f"beyond its bound, where rearranged evaluations have none: {_condition(want)}"
        return outcome(Status.INCONCLUSIVE, None, reason)
    return _found(outcome(Status.LESS_ACCURATE), compared, beyond, off, envelope)


def _condition(want: Want) -> str:
    """How much the formula magnifies rounding errors: the least of a condition number, in words.

    In float64, whose bound is the reference's own error.
    """
    with np.errstate(all="ignore"):
        magnified = want.error / (roundoff("float64") * np.abs(want.value))
    known = np.isfinite(magnified)
    if not known.any():
        return "condition number infinite"
    return f"condition number up to {np.max(magnified, where=known, initial=1.0):.0e}"


def _all_within(off: Array, want: Want, *, power: bool) -> Judgement:
    """What is said where every element has a bound and keeps it."""
    ratio = off / np.where(want.allowed > 0, want.allowed, 5e-324)
    floors = _floors(want, np.ones(off.shape, dtype=np.bool_)) if power else _NO_FLOORS
    worst = float(np.max(ratio, initial=0.0))
    return Judgement(Status.PASS, None, None, off.size, worst, floors)


def _floors(want: Want, decidable: NDArray[np.bool_]) -> Array:
    """The detection floors of the elements that can be told apart."""
    return want.floor[decidable & (want.value != 0)]


def _found(
    judgement: Judgement,
    compared: tuple[int, Array, Array, Array],
    where: NDArray[np.bool_],
    off: Array,
    envelope: Array | None,
) -> Judgement:
    """The judgement with its worst element; counts are those of that element's example."""
    number, got, want, allowed = compared
    at = np.unravel_index(int(np.argmax(np.where(where, off, -1.0))), got.shape)
    example, *index = (int(i) for i in at)
    place = (example, *index)
    finding = Finding(
        output=number,
        index=tuple(index),
        got=float(got[place]),
        want=float(want[place]),
        allowed=float(allowed[place]),
        limit=None if envelope is None else float(envelope[place]),
        differing=int(where[example].sum()),
        compared=int(got[example].size),
    )
    return replace(judgement, finding=finding, example=example)


# From best to worst: one example, and a whole run, is as good as its worst part.
_ORDER = [Status.PASS, Status.LESS_ACCURATE, Status.INCONCLUSIVE, Status.WRONG, Status.ERROR]


def worse(one: Judgement, other: Judgement) -> Judgement:
    """The worse of two judgements (the first, if they are equally bad)."""
    return other if _ORDER.index(other.status) > _ORDER.index(one.status) else one


def _worst(parts: Sequence[Judgement]) -> Judgement:
    # An output that leaves everything open is like an open element beside others: not compared.
    telling = [part for part in parts if part.elements or part.status is not Status.INCONCLUSIVE]
    worst, *others = telling or parts
    for part in others:
        worst = worse(worst, part)
    return replace(
        worst,
        elements=sum(part.elements for part in parts),
        worst_ratio=max(part.worst_ratio for part in parts),
        floors=np.concatenate([part.floors for part in parts]),
    )
