"""Formulas and steps in TeX, as a person would write them.

Scalars multiply by juxtaposition, arrays elementwise with a circled dot, einsums as matrix products
with transposes, sums as `sum`, averages as `mean`; an array of one axis is a column. Functions of
arrays are elementwise, and so are powers: those of matrices have a circled dot too. One number
repeated over a shape is printed as the number, a vector of ones as a bold one. Named variables are
printed by name, so a step reads in the formula's own words.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from keyword import iskeyword

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
from verimath.formula import operations as op
from verimath.formula.derive import LocalStep
from verimath.formula.graph import Formula, Node, Subscripts
from verimath.formula.literals import Constant
from verimath.pairs import has_pairs, whole
from verimath.shapes import ONE, Size, total_size

# How tightly a piece of TeX holds together: a + b, a \odot b, a b, a^2 or f(a), a.
_SUM, _ELEMENTWISE, _PRODUCT, _SCRIPTED, _ATOM = range(5)

# Without pi: that is the number.
_GREEK = frozenset(
    [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "rho",
        "sigma",
        "tau",
        "phi",
        "chi",
        "psi",
        "omega",
    ]
)


@dataclass(frozen=True, slots=True)
class _Tex:
    text: str
    binding: int = _ATOM

    def at_least(self, binding: int) -> str:
        return self.text if self.binding >= binding else rf"\left({self.text}\right)"


_PARTS = {".re": r"\Re", ".im": r"\Im"}
# The parts of one number, put together again.
_BOTH_PARTS = re.compile(r"\{\\Re\{((?:[^{}]|\{[^{}]*\})*)\}\} \+ i\\,\{\\Im\{\1\}\}")


def symbol(name: str) -> str:
    r"""A variable name as TeX: w1 as w_{1}, y_hat as y_{\mathrm{hat}}, words upright."""
    bare = name.rstrip("'")
    if whole(bare) != bare:  # an intermediate z of a name that was taken is z'
        return rf"{_PARTS[bare[-3:]]}{{{symbol(whole(bare) + name[len(bare) :])}}}"
    stem, _, axis = name.partition("[")
    if axis:
        return rf"{_upright(stem)}_{{{axis.rstrip(']')}}}"
    bare = name.rstrip("'")
    primes = name[len(bare) :]
    if bare.endswith("_") and iskeyword(bare[:-1]):
        bare = bare[:-1]
    head, *tails = bare.split("_")
    if not head or not all(tails):  # x_ and _x are not x
        return _upright(bare) + primes
    stem = head.rstrip("0123456789")
    digits = head[len(stem) :]
    letter = rf"\{stem}" if stem in _GREEK else _word(stem)
    subscript = ",".join(([digits] if digits else []) + [_word(tail) for tail in tails])
    return letter + primes + (f"_{{{subscript}}}" if subscript else "")


def _word(text: str) -> str:
    return text if text.isascii() and (text.isdigit() or len(text) == 1) else _upright(text)


def _upright(text: str) -> str:
    command = "mathrm" if text.isascii() else "text"  # only text has letters of all scripts
    return rf"\{command}{{{text.replace('_', chr(92) + '_')}}}"


def size_tex(size: Size) -> str:
    """A number of elements: 2*n*d + 1 as 2nd + 1."""
    parts: list[str] = []
    for monomial, coefficient in size.terms:
        names = r"\,".join(symbol(name) for name in monomial)
        number = "" if names and abs(coefficient) == 1 else str(abs(coefficient))
        sign = "-" if coefficient < 0 else ("+" if parts else "")
        parts.append(sign + number + names)
    return "".join(parts) or "0"


def formula_tex(formula: Formula, *, names: Mapping[Node, str] | None = None) -> str:
    """The formula's results in terms of its inputs (or of the named nodes in `names`)."""
    known = {node: name for name, node in formula.inputs.items()} if names is None else names
    rendered = iter([_render(output, known) for output in formula.outputs])
    pairs = formula.pairs or (False,) * len(formula.outputs)
    printed = [_pair_tex(rendered) if pair else next(rendered).text for pair in pairs]
    return (
        printed[0]
        if len(printed) == 1
        else rf"\left({',; '.join(printed)}\right)".replace(",;", r",\;")
    )


def _pair_tex(parts: Iterator[_Tex]) -> str:
    """A complex result by the next two parts."""
    real, imaginary = next(parts), next(parts)
    if real.text.startswith(r"\Re") and imaginary.text == r"\Im" + real.text[3:]:
        return real.text[3:].strip()
    return rf"{real.text} + i\,{imaginary.at_least(_PRODUCT)}"


def statement_tex(statement: Statement, primal: Formula, claimed: Formula | None) -> str:
    """The whole statement as one line of TeX."""
    match statement, claimed:
        case Derivative(), Formula():
            sides = f"{_derivative_tex(statement, formula_tex(primal))} = {formula_tex(claimed)}"
            return sides + _up_to_tex(statement)
        case Equal(), Formula():
            return f"{formula_tex(primal)} = {formula_tex(claimed)}"
        case AtMost(bound=bound), _:
            return rf"\left|{formula_tex(primal)}\right| \le {_decimal(bound)}"
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
    of, by = (_named(primal.names[node]).text for node in (step.of, step.by))
    if step.is_pullback:
        names[step.seed] = f"cotangent of {primal.names[step.of]}"
        equals = "=" if step.only else r"\mathrel{+}="
        return rf"\bar{{{by}}} {equals} {_render(step.derivative, names).text}"
    return rf"\frac{{\partial {of}}}{{\partial {by}}} = {_render(step.derivative, names).text}"


def _named(name: str) -> _Tex:
    kind, of, inner = name.partition(" of ")
    if not of:
        is_part = has_pairs([name.rstrip("'")])
        return _Tex(symbol(name), _SCRIPTED if is_part else _ATOM)
    if kind == "gradient":
        return _Tex(rf"\nabla {_named(inner).text}", _SCRIPTED)
    bar = "overline" if " " in inner else "bar"
    return _Tex(rf"\{bar}{{{_named(inner).text}}}")


def _render(node: Node, names: Mapping[Node, str]) -> _Tex:
    if node in names:
        return _named(names[node])
    match node.operation:
        case "input":
            return _named(node.parameter)
        case "add":
            return _sum_tex(node, names)
        case "multiply" | "divide" | "constant" | "size":
            return _product_tex(node, names)
        case "power":
            return _power_tex(node, names)
        case "function":
            return _function_tex(node, names)
        case "einsum":
            return _einsum_tex(node, names)
        case "broadcast":
            return _broadcast_tex(node, names)
        case "reshape":
            return _reshape_tex(node, names)
        case "delta":
            return _Tex(r"\mathbf{I}")
        case "table":
            return _table_tex(node)
        case _:
            return _other_tex(node, [_render(x, names) for x in node.inputs])


_RELATIONS = {"less": "<", "less_equal": r"\le", "equal": "="}
_LOGIC = {"and": r"\wedge", "or": r"\vee"}
_CALLS = {
    "convert": "",
    "max": r"\max",
    "product": r"\prod",
    "cumulative": r"\operatorname{cumsum}",
    "determinant": r"\det",
    "cholesky": r"\operatorname{chol}",
}


def _other_tex(node: Node, x: list[_Tex]) -> _Tex:
    """Choices, moved elements, matrices and composites."""
    match node.operation:
        case "index":
            return _Tex(rf"\left[0..{size_tex(node.shape[0])}\right)")
        case "compare":
            return _Tex(rf"{x[0].text} {_RELATIONS[node.parameter]} {x[1].text}", _SUM)
        case "logical" if node.parameter == "not":
            return _Tex(rf"\neg\left({x[0].text}\right)", _SCRIPTED)
        case "logical":
            sides = [side.at_least(_PRODUCT) for side in x]
            return _Tex(f" {_LOGIC[node.parameter]} ".join(sides), _SUM)
        case "where" if _triangle(node) is not None:
            return _Tex(rf"{_triangle(node)}\left({x[1].text}\right)", _SCRIPTED)
        case "where":
            rows = rf"{x[1].text} & {x[0].text} \\ {x[2].text} & \text{{else}}"
            return _Tex(rf"\begin{{cases}} {rows} \end{{cases}}")
        case "maximum":
            return _Tex(rf"\max\left({x[0].text},\, {x[1].text}\right)", _SCRIPTED)
        case "subgradient":
            return _subgradient_tex(node, x)
        case "gather" if _is_whole_axis(node):
            return x[0]
        case "gather":
            return _Tex(rf"{x[0].at_least(_ATOM)}\left[{x[1].text}\right]", _SCRIPTED)
        case "scatter":
            place = rf"\operatorname{{scatter}}_{{{x[1].text}}}"
            return _Tex(rf"{place}\left({x[0].text}\right)", _SCRIPTED)
        case "concatenate":
            parts = r",\; ".join(part.text for part in x)
            return _Tex(rf"\left[{parts}\right]_{{\text{{axis }}{node.parameter}}}")
        case "solve":
            inverse = rf"{x[0].at_least(_ATOM)}^{{-1}}"
            if _plain(node.inputs[1]).operation == "delta":
                return _Tex(inverse, _SCRIPTED)
            return _Tex(rf"{inverse} {x[1].at_least(_PRODUCT)}", _PRODUCT)
        case "composite":
            return _Tex(_composite_tex(node, x), _SCRIPTED)
        case name:
            call = _CALLS[name] + _axis_tex(node)
            return _Tex(rf"{call}\left({x[0].text}\right)", _SCRIPTED)


def _is_whole_axis(node: Node) -> bool:
    """Whether the one element of an axis is taken, which stays one: nothing is left out."""
    (before, after), axis = (node.inputs[0].shape, node.shape), node.parameter
    return len(before) == len(after) and before[axis] == after[axis] == ONE


def _triangle(node: Node) -> str | None:
    """The lower or upper triangle, if that is what a choice between a matrix and zero takes."""
    mask, _, other = node.inputs
    nothing = _plain(other)
    if mask.operation != "compare" or mask.parameter != "less_equal":
        return None
    if nothing.operation != "constant" or nothing.parameter != Constant(Fraction(0)):
        return None
    first, second = (_band_side(side) for side in mask.inputs)
    if first is None or second is None or first[0] == second[0]:
        return None
    # Columns up to the row's number are below the diagonal, those from it on above.
    name, (_, offset) = ("tril", second) if first[0] == "column" else ("triu", first)
    if (first if name == "tril" else second)[1]:
        return None
    below = f"_{{{offset}}}" if offset else ""
    return rf"\operatorname{{{name}}}{below}"


def _band_side(node: Node) -> tuple[str, Fraction] | None:
    """Whether a comparison's side counts rows or columns, and from which number on."""
    inner = node.inputs[0] if node.operation == "broadcast" else node
    if len(node.shape) != 2 or not inner.shape:
        return None
    which = "row" if len(inner.shape) == 2 and inner.shape[1] == ONE else "column"
    counted, offset = _plain(inner), Fraction(0)
    if counted.operation == "add":
        counted, more = (_plain(x) for x in counted.inputs)
        if more.operation != "constant" or not more.parameter.is_rational:
            return None
        offset = more.parameter.factor
    return (which, offset) if counted.operation == "index" else None


def _axis_tex(node: Node) -> str:
    """Which axis a reduction is over, where there are several."""
    axis = node.parameter[0] if isinstance(node.parameter, tuple) else node.parameter
    several = len(node.inputs[0].shape) > 1 and isinstance(axis, int)
    return rf"_{{\text{{axis }}{axis}}}" if several else ""


def _subgradient_tex(node: Node, x: list[_Tex]) -> _Tex:
    match node.parameter:
        case "step":
            return _Tex(rf"\left[{x[0].text} > {x[1].text}\right]", _SCRIPTED)
        case "sign":
            return _Tex(rf"\operatorname{{sgn}}\left({x[0].text}\right)", _SCRIPTED)
        case _:
            inner = x[0].text
            return _Tex(rf"\left[{inner} = \max\left({inner}\right)\right]", _SCRIPTED)


def _composite_tex(node: Node, x: list[_Tex]) -> str:
    template = node.parameter.tex or rf"\operatorname{{{node.parameter.name}}}\left(#\right)"
    if "#1" in template:  # each operand has a place of its own
        for number, piece in enumerate(x, start=1):
            factor = rf"i\,{{{piece.at_least(_PRODUCT)}}}"
            template = template.replace(rf"i\,#{number}", factor)
            template = template.replace(f"#{number}", f"{{{piece.text}}}")
        return _BOTH_PARTS.sub(r"\1", template)
    return template.replace("#", r",\, ".join(piece.text for piece in x))


def _sum_tex(node: Node, names: Mapping[Node, str]) -> _Tex:
    left, right = (_render(x, names) for x in node.inputs)
    if right.text.startswith("-"):
        return _Tex(f"{left.text} - {right.text[1:].lstrip()}", _SUM)
    return _Tex(f"{left.text} + {right.text}", _SUM)


_SCALARWISE = frozenset({"add", "multiply", "divide", "power", "function", "broadcast", "reshape"})


def _is_number(node: Node, names: Mapping[Node, str]) -> bool:
    """Whether a node is one number, perhaps repeated over a shape: it is printed as the number."""
    if all(size == ONE for size in node.shape):
        return True
    if node in names or not node.inputs:
        return False
    inside = node.operation in _SCALARWISE or node.operation == "einsum"
    return inside and all(_is_number(x, names) for x in node.inputs)


def _orientation(node: Node) -> str | None:
    """Which way a vector lies; None for what is no vector. A single axis is a column."""
    match node.shape:
        case (_,):
            return "column"
        case (first, second) if ONE in (first, second):
            return "column" if second == ONE else "row"
        case _:
            return None


def _is_transparent(node: Node, names: Mapping[Node, str]) -> bool:
    """Whether a change of shape goes without saying: a number, or a vector as a column."""
    x = node.inputs[0]
    if _is_number(x, names):
        return True
    kept = node.operation == "reshape" and _orientation(x) is not None
    return kept and _orientation(x) == _orientation(node)


def _broadcast_tex(node: Node, names: Mapping[Node, str]) -> _Tex:
    """Rows or columns repeated are a product with a vector of ones."""
    if not _is_transparent(node, names) and _moved_factors(node, names).above != [node]:
        return _product_tex(node, names)
    x = node.inputs[0]
    inner = _render(x, names)
    if _is_transparent(node, names):
        return inner
    if len(node.shape) == 2 and len(x.shape) == 1:
        return _Tex(rf"\mathbf{{1}}\,{_transposed(inner)}", _PRODUCT)
    if len(node.shape) == 2 and x.shape[0] == ONE:
        return _Tex(rf"\mathbf{{1}}\,{inner.at_least(_SCRIPTED)}", _PRODUCT)
    if len(node.shape) == 2 and x.shape[1] == ONE:
        return _Tex(rf"{inner.at_least(_PRODUCT)}\,\mathbf{{1}}^\top", _PRODUCT)
    return _call_tex("broadcast", inner, node)


def _reshape_tex(node: Node, names: Mapping[Node, str]) -> _Tex:
    if not _is_transparent(node, names) and _moved_factors(node, names).above != [node]:
        return _product_tex(node, names)
    inner = _render(node.inputs[0], names)
    if _is_transparent(node, names):
        return inner
    if _orientation(node) is not None and _orientation(node.inputs[0]) is not None:
        return _Tex(_transposed(inner), _SCRIPTED)
    return _call_tex("reshape", inner, node)


def _call_tex(name: str, inner: _Tex, node: Node) -> _Tex:
    shape = r" \times ".join(size_tex(size) for size in node.shape)
    return _Tex(rf"\operatorname{{{name}}}_{{{shape}}}\left({inner.text}\right)", _SCRIPTED)


@dataclass(slots=True)
class _Factors:
    """A product taken apart: a number, factors above and below the line."""

    number: Fraction
    above: list[Node]
    below: list[Node]


def _factors(node: Node, names: Mapping[Node, str]) -> _Factors:
    if node in names:
        return _Factors(Fraction(1), [node], [])
    match node.operation:
        case "multiply" | "divide":
            a, b = (_factors(x, names) for x in node.inputs)
            if node.operation == "multiply":
                return _Factors(a.number * b.number, a.above + b.above, a.below + b.below)
            if b.number:
                return _Factors(a.number / b.number, a.above + b.below, a.below + b.above)
            return _Factors(a.number, a.above, [*a.below, node.inputs[1]])
        case "function" if node.parameter == "negative":
            a = _factors(node.inputs[0], names)
            return _Factors(-a.number, a.above, a.below)
        case "broadcast" | "reshape" if _is_transparent(node, names):
            return _factors(node.inputs[0], names)
        case "broadcast" | "reshape":
            return _moved_factors(node, names)
        case "constant":
            value: Constant = node.parameter
            unit = op.constant(Constant(Fraction(1), value.unit, value.radicand))
            return _Factors(value.factor, [] if value.is_rational else [unit], [])
        case "size":
            return _size_factors(node.parameter, names)
        case "einsum":
            return _sum_factors(node, names)
        case _:
            return _Factors(Fraction(1), [node], [])


def _moved_factors(node: Node, names: Mapping[Node, str]) -> _Factors:
    """Numbers stay in front when the array behind them is repeated or reshaped."""
    x = node.inputs[0]
    parts = _factors(x, names)
    arrays = [f for f in parts.above if not _is_number(f, names)]
    if arrays == [x] or len(arrays) != 1 or not all(_is_number(f, names) for f in parts.below):
        return _Factors(Fraction(1), [node], [])
    scalars = [f for f in parts.above if f is not arrays[0]]
    if parts.number == 1 and not scalars and not parts.below:
        return _Factors(Fraction(1), [node], [])
    change = op.broadcast if node.operation == "broadcast" else op.reshape
    moved = change(op.reshape(arrays[0], x.shape), node.shape)
    return _Factors(parts.number, [*scalars, moved], parts.below)


def _size_factors(size: Size, names: Mapping[Node, str]) -> _Factors:
    """The coefficient of 2*n goes with the other numbers of a product."""
    if len(size.terms) > 1 or _sized_input(size, names) is not None:
        return _Factors(Fraction(1), [op.size(size)], [])
    monomial, coefficient = size.terms[0] if size.terms else ((), 0)
    return _Factors(Fraction(coefficient), [op.size(Size.of(name)) for name in monomial], [])


def _sum_factors(node: Node, names: Mapping[Node, str]) -> _Factors:
    """A sum over repetitions of one thing is a multiple of it."""
    subscripts: Subscripts = node.parameter
    if all(_is_number(x, names) for x in node.inputs):
        sizes: dict[int, Size] = {}
        for indices, x in zip(subscripts.operands, node.inputs, strict=True):
            sizes.update(zip(indices, x.shape, strict=True))
        count = total_size(n for index, n in sizes.items() if index not in subscripts.output)
        parts = [_size_factors(count, names), *(_factors(x, names) for x in node.inputs)]
    else:
        wide = node.inputs[0]
        repeats = wide.operation == "broadcast" and wide not in names and len(node.inputs) == 1
        found = _without_repeats(node, wide.inputs[0]) if repeats else None
        if found is None:
            return _Factors(Fraction(1), [node], [])
        count, once = found
        parts = [_size_factors(count, names), _factors(once, names)]
    number = Fraction(1)
    for part in parts:
        number *= part.number
    return _Factors(
        number, [f for part in parts for f in part.above], [f for part in parts for f in part.below]
    )


def _without_repeats(node: Node, x: Node) -> tuple[Size, Node] | None:
    """A sum over the broadcast `x` as a number of repetitions, times a sum over `x` itself."""
    indices, output = node.parameter.operands[0], node.parameter.output
    sizes = dict(zip(indices, node.inputs[0].shape, strict=True))
    if len(sizes) < len(indices):
        return None  # a trace or diagonal
    lead = len(indices) - len(x.shape)
    own = dict(zip(indices[lead:], x.shape, strict=True))
    repeated = {index for index, size in sizes.items() if own.get(index, ONE) != size}
    summed = [index for index in repeated if index not in output]
    if not summed:
        return None
    kept = tuple(index for index in output if index in own)
    once = op.einsum(Subscripts((indices[lead:],), kept), x)
    once = op.reshape(once, [own.get(index, ONE) for index in output])
    return total_size(sizes[index] for index in summed), op.broadcast(once, node.shape)


def _product_tex(node: Node, names: Mapping[Node, str]) -> _Tex:
    mean = _mean_tex(node, names)
    if mean is not None:
        return mean
    parts = _factors(node, names)
    return _fraction_tex(
        parts.number,
        _with_diagonals(parts.above, names),
        [_factor(x, names) for x in parts.below],
    )


def _sized_input(size: Size, names: Mapping[Node, str]) -> Node | None:
    """The input that has this many elements, where no better name for the number exists."""
    if not any("[" in name or name in names.values() for name in size.names):
        return None
    inputs = (node for node in names if node.operation == "input")
    return next((node for node in inputs if total_size(node.shape) == size), None)


def _size_tex(size: Size, names: Mapping[Node, str]) -> _Tex:
    """A number of elements; that of an array of any rank is called the size of the array."""
    node = _sized_input(size, names)
    if node is not None:
        return _Tex(rf"\operatorname{{size}}\left({symbol(names[node])}\right)", _SCRIPTED)
    if len(size.terms) > 1:
        return _Tex(size_tex(size), _SUM)
    return _Tex(size_tex(size))


@dataclass(frozen=True, slots=True)
class _Factor:
    tex: _Tex
    scalar: bool


def _with_diagonals(factors: list[Node], names: Mapping[Node, str]) -> list[_Factor]:
    """Factors of a product; the identity times a repeated vector is a diagonal matrix."""
    deltas = [x for x in factors if x.operation == "delta" and x not in names]
    spread = [x for x in factors if _spread_vector(x, names) is not None]
    if not deltas or not spread:
        return [_factor(x, names) for x in factors]
    vector = _spread_vector(spread[0], names)
    assert vector is not None  # that is how it was chosen
    inner = _render(vector, names).text
    diagonal = _Factor(_Tex(rf"\operatorname{{diag}}\left({inner}\right)", _SCRIPTED), False)
    rest = [x for x in factors if x is not deltas[0] and x is not spread[0]]
    return [*(_factor(x, names) for x in rest), diagonal]


def _spread_vector(node: Node, names: Mapping[Node, str]) -> Node | None:
    """The vector behind a square matrix of equal rows or columns, if it is one."""
    if node.operation != "broadcast" or node in names or _is_number(node, names):
        return None
    square = len(node.shape) == 2 and node.shape[0] == node.shape[1]
    x = node.inputs[0]
    if not square or _orientation(x) is None:
        return None
    plain = x.operation == "reshape" and x not in names and len(x.inputs[0].shape) == 1
    return x.inputs[0] if plain else x


def _factor(node: Node, names: Mapping[Node, str]) -> _Factor:
    if node.operation == "size" and node not in names:
        return _Factor(_size_tex(node.parameter, names), True)
    if node.operation == "constant" and node not in names:
        return _Factor(_constant_tex(node.parameter), True)
    return _Factor(_render(node, names), _is_number(node, names))


def _fraction_tex(number: Fraction, above: list[_Factor], below: list[_Factor]) -> _Tex:
    sign = "-" if number < 0 else ""
    number = abs(number)
    scalars = [f for f in above if f.scalar]
    arrays = [f for f in above if not f.scalar]
    if not below and number.denominator == 1:
        text = _times(number.numerator, scalars, arrays, beside=bool(sign))
        return _Tex(sign + text, _SUM if sign else _binding(number, scalars, arrays))
    aside = all(f.scalar for f in below)
    top = _times(number.numerator, scalars, [] if aside else arrays)
    bottom = _times(
        number.denominator, [f for f in below if f.scalar], [f for f in below if not f.scalar]
    )
    rest = _times(1, [], arrays, beside=True) if aside and arrays else ""
    binding = _ELEMENTWISE if aside and len(arrays) > 1 else _PRODUCT
    return _Tex(rf"{sign}\frac{{{top}}}{{{bottom}}}{rest}", _SUM if sign else binding)


def _binding(number: Fraction, scalars: list[_Factor], arrays: list[_Factor]) -> int:
    above = scalars + arrays
    if not above:
        return _ATOM
    if number == 1 and len(above) == 1:
        return above[0].tex.binding
    return _PRODUCT if len(arrays) < 2 else _ELEMENTWISE


def _times(
    number: int, scalars: list[_Factor], arrays: list[_Factor], *, beside: bool = False
) -> str:
    """A product in TeX; `beside` says that something stands in front of it."""
    alone = len(scalars) + len(arrays) == 1 and number == 1 and not beside
    needed = _SUM if alone else _PRODUCT
    counts = Counter(f.tex for f in scalars)
    scalar_text = r"\,".join(
        tex.at_least(_SUM if alone else _SCRIPTED)
        if count == 1
        else f"{tex.at_least(_ATOM)}^{{{count}}}"
        for tex, count in counts.items()
    )
    # A matrix product inside an elementwise product needs its own parentheses.
    array_needed = needed if len(arrays) == 1 else _SCRIPTED
    array_text = r" \odot ".join(f.tex.at_least(array_needed) for f in arrays)
    pieces = [piece for piece in (scalar_text, array_text) if piece]
    if number != 1 or not pieces:
        pieces.insert(0, str(number))
    return r"\,".join(pieces)


def _mean_tex(node: Node, names: Mapping[Node, str]) -> _Tex | None:
    """An average: a sum divided by the number of elements summed over."""
    if node.operation != "divide" or any(x in names for x in node.inputs):
        return None
    top, bottom = (_plain(x) for x in node.inputs)
    if top.operation != "einsum" or len(top.inputs) != 1 or top in names:
        return None
    whole = total_size(top.inputs[0].shape)
    divided = bottom.parameter if bottom.operation == "size" else None
    if bottom.operation == "constant" and whole.constant is not None:
        divided = whole if bottom.parameter == Constant(Fraction(whole.constant)) else None
    if (
        top.shape
        or divided != whole
        or len(set(top.parameter.operands[0])) < len(top.inputs[0].shape)
    ):
        return None
    inner = _render(top.inputs[0], names).text
    return _Tex(rf"\operatorname{{mean}}\left({inner}\right)", _SCRIPTED)


def _plain(node: Node) -> Node:
    return _plain(node.inputs[0]) if node.operation in ("broadcast", "reshape") else node


def _power_tex(node: Node, names: Mapping[Node, str]) -> _Tex:
    base, exponent = _render(node.inputs[0], names), node.parameter
    if exponent == Fraction(1, 2):
        return _Tex(rf"\sqrt{{{base.text}}}")
    if exponent == 1:
        return base
    is_matrix = sum(size != ONE for size in node.shape) > 1 and not _is_number(node, names)
    dot = r"\odot " if is_matrix else ""
    return _Tex(rf"{base.at_least(_ATOM)}^{{{dot}{exponent}}}", _SCRIPTED)


_NAMED = {
    "sign": r"\operatorname{sgn}",
    "asin": r"\arcsin",
    "acos": r"\arccos",
    "atan": r"\arctan",
    "asinh": r"\operatorname{arsinh}",
    "acosh": r"\operatorname{arcosh}",
    "atanh": r"\operatorname{artanh}",
    "erf": r"\operatorname{erf}",
}


def _function_tex(node: Node, names: Mapping[Node, str]) -> _Tex:
    x = _render(node.inputs[0], names)
    match node.parameter:
        case "negative":
            return _product_tex(node, names)
        case "exp":
            return _Tex(rf"\mathrm{{e}}^{{{x.text}}}", _SCRIPTED)
        case "sqrt":
            return _Tex(rf"\sqrt{{{x.text}}}")
        case "expm1":
            return _Tex(rf"\mathrm{{e}}^{{{x.text}}} - 1", _SUM)
        case "log1p":
            return _Tex(rf"\log\left(1 + {x.text}\right)", _SCRIPTED)
        case "abs":
            return _Tex(rf"\left|{x.text}\right|")
        case name:
            return _Tex(rf"{_NAMED.get(name, chr(92) + name)}\left({x.text}\right)", _SCRIPTED)


def _constant_tex(constant: Constant) -> _Tex:
    root = "" if constant.is_rational else rf"\sqrt{{{_number(constant.radicand)}}}"
    unit = {"pi": r"\pi", "e": r"\mathrm{e}"}.get(constant.unit, root)
    sign = "-" if constant.factor < 0 else ""
    factor = abs(constant.factor)
    text = unit if unit and factor == 1 else _number(factor) + unit
    return _Tex(sign + text, _SUM if sign else _ATOM if factor == 1 or not unit else _PRODUCT)


def _number(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


def _decimal(value: float) -> str:
    mantissa, _, exponent = repr(float(value)).removesuffix(".0").partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa


# --- einsums --------------------------------------------------------------------------------

# Product of two operands of rank 1 or 2 with one summed index: (left, right, output) in letters of
# first appearance; T marks a transpose, 0 a factor that needs no parentheses.
_PRODUCTS = {
    ("ij", "jk", "ik"): "{a} {b}",
    ("ij", "jk", "ki"): r"\left({a} {b}\right)^\top",
    ("ij", "ik", "jk"): "{aT} {b}",
    ("ij", "ik", "kj"): "{bT} {a}",
    ("ij", "kj", "ik"): "{a} {bT}",
    ("ij", "kj", "ki"): "{b} {aT}",
    ("ij", "ki", "jk"): "{aT} {bT}",
    ("ij", "ki", "kj"): "{b} {a}",
    ("ij", "j", "i"): "{a} {b}",
    ("ij", "i", "j"): "{aT} {b}",
    ("i", "ij", "j"): "{bT} {a}",
    ("i", "ji", "j"): "{b} {a}",
    ("i", "i", ""): "{aT} {b}",
    ("i", "j", "ij"): "{a} {bT}",
    ("i", "j", "ji"): "{b} {aT}",
    ("ij", "ji", ""): r"\operatorname{{tr}}\left({a} {b}\right)",
    ("ij", "ij", ""): r"\left\langle {a0}, {b0} \right\rangle",
}


def _einsum_tex(node: Node, names: Mapping[Node, str]) -> _Tex:
    if _sum_factors(node, names).above != [node]:
        return _product_tex(node, names)
    operands, output = _canonical(node)
    if len(operands) == 1:
        return _unary_einsum(node, operands[0], output, names)
    pattern = _PRODUCTS.get((operands[0], operands[1], output))
    number = Fraction(1)
    scalars: list[_Factor] = []
    below: list[_Factor] = []
    texts: list[_Tex] = []
    for x in node.inputs:
        piece, factors = _operand(x, names)
        number *= factors.number
        scalars += [_factor(f, names) for f in factors.above]
        below += [_factor(f, names) for f in factors.below]
        texts.append(piece)
    if pattern is None:
        product = _index_notation(operands, output, texts)
    else:
        a, b = texts
        product = _Tex(
            pattern.format(
                a=a.at_least(_PRODUCT),
                b=b.at_least(_SCRIPTED),
                aT=_transposed(a),
                bT=_transposed(b),
                a0=a.text,
                b0=b.text,
            ),
            _ATOM if "langle" in pattern else _PRODUCT,
        )
    if number == 1 and not scalars and not below:
        return product
    return _fraction_tex(number, [*scalars, _Factor(product, False)], below)


def _operand(x: Node, names: Mapping[Node, str]) -> tuple[_Tex, _Factors]:
    """An operand of a product, with scalar factors pulled out in front."""
    factors = _factors(x, names)
    arrays = [f for f in factors.above if not _is_number(f, names)]
    scalars = [f for f in factors.above if _is_number(f, names)]
    whole = x in names or all(size == ONE for size in x.shape)
    if whole or len(arrays) > 1 or not all(_is_number(f, names) for f in factors.below):
        return _render(x, names), _Factors(Fraction(1), [], [])
    # A number repeated over a shape is a vector (or matrix) of ones times that number.
    piece = _render(arrays[0], names) if arrays else _Tex(r"\mathbf{1}")
    return piece, _Factors(factors.number, scalars, factors.below)


def _transposed(x: _Tex) -> str:
    single = _TRANSPOSED_SYMBOL.fullmatch(x.text)
    return single[1] if single else rf"{x.at_least(_ATOM)}^\top"


_TRANSPOSED_SYMBOL = re.compile(r"(\w(?:_\{\w+\})?)\^\\top")


def _canonical(node: Node) -> tuple[list[str], str]:
    letters: dict[int, str] = {}
    for indices in node.parameter.operands:
        for index in indices:
            letters.setdefault(index, "ijklmnopqrstuvwxyz"[len(letters)])
    operands = ["".join(letters[i] for i in indices) for indices in node.parameter.operands]
    return operands, "".join(letters[i] for i in node.parameter.output)


def _unary_einsum(node: Node, operand: str, output: str, names: Mapping[Node, str]) -> _Tex:
    x = _render(node.inputs[0], names)
    if operand == output:
        return x
    if sorted(operand) == sorted(output):
        return (
            _Tex(_transposed(x), _SCRIPTED) if len(operand) == 2 else _axes_tex(x, operand, output)
        )
    if operand == "ii":
        return _Tex(
            rf"\operatorname{{{'diag' if output else 'tr'}}}\left({x.text}\right)", _SCRIPTED
        )
    if not output and len(set(operand)) == len(operand):
        return _Tex(rf"\operatorname{{sum}}\left({x.text}\right)", _SCRIPTED)
    if operand == "ij" and output == "i":
        return _Tex(rf"{x.at_least(_PRODUCT)}\,\mathbf{{1}}", _PRODUCT)
    if operand == "ij" and output == "j":
        return _Tex(rf"{_transposed(x)}\,\mathbf{{1}}", _PRODUCT)
    return _index_notation([operand], output, [x])


def _axes_tex(x: _Tex, operand: str, output: str) -> _Tex:
    order = ",".join(str(operand.index(letter)) for letter in output)
    return _Tex(rf"\operatorname{{axes}}_{{{order}}}\left({x.text}\right)", _SCRIPTED)


def _index_notation(operands: list[str], output: str, texts: list[_Tex]) -> _Tex:
    summed = sorted(set("".join(operands)) - set(output))
    sigma = rf"\textstyle\sum_{{{','.join(summed)}}} " if summed else ""
    factors = [
        rf"{_indexable(text)}_{{{indices}}}" if indices else text.at_least(_PRODUCT)
        for text, indices in zip(texts, operands, strict=True)
    ]
    free = (
        rf"\left[{sigma}{' '.join(factors)}\right]_{{{output}}}"
        if output
        else sigma + " ".join(factors)
    )
    return _Tex(free, _SCRIPTED if output else _SUM)


def _indexable(x: _Tex) -> str:
    """TeX knows no two subscripts in a row."""
    return rf"\left({x.text}\right)" if "_" in x.text else x.at_least(_ATOM)


def _table_tex(node: Node) -> _Tex:
    cells = node.parameter
    if not node.shape:
        return _constant_tex(cells)
    rows = cells if len(node.shape) == 2 else [(cell,) for cell in cells]
    if len(node.shape) > 2:
        return _Tex(r"\text{table}")
    lines = [" & ".join(_decimal_constant(cell) for cell in row) for row in rows]
    return _Tex(r"\begin{pmatrix}" + r" \\ ".join(lines) + r"\end{pmatrix}")


def _decimal_constant(constant: Constant) -> str:
    text = _constant_tex(constant).text
    decimal = f"{float(constant):.12g}"
    exact = constant.unit == "1" and Fraction(decimal) == constant.factor and "e" not in decimal
    return decimal if exact else text
