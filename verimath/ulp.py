"""Measuring the elementary functions of numpy and torch: how many unit roundoffs they are off.

`verimath ulp` evaluates every function of `FUNCTIONS` on every number of float16 and bfloat16, and
on a seeded sample of float32 and float64 (every binary order, around the points where arguments are
reduced or results cancel, and the ordinary range), in the layouts that choose different kernels.
The oracle is ball arithmetic (Arb, in python-flint). docs/ulp.md says what is made of the result.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verimath.arithmetic.formats import FORMATS, documented
from verimath.arithmetic.functions import TABLE, numpy_conditions
from verimath.dtypes import (
    DTYPES,
    adjacent,
    carrier,
    every_number,
    largest,
    least_normal,
    least_subnormal,
    nearest,
)
from verimath.errors import UnavailableError, UsageError

Values = NDArray[np.float64]

SEED = 20260101
POINTS = 2**21
_VANISHING = 1e-320
_SHORT = 512  # points that are also evaluated one by one, and in short arrays


@dataclass(frozen=True, slots=True)
class Elementary:
    """One function: its names, its exact value as a ball, and the real interval it is defined on.

    `near` are points around which errors are at their worst: zeros, ends, thresholds.
    """

    numpy: str | None
    torch: str | None
    ball: Callable[[Any], Any]
    low: float = -math.inf
    high: float = math.inf
    near: tuple[float, ...] = (0.0,)


_QUARTERS = tuple(k * math.pi / 2 for k in range(-64, 65))
_ENDS = (-745.0, -709.0, -104.0, -88.7, -17.3, -9.0, 9.0, 11.09, 88.7, 709.0)

FUNCTIONS: dict[str, Elementary] = {
    "exp": Elementary("exp", "exp", lambda x: x.exp(), near=(0.0, *_ENDS)),
    "exp2": Elementary("exp2", "exp2", lambda x: (x * _log_two()).exp(), near=(0.0, *_ENDS)),
    "expm1": Elementary("expm1", "expm1", lambda x: x.expm1(), near=(0.0, *_ENDS)),
    "log": Elementary("log", "log", lambda x: x.log(), low=0.0, near=(0.0, 1.0)),
    "log2": Elementary("log2", "log2", lambda x: x.log() / _log_two(), low=0.0, near=(0.0, 1.0)),
    "log10": Elementary("log10", "log10", lambda x: x.log() / _log_ten(), low=0.0, near=(0.0, 1.0)),
    "log1p": Elementary("log1p", "log1p", lambda x: x.log1p(), low=-1.0, near=(-1.0, 0.0)),
    "sqrt": Elementary("sqrt", "sqrt", lambda x: x.sqrt(), low=0.0, near=(0.0, 1.0)),
    "sin": Elementary("sin", "sin", lambda x: x.sin(), near=_QUARTERS),
    "cos": Elementary("cos", "cos", lambda x: x.cos(), near=_QUARTERS),
    "tan": Elementary("tan", "tan", lambda x: x.tan(), near=_QUARTERS),
    "asin": Elementary("arcsin", "asin", lambda x: x.asin(), -1.0, 1.0, (-1.0, 0.0, 0.5, 1.0)),
    "acos": Elementary("arccos", "acos", lambda x: x.acos(), -1.0, 1.0, (-1.0, 0.0, 0.5, 1.0)),
    "atan": Elementary("arctan", "atan", lambda x: x.atan(), near=(-1.0, 0.0, 1.0)),
    "sinh": Elementary("sinh", "sinh", lambda x: x.sinh(), near=(0.0, *_ENDS)),
    "cosh": Elementary("cosh", "cosh", lambda x: x.cosh(), near=(0.0, *_ENDS)),
    "tanh": Elementary("tanh", "tanh", lambda x: x.tanh(), near=(0.0, *_ENDS)),
    "asinh": Elementary("arcsinh", "asinh", lambda x: x.asinh()),
    "acosh": Elementary("arccosh", "acosh", lambda x: x.acosh(), low=1.0, near=(1.0,)),
    "atanh": Elementary("arctanh", "atanh", lambda x: x.atanh(), -1.0, 1.0, (-1.0, 0.0, 1.0)),
    "sigmoid": Elementary(None, "sigmoid", lambda x: 1 / (1 + (-x).exp()), near=(0.0, *_ENDS)),
    "erf": Elementary(None, "erf", lambda x: x.erf(), near=(0.0, -3.0, 3.0, -6.0, 6.0)),
    "erfc": Elementary(None, "erfc", lambda x: x.erfc(), near=(0.0, -3.0, 3.0, 9.0, 26.0)),
}


def _flint() -> Any:
    try:
        return import_module("flint")
    except ImportError:
        raise UnavailableError(
            "measuring functions needs exact values from python-flint; install python-flint"
        ) from None


def _log_two() -> Any:
    return _flint().arb(2).log()


def _log_ten() -> Any:
    return _flint().arb(10).log()


@dataclass(frozen=True, slots=True)
class Exact:
    """Arguments in the carrier of a dtype, and f there as an unevaluated sum `head + tail`."""

    arguments: NDArray[Any]
    head: Values
    tail: Values


@dataclass(frozen=True, slots=True)
class Worst:
    """The largest error of a function.

    |error| <= roundoffs (u |f| + eta) + absolute wherever |f| < reach; `absolute` is the largest
    error among arguments at which the documented promise is broken, `reach` the least |f| that came
    back infinite (None: there is none). `ulp` is the largest error in ulp, met at `at`.
    """

    points: int = 0
    exhaustive: bool = True
    roundoffs: float = 0.0
    absolute: float = 0.0
    reach: float | None = None
    ulp: float = 0.0
    at: float = 0.0

    def joined(self, other: "Worst") -> "Worst":
        """The worst of both, over the arguments of both."""
        reaches = [reach for reach in (self.reach, other.reach) if reach is not None]
        return Worst(
            self.points + other.points,
            self.exhaustive and other.exhaustive,
            max(self.roundoffs, other.roundoffs),
            max(self.absolute, other.absolute),
            min(reaches, default=None),
            max(self.ulp, other.ulp),
            self.at if self.ulp >= other.ulp else other.at,
        )


def sample(function: Elementary, dtype: str, points: int, seed: int = SEED) -> NDArray[Any]:
    """Arguments of a function in a dtype's carrier: about so many, each once, the same every time.

    A quarter each: every binary order, numbers next to `near`, the ordinary range by size, and by
    binary orders around one.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    quarter = max(points // 4, 1)
    smallest, greatest = math.log2(least_subnormal(dtype)), math.log2(largest(dtype))
    places = (np.arange(quarter) // 2 + generator.random(quarter)) / ((quarter + 1) // 2)
    orders = smallest + (greatest - smallest) * places  # every one of both signs
    around = np.asarray(function.near)[generator.integers(0, len(function.near), quarter)]
    steps = generator.uniform(-60.0, 3.0, quarter)
    reach = np.where(around == 0, 1.0, np.abs(around))
    scales = 2.0 ** generator.integers(0, 11, quarter)
    parts = [
        np.where(np.arange(quarter) % 2, -1.0, 1.0) * 2.0 ** np.minimum(orders, greatest),
        around + generator.choice([-1.0, 0.0, 1.0], quarter) * reach * 2.0**steps,
        generator.uniform(-1.0, 1.0, quarter) * scales,
        generator.choice([-1.0, 1.0], quarter) * 2.0 ** generator.normal(0.0, 4.0, quarter),
    ]
    found = nearest(np.concatenate(parts), dtype)
    beside = [
        adjacent(float(nearest(x, dtype)), towards, dtype)
        for x in (*function.near, largest(dtype), least_normal(dtype))
        for towards in (-math.inf, math.inf)
    ]
    everything = np.concatenate([found, np.asarray(beside, dtype=carrier(dtype))])
    return np.unique(_inside(function, everything))


def _inside(function: Elementary, arguments: NDArray[Any]) -> NDArray[Any]:
    kept = np.isfinite(arguments) & (arguments >= function.low) & (arguments <= function.high)
    return arguments[kept]


def exact_values(function: Elementary, arguments: NDArray[Any], dtype: str) -> Exact:
    """The function at these arguments to 30 digits; poles and what overflows are left out.

    Raises ArithmeticError if ball arithmetic doesn't reach that.
    """
    flint = _flint()
    heads: list[float] = []
    tails: list[float] = []
    for number in np.asarray(arguments, dtype=np.float64).tolist():
        ball = _ball(flint, function, number)
        head = float(ball.mid())
        heads.append(head)
        tails.append(float((ball - head).mid()) if math.isfinite(head) else 0.0)
    head, tail = np.asarray(heads), np.asarray(tails)
    kept = np.abs(head) < largest(dtype) * (1 - 8 * FORMATS[dtype].roundoff)
    return Exact(np.asarray(arguments)[kept], head[kept], tail[kept])


def _ball(flint: Any, function: Elementary, number: float) -> Any:
    """A ball of 100 good bits; more working bits where the argument cancels (log, large sines)."""
    before = flint.ctx.prec
    try:
        for bits in (140, 1500):
            flint.ctx.prec = bits
            ball = function.ball(flint.arb(number))
            size = abs(ball.mid())
            if not ball.is_finite() or ball.rad() <= size * 2.0**-100 or ball.rad() < _VANISHING:
                return ball if ball.is_finite() else flint.arb("inf")
    finally:
        flint.ctx.prec = before
    raise ArithmeticError(f"no ball of 100 bits at {number.hex()}: {ball}")


def worst_of(
    name: str,
    exact: Exact,
    dtype: str,
    evaluate: Callable[[NDArray[Any]], Values],
    *,
    exhaustive: bool,
) -> Worst:
    """The largest error in every layout: contiguous, strided, short, and one number at a time."""
    parts = [(slice(None), evaluate(exact.arguments))]
    parts.append((slice(None), evaluate(np.repeat(exact.arguments, 2)[::2])))
    few = slice(0, None, max(len(exact.arguments) // _SHORT, 1))
    chosen = exact.arguments[few]
    for length in (1, 7):
        pieces = [evaluate(chosen[k : k + length]) for k in range(0, len(chosen), length)]
        parts.append((few, np.concatenate([np.zeros(0), *pieces])))
    worst = Worst(exhaustive=exhaustive)
    for part, got in parts:
        shown = Exact(exact.arguments[part], exact.head[part], exact.tail[part])
        worst = worst.joined(_errors(name, shown, dtype, got, exhaustive=exhaustive))
    return replace(worst, points=len(exact.arguments))


def _errors(name: str, exact: Exact, dtype: str, got: Values, *, exhaustive: bool) -> Worst:
    if not got.size:
        return Worst(exhaustive=exhaustive)
    u = FORMATS[dtype].roundoff
    # Half of float64's least number is none: its subnormal results are counted in whole ones.
    eta = max(least_subnormal(dtype) / 2, least_subnormal("float64"))
    size = np.abs(exact.head)
    with np.errstate(all="ignore"):
        error = np.abs((got - exact.head) - exact.tail)
        roundoffs = error / (u * size + eta)
        _, exponents = np.frexp(np.maximum(size, least_normal(dtype)))
        ulp = error / np.ldexp(2 * u, exponents - 1)
    lost = ~np.isfinite(got)
    kept = ~lost & (roundoffs <= documented(name, dtype).roundoffs)
    beyond = ~lost & ~kept
    place = int(np.argmax(np.where(lost, 0.0, ulp)))
    return Worst(
        len(got),
        exhaustive,
        float(np.max(roundoffs, initial=0.0, where=kept)),
        float(np.max(error, initial=0.0, where=beyond)),
        float(np.min(size[lost])) if lost.any() else None,
        float(ulp[place]),
        float(exact.arguments[place]),
    )


def evaluator(
    library: str, function: Elementary, dtype: str
) -> Callable[[NDArray[Any]], Values] | None:
    """A library's function on arrays in a dtype's carrier; None where it has none."""
    if library == "numpy":
        if function.numpy is None or dtype == "bfloat16":
            return None
        operation: Any = getattr(np, function.numpy)

        def with_numpy(x: NDArray[Any]) -> Values:
            with np.errstate(all="ignore"):
                return np.asarray(operation(x), dtype=np.float64)

        return with_numpy
    if function.torch is None:
        return None
    import torch

    device = library.removeprefix("torch-")
    kind: Any = getattr(torch, dtype)
    applied: Any = getattr(torch, function.torch)

    def with_torch(x: NDArray[Any]) -> Values:
        stride = x.strides[0] // x.itemsize if x.size > 1 else 1
        held = torch.empty(max(x.size * stride, 1), dtype=kind, device=device)[::stride]
        held = held[: x.size]
        held.copy_(torch.from_numpy(np.ascontiguousarray(x)))
        return applied(held).double().cpu().numpy()

    return with_torch


def measure(
    libraries: Sequence[str],
    *,
    names: Iterable[str] | None = None,
    dtypes: Sequence[str] = DTYPES,
    points: int = POINTS,
    exhaustive: bool = False,
    progress: Callable[[str], None] = lambda message: None,
) -> dict[str, dict[str, dict[str, Worst]]]:
    """The worst error per library, function and dtype; `exhaustive` takes every float32, too.

    Raises UsageError for a function that nobody knows.
    """
    chosen = list(FUNCTIONS if names is None else names)
    for name in chosen:
        if name not in FUNCTIONS:
            raise UsageError(f"no function is called {name!r}; known: {', '.join(FUNCTIONS)}")
    found: dict[str, dict[str, dict[str, Worst]]] = {library: {} for library in libraries}
    for name in chosen:
        progress(name)
        for dtype in dtypes:
            function = FUNCTIONS[name]
            ways = {library: evaluator(library, function, dtype) for library in libraries}
            if not any(ways.values()):
                continue
            if exhaustive and dtype == "float32" and function.numpy is not None:
                for library in libraries:
                    found[library].setdefault(name, {})[dtype] = exhaustive_float32(library, name)
                continue
            whole = dtype in ("float16", "bfloat16")
            arguments = (
                _inside(function, every_number(dtype)) if whole else sample(function, dtype, points)
            )
            exact = exact_values(function, arguments, dtype)
            for library, way in ways.items():
                if way is not None:
                    worst = worst_of(name, exact, dtype, way, exhaustive=whole)
                    found[library].setdefault(name, {})[dtype] = worst
    return found


def exhaustive_float32(library: str, name: str) -> Worst:
    """The worst error of a function over all finite float32 numbers: minutes per function.

    The oracle is numpy's float64 function: its own error, some 2^-52, is 2^-28 of a roundoff here.
    """
    function = FUNCTIONS[name]
    way = evaluator(library, function, "float32")
    truth = evaluator("numpy", function, "float64")
    if way is None or truth is None:
        raise UsageError(f"{name} can't be measured exhaustively on {library}")
    worst = Worst()
    for arguments in _blocks():
        inside = _inside(function, arguments)
        head = truth(inside.astype(np.float64))
        kept = np.abs(head) < largest("float32") * (1 - 8 * FORMATS["float32"].roundoff)
        exact = Exact(inside[kept], head[kept], np.zeros(int(kept.sum())))
        worst = worst.joined(worst_of(name, exact, "float32", way, exhaustive=True))
    return worst


def _blocks() -> Iterator[NDArray[np.float32]]:
    """All finite float32 numbers, in blocks of 2^22."""
    size = 2**22
    for start in range(0, 2**32, size):
        bits = np.arange(start, start + size, dtype=np.uint64).astype(np.uint32)
        numbers = bits.view(np.float32)
        yield numbers[np.isfinite(numbers)]


def ready_libraries(names: Sequence[str] | None) -> tuple[str, ...]:
    """The libraries to measure: those asked for, or all that can be.

    Raises UsageError for a name that nobody knows, UnavailableError for one that isn't ready.
    """
    from verimath.backends import get_backend

    known = ("numpy", "torch-cpu", "torch-cuda")
    for name in names or ():
        if name not in known:
            raise UsageError(f"no library is called {name!r}; known: {', '.join(known)}")
        why = get_backend(name).why_unavailable()
        if why:
            raise UnavailableError(f"{name} can't be measured: {why}")
    return tuple(n for n in names or known if names or not get_backend(n).why_unavailable())


def conditions_of(library: str) -> dict[str, str]:
    """What decides which kernels a library's functions run on."""
    if library == "numpy":
        return numpy_conditions()
    from verimath.backends.torch_settings import conditions

    return conditions(library.removeprefix("torch-"))


def entry(library: str, functions: Mapping[str, Mapping[str, Worst]]) -> dict[str, Any]:
    """One entry of the table; errors are rounded up to four digits."""
    return {
        "library": library,
        "conditions": conditions_of(library),
        "measured": datetime.now(UTC).date().isoformat(),
        "functions": {
            name: {
                dtype: {
                    "points": worst.points,
                    "exhaustive": worst.exhaustive,
                    "roundoffs": _rounded_up(worst.roundoffs),
                    "absolute": worst.absolute,
                    "reach": worst.reach,
                    "ulp": _rounded_up(worst.ulp),
                    "at": worst.at.hex(),
                }
                for dtype, worst in by_dtype.items()
            }
            for name, by_dtype in functions.items()
        },
    }


def _rounded_up(value: float) -> float:
    """At least the value, to four decimals."""
    return math.ceil(value * 1e4) / 1e4 if math.isfinite(value) else value


def merged(entries: Sequence[dict[str, Any]], path: Path = TABLE) -> str:
    """The text of a table with these entries in place of those of the same library and conditions.

    Functions that were not measured this time stay as they were.
    """
    old: list[dict[str, Any]] = []
    if path.exists():
        old = json.loads(path.read_text(encoding="utf-8"))["measurements"]
    for new in entries:
        same = [e for e in old if _key(e) == _key(new)]
        functions: dict[str, Any] = {}
        for one in (*same, new):
            for name, by_dtype in one["functions"].items():
                functions[name] = {**functions.get(name, {}), **by_dtype}
        old = [e for e in old if _key(e) != _key(new)] + [{**new, "functions": functions}]
    return json.dumps({"schema_version": 1, "measurements": old}, indent=1) + "\n"


def _key(one: Mapping[str, Any]) -> tuple[Any, ...]:
    return one["library"], tuple(sorted(one["conditions"].items()))
