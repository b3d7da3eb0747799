"""The ladder: true claims climb, false ones get a certified counterexample, whatever the seed."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from array_api_compat import array_namespace as ns

from tests.proof.test_identity import FALSE, TRUE
from verimath import (
    AtMost,
    Claim,
    ClaimError,
    Domain,
    Equal,
    Gradient,
    UsageError,
    check,
    given,
    induction,
    invertible,
    nonzero,
    one_hot,
    positive,
    prove,
    reals,
    simplex,
    spd,
    symmetric,
)
from verimath.catalogue import all_claims
from verimath.formula.graph import Formula
from verimath.formula.mutate import mutate
from verimath.proof import points
from verimath.proof import refute as refuting
from verimath.proof.identity import Identity, for_all_sizes
from verimath.proof.ladder import combined, weakest
from verimath.proof.normal_form import normalise
from verimath.proof.refute import refute
from verimath.report.record import Proof, Step


def claim(statement, **inputs):
    return Claim(id="x", title="x", source="x", domain=Domain(**inputs), statement=statement)


def proved_by_rewriting(identity):
    structures = {name: s.structure for name, s in identity.inputs.items() if s.structure}
    return normalise(identity.left, identity.right, hypotheses=structures).proved


def mutants_of(identity):
    formula = Formula("claimed", {}, identity.right, {})
    for name, other in mutate(formula):
        yield (
            name,
            Identity(
                identity.left, other.outputs, identity.inputs, identity.shapes, identity.allowed
            ),
        )


@pytest.mark.parametrize("name", TRUE)
def test_mutants_are_refuted_at_every_seed(name):
    identity = TRUE[name]()
    refuted = 0
    found = list(mutants_of(identity))
    # Neighbours in the list change the same node.
    for what, mutant in found[:: max(1, len(found) // 8)]:
        witnesses = [refute(mutant, seed=seed) for seed in range(8)]
        if any(witness is None for witness in witnesses):
            assert not any(witnesses), (what, witnesses)
            continue
        refuted += 1
        assert not for_all_sizes(mutant).equal, what
        assert not proved_by_rewriting(mutant), what
    assert refuted >= 2


@pytest.mark.deep
@pytest.mark.parametrize("name", TRUE)
def test_all_mutants_are_refuted_or_equal(name):
    identity = TRUE[name]()
    for what, mutant in mutants_of(identity):
        witnesses = [refute(mutant, seed=seed) for seed in range(8)]
        if all(witnesses):
            assert not for_all_sizes(mutant).equal, what
            assert not proved_by_rewriting(mutant), what
        else:
            assert not any(witnesses), what


@pytest.mark.parametrize("name", FALSE)
def test_what_is_false_is_neither_rewritten_nor_spared(name):
    identity = FALSE[name]()
    assert not proved_by_rewriting(identity)
    assert all(refute(identity, seed=seed) is not None for seed in range(8))


def test_true_claims_are_never_refuted(monkeypatch):
    """Thousands of evaluations, at all the points that are tried."""
    count = 0
    original = refuting._difference

    def counted(*arguments):
        nonlocal count
        count += 1
        return original(*arguments)

    monkeypatch.setattr(refuting, "_difference", counted)
    monkeypatch.setattr(points, "_LARGEST_SHAPES", 40)
    for name in TRUE:
        assert refute(TRUE[name](), seed=11) is None, name
    assert count >= 1000


@pytest.mark.deep
def test_ten_thousand_evaluations_of_true_claims_refute_none(monkeypatch):
    count = 0
    original = refuting._difference

    def counted(*arguments):
        nonlocal count
        count += 1
        return original(*arguments)

    monkeypatch.setattr(refuting, "_difference", counted)
    for seed in itertools.count():
        for name in TRUE:
            assert refute(TRUE[name](), seed=seed) is None, name
        if count >= 10_000:
            break


# --- witnesses --------------------------------------------------------------------------------


def witness_of(statement, **inputs):
    proof = prove(claim(statement, **inputs))
    assert proof.label == "refuted", proof
    (certificate,) = proof.certificate
    return certificate


def test_a_witness_is_small_rational_and_in_the_domain():
    certificate = witness_of(
        Equal(left=lambda x: x**2, right=lambda x: x), x=reals("n", 2, 3, exclude_min=True)
    )
    (point,) = certificate.point
    assert certificate.sizes == {"n": 1}
    assert all(2 < Fraction(value) <= 3 for value in point.values)
    assert 0 < float(certificate.low) <= float(certificate.high)


@pytest.mark.parametrize(
    ("spec", "holds"),
    [
        (simplex("n"), lambda x: sum(x) == 1 and min(x) >= 0),
        (one_hot("n"), lambda x: sorted(x) == [0] * (len(x) - 1) + [1]),
        (positive("n"), lambda x: min(x) > 0),
        (nonzero("n"), lambda x: 0 not in x),
    ],
)
def test_witnesses_have_the_structure_of_the_domain(spec, holds):
    certificate = witness_of(Equal(left=lambda x: x * 1, right=lambda x: 2 * x), x=spec)
    (point,) = certificate.point
    assert holds([Fraction(value) for value in point.values])


def test_matrices_of_a_witness_have_their_structure():
    certificate = witness_of(Equal(left=lambda A: A @ A, right=lambda A: A * A), A=spd())
    (point,) = certificate.point
    cells = np.array([Fraction(v) for v in point.values], dtype=object).reshape(point.shape)
    assert (cells == cells.T).all()
    assert np.linalg.eigvalsh(cells.astype(float)).min() > 0


def test_a_difference_of_one_in_ten_to_the_thirty_six_is_certain():
    certificate = witness_of(
        Equal(
            left=lambda x: ns(x).exp(x),
            right=lambda x: ns(x).exp(x) + 1e-9 * 1e-9 * 1e-9 * 1e-9 * ns(x).exp(x),
        ),
        x=reals("n"),
    )
    assert -1e-35 < float(certificate.low) <= float(certificate.high) < 0


def test_points_at_a_kink_are_passed_over():
    """At zero, any subgradient is right; elsewhere this one is wrong."""
    certificate = witness_of(
        Gradient(
            of=lambda x: ns(x).sum(abs(x)), wrt="x", equals=lambda x: ns(x).sign(x) * ns(x).sign(x)
        ),
        x=reals("n"),
    )
    (point,) = certificate.point
    assert all(Fraction(value) != 0 for value in point.values)


# --- the rungs --------------------------------------------------------------------------------


def test_rungs():
    inverse = claim(
        Equal(
            left=lambda A: ns(A).linalg.inv(A) @ A, right=lambda A: 0 * A + ns(A).eye(A.shape[0])
        ),
        A=invertible(),
    )
    assert prove(inverse).label == "all_shapes_derivation"
    running = claim(
        Equal(
            left=lambda x: ns(x).cumulative_sum(2 * x), right=lambda x: 2 * ns(x).cumulative_sum(x)
        ),
        x=reals("n"),
    )
    proof = prove(running)
    assert proof.label in ("exact_at_shapes", "all_shapes_derivation")
    arcs = claim(
        Equal(
            left=lambda x: ns(x).atan(x) + ns(x).atan(1 / x),
            right=lambda x: 0 * x + 1.5707963267948966,
        ),
        x=reals("n", 1, 2),
    )
    proof = prove(arcs)
    assert proof.label == "none"
    assert proof.finding.startswith("undecided: ")


def test_what_is_shown_at_a_few_sizes_is_no_proof_for_all():
    """Products along a dimension have no bound; so neither has an induction over them."""

    def powers(x):
        return ns(x).prod(x**2)

    def squared(x):
        return ns(x).prod(x) ** 2

    proof = prove(claim(Equal(left=powers, right=squared), x=reals("n")))
    assert proof.label == "exact_at_shapes"
    assert proof.shapes == ("n=2", "n=1")
    assert proof.finding == "not for all shapes: along n, elements are multiplied along it"
    assert proof.failure_bits >= 40
    steps = induction(
        left=(lambda x: 0 * ns(x).sum(x) + 1, lambda S, x: S * powers(x)),
        right=(lambda x: 0 * ns(x).sum(x) + 1, lambda T, x: T * squared(x)),
        relation=lambda T, x: 1 * T,
    )
    assert prove(claim(steps, T=reals(), x=reals("n"))).label == "exact_at_shapes"
    beyond = prove(claim(AtMost(of=lambda x: x, bound=0.25), x=given([0.5])))
    assert beyond.label == "refuted"
    assert "beyond 1/4" in beyond.finding


def test_a_domain_of_one_shape_has_no_other_shapes():
    proof = prove(claim(Equal(left=lambda x: x + x, right=lambda x: 2 * x), x=reals("2 3")))
    assert proof.label == "exact_at_shapes"


def test_hypotheses_are_printed():
    form = Gradient(of=lambda A, x: x @ A @ x, wrt="x", equals=lambda A, x: 2 * A @ x)
    assert any("symmetric" in h for h in prove(claim(form, A=symmetric(), x=reals("n"))).hypotheses)
    assert prove(claim(form, A=reals("n n"), x=reals("n"))).label == "refuted"
    kinked = Gradient(of=lambda x: ns(x).sum(abs(x)), wrt="x", equals=lambda x: ns(x).sign(x))
    assert "off the kinks" in prove(claim(kinked, x=reals("n"))).hypotheses


def test_bounds_over_given_numbers_are_decided():
    inside = claim(AtMost(of=lambda x: x - 1, bound=0.25), x=given([0.75, 1.0]))
    assert prove(inside).label == "exact_at_shapes"
    outside = claim(AtMost(of=lambda x: x - 1, bound=0.25), x=given([0.75, 1.5]))
    assert prove(outside).label == "refuted"


def test_bounds_over_drawn_numbers_are_refuted_at_an_end_of_the_range():
    kept = prove(claim(AtMost(of=lambda x: x, bound=1.0), x=reals("n", 0, 1)))
    assert kept.label == "none"
    for low, high, bound in ((0, 1, 0.999), (-1, 0, 0.999), (-3, 2, 2.5)):
        found = prove(claim(AtMost(of=lambda x: x, bound=bound), x=reals("n", low, high)))
        assert found.label == "refuted"
        assert f"beyond {Fraction(bound).limit_denominator(1000)} at n=1, x = [" in found.finding


def test_induction_needs_start_and_step():
    def collapse(start, step):
        return claim(
            induction(
                left=(lambda X, W: X, lambda H, X, W: H @ W),
                right=(start, step),
                relation=lambda M, X, W: X @ M,
            ),
            M=reals("d d"),
            X=reals("n d"),
            W=reals("d d"),
        )

    def one(X, W):
        return ns(X).eye(X.shape[1])

    proof = prove(collapse(one, lambda M, X, W: M @ W))
    assert proof.label == "all_depths"
    assert proof.certificate[0].kind == "induction"
    wrong_step = prove(collapse(one, lambda M, X, W: W @ M))
    assert wrong_step.label == "refuted"
    assert wrong_step.finding.startswith("the step: ")
    wrong_start = prove(collapse(lambda X, W: 2 * one(X, W), lambda M, X, W: M @ W))
    assert wrong_start.label == "refuted"
    assert wrong_start.finding.startswith("the start: ")


def test_induction_wants_functions():
    with pytest.raises(ClaimError, match="two functions"):
        induction(left=(1, 2), right=(abs, abs), relation=abs)
    with pytest.raises(ClaimError, match="relation=3"):
        induction(left=(abs, abs), right=(abs, abs), relation=3)


def test_a_difference_that_only_the_field_has_seen_is_refuted():
    def left(x):
        n = x.shape[0]
        return ns(x).sum(x) * (n - 1) * (n - 2) * (n - 3) * (n - 4)

    proof = prove(claim(Equal(left=left, right=lambda x: 0 * ns(x).sum(x)), x=reals("n")))
    assert proof.label == "refuted"
    assert proof.shapes == ("n=5",)


def test_readings_of_literals_are_hypotheses():
    near = claim(Equal(left=lambda x: 0.1 * x, right=lambda x: x / 10), x=reals("n"))
    proof = prove(near)
    assert any("the literal 0.1 stands for 1/10" in h for h in proof.hypotheses)


def test_prove_wants_a_claim():
    with pytest.raises(UsageError, match="wants a Claim"):
        prove("mean-square-gradient")


# --- putting proofs together ------------------------------------------------------------------


def test_a_claim_is_proved_as_far_as_at_its_weakest_rank():
    strong = Proof(label="all_shapes_derivation", shapes=("a",), hypotheses=("h",))
    weak = Proof(label="exact_at_shapes", failure_bits=40.0, shapes=("b",), hypotheses=("g",))
    both = weakest([strong, weak])
    assert both.label == "exact_at_shapes"
    assert both.failure_bits == 40
    assert both.shapes == ("a", "b")
    assert both.hypotheses == ("h", "g")
    refuted = Proof(label="refuted", finding="here")
    assert weakest([strong, refuted]) is refuted


def test_symbols_and_ladder_check_each_other():
    proved = Proof(label="all_shapes_derivation")
    assert combined(None, proved) is proved
    refuted = Proof(label="refuted", finding="they differ")
    contradiction = combined(refuted, proved)
    assert contradiction.label == "none"
    assert "contradiction" in contradiction.finding
    broken = Proof(label="none", finding="a step fails")
    assert combined(broken, proved).label == "none"
    exact = Proof(label="exact_at_shapes", hypotheses=("a",))
    assert combined(exact, proved).label == "all_shapes_derivation"
    assert combined(exact, Proof(label="none", finding="undecided")).label == "exact_at_shapes"
    # Symbols were looked at where it holds; the counterexample is elsewhere.
    assert combined(exact, refuted).label == "refuted"
    assert combined(refuted, refuted).label == "refuted"
    # A certified counterexample needs no symbols that find one, too.
    assert combined(broken, refuted).label == "refuted"
    # But what is derived wrongly refutes nothing.
    failing = Step(rule="power", tex="x", checked=False)
    assert combined(broken.model_copy(update={"steps": (failing,)}), refuted).label == "none"


def test_a_counterexample_at_no_rational_value_is_one():
    """The values of both sides at x = 4 are 2 and an irrational number."""
    roots = Claim(
        id="roots",
        title="A square root is a cube root",
        source="a mistake",
        domain=Domain(x=positive("n")),
        statement=Equal(left=lambda x: ns(x).sqrt(x), right=lambda x: x ** (1 / 3)),
        expected="refuted",
    )
    (record,) = check(roots, examples=10, backend="numpy").claims
    assert record.proof.label == "refuted"
    assert record.proof.certificate is not None
    assert record.outcome == "as_expected"


def test_steps_are_the_symbols_and_the_rest_is_the_ladders():
    step = Step(rule="sum", tex="x", checked=True)
    exact = Proof(label="exact_at_shapes", hypotheses=("a", "b"), steps=(step,), shapes=("n=1",))
    climbed = Proof(label="all_shapes_randomised", hypotheses=("b", "c"), shapes=("n 1",))
    found = combined(exact, climbed)
    assert (found.label, found.shapes, found.steps) == (climbed.label, climbed.shapes, (step,))
    assert found.hypotheses == ("a", "b", "c")


@pytest.mark.parametrize("label", ["exact_at_shapes", "all_shapes_randomised", "all_depths"])
def test_symbols_that_refute_what_is_proved_prove_nothing(label):
    found = combined(Proof(label="refuted", finding="they differ"), Proof(label=label))
    assert found.label == "none"
    assert "they differ" in found.finding
    assert label in found.finding


def test_a_reason_is_that_of_whoever_has_none():
    undecided = Proof(label="none", finding="too large")
    exact = combined(Proof(label="exact_at_shapes"), undecided)
    assert (exact.label, exact.finding) == ("exact_at_shapes", "not for all shapes: too large")
    sampled = combined(Proof(label="sampled"), undecided)
    assert (sampled.label, sampled.finding) == ("sampled", "too large")
    own = combined(Proof(label="sampled", finding="mine"), undecided)
    assert (own.label, own.finding) == ("sampled", "mine")
    # A refutation in symbols stands where the ladder sees nothing.
    found = combined(Proof(label="refuted", finding="they differ"), undecided)
    assert (found.label, found.finding) == ("refuted", "they differ")
    # A step that fails is never overruled, whatever is proved otherwise.
    broken = combined(Proof(label="none", finding="a step fails"), Proof(label="all_depths"))
    assert (broken.label, broken.finding) == ("none", "a step fails")
    unsaid = combined(Proof(label="none"), Proof(label="exact_at_shapes", finding="further"))
    assert (unsaid.label, unsaid.finding) == ("none", "further")


@pytest.mark.parametrize(
    "id_", ["mean-square-gradient", "summed-matrix-product-gradient-2x", "woodbury", "mlp-collapse"]
)
def test_certificates_survive_the_report(id_):
    proof = prove(all_claims()[id_])
    assert proof.certificate
    assert Proof.model_validate_json(proof.model_dump_json()) == proof
