"""Statements about products with a Jacobian, without forming it: vector times it, it times vector.

Griewank and Walther, *Evaluating Derivatives*, 2nd ed., sections 3.1 and 3.2: forward mode is the
derivative along a curve, reverse mode the gradient of a weighted sum.
"""

from typing import Any

from array_api_compat import array_namespace

from verimath.claim import Function, Gradient, Jacobian
from verimath.errors import ClaimError


def vjp(*, of: Function, wrt: str | tuple[str, ...], equals: Function) -> Gradient:
    """The vector-Jacobian product: the gradient of sum(c * of(x, ...)) in `wrt` is `equals`.

    The domain's last input is the cotangent c, of the shape of the result; `of` takes the inputs
    before it, `equals` all of them. What `wrt` and `equals` are is as in `Gradient`:

        Claim(
            domain=Domain(x=reals("n"), W=reals("m n"), c=reals("m")), ...
            statement=vjp(of=lambda x, W: W @ x, wrt="x", equals=lambda x, W, c: W.T @ c),
        )

    Raises ClaimError if one of the two can't be called.
    """
    _check(of=of, equals=equals)

    def weighted(*inputs: Any) -> Any:
        *points, cotangent = inputs
        y = of(*points)
        return array_namespace(y).sum(cotangent * y)

    return Gradient(of=weighted, wrt=wrt, equals=equals)


def jvp(*, of: Function, equals: Function, along: str = "t") -> Jacobian:
    """The Jacobian-vector product: the derivative of of(x + t v, ...) in t, at t = 0, is `equals`.

    The domain's first input is x, the last but one is the tangent v, of its shape, and the last is
    `given(0.0)` under the name `along`. `of` takes the inputs before v, `equals` all but the last:

        Claim(
            domain=Domain(x=reals("n"), W=reals("m n"), v=reals("n"), t=given(0.0)), ...
            statement=jvp(of=lambda x, W: W @ x, equals=lambda x, W, v: W @ v),
        )

    Raises ClaimError if one of the two can't be called. An `along` that is no input of the domain
    is refused with the claim.
    """
    _check(of=of, equals=equals)

    def moved(*inputs: Any) -> Any:
        x, *others, tangent, t = inputs
        return of(x + t * tangent, *others)

    def product(*inputs: Any) -> Any:
        return equals(*inputs[:-1])

    return Jacobian(of=moved, wrt=along, equals=product)


def _check(**functions: Function) -> None:
    for name, function in functions.items():
        if not callable(function):
            raise ClaimError(f"{name}={function!r}; wanted a function of the domain's inputs")
