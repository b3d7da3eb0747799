"""The claims of the catalogue against their own mutants: refuted at every seed, or the same."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from verimath import prove
from verimath.catalogue import all_claims
from verimath.claim import Converges, Equal
from verimath.errors import ClaimError
from verimath.power import mutants_of
from verimath.proof import certify
from verimath.proof.identity import at_sizes, for_all_sizes
from verimath.proof.ladder import both_sides, small_bindings
from verimath.proof.normal_form import normalise
from verimath.proof.refute import refute
from verimath.rechecking.counterexample import check_counterexample
from verimath.reference.prepare import prepare, rank_choices

TRUE = {
    name: claim
    for name, claim in all_claims().items()
    if claim.expected == "holds" and prepare(claim, dict(rank_choices(claim.domain)[-1])).claimed
}
# Nowhere defined (a singular matrix), or defined only where it is the truth (divided by a mask).
WITHOUT_A_VALUE = {
    # Divided by the residual of the solution.
    ("damped-jacobi-converges", "a quotient for the product"),
    ("damped-jacobi-converges", "turned upside down"),
    ("gauss-seidel-error", "the cases swapped"),
    ("sor-error", "the first term dropped"),
    ("two-layer-relu-gradients", "a quotient for the product"),
}


def prepared_of(claim):
    return prepare(claim, dict(rank_choices(claim.domain)[-1]))


def identity_of(prepared, formula):
    return replace(both_sides(prepared), right=formula.outputs)


def mutants(claim):
    """Generated ones and those that were written with the claim, as identities that are false."""
    prepared = prepared_of(claim)
    found = {name: identity_of(prepared, f) for name, f in mutants_of(prepared).items()}
    side = {Equal: "right", Converges: "to"}.get(type(claim.statement), "equals")
    for name, function in claim.mutants.items():
        try:
            other = prepared_of(
                replace(claim, statement=replace(claim.statement, **{side: function}), mutants={})
            )
        except ClaimError:
            continue  # of another shape, or nothing that can be traced
        # Of an iteration the limit is the reference, and what is claimed a step from there.
        formula = other.reference if side == "to" else other.claimed
        found[name] = identity_of(prepared, formula)
    return prepared, found


def is_the_same(identity, prepared):
    structures = {name: s.structure for name, s in identity.inputs.items() if s.structure}
    return (
        for_all_sizes(identity).equal
        or normalise(identity.left, identity.right, hypotheses=structures).proved
        or at_sizes(identity, small_bindings(prepared)).equal
    )


def certified(identity, witness):
    return check_counterexample(certify.of_witness(identity, witness, None))


@pytest.mark.parametrize("name", TRUE)
def test_a_few_mutants_of_every_claim_are_refuted(name):
    _, found = mutants(TRUE[name])
    refuted = 0
    for identity in list(found.values())[:: max(1, len(found) // 6)]:
        witness = refute(identity)
        if witness is not None:
            refuted += 1
            assert "differ at a point" in certified(identity, witness)
    assert refuted >= 2


@pytest.mark.deep
@pytest.mark.parametrize("name", TRUE)
def test_every_mutant_is_refuted_at_eight_seeds_or_the_same(name):
    prepared, found = mutants(TRUE[name])
    refuted = 0
    for what, identity in found.items():
        witnesses = [refute(identity, seed=seed) for seed in range(8)]
        if all(witnesses):
            refuted += 1
            assert all("differ" in certified(identity, witness) for witness in witnesses)
        else:
            assert not any(witnesses), what
            allowed = (name, what.split(" (")[0]) in WITHOUT_A_VALUE
            assert allowed or is_the_same(identity, prepared), what
    assert refuted >= 4


@pytest.mark.deep
@pytest.mark.parametrize("name", all_claims())
def test_every_seed_proves_as_much(name):
    claim = all_claims()[name]
    labels = {prove(claim, seed=seed).label for seed in range(8)}
    assert len(labels) == 1


def test_every_rule_and_axiom_of_the_catalogue_is_in_the_docs():
    page = (Path(__file__).parents[2] / "docs" / "proofs.md").read_text(encoding="utf-8")
    _, _, section = page.partition("## Rules of a derivation")
    section, _, _ = section.partition("## Structured inputs")
    for claim in all_claims().values():
        proof = prove(claim)
        for rule in proof.rules:
            named = re.sub(r"^rows of \w+", "rows of A", rule).replace("|", "\\|")
            named = re.sub(r"^\w+ by its definition with exp", "by its definition with exp", named)
            assert named in section, rule
        for axiom in proof.axioms:
            assert axiom.partition(": ")[2] in section, axiom
