"""What the literals of a claim are taken to stand for."""

from verimath.formula.graph import Node, topological
from verimath.formula.literals import Constant
from verimath.prepare import Prepared


def readings(prepared: Prepared) -> list[str]:
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
