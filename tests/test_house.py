"""The house itself: public names, lazy imports, and that these tests can fail."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import verimath
from verimath.claims import CHAPTERS
from verimath.claims_file import lost_claim

HEAVY = ("torch", "sympy")


@pytest.mark.xdist_group("house")
def test_what_tests_share_is_computed_by_one_process(request: pytest.FixtureRequest) -> None:
    """A pytest that ignores the groups of pytest-xdist makes the suite half as long again."""
    if os.environ.get("PYTEST_XDIST_WORKER"):
        assert request.node.nodeid.endswith("@house")


def imported_by(code: str) -> set[str]:
    """Which heavy libraries a fresh interpreter has after running some code."""
    probe = (
        f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\n"
        f"print('HEAVY', *[m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=120
    )
    return set(done.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize(
    "code",
    [
        "import verimath",
        "import verimath.catalogue; verimath.catalogue.all_claims()",
        "from verimath.cli import main; main(['--help'])",
        "from verimath.cli import main; main(['--version'])",
        "from verimath.cli import main; main(['list'])",
        "from verimath.cli import main; main(['list', '--json'])",
        "from verimath.cli import main; main(['verify', '--help'])",
        "from verimath.cli import main; main(['verify', 'no-such-claim'])",
        "import verimath.report.html",
    ],
)
def test_light_commands_import_nothing_heavy(code: str) -> None:
    assert imported_by(code) == set()


def test_the_probe_would_notice() -> None:
    assert imported_by("import sympy") == {"sympy"}
    assert "sympy" in imported_by("from verimath import check")


def test_public_names_exist_and_nothing_else_is_promised() -> None:
    for name in verimath.__all__:
        assert getattr(verimath, name) is not None
    assert set(verimath.__all__) == set(verimath._HOME)
    assert set(verimath.__all__) <= set(dir(verimath))


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'claims_of_fame'"):
        verimath.claims_of_fame


def test_public_functions_are_documented() -> None:
    for name in verimath.__all__:
        assert (getattr(verimath, name).__doc__ or "").strip(), name


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_no_claim_takes_the_name_of_another_in_its_chapter(chapter: str) -> None:
    module = importlib.import_module(f"verimath.claims.{chapter}")
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    assert lost_claim(module, source) == ""
    targets = [
        target
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        for target in node.targets
    ]
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    assert len(set(names)) == len(names)
