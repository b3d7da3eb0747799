"""How far every claim of the catalogue is proved, and how long that takes: docs/proved.md.

    python benchmarks/proofs.py > docs/proved.md

Times are of one process, after everything is imported and one claim has been proved.
"""

import time
from collections import Counter

from verimath import Claim, Proof, prove
from verimath.catalogue import all_claims
from verimath.report.text import LABELS

_HEAD = """# What is proved

Made by `python benchmarks/proofs.py > docs/proved.md`. What the labels mean is in
[proofs.md](proofs.md); false claims have to be refuted. Off the kinks, and where everything is
defined, is a hypothesis of every line.

| claim | proof | sizes looked at | wrong with probability | hypotheses and axioms | seconds |
|---|---|---|---|---|---|"""
_USUAL = ("off the kinks", "denominators are not zero")


def main() -> None:
    """Print the table and its sums."""
    claims = list(all_claims().values())
    prove(claims[0])
    print(_HEAD)
    labels: Counter[str] = Counter()
    total = slowest = 0.0
    for claim in claims:
        begun = time.perf_counter()
        proof = prove(claim)
        seconds = time.perf_counter() - begun
        total, slowest = total + seconds, max(slowest, seconds)
        labels[proof.label] += 1
        print(_row(claim, proof, seconds))
    counts = ", ".join(f"{count} {LABELS[label]}" for label, count in labels.most_common())
    print(f"\n{len(claims)} claims in {total:.1f} s, none above {slowest:.2f} s: {counts}.")


def _row(claim: Claim, proof: Proof, seconds: float) -> str:
    bits = proof.failure_bits
    taken = [h for h in (*proof.hypotheses, *proof.axioms) if h not in _USUAL]
    sizes = max(proof.shapes, key=len, default="")
    cells = (
        f"`{claim.id}`" + (" (false)" if claim.expected == "refuted" else ""),
        LABELS[proof.label],
        sizes,
        "" if bits is None else f"2⁻{str(int(bits)).translate(_UP)}",
        "; ".join(taken).replace("|", "\\|"),
        f"{seconds:.3f}",
    )
    return f"| {' | '.join(cells)} |"


_UP = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

if __name__ == "__main__":
    main()
