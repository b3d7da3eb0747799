"""Proofs and refutations as records that `verimath recheck` reads (`report/certificate.py`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from pydantic import JsonValue

from verimath.domain import Input
from verimath.formula.graph import Node, topological
from verimath.formula.literals import Constant, read_literal
from verimath.proof.excess import Excess
from verimath.proof.identity import Identity, Known, is_positive
from verimath.proof.refute import Witness
from verimath.report.certificate import (
    BoundCertificate,
    CounterexampleCertificate,
    DerivationCertificate,
    DerivativeRecord,
    EvaluationCertificate,
    ExcessCertificate,
    InputRecord,
    NodeRecord,
    PointRecord,
)

Pairs = Sequence[tuple[Node, Node]]


@dataclass(frozen=True, slots=True)
class Derived:
    """That core nodes are the derivative of a primal one; see `DerivativeRecord`."""

    kind: str
    primal: Node
    wrt: tuple[str, ...]
    nodes: tuple[Node, ...]


class _Graph:
    """Nodes by their place in a list, each after its inputs."""

    def __init__(self, pairs: Pairs, derivative: Derived | None) -> None:
        outputs = [node for pair in pairs for node in pair]
        if derivative is not None:
            outputs += [derivative.primal, *derivative.nodes]
        nodes = topological(tuple(outputs))
        self.place = {node: k for k, node in enumerate(nodes)}
        self.records = tuple(self._record(node) for node in nodes)
        self.pairs = tuple((self.place[a], self.place[b]) for a, b in pairs)
        self.derivative = None
        if derivative is not None:
            self.derivative = DerivativeRecord(
                kind=derivative.kind,  # pyright: ignore[reportArgumentType]
                primal=self.place[derivative.primal],
                wrt=derivative.wrt,
                nodes=tuple(self.place[node] for node in derivative.nodes),
            )

    def _record(self, node: Node) -> NodeRecord:
        return NodeRecord(
            operation=node.operation,
            inputs=tuple(self.place[x] for x in node.inputs),
            shape=tuple(str(size) for size in node.shape),
            parameter=_parameter(node),
            kind=node.kind,
        )


def _parameter(node: Node) -> JsonValue:
    given = node.parameter
    match node.operation:
        case "constant":
            return _constant(given)
        case "table":
            return _table(given)
        case "size" | "power" | "einsum":
            return str(given)
        case "cumulative":
            return [int(given[0]), bool(given[1])]
        case "subgradient" if given not in ("step", "tie"):
            return ["share", int(given[1])]
        case _:
            return given


def _constant(constant: Constant) -> JsonValue:
    if constant.is_rational:
        return {"factor": str(constant.factor)}
    if constant.unit == "sqrt":
        return {"factor": str(constant.factor), "sqrt": str(constant.radicand)}
    return {"factor": str(constant.factor), "unit": constant.unit}


def _table(cells: object) -> JsonValue:
    if isinstance(cells, Constant):
        return _constant(cells)
    assert isinstance(cells, tuple)  # a table is nested tuples of constants
    return [_table(cell) for cell in cells]


def _inputs(identity: Identity) -> tuple[InputRecord, ...]:
    return tuple(
        InputRecord(
            name=name,
            shape=tuple(str(size) for size in identity.shapes[name]),
            positive=is_positive(spec),
            classes=None if spec.classes is None else str(spec.classes),
            ignored=spec.ignore_index,
            values=_values(spec),
        )
        for name, spec in identity.inputs.items()
    )


def _values(spec: Input) -> tuple[str, ...] | None:
    if spec.values is None:
        return None
    return tuple(str(read_literal(float(x)).factor) for x in np.ravel(spec.values))


def of_evaluation(
    identity: Identity, known: Known, derivative: Derived | None
) -> EvaluationCertificate:
    """What exact evaluation at random points showed."""
    graph = _Graph(known.pairs, derivative)
    sizes = None
    if known.bounds is not None:
        first, last = known.bounds.first, known.bounds.largest
        sizes = {name: (first[name], last[name]) for name in last}
    return EvaluationCertificate(
        graph=graph.records,
        inputs=_inputs(identity),
        pairs=graph.pairs,
        derivative=graph.derivative,
        sizes=sizes,
        bindings=() if sizes is not None else tuple(dict(b) for b in known.bindings),
        failure_bits=known.failure_bits,
    )


def of_derivation(
    identity: Identity, pairs: Pairs, steps: JsonValue, derivative: Derived | None
) -> DerivationCertificate:
    """A rewriting of left - right to nothing."""
    graph = _Graph(pairs, derivative)
    return DerivationCertificate(
        graph=graph.records,
        inputs=_inputs(identity),
        pairs=graph.pairs,
        derivative=graph.derivative,
        steps=steps,
    )


def of_witness(
    identity: Identity, witness: Witness, derivative: Derived | None
) -> CounterexampleCertificate:
    """A point at which the two sides certainly differ."""
    graph = _Graph(witness.pairs, derivative)
    return CounterexampleCertificate(
        graph=graph.records,
        inputs=_inputs(identity),
        pairs=graph.pairs,
        derivative=graph.derivative,
        sizes=dict(witness.binding),
        point=_point(witness.point),
        output=witness.output,
        index=witness.index,
        left=witness.left,
        right=witness.right,
        low=witness.low,
        high=witness.high,
    )


def of_bound(identity: Identity, nodes: Sequence[Node], bound: Fraction) -> BoundCertificate:
    """A bound on what given numbers come to."""
    graph = _Graph([(node, node) for node in nodes], None)
    return BoundCertificate(
        graph=graph.records,
        inputs=_inputs(identity),
        nodes=tuple(place for place, _ in graph.pairs),
        bound=str(bound),
    )


def of_excess(identity: Identity, excess: Excess, bound: Fraction) -> ExcessCertificate:
    """A point at which an element is certainly beyond a bound."""
    graph = _Graph([(node, node) for node in excess.nodes], None)
    return ExcessCertificate(
        graph=graph.records,
        inputs=_inputs(identity),
        nodes=tuple(place for place, _ in graph.pairs),
        sizes=dict(excess.binding),
        point=_point(excess.point),
        output=excess.output,
        index=excess.index,
        value=excess.value,
        bound=str(bound),
    )


def _point(point: Mapping[str, np.ndarray]) -> tuple[PointRecord, ...]:
    return tuple(
        PointRecord(
            name=name, shape=tuple(cells.shape), values=tuple(str(x) for x in cells.ravel())
        )
        for name, cells in point.items()
    )
