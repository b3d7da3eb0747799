"""Calling again: code whose result depends on chance, or on what it was called with before.

Two results that differ in their last bits are no fault (parallel sums do that): one of them has to
leave its bound. Code that declares state or randomness is not asked.
"""

from collections.abc import Iterator, Sequence

from verimath.behaviour.lab import Bench, Fault, Lab, complaint
from verimath.examples import Example
from verimath.judge import Judgement
from verimath.report.record import Status

Pair = tuple[Example, Example]  # of the same shapes, with other numbers

_AFTER = "right at first, but after calls with other inputs"


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
    """Calls with the same numbers, of which one is wrong, if only now and then."""
    return next(filter(None, (lab.compare(lab.call(lab.put())) for _ in range(50))), "")


def unsteady(bench: Bench, examples: Sequence[Example]) -> tuple[bool, Fault | None]:
    """Whether two calls with each example are right; if not, the fault, unless all are wrong.

    Notes results that differ within their bounds. Raises NotImplementedError for a capability that
    the code lacks.
    """
    for number, example in enumerate(examples):
        once, again = bench.trial(example), bench.trial(example)
        if once.bad and again.bad:
            # Chance may be wrong twice in a row; code that is wrong is wrong every time.
            later = next((t for t in map(bench.trial, [example] * 4) if not t.bad), None)
            if later is not None:
                return False, fault_of_two(once.judgement, later.judgement, example)
            return False, right_before(bench, examples[:number], example)
        if once.bad or again.bad:
            return False, fault_of_two(once.judgement, again.judgement, example)
        if once.results != again.results:
            bench.notes["repeated calls differ in their last digits, within the bound"] = None
    return True, None


def fault_of_two(once: Judgement, again: Judgement, example: Example) -> Fault:
    """The fault of code of which one of two calls with the same input is wrong."""
    if once.status in (Status.WRONG, Status.ERROR):
        situation = f"{once.status.value} at first, {again.status.value} when called again"
        bad = once
    else:
        situation = "called twice with the same input, and the second time"
        bad = again
    found = complaint(bad)
    return Fault(
        "nondeterministic", situation, found, (example,), one_of_several, status=bad.status
    )


def right_before(bench: Bench, before: Sequence[Example], example: Example) -> Fault | None:
    """The fault of code that is wrong now where it was right before another example came."""
    for one in before:
        now = bench.trial(one)
        if now.bad:
            others = (one, *(other for other in before if other is not one), example)
            found, status = complaint(now.judgement), now.judgement.status
            return Fault("stateful", _AFTER, found, others, called_between_others, status=status)
    return None


def repeats(
    bench: Bench, examples: Sequence[Example], pairs: Sequence[Pair]
) -> Iterator[Fault | None]:
    """What calling again shows, on examples at which the code is right."""
    for pair in pairs:
        situation = "its result changes when it is called again, because both share memory"
        yield bench.look("aliases", situation, earlier_result, *pair)
        situation = "given an array that it has seen, with new numbers in it"
        yield bench.look("stateful", situation, new_numbers_in_the_same_arrays, *pair)
    for k, example in enumerate(examples):
        others = [*examples[:k], *examples[k + 1 :], *(other for _, other in pairs)]
        yield bench.look("stateful", _AFTER, called_between_others, example, *others)
