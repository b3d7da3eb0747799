"""Finding claims: built in, installed (entry points), or in a file that was named."""

import difflib
import importlib
from collections.abc import Iterable, Sequence
from importlib.metadata import entry_points
from pathlib import Path

from verimath.claim import Claim
from verimath.claims import CHAPTERS, LECTURE
from verimath.claims_file import claims_of, load_file
from verimath.errors import ClaimError, UsageError


def all_claims() -> dict[str, Claim]:
    """Every built-in and installed claim by id, in the catalogue's order.

    Raises ClaimError if two claims have one id.
    """
    modules = [importlib.import_module(f"verimath.claims.{chapter}") for chapter in CHAPTERS]
    for point in entry_points(group="verimath.claims"):
        try:
            modules.append(importlib.import_module(point.module))
        except Exception as error:
            raise ClaimError(
                f"installed claims {point.name!r} ({point.module}): "
                f"{type(error).__name__}: {error}; repair or uninstall that package"
            ) from error
    return _by_id(claim for module in modules for claim in claims_of(module))


def lecture_claims() -> dict[str, Claim]:
    """The claims of the lecture by id: the part of the catalogue that takes a minute."""
    modules = [importlib.import_module(f"verimath.claims.{chapter}") for chapter in LECTURE]
    return _by_id(claim for module in modules for claim in claims_of(module))


def find_claims(names: Sequence[str]) -> dict[str, Claim]:
    """The claims that ids and `.py` files name; all of the catalogue for no names.

    Raises UsageError for an unknown id (with the nearest ones) and ClaimError for a bad file.
    """
    known = all_claims()
    if not names:
        return known
    found: list[Claim] = []
    for name in names:
        if name.endswith(".py") or "/" in name:
            found.extend(load_file(Path(name)))
        elif name in known:
            found.append(known[name])
        else:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
            hint = f"did you mean {', '.join(near)}?" if near else "see `verimath list`"
            raise UsageError(f"no claim is called {name!r}; {hint} (a claims file ends in .py)")
    return _by_id(dict.fromkeys(found))


def _by_id(claims: Iterable[Claim]) -> dict[str, Claim]:
    found: dict[str, Claim] = {}
    for claim in claims:
        if claim.id in found and found[claim.id] is not claim:
            raise ClaimError(f"two claims have the id {claim.id!r}; ids have to differ")
        found[claim.id] = claim
    return found
