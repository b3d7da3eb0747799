"""What can be said beyond examples: exact agreement at explicit shapes, and every step by itself.

At a few small shapes every element is a symbol. There the reference (from the formula graph),
sympy's own derivation (from the functions themselves) and the claimed form are compared symbol by
symbol; only when all agree, and every step of the derivation passes its own check, does the label
`exact_at_shapes` stand. A difference that is nonzero at an exact rational point refutes the claim.
Where sympy can't decide, numbers are compared and the label is `sampled`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from verimath.arithmetic import symbolic as exact
from verimath.arithmetic.symbolic import Objects
from verimath.claim import AtMost
from verimath.domain import Input, reals
from verimath.errors import ClaimError
from verimath.formula.derive import Derivation, LocalStep
from verimath.formula.graph import Formula, Node
from verimath.formula.latex.statements import step_tex
from verimath.proof.readings import readings
from verimath.reference.prepared import Prepared
from verimath.report.record import Proof, ProofLabel, Step
from verimath.routes import symbolic
from verimath.routes.symbolic_array import exact_literal
from verimath.shapes import Binding

# Beyond this many symbols an explicit derivation costs seconds and shows nothing new.
LARGEST_EXPLICIT = 30
# The derivatives that a Jacobian or Hessian has at most.
_LARGEST_RESULT = 150
# An inverse of a larger matrix of expressions takes sympy minutes; one of inverses, sooner.
_LARGEST_MATRIX = 3


@dataclass(frozen=True, slots=True)
class _Difference:
    """An element on which two derivations are not shown to agree; `certain` if they differ."""

    where: str
    expression: sp.Expr
    certain: bool


def prove(prepared: Prepared, bindings: Sequence[Binding]) -> Proof:
    """Check the steps and compare all derivations at the given sizes."""
    steps = check_steps(prepared.derivation, bindings) if prepared.derivation else ()
    hypotheses = (*prepared.claim.assume, *readings(prepared))
    given = all(spec.values is not None for spec in prepared.claim.domain.inputs.values())
    only = "the given numbers" if given else "the stated shape"
    shapes: list[str] = []
    for binding in bindings:
        inputs = symbolic.symbols(_shapes(prepared, binding))
        problem = _compare(prepared, inputs, binding)
        where = " ".join(f"{name}={size}" for name, size in binding.items()) or only
        if problem is not None:
            label, text = problem
            return Proof(
                label=label,
                shapes=(where,),
                hypotheses=hypotheses,
                steps=steps,
                finding=text,
            )
        shapes.append(where)
    # A checked step with a remark was only compared on numbers.
    exactly = all(step.checked and step.remark is None for step in steps)
    broken = any(not step.checked and step.remark != _UNCHECKED for step in steps)
    return Proof(
        label="none" if broken or not shapes else "exact_at_shapes" if exactly else "sampled",
        shapes=tuple(shapes) if exactly else (),
        hypotheses=hypotheses,
        steps=steps,
    )


def _shapes(prepared: Prepared, binding: Binding) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(size.at(binding) for size in node.shape)
        for name, node in prepared.primal.inputs.items()
    }


def is_explicit(prepared: Prepared, binding: Binding) -> bool:
    """Whether these sizes are small enough for a derivation in symbols."""
    few = explicit_symbols(prepared, binding) <= LARGEST_EXPLICIT
    few = few and prepared.elements(binding) <= _LARGEST_RESULT
    return few and prepared.largest_matrix(binding) ** prepared.nesting <= _LARGEST_MATRIX


def explicit_symbols(prepared: Prepared, binding: Binding) -> int:
    """How many symbols the inputs are at these sizes."""
    shapes = _shapes(prepared, binding)
    return sum(int(np.prod(shape, dtype=np.int64)) for shape in shapes.values())


def _compare(
    prepared: Prepared, inputs: Mapping[str, Objects], binding: Binding
) -> tuple[ProofLabel, str] | None:
    """None if everything agrees at this shape, else the label and what was found."""
    statement = prepared.statement
    try:
        by_sympy = symbolic.entries(statement, inputs)
    except ClaimError as error:
        return "none", str(error)
    by_graph = _evaluate(prepared.reference, inputs, binding)
    domain = _Domain.of(prepared.claim.domain.inputs, inputs)
    difference = _difference(by_graph, by_sympy, domain)
    if difference is not None and difference.certain:
        return "none", f"sympy's derivation and the formula graph's disagree at {difference.where}"
    if difference is not None:
        return _undecided(difference)
    if isinstance(statement, AtMost):
        return _compare_bound(prepared, statement, inputs, binding)
    assert prepared.claimed is not None  # every other statement has two sides
    difference = _difference(by_graph, _evaluate(prepared.claimed, inputs, binding), domain)
    if difference is None:
        return None
    if any(spec.is_structured for spec in prepared.claim.domain.inputs.values()):
        # The symbols know nothing of the structure; a rational point would leave the domain.
        return (
            "sampled",
            f"{difference.where}: equal only by the structure of the inputs, if at all",
        )
    return _refute(difference, domain) if difference.certain else _undecided(difference)


def _undecided(difference: _Difference) -> tuple[ProofLabel, str]:
    return "sampled", f"{difference.where}: equal at sample points; sympy can't show it in general"


def _evaluate(
    formula: Formula, inputs: Mapping[str, Objects], binding: Binding
) -> tuple[Objects, ...]:
    known = {node: inputs[name] for name, node in formula.inputs.items()}
    return exact.evaluate(formula.outputs, known, binding)


def _compare_bound(
    prepared: Prepared, statement: AtMost, inputs: Mapping[str, Objects], binding: Binding
) -> tuple[ProofLabel, str] | None:
    """Decide |value| <= bound exactly where every input is given; else seek a counterexample."""
    specs = prepared.claim.domain.inputs
    if any(spec.is_structured for spec in specs.values()):
        return "sampled", "a bound over drawn inputs is only sampled"
    domain, bound = _Domain.of(specs, inputs), exact_literal(statement.bound)
    given = all(spec.values is not None for spec in specs.values())
    drawn = [cell for cells in inputs.values() for cell in cells.ravel()]
    for shift in range(1 if given else _POINTS):
        point = {**dict(_point(drawn, domain, shift)), **domain.fixed}
        numbers = {name: _at(cells, point) for name, cells in inputs.items()}
        for output in _evaluate(prepared.reference, numbers, binding):
            for index in np.ndindex(*output.shape):
                if (sp.Abs(output[index]) > bound) == sp.true:
                    where = "" if given else f" at {_places(point.items())}"
                    found = f"element {index} is {output[index]}, beyond {bound}{where}"
                    return "refuted", found
    return None if given else ("sampled", "a bound over drawn inputs is only sampled")


def _at(cells: Objects, point: Mapping[Any, sp.Expr]) -> Objects:
    """The numbers that symbols are at a point."""
    found = np.empty(cells.shape, dtype=object)
    for index in np.ndindex(*cells.shape):
        found[index] = point[_entry(cells, index)]
    return found


def _places(point: Iterable[tuple[Any, sp.Expr]]) -> str:
    return ", ".join(f"{symbol}={value}" for symbol, value in point)


_ANY_REAL = reals()


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
                numbers = (exact_literal(float(x)) for x in spec.values.ravel())
                fixed.update(zip(cells.ravel(), numbers, strict=True))
        return _Domain(fixed, ranges)

    def number(self, symbol: Any, choice: int) -> sp.Expr:
        """A rational number that the symbol may be, one of -2 to 4 if there is no range."""
        spec = self.ranges.get(symbol, _ANY_REAL)  # intermediate variables may be anything
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
            return _Difference(f"result {number + 1}: shapes {a.shape} and {b.shape}", sp.nan, True)
        for index in np.ndindex(*a.shape):
            left, right = _entry(a, index), _entry(b, index)
            gap = sp.Add(left, -right).subs(list(domain.fixed.items()))
            zero = vanishes(gap, domain)
            if zero is not True:
                where = f"element {list(index)}" if index else "the value"
                return _Difference(where, gap, zero is False)
    return None


def _entry(cells: Objects, index: tuple[int, ...]) -> Any:
    """One cell, for whose type numpy has no name."""
    return cells[index]


# Numbers are compared at this many digits; a difference of half as many is one.
_DIGITS = 60
_SAMPLES = 5
# So many rational points are tried for a counterexample.
_POINTS = 12


def vanishes(expression: sp.Expr, domain: _Domain) -> bool | None:
    """Whether an expression is zero everywhere; None if that stays open.

    Expanding decides polynomials, clearing denominators rational functions. For anything else
    sympy's simplification may find a zero; if it doesn't, numbers decide against a zero, never
    for one.
    """
    expanded = sp.expand(expression)
    if expanded == 0:
        return True
    if expanded.is_Rational:
        return False
    if expanded.has(sp.nan, sp.zoo):
        return None  # defined nowhere: there is nothing to be equal
    symbols = sorted(expanded.free_symbols, key=str)
    if symbols and expanded.is_rational_function(*symbols):
        return bool(sp.expand(sp.numer(sp.together(expanded))) == 0)
    # Off its kink, where alone it has a derivative, a sign is u / |u|.
    if sp.simplify(expanded.replace(sp.sign, lambda u: u / sp.Abs(u))) == 0:
        return True
    for shift in range(_SAMPLES):
        point = _point(symbols, domain, shift)
        if _at_a_kink(expanded, point):
            continue
        number = expanded.subs(point).evalf(_DIGITS)
        if number.is_real and sp.Abs(number) > sp.Rational(1, 10 ** (_DIGITS // 2)):
            return False
    return None


def _at_a_kink(expression: sp.Expr, point: Sequence[tuple[Any, sp.Expr]]) -> bool:
    """Whether a step, a sign or a comparison is undecided at a point: any subgradient is right."""
    steps: list[Any] = [h.args[0] for h in expression.atoms(sp.Heaviside, sp.sign, sp.Abs)]
    relations: Any = expression.atoms(sp.core.relational.Relational)
    steps += [relation.lhs - relation.rhs for relation in relations]
    return any(step.subs(point) == 0 for step in steps)


def _point(symbols: Sequence[Any], domain: _Domain, shift: int) -> list[tuple[Any, sp.Expr]]:
    """Rational numbers of the domain for the symbols; another choice for every `shift`."""
    return [(s, domain.number(s, (i + 1) * (shift + 1) % 7)) for i, s in enumerate(symbols)]


def _refute(difference: _Difference, domain: _Domain) -> tuple[ProofLabel, str]:
    """Look for a rational point of the domain where the two sides differ exactly."""
    expression = difference.expression
    symbols = sorted(expression.free_symbols, key=str)
    for shift in range(_POINTS):
        point = _point(symbols, domain, shift)
        if _at_a_kink(expression, point):
            continue
        gap = expression.subs(point)
        if gap.is_Rational and gap != 0:
            at = f" at {_places(point)}" if point else ""
            return "refuted", f"{difference.where}: the two sides differ by exactly {gap}{at}"
    return "none", f"{difference.where}: no agreement and no rational counterexample was found"


# --- steps ----------------------------------------------------------------------------------


# A step may touch intermediate variables that are larger than the inputs.
_LARGEST_STEP = 120
_UNCHECKED = "no shape is small enough to check this step"


def check_steps(derivation: Derivation, bindings: Sequence[Binding]) -> tuple[Step, ...]:
    """Every step with its TeX and the outcome of its own check against sympy's derivative."""
    return tuple(_checked(derivation.named, step, bindings) for step in derivation.steps)


def _checked(primal: Formula, step: LocalStep, bindings: Sequence[Binding]) -> Step:
    usable = [b for b in bindings if _elements(step, b) <= _LARGEST_STEP]
    found = [_step_problem(primal, step, binding) for binding in usable]
    wrong = next((problem for problem in found if problem and problem.certain), None)
    open_ = next((problem for problem in found if problem), None)
    remark = None
    if wrong:
        remark = f"{wrong.where}: off by {wrong.expression}"
    elif open_:
        remark = f"{open_.where}: equal at sample points; sympy can't show it in general"
    elif not usable:
        remark = _UNCHECKED
    return Step(
        rule=", ".join(step.rules),
        tex=step_tex(primal, step),
        checked=wrong is None and bool(usable),
        remark=remark,
    )


def _elements(step: LocalStep, binding: Binding) -> int:
    sizes = [int(np.prod([s.at(binding) for s in n.shape])) for n in (step.of, step.by)]
    return sum(sizes)


def _step_problem(primal: Formula, step: LocalStep, binding: Binding) -> _Difference | None:
    """Where a step is not shown to be right at these sizes, or None.

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
        gap = sp.Add(_entry(found, index), -wanted)
        zero = vanishes(gap, _Domain({}, {}))
        if zero is not True:
            sizes = " ".join(f"{name}={size}" for name, size in binding.items()) or "this shape"
            return _Difference(f"at {sizes}, element {list(index)}", gap, zero is False)
    return None


def _above_cut(of: Node, cut: Mapping[Node, Objects], binding: Binding) -> Objects:
    """The value of a node in terms of the cut (its own entry, if any, left out)."""
    (value,) = exact.evaluate((of,), {n: v for n, v in cut.items() if n is not of}, binding)
    return value
