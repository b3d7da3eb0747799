"""The kill matrix: every case of the corpus under verimath and under torch's gradcheck.

    python benchmarks/kill_matrix.py > docs/kill-matrix.md

Ours runs with default settings (all dtypes; `--dtype float64` is quicker). gradcheck gets the same
function in float64 at the first ordinary example of the claim's domain, in its slow and its fast
mode; code that computes a gradient is the backward of a Function whose forward is the claim's own
formula, as a user of gradcheck would wrap it. What can't be differentiated in (integers, two
outputs) it can't check.
"""

import argparse
import sys
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.corpus import claims, right_cases, wrong_cases
from verimath import Status, check
from verimath._claim_run import ClaimRun
from verimath._engine import _options
from verimath.backends.torch import StandardTensor

BAD = (Status.WRONG, Status.ERROR)


def ours(claim, cases, **options):
    """Whether each case is rejected, by name."""
    report = check(claim, *(case.route for case in cases), **options)
    found = report.claims[0].verdicts
    return {
        case.name: any(
            v.status in BAD
            for v in found
            if v.route == case.name or v.route.startswith(f"{case.name}: ")
        )
        for case in cases
    }


def example(claim):
    """The first ordinary example with elements, as float64 arrays by input name."""
    run = ClaimRun(claim, (), _options(["numpy"], ["float64"], 20, 0))
    for batch in run.batches:
        sizes = list(batch.sizes.values())
        plain = not batch.extreme and batch.layout == "C" and not batch.specials
        if plain and all(1 < size < 8 for size in sizes) and len(set(sizes)) == len(sizes):
            cast = batch.cast(claim.domain, "float64")
            return {name: np.asarray(values[-1]) for name, values in cast.items()}
    return None


def wrapped(case, claim, order):
    """A function of the differentiated inputs alone, for gradcheck."""
    statement = claim.statement

    def primal(*tensors):
        return getattr(statement.of(*map(StandardTensor, tensors)), "tensor", None)

    if case.kind == "autograd":
        return case.function

    class Wrapped(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *tensors):
            ctx.save_for_backward(*tensors)
            return primal(*tensors)

        @staticmethod
        def backward(ctx, gradient):
            tensors = ctx.saved_tensors
            given = [t.detach().numpy() for t in tensors] if case.kind == "numpy" else tensors
            found = case.function(*given)
            found = found if isinstance(found, tuple | list) else (found,)
            slopes = dict(zip(statement.wrt_names, found, strict=True))
            return tuple(
                gradient * torch.as_tensor(np.asarray(slopes[n])) if n in slopes else None
                for n in order
            )

    return Wrapped.apply


def gradcheck(case, claim, values, fast):
    """Whether gradcheck rejects; None where it can't be asked."""
    if values is None or not hasattr(claim.statement, "wrt_names"):
        return None
    wrt = claim.statement.wrt_names
    tensors = [
        torch.tensor(x, requires_grad=name in wrt and x.dtype.kind == "f")
        for name, x in values.items()
    ]
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            function = wrapped(case, claim, list(values))
            return not torch.autograd.gradcheck(function, tensors, fast_mode=fast)
    except Exception:  # noqa: BLE001 - what it raises of itself or of the code is a rejection
        return True


def rows_of(claim_id, dtype, seed):
    """Every case of one claim: name, whether it is wrong, why, and who rejects it."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    claim = claims()[claim_id]
    cases = [c for c in (*right_cases(), *wrong_cases()) if c.claim == claim_id]
    rejected = {}
    for wanted in dict.fromkeys(case.options for case in cases):
        same = [case for case in cases if case.options == wanted]
        rejected |= ours(claim, same, seed=seed, **{"dtype": dtype, **dict(wanted)})
    values = example(claim)
    return [
        (
            case.name,
            "wrong" if case.mistake else "right",
            case.mistake or case.bait,
            (
                rejected[case.name],
                gradcheck(case, claim, values, fast=False),
                gradcheck(case, claim, values, fast=True),
            ),
        )
        for case in cases
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dtype", default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    rows, count = [], Counter()
    with ProcessPoolExecutor(options.jobs) as pool:
        order = sorted(claims())
        futures = {c: pool.submit(rows_of, c, options.dtype, options.seed) for c in order}
        for claim_id, future in futures.items():
            for name, side, words, found in future.result():
                for tool, bad in zip(("verimath", "slow", "fast"), found, strict=True):
                    count[side, tool, bad] += 1
                marks = " | ".join({True: "rejected", False: "passed", None: "–"}[b] for b in found)
                rows.append(f"| {claim_id} | {name} | {side} | {words} | {marks} |")
            print(claim_id, file=sys.stderr)
    command = " ".join(["python benchmarks/kill_matrix.py", *sys.argv[1:]])
    print("# Kill matrix\n")
    print(f"Made by `{command}`; – means that gradcheck can't be asked.\n")
    print("| | verimath | gradcheck slow | gradcheck fast |\n| --- | --- | --- | --- |")
    for side, bad, words in (
        ("wrong", True, "wrong, rejected"),
        ("wrong", False, "wrong, passed"),
        ("right", True, "right, rejected"),
        ("right", False, "right, passed"),
    ):
        cells = " | ".join(str(count[side, t, bad]) for t in ("verimath", "slow", "fast"))
        print(f"| {words} | {cells} |")
    print("\n| claim | implementation | is | why | verimath | slow | fast |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
