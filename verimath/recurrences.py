"""Statements about recurrences, for every number of steps: a start, and a step that keeps it."""

from typing import Any

from verimath.claim import Equal, Function
from verimath.errors import ClaimError, FormulaError
from verimath.shapes import Size, case_of, shape_text

Recurrence = tuple[Function, Function]


def induction(*, left: Recurrence, right: Recurrence, relation: Function) -> Equal:
    """Two recurrences stay related, however many steps they take: L_k = relation(R_k), for all k.

    `left` is a start and a step, L_0 = start(inputs) and L_{k+1} = step(L_k, inputs); `right` makes
    R_k alike. The domain's first input is R_k, a state that may be anything; the other inputs are
    what starts, steps and the relation take after the state, in their order. A new one may come
    with every step, as the weights of a layer do, unless the relation takes it into account: that
    one is the same at every step, which a proof names as its hypothesis.

    What is stated, checked and proved are the two equalities of an induction:

        start(inputs) = relation(start'(inputs), inputs)
        step(relation(R, inputs), inputs) = relation(step'(R, inputs), inputs)   for every R

    Where both are proved for all shapes, the claim is for all depths. That a network with identity
    activations is X times the product of its weights, at every depth:

        Claim(
            domain=Domain(M=reals("d a"), X=reals("n d"), W=reals("a b")), ...
            statement=induction(
                left=(lambda X, W: X, lambda H, X, W: H @ W),
                right=(lambda X, W: identity of d, lambda M, X, W: M @ W),
                relation=lambda M, X, W: X @ M,
            ),
        )

    Raises ClaimError for recurrences that are no pairs of functions. A claim whose start or step on
    the right gives arrays that the domain's shape of the state doesn't cover can't be prepared.
    """
    for name, pair in (("left", left), ("right", right)):
        if not isinstance(pair, tuple) or len(pair) != 2 or not all(map(callable, pair)):
            raise ClaimError(f"{name}={pair!r}; wanted two functions, (start, step)")
    if not callable(relation):
        raise ClaimError(f"relation={relation!r}; wanted a function of the state and the inputs")

    def of_left(state: Any, *inputs: Any) -> tuple[Any, Any]:
        start, step = left
        return start(*inputs), step(relation(state, *inputs), *inputs)

    def of_right(state: Any, *inputs: Any) -> tuple[Any, Any]:
        start, step = right
        first, after = start(*inputs), step(state, *inputs)
        _check_state(state, first, "start")
        _check_state(state, after, "step")
        return relation(first, *inputs), relation(after, *inputs)

    return Equal(left=of_left, right=of_right, by_induction=True, states=(*right, relation))


def _check_state(state: Any, found: Any, what: str) -> None:
    """Refuse a start or a step that leads out of the shapes for which the step is stated.

    Sizes are compared where formulas are traced. Names stand for any size, the same one each.
    """
    if not hasattr(state, "node"):
        return  # an array of numbers, whose shape says nothing of other shapes
    declared, given = _sizes(state), _sizes(found)
    if case_of(declared, given) is None:
        raise FormulaError(
            f"the {what} on the right gives an array of shape {shape_text(given)}, but the state "
            f"is any array of shape {shape_text(declared)} in the domain; give the state a shape "
            "of which that is a case"
        )


def _sizes(x: Any) -> tuple[Size, ...]:
    # A symbolic dimension keeps its size as `size`.
    return tuple(Size.of(getattr(axis, "size", axis)) for axis in getattr(x, "shape", ()))
