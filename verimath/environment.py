"""Where a run takes place: what a reader needs to know to repeat or to doubt it."""

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from verimath.backends import Backend
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
            "elementary functions": "assumed within 4 ulp (8 unit roundoffs)",
            "square roots": "assumed within 1 ulp (2 unit roundoffs)",
        },
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
