"""One cell judged on one batch: its route is run, what is wanted evaluated, both are compared."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verimath.arithmetic.bounds.matrices import certainly_factored
from verimath.backends import Fetched
from verimath.claim import AtMost, Claim, Derivative
from verimath.convergence.running import counted, not_compared, steps_of
from verimath.examples import Batch, Example
from verimath.judge import Judgement, apart, judge, judge_bound, judge_contraction
from verimath.pairs import joined
from verimath.proof.explicit import is_explicit
from verimath.reference.evaluate import wanted_by
from verimath.reference.prepared import Prepared
from verimath.reference.want import Want
from verimath.report.record import Status
from verimath.residual import residuals
from verimath.routes import Cell, symbolic
from verimath.routes.execute import execute
from verimath.routes.refusals import shares_memory
from verimath.ties import is_subgradient

_POWER_BATCHES = 12  # how many batches the detection floor is taken from
_LARGEST_FORWARD = 320  # elements to differentiate (by), each with a direction of its own


class Judging:
    """How cells are judged; remembers what is wanted on the batches that they share."""

    def __init__(
        self, claim: Claim, prepared: Mapping[tuple[tuple[str, int], ...], Prepared]
    ) -> None:
        self.claim, self.domain, self.prepared = claim, claim.domain, prepared
        self._wants: dict[tuple[int | str | None, ...], tuple[Want, ...]] = {}
        self._lambdified: dict[tuple[tuple[str, int], ...], symbolic.Lambdified] = {}

    def of(self, batch: Batch | Example) -> Prepared:
        """The claim as prepared for the ranks at hand."""
        return self.prepared[tuple(batch.ranks.items())]

    @property
    def wrt(self) -> tuple[str, ...]:
        """The inputs that are differentiated in; none, if the claim is of no derivative."""
        statement = self.claim.statement
        return statement.wrt_names if isinstance(statement, Derivative) else ()

    def too_large(self, cell: Cell, batch: Batch) -> bool:
        """Whether a way has too many symbols, or directions, at these sizes."""
        if cell.way.kind == "reverse":
            return self.of(batch).rows(batch.sizes) > _LARGEST_FORWARD
        if cell.way.kind == "forward":
            parts = [part for name in self.wrt for part in self.domain.arguments[name]]
            return sum(batch.inputs[name][0].size for name in parts) > _LARGEST_FORWARD
        return cell.way.kind == "sympy" and not is_explicit(self.of(batch), batch.sizes)

    def judge(self, cell: Cell, batch: Batch, number: int | None = None) -> Judgement:
        """Judge one cell on a batch; `number` is its place among the shared ones."""
        judgement = self._judge(cell, batch, number)
        if cell.way.kind != "forward" or judgement.status is Status.PASS:
            return judgement
        # torch's vmap is not what is tested.
        return self._judge(replace(cell, together=False), batch, number)

    def _judge(self, cell: Cell, batch: Batch, number: int | None) -> Judgement:
        inputs = batch.cast(self.domain, cell.dtype)
        prepared = self.of(batch)
        if cell.way.kind == "contraction":
            exact = in_float64(inputs)
            return judge_contraction(prepared, exact, batch.sizes)
        steps = steps_of(prepared, cell, inputs, batch.sizes)
        if steps is not None and steps.beyond.all():
            return Judgement(Status.INCONCLUSIVE, None, steps.reason)
        got: list[tuple[Fetched, ...]] = []
        for example in range(len(batch)):
            point = {name: np.asarray(values[example]) for name, values in inputs.items()}
            if cell.way.kind == "sympy":
                got.append(self._run_sympy(batch, point))
                continue
            run = cell if steps is None else counted(prepared, cell, steps.counts[example])
            outcome = execute(run, joined(point), self.wrt, batch.layout)
            if outcome.lacking is not None:
                return Judgement(Status.SKIPPED, None, outcome.lacking, example=example)
            excuse = self._excuse(cell, batch, inputs, example, outcome.error)
            if excuse is not None:
                reason = f"{excuse}: {outcome.error}"
                return Judgement(Status.INCONCLUSIVE, None, reason, example=example)
            if outcome.error is not None:
                return Judgement(Status.ERROR, "raises", outcome.error, example=example)
            if outcome.mutated is not None:
                reason = f"input {outcome.mutated} was changed in place"
                return Judgement(Status.WRONG, "mutates_input", reason, example=example)
            got.append(outcome.results)
        want = self.want(cell, batch, inputs, number)
        if steps is not None:
            want = tuple(not_compared(target, steps.beyond) for target in want)
        power = number is not None and number < _POWER_BATCHES
        if by_residual(cell):
            exact = in_float64(inputs)
            format_ = cell.backend.format(cell.dtype)
            judged, want = residuals(self.of(batch), got, want, exact, batch.sizes, format_)
            return self._compare(cell, judged, want, power=power)
        pairs = self.pairs(cell, batch)
        judgement = self._compare(cell, got, want, power=power, pairs=pairs)
        if any(pairs) and judgement.status in (Status.PASS, Status.LESS_ACCURATE):
            got = [tuple(apart(results, pairs)) for results in got]
        return self._at_ties(cell, batch, inputs, got, judgement)

    def _excuse(
        self,
        cell: Cell,
        batch: Batch,
        inputs: dict[str, NDArray[Any]],
        example: int,
        error: str | None,
    ) -> str | None:
        """Why right code may raise on an example, or None if it may not."""
        if error is None:
            return None
        if batch.layout == "expanded" and shares_memory(error):
            return "torch makes no dual of an array whose elements share memory"
        kind = error.partition(":")[0]
        want = self.want(cell, batch, inputs, None)
        values = [target.value[example] for target in want]
        if any(x.size for x in values) and not any(np.isfinite(x).any() for x in values):
            return "raises where nothing is defined"
        if kind == "OverflowError" and any(np.isinf(t.envelope[example]).any() for t in want):
            return "raises where a right order may overflow"
        bounds = [target.allowed[example] for target in want]
        hardly = any(b.size and not np.isfinite(b).any() for b in bounds)
        hardly = hardly or self._is_hardly_definite(cell, inputs, example)
        if kind.endswith("LinAlgError") and hardly:
            return "gives up on a matrix that is singular to working precision"
        return None

    def _is_hardly_definite(
        self, cell: Cell, inputs: Mapping[str, NDArray[Any]], example: int
    ) -> bool:
        """Whether a positive definite input may have no Cholesky factor in the dtype."""
        definite = [
            np.asarray(inputs[name][example], dtype=np.float64)
            for name, spec in self.domain.inputs.items()
            if spec.structure == "positive definite"
        ]
        format_ = cell.backend.format(cell.dtype)
        return any(
            not certainly_factored(matrix, format_)
            for array in definite
            for matrix in array.reshape(-1, *array.shape[-2:])
        )

    def _compare(
        self,
        cell: Cell,
        got: Sequence[Sequence[Fetched]],
        want: Sequence[Want],
        *,
        power: bool,
        pairs: Sequence[bool] = (),
    ) -> Judgement:
        statement = self.claim.statement
        if isinstance(statement, AtMost):
            return judge_bound(got, want, bound=statement.bound, dtype=cell.dtype, power=power)
        return judge(got, want, dtype=cell.dtype, power=power, pairs=pairs)

    def pairs(self, cell: Cell, batch: Batch | Example) -> tuple[bool, ...]:
        """Which results of a way are complex; sympy's come by their parts."""
        prepared = self.of(batch)
        return () if cell.way.kind == "sympy" else prepared.pairs(value=cell.way.kind == "value")

    def _at_ties(
        self,
        cell: Cell,
        batch: Batch,
        inputs: Mapping[str, NDArray[Any]],
        got: Sequence[Sequence[Fetched]],
        judgement: Judgement,
    ) -> Judgement:
        """The judgement, unless results at a kink are no subgradient for any choice."""
        prepared = self.of(batch)
        good = judgement.status in (Status.PASS, Status.LESS_ACCURATE)
        # sympy gives half of a step to each side of every tie, however many there are.
        if not good or not prepared.has_kinks or cell.way.kind in ("value", "sympy"):
            return judgement
        for example, results in enumerate(got):
            exact = {
                name: np.asarray(values[example : example + 1], dtype=np.float64)
                for name, values in inputs.items()
            }
            arrays = [np.asarray(r.array, dtype=np.float64) for r in results]
            if not all(np.isfinite(array).all() for array in arrays):
                continue  # let in where something overflows, or the judgement weren't good
            format_ = cell.backend.format(cell.dtype)
            if not is_subgradient(prepared.reference, exact, batch.sizes, format_, arrays):
                reason = "at a kink or tie, and the gradient for no choice of its subgradients"
                return replace(
                    judgement, status=Status.WRONG, defect="value", reason=reason, example=example
                )
        return judgement

    def want(
        self,
        cell: Cell,
        batch: Batch,
        inputs: dict[str, NDArray[Any]],
        number: int | None,
    ) -> tuple[Want, ...]:
        """What is wanted of a cell on a batch, whose inputs are in the cell's dtype."""
        way = cell.way
        key = (number, cell.backend.name, cell.dtype, way.kind, way.error_class)
        if number is not None and key in self._wants:
            return self._wants[key]
        exact = in_float64(inputs)
        want = wanted_by(cell, self.of(batch), exact, batch.sizes)
        if number is not None:
            self._wants[key] = want
        return want

    def _run_sympy(self, batch: Batch, inputs: dict[str, NDArray[Any]]) -> tuple[Fetched, ...]:
        key = (*batch.ranks.items(), *batch.sizes.items())
        if key not in self._lambdified:
            shapes = {name: array.shape for name, array in inputs.items()}
            statement = self.of(batch).statement
            self._lambdified[key] = symbolic.lambdify(statement, shapes)
        values = symbolic.numeric_value(self._lambdified[key], inputs)
        return tuple(Fetched(value, "float64", True) for value in values)


def had(judgement: Judgement) -> Judgement:
    """The judgement of code that had the capability a moment ago: then it isn't lacking."""
    if judgement.status is not Status.SKIPPED:
        return judgement
    return replace(judgement, status=Status.ERROR, defect="raises")


def by_residual(cell: Cell) -> bool:
    """Whether a way is judged by what its results leave of the system that they solve."""
    return cell.way.error_class == "residual" and cell.way.kind != "value"


def in_float64(inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
    """The same numbers, which float64 holds exactly, as bounds are computed with."""
    return {name: np.asarray(values, dtype=np.float64) for name, values in inputs.items()}
