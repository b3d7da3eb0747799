"""The data model of `report.json`: frozen records, JSON both ways, no truth value.

Everything else (page, table, exit code) is a function of these records, so a report can be drawn
again anywhere from its file. Floats that JSON can't hold are written as the strings "NaN",
"Infinity" and "-Infinity", never as null.
"""

from enum import StrEnum
from pathlib import Path
from typing import Literal, NoReturn

from pydantic import BaseModel, ConfigDict, ValidationError

from verimath.errors import UsageError
from verimath.report.certificate import Certificate

SCHEMA_VERSION = 1


class Status(StrEnum):
    """Outcome of one claim x route x backend x dtype."""

    PASS = "pass"  # every compared element lies within its bound
    LESS_ACCURATE = "less_accurate"  # beyond the bound, within the envelope of stable reorderings
    WRONG = "wrong"  # another function, or a behaviour fault
    INCONCLUSIVE = "inconclusive"  # nothing could be told apart at this precision
    ERROR = "error"  # the code under test raised or returned nonsense
    SKIPPED = "skipped"  # not run, with the reason


Expected = Literal["holds", "refuted"]
Outcome = Literal["as_expected", "not_as_expected", "undecided"]
ProofLabel = Literal[
    "none",
    "sampled",
    "exact_at_shapes",
    "all_shapes_randomised",
    "all_shapes_derivation",
    "all_depths",
    "refuted",
]
Defect = Literal[
    "value",
    "shape",
    "dtype",
    "device",
    "nonfinite",
    "mutates_input",
    "mutates_cotangent",
    "aliases",
    "nondeterministic",
    "stateful",
    "layout",
    "second_derivative",
    "forward_mode",
    "raises",
]


class Record(BaseModel):
    """A frozen record without a truth value, so that it can't be asserted by accident."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    def __bool__(self) -> NoReturn:
        """Raise TypeError: a record is neither true nor false."""
        raise TypeError(
            f"a {type(self).__name__} has no truth value; look at its fields "
            "(`.status`, `.outcome`, `.summary`) instead"
        )


class Array(Record):
    """An array of a counterexample, for people (`text`) and exact (`hex`)."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    text: str  # for people: short decimals
    hex: tuple[str, ...]  # exact: C order, as float.hex(); of a complex number both parts


class Counterexample(Record):
    """The smallest example found on which a route is not what the claim wants."""

    sizes: dict[str, int]
    inputs: tuple[Array, ...]
    differing: int  # elements that differ by more than is allowed
    compared: int
    output: str  # which of the results, e.g. "dj/dx"
    index: tuple[int, ...]  # where the difference is worst
    got: float
    want: float
    exact: str | None = None  # what balls around real numbers say of it, where they tell
    allowed: float
    limit: float | None = None  # beyond this no rearrangement of the same formula gets
    script: str  # plain Python that shows it again without verimath


class Verdict(Record):
    """Outcome of one route on one backend in one dtype."""

    route: str
    backend: str
    dtype: str
    status: Status
    defect: Defect | None = None
    reason: str | None = None
    diagnosis: str | None = None
    error_class: Literal["componentwise", "normwise", "residual"] = "componentwise"
    examples: int = 0
    elements: int = 0
    worst_ratio: float | None = None  # error / bound
    floor: float | None = None  # relative change of one element that is certainly caught (median)
    counterexample: Counterexample | None = None


class Step(Record):
    """One line of a derivation: a local derivative, its rule, and whether its own check held."""

    rule: str
    tex: str
    checked: bool
    remark: str | None = None  # what the check found, if it failed


class Proof(Record):
    """What is known beyond the examples; `label` is a rung of the proof ladder or "none"."""

    label: ProofLabel
    failure_bits: float | None = None  # -log2 of the probability that the proof is wrong
    shapes: tuple[str, ...] = ()
    hypotheses: tuple[str, ...] = ()
    axioms: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()  # of rewriting, where that is what proves
    steps: tuple[Step, ...] = ()
    finding: str | None = None  # why it is no more than this, or what refutes the claim
    certificate: tuple[Certificate, ...] = ()  # one per choice of ranks


class Mutant(Record):
    """A known-wrong sibling of the claimed formula; it must be killed."""

    name: str
    killed_by: str | None
    not_separable_in: tuple[str, ...] = ()


class ClaimRecord(Record):
    """One claim: what it says, how it came out, and every verdict."""

    id: str
    title: str
    source: str
    statement: str  # TeX
    domain: str
    expected: Expected
    outcome: Outcome
    reason: str
    repaired: str | None = None  # for a false claim, the id of the true one
    assumptions: tuple[str, ...] = ()
    proof: Proof
    mutants: tuple[Mutant, ...]
    verdicts: tuple[Verdict, ...]


class Environment(Record):
    """Where the run took place."""

    verimath: str
    python: str
    platform: str
    processor: str
    libraries: dict[str, str]
    backends: dict[str, str]  # name -> "ready" or why it isn't
    settings: dict[str, str]


class Summary(Record):
    """Counts over the whole run."""

    claims: int
    as_expected: int
    not_as_expected: int
    undecided: int
    verdicts: dict[str, int]  # status -> count
    examples: int
    elements: int


class Timing(Record):
    """When and how long; the only part that differs between runs of one seed."""

    started: str  # ISO 8601, UTC
    seconds: float
    claims: dict[str, float]  # id -> seconds


class Report(Record):
    """Everything a run found. `write` and `read_report` are exact inverses."""

    schema_version: Literal[1] = SCHEMA_VERSION
    seed: int
    environment: Environment
    summary: Summary
    claims: tuple[ClaimRecord, ...]
    timing: Timing

    def to_json(self) -> str:
        """The report as JSON text, indented, with a final newline."""
        return self.model_dump_json(indent=2) + "\n"


def read_report(path: Path) -> Report:
    """Read a report.json.

    Raises UsageError if the file can't be read or is no verimath report.
    """
    try:
        return Report.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(
            f"{path}: can't be read ({error.strerror}); wanted a report.json"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise UsageError(
            f"{path}: no report of schema version {SCHEMA_VERSION}: {where}: {first['msg']}; "
            "wanted a report.json as `verimath verify` writes it"
        ) from None
