"""Checking the parts `bound` and `excess`: whether elements are larger than a number."""

from math import prod

import flint

from verimath.rechecking.counterexample import element_of, point_of
from verimath.rechecking.evaluate import evaluate
from verimath.rechecking.graph import read_graph
from verimath.rechecking.limits import Budget, RefusedError
from verimath.rechecking.plain import Plain, check_elements, objects
from verimath.rechecking.polynomials import fraction, polynomial, value
from verimath.rechecking.reals import OutsideError, Reals, given, integers, rational
from verimath.rechecking.sizing import kinds_of, sizes_in
from verimath.report.certificate import BoundCertificate, ExcessCertificate

_BITS = (128, 512, 2048, 8192)


def check_bound(part: BoundCertificate) -> str:
    """What holds, in short.

    Raises RefusedError where an element is larger, or that can't be told.
    """
    nodes = read_graph(part.graph, part.inputs)
    if not part.nodes or not all(0 <= place < len(nodes) for place in part.nodes):
        raise RefusedError("the bound is of no nodes, or of nodes that aren't there")
    if sizes_in(nodes, part.inputs):
        raise RefusedError("a bound at given numbers has no sizes to choose")
    limit, kinds, inputs = fraction(part.bound), kinds_of(nodes), {}
    for record in part.inputs:
        if record.values is None:
            raise RefusedError(f"the input {record.name!r} isn't given")
        shape = tuple(value(polynomial(size), {}) for size in record.shape)
        check_elements(shape)
        count = prod(shape)
        real = kinds.get(record.name, "real") == "real"
        inputs[record.name] = objects(shape, (given if real else integers)(record, count))
    budget, numbers = Budget(), Reals()
    for bits in _BITS:
        with flint.ctx.workprec(bits):
            try:
                values = evaluate(nodes, numbers, {}, inputs, budget, part.nodes)
            except (OutsideError, ZeroDivisionError):
                continue
            if _within(numbers, [values[place] for place in part.nodes], rational(limit)):
                return f"at most {limit} at the given numbers"
    raise RefusedError(f"not confirmed: {_BITS[-1]} bits don't decide it")


def check_excess(part: ExcessCertificate) -> str:
    """What holds, in short.

    Raises RefusedError where the element isn't larger, or that can't be told.
    """
    nodes = read_graph(part.graph, part.inputs, ties=True)
    inputs = point_of(part, kinds_of(nodes))
    if not 0 <= part.output < len(part.nodes):
        raise RefusedError(f"the bound is of no node {part.output}")
    place = part.nodes[part.output]
    if not 0 <= place < len(nodes):
        raise RefusedError(f"there is no node {place}")
    limit, budget, numbers = rational(fraction(part.bound)), Budget(), Reals()
    for bits in _BITS:
        with flint.ctx.workprec(bits):
            try:
                values = evaluate(nodes, numbers, part.sizes, inputs, budget, (place,))
            except (OutsideError, ZeroDivisionError):
                continue
            item = element_of(numbers.lift(values[place]), part.index)
            if item > limit or -item > limit:
                where = " ".join(f"{name}={size}" for name, size in sorted(part.sizes.items()))
                return f"beyond {part.bound} at a point{' with ' + where if where else ''}"
            if item <= limit and -item <= limit:
                raise RefusedError("the element is within the bound")
    raise RefusedError(f"not confirmed: {_BITS[-1]} bits don't decide it")


def _within(numbers: Plain, values: list[object], limit: object) -> bool:
    """Whether all certainly are; False where these bits don't tell.

    Raises RefusedError where one certainly isn't.
    """
    items = [item for array in values for item in numbers.lift(array).ravel()]
    if any(item > limit or -item > limit for item in items):
        raise RefusedError("an element is larger than the bound")
    return all(item <= limit and -item <= limit for item in items)
