"""How a claim comes out: claims that are odd, false, weakly tested or not compared at all."""

import pytest
from array_api_compat import array_namespace

from verimath import (
    AtMost,
    Claim,
    ClaimError,
    Domain,
    Equal,
    Gradient,
    Status,
    UsageError,
    Verdict,
    VerificationError,
    autograd,
    check,
    given,
    numeric,
    reals,
    verify,
)
from verimath.outcome import outcome_of, summarise
from verimath.report.record import Mutant, Proof, Step
from verimath.routes import Way


def squares(x):
    return array_namespace(x).sum(x**2)


def claim(equals=lambda x: 2 * x, **facts):
    facts = {"id": "squares", "title": "t", "source": "s", **facts}
    return Claim(
        domain=Domain(x=reals("n")),
        statement=Gradient(of=squares, wrt="x", equals=equals),
        **facts,
    )


def record_of(claim, *candidates, backend="numpy", examples=10):
    return check(claim, *candidates, backend=backend, examples=examples).claims[0]


WAYS = tuple(
    Way(name, "formula", squares, ("numpy",), side=side)
    for name, side in (("mine", "claim"), ("other", "reference"), ("theirs", "candidate"))
)
NO_PROOF = Proof(label="none")
KILLED = Mutant(name="m", killed_by="numpy float64")


def judged(claim, *, proof=NO_PROOF, mutants=(KILLED,), **statuses):
    verdicts = [
        Verdict(route=route, backend="numpy", dtype="float64", status=status, reason="because")
        for route, status in statuses.items()
    ]
    ways = [way for way in WAYS if way.name in statuses]
    return outcome_of(claim, ways, verdicts, proof, mutants)


# --- through the engine ---


def test_a_wrong_closed_form_is_the_odd_one_out():
    record = record_of(claim(lambda x: 3 * x), backend="numpy,torch-cpu")
    assert record.outcome == "not_as_expected"
    assert record.reason == (
        "the claim is the odd one out: another value comes from "
        "sympy, torch reverse mode, torch forward mode"
    )


def test_a_false_claim_that_is_not_refuted_is_a_failure():
    record = record_of(claim(expected="refuted"))
    assert record.outcome == "not_as_expected"
    assert record.reason == "expected to be refuted, but no counterexample was found"


def test_a_false_claim_that_is_refuted_is_as_expected():
    record = record_of(claim(lambda x: x, expected="refuted"))
    assert record.outcome == "as_expected"
    assert record.mutants == ()


def test_a_surviving_mutant_fails_the_claim():
    record = record_of(claim(mutants={"x + x": lambda x: x + x}))
    assert record.outcome == "not_as_expected"
    assert record.reason == "surviving mutant: x + x"
    survivor = next(m for m in record.mutants if m.name == "x + x")
    assert survivor.killed_by is None
    assert survivor.not_separable_in == ("float64", "float32", "float16")


def test_an_exact_refutation_needs_no_example():
    record = record_of(claim(lambda x: 2 * x + x / 1e20))  # no float64 can tell
    assert {v.status for v in record.verdicts if v.dtype != "float16"} == {Status.PASS}
    (narrow,) = (v.status for v in record.verdicts if v.dtype == "float16")
    assert narrow is Status.INCONCLUSIVE  # which has no 1e20
    assert record.outcome == "not_as_expected"
    assert record.reason.startswith("refuted exactly: element ")


def test_a_bound_that_is_exceeded_is_not_as_expected():
    exceeded = Claim(
        id="bound",
        title="t",
        source="s",
        domain=Domain(x=given([1.0, 4.0])),
        statement=AtMost(of=lambda x: x + 1, bound=4),
    )
    record = record_of(exceeded)
    assert record.outcome == "not_as_expected"
    found = record.verdicts[0].counterexample
    assert found is not None
    assert (found.got, found.want, found.index) == (5.0, 4.0, (1,))
    assert found.output == "absolute value, to be at most what is wanted,"


def test_nothing_compared_is_undecided():
    undefined = Claim(
        id="roots",
        title="t",
        source="s",
        domain=Domain(x=reals("n", -9, -1)),
        statement=Equal(
            left=lambda x: array_namespace(x).sqrt(x), right=lambda x: array_namespace(x).sqrt(x)
        ),
    )
    record = record_of(undefined, examples=3)
    assert {v.status for v in record.verdicts} == {Status.INCONCLUSIVE}
    assert record.outcome != "as_expected"


def test_a_candidate_that_no_backend_can_run_is_undecided():
    record = record_of(claim(), numeric("theirs", lambda x: 0 * x), backend="torch-cpu")
    assert record.outcome == "undecided"
    assert record.reason == ("candidate `theirs`: it was not run, because it needs a numpy backend")


def test_a_plain_candidate_is_run_on_the_library_that_was_named():
    record = record_of(claim(), lambda x: x.clone() * 2, backend="torch-cpu")
    assert record.outcome == "as_expected"
    assert [v.status for v in record.verdicts if v.route == "candidate"] == [Status.PASS] * 4


@pytest.mark.parametrize("name", ["closed form", "sympy", "torch reverse mode"])
def test_a_candidate_may_not_bear_the_name_of_a_route(name):
    with pytest.raises(UsageError, match=f"two routes are called '{name}'"):
        check(claim(), numeric(name, lambda x: 0 * x), backend="numpy", examples=2)


def test_a_route_of_a_claim_may_not_bear_the_name_of_an_implied_one():
    with pytest.raises(ClaimError, match="claim 'squares': every such claim has a route 'sympy'"):
        check(claim(routes=[numeric("sympy", lambda x: 2 * x)]), backend="numpy", examples=2)


def test_a_function_called_like_a_route_gets_a_mark():
    def sympy(x):
        return 0 * x

    record = record_of(claim(), sympy)
    assert [v.status for v in record.verdicts if v.route == "sympy"] == [Status.PASS]
    assert {v.status for v in record.verdicts if v.route == "sympy'"} == {Status.WRONG}


def test_an_autograd_candidate_needs_a_gradient():
    equal = Claim(
        id="twice",
        title="t",
        source="s",
        domain=Domain(x=reals("n")),
        statement=Equal(left=lambda x: x + x, right=lambda x: 2 * x),
    )
    with pytest.raises(UsageError, match="twice claims no derivative"):
        check(equal, autograd("theirs", squares), backend="torch-cpu", examples=2)


def test_a_candidate_that_answers_differently_is_nondeterministic():
    calls = iter(range(10**6))

    def moody(x):
        return 2 * x if next(calls) else 3 * (x + 1)

    record = record_of(claim(), moody)
    verdict = next(v for v in record.verdicts if v.route == "moody")
    assert verdict.status is Status.WRONG
    assert verdict.defect == "nondeterministic"
    assert (verdict.reason or "").startswith("wrong at first, pass when called again")


def test_verify_tells_the_story():
    with pytest.raises(VerificationError) as raised:
        verify(claim(), lambda x: 3 * x, backend="numpy", dtype="float64", examples=10)
    story = str(raised.value)
    assert story.startswith("squares: candidate `candidate` is wrong on numpy float64\n")
    lines = [
        "  smallest example      n=1   x=[1]",
        "  elements that differ  1 of 1",
        "  worst                 gradient in x at [0]: got 3.0, wanted 2.0",
        "  allowed there         an error of 4.44e-16, the rounding bound derived for float64",
    ]
    assert "\n".join(lines) in story
    assert "raise SystemExit(main(" in story


# --- the rules by themselves ---


def test_all_pass():
    result = judged(claim(), mine=Status.PASS, other=Status.PASS, theirs=Status.PASS)
    assert result == ("as_expected", "holds on every route that ran")


def test_less_accurate_is_no_failure():
    outcome, _ = judged(
        claim(), mine=Status.LESS_ACCURATE, other=Status.PASS, theirs=Status.LESS_ACCURATE
    )
    assert outcome == "as_expected"


@pytest.mark.parametrize("status", [Status.SKIPPED, Status.INCONCLUSIVE])
def test_an_open_claim_is_undecided(status):
    outcome, reason = judged(claim(), mine=status, other=Status.PASS, theirs=Status.PASS)
    assert outcome == "undecided"
    assert "nothing could be told apart" in reason


@pytest.mark.parametrize("status", [Status.SKIPPED, Status.INCONCLUSIVE])
def test_an_open_candidate_is_undecided(status):
    outcome, reason = judged(claim(), mine=Status.PASS, other=Status.PASS, theirs=status)
    assert outcome == "undecided"
    assert reason.startswith("candidate `theirs`: ")
    assert reason.endswith("because")


@pytest.mark.parametrize(
    ("status", "phrase"), [(Status.WRONG, "is wrong"), (Status.ERROR, "fails")]
)
@pytest.mark.parametrize("who", ["mine", "other", "theirs"])
def test_wrong_and_error_are_not_as_expected(status, phrase, who):
    statuses = {"mine": Status.PASS, "other": Status.PASS, "theirs": Status.PASS, who: status}
    outcome, reason = judged(claim(), **statuses)
    assert outcome == "not_as_expected"
    odd = who == "mine" and status is Status.WRONG
    assert ("odd one out" in reason) if odd else (f"`{who}` {phrase} on numpy float64" in reason)


def test_a_wrong_reference_spoils_a_refutation():
    outcome, _ = judged(claim(expected="refuted"), mine=Status.WRONG, other=Status.WRONG)
    assert outcome == "not_as_expected"


def test_a_failing_closed_form_refutes_nothing():
    outcome, _ = judged(claim(expected="refuted"), mine=Status.ERROR, other=Status.PASS)
    assert outcome == "not_as_expected"


def test_an_exact_certificate_refutes_a_false_claim():
    proof = Proof(label="refuted", finding="they differ by 1")
    result = judged(claim(expected="refuted"), proof=proof, mine=Status.PASS, other=Status.PASS)
    assert result == ("as_expected", "refuted, as expected: they differ by 1")


def test_a_broken_step_fails_the_claim():
    step = Step(rule="sum", tex="a = b", checked=False, remark="not equal")
    outcome, reason = judged(
        claim(), proof=Proof(label="none", steps=(step,)), mine=Status.PASS, other=Status.PASS
    )
    assert outcome == "not_as_expected"
    assert reason == "a step of the derivation fails its own check: a = b"


def test_summary_counts_everything():
    records = [record_of(claim()), record_of(claim(lambda x: x))]
    summary = summarise(records)
    assert (summary.claims, summary.as_expected, summary.not_as_expected) == (2, 1, 1)
    verdicts = [v for record in records for v in record.verdicts]
    assert sum(summary.verdicts.values()) == len(verdicts)
    assert summary.elements == sum(v.elements for v in verdicts)


def test_an_exceeded_bound_is_a_false_claim():
    claim = Claim(
        id="tanh-bound",
        title="tanh is at most a half",
        source="test",
        domain=Domain(x=reals("n")),
        statement=AtMost(of=lambda x: array_namespace(x).tanh(x), bound=0.5),
    )
    record = check(claim, examples=10, backend="numpy").claims[0]
    assert record.outcome == "not_as_expected"
    assert record.reason == "the claim is false: an element exceeds the bound"
