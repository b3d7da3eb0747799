"""Any node in TeX: by its name where it has one, else by what it does to its operands."""

from fractions import Fraction

from verimath.formula.graph import Node
from verimath.formula.latex.calls import call_tex
from verimath.formula.latex.einsums import einsum_tex
from verimath.formula.latex.factors import is_number, is_transparent, moved_factors, orientation
from verimath.formula.latex.pieces import ATOM, PRODUCT, SCRIPTED, SUM, Printer, Tex, transposed
from verimath.formula.latex.products import product_tex
from verimath.formula.latex.symbols import constant_tex, named_tex, size_tex
from verimath.formula.literals import Constant
from verimath.shapes import ONE


def node_tex(node: Node, printer: Printer) -> Tex:
    """A node and all below it, down to those that have names."""
    if node in printer.names:
        return named_tex(printer.names[node])
    match node.operation:
        case "input":
            return named_tex(node.parameter)
        case "add":
            return _sum_tex(node, printer)
        case "multiply" | "divide" | "constant" | "size":
            return product_tex(node, printer)
        case "power":
            return _power_tex(node, printer)
        case "function":
            return _function_tex(node, printer)
        case "einsum":
            return einsum_tex(node, printer)
        case "broadcast" | "reshape":
            return _moved_tex(node, printer)
        case "delta":
            return Tex(r"\mathbf{I}")
        case "table":
            return _table_tex(node)
        case _:
            return call_tex(node, [printer(x) for x in node.inputs])


def _sum_tex(node: Node, printer: Printer) -> Tex:
    left, right = (printer(x) for x in node.inputs)
    if right.text.startswith("-"):
        return Tex(f"{left.text} - {right.text[1:].lstrip()}", SUM)
    return Tex(f"{left.text} + {right.text}", SUM)


def _power_tex(node: Node, printer: Printer) -> Tex:
    base, exponent = printer(node.inputs[0]), node.parameter
    if exponent == Fraction(1, 2):
        return Tex(rf"\sqrt{{{base.text}}}")
    if exponent == 1:
        return base
    is_matrix = sum(size != ONE for size in node.shape) > 1 and not is_number(node, printer.names)
    dot = r"\odot " if is_matrix else ""
    return Tex(rf"{base.at_least(ATOM)}^{{{dot}{exponent}}}", SCRIPTED)


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


def _function_tex(node: Node, printer: Printer) -> Tex:
    x = printer(node.inputs[0])
    match node.parameter:
        case "negative":
            return product_tex(node, printer)
        case "exp":
            return Tex(rf"\mathrm{{e}}^{{{x.text}}}", SCRIPTED)
        case "sqrt":
            return Tex(rf"\sqrt{{{x.text}}}")
        case "expm1":
            return Tex(rf"\mathrm{{e}}^{{{x.text}}} - 1", SUM)
        case "log1p":
            return Tex(rf"\log\left(1 + {x.text}\right)", SCRIPTED)
        case "abs":
            return Tex(rf"\left|{x.text}\right|")
        case name:
            return Tex(rf"{_NAMED.get(name, chr(92) + name)}\left({x.text}\right)", SCRIPTED)


def _moved_tex(node: Node, printer: Printer) -> Tex:
    """An array repeated or reshaped: unsaid where that goes without saying, numbers in front."""
    x, names = node.inputs[0], printer.names
    if is_transparent(node, names):
        return printer(x)
    if moved_factors(node, names).above != [node]:
        return product_tex(node, printer)
    return _MOVED[node.operation](node, printer(x))


def _broadcast_tex(node: Node, inner: Tex) -> Tex:
    """Rows or columns repeated are a product with a vector of ones."""
    x = node.inputs[0]
    if len(node.shape) == 2 and len(x.shape) == 1:
        return Tex(rf"\mathbf{{1}}\,{transposed(inner)}", PRODUCT)
    if len(node.shape) == 2 and x.shape[0] == ONE:
        return Tex(rf"\mathbf{{1}}\,{inner.at_least(SCRIPTED)}", PRODUCT)
    if len(node.shape) == 2 and x.shape[1] == ONE:
        return Tex(rf"{inner.at_least(PRODUCT)}\,\mathbf{{1}}^\top", PRODUCT)
    return _shaped_tex("broadcast", inner, node)


def _reshape_tex(node: Node, inner: Tex) -> Tex:
    if orientation(node) is not None and orientation(node.inputs[0]) is not None:
        return Tex(transposed(inner), SCRIPTED)
    return _shaped_tex("reshape", inner, node)


_MOVED = {"broadcast": _broadcast_tex, "reshape": _reshape_tex}


def _shaped_tex(name: str, inner: Tex, node: Node) -> Tex:
    shape = r" \times ".join(size_tex(size) for size in node.shape)
    return Tex(rf"\operatorname{{{name}}}_{{{shape}}}\left({inner.text}\right)", SCRIPTED)


def _table_tex(node: Node) -> Tex:
    cells = node.parameter
    if not node.shape:
        return constant_tex(cells)
    rows = cells if len(node.shape) == 2 else [(cell,) for cell in cells]
    if len(node.shape) > 2:
        return Tex(r"\text{table}")
    lines = [" & ".join(_decimal_constant(cell) for cell in row) for row in rows]
    return Tex(r"\begin{pmatrix}" + r" \\ ".join(lines) + r"\end{pmatrix}")


def _decimal_constant(constant: Constant) -> str:
    text = constant_tex(constant).text
    decimal = f"{float(constant):.12g}"
    exact = constant.unit == "1" and Fraction(decimal) == constant.factor and "e" not in decimal
    return decimal if exact else text
