"""Implementations that people write, right and wrong, by chapter: see `tests.corpus.case`."""

import importlib
from functools import cache
from pathlib import Path

CHAPTERS = tuple(
    sorted(
        path.stem
        for path in Path(__file__).parent.glob("*.py")
        if path.stem not in ("__init__", "case")
    )
)


@cache
def _modules():
    return [importlib.import_module(f"tests.corpus.{name}") for name in CHAPTERS]


def claims():
    """Every claim by its id."""
    return {claim.id: claim for module in _modules() for claim in module.CLAIMS}


def right_cases():
    """Every right implementation."""
    return tuple(case for module in _modules() for case in module.RIGHT)


def wrong_cases():
    """Every wrong implementation."""
    return tuple(case for module in _modules() for case in module.WRONG)
