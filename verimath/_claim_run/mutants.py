"""The mutants of a claim, declared and generated: which of them its examples tell from it."""

from collections.abc import Sequence
from functools import cache

from verimath._claim_run.judging import Judging, in_float64
from verimath.backends import select_backends
from verimath.claim import AtMost
from verimath.examples import Batch
from verimath.pairs import COMPLEX
from verimath.power import Bench
from verimath.power import mutants as generated_mutants
from verimath.reference.evaluate import wanted
from verimath.reference.want import Want
from verimath.report.record import Mutant, Status
from verimath.routes import Cell, Way, cells, parts_of

_DTYPES = ("float64", "float32", "float16")


def mutants_of(judging: Judging, batches: Sequence[Batch]) -> tuple[Mutant, ...]:
    """Every mutant, and in which dtypes it passes; none of a claim that is itself one."""
    claim, domain = judging.claim, judging.domain
    if claim.expected == "refuted":
        return ()
    (numpy,) = select_backends(["numpy"])
    dtypes = tuple(d for d in _DTYPES if d in COMPLEX or not domain.is_complex)
    found: list[Mutant] = []
    for name, function in claim.mutants.items():
        way = Way(name, "formula", function, ("numpy",), parts=parts_of(claim.statement))
        killed = {
            cell.dtype: _is_killed(judging, batches, cell) for cell in cells([way], [numpy], dtypes)
        }
        found.append(
            Mutant(
                name=name,
                killed_by="float64" if killed["float64"] else None,
                not_separable_in=tuple(d for d, dead in killed.items() if not dead),
            )
        )

    @cache
    def want(batch: Batch, dtype: str) -> tuple[Want, ...]:
        exact = in_float64(batch.cast(domain, dtype))
        return wanted(judging.of(batch), exact, batch.sizes, numpy.format(dtype))

    if isinstance(claim.statement, AtMost):
        return tuple(found)
    bench = Bench(domain, judging.prepared, batches, want, dtypes)
    return (*generated_mutants(bench), *found)


def _is_killed(judging: Judging, batches: Sequence[Batch], cell: Cell) -> bool:
    return any(
        judging.judge(cell, batch, number).status in (Status.WRONG, Status.ERROR)
        for number, batch in enumerate(batches)
    )
