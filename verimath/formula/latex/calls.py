"""What is printed like a call: choices, moved elements, functions of matrices, composites."""

import re
from fractions import Fraction

from verimath.formula.graph import Node
from verimath.formula.latex.factors import stripped
from verimath.formula.latex.pieces import ATOM, PRODUCT, SCRIPTED, SUM, Tex
from verimath.formula.latex.symbols import size_tex
from verimath.formula.literals import Constant
from verimath.shapes import ONE

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


def call_tex(node: Node, x: list[Tex]) -> Tex:
    """A node of operands that are printed already."""
    match node.operation:
        case "index":
            return Tex(rf"\left[0..{size_tex(node.shape[0])}\right)")
        case "compare":
            return Tex(rf"{x[0].text} {_RELATIONS[node.parameter]} {x[1].text}", SUM)
        case "logical" if node.parameter == "not":
            return Tex(rf"\neg\left({x[0].text}\right)", SCRIPTED)
        case "logical":
            sides = [side.at_least(PRODUCT) for side in x]
            return Tex(f" {_LOGIC[node.parameter]} ".join(sides), SUM)
        case "where" if _triangle(node) is not None:
            return Tex(rf"{_triangle(node)}\left({x[1].text}\right)", SCRIPTED)
        case "where":
            rows = rf"{x[1].text} & {x[0].text} \\ {x[2].text} & \text{{else}}"
            return Tex(rf"\begin{{cases}} {rows} \end{{cases}}")
        case "maximum":
            return Tex(rf"\max\left({x[0].text},\, {x[1].text}\right)", SCRIPTED)
        case "subgradient":
            return _subgradient_tex(node, x)
        case "gather" if _is_whole_axis(node):
            return x[0]
        case "gather":
            return Tex(rf"{x[0].at_least(ATOM)}\left[{x[1].text}\right]", SCRIPTED)
        case "scatter":
            place = rf"\operatorname{{scatter}}_{{{x[1].text}}}"
            return Tex(rf"{place}\left({x[0].text}\right)", SCRIPTED)
        case "concatenate":
            parts = r",\; ".join(part.text for part in x)
            return Tex(rf"\left[{parts}\right]_{{\text{{axis }}{node.parameter}}}")
        case "solve":
            inverse = rf"{x[0].at_least(ATOM)}^{{-1}}"
            if stripped(node.inputs[1]).operation == "delta":
                return Tex(inverse, SCRIPTED)
            return Tex(rf"{inverse} {x[1].at_least(PRODUCT)}", PRODUCT)
        case "composite":
            return Tex(_composite_tex(node, x), SCRIPTED)
        case name:
            call = _CALLS[name] + _axis_tex(node)
            return Tex(rf"{call}\left({x[0].text}\right)", SCRIPTED)


def _is_whole_axis(node: Node) -> bool:
    """Whether the one element of an axis is taken, which stays one: nothing is left out."""
    (before, after), axis = (node.inputs[0].shape, node.shape), node.parameter
    return len(before) == len(after) and before[axis] == after[axis] == ONE


def _triangle(node: Node) -> str | None:
    """The lower or upper triangle, if that is what a choice between a matrix and zero takes."""
    mask, _, other = node.inputs
    nothing = stripped(other)
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
    counted, offset = stripped(inner), Fraction(0)
    if counted.operation == "add":
        counted, more = (stripped(x) for x in counted.inputs)
        if more.operation != "constant" or not more.parameter.is_rational:
            return None
        offset = more.parameter.factor
    return (which, offset) if counted.operation == "index" else None


def _axis_tex(node: Node) -> str:
    """Which axis a reduction is over, where there are several."""
    axis = node.parameter[0] if isinstance(node.parameter, tuple) else node.parameter
    several = len(node.inputs[0].shape) > 1 and isinstance(axis, int)
    return rf"_{{\text{{axis }}{axis}}}" if several else ""


def _subgradient_tex(node: Node, x: list[Tex]) -> Tex:
    match node.parameter:
        case "step":
            return Tex(rf"\left[{x[0].text} > {x[1].text}\right]", SCRIPTED)
        case "sign":
            return Tex(rf"\operatorname{{sgn}}\left({x[0].text}\right)", SCRIPTED)
        case _:
            inner = x[0].text
            return Tex(rf"\left[{inner} = \max\left({inner}\right)\right]", SCRIPTED)


# The parts of one number, put together again.
_BOTH_PARTS = re.compile(r"\{\\Re\{((?:[^{}]|\{[^{}]*\})*)\}\} \+ i\\,\{\\Im\{\1\}\}")


def _composite_tex(node: Node, x: list[Tex]) -> str:
    template = node.parameter.tex or rf"\operatorname{{{node.parameter.name}}}\left(#\right)"
    if "#1" in template:  # each operand has a place of its own
        for number, piece in enumerate(x, start=1):
            factor = rf"i\,{{{piece.at_least(PRODUCT)}}}"
            template = template.replace(rf"i\,#{number}", factor)
            template = template.replace(f"#{number}", f"{{{piece.text}}}")
        return _BOTH_PARTS.sub(r"\1", template)
    return template.replace("#", r",\, ".join(piece.text for piece in x))
