"""Calling again: code whose result depends on chance, or on what it was called with before.

Two results that differ in their last bits are no fault (parallel sums do that): one of them has to
leave its bound. Code that declares state or randomness is not asked.
"""

from collections.abc import Iterator, Sequence

from verimath.behaviour.lab import Bench, Fault, Lab, complaint
from verimath.examples import Example
from verimath.report.record import Status
from verimath.routes.execute import Returned, fetch

Pair = tuple[Example, Example]  # of the same shapes, with other numbers


def called_twice(lab: Lab) -> str:
    """Two calls with the same numbers, in arrays of their own."""
    if lab.compare(lab.call(lab.put())):
        return ""
    return lab.compare(lab.call(lab.put()))


def called_between_others(lab: Lab) -> str:
    """The same numbers before and after calls with others."""
    if lab.compare(lab.call(lab.put())):
        return ""
    for _ in range(5):
        for k in range(1, lab.points):
            lab.call(lab.put(k))
        found = lab.compare(lab.call(lab.put()))
        if found:
            return found
    return ""


def new_numbers_in_the_same_arrays(lab: Lab) -> str:
    """Arrays that the code has seen before, with other numbers in them."""
    arrays = lab.put()
    if lab.compare(lab.call(arrays)) or lab.compare(lab.call(lab.put(1)), 1):
        return ""
    for name, fresh in lab.put(1).items():
        arrays[name][...] = fresh
    return lab.compare(lab.call(arrays), 1)


def earlier_result(lab: Lab) -> str:
    """A result, looked at again after another call."""
    results = lab.call(lab.put())
    if lab.compare(results):
        return ""
    lab.call(lab.put(1))
    return lab.compare(results)


def one_of_several(lab: Lab) -> str:
    """Calls with the same numbers, of which one is wrong."""
    return next(filter(None, (lab.compare(lab.call(lab.put())) for _ in range(5))), "")


def unsteady(bench: Bench, example: Example) -> tuple[bool, Fault | None]:
    """Whether a first call is right; and the fault, if it is wrong or raises and the second isn't.

    Raises NotImplementedError for a capability that the code lacks.
    """
    once = bench.judged(example)
    if once.status not in (Status.WRONG, Status.ERROR):
        return True, None
    again = bench.judged(example)
    if again.status is once.status:
        return False, None
    situation = f"{once.status.value} at first, {again.status.value} when called again"
    fault = Fault(
        "nondeterministic",
        situation,
        complaint(once),
        (example,),
        one_of_several,
        status=once.status,
    )
    return False, fault


def note_differences(bench: Bench, example: Example) -> None:
    """Note results of repeated calls that differ within their bounds."""
    lab = bench.lab(example)
    calls = [fetch(bench.cell, Returned(tuple(lab.call(lab.put())))).results for _ in range(2)]
    one, other = ([result.array.tobytes() for result in results] for results in calls)
    if one != other:
        bench.notes["repeated calls differ in their last digits, within the bound"] = None


def repeats(
    bench: Bench, examples: Sequence[Example], pairs: Sequence[Pair]
) -> Iterator[Fault | None]:
    """What calling again shows, on examples at which the code is right."""
    for example in examples:
        situation = "called twice with the same input, and the second time"
        yield bench.look("nondeterministic", situation, called_twice, example)
    for pair in pairs:
        situation = "its result changes when it is called again, because both share memory"
        yield bench.look("aliases", situation, earlier_result, *pair)
        situation = "given an array that it has seen, with new numbers in it"
        yield bench.look("stateful", situation, new_numbers_in_the_same_arrays, *pair)
    for k, example in enumerate(examples):
        others = [*examples[:k], *examples[k + 1 :], *(other for _, other in pairs)]
        situation = "right at first, but after calls with other inputs"
        yield bench.look("stateful", situation, called_between_others, example, *others)
