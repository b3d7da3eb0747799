"""The README runs: its claim, its check, its commands, its links."""

import re
import sys
from pathlib import Path

import pytest

from verimath.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_ci_runs_the_test_command_of_the_readme() -> None:
    (command,) = [block.strip() for block in blocks("sh") if "tox" in block]
    assert (ROOT / ".ci/run").read_text().strip().splitlines()[-1] == command


def test_both_commands_use_the_constraints() -> None:
    commands = [block for block in blocks("sh") if "pip install" in block]
    assert len(commands) == 2
    assert all("-c constraints.txt" in command for command in commands)


def test_lengths_are_as_promised() -> None:
    claim, check = blocks("python")
    assert len(claim.splitlines()) <= 20
    assert len(check.splitlines()) <= 10


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claim, check = blocks("python")
    (tmp_path / "my_claims.py").write_text(claim, encoding="utf-8")
    (tmp_path / "my_check.py").write_text(check, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        with pytest.raises(AssertionError) as caught:
            __import__("my_check")
    finally:
        sys.modules.pop("my_claims", None)
        sys.modules.pop("my_check", None)
    printed, _ = blocks("text")
    story = [line.rstrip() for line in str(caught.value).splitlines()]
    for line in printed.splitlines():
        if line.strip() != "...":
            assert line.rstrip() in story


def test_proofs_are_printed_as_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claim, _ = blocks("python")
    (tmp_path / "my_claims.py").write_text(claim, encoding="utf-8")
    main(["prove", "softmax-jacobian", str(tmp_path / "my_claims.py")])
    told = _without_times(capsys.readouterr().out)
    _, printed = blocks("text")
    for line in _without_times(printed):
        assert line.removesuffix("...").rstrip() in " ".join(told), line


def _without_times(text: str) -> list[str]:
    return [re.sub(r"\d+\.\d+ s$", "", line).rstrip() for line in text.splitlines()]


def test_local_links_exist() -> None:
    for target in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / target).exists(), target
