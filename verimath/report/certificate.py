"""Certificates: what a proof or a refutation rests on, so that somebody else can check it.

Formulas are lists of nodes in core operations (`docs/certificates.md` lists them with what they
mean); a node refers to earlier ones by their place. Numbers are fractions in decimal digits, "2/3".
The prover writes these records, `verimath recheck` reads them, and that is all the two share.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NodeRecord(_Part):
    """One operation on earlier nodes; sizes of axes are polynomials in names, such as "2*n+1"."""

    operation: str
    inputs: tuple[int, ...] = ()
    shape: tuple[str, ...] = ()
    parameter: JsonValue = None
    kind: Literal["real", "integer", "boolean"] = "real"


class InputRecord(_Part):
    """What is known of an input: nothing but its shape, unless the fields say so.

    `classes` is the size below which labels are, `ignored` one more number that they may be,
    `values` the numbers of a given input in C order.
    """

    name: str
    shape: tuple[str, ...]
    positive: bool = False
    classes: str | None = None
    ignored: int | None = None
    values: tuple[str, ...] | None = None


class DerivativeRecord(_Part):
    """That nodes are the derivative of another one, by inputs that are free here.

    "gradient": as many nodes as `wrt`, each of its input's shape. "jacobian" and "hessian": of the
    shape of the value, or of the input, followed by that of the input.
    """

    kind: Literal["gradient", "jacobian", "hessian"]
    primal: int
    wrt: tuple[str, ...]
    nodes: tuple[int, ...]


class EvaluationCertificate(_Part):
    """Pairs of nodes agree at random points of a prime field.

    At every size between the first and the last of `sizes`, which shows `all_shapes_randomised`;
    else at the bindings, which shows `exact_at_shapes`.
    """

    kind: Literal["evaluation"] = "evaluation"
    graph: tuple[NodeRecord, ...]
    inputs: tuple[InputRecord, ...]
    pairs: tuple[tuple[int, int], ...]
    derivative: DerivativeRecord | None = None
    sizes: dict[str, tuple[int, int]] | None = None
    bindings: tuple[dict[str, int], ...] = ()
    failure_bits: float


class PointRecord(_Part):
    """An array of rational numbers, in C order."""

    name: str
    shape: tuple[int, ...]
    values: tuple[str, ...]


class CounterexampleCertificate(_Part):
    """A point at which the first node of a pair minus the second is between `low` and `high`."""

    kind: Literal["counterexample"] = "counterexample"
    graph: tuple[NodeRecord, ...]
    inputs: tuple[InputRecord, ...]
    pairs: tuple[tuple[int, int], ...]
    derivative: DerivativeRecord | None = None
    sizes: dict[str, int]
    point: tuple[PointRecord, ...]
    output: int
    index: tuple[int, ...]
    left: str
    right: str
    low: str
    high: str


class ExcessCertificate(_Part):
    """A point at which one element of a node is larger in magnitude than the bound.

    `output` is the node's place among `nodes`, `value` the element in short.
    """

    kind: Literal["excess"] = "excess"
    graph: tuple[NodeRecord, ...]
    inputs: tuple[InputRecord, ...]
    nodes: tuple[int, ...]
    sizes: dict[str, int]
    point: tuple[PointRecord, ...]
    output: int
    index: tuple[int, ...]
    value: str
    bound: str


class BoundCertificate(_Part):
    """Every element of the nodes, at the given numbers, is at most the bound in magnitude."""

    kind: Literal["bound"] = "bound"
    graph: tuple[NodeRecord, ...]
    inputs: tuple[InputRecord, ...]
    nodes: tuple[int, ...]
    bound: str


class DerivationCertificate(_Part):
    """A sequence of expressions from left - right to nothing, each by one rule."""

    kind: Literal["derivation"] = "derivation"
    graph: tuple[NodeRecord, ...]
    inputs: tuple[InputRecord, ...]
    pairs: tuple[tuple[int, int], ...]
    derivative: DerivativeRecord | None = None
    steps: JsonValue


class InductionCertificate(_Part):
    """What holds at the start and is kept by every step holds at every depth."""

    kind: Literal["induction"] = "induction"
    base: "tuple[Certificate, ...]"
    step: "tuple[Certificate, ...]"


Certificate = Annotated[
    EvaluationCertificate
    | CounterexampleCertificate
    | ExcessCertificate
    | BoundCertificate
    | DerivationCertificate
    | InductionCertificate,
    Field(discriminator="kind"),
]
InductionCertificate.model_rebuild()
