"""An iteration in a verdict: how many steps a route takes, and what shows that it fails.

A `Converges` has two routes that nothing else has. "iteration" repeats the step from the drawn
start, on every backend, as often as the contraction factor says is enough. "contraction" is what is
stated of steps, which enclosures decide (`contraction`); balls confirm a failure.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verimath.arbiter import Ruling, rule
from verimath.claim import Converges, Function
from verimath.convergence.contraction import Violation, violation
from verimath.convergence.functions import (
    beyond_the_factor,
    off_the_limit,
    repeated,
    until_still,
)
from verimath.convergence.reach import reach
from verimath.reference.prepared import Prepared
from verimath.reference.want import Want
from verimath.routes import Cell
from verimath.shapes import Binding

_LARGEST_COUNT = 2000  # steps that are run; whatever takes more is too slow to look at


@dataclass(frozen=True, slots=True)
class Steps:
    """How many steps lead to the limit of each example, shape (count,); `beyond` is too many."""

    counts: NDArray[np.float64]
    factors: NDArray[np.float64]

    @property
    def beyond(self) -> NDArray[np.bool_]:
        """Which examples take more steps than anybody looks at."""
        return ~(self.counts <= _LARGEST_COUNT)

    @property
    def reason(self) -> str:
        """Why an example is not compared."""
        slowest = int(np.argmax(np.where(self.beyond, self.factors, -1.0)))
        count, factor = self.counts[slowest], self.factors[slowest]
        if factor >= 1:
            return f"no number of steps is enough with a factor of {factor:.6g}"
        if not np.isfinite(count):
            return f"with a factor of {factor:.6g} rounding may undo what each step gains"
        return f"a factor of {factor:.6g} takes {count:.0f} steps; at most {_LARGEST_COUNT} are run"


def steps_of(
    prepared: Prepared, cell: Cell, inputs: Mapping[str, NDArray[Any]], binding: Binding
) -> Steps | None:
    """The steps that a cell has to run on a batch; None for what isn't an iteration."""
    iteration = prepared.iteration
    if iteration is None or cell.way.kind != "iteration":
        return None
    exact = {name: np.asarray(x, dtype=np.float64) for name, x in inputs.items()}
    found = reach(iteration, exact, binding, cell.backend.format(cell.dtype))
    return Steps(found.steps, found.factor)


def counted(prepared: Prepared, cell: Cell, count: float) -> Cell:
    """The cell with so many steps to run; with none where they are too many."""
    return _running(prepared, cell, count, until_still)


def _running(
    prepared: Prepared, cell: Cell, count: float, loop: Callable[[Function, int, int], Function]
) -> Cell:
    statement, place = _statement(prepared)
    run = loop(statement.step, place, int(count) if count <= _LARGEST_COUNT else 0)
    return replace(cell, way=replace(cell.way, function=run))


def not_compared(want: Want, where: NDArray[np.bool_]) -> Want:
    """What is wanted, of the other examples alone."""
    open_ = where.reshape((-1, *[1] * (want.value.ndim - 1)))
    widen = want.widen
    return replace(
        want,
        allowed=np.where(open_, np.inf, want.allowed),
        widen=lambda largest: np.where(open_, np.inf, widen(largest)),
    )


@dataclass(frozen=True, slots=True)
class Shown:
    """What a script runs on an example, what is wanted of it, and what that is called."""

    cell: Cell
    want: tuple[Want, ...]
    output: str | None = None


def shown(
    prepared: Prepared,
    cell: Cell,
    inputs: Mapping[str, NDArray[Any]],
    binding: Binding,
    want: tuple[Want, ...],
) -> Shown:
    """What shows a failure of a cell at an example, whose arrays are `inputs`."""
    if cell.way.kind == "iteration":
        batch = {name: np.asarray(x)[None] for name, x in inputs.items()}
        steps = steps_of(prepared, cell, batch, binding)
        count = 0.0 if steps is None else float(steps.counts[0])
        return Shown(_running(prepared, cell, count, repeated), want)
    found = _violation(prepared, inputs, binding) if cell.way.kind == "contraction" else None
    if found is None:
        return Shown(cell, want)
    statement, place = _statement(prepared)
    step, to, factor = statement.step, statement.to, statement.factor
    functions = {
        "factor": factor,
        "away": off_the_limit(step, to, place),
        "excess": beyond_the_factor(step, to, factor, place),
        "step": step,
    }
    allowed = found.allowed[None]
    right = Want(found.want[None], np.zeros_like(allowed), allowed, lambda largest: allowed)
    run = replace(cell, way=replace(cell.way, function=functions[found.part]))
    return Shown(run, (right,), found.what)


def ruling(
    prepared: Prepared, inputs: Mapping[str, NDArray[Any]], binding: Binding
) -> Ruling | None:
    """What balls say of the value that fails at an example."""
    found = _violation(prepared, inputs, binding)
    if found is None:
        return None
    iteration = prepared.iteration
    assert iteration is not None  # only those have something to violate
    value, error = np.zeros_like(found.want[None]), np.zeros_like(found.want[None])
    place = (0, *found.index)
    value[place], error[place] = found.value, found.error
    want = Want(value, error, error, lambda largest: error)
    formula = getattr(iteration, found.part)
    return rule(formula, inputs, binding, want, 0, found.index)


def _violation(
    prepared: Prepared, inputs: Mapping[str, NDArray[Any]], binding: Binding
) -> Violation | None:
    iteration = prepared.iteration
    if iteration is None:
        return None
    exact = {name: np.asarray(x, dtype=np.float64)[None] for name, x in inputs.items()}
    return violation(iteration, exact, binding)[0]


def _statement(prepared: Prepared) -> tuple[Converges, int]:
    """The statement, and the place of its iterate among the inputs."""
    statement = prepared.statement
    assert isinstance(statement, Converges)  # nothing else is iterated
    return statement, list(prepared.claim.domain.inputs).index(statement.of)
