"""The graphs of a claim at fixed ranks, and the sizes of which it speaks."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from verimath.arithmetic.formats import FloatFormat
from verimath.arithmetic.rounding import Enclosure, evaluate
from verimath.claim import Claim, Statement
from verimath.convergence.iteration import Iteration
from verimath.formula.derive import Derivation
from verimath.formula.graph import Formula, Node, topological
from verimath.formula.reverse import divided_product
from verimath.pairs import has_pairs
from verimath.shapes import Binding, Size

# The extra input of directional derivatives. No input can have this name: those are identifiers.
DIRECTION = "the direction"


@dataclass(frozen=True)
class Prepared:
    """The graphs of a claim at fixed ranks.

    `statement` is the claim's, with derivatives in the parts of complex inputs.
    `reference` gives what is wanted, `claimed` the other side of the statement (None where there is
    none), `forward` the directional derivative per differentiated input, of the primal formula or,
    for a Hessian, of its gradient; `stated` is what the claim claims as it is written, without the
    parts left out that aren't judged. Of an iteration, the reference is the limit and `claimed` a
    step from there; `iteration` has the rest.
    """

    claim: Claim
    statement: Statement
    ranks: Mapping[str, int]
    primal: Formula
    reference: Formula
    claimed: Formula | None
    derivation: Derivation | None
    forward: Mapping[str, Formula]
    stated: Formula | None = None
    iteration: Iteration | None = None

    @property
    def printed(self) -> Formula | None:
        """The other side of the statement as it was written."""
        return self.stated or self.claimed

    @property
    def is_complex(self) -> bool:
        """Whether some input is a part of a complex array."""
        return has_pairs(self.primal.inputs)

    def pairs(self, *, value: bool = False) -> tuple[bool, ...]:
        """Which results of the claim, or of the primal's `value`, are complex; () if none is.

        Each of those has two outputs, one after the other.
        """
        return self.primal.pairs if value else self.reference.pairs

    def format(self, format_: FloatFormat) -> FloatFormat:
        """How a library computes this claim's sums."""
        return _of_pairs(format_) if self.is_complex else format_

    @property
    def orders(self) -> tuple[Formula, ...]:
        """Formulas with the outputs wanted, in every declared order of evaluation."""
        return (self.reference,) if self.claimed is None else (self.reference, self.claimed)

    @cached_property
    def _divisors(self) -> Formula:
        """Denominators that depend on sizes alone."""
        found = dict.fromkeys(
            node.inputs[-1] if node.operation == "divide" else node.inputs[0]
            for node in self._nodes
            if node.operation == "divide" or (node.operation == "power" and node.parameter < 0)
        )
        divisors = tuple(_unspread(node) for node in found if _depends_on_sizes(node))
        return Formula("denominators", {}, divisors, {})

    @cached_property
    def has_kinks(self) -> bool:
        """Whether the reference is a gradient with subgradients in it."""
        return self.derivation is not None and any(
            node.operation == "subgradient" for node in self.reference.nodes()
        )

    @cached_property
    def customary(self) -> Formula | None:
        """The reference by another rule that a library has for some operation; None if none has.

        torch divides a product by each factor, whose digits are lost where the product underflows.
        Code differentiated by it is less accurate there, not wrong.
        """
        rules = {node: divided_product for node in self.primal.nodes() if _is_product(node)}
        if self.derivation is None or not rules:
            return None
        return self.derivation.again(self.primal, self.derivation.wrt, rules)

    @cached_property
    def _nodes(self) -> tuple[Node, ...]:
        """Every node of every formula, those inside composites too."""
        further = () if self.iteration is None else self.iteration.formulas
        formulas = (self.primal, *self.orders, *further)
        todo = [output for formula in formulas for output in formula.outputs]
        found: dict[Node, None] = {}
        while todo:
            inner = dict.fromkeys(node for node in topological(tuple(todo)) if node not in found)
            found.update(inner)
            todo = [o for n in inner if n.operation == "composite" for o in n.parameter.orders]
        return tuple(found)

    @cached_property
    def _places(self) -> tuple[tuple[Formula, Size], ...]:
        """Indices that depend on sizes alone, and the size of the axis they index."""
        return tuple(
            (
                Formula("indices", {}, (_unspread(node.inputs[1]),), {}),
                node.inputs[0].shape[node.parameter],
            )
            for node in self._nodes
            if node.operation == "gather" and _depends_on_sizes(node.inputs[1])
        )

    @cached_property
    def picks_by_inputs(self) -> bool:
        """Whether some index is drawn, as labels are: it has no symbol."""
        return any(
            not _depends_on_sizes(node.inputs[1])
            for node in self._nodes
            if node.operation in ("gather", "scatter")
        )

    def elements(self, binding: Binding) -> int:
        """How many elements the claim speaks of."""
        return sum(_count(output, binding) for output in self.reference.outputs)

    def rows(self, binding: Binding) -> int:
        """How many elements are differentiated: 1 for a gradient, those of it for a Hessian."""
        formula = next(iter(self.forward.values()))
        return _count(formula.outputs[0], binding)

    def largest_matrix(self, binding: Binding) -> int:
        """The size of the largest matrix that is solved with or factored; 0 if none is."""
        found = (n for n in self._nodes if n.operation in ("solve", "determinant", "cholesky"))
        return max((node.inputs[0].shape[-1].at(binding) for node in found), default=0)

    @cached_property
    def nesting(self) -> int:
        """How deep inverses and determinants are inside each other; at least 1."""
        depths: dict[Node, int] = {}
        for node in topological(tuple(o for f in (self.primal, *self.orders) for o in f.outputs)):
            deepest = max((depths[x] for x in node.inputs), default=0)
            depths[node] = deepest + (node.operation in ("solve", "determinant", "cholesky"))
        return max(1, *depths.values())

    def allows(self, binding: Binding) -> bool:
        """Whether the claim speaks of these sizes.

        No size is negative, no index beyond its axis, no maximum over nothing, and no denominator
        that depends on sizes alone is zero.
        """
        for node in self._nodes:
            if any(size.at(binding) < 0 for size in node.shape):
                return False
            if node.operation == "max" and node.inputs[0].shape[node.parameter].at(binding) == 0:
                return False
        for place, size in self._places:
            (found,) = _evaluate_sizes(place, binding)
            if np.any(found.value < 0) or np.any(found.value >= size.at(binding)):
                return False
        # The value of an empty denominator array is no obstacle, a zero in it is.
        return all(bool(np.all(e.value != 0)) for e in _evaluate_sizes(self._divisors, binding))


def _is_product(node: Node) -> bool:
    return node.operation == "product"


def _count(node: Node, binding: Binding) -> int:
    return math.prod(size.at(binding) for size in node.shape)


def _depends_on_sizes(node: Node) -> bool:
    return all(n.operation != "input" for n in topological((node,)))


def _evaluate_sizes(formula: Formula, binding: Binding) -> tuple[Enclosure, ...]:
    """Values of a formula of sizes and literals; a zero denominator further down gives infinity."""
    return evaluate(formula, {}, binding)


def _unspread(node: Node) -> Node:
    """The 0-d number behind a broadcast, so that zero-size targets keep their denominator."""
    return _unspread(node.inputs[0]) if node.operation == "broadcast" else node


def _of_pairs(format_: FloatFormat) -> FloatFormat:
    """The format for parts of complex sums.

    A part of a sum of n products has 2n terms, in any order: twice the roundings of each half, and
    partial sums of both halves together (of four, where a cotangent comes from both parts).
    """

    def held(accumulator: FloatFormat) -> FloatFormat:
        return replace(
            accumulator,
            roundoff=2 * accumulator.roundoff,
            largest=accumulator.largest / 4,
            sums=None,
            products=None,
        )

    return replace(
        format_, sums=held(format_.accumulator(1)), products=held(format_.accumulator(2))
    )
