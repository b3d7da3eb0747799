"""The house itself: public names, lazy imports, and that these tests can fail."""

import subprocess
import sys

import pytest

import verimath

HEAVY = ("torch", "sympy")


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
