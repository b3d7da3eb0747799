"""A whole run per claim of the catalogue, and where its time goes.

    python benchmarks/whole_run.py [--examples N] [--claim ID]

Every backend that is there, all dtypes. The parts are measured from outside by wrapping functions:
`bounds` is what is wanted with its bounds, `calls` the routes themselves, `judge` the comparison,
`behaviour` all of what is watched (its own calls, bounds and judgements are not counted again),
`mutants`, `proof` and `shrink` likewise; `other` is the rest. A refuted claim shrinks its failures.
"""

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from verimath._claim_run import judging
from verimath._claim_run import run as run_module
from verimath._claim_run.failing import Failures
from verimath._claim_run.run import ClaimRun
from verimath._engine import run
from verimath.behaviour.checks import Behaviour
from verimath.catalogue import all_claims

PARTS = ("proof", "examples", "bounds", "calls", "judge", "behaviour", "mutants", "shrink")


class Clock:
    """Seconds per part; what runs inside another part counts there."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self.inside = False

    def wrap(self, owner: Any, name: str, part: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            if self.inside:
                return original(*arguments, **options)
            self.inside, start = True, time.perf_counter()
            try:
                return original(*arguments, **options)
            finally:
                self.inside = False
                self.spent[part] += time.perf_counter() - start

        setattr(owner, name, timed)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--claim", default="")
    options = parser.parse_args()
    clock = Clock()
    for owner, name, part in (
        (ClaimRun, "proof", "proof"),
        (run_module, "draw_examples", "examples"),
        (judging, "wanted_by", "bounds"),
        (judging, "execute", "calls"),
        (judging, "judge", "judge"),
        (judging, "judge_bound", "judge"),
        (Behaviour, "before_values", "behaviour"),
        (Behaviour, "after_values", "behaviour"),
        (run_module, "mutants_of", "mutants"),
        (Failures, "verdict", "shrink"),
    ):
        clock.wrap(owner, name, part)
    print(f"python benchmarks/whole_run.py {' '.join(sys.argv[1:])}".rstrip())
    parts = "".join(f"{part:>11}" for part in PARTS)
    print(f"{'claim':32}{'seconds':>9}{'examples':>10}{'elements':>10}{parts}{'other':>11}")
    total = np.zeros(2 + len(PARTS))
    for name, claim in all_claims().items():
        if options.claim not in name:
            continue
        clock.spent.clear()
        start = time.perf_counter()
        (record,) = run([claim], examples=options.examples, seed=0).claims
        seconds = time.perf_counter() - start
        examples = sum(v.examples or 0 for v in record.verdicts)
        elements = sum(v.elements or 0 for v in record.verdicts)
        spent = [clock.spent[part] for part in PARTS]
        total += [seconds, *spent, seconds - sum(spent)]
        shares = "".join(f"{part:10.2f}s" for part in (*spent, seconds - sum(spent)))
        print(f"{name:32}{seconds:8.2f}s{examples:10}{elements:10}{shares}", flush=True)
    shares = "".join(f"{100 * part / total[0]:10.0f}%" for part in total[1:])
    print(f"{'all':32}{total[0]:8.2f}s{'':20}{shares}")


if __name__ == "__main__":
    main()
