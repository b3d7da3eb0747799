"""Proofs: true claims agree symbol by symbol, false ones come with a certificate."""

import math

import pytest
import sympy as sp
from array_api_compat import array_namespace

from verimath import AtMost, Claim, Domain, Equal, Gradient, check, given, reals
from verimath.claims.autograd import mean_square, printed_rank_one
from verimath.formula.derive import derive
from verimath.formula.trace import trace
from verimath.proof.explicit import (
    _Domain,
    check_steps,
    explicit_symbols,
    is_explicit,
    prove,
    vanishes,
)
from verimath.reference.prepare import prepare
from verimath.shapes import Size


def total(x):
    return array_namespace(x).sum(x)


def claim(statement, **inputs):
    return Claim(
        id="test", title="test", source="test", domain=Domain(**inputs), statement=statement
    )


def proof_of(claim, *bindings, ranks=None):
    return prove(prepare(claim, ranks or {}), bindings)


SQUARES = Gradient(of=lambda x: total(x**2), wrt="x", equals=lambda x: 2 * x)


def test_a_true_gradient_is_exact_at_its_shapes():
    proof = proof_of(claim(SQUARES, x=reals("n d")), {"n": 2, "d": 3}, {"n": 1, "d": 1})
    assert proof.label == "exact_at_shapes"
    assert proof.shapes == ("n=2 d=3", "n=1 d=1")
    assert proof.finding is None
    assert all(step.checked for step in proof.steps)


def test_nothing_is_proved_at_no_shape():
    assert proof_of(claim(SQUARES, x=reals("n"))).label == "none"


TRUE = {
    "trigonometry": lambda xp, x: (xp.sin(x) ** 2 + xp.cos(x) ** 2, xp.ones_like(x)),
    "rational": lambda xp, x: (1 / (x**2 + 1) - 1, -(x**2) / (x**2 + 1)),
    "exponentials": lambda xp, x: (xp.exp(x + 1), xp.e * xp.exp(x)),
    "literals": lambda xp, x: (2 / 3 * x, x * 2 / 3),
    "roots": lambda xp, x: (math.sqrt(2) * x, 2 * x / 2**0.5),
}


@pytest.mark.parametrize("name", TRUE)
def test_true_identities_are_exact(name):
    sides = TRUE[name]
    statement = Equal(
        left=lambda x: sides(array_namespace(x), x)[0],
        right=lambda x: sides(array_namespace(x), x)[1],
    )
    assert proof_of(claim(statement, x=reals("n")), {"n": 2}).label == "exact_at_shapes"


@pytest.mark.parametrize(
    "right",
    [
        lambda x: 3 * x,
        lambda x: 2 * x + 1e-9,
        lambda x: 2 * x * (1 + 1e-12),
        lambda x: 2 * x + 0 * x + total(x) - x.size * array_namespace(x).mean(x) + 1,
    ],
)
def test_a_false_gradient_is_refuted_with_a_certificate(right):
    statement = Gradient(of=SQUARES.of, wrt="x", equals=right)
    proof = proof_of(claim(statement, x=reals("n")), {"n": 2})
    assert proof.label == "refuted"
    assert "the two sides differ by exactly" in proof.finding
    assert proof.shapes == ("n=2",)
    assert all(step.checked for step in proof.steps)  # the derivation is right, the claim is not


def _cubic_in_the_size(x):
    """2x, plus something that vanishes at sizes 1 and 2 only."""
    n = x.shape[0]
    return 2 * x + (n - 1) * (n - 2) * x


def test_a_claim_that_is_false_from_size_three_on_is_refuted_only_there():
    wrong = claim(Gradient(of=SQUARES.of, wrt="x", equals=_cubic_in_the_size), x=reals("n"))
    small = proof_of(wrong, {"n": 1}, {"n": 2})
    assert small.label == "exact_at_shapes"
    assert small.shapes == ("n=1", "n=2")  # the label says no more than that
    proof = proof_of(wrong, {"n": 2}, {"n": 3})
    assert proof.label == "refuted"
    assert proof.shapes == ("n=3",)


def test_elements_of_one_input_are_not_those_of_another():
    """x[1] and an input called x_1 were one symbol once."""
    statement = Equal(
        left=lambda x, x_1: total(x), right=lambda x, x_1: total(x) * 0 + x_1 + total(x) - x_1 * 2
    )
    proof = proof_of(claim(statement, x=reals("2"), x_1=reals()), {})
    assert proof.label == "refuted"


def test_an_input_may_be_called_seed():
    def f(x, seed):
        y = x * seed
        z = y**2 + seed
        return total(z)

    statement = Gradient(of=f, wrt="seed", equals=lambda x, seed: 2 * x * x * seed + 1)
    proof = proof_of(claim(statement, x=reals("n"), seed=reals("n")), {"n": 2})
    assert proof.label == "exact_at_shapes", proof


@pytest.mark.parametrize(
    ("spec", "label"),
    [
        (reals("n", 0, 1), "sampled"),  # true there, and sympy doesn't know the range
        (reals("n", 2), "sampled"),
        (reals("n", None, 1), "refuted"),
        (reals("n", -1, 1), "refuted"),
        (reals("n"), "refuted"),
    ],
)
def test_a_refutation_is_a_point_of_the_domain(spec, label):
    statement = Equal(left=lambda x: (x**2) ** 0.5, right=lambda x: x)
    assert proof_of(claim(statement, x=spec), {"n": 1}).label == label


def test_given_numbers_are_themselves_and_not_symbols():
    statement = Equal(
        left=lambda A: array_namespace(A).linalg.trace(A), right=lambda A: total(A) - 5
    )
    true = claim(statement, A=given([[1, 2], [3, 4]]))
    assert proof_of(true, {}).label == "exact_at_shapes"
    false = claim(statement, A=given([[1, 2], [3, 4.5]]))
    assert proof_of(false, {}).label == "exact_at_shapes"
    other = claim(statement, A=given([[1, 2.5], [3, 4]]))
    proof = proof_of(other, {})
    assert proof.label == "refuted"
    assert "differ by exactly -1/2" in proof.finding


def test_a_gradient_at_given_numbers():
    statement = Gradient(of=lambda x: total(x**3), wrt="x", equals=lambda x: 6 * x - 0)
    assert proof_of(claim(statement, x=given([2, 0])), {}).label == "exact_at_shapes"
    assert proof_of(claim(statement, x=given([1, 0])), {}).label == "refuted"


def test_a_bound_on_given_numbers_is_decided():
    assert proof_of(printed_rank_one, {}).label == "exact_at_shapes"
    tight = AtMost(of=printed_rank_one.statement.of, bound=1e-6)
    proof = proof_of(claim(tight, gradient=printed_rank_one.domain.inputs["gradient"]), {})
    assert proof.label == "refuted"
    assert "beyond 1/1000000" in proof.finding
    edge = claim(AtMost(of=lambda x: x, bound=0.1), x=given([0.1, -0.1]))
    assert proof_of(edge, {}).label == "exact_at_shapes"


def test_a_bound_on_drawn_inputs_is_only_sampled():
    statement = AtMost(of=lambda x: array_namespace(x).sin(x), bound=1)
    proof = proof_of(claim(statement, x=reals("n")), {"n": 1})
    assert proof.label == "sampled"


def test_assumptions_about_literals_are_listed():
    statement = Equal(left=lambda x: 2 / 3 * x + 0.5, right=lambda x: x * 2 / 3 + 1 / 2)
    proof = proof_of(claim(statement, x=reals()), {})
    assert proof.hypotheses == ("the literal 0.6666666666666666 stands for 2/3",)


def test_hypotheses_are_passed_on():
    one = Claim(
        id="test", title="t", source="t", domain=Domain(x=reals("n")), statement=SQUARES,
        assume=["x is real"],
    )  # fmt: skip
    assert proof_of(one, {"n": 1}).hypotheses == ("x is real",)


def test_a_formula_that_sympy_can_not_run_is_not_proved():
    def left(x):
        return x if type(x).__name__ == "TracedArray" else x.nonsense

    proof = proof_of(claim(Equal(left=left, right=lambda x: x), x=reals("n")), {"n": 1})
    assert proof.label == "none"
    assert "doesn't run on symbols" in proof.finding


def test_a_formula_that_lies_to_the_tracer_is_not_proved():
    def left(x):
        return x if type(x).__name__ == "TracedArray" else 2 * x

    proof = proof_of(claim(Equal(left=left, right=lambda x: x), x=reals("n")), {"n": 1})
    assert proof.label == "none"
    assert "sympy's derivation and the formula graph's disagree" in proof.finding


@pytest.mark.parametrize("rank", range(4))
def test_the_headline_claim_is_exact_at_every_rank(rank):
    ranks = {"shape": rank}
    proof = proof_of(mean_square, {f"shape[{i}]": 2 for i in range(rank)}, ranks=ranks)
    assert proof.label == "exact_at_shapes"
    assert [step.rule for step in proof.steps][-1] == "sum rule"


def test_symbols_are_counted():
    prepared = prepare(claim(SQUARES, x=reals("n d")), {})
    assert explicit_symbols(prepared, {"n": 3, "d": 4}) == 12
    assert explicit_symbols(prepared, {"n": 0, "d": 4}) == 0


x, y = sp.symbols("x y", real=True)


@pytest.mark.parametrize(
    ("expression", "zero"),
    [
        ((x + 1) ** 2 - x**2 - 2 * x - 1, True),
        (1 / (x + y) - (x - y) / (x**2 - y**2), True),
        (sp.sin(x) ** 2 + sp.cos(x) ** 2 - 1, True),
        (sp.sqrt(8) - 2 * sp.sqrt(2), True),
        (x - y, False),
        (sp.sqrt(x**2) - x, False),
        (sp.exp(x) - 1 - x, False),
        (sp.Rational(1, 10**30), False),
        (sp.nan, None),
        (sp.zoo, None),
        (sp.sqrt(-1 - x**2), None),
        (x / sp.Abs(x) - sp.sign(x), True),
        # True, but not simplified: open, never a refutation.
        (sp.atan(x) + sp.atan(1 / x) - sp.pi / 2 * sp.sign(x), None),
        (sp.Abs(x) / x - sp.sign(x) + sp.Rational(1, 10**9), False),
    ],
)
def test_vanishes(expression, zero):
    assert vanishes(expression, _Domain({}, {})) is zero


def test_an_open_comparison_is_sampled_and_no_failure():
    """Neither sympy nor a field knows how these arcs are related."""
    both = claim(
        Equal(
            left=lambda x: array_namespace(x).atan(x) + array_namespace(x).atan(1 / x),
            right=lambda x: 0 * x + math.pi / 2,
        ),
        x=reals("n", 1, 2),
    )
    record = check(both, examples=20, backend="numpy").claims[0]
    assert record.proof.label == "sampled"
    assert record.proof.finding
    assert record.outcome == "as_expected"


def test_a_step_names_what_was_found(monkeypatch):
    from verimath.formula import reverse as rules

    monkeypatch.setitem(rules.REVERSE, "reshape", lambda node, c: [c])  # the wrong shape
    monkeypatch.setitem(rules.REVERSE, "power", lambda node, c: [c])
    derived = derive(trace(SQUARES.of, {"x": (Size.of("n"),)}), ("x",))
    (step,) = check_steps(derived, [{"n": 2}])
    assert not step.checked
    assert step.remark == "at n=2, element [0]: off by 1 - 2*x[0]"


def test_large_matrices_are_not_inverted_in_symbols():
    def total(A):
        xp = array_namespace(A)
        return xp.sum(xp.linalg.inv(A))

    claim = Claim(
        id="c",
        title="t",
        source="s",
        domain=Domain(A=reals("n n")),
        statement=Equal(left=total, right=total),
    )
    prepared = prepare(claim, {})
    assert [prepared.largest_matrix({"n": n}) for n in (0, 3, 5)] == [0, 3, 5]
    assert [is_explicit(prepared, {"n": n}) for n in (3, 4)] == [True, False]


def test_a_bound_over_drawn_numbers_is_refuted_at_an_exact_point():
    claim = Claim(
        id="c",
        title="t",
        source="s",
        domain=Domain(x=reals("2", -1, 1)),
        statement=AtMost(of=lambda x: 28 / 27 * x, bound=1),
    )
    record = check(claim, examples=5, backend="numpy").claims[0]
    assert record.proof.label == "refuted"
    assert record.proof.finding == "element [1] is 28/27, beyond 1 at x = [0, 1]"
    assert record.outcome == "not_as_expected"


def test_a_bound_that_holds_is_sampled_and_no_more():
    claim = Claim(
        id="c",
        title="t",
        source="s",
        domain=Domain(x=reals("2", -1, 1)),
        statement=AtMost(of=lambda x: 27 / 28 * x, bound=1),
    )
    record = check(claim, examples=5, backend="numpy").claims[0]
    assert record.proof.label == "sampled"
    assert record.outcome == "as_expected"
