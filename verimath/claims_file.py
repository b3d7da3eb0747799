"""Reading a claims file: the claims of a module's public names, and a word about those it loses.

A claims file exposes `Claim` objects, or lists of them, as public module-level names. It is run as
Python: name only files you trust, as with pytest.
"""

import ast
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from verimath.claim import Claim
from verimath.errors import ClaimError, UsageError, VerimathError


def load_file(path: Path) -> list[Claim]:
    """The claims of a Python file.

    Raises UsageError if there is no such file, ClaimError if it doesn't run, holds no claim, or
    binds a name of a claim again, so that the claim is lost.
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
    found = claims_of(module)
    problem = lost_claim(module, path.read_bytes())
    if problem:
        raise ClaimError(f"{path}:{problem}")
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


# --- claims that are lost ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Binding:
    """A public name that a statement binds to what some calls make."""

    name: str
    calls: list[ast.Call]
    line: int
    place: int  # of the statement, counted from the first of the module


def lost_claim(module: ModuleType, source: str | bytes) -> str:
    """The line and the story of a claim whose public name is bound again; "" if there is none.

    Of a module that has run, by its syntax; nothing is executed. A claim that is made with a
    written id is lost if none of that id was found. Any other is if nothing reads the name before
    it is bound again; calls of anything but `Claim` are taken to make one where a later call of the
    same left the name with a claim.
    """
    found = {claim.id for claim in claims_of(module)}
    body = list(_one_after_the_other(ast.parse(source).body))
    bindings = [b for place, statement in enumerate(body) for b in _bindings(statement, place)]
    for k, first in enumerate(bindings):
        later = [b for b in bindings[k + 1 :] if b.name == first.name]
        if not later:
            continue
        after = [call for b in later for call in b.calls]
        ids = {_id_of(call) for call in after if _makes_claim(call, module)}
        kept = vars(module).get(first.name)
        makers = {ast.dump(call.func) for call in after} if _holds_claims(kept) else set[str]()
        is_read = _is_read(first.name, body[first.place + 1 : later[0].place + 1])
        for call in first.calls:
            claim_id = _id_of(call) if _makes_claim(call, module) else None
            if claim_id is not None:
                lost = claim_id not in found or claim_id in ids
            else:
                maker = _makes_claim(call, module) or ast.dump(call.func) in makers
                lost = maker and not is_read
            if lost:
                which = f" {claim_id!r}" if claim_id else ""
                return (
                    f"{later[0].line}: `{first.name}` is bound again, and the claim{which} of line "
                    f"{first.line} is lost; give it a name of its own, or make a list of both"
                )
    return ""


def _one_after_the_other(statements: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements in the order in which they run, with two turns of each loop; not what may not."""
    for statement in statements:
        if isinstance(statement, ast.For | ast.While):
            yield from [*_one_after_the_other(statement.body)] * 2
        elif isinstance(statement, ast.With):
            yield from _one_after_the_other(statement.body)
        else:
            yield statement


def _bindings(statement: ast.stmt, place: int) -> Iterator[_Binding]:
    match statement:
        case ast.Assign(targets=targets, value=value):
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            names = [name]
        case _:
            return
    values = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
    calls = [value for value in values if isinstance(value, ast.Call)]
    for name in names:
        if not name.startswith("_"):
            yield _Binding(name, calls, statement.lineno, place)


def _makes_claim(call: ast.Call, module: ModuleType) -> bool:
    match call.func:
        case ast.Name(id=name):
            return vars(module).get(name) is Claim
        case ast.Attribute(attr=name):
            return name == Claim.__name__
        case _:
            return False


def _id_of(call: ast.Call) -> str | None:
    """The id that a call of `Claim` gives in so many letters."""
    for keyword in call.keywords:
        if keyword.arg == "id" and isinstance(keyword.value, ast.Constant):
            return str(keyword.value.value)
    return None


def _holds_claims(value: object) -> bool:
    values = value if isinstance(value, list | tuple) else [value]
    return any(isinstance(one, Claim) for one in values)


def _is_read(name: str, statements: Sequence[ast.stmt]) -> bool:
    nodes = (node for statement in statements for node in ast.walk(statement))
    return any(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
        for node in nodes
    )
