"""Independent ways to the value of a claim: which there are, and how one is run on an example.

`cells` lists route x backend x dtype without running or importing anything heavy. Formulas and
numeric routes run in `execute`; `autograd` holds torch's two modes, `symbolic` sympy's derivation.
None of them imports the reference's derivation or its bounds (an import contract).
"""

import copy
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from verimath.backends import Backend
from verimath.claim import (
    AtMost,
    Claim,
    Converges,
    Derivative,
    Equal,
    ErrorClass,
    Function,
    Hessian,
    Jacobian,
    Library,
    Route,
    Seeder,
    Statement,
)
from verimath.convergence.functions import at_the_limit
from verimath.dtypes import DTYPES
from verimath.errors import ClaimError
from verimath.tangent import Part

Derived = Literal["gradient", "jacobian", "hessian"]
Kind = Literal[
    "formula", "numeric", "reverse", "forward", "value", "sympy", "iteration", "contraction"
]


@dataclass(frozen=True, slots=True)
class Way:
    """A route as it is run; `kind` says how, `side` whose word it is.

    An "iteration" is run with its function, a step, repeated; a "contraction" isn't run: it stands
    for what is stated of steps, which enclosures decide. `derived` is what the kinds "reverse" and
    "forward" make of the function.
    """

    name: str
    kind: Kind
    function: Function
    libraries: tuple[Library, ...]
    dtypes: tuple[str, ...] = DTYPES
    side: Literal["claim", "reference", "candidate"] = "reference"
    standard: bool = False  # a formula of the claim, written against the array API standard
    stateful: bool = False  # declared: it remembers earlier calls
    random: Seeder | None = None  # declared: seeds what it draws from
    derived: Derived = "gradient"
    error_class: ErrorClass = "componentwise"  # declared, by it or by its claim
    parts: tuple[Part | None, ...] = ()  # of its results, that aren't judged


@dataclass(frozen=True, slots=True)
class Cell:
    """One way on one backend in one dtype; `together` takes many directions at once, if it may."""

    way: Way
    backend: Backend
    dtype: str
    together: bool = True


_ALL: tuple[Library, ...] = ("numpy", "torch")
_TORCH_MODES = ("torch reverse mode", "torch forward mode")


def derived_by(statement: Statement) -> Derived:
    """Which derivative a statement speaks of."""
    if isinstance(statement, Jacobian):
        return "jacobian"
    return "hessian" if isinstance(statement, Hessian) else "gradient"


def parts_of(statement: Statement) -> tuple[Part | None, ...]:
    """What of each result isn't judged."""
    return statement.parts() if isinstance(statement, Derivative) else ()


def implied_ways(claim: Claim) -> tuple[Way, ...]:
    """The routes that every claim of this kind has, before those it declares."""
    match claim.statement:
        case Derivative() as statement:
            of, equals = statement.of, statement.equals
            what, modes, parts = derived_by(statement), _TORCH_MODES, statement.parts()
            if what == "hessian":
                modes = ("torch reverse over reverse", "torch forward over reverse")
            return (
                Way("sympy", "sympy", of, ("numpy",), ("float64",)),
                Way(
                    "closed form",
                    "formula",
                    equals,
                    _ALL,
                    side="claim",
                    standard=True,
                    parts=parts,
                ),
                *(
                    Way(mode, kind, of, ("torch",), standard=True, derived=what, parts=parts)
                    for mode, kind in zip(modes, ("reverse", "forward"), strict=True)
                ),
            )
        case Equal(left=left, right=right):
            return (
                Way("sympy", "sympy", left, ("numpy",), ("float64",)),
                Way("left side", "formula", left, _ALL, standard=True),
                Way("right side", "formula", right, _ALL, side="claim", standard=True),
            )
        case AtMost(of=of):
            return (
                Way("sympy", "sympy", of, ("numpy",), ("float64",), side="claim"),
                Way("formula", "formula", of, _ALL, side="claim", standard=True),
            )
        case Converges(step=step, of=of, to=to):
            stays = at_the_limit(step, to, list(claim.domain.inputs).index(of))
            return (
                Way("sympy", "sympy", to, ("numpy",), ("float64",)),
                Way("the limit", "formula", to, _ALL, standard=True),
                Way("a step from the limit", "formula", stays, _ALL, side="claim", standard=True),
                Way("iteration", "iteration", step, _ALL, side="claim", standard=True),
                Way(
                    "contraction",
                    "contraction",
                    step,
                    ("numpy",),
                    ("float64",),
                    side="claim",
                    standard=True,
                ),
            )


_MODES: tuple[tuple[Kind, str], ...] = (
    ("value", "value"),
    ("reverse", "reverse mode"),
    ("forward", "forward mode"),
)


def declared_ways(
    routes: Sequence[Route],
    *,
    side: Literal["reference", "candidate"],
    derived: Derived = "gradient",
    error_class: ErrorClass = "componentwise",
    parts: tuple[Part | None, ...] = (),
) -> list[Way]:
    """The ways of routes that a claim declares or a caller brings, with the claim's error class."""
    ways: list[Way] = []
    for route in routes:
        way = Way(
            route.name,
            "numeric",
            route.function,
            (route.library,),
            side=side,
            stateful=route.stateful,
            random=route.random,
            derived=derived,
            error_class=route.error_class or error_class,
            parts=parts,
        )
        if route.kind == "numeric":
            ways.append(way)
        else:
            ways += [
                replace(
                    way,
                    name=f"{route.name}: {suffix}",
                    kind=kind,
                    parts=() if kind == "value" else parts,
                )
                for kind, suffix in _MODES
            ]
    return ways


def ways_of(claim: Claim) -> tuple[Way, ...]:
    """The ways that a claim has by itself.

    Raises ClaimError if a route of the claim bears the name of an implied one.
    """
    implied, derived = implied_ways(claim), derived_by(claim.statement)
    declared = declared_ways(
        claim.routes,
        side="reference",
        derived=derived,
        error_class=claim.error_class,
        parts=parts_of(claim.statement),
    )
    clash = {way.name for way in implied} & {way.name for way in declared}
    if clash:
        raise ClaimError(f"claim {claim.id!r}: every such claim has a route {min(clash)!r} already")
    return (*implied, *declared)


def cells(
    ways: Sequence[Way], backends: Sequence[Backend], dtypes: Sequence[str]
) -> tuple[Cell, ...]:
    """Every way on every backend of its libraries, in every dtype that all three know."""
    return tuple(
        Cell(_placed(way, backend, dtype), backend, dtype)
        for way in ways
        for backend in backends
        if backend.library in way.libraries
        and (way.kind not in ("sympy", "contraction") or backend.name == "numpy")
        for dtype in dtypes
        if dtype in way.dtypes and dtype in backend.dtypes
    )


def _placed(way: Way, backend: Backend, dtype: str) -> Way:
    """The way with a module's parameters and buffers where, and in the dtype that, it is run in.

    A copy per cell, so that neither the caller's module nor another cell's state changes.
    """
    torch = sys.modules.get("torch")  # who has a module has imported torch
    module: Any = way.function
    if torch is None or not isinstance(module, torch.nn.Module) or backend.why_unavailable():
        return way
    try:
        module = copy.deepcopy(module).to(device=backend.device, dtype=getattr(torch, dtype))
    except Exception:  # noqa: BLE001 - a module's own code; what is wrong shows when it is called
        return way
    return replace(way, function=module)
