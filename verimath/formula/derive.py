"""Derivations: the derivatives of a formula, with the steps that lead there.

`derive` divides the way from output to input at the formula's named variables and returns a step
for each stretch. `verimath.proof.explicit` checks every step by itself; nothing is trusted.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from verimath.errors import FormulaError
from verimath.formula import operations as op
from verimath.formula.graph import Formula, Node, PullBack, between, topological
from verimath.formula.reverse import NO_RULES, pull_back
from verimath.formula.slopes import NOTHING
from verimath.shapes import shape_text


@dataclass(frozen=True, slots=True, eq=False)
class LocalStep:
    """The derivative of the named variable `of` by the named variable `by`, all else held fixed.

    `seed` is the cotangent of `of`: the number 1 where the derivative is an array by itself (the
    result is a number, or both are related elementwise), else a free input. `derivative` is then
    that array, or the pullback of the seed. `only` says that no other step leads to `by`.
    """

    of: Node
    by: Node
    seed: Node
    derivative: Node
    rules: tuple[str, ...]
    path: tuple[Node, ...]
    only: bool = True

    @property
    def is_pullback(self) -> bool:
        """Whether `derivative` is a linear function of a free cotangent."""
        return self.seed.operation == "input"


@dataclass(frozen=True, slots=True, eq=False)
class Derivation:
    """Derivatives of a formula in some inputs, with the steps that lead there.

    `derivatives` has one output per input; `again` derives it with the rules of single nodes
    replaced. `named` gives the names that the steps speak of.
    """

    primal: Formula
    wrt: tuple[str, ...]
    derivatives: Formula
    steps: tuple[LocalStep, ...]
    again: Callable[[Formula, tuple[str, ...], Mapping[Node, PullBack]], Formula]
    named: Formula


def derive(primal: Formula, wrt: tuple[str, ...]) -> Derivation:
    """Reverse-mode gradients of a formula with one 0-d output.

    Raises FormulaError if the formula isn't scalar.
    """
    steps = steps_to(primal, [primal.inputs[name] for name in wrt])
    return Derivation(primal, wrt, gradients(primal, wrt), steps, gradients, primal)


def gradients(
    primal: Formula, wrt: tuple[str, ...], rules: Mapping[Node, PullBack] = NO_RULES
) -> Formula:
    """The gradients alone; `rules` replaces the rule of single nodes, to make a chain go wrong.

    Raises FormulaError if the formula isn't scalar.
    """
    if len(primal.outputs) != 1 or primal.outputs[0].shape:
        shapes = " and ".join(shape_text(output.shape) for output in primal.outputs)
        raise FormulaError(
            f"formula `{primal.name}` has shape {shapes}; a gradient needs a 0-d result "
            "(sum or average it, or state its Jacobian)"
        )
    targets = [primal.inputs[name] for name in wrt]
    cotangents = pull_back(primal.outputs[0], op.constant(1), set(targets), rules=rules)
    zero = op.constant(0)
    outputs = tuple(op.broadcast(cotangents.get(t, zero), t.shape) for t in targets)
    return Formula(f"gradient of {primal.name}", primal.inputs, outputs, primal.names)


def steps_to(primal: Formula, targets: list[Node]) -> tuple[LocalStep, ...]:
    """One step per pair of named variables that follow each other on a way to a target."""
    output = primal.outputs[0]
    leads = set(targets)
    for node in primal.nodes():
        if any(x in leads for x in node.inputs):
            leads.add(node)
    named = frozenset(primal.names)
    todo, done, steps = [output], set[Node](), list[LocalStep]()
    while todo:
        of = todo.pop(0)
        if of in done or of in targets:
            continue
        done.add(of)
        stretch = between(of, named)
        for by in reversed(stretch):
            if by is not of and by in named and by in leads:
                steps.append(_local_step(of, by, named, primal.names[of]))
                todo.append(by)
    reached = Counter(step.by for step in steps)
    return tuple(replace(step, only=reached[step.by] == 1) for step in steps)


def _local_step(of: Node, by: Node, named: frozenset[Node], name: str) -> LocalStep:
    stop = named - {of}
    path = _path(of, by, stop)
    elementwise = all(node.shape == by.shape and node.operation in _ELEMENTWISE for node in path)
    array_by_itself = not of.shape or elementwise
    seed = op.constant(1) if array_by_itself else op.input_(name, of.shape)
    spread = op.broadcast(seed, of.shape)
    found = pull_back(of, spread, {by}, stop=stop)
    # What decides a choice alone has no slope.
    derivative = found[by] if by in found else op.broadcast(NOTHING, by.shape)
    rules = tuple(dict.fromkeys(rule_name(node) for node in reversed(path)))
    return LocalStep(of, by, seed, derivative, rules, tuple(path))


_ELEMENTWISE = frozenset({"add", "multiply", "divide", "power", "function", "where", "maximum"})


def _path(of: Node, by: Node, stop: frozenset[Node]) -> list[Node]:
    """The operations between `by` (excluded) and `of` (included) that depend on `by`."""
    depends = {by}
    for node in between(of, stop):
        inside = node is not by and (node is of or node not in stop)
        if inside and any(x in depends for x in node.inputs):
            depends.add(node)
    return [node for node in topological((of,)) if node in depends and node is not by]


RULE_NAMES = {
    "add": "sum rule",
    "multiply": "product rule",
    "divide": "quotient rule",
    "power": "power rule",
    "broadcast": "broadcasting adds up",
    "reshape": "reshaping",
    "convert": "constant",
    "compare": "constant",
    "logical": "constant",
    "subgradient": "constant",
    "where": "choice, case by case",
    "maximum": "the larger one counts",
    "max": "the largest one counts",
    "gather": "taking elements",
    "scatter": "adding up elements",
    "concatenate": "part by part",
    "product": "product of the others",
    "cumulative": "running sums, backwards",
    "solve": "derivative of a solution",
    "determinant": "Jacobi's formula",
    "cholesky": "derivative of a Cholesky factor",
}


def rule_name(node: Node) -> str:
    """What a person calls the rule for this node."""
    if node.operation == "function":
        return "sign" if node.parameter == "negative" else f"derivative of {node.parameter}"
    if node.operation in ("multiply", "divide") and any(map(_is_fixed, node.inputs)):
        return "constant factor"
    if node.operation == "einsum":
        return "matrix product" if len(node.inputs) == 2 else "linearity of the sum"
    if node.operation == "composite":
        return f"derivative of {node.parameter.name}"
    return RULE_NAMES[node.operation]


def _is_fixed(node: Node) -> bool:
    """Whether a node is one literal or size, perhaps repeated."""
    while node.operation == "broadcast":
        node = node.inputs[0]
    return node.operation in ("constant", "size")
