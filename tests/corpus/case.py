"""What a chapter of the corpus is made of: claims, and implementations, right and wrong.

A chapter is a module beside this one with three names: `CLAIMS`, a list of claims (public API
only), and `RIGHT` and `WRONG`, lists of cases. `tests/test_corpus.py` runs them all: every wrong
one has to be rejected, no right one may be. `docs/kill-matrix.md` is made of the same lists.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from verimath import Route, autograd, numeric
from verimath.claim import ErrorClass


@dataclass(frozen=True)
class Case:
    """One implementation of a claim.

    `claim` is the claim's id. `kind` says what the function is: "numpy" and "torch" compute the
    claimed value from arrays of that library; "autograd" is torch code of the function whose
    gradient is claimed (a plain function, a module, or a custom Function's `apply`).

    `mistake` says in a few words what is wrong, `bait` why somebody might think it wrong (blocked
    sum, other order, half precision, ill-conditioned input, any subgradient, a rewrite).
    `error_class` is what the route declares. `options` are options of `check` that the case needs,
    such as {"dtype": "float16"} where it is right, or wrong, in that dtype alone.
    """

    claim: str
    name: str
    function: Callable[..., Any]
    kind: Literal["numpy", "torch", "autograd"] = "numpy"
    mistake: str = ""
    bait: str = ""
    options: tuple[tuple[str, Any], ...] = ()
    error_class: ErrorClass | None = None

    @property
    def route(self) -> Route:
        """The route to pass to `check`."""
        if self.kind == "autograd":
            return autograd(self.name, self.function, error_class=self.error_class)
        return numeric(self.name, self.function, library=self.kind, error_class=self.error_class)


def right(
    claim: str,
    name: str,
    function: Callable[..., Any],
    *,
    kind: Any = "numpy",
    bait: str = "",
    error_class: ErrorClass | None = None,
    **options: Any,
) -> Case:
    """A right implementation; `bait` if it looks wrong."""
    chosen = tuple(options.items())
    return Case(claim, name, function, kind, "", bait, chosen, error_class)


def wrong(
    claim: str,
    name: str,
    function: Callable[..., Any],
    mistake: str,
    *,
    kind: Any = "numpy",
    **options: Any,
) -> Case:
    """A wrong implementation, with what is wrong."""
    return Case(claim, name, function, kind, mistake=mistake, options=tuple(options.items()))
