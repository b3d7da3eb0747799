"""What a claim wants of a result on a batch: values, what is allowed, and what lies around."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from verimath.arithmetic.values import Array


@dataclass(frozen=True)
class Want:
    """What a claim wants of one result on a batch, in one dtype: arrays of shape (count, *shape).

    `allowed` is the largest bound over the declared orders, plus the reference's own error; beyond
    it and within `envelope` lie evaluations of the same function with inputs perturbed, and sums
    and products multiplied out. Where one of those may overflow, `envelope` is infinite and
    `unlimited` says how far one that doesn't may lead. Both are computed when somebody asks.
    """

    value: Array
    error: Array
    allowed: Array
    widen: Callable[[float], Array] = field(repr=False)  # takes the format's largest number
    largest: float = math.inf
    roundoff: float = 0.0

    @cached_property
    def envelope(self) -> Array:
        """How far from the value a rearrangement of the same formula may lead."""
        return self.widen(self.largest)

    @cached_property
    def unlimited(self) -> Array:
        """The envelope of rearrangements in which nothing overflows."""
        return self.widen(math.inf)

    @property
    def floor(self) -> Array:
        """The relative changes of single elements that are certainly called wrong.

        An error of its own may hide part of a change: what is left has to leave the envelope. No
        number of the dtype is nearer to another than its roundoff.
        """
        return np.maximum((self.allowed + self.envelope) / np.abs(self.value), self.roundoff)

    def differentiated(
        self,
        slack: float,
        overflows: Callable[[], NDArray[np.bool_]],
        customary: Callable[[], Array] | None = None,
    ) -> "Want":
        """The same for a way that runs the primal formula: a little more is allowed everywhere.

        `overflows` gives shape (count,): where the primal may, so may what is made of it, and where
        float64 knows no rearrangement there that doesn't, none but the declared orders is let in.
        `customary` is how far another rule leads where nothing overflows.
        """
        widen, allowed = self.widen, self.allowed + slack

        def further(largest: float) -> Array:
            found = widen(largest) + slack
            if customary is not None:
                other = customary() + self.error + slack
                found = np.where(np.isfinite(other), np.maximum(found, other), found)
            if math.isfinite(largest):
                return np.where(_per_example(overflows(), found), np.inf, found)
            unknown = ~np.isfinite(found)
            if not unknown.any():
                return found
            return np.where(unknown & _per_example(overflows(), found), allowed, found)

        return replace(self, allowed=allowed, widen=further)


def _per_example(known: NDArray[np.bool_], like: Array) -> NDArray[np.bool_]:
    return known.reshape((-1, *[1] * (like.ndim - 1)))
