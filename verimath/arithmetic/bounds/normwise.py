"""The bounds of code that is held to its largest element: the error class `normwise`."""

import math

import numpy as np

from verimath.arithmetic.bounds.rearranged import roundings_of
from verimath.arithmetic.formats import FloatFormat
from verimath.arithmetic.operand import EXACT, Operand, gamma, within
from verimath.arithmetic.values import Array
from verimath.formula.graph import Node
from verimath.shapes import Binding


def normwise_bound(
    node: Node, bound: Array, x: list[Operand], binding: Binding, f: FloatFormat
) -> Array:
    """The bound of the largest element, for all; of Strassen's method for products of matrices.

    (6 n^(log2 12) - 5 n) u max|A| max|B| for n a power of two, where the recursion goes down to
    single numbers (Higham, section 23.2.2, (23.14) with n0 = 1); other shapes are filled up with
    zeros. Where the largest element has no bound, none has.
    """
    if bound is EXACT:
        return bound
    if node.operation == "einsum" and len(x) == 2 and roundings_of(node, binding):
        sizes = [size.at(binding) for child in node.inputs for size in child.shape]
        n = 2.0 ** math.ceil(math.log2(max([*sizes, 1])))
        constant = 6 * n ** math.log2(12) - 5 * n
        left, right = (np.max(_alike(o.largest), axis=1) for o in x)
        shape = (-1, *[1] * (bound.ndim - 1))
        bound = bound + (gamma(constant, f) * left * right).reshape(shape)
        # Sums of n elements of A and of B are multiplied, and n such products added up.
        reached = np.maximum(n**3 * left * right, n * np.maximum(left, right))
        bound = within(bound, reached.reshape(shape), f.largest)
    axes = tuple(range(1, bound.ndim))
    most = np.max(bound, axis=axes, keepdims=True, initial=0.0)
    return np.broadcast_to(np.where(np.isfinite(most), most, np.inf), bound.shape)


def _alike(x: Array) -> Array:
    """An array of one row per example, never empty."""
    return np.concatenate([x.reshape(len(x), -1), np.zeros((len(x), 1))], axis=1)
