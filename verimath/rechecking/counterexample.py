"""Whether a point is a counterexample: both sides in rational numbers, or in balls around them."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import flint
import numpy as np

from verimath.rechecking.derivative import check_form, true_derivative
from verimath.rechecking.evaluate import evaluate
from verimath.rechecking.graph import Node, read_graph
from verimath.rechecking.limits import DIGITS, SIZE, Budget, RefusedError
from verimath.rechecking.plain import check_elements, objects
from verimath.rechecking.polynomials import fraction, polynomial, value
from verimath.rechecking.reals import OutsideError, Reals, contains_zero, given, rational
from verimath.rechecking.sizing import kinds_of
from verimath.report.certificate import CounterexampleCertificate, ExcessCertificate

_BITS = (128, 512, 2048, 8192)


def check_counterexample(part: CounterexampleCertificate) -> str:
    """What was found, in short.

    Raises RefusedError where the two sides may be equal at the point, or differ by something else.
    """
    nodes = read_graph(part.graph, part.inputs, ties=True)
    inputs = point_of(part, kinds_of(nodes))
    if not 0 <= part.output < len(part.pairs):
        raise RefusedError(f"there is no pair {part.output}")
    first, second = part.pairs[part.output]
    for place in (first, second):
        if not 0 <= place < len(nodes):
            raise RefusedError(f"there is no node {place}")
    if nodes[first].shape != nodes[second].shape:
        raise RefusedError("the two sides have different shapes")
    low, high = _decimal(part.low), _decimal(part.high)
    if not (low <= high and (low > 0 or high < 0)):
        raise RefusedError(f"{part.low[:30]} to {part.high[:30]} doesn't exclude zero")
    for bits in _BITS:
        with flint.ctx.workprec(bits):
            if _holds(part, nodes, inputs, (first, second), (low, high)):
                break
    else:
        raise RefusedError(f"not confirmed: {_BITS[-1]} bits don't decide it")
    where = " ".join(f"{name}={size}" for name, size in sorted(part.sizes.items()))
    return f"the sides differ at a point{' with ' + where if where else ''}"


def _holds(
    part: CounterexampleCertificate,
    nodes: Sequence[Node],
    inputs: Mapping[str, Any],
    pair: tuple[int, int],
    ends: tuple[Fraction, Fraction],
) -> bool:
    """Whether it does; False where these bits don't decide it."""
    budget, numbers = Budget(), Reals()
    try:
        values = evaluate(nodes, numbers, part.sizes, inputs, budget, pair)
        left, right = (element_of(values[place], part.index) for place in pair)
        if contains_zero(left - right):
            if all(isinstance(side, flint.fmpq) for side in (left, right)):
                raise RefusedError("the two sides are equal at the point")
            return False
        _within(left - right, ends)
        if part.derivative is None:
            return True
        true = _trueelement_of(part, nodes, inputs, budget)
        if true is None:
            return True
        if contains_zero(true - right):
            if all(isinstance(side, flint.fmpq) for side in (true, right)):
                raise RefusedError("the claimed derivative is right at the point")
            return False
        if not contains_zero(true - left):
            raise RefusedError("the first of the pair isn't the derivative at the point")
    except (ZeroDivisionError, OutsideError):
        return False
    return True


def _trueelement_of(
    part: CounterexampleCertificate,
    nodes: Sequence[Node],
    inputs: Mapping[str, Any],
    budget: Budget,
) -> Any:
    """The element of the derivative by dual numbers, along the basis vectors that belong to it."""
    record = part.derivative
    assert record is not None
    check_form(record, nodes, {item.name: _shape(item.shape) for item in part.inputs})
    if len(record.nodes) != len(part.pairs):
        raise RefusedError("the pairs aren't those of the derivative")
    name = record.wrt[part.output]
    own = inputs[name].shape
    before = len(part.index) - len(own)
    column = _basis(own, part.index[before:])
    row = _basis(own, part.index[:before]) if record.kind == "hessian" else column
    directions = (row, column)
    found = true_derivative(record, nodes, part.sizes, inputs, budget, name, directions, Reals())
    return element_of(found, part.index[:before] if record.kind == "jacobian" else ())


def _basis(shape: tuple[int, ...], index: tuple[int, ...]) -> Any:
    out = objects(shape, [flint.fmpq(0)] * int(np.prod(shape, dtype=int)))
    out[index] = flint.fmpq(1)
    return out


def element_of(array: Any, index: tuple[int, ...]) -> Any:
    """One element of an array; raises RefusedError if there is no such one."""
    inside = len(index) == array.ndim and all(
        0 <= place < size for place, size in zip(index, array.shape, strict=True)
    )
    if not inside:
        raise RefusedError(f"there is no element {list(index)} in the shape {array.shape}")
    found = array[index]
    return flint.fmpq(found) if isinstance(found, int) else found


def _within(difference: Any, ends: tuple[Fraction, Fraction]) -> None:
    low, high = (rational(end) for end in ends)
    if isinstance(difference, flint.fmpq):
        inside = low <= difference <= high
    else:  # decimals may lie inside a ball, never beside it
        inside = not (difference < low or difference > high)
    if not inside:
        raise RefusedError("the difference isn't between `low` and `high`")


def _decimal(text: str) -> Fraction:
    mantissa, _, exponent = text.lower().partition("e")
    try:
        power = int(exponent) if exponent else 0
        if len(text) > DIGITS or abs(power) > 10 * DIGITS:
            raise ValueError(text)
        return Fraction(mantissa) * Fraction(10) ** power
    except (ValueError, ZeroDivisionError):
        raise RefusedError(f"{text[:40]!r} is no decimal number") from None


def _shape(sizes: Sequence[str]) -> Any:
    return tuple(polynomial(size) for size in sizes)


def point_of(
    part: CounterexampleCertificate | ExcessCertificate, kinds: Mapping[str, str]
) -> dict[str, Any]:
    """The point's arrays, held against what is known of the inputs."""
    if any(not 1 <= size <= SIZE for size in part.sizes.values()):
        raise RefusedError(f"sizes {part.sizes}; 1 to {SIZE} are looked at")
    points = {point.name: point for point in part.point}
    found: dict[str, Any] = {}
    for record in part.inputs:
        if record.name not in points:
            raise RefusedError(f"the point has no {record.name!r}")
        point = points[record.name]
        shape = tuple(value(polynomial(size), part.sizes) for size in record.shape)
        check_elements(shape)
        if point.shape != shape or len(point.values) != int(np.prod(shape, dtype=int)):
            raise RefusedError(f"the point's {record.name!r} has another shape")
        numbers: list[Any] = [fraction(text) for text in point.values]
        if record.positive and any(number <= 0 for number in numbers):
            raise RefusedError(f"the point's {record.name!r} isn't positive")
        if record.values is not None and given(record, len(numbers)) != [
            rational(number) for number in numbers
        ]:
            raise RefusedError(f"the point's {record.name!r} isn't the given one")
        if record.classes is not None:
            top = value(polynomial(record.classes), part.sizes)
            known = {*range(top), record.ignored}
            if any(number not in known for number in numbers):
                raise RefusedError(f"the point's {record.name!r} aren't labels below {top}")
            found[record.name] = objects(shape, [int(number) for number in numbers])
        elif kinds.get(record.name) == "integer":
            if any(number.denominator != 1 for number in numbers):
                raise RefusedError(f"the point's {record.name!r} isn't made of integers")
            found[record.name] = objects(shape, [int(number) for number in numbers])
        else:
            found[record.name] = objects(shape, [rational(number) for number in numbers])
    unknown = set(points) - set(found)
    if unknown:
        raise RefusedError(f"the point has {min(unknown)[:40]!r}, which is no input")
    return found
