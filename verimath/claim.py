"""Claims: a statement on a domain, with routes and mutants; frozen records of plain functions.

Every function of a claim takes the domain's inputs by position, in the domain's order. Formulas
(`of`, `equals`, `left`, `right`) are written against the array API standard; routes may use numpy
or torch as they like.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from verimath.domain import Domain
from verimath.errors import ClaimError
from verimath.tangent import PARTS, Part

Function = Callable[..., Any]
Library = Literal["numpy", "torch"]
Seeder = Callable[[int], object]
ErrorClass = Literal["componentwise", "normwise", "residual"]
ERROR_CLASSES: tuple[ErrorClass, ...] = ("componentwise", "normwise", "residual")

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")


@dataclass(frozen=True, slots=True)
class Derivative:
    """What `Gradient`, `Jacobian` and `Hessian` have in common: a derivative of `of` in `wrt`."""

    noun: ClassVar[str] = "derivative"

    of: Function
    wrt: str | tuple[str, ...]
    equals: Function

    @property
    def wrt_names(self) -> tuple[str, ...]:
        """The inputs differentiated in, always as a tuple."""
        return (self.wrt,) if isinstance(self.wrt, str) else tuple(self.wrt)

    def parts(self) -> tuple[Part | None, ...]:
        """What of each derivative isn't judged: nothing, unless a gradient says so."""
        return (None,) * len(self.wrt_names)


@dataclass(frozen=True, slots=True)
class Gradient(Derivative):
    """The gradient of the scalar formula `of` in input `wrt` is `equals`.

    `wrt` may be several names; `equals` then returns as many arrays, each of its input's shape.
    In a complex input z it is dL/d re + i dL/d im, the direction in which the real number L grows
    fastest: torch's convention (its notes on autograd mechanics, "Autograd for Complex Numbers"),
    twice the derivative in the conjugate of z of Wirtinger's calculus.
    `up_to` names, by input, a part that isn't determined because no input of the domain moves in
    it, and that isn't judged: "antisymmetric" of the gradient in a symmetric matrix, "above the
    diagonal" and "below the diagonal" in a triangular one, "constant along rows" in rows that sum
    to one (Horn and Johnson, *Matrix Analysis*, 2nd ed., section 0.6.4).
    """

    noun = "gradient"

    up_to: Mapping[str, str] = field(default_factory=dict[str, str])

    def parts(self) -> tuple[Part | None, ...]:
        """The part that isn't judged of every gradient."""
        return tuple(PARTS[self.up_to[n]] if n in self.up_to else None for n in self.wrt_names)


@dataclass(frozen=True, slots=True)
class Jacobian(Derivative):
    """The Jacobian of the formula `of`, of any shape, in input `wrt` is `equals`.

    Element [i, j] is the derivative of element i of `of` in element j of `wrt`, where i and j stand
    for as many indices as there are axes: the shape is that of `of` followed by that of `wrt`.
    `wrt` may be several names; `equals` then returns as many arrays.
    """

    noun = "Jacobian"


@dataclass(frozen=True, slots=True)
class Hessian(Derivative):
    """The Hessian of the scalar formula `of` in the one input `wrt` is `equals`.

    Element [i, j] is the second derivative in elements i and j of `wrt`: the shape is that of `wrt`
    twice, one after the other.
    """

    noun = "Hessian"


@dataclass(frozen=True, slots=True)
class Equal:
    """Formulas `left` and `right` have equal values everywhere on the domain.

    `by_induction` marks what `verimath.induction` makes: two equalities, a start and a step;
    `states` are then the start and the step of the state, and the relation.
    """

    left: Function
    right: Function
    by_induction: bool = False
    states: tuple[Function, Function, Function] | None = None


@dataclass(frozen=True, slots=True)
class AtMost:
    """Every element of the formula `of` is at most `bound` in absolute value."""

    of: Function
    bound: float


@dataclass(frozen=True, slots=True)
class Converges:
    """The iteration `step`, repeated on input `of`, tends to `to`, each step by `factor` closer.

    `step` takes all inputs and returns the next iterate, of the shape of `of`; the value of `of` is
    the start. `to` is the limit and `factor` the contraction factor, a 0-d array; neither depends
    on the value of `of`. At every point of the domain, with the maximum norm,

        step(to) = to,    0 <= factor < 1,    ||step(x) - to|| <= factor ||x - to||.

    Then k steps leave at most factor^k of the first error, and two close iterates are within
    factor / (1 - factor) times their distance of the limit (Saad, *Iterative Methods*, 2nd ed.,
    section 4.2; Higham, *Accuracy and Stability*, 2nd ed., chapter 17). Where `step` isn't affine
    in `of`, its values have to stay within the range of `of`, for which this is stated.
    """

    step: Function
    of: str
    to: Function
    factor: Function


Statement = Gradient | Jacobian | Hessian | Equal | AtMost | Converges
_STATEMENTS = (Gradient, Jacobian, Hessian, Equal, AtMost, Converges)


@dataclass(frozen=True, slots=True)
class Route:
    """One independent way to the value of a claim; made by `numeric` or `autograd`."""

    name: str
    kind: Literal["numeric", "autograd"]
    function: Function
    library: Library
    stateful: bool = False
    random: Seeder | None = None
    error_class: ErrorClass | None = None  # None: that of the claim


def numeric(
    name: str,
    function: Function,
    *,
    library: Library = "numpy",
    stateful: bool = False,
    random: Seeder | None = None,
    error_class: ErrorClass | None = None,
) -> Route:
    """Code that computes the claimed value itself, run on arrays of `library`.

    `stateful=True` declares that it remembers earlier calls on purpose, as a layer with running
    statistics does. `random` declares that it draws random numbers: a function of one whole number
    that seeds them, such as `torch.manual_seed`, called with the same number before every call.
    With either, results of repeated calls are judged by their values alone and not compared.

    `error_class` declares how its errors may be distributed (docs/bounds.md, "Error classes"), if
    not as the claim says: "componentwise", each element by itself; "normwise", every element as far
    as the largest (Strassen's products, convolutions by FFT); "residual", solutions of systems that
    are as good as elimination's (Oettli and Prager).

    Raises ClaimError if `function` or `random` can't be called or the library isn't known, or for
    an unknown `error_class`.
    """
    return _route(Route(name, "numeric", function, library, stateful, random, error_class))


def autograd(
    name: str,
    function: Function,
    *,
    stateful: bool = False,
    random: Seeder | None = None,
    error_class: ErrorClass | None = None,
) -> Route:
    """Torch code of the function whose derivative is claimed, such as a custom autograd.Function.

    Its value, its reverse-mode and its forward-mode derivative are judged, each as a route.
    An `nn.Module` is copied to the dtype and device at hand first. `stateful`, `random` and
    `error_class` are as in `numeric`.

    Raises ClaimError if `function` or `random` can't be called, or for an unknown `error_class`.
    """
    return _route(Route(name, "autograd", function, "torch", stateful, random, error_class))


def _route(route: Route) -> Route:
    name, function = route.name, route.function
    if not isinstance(name, str) or not name.strip():
        raise ClaimError(f"a route's name is a non-empty string, not {name!r}")
    if not callable(function):
        raise ClaimError(f"route {name!r}: {function!r} can't be called; wanted a function")
    if isinstance(function, type) and hasattr(function, "apply"):
        raise ClaimError(
            f"route {name!r}: {function.__name__} is a class; wanted {function.__name__}.apply"
        )
    if route.library not in ("numpy", "torch"):
        raise ClaimError(f"route {name!r}: library={route.library!r}; wanted 'numpy' or 'torch'")
    if not isinstance(route.stateful, bool):
        raise ClaimError(f"route {name!r}: stateful={route.stateful!r}; wanted True or False")
    if route.random is not None and not callable(route.random):
        raise ClaimError(
            f"route {name!r}: random={route.random!r}; wanted a function that seeds, such as "
            "torch.manual_seed"
        )
    if route.error_class is not None and route.error_class not in ERROR_CLASSES:
        raise ClaimError(
            f"route {name!r}: error_class={route.error_class!r}; wanted one of "
            f"{', '.join(map(repr, ERROR_CLASSES))}"
        )
    return route


@dataclass(frozen=True, kw_only=True, eq=False)
class Claim:
    """What is claimed, where, from which source, and whether it is expected to hold.

    `id` is lower-case words with hyphens. `expected="refuted"` marks a false claim, with the id of
    the true one in `repaired`. `routes` come beside the implied ones; `mutants` maps names to wrong
    siblings of the claimed formula, which the checks have to kill. `assume` lists hypotheses in
    words. `error_class` is that of routes and candidates that declare none (see `numeric`).

    Raises ClaimError, with the id, for anything malformed.
    """

    id: str
    title: str
    source: str
    domain: Domain
    statement: Statement
    routes: Sequence[Route] = ()
    mutants: Mapping[str, Function] = field(default_factory=dict[str, Function])
    expected: Literal["holds", "refuted"] = "holds"
    repaired: str | None = None
    assume: Sequence[str] = ()
    error_class: ErrorClass = "componentwise"

    def __post_init__(self) -> None:
        problem = _problem(self)
        if problem:
            raise ClaimError(f"claim {self.id!r}: {problem}")
        object.__setattr__(self, "routes", tuple(self.routes))
        object.__setattr__(self, "assume", tuple(self.assume))
        object.__setattr__(self, "mutants", MappingProxyType(dict(self.mutants)))


def _undetermined(statement: Gradient, domain: Domain) -> str:
    """What is wrong with the parts that a gradient isn't judged by, or an empty string."""
    if not isinstance(statement.up_to, Mapping):
        return f"up_to={statement.up_to!r}; wanted {{input: part}}"
    for name, what in statement.up_to.items():
        if name not in statement.wrt_names:
            return f"up_to names {name!r}, but the gradient is in {', '.join(statement.wrt_names)}"
        if what not in PARTS:
            return f"up_to={{{name!r}: {what!r}}}; wanted one of {', '.join(map(repr, PARTS))}"
        wanted, spec = PARTS[what].structures, domain.inputs[domain.arguments[name][0]]
        if spec.structure not in wanted:
            return (
                f"up_to={{{name!r}: {what!r}}}, but in {spec} a gradient has that part; it is "
                f"undetermined for {' or '.join(sorted(wanted))} inputs"
            )
    return ""


def _problem(claim: Claim) -> str:
    """The first thing that is wrong with a claim, or an empty string."""
    statement = claim.statement
    if not isinstance(claim.id, str) or not _ID.match(claim.id):
        return "an id is lower-case words joined by hyphens, such as 'mean-square-gradient'"
    for name in ("title", "source"):
        if not isinstance(getattr(claim, name), str) or not getattr(claim, name).strip():
            return f"the {name} is missing"
    if not isinstance(claim.domain, Domain):
        return f'domain={claim.domain!r}; wanted Domain(x=reals("n d"))'
    if not isinstance(statement, _STATEMENTS):
        names = ", ".join(kind.__name__ for kind in _STATEMENTS[:-1])
        return f"statement={statement!r}; wanted {names} or {_STATEMENTS[-1].__name__}"
    if isinstance(statement, Converges):
        functions = [statement.step, statement.to, statement.factor]
    else:
        fields = ("of", "equals", "left", "right")
        functions = [getattr(statement, n) for n in fields if hasattr(statement, n)]
    if not isinstance(claim.mutants, Mapping):
        return f"mutants={claim.mutants!r}; wanted {{name: function}}"
    if not all(callable(f) for f in (*functions, *claim.mutants.values())):
        return "every formula and mutant has to be a function"
    if isinstance(statement, Derivative):
        if not isinstance(statement.wrt, str | tuple | list):
            return f"wrt={statement.wrt!r}; wanted the name of an input, or several"
        missing = [name for name in statement.wrt_names if name not in claim.domain.arguments]
        if missing or not statement.wrt_names:
            return f"wrt={statement.wrt!r}, but the inputs are {', '.join(claim.domain.arguments)}"
        if len(set(statement.wrt_names)) < len(statement.wrt_names):
            return f"wrt={statement.wrt!r} names an input twice"
        pairs = [n for n in statement.wrt_names if len(claim.domain.arguments[n]) > 1]
        if pairs and not isinstance(statement, Gradient):
            return (
                f"wrt={statement.wrt!r}, but {pairs[0]} is complex; a {statement.noun} is in real "
                "inputs (state the gradient of a real number, or its real parts as inputs)"
            )
        real = [n for n in statement.wrt_names if n not in pairs]
        fixed = [n for n in real if claim.domain.inputs[n].kind != "real"]
        if fixed:
            return f"wrt={statement.wrt!r}, but {fixed[0]} holds no real numbers"
        if isinstance(statement, Hessian) and len(statement.wrt_names) > 1:
            return f"wrt={statement.wrt!r}; a Hessian is in one input"
        if isinstance(statement, Gradient):
            problem = _undetermined(statement, claim.domain)
            if problem:
                return problem
    if isinstance(statement, AtMost) and not (
        isinstance(statement.bound, int | float) and 0 <= statement.bound < float("inf")
    ):
        return f"bound={statement.bound!r}; wanted a finite number that is not negative"
    if isinstance(statement, Converges):
        if claim.domain.is_complex:
            return "Converges is for real inputs; wanted none that is complex"
        if not isinstance(statement.of, str) or statement.of not in claim.domain.inputs:
            return f"of={statement.of!r}, but the inputs are {', '.join(claim.domain.inputs)}"
        if claim.domain.inputs[statement.of].kind != "real":
            return f"of={statement.of!r}, but that input holds no real numbers"
    if isinstance(claim.assume, str) or not all(isinstance(text, str) for text in claim.assume):
        return f"assume={claim.assume!r}; wanted a list of hypotheses in words"
    if not isinstance(claim.routes, Sequence) or not all(
        isinstance(route, Route) for route in claim.routes
    ):
        return "routes is a list of what numeric(...) or autograd(...) made"
    names = [route.name for route in claim.routes]
    if len(set(names)) < len(names):
        return "two routes have the same name"
    if any(route.kind == "autograd" for route in claim.routes) and not isinstance(
        statement, Derivative
    ):
        return "an autograd route needs a Gradient, Jacobian or Hessian statement"
    if claim.error_class not in ERROR_CLASSES:
        return f"error_class={claim.error_class!r}; wanted one of {ERROR_CLASSES}"
    if claim.domain.is_complex:
        classes = [claim.error_class, *(route.error_class for route in claim.routes)]
        other = next((c for c in classes if c not in (None, "componentwise")), None)
        if other is not None:
            return f"error_class={other!r}; complex numbers are judged by part, 'componentwise'"
        if isinstance(statement, Equal) and statement.by_induction:
            return "an induction is over real inputs; state it for the parts"
    if claim.expected not in ("holds", "refuted"):
        return f"expected={claim.expected!r}; wanted 'holds' or 'refuted'"
    if claim.expected == "holds" and claim.repaired:
        return "repaired= belongs to a claim with expected='refuted'"
    return ""
