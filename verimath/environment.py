"""Where a run takes place: what a reader needs to know to repeat or to doubt it."""

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from verimath.backends import Backend
from verimath.formula.operations import FUNCTIONS
from verimath.report.record import Environment

_LIBRARIES = ("array-api-compat", "hypothesis", "numpy", "sympy", "torch")


def environment(backends: Sequence[Backend]) -> Environment:
    """The environment of a run on these backends."""
    return Environment(
        verimath=_version("verimath"),
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        processor=platform.processor() or platform.machine(),
        libraries={name: _version(name) for name in _LIBRARIES},
        backends={b.name: b.why_unavailable() or "ready" for b in backends},
        settings={
            f"{backend.name}: {what}": found
            for backend in backends
            if not backend.why_unavailable()
            for what, found in (*backend.settings().items(), *_functions(backend).items())
        },
    )


def _functions(backend: Backend) -> dict[str, str]:
    """The least accurate elementary function per dtype, as the bounds assume it."""
    found: dict[str, str] = {}
    for dtype in backend.dtypes:
        known = backend.format(dtype).function
        worst = max(FUNCTIONS, key=lambda name: known(name).roundoffs)
        width = f"{known(worst).roundoffs:.3g} unit roundoffs ({worst})"
        found[f"{dtype} functions"] = f"within {width}"
    return found


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
