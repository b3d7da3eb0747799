"""How far the elementary functions of a library are off: what was measured, and where that counts.

`ulp.json` beside this file is written by `verimath ulp` (docs/ulp.md). A measurement counts for the
library, version, processor and kernels that it was made with; anywhere else the documented width
applies. The oracle's own float64 values are numpy's, so its error is numpy's, too.
"""

import json
import math
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from verimath.arithmetic.formats import FLOAT64, FloatFormat, FunctionError, documented

TABLE = Path(__file__).with_name("ulp.json")

# What a sample may have missed of the worst case: docs/ulp.md, "The margin".
SAMPLED_MARGIN = 2.0


@dataclass(frozen=True, slots=True)
class Assumption:
    """Errors per function in one dtype of one library, and where they come from."""

    functions: tuple[tuple[str, FunctionError], ...]
    source: str


def assumed(library: str, dtype: str, conditions: Mapping[str, str]) -> Assumption:
    """What may be assumed of a library's functions under these conditions.

    `library` is "numpy", "torch-cpu" or "torch-cuda", `conditions` what `numpy_conditions` or the
    torch backend says.
    """
    where = ", ".join(f"{key} {value}" for key, value in conditions.items())
    for measurement in measurements():
        if measurement["library"] == library and measurement["conditions"] == dict(conditions):
            functions = tuple(
                (name, error_of(name, dtype, by_dtype[dtype]))
                for name, by_dtype in measurement["functions"].items()
                if dtype in by_dtype
            )
            return Assumption(functions, f"measured {measurement['measured']} on {where}")
    return Assumption((), f"documented (4 ulp, square roots 1 ulp): not measured on {where}")


def error_of(function: str, dtype: str, measured: Mapping[str, Any]) -> FunctionError:
    """What a bound takes: as measured if it was over every number, else with a margin.

    A sampled maximum counts twice, unless the library keeps its documented promise and that is
    narrower; a sampled reach counts for a quarter.
    """
    worst, absolute = float(measured["roundoffs"]), float(measured["absolute"])
    reach = math.inf if measured["reach"] is None else float(measured["reach"])
    if measured["exhaustive"]:
        return FunctionError(worst, absolute, reach)
    promise = documented(function, dtype).roundoffs
    doubled = max(SAMPLED_MARGIN * worst, SAMPLED_MARGIN)
    roundoffs = min(doubled, promise) if worst <= promise else doubled
    return FunctionError(roundoffs, SAMPLED_MARGIN * absolute, reach / 4)


@cache
def measurements() -> tuple[dict[str, Any], ...]:
    """The committed table, one entry per library and conditions."""
    return tuple(json.loads(TABLE.read_text(encoding="utf-8"))["measurements"])


def numpy_conditions() -> dict[str, str]:
    """What decides which kernels numpy's functions run on."""
    found: Any = np.show_config(mode="dicts")
    simd: dict[str, list[str]] = found.get("SIMD Extensions", {})
    kernels = [*simd.get("baseline", []), *simd.get("found", [])]
    return {"numpy": np.__version__, "kernels": kernels[-1] if kernels else "none", **machine()}


@cache
def machine() -> dict[str, str]:
    """The processor and the C library, on which kernels and scalar functions depend."""
    vendor = platform.processor() or "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        vendors = [line.split(":", 1)[1].strip() for line in lines if line.startswith("vendor_id")]
        vendor = vendors[0] if vendors else vendor
    libc = " ".join(platform.libc_ver()).strip() or "unknown"
    return {"processor": f"{platform.machine()} {vendor}", "libc": libc}


_TINY, _ONE = math.ldexp(1.0, -1074), 1.0


def flushes() -> bool:
    """Whether this thread takes subnormal numbers for zero (torch.set_flush_denormal)."""
    return _TINY * _ONE == 0.0


def own_float64() -> FloatFormat:
    """Float64 as the oracle computes in it: numpy's, on this machine, in this thread."""
    return _own_float64(flushes())


@cache
def _own_float64(flushing: bool) -> FloatFormat:
    found = replace(FLOAT64, functions=assumed("numpy", "float64", numpy_conditions()).functions)
    return found.flushed if flushing else found
