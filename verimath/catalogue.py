"""Finding claims: built in, installed (entry points), or in a file that was named.

A claims file exposes `Claim` objects, or lists of them, as public module-level names. A file is run
as Python: name only files you trust, as with pytest.
"""

import difflib
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from verimath.claim import Claim
from verimath.claims import CHAPTERS, LECTURE
from verimath.errors import ClaimError, UsageError, VerimathError


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


def load_file(path: Path) -> list[Claim]:
    """The claims of a Python file.

    Raises UsageError if there is no such file, ClaimError if it doesn't run or holds no claim.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such file; wanted the id of a claim or a claims file")
    name = f"verimath_claims_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise ClaimError(f"{path}: no Python file; wanted one that defines Claim objects")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that reproduction scripts find the source
    try:
        spec.loader.exec_module(module)
    except VerimathError as error:
        raise ClaimError(f"{path}: {error}") from error
    except (Exception, SystemExit) as error:
        line = _line_of(error, path)
        raise ClaimError(f"{path}{line}: {type(error).__name__}: {error}") from error
    found = list(claims_of(module))
    if not found:
        raise ClaimError(
            f"{path}: holds no claim; wanted a public module-level name that is a Claim "
            "(or a list of them)"
        )
    return found


def _line_of(error: BaseException, path: Path) -> str:
    if isinstance(error, SyntaxError):
        return f":{error.lineno}"
    line, traceback = "", error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == str(path.resolve()):
            line = f":{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return line


def claims_of(module: ModuleType) -> list[Claim]:
    """Claims among a module's public names, in the order of definition."""
    found: dict[Claim, None] = {}
    for name, value in vars(module).items():
        if not name.startswith("_"):
            values = value if isinstance(value, list | tuple) else [value]
            found.update((claim, None) for claim in values if isinstance(claim, Claim))
    return list(found)


def _by_id(claims: Iterable[Claim]) -> dict[str, Claim]:
    found: dict[str, Claim] = {}
    for claim in claims:
        if claim.id in found and found[claim.id] is not claim:
            raise ClaimError(f"two claims have the id {claim.id!r}; ids have to differ")
        found[claim.id] = claim
    return found
