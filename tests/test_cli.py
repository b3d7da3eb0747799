"""The command line: what it writes and prints, and one clear message for every bad input."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from verimath import Claim, Report, read_report
from verimath._engine import run
from verimath.catalogue import all_claims, lecture_claims
from verimath.cli import exit_code, main

GOOD = """
from verimath import Claim, Domain, Equal, reals

twice = Claim(
    id="twice",
    title="x + x is 2x",
    source="here",
    domain=Domain(x=reals("n")),
    statement=Equal(left=lambda x: x + x, right=lambda x: 2 * x),
)
"""

FALSE = GOOD.replace("2 * x", "3 * x")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def test_verify_writes_both_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", write("good.py", GOOD), "--examples", "5"]) == 0
    report = read_report(Path("reports/report.json"))
    assert [claim.id for claim in report.claims] == ["twice"]
    page = Path("reports/index.html").read_text(encoding="utf-8")
    assert "<math" in page
    out, err = capsys.readouterr()
    assert "1 of 1 claims as expected" in out
    assert str(Path("reports/index.html").resolve()) in out
    assert "[1/1] twice" in err
    assert sorted(os.listdir("reports")) == ["index.html", "report.json"]


def test_a_false_claim_is_exit_1_with_its_story(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", write("false.py", FALSE), "--examples", "5"]) == 1
    out = capsys.readouterr().out
    assert "the claim is the odd one out" in out
    assert "`right side` on numpy float64 is wrong" in out
    assert "n=1   x=[1]" in out


def test_options_select(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["verify", write("good.py", GOOD), "--examples", "3", "--out", "here"]
    assert main([*arguments, "--backend", "numpy", "--dtype", "float32"]) == 0
    verdicts = read_report(Path("here/report.json")).claims[0].verdicts
    assert {(v.backend, v.dtype) for v in verdicts} == {("numpy", "float32")}


def test_all_lists_cuda_as_skipped_or_run() -> None:
    assert main(["verify", write("good.py", GOOD), "--examples", "3", "--backend", "all"]) == 0
    report = read_report(Path("reports/report.json"))
    cuda = [v for v in report.claims[0].verdicts if v.backend == "torch-cuda"]
    assert cuda
    assert all(v.reason for v in cuda if v.status == "skipped")


def test_same_seed_same_report_apart_from_times() -> None:
    claim = write("false.py", FALSE)
    texts = []
    for out in ("one", "two"):
        main(["verify", claim, "--examples", "5", "--seed", "7", "--out", out])
        data = json.loads(Path(out, "report.json").read_text())
        assert data.pop("timing")
        texts.append(json.dumps(data))
    assert texts[0] == texts[1]


def test_another_seed_draws_other_examples() -> None:
    claim = all_claims()["chain-rule"]
    ratios = {
        tuple(v.worst_ratio for v in run([claim], seed=seed, examples=10).claims[0].verdicts)
        for seed in (1, 2)
    }
    assert len(ratios) == 2


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert all(claim_id in out for claim_id in all_claims())
    assert main(["list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in rows] == list(all_claims())
    assert {row["expected"] for row in rows} == {"holds", "refuted"}


def test_what_is_checked_when_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[list[str]] = []

    def run_(claims: Iterable[Claim], **_: object) -> Report:
        chosen.append([claim.id for claim in claims])
        raise KeyboardInterrupt  # nothing more is asked of it

    monkeypatch.setattr("verimath._engine.run", run_)
    for arguments in ([], ["--all"], ["sherman-morrison"], ["sherman-morrison", "--all"]):
        assert main(["verify", *arguments]) == 130
    lecture, everything, named, both = chosen
    assert lecture == list(lecture_claims())
    assert everything == list(all_claims())
    assert set(lecture) < set(everything)
    assert named == ["sherman-morrison"]
    assert sorted(both) == sorted(everything)


def test_explain(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "mean-square-gradient-2x3"]) == 0
    out = capsys.readouterr().out
    assert r"\frac{\partial z}{\partial y} = 4\,y" in out
    assert "power rule" in out
    assert "2/3" in out


def test_render_is_the_same_page(capsys: pytest.CaptureFixture[str]) -> None:
    main(["verify", write("good.py", GOOD), "--examples", "3"])
    page = Path("reports/index.html").read_text(encoding="utf-8")
    assert main(["render", "reports/report.json", "-o", "again.html"]) == 0
    assert Path("again.html").read_text(encoding="utf-8") == page


BAD = [
    (["verify", "mean-square-gradeint"], 2, "did you mean mean-square-gradient"),
    (["verify", "qqqq"], 2, "see `verimath list`"),
    (["verify", "nowhere.py"], 2, "no such file"),
    (["verify", "empty.py"], 2, "holds no claim"),
    (["verify", "broken.py"], 2, "broken.py:2: SyntaxError"),
    (["verify", "raises.py"], 2, "raises.py:2: ZeroDivisionError"),
    (["verify", "exits.py"], 2, "exits.py:2: SystemExit"),
    (["verify", "shapes.py"], 2, "has shape (n, 1)"),
    (["verify", "branch.py"], 2, "branch.py:5"),
    (["verify", "unknown.py"], 2, "`xp.sort` is not an operation"),
    (["verify", "domain.py"], 2, "can't be satisfied"),
    (["verify", "sizes.py"], 2, "can't be satisfied"),
    (["verify", "same.py"], 2, "two claims have the id 'twice'"),
    (["verify", "good.py", "--backend", "tpu"], 2, "known: numpy, torch-cpu, torch-cuda"),
    (["verify", "good.py", "--backend", ","], 2, "names nothing"),
    (["verify", "good.py", "--dtype", "float8"], 2, "wanted one or more of float64, float32"),
    (["verify", "good.py", "--examples", "0"], 2, "at least 1"),
    (["verify", "good.py", "--examples", "many"], 2, "many"),
    (["verify", "good.py", "--seed", "-1"], 2, "not negative"),
    (["verify", "good.py", "--frobnicate"], 2, "frobnicate"),
    (["frobnicate"], 2, "frobnicate"),
    (["explain", "chain"], 2, "did you mean chain-rule"),
    (["render", "nowhere.json"], 2, "can't be read"),
    (["render", "good.py"], 2, "no report of schema version 1"),
    (["verify", "good.py", "--out", "a-file/below"], 3, "can't be written to"),
]

FILES = {
    "good.py": GOOD,
    "empty.py": "x = 1\n",
    "broken.py": "x = 1\nthis is no Python\n",
    "raises.py": "x = 1\ny = x / 0\n",
    "exits.py": "import sys\nsys.exit(0)\n",
    "shapes.py": GOOD.replace("2 * x)", "2 * x[:, None])"),
    "branch.py": GOOD.replace(
        "twice = ", "def f(x):\n    return x if x.shape[0] == 1 else 2 * x\n\ntwice = "
    ).replace("lambda x: 2 * x", "f"),
    "unknown.py": GOOD.replace("lambda x: 2 * x", "lambda x: x.__array_namespace__().sort(x)"),
    "domain.py": GOOD.replace('reals("n")', 'reals("n", 2.0, 1.0)'),
    "sizes.py": GOOD.replace('reals("n")', 'reals("n-100")'),
    "same.py": GOOD + GOOD.replace("twice =", "again ="),
    "a-file": "",
}


@pytest.mark.parametrize(("arguments", "code", "message"), BAD, ids=lambda v: str(v)[:40])
def test_bad_input_is_one_clear_message(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in FILES.items():
        write(name, text)
    assert main(arguments) == code
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err
    assert err.count("verimath: ") == 1
    assert not Path("reports/report.json").exists()


def test_a_full_folder_is_no_half_report(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, *_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    write("good.py", GOOD)
    monkeypatch.setattr(Path, "write_text", full)
    assert main(["verify", "good.py", "--examples", "2"]) == 3
    assert os.listdir("reports") == []


def test_cuda_by_name_without_a_device(capsys: pytest.CaptureFixture[str]) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    assert main(["verify", write("good.py", GOOD), "--backend", "torch-cuda"]) == 3
    err = capsys.readouterr().err
    assert "backend torch-cuda was asked for by name, but torch finds no CUDA device" in err


def test_interrupted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(*_: object, **__: object) -> Report:
        raise KeyboardInterrupt

    monkeypatch.setattr("verimath._engine.run", interrupt)
    assert main(["verify", write("good.py", GOOD)]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_defect_of_ours_is_exit_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> Report:
        raise RuntimeError("nobody expected this")

    monkeypatch.setattr("verimath._engine.run", fail)
    assert main(["verify", write("good.py", GOOD)]) == 3
    assert "internal error (RuntimeError)" in capsys.readouterr().err


def test_undecided_is_exit_4() -> None:
    report = run([all_claims()["chain-rule"]], examples=2, backends=["numpy"])
    summary = report.summary.model_copy(update={"as_expected": 0, "undecided": 1})
    assert exit_code(report.model_copy(update={"summary": summary})) == 4


def test_as_a_module_and_as_a_command() -> None:
    for command in (
        [sys.executable, "-m", "verimath"],
        [str(Path(sys.executable).with_name("verimath"))],
    ):
        done = subprocess.run(
            [*command, "verify", "no-such-claim"], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 2
        assert done.stderr.startswith("verimath: no claim is called 'no-such-claim'")
        assert done.stdout == ""


PROVED = """
from array_api_compat import array_namespace
from verimath import Claim, Domain, Equal, reals

def claim(id, right, **more):
    return Claim(
        id=id, title=id, source="here", domain=Domain(x=reals("n", 1, 2)),
        statement=Equal(left=lambda x: array_namespace(x).atan(x) * 2, right=right), **more,
    )
"""


@pytest.mark.parametrize(
    ("line", "code", "word"),
    [
        ("a = claim('a', lambda x: 2 * array_namespace(x).atan(x))", 0, "all shapes"),
        ("a = claim('a', lambda x: 3 * array_namespace(x).atan(x))", 1, "refuted"),
        (
            "a = claim('a', lambda x: 3 * array_namespace(x).atan(x), expected='refuted')",
            0,
            "refuted",
        ),
        ("a = claim('a', lambda x: 2 * array_namespace(x).atan(x), expected='refuted')", 1, "all"),
        (
            "a = claim('a', lambda x: 3.141592653589793 - 2 * array_namespace(x).atan(1 / x))",
            4,
            "undecided",
        ),
    ],
)
def test_prove(tmp_path, capsys, line, code, word):
    path = tmp_path / "claims.py"
    path.write_text(PROVED + line, encoding="utf-8")
    assert main(["prove", str(path)]) == code
    assert f"a: {word}" in capsys.readouterr().out


def test_prove_prints_what_a_proof_rests_on(capsys):
    assert main(["prove", "cross-entropy-gradient", "log-determinant-gradient"]) == 0
    told = capsys.readouterr().out
    for word in ("sizes looked at", "rows of y sum to one", "invertible", "rules", "off the kinks"):
        assert word in told
    assert "Jacobi's formula" in told


def test_prove_names_no_such_claim(capsys):
    assert main(["prove", "nothing-of-the-kind"]) == 2
    assert "no claim is called" in capsys.readouterr().err
