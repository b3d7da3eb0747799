"""The formulas of an iteration: traced from its `Converges`, with shapes that agree."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from verimath.claim import Converges
from verimath.convergence.functions import beyond_the_factor, off_the_limit
from verimath.domain import Domain
from verimath.errors import FormulaError
from verimath.formula.graph import Formula, topological
from verimath.formula.jacobian import jacobians
from verimath.formula.traced import TracedArray
from verimath.shapes import shape_text


@dataclass(frozen=True, eq=False)
class Iteration:
    """The formulas of a `Converges`: a step, and what has to be zero or below one.

    `low` and `high` are the range of the iterate, infinite where there is none.
    """

    of: str
    low: float
    high: float
    step: Formula
    to: Formula
    factor: Formula
    away: Formula
    excess: Formula
    excess_over_half: Formula

    @property
    def formulas(self) -> tuple[Formula, ...]:
        """All formulas beside the two sides of the fixed point."""
        return (self.step, self.factor, self.away, self.excess)

    @cached_property
    def faster(self) -> "Iteration":
        """The same, claimed to converge by half of the factor."""
        return replace(self, excess=self.excess_over_half)

    @cached_property
    def is_affine(self) -> bool:
        """Whether the step's derivative in the iterate doesn't depend on it."""
        try:
            slope = jacobians(self.step, (self.of,))
        except FormulaError:
            return False
        return not _depends(slope, self.of)

    @cached_property
    def is_bounded(self) -> bool:
        """Whether the statement is for a range, which the iterates have to stay in."""
        return not self.is_affine and (self.low > -np.inf or self.high < np.inf)


def _depends(formula: Formula, name: str) -> bool:
    """Whether a formula's graph has an input of this name."""
    nodes = topological(formula.outputs)
    return any(node.operation == "input" and node.parameter == name for node in nodes)


def iteration_of(
    statement: Converges, domain: Domain, limit: Formula, trace: Callable[..., Formula]
) -> Iteration:
    """The formulas of an iteration, whose shapes have to be those of its iterate."""
    of, place = statement.of, list(domain.inputs).index(statement.of)
    step, factor = trace(statement.step), trace(statement.factor)
    x = limit.inputs[of]
    for what, formula in (("the step", step), ("the limit", limit)):
        shapes = [output.shape for output in formula.outputs]
        if shapes != [x.shape]:
            found = " and ".join(map(shape_text, shapes))
            raise FormulaError(
                f"{what} `{formula.name}` gives an array of shape {found}, but the iterate "
                f"{of!r} has shape {shape_text(x.shape)}; they have to agree for every size"
            )
    shapes = [output.shape for output in factor.outputs]
    if shapes != [()]:
        found = " and ".join(map(shape_text, shapes))
        raise FormulaError(
            f"the contraction factor `{factor.name}` has shape {found}; wanted one number, a 0-d "
            "array such as xp.max(...)"
        )
    for what, formula in (("limit", limit), ("contraction factor", factor)):
        if _depends(formula, of):
            raise FormulaError(
                f"the {what} `{formula.name}` depends on the iterate {of!r}; wanted one for all "
                "iterates, a formula of the other inputs"
            )
    low, high = domain.inputs[of].limits("float64")
    pieces, whole = (statement.step, statement.to), statement.factor

    def half(*inputs: TracedArray) -> TracedArray:
        return whole(*inputs) / 2

    return Iteration(
        of=of,
        low=low,
        high=high,
        step=step,
        to=limit,
        factor=factor,
        away=trace(off_the_limit(*pieces, place)),
        excess=trace(beyond_the_factor(*pieces, statement.factor, place)),
        excess_over_half=trace(beyond_the_factor(*pieces, half, place)),
    )
