"""Results of rechecking as lines of text."""

from collections.abc import Sequence

from verimath.rechecking.checking import Recheck

_MARKS = {True: "✓", False: "✗", None: "-"}


def recheck_text(results: Sequence[Recheck]) -> str:
    """One line per claim, and a last one with counts."""
    width = max((len(result.claim) for result in results), default=0)
    lines = [
        f"{_MARKS[result.holds]} {result.claim:<{width}}  {result.label.replace('_', ' ')}: "
        + ("" if result.holds is not False else "DOES NOT HOLD: ")
        + " ".join(result.reason.split())
        for result in results
    ]
    held = sum(result.holds is True for result in results)
    checked = sum(result.holds is not None for result in results)
    lines.append(
        f"{held} of {checked} certificates hold; {len(results) - checked} claims have none"
    )
    return "\n".join(lines)
