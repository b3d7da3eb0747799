"""What a part needs before it can be evaluated: names that want a size, kinds of inputs, a seed."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from math import prod

from pydantic import BaseModel

from verimath.rechecking.graph import Node, dimensions, reachable
from verimath.rechecking.limits import RefusedError
from verimath.rechecking.polynomials import names, polynomial, value
from verimath.report.certificate import InputRecord

Binding = Mapping[str, int]
LABELS = 1000  # classes


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


def labels_of(record: InputRecord, sizes: Binding) -> Sequence[int]:
    """The numbers that a label may be.

    Raises RefusedError for more than can be looked at, or none.
    """
    assert record.classes is not None
    count = value(polynomial(record.classes), sizes)
    if not 0 <= count <= LABELS or (count == 0 and record.ignored is None):
        raise RefusedError(f"not confirmed: {record.name!r} are labels of {count} classes")
    return [*range(count), *(() if record.ignored is None else (record.ignored,))]


def choices_of_labels(
    inputs: Sequence[InputRecord], kinds: Mapping[str, str], sizes: Binding
) -> tuple[int, Callable[[int], dict[str, list[int]]]]:
    """How many choices of labels there are, and of masks if `kinds` has any; and the k-th one."""
    cells: list[tuple[str, Sequence[int]]] = []
    total = 1
    for record in inputs:
        if record.values is None and (record.classes or kinds.get(record.name) == "boolean"):
            numbers = labels_of(record, sizes) if record.classes else (0, 1)
            count = prod(value(polynomial(size), sizes) for size in record.shape)
            cells += [(record.name, numbers)] * count
            total *= len(numbers) ** count

    def choice(number: int) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for name, numbers in cells:
            number, place = divmod(number, len(numbers))
            found.setdefault(name, []).append(numbers[place])
        return found

    return total, choice


def refuse_compared_integers(nodes: Sequence[Node], inputs: Sequence[InputRecord]) -> None:
    """Raise RefusedError where whole numbers of any size are compared: no few of them tell."""
    any_size = {record.name for record in inputs if record.classes is None is record.values}
    for place, node in enumerate(nodes):
        if node.operation == "compare":
            kinds = kinds_of([nodes[k] for k in sorted(reachable(nodes, [place]))])
            found = {name for name, kind in kinds.items() if kind == "integer"} & any_size
            if found:
                raise RefusedError(
                    f"not confirmed: {min(found)[:40]!r} is compared, which is any whole number"
                )


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
