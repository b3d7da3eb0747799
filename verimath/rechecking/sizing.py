"""What a part needs before it can be evaluated: names that want a size, kinds of inputs, a seed."""

import hashlib
from collections.abc import Sequence

from pydantic import BaseModel

from verimath.rechecking.graph import Node, dimensions
from verimath.rechecking.limits import RefusedError
from verimath.rechecking.polynomials import names, polynomial
from verimath.report.certificate import InputRecord

Binding = dict[str, int]


def seed_of(part: BaseModel) -> str:
    """What random numbers are drawn from: the content of the part itself."""
    return hashlib.sha256(part.model_dump_json().encode()).hexdigest()


def sizes_in(nodes: Sequence[Node], inputs: Sequence[InputRecord]) -> set[str]:
    """Names that need a size."""
    known = dimensions(nodes)
    for node in nodes:
        if node.operation == "size":
            known |= names(node.parameter)
    for record in inputs:
        for size in (*record.shape, *((record.classes,) if record.classes else ())):
            known |= names(polynomial(size))
    return known


def kinds_of(nodes: Sequence[Node]) -> dict[str, str]:
    """Whether inputs are real numbers, integers or booleans.

    Raises RefusedError for one that is taken for two of these.
    """
    kinds: dict[str, str] = {}
    for node in nodes:
        if node.operation == "input" and kinds.setdefault(node.parameter, node.kind) != node.kind:
            raise RefusedError(f"the input {node.parameter!r} is of two kinds")
    return kinds


def check_pairs(pairs: Sequence[tuple[int, int]], nodes: Sequence[Node]) -> None:
    """Raise RefusedError for no pairs, or pairs of what isn't there or can't be equal."""
    if not pairs:
        raise RefusedError("no pair of nodes is claimed to be equal")
    for pair in pairs:
        for place in pair:
            if not 0 <= place < len(nodes):
                raise RefusedError(f"a pair refers to node {place}, which isn't there")
        if nodes[pair[0]].shape != nodes[pair[1]].shape:
            raise RefusedError(f"nodes {pair[0]} and {pair[1]} have different shapes")
