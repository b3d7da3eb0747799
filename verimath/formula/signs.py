"""Which parts of a core formula are never negative, by how they are written.

Laws of roots and logarithms need it: log(a b) = log(a) + log(b) for positive a and b alone.
"""

from verimath.formula.graph import Node, Subscripts


def is_positive(node: Node, inputs: frozenset[str]) -> bool:
    """Whether every element is certainly > 0; `inputs` are the names of inputs that are."""
    match node.operation:
        case "input":
            return node.parameter in inputs
        case "constant":
            return node.parameter.factor > 0
        case "size":
            # Of an array that has elements, as all have that are evaluated.
            return all(coefficient > 0 for _, coefficient in node.parameter.terms)
        case "function":
            return node.parameter == "exp"
        case "power":
            return is_positive(node.inputs[0], inputs)
        case "add":
            a, b = node.inputs
            return (is_positive(a, inputs) and is_nonnegative(b, inputs)) or (
                is_nonnegative(a, inputs) and is_positive(b, inputs)
            )
        case "multiply" | "divide" | "broadcast" | "reshape" | "einsum" | "product":
            return all(is_positive(x, inputs) for x in node.inputs)
        case "gather":
            return is_positive(node.inputs[0], inputs)
        case _:
            return False


def is_nonnegative(node: Node, inputs: frozenset[str]) -> bool:
    """Whether no element is negative."""
    if is_positive(node, inputs):
        return True
    match node.operation:
        case "constant":
            return node.parameter.factor >= 0
        case "power":
            exponent = node.parameter
            if exponent.numerator % 2 == 0 or exponent.denominator % 2 == 0:
                return True
            return is_nonnegative(node.inputs[0], inputs)
        case "einsum":
            return _is_sum_of_squares(node) or all(is_nonnegative(x, inputs) for x in node.inputs)
        case "multiply":
            a, b = node.inputs
            return a is b or all(is_nonnegative(x, inputs) for x in node.inputs)
        case "add" | "divide" | "broadcast" | "reshape" | "product":
            return all(is_nonnegative(x, inputs) for x in node.inputs)
        case "gather":
            return is_nonnegative(node.inputs[0], inputs)
        case _:
            return False


def _is_sum_of_squares(node: Node) -> bool:
    subscripts: Subscripts = node.parameter
    if len(node.inputs) != 2 or node.inputs[0] is not node.inputs[1]:
        return False
    return subscripts.operands[0] == subscripts.operands[1]
