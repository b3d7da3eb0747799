"""Where probes run: the code under test at a few points, with what is wanted of it there.

A probe is a function of a lab. It returns what is wrong, in words, or an empty string; it raises
NotImplementedError for an optional capability that the code lacks. Probes use nothing but what a
`Lab` offers, so that they can be copied into a script (`script` has the other lab).
"""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from verimath.backends import Fetched
from verimath.examples import Example
from verimath.judge import Judgement
from verimath.report.record import Defect, Status
from verimath.routes import Cell
from verimath.routes.execute import (
    SEED,
    Returned,
    call,
    changed_input,
    fetch,
    foreign,
    put,
    what_was_raised,
)

Arrays = dict[str, Any]
Inputs = Mapping[str, NDArray[Any]]
Judge = Callable[[Example, tuple[Fetched, ...]], Judgement]


class Lab(Protocol):
    """What a probe may use; `k` is the number of a point, 0 for the example at hand."""

    wrt: Sequence[str]
    points: int
    vectors: Sequence[NDArray[Any]]  # directions, one per name in `wrt`
    wants: Sequence[tuple[NDArray[Any], NDArray[Any]]]  # numbers beside the points' own, and limits

    def put(self, k: int = 0) -> Arrays:
        """Fresh copies of a point's inputs."""
        ...

    def call(self, arrays: Arrays) -> Sequence[Any]:
        """The results of the code under test, in its mode."""
        ...

    def compare(self, results: Sequence[Any], k: int = 0) -> str:
        """What is wrong with results at a point, in words."""
        ...

    def function(self, *arrays: Any) -> Any:
        """The code under test itself."""
        ...

    def run(self, foreign: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call what runs code under test, such as a backward."""
        ...


Probe = Callable[[Any], str]


class RaisedError(Exception):
    """The code under test raised, or handed back what is no array."""


@dataclass(frozen=True, slots=True)
class Extra:
    """Directions for a probe, and numbers that it wants beside the points' own, with limits."""

    vectors: tuple[NDArray[Any], ...] = ()
    wants: tuple[tuple[NDArray[Any], NDArray[Any]], ...] = ()


NOTHING = Extra()
_LONGEST_NOTE = 120


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of behaviour: in words, at which examples, and the probe that shows it."""

    defect: Defect
    situation: str
    found: str
    examples: tuple[Example, ...]
    probe: Probe
    extra: Extra = NOTHING
    status: Status = Status.WRONG

    @property
    def reason(self) -> str:
        """The fault in one sentence."""
        return f"{self.situation}: {self.found}"


@dataclass(frozen=True, slots=True)
class Trial:
    """A call: how its results were judged, and their bytes."""

    judgement: Judgement
    results: tuple[bytes, ...] = ()

    @property
    def bad(self) -> bool:
        """Whether it is wrong or raised."""
        return self.judgement.status in (Status.WRONG, Status.ERROR)


@dataclass(frozen=True, eq=False)
class Bench:
    """A cell with the judge at hand: what labs are made of."""

    cell: Cell
    wrt: tuple[str, ...]
    inputs_of: Callable[[Example], Inputs]
    judge: Judge
    notes: dict[str, None] = field(default_factory=dict[str, None])  # worth saying, and no fault

    def lab(self, *examples: Example, extra: Extra = NOTHING) -> "BenchLab":
        """A lab whose points are these examples."""
        return BenchLab(self, examples, extra)

    def look(
        self,
        defect: Defect,
        situation: str,
        probe: Probe,
        *examples: Example,
        extra: Extra = NOTHING,
    ) -> Fault | None:
        """Run a probe on examples at which the code is right; what it finds is a fault."""
        try:
            found = probe(self.lab(*examples, extra=extra))
        except NotImplementedError as error:
            self.notes[textwrap.shorten(str(error), _LONGEST_NOTE)] = None
            return None
        except RaisedError as error:
            found = str(error)
        return Fault(defect, situation, found, examples, probe, extra) if found else None

    def trial(self, example: Example) -> Trial:
        """One call and its judgement.

        Raises NotImplementedError for a capability that the code lacks.
        """
        lab = self.lab(example)
        arrays = lab.put()
        try:
            outcome = fetch(self.cell, Returned(tuple(lab.call(arrays))))
        except RaisedError as error:
            return Trial(Judgement(Status.ERROR, "raises", str(error)))
        if outcome.error is not None:
            return Trial(Judgement(Status.ERROR, "raises", outcome.error))
        changed = changed_input(self.cell, arrays, self.inputs_of(example))
        if changed is not None:
            reason = f"input {changed} was changed in place"
            return Trial(Judgement(Status.WRONG, "mutates_input", reason))
        judgement = self.judge(example, outcome.results)
        return Trial(judgement, tuple(result.array.tobytes() for result in outcome.results))


class BenchLab:
    """A lab on a cell: calls go through `routes.execute`, comparisons through the judge."""

    def __init__(self, bench: Bench, examples: Sequence[Example], extra: Extra) -> None:
        self._bench, self._examples = bench, examples
        self.wrt, self.points = bench.wrt, len(examples)
        self.vectors, self.wants = extra.vectors, extra.wants

    def put(self, k: int = 0) -> Arrays:
        """Fresh copies of a point's inputs on the backend."""
        return put(self._bench.cell, self._bench.inputs_of(self._examples[k]))

    def call(self, arrays: Arrays) -> Sequence[Any]:
        """The results in the cell's mode; raises RaisedError if there are none."""
        returned = call(self._bench.cell, arrays, self.wrt)
        if returned.lacking is not None:
            raise NotImplementedError(returned.lacking)
        if returned.error is not None:
            raise RaisedError(f"it raises {returned.error}")
        return returned.values

    def function(self, *arrays: Any) -> Any:
        """The code under test, its declared randomness seeded."""
        way = self._bench.cell.way
        if way.random is not None:
            way.random(SEED)
        return way.function(*arrays)

    def run(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call what runs code under test; raises RaisedError for whatever it raises."""
        try:
            with foreign():
                return function(*arguments, **options)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise RaisedError(f"it raises {what_was_raised(error)}") from error

    def compare(self, results: Sequence[Any], k: int = 0) -> str:
        """What is wrong with results at a point, in words."""
        outcome = fetch(self._bench.cell, Returned(tuple(results)))
        if outcome.error is not None:
            return outcome.error
        return complaint(self._bench.judge(self._examples[k], outcome.results))


def complaint(judgement: Judgement) -> str:
    """What a judgement holds against a result, or an empty string if it is not wrong."""
    if judgement.status not in (Status.WRONG, Status.ERROR):
        return ""
    finding = judgement.finding
    if finding is None:
        return judgement.reason or judgement.status.value
    where = f" at {list(finding.index)}" if finding.index else ""
    result = f"result {finding.output + 1}{where}" if finding.output else f"the result{where}"
    result = f"the {finding.part}{where}" if finding.part else result
    error = f"with an error of at most {finding.allowed:.3g}"
    return f"{result} is {finding.got!r}; wanted {finding.want!r} {error}"


def beyond(results: Sequence[Any], wants: Sequence[Any]) -> str:
    """The first of some numbers that is farther from what is wanted than allowed, in words."""
    for result, (want, allowed) in zip(results, wants, strict=True):
        found = np.asarray(result, dtype=np.float64)
        judged = np.isfinite(want) & np.isfinite(allowed)
        with np.errstate(all="ignore"):
            off = judged & ~(np.abs(found - want) <= allowed)
        if off.any():
            at = tuple(int(i) for i in np.argwhere(off)[0])
            place = f" at {list(at)}" if at else ""
            got, wanted = float(found[at]), float(want[at])
            return f"{got!r}{place}; wanted {wanted!r} with an error of at most {allowed[at]:.3g}"
    return ""
