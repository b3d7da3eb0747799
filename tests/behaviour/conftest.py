"""What the tests of behaviour share: the verdicts of one candidate, and its script."""

import re
import sys

import pytest

from verimath import Status, check, numeric
from verimath.claims.autograd import sum_of_squares


@pytest.fixture
def verdicts():
    """The verdicts of a candidate's ways, by the end of their names."""

    def of(candidate, claim=sum_of_squares, *, library="numpy", **options):
        if not hasattr(candidate, "kind"):
            candidate = numeric("mine", candidate, library=library)
        torch = candidate.library == "torch"
        options = {
            "backend": "torch-cpu" if torch else "numpy",
            "dtype": "float64",
            "examples": 8,
            **options,
        }
        found = check(claim, candidate, **options).claims[0].verdicts
        own = [verdict for verdict in found if verdict.route.startswith("mine")]
        return {v.route.removeprefix("mine").removeprefix(": "): v for v in own}

    return of


@pytest.fixture
def shows(monkeypatch):
    """Run a verdict's script where verimath can't be imported; it has to show the fault."""

    def run(verdict):
        script = verdict.counterexample.script
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "verimath", None)
            with pytest.raises((SystemExit, Exception)) as caught:
                exec(compile(script, "script.py", "exec"), {"__name__": "__main__"})
        if isinstance(caught.value, SystemExit):
            assert caught.value.code == 1
        else:  # a traceback: Python exits with 1
            assert verdict.reason is not None
            assert "raises" in verdict.reason, caught.value
        return script

    return run


@pytest.fixture
def rejected(verdicts, shows):
    """A candidate that has to be rejected for a defect, in words, with a script that shows it."""

    def check_(candidate, defect, words, *claim, way="", **options):
        verdict = verdicts(candidate, *claim, **options)[way]
        assert (verdict.status, verdict.defect) == (Status.WRONG, defect), verdict.reason
        assert re.search(words, verdict.reason), verdict.reason
        shows(verdict)

    return check_


@pytest.fixture
def accepted(verdicts):
    """A right candidate, which no check may reject."""

    def check_(candidate, *claim, **options):
        found = verdicts(candidate, *claim, **options)
        statuses = {way: v.status for way, v in found.items() if v.status is not Status.SKIPPED}
        assert statuses
        assert set(statuses.values()) == {Status.PASS}, [v.reason for v in found.values()]
        return found

    return check_
