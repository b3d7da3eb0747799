"""Products, quotients and averages in TeX: scalars side by side, arrays with a circled dot."""

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from verimath.formula.graph import Node
from verimath.formula.latex.factors import (
    is_number,
    orientation,
    sized_input,
    stripped,
    taken_apart,
)
from verimath.formula.latex.pieces import ATOM, ELEMENTWISE, PRODUCT, SCRIPTED, SUM, Printer, Tex
from verimath.formula.latex.symbols import constant_tex, size_tex, symbol
from verimath.formula.literals import Constant
from verimath.shapes import Size, total_size


def product_tex(node: Node, printer: Printer) -> Tex:
    """A product or quotient, or an average where it is one."""
    mean = _mean_tex(node, printer)
    if mean is not None:
        return mean
    parts = taken_apart(node, printer.names)
    return fraction_tex(
        parts.number,
        _with_diagonals(parts.above, printer),
        [factor_of(x, printer) for x in parts.below],
    )


def _mean_tex(node: Node, printer: Printer) -> Tex | None:
    """An average: a sum divided by the number of elements summed over."""
    if node.operation != "divide" or any(x in printer.names for x in node.inputs):
        return None
    top, bottom = (stripped(x) for x in node.inputs)
    if top.operation != "einsum" or len(top.inputs) != 1 or top in printer.names:
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
    inner = printer(top.inputs[0]).text
    return Tex(rf"\operatorname{{mean}}\left({inner}\right)", SCRIPTED)


@dataclass(frozen=True, slots=True)
class Factor:
    """A printed factor, and whether it is one number."""

    tex: Tex
    scalar: bool


def factor_of(node: Node, printer: Printer) -> Factor:
    """A factor that is taken apart no further."""
    if node.operation == "size" and node not in printer.names:
        return Factor(_count_tex(node.parameter, printer), True)
    if node.operation == "constant" and node not in printer.names:
        return Factor(constant_tex(node.parameter), True)
    return Factor(printer(node), is_number(node, printer.names))


def _count_tex(size: Size, printer: Printer) -> Tex:
    """A number of elements; that of an array of any rank is called the size of the array."""
    node = sized_input(size, printer.names)
    if node is not None:
        return Tex(rf"\operatorname{{size}}\left({symbol(printer.names[node])}\right)", SCRIPTED)
    if len(size.terms) > 1:
        return Tex(size_tex(size), SUM)
    return Tex(size_tex(size))


def _with_diagonals(factors: list[Node], printer: Printer) -> list[Factor]:
    """Factors of a product; the identity times a repeated vector is a diagonal matrix."""
    deltas = [x for x in factors if x.operation == "delta" and x not in printer.names]
    spread = [x for x in factors if _spread_vector(x, printer) is not None]
    if not deltas or not spread:
        return [factor_of(x, printer) for x in factors]
    vector = _spread_vector(spread[0], printer)
    assert vector is not None  # that is how it was chosen
    inner = printer(vector).text
    diagonal = Factor(Tex(rf"\operatorname{{diag}}\left({inner}\right)", SCRIPTED), False)
    rest = [x for x in factors if x is not deltas[0] and x is not spread[0]]
    return [*(factor_of(x, printer) for x in rest), diagonal]


def _spread_vector(node: Node, printer: Printer) -> Node | None:
    """The vector behind a square matrix of equal rows or columns, if it is one."""
    if node.operation != "broadcast" or node in printer.names or is_number(node, printer.names):
        return None
    square = len(node.shape) == 2 and node.shape[0] == node.shape[1]
    x = node.inputs[0]
    if not square or orientation(x) is None:
        return None
    plain = x.operation == "reshape" and x not in printer.names and len(x.inputs[0].shape) == 1
    return x.inputs[0] if plain else x


def fraction_tex(number: Fraction, above: list[Factor], below: list[Factor]) -> Tex:
    """A number times some factors, over others."""
    sign = "-" if number < 0 else ""
    number = abs(number)
    scalars = [f for f in above if f.scalar]
    arrays = [f for f in above if not f.scalar]
    if not below and number.denominator == 1:
        text = _times(number.numerator, scalars, arrays, beside=bool(sign))
        return Tex(sign + text, SUM if sign else _binding(number, scalars, arrays))
    aside = all(f.scalar for f in below)
    top = _times(number.numerator, scalars, [] if aside else arrays)
    bottom = _times(
        number.denominator, [f for f in below if f.scalar], [f for f in below if not f.scalar]
    )
    rest = _times(1, [], arrays, beside=True) if aside and arrays else ""
    binding = ELEMENTWISE if aside and len(arrays) > 1 else PRODUCT
    return Tex(rf"{sign}\frac{{{top}}}{{{bottom}}}{rest}", SUM if sign else binding)


def _binding(number: Fraction, scalars: list[Factor], arrays: list[Factor]) -> int:
    above = scalars + arrays
    if not above:
        return ATOM
    if number == 1 and len(above) == 1:
        return above[0].tex.binding
    return PRODUCT if len(arrays) < 2 else ELEMENTWISE


def _times(
    number: int, scalars: list[Factor], arrays: list[Factor], *, beside: bool = False
) -> str:
    """A product in TeX; `beside` says that something stands in front of it."""
    alone = len(scalars) + len(arrays) == 1 and number == 1 and not beside
    needed = SUM if alone else PRODUCT
    counts = Counter(f.tex for f in scalars)
    scalar_text = r"\,".join(
        tex.at_least(SUM if alone else SCRIPTED)
        if count == 1
        else f"{tex.at_least(ATOM)}^{{{count}}}"
        for tex, count in counts.items()
    )
    # A matrix product inside an elementwise product needs its own parentheses.
    array_needed = needed if len(arrays) == 1 else SCRIPTED
    array_text = r" \odot ".join(f.tex.at_least(array_needed) for f in arrays)
    pieces = [piece for piece in (scalar_text, array_text) if piece]
    if number != 1 or not pieces:
        pieces.insert(0, str(number))
    return r"\,".join(pieces)
