"""What the literals of a claim are taken to stand for."""

from verimath.formula.graph import Node, topological
from verimath.formula.literals import Constant
from verimath.prepare import Prepared


def readings(prepared: Prepared) -> list[str]:
    """Readings of literals that differ from the float itself, each an assumption.

    And that numbers are real ones, where the domain has others.
    """
    found: dict[str, None] = {}
    for name, spec in prepared.claim.domain.inputs.items():
        if spec.allow_nan or spec.allow_infinity:
            found[f"{name} is finite"] = None
    # Exponents of a derivative are made from those of the formula.
    written = prepared.primal if prepared.claimed is None else prepared.claimed
    for node in topological((*prepared.primal.outputs, *written.outputs)):
        if node.operation == "power" and float(node.parameter) != node.parameter:
            found[f"the exponent {float(node.parameter)!r} stands for {node.parameter}"] = None
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
