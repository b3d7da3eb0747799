"""Mutation tests of the core: does a test notice when an operator, a number, an argument changes?

    python benchmarks/mutants.py verimath/judge.py [MUTANT ...] [--sample N] [--seed S]

Copies the working tree to mutants/, runs mutmut there with the module's own tests (_TESTS) and
prints every survivor as a difference. What survives, and why, is in docs/mutation.md.

Tests run derandomised and without shrinking (the Hypothesis profile `mutants`). What is raised is
mutated, but not in which words: lines that begin with `raise` are left alone.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_RECHECK = [
    "tests/test_recheck.py",
    "tests/test_recheck_derivatives.py",
    "--deselect=tests/test_recheck.py::test_a_random_change",
]
_TESTS = {
    "verimath/arithmetic/bounds/choices.py": ["tests/arithmetic/test_rules.py"],
    "verimath/arithmetic/bounds/elementwise.py": ["tests/arithmetic/test_rules.py"],
    "verimath/arithmetic/bounds/functions.py": ["tests/arithmetic/test_rules.py"],
    "verimath/arithmetic/bounds/matrices.py": ["tests/arithmetic/test_elimination.py"],
    "verimath/arithmetic/bounds/normwise.py": ["tests/arithmetic/test_rules.py"],
    "verimath/arithmetic/bounds/rearranged.py": ["tests/arithmetic/test_rules.py"],
    "verimath/arithmetic/bounds/sums.py": ["tests/arithmetic/test_rules.py"],
    "verimath/arithmetic/field.py": [
        "tests/arithmetic/test_field.py",
        "tests/proof/test_identity.py",
    ],
    "verimath/arithmetic/field_rules.py": ["tests/arithmetic/test_field.py"],
    "verimath/arithmetic/residues.py": ["tests/arithmetic/test_residues.py"],
    "verimath/examples.py": ["tests/test_examples.py", "tests/test_plans.py"],
    "verimath/fill.py": ["tests/test_examples.py", "tests/test_inputs.py", "tests/test_plans.py"],
    "verimath/judge.py": ["tests/test_judge.py"],
    "verimath/plans.py": [
        "tests/test_plans.py",
        "--deselect=tests/test_plans.py::test_planted_faults",
        "--deselect=tests/test_plans.py::test_code_that_reads_memory",
    ],
    "verimath/proof/degree.py": ["tests/proof/test_degree.py"],
    "verimath/proof/identity.py": ["tests/proof/test_identity.py"],
    "verimath/proof/kinks.py": ["tests/proof/test_found.py"],
    "verimath/proof/ladder.py": [
        "tests/proof/test_ladder.py",
        "tests/proof/test_found.py",
        "--deselect=tests/proof/test_ladder.py::test_mutants_are_refuted",
    ],
    "verimath/proof/points.py": ["tests/proof/test_refute.py"],
    "verimath/proof/refute.py": ["tests/proof/test_refute.py"],
    "verimath/proof/sizes.py": ["tests/proof/test_sizes.py", "tests/proof/test_identity.py"],
    "verimath/rechecking/derivation.py": _RECHECK,
    "verimath/rechecking/dual.py": _RECHECK,
    "verimath/rechecking/evaluate.py": _RECHECK,
    "verimath/rechecking/evaluation.py": _RECHECK,
    "verimath/rechecking/plain.py": _RECHECK,
    "verimath/shrink.py": ["tests/test_shrink.py"],
}
_TABLE = """
[tool.mutmut]
source_paths = ["verimath"]
only_mutate = ["{module}"]
do_not_mutate_patterns = ['^\\s*raise \\w+']
pytest_add_cli_args = ["--hypothesis-profile=mutants", "-p", "no:cacheprovider"]
pytest_add_cli_args_test_selection = [{tests}]
use_git_change_detection = false
timeout_multiplier = 4.0
timeout_constant = 1.0
"""
_ALONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": ""}
# As mutmut has them, and what else an exit status may be; a test that never ends doesn't pass.
_STATUS = {0: "survived", 1: "killed", 3: "killed", 33: "no tests", None: "not tried"}
_STATUS |= dict.fromkeys((-24, 24, 36, 152, 255), "out of time")


def main() -> None:
    """Mutate one module and print what survived."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("module", choices=sorted(_TESTS))
    parser.add_argument("mutants", nargs="*", help="names of mutants; all, where none is given")
    parser.add_argument("--sample", type=int, help="only so many mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tree = _copy(options.module)
    every = _names(tree, options.module)
    names = options.mutants or every
    if options.sample is not None and options.sample < len(names):
        names = sorted(random.Random(options.seed).sample(names, options.sample))
    _mutmut(tree, "run", "--max-children", "1", *(() if names is every else names))
    _report(tree, options.module, names)


def _copy(module: str) -> Path:
    """The tracked and the new files, with mutmut's table for the module."""
    tree = _ROOT / "mutants" / module.removesuffix(".py").replace("/", ".")
    shutil.rmtree(tree, ignore_errors=True)
    listed = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    files = subprocess.run(listed, cwd=_ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, files.split("\0")):
        if (_ROOT / name).is_file() and not name.startswith("reports/"):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(_ROOT / name, tree / name)
    tests = ", ".join(f'"{test}"' for test in _TESTS[module])
    with (tree / "pyproject.toml").open("a") as table:
        table.write(_TABLE.format(module=module, tests=tests))
    return tree


def _names(tree: Path, module: str) -> list[str]:
    """The names of all mutants of a module."""
    code = (
        "import sys; from pathlib import Path\n"
        "from mutmut.mutation.file_mutation import mutate_file_contents as mutated\n"
        "from mutmut.utils.format_utils import get_mutant_name\n"
        "path = Path(sys.argv[1])\n"
        "for name in mutated(str(path), path.read_text()).mutant_names:\n"
        "    print(get_mutant_name(path, name))"
    )
    command = [sys.executable, "-c", code, module]
    return subprocess.run(
        command, cwd=tree, check=True, capture_output=True, text=True
    ).stdout.split()


def _mutmut(tree: Path, *arguments: str) -> str:
    program = Path(sys.executable).with_name("mutmut")
    done = subprocess.run(
        [program, *arguments], cwd=tree, env=os.environ | _ALONE, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"mutmut failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def _report(tree: Path, module: str, names: list[str]) -> None:
    codes = json.loads((tree / "mutants" / f"{module}.meta").read_text())["exit_code_by_key"]
    ends = {name: _STATUS.get(codes[name], f"exit {codes[name]}") for name in names}
    for name, end in ends.items():
        if end not in ("killed", "out of time"):
            print(f"--- {end}: {name}")
            print(*_changed(_mutmut(tree, "show", name)), sep="\n")
    counts = ", ".join(f"{count} {end}" for end, count in Counter(ends.values()).most_common())
    print(f"{module}: {len(names)} of {len(codes)} mutants: {counts}")


def _changed(difference: str) -> list[str]:
    """The lines that went and came, and where they stand."""
    return [line for line in difference.splitlines() if line[:1] in "+-@" and line[:3] not in _HEAD]


_HEAD = ("---", "+++")

if __name__ == "__main__":
    main()
