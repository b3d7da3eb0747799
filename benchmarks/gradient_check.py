"""One checked gradient beside torch.autograd.gradcheck, fast and slow, in the same run.

    python benchmarks/gradient_check.py [--largest N]

Float64, one thread. "ours" is one example of a batch as large as a run draws, behaviour excluded:
the input put on the backend, the candidate (torch's autograd) called for it alone and fetched, the
wanted gradient with its bounds from both orders of evaluation, the judgement. "batched" is the same
with the candidate called for a batch at once. Best of several rounds that take turns; gradcheck
checks value and gradient at its default step, and what it is given passes.
"""

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from cases import GRADIENTS, SEED, GradientCase

from verimath.backends import get_backend
from verimath.claim import autograd
from verimath.judge import judge, judge_stacked
from verimath.plans import LARGEST_COUNT
from verimath.reference.evaluate import wanted_by
from verimath.reference.prepare import prepare
from verimath.report.record import Status
from verimath.routes import Cell, Way, declared_ways
from verimath.routes.execute import execute

ROUNDS = 5
ELEMENTS = 2**15  # of the largest input, in a batch


def best(call: Callable[[], object], seconds: float = 0.2) -> float:
    """Seconds of the fastest of several calls."""
    found, until = float("inf"), time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        call()
        now = time.perf_counter()
        found = min(found, now - start)
        if now > until:
            return found


def ours(case: GradientCase, n: int) -> Callable[[], object]:
    """A batch of examples, as a run judges it: the candidate is called for each by itself."""
    one, sizes = case.inputs(n), case.sizes(n)
    batch = {name: np.stack([values] * LARGEST_COUNT) for name, values in one.items()}
    cell = Cell(_way(case), get_backend("torch-cpu"), "float64")
    prepared = prepare(case.claim, {})

    def check() -> None:
        results = [
            execute(cell, {name: values[k] for name, values in batch.items()}, (case.wrt,)).results
            for k in range(LARGEST_COUNT)
        ]
        want = wanted_by(cell, prepared, batch, sizes)
        judgement = judge(results, want, dtype="float64", power=False)
        assert judgement.status is Status.PASS, judgement

    return check


def _way(case: GradientCase) -> Way:
    ways = declared_ways([autograd("torch", case.loss)], side="candidate")
    (found,) = [way for way in ways if way.kind == "reverse"]
    return found


def batched(case: GradientCase, n: int) -> tuple[int, Callable[[], object]]:
    """A batch at once; how many examples, and the call."""
    one, sizes = case.inputs(n), case.sizes(n)
    count = max(1, min(1024, ELEMENTS // max(values.size for values in one.values())))
    generator = np.random.default_rng(SEED)
    inputs = {
        name: np.stack([values] * count) * generator.uniform(0.5, 2, (count, *[1] * values.ndim))
        if name != "t"
        else np.stack([values] * count)
        for name, values in one.items()
    }
    prepared = prepare(case.claim, {})
    cell = Cell(_way(case), get_backend("torch-cpu"), "float64")

    def check() -> None:
        tensors = {
            name: torch.from_numpy(values.copy()).requires_grad_(name == case.wrt)
            for name, values in inputs.items()
        }
        (found,) = torch.autograd.grad(case.batched(*tensors.values()).sum(), tensors[case.wrt])
        want = wanted_by(cell, prepared, inputs, sizes)
        judgement = judge_stacked([found.numpy()], want, power=False)
        assert judgement.status is Status.PASS, judgement

    return count, check


def gradcheck(case: GradientCase, n: int, *, fast: bool) -> Callable[[], object]:
    tensors = {name: torch.from_numpy(values) for name, values in case.inputs(n).items()}

    def loss(x: torch.Tensor) -> torch.Tensor:
        return case.loss(*({**tensors, case.wrt: x}).values())

    at = tensors[case.wrt].clone().requires_grad_()
    return lambda: torch.autograd.gradcheck(loss, (at,), fast_mode=fast)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--largest", type=int, default=10000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"python benchmarks/gradient_check.py {' '.join(sys.argv[1:])}".rstrip())
    print(
        f"{'':34}{'n':>6}{'ours':>11}{'batched':>11}{'fast':>11}{'slow':>12}"
        f"{'fast/ours':>11}{'slow/ours':>11}{'fast/b.':>9}{'slow/b.':>9}"
    )
    for case in GRADIENTS:
        for n in (10, 100, 1000, 10000):
            if n > options.largest:
                continue
            count, together = batched(case, n)
            calls = [ours(case, n), together, gradcheck(case, n, fast=True)]
            found = np.array([[best(call) for call in calls] for _ in range(ROUNDS)]).min(axis=0)
            # At n = 10,000 slow mode takes seconds: once is enough to see the order.
            rounds, slow = 1 if n > 1000 else 3, gradcheck(case, n, fast=False)
            slowest = min(best(slow, 0.0) for _ in range(rounds))
            each, one, fast = found[0] / LARGEST_COUNT, found[1] / count, found[2]
            print(
                f"{case.name:34}{n:6}{each * 1e6:8.0f} us{one * 1e6:8.1f} us{fast * 1e6:8.0f} us"
                f"{slowest * 1e3:9.2f} ms{fast / each:11.2f}{slowest / each:11.0f}"
                f"{fast / one:9.1f}{slowest / one:9.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
