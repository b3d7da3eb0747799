"""Domains: named inputs with a shape, a range, and the dtype-exact casting of their values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verimath.dtypes import adjacent, carrier, holds_decimal, largest, nearest
from verimath.errors import ClaimError
from verimath.shapes import MAX_RANK, Shape, Size, parse_shape

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a domain: its shape and range, or fixed `values` (then nothing is drawn)."""

    shape: Shape
    min_value: float | None = None
    max_value: float | None = None
    values: Values | None = field(default=None, compare=False)

    def limits(self, dtype: str) -> tuple[float, float]:
        """The least and greatest number of the dtype in the range (infinite if there is none)."""
        low, high = -np.inf, np.inf
        if self.min_value is not None:
            low = float(nearest(self.min_value, dtype))
            low = adjacent(low, np.inf, dtype) if low < self.min_value else low
        if self.max_value is not None:
            high = float(nearest(self.max_value, dtype))
            high = adjacent(high, -np.inf, dtype) if high > self.max_value else high
        return low, high

    def cast(self, values: Values, dtype: str) -> NDArray[Any]:
        """The nearest finite numbers of the dtype that lie in the range, in its carrier."""
        low, high = self.limits(dtype)
        top = largest(dtype)
        rounded = np.clip(nearest(values, dtype), max(low, -top), min(high, top))
        return np.asarray(rounded, dtype=carrier(dtype))

    def lacks(self, dtype: str) -> bool:
        """Whether the dtype has no finite number in the range, or can't tell the given ones apart.

        A given decimal has to survive in it: the hypothesis is about what was printed.
        """
        if self.values is not None:
            return not all(holds_decimal(float(value), dtype) for value in self.values.flat)
        low, high = self.limits(dtype)
        top = largest(dtype)
        return low > high or low > top or high < -top

    def __str__(self) -> str:
        if self.values is not None:
            return f"given {np.array2string(self.values, separator=', ')}".replace("\n", "")
        low = "-inf" if self.min_value is None else f"{self.min_value:g}"
        high = "inf" if self.max_value is None else f"{self.max_value:g}"
        bounds = "" if (low, high) == ("-inf", "inf") else f", {low} to {high}"
        return f'reals("{self.shape.text}"{bounds})'


def reals(shape: str = "", min_value: float | None = None, max_value: float | None = None) -> Input:
    """Real numbers between two bounds (included), in an array of the given shape string.

    Raises ClaimError for a shape that can't be read or a range that holds no number.
    """
    for name, bound in (("min_value", min_value), ("max_value", max_value)):
        if bound is not None and not isinstance(bound, int | float):
            raise ClaimError(f"{name}={bound!r} is no number")
        if bound is not None and not np.isfinite(bound):
            raise ClaimError(f"{name}={bound} is not finite; leave it out for no bound")
    result = Input(parse_shape(shape), min_value, max_value)
    for dtype in ("float64", "float32"):  # in a narrower one, the claim is not run
        if result.lacks(dtype):
            raise ClaimError(
                f"no {dtype} number lies between min_value={min_value} and max_value={max_value}; "
                "the domain can't be satisfied: widen the range"
            )
    return result


def given(values: Sequence[Any] | float) -> Input:
    """An array of fixed numbers, such as a table that somebody printed.

    Raises ClaimError if the rows differ in length or a number is not finite.
    """
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ClaimError(
            f"given() wants a number or nested lists of equal length, not {values!r}"
        ) from None
    if not np.isfinite(array).all():
        raise ClaimError("given() wants finite numbers")
    array.flags.writeable = False
    return Input(parse_shape(" ".join(str(n) for n in array.shape)), values=array)


class Domain:
    """The points a claim speaks of: keyword arguments name the inputs, in their order.

    `Domain(X=reals("n d"), w=reals("d"))`: inputs that share a dimension name share its size.
    Immutable. Raises ClaimError for anything that is no input, or for contradictory names.
    """

    inputs: Mapping[str, Input]

    def __init__(self, **inputs: Input) -> None:
        if not inputs:
            raise ClaimError('a domain needs at least one input, e.g. Domain(x=reals("n"))')
        for name, value in inputs.items():
            if not isinstance(value, Input):
                raise ClaimError(f'{name}={value!r} is no input; wanted e.g. {name}=reals("n d")')
            if not name.isidentifier():
                raise ClaimError(f"{name!r} can't name an input; wanted a Python identifier")
            axes = sum(isinstance(axis, Size) for axis in value.shape.axes)
            if axes > MAX_RANK:
                raise ClaimError(f"{name} has {axes} axes; at most {MAX_RANK} are supported")
        object.__setattr__(self, "inputs", dict(inputs))
        clash = sorted(self.names & set(self.variadics))
        if clash:
            raise ClaimError(f"{clash[0]!r} names both one axis and, with a star, several")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a Domain is immutable")

    def __eq__(self, other: object) -> bool:
        # Functions take the inputs by position, so their order counts.
        return (
            isinstance(other, Domain)
            and list(self.inputs.items()) == list(other.inputs.items())
            and all(
                np.array_equal(mine.values, yours.values)  # pyright: ignore[reportArgumentType]
                for mine, yours in zip(self.inputs.values(), other.inputs.values(), strict=True)
            )
        )

    def __hash__(self) -> int:
        return hash(tuple(self.inputs.items()))

    def __repr__(self) -> str:
        return f"Domain({self})"

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.inputs.items())

    @property
    def names(self) -> frozenset[str]:
        """Names of single axes."""
        return frozenset().union(*(value.shape.names for value in self.inputs.values()))

    @property
    def variadics(self) -> tuple[str, ...]:
        """Names with a star, each standing for 0 to 5 axes."""
        found = (value.shape.variadic for value in self.inputs.values())
        return tuple(dict.fromkeys(name for name in found if name is not None))

    @property
    def largest_ranks(self) -> dict[str, int]:
        """How many axes each starred name may stand for, so that no input exceeds rank 5."""
        return {
            name: min(
                MAX_RANK - (len(value.shape.axes) - 1)
                for value in self.inputs.values()
                if value.shape.variadic == name
            )
            for name in self.variadics
        }

    def lacking(self, dtype: str) -> str:
        """Why a claim can't be run in a dtype: an input without a number of it; else empty."""
        names = [name for name, spec in self.inputs.items() if spec.lacks(dtype)]
        return f"{dtype} doesn't hold the numbers of {', '.join(names)}" if names else ""

    def expand(self, ranks: Mapping[str, int]) -> dict[str, tuple[Size, ...]]:
        """Every input's axes, once the starred names have a number of axes."""
        return {name: value.shape.expand(ranks) for name, value in self.inputs.items()}
