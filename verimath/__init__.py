"""verimath: state the mathematics once, judge every implementation against it.

The public names are resolved on first use, so that `import verimath` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verimath._engine import check, prove, verify
    from verimath.claim import (
        AtMost,
        Claim,
        Converges,
        Equal,
        Gradient,
        Hessian,
        Jacobian,
        Route,
        autograd,
        numeric,
    )
    from verimath.domain import Domain, complexes, given, reals
    from verimath.errors import (
        ClaimError,
        FormulaError,
        UnavailableError,
        UsageError,
        VerificationError,
        VerimathError,
    )
    from verimath.inputs import (
        binary,
        diagonally_dominant,
        distinct,
        integers,
        invertible,
        labels,
        masks,
        nonzero,
        one_hot,
        orthogonal,
        positive,
        signs,
        simplex,
        spd,
        symmetric,
        triangular,
        unit_interval,
        unit_vectors,
        well_conditioned,
    )
    from verimath.products import jvp, vjp
    from verimath.rechecking.checking import Recheck, recheck
    from verimath.recurrences import induction
    from verimath.report.record import Proof, Report, Status, Verdict, read_report

__version__ = "0.1.0"

_HOMES = {
    "verimath._engine": ("check", "prove", "verify"),
    "verimath.claim": (
        "AtMost",
        "Claim",
        "Converges",
        "Equal",
        "Gradient",
        "Hessian",
        "Jacobian",
        "Route",
        "autograd",
        "numeric",
    ),
    "verimath.domain": ("Domain", "complexes", "given", "reals"),
    "verimath.errors": (
        "ClaimError",
        "FormulaError",
        "UnavailableError",
        "UsageError",
        "VerificationError",
        "VerimathError",
    ),
    "verimath.rechecking.checking": ("Recheck", "recheck"),
    "verimath.products": ("jvp", "vjp"),
    "verimath.recurrences": ("induction",),
    "verimath.inputs": (
        "positive",
        "nonzero",
        "unit_interval",
        "distinct",
        "simplex",
        "one_hot",
        "unit_vectors",
        "binary",
        "signs",
        "masks",
        "integers",
        "labels",
        "spd",
        "invertible",
        "well_conditioned",
        "symmetric",
        "diagonally_dominant",
        "orthogonal",
        "triangular",
    ),
    "verimath.report.record": ("Proof", "Report", "Status", "Verdict", "read_report"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [  # noqa: RUF022 - in the order of the documentation
    "Claim",
    "Domain",
    "reals",
    "given",
    "complexes",
    "positive",
    "nonzero",
    "unit_interval",
    "distinct",
    "simplex",
    "one_hot",
    "unit_vectors",
    "binary",
    "signs",
    "masks",
    "integers",
    "labels",
    "spd",
    "invertible",
    "well_conditioned",
    "symmetric",
    "diagonally_dominant",
    "orthogonal",
    "triangular",
    "Gradient",
    "Jacobian",
    "Hessian",
    "jvp",
    "vjp",
    "Equal",
    "AtMost",
    "Converges",
    "induction",
    "Route",
    "numeric",
    "autograd",
    "check",
    "verify",
    "prove",
    "recheck",
    "Recheck",
    "Report",
    "Proof",
    "Verdict",
    "Status",
    "read_report",
    "VerimathError",
    "ClaimError",
    "FormulaError",
    "UsageError",
    "UnavailableError",
    "VerificationError",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'verimath' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
