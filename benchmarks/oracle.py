"""What the reference value with its bounds costs, beside the plain float32 evaluation.

    python benchmarks/oracle.py [--batch N]

Float32 is judged, so the oracle computes the float64 value, its own error, and the float32 bound,
in every order of evaluation that the claim declares ("claim") and in the one of the formula alone
("one order"). A batch of examples goes through at once, as in a run; the plain evaluation takes
them one by one, in float32 with numpy. One thread; best of rounds that take turns.
"""

import argparse
import sys

import numpy as np
from cases import ORACLES, OracleCase
from gradient_check import best

from verimath.arithmetic.rounding import evaluate_all
from verimath.backends import get_backend
from verimath.reference.evaluate import wanted
from verimath.reference.prepare import prepare

ROUNDS = 7


def times(case: OracleCase, batch: int) -> list[float]:
    """Seconds per example: plain, one order, the claim's orders."""
    single = {name: values.astype(np.float32) for name, values in case.inputs().items()}
    batched = {
        name: np.stack([values] * batch).astype(np.float64) for name, values in single.items()
    }
    prepared, format_ = prepare(case.claim, {}), get_backend("numpy").format("float32")
    formula = prepared.orders[-1:]

    calls = [
        lambda: case.plain(*single.values()),
        lambda: evaluate_all(formula, batched, case.sizes, dtypes=(format_,)),
        lambda: wanted(prepared, batched, case.sizes, format_),
    ]
    found = np.array([[best(call, 0.1) for call in calls] for _ in range(ROUNDS)]).min(axis=0)
    return [float(found[0]), float(found[1]) / batch, float(found[2]) / batch]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=4)
    options = parser.parse_args()
    print(f"python benchmarks/oracle.py {' '.join(sys.argv[1:])}".rstrip())
    print(f"{'':36}{'plain':>10}{'one order':>12}{'claim':>10}{'one/plain':>12}{'claim/plain':>13}")
    for case in ORACLES:
        plain, one, claim = times(case, options.batch)
        print(
            f"{case.name:36}{plain * 1e6:7.1f} us{one * 1e6:9.1f} us{claim * 1e6:7.1f} us"
            f"{one / plain:12.1f}{claim / plain:13.1f}"
        )


if __name__ == "__main__":
    main()
