"""What can be said beyond examples: exact agreement at explicit shapes, and every step by itself.

At a few small shapes every element is a symbol. There the reference (from the formula graph),
sympy's own derivation (from the functions themselves) and the claimed form are compared symbol by
symbol; only when all agree, and every step of the derivation passes its own check, does the label
`exact_at_shapes` stand. A difference that is nonzero at an exact rational point refutes the claim.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from verimath.arithmetic import symbolic as exact
from verimath.arithmetic.symbolic import Objects
from verimath.claim import AtMost
from verimath.domain import Input
from verimath.errors import ClaimError
from verimath.formula.derive import Derivation, LocalStep
from verimath.formula.graph import Formula, Node, topological
from verimath.formula.latex import step_tex
from verimath.formula.literals import Constant
from verimath.prepare import Prepared
from verimath.report.record import Proof, ProofLabel, Step
from verimath.routes import symbolic
from verimath.shapes import Binding

# Beyond this many symbols an explicit derivation costs seconds and shows nothing new.
LARGEST_EXPLICIT = 30


@dataclass(frozen=True, slots=True)
class _Difference:
    where: str
    expression: sp.Expr


def prove(prepared: Prepared, bindings: Sequence[Binding]) -> Proof:
    """Check the steps and compare all derivations at the given sizes."""
    steps = check_steps(prepared.derivation, bindings) if prepared.derivation else ()
    axioms = tuple(_assumptions(prepared))
    shapes: list[str] = []
    for binding in bindings:
        inputs = symbolic.symbols(_shapes(prepared, binding))
        problem = _compare(prepared, inputs, binding)
        where = " ".join(f"{name}={size}" for name, size in binding.items()) or "the given numbers"
        if problem is not None:
            label, text = problem
            return Proof(
                label=label,
                shapes=(where,),
                hypotheses=tuple(prepared.claim.assume),
                axioms=axioms,
                steps=steps,
                certificate=text,
            )
        shapes.append(where)
    proved = bool(shapes) and all(step.checked for step in steps)
    return Proof(
        label="exact_at_shapes" if proved else "none",
        shapes=tuple(shapes) if proved else (),
        hypotheses=tuple(prepared.claim.assume),
        axioms=axioms,
        steps=steps,
    )


def _shapes(prepared: Prepared, binding: Binding) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(size.at(binding) for size in node.shape)
        for name, node in prepared.primal.inputs.items()
    }


def explicit_symbols(prepared: Prepared, binding: Binding) -> int:
    """How many symbols the inputs are at these sizes."""
    shapes = _shapes(prepared, binding)
    return sum(int(np.prod(shape, dtype=np.int64)) for shape in shapes.values())


def _compare(
    prepared: Prepared, inputs: Mapping[str, Objects], binding: Binding
) -> tuple[ProofLabel, str] | None:
    """None if everything agrees at this shape, else the label and what was found."""
    statement = prepared.claim.statement
    try:
        by_sympy = symbolic.entries(statement, inputs)
    except ClaimError as error:
        return "none", str(error)
    by_graph = _evaluate(prepared.reference, inputs, binding)
    domain = _Domain.of(prepared.claim.domain.inputs, inputs)
    difference = _difference(by_graph, by_sympy, domain)
    if difference is not None:
        return "none", f"sympy's derivation and the formula graph's disagree at {difference.where}"
    if isinstance(statement, AtMost):
        return _compare_bound(prepared, statement)
    assert prepared.claimed is not None  # every other statement has two sides
    difference = _difference(by_graph, _evaluate(prepared.claimed, inputs, binding), domain)
    if difference is None:
        return None
    return _refute(difference, domain)


def _evaluate(
    formula: Formula, inputs: Mapping[str, Objects], binding: Binding
) -> tuple[Objects, ...]:
    known = {node: inputs[name] for name, node in formula.inputs.items()}
    return exact.evaluate(formula.outputs, known, binding)


def _compare_bound(prepared: Prepared, statement: AtMost) -> tuple[ProofLabel, str] | None:
    """Decide |value| <= bound exactly, where every input is given."""
    values = {name: spec.values for name, spec in prepared.claim.domain.inputs.items()}
    if any(value is None for value in values.values()):
        return "sampled", "a bound over drawn inputs is only sampled"
    numbers = {
        name: np.vectorize(lambda x: symbolic.exact_literal(float(x)), otypes=[object])(value)
        for name, value in values.items()
    }
    bound = symbolic.exact_literal(statement.bound)
    for output in _evaluate(prepared.reference, numbers, {}):
        for index in np.ndindex(*output.shape):
            if sp.Abs(output[index]) > bound:
                return "refuted", f"element {index} is {output[index]}, beyond {bound}"
    return None


@dataclass(frozen=True, slots=True)
class _Domain:
    """Where the symbols live: given inputs are exact numbers, the others have a range."""

    fixed: Mapping[sp.Symbol, sp.Expr]
    ranges: Mapping[sp.Symbol, Input]

    @staticmethod
    def of(specs: Mapping[str, Input], inputs: Mapping[str, Objects]) -> "_Domain":
        fixed: dict[sp.Symbol, sp.Expr] = {}
        ranges: dict[sp.Symbol, Input] = {}
        for name, cells in inputs.items():
            spec = specs[name]
            ranges.update((cell, spec) for cell in cells.ravel())
            if spec.values is not None:
                numbers = (symbolic.exact_literal(float(x)) for x in spec.values.ravel())
                fixed.update(zip(cells.ravel(), numbers, strict=True))
        return _Domain(fixed, ranges)

    def number(self, symbol: Any, choice: int) -> sp.Expr:
        """A rational number that the symbol may be, one of -2 to 4 if there is no range."""
        spec = self.ranges[symbol]
        low = None if spec.min_value is None else sp.Rational(spec.min_value)
        high = None if spec.max_value is None else sp.Rational(spec.max_value)
        if low is not None and high is not None:
            return low + (high - low) * sp.Rational(choice, 6)
        if low is not None:
            return low + choice
        return sp.Integer(choice - 2) if high is None else high - choice


def _difference(
    one: Sequence[Objects], other: Sequence[Objects], domain: _Domain
) -> _Difference | None:
    for number, (a, b) in enumerate(zip(one, other, strict=True)):
        if a.shape != b.shape:
            return _Difference(f"result {number + 1}: shapes {a.shape} and {b.shape}", sp.nan)
        for index in np.ndindex(*a.shape):
            gap = sp.sympify(a[index] - b[index]).subs(domain.fixed)
            if not is_zero(gap):
                return _Difference(f"element {index}", gap)
    return None


def is_zero(expression: sp.Expr) -> bool:
    """Whether an expression vanishes identically; decided for rational functions.

    Expanding decides polynomials, clearing denominators rational functions; for anything else
    sympy's simplification may fail to find a zero, never invent one.
    """
    expanded = sp.expand(expression)
    if expanded == 0:
        return True
    symbols = expanded.free_symbols
    if symbols and expanded.is_rational_function(*symbols):
        return sp.expand(sp.numer(sp.together(expanded))) == 0
    return sp.simplify(expanded) == 0


def _refute(difference: _Difference, domain: _Domain) -> tuple[ProofLabel, str]:
    """Look for a rational point of the domain where the two sides differ exactly."""
    expression = difference.expression
    symbols = sorted(expression.free_symbols, key=str)
    for shift in range(12):
        point = {s: domain.number(s, (i + 1) * (shift + 1) % 7) for i, s in enumerate(symbols)}
        gap = expression.subs(list(point.items()))
        if gap.is_Rational and gap != 0:
            places = ", ".join(f"{s}={v}" for s, v in point.items())
            at = f" at {places}" if places else ""
            return "refuted", f"{difference.where}: the two sides differ by exactly {gap}{at}"
    return "none", f"{difference.where}: no agreement and no rational counterexample was found"


# --- steps ----------------------------------------------------------------------------------


def check_steps(derivation: Derivation, bindings: Sequence[Binding]) -> tuple[Step, ...]:
    """Every step with its TeX and the outcome of its own check against sympy's derivative."""
    return tuple(_checked(derivation, step, bindings) for step in derivation.steps)


def _checked(derivation: Derivation, step: LocalStep, bindings: Sequence[Binding]) -> Step:
    remark: str | None = None
    usable = [b for b in bindings if _elements(step, b) <= LARGEST_EXPLICIT]
    for binding in usable:
        remark = remark or _step_problem(derivation.primal, step, binding)
    if not usable:
        remark = "no shape is small enough to check this step"
    return Step(
        rule=", ".join(step.rules),
        tex=step_tex(derivation.primal, step),
        checked=remark is None,
        remark=remark,
    )


def _elements(step: LocalStep, binding: Binding) -> int:
    sizes = [int(np.prod([s.at(binding) for s in n.shape])) for n in (step.of, step.by)]
    return sum(sizes)


def _step_problem(primal: Formula, step: LocalStep, binding: Binding) -> str | None:
    """What is wrong with a step at these sizes, or None.

    Every named variable the step touches becomes independent symbols; sympy differentiates the
    result of the step contracted with cotangent symbols.
    """
    cut = {
        node: symbolic.symbols({name: tuple(s.at(binding) for s in node.shape)})[name]
        for node, name in primal.names.items()
        if node is not step.of
    }
    known: dict[Node, Objects] = dict(cut)
    shape = tuple(s.at(binding) for s in step.of.shape)
    (seed,) = symbolic.symbols({"the cotangent": shape}).values()  # no variable has such a name
    value = _above_cut(step.of, known, binding)
    if step.is_pullback:
        known[step.seed] = seed
    else:
        seed = np.full(seed.shape, sp.Integer(1), dtype=object)
    total = sp.Add(*(s * v for s, v in zip(seed.ravel(), value.ravel(), strict=True)))
    # The derivative may use the step's own result (as the quotient rule does).
    known[step.of] = value
    (found,) = exact.evaluate((step.derivative,), known, binding)
    for index in np.ndindex(*cut[step.by].shape):
        wanted = sp.diff(total, cut[step.by][index])
        if not is_zero(found[index] - wanted):
            sizes = " ".join(f"{name}={size}" for name, size in binding.items())
            return f"at {sizes or 'this shape'}, element {index}: {found[index]} is not {wanted}"
    return None


def _above_cut(of: Node, cut: Mapping[Node, Objects], binding: Binding) -> Objects:
    """The value of a node in terms of the cut (its own entry, if any, left out)."""
    (value,) = exact.evaluate((of,), {n: v for n, v in cut.items() if n is not of}, binding)
    return value


def _assumptions(prepared: Prepared) -> list[str]:
    """Readings of literals that differ from the float itself, each an assumption."""
    found: dict[str, None] = {}
    for formula in prepared.orders:
        for node in topological(formula.outputs):
            for constant in _literals(node):
                if float(constant).as_integer_ratio() != constant.factor.as_integer_ratio():
                    found[f"the literal {float(constant)!r} stands for {constant}"] = None
    return list(found)


def _literals(node: Node) -> list[Constant]:
    if node.operation == "constant":
        return [node.parameter]
    return _flatten(node.parameter) if node.operation == "table" else []


def _flatten(cells: object) -> list[Constant]:
    if isinstance(cells, Constant):
        return [cells]
    assert isinstance(cells, tuple)  # a table is nested tuples of constants
    return [constant for cell in cells for constant in _flatten(cell)]
