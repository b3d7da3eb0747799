"""Verdicts and counterexamples, written down as the record has them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verimath._claim_run.judging import Judging, by_residual, in_float64
from verimath._claim_run.tally import Tally
from verimath.behaviour.checks import Behaviour
from verimath.behaviour.lab import Fault
from verimath.claim import AtMost, Converges, Derivative, Equal
from verimath.convergence.running import shown
from verimath.dtypes import own_dtype
from verimath.examples import Batch, Example, batch_of
from verimath.judge import Finding, Judgement
from verimath.pairs import joined, real_numbers, whole
from verimath.report.record import Array, Counterexample, Status, Verdict
from verimath.report.text import PHRASES
from verimath.reproduce import script
from verimath.residual import System, system_at
from verimath.routes import Cell

_LARGEST_SHOWN = 200  # elements


def verdict(cell: Cell, status: Status, **facts: Any) -> Verdict:
    """The verdict of a cell: its status, and what is known beside."""
    return Verdict(
        route=cell.way.name,
        backend=cell.backend.name,
        dtype=cell.dtype,
        status=status,
        error_class=cell.way.error_class,
        **facts,
    )


def faulty(
    judging: Judging,
    cell: Cell,
    behaviour: Behaviour,
    fault: Fault,
    tally: Tally | None = None,
) -> Verdict:
    """The verdict of code with a fault of behaviour; `tally` is what was judged until then."""
    example, title = fault.examples[0], _title(judging, cell, fault.status)
    counterexample = Counterexample(
        sizes=dict(example.sizes),
        inputs=tuple(
            _array_record(name, array, own_dtype(array, cell.dtype))
            for name, array in behaviour.inputs_of(example).items()
        ),
        differing=0,
        compared=0,
        output="",
        index=(),
        got=float("nan"),
        want=float("nan"),
        allowed=float("nan"),
        script=behaviour.script(fault, title),
    )
    return verdict(
        cell,
        fault.status,
        defect=fault.defect,
        reason=fault.reason,
        examples=tally.examples if tally else len(fault.examples),
        elements=tally.elements if tally else 0,
        worst_ratio=tally.worst_ratio if tally else None,
        counterexample=counterexample,
    )


def counterexample(
    judging: Judging, cell: Cell, example: Example, judgement: Judgement
) -> Counterexample:
    """What shows a failure at an example: the inputs, the worst element, a script."""
    batch = batch_of(example)
    cast = batch.cast(judging.domain, cell.dtype)
    want = judging.want(cell, batch, cast, None)
    inputs = joined({name: np.asarray(values[0]) for name, values in cast.items()})
    run = shown(judging.of(example), cell, inputs, example.sizes, want)
    finding = judgement.finding
    statement = judging.claim.statement
    bound = statement.bound if isinstance(statement, AtMost) else None
    return Counterexample(
        sizes=dict(example.sizes),
        inputs=tuple(
            _array_record(name, array, own_dtype(array, cell.dtype))
            for name, array in inputs.items()
        ),
        differing=finding.differing if finding else 0,
        compared=finding.compared if finding else 0,
        output=run.output or _output_name(judging, finding, cell),
        index=finding.index if finding else (),
        got=finding.got if finding else float("nan"),
        want=finding.want if finding else float("nan"),
        allowed=finding.allowed if finding else float("nan"),
        limit=finding.limit if finding else None,
        script=script(
            title=_title(judging, cell, judgement.status),
            cell=run.cell,
            inputs=inputs,
            wrt=judging.wrt,
            want=run.want,
            bound=bound,
            layout=example.layout,
            pairs=judging.pairs(cell, example),
            system=_system(judging, cell, batch, cast),
        ),
    )


def _title(judging: Judging, cell: Cell, status: Status) -> str:
    place = f"{cell.way.name} on {cell.backend.name} {cell.dtype}"
    return f"{judging.claim.id}: {place} {PHRASES[status]}"


def _system(
    judging: Judging, cell: Cell, batch: Batch, inputs: Mapping[str, NDArray[Any]]
) -> System | None:
    """The system by whose residual a way is judged, if it is."""
    if not by_residual(cell):
        return None
    format_ = cell.backend.format(cell.dtype)
    return system_at(judging.of(batch), in_float64(inputs), batch.sizes, format_, len(batch))


def _output_name(judging: Judging, finding: Finding | None, cell: Cell) -> str:
    statement = judging.claim.statement
    number = finding.output if finding else 0
    if finding is not None and finding.part:
        return _part_name(judging, finding, cell)
    match statement:
        case Derivative() if cell.way.kind != "value":
            return f"{statement.noun} in {statement.wrt_names[number]}"
        case Derivative():
            return "value"
        case Equal():
            return f"result {number + 1}" if number else "result"
        case AtMost(bound=bound):
            beyond = finding is not None and finding.want == bound
            return "absolute value, to be at most what is wanted," if beyond else "value"
        case Converges():
            return "limit"


def _part_name(judging: Judging, finding: Finding, cell: Cell) -> str:
    """Which part of which result, for claims with complex ones."""
    statement = judging.claim.statement
    if not isinstance(statement, Derivative) or cell.way.kind == "value":
        return finding.part
    parts = [part for name in judging.wrt for part in judging.domain.arguments[name]]
    name = parts[finding.output]
    part, of = finding.part.partition("result")[0], whole(name)
    return f"{part}{statement.noun} in {of}"


def _array_text(array: NDArray[Any]) -> str:
    """Nested lists of the shortest decimals that read back as the same numbers."""
    if array.ndim:
        return f"[{', '.join(_array_text(row) for row in array)}]"
    if array.dtype.kind == "c":
        re, im = (str(part).removesuffix(".0") for part in real_numbers(array))
        return f"{re}{'' if im.startswith('-') else '+'}{im}j"
    return str(array[()]).removesuffix(".0")


def _array_record(name: str, array: NDArray[Any], dtype: str) -> Array:
    return Array(
        name=name,
        shape=tuple(array.shape),
        dtype=dtype,
        text=_array_text(array) if array.size <= _LARGEST_SHOWN else f"{array.size} numbers",
        hex=tuple(float(x).hex() for x in real_numbers(array)),
    )
