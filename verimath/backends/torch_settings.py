"""What torch is set to on a device: accumulators, reduced precision, flushed subnormal numbers.

Everything is read when asked, for a program may change it between two runs. Sources and the
measurements behind the declared accumulators: docs/accumulators.md.
"""

from dataclasses import replace
from functools import cache
from typing import Any

import torch

from verimath.arithmetic.formats import FLOAT32, FORMATS, FloatFormat, FunctionError
from verimath.arithmetic.functions import assumed, machine
from verimath.arithmetic.functions import flushes as thread_flushes
from verimath.dtypes import least_normal

# A factor is read with so many bits. Tensor cores may cut bits off instead of rounding (PTX leaves
# it open), which costs twice the unit roundoff of 11 bits; oneDNN rounds to bfloat16.
_FACTOR_ROUNDOFF = {"tf32": 2.0**-10, "bf16": 2.0**-8}
# Tensor cores add with truncation after alignment to the largest term, which costs up to four
# times the roundoff of float32 an addition (Fasi, Higham, Mikaitis, Pranesh, "Numerical behavior
# of NVIDIA tensor cores", PeerJ Computer Science 7:e330, 2021).
_TENSOR_CORE = replace(FLOAT32, roundoff=4 * FLOAT32.roundoff)
# VDPBF16PS reads and writes zero for subnormal numbers, whatever the thread's mode (Intel SDM 2A).
_DOT_BF16 = FLOAT32.flushed
_BACKENDS: Any = torch.backends  # whose modules are not all typed
_HALVES = ("float16", "bfloat16")


def format_on(kind: str, dtype: str) -> FloatFormat:
    """How torch computes in a dtype on a kind of device ("cpu", "cuda"), as it is set now."""
    return _format(
        kind,
        dtype,
        factors=product_precision(kind) if dtype == "float32" else "ieee",
        in_type=dtype in _HALVES and sums_in_type(kind, dtype),
        flushing=flushes(kind, dtype),
    )


@cache
def _format(kind: str, dtype: str, *, factors: str, in_type: bool, flushing: bool) -> FloatFormat:
    found = replace(FORMATS[dtype], functions=_functions(kind, dtype))
    if dtype in _HALVES:
        # CPU and CUDA kernels sum in at::acc_type, float32 for both.
        products = {"cpu": _DOT_BF16, "cuda": _TENSOR_CORE}.get(kind)
        sums = FLOAT32 if products else None
        found = replace(found, sums=sums, products=None if in_type else products)
        if kind == "cpu" and dtype == "bfloat16":
            found = replace(found, factor_underflow=least_normal("bfloat16"))
    elif factors in _FACTOR_ROUNDOFF:
        found = replace(
            found,
            products=_TENSOR_CORE.flushed,
            factor_roundoff=_FACTOR_ROUNDOFF[factors],
            factor_underflow=least_normal("float32"),
        )
    return found.flushed if flushing else found


@cache
def _functions(kind: str, dtype: str) -> tuple[tuple[str, FunctionError], ...]:
    return assumed(f"torch-{kind}", dtype, conditions(kind)).functions


def product_precision(kind: str) -> str:
    """How float32 matrix products read their factors: "ieee", "tf32" or "bf16"."""
    if kind == "cuda":
        own: Any = _BACKENDS.cuda.matmul
    elif kind == "cpu":
        own = getattr(_BACKENDS.mkldnn, "matmul", None)
    else:
        return "ieee"
    found = getattr(own, "fp32_precision", "none")  # torch 2.9 and later
    if found in _FACTOR_ROUNDOFF:
        return found
    if kind == "cuda" and found == "none" and _legacy_tf32():
        return "tf32"
    return "ieee"


def _legacy_tf32() -> bool:
    try:
        return bool(torch.backends.cuda.matmul.allow_tf32)
    except RuntimeError:  # set through both interfaces: the new one decides
        return False


def sums_in_type(kind: str, dtype: str) -> bool:
    """Whether matrix products of a 16-bit dtype may add partial sums in that dtype."""
    own: Any = _BACKENDS.cuda.matmul
    if kind == "cuda":
        short = "fp16" if dtype == "float16" else "bf16"
        accumulates = dtype == "float16" and bool(getattr(own, "allow_fp16_accumulation", False))
        return accumulates or bool(getattr(own, f"allow_{short}_reduced_precision_reduction"))
    # No public name reads the CPU's setting (as of torch 2.13); without it, it doesn't exist.
    core: Any = torch._C  # pyright: ignore[reportPrivateUsage]
    read = getattr(core, "_get_cpu_allow_fp16_reduced_precision_reduction", None)
    return dtype == "float16" and read is not None and bool(read())


def flushes(kind: str, dtype: str) -> bool:
    """Whether products on the device give zero for a subnormal number: measured, it costs 10 us.

    On a CPU the thread's mode decides, and one measurement per mode is enough.
    """
    if not _present(kind):
        return False
    return _flushes_on_cpu(dtype, thread_flushes()) if kind == "cpu" else _measured(kind, dtype)


@cache
def _flushes_on_cpu(dtype: str, mode: bool) -> bool:
    return _measured("cpu", dtype)


def _measured(kind: str, dtype: str) -> bool:
    tiny = torch.tensor(torch.finfo(getattr(torch, dtype)).smallest_normal / 2, dtype=torch.float64)
    there = tiny.to(kind, getattr(torch, dtype))
    return not bool((there * 1 != 0).item())


def _present(kind: str) -> bool:
    return kind != "cuda" or torch.cuda.is_available()


def conditions(kind: str) -> dict[str, str]:
    """What decides which kernels torch's functions run on."""
    version = str(torch.__version__)
    if kind == "cuda":
        name = torch.cuda.get_device_name() if _present(kind) else "no device"
        return {"torch": version, "device": name}
    return {"torch": version, "kernels": torch.backends.cpu.get_cpu_capability(), **machine()}


def settings(kind: str) -> dict[str, str]:
    """The settings that bounds depend on, in words."""
    found = {
        "float32 matrix products": f"factors read as {product_precision(kind)}",
        **{
            f"{dtype} matrix products": "partial sums may be kept in it"
            if sums_in_type(kind, dtype)
            else "summed in float32"
            for dtype in _HALVES
        },
        "subnormal numbers": "flushed to zero" if flushes(kind, "float32") else "kept",
        "elementary functions": assumed(f"torch-{kind}", "float64", conditions(kind)).source,
    }
    if kind == "cuda":
        conv = getattr(_BACKENDS.cudnn, "conv", None)  # torch 2.9 and later
        precision = getattr(conv, "fp32_precision", None)
        if precision is None:
            precision = "tf32" if _BACKENDS.cudnn.allow_tf32 else "ieee"
        found["convolutions (cuDNN)"] = f"factors read as {precision}"
    return found
