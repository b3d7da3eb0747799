"""Several formulas as one list of steps, in which what they have in common is computed once.

Nodes are merged that do the same operation on the same operands, whoever traced them: a derived
gradient and its closed form share their residual, two orders of a softmax their exponentials.
Composites are opened: a step "composite" has one operand per order of evaluation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from verimath.formula.graph import Formula, Node, topological

# Operations whose operands may keep axes of length 1 that are only repeated later.
ELEMENTWISE = frozenset(
    {
        "add",
        "multiply",
        "divide",
        "power",
        "function",
        "where",
        "maximum",
        "compare",
        "logical",
        "convert",
    }
)


_DECISIONS = frozenset({"compare", "subgradient"})
_LEAVES = ("input", "index", "delta")
_EXACT = frozenset({*_LEAVES, "max", "maximum", "gather", "concatenate", "broadcast", "reshape"})


def _stays_exact(node: Node) -> bool:
    """Whether exact operands give the same number in every format.

    What is decided by comparing such numbers, every rearrangement of a formula decides the same.
    """
    match node.operation:
        case "function":
            return node.parameter in ("negative", "abs")
        case "constant":
            return node.parameter.is_rational and node.parameter.factor in (0, 1, -1)
        case "einsum":
            return len(node.inputs) == 1 and len(node.inputs[0].shape) == len(node.shape)
        case other:
            return other in _EXACT


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on the results of earlier steps.

    `varies` if it depends on an input, `exact` if its numbers are the same in every format,
    `decides` if it compares such numbers.
    """

    node: Node
    below: tuple[int, ...]
    varies: bool
    exact: bool
    decides: bool
    elementwise: bool


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """Steps in order, for each formula the steps that give its outputs, the steps of its nodes."""

    steps: tuple[Step, ...]
    outputs: tuple[tuple[int, ...], ...]
    places: Mapping[Node, int]


@lru_cache(maxsize=512)
def merged(formulas: tuple[Formula, ...], *, customary: bool = False) -> Merged:
    """The steps of several formulas of the same inputs.

    Composites have their stable orders, or all that are `customary`.
    """
    return _Merging(customary).all(formulas)


class _Merging:
    """Steps found so far, by what they do."""

    def __init__(self, customary: bool) -> None:
        self.customary = customary
        self.steps: list[Step] = []
        self.known: dict[Any, int] = {}
        self.places: dict[Node, int] = {}  # of nodes outside composites

    def all(self, formulas: Sequence[Formula]) -> Merged:
        outputs = tuple(self.through(formula.outputs, {}) for formula in formulas)
        return Merged(tuple(self.steps), outputs, self.places)

    def through(self, outputs: tuple[Node, ...], given: Mapping[Node, int]) -> tuple[int, ...]:
        places = dict(given)
        for node in topological(outputs):
            if node in places:
                continue
            below = tuple(places[child] for child in node.inputs)
            if node.operation == "composite":
                inner = dict(zip(node.parameter.inputs, below, strict=True))
                more = node.parameter.customary if self.customary else ()
                below = self.through((*node.parameter.orders, *more), inner)
                what = None
            elif node.operation == "subgradient":
                what = node  # each is a choice of its own
            else:
                what = node.parameter
            places[node] = self._place(node, below, what)
        if not given:
            self.places.update(places)
        return tuple(places[output] for output in outputs)

    def _place(self, node: Node, below: tuple[int, ...], what: Any) -> int:
        key = (node.operation, below, what, node.shape, node.kind)
        if key not in self.known:
            varies = node.operation in ("input", "subgradient") or any(
                self.steps[k].varies for k in below
            )
            same = all(self.steps[k].exact for k in below)
            exact, decides = same and _stays_exact(node), same and node.operation in _DECISIONS
            self.known[key] = len(self.steps)
            elementwise = node.operation in ELEMENTWISE
            self.steps.append(Step(node, below, varies, exact, decides, elementwise))
        return self.known[key]
