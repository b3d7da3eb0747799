"""The proof ladder: the highest rung that a claim reaches, with what it rests on.

    all_shapes_derivation   left - right is rewritten to nothing
    all_shapes_randomised   equal at random points of a field, at all sizes up to a proven bound
    exact_at_shapes         the same at a few sizes
    refuted                 a point where balls exclude equality
    none                    undecided, with the reason

Symbols at small shapes (`verimath.proof.explicit`) and examples are looked at elsewhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from verimath.claim import Gradient
from verimath.errors import NotExpressibleError
from verimath.formula.core import lowered
from verimath.formula.graph import Node, topological
from verimath.plans import axis_names
from verimath.prepare import Prepared
from verimath.proof import certify
from verimath.proof.certify import Derivative
from verimath.proof.identity import Identity, Known, at_sizes, for_all_sizes
from verimath.proof.refute import Witness, refute
from verimath.proof.sizes import Bounds
from verimath.report.record import Proof, ProofLabel
from verimath.shapes import Binding

# From the weakest to the strongest; a claim is proved as far as it is at the weakest of its ranks.
STRENGTH: tuple[ProofLabel, ...] = (
    "refuted",
    "none",
    "sampled",
    "exact_at_shapes",
    "all_shapes_randomised",
    "all_shapes_derivation",
    "all_depths",
)


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is to be proved at one choice of ranks."""

    identity: Identity
    derivative: Derivative | None
    pairs: tuple[tuple[Node, Node], ...]


def climbed(prepared: Iterable[Prepared], *, seed: int = 0) -> Proof:
    """The highest rung that a claim reaches at all of its ranks."""
    return weakest([climb(one, small_bindings(one), seed=seed) for one in prepared])


def small_bindings(prepared: Prepared) -> list[Binding]:
    """A few small sizes of which the claim speaks, all different ones first."""
    names = axis_names(prepared.claim.domain, prepared.ranks)
    tried: list[Binding] = [
        {name: 2 + i % 2 for i, name in enumerate(names)},
        dict.fromkeys(names, 2),
        {name: 1 + i % 2 for i, name in enumerate(names)},
        dict.fromkeys(names, 1),
    ]
    distinct = [b for i, b in enumerate(tried) if b not in tried[:i]]
    return [b for b in distinct if prepared.allows(b)]


def climb(prepared: Prepared, bindings: Sequence[Binding], *, seed: int = 0) -> Proof:
    """The highest rung at one choice of ranks; `bindings` are small sizes to look at if it is low.

    A bound (`AtMost`) has no second side: nothing is said of it here.
    """
    subject = _subject(prepared)
    domain = prepared.claim.domain
    named = bool(domain.names or domain.variadics)  # otherwise the domain is of one shape
    if subject is None:
        return Proof(label="none", finding="a bound over drawn inputs is only sampled")
    identity = subject.identity
    known = for_all_sizes(identity, seed=seed)
    if known.equal:
        return _evaluated(subject, known, "all_shapes_randomised" if named else "exact_at_shapes")
    reason = known.reason
    known = at_sizes(identity, bindings, seed=seed) if bindings else known
    if known.equal:
        return _evaluated(subject, known, "exact_at_shapes", reason)
    witness = refute(identity, seed=seed)
    if witness is not None:
        return _refuted(subject, witness)
    return Proof(label="none", finding=f"undecided: {reason}")


def _subject(prepared: Prepared) -> _Subject | None:
    if prepared.claimed is None:
        return None
    identity = Identity(
        left=prepared.reference.outputs,
        right=prepared.claimed.outputs,
        inputs=prepared.claim.domain.inputs,
        shapes={name: node.shape for name, node in prepared.primal.inputs.items()},
        allowed=prepared.allows,
    )
    try:
        core = lowered((*identity.left, *identity.right, *prepared.primal.outputs))
    except NotExpressibleError:
        return _Subject(identity, None, ())
    count = len(identity.left)
    pairs = tuple(zip(core[:count], core[count : 2 * count], strict=True))
    derivative = None
    statement = prepared.claim.statement
    if isinstance(statement, Gradient):
        derivative = Derivative("gradient", core[-1], statement.wrt_names, core[:count])
    return _Subject(identity, derivative, pairs)


def _evaluated(
    subject: _Subject, known: Known, label: ProofLabel, reason: str | None = None
) -> Proof:
    if known.bounds is not None:
        shapes = (bounds_text(known.bounds),)
    else:
        shapes = tuple(dict.fromkeys(binding_text(b) for b in known.bindings))
    return Proof(
        label=label,
        failure_bits=round(known.failure_bits, 1),
        shapes=shapes,
        hypotheses=(*known.hypotheses, *conditions(known.pairs)),
        finding=reason and f"not for all shapes: {reason}",
        certificate=(certify.of_evaluation(subject.identity, known, subject.derivative),),
    )


def _refuted(subject: _Subject, witness: Witness) -> Proof:
    place = f"element {list(witness.index)}" if witness.index else "the value"
    values = ", ".join(
        f"{name} = {_cells(cells.tolist())}" for name, cells in witness.point.items()
    )
    at = f" at {binding_text(witness.binding)}" if witness.binding else ""
    return Proof(
        label="refuted",
        shapes=(binding_text(witness.binding),),
        finding=(
            f"{place} is {witness.left} on one side and {witness.right} on the other{at}, {values}"
        ),
        certificate=(
            certify.of_witness(subject.identity, subject.pairs, witness, subject.derivative),
        ),
    )


def _cells(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_cells(cell) for cell in value)}]"
    return str(value)


def binding_text(binding: Mapping[str, int]) -> str:
    """Sizes as a person reads them: n=2 d=3."""
    return " ".join(f"{name}={size}" for name, size in binding.items()) or "the stated shape"


def bounds_text(found: Bounds) -> str:
    """The sizes that were looked at: n 1 to 3, d 1."""
    ranges: list[str] = []
    for name, last in found.largest.items():
        first = found.first[name]
        ranges.append(f"{name} {first} to {last}" if last > first else f"{name} {first}")
    return ", ".join(ranges) or "the stated shape"


# What the field leaves open because it has no order: where the formulas mean what they say.
def conditions(pairs: Sequence[tuple[Node, Node]]) -> tuple[str, ...]:
    """Where an identity of core formulas speaks of real numbers: hypotheses of every proof."""
    nodes = topological(tuple(node for pair in pairs for node in pair))
    found: dict[str, None] = {}
    for node in nodes:
        text = _condition(node)
        if text:
            found[text] = None
    return tuple(found)


def _condition(node: Node) -> str | None:
    match node.operation:
        case "subgradient":
            return "off the kinks"
        case "solve":
            return "matrices that are inverted are invertible"
        case "cholesky":
            return "matrices that are factored are positive definite"
        case "divide" if _depends(node.inputs[1]):
            return "denominators are not zero"
        case "power" if node.parameter < 0 and _depends(node.inputs[0]):
            return "denominators are not zero"
        case "power" if node.parameter.denominator != 1 and _depends(node.inputs[0]):
            return "square roots are of positive numbers"
        case "function" if node.parameter == "log":
            return "logarithms are of positive numbers"
        case _:
            return None


def _depends(node: Node) -> bool:
    """Whether a node depends on an input, not on sizes and literals alone."""
    return any(inner.operation == "input" for inner in topological((node,)))


def weakest(proofs: Sequence[Proof]) -> Proof:
    """What is proved of a claim by what is proved at each of its ranks."""
    least = min(proofs, key=lambda proof: STRENGTH.index(proof.label))
    if least.label in ("refuted", "none") or len(proofs) == 1:
        return least
    bits = [proof.failure_bits for proof in proofs if proof.failure_bits is not None]
    return least.model_copy(
        update={
            "failure_bits": min(bits, default=None),
            "shapes": tuple(dict.fromkeys(s for proof in proofs for s in proof.shapes)),
            "hypotheses": tuple(dict.fromkeys(h for proof in proofs for h in proof.hypotheses)),
            "axioms": tuple(dict.fromkeys(a for proof in proofs for a in proof.axioms)),
            "certificate": tuple(c for proof in proofs for c in proof.certificate),
        }
    )


def combined(symbolic: Proof | None, climbed: Proof) -> Proof:
    """One proof of what symbols at small shapes show and of the rung that was climbed to.

    The steps are those of the symbols. If the two contradict each other, nothing is proved.
    """
    if symbolic is None:
        return climbed
    proved = climbed.label.startswith(("all_", "exact_"))
    if symbolic.label == "refuted" and proved:
        finding = (
            f"a contradiction within verimath (please report it): {symbolic.finding}; "
            f"but proved: {climbed.label}"
        )
        return symbolic.model_copy(update={"label": "none", "finding": finding})
    if symbolic.label == "none" or climbed.label == "none":
        # A step that fails, or symbols that derive something else, is never overruled.
        finding = symbolic.finding or climbed.finding
        return symbolic.model_copy(update={"finding": finding})
    if symbolic.label == "refuted" and climbed.label != "refuted":
        return symbolic
    hypotheses = dict.fromkeys((*symbolic.hypotheses, *climbed.hypotheses))
    return climbed.model_copy(update={"steps": symbolic.steps, "hypotheses": tuple(hypotheses)})
