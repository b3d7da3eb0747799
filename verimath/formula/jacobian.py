"""Jacobians and Hessians: reverse mode applied to a whole identity of cotangents at once.

A gradient's rules pull one cotangent back. Here it is a free array of the formula's shape, and the
graph that comes out, which is linear in it, is evaluated for every unit array (`batching`). The
Hessian is the Jacobian of the gradient (Griewank and Walther, *Evaluating Derivatives*, 2nd ed.,
section 5.1).
"""

from collections.abc import Mapping

from verimath.errors import FormulaError
from verimath.formula import operations as op
from verimath.formula.batching import batch, identity
from verimath.formula.derive import Derivation, gradients, steps_to
from verimath.formula.graph import Formula, Node, PullBack
from verimath.formula.reverse import NO_RULES, pull_back
from verimath.shapes import shape_text


def jacobian(primal: Formula, wrt: tuple[str, ...]) -> Derivation:
    """Derivatives of every element of a formula's one output; of shape output + input.

    Raises FormulaError if the formula has several outputs.
    """
    steps = steps_to(primal, [primal.inputs[name] for name in wrt])
    return Derivation(primal, wrt, jacobians(primal, wrt), steps, jacobians, primal)


def jacobians(
    primal: Formula, wrt: tuple[str, ...], rules: Mapping[Node, PullBack] = NO_RULES
) -> Formula:
    """The Jacobians alone; `rules` replaces the rule of single nodes, to make a chain go wrong.

    Raises FormulaError if the formula has several outputs.
    """
    if len(primal.outputs) != 1:
        shapes = " and ".join(shape_text(output.shape) for output in primal.outputs)
        raise FormulaError(
            f"formula `{primal.name}` returns {len(primal.outputs)} arrays ({shapes}); a Jacobian "
            "is that of one array (state one claim for each)"
        )
    (output,) = primal.outputs
    targets = [primal.inputs[name] for name in wrt]
    seed = op.input_("the cotangent", output.shape)  # no input has such a name
    cotangents = pull_back(output, seed, set(targets), rules=rules)
    zero = op.constant(0)
    found = tuple(op.broadcast(cotangents.get(t, zero), t.shape) for t in targets)
    outputs = batch(found, {seed: identity(output.shape)}, output.shape)
    return Formula(f"Jacobian of {primal.name}", primal.inputs, outputs, primal.names)


def hessian(primal: Formula, wrt: tuple[str, ...]) -> Derivation:
    """Second derivatives of a 0-d formula in one input; of the input's shape twice.

    Its steps are those of the gradient and then those from the gradient down.

    Raises FormulaError if the formula isn't scalar.
    """
    (name,) = wrt
    slope, target = gradients(primal, wrt), primal.inputs[name]
    named = _with_name(primal, slope.outputs[0])
    again = steps_to(named, [target])
    known = steps_to(primal, [target])
    pairs = {(step.of, step.by) for step in known}
    steps = (*known, *(step for step in again if (step.of, step.by) not in pairs))
    return Derivation(primal, wrt, hessians(primal, wrt), steps, hessians, named)


def _with_name(primal: Formula, slope: Node) -> Formula:
    """The gradient as a formula whose names are the primal's, and its own."""
    (value,) = primal.outputs
    names = dict(primal.names)
    names.setdefault(slope, f"gradient of {names[value]}")
    return Formula(f"gradient of {primal.name}", primal.inputs, (slope,), names)


def hessians(
    primal: Formula, wrt: tuple[str, ...], rules: Mapping[Node, PullBack] = NO_RULES
) -> Formula:
    """The Hessian alone; `rules` replaces rules where the gradient is made.

    Raises FormulaError if the formula isn't scalar.
    """
    found = jacobians(gradients(primal, wrt, rules), wrt)
    return Formula(f"Hessian of {primal.name}", primal.inputs, found.outputs, primal.names)
