"""Whole formulas, statements and steps in TeX."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from verimath.claim import (
    AtMost,
    Converges,
    Derivative,
    Equal,
    Gradient,
    Hessian,
    Jacobian,
    Statement,
)
from verimath.formula.derive import LocalStep
from verimath.formula.graph import Formula, Node
from verimath.formula.latex.nodes import node_tex
from verimath.formula.latex.pieces import PRODUCT, Printer, Tex
from verimath.formula.latex.symbols import decimal, named_tex, symbol


def formula_tex(formula: Formula, *, names: Mapping[Node, str] | None = None) -> str:
    """The formula's results in terms of its inputs (or of the named nodes in `names`)."""
    known = {node: name for name, node in formula.inputs.items()} if names is None else names
    rendered = map(Printer(known, node_tex), formula.outputs)
    pairs = formula.pairs or (False,) * len(formula.outputs)
    printed = [_pair_tex(rendered) if pair else next(rendered).text for pair in pairs]
    return (
        printed[0]
        if len(printed) == 1
        else rf"\left({',; '.join(printed)}\right)".replace(",;", r",\;")
    )


def _pair_tex(parts: Iterator[Tex]) -> str:
    """A complex result by the next two parts."""
    real, imaginary = next(parts), next(parts)
    if real.text.startswith(r"\Re") and imaginary.text == r"\Im" + real.text[3:]:
        return real.text[3:].strip()
    return rf"{real.text} + i\,{imaginary.at_least(PRODUCT)}"


def statement_tex(statement: Statement, primal: Formula, claimed: Formula | None) -> str:
    """The whole statement as one line of TeX."""
    match statement, claimed:
        case Derivative(), Formula():
            sides = f"{_derivative_tex(statement, formula_tex(primal))} = {formula_tex(claimed)}"
            return sides + _up_to_tex(statement)
        case Equal(), Formula():
            return f"{formula_tex(primal)} = {formula_tex(claimed)}"
        case AtMost(bound=bound), _:
            return rf"\left|{formula_tex(primal)}\right| \le {decimal(bound)}"
        case Converges(of=of), Formula():
            return _iteration_tex(symbol(of), primal, claimed)
        case _:
            return formula_tex(primal)


def _iteration_tex(x: str, limit: Formula, steps: Formula) -> str:
    """An iteration: its step and its factor, which are the outputs of `steps`, and its limit."""
    step, factor = (formula_tex(replace(steps, outputs=(node,))) for node in steps.outputs)
    tends = rf"{x} \leftarrow {step} \quad\text{{tends to}}\quad {formula_tex(limit)}"
    return rf"{tends} \quad\text{{by the factor}}\quad {factor} < 1"


def _up_to_tex(statement: Derivative) -> str:
    """What of the derivatives isn't claimed, behind the claim."""
    parts = zip(statement.wrt_names, statement.parts(), strict=True)
    several = len(statement.wrt_names) > 1
    words = [
        rf"\quad\text{{up to {part.words}}}" + (rf"\text{{ in }}{symbol(name)}" if several else "")
        for name, part in parts
        if part is not None
    ]
    return "".join(words)


def _derivative_tex(statement: Gradient | Jacobian | Hessian, of: str) -> str:
    """The derivative that a statement speaks of."""
    names = ",".join(symbol(name) for name in statement.wrt_names)
    match statement:
        case Gradient():
            return rf"\nabla_{{{names}}}\left[{of}\right]"
        case Jacobian():
            below = rf"\left({names}\right)" if "," in names else names
            return rf"\frac{{\partial}}{{\partial {below}}}\left[{of}\right]"
        case Hessian():
            return rf"\nabla^2_{{{names}}}\left[{of}\right]"


def step_tex(primal: Formula, step: LocalStep) -> str:
    """One step: a derivative, or how the cotangent of a matrix expression is pulled back."""
    names: dict[Node, str] = {n: name for n, name in primal.names.items() if n is not step.of}
    of, by = (named_tex(primal.names[node]).text for node in (step.of, step.by))
    if step.is_pullback:
        names[step.seed] = f"cotangent of {primal.names[step.of]}"
    derivative = Printer(names, node_tex)(step.derivative).text
    if not step.is_pullback:
        return rf"\frac{{\partial {of}}}{{\partial {by}}} = {derivative}"
    equals = "=" if step.only else r"\mathrel{+}="
    return rf"\bar{{{by}}} {equals} {derivative}"
