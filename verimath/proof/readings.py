"""What the literals of a claim are taken to stand for."""

from fractions import Fraction

from verimath.domain import Input
from verimath.formula.core import is_long
from verimath.formula.graph import Node, topological
from verimath.formula.literals import Constant, read_literal
from verimath.reference.prepared import Prepared


def readings(prepared: Prepared) -> list[str]:
    """Readings of literals that differ from the float itself, each an assumption.

    And that numbers are real ones, where the domain has others.
    """
    found: dict[str, None] = {}
    for name, spec in prepared.claim.domain.inputs.items():
        if spec.allow_nan or spec.allow_infinity:
            found[f"{name} is finite"] = None
        found.update(dict.fromkeys(_of_given(name, spec)))
    # Exponents of a derivative are made from those of the formula.
    written = prepared.primal if prepared.claimed is None else prepared.claimed
    for node in topological((*prepared.primal.outputs, *written.outputs)):
        whole = node.operation != "power" or node.parameter.denominator == 1
        if not whole and not is_long(node.parameter) and float(node.parameter) != node.parameter:
            found[f"the exponent {float(node.parameter)!r} stands for {node.parameter}"] = None
    for formula in prepared.orders:
        for node in topological(formula.outputs):
            for constant in _literals(node):
                text = _reading(constant)
                if text is not None:
                    found[text] = None
    return list(found)


def _reading(constant: Constant) -> str | None:
    written = constant.written
    if written is None or (constant.is_rational and constant.factor == Fraction(written)):
        return None
    return f"the literal {written!r} stands for {constant}"


def _of_given(name: str, spec: Input) -> list[str]:
    """Readings of given numbers that aren't the decimals themselves."""
    if spec.values is None:
        return []
    read = [(repr(value), read_literal(value)) for value in map(float, spec.values.flat)]
    return [
        f"the number {text} of {name} stands for {constant}"
        for text, constant in read
        if not constant.is_rational or constant.factor != Fraction(text)
    ]


def _literals(node: Node) -> list[Constant]:
    if node.operation == "constant":
        return [node.parameter]
    return _flatten(node.parameter) if node.operation == "table" else []


def _flatten(cells: object) -> list[Constant]:
    if isinstance(cells, Constant):
        return [cells]
    assert isinstance(cells, tuple)  # a table is nested tuples of constants
    return [constant for cell in cells for constant in _flatten(cell)]
