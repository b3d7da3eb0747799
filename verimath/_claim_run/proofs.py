"""What is known of a claim beyond its examples: symbols at small shapes, and the proof ladder."""

from collections.abc import Collection

from verimath.proof.explicit import is_explicit, prove
from verimath.proof.ladder import STRENGTH, climbed, combined, small_bindings
from verimath.reference.prepared import Prepared
from verimath.report.record import Proof
from verimath.shapes import Binding

_EXPLICIT_SHAPES = 3  # shapes per rank at which the symbolic comparison is made


def proof_of(every: Collection[Prepared], shown: Prepared, *, seed: int) -> Proof:
    """Everything that is known, at all ranks; `shown` is the one whose steps are printed."""
    return combined(_by_symbols(every, shown), climbed(every, seed=seed))


def _by_symbols(every: Collection[Prepared], shown: Prepared) -> Proof | None:
    """What symbols at small shapes show; None if those are too large, or picked by labels."""
    proofs: list[Proof] = []
    for prepared in sorted(every, key=lambda p: p is not shown):
        bindings = _explicit_bindings(prepared)
        if bindings and not prepared.picks_by_inputs:
            proofs.append(prove(prepared, bindings))
    if not proofs:
        return None
    first = proofs[0]
    least = min(proofs, key=lambda proof: STRENGTH.index(proof.label))
    if least.label != "exact_at_shapes":
        return least.model_copy(update={"steps": first.steps})
    shapes = tuple(shape for proof in proofs for shape in proof.shapes)
    return first.model_copy(update={"shapes": shapes})


def _explicit_bindings(prepared: Prepared) -> list[Binding]:
    """Sizes for the symbolic comparison."""
    usable = [b for b in small_bindings(prepared) if is_explicit(prepared, b)]
    return usable[:_EXPLICIT_SHAPES]
