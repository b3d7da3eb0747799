"""Judging what came back against what was wanted, without a tolerance of our own choosing.

Order: number of results, shape, dtype, device, non-finite places, values. An element passes within
the bound that `prepare.wanted` derives for its dtype; beyond the bound but within the envelope of
rearranged evaluations it is right but less accurate; beyond that it is wrong. Elements whose bound
is infinite can't be told apart and are not counted as compared; one beyond a finite bound whose
envelope is infinite leaves the example open, since no digit of it is vouched for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verimath.arithmetic.rounding import Array
from verimath.backends import Fetched
from verimath.prepare import Want
from verimath.report.record import Defect, Status


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


@dataclass(frozen=True, slots=True)
class Judgement:
    """Outcome of one route on one example."""

    status: Status
    defect: Defect | None = None
    reason: str | None = None
    elements: int = 0
    worst_ratio: float = 0.0
    floors: tuple[float, ...] = ()
    finding: Finding | None = None


def judge(got: Sequence[Fetched], want: Sequence[Want], *, dtype: str) -> Judgement:
    """Judge a route's results on one example; no decision divides by the wanted value."""
    if len(got) != len(want):
        return _defect("shape", f"{len(got)} array(s) came back; wanted {len(want)}")
    for number, (result, target) in enumerate(zip(got, want, strict=True)):
        where = f"result {number + 1}: " if len(want) > 1 else ""
        if result.array.shape != target.value.shape:
            shapes = f"shape {result.array.shape}; wanted {target.value.shape}"
            return _defect("shape", f"{where}{shapes}")
        if result.dtype != dtype:
            return _defect("dtype", f"{where}dtype {result.dtype}; wanted {dtype}")
        if not result.on_device:
            return _defect("device", f"{where}on another device than the inputs")
    parts = [
        _judge_values(np.asarray(result.array, dtype=np.float64), target, dtype, number)
        for number, (result, target) in enumerate(zip(got, want, strict=True))
    ]
    return _worst(parts)


def judge_bound(
    got: Sequence[Fetched], want: Sequence[Want], *, bound: float, dtype: str
) -> Judgement:
    """Judge an `AtMost`: the route's values as in `judge`, then the exact ones against the bound.

    Where rounding leaves open on which side of the bound an element lies, so does the judgement.
    """
    values = judge(got, want, dtype=dtype)
    if values.status not in (Status.PASS, Status.LESS_ACCURATE):
        return values
    open_ = 0
    for number, target in enumerate(want):
        size = np.abs(np.asarray(target.value))
        # Exact where it matters: near the bound no difference rounds (Sterbenz; Higham, 2.5).
        above = size - bound > target.error
        if above.any():
            finding = _finding(number, size, np.full_like(size, bound), target.error, above)
            return Judgement(Status.WRONG, "value", None, values.elements, np.inf, (), finding)
        open_ += int((~(target.error <= bound - size)).sum())
    if open_:
        reason = f"{open_} element(s) lie too close to the bound to tell"
        return Judgement(Status.INCONCLUSIVE, None, reason, values.elements)
    return values


def _defect(defect: Defect, reason: str) -> Judgement:
    return Judgement(Status.WRONG, defect, reason)


def _judge_values(got: Array, want: Want, dtype: str, number: int) -> Judgement:
    allowed, envelope = want.allowed[dtype], want.envelope[dtype]
    decidable = np.isfinite(allowed) & np.isfinite(want.value)
    count = int(decidable.sum())
    with np.errstate(all="ignore"):
        nonfinite = decidable & ~np.isfinite(got)
        off = np.where(decidable, np.abs(got - want.value), 0.0)
        off = np.where(nonfinite, np.inf, off)
        beyond = off > allowed
        ratio = np.where(off == 0, 0.0, off / np.where(allowed > 0, allowed, 5e-324))
        # An error of its own may hide part of a change: what is left has to leave the envelope.
        floor = (allowed + envelope) / np.abs(want.value)
    worst = float(np.max(ratio, initial=0.0, where=decidable))
    floors = tuple(floor[decidable & (want.value != 0)].ravel().tolist())
    if nonfinite.any():
        finding = _finding(number, got, want.value, allowed, nonfinite, off, envelope)
        return Judgement(Status.WRONG, "nonfinite", None, count, worst, floors, finding)
    wrong = beyond & ~(off <= envelope)
    if wrong.any():
        finding = _finding(number, got, want.value, allowed, wrong, off, envelope)
        return Judgement(Status.WRONG, "value", None, count, worst, floors, finding)
    if (beyond & np.isinf(envelope)).any():
        reason = "beyond its bound, where rearranged evaluations have none"
        return Judgement(Status.INCONCLUSIVE, None, reason, count, worst, floors)
    if beyond.any():
        finding = _finding(number, got, want.value, allowed, beyond, off, envelope)
        return Judgement(Status.LESS_ACCURATE, None, None, count, worst, floors, finding)
    if decidable.size and not count:
        return Judgement(Status.INCONCLUSIVE, None, "no element has a finite error bound")
    return Judgement(Status.PASS, None, None, count, worst, floors)


def _finding(
    number: int,
    got: Array,
    want: Array,
    allowed: Array,
    where: NDArray[np.bool_],
    off: Array | None = None,
    envelope: Array | None = None,
) -> Finding:
    distance = np.abs(got - want) if off is None else off
    at = np.unravel_index(int(np.argmax(np.where(where, distance, -1.0))), got.shape)
    index = tuple(int(i) for i in at)
    return Finding(
        output=number,
        index=index,
        got=float(got[index]),
        want=float(want[index]),
        allowed=float(allowed[index]),
        limit=None if envelope is None else float(envelope[index]),
        differing=int(where.sum()),
        compared=int(got.size),
    )


# From best to worst: one example, and a whole run, is as good as its worst part.
_ORDER = [Status.PASS, Status.LESS_ACCURATE, Status.INCONCLUSIVE, Status.WRONG, Status.ERROR]


def worse(one: Judgement, other: Judgement) -> Judgement:
    """The worse of two judgements (the first, if they are equally bad)."""
    return other if _ORDER.index(other.status) > _ORDER.index(one.status) else one


def _worst(parts: Sequence[Judgement]) -> Judgement:
    worst = parts[0]
    for part in parts[1:]:
        worst = worse(worst, part)
    return Judgement(
        worst.status,
        worst.defect,
        worst.reason,
        sum(part.elements for part in parts),
        max(part.worst_ratio for part in parts),
        tuple(floor for part in parts for floor in part.floors),
        worst.finding,
    )
