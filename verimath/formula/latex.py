"""Formulas and steps in TeX, as a person would write them.

Scalars multiply by juxtaposition, arrays elementwise with a circled dot, einsums as matrix products
with transposes, sums as `sum`, averages as `mean`; named variables are printed by name, so a step
reads in the formula's own words.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from verimath.claim import AtMost, Equal, Gradient, Statement
from verimath.formula.derive import LocalStep
from verimath.formula.graph import Formula, Node
from verimath.formula.literals import Constant
from verimath.shapes import ONE, Size, total_size

# How tightly a piece of TeX holds together.
_SUM, _PRODUCT, _ATOM = range(3)

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
        "pi",
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


def symbol(name: str) -> str:
    r"""A variable name as TeX: w1 as w_{1}, y_hat as y_{\mathrm{hat}}, words upright."""
    stem, _, axis = name.partition("[")
    if axis:
        return rf"\mathrm{{{stem}}}_{{{axis.rstrip(']')}}}"
    head, _, tail = name.partition("_")
    digits = head.lstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    stem = head[: len(head) - len(digits)] if digits.isdigit() else head
    subscripts = ([digits] if digits.isdigit() else []) + ([_word(tail)] if tail else [])
    subscript = f"_{{{','.join(subscripts)}}}" if subscripts else ""
    if stem in _GREEK:
        return rf"\{stem}{subscript}"
    return (stem if len(stem) == 1 else _word(stem)) + subscript


def _word(text: str) -> str:
    if text.isdigit() or len(text) == 1:
        return text
    # Underscores and other odd characters mean something in TeX.
    return rf"\mathrm{{{''.join(c if c.isalnum() else ' ' for c in text)}}}"


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
    printed = [_render(output, known).text for output in formula.outputs]
    return (
        printed[0]
        if len(printed) == 1
        else rf"\left({',; '.join(printed)}\right)".replace(",;", r",\;")
    )


def statement_tex(statement: Statement, primal: Formula, claimed: Formula | None) -> str:
    """The whole statement as one line of TeX."""
    match statement, claimed:
        case Gradient(), Formula():
            names = ",".join(symbol(name) for name in statement.wrt_names)
            inner = formula_tex(primal)
            return rf"\nabla_{{{names}}}\left[{inner}\right] = {formula_tex(claimed)}"
        case Equal(), Formula():
            return f"{formula_tex(primal)} = {formula_tex(claimed)}"
        case AtMost(bound=bound), _:
            return rf"\left|{formula_tex(primal)}\right| \le {_decimal(bound)}"
        case _:
            return formula_tex(primal)


def step_tex(primal: Formula, step: LocalStep) -> str:
    """One step: a derivative, or how the cotangent of a matrix expression is pulled back."""
    names: dict[Node, str] = {n: name for n, name in primal.names.items() if n is not step.of}
    of, by = symbol(primal.names[step.of]), symbol(primal.names[step.by])
    if step.is_pullback:
        names[step.seed] = f"cotangent of {primal.names[step.of]}"
        equals = "=" if step.only else r"\mathrel{+}="
        return rf"\bar{{{by}}} {equals} {_render(step.derivative, names).text}"
    return rf"\frac{{\partial {of}}}{{\partial {by}}} = {_render(step.derivative, names).text}"


def _named(name: str) -> _Tex:
    prefix = "cotangent of "
    if name.startswith(prefix):
        return _Tex(rf"\bar{{{symbol(name.removeprefix(prefix))}}}")
    return _Tex(symbol(name))


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
            return _Tex("I")
        case _:
            return _table_tex(node)


def _sum_tex(node: Node, names: Mapping[Node, str]) -> _Tex:
    left, right = (_render(x, names) for x in node.inputs)
    if right.text.startswith("-"):
        return _Tex(f"{left.text} - {right.text[1:].lstrip()}", _SUM)
    return _Tex(f"{left.text} + {right.text}", _SUM)


def _is_transparent(node: Node) -> bool:
    """Whether a change of shape goes without saying: a number, or a vector as a column."""
    x = node.inputs[0]
    if all(size == ONE for size in x.shape):
        return True
    bare = [tuple(size for size in shape if size != ONE) for shape in (x.shape, node.shape)]
    row = len(node.shape) == 2 and node.shape[0] == ONE != node.shape[1]
    return node.operation == "reshape" and bare[0] == bare[1] and len(bare[0]) < 2 and not row


def _broadcast_tex(node: Node, names: Mapping[Node, str]) -> _Tex:
    """Rows or columns repeated are a product with a vector of ones."""
    x = node.inputs[0]
    inner = _render(x, names)
    if _is_transparent(node):
        return inner
    if len(node.shape) == 2 and len(x.shape) == 1:
        return _Tex(rf"\mathbf{{1}}\,{_transposed(inner)}", _PRODUCT)
    if len(node.shape) == 2 and x.shape[0] == ONE:
        return _Tex(rf"\mathbf{{1}}\,{inner.at_least(_PRODUCT)}", _PRODUCT)
    if len(node.shape) == 2 and x.shape[1] == ONE:
        return _Tex(rf"{inner.at_least(_PRODUCT)}\,\mathbf{{1}}^\top", _PRODUCT)
    return _Tex(rf"\operatorname{{broadcast}}\left({inner.text}\right)")


def _reshape_tex(node: Node, names: Mapping[Node, str]) -> _Tex:
    x = node.inputs[0]
    inner = _render(x, names)
    if _is_transparent(node):
        return inner
    if len(x.shape) == 1 and node.shape == (ONE, x.shape[0]):
        return _Tex(_transposed(inner))
    return _Tex(rf"\operatorname{{reshape}}\left({inner.text}\right)")


@dataclass(slots=True)
class _Factors:
    """A product taken apart: a number, factors above and below the line."""

    number: Fraction
    above: list[Node]
    below: list[Node]


def _factors(node: Node, names: Mapping[Node, str]) -> _Factors:
    plain = node not in names
    if plain and node.operation == "multiply":
        a, b = (_factors(x, names) for x in node.inputs)
        return _Factors(a.number * b.number, a.above + b.above, a.below + b.below)
    if plain and node.operation == "divide":
        a, b = (_factors(x, names) for x in node.inputs)
        if b.number:
            return _Factors(a.number / b.number, a.above + b.below, a.below + b.above)
    if plain and node.operation == "function" and node.parameter == "negative":
        a = _factors(node.inputs[0], names)
        return _Factors(-a.number, a.above, a.below)
    if plain and node.operation in ("broadcast", "reshape") and _is_transparent(node):
        return _factors(node.inputs[0], names)
    if plain and node.operation == "constant" and node.parameter.unit == "1":
        return _Factors(node.parameter.factor, [], [])
    if plain and node.operation == "size" and node.parameter.constant is not None:
        return _Factors(Fraction(node.parameter.constant), [], [])
    return _Factors(Fraction(1), [node], [])


def _product_tex(node: Node, names: Mapping[Node, str]) -> _Tex:
    mean = _mean_tex(node, names)
    if mean is not None:
        return mean
    parts = _factors(node, names)
    return _fraction_tex(
        parts.number,
        [_factor(x, names) for x in parts.above],
        [_factor(x, names) for x in parts.below],
    )


def _size_tex(size: Size, names: Mapping[Node, str]) -> _Tex:
    """A number of elements; that of an array of any rank is called the size of the array."""
    if any("[" in name for name in size.names):
        for node in names:
            if node.operation == "input" and total_size(node.shape) == size:
                return _Tex(rf"\operatorname{{size}}\left({symbol(names[node])}\right)")
    text = size_tex(size)
    return _Tex(text, _SUM if len(size.terms) > 1 else _PRODUCT)


@dataclass(frozen=True, slots=True)
class _Factor:
    tex: _Tex
    scalar: bool


def _factor(node: Node, names: Mapping[Node, str]) -> _Factor:
    if node.operation == "size" and node not in names:
        return _Factor(_size_tex(node.parameter, names), True)
    if node.operation == "constant" and node not in names:
        return _Factor(_constant_tex(node.parameter), True)
    return _Factor(_render(node, names), not node.shape)


def _fraction_tex(number: Fraction, above: list[_Factor], below: list[_Factor]) -> _Tex:
    sign = "-" if number < 0 else ""
    number = abs(number)
    scalars = [f for f in above if f.scalar]
    arrays = [f for f in above if not f.scalar]
    if not below and number.denominator == 1:
        return _Tex(sign + _times(number.numerator, scalars, arrays), _binding(number, above, sign))
    if all(f.scalar for f in below):
        top = _times(number.numerator, scalars, [])
        bottom = _times(number.denominator, below, [])
        rest = _times(1, [], arrays, beside=True) if arrays else ""
        return _Tex(rf"{sign}\frac{{{top}}}{{{bottom}}}{rest}", _PRODUCT)
    top = _times(number.numerator, scalars, arrays)
    bottom = _times(
        number.denominator, [f for f in below if f.scalar], [f for f in below if not f.scalar]
    )
    return _Tex(rf"{sign}\frac{{{top}}}{{{bottom}}}", _PRODUCT)


def _binding(number: Fraction, above: list[_Factor], sign: str) -> int:
    if sign:
        return _SUM
    if not above:
        return _ATOM
    return above[0].tex.binding if number == 1 and len(above) == 1 else _PRODUCT


def _times(
    number: int, scalars: list[_Factor], arrays: list[_Factor], *, beside: bool = False
) -> str:
    """A product in TeX; `beside` says that another factor stands in front of it."""
    alone = len(scalars) + len(arrays) == 1 and number == 1 and not beside
    needed = _SUM if alone else _PRODUCT
    counts = Counter(f.tex.at_least(needed) for f in scalars)
    scalar_text = r"\,".join(
        text
        if count == 1
        else f"{text}^{{{count}}}"
        if "^" not in text
        else rf"({text})^{{{count}}}"
        for text, count in counts.items()
    )
    # A matrix product inside an elementwise product needs its own parentheses.
    array_needed = needed if len(arrays) == 1 else _ATOM
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
    if bottom.operation == "constant" and bottom.parameter.factor.denominator == 1:
        divided = Size.of(int(bottom.parameter.factor))
    if (
        top.shape
        or divided != whole
        or len(set(top.parameter.operands[0])) < len(top.inputs[0].shape)
    ):
        return None
    return _Tex(rf"\operatorname{{mean}}\left({_render(top.inputs[0], names).text}\right)")


def _plain(node: Node) -> Node:
    return _plain(node.inputs[0]) if node.operation in ("broadcast", "reshape") else node


def _power_tex(node: Node, names: Mapping[Node, str]) -> _Tex:
    base, exponent = _render(node.inputs[0], names), node.parameter
    if exponent == Fraction(1, 2):
        return _Tex(rf"\sqrt{{{base.text}}}")
    if exponent == 1:
        return base
    inner = base.at_least(_ATOM)
    if "^" in inner and not inner.startswith(r"\left("):
        inner = rf"\left({inner}\right)"
    return _Tex(rf"{inner}^{{{exponent}}}")


def _function_tex(node: Node, names: Mapping[Node, str]) -> _Tex:
    x = _render(node.inputs[0], names)
    match node.parameter:
        case "negative":
            if _factors(node, names).above != [node.inputs[0]]:
                return _product_tex(node, names)
            return _Tex(f"-{x.at_least(_PRODUCT)}", _SUM)
        case "exp":
            return _Tex(rf"e^{{{x.text}}}")
        case "sqrt":
            return _Tex(rf"\sqrt{{{x.text}}}")
        case name:
            return _Tex(rf"\{name}\left({x.text}\right)")


def _constant_tex(constant: Constant) -> _Tex:
    unit = {"1": "", "pi": r"\pi", "e": "e"}.get(constant.unit)
    if unit is None:
        unit = rf"\sqrt{{{_number(abs(constant.radicand))}}}"
    sign = "-" if constant.factor < 0 else ""
    factor = abs(constant.factor)
    text = unit if unit and factor == 1 else _number(factor) + unit
    return _Tex(sign + text, _SUM if sign else _ATOM)


def _number(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


def _decimal(value: float) -> str:
    mantissa, _, exponent = f"{value:g}".partition("e")
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
    ("ij", "ij", ""): r"\left\langle {a0}, {b0} \right\rangle",
}


def _einsum_tex(node: Node, names: Mapping[Node, str]) -> _Tex:
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
                b=b.at_least(_ATOM),
                aT=_transposed(a),
                bT=_transposed(b),
                a0=a.text,
                b0=b.text,
            ),
            _PRODUCT if output or "langle" not in pattern else _ATOM,
        )
    if number == 1 and not scalars and not below:
        return product
    return _fraction_tex(number, [*scalars, _Factor(product, False)], below)


def _operand(x: Node, names: Mapping[Node, str]) -> tuple[_Tex, _Factors]:
    """An operand of a product, with scalar factors pulled out in front."""
    if x in names:
        return _render(x, names), _Factors(Fraction(1), [], [])
    factors = _factors(x, names)
    arrays = [f for f in factors.above if f.shape]
    scalars = [f for f in factors.above if not f.shape]
    if any(f.shape for f in factors.below) or len(arrays) > 1:
        return _render(x, names), _Factors(Fraction(1), [], [])
    rest = _Factors(factors.number, scalars, factors.below)
    # A number repeated over a shape is a vector (or matrix) of ones times that number.
    piece = _render(arrays[0], names) if arrays else _Tex(r"\mathbf{1}")
    if arrays and arrays[0].operation != "input" and arrays[0] not in names and _spread(x):
        return _render(x, names), _Factors(Fraction(1), [], [])
    return piece, rest


def _spread(x: Node) -> bool:
    """Whether an array of fewer axes is repeated on the way to this operand."""
    while x.operation in ("multiply", "divide", "reshape"):
        x = x.inputs[0]
    return x.operation == "broadcast" and bool(x.inputs[0].shape)


def _transposed(x: _Tex) -> str:
    return rf"{x.at_least(_ATOM)}^\top"


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
        return _Tex(_transposed(x)) if len(operand) == 2 else _axes_tex(x, operand, output)
    if operand == "ii":
        return _Tex(rf"\operatorname{{{'diag' if output else 'tr'}}}\left({x.text}\right)")
    if not output and len(set(operand)) == len(operand):
        return _Tex(rf"\operatorname{{sum}}\left({x.text}\right)")
    if operand == "ij" and output == "i":
        return _Tex(rf"{x.at_least(_PRODUCT)}\,\mathbf{{1}}", _PRODUCT)
    if operand == "ij" and output == "j":
        return _Tex(rf"{_transposed(x)}\,\mathbf{{1}}", _PRODUCT)
    return _index_notation([operand], output, [x])


def _axes_tex(x: _Tex, operand: str, output: str) -> _Tex:
    order = ",".join(str(operand.index(letter)) for letter in output)
    return _Tex(rf"\operatorname{{axes}}_{{{order}}}\left({x.text}\right)")


def _index_notation(operands: list[str], output: str, texts: list[_Tex]) -> _Tex:
    summed = sorted(set("".join(operands)) - set(output))
    sigma = rf"\textstyle\sum_{{{','.join(summed)}}} " if summed else ""
    factors = [
        rf"{text.at_least(_ATOM)}_{{{indices}}}" if indices else text.at_least(_PRODUCT)
        for text, indices in zip(texts, operands, strict=True)
    ]
    free = (
        rf"\left[{sigma}{' '.join(factors)}\right]_{{{output}}}"
        if output
        else sigma + " ".join(factors)
    )
    return _Tex(free, _ATOM if output else _PRODUCT)


def _table_tex(node: Node) -> _Tex:
    cells = node.parameter
    rows = (
        cells if len(node.shape) == 2 else [(cell,) for cell in cells] if node.shape else [(cells,)]
    )
    if len(node.shape) > 2:
        return _Tex(r"\text{table}")
    lines = [" & ".join(_decimal_constant(cell) for cell in row) for row in rows]
    return _Tex(r"\begin{pmatrix}" + r" \\ ".join(lines) + r"\end{pmatrix}")


def _decimal_constant(constant: Constant) -> str:
    text = _constant_tex(constant).text
    decimal = f"{float(constant):.12g}"
    exact = constant.unit == "1" and Fraction(decimal) == constant.factor and "e" not in decimal
    return decimal if exact else text
