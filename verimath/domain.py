"""Domains: named inputs with a shape, a range, and the dtype-exact casting of their values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from verimath.dtypes import (
    DTYPES,
    adjacent,
    carrier,
    holds_decimal,
    largest,
    least_subnormal,
    nearest,
)
from verimath.errors import ClaimError
from verimath.pairs import COMPLEX, grouped, halves, has_pairs
from verimath.shapes import MAX_RANK, Binding, Shape, Size, parse_shape
from verimath.structure import STRUCTURES, how_many, separated

Values = NDArray[np.float64]
Kind = Literal["real", "integer", "boolean"]

_LARGEST_INTEGER = 2**53  # float64, in which examples are kept, has them all up to here


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a domain: its shape and range, or fixed `values` (then nothing is drawn).

    A real input comes in the dtype that is asked for, an integer one in int64 and a boolean one in
    bool, whatever the dtype. A structured one is a member of `STRUCTURES[structure]`, exactly: no
    bound has to take up a residual. `classes` makes labels of integers, below that size; `distinct`
    forbids equal elements. The functions that make an input say what its fields mean.
    """

    shape: Shape
    min_value: float | None = None
    max_value: float | None = None
    values: Values | None = field(default=None, compare=False)
    kind: Kind = "real"
    structure: str | None = None
    exclude_min: bool = False
    exclude_max: bool = False
    exclude_zero: bool = False
    allow_nan: bool = False
    allow_infinity: bool = False
    classes: Size | None = None
    ignore_index: int | None = None
    distinct: bool = False
    text: str | None = None  # as it was written, if not with `reals` or `given`

    @property
    def is_free(self) -> bool:
        """Whether every element may be any number of the range, by itself."""
        plain = self.values is None and self.structure is None and not self.distinct
        return plain and self.kind != "boolean" and self.classes is None

    @property
    def is_structured(self) -> bool:
        """Whether more is known of the elements than their range: they are not just real numbers.

        Symbols for the elements say less than the domain does.
        """
        return self.values is None and (not self.is_free or self.kind != "real")

    def limits(self, dtype: str) -> tuple[float, float]:
        """The least and greatest number of the dtype in the range (infinite if there is none)."""
        low, high = -np.inf, np.inf
        if self.min_value is not None:
            low = float(nearest(self.min_value, dtype))
            outside = low <= self.min_value if self.exclude_min else low < self.min_value
            low = adjacent(low, np.inf, dtype) if outside else low
        if self.max_value is not None:
            high = float(nearest(self.max_value, dtype))
            outside = high >= self.max_value if self.exclude_max else high > self.max_value
            high = adjacent(high, -np.inf, dtype) if outside else high
        return low, high

    def cast(self, values: Values, dtype: str, sizes: Binding | None = None) -> NDArray[Any]:
        """What an example's numbers are in a dtype, in its carrier: members of the domain, always.

        `values` are float64 of shape (count, *shape). Free inputs get the nearest finite numbers of
        the dtype in the range; NaN and infinities stay where they are allowed. Structured ones are
        made anew from them, exactly in the dtype (`verimath.structure`). `sizes` binds the name of
        the classes of labels.
        """
        if self.kind == "boolean":
            return np.asarray(values != 0)
        if self.kind == "integer":
            return self._integers(values, sizes or {})
        if self.structure is not None:
            made = STRUCTURES[self.structure].make(np.asarray(values, dtype=np.float64), dtype)
            return np.asarray(made, dtype=carrier(dtype))
        low, high = self.limits(dtype)
        top = largest(dtype)
        rounded = np.clip(nearest(values, dtype), max(low, -top), min(high, top))
        rounded = np.asarray(rounded, dtype=carrier(dtype))
        if self.exclude_zero:
            least = np.copysign(least_subnormal(dtype), values)
            least = np.where(values == 0, self._instead_of_zero(dtype), least)
            rounded = np.where(rounded == 0, least, rounded).astype(carrier(dtype))
        if self.distinct:
            return separated(rounded, low, high, dtype).astype(carrier(dtype))
        if self.allow_nan:
            rounded = np.where(np.isnan(values), np.nan, rounded)
        elif np.isnan(values).any():
            rounded = np.where(np.isnan(values), np.clip(0.0, low, high), rounded)
        if self.allow_infinity:
            rounded = np.where(np.isinf(values), values, rounded)
        return np.asarray(rounded, dtype=carrier(dtype))

    def _instead_of_zero(self, dtype: str) -> float:
        """One, or the number of the range nearest to it."""
        low, high = self.limits(dtype)
        near = min(max(1.0, low), high)
        return near if near != 0 else (low if high == 0 else high)

    def _integers(self, values: Values, sizes: Binding) -> NDArray[np.int64]:
        if self.values is not None:
            return values.astype(np.int64)
        numbers = np.rint(np.clip(values, -_LARGEST_INTEGER, _LARGEST_INTEGER))
        if self.classes is None:
            low = -_LARGEST_INTEGER if self.min_value is None else self.min_value
            high = _LARGEST_INTEGER if self.max_value is None else self.max_value
            return np.clip(numbers, low, high).astype(np.int64)
        top = self.classes.at(sizes) - 1
        labels = np.clip(numbers, 0, max(top, 0)).astype(np.int64)
        if self.ignore_index is None:
            return labels
        # Negative numbers stand for what is ignored; so does everything if there is no class.
        return np.where((numbers < 0) | (top < 0), np.int64(self.ignore_index), labels)

    def lacks(self, dtype: str) -> bool:
        """Whether the dtype has no finite number in the range, or can't tell the given ones apart.

        A given decimal has to survive in it: the hypothesis is about what was printed.
        """
        if self.values is not None:
            return not all(holds_decimal(float(value), dtype) for value in self.values.flat)
        if self.kind != "real":
            return False
        low, high = self.limits(dtype)
        top = largest(dtype)
        only_zero = self.exclude_zero and low == high == 0
        return only_zero or low > high or low > top or high < -top

    def has_member(self, shape: Sequence[int], sizes: Binding) -> bool:
        """Whether any array of this shape is allowed."""
        elements = int(np.prod(shape, dtype=np.int64))
        if self.structure is not None and STRUCTURES[self.structure].nonempty:
            return shape[-1] > 0 or 0 in shape[:-1]
        if self.classes is not None:
            return not elements or self.classes.at(sizes) > 0 or self.ignore_index is not None
        if self.distinct:
            able = [dtype for dtype in DTYPES if not self.lacks(dtype)]
            return all(elements <= how_many(*self.limits(dtype), dtype) for dtype in able)
        return True

    def __str__(self) -> str:
        if self.values is not None:
            return f"given {np.array2string(self.values, separator=', ')}".replace("\n", "")
        if self.text is not None:
            return self.text
        low = "-inf" if self.min_value is None else f"{self.min_value:g}"
        high = "inf" if self.max_value is None else f"{self.max_value:g}"
        bounds = "" if (low, high) == ("-inf", "inf") else f", {low} to {high}"
        out = [end for end, no in ((low, self.exclude_min), (high, self.exclude_max)) if no]
        bounds += f" without {' and '.join(out)}" if out else ""
        allowed = [("NaN", self.allow_nan), ("infinity", self.allow_infinity)]
        bounds += "".join(f", {name} allowed" for name, yes in allowed if yes)
        return f'reals("{self.shape.text}"{bounds})'


def reals(
    shape: str = "",
    min_value: float | None = None,
    max_value: float | None = None,
    *,
    exclude_min: bool = False,
    exclude_max: bool = False,
    allow_nan: bool = False,
    allow_infinity: bool = False,
) -> Input:
    """Real numbers between two bounds, in an array of the given shape string.

    The bounds belong to the range unless they are excluded. NaN and infinities are drawn only where
    they are allowed. Raises ClaimError for a shape that can't be read, a range that holds no
    number, or infinities beyond a bound.
    """
    spec = Input(
        parse_shape(shape),
        min_value,
        max_value,
        exclude_min=exclude_min,
        exclude_max=exclude_max,
        allow_nan=allow_nan,
        allow_infinity=allow_infinity,
    )
    if allow_infinity and not min_value is max_value is None:
        raise ClaimError(
            "allow_infinity=True with min_value or max_value: infinities lie beyond every bound; "
            "leave out the one or the other"
        )
    return checked_range(spec)


def checked_range(spec: Input) -> Input:
    """The input itself, if its bounds are finite numbers with a number between them."""
    low, high = spec.min_value, spec.max_value
    for name, bound in (("min_value", low), ("max_value", high)):
        if bound is not None and not isinstance(bound, int | float):
            raise ClaimError(f"{name}={bound!r} is no number")
        if bound is not None and not np.isfinite(bound):
            raise ClaimError(f"{name}={bound} is not finite; leave it out for no bound")
    for name, bound, excluded in (("min", low, spec.exclude_min), ("max", high, spec.exclude_max)):
        if excluded and bound is None:
            raise ClaimError(
                f"exclude_{name}=True without {name}_value: there is nothing to leave out"
            )
    for dtype in ("float64", "float32"):  # in a narrower one, the claim is not run
        if spec.lacks(dtype):
            raise ClaimError(
                f"no {dtype} number lies between min_value={low} and max_value={high}; "
                "the domain can't be satisfied: widen the range"
            )
    return spec


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


@dataclass(frozen=True, slots=True)
class ComplexInput:
    """One complex input of a domain: what its real and its imaginary part are, each by itself."""

    part: Input

    def __str__(self) -> str:
        return f"complexes({str(self.part).removeprefix('reals(')}"


def complexes(
    shape: str = "", min_value: float | None = None, max_value: float | None = None
) -> ComplexInput:
    """Complex numbers whose real and imaginary parts lie between two bounds, in a complex array.

    A domain holds them as two real inputs of this shape, named `z.re` and `z.im` for an input z;
    formulas and code under test get one complex array. Raises ClaimError for a shape that can't be
    read, or a range that holds no number.
    """
    return ComplexInput(reals(shape, min_value, max_value))


class Domain:
    """The points a claim speaks of: keyword arguments name the inputs, in their order.

    `Domain(X=reals("n d"), w=reals("d"))`: inputs that share a dimension name share its size.
    A complex input is held as two real ones (`inputs`); `arguments` are the arrays that functions
    are given, by name, with the inputs each is made of.
    Immutable. Raises ClaimError for anything that is no input, or for contradictory names.
    """

    inputs: Mapping[str, Input]
    arguments: Mapping[str, tuple[str, ...]]

    def __init__(self, **arguments: Input | ComplexInput) -> None:
        if not arguments:
            raise ClaimError('a domain needs at least one input, e.g. Domain(x=reals("n"))')
        inputs: dict[str, Input] = {}
        for name, argument in arguments.items():
            value = argument.part if isinstance(argument, ComplexInput) else argument
            if not isinstance(value, Input):
                raise ClaimError(f'{name}={value!r} is no input; wanted e.g. {name}=reals("n d")')
            if not name.isidentifier():
                raise ClaimError(f"{name!r} can't name an input; wanted a Python identifier")
            axes = sum(isinstance(axis, Size) for axis in value.shape.axes)
            if axes > MAX_RANK:
                raise ClaimError(f"{name} has {axes} axes; at most {MAX_RANK} are supported")
            names = halves(name) if isinstance(argument, ComplexInput) else (name,)
            inputs |= dict.fromkeys(names, value)
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "arguments", grouped(inputs))
        clash = sorted(self.names & set(self.variadics))
        if clash:
            raise ClaimError(f"{clash[0]!r} names both one axis and, with a star, several")
        for name, value in inputs.items():
            unknown = value.classes.names - self.names if value.classes else frozenset[str]()
            if unknown:
                raise ClaimError(
                    f"{name}={value}: no input has a dimension {min(unknown)!r}; "
                    f'wanted e.g. Domain(scores=reals("n {min(unknown)}"), {name}={value})'
                )

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
        return ", ".join(f"{name}={self.described(name)}" for name in self.arguments)

    def described(self, argument: str) -> str:
        """An argument as it is written."""
        first, *others = (self.inputs[name] for name in self.arguments[argument])
        return str(ComplexInput(first) if others else first)

    @property
    def is_complex(self) -> bool:
        """Whether functions are given complex arrays."""
        return has_pairs(self.inputs)

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
        if self.is_complex and dtype not in COMPLEX:
            return f"no complex numbers have parts in {dtype}; complex64 and complex128 are run"
        names = [name for name, spec in self.inputs.items() if spec.lacks(dtype)]
        return f"{dtype} doesn't hold the numbers of {', '.join(names)}" if names else ""

    def satisfiable(self, ranks: Mapping[str, int], sizes: Binding) -> bool:
        """Whether every input has a member at these sizes (which may not be negative)."""
        for name, axes in self.expand(ranks).items():
            shape = [axis.at(sizes) for axis in axes]
            if min(shape, default=0) < 0 or not self.inputs[name].has_member(shape, sizes):
                return False
        return True

    def expand(self, ranks: Mapping[str, int]) -> dict[str, tuple[Size, ...]]:
        """Every input's axes, once the starred names have a number of axes."""
        return {name: value.shape.expand(ranks) for name, value in self.inputs.items()}
