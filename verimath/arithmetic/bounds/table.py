"""The table: the rule of each operation, and which operations are of which kind."""

from verimath.arithmetic.bounds.choices import CHOICES
from verimath.arithmetic.bounds.elementwise import ELEMENTWISE
from verimath.arithmetic.bounds.functions import function_bound
from verimath.arithmetic.bounds.matrices import cholesky_bound, determinant_bound, solve_bound
from verimath.arithmetic.bounds.sums import SUMS
from verimath.arithmetic.operand import Rule

BOUNDS: dict[str, Rule] = {
    **ELEMENTWISE,
    **CHOICES,
    **SUMS,
    "function": function_bound,
    "solve": solve_bound,
    "determinant": determinant_bound,
    "cholesky": cholesky_bound,
}
# Whose bounds have the safety factor already.
SAFE = frozenset({"add", "multiply", "divide", "function", "einsum"})
LEAVES = frozenset({"input", "constant", "table", "size"})
SCALING = frozenset({"multiply", "einsum", "divide"})  # where a power of two rounds nothing
PRODUCTS = frozenset(
    {"multiply", "divide", "power", "einsum", "product", "solve", "determinant", "cholesky"}
)
