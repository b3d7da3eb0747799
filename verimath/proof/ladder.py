"""The proof ladder: the highest rung that a claim reaches, with what it rests on.

    all_shapes_derivation   left - right is rewritten to nothing
    all_shapes_randomised   equal at random points of a field, at all sizes up to a proven bound
    exact_at_shapes         the same at a few sizes
    refuted                 a point where balls exclude equality
    none                    undecided, with the reason

Symbols at small shapes (`verimath.proof.explicit`) and examples are looked at elsewhere.
"""

import itertools
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from verimath.arithmetic.exact import UndecidedError
from verimath.claim import AtMost, Derivative, Equal
from verimath.convergence.iteration import Iteration
from verimath.domain import Input
from verimath.errors import NotExpressibleError
from verimath.formula.core import lowered, partly_defined
from verimath.formula.graph import Formula, Node, topological
from verimath.formula.literals import Constant
from verimath.plans import axis_names
from verimath.proof import certify
from verimath.proof.certify import Derived
from verimath.proof.excess import Excess, beyond, exceed
from verimath.proof.identity import Identity, Known, at_sizes, for_all_sizes
from verimath.proof.indices import is_inside
from verimath.proof.kinks import wide_kink
from verimath.proof.normal_form import Derived as Derivation
from verimath.proof.normal_form import normalise
from verimath.proof.points import Point, given_numbers, rational_number
from verimath.proof.readings import readings
from verimath.proof.refute import Witness, is_defined, refute, with_lost
from verimath.proof.sizes import Bounds
from verimath.proof.states import Supposed, supposed_of_states
from verimath.reference.prepared import Prepared
from verimath.report.certificate import InductionCertificate
from verimath.report.record import Proof, ProofLabel
from verimath.shapes import Binding

# Sizes at which a formula is looked at if it has no smaller ones: of each dimension, of all.
_LARGEST_START, _LARGEST_ALIKE = 8, 24
_STARTS = 4096  # choices

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


def climbed(prepared: Iterable[Prepared], *, seed: int = 0) -> Proof:
    """The highest rung that a claim reaches at all of its ranks."""
    return weakest([climb(one, small_bindings(one), seed=seed) for one in prepared])


def are_equal(prepared: Prepared, one: Formula, other: Formula) -> bool:
    """Whether two formulas of a claim's inputs are the same function, as far as anyone can tell.

    Proved to be, or evaluated in balls at many small points and nowhere told apart.
    """
    sides = both_sides(prepared)
    identity = replace(sides, left=one.outputs, right=other.outputs, ties=True)
    bindings = small_bindings(prepared)
    if wide_kink(identity, bindings) is not None:
        return False
    try:
        if for_all_sizes(identity).equal:
            return True
        if bindings and at_sizes(identity, bindings).equal:
            return True
        lowered((*identity.left, *identity.right), ties=True)
    except (NotExpressibleError, RecursionError):
        return False
    return refute(identity) is None


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
    allowed = [b for b in distinct if prepared.allows(b)]
    return allowed or _first_binding(prepared, names)


def _first_binding(prepared: Prepared, names: Sequence[str]) -> list[Binding]:
    """The smallest sizes that a formula has, where these are larger ones: x[4]."""
    if not names:
        return []
    ranges = itertools.product(range(1, _LARGEST_START + 1), repeat=len(names))
    choices = sorted(itertools.islice(ranges, _STARTS), key=lambda sizes: (sum(sizes), max(sizes)))
    alike = [(size,) * len(names) for size in range(_LARGEST_START + 1, _LARGEST_ALIKE + 1)]
    bindings = (dict(zip(names, sizes, strict=True)) for sizes in (*choices, *alike))
    return list(itertools.islice(filter(prepared.allows, bindings), 1))


def climb(prepared: Prepared, bindings: Sequence[Binding], *, seed: int = 0) -> Proof:
    """The highest rung at one choice of ranks; `bindings` are small sizes to look at if it is low.

    A bound (`AtMost`) has no second side: it is decided where all inputs are given; over drawn ones
    it can be refuted.
    """
    domain = prepared.claim.domain
    named = bool(domain.names or domain.variadics)  # otherwise the domain is of one shape
    identity = both_sides(prepared)
    statement = prepared.statement
    if not named and not bindings:
        return Proof(label="none", finding="undecided: the formulas aren't defined at this shape")
    try:
        if prepared.claimed is None:
            found = _bounded(prepared, seed)
        elif prepared.iteration is not None:
            fixed = _climb(identity, None, bindings, named, seed)
            found = _converging(identity, prepared.iteration, fixed, seed)
        elif isinstance(statement, Equal) and statement.by_induction:
            parts = [
                _climb(replace(identity, left=(a,), right=(b,)), None, bindings, named, seed)
                for a, b in zip(identity.left, identity.right, strict=True)
            ]
            found = _inductive(parts, named, supposed_of_states(prepared))
        else:
            found = _climb(identity, _derived(prepared, identity), bindings, named, seed)
    except RecursionError:
        depth = f"{sys.getrecursionlimit()} calls within calls"
        return Proof(label="none", finding=f"undecided: nested too deeply, beyond {depth}")
    except NotExpressibleError as error:  # rewritten to nothing, but with no certificate
        return Proof(label="none", finding=f"undecided: {error}")
    read = dict.fromkeys((*readings(prepared), *found.hypotheses))
    return found.model_copy(update={"hypotheses": tuple(read)})


def both_sides(prepared: Prepared) -> Identity:
    """Both sides of a statement; one that has a single side is its own other."""
    other = prepared.reference if prepared.claimed is None else prepared.claimed
    return Identity(
        left=prepared.reference.outputs,
        right=other.outputs,
        inputs=prepared.claim.domain.inputs,
        shapes={name: node.shape for name, node in prepared.primal.inputs.items()},
        allowed=prepared.allows,
        primal=prepared.primal.outputs,
    )


def _bounded(prepared: Prepared, seed: int) -> Proof:
    """A bound on what given numbers come to; over drawn ones it can only be refuted."""
    statement, inputs = prepared.statement, prepared.claim.domain.inputs
    assert isinstance(statement, AtMost)  # every other statement has two sides
    identity = both_sides(prepared)
    given = all(spec.values is not None for spec in inputs.values())
    try:
        bound = Constant(rational_number(float(statement.bound)))
        nodes, lost = with_lost(identity, identity.left)
        if given:
            point = {name: given_numbers(spec) for name, spec in inputs.items()}
            if not is_defined(lost, point, {}):
                finding = "undecided: something in the formula has no value at these numbers"
                return Proof(label="none", finding=finding)
            found = beyond(nodes, bound, point, {})
        else:
            found = exceed(identity, bound, seed=seed)
    except (NotExpressibleError, UndecidedError) as error:
        return Proof(label="none", finding=f"undecided: {error}")
    if found is not None:
        return _exceeded(identity, found, bound, given)
    if not given:
        finding = "undecided: no point beyond the bound was found; over drawn inputs, it is sampled"
        return Proof(label="none", finding=finding)
    shapes = (binding_text({}),)
    certificate = certify.of_bound(identity, nodes, bound.factor)
    return Proof(label="exact_at_shapes", shapes=shapes, certificate=(certificate,))


def _converging(identity: Identity, iteration: Iteration, fixed: Proof, seed: int) -> Proof:
    """What a proof of the fixed point says of the iteration: its factor is sampled, or refuted."""
    if fixed.label == "refuted":
        return fixed.model_copy(update={"finding": f"a step from the limit: {fixed.finding}"})
    one, zero = Constant(Fraction(1)), Constant(Fraction(0))
    tests = (
        ("the contraction factor", iteration.factor, one),
        ("the excess", iteration.excess, zero),
    )
    for what, formula, bound in tests:
        of = replace(identity, left=formula.outputs, right=formula.outputs)
        try:
            found = exceed(of, bound, seed=seed)
        except NotExpressibleError:
            continue
        if found is not None:
            refuted = _exceeded(of, found, bound, given=False)
            text = (refuted.finding or "").replace("the value", what, 1)
            return refuted.model_copy(update={"finding": text})
    rung = fixed.label.replace("_", " ")
    known = f"undecided ({fixed.finding})" if fixed.label == "none" else f"proved ({rung})"
    return Proof(
        label="sampled",
        shapes=fixed.shapes,
        hypotheses=fixed.hypotheses,
        axioms=fixed.axioms,
        rules=fixed.rules,
        finding=f"that a step from the limit stays there is {known}; that every step contracts by "
        "the factor, and that the factor is below 1, is sampled",
    )


def _exceeded(identity: Identity, found: Excess, bound: Constant, given: bool) -> Proof:
    at = "" if given else f" at {_point_text(found.binding, found.point)}"
    return Proof(
        label="refuted",
        shapes=(binding_text(found.binding),),
        finding=f"{_place(found.index)} is {found.value}, beyond {bound}{at}",
        certificate=(certify.of_excess(identity, found, bound.factor),),
    )


def _derived(prepared: Prepared, identity: Identity) -> Derived | None:
    """That the reference is the derivative of the primal formula, where it is one."""
    statement = prepared.statement
    if not isinstance(statement, Derivative) or any(statement.parts()):
        return None  # what is left of a gradient without a part isn't one
    try:
        outputs = (*prepared.primal.outputs, *prepared.reference.outputs)
        # By the laws that the sides are written with, so that these are the same nodes.
        primal, *nodes = lowered(outputs, positive=identity.positive)
    except NotExpressibleError:
        return None
    return Derived(statement.noun.lower(), primal, statement.wrt_names, tuple(nodes))


def _climb(
    identity: Identity,
    derived: Derived | None,
    bindings: Sequence[Binding],
    named: bool,
    seed: int,
) -> Proof:
    """Rewriting and exact evaluation, each a check of the other; then a counterexample."""
    everywhere = for_all_sizes(identity, seed=seed)
    here = everywhere
    if not here.equal and bindings:
        here = at_sizes(identity, bindings, seed=seed)
    if not here.equal:
        # What a field can't say (some law of logarithms, huge sizes) is looked at in balls.
        witness = refute(identity, seed=seed, also=everywhere.where or here.where)
        if witness is not None:
            return _refuted(identity, witness, derived)
    kink = wide_kink(identity, bindings, seed=seed)
    if kink is not None:
        return Proof(label="none", finding=f"undecided: {kink}")
    written = _rewritten(identity, derived)
    if written.proved and not (here.equal or _is_defined(identity, bindings, seed)):
        finding = (
            f"undecided: no point was found at {binding_text(bindings[0])} where all is defined"
        )
        return Proof(label="none", finding=finding)
    if written.proved:
        return _derivation(identity, written, here, derived, named)
    if here.equal and not everywhere.equal:
        # It holds at the few sizes that were looked at; there are others.
        witness = refute(identity, seed=seed, also=everywhere.where)
        if witness is not None:
            return _refuted(identity, witness, derived)
    if here.equal:
        label: ProofLabel = "all_shapes_randomised" if everywhere.equal else "exact_at_shapes"
        reason = None if everywhere.equal else everywhere.reason
        return _evaluated(identity, here, derived, label if named else "exact_at_shapes", reason)
    return Proof(label="none", finding=f"undecided: {everywhere.reason}; {written.reason}")


def _is_defined(identity: Identity, bindings: Sequence[Binding], seed: int) -> bool:
    """Whether the formulas have a value at some point of the largest sizes, or nobody can say."""
    return not bindings or at_sizes(identity, bindings[:1], seed=seed).defined


def _derivation(
    identity: Identity, written: Derivation, here: Known, derived: Derived | None, named: bool
) -> Proof:
    core = lowered((*identity.left, *identity.right), positive=identity.positive)
    count = len(identity.left)
    pairs = tuple(zip(core[:count], core[count:], strict=True))
    steps: Any = written.certificate
    shapes = (bounds_text(here.bounds),) if here.bounds else _binding_texts(here.bindings)
    return Proof(
        label="all_shapes_derivation" if named else "exact_at_shapes",
        shapes=shapes if here.equal else (),
        hypotheses=tuple(dict.fromkeys((*written.hypotheses, *conditions(identity, pairs)))),
        axioms=written.axioms,
        rules=written.rules,
        certificate=(certify.of_derivation(identity, pairs, steps, derived),),
    )


def _binding_texts(bindings: Sequence[Binding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(binding_text(b) for b in bindings))


def _rewritten(identity: Identity, derived: Derived | None) -> Derivation:
    structures = {name: s.structure for name, s in identity.inputs.items() if s.structure}
    return normalise(
        identity.left,
        identity.right,
        hypotheses=structures,
        differentiated=() if derived is None else (derived.primal,),
    )


def _inductive(parts: Sequence[Proof], named: bool, supposed: Supposed) -> Proof:
    """A start and a step, each for all shapes, are a proof for all depths."""
    found = weakest(parts)
    complete = all(part.label.startswith("all_") or not named for part in parts)
    if found.label in ("refuted", "none"):
        where = "start" if found is parts[0] else "step"
        return found.model_copy(update={"finding": f"the {where}: {found.finding}"})
    if not complete:
        return found
    if supposed.problem is not None:
        return Proof(label="none", finding=supposed.problem)
    base, step = (part.certificate for part in parts)
    return found.model_copy(
        update={
            "label": "all_depths",
            "finding": None,
            "hypotheses": (*found.hypotheses, *supposed.hypotheses),
            "certificate": (InductionCertificate(base=base, step=step),),
        }
    )


def _evaluated(
    identity: Identity,
    known: Known,
    derived: Derived | None,
    label: ProofLabel,
    reason: str | None = None,
) -> Proof:
    if known.bounds is not None:
        shapes = (bounds_text(known.bounds),)
    else:
        shapes = _binding_texts(known.bindings)
    return Proof(
        label=label,
        failure_bits=round(known.failure_bits, 1),
        shapes=shapes,
        hypotheses=(*known.hypotheses, *conditions(identity, known.pairs)),
        finding=reason and f"not for all shapes: {reason}",
        certificate=(certify.of_evaluation(identity, known, derived),),
    )


def _refuted(identity: Identity, witness: Witness, derived: Derived | None) -> Proof:
    sides = f"{witness.left} on one side and {witness.right} on the other"
    where = _point_text(witness.binding, witness.point)
    return Proof(
        label="refuted",
        shapes=(binding_text(witness.binding),),
        finding=f"{_place(witness.index)} is {sides} at {where}",
        certificate=(certify.of_witness(identity, witness, derived),),
    )


def _place(index: Sequence[int]) -> str:
    return f"element {list(index)}" if index else "the value"


def _point_text(binding: Binding, point: Point) -> str:
    """Sizes and numbers of a point: n=2, x = [1, 0]."""
    values = [f"{name} = {_cells(cells.tolist())}" for name, cells in point.items()]
    return ", ".join(([binding_text(binding)] if binding else []) + values)


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
def conditions(identity: Identity, pairs: Sequence[tuple[Node, Node]]) -> tuple[str, ...]:
    """Where an identity speaks of real numbers, and is one: hypotheses of every proof.

    `pairs` are its sides in core operations. What these have lost is looked for as it was written:
    a root that was squared, a step whose derivative is zero.
    """
    nodes = list(topological(tuple(node for pair in pairs for node in pair)))
    steps = topological(lowered(identity.primal, positive=identity.positive, ties=True))
    nodes += [node for node in steps if node.operation == "subgradient"]
    written = (*identity.primal, *identity.left, *identity.right)
    nodes += partly_defined(written, positive=identity.positive)
    found = dict.fromkeys(_condition(node, identity.inputs) for node in nodes)
    return tuple(text for text in found if text)


def _condition(node: Node, inputs: Mapping[str, Input]) -> str | None:
    match node.operation:
        case "gather" | "scatter":
            return None if is_inside(node, inputs) else "indices within their axes"
        case "subgradient":
            return "off the kinks"
        case "solve":
            return "matrices that are inverted are invertible"
        case "cholesky":
            return "matrices that are factored are positive definite"
        case "divide" if _depends(node.inputs[1]):
            return "denominators are not zero"
        case "power" if node.parameter.denominator == 2 and _depends(node.inputs[0]):
            return "square roots are of positive numbers"
        case "power" if node.parameter.denominator != 1 and _depends(node.inputs[0]):
            return "roots are of positive numbers"
        case "power" if node.parameter < 0 and _depends(node.inputs[0]):
            return "denominators are not zero"
        case "function" if node.parameter == "sqrt" and _depends(node.inputs[0]):
            return "square roots are of positive numbers"
        case "function" if node.parameter in ("log", "log1p"):
            return "logarithms are of positive numbers"
        case "function" if node.parameter in ("asin", "acos", "acosh", "atanh"):
            return f"{node.parameter} is of numbers that it is defined for"
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
    sound = climbed.label == "refuted" and all(step.checked for step in symbolic.steps)
    if climbed.label == "none" or (symbolic.label == "none" and not sound):
        # A step that fails, or symbols that derive something else, is never overruled; symbols
        # that find no value where both sides are rational are, by a certified counterexample.
        exact = symbolic.label == "exact_at_shapes"
        further = climbed.finding and f"not for all shapes: {climbed.finding}" if exact else None
        finding = symbolic.finding or further or climbed.finding
        return symbolic.model_copy(update={"finding": finding})
    if symbolic.label == "refuted" and climbed.label != "refuted":
        return symbolic
    hypotheses = dict.fromkeys((*symbolic.hypotheses, *climbed.hypotheses))
    return climbed.model_copy(update={"steps": symbolic.steps, "hypotheses": tuple(hypotheses)})
