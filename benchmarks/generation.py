"""How fast examples are generated, beside Hypothesis's own arrays in the same run.

    python benchmarks/generation.py [SECONDS]

One plan is drawn by Hypothesis per batch and filled, as in a run; ratios are of medians of rounds
that take turns, so that what else the machine does weighs on both.
"""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from statistics import median
from typing import NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from verimath import Domain, reals, simplex, spd
from verimath.examples import fill
from verimath.plans import KINDS, MOST_COUNT, Plan

ROUNDS = 5
OPTIONS = settings(
    database=None,
    deadline=None,
    max_examples=10**6,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


class Rate(NamedTuple):
    """What was made per second."""

    examples: float
    elements: float


class TimeIsUp(BaseException):
    """Ends a round."""


def measured(strategy: st.SearchStrategy, seconds: float, count: Callable) -> Rate:
    """Draw for so many seconds; `count` says how many examples and elements a drawn thing is."""
    done = [0, 0]
    start = time.perf_counter()

    @seed(0)
    @OPTIONS
    @given(strategy)
    def draw(drawn):
        examples, elements = count(drawn)
        done[0] += examples
        done[1] += elements
        if time.perf_counter() - start > seconds:
            raise TimeIsUp

    with suppress(TimeIsUp):
        draw()
    taken = time.perf_counter() - start
    return Rate(done[0] / taken, done[1] / taken)


def plans_of(sizes: dict[str, int], count: int) -> st.SearchStrategy[Plan]:
    """Plans as in a run, at fixed sizes and number of examples."""
    return st.builds(
        lambda kind, scale, seed: Plan((), tuple(sizes.items()), kind, scale, seed, count),
        st.sampled_from(KINDS),
        st.integers(-12, 12),
        st.integers(0, 2**32 - 1),
    )


def filled(domain: Domain, *, cast: str | None = None) -> Callable[[Plan], tuple[int, int]]:
    def count(plan: Plan) -> tuple[int, int]:
        batch = fill(plan, domain)
        if cast is not None:
            batch.cast(domain, cast)
        return len(batch), sum(values.size for values in batch.inputs.values())

    return count


def one_array(array: np.ndarray) -> tuple[int, int]:
    return 1, array.size


MATRIX = Domain(x=reals("n d"))
CASES = {
    "256 x 256, one a plan": ({"n": 256, "d": 256}, 1, MATRIX, None),
    "256 x 256, cast to float32": ({"n": 256, "d": 256}, 1, MATRIX, "float32"),
    "4 x 3 in batches": ({"n": 4, "d": 3}, MOST_COUNT, MATRIX, None),
    "4 x 3 in batches, cast to float32": ({"n": 4, "d": 3}, MOST_COUNT, MATRIX, "float32"),
    "simplex rows 4 x 3, cast": ({"n": 4, "d": 3}, MOST_COUNT, Domain(x=simplex("n d")), "float32"),
    "spd 3 x 3, cast": ({"n": 3}, MOST_COUNT, Domain(x=spd("n n")), "float32"),
}


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    print(f"{'':36}{'examples/s':>12}{'elements/s':>12}   beside hypothesis arrays (elements/s)")
    for name, (sizes, count, domain, dtype) in CASES.items():
        shape = (sizes["n"], sizes.get("d", sizes["n"]))
        peers = st.just(None).flatmap(lambda _, shape=shape: arrays(np.float64, shape))
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(measured(plans_of(sizes, count), seconds, filled(domain, cast=dtype)))
            theirs.append(measured(peers, seconds / 2, one_array))
        rate = Rate(*(median(values) for values in zip(*ours, strict=True)))
        peer = Rate(*(median(values) for values in zip(*theirs, strict=True)))
        ratio = f"{rate.elements / peer.elements:.1f} x {peer.elements:.3g}"
        print(f"{name:36}{rate.examples:12.3g}{rate.elements:12.3g}   {ratio}")
    print("hypothesis fills all but about the square root of an array's elements with one value")


if __name__ == "__main__":
    main()
