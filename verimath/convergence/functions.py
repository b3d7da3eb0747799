"""What an iteration's statement asks for, as formulas: its limit, its rate, and its steps repeated.

`Converges` gives a step, the input that is the iterate, the limit and the contraction factor. Made
of them are the functions here, of the same inputs; they are traced, run on every backend and copied
into scripts as a claim's own formulas are.
"""

from typing import Any

from array_api_compat import array_namespace

from verimath.claim import Function


def at_the_limit(step: Function, to: Function, place: int) -> Function:
    """A step from the limit: there it stays. `place` is the iterate's among the inputs."""

    def step_at_the_limit(*inputs: Any) -> Any:
        return step(*inputs[:place], to(*inputs), *inputs[place + 1 :])

    return step_at_the_limit


def off_the_limit(step: Function, to: Function, place: int) -> Function:
    """How far a step from the limit leads away from it, element by element."""
    stays = at_the_limit(step, to, place)

    def away(*inputs: Any) -> Any:
        return stays(*inputs) - to(*inputs)

    return away


def beyond_the_factor(step: Function, to: Function, factor: Function, place: int) -> Function:
    """How much further from the limit a step leads than the contraction factor allows; or zero."""

    def excess(*inputs: Any) -> Any:
        xp, limit = array_namespace(inputs[place]), to(*inputs)
        after = xp.max(xp.abs(step(*inputs) - limit))
        before = xp.max(xp.abs(inputs[place] - limit))
        beyond = after - factor(*inputs) * before
        return xp.maximum(beyond, 0 * beyond)

    return excess


def repeated(step: Function, place: int, count: int) -> Function:
    """The iterate after so many steps."""

    def iteration(*inputs: Any) -> Any:
        x = inputs[place]
        for _ in range(count):
            x = step(*inputs[:place], x, *inputs[place + 1 :])
        return x

    return iteration


def until_still(step: Function, place: int, count: int) -> Function:
    """The same iterate as that of `repeated`: where a step changes nothing, no further one will."""

    def iteration(*inputs: Any) -> Any:
        x = inputs[place]
        xp = array_namespace(x)
        for _ in range(count):
            before, x = x, step(*inputs[:place], x, *inputs[place + 1 :])
            still = xp.all(xp.equal(before, x))
            if bool(getattr(still, "tensor", still)):
                break
        return x

    return iteration
