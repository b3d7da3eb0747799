"""What adds up over the examples of one cell."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from verimath.judge import Judgement, worse
from verimath.report.record import Status


@dataclass(slots=True)
class Tally:
    """What adds up over the examples of one cell."""

    judgement: Judgement = field(default_factory=lambda: Judgement(Status.PASS))
    examples: int = 0
    elements: int = 0
    worst_ratio: float = 0.0
    floors: list[NDArray[np.float64]] = field(default_factory=list[NDArray[np.float64]])
    undecided: str | None = None  # why an example left every element open

    def add(self, judgement: Judgement, examples: int, *, extreme: bool = False) -> None:
        """One batch more; an extreme one may stay open."""
        self.examples += examples
        if judgement.status is Status.INCONCLUSIVE and (extreme or not judgement.elements):
            # Like an open element beside others: not compared. Near overflow that is no news.
            self.undecided = judgement.reason
            return
        self.judgement = worse(self.judgement, judgement)
        self.elements += judgement.elements
        self.worst_ratio = max(self.worst_ratio, judgement.worst_ratio)
        self.floors.append(judgement.floors)
