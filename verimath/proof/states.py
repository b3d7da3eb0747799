"""What an induction supposes of states and inputs: it has a start and a step, not a sequence.

The step is proved for any state and any inputs of the domain. So it may be taken with new inputs
every time, but for those in the relation, L_k = relation(R_k, inputs), which has to stay.
"""

from dataclasses import dataclass

from verimath.claim import Equal
from verimath.errors import NotExpressibleError
from verimath.formula.core import compared
from verimath.formula.graph import Formula, Kind, topological
from verimath.formula.trace import trace
from verimath.reference.prepared import Prepared
from verimath.shapes import Size, case_of


@dataclass(frozen=True, slots=True)
class Supposed:
    """Hypotheses of an induction, or why its step is of other states than come up."""

    hypotheses: tuple[str, ...] = ()
    problem: str | None = None


def supposed_of_states(prepared: Prepared) -> Supposed:
    """What the step supposes of every state, which is the first input, and of the other inputs."""
    domain = prepared.claim.domain
    (state, spec), *others = domain.inputs.items()
    free = spec.kind == "real" and spec.is_free and not spec.exclude_zero
    anything = free and spec.min_value is spec.max_value is None
    found = [] if anything else [f"every state {state} is in {spec}"]
    statement = prepared.statement
    assert isinstance(statement, Equal)
    if _is_compared(prepared, state):
        found.append(f"every state {state} is off the kinks")
    if statement.states is None:
        return Supposed(tuple(found))
    start, step, relation = statement.states
    shapes = domain.expand(prepared.ranks)
    rest = {name: shapes[name] for name, _ in others}
    kinds: dict[str, Kind] = {name: one.kind for name, one in domain.inputs.items()}
    kept = _inputs(trace(relation, shapes, kinds=kinds)) - {state}
    results = (trace(start, rest, kinds=kinds), trace(step, shapes, kinds=kinds))
    renamed: set[str] = set()
    for result in results:
        bound = case_of(shapes[state], result.outputs[0].shape) or {}
        renamed |= {name for name, size in bound.items() if size != Size.of(name)}
    new = {name for name, axes in rest.items() if renamed & {n for a in axes for n in a.names}}
    if new & kept:
        name = min(new & kept)
        text = f"the relation takes {name}, whose shape the states don't keep"
        return Supposed(problem=f"undecided: {text}; no step follows another")
    found += [f"{name} is the same at every step" for name in rest if name in kept]
    found += [f"a new {name} comes with every step" for name in rest if name in new]
    return Supposed(tuple(found))


def _is_compared(prepared: Prepared, state: str) -> bool:
    """Whether the step compares states by size: they may be at a kink, however few points are."""
    claimed = prepared.reference if prepared.claimed is None else prepared.claimed
    steps = (prepared.reference.outputs[1], claimed.outputs[1])
    try:
        nodes = topological(compared(steps))
    except NotExpressibleError:
        return True  # nobody knows
    return any(node.operation == "input" and node.parameter == state for node in nodes)


def _inputs(formula: Formula) -> set[str]:
    nodes = topological(formula.outputs)
    return {node.parameter for node in nodes if node.operation == "input"}
