"""From a claim to graphs: what is wanted, by which orders it may be evaluated, and at which sizes.

A starred name stands for any number of axes, a graph for one number of them; so a claim is prepared
once per choice of ranks. The reference of a gradient is derived from the primal formula; the
claimed closed form and every route are judged against it and share no code with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product

from verimath.claim import AtMost, Claim, Converges, Derivative, Equal, Hessian, Jacobian, Statement
from verimath.convergence.functions import at_the_limit
from verimath.convergence.iteration import iteration_of
from verimath.domain import Domain
from verimath.errors import ClaimError, FormulaError
from verimath.formula.derive import Derivation, derive, gradients
from verimath.formula.forward import push_forward
from verimath.formula.graph import Formula, Kind
from verimath.formula.jacobian import hessian, jacobian
from verimath.formula.trace import trace as trace_formula
from verimath.formula.traced import TracedArray, as_node
from verimath.pairs import grouped
from verimath.reference.prepared import DIRECTION, Prepared
from verimath.shapes import shape_text
from verimath.tangent import Part


def rank_choices(domain: Domain) -> list[tuple[tuple[str, int], ...]]:
    """Every number of axes that each starred name of a domain may stand for."""
    tops = domain.largest_ranks
    choices = product(*(range(top + 1) for top in tops.values()))
    return [tuple(zip(tops, choice, strict=True)) for choice in choices]


def prepare(claim: Claim, ranks: Mapping[str, int]) -> Prepared:
    """Trace a claim's formulas at these ranks and derive what it speaks of.

    Raises ClaimError, with the claim's id, if a formula can't be traced or shapes disagree.
    """
    try:
        return _prepare(claim, ranks)
    except FormulaError as error:
        raise ClaimError(f"claim {claim.id!r}: {error}") from error


def _prepare(claim: Claim, ranks: Mapping[str, int]) -> Prepared:
    statement = _by_parts(claim.statement, claim.domain)
    shapes = claim.domain.expand(ranks)
    kinds: dict[str, Kind] = {name: spec.kind for name, spec in claim.domain.inputs.items()}
    trace = partial(trace_formula, kinds=kinds)
    prepared = partial(Prepared, claim, statement, ranks)
    match statement:
        case Derivative():
            primal = trace(statement.of, shapes)
            if primal.pairs:
                raise FormulaError(
                    f"formula `{primal.name}` is complex; a {statement.noun} is of real numbers, "
                    "such as xp.real(f) or abs(f)"
                )
            derivation = _determined(_derivation(statement, primal), statement.parts())
            stated = trace(statement.equals, shapes)
            claimed = _rest(stated, statement.parts())
            reference = derivation.derivatives
            parts = grouped(derivation.wrt).values()
            if any(len(names) > 1 for names in parts):
                reference = replace(reference, pairs=tuple(len(names) > 1 for names in parts))
                derivation = replace(derivation, derivatives=reference)
            _same_shapes(reference, claimed, f"the {statement.noun}", "the closed form")
            once = gradients(primal, derivation.wrt) if isinstance(statement, Hessian) else primal
            forward = {name: push_forward(once, name, DIRECTION) for name in derivation.wrt}
            return prepared(primal, reference, claimed, derivation, forward, stated)
        case Equal():
            left, right = trace(statement.left, shapes), trace(statement.right, shapes)
            _same_shapes(left, right, "the left side", "the right side")
            return prepared(left, left, right, None, {})
        case AtMost():
            formula = trace(statement.of, shapes)
            if formula.pairs:
                raise FormulaError(f"formula `{formula.name}` is complex; wanted its abs")
            return prepared(formula, formula, None, None, {})
        case Converges():
            limit = trace(statement.to, shapes)
            place = list(shapes).index(statement.of)
            iteration = iteration_of(statement, claim.domain, limit, partial(trace, inputs=shapes))
            after = trace(at_the_limit(statement.step, statement.to, place), shapes)
            printed = replace(
                iteration.step, outputs=(*iteration.step.outputs, *iteration.factor.outputs)
            )
            return prepared(limit, limit, after, None, {}, printed, iteration)


def _by_parts(statement: Statement, domain: Domain) -> Statement:
    """The statement with derivatives in the parts of complex inputs."""
    if not isinstance(statement, Derivative) or not domain.is_complex:
        return statement
    names = tuple(part for name in statement.wrt_names for part in domain.arguments[name])
    return replace(statement, wrt=names)


def _determined(derivation: Derivation, parts: Sequence[Part | None]) -> Derivation:
    """The derivation of what is left without the parts that nothing determines."""
    if not any(parts):
        return derivation
    again = derivation.again
    return replace(
        derivation,
        derivatives=_rest(derivation.derivatives, parts),
        again=lambda *arguments: _rest(again(*arguments), parts),
    )


def _rest(formula: Formula, parts: Sequence[Part | None]) -> Formula:
    if len(formula.outputs) != len(parts):
        return formula  # that they are as many is asked elsewhere
    outputs = tuple(
        node if part is None else as_node(part.rest(TracedArray(node)))
        for node, part in zip(formula.outputs, parts, strict=True)
    )
    return replace(formula, outputs=outputs)


def _derivation(statement: Derivative, primal: Formula) -> Derivation:
    match statement:
        case Jacobian():
            return jacobian(primal, statement.wrt_names)
        case Hessian():
            return hessian(primal, statement.wrt_names)
        case _:
            return derive(primal, statement.wrt_names)


def _same_shapes(one: Formula, other: Formula, what: str, which: str) -> None:
    if one.pairs != other.pairs:
        kinds = [("complex" if any(f.pairs) else "real") for f in (one, other)]
        raise FormulaError(f"{what} is {kinds[0]}, but {which} `{other.name}` is {kinds[1]}")
    if len(one.outputs) != len(other.outputs):
        raise FormulaError(
            f"{what} is {len(one.outputs)} array(s), {which} `{other.name}` {len(other.outputs)}"
        )
    for a, b in zip(one.outputs, other.outputs, strict=True):
        if a.shape != b.shape:
            raise FormulaError(
                f"{what} has shape {shape_text(a.shape)}, but {which} `{other.name}` "
                f"has shape {shape_text(b.shape)}; they have to agree for every size"
            )
