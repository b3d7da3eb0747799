"""Einsums in TeX: matrix products with transposes, sums, traces, or indices where nothing else is.

Scalar factors are pulled out in front; an array of one axis is a column.
"""

from fractions import Fraction

from verimath.formula.graph import Node
from verimath.formula.latex.factors import Factors, is_number, sum_factors, taken_apart
from verimath.formula.latex.pieces import ATOM, PRODUCT, SCRIPTED, SUM, Printer, Tex, transposed
from verimath.formula.latex.products import Factor, factor_of, fraction_tex, product_tex
from verimath.shapes import ONE

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


def einsum_tex(node: Node, printer: Printer) -> Tex:
    """An einsum of one or two operands, with numbers that are summed up in front."""
    if sum_factors(node, printer.names).above != [node]:
        return product_tex(node, printer)
    operands, output = _canonical(node)
    if len(operands) == 1:
        return _unary_einsum(node, operands[0], output, printer)
    pattern = _PRODUCTS.get((operands[0], operands[1], output))
    number = Fraction(1)
    scalars: list[Factor] = []
    below: list[Factor] = []
    texts: list[Tex] = []
    for x in node.inputs:
        piece, factors = _operand(x, printer)
        number *= factors.number
        scalars += [factor_of(f, printer) for f in factors.above]
        below += [factor_of(f, printer) for f in factors.below]
        texts.append(piece)
    if pattern is None:
        product = _index_notation(operands, output, texts)
    else:
        a, b = texts
        product = Tex(
            pattern.format(
                a=a.at_least(PRODUCT),
                b=b.at_least(SCRIPTED),
                aT=transposed(a),
                bT=transposed(b),
                a0=a.text,
                b0=b.text,
            ),
            ATOM if "langle" in pattern else PRODUCT,
        )
    if number == 1 and not scalars and not below:
        return product
    return fraction_tex(number, [*scalars, Factor(product, False)], below)


def _operand(x: Node, printer: Printer) -> tuple[Tex, Factors]:
    """An operand of a product, with scalar factors pulled out in front."""
    factors = taken_apart(x, printer.names)
    arrays = [f for f in factors.above if not is_number(f, printer.names)]
    scalars = [f for f in factors.above if is_number(f, printer.names)]
    whole = x in printer.names or all(size == ONE for size in x.shape)
    if whole or len(arrays) > 1 or not all(is_number(f, printer.names) for f in factors.below):
        return printer(x), Factors(Fraction(1), [], [])
    # A number repeated over a shape is a vector (or matrix) of ones times that number.
    piece = printer(arrays[0]) if arrays else Tex(r"\mathbf{1}")
    return piece, Factors(factors.number, scalars, factors.below)


def _canonical(node: Node) -> tuple[list[str], str]:
    letters: dict[int, str] = {}
    for indices in node.parameter.operands:
        for index in indices:
            letters.setdefault(index, "ijklmnopqrstuvwxyz"[len(letters)])
    operands = ["".join(letters[i] for i in indices) for indices in node.parameter.operands]
    return operands, "".join(letters[i] for i in node.parameter.output)


def _unary_einsum(node: Node, operand: str, output: str, printer: Printer) -> Tex:
    x = printer(node.inputs[0])
    if operand == output:
        return x
    if sorted(operand) == sorted(output):
        return Tex(transposed(x), SCRIPTED) if len(operand) == 2 else _axes_tex(x, operand, output)
    if operand == "ii":
        return Tex(rf"\operatorname{{{'diag' if output else 'tr'}}}\left({x.text}\right)", SCRIPTED)
    if not output and len(set(operand)) == len(operand):
        return Tex(rf"\operatorname{{sum}}\left({x.text}\right)", SCRIPTED)
    if operand == "ij" and output == "i":
        return Tex(rf"{x.at_least(PRODUCT)}\,\mathbf{{1}}", PRODUCT)
    if operand == "ij" and output == "j":
        return Tex(rf"{transposed(x)}\,\mathbf{{1}}", PRODUCT)
    return _index_notation([operand], output, [x])


def _axes_tex(x: Tex, operand: str, output: str) -> Tex:
    order = ",".join(str(operand.index(letter)) for letter in output)
    return Tex(rf"\operatorname{{axes}}_{{{order}}}\left({x.text}\right)", SCRIPTED)


def _index_notation(operands: list[str], output: str, texts: list[Tex]) -> Tex:
    summed = sorted(set("".join(operands)) - set(output))
    sigma = rf"\textstyle\sum_{{{','.join(summed)}}} " if summed else ""
    factors = [
        rf"{_indexable(text)}_{{{indices}}}" if indices else text.at_least(PRODUCT)
        for text, indices in zip(texts, operands, strict=True)
    ]
    free = (
        rf"\left[{sigma}{' '.join(factors)}\right]_{{{output}}}"
        if output
        else sigma + " ".join(factors)
    )
    return Tex(free, SCRIPTED if output else SUM)


def _indexable(x: Tex) -> str:
    """TeX knows no two subscripts in a row."""
    return rf"\left({x.text}\right)" if "_" in x.text else x.at_least(ATOM)
